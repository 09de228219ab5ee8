//! Interrupts: the first one asks the run to end, a second one ends the program.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// What was heard so far.
#[derive(Default)]
pub struct Signals {
    /// Set once the run should end.
    pub stop: Arc<AtomicBool>,
    last: Arc<AtomicUsize>,
}

impl Signals {
    /// Listens for SIGINT and SIGTERM from now on.
    ///
    /// # Errors
    /// The system's.
    pub fn listen() -> io::Result<Self> {
        let signals = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the second signal finds the flag that the first has set.
            flag::register_conditional_shutdown(signal, 128 + signal, signals.stop.clone())?;
            flag::register_usize(signal, signals.last.clone(), signal as usize)?;
            flag::register(signal, signals.stop.clone())?;
        }
        Ok(signals)
    }

    /// The exit code that says which signal ended the program.
    pub fn exit_code(&self) -> u8 {
        128 + self.last.load(Ordering::Relaxed) as u8
    }
}
