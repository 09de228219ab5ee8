//! The manifest of a model that has none: what Hugging Face's `config.json` or a GGUF file says of it, where that leaves no doubt.

use std::collections::BTreeMap;

use super::{Architecture, FILE, Input, Label, MOST_WINDOW, Manifest, PLAIN, SHARDED, Task};
use crate::error::{Error, Result};
use crate::model::config::Config;
use crate::model::{decoder, seq2seq};
use crate::stance::Stance;

/// Tokens of a window, if the encoder can take them: what most classifiers are trained with.
const USUAL_WINDOW: usize = 512;
/// Fewer tokens have no room for a claim, a title and a sentence.
const LEAST_WINDOW: usize = 32;
/// Tokens of a decoder's window, with the question: it is asked about an article in as few windows as its context allows, and attention's
/// cost grows with a window's square.
const USUAL_PROMPT: usize = 2048;
/// Tokens of its context that a decoder keeps for an answer.
const ANSWER: usize = 16;

impl Manifest {
    /// What a folder of Hugging Face transformers says of itself in its `config.json`, which is `config`, where that leaves no doubt;
    /// `sums` are its files with their checksums.
    ///
    /// # Errors
    /// [`Error::Model`] that says what is in doubt, and what to do.
    pub fn plain(name: &str, config: &[u8], sums: &BTreeMap<String, String>) -> Result<Self> {
        let [config_name, tokenizer, weights] = PLAIN;
        let files = match sums.contains_key(weights) {
            true => [config_name, tokenizer, weights],
            false => [config_name, tokenizer, SHARDED],
        };
        if let Some(architecture) = decoder::architecture(config) {
            let context = decoder::context(config, config_name, architecture)?;
            return Self::plain_decoder(name, architecture, context, files, sums);
        }
        if let Some(architecture) = seq2seq::architecture(config) {
            let window = seq2seq::window(config, config_name, architecture)?.min(MOST_WINDOW);
            let manifest = Self {
                task: Task::SummarySeq2seq,
                labels: Vec::new(),
                ..Self::bare(name, architecture, window, files, sums)
            };
            manifest.check()?;
            return Ok(manifest);
        }
        let architecture = Config::architecture(config, config_name)?;
        Config::expect_classifier(config, config_name)?;
        let read = Config::read(config, config_name, architecture)?;
        let labels: Vec<Option<Label>> = read.labels.iter().map(|l| Label::parse(l)).collect();
        let labels: Option<Vec<Label>> = labels.into_iter().collect();
        let found = labels.and_then(|labels| Some((Task::of(&labels)?, labels)));
        let Some((task, labels)) = found else {
            let named = match read.labels.is_empty() {
                true => "no id2label".to_owned(),
                false => format!("the labels {}", read.labels.join(", ")),
            };
            return Err(Error::Model(format!(
                "{config_name} has {named}: what its answers mean is not guessed. Labels are entailment, neutral and contradiction; entailment and \
                 not_entailment; or supports, refutes, discusses and unrelated. A {FILE} beside it can say which they are (README, \"Models\")"
            )));
        };
        let window = read.longest().min(USUAL_WINDOW);
        if window < LEAST_WINDOW {
            return Err(Error::Model(format!(
                "{config_name}: max_position_embeddings is {}: an encoder that reads at most {window} tokens has no room for a claim and a text; \
                 {LEAST_WINDOW} are the fewest",
                read.positions
            )));
        }
        let manifest = Self {
            task,
            labels,
            // What else lies beside an encoder is none of its files.
            more: BTreeMap::new(),
            ..Self::bare(name, architecture, window, PLAIN, sums)
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// A decoder that reads `context` tokens, from its files, of which `named` are configuration, tokenizer and weights; all other files
    /// belong to it as well.
    ///
    /// # Errors
    /// [`Error::Model`] when its context is too short to be asked anything.
    pub fn plain_decoder(
        name: &str,
        architecture: Architecture,
        context: usize,
        named: [&str; 3],
        sums: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let window = context.saturating_sub(ANSWER).min(USUAL_PROMPT);
        let manifest = Self::bare(name, architecture, window, named, sums);
        manifest.check()?;
        Ok(manifest)
    }

    /// A manifest of files and a window; its task and labels are those of a decoder.
    fn bare(
        name: &str,
        architecture: Architecture,
        window: usize,
        named: [&str; 3],
        sums: &BTreeMap<String, String>,
    ) -> Self {
        let mut more = sums.clone();
        let [config, tokenizer, weights] = named.map(|name| {
            let sum = more.remove(name).unwrap_or_default();
            (name.to_owned(), sum)
        });
        Self {
            schema: 1,
            name: name.to_owned(),
            version: String::new(),
            task: Task::StanceDecoder,
            architecture,
            languages: Vec::new(),
            license: String::new(),
            base: String::new(),
            weights: weights.0,
            weights_sha256: weights.1,
            tokenizer: tokenizer.0,
            tokenizer_sha256: tokenizer.1,
            config: config.0,
            config_sha256: config.1,
            more,
            labels: Stance::ALL.map(Label::Stance).to_vec(),
            temperature: 1.0,
            input: Input {
                window,
                claim: (window / 4).min(64),
                title: (window / 4).min(48),
            },
            prompt: None,
            adapter: None,
            generation: BTreeMap::new(),
            package: None,
        }
    }
}
