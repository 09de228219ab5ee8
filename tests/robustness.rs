//! Any bytes may come in: never a panic or a hang, and nothing vanishes: what is not read is a record that says why.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Cursor, Read, Write};
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use tidings::article::read::{InputFormat, ReadOptions, Reader, Source};
use tidings::article::{CleanOptions, Content, Raw, sentences};
use tidings::error::ArticleErrorKind;

const FORMATS: [InputFormat; 5] = [
    InputFormat::Auto,
    InputFormat::Text,
    InputFormat::Html,
    InputFormat::Jsonl,
    InputFormat::Csv,
];

fn options(format: InputFormat) -> ReadOptions {
    ReadOptions {
        format,
        max_bytes: 1_000_000,
        ..ReadOptions::default()
    }
}

fn read(bytes: Vec<u8>, options: ReadOptions) -> Vec<Raw> {
    let stdin = Box::new(Cursor::new(bytes));
    Reader::with_stdin(vec![Source::Stdin], options, stdin).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// Whether a file may hold no record and yet nothing is lost: white space, an empty array, a table's header.
fn may_be_empty(bytes: &[u8], format: InputFormat) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}').trim();
    let records = !matches!(format, InputFormat::Text | InputFormat::Html);
    let unpacked = !bytes.starts_with(b"\x1f\x8b") && !bytes.starts_with(b"\x28\xb5\x2f\xfd");
    let marked =
        bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.contains(&0);
    records
        && (!unpacked
            || marked
            || text.is_empty()
            || (text.starts_with('[') && text.chars().all(|c| "[], \t\r\n".contains(c)))
            || (text.lines().filter(|line| !line.is_empty()).count() <= 1
                && format != InputFormat::Jsonl
                // A header that opens like JSON is one only where a table was asked for.
                && (format == InputFormat::Csv || !text.starts_with('{'))))
}

/// Reads, cleans and splits; nothing may panic, and nothing may vanish.
fn survives(bytes: Vec<u8>, format: InputFormat) -> Result<(), TestCaseError> {
    let raws = read(bytes.clone(), options(format));
    prop_assert!(
        !raws.is_empty() || may_be_empty(&bytes, format),
        "{format:?} gave nothing for {:?}",
        String::from_utf8_lossy(&bytes)
    );
    for raw in raws {
        let every_language = CleanOptions {
            languages: Vec::new(),
            ..CleanOptions::default()
        };
        if let Ok(article) = raw.clean(&every_language) {
            splits(&article.text())?;
        }
    }
    Ok(())
}

/// Sentences are in order, apart from each other, on character boundaries, and leave out nothing but white space.
fn splits(text: &str) -> Result<(), TestCaseError> {
    let mut end = 0;
    for range in sentences::split(text) {
        prop_assert!(range.start >= end && range.end > range.start);
        let between = text.get(end..range.start);
        prop_assert!(between.is_some_and(|between| between.trim().is_empty()));
        prop_assert!(text.get(range.clone()).is_some());
        end = range.end;
    }
    prop_assert!(text.get(end..).is_some_and(|rest| rest.trim().is_empty()));
    Ok(())
}

fn format() -> impl Strategy<Value = InputFormat> {
    prop::sample::select(&FORMATS[..])
}

/// Pieces of every format, whole and broken, to be put together at random.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        ",",
        ":",
        "\n",
        "\r\n",
        "\t",
        ";",
        "\\",
        "\\u12",
        " ",
        "{\"text\":",
        "\"id\":1,",
        "{\"text\":\"One.\"}",
        "null",
        "-1e999",
        "text,id\n",
        "text\tid\n",
        "\"text\"",
        "<p>",
        "</p>",
        "<div class=author>",
        "</div>",
        "<!doctype html>",
        "<html>",
        "<body>",
        "<table><tr>",
        "<b>",
        "<a href='",
        "<script>",
        "</script>",
        "<!--",
        "-->",
        "<![CDATA[",
        "&amp;",
        "&#x110000;",
        "<svg><style>",
        "<template>",
        "<?xml version='1.0' encoding='utf-16'?>",
        "The talks, said Dr. A. B. Renn, open at 9 a.m. on Mon. ",
        "“No,” he said. ",
        "...",
        "?!",
        ".\n",
        "Share this",
        "# ",
        "* ",
        "| a | b |",
        "\u{feff}",
        "\u{202e}",
        "\u{0}",
        "\u{1b}[31m",
        "\u{a0}",
        "é",
        "会谈。",
        "\u{1f600}",
        "\u{300}",
        "1.5",
        "U.S. ",
        "<|im_start|>",
    ]);
    prop_oneof![
        8 => piece.prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[A-Za-z .]{0,80}",
    ]
}

fn structured() -> impl Strategy<Value = String> {
    vec(pieces(), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes(bytes in vec(any::<u8>(), 0..400), format in format()) {
        survives(bytes, format)?;
    }

    #[test]
    fn pieces_of_every_format(text in structured(), format in format()) {
        survives(text.into_bytes(), format)?;
    }

    #[test]
    fn sentences_of_anything(text in prop_oneof![any::<String>(), structured()]) {
        splits(&text)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn packed_bytes(text in structured(), junk in vec(any::<u8>(), 0..100), cut in any::<prop::sample::Index>(), format in format()) {
        let mut packed = gzip(text.as_bytes());
        packed.truncate(packed.len() - cut.index(packed.len()));
        packed.extend(&junk);
        survives(packed, format)?;
        let mut packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
        if let Some(byte) = packed.get_mut(cut.index(text.len() + 4)) {
            *byte ^= 0x55;
        }
        packed.extend(&junk);
        survives(packed, format)?;
    }

    #[test]
    fn bytes_after_a_true_beginning(start in prop::sample::select(vec![
        &b"\x1f\x8b\x08"[..], b"\x28\xb5\x2f\xfd", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"{\"text\":\"", b"[{", b"text,id\n",
        b"<html>", b"<meta charset=gbk>", b"%PDF-", b"\x1b$B",
    ]), rest in vec(any::<u8>(), 0..300), format in format()) {
        survives([start, &rest].concat(), format)?;
    }
}

/// The kinds of error of a text's reading and cleaning, or `None` for each article; within twenty seconds, where seconds are due.
fn outcomes(bytes: Vec<u8>, options: ReadOptions) -> Vec<Option<ArticleErrorKind>> {
    let start = Instant::now();
    let every_language = CleanOptions {
        languages: Vec::new(),
        ..CleanOptions::default()
    };
    let outcomes = read(bytes, options)
        .into_iter()
        .map(|raw| match raw.clean(&every_language) {
            Ok(article) => {
                splits(&article.text()).unwrap();
                None
            }
            Err(error) => Some(error.kind),
        })
        .collect();
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    outcomes
}

#[test]
fn a_gzip_bomb_stops_at_the_limit() {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut std::io::repeat(b'a').take(1 << 30), &mut writer).unwrap();
    let bomb = writer.finish().unwrap();
    assert!(bomb.len() < 2 << 20);
    for format in [InputFormat::Auto, InputFormat::Html] {
        let start = Instant::now();
        assert_eq!(
            outcomes(bomb.clone(), options(format)),
            [Some(ArticleErrorKind::TooLarge)]
        );
        assert!(start.elapsed() < Duration::from_secs(2), "stops early");
    }
    assert_eq!(
        outcomes(bomb, options(InputFormat::Jsonl)),
        [Some(ArticleErrorKind::TooLarge)]
    );
}

#[test]
fn deep_markup_and_deep_json_are_errors() {
    for tag in [
        "<div>",
        "<b>",
        "<table><tr><td>",
        "<ul><li>",
        "<p><span>",
        "<a href=x>",
    ] {
        let page = format!("<!doctype html>{}", tag.repeat(100_000));
        let outcomes = outcomes(page.into_bytes(), options(InputFormat::Auto));
        assert_eq!(outcomes.len(), 1, "{tag}");
    }
    for start in ["[", "{\"text\":"] {
        let outcomes = outcomes(
            start.repeat(100_000).into_bytes(),
            options(InputFormat::Jsonl),
        );
        assert_eq!(outcomes, [Some(ArticleErrorKind::Malformed)]);
    }
}

#[test]
fn long_runs_take_linear_time() {
    let options = |format| ReadOptions {
        format,
        ..ReadOptions::default()
    };
    // Ten million characters without a space, read and split.
    let start = Instant::now();
    let word = "a".repeat(10_000_000);
    for raw in read(word.into_bytes(), options(InputFormat::Auto)) {
        let Ok(Content::Text(text)) = raw.content else {
            panic!("plain text");
        };
        splits(&text).unwrap();
    }
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    // A tenth or a hundredth of that, cleaned too, of what is special to one format or another.
    let word = "a".repeat(1_000_001);
    assert_eq!(
        outcomes(word.into_bytes(), options(InputFormat::Text)),
        [Some(ArticleErrorKind::TooLarge)]
    );
    for unit in ["a ", "a\n", ". ", "<", "<p>", "\"", ",", "{", "会"] {
        for format in FORMATS {
            let bytes = unit.repeat(100_000).into_bytes();
            assert!(
                !outcomes(bytes, options(format)).is_empty(),
                "{unit:?} {format:?}"
            );
        }
    }
}

#[test]
fn what_is_no_text_says_so() {
    let kind = |bytes: &[u8]| outcomes(bytes.to_vec(), options(InputFormat::Auto));
    assert_eq!(kind(&[0; 10_000]), [Some(ArticleErrorKind::Binary)]);
    assert_eq!(
        kind(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        [Some(ArticleErrorKind::Binary)]
    );
    assert_eq!(kind(b""), [Some(ArticleErrorKind::Empty)]);
    assert_eq!(kind(b" \n\t\n "), [Some(ArticleErrorKind::Empty)]);
    let text = "The envoys met twice on Monday and fixed no date for another round.\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(kind(&utf16), [None]);
    let mut broken = text.as_bytes().to_vec();
    broken.extend(b"\xff\xc3 The hosts said nothing.");
    assert_eq!(kind(&broken), [None]);
}
