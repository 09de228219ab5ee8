//! Paths on the command line, and the files below folders.

use std::io;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::Source;
use crate::error::{Error, Result};

/// The sources that `paths` name: files, folders, `-` for standard input, and glob patterns (`*`, `?`, `[a-z]`, `**`), which are expanded in byte
/// order. A path that exists is that path, whatever characters it has.
///
/// # Errors
/// [`Error::Usage`] for a path or pattern that matches nothing, a pattern that is none, and `-` given twice.
pub fn sources(paths: &[String]) -> Result<Vec<Source>> {
    let mut sources = Vec::with_capacity(paths.len());
    for path in paths {
        if path == "-" {
            if sources.contains(&Source::Stdin) {
                return Err(Error::Usage(
                    "`-` is given twice; standard input can be read once".to_owned(),
                ));
            }
            sources.push(Source::Stdin);
            continue;
        }
        match Path::new(path).symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                sources.extend(expand(path)?.into_iter().map(Source::Path));
            }
            // What exists but cannot be read becomes an error record when its turn comes.
            _ => sources.push(Source::Path(PathBuf::from(path))),
        }
    }
    Ok(sources)
}

/// The paths that match a pattern, in byte order. `**` follows no symbolic link (they may go in circles) and gives files only: all below a folder
/// that matches would come twice.
fn expand(text: &str) -> Result<Vec<PathBuf>> {
    let usage = |message| Err(Error::Usage(message));
    let Some(special) = text.find(['*', '?', '[']) else {
        return usage(format!("no such file or folder: {text}"));
    };
    let pattern = match glob::Pattern::new(text) {
        Ok(pattern) => pattern,
        Err(error) => {
            return usage(format!(
                "`{text}` is no file, and no pattern either: {error}"
            ));
        }
    };
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let recursive = text.contains("**");
    let (base, rest) = text.split_at(
        text.get(..special)
            .and_then(|s| s.rfind('/'))
            .map_or(0, |at| at + 1),
    );
    let deepest = if recursive {
        usize::MAX
    } else {
        rest.split('/').count()
    };
    let walk = WalkDir::new(if base.is_empty() { "." } else { base })
        .min_depth(1)
        .max_depth(deepest)
        .follow_links(!recursive);
    let mut paths = Vec::new();
    for found in walk {
        let (path, is_folder) = match &found {
            Ok(entry) => (entry.path(), entry.file_type().is_dir()),
            Err(error) if error.loop_ancestor().is_some() => continue,
            Err(error) => (error.path().unwrap_or(Path::new(base)), false),
        };
        let path = if base.is_empty() {
            path.strip_prefix(".").unwrap_or(path)
        } else {
            path
        };
        if pattern.matches_path_with(path, options) && !(recursive && is_folder) {
            paths.push(path.to_owned());
        }
    }
    if paths.is_empty() {
        return usage(format!("nothing matches {text}"));
    }
    paths.sort_by(|a, b| {
        a.as_os_str()
            .as_encoded_bytes()
            .cmp(b.as_os_str().as_encoded_bytes())
    });
    Ok(paths)
}

/// Bytes of all files of `sources`, as they stand, to show how far a run is; `None` when there is no telling (standard input, a pipe).
pub fn total_bytes(sources: &[Source]) -> Option<u64> {
    let size = |path: &Path| {
        let file = path.metadata().ok()?;
        file.is_file().then_some(file.len())
    };
    let mut total = 0;
    for source in sources {
        match source {
            Source::Stdin => return None,
            Source::Path(path) if path.is_dir() => {
                total += Files::below(path)
                    .flatten()
                    .filter_map(|file| size(&file))
                    .sum::<u64>();
            }
            Source::Path(path) => total += size(path)?,
        }
    }
    Some(total)
}

/// A path as it stands in records: `/`-separated.
pub(super) fn id(path: &Path) -> String {
    let id = path.to_string_lossy();
    if std::path::MAIN_SEPARATOR == '/' {
        id.into_owned()
    } else {
        id.replace(std::path::MAIN_SEPARATOR, "/")
    }
}

/// The regular files below a folder, in byte order of their paths. One folder's names at a time are in memory.
pub(super) struct Files(walkdir::IntoIter);

impl Files {
    pub(super) fn below(folder: &Path) -> Self {
        Self(
            WalkDir::new(folder)
                .sort_by(|a, b| name(a).cmp(name(b)))
                .into_iter(),
        )
    }
}

/// A folder sorts as its files' paths do: with a `/` after its name.
fn name(entry: &DirEntry) -> impl Iterator<Item = u8> + '_ {
    let slash = entry.file_type().is_dir().then_some(b'/');
    let bytes = entry.file_name().as_encoded_bytes();
    bytes.iter().copied().chain(slash)
}

impl Iterator for Files {
    type Item = std::result::Result<PathBuf, (PathBuf, io::Error)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.0.next()? {
                Ok(entry) => {
                    let hidden =
                        entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
                    if hidden && entry.file_type().is_dir() {
                        self.0.skip_current_dir();
                    } else if !hidden && entry.file_type().is_file() {
                        return Some(Ok(entry.into_path()));
                    }
                }
                Err(error) => {
                    let path = error.path().map(Path::to_owned).unwrap_or_default();
                    let error = error
                        .into_io_error()
                        .unwrap_or_else(|| io::Error::from(io::ErrorKind::NotFound));
                    return Some(Err((path, error)));
                }
            }
        }
    }
}
