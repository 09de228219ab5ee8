//! Where a model's files come from: inside the program, a folder, or the cache that is shared with the hub's other tools.
//!
//! ```text
//! name ─► embedded | folder | cache ─► Files (checked)        opening: asks nobody
//!                              ▲
//!          hub::pull, package::pull                           fetching: only when called by name
//! ```
//!
//! Opening never reaches out; [`hub`] and [`package`] are the only files that do.

mod cache;
mod checksums;
mod fill;
pub mod known;
mod name;
mod plain;
mod settings;

#[cfg(feature = "hub")]
mod fetch;
#[cfg(feature = "hub")]
pub mod hub;
#[cfg(not(feature = "hub"))]
#[path = "no_hub.rs"]
pub mod hub;
pub mod package;
#[cfg(feature = "hub")]
mod way;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

pub use self::cache::{Cache, Cached};
pub use self::name::{Id, Name};
pub use self::settings::Settings;

use super::manifest::{FILE as MANIFEST, Manifest, is_sha256};
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
    /// Weights, safetensors; of a decoder perhaps GGUF, or the index of shards.
    pub weights: Cow<'static, [u8]>,
    /// What else the manifest names.
    pub more: BTreeMap<String, Vec<u8>>,
}

/// What happens while a model is fetched, for whoever watches.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The hub is asked for a model.
    Asking {
        /// Which.
        id: &'a Id,
        /// Where.
        endpoint: &'a str,
    },
    /// Another process changes the same model; this one waits for it.
    Waiting,
    /// A file begins to come.
    File {
        /// Its name.
        name: &'a str,
        /// Its bytes, if known.
        bytes: Option<u64>,
    },
    /// So many bytes of it are here.
    Here(u64),
    /// It is whole, and has its checksum.
    Checked,
    /// A file of the cache is not what it should be, and is fetched again.
    Damaged {
        /// Its name.
        name: &'a str,
    },
    /// The connection failed; the next try is after `wait`.
    Again {
        /// What failed.
        why: &'a str,
        /// Time until the next try.
        wait: Duration,
    },
}

/// What a fetch brought.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// The name that it can be opened by.
    pub id: Id,
    /// The commit that was fetched.
    pub commit: String,
    /// The commit that the name stood for before, if any.
    pub before: Option<String>,
    /// Whether it was all in the cache already.
    pub already: bool,
    /// Its files.
    pub files: Files,
}

impl Files {
    /// The embedded model for its name; a folder with a manifest, or as Hugging Face transformers writes it; or a model of the cache. Checksums are verified, nothing is fetched.
    ///
    /// # Errors
    /// [`Error::Model`] when there is no such model, a file is missing, or a checksum differs.
    pub fn open(name: &str) -> Result<Self> {
        match Name::parse(name)? {
            Name::Embedded => embedded(),
            Name::Folder(folder) => {
                if !folder.join(MANIFEST).is_file() {
                    return plain::open(&folder);
                }
                let files = from_folder(&folder, read_manifest(&folder)?)?;
                files.verify()?;
                Ok(files)
            }
            Name::Cached(id) => Cache::new(Settings::from_env()?.cache).open(&id),
        }
    }

    /// The files of a manifest, by name; one that is not there is empty.
    fn of(folder: &Path, manifest: Manifest, mut files: BTreeMap<String, Vec<u8>>) -> Self {
        let mut bytes = |name: &str| Cow::Owned(files.remove(name).unwrap_or_default());
        Self {
            folder: Some(folder.to_owned()),
            config: bytes(&manifest.config),
            tokenizer: bytes(&manifest.tokenizer),
            weights: bytes(&manifest.weights),
            more: files,
            manifest,
        }
    }

    /// Compares the checksums with the manifest's.
    ///
    /// # Errors
    /// [`Error::Model`] that names the file and both checksums.
    pub fn verify(&self) -> Result<()> {
        for ((name, bytes), (_, expected)) in self.named().into_iter().zip(self.manifest.files()) {
            let found = sha256(bytes);
            if !found.eq_ignore_ascii_case(expected) {
                let place = match &self.folder {
                    Some(folder) => folder.join(name).display().to_string(),
                    None => name.to_owned(),
                };
                return Err(Error::Model(format!(
                    "{place} is damaged or was changed: its sha256 is {found}, the manifest of `{}` says {expected}",
                    self.manifest.name
                )));
            }
        }
        Ok(())
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.named()
            .iter()
            .map(|(_, bytes)| bytes.len() as u64)
            .sum()
    }

    /// The files by name, in the order of [`Manifest::files`].
    fn named(&self) -> Vec<(&str, &[u8])> {
        let manifest = &self.manifest;
        let bytes = |name: &str| match name {
            name if name == manifest.config => &*self.config,
            name if name == manifest.tokenizer => &*self.tokenizer,
            name if name == manifest.weights => &*self.weights,
            name => self.more.get(name).map_or(&[][..], |more| more),
        };
        let files = manifest.files().into_iter();
        files.map(|(name, _)| (name, bytes(name))).collect()
    }
}

/// Puts a file at `path` at once: whoever reads it finds the old one or the new one, whole. It grows in `beside`, on the same disk.
fn replace(path: &Path, bytes: &[u8], beside: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut growing = tempfile::Builder::new();
    // The cache is shared: what may read its other files may read this one.
    #[cfg(unix)]
    growing.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = growing.tempfile_in(beside)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(feature = "embedded")]
fn embedded() -> Result<Files> {
    macro_rules! file {
        ($name:literal) => {
            include_bytes!(concat!("../../../models/stance-en-small/", $name))
        };
    }
    // No checksum here: the program's own bytes are as good as its code, and a test holds them to the manifest.
    Ok(Files {
        manifest: Manifest::parse(&String::from_utf8_lossy(file!("manifest.toml")))?,
        folder: None,
        config: Cow::Borrowed(file!("config.json")),
        tokenizer: Cow::Borrowed(file!("tokenizer.json")),
        weights: Cow::Borrowed(file!("model.safetensors")),
        more: BTreeMap::new(),
    })
}

#[cfg(not(feature = "embedded"))]
fn embedded() -> Result<Files> {
    Err(Error::Model(format!(
        "this program was built without `{EMBEDDED}` (feature `embedded`): name another model with --model"
    )))
}

fn from_folder(folder: &Path, manifest: Manifest) -> Result<Files> {
    let mut files = BTreeMap::new();
    for (name, _) in manifest.files() {
        files.insert(name.to_owned(), read(&folder.join(name))?);
    }
    Ok(Files::of(folder, manifest, files))
}

fn read_manifest(folder: &Path) -> Result<Manifest> {
    Manifest::parse(&String::from_utf8_lossy(&read(&folder.join(MANIFEST))?))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| Error::Model(format!("cannot read {}: {e}", path.display())))
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
