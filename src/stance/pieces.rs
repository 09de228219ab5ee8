//! An article in pieces, for a model that reads each input by itself and has nothing to say of the sentences in it.
//!
//! ```text
//! sentence sentence sentence …  ⊕ claim     a window: as many whole sentences as fit, the title first
//! sentence                      ⊕ claim     each sentence of it, the title too, again alone: what evidence is taken from
//! ```
//!
//! So every token of the article is read twice, and the claim once for each piece: what an article costs grows with its length, and
//! no faster. A model that has to be asked the denial reads twice as much; a window that is one sentence is asked about once; a decoder
//! reads windows only. A sentence longer than a window's room is cut into pieces.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Claim, Pair, Sentence, Tokens};
use crate::model::{Model, Window};

/// Text that is read together.
#[derive(Default)]
struct Piece<'a> {
    ids: Vec<u32>,
    /// The claim's words that it has.
    shared: BTreeSet<&'a String>,
}

/// An article and claim whose windows are being laid out.
struct Laying<'a> {
    claim: &'a Claim,
    model: &'a Model,
    text_first: bool,
    alone: bool,
    room: usize,
    pair: Pair,
}

impl Tokens {
    /// Lays the article out for `claim`; `text_first` says which of the two comes first, `alone` whether each sentence is asked about by
    /// itself as well.
    pub(super) fn in_pieces(
        &self,
        claim: &Claim,
        model: &Model,
        text_first: bool,
        alone: bool,
    ) -> Pair {
        let room = claim.room(model);
        let pair = Pair {
            windows: Vec::new(),
            spans: Vec::new(),
        };
        let mut laying = Laying {
            claim,
            model,
            text_first,
            alone,
            room,
            pair,
        };
        let mut window = Piece::default();
        let mut ended = Vec::new();
        let title = self.title.iter().filter(|_| self.title_fits);
        for sentence in title.chain(&self.body) {
            let within = sentence.within.as_ref().unwrap_or(&sentence.ids);
            if !window.ids.is_empty() && window.ids.len() + within.len() > room {
                laying.window(std::mem::take(&mut window), std::mem::take(&mut ended));
            }
            let ids = match window.ids.is_empty() {
                true => &sentence.ids,
                false => within,
            };
            for part in ids.chunks(room) {
                if window.ids.len() + part.len() > room {
                    laying.window(std::mem::take(&mut window), std::mem::take(&mut ended));
                }
                window.ids.extend(part);
                window.shared.extend(claim.shared(sentence));
            }
            ended.push(sentence);
        }
        laying.window(window, ended);
        laying.pair
    }
}

impl Laying<'_> {
    /// Asks about a window, and about each of the sentences that end in it if they are asked about alone.
    fn window(&mut self, window: Piece, ended: Vec<&Sentence>) {
        if !self.alone {
            return self.ask(&window, true, None);
        }
        if let [only] = ended[..]
            && only.ids == window.ids
        {
            return self.ask(&window, true, Some(only));
        }
        self.ask(&window, true, None);
        for sentence in ended {
            for part in sentence.ids.chunks(self.room) {
                let piece = Piece {
                    ids: part.to_vec(),
                    shared: self.claim.shared(sentence).collect(),
                };
                self.ask(&piece, false, Some(sentence));
            }
        }
    }

    /// Asks about a piece: a window of the `article`, a `sentence` or a part of it, or both at once.
    fn ask(&mut self, piece: &Piece, article: bool, sentence: Option<&Sentence>) {
        let marks = &self.model.tokenizer().pair;
        for (question, claim) in self.claim.questions().enumerate() {
            let (a, b) = match self.text_first {
                true => (&piece.ids, claim),
                false => (claim, &piece.ids),
            };
            let ids = [&marks.open[..], a, &marks.between, b, &marks.close].concat();
            let second = marks.open.len() + a.len() + marks.between.len();
            let text: Range<usize> = match self.text_first {
                true => marks.open.len()..marks.open.len() + a.len(),
                false => second..second + b.len(),
            };
            // A piece counts once, whatever is asked about it.
            let first = question == 0;
            self.pair.windows.push(Window {
                first: if marks.two_kinds { second } else { ids.len() },
                ids,
                spans: sentence
                    .filter(|_| first)
                    .map(|_| text)
                    .into_iter()
                    .collect(),
                article: article && first,
                relevance: relevance(&self.claim.stems, piece.shared.len()),
            });
        }
        self.pair
            .spans
            .extend(sentence.map(|sentence| sentence.at.clone()));
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

    /// Its words that `sentence` has too.
    fn shared<'a>(&'a self, sentence: &'a Sentence) -> impl Iterator<Item = &'a String> {
        self.stems.intersection(&sentence.stems)
    }
}

/// Share of the claim's words that a text has, which are so many; of a claim that has none of its own, all.
fn relevance(claim: &BTreeSet<String>, shared: usize) -> f32 {
    match claim.len() {
        0 => 1.0,
        all => shared as f32 / all as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::stems;

    #[test]
    fn a_text_is_about_a_claim_as_far_as_it_has_its_words() {
        let relevance = |claim, text| {
            let claim = stems(claim);
            relevance(&claim, claim.intersection(&stems(text)).count())
        };
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
