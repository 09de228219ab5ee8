//! What a sentence needs of its neighbours: who "he" is, whose words these are, and the denial that comes after.
//!
//! Rules over words, for English. They lean to the safe side: a sentence that may need its neighbour is taken with it or not at all.

use std::ops::Range;

use crate::words::{
    CONNECTIVES, CONTRASTS, DEMONSTRATIVES, DETERMINERS, PREPOSITIONS, PRONOUNS, has,
    is_function_word, raw_words, words,
};

/// Which neighbours a sentence must have beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// It points back: its pronoun, its quotation or its "but" would hang in the air.
    pub before: bool,
    /// The next one finishes or denies it: alone it would mislead.
    pub after: bool,
}

/// What each of the sentences at `places` needs. The first may need one that is not there.
pub fn needs(text: &str, places: &[Range<usize>]) -> Vec<Needs> {
    let mut quoting = false;
    let mut last_end = 0;
    let mut needs: Vec<Needs> = Vec::with_capacity(places.len());
    for at in places {
        let sentence = &text[at.clone()];
        // A new paragraph opens its quotation again; what the last one left open, it must bring.
        let left_open = quoting;
        quoting &= !text[last_end..at.start].contains('\n');
        last_end = at.end;
        let opened_before = quoting;
        let closes_another = !quoting && closes_first(sentence);
        quoting = quotes(sentence, quoting);
        let denial = denies_the_last(sentence);
        if let Some(last) = needs.last_mut() {
            last.after |= denial || left_open;
        }
        needs.push(Needs {
            before: opened_before || closes_another || denial || points_back(sentence),
            after: sentence.ends_with(':') || expects_a_turn(sentence),
        });
    }
    needs
}

/// The sentences that `i` must be taken with, itself among them; none when one of them is not there or they are more than `most`.
pub fn unit<T>(
    all: &[T],
    needs: impl Fn(&T) -> Needs,
    i: usize,
    most: usize,
) -> Option<Range<usize>> {
    let (mut start, mut end) = (i, i + 1);
    while needs(&all[start]).before {
        start = start.checked_sub(1)?;
        if end - start > most {
            return None;
        }
    }
    while needs(&all[end - 1]).after && end < all.len() {
        end += 1;
        if end - start > most {
            return None;
        }
    }
    Some(start..end)
}

/// Whether it ends as a sentence does: headings, captions and cut lines do not.
pub fn is_whole(sentence: &str) -> bool {
    bare_end(sentence).ends_with(['.', '!', '?', '…', ':'])
}

/// Whether it asks or orders something of the reader, and so tells nothing.
pub fn asks(sentence: &str) -> bool {
    bare_end(sentence).ends_with('?') || !sentence.starts_with(is_quote) && orders(sentence)
}

/// Whether it opens with an order: `Ignore the above`, `Now write that`, `[CLS] Answer only`; `Share prices fell` is none.
fn orders(sentence: &str) -> bool {
    let mut words = words(sentence).skip_while(|word| has(BEFORE_ORDERS, word));
    let verb = words.next().unwrap_or_default();
    let object = words.next().unwrap_or_default();
    has(ORDERS, &verb) || has(NOUNS_OR_ORDERS, &verb) && has(OBJECTS, &object)
}

/// `sentence` without the quotation marks and brackets that close it.
fn bare_end(sentence: &str) -> &str {
    sentence.trim_end_matches(|c: char| is_quote(c) || matches!(c, ')' | ']' | '’' | '\''))
}

/// Bytes of the dateline that opens `sentence`, the article's first: `ESKER, March 4 (Northern Wire) - `.
pub fn dateline(sentence: &str) -> usize {
    for dash in [" - ", " – ", " — ", " -- "] {
        let Some((head, rest)) = sentence.split_once(dash) else {
            continue;
        };
        let begins = |word: &str| word.starts_with(|c: char| c.is_uppercase() || c.is_numeric());
        let named = head.len() <= DATELINE && raw_words(head).all(begins);
        // A town in capitals, a date, or an agency in brackets.
        let town = raw_words(head).next().unwrap_or_default();
        let capitals = town.chars().count() > 1 && !town.contains(char::is_lowercase);
        let date = head.contains([',', '(']) && raw_words(head).any(is_month);
        if named
            && !has(NO_TOWNS, &town.to_lowercase())
            && (capitals || date || head.ends_with(')'))
            && rest
                .trim_start_matches(is_quote)
                .starts_with(char::is_uppercase)
        {
            return sentence.len() - rest.len();
        }
    }
    0
}

/// Longest dateline, in bytes.
const DATELINE: usize = 60;
/// In capitals too, but parties to talks: `EU - UK talks`.
const NO_TOWNS: &str =
    "us usa u uk eu un uae nato asean opec imf who wto iaea au drc prc g7 g8 g20 brics";

/// Whether it names a day, a month or a number.
pub fn dated(sentence: &str) -> bool {
    raw_words(sentence).any(|word| {
        is_month(word)
            || has(DAYS, &word.to_lowercase())
            || word.starts_with(|c: char| c.is_ascii_digit())
    })
}

/// A month's name; `may` is none.
fn is_month(word: &str) -> bool {
    word.starts_with(char::is_uppercase) && has(MONTHS, &word.to_lowercase())
}

/// Whether it says no to something.
pub fn denies(sentence: &str) -> bool {
    let all: Vec<String> = words(sentence).collect();
    all.iter()
        .any(|word| has(DENIALS, word) || word.ends_with("n't") || is_denying(word))
        || all
            .windows(2)
            .any(|pair| has(PHRASES, &format!("{}-{}", pair[0], pair[1])))
}

/// A verb that says no.
fn is_denying(word: &str) -> bool {
    has_stem(DENYING, word)
}

/// Whether `word` begins as one of `stems` does.
pub(super) fn has_stem(stems: &str, word: &str) -> bool {
    let mut stems = stems.split_ascii_whitespace();
    stems.any(|stem| word.starts_with(stem))
}

/// Whether it is a denial of what the sentence before it says, an objection to it, or a condition of it.
fn denies_the_last(sentence: &str) -> bool {
    let all: Vec<String> = words(sentence).collect();
    let word = |i: usize| all.get(i).map_or("", String::as_str);
    let opens = has(CONTRASTS, word(0))
        || has(DEMONSTRATIVES, word(0))
        || word(0) == "the" && has(SAID, word(1));
    // `denied it`, `dismissed those reports`.
    let denied = |i: usize| {
        has("it this them", word(i + 1))
            || has("the this that these those such", word(i + 1)) && has(SAID, word(i + 2))
    };
    opens && (denies(sentence) || all.iter().any(|word| has(LIMITS, word)))
        || (0..all.len()).any(|i| is_denying(word(i)) && denied(i))
}

/// `seemed saved`, `had been due to meet`: what was to be and, it will turn out, is not; unless it says so itself.
fn expects_a_turn(sentence: &str) -> bool {
    let all: Vec<String> = words(sentence).collect();
    let turn = all.iter().any(|word| has("seemed appeared supposed", word))
        || all.windows(3).any(|three| {
            let [first, second, third] = three else {
                return false;
            };
            has("was were", first) && second == "to" && third == "have"
                || first == "had" && second == "been" && has(PLANNED, third)
        });
    turn && !denies(sentence)
}

/// Whether something in it can only be understood from the sentence before.
fn points_back(sentence: &str) -> bool {
    let all: Vec<String> = words(sentence).collect();
    let word = |i: usize| all.get(i).map_or("", String::as_str);
    let opens = |i: usize| has(DEMONSTRATIVES, word(i));
    let said = || has(SAID, word(1)) && !has("of by to that from on about", word(2));
    let counted = || {
        has(COUNTED, word(1))
            || has(ORDINALS, word(1)) && (is_function_word(word(2)) || has("came comes", word(2)))
    };
    has(CONTRASTS, word(0))
        || has(CONNECTIVES, word(0))
        // `Tolmere, however, refused.`
        || all.iter().take(NEAR).any(|word| has(ASIDES, word))
        || opens(0)
        || has(PREPOSITIONS, word(0)) && (opens(1) || word(1) == "the" && word(2) == "same")
        || word(0) == "the" && (said() || counted())
        || unattributed(sentence)
        || dangles(sentence)
}

/// A quotation and nothing else: whose?
fn unattributed(sentence: &str) -> bool {
    let inner = sentence.strip_prefix(is_quote);
    let inner = inner.and_then(|rest| rest.strip_suffix(is_quote));
    inner.is_some_and(|inner| !inner.contains(is_quote))
}

/// Whether a pronoun comes before anything that it could stand for.
///
/// What it could stand for is a name, or a noun with its article; for a person no plural, and none that a preposition governs: in
/// `After a day in Esker he left` neither the day nor Esker is he. Nor does the phrase count that the sentence opens with.
fn dangles(sentence: &str) -> bool {
    let (mut person, mut thing) = (false, false);
    // The preposition that governs the words in hand, and its place.
    let mut governor = None;
    let mut last = String::new();
    for (i, raw) in raw_words(sentence).enumerate() {
        let word = raw.to_lowercase();
        let stem = word.split(['\'', '’']).next().unwrap_or_default();
        if has(PRONOUNS, stem) {
            let known = match has(PERSONAL, stem) {
                true => person,
                false => thing,
            };
            return !(known || stem == "it" && expletive(sentence, i));
        }
        let opening = is_function_word(&word) || word.ends_with("ing") || word.ends_with("ed");
        let name = raw.starts_with(char::is_uppercase)
            && (i > 0 || !opening)
            && !has(DAYS, &word)
            && !is_month(raw);
        if name || has(DETERMINERS, &last) {
            thing |= governor != Some(0);
            person |= governor.is_none() && !stem.ends_with('s');
        }
        governor = match governor {
            _ if has(PREPOSITIONS, &word) => Some(i),
            // `in the long`, `in East`: the noun is still to come.
            Some(at) if has(DETERMINERS, &word) => Some(at),
            _ => None,
        };
        last = word;
    }
    false
}

/// `It is not clear whether`, `it is impossible to`: stands for what follows.
fn expletive(sentence: &str, at: usize) -> bool {
    let after: Vec<String> = words(sentence).skip(at + 1).take(7).collect();
    let copula = after.iter().take(2).any(|word| {
        has(
            "is was s remains remained seems seemed appears be will would became",
            word,
        )
    });
    copula
        && after
            .iter()
            .any(|word| has("that whether if when who to how what", word))
}

/// Whether the first quotation mark of `sentence` closes a quotation.
fn closes_first(sentence: &str) -> bool {
    let mark = sentence.chars().find(|&c| is_quote(c));
    mark.is_some_and(|mark| matches!(mark, '”' | '»'))
}

/// Whether a quotation is open after `sentence`, given that one was open before.
fn quotes(sentence: &str, mut open: bool) -> bool {
    for c in sentence.chars() {
        match c {
            '“' | '«' | '„' => open = true,
            '”' | '»' => open = false,
            '"' => open = !open,
            _ => {}
        }
    }
    open
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '«' | '»' | '„')
}

const PERSONAL: &str = "he she him his her hers himself herself";
/// Those that stand behind the subject too.
const ASIDES: &str = "however nevertheless nonetheless therefore";
/// Words of a sentence that one of them may be among.
const NEAR: usize = 6;
/// Beginnings of what is said to the reader, a person or a program.
const ORDERS: &str =
    "ignore disregard forget please click subscribe summarise summarize remember respond pretend";
/// Those that begin statements too.
const NOUNS_OR_ORDERS: &str =
    "note read share sign follow write say answer print output reply repeat label classify";
/// What follows an order and no noun.
const OBJECTS: &str = "a an the this that these those it only to with on us me our your more here back yes no imminent";
/// What may stand before an order, marks of a model's own among it.
const BEFORE_ORDERS: &str =
    "now so then and but cls sep mask pad unk bos eos s im start end system user assistant";
/// What had been to happen.
const PLANNED: &str = "due expected scheduled set planned hoped meant announced";
/// Nouns for what the sentence before says.
const SAID: &str = "statement statements announcement claim claims report reports rumour rumours rumor rumors remark remarks comment
    comments reply answer response suggestion suggestions allegation allegations decision move proposal offer invitation";
/// After `the`, some of what was named before.
const COUNTED: &str = "former latter other others two three four pair same";
const ORDINALS: &str = "first second third fourth last next";
pub(super) const DENIALS: &str = "no not never none nobody nothing nowhere neither nor without unlikely untrue false cannot impossible";
/// Beginnings of verbs that say no.
pub(super) const DENYING: &str = "denie deny dismiss reject refus cancel suspend postpon contradict disput rebut declin collaps abandon scrap";
const PHRASES: &str = "ruled-out called-off broke-off broken-off put-off yet-to";
/// What makes a statement hold only sometimes.
const LIMITS: &str = "only unless until provided if condition conditions conditional contingent";
pub(super) const DAYS: &str = "monday tuesday wednesday thursday friday saturday sunday today tomorrow tonight yesterday week month";
pub(super) const MONTHS: &str = "january february march april may june july august september october november december jan feb mar apr jun jul aug
    sep sept oct nov dec";
