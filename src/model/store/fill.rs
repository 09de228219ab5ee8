//! Putting a version of a model into the cache: under a lock, each file checked before it has its name, and the branch moved last, so
//! that whatever ends the work leaves the cache as it was, or with a part that the next run goes on from.
//!
//! A content is called by its SHA-256 and by nothing else: no name that somebody gives can lead to another place, or to another content.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::cache::{Cache, unwritable};
use super::checksums::Checksums;
use super::name::Id;
use super::{Event, MANIFEST, hex, is_sha256, replace, sha256};
use crate::error::{Error, Result};
use crate::model::Manifest;

/// One version that is being put into the cache.
pub(super) struct Fill<'a> {
    cache: &'a Cache,
    id: &'a Id,
    commit: &'a str,
    // Held until the end; the system lets go of it if we die.
    _lock: File,
}

impl<'a> Fill<'a> {
    /// Waits until nobody else changes the model.
    pub fn begin(
        cache: &'a Cache,
        id: &'a Id,
        commit: &'a str,
        watch: &mut dyn FnMut(Event<'_>),
    ) -> Result<Self> {
        let lock = cache.lock(id)?;
        let path = cache.folder().join(".locks");
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                watch(Event::Waiting);
                lock.lock().map_err(|e| unwritable(&path, &e))?;
            }
            Err(TryLockError::Error(e)) => return Err(unwritable(&path, &e)),
        }
        Ok(Self {
            cache,
            id,
            commit,
            _lock: lock,
        })
    }

    /// Which version it is.
    #[cfg(feature = "hub")]
    pub fn commit(&self) -> &str {
        self.commit
    }

    /// Takes the manifest, which has to be the one on record if there is one: a commit never changes. It is the first to be here, so that
    /// whatever stays behind is listed and can be removed.
    pub fn manifest(&self, manifest: &Manifest, bytes: &[u8]) -> Result<()> {
        let mut now = Checksums::of(manifest);
        now.add(MANIFEST, sha256(bytes));
        match self.recorded()? {
            Some(recorded) if recorded != now => Err(self.changed(MANIFEST)),
            _ => self.keep(MANIFEST, bytes),
        }
    }

    /// Takes the configuration of a model without a manifest, which too has to be the one on record. If there is no record it begins one:
    /// so the model is one of ours, whatever becomes of the rest.
    #[cfg(feature = "hub")]
    pub fn plain(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let sum = sha256(bytes);
        match self.recorded()? {
            Some(recorded) if recorded.of_file(name) != Some(&*sum) => {
                return Err(self.changed(name));
            }
            Some(_) => {}
            None => {
                let mut first = Checksums::default();
                for name in crate::model::manifest::PLAIN {
                    first.add(name, super::checksums::UNKNOWN.to_owned());
                }
                first.add(name, sum);
                let path = self.cache.record(self.id, self.commit);
                first.write(&path).map_err(|e| unwritable(&path, &e))?;
            }
        }
        self.keep(name, bytes)
    }

    /// What the files were on first use, if they were used.
    pub fn recorded(&self) -> Result<Option<Checksums>> {
        Checksums::read(&self.cache.record(self.id, self.commit))
    }

    fn changed(&self, name: &str) -> Error {
        Error::Model(format!(
            "`{}` at commit {} is not what it was on first use: another {name} came than the one whose checksum is recorded. Nothing was \
             changed here; if you trust it, `tidings models remove {}` and pull it again",
            self.id, self.commit, self.id.repo
        ))
    }

    /// Makes `bytes` a file of this version.
    fn keep(&self, name: &str, bytes: &[u8]) -> Result<()> {
        for folder in [self.blobs(), self.cache.snapshot(self.id, self.commit)] {
            fs::create_dir_all(&folder).map_err(|e| unwritable(&folder, &e))?;
        }
        let sum = sha256(bytes);
        let partial = self.partial(&sum)?;
        fs::write(&partial, bytes).map_err(|e| unwritable(&partial, &e))?;
        self.settle(&partial, &sum)?;
        self.link(name, &sum)
    }

    /// An empty folder of the model's own, for what is fetched and not kept.
    pub fn scratch(&self) -> Result<PathBuf> {
        let folder = self.cache.repo_folder(self.id).join("fetched");
        gone(fs::remove_dir_all(&folder), &folder)?;
        fs::create_dir_all(&folder).map_err(|e| unwritable(&folder, &e))?;
        Ok(folder)
    }

    fn blobs(&self) -> PathBuf {
        self.cache.repo_folder(self.id).join("blobs")
    }

    /// Where the content of this checksum is, or will be.
    fn blob(&self, sum: &str) -> Result<PathBuf> {
        match is_sha256(sum) {
            true => Ok(self.blobs().join(sum.to_ascii_lowercase())),
            false => Err(Error::Model(format!(
                "`{}`: `{sum}` is no sha256, and names no file",
                self.id
            ))),
        }
    }

    /// Where a content grows: under its checksum, so that another run goes on with it.
    pub fn partial(&self, sum: &str) -> Result<PathBuf> {
        Ok(self.blob(sum)?.with_extension("incomplete"))
    }

    /// Where one grows whose checksum nobody said. What an earlier run left of it cannot be believed, and is thrown away.
    #[cfg(feature = "hub")]
    pub fn unsaid(&self) -> Result<PathBuf> {
        let path = self.blobs().join("unsaid.incomplete");
        gone(fs::remove_file(&path), &path)?;
        Ok(path)
    }

    /// Whether the content of this checksum is here already; what is damaged is said and may be replaced.
    pub fn holds(&self, name: &str, sum: &str, watch: &mut dyn FnMut(Event<'_>)) -> Result<bool> {
        let Ok(found) = sha256_of(&self.blob(sum)?) else {
            return Ok(false);
        };
        let sound = found.eq_ignore_ascii_case(sum);
        if !sound {
            watch(Event::Damaged { name });
        }
        Ok(sound)
    }

    /// Gives content that has this checksum its name.
    pub fn settle(&self, partial: &Path, sum: &str) -> Result<()> {
        let blob = self.blob(sum)?;
        fs::rename(partial, &blob).map_err(|e| unwritable(&blob, &e))
    }

    /// Where a file of this version is, once it is linked.
    pub fn place(&self, name: &str) -> PathBuf {
        self.cache.snapshot(self.id, self.commit).join(name)
    }

    /// Makes the content of this checksum a file of this version.
    pub fn link(&self, name: &str, sum: &str) -> Result<()> {
        let blob = self.blob(sum)?;
        let path = self.place(name);
        let below = Path::new("..").join("..").join("blobs");
        let target = below.join(sum.to_ascii_lowercase());
        if fs::read_link(&path).is_ok_and(|link| link == target) {
            return Ok(());
        }
        gone(fs::remove_file(&path), &path)?;
        link(&target, &blob, &path).map_err(|e| unwritable(&path, &e))
    }

    /// Records the checksums, and lets the revision stand for this version from now on.
    pub fn finish(self, manifest: &Manifest, manifest_sum: Option<String>) -> Result<()> {
        let path = self.cache.record(self.id, self.commit);
        let mut sums = Checksums::of(manifest);
        if let Some(sum) = manifest_sum {
            sums.add(MANIFEST, sum);
        }
        if !self.recorded()?.is_some_and(|recorded| recorded.whole()) {
            sums.write(&path).map_err(|e| unwritable(&path, &e))?;
        }
        stand_for(self.cache, self.id, self.commit)
    }
}

/// What was not there need not be removed.
fn gone(removed: io::Result<()>, path: &Path) -> Result<()> {
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(unwritable(path, &e)),
        _ => Ok(()),
    }
}

/// Notes which commit a branch or tag stands for; a commit stands for itself.
pub(super) fn stand_for(cache: &Cache, id: &Id, commit: &str) -> Result<()> {
    if id.revision == commit || cache.commit(id).as_deref() == Some(commit) {
        return Ok(());
    }
    let folder = cache.repo_folder(id);
    let path = folder.join("refs").join(&id.revision);
    replace(&path, commit.as_bytes(), &folder).map_err(|e| match e.kind() {
        // As on the hub, `a` and `a/b` cannot be at once; one is what it had earlier.
        io::ErrorKind::AlreadyExists
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::DirectoryNotEmpty => Error::Model(format!(
            "the model is here as {}@{commit}, but not as {id}: the cache has another branch or tag whose name begins like this one's. Name it by the \
             commit, or `tidings models remove {}` and pull it again",
            id.repo, id.repo
        )),
        _ => unwritable(&path, &e),
    })
}

/// SHA-256 of a file, read in parts.
pub(super) fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&sum.finalize())),
            n => sum.update(&buffer[..n]),
        }
    }
}

#[cfg(unix)]
fn link(target: &Path, _blob: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

/// Where links are a privilege, the content has two names.
#[cfg(not(unix))]
fn link(_target: &Path, blob: &Path, path: &Path) -> io::Result<()> {
    fs::hard_link(blob, path).or_else(|_| fs::copy(blob, path).map(|_| ()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_a_checksum_names_a_content() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let (id, commit) = (Id::parse("a/b").unwrap(), "c".repeat(40));
        let fill = Fill::begin(&cache, &id, &commit, &mut |_| ()).unwrap();
        for odd in ["", "..", "../../x", "x", &"/".repeat(64), &"a".repeat(63)] {
            let tried = [
                fill.partial(odd).map(drop),
                fill.holds("x", odd, &mut |_| ()).map(drop),
                fill.settle(folder.path(), odd),
                fill.link("x", odd),
            ];
            for result in tried {
                let error = result.unwrap_err().to_string();
                assert!(error.contains("is no sha256"), "{odd}: {error}");
            }
        }
        assert!(
            fill.partial(&"A".repeat(64))
                .unwrap()
                .ends_with("a".repeat(64) + ".incomplete")
        );
    }
}
