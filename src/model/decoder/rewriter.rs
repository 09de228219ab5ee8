//! A decoder as a rewriter: it sees a few sentences and an instruction, in its own chat template, and says them shorter. It may invent, as
//! any decoder does; what it wrote is checked by [`crate::summary`] before it is shown.

use std::fmt;

use super::llama::Llama;
use crate::decode::{self, Decoder, Ended, Stop};
use crate::error::{Error, Result};
use crate::model::store::Files;
use crate::model::tokenizer::{Marked, Pair, Tokenizer};

/// What is asked for. The adapter of `models/rewriter-en-small` was trained with these words.
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
    decoder: Llama,
    tokenizer: Tokenizer,
}

impl fmt::Debug for Rewriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewriter").field("id", &self.id).finish()
    }
}

impl Rewriter {
    /// Loads a decoder.
    ///
    /// # Errors
    /// [`Error::Model`] that names what is missing or does not fit, and what to do.
    pub fn load(files: &Files) -> Result<Self> {
        let manifest = &files.manifest;
        if !manifest.is_decoder() {
            return Err(Error::Model(format!(
                "`{}` is no rewriter: a {} writes nothing. Name an instruct decoder",
                manifest.name,
                manifest.architecture.name()
            )));
        }
        let (decoder, words, template) = super::open(files)?;
        let (open, close) = template.around(INSTRUCTION)?;
        let around = |marked: &Marked| {
            Ok(Pair {
                open: marked.encode(&open)?,
                between: Vec::new(),
                close: marked.encode(&close)?,
                two_kinds: false,
            })
        };
        let tokenizer = Tokenizer::of_decoder(&words, decoder.words(), around)?;
        Ok(Self {
            id: manifest.id(),
            decoder,
            tokenizer,
        })
    }

    /// Name and the first digits of the weights' checksum.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Each of `texts` said shorter; `None` where it came to no end within the length of the text. An answer depends on its own text
    /// alone.
    ///
    /// # Errors
    /// [`Error::Model`] when the device fails.
    pub fn rewrite(&self, texts: &[&str]) -> Result<Vec<Option<String>>> {
        let Pair { open, close, .. } = &self.tokenizer.pair;
        let mut prompts = Vec::with_capacity(texts.len());
        let mut lengths = Vec::with_capacity(texts.len());
        for text in texts {
            let ids = self.tokenizer.encode(text)?;
            lengths.push(ids.len());
            prompts.push([open, &ids[..], close].concat());
        }
        let stop = Stop {
            ends: self.tokenizer.special().to_vec(),
            length: lengths.iter().copied().max().unwrap_or(0),
            repeats: Some(REPEATS),
        };
        // A text that leaves no room for an answer has none.
        let fits = |i: &usize| prompts[*i].len() + lengths[*i] < self.decoder.context();
        let asked: Vec<usize> = (0..texts.len()).filter(fits).collect();
        let rows: Vec<&[u32]> = asked.iter().map(|i| &prompts[*i][..]).collect();
        let mut written = vec![None; texts.len()];
        let answers = decode::greedy(&self.decoder, &rows, &stop, BATCH)?;
        for (i, answer) in asked.into_iter().zip(answers) {
            if answer.ended == Ended::Turn && answer.ids.len() <= lengths[i] {
                written[i] = Some(self.tokenizer.decode(&answer.ids)?.trim().to_owned());
            }
        }
        Ok(written)
    }
}
