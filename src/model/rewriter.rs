//! A language model as a rewriter: it sees a sentence and says it shorter. An instruct decoder is asked to, in its own chat template; a
//! summariser does what it was trained for. Either may invent; what it wrote is checked by [`crate::summary`] before it is shown.

use std::fmt;

use super::decoder::{self, Placed};
use super::device::{Card, Place};
use super::manifest::Task;
use super::seq2seq::Summariser;
use super::store::Files;
use super::tokenizer::{Marked, Pair, Tokenizer};
use crate::decode::{self, Decoder, Ended, Stop};
use crate::error::{Error, Result};

/// What a decoder is asked for. The adapter of `models/rewriter-en-small` was trained with these words.
const INSTRUCTION: &str = "Shorten this news text to a sentence or two. Use its own words. Keep every name, number, date, denial and doubt. \
                           Add nothing.\n\n{text}";
/// Tokens that the processor reads at once, about.
const BATCH: usize = 2048;
/// How often a run of tokens may come before the answer goes round in circles.
const REPEATS: usize = 3;

/// A language model that says sentences shorter.
pub struct Rewriter {
    /// Name and checksum.
    id: String,
    writer: Writer,
}

enum Writer {
    Decoder(Asked<Placed>),
    Summariser(Box<Summariser>),
}

/// A decoder that is asked in its own chat template.
struct Asked<D> {
    decoder: Box<D>,
    tokenizer: Tokenizer,
    /// Tokens that a prompt may have with its answer.
    room: usize,
    /// Tokens of prompts that are read at once, about.
    batch: usize,
}

impl fmt::Debug for Rewriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewriter").field("id", &self.id).finish()
    }
}

impl Rewriter {
    /// Loads a decoder to that place, or a summariser, which computes on the CPU wherever that is.
    ///
    /// # Errors
    /// [`Error::Model`] that names what is missing or does not fit, and what to do; [`Error::Device`] when the place cannot be had.
    pub fn load(files: &Files, place: impl Into<Place>) -> Result<Self> {
        let manifest = &files.manifest;
        let writer = match manifest.task {
            Task::SummarySeq2seq => {
                Writer::Summariser(Box::new(Summariser::load(files)?.unforced()))
            }
            _ if manifest.is_decoder() => {
                let (card, _) = place.into().open()?;
                Writer::Decoder(Asked::load(files, card)?)
            }
            _ => {
                return Err(Error::Model(format!(
                    "it is no rewriter: a {} writes nothing. Name an instruct decoder or a summariser",
                    manifest.architecture.name()
                )));
            }
        };
        Ok(Self {
            id: manifest.id(),
            writer,
        })
    }

    /// Name and the first digits of the weights' checksum.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What a person should hear of how computing went; said once.
    pub fn warning(&self) -> Option<String> {
        match &self.writer {
            Writer::Decoder(asked) => asked.decoder.warning(),
            Writer::Summariser(_) => None,
        }
    }

    /// Each of `texts` said shorter; `None` where the text was too long to be read whole, or the answer came to no end within its length. An
    /// answer depends on its own text alone.
    ///
    /// # Errors
    /// [`Error::Model`] when the device fails.
    pub fn rewrite(&self, texts: &[&str]) -> Result<Vec<Option<String>>> {
        match &self.writer {
            Writer::Decoder(asked) => asked.answers(texts),
            Writer::Summariser(summariser) => {
                let mut written = vec![None; texts.len()];
                let mut whole = Vec::new();
                for (i, text) in texts.iter().enumerate() {
                    let (_, cut) = summariser.tokens(text)?;
                    whole.extend((!cut).then_some((i, *text)));
                }
                let read: Vec<&str> = whole.iter().map(|(_, text)| *text).collect();
                for ((i, _), said) in whole.into_iter().zip(summariser.write(&read, BATCH)?) {
                    let text = || said.text.trim().to_owned();
                    written[i] = (said.ended == Ended::Turn).then(text);
                }
                Ok(written)
            }
        }
    }
}

impl Asked<Placed> {
    fn load(files: &Files, card: Option<Card>) -> Result<Self> {
        let (decoder, words, template) = decoder::open(files, card)?;
        let (open, close) = template.around(INSTRUCTION)?;
        let around = |marked: &Marked| {
            Ok(Pair {
                open: marked.encode(&open)?,
                between: Vec::new(),
                close: marked.encode(&close)?,
                two_kinds: false,
            })
        };
        Ok(Self {
            tokenizer: Tokenizer::of_decoder(&words, decoder.words(), around)?,
            room: decoder.context().min(files.manifest.input.window),
            batch: match &decoder {
                Placed::Cpu(_) => BATCH,
                Placed::Card(_) => decoder.most(),
            },
            decoder: Box::new(decoder),
        })
    }
}

impl<D: Decoder> Asked<D> {
    fn answers(&self, texts: &[&str]) -> Result<Vec<Option<String>>> {
        let Pair { open, close, .. } = &self.tokenizer.pair;
        let mut prompts = Vec::with_capacity(texts.len());
        let mut lengths = Vec::with_capacity(texts.len());
        for text in texts {
            let ids = self.tokenizer.encode(text)?;
            lengths.push(ids.len());
            prompts.push([open, &ids[..], close].concat());
        }
        let fits = |i: &usize| prompts[*i].len() + lengths[*i] < self.room;
        let asked: Vec<usize> = (0..texts.len()).filter(fits).collect();
        let stop = Stop {
            // Nothing that is no text is part of an answer.
            ends: self.tokenizer.special().to_vec(),
            // One more than a copy has, so that a copy can end; what others are longer changes no answer.
            length: asked.iter().map(|i| lengths[*i]).max().unwrap_or(0) + 1,
            repeats: Some(REPEATS),
        };
        let rows: Vec<&[u32]> = asked.iter().map(|i| &prompts[*i][..]).collect();
        let mut written = vec![None; texts.len()];
        let answers = decode::greedy(&*self.decoder, &rows, &stop, self.batch)?;
        for (i, answer) in asked.into_iter().zip(answers) {
            if answer.ended == Ended::Turn && answer.ids.len() <= lengths[i] {
                written[i] = Some(self.tokenizer.decode(&answer.ids)?.trim().to_owned());
            }
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::decode::toy::Toy;

    const OPEN: u32 = 1;
    const CLOSE: u32 = 2;
    const END: u32 = 3;
    const WORDS: usize = 400;

    /// Says its prompt's text again, and then the end.
    fn copies(tokens: &[u32]) -> Vec<f32> {
        let prompt = tokens.iter().position(|id| *id == CLOSE).unwrap() + 1;
        let next = match tokens[1 + tokens.len() - prompt] {
            CLOSE => END,
            next => next,
        };
        let said = |word| f32::from(u8::from(word == next as usize));
        (0..WORDS).map(said).collect()
    }

    fn copier(room: usize) -> Asked<Toy> {
        let words = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/decoders/llama/tokenizer.json"
        );
        let around = |_: &Marked| {
            Ok(Pair {
                open: vec![OPEN],
                between: Vec::new(),
                close: vec![CLOSE],
                two_kinds: false,
            })
        };
        let tokenizer =
            Tokenizer::of_decoder(&std::fs::read(words).unwrap(), WORDS, around).unwrap();
        assert!(
            [OPEN, CLOSE, END]
                .iter()
                .all(|id| tokenizer.special().contains(id))
        );
        Asked {
            decoder: Box::new(Toy::new(100, copies)),
            tokenizer,
            room,
            batch: BATCH,
        }
    }

    #[test]
    fn a_copy_is_the_same_alone_and_together_however_long_its_neighbours_are() {
        let texts = [
            "Talks open.",
            "Some 10,000 dockers struck in 2000.",
            "A no, a no, a no.",
            "",
        ];
        let asked = copier(100);
        let together = asked.answers(&texts).unwrap();
        assert_eq!(together[..3], texts.map(|text| Some(text.to_owned()))[..3]);
        for (text, answer) in texts.iter().zip(&together) {
            assert_eq!(&asked.answers(&[text]).unwrap()[0], answer, "{text}");
        }
    }

    #[test]
    fn what_leaves_no_room_for_an_answer_is_not_asked() {
        let text = "Talks open on Monday.";
        let tokens = copier(100).tokenizer.encode(text).unwrap().len();
        let answers = |room| copier(room).answers(&[text]).unwrap();
        assert_eq!(answers(2 * tokens + 3), [Some(text.to_owned())]);
        assert_eq!(answers(2 * tokens + 2), [None]);
    }
}
