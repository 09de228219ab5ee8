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
    Decoder(Box<Llama>, Tokenizer),
    Summariser(Box<Summariser>),
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
            _ if manifest.is_decoder() => asked(files)?,
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
            Writer::Decoder(decoder, tokenizer) => answers(decoder, tokenizer, texts),
            Writer::Summariser(summariser) => {
                let written = summariser.write(texts, BATCH)?.into_iter();
                let whole = written.map(|w| (!w.cut).then(|| w.text.trim().to_owned()));
                Ok(whole.collect())
            }
        }
    }
}

/// A decoder that is asked in its own chat template.
fn asked(files: &Files) -> Result<Writer> {
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
    let tokenizer = Tokenizer::of_decoder(&words, decoder.words(), around)?;
    Ok(Writer::Decoder(Box::new(decoder), tokenizer))
}

fn answers(decoder: &Llama, tokenizer: &Tokenizer, texts: &[&str]) -> Result<Vec<Option<String>>> {
    let Pair { open, close, .. } = &tokenizer.pair;
    let mut prompts = Vec::with_capacity(texts.len());
    let mut lengths = Vec::with_capacity(texts.len());
    for text in texts {
        let ids = tokenizer.encode(text)?;
        lengths.push(ids.len());
        prompts.push([open, &ids[..], close].concat());
    }
    let stop = Stop {
        // Nothing that is no text is part of an answer.
        ends: tokenizer.special().to_vec(),
        // One more than a copy has, so that a copy can end; what others are longer changes no answer.
        length: lengths.iter().copied().max().unwrap_or(0) + 1,
        repeats: Some(REPEATS),
    };
    let fits = |i: &usize| prompts[*i].len() + lengths[*i] < decoder.context();
    let asked: Vec<usize> = (0..texts.len()).filter(fits).collect();
    let rows: Vec<&[u32]> = asked.iter().map(|i| &prompts[*i][..]).collect();
    let mut written = vec![None; texts.len()];
    for (i, answer) in asked
        .into_iter()
        .zip(decode::greedy(decoder, &rows, &stop, BATCH)?)
    {
        if answer.ended == Ended::Turn && answer.ids.len() <= lengths[i] {
            written[i] = Some(tokenizer.decode(&answer.ids)?.trim().to_owned());
        }
    }
    Ok(written)
}
