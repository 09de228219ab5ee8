//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tidings::article::read::{InputFormat, ReadOptions, Shard};
use tidings::model::store::EMBEDDED;
use tidings::summary::Limits;
use tidings::{Device, Engine, Files, Model};

/// Reads news articles with a local transformer: where does each stand on a claim, which sentences say so, and what happened?
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  tidings classify articles/                        label a folder of articles
  tidings classify articles/ -o labels.jsonl        … into a file
  tidings classify news.jsonl.gz -o labels.csv --resume    … going on where a run was ended
  cat page.html | tidings classify -                … from a pipe
  tidings classify news/ --claim \"Talks between A and B are imminent.\"
  tidings classify news/ --summary -o labels.jsonl  … with a summary in each record
  tidings summarise page.html                       what does it say?
  tidings eval labelled.jsonl                       how right is it? accuracy, F1, calibration, evidence
  tidings bench                                     how fast is it here?
  tidings extract page.html                         the text that the model would read

Exit codes: 0 all well; 1 some articles could not be read; 2 bad usage; 3 no model, or results that could not be written;
4 slower than the baseline (bench --fail-on-regression); 130 or 143 interrupted.";

#[derive(Subcommand)]
pub enum Command {
    /// Label articles: files, folders, globs or standard input in, one record for each article and claim out
    #[command(after_help = CLASSIFY_HELP)]
    Classify(Classify),
    /// Print what one article says, in two or three of its own sentences
    #[command(alias = "summarize", after_help = SUMMARISE_HELP)]
    Summarise(Summarise),
    /// Measure the answers against labels: accuracy, F1, calibration, evidence, with intervals
    #[command(after_help = EVAL_HELP)]
    Eval(Eval),
    /// Measure how fast it is on this machine: articles and tokens a second, latency, memory, with intervals
    #[command(after_help = BENCH_HELP)]
    Bench(Bench),
    /// Print the cleaned text that the model would read
    Extract(Extract),
    /// Show what models there are, and check them
    #[command(subcommand)]
    Models(Models),
    /// Print a completion script for a shell
    Completions {
        /// Shell to complete for
        shell: clap_complete::Shell,
    },
}

const CLASSIFY_HELP: &str = "\
Labels (names for --claim's stance): imminent = supports, not-imminent = refutes, uncertain = discusses, unrelated.
Input: text, Markdown, HTML, JSON Lines and JSON, CSV and TSV, each also .gz or .zst; folders are read recursively.
An article that cannot be read becomes a record with an `error`; the run goes on and exits with 1.

A run with -o can be killed at any moment and gone on with:
  tidings classify news/ -o labels.jsonl --resume         nothing is lost, nothing is answered twice
  tidings classify news/ -o labels.jsonl --retry-errors   asks again about articles that had only an error
Beside labels.jsonl lies labels.jsonl.run, which says how far it goes and with which settings it was made.

Many machines, one input (job N of 16): tidings classify news/ --shard N/16 -o labels-N.jsonl
Under another program: … | tidings classify - --passthrough | …   one record a line as soon as it is answered";

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

    /// Add to each record a summary: what the article says on the claim, in two or three of its own sentences
    #[arg(long, help_heading = "Summary")]
    pub summary: bool,

    #[command(flatten)]
    pub length: Length,

    /// Write to this file instead of standard output (`-`); its extension (.jsonl, .csv) decides the format
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

    /// Tokens that the model reads at once: more memory for a little more speed; never changes a result
    #[arg(long, value_name = "N", default_value_t = 2048, help_heading = "Model")]
    pub batch_tokens: usize,

    /// Articles that the model reads at once, at most; never changes a result
    #[arg(long, value_name = "N", default_value_t = 64, help_heading = "Model")]
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
#[derive(Args)]
pub struct Input {
    /// Format of the input
    #[arg(long, value_enum, default_value_t = InputFormatArg::Auto, help_heading = "Input")]
    pub input_format: InputFormatArg,

    /// Field or column with the text [default: text, body, content, article, …]
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    pub text_field: Option<String>,

    /// Field or column with the title [default: title, headline]
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    pub title_field: Option<String>,

    /// Field or column with the id [default: id, custom_id, …; else path#line]
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    pub id_field: Option<String>,

    /// Field or column with a claim of the record's own, which replaces --claim [default: claim]
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    pub claim_field: Option<String>,

    /// Field or column with the date [default: date, published, …]
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    pub date_field: Option<String>,

    /// Most characters of an article after cleaning; a longer one is an error record
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000_000,
        help_heading = "Input"
    )]
    pub max_chars: usize,
}

impl Input {
    /// The library's options.
    pub fn read_options(&self) -> ReadOptions {
        ReadOptions {
            format: self.input_format.into(),
            text_field: self.text_field.clone(),
            title_field: self.title_field.clone(),
            id_field: self.id_field.clone(),
            claim_field: self.claim_field.clone(),
            date_field: self.date_field.clone(),
            ..ReadOptions::default()
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum InputFormatArg {
    /// By extension, else by looking inside
    Auto,
    /// Plain text or Markdown, an article a file
    Text,
    /// A page a file
    Html,
    /// JSON Lines, or a JSON array of records
    Jsonl,
    /// CSV or TSV with a header
    Csv,
}

impl From<InputFormatArg> for InputFormat {
    fn from(arg: InputFormatArg) -> Self {
        match arg {
            InputFormatArg::Auto => Self::Auto,
            InputFormatArg::Text => Self::Text,
            InputFormatArg::Html => Self::Html,
            InputFormatArg::Jsonl => Self::Jsonl,
            InputFormatArg::Csv => Self::Csv,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people, fitted to the width
    Table,
    /// One JSON object a line
    Jsonl,
    /// One row a record
    Csv,
}

#[derive(Args)]
pub struct ModelArgs {
    /// Model: the embedded one, or a folder with a manifest.toml
    #[arg(short, long, value_name = "NAME", default_value = EMBEDDED, help_heading = "Model")]
    pub model: String,

    /// Where to compute
    #[arg(long, value_enum, default_value_t = DeviceArg::Auto, help_heading = "Model")]
    pub device: DeviceArg,

    /// How to compute: for comparisons
    #[arg(long, value_enum, default_value_t = EngineArg::Native, hide = true)]
    pub engine: EngineArg,
}

impl ModelArgs {
    /// Loads the model as asked.
    ///
    /// # Errors
    /// [`tidings::Error::Model`] when there is none, or it is damaged.
    pub fn load(&self) -> tidings::Result<(Files, Model)> {
        let files = Files::open(&self.model)?;
        let model = Model::load(&files, self.device.into(), self.engine.into())?;
        Ok((files, model))
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub enum DeviceArg {
    /// The best there is
    Auto,
    Cpu,
}

impl From<DeviceArg> for Device {
    fn from(arg: DeviceArg) -> Self {
        match arg {
            DeviceArg::Auto => Self::Auto,
            DeviceArg::Cpu => Self::Cpu,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum EngineArg {
    Native,
    Float,
    Reference,
    Fake,
}

impl From<EngineArg> for Engine {
    fn from(arg: EngineArg) -> Self {
        match arg {
            EngineArg::Native => Self::Native,
            EngineArg::Float => Self::Float,
            EngineArg::Reference => Self::Reference,
            EngineArg::Fake => Self::Fake,
        }
    }
}

const EVAL_HELP: &str = "\
A labelled record is an article with a field `label`: supports, refutes, discusses, unrelated (or
imminent, not-imminent, uncertain, unrelated; or agree, disagree, discuss, unrelated). It may have a
`claim`, the deciding sentences as `evidence`, and further `claims`:
  {\"text\": \"…\", \"claim\": \"…\", \"label\": \"refutes\", \"evidence\": [\"…\"],
   \"claims\": [{\"claim\": \"…\", \"label\": \"supports\"}]}

Examples:
  tidings eval dev.jsonl                        each record's own claim
  tidings eval dev.jsonl --claim \"Talks are imminent.\" --label-field default_label
  tidings eval dev.jsonl --summaries            how near are summaries to the reader's?
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
2 bad usage; 3 no model, or results that could not be written.";

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
    pub length: Length,

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

const SUMMARISE_HELP: &str = "\
Every sentence is copied from the article, none is rewritten. With --claim they are those that answer it; without,
those that bear out the article's own title, or its first ones. `tidings summarize` does the same.

Examples:
  tidings summarise page.html
  tidings summarise page.html --claim \"Talks are imminent.\" --json
  cat article.txt | tidings summarise --sentences 1";

#[derive(Args)]
pub struct Summarise {
    /// The article's file; `-` or nothing reads standard input
    #[arg(value_name = "FILE")]
    pub path: Option<String>,

    /// Say what the article tells about this claim; without it, what the article is about
    #[arg(long, value_name = "TEXT")]
    pub claim: Option<String>,

    #[command(flatten)]
    pub length: Length,

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

/// How long a summary is.
#[derive(Args)]
pub struct Length {
    /// Sentences of a summary, at most
    #[arg(long, value_name = "N", default_value_t = Limits::default().sentences as u32, value_parser = clap::value_parser!(u32).range(1..=20), help_heading = "Summary")]
    pub sentences: u32,

    /// Words of a summary, at most; the sentence that decides is taken whole, even if it alone has more
    #[arg(long, value_name = "N", default_value_t = Limits::default().words as u32, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Summary")]
    pub max_words: u32,
}

impl From<&Length> for Limits {
    fn from(length: &Length) -> Self {
        Self {
            sentences: length.sentences as usize,
            words: length.max_words as usize,
        }
    }
}

const BENCH_HELP: &str = "\
Each subject (a model, engine and settings) is loaded in a few processes, one after the other. Each
warms up until it is steady; then passes over the articles are timed, as a whole and stage by stage.
[low, high] is the 95% interval of the median, by a bootstrap over processes. Outliers are counted,
never dropped. Lists (--threads 1,2 --batch-tokens 1024,2048) make a grid, every value with every
other. How to read a result: README.md, \"How fast is it?\".

Examples:
  tidings bench                                     our own example articles
  tidings bench news/ --claim \"A treaty was signed.\"         yours
  tidings bench --threads 1,2 --length 128,512,2048 --plot speed.svg
  tidings bench --export before.json                keep the samples …
  tidings bench --baseline before.json --fail-on-regression 5   … and compare: exits with 4 if slower
  tidings bench --engine native,reference --interleave          two engines, in turns

Exit codes: 0 all well; 2 bad usage, or a baseline of other settings; 3 no model, or results that
could not be written; 4 slower than the baseline by more than --fail-on-regression.";

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

    /// Model: the embedded one, or a folder with a manifest.toml; repeat for several
    #[arg(short, long, value_name = "NAME", default_values_t = [EMBEDDED.to_owned()], help_heading = "Subjects")]
    pub model: Vec<String>,

    /// How to compute: native (8 bits where the weights are), float (ours, in float), reference (candle-transformers) (a list: a grid)
    #[arg(long, value_name = "ENGINE,…", value_enum, value_delimiter = ',', hide_possible_values = true, default_values_t = [EngineArg::Native], help_heading = "Subjects")]
    pub engine: Vec<EngineArg>,

    /// Where to compute
    #[arg(long, value_enum, default_value_t = DeviceArg::Auto, help_heading = "Subjects")]
    pub device: DeviceArg,

    /// Computing threads; 0 is one a core (a list: a grid)
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [0], value_parser = threads, help_heading = "Subjects")]
    pub threads: Vec<usize>,

    /// Tokens that the model reads at once (a list: a grid)
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [2048], value_parser = clap::value_parser!(u32).range(1..=10_000_000), help_heading = "Subjects")]
    pub batch_tokens: Vec<u32>,

    /// Measure also this command, another program that speaks the lines of benches/peers/README.md; repeat for several
    #[arg(long, value_name = "COMMAND", help_heading = "Subjects")]
    pub against: Vec<String>,

    /// Let the subjects take turns, and compare each with the first, round by round
    #[arg(long, help_heading = "Subjects")]
    pub interleave: bool,

    /// Rounds of each subject at least, over all its processes
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "Measuring")]
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

    /// Articles that are timed alone; under 100 there is no 99th percentile
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        help_heading = "Measuring"
    )]
    pub latencies: u32,

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

#[derive(Args)]
pub struct Extract {
    /// Files, folders or globs; `-` or nothing reads standard input
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,

    #[command(flatten)]
    pub input: Input,

    /// Print one JSON object a line: id, title, date, language, text
    #[arg(long)]
    pub json: bool,
}

#[derive(Subcommand)]
pub enum Models {
    /// List the models at hand
    List,
    /// Show what a model is
    Show {
        /// The embedded model or a folder
        #[arg(default_value = EMBEDDED)]
        model: String,
    },
    /// Check a model's files against its manifest, and load it
    Verify {
        /// The embedded model or a folder
        #[arg(default_value = EMBEDDED)]
        model: String,
    },
}

/// More threads than any machine has would only stand in each other's way.
fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if n <= 1024 => Ok(n),
        _ => Err("a number from 0 to 1024".to_owned()),
    }
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

fn share(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a number from 0 to 1".to_owned()),
    }
}
