//! A run beside an earlier one: the ratio of their speeds, or what makes them no match.
//!
//! The two were made at different times, in which the machine was busy with different things, mostly in bursts of some milliseconds. What
//! moves least from run to run is how long each article takes alone, by the median of its times, so that ratio decides.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::report::{Measured, Program, Report};
use super::roofline::Peaks;
use super::statistics::ratio;
use crate::error::{Error, Result};
use crate::eval::Estimate;

/// A run beside an earlier one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The earlier program.
    pub program: Program,
    /// Seconds since 1970 when the earlier run began.
    pub began: u64,
    /// Each subject of this run beside its match in the earlier one.
    pub subjects: Vec<Compared>,
}

/// A subject beside its match: above 1, it is faster than it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Articles a second, each read alone, now over then.
    #[serde(default)]
    pub alone: Option<Estimate>,
    /// Articles a second of whole passes, from reading to records, now over then.
    pub whole: Option<Estimate>,
    /// Articles a second of the encoder alone, now over then.
    pub encode: Option<Estimate>,
    /// Products (8-bit, on a GPU float) that the machine itself computed at best, now over then: far from 1, it was the machine that
    /// changed.
    pub machine: Option<f64>,
    /// The larger of the shares of the processors that others had, then and now.
    pub others: Option<f64>,
}

impl Compared {
    /// Articles alone; of a subject that does not tell them, whole passes.
    pub fn deciding(&self) -> Option<&Estimate> {
        self.alone.as_ref().or(self.whole.as_ref())
    }

    /// Whether it is slower by more than `percent`, and the interval leaves no doubt that it is slower at all: each article alone, or whole passes,
    /// in which batches and overlapping stages count too.
    pub fn regressed(&self, percent: f64) -> bool {
        let slower = |ratio: &Estimate| ratio.value < 1.0 - percent / 100.0 && ratio.high < 1.0;
        [&self.alone, &self.whole].into_iter().flatten().any(slower)
    }
}

/// Reads an exported run.
///
/// # Errors
/// [`Error::Usage`] when it cannot be read, or is none.
pub fn read(path: &Path) -> Result<Report> {
    let fail = |what: String| Error::Usage(format!("baseline {}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
    let value: Value = serde_json::from_str(&text).map_err(|e| fail(e.to_string()))?;
    match value.get("schema").and_then(Value::as_u64) {
        Some(1) => {}
        Some(other) => return Err(fail(format!("schema is {other}; this program reads 1"))),
        None => return Err(fail("not a file of `tidings bench --export`".to_owned())),
    }
    serde_json::from_value(value).map_err(|e| fail(e.to_string()))
}

/// Sets `now` beside `then`.
///
/// # Errors
/// [`Error::Usage`] that names the settings in which a subject differs from the likest one of the earlier run.
pub fn compare(now: &Report, then: &Report, seed: u64) -> Result<Comparison> {
    let subjects = now.subjects.iter().map(|subject| {
        let candidates = then.subjects.iter();
        let candidates = candidates.map(|other| (differences((now, subject), (then, other)), other));
        match candidates.min_by_key(|(differences, _)| differences.len()) {
            Some((differences, other)) if differences.is_empty() => {
                Ok(Compared::new(subject, other, seed))
            }
            Some((differences, _)) => Err(Error::Usage(format!(
                "the baseline is no match, it differs in:\n  {}\n(to compare models or engines, measure both with --interleave)",
                differences.join("\n  ")
            ))),
            None => Err(Error::Usage("the baseline holds no subject".to_owned())),
        }
    });
    Ok(Comparison {
        subjects: subjects.collect::<Result<_>>()?,
        program: then.program.clone(),
        began: then.began,
    })
}

impl Compared {
    fn new(now: &Measured, then: &Measured, seed: u64) -> Self {
        let peak = |of: &Measured| -> Option<f64> {
            let Peaks { int8, float, .. } = of.figures.roofline.as_ref()?.peaks;
            Some(if int8 > 0.0 { int8 } else { float })
        };
        let others = [now, then].into_iter().filter_map(|m| m.figures.others);
        let of = |rates: fn(&Measured) -> Vec<Vec<f64>>| ratio(&rates(now), &rates(then), seed);
        Self {
            alone: of(Measured::alone_rates),
            whole: of(Measured::whole_rates),
            encode: of(Measured::encode_rates),
            machine: peak(now).zip(peak(then)).map(|(now, then)| now / then),
            others: others.reduce(f64::max),
        }
    }
}

/// The settings in which two results differ, as `threads: 2, the baseline 1`.
fn differences(now: (&Report, &Measured), then: (&Report, &Measured)) -> Vec<String> {
    let settings = |(report, subject): (&Report, &Measured)| {
        let mut all = match serde_json::to_value(&subject.settings) {
            Ok(Value::Object(all)) => all,
            _ => serde_json::Map::new(),
        };
        // The checksums say what texts and model are, wherever they lie.
        if subject.settings.texts_sha256.is_some() {
            all.remove("texts");
        }
        if subject.settings.weights.is_some() {
            all.remove("model");
        }
        let machine = &report.machine;
        all.insert("processor".into(), machine.processor.clone().into());
        all.insert("cores".into(), machine.cores.into());
        all.insert("features".into(), machine.features.join(" ").into());
        all.insert("interleaved".into(), report.plan.interleaved.into());
        all
    };
    let (now, then) = (settings(now), settings(then));
    let show = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    now.iter()
        .filter(|(name, value)| then.get(*name) != Some(value))
        .map(|(name, value)| {
            let name_for_people = name.replace('_', " ");
            let (now, then) = (show(Some(value)), show(then.get(name)));
            format!("{name_for_people}: {now}, the baseline {then}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slower_alone_or_as_a_whole_has_regressed() {
        let ratio = |value| {
            Some(Estimate {
                value,
                low: value - 0.02,
                high: value + 0.02,
            })
        };
        let regressed = |alone, whole| {
            let compared = Compared {
                alone,
                whole,
                encode: None,
                machine: None,
                others: None,
            };
            compared.regressed(5.0)
        };
        assert!(regressed(ratio(0.9), ratio(1.0)));
        assert!(regressed(ratio(1.0), ratio(0.9)));
        assert!(regressed(None, ratio(0.9)));
        assert!(!regressed(ratio(0.99), ratio(1.2)));
        assert!(!regressed(None, None));
    }
}
