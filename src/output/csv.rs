//! One row a record, for spreadsheets: RFC 4180 quoting, and no cell that a spreadsheet would run as a formula.
//!
//! Where a cell begins, an apostrophe is put before `=`, `+`, `-`, `@` (OWASP's rule) and before an apostrophe, so that taking one away there
//! always gives the text back. A spreadsheet may split at other characters than we do (in half of Europe at `;`) and then ignores our quotes:
//! so within a text a cell may begin after each `;`, tab and line break as well, and spaces and quotation marks before it do not count.

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
    let (mut safe, mut copied, mut begins) = (String::new(), 0, true);
    for (at, c) in cell.char_indices() {
        // The wide ones are those of Chinese and Japanese keyboards.
        let runs = matches!(c, '=' | '+' | '-' | '@' | '\'' | '＝' | '＋' | '－' | '＠');
        if begins && runs {
            safe.push_str(cell.get(copied..at).unwrap_or_default());
            safe.push('\'');
            copied = at;
        }
        begins = match c {
            ';' | '\t' | '\r' | '\n' => true,
            ' ' | '"' => begins,
            _ => false,
        };
    }
    if copied == 0 && safe.is_empty() {
        return cell.into();
    }
    safe.push_str(cell.get(copied..).unwrap_or_default());
    safe.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::error::{ArticleError, ArticleErrorKind};

    /// What a reader does who wants the text: takes away the apostrophe with which a cell begins.
    fn back(cell: &str) -> String {
        let (mut text, mut begins) = (String::new(), true);
        for c in cell.chars() {
            let put_there = begins && c == '\'';
            begins = !put_there
                && (matches!(c, ';' | '\t' | '\r' | '\n') || begins && matches!(c, ' ' | '"'));
            if !put_there {
                text.push(c);
            }
        }
        text
    }

    /// The cells of a line however it is split: at our commas with our quotes, or at other characters without.
    fn cells(line: &str) -> Vec<String> {
        let rows = ::csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(line.as_bytes())
            .into_records();
        let ours = rows.flat_map(|row| row.unwrap().iter().map(String::from).collect::<Vec<_>>());
        let lines = line.split(['\n', '\r']);
        let others = lines.flat_map(|line| line.split([';', '\t']).map(String::from));
        ours.chain(others).collect()
    }

    proptest! {
        #[test]
        fn no_spreadsheet_runs_a_text_and_no_text_is_lost(article in "[=+@a'\"; \t\r\n,＝-]{0,12}") {
            let mut rows = ::csv::Writer::from_writer(Vec::new());
            rows.write_record([b"id", text(&article).as_bytes(), b"end"]).unwrap();
            let line = String::from_utf8(rows.into_inner().unwrap()).unwrap();
            for cell in cells(&line) {
                let seen = cell.trim_start_matches([' ', '"', '\t', '\r', '\n']);
                prop_assert!(!seen.starts_with(['=', '+', '-', '@', '＝']), "{line:?}: {cell:?}");
            }
            let mut rows = ::csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
            let row = rows.records().next().unwrap().unwrap();
            prop_assert_eq!(back(&row[1]), article);
        }
    }

    #[test]
    fn most_texts_stay_as_they_are() {
        for usual in [
            "",
            "Talks – or not? – resume; Monday, 9 a.m.",
            "a=b; c-d",
            "10 - 2",
            "the envoy's \"no\"",
        ] {
            assert_eq!(text(usual), usual);
        }
        for (article, safe) in [
            ("=1+1", "'=1+1"),
            ("'tis", "''tis"),
            (" \"=1", " \"'=1"),
            ("Talks;=HYPERLINK(\"x\")", "Talks;'=HYPERLINK(\"x\")"),
            ("One\n- two", "One\n'- two"),
        ] {
            assert_eq!(text(article), safe);
        }
    }

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
