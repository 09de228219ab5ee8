//! What `config.json` says of an encoder, checked: whatever would make it compute something else than we do is refused.
//!
//! The files are those of Hugging Face transformers; a key that may be missing has the value that transformers gives it.

use serde_json::{Map, Value};

use super::manifest::Architecture;
use crate::error::{Error, Result};

/// More than any size of any model that is meant: products of two cannot overflow, and nothing is reserved for it.
const MOST: u64 = 1 << 24;

/// An encoder's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The family.
    pub family: Family,
    /// Tokens of the vocabulary.
    pub words: usize,
    /// Width of a token's state.
    pub width: usize,
    /// Width between the two products of the feed-forward part.
    pub inner: usize,
    /// Layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Positions that the encoder knows: rows of the table, where there is one.
    pub positions: usize,
    /// Kinds of segment: 2 where claim and text are told apart, else 1 or 0.
    pub types: usize,
    /// Added to the variance in layer norms.
    pub eps: f32,
    /// The classifier's labels in the order of its logits (`id2label`); none where the file names none.
    pub labels: Vec<String>,
}

/// What only some families have.
#[derive(Debug, Clone, PartialEq)]
pub enum Family {
    /// Devlin et al. 2018, arXiv 1810.04805.
    Bert,
    /// Liu et al. 2019, arXiv 1907.11692, and its multilingual sister (Conneau et al. 2019, arXiv 1911.02116): BERT whose first
    /// token stands at this position.
    Roberta {
        /// One past the padding token's id.
        first: usize,
    },
    /// Sanh et al. 2019, arXiv 1910.01108: BERT without segments.
    DistilBert,
    /// He et al. 2021, arXiv 2111.09543 and 2006.03654.
    Deberta(Deberta),
    /// Warner et al. 2024, arXiv 2412.13663.
    ModernBert(ModernBert),
}

/// What DeBERTa has besides.
#[derive(Debug, Clone, PartialEq)]
pub struct Deberta {
    /// Whether the table of absolute positions is added to the words.
    pub absolute: bool,
    /// How attention knows relative positions.
    pub relative: Relative,
    /// Width of the convolution beside the first layer, and its groups.
    pub convolution: Option<(usize, usize)>,
}

/// DeBERTa's relative positions.
#[derive(Debug, Clone, PartialEq)]
pub struct Relative {
    /// Distances beyond this one are all the same.
    pub most: usize,
    /// Buckets that larger distances share, if they do.
    pub buckets: Option<usize>,
    /// Whether a query looks at its distance from each key.
    pub content_to_position: bool,
    /// Whether a key looks at its distance from each query.
    pub position_to_content: bool,
    /// Whether positions go through the words' own projections.
    pub shared: bool,
    /// Whether their table is layer-normalised.
    pub norm: bool,
}

/// What ModernBERT has besides.
#[derive(Debug, Clone, PartialEq)]
pub struct ModernBert {
    /// One layer in so many sees the whole window.
    pub global_every: usize,
    /// Base of the rotary frequencies in those layers.
    pub global_theta: f64,
    /// The same in the others.
    pub local_theta: f64,
    /// Tokens that the others see, half on each side.
    pub local: usize,
    /// Whether the classifier reads the mean of all tokens; else the first.
    pub mean: bool,
}

impl Config {
    /// Reads `json`, the file called `name`, which has to be of this architecture.
    ///
    /// # Errors
    /// [`Error::Model`] that names the key.
    pub fn read(json: &[u8], name: &str, architecture: Architecture) -> Result<Self> {
        let file = File::parse(json, name)?;
        let said = file.architecture()?;
        if said != architecture {
            return file.fail(format!(
                "model_type is `{}`; the manifest says `{}`",
                said.name(),
                architecture.name()
            ));
        }
        let config = file.config(said)?;
        if !config.width.is_multiple_of(config.heads) {
            return file.fail(format!(
                "the width of {} does not divide by {} attention heads",
                config.width, config.heads
            ));
        }
        if matches!(config.family, Family::ModernBert(_)) && (config.width / config.heads) % 2 == 1
        {
            return file.fail("a head's width has to be even: it is turned in pairs".to_owned());
        }
        Ok(config)
    }

    /// The architecture that `json` names.
    ///
    /// # Errors
    /// [`Error::Model`] when it names none that is known.
    pub fn architecture(json: &[u8], name: &str) -> Result<Architecture> {
        File::parse(json, name)?.architecture()
    }

    /// The head that `json` says the weights end in, where it is not a classifier's.
    ///
    /// # Errors
    /// [`Error::Model`] that says which head it is.
    pub fn expect_classifier(json: &[u8], name: &str) -> Result<()> {
        let file = File::parse(json, name)?;
        let heads = file.map.get("architectures").and_then(Value::as_array);
        for head in heads.into_iter().flatten().filter_map(Value::as_str) {
            if !head.ends_with("ForSequenceClassification") {
                return file.fail(format!(
                    "it is a {head}: only models for sequence classification answer questions of stance. Name one that was fine-tuned on NLI or stance"
                ));
            }
        }
        match file.map.get("problem_type").and_then(Value::as_str) {
            None | Some("single_label_classification") => Ok(()),
            Some(other) => file.fail(format!(
                "problem_type is `{other}`: its labels do not exclude each other, as those of a stance do"
            )),
        }
    }

    /// Tokens that a window may have.
    pub fn longest(&self) -> usize {
        match self.family {
            Family::Roberta { first } => self.positions.saturating_sub(first),
            _ => self.positions,
        }
    }
}

/// A configuration that is being read.
pub(super) struct File<'a> {
    name: &'a str,
    pub(super) map: Map<String, Value>,
}

impl<'a> File<'a> {
    pub(super) fn parse(json: &[u8], name: &'a str) -> Result<Self> {
        match serde_json::from_slice(json) {
            Ok(map) => Ok(Self { name, map }),
            Err(e) => Err(Error::Model(format!("{name}: {e}"))),
        }
    }

    /// The map that a key holds, as a file of its own.
    pub(super) fn part(&self, key: &str) -> Result<Self> {
        match self.map.get(key) {
            Some(Value::Object(map)) => Ok(Self {
                name: self.name,
                map: map.clone(),
            }),
            _ => self.fail(format!("{key} is missing")),
        }
    }

    pub(super) fn fail<T>(&self, what: String) -> Result<T> {
        Err(Error::Model(format!("{}: {what}", self.name)))
    }

    fn architecture(&self) -> Result<Architecture> {
        let said = self.map.get("model_type").and_then(Value::as_str);
        let names = |known: &[Architecture]| {
            let names: Vec<&str> = known.iter().map(|known| known.name()).collect();
            names.join(", ")
        };
        match Architecture::ENCODERS
            .into_iter()
            .find(|a| said == Some(a.name()))
        {
            Some(architecture) => Ok(architecture),
            None => self.fail(format!(
                "model_type is `{}`; the families that can be read are {}, and of decoders, which `architectures` names, {}",
                said.unwrap_or_default(),
                names(&Architecture::ENCODERS),
                names(&Architecture::DECODERS)
            )),
        }
    }

    fn config(&self, architecture: Architecture) -> Result<Config> {
        for (key, value) in [
            ("position_embedding_type", Value::from("absolute")),
            ("is_decoder", Value::from(false)),
            ("add_cross_attention", Value::from(false)),
            ("quantization_config", Value::Null),
        ] {
            self.only(key, &value)?;
        }
        let activation = match architecture {
            Architecture::Distilbert => "activation",
            Architecture::Modernbert => "hidden_activation",
            _ => "hidden_act",
        };
        self.only(activation, &Value::from("gelu"))?;
        match architecture {
            Architecture::Bert => self.bert(Family::Bert),
            Architecture::Roberta | Architecture::XlmRoberta => self.bert(Family::Roberta {
                first: self.count_or("pad_token_id", 1, 0)? + 1,
            }),
            Architecture::Distilbert => Ok(Config {
                family: Family::DistilBert,
                words: self.count("vocab_size")?,
                width: self.count("dim")?,
                inner: self.count("hidden_dim")?,
                layers: self.count("n_layers")?,
                heads: self.count("n_heads")?,
                positions: self.count("max_position_embeddings")?,
                types: 0,
                eps: 1e-12,
                labels: self.labels()?,
            }),
            Architecture::DebertaV2 => self.bert(Family::Deberta(self.deberta()?)),
            Architecture::Modernbert => {
                let family = Family::ModernBert(self.modern_bert()?);
                let eps = self.float_or("norm_eps", 1e-5)?;
                Ok(Config {
                    types: 0,
                    eps: eps as f32,
                    ..self.bert(family)?
                })
            }
            Architecture::Llama
            | Architecture::Mistral
            | Architecture::Qwen2
            | Architecture::Qwen3
            | Architecture::Gemma3
            | Architecture::Phi3
            | Architecture::Smollm3 => self.fail("it is of a decoder, not an encoder".to_owned()),
            Architecture::T5 | Architecture::Bart | Architecture::Pegasus => {
                self.fail("it is of a summariser, not an encoder".to_owned())
            }
        }
    }

    /// The sizes by the names that most families give them.
    fn bert(&self, family: Family) -> Result<Config> {
        let (types, eps) = match family {
            Family::Deberta(_) => (0, 1e-7),
            _ => (2, 1e-12),
        };
        Ok(Config {
            family,
            words: self.count("vocab_size")?,
            width: self.count("hidden_size")?,
            inner: self.count("intermediate_size")?,
            layers: self.count("num_hidden_layers")?,
            heads: self.count("num_attention_heads")?,
            positions: self.count("max_position_embeddings")?,
            types: self.count_or("type_vocab_size", types, 0)?,
            eps: self.float_or("layer_norm_eps", eps)? as f32,
            labels: self.labels()?,
        })
    }

    fn deberta(&self) -> Result<Deberta> {
        let width = self.count("hidden_size")?;
        for key in ["embedding_size", "pooler_hidden_size"] {
            self.only(key, &Value::from(width))?;
        }
        self.only("attention_head_size", &Value::Null)?;
        self.only("pooler_hidden_act", &Value::from("gelu"))?;
        let kernel = self.count_or("conv_kernel_size", 0, 0)?;
        if kernel > 0 {
            self.only("conv_act", &Value::from("tanh"))?;
            if kernel % 2 == 0 {
                return self.fail(format!("conv_kernel_size is {kernel}; it has to be odd"));
            }
        }
        let groups = self.count_or("conv_groups", 1, 1)?;
        if !width.is_multiple_of(groups) {
            return self.fail(format!(
                "conv_groups is {groups}, which does not divide {width}"
            ));
        }
        Ok(Deberta {
            absolute: self.flag_or("position_biased_input", true)?,
            relative: self.relative()?,
            convolution: (kernel > 0).then_some((kernel, groups)),
        })
    }

    fn relative(&self) -> Result<Relative> {
        // What is missing here is false in transformers.
        if !self.flag_or("relative_attention", false)? {
            return self.fail(
                "relative_attention is false; this program computes only DeBERTa with it"
                    .to_owned(),
            );
        }
        let kinds: Vec<String> = match self.map.get("pos_att_type") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::String(text)) => text.split('|').map(|k| k.trim().to_lowercase()).collect(),
            Some(Value::Array(kinds)) => {
                let kinds = kinds.iter().map(|kind| kind.as_str().unwrap_or_default());
                kinds.map(str::to_owned).collect()
            }
            Some(other) => return self.fail(format!("pos_att_type is {other}")),
        };
        if let Some(kind) = kinds
            .iter()
            .find(|kind| !["c2p", "p2c"].contains(&&kind[..]))
        {
            return self.fail(format!(
                "pos_att_type `{kind}` is none that is known: c2p, p2c"
            ));
        }
        if kinds.is_empty() {
            return self.fail("pos_att_type is empty: it has to name c2p, p2c or both".to_owned());
        }
        let norm = match self.map.get("norm_rel_ebd").and_then(Value::as_str) {
            None | Some("none") => false,
            Some("layer_norm") => true,
            Some(other) => {
                return self.fail(format!("norm_rel_ebd is `{other}`, not layer_norm or none"));
            }
        };
        // −1 stands for a default.
        let positive = |key| match self.map.get(key).and_then(Value::as_i64) {
            Some(n) if n < 1 => Ok(0),
            _ => self.count_or(key, 0, 0),
        };
        let most = match positive("max_relative_positions")? {
            0 => self.count("max_position_embeddings")?,
            most => most,
        };
        let buckets = Some(positive("position_buckets")?).filter(|buckets| *buckets > 0);
        // Their logarithms have to mean something.
        if buckets.is_some_and(|buckets| buckets < 4 || most <= buckets / 2 + 1) {
            return self.fail(format!(
                "position_buckets {buckets:?} do not fit max_relative_positions {most}"
            ));
        }
        Ok(Relative {
            most,
            buckets,
            content_to_position: kinds.iter().any(|kind| kind == "c2p"),
            position_to_content: kinds.iter().any(|kind| kind == "p2c"),
            shared: self.flag_or("share_att_key", false)?,
            norm,
        })
    }

    fn modern_bert(&self) -> Result<ModernBert> {
        for key in ["attention_bias", "mlp_bias", "norm_bias", "classifier_bias"] {
            self.only(key, &Value::from(false))?;
        }
        self.only("classifier_activation", &Value::from("gelu"))?;
        self.only("rope_scaling", &Value::Null)?;
        let layers = self.count("num_hidden_layers")?;
        let global_every = match self.map.get("layer_types") {
            None | Some(Value::Null) => self.count_or("global_attn_every_n_layers", 3, 1)?,
            Some(types) => {
                let types = types.as_array().map_or(&[][..], Vec::as_slice);
                let global = |kind: &Value| kind == "full_attention";
                let every = types
                    .iter()
                    .skip(1)
                    .position(global)
                    .map_or(layers, |at| at + 1);
                let periodic = |(i, kind): (usize, &Value)| match i % every.max(1) {
                    0 => global(kind),
                    _ => kind == "sliding_attention",
                };
                if types.len() != layers || !types.iter().enumerate().all(periodic) {
                    return self.fail(
                        "layer_types are not one full_attention in so many sliding_attention, beginning with the first layer".to_owned(),
                    );
                }
                every
            }
        };
        Ok(ModernBert {
            global_every,
            global_theta: self.theta("full_attention", "global_rope_theta", 160_000.0)?,
            local_theta: self.theta("sliding_attention", "local_rope_theta", 10_000.0)?,
            local: self.count_or("local_attention", 128, 1)?,
            mean: match self.map.get("classifier_pooling").and_then(Value::as_str) {
                None | Some("cls") => false,
                Some("mean") => true,
                Some(other) => {
                    return self.fail(format!("classifier_pooling is `{other}`, not cls or mean"));
                }
            },
        })
    }

    /// The base of the rotary frequencies, by its newer name or its older one.
    fn theta(&self, kind: &str, older: &str, usual: f64) -> Result<f64> {
        let rope = self
            .map
            .get("rope_parameters")
            .and_then(|rope| rope.get(kind));
        match rope
            .and_then(|rope| rope.get("rope_type"))
            .and_then(Value::as_str)
        {
            None | Some("default") => {}
            Some(other) => return self.fail(format!("rope_type is `{other}`, not default")),
        }
        let theta = match rope.and_then(|rope| rope.get("rope_theta")) {
            Some(theta) => theta.as_f64(),
            None => Some(self.float_or(older, usual)?),
        };
        match theta {
            Some(theta) if theta.is_finite() && theta > 1.0 => Ok(theta),
            _ => self.fail(format!("the rope_theta of {kind} has to be above 1")),
        }
    }

    /// The labels by their logits.
    fn labels(&self) -> Result<Vec<String>> {
        let Some(names) = self.map.get("id2label").filter(|names| !names.is_null()) else {
            return Ok(Vec::new());
        };
        let count = names.as_object().map_or(0, Map::len);
        (0..count)
            .map(|i| match names.get(i.to_string()).and_then(Value::as_str) {
                Some(name) => Ok(name.to_owned()),
                None => self.fail(format!("id2label names no label {i}, but {count} of them")),
            })
            .collect()
    }

    /// A value that has to be this one, or missing.
    pub(super) fn only(&self, key: &str, value: &Value) -> Result<()> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(()),
            Some(found) if found == value => Ok(()),
            Some(found) => self.fail(format!(
                "{key} is {found}; this program computes only {}",
                match value {
                    Value::Null => "models without it".to_owned(),
                    value => value.to_string(),
                }
            )),
        }
    }

    /// A size, which no model is without: 1 at least.
    pub(super) fn count(&self, key: &str) -> Result<usize> {
        match self.map.get(key) {
            None | Some(Value::Null) => self.fail(format!("{key} is missing")),
            Some(value) => self.size(key, value, 1),
        }
    }

    /// A number of `least` or more; `usual` where it is missing.
    pub(super) fn count_or(&self, key: &str, usual: usize, least: u64) -> Result<usize> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(usual),
            Some(value) => self.size(key, value, least),
        }
    }

    fn size(&self, key: &str, value: &Value, least: u64) -> Result<usize> {
        match value.as_u64().filter(|n| (least..=MOST).contains(n)) {
            Some(n) => Ok(n as usize),
            None => self.fail(format!("{key} is {value}, which is no size of a model")),
        }
    }

    pub(super) fn float_or(&self, key: &str, usual: f64) -> Result<f64> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(usual),
            Some(value) => match value.as_f64().filter(|v| *v >= 0.0) {
                Some(value) => Ok(value),
                None => self.fail(format!("{key} is {value}, which is no number of a model")),
            },
        }
    }

    pub(super) fn flag_or(&self, key: &str, usual: bool) -> Result<bool> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(usual),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(value) => self.fail(format!("{key} is {value}, not true or false")),
        }
    }
}
