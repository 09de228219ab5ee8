//! Dates that a page states without doubt: a year, a month by name (or ISO 8601), a day.

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// 1 to 12 for an English month's name in lower case, or its beginning of three or four letters.
pub(super) fn month(word: &str) -> Option<u32> {
    if word.len() < 3 {
        return None;
    }
    let found = MONTHS
        .iter()
        .position(|name| *name == word || word.len() <= 4 && name.starts_with(word))?;
    u32::try_from(found + 1).ok()
}

/// The first date in `text`, as `YYYY-MM-DD`; `None` where there is none or day and month could change places.
pub(super) fn find(text: &str) -> Option<String> {
    let (folded, words) = super::block::fold(text);
    let words: Vec<&str> = words
        .iter()
        .filter_map(|w| folded.get(w.span().0..w.span().1))
        .collect();
    words.iter().enumerate().find_map(|(i, word)| {
        let at = |offset: usize| words.get(i + offset).copied().unwrap_or("");
        let before = |offset: usize| {
            i.checked_sub(offset)
                .and_then(|i| words.get(i))
                .copied()
                .unwrap_or("")
        };
        if let Some(month) = month(word) {
            // "November 12, 2024" or "12 November 2024".
            return iso(year(at(2)), Some(month), day(at(1)))
                .or_else(|| iso(year(at(1)), Some(month), day(before(1))));
        }
        // "2024-11-12", "2024-11-12T10:00" and "2024/11/12".
        let (third, _) = at(2).split_once('t').unwrap_or((at(2), ""));
        year(word).and_then(|y| iso(Some(y), number(at(1), 2), number(third, 2)))
    })
}

fn iso(year: Option<u32>, month: Option<u32>, day: Option<u32>) -> Option<String> {
    let (year, month, day) = (year?, month?, day?);
    let last = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=last)
        .contains(&day)
        .then(|| format!("{year:04}-{month:02}-{day:02}"))
}

fn year(word: &str) -> Option<u32> {
    number(word, 4).filter(|y| (1900..2100).contains(y))
}

fn day(word: &str) -> Option<u32> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = word.get(digits.len()..).unwrap_or("");
    if !matches!(suffix, "" | "st" | "nd" | "rd" | "th") {
        return None;
    }
    number(digits, 1).or_else(|| number(digits, 2))
}

fn number(word: &str, digits: usize) -> Option<u32> {
    (word.len() == digits && word.bytes().all(|b| b.is_ascii_digit()))
        .then(|| word.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn dates_without_doubt_are_read() {
        for text in [
            "Published November 5, 2024",
            "5 Nov 2024, 10:22",
            "Posted on 5th November 2024",
            "2024-11-05T08:00Z",
            "Nov. 5, 2024",
        ] {
            assert_eq!(find(text).as_deref(), Some("2024-11-05"), "{text}");
        }
    }

    #[test]
    fn doubtful_and_impossible_dates_are_not() {
        for text in [
            "05/11/2024",
            "November 2024",
            "31 February 2024",
            "May 5",
            "in 2024",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
