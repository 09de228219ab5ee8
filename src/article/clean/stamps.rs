//! Dates, times, reading times, and names with a date: what goes with an article or a teaser.

use super::block::Block;

pub(super) fn year(word: &str) -> bool {
    word.len() == 4
        && (word.starts_with("19") || word.starts_with("20"))
        && word.bytes().all(|b| b.is_ascii_digit())
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// Whether a word belongs to dates and times.
pub(super) fn dated(word: &str) -> bool {
    let month = word.len() >= 3
        && MONTHS.iter().any(|m| word.starts_with(m))
        && super::date::month(word).is_some();
    month
        || word.bytes().all(|b| b.is_ascii_digit())
        || matches!(
            word,
            "monday"
                | "tuesday"
                | "wednesday"
                | "thursday"
                | "friday"
                | "saturday"
                | "sunday"
                | "mon"
                | "tue"
                | "tues"
                | "wed"
                | "thu"
                | "thur"
                | "thurs"
                | "fri"
                | "sat"
                | "sun"
                | "am"
                | "pm"
                | "a"
                | "p"
                | "m"
                | "gmt"
                | "utc"
                | "ist"
                | "est"
                | "edt"
                | "et"
                | "cet"
                | "cest"
                | "bst"
                | "pst"
                | "pdt"
                | "cst"
                | "msk"
                | "hkt"
                | "sgt"
                | "pkt"
                | "wat"
                | "eat"
                | "sast"
                | "aest"
                | "t"
                | "z"
                | "at"
                | "on"
                | "of"
                | "the"
                | "st"
                | "nd"
                | "rd"
                | "th"
                | "ago"
                | "hour"
                | "hours"
                | "hr"
                | "hrs"
                | "h"
                | "minute"
                | "minutes"
                | "min"
                | "mins"
                | "day"
                | "days"
                | "week"
                | "weeks"
                | "month"
                | "months"
                | "year"
                | "years"
                | "yesterday"
                | "today"
                | "now"
                | "an"
                | "one"
                | "published"
                | "updated"
                | "update"
                | "posted"
                | "last"
                | "first"
                | "date"
                | "time"
                | "modified"
                | "read"
                | "reading"
                | "by"
                | "local"
                | "s"
                | "and"
                | "to"
                | "secs"
                | "sec"
                | "just"
        )
        || ordinal(word)
}

pub(super) fn ordinal(word: &str) -> bool {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && matches!(
            word.get(digits.len()..),
            Some(
                "st" | "nd"
                    | "rd"
                    | "th"
                    | "am"
                    | "pm"
                    | "h"
                    | "m"
                    | "min"
                    | "hrs"
                    | "d"
                    | "z"
                    | "t"
            )
        )
}

/// Dates with a label, times ago, reading times. A bare date or time is left undecided: a live blog and a chronicle are made of them.
pub(super) fn stamp(block: &Block) -> bool {
    let n = block.len();
    // "Ana R 2 days ago".
    let lead = block.words.iter().take_while(|w| w.capital).count();
    if (1..=3).contains(&lead)
        && n == lead + 3
        && block.word(n - 1) == "ago"
        && block.iter().skip(lead).all(dated)
    {
        return true;
    }
    if n <= 16 && signed(&block.text) {
        return true;
    }
    if n > 16 || !block.iter().all(dated) {
        return false;
    }
    let digit = block.text.contains(|c: char| c.is_ascii_digit());
    let said = block.iter().any(|w| {
        matches!(
            w,
            "ago"
                | "published"
                | "updated"
                | "update"
                | "posted"
                | "read"
                | "reading"
                | "modified"
                | "min"
                | "mins"
        )
    });
    said || digit && n >= 5
}

/// A name and a date with a bar between them: "Ana Reyes · 3 hours ago", "admin - March 2, 2024".
fn signed(text: &str) -> bool {
    let bars = [" · ", " | ", " - ", " – ", " — ", " / ", " • "];
    if text.len() > 120 || !text.contains(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let Some((name, when)) = bars.iter().find_map(|bar| text.split_once(bar)) else {
        return false;
    };
    let when = Block::new(when.to_owned());
    let name = Block::new(name.to_owned());
    let moment = when.len() >= 2
        && when.iter().all(dated)
        && when.text.contains(|c: char| c.is_ascii_digit())
        && when
            .iter()
            .any(|w| year(w) || w == "ago" || super::date::month(w).is_some());
    let person = (1..=5).contains(&name.len())
        && (name.len() == 1 || name.words.iter().all(|w| w.capital))
        && !name.text.ends_with(['.', ':']);
    moment && person
}

/// Nothing but a date. A bare time may head an entry of a live blog.
pub(super) fn date_only(block: &Block) -> bool {
    let day = block
        .iter()
        .any(|w| super::date::month(w).is_some() || year(w) || w.ends_with("day"));
    day && block.len() <= 12
        && block.text.contains(|c: char| c.is_ascii_digit())
        && block.iter().all(dated)
}

#[cfg(test)]
mod tests {
    use super::{Block, stamp};

    #[test]
    fn a_name_with_a_date_is_a_stamp_and_a_dateline_is_not() {
        let is = |text: &str| stamp(&Block::new(text.to_owned()));
        assert!(is("Ola Brandt | 4 Mar 2024"));
        assert!(is("seadog · 3 hours ago"));
        assert!(is("Ola B 2 days ago"));
        assert!(is("5 min read"));
        assert!(!is("LUMO, 4 March - Ferries sailed"));
        assert!(!is("16:05"));
    }
}
