//! From a record's fields to an article.

use serde_json::{Map, Value};

use super::{ReadOptions, failure, malformed};
use crate::article::{Content, Raw, html};
use crate::error::{ArticleError, ArticleErrorKind};

const TEXT: &[&str] = &[
    "text",
    "body",
    "content",
    "article",
    "articleBody",
    "maintext",
];
const TITLE: &[&str] = &["title", "headline"];
const ID: &[&str] = &["id", "custom_id", "url"];
const CLAIM: &[&str] = &["claim"];
const DATE: &[&str] = &[
    "date",
    "published",
    "date_published",
    "datePublished",
    "pubDate",
    "timestamp",
];
/// Most fields that an error message lists, and most characters of each.
const LISTED: (usize, usize) = (20, 40);

/// A record's fields by name; a table's cells are strings.
pub(super) type Record = Map<String, Value>;

/// The names of the fields that make an article.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    text: Option<String>,
    title: Option<String>,
    id: Option<String>,
    claim: Option<String>,
    date: Option<String>,
    keep: Vec<String>,
}

impl Fields {
    pub(super) fn new(options: &ReadOptions) -> Self {
        Self {
            text: options.text_field.clone(),
            title: options.title_field.clone(),
            id: options.id_field.clone(),
            claim: options.claim_field.clone(),
            date: options.date_field.clone(),
            keep: options.keep.clone(),
        }
    }

    /// Whether one of these names is that of the text.
    pub(super) fn has_text<'a>(&self, mut names: impl Iterator<Item = &'a str>) -> bool {
        names.any(|name| match &self.text {
            Some(given) => name == given,
            None => TEXT.iter().any(|usual| usual.eq_ignore_ascii_case(name)),
        })
    }

    /// Why a record with these field names has no text.
    pub(super) fn no_text<'a>(&self, names: impl Iterator<Item = &'a str>) -> ArticleError {
        let mut listed: Vec<String> = names
            .take(LISTED.0 + 1)
            .map(|name| name.chars().take(LISTED.1).collect())
            .collect();
        if listed.len() > LISTED.0 {
            listed.pop();
            listed.push("…".to_owned());
        }
        let missing = match &self.text {
            Some(given) => format!("no field `{given}`"),
            None => format!(
                "no text field ({}); --text-field names another",
                TEXT.join(", ")
            ),
        };
        malformed(format!("{missing}; its fields: {}", listed.join(", ")))
    }

    /// The article that a record holds; `place` names it when it has no id of its own.
    pub(super) fn article(&self, mut record: Record, place: String) -> Raw {
        let id = find(&record, &self.id, ID)
            .and_then(|key| scalar(&record, &key))
            .unwrap_or(place);
        let content = self.content(&mut record);
        let claim = match find(&record, &self.claim, CLAIM).and_then(|key| record.get(&key)) {
            Some(Value::String(claim)) => Some(claim.trim().to_owned()).filter(|c| !c.is_empty()),
            Some(Value::Null) | None => None,
            Some(other) => {
                return failure(
                    id,
                    malformed(format!("its claim is {}, not a string", kind(other))),
                );
            }
        };
        let one = |given: &Option<String>, usual: &[&str]| {
            find(&record, given, usual).and_then(|key| scalar(&record, &key))
        };
        let kept = self.keep.iter().filter_map(|key| {
            let value = record.get(key)?;
            Some((key.clone(), value.clone()))
        });
        Raw {
            kept: kept.collect(),
            title: one(&self.title, TITLE),
            date: one(&self.date, DATE),
            claim,
            content,
            id,
        }
    }

    fn content(&self, record: &mut Record) -> Result<Content, ArticleError> {
        let Some(key) = find(record, &self.text, TEXT) else {
            return Err(match find_null(record, &self.text, TEXT) {
                Some(name) => ArticleError::new(
                    ArticleErrorKind::Empty,
                    format!("its field `{name}` is null"),
                ),
                // A feed of headlines: the title is what there is to read.
                None if self.text.is_none() && find(record, &self.title, TITLE).is_some() => {
                    return Ok(Content::Text(String::new()));
                }
                None => self.no_text(record.keys().map(String::as_str)),
            });
        };
        match record.get_mut(&key).map(Value::take) {
            Some(Value::String(text)) if html::looks_like(&text) => Ok(Content::Html(text)),
            Some(Value::String(text)) => Ok(Content::Text(text)),
            other => Err(malformed(format!(
                "its field `{key}` is {}, not a string",
                kind(&other.unwrap_or_default())
            ))),
        }
    }
}

/// The key of the field that is given, or of the first usual one that is not null and not blank, or that is at least not null.
fn find(record: &Record, given: &Option<String>, usual: &[&str]) -> Option<String> {
    let there = |key: &&String| !record.get(*key).is_none_or(Value::is_null);
    let blank = |key: &&String| {
        record
            .get(*key)
            .and_then(Value::as_str)
            .is_some_and(|value| value.trim().is_empty())
    };
    let candidates = || {
        named(record, given, usual)
            .filter(there)
            .collect::<Vec<_>>()
            .into_iter()
    };
    candidates()
        .find(|key| !blank(key))
        .or_else(|| candidates().next())
        .cloned()
}

fn find_null(record: &Record, given: &Option<String>, usual: &[&str]) -> Option<String> {
    named(record, given, usual).next().cloned()
}

/// The record's keys that may be the field, in order of preference.
fn named<'a>(
    record: &'a Record,
    given: &'a Option<String>,
    usual: &'a [&str],
) -> impl Iterator<Item = &'a String> {
    let exact = given
        .iter()
        .flat_map(|given| record.keys().filter(move |key| *key == given));
    let usual = usual.iter().filter(|_| given.is_none()).flat_map(|usual| {
        record
            .keys()
            .filter(move |key| key.eq_ignore_ascii_case(usual))
    });
    exact.chain(usual)
}

/// A string that is not blank, a number or a boolean, as a string.
fn scalar(record: &Record, key: &str) -> Option<String> {
    match record.get(key)? {
        Value::String(value) => Some(value.trim().to_owned()).filter(|value| !value.is_empty()),
        Value::Number(value) => Some(value.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// What a JSON value is, with its article.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
