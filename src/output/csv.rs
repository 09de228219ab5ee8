//! One row a record, for spreadsheets: RFC 4180 quoting, and no cell that a spreadsheet would run as a formula.
//!
//! A text cell that starts with `=`, `+`, `-`, `@`, a tab or a carriage return gets an apostrophe in front (OWASP's rule); one that
//! starts with an apostrophe gets another, so that taking one away always gives the text back.

use std::borrow::Cow;
use std::io::{self, Write};

use super::{Outcome, Record, Sink};
use crate::stance::Stance;

/// Columns of a row; the last three are the error's and the input record's other fields.
const COLUMNS: usize = 19;

/// Writes CSV.
pub struct Csv<W: Write> {
    rows: ::csv::Writer<W>,
    begun: bool,
}

impl<W: Write> Csv<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            rows: ::csv::Writer::from_writer(out),
            begun: false,
        }
    }

    fn header(&mut self) -> io::Result<()> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        let scores = Stance::ALL.map(|s| format!("score_{}", s.name()));
        let names = [
            "id", "title", "date", "language", "claim", "stance", "label",
        ]
        .into_iter();
        let names = names.chain(scores.iter().map(String::as_str));
        let last = [
            "evidence",
            "evidence_score",
            "summary",
            "model",
            "tokens",
            "error_kind",
            "error_message",
            "fields",
        ];
        self.rows.write_record(names.chain(last)).map_err(io_error)
    }
}

impl<W: Write> Sink for Csv<W> {
    fn write(&mut self, record: &Record) -> io::Result<()> {
        self.header()?;
        let mut cells = vec![text(&record.id)];
        match &record.outcome {
            Outcome::Answer(answer) => {
                cells.push(text(answer.title.as_deref().unwrap_or_default()));
                cells.push(text(answer.date.as_deref().unwrap_or_default()));
                cells.push(text(answer.language.as_deref().unwrap_or_default()));
                cells.push(text(&answer.claim));
                cells.push(text(answer.stance.name()));
                cells.push(text(&answer.label));
                cells.extend(answer.scores.0.iter().map(|(_, p)| p.to_string().into()));
                let best = answer.evidence.first();
                cells.push(text(best.map_or("", |e| &e.text)));
                cells.push(
                    best.map_or_else(String::new, |e| e.score.to_string())
                        .into(),
                );
                let summary = answer.summary.as_ref();
                cells.push(text(summary.map_or("", |s| &s.text)));
                cells.push(text(&answer.model));
                cells.push(answer.tokens.to_string().into());
                cells.extend(["".into(), "".into()]);
            }
            Outcome::Error { error } => {
                cells.resize(COLUMNS - 3, "".into());
                cells.push(error.kind.to_string().into());
                cells.push(text(&error.message));
            }
        }
        cells.push(text(record.fields.as_ref().map_or("", |f| f.0.as_str())));
        self.rows
            .write_record(cells.iter().map(|c| c.as_bytes()))
            .map_err(io_error)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.header()?;
        self.rows.flush()
    }
}

/// The writer's own error, whose kind (a closed pipe, say) the csv crate's conversion would hide.
fn io_error(error: ::csv::Error) -> io::Error {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn text(cell: &str) -> Cow<'_, str> {
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\'') => format!("'{cell}").into(),
        _ => cell.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::error::{ArticleError, ArticleErrorKind};

    #[test]
    fn no_cell_is_a_formula_and_an_error_has_its_columns() {
        let mut csv = Csv::new(Vec::new());
        let error = ArticleError::new(ArticleErrorKind::Empty, "=1+1");
        csv.write(&Record::error("=HYPERLINK(\"x\")".to_owned(), error))
            .unwrap();
        csv.flush().unwrap();
        let text = String::from_utf8(csv.rows.into_inner().unwrap()).unwrap();
        let mut rows = ::csv::Reader::from_reader(text.as_bytes());
        let names = rows.headers().unwrap().clone();
        let row = rows.records().next().unwrap().unwrap();
        let cell = |name: &str| &row[names.iter().position(|n| n == name).unwrap()];
        assert_eq!(cell("id"), "'=HYPERLINK(\"x\")");
        assert_eq!(cell("error_kind"), "empty");
        assert_eq!(cell("error_message"), "'=1+1");
    }
}
