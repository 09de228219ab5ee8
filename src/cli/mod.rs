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
mod report;
mod signals;
mod summarise;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::CommandFactory;
use tidings::article::read::{Source, sources};
use tidings::{Error, Result};

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
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tidings", &mut script);
            let written = io::stdout().write_all(&script).map_err(Error::Output);
            written.map(|()| Outcome::Done)
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

fn failed(error: &Error, hint: Option<&str>) -> ExitCode {
    say(&format!("{ERROR}error:{ERROR:#} {error}"));
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
