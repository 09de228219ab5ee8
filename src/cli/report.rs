//! `tidings report`: records, and perhaps the articles that they are about, made into a page.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use tidings::article::CleanOptions;
use tidings::article::read::{Reader, sources};
use tidings::output::{Page, Record, Sink};
use tidings::{Error, Result};

use super::args::Report;
use super::destination::{refuse_existing, suffixed};
use super::{Outcome, say};

/// Bytes of a line beyond which it is no record.
const LONGEST: u64 = 64 << 20;
/// Lines that are no records of which the reason is said.
const SAID: u64 = 3;

/// Runs the command.
pub fn run(args: &Report) -> Result<Outcome> {
    let output = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    let articles = sources(&args.articles)?;
    let Some(output) = output else {
        if io::stdout().is_terminal() {
            return Err(Error::Usage(
                "a page is not for the terminal: name a file with -o report.html, or pipe it somewhere".to_owned(),
            ));
        }
        let mut page = Page::new(BufWriter::new(io::stdout().lock()));
        return fill(args, &mut page, articles);
    };
    if let Some(run) = args
        .runs
        .iter()
        .find(|run| output.exists() && same_file::is_same_file(run, output).unwrap_or(false))
    {
        return Err(Error::Usage(format!(
            "{} is both input and output; name another file with -o",
            run.display()
        )));
    }
    refuse_existing(output, args.force, "")?;
    if output.exists() && !output.is_file() {
        let mut page = Page::new(BufWriter::new(File::create(output).map_err(Error::Output)?));
        return fill(args, &mut page, articles);
    }
    // All of it or nothing: the file has its name when it is whole.
    let new = suffixed(output, "new");
    let mut page = Page::new(BufWriter::new(File::create(&new).map_err(Error::Output)?));
    let filled = fill(args, &mut page, articles);
    drop(page);
    match filled {
        Ok(outcome) => {
            fs::rename(&new, output).map_err(Error::Output)?;
            Ok(outcome)
        }
        Err(error) => {
            fs::remove_file(&new).ok();
            Err(error)
        }
    }
}

/// The whole page: records, then texts.
fn fill<W: Write>(
    args: &Report,
    page: &mut Page<W>,
    articles: Vec<tidings::article::read::Source>,
) -> Result<Outcome> {
    if !articles.is_empty() {
        page.expect_texts();
    }
    let (mut records, mut others) = (0, 0);
    for run in &args.runs {
        let (found, foreign) = copy(run, page)?;
        records += found;
        others += foreign;
    }
    if records == 0 {
        let runs: Vec<String> = args.runs.iter().map(|r| r.display().to_string()).collect();
        return Err(Error::Usage(format!(
            "no records in {}: give the output of `tidings classify` (.jsonl)",
            runs.join(", ")
        )));
    }
    page.skipped(others);
    let given = !articles.is_empty();
    let clean = CleanOptions {
        max_chars: args.input.max_chars,
        languages: Vec::new(),
    };
    for raw in Reader::new(articles, args.input.read_options()) {
        let id = raw.id.clone();
        // What cannot be read has its error record.
        if let Ok(article) = raw.clean(&clean) {
            page.text(&id, &article.text()).map_err(Error::Output)?;
        }
    }
    let without = page.awaited();
    page.finish().map_err(Error::Output)?;
    if given && without > 0 {
        say(&format!(
            "warning: {without} of the answered articles are not among --articles; name the inputs as that run did (ids are their paths)"
        ));
    }
    if !args.quiet {
        say(&format!("{records} records"));
    }
    if others > 0 {
        say(&format!(
            "warning: {others} lines are no records and were left out"
        ));
        return Ok(Outcome::SomeFailed);
    }
    Ok(Outcome::Done)
}

/// Copies the records of `run`; how many, and how many lines are none.
fn copy<W: Write>(run: &PathBuf, page: &mut Page<W>) -> Result<(u64, u64)> {
    let cannot = |e| Error::Usage(format!("cannot read {}: {e}", run.display()));
    let mut lines: Box<dyn BufRead> = match run.as_path() == Path::new("-") {
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
        let reason = if line.len() as u64 == LONGEST && !line.ends_with(b"\n") {
            skip_line(&mut lines).map_err(cannot)?;
            format!("more than {LONGEST} bytes")
        } else if line.trim_ascii().is_empty() {
            continue;
        } else {
            match record(&line) {
                Ok(record) => {
                    page.write(&record).map_err(Error::Output)?;
                    records += 1;
                    continue;
                }
                Err(reason) => reason,
            }
        };
        others += 1;
        if others <= SAID {
            say(&format!(
                "warning: {} line {number} is no record: {reason}",
                run.display()
            ));
        }
    }
}

fn record(line: &[u8]) -> std::result::Result<Record, String> {
    let record: Record =
        serde_json::from_slice(line.trim_ascii()).map_err(|e| match e.classify() {
            serde_json::error::Category::Eof => "it is cut off".to_owned(),
            serde_json::error::Category::Data => "it has other fields".to_owned(),
            _ => "it is not JSON".to_owned(),
        })?;
    match record.schema {
        1 => Ok(record),
        other => Err(format!(
            "schema {other}, of another version of tidings; this one reads 1"
        )),
    }
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
