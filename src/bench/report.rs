//! A run as a document: what was measured, on what, every sample, and the figures that are made of them.

use serde::{Deserialize, Serialize};

use super::compare::Comparison;
use super::conduct::{Plan, Round, Samples};
use super::machine::Machine;
use super::roofline::{Peaks, Work};
use super::statistics::{Percentiles, Summary, median};
use super::subject::{Ready, Setup};
use super::worker::{Size, Stages};
use crate::eval::Estimate;

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this format: 1.
    pub schema: u32,
    /// The program that measured, and that was measured unless a subject is a peer.
    pub program: Program,
    /// Seconds since 1970 when the run began.
    pub began: u64,
    /// The machine.
    pub machine: Machine,
    /// How much was measured.
    pub plan: Plan,
    /// What was measured, in the order of the request.
    pub subjects: Vec<Measured>,
    /// Of interleaved subjects, each beside the first.
    #[serde(default)]
    pub ratios: Vec<Ratio>,
    /// Beside an earlier run.
    #[serde(default)]
    pub baseline: Option<Comparison>,
}

impl Report {
    /// The GPUs that subjects compute on, each once.
    pub fn gpus(&self) -> Vec<&str> {
        let all = self
            .subjects
            .iter()
            .filter_map(|s| s.settings.gpu.as_deref());
        all.fold(Vec::new(), |mut found, gpu| {
            if !found.contains(&gpu) {
                found.push(gpu);
            }
            found
        })
    }
}

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Version of the package.
    pub version: String,
    /// Commit that was built, or why it is not known.
    pub commit: String,
}

impl Program {
    /// This one.
    pub fn this() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: env!("TIDINGS_COMMIT").to_owned(),
        }
    }
}

/// What must be alike for two results to be compared, but for the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What is done with an article.
    pub task: String,
    /// Name of the model, with version or checksum; of a peer, what it calls itself.
    pub name: String,
    /// SHA-256 of the weights.
    pub weights: Option<String>,
    /// The GPU that it computes on, and in what numbers; none is the CPU.
    #[serde(default)]
    pub gpu: Option<String>,
    /// The cell of the grid.
    #[serde(flatten)]
    pub setup: Setup,
    /// The claims that are asked.
    pub claims: Vec<String>,
    /// `own`, or the paths as given.
    pub texts: Vec<String>,
    /// SHA-256 of the texts.
    pub texts_sha256: Option<String>,
    /// What a pass reads.
    #[serde(flatten)]
    pub size: Size,
}

/// A subject's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Settings.
    pub settings: Settings,
    /// What a pass computes at least.
    pub work: Option<Work>,
    /// The figures.
    pub figures: Figures,
    /// Every sample, by process.
    pub samples: Vec<Samples>,
}

impl Measured {
    /// The result of a subject that said `ready` of itself.
    pub fn new(settings: Settings, ready: &Ready, samples: Vec<Samples>, seed: u64) -> Self {
        Self {
            figures: Figures::new(&settings.size, ready.work, &samples, seed),
            settings,
            work: ready.work,
            samples,
        }
    }

    /// Articles a second of each whole pass, by process.
    pub fn whole_rates(&self) -> Vec<Vec<f64>> {
        rates(self.settings.size.articles, &self.samples, &|round| {
            Some(round.whole.seconds)
        })
    }

    /// Articles a second of a process in which every article, each alone, takes the median of its times: one figure for each process. Other
    /// work comes in bursts that are shorter than a pass, so that these medians move less than those of passes.
    pub fn alone_rates(&self) -> Vec<Vec<f64>> {
        let one = |s: &Samples| {
            let alone: Vec<&Vec<f64>> = s.rounds.iter().map(|round| &round.alone).collect();
            let articles = alone.iter().map(|times| times.len()).min().unwrap_or(0);
            let typical = |i| median(alone.iter().map(|times: &&Vec<f64>| &times[i]));
            let seconds: f64 = (0..articles).filter_map(typical).sum();
            let rate = (articles > 0).then(|| articles as f64 / seconds.max(1e-9));
            rate.into_iter().collect()
        };
        self.samples.iter().map(one).collect()
    }

    /// Articles a second of the encoder alone in each pass by stages, by process.
    pub fn encode_rates(&self) -> Vec<Vec<f64>> {
        rates(self.settings.size.articles, &self.samples, &|round| {
            round.stages.encode
        })
    }
}

fn rates(
    count: usize,
    samples: &[Samples],
    seconds: &dyn Fn(&Round) -> Option<f64>,
) -> Vec<Vec<f64>> {
    let rate = |round| Some(count as f64 / seconds(round)?.max(1e-9));
    samples
        .iter()
        .map(|s| s.rounds.iter().filter_map(rate).collect())
        .collect()
}

/// The figures of a subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Articles a second, from reading to records.
    pub articles: Option<Summary>,
    /// Tokens a second, likewise.
    pub tokens: Option<Summary>,
    /// Articles a second of the model alone, without reading, cleaning and tokenising.
    pub encode_articles: Option<Summary>,
    /// Tokens a second, likewise.
    pub encode_tokens: Option<Summary>,
    /// Seconds from text to record of one article alone.
    pub latency: Option<Percentiles>,
    /// Seconds that loading takes.
    pub load: Option<Summary>,
    /// Seconds from the start of the program to its first record.
    pub first_record: Option<Summary>,
    /// The most memory, in bytes.
    pub memory: Option<Summary>,
    /// Median milliseconds an article of each stage, in the order of [`Stages::NAMES`].
    pub stages: [Option<f64>; 5],
    /// Where the encoder is under the roofline.
    pub roofline: Option<Roofline>,
    /// Median share of the machine's processors that others had during whole passes.
    pub others: Option<f64>,
    /// Processes whose warm-up did not become steady.
    pub unsteady: usize,
}

/// The encoder beside what the machine could do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Roofline {
    /// Seconds of the work at the peaks, over the seconds that encoding took.
    pub share: f64,
    /// Operations a second that it computed.
    pub operations: f64,
    /// The peaks: the best of all processes.
    pub peaks: Peaks,
}

impl Figures {
    fn new(size: &Size, work: Option<Work>, samples: &[Samples], seed: u64) -> Self {
        let summary = |of: &dyn Fn(&Samples) -> Vec<f64>| {
            Summary::new(&samples.iter().map(of).collect::<Vec<_>>(), seed)
        };
        let rate = |count: usize, seconds: &dyn Fn(&Round) -> Option<f64>| {
            Summary::new(&rates(count, samples, seconds), seed)
        };
        let whole = |round: &Round| Some(round.whole.seconds);
        let encode = |round: &Round| round.stages.encode;
        let rounds = || samples.iter().flat_map(|s| &s.rounds);
        let stage = |number: usize| {
            let seconds: Vec<f64> = rounds()
                .filter_map(|r| r.stages.seconds()[number])
                .collect();
            Some(median(&seconds)? / size.articles as f64 * 1e3)
        };
        let others: Vec<f64> = rounds().filter_map(|r| r.whole.others).collect();
        let encode_seconds: Vec<f64> = rounds().filter_map(encode).collect();
        Self {
            articles: rate(size.articles, &whole),
            tokens: rate(size.tokens, &whole),
            encode_articles: rate(size.articles, &encode),
            encode_tokens: rate(size.tokens, &encode),
            latency: Percentiles::new(rounds().flat_map(|r| r.alone.clone())),
            load: summary(&|s| vec![s.load]),
            first_record: summary(&|s| s.first_record.clone()),
            memory: summary(&|s| s.memory.iter().map(|m| *m as f64).collect()),
            stages: std::array::from_fn(stage),
            roofline: work.and_then(|work| Roofline::new(work, median(&encode_seconds)?, samples)),
            others: median(&others),
            unsteady: samples.iter().filter(|s| !s.steady).count(),
        }
    }

    /// Names and milliseconds an article of the stages that were told.
    pub fn stages(&self) -> impl Iterator<Item = (&'static str, f64)> + '_ {
        let stages = Stages::NAMES.into_iter().zip(self.stages);
        stages.filter_map(|(name, ms)| Some((name, ms?)))
    }
}

impl Roofline {
    fn new(work: Work, seconds: f64, samples: &[Samples]) -> Option<Self> {
        // Whatever disturbs a peak makes it lower.
        let best = |of: fn(&Peaks) -> f64| {
            let peaks = samples.iter().filter_map(|s| s.peaks.as_ref());
            peaks.map(of).reduce(f64::max)
        };
        let peaks = Peaks {
            int8: best(|p| p.int8)?,
            float: best(|p| p.float)?,
            bandwidth: best(|p| p.bandwidth)?,
        };
        Some(Self {
            share: work.seconds_at(&peaks) / seconds.max(1e-9),
            operations: (work.int8 + work.float) as f64 / seconds.max(1e-9),
            peaks,
        })
    }
}

/// An interleaved subject beside the first, round by round: above 1, it is faster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// Number of the subject.
    pub subject: usize,
    /// Median of the whole passes' ratios, with its interval.
    pub whole: Option<Estimate>,
    /// The same of the encoders alone.
    pub encode: Option<Estimate>,
}

impl Ratio {
    /// Every subject but the first beside the first.
    pub fn all(subjects: &[Measured], seed: u64) -> Vec<Self> {
        let Some((first, others)) = subjects.split_first() else {
            return Vec::new();
        };
        let one = |(number, other): (usize, &Measured)| Self {
            subject: number + 1,
            whole: paired(&other.whole_rates(), &first.whole_rates(), seed),
            encode: paired(&other.encode_rates(), &first.encode_rates(), seed),
        };
        others.iter().enumerate().map(one).collect()
    }
}

/// The median of the ratios of samples that were taken side by side.
fn paired(these: &[Vec<f64>], those: &[Vec<f64>], seed: u64) -> Option<Estimate> {
    let ratios = these.iter().zip(those);
    let ratios = ratios.map(|(a, b)| a.iter().zip(b).map(|(a, b)| a / b).collect());
    let summary = Summary::new(&ratios.collect::<Vec<_>>(), seed)?;
    Some(Estimate {
        value: summary.median,
        low: summary.low?,
        high: summary.high?,
    })
}
