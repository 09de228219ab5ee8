//! Putting a version of a model into the cache: under a lock, each file checked before it has its name, and the branch moved last, so
//! that whatever ends the work leaves the cache as it was, or with a part that the next run goes on from.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::cache::{Cache, unwritable};
use super::checksums::Checksums;
use super::name::Id;
use super::{Event, MANIFEST, hex, replace, sha256};
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

    /// Takes the manifest, which has to be the one on record if there is one: a commit never changes. It is the first to be here, so that
    /// whatever stays behind is listed and can be removed.
    pub fn manifest(&self, manifest: &Manifest, bytes: &[u8]) -> Result<()> {
        let sum = sha256(bytes);
        self.hold(manifest, &sum)?;
        self.keep(MANIFEST, &sum, bytes)
    }

    /// Puts the configuration of a model without a manifest into the cache, and begins its record: so it is one of ours, whatever
    /// becomes of the rest.
    #[cfg(feature = "hub")]
    pub fn plain(&self, name: &str, key: &str, bytes: &[u8]) -> Result<()> {
        let path = self.cache.record(self.id, self.commit);
        if Checksums::read(&path)?.is_none() {
            let mut first = Checksums::default();
            for name in crate::model::manifest::PLAIN {
                first.add(name, super::checksums::UNKNOWN.to_owned());
            }
            first.add(name, sha256(bytes));
            first.write(&path).map_err(|e| unwritable(&path, &e))?;
        }
        self.keep(name, key, bytes)
    }

    /// What the files were on first use.
    #[cfg(feature = "hub")]
    pub fn recorded(&self) -> Result<Checksums> {
        let recorded = Checksums::read(&self.cache.record(self.id, self.commit))?;
        Ok(recorded.unwrap_or_default())
    }

    /// Makes `bytes`, the content that `key` names, a file of this version.
    fn keep(&self, name: &str, key: &str, bytes: &[u8]) -> Result<()> {
        for folder in [
            self.cache.repo_folder(self.id).join("blobs"),
            self.cache.snapshot(self.id, self.commit),
        ] {
            fs::create_dir_all(&folder).map_err(|e| unwritable(&folder, &e))?;
        }
        let partial = self.partial(key);
        fs::write(&partial, bytes).map_err(|e| unwritable(&partial, &e))?;
        self.settle(key)?;
        self.link(name, key)
    }

    /// An empty folder of the model's own, for what is fetched and not kept.
    pub fn scratch(&self) -> Result<PathBuf> {
        let folder = self.cache.repo_folder(self.id).join("fetched");
        match fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(unwritable(&folder, &e)),
            _ => {}
        }
        fs::create_dir_all(&folder).map_err(|e| unwritable(&folder, &e))?;
        Ok(folder)
    }

    /// Where the content that `key` names is, or will be.
    pub fn blob(&self, key: &str) -> PathBuf {
        self.cache.repo_folder(self.id).join("blobs").join(key)
    }

    /// Where it grows.
    pub fn partial(&self, key: &str) -> PathBuf {
        self.blob(&format!("{key}.incomplete"))
    }

    /// The checksum of the content if it is here already and is `sum`, or whatever it is where that is not known; what is damaged is
    /// said and may be replaced.
    pub fn holds(
        &self,
        name: &str,
        key: &str,
        sum: Option<&str>,
        watch: &mut dyn FnMut(Event<'_>),
    ) -> Option<String> {
        let found = sha256_of(&self.blob(key)).ok()?;
        if sum.is_none_or(|sum| found.eq_ignore_ascii_case(sum)) {
            return Some(found);
        }
        watch(Event::Damaged { name });
        None
    }

    /// Gives content that was checked its name.
    pub fn settle(&self, key: &str) -> Result<()> {
        let (from, to) = (self.partial(key), self.blob(key));
        fs::rename(&from, &to).map_err(|e| unwritable(&to, &e))
    }

    /// Where a file of this version is, once it is linked.
    pub fn place(&self, name: &str) -> PathBuf {
        self.cache.snapshot(self.id, self.commit).join(name)
    }

    /// Makes the content a file of this version.
    pub fn link(&self, name: &str, key: &str) -> Result<()> {
        let path = self.place(name);
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
    pub fn finish(self, manifest: &Manifest, manifest_sum: Option<String>) -> Result<()> {
        let path = self.cache.record(self.id, self.commit);
        let mut sums = Checksums::of(manifest);
        if let Some(sum) = manifest_sum {
            sums.add(MANIFEST, sum);
        }
        if !Checksums::read(&path)?.is_some_and(|recorded| recorded.whole()) {
            sums.write(&path).map_err(|e| unwritable(&path, &e))?;
        }
        stand_for(self.cache, self.id, self.commit)
    }

    fn hold(&self, manifest: &Manifest, manifest_sum: &str) -> Result<()> {
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
