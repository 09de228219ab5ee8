//! `manifest.toml`: what a model folder holds and how its input is built.

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::stance::Stance;

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
    /// File name of the tokenizer (`tokenizer.json`).
    pub tokenizer: String,
    /// SHA-256 of the tokenizer, in hexadecimal.
    pub tokenizer_sha256: String,
    /// File name of the encoder's configuration (Hugging Face's `config.json`).
    pub config: String,
    /// SHA-256 of the configuration, in hexadecimal.
    pub config_sha256: String,
    /// Meaning of the four stance logits, in order.
    pub labels: Vec<Stance>,
    /// The logits are divided by it before the softmax.
    pub temperature: f32,
    /// Token limits.
    pub input: Input,
}

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Claim and article in; stance and sentence evidence out.
    Stance,
}

/// Shapes of network that can be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// Devlin et al. 2018, arXiv 1810.04805, as in Hugging Face transformers' `BertModel`.
    Bert,
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
        let digits = self
            .weights_sha256
            .get(..12)
            .unwrap_or(&self.weights_sha256);
        format!("{}@{digits}", self.name)
    }

    fn check(&self) -> Result<()> {
        let fail = |what: String| Err(Error::Model(format!("manifest.toml: {what}")));
        if self.schema != 1 {
            return fail(format!("schema is {}; this program reads 1", self.schema));
        }
        for stance in Stance::ALL {
            if self.labels.iter().filter(|l| **l == stance).count() != 1 || self.labels.len() != 4 {
                return fail(format!(
                    "labels must name supports, refutes, discusses and unrelated once each, in the order of the logits; found {:?}",
                    self.labels
                ));
            }
        }
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return fail(format!(
                "temperature is {}; it must be above 0",
                self.temperature
            ));
        }
        for name in [&self.weights, &self.tokenizer, &self.config] {
            if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
                return fail(format!(
                    "`{name}` is not a plain file name in the model's folder"
                ));
            }
        }
        // Claim and title at their longest must leave room for sentences.
        let Input {
            window,
            claim,
            title,
        } = self.input;
        if claim == 0 || claim.saturating_add(title).saturating_add(4 + 8) > window {
            return fail(format!(
                "input: a window of {window} tokens leaves no room beside a claim of {claim} and a title of {title}"
            ));
        }
        Ok(())
    }
}
