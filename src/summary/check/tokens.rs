//! A sentence as words and marks.

use super::words::{Class, class_of};
use crate::words::has;

/// A word or a mark of a sentence.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    /// Byte at which it begins.
    pub(super) at: usize,
    pub(super) lower: String,
    /// What it does to the statement.
    pub(super) class: Option<Class>,
    /// Whether it stands in quotation marks, or is one.
    pub(super) quoted: bool,
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

    pub(super) fn is(&self, list: &str) -> bool {
        has(list, &self.lower)
    }

    /// Whether a quotation ends with it.
    pub(super) fn closes(&self) -> bool {
        self.quoted && !self.is_word() && !OPENING_QUOTES.contains(self.text)
    }
}

/// Marks that open something, and that close or part.
const OPENING: &str = "([{\"“«‘'";
const CLOSING: &str = ".,;:!?…)]}\"”»’'";
const OPENING_QUOTES: &str = "“«‘";

/// The words and marks of a sentence, in order. What stands within a word is part of it: `1,200`, `€3.5bn`, `Pro-Borland`, `Arvenia's`.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut double, mut single) = (false, false);
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut rest = text;
    for piece in text.split_whitespace() {
        let word = piece.trim_start_matches(|c| OPENING.contains(c));
        let (before, word) = piece.split_at(piece.len() - word.len());
        let mut word_end = word.trim_end_matches(|c| CLOSING.contains(c)).len();
        single |= before.contains(['‘', '\'']);
        // Of `the workers’ strike` it is part of the word.
        if let (Some(mark @ ('’' | '\'')), false) = (word[word_end..].chars().next(), single) {
            word_end += mark.len_utf8();
        }
        let (word, after) = word.split_at(word_end);
        let closed = after.contains(['’', '\'']);
        let [before, after] = [before, after].map(|marks| marks.split_inclusive(|_| true));
        let parts = before
            .chain((!word.is_empty()).then_some(word))
            .chain(after);
        for part in parts {
            rest = rest.trim_start();
            let at = text.len() - rest.len();
            rest = &rest[part.len()..];
            let within = double || single;
            double ^= matches!(part, "\"" | "“" | "”" | "«" | "»");
            let lower = part.to_lowercase().replace('’', "'");
            let last = tokens.last().map_or("", |token| &token.lower[..]);
            tokens.push(Token {
                class: class_of(part, &lower, last),
                text: part,
                at,
                lower,
                quoted: within || double,
            });
        }
        single &= !closed;
    }
    if double || single {
        // A mark has no other: anything may be a quotation.
        tokens.iter_mut().for_each(|token| token.quoted = true);
    }
    tokens
}
