//! Are the deciding sentences those that readers marked? Beside it what the first sentences of the article would have got.

use std::ops::AddAssign;

/// A sentence with at least this many words may be part of another and still be the same one.
const ENOUGH_WORDS: usize = 4;

/// Which sentences are among the marked ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hits {
    /// The model's sentences, best first.
    pub ours: Vec<bool>,
    /// The body's first sentences, at most two.
    pub lead: Vec<bool>,
}

impl Hits {
    /// Compares the model's sentences, and the body's first, with the marked ones.
    pub fn new<'a>(
        gold: &[String],
        ours: impl IntoIterator<Item = &'a str>,
        lead: &[String],
    ) -> Self {
        let gold: Vec<Vec<String>> = gold.iter().map(|g| words(g)).collect();
        let is_gold = |sentence: &str| {
            let sentence = words(sentence);
            gold.iter().any(|gold| same(gold, &sentence))
        };
        Self {
            ours: ours.into_iter().map(is_gold).collect(),
            lead: lead.iter().take(2).map(|s| is_gold(s)).collect(),
        }
    }
}

/// The same words, or one inside the other: readers and programs may end a sentence at different places, and cleaning mends
/// spaces and marks.
fn same(a: &[String], b: &[String]) -> bool {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    match short.len() {
        0 => false,
        n if n < ENOUGH_WORDS => a == b,
        n => long.windows(n).any(|part| part == short),
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Sums over items with marked sentences.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Items with marked sentences.
    pub items: usize,
    /// Those for which the model showed a sentence at all: for `unrelated` it shows none.
    pub answered: usize,
    /// Those whose best sentence is marked.
    pub first: usize,
    /// Those with a marked one among the best two.
    pub two: usize,
    /// Sentences shown, at most three an item.
    pub shown: usize,
    /// Those that are marked.
    pub right: usize,
    /// Items whose first sentence is marked.
    pub lead_one: usize,
    /// Items with a marked one among the first two.
    pub lead_two: usize,
    /// First and second sentences.
    pub lead_shown: usize,
    /// Those that are marked.
    pub lead_right: usize,
}

impl Tally {
    /// Counts one item.
    pub fn add(&mut self, hits: &Hits) {
        let count = |list: &[bool]| list.iter().filter(|hit| **hit).count();
        let among = |list: &[bool], n: usize| usize::from(list.iter().take(n).any(|hit| *hit));
        self.items += 1;
        self.answered += usize::from(!hits.ours.is_empty());
        self.first += among(&hits.ours, 1);
        self.two += among(&hits.ours, 2);
        self.shown += hits.ours.len();
        self.right += count(&hits.ours);
        self.lead_one += among(&hits.lead, 1);
        self.lead_two += among(&hits.lead, 2);
        self.lead_shown += hits.lead.len();
        self.lead_right += count(&hits.lead);
    }

    /// Share of the items; not a number without any.
    pub fn share(&self, count: usize) -> f64 {
        count as f64 / self.items as f64
    }

    /// Share of the sentences shown that are marked.
    pub fn precision(&self) -> f64 {
        self.right as f64 / self.shown as f64
    }
}

impl AddAssign<&Tally> for Tally {
    fn add_assign(&mut self, other: &Tally) {
        self.items += other.items;
        self.answered += other.answered;
        self.first += other.first;
        self.two += other.two;
        self.shown += other.shown;
        self.right += other.right;
        self.lead_one += other.lead_one;
        self.lead_two += other.lead_two;
        self.lead_shown += other.lead_shown;
        self.lead_right += other.lead_right;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(ours: &[&str], lead: &[&str]) -> Hits {
        let gold = [
            "The palace said that no meeting is planned.".to_owned(),
            "It is off.".to_owned(),
        ];
        let lead: Vec<String> = lead.iter().map(|s| (*s).to_owned()).collect();
        Hits::new(&gold, ours.iter().copied(), &lead)
    }

    #[test]
    fn marks_and_spaces_do_not_matter_and_neither_does_the_place_of_the_cut() {
        let found = hits(
            &[
                "the palace said  that “no meeting” is planned",
                "MONDAY (Wire) - The palace said that no meeting is planned.",
                "no meeting is planned.",
                "It is off.",
            ],
            &[],
        );
        assert_eq!(found.ours, [true; 4]);
    }

    #[test]
    fn a_few_words_in_common_are_not_the_same_sentence() {
        let found = hits(
            &[
                "Is it true that it is off?",
                "A meeting is planned.",
                "",
                "It",
            ],
            &["No meeting.", "It is off!", "It is off."],
        );
        assert_eq!(found.ours, [false; 4]);
        assert_eq!(found.lead, [false, true]);
    }

    #[test]
    fn shares_by_hand() {
        let mut tally = Tally::default();
        tally.add(&hits(
            &["No.", "It is off.", "It is off."],
            &["It is off.", "No."],
        ));
        tally.add(&hits(&["It is off."], &["No.", "No."]));
        tally.add(&hits(&["No.", "No.", "It is off."], &["No."]));
        tally.add(&hits(&[], &["No.", "It is off."]));
        assert_eq!((tally.items, tally.answered), (4, 3));
        assert_eq!(tally.share(tally.first), 0.25);
        assert_eq!(tally.share(tally.two), 0.5);
        assert_eq!(tally.precision(), 4.0 / 7.0);
        assert_eq!(tally.share(tally.lead_one), 0.25);
        assert_eq!(tally.share(tally.lead_two), 0.5);
        assert_eq!((tally.lead_right, tally.lead_shown), (2, 7));
    }
}
