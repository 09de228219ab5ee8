//! Summarisers: encoder-decoder models that read a text and write a shorter one. T5 and FLAN-T5, BART and DistilBART, PEGASUS, from
//! safetensors, computed over packed rows and written greedily or by beam search, as their files say.
//!
//! What a summariser writes is its own: whether the text says so is for others to check.

mod bart;
mod generation;
mod network;
mod parts;
mod t5;

use serde_json::{Map, Value};

pub use self::generation::Generation;
pub use self::network::{Cache, Seq2Seq};

pub(super) use self::generation::FILE as GENERATION;

use super::config::File;
use super::decoder::{self, Tensors};
use super::manifest::{Architecture, Task};
use super::store::Files;
use super::tokenizer::{Marked, Tokenizer};
use crate::batch;
use crate::decode::{Answer, Begun, Ended, among, beams, greedy_after};
use crate::error::{Error, Result};

/// The summarisers' architectures by the class that `architectures` of a `config.json` names.
const CLASSES: [(&str, Architecture); 3] = [
    ("T5ForConditionalGeneration", Architecture::T5),
    ("BartForConditionalGeneration", Architecture::Bart),
    ("PegasusForConditionalGeneration", Architecture::Pegasus),
];

/// The summariser that a `config.json` says without doubt that it is of, if it does.
pub fn architecture(json: &[u8]) -> Option<Architecture> {
    let map: Map<String, Value> = serde_json::from_slice(json).ok()?;
    match &map.get("architectures")?.as_array()?[..] {
        [class] => {
            let found = CLASSES.into_iter().find(|(name, _)| class == name);
            found.map(|(_, architecture)| architecture)
        }
        _ => None,
    }
}

/// Tokens that the encoder of a `config.json`, called `name`, reads, or was trained to read.
///
/// # Errors
/// [`Error::Model`] that names the key.
pub(super) fn window(json: &[u8], name: &str, architecture: Architecture) -> Result<usize> {
    let file = File::parse(json, name)?;
    match architecture {
        Architecture::T5 => t5::trained_on(&file),
        _ => bart::positions(&file),
    }
}

impl Seq2Seq {
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
        let file = File::parse(config, name)?;
        if file.map.get("model_type").and_then(Value::as_str) != Some(architecture.name()) {
            return file.fail(format!("model_type is not `{}`", architecture.name()));
        }
        file.only("is_encoder_decoder", &Value::from(true))?;
        file.only("quantization_config", &Value::Null)?;
        let tensors = Tensors::safe(files)?;
        match architecture {
            Architecture::T5 => t5::load(&file, &tensors),
            Architecture::Bart => bart::load(&file, &tensors, false),
            Architecture::Pegasus => bart::load(&file, &tensors, true),
            other => Err(Error::Model(format!("{} is no summariser", other.name()))),
        }
    }
}

/// A model that writes summaries.
///
/// ```no_run
/// use tidings::Files;
/// use tidings::model::seq2seq::Summariser;
///
/// # fn main() -> tidings::Result<()> {
/// let summariser = Summariser::load(&Files::open("distilbart/")?)?;
/// for written in summariser.write(&["Arvenia said on Monday that no talks are planned."], 4096)? {
///     println!("{}", written.text);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Summariser {
    network: Seq2Seq,
    tokenizer: Tokenizer,
    marked: Marked,
    generation: Generation,
    /// Tokens of a text with what stands around it.
    window: usize,
    /// Whether `<n>` is how it writes the end of a line.
    writes_lines: bool,
}

/// What a summariser wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The summary.
    pub text: String,
    /// Whether the text was longer than the encoder reads, so that its end was left out.
    pub cut: bool,
    /// Why there is no more of it.
    pub ended: Ended,
}

impl Summariser {
    /// Loads a model of the task `summary-seq2seq`.
    ///
    /// # Errors
    /// [`Error::Model`] that names what is missing, does not fit, or is not computed here, and what to do.
    pub fn load(files: &Files) -> Result<Self> {
        let manifest = &files.manifest;
        if manifest.task != Task::SummarySeq2seq {
            return Err(Error::Model(format!(
                "`{}` is of the task {}; only a model of the task {} writes summaries",
                manifest.name,
                manifest.task.name(),
                Task::SummarySeq2seq.name()
            )));
        }
        let (config, name) = (&files.config, &manifest.config);
        let (architecture, window) = (manifest.architecture, manifest.input.window);
        let weights = decoder::weights(files)?;
        let network = Seq2Seq::from_safetensors(config, name, architecture, &weights)?;
        let most = self::window(config, name, architecture)?;
        if architecture != Architecture::T5 && window > most {
            return Err(Error::Model(format!(
                "{name}: max_position_embeddings is {most}, but the manifest's window has {window} tokens. Lower it there"
            )));
        }
        let own = files.more.get(GENERATION).map(|own| &own[..]);
        let limits = (network.words(), network.context);
        let generation = Generation::read(config, own, manifest, limits)?;
        let (tokenizer, marked) = Tokenizer::of_summariser(&files.tokenizer, network.words())?;
        let summariser = Self {
            network,
            tokenizer,
            marked,
            generation,
            window,
            writes_lines: architecture == Architecture::Pegasus,
        };
        let (around, _) = summariser.tokens("")?;
        match around.len() < window && !around.is_empty() {
            true => Ok(summariser),
            false => Err(Error::Model(format!(
                "a window of {window} tokens leaves no room for a text beside the {} around it",
                around.len()
            ))),
        }
    }

    /// How it writes.
    pub fn generation(&self) -> &Generation {
        &self.generation
    }

    /// A summary of each text; at most about `tokens` tokens of them are read at once, which changes no summary. What a text contains is only
    /// text, a control token's name too.
    ///
    /// # Errors
    /// [`Error::Model`] when the tokenizer fails, or the numbers overflow.
    pub fn write(&self, texts: &[&str], tokens: usize) -> Result<Vec<Written>> {
        let read = texts.iter().map(|text| self.tokens(text));
        let read: Vec<(Vec<u32>, bool)> = read.collect::<Result<_>>()?;
        let mut written = Vec::with_capacity(texts.len());
        // Each search remembers what it says, beside the text.
        let searches = self
            .generation
            .beams
            .as_ref()
            .map_or(1, |beams| beams.count);
        let said = searches * self.generation.stop.length;
        for range in batch::by_budget(read.iter().map(|(ids, _)| ids.len() + said), tokens) {
            let rows: Vec<&[u32]> = read[range.clone()]
                .iter()
                .map(|(ids, _)| &ids[..])
                .collect();
            for (answer, (_, cut)) in self.answers(&rows)?.iter().zip(&read[range]) {
                let text = self.marked.decode(&answer.ids)?;
                let text = match self.writes_lines {
                    true => text.replace("<n>", "\n"),
                    false => text,
                };
                let (cut, ended) = (*cut, answer.ended);
                written.push(Written { text, cut, ended });
            }
        }
        Ok(written)
    }

    /// Which of its candidates, of which the first is the text itself, the model would write of each text, with a `lead` for short ones (see
    /// [`among`]); that one where the text is too long to be read whole. At most about `tokens` tokens are read at once, which changes no choice.
    ///
    /// # Errors
    /// As [`Summariser::write`].
    pub fn choose(
        &self,
        candidates: &[Vec<String>],
        lead: f32,
        tokens: usize,
    ) -> Result<Vec<usize>> {
        let Generation {
            start, stop, rules, ..
        } = &self.generation;
        let prompt: Vec<u32> = std::iter::once(*start).chain(rules.first).collect();
        let mut chosen = vec![0; candidates.len()];
        let mut asked = Vec::with_capacity(candidates.len());
        for (i, texts) in candidates.iter().enumerate() {
            let (read, cut) = self.tokens(texts.first().map_or("", String::as_str))?;
            let texts = texts.iter().map(|text| self.tokenizer.encode(text));
            let texts: Vec<Vec<u32>> = texts.collect::<Result<_>>()?;
            let longest = texts.iter().map(Vec::len).max().unwrap_or(0);
            if !cut && prompt.len() + longest < self.network.context {
                asked.push((i, read, texts));
            }
        }
        for range in batch::by_budget(asked.iter().map(|(_, read, _)| read.len()), tokens) {
            let rows: Vec<&[u32]> = asked[range.clone()]
                .iter()
                .map(|(_, read, _)| &read[..])
                .collect();
            let begun = self.network.read(&rows)?.into_iter().map(|cache| Begun {
                cache,
                prompt: &prompt,
            });
            let texts: Vec<&[Vec<u32>]> = asked[range.clone()]
                .iter()
                .map(|(_, _, t)| &t[..])
                .collect();
            let answers = among(&self.network, begun.collect(), &texts, &stop.ends, lead)?;
            for ((i, _, _), answer) in asked[range].iter().zip(answers) {
                chosen[*i] = answer;
            }
        }
        Ok(chosen)
    }

    /// What the encoder reads of a text, and whether it had to be cut.
    ///
    /// # Errors
    /// [`Error::Model`] when the tokenizer's own rules fail on the text.
    pub fn tokens(&self, text: &str) -> Result<(Vec<u32>, bool)> {
        let around = &self.tokenizer.pair;
        let text = format!("{}{text}", self.generation.prefix);
        let mut ids = self.tokenizer.encode(&text)?;
        let room = self
            .window
            .saturating_sub(around.open.len() + around.close.len());
        let cut = ids.len() > room;
        ids.truncate(room);
        Ok(([&around.open[..], &ids, &around.close].concat(), cut))
    }

    /// The answers to all rows together.
    fn answers(&self, rows: &[&[u32]]) -> Result<Vec<Answer>> {
        let Generation {
            start,
            stop,
            rules,
            beams: settings,
            ..
        } = &self.generation;
        let caches = self.network.read(rows)?.into_iter();
        let begun = caches.map(|cache| Begun {
            cache,
            prompt: std::slice::from_ref(start),
        });
        let begun = begun.collect();
        match settings {
            None => greedy_after(&self.network, begun, stop, rules),
            Some(settings) => beams(&self.network, begun, stop, rules, settings),
        }
    }
}
