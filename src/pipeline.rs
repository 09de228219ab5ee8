//! Reader → clean and tokenise → model → writer: four stages that overlap, joined by bounded channels, in input order throughout.
//!
//! Nothing grows with the input: a full channel, or a full budget of bytes on their way (`budget.rs`), makes the stage before it wait,
//! back to the reader. All computing happens in one pool of [`Options::threads`] threads: candle and the kernels find it because they
//! run inside it. Beside a GPU there are two such pools, so that its batches do not wait in line behind articles that are being cleaned,
//! and two threads that ask the model, chunk by chunk in turn: while it computes for one, the other lays out what is next. An article
//! that an earlier run has answered (the sink knows) passes through uncleaned and unread, so that the sink can see that it is the same.

mod budget;
mod options;
mod write;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rayon::ThreadPool;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

pub use self::options::{Options, Totals};

use self::budget::{Budget, Permit, cost, lock};
use self::write::write;
use crate::article::{Content, Fields, Raw};
use crate::batch;
use crate::error::{ArticleError, ArticleErrorKind, Error, Result};
use crate::model::Model;
use crate::output::{Sink, Source};
use crate::stance::{self, Claim, Pair, Tokens, Verdict};
use crate::summary::{self, Summary};

/// Articles at most that are cleaned and tokenised in one go, in parallel.
const CHUNK: usize = 32;
/// The same where a GPU reads them: a batch is never of two chunks, and a GPU's are large.
const GPU_CHUNK: usize = 1024;
/// Threads that ask a GPU, of which one at a time has it.
const GPU_ASKERS: usize = 2;
/// Chunks that may wait for the model, and batches that may wait for the writer.
const WAITING: usize = 2;
/// Articles over this many bytes are cleaned one at a time: cleaning takes many times the text's size.
const LARGE: usize = 256 << 10;
/// How soon a run notices that it is to stop while it waits for input.
const TICK: Duration = Duration::from_millis(50);

/// An article as the reader gives it.
struct Found {
    raw: Raw,
    /// An earlier run has answered it.
    passed: bool,
    permit: Permit,
}

/// An article on its way to the model.
struct Prepared {
    id: String,
    digest: [u8; 32],
    own_claim: bool,
    file: u64,
    ends_file: bool,
    fields: Option<Fields>,
    outcome: Outcome,
    permit: Permit,
}

enum Outcome {
    Passed,
    Failed(ArticleError),
    Ready(Box<Ready>),
}

struct Ready {
    source: Source,
    tokens: Tokens,
    /// The record's own claim; without it the run's are asked.
    own: Option<Claim>,
}

impl Prepared {
    /// Bytes that stay until its records are written, about.
    fn kept(&self) -> usize {
        let size = |part: &Option<String>| part.as_ref().map_or(0, String::len);
        let source = match &self.outcome {
            Outcome::Ready(ready) => size(&ready.source.title) + size(&ready.source.date),
            _ => 0,
        };
        self.id.len() + self.fields.as_ref().map_or(0, |fields| fields.0.len()) + source
    }

    /// The claims that the model is asked.
    fn claims<'a>(&'a self, asked: &'a [Claim]) -> &'a [Claim] {
        match &self.outcome {
            Outcome::Ready(ready) => ready.own.as_ref().map_or(asked, std::slice::from_ref),
            _ => &[],
        }
    }
}

/// Answers every article of `raws` into `sink`, in order; `watch` hears the totals after each batch.
///
/// `raws` are read on a thread of their own, which is left behind when it waits for input that nobody needs any more.
///
/// # Errors
/// [`Error::Model`] when the device fails, [`Error::Output`] when the sink does, [`Error::Usage`] when the sink continues another
/// run of other articles. An article never ends the run.
pub fn run(
    raws: impl Iterator<Item = Raw> + Send + 'static,
    model: &Model,
    options: &Options,
    sink: &mut dyn Sink,
    watch: &mut dyn FnMut(&Totals),
) -> Result<Totals> {
    let (chunk, askers) = match model.gpu() {
        Some(_) => (GPU_CHUNK, GPU_ASKERS),
        None => (CHUNK, 1),
    };
    run_in_turns(raws, model, options, sink, watch, (chunk, askers))
}

/// The same in chunks of so many articles, asked by so many threads in turn.
fn run_in_turns(
    raws: impl Iterator<Item = Raw> + Send + 'static,
    model: &Model,
    options: &Options,
    sink: &mut dyn Sink,
    watch: &mut dyn FnMut(&Totals),
    (chunk, askers): (usize, usize),
) -> Result<Totals> {
    let begun = Instant::now();
    let pool = || {
        rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads)
            .thread_name(|i| format!("tidings-{i}"))
            .build()
            .map_err(|e| Error::Usage(format!("cannot start {} threads: {e}", options.threads)))
    };
    let beside_gpu = model.gpu().map(|_| pool()).transpose()?;
    let pool = pool()?;
    let claims = options
        .claims
        .iter()
        .map(|c| Claim::new(c, model))
        .collect::<Result<Vec<_>>>()?;
    let stage = Stage {
        model,
        options,
        pool: &pool,
        answering: beside_gpu.as_ref().unwrap_or(&pool),
        chunk,
        claims: &claims,
        large: Mutex::default(),
        over: AtomicBool::default(),
    };
    let mut totals = Totals::default();

    let (to_prepare, found) = sync_channel(chunk);
    let (to_model, prepared): (Vec<_>, Vec<_>) = (0..askers).map(|_| sync_channel(WAITING)).unzip();
    let (to_writer, answered): (Vec<_>, Vec<_>) =
        (0..askers).map(|_| sync_channel(WAITING)).unzip();
    let passed = sink.passed();
    let reader = thread::spawn(move || find(raws, passed, &to_prepare));
    let whole = thread::scope(|scope| -> Result<bool> {
        // A stage whose receiver hung up stops: something after it failed, and says why itself.
        let stage = &stage;
        let preparing = scope.spawn(move || stage.prepare(found, to_model, reader));
        let askers = prepared.into_iter().zip(to_writer);
        let answering: Vec<_> = askers
            .map(|(prepared, to_writer)| scope.spawn(move || stage.answer(prepared, to_writer)))
            .collect();
        let mut told = |totals: &mut Totals| {
            totals.elapsed = begun.elapsed();
            watch(totals);
        };
        let written = write(answered, stage, sink, &mut told, &mut totals);
        stage.over.store(true, Ordering::Relaxed);
        let failed = |_| {
            Err(Error::Model(
                "the program itself failed; please report it".to_owned(),
            ))
        };
        let answered: Vec<_> = answering
            .into_iter()
            .map(|asker| asker.join().unwrap_or_else(failed))
            .collect();
        let prepared = preparing.join().unwrap_or_else(failed);
        written?;
        let answered: Vec<bool> = answered.into_iter().collect::<Result<_>>()?;
        Ok(answered.into_iter().all(|whole| whole) && prepared?)
    })?;
    totals.elapsed = begun.elapsed();
    totals.stopped = !whole;
    Ok(totals)
}

/// Stage 1, on a thread of its own: finds articles until the next stage wants no more.
fn find(
    mut raws: impl Iterator<Item = Raw>,
    mut passed: impl FnMut(&Raw) -> bool,
    to_prepare: &SyncSender<Found>,
) {
    let budget = Arc::new(Budget::default());
    loop {
        budget.wait();
        let Some(raw) = raws.next() else { return };
        let permit = Permit::new(&budget, cost(&raw));
        let passed = passed(&raw);
        let found = Found {
            raw,
            passed,
            permit,
        };
        if to_prepare.send(found).is_err() {
            return;
        }
    }
}

/// What the middle stages share.
struct Stage<'a> {
    model: &'a Model,
    options: &'a Options,
    /// Cleans and tokenises.
    pool: &'a ThreadPool,
    /// Reads, or finishes what a GPU has read.
    answering: &'a ThreadPool,
    /// Articles at most that are cleaned and tokenised in one go.
    chunk: usize,
    claims: &'a [Claim],
    /// Held while a large article is cleaned.
    large: Mutex<()>,
    /// The writer has ended.
    over: AtomicBool,
}

/// The articles of one batch, with what is said of each. To the writer goes `None` after the last of a chunk.
type Answered = Vec<(Prepared, Vec<Said>)>;

/// The answer to one claim, with a summary if one was asked for.
type Said = (Verdict, Option<Summary>);

impl Stage<'_> {
    fn stopped(&self) -> bool {
        self.options.stop.load(Ordering::Relaxed) || self.over.load(Ordering::Relaxed)
    }

    /// Stage 2: cleans and tokenises whatever has been found by now, so that a slow source is answered article by article and a
    /// fast one in chunks. Whether it came to the end.
    fn prepare(
        &self,
        found: Receiver<Found>,
        to_model: Vec<SyncSender<Vec<Prepared>>>,
        reader: thread::JoinHandle<()>,
    ) -> Result<bool> {
        for to_model in to_model.iter().cycle() {
            let first = match found.recv_timeout(TICK) {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) if !self.stopped() => continue,
                Err(RecvTimeoutError::Timeout) => return Ok(false),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let until = Instant::now() + self.options.max_latency;
            let mut chunk = vec![first];
            while chunk.len() < self.chunk {
                let left = until.saturating_duration_since(Instant::now());
                match found.recv_timeout(left.min(TICK)) {
                    Ok(next) => chunk.push(next),
                    Err(RecvTimeoutError::Timeout) if left > TICK && !self.stopped() => {}
                    Err(_) => break,
                }
            }
            let chunk = self.pool.install(|| {
                let found = chunk.into_par_iter();
                found.map(|found| self.prepare_one(found)).collect()
            });
            if self.stopped() || to_model.send(chunk).is_err() {
                return Ok(false);
            }
        }
        // The reader has hung up: at the end of the input, unless it broke on it.
        let failed = "reading the input made the program itself fail; please report it";
        reader
            .join()
            .map(|()| true)
            .map_err(|_| Error::Model(failed.to_owned()))
    }

    /// Cleans and tokenises one article. Should that panic on some text, the text has an error and the run goes on.
    fn prepare_one(&self, found: Found) -> Prepared {
        let Found {
            mut raw,
            passed,
            permit,
        } = found;
        let (id, digest, own_claim) = (raw.id.clone(), digest(&raw), raw.claim.is_some());
        let (file, ends_file) = (raw.file, raw.ends_file);
        let fields = raw.fields.take();
        let outcome = if passed {
            Outcome::Passed
        } else {
            let _alone = (cost(&raw) > LARGE).then(|| lock(&self.large));
            match catch_unwind(AssertUnwindSafe(|| self.ready(raw))) {
                Ok(Ok(ready)) => Outcome::Ready(Box::new(ready)),
                Ok(Err(error)) => Outcome::Failed(error),
                Err(_) => Outcome::Failed(ArticleError::new(
                    ArticleErrorKind::Malformed,
                    "this text made the program itself fail; please report it",
                )),
            }
        };
        let mut prepared = Prepared {
            id,
            digest,
            own_claim,
            file,
            ends_file,
            fields,
            outcome,
            permit,
        };
        let text = match &prepared.outcome {
            Outcome::Ready(ready) => ready.tokens.size(),
            _ => 0,
        };
        let kept = prepared.kept();
        prepared.permit.shrink(text + kept);
        prepared
    }

    fn ready(&self, raw: Raw) -> std::result::Result<Ready, ArticleError> {
        let article = raw.clean(&self.options.clean)?;
        let tokens = Tokens::new(&article, self.model, self.options.truncate)?;
        let own = Claim::own(&article, self.model)?;
        Ok(Ready {
            source: article.into(),
            tokens,
            own,
        })
    }

    /// Stage 3: asks the model, batch by batch, and hands on each article as soon as all its claims are answered. Whether it came
    /// to the end.
    fn answer(
        &self,
        prepared: Receiver<Vec<Prepared>>,
        to_writer: SyncSender<Option<Answered>>,
    ) -> Result<bool> {
        for chunk in prepared {
            let asked: Vec<usize> = chunk.iter().map(|p| p.claims(self.claims).len()).collect();
            let questions: Vec<(usize, usize)> = (0..)
                .zip(&asked)
                .flat_map(|(article, &claims)| (0..claims).map(move |claim| (article, claim)))
                .collect();
            let mut chunk: VecDeque<Prepared> = chunk.into();
            let mut asked: VecDeque<usize> = asked.into();
            let mut verdicts: VecDeque<Verdict> = VecDeque::new();
            let (mut next, mut sent) = (0, 0);
            loop {
                let mut answered = Answered::new();
                while let Some(&claims) = asked.front()
                    && claims <= verdicts.len()
                    && let Some(mut article) = chunk.pop_front()
                {
                    asked.pop_front();
                    let kept = article.kept();
                    article.permit.shrink(kept);
                    let verdicts = verdicts.drain(..claims);
                    answered.push((article, verdicts.map(|verdict| (verdict, None)).collect()));
                }
                self.answering.install(|| self.summarise(&mut answered))?;
                sent += answered.len();
                if !answered.is_empty() && to_writer.send(Some(answered)).is_err() {
                    return Ok(false);
                }
                if chunk.is_empty() {
                    if to_writer.send(None).is_err() {
                        return Ok(false);
                    }
                    break;
                }
                if self.stopped() {
                    return Ok(false);
                }
                // Laid out only now: claims times articles may be many more than a batch.
                let mut pairs = std::iter::from_fn(|| {
                    let &(article, claim) = questions.get(next)?;
                    next += 1;
                    let article = chunk.get(article - sent)?;
                    let Outcome::Ready(ready) = &article.outcome else {
                        return None;
                    };
                    let claim = article.claims(self.claims).get(claim)?;
                    Some((&ready.tokens, ready.tokens.pair(claim, self.model)))
                });
                let (batch_tokens, batch_size) = self.options.batch(self.model);
                let abstain_below = self.options.abstain_below;
                let cost = |(_, pair): &(&Tokens, Pair)| pair.cost();
                let batch = batch::take(&mut pairs, cost, batch_tokens, batch_size);
                let read = || stance::read(&batch, batch_tokens, self.model, abstain_below);
                verdicts.extend(self.answering.install(read)?);
            }
        }
        Ok(true)
    }
}

impl Stage<'_> {
    /// Adds the summaries that were asked for, all that are rewritten in one go.
    fn summarise(&self, answered: &mut Answered) -> Result<()> {
        let Some(limits) = self.options.summary else {
            return Ok(());
        };
        for (article, said) in answered.iter_mut() {
            let claims = article.claims(self.claims);
            let Outcome::Ready(ready) = &article.outcome else {
                continue;
            };
            for (claim, (verdict, summary)) in claims.iter().zip(said) {
                *summary = Some(summary::answer(&ready.tokens, &claim.text, verdict, limits));
            }
        }
        let said = answered.iter_mut().flat_map(|(_, said)| said);
        let mut summaries: Vec<&mut Summary> =
            said.filter_map(|(_, summary)| summary.as_mut()).collect();
        match &self.options.rewriter {
            Some(rewriter) => summary::rewrite(&mut summaries, rewriter),
            None => Ok(()),
        }
    }
}

/// What tells one article from another: everything of it that was found.
fn digest(raw: &Raw) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |kind: u8, part: Option<&str>| {
        let part = part.unwrap_or_default();
        hash.update([kind]);
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(b'i', Some(&raw.id));
    add(b't', raw.title.as_deref());
    add(b'd', raw.date.as_deref());
    add(b'c', raw.claim.as_deref());
    add(b'f', raw.fields.as_ref().map(|fields| fields.0.as_str()));
    match &raw.content {
        Ok(Content::Text(text)) => add(b'T', Some(text)),
        Ok(Content::Html(page)) => add(b'H', Some(page)),
        Err(_) => add(b'E', None),
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::article::read::{ReadOptions, Reader, Source};
    use crate::model::{Device, Engine, Files};
    use crate::output::JsonLines;

    /// The records of `articles`, in chunks of seven asked by so many threads; from the article number `stop` on the run is to stop.
    fn records(articles: usize, askers: usize, stop: usize) -> (Totals, Vec<u8>) {
        let line = |i| {
            format!("{{\"id\":\"{i}\",\"text\":\"Talks number {i} are to open on Monday.\"}}\n")
        };
        let lines: String = (0..articles).map(line).collect();
        let input = Box::new(std::io::Cursor::new(lines.into_bytes()));
        let raws = Reader::with_stdin(vec![Source::Stdin], ReadOptions::default(), input);
        let files = Files::open("stance-en-small").unwrap();
        let model = Model::load(&files, Device::Cpu, Engine::Fake).unwrap();
        let options = Options {
            batch_size: 3,
            threads: 2,
            ..Options::default()
        };
        let mut out = Vec::new();
        let mut watch = |totals: &Totals| {
            if totals.articles >= stop {
                options.stop.store(true, Ordering::Relaxed);
            }
        };
        let mut sink = JsonLines(&mut out);
        let totals = run_in_turns(raws, &model, &options, &mut sink, &mut watch, (7, askers));
        (totals.unwrap(), out)
    }

    #[test]
    fn two_that_ask_in_turn_give_the_records_in_order() {
        for articles in [1, 7, 8, 14, 100] {
            let (totals, alone) = records(articles, 1, usize::MAX);
            let (both, together) = records(articles, 2, usize::MAX);
            assert_eq!(together, alone);
            assert_eq!((both.articles, both.stopped), (totals.articles, false));
            assert_eq!(both.articles, articles);
        }
    }

    #[test]
    fn a_run_that_stops_has_a_prefix_of_the_records() {
        let (_, whole) = records(400, 1, usize::MAX);
        for stop in [1, 5, 20, 33] {
            let (totals, part) = records(400, 2, stop);
            assert!(totals.stopped && totals.articles >= stop);
            assert!(whole.starts_with(&part) && part.ends_with(b"\n"));
        }
    }
}
