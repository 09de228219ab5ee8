//! One input, several machines: which articles are this one's, and what it could not read of the others'.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::error::ArticleError;

/// Part `index` of `of`, as `3/16` says it. The parts together are the whole, each article in exactly one.
///
/// A record goes by its own bytes and a file that is one article by its path below the folder that is read, so an article's part depends
/// on nothing else: not on its place, not on what stands beside it. Of other parts' files no more is read than tells what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    of: u64,
}

impl Shard {
    /// Whether what these bytes stand for is in this part.
    pub(super) fn takes(self, bytes: &[u8]) -> bool {
        let digest = Sha256::digest(bytes);
        let first = digest.iter().take(8);
        let number = first.fold(0, |number, &byte| number << 8 | u64::from(byte));
        number % self.of == self.index - 1
    }
}

/// Files, or the rest of them, that could not be read here and whose error record is in another part: that part may well have read them.
/// Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere(Arc<Mutex<(usize, Vec<String>)>>);

impl Elsewhere {
    /// Messages that are kept at most.
    const KEPT: usize = 10;

    pub(super) fn add(&self, place: String, error: ArticleError) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.0 += 1;
        if found.1.len() < Self::KEPT {
            found.1.push(format!("{place}: {}", error.message));
        }
    }

    /// How many there are, and the first of them with the reasons.
    pub fn found(&self) -> (usize, Vec<String>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text
            .split_once('/')
            .and_then(|(index, of)| Some((index.parse::<u64>().ok()?, of.parse::<u64>().ok()?)));
        match numbers {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err("a part of a whole, from 1: `1/16` to `16/16`".to_owned()),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}
