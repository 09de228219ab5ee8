//! One way of computing, measured in a process of its own: it is loaded there, and times what it is asked to.
//!
//! A pass over the texts is timed in two ways. [`Worker::whole`] is a run like any other, [`crate::run`] from reading to records with
//! its stages overlapped: what a user waits for. [`Worker::stages`] does the same work one stage after the other, each over all
//! articles before the next begins: where the time goes, and, in its stage `encode`, the model without reading and tokenising.

use std::io;
use std::time::{Duration, Instant};

use rayon::ThreadPool;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::machine::{Meter, Timed};
use super::texts::Texts;
use crate::article::{Article, Raw};
use crate::batch;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::output::{JsonLines, Record, Sink, Source};
use crate::pipeline::{self, Options};
use crate::stance::{self, Claim, Pair, Tokens, Verdict};

/// What a pass reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Size {
    /// Articles, those that cannot be read included.
    pub articles: usize,
    /// Articles that cannot be read: they cost little, and are in no figure apart.
    pub failed: usize,
    /// Windows that the encoder reads.
    pub windows: usize,
    /// Tokens that the encoder reads: of every window, claim and special tokens included, and no padding.
    pub tokens: usize,
}

/// Seconds of each stage over all articles; what a peer does not do, or does not tell apart, is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Stages {
    /// From files to decoded text.
    #[serde(default)]
    pub read: Option<f64>,
    /// To the article without the page around it.
    #[serde(default)]
    pub clean: Option<f64>,
    /// Sentences, token ids, windows.
    #[serde(default)]
    pub tokenise: Option<f64>,
    /// Encoder and heads.
    #[serde(default)]
    pub encode: Option<f64>,
    /// Records as JSON Lines.
    #[serde(default)]
    pub write: Option<f64>,
}

impl Stages {
    /// Names of the stages, in order.
    pub const NAMES: [&str; 5] = ["read", "clean", "tokenise", "encode", "write"];

    /// Their seconds, in the order of [`Stages::NAMES`].
    pub fn seconds(&self) -> [Option<f64>; 5] {
        [
            self.read,
            self.clean,
            self.tokenise,
            self.encode,
            self.write,
        ]
    }
}

/// A loaded model with the texts that it reads.
pub struct Worker {
    model: Model,
    texts: Texts,
    options: Options,
    claims: Vec<Claim>,
    pool: ThreadPool,
    /// Share of its time by which every pass is made longer, for trials of the instrument.
    slowed: f64,
    size: Size,
}

/// An article ready for the encoder.
struct Prepared {
    source: Source,
    tokens: Tokens,
    pairs: Vec<Pair>,
}

impl Worker {
    /// Makes ready to read `texts` with `model` as `options` say. Every pass lasts longer by the share `slowed` (0: not at all).
    ///
    /// # Errors
    /// [`Error::Usage`] when a claim is none, or no article can be read.
    pub fn new(model: Model, texts: Texts, options: Options, slowed: f64) -> Result<Self> {
        let claims = options
            .claims
            .iter()
            .map(|claim| Claim::new(claim, &model))
            .collect::<Result<_>>()?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads)
            .build()
            .map_err(|e| Error::Usage(format!("cannot start {} threads: {e}", options.threads)))?;
        let mut worker = Self {
            model,
            texts,
            options,
            claims,
            pool,
            slowed,
            size: Size::default(),
        };
        for raw in worker.texts.articles() {
            worker.size.articles += 1;
            match worker.prepare(raw) {
                Some(prepared) => {
                    for pair in prepared.pairs {
                        worker.size.windows += pair.windows().len();
                        worker.size.tokens += pair.cost();
                    }
                }
                None => worker.size.failed += 1,
            }
        }
        if worker.size.failed == worker.size.articles {
            return Err(Error::Usage(
                "none of the articles can be read (`tidings extract` says why)".to_owned(),
            ));
        }
        Ok(worker)
    }

    /// What a pass reads.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Threads that it computes with.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// The texts.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// Token ids of every window of a pass, with the length of the first segment: what a peer reads.
    pub fn windows(&self) -> Vec<(Vec<u32>, usize)> {
        let prepared = self.texts.articles().filter_map(|raw| self.prepare(raw));
        prepared
            .flat_map(|prepared| prepared.pairs)
            .flat_map(|pair| pair.windows().to_vec())
            .map(|window| (window.ids, window.first))
            .collect()
    }

    /// Times a run, from reading to records.
    ///
    /// # Errors
    /// As [`pipeline::run`].
    pub fn whole(&self) -> Result<Timed> {
        let meter = Meter::start();
        let mut sink = JsonLines(io::sink());
        let articles = self.texts.articles();
        pipeline::run(articles, &self.model, &self.options, &mut sink, &mut |_| ())?;
        Ok(meter.stop(self.slowed))
    }

    /// Times each stage over all articles, apart.
    ///
    /// # Errors
    /// [`Error::Model`] when the device fails.
    pub fn stages(&self) -> Result<Stages> {
        let mut lap = Lap::new(self.slowed);
        let raws: Vec<Raw> = self.texts.articles().collect();
        let read = lap.next();
        let clean = |raw: Raw| raw.clean(&self.options.clean).ok();
        let articles: Vec<Article> = self
            .pool
            .install(|| raws.into_par_iter().filter_map(clean).collect());
        let clean = lap.next();
        let prepared: Vec<Prepared> = self.pool.install(|| {
            let articles = articles.into_par_iter();
            articles
                .filter_map(|article| self.lay_out(article))
                .collect()
        });
        let tokenise = lap.next();
        let verdicts = self.encode(&prepared)?;
        let encode = lap.next();
        let mut records = Vec::new();
        self.write(&prepared, verdicts, &mut records)?;
        std::hint::black_box(records);
        let write = lap.next();
        Ok(Stages {
            read: Some(read),
            clean: Some(clean),
            tokenise: Some(tokenise),
            encode: Some(encode),
            write: Some(write),
        })
    }

    /// Seconds from text to record of `count` articles, one at a time; they go around, beginning with the article number `first`.
    ///
    /// # Errors
    /// [`Error::Model`] when the device fails.
    pub fn latency(&self, first: usize, count: usize) -> Result<Vec<f64>> {
        let mut raws: Vec<Raw> = self.texts.articles().collect();
        let from = first % raws.len().max(1);
        raws.rotate_left(from);
        let mut seconds = Vec::with_capacity(count);
        for raw in raws.iter().cycle() {
            if seconds.len() >= count {
                break;
            }
            let raw = raw.clone();
            let mut lap = Lap::new(self.slowed);
            // The first article that cannot be read costs nothing, and there is one that can.
            let Some(prepared) = self.pool.install(|| self.prepare(raw)) else {
                continue;
            };
            let prepared = [prepared];
            let verdicts = self.encode(&prepared)?;
            let mut record = Vec::new();
            self.write(&prepared, verdicts, &mut record)?;
            seconds.push(lap.next());
        }
        Ok(seconds)
    }

    fn prepare(&self, raw: Raw) -> Option<Prepared> {
        self.lay_out(raw.clean(&self.options.clean).ok()?)
    }

    fn lay_out(&self, article: Article) -> Option<Prepared> {
        let tokens = Tokens::new(&article, &self.model, self.options.truncate).ok()?;
        let pairs = self.claims.iter();
        Some(Prepared {
            pairs: pairs.map(|claim| tokens.pair(claim, &self.model)).collect(),
            tokens,
            source: article.into(),
        })
    }

    /// The verdicts on every article and claim, in batches as in a run.
    fn encode(&self, prepared: &[Prepared]) -> Result<Vec<Verdict>> {
        let (batch_tokens, batch_size) = self.options.batch(&self.model);
        let abstain_below = self.options.abstain_below;
        let mut pairs = prepared
            .iter()
            .flat_map(|p| p.pairs.iter().map(|pair| (&p.tokens, pair.clone())));
        let cost = |(_, pair): &(&Tokens, Pair)| pair.cost();
        let mut verdicts = Vec::new();
        loop {
            let batch = batch::take(&mut pairs, cost, batch_tokens, batch_size);
            if batch.is_empty() {
                return Ok(verdicts);
            }
            let read = || stance::read(&batch, batch_tokens, &self.model, abstain_below);
            verdicts.extend(self.pool.install(read)?);
        }
    }

    fn write(
        &self,
        prepared: &[Prepared],
        verdicts: Vec<Verdict>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let mut sink = JsonLines(out);
        let asked = prepared
            .iter()
            .flat_map(|p| self.claims.iter().map(move |claim| (&p.source, claim)));
        for ((source, claim), verdict) in asked.zip(verdicts) {
            let record = Record::answer(
                source.clone(),
                claim.text.clone(),
                verdict,
                &self.options.labels,
                self.model.manifest().id(),
            );
            sink.write(&record).map_err(Error::Output)?;
        }
        Ok(())
    }
}

/// A stopwatch with laps.
struct Lap {
    since: Instant,
    slowed: f64,
}

impl Lap {
    fn new(slowed: f64) -> Self {
        Self {
            since: Instant::now(),
            slowed,
        }
    }

    /// Seconds since the last lap.
    fn next(&mut self) -> f64 {
        let until: Duration = self.since.elapsed().mul_f64(1.0 + self.slowed);
        while self.since.elapsed() < until {
            std::hint::spin_loop();
        }
        let seconds = self.since.elapsed().as_secs_f64();
        self.since = Instant::now();
        seconds
    }
}
