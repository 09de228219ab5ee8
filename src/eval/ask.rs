//! Asks the model: each article is read, cleaned and tokenised once for all its claims, and the model reads in the same batches as
//! in a run; [`crate::pipeline::run`] gives the same records for the same claims.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use rayon::prelude::*;

use super::evidence::Hits;
use super::labelled::{Case, Question};
use super::metrics::Item;
use super::summaries::Scores;
use crate::article::{Article, Raw, sentences};
use crate::batch;
use crate::error::{ArticleError, ArticleErrorKind, Error, Result};
use crate::model::Model;
use crate::output::{Record, Sink, Source};
use crate::pipeline::Options;
use crate::stance::{self, Claim, Pair, Tokens, Verdict};
use crate::summary::{self, Summary};

/// Articles at most that are cleaned and tokenised in one go, in parallel.
const CHUNK: usize = 32;
/// Chunks that may wait for the model.
const WAITING: usize = 2;

/// A question with the model's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The article's id.
    pub id: String,
    /// The number of the case: answers with the same one are about one article.
    pub case: usize,
    /// What was asked.
    pub claim: String,
    /// What readers say.
    pub gold: stance::Stance,
    /// What the model says, or why it says nothing.
    pub outcome: std::result::Result<Answered, ArticleError>,
}

/// What the model says.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// Beside the truth.
    pub item: Item,
    /// Windows that the article was read in.
    pub windows: usize,
    /// Whether the answer was left open for its low score.
    pub abstained: bool,
    /// How the summary fares, where one was asked for and a reader wrote one too.
    pub summary: Option<Scores>,
}

/// What came of all cases.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    /// In the order of the questions.
    pub answers: Vec<Answer>,
    /// Ids of articles that could not be read and of which nothing was asked, since their labels could not be read either.
    pub broken: Vec<(String, ArticleError)>,
}

struct Ready {
    source: Source,
    tokens: Tokens,
    claims: Vec<std::result::Result<Claim, ArticleError>>,
    lead: Vec<String>,
}

struct Prepared {
    id: String,
    questions: Vec<Question>,
    ready: std::result::Result<Ready, ArticleError>,
}

/// Asks `model` every question of `cases`, as `options` say but for their claims. Records go to `sink`, the count of answers so
/// far to `watch`.
///
/// # Errors
/// [`Error::Model`] when the device fails, [`Error::Output`] when the sink does.
pub fn ask(
    cases: Vec<Case>,
    model: &Model,
    options: &Options,
    mut sink: Option<&mut dyn Sink>,
    watch: &mut dyn FnMut(usize),
) -> Result<Answers> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .thread_name(|i| format!("tidings-{i}"))
        .build()
        .map_err(|e| Error::Usage(format!("cannot start {} threads: {e}", options.threads)))?;
    let mut found = Answers::default();
    std::thread::scope(|scope| -> Result<()> {
        let (to_model, prepared) = mpsc::sync_channel::<Vec<Prepared>>(WAITING);
        let pool = &pool;
        scope.spawn(move || {
            let mut cases = cases.into_iter();
            loop {
                let chunk: Vec<Case> = cases.by_ref().take(CHUNK).collect();
                let prepare = |case| prepare(case, model, options);
                let chunk: Vec<Prepared> =
                    pool.install(|| chunk.into_par_iter().map(prepare).collect());
                // Whoever hung up failed, and says why itself.
                if chunk.is_empty() || to_model.send(chunk).is_err() {
                    return;
                }
            }
        });
        let mut number = 0;
        for chunk in prepared {
            let mut verdicts = Vec::new();
            let mut pairs = chunk
                .iter()
                .filter_map(|prepared| prepared.ready.as_ref().ok())
                .flat_map(|ready| ready.claims.iter().flatten().map(move |c| (ready, c)))
                .map(|(ready, claim)| (&ready.tokens, ready.tokens.pair(claim, model)));
            let cost = |(_, pair): &(&Tokens, Pair)| pair.cost();
            let (batch_tokens, batch_size) = options.batch(model);
            loop {
                let batch = batch::take(&mut pairs, cost, batch_tokens, batch_size);
                if batch.is_empty() {
                    break;
                }
                let read = || stance::read(&batch, batch_tokens, model, options.abstain_below);
                verdicts.extend(pool.install(read)?);
                watch(found.answers.len() + verdicts.len());
            }
            let said = pool.install(|| summarised(&chunk, verdicts, options))?;
            let mut said = said.into_iter();
            for prepared in chunk {
                for record in answers(prepared, number, &mut said, &mut found, model, options) {
                    if let Some(sink) = &mut sink {
                        sink.write(&record).map_err(Error::Output)?;
                    }
                }
                number += 1;
            }
        }
        Ok(())
    })?;
    if let Some(sink) = sink {
        sink.flush().map_err(Error::Output)?;
    }
    Ok(found)
}

/// The verdicts of a chunk, each with its summary if summaries are asked for.
fn summarised(
    chunk: &[Prepared],
    verdicts: Vec<Verdict>,
    options: &Options,
) -> Result<Vec<(Verdict, Option<Summary>)>> {
    let Some(limits) = options.summary else {
        return Ok(verdicts
            .into_iter()
            .map(|verdict| (verdict, None))
            .collect());
    };
    let asked = chunk
        .iter()
        .filter_map(|prepared| Some((prepared, prepared.ready.as_ref().ok()?)));
    let asked = asked.flat_map(|(prepared, ready)| {
        let claims = prepared.questions.iter().zip(&ready.claims);
        claims
            .filter(|(_, claim)| claim.is_ok())
            .map(|(question, _)| (&ready.tokens, &question.claim))
    });
    let summaries = asked.zip(&verdicts);
    let mut summaries: Vec<Summary> = summaries
        .map(|((tokens, claim), verdict)| summary::answer(tokens, claim, verdict, limits))
        .collect();
    if let Some(rewriter) = &options.rewriter {
        summary::rewrite(&mut summaries.iter_mut().collect::<Vec<_>>(), rewriter)?;
    }
    Ok(verdicts
        .into_iter()
        .zip(summaries.into_iter().map(Some))
        .collect())
}

/// The answers of one article into `found`; their records back.
fn answers(
    prepared: Prepared,
    case: usize,
    said: &mut impl Iterator<Item = (Verdict, Option<Summary>)>,
    found: &mut Answers,
    model: &Model,
    options: &Options,
) -> Vec<Record> {
    let Prepared {
        id,
        questions,
        ready,
    } = prepared;
    let ready = match ready {
        Ok(ready) => ready,
        Err(error) => {
            if questions.is_empty() {
                found.broken.push((id.clone(), error.clone()));
            }
            found.answers.extend(questions.into_iter().map(|q| Answer {
                id: id.clone(),
                case,
                claim: q.claim,
                gold: q.gold,
                outcome: Err(error.clone()),
            }));
            return vec![Record::error(id, error)];
        }
    };
    let mut records = Vec::new();
    for (question, claim) in questions.into_iter().zip(ready.claims) {
        let said = claim.and_then(|_| {
            said.next().ok_or_else(|| {
                ArticleError::new(ArticleErrorKind::Malformed, "the model gave no answer")
            })
        });
        let (verdict, summary) = match said {
            Ok((verdict, summary)) => (Ok(verdict), summary),
            Err(error) => (Err(error), None),
        };
        let outcome = match &verdict {
            Err(error) => Err(error.clone()),
            Ok(verdict) => Ok(Answered {
                item: item(&question, verdict, &ready.lead),
                windows: verdict.windows,
                abstained: verdict.abstained,
                summary: summary
                    .as_ref()
                    .and_then(|summary| Scores::new(summary, &question, &ready.tokens)),
            }),
        };
        let record = match verdict {
            Err(error) => Record::error(id.clone(), error),
            Ok(verdict) => Record::answer(
                ready.source.clone(),
                question.claim.clone(),
                verdict,
                &options.labels,
                model.manifest().id(),
            ),
        };
        records.push(match summary {
            Some(summary) => record.with_summary(summary),
            None => record,
        });
        found.answers.push(Answer {
            id: id.clone(),
            case,
            claim: question.claim,
            gold: question.gold,
            outcome,
        });
    }
    records
}

fn item(question: &Question, verdict: &Verdict, lead: &[String]) -> Item {
    let shown = verdict.evidence.iter().map(|e| &e.text[..]);
    Item {
        gold: question.gold,
        said: verdict.stance,
        scores: verdict.scores.map(f64::from),
        evidence: match &question.evidence[..] {
            [] => None,
            marked => Some(Hits::new(marked, shown, lead)),
        },
    }
}

/// Cleans and tokenises an article and its claims. Should that panic on some text, the text has an error and the others go on.
fn prepare(case: Case, model: &Model, options: &Options) -> Prepared {
    let Case { raw, questions } = case;
    let id = raw.id.clone();
    let ready = catch_unwind(AssertUnwindSafe(|| ready(raw, &questions, model, options)));
    let ready = ready.unwrap_or_else(|_| {
        let message = "this text made the program itself fail; please report it";
        Err(ArticleError::new(ArticleErrorKind::Malformed, message))
    });
    Prepared {
        id,
        questions,
        ready,
    }
}

fn ready(
    raw: Raw,
    questions: &[Question],
    model: &Model,
    options: &Options,
) -> std::result::Result<Ready, ArticleError> {
    let article = raw.clean(&options.clean)?;
    let tokens = Tokens::new(&article, model, options.truncate)?;
    let claims = questions.iter().map(|question| {
        Claim::new(&question.claim, model)
            .map_err(|e| ArticleError::new(ArticleErrorKind::Malformed, e.to_string()))
    });
    Ok(Ready {
        claims: claims.collect(),
        lead: lead(&article),
        tokens,
        source: article.into(),
    })
}

/// The body's first two sentences.
fn lead(article: &Article) -> Vec<String> {
    let first = sentences::split(&article.body).into_iter().take(2);
    first.map(|at| article.body[at].to_owned()).collect()
}
