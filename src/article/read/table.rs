//! CSV and TSV: a header that names the fields, then one article a row.

use std::borrow::Cow;
use std::io::{self, BufRead};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::open::Container;
use super::{Fields, failure, fields, malformed, too_large, unreadable};
use crate::article::{Raw, encoding};
use crate::error::ArticleError;

/// Bytes of a row's buffer that the next one inherits.
const KEPT: usize = 1 << 20;

/// The separators that tables use.
const DELIMITERS: &[u8] = b",\t;|";

/// The delimiter of a table: the one that its first line has most of, outside quotes.
pub(super) fn delimiter(head: &str) -> u8 {
    let mut counts = [0_usize; DELIMITERS.len()];
    let mut quoted = false;
    for byte in head.trim_start().bytes().take_while(|&byte| byte != b'\n') {
        quoted ^= byte == b'"';
        let separators = DELIMITERS.iter().zip(&mut counts);
        for (_, count) in separators.filter(|(separator, _)| !quoted && **separator == byte) {
            *count += 1;
        }
    }
    // The first of equals is the comma.
    let mut best = (0, b',');
    for (&separator, &count) in DELIMITERS.iter().zip(&counts) {
        if count > best.0 {
            best = (count, separator);
        }
    }
    best.1
}

/// Whether the first line is a table's header: at least two names, one of them that of the text.
pub(super) fn is_header(head: &str, fields: &Fields) -> bool {
    let delimiter = char::from(delimiter(head));
    let Some((line, _)) = head.trim_start().split_once('\n') else {
        return false;
    };
    let names = || {
        line.trim_end()
            .split(delimiter)
            .map(|name| name.trim_matches('"'))
    };
    names().count() >= 2 && fields.has_text(names())
}

/// The rows of a table.
pub(super) struct Rows {
    input: Box<dyn BufRead + Send>,
    container: Container,
    parser: Reader,
    header: Vec<String>,
    /// Line ends read so far.
    lines: u64,
    cells: Vec<u8>,
    ends: Vec<usize>,
    done: bool,
}

enum Row {
    End,
    /// As many cells as this.
    Whole(usize),
    TooLarge,
    TooWide,
    /// The file ended within a quoted cell that had gone on over lines.
    Torn,
}

impl Rows {
    pub(super) fn new(input: Box<dyn BufRead + Send>, container: Container, delimiter: u8) -> Self {
        Self {
            input,
            container,
            parser: ReaderBuilder::new().delimiter(delimiter).build(),
            header: Vec::new(),
            lines: 0,
            cells: vec![0; 4096],
            ends: vec![0; 64],
            done: false,
        }
    }

    /// Goes past blank lines to the row's first byte, so that its line number is its own.
    fn skip_line_ends(&mut self) -> io::Result<()> {
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let blank = available
                .iter()
                .take_while(|byte| matches!(byte, b'\r' | b'\n'))
                .count();
            if blank == 0 {
                return Ok(());
            }
            let ends = available.iter().take(blank).filter(|&&byte| byte == b'\n');
            self.lines += ends.count() as u64;
            self.input.consume(blank);
        }
    }

    /// Reads a row into `cells` and `ends`; past `max_bytes` it is skipped, the cells thrown away as they come.
    fn read_row(&mut self) -> io::Result<Row> {
        let (mut bytes, mut cells, mut ends, mut all_ends, mut fits) = (0_u64, 0, 0, 0, true);
        let (mut quotes, first_line) = (0_usize, self.lines);
        // One long row is no reason to keep its room.
        self.cells.truncate(KEPT);
        self.cells.shrink_to(KEPT);
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let (result, read, written, ended) = self.parser.read_record(
                available,
                self.cells.get_mut(cells..).unwrap_or_default(),
                self.ends.get_mut(ends..).unwrap_or_default(),
            );
            let consumed = available.get(..read).unwrap_or_default();
            self.lines += memchr::memchr_iter(b'\n', consumed).count() as u64;
            quotes += memchr::memchr_iter(b'"', consumed).count();
            let at_end = available.is_empty();
            self.input.consume(read);
            bytes += read as u64;
            all_ends += ended;
            let wide = all_ends > fields::MAX_FIELDS;
            fits &= bytes <= self.container.max_bytes && !wide;
            cells += written;
            ends += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if fits => self.cells.resize(self.cells.len() * 2, 0),
                ReadRecordResult::OutputEndsFull if fits => {
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    (cells, ends) = (0, 0);
                }
                // Quotes come in pairs unless one was never closed and took every following row into its cell.
                ReadRecordResult::Record
                    if at_end && quotes % 2 == 1 && self.lines > first_line =>
                {
                    return Ok(Row::Torn);
                }
                ReadRecordResult::Record if fits => return Ok(Row::Whole(ends)),
                ReadRecordResult::Record if wide => return Ok(Row::TooWide),
                ReadRecordResult::Record => return Ok(Row::TooLarge),
                ReadRecordResult::End => return Ok(Row::End),
            }
        }
    }

    /// The text of the row's cells; one encoding for all, since one cell alone may be too short to tell.
    fn cells(&self, count: usize) -> Result<Vec<String>, ArticleError> {
        let mut start = 0;
        let cells = self.ends.iter().take(count).map(|&end| {
            let cell = self.cells.get(start..end).unwrap_or_default();
            start = end;
            match std::str::from_utf8(cell) {
                Ok(text) if !text.contains('\0') => Ok(text.to_owned()),
                _ => encoding::decode(cell, self.container.encoding),
            }
        });
        cells.collect()
    }

    /// The article of a row, if it is in this run's shard.
    fn row(&mut self, line: u64, count: usize) -> Option<Raw> {
        let bytes = count
            .checked_sub(1)
            .and_then(|last| self.cells.get(..*self.ends.get(last)?));
        self.container
            .takes(bytes.unwrap_or_default())
            .then(|| self.article(line, count))
    }

    fn article(&self, line: u64, count: usize) -> Raw {
        let place = self.container.place(line);
        if count != self.header.len() {
            let message = format!(
                "line {line} has {count} cells, the header has {}",
                self.header.len()
            );
            return failure(place, malformed(message));
        }
        match self.cells(count) {
            Ok(cells) => {
                let names = self.header.iter().map(|name| Cow::from(name.as_str()));
                let record = names
                    .zip(cells.into_iter().map(fields::Value::Cell))
                    .collect();
                let Container {
                    fields,
                    passthrough,
                    ..
                } = &self.container;
                fields.article(record, place, *passthrough)
            }
            Err(error) => failure(place, error),
        }
    }

    /// Takes the first row as the header. A table without a text column is one error, not one for each of its rows.
    fn read_header(&mut self, count: usize) -> Result<(), ArticleError> {
        self.header = self
            .cells(count)?
            .into_iter()
            .map(|name| name.trim().to_owned())
            .collect();
        let names = || self.header.iter().map(String::as_str);
        if self.container.fields.has_text(names()) {
            Ok(())
        } else {
            Err(self.container.fields.no_text(names()))
        }
    }
}

impl Iterator for Rows {
    type Item = Option<Raw>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.done).then(|| self.next_row())
    }
}

impl Rows {
    /// The next row's article; none for the header, the end, and a row of another shard.
    fn next_row(&mut self) -> Option<Raw> {
        let read = self.skip_line_ends().and_then(|()| {
            let line = self.lines + 1;
            self.read_row().map(|row| (line, row))
        });
        match read {
            Ok((_, Row::End)) => {
                self.done = true;
                None
            }
            Ok((_, Row::Whole(count))) if self.header.is_empty() => {
                let error = self.read_header(count).err()?;
                self.done = true;
                self.container.broken(self.container.id.clone(), error)
            }
            Ok((line, Row::Whole(count))) => self.row(line, count),
            Ok((line, Row::Torn)) => {
                self.done = true;
                let message = format!("a quote opened in the row of line {line} is never closed");
                self.container
                    .broken(self.container.place(line), malformed(message))
            }
            Ok((line, row @ (Row::TooLarge | Row::TooWide))) => {
                // Without a header nothing that follows can be read.
                self.done = self.header.is_empty();
                let error = match row {
                    Row::TooWide => malformed(format!(
                        "the row has more than {} cells",
                        fields::MAX_FIELDS
                    )),
                    _ => too_large("the row", self.container.max_bytes),
                };
                match self.done {
                    true => self.container.broken(self.container.place(line), error),
                    false => self.container.failed(line, error),
                }
            }
            Err(error) => {
                self.done = true;
                let place = self.container.place(self.lines + 1);
                self.container.broken(place, unreadable(error))
            }
        }
    }
}
