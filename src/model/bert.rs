//! BERT over packed windows: all tokens of a batch stand in one `[tokens][width]`, without padding.
//!
//! Devlin et al. 2018 (arXiv 1810.04805); tensor names and arithmetic as in Hugging Face transformers' `BertModel`
//! (`modeling_bert.py`), post-norm, GELU by the error function. Query, key and value are one product.

use candle_core::{DType, Device, Tensor};
use candle_transformers::models::bert::Config;

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
    types: Vec<f32>,
    norm: LayerNorm,
}

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
    /// Takes the encoder's tensors.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] that names the tensor.
    pub fn load(weights: &Weights, config: &Config, arithmetic: Arithmetic) -> Result<Self> {
        let layers = (0..config.num_hidden_layers)
            .map(|i| Layer::load(weights, &format!("encoder.layer.{i}"), config, arithmetic))
            .collect::<Result<_>>()?;
        Ok(Self {
            embeddings: Embeddings::load(weights, config)?,
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
    fn load(weights: &Weights, config: &Config) -> Result<Self> {
        let width = config.hidden_size;
        Ok(Self {
            words: weights.matrix(
                "embeddings.word_embeddings.weight",
                config.vocab_size,
                width,
            )?,
            positions: weights.float(
                "embeddings.position_embeddings.weight",
                &[config.max_position_embeddings, width],
            )?,
            types: weights.float(
                "embeddings.token_type_embeddings.weight",
                &[config.type_vocab_size, width],
            )?,
            norm: norm(weights, "embeddings.LayerNorm", config)?,
        })
    }

    fn forward(&self, windows: &[&Window]) -> Result<Tensor> {
        let width = self.norm.gamma.len();
        let tokens: Vec<(u32, usize, usize)> = windows
            .iter()
            .flat_map(|w| {
                w.ids
                    .iter()
                    .enumerate()
                    .map(|(at, id)| (*id, at, usize::from(at >= w.claim)))
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
        config: &Config,
        arithmetic: Arithmetic,
    ) -> Result<Self> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
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
        let qkv = [
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
        ];
        Ok(Self {
            heads: config.num_attention_heads,
            qkv: linear(&qkv, width, width)?,
            attention_out: linear(&["attention.output.dense"], width, width)?,
            attention_norm: norm(
                weights,
                &format!("{name}.attention.output.LayerNorm"),
                config,
            )?,
            up: linear(&["intermediate.dense"], inner, width)?,
            down: linear(&["output.dense"], width, inner)?,
            norm: norm(weights, &format!("{name}.output.LayerNorm"), config)?,
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
        gamma: weights.float(&format!("{name}.weight"), &[config.hidden_size])?,
        beta: weights.float(&format!("{name}.bias"), &[config.hidden_size])?,
        eps: config.layer_norm_eps as f32,
    })
}
