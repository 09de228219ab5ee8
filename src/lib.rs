//! Tidings reads news articles with a local transformer and says, for each, where it stands on a claim, which sentences say so, and
//! what happened, in up to three of its own sentences.
//!
//! ```
//! use tidings::article::read::{ReadOptions, Reader, Source};
//! use tidings::output::JsonLines;
//! use tidings::{Device, Engine, Files, Model, Options};
//!
//! # fn main() -> tidings::Result<()> {
//! let model = Model::load(&Files::open("stance-en-small")?, Device::Auto, Engine::Native)?;
//! let input = br#"{"title": "River talks called off", "text": "Arvenia said on Monday that no talks are planned."}"#;
//! let articles = Reader::with_stdin(vec![Source::Stdin], ReadOptions::default(), Box::new(&input[..]));
//! let mut records = Vec::new();
//! tidings::run(articles, &model, &Options::default(), &mut JsonLines(&mut records), &mut |_| ())?;
//! assert!(String::from_utf8_lossy(&records).contains("\"label\":\"not-imminent\""));
//! # Ok(())
//! # }
//! ```
//!
//! The flow, and where it lives: [`article`] (read, clean, split) → [`stance`] (windows, verdict) → [`model`] (encoder and heads,
//! on [`kernel`]) → [`summary`] (the sentences that tell) → [`output`] (records), joined by [`pipeline`]; [`eval`] measures the answers
//! against labels, [`mod@bench`] how fast they come.

pub mod article;
pub mod batch;
pub mod bench;
pub mod decode;
pub mod error;
pub mod eval;
pub mod kernel;
pub mod model;
pub mod output;
pub mod pipeline;
pub mod stance;
pub mod summary;
mod words;

pub use error::{ArticleError, Error, Result};
pub use model::{Device, Dtype, Engine, Files, Model, Place};
pub use output::Record;
pub use pipeline::{Options, Totals, run};
pub use stance::{Stance, Verdict};
