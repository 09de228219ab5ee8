//! Llama and its relatives over packed tokens: those of all rows stand in one `[tokens][width]`, without padding. All products are over
//! all tokens at once; attention is of each row over its own cache.
//!
//! Touvron et al. 2023 (arXiv 2307.09288), with the query groups of Ainslie et al. 2023 (2305.13245), RMS norm (Zhang and Sennrich 2019,
//! 1910.07467) before each part, SwiGLU (Shazeer 2020, 2002.05202); arithmetic and tensor names as in Hugging Face transformers'
//! `modeling_llama.py`. Mistral's window, Qwen2's biases and Qwen3's norms of heads are all that sets those apart.

use super::config::Config;
use super::gguf::Gguf;
use super::passes::in_passes;
use super::tensors::{Linear, Matrix, Tensors};
use crate::decode::{Decoder, Row};
use crate::error::{Error, Result};
use crate::kernel::{self, Memory, Past};
use crate::model::manifest::Architecture;

/// The decoder.
pub struct Llama {
    config: Config,
    words: Linear,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    /// What tells the next word, where the table of words does not.
    output: Option<Linear>,
}

/// Keys and values of what a row has read.
#[derive(Debug, Clone)]
pub struct Cache {
    layers: Vec<Memory>,
    length: usize,
}

struct Layer {
    attention_norm: Vec<f32>,
    query: Linear,
    key: Linear,
    value: Linear,
    /// Scales of queries and keys, where heads are normed.
    head_norms: Option<(Vec<f32>, Vec<f32>)>,
    attention_out: Linear,
    norm: Vec<f32>,
    gate: Linear,
    up: Linear,
    down: Linear,
}

/// What a kind of file calls the parts of the network.
struct Names {
    words: &'static str,
    final_norm: &'static str,
    output: &'static str,
    /// Before the number of a layer.
    layer: &'static str,
    attention_norm: &'static str,
    query_key_value: [&'static str; 3],
    head_norms: [&'static str; 2],
    attention_out: &'static str,
    norm: &'static str,
    gate: &'static str,
    up: &'static str,
    down: &'static str,
}

const SAFE: Names = Names {
    words: "model.embed_tokens",
    final_norm: "model.norm",
    output: "lm_head",
    layer: "model.layers.",
    attention_norm: "input_layernorm",
    query_key_value: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    head_norms: ["self_attn.q_norm", "self_attn.k_norm"],
    attention_out: "self_attn.o_proj",
    norm: "post_attention_layernorm",
    gate: "mlp.gate_proj",
    up: "mlp.up_proj",
    down: "mlp.down_proj",
};
const GGUF: Names = Names {
    words: "token_embd",
    final_norm: "output_norm",
    output: "output",
    layer: "blk.",
    attention_norm: "attn_norm",
    query_key_value: ["attn_q", "attn_k", "attn_v"],
    head_norms: ["attn_q_norm", "attn_k_norm"],
    attention_out: "attn_output",
    norm: "ffn_norm",
    gate: "ffn_gate",
    up: "ffn_up",
    down: "ffn_down",
};

impl Llama {
    /// From a `config.json`, called `name`, of this architecture, and one or more files of safetensors.
    ///
    /// # Errors
    /// [`Error::Model`] that names what is missing, does not fit, or is not computed here.
    pub fn from_safetensors(
        config: &[u8],
        name: &str,
        architecture: Architecture,
        files: &[&[u8]],
    ) -> Result<Self> {
        let config = Config::read(config, name, architecture)?;
        let tensors = Tensors::safe(files)?;
        // Constants that older versions wrote, and a second name of the table of words.
        let idle: &[&str] = match config.tied {
            true => &["rotary_emb.inv_freq", "lm_head.weight"],
            false => &["rotary_emb.inv_freq"],
        };
        let decoder = Self::load(config, &tensors, &SAFE)?;
        tensors.finish(idle)?;
        Ok(decoder)
    }

    /// From a GGUF file of this architecture.
    ///
    /// # Errors
    /// As [`Llama::from_safetensors`].
    pub fn from_gguf(file: &[u8], architecture: Architecture) -> Result<Self> {
        let file = Gguf::read(file)?;
        let (config, found) = Config::of_gguf(&file)?;
        if found != architecture {
            return Err(Error::Model(format!(
                "the GGUF file is of the architecture `{}`, not `{}`",
                found.name(),
                architecture.name()
            )));
        }
        let tensors = Tensors::Gguf(file);
        let decoder = Self::load(config, &tensors, &GGUF)?;
        tensors.finish(&[])?;
        Ok(decoder)
    }

    /// Tokens of the vocabulary.
    pub fn words(&self) -> usize {
        self.config.words
    }

    fn load(config: Config, tensors: &Tensors<'_>, names: &Names) -> Result<Self> {
        let table =
            |part: &str| tensors.matrix(&format!("{part}.weight"), config.words, config.width);
        let linear = |matrix: Matrix| Linear::new(matrix, None, config.width, config.words);
        let layer = |i| Layer::load(tensors, &format!("{}{i}", names.layer), names, &config);
        Ok(Self {
            words: linear(table(names.words)?),
            layers: (0..config.layers).map(layer).collect::<Result<_>>()?,
            norm: tensors.vector(&format!("{}.weight", names.final_norm), config.width)?,
            output: match config.tied {
                true => None,
                false => Some(linear(table(names.output)?)),
            },
            config,
        })
    }
}

impl Decoder for Llama {
    type Cache = Cache;

    fn context(&self) -> usize {
        self.config.context
    }

    fn cache(&self) -> Cache {
        Cache {
            layers: vec![Memory::new(self.config.heads); self.layers.len()],
            length: 0,
        }
    }

    fn length(&self, cache: &Cache) -> usize {
        cache.length
    }

    fn truncate(&self, cache: &mut Cache, length: usize) {
        for layer in &mut cache.layers {
            layer.truncate(length);
        }
        cache.length = cache.length.min(length);
    }

    fn forward(&self, rows: &mut [Row<'_, Cache>]) -> Result<Vec<Vec<f32>>> {
        let context = self.config.context;
        for row in rows.iter() {
            let after = row.cache.length + row.ids.len();
            if after > context {
                return Err(Error::Model(format!(
                    "a text of {after} tokens, but the model reads {context} at most"
                )));
            }
        }
        // On a thread of the pool: from outside of it, each product would wait for one to be woken.
        rayon::scope(|_| in_passes(rows, |rows| self.pass(rows)))
    }
}

impl Llama {
    /// All rows' tokens at once.
    fn pass(&self, rows: &mut [Row<'_, Cache>]) -> Result<Vec<Vec<f32>>> {
        let Config { width, eps, .. } = self.config;
        let mut positions = Vec::new();
        let mut ids = Vec::new();
        for row in rows.iter() {
            positions.extend(row.cache.length..row.cache.length + row.ids.len());
            ids.extend(row.ids);
        }
        if ids.is_empty() {
            return Ok(vec![Vec::new(); rows.len()]);
        }
        let angles = kernel::angles(&positions, &self.config.frequencies);
        let mut x = self.words.rows(&ids)?;
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(x, i, rows, &angles, &self.config);
        }
        // Words are told after the tokens that were asked about alone.
        let mut asked = Vec::new();
        let mut end = 0;
        for row in rows.iter_mut() {
            end += row.ids.len();
            row.cache.length += row.ids.len();
            asked.extend(&x[(end - row.asked.min(row.ids.len())) * width..end * width]);
        }
        if asked.is_empty() {
            return Ok(vec![Vec::new(); rows.len()]);
        }
        let asked = kernel::rms_norm(&asked, &self.norm, eps);
        let output = self.output.as_ref().unwrap_or(&self.words);
        let mut logits = output.rows_forward(&asked).into_iter();
        let each = rows.iter().map(|row| match row.asked.min(row.ids.len()) {
            1 => logits.next().unwrap_or_default(),
            count => logits.by_ref().take(count).flatten().collect(),
        });
        Ok(each.collect())
    }
}

impl Layer {
    fn load(tensors: &Tensors<'_>, name: &str, names: &Names, config: &Config) -> Result<Self> {
        let (width, inner, heads) = (config.width, config.inner, config.heads);
        let (queries, keys) = (heads.queries * heads.width, heads.keys * heads.width);
        let vector = |part: &str, kind: &str, length| {
            tensors.vector(&format!("{name}.{part}.{kind}"), length)
        };
        let linear = |part: &str, inputs, outputs, bias: bool| -> Result<Linear> {
            let weight = tensors.matrix(&format!("{name}.{part}.weight"), outputs, inputs)?;
            let bias = match bias {
                true => Some(vector(part, "bias", outputs)?),
                false => None,
            };
            Ok(Linear::new(weight, bias, inputs, outputs))
        };
        let [query, key, value] = names.query_key_value;
        Ok(Self {
            attention_norm: vector(names.attention_norm, "weight", width)?,
            query: linear(query, width, queries, config.bias)?,
            key: linear(key, width, keys, config.bias)?,
            value: linear(value, width, keys, config.bias)?,
            head_norms: match config.head_norms {
                false => None,
                true => {
                    let [queries, keys] = names.head_norms;
                    Some((
                        vector(queries, "weight", heads.width)?,
                        vector(keys, "weight", heads.width)?,
                    ))
                }
            },
            attention_out: linear(names.attention_out, queries, width, false)?,
            norm: vector(names.norm, "weight", width)?,
            gate: linear(names.gate, width, inner, false)?,
            up: linear(names.up, width, inner, false)?,
            down: linear(names.down, inner, width, false)?,
        })
    }

    /// The states after the layer, which is number `i`; keys and values go into the rows' caches.
    fn forward(
        &self,
        mut x: Vec<f32>,
        i: usize,
        rows: &mut [Row<'_, Cache>],
        angles: &(Vec<f32>, Vec<f32>),
        config: &Config,
    ) -> Vec<f32> {
        let (heads, eps) = (config.heads, config.eps);
        let normed = kernel::rms_norm(&x, &self.attention_norm, eps);
        let [mut queries, mut keys, values] =
            Linear::together([&self.query, &self.key, &self.value], &normed);
        if let Some((query_norm, key_norm)) = &self.head_norms {
            kernel::rms_norm_rows(&mut queries, query_norm, eps);
            kernel::rms_norm_rows(&mut keys, key_norm, eps);
        }
        kernel::rotate(&mut queries, heads.width, angles, config.pairs);
        kernel::rotate(&mut keys, heads.width, angles, config.pairs);
        let line = heads.keys * heads.width;
        let (mut keys, mut values) = (&keys[..], &values[..]);
        for row in rows.iter_mut() {
            let (own_keys, rest_keys) = keys.split_at(row.ids.len() * line);
            let (own_values, rest_values) = values.split_at(row.ids.len() * line);
            row.cache.layers[i].push(own_keys, own_values);
            (keys, values) = (rest_keys, rest_values);
        }
        let texts: Vec<Past<'_>> = rows
            .iter()
            .map(|row| Past {
                memory: &row.cache.layers[i],
                rows: row.ids.len(),
            })
            .collect();
        let attended = kernel::causal_attention(&queries, &texts, heads);
        add(&mut x, &self.attention_out.forward(&attended));
        let normed = kernel::rms_norm(&x, &self.norm, eps);
        let [mut gate, up] = Linear::together([&self.gate, &self.up], &normed);
        kernel::swiglu(&mut gate, &up);
        add(&mut x, &self.down.forward(&gate));
        x
    }
}

fn add(x: &mut [f32], more: &[f32]) {
    for (x, more) in x.iter_mut().zip(more) {
        *x += more;
    }
}
