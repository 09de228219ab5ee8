//! Decoders: language models that read from left to right. One network serves Llama's whole family and near ones; its weights are
//! safetensors, whole or in shards, or GGUF. It has two uses: to say how likely each of four answers is (where an article stands), and to
//! say a sentence shorter.

mod adapter;
mod answers;
mod blocks;
mod card;
mod config;
mod gguf;
mod llama;
mod passes;
mod placed;
mod prompt;
mod rotary;
mod stack;
mod tensors;
mod values;
mod vocabulary;

pub use self::config::architecture;
pub use self::llama::{Cache, Llama};
pub(super) use self::placed::Placed;
pub use self::tensors::shards;

pub(super) use self::tensors::{Linear, Matrix, Tensors};

pub(super) use self::answers::Answers;

use self::adapter::ADAPTER_CONFIG;
use self::gguf::Gguf;
pub(super) use self::prompt::Template;
use super::device::Card;
use super::manifest::Architecture;
use super::store::Files;
use crate::error::{Error, Result};

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

/// A decoder, on the card if there is one, its tokenizer as a `tokenizer.json`, and its chat template, from wherever its files hold them.
///
/// # Errors
/// [`Error::Model`] that names what is missing or does not fit, and what to do.
pub(super) fn open(files: &Files, card: Option<Card>) -> Result<(Placed, Vec<u8>, Template)> {
    let (decoder, words, template) = read(files)?;
    Ok((Placed::new(decoder, card)?, words, template))
}

fn read(files: &Files) -> Result<(Llama, Vec<u8>, Template)> {
    let manifest = &files.manifest;
    if !Gguf::is(&files.weights) {
        let template = match own_template(files) {
            Some(own) => own?,
            None => Template::of_tokenizer_config(None, None)?,
        };
        let shards = weights(files)?;
        let (config, name) = (&files.config, &manifest.config);
        let mut decoder = Llama::from_safetensors(config, name, manifest.architecture, &shards)?;
        adapt(&mut decoder, files)?;
        return Ok((decoder, files.tokenizer.to_vec(), template));
    }
    let file = Gguf::read(&files.weights)?;
    let words = match manifest.tokenizer.is_empty() {
        true => vocabulary::tokenizer(&file)?,
        false => files.tokenizer.to_vec(),
    };
    let template = match own_template(files) {
        Some(own) => own?,
        None => vocabulary::template(&file)?,
    };
    let mut decoder = Llama::from_gguf(&files.weights, manifest.architecture)?;
    adapt(&mut decoder, files)?;
    Ok((decoder, words, template))
}

/// Puts the manifest's adapter, if it names one, beside the decoder's products.
fn adapt(decoder: &mut Llama, files: &Files) -> Result<()> {
    let Some(name) = &files.manifest.adapter else {
        return Ok(());
    };
    let file = |name: &str| match files.more.get(name) {
        Some(file) => Ok(&file[..]),
        None => Err(Error::Model(format!(
            "the adapter needs {name}, which is not among the model's files (the manifest's table `more`)"
        ))),
    };
    decoder
        .adapt(file(ADAPTER_CONFIG)?, file(name)?)
        .map_err(|error| match error {
            Error::Model(what) => Error::Model(format!("the adapter {name}: {what}")),
            other => other,
        })
}

/// The chat template that lies beside the weights, if one does.
fn own_template(files: &Files) -> Option<Result<Template>> {
    let prompt = files.manifest.prompt.as_ref();
    let name = prompt.and_then(|prompt| prompt.template.as_deref());
    let own = files
        .more
        .get(name.unwrap_or(TEMPLATE))
        .map(|file| &file[..]);
    let config = files.more.get(TOKENIZER_CONFIG).map(|file| &file[..]);
    if own.is_none() && config.is_none() {
        return None;
    }
    Some(Template::of_tokenizer_config(config, own))
}

/// Names of the files that hold a chat template: as transformers writes them now, and did before.
pub(super) const TEMPLATE: &str = "chat_template.jinja";
/// See [`TEMPLATE`].
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// The weights' files of safetensors: one, or the shards that an index names.
pub(super) fn weights(files: &Files) -> Result<Vec<&[u8]>> {
    if !files.manifest.weights.ends_with(".index.json") {
        return Ok(vec![&files.weights]);
    }
    let names = tensors::shards(&files.weights)?;
    let shard = |name: String| match files.more.get(&name) {
        Some(shard) => Ok(&shard[..]),
        None => Err(Error::Model(format!(
            "{} names {name}, which is not among the model's files (the manifest's table `more`)",
            files.manifest.weights
        ))),
    };
    names.into_iter().map(shard).collect()
}
