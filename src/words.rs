//! What can be told of English by its words alone: which of them carry meaning, and what a claim is when it is denied.

use std::collections::BTreeSet;

/// Letters that tell one word from another: `meeting` and `meetings` are the same.
const STEM: usize = 5;
/// Where a template has the claim.
pub const PLACE: &str = "{claim}";
/// Verbs that take a `not` behind them; `may not` would be a guess as `may` is, and is left to the sentence around the claim.
const VERBS: [&str; 14] = [
    "is", "are", "was", "were", "will", "would", "shall", "should", "can", "could", "must", "has",
    "have", "had",
];
/// First words that lose their capital inside a sentence; any other may be a name.
const COMMON: [&str; 12] = [
    "a",
    "an",
    "the",
    "this",
    "these",
    "there",
    "no",
    "nobody",
    "talks",
    "negotiations",
    "meetings",
    "both",
];

/// The words of `text` that carry meaning, by their first letters.
pub fn stems(text: &str) -> BTreeSet<String> {
    words(text)
        .filter(|word| word.len() > 1 && !is_function_word(word))
        .map(|word| word.chars().take(STEM).collect())
        .collect()
}

/// `claim` denied: with `not` behind the first verb that takes it, or gone from where it stands; else `It is not true that …`.
pub fn denied(claim: &str) -> String {
    not(claim).unwrap_or_else(|| inside("It is not true that {claim}.", claim))
}

/// `claim` with a `not` more or less; `None` where the words do not allow it.
fn not(claim: &str) -> Option<String> {
    let words: Vec<&str> = claim.split(' ').collect();
    let bare = |word: &str| {
        word.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
            .to_lowercase()
    };
    let denies = |word: &str| {
        [
            "no", "never", "nobody", "none", "nothing", "neither", "nor", "may", "might", "cannot",
        ]
        .contains(&word)
            || word.ends_with("n't")
            || word.ends_with("n’t")
    };
    if words.iter().any(|word| denies(&bare(word))) {
        return None;
    }
    if let Some(at) = words.iter().position(|word| *word == "not") {
        return Some([&words[..at], &words[at + 1..]].concat().join(" "));
    }
    let at = words.iter().position(|word| VERBS.contains(word))?;
    Some(
        [&words[..=at], &["not"], &words[at + 1..]]
            .concat()
            .join(" "),
    )
}

/// `template` with `claim` at its place, as a part of a sentence.
pub fn inside(template: &str, claim: &str) -> String {
    let claim = claim.trim().trim_end_matches('.');
    let first = claim.split(' ').next().unwrap_or_default();
    let lower = first.to_lowercase();
    let opens = template.starts_with(PLACE);
    let claim = match COMMON.contains(&&lower[..]) && !opens {
        true => format!("{lower}{}", &claim[first.len()..]),
        false => claim.to_owned(),
    };
    template.replace(PLACE, &claim)
}

/// The words of `text` in lower case; an apostrophe is part of its word.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    raw_words(text).map(|word| word.to_lowercase().replace('’', "'"))
}

/// The words of `text` as they stand.
pub fn raw_words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '’')))
        .map(|word| word.trim_matches(['\'', '’']))
        .filter(|word| !word.is_empty())
}

/// Words that say nothing alone.
pub fn is_function_word(word: &str) -> bool {
    [
        FUNCTION,
        PRONOUNS,
        PREPOSITIONS,
        DETERMINERS,
        CONTRASTS,
        CONNECTIVES,
        DEMONSTRATIVES,
    ]
    .iter()
    .any(|list| has(list, word))
}

/// `word` is one of the words of `list`.
pub fn has(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|known| known == word)
}

pub const PRONOUNS: &str =
    "he she it they him her them his its their hers theirs himself herself itself themselves";
pub const DEMONSTRATIVES: &str = "this that these those such both neither another others";
/// Objections.
pub const CONTRASTS: &str = "but however yet nevertheless nonetheless still instead not nor";
/// Openings that go on from the sentence before.
pub const CONNECTIVES: &str = "and or so then thus therefore hence moreover furthermore besides also too meanwhile otherwise similarly
    likewise consequently accordingly conversely here";
pub const DETERMINERS: &str =
    "the a an no some any every each both all several many most two three four";
pub const PREPOSITIONS: &str = "about above across after against along amid among around as at before behind below beside between beyond by
    despite during except for from in inside into like near of off on onto out outside over past per since through throughout
    to toward towards under until up upon via when while with within without although though if because once unless whether";
const FUNCTION: &str = "is are was were be been being has have had having do does did will would shall should can could may might must
    who whom whose which what where why how than there when then not no i you we me us my our your said says say saying tells
    told tell added asked spoke only just more most very much many any all own new one even ever again now well back";
