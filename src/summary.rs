//! A summary: the one to three sentences that answer the claim and tell what happened, each copied from the article; on request said
//! shorter (`rewrite`), by no more than can be left out of a sentence (`check`).
//!
//! Every sentence has a worth: a few features of it, weighted (after Kupiec, Pedersen and Chen 1995, "A Trainable Document
//! Summarizer"), first of all the model's evidence logit. The best are taken, one after the other, together with the neighbours
//! that they cannot stand without (`context`), while the limits allow; none that repeats another. They stand in article order.

pub mod check;
mod context;
mod rewrite;

use std::collections::BTreeSet;
use std::ops::Range;

use crate::stance::{Stance, Tokens, Verdict};
use crate::words::stems;

pub use self::rewrite::rewrite;

use self::context::Needs;

/// How long a summary may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sentences at most.
    pub sentences: usize,
    /// Words at most; the sentence that decides is taken whole, even if it alone has more.
    pub words: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sentences: 3,
            words: 45,
        }
    }
}

/// What an article says, in a few of its own sentences.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// In article order; none when the article has no sentence.
    pub sentences: Vec<Sentence>,
}

/// A sentence of a summary.
#[derive(Debug, Clone, PartialEq)]
pub struct Sentence {
    /// As it is to be read.
    pub text: String,
    /// Code points of [`crate::article::Article::text`] that it is made from.
    pub sources: Vec<Range<usize>>,
    /// How it was made.
    pub made: Made,
}

/// How a sentence of a summary was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Made {
    /// It stands in the article.
    Copied,
    /// A rewriter left out what may be left out.
    Rewritten {
        /// How far it is made of its sources, 0 to 1 (see [`check::support`]).
        support: f32,
    },
}

impl Summary {
    /// The sentences, one after the other.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.sentences.iter().map(|s| &s.text[..]).collect();
        texts.join(" ")
    }
}

/// What makes a sentence worth taking: log-odds for a unit of each feature. Fitted by `benches/summaries/fit.py` to the sentences
/// of 300 articles that share most words with a summary written by a person.
struct Weights {
    /// The model's evidence logit, within ±[`MOST_LOGIT`].
    evidence: f32,
    /// 1 for the first sentence, 1/2 for the second, and so on.
    early: f32,
    /// Share of the title's words in the sentence.
    title: f32,
    /// Share of the claim's words in the sentence.
    claim: f32,
    /// The sentence names a day, a month or a number.
    date: f32,
    bias: f32,
}

/// For the answer to a claim.
const ANSWER: Weights = Weights {
    evidence: 0.34,
    early: 1.31,
    title: 0.60,
    claim: 1.77,
    date: 0.47,
    bias: -1.89,
};
/// For the news, with the evidence of the title asked as a claim.
const HEADLINE: Weights = Weights {
    evidence: 0.29,
    early: 1.89,
    title: 0.91,
    claim: 0.0,
    date: 0.50,
    bias: -1.95,
};
/// For the news, where no evidence is to be had: of an article that is not about the claim, or has no title.
const LEAD: Weights = Weights {
    evidence: 0.0,
    early: 2.13,
    title: 1.94,
    claim: 0.0,
    date: 0.73,
    bias: -2.84,
};

/// A surer logit than this says no more.
const MOST_LOGIT: f32 = 6.0;
/// A further sentence needs this worth; the first has none to wait for.
const LEAST_WORTH: f32 = -1.0;
/// Share of the shorter one's words by which a sentence repeats another.
const REPEATED: f32 = 0.6;

/// What the article says on `claim`, of which the model gave `verdict`; the article's own news when it is about something else.
pub fn answer(tokens: &Tokens, claim: &str, verdict: &Verdict, limits: Limits) -> Summary {
    match verdict.stance {
        Stance::Unrelated => choose(tokens, "", &[], &LEAD, limits),
        _ => choose(tokens, claim, &verdict.salience, &ANSWER, limits),
    }
}

/// The article's own news. `headline` is the verdict on its [`headline`] asked as a claim, if it has one.
pub fn news(tokens: &Tokens, headline: Option<&Verdict>, limits: Limits) -> Summary {
    match headline {
        Some(verdict) => choose(tokens, "", &verdict.salience, &HEADLINE, limits),
        None => choose(tokens, "", &[], &LEAD, limits),
    }
}

/// The title, to be asked as a claim: the sentences that bear it out are the news.
pub fn headline(tokens: &Tokens) -> Option<&str> {
    tokens.title().map(|at| &tokens.text()[at])
}

/// A sentence that may be taken.
struct Candidate {
    /// Byte range in the text, without its dateline.
    at: Range<usize>,
    words: usize,
    /// A question, or an order to the reader, is taken only beside what it belongs to.
    asks: bool,
    needs: Needs,
    worth: f32,
    stems: BTreeSet<String>,
    denies: bool,
}

fn choose(
    tokens: &Tokens,
    claim: &str,
    logits: &[f32],
    weights: &Weights,
    limits: Limits,
) -> Summary {
    let text = tokens.text();
    let title = tokens.title();
    let mut sentences: Vec<(Range<usize>, f32)> = tokens
        .sentences()
        .zip(logits.iter().copied().chain(std::iter::repeat(0.0)))
        .collect();
    if title.is_some() {
        sentences.remove(0);
    }
    // Headings, captions and cut lines are no sentences: only where there is nothing else.
    let whole: Vec<_> = sentences
        .iter()
        .filter(|(at, _)| context::is_whole(&text[at.clone()]))
        .cloned()
        .collect();
    let body = if whole.is_empty() { sentences } else { whole };
    let title_stems = stems(title.clone().map_or("", |at| &text[at]));
    let candidates = candidates(text, &body, &title_stems, &stems(claim), weights);
    let chosen = best(&candidates, limits);
    let places: Vec<Range<usize>> = if chosen.is_empty() {
        // Nothing stands alone: the title does, or else the first sentence must.
        let first = candidates.first().map(|candidate| candidate.at.clone());
        title.or(first).into_iter().collect()
    } else {
        chosen.iter().map(|&i| candidates[i].at.clone()).collect()
    };
    Summary {
        sentences: cite(text, &places),
    }
}

/// The sentences at `places`, in order, with their code points.
fn cite(text: &str, places: &[Range<usize>]) -> Vec<Sentence> {
    let (mut bytes, mut points) = (0, 0);
    let mut upto = |byte: usize| {
        points += text[bytes..byte].chars().count();
        bytes = byte;
        points
    };
    let cite = |at: &Range<usize>| Sentence {
        text: text[at.clone()].to_owned(),
        sources: std::iter::once(upto(at.start)..upto(at.end)).collect(),
        made: Made::Copied,
    };
    places.iter().map(cite).collect()
}

fn candidates(
    text: &str,
    body: &[(Range<usize>, f32)],
    title: &BTreeSet<String>,
    claim: &BTreeSet<String>,
    weights: &Weights,
) -> Vec<Candidate> {
    let mut places: Vec<Range<usize>> = body.iter().map(|(at, _)| at.clone()).collect();
    if let Some(first) = places.first_mut() {
        first.start += context::dateline(&text[first.clone()]);
    }
    let needs = context::needs(text, &places);
    let rows = places.into_iter().zip(needs).zip(body).enumerate();
    rows.map(|(i, ((at, needs), (_, logit)))| {
        let sentence = &text[at.clone()];
        let stems = stems(sentence);
        let share = |of: &BTreeSet<String>| {
            let common = of.intersection(&stems).count();
            common as f32 / of.len().max(1) as f32
        };
        let worth = weights.evidence * logit.clamp(-MOST_LOGIT, MOST_LOGIT)
            + weights.early / (i + 1) as f32
            + weights.title * share(title)
            + weights.claim * share(claim)
            + weights.date * f32::from(u8::from(context::dated(sentence)))
            + weights.bias;
        Candidate {
            words: sentence.split_whitespace().count(),
            asks: context::asks(sentence),
            denies: context::denies(sentence),
            at,
            needs,
            worth,
            stems,
        }
    })
    .collect()
}

/// The sentences to take, in article order; none when no sentence stands alone or with its neighbours.
fn best(candidates: &[Candidate], limits: Limits) -> Vec<usize> {
    let units: Vec<Option<Range<usize>>> = (0..candidates.len())
        .map(|i| match candidates[i].asks {
            true => None,
            false => context::unit(candidates, |c| c.needs, i, limits.sentences),
        })
        .collect();
    let mut chosen = BTreeSet::new();
    loop {
        // What each unit would add, and what that is worth on average.
        let additions = units.iter().enumerate().filter_map(|(i, unit)| {
            let added: Vec<usize> = unit.clone()?.filter(|j| !chosen.contains(j)).collect();
            let words = added.iter().chain(&chosen).map(|&j| candidates[j].words);
            // The sentence that decides is taken whole, however long: a shorter one may say the opposite.
            let short = words.sum::<usize>() <= limits.words;
            let fits = added.len() + chosen.len() <= limits.sentences
                && (short || chosen.is_empty() && added.len() == 1);
            let worth =
                added.iter().map(|&j| candidates[j].worth).sum::<f32>() / added.len() as f32;
            let wanted = chosen.is_empty() || worth >= LEAST_WORTH;
            let fresh = !chosen.contains(&i) && !chosen.iter().any(|&j| repeats(candidates, i, j));
            (fits && wanted && fresh).then_some((worth, added))
        });
        // Of equals the first.
        match additions.rev().max_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((_, added)) => chosen.extend(added),
            None => return chosen.into_iter().collect(),
        }
    }
}

/// Whether one sentence says the other again: most of its words, and a denial is not what it denies.
fn repeats(candidates: &[Candidate], a: usize, b: usize) -> bool {
    let (a, b) = (&candidates[a], &candidates[b]);
    let least = a.stems.len().min(b.stems.len()).max(1);
    let common = a.stems.intersection(&b.stems).count();
    a.denies == b.denies && common as f32 >= REPEATED * least as f32
}

#[cfg(test)]
mod tests;
