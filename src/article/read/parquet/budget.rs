//! What reading one file may cost, over all its columns: memory at a time, and work in all. A few kilobytes can ask for any amount of both.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{malformed, too_large};
use crate::error::ArticleError;

/// How much larger than a file all that is read, unpacked and told of it may be: what zstd makes of a text that repeats itself.
const REPEATED: u64 = 1000;
/// Most bytes that pages and their decoders hold at a time.
const IN_HAND: u64 = 256 << 20;

/// What is left of it. One thread reads a file; the counts are atomic because it may be another one than opened it.
#[derive(Debug)]
pub(super) struct Budget {
    in_hand: AtomicU64,
    left: AtomicU64,
}

impl Budget {
    /// For a file of `size` bytes, of which one row may have `most`: a small file of a few large rows is no bomb.
    pub(super) fn new(size: u64, most: u64) -> Self {
        let left = most
            .saturating_mul(4)
            .saturating_add(size.saturating_mul(REPEATED));
        Self {
            in_hand: AtomicU64::new(0),
            left: AtomicU64::new(left),
        }
    }

    /// Bytes that are read, unpacked, or told of a row.
    pub(super) fn spend(&self, bytes: u64) -> Result<(), ArticleError> {
        let less = |left: u64| left.checked_sub(bytes);
        match self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
        {
            Ok(_) => Ok(()),
            Err(_) => Err(malformed(format!(
                "its pages and rows come to more than {REPEATED} times what the file has; the rest was not read"
            ))),
        }
    }

    /// Bytes that are held until they are let [go](Self::release).
    pub(super) fn hold(&self, bytes: u64) -> Result<(), ArticleError> {
        let in_hand = self.in_hand.fetch_add(bytes, Ordering::Relaxed) + bytes;
        match in_hand > IN_HAND {
            true => Err(too_large("what its pages hold at one time", IN_HAND)),
            false => Ok(()),
        }
    }

    pub(super) fn release(&self, bytes: u64) {
        self.in_hand.fetch_sub(bytes, Ordering::Relaxed);
    }
}
