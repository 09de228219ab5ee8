//! A language model as a rewriter: it sees a sentence and says it shorter. An instruct decoder is asked to, in its own chat template; a
//! summariser does what it was trained for. Either may invent; what it wrote is checked by [`crate::summary`] before it is shown.

use std::fmt;

use super::decoder::{self, Llama};
use super::manifest::Task;
use super::seq2seq::Summariser;
use super::store::Files;
use super::tokenizer::{Marked, Pair, Tokenizer};
use crate::decode::{self, Decoder, Ended, Stop};
use crate::error::{Error, Result};

/// What a decoder is asked for. The adapter of `models/rewriter-en-small` was trained with these words.
const INSTRUCTION: &str = "Shorten this news text to a sentence or two. Use its own words. Keep every name, number, date, denial and doubt. \
                           Add nothing.\n\n{text}";
/// Tokens that are read at once, about.
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
    Decoder(Asked),
    Summariser(Box<Summariser>),
}

/// A decoder that is asked in its own chat template.
struct Asked {
    decoder: Box<Llama>,
    tokenizer: Tokenizer,
    /// Tokens that a prompt may have with its answer.
    room: usize,
}

impl fmt::Debug for Rewriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewriter").field("id", &self.id).finish()
    }
}

impl Rewriter {
    /// Loads a decoder or a summariser.
    ///
    /// # Errors
    /// [`Error::Model`] that names what is missing or does not fit, and what to do.
    pub fn load(files: &Files) -> Result<Self> {
        let manifest = &files.manifest;
        let writer = match manifest.task {
            Task::SummarySeq2seq => Writer::Summariser(Box::new(Summariser::load(files)?)),
            _ if manifest.is_decoder() => Writer::Decoder(Asked::load(files)?),
            _ => {
                return Err(Error::Model(format!(
                    "`{}` is no rewriter: a {} writes nothing. Name an instruct decoder or a summariser",
                    manifest.name,
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

    /// Each of `texts` said shorter; `None` where the text was too long to be read whole, or the answer came to no end within its length. An
    /// answer depends on its own text alone.
    ///
    /// # Errors
    /// [`Error::Model`] when the device fails.
    pub fn rewrite(&self, texts: &[&str]) -> Result<Vec<Option<String>>> {
        match &self.writer {
            Writer::Decoder(asked) => asked.answers(texts),
            Writer::Summariser(summariser) => {
                let written = summariser.write(texts, BATCH)?.into_iter();
                let whole = written.map(|w| (!w.cut).then(|| w.text.trim().to_owned()));
                Ok(whole.collect())
            }
        }
    }
}

impl Asked {
    fn load(files: &Files) -> Result<Self> {
        let (decoder, words, template) = decoder::open(files)?;
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
            decoder: Box::new(decoder),
        })
    }

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
        let answers = decode::greedy(&*self.decoder, &rows, &stop, BATCH)?;
        for (i, answer) in asked.into_iter().zip(answers) {
            if answer.ended == Ended::Turn && answer.ids.len() <= lengths[i] {
                written[i] = Some(self.tokenizer.decode(&answer.ids)?.trim().to_owned());
            }
        }
        Ok(written)
    }
}
