//! A sentence of a source: what may be left out of it so that what stays says nothing else.

use std::ops::Range;

use super::words::{CLAUSE, CONJUNCTIONS, Class, MARKS, OPENERS, Word, is_irregular, marks, words};
use crate::words::{PREPOSITIONS, has};

/// Words before a noun that may be left out.
const MOST_MODIFIERS: usize = 3;

/// Words of an aside at the end of a statement, at most.
const LONGEST_ASIDE: usize = 6;

/// Content words that may be left out between two that stand side by side.
const MOST_LEFT_OUT: usize = 20;

/// A sentence of a source.
pub(super) struct Source<'a> {
    pub(super) words: Vec<Word<'a>>,
    /// The words of each, by number.
    pub(super) clauses: Vec<Vec<usize>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Self {
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

    pub(super) fn clauses(&self) -> impl Iterator<Item = Vec<&Word<'a>>> {
        let clauses = self.clauses.iter();
        clauses.map(|clause| clause.iter().map(|i| &self.words[*i]).collect())
    }

    /// Whether what stands between the words `p` and `q` may be left out where only the words `kept` stay.
    ///
    /// That is nothing; an aside between commas; phrases with their prepositions (`talks [with Borland] in Esker`); or words before a noun
    /// (`a [long] war`). Anything else would leave another verb with another subject.
    pub(super) fn may_shorten(&self, p: usize, q: usize, kept: &[Word<'_>]) -> bool {
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
            } else if end == q && self.modify(begin..first, first..end, kept) {
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

    /// Whether the words `run` only modify what follows them, after the words `lead`, of which the article has to stay: else they are a subject
    /// of their own (`and [the prosecutor] resigned`), or a verb.
    fn modify(&self, lead: Range<usize>, run: Range<usize>, kept: &[Word<'_>]) -> bool {
        let article = |word: &Word<'_>| has("a an the", &word.lower);
        let (lead, run) = (&self.words[lead], &self.words[run]);
        // `the harbour [master] resigned`: what follows a noun at once is what the noun modifies.
        !lead.is_empty()
            && run.len() <= MOST_MODIFIERS
            && !run.iter().any(|word| may_be_verb(word))
            && !lead.iter().any(|word| has("and but or while", &word.lower))
            && lead.iter().any(article) == kept.iter().any(article)
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
    pub(super) fn opens(&self, q: usize, kept: &[Word<'_>]) -> bool {
        let last = self.words[..q].iter().rposition(|word| word.content);
        let lead = last.map_or(0, |last| last + 1);
        if marks(&self.words[lead..q]) != marks(kept) {
            return false;
        }
        let speaks = |word: &Word<'_>| word.class == Some(Class::Speech);
        let begins = |at: usize| {
            let Some((before, earlier)) = self.words[..at].split_last() else {
                return true;
            };
            // `It is doubtful that` is more than what follows; `the minister said on Monday that` is told beside it.
            let told = before.lower == "that" && earlier.iter().any(speaks);
            self.words[at].apart || speaks(before) || told || has(OPENERS, &before.lower)
        };
        // As it stands there: `In November`, `It is not known`.
        if (lead..=q).any(|at| begins(at) && same(kept.iter(), self.words[at..q].iter())) {
            return true;
        }
        // Past the words that modify it, and its article.
        let helps =
            |word: &Word<'_>| has("the a an its their his her no not both all", &word.lower);
        let mut at = q;
        while !begins(at) && q - at < MOST_MODIFIERS && self.words[at - 1].content {
            at -= 1;
            if may_be_verb(&self.words[at]) {
                return false;
            }
        }
        while !begins(at) && helps(&self.words[at - 1]) {
            at -= 1;
        }
        begins(at) && kept.iter().all(|word| helps(word) || breaks_off(word))
    }

    /// Whether a statement may end with word `q`, the words `kept` after it: where the sentence, a clause or a phrase ends, and not within an
    /// aside that something is still to follow.
    pub(super) fn ends(&self, q: usize, kept: &[Word<'_>]) -> bool {
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

/// Whether it looks like a verb, which does not modify a noun.
fn may_be_verb(word: &Word<'_>) -> bool {
    let ends = |end: &str| word.lower.ends_with(end);
    ends("ing") || ends("ed") || is_irregular(&word.lower)
}

/// Words before a new statement that are none of it.
pub(super) fn breaks_off(word: &Word<'_>) -> bool {
    word.class == Some(Class::Speech) || has("and but while that", &word.lower)
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
