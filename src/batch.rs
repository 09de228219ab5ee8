//! Batches of windows by a budget of tokens: big enough to keep every core busy, small enough to stay in the caches.
//!
//! Windows are packed without padding, so neighbours may differ in length and input order is kept: no sorting, no undoing it.

/// Cuts items into consecutive ranges of at most `budget` cost; an item over the budget stands alone.
pub fn by_budget(
    costs: impl IntoIterator<Item = usize>,
    budget: usize,
) -> Vec<std::ops::Range<usize>> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    let mut total = 0;
    for (i, cost) in costs.into_iter().enumerate() {
        match ranges.last_mut() {
            Some(range) if total + cost <= budget => {
                range.end = i + 1;
                total += cost;
            }
            _ => {
                ranges.push(i..i + 1);
                total = cost;
            }
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_item_over_the_budget_stands_alone() {
        assert_eq!(by_budget([5, 50, 4, 4, 4], 12), [0..1, 1..2, 2..5]);
        assert!(by_budget([], 12).is_empty());
    }

    proptest! {
        #[test]
        fn every_item_is_in_one_batch_in_order(
            costs in prop::collection::vec(0usize..40, 0..60), budget in 1usize..80,
        ) {
            let ranges = by_budget(costs.clone(), budget);
            let items: Vec<usize> = ranges.iter().cloned().flatten().collect();
            prop_assert_eq!(items, (0..costs.len()).collect::<Vec<_>>());
            for range in ranges {
                prop_assert!(range.len() == 1 || costs[range].iter().sum::<usize>() <= budget);
            }
        }
    }
}
