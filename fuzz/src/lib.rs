//! What is fuzzed: see [`targets`], which the tests of the program play the seeds and all that was found through as well.

pub mod targets;

use std::panic;

/// A panic ends the fuzzing, caught or not, unless it is one of a library: those are caught where that library is called.
pub fn hook() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let file = panic.location().map_or("", |location| location.file());
        if !file.contains("/registry/") {
            usual(panic);
        }
    }));
}
