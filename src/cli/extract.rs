//! `tidings extract`: the text that the model would read.

use std::io::{self, BufWriter, Write};

use serde_json::json;
use tidings::article::read::Reader;
use tidings::article::{Article, CleanOptions};
use tidings::{Error, Result};

use super::args::Extract;
use super::{Outcome, inputs};

/// Runs the command: one article is printed bare, several each under a line with its id.
pub fn run(args: &Extract) -> Result<Outcome> {
    let clean = CleanOptions {
        max_chars: args.input.max_chars,
        languages: Vec::new(),
    };
    let mut articles =
        Reader::new(inputs(&args.paths, "extract")?, args.input.read_options()).peekable();
    let mut out = BufWriter::new(io::stdout().lock());
    let mut outcome = Outcome::Done;
    let mut several = false;
    while let Some(raw) = articles.next() {
        let id = raw.id.clone();
        several |= articles.peek().is_some();
        match raw.clean(&clean) {
            Ok(article) if args.json => as_json(&mut out, &article),
            Ok(article) if several => writeln!(
                out,
                "=== {}\n{}\n",
                tidings::output::plain(&id),
                article.text()
            ),
            Ok(article) => writeln!(out, "{}", article.text()),
            Err(error) => {
                outcome = Outcome::SomeFailed;
                if args.json {
                    writeln!(out, "{}", json!({ "id": id, "error": error }))
                } else {
                    super::say(&format!(
                        "{}: {}",
                        tidings::output::plain(&id),
                        tidings::output::plain(&error.message)
                    ));
                    Ok(())
                }
            }
        }
        .map_err(Error::Output)?;
    }
    out.flush().map_err(Error::Output)?;
    Ok(outcome)
}

fn as_json(out: &mut impl Write, article: &Article) -> io::Result<()> {
    let record = json!({
        "id": article.id,
        "title": article.title,
        "date": article.date,
        "language": article.language,
        "text": article.text(),
    });
    writeln!(out, "{record}")
}
