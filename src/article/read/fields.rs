//! From a record's fields to an article.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{ReadOptions, malformed, too_large};
use crate::article::{Content, Fields as Rest, Raw, html};
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

/// Most fields of a record, most bytes of the parts that a record repeats, and most bytes of what is handed on: a line of 60 MB may hold
/// 30 million commas, and an output repeats an id for every claim.
pub(super) const MAX_FIELDS: usize = 65_536;
const MAX_PART: usize = 100_000;
const MAX_REST: usize = 4_000_000;

/// A record's fields by name; of those that are there twice, the last.
pub(super) type Record<'a> = BTreeMap<Cow<'a, str>, Value<'a>>;

/// The value of a field. JSON is left as it stands: only what makes the article is ever unfolded.
pub(super) enum Value<'a> {
    Json(&'a RawValue),
    Cell(String),
}

impl Value<'_> {
    /// Bytes that it takes.
    fn len(&self) -> usize {
        match self {
            Self::Json(json) => json.get().len(),
            Self::Cell(text) => text.len(),
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Json(json) if json.get() == "null")
    }

    fn is_blank(&self) -> bool {
        let text = match self {
            Self::Json(json) => json.get(),
            Self::Cell(text) => return text.trim().is_empty(),
        };
        let Some(mut inner) = text.strip_prefix('"') else {
            return false;
        };
        // A text is unfolded once, when it is read: here its first characters tell.
        loop {
            inner = inner.trim_start();
            match ["\\n", "\\r", "\\t"]
                .iter()
                .find_map(|space| inner.strip_prefix(space))
            {
                Some(rest) => inner = rest,
                None if inner.starts_with("\\u") => {
                    return matches!(self.string(""), Ok(Some(text)) if text.trim().is_empty());
                }
                None => return inner == "\"",
            }
        }
    }

    /// The text of a string; `None` for anything else. `key` names it in the error.
    fn string(&self, key: &str) -> Result<Option<String>, ArticleError> {
        match self {
            Self::Json(json) if !json.get().starts_with('"') => Ok(None),
            // All that JSON's grammar allows and Unicode does not.
            Self::Json(json) => serde_json::from_str(json.get()).map(Some).map_err(|_| {
                malformed(format!(
                    "its field `{key}` holds half a character (a lone \\u surrogate)"
                ))
            }),
            Self::Cell(text) => Ok(Some(text.clone())),
        }
    }

    /// A string that is not blank, a number or a boolean, as a string; otherwise as [`Value::string`].
    fn scalar(&self, key: &str) -> Result<Option<String>, ArticleError> {
        let text = match (self.string(key)?, self) {
            (Some(text), _) => text,
            (None, Self::Json(json)) if !json.get().starts_with(['{', '[', 'n']) => {
                json.get().to_owned()
            }
            _ => return Ok(None),
        };
        Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// What it is, with its article.
    fn kind(&self) -> &'static str {
        match self {
            Self::Json(json) => kind(json.get()),
            Self::Cell(_) => "a string",
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(json) => json.serialize(serializer),
            Self::Cell(text) => serializer.serialize_str(text),
        }
    }
}

/// The fields of a JSON object; `Err` when it is none, says why.
pub(super) fn of_json(json: &str) -> serde_json::Result<Record<'_>> {
    struct Object;
    impl<'de> Visitor<'de> for Object {
        type Value = Record<'de>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record<'de>, A::Error> {
            /// A name without escapes is borrowed.
            #[derive(serde::Deserialize)]
            struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
            let mut record = Record::new();
            while let Some((Name(name), value)) = map.next_entry()? {
                record.insert(name, Value::Json(value));
                if record.len() > MAX_FIELDS {
                    return Err(A::Error::custom(format!("more than {MAX_FIELDS} fields")));
                }
            }
            Ok(record)
        }
    }
    let mut json = serde_json::Deserializer::from_str(json);
    let record = json.deserialize_map(Object)?;
    json.end()?;
    Ok(record)
}

/// The names of the fields that make an article.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    text: Option<String>,
    title: Option<String>,
    id: Option<String>,
    claim: Option<String>,
    date: Option<String>,
}

impl Fields {
    pub(super) fn new(options: &ReadOptions) -> Self {
        Self {
            text: options.text_field.clone(),
            title: options.title_field.clone(),
            id: options.id_field.clone(),
            claim: options.claim_field.clone(),
            date: options.date_field.clone(),
        }
    }

    /// Whether one of these names is that of the text.
    pub(super) fn has_text<'a>(&self, mut names: impl Iterator<Item = &'a str>) -> bool {
        names.any(|name| match &self.text {
            Some(given) => name == given,
            None => TEXT.iter().any(|usual| usual.eq_ignore_ascii_case(name)),
        })
    }

    /// Whether the field `name` may be a part of the article.
    #[cfg_attr(not(feature = "parquet"), expect(dead_code))]
    pub(super) fn reads(&self, name: &str) -> bool {
        let parts = [
            (&self.text, TEXT),
            (&self.title, TITLE),
            (&self.id, ID),
            (&self.claim, CLAIM),
            (&self.date, DATE),
        ];
        parts.iter().any(|(given, usual)| match given {
            Some(given) => name == given,
            None => usual.iter().any(|usual| usual.eq_ignore_ascii_case(name)),
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

    /// The article that a record holds; `place` names it when it has no id of its own. With `keep_rest` its other fields are kept.
    pub(super) fn article(&self, mut record: Record<'_>, place: String, keep_rest: bool) -> Raw {
        let (mut used, mut problem) = (Vec::new(), None);
        let mut part = |name: &str, given: &Option<String>, usual: &[&str]| {
            let key = find(&record, given, usual)?;
            let value = record.get(&*key)?;
            let text = match value.scalar(&key) {
                Ok(_) if name == "claim" && value.kind() != "a string" => Err(malformed(format!(
                    "its claim is {}, not a string",
                    value.kind()
                ))),
                Ok(Some(text)) if text.len() > MAX_PART => {
                    Err(too_large(&format!("its {name}"), MAX_PART as u64))
                }
                other => other,
            };
            // A value that is no use as this part is handed on like any other field.
            used.extend(
                text.as_ref()
                    .ok()
                    .filter(|text| text.is_some())
                    .map(|_| key),
            );
            text.unwrap_or_else(|error| {
                problem = Some(error);
                None
            })
        };
        let id = part("id", &self.id, ID).unwrap_or(place);
        let title = part("title", &self.title, TITLE);
        let date = part("date", &self.date, DATE);
        let claim = part("claim", &self.claim, CLAIM);
        let content = self.content(&mut record);
        let mut fields = None;
        if keep_rest {
            for key in used {
                record.remove(&*key);
            }
            let rest = record.iter().map(|(name, value)| name.len() + value.len());
            if rest.sum::<usize>() > MAX_REST {
                problem = Some(too_large("its part to pass through", MAX_REST as u64));
            } else {
                fields = rest_of(&record);
            }
        }
        Raw {
            id,
            title,
            date,
            claim,
            content: problem.map_or(content, Err),
            fields,
            file: 0,
            ends_file: false,
        }
    }

    /// Takes the text out of the record.
    fn content(&self, record: &mut Record<'_>) -> Result<Content, ArticleError> {
        let Some(key) = find(record, &self.text, TEXT) else {
            return Err(match named(record, &self.text, TEXT).next() {
                Some(name) => ArticleError::new(
                    ArticleErrorKind::Empty,
                    format!("its field `{name}` is null"),
                ),
                // A feed of headlines: the title is what there is to read.
                None if self.text.is_none() && find(record, &self.title, TITLE).is_some() => {
                    return Ok(Content::Text(String::new()));
                }
                None => self.no_text(record.keys().map(AsRef::as_ref)),
            });
        };
        let value = record.remove(&*key);
        let kind = value.as_ref().map_or("null", Value::kind);
        let text = match value {
            Some(Value::Cell(text)) => Some(text),
            Some(value) => value.string(&key)?,
            None => None,
        };
        match text {
            Some(text) if html::looks_like(&text) => Ok(Content::Html(text)),
            Some(text) => Ok(Content::Text(text)),
            None => Err(malformed(format!(
                "its field `{key}` is {kind}, not a string"
            ))),
        }
    }
}

/// What is left of a record, on one line.
fn rest_of(record: &Record<'_>) -> Option<Rest> {
    let json = serde_json::to_string(record).ok()?;
    Some(Rest(if json.contains(['\n', '\r']) {
        on_one_line(&json)
    } else {
        json
    }))
}

/// The key of the field that is given, or of the first usual one that is not null and not blank, or that is at least not null.
fn find(record: &Record<'_>, given: &Option<String>, usual: &[&str]) -> Option<String> {
    let candidates = || {
        let named = named(record, given, usual);
        named
            .filter_map(|key| Some((key, record.get(key)?)))
            .filter(|(_, value)| !value.is_null())
    };
    let filled = candidates().find(|(_, value)| !value.is_blank());
    filled
        .or_else(|| candidates().next())
        .map(|(key, _)| key.to_owned())
}

/// The record's keys that may be the field, in order of preference.
fn named<'a>(
    record: &'a Record<'_>,
    given: &'a Option<String>,
    usual: &'a [&str],
) -> impl Iterator<Item = &'a str> {
    let keys = || record.keys().map(AsRef::<str>::as_ref);
    let exact = given
        .iter()
        .flat_map(move |given| keys().filter(move |key| key == given));
    let usual = usual
        .iter()
        .filter(|_| given.is_none())
        .flat_map(move |usual| keys().filter(move |key| key.eq_ignore_ascii_case(usual)));
    exact.chain(usual)
}

/// JSON without the white space between its parts.
fn on_one_line(json: &str) -> String {
    let (mut string, mut escaped) = (false, false);
    let keep = |c: &char| {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => string = !string,
            _ => {}
        }
        string || !c.is_ascii_whitespace()
    };
    json.chars().filter(keep).collect()
}

/// What a JSON value is, with its article.
pub(super) fn kind(json: &str) -> &'static str {
    match json.trim_start().bytes().next() {
        Some(b'n') => "null",
        Some(b't' | b'f') => "true or false",
        Some(b'"') => "a string",
        Some(b'[') => "an array",
        Some(b'{') => "an object",
        _ => "a number",
    }
}
