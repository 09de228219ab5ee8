//! Two kinds of failure: an [`Error`] ends the run; an [`ArticleError`] is data, a record of one article that could not be read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What ends a run. The message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request makes no sense as it stands.
    #[error("{0}")]
    Usage(String),
    /// The model is missing, damaged, or not what its manifest says.
    #[error("{0}")]
    Model(String),
    /// The device that was asked for does not open.
    #[error("{0}")]
    Device(String),
    /// The results cannot be written.
    #[error("cannot write the results: {0}")]
    Output(#[source] std::io::Error),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Why one article has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct ArticleError {
    /// The kind, stable across versions.
    pub kind: ArticleErrorKind,
    /// One plain sentence for people.
    pub message: String,
}

impl ArticleError {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ArticleErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

/// The kinds of [`ArticleError`], as they appear in `error.kind`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ArticleErrorKind {
    /// No article text was found.
    Empty,
    /// The bytes are not text.
    Binary,
    /// The bytes are text in no encoding that could be told.
    Encoding,
    /// The container (JSON, CSV, gzip, zstd) is broken.
    Malformed,
    /// Over a limit of size.
    TooLarge,
    /// A language that the model does not read.
    Language,
    /// The file could not be opened or read.
    Unreadable,
}

impl std::fmt::Display for ArticleErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::Binary => "binary",
            Self::Encoding => "encoding",
            Self::Malformed => "malformed",
            Self::TooLarge => "too-large",
            Self::Language => "language",
            Self::Unreadable => "unreadable",
        })
    }
}
