//! Files that mean harm: what somebody has changed, what lies about its sizes, and what is small and asks for much.

use std::fs;

use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{WriterProperties, WriterVersion};

use super::super::footer::MAGIC;
use super::{message, read, read_as, text, three};
use crate::article::read::{ReadOptions, Reader, Source};
use crate::error::ArticleErrorKind;

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

    fn varints(mut self, values: &[u64]) -> Self {
        values.iter().for_each(|value| self.varint(*value));
        self
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
    repeated(1, rows, codec, pages)
}

/// A file of so many row groups, all with the same pages.
fn repeated(groups: usize, rows: i64, codec: i64, pages: &[(Thrift, &[u8])]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for (header, page) in pages {
        bytes.extend_from_slice(&header.0);
        bytes.extend_from_slice(page);
    }
    let length = bytes.len() as i64 - 4;
    let root = new().text(4, "root").int(1, 1).end();
    let column = new().int(1, 6).int(2, 1).text(1, "text").end();
    let group = |_| {
        let meta = new().int(4, codec).int(3, length).int(2, 4).end();
        let chunk = new().inner(3, &meta).end();
        new().structs(1, &[chunk]).int(2, rows).end()
    };
    let groups: Vec<Thrift> = (0..groups).map(group).collect();
    let footer = new()
        .int(1, 1)
        .structs(1, &[root, column])
        .int(1, rows)
        .structs(1, &groups)
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
fn header(kind: i64, unpacked: usize, packed: usize, values: i64, encoding: i64) -> Thrift {
    header_of(
        kind,
        [unpacked as i64, packed as i64],
        values,
        [encoding, 3],
    )
}

/// With sizes that no page has, or other levels.
fn header_of(
    kind: i64,
    [unpacked, packed]: [i64; 2],
    values: i64,
    [encoding, levels]: [i64; 2],
) -> Thrift {
    let inner = new()
        .int(1, values)
        .int(1, encoding)
        .int(1, levels)
        .int(1, levels)
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

/// A page of texts that are all there.
fn page(texts: &[&str]) -> Vec<u8> {
    let mut page = levels(texts.len() as u64, 1);
    for text in texts {
        page.extend_from_slice(&(text.len() as u32).to_le_bytes());
        page.extend_from_slice(text.as_bytes());
    }
    page
}

/// A page of one text that is not there, `start`, and zeros to this size; packed.
fn void(start: &[u8], size: usize) -> Vec<u8> {
    let mut page = [&levels(1, 0), start].concat();
    page.resize(size, 0);
    packed(&page)
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[test]
fn a_forged_file_is_read_as_far_as_it_is_true() {
    let page = page(&["One.", "Two."]);
    let header = || header(0, page.len(), page.len(), 2, 0);
    let raws = read(&forged(2, 0, &[(header(), &page)]));
    assert_eq!(raws.iter().map(text).collect::<Vec<_>>(), ["One.", "Two."]);
    // A row group of more rows than its pages have.
    let raws = read(&forged(3, 0, &[(header(), &page)]));
    assert_eq!(raws.len(), 3);
    assert!(message(&raws[2..]).contains("ends before its last row"));
}

#[test]
fn what_a_file_says_of_its_sizes_is_not_believed() {
    let huge = i64::from(i32::MAX);
    let (one, ones) = (page(&["One."]), levels(1, 1));
    let length = ones.len() as i64;
    // Two gigabytes of a page, of values, of a dictionary's entries, of lengths, of prefixes and the lengths after them; and a page of no
    // bytes that has some all the same.
    let numbers = |numbers: &[u64]| Thrift(ones.clone()).varints(numbers).0;
    let lengths = numbers(&[128, 4, huge as u64, 0]);
    let prefixes = numbers(&[128, 4, 1, 0, 128, 4, huge as u64, 0]);
    let sizes = |unpacked, packed| header_of(0, [unpacked, packed], 1, [0, 3]);
    let values = |kind, values| header_of(kind, [length, length], values, [0, 3]);
    let cases: [(Thrift, &[u8], &str); 10] = [
        (sizes(huge, 1), &[0], "a page of the file has more than"),
        (sizes(1, huge), &[0], "a page of the file has more than"),
        (sizes(-1, length), &ones, "damaged: a page's header"),
        (sizes(0, one.len() as i64), &one, "damaged: a page"),
        (values(0, huge), &ones, "more than 4194304 values"),
        (values(2, huge), &ones, "more than 4194304 values"),
        (values(2, 4_194_304), &ones, "damaged: a page"),
        (values(0, -1), &ones, "values"),
        (
            header(0, lengths.len(), lengths.len(), 1, 6),
            &lengths,
            "damaged: a page",
        ),
        (
            header(0, prefixes.len(), prefixes.len(), 1, 7),
            &prefixes,
            "damaged: a page",
        ),
    ];
    for (header, bytes, expected) in cases {
        let raws = read(&forged(1, 0, &[(header, bytes)]));
        let message = message(&raws);
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

#[test]
fn an_encoding_that_cannot_be_read_is_said() {
    let ones = levels(1, 1);
    for (encoding, expected) in [(8, "a dictionary is missing"), (77, "encoded in a way")] {
        let header = header(0, ones.len(), ones.len(), 1, encoding);
        let raws = read(&forged(1, 0, &[(header, &ones)]));
        assert!(message(&raws).contains(expected), "{}", message(&raws));
    }
}

#[test]
fn a_page_that_unpacks_to_more_than_it_said_is_damaged() {
    // Sixteen kilobytes that unpack to sixteen megabytes where one byte was announced.
    let bomb = packed(&vec![b'a'; 16 << 20]);
    let raws = read(&forged(1, 6, &[(header(0, 1, bomb.len(), 1, 0), &bomb)]));
    assert!(
        message(&raws).contains("a compressed page"),
        "{}",
        message(&raws)
    );
    let raws = read(&forged(1, 5, &[(header(0, 9, bomb.len(), 1, 0), &bomb)]));
    assert!(
        message(&raws).contains("compressed with Brotli"),
        "{}",
        message(&raws)
    );
}

/// Before them stands no length: so lengths of texts are not where those of newer files have them.
#[test]
fn levels_of_old_files_hide_no_lengths() {
    let read = |page: &[u8]| {
        let length = page.len() as i64;
        read(&forged(
            1,
            0,
            &[(header_of(0, [length, length], 1, [6, 4]), page)],
        ))
    };
    // A level of one bit; one length, four; the text.
    let mut honest = Thrift(vec![1]).varints(&[128, 4, 1, 8]);
    honest.0.extend_from_slice(b"One.");
    assert_eq!(text(&read(&honest.0)[0]), "One.");
    // More lengths than any memory has. Where newer files would have them, after as many bytes of levels as the first four say, there are none.
    let mut page = Thrift(vec![1, 0x80, 0x81, 0x00]).varints(&[4, 1 << 44, 0]);
    page.0.resize(4 + 0x0081_8001, 0);
    let page = page.varints(&[128, 4, 0, 0]);
    let raws = read(&page.0);
    assert!(
        message(&raws).contains("damaged: a page"),
        "{}",
        message(&raws)
    );
}

/// The decoder of each encoding keeps its last page.
#[test]
fn pages_of_several_encodings_are_held_together() {
    let size = 90 << 20;
    let none = new().varints(&[128, 4, 0, 0]);
    let pages = [
        (0, void(&[], size)),
        (6, void(&none.0, size)),
        (7, void(&none.0.repeat(2), size)),
    ];
    let pages = pages.each_ref();
    let pages = pages.map(|(encoding, page)| (header(0, size, page.len(), 1, *encoding), &**page));
    let raws = read(&forged(3, 6, &pages));
    assert_eq!(raws.len(), 3);
    assert!(
        message(&raws[2..]).contains("what its pages hold at one time"),
        "{}",
        message(&raws[2..])
    );
}

/// The work is counted, not only what comes of it.
#[test]
fn row_groups_that_share_their_pages_come_to_an_end() {
    let size = 16 << 20;
    let page = void(&[], size);
    let large = [(header(0, size, page.len(), 1, 0), &page[..])];
    // Indexes, which are passed over, before a page that is small.
    let index = || new().int(1, 1).int(1, 0).int(1, 0).end();
    let small = void(&[], 100);
    let mut many: Vec<(Thrift, &[u8])> = (0..5000).map(|_| (index(), &[][..])).collect();
    many.push((header(0, 100, small.len(), 1, 0), &small));
    let options = ReadOptions {
        max_bytes: 1_000_000,
        ..ReadOptions::default()
    };
    for pages in [&large[..], &many[..]] {
        let bytes = repeated(1000, 1, 6, pages);
        assert!(bytes.len() < 100_000, "{}", bytes.len());
        let raws = read_as(&bytes, &options);
        assert!((2..=10).contains(&raws.len()), "{}", raws.len());
        let last = message(&raws[raws.len() - 1..]);
        assert!(last.contains("more than 1000 times"), "{last}");
    }
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

#[test]
fn a_footer_of_which_much_would_be_made_is_refused() {
    let schema = |name: &str| {
        let root = new().text(4, "root").int(1, 1).end();
        [root, new().int(1, 6).int(2, 1).text(1, name).end()]
    };
    let groups = |count| -> Vec<Thrift> { (0..count).map(|_| new().int(3, 0).end()).collect() };
    for (name, count, expected) in [
        ("x".repeat(1000), 1000, "no text field"),
        ("x".repeat(5 << 20), 0, "its footer"),
        ("x".to_owned(), (1 << 17) + 1, "its footer"),
    ] {
        let footer = new().structs(2, &schema(&name)).structs(2, &groups(count));
        let raws = read(&sealed(MAGIC.to_vec(), &footer.end()));
        assert!(message(&raws).contains(expected), "{}", message(&raws));
    }
}

/// A text of a megabyte a million times over, in a file of a few hundred bytes.
#[test]
fn rows_that_repeat_a_dictionary_come_to_an_end() {
    let mut entry = 1_000_000_u32.to_le_bytes().to_vec();
    entry.resize(1_000_004, b'a');
    let packed = zstd::encode_all(&entry[..], 3).unwrap();
    let dictionary = header(2, entry.len(), packed.len(), 1, 0);
    let mut rows = levels(1_000_000, 1);
    // Indices of one bit, all the same.
    rows.push(1);
    let mut run = new();
    run.varint(1_000_000 << 1);
    rows.extend_from_slice(&run.0);
    rows.push(0);
    let packed_rows = zstd::encode_all(&rows[..], 3).unwrap();
    let data = header(0, rows.len(), packed_rows.len(), 1_000_000, 8);
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
