//! Records, and one file a format that writes them.

mod csv;
mod journal;
mod jsonl;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(not(feature = "parquet"))]
#[path = "no_parquet.rs"]
mod parquet;
mod report;
mod table;

use std::borrow::Cow;
use std::io;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::csv::Csv;
pub use self::journal::{Earlier, Journal};
pub use self::jsonl::JsonLines;
pub use self::parquet::Parquet;
pub use self::report::Page;
pub use self::table::{Table, plain};

use crate::article::{Article, Fields, Raw};
use crate::error::{ArticleError, ArticleErrorKind, Error, Result};
use crate::stance::{Stance, Verdict};
use crate::summary::{self, Made, Summary};

/// Takes records in order.
pub trait Sink {
    /// Writes one record.
    ///
    /// # Errors
    /// The writer's.
    fn write(&mut self, record: &Record) -> io::Result<()>;

    /// Hands on what is held back: after each batch, and at the end.
    ///
    /// # Errors
    /// The writer's.
    fn flush(&mut self) -> io::Result<()>;

    /// Asked of each article of the input in turn, whether an earlier run has answered it: then it is not read again but [passed](Sink::pass).
    fn passed(&mut self) -> Box<dyn FnMut(&Raw) -> bool + Send> {
        Box::new(|_| false)
    }

    /// An article that an earlier run has answered comes by.
    ///
    /// # Errors
    /// [`Error::Usage`] when that run read another article here, or the writer's.
    fn pass(&mut self, _: &Entry<'_>) -> Result<()> {
        Ok(())
    }

    /// The records of an article have been written.
    ///
    /// # Errors
    /// As [`Sink::pass`].
    fn end(&mut self, _: &Entry<'_>) -> Result<()> {
        Ok(())
    }
}

/// An article of the input, for a sink that keeps account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The article's id.
    pub id: &'a str,
    /// SHA-256 of everything of it that was found.
    pub digest: [u8; 32],
    /// The file that it is from, as the reader counts them.
    pub file: u64,
    /// Whether it stands for all of its file, or all the rest, which cannot be read.
    pub ends_file: bool,
    /// Whether it brought its own claim: then it has one record, else one for each of the run's claims.
    pub own_claim: bool,
    /// Why it has no answer: then it has one record.
    pub error: Option<ArticleErrorKind>,
}

/// The answer for one article and claim, or the reason why there is none (schema 1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Version of the record: 1.
    #[schemars(extend("const" = 1))]
    pub schema: u32,
    /// The article's id.
    pub id: String,
    /// Answer or error.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The input record's other fields, when they are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
}

/// Which article a record is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The article's id.
    pub id: String,
    /// Title, if any.
    pub title: Option<String>,
    /// Date, if any.
    pub date: Option<String>,
    /// ISO 639-1 code, if it could be told.
    pub language: Option<&'static str>,
}

impl From<Article> for Source {
    fn from(article: Article) -> Self {
        Self {
            id: article.id,
            title: article.title,
            date: article.date,
            language: article.language,
        }
    }
}

/// The two shapes of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Outcome {
    /// The article was read.
    Answer(Box<Answer>),
    /// It could not be read.
    Error {
        /// Kind and message.
        error: ArticleError,
    },
}

/// What a record says of an article.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// Title, if any.
    pub title: Option<String>,
    /// Date, if any.
    pub date: Option<String>,
    /// ISO 639-1 code, if it could be told.
    pub language: Option<Cow<'static, str>>,
    /// The claim that was asked.
    pub claim: String,
    /// The likeliest stance, or `discusses` when the model abstained.
    pub stance: Stance,
    /// Its name for people.
    pub label: String,
    /// Probability of each label.
    pub scores: Scores,
    /// The deciding sentences, best first.
    pub evidence: Vec<EvidenceRecord>,
    /// What the article says on the claim, when it was asked for (`--summary`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<SummaryRecord>,
    /// Name and checksum of the model.
    pub model: String,
    /// Tokens of title and text that were read.
    pub tokens: usize,
    /// Windows that they were read in.
    pub windows: usize,
    /// Whether sentences were left out (`--truncate`).
    pub truncated: bool,
    /// Whether the best score was too low for an answer (`--abstain-below`); the field is there only then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abstained: bool,
}

/// A deciding sentence; offsets are code points of the text that `tidings extract` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceRecord {
    /// The sentence.
    pub text: String,
    /// First code point.
    pub start: usize,
    /// Code point past the last.
    pub end: usize,
    /// 0 to 1, 4 decimals.
    pub score: f64,
}

/// A summary; offsets are code points of the text that `tidings extract` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SummaryRecord {
    /// Its sentences, one after the other.
    pub text: String,
    /// In article order.
    pub sentences: Vec<SummarySentence>,
}

/// A sentence of a summary, and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SummarySentence {
    /// The sentence.
    pub text: String,
    /// How it was made.
    pub mode: Mode,
    /// Why it may be believed to say what the article says.
    pub check: Check,
    /// How far a rewritten sentence is made of its sources: 0 to 1, 4 decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<f64>,
    /// First code point, and the one past the last, of each passage that it is made from.
    pub sources: Vec<[usize; 2]>,
}

/// How a sentence of a summary was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It stands in the article, character for character.
    Extracted,
    /// A rewriter said it shorter.
    Rewritten,
}

impl Mode {
    /// As it stands in a record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Extracted => "extracted",
            Self::Rewritten => "rewritten",
        }
    }
}

/// How a sentence of a summary was checked against its sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// It is a copy of its source.
    Copied,
    /// It is its source but for parts of it, none of which changes what the rest says.
    Passed,
}

impl Check {
    /// As it stands in a record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Copied => "copied",
            Self::Passed => "passed",
        }
    }
}

impl From<Summary> for SummaryRecord {
    fn from(summary: Summary) -> Self {
        let text = summary.text();
        let sentence = |sentence: summary::Sentence| {
            let (mode, check, support) = match sentence.made {
                Made::Copied => (Mode::Extracted, Check::Copied, None),
                Made::Rewritten { support } => {
                    (Mode::Rewritten, Check::Passed, Some(rounded(support)))
                }
            };
            let sources = sentence.sources.into_iter().map(|at| [at.start, at.end]);
            SummarySentence {
                text: sentence.text,
                mode,
                check,
                support,
                sources: sources.collect(),
            }
        };
        Self {
            text,
            sentences: summary.sentences.into_iter().map(sentence).collect(),
        }
    }
}

/// Probabilities by label, 4 decimals, in the order of [`Stance::ALL`].
#[derive(Debug, Clone, PartialEq)]
pub struct Scores(pub [(String, f64); 4]);

impl JsonSchema for Scores {
    fn schema_name() -> Cow<'static, str> {
        "Scores".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Probability of each of the four labels.",
            "type": "object",
            "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
            "minProperties": 4,
            "maxProperties": 4,
        })
    }
}

impl Serialize for Scores {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        for (label, score) in &self.0 {
            map.serialize_entry(label, score)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Scores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        /// Keeps the order, which is that of the stances.
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Scores;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("four scores")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Scores, A::Error> {
                let mut scores = Vec::with_capacity(4);
                while let Some(score) = map.next_entry()? {
                    scores.push(score);
                }
                let scores = scores.try_into();
                scores
                    .map(Scores)
                    .map_err(|_| A::Error::custom("not four scores"))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Names of the four stances for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels([String; 4]);

impl Default for Labels {
    fn default() -> Self {
        Self(["imminent", "not-imminent", "uncertain", "unrelated"].map(String::from))
    }
}

impl Labels {
    /// `imminent` (the default), `generic` (the stances' own names), or four names, comma-separated, for supports, refutes,
    /// discusses and unrelated.
    ///
    /// # Errors
    /// [`Error::Usage`] unless there are four different names.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "imminent" => return Ok(Self::default()),
            "generic" => return Ok(Self(Stance::ALL.map(|s| s.name().to_owned()))),
            _ => {}
        }
        let names: Vec<String> = text.split(',').map(|n| n.trim().to_owned()).collect();
        let mut distinct = names.clone();
        distinct.sort_unstable();
        distinct.dedup();
        match <[String; 4]>::try_from(names) {
            Ok(four) if distinct.len() == 4 && four.iter().all(|n| is_name(n)) => Ok(Self(four)),
            _ => Err(Error::Usage(format!(
                "labels `{text}`: give `imminent`, `generic`, or four different names of up to 24 characters for supports,refutes,discusses,unrelated"
            ))),
        }
    }

    /// The name of `stance`.
    pub fn name(&self, stance: Stance) -> &str {
        &self.0[stance as usize]
    }
}

/// Something to show, of a width that fits a column.
fn is_name(label: &str) -> bool {
    !label.is_empty() && label.chars().count() <= 24 && !label.contains(char::is_control)
}

/// Four decimals: what a record shows, and no more than it can mean.
fn rounded(x: f32) -> f64 {
    (f64::from(x) * 1e4).round() / 1e4
}

impl Record {
    /// A record of an article that could not be read.
    pub fn error(id: String, error: ArticleError) -> Self {
        Self {
            schema: 1,
            id,
            outcome: Outcome::Error { error },
            fields: None,
        }
    }

    /// The record with the input record's other fields.
    #[must_use]
    pub fn with_fields(self, fields: Option<Fields>) -> Self {
        Self { fields, ..self }
    }

    /// The record with a summary, if it is an answer.
    #[must_use]
    pub fn with_summary(mut self, summary: Summary) -> Self {
        if let Outcome::Answer(answer) = &mut self.outcome {
            answer.summary = Some(summary.into());
        }
        self
    }

    /// A record of an answer of `model` about `article`.
    pub fn answer(
        article: Source,
        claim: String,
        verdict: Verdict,
        labels: &Labels,
        model: String,
    ) -> Self {
        let answer = Answer {
            title: article.title,
            date: article.date,
            language: article.language.map(Cow::Borrowed),
            claim,
            stance: verdict.stance,
            label: labels.name(verdict.stance).to_owned(),
            scores: Scores(Stance::ALL.map(|stance| {
                (
                    labels.name(stance).to_owned(),
                    rounded(verdict.scores[stance as usize]),
                )
            })),
            evidence: verdict
                .evidence
                .into_iter()
                .map(|e| EvidenceRecord {
                    text: e.text,
                    start: e.start,
                    end: e.end,
                    score: rounded(e.score),
                })
                .collect(),
            summary: None,
            model,
            tokens: verdict.tokens,
            windows: verdict.windows,
            truncated: verdict.truncated,
            abstained: verdict.abstained,
        };
        Self {
            schema: 1,
            id: article.id,
            outcome: Outcome::Answer(Box::new(answer)),
            fields: None,
        }
    }
}
