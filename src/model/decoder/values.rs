//! What a GGUF file's own values say of its decoder, by the keys that llama.cpp writes, checked: whatever would make it compute something
//! else than we do is refused.

use std::borrow::Cow;

use super::config::{Config, Kind, MOST, NO_TURN_EVERY, periodic};
use super::gguf::{Gguf, Value};
use super::rotary::Rotary;
use crate::error::{Error, Result};
use crate::kernel::{Heads, Pairs};
use crate::model::manifest::Architecture;

/// Values of one architecture, whose keys begin with its name.
pub struct Values<'a> {
    pub file: &'a Gguf<'a>,
    prefix: String,
}

impl<'a> Values<'a> {
    fn get(&self, key: &str) -> Option<Value<'a>> {
        self.file.value(&format!("{}{key}", self.prefix))
    }

    /// A text, if there is one.
    ///
    /// # Errors
    /// [`Error::Model`] when it is something else.
    pub fn text(&self, key: &str) -> Result<Option<Cow<'a, str>>> {
        self.file.text(&format!("{}{key}", self.prefix))
    }

    /// A size; `usual` where the file has none.
    ///
    /// # Errors
    /// [`Error::Model`] when it is missing or no size.
    pub fn count(&self, key: &str, usual: Option<usize>) -> Result<usize> {
        match (self.get(key), usual) {
            (Some(Value::Whole(n @ 0..=MOST)), _) => Ok(n as usize),
            (None, Some(usual)) => Ok(usual),
            (found, _) => self.fail(key, found),
        }
    }

    /// A number above 0; `usual` where the file has none.
    ///
    /// # Errors
    /// As [`Values::count`].
    pub fn float(&self, key: &str, usual: Option<f64>) -> Result<f64> {
        match (self.get(key), usual) {
            (Some(Value::Float(v)), _) if v.is_finite() && v > 0.0 => Ok(v),
            (None, Some(usual)) => Ok(usual),
            (found, _) => self.fail(key, found),
        }
    }

    /// Which layers see a window alone: all but one in so many, or as a list says.
    fn pattern(&self, layers: usize) -> Result<Vec<u8>> {
        let key = "attention.sliding_window_pattern";
        let Some(Value::List(list)) = self.get(key) else {
            let every = self.count(key, Some(6))?;
            return match every {
                0 => self.fail(key, self.get(key)),
                every => Ok(periodic(layers, every)),
            };
        };
        let flags = list.values().map_while(|value| match value {
            Value::Flag(local) => Some(u8::from(local)),
            _ => None,
        });
        let flags: Vec<u8> = flags.collect();
        match flags.len() == layers {
            true => Ok(flags),
            false => fail(format!(
                "{}{key} does not say of each of {layers} layers whether it has a window",
                self.prefix
            )),
        }
    }

    fn fail<T>(&self, key: &str, found: Option<Value<'_>>) -> Result<T> {
        fail(match found {
            None => format!("{}{key} is missing", self.prefix),
            Some(_) => format!("{}{key} is no number of a decoder", self.prefix),
        })
    }
}

impl Config {
    /// Reads the values of a GGUF file.
    ///
    /// # Errors
    /// [`Error::Model`] that names the key.
    pub fn of_gguf(file: &Gguf<'_>) -> Result<(Self, Architecture)> {
        let said = file.text("general.architecture")?.unwrap_or_default();
        // Those of Mistral are of Llama's, with its values.
        let mut known = Architecture::DECODERS.to_vec();
        known.retain(|architecture| *architecture != Architecture::Mistral);
        let Some(architecture) = known.iter().copied().find(|a| a.name() == said) else {
            let known: Vec<&str> = known.into_iter().map(Architecture::name).collect();
            return fail(format!(
                "its architecture is `{said}`; those of GGUF files that can be read are {}",
                known.join(", ")
            ));
        };
        let values = Values {
            file,
            prefix: format!("{said}."),
        };
        let gemma = architecture == Architecture::Gemma3;
        let unknown = file.names().find(|name| {
            let key = name.strip_prefix(&values.prefix);
            key.is_some_and(|key| !(KEYS.contains(&key) || gemma && GEMMA_KEYS.contains(&key)))
        });
        if let Some(unknown) = unknown {
            return fail(format!(
                "{unknown} is a setting that this program does not know"
            ));
        }
        for key in ["expert_count", "expert_used_count"] {
            if values.count(key, Some(0))? != 0 {
                return fail(format!("{said}.{key}: models of experts are not computed"));
            }
        }
        let width = values.count("embedding_length", None)?;
        let layers = values.count("block_count", None)?;
        let queries = values.count("attention.head_count", None)?;
        let usual = width.checked_div(queries).unwrap_or(0);
        let head = values.count("attention.key_length", Some(usual))?;
        let value = values.count("attention.value_length", Some(head))?;
        let turned = values.count("rope.dimension_count", Some(head))?;
        let partial =
            architecture == Architecture::Phi3 && turned < head && turned.is_multiple_of(2);
        for (key, found, fits) in [
            ("attention.value_length", value, value == head),
            ("rope.dimension_count", turned, turned == head || partial),
        ] {
            if !fits {
                return fail(format!(
                    "{said}.{key} is {found}, but a head is {head} wide"
                ));
            }
        }
        let window = match values.count("attention.sliding_window", Some(0))? {
            0 => None,
            window => Some(window),
        };
        let rotary = Rotary::of_gguf(&values, turned)?;
        let limit = rotary.limit;
        let kind = |window, rotary| Kind { window, rotary };
        let (kinds, layers) = match (architecture, window) {
            (Architecture::Gemma3, Some(_)) => {
                let theta = values.float("rope.freq_base_swa", Some(10_000.0))?;
                let local = kind(window, Some(Rotary::plain(theta, head)));
                let which = values.pattern(layers)?;
                (vec![kind(None, Some(rotary)), local], which)
            }
            (Architecture::Smollm3, _) => (
                vec![kind(window, None), kind(window, Some(rotary))],
                periodic(layers, NO_TURN_EVERY),
            ),
            _ => (vec![kind(window, Some(rotary))], vec![0; layers]),
        };
        // Of the largest Gemma 3 alone it is not a head's width.
        let scaled_by = match gemma && layers.len() == 62 {
            true => usual,
            false => head,
        };
        let context = values.count("context_length", None)?;
        let config = Self {
            words: file.rows("token_embd.weight")?,
            width,
            inner: values.count("feed_forward_length", None)?,
            kinds,
            layers,
            heads: Heads {
                queries,
                keys: values.count("attention.head_count_kv", Some(queries))?,
                width: head,
                scale: 1.0 / (scaled_by as f32).sqrt(),
            },
            context: limit.map_or(context, |limit| context.min(limit)),
            eps: values.float("attention.layer_norm_rms_epsilon", None)? as f32,
            pairs: match architecture {
                Architecture::Llama | Architecture::Smollm3 => Pairs::Neighbours,
                _ => Pairs::Halves,
            },
            tied: !file.has("output.weight"),
            // They stand in the file as they are.
            norm_offset: 0.0,
            part: false,
            ..Self::of(architecture, width)
        };
        match config.wrong() {
            None => Ok((config, architecture)),
            Some(what) => fail(what),
        }
    }
}

/// What is wrong with a GGUF file.
fn fail<T>(what: String) -> Result<T> {
    Err(Error::Model(format!("the GGUF file: {what}")))
}

/// Settings of an architecture that are known here; those that say where the file came from stand elsewhere.
const KEYS: [&str; 20] = [
    "vocab_size",
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.attn_factor",
    "rope.scaling.original_context_length",
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

/// Those of Gemma alone.
const GEMMA_KEYS: [&str; 2] = ["rope.freq_base_swa", "attention.sliding_window_pattern"];
