//! Llama and its relatives over packed tokens: those of all rows stand in one `[tokens][width]`, without padding. All products are over
//! all tokens at once; attention is of each row over its own cache.
//!
//! Touvron et al. 2023 (arXiv 2307.09288), with the query groups of Ainslie et al. 2023 (2305.13245), RMS norm (Zhang and Sennrich 2019,
//! 1910.07467) before each part, gated linear units (Shazeer 2020, 2002.05202); arithmetic and tensor names as in Hugging Face
//! transformers' `modeling_llama.py`. What sets the others apart are switches of [`Config`]: windows, layers without positions, biases,
//! norms of heads and after each part, products in one.

use super::adapter::{self, LayerAdapter};
use super::config::Config;
use super::gguf::Gguf;
use super::passes::in_passes;
use super::stack::Stack;
use super::tensors::{Linear, Matrix, Tensors};
use crate::decode::{Decoder, Row};
use crate::error::{Error, Result};
use crate::kernel::{self, Angles, Memory, Past};
use crate::model::manifest::Architecture;

/// The decoder.
pub struct Llama {
    pub(super) config: Config,
    pub(super) words: Linear,
    pub(super) layers: Vec<Layer>,
    pub(super) norm: Vec<f32>,
    /// What tells the next word, where the table of words does not.
    pub(super) output: Option<Linear>,
}

/// Tokens of a pass: what one computes on its way stays in the processor's caches, and its memory is used again.
const TOKENS: usize = 512;

/// Keys and values of what a row has read.
#[derive(Debug, Clone)]
pub struct Cache {
    layers: Vec<Memory>,
    length: usize,
}

pub(super) struct Layer {
    /// Which of the configuration's ways of attending is its own.
    pub(super) kind: usize,
    pub(super) attention_norm: Vec<f32>,
    pub(super) query_key_value: Stack<3>,
    /// Scales of queries and keys, where heads are normed.
    pub(super) head_norms: Option<[Vec<f32>; 2]>,
    pub(super) attention_out: Linear,
    pub(super) norm: Vec<f32>,
    pub(super) gate_up: Stack<2>,
    pub(super) down: Linear,
    /// Scales of what attention and the feed-forward part give, where that is normed.
    pub(super) out_norms: Option<[Vec<f32>; 2]>,
    pub(super) adapter: LayerAdapter,
}

/// What a kind of file calls the parts of the network.
#[derive(Clone, Copy)]
struct Names {
    words: &'static str,
    final_norm: &'static str,
    output: &'static str,
    /// Before the number of a layer.
    layer: &'static str,
    attention_norm: &'static str,
    query_key_value: [&'static str; 3],
    /// All three in one.
    fused_attention: &'static str,
    head_norms: [&'static str; 2],
    attention_out: &'static str,
    norm: &'static str,
    gate: &'static str,
    up: &'static str,
    /// Both in one.
    fused_gate_up: &'static str,
    down: &'static str,
    out_norms: [&'static str; 2],
}

const SAFE: Names = Names {
    words: "model.embed_tokens",
    final_norm: "model.norm",
    output: "lm_head",
    layer: "model.layers.",
    attention_norm: "input_layernorm",
    query_key_value: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    fused_attention: "self_attn.qkv_proj",
    head_norms: ["self_attn.q_norm", "self_attn.k_norm"],
    attention_out: "self_attn.o_proj",
    norm: "post_attention_layernorm",
    gate: "mlp.gate_proj",
    up: "mlp.up_proj",
    fused_gate_up: "mlp.gate_up_proj",
    down: "mlp.down_proj",
    out_norms: ["post_attention_layernorm", "post_feedforward_layernorm"],
};
/// Gemma's norm before the feed-forward part is not the one after attention.
const GEMMA: Names = Names {
    norm: "pre_feedforward_layernorm",
    ..SAFE
};
/// Before the names of what reads text, in files that have other parts as well; the newer ones.
const PARTS: [Names; 2] = [
    Names {
        words: "model.language_model.embed_tokens",
        final_norm: "model.language_model.norm",
        layer: "model.language_model.layers.",
        ..GEMMA
    },
    Names {
        words: "language_model.model.embed_tokens",
        final_norm: "language_model.model.norm",
        layer: "language_model.model.layers.",
        ..GEMMA
    },
];
const GGUF: Names = Names {
    words: "token_embd",
    final_norm: "output_norm",
    output: "output",
    layer: "blk.",
    attention_norm: "attn_norm",
    query_key_value: ["attn_q", "attn_k", "attn_v"],
    fused_attention: "attn_qkv",
    head_norms: ["attn_q_norm", "attn_k_norm"],
    attention_out: "attn_output",
    norm: "ffn_norm",
    gate: "ffn_gate",
    up: "ffn_up",
    fused_gate_up: "ffn_up",
    down: "ffn_down",
    out_norms: ["post_attention_norm", "post_ffw_norm"],
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
        // Constants that older versions wrote, a second name of the table of words, and what sees pictures.
        let mut idle = vec!["rotary_emb.inv_freq"];
        if config.tied {
            idle.push("lm_head.weight");
        }
        if config.part {
            idle.extend(["vision_tower.", "multi_modal_projector."]);
        }
        let names = match (config.part, config.out_norms) {
            (true, _) => {
                let [newer, older] = PARTS;
                match tensors.has(&format!("{}.weight", newer.words)) {
                    true => newer,
                    false => older,
                }
            }
            (false, true) => GEMMA,
            (false, false) => SAFE,
        };
        let decoder = Self::load(config, &tensors, &names)?;
        tensors.finish(&idle)?;
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

    /// Puts an adapter beside the layers' products: its configuration and its weights.
    ///
    /// # Errors
    /// [`Error::Model`] that names what does not fit, or is not computed here.
    pub fn adapt(&mut self, json: &[u8], weights: &[u8]) -> Result<()> {
        let adapters = adapter::read(json, weights, &self.config)?;
        for (layer, adapter) in self.layers.iter_mut().zip(adapters) {
            layer.adapter = adapter;
        }
        Ok(())
    }

    /// Tokens of the vocabulary.
    pub fn words(&self) -> usize {
        self.config.words
    }

    fn load(config: Config, tensors: &Tensors<'_>, names: &Names) -> Result<Self> {
        let table =
            |part: &str| tensors.matrix(&format!("{part}.weight"), config.words, config.width);
        let linear = |matrix: Matrix| Linear::new(matrix, None, config.width, config.words);
        let layers = config.layers.iter().enumerate();
        let layer = |(i, kind): (usize, &u8)| {
            Layer::load(
                tensors,
                &format!("{}{i}", names.layer),
                names,
                (*kind).into(),
                &config,
            )
        };
        Ok(Self {
            words: linear(table(names.words)?),
            layers: layers.map(layer).collect::<Result<_>>()?,
            norm: norm(tensors, names.final_norm, config.width, &config)?,
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
        for row in rows.iter() {
            self.config.check(row.cache.length, row.ids)?;
        }
        // On a thread of the pool: from outside of it, each product would wait for one to be woken.
        rayon::scope(|_| in_passes(rows, TOKENS, |rows| self.pass(rows)))
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
        let kinds = self.config.kinds.iter().map(|kind| {
            let rotary = kind.rotary.as_ref()?;
            Some(kernel::angles(
                &positions,
                &rotary.frequencies,
                rotary.scale,
            ))
        });
        let angles: Vec<Option<Angles>> = kinds.collect();
        let mut x = self.words.rows(&ids)?;
        if let Some(scale) = self.config.word_scale {
            x.iter_mut().for_each(|x| *x *= scale);
        }
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
    fn load(
        tensors: &Tensors<'_>,
        name: &str,
        names: &Names,
        kind: usize,
        config: &Config,
    ) -> Result<Self> {
        let (width, inner, heads) = (config.width, config.inner, config.heads);
        let (queries, keys) = (heads.queries * heads.width, heads.keys * heads.width);
        let norm = |part: &str, length| norm(tensors, &format!("{name}.{part}"), length, config);
        let norms = |wanted: bool, parts: [&str; 2], length| -> Result<Option<[Vec<f32>; 2]>> {
            let [first, second] = parts;
            Ok(match wanted {
                true => Some([norm(first, length)?, norm(second, length)?]),
                false => None,
            })
        };
        let linear = |part: &str, inputs, outputs, bias: bool| -> Result<Linear> {
            let weight = tensors.matrix(&format!("{name}.{part}.weight"), outputs, inputs)?;
            let bias = match bias {
                true => Some(tensors.vector(&format!("{name}.{part}.bias"), outputs)?),
                false => None,
            };
            Ok(Linear::new(weight, bias, inputs, outputs))
        };
        let [query, key, value] = names.query_key_value;
        let (query_key_value, gate_up) = match config.fused {
            true => {
                let [all, both] = [queries + 2 * keys, 2 * inner];
                (
                    Stack::Together(
                        linear(names.fused_attention, width, all, false)?,
                        [queries, keys, keys],
                    ),
                    Stack::Together(
                        linear(names.fused_gate_up, width, both, false)?,
                        [inner, inner],
                    ),
                )
            }
            false => (
                Stack::Apart([
                    linear(query, width, queries, config.bias)?,
                    linear(key, width, keys, config.bias)?,
                    linear(value, width, keys, config.bias)?,
                ]),
                Stack::Apart([
                    linear(names.gate, width, inner, false)?,
                    linear(names.up, width, inner, false)?,
                ]),
            ),
        };
        Ok(Self {
            kind,
            attention_norm: norm(names.attention_norm, width)?,
            query_key_value,
            head_norms: norms(config.head_norms, names.head_norms, heads.width)?,
            attention_out: linear(names.attention_out, queries, width, false)?,
            norm: norm(names.norm, width)?,
            gate_up,
            down: linear(names.down, inner, width, false)?,
            out_norms: norms(config.out_norms, names.out_norms, width)?,
            adapter: LayerAdapter::default(),
        })
    }

    /// The states after the layer, which is number `i`; keys and values go into the rows' caches.
    fn forward(
        &self,
        mut x: Vec<f32>,
        i: usize,
        rows: &mut [Row<'_, Cache>],
        angles: &[Option<Angles>],
        config: &Config,
    ) -> Vec<f32> {
        let (heads, eps, beside) = (config.heads, config.eps, &self.adapter);
        let normed = kernel::rms_norm(&x, &self.attention_norm, eps);
        let [mut queries, mut keys, mut values] = self.query_key_value.forward(&normed);
        adapter::add(beside.query.as_ref(), &normed, &mut queries);
        adapter::add(beside.key.as_ref(), &normed, &mut keys);
        adapter::add(beside.value.as_ref(), &normed, &mut values);
        if let Some([query_norm, key_norm]) = &self.head_norms {
            kernel::rms_norm_rows(&mut queries, query_norm, eps);
            kernel::rms_norm_rows(&mut keys, key_norm, eps);
        }
        if let Some(angles) = &angles[self.kind] {
            kernel::rotate(&mut queries, heads.width, angles, config.pairs);
            kernel::rotate(&mut keys, heads.width, angles, config.pairs);
        }
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
        let window = config.kinds[self.kind].window;
        let attended = kernel::causal_attention(&queries, &texts, heads, window);
        let mut more = self.attention_out.forward(&attended);
        adapter::add(beside.attention_out.as_ref(), &attended, &mut more);
        if let Some([after_attention, _]) = &self.out_norms {
            more = kernel::rms_norm(&more, after_attention, eps);
        }
        add(&mut x, &more);
        let normed = kernel::rms_norm(&x, &self.norm, eps);
        let [mut gate, mut up] = self.gate_up.forward(&normed);
        adapter::add(beside.gate.as_ref(), &normed, &mut gate);
        adapter::add(beside.up.as_ref(), &normed, &mut up);
        kernel::gated(&mut gate, &up, config.gate);
        let mut more = self.down.forward(&gate);
        adapter::add(beside.down.as_ref(), &gate, &mut more);
        if let Some([_, after_all]) = &self.out_norms {
            more = kernel::rms_norm(&more, after_all, eps);
        }
        add(&mut x, &more);
        x
    }
}

/// A norm's scales.
fn norm(tensors: &Tensors<'_>, name: &str, length: usize, config: &Config) -> Result<Vec<f32>> {
    let mut scales = tensors.vector(&format!("{name}.weight"), length)?;
    scales.iter_mut().for_each(|v| *v += config.norm_offset);
    Ok(scales)
}

fn add(x: &mut [f32], more: &[f32]) {
    for (x, more) in x.iter_mut().zip(more) {
        *x += more;
    }
}
