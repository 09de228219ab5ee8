//! How far unpacking may go without finding a record: a few kilobytes can hold ten gigabytes of one line, or of blank ones.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{ArticleError, ArticleErrorKind};

/// Unpacked bytes since the last record.
#[derive(Debug, Clone, Default)]
pub(super) struct Fuel(Arc<AtomicU64>);

impl Fuel {
    /// A record was found: what lies before it no longer counts.
    pub(super) fn refill(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// `packed`, unpacked up to `most` bytes past the last record; then an error that [`bomb`] knows.
    pub(super) fn meter(&self, unpacked: Box<dyn Read + Send>, most: u64) -> Box<dyn Read + Send> {
        Box::new(Metered {
            unpacked,
            fuel: self.clone(),
            most,
        })
    }
}

struct Metered {
    unpacked: Box<dyn Read + Send>,
    fuel: Fuel,
    most: u64,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.unpacked.read(buffer)?;
        let used = self.fuel.0.fetch_add(read as u64, Ordering::Relaxed) + read as u64;
        if used > self.most {
            return Err(io::Error::other(Bomb(self.most)));
        }
        Ok(read)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("more than {0} bytes unpack without a record; the rest was not read")]
struct Bomb(u64);

/// The article's error if `error` is that of a meter.
pub(super) fn bomb(error: &io::Error) -> Option<ArticleError> {
    let bomb = error.get_ref()?.downcast_ref::<Bomb>()?;
    Some(ArticleError::new(
        ArticleErrorKind::TooLarge,
        bomb.to_string(),
    ))
}
