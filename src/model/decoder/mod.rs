//! Decoders: language models that read from left to right. One network serves Llama's whole family; its weights are safetensors, whole or
//! in shards, or GGUF. Its first use is to say how likely each of four answers is: where an article stands.

mod answers;
mod blocks;
mod config;
mod gguf;
mod llama;
mod passes;
mod prompt;
mod tensors;
mod vocabulary;

pub use self::config::architecture;
pub use self::llama::{Cache, Llama};
pub use self::tensors::shards;

pub(super) use self::answers::{Answers, TEMPLATE, TOKENIZER_CONFIG};

use self::gguf::Gguf;
use super::manifest::Architecture;
use crate::error::Result;

/// Tokens that the decoder of a `config.json`, called `name`, reads.
///
/// # Errors
/// [`Error::Model`](crate::Error::Model) when it is none that can be computed.
pub(super) fn context(json: &[u8], name: &str, architecture: Architecture) -> Result<usize> {
    Ok(config::Config::read(json, name, architecture)?.context)
}

/// Architecture and context of a GGUF file.
///
/// # Errors
/// [`Error::Model`](crate::Error::Model) when it is of none that can be read.
pub(super) fn describe(file: &[u8]) -> Result<(Architecture, usize)> {
    let (config, architecture) = config::Config::of_gguf(&Gguf::read(file)?)?;
    Ok((architecture, config.context))
}
