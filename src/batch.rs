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

/// Takes items until they cost `budget` together, or are `most`; one at least, if there is one.
pub fn take<T>(
    items: &mut impl Iterator<Item = T>,
    cost: impl Fn(&T) -> usize,
    budget: usize,
    most: usize,
) -> Vec<T> {
    let (mut taken, mut total) = (Vec::new(), 0);
    while total < budget.max(1)
        && taken.len() < most.max(1)
        && let Some(item) = items.next()
    {
        total += cost(&item);
        taken.push(item);
    }
    taken
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

    #[test]
    fn items_are_taken_until_the_budget_is_spent_or_they_are_enough() {
        let mut items = [3usize, 3, 3, 3, 9].into_iter();
        let mut take = |budget, most| take(&mut items, |&cost| cost, budget, most);
        assert_eq!(take(5, 10), [3, 3]);
        assert_eq!(take(100, 1), [3]);
        assert_eq!(take(0, 0), [3]);
        assert_eq!(take(5, 10), [9]);
        assert!(take(5, 10).is_empty());
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
