//! What can be left out of a sentence without a change in what the rest of it says, for English:
//!
//! - when it was said or done: `Arvenia said [on Monday] that …`, `[On 14 March,] Arvenia …`;
//! - what is told in between: `Rovik[, who leads the union,] said`, `the minister[, Tomas Rovik,] said`, what is in brackets;
//! - what comes after: `… in Esker[, which lies on the border]`, `…[, and the money arrives on Thursday]`;
//! - a town before a colon; a `that` after who says so; the `has` of `has denied`.
//!
//! Nothing is left out that denies, doubts, conditions or attributes something, or stands in quotation marks; and no time where the sentence
//! denies or compares (`No shots were fired on Monday` says nothing of other days) or tells of what is to come, whose date is news; but when
//! something was said is no matter of what was.

use std::ops::Range;

use super::super::context::{DAYS, MONTHS};
use super::words::{Class, class_of, is_irregular};
use crate::words::{PREPOSITIONS, has};

/// A word or a mark of a sentence.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) lower: String,
    class: Option<Class>,
    /// Whether it stands in quotation marks, or is one.
    quoted: bool,
}

impl Token<'_> {
    pub(super) fn is_word(&self) -> bool {
        self.text.contains(char::is_alphanumeric)
    }

    pub(super) fn is_number(&self) -> bool {
        self.text.contains(|c: char| c.is_numeric())
    }

    pub(super) fn is_capital(&self) -> bool {
        self.text.starts_with(char::is_uppercase)
    }

    fn is(&self, list: &str) -> bool {
        has(list, &self.lower)
    }
}

/// Marks that open something, and that close or part.
const OPENING: &str = "([{\"“«‘'";
const CLOSING: &str = ".,;:!?…)]}\"”»’'";

/// The words and marks of a sentence, in order. What stands within a word is part of it: `1,200`, `€3.5bn`, `Pro-Borland`, `Arvenia's`.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut parts: Vec<&str> = Vec::new();
    for piece in text.split_whitespace() {
        let word = piece.trim_start_matches(|c| OPENING.contains(c));
        let (before, word) = piece.split_at(piece.len() - word.len());
        let word_end = word.trim_end_matches(|c| CLOSING.contains(c)).len();
        let (word, after) = word.split_at(word_end);
        parts.extend(before.split_inclusive(|_| true));
        parts.extend((!word.is_empty()).then_some(word));
        parts.extend(after.split_inclusive(|_| true));
    }
    let mut quoted = false;
    let mut tokens: Vec<Token<'_>> = Vec::with_capacity(parts.len());
    for text in parts {
        let is_mark = matches!(text, "\"" | "“" | "”" | "«" | "»");
        let within = quoted;
        quoted ^= is_mark;
        let lower = text.to_lowercase().replace('’', "'");
        let before = tokens.last().map_or("", |token| &token.lower[..]);
        tokens.push(Token {
            class: class_of(text, &lower, before),
            text,
            lower,
            quoted: within || is_mark,
        });
    }
    tokens
}

/// Ranges of `tokens` of which each may be left out, by where they begin.
pub(super) fn cuts(tokens: &[Token<'_>]) -> Vec<Range<usize>> {
    let timeless = tokens.iter().any(|token| {
        let superlative = token.lower.len() > 4 && token.lower.ends_with("est");
        let timely = matches!(token.class, Some(Class::Denial | Class::Doubt)) || token.is("will");
        timely || token.is(SWEEPING) || superlative
    });
    let conditional = tokens
        .iter()
        .any(|token| token.class == Some(Class::Condition) || token.is("when once while"));
    let mut cuts = Vec::new();
    for at in 0..tokens.len() {
        let found = [
            time(tokens, at)
                .filter(|_| !timeless || at > 0 && tokens[at - 1].class == Some(Class::Speech)),
            aside(tokens, at),
            apposition(tokens, at),
            relative_end(tokens, at),
            clause_end(tokens, at).filter(|_| !conditional),
            that(tokens, at),
            perfect(tokens, at),
            dateline(tokens, at),
        ];
        let whole = |cut: &Range<usize>| cut.len() < tokens.len() && plain(&tokens[cut.clone()]);
        cuts.extend(found.into_iter().flatten().filter(whole));
    }
    cuts
}

/// Nothing in it denies, doubts, conditions or attributes something, turns against the rest, or is quoted.
fn plain(tokens: &[Token<'_>]) -> bool {
    !tokens
        .iter()
        .any(|token| token.class.is_some() || token.quoted || token.is(TURNS))
}

/// A day, a month or a year, with its preposition.
fn time(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let is = |i: usize, list: &str| tokens.get(i).is_some_and(|token| token.is(list));
    let number = |i: usize, digits: Range<usize>| {
        let number = tokens.get(i).map_or("", |token| token.text);
        digits.contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
    };
    let month = |i: usize| is(i, MONTHS) && tokens[i].is_capital();
    let optional = |end: usize, there: bool| end + usize::from(there);
    let end = if is(at, "on") && is(at + 1, DAYS) {
        optional(at + 2, is(at + 2, "morning afternoon evening night"))
    } else if is(at, "on") && number(at + 1, 1..3) && month(at + 2) {
        optional(at + 3, number(at + 3, 4..5))
    } else if is(at, "on") && month(at + 1) && number(at + 2, 1..3) {
        at + 3
    } else if is(at, "in") && month(at + 1) {
        optional(at + 2, number(at + 2, 4..5))
    } else if is(at, "in") && number(at + 1, 4..5) || is(at, "yesterday") {
        at + 1 + usize::from(is(at, "in"))
    } else {
        return None;
    };
    if at == 0 {
        return is(end, ",").then_some(at..end + 1);
    }
    // What it is the time of stands before it, and nothing that it is one of two times of, after it.
    let before = &tokens[at - 1];
    let stands = before.is_word()
        && !before.is(NEEDS_TIME)
        && before.class.is_none_or(|class| class == Class::Speech);
    let two = is(end, "and or")
        && (is(end + 1, "on in at by") || is(end + 1, DAYS) || number(end + 1, 1..5));
    let more = is(end, "to until through than rather instead but");
    (stands && !two && !more).then_some(at..end)
}

/// What is told of somebody or something between commas or in brackets, with these.
fn aside(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let rest = &tokens[at + 1..];
    let end = match tokens[at].text {
        "(" => rest.iter().position(|token| token.text == ")")?,
        "," => rest.iter().position(|token| token.text == ",")?,
        _ => return None,
    };
    // Another subject with its verb is no aside but who says so: `Rovik, a court found, lied`.
    let told = &rest[..end];
    let noun = told
        .split(|token| token.is(RELATIVES))
        .next()
        .unwrap_or(told);
    let described = told.first()?.is("a an") && !noun.iter().any(may_be_verb);
    if tokens[at].text == ","
        && !described
        && !told.first()?.is(RELATIVES)
        && !told.first()?.is(PARTICIPLES)
    {
        return None;
    }
    let after = rest.get(end + 1)?;
    (!after.is("and or but nor who which whose") && after.is_word()).then_some(at..at + end + 2)
}

/// A name between commas after what its bearer is.
fn apposition(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let before = tokens.get(at.checked_sub(1)?)?;
    let titled =
        before.is_word() && !before.is_capital() && !before.is_number() && !before.is(PREPOSITIONS);
    let rest = &tokens[at + 1..];
    let names = rest.iter().take_while(|token| token.is_capital()).count();
    let closes = rest.get(names).is_some_and(|token| token.text == ",");
    let after = rest.get(names + 1)?;
    let goes_on = after.is_word() && !after.is("and or but nor") && !after.is_capital();
    let found = tokens[at].text == "," && titled && (1..=4).contains(&names) && closes && goes_on;
    found.then_some(at..at + names + 2)
}

/// A relative clause with which the sentence ends.
fn relative_end(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let end = stop(tokens)?;
    let (first, second) = (tokens.get(at + 1)?, tokens.get(at + 2)?);
    let relative = first.is(RELATIVES) || first.is(PREPOSITIONS) && second.is("which whom");
    (tokens[at].text == "," && relative && at < end).then_some(at..end)
}

/// Another statement with which the sentence ends, with a subject of its own.
fn clause_end(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let end = stop(tokens)?;
    let clause = tokens.get(at..end)?;
    let [comma, and, subject, rest @ ..] = clause else {
        return None;
    };
    let opens = comma.text == "," && and.lower == "and";
    let own = subject.is("the a an there") || subject.is_capital();
    let verb = |token: &Token<'_>| {
        token.is("is are was were has have had will")
            || token.is_word() && (token.lower.ends_with("ed") || token.lower.ends_with('s'))
    };
    // A list ends so too, but says nothing.
    let says = rest.iter().any(verb) && !rest.iter().any(|token| token.text == ",");
    (opens && own && says).then_some(at..end)
}

/// A `that` after who says so.
fn that(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let mut before = tokens[at.saturating_sub(4)..at].iter();
    let said = before.any(|token| token.class == Some(Class::Speech));
    (tokens[at].lower == "that" && said).then_some(at..at + 1)
}

/// What makes a perfect of a past: `has denied`.
fn perfect(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let (before, after) = (tokens.get(at.checked_sub(1)?)?, tokens.get(at + 1)?);
    let past = after.lower.ends_with("ed") && after.lower.len() > 4;
    let subject =
        before.is_word() && before.class.is_none() && !before.is("to will would who which that");
    (tokens[at].is("has have") && past && subject).then_some(at..at + 1)
}

/// A town in capitals that the sentence opens with.
fn dateline(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let capitals = tokens[at].text.len() > 2 && !tokens[at].text.contains(char::is_lowercase);
    let colon = tokens.get(at + 1).is_some_and(|token| token.text == ":");
    (at == 0 && capitals && colon).then_some(0..2)
}

/// Whether it looks like a verb.
fn may_be_verb(token: &Token<'_>) -> bool {
    token.is(VERBS) || token.is_word() && token.lower.ends_with("ed") || is_irregular(&token.lower)
}

/// The mark with which the sentence ends.
fn stop(tokens: &[Token<'_>]) -> Option<usize> {
    let last = tokens.len().checked_sub(1)?;
    matches!(tokens[last].text, "." | "!").then_some(last)
}

const RELATIVES: &str = "who which whose where";
/// Words that describe what stands before them.
const PARTICIPLES: &str = "named known based aged born";
const VERBS: &str = "is are was were has have had will does do did says found felt heard thought knew saw swore read feels finds holds rules writes";
/// Words that make a statement of all times of a statement of one, or compare times.
const SWEEPING: &str = "all every each any only most more less fewer few first second third last latest next new always ever again
    than since until by still already record half twice total";
/// Words that turn against what stands before them.
const TURNS: &str =
    "but though although however yet instead except despite even because so this these those";
/// Words after which a time is more than a time.
const NEEDS_TIME: &str = "not only until before after from to by and or but than as due set scheduled planned expected postponed moved delayed
    at of for between since was is are were be been being early late begin begins start starts open opens held due";
