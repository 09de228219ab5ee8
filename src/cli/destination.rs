//! Where the results go: checked before any work, emptied only when the work can begin, and never read as input.
//!
//! A file is written as a [`Journal`], which can be gone on with: JSON Lines are the journal itself, a CSV or Parquet file or a page is made
//! from its journal (`labels.csv.jsonl`) in the end. Standard output, pipes and tables are streams.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use same_file::Handle;
use serde_json::{Map, Value};
use tidings::article::read::{Skip, Source};
use tidings::output::{
    Csv, Earlier, Journal, JsonLines, Labels, Page, Parquet, Record, Sink, Table,
};
use tidings::{Error, Result};

use super::args::{Classify, Format};

/// The output, checked but not touched.
pub struct Destination {
    format: Format,
    place: Place,
    start: Start,
}

enum Place {
    Stdout,
    /// Something that bytes go down: a device, a named pipe, a file with a table.
    Stream(PathBuf),
    /// A journal, and what is made from it.
    Journal(PathBuf, Option<PathBuf>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Anew,
    Resume,
    Retry,
}

/// The output, begun.
pub enum Output {
    Stream(Box<dyn Sink>),
    /// A page on a stream, which has an end.
    Page(Box<Page<Box<dyn Write>>>),
    /// A Parquet file on a stream, which has an end too.
    Parquet(Box<Parquet<Box<dyn Write + Send>>>),
    Journal(Box<Journal>),
}

impl Destination {
    /// Looks at what `-o` names, else at standard output.
    ///
    /// # Errors
    /// [`Error::Usage`] when it cannot be written, exists without `--force`, is among the `sources`, cannot be gone on with, or has no
    /// format.
    pub fn check(args: &Classify, sources: &[Source]) -> Result<Self> {
        let start = match (args.resume, args.retry_errors) {
            (_, true) => Start::Retry,
            (true, false) => Start::Resume,
            (false, false) => Start::Anew,
        };
        let path = args.output.clone().filter(|path| path != Path::new("-"));
        let format = match (args.format, &path) {
            (Some(format), _) => format,
            (None, Some(path)) => by_extension(path)?,
            (None, None) if io::stdout().is_terminal() => Format::Table,
            (None, None) => Format::Jsonl,
        };
        if format == Format::Parquet && !cfg!(feature = "parquet") {
            return Err(Error::Usage(
                "this program was built without its feature `parquet`: write .jsonl or .csv"
                    .to_owned(),
            ));
        }
        let place = match path.map(followed).transpose()? {
            None => Place::Stdout,
            Some(path) if fs::metadata(&path).is_ok_and(|m| !m.is_file()) => Place::Stream(path),
            Some(path) => match format {
                Format::Table => Place::Stream(path),
                Format::Jsonl => Place::Journal(path, None),
                Format::Csv | Format::Parquet | Format::Html => {
                    Place::Journal(suffixed(&path, "jsonl"), Some(path))
                }
            },
        };
        let destination = Self {
            format,
            place,
            start,
        };
        let of_a_run = destination
            .journal()
            .is_some_and(|journal| Journal::log_of(journal).exists());
        let to_stdout = matches!(destination.place, Place::Stdout);
        let foreign: Vec<PathBuf> = match of_a_run {
            true => Vec::new(),
            false => destination.files().map(Path::to_owned).collect(),
        };
        refuse_inputs(sources, &destination.own_paths(), &foreign, to_stdout)?;
        match format {
            Format::Html if to_stdout => refuse_terminal("a page", "report.html")?,
            Format::Parquet if to_stdout => refuse_terminal("Parquet", "labels.parquet")?,
            _ => {}
        }
        match &destination.place {
            Place::Stdout | Place::Stream(_) if start != Start::Anew => Err(Error::Usage(
                "--resume and --retry-errors go on with a file: name it with -o (.jsonl, .csv, .parquet or .html)"
                    .to_owned(),
            )),
            Place::Stdout => Ok(()),
            Place::Stream(path) if !path.is_file() && path.exists() => Ok(()),
            Place::Stream(path) => refuse_existing(path, args.force, ""),
            Place::Journal(journal, made) => {
                // A log alone is not one of ours: the output comes first.
                let goes_on = start != Start::Anew && (journal.exists() || start == Start::Retry);
                let files = [Some(journal), made.as_ref()].into_iter().flatten();
                let log = Journal::log_of(journal);
                files.chain([&log]).try_for_each(|path| match goes_on {
                    true => can_be_written(path),
                    false => refuse_existing(path, args.force, "--resume goes on with it, "),
                })
            }
        }?;
        Ok(destination)
    }

    /// The files that hold results.
    fn files(&self) -> impl Iterator<Item = &Path> {
        let (first, second) = match &self.place {
            Place::Stdout => (None, None),
            Place::Stream(path) => (Some(path), None),
            Place::Journal(journal, made) => (Some(journal), made.as_ref()),
        };
        [first, second].into_iter().flatten().map(PathBuf::as_path)
    }

    /// Those, and all that may lie beside them.
    fn own_paths(&self) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = self.files().map(Path::to_owned).collect();
        if let Place::Journal(journal, made) = &self.place {
            paths.extend(Journal::files(journal));
            paths.extend(made.as_ref().map(|made| suffixed(made, "new")));
        }
        paths
    }

    /// What must not be read as input: the output may lie in a folder that is read.
    pub fn skip(&self) -> Skip {
        Skip::new(self.own_paths(), regular(Handle::stdout()))
    }

    /// Where a run can be gone on with.
    pub fn journal(&self) -> Option<&Path> {
        match &self.place {
            Place::Journal(journal, _) => Some(journal),
            _ => None,
        }
    }

    /// What `-o` named.
    pub fn name(&self) -> Option<&Path> {
        match &self.place {
            Place::Stdout => None,
            Place::Stream(path) | Place::Journal(_, Some(path)) | Place::Journal(path, None) => {
                Some(path)
            }
        }
    }

    /// Begins to write; rows of a table leave out `usual_claim`. `settings` are what changes a record.
    ///
    /// # Errors
    /// Those of [`Journal`]; [`Error::Output`] when a file cannot be emptied.
    pub fn begin(
        &self,
        labels: &Labels,
        claims: &[String],
        settings: Map<String, Value>,
    ) -> Result<Output> {
        let out: Box<dyn Write + Send> = match &self.place {
            Place::Journal(journal, made) => {
                if let (Start::Anew, Some(made)) = (self.start, made) {
                    // Else the old table would lie beside the records of an interrupted run.
                    match fs::remove_file(made) {
                        Err(e) if e.kind() != io::ErrorKind::NotFound => {
                            return Err(Error::Output(e));
                        }
                        _ => {}
                    }
                }
                let journal = match self.start {
                    Start::Anew => Journal::create(journal, settings),
                    Start::Resume => Journal::resume(journal, settings),
                    Start::Retry => Journal::retry(journal, settings, claims.len()),
                };
                return journal.map(|journal| Output::Journal(Box::new(journal)));
            }
            Place::Stream(path) => {
                Box::new(BufWriter::new(File::create(path).map_err(Error::Output)?))
            }
            // Line by line on a terminal: each row is worth seeing at once.
            Place::Stdout if self.format == Format::Table => Box::new(io::stdout()),
            Place::Stdout => Box::new(BufWriter::new(io::stdout())),
        };
        Ok(Output::Stream(match self.format {
            Format::Table => {
                let width =
                    terminal_size::terminal_size().map_or(100, |(w, _)| usize::from(w.0).min(140));
                // Colour on a terminal that wants it: NO_COLOR, CLICOLOR and TERM have their say.
                let choice = anstream::AutoStream::choice(&io::stdout());
                let colour =
                    matches!(self.place, Place::Stdout) && choice != anstream::ColorChoice::Never;
                let usual = match claims {
                    [only] => Some(only.clone()),
                    _ => None,
                };
                Box::new(Table::new(out, width, labels, usual, colour))
            }
            Format::Jsonl => Box::new(JsonLines(out)),
            Format::Csv => Box::new(Csv::new(out)),
            Format::Parquet => return Ok(Output::Parquet(Box::new(Parquet::new(out)))),
            Format::Html => return Ok(Output::Page(Box::new(Page::new(out)))),
        }))
    }

    /// Makes from a whole journal what was asked for: all of it, or nothing.
    ///
    /// # Errors
    /// [`Error::Output`] when it cannot be written.
    pub fn make(&self) -> Result<()> {
        let Place::Journal(journal, Some(made)) = &self.place else {
            return Ok(());
        };
        let make = || -> io::Result<()> {
            let new = suffixed(made, "new");
            let out = BufWriter::new(File::create(&new)?);
            match self.format {
                Format::Html => {
                    let mut page = Page::new(out);
                    copy(journal, &mut page)?;
                    page.finish()?;
                }
                Format::Parquet => {
                    let mut file = Parquet::new(out);
                    copy(journal, &mut file)?;
                    file.finish()?;
                }
                _ => {
                    let mut rows = Csv::new(out);
                    copy(journal, &mut rows)?;
                    rows.flush()?;
                }
            }
            File::open(&new)?.sync_data()?;
            fs::rename(&new, made)
        };
        make().map_err(Error::Output)
    }
}

/// The records of a whole journal, into `sink`.
fn copy(journal: &Path, sink: &mut impl Sink) -> io::Result<()> {
    for line in BufReader::new(File::open(journal)?).lines() {
        let record: Record = serde_json::from_str(&line?)?;
        sink.write(&record)?;
    }
    Ok(())
}

impl Output {
    /// Takes the records.
    pub fn sink(&mut self) -> &mut dyn Sink {
        match self {
            Self::Stream(sink) => sink.as_mut(),
            Self::Page(page) => page.as_mut(),
            Self::Parquet(file) => file.as_mut(),
            Self::Journal(journal) => journal.as_mut(),
        }
    }

    /// What the output held before.
    pub fn earlier(&self) -> Earlier {
        match self {
            Self::Stream(_) | Self::Page(_) | Self::Parquet(_) => Earlier::default(),
            Self::Journal(journal) => journal.earlier().clone(),
        }
    }

    /// Ends the output; `whole` when the run came to the end of its input.
    ///
    /// # Errors
    /// Those of [`Journal::finish`]; [`Error::Output`] when a page or a Parquet file cannot be written to its end.
    pub fn finish(self, whole: bool) -> Result<()> {
        match self {
            Self::Stream(_) => Ok(()),
            Self::Page(mut page) => {
                if !whole {
                    page.cut_short();
                }
                page.finish().map_err(Error::Output)
            }
            Self::Parquet(file) => file.finish().map_err(Error::Output),
            Self::Journal(journal) => journal.finish(whole),
        }
    }
}

/// Refuses to write what would be read: `own` are the files that are written, or are beside them, and `to_stdout` says whether standard
/// output is written. In a folder that is read nothing of them is read, but `foreign`, those that may be articles of it, are not replaced.
///
/// # Errors
/// [`Error::Usage`] that names the file.
pub fn refuse_inputs(
    sources: &[Source],
    own: &[PathBuf],
    foreign: &[PathBuf],
    to_stdout: bool,
) -> Result<()> {
    let both = |path: &Path| {
        Err(Error::Usage(format!(
            "{} is both input and output; write the output elsewhere, or name the inputs without it",
            path.display()
        )))
    };
    let stdout = regular(Handle::stdout()).filter(|_| to_stdout);
    for source in sources {
        let Source::Path(input) = source else {
            let stdin = regular(Handle::stdin());
            let is_stdin = |path: &&PathBuf| {
                stdin.is_some() && path.is_file() && Handle::from_path(path).ok() == stdin
            };
            if let Some(path) = own.iter().find(is_stdin) {
                return both(path);
            }
            if stdin.is_some() && stdin == stdout {
                return both(Path::new("the file of standard input"));
            }
            continue;
        };
        if input.is_dir() {
            let folder = input.canonicalize().unwrap_or_else(|_| input.clone());
            let inside = |path: &&PathBuf| {
                let place = path.is_file().then(|| path.canonicalize().ok()).flatten();
                place.is_some_and(|path| path.starts_with(&folder))
            };
            if let Some(path) = foreign.iter().find(inside) {
                return both(path);
            }
            continue;
        }
        if !input.is_file() {
            continue;
        }
        let is_input = |path: &&PathBuf| {
            path.is_file() && same_file::is_same_file(input, path).unwrap_or(false)
        };
        if let Some(path) = own.iter().find(is_input) {
            return both(path);
        }
        if stdout.is_some() && Handle::from_path(input).ok() == stdout {
            return both(input);
        }
    }
    Ok(())
}

/// `what` is not for reading as text.
///
/// # Errors
/// [`Error::Usage`] when standard output is a terminal.
pub fn refuse_terminal(what: &str, name: &str) -> Result<()> {
    match io::stdout().is_terminal() {
        true => Err(Error::Usage(format!(
            "{what} is not for the terminal: name a file with -o {name}, or pipe it somewhere"
        ))),
        false => Ok(()),
    }
}

/// The file that a path leads to: what is renamed over a symbolic link would replace the link.
///
/// # Errors
/// [`Error::Usage`] when it leads nowhere, or to a folder.
pub fn followed(path: PathBuf) -> Result<PathBuf> {
    let cannot = |what: String| Error::Usage(format!("cannot write {}{what}", path.display()));
    if path.is_dir() {
        return Err(cannot(": it is a folder; name a file in it".to_owned()));
    }
    match path.is_symlink() {
        false => Ok(path),
        true => path
            .canonicalize()
            .map_err(|e| cannot(format!(", a symbolic link that leads nowhere: {e}"))),
    }
}

/// What is a file, not a terminal, a pipe or a device.
pub fn regular(handle: io::Result<Handle>) -> Option<Handle> {
    let handle = handle.ok()?;
    let is_file = handle.as_file().metadata().is_ok_and(|m| m.is_file());
    is_file.then_some(handle)
}

/// Nothing is replaced without `force`.
pub fn refuse_existing(path: &Path, force: bool, or: &str) -> Result<()> {
    if !force && path.exists() {
        return Err(Error::Usage(format!(
            "{} exists; {or}--force replaces it",
            path.display()
        )));
    }
    can_be_written(path)
}

/// A path that cannot be written should fail in the first moment, not after an hour.
fn can_be_written(path: &Path) -> Result<()> {
    let cannot = |e| Error::Usage(format!("cannot write {}: {e}", path.display()));
    if path.exists() {
        return OpenOptions::new()
            .append(true)
            .open(path)
            .map(drop)
            .map_err(cannot);
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(cannot)?;
    // If it cannot be removed, an empty file stays: no harm.
    fs::remove_file(path).ok();
    Ok(())
}

pub fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

fn by_extension(path: &Path) -> Result<Format> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("jsonl" | "ndjson") => Ok(Format::Jsonl),
        Some("csv") => Ok(Format::Csv),
        Some("parquet") => Ok(Format::Parquet),
        Some("html" | "htm") => Ok(Format::Html),
        _ => Err(Error::Usage(format!(
            "{}: the extension decides the format; use .jsonl, .csv, .parquet or .html, or say --format",
            path.display()
        ))),
    }
}
