//! `tidings summarise`.

use clap::Args;

use super::{Input, ModelArgs, SummaryStyle};

pub(super) const SUMMARISE_HELP: &str = "\
Every sentence is copied from the article. With --claim they are those that answer it; without, those that bear out \
the article's own title. Where the article is not about the claim, or has no title: its first ones and those nearest its \
title. `tidings summarize` does the same.

With --style rewritten those sentences are said shorter, where parts of them can go: when something was said, what is told \
of somebody in between, what is remarked at the end. A language model says which of the ways to say it is the best, the \
sentence as it stands among them; it writes nothing of its own. --json says which sentences are shorter.

Examples:
  tidings summarise page.html
  tidings models pull rewriter-en-small                   once, 98 MB; then
  tidings summarise page.html --style rewritten
  tidings summarise page.html --claim \"Talks are imminent.\" --json
  cat article.txt | tidings summarise --sentences 1";

#[derive(Args)]
pub struct Summarise {
    /// The article's file; `-` or nothing reads standard input
    #[arg(value_name = "FILE")]
    pub path: Option<String>,

    /// Say what the article tells about this claim; without it, what the article is about. A claim in the article's own record replaces it
    #[arg(long, value_name = "TEXT")]
    pub claim: Option<String>,

    #[command(flatten)]
    pub summary_style: SummaryStyle,

    /// Print the record instead: one JSON object with the place of each sentence in the text that `tidings extract` prints
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub input: Input,

    /// Read an article in any language, though the model may not know it
    #[arg(long, help_heading = "Input")]
    pub any_language: bool,

    #[command(flatten)]
    pub model: ModelArgs,
}
