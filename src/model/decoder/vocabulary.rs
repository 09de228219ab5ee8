//! The tokenizer and the chat template that a GGUF file carries in its values, as the files that Hugging Face keeps them in.
//!
//! Of tokenizers only byte-level BPE is read, and only where the file names rules of cutting words that are known; for any other a
//! `tokenizer.json` has to lie beside the file.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::gguf::{Gguf, Value};
use super::prompt::Template;
use crate::error::{Error, Result};

/// How words are cut (`tokenizer.ggml.pre`): by GPT-2's rules, SmolLM's, Llama 3's (SmolLM3's files call them Smaug's), Qwen2's,
/// GPT-4o's (Phi-4-mini).
fn cuts(kind: &str) -> Option<Json> {
    let bytes = |regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex});
    let words = |regex: String| json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false});
    let rest =
        |ends: &str| format!(r" ?[^\s\p{{L}}\p{{N}}]+[\r\n{ends}]*|\s*[\r\n]+|\s+(?!\S)|\s+");
    let split = |numbers: &str| {
        let rest = rest("");
        words(format!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{numbers}|{rest}"
        ))
    };
    let all = |parts: [Json; 2]| json!({"type": "Sequence", "pretokenizers": parts});
    Some(match kind {
        "gpt-2" => bytes(true),
        "smollm" => all([
            json!({"type": "Digits", "individual_digits": true}),
            bytes(true),
        ]),
        "llama-bpe" | "smaug-bpe" => all([split(r"\p{N}{1,3}"), bytes(false)]),
        "qwen2" => all([split(r"\p{N}"), bytes(false)]),
        "gpt-4o" => {
            // A capital begins a word, and what is left out of it stands behind.
            let (upper, lower) = (r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}");
            let (before, after) = (r"[^\r\n\p{L}\p{N}]?", "(?i:'s|'t|'re|'ve|'m|'ll|'d)?");
            let rest = rest("/");
            let regex = format!(
                r"{before}[{upper}]*[{lower}]+{after}|{before}[{upper}]+[{lower}]*{after}|\p{{N}}{{1,3}}|{rest}"
            );
            all([words(regex), bytes(false)])
        }
        _ => return None,
    })
}

/// Kinds of token (`tokenizer.ggml.token_type`).
const CONTROL: i128 = 3;
const USER_DEFINED: i128 = 4;

/// The file's tokenizer as a `tokenizer.json`.
///
/// # Errors
/// [`Error::Model`] when it is of a kind that is not read, or damaged; it says which file to add.
pub fn tokenizer(file: &Gguf<'_>) -> Result<Vec<u8>> {
    let model = file.text("tokenizer.ggml.model")?.unwrap_or_default();
    let pre = file.text("tokenizer.ggml.pre")?.unwrap_or_default();
    let Some(cuts) = cuts(&pre).filter(|_| model == "gpt2") else {
        return Err(Error::Model(format!(
            "the GGUF file's tokenizer is of the kind `{model}` with words cut as `{pre}`, which is not read. Put the model's tokenizer.json beside the file"
        )));
    };
    let words = texts(file, "tokenizer.ggml.tokens")?;
    let merges = texts(file, "tokenizer.ggml.merges")?;
    let merges = merges.iter().map(|merge| merge.split_once(' '));
    let Some(merges) = merges.collect::<Option<Vec<(&str, &str)>>>() else {
        return fail("a merge is not of two tokens");
    };
    let kinds: Vec<i128> = match file.value("tokenizer.ggml.token_type") {
        Some(Value::List(kinds)) => kinds
            .values()
            .map(|kind| match kind {
                Value::Whole(kind) => kind,
                _ => 0,
            })
            .collect(),
        _ => Vec::new(),
    };
    let added = words.iter().zip(kinds).enumerate();
    let added = added.filter(|(_, (_, kind))| [CONTROL, USER_DEFINED].contains(kind));
    let added = added.map(|(id, (word, kind))| {
        json!({
            "id": id, "content": word, "special": kind == CONTROL,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        })
    });
    let added: Vec<Json> = added.collect();
    let vocabulary = words.iter().zip(0u32..);
    let vocabulary: Map<String, Json> = vocabulary
        .map(|(word, id)| (word.clone(), Json::from(id)))
        .collect();
    let normalizer = match &*pre {
        "qwen2" => json!({"type": "NFC"}),
        _ => Json::Null,
    };
    let tokenizer = json!({
        "version": "1.0",
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": cuts,
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges, "ignore_merges": pre == "llama-bpe"},
    });
    Ok(tokenizer.to_string().into_bytes())
}

/// The file's chat template.
///
/// # Errors
/// [`Error::Model`] when it has none.
pub fn template(file: &Gguf<'_>) -> Result<Template> {
    let Some(source) = file.text("tokenizer.chat_template")? else {
        return fail("it has no chat template, so that it cannot be asked; take an instruct model");
    };
    let mut marks = BTreeMap::new();
    if let Some(Value::List(words)) = file.value("tokenizer.ggml.tokens") {
        for (name, key) in [
            ("bos_token", "tokenizer.ggml.bos_token_id"),
            ("eos_token", "tokenizer.ggml.eos_token_id"),
        ] {
            if let Some(Value::Whole(id)) = file.value(key)
                && let Ok(id) = usize::try_from(id)
                && let Some(Value::Text(word)) = words.values().nth(id)
            {
                marks.insert(name.to_owned(), String::from_utf8_lossy(word).into_owned());
            }
        }
    }
    Ok(Template::new(source.into_owned(), marks))
}

/// A list of texts.
fn texts(file: &Gguf<'_>, name: &str) -> Result<Vec<String>> {
    let Some(Value::List(list)) = file.value(name) else {
        return fail(&format!("{name} is missing"));
    };
    let texts = list.values().map(|value| match value {
        Value::Text(text) => String::from_utf8(text.to_vec()).ok(),
        _ => None,
    });
    match texts.collect() {
        Some(texts) => Ok(texts),
        None => fail(&format!("{name} holds what is no text")),
    }
}

fn fail<T>(what: &str) -> Result<T> {
    Err(Error::Model(format!("the GGUF file: {what}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokenizers::{
        OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, PreTokenizerWrapper,
    };

    use super::*;

    #[test]
    fn words_are_cut_as_each_kind_cuts_them() {
        let pieces = |kind: &str, text: &str| {
            let cuts: PreTokenizerWrapper = serde_json::from_value(cuts(kind).unwrap()).unwrap();
            let mut cut = PreTokenizedString::from(text);
            cuts.pre_tokenize(&mut cut).unwrap();
            let splits = cut.get_splits(OffsetReferential::Original, OffsetType::Byte);
            let texts = splits
                .iter()
                .map(|(_, (from, to), _)| text[*from..*to].to_owned());
            texts.collect::<Vec<String>>().join("|")
        };
        let text = "The EastSide's 12345 men\n\n didn't go (http://a/)//\n/";
        for (kind, expected) in [
            (
                "gpt-2",
                "The| EastSide|'s| 12345| men|\n\n| didn|'t| go| (|http|://|a|/)//|\n|/",
            ),
            (
                "smollm",
                "The| EastSide|'s| |1|2|3|4|5| men|\n\n| didn|'t| go| (|http|://|a|/)//|\n|/",
            ),
            (
                "llama-bpe",
                "The| EastSide|'s| |123|45| men|\n\n| didn|'t| go| (|http|://|a|/)//\n|/",
            ),
            (
                "smaug-bpe",
                "The| EastSide|'s| |123|45| men|\n\n| didn|'t| go| (|http|://|a|/)//\n|/",
            ),
            (
                "qwen2",
                "The| EastSide|'s| |1|2|3|4|5| men|\n\n| didn|'t| go| (|http|://|a|/)//\n|/",
            ),
            (
                "gpt-4o",
                "The| East|Side's| |123|45| men|\n\n| didn't| go| (|http|://|a|/)//\n/",
            ),
        ] {
            assert_eq!(pieces(kind, text), expected, "{kind}");
        }
        assert!(super::cuts("llama").is_none());
    }
}
