//! BERT over packed windows: all tokens of a batch stand in one `[tokens][width]`, without padding.
//!
//! Devlin et al. 2018 (arXiv 1810.04805); tensor names and arithmetic as in Hugging Face transformers' `BertModel`
//! (`modeling_bert.py`), post-norm, GELU by the error function. Query, key and value are one product. RoBERTa, XLM-RoBERTa and
//! DistilBERT are the same network under other [`Names`]; the first two begin to count positions later, the last has no segments.

use candle_core::{DType, Device, Tensor};

use super::config::{Config, Family};
use super::ops::{self, LayerNorm, Linear};
use super::weights::{Matrix, Weights};
use super::{Encoder, Window};
use crate::error::Result;
use crate::kernel;

/// The arithmetic of the linear layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// 8-bit where the weights are, else float.
    AsStored,
    /// Float always: 8-bit weights are spread out at load.
    Float,
}

/// The encoder.
pub struct Bert {
    embeddings: Embeddings,
    layers: Vec<Layer>,
}

struct Embeddings {
    words: Matrix,
    positions: Vec<f32>,
    /// The row of `positions` for the first token.
    first: usize,
    /// One row for each kind of segment.
    types: Vec<f32>,
    norm: LayerNorm,
}

/// What a family calls the parts of the network.
pub(super) struct Names {
    /// Before the number of a layer.
    pub(super) layer: &'static str,
    pub(super) query_key_value: [&'static str; 3],
    pub(super) attention_out: &'static str,
    pub(super) attention_norm: &'static str,
    pub(super) up: &'static str,
    pub(super) down: &'static str,
    pub(super) norm: &'static str,
}

impl Names {
    /// Those of the family of `config`.
    pub(super) fn of(config: &Config) -> Self {
        match config.family {
            Family::DistilBert => DISTILBERT,
            _ => BERT,
        }
    }
}

const BERT: Names = Names {
    layer: "encoder.layer.",
    query_key_value: [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
    ],
    attention_out: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    norm: "output.LayerNorm",
};
const DISTILBERT: Names = Names {
    layer: "transformer.layer.",
    query_key_value: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    attention_out: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    up: "ffn.lin1",
    down: "ffn.lin2",
    norm: "output_layer_norm",
};

/// Memory for the results within a layer, which all layers use.
struct Room {
    qkv: Tensor,
    attended: Tensor,
    between: Tensor,
    out: Tensor,
}

struct Layer {
    heads: usize,
    qkv: Linear,
    attention_out: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    norm: LayerNorm,
}

impl Bert {
    /// Takes the encoder's tensors, whose names begin with `prefix`.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] that names the tensor.
    pub fn load(
        weights: &Weights,
        prefix: &str,
        config: &Config,
        arithmetic: Arithmetic,
    ) -> Result<Self> {
        let names = Names::of(config);
        let layer = |i| format!("{prefix}{}{i}", names.layer);
        let layers = (0..config.layers)
            .map(|i| Layer::load(weights, &layer(i), &names, config, arithmetic))
            .collect::<Result<_>>()?;
        Ok(Self {
            embeddings: Embeddings::load(weights, prefix, config)?,
            layers,
        })
    }
}

impl Encoder for Bert {
    fn encode(&self, windows: &[&Window]) -> Result<Vec<f32>> {
        let lengths: Vec<usize> = windows.iter().map(|w| w.ids.len()).collect();
        let mut x = self.embeddings.forward(windows)?;
        let (tokens, width) = x.dims2()?;
        let room = |width| Tensor::zeros((tokens, width), DType::F32, x.device());
        let room = Room {
            qkv: room(3 * width)?,
            attended: room(width)?,
            between: room(width)?,
            out: room(width)?,
        };
        for layer in &self.layers {
            x = layer.forward(&x, &lengths, &room)?;
        }
        Ok(x.flatten_all()?.to_vec1()?)
    }
}

impl Embeddings {
    fn load(weights: &Weights, prefix: &str, config: &Config) -> Result<Self> {
        let width = config.width;
        let name = |part: &str| format!("{prefix}embeddings.{part}");
        let table =
            |part, rows| weights.float(&name(&format!("{part}_embeddings.weight")), &[rows, width]);
        Ok(Self {
            words: weights.matrix(&name("word_embeddings.weight"), config.words, width)?,
            positions: table("position", config.positions)?,
            first: match config.family {
                Family::Roberta { first } => first,
                _ => 0,
            },
            types: match config.types {
                0 => vec![0.0; width],
                kinds => table("token_type", kinds)?,
            },
            norm: norm(weights, &name("LayerNorm"), config)?,
        })
    }

    fn forward(&self, windows: &[&Window]) -> Result<Tensor> {
        let width = self.norm.gamma.len();
        let two_kinds = self.types.len() > width;
        let tokens: Vec<(u32, usize, usize)> = windows
            .iter()
            .flat_map(|w| {
                w.ids.iter().enumerate().map(|(at, id)| {
                    (
                        *id,
                        at + self.first,
                        usize::from(two_kinds && at >= w.first),
                    )
                })
            })
            .collect();
        let x = kernel::embed(
            &tokens,
            |id, out| {
                let row = id as usize * width..(id as usize + 1) * width;
                match &self.words {
                    Matrix::Float(values) => out.copy_from_slice(&values[row]),
                    Matrix::Int8 { values, scales, .. } => {
                        for (out, v) in out.iter_mut().zip(&values[row]) {
                            *out = f32::from(*v) * scales[id as usize];
                        }
                    }
                }
            },
            (&self.positions, &self.types),
            (&self.norm.gamma, &self.norm.beta, self.norm.eps),
        );
        Ok(Tensor::from_vec(x, (tokens.len(), width), &Device::Cpu)?)
    }
}

impl Layer {
    fn load(
        weights: &Weights,
        name: &str,
        names: &Names,
        config: &Config,
        arithmetic: Arithmetic,
    ) -> Result<Self> {
        let (width, inner) = (config.width, config.inner);
        // Several layers with the same input are one product with their outputs side by side.
        let linear = |parts: &[&str], outputs: usize, inputs: usize| -> Result<Linear> {
            let mut matrix: Option<Matrix> = None;
            let mut bias = Vec::new();
            for part in parts {
                let next = weights.matrix(&format!("{name}.{part}.weight"), outputs, inputs)?;
                matrix = Some(match matrix {
                    Some(above) => above.stack(next, inputs),
                    None => next,
                });
                bias.extend(weights.float(&format!("{name}.{part}.bias"), &[outputs])?);
            }
            let matrix = matrix.unwrap_or(Matrix::Float(Vec::new()));
            let matrix = match arithmetic {
                Arithmetic::AsStored => matrix,
                Arithmetic::Float => Matrix::Float(matrix.to_float(inputs)),
            };
            Ok(Linear::new(matrix, bias, inputs)?)
        };
        Ok(Self {
            heads: config.heads,
            qkv: linear(&names.query_key_value, width, width)?,
            attention_out: linear(&[names.attention_out], width, width)?,
            attention_norm: norm(weights, &format!("{name}.{}", names.attention_norm), config)?,
            up: linear(&[names.up], inner, width)?,
            down: linear(&[names.down], width, inner)?,
            norm: norm(weights, &format!("{name}.{}", names.norm), config)?,
        })
    }

    fn forward(&self, x: &Tensor, lengths: &[usize], room: &Room) -> Result<Tensor> {
        let qkv = self.qkv.forward(x, lengths, &room.qkv)?;
        let attended = ops::attention(&qkv, lengths, self.heads, &room.attended)?;
        let sum = (&attended, x);
        let norm = &self.attention_norm;
        let x = self
            .attention_out
            .add_norm(sum, norm, lengths, &room.between)?;
        let layers = (&self.up, &self.down, &self.norm);
        Ok(ops::feed_forward(layers, &x, lengths, &room.out)?)
    }
}

fn norm(weights: &Weights, name: &str, config: &Config) -> Result<LayerNorm> {
    Ok(LayerNorm {
        gamma: weights.float(&format!("{name}.weight"), &[config.width])?,
        beta: weights.float(&format!("{name}.bias"), &[config.width])?,
        eps: config.eps,
    })
}
