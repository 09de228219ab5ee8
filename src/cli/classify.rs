//! `tidings classify`: the batch runner.

use std::fs;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tidings::article::CleanOptions;
use tidings::article::read::{ReadOptions, Reader};
use tidings::output::Labels;
use tidings::stance::{Claim, DEFAULT_CLAIM};
use tidings::{Error, Options, Result, Totals};

use super::args::Classify;
use super::destination::Destination;
use super::{Outcome, inputs, say};

/// Runs the command.
pub fn run(args: &Classify) -> Result<Outcome> {
    let sources = inputs(&args.paths, "classify")?;
    let claims = claims(args)?;
    let labels = Labels::parse(&args.labels)?;
    // Before the model: a path that cannot be written should fail in the first moment, not after an hour.
    let destination = Destination::open(args, &sources)?;
    let (files, model) = match args.model.load() {
        Ok(loaded) => loaded,
        Err(error) => {
            destination.abandon();
            return Err(error);
        }
    };
    let languages = match args.any_language {
        true => Vec::new(),
        false => files.manifest.languages.clone(),
    };
    let options = Options {
        claims,
        labels,
        clean: CleanOptions {
            max_chars: args.input.max_chars,
            languages,
        },
        truncate: args.truncate,
        abstain_below: args.abstain_below,
        batch_tokens: args.batch_tokens,
        batch_size: args.batch_size,
        threads: args.threads,
    };
    for claim in &options.claims {
        if let Err(error) = Claim::new(claim, &model) {
            destination.abandon();
            return Err(error);
        }
    }
    if args.verbose {
        say(&format!(
            "model {}, {:?} engine on the CPU ({:?}), claims: {}",
            files.manifest.id(),
            args.model.engine,
            tidings::kernel::Isa::best(),
            options.claims.join(" | "),
        ));
    }
    let usual = match &options.claims[..] {
        [only] => Some(only.clone()),
        _ => None,
    };
    let skip = destination.handle();
    let mut sink = destination.begin(&options.labels, usual)?;
    let bar = progress(args);
    let articles = Reader::new(
        sources,
        ReadOptions {
            skip,
            ..args.input.read_options()
        },
    );
    let mut watch = |totals: &Totals| show(&bar, totals, &options);
    let totals = tidings::run(articles, &model, &options, sink.as_mut(), &mut watch)?;
    bar.finish_and_clear();
    if !args.quiet {
        say(&summary(&totals));
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
