//! Bytes that articles take on their way from the reader through the model: while they are too many, nothing is read.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::article::{Content, Raw};

/// So many bytes, about, may be on their way.
const IN_FLIGHT: usize = 32 << 20;
/// What parsing a page takes, in its own size.
const PAGE_COST: usize = 4;

/// Bytes of articles that are on their way.
#[derive(Debug, Default)]
pub struct Budget {
    used: Mutex<usize>,
    freed: Condvar,
}

impl Budget {
    /// Waits until there is room for one more.
    pub fn wait(&self) {
        let mut used = lock(&self.used);
        while *used > IN_FLIGHT {
            used = self
                .freed
                .wait(used)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A part of a [`Budget`]; dropped, it is free again.
pub struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Permit {
    /// Takes `bytes` of it.
    pub fn new(budget: &Arc<Budget>, bytes: usize) -> Self {
        *lock(&budget.used) += bytes;
        Self {
            budget: Arc::clone(budget),
            bytes,
        }
    }

    /// Gives back all but `bytes`.
    pub fn shrink(&mut self, bytes: usize) {
        let freed = self.bytes.saturating_sub(bytes);
        if freed > 0 {
            *lock(&self.budget.used) -= freed;
            self.bytes -= freed;
            self.budget.freed.notify_all();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

/// Bytes that reading an article takes, about.
pub fn cost(raw: &Raw) -> usize {
    let content = match &raw.content {
        Ok(Content::Text(text)) => text.len(),
        Ok(Content::Html(page)) => page.len() * PAGE_COST,
        Err(_) => 0,
    };
    let parts = [&raw.title, &raw.date, &raw.claim];
    let parts = parts.into_iter().flatten().map(String::len).sum::<usize>();
    content + parts + raw.id.len() + raw.fields.as_ref().map_or(0, |fields| fields.0.len())
}

/// The lock, whatever became of its last holder.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What panicked while it held the lock has left nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
