//! A language model as a rewriter: it sees a sentence and says it shorter. An instruct decoder is asked to, in its own chat template; a
//! summariser does what it was trained for. Either would invent; so it writes nothing of its own, but chooses among the shortenings that
//! [`crate::summary`] finds to say no more than the sentence does.

use std::fmt;

use super::decoder::{self, Placed};
use super::device::{Card, Place};
use super::manifest::Task;
use super::seq2seq::Summariser;
use super::store::Files;
use super::tokenizer::{Marked, Pair, Tokenizer};
use crate::batch;
use crate::decode::{Begun, Decoder, among};
use crate::error::{Error, Result};

/// What a decoder is asked for. The adapter of `models/rewriter-en-small` was trained with these words.
const INSTRUCTION: &str = "Shorten this news text to a sentence or two. Use its own words. Keep every name, number, date, denial and doubt. \
                           Add nothing.\n\n{text}";
/// How much a shorter wording has ahead of a likelier one: the likelihood of its next token counts e¹² times, for the list of what may go has
/// been read and the model is small. What it finds less likely than that hardly anybody would write; in 120 articles there was no such wording
/// (`benches/summaries/LOG.md`).
const LEAD: f32 = 12.0;
/// Tokens that the processor reads at once, about.
const BATCH: usize = 2048;

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
            Task::SummarySeq2seq => Writer::Summariser(Box::new(Summariser::load(files)?)),
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

    /// How each text is best said: which of its candidates, of which the first is the text itself and the others say it shorter. That one
    /// where the text is too long to be read whole. A choice depends on its own candidates alone.
    ///
    /// # Errors
    /// [`Error::Model`] when the device fails.
    pub fn choose(&self, candidates: &[Vec<String>]) -> Result<Vec<usize>> {
        match &self.writer {
            Writer::Decoder(asked) => asked.choose(candidates),
            Writer::Summariser(summariser) => summariser.choose(candidates, LEAD, BATCH),
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
    fn choose(&self, candidates: &[Vec<String>]) -> Result<Vec<usize>> {
        let Pair { open, close, .. } = &self.tokenizer.pair;
        let mut chosen = vec![0; candidates.len()];
        let mut asked = Vec::with_capacity(candidates.len());
        for (i, texts) in candidates.iter().enumerate() {
            let texts = texts.iter().map(|text| self.tokenizer.encode(text));
            let texts: Vec<Vec<u32>> = texts.collect::<Result<_>>()?;
            let text = texts.first().map_or(&[][..], |text| &text[..]);
            let prompt = [&open[..], text, close].concat();
            let longest = texts.iter().map(Vec::len).max().unwrap_or(0);
            if prompt.len() + longest < self.room {
                asked.push((i, prompt, texts));
            }
        }
        // Nothing that is no text is part of an answer.
        let ends = self.tokenizer.special();
        let costs = asked.iter().map(|(_, prompt, _)| prompt.len());
        for range in batch::by_budget(costs, self.batch) {
            let _turn = self.decoder.turn();
            let begun = asked[range.clone()].iter().map(|(_, prompt, _)| Begun {
                cache: self.decoder.cache(),
                prompt,
            });
            let texts: Vec<&[Vec<u32>]> = asked[range.clone()]
                .iter()
                .map(|(_, _, t)| &t[..])
                .collect();
            let answers = among(&*self.decoder, begun.collect(), &texts, ends, LEAD)?;
            for ((i, _, _), answer) in asked[range].iter().zip(answers) {
                chosen[*i] = answer;
            }
        }
        Ok(chosen)
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

    /// Says its prompt's text again, and then the end; but never `on`, nor what comes after it.
    fn terse(on: u32) -> impl Fn(&[u32]) -> Vec<f32> {
        move |tokens| {
            let prompt = tokens.iter().position(|id| *id == CLOSE).unwrap() + 1;
            let said = |word: usize| match word as u32 {
                id if id == on => -9.0,
                id => 9.0 * f32::from(u8::from(tokens[..prompt].contains(&id))),
            };
            (0..WORDS).map(said).collect()
        }
    }

    fn asked(room: usize) -> Asked<Toy> {
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
        let whole = tokenizer.encode("Talks open on").unwrap();
        let on = whole[tokenizer.encode("Talks open").unwrap().len()];
        Asked {
            decoder: Box::new(Toy::new(100, terse(on))),
            tokenizer,
            room,
            batch: BATCH,
        }
    }

    fn candidates(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_the_model_would_say_is_chosen_alone_and_together() {
        let texts = [
            candidates(&["Talks open on Monday.", "Talks open."]),
            candidates(&["Some 10,000 dockers struck in 2000."]),
            candidates(&["A no, a no, a no.", "A no."]),
            candidates(&[""]),
        ];
        let asked = asked(100);
        let together = asked.choose(&texts).unwrap();
        // Of what is as likely the short one.
        assert_eq!(together, [1, 0, 1, 0]);
        for (text, choice) in texts.iter().zip(together) {
            assert_eq!(asked.choose(std::slice::from_ref(text)).unwrap(), [choice]);
        }
    }

    #[test]
    fn what_leaves_no_room_for_an_answer_is_not_asked() {
        let texts = candidates(&["Talks open on Monday.", "Talks open."]);
        let tokens = asked(100).tokenizer.encode(&texts[0]).unwrap().len();
        let choice = |room| asked(room).choose(std::slice::from_ref(&texts)).unwrap();
        assert_eq!(choice(2 * tokens + 3), [1]);
        assert_eq!(choice(2 * tokens + 2), [0]);
    }
}
