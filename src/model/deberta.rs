//! DeBERTa, versions 2 and 3: attention that sees what stands where apart from how far away it stands.
//!
//! He et al. 2020 and 2021 (arXiv 2006.03654, 2111.09543); tensor names and arithmetic as in Hugging Face transformers'
//! `DebertaV2Model` (`modeling_deberta_v2.py`), for one window without padding. With `δ(i,j)` the bucket of `i − j`, the score of a
//! query `i` and a key `j` is `q·k + q·K[δ] + k·Q[δ]`, where `K` and `Q` are projections of the table of distances, which depend on
//! weights alone and are computed at load.

use candle_core::{D, Device, Module, Result as Computed, Tensor};
use candle_nn::{Conv1d, Conv1dConfig, LayerNorm, Linear, ops::softmax_last_dim};

use super::Window;
use super::alone::Network;
use super::config::{Config, Deberta as Settings, Relative};
use super::weights::Weights;
use crate::error::Result;

/// The encoder.
pub struct Deberta {
    words: Tensor,
    positions: Option<Tensor>,
    types: Option<Tensor>,
    norm: LayerNorm,
    relative: Relative,
    heads: usize,
    layers: Vec<Layer>,
    convolution: Option<(Conv1d, LayerNorm)>,
}

/// For each two tokens of a window the row of the table that their distance has, once for each head, as a tensor is gathered by.
struct Rows {
    /// `[heads][queries][keys]`
    by_query: Tensor,
    /// `[heads][keys][queries]`
    by_key: Tensor,
}

struct Layer {
    heads: usize,
    query: Linear,
    key: Linear,
    value: Linear,
    /// `K` for each head, transposed: `[heads][width of a head][buckets]`.
    position_keys: Option<Tensor>,
    /// `Q`, likewise.
    position_queries: Option<Tensor>,
    attention_out: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    norm: LayerNorm,
}

impl Relative {
    /// Rows of the table on each side of 0.
    fn span(&self) -> usize {
        self.buckets.unwrap_or(self.most)
    }

    /// The row of the table for a key `distance` tokens before its query.
    fn row(&self, distance: i64) -> u32 {
        let span = self.span() as i64;
        let bucket = match self.buckets {
            Some(buckets) => bucket(distance, buckets as i64, self.most as i64),
            None => distance,
        };
        (bucket + span).clamp(0, 2 * span - 1) as u32
    }
}

/// Small distances have buckets of their own, larger ones share them by their logarithm.
fn bucket(distance: i64, buckets: i64, most: i64) -> i64 {
    let half = buckets / 2;
    if distance.abs() <= half {
        return distance;
    }
    let log = |part: f32| (part / half as f32).ln();
    let share = log(distance.abs() as f32) / log((most - 1) as f32);
    let bucket = (share * (half - 1) as f32).ceil() as i64 + half;
    bucket * distance.signum()
}

impl Deberta {
    /// Takes the encoder's tensors, whose names begin with `prefix`.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] that names the tensor.
    pub fn load(
        weights: &Weights,
        prefix: &str,
        config: &Config,
        settings: &Settings,
    ) -> Result<Self> {
        let width = config.width;
        let name = |part: &str| format!("{prefix}{part}");
        let table = |part: &str, rows| {
            weights.tensor(
                &name(&format!("embeddings.{part}_embeddings.weight")),
                &[rows, width],
            )
        };
        let norm = |part: &str| layer_norm(weights, &name(part), config);
        let relative = &settings.relative;
        let shape = [2 * relative.span(), width];
        let mut distances = weights.tensor(&name("encoder.rel_embeddings.weight"), &shape)?;
        if relative.norm {
            distances = norm("encoder.LayerNorm")?.forward(&distances)?;
        }
        let layer = |i| {
            let name = name(&format!("encoder.layer.{i}"));
            Layer::load(weights, &name, config, (relative, &distances))
        };
        let convolution = match settings.convolution {
            None => None,
            Some((kernel, groups)) => {
                let weight = [width, width / groups, kernel];
                let convolution = Conv1d::new(
                    weights.tensor(&name("encoder.conv.conv.weight"), &weight)?,
                    Some(weights.tensor(&name("encoder.conv.conv.bias"), &[width])?),
                    Conv1dConfig {
                        padding: kernel / 2,
                        groups,
                        ..Default::default()
                    },
                );
                Some((convolution, norm("encoder.conv.LayerNorm")?))
            }
        };
        Ok(Self {
            words: table("word", config.words)?,
            positions: match settings.absolute {
                true => Some(table("position", config.positions)?),
                false => None,
            },
            types: match config.types {
                0 => None,
                kinds => Some(table("token_type", kinds)?),
            },
            norm: norm("embeddings.LayerNorm")?,
            relative: relative.clone(),
            heads: config.heads,
            layers: (0..config.layers).map(layer).collect::<Result<_>>()?,
            convolution,
        })
    }

    /// Those of a window of so many tokens.
    fn rows(&self, tokens: usize) -> Computed<Rows> {
        let row = |query: usize, key: usize| self.relative.row(query as i64 - key as i64);
        let rows = (0..tokens).flat_map(|query| (0..tokens).map(move |key| row(query, key)));
        let rows = Tensor::from_iter(rows, &Device::Cpu)?.reshape((1, tokens, tokens))?;
        let each_head = |rows: &Tensor| rows.expand((self.heads, tokens, tokens))?.contiguous();
        Ok(Rows {
            by_query: each_head(&rows)?,
            by_key: each_head(&rows.t()?)?,
        })
    }

    fn embed(&self, window: &Window) -> Computed<Tensor> {
        let rows = |table: &Tensor, rows: Vec<u32>| {
            table.index_select(&Tensor::new(rows, &Device::Cpu)?, 0)
        };
        let tokens = window.ids.len();
        let mut x = rows(&self.words, window.ids.clone())?;
        if let Some(table) = &self.positions {
            x = (x + table.narrow(0, 0, tokens)?)?;
        }
        if let Some(table) = &self.types {
            let two_kinds = table.dim(0)? > 1;
            let kinds = (0..tokens).map(|at| u32::from(two_kinds && at >= window.first));
            x = (x + rows(table, kinds.collect())?)?;
        }
        self.norm.forward(&x)
    }
}

impl Network for Deberta {
    fn states(&self, window: &Window) -> Computed<Tensor> {
        let rows = self.rows(window.ids.len())?;
        let embedded = self.embed(window)?;
        let mut x = embedded.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, &rows)?;
            if let (0, Some((convolution, norm))) = (i, &self.convolution) {
                let around = embedded.t()?.unsqueeze(0)?.contiguous()?;
                let around = convolution.forward(&around)?.squeeze(0)?.t()?.tanh()?;
                x = norm.forward(&(x + around)?)?;
            }
        }
        Ok(x)
    }
}

impl Layer {
    fn load(
        weights: &Weights,
        name: &str,
        config: &Config,
        (relative, distances): (&Relative, &Tensor),
    ) -> Result<Self> {
        let (width, inner, heads) = (config.width, config.inner, config.heads);
        let linear = |part: &str, outputs: usize, inputs: usize| -> Result<Linear> {
            let tensor = |kind: &str, shape: &[usize]| {
                weights.tensor(&format!("{name}.{part}.{kind}"), shape)
            };
            let weight = tensor("weight", &[outputs, inputs])?;
            Ok(Linear::new(weight, Some(tensor("bias", &[outputs])?)))
        };
        let projection = |part: &str| linear(&format!("attention.self.{part}"), width, width);
        let positions = |wanted: bool, own: &str, words: &str| -> Result<Option<Tensor>> {
            if !wanted {
                return Ok(None);
            }
            let projection = projection(if relative.shared { words } else { own })?;
            let rows = by_head(&projection.forward(distances)?, heads)?;
            Ok(Some(rows.transpose(1, 2)?.contiguous()?))
        };
        let (c2p, p2c) = (relative.content_to_position, relative.position_to_content);
        let norm = |part: &str| layer_norm(weights, &format!("{name}.{part}"), config);
        Ok(Self {
            heads,
            position_keys: positions(c2p, "pos_key_proj", "key_proj")?,
            position_queries: positions(p2c, "pos_query_proj", "query_proj")?,
            query: projection("query_proj")?,
            key: projection("key_proj")?,
            value: projection("value_proj")?,
            attention_out: linear("attention.output.dense", width, width)?,
            attention_norm: norm("attention.output.LayerNorm")?,
            up: linear("intermediate.dense", inner, width)?,
            down: linear("output.dense", width, inner)?,
            norm: norm("output.LayerNorm")?,
        })
    }

    fn forward(&self, x: &Tensor, rows: &Rows) -> Computed<Tensor> {
        let attended = self.attention_out.forward(&self.attend(x, rows)?)?;
        let x = self.attention_norm.forward(&(attended + x)?)?;
        let inner = self.up.forward(&x)?.gelu_erf()?;
        self.norm.forward(&(self.down.forward(&inner)? + x)?)
    }

    fn attend(&self, x: &Tensor, rows: &Rows) -> Computed<Tensor> {
        let (tokens, width) = x.dims2()?;
        let part = |linear: &Linear| by_head(&linear.forward(x)?, self.heads);
        let (query, key, value) = (part(&self.query)?, part(&self.key)?, part(&self.value)?);
        let mut scores = query.matmul(&key.t()?)?;
        let mut terms = 1;
        // For each token and each distance their product; then, for each pair of tokens, the one of its distance.
        if let Some(keys) = &self.position_keys {
            let found = query.matmul(keys)?.gather(&rows.by_query, D::Minus1)?;
            scores = (scores + found)?;
            terms += 1;
        }
        if let Some(queries) = &self.position_queries {
            let found = key.matmul(queries)?.gather(&rows.by_key, D::Minus1)?;
            scores = (scores + found.t()?)?;
            terms += 1;
        }
        let scale = ((width / self.heads * terms) as f64).sqrt();
        let shares = softmax_last_dim(&(scores / scale)?)?;
        let attended = shares.matmul(&value)?;
        attended.transpose(0, 1)?.reshape((tokens, width))
    }
}

/// `[rows][width]` as `[heads][rows][width of a head]`.
fn by_head(x: &Tensor, heads: usize) -> Computed<Tensor> {
    let (rows, width) = x.dims2()?;
    x.reshape((rows, heads, width / heads))?
        .transpose(0, 1)?
        .contiguous()
}

fn layer_norm(weights: &Weights, name: &str, config: &Config) -> Result<LayerNorm> {
    let tensor = |kind: &str| weights.tensor(&format!("{name}.{kind}"), &[config.width]);
    let eps = f64::from(config.eps);
    Ok(LayerNorm::new(tensor("weight")?, tensor("bias")?, eps))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By how much the bucket grows from each distance to the next, from 128 to 511, in transformers with 256 buckets for 512
    /// positions, as the published models have them.
    const GROWTH: &str = "11101101101101101101011010110101101010101101010101010101010101010101010010101010010101010010100101001010010100\
        10100100101001001001010010010010010010010010010010010001001001001000100100100010010001001000100010010001000100\
        10001000100010001000100010001000100010000100010001000010001000100001000100001000010001000010000100001000010000\
        10000100001000010000100001000001000010000100000100000";

    #[test]
    fn distances_share_buckets_as_they_do_in_transformers() {
        for distance in 0..=128 {
            assert_eq!(bucket(distance, 256, 512), distance);
        }
        let mut expected = 128;
        let growth = GROWTH.bytes();
        for (distance, grows) in (129..).zip(growth) {
            expected += i64::from(grows - b'0');
            assert_eq!(bucket(distance, 256, 512), expected, "{distance}");
            assert_eq!(bucket(-distance, 256, 512), -expected, "{distance}");
        }
        assert_eq!(expected, 255);
    }
}
