//! What a model is asked for by: the embedded one's name, a folder, or a name in the cache, which is a hub id (`org/name`) or the
//! name of a model that came in a package; with `@REVISION` a branch, tag or commit of it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::EMBEDDED;
use crate::error::{Error, Result};

/// A model's name, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// The model inside the program.
    Embedded,
    /// A folder with a manifest.
    Folder(PathBuf),
    /// A model of the cache.
    Cached(Id),
}

impl Name {
    /// Understands `text`. A folder that exists is a folder, whatever it is called.
    ///
    /// # Errors
    /// [`Error::Model`] when it can be none of the three.
    pub fn parse(text: &str) -> Result<Self> {
        let path = Path::new(text);
        if text == EMBEDDED {
            return Ok(Self::Embedded);
        }
        if path.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        if path.is_file() {
            return Err(Error::Model(format!(
                "no model `{text}`: it is a file; name its folder, which holds a manifest.toml"
            )));
        }
        Id::parse(text).map(Self::Cached).map_err(|error| {
            // What stands before the @ is fine: then it is the revision.
            let repo = text.split_once('@').map(|(repo, _)| repo);
            if repo.is_some_and(|repo| Id::parse(repo).is_ok()) {
                return error;
            }
            Error::Model(format!(
                "no model `{text}`: it is neither `{EMBEDDED}`, nor a folder, nor a hub id such as org/name or org/name@revision \
                 (`tidings models list` shows what there is)"
            ))
        })
    }
}

/// A model of the hub, or of a package, and which version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id {
    /// `org/name`, or a plain name for one that came in a package.
    pub repo: String,
    /// Branch, tag or commit; `main` if none was named.
    pub revision: String,
}

impl Id {
    /// Reads `repo` or `repo@revision`. Both become paths and addresses: only what the hub itself allows may pass.
    ///
    /// # Errors
    /// [`Error::Model`] when it is no such thing.
    pub fn parse(text: &str) -> Result<Self> {
        let (repo, revision) = text.split_once('@').unwrap_or((text, MAIN));
        let parts = repo.split('/').count();
        if !(repo.split('/').all(is_part) && parts <= 2 && repo.len() <= 96) {
            return Err(Error::Model(format!(
                "`{repo}` is no hub id: one looks like org/name"
            )));
        }
        if !is_revision(revision) {
            return Err(Error::Model(format!(
                "`{revision}` is no revision: name a branch, a tag or a commit (letters, digits and ._-+/)"
            )));
        }
        Ok(Self {
            repo: repo.to_owned(),
            revision: match is_commit(revision) {
                // As the hub writes it, and the cache's folders are called.
                true => revision.to_ascii_lowercase(),
                false => revision.to_owned(),
            },
        })
    }

    /// The name without its owner.
    pub fn name(&self) -> &str {
        self.repo.rsplit('/').next().unwrap_or(&self.repo)
    }

    /// Whether it can be on the hub: only what has an owner.
    pub fn on_hub(&self) -> bool {
        self.repo.contains('/')
    }

    /// The same model at another revision.
    #[must_use]
    pub fn at(&self, revision: &str) -> Self {
        Self {
            repo: self.repo.clone(),
            revision: revision.to_owned(),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repo)?;
        match &*self.revision {
            MAIN => Ok(()),
            revision => write!(f, "@{revision}"),
        }
    }
}

/// The revision where none is named.
const MAIN: &str = "main";

/// The hub's rule for an owner or a name; `--` would be a slash in the cache's folder names.
pub(super) fn is_part(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let edge = |c: char| c == '.' || c == '-';
    !part.is_empty()
        && part.chars().all(plain)
        && !part.starts_with(edge)
        && !part.ends_with(edge)
        && !part.contains("--")
        && !part.contains("..")
}

/// Whether `text` can be asked for as a revision: it becomes a path below `refs`, and a part of addresses.
pub(super) fn is_revision(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+/".contains(c);
    let whole = |part: &str| !part.is_empty() && part != "." && part != "..";
    text.chars().all(plain)
        && text.split('/').all(whole)
        && text.len() <= 255
        && !text.starts_with('-')
}

/// Whether `text` names a commit: nothing else may become a folder below `snapshots`.
pub(super) fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_are_what_the_hub_allows() {
        let id = Id::parse("tidings-test/stance.v1@refs/pr/3").unwrap();
        assert_eq!(id.repo, "tidings-test/stance.v1");
        assert_eq!(id.revision, "refs/pr/3");
        assert_eq!(id.to_string(), "tidings-test/stance.v1@refs/pr/3");
        assert_eq!(Id::parse("a/b").unwrap().to_string(), "a/b");
        assert!(!Id::parse("plain").unwrap().on_hub());
        assert_eq!(Id::parse("a/b@v1.0+cpu").unwrap().revision, "v1.0+cpu");
        let commit = "C0FFEE".to_owned() + &"0".repeat(34);
        let id = Id::parse(&format!("a/b@{commit}")).unwrap();
        assert_eq!(id.revision, commit.to_lowercase());
        assert_eq!(Id::parse("a/b@C0FFEE").unwrap().revision, "C0FFEE");
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "a/b/c",
            "../a",
            "a/..",
            "a/.b",
            "a--b/c",
            "a b/c",
            "a/b@",
            "a/b@..",
            "a/b@x/../y",
            "a/b@x//y",
            "a/b@-x",
            "a/b@x?y",
            "a/b@x#y",
            "a/b@x@y",
            "a/ü",
            "C:\\a",
        ] {
            assert!(Id::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_folder_that_is_there_is_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().to_str().unwrap();
        assert_eq!(
            Name::parse(text).unwrap(),
            Name::Folder(folder.path().to_owned())
        );
        assert_eq!(Name::parse(EMBEDDED).unwrap(), Name::Embedded);
        let says = |text: &str| Name::parse(text).unwrap_err().to_string();
        assert!(says("./no/such/folder").contains("models list"));
        let file = folder.path().join("manifest.toml");
        std::fs::write(&file, "").unwrap();
        let said = says(file.to_str().unwrap());
        assert!(said.contains("is a file; name its folder"), "{said}");
        let said = says("a/b@v1 x");
        assert!(said.contains("`v1 x` is no revision"), "{said}");
    }
}
