//! From samples to figures.
//!
//! Passes of one process are alike in what another process would have otherwise (where its memory lies, which core it sits on, what
//! the neighbours did in that minute), so whole processes are drawn in the bootstrap, as whole articles are in [`crate::eval`]: to
//! draw pass by pass would promise too much. A run has only a few processes, for which percentiles alone are too narrow: the
//! interval is widened as Student's t widens the normal one (Hesterberg 2015, arXiv 1411.5279, section 5.3). All samples are
//! positive and noise multiplies, so that widening goes by factors: half as fast is as far off as twice as fast.
//!
//! Outliers are counted, never dropped: a sceptic wants to see them, and the median does not mind.

use serde::{Deserialize, Serialize};

use crate::eval::bootstrap::{ROUNDS, percentile};
use crate::eval::{Estimate, Random};

/// Fewer samples have no 99th percentile: it would be their maximum under another name.
pub const LEAST_FOR_P99: usize = 100;
/// Fewer have no 90th.
const LEAST_FOR_P90: usize = 10;

/// What is said of a list of samples, in their unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Samples.
    pub n: usize,
    /// Processes that they come from.
    pub processes: usize,
    /// The middle sample.
    pub median: f64,
    /// Lower end of the median's 95% interval; `None` of a single sample.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation of the samples; `None` of a single sample.
    pub sd: Option<f64>,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
    /// Samples more than 1.5 interquartile ranges beyond the quartiles (Tukey 1977); they count in every figure.
    pub outliers: usize,
}

impl Summary {
    /// The summary of `processes`' samples; `None` when there are none.
    pub fn new(processes: &[Vec<f64>], seed: u64) -> Option<Self> {
        let all = sorted(processes.iter().flatten().copied());
        let (least, most) = (*all.first()?, *all.last()?);
        let n = all.len();
        let mean = all.iter().sum::<f64>() / n as f64;
        let squares: f64 = all.iter().map(|x| (x - mean).powi(2)).sum();
        let (q1, q3) = (quantile(&all, 0.25), quantile(&all, 0.75));
        let reach = 1.5 * (q3 - q1);
        let interval = interval(processes, seed);
        Some(Self {
            n,
            processes: processes.iter().filter(|p| !p.is_empty()).count(),
            median: quantile(&all, 0.5),
            low: interval.map(|i| i.low),
            high: interval.map(|i| i.high),
            mean,
            sd: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()),
            least,
            most,
            outliers: all
                .iter()
                .filter(|x| **x < q1 - reach || **x > q3 + reach)
                .count(),
        })
    }
}

/// How long single requests took, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Samples.
    pub n: usize,
    /// Half were faster.
    pub p50: f64,
    /// Nine of ten were; `None` under 10 samples.
    pub p90: Option<f64>,
    /// 99 of a hundred were; `None` under [`LEAST_FOR_P99`] samples.
    pub p99: Option<f64>,
    /// The slowest.
    pub most: f64,
}

impl Percentiles {
    /// The percentiles of `samples`; `None` when there are none.
    pub fn new(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let all = sorted(samples);
        let n = all.len();
        Some(Self {
            n,
            p50: quantile(&all, 0.5),
            p90: (n >= LEAST_FOR_P90).then(|| quantile(&all, 0.9)),
            p99: (n >= LEAST_FOR_P99).then(|| quantile(&all, 0.99)),
            most: *all.last()?,
        })
    }
}

/// `now`'s median over `then`'s, two runs that were made apart, with its 95% interval; `None` when one has no samples or both have
/// a single one.
pub fn ratio(now: &[Vec<f64>], then: &[Vec<f64>], seed: u64) -> Option<Estimate> {
    let (now, then) = (clusters(now), clusters(then));
    let value = median(now.iter().flatten())? / median(then.iter().flatten())?;
    let mut random = Random::new(seed);
    let drawn = (0..ROUNDS).filter_map(|_| {
        let now = draw(&now, &mut random)?;
        Some(now / draw(&then, &mut random)?)
    });
    let drawn = sorted(drawn);
    let freedom = (now.len() + then.len()).checked_sub(2).filter(|n| *n > 0)?;
    let fewest = now.len().min(then.len());
    Some(widened(value, &drawn, freedom, fewest))
}

/// The 95% interval of the median of `processes`' samples.
fn interval(processes: &[Vec<f64>], seed: u64) -> Option<Estimate> {
    let clusters = clusters(processes);
    let value = median(clusters.iter().flatten())?;
    let freedom = clusters.len().checked_sub(1).filter(|n| *n > 0)?;
    let mut random = Random::new(seed);
    let drawn = sorted((0..ROUNDS).filter_map(|_| draw(&clusters, &mut random)));
    Some(widened(value, &drawn, freedom, clusters.len()))
}

/// What is drawn whole: a process's samples, or, of a single process, each sample.
fn clusters(processes: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let all: Vec<&Vec<f64>> = processes.iter().filter(|p| !p.is_empty()).collect();
    match all[..] {
        [only] => only.iter().map(|x| vec![*x]).collect(),
        _ => all.into_iter().cloned().collect(),
    }
}

/// The median of as many clusters as there are, drawn with replacement.
fn draw(clusters: &[Vec<f64>], random: &mut Random) -> Option<f64> {
    let drawn: Vec<f64> = (0..clusters.len())
        .flat_map(|_| &clusters[random.below(clusters.len())])
        .copied()
        .collect();
    median(&drawn)
}

/// The percentile interval of `drawn`, its ends as many times farther from `value` as `freedom` degrees of freedom and `n` clusters
/// ask.
fn widened(value: f64, drawn: &[f64], freedom: usize, n: usize) -> Estimate {
    let narrow = (n as f64 / (n as f64 - 1.0)).sqrt();
    let wider = student(freedom) / student(usize::MAX) * if n > 1 { narrow } else { 1.0 };
    Estimate {
        value,
        low: value * (percentile(drawn, 0.025) / value).min(1.0).powf(wider),
        high: value * (percentile(drawn, 0.975) / value).max(1.0).powf(wider),
    }
}

/// The 97.5th percentile of Student's t.
fn student(freedom: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
        2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
        2.052, 2.048, 2.045, 2.042,
    ];
    match freedom {
        0 => f64::INFINITY,
        1..=30 => TABLE[freedom - 1],
        // The first terms of its expansion in 1 / freedom: right to three digits here.
        _ => 1.960 + 2.372 / freedom as f64,
    }
}

fn sorted(samples: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut all: Vec<f64> = samples.into_iter().collect();
    all.sort_by(f64::total_cmp);
    all
}

/// The middle of `samples`; `None` of none.
pub fn median<'a>(samples: impl IntoIterator<Item = &'a f64>) -> Option<f64> {
    let all = sorted(samples.into_iter().copied());
    (!all.is_empty()).then(|| quantile(&all, 0.5))
}

/// The value at `share` of the sorted samples, between two of them in proportion (Hyndman and Fan 1996, type 7); NaN of none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = last as f64 * share;
    let below = at.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (at - below as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    /// A run on a noisy machine: each process has its own speed (sd `between`), each of its passes is a little off (sd `within`).
    fn run(
        random: &mut Random,
        speed: f64,
        between: f64,
        within: f64,
        passes: usize,
    ) -> Vec<Vec<f64>> {
        let mut normal = || {
            let uniform =
                |random: &mut Random| (random.below(1 << 20) as f64 + 0.5) / f64::from(1 << 20);
            (0..12).map(|_| uniform(random)).sum::<f64>() - 6.0
        };
        (0..5)
            .map(|_| {
                let process = speed * (1.0 + between * normal());
                (0..passes)
                    .map(|_| process * (1.0 + within * normal()))
                    .collect()
            })
            .collect()
    }

    #[test]
    fn two_runs_of_one_build_are_alike_and_a_slower_one_is_found() {
        let mut random = Random::new(7);
        let (mut alike, mut found) = (0, 0);
        for seed in 0..200 {
            let then = run(&mut random, 60.0, 0.02, 0.02, 4);
            let now = run(&mut random, 60.0, 0.02, 0.02, 4);
            let slow = run(&mut random, 60.0 / 1.1, 0.02, 0.02, 4);
            let same = ratio(&now, &then, seed).unwrap();
            alike += usize::from(same.low <= 1.0 && same.high >= 1.0);
            found += usize::from(ratio(&slow, &then, seed).unwrap().high < 1.0);
        }
        assert!(
            alike >= 186,
            "{alike} of 200 pairs of the same build are alike"
        );
        assert!(found >= 190, "{found} of 200 slower builds are found");
    }

    #[test]
    fn the_interval_holds_the_truth_as_often_as_it_says() {
        let mut random = Random::new(11);
        let mut held = 0;
        for seed in 0..400 {
            let summary = Summary::new(&run(&mut random, 60.0, 0.02, 0.02, 4), seed).unwrap();
            held += usize::from(summary.low.unwrap() <= 60.0 && summary.high.unwrap() >= 60.0);
        }
        assert!((368..=400).contains(&held), "{held} of 400");
    }

    #[test]
    fn figures_of_a_known_list() {
        let samples = vec![vec![1.0, 2.0, 3.0, 4.0], vec![5.0, 6.0, 7.0, 100.0]];
        let summary = Summary::new(&samples, 0).unwrap();
        assert_eq!((summary.n, summary.processes), (8, 2));
        assert_eq!((summary.median, summary.mean), (4.5, 16.0));
        assert_eq!((summary.least, summary.most), (1.0, 100.0));
        assert_eq!(summary.outliers, 1, "reported, and in every figure");
        assert_eq!(summary.sd, Some(34.0));
    }

    #[test]
    fn a_single_sample_has_no_interval() {
        let one = Summary::new(&[vec![3.0]], 0).unwrap();
        assert_eq!((one.low, one.high, one.sd), (None, None, None));
        assert!(ratio(&[vec![3.0]], &[vec![3.0]], 0).is_none());
        assert!(Summary::new(&[], 0).is_none());
        assert!(Summary::new(&[vec![]], 0).is_none());
    }

    #[test]
    fn no_p99_of_a_few() {
        let of = |n: u32| Percentiles::new((0..n).map(f64::from)).unwrap();
        assert_eq!(of(99).p99, None);
        assert!((of(101).p99.unwrap() - 99.0).abs() < 1e-9);
        assert_eq!(of(9).p90, None);
        assert_eq!(of(11).p90, Some(9.0));
        assert_eq!(of(1).p50, 0.0);
        assert!(Percentiles::new([]).is_none());
    }

    #[test]
    fn students_t_comes_down_to_the_normal() {
        assert_eq!(student(4), 2.776);
        assert!((student(60) - 2.000).abs() < 1e-3);
        assert!((student(120) - 1.980).abs() < 1e-3);
        assert_eq!(student(usize::MAX), 1.960);
        assert!((1..200).all(|n| student(n) > student(n + 1)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_same_samples_have_the_ratio_one(
            samples in prop::collection::vec(prop::collection::vec(0.5..5.0f64, 1..6), 2..6), seed: u64,
        ) {
            let same = ratio(&samples, &samples, seed).unwrap();
            prop_assert!((same.value - 1.0).abs() < 1e-12);
            prop_assert!(same.low <= 1.0 && same.high >= 1.0);
        }

        #[test]
        fn the_median_lies_in_its_interval_and_among_the_samples(
            samples in prop::collection::vec(prop::collection::vec(0.5..5.0f64, 1..6), 1..6), seed: u64,
        ) {
            let s = Summary::new(&samples, seed).unwrap();
            prop_assert!(s.least <= s.median && s.median <= s.most);
            if let (Some(low), Some(high)) = (s.low, s.high) {
                prop_assert!(low <= s.median && s.median <= high);
            }
            prop_assert_eq!(Summary::new(&samples, seed).unwrap(), s);
        }
    }
}
