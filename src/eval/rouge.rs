//! ROUGE (Lin 2004): how many words, pairs of words, and words in order a text shares with a reference.
//!
//! As in Google's `rouge_score` 0.1.2 without stemming, figure for figure: words are runs of `a` to `z` and digits in lower case,
//! and every figure is an F1.

use std::collections::HashMap;

/// ROUGE-1, ROUGE-2 and ROUGE-Lsum of `text`, given as its sentences, against `reference`, given as its own; each from 0 to 1.
pub fn rouge(text: &[&str], reference: &[&str]) -> [f64; 3] {
    let text: Vec<Vec<String>> = text.iter().map(|s| words(s)).collect();
    let reference: Vec<Vec<String>> = reference.iter().map(|s| words(s)).collect();
    let (all, wanted) = (text.concat(), reference.concat());
    [
        ngrams(&all, &wanted, 1),
        ngrams(&all, &wanted, 2),
        summary_level(&text, &reference),
    ]
}

fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit()));
    words.filter(|w| !w.is_empty()).map(String::from).collect()
}

fn counts<T: std::hash::Hash + Eq>(items: impl Iterator<Item = T>) -> HashMap<T, usize> {
    let mut counts = HashMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

fn ngrams(text: &[String], reference: &[String], n: usize) -> f64 {
    let (ours, wanted) = (counts(text.windows(n)), counts(reference.windows(n)));
    let common = wanted
        .iter()
        .map(|(gram, count)| ours.get(gram).map_or(0, |ours| *ours.min(count)));
    let total = |counts: &HashMap<&[String], usize>| counts.values().sum::<usize>();
    f1(common.sum(), total(&ours), total(&wanted))
}

/// Longest common subsequences of each sentence of the reference with all of the text, united; a word counts no more often than it
/// occurs in both.
fn summary_level(text: &[Vec<String>], reference: &[Vec<String>]) -> f64 {
    let mut ours = counts(text.iter().flatten());
    let mut wanted = counts(reference.iter().flatten());
    let (length, wanted_length) = (ours.values().sum(), wanted.values().sum());
    let mut hits = 0;
    for sentence in reference {
        let mut united: Vec<usize> = text.iter().flat_map(|t| common(sentence, t)).collect();
        united.sort_unstable();
        united.dedup();
        for word in united.into_iter().map(|i| &sentence[i]) {
            if let (Some(a @ 1..), Some(b @ 1..)) = (ours.get_mut(word), wanted.get_mut(word)) {
                *a -= 1;
                *b -= 1;
                hits += 1;
            }
        }
    }
    f1(hits, length, wanted_length)
}

/// Places in `reference` of a longest common subsequence with `text`: the one that `rouge_score` finds among equals.
fn common(reference: &[String], text: &[String]) -> Vec<usize> {
    let width = text.len() + 1;
    let mut table = vec![0usize; (reference.len() + 1) * width];
    for (i, word) in reference.iter().enumerate() {
        for (j, other) in text.iter().enumerate() {
            table[(i + 1) * width + j + 1] = match word == other {
                true => table[i * width + j] + 1,
                false => table[i * width + j + 1].max(table[(i + 1) * width + j]),
            };
        }
    }
    let (mut i, mut j) = (reference.len(), text.len());
    let mut places = Vec::new();
    while i > 0 && j > 0 {
        if reference[i - 1] == text[j - 1] {
            places.push(i - 1);
            (i, j) = (i - 1, j - 1);
        } else if table[i * width + j - 1] > table[(i - 1) * width + j] {
            j -= 1;
        } else {
            i -= 1;
        }
    }
    places
}

fn f1(common: usize, text: usize, reference: usize) -> f64 {
    match common {
        0 => 0.0,
        _ => 2.0 * common as f64 / (text + reference) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected figures: `rouge_score` 0.1.2, `RougeScorer(["rouge1", "rouge2", "rougeLsum"])`, sentences joined by line breaks.
    #[test]
    fn figures_are_those_of_the_reference_implementation() {
        for (text, reference, expected) in CASES {
            for (found, expected) in rouge(text, reference).into_iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 1e-9,
                    "{text:?}: {found} {expected}"
                );
            }
        }
    }

    type Case = (&'static [&'static str], &'static [&'static str], [f64; 3]);
    const CASES: &[Case] = &[
        (
            &[
                "Arvenia and Tolmere will meet on Thursday.",
                "No agenda was agreed.",
            ],
            &["The two countries meet on Thursday, but no agenda was agreed."],
            [0.6363636363636364, 0.5, 0.6363636363636364],
        ),
        (
            &["The palace said the king, the queen and the envoy met the envoy of the king."],
            &[
                "The envoy met the king.",
                "The queen said the palace was the envoy's.",
            ],
            [0.7999999999999999, 0.6428571428571429, 0.6666666666666666],
        ),
        (
            &["Café Zoë’s 3.5 million crowns"],
            &["Cafe Zoe's 3.5-million crowns, 3.5 of them"],
            [0.5555555555555556, 0.5, 0.5555555555555556],
        ),
        (
            &["no talks are planned"],
            &["talks are planned no"],
            [1.0, 0.6666666666666666, 0.75],
        ),
        (&["word"], &["other"], [0.0, 0.0, 0.0]),
        (&[""], &["nothing to share"], [0.0, 0.0, 0.0]),
        (
            &[
                "The rebels may come.",
                "They have not answered yet, the mediator said.",
                "A truce held for 11 months.",
            ],
            &[
                "It is open whether rebels will come to the truce meeting: the mediator said they have not answered.",
            ],
            [0.6111111111111112, 0.29411764705882354, 0.3888888888888889],
        ),
    ];
}
