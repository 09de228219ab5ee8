//! Text to token ids. What an article contains is only text: `[SEP]` in it is some pieces of text, or unknown, never a separator.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::fake;
use crate::error::{Error, Result};

/// A `tokenizer.json`, and how it joins two texts.
pub struct Tokenizer {
    inner: Inner,
    /// What stands around two texts that are read together.
    pub pair: Pair,
    /// Ids that no text may become.
    special: Vec<u32>,
    unknown: Option<u32>,
    /// Whether a word within a text has another token than one at its start, and so a text that goes on from another has to be told.
    spaced: bool,
}

/// The special tokens of `open A between B close`, as the tokenizer's own post-processor has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Before the first text: `[CLS]`, `<s>`.
    pub open: Vec<u32>,
    /// Between the two: `[SEP]`, `</s></s>`.
    pub between: Vec<u32>,
    /// After the second.
    pub close: Vec<u32>,
    /// Whether the second text, with what closes it, is a segment of its own kind.
    pub two_kinds: bool,
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
            pair: Pair {
                open: vec![0],
                between: vec![1],
                close: vec![1],
                two_kinds: true,
            },
            special: Vec::new(),
            unknown: None,
            spaced: false,
        }
    }

    /// Reads a `tokenizer.json` for an encoder of `words` words.
    ///
    /// # Errors
    /// [`Error::Model`] when it is damaged, has more words, or does not say how two texts are joined.
    pub fn new(json: &[u8], words: usize) -> Result<Self> {
        let mut inner = parse(json, words)?;
        let pair = Pair::of(&inner)?;
        inner.set_encode_special_tokens(true);
        let added = inner.get_added_tokens_decoder();
        let special = added.iter().filter(|(_, token)| token.special);
        let special: Vec<u32> = special.map(|(id, _)| *id).collect();
        let unknown = UNKNOWN.into_iter().find_map(|name| inner.token_to_id(name));
        let mut tokenizer = Self {
            inner: Inner::Json(Box::new(inner)),
            pair,
            special: special
                .into_iter()
                .filter(|id| Some(*id) != unknown)
                .collect(),
            unknown,
            spaced: false,
        };
        tokenizer.spaced = tokenizer.encode("a")? != tokenizer.encode(" a")?;
        Ok(tokenizer)
    }

    /// Reads a `tokenizer.json` for a decoder of `words` words: that of texts, and that of what stands `around` them, which may hold
    /// control tokens.
    ///
    /// # Errors
    /// [`Error::Model`] when it is damaged or has more words.
    pub fn of_decoder(
        json: &[u8],
        words: usize,
        around: impl FnOnce(&Marked) -> Result<Pair>,
    ) -> Result<Self> {
        Self::plain(Marked(parse(json, words)?), around).map(|(tokenizer, _)| tokenizer)
    }

    /// Reads a `tokenizer.json` for a summariser of `words` words: that of texts, and the one that writes them, which knows the control
    /// tokens around a text.
    ///
    /// # Errors
    /// [`Error::Model`] when it is damaged or has more words.
    pub(super) fn of_summariser(json: &[u8], words: usize) -> Result<(Self, Marked)> {
        let around = |marked: &Marked| {
            let (open, close) = marked.around()?;
            Ok(Pair {
                open,
                between: Vec::new(),
                close,
                two_kinds: false,
            })
        };
        Self::plain(Marked(parse(json, words)?), around)
    }

    /// The tokenizer of texts, without control tokens, beside the one that knows them.
    fn plain(
        marked: Marked,
        around: impl FnOnce(&Marked) -> Result<Pair>,
    ) -> Result<(Self, Marked)> {
        let whole = &marked.0;
        // Tokens that were added to the words are orders to a decoder, whether they are called special or not: without them there are none.
        // Gemma's runs of spaces and of line breaks are the words that they look like.
        let mut inner = tokenizers::Tokenizer::new(whole.get_model().clone());
        inner
            .with_normalizer(whole.get_normalizer().cloned())
            .map_err(|e| fail(e.to_string()))?;
        inner.with_pre_tokenizer(whole.get_pre_tokenizer().cloned());
        inner.with_decoder(whole.get_decoder().cloned());
        let unknown = UNKNOWN.into_iter().find_map(|name| whole.token_to_id(name));
        let blank = |c: char| c.is_whitespace() || c == '\u{2581}';
        let added = whole.get_added_tokens_decoder();
        let special = added
            .iter()
            .filter(|(_, token)| token.special || !token.content.chars().all(blank));
        let mut tokenizer = Self {
            inner: Inner::Json(Box::new(inner)),
            special: special
                .map(|(id, _)| *id)
                .filter(|id| Some(*id) != unknown)
                .collect(),
            pair: around(&marked)?,
            unknown,
            spaced: false,
        };
        // Some put a space before every text by themselves.
        let [two, b, a] = ["b a", "b", "a"].map(|text| tokenizer.encode(text));
        tokenizer.spaced = two? != [b?, a?].concat();
        Ok((tokenizer, marked))
    }

    /// Words that it has; the fake one has none.
    pub fn words(&self) -> usize {
        match &self.inner {
            Inner::Json(inner) => inner.get_vocab_size(true),
            Inner::Fake => 0,
        }
    }

    /// Token ids of `text`, none of them special but the unknown token's.
    ///
    /// # Errors
    /// [`Error::Model`] when the tokenizer's own rules fail on the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let inner = match &self.inner {
            Inner::Json(inner) => inner,
            Inner::Fake => return Ok(fake::encode(text)),
        };
        let encoding = guarded(|| inner.encode_fast(text, false))?;
        // Some vocabularies hold `</s>` as a word like any other, which a text can spell.
        let ids = encoding.get_ids().iter();
        Ok(ids
            .filter_map(|id| match self.special.contains(id) {
                true => self.unknown,
                false => Some(*id),
            })
            .collect())
    }

    /// Ids that no text becomes: what a decoder says with one of them is no text.
    pub fn special(&self) -> &[u32] {
        &self.special
    }

    /// Token ids of `text` where it goes on from another, if they differ from those that it has alone.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_within(&self, text: &str) -> Result<Option<Vec<u32>>> {
        match self.spaced {
            true => self.encode(&format!(" {text}")).map(Some),
            false => Ok(None),
        }
    }
}

/// A tokenizer that knows control tokens, for what is not a text of others'.
pub struct Marked(tokenizers::Tokenizer);

impl Marked {
    /// Token ids of `text`, and nothing besides.
    ///
    /// # Errors
    /// [`Error::Model`] when the tokenizer's own rules fail on the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = guarded(|| self.0.encode_fast(text, false))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of token ids, without control tokens.
    ///
    /// # Errors
    /// [`Error::Model`] when the tokenizer's own rules fail on them.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        guarded(|| self.0.decode(ids, true))
    }

    /// What the post-processor puts before a text, and after it.
    fn around(&self) -> Result<(Vec<u32>, Vec<u32>)> {
        let encoding = guarded(|| self.0.encode("a", true))?;
        let marks = encoding.get_special_tokens_mask();
        let ids = encoding.get_ids();
        let first = marks.iter().position(|mark| *mark == 0);
        let last = marks.iter().rposition(|mark| *mark == 0);
        match (first, last) {
            (Some(first), Some(last)) => Ok((ids[..first].to_vec(), ids[last + 1..].to_vec())),
            _ => Err(fail("it has no token for `a`".to_owned())),
        }
    }
}

/// Reads a `tokenizer.json` for a model of `words` words, which takes texts of any length as they are.
fn parse(json: &[u8], words: usize) -> Result<tokenizers::Tokenizer> {
    let mut inner = guarded(|| tokenizers::Tokenizer::from_bytes(json))?;
    if let Some((word, id)) = inner
        .get_vocab(true)
        .iter()
        .max_by_key(|(_, id)| **id)
        .filter(|(_, id)| **id as usize >= words)
    {
        return Err(fail(format!(
            "`{word}` has the id {id}, past the model's {words} words: it belongs to another model"
        )));
    }
    inner.with_padding(None);
    inner
        .with_truncation(None)
        .map_err(|e| fail(e.to_string()))?;
    Ok(inner)
}

/// What the library does with a file of others'; it panics at some that are damaged.
fn guarded<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
    let done = catch_unwind(AssertUnwindSafe(work));
    let done = done.map_err(|_| fail("the tokenizers library fails at it".to_owned()))?;
    done.map_err(|e| fail(e.to_string()))
}

/// Special tokens in one place at most: manifests keep room for so many.
const MOST_MARKS: usize = 2;
/// What tokenizers call a word that they do not have.
const UNKNOWN: [&str; 2] = ["[UNK]", "<unk>"];

impl Pair {
    /// What the post-processor puts around two texts.
    fn of(inner: &tokenizers::Tokenizer) -> Result<Self> {
        let none = || {
            fail(
                "it does not say how two texts are joined (its post_processor). With transformers, AutoTokenizer.from_pretrained(…).save_pretrained(…) \
                 writes one that does"
                    .to_owned(),
            )
        };
        let encoding = guarded(|| inner.encode(("a", "a"), true))?;
        let marks = encoding.get_special_tokens_mask();
        let runs: Vec<(&[u32], &[u32])> = marks
            .chunk_by(|a, b| a == b)
            .scan(0, |start, run| {
                let at = *start..*start + run.len();
                *start = at.end;
                Some((run, &encoding.get_ids()[at]))
            })
            .collect();
        match runs[..] {
            [
                ([1, ..], open),
                ([0, ..], _),
                ([1, ..], between),
                ([0, ..], _),
                ([1, ..], close),
            ] if [open, between, close]
                .iter()
                .all(|marks| marks.len() <= MOST_MARKS) =>
            {
                Ok(Self {
                    open: open.to_vec(),
                    between: between.to_vec(),
                    close: close.to_vec(),
                    two_kinds: encoding.get_type_ids().contains(&1),
                })
            }
            _ => Err(none()),
        }
    }
}

fn fail(what: String) -> Error {
    Error::Model(format!("tokenizer: {what}"))
}
