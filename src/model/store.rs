//! Where a model's files come from: inside the program, or a folder.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::manifest::Manifest;
use crate::error::{Error, Result};

/// Name of the model inside the program.
pub const EMBEDDED: &str = "stance-en-small";

/// A manifest and the files that it names.
#[derive(Debug, Clone)]
pub struct Files {
    /// The manifest.
    pub manifest: Manifest,
    /// The folder; `None` when the files are inside the program.
    pub folder: Option<PathBuf>,
    /// `config.json`.
    pub config: Cow<'static, [u8]>,
    /// `tokenizer.json`.
    pub tokenizer: Cow<'static, [u8]>,
    /// Weights, safetensors.
    pub weights: Cow<'static, [u8]>,
}

impl Files {
    /// The embedded model for its name, else the folder `name`, whose checksums are verified.
    ///
    /// # Errors
    /// [`Error::Model`] when there is no such model, a file is missing, or a checksum differs.
    pub fn open(name: &str) -> Result<Self> {
        if name == EMBEDDED {
            return embedded();
        }
        let folder = Path::new(name);
        if !folder.join("manifest.toml").is_file() {
            return Err(Error::Model(format!(
                "no model `{name}`: it is neither `{EMBEDDED}` nor a folder with a manifest.toml (`tidings models list` shows what there is)"
            )));
        }
        let files = from_folder(folder)?;
        files.verify()?;
        Ok(files)
    }

    /// Compares the checksums with the manifest's.
    ///
    /// # Errors
    /// [`Error::Model`] that names the file and both checksums.
    pub fn verify(&self) -> Result<()> {
        let manifest = &self.manifest;
        for (name, bytes, expected) in [
            (&manifest.weights, &self.weights, &manifest.weights_sha256),
            (
                &manifest.tokenizer,
                &self.tokenizer,
                &manifest.tokenizer_sha256,
            ),
            (&manifest.config, &self.config, &manifest.config_sha256),
        ] {
            let found = sha256(bytes);
            if !found.eq_ignore_ascii_case(expected) {
                return Err(Error::Model(format!(
                    "{name} of model `{}` is damaged or was changed: its sha256 is {found}, the manifest says {expected}",
                    manifest.name
                )));
            }
        }
        Ok(())
    }
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

#[cfg(feature = "embedded")]
fn embedded() -> Result<Files> {
    macro_rules! file {
        ($name:literal) => {
            include_bytes!(concat!("../../models/stance-en-small/", $name))
        };
    }
    // No checksum here: the program's own bytes are as good as its code, and a test holds them to the manifest.
    Ok(Files {
        manifest: Manifest::parse(&String::from_utf8_lossy(file!("manifest.toml")))?,
        folder: None,
        config: Cow::Borrowed(file!("config.json")),
        tokenizer: Cow::Borrowed(file!("tokenizer.json")),
        weights: Cow::Borrowed(file!("model.safetensors")),
    })
}

#[cfg(not(feature = "embedded"))]
fn embedded() -> Result<Files> {
    Err(Error::Model(format!(
        "this program was built without `{EMBEDDED}` (feature `embedded`): name a model folder with --model"
    )))
}

fn from_folder(folder: &Path) -> Result<Files> {
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read(&path)
            .map_err(|source| Error::Model(format!("cannot read {}: {source}", path.display())))
    };
    let manifest = Manifest::parse(&String::from_utf8_lossy(&read("manifest.toml")?))?;
    Ok(Files {
        folder: Some(folder.to_owned()),
        config: Cow::Owned(read(&manifest.config)?),
        tokenizer: Cow::Owned(read(&manifest.tokenizer)?),
        weights: Cow::Owned(read(&manifest.weights)?),
        manifest,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_embedded_files_are_those_of_the_manifest_and_fit_the_limit() {
        let files = Files::open(EMBEDDED).unwrap();
        files.verify().unwrap();
        assert!(
            files.weights.len() < 26_000_000,
            "{} bytes",
            files.weights.len()
        );
    }
}
