//! All integration tests in one binary: one link step.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod architecture;
mod asked;
mod bench;
mod cli;
mod decoders;
mod eval;
mod families;
#[cfg(feature = "parquet")]
mod fuzz;
mod golden;
mod gpu;
#[cfg(feature = "hub")]
mod hub;
mod invariance;
mod packages;
mod program;
mod real;
mod report;
mod rewritten;
mod robustness;
mod runner;
mod schema;
mod seq2seq;
mod summaries;

use std::path::PathBuf;

/// A path below `tests/`.
fn path(below: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(below)
}
