//! What a decoder's `config.json`, or a GGUF file's own values, say of it, checked: whatever would make it compute something else than we
//! do is refused.

use serde_json::{Map, Value};

use super::gguf::{self, Gguf};
use crate::error::{Error, Result};
use crate::kernel::{Heads, Pairs};
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
    /// Layers.
    pub layers: usize,
    /// The heads of attention.
    pub heads: Heads,
    /// Tokens that a text may have.
    pub context: usize,
    /// Added to the mean square in norms.
    pub eps: f32,
    /// What positions turn each pair of a head's numbers by.
    pub frequencies: Vec<f32>,
    /// Which numbers are pairs.
    pub pairs: Pairs,
    /// Whether words are told by the table that they are looked up in.
    pub tied: bool,
    /// Whether queries, keys and values have a bias: Qwen2.
    pub bias: bool,
    /// Whether each head's queries and keys are normed: Qwen3.
    pub head_norms: bool,
}

/// The decoders' architectures by the class that `architectures` of a `config.json` names.
const CLASSES: [(&str, Architecture); 4] = [
    ("LlamaForCausalLM", Architecture::Llama),
    ("MistralForCausalLM", Architecture::Mistral),
    ("Qwen2ForCausalLM", Architecture::Qwen2),
    ("Qwen3ForCausalLM", Architecture::Qwen3),
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
    /// Reads `json`, the file called `name`, which has to be of this architecture.
    ///
    /// # Errors
    /// [`Error::Model`] that names the key.
    pub fn read(json: &[u8], name: &str, architecture: Architecture) -> Result<Self> {
        let file = File::parse(json, name)?;
        if file.map.get("model_type").and_then(Value::as_str) != Some(architecture.name()) {
            return file.fail(format!("model_type is not `{}`", architecture.name()));
        }
        for (key, value) in [
            ("hidden_act", Value::from("silu")),
            ("attention_bias", Value::from(false)),
            ("mlp_bias", Value::from(false)),
            ("pretraining_tp", Value::from(1)),
            ("is_encoder_decoder", Value::from(false)),
            ("add_cross_attention", Value::from(false)),
            ("quantization_config", Value::Null),
            ("attn_logit_softcapping", Value::Null),
            ("final_logit_softcapping", Value::Null),
        ] {
            file.only(key, &value)?;
        }
        let width = file.count("hidden_size")?;
        let queries = file.count("num_attention_heads")?;
        let usual = match architecture {
            Architecture::Qwen3 => 128,
            _ => width.checked_div(queries).unwrap_or(0),
        };
        let heads = Heads {
            queries,
            keys: file.count_or("num_key_value_heads", queries, 1)?,
            width: file.count_or("head_dim", usual, 1)?,
            window: window(&file, architecture)?,
        };
        let config = Self {
            words: file.count("vocab_size")?,
            width,
            inner: file.count("intermediate_size")?,
            layers: file.count("num_hidden_layers")?,
            context: file.count("max_position_embeddings")?,
            eps: file.float_or("rms_norm_eps", 1e-6)? as f32,
            frequencies: rope(&file, heads.width)?,
            pairs: Pairs::Halves,
            tied: file.flag_or("tie_word_embeddings", false)?,
            bias: architecture == Architecture::Qwen2,
            head_norms: architecture == Architecture::Qwen3,
            heads,
        };
        match config.wrong() {
            None => Ok(config),
            Some(what) => file.fail(what),
        }
    }

    /// Reads the values of a GGUF file.
    ///
    /// # Errors
    /// [`Error::Model`] that names the key.
    pub fn of_gguf(file: &Gguf<'_>) -> Result<(Self, Architecture)> {
        let said = file.text("general.architecture")?.unwrap_or_default();
        // Those of Mistral are of Llama's, with its values.
        let known = [
            Architecture::Llama,
            Architecture::Qwen2,
            Architecture::Qwen3,
        ];
        let Some(architecture) = known.into_iter().find(|a| a.name() == said) else {
            return fail(format!(
                "its architecture is `{said}`; those of GGUF files that can be read are llama, qwen2 and qwen3"
            ));
        };
        let prefix = format!("{said}.");
        let unknown = file.names().find(|name| {
            let key = name.strip_prefix(&prefix);
            key.is_some_and(|key| !KEYS.contains(&key))
        });
        if let Some(unknown) = unknown {
            return fail(format!(
                "{unknown} is a setting that this program does not know"
            ));
        }
        let value = |key: &str| file.value(&format!("{prefix}{key}"));
        let count_or = |key: &str, usual: Option<usize>| match (value(key), usual) {
            (Some(gguf::Value::Whole(n @ 0..=MOST)), _) => Ok(n as usize),
            (None, Some(usual)) => Ok(usual),
            (None, None) => fail(format!("{prefix}{key} is missing")),
            (Some(_), _) => fail(format!("{prefix}{key} is no number of a decoder")),
        };
        let float_or = |key: &str, usual: Option<f64>| match (value(key), usual) {
            (Some(gguf::Value::Float(v)), _) if v.is_finite() && v > 0.0 => Ok(v),
            (None, Some(usual)) => Ok(usual),
            (None, None) => fail(format!("{prefix}{key} is missing")),
            (Some(_), _) => fail(format!("{prefix}{key} is no number of a decoder")),
        };
        for key in ["expert_count", "expert_used_count"] {
            if count_or(key, Some(0))? != 0 {
                return fail(format!("{prefix}{key}: models of experts are not computed"));
            }
        }
        if let Some(scaling) = file.text(&format!("{prefix}rope.scaling.type"))?
            && scaling != "none"
        {
            return fail(format!(
                "{prefix}rope.scaling.type is `{scaling}`, not none"
            ));
        }
        let width = count_or("embedding_length", None)?;
        let queries = count_or("attention.head_count", None)?;
        let usual = width.checked_div(queries).unwrap_or(0);
        let head = count_or("attention.key_length", Some(usual))?;
        for key in ["attention.value_length", "rope.dimension_count"] {
            let found = count_or(key, Some(head))?;
            if found != head {
                return fail(format!(
                    "{prefix}{key} is {found}, but a head is {head} wide"
                ));
            }
        }
        let heads = Heads {
            queries,
            keys: count_or("attention.head_count_kv", Some(queries))?,
            width: head,
            window: match count_or("attention.sliding_window", Some(0))? {
                0 => None,
                window => Some(window),
            },
        };
        let mut frequencies = frequencies(float_or("rope.freq_base", Some(10_000.0))?, head);
        // Llama 3's long contexts, as what each frequency is divided by.
        if file.has(ROPE_FACTORS) {
            for (frequency, factor) in frequencies
                .iter_mut()
                .zip(file.vector(ROPE_FACTORS, head / 2)?)
            {
                *frequency /= factor;
            }
        }
        let config = Self {
            words: file.rows("token_embd.weight")?,
            width,
            inner: count_or("feed_forward_length", None)?,
            layers: count_or("block_count", None)?,
            context: count_or("context_length", None)?,
            eps: float_or("attention.layer_norm_rms_epsilon", None)? as f32,
            frequencies,
            pairs: match architecture {
                Architecture::Llama => Pairs::Neighbours,
                _ => Pairs::Halves,
            },
            tied: !file.has("output.weight"),
            bias: architecture == Architecture::Qwen2,
            head_norms: architecture == Architecture::Qwen3,
            heads,
        };
        match config.wrong() {
            None => Ok((config, architecture)),
            Some(what) => fail(what),
        }
    }

    /// What makes no decoder of it.
    fn wrong(&self) -> Option<String> {
        let Heads {
            queries,
            keys,
            width,
            window,
        } = self.heads;
        let sizes = [
            self.words,
            self.width,
            self.inner,
            self.layers,
            self.context,
            queries,
            keys,
            width,
        ];
        if sizes.contains(&0) || window == Some(0) {
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
        let finite = self.frequencies.iter().all(|f| f.is_finite());
        (!finite).then(|| "its rotary frequencies are no numbers".to_owned())
    }
}

/// What is wrong with a GGUF file.
fn fail<T>(what: String) -> Result<T> {
    Err(Error::Model(format!("the GGUF file: {what}")))
}

/// More than any size of any model that is meant.
const MOST: i128 = 1 << 24;

/// What a frequency is divided by.
const ROPE_FACTORS: &str = "rope_freqs.weight";

/// Settings of a GGUF file's architecture that are known here; those that say where it came from stand elsewhere.
const KEYS: [&str; 17] = [
    "vocab_size",
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.type",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.layer_norm_rms_epsilon",
    "attention.key_length",
    "attention.value_length",
    "attention.sliding_window",
    "expert_count",
    "expert_used_count",
    "tensor_data_layout",
];

/// Tokens that a token sees, if not all.
fn window(file: &File<'_>, architecture: Architecture) -> Result<Option<usize>> {
    file.only("use_sliding_window", &Value::from(false))?;
    let window = match (architecture, file.map.get("sliding_window")) {
        // Without the key it is 4096, with null there is none.
        (Architecture::Mistral, None) => Some(4096),
        (Architecture::Mistral, Some(Value::Null)) => None,
        (Architecture::Mistral, Some(_)) => Some(file.count("sliding_window")?),
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

/// The rotary frequencies for heads of `width`, by the older names of their settings or the newer.
fn rope(file: &File<'_>, width: usize) -> Result<Vec<f32>> {
    let set = |key: &str| file.map.get(key).filter(|value| !value.is_null());
    let rope = set("rope_parameters").or(set("rope_scaling"));
    let part = |key: &str| rope.and_then(|rope| rope.get(key)).filter(|v| !v.is_null());
    let number = |key: &str| match part(key).and_then(Value::as_f64) {
        Some(v) if v.is_finite() && v > 0.0 => Ok(v),
        _ => file.fail(format!("the rotary setting {key} is no number above 0")),
    };
    let share = match part("partial_rotary_factor") {
        Some(share) => share.as_f64(),
        None => Some(file.float_or("partial_rotary_factor", 1.0)?),
    };
    if share != Some(1.0) {
        return file.fail(
            "partial_rotary_factor: only heads that are turned as a whole are computed".to_owned(),
        );
    }
    let theta = match part("rope_theta") {
        Some(_) => number("rope_theta")?,
        None => file.float_or("rope_theta", 10_000.0)?,
    };
    if !(theta.is_finite() && theta > 1.0) {
        return file.fail(format!("rope_theta is {theta}; it has to be above 1"));
    }
    let mut frequencies = frequencies(theta, width);
    let kind = part("rope_type").or(part("type"));
    match kind.map_or(Some("default"), Value::as_str) {
        Some("default") => {}
        // Llama 3.1 and later: slow turns are slowed further, fast ones kept, and those between in between.
        Some("llama3") => {
            let factor = number("factor")?;
            let (low, high) = (number("low_freq_factor")?, number("high_freq_factor")?);
            let trained = number("original_max_position_embeddings")?;
            if high <= low {
                return file.fail("high_freq_factor has to be above low_freq_factor".to_owned());
            }
            for frequency in &mut frequencies {
                let turns = trained * f64::from(*frequency) / std::f64::consts::TAU;
                let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                let scaled = f64::from(*frequency) * (kept + (1.0 - kept) / factor);
                *frequency = scaled as f32;
            }
        }
        other => {
            return file.fail(format!(
                "the rotary scaling is `{}`; default and llama3 are computed",
                other.unwrap_or_default()
            ));
        }
    }
    Ok(frequencies)
}

/// Su et al. 2021, arXiv 2104.09864.
fn frequencies(theta: f64, width: usize) -> Vec<f32> {
    let power = |i: usize| theta.powf(-2.0 * i as f64 / width as f64);
    (0..width / 2).map(|i| power(i) as f32).collect()
}
