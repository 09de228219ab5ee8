//! How a run is done, and what it has done so far.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::GPU_CHUNK;
use crate::article::CleanOptions;
use crate::error::ArticleErrorKind;
use crate::model::{Model, Rewriter};
use crate::output::Labels;
use crate::stance::{DEFAULT_CLAIM, Stance};
use crate::summary;

/// How a run is done; nothing here changes a record but `claims`, `labels`, `clean`, `truncate`, `abstain_below`,
/// `summary` and `rewriter`.
#[derive(Debug, Clone)]
pub struct Options {
    /// Claims asked of every article that brings none of its own.
    pub claims: Vec<String>,
    /// Names of the four stances.
    pub labels: Labels,
    /// Limits and languages.
    pub clean: CleanOptions,
    /// Tokens of an article to read at most; `None` reads it whole.
    pub truncate: Option<usize>,
    /// An answer whose best score (0 to 1) is below this is [`Stance::Discusses`] and marked; `None` always answers.
    pub abstain_below: Option<f32>,
    /// How long a summary each answer has; `None`: no summary.
    pub summary: Option<summary::Limits>,
    /// Says summaries shorter, where what it writes passes the check; `None` leaves them as they stand in the article.
    pub rewriter: Option<Arc<Rewriter>>,
    /// Tokens that are in the encoder at once, about; 0: as many as suit the device.
    pub batch_tokens: usize,
    /// Articles, times claims, of a batch at most; 0: as many as suit the device.
    pub batch_size: usize,
    /// How long an article may wait for others to fill its batch.
    pub max_latency: Duration,
    /// Computing threads; 0 is one a core.
    pub threads: usize,
    /// Set from outside (by a signal, say): the run then ends after the batch in hand.
    pub stop: Arc<AtomicBool>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            claims: vec![DEFAULT_CLAIM.to_owned()],
            labels: Labels::default(),
            clean: CleanOptions::default(),
            truncate: None,
            abstain_below: None,
            summary: None,
            rewriter: None,
            batch_tokens: 0,
            batch_size: 0,
            max_latency: Duration::ZERO,
            threads: 0,
            stop: Arc::default(),
        }
    }
}

impl Options {
    /// Tokens and articles of a batch that `model` reads: as asked for, else as many as keep its device busy. What fits a processor's
    /// caches is a fraction of what a GPU has units for.
    pub fn batch(&self, model: &Model) -> (usize, usize) {
        let (tokens, articles) = match model.gpu() {
            Some(_) => (65_536, GPU_CHUNK),
            None => (2048, 64),
        };
        let or = |asked, usual| if asked == 0 { usual } else { asked };
        (or(self.batch_tokens, tokens), or(self.batch_size, articles))
    }
}

/// What a run has done so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Totals {
    /// Articles answered, those with errors included.
    pub articles: usize,
    /// Articles that an earlier run had answered.
    pub passed: usize,
    /// Records written.
    pub records: usize,
    /// Articles without an answer, by kind.
    pub errors: BTreeMap<ArticleErrorKind, usize>,
    /// Answers by stance.
    pub stances: BTreeMap<Stance, usize>,
    /// Since the start of the run.
    pub elapsed: Duration,
    /// Whether [`Options::stop`] ended the run before the input did.
    pub stopped: bool,
}

impl Totals {
    /// Articles without an answer.
    pub fn failed(&self) -> usize {
        self.errors.values().sum()
    }
}
