//! `tidings bench`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tidings::model::store::EMBEDDED;

use super::{EngineArg, Input, PlaceArgs, threads};

pub(super) const BENCH_HELP: &str = "\
Each subject (a model, engine and settings) is loaded in a few processes, one after the other. Each
warms up until it is steady; then passes over the articles are timed: as a whole, stage by stage, and
each article alone.
[low, high] is the 95% interval of the median, by a bootstrap over processes. Outliers are counted,
never dropped. Lists (--threads 1,2 --batch-tokens 1024,2048) make a grid, every value with every
other. How to read a result: README.md, \"How fast is it?\".

Examples:
  tidings bench                                     our own example articles
  tidings bench news/ --claim \"A treaty was signed.\"         yours
  tidings bench --threads 1,2 --length 128,512,2048 --plot speed.svg
  tidings bench --export before.json                keep the samples …
  tidings bench --baseline before.json --fail-on-regression 5   … and compare: 4 if slower
  tidings bench --engine native,reference --interleave          two engines, in turns

Exit codes: 0 all well; 2 bad usage, or a baseline of other settings; 3 no model or device, or
results that could not be written; 4 slower than the baseline by more than --fail-on-regression.";

#[derive(Args)]
pub struct Bench {
    /// Articles to read: files, folders or globs [default: a few of our own]
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,

    /// What is done with an article
    #[arg(long, value_enum, default_value_t = Task::Classify, help_heading = "Work")]
    pub task: Task,

    /// Claim to ask of every article; repeat for several [default: "Talks are imminent."]
    #[arg(long, value_name = "TEXT", help_heading = "Work")]
    pub claim: Vec<String>,

    /// Articles of a pass: the first ones of the input, which goes around if it has fewer
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = "Work")]
    pub articles: u32,

    /// Make every article about N tokens long (a list: a grid)
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(16..=100_000), help_heading = "Work")]
    pub length: Vec<u32>,

    #[command(flatten)]
    pub input: Input,

    /// Read articles in any language, though the model may not know it
    #[arg(long, help_heading = "Input")]
    pub any_language: bool,

    /// Model: the embedded one, a folder, or a hub id (org/name, org/name@REVISION); repeat for several
    #[arg(short, long, value_name = "NAME", default_values_t = [EMBEDDED.to_owned()], help_heading = "Subjects")]
    pub model: Vec<String>,

    /// How to compute: native (8 bits where the weights are), float (ours, in float), reference (candle-transformers) (a list: a grid)
    #[arg(long, value_name = "ENGINE,…", value_enum, value_delimiter = ',', hide_possible_values = true, default_values_t = [EngineArg::Native], help_heading = "Subjects")]
    pub engine: Vec<EngineArg>,

    #[command(flatten)]
    pub place: PlaceArgs,

    /// Computing threads; 0 is one a core (a list: a grid)
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [0], value_parser = threads, help_heading = "Subjects")]
    pub threads: Vec<usize>,

    /// Tokens that the model reads at once (a list: a grid) [default: 2048; on a GPU 65536]
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [0], hide_default_value = true, value_parser = clap::value_parser!(u32).range(0..=10_000_000), help_heading = "Subjects")]
    pub batch_tokens: Vec<u32>,

    /// Measure also this command, another program that speaks the lines of benches/peers/README.md; repeat for several
    #[arg(long, value_name = "COMMAND", help_heading = "Subjects")]
    pub against: Vec<String>,

    /// Let the subjects take turns, and compare each with the first, round by round
    #[arg(long, help_heading = "Subjects")]
    pub interleave: bool,

    /// Rounds of each subject at least, over all its processes
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "Measuring")]
    pub runs: u32,

    /// Seconds that the rounds of each subject take at least
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = seconds, help_heading = "Measuring")]
    pub min_time: f64,

    /// Processes of each subject, one after the other
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "Measuring")]
    pub processes: u32,

    /// Warm-up passes of each process [default: until they get no faster]
    #[arg(long, value_name = "N", help_heading = "Measuring")]
    pub warmup: Option<u32>,

    /// Seed of the intervals: the same one gives the same figures of the same samples
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        help_heading = "Measuring"
    )]
    pub seed: u64,

    /// Format of the figures
    #[arg(long, value_enum, default_value_t = BenchFormat::Table, help_heading = "Output")]
    pub format: BenchFormat,

    /// Write figures and every sample to this file (JSON): a later run's --baseline
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub export: Option<PathBuf>,

    /// Draw speed and latency into this file (.svg)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub plot: Option<PathBuf>,

    /// Replace the files of --export and --plot if they exist
    #[arg(long, help_heading = "Output")]
    pub force: bool,

    /// Compare with an earlier run of the same settings on the same kind of machine
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub baseline: Option<PathBuf>,

    /// Exit with 4 when a subject is slower than in the baseline by more than PCT percent, and not by chance
    #[arg(
        long,
        value_name = "PCT",
        requires = "baseline",
        value_parser = percent,
        help_heading = "Output"
    )]
    pub fail_on_regression: Option<f64>,

    /// Say nothing on standard error but errors
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,

    /// Show no progress
    #[arg(long, help_heading = "Output")]
    pub no_progress: bool,

    /// Make every pass longer by PCT percent: a trial of the instrument
    #[arg(long, value_name = "PCT", default_value_t = 0.0, value_parser = percent, hide = true)]
    pub slow_down: f64,

    /// Be a subject: used by the program itself
    #[arg(long, hide = true)]
    pub worker: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Task {
    /// Label articles
    Classify,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BenchFormat {
    /// For people
    Table,
    /// One JSON object, with every sample
    Json,
    /// Markdown tables
    Md,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0 to 86400".to_owned()),
    }
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(percent) if (0.0..=1000.0).contains(&percent) => Ok(percent),
        _ => Err("a number of percent from 0 to 1000".to_owned()),
    }
}
