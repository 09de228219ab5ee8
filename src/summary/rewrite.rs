//! Extracted sentences said shorter: a [`Rewriter`] writes, [`check`](super::check) judges, and a sentence of which what was written does not
//! pass stays as it stands in the article.
//!
//! One sentence at a time: a rewriter that sees two mixes who did what, and may drop the one that denies the other.

use super::check::{Flaw, FlawKind, check, support};
use super::{Made, Sentence, Summary};
use crate::error::Result;
use crate::model::Rewriter;

/// Rewrites what can be; a sentence depends on itself alone.
///
/// # Errors
/// As [`Rewriter::rewrite`].
pub fn rewrite(summaries: &mut [&mut Summary], rewriter: &Rewriter) -> Result<()> {
    let sentences = summaries.iter_mut().flat_map(|s| &mut s.sentences);
    let mut sentences: Vec<&mut Sentence> = sentences.collect();
    let texts: Vec<&str> = sentences.iter().map(|s| &s.text[..]).collect();
    let written = rewriter.rewrite(&texts)?;
    for (sentence, written) in sentences.iter_mut().zip(written) {
        sentence.take(written.as_deref());
    }
    Ok(())
}

impl Sentence {
    /// Takes what was written for it, if that passes and is shorter; else notes why not.
    fn take(&mut self, written: Option<&str>) {
        match written.map_or_else(
            || form("it does not end"),
            |written| passed(written, &self.text),
        ) {
            Err(flaw) => self.refused = Some(flaw),
            Ok(written) if words(written) < words(&self.text) => {
                self.made = Made::Rewritten {
                    support: support(written, &[&self.text]),
                };
                self.text = written.to_owned();
            }
            // Nothing could be left out.
            Ok(_) => {}
        }
    }
}

/// `written`, if it is a sentence that says only what `source` says.
fn passed<'a>(written: &'a str, source: &str) -> std::result::Result<&'a str, Flaw> {
    if written.is_empty() {
        return form("nothing was written");
    }
    check(written, source).map(|()| written)
}

fn form<T>(words: &str) -> std::result::Result<T, Flaw> {
    let (kind, words) = (FlawKind::Form, words.to_owned());
    Err(Flaw { kind, words })
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

#[cfg(test)]
mod tests;
