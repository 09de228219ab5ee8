//! Files that a writer made, and what is left of them when somebody has changed a byte.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

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
use super::footer::MAGIC;
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
        REPEATED INT32 o; REQUIRED BINARY p; REQUIRED BINARY q (UTF8);";
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
        group.close().unwrap();
    });
    let options = ReadOptions {
        passthrough: true,
        ..ReadOptions::default()
    };
    let raws = read_as(&bytes, &options);
    let fields = &raws[0].fields.as_ref().unwrap().0;
    // Neither nested nor repeated columns, nor bytes that nobody asked for.
    let expected = r#"{"a":"-0004-01-01","b":"2026-11-20T08:30:00.25Z","c":"1969-12-31T23:59:59.999999999","d":"2000-03-01T12:00:00",
        "e":18446744073709551615,"f":-1.05,"g":"abababab-abab-abab-abab-abababababab","h":0.1,"i":null,"j":true,"k":-1,
        "l":"1970-01-01T00:00:00Z","m":-7,"q":"\"q\""}"#;
    assert_eq!(fields, &expected.replace("\n        ", ""));
    let options = ReadOptions {
        id_field: Some("m".to_owned()),
        title_field: Some("p".to_owned()),
        date_field: Some("b".to_owned()),
        ..ReadOptions::default()
    };
    let raws = read_as(&bytes, &options);
    // As of a table, a row of which a field is no text is named by its place.
    assert_eq!(raws[0].id, "a.parquet#1");
    let error = raws[0].content.as_ref().unwrap_err();
    assert!(!raws[0].ends_file, "{error}");
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

/// A file whose bytes anybody may have changed gives articles and errors, and takes no more memory or time than its size allows.
#[test]
fn no_change_of_a_byte_brings_it_down() {
    let shapes = [
        WriterProperties::builder()
            .set_compression(Compression::ZSTD(Default::default()))
            .build(),
        WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_dictionary_enabled(false)
            .set_encoding(Encoding::DELTA_BYTE_ARRAY)
            .set_column_encoding("id".into(), Encoding::DELTA_BINARY_PACKED)
            .build(),
    ];
    for shape in shapes {
        let whole = three(shape);
        let (mut errors, mut articles) = (0, 0);
        for at in 0..whole.len() {
            for change in [1, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= change;
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("a.parquet");
                fs::write(&path, bytes).unwrap();
                let raws = Reader::new(vec![Source::Path(path)], ReadOptions::default());
                for raw in raws.take(1000) {
                    match raw.content {
                        Ok(_) => articles += 1,
                        Err(_) => errors += 1,
                    }
                }
            }
        }
        assert!(errors > 100 && articles > 100, "{errors} {articles}");
    }
}

/// A footer, or a page's header, as thrift writes it: fields of a number each, `0` ends a struct.
struct Thrift(Vec<u8>);

impl Thrift {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// A number in the field that comes `delta` after the one before it.
    fn int(mut self, delta: u8, value: i64) -> Self {
        self.0.push(delta << 4 | 6);
        self.varint(((value << 1) ^ (value >> 63)) as u64);
        self
    }

    fn text(mut self, delta: u8, text: &str) -> Self {
        self.0.push(delta << 4 | 8);
        self.varint(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn structs(mut self, delta: u8, all: &[Self]) -> Self {
        self.0.extend([delta << 4 | 9, 0xfc]);
        self.varint(all.len() as u64);
        all.iter().for_each(|one| self.0.extend_from_slice(&one.0));
        self
    }

    fn inner(mut self, delta: u8, one: &Self) -> Self {
        self.0.push(delta << 4 | 12);
        self.0.extend_from_slice(&one.0);
        self
    }

    fn end(mut self) -> Self {
        self.0.push(0);
        self
    }
}

const fn new() -> Thrift {
    Thrift(Vec::new())
}

/// A file of one text column with these pages, of `rows` rows.
fn forged(rows: i64, codec: i64, pages: &[(Thrift, &[u8])]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for (header, page) in pages {
        bytes.extend_from_slice(&header.0);
        bytes.extend_from_slice(page);
    }
    let length = bytes.len() as i64 - 4;
    let root = new().text(4, "root").int(1, 1).end();
    let column = new().int(1, 6).int(2, 1).text(1, "text").end();
    let meta = new().int(4, codec).int(3, length).int(2, 4).end();
    let chunk = new().inner(3, &meta).end();
    let group = new().structs(1, &[chunk]).int(2, rows).end();
    let footer = new()
        .int(1, 1)
        .structs(1, &[root, column])
        .int(1, rows)
        .structs(1, &[group])
        .end();
    sealed(bytes, &footer)
}

fn sealed(mut bytes: Vec<u8>, footer: &Thrift) -> Vec<u8> {
    bytes.extend_from_slice(&footer.0);
    bytes.extend_from_slice(&(footer.0.len() as u32).to_le_bytes());
    bytes.extend_from_slice(MAGIC);
    bytes
}

/// The header of a page of data (of the first version), or of a dictionary.
fn header(kind: i64, unpacked: i64, packed: i64, values: i64, encoding: i64) -> Thrift {
    let inner = new()
        .int(1, values)
        .int(1, encoding)
        .int(1, 3)
        .int(1, 3)
        .end();
    new()
        .int(1, kind)
        .int(1, unpacked)
        .int(1, packed)
        .inner(if kind == 2 { 4 } else { 2 }, &inner)
        .end()
}

/// Definition levels: so many values that are there (or not), in one run.
fn levels(count: u64, there: u8) -> Vec<u8> {
    let mut run = new();
    run.varint(count << 1);
    run.0.push(there);
    [&(run.0.len() as u32).to_le_bytes()[..], &run.0].concat()
}

#[test]
fn a_forged_file_is_read_as_far_as_it_is_true() {
    let mut page = levels(2, 1);
    for text in ["One.", "Two."] {
        page.extend_from_slice(&(text.len() as u32).to_le_bytes());
        page.extend_from_slice(text.as_bytes());
    }
    let length = page.len() as i64;
    let whole = forged(2, 0, &[(header(0, length, length, 2, 0), &page)]);
    let raws = read(&whole);
    assert_eq!(raws.iter().map(text).collect::<Vec<_>>(), ["One.", "Two."]);
    // A row group of more rows than its pages have.
    let raws = read(&forged(3, 0, &[(header(0, length, length, 2, 0), &page)]));
    assert_eq!(raws.len(), 3);
    assert!(message(&raws[2..]).contains("ends before its last row"));
}

#[test]
fn what_a_file_says_of_its_sizes_is_not_believed() {
    let huge = i64::from(i32::MAX);
    let ones = levels(1, 1);
    let length = ones.len() as i64;
    // Two gigabytes of a page, of values, of a dictionary's entries, of lengths, of prefixes and the lengths after them.
    let mut lengths = Thrift(ones.clone());
    for number in [128, 4, huge as u64, 0] {
        lengths.varint(number);
    }
    let mut prefixes = Thrift(ones.clone());
    for number in [128, 4, 1, 0, 128, 4, huge as u64, 0] {
        prefixes.varint(number);
    }
    let of = |page: &Thrift, encoding| {
        let length = page.0.len() as i64;
        (header(0, length, length, 1, encoding), page.0.clone())
    };
    for (page, bytes, expected) in [
        (
            header(0, huge, 1, 1, 0),
            vec![0],
            "a page of the file has more than",
        ),
        (
            header(0, 1, huge, 1, 0),
            vec![0],
            "a page of the file has more than",
        ),
        (
            header(0, length, length, huge, 0),
            ones.clone(),
            "more than 4194304 values",
        ),
        (
            header(2, length, length, huge, 0),
            ones.clone(),
            "more than 4194304 values",
        ),
        (
            header(2, length, length, 4_194_304, 0),
            ones.clone(),
            "damaged: a page",
        ),
        (
            header(0, -1, length, 1, 0),
            ones.clone(),
            "damaged: a page's header",
        ),
        (header(0, length, length, -1, 0), ones.clone(), "values"),
        (
            header(0, length, length, 1, 8),
            ones.clone(),
            "a dictionary is missing",
        ),
        (
            header(0, length, length, 1, 77),
            ones.clone(),
            "encoded in a way",
        ),
        (of(&lengths, 6).0, of(&lengths, 6).1, "damaged: a page"),
        (of(&prefixes, 7).0, of(&prefixes, 7).1, "damaged: a page"),
    ] {
        let raws = read(&forged(1, 0, &[(page, &bytes)]));
        assert!(
            message(&raws).contains(expected),
            "{expected}: {}",
            message(&raws)
        );
    }
    // Sixteen kilobytes that unpack to sixteen megabytes where one byte was announced.
    let bomb = zstd::encode_all(&vec![b'a'; 16 << 20][..], 3).unwrap();
    let packed = bomb.len() as i64;
    let raws = read(&forged(1, 6, &[(header(0, 1, packed, 1, 0), &bomb)]));
    assert!(
        message(&raws).contains("a compressed page"),
        "{}",
        message(&raws)
    );
    let raws = read(&forged(1, 5, &[(header(0, 9, packed, 1, 0), &bomb)]));
    assert!(
        message(&raws).contains("compressed with Brotli"),
        "{}",
        message(&raws)
    );
}

#[test]
fn a_schema_is_a_tree_or_nothing() {
    let leaf = || new().int(1, 6).int(2, 1).text(1, "text").end();
    let root = |children| new().text(4, "root").int(1, children).end();
    let nest = || new().int(3, 1).text(1, "nest").int(1, 1).end();
    let deep = std::iter::once(root(1))
        .chain((0..60_000).map(|_| nest()))
        .chain([leaf()]);
    for (schema, expected) in [
        (vec![root(i64::from(i32::MAX)), leaf()], "its footer"),
        (vec![root(2), leaf()], "its footer"),
        (vec![root(0), leaf()], "its footer"),
        (vec![root(-1)], "its footer"),
        (vec![], "its footer"),
        (deep.collect(), "no text field"),
    ] {
        let footer = new().structs(2, &schema).structs(2, &[]).end();
        let raws = read(&sealed(MAGIC.to_vec(), &footer));
        assert!(message(&raws).contains(expected), "{}", message(&raws));
    }
    // So are values that nobody asks for, however deep.
    let mut footer = new().structs(2, &[root(1), leaf()]);
    footer.0.extend([0x3c; 10_000]);
    footer.0.extend([0; 10_001]);
    assert!(message(&read(&sealed(MAGIC.to_vec(), &footer))).contains("its footer"));
}

/// A text of a megabyte a million times over, in a file of a few hundred bytes.
#[test]
fn rows_that_repeat_a_dictionary_come_to_an_end() {
    let mut entry = 1_000_000_u32.to_le_bytes().to_vec();
    entry.resize(1_000_004, b'a');
    let packed = zstd::encode_all(&entry[..], 3).unwrap();
    let dictionary = header(2, entry.len() as i64, packed.len() as i64, 1, 0);
    let mut rows = levels(1_000_000, 1);
    // Indices of one bit, all the same.
    rows.push(1);
    let mut run = new();
    run.varint(1_000_000 << 1);
    rows.extend_from_slice(&run.0);
    rows.push(0);
    let packed_rows = zstd::encode_all(&rows[..], 3).unwrap();
    let data = header(0, rows.len() as i64, packed_rows.len() as i64, 1_000_000, 8);
    let bytes = forged(1_000_000, 6, &[(dictionary, &packed), (data, &packed_rows)]);
    assert!(bytes.len() < 1000, "{}", bytes.len());
    let options = ReadOptions {
        max_bytes: 2_000_000,
        ..ReadOptions::default()
    };
    let raws = read_as(&bytes, &options);
    assert!((2..=10).contains(&raws.len()), "{}", raws.len());
    let last = raws.last().unwrap();
    assert!(last.ends_file);
    let error = last.content.as_ref().unwrap_err();
    assert!(error.message.contains("more than 1000 times"), "{error}");
    // Over the limit of one article, each has its own error, as in other formats.
    let options = ReadOptions {
        max_bytes: 500_000,
        ..ReadOptions::default()
    };
    let raws = read_as(&bytes, &options);
    let error = raws[0].content.as_ref().unwrap_err();
    assert_eq!(error.kind, ArticleErrorKind::TooLarge);
    assert!(!raws[0].ends_file);
    assert!(raws.len() < 10, "{}", raws.len());
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
