//! How fast it is, measured so that a sceptic believes it. Everything here is data; printing is the program's affair.
//!
//! Four ideas:
//!
//! 1. **What is measured is a process** ([`subject`]) that waits until it is asked for a pass, so that load time and memory are its
//!    own, and subjects (models, engines, other people's programs) can take turns ([`conduct`]).
//! 2. **What is timed is the user's work**: a pass is [`crate::run`] over the texts, from reading to records; a second pass tells the
//!    stages apart ([`worker`]).
//! 3. **Samples are kept, figures are made from them** ([`statistics`], [`report`]): a file of a run has every sample, and nothing is
//!    dropped. Intervals are over processes, since passes of one are alike.
//! 4. **What could explain a figure stands beside it**: the machine ([`machine`]), its peaks in the same run ([`roofline`]), how much
//!    of its processors others had meanwhile, the version, the settings. Two runs that differ in settings are not compared
//!    ([`mod@compare`]).

pub mod compare;
pub mod conduct;
pub mod machine;
pub mod report;
pub mod roofline;
pub mod statistics;
pub mod subject;
pub mod texts;
pub mod worker;

pub use self::compare::{Comparison, compare};
pub use self::conduct::{Plan, Samples, measure};
pub use self::report::Report;
pub use self::subject::{Process, Ready, Setup, Start, Subject};
pub use self::texts::Texts;
pub use self::worker::Worker;
