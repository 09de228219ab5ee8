//! `tidings eval`: how right the model is.

mod table;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use tidings::article::CleanOptions;
use tidings::article::read::Source;
use tidings::eval::{self, Answers, Baseline, LabelOptions, Negated, Negation, Report, Set};
use tidings::output::{JsonLines, Labels, Sink, plain};
use tidings::stance::Claim;
use tidings::{ArticleError, Error, Model, Options, Result};

use super::args::{Eval, EvalFormat};
use super::{Outcome, inputs, say, warn};

/// Articles without an answer that are told one by one.
const TOLD: usize = 5;

/// Runs the command.
pub fn run(args: &Eval) -> Result<Outcome> {
    if let Some(path) = &args.check {
        return check_rules(path, args);
    }
    let labels = Labels::parse(&args.labels)?;
    // All that can be wrong with the request is found before the model reads.
    let negation = match &args.negate {
        None => None,
        Some(None) => Some(Negation::Not),
        Some(Some(template)) => Some(Negation::template(template)?),
    };
    let (mut set, read_from) = read(args, &labels)?;
    let baseline = match &args.baseline {
        Some(path) => Some(Baseline::read(path, &labels)?),
        None => None,
    };
    if let Some(path) = &args.records {
        check(path, args, &read_from)?;
    }
    let (files, model) = args.model.load(args.quiet)?;
    if let Some(claim) = &args.claim {
        Claim::new(claim, &model)?;
    }
    let options = Options {
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
        summary: args
            .summary_style
            .limits_if(args.summaries, "--summaries")?,
        rewriter: args.summary_style.rewriter(&args.model.place, args.quiet)?,
        threads: args.threads,
        ..Options::default()
    };
    let mut records = match &args.records {
        Some(path) => Some(JsonLines(BufWriter::new(create(path)?))),
        None => None,
    };

    let begun = Instant::now();
    let bar = progress(args, set.questions() << usize::from(negation.is_some()));
    let mut denied = negation.map(|negation| negation.set(&set));
    // FNC-1's score is of all pairs; some of its headlines are scraped with what follows them.
    let shortened = match args.fnc.is_empty() {
        true => 0,
        false => {
            if let Some(denied) = &mut denied {
                denied.shorten(&model);
            }
            set.shorten(&model)
        }
    };
    let unlabelled = set.unlabelled;
    let sink = records.as_mut().map(|r| r as &mut dyn Sink);
    let answers = ask(set, &model, &options, sink, &bar)?;
    let denied = match denied {
        Some(denied) => Some(ask(denied, &model, &options, None, &bar)?),
        None => None,
    };
    bar.finish_and_clear();
    warn(model.warning());
    warn(options.rewriter.as_ref().and_then(|r| r.warning()));
    if !args.quiet {
        let asked = answers.answers.len() + denied.as_ref().map_or(0, |d| d.answers.len());
        let seconds = begun.elapsed().as_secs_f64();
        let rate = asked as f64 / seconds.max(1e-6);
        say(&format!(
            "{asked} questions in {seconds:.1} s ({rate:.1}/s)"
        ));
    }

    let (all, id, seed) = (&answers.answers, model.manifest().id(), args.seed);
    let Some(mut report) = Report::new(&answers, id, unlabelled, seed) else {
        let what = "no article with a label could be read:";
        return Err(Error::Usage(format!("{what}\n{}", failures(&answers))));
    };
    report.shortened = shortened;
    if args.summaries && report.summaries.is_none() {
        let what = "no summary to compare with: the records have none in their field `summary`";
        return Err(Error::Usage(what.to_owned()));
    }
    let whole = report.unanswered.is_empty() && report.broken == 0;
    if !args.quiet && !whole {
        say(&failures(&answers));
    }
    report.fnc = match args.fnc.is_empty() {
        true => None,
        false => eval::fnc::Score::new(all, seed),
    };
    report.negated = denied.and_then(|denied| Negated::new(all, &denied.answers, seed));
    if let Some(baseline) = baseline {
        report.baseline = Some(eval::compare(all, &baseline, seed)?);
    }

    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        EvalFormat::Table => table::print(&mut out, &report),
        EvalFormat::Json => serde_json::to_writer_pretty(&mut out, &report)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
    }
    .and_then(|()| out.flush())
    .map_err(Error::Output)?;
    Ok(match whole {
        true => Outcome::Done,
        false => Outcome::SomeFailed,
    })
}

/// How well the check of rewritten sentences tells true from untrue: no model is asked.
fn check_rules(path: &Path, args: &Eval) -> Result<Outcome> {
    // Rules take no style and no length.
    args.summary_style.limits_if(false, "--summaries")?;
    let report = eval::check::check(path, args.seed)?;
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        EvalFormat::Table => table::check(&mut out, &report.sets),
        EvalFormat::Json => serde_json::to_writer_pretty(&mut out, &report)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
    }
    .and_then(|()| out.flush())
    .map_err(Error::Output)?;
    Ok(Outcome::Done)
}

/// What is asked, and the files that it comes from.
fn read(args: &Eval, labels: &Labels) -> Result<(Set, Vec<Source>)> {
    let (mut set, sources) = match &args.fnc[..] {
        [bodies, stances] => {
            let files = [bodies, stances].map(|path| Source::Path(path.clone()));
            (eval::fnc::read(bodies, stances)?, files.to_vec())
        }
        _ => {
            let sources = inputs(&args.paths, "eval")?;
            let options = LabelOptions {
                field: args.label_field.clone(),
                default_field: args.default_label_field.clone(),
                claim: args.claim.clone(),
                all_claims: args.all_claims,
                labels: labels.clone(),
            };
            let read = args.input.read_options();
            let set = eval::labelled::read(sources.clone(), read, &options)?;
            (set, sources)
        }
    };
    if let Some(count) = args.limit {
        set.limit(count as usize);
    }
    if let Some(count) = args.sample {
        set.sample(count as usize, args.seed);
    }
    Ok((set, sources))
}

fn ask(
    set: Set,
    model: &Model,
    options: &Options,
    sink: Option<&mut dyn Sink>,
    bar: &ProgressBar,
) -> Result<Answers> {
    let before = bar.position();
    eval::ask(set.cases, model, options, sink, &mut |done| {
        bar.set_position(before + done as u64);
    })
}

/// Whether the records may go there, before any work.
fn check(path: &Path, args: &Eval, read_from: &[Source]) -> Result<()> {
    let usage = |what: &str| Err(Error::Usage(format!("{}{what}", path.display())));
    match path.extension().and_then(|e| e.to_str()) {
        Some("jsonl" | "ndjson") => {}
        _ => return usage(": records are JSON Lines; name the file .jsonl"),
    }
    let same = |other: &Path| same_file::is_same_file(path, other).unwrap_or(false);
    let is_input = read_from
        .iter()
        .any(|source| matches!(source, Source::Path(input) if same(input)));
    if is_input || args.baseline.as_deref().is_some_and(same) {
        return usage(" is read by this run; write the records to another file");
    }
    if path.exists() && !args.force {
        return usage(" exists; --force replaces it");
    }
    Ok(())
}

fn create(path: &Path) -> Result<File> {
    let mut open = OpenOptions::new();
    open.write(true).create(true).truncate(true);
    open.open(path)
        .map_err(|e| Error::Usage(format!("cannot write {}: {e}", path.display())))
}

/// The first articles that could not be read, and why.
fn failures(answers: &Answers) -> String {
    let asked = answers.answers.iter();
    let asked = asked.filter_map(|a| Some((&a.id, a.outcome.as_ref().err()?)));
    let broken = answers.broken.iter().map(|(id, error)| (id, error));
    let all: Vec<(&String, &ArticleError)> = asked.chain(broken).collect();
    let one = |(id, error): &(&String, &ArticleError)| {
        format!("{}: {}", plain(id), plain(&error.message))
    };
    let mut lines: Vec<String> = all.iter().take(TOLD).map(one).collect();
    if let Some(more) = all.len().checked_sub(TOLD).filter(|n| *n > 0) {
        lines.push(format!(
            "… and {more} more without an answer (--records keeps them all)"
        ));
    }
    lines.join("\n")
}

fn progress(args: &Eval, questions: usize) -> ProgressBar {
    if args.quiet || args.no_progress || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(questions as u64);
    let template = "{bar:30} {pos} of {len} questions · {per_sec} · {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
