//! In place of `hub.rs` where the program is built without it: the cache is still read, nothing is fetched.

use super::{Cache, Event, Id, Pulled, Settings};
use crate::error::{Error, Result};

/// The hub, out of reach.
#[derive(Debug, Clone)]
pub struct Hub(());

impl Hub {
    /// A hub that nothing comes from.
    pub fn new(_: &Settings) -> Self {
        Self(())
    }

    /// Always an error.
    ///
    /// # Errors
    /// [`Error::Model`]: this build has no hub.
    pub fn pull(&self, _: &Id, _: &Cache, _: &mut dyn FnMut(Event<'_>)) -> Result<Pulled> {
        Err(Error::Model(
            "this program was built without the hub (feature `hub`): copy the model's folder here, and name that with --model"
                .to_owned(),
        ))
    }
}
