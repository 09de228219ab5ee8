//! The words of a sentence: what each does to the statement that it stands in, and which are forms of one another.

use super::super::context::{self, has_stem};
use crate::words::{has, is_function_word};

/// What a word does to the statement that it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Denial,
    Doubt,
    Condition,
    Speech,
}

/// A word of a sentence.
#[derive(Debug)]
pub(super) struct Word {
    /// Without its inflection, in lower case; numbers in digits.
    pub(super) stem: String,
    /// Whether it carries meaning of its own.
    pub(super) content: bool,
}

impl Word {
    /// What it shares with words made from it: its first letters, but a number is itself.
    pub(super) fn root(&self) -> &str {
        let letters = !self.stem.starts_with(|c: char| c.is_ascii_digit());
        let end = self.stem.char_indices().nth(ROOT).filter(|_| letters);
        &self.stem[..end.map_or(self.stem.len(), |(at, _)| at)]
    }
}

/// Letters by which a word is told.
const ROOT: usize = 4;

/// The words of a sentence.
pub(super) fn words(text: &str) -> Vec<Word> {
    let words = crate::words::words(text);
    let words = words.map(|lower| {
        let number = number(&lower);
        Word {
            content: number.is_some()
                || lower.len() > 1 && !is_function_word(&lower) && !has(IDLE, &lower),
            stem: number.unwrap_or_else(|| stem(&lower)),
        }
    });
    words.collect()
}

/// What the word `text`, in lower case `lower`, does after the word `before`.
pub(super) fn class_of(text: &str, lower: &str, before: &str) -> Option<Class> {
    let (stem, before) = (&stem(lower)[..], stem(before));
    let capital = text.starts_with(char::is_uppercase);
    let phrase = || has(DENYING_PHRASES, &format!("{before}-{lower}"));
    if has(context::DENIALS, lower)
        || lower.ends_with("n't")
        || has_stem(context::DENYING, lower)
        || has_stem("fail", lower)
        || lower == "vain"
        || phrase()
    {
        return Some(Class::Denial);
    }
    if has(SPEECH, lower) {
        return Some(Class::Speech);
    }
    if has(CONDITIONS, lower) || has_stem("condition depend", lower) {
        return Some(Class::Condition);
    }
    // `May` is a month.
    let doubts = has(DOUBTS, lower) && !(lower == "may" && capital) || has(DOUBTING, stem);
    doubts.then_some(Class::Doubt)
}

/// Whether it is a form of a verb that no rule makes.
pub(super) fn is_irregular(lower: &str) -> bool {
    IRREGULAR.into_iter().any(|forms| has(forms, lower))
}

/// A number in digits.
pub(super) fn number(lower: &str) -> Option<String> {
    if let Some(at) = NUMBERS
        .split_ascii_whitespace()
        .position(|word| word == lower)
    {
        return Some((at + 2).to_string());
    }
    if !lower.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let ordinal = ["st", "nd", "rd", "th"]
        .iter()
        .find_map(|end| lower.strip_suffix(end));
    Some(ordinal.unwrap_or(lower).to_owned())
}

/// A word without its inflection, near enough that two forms of one word are the same and two words are not.
pub(super) fn stem(lower: &str) -> String {
    let word = lower
        .strip_suffix("'s")
        .or(lower.strip_suffix('\''))
        .unwrap_or(lower);
    let forms = IRREGULAR.into_iter().find(|forms| has(forms, word));
    let word = forms
        .and_then(|forms| forms.split(' ').next())
        .unwrap_or(word);
    let ends = ["ies", "ied", "ing", "ed", "es", "s"];
    let cut = ends.iter().find_map(|end| {
        let head = word.strip_suffix(end)?;
        (head.chars().count() >= 3 && !(*end == "s" && head.ends_with(['s', 'u', 'i'])))
            .then_some((head, *end))
    });
    let (head, end) = cut.unwrap_or((word, ""));
    if end.starts_with("ie") {
        return format!("{head}y");
    }
    let mut head = head.to_owned();
    let letters: Vec<char> = head.chars().rev().take(2).collect();
    // `planned`, `planning`: plan.
    if matches!(end, "ed" | "ing")
        && letters.len() == 2
        && letters[0] == letters[1]
        && !"lsz".contains(letters[0])
    {
        head.pop();
    }
    // `agree`, `agreed`, `agreeing`.
    if !matches!(end, "ed" | "es") && head.ends_with('e') && head.chars().count() > 3 {
        head.pop();
    }
    head
}

const SPEECH: &str = "said say says saying told tell tells according announced announce announces added adds stated reported reports
    confirmed confirms declared declares replied replies explained explains insisted insists";
const CONDITIONS: &str = "if unless until provided providing whether pending except excluding subject assuming supposing granting barring";
const DOUBTS: &str = "may might could would should possibly perhaps probably likely reportedly allegedly apparently tentatively due willing
    former formerly initially almost nearly deputy acting interim vice ex earliest latest least fake mock bogus sham shadow purported supposed fictional roughly approximately hardly barely scarcely once";
/// Verbs and nouns of what is not yet so, without their inflection.
const DOUBTING: &str = "hop expect plan intend seek want consider alleg rumour rumor propos offer urg seem appear believ think fear aim ask demand request
    threaten warn possibl potential suggest claim tentativ prospect bid call doubtful doubt unclear uncertain unconfirm try";
const DENYING_PHRASES: &str =
    "rul-out call-off broke-off broken-off break-off put-off yet-to rather-than instead-of";
/// Words that add nothing.
const IDLE: &str = "per cent percent also still that";
const NUMBERS: &str = "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty";
/// A verb, and forms of it that no rule makes.
const IRREGULAR: [&str; 24] = [
    "meet met",
    "hold held",
    "begin began begun",
    "lead led",
    "send sent",
    "leave left",
    "take took taken",
    "give gave given",
    "make made",
    "go went gone goes",
    "come came",
    "break broke broken",
    "win won",
    "lose lost",
    "find found",
    "keep kept",
    "pay paid",
    "speak spoke spoken",
    "write wrote written",
    "seek sought",
    "think thought",
    "fall fell fallen",
    "rise rose risen",
    "hit hitting",
];
