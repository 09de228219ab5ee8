//! How a model's files say that it writes: `generation_config.json`, or the same keys of `config.json` where there is none, as
//! transformers' `generate` reads them; over these what `task_specific_params` say of summaries, as transformers' pipeline did, and over
//! these the manifest's table `generation`. A setting that would change what is written and is not followed here is refused by name.

use serde_json::{Map, Value, json};

use crate::decode::{Beams, Early, Rules, Stop};
use crate::error::{Error, Result};
use crate::model::manifest::{Architecture, Manifest};

/// Name of the file.
pub const FILE: &str = "generation_config.json";
/// Tokens of an answer at most, whatever is asked for.
pub const MOST_WRITTEN: usize = 4096;
/// Beams at most.
const MOST_BEAMS: usize = 64;
/// Tokens of all beams of an answer, which are all remembered.
const MOST_SEARCHED: usize = 1 << 14;

/// How a model writes.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// What stands before a text.
    pub prefix: String,
    /// The token that an answer begins after.
    pub start: u32,
    /// When an answer is at its end.
    pub stop: Stop,
    /// What may come next.
    pub rules: Rules,
    /// How it is searched for, if not by the likeliest token each time.
    pub beams: Option<Beams>,
}

/// Settings that are followed.
const FOLLOWED: [&str; 14] = [
    "max_length",
    "max_new_tokens",
    "min_length",
    "min_new_tokens",
    "early_stopping",
    "num_beams",
    "length_penalty",
    "no_repeat_ngram_size",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "decoder_start_token_id",
    "bos_token_id",
    "eos_token_id",
    "prefix",
];

/// Settings that change nothing of what is written: those of memory, of what is returned beside, of drawing at random, which is refused,
/// and of helpers that change the pace alone.
const IDLE: [&str; 28] = [
    "pad_token_id",
    "transformers_version",
    "_from_model_config",
    "_commit_hash",
    "use_cache",
    "cache_implementation",
    "cache_config",
    "max_cache_len",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "output_logits",
    "return_dict_in_generate",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "top_h",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
    "num_assistant_tokens",
    "num_assistant_tokens_schedule",
    "assistant_confidence_threshold",
    "assistant_lookbehind",
    "target_lookbehind",
    "compile_config",
    "disable_compile",
];

/// Settings that may say this and nothing else.
fn only() -> [(&'static str, Value); 24] {
    [
        ("do_sample", json!(false)),
        ("repetition_penalty", json!(1)),
        ("encoder_repetition_penalty", json!(1)),
        ("encoder_no_repeat_ngram_size", json!(0)),
        ("num_return_sequences", json!(1)),
        ("num_beam_groups", json!(1)),
        ("diversity_penalty", json!(0)),
        ("guidance_scale", json!(1)),
        ("remove_invalid_values", json!(false)),
        ("renormalize_logits", json!(false)),
        ("low_memory", json!(false)),
        ("token_healing", json!(false)),
        ("is_assistant", json!(false)),
        ("bad_words_ids", Value::Null),
        ("suppress_tokens", Value::Null),
        ("begin_suppress_tokens", Value::Null),
        ("sequence_bias", Value::Null),
        ("exponential_decay_length_penalty", Value::Null),
        ("constraints", Value::Null),
        ("force_words_ids", Value::Null),
        ("stop_strings", Value::Null),
        ("max_time", Value::Null),
        ("penalty_alpha", Value::Null),
        ("watermarking_config", Value::Null),
    ]
}

impl Generation {
    /// Reads the settings of a model of this configuration, of `words` words, which writes `context` tokens at most.
    ///
    /// # Errors
    /// [`Error::Model`] that names the setting.
    pub fn read(
        config: &[u8],
        own: Option<&[u8]>,
        manifest: &Manifest,
        (words, context): (usize, usize),
    ) -> Result<Self> {
        let parse = |json: &[u8], name: &str| -> Result<Map<String, Value>> {
            serde_json::from_slice(json).map_err(|e| Error::Model(format!("{name}: {e}")))
        };
        let config = parse(config, &manifest.config)?;
        let mut settings = match own {
            Some(own) => parse(own, FILE)?,
            None => of_config(&config, manifest.architecture),
        };
        let tasks = config.get("task_specific_params");
        let task = tasks.and_then(|tasks| tasks.get("summarization"));
        if let Some(task) = task.and_then(Value::as_object) {
            lay_over(&mut settings, task.clone());
        }
        let manifests = manifest.generation.clone();
        lay_over(&mut settings, manifests.into_iter().collect());
        settings.retain(|_, value| !value.is_null());
        Settings(settings).generation(words, context)
    }
}

/// The settings that a `config.json` holds among others, with what transformers adds for its kind of model.
fn of_config(config: &Map<String, Value>, architecture: Architecture) -> Map<String, Value> {
    let usual = match architecture {
        Architecture::Bart => json!({
            "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2, "forced_eos_token_id": 2
        }),
        Architecture::Pegasus => json!({
            "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "forced_eos_token_id": 1
        }),
        _ => json!({"pad_token_id": 0, "eos_token_id": 1}),
    };
    let mut settings = usual.as_object().cloned().unwrap_or_default();
    for (key, value) in config {
        if is_known(key) && key != "prefix" {
            settings.insert(key.clone(), value.clone());
        }
    }
    // Its older name.
    if config.get("force_bos_token_to_be_generated") == Some(&json!(true))
        && let Some(first) = settings.get("bos_token_id").cloned()
    {
        settings.insert("forced_bos_token_id".to_owned(), first);
    }
    settings
}

fn is_known(key: &str) -> bool {
    FOLLOWED.contains(&key) || IDLE.contains(&key) || only().iter().any(|(name, _)| *name == key)
}

/// Later settings over earlier ones: of two that say the same in other words the later counts.
fn lay_over(settings: &mut Map<String, Value>, later: Map<String, Value>) {
    for (one, other) in [
        ("max_length", "max_new_tokens"),
        ("min_length", "min_new_tokens"),
    ] {
        if later.contains_key(one) || later.contains_key(other) {
            settings.remove(one);
            settings.remove(other);
        }
    }
    settings.extend(later);
}

/// Settings, none of them null.
struct Settings(Map<String, Value>);

impl Settings {
    fn generation(&self, words: usize, context: usize) -> Result<Generation> {
        for (key, value) in &self.0 {
            if !is_known(key) {
                return fail(format!(
                    "{key} is none that this program knows, so what it changes would be left out"
                ));
            }
            let one = only().into_iter().find(|(name, _)| name == key);
            if let Some((_, one)) = one
                && *value != one
                && (value.as_f64().is_none() || value.as_f64() != one.as_f64())
            {
                return fail(format!(
                    "{key} is {value}; this program writes only {}",
                    match one {
                        Value::Null => "without it".to_owned(),
                        one => format!("with {one}"),
                    }
                ));
            }
        }
        let start = match self.ids("decoder_start_token_id", words)?[..] {
            [start] => start,
            [] => match self.ids("bos_token_id", words)?[..] {
                [start] => start,
                _ => return fail("decoder_start_token_id is missing".to_owned()),
            },
            _ => return fail("decoder_start_token_id is more than one token".to_owned()),
        };
        let ends = self.ids("eos_token_id", words)?;
        // Lengths count the token that an answer begins after.
        let length = match (self.count("max_new_tokens")?, self.count("max_length")?) {
            (Some(new), _) => new,
            (None, Some(all)) => all.saturating_sub(1),
            (None, None) => 20.min(context.saturating_sub(1)),
        };
        if length == 0 || length >= context {
            return fail(format!(
                "an answer of {length} tokens (max_length, max_new_tokens): the model writes from 1 to {}",
                context.saturating_sub(1)
            ));
        }
        let least = match (self.count("min_new_tokens")?, self.count("min_length")?) {
            (Some(new), _) => new,
            (None, all) => all.unwrap_or(0).saturating_sub(1),
        };
        let first = match self.ids("forced_bos_token_id", words)?[..] {
            [] => None,
            [first] => Some(first),
            _ => return fail("forced_bos_token_id is more than one token".to_owned()),
        };
        let count = self.count("num_beams")?.unwrap_or(1);
        let kept = count.saturating_mul(ends.len() + 2);
        if count.saturating_mul(length) > MOST_SEARCHED {
            return fail(format!(
                "num_beams is {count} with answers of {length} tokens: {MOST_SEARCHED} in all are the most"
            ));
        }
        if count == 0 || count > MOST_BEAMS || kept > words {
            return fail(format!(
                "num_beams is {count}; it can be from 1 to {MOST_BEAMS}, and far fewer than words"
            ));
        }
        let beams = Beams {
            count,
            length_penalty: match self.0.get("length_penalty") {
                None => 1.0,
                Some(value) => match value.as_f64().filter(|v| v.abs() <= MOST_PENALTY) {
                    Some(penalty) => penalty,
                    None => return fail(format!("length_penalty is {value}")),
                },
            },
            early: match self.0.get("early_stopping") {
                None | Some(Value::Bool(false)) => Early::Unlikely,
                Some(Value::Bool(true)) => Early::Full,
                Some(Value::String(never)) if never == "never" => Early::Impossible,
                Some(value) => {
                    return fail(format!(
                        "early_stopping is {value}, not true, false or \"never\""
                    ));
                }
            },
        };
        Ok(Generation {
            prefix: match self.0.get("prefix") {
                None => String::new(),
                Some(Value::String(prefix)) => prefix.clone(),
                Some(value) => return fail(format!("prefix is {value}, not a text")),
            },
            start,
            stop: Stop { ends, length },
            rules: Rules {
                no_repeat: self.count("no_repeat_ngram_size")?.unwrap_or(0),
                least,
                first,
                last: self.ids("forced_eos_token_id", words)?,
            },
            beams: (count > 1).then_some(beams),
        })
    }

    fn count(&self, key: &str) -> Result<Option<usize>> {
        let Some(value) = self.0.get(key) else {
            return Ok(None);
        };
        match value.as_u64().filter(|n| *n <= MOST_WRITTEN as u64) {
            Some(count) => Ok(Some(count as usize)),
            None => fail(format!(
                "{key} is {value}, which is no number from 0 to {MOST_WRITTEN}"
            )),
        }
    }

    /// One token or a list of them.
    fn ids(&self, key: &str, words: usize) -> Result<Vec<u32>> {
        let values = match self.0.get(key) {
            None => &[],
            Some(Value::Array(values)) => &values[..],
            Some(value) => std::slice::from_ref(value),
        };
        let id = |value: &Value| match value.as_u64().filter(|id| *id < words as u64) {
            Some(id) => Ok(id as u32),
            None => fail(format!(
                "{key} is {value}, which is none of the model's {words} words"
            )),
        };
        match values.len() <= MOST_BEAMS {
            true => values.iter().map(id).collect(),
            false => fail(format!("{key} names {} tokens", values.len())),
        }
    }
}

/// A power that leaves numbers of every length.
const MOST_PENALTY: f64 = 8.0;

fn fail<T>(what: String) -> Result<T> {
    Err(Error::Model(format!(
        "how the model writes ({FILE}, or config.json and its task_specific_params, or the manifest's table `generation`): {what}"
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn manifest(architecture: Architecture, generation: Value) -> Manifest {
        let mut manifest = Manifest::parse(include_str!(
            "../../../models/stance-en-small/manifest.toml"
        ))
        .unwrap();
        manifest.architecture = architecture;
        let generation = generation.as_object().cloned().unwrap();
        manifest.generation = generation.into_iter().collect();
        manifest
    }

    fn read(config: Value, own: Option<Value>, manifests: Value) -> Result<Generation> {
        let config = config.to_string();
        let own = own.map(|own| own.to_string());
        let own = own.as_ref().map(|own| own.as_bytes());
        let manifest = manifest(Architecture::Bart, manifests);
        Generation::read(config.as_bytes(), own, &manifest, (100, 64))
    }

    #[test]
    fn without_settings_it_writes_as_transformers_does() {
        let found = read(json!({}), None, json!({})).unwrap();
        assert_eq!(found.start, 2);
        assert_eq!((found.stop.ends, found.stop.length), (vec![2], 20));
        assert_eq!((found.rules.last, found.beams), (vec![2], None));
        // A file of its own is asked alone.
        let own = json!({"decoder_start_token_id": 4, "eos_token_id": [2, 5], "max_length": 30, "temperature": 0.3});
        let found = read(json!({"num_beams": 4}), Some(own), json!({})).unwrap();
        assert_eq!((found.start, found.stop.length), (4, 29));
        assert_eq!((found.stop.ends, found.beams), (vec![2, 5], None));
        assert!(found.rules.last.is_empty());
    }

    #[test]
    fn what_is_said_of_summaries_stands_over_the_rest_and_the_manifest_over_all() {
        let config = json!({
            "num_beams": 2, "max_length": 10, "length_penalty": 2, "vocab_size": 100, "force_bos_token_to_be_generated": true,
            "task_specific_params": {"summarization": {"prefix": "summarize: ", "num_beams": 4, "max_length": 40, "min_length": 11}},
        });
        let found = read(config.clone(), None, json!({})).unwrap();
        assert_eq!(found.prefix, "summarize: ");
        assert_eq!((found.stop.length, found.rules.least), (39, 10));
        assert_eq!(found.rules.first, Some(0));
        let beams = found.beams.unwrap();
        assert_eq!((beams.count, beams.length_penalty), (4, 2.0));
        let manifests = json!({"max_new_tokens": 12, "num_beams": 1, "prefix": "Sum up: "});
        let found = read(config, None, manifests).unwrap();
        assert_eq!((found.stop.length, found.beams), (12, None));
        assert_eq!(found.prefix, "Sum up: ");
    }

    #[test]
    fn what_would_change_the_words_and_is_not_followed_is_refused_by_name() {
        for (key, value) in [
            ("do_sample", json!(true)),
            ("repetition_penalty", json!(1.2)),
            ("encoder_no_repeat_ngram_size", json!(3)),
            ("bad_words_ids", json!([[1]])),
            ("num_beam_groups", json!(2)),
            ("suppress_tokens", json!([7])),
            ("a_setting_of_tomorrow", json!(1)),
            ("num_beams", json!(0)),
            ("num_beams", json!(60)),
            ("num_beams", json!(1u64 << 60)),
            ("max_length", json!(65)),
            ("max_length", json!(1)),
            ("max_length", json!(-3)),
            ("max_new_tokens", json!(1e18)),
            ("eos_token_id", json!(100)),
            ("eos_token_id", json!("</s>")),
            ("decoder_start_token_id", json!([1, 2])),
            ("forced_bos_token_id", json!(-1)),
            ("early_stopping", json!("soon")),
            ("length_penalty", json!("long")),
            ("length_penalty", json!(1e300)),
            ("prefix", json!(7)),
        ] {
            let mut own = json!({"decoder_start_token_id": 2});
            own[key] = value.clone();
            let error = read(json!({}), Some(own.clone()), json!({})).unwrap_err();
            assert!(error.to_string().contains(key), "{key} {value}: {error}");
            let error = read(json!({}), None, own).unwrap_err();
            assert!(error.to_string().contains(key), "{key} {value}: {error}");
        }
        let own = json!({
            "decoder_start_token_id": 2, "do_sample": false, "repetition_penalty": 1.0, "bad_words_ids": null, "diversity_penalty": 0.0
        });
        read(json!({}), Some(own), json!({})).unwrap();
        let error = read(json!({}), Some(json!({})), json!({})).unwrap_err();
        assert!(error.to_string().contains("decoder_start_token_id"));
    }
}
