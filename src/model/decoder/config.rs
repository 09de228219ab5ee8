//! What a decoder's `config.json` says of it, checked: whatever would make it compute something else than we do is refused. What a GGUF file
//! says stands in `values.rs`.

use serde_json::{Map, Value};

use super::rotary::Rotary;
use crate::error::{Error, Result};
use crate::kernel::{Activation, Heads, Pairs};
use crate::model::config::File;
use crate::model::manifest::Architecture;

/// A decoder's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Tokens of the vocabulary.
    pub words: usize,
    /// Width of a token's state.
    pub width: usize,
    /// Width between the products of the feed-forward part.
    pub inner: usize,
    /// The heads of attention.
    pub heads: Heads,
    /// How layers attend: in one way, or in two.
    pub kinds: Vec<Kind>,
    /// Which of these ways is each layer's.
    pub layers: Vec<u8>,
    /// Tokens that a text may have.
    pub context: usize,
    /// Added to the mean square in norms.
    pub eps: f32,
    /// Which numbers are pairs.
    pub pairs: Pairs,
    /// Whether words are told by the table that they are looked up in.
    pub tied: bool,
    /// Whether queries, keys and values have a bias: Qwen2.
    pub bias: bool,
    /// Whether each head's queries and keys are normed: Qwen3, Gemma.
    pub head_norms: bool,
    /// Whether what attention and the feed-forward part give is normed before it is added: Gemma.
    pub out_norms: bool,
    /// What is added to the norms' scales as they stand in the file: Gemma's safetensors lack a 1.
    pub norm_offset: f32,
    /// What the table's rows are multiplied by: Gemma's by the root of the width. Transformers rounds it to the type that it computes in;
    /// we compute in 32 bits.
    pub word_scale: Option<f32>,
    /// What gates the feed-forward part.
    pub gate: Activation,
    /// Whether queries, keys and values are one matrix, and so gate and up: Phi-3.
    pub fused: bool,
    /// Whether the file has other parts than this one, which reads text.
    pub part: bool,
}

/// How a layer attends.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    /// Tokens that a token sees, itself the last; all before it where there is none.
    pub window: Option<usize>,
    /// How it knows where they stand; where there is none it does not.
    pub rotary: Option<Rotary>,
}

/// The decoders' architectures by the class that `architectures` of a `config.json` names.
const CLASSES: [(&str, Architecture); 8] = [
    ("LlamaForCausalLM", Architecture::Llama),
    ("MistralForCausalLM", Architecture::Mistral),
    ("Qwen2ForCausalLM", Architecture::Qwen2),
    ("Qwen3ForCausalLM", Architecture::Qwen3),
    ("Gemma3ForCausalLM", Architecture::Gemma3),
    ("Gemma3ForConditionalGeneration", Architecture::Gemma3),
    ("Phi3ForCausalLM", Architecture::Phi3),
    ("SmolLM3ForCausalLM", Architecture::Smollm3),
];

/// The decoder that a `config.json` says without doubt that it is of, if it does.
pub fn architecture(json: &[u8]) -> Option<Architecture> {
    let map: Map<String, Value> = serde_json::from_slice(json).ok()?;
    let said = map.get("architectures")?.as_array()?;
    match &said[..] {
        [class] => {
            let found = CLASSES.into_iter().find(|(name, _)| class == name);
            found.map(|(_, architecture)| architecture)
        }
        _ => None,
    }
}

impl Config {
    /// Whether `ids` may follow on so many tokens.
    ///
    /// # Errors
    /// [`Error::Model`] when the text gets longer than the context, or a token is none.
    pub fn check(&self, before: usize, ids: &[u32]) -> Result<()> {
        let after = before + ids.len();
        if after > self.context {
            return Err(Error::Model(format!(
                "a text of {after} tokens, but the model reads {} at most",
                self.context
            )));
        }
        match ids.iter().find(|id| **id as usize >= self.words) {
            Some(id) => Err(Error::Model(format!(
                "the token {id} is none of the model's {} words",
                self.words
            ))),
            None => Ok(()),
        }
    }

    /// What sets an architecture apart, with no sizes yet.
    pub fn of(architecture: Architecture, width: usize) -> Self {
        let gemma = architecture == Architecture::Gemma3;
        Self {
            words: 0,
            width,
            inner: 0,
            heads: Heads {
                queries: 0,
                keys: 0,
                width: 0,
                scale: 1.0,
            },
            kinds: Vec::new(),
            layers: Vec::new(),
            context: 0,
            eps: 0.0,
            pairs: Pairs::Halves,
            tied: false,
            bias: architecture == Architecture::Qwen2,
            head_norms: gemma || architecture == Architecture::Qwen3,
            out_norms: gemma,
            norm_offset: if gemma { 1.0 } else { 0.0 },
            word_scale: gemma.then(|| (width as f32).sqrt()),
            gate: if gemma {
                Activation::GeluTanh
            } else {
                Activation::Silu
            },
            fused: architecture == Architecture::Phi3,
            part: false,
        }
    }

    /// Reads `json`, the file called `name`, which has to be of this architecture.
    ///
    /// # Errors
    /// [`Error::Model`] that names the key.
    pub fn read(json: &[u8], name: &str, architecture: Architecture) -> Result<Self> {
        let whole = File::parse(json, name)?;
        let gemma = architecture == Architecture::Gemma3;
        let model_type = match architecture {
            Architecture::Gemma3 => "gemma3_text",
            other => other.name(),
        };
        // A Gemma that reads pictures as well, of which we take what reads text.
        let part = gemma && whole.map.get("model_type").and_then(Value::as_str) == Some("gemma3");
        let file = match part {
            true => {
                whole.only("tie_word_embeddings", &Value::from(true))?;
                whole.only("quantization_config", &Value::Null)?;
                whole.part("text_config")?
            }
            false => whole,
        };
        if file.map.get("model_type").and_then(Value::as_str) != Some(model_type) {
            return file.fail(format!("model_type is not `{model_type}`"));
        }
        for (key, value) in [
            ("hidden_act", Value::from("silu")),
            ("hidden_activation", Value::from("gelu_pytorch_tanh")),
            ("attention_bias", Value::from(false)),
            ("mlp_bias", Value::from(false)),
            ("lm_head_bias", Value::from(false)),
            ("pretraining_tp", Value::from(1)),
            ("is_encoder_decoder", Value::from(false)),
            ("add_cross_attention", Value::from(false)),
            ("use_bidirectional_attention", Value::from(false)),
            ("quantization_config", Value::Null),
            ("attn_logit_softcapping", Value::Null),
            ("final_logit_softcapping", Value::Null),
        ] {
            // Keys that the architecture does not have, and some files do.
            match (key, architecture) {
                ("hidden_act", Architecture::Gemma3)
                | ("pretraining_tp", Architecture::Smollm3) => {}
                _ => file.only(key, &value)?,
            }
        }
        // Gemma's files leave out what is usual.
        let count = |key: &str, usual: usize| match gemma {
            true => file.count_or(key, usual, 1),
            false => file.count(key),
        };
        let width = file.count("hidden_size")?;
        let queries = count("num_attention_heads", 8)?;
        let usual = match architecture {
            Architecture::Gemma3 => 256,
            Architecture::Qwen3 => 128,
            _ => width.checked_div(queries).unwrap_or(0),
        };
        let head = file.count_or("head_dim", usual, 1)?;
        let scaled_by = match gemma {
            true => file.float_or("query_pre_attn_scalar", 256.0)?,
            false => head as f64,
        };
        let keys = if gemma { 4 } else { queries };
        let heads = Heads {
            queries,
            keys: file.count_or("num_key_value_heads", keys, 1)?,
            width: head,
            scale: 1.0 / (scaled_by as f32).sqrt(),
        };
        let (kinds, layers) = layers(&file, architecture, head)?;
        let context = count("max_position_embeddings", 131_072)?;
        let limits = kinds.iter().filter_map(|kind| kind.rotary.as_ref()?.limit);
        let tied = gemma || architecture == Architecture::Smollm3;
        let eps = match architecture {
            Architecture::Phi3 => 1e-5,
            _ => 1e-6,
        };
        let config = Self {
            words: count("vocab_size", 262_208)?,
            inner: file.count("intermediate_size")?,
            heads,
            context: limits.fold(context, usize::min),
            kinds,
            layers,
            eps: file.float_or("rms_norm_eps", eps)? as f32,
            tied: file.flag_or("tie_word_embeddings", tied)?,
            part,
            ..Self::of(architecture, width)
        };
        if part && !config.tied {
            return file.fail("tie_word_embeddings is false in text_config alone".to_owned());
        }
        match config.wrong() {
            None => Ok(config),
            Some(what) => file.fail(what),
        }
    }

    /// What makes no decoder of it.
    pub fn wrong(&self) -> Option<String> {
        let Heads {
            queries,
            keys,
            width,
            scale,
        } = self.heads;
        let sizes = [
            self.words,
            self.width,
            self.inner,
            self.layers.len(),
            self.context,
            queries,
            keys,
            width,
        ];
        let blind = self.kinds.iter().any(|kind| kind.window == Some(0));
        if sizes.contains(&0) || blind {
            return Some("a decoder without words, width, layers, heads or context".to_owned());
        }
        if !queries.is_multiple_of(keys) {
            return Some(format!(
                "{queries} heads of queries do not share {keys} of keys evenly"
            ));
        }
        if !width.is_multiple_of(2) {
            return Some("a head's width has to be even: it is turned in pairs".to_owned());
        }
        if queries.saturating_mul(width) > MOST as usize {
            return Some(format!("{queries} heads of width {width}"));
        }
        if !(scale.is_finite() && scale > 0.0) {
            return Some("query_pre_attn_scalar has to be above 0".to_owned());
        }
        let mut rotaries = self.kinds.iter().filter_map(|kind| kind.rotary.as_ref());
        (!rotaries.all(|rotary| rotary.fits(width)))
            .then(|| "its rotary frequencies are no numbers".to_owned())
    }
}

/// More than any size of any model that is meant.
pub const MOST: i128 = 1 << 24;

/// One layer in so many of SmolLM3's does not know where tokens stand.
pub const NO_TURN_EVERY: usize = 4;

/// One layer in `every` is of kind 0, the last of them; the others of kind 1.
pub fn periodic(layers: usize, every: usize) -> Vec<u8> {
    let kind = |layer: usize| u8::from(!layer.is_multiple_of(every));
    (1..=layers).map(kind).collect()
}

/// How layers attend, and which of these ways each does.
fn layers(
    file: &File<'_>,
    architecture: Architecture,
    head: usize,
) -> Result<(Vec<Kind>, Vec<u8>)> {
    let layers = file.count("num_hidden_layers")?;
    let set = |key: &str| file.map.get(key).filter(|value| !value.is_null());
    let (newer, older) = (set("rope_parameters"), set("rope_scaling"));
    if newer.is_some() && older.is_some_and(|older| newer != Some(older)) {
        return file.fail(
            "rope_parameters and rope_scaling say two things: leave the one that holds".to_owned(),
        );
    }
    let rotary = |settings, theta| Rotary::read(file, settings, theta, head, architecture);
    if architecture == Architecture::Gemma3 {
        let by_kind = |kind: &str| newer.and_then(|newer| newer.get(kind));
        let (far, near) = (by_kind("full_attention"), by_kind("sliding_attention"));
        if newer.is_some() && far.or(near).is_none() {
            return file.fail(
                "rope_parameters are not those of full_attention and sliding_attention".to_owned(),
            );
        }
        let which = gemma_layers(file, layers)?;
        let window = match file.map.get("sliding_window") {
            Some(Value::Null) if which.contains(&1) => {
                return file.fail("sliding_window is null, but layers have one".to_owned());
            }
            _ => file.count_or("sliding_window", 4096, 1)?,
        };
        let global = Kind {
            window: None,
            rotary: Some(rotary(far.or(older), file.float_or("rope_theta", 1e6)?)?),
        };
        let local = Kind {
            window: Some(window),
            rotary: Some(rotary(near, file.float_or("rope_local_base_freq", 1e4)?)?),
        };
        return Ok((vec![global, local], which));
    }
    let theta = match architecture {
        Architecture::Smollm3 => 2e6,
        _ => 1e4,
    };
    let window = window(file, architecture)?;
    let turned = Kind {
        window,
        rotary: Some(rotary(
            newer.or(older),
            file.float_or("rope_theta", theta)?,
        )?),
    };
    if architecture != Architecture::Smollm3 {
        return Ok((vec![turned], vec![0; layers]));
    }
    let unturned = Kind {
        window,
        rotary: None,
    };
    Ok((vec![unturned, turned], smollm_layers(file, layers)?))
}

/// Which of Gemma's layers see a window alone (kind 1), and which all (kind 0).
fn gemma_layers(file: &File<'_>, layers: usize) -> Result<Vec<u8>> {
    let every = file.count_or("sliding_window_pattern", 6, 1)?;
    let periodic = periodic(layers, every);
    let Some(kinds) = file.map.get("layer_types").filter(|kinds| !kinds.is_null()) else {
        return Ok(periodic);
    };
    let kinds = kinds.as_array().map_or(&[][..], Vec::as_slice);
    let kinds = kinds.iter().map_while(|kind| match kind.as_str() {
        Some("full_attention") => Some(0),
        Some("sliding_attention") => Some(1),
        _ => None,
    });
    let kinds: Vec<u8> = kinds.collect();
    if kinds.len() != layers {
        return file.fail(format!(
            "layer_types are not full_attention or sliding_attention for each of {layers} layers"
        ));
    }
    if file
        .map
        .get("sliding_window_pattern")
        .is_some_and(|every| !every.is_null())
        && kinds != periodic
    {
        return file.fail(format!(
            "layer_types are not those of sliding_window_pattern {every}"
        ));
    }
    Ok(kinds)
}

/// Which of SmolLM3's layers know where tokens stand (kind 1), and which do not (kind 0).
fn smollm_layers(file: &File<'_>, layers: usize) -> Result<Vec<u8>> {
    let Some(list) = file
        .map
        .get("no_rope_layers")
        .filter(|list| !list.is_null())
    else {
        let every = file.count_or("no_rope_layer_interval", NO_TURN_EVERY, 1)?;
        return Ok(periodic(layers, every));
    };
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    let kinds = list
        .iter()
        .take(layers)
        .map_while(|turned| match turned.as_u64() {
            Some(turned @ (0 | 1)) => Some(turned as u8),
            _ => None,
        });
    let kinds: Vec<u8> = kinds.collect();
    match kinds.len() == layers {
        true => Ok(kinds),
        false => file.fail(format!(
            "no_rope_layers are not 0 or 1 for each of {layers} layers"
        )),
    }
}

/// Tokens that a token sees, if not all.
fn window(file: &File<'_>, architecture: Architecture) -> Result<Option<usize>> {
    file.only("use_sliding_window", &Value::from(false))?;
    let window = match (architecture, file.map.get("sliding_window")) {
        // Without the key Mistral's is 4096, with null there is none.
        (Architecture::Mistral, None) => Some(4096),
        (Architecture::Mistral | Architecture::Phi3, Some(Value::Null)) => None,
        (Architecture::Mistral | Architecture::Phi3, Some(_)) => {
            Some(file.count("sliding_window")?)
        }
        _ => None,
    };
    let kind = match window {
        Some(_) => "sliding_attention",
        None => "full_attention",
    };
    let kinds = file.map.get("layer_types").filter(|kinds| !kinds.is_null());
    if let Some(kinds) = kinds
        && !kinds
            .as_array()
            .is_some_and(|kinds| kinds.iter().all(|k| k == kind))
    {
        return file.fail(format!("layer_types are not all {kind}"));
    }
    Ok(window)
}
