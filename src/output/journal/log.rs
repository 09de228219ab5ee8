//! The log beside an output: what it says, read up to where it is torn, and how much of the output counts by it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Earlier, Journal, disk, with_suffix};
use crate::error::{ArticleErrorKind, Error, Result};

/// The first line of a log.
#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) tidings: String,
    pub(super) settings: Map<String, Value>,
}

/// Every other line of a log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) articles: u64,
    pub(super) bytes: u64,
    pub(super) inputs: String,
    pub(super) failed: Vec<Failure>,
}

/// A failure in a log: the article's place, why, and whether it stands for the rest of its file.
pub(super) type Failure = (u64, ArticleErrorKind, bool);

/// Where the answered part ends, in the output and in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct End {
    pub(super) articles: u64,
    pub(super) bytes: u64,
    pub(super) log: u64,
}

impl Checkpoint {
    pub(super) fn failure(&self, article: u64) -> Option<&Failure> {
        let found = self.failed.binary_search_by_key(&article, |(at, ..)| *at);
        found.ok().and_then(|at| self.failed.get(at))
    }
}

/// The lines of a log after its first, each with the byte where it ends; up to one that is torn.
pub(super) struct Checkpoints {
    pub(super) lines: BufReader<File>,
    pub(super) last: Checkpoint,
    pub(super) at: u64,
}

impl Iterator for Checkpoints {
    type Item = (Checkpoint, u64);

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        self.lines.read_until(b'\n', &mut line).ok()?;
        let whole = line.ends_with(b"\n");
        let next: Checkpoint = serde_json::from_slice(&line).ok().filter(|_| whole)?;
        let goes_on = next.articles > self.last.articles && next.bytes >= self.last.bytes;
        self.at += line.len() as u64;
        self.last = goes_on.then_some(next)?;
        Some((self.last.clone(), self.at))
    }
}

/// The log of the output at `place`.
pub(super) fn read_log(place: &Path) -> Result<(Header, Checkpoints)> {
    let path = Journal::log_of(place);
    let unknown = |why: String| {
        Error::Usage(format!(
            "cannot tell what {} answers: {} {why}; start anew with --force",
            place.display(),
            path.display()
        ))
    };
    let file = File::open(&path).map_err(|e| unknown(format!("cannot be read ({e})")))?;
    let mut lines = BufReader::new(file);
    let mut line = Vec::new();
    let header = lines
        .read_until(b'\n', &mut line)
        .ok()
        .and_then(|_| serde_json::from_slice(&line).ok());
    let header = header.ok_or_else(|| unknown("is damaged".to_owned()))?;
    let checkpoints = Checkpoints {
        lines,
        last: Checkpoint::default(),
        at: line.len() as u64,
    };
    Ok((header, checkpoints))
}

/// How much of `out` counts, when its run had the same `settings`.
pub(super) fn answered(
    place: &Path,
    out: &mut File,
    settings: &Map<String, Value>,
) -> Result<(End, Earlier)> {
    let (header, _) = read_log(place)?;
    refuse_other_settings(place, &header, settings)?;
    let mut reach = out.metadata().map_err(Error::Output)?.len();
    loop {
        let (_, checkpoints) = read_log(place)?;
        let mut end = End {
            log: checkpoints.at,
            ..End::default()
        };
        let mut earlier = Earlier::default();
        for (checkpoint, log) in checkpoints {
            if checkpoint.bytes > reach {
                break;
            }
            end = End {
                articles: checkpoint.articles,
                bytes: checkpoint.bytes,
                log,
            };
            earlier.articles = checkpoint.articles;
            for (_, kind, _) in checkpoint.failed {
                *earlier.failed.entry(kind).or_default() += 1;
            }
        }
        let whole = whole_up_to(out, end.bytes).map_err(Error::Output)?;
        if whole == end.bytes {
            return Ok((end, earlier));
        }
        reach = whole;
    }
}

/// How far a file's first `length` bytes may be whole records: after a power failure it may have its length and not its bytes, which are zeros then.
pub(super) fn whole_up_to(file: &mut File, length: u64) -> io::Result<u64> {
    file.rewind()?;
    let (mut at, mut last) = (0, b'\n');
    let mut start = BufReader::with_capacity(1 << 16, (&*file).take(length));
    loop {
        let bytes = start.fill_buf()?;
        let Some(&end) = bytes.last() else { break };
        if let Some(zero) = memchr::memchr(0, bytes) {
            file.rewind()?;
            return Ok(at + zero as u64);
        }
        last = end;
        let read = bytes.len();
        at += read as u64;
        start.consume(read);
    }
    file.rewind()?;
    Ok(at - u64::from(last != b'\n'))
}

pub(super) fn refuse_other_settings(
    place: &Path,
    then: &Header,
    now: &Map<String, Value>,
) -> Result<()> {
    let mut differences = Vec::new();
    let mut compare = |name: &str, then: Option<&Value>, now: Option<&Value>| {
        if then != now {
            let show = |value: Option<&Value>| value.map_or("none".to_owned(), Value::to_string);
            differences.push(format!("{name} was {}, is {}", show(then), show(now)));
        }
    };
    let program = |version: &str| Value::from(version);
    compare(
        "version",
        Some(&program(&then.tidings)),
        Some(&program(env!("CARGO_PKG_VERSION"))),
    );
    for name in now.keys() {
        compare(name, then.settings.get(name), now.get(name));
    }
    for name in then.settings.keys().filter(|name| !now.contains_key(*name)) {
        compare(name, then.settings.get(name), None);
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "{} is from a run with other settings: {}; go on with those, or start anew with --force",
        place.display(),
        differences.join("; ")
    )))
}

/// Writes the log's first line: all of it is there, or none.
pub(super) fn begin(place: &Path, settings: Map<String, Value>) -> Result<File> {
    let header = Header {
        tidings: env!("CARGO_PKG_VERSION").to_owned(),
        settings,
    };
    let path = Journal::log_of(place);
    let new = with_suffix(&path, "new");
    let begin = || -> io::Result<File> {
        let mut line = serde_json::to_vec(&header)?;
        line.push(b'\n');
        let mut log = File::create(&new)?;
        disk::write(&mut log, &line)?;
        disk::sync(&log)?;
        disk::rename(&new, &path)?;
        Ok(log)
    };
    begin().map_err(Error::Output)
}
