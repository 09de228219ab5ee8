//! Where the results go: checked before any work, emptied only when the work can begin, and never read as input.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use same_file::Handle;
use tidings::article::read::Source;
use tidings::output::{Csv, JsonLines, Labels, Sink, Table};
use tidings::{Error, Result};

use super::args::{Classify, Format};

/// The output, opened but not yet touched.
pub struct Destination {
    format: Format,
    file: Option<(PathBuf, File)>,
    /// The file was not there before: it goes again if nothing is written.
    created: bool,
}

impl Destination {
    /// Opens what `-o` names, else standard output.
    ///
    /// # Errors
    /// [`Error::Usage`] when it cannot be written, exists without `--force`, is among the `sources`, or has no format.
    pub fn open(args: &Classify, sources: &[Source]) -> Result<Self> {
        let path = args
            .output
            .as_deref()
            .filter(|path| *path != Path::new("-"));
        let format = match (args.format, path) {
            (Some(format), _) => format,
            (None, Some(path)) => by_extension(path)?,
            (None, None) if io::stdout().is_terminal() => Format::Table,
            (None, None) => Format::Jsonl,
        };
        let Some(path) = path else {
            return Ok(Self {
                format,
                file: None,
                created: false,
            });
        };
        let is_input = |source: &Source| match source {
            Source::Path(input) => same_file::is_same_file(input, path).unwrap_or(false),
            Source::Stdin => false,
        };
        if sources.iter().any(is_input) {
            return Err(Error::Usage(format!(
                "{} is both input and output",
                path.display()
            )));
        }
        let before = fs::metadata(path).ok();
        if before.as_ref().is_some_and(|b| b.is_file()) && !args.force {
            return Err(Error::Usage(format!(
                "{} exists; --force replaces it",
                path.display()
            )));
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let file =
            file.map_err(|e| Error::Usage(format!("cannot write {}: {e}", path.display())))?;
        Ok(Self {
            format,
            file: Some((path.to_owned(), file)),
            created: before.is_none(),
        })
    }

    /// The file that must not be read as input: the output may lie in a folder that is read.
    pub fn handle(&self) -> Option<Arc<Handle>> {
        let handle = match &self.file {
            Some((path, _)) => Handle::from_path(path),
            None => Handle::stdout(),
        };
        handle.ok().map(Arc::new)
    }

    /// Takes back a file that was made for nothing.
    pub fn abandon(self) {
        if let (Some((path, _)), true) = (&self.file, self.created) {
            // If it cannot be removed, an empty file stays: no harm.
            fs::remove_file(path).ok();
        }
    }

    /// Empties the file and writes records to it from now on; rows of a table leave out `usual_claim`.
    ///
    /// # Errors
    /// [`Error::Output`] when the file cannot be emptied.
    pub fn begin(self, labels: &Labels, usual_claim: Option<String>) -> Result<Box<dyn Sink>> {
        let to_stdout = self.file.is_none();
        let out: Box<dyn Write> = match self.file {
            Some((_, file)) => {
                if file.metadata().is_ok_and(|m| m.is_file()) {
                    file.set_len(0).map_err(Error::Output)?;
                }
                Box::new(BufWriter::new(file))
            }
            // Line by line on a terminal: each row is worth seeing at once.
            None if self.format == Format::Table => Box::new(io::stdout().lock()),
            None => Box::new(BufWriter::new(io::stdout().lock())),
        };
        Ok(match self.format {
            Format::Table => {
                let width =
                    terminal_size::terminal_size().map_or(100, |(w, _)| usize::from(w.0).min(140));
                // Colour on a terminal that wants it: NO_COLOR, CLICOLOR and TERM have their say.
                let choice = anstream::AutoStream::choice(&io::stdout());
                let colour = to_stdout && choice != anstream::ColorChoice::Never;
                Box::new(Table::new(out, width, labels, usual_claim, colour))
            }
            Format::Jsonl => Box::new(JsonLines(out)),
            Format::Csv => Box::new(Csv::new(out)),
        })
    }
}

fn by_extension(path: &Path) -> Result<Format> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("jsonl" | "ndjson") => Ok(Format::Jsonl),
        Some("csv") => Ok(Format::Csv),
        _ => Err(Error::Usage(format!(
            "{}: the extension decides the format; use .jsonl or .csv, or say --format",
            path.display()
        ))),
    }
}
