//! `tidings classify`: the batch runner.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use tidings::article::CleanOptions;
use tidings::article::read::{Elsewhere, ReadOptions, Reader, Source, total_bytes};
use tidings::output::Labels;
use tidings::stance::{Claim, DEFAULT_CLAIM};
use tidings::{Error, Model, Options, Result, Stance, Totals};

use super::args::Classify;
use super::destination::Destination;
use super::signals::Signals;
use super::{Outcome, count, inputs, say};

/// Runs the command.
pub fn run(args: &Classify) -> Result<Outcome> {
    let sources = inputs(&args.paths, "classify")?;
    let claims = claims(args)?;
    let labels = Labels::parse(&args.labels)?;
    let destination = Destination::check(args, &sources)?;
    let (files, model) = args.model.load(args.quiet)?;
    for claim in &claims {
        Claim::new(claim, &model)?;
    }
    let signals = Signals::listen()
        .map_err(|e| Error::Usage(format!("cannot listen for interrupts: {e}")))?;
    let options = Options {
        claims,
        labels,
        clean: CleanOptions {
            max_chars: args.input.max_chars,
            languages: match args.any_language {
                true => Vec::new(),
                false => files.manifest.languages.clone(),
            },
        },
        truncate: args.truncate,
        abstain_below: args.abstain_below,
        summary: args.summary_style.limits_if(args.summary, "--summary")?,
        rewriter: args.summary_style.rewriter(&args.model.place, args.quiet)?,
        batch_tokens: args.batch_tokens,
        batch_size: args.batch_size,
        max_latency: Duration::from_millis(args.max_latency),
        threads: args.threads,
        stop: signals.stop.clone(),
    };
    if args.verbose {
        let place = match model.gpu() {
            Some(gpu) => format!("on {gpu}"),
            None => format!(
                "{} engine on the CPU ({:?})",
                model.arithmetic(),
                tidings::kernel::Isa::best()
            ),
        };
        say(&format!(
            "model {}, {place}, claims: {}",
            model.manifest().id(),
            options.claims.join(" | "),
        ));
    }
    let mut output = destination.begin(
        &options.labels,
        &options.claims,
        settings(args, &model, &options),
    )?;
    let earlier = output.earlier();
    let failed_before = earlier.failed.values().sum::<u64>() as usize;
    if earlier.articles > 0 && !args.quiet {
        let place = destination.name().unwrap_or(Path::new("-")).display();
        let articles = count(earlier.articles as usize, "article");
        say(&match args.retry_errors {
            true => format!(
                "{place} answers {articles}, {failed_before} with an error: asking those again"
            ),
            false => format!("{place} answers {articles} already"),
        });
    }
    let bar = Progress::new(args, &sources);
    let elsewhere = Elsewhere::default();
    let read_options = ReadOptions {
        passthrough: args.passthrough,
        shard: args.shard,
        elsewhere: elsewhere.clone(),
        skip: destination.skip(),
        position: bar.position.clone(),
        ..args.input.read_options()
    };
    let articles = Reader::new(sources, read_options);
    let mut watch = |totals: &Totals| {
        let rewriter = || options.rewriter.as_ref()?.warning();
        if let Some(warning) = model.warning().or_else(rewriter) {
            bar.bar.suspend(|| say(&format!("warning: {warning}")));
        }
        bar.show(totals, &options);
    };
    let ended = tidings::run(articles, &model, &options, output.sink(), &mut watch);
    bar.clear();
    let ended = match ended {
        Ok(totals) => output.finish(!totals.stopped).and_then(|()| {
            if !totals.stopped {
                destination.make()?;
            }
            Ok(totals)
        }),
        Err(error) => {
            if args.retry_errors {
                // The error that counts is the first.
                output.finish(false).ok();
            }
            Err(error)
        }
    };
    let totals = match (ended, destination.journal()) {
        (Err(error @ (Error::Output(_) | Error::Model(_))), Some(journal)) => {
            let hint = match args.retry_errors {
                true => format!(
                    "{} is as it was; once the cause is mended, the same command begins again",
                    journal.display()
                ),
                false => format!(
                    "{} holds whole records of what was answered; once the cause is mended, the same command with --resume goes on",
                    journal.display(),
                ),
            };
            return Ok(Outcome::Broken(error, hint));
        }
        (ended, _) => ended?,
    };
    let (unread_elsewhere, messages) = elsewhere.found();
    for message in &messages {
        say(&format!("warning: {message}"));
    }
    if unread_elsewhere > 0 {
        say(&format!(
            "warning: {unread_elsewhere} of the files, or their rest, could not be read here; their error records belong to other parts, which may \
             have read them"
        ));
    }
    if !args.quiet {
        say(&summary(&totals));
    }
    if totals.stopped {
        say(&match destination.journal() {
            Some(_) if args.retry_errors => {
                "interrupted: the output is as it was; the same command begins again".to_owned()
            }
            Some(journal) => format!(
                "interrupted: {} answers {}; the same command with --resume goes on",
                journal.display(),
                count(totals.articles + earlier.articles as usize, "article"),
            ),
            None => "interrupted: what was answered is written".to_owned(),
        });
        return Ok(Outcome::Interrupted(signals.exit_code()));
    }
    let failed_before = if args.retry_errors { 0 } else { failed_before };
    Ok(if totals.failed() + failed_before + unread_elsewhere > 0 {
        Outcome::SomeFailed
    } else {
        Outcome::Done
    })
}

/// All that changes a record: a run that goes on must have the same.
fn settings(args: &Classify, model: &Model, options: &Options) -> Map<String, Value> {
    let manifest = model.manifest();
    let input = &args.input;
    let settings = json!({
        "model": format!("{}@{}", manifest.name, manifest.weights_sha256),
        "engine": model.arithmetic(),
        "claims": options.claims,
        "labels": Stance::ALL.map(|stance| options.labels.name(stance)),
        "languages": options.clean.languages,
        "max_chars": options.clean.max_chars,
        "truncate": options.truncate,
        "abstain_below": args.abstain_below,
        "summary": options.summary.map(|limits| [limits.sentences, limits.words]),
        "input_format": format!("{:?}", input.input_format).to_lowercase(),
        "text_field": input.text_field,
        "title_field": input.title_field,
        "id_field": input.id_field,
        "claim_field": input.claim_field,
        "date_field": input.date_field,
        "passthrough": args.passthrough,
        "shard": args.shard.map(|shard| shard.to_string()),
    });
    match settings {
        Value::Object(mut settings) => {
            if let Some(rewriter) = &options.rewriter {
                settings.insert("rewriter".to_owned(), rewriter.id().into());
            }
            settings
        }
        _ => Map::new(),
    }
}

fn claims(args: &Classify) -> Result<Vec<String>> {
    let mut claims = args.claim.clone();
    if let Some(path) = &args.claims {
        let text = fs::read_to_string(path).map_err(|e| {
            Error::Usage(format!("cannot read the claims in {}: {e}", path.display()))
        })?;
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        let lines = lines.filter(|l| !l.is_empty() && !l.starts_with('#'));
        claims.extend(lines.map(String::from));
        if claims.is_empty() {
            return Err(Error::Usage(format!("{} holds no claim", path.display())));
        }
    }
    if claims.is_empty() {
        claims.push(DEFAULT_CLAIM.to_owned());
    }
    Ok(claims)
}

/// A bar on standard error, unless results or nobody are on that terminal.
struct Progress {
    bar: ProgressBar,
    /// Bytes of the input that were read.
    position: Arc<AtomicU64>,
}

impl Progress {
    fn new(args: &Classify, sources: &[Source]) -> Self {
        let position = Arc::default();
        let crowded = args.output.is_none() && io::stdout().is_terminal();
        if args.quiet || args.no_progress || crowded || !io::stderr().is_terminal() {
            let bar = ProgressBar::hidden();
            return Self { bar, position };
        }
        let bar = ProgressBar::new_spinner();
        let style = |template: &str| ProgressStyle::with_template(template).ok();
        if let Some(style) = style("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        // Looking at every file of a large folder takes a while: the share and the time left come when that is done.
        if let Some(style) = style("{bar:20} {percent}% {wide_msg} {eta} left") {
            let (bar, sources) = (bar.clone(), sources.to_vec());
            thread::spawn(move || {
                if let Some(total) = total_bytes(&sources).filter(|total| *total > 0) {
                    bar.set_length(total);
                    bar.set_style(style);
                }
            });
        }
        Self { bar, position }
    }

    fn show(&self, totals: &Totals, options: &Options) {
        if self.bar.is_hidden() {
            return;
        }
        let mut parts = vec![
            count(totals.articles + totals.passed, "article"),
            rate(totals),
        ];
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
        self.bar.set_position(self.position.load(Ordering::Relaxed));
        self.bar.set_message(parts.join(" · "));
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn rate(totals: &Totals) -> String {
    format!(
        "{:.1} articles/s",
        totals.articles as f64 / totals.elapsed.as_secs_f64().max(1e-6)
    )
}

/// `5 articles in 0.31 s (16.1 articles/s), 1 error (empty 1)`.
fn summary(totals: &Totals) -> String {
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
