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

/// Those of which none may be added, left out or moved.
pub(super) const MARKS: [Class; 3] = [Class::Denial, Class::Doubt, Class::Condition];

/// A word of a sentence.
#[derive(Debug)]
pub(super) struct Word<'a> {
    pub(super) raw: &'a str,
    pub(super) lower: String,
    /// Without its inflection, in lower case; numbers in digits.
    pub(super) stem: String,
    pub(super) class: Option<Class>,
    /// Whether it carries meaning of its own.
    pub(super) content: bool,
    pub(super) name: bool,
    pub(super) number: bool,
    /// Whether what follows belongs to it: `the president's`.
    pub(super) owns: bool,
    /// Whether a comma, a dash, a bracket or the like stands before it.
    pub(super) apart: bool,
}

/// How many there are of each of [`MARKS`].
pub(super) fn marks<'w>(words: impl IntoIterator<Item = &'w Word<'w>>) -> [usize; 3] {
    let mut counts = [0; MARKS.len()];
    for word in words {
        if let Some(i) = MARKS.iter().position(|class| word.class == Some(*class)) {
            counts[i] += 1;
        }
    }
    counts
}

/// The words of a sentence.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut end = 0;
    for raw in crate::words::raw_words(text) {
        let start = end + text[end..].find(raw).unwrap_or(0);
        let apart = text[end..start].contains([',', ';', ':', '–', '—', '(', ')', '[', ']'])
            || text[end..start].contains(" - ");
        end = start + raw.len();
        let before = words.last().map_or("", |word| &word.stem[..]);
        let lower = raw.to_lowercase().replace('’', "'");
        let number = number(&lower);
        let stem = number.clone().unwrap_or_else(|| stem(&lower));
        let capital = raw.starts_with(char::is_uppercase);
        let class = class(&lower, &stem, before, capital && !words.is_empty());
        let idle = is_function_word(&lower) || has(IDLE, &lower) || class == Some(Class::Speech);
        let helps = class.is_some() && has(HELPERS, &lower);
        words.push(Word {
            raw,
            lower: lower.clone(),
            class,
            content: number.is_some() || !(idle || helps) && raw.len() > 1,
            name: capital && !words.is_empty() && !is_function_word(&lower),
            number: number.is_some(),
            owns: lower.ends_with("'s")
                || raw.ends_with('s') && text[end..].starts_with(['\'', '’']),
            apart,
            stem,
        });
    }
    words
}

/// What a word does, after the word `before`.
fn class(lower: &str, stem: &str, before: &str, capital: bool) -> Option<Class> {
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

/// Whether it is a form that no rule makes, and so of a verb.
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

/// Words that open a clause that can be left out.
pub(super) const CLAUSE: &str = "who which whose where although though but while whereas and after before as with saying adding";
/// Words that a statement may begin after.
pub(super) const OPENERS: &str = "and but while as when although because after";
/// Words that part one clause from another.
pub(super) const CONJUNCTIONS: &str =
    "and but that while as when although because after before who which where";
const SPEECH: &str = "said say says saying told tell tells according announced announce announces added adds stated reported reports";
const CONDITIONS: &str = "if unless until provided whether pending except subject";
const DOUBTS: &str = "may might could would should possibly perhaps probably likely reportedly allegedly apparently tentatively due willing
    former formerly initially almost nearly deputy acting interim vice ex earliest latest least fake mock bogus sham shadow purported supposed fictional roughly approximately hardly barely scarcely once";
/// Verbs and nouns of what is not yet so, without their inflection.
const DOUBTING: &str = "hop expect plan intend seek want consider alleg rumour rumor propos offer urg seem appear believ think fear aim ask demand request
    threaten warn possibl potential suggest claim tentativ prospect bid call doubtful doubt unclear uncertain unconfirm try";
/// Of the marks, those that only help a verb.
const HELPERS: &str = "no not never none nobody nothing nowhere neither nor without cannot may might could would should if unless until whether to off out";
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
