//! What can be left out of a sentence without a change in what the rest of it says, for English:
//!
//! - when something was said, and in what: `Arvenia said [on Monday] that …`, `“…,” she said [in a statement].`; the `that` after who says so,
//!   the `also` before it;
//! - what is told in between: `Rovik[, who leads the union,] said`, `the minister[, Tomas Rovik,] said`, `Rovik[, 54,] said`, `the bank [(founded in
//!   1904)] closed`; of somebody who is not named: `a clerk [who was there] said`;
//! - what is told at the end: `… lies in Esker[, which is on the border]`, `…[, the first in nine years]`, `“…,” said Rovik[, the union's head].`;
//! - what ties it to the sentence before: `[All the same,] the talks open`.
//!
//! Each is found by what has to stand around it, and where in doubt it stays. Nothing is left out that denies, doubts, conditions or attributes
//! something, takes it back, tells of what is to come or was made up, or stands in quotation marks. When something happened, where it was said,
//! what came before it, what it led to and a second statement were on the list too, until readers set to break it did (`untrue.tsv`).

use std::ops::Range;

use super::super::context::{DAYS, MONTHS, has_stem};
use super::tokens::Token;
use super::words::{Class, is_irregular, number};
use crate::words::{PREPOSITIONS, has};

/// Ranges of `tokens` of which each may be left out, by where they begin.
pub(super) fn cuts(tokens: &[Token<'_>]) -> Vec<Range<usize>> {
    let mut cuts = Vec::new();
    for at in 0..tokens.len() {
        let found = [
            said_when(tokens, at),
            that(tokens, at),
            aside(tokens, at),
            apposition(tokens, at),
            age(tokens, at),
            unnamed(tokens, at),
            relative_end(tokens, at),
            remark_end(tokens, at),
            speaker_end(tokens, at),
            also(tokens, at),
            connective(tokens, at),
        ];
        let whole = |cut: &Range<usize>| cut.len() < tokens.len() && plain(&tokens[cut.clone()]);
        cuts.extend(found.into_iter().flatten().filter(whole));
    }
    cuts
}

/// Nothing in it denies, doubts, conditions or attributes something, turns against the rest, tells of what is to come or was made up, or is
/// quoted.
fn plain(tokens: &[Token<'_>]) -> bool {
    let lists = [FUTURE, TURNS, OPINIONS, FICTION];
    !tokens.iter().any(|token| {
        let other = lists.iter().any(|list| token.is(list)) || has_stem(UNDOING, &token.lower);
        token.class.is_some() || token.quoted || other
    })
}

/// Where a day, a month or a year, with its preposition, ends.
fn time(tokens: &[Token<'_>], opens: usize) -> Option<usize> {
    let is = |i: usize, list: &str| tokens.get(i).is_some_and(|token| token.is(list));
    let number = |i: usize, digits: Range<usize>| {
        let number = tokens.get(i).map_or("", |token| token.text);
        digits.contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
    };
    let month = |i: usize| is(i, MONTHS) && tokens[i].is_capital();
    let year =
        |i: usize| number(i, 4..5) && (is_year(tokens[i].text) && !plural(tokens.get(i + 1)));
    let optional = |end: usize, there: bool| end + usize::from(there);
    let at = optional(opens, is(opens, "late early") && is(opens + 1, "on"));
    let end = if is(at, "on") && is(at + 1, DAYS) {
        optional(at + 2, is(at + 2, "morning afternoon evening night"))
    } else if is(at, "on") && number(at + 1, 1..3) && month(at + 2) {
        optional(at + 3, year(at + 3))
    } else if is(at, "on") && month(at + 1) && number(at + 2, 1..3) {
        at + 3
    } else if is(at, "in") && month(at + 1) {
        optional(at + 2, year(at + 2))
    } else if is(at, "in") && year(at + 1) || is(at, "yesterday") {
        at + 1 + usize::from(is(at, "in"))
    } else {
        return None;
    };
    // Nothing that is part of it comes next, or that it is one of two times of.
    let next = end + usize::from(is(end, ","));
    let again = next + usize::from(is(next, "and or"));
    let two = again > end
        && (is(again, "on in at by again")
            || is(again, DAYS)
            || month(again)
            || number(again, 1..5));
    let more = is(
        end,
        "and or to until through than rather instead but of alone",
    ) || number(end, 1..9)
        || is(end, "the") && tokens.get(end + 1).is_some_and(Token::is_number)
        || tokens
            .get(end)
            .is_some_and(|next| next.lower.ends_with("'s"));
    let name = tokens.get(end).is_some_and(Token::is_capital) && (opens > 0 || is(at, "in"));
    (!two && !more && !name).then_some(end)
}

/// Where the words for what something was said in end, before a stop or a time: `in a statement`.
fn medium(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let end = named_medium(tokens, at)?;
    // What goes on is told of the medium: `in a video taken in Esker`.
    let ends = tokens.get(end)?.is(". !") || time(tokens, end).is_some();
    ends.then_some(end)
}

/// As [`medium`], whatever comes after it.
fn named_medium(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let opens = tokens.get(at)?.is("in at during") && tokens.get(at + 1)?.is("a an the");
    let kinds = tokens[at + 1..]
        .iter()
        .skip(1)
        .take_while(|token| token.is(KINDS));
    let medium = at + 2 + kinds.count();
    (opens && medium < at + 5 && tokens.get(medium)?.is(MEDIA)).then_some(medium + 1)
}

/// Whether what stands before is that somebody says something, with what else is said of when and where.
fn after_speech(tokens: &[Token<'_>], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|i| &tokens[i]) else {
        return false;
    };
    let told = before.is(AUDIENCES) && at > 1 && tokens[at - 2].is("told tells");
    let said = before.class == Some(Class::Speech) && !before.is("according told tell tells");
    let more = |from: usize| {
        [time(tokens, from), medium(tokens, from)].contains(&Some(at)) && after_speech(tokens, from)
    };
    said || told || (at.saturating_sub(LONGEST_TIME)..at).any(more)
}

/// When, or in what, something was said.
fn said_when(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    if at == 0 {
        return opening(tokens);
    }
    let end = time(tokens, at).or_else(|| medium(tokens, at))?;
    let [next, rest @ ..] = tokens.get(end..)? else {
        return None;
    };
    // Then comes what was said, or the end; of `the wing added in 1904 burned`, `said on Friday night traffic` it is no time of saying.
    let quotes = |token: &Token<'_>| token.quoted && !token.is_word();
    let goes_on = match tokens[at].is("late early") {
        true => next.lower == "that",
        false => {
            next.is("that . !")
                || next.is(OPENERS)
                || quotes(next)
                || next.text == "," && rest.first().is_some_and(quotes)
                || time(tokens, end).is_some()
        }
    };
    let said = sure_speech(tokens, at) || after_speaker(tokens, at, end);
    // `The bank reports on Monday` tells when it will.
    let over = !tokens[at - 1].is(PRESENT);
    let when = at..end;
    (said && over && goes_on && !counted_from(tokens, &when)).then_some(when)
}

/// When, or in what, something was said, at the opening: `In a statement on Monday, the ministry said that …`.
fn opening(tokens: &[Token<'_>]) -> Option<Range<usize>> {
    // What opens with a year or a month may tell of a year or a month.
    let when = time(tokens, 0).filter(|_| tokens[0].lower != "in");
    let end = when.or_else(|| {
        // An address is where somebody lives too, and a post a letter box.
        let known = |end: &usize| tokens[1].is("a an") && !tokens[end - 1].is("address post");
        let end = named_medium(tokens, 0).filter(known)?;
        let year = tokens.get(end)?.is("in");
        Some(time(tokens, end).unwrap_or(end)).filter(|_| !year)
    })?;
    let end = end + usize::from(tokens.get(end)?.text == ",");
    // Who says it comes next, with nothing else, and then what.
    let who = tokens[end..].iter().take(LONGEST_SUBJECT);
    let who = who.take_while(|token| {
        let other = token.is("to that who which and") || token.is(SWEEPING);
        token.is_word() && token.class != Some(Class::Speech) && !verb(token) && !other
    });
    let says = end + who.count();
    let who = tokens.get(end..says)?;
    let one = who.first()?.is(OPENERS) || who[0].is_capital();
    let (speech, that) = (tokens.get(says)?, tokens.get(says + 1)?);
    let said = speech.class == Some(Class::Speech) && that.lower == "that";
    let found = one && plain(who) && said && !speech.is("report reports");
    let when = 0..end;
    (found && !counted_from(tokens, &when)).then_some(when)
}

/// Whether something is told by that time of saying (`tomorrow`; after it, `the next day`), or a second one comes.
fn counted_from(tokens: &[Token<'_>], when: &Range<usize>) -> bool {
    let near = |token: &Token<'_>| {
        let day = token.lower.strip_suffix("'s").unwrap_or(&token.lower);
        has("tomorrow yesterday today tonight", day)
    };
    let counted = |pair: &[Token<'_>]| {
        pair[0].is("next following same previous that")
            && pair[1].is("day morning evening night week month year")
    };
    let again = |at: usize| time(tokens, at).is_some() || named_medium(tokens, at).is_some();
    let mut pairs = (when.end + 1..).zip(tokens[when.end..].windows(2));
    let mut others = tokens[..when.start].iter().chain(&tokens[when.end..]);
    others.any(near)
        || pairs.any(|(at, pair)| counted(pair) || pair[0].is("and but ,") && again(at))
}

/// As [`after_speech`], where all of the clause before says no more than who it is.
fn sure_speech(tokens: &[Token<'_>], at: usize) -> bool {
    let clause = tokens[..at].iter().rposition(|token| !token.is_word());
    let clause = &tokens[clause.map_or(0, |mark| mark + 1)..at];
    let unsure = |token: &Token<'_>| {
        let said = token.class.is_none_or(|class| class == Class::Speech);
        !said
            || token.is(SWEEPING)
            || token.is("will to was were is are be been being that what who which if first last later earlier one those")
    };
    let speech = |token: &&Token<'_>| token.class == Some(Class::Speech);
    // Of `the one announced in May` it is no verb; and what was asked for may be a time.
    let one = (clause.len() > 1 || clause.first().is_some_and(|word| word.is("said says")))
        && clause.iter().filter(speech).count() == 1
        && !tokens[0].is("asked pressed questioned");
    after_speech(tokens, at) && one && !clause.iter().any(unsure)
}

/// Whether what stands before is a quotation, and then that somebody says it: `“…,” said an official in Oslo [on Friday], “…”`.
fn after_speaker(tokens: &[Token<'_>], at: usize, end: usize) -> bool {
    let before = &tokens[..at];
    let Some(quoted) = before.iter().rposition(|token| token.quoted) else {
        return false;
    };
    let [says, who @ ..] = &before[quoted + 1..] else {
        return false;
    };
    let closed = before[quoted].closes() && tokens.get(end).is_some_and(|next| !next.is_word());
    let named = (1..=LONGEST_SUBJECT).contains(&who.len())
        && who.iter().all(|token| token.is_word() && !verb(token));
    closed && named && plain(who) && says.class == Some(Class::Speech)
}

/// A `that` after who says so.
fn that(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let next = tokens.get(at + 1)?;
    // In `said that was a lie`, `said that night` it is a word of its own.
    let opens = (next.is(OPENERS) || next.is_capital()) && next.class.is_none();
    // Of two both stay; and what it opens is a statement, with a verb.
    let rest = &tokens[at + 1..];
    let one = !rest.iter().any(|token| token.is("that"));
    let states = rest
        .iter()
        .skip(1)
        .take_while(|token| token.is_word())
        .any(verb);
    let said = tokens[at].lower == "that"
        && !tokens
            .get(at.checked_sub(1)?)?
            .is("report reports reported");
    (said && opens && one && states && after_speech(tokens, at)).then_some(at..at + 1)
}

/// What is told of somebody or something between commas, dashes or brackets, with these.
fn aside(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let (before, rest) = (&tokens[..at], &tokens[at + 1..]);
    let closing = match tokens[at].text {
        "(" => ")",
        mark @ ("," | "–" | "—") => mark,
        _ => return None,
    };
    let end = rest.iter().position(|token| token.text == closing)?;
    let (told, after) = (&rest[..end], &rest[end + 1..]);
    // Another subject with its verb is no aside but who says so: `Rovik, a court found, lied`.
    let noun = told.split(|token| token.is(RELATIVES)).next()?;
    let named = before.iter().all(Token::is_capital) && !before.first()?.is(PREPOSITIONS);
    let article = if named { "a an the" } else { "a an" };
    // `Rovik, Arvenia's foreign minister, said`; not `…, said the country`, nor `Later, Arvenia's king, …`.
    let of = |token: &Token<'_>| token.is("it its same country city ,");
    let owner = told.first()?.is_capital()
        && told[0].lower.ends_with("'s")
        && (2..=LONGEST_SUBJECT).contains(&told.len())
        && told.last()?.is(OFFICES)
        && !told
            .iter()
            .any(|token| finite(token) || token.is(PREPOSITIONS))
        && closing != ")"
        && !before
            .first()?
            .is("later then first today yesterday meanwhile soon")
        && !after.iter().any(of);
    let described = told.first()?.is(article) && !noun.iter().any(verb) || named && owner;
    // In brackets it may say which of them.
    let relative = told.len() > 1 && closing != ")" && told[0].is(RELATIVES);
    let tells = relative || told.first()?.is(PARTICIPLES);
    // One pair of marks, after which the verb comes; else they may be a list's. Where the verb comes after a later one, the clause goes on:
    // `whose dam is built, filled and opened, says`.
    let closes = |token: &Token<'_>| token.text == closing;
    let later = after
        .windows(2)
        .any(|pair| closes(&pair[0]) && finite(&pair[1]));
    let pair = !before.iter().any(closes) && !later && !told.last()?.is("and or the a an");
    // A plural is no verb: `…, critics argue`, `…, guards and a nurse`.
    let plural = |token: &Token<'_>| {
        token.is("and or")
            || token.is(OPINIONS)
            || token.class.is_some_and(|class| class != Class::Denial)
    };
    let next = after.first()?;
    let goes_on = verb(next) || finite(next) && !after.iter().skip(1).take(3).any(plural);
    let denied = after
        .get(1)
        .is_some_and(|next| next.class == Some(Class::Denial))
        && after.get(2).is_none_or(|next| !next.is_word());
    ((described || tells) && pair && goes_on && !denied).then_some(at..at + end + 2)
}

/// A name between commas after what its bearer is.
fn apposition(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let before = &tokens[..at];
    let last = before.last()?;
    let titled =
        last.is_word() && !last.is_capital() && !last.is_number() && !last.is(PREPOSITIONS);
    let opens = before.iter().all(Token::is_word)
        && !before[0].is(PREPOSITIONS)
        && !before[0].is("according last");
    let rest = &tokens[at + 1..];
    let names = rest.iter().take_while(|token| token.is_capital()).count();
    let closes = rest.get(names).is_some_and(|token| token.text == ",");
    let after = rest.get(names + 1..)?;
    // `The mayor, Rovik, said Marsh, was shot.`
    let other = after.get(1).is_some_and(Token::is_capital)
        && after.get(2).is_some_and(|mark| mark.text == ",");
    let goes_on = finite(after.first()?) && !other;
    let found =
        tokens[at].text == "," && titled && opens && (1..=4).contains(&names) && closes && goes_on;
    found.then_some(at..at + names + 2)
}

/// Somebody's age between commas.
fn age(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let [comma, age, closes, after] = tokens.get(at..at + 4)? else {
        return None;
    };
    let before = &tokens[..at];
    let named = before.last()?.is_capital()
        && before.iter().all(Token::is_word)
        && !before[0].is(PREPOSITIONS);
    let years = number(&age.lower)
        .is_some_and(|years| years.len() < 3 && years.bytes().all(|b| b.is_ascii_digit()));
    let found = comma.text == "," && closes.text == "," && named && years && finite(after);
    found.then_some(at..at + 3)
}

/// What is told of a speaker who is not named.
fn unnamed(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let before = &tokens[..at];
    let article = before.iter().rposition(|token| token.is("a an"))?;
    let opens = article == 0 || tokens[article - 1].text == ",";
    let noun = &before[article + 1..];
    let simple = (1..=3).contains(&noun.len())
        && noun
            .iter()
            .all(|token| token.is_word() && !token.is(PREPOSITIONS) && !verb(token));
    let clause = tokens[at + 1..].iter().take(LONGEST_SUBJECT + 2);
    let clause = clause.take_while(|token| {
        token.is_word()
            && token.class.is_none()
            && !token.is_capital()
            && !token.is("what that which whom how")
    });
    let says = at + 1 + clause.count();
    let clause = tokens.get(at + 1..says)?;
    let stays = finite(clause.first()?) && !clause.iter().any(|token| token.is(NO_MORE));
    let after = tokens.get(says + 1)?;
    let ends = !after.is_word() || after.is("that") || time(tokens, says + 1).is_some();
    let found = tokens[at].lower == "who" && opens && simple && stays && ends;
    (found && tokens[says].class == Some(Class::Speech)).then_some(at..says)
}

/// A relative clause with which the sentence ends.
fn relative_end(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let end = stop(tokens)?;
    let (first, second) = (tokens.get(at + 1)?, tokens.get(at + 2)?);
    let relative = first.is(RELATIVES) || first.is(PREPOSITIONS) && second.is("which whom");
    // `The court is a last resort, where all else failed` tells of no place.
    let place = first.lower != "where" || tokens.get(at.checked_sub(1)?)?.is_capital();
    // `… who flew it, who paid for it` are questions.
    let one = !tokens[..at].iter().any(|token| token.lower == first.lower);
    // What came later may undo it: `… won the medal, which was taken from him`.
    let now = !tokens[at..end].iter().any(past);
    (ends_with(tokens, at, end) && relative && place && one && now).then_some(at..end)
}

/// Whether a comma stands there, a statement before it, and up to the end no other mark.
fn ends_with(tokens: &[Token<'_>], at: usize, end: usize) -> bool {
    let (before, rest) = (&tokens[..at], tokens.get(at + 1..end).unwrap_or_default());
    let statement =
        before.iter().any(verb) && !tokens[0].is(PREPOSITIONS) && !before.last().is_some_and(verb);
    tokens[at].text == "," && statement && !rest.is_empty() && rest.iter().all(Token::is_word)
}

/// What is remarked of all before, with which the sentence ends.
fn remark_end(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let end = stop(tokens)?;
    let (the, rank) = (tokens.get(at + 1)?, tokens.get(at + 2)?);
    let ranks =
        the.lower == "the" && rank.is(RANKS) && !tokens[..at].iter().any(|token| token.is(RANKS));
    // What has a verb may be who says so: `…, the first minister argued`.
    let says = tokens
        .get(at + 3..end)?
        .iter()
        .any(|token| token.is(VERBS) || token.is("and or") || is_irregular(&token.lower));
    (ends_with(tokens, at, end) && ranks && !says).then_some(at..end)
}

/// What is told of the one who says so, with which the sentence ends.
fn speaker_end(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let end = stop(tokens)?;
    let before = &tokens[..at];
    let told = tokens.get(at + 1..end)?;
    let name = before.iter().rev().take_while(|token| token.is_capital());
    let name = name.count();
    let [.., what, says] = &before[..at - name] else {
        return None;
    };
    let said = says.is("said says added") && what.closes();
    // What has a verb may be what he says: `“No,” said Rovik, the talks failed.`
    let first = told.first()?;
    let head = told.iter().take_while(|token| !token.is(PREPOSITIONS));
    let described = (first.is("the a an") || first.is_capital() && first.lower.ends_with("'s"))
        && head.last()?.is(OFFICES)
        && told
            .iter()
            .all(|token| token.is_word() && !finite(token) && !token.is("and or"));
    let found = tokens[at].text == "," && said && (1..=4).contains(&name) && described;
    found.then_some(at..end)
}

/// An `also` before who says so.
fn also(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let says = tokens.get(at + 1)?.is("said says");
    let what = tokens.get(at + 2)?;
    let what = what.is("that") || what.is(OPENERS);
    let simple = |token: &Token<'_>| {
        let other = "only but who that whether which when once if had has have and or";
        token.is_word() && token.class.is_none() && !token.is(other)
    };
    let found = at > 0 && tokens[at].lower == "also" && says && what;
    (found && tokens[..at].iter().all(simple)).then_some(at..at + 1)
}

/// What ties the sentence to the one before.
fn connective(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    if at > 0 {
        return None;
    }
    let comma = tokens.iter().position(|token| token.text == ",")?;
    let words: Vec<&str> = tokens[..comma]
        .iter()
        .map(|token| &token.lower[..])
        .collect();
    let rest = &tokens[comma + 1..];
    let opens = rest.first()?;
    let statement = opens.is(OPENERS) || opens.is_capital();
    // `Moreover, the court found, Rovik lied.`
    let (clause, mark) = rest.split_at(rest.iter().position(|token| !token.is_word())?);
    let says = mark[0].text == ","
        && clause
            .iter()
            .any(|token| token.class.is_some() || token.is(OPINIONS));
    let found = CONNECTIVES.contains(&&words.join(" ")[..]);
    (found && statement && !says).then_some(0..comma + 1)
}

/// Whether it looks like the verb of a statement, or a plural.
fn finite(token: &Token<'_>) -> bool {
    let present = token.lower.len() > 3 && token.lower.ends_with('s');
    let word = token.is_word() && !token.is_number() && !token.is_capital();
    let noun = token.lower.ends_with("ss") || token.lower.ends_with("'s");
    verb(token) || word && present && !noun
}

/// Whether it looks like the verb of a statement.
fn verb(token: &Token<'_>) -> bool {
    let may = token.is("will would can could may might shall should must");
    may || past(token) || token.is(VERBS)
}

/// Whether it looks like a verb of what is over.
fn past(token: &Token<'_>) -> bool {
    token.is(PAST) || token.is_word() && token.lower.ends_with("ed") || is_irregular(&token.lower)
}

fn is_year(text: &str) -> bool {
    text.parse()
        .is_ok_and(|year: u32| (1000..2100).contains(&year))
}

/// Whether a number before it may count it: `in 1900 homes`.
fn plural(next: Option<&Token<'_>>) -> bool {
    next.is_some_and(|next| next.is_word() && !next.is("that") && next.lower.ends_with('s'))
}

/// The mark with which the sentence ends.
fn stop(tokens: &[Token<'_>]) -> Option<usize> {
    let last = tokens.len().checked_sub(1)?;
    matches!(tokens[last].text, "." | "!").then_some(last)
}

/// Words of a time or a medium at most, and of who says or does something.
const LONGEST_TIME: usize = 6;
const LONGEST_SUBJECT: usize = 6;
const RELATIVES: &str = "who which whose where";
/// Words that describe what stands before them.
const PARTICIPLES: &str = "named known based aged born seen founded";
const MEDIA: &str = "statement interview speech video post tweet briefing conference address message notice communiqué";
const KINDS: &str = "joint written televised television radio video text short brief news press";
/// They say how a sentence goes on from the one before, and nothing of what happened.
const CONNECTIVES: [&str; 4] = ["all the same", "moreover", "furthermore", "in addition"];
/// What somebody may be called by.
const OFFICES: &str = "minister president leader envoy mayor king queen chief secretary ambassador head chairman chairwoman spokesman
    spokeswoman director governor premier chancellor coach commander";
/// Speech that may be yet to come.
const PRESENT: &str = "say says tell tells announces adds states report reports confirms declares replies explains insists";
const AUDIENCES: &str = "reporters journalists parliament lawmakers";
/// Words that a statement opens with.
const OPENERS: &str = "the a an it he she they we you i there his her its their our both";
const VERBS: &str = "is are has have does do says read feels finds holds rules writes";
const PAST: &str = "was were had did said found felt heard thought knew saw swore sold built bought brought caught shot sat stood struck drew
    grew flew ran beat chose spent became";
/// What somebody was is not what he is.
const NO_MORE: &str = "resigned sacked fired left quit retired died did dismissed removed ousted voted toppled deposed demoted jailed replaced
    suspended stepped was were";
const RANKS: &str = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth only last largest smallest biggest highest
    lowest longest shortest latest";
/// Words that make a statement of all of a statement of some, or compare.
const SWEEPING: &str = "all every each any only most more less fewer few last next always ever again than since until by still already half
    twice total";
/// Words of what is to come.
const FUTURE: &str = "will opens begins starts";
/// Words of what was made up.
const FICTION: &str = "film play played plays playing acted acting novel sketch dream joke joking story opera song poem series trailer game exercise
    simulation scene role puppet robot character parody horse dog ship band";
/// Words that turn against what stands before them.
const TURNS: &str = "exception but though although however yet instead except despite even because so this these those alone struck tore torn fell freed back
    down aside";
/// Words of what somebody else holds to be so.
const OPINIONS: &str = "argue argues argued contend contends contended note notes noted show shows showed shown prove proves proved proven turned
    conclude concludes concluded maintain maintains maintained find finds found rule rules ruled write writes wrote believes held holds insisted
    agrees agreed admits admitted concedes conceded hear heard thought assumed";
/// Beginnings of words by which what is said before is so no more, or never was.
const UNDOING: &str = "annul overturn overrul pardon quash revers retract revok rescind withdr drop lift clear los lost forge fake hoax fraud void
    lapse expire undo mistak wrong error accident toy replica decoy drill rehears parod satir repeal veto avert block strip acquit
    bann cease expel disqualif unravel";
