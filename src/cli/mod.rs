//! The command line, one file a subcommand: the only place that prints.
//!
//! Results go to standard output, all else to standard error.

pub mod args;
mod bench;
mod classify;
mod destination;
mod eval;
mod extract;
mod models;
mod pull;
mod report;
mod signals;
mod summarise;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::CommandFactory;
use tidings::article::read::{Source, sources};
use tidings::output::Record;
use tidings::{Engine, Error, Files, Model, Place, Result};

use self::args::{Cli, Command};

/// How a command ended.
pub enum Outcome {
    /// All well.
    Done,
    /// Some articles could not be read.
    SomeFailed,
    /// A signal ended the work; the exit code says which.
    Interrupted(u8),
    /// What was measured is slower than it was.
    Regressed,
    /// An error ended the work, and what was done is not lost: what to do next.
    Broken(Error, String),
}

/// Runs the command and says on standard error what went wrong.
pub fn run(cli: Cli) -> ExitCode {
    let outcome = match cli.command {
        Command::Classify(args) => classify::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Extract(args) => extract::run(&args),
        Command::Summarise(args) => summarise::run(&args),
        Command::Models(args) => models::run(&args),
        Command::Schema => print(&format!("{:#}\n", schemars::schema_for!(Record).as_value())),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tidings", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::from(1),
        Ok(Outcome::Regressed) => ExitCode::from(4),
        Ok(Outcome::Interrupted(code)) => ExitCode::from(code),
        Ok(Outcome::Broken(error, hint)) => failed(&error, Some(&hint)),
        // The reader of our output has seen enough (`| head`).
        Err(Error::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => failed(&error, None),
    }
}

fn print(text: &str) -> Result<Outcome> {
    let written = io::stdout().write_all(text.as_bytes());
    written.map(|()| Outcome::Done).map_err(Error::Output)
}

fn failed(error: &Error, hint: Option<&str>) -> ExitCode {
    // It may quote what came from a file or a server.
    let control = |c: char| c.is_control() && c != '\n';
    let error_text = error.to_string().replace(control, "\u{FFFD}");
    say(&format!("{ERROR}error:{ERROR:#} {error_text}"));
    hint.into_iter().for_each(say);
    ExitCode::from(match error {
        Error::Usage(_) => 2,
        _ => 3,
    })
}

const ERROR: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();

/// Says something on standard error; if nobody can hear it, the work still counts.
fn say(text: &str) {
    writeln!(anstream::stderr(), "{text}").ok();
}

/// Says what a person should hear of how the model's computing went.
fn warn(warning: Option<String>) {
    if let Some(warning) = warning {
        say(&format!("warning: {warning}"));
    }
}

/// `1 article`, `2 passes`.
fn count(n: usize, what: &str) -> String {
    let plural = if what.ends_with('s') { "es" } else { "s" };
    format!("{n} {what}{}", if n == 1 { "" } else { plural })
}

/// Sources for `paths`; none at all means standard input, unless a person sits there.
fn inputs(paths: &[String], command: &str) -> Result<Vec<Source>> {
    use std::io::IsTerminal;
    if paths.is_empty() && io::stdin().is_terminal() {
        return Err(Error::Usage(format!(
            "no articles: name files or folders, or pipe text in (`tidings {command} --help` shows examples)"
        )));
    }
    if paths.is_empty() {
        return Ok(vec![Source::Stdin]);
    }
    sources(paths)
}

/// Loads the model whose `files` were asked for by `name`: which of several it is, no message about one of its files says.
fn load_model(name: &str, files: &Files, place: impl Into<Place>, engine: Engine) -> Result<Model> {
    Model::load(files, place, engine).map_err(|error| of_model(name, error))
}

/// An error that says of which model it tells.
fn of_model(name: &str, error: Error) -> Error {
    match error {
        Error::Model(what) => Error::Model(format!("`{name}`: {what}")),
        other => other,
    }
}
