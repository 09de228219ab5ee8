//! `tidings bench`: how fast it is.

mod plot;
mod table;

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use indicatif::ProgressBar;
use serde_json::json;
use tidings::article::CleanOptions;
use tidings::article::read::sources;
use tidings::bench::machine::{Machine, cores};
use tidings::bench::report::{Measured, Program, Ratio, Settings};
use tidings::bench::roofline::Work;
use tidings::bench::subject::{self, Reply, Request};
use tidings::bench::{self, Plan, Process, Ready, Report, Setup, Start, Subject, Texts, Worker};
use tidings::stance::{Claim, DEFAULT_CLAIM};
use tidings::{Error, Files, Options, Result};

use super::args::{Bench, BenchFormat, EngineArg, Task};
use super::pull::present;
use super::{Outcome, load_model, say, warn};
use table::Style;

/// Runs the command.
pub fn run(args: &Bench) -> Result<Outcome> {
    if args.worker {
        return work(args);
    }
    // All that can be wrong with the request is found before anything is measured.
    let texts = texts(args)?;
    check(args)?;
    let baseline = match &args.baseline {
        Some(path) => Some(bench::compare::read(path)?),
        None => None,
    };
    let mut export = args
        .export
        .as_deref()
        .map(|p| create(p, args))
        .transpose()?;
    let mut plot = args.plot.as_deref().map(|p| create(p, args)).transpose()?;

    let began = SystemTime::now().duration_since(UNIX_EPOCH);
    let subjects = measure(args, &texts).inspect_err(|_| {
        let made = [&args.export, &args.plot].into_iter().flatten();
        for path in made.filter(|path| path.metadata().is_ok_and(|file| file.len() == 0)) {
            std::fs::remove_file(path).ok();
        }
    })?;
    let mut report = Report {
        schema: 1,
        program: Program::this(),
        began: began.map_or(0, |since| since.as_secs()),
        machine: Machine::this(),
        plan: plan(args),
        ratios: match args.interleave {
            true => Ratio::all(&subjects, args.seed),
            false => Vec::new(),
        },
        subjects,
        baseline: None,
    };
    // What was measured is kept before it is compared: another baseline may match it.
    if let Some(export) = &mut export {
        export.set_len(0).map_err(Error::Output)?;
        write_json(export, &report)?;
    }
    if let Some(baseline) = &baseline {
        report.baseline = Some(bench::compare(&report, baseline, args.seed)?);
    }
    if let Some(plot) = &mut plot {
        let drawn = plot::draw(&report)?;
        plot.set_len(0).map_err(Error::Output)?;
        plot.write_all(drawn.as_bytes()).map_err(Error::Output)?;
    }
    let mut out = io::stdout().lock();
    match args.format {
        BenchFormat::Json => write_json(&mut out, &report)?,
        BenchFormat::Table => {
            table::print(&mut out, &report, Style::Columns).map_err(Error::Output)?
        }
        BenchFormat::Md => {
            table::print(&mut out, &report, Style::Markdown).map_err(Error::Output)?
        }
    }
    let slower = |percent| {
        let compared = report.baseline.iter().flat_map(|b| &b.subjects);
        compared.filter(|c| c.regressed(percent)).count()
    };
    match args.fail_on_regression.map(slower) {
        Some(1..) => Ok(Outcome::Regressed),
        _ => Ok(Outcome::Done),
    }
}

fn plan(args: &Bench) -> Plan {
    Plan {
        processes: args.processes as usize,
        runs: args.runs as usize,
        seconds: args.min_time,
        warmup: args.warmup.map(|n| n as usize),
        interleaved: args.interleave,
        slowed: args.slow_down / 100.0,
    }
}

/// A cell of the grid.
struct Cell {
    setup: Setup,
    /// The command of another program.
    peer: bool,
}

fn cells(args: &Bench) -> Vec<Cell> {
    let mut cells = Vec::new();
    let lengths: Vec<Option<usize>> = match args.length.is_empty() {
        true => vec![None],
        false => args.length.iter().map(|n| Some(*n as usize)).collect(),
    };
    for &length in &lengths {
        for &threads in &args.threads {
            let threads = if threads == 0 { cores() } else { threads };
            let mut add = |model: &str, engine: &str, batch_tokens: u32, peer| {
                cells.push(Cell {
                    setup: Setup {
                        model: model.to_owned(),
                        engine: engine.to_owned(),
                        threads,
                        batch_tokens: batch_tokens as usize,
                        length,
                    },
                    peer,
                });
            };
            for model in &args.model {
                for engine in &args.engine {
                    for &batch_tokens in &args.batch_tokens {
                        add(model, &name(*engine), batch_tokens, false);
                    }
                }
            }
            for command in &args.against {
                add(command, "peer", args.batch_tokens[0], true);
            }
        }
    }
    cells
}

fn name(engine: EngineArg) -> String {
    engine
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

fn measure(args: &Bench, texts: &Texts) -> Result<Vec<Measured>> {
    let cells = cells(args);
    let bar = progress(args);
    let options = clean_options(args, &Files::open(&args.model[0])?);
    let first = texts.articles().find_map(|raw| raw.clean(&options).ok());
    let first = first.map(|article| json!({ "id": "first", "text": article.text() }));
    let Some(first) = first.map(|record| format!("{record}\n").into_bytes()) else {
        return Err(Error::Usage(
            "none of the articles can be read (`tidings extract` says why)".to_owned(),
        ));
    };
    // Peers read the windows that we make, so that all read the same.
    let windows: Vec<_> = cells
        .iter()
        .map(|cell| match cell.peer {
            true => windows(args, &cell.setup).map(Some),
            false => Ok(None),
        })
        .collect::<Result<_>>()?;

    let cell_of = std::cell::Cell::new(0);
    let mut begin = |number: usize| -> Result<(Box<dyn Subject>, Ready)> {
        let cell = &cells[number];
        cell_of.set(number);
        let command = match cell.peer {
            true => shell(&cell.setup.model),
            false => own_worker()?,
        };
        let start = Start {
            setup: cell.setup.clone(),
            articles: args.articles as usize,
            windows: windows[number].clone(),
        };
        let (process, ready) = Process::start(command, &start)?;
        Ok((Box::new(process), ready))
    };
    let mut first_record = |number: usize| match cells[number].peer {
        true => Ok(None),
        false => subject::first_record(own_classify(args, &cells[number].setup)?, &first).map(Some),
    };
    let mut watch = |process: usize, what: &str| {
        let subject = match (args.interleave, cells.len()) {
            (true, n @ 2..) => format!("{n} subjects · "),
            (false, n @ 2..) => format!("subject {} of {n} · ", cell_of.get() + 1),
            _ => String::new(),
        };
        bar.set_message(format!(
            "{subject}process {} of {} · {what}",
            process + 1,
            args.processes
        ));
    };
    let measured = bench::measure(
        cells.len(),
        &plan(args),
        &mut begin,
        &mut first_record,
        &mut watch,
    );
    bar.finish_and_clear();
    let claims = claims(args);
    let with_settings = |((ready, samples), cell): ((Ready, _), Cell)| {
        let settings = Settings {
            task: match args.task {
                Task::Classify => "classify".to_owned(),
            },
            name: ready.name.clone(),
            weights: ready.sha256.clone(),
            gpu: ready.gpu.clone(),
            setup: Setup {
                batch_tokens: ready.batch_tokens.unwrap_or(cell.setup.batch_tokens),
                ..cell.setup
            },
            claims: claims.clone(),
            texts: match args.paths.is_empty() {
                true => vec!["own".to_owned()],
                false => args.paths.clone(),
            },
            texts_sha256: ready.texts.clone(),
            size: ready.size,
        };
        Measured::new(settings, &ready, samples, args.seed)
    };
    Ok(measured?
        .into_iter()
        .zip(cells)
        .map(with_settings)
        .collect())
}

/// The windows of a pass at `setup`, from a subject of our own.
fn windows(args: &Bench, setup: &Setup) -> Result<Vec<(Vec<u32>, usize)>> {
    let start = Start {
        setup: Setup {
            model: args.model[0].clone(),
            engine: name(args.engine[0]),
            ..setup.clone()
        },
        articles: args.articles as usize,
        windows: None,
    };
    match Process::start(own_worker()?, &start)?
        .0
        .ask(Request::Windows)?
    {
        Reply::Windows(windows) => Ok(windows),
        other => Err(Error::Model(format!("no windows came, but {other:?}"))),
    }
}

fn own() -> Result<Command> {
    let program = std::env::current_exe()
        .map_err(|e| Error::Usage(format!("cannot find this program itself: {e}")))?;
    Ok(Command::new(program))
}

/// This command again, as a subject: what is not in a [`Setup`] it knows from the same arguments.
fn own_worker() -> Result<Command> {
    let mut command = own()?;
    command.args(["bench", "--worker"]);
    command.args(std::env::args_os().skip(2));
    Ok(command)
}

fn own_classify(args: &Bench, setup: &Setup) -> Result<Command> {
    let mut command = own()?;
    command.args(["classify", "-", "--quiet", "--format", "jsonl"]);
    command.args(["--any-language", "--model", &setup.model]);
    command.args([
        "--engine",
        &setup.engine,
        "--threads",
        &setup.threads.to_string(),
        "--device",
        &args.place.device.to_string(),
        "--dtype",
        &args.place.dtype.to_string(),
    ]);
    for claim in claims(args) {
        command.args(["--claim", &claim]);
    }
    Ok(command)
}

fn shell(line: &str) -> Command {
    let mut command = match cfg!(windows) {
        true => Command::new("cmd"),
        false => Command::new("sh"),
    };
    command.args([if cfg!(windows) { "/C" } else { "-c" }, line]);
    command
}

/// Is a subject until nothing more is asked.
fn work(args: &Bench) -> Result<Outcome> {
    let mut out = io::stdout().lock();
    let mut line = String::new();
    let mut input = io::stdin().lock();
    input.read_line(&mut line).map_err(Error::Output)?;
    let start: Start = serde_json::from_str(&line)
        .map_err(|e| Error::Usage(format!("--worker is for the program itself: {e}")))?;
    match load(args, &start.setup) {
        Ok((worker, ready)) => {
            subject::serve(&worker, ready, input, &mut out)?;
            warn(worker.model().warning());
        }
        Err(error) => subject::answer(&mut out, &subject::failed(&error))?,
    }
    Ok(Outcome::Done)
}

fn load(args: &Bench, setup: &Setup) -> Result<(Worker, Ready)> {
    let engine = EngineArg::from_str(&setup.engine, false).map_err(Error::Usage)?;
    let begun = Instant::now();
    let files = Files::open(&setup.model)?;
    let model = load_model(&setup.model, &files, &args.place, engine.into())?;
    let load = begun.elapsed().as_secs_f64();
    let options = Options {
        claims: claims(args),
        clean: clean_options(args, &files),
        truncate: setup.length,
        batch_tokens: setup.batch_tokens,
        threads: setup.threads,
        ..Options::default()
    };
    let mut texts = texts(args)?;
    if let Some(length) = setup.length {
        texts = texts.of_length(length, &options.clean, &model)?;
    }
    for claim in &options.claims {
        Claim::new(claim, &model)?;
    }
    let (shape, batch_tokens) = (model.shape(), options.batch(&model).0);
    let (name, sha256) = (
        model.manifest().id(),
        model.manifest().weights_sha256.clone(),
    );
    let gpu = model.gpu().map(String::from);
    let worker = Worker::new(model, texts, options, args.slow_down / 100.0)?;
    let lengths: Vec<usize> = worker.windows().iter().map(|(ids, _)| ids.len()).collect();
    let size = worker.size();
    let ready = Ready {
        name,
        sha256: Some(sha256),
        texts: Some(worker.texts().sha256()),
        gpu,
        batch_tokens: Some(batch_tokens),
        load,
        size,
        work: shape.map(|shape| Work::new(shape, &lengths, size.tokens.div_ceil(batch_tokens))),
    };
    Ok((worker, ready))
}

fn texts(args: &Bench) -> Result<Texts> {
    let count = args.articles as usize;
    if args.paths.is_empty() {
        return Ok(Texts::own(count));
    }
    Texts::files(sources(&args.paths)?, args.input.read_options(), count)
}

fn claims(args: &Bench) -> Vec<String> {
    match args.claim.is_empty() {
        true => vec![DEFAULT_CLAIM.to_owned()],
        false => args.claim.clone(),
    }
}

fn clean_options(args: &Bench, files: &Files) -> CleanOptions {
    CleanOptions {
        max_chars: args.input.max_chars,
        languages: match args.any_language {
            true => Vec::new(),
            false => files.manifest.languages.clone(),
        },
    }
}

/// Whether the files may be written, and the lists name nothing twice.
fn check(args: &Bench) -> Result<()> {
    for path in [&args.export, &args.plot].into_iter().flatten() {
        if path.exists() && !args.force {
            return Err(Error::Usage(format!(
                "{} exists; --force replaces it",
                path.display()
            )));
        }
        let same = |other: &Path| same_file::is_same_file(path, other).unwrap_or(false);
        let inputs = args.paths.iter().map(Path::new);
        if inputs.chain(args.baseline.as_deref()).any(same) {
            return Err(Error::Usage(format!(
                "{} is read by this run; write to another file",
                path.display()
            )));
        }
    }
    if args
        .plot
        .as_ref()
        .is_some_and(|p| p.extension().is_none_or(|e| e != "svg"))
    {
        return Err(Error::Usage(
            "--plot draws SVG: name the file .svg".to_owned(),
        ));
    }
    let cells = cells(args);
    let twice = cells.iter().enumerate().find(|(number, cell)| {
        let before = &cells[..*number];
        before.iter().any(|other| other.setup == cell.setup)
    });
    if let Some((_, cell)) = twice {
        return Err(Error::Usage(format!(
            "the lists name the same subject twice: {:?}",
            cell.setup
        )));
    }
    if args.interleave && cells.len() < 2 {
        return Err(Error::Usage(
            "--interleave compares subjects: name two models or engines, or a list of settings"
                .to_owned(),
        ));
    }
    for model in &args.model {
        present(model, args.quiet)?;
        Files::open(model)?;
    }
    Ok(())
}

fn create(path: &Path, args: &Bench) -> Result<File> {
    let mut open = OpenOptions::new();
    // An earlier file stays until there is something to replace it.
    open.write(true).create(true).truncate(false);
    open.create_new(!args.force);
    open.open(path)
        .map_err(|e| Error::Usage(format!("cannot write {}: {e}", path.display())))
}

fn write_json(out: &mut impl Write, report: &Report) -> Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)
        .map_err(io::Error::from)
        .and_then(|()| writeln!(out))
        .map_err(Error::Output)
}

fn progress(args: &Bench) -> ProgressBar {
    if args.quiet || args.no_progress || !io::stderr().is_terminal() {
        if !args.quiet {
            say("measuring; other work on this machine disturbs it");
        }
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(std::time::Duration::from_secs(1));
    bar
}
