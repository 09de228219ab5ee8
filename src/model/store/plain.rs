//! A model without a manifest, as Hugging Face transformers writes it: its `config.json` says what it is, or it is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Files, MANIFEST, read, sha256};
use crate::error::{Error, Result};
use crate::model::Manifest;
use crate::model::manifest::{PLAIN, SHARDED};
use crate::model::{decoder, seq2seq};

/// The files, not yet believed.
pub struct Plain {
    folder: PathBuf,
    bytes: BTreeMap<String, Vec<u8>>,
    /// Their checksums.
    pub sums: BTreeMap<String, String>,
}

/// Opens the model in `folder`, whose files are taken as they are: nothing says what they should be.
///
/// # Errors
/// [`Error::Model`] that says what is missing or in doubt, and what to do.
pub fn open(folder: &Path) -> Result<Files> {
    // The folder's own name, whatever path leads to it.
    let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let name = whole.file_name().unwrap_or(whole.as_os_str());
    let name = name.to_string_lossy();
    let has = |name: &str| folder.join(name).is_file();
    if !has(PLAIN[0])
        && let Some(weights) = only_gguf(folder)?
    {
        return open_gguf(folder, &name, weights);
    }
    let config = fs::read(folder.join(PLAIN[0])).unwrap_or_default();
    if let Some(what) = lacking(&config, has) {
        return Err(Error::Model(format!("{}: {what}", folder.display())));
    }
    Plain::read(folder)?.files(&name)
}

/// The one GGUF file of a folder, if it has one.
fn only_gguf(folder: &Path) -> Result<Option<String>> {
    let entries = fs::read_dir(folder)
        .map_err(|e| Error::Model(format!("cannot read {}: {e}", folder.display())))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".gguf")).collect();
    names.sort_unstable();
    match names.len() {
        0 | 1 => Ok(names.pop()),
        _ => Err(Error::Model(format!(
            "{}: it has more than one model: {}. Put the one that is meant into a folder of its own",
            folder.display(),
            names.join(", ")
        ))),
    }
}

/// A GGUF file says itself what it is; its tokenizer and its chat template may lie beside it.
fn open_gguf(folder: &Path, name: &str, weights: String) -> Result<Files> {
    let mut names = vec![weights.clone()];
    names.extend(decoder_files(|name| folder.join(name).is_file()));
    let [_, tokenizer, _] = PLAIN;
    let tokenizer = match folder.join(tokenizer).is_file() {
        true => tokenizer,
        false => "",
    };
    names.extend((!tokenizer.is_empty()).then(|| tokenizer.to_owned()));
    let files = Plain::of(folder, names)?;
    let described = decoder::describe(&files.bytes[&weights]);
    let manifest = described.and_then(|(architecture, context)| {
        let named = ["", tokenizer, &weights];
        Manifest::plain_decoder(name, architecture, context, named, &files.sums)
    });
    let manifest = manifest.map_err(|e| Error::Model(format!("{}: {e}", folder.display())))?;
    Ok(Files::of(folder, manifest, files.bytes))
}

/// What keeps a model that `has` these files from being read, and what to do; `config` is its configuration.
pub fn lacking(config: &[u8], has: impl Fn(&str) -> bool) -> Option<String> {
    let [config_name, tokenizer, weights] = PLAIN;
    let what = if !has(config_name) {
        format!(
            "no model for this program: it has neither {MANIFEST} nor {config_name} (README, \"Models\", says what they are)"
        )
    } else if has(weights_of(config, &has)) && has(tokenizer) {
        return None;
    } else if has(weights) {
        format!(
            "it has no {tokenizer}; AutoTokenizer.from_pretrained(…).save_pretrained(…) of transformers writes one"
        )
    } else if has(SHARDED) {
        format!(
            "its weights are in several parts; save_pretrained(…, max_shard_size=\"100GB\") of transformers writes one {weights}"
        )
    } else if has("pytorch_model.bin") {
        format!(
            "it has pytorch_model.bin, which is never opened: it may run code. save_pretrained(…) of transformers writes {weights} instead"
        )
    } else {
        format!("it has no {weights}, the only kind of weights that is read")
    };
    Some(what)
}

/// The file that stands for the weights: of a decoder or a summariser perhaps the index of its shards.
fn weights_of(config: &[u8], has: impl Fn(&str) -> bool) -> &'static str {
    let [_, _, weights] = PLAIN;
    let in_shards = || {
        decoder::architecture(config)
            .or_else(|| seq2seq::architecture(config))
            .is_some()
    };
    match !has(weights) && has(SHARDED) && in_shards() {
        true => SHARDED,
        false => weights,
    }
}

/// The files that a model with this configuration has, but for shards that an index names.
pub fn names(config: &[u8], has: impl Fn(&str) -> bool) -> Vec<String> {
    let [config_name, tokenizer, _] = PLAIN;
    let named = [config_name, tokenizer, weights_of(config, &has)];
    let mut names = named.map(str::to_owned).to_vec();
    if decoder::architecture(config).is_some() {
        names.extend(decoder_files(&has));
    }
    if seq2seq::architecture(config).is_some() && has(seq2seq::GENERATION) {
        names.push(seq2seq::GENERATION.to_owned());
    }
    names
}

/// What a decoder has besides: its chat template.
fn decoder_files(has: impl Fn(&str) -> bool) -> Vec<String> {
    let names = [decoder::TOKENIZER_CONFIG, decoder::TEMPLATE];
    let there = names.into_iter().filter(|name| has(name));
    there.map(str::to_owned).collect()
}

impl Plain {
    /// Reads the files in `folder`.
    ///
    /// # Errors
    /// [`Error::Model`] that names the one that cannot be read.
    pub fn read(folder: &Path) -> Result<Self> {
        let [config, ..] = PLAIN;
        let config = read(&folder.join(config))?;
        let mut names = names(&config, |name| folder.join(name).is_file());
        if names.iter().any(|name| name == SHARDED) {
            names.extend(decoder::shards(&read(&folder.join(SHARDED))?)?);
        }
        Self::of(folder, names)
    }

    fn of(folder: &Path, names: Vec<String>) -> Result<Self> {
        let mut bytes = BTreeMap::new();
        for name in names {
            let file = read(&folder.join(&name))?;
            bytes.insert(name, file);
        }
        Ok(Self {
            folder: folder.to_owned(),
            sums: bytes
                .iter()
                .map(|(name, file)| (name.clone(), sha256(file)))
                .collect(),
            bytes,
        })
    }

    /// The model that they are, called `name`.
    ///
    /// # Errors
    /// [`Error::Model`] when the configuration leaves in doubt what it is.
    pub fn files(self, name: &str) -> Result<Files> {
        let manifest = Manifest::plain(name, &self.bytes[PLAIN[0]], &self.sums)
            .map_err(|e| Error::Model(format!("{}: {e}", self.folder.display())))?;
        Ok(Files::of(&self.folder, manifest, self.bytes))
    }
}
