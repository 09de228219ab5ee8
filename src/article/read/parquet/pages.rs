//! The pages of one column of a row group, unpacked one at a time.
//!
//! The `parquet` crate decodes what is in a page; what pages there are and how large they say they are is read here, where every count is
//! checked before memory is taken for it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};

use super::budget::Budget;
use super::footer::Chunk;
use super::thrift::{Thrift, is_true};
use super::{damaged, malformed, too_large};
use crate::error::ArticleError;

/// Most bytes of a page, packed or not. Most writers make pages of one megabyte, DuckDB of up to a hundred.
const MOST: usize = 128 << 20;
/// Most values of a page.
const VALUES: u64 = 1 << 22;
/// What a page's decoder takes beside its bytes, and beside those of a value: one of a dictionary, and one of a page whose lengths come first.
const DECODER: u64 = 4 << 10;
const WORD: u64 = 48;
const LENGTH: u64 = 8;
/// The place of the dictionary among pages that are held by encoding, and the encoding of levels in old files.
const DICTIONARY: i64 = -1;
const BIT_PACKED: i64 = 4;
/// Bytes of a page's header that are read at once, and at most: it may have the column's least and greatest value in it.
const HEADER: (u64, u64) = (4 << 10, 4 << 20);

/// The pages of a chunk.
pub(super) struct Pages {
    file: Arc<File>,
    chunk: Chunk,
    /// Whether the column may have nulls: then levels stand before its values.
    optional: bool,
    /// That of all columns.
    budget: Arc<Budget>,
    /// What this column's dictionary takes, and by encoding its last page: the decoder of an encoding keeps that until it has another.
    held: BTreeMap<i64, u64>,
}

/// What stands before a page.
#[derive(Default)]
struct Header {
    kind: i64,
    unpacked: i64,
    packed: i64,
    values: i64,
    encoding: i64,
    definition: i64,
    nulls: i64,
    rows: i64,
    /// Bytes of the levels in a page of the second version, which are not packed.
    levels: [i64; 2],
    stored: bool,
}

impl Pages {
    pub(super) fn new(file: Arc<File>, chunk: Chunk, optional: bool, budget: Arc<Budget>) -> Self {
        Self {
            file,
            chunk,
            optional,
            budget,
            held: BTreeMap::new(),
        }
    }

    fn next_page(&mut self) -> std::result::Result<Option<Page>, ArticleError> {
        while self.chunk.length > 0 {
            let header = self.header()?;
            let (packed, unpacked) = (size(header.packed)?, size(header.unpacked)?);
            if packed as u64 > self.chunk.length {
                return Err(damaged("a page"));
            }
            // 0 and 3: pages of data of the first and the second version; 2: a dictionary; 1: an index, which nobody needs.
            if !matches!(header.kind, 0 | 2 | 3) {
                self.advance(packed as u64);
                continue;
            }
            let values = u64::try_from(header.values)
                .ok()
                .filter(|values| *values <= VALUES);
            let values = values.ok_or_else(|| {
                malformed(format!("a page of the file has more than {VALUES} values"))
            })?;
            let encoding = encoding(header.encoding).ok_or_else(|| {
                malformed("its pages are encoded in a way that this version does not know")
            })?;
            let is_dictionary = header.kind == 2;
            let has_dictionary = self.held.contains_key(&DICTIONARY);
            let (place, each) = match is_dictionary {
                // A second one would lead a reader astray.
                true if has_dictionary => return Err(damaged("a dictionary")),
                true => (DICTIONARY, WORD),
                false => (header.encoding, LENGTH),
            };
            let takes = DECODER + unpacked as u64 + values * each;
            let before = self.held.insert(place, takes);
            self.budget.release(before.unwrap_or(0));
            self.budget.hold(takes)?;
            self.budget.spend(packed as u64 + unpacked as u64)?;
            let bytes = self.unpack(&header, packed, unpacked)?;
            if !is_dictionary && !lengths_fit(&header, self.optional, &bytes) {
                return Err(damaged("a page"));
            }
            if encoding == Encoding::RLE_DICTIONARY && !is_dictionary && !has_dictionary {
                return Err(damaged("a dictionary is missing"));
            }
            return page(&header, encoding, values as u32, bytes).map(Some);
        }
        Ok(None)
    }

    fn advance(&mut self, by: u64) {
        self.chunk.start += by;
        self.chunk.length -= by;
    }

    /// The next `length` bytes, or as many as there are of the file.
    fn peek(&self, length: u64) -> std::result::Result<Vec<u8>, ArticleError> {
        let mut file = &*self.file;
        // Growing by itself it could have room for twice as many. No chunk is longer than the file.
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        file.seek(SeekFrom::Start(self.chunk.start))
            .and_then(|_| file.take(length).read_to_end(&mut bytes))
            .map_err(super::unreadable)?;
        Ok(bytes)
    }

    fn header(&mut self) -> std::result::Result<Header, ArticleError> {
        let mut length = HEADER.0;
        loop {
            let bytes = self.peek(length.min(self.chunk.length))?;
            self.budget.spend(bytes.len() as u64)?;
            let mut thrift = Thrift::new(&bytes);
            if let Some(header) = header(&mut thrift) {
                self.advance(thrift.at() as u64);
                return Ok(header);
            }
            if length >= self.chunk.length.min(HEADER.1) {
                return Err(damaged("a page's header"));
            }
            length *= 8;
        }
    }

    /// The page's bytes, of which there are exactly as many as it says.
    fn unpack(
        &mut self,
        header: &Header,
        packed: usize,
        unpacked: usize,
    ) -> std::result::Result<Bytes, ArticleError> {
        let bytes = self.peek(packed as u64)?;
        self.advance(packed as u64);
        let levels = match header.kind {
            3 => size(header.levels[0])? + size(header.levels[1])?,
            _ => 0,
        };
        let (Some((levels, data)), Some(room)) =
            (bytes.split_at_checked(levels), unpacked.checked_sub(levels))
        else {
            return Err(damaged("a page"));
        };
        // Of no values some writers make a few packed bytes.
        if room == 0 {
            return Ok(Bytes::copy_from_slice(levels));
        }
        if self.chunk.codec == 0 || header.stored {
            let whole = bytes.len() == unpacked;
            return whole
                .then(|| Bytes::from(bytes))
                .ok_or_else(|| damaged("a page"));
        }
        let mut all = Vec::with_capacity(unpacked);
        all.extend_from_slice(levels);
        let most = room as u64 + 1;
        let ended = match self.chunk.codec {
            1 => {
                all.resize(unpacked, 0);
                let to = all.get_mut(levels.len()..).unwrap_or_default();
                let unpacked = snap::raw::Decoder::new().decompress(data, to);
                unpacked.ok().filter(|written| *written == room)
            }
            2 => MultiGzDecoder::new(data)
                .take(most)
                .read_to_end(&mut all)
                .ok(),
            6 => zstd::stream::read::Decoder::with_buffer(data)
                .and_then(|decoder| decoder.take(most).read_to_end(&mut all))
                .ok(),
            _ => return Err(unknown_codec(self.chunk.codec)),
        };
        match ended {
            Some(_) if all.len() == unpacked => Ok(Bytes::from(all)),
            _ => Err(damaged("a compressed page")),
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.budget.release(self.held.values().sum());
    }
}

fn size(size: i64) -> std::result::Result<usize, ArticleError> {
    match usize::try_from(size) {
        Ok(size) if size <= MOST => Ok(size),
        Ok(_) => Err(too_large("a page of the file", MOST as u64)),
        Err(_) => Err(damaged("a page's header")),
    }
}

fn unknown_codec(codec: i64) -> ArticleError {
    let name = match codec {
        3 => "LZO",
        4 | 7 => "LZ4",
        5 => "Brotli",
        _ => return damaged("its footer"),
    };
    malformed(format!(
        "its pages are compressed with {name}; zstd, Snappy, gzip and none can be read"
    ))
}

fn header(thrift: &mut Thrift<'_>) -> Option<Header> {
    let mut found = Header::default();
    thrift.fields(|thrift, number, _| {
        let inner: fn(&mut Header, i64) -> Option<&mut i64> = match number {
            1 => {
                found.kind = thrift.int()?;
                return Some(true);
            }
            2 => {
                found.unpacked = thrift.int()?;
                return Some(true);
            }
            3 => {
                found.packed = thrift.int()?;
                return Some(true);
            }
            // Of a page of data, of a dictionary, of a page of data of the second version.
            5 => |header, number| match number {
                1 => Some(&mut header.values),
                2 => Some(&mut header.encoding),
                3 => Some(&mut header.definition),
                _ => None,
            },
            7 => |header, number| match number {
                1 => Some(&mut header.values),
                2 => Some(&mut header.encoding),
                _ => None,
            },
            8 => |header, number| match number {
                1 => Some(&mut header.values),
                2 => Some(&mut header.nulls),
                3 => Some(&mut header.rows),
                4 => Some(&mut header.encoding),
                5 => Some(&mut header.levels[0]),
                6 => Some(&mut header.levels[1]),
                _ => None,
            },
            _ => return Some(false),
        };
        thrift.fields(|thrift, field, kind| {
            if number == 8 && field == 7 {
                found.stored = !is_true(kind);
            }
            match inner(&mut found, field) {
                Some(value) => {
                    *value = thrift.int()?;
                    Some(true)
                }
                None => Some(false),
            }
        })?;
        Some(true)
    })?;
    Some(found)
}

/// The page as the decoder takes it, if it holds what it must.
fn page(
    header: &Header,
    encoding: Encoding,
    num_values: u32,
    buf: Bytes,
) -> std::result::Result<Page, ArticleError> {
    let count = |count: i64| u32::try_from(count).map_err(|_| damaged("a page's header"));
    Ok(match header.kind {
        2 => Page::DictionaryPage {
            buf,
            num_values,
            encoding,
            is_sorted: false,
        },
        3 => Page::DataPageV2 {
            buf,
            num_values,
            encoding,
            num_nulls: count(header.nulls)?,
            num_rows: count(header.rows)?,
            def_levels_byte_len: count(header.levels[0])?,
            rep_levels_byte_len: count(header.levels[1])?,
            is_compressed: false,
            statistics: None,
        },
        _ => Page::DataPage {
            buf,
            num_values,
            encoding,
            def_level_encoding: self::encoding(header.definition)
                .ok_or_else(|| damaged("a page's header"))?,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        },
    })
}

/// Whether a page whose values' lengths come first has no more lengths than values: the decoder takes memory for as many as it is told of.
fn lengths_fit(header: &Header, optional: bool, bytes: &[u8]) -> bool {
    // 6: lengths, then texts; 7: how much each has in common with the one before it, then those of the rest.
    let blocks = match header.encoding {
        6 => 1,
        7 => 2,
        _ => return true,
    };
    let values = || {
        let mut at = match header.kind {
            3 => usize::try_from(header.levels[0].checked_add(header.levels[1])?).ok()?,
            // The levels of old files are not preceded by their length: a bit each.
            _ if optional && header.definition == BIT_PACKED => {
                usize::try_from(header.values).ok()?.div_ceil(8)
            }
            _ if optional => {
                let length = bytes.first_chunk::<4>()?;
                u32::from_le_bytes(*length) as usize + 4
            }
            _ => 0,
        };
        for _ in 0..blocks {
            at += numbers(bytes.get(at..)?, header.values)?;
        }
        Some(())
    };
    values().is_some()
}

/// Bytes of packed numbers (Parquet's delta encoding) of which there are `most` at most.
fn numbers(bytes: &[u8], most: i64) -> Option<usize> {
    let mut thrift = Thrift::new(bytes);
    let (block, parts, count) = (thrift.varint()?, thrift.varint()?, thrift.varint()?);
    thrift.varint()?;
    let each = block.checked_div(parts)?;
    if each == 0 || count > u64::try_from(most).ok()? {
        return None;
    }
    let mut left = count.saturating_sub(1);
    while left > 0 {
        thrift.varint()?;
        let widths = thrift.take(usize::try_from(parts).ok()?)?;
        for width in widths {
            if left == 0 {
                break;
            }
            let length = u64::from(*width).checked_mul(each)? / 8;
            thrift.take(usize::try_from(length).ok()?)?;
            left = left.saturating_sub(each);
        }
    }
    Some(thrift.at())
}

fn encoding(number: i64) -> Option<Encoding> {
    Some(match number {
        0 => Encoding::PLAIN,
        // What the first version called a dictionary's is the same.
        2 | 8 => Encoding::RLE_DICTIONARY,
        3 => Encoding::RLE,
        #[expect(deprecated)] // Of levels in old files.
        BIT_PACKED => Encoding::BIT_PACKED,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        _ => return None,
    })
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        self.next_page()
            .map_err(|error| ParquetError::External(Box::new(error)))
    }

    // Rows are never skipped: these are for that.
    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        Err(ParquetError::General("pages are read in turn".to_owned()))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.get_next_page().map(drop)
    }
}
