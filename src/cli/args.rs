//! What can be typed: the commands, and what several of them share. A large command's own arguments are in a file of their own.

mod bench;
mod classify;
mod eval;
mod models;
mod report;
mod summarise;

use std::sync::Arc;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tidings::article::read::{InputFormat, ReadOptions};
use tidings::model::Rewriter;
use tidings::model::store::{EMBEDDED, Name, known};
use tidings::summary::Limits;
use tidings::{Device, Dtype, Engine, Error, Files, Model, Place, Result};

use super::pull::present;
use super::say;
use super::{load_model, of_model};

use self::bench::BENCH_HELP;
pub use self::bench::{Bench, BenchFormat, Task};
use self::classify::CLASSIFY_HELP;
pub use self::classify::{Classify, Format};
use self::eval::EVAL_HELP;
pub use self::eval::{Eval, EvalFormat};
use self::models::MODELS_HELP;
pub use self::models::{Models, Pull, PullFrom};
use self::report::REPORT_HELP;
pub use self::report::Report;
use self::summarise::SUMMARISE_HELP;
pub use self::summarise::Summarise;

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
  tidings report labels.jsonl -o report.html        a page to look at
  tidings summarise page.html                       what does it say?
  tidings eval labelled.jsonl                       how right is it? accuracy, F1, calibration
  tidings bench                                     how fast is it here?
  tidings extract page.html                         the text that the model would read

Exit codes: 0 all well; 1 some articles could not be read; 2 bad usage; 3 no model or device, or results that could not be \
written; 4 slower than the baseline (bench --fail-on-regression); 130 or 143 interrupted.";

#[derive(Subcommand)]
pub enum Command {
    /// Label articles: files, folders, globs or standard input in, one record for each article and claim out
    #[command(after_help = CLASSIFY_HELP)]
    Classify(Classify),
    /// Print what one article says, in up to three of its own sentences
    #[command(alias = "summarize", after_help = SUMMARISE_HELP)]
    Summarise(Summarise),
    /// Measure the answers against labels: accuracy, F1, calibration, evidence, with intervals
    #[command(after_help = EVAL_HELP)]
    Eval(Eval),
    /// Measure how fast it is on this machine: articles and tokens a second, latency, memory, with intervals
    #[command(after_help = BENCH_HELP)]
    Bench(Bench),
    /// Make a page to look at: how the articles split, how that moved, which sentences are behind it
    #[command(after_help = REPORT_HELP)]
    Report(Report),
    /// Print the cleaned text that the model would read
    Extract(Extract),
    /// Show what models there are, fetch, check and remove them
    #[command(subcommand, after_help = MODELS_HELP)]
    Models(Models),
    /// Print the JSON Schema of a record
    Schema,
    /// Print a completion script for a shell
    Completions {
        /// Shell to complete for
        shell: clap_complete::Shell,
    },
}

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
    /// Parquet: the columns of its top level
    Parquet,
}

impl From<InputFormatArg> for InputFormat {
    fn from(arg: InputFormatArg) -> Self {
        match arg {
            InputFormatArg::Auto => Self::Auto,
            InputFormatArg::Text => Self::Text,
            InputFormatArg::Html => Self::Html,
            InputFormatArg::Jsonl => Self::Jsonl,
            InputFormatArg::Csv => Self::Csv,
            InputFormatArg::Parquet => Self::Parquet,
        }
    }
}

#[derive(Args)]
pub struct ModelArgs {
    /// Model: the embedded one, a folder, or a hub id (org/name), which is fetched once if it is not in the cache
    #[arg(short, long, value_name = "NAME", default_value = EMBEDDED, help_heading = "Model")]
    pub model: String,

    /// Branch, tag or commit of a hub id [default: main]
    #[arg(long, value_name = "REVISION", help_heading = "Model")]
    pub revision: Option<String>,

    #[command(flatten)]
    pub place: PlaceArgs,

    /// How to compute: for comparisons
    #[arg(long, value_enum, default_value_t = EngineArg::Native, hide = true)]
    pub engine: EngineArg,
}

impl ModelArgs {
    /// Loads the model as asked; one of the hub that is not in the cache is fetched before.
    ///
    /// # Errors
    /// [`tidings::Error::Model`] when there is none, it cannot be fetched, or it is damaged.
    pub fn load(&self, quiet: bool) -> tidings::Result<(Files, Model)> {
        let name = match &self.revision {
            None => self.model.clone(),
            Some(revision) => match Name::parse(&self.model)? {
                Name::Cached(id) if !self.model.contains('@') => format!("{}@{revision}", id.repo),
                _ => {
                    return Err(Error::Usage(format!(
                        "--revision is for a hub id without one: `{}` is not",
                        self.model
                    )));
                }
            },
        };
        present(&name, quiet)?;
        let files = Files::open(&name)?;
        let model = load_model(&name, &files, &self.place, self.engine.into())?;
        if let Some(note) = model.note().filter(|_| !quiet) {
            say(note);
        }
        Ok((files, model))
    }
}

#[derive(Args)]
pub struct PlaceArgs {
    /// Where to compute: auto (a GPU, if this program was built for its kind and it opens; else the CPU), cpu, cuda, cuda:N, metal
    #[arg(long, value_name = "DEVICE", default_value_t, help_heading = "Device")]
    pub device: Device,

    /// Numbers that a GPU computes with: f32, f16 or bf16 [auto: f16 on NVIDIA's, f32 on Apple's]; the CPU's are 8 bits where the weights are,
    /// or f32
    #[arg(long, value_name = "DTYPE", default_value_t, help_heading = "Device")]
    pub dtype: Dtype,
}

impl From<&PlaceArgs> for Place {
    fn from(args: &PlaceArgs) -> Self {
        Self {
            device: args.device,
            dtype: args.dtype,
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

/// How long a summary is, and who words it.
#[derive(Args)]
pub struct SummaryStyle {
    /// Sentences of a summary, at most [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20), help_heading = "Summary")]
    pub sentences: Option<u32>,

    /// Words of a summary, at most; the sentence that decides is taken whole, even if it alone has more [default: 45]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Summary")]
    pub max_words: Option<u32>,

    /// Whether a summary's sentences stand as they are in the article, or are said shorter where that says no more, as a language model chooses
    #[arg(
        long,
        value_enum,
        default_value_t = Style::Extracted,
        help_heading = "Summary"
    )]
    pub style: Style,

    /// Language model that chooses among the shorter wordings: a folder, a hub id or a pulled model's name [default: rewriter-en-small]
    #[arg(long, value_name = "MODEL", help_heading = "Summary")]
    pub rewriter: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Style {
    /// Sentences of the article, character for character
    Extracted,
    /// Those sentences said shorter, where nothing but they is said
    Rewritten,
}

impl SummaryStyle {
    pub fn limits(&self) -> Limits {
        let usual = Limits::default();
        Limits {
            sentences: self.sentences.map_or(usual.sentences, |n| n as usize),
            words: self.max_words.map_or(usual.words, |n| n as usize),
        }
    }

    /// The limits of the summaries that `flag` asks for, if it is `given`.
    ///
    /// # Errors
    /// [`Error::Usage`] when there are limits and no summaries.
    pub fn limits_if(&self, given: bool, flag: &str) -> Result<Option<Limits>> {
        let styled = self.sentences.is_some()
            || self.max_words.is_some()
            || self.rewriter.is_some()
            || self.style != Style::Extracted;
        match (given, styled) {
            (true, _) => Ok(Some(self.limits())),
            (false, false) => Ok(None),
            (false, true) => Err(Error::Usage(format!(
                "--sentences, --max-words, --style and --rewriter are for summaries: {flag} asks for them"
            ))),
        }
    }

    /// The model that rewrites, if one does, loaded to that place.
    ///
    /// # Errors
    /// [`Error::Model`] when it is not here, which says how to fetch it; [`Error::Usage`] when nothing is to be rewritten.
    pub fn rewriter(&self, place: impl Into<Place>, quiet: bool) -> Result<Option<Arc<Rewriter>>> {
        if self.style == Style::Extracted {
            return match &self.rewriter {
                None => Ok(None),
                Some(_) => Err(Error::Usage(
                    "--rewriter is for --style rewritten".to_owned(),
                )),
            };
        }
        let name = self.rewriter.as_deref().unwrap_or(known::REWRITER);
        present(name, quiet)?;
        let files = Files::open(name)?;
        let rewriter = Rewriter::load(&files, place).map_err(|error| of_model(name, error))?;
        Ok(Some(Arc::new(rewriter)))
    }
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

/// More threads than any machine has would only stand in each other's way.
fn threads(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(n) if n <= 1024 => Ok(n),
        _ => Err("a number from 0 to 1024".to_owned()),
    }
}

fn share(text: &str) -> std::result::Result<f32, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a number from 0 to 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    const WIDTH: usize = 100;

    fn check(command: &mut clap::Command) {
        let name = command.get_bin_name().unwrap_or_default().to_owned();
        for help in [command.render_help(), command.render_long_help()] {
            for line in help.to_string().lines() {
                assert!(line.chars().count() <= WIDTH, "{name}: {line}");
            }
        }
        // Prose is broken where the terminal ends. Examples and lists, which are indented, are not to be broken.
        let after = command.get_after_help().map(ToString::to_string);
        for line in after.unwrap_or_default().lines() {
            let fits = !line.starts_with("  ") || line.chars().count() <= WIDTH;
            assert!(fits, "{name}: {line}");
        }
        command.get_subcommands_mut().for_each(check);
    }

    #[test]
    fn help_fits_its_width() {
        let mut program = Cli::command();
        program.build();
        check(&mut program);
    }
}
