//! What bytes become, by format: articles, and errors in the place of those that cannot be read.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod places;

use std::io::Write;

use super::*;
use crate::article::Content;

const TEXT: &str = "The envoys met twice on Monday and fixed no date.";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 1).unwrap()
}

fn utf16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

/// Reads bytes as the file `name`.
fn read_as(name: &str, bytes: impl Into<Vec<u8>>, options: &ReadOptions) -> Vec<Raw> {
    let bytes = std::io::Cursor::new(bytes.into());
    let (id, key) = (name.to_owned(), name.to_owned());
    let file = open::Found { id, key, options };
    file.read(Box::new(bytes), false).collect()
}

fn read(name: &str, bytes: impl Into<Vec<u8>>) -> Vec<Raw> {
    read_as(name, bytes, &ReadOptions::default())
}

/// Ids with the text or the kind of error, in short.
fn brief(raws: &[Raw]) -> Vec<(String, String)> {
    raws.iter()
        .map(|raw| {
            let content = match &raw.content {
                Ok(Content::Text(text)) => text.clone(),
                Ok(Content::Html(text)) => format!("html:{text}"),
                Err(error) => format!("{:?}", error.kind),
            };
            (raw.id.clone(), content)
        })
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(id, text)| ((*id).to_owned(), (*text).to_owned()))
        .collect()
}

fn message(raw: &Raw) -> &str {
    &raw.content.as_ref().unwrap_err().message
}

#[test]
fn a_plain_file_is_one_article_named_by_its_path() {
    for name in ["a.txt", "a.md", "a", "news/a.wire"] {
        assert_eq!(brief(&read(name, TEXT)), pairs(&[(name, TEXT)]));
    }
    assert_eq!(brief(&read("a.txt", "")), pairs(&[("a.txt", "")]));
}

#[test]
fn a_page_is_html_whatever_its_name() {
    let page = format!("<!DOCTYPE html>\n<html><body><p>{TEXT}</p></body></html>");
    let html = format!("html:{page}");
    for name in ["a.html", "a.txt", "-"] {
        assert_eq!(brief(&read(name, page.clone())), pairs(&[(name, &html)]));
    }
    let tagged = format!("<p>{TEXT}</p> in <b>Markdown</b>");
    assert_eq!(
        brief(&read("a.md", tagged.clone())),
        pairs(&[("a.md", &tagged)])
    );
}

#[test]
fn json_lines_are_told_by_name_or_content_and_a_bad_line_is_one_error() {
    let lines = "{\"id\": 7, \"text\": \"One.\"}\n\n{\"text\": \"Two.\", \"title\": null}\r\n{\"text\": \"Thr\n[1]\n{\"id\":\"e\",\"text\":\"Five.\"}";
    for name in ["a.jsonl", "-"] {
        let raws = read(name, lines);
        let at = |line: u64| format!("{name}#{line}");
        assert_eq!(
            brief(&raws),
            pairs(&[
                ("7", "One."),
                (&at(3), "Two."),
                (&at(4), "Malformed"),
                (&at(5), "Malformed"),
                ("e", "Five."),
            ])
        );
        assert_eq!(raws[1].title, None);
        assert!(message(&raws[2]).starts_with("line 4 is not JSON: EOF while parsing a string"));
        assert_eq!(message(&raws[3]), "line 5 is an array, not an object");
    }
}

#[test]
fn json_arrays_and_single_objects_are_read() {
    let array = "[\n {\"text\": \"One, [a] {b} \\\"c\\\".\"},\n {\"id\": \"b\", \"text\": \"Two.\"}, 3,\n {\"text\": \"Four.\"}]\n";
    let expected = pairs(&[
        ("a.json#1", "One, [a] {b} \"c\"."),
        ("b", "Two."),
        ("a.json#3", "Malformed"),
        ("a.json#4", "Four."),
    ]);
    assert_eq!(brief(&read("a.json", array)), expected);
    let object = "{\n  \"title\": \"T\",\n  \"text\": \"One.\"\n}\n";
    assert_eq!(brief(&read("a.json", object)), pairs(&[("a.json", "One.")]));
    assert_eq!(
        brief(&read("a.json", "{\"text\":\"One.\"}")),
        pairs(&[("a.json", "One.")])
    );
    let twice = format!("{object}{object}");
    assert_eq!(
        brief(&read("-", twice)),
        pairs(&[("-#1", "One."), ("-#2", "One.")])
    );
    assert_eq!(brief(&read("a.json", "[]")), []);
    let torn = "[{\"text\": \"One.\"}, {\"text\": \"Tw";
    assert_eq!(
        brief(&read("a.json", torn)),
        pairs(&[("a.json#1", "One."), ("a.json#2", "Malformed")])
    );
}

#[test]
fn tables_are_read_with_any_delimiter_quotes_and_line_ends() {
    let table = "id,Title,Text\r\na,T,\"One, \"\"two\"\"\nlines.\"\r\n\r\n,,Three.\r\n";
    let raws = read("a.csv", table);
    assert_eq!(
        brief(&raws),
        pairs(&[("a", "One, \"two\"\nlines."), ("a.csv#5", "Three.")])
    );
    assert_eq!(raws[0].title.as_deref(), Some("T"));
    assert_eq!(raws[1].title, None);
    for (name, table, id, text) in [
        (
            "a.tsv",
            "id\ttext\na\tOne, two; three.\n",
            "a",
            "One, two; three.",
        ),
        (
            "-",
            "id;text\na;One, two, three.\n",
            "a",
            "One, two, three.",
        ),
        ("-", "id|text\na|One.\n", "a", "One."),
        ("a.csv", "text\nOne.\n", "a.csv#2", "One."),
    ] {
        assert_eq!(brief(&read(name, table)), pairs(&[(id, text)]), "{table}");
    }
    assert_eq!(brief(&read("a.csv", "id,text\n")), []);
}

#[test]
fn a_row_with_the_wrong_number_of_cells_is_one_error() {
    let raws = read("a.csv", "id,text\na,One.\nb,Two, and more.\nc,Three.\n");
    assert_eq!(
        brief(&raws),
        pairs(&[("a", "One."), ("a.csv#3", "Malformed"), ("c", "Three.")])
    );
    assert_eq!(message(&raws[1]), "line 3 has 3 cells, the header has 2");
}

#[test]
fn a_quote_that_is_never_closed_is_said() {
    let raws = read("a.csv", "id,text\na,One.\nb,\"Two.\nc,Three.\nd,Four.\n");
    assert_eq!(
        brief(&raws),
        pairs(&[("a", "One."), ("a.csv#3", "Malformed")])
    );
    assert!(message(&raws[1]).contains("never closed"));
    // An inch sign in the last cell is no such quote.
    let raws = read("a.csv", "id,text\na,\"One.\nTwo.\"\nb,A 5\" pipe.");
    assert_eq!(
        brief(&raws),
        pairs(&[("a", "One.\nTwo."), ("b", "A 5\" pipe.")])
    );
}

#[test]
fn fields_are_found_by_their_usual_names_or_the_given_ones() {
    let record = r#"{"custom_id": "x", "Headline": "T", "articleBody": "One.", "published": "2026-03-01", "claim": " It rains. ", "text": null}"#;
    let raws = read("-", record);
    let raw = &raws[0];
    assert_eq!(brief(&raws), pairs(&[("x", "One.")]));
    assert_eq!(raw.title.as_deref(), Some("T"));
    assert_eq!(raw.date.as_deref(), Some("2026-03-01"));
    assert_eq!(raw.claim.as_deref(), Some("It rains."));
    let options = ReadOptions {
        text_field: Some("lede".into()),
        id_field: Some("n".into()),
        title_field: Some("t".into()),
        date_field: Some("when".into()),
        claim_field: Some("c".into()),
        ..ReadOptions::default()
    };
    let record = r#"{"id": "no", "n": 4.5, "lede": "One.", "text": "No.", "t": "T", "title": "No", "when": 2026, "c": "It rains."}"#;
    let raw = &read_as("-", record, &options)[0];
    assert_eq!(raw.id, "4.5");
    assert_eq!(raw.content, Ok(Content::Text("One.".into())));
    assert_eq!(raw.title.as_deref(), Some("T"));
    assert_eq!(raw.date.as_deref(), Some("2026"));
    assert_eq!(raw.claim.as_deref(), Some("It rains."));
}

#[test]
fn a_missing_text_field_names_the_fields_that_are_there() {
    let options = ReadOptions {
        text_field: Some("lede".into()),
        ..ReadOptions::default()
    };
    let raws = read_as("a.jsonl", r#"{"id": "x", "text": "One."}"#, &options);
    assert_eq!(message(&raws[0]), "no field `lede`; its fields: id, text");
    assert_eq!(raws[0].id, "x");
    let raws = read_as("a.csv", "id,text\na,One.\nb,Two.\n", &options);
    assert_eq!(brief(&raws), pairs(&[("a.csv", "Malformed")]));
    let raws = read("-", r#"{"id": "x", "text": null}"#);
    assert_eq!(brief(&raws), pairs(&[("x", "Empty")]));
    let raws = read("-", r#"{"id": "x", "text": ["One."]}"#);
    assert_eq!(
        message(&raws[0]),
        "its field `text` is an array, not a string"
    );
}

#[test]
fn html_in_a_field_is_html() {
    let raws = read("-", r#"{"id": "x", "text": "<p>One.</p><p>Two.</p>"}"#);
    assert_eq!(brief(&raws), pairs(&[("x", "html:<p>One.</p><p>Two.</p>")]));
}

#[test]
fn compressed_files_are_told_by_their_bytes() {
    let lines = "{\"id\":\"a\",\"text\":\"One.\"}\n";
    let members = [
        gzip(lines.as_bytes()),
        gzip(lines.replace('a', "b").as_bytes()),
    ]
    .concat();
    let frames = [
        zstd(lines.as_bytes()),
        zstd(b"{\"id\":\"b\",\"text\":\"One.\"}\n"),
    ]
    .concat();
    for (name, bytes) in [
        ("a.jsonl.gz", &members),
        ("-", &members),
        ("a.jsonl.zst", &frames),
        ("-", &frames),
    ] {
        let ids: Vec<_> = read(name, bytes.clone())
            .into_iter()
            .map(|raw| raw.id)
            .collect();
        assert_eq!(ids.len(), 2, "{name}");
    }
    assert_eq!(
        brief(&read("a.txt.gz", gzip(TEXT.as_bytes()))),
        pairs(&[("a.txt.gz", TEXT)])
    );
    // Named like one, but plain.
    assert_eq!(brief(&read("a.txt.gz", TEXT)), pairs(&[("a.txt.gz", TEXT)]));
    assert_eq!(
        brief(&read("a.gz", gzip(&gzip(TEXT.as_bytes())))),
        pairs(&[("a.gz", "Binary")])
    );
}

#[test]
fn a_torn_gzip_gives_what_came_before_and_one_error() {
    let mut lines = String::new();
    for number in 0..20_000 {
        lines.push_str(&format!(
            "{{\"id\":{number},\"text\":\"Round {number} of the talks.\"}}\n"
        ));
    }
    let whole = gzip(lines.as_bytes());
    let raws = read("a.jsonl.gz", &whole[..whole.len() / 2]);
    let (last, before) = raws.split_last().unwrap();
    assert!(before.len() > 5000 && before.iter().all(|raw| raw.content.is_ok()));
    assert_eq!(
        last.content.as_ref().unwrap_err().kind,
        ArticleErrorKind::Malformed
    );
    assert_eq!(last.id, format!("a.jsonl.gz#{}", before.len() + 1));
    let raws = read("a.txt.gz", &gzip(TEXT.as_bytes())[..30]);
    assert_eq!(brief(&raws), pairs(&[("a.txt.gz", "Malformed")]));
}

#[test]
fn what_is_too_large_is_an_error_and_the_rest_is_read() {
    let options = ReadOptions {
        max_bytes: 1000,
        ..ReadOptions::default()
    };
    let long = "word ".repeat(300);
    let lines = format!(
        "{{\"id\":\"a\",\"text\":\"One.\"}}\n{{\"text\":\"{long}\"}}\n{{\"id\":\"c\",\"text\":\"Three.\"}}\n"
    );
    assert_eq!(
        brief(&read_as("a.jsonl", lines, &options)),
        pairs(&[("a", "One."), ("a.jsonl#2", "TooLarge"), ("c", "Three.")])
    );
    let table = format!("id,text\na,One.\nb,{long}\nc,Three.\n");
    assert_eq!(
        brief(&read_as("a.csv", table, &options)),
        pairs(&[("a", "One."), ("a.csv#3", "TooLarge"), ("c", "Three.")])
    );
    let array = format!(
        "[{{\"id\":\"a\",\"text\":\"One.\"}},{{\"text\":\"{long}\"}},{{\"id\":\"c\",\"text\":\"Three.\"}}]"
    );
    assert_eq!(
        brief(&read_as("a.json", array, &options)),
        pairs(&[("a", "One."), ("a.json#2", "TooLarge"), ("c", "Three.")])
    );
    for bytes in [long.clone().into_bytes(), gzip(long.as_bytes())] {
        assert_eq!(
            brief(&read_as("a.txt", bytes, &options)),
            pairs(&[("a.txt", "TooLarge")])
        );
    }
}

#[test]
fn records_in_other_encodings_are_read() {
    let russian = "Стороны обсудят порядок обмена и границы.";
    let table = format!("id,text\nа,{russian}\nб,Да.\n");
    let (windows, ..) = encoding_rs::WINDOWS_1251.encode(&table);
    let expected = pairs(&[("а", russian), ("б", "Да.")]);
    assert_eq!(brief(&read("a.csv", windows.into_owned())), expected);
    assert_eq!(brief(&read("a.csv", utf16(&table))), expected);
    assert_eq!(brief(&read("-", format!("\u{feff}{table}"))), expected);
    let line = format!("{{\"id\":\"а\",\"text\":\"{russian}\"}}\n");
    let (windows, ..) = encoding_rs::WINDOWS_1251.encode(&line);
    for bytes in [
        windows.into_owned(),
        utf16(&line),
        format!("\u{feff}{line}").into_bytes(),
    ] {
        assert_eq!(brief(&read("-", bytes)), pairs(&[("а", russian)]));
    }
}

#[test]
fn a_binary_is_one_error_whatever_its_name() {
    for name in ["a.txt", "a.pdf", "a.jsonl", "a.csv", "-"] {
        let raws = read(name, &b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\n"[..]);
        assert_eq!(brief(&raws), pairs(&[(name, "Binary")]));
        assert_eq!(message(&raws[0]), "this is a PDF document, not text");
    }
}

#[test]
fn deeply_nested_json_is_an_error() {
    let line = format!("{{\"text\":{}", "[".repeat(1_000_000));
    assert_eq!(
        brief(&read("a.jsonl", line.clone())),
        pairs(&[("a.jsonl#1", "Malformed")])
    );
    let value = format!("[{line}{}}}]", "]".repeat(1_000_000));
    assert_eq!(
        brief(&read("a.json", value)),
        pairs(&[("a.json#1", "Malformed")])
    );
}

#[test]
fn a_record_of_millions_of_parts_is_one_error_or_costs_nothing() {
    let unused = format!(
        r#"{{"id":"a","text":"One.","numbers":[{}1]}}"#,
        "1,".repeat(1_000_000)
    );
    let wide = (0..=fields::MAX_FIELDS).map(|n| format!(r#""f{n}":1,"#));
    let wide = format!("{{{}\"text\":\"Two.\"}}", wide.collect::<String>());
    let long = |name: &str| format!(r#"{{"text":"Three.","{name}":"{}"}}"#, "x".repeat(200_000));
    let lines = [
        unused,
        wide,
        long("id"),
        long("title"),
        long("claim"),
        long("date"),
    ]
    .join("\n");
    let raws = read("a.jsonl", lines);
    assert_eq!(
        brief(&raws),
        pairs(&[
            ("a", "One."),
            ("a.jsonl#2", "Malformed"),
            ("a.jsonl#3", "TooLarge"),
            ("a.jsonl#4", "TooLarge"),
            ("a.jsonl#5", "TooLarge"),
            ("a.jsonl#6", "TooLarge"),
        ])
    );
    assert_eq!(message(&raws[1]), "line 2 has more than 65536 fields");
    assert_eq!(message(&raws[3]), "its title has more than 100000 bytes");
    assert!(raws[3].title.is_none());
}

#[test]
fn a_row_of_millions_of_cells_is_one_error() {
    let row = ",".repeat(10_000_000);
    let raws = read("a.csv", format!("id,text\na,One.\n{row}\nb,Two.\n"));
    assert_eq!(
        brief(&raws),
        pairs(&[("a", "One."), ("a.csv#3", "Malformed"), ("b", "Two.")])
    );
    assert_eq!(message(&raws[1]), "the row has more than 65536 cells");
}

#[test]
fn what_is_handed_on_is_bounded() {
    let options = ReadOptions {
        passthrough: true,
        ..ReadOptions::default()
    };
    let line = format!(
        r#"{{"id":"a","text":"One.","more":"{}"}}"#,
        "x".repeat(5_000_000)
    );
    let raws = read_as("a.jsonl", line, &options);
    assert_eq!(
        message(&raws[0]),
        "its part to pass through has more than 4000000 bytes"
    );
}

#[test]
fn fields_that_make_no_part_of_the_article_are_handed_on() {
    let options = ReadOptions {
        passthrough: true,
        ..ReadOptions::default()
    };
    let line =
        r#"{"id":["a",1],"title":{"en":"One"},"date":null,"text":"One.","claim":null,"url":7}"#;
    let raws = read_as("a.jsonl", line, &options);
    let fields = raws[0].fields.as_ref().unwrap();
    assert_eq!(raws[0].id, "a.jsonl#1");
    assert_eq!(
        fields.0,
        r#"{"claim":null,"date":null,"id":["a",1],"title":{"en":"One"},"url":7}"#
    );
}

#[test]
fn a_blank_field_gives_way_to_the_next() {
    for blank in ["", "  ", r"\n\t \r", r"\u00a0", "\u{3000}"] {
        let raws = read("a.jsonl", format!(r#"{{"text":"{blank}","body":"One."}}"#));
        assert_eq!(brief(&raws), pairs(&[("a.jsonl#1", "One.")]), "{blank:?}");
    }
    for full in [r"\u0041", r"\n\\", r#"\""#, ",", r"\b"] {
        let raws = read("a.jsonl", format!(r#"{{"text":"{full}","body":"One."}}"#));
        assert_ne!(brief(&raws), pairs(&[("a.jsonl#1", "One.")]), "{full:?}");
    }
}

#[test]
fn half_a_character_is_said() {
    for field in ["text", "title", "id", "date", "claim"] {
        let rest = if field == "text" {
            ""
        } else {
            r#","text":"One.""#
        };
        let raws = read("a.jsonl", format!(r#"{{"{field}":"a \ud83d b"{rest}}}"#));
        assert_eq!(raws.len(), 1);
        let expected = format!("its field `{field}` holds half a character (a lone \\u surrogate)");
        assert_eq!(message(&raws[0]), expected);
    }
}
