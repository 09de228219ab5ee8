//! The checksums of a cached model, recorded when it is first used and held to from then on.
//!
//! The manifest's own sums say that files belong together; the record says that they are still those of the first day, the manifest
//! among them. It is a text that `sha256sum --check` understands.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::{MANIFEST, is_sha256, replace};
use crate::error::{Error, Result};
use crate::model::Manifest;
use crate::model::manifest::PLAIN;

const DAMAGED: &str = "the record of checksums is damaged: remove the model with `tidings models remove`, and pull it again";

/// In place of a checksum that is not known yet.
pub const UNKNOWN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Checksums by file name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checksums(BTreeMap<String, String>);

impl Checksums {
    /// Those that a manifest states.
    pub fn of(manifest: &Manifest) -> Self {
        let mut sums = Self::default();
        for (name, sum) in manifest.files() {
            sums.add(name, sum.to_ascii_lowercase());
        }
        sums
    }

    /// All of them.
    pub fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Adds one.
    pub fn add(&mut self, name: &str, sum: String) {
        self.0.insert(name.to_owned(), sum);
    }

    /// That of the file called `name`, if it is known yet.
    pub fn of_file(&self, name: &str) -> Option<&str> {
        let sum = self.0.get(name).map(String::as_str);
        sum.filter(|sum| *sum != UNKNOWN)
    }

    /// Whether all are known.
    pub fn whole(&self) -> bool {
        self.0.keys().all(|name| self.of_file(name).is_some())
    }

    /// Reads a record; `None` when there is none yet.
    ///
    /// # Errors
    /// [`Error::Model`] when it is no record: then nothing can be held to it.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let fail = |what: String| Err(Error::Model(format!("{}: {what}", path.display())));
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return fail(e.to_string()),
        };
        let mut sums = Self::default();
        for line in text.lines() {
            if let Some((sum, name)) = line.split_once("  ").filter(|(sum, _)| is_sha256(sum)) {
                sums.add(name, sum.to_owned());
                continue;
            }
            return fail(DAMAGED.to_owned());
        }
        // An empty one is what a broken disk leaves, and would hold nothing to anything.
        let has = |name: &str| sums.0.contains_key(name);
        // Weights may be in shards.
        match has(MANIFEST) || PLAIN.into_iter().take(2).all(has) {
            true => Ok(Some(sums)),
            false => fail(DAMAGED.to_owned()),
        }
    }

    /// Writes the record, whole or not at all.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let lines = self.0.iter().map(|(name, sum)| format!("{sum}  {name}\n"));
        replace(path, lines.collect::<String>().as_bytes(), folder)
    }

    /// Compares what was found in the file at `path` with the record.
    ///
    /// # Errors
    /// What differs, in words.
    pub fn hold(&self, name: &str, path: &Path, found: &str) -> std::result::Result<(), String> {
        let place = path.display();
        match self.0.get(name) {
            Some(sum) if sum == found => Ok(()),
            Some(sum) => Err(format!(
                "{place} is damaged or was changed: its sha256 is {found}, on first use it was {sum}"
            )),
            None => Err(format!(
                "{place} was not there on first use, or its record was changed"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_a_torn_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below").join("c.sha256");
        assert_eq!(Checksums::read(&path).unwrap(), None);
        let mut sums = Checksums::default();
        sums.add("a file", "0".repeat(64));
        sums.add(MANIFEST, "2".repeat(64));
        sums.write(&path).unwrap();
        assert_eq!(Checksums::read(&path).unwrap(), Some(sums.clone()));
        assert!(sums.hold("a file", &path, &"0".repeat(64)).is_ok());
        assert!(sums.hold("a file", &path, &"1".repeat(64)).is_err());
        assert!(sums.hold("another", &path, &"0".repeat(64)).is_err());
        let sum = "0".repeat(64);
        let odd = sum.replace("00", "/.");
        for torn in [
            "",
            &format!("{sum}  a file\n"),
            &format!("{odd}  manifest.toml\n"),
            "00  manifest.toml\n",
        ] {
            fs::write(&path, torn).unwrap();
            let error = Checksums::read(&path).unwrap_err().to_string();
            assert!(error.contains("models remove"), "{torn}: {error}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_record_can_be_read_by_whoever_shares_the_cache() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, other) = (folder.path().join("ours"), folder.path().join("other"));
        Checksums::default().write(&ours).unwrap();
        fs::write(&other, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&other));
    }
}
