//! An article in pieces, for a model that reads each input by itself and has nothing to say of the sentences in it.
//!
//! ```text
//! sentence sentence sentence …  ⊕ claim     a window: as many whole sentences as fit, the title first
//! sentence                      ⊕ claim     each sentence, the title too, again alone: what evidence is taken from
//! ```
//!
//! So every token of the article is read twice, and the claim once for each piece: what an article costs grows with its length, and
//! no faster. A model that has to be asked the denial reads twice as much; a decoder reads windows only. A sentence longer than a window's room is cut into pieces.

use std::collections::BTreeSet;

use super::{Claim, Pair, Sentence, Tokens};
use crate::model::{Model, Window};
use crate::words::stems;

/// Text that is read together.
#[derive(Default)]
struct Piece {
    ids: Vec<u32>,
    /// Its words that carry meaning.
    stems: BTreeSet<String>,
}

impl Tokens {
    /// Lays the article out for `claim`; `text_first` says which of the two comes first, `alone` whether sentences are asked about alone
    /// as well.
    pub(super) fn in_pieces(
        &self,
        claim: &Claim,
        model: &Model,
        text_first: bool,
        alone: bool,
    ) -> Pair {
        let marks = &model.tokenizer().pair;
        let claims: Vec<&Vec<u32>> = claim.questions().collect();
        let room = claim.room(model);

        let mut windows = Vec::new();
        let mut ask = |piece: &Piece, sentence: bool| {
            for (question, claim_ids) in claims.iter().enumerate() {
                let (a, b) = match text_first {
                    true => (&piece.ids, *claim_ids),
                    false => (*claim_ids, &piece.ids),
                };
                let ids = [&marks.open[..], a, &marks.between, b, &marks.close].concat();
                let second = marks.open.len() + a.len() + marks.between.len();
                let text = match text_first {
                    true => marks.open.len()..marks.open.len() + a.len(),
                    false => second..second + b.len(),
                };
                windows.push(Window {
                    first: if marks.two_kinds { second } else { ids.len() },
                    ids,
                    // One for a piece, whatever is asked about it.
                    spans: (sentence && question == 0)
                        .then_some(text)
                        .into_iter()
                        .collect(),
                    relevance: relevance(&claim.stems, &piece.stems),
                });
            }
        };

        let title = self.title.iter().filter(|_| self.title_fits);
        let sentences: Vec<(&Sentence, BTreeSet<String>)> = title
            .chain(&self.body)
            .map(|sentence| (sentence, stems(&self.text[sentence.at.clone()])))
            .collect();
        let mut window = Piece::default();
        for (sentence, stems) in &sentences {
            let within = sentence.within.as_ref().unwrap_or(&sentence.ids);
            if !window.ids.is_empty() && window.ids.len() + within.len() > room {
                ask(&std::mem::take(&mut window), false);
            }
            if window.ids.is_empty() && sentence.ids.len() <= room {
                window.ids.extend(&sentence.ids);
                window.stems.extend(stems.iter().cloned());
                continue;
            }
            for part in within.chunks(room) {
                if window.ids.len() + part.len() > room {
                    ask(&std::mem::take(&mut window), false);
                }
                window.ids.extend(part);
                window.stems.extend(stems.iter().cloned());
            }
        }
        if !window.ids.is_empty() {
            ask(&window, false);
        }
        let mut spans = Vec::new();
        for (sentence, stems) in sentences.iter().filter(|_| alone) {
            for part in sentence.ids.chunks(room) {
                let piece = Piece {
                    ids: part.to_vec(),
                    stems: stems.clone(),
                };
                ask(&piece, true);
                spans.push(sentence.at.clone());
            }
        }
        Pair { windows, spans }
    }
}

impl Claim {
    /// What is asked of each piece: the claim, and its denial where the model has to be asked that too.
    fn questions(&self) -> impl Iterator<Item = &Vec<u32>> {
        [&self.ids].into_iter().chain(&self.denial)
    }

    /// Tokens that a piece of text may have beside the longest question.
    pub(super) fn room(&self, model: &Model) -> usize {
        let marks = &model.tokenizer().pair;
        let longest = self.questions().map(Vec::len).max().unwrap_or(0);
        let around = marks.open.len() + marks.between.len() + marks.close.len();
        let window = model.manifest().input.window;
        window.saturating_sub(around + longest)
    }
}

/// Share of the claim's words that `text` has too; of a claim that has none of its own, all.
fn relevance(claim: &BTreeSet<String>, text: &BTreeSet<String>) -> f32 {
    match claim.len() {
        0 => 1.0,
        all => claim.intersection(text).count() as f32 / all as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_about_a_claim_as_far_as_it_has_its_words() {
        let relevance = |claim, text| relevance(&stems(claim), &stems(text));
        let claim = "Talks between Arvenia and Tolmere are imminent.";
        assert_eq!(relevance(claim, "Rain fell on the valley."), 0.0);
        // `and` is none that counts, and `talking` another word than `talks`.
        assert_eq!(
            relevance(claim, "Tolmere and its wool: a talking point"),
            0.25
        );
        assert_eq!(
            relevance(
                claim,
                "TALKS between Tolmere and Arvenia, which seemed imminent, were put off."
            ),
            1.0
        );
        assert_eq!(relevance("It is so.", "Rain fell."), 1.0);
    }
}
