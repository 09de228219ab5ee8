//! Does a rewritten sentence say only what its source says? It does where it *is* its source, word for word and mark for mark, but for
//! parts that can be left out without a change in what the rest says. Which parts those are is a short list (`check/cuts.rs`): when a thing
//! was said or done, what is told of somebody in between, what comes after the statement. All else has to stay. So there are only so many
//! ways to say a sentence shorter, and [`shortenings`] gives them all.
//!
//! A check that looked for signs of untruth instead (new names, lost denials, other neighbours) was built first and let through what nobody
//! had thought of; `benches/summaries/LOG.md` has both.

mod cuts;
mod support;
mod tokens;
mod words;

use std::collections::BTreeSet;
use std::fmt;

pub use self::support::{sources, support};

use self::cuts::cuts;
use self::tokens::{Token, tokens};

/// Why a rewriting is not taken: what is wrong, and the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// What is wrong.
    pub kind: FlawKind,
    /// The words that show it.
    pub words: String,
}

/// What can be wrong with a rewriting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlawKind {
    /// It is no whole sentence.
    Form,
    /// A number that the source lacks.
    Number,
    /// A name that it lacks.
    Name,
    /// Another word that it lacks.
    Word,
    /// A word or mark that is not the next one.
    Order,
    /// Words left out that have to stay.
    LeftOut,
}

impl FlawKind {
    /// As it stands in a record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Number => "number",
            Self::Name => "name",
            Self::Word => "word",
            Self::Order => "order",
            Self::LeftOut => "left out",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.words)
    }
}

/// Words of a sentence at least.
const LEAST_WORDS: usize = 4;
/// Words that are shown of what was left out.
const SHOWN: usize = 5;

/// Whether the sentence `text` is `source` with nothing left out that has to stay.
///
/// # Errors
/// The [`Flaw`] that is found.
pub fn check(text: &str, source: &str) -> Result<(), Flaw> {
    let (ours, theirs) = (tokens(text), tokens(source));
    if ours.iter().filter(|token| token.is_word()).count() < LEAST_WORDS {
        return flaw(FlawKind::Form, text);
    }
    let known: BTreeSet<&str> = theirs.iter().map(|token| &token.lower[..]).collect();
    let new = |token: &&Token<'_>| token.is_word() && !known.contains(&token.lower[..]);
    if let Some((at, token)) = ours.iter().enumerate().find(|(_, token)| new(token)) {
        let kind = match (token.is_number(), at > 0 && token.is_capital()) {
            (true, _) => FlawKind::Number,
            (_, true) => FlawKind::Name,
            _ => FlawKind::Word,
        };
        return flaw(kind, token.text);
    }
    // Where in the source one may be after each token, cuts passed or not.
    let cuts = cuts(&theirs);
    let past_cuts = |mut places: BTreeSet<usize>| {
        // In order, so that one cut may follow another.
        for cut in &cuts {
            if places.contains(&cut.start) {
                places.insert(cut.end);
            }
        }
        places
    };
    let mut places = past_cuts(BTreeSet::from([0]));
    for (at, token) in ours.iter().enumerate() {
        let is = |other: &Token<'_>| match at {
            0 => other.lower == token.lower,
            _ => other.text == token.text,
        };
        let next: BTreeSet<usize> = places
            .iter()
            .filter(|place| theirs.get(**place).is_some_and(is))
            .map(|place| place + 1)
            .collect();
        if next.is_empty() {
            let reached = places.last().copied().unwrap_or(0);
            return match theirs[reached..].iter().any(is) {
                true => flaw(FlawKind::LeftOut, shown(&theirs[reached..])),
                false => flaw(FlawKind::Order, token.text),
            };
        }
        places = past_cuts(next);
    }
    match places.contains(&theirs.len()) {
        true => Ok(()),
        false => {
            let reached = places.last().copied().unwrap_or(0);
            flaw(FlawKind::LeftOut, shown(&theirs[reached..]))
        }
    }
}

/// The ways in which `source` can be said shorter, 31 at most: without each of the parts that may be left out, and without several. Each passes
/// the [`check`]. Of what is too long for a sentence none.
pub fn shortenings(source: &str) -> Vec<String> {
    let tokens = tokens(source);
    if tokens.len() > LONGEST {
        return Vec::new();
    }
    // What is kept so far, and where it goes on.
    let mut begun = vec![(String::new(), 0)];
    for cut in cuts(&tokens) {
        let rest: Vec<_> = begun
            .iter()
            .filter(|(_, at)| *at <= cut.start)
            .map(|(kept, at)| (joined(kept, source, &tokens[*at..cut.start]), cut.end))
            .take(MOST_SHORTENINGS + 1 - begun.len())
            .collect();
        begun.extend(rest);
    }
    let whole = begun
        .into_iter()
        .skip(1)
        .map(|(kept, at)| joined(&kept, source, &tokens[at..]));
    let mut shortenings: Vec<String> = Vec::new();
    for mut text in whole {
        if let Some(first) = text.chars().next() {
            text.replace_range(..first.len_utf8(), &first.to_uppercase().to_string());
        }
        if check(&text, source).is_ok() && !shortenings.contains(&text) {
            shortenings.push(text);
        }
    }
    shortenings
}

/// `kept`, and then these tokens of `source` as they stand there.
fn joined(kept: &str, source: &str, tokens: &[Token<'_>]) -> String {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
        return kept.to_owned();
    };
    let (start, end) = (first.at, last.at + last.text.len());
    let apart = !kept.is_empty() && source[..start].ends_with(char::is_whitespace);
    let space = if apart { " " } else { "" };
    [kept, space, &source[start..end]].concat()
}

/// Shortenings of a sentence at most.
const MOST_SHORTENINGS: usize = 31;
/// Words and marks of a sentence that is looked through; what has more is none.
const LONGEST: usize = 250;

fn flaw<T>(kind: FlawKind, words: impl Into<String>) -> Result<T, Flaw> {
    let words = words.into();
    Err(Flaw { kind, words })
}

/// The first words.
fn shown(tokens: &[Token<'_>]) -> String {
    let first: Vec<&str> = tokens.iter().take(SHOWN).map(|token| token.text).collect();
    first.join(" ")
}

#[cfg(test)]
mod tests;
