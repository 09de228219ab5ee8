//! Files as writers make them, and what is none.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod hostile;

use std::fs;
use std::path::Path;

use parquet::basic::{Compression, Encoding};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType,
    Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::super::{ReadOptions, Reader, Source};
use super::*;
use crate::article::Content;
use crate::error::ArticleErrorKind;

type Bytes = SerializedFileWriter<Vec<u8>>;
type Group<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

fn file(schema: &str, properties: WriterProperties, write: impl FnOnce(&mut Bytes)) -> Vec<u8> {
    let schema = parse_message_type(&format!("message m {{ {schema} }}")).unwrap();
    let mut file =
        SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties)).unwrap();
    write(&mut file);
    file.into_inner().unwrap()
}

fn column<T: DataType>(group: &mut Group<'_>, values: &[T::T], levels: Option<&[i16]>) {
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<T>()
        .write_batch(values, levels, None)
        .unwrap();
    column.close().unwrap();
}

fn texts(texts: &[&str]) -> Vec<ByteArray> {
    texts.iter().map(|text| (*text).into()).collect()
}

/// Three articles of id, title and text in two row groups.
fn three(properties: WriterProperties) -> Vec<u8> {
    let schema =
        "REQUIRED INT64 id; OPTIONAL BINARY title (STRING); OPTIONAL BINARY text (STRING);";
    file(schema, properties, |file| {
        let mut group = file.next_row_group().unwrap();
        column::<Int64Type>(&mut group, &[1, 2], None);
        column::<ByteArrayType>(&mut group, &texts(&["One"]), Some(&[1, 0]));
        let bodies = texts(&["The talks open on Monday.", "The talks open on Tuesday."]);
        column::<ByteArrayType>(&mut group, &bodies, Some(&[1, 1]));
        group.close().unwrap();
        let mut group = file.next_row_group().unwrap();
        column::<Int64Type>(&mut group, &[3], None);
        column::<ByteArrayType>(&mut group, &texts(&["Three"]), Some(&[1]));
        column::<ByteArrayType>(&mut group, &[], Some(&[0]));
        group.close().unwrap();
    })
}

fn read_as(bytes: &[u8], options: &ReadOptions) -> Vec<Raw> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    fs::write(&path, bytes).unwrap();
    let raws = Reader::new(vec![Source::Path(path)], options.clone());
    let own = format!("{}/", folder.path().display());
    let strip = |raw: Raw| Raw {
        id: raw.id.replace(&own, ""),
        ..raw
    };
    raws.map(strip).collect()
}

fn read(bytes: &[u8]) -> Vec<Raw> {
    read_as(bytes, &ReadOptions::default())
}

fn message(raws: &[Raw]) -> &str {
    let [raw] = raws else { panic!("{raws:?}") };
    assert!(raw.ends_file);
    &raw.content.as_ref().unwrap_err().message
}

fn text(raw: &Raw) -> &str {
    match &raw.content {
        Ok(Content::Text(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rows_are_articles() {
    let shapes = [
        WriterProperties::builder().build(),
        WriterProperties::builder()
            .set_compression(Compression::ZSTD(Default::default()))
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .build(),
        WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_encoding(Encoding::DELTA_LENGTH_BYTE_ARRAY)
            .set_column_encoding("id".into(), Encoding::DELTA_BINARY_PACKED)
            .build(),
        WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_encoding(Encoding::DELTA_BYTE_ARRAY)
            .set_column_encoding("id".into(), Encoding::PLAIN)
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .build(),
    ];
    for shape in shapes {
        let raws = read(&three(shape));
        assert_eq!(raws.len(), 3);
        assert_eq!([&raws[0].id, &raws[1].id, &raws[2].id], ["1", "2", "3"]);
        assert_eq!(raws[0].title.as_deref(), Some("One"));
        assert_eq!(raws[1].title, None);
        assert_eq!(text(&raws[1]), "The talks open on Tuesday.");
        let error = raws[2].content.as_ref().unwrap_err();
        assert_eq!(error.kind, ArticleErrorKind::Empty);
        assert_eq!(error.message, "its field `text` is null");
        assert!(!raws[2].ends_file);
    }
}

#[test]
fn a_row_without_an_id_has_its_number() {
    let options = ReadOptions {
        id_field: Some("no".to_owned()),
        ..ReadOptions::default()
    };
    let raws = read_as(&three(WriterProperties::default()), &options);
    let ids: Vec<&str> = raws.iter().map(|raw| raw.id.as_str()).collect();
    assert_eq!(ids, ["a.parquet#1", "a.parquet#2", "a.parquet#3"]);
}

#[test]
fn values_are_told_as_people_write_them() {
    let schema = "
        REQUIRED BINARY text (STRING); REQUIRED INT32 a (DATE); REQUIRED INT64 b (TIMESTAMP(MILLIS,true));
        REQUIRED INT64 c (TIMESTAMP(NANOS,false)); REQUIRED INT96 d; REQUIRED INT64 e (INTEGER(64,false));
        REQUIRED INT32 f (DECIMAL(9,2)); REQUIRED FIXED_LEN_BYTE_ARRAY (16) g (UUID); REQUIRED FLOAT h;
        REQUIRED DOUBLE i; OPTIONAL BOOLEAN j; REQUIRED FIXED_LEN_BYTE_ARRAY (9) k (DECIMAL(20,0));
        REQUIRED INT64 l (TIMESTAMP_MICROS); REQUIRED INT32 m; REQUIRED GROUP n { REQUIRED INT32 deep; }
        REPEATED INT32 o; REQUIRED BINARY p; REQUIRED BINARY q (UTF8); REQUIRED BINARY r (DECIMAL(50,2)); REQUIRED BINARY s (DECIMAL(50,2));";
    let bytes = file(schema, WriterProperties::default(), |file| {
        let mut group = file.next_row_group().unwrap();
        column::<ByteArrayType>(&mut group, &texts(&["The talks open."]), None);
        column::<Int32Type>(&mut group, &[-719_529 - 365 * 4], None);
        column::<Int64Type>(&mut group, &[1_795_163_400_250], None);
        column::<Int64Type>(&mut group, &[-1], None);
        let mut noon = Int96::new();
        noon.set_data(
            43_200_000_000_000_u64 as u32,
            (43_200_000_000_000_u64 >> 32) as u32,
            2_451_605,
        );
        column::<Int96Type>(&mut group, &[noon], None);
        column::<Int64Type>(&mut group, &[-1], None);
        column::<Int32Type>(&mut group, &[-105], None);
        column::<FixedLenByteArrayType>(&mut group, &[vec![0xab; 16].into()], None);
        column::<FloatType>(&mut group, &[0.1], None);
        column::<DoubleType>(&mut group, &[f64::NAN], None);
        column::<BoolType>(&mut group, &[true], Some(&[1]));
        column::<FixedLenByteArrayType>(&mut group, &[vec![0xff; 9].into()], None);
        column::<Int64Type>(&mut group, &[0], None);
        column::<Int32Type>(&mut group, &[-7], None);
        column::<Int32Type>(&mut group, &[7], None);
        let mut repeated = group.next_column().unwrap().unwrap();
        let typed = repeated.typed::<Int32Type>();
        typed
            .write_batch(&[1, 2], Some(&[1, 1]), Some(&[0, 1]))
            .unwrap();
        repeated.close().unwrap();
        column::<ByteArrayType>(&mut group, &[vec![0, 255].into()], None);
        column::<ByteArrayType>(&mut group, &texts(&["\"q\""]), None);
        column::<ByteArrayType>(&mut group, &[vec![1, 0].into()], None);
        column::<ByteArrayType>(&mut group, &[vec![1; 17].into()], None);
        group.close().unwrap();
    });
    let options = ReadOptions {
        passthrough: true,
        ..ReadOptions::default()
    };
    let raws = read_as(&bytes, &options);
    let fields = &raws[0].fields.as_ref().unwrap().0;
    // Neither nested nor repeated columns, nor bytes that nobody asked for; a number of more digits than can be told is none.
    let expected = r#"{"a":"-0004-01-01","b":"2026-11-20T08:30:00.25Z","c":"1969-12-31T23:59:59.999999999","d":"2000-03-01T12:00:00",
        "e":18446744073709551615,"f":-1.05,"g":"abababab-abab-abab-abab-abababababab","h":0.1,"i":null,"j":true,"k":-1,
        "l":"1970-01-01T00:00:00Z","m":-7,"q":"\"q\"","r":2.56,"s":null}"#;
    assert_eq!(fields, &expected.replace("\n        ", ""));
}

/// As of a table, a row of which a field is no text is named by its place; so is one that is too large. The next is read.
#[test]
fn a_row_that_cannot_be_told_is_one_error() {
    let schema =
        "REQUIRED INT64 id; REQUIRED BINARY text; REQUIRED BINARY title; REQUIRED BINARY body;";
    let bytes = file(schema, WriterProperties::default(), |file| {
        let mut group = file.next_row_group().unwrap();
        column::<Int64Type>(&mut group, &[1, 2, 3], None);
        let long = "long ".repeat(100);
        let bodies = texts(&[
            "The talks open on Monday.",
            &long,
            "The talks open on Tuesday.",
        ]);
        column::<ByteArrayType>(&mut group, &bodies, None);
        let titles = [vec![0, 255].into(), (*long).into(), "Three".into()];
        column::<ByteArrayType>(&mut group, &titles, None);
        column::<ByteArrayType>(&mut group, &texts(&["", &long, ""]), None);
        group.close().unwrap();
    });
    let options = ReadOptions {
        max_bytes: 1200,
        ..ReadOptions::default()
    };
    let raws = read_as(&bytes, &options);
    let ids: Vec<&str> = raws.iter().map(|raw| raw.id.as_str()).collect();
    assert_eq!(ids, ["a.parquet#1", "a.parquet#2", "3"]);
    let kind = |raw: &Raw| raw.content.as_ref().unwrap_err().kind;
    assert_eq!(kind(&raws[0]), ArticleErrorKind::Binary);
    assert_eq!(kind(&raws[1]), ArticleErrorKind::TooLarge);
    assert_eq!(text(&raws[2]), "The talks open on Tuesday.");
    assert!(raws.iter().all(|raw| !raw.ends_file));
}

#[test]
fn what_the_writers_of_others_make_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parquet");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "parquet"));
    files.sort();
    assert!(files.len() >= 6);
    for path in files {
        let raws: Vec<Raw> =
            Reader::new(vec![Source::Path(path.clone())], ReadOptions::default()).collect();
        assert_eq!(raws.len(), 40, "{}", path.display());
        for (n, raw) in raws.iter().enumerate() {
            assert_eq!(raw.id, n.to_string(), "{}", path.display());
            assert_eq!(raw.title.is_none(), n % 5 == 0, "{}", path.display());
            let date = format!("2026-11-{:02}T08:30:00", n % 28 + 1);
            assert_eq!(
                raw.date.as_deref(),
                Some(date.as_str()),
                "{}",
                path.display()
            );
            let expected = format!("The envoys met {} times and fixed no date.", n % 7);
            assert_eq!(text(raw), expected, "{}", path.display());
        }
    }
}

#[test]
fn shards_are_the_whole_and_progress_is_the_files_size() {
    let bytes = three(WriterProperties::default());
    let mut found: Vec<String> = Vec::new();
    for n in 1..=4 {
        let options = ReadOptions {
            shard: Some(format!("{n}/4").parse().unwrap()),
            ..ReadOptions::default()
        };
        found.extend(read_as(&bytes, &options).into_iter().map(|raw| raw.id));
        assert_eq!(options.position.load(Ordering::Relaxed), bytes.len() as u64);
    }
    found.sort();
    assert_eq!(found, ["1", "2", "3"]);
}

#[test]
fn a_file_without_a_text_is_one_error() {
    let schema = "REQUIRED INT64 id; REQUIRED GROUP text { REQUIRED INT32 deep; }";
    let bytes = file(schema, WriterProperties::default(), |_| ());
    let raws = read(&bytes);
    assert!(
        message(&raws).contains("no text field"),
        "{}",
        message(&raws)
    );
    assert!(
        message(&raws).ends_with("its fields: id"),
        "{}",
        message(&raws)
    );
    // A file without rows has none.
    assert_eq!(
        read(&file(
            "REQUIRED BINARY text;",
            WriterProperties::default(),
            |_| ()
        )),
        []
    );
}

#[test]
fn what_is_no_parquet_file_says_so() {
    let whole = three(WriterProperties::default());
    assert!(message(&read(b"The talks open on Monday.")).contains("does not begin with PAR1"));
    assert!(message(&read(b"")).contains("does not begin with PAR1"));
    assert!(message(&read(b"PAR1")).contains("cut off"));
    let mut other = whole.clone();
    let end = other.len() - 4;
    other[end..].copy_from_slice(b"PARE");
    assert!(message(&read(&other)).contains("does not end with PAR1"));
    for cut in 1..whole.len() {
        let raws = read(&whole[..cut]);
        assert_eq!(raws.len(), 1, "{cut}");
        assert!(raws[0].content.is_err() && raws[0].ends_file, "{cut}");
    }
}

#[test]
fn parquet_is_told_by_its_bytes_and_not_read_from_a_pipe() {
    let bytes = three(WriterProperties::default());
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, bytes: &[u8]| -> Vec<Raw> {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        Reader::new(vec![Source::Path(path)], ReadOptions::default()).collect()
    };
    assert_eq!(read("data", &bytes).len(), 3);
    assert_eq!(read("data.PARQUET", &bytes).len(), 3);
    assert_eq!(
        text(&read("par.txt", b"PAR1 is the first word of this text.")[0]),
        "PAR1 is the first word of this text."
    );
    let packed = zstd::encode_all(&bytes[..], 1).unwrap();
    for raws in [
        read("data.parquet.zst", &packed),
        Reader::with_stdin(
            vec![Source::Stdin],
            ReadOptions::default(),
            Box::new(std::io::Cursor::new(bytes.clone())),
        )
        .collect(),
    ] {
        assert!(
            message(&raws).contains("from a file that is named"),
            "{}",
            message(&raws)
        );
    }
}
