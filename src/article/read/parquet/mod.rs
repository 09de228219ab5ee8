//! Parquet: each row one article, read as the JSON object that it stands for.
//!
//! Of a file the footer is in memory, and of the row group in hand a page of each column that is needed. Whatever a file says of its own
//! sizes is checked before memory is taken for it ([`footer`], [`pages`]), and all that it asks for is counted ([`budget`]); values are
//! decoded by the `parquet` crate ([`cells`]), whose panics on damaged pages are caught.

mod budget;
mod cells;
mod footer;
mod pages;
#[cfg(test)]
mod tests;
mod thrift;

use std::error::Error as _;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parquet::errors::ParquetError;

use self::budget::Budget;
use self::cells::{Cells, Kind};
use self::footer::{Column, Footer, Group};
use self::pages::Pages;
use super::open::{Articles, Container};
use super::{failure, fields, malformed, too_large, unreadable};
use crate::article::Raw;
use crate::error::ArticleError;

/// The articles of the rows of `file`; `position` counts its bytes.
pub(super) fn open(file: File, container: Container, position: Arc<AtomicU64>) -> Articles {
    let wanted = |column: &Column| {
        container.fields.reads(&column.name)
            || (container.passthrough && column.kind != Kind::Bytes)
    };
    let read = Footer::read(&file, wanted).and_then(|footer| {
        let names = || footer.names.iter().map(String::as_str);
        match container.fields.has_text(names()) {
            true => Ok((file.metadata().map_err(unreadable)?.len(), footer)),
            false => Err(container.fields.no_text(names())),
        }
    });
    match read {
        // What is passed over is no article.
        Ok((size, footer)) => {
            Box::new(Rows::new(file, size, footer, container, position).flatten())
        }
        Err(error) => Box::new(container.broken(container.id.clone(), error).into_iter()),
    }
}

/// The rows of a file.
struct Rows {
    file: Arc<File>,
    container: Container,
    columns: Vec<Column>,
    /// Row groups to come, the next one last.
    groups: Vec<Group>,
    cells: Vec<Cells>,
    budget: Arc<Budget>,
    /// Rows of this group that were not read yet.
    left: u64,
    /// Rows read.
    row: u64,
    /// Bytes of the file, and those of them that its rows so far stand for.
    size: u64,
    all: u64,
    counted: u64,
    position: Arc<AtomicU64>,
    json: String,
    done: bool,
}

/// Why no row can be read any more.
enum Stop {
    End,
    Broken(ArticleError),
}

impl Rows {
    fn new(
        file: File,
        size: u64,
        mut footer: Footer,
        container: Container,
        position: Arc<AtomicU64>,
    ) -> Self {
        footer.groups.reverse();
        let rows = footer.groups.iter().map(|group| group.rows);
        Self {
            file: Arc::new(file),
            all: rows.fold(0, u64::saturating_add),
            budget: Arc::new(Budget::new(size, container.max_bytes)),
            container,
            columns: footer.columns,
            groups: footer.groups,
            cells: Vec::new(),
            left: 0,
            row: 0,
            size,
            counted: 0,
            position,
            json: String::new(),
            done: false,
        }
    }

    /// Goes to the next row group that has rows.
    fn next_group(&mut self) -> Result<(), Stop> {
        while self.left == 0 {
            let group = self.groups.pop().ok_or(Stop::End)?;
            self.left = group.rows;
            // The old pages go first.
            self.cells.clear();
            let chunks = self.columns.iter().zip(group.chunks);
            let cells = chunks.map(|(column, chunk)| {
                let optional = column.descriptor.max_def_level() > 0;
                let pages = Pages::new(self.file.clone(), chunk, optional, self.budget.clone());
                Cells::new(column, pages, self.container.max_bytes)
            });
            self.cells = cells.collect();
        }
        Ok(())
    }

    /// Reads the next row into `json`. An error is that of its values: the rows after it can be read.
    fn read_row(&mut self) -> Result<Result<(), ArticleError>, Stop> {
        self.next_group()?;
        self.left -= 1;
        self.row += 1;
        self.json.clear();
        self.json.shrink_to(KEPT);
        self.json.push('{');
        let (mut wrong, mut looked_at) = (Ok(()), 0);
        let most = self.container.max_bytes;
        for (column, cells) in self.columns.iter().zip(&mut self.cells) {
            if self.json.len() > 1 {
                self.json.push(',');
            }
            self.json.push_str(&column.key);
            let start = self.json.len();
            match cells.next(&mut self.json).map_err(stop)? {
                Some(read) => {
                    looked_at += read.length;
                    // At once: each column may have as much.
                    let too_long = self.json.len() as u64 > most;
                    let too_long = too_long.then(|| too_large("the row", most));
                    if let Some(error) = read.wrong.or(too_long) {
                        self.json.truncate(start);
                        self.json.push_str("null");
                        wrong = wrong.and(Err(error));
                    }
                }
                None => {
                    return Err(Stop::Broken(damaged(
                        "a row group ends before its last row",
                    )));
                }
            }
        }
        self.json.push('}');
        let used = looked_at.max(self.json.len() as u64);
        self.budget.spend(used).map_err(Stop::Broken)?;
        Ok(wrong)
    }

    /// The next row's article; none for the end and for a row of another shard.
    fn next_row(&mut self) -> Option<Raw> {
        // The decoder has asserts for what it finds in damaged pages; after one it is not asked again.
        let read = catch_unwind(AssertUnwindSafe(|| self.read_row()));
        self.count();
        let place = self.container.place(self.row);
        match read.unwrap_or_else(|_| Err(Stop::Broken(damaged("a page")))) {
            Ok(wrong) => self
                .container
                .takes(self.json.as_bytes())
                .then(|| self.article(place, wrong)),
            Err(Stop::End) => {
                self.done = true;
                None
            }
            Err(Stop::Broken(error)) => {
                self.done = true;
                self.container.broken(place, error)
            }
        }
    }

    fn article(&self, place: String, wrong: Result<(), ArticleError>) -> Raw {
        let fields = &self.container.fields;
        let record = wrong.and_then(|()| {
            fields::of_json(&self.json).map_err(|e| malformed(format!("row {}: {e}", self.row)))
        });
        match record {
            Ok(record) => fields.article(record, place, self.container.passthrough),
            Err(error) => failure(place, error),
        }
    }

    /// Counts the part of the file that the rows so far stand for: the columns that are read may be a small part of it.
    fn count(&mut self) {
        let share = u128::from(self.size) * u128::from(self.row) / u128::from(self.all.max(1));
        let share = u64::try_from(share).unwrap_or(self.size).min(self.size);
        self.position
            .fetch_add(share.saturating_sub(self.counted), Ordering::Relaxed);
        self.counted = self.counted.max(share);
    }
}

/// Bytes of a row's text that the next one inherits.
const KEPT: usize = 1 << 20;

impl Iterator for Rows {
    type Item = Option<Raw>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.done).then(|| self.next_row())
    }
}

/// What our own reading of pages says through the decoder, or else the decoder.
fn stop(error: ParquetError) -> Stop {
    let own = error.source().and_then(|own| own.downcast_ref());
    Stop::Broken(own.map_or_else(|| damaged("a page"), ArticleError::clone))
}

fn damaged(what: &str) -> ArticleError {
    malformed(format!("the Parquet file is damaged: {what}"))
}
