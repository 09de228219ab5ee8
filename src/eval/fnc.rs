//! The Fake News Challenge, stage 1 (fakenewschallenge.org): headlines as claims about article bodies, in its published layout
//! or as JSON Lines, and its official score.

use std::collections::HashMap;
use std::fs;
use std::ops::AddAssign;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bootstrap::{Estimate, estimates};
use super::labelled::{Case, Question, Set, fields, stance};
use super::metrics::Tally;
use super::{Answer, clusters};
use crate::article::read::{ReadOptions, Reader, Source};
use crate::error::{Error, Result};
use crate::output::Labels;
use crate::stance::Stance;

/// The official score (`scorer.py` of fnc-1-baseline): 0.25 for telling related from unrelated, and, when related, 0.75 more for
/// the exact stance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    /// Points.
    pub points: f64,
    /// Points of a perfect answer; pairs without an answer count here.
    pub most: f64,
    /// Points as a share of the most.
    pub share: Estimate,
}

impl Score {
    /// The score of `answers`; `None` without any.
    pub fn new(answers: &[Answer], seed: u64) -> Option<Self> {
        let one = |answer: &Answer| {
            let mut earned = Earned::default();
            match &answer.outcome {
                Ok(answered) => earned.tally.add(&answered.item),
                Err(_) => earned.lost = points(answer.gold, answer.gold),
            }
            (answer.case, earned)
        };
        let clusters = clusters(answers.iter().map(one));
        if clusters.is_empty() {
            return None;
        }
        let figures = |earned: &Earned| {
            let points = total(&earned.tally);
            let most = most(&earned.tally) + earned.lost;
            [points / most, points, most]
        };
        let [share, points, most] = estimates(&clusters, seed, figures);
        Some(Self {
            points: points.value,
            most: most.value,
            share,
        })
    }
}

/// Answers, and the points that those which are missing could have had.
#[derive(Default)]
struct Earned {
    tally: Tally,
    lost: f64,
}

impl AddAssign<&Earned> for Earned {
    fn add_assign(&mut self, other: &Earned) {
        self.tally += &other.tally;
        self.lost += other.lost;
    }
}

/// Points for a pair.
pub fn points(gold: Stance, said: Stance) -> f64 {
    match (gold, said) {
        (Stance::Unrelated, Stance::Unrelated) => 0.25,
        (Stance::Unrelated, _) | (_, Stance::Unrelated) => 0.0,
        (gold, said) if gold == said => 1.0,
        _ => 0.25,
    }
}

/// Points of all answers.
pub fn total(tally: &Tally) -> f64 {
    let rows = Stance::ALL.into_iter().zip(&tally.confusion);
    let row = |(gold, counts): (Stance, &[usize; 4])| -> f64 {
        let cells = Stance::ALL.into_iter().zip(counts);
        cells
            .map(|(said, count)| points(gold, said) * *count as f64)
            .sum()
    };
    rows.map(row).sum()
}

/// Points that perfect answers would get.
pub fn most(tally: &Tally) -> f64 {
    let rows = Stance::ALL.into_iter().zip(&tally.confusion);
    rows.map(|(gold, counts)| points(gold, gold) * counts.iter().sum::<usize>() as f64)
        .sum()
}

/// A row of the stances, in either layout.
#[derive(Deserialize)]
struct Row {
    #[serde(alias = "headline", alias = "Headline")]
    claim: String,
    #[serde(alias = "Body ID")]
    body_id: Value,
    #[serde(alias = "Stance", alias = "label")]
    stance: String,
}

/// Reads bodies (`Body ID,articleBody`, or JSON Lines with `body_id` and `text`) and stances (`Headline,Body ID,Stance`, or JSON
/// Lines with `claim` or `headline`, `body_id` and `stance`). Each body is one case with all its headlines.
///
/// # Errors
/// [`Error::Usage`] for files in neither layout, and stances of bodies that are not there.
pub fn read(bodies: &Path, stances: &Path) -> Result<Set> {
    let mut cases: Vec<Case> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let options = ReadOptions {
        passthrough: true,
        ..ReadOptions::default()
    };
    for mut raw in Reader::new(vec![Source::Path(bodies.to_owned())], options) {
        let fields = fields(&mut raw);
        let id = fields.get("body_id").or_else(|| fields.get("Body ID"));
        let Some(id) = id.map(plain) else {
            return Err(Error::Usage(format!(
                "{}: a body without an id: {}; name the bodies first, then the stances (bodies have `Body ID,articleBody`, or JSON Lines with body_id and text)",
                bodies.display(),
                raw.content.err().map_or(raw.id, |error| error.to_string()),
            )));
        };
        raw.id.clone_from(&id);
        places.insert(id, cases.len());
        cases.push(Case {
            raw,
            questions: Vec::new(),
        });
    }
    for (number, row) in rows(stances)?.into_iter().enumerate() {
        let fail = |what: String| {
            Error::Usage(format!(
                "{}: stance {}: {what}",
                stances.display(),
                number + 1
            ))
        };
        let id = plain(&row.body_id);
        let place = places.get(&id);
        let place =
            place.ok_or_else(|| fail(format!("there is no body {id} in {}", bodies.display())))?;
        let gold = stance(&row.stance, &Labels::default())
            .ok_or_else(|| fail(format!("`{}` is no stance of FNC-1", row.stance)))?;
        cases[*place].questions.push(Question {
            claim: row.claim.trim().to_owned(),
            gold,
            evidence: Vec::new(),
            summary: None,
        });
    }
    cases.retain(|case| !case.questions.is_empty());
    let set = Set {
        cases,
        unlabelled: 0,
    };
    match set.questions() {
        0 => Err(Error::Usage(format!(
            "{} holds no stance",
            stances.display()
        ))),
        _ => Ok(set),
    }
}

fn rows(path: &Path) -> Result<Vec<Row>> {
    let fail = |what: String| Error::Usage(format!("{}: {what}", path.display()));
    let text = fs::read_to_string(path).map_err(|e| fail(format!("cannot be read: {e}")))?;
    let text = text.trim_start_matches('\u{feff}');
    let expects = "BODIES STANCES: stances have `Headline,Body ID,Stance`, or JSON Lines with claim, body_id and stance";
    if text.trim_start().starts_with('{') {
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, l)| !l.trim().is_empty());
        lines
            .map(|(i, line)| {
                serde_json::from_str(line)
                    .map_err(|e| fail(format!("line {}: {e} (--fnc {expects})", i + 1)))
            })
            .collect()
    } else {
        csv::Reader::from_reader(text.as_bytes())
            .into_deserialize()
            .map(|row| row.map_err(|e| fail(format!("{e} (--fnc {expects})"))))
            .collect()
    }
}

/// An id as text: JSON has numbers, tables have cells.
fn plain(id: &Value) -> String {
    match id {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use Stance::{Discusses, Refutes, Supports, Unrelated};

    fn tally(counts: [[usize; 4]; 4]) -> Tally {
        let mut tally = Tally::default();
        tally.confusion = counts;
        tally
    }

    #[test]
    fn the_most_on_the_test_set_is_the_published_one() {
        let mut counts = [[0; 4]; 4];
        // agree, disagree, discuss, unrelated
        for (i, count) in [1903, 697, 4464, 18349].into_iter().enumerate() {
            counts[i][i] = count;
        }
        assert_eq!(most(&tally(counts)), 11_651.25);
        assert_eq!(total(&tally(counts)), 11_651.25);
    }

    #[test]
    fn constant_answers_score_as_published() {
        let constant = |said: Stance| {
            let mut counts = [[0; 4]; 4];
            for (i, count) in [1903, 697, 4464, 18349].into_iter().enumerate() {
                counts[i][said as usize] = count;
            }
            100.0 * total(&tally(counts)) / most(&tally(counts))
        };
        assert!((constant(Unrelated) - 39.37).abs() < 0.005);
        assert!((constant(Discusses) - 43.89).abs() < 0.005);
    }

    #[test]
    fn points_by_pair() {
        assert_eq!(points(Supports, Supports), 1.0);
        assert_eq!(points(Supports, Refutes), 0.25);
        assert_eq!(points(Supports, Unrelated), 0.0);
        assert_eq!(points(Unrelated, Discusses), 0.0);
        assert_eq!(points(Unrelated, Unrelated), 0.25);
    }

    fn read_both(bodies: (&str, &str), stances: (&str, &str)) -> Result<Set> {
        let folder = tempfile::tempdir().map_err(Error::Output)?;
        let write = |(name, text): (&str, &str)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).map_err(Error::Output)?;
            Ok::<_, Error>(path)
        };
        read(&write(bodies)?, &write(stances)?)
    }

    const CSV: ((&str, &str), (&str, &str)) = (
        (
            "bodies.csv",
            "Body ID,articleBody\n4,\"A fox, red,\nran.\"\n7,A dog barked.\n9,Nobody asks.\n",
        ),
        (
            "stances.csv",
            "Headline,Body ID,Stance\n\"Fox, running\",4,agree\nFox asleep,4,disagree\nDog heard,7,discuss\nFox,7,unrelated\n",
        ),
    );
    const JSON: ((&str, &str), (&str, &str)) = (
        (
            "bodies.jsonl",
            "{\"body_id\": 4, \"text\": \"A fox, red,\\nran.\"}\n{\"body_id\": 7, \"text\": \"A dog barked.\"}\n",
        ),
        (
            "stances.jsonl",
            "{\"body_id\": 4, \"claim\": \"Fox, running\", \"stance\": \"agree\"}\n{\"body_id\": 4, \"headline\": \"Fox asleep\", \"stance\": \"disagree\"}\n{\"body_id\": 7, \"claim\": \"Dog heard\", \"stance\": \"discuss\"}\n{\"body_id\": 7, \"claim\": \"Fox\", \"stance\": \"unrelated\"}\n",
        ),
    );

    #[test]
    fn both_layouts_say_the_same() {
        let questions = |set: Set| -> Vec<(String, Vec<Question>)> {
            let cases = set.cases.into_iter();
            cases.map(|case| (case.raw.id, case.questions)).collect()
        };
        let table = questions(read_both(CSV.0, CSV.1).unwrap());
        assert_eq!(table, questions(read_both(JSON.0, JSON.1).unwrap()));
        assert_eq!(table.len(), 2);
        let golds: Vec<Stance> = table.iter().flat_map(|(_, q)| q).map(|q| q.gold).collect();
        assert_eq!(golds, [Supports, Refutes, Discusses, Unrelated]);
        assert_eq!(table[0].1[0].claim, "Fox, running");
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let swapped = read_both(CSV.1, CSV.0).unwrap_err().to_string();
        assert!(swapped.contains("bodies first"), "{swapped}");
        let lost = ("stances.csv", "Headline,Body ID,Stance\nFox,5,agree\n");
        let lost = read_both(CSV.0, lost).unwrap_err().to_string();
        assert!(lost.contains("stance 1: there is no body 5"), "{lost}");
        let unlabelled = ("stances.csv", "Headline,Body ID\nFox,4\n");
        let unlabelled = read_both(CSV.0, unlabelled).unwrap_err().to_string();
        assert!(
            unlabelled.contains("Headline,Body ID,Stance"),
            "{unlabelled}"
        );
    }
}
