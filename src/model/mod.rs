//! The only user of candle: a model is loaded here, and tensors stop here. Plain token ids go in, plain floats come out.
//!
//! [`Model::load`] takes a model's [`Files`], a [`Place`] and an [`Engine`]: a device enters by that seam, an architecture by a
//! file of its own that implements [`Encoder`], which `load.rs` picks. Here is what a loaded model does: read windows.

pub mod decoder;
pub mod manifest;
pub mod seq2seq;
pub mod store;

mod alone;
mod bert;
mod classifier;
mod config;
mod deberta;
mod device;
mod fake;
mod head;
mod load;
mod modernbert;
mod ops;
mod padded;
mod reference;
mod rewriter;
mod tokenizer;
mod weights;

use std::ops::Range;

use rayon::prelude::*;

pub use self::device::{Device, Dtype, Place};
pub use self::manifest::Manifest;
pub use self::rewriter::Rewriter;
pub use self::store::Files;
pub use self::tokenizer::Tokenizer;

use self::classifier::Classifier;
use self::decoder::Answers;
use self::device::Card;
use self::head::{Head, Pool};
use self::manifest::{Label, Task};
use crate::batch;
use crate::error::{Error, Result};

/// One input of the encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Token ids, special ones included.
    pub ids: Vec<u32>,
    /// How many of the first ids are the first segment (token type 0); the rest is the second (type 1), if the encoder tells them apart.
    pub first: usize,
    /// Token ranges of the sentences that are judged here.
    pub spans: Vec<Range<usize>>,
    /// Whether it is one of the windows that the article is read in; else it is a sentence of them again, or asks for the denial.
    pub article: bool,
    /// Share of the claim's own words that the text has: what an NLI head's *neutral* is split by.
    pub relevance: f32,
}

/// What the model says of one article and claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Stance logits in the order of [`Stance::ALL`](crate::Stance::ALL); their softmax are the probabilities.
    pub stance: [f32; 4],
    /// Evidence logit of each span, over all windows in order.
    pub evidence: Vec<f32>,
}

/// Turns windows into hidden states. A window's states depend on that window alone.
pub trait Encoder: Send + Sync {
    /// Hidden states `[tokens][width]` of all windows, one after the other, without padding.
    ///
    /// # Errors
    /// [`Error::Model`] when the device fails.
    fn encode(&self, windows: &[&Window]) -> Result<Vec<f32>>;

    /// Of each window the first token's state and the mean of each span's, `[1 + spans][width]`.
    ///
    /// # Errors
    /// [`Error::Model`] when the device fails.
    fn pooled(&self, windows: &[&Window]) -> Result<Vec<f32>> {
        let states = self.encode(windows)?;
        let width = states.len() / windows.iter().map(|w| w.ids.len()).sum::<usize>().max(1);
        let mut rest = &states[..];
        let mut rows = Vec::new();
        for window in windows {
            let (states, after) = rest.split_at(window.ids.len() * width);
            rows.extend(head::rows(window, states, width));
            rest = after;
        }
        Ok(rows)
    }

    /// What a person should hear of how it went; said once.
    fn warning(&self) -> Option<String> {
        None
    }
}

/// How to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// Our own, in 8 bits where the weights are.
    #[default]
    Native,
    /// Our own, in float whatever the weights are.
    Float,
    /// candle-transformers' BERT, in float and padded: slow, for comparison.
    Reference,
    /// No model at all: instant, deterministic, meaningless answers, for tests of the runner.
    Fake,
}

/// The size of an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Layers.
    pub layers: usize,
    /// Width of a token's state.
    pub width: usize,
    /// Width between the two products of the feed-forward part.
    pub inner: usize,
    /// Whether the layers' products are computed in 8 bits; else in float.
    pub int8: bool,
    /// Bytes of a weight of the layers.
    pub weight: usize,
}

/// A loaded model.
pub struct Model {
    manifest: Manifest,
    tokenizer: Tokenizer,
    network: Network,
    engine: Engine,
    /// What it computes on, if not the CPU.
    card: Option<Card>,
    note: Option<String>,
}

enum Network {
    /// An encoder under heads of our own, which read all windows of an article together.
    Stance {
        encoder: Box<dyn Encoder>,
        head: Head,
        shape: Shape,
    },
    /// An encoder under a sequence classifier's head, which reads each window by itself.
    Classifier {
        encoder: Box<dyn Encoder>,
        head: Classifier,
        width: usize,
    },
    /// A decoder that is asked for one of four answers after each window.
    Decoder(Box<Answers>),
    Fake,
}

/// How an article has to be laid out for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// In windows that open with claim and title.
    Windows,
    /// In pieces that are read by themselves, each beside the claim.
    Pieces {
        /// Whether the text stands before the claim.
        text_first: bool,
        /// Whether an NLI head reads them, whose *neutral* is split by what text and claim share.
        nli: bool,
        /// Whether each piece is followed by the same with the claim denied.
        denied: bool,
        /// Whether each sentence is a piece too.
        sentences: bool,
    },
}

impl Model {
    /// The GPU that it computes on, and in what numbers; `None` is the CPU.
    pub fn gpu(&self) -> Option<&str> {
        self.card.as_ref().map(|card| &card.name[..])
    }

    /// How it computes: other arithmetic may give other last digits.
    pub fn arithmetic(&self) -> String {
        match &self.card {
            Some(card) => format!("{} on a GPU", card.dtype.as_str()),
            None => format!("{:?}", self.engine).to_lowercase(),
        }
    }

    /// What there is to say about where it computes: which GPU opened, or why none did where one could have.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// What a person should hear of how computing went; said once.
    pub fn warning(&self) -> Option<String> {
        match &self.network {
            Network::Stance { encoder, .. } | Network::Classifier { encoder, .. } => {
                encoder.warning()
            }
            Network::Decoder(answers) => answers.warning(),
            Network::Fake => None,
        }
    }

    /// Operations and bytes a second of the GPU at its best, measured now; `None` on the CPU.
    ///
    /// # Errors
    /// [`Error::Model`] when the device fails.
    pub fn peaks(&self) -> Result<Option<(f64, f64)>> {
        let peaks = self.card.as_ref().map(|card| card.peaks(device::PEAK_SIDE));
        Ok(peaks.transpose()?)
    }

    /// What the model is.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The size of an encoder under heads of our own, for counting what it computes.
    pub fn shape(&self) -> Option<Shape> {
        match self.network {
            Network::Stance { shape, .. } => Some(shape),
            Network::Classifier { .. } | Network::Decoder(_) | Network::Fake => None,
        }
    }

    /// How articles have to be laid out.
    pub fn layout(&self) -> Layout {
        match &self.network {
            Network::Stance { .. } | Network::Fake => Layout::Windows,
            Network::Classifier { head, .. } => Layout::Pieces {
                text_first: self.manifest.task == Task::Nli,
                nli: self.manifest.task == Task::Nli,
                denied: head.questions() > 1,
                sentences: true,
            },
            Network::Decoder(answers) => Layout::Pieces {
                text_first: answers.text_first,
                nli: false,
                denied: false,
                sentences: false,
            },
        }
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Hidden states `[tokens][width]` of the encoder for all windows, one after the other; the fake model has none.
    ///
    /// # Errors
    /// [`Error::Model`] when the device fails.
    pub fn encode(&self, windows: &[&Window]) -> Result<Vec<f32>> {
        match &self.network {
            Network::Stance { encoder, .. } | Network::Classifier { encoder, .. }
                if !windows.is_empty() =>
            {
                encoder.encode(windows)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// What a classifier's head says of each window, in the order of the manifest's labels; other models have no such head.
    ///
    /// # Errors
    /// [`Error::Model`] when the device fails, or the numbers overflow.
    pub fn logits(&self, windows: &[&Window], tokens: usize) -> Result<Vec<Vec<f32>>> {
        let mut logits = Vec::with_capacity(windows.len());
        if let Network::Classifier {
            encoder,
            head,
            width,
        } = &self.network
        {
            in_batches(windows, tokens, &mut |batch: &[&Window]| {
                let all = head.reads_all();
                let states = match all {
                    true => encoder.encode(batch)?,
                    false => encoder.pooled(batch)?,
                };
                let mut rest = &states[..];
                for window in batch {
                    let rows = if all {
                        window.ids.len()
                    } else {
                        1 + window.spans.len()
                    };
                    let (states, after) = rest.split_at(rows * width);
                    logits.push(head.logits(states));
                    rest = after;
                }
                Ok(())
            })?;
        }
        logits.iter().try_for_each(|logits| finite(logits))?;
        Ok(logits)
    }

    /// Reads a batch: each item is the windows of one article and claim.
    ///
    /// At most about `tokens` tokens are in the encoder at once, however long an article is; that never changes a result.
    ///
    /// # Errors
    /// [`Error::Model`] when the device fails, or the numbers overflow.
    pub fn read(&self, articles: &[&[Window]], tokens: usize) -> Result<Vec<Reading>> {
        let windows: Vec<&Window> = articles.iter().copied().flatten().collect();
        match &self.network {
            Network::Stance {
                encoder,
                head,
                shape: Shape { width, .. },
            } => {
                let mut articles_of = (0..)
                    .zip(articles)
                    .flat_map(|(article, windows)| windows.iter().map(move |_| article));
                let mut pools: Vec<Pool> = articles.iter().map(|_| Pool::new(*width)).collect();
                in_batches(&windows, tokens, &mut |batch: &[&Window]| {
                    let rows = encoder.pooled(batch)?;
                    let mut rest = &rows[..];
                    for window in batch {
                        let (rows, after) = rest.split_at((1 + window.spans.len()) * width);
                        if let Some(article) = articles_of.next() {
                            head.pool(rows, &mut pools[article]);
                        }
                        rest = after;
                    }
                    Ok(())
                })?;
                let readings = pools.into_par_iter().map(|pool| {
                    let reading = self.named(head.read(pool));
                    finite(&reading.stance)?;
                    finite(&reading.evidence)?;
                    Ok(reading)
                });
                readings.collect()
            }
            Network::Classifier { head, .. } => {
                let logits = self.logits(&windows, tokens)?;
                let mut rest = &logits[..];
                Ok(articles
                    .iter()
                    .map(|windows| {
                        let (logits, after) = rest.split_at(windows.len());
                        rest = after;
                        head.read(windows, logits)
                    })
                    .collect())
            }
            Network::Decoder(answers) => answers.read(articles, tokens),
            Network::Fake => Ok(articles
                .iter()
                .map(|windows| self.named(fake::read(windows)))
                .collect()),
        }
    }

    /// `reading` with its logits tempered, and in the order of [`Stance::ALL`](crate::Stance::ALL) instead of the manifest's.
    fn named(&self, reading: Reading) -> Reading {
        let mut stance = [0f32; 4];
        for (label, logit) in self.manifest.labels.iter().zip(reading.stance) {
            if let Label::Stance(label) = label {
                stance[*label as usize] = logit / self.manifest.temperature;
            }
        }
        Reading { stance, ..reading }
    }
}

/// Refuses what is no number: an answer made of it would look like any other. Logits tell of the layers below them: what computes them
/// makes no number of NaN.
fn finite(logits: &[f32]) -> Result<()> {
    match logits.iter().all(|logit| logit.is_finite()) {
        true => Ok(()),
        false => Err(Error::Model(
            "its numbers overflow while it reads, so it has no answer: the weights are damaged, or need another arithmetic than 32-bit floats. \
             Fetch the model again, or name another"
                .to_owned(),
        )),
    }
}

/// Hands on windows in batches of at most about `tokens` tokens, in order.
fn in_batches(
    windows: &[&Window],
    tokens: usize,
    read: &mut dyn FnMut(&[&Window]) -> Result<()>,
) -> Result<()> {
    let costs = windows.iter().map(|window| window.ids.len());
    let mut batches = batch::by_budget(costs, tokens).into_iter();
    batches.try_for_each(|range| read(&windows[range]))
}

impl From<candle_core::Error> for Error {
    fn from(e: candle_core::Error) -> Self {
        Self::Model(format!("the model's computation failed: {e}"))
    }
}
