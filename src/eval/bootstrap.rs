//! How far a figure would move had other articles been drawn: percentile bootstrap (Efron 1979), whole articles at a time.
//!
//! Claims about one article are right or wrong together, so that drawing them one by one would promise too much.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Resamples behind every interval.
pub const ROUNDS: usize = 2000;

/// A figure with its 95% interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure on the items as they are.
    pub value: f64,
    /// The 2.5th percentile over the resamples.
    pub low: f64,
    /// The 97.5th. A figure that only grows with noise (the calibration error) may lie below its own interval.
    pub high: f64,
}

/// The figures that `figures` makes of all `clusters` together, each with its interval: [`ROUNDS`] times as many clusters are
/// drawn with replacement. The same seed draws the same ones on every machine.
///
/// Resamples in which a figure is not a number (a ratio with nothing below the line) do not count for that figure.
pub fn estimates<T, const N: usize>(
    clusters: &[T],
    seed: u64,
    figures: impl Fn(&T) -> [f64; N],
) -> [Estimate; N]
where
    T: Default + for<'a> AddAssign<&'a T>,
{
    let mut all = T::default();
    clusters.iter().for_each(|cluster| all += cluster);
    let values = figures(&all);
    let mut drawn: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(ROUNDS));
    let mut random = Random::new(seed);
    for _ in 0..ROUNDS {
        let mut sample = T::default();
        for _ in clusters {
            sample += &clusters[random.below(clusters.len())];
        }
        for (figure, values) in figures(&sample).into_iter().zip(&mut drawn) {
            if figure.is_finite() {
                values.push(figure);
            }
        }
    }
    std::array::from_fn(|i| {
        let values_drawn = &mut drawn[i];
        values_drawn.sort_by(f64::total_cmp);
        Estimate {
            value: values[i],
            low: percentile(values_drawn, 0.025),
            high: percentile(values_drawn, 0.975),
        }
    })
}

/// The value below which `share` of the sorted values lie; NaN of none.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    // Nearest rank, counted from the nearer end, so that both ends are cut alike.
    let cut = (sorted.len() as f64 * share.min(1.0 - share)).floor() as usize;
    sorted[if share < 0.5 { cut } else { last - cut }]
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, good enough to draw lots, and never different in another version of a library.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, each as likely as the others but for 2⁻⁶⁴ of `end`; 0 when `end` is.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// `count` of the numbers below `end`, or all if they are fewer, in ascending order.
    pub fn sample(&mut self, count: usize, end: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..end).collect();
        let count = count.min(end);
        for i in 0..count {
            let other = i + self.below(end - i);
            numbers.swap(i, other);
        }
        numbers.truncate(count);
        numbers.sort_unstable();
        numbers
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Mean {
        sum: f64,
        count: f64,
    }

    impl AddAssign<&Mean> for Mean {
        fn add_assign(&mut self, other: &Mean) {
            self.sum += other.sum;
            self.count += other.count;
        }
    }

    fn mean(values: &[f64], seed: u64) -> Estimate {
        let one = |&sum| Mean { sum, count: 1.0 };
        let clusters: Vec<Mean> = values.iter().map(one).collect();
        let [mean] = estimates(&clusters, seed, |m| [m.sum / m.count]);
        mean
    }

    #[test]
    fn the_first_numbers_are_those_of_the_published_algorithm() {
        // https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64, seed 1234567.
        let mut random = Random::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!([random.next(), random.next(), random.next()], expected);
    }

    #[test]
    fn half_right_of_a_hundred_has_the_interval_of_the_textbook() {
        let values: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let Estimate { value, low, high } = mean(&values, 0);
        assert_eq!(value, 0.5);
        // 1.96 · √(0.25 / 100) = 0.098
        assert!((low - 0.402).abs() < 0.02, "{low}");
        assert!((high - 0.598).abs() < 0.02, "{high}");
    }

    #[test]
    fn clusters_are_drawn_whole() {
        // Ten articles with ten equal claims each tell as much as ten claims, not as a hundred.
        let whole: Vec<Mean> = (0..10)
            .map(|i| Mean {
                sum: f64::from(i % 2) * 10.0,
                count: 10.0,
            })
            .collect();
        let [clustered] = estimates(&whole, 0, |m| [m.sum / m.count]);
        let apart: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let apart = mean(&apart, 0);
        assert!(clustered.high - clustered.low > 2.0 * (apart.high - apart.low));
    }

    #[test]
    fn percentiles_cut_both_ends_alike() {
        let sorted: Vec<f64> = (0..2000).map(f64::from).collect();
        assert_eq!(percentile(&sorted, 0.025), 50.0);
        assert_eq!(percentile(&sorted, 0.975), 1949.0);
        assert!(percentile(&[], 0.025).is_nan());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_interval_lies_within_the_data(values in prop::collection::vec(-5.0..5.0f64, 1..40), seed: u64) {
            let Estimate { value, low, high } = mean(&values, seed);
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(least - 1e-9 <= low && low <= high && high <= most + 1e-9);
            prop_assert!(least - 1e-9 <= value && value <= most + 1e-9);
            prop_assert_eq!(mean(&values, seed), Estimate { value, low, high });
        }

        #[test]
        fn equal_values_leave_no_doubt(value in -5.0..5.0f64, count in 1usize..30, seed: u64) {
            let estimate = mean(&vec![value; count], seed);
            prop_assert!((estimate.high - estimate.low).abs() < 1e-9);
            prop_assert!((estimate.low - value).abs() < 1e-9);
        }

        #[test]
        fn a_sample_has_no_number_twice(count in 0usize..50, end in 0usize..50, seed: u64) {
            let sample = Random::new(seed).sample(count, end);
            prop_assert_eq!(sample.len(), count.min(end));
            prop_assert!(sample.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(sample.iter().all(|&number| number < end));
        }
    }
}
