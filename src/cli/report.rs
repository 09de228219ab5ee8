//! `tidings report`: records, and perhaps the articles that they are about, made into a page.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use tidings::article::CleanOptions;
use tidings::article::read::{ReadOptions, Reader, Skip, Source, sources};
use tidings::output::{Page, Record, Sink};
use tidings::{Error, Result};

use super::args::Report;
use super::destination::{followed, refuse_existing, refuse_inputs, refuse_terminal, suffixed};
use super::{Outcome, count, say};

/// Bytes of a line beyond which it is no record.
const LONGEST: u64 = 64 << 20;
/// Lines that are no records of which the reason is said.
const SAID: usize = 3;
/// The version of records that is read.
const SCHEMA: u32 = 1;
/// The mark that some programs put before a text in UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Runs the command.
pub fn run(args: &Report) -> Result<Outcome> {
    let output = args.output.clone().filter(|path| path != Path::new("-"));
    let output = output.map(followed).transpose()?;
    let runs: Vec<Source> = args.runs.iter().map(|run| source(run)).collect();
    let articles = sources(&args.articles)?;
    let read = runs.iter().chain(&articles);
    if read.filter(|source| **source == Source::Stdin).count() > 1 {
        return Err(Error::Usage(
            "`-` is given twice; standard input can be read once".to_owned(),
        ));
    }
    let new = output.as_deref().map(|output| suffixed(output, "new"));
    let own: Vec<PathBuf> = output.iter().chain(&new).cloned().collect();
    for read in [&runs, &articles] {
        refuse_inputs(read, &own, &own, output.is_none())?;
    }
    refuse_records(&args.runs, &articles)?;
    let (Some(output), Some(new)) = (output, new) else {
        refuse_terminal("a page", "report.html")?;
        return fill(args, io::stdout().lock(), articles, own);
    };
    // A device or a named pipe, of which nothing is replaced.
    if output.exists() && !output.is_file() {
        let pipe = File::create(&output).map_err(Error::Output)?;
        return fill(args, pipe, articles, own);
    }
    refuse_existing(&output, args.force, "")?;
    // All of it or nothing: the file has its name when it is whole.
    let file = File::create(&new).map_err(Error::Output)?;
    let filled = fill(args, file, articles, own);
    match filled {
        Ok(_) => fs::rename(&new, &output).map_err(Error::Output)?,
        Err(_) => drop(fs::remove_file(&new)),
    }
    filled
}

fn source(path: &Path) -> Source {
    match path == Path::new("-") {
        true => Source::Stdin,
        false => Source::Path(path.to_owned()),
    }
}

/// Records have the articles' ids, and titles that could pass for their texts.
fn refuse_records(runs: &[PathBuf], articles: &[Source]) -> Result<()> {
    let is_run = |path: &PathBuf| {
        let mut runs = runs.iter();
        runs.any(|run| same_file::is_same_file(run, path).unwrap_or(false))
    };
    let given = articles.iter().find_map(|source| match source {
        Source::Path(path) if is_run(path) => Some(path),
        _ => None,
    });
    match given {
        Some(path) => Err(Error::Usage(format!(
            "--articles {}: these are the records; name what `tidings classify` read",
            path.display()
        ))),
        None => Ok(()),
    }
}

/// The whole page: records, then texts. In a folder of articles the files of `own` and the runs are none.
fn fill(
    args: &Report,
    out: impl Write,
    articles: Vec<Source>,
    own: Vec<PathBuf>,
) -> Result<Outcome> {
    let mut page = Page::new(BufWriter::new(out));
    let (mut records, mut others) = (0, 0);
    for run in &args.runs {
        let (found, foreign) = copy(run, &mut page)?;
        records += found;
        others += foreign;
    }
    if records == 0 {
        let runs: Vec<String> = args.runs.iter().map(|run| name(run)).collect();
        return Err(Error::Usage(format!(
            "no records in {}: give the output of `tidings classify` as JSON Lines (.jsonl; of a .jsonl.gz, `zcat FILE | tidings report -`)",
            runs.join(", ")
        )));
    }
    page.skipped(others as u64);
    let given = !articles.is_empty();
    let clean = CleanOptions {
        max_chars: args.input.max_chars,
        languages: Vec::new(),
    };
    let options = ReadOptions {
        skip: Skip::new(own.into_iter().chain(args.runs.iter().cloned()), None),
        ..args.input.read_options()
    };
    for raw in Reader::new(articles, options) {
        let id = raw.id.clone();
        if !page.awaits(&id) {
            continue;
        }
        // What cannot be read has its error record.
        if let Ok(article) = raw.clean(&clean) {
            page.text(&id, &article.text()).map_err(Error::Output)?;
        }
    }
    page.finish().map_err(Error::Output)?;
    let without = page.awaited();
    if given && without > 0 {
        say(&format!(
            "warning: no text for {} of those answered; name the inputs as that run did (ids are their paths)",
            count(without, "article")
        ));
    }
    if !args.quiet {
        say(&count(records, "record"));
    }
    if others > 0 {
        let are = if others == 1 {
            "is no record and was"
        } else {
            "are no records and were"
        };
        say(&format!(
            "warning: {} {are} left out",
            count(others, "line")
        ));
        return Ok(Outcome::SomeFailed);
    }
    Ok(Outcome::Done)
}

fn name(run: &Path) -> String {
    match run == Path::new("-") {
        true => "standard input".to_owned(),
        false => run.display().to_string(),
    }
}

/// Copies the records of `run`; how many, and how many lines are none.
fn copy<W: Write>(run: &Path, page: &mut Page<W>) -> Result<(usize, usize)> {
    let cannot = |e| Error::Usage(format!("cannot read {}: {e}", name(run)));
    let mut lines: Box<dyn BufRead> = match run == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => Box::new(BufReader::new(File::open(run).map_err(cannot)?)),
    };
    let (mut records, mut others, mut number) = (0, 0, 0_u64);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut lines).take(LONGEST).read_until(b'\n', &mut line);
        if read.map_err(cannot)? == 0 {
            return Ok((records, others));
        }
        number += 1;
        if number == 1 && line.starts_with(MARK) {
            line.drain(..MARK.len());
        }
        let reason = if line.len() as u64 == LONGEST && !line.ends_with(b"\n") {
            skip_line(&mut lines).map_err(cannot)?;
            format!("more than {LONGEST} bytes")
        } else if line.trim_ascii().is_empty() {
            continue;
        } else {
            match record(line.trim_ascii()) {
                Ok(record) => {
                    page.write(&record).map_err(Error::Output)?;
                    records += 1;
                    continue;
                }
                Err(Not::Record(reason)) => reason,
                Err(Not::Ours(schema)) => {
                    return Err(Error::Usage(format!(
                        "{}, line {number}: a record of schema {schema}, which a newer version of tidings wrote; this one reads {SCHEMA}. Make the \
                         page with that one",
                        name(run)
                    )));
                }
            }
        };
        others += 1;
        if others <= SAID {
            say(&format!(
                "warning: {}, line {number} is no record: {reason}",
                name(run)
            ));
        }
    }
}

/// What a line is instead of a record that can be read.
enum Not {
    /// None at all, and why.
    Record(String),
    /// One of a newer schema: a page without it would mislead.
    Ours(u32),
}

fn record(line: &[u8]) -> std::result::Result<Record, Not> {
    /// The one field that every schema has; of a newer one the others may be anything.
    #[derive(serde::Deserialize)]
    struct Version {
        schema: u32,
    }
    let none = |why: String| Err(Not::Record(why));
    if line.starts_with(b"[") {
        return none(
            "a JSON array begins; `jq -c .[] FILE | tidings report -` gives its records one a line"
                .to_owned(),
        );
    }
    match serde_json::from_slice(line) {
        Ok(Version { schema: SCHEMA }) | Err(_) => {}
        Ok(Version { schema }) if schema > SCHEMA => return Err(Not::Ours(schema)),
        Ok(Version { schema }) => return none(format!("there is no schema {schema}")),
    }
    serde_json::from_slice(line).or_else(|e| {
        none(match e.classify() {
            serde_json::error::Category::Eof => "it is cut off".to_owned(),
            serde_json::error::Category::Data => "it has other fields".to_owned(),
            _ => "it is not JSON".to_owned(),
        })
    })
}

/// Reads on to the line's end, keeping nothing.
fn skip_line(lines: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let buffer = lines.fill_buf()?;
        let (used, over) = match memchr::memchr(b'\n', buffer) {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        lines.consume(used);
        if over {
            return Ok(());
        }
    }
}
