//! `tidings classify`: the batch runner.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tidings::article::CleanOptions;
use tidings::article::read::Reader;
use tidings::output::{Csv, JsonLines, Labels, Sink, Table};
use tidings::stance::DEFAULT_CLAIM;
use tidings::{Device, Engine, Error, Files, Model, Options, Result, Totals};

use super::args::{Classify, DeviceArg, EngineArg, Format};
use super::{Outcome, inputs};

/// Runs the command.
pub fn run(args: &Classify) -> Result<Outcome> {
    let sources = inputs(&args.paths, "classify")?;
    let mut options = Options {
        claims: claims(args)?,
        labels: Labels::parse(&args.labels)?,
        clean: CleanOptions {
            max_chars: args.input.max_chars,
            languages: Vec::new(),
        },
        truncate: args.truncate,
        batch_tokens: args.batch_tokens,
        batch_size: args.batch_size,
        threads: args.threads,
    };
    // Before the model: a path that cannot be written should fail in the first moment, not after an hour.
    let mut sink = open_sink(args, &options)?;

    let files = Files::open(&args.model.model)?;
    if !args.input.any_language {
        options.clean.languages = files.manifest.languages.clone();
    }
    let device = match args.model.device {
        DeviceArg::Auto => Device::Auto,
        DeviceArg::Cpu => Device::Cpu,
    };
    let engine = match args.model.engine {
        EngineArg::Native => Engine::Native,
        EngineArg::Float => Engine::Float,
        EngineArg::Reference => Engine::Reference,
    };
    let model = Model::load(&files, device, engine)?;
    if args.verbose {
        eprintln!(
            "model {}, {engine:?} engine on the CPU ({:?}), claims: {}",
            files.manifest.id(),
            tidings::kernel::Isa::best(),
            options.claims.join(" | "),
        );
    }

    let bar = progress(args);
    let articles = Reader::new(sources, args.input.read_options());
    let totals = tidings::run(articles, &model, &options, sink.as_mut(), &mut |totals| {
        show(&bar, totals, &options)
    })?;
    bar.finish_and_clear();
    if !args.quiet {
        eprintln!("{}", summary(&totals));
    }
    Ok(if totals.failed() == 0 {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

fn claims(args: &Classify) -> Result<Vec<String>> {
    let mut claims = args.claim.clone();
    if let Some(path) = &args.claims {
        let text = fs::read_to_string(path).map_err(|source| Error::Io {
            path: path.clone(),
            source,
        })?;
        claims.extend(
            text.lines()
                .map(str::trim)
                .filter(|l| !l.is_empty() && !l.starts_with('#'))
                .map(String::from),
        );
        if claims.is_empty() {
            return Err(Error::Usage(format!("{} holds no claim", path.display())));
        }
    }
    if claims.iter().any(|c| c.trim().is_empty()) {
        return Err(Error::Usage("an empty --claim asks nothing".to_owned()));
    }
    if claims.is_empty() {
        claims.push(DEFAULT_CLAIM.to_owned());
    }
    Ok(claims)
}

fn open_sink(args: &Classify, options: &Options) -> Result<Box<dyn Sink>> {
    let format = match (args.format, &args.output) {
        (Some(format), _) => format,
        (None, Some(path)) => match path.extension().and_then(|e| e.to_str()) {
            Some("jsonl" | "ndjson") => Format::Jsonl,
            Some("csv") => Format::Csv,
            _ => {
                return Err(Error::Usage(format!(
                    "{}: the extension decides the format; use .jsonl or .csv, or say --format",
                    path.display()
                )));
            }
        },
        (None, None) if io::stdout().is_terminal() => Format::Table,
        (None, None) => Format::Jsonl,
    };
    let out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(BufWriter::new(create(path, args)?)),
        // Line by line on a terminal: each row is worth seeing at once.
        None if format == Format::Table => Box::new(io::stdout().lock()),
        None => Box::new(BufWriter::new(io::stdout().lock())),
    };
    Ok(match format {
        Format::Table => {
            let width =
                terminal_size::terminal_size().map_or(100, |(w, _)| usize::from(w.0).min(140));
            // Colour on a terminal that wants it: NO_COLOR, CLICOLOR and TERM have their say.
            let choice = anstream::AutoStream::choice(&io::stdout());
            let colour = args.output.is_none() && choice != anstream::ColorChoice::Never;
            let usual = match &options.claims[..] {
                [only] => Some(only.clone()),
                _ => None,
            };
            Box::new(Table::new(out, width, &options.labels, usual, colour))
        }
        Format::Jsonl => Box::new(JsonLines(out)),
        Format::Csv => Box::new(Csv::new(out)),
    })
}

fn create(path: &Path, args: &Classify) -> Result<fs::File> {
    let same = |input: &String| match (fs::canonicalize(input), fs::canonicalize(path)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    };
    if args.paths.iter().any(same) {
        return Err(Error::Usage(format!(
            "{} is both input and output",
            path.display()
        )));
    }
    let mut open = OpenOptions::new();
    open.write(true);
    if args.force {
        open.create(true).truncate(true);
    } else {
        open.create_new(true);
    }
    open.open(path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => {
            Error::Usage(format!("{} exists; --force replaces it", path.display()))
        }
        _ => Error::Usage(format!("cannot write {}: {source}", path.display())),
    })
}

/// A bar on standard error, unless results or nobody are on that terminal.
fn progress(args: &Classify) -> ProgressBar {
    let crowded = args.output.is_none() && io::stdout().is_terminal();
    if args.quiet || args.no_progress || crowded || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn show(bar: &ProgressBar, totals: &Totals, options: &Options) {
    let mut parts = vec![format!("{} articles", totals.articles), rate(totals)];
    let answers = totals.stances.values().sum::<usize>().max(1);
    for (stance, count) in &totals.stances {
        parts.push(format!(
            "{} {}%",
            options.labels.name(*stance),
            count * 100 / answers
        ));
    }
    if totals.failed() > 0 {
        parts.push(format!("{} failed", totals.failed()));
    }
    bar.set_message(parts.join(" · "));
}

fn rate(totals: &Totals) -> String {
    format!(
        "{:.1} articles/s",
        totals.articles as f64 / totals.elapsed.as_secs_f64().max(1e-6)
    )
}

/// `5 articles in 0.31 s (16.1 articles/s), 1 error (empty 1)`.
fn summary(totals: &Totals) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let mut line = format!(
        "{} in {:.2} s ({}), {}",
        count(totals.articles, "article"),
        totals.elapsed.as_secs_f64(),
        rate(totals),
        count(totals.failed(), "error"),
    );
    if totals.failed() > 0 {
        let kinds: Vec<String> = totals
            .errors
            .iter()
            .map(|(kind, n)| format!("{kind} {n}"))
            .collect();
        line.push_str(&format!(" ({})", kinds.join(", ")));
    }
    line
}
