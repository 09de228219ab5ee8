//! Articles: found as files or records, read from any format, cleaned, split into sentences.
//!
//! [`read`] finds [`Raw`] articles (bytes decoded, nothing judged); [`Raw::clean`] makes an [`Article`] of one, or says in an
//! [`ArticleError`] why there is none. Nothing here knows the model.

pub mod clean;
pub mod encoding;
pub mod html;
pub mod language;
pub mod read;
pub mod sentences;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::error::{ArticleError, ArticleErrorKind};

/// An article as it was found: decoded to text, not yet cleaned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// The record's own id, else `path#line`; a file's path as given, `/`-separated.
    pub id: String,
    /// Title, when the container has a field for it.
    pub title: Option<String>,
    /// Date, when the container has a field for it, as it stands there.
    pub date: Option<String>,
    /// The record's own claim, which overrides the run's.
    pub claim: Option<String>,
    /// The text, or why there is none.
    pub content: Result<Content, ArticleError>,
    /// The record's other fields, when they are kept ([`read::ReadOptions::passthrough`]).
    pub fields: Option<Fields>,
    /// The file that it is from, as the reader counts them.
    pub file: u64,
    /// Whether it is an error that stands for all of its file, or all the rest.
    pub ends_file: bool,
}

/// Fields of a record that are not read but handed on: a JSON object on one line, every value as it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields(pub(crate) String);

impl JsonSchema for Fields {
    fn schema_name() -> Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "The input record's other fields.", "type": "object"})
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(String::from(Box::<str>::from(raw))))
    }
}

/// Decoded text of one article.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Plain text or Markdown, perhaps scraped from a page with its navigation and forms.
    Text(String),
    /// A whole HTML page or fragment.
    Html(String),
}

/// A cleaned article.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    /// As in [`Raw::id`].
    pub id: String,
    /// Title, one line, without the page's furniture.
    pub title: Option<String>,
    /// Paragraphs separated by one blank line; lines inside a paragraph are joined.
    pub body: String,
    /// Date as found (ISO 8601 where the page states it so).
    pub date: Option<String>,
    /// As in [`Raw::claim`].
    pub claim: Option<String>,
    /// ISO 639-1 code where one exists (`en`), when the text is long enough to tell.
    pub language: Option<&'static str>,
}

/// What [`Raw::clean`] allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanOptions {
    /// Most characters (Unicode code points) of an article after cleaning.
    pub max_chars: usize,
    /// Languages that the model reads, as ISO 639-1 codes; empty: any.
    pub languages: Vec<String>,
}

impl Default for CleanOptions {
    fn default() -> Self {
        Self {
            max_chars: 1_000_000,
            languages: vec!["en".to_owned()],
        }
    }
}

impl Article {
    /// The text that is read and that evidence offsets point into: title, blank line, body.
    pub fn text(&self) -> String {
        match &self.title {
            Some(title) if self.body.is_empty() => title.clone(),
            Some(title) => format!("{title}\n\n{}", self.body),
            None => self.body.clone(),
        }
    }
}

impl Raw {
    /// Main text, cleaned, within the limits and in a language that the model reads.
    ///
    /// # Errors
    /// What reading found already, or `empty`, `too-large`, `language`.
    pub fn clean(self, options: &CleanOptions) -> Result<Article, ArticleError> {
        let title = self
            .title
            .map(|title| clean::one_line(&title))
            .filter(|title| !title.is_empty());
        let cleaned = match self.content? {
            Content::Text(text) => {
                let text = within_reason(&text, options.max_chars)?;
                match &title {
                    Some(title) => clean::titled(&text, title),
                    None => clean::clean(&text),
                }
            }
            Content::Html(page) => html::extract(&page)?,
        };
        // A title field beats a title guessed from the text; the guess then goes back on top of the body unless it says the same.
        let (title, body) = match (title, cleaned.title) {
            (Some(own), Some(guess)) if !clean::same_line(&own, &guess) => {
                (Some(own), join(&guess, &cleaned.body))
            }
            (Some(own), _) => (Some(own), cleaned.body),
            (None, guess) => (guess, cleaned.body),
        };
        let article = Article {
            id: self.id,
            title,
            body,
            date: self.date.or(cleaned.date),
            claim: self.claim,
            language: None,
        };
        let text = article.text();
        if text.trim().is_empty() {
            return Err(ArticleError::new(
                ArticleErrorKind::Empty,
                "no article text found",
            ));
        }
        let chars = text.chars().count();
        if chars > options.max_chars {
            return Err(ArticleError::new(
                ArticleErrorKind::TooLarge,
                format!(
                    "{chars} characters after cleaning, more than {} (--max-chars)",
                    options.max_chars
                ),
            ));
        }
        let language = language::detect(&text);
        match language {
            Some(code)
                if !options.languages.is_empty()
                    && !options.languages.iter().any(|known| known == code) =>
            {
                Err(ArticleError::new(
                    ArticleErrorKind::Language,
                    format!(
                        "the text is in language `{code}`; the model reads {} (--any-language reads it all the same)",
                        options.languages.join(", ")
                    ),
                ))
            }
            _ => Ok(Article {
                language,
                ..article
            }),
        }
    }
}

/// Lines with something on them that a text has at most: a novel has 20,000.
const MAX_LINES: usize = 100_000;
/// No page has more around its article than this many times the article.
const PAGE: usize = 2;

/// Cleaning takes many times a text's size: what cannot but be too long afterwards is refused before, and white space by the megabyte taken out.
fn within_reason(text: &str, max_chars: usize) -> Result<Cow<'_, str>, ArticleError> {
    let too_large = |what: String| Err(ArticleError::new(ArticleErrorKind::TooLarge, what));
    if text.len() <= MAX_LINES {
        return Ok(text.into());
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
    if lines > MAX_LINES {
        return too_large(format!("{lines} lines, more than {MAX_LINES}"));
    }
    let most = max_chars.saturating_mul(PAGE);
    if text.len() <= most {
        return Ok(text.into());
    }
    let chars = text.chars().filter(|c| !c.is_whitespace()).count();
    if chars > most {
        return too_large(format!(
            "{chars} characters, more than an article of {max_chars} (--max-chars) with a page around it"
        ));
    }
    let lines = text.lines().map(str::trim);
    Ok(lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n\n")
        .into())
}

fn join(first: &str, rest: &str) -> String {
    if rest.is_empty() {
        first.to_owned()
    } else {
        format!("{first}\n\n{rest}")
    }
}

/// What cleaning makes of a page or a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Title, when one could be told from the body.
    pub title: Option<String>,
    /// Paragraphs separated by one blank line.
    pub body: String,
    /// Date of publication, when the page states one.
    pub date: Option<String>,
}
