//! Two runs on the same questions, item by item.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::bootstrap::{Estimate, estimates};
use super::labelled::stance;
use super::metrics::Tally;
use super::{Answer, Pair, clusters};
use crate::error::{Error, Result};
use crate::output::Labels;
use crate::stance::Stance;

/// What another run said: by article and claim, or by article alone where its records name no claim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline(HashMap<(String, Option<String>), Stance>);

impl Baseline {
    /// Reads records of `tidings classify` or `eval --records`, or any JSON Lines with `id`, perhaps `claim`, and `stance` or
    /// `label`; records with an `error` are no answers.
    ///
    /// # Errors
    /// [`Error::Usage`] when the file cannot be read, or holds something else.
    pub fn read(path: &Path, labels: &Labels) -> Result<Self> {
        let fail = |what: String| Error::Usage(format!("{}: {what}", path.display()));
        let text = fs::read_to_string(path).map_err(|e| fail(format!("cannot be read: {e}")))?;
        let mut said = HashMap::new();
        for (i, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let fail = |what: &str| {
                fail(format!(
                    "line {}: {what}; a baseline has records of `tidings classify -o … .jsonl` or `tidings eval --records …`, or id, claim and label of another system",
                    i + 1
                ))
            };
            let record: Value = serde_json::from_str(line).map_err(|e| fail(&e.to_string()))?;
            if record.get("error").is_some_and(|error| !error.is_null()) {
                continue;
            }
            let text = |key| record.get(key).and_then(Value::as_str);
            let id = match record.get("id") {
                Some(Value::String(id)) => id.clone(),
                Some(Value::Number(id)) => id.to_string(),
                _ => return Err(fail("no `id`")),
            };
            let name = text("stance").or_else(|| text("label"));
            let name = name.ok_or_else(|| fail("neither `stance` nor `label`"))?;
            let stance = stance(name, labels)
                .ok_or_else(|| fail(&format!("`{name}` is no label that is known here")))?;
            said.insert((id, text("claim").map(str::to_owned)), stance);
        }
        match said.len() {
            0 => Err(fail("holds no answer".to_owned())),
            _ => Ok(Self(said)),
        }
    }

    fn answer(&self, id: &str, claim: &str) -> Option<Stance> {
        let by = |claim: Option<&str>| self.0.get(&(id.to_owned(), claim.map(str::to_owned)));
        by(Some(claim)).or_else(|| by(None)).copied()
    }
}

/// The baseline beside this run, on the questions that both answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Questions that both answer.
    pub items: usize,
    /// Questions that only this run answers.
    pub missing: usize,
    /// Accuracy of the baseline and of this run.
    pub accuracy: [f64; 2],
    /// This run's accuracy less the baseline's, with the paired bootstrap's interval.
    pub accuracy_difference: Estimate,
    /// Macro F1 of the baseline and of this run.
    pub macro_f1: [f64; 2],
    /// This run's macro F1 less the baseline's.
    pub macro_f1_difference: Estimate,
    /// Wrong there, right here.
    pub mended: usize,
    /// Right there, wrong here.
    pub broken: usize,
    /// McNemar's exact test, two-sided: how likely mended and broken would be as far apart, or farther, if both runs were equally good.
    pub p: f64,
    /// Every answer that changed.
    pub changed: Vec<Change>,
}

/// An answer that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The article.
    pub id: String,
    /// The claim.
    pub claim: String,
    /// What readers say.
    pub gold: Stance,
    /// What the baseline said.
    pub was: Stance,
    /// What this run says.
    pub now: Stance,
}

/// Compares `answers` with a baseline.
///
/// # Errors
/// [`Error::Usage`] when they have no question in common.
pub fn compare(answers: &[Answer], baseline: &Baseline, seed: u64) -> Result<Comparison> {
    let mut pairs: Vec<(&Answer, Stance, Stance)> = Vec::new();
    let mut missing = 0;
    for answer in answers {
        let Ok(now) = &answer.outcome else {
            continue;
        };
        match baseline.answer(&answer.id, &answer.claim) {
            Some(was) => pairs.push((answer, was, now.item.said)),
            None => missing += 1,
        }
    }
    if pairs.is_empty() {
        return Err(Error::Usage(
            "the baseline answers none of these questions: are its ids and claims those of this set?"
                .to_owned(),
        ));
    }
    let said = |gold: Stance, said: Stance| {
        let mut tally = Tally::default();
        tally.confusion[gold as usize][said as usize] = 1;
        tally
    };
    let both = pairs.iter().map(|(answer, was, now)| {
        let pair = Pair(said(answer.gold, *was), said(answer.gold, *now));
        (answer.case, pair)
    });
    let clusters = clusters(both);
    let figures = |p: &Pair| {
        let (was, now) = (&p.0, &p.1);
        let (accuracy, f1) = (was.accuracy(), was.macro_f1());
        [
            now.accuracy() - accuracy,
            now.macro_f1() - f1,
            accuracy,
            now.accuracy(),
            f1,
            now.macro_f1(),
        ]
    };
    let [accuracy_difference, macro_f1_difference, a0, a1, f0, f1] =
        estimates(&clusters, seed, figures);
    let count = |then: bool, here: bool| {
        let of = |(a, was, now): &&(&Answer, Stance, Stance)| {
            (*was == a.gold) == then && (*now == a.gold) == here
        };
        pairs.iter().filter(of).count()
    };
    let (mended, broken) = (count(false, true), count(true, false));
    Ok(Comparison {
        items: pairs.len(),
        missing,
        accuracy: [a0.value, a1.value],
        accuracy_difference,
        macro_f1: [f0.value, f1.value],
        macro_f1_difference,
        mended,
        broken,
        p: mcnemar(mended, broken),
        changed: pairs
            .iter()
            .filter(|(_, was, now)| was != now)
            .map(|(answer, was, now)| Change {
                id: answer.id.clone(),
                claim: answer.claim.clone(),
                gold: answer.gold,
                was: *was,
                now: *now,
            })
            .collect(),
    })
}

/// Two-sided exact McNemar test: twice the binomial tail of the rarer of the two, at most 1.
fn mcnemar(mended: usize, broken: usize) -> f64 {
    let n = mended + broken;
    // Logarithms: ½ⁿ alone is no longer a number from about a thousand on.
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for k in 0..=mended.min(broken) {
        tail += log_term.exp();
        log_term += ((n - k) as f64).ln() - ((k + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::eval::{Answered, Item};
    use Stance::{Discusses, Refutes, Supports};

    #[test]
    fn mcnemar_by_hand() {
        assert_eq!(mcnemar(0, 0), 1.0);
        assert_eq!(mcnemar(3, 3), 1.0);
        // 2 · ½⁵
        assert!((mcnemar(5, 0) - 0.0625).abs() < 1e-12);
        // 2 · (1 + 10) · ½¹⁰
        assert!((mcnemar(1, 9) - 22.0 / 1024.0).abs() < 1e-12);
        assert_eq!(mcnemar(1, 9), mcnemar(9, 1));
        let many = mcnemar(3000, 3200);
        assert!((0.01..0.015).contains(&many), "{many}");
    }

    fn answer(case: usize, gold: Stance, said: Stance) -> Answer {
        Answer {
            id: case.to_string(),
            case,
            claim: "A.".to_owned(),
            gold,
            outcome: Ok(Answered {
                item: Item {
                    gold,
                    said,
                    scores: [0.25; 4],
                    evidence: None,
                },
                windows: 1,
                abstained: false,
                summary: None,
            }),
        }
    }

    fn baseline(lines: &str) -> Result<Baseline> {
        let folder = tempfile::tempdir().map_err(Error::Output)?;
        let path = folder.path().join("was.jsonl");
        fs::write(&path, lines).map_err(Error::Output)?;
        Baseline::read(&path, &Labels::default())
    }

    #[test]
    fn items_are_paired_by_article_and_claim() {
        let baseline = baseline(
            r#"{"id": "0", "claim": "A.", "stance": "refutes", "label": "no"}
{"id": "0", "claim": "B.", "stance": "discusses"}
{"id": 1, "label": "not-imminent"}
{"id": "2", "claim": "A.", "label": "agree"}
{"id": "3", "error": {"kind": "empty"}}
"#,
        );
        let answers = [
            answer(0, Supports, Supports),
            answer(1, Refutes, Discusses),
            answer(2, Supports, Supports),
            answer(3, Supports, Supports),
        ];
        let found = compare(&answers, &baseline.unwrap(), 0).unwrap();
        assert_eq!((found.items, found.missing), (3, 1));
        assert_eq!((found.mended, found.broken), (1, 1));
        assert_eq!(found.accuracy, [2.0 / 3.0, 2.0 / 3.0]);
        assert_eq!(found.accuracy_difference.value, 0.0);
        assert!(found.accuracy_difference.low < 0.0 && found.accuracy_difference.high > 0.0);
        let changed: Vec<(&str, Stance, Stance)> = found
            .changed
            .iter()
            .map(|c| (&c.id[..], c.was, c.now))
            .collect();
        assert_eq!(
            changed,
            [("0", Refutes, Supports), ("1", Refutes, Discusses)]
        );
    }

    #[test]
    fn what_is_no_baseline_is_refused() {
        for (lines, expected) in [
            ("", "holds no answer"),
            ("{\"label\": \"agree\"}\n", "line 1: no `id`"),
            ("{\"id\": \"0\"}\n", "neither"),
            ("{\"id\": \"0\", \"label\": \"maybe\"}\n", "`maybe`"),
            ("words\n", "line 1"),
        ] {
            let error = baseline(lines).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let other = baseline("{\"id\": \"9\", \"label\": \"agree\"}\n").unwrap();
        assert!(compare(&[answer(0, Supports, Supports)], &other, 0).is_err());
    }
}
