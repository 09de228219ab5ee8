//! A model without a manifest, as Hugging Face transformers writes it: its `config.json` says what it is, or it is refused.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Files, MANIFEST, read, sha256};
use crate::error::{Error, Result};
use crate::model::Manifest;
use crate::model::manifest::PLAIN;

/// The files, not yet believed.
pub struct Plain {
    folder: PathBuf,
    bytes: [Vec<u8>; 3],
    /// Their checksums, in the order of [`PLAIN`].
    pub sums: [String; 3],
}

/// Opens the model in `folder`, whose files are taken as they are: nothing says what they should be.
///
/// # Errors
/// [`Error::Model`] that says what is missing or in doubt, and what to do.
pub fn open(folder: &Path) -> Result<Files> {
    if let Some(what) = lacking(|name| folder.join(name).is_file()) {
        return Err(Error::Model(format!("{}: {what}", folder.display())));
    }
    // The folder's own name, whatever path leads to it.
    let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let name = whole.file_name().unwrap_or(whole.as_os_str());
    Plain::read(folder)?.files(&name.to_string_lossy())
}

/// What keeps a model that `has` these files from being read, and what to do.
pub fn lacking(has: impl Fn(&str) -> bool) -> Option<String> {
    let [config, tokenizer, weights] = PLAIN;
    let what = if !has(config) {
        format!(
            "no model for this program: it has neither {MANIFEST} nor {config} (README, \"Models\", says what they are)"
        )
    } else if has(weights) && has(tokenizer) {
        return None;
    } else if has(weights) {
        format!(
            "it has no {tokenizer}; AutoTokenizer.from_pretrained(…).save_pretrained(…) of transformers writes one"
        )
    } else if has("model.safetensors.index.json") {
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

impl Plain {
    /// Reads the files in `folder`.
    ///
    /// # Errors
    /// [`Error::Model`] that names the one that cannot be read.
    pub fn read(folder: &Path) -> Result<Self> {
        let [config, tokenizer, weights] = PLAIN.map(|name| read(&folder.join(name)));
        let bytes = [config?, tokenizer?, weights?];
        Ok(Self {
            folder: folder.to_owned(),
            sums: [0, 1, 2].map(|i| sha256(&bytes[i])),
            bytes,
        })
    }

    /// The model that they are, called `name`.
    ///
    /// # Errors
    /// [`Error::Model`] when the configuration leaves in doubt what it is.
    pub fn files(self, name: &str) -> Result<Files> {
        let manifest = Manifest::plain(name, &self.bytes[0], self.sums)
            .map_err(|e| Error::Model(format!("{}: {e}", self.folder.display())))?;
        let [config, tokenizer, weights] = self.bytes.map(Cow::Owned);
        Ok(Files {
            manifest,
            folder: Some(self.folder),
            config,
            tokenizer,
            weights,
        })
    }
}
