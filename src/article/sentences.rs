//! Sentences: where they end.
//!
//! One idea: walk each line once; at every stop look at the word before it and the word after it, and nothing else. A stop ends
//! a sentence unless the word before is an abbreviation that wants more, or the word after goes on in lower case. All looks are
//! bounded, so the time is linear in the text, whatever it holds.

mod words;

use std::ops::Range;

use words::{
    DAYS, Kind, PARTICLES, SPEECH, STARTERS, abbreviation, has, is_brand, is_marker, is_month,
    titlecase,
};

/// How far a look back or ahead goes, in bytes; a longer word is no abbreviation.
const LOOK: usize = 64;

/// Byte ranges of the sentences of `text`: in order, disjoint, trimmed of white space, on character boundaries, and together
/// holding every character that is not white space. A line break always ends a sentence, so headings stand alone.
///
/// The rules are written for English news; stops of other scripts (`。`, `।`, `؟`, …) are known too.
pub fn split(text: &str) -> Vec<Range<usize>> {
    let mut sentences = Vec::new();
    let mut offset = 0;
    for line in text.split_inclusive(is_line_break) {
        Line::new(line).split(offset, &mut sentences);
        offset += line.len();
    }
    sentences
}

fn is_line_break(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Stops that may also stand inside a sentence.
fn is_soft_stop(c: char) -> bool {
    matches!(c, '.' | '!' | '?') || !c.is_ascii() && "…؟۔‼⁇⁈⁉‽".contains(c)
}

/// Stops that always end a sentence, with or without a space after them.
fn is_hard_stop(c: char) -> bool {
    !c.is_ascii() && "。｡！？।॥።፧။។։".contains(c)
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '–' | '—' | '―' | '‒' | '−')
}

/// Opens a quotation or a bracket, or stands before a sentence as a bullet does.
fn is_opener(c: char) -> bool {
    "\"'“”„‟‘‚«»‹›「『([{（【¿¡*_".contains(c)
}

/// Letter case of a whole line: in a line of one case, case tells nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Mixed,
    Lower,
    Upper,
}

struct Line<'a> {
    text: &'a str,
    case: Case,
}

/// A run of stops with the quotes and brackets that close behind it.
struct Stop {
    mark: Mark,
    /// Where the run of stops begins.
    start: usize,
    /// Where the sentence would end: behind the closing marks.
    end: usize,
    /// Closing marks follow the stop,
    closed: bool,
    /// and a quotation mark is among them.
    quoted: bool,
    /// A straight double quote is open behind the stop.
    open: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// One full stop, which an abbreviation may own.
    Period,
    /// Several dots and nothing else.
    Ellipsis,
    /// Question and exclamation marks.
    Call,
    /// A stop that is never anything else, as in Chinese or Hindi.
    Hard,
}

/// What follows a stop.
struct Next<'a> {
    first: char,
    word: &'a str,
    /// The word after `word`, for `5 p.m. Geneva time`.
    second: &'a str,
    /// A dash stands before the word,
    dash: bool,
    /// or a quotation mark.
    quoted: bool,
    /// The word often begins sentences and is hardly ever part of a name.
    starter: bool,
}

impl<'a> Line<'a> {
    fn new(text: &'a str) -> Self {
        let upper = text.chars().any(char::is_uppercase);
        let lower = text.chars().any(char::is_lowercase);
        let case = match (upper, lower) {
            (false, true) => Case::Lower,
            (true, false) => Case::Upper,
            _ => Case::Mixed,
        };
        Self { text, case }
    }

    fn rest(&self, at: usize) -> &'a str {
        self.text.get(at..).unwrap_or_default()
    }

    fn char_at(&self, at: usize) -> Option<char> {
        self.rest(at).chars().next()
    }

    fn split(&self, offset: usize, sentences: &mut Vec<Range<usize>>) {
        let before = sentences.len();
        let (mut start, mut at) = (0, 0);
        let (mut open, mut worded) = (false, false);
        while let Some(c) = self.char_at(at) {
            if !is_soft_stop(c) && !is_hard_stop(c) {
                open ^= c == '"';
                worded |= c.is_alphanumeric();
                at += c.len_utf8();
                continue;
            }
            let stop = self.stop(at, open);
            (at, open) = (stop.end, stop.open);
            // A piece without a letter or digit (`…`, `(!)`) is no sentence: it goes with what follows.
            if worded && self.ends(start, &stop) {
                self.push(start..at, offset, sentences);
                (start, worded) = (at, false);
            }
        }
        let rest = start..self.text.len();
        match sentences.get_mut(before..).and_then(<[_]>::last_mut) {
            Some(last) if !worded => {
                let tail = self.rest(start).trim_end();
                if !tail.trim_start().is_empty() {
                    last.end = offset + start + tail.len();
                }
            }
            _ => self.push(rest, offset, sentences),
        }
    }

    fn push(&self, range: Range<usize>, offset: usize, sentences: &mut Vec<Range<usize>>) {
        let piece = self.text.get(range.clone()).unwrap_or_default();
        let trimmed = piece.trim();
        if !trimmed.is_empty() {
            let start = offset + range.start + (piece.len() - piece.trim_start().len());
            sentences.push(start..start + trimmed.len());
        }
    }

    /// Reads the run of stops at `start`, and the closing marks behind it.
    fn stop(&self, start: usize, mut open: bool) -> Stop {
        let (mut end, mut dots, mut others, mut hard) = (start, 0, 0, false);
        while let Some(c) = self.char_at(end) {
            match c {
                '.' => dots += 1,
                '…' => dots += 3,
                _ if is_hard_stop(c) => hard = true,
                _ if is_soft_stop(c) => others += 1,
                // An ellipsis with spaces between its dots.
                ' ' | '\u{a0}' if dots > 0 && others == 0 => {
                    let after = self.rest(end + c.len_utf8());
                    let spaced = after
                        .strip_prefix('.')
                        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()));
                    if !spaced {
                        break;
                    }
                }
                _ => break,
            }
            end += c.len_utf8();
        }
        let mark = match (hard, others, dots) {
            (true, _, _) => Mark::Hard,
            (_, 0, 1) => Mark::Period,
            (_, 0, _) => Mark::Ellipsis,
            _ => Mark::Call,
        };
        let (mut closed, mut quoted) = (false, false);
        while let Some(c) = self.char_at(end) {
            let after = self.char_at(end + c.len_utf8());
            let wordless = after.is_none_or(|c| !c.is_alphanumeric());
            let footnote = self.footnote(end);
            let (closes, quote) = match c {
                ')' | ']' | '}' | '）' | '】' => (true, false),
                '”' | '」' | '』' | '›' => (true, true),
                '"' => (open || wordless, true),
                '\'' | '’' | '“' | '‘' | '«' | '»' | '‹' => (wordless, true),
                '*' | '_' => (wordless, false),
                // French sets its closing mark off with a space.
                ' ' | '\u{a0}' | '\u{202f}' => (after == Some('»'), true),
                _ => (footnote > 0, false),
            };
            if !closes {
                break;
            }
            open &= c != '"';
            closed = true;
            quoted |= quote;
            end += footnote.max(c.len_utf8());
        }
        Stop {
            mark,
            start,
            end,
            closed,
            quoted,
            open,
        }
    }

    /// Length of the footnote mark at `at` (`ended.[12] The`), a bracketed number of up to three digits; else 0.
    fn footnote(&self, at: usize) -> usize {
        let Some(inner) = self.rest(at).strip_prefix('[') else {
            return 0;
        };
        let digits = inner.bytes().take(4).take_while(u8::is_ascii_digit).count();
        let whole = (1..=3).contains(&digits) && inner.as_bytes().get(digits) == Some(&b']');
        if whole { digits + 2 } else { 0 }
    }

    /// Does the sentence that began at `start` end with `stop`?
    fn ends(&self, start: usize, stop: &Stop) -> bool {
        let Some(after) = self.char_at(stop.end) else {
            return true;
        };
        if stop.mark == Mark::Hard {
            // Japanese reports speech with `」と`; a comma goes on in every language.
            return !(matches!(after, '，' | '、' | ',') || stop.closed && after == 'と');
        }
        if !after.is_whitespace() {
            return self.ends_glued(stop, after);
        }
        let Some(next) = self.next(stop.end) else {
            return true;
        };
        let head = self.text.get(..stop.start).unwrap_or_default();
        let sentence = head.get(start..).unwrap_or_default();
        let token = last_token(head);
        let kind = match stop.mark {
            Mark::Period => self.kind(sentence, token, &next),
            _ => Kind::Word,
        };
        if self.case == Case::Mixed && next.first.is_lowercase() {
            return kind == Kind::Word && is_brand(next.word);
        }
        match stop.mark {
            Mark::Period => {}
            // A stammer goes on: `I ... I do not know`.
            Mark::Ellipsis => {
                let before = last_token(head.trim_end()).trim_start_matches(is_opener);
                return before.is_empty() || before != next.word;
            }
            // `(!)` is a remark.
            _ => {
                let spoken = stop.quoted && self.is_attribution(&next, stop.end);
                return !(spoken || head.ends_with('('));
            }
        }
        if is_dateline(sentence)
            || token.len() > 1 && token.starts_with('/') && token.ends_with('/')
        {
            return false;
        }
        let capital = next.first.is_uppercase();
        match kind {
            Kind::Word => !(is_ordinal(token) && is_month(next.word)),
            Kind::Marker | Kind::Never => false,
            _ if next.dash || next.first.is_numeric() => false,
            Kind::BeforeNumber => !is_month(next.word),
            Kind::Clock => !is_time(&next),
            Kind::MayEnd => next.starter || stop.quoted || next.quoted && capital,
        }
    }

    /// No space behind the stop: `ended.The ministry`, but not `example.com`, `U.S.-led`, `3.5`.
    fn ends_glued(&self, stop: &Stop, after: char) -> bool {
        let opened = is_opener(after) && !matches!(after, '\'' | '*' | '_');
        let right = self.rest(stop.end + if opened { after.len_utf8() } else { 0 });
        let length = right
            .chars()
            .take(LOOK)
            .take_while(|c| c.is_alphabetic())
            .map(char::len_utf8)
            .sum::<usize>();
        let (word, beyond) = right.split_at_checked(length).unwrap_or_default();
        let capital = word.chars().next().is_some_and(char::is_uppercase);
        let starter = has(STARTERS, word);
        let name = capital && word.chars().nth(1).is_some_and(char::is_lowercase);
        if !(starter || name) {
            return false;
        }
        let space = beyond.starts_with(char::is_whitespace);
        let mut beyond = beyond.chars();
        match beyond.next() {
            Some('@' | '/' | '_' | '=' | '&') => return false,
            Some('.') if beyond.next().is_some_and(char::is_alphanumeric) => return false,
            _ => {}
        }
        if stop.closed {
            return true;
        }
        let head = self.text.get(..stop.start).unwrap_or_default();
        let token = last_token(head)
            .trim_start_matches(is_opener)
            .trim_end_matches(|c| "\"”’')]»".contains(c));
        if token.is_empty() {
            return starter;
        }
        let letters = token.chars().count();
        let inner = |c| is_dash(c) || matches!(c, '\'' | '’');
        if letters < 2 || !token.chars().all(|c| c.is_alphanumeric() || inner(c)) {
            return false;
        }
        // Behind a capital, `Marlow.Dressed in` is two sentences, `Example.Com` is not.
        let long = letters > 3 && length > 3 && space;
        starter || opened || long || token.chars().all(|c| c.is_lowercase() || inner(c))
    }

    /// The first word behind `at`, past quotes, brackets, dashes and bullets.
    fn next(&self, at: usize) -> Option<Next<'a>> {
        let (mut dash, mut quoted) = (false, false);
        let text = self.rest(at).trim_start_matches(|c: char| {
            dash |= is_dash(c);
            quoted |= "\"'“„‘«»".contains(c);
            is_dash(c) || is_opener(c) || matches!(c, '•' | '·') || c.is_whitespace()
        });
        let first = text.chars().next()?;
        let (word, rest) = take_word(text);
        let (second, _) = take_word(rest.strip_prefix(' ').unwrap_or_default());
        // A letter with a stop of its own is an initial, not the article `A`.
        let initial = word.len() == 1 && rest.starts_with('.');
        let starter = !initial
            && match self.case {
                Case::Mixed => has(STARTERS, word),
                _ => has(STARTERS, &titlecase(word)),
            };
        Some(Next {
            first,
            word,
            second,
            dash,
            quoted,
            starter,
        })
    }

    /// `"Will it?" Hale asked.`: a name and a verb of speech behind a quotation.
    fn is_attribution(&self, next: &Next, at: usize) -> bool {
        if next.quoted || next.dash || next.starter {
            return false;
        }
        let mut rest = self.rest(at).trim_start();
        for _ in 0..5 {
            let (word, tail) = take_word(rest);
            if has(SPEECH, word) {
                return true;
            }
            let name = word.chars().next().is_some_and(char::is_uppercase) || has(PARTICLES, word);
            if !name {
                return false;
            }
            rest = tail
                .trim_start_matches('.')
                .strip_prefix(' ')
                .unwrap_or_default();
        }
        false
    }

    /// What the last word `token` of `sentence` lets the full stop behind it mean.
    fn kind(&self, sentence: &str, token: &str, next: &Next) -> Kind {
        let token = token.trim_start_matches(|c| is_opener(c) || is_dash(c));
        if sentence.len() < LOOK && sentence.trim() == token && is_marker(token) {
            return Kind::Marker;
        }
        let word = token
            .rsplit(|c: char| !c.is_alphabetic() && c != '.')
            .next()
            .unwrap_or_default();
        // The `t` of `isn't` and the `G` of `5G` are no initials.
        let part = token.strip_suffix(word).is_some_and(|head| {
            head.ends_with(|c: char| c.is_numeric() || matches!(c, '\'' | '’'))
        });
        // A clock may touch its number: `5p.m.`.
        if word.is_empty() || word.len() > 12 || part && !matches!(word, "a.m" | "p.m") {
            return Kind::Word;
        }
        // In capitals it is an abbreviation among capitals only: `ST. ORRIN`, but `sued by the SEC. The firm`.
        let capitals = |word: &str| word.len() > 1 && word.chars().all(char::is_uppercase);
        match abbreviation(word) {
            Kind::Word if self.case == Case::Lower || capitals(word) && capitals(next.word) => {
                abbreviation(&titlecase(word))
            }
            kind => kind,
        }
    }
}

/// The last run of characters without white space, cut at [`LOOK`] characters.
fn last_token(head: &str) -> &str {
    let length = head
        .chars()
        .rev()
        .take(LOOK)
        .take_while(|c| !c.is_whitespace())
        .map(char::len_utf8)
        .sum::<usize>();
    head.get(head.len() - length..).unwrap_or_default()
}

/// `ESKER, March 4`: a town in capitals and a date, all there is of the sentence so far.
fn is_dateline(sentence: &str) -> bool {
    if sentence.len() > LOOK {
        return false;
    }
    let Some((town, date)) = sentence.split_once(',') else {
        return false;
    };
    let mut words = date
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .peekable();
    town.chars().filter(|c| c.is_uppercase()).count() > 2
        && !town.chars().any(char::is_lowercase)
        && words.peek().is_some()
        && words.all(|word| {
            is_month(word.trim_end_matches('.')) || word.bytes().all(|b| b.is_ascii_digit())
        })
}

/// `3` in the German `3. November`.
fn is_ordinal(token: &str) -> bool {
    (1..=2).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_digit())
}

/// What may follow `5 p.m.` in the same sentence.
fn is_time(next: &Next) -> bool {
    let zone = (2..=4).contains(&next.word.len())
        && next.word.bytes().all(|b| b.is_ascii_uppercase())
        && (next.word.ends_with('T') || next.word == "UTC");
    let place = matches!(next.second, "time" | "Time");
    zone || place || is_month(next.word) || has(DAYS, next.word)
}

/// Letters, digits and the marks inside words; cut at [`LOOK`] characters.
fn take_word(text: &str) -> (&str, &str) {
    let length = text
        .chars()
        .take(LOOK)
        .take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '\'' | '’'))
        .map(char::len_utf8)
        .sum();
    text.split_at_checked(length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn pieces(text: &str) -> Vec<&str> {
        split(text).into_iter().map(|range| &text[range]).collect()
    }

    /// In order, disjoint, trimmed, on character boundaries, and nothing but white space left out.
    fn assert_whole(text: &str) {
        let mut last = 0;
        for range in split(text) {
            let piece = text.get(range.clone()).unwrap();
            assert!(
                !piece.is_empty() && piece.trim() == piece,
                "{piece:?} of {text:?}"
            );
            assert_eq!(text[last..range.start].trim(), "", "lost from {text:?}");
            last = range.end;
        }
        assert_eq!(text[last..].trim(), "", "lost at the end of {text:?}");
    }

    #[test]
    fn boundaries_are_where_a_reader_sees_them() {
        let cases = include_str!("../../tests/data/sentences.txt").lines();
        let mut count = 0;
        for case in cases.filter(|line| !line.is_empty() && !line.starts_with(['#', '~'])) {
            let text = case.replace(" ¦ ", " ").replace('¦', "");
            let expected: Vec<&str> = case.split('¦').map(str::trim).collect();
            assert_eq!(pieces(&text), expected);
            count += 1;
        }
        assert!(count > 150, "{count} cases");
    }

    #[test]
    fn a_line_break_ends_a_sentence_so_headings_stand_alone() {
        let text = "Talks open in Esker\r\n\r\nThe envoys, Mr.\nOrlan said, are here\u{2028}  Then silence. \n\n";
        let expected = [
            "Talks open in Esker",
            "The envoys, Mr.",
            "Orlan said, are here",
            "Then silence.",
        ];
        assert_eq!(pieces(text), expected);
        assert!(split(" \n\t\r\n").is_empty());
    }

    #[test]
    fn nothing_is_lost_from_arbitrary_text() {
        let parts: Vec<&str> = ". ... … ! ? 。 ” “ \" ' ’ » « ) ( [1] [ ] - — * U.S. Mr. a.m. 5 p.m. The the é 会 ा 😀 \u{301} /x/ No. Nov. 3 ESKER, March 4"
            .split(' ')
            .chain([" ", " ", " ", "\n", "\u{a0}"])
            .collect();
        let mut state = 7u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..12 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                text.push_str(parts[usize::try_from(state >> 33).unwrap() % parts.len()]);
            }
            assert_whole(&text);
        }
    }

    /// A quadratic splitter would take hours here.
    #[test]
    fn hostile_text_takes_linear_time() {
        for part in [
            "a", ".", ". ", "a.", "A. ", "(", "\"", ".\"", "?(", "é.[1]", "\n", "... ", "U.S. ",
            "x .«", "?\" Aa ",
        ] {
            let text = part.repeat(500_000 / part.len());
            assert_whole(&text);
        }
    }
}
