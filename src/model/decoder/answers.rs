//! A decoder as a reader of stance: how likely each of four answers is after the article and the claim. What it would say of its own is
//! never asked, so that nothing has to be understood.
//!
//! An answer's likelihood is that of all its tokens; the prompt is read once for all four. The shares of an article's windows become the
//! article's as those of a stance classifier do. Sentences are not asked about alone, because each would cost a prompt of its own: there is
//! no evidence.

use crate::batch;
use crate::decode::{Decoder, Row, no_number};
use crate::error::{Error, Result};
use crate::model::classifier;
use crate::model::device::Card;
use crate::model::manifest::{Label, Manifest};
use crate::model::store::Files;
use crate::model::tokenizer::{Marked, Pair, Tokenizer};
use crate::model::{Reading, Window};
use crate::stance::Stance;

use super::placed::Placed;
use super::prompt::{ANSWERS, QUESTION};

/// Tokens that a window leaves for text, at least.
const LEAST_TEXT: usize = 8;

/// A decoder, and the answers that it may give.
pub struct Answers {
    decoder: Placed,
    /// Tokens of each, in the order of [`Stance::ALL`].
    answers: [Vec<u32>; 4],
    temperature: f32,
    /// Whether the text stands before the claim.
    pub text_first: bool,
}

impl Answers {
    /// Loads a decoder, onto the card if there is one, and the tokenizer that lays texts out for it.
    ///
    /// # Errors
    /// [`Error::Model`] that names what is missing or does not fit, and what to do.
    pub fn load(files: &Files, card: Option<Card>) -> Result<(Self, Tokenizer)> {
        let manifest = &files.manifest;
        let (decoder, words, template) = super::open(files, card)?;
        let prompt = manifest.prompt.as_ref();
        let question = prompt.and_then(|prompt| prompt.question.as_deref());
        let frame = template.frame(question.unwrap_or(QUESTION))?;
        let said = prompt.and_then(|prompt| prompt.answers.clone());
        // The manifest's are in the order of its labels.
        let said = match said {
            Some(said) => Stance::ALL.map(|stance| {
                let of = |label: &Label| *label == Label::Stance(stance);
                let at = manifest.labels.iter().position(of);
                at.and_then(|at| said.get(at)).cloned().unwrap_or_default()
            }),
            None => ANSWERS.map(str::to_owned),
        };
        let mut answers = Vec::with_capacity(4);
        let around = |marked: &Marked| {
            for answer in &said {
                answers.push(marked.encode(answer)?);
            }
            Ok(Pair {
                open: marked.encode(&frame.open)?,
                between: marked.encode(&frame.between)?,
                close: marked.encode(&frame.close)?,
                two_kinds: false,
            })
        };
        let tokenizer = Tokenizer::of_decoder(&words, decoder.words(), around)?;
        let answers: [Vec<u32>; 4] = std::array::from_fn(|i| answers[i].clone());
        tell_apart(&said, &answers)?;
        fits(manifest, &decoder, &tokenizer.pair, &answers)?;
        let answers = Self {
            decoder,
            answers,
            temperature: manifest.temperature,
            text_first: frame.text_first,
        };
        Ok((answers, tokenizer))
    }

    /// What a person should hear of how computing went; said once.
    pub fn warning(&self) -> Option<String> {
        self.decoder.warning()
    }

    /// Reads a batch: each item is the windows of one article and claim. At most about `tokens` tokens are read at once.
    ///
    /// # Errors
    /// [`Error::Model`] when the model's answer is no number, or as [`Decoder::forward`].
    pub fn read(&self, articles: &[&[Window]], tokens: usize) -> Result<Vec<Reading>> {
        let windows: Vec<&Window> = articles.iter().copied().flatten().collect();
        let mut shares = Vec::with_capacity(windows.len());
        let tokens = tokens.min(self.decoder.most());
        for range in batch::by_budget(windows.iter().map(|window| window.ids.len()), tokens) {
            shares.extend(self.shares(&windows[range])?);
        }
        let mut rest = shares.into_iter();
        let articles = articles.iter().map(|windows| Reading {
            stance: classifier::logarithms(classifier::pool(rest.by_ref().take(windows.len()))),
            evidence: Vec::new(),
        });
        Ok(articles.collect())
    }

    /// The four answers' shares after each window.
    fn shares(&self, windows: &[&Window]) -> Result<Vec<[f32; 4]>> {
        let _turn = self.decoder.turn();
        let mut caches: Vec<_> = windows.iter().map(|_| self.decoder.cache()).collect();
        let mut rows: Vec<Row<'_, _>> = windows
            .iter()
            .zip(&mut caches)
            .map(|(window, cache)| Row {
                ids: &window.ids,
                cache,
                asked: 1,
            })
            .collect();
        let first = self.decoder.forward(&mut rows)?;
        let mut sums: Vec<[f64; 4]> = Vec::with_capacity(windows.len());
        for logits in &first {
            let all = logarithm_of_all(logits);
            sums.push(std::array::from_fn(|i| {
                f64::from(logits[self.answers[i][0] as usize]) - all
            }));
        }
        for (i, answer) in self.answers.iter().enumerate() {
            let Some((_, rest)) = answer.split_first().filter(|(_, rest)| !rest.is_empty()) else {
                continue;
            };
            let mut rows: Vec<Row<'_, _>> = caches
                .iter_mut()
                .map(|cache| Row {
                    ids: &answer[..rest.len()],
                    cache,
                    asked: rest.len(),
                })
                .collect();
            let logits = self.decoder.forward(&mut rows)?;
            for (sums, logits) in sums.iter_mut().zip(&logits) {
                for (logits, next) in logits.chunks_exact(self.decoder.words()).zip(rest) {
                    sums[i] += f64::from(logits[*next as usize]) - logarithm_of_all(logits);
                }
            }
            // The next answer comes after the same prompt.
            for (cache, window) in caches.iter_mut().zip(windows) {
                self.decoder.truncate(cache, window.ids.len());
            }
        }
        let shares = sums.into_iter().map(|sums| {
            let logits = sums.map(|sum| sum / f64::from(self.temperature));
            let all = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let shares = logits.map(|logit| (logit - all).exp());
            let sum: f64 = shares.iter().sum();
            match sum.is_finite() {
                true => Ok(shares.map(|share| (share / sum) as f32)),
                false => Err(no_number()),
            }
        });
        shares.collect()
    }
}

/// The logarithm of the sum of what the logits stand for.
fn logarithm_of_all(logits: &[f32]) -> f64 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits
        .iter()
        .map(|logit| f64::from(logit - top).exp())
        .sum();
    f64::from(top) + sum.ln()
}

/// No two answers may begin alike: what follows could not be told from them.
fn tell_apart(said: &[String; 4], answers: &[Vec<u32>; 4]) -> Result<()> {
    for (i, answer) in answers.iter().enumerate() {
        let Some(first) = answer.first() else {
            return Err(Error::Model(format!(
                "the answer `{}` has no tokens",
                said[i]
            )));
        };
        if let Some(j) = (0..i).find(|j| answers[*j].first() == Some(first)) {
            return Err(Error::Model(format!(
                "the answers `{}` and `{}` begin with the same token: a manifest can name others (README, \"Models\")",
                said[j], said[i]
            )));
        }
    }
    Ok(())
}

/// Prompt, claim, some text and the longest answer have to find room.
fn fits(manifest: &Manifest, decoder: &Placed, pair: &Pair, answers: &[Vec<u32>; 4]) -> Result<()> {
    let longest = answers.iter().map(Vec::len).max().unwrap_or(0);
    let around = pair.open.len() + pair.between.len() + pair.close.len();
    let window = manifest.input.window;
    if window + longest > decoder.context() {
        return Err(Error::Model(format!(
            "the model reads {} tokens at most, which is less than the manifest's window of {window} and an answer",
            decoder.context()
        )));
    }
    if around + manifest.input.claim + LEAST_TEXT > window {
        return Err(Error::Model(format!(
            "a window of {window} tokens leaves no room for a text beside the prompt's {around} and a claim of {}",
            manifest.input.claim
        )));
    }
    Ok(())
}
