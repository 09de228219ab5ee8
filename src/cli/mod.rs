//! The command line, one file a subcommand: the only place that prints.
//!
//! Results go to standard output, all else to standard error.

#![allow(clippy::print_stdout, clippy::print_stderr)]

pub mod args;
mod classify;
mod extract;
mod models;

use std::io;
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
}

/// Runs the command and says on standard error what went wrong.
pub fn run(cli: Cli) -> ExitCode {
    let outcome = match cli.command {
        Command::Classify(args) => classify::run(&args),
        Command::Extract(args) => extract::run(&args),
        Command::Models(args) => models::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "tidings", &mut io::stdout());
            Ok(Outcome::Done)
        }
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::from(1),
        // The reader of our output has seen enough (`| head`).
        Err(Error::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("{}error:{} {error}", ERROR.render(), ERROR.render_reset());
            ExitCode::from(match error {
                Error::Usage(_) => 2,
                Error::Model(_) => 3,
                _ => 1,
            })
        }
    }
}

const ERROR: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();

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
