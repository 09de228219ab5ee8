//! A block is one paragraph or one line of a page, with its words looked up once in the vocabulary.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::vocabulary::{self, Match};

/// One word of a block, folded to lower case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    start: usize,
    end: usize,
    /// Of the folded word, as [`hash`] gives it.
    pub hash: u64,
    /// Where the word begins in the block's own text.
    pub at: usize,
    /// Inside quotation marks: someone else speaks.
    pub quoted: bool,
    /// Begins with a capital.
    pub capital: bool,
    /// Begins a sentence or stands after a colon, a bar or the like.
    pub first: bool,
}

impl Word {
    /// Where the word lies in the folded text.
    pub(super) fn span(&self) -> (usize, usize) {
        (self.start, self.end)
    }
}

/// A paragraph or line, its words, and what the vocabulary knows of them.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub text: String,
    folded: String,
    pub words: Vec<Word>,
    pub matches: Vec<Match>,
}

impl Block {
    pub(super) fn new(text: String) -> Self {
        let (folded, words) = fold(&text);
        let mut block = Self {
            text,
            folded,
            words,
            matches: Vec::new(),
        };
        block.matches = vocabulary::find(&block.words, |i| block.word(i));
        block
    }

    /// A block whose words nobody looks at.
    pub(super) fn unread(text: String) -> Self {
        Self {
            text,
            folded: String::new(),
            words: Vec::new(),
            matches: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    /// The `i`th word in lower case; empty past the end.
    pub(super) fn word(&self, i: usize) -> &str {
        self.words
            .get(i)
            .and_then(|word| self.folded.get(word.start..word.end))
            .unwrap_or("")
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.words.len()).map(|i| self.word(i))
    }

    /// Ends as a sentence ends, closing quotes and brackets aside.
    pub(super) fn terminal(&self) -> bool {
        self.text
            .trim_end_matches(['"', '\'', '”', '’', '»', ')', ']', ' '])
            .ends_with(['.', '!', '?', '…', '。', '！', '？', '؟', '।', '۔'])
    }

    /// Breaks off in an ellipsis, as a teaser's blurb does.
    pub(super) fn truncated(&self) -> bool {
        let end = self.text.trim_end_matches([' ', ']', ')', '»', '>', '→']);
        end.ends_with("...") || end.ends_with('…')
    }

    /// Share of the longer words that begin with a capital.
    pub(super) fn capitals(&self) -> f32 {
        let long = self.words.iter().filter(|w| w.end - w.start >= 4);
        let (capital, all) = long.fold((0u32, 0u32), |(capital, all), w| {
            (capital + u32::from(w.capital), all + 1)
        });
        if all == 0 {
            0.0
        } else {
            capital as f32 / all as f32
        }
    }

    /// The character that stands right after word `i`, spaces skipped.
    pub(super) fn after(&self, i: usize) -> Option<char> {
        let at = self.words.get(i)?.at;
        self.text
            .get(at..)?
            .chars()
            .skip_while(|c| c.is_alphanumeric() || matches!(c, '\'' | '’'))
            .find(|c| !c.is_whitespace())
    }
}

/// FNV-1a: fast on the short words that are looked up by the million.
pub(super) fn hash(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A set of words, looked up by their hash.
pub(super) fn set(words: &[&str]) -> HashSet<u64, Plain> {
    words.iter().map(|word| hash(word)).collect()
}

/// Takes a hash as it is.
pub(super) type Plain = BuildHasherDefault<Identity>;

/// The hasher of [`Plain`].
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        // The map looks at the highest bits and the lowest; FNV's high bits are weak on short words.
        self.0 = hash ^ (hash >> 32) ^ (hash << 47);
    }
}

/// Names written with a capital inside, which are one word.
const CAMEL: [&str; 8] = [
    "youtube", "whatsapp", "linkedin", "tiktok", "paypal", "iphone", "ipad", "wechat",
];

/// Whether `c` belongs to a script written without spaces, each letter of which is taken as a word.
fn solid(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Cuts a text into words in lower case, also where a small letter meets a capital (`storySubscribe`).
pub(super) fn fold(text: &str) -> (String, Vec<Word>) {
    let mut folded = String::with_capacity(text.len());
    let mut words: Vec<Word> = Vec::new();
    let mut quoted = false;
    let mut single = false;
    let mut before: Option<char> = None;
    let mut first = true;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if !c.is_alphanumeric() {
            match c {
                '“' | '«' | '„' | '「' => quoted = true,
                '”' | '»' | '」' => quoted = false,
                '"' => quoted = !quoted,
                '\'' | '‘' | '’' => {
                    let next = chars.peek().is_some_and(|(_, c)| c.is_alphanumeric());
                    if next && before.is_none_or(|c| c.is_whitespace() || matches!(c, '(' | '—'))
                    {
                        single = true;
                    } else if single && !next {
                        single = false;
                    }
                }
                '.' | '!' | '?' | ':' | '|' | '•' | '·' | '→' | '▸' | '。' | ';' | '(' | '[' => {
                    first = true
                }
                _ => {}
            }
            before = Some(c);
            continue;
        }
        let start = folded.len();
        folded.extend(c.to_lowercase());
        if !solid(c) {
            let mut previous = c;
            while let Some(&(next_at, next)) = chars.peek() {
                let inner = matches!(next, '\'' | '’')
                    && text
                        .get(next_at + next.len_utf8()..)
                        .and_then(|rest| rest.chars().next())
                        .is_some_and(char::is_alphabetic);
                let word = next.is_alphanumeric() && !solid(next);
                if !(word || inner) {
                    break;
                }
                if previous.is_lowercase() && next.is_uppercase() && !camel(text, at) {
                    break;
                }
                if inner {
                    folded.push('\'');
                } else {
                    folded.extend(next.to_lowercase());
                }
                previous = next;
                chars.next();
            }
        }
        before = Some('x');
        words.push(Word {
            start,
            end: folded.len(),
            hash: hash(folded.get(start..).unwrap_or("")),
            at,
            quoted: quoted || single,
            capital: c.is_uppercase(),
            first,
        });
        first = false;
    }
    (folded, words)
}

fn camel(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    CAMEL.iter().any(|name| {
        bytes
            .get(at..at + name.len())
            .is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    })
}
