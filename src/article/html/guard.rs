//! What the HTML parser may be given: hostile markup on which it would need quadratic time or memory is refused by one linear scan beforehand.

use std::collections::HashMap;

use super::malformed;
use crate::error::{ArticleError, ArticleErrorKind};

/// Most bytes of a page; heavy ones, full of scripts, reach 5 MB.
pub(super) const MAX_PAGE: usize = 16 << 20;
/// Deepest nesting of elements, where pages reach 60; twice as many tags may be left open, since a scan cannot tell which the parser closes.
pub(super) const MAX_DEPTH: usize = 256;
/// Most elements times their depth, which is what finding the main text costs; the pages measured reach 250,000. It also bounds the copies
/// that the parser makes of formatting tags left open.
const MAX_WORK: usize = 3_000_000;
/// Most comparisons of attributes: the parser compares each with all before it in the tag. (In a script, `a<b` looks like a tag with as many
/// attributes as words follow: hence no smaller limit.)
const MAX_COMPARISONS: usize = 1_000_000_000;

/// Elements that have no end tag, or are ended by the next of their kind: however many, they do not nest.
const CLOSED_BY_THE_PARSER: &[&[u8]] = &[
    b"area", b"base", b"body", b"br", b"col", b"dd", b"dt", b"embed", b"head", b"hr", b"html",
    b"img", b"input", b"li", b"link", b"meta", b"option", b"p", b"param", b"source", b"tbody",
    b"td", b"tfoot", b"th", b"thead", b"tr", b"track", b"wbr",
];

/// Refuses, in one pass and before parsing, markup on which the parser needs quadratic time or memory.
pub(super) fn guard(page: &str) -> Result<(), ArticleError> {
    if page.len() > MAX_PAGE {
        return Err(ArticleError::new(
            ArticleErrorKind::TooLarge,
            format!("the page has {} bytes, more than {MAX_PAGE}", page.len()),
        ));
    }
    let bytes = page.as_bytes();
    let mut open: HashMap<Vec<u8>, usize> = HashMap::new();
    let (mut at, mut depth, mut work, mut comparisons) = (0, 0_usize, 0_usize, 0_usize);
    while let Some(next) = memchr::memchr(b'<', bytes.get(at..).unwrap_or_default()) {
        at += next + 1;
        let closing = bytes.get(at) == Some(&b'/');
        let name: Vec<u8> = bytes
            .get(at + usize::from(closing)..)
            .unwrap_or_default()
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-')
            .take(16)
            .map(u8::to_ascii_lowercase)
            .collect();
        if !name.first().is_some_and(u8::is_ascii_alphabetic) {
            continue;
        }
        if CLOSED_BY_THE_PARSER.contains(&name.as_slice()) {
            // No deeper for these.
        } else if !closing {
            *open.entry(name).or_default() += 1;
            depth += 1;
        } else if let Some(count) = open.get_mut(&name).filter(|count| **count > 0) {
            *count -= 1;
            depth -= 1;
        }
        if depth > 2 * MAX_DEPTH {
            return Err(too_deep());
        }
        work += 1 + depth;
        if work > MAX_WORK {
            return Err(malformed("too many elements, too many of them left open"));
        }
        if !closing {
            let attributes;
            (attributes, at) = skip_tag(bytes, at);
            comparisons += attributes * attributes / 2;
            if comparisons > MAX_COMPARISONS {
                return Err(malformed("a tag has tens of thousands of attributes"));
            }
        }
    }
    Ok(())
}

pub(super) fn too_deep() -> ArticleError {
    malformed(format!("elements are nested more than {MAX_DEPTH} deep"))
}

/// Attributes of the tag whose name begins at `at`, and where the tag ends.
fn skip_tag(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut attributes, mut before) = (0, b'x');
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'>' => break,
            b'"' | b'\'' if before == b'=' => {
                let rest = bytes.get(at + 1..).unwrap_or_default();
                at += 1 + memchr::memchr(byte, rest).unwrap_or(rest.len());
            }
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' | b'/' => {}
            _ if matches!(
                before,
                b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' | b'/' | b'"' | b'\''
            ) =>
            {
                attributes += 1;
            }
            _ => {}
        }
        // A space after `=` belongs to the value.
        if !(before == b'=' && byte.is_ascii_whitespace()) {
            before = byte;
        }
        at += 1;
    }
    (attributes, at)
}
