//! Does a rewritten sentence say only what its sources say? Rules over words, for English, that need no model; they lean to the safe
//! side, and name what they object to.
//!
//! A rewriting passes as a *shortening* does: it has no word, number, name or quotation that its sources lack; words that stand side by
//! side in it stand in one source sentence, in that order, with the same denials, doubts and conditions between them and no other
//! subject; and whatever denies, doubts, conditions or attributes what it uses is still there.

mod source;
mod support;
mod words;

use std::collections::BTreeSet;
use std::fmt;

pub use self::support::{sources, support};

use self::source::Source;
use self::words::{Class, MARKS, Word, words};
use super::context;
use crate::words::{PRONOUNS, has};

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
    /// It is no whole sentence, or cannot be understood alone.
    Form,
    /// A number that the sources lack.
    Number,
    /// A name that they lack.
    Name,
    /// Another word that they lack.
    Word,
    /// Words between quotation marks that do not stand in them.
    Quotation,
    /// Two words side by side that no source joins so.
    Joined,
    /// A denial too many, or left out.
    Denial,
    /// A doubt, a hope or a plan too many, or left out.
    Doubt,
    /// A condition too many, or left out.
    Condition,
    /// Who says so is left out.
    Attribution,
}

impl FlawKind {
    /// As it stands in a record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Number => "number",
            Self::Name => "name",
            Self::Word => "word",
            Self::Quotation => "quotation",
            Self::Joined => "joined",
            Self::Denial => "denial",
            Self::Doubt => "doubt",
            Self::Condition => "condition",
            Self::Attribution => "attribution",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.words)
    }
}

/// Which of `sources` each sentence of `rewriting` is made from.
///
/// # Errors
/// The first [`Flaw`] that is found.
pub fn check(rewriting: &[&str], sources: &[&str]) -> Result<Vec<BTreeSet<usize>>, Flaw> {
    let read: Vec<Source<'_>> = sources.iter().map(|text| Source::new(text)).collect();
    let sentences: Vec<Vec<Word<'_>>> = rewriting.iter().map(|text| words(text)).collect();
    let mut made_from = Vec::with_capacity(rewriting.len());
    for (text, words) in rewriting.iter().zip(&sentences) {
        form(text, words, &read)?;
        nothing_new(words, &read)?;
        quotations(text, sources)?;
        let sentences = joined(words, &read)?;
        one_speaker(words, sentences.iter().map(|i| &read[*i]))?;
        made_from.push(sentences);
    }
    nothing_left_out(&sentences, &read)?;
    Ok(made_from)
}

fn flaw<T>(kind: FlawKind, words: impl Into<String>) -> Result<T, Flaw> {
    let words = words.into();
    Err(Flaw { kind, words })
}

/// What is said with its speaker is of one source sentence, in which no other speaks too: else it may be another who says so.
fn one_speaker<'w>(
    words: &[Word<'_>],
    sources: impl Iterator<Item = &'w Source<'w>>,
) -> Result<(), Flaw> {
    let speech = |words: &[Word<'_>]| {
        let speaks = words
            .iter()
            .filter(|word| word.class == Some(Class::Speech));
        speaks.count()
    };
    let ours = speech(words);
    let theirs: Vec<usize> = sources.map(|source| speech(&source.words)).collect();
    match (ours, &theirs[..]) {
        (0, _) => Ok(()),
        (_, [n]) if *n == 1 || *n == ours => Ok(()),
        _ => flaw(FlawKind::Attribution, "two who speak"),
    }
}

/// Words of a sentence at least.
const LEAST_WORDS: usize = 4;

/// A whole sentence that can stand by itself, with no pronoun that its sources lack.
fn form(text: &str, words: &[Word<'_>], sources: &[Source<'_>]) -> Result<(), Flaw> {
    let begins =
        text.starts_with(|c: char| c.is_uppercase() || c.is_numeric() || "\"“".contains(c));
    if words.len() < LEAST_WORDS || !begins || !context::is_whole(text) || context::asks(text) {
        return flaw(FlawKind::Form, text);
    }
    for word in words.iter().filter(|word| has(PRONOUNS, &word.lower)) {
        let theirs = |source: &Source<'_>| source.words.iter().any(|w| w.stem == word.stem);
        if !sources.iter().any(theirs) {
            return flaw(FlawKind::Form, word.raw);
        }
    }
    Ok(())
}

/// Every number, name and word that carries meaning stands in a source.
fn nothing_new(words: &[Word<'_>], sources: &[Source<'_>]) -> Result<(), Flaw> {
    for word in words.iter().filter(|word| word.content || word.number) {
        let theirs = |w: &&Word<'_>| w.stem == word.stem;
        let mut found = sources
            .iter()
            .filter_map(|source| source.words.iter().find(theirs));
        if found.next().is_none() {
            let kind = match (word.number, word.name) {
                (true, _) => FlawKind::Number,
                (_, true) => FlawKind::Name,
                _ => FlawKind::Word,
            };
            return flaw(kind, word.raw);
        }
    }
    Ok(())
}

/// What stands between quotation marks stands so in a source.
fn quotations(text: &str, sources: &[&str]) -> Result<(), Flaw> {
    let plain = |text: &str| {
        let words = crate::words::words(text);
        words.collect::<Vec<_>>().join(" ")
    };
    for quoted in text.split(['"', '“', '”']).skip(1).step_by(2) {
        let quoted = plain(quoted);
        let padded = format!(" {quoted} ");
        let stands = |source: &&str| format!(" {} ", plain(source)).contains(&padded);
        if !sources.iter().any(stands) {
            return flaw(FlawKind::Quotation, quoted);
        }
    }
    Ok(())
}

/// Where a word of the rewriting may stand: the sentence, and the word in it.
type Place = (usize, usize);

/// Follows the words through the sources: from each to the next within one source sentence, forward, past the same marks and no other
/// subject. At a break the rewriting may go on elsewhere. The sentences of one way through.
fn joined(words: &[Word<'_>], sources: &[Source<'_>]) -> Result<BTreeSet<usize>, Flaw> {
    let content: Vec<usize> = (0..words.len()).filter(|i| words[*i].content).collect();
    let everywhere = |word: &Word<'_>| -> Vec<Place> {
        let mut found = Vec::new();
        for (s, source) in sources.iter().enumerate() {
            let at = source.words.iter().enumerate();
            let same = |w: &Word<'_>| w.content && w.stem == word.stem && w.owns == word.owns;
            found.extend(at.filter(|(_, w)| same(w)).map(|(p, _)| (s, p)));
        }
        found
    };
    // Of each content word the places where it may stand, each with the place before it, if it follows one.
    let mut ways: Vec<Vec<(Place, Option<Place>)>> = Vec::with_capacity(content.len());
    for (n, &i) in content.iter().enumerate() {
        let last = n.checked_sub(1).map(|before| content[before]);
        let kept = &words[last.map_or(0, |last| last + 1)..i];
        let begins = last.is_none_or(|last| breaks(words, last, i));
        let before = ways.last().map_or(&[][..], |before| &before[..]);
        let next = everywhere(&words[i]).into_iter().filter_map(|(s, q)| {
            let follows = before
                .iter()
                .map(|(place, _)| *place)
                .find(|&(t, p)| t == s && p < q && sources[s].may_shorten(p, q, kept));
            let stands = follows.is_some() || begins && sources[s].opens(q, kept);
            stands.then_some(((s, q), follows))
        });
        let next: Vec<_> = next.collect();
        if next.is_empty() {
            let before = last.map_or("", |last| words[last].raw);
            return flaw(FlawKind::Joined, format!("{before} … {}", words[i].raw));
        }
        ways.push(next);
    }
    let (Some(ends), Some(&last)) = (ways.last_mut(), content.last()) else {
        return flaw(FlawKind::Form, "no word that means something");
    };
    ends.retain(|((s, q), _)| sources[*s].ends(*q, &words[last + 1..]));
    if ends.is_empty() {
        return flaw(FlawKind::Joined, format!("{} …", words[last].raw));
    }
    let mut made_from = BTreeSet::new();
    let mut follows: Option<Place> = None;
    for way in ways.iter().rev() {
        let known = way.iter().find(|(place, _)| Some(*place) == follows);
        if let Some((place, before)) = known.or(way.first()) {
            made_from.insert(place.0);
            follows = *before;
        }
    }
    Ok(made_from)
}

/// Whether a new statement may begin between the words `from` and `to`: after a comma, `and`, `but`, `while`, with a subject of its own; or after
/// who says so.
fn breaks(words: &[Word<'_>], from: usize, to: usize) -> bool {
    let between = &words[from + 1..=to];
    if between.iter().any(|word| word.class == Some(Class::Speech)) {
        return true;
    }
    let parts = |word: &Word<'_>| word.apart || has("and but while", &word.lower);
    let Some(at) = between.iter().position(parts) else {
        return false;
    };
    // Its subject: a name, or a noun with its article.
    let mut rest = between[at..].iter();
    let subject = rest.find(|word| !has("and but while", &word.lower));
    subject.is_some_and(|word| {
        word.name
            || has(
                "the a an its their his her no both all officials",
                &word.lower,
            )
    })
}

/// No denial, doubt or condition of what is used is left out, none is added, and neither is who says so.
fn nothing_left_out(sentences: &[Vec<Word<'_>>], sources: &[Source<'_>]) -> Result<(), Flaw> {
    let said = |class: Class| {
        let words = sentences.iter().flatten();
        words.filter(|word| word.class == Some(class)).count()
    };
    let kept: BTreeSet<&str> = sentences
        .iter()
        .flatten()
        .filter(|word| word.content)
        .map(|word| &word.stem[..])
        .collect();
    let mut needed = [0; MARKS.len()];
    let mut most = [0; MARKS.len()];
    let mut first: [Option<&str>; MARKS.len()] = [None; MARKS.len()];
    for source in sources {
        let clauses: Vec<Vec<&Word<'_>>> = source.clauses().collect();
        let used = clauses.iter().map(|clause| used(clause, &kept));
        let used: Vec<bool> = used.collect();
        let any = used.contains(&true);
        let speaks = source
            .words
            .iter()
            .find(|word| word.class == Some(Class::Speech));
        if let Some(word) = speaks.filter(|_| any && said(Class::Speech) == 0) {
            return flaw(FlawKind::Attribution, word.raw);
        }
        for (clause, used) in clauses.into_iter().zip(used) {
            for word in clause {
                let Some(i) = MARKS.iter().position(|class| word.class == Some(*class)) else {
                    continue;
                };
                most[i] += 1;
                // A condition, and a denial that is a sentence of its own, were chosen for what they say of the others.
                let counts =
                    used || !any && MARKS[i] != Class::Doubt || any && MARKS[i] == Class::Condition;
                if counts {
                    needed[i] += 1;
                    first[i].get_or_insert(word.raw);
                }
            }
        }
    }
    for (i, class) in MARKS.into_iter().enumerate() {
        let kind = match class {
            Class::Denial => FlawKind::Denial,
            Class::Doubt => FlawKind::Doubt,
            Class::Condition | Class::Speech => FlawKind::Condition,
        };
        if said(class) < needed[i] {
            return flaw(kind, format!("{} left out", first[i].unwrap_or_default()));
        }
        if said(class) > most[i] {
            let words = sentences.iter().flatten();
            let added = words.rev().find(|word| word.class == Some(class));
            return flaw(kind, format!("{} added", added.map_or("", |word| word.raw)));
        }
    }
    Ok(())
}

/// Whether a clause's words are in the rewriting: a third of those that carry meaning.
fn used(clause: &[&Word<'_>], kept: &BTreeSet<&str>) -> bool {
    let content = clause.iter().filter(|word| word.content);
    let (mut all, mut there) = (0, 0);
    for word in content {
        all += 1;
        there += usize::from(kept.contains(&word.stem[..]));
    }
    all > 0 && there * 3 >= all
}

#[cfg(test)]
mod tests;
