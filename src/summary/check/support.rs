//! How far a sentence is made of its sources, as a number, and which sentences of an article those seem to be.

use std::collections::BTreeSet;

use super::words::{Word, words};

/// How far `sentence` is made of `sources`' words in their order, 0 to 1: a part for having no word that they lack, the rest by its pairs of
/// neighbouring words that the source sentence with most of them has, and its pairs of neighbouring words that carry meaning that any has; all of
/// it halved for each word that no source has, nor one that begins alike (`union`, `unionist`).
pub fn support(sentence: &str, sources: &[&str]) -> f32 {
    let ours = words(sentence);
    if ours.is_empty() {
        return 0.0;
    }
    let theirs: Vec<Vec<Word>> = sources.iter().map(|text| words(text)).collect();
    let all = |_: &&Word| true;
    let content = |word: &&Word| word.content;
    let (mine, meaning) = (pairs(&ours, all), pairs(&ours, content));
    let best = theirs
        .iter()
        .map(|source| share(&mine, &pairs(source, all)));
    let best = best.fold(0.0, f32::max);
    let joined: BTreeSet<_> = theirs
        .iter()
        .flat_map(|source| pairs(source, content))
        .collect();
    let known: BTreeSet<&str> = theirs.iter().flatten().map(Word::root).collect();
    let new: BTreeSet<&str> = ours
        .iter()
        .filter(|word| word.content && !known.contains(word.root()))
        .map(Word::root)
        .collect();
    let order = (best + share(&meaning, &joined)) / 2.0;
    (NO_NEW_WORD + (1.0 - NO_NEW_WORD) * order) * NEW_WORD.powi(new.len() as i32)
}

/// Those of an article's `sentences` that `text` seems to be made from: up to three that together have most of its words.
pub fn sources<'a>(text: &str, sentences: &[&'a str]) -> Vec<&'a str> {
    let ours = words(text);
    let mut missing: BTreeSet<&str> = ours
        .iter()
        .filter(|word| word.content)
        .map(|word| &word.stem[..])
        .collect();
    let theirs: Vec<Vec<Word>> = sentences.iter().map(|text| words(text)).collect();
    let mut chosen = BTreeSet::new();
    for _ in 0..MOST_SOURCES {
        let brings = |source: &[Word]| {
            let stems: BTreeSet<&str> = source.iter().map(|word| &word.stem[..]).collect();
            stems.intersection(&missing).count()
        };
        let counts = theirs.iter().map(|source| brings(source)).enumerate();
        // Of equals the first.
        let Some((best, 1..)) = counts.rev().max_by_key(|(_, count)| *count) else {
            break;
        };
        for word in &theirs[best] {
            missing.remove(&word.stem[..]);
        }
        chosen.insert(best);
    }
    chosen.into_iter().map(|i| sentences[i]).collect()
}

/// Sentences that one sentence is made from, at most.
const MOST_SOURCES: usize = 3;

/// What is left of the support for each word that no source has. It and the next were chosen on QAGS (Wang, Cho and Lewis 2020, arXiv 2004.04228).
const NEW_WORD: f32 = 0.5;

/// The support of a sentence that has the sources' words in no order of theirs.
const NO_NEW_WORD: f32 = 0.2;

type Pairs<'a> = BTreeSet<(&'a str, &'a str)>;

fn pairs<'a>(words: &'a [Word], which: impl Fn(&&Word) -> bool) -> Pairs<'a> {
    let stems: Vec<&str> = words
        .iter()
        .filter(which)
        .map(|word| &word.stem[..])
        .collect();
    stems.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

fn share(ours: &Pairs<'_>, theirs: &Pairs<'_>) -> f32 {
    ours.intersection(theirs).count() as f32 / ours.len().max(1) as f32
}
