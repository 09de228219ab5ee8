//! Records in a file that a run can be killed over, anywhere, and go on with.
//!
//! Beside `run.jsonl`, which holds the records and nothing else, lies its log, `run.jsonl.run`: first a line with the run's settings,
//! then one line a batch:
//!
//! ```json
//! {"articles":96,"bytes":118702,"inputs":"5be0…","failed":[[41,"empty",false]]}
//! ```
//!
//! says that the records of the first 96 articles of the input end at that byte, that `inputs` is the hash chained over those articles,
//! and that since the line before it article 41 (from 0) had none but an error record (`true`: one that stands for all the rest of its
//! file). A batch's line is written **before** its records: so the log ([`log`]) covers whatever the output holds, and going on is: find
//! the last line that the output reaches, pass the input's articles by it while the chain agrees ([`past`]), cut off what stands after
//! it, append.
//!
//! Trying errors again is the same, into a new pair of files (`run.jsonl.retry`) that takes the old records over and is
//! renamed in the end.

mod disk;
mod log;
mod past;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use self::log::{Checkpoint, End, Failure, answered, begin, read_log};
use self::past::{Chain, Past, Position};
use super::{Entry, Record, Sink};
use crate::article::Raw;
use crate::error::{ArticleErrorKind, Error, Result};

/// How often the disk is asked to make sure: what a power failure may cost.
const SYNC: Duration = Duration::from_secs(10);
/// Bytes of records that wait for the end of their batch, about.
const HELD: usize = 4 << 20;

/// The output and its log.
pub struct Journal {
    place: PathBuf,
    out: File,
    log: File,
    /// What an earlier run has left, until the input has come by it.
    past: Option<Past>,
    earlier: Earlier,
    /// Where the records go in the end, when this is a second try.
    replaces: Option<PathBuf>,
    /// Records that are not written yet.
    records: Vec<u8>,
    chain: Chain,
    articles: u64,
    bytes: u64,
    failed: Vec<Failure>,
    /// Articles at the last line of the log.
    logged: u64,
    synced: Instant,
}

/// What the output held before this run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Earlier {
    /// Articles with records.
    pub articles: u64,
    /// Those of them with error records, by kind.
    pub failed: BTreeMap<ArticleErrorKind, u64>,
}

impl Journal {
    /// The log of the output `place`.
    pub fn log_of(place: &Path) -> PathBuf {
        with_suffix(place, "run")
    }

    /// An empty output at `place`, whatever was there before. `settings` are what changes a record; a run that goes on must have the same.
    ///
    /// # Errors
    /// [`Error::Usage`] when it cannot be written.
    pub fn create(place: &Path, settings: Map<String, Value>) -> Result<Self> {
        let out = open(place)?;
        // What a second try may have left would be taken for this output's.
        let left = Self::log_of(&with_suffix(place, "retry"));
        disk::remove(&left).map_err(|e| cannot_write(&left, &e))?;
        let log = begin(place, settings)?;
        disk::cut(&out, 0).map_err(|e| cannot_write(place, &e))?;
        Ok(Self::new(place, out, log))
    }

    /// Goes on with the output at `place`; begins one if there is none.
    ///
    /// # Errors
    /// [`Error::Usage`] when the settings differ (the message names them) or the log is missing.
    pub fn resume(place: &Path, settings: Map<String, Value>) -> Result<Self> {
        mend_names(place)?;
        if fs::metadata(place).map_or(0, |m| m.len()) == 0 {
            return Self::create(place, settings);
        }
        let mut out = open(place)?;
        let (end, earlier) = answered(place, &mut out, &settings)?;
        let log = OpenOptions::new().write(true).open(Self::log_of(place));
        let log = log.map_err(|e| cannot_write(&Self::log_of(place), &e))?;
        let past = Past::open(place, end, None)?;
        Ok(Self {
            past: Some(past),
            earlier,
            ..Self::new(place, out, log)
        })
    }

    /// Writes the output at `place` anew: the records of its answered articles as they are, those of the others from this run, which
    /// asks `claims` claims of every article that brings none of its own. The new file takes the old one's place when the run ends.
    ///
    /// # Errors
    /// As [`Journal::resume`]; also when there is no output.
    pub fn retry(place: &Path, settings: Map<String, Value>, claims: usize) -> Result<Self> {
        mend_names(place)?;
        let mut old = File::open(place)
            .map_err(|e| Error::Usage(format!("cannot read {}: {e}", place.display())))?;
        lock(&old, place)?;
        let (end, earlier) = answered(place, &mut old, &settings)?;
        let past = Past::open(place, end, Some((BufReader::new(old), claims as u64)))?;
        let new = with_suffix(place, "retry");
        // In this order: `mend_names` tells from it how far a renaming came.
        let out = open(&new)?;
        disk::cut(&out, 0).map_err(|e| cannot_write(&new, &e))?;
        let log = begin(&new, settings)?;
        Ok(Self {
            past: Some(past),
            earlier,
            replaces: Some(place.to_owned()),
            ..Self::new(&new, out, log)
        })
    }

    fn new(place: &Path, out: File, log: File) -> Self {
        Self {
            place: place.to_owned(),
            out,
            log,
            past: None,
            earlier: Earlier::default(),
            replaces: None,
            records: Vec::new(),
            chain: Chain::default(),
            articles: 0,
            bytes: 0,
            failed: Vec::new(),
            logged: 0,
            synced: Instant::now(),
        }
    }

    /// What the output held before this run.
    pub fn earlier(&self) -> &Earlier {
        &self.earlier
    }

    /// Ends the output; `whole` when the run came to the end of its input. A second try then takes the place of the first; otherwise it is
    /// forgotten, and can be after an error too.
    ///
    /// # Errors
    /// [`Error::Usage`] when the input held fewer articles than an earlier run has answered; [`Error::Output`] when the disk fails.
    pub fn finish(mut self, whole: bool) -> Result<()> {
        if self.replaces.is_some() && !whole {
            // The log first: alone, it would be taken for a renamed output's.
            let log = disk::remove(&Self::log_of(&self.place));
            return log
                .and_then(|()| disk::remove(&self.place))
                .map_err(Error::Output);
        }
        self.flush().map_err(Error::Output)?;
        if let Some(past) = &self.past
            && whole
        {
            return Err(Error::Usage(format!(
                "the input has {} articles, but {} answers {}: name the inputs of that run, or start anew with --force",
                past.position.article,
                self.replaces.as_ref().unwrap_or(&self.place).display(),
                past.end.articles,
            )));
        }
        let end = || -> io::Result<()> {
            disk::sync(&self.log)?;
            disk::sync(&self.out)?;
            match &self.replaces {
                Some(place) => {
                    disk::rename(&self.place, place)?;
                    disk::rename(&Self::log_of(&self.place), &Self::log_of(place))
                }
                None => Ok(()),
            }
        };
        end().map_err(Error::Output)
    }

    /// All files that may be made of the output `place`, which are never input.
    pub fn files(place: &Path) -> Vec<PathBuf> {
        let outputs = [place.to_owned(), with_suffix(place, "retry")];
        let files = |output: &PathBuf| {
            let log = Self::log_of(output);
            [output.clone(), with_suffix(&log, "new"), log]
        };
        outputs.iter().flat_map(files).collect()
    }

    /// Once the input has come by all that was answered: from here on records are added.
    fn settle(&mut self) -> io::Result<()> {
        let Some(past) = self.past.take_if(|past| past.is_over()) else {
            return Ok(());
        };
        if self.replaces.is_none() {
            let End {
                articles,
                bytes,
                log,
            } = past.end;
            disk::cut(&self.log, log)?;
            disk::cut(&self.out, bytes)?;
            self.log.seek(SeekFrom::Start(log))?;
            self.out.seek(SeekFrom::Start(bytes))?;
            (self.logged, self.bytes) = (articles, bytes);
        }
        Ok(())
    }

    /// Whether an article of the answered part is the one that was answered; `keep` its old records.
    fn recognise(&mut self, entry: &Entry<'_>, keep: bool) -> Result<()> {
        let Some(past) = self.past.as_mut().filter(|past| !past.is_over()) else {
            return Ok(());
        };
        let kept = keep.then_some(&mut self.records);
        if past.take(entry, kept).map_err(Error::Output)? {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "the input has changed: `{}`, its article {}, or one shortly before it, is not the one that {} answers; name the inputs of \
             that run as they were, or start anew with --force; a file that could not be read then and can be now is read by --retry-errors",
            entry.id,
            past.position.article,
            self.replaces.as_ref().unwrap_or(&self.place).display(),
        )))
    }
}

impl Sink for Journal {
    fn write(&mut self, record: &Record) -> io::Result<()> {
        serde_json::to_writer(&mut self.records, record)?;
        self.records.push(b'\n');
        Ok(())
    }

    fn passed(&mut self) -> Box<dyn FnMut(&Raw) -> bool + Send> {
        let Some(past) = &mut self.past else {
            return Box::new(|_| false);
        };
        let articles = past.end.articles;
        let Some(mut after) = past.again.take() else {
            let mut count = 0;
            return Box::new(move |_| {
                count += 1;
                count <= articles
            });
        };
        let mut position = Position::default();
        let mut checkpoint = Checkpoint::default();
        Box::new(move |raw| {
            if position.is_new(raw.file) || position.article >= articles {
                return false;
            }
            while checkpoint.articles <= position.article
                && let Some((next, _)) = after.next()
            {
                checkpoint = next;
            }
            let failure = checkpoint.failure(position.article);
            position.step(raw.file, failure);
            failure.is_none()
        })
    }

    fn pass(&mut self, entry: &Entry<'_>) -> Result<()> {
        self.recognise(entry, true)?;
        if self.replaces.is_some() {
            self.chain.add(entry, true);
        } else if let Some(past) = &self.past {
            self.chain = past.chain.clone();
        }
        self.articles += 1;
        Ok(())
    }

    fn end(&mut self, entry: &Entry<'_>) -> Result<()> {
        self.recognise(entry, false)?;
        self.chain.add(entry, entry.error.is_none());
        self.failed.extend(
            entry
                .error
                .map(|kind| (self.articles, kind, entry.ends_file)),
        );
        self.articles += 1;
        if self.records.len() > HELD {
            self.flush().map_err(Error::Output)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.settle()?;
        let passing = self.past.is_some() && self.replaces.is_none();
        if passing || self.articles == self.logged {
            return Ok(());
        }
        let checkpoint = Checkpoint {
            articles: self.articles,
            bytes: self.bytes + self.records.len() as u64,
            inputs: self.chain.hex(),
            failed: std::mem::take(&mut self.failed),
        };
        let mut line = serde_json::to_vec(&checkpoint)?;
        line.push(b'\n');
        disk::write(&mut self.log, &line)?;
        if let Err(error) = disk::write(&mut self.out, &self.records) {
            // Whole records only, if the disk (a full one, say) still allows it; going on would cut them off as well.
            disk::cut(&self.out, self.bytes).ok();
            return Err(error);
        }
        (self.logged, self.bytes) = (checkpoint.articles, checkpoint.bytes);
        self.records.clear();
        if self.synced.elapsed() > SYNC {
            disk::sync(&self.log)?;
            disk::sync(&self.out)?;
            self.synced = Instant::now();
        }
        Ok(())
    }
}

/// Opens an output, whose bytes stay, for this run alone.
fn open(place: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(place);
    let file = file.map_err(|e| cannot_write(place, &e))?;
    lock(&file, place)?;
    Ok(file)
}

fn lock(file: &File, place: &Path) -> Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::Usage(format!(
            "another run is writing to {}",
            place.display()
        ))),
        // Some file systems have no locks: the user must see to it there.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// A second try may have been stopped between its two renamings: the output has its new name, the log has not.
fn mend_names(place: &Path) -> Result<()> {
    let new = with_suffix(place, "retry");
    let log = Journal::log_of(&new);
    if new.exists() || !log.exists() {
        return Ok(());
    }
    // The file may have been deleted by hand: the log must end where the output does.
    let end = read_log(&new)?.1.last().map_or(0, |(last, _)| last.bytes);
    if fs::metadata(place).is_ok_and(|m| m.len() == end) {
        disk::rename(&log, &Journal::log_of(place)).map_err(Error::Output)?;
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    Error::Usage(format!("cannot write {}: {error}", path.display()))
}
