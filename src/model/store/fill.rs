//! Putting a version of a model into the cache: under a lock, each file checked before it has its name, and the branch moved last, so
//! that whatever ends the work leaves the cache as it was, or with a part that the next run goes on from.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::cache::{Cache, unwritable};
use super::checksums::Checksums;
use super::name::Id;
use super::{Event, MANIFEST, hex};
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
        for folder in [
            cache.repo_folder(id).join("blobs"),
            cache.snapshot(id, commit),
        ] {
            fs::create_dir_all(&folder).map_err(|e| unwritable(&folder, &e))?;
        }
        Ok(Self {
            cache,
            id,
            commit,
            _lock: lock,
        })
    }

    /// Where the content that `key` names is, or will be.
    pub fn blob(&self, key: &str) -> PathBuf {
        self.cache.repo_folder(self.id).join("blobs").join(key)
    }

    /// Where it grows.
    pub fn partial(&self, key: &str) -> PathBuf {
        self.blob(&format!("{key}.incomplete"))
    }

    /// Whether the content is here already and has this checksum; what is damaged is said and may be replaced.
    pub fn holds(
        &self,
        name: &str,
        key: &str,
        sum: &str,
        watch: &mut dyn FnMut(Event<'_>),
    ) -> bool {
        match sha256_of(&self.blob(key)) {
            Ok(found) if found.eq_ignore_ascii_case(sum) => true,
            Ok(_) => {
                watch(Event::Damaged { name });
                false
            }
            Err(_) => false,
        }
    }

    /// Gives content that was checked its name.
    pub fn settle(&self, key: &str) -> Result<()> {
        let (from, to) = (self.partial(key), self.blob(key));
        fs::rename(&from, &to).map_err(|e| unwritable(&to, &e))
    }

    /// Keeps `bytes` as the content that `key` names.
    pub fn keep(&self, key: &str, bytes: &[u8]) -> Result<()> {
        let partial = self.partial(key);
        fs::write(&partial, bytes).map_err(|e| unwritable(&partial, &e))?;
        self.settle(key)
    }

    /// Makes the content a file of this version.
    pub fn link(&self, name: &str, key: &str) -> Result<()> {
        let path = self.cache.snapshot(self.id, self.commit).join(name);
        let target = Path::new("..").join("..").join("blobs").join(key);
        if fs::read_link(&path).is_ok_and(|link| link == target) {
            return Ok(());
        }
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(unwritable(&path, &e)),
            _ => {}
        }
        link(&target, &self.blob(key), &path).map_err(|e| unwritable(&path, &e))
    }

    /// Records the checksums, and lets the revision stand for this version from now on.
    pub fn finish(self, manifest: &Manifest, manifest_sum: String) -> Result<()> {
        let path = self.cache.record(self.id, self.commit);
        let mut sums = Checksums::of(manifest);
        sums.add(MANIFEST, manifest_sum);
        if Checksums::read(&path)?.is_none() {
            sums.write(&path).map_err(|e| unwritable(&path, &e))?;
        }
        stand_for(self.cache, self.id, self.commit)
    }

    /// Holds a manifest that was just fetched to the record, if there is one: a commit never changes.
    pub fn hold(&self, manifest: &Manifest, manifest_sum: &str) -> Result<()> {
        let Some(recorded) = Checksums::read(&self.cache.record(self.id, self.commit))? else {
            return Ok(());
        };
        let mut now = Checksums::of(manifest);
        now.add(MANIFEST, manifest_sum.to_owned());
        if now == recorded {
            return Ok(());
        }
        Err(Error::Model(format!(
            "`{}` at commit {} is not what it was on first use: another manifest.toml came than the one whose checksum is recorded. Nothing was \
             changed here; if you trust it, `tidings models remove {}` and pull it again",
            self.id, self.commit, self.id.repo
        )))
    }
}

/// Notes which commit a branch or tag stands for; a commit stands for itself.
pub(super) fn stand_for(cache: &Cache, id: &Id, commit: &str) -> Result<()> {
    if id.revision == commit || cache.commit(id).as_deref() == Some(commit) {
        return Ok(());
    }
    let written = cache.layout(id).create_ref(commit);
    written.map_err(|e| unwritable(&cache.repo_folder(id).join("refs"), &e))
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
