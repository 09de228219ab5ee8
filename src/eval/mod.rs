//! How good are the answers? Labelled articles in, figures out. Everything here is data; printing is the program's affair.
//!
//! The flow: [`labelled`] or [`fnc`] (what is asked, and what readers answer) → [`ask()`] (the same reading, cleaning and batches as in a
//! run) → [`metrics`], [`evidence`] and [`summaries`] (sums over items) → [`bootstrap`] (intervals) → [`Report`]. [`negate`] asks the opposite,
//! [`compare()`] sets another run beside this one.
//!
//! ```
//! use tidings::article::read::{ReadOptions, Source};
//! use tidings::{Device, Engine, Files, Model, Options, eval};
//!
//! # fn main() -> tidings::Result<()> {
//! let model = Model::load(&Files::open("stance-en-small")?, Device::Auto, Engine::Native)?;
//! let file = std::env::temp_dir().join("tidings-eval-example.jsonl");
//! std::fs::write(&file, r#"{"text": "The talks open on Monday.", "label": "imminent"}"#).map_err(tidings::Error::Output)?;
//! let set = eval::labelled::read(vec![Source::Path(file)], ReadOptions::default(), &Default::default())?;
//! let answers = eval::ask(set.cases, &model, &Options::default(), None, &mut |_| ())?;
//! let figures = eval::Figures::new(&answers.answers, 0);
//! assert_eq!(figures.map(|f| f.items), Some(1));
//! # Ok(())
//! # }
//! ```

pub mod bootstrap;
pub mod check;
pub mod compare;
pub mod evidence;
pub mod fnc;
pub mod labelled;
pub mod metrics;
pub mod negate;
pub mod rouge;
pub mod summaries;

mod ask;

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::Serialize;

pub use self::ask::{Answer, Answered, Answers, ask};
pub use self::bootstrap::{Estimate, Random};
pub use self::check::CheckFigures;
pub use self::compare::{Baseline, Comparison, compare};
pub use self::labelled::{Case, LabelOptions, Question, Set};
pub use self::metrics::{Bin, Class, Item, Tally};
pub use self::negate::Negation;
pub use self::summaries::SummaryFigures;

use self::bootstrap::estimates;
use crate::error::ArticleErrorKind;
use crate::stance::Stance;

/// Everything that is known of a run over labelled articles.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of the report: 1.
    pub schema: u32,
    /// Name and checksum of the model.
    pub model: String,
    /// Labels that were null or missing: not asked.
    pub unlabelled: usize,
    /// Claims that lost their last words, being longer than the model takes ([`Set::shorten`]).
    pub shortened: usize,
    /// Questions without an answer, by kind; in no figure but FNC-1's score, where they earn nothing.
    pub unanswered: BTreeMap<ArticleErrorKind, usize>,
    /// Articles so broken that not even their label could be read.
    pub broken: usize,
    /// Answers that were left open for their low score.
    pub abstained: usize,
    /// All items.
    pub all: Figures,
    /// Articles that the model read in one window.
    pub short: Option<Figures>,
    /// Articles that took more than one.
    pub long: Option<Figures>,
    /// The official score of FNC-1.
    pub fnc: Option<fnc::Score>,
    /// The same claims denied.
    pub negated: Option<Negated>,
    /// The summaries, where they were asked for and readers wrote some too.
    pub summaries: Option<SummaryFigures>,
    /// Another run beside this one.
    pub baseline: Option<Comparison>,
}

/// The figures of some items, with 95% intervals by article.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Answers.
    pub items: usize,
    /// Articles that they are about.
    pub articles: usize,
    /// [`Tally::accuracy`].
    pub accuracy: Estimate,
    /// [`Tally::macro_f1`].
    pub macro_f1: Estimate,
    /// [`Tally::log_loss`].
    pub log_loss: Estimate,
    /// [`Tally::brier`].
    pub brier: Estimate,
    /// [`Tally::brier_skill`].
    pub brier_skill: Estimate,
    /// [`Tally::calibration_error`].
    pub calibration_error: Estimate,
    /// In the order of [`Stance::ALL`].
    pub classes: [Class; 4],
    /// [`Tally::confusion`].
    pub confusion: [[usize; 4]; 4],
    /// The reliability table, bins without items left out.
    pub reliability: Vec<Reliability>,
    /// Sentences, where readers marked some.
    pub evidence: Option<EvidenceFigures>,
}

/// A row of the reliability table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reliability {
    /// Best scores above this,
    pub above: f64,
    /// and up to this.
    pub to: f64,
    /// How many.
    pub items: usize,
    /// Their mean.
    pub confidence: f64,
    /// Share that is right.
    pub accuracy: f64,
}

/// How the deciding sentences fare against the marked ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EvidenceFigures {
    /// Items with marked sentences.
    pub items: usize,
    /// Those for which the model showed sentences; the others count as missed.
    pub answered: usize,
    /// Share of items whose best sentence is marked.
    pub hit_one: Estimate,
    /// Share of items with a marked sentence among the best two.
    pub hit_two: Estimate,
    /// Share of the sentences shown, at most three an item, that are marked.
    pub precision: Estimate,
    /// Share of items whose body's first sentence is marked: Lead-1's hit rate, and its precision.
    pub lead_one: Estimate,
    /// Share of items with a marked one among the body's first two: Lead-2's hit rate.
    pub lead_two: Estimate,
    /// Share of the first and second sentences that are marked.
    pub lead_two_precision: Estimate,
}

/// The same claims denied, gold answers swapped to suit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Negated {
    /// Figures of the denied claims.
    pub figures: Figures,
    /// Their accuracy as a share of the plain claims'.
    pub accuracy_share: Estimate,
    /// Their macro F1 as a share of the plain claims'.
    pub macro_f1_share: Estimate,
}

impl Report {
    /// The figures of all `answers`, of short and of long articles, with intervals drawn by `seed`; `None` when nothing was answered. The
    /// parts that not every run has are left to be filled in.
    pub fn new(answers: &Answers, model: String, unlabelled: usize, seed: u64) -> Option<Self> {
        let windows = |answer: &Answer| answer.outcome.as_ref().map_or(0, |a| a.windows);
        let part = |of: &dyn Fn(usize) -> bool| -> Vec<Answer> {
            let answers = answers.answers.iter();
            answers.filter(|a| of(windows(a))).cloned().collect()
        };
        let mut unanswered = BTreeMap::new();
        let outcomes = || answers.answers.iter().map(|a| &a.outcome);
        for kind in outcomes().filter_map(|outcome| Some(outcome.as_ref().err()?.kind)) {
            *unanswered.entry(kind).or_default() += 1;
        }
        Some(Self {
            schema: 1,
            model,
            unlabelled,
            shortened: 0,
            unanswered,
            broken: answers.broken.len(),
            abstained: outcomes().flatten().filter(|a| a.abstained).count(),
            all: Figures::new(&answers.answers, seed)?,
            short: Figures::new(&part(&|windows| windows == 1), seed),
            long: Figures::new(&part(&|windows| windows > 1), seed),
            fnc: None,
            negated: None,
            summaries: SummaryFigures::new(&answers.answers, seed),
            baseline: None,
        })
    }
}

impl Figures {
    /// The figures of `answers`; `None` when none was answered.
    pub fn new(answers: &[Answer], seed: u64) -> Option<Self> {
        let tallies = clusters(items(answers).map(|(case, item)| (case, one(item))));
        let all: Tally = items(answers).map(|(_, item)| item).collect();
        if all.items() == 0 {
            return None;
        }
        let figures = |t: &Tally| {
            [
                t.accuracy(),
                t.macro_f1(),
                t.log_loss(),
                t.brier(),
                t.brier_skill(),
                t.calibration_error(),
            ]
        };
        let [
            accuracy,
            macro_f1,
            log_loss,
            brier,
            brier_skill,
            calibration_error,
        ] = estimates(&tallies, seed, figures);
        let width = 1.0 / metrics::BINS as f64;
        let bins = all.bins.iter().enumerate().filter(|(_, b)| b.items > 0);
        Some(Self {
            items: all.items(),
            articles: tallies.len(),
            accuracy,
            macro_f1,
            log_loss,
            brier,
            brier_skill,
            calibration_error,
            classes: Stance::ALL.map(|stance| all.class(stance)),
            confusion: all.confusion,
            reliability: bins
                .map(|(i, bin)| Reliability {
                    above: (i as f64) * width,
                    to: (i as f64 + 1.0) * width,
                    items: bin.items,
                    confidence: bin.confidence(),
                    accuracy: bin.accuracy(),
                })
                .collect(),
            evidence: EvidenceFigures::new(&all, &tallies, seed),
        })
    }
}

impl EvidenceFigures {
    fn new(all: &Tally, tallies: &[Tally], seed: u64) -> Option<Self> {
        if all.evidence.items == 0 {
            return None;
        }
        let figures = |t: &Tally| {
            let e = &t.evidence;
            [
                e.share(e.first),
                e.share(e.two),
                e.precision(),
                e.share(e.lead_one),
                e.share(e.lead_two),
                e.lead_right as f64 / e.lead_shown as f64,
            ]
        };
        let [
            hit_one,
            hit_two,
            precision,
            lead_one,
            lead_two,
            lead_two_precision,
        ] = estimates(tallies, seed, figures);
        Some(Self {
            items: all.evidence.items,
            answered: all.evidence.answered,
            hit_one,
            hit_two,
            precision,
            lead_one,
            lead_two,
            lead_two_precision,
        })
    }
}

impl Negated {
    /// `negated` beside the `plain` answers to the same questions; `None` when either has no answer.
    pub fn new(plain: &[Answer], negated: &[Answer], seed: u64) -> Option<Self> {
        let both: Vec<(usize, Pair)> = plain
            .iter()
            .zip(negated)
            .filter_map(|(plain, negated)| {
                let (p, n) = (plain.outcome.as_ref().ok()?, negated.outcome.as_ref().ok()?);
                Some((plain.case, Pair(one(&p.item), one(&n.item))))
            })
            .collect();
        let figures = Figures::new(negated, seed)?;
        if both.is_empty() {
            return None;
        }
        let shares = |p: &Pair| {
            [
                p.1.accuracy() / p.0.accuracy(),
                p.1.macro_f1() / p.0.macro_f1(),
            ]
        };
        let [accuracy_share, macro_f1_share] = estimates(&clusters(both.into_iter()), seed, shares);
        Some(Self {
            figures,
            accuracy_share,
            macro_f1_share,
        })
    }
}

/// Two tallies over the same items.
#[derive(Default)]
struct Pair(Tally, Tally);

impl AddAssign<&Pair> for Pair {
    fn add_assign(&mut self, other: &Pair) {
        self.0 += &other.0;
        self.1 += &other.1;
    }
}

fn items(answers: &[Answer]) -> impl Iterator<Item = (usize, &Item)> {
    answers
        .iter()
        .filter_map(|a| Some((a.case, &a.outcome.as_ref().ok()?.item)))
}

fn one(item: &Item) -> Tally {
    std::iter::once(item).collect()
}

/// The sums by case; the items of a case stand together.
fn clusters<T>(items: impl Iterator<Item = (usize, T)>) -> Vec<T>
where
    T: Default + for<'a> AddAssign<&'a T>,
{
    let mut sums: Vec<(usize, T)> = Vec::new();
    for (case, item) in items {
        match sums.last_mut() {
            Some((last, sum)) if *last == case => *sum += &item,
            _ => sums.push((case, item)),
        }
    }
    sums.into_iter().map(|(_, sum)| sum).collect()
}
