//! Labelled articles: records of any readable format with a field that holds what readers say.

use serde_json::{Map, Value};

use super::Random;
use crate::article::Raw;
use crate::article::read::{ReadOptions, Reader, Source};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::output::Labels;
use crate::stance::{Claim, DEFAULT_CLAIM, Stance};

/// The field with the sentences that readers marked for the record's own claim.
const EVIDENCE: &str = "evidence";
/// The field with a summary for the record's own claim.
const SUMMARY: &str = "summary";
/// The field with further claims, each with its label.
const CLAIMS: &str = "claims";

/// Where labels and claims are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelOptions {
    /// The field with the label; a record in which it is null or missing has none.
    pub field: String,
    /// The field with the label of [`DEFAULT_CLAIM`], which is then asked too.
    pub default_field: Option<String>,
    /// Asked of every record instead of its own claim.
    pub claim: Option<String>,
    /// Whether the claims in a record's list `claims` (`[{"claim": …, "label": …}]`) are asked too.
    pub all_claims: bool,
    /// Names of the stances beside the usual ones.
    pub labels: Labels,
}

impl Default for LabelOptions {
    fn default() -> Self {
        Self {
            field: "label".to_owned(),
            default_field: None,
            claim: None,
            all_claims: false,
            labels: Labels::default(),
        }
    }
}

/// A claim with the answer that readers give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The claim.
    pub claim: String,
    /// What readers say.
    pub gold: Stance,
    /// The sentences that readers marked; empty when they marked none.
    pub evidence: Vec<String>,
    /// What a reader wrote as a summary, if one did.
    pub summary: Option<String>,
}

/// An article with what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The article as found.
    pub raw: Raw,
    /// None when the record could not be read so far as to find its label.
    pub questions: Vec<Question>,
}

/// Labelled articles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Set {
    /// In input order.
    pub cases: Vec<Case>,
    /// Labels that are null or missing: nothing was asked for them.
    pub unlabelled: usize,
}

impl Set {
    /// How much is asked.
    pub fn questions(&self) -> usize {
        self.cases.iter().map(|case| case.questions.len()).sum()
    }

    /// Keeps the first `count` questions.
    pub fn limit(&mut self, count: usize) {
        let first: Vec<usize> = (0..count.min(self.questions())).collect();
        self.keep(&first);
    }

    /// Keeps `count` questions that the seed draws, in input order.
    pub fn sample(&mut self, count: usize, seed: u64) {
        let drawn = Random::new(seed).sample(count, self.questions());
        self.keep(&drawn);
    }

    /// Drops last words of claims that have more tokens than `model` takes, where a set of others must be answered whole. How many
    /// claims that were.
    pub fn shorten(&mut self, model: &Model) -> usize {
        let mut shortened = 0;
        for question in self.cases.iter_mut().flat_map(|case| &mut case.questions) {
            let mut claim = &question.claim[..];
            while Claim::new(claim, model).is_err() {
                // What is wrong with a single word is not its length: it is answered with an error.
                let Some((shorter, _)) = claim.rsplit_once(char::is_whitespace) else {
                    break;
                };
                claim = shorter.trim_end();
            }
            if claim.len() < question.claim.len() && Claim::new(claim, model).is_ok() {
                question.claim = claim.to_owned();
                shortened += 1;
            }
        }
        shortened
    }

    /// Keeps the questions with these numbers, ascending, and with them what could not be read at all.
    fn keep(&mut self, numbers: &[usize]) {
        let (mut next, mut numbers) = (0, numbers.iter().peekable());
        self.cases.retain_mut(|case| {
            let unreadable = case.questions.is_empty();
            case.questions.retain(|_| {
                next += 1;
                numbers.next_if_eq(&&(next - 1)).is_some()
            });
            unreadable || !case.questions.is_empty()
        });
    }
}

/// The stance that a label names: as in records (`supports`, …), by the default claim (`imminent`, …), as in FNC-1 (`agree`, …),
/// or one of `labels`; in lower or upper case.
pub fn stance(name: &str, labels: &Labels) -> Option<Stance> {
    let name = name.trim();
    let known = |stance: &Stance| name.eq_ignore_ascii_case(labels.name(*stance));
    if let Some(own) = Stance::ALL.iter().find(|stance| known(stance)) {
        return Some(*own);
    }
    Some(match &name.to_ascii_lowercase().replace('_', "-")[..] {
        "supports" | "imminent" | "agree" => Stance::Supports,
        "refutes" | "not-imminent" | "disagree" => Stance::Refutes,
        "discusses" | "uncertain" | "discuss" => Stance::Discusses,
        "unrelated" => Stance::Unrelated,
        _ => return None,
    })
}

/// Reads the labelled articles of `sources`.
///
/// # Errors
/// [`Error::Usage`] for a label that is none, evidence or claims of another shape than the documented one, and when nothing has a
/// label. A record that cannot be read is a case like any other.
pub fn read(sources: Vec<Source>, read: ReadOptions, options: &LabelOptions) -> Result<Set> {
    let read = ReadOptions {
        passthrough: true,
        ..read
    };
    let mut set = Set::default();
    let mut records = 0;
    for mut raw in Reader::new(sources, read) {
        records += 1;
        let fields = fields(&mut raw);
        let questions = questions(&raw, &fields, options, &mut set.unlabelled)?;
        // Without a label there is nothing to compare with; what is broken is told all the same.
        if !questions.is_empty() || raw.content.is_err() {
            set.cases.push(Case { raw, questions });
        }
    }
    if set.questions() == 0 {
        return Err(Error::Usage(format!(
            "nothing to compare with: none of the {records} records has a label in its field `{}`; --label-field names another field",
            options.field
        )));
    }
    Ok(set)
}

/// The fields that make no part of the article, labels among them.
pub(super) fn fields(raw: &mut Raw) -> Map<String, Value> {
    let fields = raw.fields.take();
    fields
        .and_then(|fields| serde_json::from_str(&fields.0).ok())
        .unwrap_or_default()
}

fn questions(
    raw: &Raw,
    fields: &Map<String, Value>,
    options: &LabelOptions,
    unlabelled: &mut usize,
) -> Result<Vec<Question>> {
    let mut questions = Vec::new();
    match label(raw, fields.get(&options.field), options)? {
        // A record that broke before its fields were found has no label to be missed.
        None if raw.content.is_err() && fields.is_empty() => {}
        None => *unlabelled += 1,
        Some(gold) => questions.push(Question {
            claim: options
                .claim
                .as_ref()
                .or(raw.claim.as_ref())
                .map_or(DEFAULT_CLAIM, |claim| claim)
                .to_owned(),
            gold,
            // Sentences were marked for the record's own claim: they say nothing of another.
            evidence: match (&options.claim, &raw.claim) {
                (Some(asked), Some(own)) if asked != own => Vec::new(),
                _ => evidence(raw, fields.get(EVIDENCE))?,
            },
            summary: match (&options.claim, &raw.claim) {
                (Some(asked), Some(own)) if asked != own => None,
                _ => fields
                    .get(SUMMARY)
                    .and_then(Value::as_str)
                    .map(String::from),
            },
        }),
    }
    if let Some(field) = &options.default_field {
        match label(raw, fields.get(field), options)? {
            None if raw.content.is_err() && fields.is_empty() => {}
            None => *unlabelled += 1,
            // Where it is the record's own claim, it was asked already.
            Some(_) if questions.iter().any(|q| q.claim == DEFAULT_CLAIM) => {}
            Some(gold) => questions.push(Question {
                claim: DEFAULT_CLAIM.to_owned(),
                gold,
                evidence: Vec::new(),
                summary: None,
            }),
        }
    }
    let list = fields.get(CLAIMS).filter(|_| options.all_claims);
    let list = match list {
        None | Some(Value::Null) => return Ok(questions),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(bad_claims(raw)),
    };
    for entry in list {
        let claim = entry.get("claim").and_then(Value::as_str);
        let claim = claim.ok_or_else(|| bad_claims(raw))?;
        match label(raw, entry.get("label"), options)? {
            None => *unlabelled += 1,
            Some(gold) => questions.push(Question {
                claim: claim.to_owned(),
                gold,
                evidence: Vec::new(),
                summary: None,
            }),
        }
    }
    Ok(questions)
}

fn label(raw: &Raw, value: Option<&Value>, options: &LabelOptions) -> Result<Option<Stance>> {
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    match stance(&text, &options.labels) {
        Some(stance) => Ok(Some(stance)),
        None => Err(Error::Usage(format!(
            "{}: `{}` is no label; the labels are supports, refutes, discusses, unrelated (or imminent, not-imminent, uncertain, unrelated; or agree, disagree, discuss, unrelated), or four of your own by --labels",
            raw.id,
            text.chars().take(40).collect::<String>()
        ))),
    }
}

fn evidence(raw: &Raw, value: Option<&Value>) -> Result<Vec<String>> {
    let bad = || {
        Error::Usage(format!(
            "{}: its field `{EVIDENCE}` is not a list of sentences",
            raw.id
        ))
    };
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        // A table's cell holds one sentence.
        Some(Value::String(one)) if one.trim().is_empty() => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(list)) => list
            .iter()
            .map(|s| s.as_str().map(str::to_owned).ok_or_else(bad))
            .collect(),
        Some(_) => Err(bad()),
    }
}

fn bad_claims(raw: &Raw) -> Error {
    Error::Usage(format!(
        "{}: its field `{CLAIMS}` is not a list of {{\"claim\": …, \"label\": …}}",
        raw.id
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn set(lines: &str, options: &LabelOptions) -> Result<Set> {
        let folder = tempfile::tempdir().map_err(Error::Output)?;
        let path = folder.path().join("set.jsonl");
        std::fs::write(&path, lines).map_err(Error::Output)?;
        read(vec![Source::Path(path)], ReadOptions::default(), options)
    }

    const LINES: &str = r#"{"id": "a", "text": "One.", "claim": "A.", "label": "imminent", "evidence": ["One."], "other": "disagree", "claims": [{"claim": "B.", "label": "refutes"}, {"claim": "C.", "label": null}]}
{"id": "b", "text": "Two.", "label": null, "other": "discuss"}
"#;

    fn asked(set: &Set) -> Vec<(String, String, Stance, usize)> {
        let all = set.cases.iter().flat_map(|case| {
            let id = case.raw.id.clone();
            let one = move |q: &Question| (id.clone(), q.claim.clone(), q.gold, q.evidence.len());
            case.questions.iter().map(one).collect::<Vec<_>>()
        });
        all.collect()
    }

    fn row(id: &str, claim: &str, gold: Stance, marked: usize) -> (String, String, Stance, usize) {
        (id.to_owned(), claim.to_owned(), gold, marked)
    }

    #[test]
    fn a_record_asks_its_own_claim_and_one_without_a_label_nothing() {
        let found = set(LINES, &LabelOptions::default()).unwrap();
        assert_eq!(asked(&found), [row("a", "A.", Stance::Supports, 1)]);
        assert_eq!(found.unlabelled, 1);
    }

    #[test]
    fn the_list_of_claims_is_asked_on_request() {
        let options = LabelOptions {
            all_claims: true,
            ..LabelOptions::default()
        };
        let found = set(LINES, &options).unwrap();
        let expected = [
            row("a", "A.", Stance::Supports, 1),
            row("a", "B.", Stance::Refutes, 0),
        ];
        assert_eq!(asked(&found), expected);
        assert_eq!(found.unlabelled, 2);
    }

    #[test]
    fn another_claim_and_field_replace_the_records_own() {
        let options = LabelOptions {
            field: "other".to_owned(),
            claim: Some("D.".to_owned()),
            ..LabelOptions::default()
        };
        let found = set(LINES, &options).unwrap();
        let expected = [
            // The sentence was marked for another claim.
            row("a", "D.", Stance::Refutes, 0),
            row("b", "D.", Stance::Discusses, 0),
        ];
        assert_eq!(asked(&found), expected);
    }

    #[test]
    fn the_default_claim_is_asked_beside_the_records_own() {
        let options = LabelOptions {
            default_field: Some("other".to_owned()),
            ..LabelOptions::default()
        };
        let found = set(LINES, &options).unwrap();
        let expected = [
            row("a", "A.", Stance::Supports, 1),
            row("a", DEFAULT_CLAIM, Stance::Refutes, 0),
            row("b", DEFAULT_CLAIM, Stance::Discusses, 0),
        ];
        assert_eq!(asked(&found), expected);
        let own = LINES.replace("A.", DEFAULT_CLAIM);
        let found = set(&own, &options).unwrap();
        let expected = [
            row("a", DEFAULT_CLAIM, Stance::Supports, 1),
            row("b", DEFAULT_CLAIM, Stance::Discusses, 0),
        ];
        assert_eq!(asked(&found), expected);
    }

    #[test]
    fn what_is_no_label_is_refused_with_the_labels_that_there_are() {
        let line = r#"{"id": "a", "text": "One.", "label": "maybe"}"#;
        let error = set(line, &LabelOptions::default()).unwrap_err().to_string();
        assert!(error.contains("a: `maybe` is no label"), "{error}");
        let options = LabelOptions {
            labels: Labels::parse("yes,no,maybe,off-topic").unwrap(),
            ..LabelOptions::default()
        };
        let found = set(line, &options).unwrap();
        assert_eq!(found.cases[0].questions[0].gold, Stance::Discusses);
    }

    #[test]
    fn a_set_without_any_label_is_refused() {
        let line = r#"{"id": "a", "text": "One."}"#;
        let error = set(line, &LabelOptions::default()).unwrap_err().to_string();
        assert!(error.contains("--label-field"), "{error}");
    }

    #[test]
    fn a_broken_record_stays_to_be_told() {
        let found = set(&format!("{LINES}{{\"id\": \n"), &LabelOptions::default()).unwrap();
        assert_eq!((found.cases.len(), found.unlabelled), (2, 1));
        assert!(found.cases[1].raw.content.is_err());
    }

    #[test]
    fn a_claim_that_is_too_long_loses_its_last_words() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny_bert");
        let model = crate::Files::open(folder)
            .and_then(|files| Model::load(&files, crate::Device::Cpu, crate::Engine::Native))
            .unwrap();
        let long = "the talks ".repeat(20);
        let claims = ["They meet.", long.trim_end(), "…"];
        let lines: String = claims
            .iter()
            .map(|claim| {
                format!("{{\"text\": \"One.\", \"claim\": \"{claim}\", \"label\": \"agree\"}}\n")
            })
            .collect();
        let mut set = set(&lines, &LabelOptions::default()).unwrap();
        assert_eq!(set.shorten(&model), 1);
        let found: Vec<String> = asked(&set)
            .into_iter()
            .map(|(_, claim, ..)| claim)
            .collect();
        assert_eq!((&found[0][..], &found[2][..]), (claims[0], claims[2]));
        assert!(claims[1].starts_with(&found[1]) && found[1].len() < claims[1].len());
        assert!(Claim::new(&found[1], &model).is_ok());
        assert!(Claim::new(&format!("{} the talks", found[1]), &model).is_err());
    }

    #[test]
    fn samples_and_limits_count_questions_and_keep_their_order() {
        let lines: String = (0..20)
            .map(|i| {
                format!("{{\"id\": \"{i}\", \"text\": \"One.\", \"claim\": \"{i} a\", \"label\": \"agree\", \"claims\": [{{\"claim\": \"{i} b\", \"label\": \"agree\"}}]}}\n")
            })
            .collect();
        let options = LabelOptions {
            all_claims: true,
            ..LabelOptions::default()
        };
        let whole = set(&lines, &options).unwrap();
        let all = asked(&whole);
        assert_eq!(all.len(), 40);
        let mut first = whole.clone();
        first.limit(3);
        assert_eq!(asked(&first), all[..3]);
        let mut drawn = whole.clone();
        drawn.sample(7, 5);
        let mut rest = all.iter();
        assert_eq!(drawn.questions(), 7);
        assert!(asked(&drawn).iter().all(|q| rest.any(|other| other == q)));
        let mut again = whole.clone();
        again.sample(7, 5);
        assert_eq!(again, drawn);
        let mut other = whole;
        other.sample(7, 6);
        assert_ne!(other, drawn);
    }
}
