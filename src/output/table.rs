//! For people: a label, its probability and the title on one line, the deciding sentence or the summary below, fitted to the width.
//!
//! What an article contains cannot steer the terminal: control, escape and bidirectional characters are made harmless.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::{Answer, Labels, Outcome, Record, Sink};
use crate::stance::Stance;

/// Lines that a deciding sentence may take.
const SENTENCE_LINES: usize = 3;

/// Writes rows as they come.
pub struct Table<W> {
    out: W,
    width: usize,
    label_width: usize,
    usual_claim: Option<String>,
    colour: bool,
}

impl<W: Write> Table<W> {
    /// Rows for `out`, `width` columns wide; `usual_claim` is not repeated in each row,
    /// any other claim is shown; `colour` colours the labels.
    pub fn new(
        out: W,
        width: usize,
        labels: &Labels,
        usual_claim: Option<String>,
        colour: bool,
    ) -> Self {
        let widths = Stance::ALL.map(|s| labels.name(s).width());
        Self {
            out,
            width: width.max(40),
            label_width: widths.into_iter().max().unwrap_or(0).min(24),
            usual_claim,
            colour,
        }
    }

    /// `style`, or none where no colour is wanted.
    fn dress(&self, style: Style) -> Style {
        if self.colour { style } else { Style::new() }
    }

    fn answer(&mut self, id: &str, answer: &Answer) -> io::Result<()> {
        let (score, dim) = (
            answer.scores.0[answer.stance as usize].1,
            self.dress(Style::new().dimmed()),
        );
        let label = fit(&plain(&answer.label), self.label_width);
        let colour = self.dress(style(answer.stance));
        let indent = self.label_width + 8;
        let room = self.width - indent;
        let title = answer.title.as_deref().unwrap_or(id);
        writeln!(
            self.out,
            "{colour}{label}{}{colour:#}  {:>3.0}%  {}",
            " ".repeat(self.label_width.saturating_sub(label.width())),
            score * 100.0,
            fit(&plain(title), room),
        )?;
        let margin = " ".repeat(indent);
        if answer.title.is_some() {
            writeln!(self.out, "{margin}{dim}{}{dim:#}", fit(&plain(id), room))?;
        }
        if self.usual_claim.as_ref() != Some(&answer.claim) {
            writeln!(
                self.out,
                "{margin}{dim}{}{dim:#}",
                fit(&plain(&answer.claim), room)
            )?;
        }
        // A summary says more than one sentence, and is short by itself.
        let summary = answer.summary.as_ref().map(|s| (&s.text, usize::MAX));
        let evidence = answer.evidence.first();
        let evidence = evidence.map(|e| (&e.text, SENTENCE_LINES));
        if let Some((text, most)) = summary.or(evidence) {
            let text = plain(text);
            let lines = textwrap::wrap(&text, room - 2);
            for (i, line) in lines.iter().take(most).enumerate() {
                let more = i + 1 == most && lines.len() > most;
                let line = if more {
                    fit(&format!("{line} …"), room - 2)
                } else {
                    line.to_string()
                };
                writeln!(
                    self.out,
                    "{margin}{} {line}",
                    if i == 0 { '›' } else { ' ' }
                )?;
            }
        }
        Ok(())
    }
}

impl<W: Write> Sink for Table<W> {
    fn write(&mut self, record: &Record) -> io::Result<()> {
        match &record.outcome {
            Outcome::Answer(answer) => self.answer(&record.id, answer),
            Outcome::Error { error } => {
                let red = self.dress(AnsiColor::Red.on_default().bold());
                let text = format!("{}: {}", plain(&record.id), plain(&error.message));
                let pad = " ".repeat(self.label_width.saturating_sub(5) + 8);
                let room = self.width.saturating_sub(5 + pad.len());
                writeln!(self.out, "{red}error{red:#}{pad}{}", fit(&text, room))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn style(stance: Stance) -> Style {
    match stance {
        Stance::Supports => AnsiColor::Green.on_default().bold(),
        Stance::Refutes => AnsiColor::Red.on_default().bold(),
        Stance::Discusses => AnsiColor::Yellow.on_default().bold(),
        Stance::Unrelated => Style::new().dimmed(),
    }
}

/// `text` on one line, with whatever could steer a terminal replaced by `\u{FFFD}`.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.push(tame(c)),
        }
    }
    out.trim().to_owned()
}

/// `c`, or `\u{FFFD}` for what is not seen but steers what is: control characters; marks, embeddings, overrides and isolates of direction;
/// zero-width and other invisible formatting.
pub(super) fn tame(c: char) -> char {
    match c {
        '\u{061C}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{FEFF}' => '\u{FFFD}',
        c if c.is_control() => '\u{FFFD}',
        c => c,
    }
}

/// `text` cut to `width` columns, with an ellipsis when something is missing.
fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    // A prefix's width is measured whole: some letters join with the next.
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if kept.width() + 1 > width {
            kept.pop();
            break;
        }
    }
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::error::{ArticleError, ArticleErrorKind};
    use crate::output::Source;
    use crate::stance::{Evidence, Verdict};

    #[test]
    fn rows_fit_the_width() {
        let text = "Envoys of Arvenia and Tolmere will begin two days of talks on the waters of the River Sool on Thursday.";
        let verdict = |stance| Verdict {
            stance,
            scores: [0.9312, 0.0412, 0.0221, 0.0055],
            evidence: vec![Evidence {
                text: text.to_owned(),
                start: 0,
                end: text.len(),
                score: 0.9,
            }],
            salience: Vec::new(),
            tokens: 30,
            windows: 1,
            truncated: false,
            abstained: false,
        };
        let article = Source {
            id: "wire/river.txt".to_owned(),
            title: Some("Arvenia and Tolmere open river talks on Thursday".to_owned()),
            date: None,
            language: Some("en"),
        };
        let labels = Labels::default();
        let mut out = Vec::new();
        let mut table = Table::new(
            &mut out,
            60,
            &labels,
            Some("Talks are imminent.".to_owned()),
            false,
        );
        let record = |claim: &str| {
            let claim = claim.to_owned();
            Record::answer(
                article.clone(),
                claim,
                verdict(Stance::Supports),
                &labels,
                "m@1".to_owned(),
            )
        };
        table.write(&record("Talks are imminent.")).unwrap();
        table.write(&record("A treaty was signed.")).unwrap();
        let error = ArticleError::new(ArticleErrorKind::Empty, "no article text found");
        table
            .write(&Record::error("wire/blank.txt".to_owned(), error))
            .unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        imminent       93%  Arvenia and Tolmere open river talks on…
                            wire/river.txt
                            › Envoys of Arvenia and Tolmere will
                              begin two days of talks on the waters
                              of the River Sool on Thursday.
        imminent       93%  Arvenia and Tolmere open river talks on…
                            wire/river.txt
                            A treaty was signed.
                            › Envoys of Arvenia and Tolmere will
                              begin two days of talks on the waters
                              of the River Sool on Thursday.
        error               wire/blank.txt: no article text found
        ");
    }

    #[test]
    fn an_article_cannot_steer_the_terminal() {
        let hostile = "a\u{1b}[31mred\u{7}\u{202e}txt\u{85}\r\n\tb\u{9b}2J";
        let shown = plain(hostile);
        assert_eq!(shown, "a\u{FFFD}[31mred\u{FFFD}\u{FFFD}txt b\u{FFFD}2J");
    }

    #[test]
    fn wide_letters_are_cut_by_columns() {
        assert_eq!(fit("会談は近い", 6), "会談…");
        assert_eq!(fit("short", 6), "short");
    }
}
