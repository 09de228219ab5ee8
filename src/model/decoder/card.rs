//! A decoder on a card: the same network as [`super::llama`], of candle's operations alone, and as many of them however many rows it reads.
//!
//! Products are over the tokens of all rows, one after the other. Keys and values of all texts stand in one pool a layer, in slots: a pass
//! writes those of its tokens side by side, and a row's cache is no more than the list of its slots. Attention gathers by that list, padded
//! to the longest row. The pool is given out anew when no cache has slots, so callers take turns. Adapters are added to the weights once,
//! and all heads turn by halves. What the card's memory does not hold together is halved.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Module, Result as Computed, Tensor};
use candle_nn::Linear;
use candle_nn::ops::{rms_norm, softmax_last_dim};
use candle_nn::rotary_emb::rope_thd;

use super::adapter::LowRank;
use super::config::Config;
use super::llama::Llama;
use super::passes::in_passes;
use super::tensors::{Linear as Product, Spread};
use crate::decode::{Decoder, Row};
use crate::error::{Error, Result};
use crate::kernel::{Activation, Pairs};
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
    /// Held by every cache that has slots.
    used: Arc<()>,
    /// Of those who keep caches.
    turn: Mutex<()>,
    warned: AtomicBool,
}

/// A row's slots of the pool, in the order of its tokens.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    slots: Vec<u32>,
    used: Option<Arc<()>>,
}

struct Layer {
    kind: usize,
    attention_norm: Tensor,
    query_key_value: Linear,
    head_norms: Option<[Tensor; 2]>,
    attention_out: Linear,
    norm: Tensor,
    gate_up: Linear,
    down: Linear,
    out_norms: Option<[Tensor; 2]>,
}

/// Keys and values of each layer, `[slots][heads of keys · width]`.
#[derive(Default)]
struct Pool {
    layers: Vec<[Tensor; 2]>,
    /// Slots that there are, and that have been given out.
    slots: usize,
    given: usize,
}

/// Tokens of a pass at most.
pub const TOKENS: usize = 8192;
/// And at least: a step of many rows that was too much says little of prompts.
const LEAST: usize = 512;
/// Slots of the first pool.
const SLOTS: usize = 4096;

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
            used: Arc::new(()),
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
        let first = pool.room(self, count)?;
        let batch = Batch::new(self, rows, first)?;
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
        pool.given = first + count;
        let mut slot = first as u32;
        let mut logits: &[f32] = &logits;
        let each = rows.iter_mut().map(|row| {
            row.cache.used.get_or_insert_with(|| self.used.clone());
            let after = slot + row.ids.len() as u32;
            row.cache.slots.extend(slot..after);
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
            self.config.take(row.cache.slots.len(), row.ids)?;
        }
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = self.most.load(Ordering::Relaxed);
        let logits = in_passes(rows, tokens, |rows| self.pass(&mut pool, rows));
        // Each thread has its own queue on a card: what nobody has waited for is done before another thread comes.
        self.card.device.synchronize()?;
        let logits = logits?;
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

/// Tokens of a row with those before.
fn length(row: &Row<'_, Cache>) -> usize {
    row.cache.slots.len() + row.ids.len()
}

/// The most new tokens of a row, and the most with those before.
fn lengths(rows: &[Row<'_, Cache>]) -> (usize, usize) {
    let most = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
    (most, rows.iter().map(length).max().unwrap_or(0))
}

impl Pool {
    /// Makes room for `count` more tokens, and says where; all anew where no cache has any.
    fn room(&mut self, decoder: &OnCard, count: usize) -> Computed<usize> {
        if Arc::strong_count(&decoder.used) == 1 {
            self.given = 0;
        }
        let needed = self.given + count;
        if needed <= self.slots {
            return Ok(self.given);
        }
        if self.given == 0 {
            // Nothing is kept, so that the old need not stand beside the new.
            (self.layers, self.slots) = (Vec::new(), 0);
        }
        let heads = decoder.config.heads;
        let slots = needed.max(2 * self.slots).max(SLOTS);
        let shape = (slots, heads.keys * heads.width);
        if slots * shape.1 > u32::MAX as usize {
            candle_core::bail!(
                "out of memory: {slots} tokens have more keys than candle's kernels count"
            );
        }
        let grown = |old: Option<&Tensor>| -> Computed<Tensor> {
            let new = Tensor::zeros(shape, decoder.card.dtype, &decoder.card.device)?;
            if let Some(old) = old {
                new.slice_set(&old.narrow(0, 0, self.given)?, 0, 0)?;
            }
            Ok(new)
        };
        // A layer after the other: larger ones do no harm where a later one fails.
        for i in 0..decoder.layers.len() {
            let old = self.layers.get(i);
            let layer = [
                grown(old.map(|[keys, _]| keys))?,
                grown(old.map(|[_, values]| values))?,
            ];
            match self.layers.get_mut(i) {
                Some(place) => *place = layer,
                None => self.layers.push(layer),
            }
        }
        self.slots = slots;
        Ok(self.given)
    }
}

/// What all layers need to know of the rows of a pass.
struct Batch {
    rows: usize,
    /// New tokens of each row, padded, and all of its tokens, padded.
    most: usize,
    longest: usize,
    /// Where each row's new tokens stand among all, `[rows · most]`, and each of all in that; nothing where rows have equally many.
    padded: Option<[Tensor; 2]>,
    /// The slots of each row's tokens, `[rows · longest]`.
    slots: Tensor,
    /// What is added to the scores of each kind of layer, `[rows][1][most][longest]`.
    masks: Vec<Tensor>,
    /// Cosines and sines of each kind of layer, `[tokens][pairs]`.
    turns: Vec<Option<[Tensor; 2]>>,
}

impl Batch {
    fn new(decoder: &OnCard, rows: &[Row<'_, Cache>], first: usize) -> Computed<Self> {
        let (device, dtype) = (&decoder.card.device, decoder.card.dtype);
        let (most, longest) = lengths(rows);
        let cells = rows.len() * most;
        let (mut padded, mut packed) = (Vec::with_capacity(cells), Vec::new());
        let mut slots = Vec::with_capacity(rows.len() * longest);
        let mut positions = Vec::new();
        let mut token = 0;
        for (i, row) in rows.iter().enumerate() {
            let (before, new) = (row.cache.slots.len(), row.ids.len());
            let at = (first + token) as u32;
            slots.extend(&row.cache.slots);
            slots.extend(at..at + new as u32);
            // Padding reads any slot that has been written, and is masked.
            slots.resize((i + 1) * longest, first as u32);
            padded.extend(token as u32..(token + new) as u32);
            padded.resize((i + 1) * most, 0);
            packed.extend((i * most) as u32..(i * most + new) as u32);
            positions.extend(before..before + new);
            token += new;
        }
        let masks = decoder.config.kinds.iter().map(|kind| {
            let mut mask = vec![f32::NEG_INFINITY; cells * longest];
            for (row, mask) in rows.iter().zip(mask.chunks_exact_mut(most * longest)) {
                let before = row.cache.slots.len();
                for (i, line) in mask.chunks_exact_mut(longest).enumerate() {
                    // Padded queries see what the last one does: no line may be all −∞.
                    let last = i.min(row.ids.len().saturating_sub(1));
                    let end = (before + last + 1).min(longest);
                    let start = kind.window.map_or(0, |window| end.saturating_sub(window));
                    line[start..end].fill(0.0);
                }
            }
            let mask = Tensor::from_vec(mask, (rows.len(), 1, most, longest), device)?;
            mask.to_dtype(dtype)
        });
        let turns = decoder.config.kinds.iter().map(|kind| {
            let Some(rotary) = &kind.rotary else {
                return Ok(None);
            };
            let pairs = rotary.frequencies.len();
            let angles = positions
                .iter()
                .flat_map(|at| rotary.frequencies.iter().map(move |f| *at as f32 * f));
            let (cos, sin): (Vec<f32>, Vec<f32>) = angles
                .map(|angle| (angle.cos() * rotary.scale, angle.sin() * rotary.scale))
                .unzip();
            let tensor = |values| {
                Tensor::from_vec(values, (positions.len(), pairs), device)?.to_dtype(dtype)
            };
            Ok(Some([tensor(cos)?, tensor(sin)?]))
        });
        let (masks, turns) = (
            masks.collect::<Computed<_>>()?,
            turns.collect::<Computed<_>>()?,
        );
        Ok(Self {
            rows: rows.len(),
            most,
            longest,
            padded: match token == cells {
                true => None,
                false => Some([
                    Tensor::from_vec(padded, cells, device)?,
                    Tensor::from_vec(packed, token, device)?,
                ]),
            },
            slots: Tensor::from_vec(slots, rows.len() * longest, device)?,
            masks,
            turns,
        })
    }
}

impl Layer {
    /// The states `[tokens][width]` after the layer; keys and values go into its part of the pool.
    fn forward(
        &self,
        x: &Tensor,
        kept: &[Tensor; 2],
        first: usize,
        batch: &Batch,
        config: &Config,
    ) -> Computed<Tensor> {
        let eps = config.eps;
        let normed = rms_norm(x, &self.attention_norm, eps)?;
        let attended = self.attend(&normed, kept, first, batch, config)?;
        let mut more = self.attention_out.forward(&attended)?;
        if let Some([after_attention, _]) = &self.out_norms {
            more = rms_norm(&more, after_attention, eps)?;
        }
        let x = (x + more)?;
        let both = self.gate_up.forward(&rms_norm(&x, &self.norm, eps)?)?;
        let gate = both.narrow(1, 0, config.inner)?.contiguous()?;
        let up = both.narrow(1, config.inner, config.inner)?.contiguous()?;
        let gate = match config.gate {
            Activation::Relu => gate.relu()?,
            Activation::Gelu => gate.gelu_erf()?,
            Activation::GeluTanh => gate.gelu()?,
            Activation::Silu => gate.silu()?,
        };
        let mut more = self.down.forward(&(gate * up)?)?;
        if let Some([_, after_all]) = &self.out_norms {
            more = rms_norm(&more, after_all, eps)?;
        }
        x + more
    }

    /// What each token takes from those before it and itself, `[tokens][heads of queries · width]`.
    fn attend(
        &self,
        normed: &Tensor,
        [kept_keys, kept_values]: &[Tensor; 2],
        first: usize,
        batch: &Batch,
        config: &Config,
    ) -> Computed<Tensor> {
        let (heads, eps) = (config.heads, config.eps);
        let tokens = normed.dim(0)?;
        let (own, shared) = (heads.queries * heads.width, heads.keys * heads.width);
        let all = self.query_key_value.forward(normed)?;
        let part = |from: usize, count: usize| {
            let part = all.narrow(1, from * heads.width, count * heads.width)?;
            part.contiguous()?.reshape((1, tokens, count, heads.width))
        };
        let mut queries = part(0, heads.queries)?;
        let mut keys = part(heads.queries, heads.keys)?;
        let values = part(heads.queries + heads.keys, heads.keys)?;
        if let Some([query_norm, key_norm]) = &self.head_norms {
            queries = rms_norm(&queries, query_norm, eps)?;
            keys = rms_norm(&keys, key_norm, eps)?;
        }
        if let Some([cos, sin]) = &batch.turns[self.kind] {
            queries = turned(&queries, cos, sin)?;
            keys = turned(&keys, cos, sin)?;
        }
        kept_keys.slice_set(&keys.reshape((tokens, shared))?, 0, first)?;
        kept_values.slice_set(&values.reshape((tokens, shared))?, 0, first)?;

        // Each head of keys serves a group of queries, which stand side by side in its product.
        let group = heads.queries / heads.keys;
        let (rows, most, longest) = (batch.rows, batch.most, batch.longest);
        let queries = (queries.reshape((tokens, own))? * f64::from(heads.scale))?;
        let queries = match &batch.padded {
            Some([padded, _]) => queries.index_select(padded, 0)?,
            None => queries,
        };
        let queries = queries.reshape((rows, most, heads.keys, group, heads.width))?;
        let queries = queries.permute((0, 2, 3, 1, 4))?.contiguous()?;
        let queries = queries.reshape((rows, heads.keys, group * most, heads.width))?;
        let of = |kept: &Tensor| {
            let kept = kept.index_select(&batch.slots, 0)?;
            let kept = kept.reshape((rows, longest, heads.keys, heads.width))?;
            kept.transpose(1, 2)?.contiguous()
        };
        // In one expression, so that of these, the largest there are, no more than two are kept at a time.
        let scores = softmax_last_dim(
            &queries
                .matmul(&of(kept_keys)?.t()?)?
                .reshape((rows, heads.queries, most, longest))?
                .broadcast_add(&batch.masks[self.kind])?,
        )?;
        let scores = scores.reshape((rows, heads.keys, group * most, longest))?;
        let attended = scores.matmul(&of(kept_values)?)?;
        let attended = attended.reshape((rows, heads.keys, group, most, heads.width))?;
        let attended = attended.permute((0, 3, 1, 2, 4))?.contiguous()?;
        let attended = attended.reshape((rows * most, own))?;
        match &batch.padded {
            Some([_, packed]) => attended.index_select(packed, 0),
            None => Ok(attended),
        }
    }
}

/// Heads `[1][tokens][heads][width]` turned by their positions; numbers beyond the pairs stay as they are.
fn turned(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Computed<Tensor> {
    let (width, turned) = (x.dim(3)?, 2 * cos.dim(1)?);
    if width == turned {
        return rope_thd(x, cos, sin);
    }
    let first = rope_thd(&x.narrow(3, 0, turned)?.contiguous()?, cos, sin)?;
    Tensor::cat(&[first, x.narrow(3, turned, width - turned)?], 3)
}

/// Brings weights onto the card.
struct Loader<'a> {
    card: &'a Card,
    /// The width of heads whose pairs are neighbours, and are to be halves.
    halves: Option<usize>,
}

type Beside<'a> = Option<&'a LowRank>;

impl Loader<'_> {
    fn tensor(&self, values: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
        let tensor = Tensor::from_vec(values, shape, &self.card.device)?;
        Ok(tensor.to_dtype(self.card.dtype)?)
    }

    fn vector(&self, values: &[f32]) -> Result<Tensor> {
        self.tensor(values.to_vec(), &[values.len()])
    }

    fn linear(&self, layer: &Product, beside: Beside<'_>) -> Result<Linear> {
        self.stack(vec![layer.spread()?], [(beside, false)])
    }

    /// Layers side by side as one, each with what an adapter adds to it, and whether its heads are to be turned by halves.
    fn stack<const N: usize>(
        &self,
        layers: Vec<Spread>,
        more: [(Beside<'_>, bool); N],
    ) -> Result<Linear> {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        let mut inputs = 0;
        for (layer, (beside, turned)) in layers.into_iter().zip(more) {
            let (mut weight, mut bias) = (layer.weight, layer.bias);
            inputs = layer.inputs;
            if let Some(beside) = beside {
                beside.add_to(&mut weight);
            }
            if let Some(width) = self.halves.filter(|_| turned) {
                weight = in_halves(&weight, width, inputs);
                bias = bias.map(|bias| in_halves(&bias, width, 1));
            }
            weights.extend(weight);
            biases.extend(bias.unwrap_or_default());
        }
        let bias = match biases.len() {
            0 => None,
            count => Some(self.tensor(biases, &[count])?),
        };
        let outputs = weights.len() / inputs.max(1);
        Ok(Linear::new(self.tensor(weights, &[outputs, inputs])?, bias))
    }
}

/// Rows of `columns` whose pairs within a head of `width` are neighbours, with those pairs in the two halves of it. What queries and keys
/// are products of stays the same.
fn in_halves(rows: &[f32], width: usize, columns: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(rows.len());
    for head in rows.chunks_exact(width * columns) {
        for half in 0..2 {
            let row = |i: usize| &head[(2 * i + half) * columns..][..columns];
            (0..width / 2).for_each(|i| out.extend_from_slice(row(i)));
        }
    }
    out
}

#[cfg(test)]
mod tests;
