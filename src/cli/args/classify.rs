//! `tidings classify`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tidings::article::read::Shard;

use super::{Input, ModelArgs, SummaryStyle, share, threads};

pub(super) const CLASSIFY_HELP: &str = "\
Labels (names for --claim's stance): imminent = supports, not-imminent = refutes, uncertain = discusses, unrelated.
Input: text, Markdown, HTML, JSON Lines and JSON, CSV and TSV, each also .gz or .zst, and Parquet (files, not pipes); \
folders are read recursively.
An article that cannot be read becomes a record with an `error`; the run goes on and exits with 1.

A run with -o can be killed at any moment and gone on with:
  tidings classify news/ -o labels.jsonl --resume         nothing is lost, nothing is answered twice
  tidings classify news/ -o labels.jsonl --retry-errors   asks again where there was only an error
Beside labels.jsonl lies labels.jsonl.run, which says how far it goes and with which settings it was made. \
The same holds for .csv, .parquet and .html: they are made whole, in the end, from labels.parquet.jsonl, which is what a run goes on with.

A page to look at: -o report.html; `tidings report` makes one of records that are there already.

Many machines, one input (job N of 16), and under another program (one record a line as soon as it is answered):
  tidings classify news/ --shard N/16 -o labels-N.jsonl
  … | tidings classify - --passthrough | …";

#[derive(Args)]
pub struct Classify {
    /// Files, folders or globs; `-` or nothing reads standard input
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,

    /// Claim to ask of every article; repeat for several [default: "Talks are imminent."]
    #[arg(long, value_name = "TEXT", help_heading = "Claims")]
    pub claim: Vec<String>,

    /// File with one claim a line (blank lines and lines that start with # are skipped)
    #[arg(long, value_name = "FILE", help_heading = "Claims")]
    pub claims: Option<PathBuf>,

    /// Names of the labels: `imminent`, `generic`, or four names for supports,refutes,discusses,unrelated
    #[arg(
        long,
        value_name = "NAMES",
        default_value = "imminent",
        help_heading = "Claims"
    )]
    pub labels: String,

    #[command(flatten)]
    pub input: Input,

    /// Answer only the N-th of M parts of the articles, so that M runs share one input; the parts together are the whole
    ///
    /// A record's part is told by its bytes, that of a file which is one article by its path below the folder named: the same on every
    /// machine.
    #[arg(long, value_name = "N/M", help_heading = "Input")]
    pub shard: Option<Shard>,

    /// Read articles in any language, though the model may not know it
    #[arg(long, help_heading = "Input")]
    pub any_language: bool,

    /// Add to each record a summary: what the article says on the claim, in up to three of its own sentences
    #[arg(long, help_heading = "Summary")]
    pub summary: bool,

    #[command(flatten)]
    pub summary_style: SummaryStyle,

    /// Write to this file instead of standard output (`-`); its extension (.jsonl, .csv, .parquet, .html) decides the format
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,

    /// Format [default: a table on a terminal, else jsonl]
    #[arg(long, value_enum, help_heading = "Output")]
    pub format: Option<Format>,

    /// Replace the output file if it exists
    #[arg(long, help_heading = "Output", conflicts_with_all = ["resume", "retry_errors"])]
    pub force: bool,

    /// Go on with the output file where an earlier run ended, however it ended; begin it if there is none
    #[arg(long, help_heading = "Output", requires = "output")]
    pub resume: bool,

    /// Write the output file anew with its errors tried again; articles that it does not answer yet are answered as well
    #[arg(long, help_heading = "Output", requires = "output")]
    pub retry_errors: bool,

    /// Keep the other fields of input records, in the field `fields` of theirs
    #[arg(long, help_heading = "Output")]
    pub passthrough: bool,

    /// Say nothing on standard error but errors
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,

    /// Say more on standard error: model, engine, settings
    #[arg(short, long, help_heading = "Output", conflicts_with = "quiet")]
    pub verbose: bool,

    /// Show no progress bar
    #[arg(long, help_heading = "Output")]
    pub no_progress: bool,

    #[command(flatten)]
    pub model: ModelArgs,

    /// Computing threads; 0 is one a core
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = threads, help_heading = "Model")]
    pub threads: usize,

    /// Tokens that the model reads at once: more memory for a little more speed; never changes a result of the CPU's [default: 2048; on
    /// a GPU 65536]
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        help_heading = "Model"
    )]
    pub batch_tokens: usize,

    /// Articles that the model reads at once, at most; never changes a result of the CPU's [default: 64; on a GPU 1024]
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        help_heading = "Model"
    )]
    pub batch_size: usize,

    /// Milliseconds that an article may wait for others to fill its batch: for slow pipes; never changes a result
    #[arg(long, value_name = "MS", default_value_t = 0, help_heading = "Model")]
    pub max_latency: u64,

    /// Read only about the first N tokens of each article (whole sentences, at least the title and one); without it articles are read
    /// whole
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub truncate: Option<usize>,

    /// Leave open (uncertain, and marked `abstained`) what the model answers with a score below P
    #[arg(long, value_name = "P", value_parser = share, help_heading = "Model")]
    pub abstain_below: Option<f32>,
}

/// How articles are read.

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people, fitted to the width
    Table,
    /// One JSON object a line
    Jsonl,
    /// One row a record, no cell of which a spreadsheet would run
    Csv,
    /// Typed columns, the deciding sentences and the summary nested
    Parquet,
    /// A page to look at
    Html,
}
