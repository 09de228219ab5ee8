//! A folder without a manifest, as Hugging Face transformers writes it: its `config.json` says what it is, or it is refused.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use super::{Files, MANIFEST, sha256};
use crate::error::{Error, Result};
use crate::model::Manifest;
use crate::model::manifest::PLAIN;

/// Opens the model in `folder`, whose files are taken as they are: nothing says what they should be.
///
/// # Errors
/// [`Error::Model`] that says what is missing or in doubt, and what to do.
pub fn open(folder: &Path) -> Result<Files> {
    let [config, tokenizer, weights] = PLAIN;
    let fail = |what: &str| Err(Error::Model(format!("{}: {what}", folder.display())));
    let has = |name: &str| folder.join(name).is_file();
    if !has(config) {
        return fail(&format!(
            "no model: it has neither {MANIFEST} nor {config} (`tidings models list` shows what there is)"
        ));
    }
    if !has(weights) {
        return fail(&match (
            has("model.safetensors.index.json"),
            has("pytorch_model.bin"),
        ) {
            (true, _) => format!(
                "its weights are in several parts; save_pretrained(…, max_shard_size=\"100GB\") writes one {weights}"
            ),
            (false, true) => format!(
                "it has pytorch_model.bin, which is never opened: it may run code. transformers' save_pretrained(…) writes {weights} instead"
            ),
            (false, false) => format!("it has no {weights}, the only kind of weights that is read"),
        });
    }
    if !has(tokenizer) {
        return fail(&format!(
            "it has no {tokenizer}; AutoTokenizer.from_pretrained(…).save_pretrained(…) of transformers writes one"
        ));
    }
    let read = |name: &str| {
        let path = folder.join(name);
        let bytes = fs::read(&path);
        bytes.map_err(|e| Error::Model(format!("cannot read {}: {e}", path.display())))
    };
    let files = [read(config)?, read(tokenizer)?, read(weights)?];
    let sums = [&files[0], &files[1], &files[2]].map(|bytes| sha256(bytes));
    let manifest = Manifest::plain(&name(folder), &files[0], sums)
        .map_err(|e| Error::Model(format!("{}: {e}", folder.display())))?;
    let [config, tokenizer, weights] = files.map(Cow::Owned);
    Ok(Files {
        manifest,
        folder: Some(folder.to_owned()),
        config,
        tokenizer,
        weights,
    })
}

/// The folder's own name, whatever path leads to it.
fn name(folder: &Path) -> String {
    let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let name = whole.file_name().unwrap_or(whole.as_os_str());
    name.to_string_lossy().into_owned()
}
