//! BERT and its kin on a card: the same network as [`super::bert`], of candle's operations alone.
//!
//! A card wants few, large operations, so windows of near-equal length are padded to one, and what is padded is masked ([`groups`]).
//! Every layer is then one product over all tokens of a group. What the heads read is picked on the card: the first state and a mean
//! a sentence are a few dozen times less to copy than all states, whose copy would take longer than their computing. A group that the
//! card's memory does not hold is halved, and groups are smaller from then on ([`halved`]).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Module, Result as Computed, Tensor};
use candle_nn::ops::softmax_last_dim;
use candle_nn::{LayerNorm, Linear};

use super::bert::Names;
use super::config::{Config, Family};
use super::device::{Card, out_of_memory};
use super::manifest::Architecture;
use super::weights::Weights;
use super::{Encoder, Window};
use crate::error::{Error, Result};

/// A group goes on through windows of any length until it has so many tokens: smaller ones would keep a card waiting for orders.
const LEAST_TOKENS: usize = 8192;
/// Then it ends before a window shorter than this share of its longest.
const NEAR: f64 = 7.0 / 8.0;
/// Lengths are rounded up to a multiple of this, to which tensor cores like rows to be aligned.
const ALIGNED: usize = 8;

/// The encoder.
pub struct Padded {
    card: Card,
    width: usize,
    heads: usize,
    words: Tensor,
    /// Positions with the first kind of segment added, then the same with the second.
    places: Tensor,
    positions: usize,
    /// The row of `places` for the first token.
    first: usize,
    two_kinds: bool,
    norm: LayerNorm,
    layers: Vec<Layer>,
    /// Tokens of a group at most, padding counted, so that candle's kernels can count the cells of the largest tensor in 31 bits …
    limit: usize,
    /// … and what was found to fit the card's memory.
    most: AtomicUsize,
    warned: AtomicBool,
    /// A card computes one thing at a time: cuBLAS's memory for sums is one for all threads.
    alone: Mutex<()>,
}

struct Layer {
    /// Query, key and value side by side; the query is divided by `√d`, so that scores need not be.
    qkv: Linear,
    attention_out: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    norm: LayerNorm,
}

/// Whether encoders of this architecture can be computed so.
pub fn computes(architecture: Architecture) -> bool {
    use Architecture::{Bert, Distilbert, Roberta, XlmRoberta};
    matches!(architecture, Bert | Roberta | XlmRoberta | Distilbert)
}

impl Padded {
    /// Takes the encoder's tensors, whose names begin with `prefix`, onto the card.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] that names the tensor, or says what the card fails with.
    pub fn load(weights: &Weights, prefix: &str, config: &Config, card: Card) -> Result<Self> {
        let loader = Loader {
            weights,
            config,
            card: &card,
        };
        let names = Names::of(config);
        let (width, positions) = (config.width, config.positions);
        let name = |part: &str| format!("{prefix}embeddings.{part}");
        let table = |part: &str, rows: usize| {
            weights.float(&name(&format!("{part}_embeddings.weight")), &[rows, width])
        };
        let words = name("word_embeddings.weight");
        let words = weights.matrix(&words, config.words, width)?.to_float(width);
        let alone = table("position", positions)?;
        let kinds = match config.types {
            0 => vec![0.0; width],
            kinds => table("token_type", kinds)?,
        };
        let two_kinds = kinds.len() > width;
        let mut places = Vec::with_capacity(alone.len() * 2);
        for kind in kinds.chunks_exact(width).take(2) {
            let row =
                |row: &[f32]| -> Vec<f32> { row.iter().zip(kind).map(|(p, k)| p + k).collect() };
            places.extend(alone.chunks_exact(width).flat_map(row));
        }
        let rows = places.len() / width;
        let layer = |i| loader.layer(&format!("{prefix}{}{i}", names.layer), &names);
        let scores = config.heads * positions.next_multiple_of(ALIGNED);
        let cells = config.inner.max(3 * width).max(scores);
        let limit = (i32::MAX as usize / cells).max(1);
        let padded = Self {
            width,
            heads: config.heads,
            words: loader.tensor(words, &[config.words, width])?,
            places: loader.tensor(places, &[rows, width])?,
            positions,
            first: match config.family {
                Family::Roberta { first } => first,
                _ => 0,
            },
            two_kinds,
            norm: loader.norm(&name("LayerNorm"))?,
            layers: (0..config.layers).map(layer).collect::<Result<_>>()?,
            limit,
            most: AtomicUsize::new(limit),
            warned: AtomicBool::new(false),
            alone: Mutex::default(),
            card,
        };
        // The weights are there before another thread asks for them.
        padded.card.device.synchronize()?;
        Ok(padded)
    }

    /// The states of `windows`, `[windows][length][width]`, padded.
    fn states(&self, windows: &[&Window]) -> Computed<Tensor> {
        let (count, length) = (windows.len(), padded_length(windows));
        let cells = |value: &dyn Fn(&Window, usize) -> u32| {
            let cells = windows.iter().flat_map(|w| {
                (0..length).map(move |at| if at < w.ids.len() { value(w, at) } else { 0 })
            });
            Tensor::from_vec(cells.collect(), count * length, &self.card.device)
        };
        let ids = cells(&|window, at| window.ids[at])?;
        let places = cells(&|window, at| {
            let kind = usize::from(self.two_kinds && at >= window.first);
            (kind * self.positions + self.first + at) as u32
        })?;
        let x = (self.words.index_select(&ids, 0)? + self.places.index_select(&places, 0)?)?;
        let mut x = self.norm.forward(&x)?;
        let mask = self.mask(windows, length)?;
        for layer in &self.layers {
            x = layer.forward(&x, (count, length, self.heads), mask.as_ref())?;
        }
        x.reshape((count, length, self.width))
    }

    /// What is added to the scores: nothing for a window's own tokens, −∞ for its padding. Windows of one length need none.
    fn mask(&self, windows: &[&Window], length: usize) -> Computed<Option<Tensor>> {
        if windows.iter().all(|window| window.ids.len() == length) {
            return Ok(None);
        }
        let cells = windows.iter().flat_map(|window| {
            let own = window.ids.len();
            (0..length).map(move |at| if at < own { 0f32 } else { f32::NEG_INFINITY })
        });
        let mask = Tensor::from_vec(
            cells.collect(),
            (windows.len(), 1, 1, length),
            &self.card.device,
        )?;
        mask.to_dtype(self.card.dtype).map(Some)
    }

    /// The rows that `pick` takes of each window from the states of its group, of which a window's own are the first, in the order of
    /// `windows`.
    fn pick(
        &self,
        windows: &[&Window],
        pick: &Pick,
        own: fn(&Window) -> usize,
    ) -> Result<Vec<f32>> {
        let _alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        let lengths: Vec<usize> = windows.iter().map(|window| window.ids.len()).collect();
        let members =
            |group: &[usize]| -> Vec<&Window> { group.iter().map(|&at| windows[at]).collect() };
        let compute = |group: &[usize]| {
            let windows = members(group);
            pick(&windows, self.states(&windows)?)
        };
        let full = |group: &[usize]| {
            let tokens = group.len() * padded_length(&members(group));
            self.most.fetch_min((tokens / 2).max(1), Ordering::Relaxed);
        };
        let groups = groups(&lengths, self.most.load(Ordering::Relaxed));
        // A card works through what it is asked: all is asked for before anything is waited for.
        let mut picked = Vec::new();
        for group in &groups {
            picked.extend(halved(group, &compute, &full)?);
        }
        let mut found = vec![Vec::new(); windows.len()];
        for (group, rows) in picked {
            let (_, most, width) = rows.dims3()?;
            let rows: Vec<f32> = rows.flatten_all()?.to_vec1()?;
            for (&at, rows) in group.iter().zip(rows.chunks_exact(most * width)) {
                found[at] = rows[..own(windows[at]) * width].to_vec();
            }
        }
        let found = found.concat();
        match found.iter().all(|value| value.is_finite()) {
            true => Ok(found),
            false => Err(Error::Model(format!(
                "this model's numbers are too large for {} on {}: --dtype bf16 or f32 computes it",
                self.card.dtype.as_str(),
                self.card.name
            ))),
        }
    }
}

/// From the states of windows, `[windows][length][width]`, what is wanted of them, `[windows][rows][width]` in `f32`.
type Pick<'a> = dyn Fn(&[&Window], Tensor) -> Computed<Tensor> + 'a;

impl Encoder for Padded {
    fn encode(&self, windows: &[&Window]) -> Result<Vec<f32>> {
        let all = |_: &[&Window], states: Tensor| states.to_dtype(DType::F32);
        self.pick(windows, &all, |window| window.ids.len())
    }

    /// One product: of each window a matrix whose rows pick the first token, and a mean each.
    fn pooled(&self, windows: &[&Window]) -> Result<Vec<f32>> {
        let product = |windows: &[&Window], states: Tensor| {
            let (count, length, _) = states.dims3()?;
            let most = windows.iter().map(|w| 1 + w.spans.len()).max().unwrap_or(1);
            let mut rows = vec![0f32; count * most * length];
            for (window, rows) in windows.iter().zip(rows.chunks_exact_mut(most * length)) {
                rows[0] = 1.0;
                for (span, row) in window
                    .spans
                    .iter()
                    .zip(rows.chunks_exact_mut(length).skip(1))
                {
                    row[span.clone()].fill(1.0 / span.len() as f32);
                }
            }
            let rows = Tensor::from_vec(rows, (count, most, length), &self.card.device)?;
            rows.matmul(&states.to_dtype(DType::F32)?)
        };
        self.pick(windows, &product, |window| 1 + window.spans.len())
    }

    fn warning(&self) -> Option<String> {
        let most = self.most.load(Ordering::Relaxed);
        let news = most < self.limit && !self.warned.swap(true, Ordering::Relaxed);
        news.then(|| {
            format!(
                "{}: its memory is full, so batches are halved; --batch-tokens {most} saves the trial",
                self.card.name
            )
        })
    }
}

/// Tokens that each of `windows` has once padded.
fn padded_length(windows: &[&Window]) -> usize {
    let longest = windows.iter().map(|window| window.ids.len()).max();
    longest.unwrap_or(0).next_multiple_of(ALIGNED)
}

/// Windows of `lengths` in groups of near-equal length, the longest first, each of at most `most` tokens with its padding, but never
/// of none.
fn groups(lengths: &[usize], most: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(lengths[at]));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for at in order {
        match groups.last_mut() {
            Some(group)
                if {
                    let longest = lengths[group[0]].next_multiple_of(ALIGNED);
                    let near = lengths[at] as f64 >= NEAR * lengths[group[0]] as f64;
                    (near || group.len() * longest < LEAST_TOKENS)
                        && (group.len() + 1) * longest <= most
                } =>
            {
                group.push(at);
            }
            _ => groups.push(vec![at]),
        }
    }
    groups
}

/// `compute` of all `items`; of halves of them where the memory is full, which `full` hears of. Each part with what came of it.
fn halved<'a, T, R>(
    items: &'a [T],
    compute: &dyn Fn(&[T]) -> Computed<R>,
    full: &dyn Fn(&[T]),
) -> Computed<Vec<(&'a [T], R)>> {
    match compute(items) {
        Ok(result) => Ok(vec![(items, result)]),
        Err(error) if items.len() > 1 && out_of_memory(&error) => {
            full(items);
            let (first, second) = items.split_at(items.len() / 2);
            let mut all = halved(first, compute, full)?;
            all.extend(halved(second, compute, full)?);
            Ok(all)
        }
        Err(error) => Err(error),
    }
}

impl Layer {
    fn forward(
        &self,
        x: &Tensor,
        (count, length, heads): (usize, usize, usize),
        mask: Option<&Tensor>,
    ) -> Computed<Tensor> {
        let (tokens, width) = x.dims2()?;
        let qkv = self.qkv.forward(x)?;
        let qkv = qkv.reshape((count, length, 3, heads, width / heads))?;
        let qkv = qkv.permute((2, 0, 3, 1, 4))?.contiguous()?;
        let (query, key, value) = (qkv.get(0)?, qkv.get(1)?, qkv.get(2)?);
        let scores = query.matmul(&key.t()?)?;
        let scores = match mask {
            Some(mask) => scores.broadcast_add(mask)?,
            None => scores,
        };
        let attended = softmax_last_dim(&scores)?.matmul(&value)?;
        let attended = attended.transpose(1, 2)?.reshape((tokens, width))?;
        let x = self
            .attention_norm
            .forward(&(self.attention_out.forward(&attended)? + x)?)?;
        let inner = self.up.forward(&x)?.gelu_erf()?;
        self.norm.forward(&(self.down.forward(&inner)? + x)?)
    }
}

/// Brings weights onto the card.
struct Loader<'a> {
    weights: &'a Weights<'a>,
    config: &'a Config,
    card: &'a Card,
}

impl Loader<'_> {
    fn tensor(&self, values: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
        let tensor = Tensor::from_vec(values, shape, &self.card.device)?;
        Ok(tensor.to_dtype(self.card.dtype)?)
    }

    /// A layer's part of `inputs` and `outputs`, in float, and its bias.
    fn part(&self, name: &str, outputs: usize, inputs: usize) -> Result<(Vec<f32>, Vec<f32>)> {
        let weight = self
            .weights
            .matrix(&format!("{name}.weight"), outputs, inputs)?;
        let bias = self.weights.float(&format!("{name}.bias"), &[outputs])?;
        Ok((weight.to_float(inputs), bias))
    }

    fn linear(&self, (weight, bias): (Vec<f32>, Vec<f32>)) -> Result<Linear> {
        let outputs = bias.len();
        let inputs = weight.len() / outputs;
        let weight = self.tensor(weight, &[outputs, inputs])?;
        Ok(Linear::new(weight, Some(self.tensor(bias, &[outputs])?)))
    }

    fn norm(&self, name: &str) -> Result<LayerNorm> {
        let width = self.config.width;
        let part = |part| {
            let values = self.weights.float(&format!("{name}.{part}"), &[width])?;
            self.tensor(values, &[width])
        };
        let eps = f64::from(self.config.eps);
        Ok(LayerNorm::new(part("weight")?, part("bias")?, eps))
    }

    fn layer(&self, layer: &str, names: &Names) -> Result<Layer> {
        let (width, inner) = (self.config.width, self.config.inner);
        let name = |part: &str| format!("{layer}.{part}");
        let mut qkv = (Vec::new(), Vec::new());
        for (number, part) in names.query_key_value.into_iter().enumerate() {
            let (mut weight, mut bias) = self.part(&name(part), width, width)?;
            if number == 0 {
                let scale = 1.0 / ((width / self.config.heads) as f32).sqrt();
                weight.iter_mut().chain(&mut bias).for_each(|v| *v *= scale);
            }
            qkv.0.extend(weight);
            qkv.1.extend(bias);
        }
        Ok(Layer {
            qkv: self.linear(qkv)?,
            attention_out: self.linear(self.part(&name(names.attention_out), width, width)?)?,
            attention_norm: self.norm(&name(names.attention_norm))?,
            up: self.linear(self.part(&name(names.up), inner, width)?)?,
            down: self.linear(self.part(&name(names.down), width, inner)?)?,
            norm: self.norm(&name(names.norm))?,
        })
    }
}

#[cfg(test)]
mod tests;
