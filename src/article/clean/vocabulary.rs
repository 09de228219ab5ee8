//! What pages say around articles, in some thirty languages: `vocabulary.txt`, and a lookup of its phrases.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::block::{Plain, Word, hash};

/// Opens a list of other stories ("Related posts"), alone or before a colon.
pub(super) const OPENS: u16 = 1;
/// Opens a box about the author.
pub(super) const AUTHOR: u16 = 2;
/// Opens comments or a form.
pub(super) const ENDS: u16 = 4;
/// What only a form, a notice or a button says.
pub(super) const FORM: u16 = 8;
/// What forms, notices and buttons say, and news sometimes.
pub(super) const SOFT: u16 = 16;
/// The same as [`SOFT`] where a sentence or a bracket begins with it.
pub(super) const STARTS: u16 = 32768;
/// Before a colon: not the article.
pub(super) const LABEL: u16 = 32;
/// Before a colon and no sentence after it: not the article.
pub(super) const FIELD: u16 = 64;
/// A word of buttons, menus and counters.
pub(super) const UI: u16 = 128;
/// A name of a newspaper's section.
pub(super) const SECTION: u16 = 256;
/// A thing that a site wants of its reader, or offers to them.
pub(super) const OBJECT: u16 = 512;
/// An order to the reader, as a first word.
pub(super) const URGE: u16 = 1024;
/// A word that shows reported news.
pub(super) const NEWS: u16 = 2048;
/// A picture agency, or what credits say.
pub(super) const AGENCY: u16 = 4096;
/// What people who write for papers are called.
pub(super) const WRITER: u16 = 8192;
/// A word of such headings as "Top 5 stories this week".
pub(super) const LISTING: u16 = 16384;

/// A phrase found in a block: where, how many words, and which lists have it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match {
    pub start: usize,
    pub len: usize,
    pub kinds: u16,
}

type Phrases = HashMap<u64, Vec<(Vec<&'static str>, u16)>, Plain>;

/// A phrase in lower case, where its words lie in it, and its list.
type Folded = (String, Vec<(usize, usize)>, u16);

static FOLDED: LazyLock<Vec<Folded>> = LazyLock::new(|| {
    let mut kind = 0;
    let mut phrases = Vec::new();
    for line in include_str!("vocabulary.txt").lines() {
        if let Some(name) = line.strip_prefix('@') {
            kind = kind_of(name);
        } else if !line.is_empty() && !line.starts_with('#') {
            let (folded, words) = super::block::fold(line);
            let spans = words.iter().map(Word::span).collect();
            phrases.push((folded, spans, kind));
        }
    }
    phrases
});

static PHRASES: LazyLock<Phrases> = LazyLock::new(|| {
    let mut phrases = Phrases::default();
    for (folded, spans, kind) in FOLDED.iter() {
        let words: Vec<&'static str> = spans
            .iter()
            .filter_map(|&(start, end)| folded.get(start..end))
            .collect();
        let Some(first) = words.first() else { continue };
        let list = phrases.entry(hash(first)).or_default();
        match list.iter_mut().find(|(known, _)| *known == words) {
            Some((_, kinds)) => *kinds |= kind,
            None => list.push((words, *kind)),
        }
    }
    for list in phrases.values_mut() {
        list.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
    }
    phrases
});

fn kind_of(name: &str) -> u16 {
    match name {
        "opens" => OPENS,
        "author" => AUTHOR,
        "ends" => ENDS,
        "form" => FORM,
        "soft" => SOFT,
        "starts" => STARTS,
        "labels" => LABEL,
        "fields" => FIELD,
        "ui" => UI,
        "sections" => SECTION,
        "objects" => OBJECT,
        "urges" => URGE,
        "news" => NEWS,
        "agencies" => AGENCY,
        "writers" => WRITER,
        "listing" => LISTING,
        _ => 0,
    }
}

/// The phrases in a text, `word` giving each of its words: longest first at each place, none overlapping another.
pub(super) fn find<'a>(words: &[Word], word: impl Fn(usize) -> &'a str) -> Vec<Match> {
    let len = words.len();
    let mut found = Vec::new();
    let mut start = 0;
    while start < len {
        let first = words.get(start).map_or(0, |w| w.hash);
        let best = PHRASES.get(&first).and_then(|list| {
            list.iter().find(|(words, _)| {
                start + words.len() <= len
                    && words.iter().enumerate().all(|(i, w)| word(start + i) == *w)
            })
        });
        match best {
            Some((words, kinds)) => {
                found.push(Match {
                    start,
                    len: words.len(),
                    kinds: *kinds,
                });
                start += words.len();
            }
            None => start += 1,
        }
    }
    found
}

/// The lists that have `word` as a phrase of its own.
pub(super) fn kinds(word: &str) -> u16 {
    PHRASES
        .get(&hash(word))
        .and_then(|list| list.iter().find(|(words, _)| words.as_slice() == [word]))
        .map_or(0, |(_, kinds)| *kinds)
}
