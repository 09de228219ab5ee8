//! The measures, as sums over items.
//!
//! Everything comes from a [`Tally`], and tallies add up: that of a set is the sum of those of its articles, which is what makes
//! thousands of resamples cheap.

use std::ops::AddAssign;

use serde::Serialize;

use super::evidence::{self, Hits};
use crate::stance::Stance;

/// Bins of the calibration error.
pub const BINS: usize = 10;
/// A probability of zero counts as this one in the log loss, about the least difference of two `f32` below 1.
const LEAST_PROBABILITY: f64 = 1e-7;

/// An answer beside the truth.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What readers say.
    pub gold: Stance,
    /// What the model says.
    pub said: Stance,
    /// Its probabilities, in the order of [`Stance::ALL`].
    pub scores: [f64; 4],
    /// How its sentences fare, where readers marked some.
    pub evidence: Option<Hits>,
}

/// Precision, recall and F1 of one stance; each 0 when there is nothing below the line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Class {
    /// The stance.
    pub stance: Stance,
    /// Items of this stance.
    pub gold: usize,
    /// Items said to be.
    pub said: usize,
    /// Share of those said to be that are.
    pub precision: f64,
    /// Share of those that are that were said to be.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
}

/// Items whose best score lies in one bin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Bin {
    /// How many.
    pub items: usize,
    /// Sum of their best scores.
    #[serde(skip)]
    pub scores: f64,
    /// How many of the best scores stand for the truth.
    pub right: usize,
}

impl Bin {
    /// Mean best score.
    pub fn confidence(&self) -> f64 {
        self.scores / self.items as f64
    }

    /// Share that is right.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.items as f64
    }
}

/// Sums over items. Shares of no items are not numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Counts by gold stance (row) and said stance (column), in the order of [`Stance::ALL`].
    pub confusion: [[usize; 4]; 4],
    /// By best score: the first up to 0.1, the next up to 0.2, …
    pub bins: [Bin; BINS],
    /// Sentences.
    pub evidence: evidence::Tally,
    surprise: f64,
    squares: f64,
}

impl AddAssign<&Tally> for Tally {
    fn add_assign(&mut self, other: &Tally) {
        let counts = self.confusion.iter_mut().flatten();
        for (count, more) in counts.zip(other.confusion.iter().flatten()) {
            *count += more;
        }
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin.items += more.items;
            bin.scores += more.scores;
            bin.right += more.right;
        }
        self.evidence += &other.evidence;
        self.surprise += other.surprise;
        self.squares += other.squares;
    }
}

impl<'a> FromIterator<&'a Item> for Tally {
    fn from_iter<I: IntoIterator<Item = &'a Item>>(items: I) -> Self {
        let mut tally = Self::default();
        items.into_iter().for_each(|item| tally.add(item));
        tally
    }
}

impl Tally {
    /// Counts one item.
    pub fn add(&mut self, item: &Item) {
        self.confusion[item.gold as usize][item.said as usize] += 1;
        let probability = item.scores[item.gold as usize];
        self.surprise -= probability.max(LEAST_PROBABILITY).ln();
        for (stance, p) in Stance::ALL.into_iter().zip(item.scores) {
            let truth = f64::from(u8::from(stance == item.gold));
            self.squares += (p - truth).powi(2);
        }
        // The best score's own stance: an abstention changes what is said, not what the scores say.
        let (best, score) = best(&item.scores);
        let bin = &mut self.bins[bin(score)];
        bin.items += 1;
        bin.scores += score;
        bin.right += usize::from(best == item.gold);
        if let Some(hits) = &item.evidence {
            self.evidence.add(hits);
        }
    }

    /// How many items.
    pub fn items(&self) -> usize {
        self.confusion.iter().flatten().sum()
    }

    /// Share of items that are right.
    pub fn accuracy(&self) -> f64 {
        let right: usize = (0..4).map(|i| self.confusion[i][i]).sum();
        right as f64 / self.items() as f64
    }

    /// The figures of one stance.
    pub fn class(&self, stance: Stance) -> Class {
        let at = stance as usize;
        let gold: usize = self.confusion[at].iter().sum();
        let said: usize = self.confusion.iter().map(|row| row[at]).sum();
        let right = self.confusion[at][at] as f64;
        let share = |of: usize| if of == 0 { 0.0 } else { right / of as f64 };
        Class {
            stance,
            gold,
            said,
            precision: share(said),
            recall: share(gold),
            // 2PR / (P + R), without its division by zero when nothing is right.
            f1: match gold + said {
                0 => 0.0,
                both => 2.0 * right / both as f64,
            },
        }
    }

    /// Mean F1 of the stances that occur, as gold or as an answer: a stance that nobody speaks of is no failure.
    pub fn macro_f1(&self) -> f64 {
        let classes = Stance::ALL.map(|stance| self.class(stance));
        let there = classes.iter().filter(|c| c.gold + c.said > 0);
        let (sum, count) = there.fold((0.0, 0.0), |(s, n), c| (s + c.f1, n + 1.0));
        sum / count
    }

    /// Mean negative natural logarithm of the true stance's probability; 1.386 for four equal ones.
    pub fn log_loss(&self) -> f64 {
        self.surprise / self.items() as f64
    }

    /// Brier score over all four stances (Brier 1950): mean of Σ (p − truth)², 0 (perfect) to 2.
    pub fn brier(&self) -> f64 {
        self.squares / self.items() as f64
    }

    /// The Brier score of always answering with these items' own shares of the stances.
    pub fn brier_of_shares(&self) -> f64 {
        let items = self.items() as f64;
        let share = |row: &[usize; 4]| row.iter().sum::<usize>() as f64 / items;
        1.0 - self.confusion.iter().map(|r| share(r).powi(2)).sum::<f64>()
    }

    /// 1 − Brier score ÷ that of the shares: 1 is perfect, 0 knows nothing; not a number when all items are of one stance.
    pub fn brier_skill(&self) -> f64 {
        match self.brier_of_shares() {
            nothing if nothing < 1e-12 => f64::NAN,
            shares => 1.0 - self.brier() / shares,
        }
    }

    /// Expected calibration error (Naeini et al. 2015): how far confidence and accuracy are apart, mean over the [`BINS`] bins
    /// of the best score, weighted by their items.
    pub fn calibration_error(&self) -> f64 {
        let gaps = self.bins.iter().filter(|bin| bin.items > 0);
        let gap = |bin: &Bin| (bin.scores - bin.right as f64).abs();
        gaps.map(gap).sum::<f64>() / self.items() as f64
    }
}

/// The stance with the best score; of equals the first, as in a verdict.
fn best(scores: &[f64; 4]) -> (Stance, f64) {
    let mut best = (Stance::Supports, f64::NEG_INFINITY);
    for (stance, score) in Stance::ALL.into_iter().zip(*scores) {
        if score > best.1 {
            best = (stance, score);
        }
    }
    best
}

/// The bin that a score is in: (0, 0.1] is the first.
fn bin(score: f64) -> usize {
    let bin = (score * BINS as f64).ceil() as usize;
    bin.clamp(1, BINS) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use Stance::{Discusses, Refutes, Supports, Unrelated};

    fn item(gold: Stance, said: Stance, scores: [f64; 4]) -> Item {
        Item {
            gold,
            said,
            scores,
            evidence: None,
        }
    }

    /// Four items: two right with 0.7 and 0.9, two wrong with 0.6 and 0.8.
    fn four() -> Vec<Item> {
        vec![
            item(Supports, Supports, [0.7, 0.1, 0.1, 0.1]),
            item(Supports, Refutes, [0.2, 0.6, 0.1, 0.1]),
            item(Refutes, Refutes, [0.0, 0.9, 0.1, 0.0]),
            item(Discusses, Supports, [0.8, 0.0, 0.2, 0.0]),
        ]
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }

    #[test]
    fn accuracy_and_f1_by_hand() {
        let tally: Tally = four().iter().collect();
        assert_eq!(
            tally.confusion,
            [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0; 4]]
        );
        close(tally.accuracy(), 0.5);
        let supports = tally.class(Supports);
        assert_eq!((supports.gold, supports.said), (2, 2));
        close(supports.precision, 0.5);
        close(supports.recall, 0.5);
        close(supports.f1, 0.5);
        let refutes = tally.class(Refutes);
        close(refutes.precision, 0.5);
        close(refutes.recall, 1.0);
        close(refutes.f1, 2.0 / 3.0);
        assert_eq!(tally.class(Discusses).f1, 0.0);
        // Unrelated is neither there nor said: three stances count.
        close(tally.macro_f1(), (0.5 + 2.0 / 3.0) / 3.0);
    }

    #[test]
    fn a_stance_that_is_only_said_counts_as_a_failure() {
        let items = [
            item(Supports, Supports, [1.0, 0.0, 0.0, 0.0]),
            item(Supports, Unrelated, [0.0, 0.0, 0.0, 1.0]),
        ];
        let tally: Tally = items.iter().collect();
        close(tally.macro_f1(), (2.0 / 3.0) / 2.0);
    }

    #[test]
    fn losses_by_hand() {
        let tally: Tally = four().iter().collect();
        let log_loss = -(0.7f64.ln() + 0.2f64.ln() + 0.9f64.ln() + 0.2f64.ln()) / 4.0;
        close(tally.log_loss(), log_loss);
        // (0.09 + 3·0.01) + (0.64 + 0.36 + 2·0.01) + (2·0.01) + (0.64 + 0.64)
        close(tally.brier(), (0.12 + 1.02 + 0.02 + 1.28) / 4.0);
        // Shares ½, ¼, ¼: 1 − (¼ + 1⁄16 + 1⁄16)
        close(tally.brier_of_shares(), 0.625);
        close(tally.brier_skill(), 1.0 - 0.61 / 0.625);
    }

    #[test]
    fn a_probability_of_zero_is_a_great_loss_but_no_infinity() {
        let tally: Tally = [item(Refutes, Supports, [1.0, 0.0, 0.0, 0.0])]
            .iter()
            .collect();
        close(tally.log_loss(), 1e7f64.ln());
        assert!(tally.brier_skill().is_nan());
    }

    #[test]
    fn the_shares_themselves_have_no_skill() {
        let shares = [0.5, 0.25, 0.25, 0.0];
        let golds = [Supports, Supports, Refutes, Discusses];
        let items: Vec<Item> = golds.map(|gold| item(gold, Supports, shares)).to_vec();
        close(items.iter().collect::<Tally>().brier_skill(), 0.0);
    }

    #[test]
    fn calibration_by_hand() {
        let tally: Tally = four().iter().collect();
        // Bins of 0.6, 0.7, 0.8 and 0.9 with one item each: gaps 0.6, 0.3, 0.8, 0.1.
        close(tally.calibration_error(), (0.6 + 0.3 + 0.8 + 0.1) / 4.0);
        let items = [
            item(Supports, Supports, [0.95, 0.05, 0.0, 0.0]),
            item(Refutes, Supports, [0.91, 0.09, 0.0, 0.0]),
        ];
        let tally: Tally = items.iter().collect();
        // One bin: 0.93 beside ½.
        close(tally.calibration_error(), 0.43);
        assert_eq!((tally.bins[9].items, tally.bins[9].right), (2, 1));
        close(tally.bins[9].confidence(), 0.93);
    }

    #[test]
    fn a_bin_ends_with_its_upper_bound() {
        assert_eq!(
            [0.0, 0.1, 0.11, 0.9, 0.901, 1.0].map(bin),
            [0, 0, 1, 8, 9, 9]
        );
    }

    #[test]
    fn an_abstention_changes_the_answer_and_not_the_calibration() {
        let sure = item(Supports, Supports, [0.4, 0.3, 0.2, 0.1]);
        let abstained = Item {
            said: Discusses,
            ..sure.clone()
        };
        let (sure, abstained): (Tally, Tally) =
            ([sure].iter().collect(), [abstained].iter().collect());
        assert_eq!(sure.bins, abstained.bins);
        assert_eq!((sure.accuracy(), abstained.accuracy()), (1.0, 0.0));
    }

    #[test]
    fn tallies_add_up() {
        let items = four();
        let mut parts: Tally = items[..1].iter().collect();
        parts += &items[1..].iter().collect();
        let whole: Tally = items.iter().collect();
        assert_eq!(parts.confusion, whole.confusion);
        close(parts.brier(), whole.brier());
        close(parts.log_loss(), whole.log_loss());
        close(parts.calibration_error(), whole.calibration_error());
    }
}
