//! A record as the page keeps it: names as numbers, probabilities in ten-thousandths, long texts cut.

use serde::Serialize;

use super::Names;
use crate::article::clean;
use crate::error::ArticleErrorKind;
use crate::output::table::tame;
use crate::output::{Answer, Outcome, Record};

/// Characters that are kept of an id, title or message.
const LINE: usize = 400;
/// Characters that are kept of a sentence or summary.
const SENTENCE: usize = 2_000;

/// One record.
#[derive(Serialize)]
pub(super) struct Row {
    /// Answers about one article have the same number.
    #[serde(skip_serializing_if = "Option::is_none")]
    article: Option<usize>,
    id: String,
    /// Number of its source.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<usize>,
    #[serde(flatten)]
    outcome: Kind,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Kind {
    Answer(Box<Reading>),
    Error { error: Failure },
}

#[derive(Serialize)]
struct Failure {
    kind: ArticleErrorKind,
    message: String,
}

#[derive(Serialize)]
struct Reading {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// As it stands in the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    /// `YYYY-MM-DD`, if the date tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    /// Number of the claim.
    claim: usize,
    /// Place in [`crate::Stance::ALL`].
    stance: usize,
    /// Names of the four, in that order.
    labels: [String; 4],
    /// In ten-thousandths, in the same order.
    scores: [u32; 4],
    /// Sentence, first code point, the one past the last, score in ten-thousandths; best first.
    evidence: Vec<(String, usize, usize, u32)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Told>,
    model: usize,
    tokens: usize,
    windows: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    abstained: bool,
}

#[derive(Serialize)]
struct Told {
    text: String,
    sources: Vec<[usize; 2]>,
}

impl Row {
    pub(super) fn new(record: &Record, article: Option<usize>, names: &mut Names) -> Self {
        let source = source(record).map(|source| names.sources.number(&source));
        let outcome = match &record.outcome {
            Outcome::Answer(answer) => Kind::Answer(Box::new(Reading::new(answer, names))),
            Outcome::Error { error } => Kind::Error {
                error: Failure {
                    kind: error.kind,
                    message: tamed(&error.message, LINE),
                },
            },
        };
        Self {
            article,
            id: tamed(&record.id, LINE),
            source,
            outcome,
        }
    }
}

impl Reading {
    fn new(answer: &Answer, names: &mut Names) -> Self {
        let evidence = answer.evidence.iter().map(|e| {
            let text = tamed(&e.text, SENTENCE);
            (text, e.start, e.end, ten_thousandths(e.score))
        });
        let summary = answer.summary.as_ref().map(|summary| Told {
            text: tamed(&summary.text, SENTENCE),
            sources: summary
                .sentences
                .iter()
                .flat_map(|s| s.sources.clone())
                .collect(),
        });
        Self {
            title: answer.title.as_deref().map(|title| tamed(title, LINE)),
            date: answer.date.as_deref().map(|date| tamed(date, 60)),
            day: answer.date.as_deref().and_then(clean::day),
            claim: names.claims.number(&answer.claim),
            stance: answer.stance as usize,
            labels: answer
                .scores
                .0
                .each_ref()
                .map(|(label, _)| tamed(label, 40)),
            scores: answer.scores.0.each_ref().map(|(_, p)| ten_thousandths(*p)),
            evidence: evidence.collect(),
            summary,
            model: names.models.number(&answer.model),
            tokens: answer.tokens,
            windows: answer.windows,
            truncated: answer.truncated,
            abstained: answer.abstained,
        }
    }
}

fn ten_thousandths(p: f64) -> u32 {
    (p.clamp(0.0, 1.0) * 1e4).round() as u32
}

/// The record's own field `source`, else the site, the folder, or the file of records that its id tells.
fn source(record: &Record) -> Option<String> {
    /// The one field that is looked at.
    #[derive(serde::Deserialize)]
    struct Own {
        source: Option<String>,
    }
    let own = record.fields.as_ref().and_then(|fields| {
        let own: Own = serde_json::from_str(&fields.0).ok()?;
        own.source.filter(|source| !source.trim().is_empty())
    });
    own.or_else(|| {
        let id = &record.id;
        let site = id
            .strip_prefix("https://")
            .or_else(|| id.strip_prefix("http://"));
        if let Some(site) = site {
            let host = site.split(['/', '?', '#']).next().unwrap_or(site);
            return Some(host.strip_prefix("www.").unwrap_or(host).to_owned());
        }
        let line = id
            .rsplit_once('#')
            .filter(|(_, line)| !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit()));
        match line {
            Some((file, _)) => Some(file.to_owned()),
            None => id.rsplit_once('/').map(|(folder, _)| folder.to_owned()),
        }
    })
    .map(|source| source.chars().take(200).collect())
}

/// At most `most` characters of `text`, line ends kept, with what steers text replaced character for character.
pub(super) fn tamed(text: &str, most: usize) -> String {
    let mut chars = text.chars();
    let mut out: String = chars
        .by_ref()
        .take(most)
        .map(|c| if c == '\n' { c } else { tame(c) })
        .collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ArticleError;

    #[test]
    fn sources_are_sites_folders_and_files() {
        for (id, expected) in [
            ("https://www.coast.example/a/b?c", Some("coast.example")),
            ("wire/0412.txt", Some("wire")),
            ("news/day.jsonl#17", Some("news/day.jsonl")),
            ("a1", None),
        ] {
            let error = ArticleError::new(ArticleErrorKind::Empty, "");
            let record = Record::error(id.to_owned(), error);
            assert_eq!(source(&record).as_deref(), expected, "{id}");
        }
    }

    #[test]
    fn what_is_long_is_cut_and_keeps_its_places() {
        assert_eq!(tamed("a\u{200b}b\nc", 10), "a\u{fffd}b\nc");
        assert_eq!(tamed(&"\u{1b}".repeat(500), 3), "\u{fffd}\u{fffd}\u{fffd}…");
    }
}
