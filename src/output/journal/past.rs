//! The answered part of an earlier run, passed by article by article: is this still the input that was answered?

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::Entry;
use super::log::{Checkpoint, Checkpoints, End, Failure, read_log};
use crate::error::Result;

/// The answered part of an earlier run, as its articles come by.
pub(super) struct Past {
    /// Lines of its log after the current one, which reaches to the next article or further.
    pub(super) checkpoints: Checkpoints,
    pub(super) current: Checkpoint,
    /// The same once more, to know ahead which articles have failed.
    pub(super) again: Option<Checkpoints>,
    pub(super) end: End,
    pub(super) chain: Chain,
    pub(super) position: Position,
    /// Its records, when they are taken over into a new file, and how many records an article has.
    pub(super) old: Option<(BufReader<File>, u64)>,
}

impl Past {
    pub(super) fn open(
        place: &Path,
        end: End,
        old: Option<(BufReader<File>, u64)>,
    ) -> Result<Self> {
        let (_, checkpoints) = read_log(place)?;
        let again = match &old {
            Some(_) => Some(read_log(place)?.1),
            None => None,
        };
        let mut past = Self {
            current: Checkpoint::default(),
            checkpoints,
            again,
            end,
            chain: Chain::default(),
            position: Position::default(),
            old,
        };
        past.advance();
        Ok(past)
    }

    pub(super) fn is_over(&self) -> bool {
        self.position.article >= self.end.articles
    }

    pub(super) fn advance(&mut self) {
        if let Some((next, _)) = self.checkpoints.next() {
            self.current = next;
        }
    }

    /// Passes the next article by, its old records into `kept`. Whether it is still the one that was answered, as far as can be told here.
    pub(super) fn take(
        &mut self,
        entry: &Entry<'_>,
        kept: Option<&mut Vec<u8>>,
    ) -> io::Result<bool> {
        if self.old.is_some() && self.position.is_new(entry.file) {
            return Ok(true);
        }
        let failure = self.current.failure(self.position.article);
        let failed = failure.is_some();
        self.position.step(entry.file, failure);
        self.chain.add(entry, !failed);
        if let Some((old, claims)) = &mut self.old {
            let records = if failed || entry.own_claim {
                1
            } else {
                *claims
            };
            let mut unwanted = Vec::new();
            let to = kept.unwrap_or(&mut unwanted);
            for _ in 0..records {
                old.read_until(b'\n', to)?;
            }
        }
        let articles = self.position.article;
        let same = articles < self.current.articles || self.chain.hex() == self.current.inputs;
        if articles == self.current.articles {
            self.advance();
        }
        Ok(same)
    }
}

/// How far a second try has come in the articles of the first.
#[derive(Default)]
pub(super) struct Position {
    /// Articles of the first try that have come by.
    pub(super) article: u64,
    /// A file that the first try could not read to its end: all that it now brings is new.
    pub(super) mended: Option<u64>,
}

impl Position {
    /// Whether an article of `file` is one that the first try did not see.
    pub(super) fn is_new(&self, file: u64) -> bool {
        self.mended == Some(file)
    }

    /// The first try's next article, one of `file`, has come by.
    pub(super) fn step(&mut self, file: u64, failure: Option<&Failure>) {
        self.article += 1;
        self.mended = failure.and_then(|(_, _, ends_file)| ends_file.then_some(file));
    }
}

/// Hash over articles, in order.
#[derive(Clone, Default)]
pub(super) struct Chain([u8; 32]);

impl Chain {
    /// Takes in an article: all of it, or only that there is one when it has no answer, so that it may be mended before it is tried again.
    pub(super) fn add(&mut self, entry: &Entry<'_>, answered: bool) {
        let mut hash = Sha256::new();
        hash.update(self.0);
        if answered {
            hash.update(entry.digest);
        }
        self.0 = hash.finalize().into();
    }

    pub(super) fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
