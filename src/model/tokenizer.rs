//! Text to token ids. What an article contains is only text: `[SEP]` in it is four pieces of text, never a separator.

use super::fake;
use crate::error::{Error, Result};

/// A `tokenizer.json` with the special tokens of a BERT-family encoder.
pub struct Tokenizer {
    inner: Inner,
    /// Id of `[CLS]`, which opens a window.
    pub cls: u32,
    /// Id of `[SEP]`, which closes claim, title and sentences.
    pub sep: u32,
}

enum Inner {
    Json(Box<tokenizers::Tokenizer>),
    Fake,
}

impl Tokenizer {
    /// The stand-in of [`super::Engine::Fake`].
    pub(super) fn fake() -> Self {
        Self {
            inner: Inner::Fake,
            cls: 0,
            sep: 1,
        }
    }

    /// Reads a `tokenizer.json` of a vocabulary of `words`.
    ///
    /// # Errors
    /// [`Error::Model`] when it is damaged, of another size, or lacks a special token.
    pub fn new(json: &[u8], words: usize) -> Result<Self> {
        let fail = |what: String| Error::Model(format!("tokenizer: {what}"));
        let mut inner = tokenizers::Tokenizer::from_bytes(json).map_err(|e| fail(e.to_string()))?;
        let found = inner.get_vocab_size(true);
        if found != words {
            return Err(fail(format!("{found} words, but the encoder has {words}")));
        }
        if let Some((word, id)) = inner
            .get_vocab(true)
            .iter()
            .find(|(_, id)| **id as usize >= words)
        {
            return Err(fail(format!(
                "`{word}` has the id {id}, past the encoder's {words} words"
            )));
        }
        let id = |token: &str| {
            inner
                .token_to_id(token)
                .ok_or_else(|| fail(format!("no token `{token}`")))
        };
        let (cls, sep) = (id("[CLS]")?, id("[SEP]")?);
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|e| fail(e.to_string()))?;
        inner.set_encode_special_tokens(true);
        Ok(Self {
            inner: Inner::Json(Box::new(inner)),
            cls,
            sep,
        })
    }

    /// Token ids of `text`, none of them special but `[UNK]`.
    ///
    /// # Errors
    /// [`Error::Model`] when the tokenizer's own rules fail on the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        match &self.inner {
            Inner::Json(inner) => match inner.encode_fast(text, false) {
                Ok(encoding) => Ok(encoding.get_ids().to_vec()),
                Err(e) => Err(Error::Model(format!("tokenizer: {e}"))),
            },
            Inner::Fake => Ok(fake::encode(text)),
        }
    }
}
