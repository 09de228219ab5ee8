//! Tidings reads news articles with a local transformer and says, for each, where it stands on a claim, and which sentences say so.
//!
//! ```no_run
//! use tidings::article::read::{ReadOptions, Reader, sources};
//! use tidings::output::JsonLines;
//! use tidings::{Device, Engine, Files, Model, Options};
//!
//! # fn main() -> tidings::Result<()> {
//! let model = Model::load(&Files::open("stance-en-small")?, Device::Auto, Engine::Native)?;
//! let articles = Reader::new(sources(&["articles/".to_owned()])?, ReadOptions::default());
//! let mut out = JsonLines(std::io::stdout());
//! let totals = tidings::run(articles, &model, &Options::default(), &mut out, &mut |_| ())?;
//! assert_eq!(totals.failed(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! The flow, and where it lives: [`article`] (read, clean, split) → [`stance`] (windows, verdict) → [`model`] (encoder and heads,
//! on [`kernel`]) → [`output`] (records), joined by [`pipeline`].

pub mod article;
pub mod batch;
pub mod error;
pub mod kernel;
pub mod model;
pub mod output;
pub mod pipeline;
pub mod stance;

pub use error::{ArticleError, Error, Result};
pub use model::{Device, Engine, Files, Model};
pub use output::Record;
pub use pipeline::{Options, Totals, run};
pub use stance::{Stance, Verdict};
