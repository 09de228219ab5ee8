//! Reader → clean and tokenise → model and writer: three stages that overlap, joined by bounded channels, in input order throughout.
//!
//! All computing happens in one pool of [`Options::threads`] threads: candle and the kernels find it because they run inside it.

use std::collections::BTreeMap;
use std::iter::once;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::article::{CleanOptions, Raw};
use crate::error::{ArticleError, ArticleErrorKind, Error, Result};
use crate::model::Model;
use crate::output::{Labels, Record, Sink, Source};
use crate::stance::{self, Claim, DEFAULT_CLAIM, Stance, Tokens};

/// Articles at most that are cleaned and tokenised in one go, in parallel.
const CHUNK: usize = 32;
/// Chunks that may wait for the model.
const WAITING: usize = 2;

/// How a run is done; nothing here changes a record but `claims`, `labels`, `clean`, `truncate` and `abstain_below`.
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
    /// Tokens that are in the encoder at once, about.
    pub batch_tokens: usize,
    /// Articles, times claims, of a batch at most.
    pub batch_size: usize,
    /// Computing threads; 0 is one a core.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            claims: vec![DEFAULT_CLAIM.to_owned()],
            labels: Labels::default(),
            clean: CleanOptions::default(),
            truncate: None,
            abstain_below: None,
            batch_tokens: 4096,
            batch_size: 64,
            threads: 0,
        }
    }
}

/// What a run has done so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Totals {
    /// Articles read, those with errors included.
    pub articles: usize,
    /// Records written.
    pub records: usize,
    /// Articles without an answer, by kind.
    pub errors: BTreeMap<ArticleErrorKind, usize>,
    /// Answers by stance.
    pub stances: BTreeMap<Stance, usize>,
    /// Since the start of the run.
    pub elapsed: Duration,
}

impl Totals {
    /// Articles without an answer.
    pub fn failed(&self) -> usize {
        self.errors.values().sum()
    }
}

/// An article on its way to the model.
struct Prepared {
    id: String,
    outcome: std::result::Result<Ready, ArticleError>,
}

struct Ready {
    source: Source,
    tokens: Tokens,
    /// The record's own claim; without it the run's are asked.
    own: Option<Claim>,
}

impl Ready {
    fn claims<'a>(&'a self, asked: &'a [Claim]) -> &'a [Claim] {
        self.own.as_ref().map_or(asked, std::slice::from_ref)
    }
}

/// Answers every article of `raws` into `sink`, in order; `watch` hears the totals after each batch.
///
/// # Errors
/// [`Error::Model`] when the device fails, [`Error::Output`] when the sink does. An article never ends the run.
pub fn run(
    raws: impl Iterator<Item = Raw> + Send,
    model: &Model,
    options: &Options,
    sink: &mut dyn Sink,
    watch: &mut dyn FnMut(&Totals),
) -> Result<Totals> {
    let begun = Instant::now();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .thread_name(|i| format!("tidings-{i}"))
        .build()
        .map_err(|e| Error::Usage(format!("cannot start {} threads: {e}", options.threads)))?;
    let claims = options
        .claims
        .iter()
        .map(|c| Claim::new(c, model))
        .collect::<Result<Vec<_>>>()?;
    let mut totals = Totals::default();

    std::thread::scope(|scope| -> Result<()> {
        let (to_prepare, found) = mpsc::sync_channel::<Raw>(CHUNK);
        let (to_model, prepared) = mpsc::sync_channel::<Vec<Prepared>>(WAITING);
        let (pool, claims) = (&pool, &claims);
        // A stage whose receiver hung up stops: something after it failed, and says why itself.
        scope.spawn(move || {
            for raw in raws {
                if to_prepare.send(raw).is_err() {
                    return;
                }
            }
        });
        scope.spawn(move || {
            // Whatever has been found by now, so that a slow source is answered article by article and a fast one in chunks.
            while let Ok(first) = found.recv() {
                let chunk: Vec<Raw> = once(first).chain(found.try_iter()).take(CHUNK).collect();
                let chunk = pool.install(|| {
                    let raws = chunk.into_par_iter();
                    raws.map(|raw| prepare(raw, model, options)).collect()
                });
                if to_model.send(chunk).is_err() {
                    return;
                }
            }
        });
        for chunk in prepared {
            let mut questions = chunk
                .iter()
                .filter_map(|p| p.outcome.as_ref().ok())
                .flat_map(|ready| ready.claims(claims).iter().map(move |claim| (ready, claim)))
                .peekable();
            let mut verdicts = Vec::new();
            while questions.peek().is_some() {
                // Laid out only now: claims times articles may be many more than a batch.
                let (mut batch, mut cost) = (Vec::new(), 0);
                while cost < options.batch_tokens.max(1) && batch.len() < options.batch_size.max(1)
                {
                    let Some((ready, claim)) = questions.next() else {
                        break;
                    };
                    let pair = ready.tokens.pair(claim, model);
                    cost += pair.cost();
                    batch.push((&ready.tokens, pair));
                }
                let read =
                    || stance::read(&batch, options.batch_tokens, model, options.abstain_below);
                verdicts.extend(pool.install(read)?);
            }
            drop(questions);
            let mut verdicts = verdicts.into_iter();
            for article in chunk {
                totals.articles += 1;
                let records = match article.outcome {
                    Err(error) => {
                        *totals.errors.entry(error.kind).or_default() += 1;
                        vec![Record::error(article.id, error)]
                    }
                    Ok(ready) => ready
                        .claims(claims)
                        .iter()
                        .zip(verdicts.by_ref())
                        .map(|(claim, verdict)| {
                            *totals.stances.entry(verdict.stance).or_default() += 1;
                            Record::answer(
                                ready.source.clone(),
                                claim.text.clone(),
                                verdict,
                                &options.labels,
                                model.manifest().id(),
                            )
                        })
                        .collect(),
                };
                for record in records {
                    sink.write(&record).map_err(Error::Output)?;
                    totals.records += 1;
                }
            }
            sink.flush().map_err(Error::Output)?;
            totals.elapsed = begun.elapsed();
            watch(&totals);
        }
        Ok(())
    })?;
    sink.flush().map_err(Error::Output)?;
    totals.elapsed = begun.elapsed();
    Ok(totals)
}

/// Cleans and tokenises one article. Should that panic on some text, the text has an error and the run goes on.
fn prepare(raw: Raw, model: &Model, options: &Options) -> Prepared {
    let id = raw.id.clone();
    let outcome = catch_unwind(AssertUnwindSafe(|| ready(raw, model, options)));
    let outcome = outcome.unwrap_or_else(|_| {
        let message = "this text made the program itself fail; please report it";
        Err(ArticleError::new(ArticleErrorKind::Malformed, message))
    });
    Prepared { id, outcome }
}

fn ready(raw: Raw, model: &Model, options: &Options) -> std::result::Result<Ready, ArticleError> {
    let article = raw.clean(&options.clean)?;
    let tokens = Tokens::new(&article, model, options.truncate)?;
    let own = match &article.claim {
        Some(claim) => Some(
            Claim::new(claim, model)
                .map_err(|e| ArticleError::new(ArticleErrorKind::Malformed, e.to_string()))?,
        ),
        None => None,
    };
    Ok(Ready {
        source: Source {
            id: article.id,
            title: article.title,
            date: article.date,
            language: article.language,
        },
        tokens,
        own,
    })
}
