//! How near are the summaries to those that readers wrote? Beside them the article's first sentences, and as many of its first words.

use std::ops::AddAssign;

use serde::Serialize;

use super::ask::Answer;
use super::bootstrap::{Estimate, estimates};
use super::clusters;
use super::evidence::Hits;
use super::labelled::Question;
use super::rouge::rouge;
use crate::article::sentences;
use crate::stance::{Stance, Tokens};
use crate::summary::{Made, Summary};

/// One summary beside the reader's.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// ROUGE-1, ROUGE-2 and ROUGE-Lsum of the summary.
    pub ours: [f64; 3],
    /// Those of the body's first two sentences.
    pub lead: [f64; 3],
    /// Those of as many of the body's first words as the summary has.
    pub cut: [f64; 3],
    /// Words of the summary.
    pub words: usize,
    /// Words of the first two sentences.
    pub lead_words: usize,
    /// Sentences of the summary.
    pub sentences: usize,
    /// Whether one of its sentences is among the marked ones; `None` when none is marked.
    pub marked: Option<bool>,
    /// Whether a sentence of it is rewritten.
    pub rewritten: bool,
}

impl Scores {
    /// Compares `summary` with the reader's, and so the first sentences of what was read; `None` when no reader wrote one.
    pub fn new(summary: &Summary, question: &Question, tokens: &Tokens) -> Option<Self> {
        let reference: Vec<&str> = split(question.summary.as_ref()?);
        let ours: Vec<&str> = summary.sentences.iter().map(|s| &s.text[..]).collect();
        let title = usize::from(tokens.title().is_some());
        let body = tokens.sentences().skip(title);
        let body: Vec<&str> = body.map(|at| &tokens.text()[at]).collect();
        let lead = &body[..body.len().min(2)];
        let words = words(&ours);
        // Its last sentence is cut where the words run out.
        let (mut left, mut cut) = (words, Vec::new());
        for sentence in &body {
            let part: Vec<&str> = sentence.split_whitespace().take(left).collect();
            left -= part.len();
            cut.push(part.join(" "));
            if left == 0 {
                break;
            }
        }
        let cut: Vec<&str> = cut.iter().map(String::as_str).collect();
        let marked = !question.evidence.is_empty();
        Some(Self {
            ours: rouge(&ours, &reference),
            lead: rouge(lead, &reference),
            cut: rouge(&cut, &reference),
            words,
            lead_words: self::words(lead),
            sentences: ours.len(),
            rewritten: summary.sentences.iter().any(|s| s.made != Made::Copied),
            marked: marked.then(|| {
                let hits = Hits::new(&question.evidence, ours.iter().copied(), &[]);
                hits.ours.contains(&true)
            }),
        })
    }
}

fn split(text: &str) -> Vec<&str> {
    sentences::split(text)
        .into_iter()
        .map(|at| &text[at])
        .collect()
}

fn words(sentences: &[&str]) -> usize {
    sentences.iter().map(|s| s.split_whitespace().count()).sum()
}

/// The figures of all summaries, with 95% intervals by article.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SummaryFigures {
    /// Summaries beside a reader's; those of articles that are unrelated to the claim are left out, as the reader's then speak of the
    /// claim that the article does not.
    pub items: usize,
    /// F1, 0 to 1, mean over the summaries: ROUGE-1, ROUGE-2, ROUGE-Lsum.
    pub rouge: [Estimate; 3],
    /// Those of the body's first two sentences (Lead-2).
    pub lead: [Estimate; 3],
    /// Those of as many of the body's first words as the summary has.
    pub cut: [Estimate; 3],
    /// How much the summaries have over Lead-2.
    pub over_lead: [Estimate; 3],
    /// How much they have over the first words.
    pub over_cut: [Estimate; 3],
    /// Mean words of a summary.
    pub words: Estimate,
    /// Mean words of Lead-2.
    pub lead_words: Estimate,
    /// Mean sentences of a summary.
    pub sentences: Estimate,
    /// Share of the summaries with marked sentences that hold one.
    pub marked: Estimate,
    /// Share of the summaries with a rewritten sentence.
    pub rewritten: Estimate,
}

impl SummaryFigures {
    /// The figures of `answers`; `None` when there is no summary to compare.
    pub fn new(answers: &[Answer], seed: u64) -> Option<Self> {
        let items = answers.iter().filter(|a| a.gold != Stance::Unrelated);
        let items = items.filter_map(|a| {
            let scores = a.outcome.as_ref().ok()?.summary.as_ref()?;
            Some((a.case, Tally::from(scores)))
        });
        let tallies = clusters(items);
        let mut all = Tally::default();
        tallies.iter().for_each(|tally| all += tally);
        if all.items == 0.0 {
            return None;
        }
        let rouge = |sums: fn(&Tally) -> [f64; 3]| {
            estimates(&tallies, seed, |t| sums(t).map(|sum| sum / t.items))
        };
        let difference = |a: [f64; 3], b: [f64; 3]| std::array::from_fn(|i| a[i] - b[i]);
        let over = |sums: fn(&Tally) -> [f64; 3]| {
            estimates(&tallies, seed, |t| {
                difference(t.ours, sums(t)).map(|sum| sum / t.items)
            })
        };
        let [words, lead_words, sentences, marked, rewritten] = estimates(&tallies, seed, |t| {
            [
                t.words / t.items,
                t.lead_words / t.items,
                t.sentences / t.items,
                t.hits / t.marked,
                t.rewritten / t.items,
            ]
        });
        Some(Self {
            items: all.items as usize,
            rouge: rouge(|t| t.ours),
            lead: rouge(|t| t.lead),
            cut: rouge(|t| t.cut),
            over_lead: over(|t| t.lead),
            over_cut: over(|t| t.cut),
            words,
            lead_words,
            sentences,
            marked,
            rewritten,
        })
    }
}

/// Sums over summaries.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    items: f64,
    ours: [f64; 3],
    lead: [f64; 3],
    cut: [f64; 3],
    words: f64,
    lead_words: f64,
    sentences: f64,
    marked: f64,
    hits: f64,
    rewritten: f64,
}

impl From<&Scores> for Tally {
    fn from(scores: &Scores) -> Self {
        let one = |yes: bool| f64::from(u8::from(yes));
        Self {
            items: 1.0,
            ours: scores.ours,
            lead: scores.lead,
            cut: scores.cut,
            words: scores.words as f64,
            lead_words: scores.lead_words as f64,
            sentences: scores.sentences as f64,
            marked: one(scores.marked.is_some()),
            hits: one(scores.marked == Some(true)),
            rewritten: one(scores.rewritten),
        }
    }
}

impl AddAssign<&Tally> for Tally {
    fn add_assign(&mut self, other: &Tally) {
        let pairs = [
            (&mut self.ours, &other.ours),
            (&mut self.lead, &other.lead),
            (&mut self.cut, &other.cut),
        ];
        for (sums, more) in pairs {
            sums.iter_mut()
                .zip(more)
                .for_each(|(sum, more)| *sum += more);
        }
        self.items += other.items;
        self.words += other.words;
        self.lead_words += other.lead_words;
        self.sentences += other.sentences;
        self.marked += other.marked;
        self.hits += other.hits;
        self.rewritten += other.rewritten;
    }
}
