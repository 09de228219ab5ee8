//! A decoder on a card: the same network as [`super::llama`], of candle's operations alone, and as many of them however many rows it reads.
//!
//! Products are over the tokens of all rows, one after the other ([`layer`]); attention gathers keys and values from one [`pool`] by lists
//! ([`batch`]), padded to the longest row. What the card's memory does not hold together is halved.

mod batch;
mod layer;
mod load;
mod pool;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Module, Result as Computed, Tensor};
use candle_nn::Linear;
use candle_nn::ops::rms_norm;

pub use self::pool::Cache;

use self::batch::{Batch, length, lengths};
use self::layer::Layer;
use self::load::Loader;
use self::pool::Pool;
use super::config::Config;
use super::llama::Llama;
use super::passes::in_passes;
use crate::decode::{Decoder, Row};
use crate::error::{Error, Result};
use crate::kernel::Pairs;
use crate::model::device::{Card, out_of_memory};

/// The decoder.
pub struct OnCard {
    card: Card,
    config: Config,
    words: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    /// What tells the next word: the table of words, where there is nothing else.
    output: Linear,
    /// Tokens that are read at once: what was found to fit the card's memory.
    most: AtomicUsize,
    /// Keys and values; who holds them computes, so that a card does one thing at a time.
    pool: Mutex<Pool>,
    /// See [`Decoder::turn`].
    turn: Mutex<()>,
    warned: AtomicBool,
}

/// Tokens of a pass at most.
pub const TOKENS: usize = 8192;
/// And at least: a step of many rows that was too much says little of prompts.
const LEAST: usize = 512;

impl OnCard {
    /// Brings a decoder onto the card.
    ///
    /// # Errors
    /// [`Error::Model`] when the card fails: most often its memory is too small.
    pub fn new(decoder: &Llama, card: Card) -> Result<Self> {
        let config = decoder.config.clone();
        let heads = config.heads;
        let loader = Loader {
            card: &card,
            halves: (config.pairs == Pairs::Neighbours).then_some(heads.width),
        };
        let layers = decoder.layers.iter().map(|layer| {
            let beside = &layer.adapter;
            let norms = |norms: &Option<[Vec<f32>; 2]>| -> Result<Option<[Tensor; 2]>> {
                let Some([first, second]) = norms else {
                    return Ok(None);
                };
                Ok(Some([loader.vector(first)?, loader.vector(second)?]))
            };
            let turned = loader.halves.is_some();
            let query_key_value = [
                (beside.query.as_ref(), turned),
                (beside.key.as_ref(), turned),
                (beside.value.as_ref(), false),
            ];
            let gate_up = [(beside.gate.as_ref(), false), (beside.up.as_ref(), false)];
            Ok(Layer {
                kind: layer.kind,
                attention_norm: loader.vector(&layer.attention_norm)?,
                query_key_value: loader.stack(layer.query_key_value.spread()?, query_key_value)?,
                head_norms: norms(&layer.head_norms)?,
                attention_out: loader
                    .linear(&layer.attention_out, beside.attention_out.as_ref())?,
                norm: loader.vector(&layer.norm)?,
                gate_up: loader.stack(layer.gate_up.spread()?, gate_up)?,
                down: loader.linear(&layer.down, beside.down.as_ref())?,
                out_norms: norms(&layer.out_norms)?,
            })
        });
        let words = loader.linear(&decoder.words, None)?;
        let on_card = Self {
            layers: layers.collect::<Result<_>>()?,
            norm: loader.vector(&decoder.norm)?,
            output: match &decoder.output {
                Some(output) => loader.linear(output, None)?,
                None => words.clone(),
            },
            words: words.weight().clone(),
            most: AtomicUsize::new(TOKENS),
            pool: Mutex::default(),
            turn: Mutex::default(),
            warned: AtomicBool::new(false),
            config,
            card,
        };
        on_card.card.device.synchronize()?;
        Ok(on_card)
    }

    /// Tokens of the vocabulary.
    pub fn words(&self) -> usize {
        self.config.words
    }

    /// What a person should hear of how computing went; said once.
    pub fn warning(&self) -> Option<String> {
        let most = self.most.load(Ordering::Relaxed);
        let news = most < TOKENS && !self.warned.swap(true, Ordering::Relaxed);
        news.then(|| {
            format!(
                "{}: its memory is full, so the decoder reads {most} tokens at once, not {TOKENS}",
                self.card.name
            )
        })
    }

    /// All rows' tokens at once; in halves where that is too much.
    fn pass(&self, pool: &mut Pool, rows: &mut [Row<'_, Cache>]) -> Result<Vec<Vec<f32>>> {
        let divisible = rows.len() > 1 || rows.iter().any(|row| row.ids.len() > 1);
        if divisible && self.is_too_much(rows) {
            return self.in_halves(pool, rows);
        }
        match self.compute(pool, rows) {
            Err(error) if divisible && out_of_memory(&error) => {
                let padded = rows.len() * lengths(rows).0;
                self.most
                    .fetch_min((padded / 2).max(LEAST), Ordering::Relaxed);
                self.in_halves(pool, rows)
            }
            computed => Ok(computed?),
        }
    }

    /// Half of the rows after the other half, or of one row's tokens.
    fn in_halves(&self, pool: &mut Pool, rows: &mut [Row<'_, Cache>]) -> Result<Vec<Vec<f32>>> {
        let [row] = rows else {
            let (first, second) = rows.split_at_mut(rows.len() / 2);
            let mut logits = self.pass(pool, first)?;
            logits.extend(self.pass(pool, second)?);
            return Ok(logits);
        };
        let mut logits = Vec::new();
        let (first, second) = row.ids.split_at(row.ids.len() / 2);
        let asked = row.asked.min(row.ids.len());
        for (ids, asked) in [
            (first, asked.saturating_sub(second.len())),
            (second, asked.min(second.len())),
        ] {
            let part = Row {
                ids,
                cache: &mut *row.cache,
                asked,
            };
            logits.extend(self.pass(pool, &mut [part])?.into_iter().flatten());
        }
        Ok(vec![logits])
    }

    /// Whether the rows, padded, have more cells than candle's kernels count, or are mostly padding.
    fn is_too_much(&self, rows: &[Row<'_, Cache>]) -> bool {
        let heads = self.config.heads;
        let (most, longest) = lengths(rows);
        let (padded, gathered) = (rows.len() * most, rows.len() * longest);
        let cells = (padded * longest * heads.queries).max(gathered * heads.keys * heads.width);
        let all: usize = rows.iter().map(length).sum();
        cells > i32::MAX as usize
            || padded > 2 * self.most.load(Ordering::Relaxed)
            || rows.len() > 1 && gathered > 2 * all + TOKENS
    }

    fn compute(&self, pool: &mut Pool, rows: &mut [Row<'_, Cache>]) -> Computed<Vec<Vec<f32>>> {
        let device = &self.card.device;
        let ids: Vec<u32> = rows.iter().flat_map(|row| row.ids).copied().collect();
        let count = ids.len();
        if count == 0 {
            return Ok(vec![Vec::new(); rows.len()]);
        }
        let first = pool.room(count, self.layers.len(), self.config.heads, &self.card)?;
        let batch = Batch::new(rows, first, &self.config, &self.card)?;
        let ids = Tensor::from_vec(ids, count, device)?;
        let mut x = self.words.index_select(&ids, 0)?;
        if let Some(scale) = self.config.word_scale {
            x = (x * f64::from(scale))?;
        }
        for (layer, kept) in self.layers.iter().zip(&pool.layers) {
            x = layer.forward(&x, kept, first, &batch, &self.config)?;
        }
        // Words are told after the tokens that were asked about alone.
        let mut asked = Vec::new();
        let mut end = 0;
        for row in rows.iter() {
            end += row.ids.len() as u32;
            asked.extend(end - row.asked.min(row.ids.len()) as u32..end);
        }
        let logits = match asked.len() {
            0 => Vec::new(),
            count => {
                let asked = Tensor::from_vec(asked, count, device)?;
                let states = x.index_select(&asked, 0)?;
                let states = rms_norm(&states, &self.norm, self.config.eps)?;
                let logits = self.output.forward(&states)?.to_dtype(DType::F32)?;
                logits.flatten_all()?.to_vec1()?
            }
        };
        // All went well: the slots are the rows'.
        let mut slot = first;
        let mut logits: &[f32] = &logits;
        let each = rows.iter_mut().map(|row| {
            let after = slot + row.ids.len();
            pool.give(slot..after, row.cache);
            slot = after;
            let (own, rest) = logits.split_at(row.asked.min(row.ids.len()) * self.config.words);
            logits = rest;
            own.to_vec()
        });
        Ok(each.collect())
    }
}

impl Decoder for OnCard {
    type Cache = Cache;

    fn context(&self) -> usize {
        self.config.context
    }

    fn cache(&self) -> Cache {
        Cache::default()
    }

    fn length(&self, cache: &Cache) -> usize {
        cache.slots.len()
    }

    fn truncate(&self, cache: &mut Cache, length: usize) {
        cache.slots.truncate(length);
    }

    fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        Some(self.turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn forward(&self, rows: &mut [Row<'_, Cache>]) -> Result<Vec<Vec<f32>>> {
        for row in rows.iter() {
            self.config.check(row.cache.slots.len(), row.ids)?;
        }
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = self.most.load(Ordering::Relaxed);
        let logits = in_passes(rows, tokens, |rows| self.pass(&mut pool, rows));
        // Each thread has its own queue on a card: what nobody has waited for is done before another thread comes.
        let waited = self.card.device.synchronize();
        let logits = logits?;
        waited?;
        match logits.iter().flatten().all(|logit| logit.is_finite()) {
            true => Ok(logits),
            false => Err(Error::Model(format!(
                "this model's numbers are too large for {} on {}: --dtype bf16 or f32 computes it",
                self.card.dtype.as_str(),
                self.card.name
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
