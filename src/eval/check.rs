//! How well does the check of [`crate::summary::check`] tell sentences that their sources support from others? Beside it the share of a
//! sentence's pairs of neighbouring words that the sources have, which needs no rules.
//!
//! Records are JSON Lines with `sources` (a list of texts) or `article` (one, of which the sentences with most of the same words are the
//! sources), and a list `summary` of sentences: `text`, and `supported` or the `votes` of readers (as QAGS has them: Wang, Cho and Lewis
//! 2020, arXiv 2004.04228). `set`, if there, names the part that they count to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::ops::AddAssign;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::bootstrap::{Estimate, estimates};
use crate::article::sentences;
use crate::error::{Error, Result};
use crate::summary::check::{self, Flaw};
use crate::words::words;

/// A summary with its sources.
#[derive(Debug, Clone, Deserialize)]
struct Item {
    #[serde(default)]
    set: String,
    article: Option<String>,
    sources: Option<Vec<String>>,
    summary: Vec<Judged>,
}

/// A sentence, and what readers say of it.
#[derive(Debug, Clone, Deserialize)]
struct Judged {
    text: String,
    supported: Option<bool>,
    #[serde(default)]
    votes: Vec<bool>,
}

impl Judged {
    /// Whether most readers say that its sources support it; `None` when nobody says.
    fn supported(&self) -> Option<bool> {
        let yes = self.votes.iter().filter(|vote| **vote).count();
        self.supported
            .or((!self.votes.is_empty()).then_some(yes * 2 > self.votes.len()))
    }
}

/// The figures of one set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckFigures {
    /// Name of the set; empty where records name none.
    pub set: String,
    /// Sentences with a judgement.
    pub sentences: usize,
    /// Those that readers find supported.
    pub supported: usize,
    /// How often a supported sentence has more support than one that is not (area under the ROC curve).
    pub auc: Estimate,
    /// The same by the share of pairs of words.
    pub overlap_auc: Estimate,
    /// Share of the supported sentences that pass.
    pub kept: Estimate,
    /// Share of the others that do not.
    pub rejected: Estimate,
    /// Rejected sentences by kind of flaw: those that readers find supported, and the others.
    pub flaws: BTreeMap<&'static str, [usize; 2]>,
}

/// What the check says of one sentence.
#[derive(Debug, Clone)]
struct Checked {
    supported: bool,
    support: f32,
    overlap: f32,
    flaw: Option<Flaw>,
}

/// Checks the sentences of `path`.
///
/// # Errors
/// [`Error::Usage`] when it cannot be read, or holds no judged sentence.
pub fn check(path: &Path, seed: u64) -> Result<CheckReport> {
    let fail = |what: String| Error::Usage(format!("{}: {what}", path.display()));
    let text = match path == Path::new("-") {
        true => io::read_to_string(io::stdin()),
        false => fs::read_to_string(path),
    };
    let text = text.map_err(|e| fail(e.to_string()))?;
    let mut sets: BTreeMap<String, Vec<Tally>> = BTreeMap::new();
    let mut all = Vec::new();
    for (i, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let item: Item =
            serde_json::from_str(line).map_err(|e| fail(format!("line {}: {e}", i + 1)))?;
        let sources = match (&item.sources, &item.article) {
            (Some(sources), _) => sources.iter().flat_map(|text| split(text)).collect(),
            (None, Some(article)) => split(article),
            (None, None) => {
                return Err(fail(format!("line {}: neither sources nor article", i + 1)));
            }
        };
        let mut tally = Tally::default();
        for judged in &item.summary {
            let Some(supported) = judged.supported() else {
                continue;
            };
            let text = &judged.text;
            let near = match item.sources {
                Some(_) => sources.clone(),
                None => check::sources(text, &sources),
            };
            let checked = Checked {
                supported,
                support: check::support(text, &sources),
                overlap: overlap(text, &sources),
                flaw: flaw(text, &near),
            };
            all.push(Sentence {
                text: text.clone(),
                supported,
                support: checked.support,
                flaw: checked.flaw.as_ref().map(ToString::to_string),
            });
            tally.0.push(checked);
        }
        sets.entry(item.set).or_default().push(tally);
    }
    if all.is_empty() {
        return Err(fail("no sentence with `supported` or `votes`".to_owned()));
    }
    let figures = sets
        .into_iter()
        .map(|(set, tallies)| CheckFigures::new(set, &tallies, seed));
    Ok(CheckReport {
        sets: figures.collect(),
        sentences: all,
    })
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// The figures, a set after the other.
    pub sets: Vec<CheckFigures>,
    /// Every sentence.
    pub sentences: Vec<Sentence>,
}

/// A sentence and what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sentence {
    /// Its text.
    pub text: String,
    /// Whether readers find it supported.
    pub supported: bool,
    /// How far it is made of its sources.
    pub support: f32,
    /// What the check objects to.
    pub flaw: Option<String>,
}

fn split(text: &str) -> Vec<&str> {
    let places = sentences::split(text);
    places.into_iter().map(|at| &text[at]).collect()
}

/// What is wrong with a sentence beside the source that supports it most; nothing, if it is a shortening of any.
fn flaw(text: &str, sources: &[&str]) -> Option<Flaw> {
    let nearest = sources.iter().max_by(|a, b| {
        let support = |source: &str| check::support(text, &[source]);
        support(a).total_cmp(&support(b))
    });
    let passes = |source: &&str| check::check(text, source).is_ok();
    match sources.iter().any(passes) {
        true => None,
        false => check::check(text, nearest.copied().unwrap_or_default()).err(),
    }
}

/// Share of the pairs of neighbouring words that the sources have.
fn overlap(text: &str, sources: &[&str]) -> f32 {
    let pairs = |text: &str| -> BTreeSet<(String, String)> {
        let all: Vec<String> = words(text).collect();
        let pairs = all
            .windows(2)
            .map(|pair| (pair[0].clone(), pair[1].clone()));
        pairs.collect()
    };
    let (ours, theirs) = (pairs(text), pairs(&sources.join(" ")));
    ours.intersection(&theirs).count() as f32 / ours.len().max(1) as f32
}

/// The sentences of one or more summaries.
#[derive(Debug, Clone, Default)]
struct Tally(Vec<Checked>);

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }
}

impl CheckFigures {
    fn new(set: String, tallies: &[Tally], seed: u64) -> Self {
        let [auc, overlap_auc, kept, rejected] = estimates(tallies, seed, |tally: &Tally| {
            let passes = |supported: bool| {
                let of = tally.0.iter().filter(|c| c.supported == supported);
                let passed = of.clone().filter(|c| c.flaw.is_none()).count();
                passed as f64 / of.count() as f64
            };
            [
                area(tally.0.iter().map(|c| (c.support, c.supported))),
                area(tally.0.iter().map(|c| (c.overlap, c.supported))),
                passes(true),
                1.0 - passes(false),
            ]
        });
        let all = || tallies.iter().flat_map(|tally| &tally.0);
        let mut flaws: BTreeMap<&'static str, [usize; 2]> = BTreeMap::new();
        for checked in all() {
            if let Some(flaw) = &checked.flaw {
                flaws.entry(flaw.kind.name()).or_default()[usize::from(!checked.supported)] += 1;
            }
        }
        Self {
            set,
            sentences: all().count(),
            supported: all().filter(|c| c.supported).count(),
            auc,
            overlap_auc,
            kept,
            rejected,
            flaws,
        }
    }
}

/// How often one that is true scores more than one that is not; equals count half. NaN where one of the two kinds is missing.
fn area(scores: impl Iterator<Item = (f32, bool)>) -> f64 {
    let mut sorted: Vec<(f32, bool)> = scores.collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut won, mut wins) = (0.0, 0.0, 0.0);
    for equals in sorted.chunk_by(|a, b| a.0 == b.0) {
        let yes = equals.iter().filter(|(_, supported)| *supported).count() as f64;
        let no = equals.len() as f64 - yes;
        won += yes * (below + no / 2.0);
        below += no;
        wins += yes;
    }
    won / (wins * below)
}
