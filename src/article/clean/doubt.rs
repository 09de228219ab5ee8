//! What a block's own words leave in doubt is weighed against the rest of the page: does the page elsewhere speak to its reader, does
//! the block share any word with the article, does it stand among furniture?

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::block::{self, Block, Plain};
use super::furniture::Kind;
use super::speech;

/// Letters of a word that are compared, so that "negotiators" meets "negotiation".
const STEM: usize = 6;

/// Too common to tell one article from another.
static COMMON: LazyLock<HashSet<u64, Plain>> = LazyLock::new(|| {
    block::set(&[
        "about", "after", "again", "also", "among", "another", "because", "been", "before",
        "being", "between", "both", "could", "does", "during", "each", "even", "ever", "every",
        "first", "from", "have", "having", "here", "into", "just", "last", "like", "made", "make",
        "many", "more", "most", "much", "must", "never", "next", "only", "other", "over", "same",
        "said", "says", "should", "since", "some", "such", "than", "that", "their", "them", "then",
        "there", "these", "they", "this", "those", "time", "told", "under", "until", "very",
        "want", "well", "were", "what", "when", "where", "which", "while", "will", "with", "would",
        "year", "years", "your", "news", "story",
    ])
});

/// The words of the article's paragraphs.
pub(super) struct Cohesion {
    /// In how many paragraphs each stem stands.
    stems: HashMap<u64, u32, Plain>,
    /// Whether the article, as a rule, leaves its reader alone.
    pub reserved: bool,
}

impl Cohesion {
    pub(super) fn new(blocks: &[Block], kinds: &[Kind]) -> Self {
        let mut stems: HashMap<u64, u32, Plain> = HashMap::default();
        let (mut prose, mut addressed) = (0usize, 0usize);
        for (block, kind) in blocks.iter().zip(kinds) {
            if *kind != Kind::Prose {
                continue;
            }
            // Furniture is short.
            if block.len() >= 25 {
                prose += 1;
                addressed += usize::from(speech::addresses(block));
            }
            for stem in stems_of(block) {
                *stems.entry(stem).or_default() += 1;
            }
        }
        Self {
            stems,
            reserved: addressed * 5 < prose + 1,
        }
    }

    /// How many words of `block` the article's other paragraphs share.
    pub(super) fn shared(&self, block: &Block, kind: Kind) -> usize {
        let own = u32::from(kind == Kind::Prose);
        stems_of(block)
            .into_iter()
            .filter(|stem| self.stems.get(stem).is_some_and(|&n| n > own))
            .count()
    }
}

/// The distinct stems of a block's longer words.
fn stems_of(block: &Block) -> Vec<u64> {
    let mut stems: Vec<u64> = (0..block.len())
        .filter_map(|i| {
            let (word, known) = (block.word(i), block.words.get(i)?);
            let long = word.len() >= 4 && !COMMON.contains(&known.hash);
            long.then(|| match word.char_indices().nth(STEM) {
                Some((at, _)) => block::hash(word.get(..at).unwrap_or(word)),
                None => known.hash,
            })
        })
        .collect();
    stems.sort_unstable();
    stems.dedup();
    stems
}

/// Small words of other languages that use Latin letters, none of them a word of English news.
static FOREIGN: LazyLock<HashSet<u64, Plain>> = LazyLock::new(|| {
    block::set(&[
        "der", "die", "das", "und", "ist", "sie", "wir", "für", "mit", "auf", "nicht", "ein",
        "eine", "ihre", "bitte", "le", "les", "des", "une", "du", "et", "est", "pour", "vous",
        "votre", "nous", "dans", "sur", "el", "los", "las", "una", "por", "para", "con", "que",
        "su", "sus", "del", "il", "lo", "gli", "di", "per", "sono", "della", "não", "uma", "os",
        "seu", "sua", "het", "een", "van", "niet", "voor", "och", "att", "til", "bu",
    ])
});
/// Small words of English.
static ENGLISH: LazyLock<HashSet<u64, Plain>> = LazyLock::new(|| {
    block::set(&[
        "the", "of", "and", "to", "in", "a", "is", "was", "for", "on", "that", "with", "at", "by",
        "said", "has", "as",
    ])
});

/// A block in another language than English, quotations aside.
fn foreign(block: &Block) -> bool {
    let n = block.len();
    if n < 4 {
        return false;
    }
    let count = |set: &HashSet<u64, Plain>| {
        block
            .words
            .iter()
            .filter(|w| !w.quoted && set.contains(&w.hash))
            .count()
    };
    let other = count(&FOREIGN);
    // Words of English that are words elsewhere too tell nothing.
    let english = (0..n).any(|i| {
        block
            .words
            .get(i)
            .is_some_and(|w| !w.quoted && ENGLISH.contains(&w.hash))
            && !matches!(block.word(i), "in" | "a" | "on" | "as" | "was" | "at")
    });
    other >= 2 && other * 8 >= n && !english
}

/// A short line with a word, not a name within it, that has letters which English does not use.
fn accented(block: &Block) -> bool {
    let own = (0..block.len()).any(|i| {
        let odd = block
            .word(i)
            .chars()
            .any(|c| c.is_alphabetic() && !c.is_ascii());
        odd && block.words.get(i).is_some_and(|w| !w.capital || i == 0)
    });
    let english = (0..block.len()).any(|i| {
        block.word(i).len() > 1
            && block
                .words
                .get(i)
                .is_some_and(|w| ENGLISH.contains(&w.hash))
    });
    block.len() <= 8 && own && !english
}

/// Whether the letters of a line are mostly of another script than Latin ones.
fn other_script(block: &Block) -> bool {
    let (latin, other) = block.text.chars().filter(|c| c.is_alphabetic()).fold(
        (0usize, 0usize),
        |(latin, other), c| {
            if c < '\u{250}' {
                (latin + 1, other)
            } else {
                (latin, other + 1)
            }
        },
    );
    other > latin
}

/// Settles doubtful paragraphs and lines by what the whole page shows.
pub(super) fn settle(blocks: &[Block], kinds: &mut [Kind]) {
    let cohesion = Cohesion::new(blocks, kinds);
    // In an English article what speaks another language is a form, a menu or a notice.
    let prose = blocks
        .iter()
        .zip(kinds.iter())
        .filter(|(_, kind)| **kind == Kind::Prose);
    let (english, strange) = prose.fold((0usize, 0usize), |(english, strange), (block, _)| {
        if foreign(block) || other_script(block) {
            (english, strange + block.text.chars().count())
        } else {
            (english + block.text.chars().count(), strange)
        }
    });
    if english > strange {
        for (block, kind) in blocks.iter().zip(kinds.iter_mut()) {
            let strange = foreign(block) || other_script(block);
            // "Artikel anhören": letters that English lacks, in a line that has no word in common with the article.
            let accented =
                *kind == Kind::Line && accented(block) && cohesion.shared(block, Kind::Line) == 0;
            if !kind.is_furniture() && block.len() <= 60 && (strange || accented) {
                *kind = Kind::Junk;
            }
        }
    }
    let scores: Vec<f32> = blocks
        .iter()
        .zip(kinds.iter())
        .map(|(block, kind)| {
            if kind.is_furniture() {
                return 0.0;
            }
            let mut score = speech::score(block);
            if cohesion.reserved && speech::addresses(block) {
                score += 1.0;
            }
            if block.len() <= 60 && cohesion.shared(block, *kind) == 0 {
                score += 0.75 + 0.4 * speech::offers(block);
            }
            score
        })
        .collect();
    let n = kinds.len();
    // Twice: what falls in the first round makes furniture of a neighbour.
    for _ in 0..2 {
        let last = kinds.iter().rposition(|k| *k == Kind::Prose).unwrap_or(n);
        for i in 0..n {
            let Some(kind) = kinds.get(i).copied().filter(|k| !k.is_furniture()) else {
                continue;
            };
            let near = |j: Option<usize>| {
                j.and_then(|j| kinds.get(j))
                    .is_some_and(|k| k.is_furniture())
            };
            let sides = u8::from(near(i.checked_sub(1))) + u8::from(near(Some(i + 1)));
            let own = scores.get(i).copied().unwrap_or(0.0);
            let edge = i >= last && i > 0;
            let score = own + f32::from(sides) * 0.4 + if edge { 0.25 } else { 0.0 };
            let words = blocks.get(i).map_or(0, Block::len) as f32;
            let score = if sides == 2 && words <= 14.0 {
                score + 0.7
            } else {
                score
            };
            let bar = if kind == Kind::Prose {
                2.6 + ((words - 25.0) / 25.0).clamp(0.0, 0.75)
            } else {
                2.25
            };
            // Standing among furniture is no evidence by itself.
            if own >= 1.15
                && score >= bar
                && let Some(kind) = kinds.get_mut(i)
            {
                *kind = Kind::Junk;
            }
        }
    }
    // A line beside furniture that shares no word with the article.
    let first = kinds.iter().position(|k| *k == Kind::Prose).unwrap_or(n);
    for i in 0..n {
        let line = kinds.get(i) == Some(&Kind::Line);
        // A name in capitals right above furniture is the head of a box.
        let boxed = blocks.get(i).is_some_and(|b| {
            (2..=5).contains(&b.len())
                && !b.terminal()
                && b.words.iter().all(|w| w.capital)
                && cohesion.shared(b, Kind::Line) <= 1
        }) && kinds.get(i + 1) == Some(&Kind::Junk);
        let near = |j: Option<usize>| {
            j.and_then(|j| kinds.get(j))
                .is_some_and(|k| k.is_furniture())
        };
        let beside = near(i.checked_sub(1)) || near(Some(i + 1));
        let alone = blocks
            .get(i)
            .is_some_and(|b| cohesion.shared(b, Kind::Line) == 0 && !b.text.contains(['"', '“']));
        if line
            && (i > first && beside && alone || boxed)
            && let Some(kind) = kinds.get_mut(i)
        {
            *kind = Kind::Junk;
        }
    }
}
