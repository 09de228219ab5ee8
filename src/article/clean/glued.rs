//! Words that a scrape ran together (`thereare`, `short-lived,and`, `theUS`) are set apart again, where that is safe.
//!
//! A word is cut only where one part is among the smallest words of English and the other is frequent or stands elsewhere in the same
//! text, and only if it is no word itself. `frequent.txt` was counted over news of our own; `whole.txt` holds the English words that
//! the rule would cut (`together`, `withdraw`), found by running it over a dictionary.

use std::sync::LazyLock;

use foldhash::{HashMap, HashSet};

use super::paragraphs::Paragraph;
use super::vocabulary;

static FREQUENT: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("frequent.txt").split_whitespace().collect());
static WHOLE: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("whole.txt").split_whitespace().collect());

/// Beginnings of frequent words, for other forms of them ("cooperate" beside "cooperation").
static STEMS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| FREQUENT.iter().filter_map(|word| word.get(..6)).collect());

/// Small words that other words are glued to: in front, `whole.txt` knows the exceptions of these.
const FRONT: [&str; 54] = [
    "without", "during", "against", "the", "that", "there", "their", "they", "this", "these",
    "those", "than", "then", "and", "any", "of", "to", "for", "from", "with", "which", "while",
    "was", "were", "has", "have", "had", "been", "would", "could", "should", "between", "about",
    "before", "into", "also", "often", "two", "its", "his", "her", "are", "but", "not", "who",
    "said", "a", "of", "to", "by", "on", "at", "in", "is",
];
/// Of [`FRONT`], those that start too many English words to be cut off one.
const TIMID: [&str; 5] = ["by", "on", "at", "in", "is"];
/// Small words that are glued behind others.
const BACK: [&str; 26] = [
    "the", "that", "and", "of", "to", "was", "were", "has", "have", "had", "are", "for", "from",
    "with", "which", "would", "could", "who", "said", "their", "his", "its", "will", "told",
    "when", "after",
];
/// Small words that may stand whole behind another small word (`ofthe`, `tobe`).
const SMALL: [&str; 34] = [
    "is", "in", "on", "at", "by", "be", "as", "an", "it", "he", "she", "we", "or", "no", "will",
    "over", "under", "the", "that", "and", "of", "to", "was", "were", "has", "have", "had", "are",
    "any", "from", "his", "its", "their", "a",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Sets words apart in the paragraphs of one text, if it is English.
pub(super) fn unglue(paragraphs: &mut [Paragraph]) {
    let mut seen: HashMap<&str, u32> = HashMap::default();
    let (mut words, mut english) = (0usize, 0usize);
    let read = |paragraph: &&Paragraph| paragraph.text.len() <= super::trim::LONGEST;
    for paragraph in paragraphs.iter().filter(read) {
        for word in paragraph.text.split(|c: char| !c.is_alphabetic()) {
            if word.is_empty() || word.len() > 40 {
                continue;
            }
            words += 1;
            english += usize::from(matches!(
                word,
                "the" | "of" | "and" | "to" | "in" | "The" | "said"
            ));
            *seen.entry(word).or_default() += 1;
        }
    }
    if english * 25 < words {
        return;
    }
    let cuts: Vec<Vec<usize>> = paragraphs
        .iter()
        .map(|paragraph| match read(&paragraph) {
            true => cuts(&paragraph.text, &seen),
            false => Vec::new(),
        })
        .collect();
    for (paragraph, cuts) in paragraphs.iter_mut().zip(cuts) {
        if !cuts.is_empty() {
            let mut out = String::with_capacity(paragraph.text.len() + cuts.len());
            let mut from = 0;
            for at in cuts {
                out.push_str(paragraph.text.get(from..at).unwrap_or(""));
                out.push(' ');
                from = at;
            }
            out.push_str(paragraph.text.get(from..).unwrap_or(""));
            paragraph.text = out;
        }
    }
}

/// Places where a space is missing, in order.
fn cuts(text: &str, seen: &HashMap<&str, u32>) -> Vec<usize> {
    let bytes = text.as_bytes();
    let at = |i: usize| bytes.get(i).copied().unwrap_or(b' ');
    let mut cuts = Vec::new();
    let mut i = 0;
    // Inside an address nothing is cut.
    let mut address_until = 0;
    let mut token = 0;
    while i < bytes.len() {
        if at(i) == b' ' {
            token = i + 1;
        }
        if !at(i).is_ascii_alphabetic() {
            i += 1;
            continue;
        }
        if i >= address_until && token >= address_until {
            let end = bytes
                .iter()
                .skip(token)
                .position(|&b| b == b' ')
                .map_or(bytes.len(), |n| token + n);
            let whole = text.get(token..end).unwrap_or("");
            address_until = end;
            if whole.len() > 200
                || whole.contains("://")
                || whole.contains("www.")
                || whole.contains(['@', '_', '\\', '=', '#'])
            {
                i = end;
                continue;
            }
        }
        let start = i;
        while at(i).is_ascii_alphabetic() {
            i += 1;
        }
        let run = text.get(start..i).unwrap_or("");
        let before = if start == 0 { b' ' } else { at(start - 1) };
        let after = at(i);
        // Parts of longer words: accents, digits, hyphens, file names.
        let part = |b: u8| b >= 0x80 || b.is_ascii_digit();
        let quote = |from: usize| {
            text.get(from..)
                .is_some_and(|t| t.starts_with(['’', '”', '—', '–', '…']))
        };
        let opened = before >= 0x80
            && text
                .get(..start)
                .and_then(|t| t.chars().next_back())
                .is_some_and(|c| !c.is_alphanumeric());
        let apart = (!part(before) || opened)
            && (!part(after) || quote(i))
            && !matches!(before, b'-' | b'/' | b'.' | b'\'')
            && !matches!(after, b'-' | b'/' | b'\'');
        if part(after) && MONTHS.contains(&run) && after.is_ascii_digit() && before == b' ' {
            let digits = bytes
                .iter()
                .skip(i)
                .take_while(|b| b.is_ascii_digit())
                .count();
            if digits <= 2 {
                cuts.push(i);
            }
            continue;
        }
        if apart && let Some(cut) = cut(run, seen) {
            cuts.push(start + cut);
        }
        // "lived,and" and "said.The".
        let next = text.get(i + 1..).unwrap_or("");
        let low = run.bytes().all(|b| b.is_ascii_lowercase()) && run.len() >= 3;
        let following: &str = next
            .split_once(|c: char| !c.is_ascii_alphabetic())
            .map_or(next, |(word, _)| word);
        if low && following.len() >= 2 && following.len() < 40 {
            let lower = following.bytes().all(|b| b.is_ascii_lowercase());
            let capital = following.starts_with(|c: char| c.is_ascii_uppercase())
                && following.bytes().skip(1).all(|b| b.is_ascii_lowercase())
                && (matches!(after, b'!' | b'?')
                    || known(&following.to_ascii_lowercase())
                    || order(following));
            if after == b',' && lower && known(following)
                || matches!(after, b'.' | b'!' | b'?' | b',') && capital && before != b'.'
            {
                cuts.push(i + 1);
            }
        }
    }
    cuts
}

fn known(word: &str) -> bool {
    FREQUENT.contains(word)
        || FRONT.contains(&word)
        || SMALL.contains(&word)
        || BACK.contains(&word)
}

/// A word that buttons begin with (`storySubscribe`).
fn order(word: &str) -> bool {
    vocabulary::kinds(&word.to_ascii_lowercase()) & (vocabulary::URGE | vocabulary::UI) != 0
}

/// Where a run of letters is two words.
fn cut(run: &str, seen: &HashMap<&str, u32>) -> Option<usize> {
    if run.len() < 4 || run.len() > 40 {
        return None;
    }
    let bytes = run.as_bytes();
    let lower = bytes.iter().position(|b| b.is_ascii_uppercase());
    match lower {
        None => lowercase(run, seen),
        Some(0) if bytes.iter().skip(1).all(|b| b.is_ascii_lowercase()) => capitalised(run, seen),
        // "theUS", "toMoscow", "meetingPutin".
        Some(at) if at > 0 => {
            let (left, right) = run.split_at(at);
            let rest_known =
                seen.get(right).is_some_and(|&n| n >= 1) && right.len() >= 3 && left.len() >= 4;
            let small = left.len() >= 2
                && (FRONT.contains(&left) || SMALL.contains(&left))
                && right.len() >= 2;
            let rest_known = rest_known || order(right);
            (small || rest_known && FREQUENT.contains(left)).then_some(at)
        }
        _ => None,
    }
}

fn lowercase(run: &str, seen: &HashMap<&str, u32>) -> Option<usize> {
    if known(run) || WHOLE.contains(run) || seen.get(run).is_some_and(|&n| n > 2) {
        return None;
    }
    let form = |word: &str| word.get(..6).is_some_and(|stem| STEMS.contains(stem));
    let elsewhere = |word: &str| {
        word.len() >= 5
            && seen
                .get(word)
                .is_some_and(|&n| n >= seen.get(run).copied().unwrap_or(1))
    };
    for front in FRONT {
        if let Some(rest) = run.strip_prefix(front) {
            let fits = if front == "a" {
                rest.len() >= 5 && FREQUENT.contains(rest)
            } else if TIMID.contains(&front) {
                SMALL.contains(&rest) && rest.len() >= 3
            } else {
                rest.len() >= 4 && FREQUENT.contains(rest)
                    || rest.len() >= 2 && SMALL.contains(&rest)
                    || elsewhere(rest)
                    || form(rest)
            };
            if fits {
                return Some(front.len());
            }
        }
    }
    BACK.iter().find_map(|back| {
        let rest = run.strip_suffix(back)?;
        (rest.len() >= 4 && FREQUENT.contains(rest) || back.len() >= 3 && elsewhere(rest))
            .then_some(rest.len())
    })
}

fn capitalised(run: &str, seen: &HashMap<&str, u32>) -> Option<usize> {
    if seen.get(run).is_some_and(|&n| n > 1) {
        return None;
    }
    let folded = run.to_ascii_lowercase();
    if known(&folded) || WHOLE.contains(folded.as_str()) {
        return None;
    }
    let front = ["the", "this", "that", "these", "there"]
        .into_iter()
        .find(|front| {
            folded
                .strip_prefix(front)
                .is_some_and(|rest| rest.len() >= 5 && FREQUENT.contains(rest))
        });
    if let Some(front) = front {
        return Some(front.len());
    }
    // A name that stands elsewhere in the text, and a word that is no part of names.
    (3..run.len().saturating_sub(2)).find(|&at| {
        let (left, right) = (run.get(..at).unwrap_or(""), run.get(at..).unwrap_or(""));
        let name = seen.contains_key(left) && !known(&left.to_ascii_lowercase());
        let verb = right.len() >= 6 && right.ends_with("ed");
        let word = verb && (FREQUENT.contains(right) || seen.get(left).is_some_and(|&n| n >= 2))
            || right.len() >= 3 && BACK.contains(&right);
        name && word
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::{Paragraph, unglue};

    fn one(text: &str) -> String {
        let mut paragraphs = vec![Paragraph {
            text: text.to_owned(),
            heading: false,
        }];
        unglue(&mut paragraphs);
        paragraphs[0].text.clone()
    }

    #[test]
    fn words_run_together_are_set_apart() {
        let glued = "Lumo said that thereare no plans ofany kind to meet theEU envoy.The mood was calm,and the talks on November12 ended. Later Lumosaid so.";
        let apart = "Lumo said that there are no plans of any kind to meet the EU envoy. The mood was calm, and the talks on November 12 ended. Later Lumo said so.";
        assert_eq!(one(glued), apart);
        assert_eq!(one(apart), apart);
    }

    #[test]
    fn words_names_and_addresses_stay_whole() {
        let text = "Nonetheless the policymakers cannot withdraw from the ceasefire today; together with McDonald and the iPhone maker, whoever is behind the breakthrough at www.example.com/thereare.The or info@theoffice.org forgot the well-known offences in Finland and the U.S. base.";
        assert_eq!(one(text), text);
    }

    #[test]
    fn other_languages_are_left_alone() {
        let text = "Die Verhandlungen inder Stadt dauern an,und niemand weiss mehr.";
        assert_eq!(one(text), text);
    }
}
