//! The checksums of a cached model, recorded when it is first used and held to from then on.
//!
//! The manifest's own sums say that files belong together; the record says that they are still those of the first day, the manifest
//! among them. It is a text that `sha256sum --check` understands.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::error::{Error, Result};
use crate::model::Manifest;

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

    /// Adds one.
    pub fn add(&mut self, name: &str, sum: String) {
        self.0.insert(name.to_owned(), sum);
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
            match line.split_once("  ") {
                Some((sum, name)) if sum.len() == 64 => sums.add(name, sum.to_owned()),
                _ => {
                    return fail(
                        "the record of checksums is damaged: remove the model with `tidings models remove`, and pull it again"
                            .to_owned(),
                    );
                }
            }
        }
        Ok(Some(sums))
    }

    /// Writes the record, whole or not at all.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let lines = self.0.iter().map(|(name, sum)| format!("{sum}  {name}\n"));
        let beside = path.with_extension(format!("{}.tmp", std::process::id()));
        fs::write(&beside, lines.collect::<String>())?;
        fs::rename(&beside, path)
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
        sums.write(&path).unwrap();
        assert_eq!(Checksums::read(&path).unwrap(), Some(sums.clone()));
        assert!(sums.hold("a file", &path, &"0".repeat(64)).is_ok());
        assert!(sums.hold("a file", &path, &"1".repeat(64)).is_err());
        assert!(sums.hold("another", &path, &"0".repeat(64)).is_err());
        fs::write(&path, "00  a file\n").unwrap();
        assert!(Checksums::read(&path).is_err());
    }
}
