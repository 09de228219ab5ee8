//! `tidings report`.

use std::path::PathBuf;

use clap::Args;

use super::Input;

pub(super) const REPORT_HELP: &str = "\
The page is one file that needs no network: how the articles split on each claim, how that moved over time, and each \
article with its scores, evidence and summary; filters, search, and a part for what could not be read. What you filter \
stands in the page's address (#stance=refutes&q=ferry), so a view can be sent on.

With --articles each article's text is in the page too, with the evidence marked in it: name the inputs of the run, as \
they were named then. Of a longer text the first 20,000 characters are kept.

An article's source is its record's `source` field (kept by classify --passthrough), else its site, folder or file.

Examples:
  tidings classify news/ -o report.html                    answers and page in one go
  tidings report labels.jsonl -o report.html
  tidings report labels.jsonl --articles news/ -o report.html
  tidings report labels-*.jsonl -o report.html             the parts of a run with --shard
  zcat labels.jsonl.gz | tidings report - > report.html

Exit codes: 0 all well; 1 some lines are no records (the page says how many); 2 bad usage; 3 the page could not be written.";

#[derive(Args)]
pub struct Report {
    /// Records of `tidings classify` (JSON Lines); `-` is standard input
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,

    /// Write the page to this file instead of standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,

    /// Replace the file if it exists
    #[arg(long, help_heading = "Output")]
    pub force: bool,

    /// Say nothing on standard error but errors
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,

    /// The articles that were read, a file, folder or glob; repeat for several: their texts go into the page, with the evidence marked
    #[arg(long, value_name = "PATH", help_heading = "Input")]
    pub articles: Vec<String>,

    #[command(flatten)]
    pub input: Input,
}
