//! `tidings eval`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Input, ModelArgs, SummaryStyle, share, threads};

pub(super) const EVAL_HELP: &str = "\
A labelled record is an article with a field `label`: supports, refutes, discusses, unrelated (or
imminent, not-imminent, uncertain, unrelated; or agree, disagree, discuss, unrelated). It may have a
`claim`, the deciding sentences as `evidence`, and further `claims`:
  {\"text\": \"…\", \"claim\": \"…\", \"label\": \"refutes\", \"evidence\": [\"…\"],
   \"claims\": [{\"claim\": \"…\", \"label\": \"supports\"}]}

Examples:
  tidings eval dev.jsonl                        each record's own claim
  tidings eval dev.jsonl --claim \"Talks are imminent.\" --label-field default_label
  tidings eval dev.jsonl --summaries            how near are summaries to the reader's?
  tidings eval --check judged.jsonl             does the check of rewriting find what is untrue?
  tidings eval dev.jsonl --all-claims --negate  further claims too, and each one denied
  tidings eval *.jsonl --all-claims --default-label-field default_label    all that is labelled
  tidings eval dev.jsonl --records now.jsonl    keep the answers …
  tidings eval dev.jsonl --model other/ --baseline now.jsonl     … and compare, item by item
  tidings eval --fnc bodies.csv stances.csv --sample 2000        a quick look at FNC-1
  tidings eval dev.jsonl --format json | jq .all.macro_f1

The figures: [low, high] is the 95% interval of a bootstrap by article. Macro F1 is the mean over
the stances that occur. Brier skill is 1 for certainty of the truth, 0 for always giving the labels'
own shares. The calibration error (ten bins of the best score) is how far score and accuracy lie
apart. An article is long when the model reads it in more than one window.

Exit codes: 0 all well; 1 some articles could not be read (they are in no figure but FNC-1's score);
2 bad usage; 3 no model or device, or results that could not be written.";

#[derive(Args)]
pub struct Eval {
    /// Labelled records: JSON Lines, JSON or CSV, also .gz or .zst; `-` or nothing reads standard input
    #[arg(value_name = "FILE", conflicts_with = "fnc")]
    pub paths: Vec<String>,

    /// Measure on the Fake News Challenge instead, as published (.csv) or as JSON Lines with body_id, text and claim, body_id, stance
    #[arg(long, action = clap::ArgAction::Set, num_args = 2, value_names = ["BODIES", "STANCES"], conflicts_with_all = ["claim", "all_claims", "label_field", "default_label_field"])]
    pub fnc: Vec<PathBuf>,

    /// Field with the label; records where it is null or missing are counted and left out
    #[arg(
        long,
        value_name = "NAME",
        default_value = "label",
        help_heading = "Questions"
    )]
    pub label_field: String,

    /// Claim to ask of every record: it wins over the record's own [default: the record's, else "Talks are imminent."]
    #[arg(
        long,
        value_name = "TEXT",
        help_heading = "Questions",
        conflicts_with = "all_claims"
    )]
    pub claim: Option<String>,

    /// Ask also the claims in the records' lists `claims`
    #[arg(long, help_heading = "Questions")]
    pub all_claims: bool,

    /// Ask also the default claim, "Talks are imminent.", of every record that has its label in this field
    #[arg(
        long,
        value_name = "NAME",
        help_heading = "Questions",
        conflicts_with = "claim"
    )]
    pub default_label_field: Option<String>,

    /// Ask each claim a second time, denied ("are imminent" becomes "are not imminent"; or by a TEMPLATE with {claim} in it), with supports
    /// and refutes swapped
    #[arg(long, value_name = "TEMPLATE", num_args = 0..=1, require_equals = true, help_heading = "Questions")]
    pub negate: Option<Option<String>>,

    /// Names of the labels beside the usual ones: four names for supports,refutes,discusses,unrelated
    #[arg(
        long,
        value_name = "NAMES",
        default_value = "imminent",
        help_heading = "Questions"
    )]
    pub labels: String,

    /// Ask only the first N questions
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Questions")]
    pub limit: Option<u32>,

    /// Ask only N questions, drawn by --seed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Questions", conflicts_with = "limit")]
    pub sample: Option<u32>,

    /// Seed of the sample and of the intervals: the same one gives the same figures
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        help_heading = "Questions"
    )]
    pub seed: u64,

    /// Measure summaries too, against those in the records' field `summary`: ROUGE, length, and the article's first sentences beside them
    #[arg(long, help_heading = "Summary")]
    pub summaries: bool,

    #[command(flatten)]
    pub summary_style: SummaryStyle,

    /// Measure the check of rewritten sentences instead, on lines with `article` or `sources`, and a list `summary` of `text` with `votes` or
    /// `supported`; `-` reads standard input
    #[arg(long, value_name = "FILE", help_heading = "Summary", conflicts_with_all = ["paths", "fnc", "summaries", "claim", "all_claims", "default_label_field",
        "negate", "limit", "sample", "records", "baseline", "model", "truncate", "abstain_below"])]
    pub check: Option<PathBuf>,

    #[command(flatten)]
    pub input: Input,

    /// Read articles in any language, though the model may not know it
    #[arg(long, help_heading = "Input")]
    pub any_language: bool,

    /// Format of the figures
    #[arg(long, value_enum, default_value_t = EvalFormat::Table, help_heading = "Output")]
    pub format: EvalFormat,

    /// Write the records, as `tidings classify` would, to this file (.jsonl): a later run's --baseline
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub records: Option<PathBuf>,

    /// Replace the file of records if it exists
    #[arg(long, help_heading = "Output")]
    pub force: bool,

    /// Compare with these records of `tidings classify` or `eval --records`, or with another system's lines of id, claim and label
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub baseline: Option<PathBuf>,

    /// Say nothing on standard error but errors
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,

    /// Show no progress bar
    #[arg(long, help_heading = "Output")]
    pub no_progress: bool,

    #[command(flatten)]
    pub model: ModelArgs,

    /// Computing threads; 0 is one a core
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = threads, help_heading = "Model")]
    pub threads: usize,

    /// Read only about the first N tokens of each article
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub truncate: Option<usize>,

    /// Leave open (uncertain) what the model answers with a score below P
    #[arg(long, value_name = "P", value_parser = share, help_heading = "Model")]
    pub abstain_below: Option<f32>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EvalFormat {
    /// For people
    Table,
    /// One JSON object, with every changed answer of a comparison
    Json,
}
