//! Extracted sentences said shorter. What may be left out of a sentence is a short list ([`check`](super::check)); a [`Rewriter`] says which
//! of the ways that it leaves open is the best, the sentence as it stands among them. So nothing can be invented, and nothing has to be
//! refused.
//!
//! One sentence at a time: a rewriter that sees two mixes who did what, and may drop the one that denies the other.

use super::check::{shortenings, support};
use super::{Made, Sentence, Summary};
use crate::error::Result;
use crate::model::Rewriter;

/// Says shorter what can be; a sentence depends on itself alone.
///
/// # Errors
/// As [`Rewriter::choose`].
pub fn rewrite(summaries: &mut [&mut Summary], rewriter: &Rewriter) -> Result<()> {
    let mut sentences = Vec::new();
    let mut candidates = Vec::new();
    for sentence in summaries.iter_mut().flat_map(|s| &mut s.sentences) {
        let shorter = shortenings(&sentence.text);
        // What cannot be said shorter needs no asking.
        if !shorter.is_empty() {
            candidates.push([vec![sentence.text.clone()], shorter].concat());
            sentences.push(sentence);
        }
    }
    let chosen = rewriter.choose(&candidates)?;
    for ((sentence, candidates), chosen) in sentences.into_iter().zip(candidates).zip(chosen) {
        if chosen > 0 {
            sentence.say(&candidates[chosen]);
        }
    }
    Ok(())
}

impl Sentence {
    fn say(&mut self, shorter: &str) {
        self.made = Made::Rewritten {
            support: support(shorter, &[&self.text]),
        };
        self.text = shorter.to_owned();
    }
}
