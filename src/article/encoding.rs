//! Bytes to text: what the bytes themselves prove comes first, then what they declare, then a statistical guess.
//!
//! In order: a byte order mark; UTF-16 without one (its NUL bytes give it away); UTF-8 that is valid, or valid but for some damage; the encoding
//! that the caller or the page declares; [chardetng](https://docs.rs/chardetng), Firefox's detector. What is not text (a PDF, an image, an archive,
//! control characters) is refused as `binary`; text that no encoding explains is refused as `encoding`.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::error::{ArticleError, ArticleErrorKind};

/// How much of the start is read for a declared encoding and for the signs of UTF-16.
const HEAD: usize = 4096;
/// Text has fewer control characters than one in this many.
const MAX_CONTROLS: usize = 50;
/// Text has fewer replacement characters, or characters that nothing prints, than one in this many.
const MAX_DAMAGE: usize = 20;

const PARQUET: &[u8] = b"PAR1";

/// Signatures of formats that hold no plain text: name, offset, bytes.
const SIGNATURES: &[(&str, usize, &[u8])] = &[
    ("a PDF document", 0, b"%PDF-"),
    ("a PNG image", 0, b"\x89PNG\r\n"),
    ("a JPEG image", 0, b"\xff\xd8\xff"),
    ("a GIF image", 0, b"GIF8"),
    ("a TIFF image", 0, b"II*\0"),
    ("a TIFF image", 0, b"MM\0*"),
    ("a WebP image", 8, b"WEBP"),
    ("a ZIP archive or Office document", 0, b"PK\x03\x04"),
    ("an Office document", 0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    ("a gzip file", 0, b"\x1f\x8b\x08"),
    ("a zstd file", 0, b"\x28\xb5\x2f\xfd"),
    ("a bzip2 file", 0, b"BZh91AY&SY"),
    ("an xz file", 0, b"\xfd7zXZ\0"),
    ("a 7z archive", 0, b"7z\xbc\xaf\x27\x1c"),
    ("a RAR archive", 0, b"Rar!\x1a\x07"),
    ("a tar archive", 257, b"ustar"),
    ("a Parquet file", 0, PARQUET),
    ("a SQLite database", 0, b"SQLite format 3\0"),
    ("an ELF program", 0, b"\x7fELF"),
    ("a Java class", 0, b"\xca\xfe\xba\xbe"),
    ("a WebAssembly module", 0, b"\0asm"),
    ("an MP3 sound", 0, b"ID3"),
    ("an Ogg sound", 0, b"OggS"),
    ("a video", 4, b"ftyp"),
];

/// The text that `bytes` hold. `declared` is an encoding label from outside (`windows-1251`, as in HTTP or HTML), taken as a hint: bytes that are
/// UTF-8 or UTF-16 are read as such whatever is declared. A byte order mark is dropped, NUL and undecodable bytes become U+FFFD.
///
/// # Errors
/// `binary` when the bytes are not text, `encoding` when no encoding makes text of them.
pub fn decode(bytes: &[u8], declared: Option<&str>) -> Result<String, ArticleError> {
    refuse_signature(bytes)?;
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let text = encoding
            .decode_without_bom_handling(bytes.get(mark..).unwrap_or_default())
            .0;
        return checked(text.into_owned(), bytes.len());
    }
    if let Some(encoding) = utf16_without_mark(bytes) {
        let even = bytes.get(..bytes.len() & !1).unwrap_or_default();
        return checked(
            encoding.decode_without_bom_handling(even).0.into_owned(),
            bytes.len(),
        );
    }
    refuse_controls(bytes)?;
    let encoding = if is_mostly_utf8(bytes) {
        UTF_8
    } else {
        declared
            .and_then(|label| Encoding::for_label(label.as_bytes()))
            .or_else(|| declared_inside(bytes))
            .filter(|&encoding| {
                encoding != UTF_8 && encoding.is_ascii_compatible() && fits(bytes, encoding)
            })
            .unwrap_or_else(|| guess(bytes))
    };
    let text = encoding.decode_without_bom_handling(bytes).0;
    checked(text.into_owned(), bytes.len())
}

/// [`decode`] of bytes that are nobody else's: UTF-8 stays where it is, so that a large file is not there twice.
///
/// # Errors
/// As [`decode`].
pub fn decode_owned(bytes: Vec<u8>) -> Result<String, ArticleError> {
    let marked = Encoding::for_bom(&bytes).is_some() || utf16_without_mark(&bytes).is_some();
    if marked || !is_mostly_utf8(&bytes) {
        return decode(&bytes, None);
    }
    refuse_signature(&bytes)?;
    refuse_controls(&bytes)?;
    match String::from_utf8(bytes) {
        Ok(text) => {
            let length = text.len();
            checked(text, length)
        }
        Err(broken) => decode(broken.as_bytes(), None),
    }
}

/// Refuses the known formats that hold no plain text, by their signatures; needs only a file's first 512 bytes.
///
/// # Errors
/// `binary`, with the format's name.
pub fn refuse_signature(head: &[u8]) -> Result<(), ArticleError> {
    match SIGNATURES.iter().find(|(_, offset, signature)| {
        head.get(*offset..)
            .is_some_and(|rest| rest.starts_with(signature))
    }) {
        // Three of the signatures are letters that an article may begin with; those formats always have NULs near the start.
        Some((_, _, signature)) if signature.is_ascii() && is_prose(head, signature) => Ok(()),
        Some((name, ..)) => Err(ArticleError::new(
            ArticleErrorKind::Binary,
            format!("this is {name}, not text"),
        )),
        None => Ok(()),
    }
}

/// Whether these are the first bytes of a Parquet file, and not of a text that begins alike.
pub fn is_parquet(head: &[u8]) -> bool {
    head.starts_with(PARQUET) && !is_prose(head, PARQUET)
}

/// UTF-16 of either byte order, with or without a byte order mark, judged by a file's start.
pub fn utf16(head: &[u8]) -> Option<&'static Encoding> {
    match Encoding::for_bom(head) {
        Some((encoding, _)) => Some(encoding).filter(|&encoding| encoding != UTF_8),
        None => utf16_without_mark(head),
    }
}

/// The label of the encoding of a file of records, judged by its start: a hint for [`decode`] on each record, which alone may be too short to tell.
/// `None` when the start is ASCII or UTF-8.
pub fn hint(head: &[u8]) -> Option<&'static str> {
    (!is_mostly_utf8(head)).then(|| guess(head).name())
}

fn refuse_controls(bytes: &[u8]) -> Result<(), ArticleError> {
    let controls = bytes.iter().filter(|&&byte| is_control(byte)).count();
    if controls * MAX_CONTROLS <= bytes.len() {
        return Ok(());
    }
    Err(ArticleError::new(
        ArticleErrorKind::Binary,
        format!(
            "{controls} of {} bytes are control characters: not text",
            bytes.len()
        ),
    ))
}

fn is_control(byte: u8) -> bool {
    (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | 0x1b)) || byte == 0x7f
}

fn is_prose(head: &[u8], signature: &[u8]) -> bool {
    signature.iter().all(u8::is_ascii_alphanumeric)
        && !head.iter().take(512).any(|&byte| is_control(byte))
}

/// Text in UTF-16 has a NUL byte for every ASCII character, at least for its spaces and line ends, and once decoded no control character. In the
/// wrong byte order it has few ASCII characters.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..bytes.len().min(HEAD) & !1).unwrap_or_default();
    if !head.contains(&0) || is_prose_with_nuls(head) {
        return None;
    }
    let ascii = |encoding: &'static Encoding| {
        let text = encoding.decode_without_bom_handling(head).0;
        // A surrogate pair may be cut at the end of the head.
        let text = text.strip_suffix('\u{fffd}').unwrap_or(&text);
        let odd = |c: char| c.is_control() && !c.is_whitespace() && c != '\u{1b}';
        let clean = !text.is_empty() && !text.chars().any(|c| odd(c) || is_unprintable(c));
        let count = text.chars().filter(char::is_ascii).count();
        (clean && count > 0).then_some((count, encoding))
    };
    [UTF_16LE, UTF_16BE]
        .into_iter()
        .filter_map(ascii)
        .max_by_key(|(count, _)| *count)
        .map(|(_, encoding)| encoding)
}

/// Single-byte text in which a NUL strayed: hardly any control character, NULs included.
fn is_prose_with_nuls(head: &[u8]) -> bool {
    let controls = head.iter().filter(|&&byte| is_control(byte)).count();
    controls * MAX_CONTROLS <= head.len() && is_mostly_utf8(head)
}

/// Valid UTF-8, or UTF-8 in which damage is rarer than sound multi-byte characters. In other encodings such characters arise by chance at most
/// once for several errors. A character cut off at the end is no error.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut sound, mut errors) = (0_usize, 0_usize);
    let mut rest = bytes.len();
    for chunk in bytes.utf8_chunks() {
        rest -= chunk.valid().len() + chunk.invalid().len();
        // Lead bytes of two, three and four byte characters.
        sound += chunk.valid().bytes().filter(|&byte| byte >= 0xc0).count();
        let cut_off = rest == 0 && is_cut_off(chunk.invalid());
        errors += usize::from(!chunk.invalid().is_empty() && !cut_off);
    }
    errors <= sound
}

/// Whether these bytes begin a UTF-8 character that more bytes would complete. One byte alone says nothing: it is a letter elsewhere.
fn is_cut_off(bytes: &[u8]) -> bool {
    bytes.len() > 1 && std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// `<meta charset=…>`, `<meta … content="…; charset=…">` or `<?xml … encoding="…"?>`, when the start looks like markup.
fn declared_inside(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes
        .get(..HEAD)
        .unwrap_or(bytes)
        .to_ascii_lowercase()
        .into_iter()
        .map(char::from)
        .collect::<String>();
    let markup = head.find("<meta").or_else(|| head.find("<?xml"))?;
    let head = head.get(markup..)?;
    ["charset", "encoding"].iter().find_map(|key| {
        head.match_indices(key).find_map(|(at, _)| {
            let label = head.get(at + key.len()..)?.trim_start();
            let label = label
                .strip_prefix('=')?
                .trim_start()
                .trim_start_matches(['"', '\'']);
            let end = label
                .find(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c)))
                .unwrap_or(label.len());
            Encoding::for_label(label.get(..end)?.as_bytes())
        })
    })
}

/// Whether `encoding` decodes the bytes with hardly any error.
fn fits(bytes: &[u8], encoding: &'static Encoding) -> bool {
    let head = bytes.get(..64 * HEAD).unwrap_or(bytes);
    let text = encoding.decode_without_bom_handling(head).0;
    damage(&text) * MAX_DAMAGE <= text.chars().count()
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Allow)
}

/// Refuses text that came out damaged; replaces NUL.
fn checked(text: String, bytes: usize) -> Result<String, ArticleError> {
    let (mut chars, mut controls) = (0_usize, 0_usize);
    for c in text.chars() {
        chars += 1;
        controls += usize::from(c.is_ascii() && is_control(c as u8));
    }
    if controls * MAX_CONTROLS > chars {
        return Err(ArticleError::new(
            ArticleErrorKind::Binary,
            format!("{controls} of {chars} characters are control characters: not text"),
        ));
    }
    let damage = damage(&text);
    // A character cut off at either end of a short text is no reason.
    if damage > 2 && damage * MAX_DAMAGE > chars {
        return Err(ArticleError::new(
            ArticleErrorKind::Encoding,
            format!("no encoding makes text of these {bytes} bytes"),
        ));
    }
    Ok(if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    })
}

fn damage(text: &str) -> usize {
    text.chars().filter(|&c| is_unprintable(c)).count()
}

/// Characters that text is not made of: replacement, C1 controls, private use, noncharacters.
fn is_unprintable(c: char) -> bool {
    matches!(c, '\u{fffd}' | '\u{80}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}' | '\u{f0000}'..)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    const ENGLISH: &str = "The envoys met twice in the harbour café – “nothing is agreed”, said one.\nA second round has no date yet.\n";
    const RUSSIAN: &str = "Переговоры начнутся в понедельник, сообщил пресс-секретарь министерства. Стороны обсудят порядок обмена и границы.\n";
    const CHINESE: &str = "外交部发言人星期二说，双方还没有商定下一轮会谈的日期。记者会持续了四十分钟，没有其他消息。\n";
    const JAPANESE: &str = "外務省の報道官は火曜日、次の会談の日程はまだ決まっていないと述べた。記者会見は四十分続いた。\n";

    fn utf16(text: &str, little: bool, mark: bool) -> Vec<u8> {
        let units = mark
            .then_some(0xfeff)
            .into_iter()
            .chain(text.encode_utf16());
        units
            .flat_map(|unit| {
                if little {
                    unit.to_le_bytes()
                } else {
                    unit.to_be_bytes()
                }
            })
            .collect()
    }

    fn encoded(text: &str, label: &str) -> Vec<u8> {
        let (bytes, _, unmappable) = Encoding::for_label(label.as_bytes()).unwrap().encode(text);
        assert!(!unmappable, "{label}");
        bytes.into_owned()
    }

    fn kind(bytes: &[u8]) -> ArticleErrorKind {
        decode(bytes, None).unwrap_err().kind
    }

    #[test]
    fn utf_8_and_utf_16_are_read_with_and_without_a_mark() {
        for text in [ENGLISH, RUSSIAN, CHINESE, JAPANESE] {
            assert_eq!(decode(text.as_bytes(), None).unwrap(), text);
            assert_eq!(
                decode(format!("\u{feff}{text}").as_bytes(), None).unwrap(),
                text
            );
            for little in [true, false] {
                assert_eq!(decode(&utf16(text, little, true), None).unwrap(), text);
                assert_eq!(decode(&utf16(text, little, false), None).unwrap(), text);
            }
        }
    }

    #[test]
    fn legacy_encodings_are_told_apart() {
        for (text, label) in [
            (ENGLISH, "windows-1252"),
            (RUSSIAN, "windows-1251"),
            (RUSSIAN, "koi8-r"),
            (CHINESE, "gb18030"),
            (JAPANESE, "shift_jis"),
            (JAPANESE, "euc-jp"),
        ] {
            let bytes = encoded(&text.repeat(3), label);
            assert_eq!(decode(&bytes, None).unwrap(), text.repeat(3), "{label}");
        }
    }

    #[test]
    fn a_declaration_decides_where_the_bytes_do_not() {
        let page = "<html><head><meta http-equiv=Content-Type content='text/html; charset=windows-1251'></head><p>Мир</p>";
        assert_eq!(decode(&encoded(page, "windows-1251"), None).unwrap(), page);
        let xml = "<?xml version='1.0' encoding='koi8-r'?><html><p>Мир</p></html>";
        assert_eq!(decode(&encoded(xml, "koi8-r"), None).unwrap(), xml);
        assert_eq!(
            decode(&encoded("Мир", "ibm866"), Some("ibm866")).unwrap(),
            "Мир"
        );
    }

    #[test]
    fn a_wrong_declaration_does_not_spoil_utf_8() {
        assert_eq!(
            decode(RUSSIAN.as_bytes(), Some("windows-1252")).unwrap(),
            RUSSIAN
        );
        let page = format!("<meta charset=\"iso-8859-1\"><p>{RUSSIAN}</p>");
        assert_eq!(decode(page.as_bytes(), None).unwrap(), page);
    }

    #[test]
    fn a_few_broken_bytes_do_not_turn_utf_8_into_something_else() {
        let mut bytes = RUSSIAN.repeat(4).into_bytes();
        bytes[7] = 0xff;
        bytes.pop();
        bytes.extend([0xd0]);
        let text = decode(&bytes, None).unwrap();
        assert!(text.contains("сообщил пресс-секретарь"));
        assert!(text.contains('\u{fffd}'));
        assert_eq!(decode(b"caf\xe9", None).unwrap(), "café");
        // Cut in the middle of a dash, as a size limit leaves it.
        let cut = &"No date is set – yet".as_bytes()[..17];
        assert!(decode(cut, None).unwrap().starts_with("No date is set "));
    }

    #[test]
    fn what_is_not_text_is_binary() {
        assert_eq!(kind(b"%PDF-1.7\n1 0 obj"), ArticleErrorKind::Binary);
        assert_eq!(
            kind(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
            ArticleErrorKind::Binary
        );
        assert_eq!(kind(&[0; 100]), ArticleErrorKind::Binary);
        let noise: Vec<u8> = (0..4000_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        assert!(matches!(
            kind(&noise),
            ArticleErrorKind::Binary | ArticleErrorKind::Encoding
        ));
        let half_pairs = [b"\xff\xfe".to_vec(), b"\x00\xd8".repeat(100)].concat();
        assert_eq!(kind(&half_pairs), ArticleErrorKind::Encoding);
    }

    #[test]
    fn words_that_look_like_a_signature_are_text() {
        let text = "ID3 is a tag format, the newsroom explained on Monday.";
        assert_eq!(decode(text.as_bytes(), None).unwrap(), text);
        assert_eq!(decode(b"", None).unwrap(), "");
    }

    #[test]
    fn one_stray_nul_is_replaced() {
        let text = format!("{}\0{}", ENGLISH.repeat(2), ENGLISH);
        assert_eq!(
            decode(text.as_bytes(), None).unwrap(),
            text.replace('\0', "\u{fffd}")
        );
    }
}
