//! Finding and reading articles: every file becomes one [`Raw`] or, if it holds records, a stream of them; what cannot be read becomes a [`Raw`]
//! with an error. Nothing is skipped in silence, and no more than one article is in memory.
//!
//! | input | told by | article |
//! |---|---|---|
//! | text, Markdown | any other text | the file |
//! | HTML | `.html` `.htm` `.xhtml`, or a page's first tags | the file |
//! | JSON Lines | `.jsonl` `.ndjson`, or a line that is an object | each line |
//! | JSON | `.json`, or `[{`: an array of objects, or one object | each object |
//! | CSV, TSV | `.csv` `.tsv` `.tab`, or a first line that names a text field | each row |
//! | Parquet | `.parquet`, or its first bytes | each row |
//! | gzip, zstd | their first bytes; may hold any of the above but Parquet | as inside |
//!
//! Fields of records, unless an option names another; the first that is there counts, in lower or upper case:
//!
//! | field | names |
//! |---|---|
//! | text | `text`, `body`, `content`, `article`, `articleBody`, `maintext` |
//! | title | `title`, `headline` |
//! | id | `id`, `custom_id`, `url` |
//! | claim | `claim` |
//! | date | `date`, `published`, `date_published`, `datePublished`, `pubDate`, `timestamp` |
//!
//! In a folder, files whose names begin with a dot are left out, and so are symbolic links; named by the user, both are read.

mod fields;
mod fuel;
mod json;
mod open;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(not(feature = "parquet"))]
#[path = "no_parquet.rs"]
mod parquet;
mod shard;
mod skip;
mod table;
mod walk;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::Raw;
use crate::error::{ArticleError, ArticleErrorKind};
use fields::Fields;

pub use shard::{Elsewhere, Shard};
pub use skip::Skip;
pub use walk::{sources, total_bytes};

/// How articles are read.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// The format of every file, or each file's own.
    pub format: InputFormat,
    /// The field of a record that holds the text; a record without it is an error.
    pub text_field: Option<String>,
    /// The field that holds the title.
    pub title_field: Option<String>,
    /// The field that holds the id; a record without it is named by its file and line.
    pub id_field: Option<String>,
    /// The field that holds the record's own claim.
    pub claim_field: Option<String>,
    /// The field that holds the date.
    pub date_field: Option<String>,
    /// Most bytes of one article (a file or a record), after decompression.
    pub max_bytes: u64,
    /// Whether a record's other fields are kept in [`Raw::fields`].
    pub passthrough: bool,
    /// The part of the articles that is read; `None`: all.
    pub shard: Option<Shard>,
    /// Hears of what could not be read but has its error record in another part.
    pub elsewhere: Elsewhere,
    /// Files that are passed over wherever they are found: the run's own output.
    pub skip: Skip,
    /// Counts the bytes of files and standard input that were read, as they stand (packed), for whoever shows progress.
    pub position: Arc<AtomicU64>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            format: InputFormat::Auto,
            text_field: None,
            title_field: None,
            id_field: None,
            claim_field: None,
            date_field: None,
            max_bytes: 64_000_000,
            passthrough: false,
            shard: None,
            elsewhere: Elsewhere::default(),
            skip: Skip::default(),
            position: Arc::default(),
        }
    }
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InputFormat {
    /// Told by the file's name, else by its first bytes.
    #[default]
    Auto,
    /// Plain text or Markdown, one article.
    Text,
    /// An HTML page, one article.
    Html,
    /// JSON Lines; also an array of objects.
    Jsonl,
    /// Comma-separated values with a header; also separated by tabs, semicolons or bars.
    Csv,
    /// Parquet: columns of its top level, a row group's pages at a time. Files only, since its description stands at its end.
    Parquet,
}

/// Where articles come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, or a folder with all files below it.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

/// The articles of some sources, in order.
///
/// ```
/// use tidings::article::read::{ReadOptions, Reader, Source};
///
/// let input = br#"{"id": "a", "text": "The talks open on Monday."}"#;
/// let mut reader = Reader::with_stdin(vec![Source::Stdin], ReadOptions::default(), Box::new(&input[..]));
/// assert_eq!(reader.next().map(|raw| raw.id), Some("a".to_owned()));
/// ```
pub struct Reader {
    sources: std::vec::IntoIter<Source>,
    folder: Option<(PathBuf, walk::Files)>,
    file: Option<open::Articles>,
    /// Files opened so far.
    files: u64,
    stdin: Option<Box<dyn Read + Send>>,
    options: ReadOptions,
}

impl Reader {
    /// Reads `sources`, as [`sources`] gives them.
    pub fn new(sources: Vec<Source>, options: ReadOptions) -> Self {
        Self::with_stdin(sources, options, Box::new(std::io::stdin()))
    }

    /// As [`Reader::new`], with `stdin` in the place of standard input.
    pub fn with_stdin(
        sources: Vec<Source>,
        options: ReadOptions,
        stdin: Box<dyn Read + Send>,
    ) -> Self {
        Self {
            sources: sources.into_iter(),
            folder: None,
            file: None,
            files: 0,
            stdin: Some(stdin),
            options,
        }
    }

    /// The next file or standard input, opened; or the error that stands for it.
    fn open_next(&mut self) -> Option<open::Articles> {
        loop {
            if let Some((folder, files)) = &mut self.folder {
                match files.next() {
                    Some(found) => {
                        let path = found.as_ref().unwrap_or_else(|(path, _)| path);
                        let file = open::Found {
                            id: walk::id(path),
                            key: walk::id(path.strip_prefix(folder).unwrap_or(path)),
                            options: &self.options,
                        };
                        return Some(match found {
                            Ok(path) => file.open(&path),
                            Err((_, error)) => file.failed(unreadable(error)),
                        });
                    }
                    None => self.folder = None,
                }
            }
            let found = |id: String, key| open::Found {
                id,
                key,
                options: &self.options,
            };
            match self.sources.next()? {
                Source::Stdin => {
                    if let Some(stdin) = self.stdin.take() {
                        return Some(found("-".to_owned(), "-".to_owned()).read(stdin, true));
                    }
                }
                Source::Path(path) if path.is_dir() => {
                    let files = walk::Files::below(&path);
                    self.folder = Some((path, files));
                }
                Source::Path(path) => {
                    let name = path.file_name().map_or(path.as_path(), Path::new);
                    return Some(found(walk::id(&path), walk::id(name)).open(&path));
                }
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Raw;

    fn next(&mut self) -> Option<Raw> {
        loop {
            if let Some(raw) = self.file.as_mut().and_then(Iterator::next) {
                return Some(Raw {
                    file: self.files,
                    ..raw
                });
            }
            self.file = Some(self.open_next()?);
            self.files += 1;
        }
    }
}

/// An article that could not be read.
fn failure(id: impl Into<String>, error: ArticleError) -> Raw {
    Raw {
        id: id.into(),
        title: None,
        date: None,
        claim: None,
        content: Err(error),
        fields: None,
        file: 0,
        ends_file: false,
    }
}

fn malformed(message: impl Into<String>) -> ArticleError {
    ArticleError::new(ArticleErrorKind::Malformed, message)
}

fn too_large(what: &str, max_bytes: u64) -> ArticleError {
    ArticleError::new(
        ArticleErrorKind::TooLarge,
        format!("{what} has more than {max_bytes} bytes"),
    )
}

fn unreadable(error: std::io::Error) -> ArticleError {
    if let Some(bomb) = fuel::bomb(&error) {
        return bomb;
    }
    // What a decompressor reports is not the system's error.
    if error.raw_os_error().is_none() && error.kind() != std::io::ErrorKind::NotFound {
        malformed(format!(
            "the compressed data are damaged or cut off: {error}"
        ))
    } else {
        ArticleError::new(
            ArticleErrorKind::Unreadable,
            format!("cannot be read: {error}"),
        )
    }
}

#[cfg(test)]
mod tests;
