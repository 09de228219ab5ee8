//! Does a rewritten sentence say only what its sources say? Rules over words, for English, that need no model; they lean to the safe
//! side, and name what they object to.
//!
//! A rewriting passes as a *shortening* does: it has no word, number, name or quotation that its sources lack; words that stand side by
//! side in it stand in one source sentence, in that order, with the same denials, doubts and conditions between them and no other
//! subject; and whatever denies, doubts, conditions or attributes what it uses is still there.

use std::collections::BTreeSet;
use std::fmt;

use super::context::{self, has_stem};
use crate::words::{PREPOSITIONS, PRONOUNS, has, is_function_word};

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

/// What a word does to the statement that it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Denial,
    Doubt,
    Condition,
    Speech,
}

/// Those of which none may be added, left out or moved.
const MARKS: [Class; 3] = [Class::Denial, Class::Doubt, Class::Condition];

/// A word of a sentence.
#[derive(Debug)]
struct Word<'a> {
    raw: &'a str,
    lower: String,
    /// Without its inflection, in lower case; numbers in digits.
    stem: String,
    class: Option<Class>,
    /// Whether it carries meaning of its own.
    content: bool,
    name: bool,
    number: bool,
    /// Whether a comma, a dash, a bracket or the like stands before it.
    apart: bool,
}

/// A sentence of a source.
struct Source<'a> {
    words: Vec<Word<'a>>,
    /// The words of each, by number.
    clauses: Vec<Vec<usize>>,
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

/// Words of an aside at the end of a statement, at most.
const LONGEST_ASIDE: usize = 6;

/// Content words that may be left out between two that stand side by side.
const MOST_LEFT_OUT: usize = 20;

/// Where a word of the rewriting may stand: the sentence, and the word in it.
type Place = (usize, usize);

/// Follows the words through the sources: from each to the next within one source sentence, forward, past the same marks and no other
/// subject. At a break the rewriting may go on elsewhere. The sentences of one way through.
fn joined(words: &[Word<'_>], sources: &[Source<'_>]) -> Result<BTreeSet<usize>, Flaw> {
    let content: Vec<usize> = (0..words.len()).filter(|i| words[*i].content).collect();
    let everywhere = |stem: &str| -> Vec<Place> {
        let mut found = Vec::new();
        for (s, source) in sources.iter().enumerate() {
            let at = source.words.iter().enumerate();
            found.extend(
                at.filter(|(_, w)| w.content && w.stem == stem)
                    .map(|(p, _)| (s, p)),
            );
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
        let next = everywhere(&words[i].stem).into_iter().filter_map(|(s, q)| {
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

/// Words before a new statement that are none of it.
fn breaks_off(word: &Word<'_>) -> bool {
    word.class == Some(Class::Speech) || has("and but while that", &word.lower)
}

/// How many there are of each of [`MARKS`].
fn marks<'w>(words: impl IntoIterator<Item = &'w Word<'w>>) -> [usize; 3] {
    let mut counts = [0; MARKS.len()];
    for word in words {
        if let Some(i) = MARKS.iter().position(|class| word.class == Some(*class)) {
            counts[i] += 1;
        }
    }
    counts
}

/// Whether two runs of words that carry no meaning are the same, but for articles and what makes a perfect of a past.
fn same<'w>(
    kept: impl Iterator<Item = &'w Word<'w>>,
    theirs: impl Iterator<Item = &'w Word<'w>>,
) -> bool {
    // `has denied` and `denied` are one.
    let told = |word: &&Word<'_>| !has("a an the that has have", &word.lower);
    let kept: Vec<&str> = kept.filter(told).map(|word| &word.stem[..]).collect();
    let mut theirs: Vec<&str> = theirs.filter(told).map(|word| &word.stem[..]).collect();
    // `a session [with him] in Esker`.
    let of_pronoun = |pair: &[&str]| has(PREPOSITIONS, pair[0]) && has("him her them it", pair[1]);
    if let Some(at) = theirs.windows(2).position(of_pronoun)
        && kept.len() + 2 == theirs.len()
    {
        theirs.drain(at..at + 2);
    }
    kept == theirs
}

impl<'a> Source<'a> {
    fn new(text: &'a str) -> Self {
        let words = words(text);
        let mut clauses = vec![Vec::new()];
        let (mut current, mut around) = (0, None);
        for (i, word) in words.iter().enumerate() {
            if i > 0 && word.apart {
                // What is told of somebody in between ends with its comma, and the clause goes on.
                current = around.take().unwrap_or(current);
                let aside = has("who which whose where a an", &word.lower);
                if aside || has(CLAUSE, &word.lower) {
                    around = aside.then_some(current);
                    current = clauses.len();
                    clauses.push(Vec::new());
                }
            }
            clauses[current].push(i);
        }
        Self { words, clauses }
    }

    fn clauses(&self) -> impl Iterator<Item = Vec<&Word<'a>>> {
        let clauses = self.clauses.iter();
        clauses.map(|clause| clause.iter().map(|i| &self.words[*i]).collect())
    }

    /// Whether what stands between the words `p` and `q` may be left out where only the words `kept` stay.
    ///
    /// That is nothing; an aside between commas; phrases with their prepositions (`talks [with Borland] in Esker`); or words before a noun
    /// (`a [long] war`). Anything else would leave another verb with another subject.
    fn may_shorten(&self, p: usize, q: usize, kept: &[Word<'_>]) -> bool {
        let between = &self.words[p + 1..q];
        let bracketed = self.words[p + 1].apart && self.words[q].apart;
        if bracketed && kept.is_empty() && between.len() <= MOST_LEFT_OUT {
            return true;
        }
        let left_out: Vec<usize> = (p + 1..q).filter(|i| self.words[*i].content).collect();
        if left_out.len() > MOST_LEFT_OUT || left_out.iter().any(|i| self.is_subject(*i, p, q)) {
            return false;
        }
        // Run by run of words that carry meaning, each with what leads to it: what stays of them, and what goes.
        let mut stays: Vec<&Word<'_>> = Vec::new();
        let mut goes: Vec<&Word<'_>> = Vec::new();
        let mut begin = p + 1;
        loop {
            // An aside goes as a whole, with what it denies or doubts.
            if self.words[begin].apart
                && let Some(end) = (begin + 1..=q).find(|i| self.words[*i].apart)
            {
                begin = end;
                continue;
            }
            let Some(first) = (begin..q).find(|i| self.words[*i].content) else {
                break;
            };
            let end = (first..q).find(|i| !self.words[*i].content).unwrap_or(q);
            let (lead, run) = (&self.words[begin..first], &self.words[first..end]);
            let preposition = lead.iter().rposition(|word| has(PREPOSITIONS, &word.lower));
            if let Some(at) = preposition {
                stays.extend(&lead[..at]);
                goes.extend(&lead[at..]);
            } else if end == q && !run.iter().any(|word| word.raw.ends_with("ing")) {
                stays.extend(lead);
            } else {
                return false;
            }
            goes.extend(run);
            begin = end;
        }
        stays.extend(&self.words[begin..q]);
        marks(goes) == [0; MARKS.len()]
            && marks(stays.iter().copied()) == marks(kept)
            && same(kept.iter(), stays.into_iter())
    }

    /// Whether word `i` is a name or a number that what follows would be said of.
    fn is_subject(&self, i: usize, p: usize, q: usize) -> bool {
        let word = &self.words[i];
        if word.number {
            // `14 rebels and 3 soldiers` are not 14 soldiers.
            return self.words[p].number;
        }
        if !word.name || self.aside(i, p, q) {
            return false;
        }
        // Names that a preposition governs, or that belong to another, are details.
        for before in self.words[..i].iter().rev() {
            if before.content && !before.apart {
                continue;
            }
            if has("the a an its their his her", &before.lower) && !before.apart {
                continue;
            }
            return !has(PREPOSITIONS, &before.lower);
        }
        true
    }

    /// Whether word `i`, between `p` and `q`, is within commas or brackets that close before `q`.
    fn aside(&self, i: usize, p: usize, q: usize) -> bool {
        let opened = (p + 1..=i).any(|j| self.words[j].apart);
        let closed = (i + 1..=q).any(|j| self.words[j].apart);
        opened && closed
    }

    /// Whether a statement may begin with word `q`, after the words `kept`: where the sentence or a clause begins, not with what a preposition
    /// governs (`The wife of [the president]`).
    fn opens(&self, q: usize, kept: &[Word<'_>]) -> bool {
        let last = self.words[..q].iter().rposition(|word| word.content);
        let lead = last.map_or(0, |last| last + 1);
        if marks(&self.words[lead..q]) != marks(kept) {
            return false;
        }
        let begins = |at: usize| {
            let after = |word: &Word<'_>| {
                word.class == Some(Class::Speech) || has(CONJUNCTIONS, &word.lower)
            };
            at == 0 || self.words[at].apart || after(&self.words[at - 1])
        };
        // As it stands there: `In November`, `It is not known`.
        if (lead..=q).any(|at| begins(at) && same(kept.iter(), self.words[at..q].iter())) {
            return true;
        }
        // Past the words that modify it, and its article.
        let helps =
            |word: &Word<'_>| has("the a an its their his her no not both all", &word.lower);
        let mut at = q;
        while !begins(at) && self.words[at - 1].content {
            at -= 1;
        }
        while !begins(at) && helps(&self.words[at - 1]) {
            at -= 1;
        }
        begins(at) && kept.iter().all(|word| helps(word) || breaks_off(word))
    }

    /// Whether a statement may end with word `q`, the words `kept` after it: where the sentence, a clause or a phrase ends, and not within an
    /// aside that something is still to follow.
    fn ends(&self, q: usize, kept: &[Word<'_>]) -> bool {
        let after = &self.words[q + 1..];
        // `…, the minister said`, whatever he said it to.
        let speaks = |word: &Word<'_>| word.class == Some(Class::Speech);
        if let [word] = kept
            && speaks(word)
        {
            let verb = after
                .iter()
                .take_while(|word| !word.content)
                .find(|word| speaks(word));
            return verb.is_some();
        }
        let stays = after.get(..kept.len());
        if !stays.is_some_and(|stays| same(kept.iter(), stays.iter())) {
            return false;
        }
        let Some(next) = after.get(kept.len()) else {
            return true;
        };
        // `with his colleague and, it is hoped, the premier`.
        let begin = q.saturating_sub(LONGEST_ASIDE);
        let opening = (begin + 1..=q).rev().find(|at| self.words[*at].apart);
        let leads =
            |word: &Word<'_>| has(PREPOSITIONS, &word.lower) || has(CONJUNCTIONS, &word.lower);
        let aside = next.apart && opening.is_some_and(|at| leads(&self.words[at - 1]));
        (next.apart || leads(next)) && !aside
    }
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

/// How far `sentence` is made of `sources`' words in their order, 0 to 1: its pairs of neighbouring words that the source sentence with most of them
/// has, and its pairs of neighbouring words that carry meaning that any has; less a fifth for each word that none has.
pub fn support(sentence: &str, sources: &[&str]) -> f32 {
    let ours = words(sentence);
    let theirs: Vec<Vec<Word<'_>>> = sources.iter().map(|text| words(text)).collect();
    let all = |_: &&Word<'_>| true;
    let content = |word: &&Word<'_>| word.content;
    let (mine, meaning) = (pairs(&ours, all), pairs(&ours, content));
    let best = theirs
        .iter()
        .map(|source| share(&mine, &pairs(source, all)));
    let best = best.fold(0.0, f32::max);
    let joined: BTreeSet<_> = theirs
        .iter()
        .flat_map(|source| pairs(source, content))
        .collect();
    let known: BTreeSet<&str> = theirs.iter().flatten().map(|word| &word.stem[..]).collect();
    let new = ours
        .iter()
        .filter(|word| word.content && !known.contains(&word.stem[..]));
    (best + share(&meaning, &joined)) / 2.0 * NEW_WORD.powi(new.count() as i32)
}

/// Those of an article's `sentences` that `text` seems to be made from: up to three that together have most of its words.
pub fn sources<'a>(text: &str, sentences: &[&'a str]) -> Vec<&'a str> {
    let ours = words(text);
    let mut missing: BTreeSet<&str> = ours
        .iter()
        .filter(|word| word.content)
        .map(|word| &word.stem[..])
        .collect();
    let theirs: Vec<Vec<Word<'_>>> = sentences.iter().map(|text| words(text)).collect();
    let mut chosen = BTreeSet::new();
    for _ in 0..MOST_SOURCES {
        let brings = |source: &[Word<'_>]| {
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

/// What is left of the support for each word that no source has.
const NEW_WORD: f32 = 0.8;

type Pairs<'a> = BTreeSet<(&'a str, &'a str)>;

fn pairs<'a>(words: &'a [Word<'_>], which: impl Fn(&&Word<'_>) -> bool) -> Pairs<'a> {
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

/// The words of a sentence.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut end = 0;
    for raw in crate::words::raw_words(text) {
        let start = end + text[end..].find(raw).unwrap_or(0);
        let apart = text[end..start].contains([',', ';', ':', '–', '—', '(', ')', '[', ']'])
            || text[end..start].contains(" - ");
        end = start + raw.len();
        let before = words.last().map_or("", |word| &word.stem[..]);
        let lower = raw.to_lowercase().replace('’', "'");
        let number = number(&lower);
        let stem = number.clone().unwrap_or_else(|| stem(&lower));
        let capital = raw.starts_with(char::is_uppercase);
        let class = class(&lower, &stem, before, capital && !words.is_empty());
        let idle = is_function_word(&lower) || has(IDLE, &lower) || class == Some(Class::Speech);
        let helps = class.is_some() && has(HELPERS, &lower);
        words.push(Word {
            raw,
            lower: lower.clone(),
            class,
            content: number.is_some() || !(idle || helps) && raw.len() > 1,
            name: capital && !words.is_empty() && !is_function_word(&lower),
            number: number.is_some(),
            apart,
            stem,
        });
    }
    words
}

/// What a word does, after the word `before`.
fn class(lower: &str, stem: &str, before: &str, capital: bool) -> Option<Class> {
    let phrase = || has(DENYING_PHRASES, &format!("{before}-{lower}"));
    if has(context::DENIALS, lower)
        || lower.ends_with("n't")
        || has_stem(context::DENYING, lower)
        || has_stem("fail", lower)
        || phrase()
    {
        return Some(Class::Denial);
    }
    if has(SPEECH, lower) {
        return Some(Class::Speech);
    }
    if has(CONDITIONS, lower) || has_stem("condition depend", lower) {
        return Some(Class::Condition);
    }
    // `May` is a month.
    let doubts = has(DOUBTS, lower) && !(lower == "may" && capital) || has(DOUBTING, stem);
    doubts.then_some(Class::Doubt)
}

/// A number in digits.
fn number(lower: &str) -> Option<String> {
    if let Some(at) = NUMBERS
        .split_ascii_whitespace()
        .position(|word| word == lower)
    {
        return Some((at + 2).to_string());
    }
    if !lower.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let ordinal = ["st", "nd", "rd", "th"]
        .iter()
        .find_map(|end| lower.strip_suffix(end));
    Some(ordinal.unwrap_or(lower).to_owned())
}

/// A word without its inflection, near enough that two forms of one word are the same and two words are not.
fn stem(lower: &str) -> String {
    let word = lower
        .strip_suffix("'s")
        .or(lower.strip_suffix('\''))
        .unwrap_or(lower);
    let forms = IRREGULAR.into_iter().find(|forms| has(forms, word));
    let word = forms
        .and_then(|forms| forms.split(' ').next())
        .unwrap_or(word);
    let ends = ["ies", "ied", "ing", "ed", "es", "s"];
    let cut = ends.iter().find_map(|end| {
        let head = word.strip_suffix(end)?;
        (head.chars().count() >= 3 && !(*end == "s" && head.ends_with(['s', 'u', 'i'])))
            .then_some((head, *end))
    });
    let (head, end) = cut.unwrap_or((word, ""));
    if end.starts_with("ie") {
        return format!("{head}y");
    }
    let mut head = head.to_owned();
    let letters: Vec<char> = head.chars().rev().take(2).collect();
    // `planned`, `planning`: plan.
    if matches!(end, "ed" | "ing")
        && letters.len() == 2
        && letters[0] == letters[1]
        && !"lsz".contains(letters[0])
    {
        head.pop();
    }
    // `agree`, `agreed`, `agreeing`.
    if !matches!(end, "ed" | "es") && head.ends_with('e') && head.chars().count() > 3 {
        head.pop();
    }
    head
}

/// Words that open a clause that can be left out.
const CLAUSE: &str = "who which whose where although though but while whereas and after before as with saying adding";
/// Words that a clause may begin after.
const CONJUNCTIONS: &str =
    "and but that while as when although because after before who which where";
const SPEECH: &str = "said say says saying told tell tells according announced announce announces added adds stated reported reports";
const CONDITIONS: &str = "if unless until provided whether pending except";
const DOUBTS: &str = "may might could would should possibly perhaps probably likely reportedly allegedly apparently tentatively due willing
    former formerly initially almost nearly deputy acting interim vice ex";
/// Verbs and nouns of what is not yet so, without their inflection.
const DOUBTING: &str = "hop expect plan intend seek want consider alleg rumour rumor propos offer urg seem appear believ think fear aim ask demand request
    threaten warn possibl potential suggest claim tentativ prospect bid call";
/// Of the marks, those that only help a verb.
const HELPERS: &str = "no not never none nobody nothing nowhere neither nor without cannot may might could would should if unless until whether to off out";
const DENYING_PHRASES: &str =
    "rul-out call-off broke-off broken-off break-off put-off yet-to rather-than instead-of";
/// Words that add nothing.
const IDLE: &str = "per cent percent also still that";
const NUMBERS: &str = "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty";
/// A word, and forms of it that no rule makes.
const IRREGULAR: [&str; 24] = [
    "meet met",
    "hold held",
    "begin began begun",
    "lead led",
    "send sent",
    "leave left",
    "take took taken",
    "give gave given",
    "make made",
    "go went gone goes",
    "come came",
    "break broke broken",
    "win won",
    "lose lost",
    "find found",
    "keep kept",
    "pay paid",
    "speak spoke spoken",
    "write wrote written",
    "seek sought",
    "think thought",
    "fall fell fallen",
    "rise rose risen",
    "man men",
];

#[cfg(test)]
mod tests;
