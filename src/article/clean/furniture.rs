//! Tells what one block of a page is, from its own words alone: the article's prose, the page's furniture, or a line that only its
//! neighbours can settle.
//!
//! Furniture speaks to its reader ("sign up", "your inbox"), names what a site offers, or is no sentence at all but buttons, counters
//! and lists; news reports what others said. Each sign has a weight, and the sum decides.

use super::block::Block;
use super::credits::{address_only, byline, credit, notice, writer};
use super::lists::{buttons, gauge, heading, labelled, menu};
use super::speech::score;
use super::stamps::stamp;

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Sentences: the article's, unless its place says otherwise.
    Prose,
    /// A short line without a full stop: headline, sub-heading, teaser, name.
    Line,
    /// Furniture.
    Junk,
    /// A date, a time, a reading time, a byline: furniture that goes with an article or a teaser.
    Stamp,
    /// Opens a list of other stories.
    Opens,
    /// Opens a box about the author.
    Author,
    /// Opens comments or a form.
    Ends,
}

impl Kind {
    /// Neither prose nor an undecided line.
    pub(super) fn is_furniture(self) -> bool {
        !matches!(self, Kind::Prose | Kind::Line)
    }
}

/// Fewest words of a block that is prose without ending as a sentence.
const LONG: usize = 20;

/// What `block` is by its own words.
pub(super) fn judge(block: &Block) -> Kind {
    let n = block.len();
    if n == 0 || address_only(block) {
        return Kind::Junk;
    }
    if let Some(kind) = heading(block) {
        return kind;
    }
    // A box to tick, and the name over a comment.
    if block.text.starts_with([
        '○', '☐', '□', '◯', '☑', '✓', '✔', '✕', '✖', '×', '⏱', '▶', '▾', '⌄',
    ]) || n <= 5
        && block.text.ends_with(':')
        && matches!(block.word(n - 1), "says" | "wrote" | "writes" | "said")
        && block.words.iter().take(n - 1).all(|w| w.capital)
    {
        return Kind::Junk;
    }
    if gauge(block) || labelled(block) || credit(block) || notice(block) {
        return Kind::Junk;
    }
    if stamp(block) || byline(block) || writer(block) {
        return Kind::Stamp;
    }
    // "No." and "Rain is forecast." are sentences too; no button ends with a full stop.
    let stopped = block.text.ends_with('.') && !block.text.ends_with("...");
    let sentence = block.terminal() && n >= 4 || stopped && n >= 3;
    let score = score(block);
    if score >= if sentence || n > LONG { 3.0 } else { 2.0 } {
        return Kind::Junk;
    }
    if !sentence && !stopped && (buttons(block) || menu(block)) {
        return Kind::Junk;
    }
    let question = block.text.ends_with('?') && n <= 12;
    // "Forget Solar Panels. Do This Instead.": no paragraph is written like that.
    if sentence && n <= LONG && titled(block) {
        return Kind::Line;
    }
    if sentence && !question && (n >= 8 || functional(block)) || n > LONG && block.capitals() < 0.7
    {
        Kind::Prose
    } else {
        Kind::Line
    }
}

/// Whether all but the smallest words begin with a capital, and not all letters are capitals.
fn titled(block: &Block) -> bool {
    let long = block.iter().filter(|w| w.len() >= 4).count();
    long >= 3
        && block.capitals() >= 0.99
        && block.text.contains(char::is_lowercase)
        && !block.words.iter().any(|w| w.quoted)
}

/// Whether a block has the small words that hold a sentence together.
fn functional(block: &Block) -> bool {
    block.iter().any(|w| {
        matches!(
            w,
            "the"
                | "a"
                | "an"
                | "is"
                | "are"
                | "was"
                | "were"
                | "be"
                | "been"
                | "has"
                | "have"
                | "had"
                | "will"
                | "would"
                | "to"
                | "of"
                | "in"
                | "on"
                | "at"
                | "for"
                | "with"
                | "by"
                | "from"
                | "and"
                | "but"
                | "or"
                | "not"
                | "no"
                | "he"
                | "she"
                | "it"
                | "they"
                | "we"
                | "i"
                | "you"
                | "his"
                | "her"
                | "their"
                | "that"
                | "this"
                | "there"
                | "who"
                | "what"
                | "when"
                | "where"
                | "how"
                | "why"
                | "did"
                | "does"
                | "do"
                | "can"
                | "could"
                | "should"
                | "may"
                | "might"
                | "must"
                | "said"
                | "says"
        )
    }) || block.text.contains(['"', '“'])
}
