//! Extracted sentences said shorter: a [`Rewriter`] writes, [`check`](super::check) judges, and what does not pass stays as it stands in
//! the article. A summary is rewritten whole or not at all: a denial in its second sentence belongs to its first.

use super::check::{Flaw, FlawKind, check, support};
use super::{Made, Sentence, Summary};
use crate::article::sentences;
use crate::error::Result;
use crate::model::Rewriter;

/// Rewrites what can be; a summary depends on itself alone.
///
/// # Errors
/// As [`Rewriter::rewrite`].
pub fn rewrite(summaries: &mut [&mut Summary], rewriter: &Rewriter) -> Result<()> {
    let texts: Vec<String> = summaries.iter().map(|summary| summary.text()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let written = rewriter.rewrite(&texts)?;
    for (summary, written) in summaries.iter_mut().zip(written) {
        summary.take(written.as_deref());
    }
    Ok(())
}

impl Summary {
    /// Takes what was written for its sentences, if it passes; else notes why not.
    fn take(&mut self, written: Option<&str>) {
        let sources: Vec<&str> = self.sentences.iter().map(|s| &s.text[..]).collect();
        match written.map_or_else(unfinished, |written| {
            passed(written, &sources, &self.sentences)
        }) {
            Ok(Some(sentences)) => self.sentences = sentences,
            // Nothing could be left out.
            Ok(None) => {}
            Err(flaw) => self.refused = Some(flaw),
        }
    }
}

fn unfinished<T>() -> std::result::Result<T, Flaw> {
    Err(Flaw {
        kind: FlawKind::Form,
        words: "it does not end".to_owned(),
    })
}

/// The sentences of `written`; none when it is no shorter than its sources.
fn passed(
    written: &str,
    sources: &[&str],
    extracted: &[Sentence],
) -> std::result::Result<Option<Vec<Sentence>>, Flaw> {
    let places = sentences::split(written);
    let sentences: Vec<&str> = places.into_iter().map(|at| &written[at]).collect();
    let made_from = check(&sentences, sources)?;
    let words = |texts: &[&str]| -> usize {
        texts
            .iter()
            .map(|text| text.split_whitespace().count())
            .sum()
    };
    if words(&sentences) >= words(sources) {
        return Ok(None);
    }
    let sentence = |(text, from): (&&str, std::collections::BTreeSet<usize>)| {
        // One that was left as it is.
        if let Some(same) = extracted.iter().find(|sentence| sentence.text == **text) {
            return same.clone();
        }
        Sentence {
            text: (*text).to_owned(),
            sources: from
                .iter()
                .flat_map(|i| extracted[*i].sources.clone())
                .collect(),
            made: Made::Rewritten {
                support: support(text, sources),
            },
        }
    };
    Ok(Some(
        sentences.iter().zip(made_from).map(sentence).collect(),
    ))
}
