//! How near the encoder comes to what this machine can do at all (Williams, Waterman, Patterson 2009: the roofline).
//!
//! [`Work`] counts what a pass has to compute and to move whoever computes it; [`Peaks`] are measured in the same run on the same
//! number of threads. The time that the work takes at the peaks, over the time that it took, is the share of the roofline.
//!
//! Counted: the products of the layers and of attention, a multiply-add as two operations. Not counted, since a perfect program could
//! hide it: quantising, softmax, GELU, layer norm, the heads, and the moving of activations, which caches may hold. So the share of
//! a program that does all of it is below 1, and says how much there is to win at most.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::kernel::{Isa, peak};
use crate::model::Shape;

/// What a pass computes and moves at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Work {
    /// Operations of 8-bit products.
    pub int8: u64,
    /// Operations of float products.
    pub float: u64,
    /// Bytes from memory: the layers' weights once a batch, an embedding for each token, and its state in the end.
    pub bytes: u64,
}

impl Work {
    /// The work of windows of `lengths` tokens, read in `batches` batches by an encoder of `shape`.
    pub fn new(shape: Shape, lengths: &[usize], batches: usize) -> Self {
        let [layers, width, inner, batches] =
            [shape.layers, shape.width, shape.inner, batches].map(|n| n as u64);
        let tokens: u64 = lengths.iter().map(|n| *n as u64).sum();
        let squares: u64 = lengths.iter().map(|n| (*n as u64).pow(2)).sum();
        // Query, key, value and output; up and down.
        let weights = layers * (4 * width * width + 2 * width * inner);
        let products = 2 * weights * tokens;
        // Every token with every token of its window, twice: scores, and values.
        let attention = 2 * 2 * layers * squares * width;
        let bytes_of_weight = shape.weight as u64;
        Self {
            int8: if shape.int8 { products } else { 0 },
            float: attention + if shape.int8 { 0 } else { products },
            bytes: batches * weights * bytes_of_weight + tokens * width * (bytes_of_weight + 4),
        }
    }

    /// Seconds that the work takes at `peaks`: computing, or moving if that takes longer.
    pub fn seconds_at(&self, peaks: &Peaks) -> f64 {
        let int8 = match self.int8 {
            0 => 0.0,
            operations => operations as f64 / peaks.int8,
        };
        let computing = int8 + self.float as f64 / peaks.float;
        computing.max(self.bytes as f64 / peaks.bandwidth)
    }
}

/// What the machine does at best on some threads, each with the others running.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Peaks {
    /// 8-bit operations a second; 0 on a GPU, where none are computed.
    pub int8: f64,
    /// Float operations a second; on a GPU those of a large product, in the numbers that it computes with.
    pub float: f64,
    /// Bytes read from memory a second; on a GPU read and written.
    pub bandwidth: f64,
}

/// Trials of each peak: the best counts.
const TRIALS: usize = 5;
/// How long a trial computes.
const TRIAL: Duration = Duration::from_millis(10);
/// Bytes that are read for the bandwidth, over all threads: more than caches hold.
const BUFFER: usize = 256 << 20;

impl Peaks {
    /// Those of a GPU with so many operations and bytes a second.
    pub fn of_gpu((float, bandwidth): (f64, f64)) -> Self {
        Self {
            int8: 0.0,
            float,
            bandwidth,
        }
    }

    /// Measures them on `threads` threads: about a second.
    pub fn measure(threads: usize) -> Self {
        let isa = Isa::best();
        let share = BUFFER / 8 / threads.max(1);
        Self {
            int8: best(threads, || (), |()| for_a_moment(|| peak::int8(isa))),
            float: best(threads, || (), |()| for_a_moment(peak::float)),
            bandwidth: best(
                threads,
                || vec![1u64; share],
                |buffer| {
                    let sum = buffer.iter().fold(0u64, |sum, v| sum.wrapping_add(*v));
                    std::hint::black_box(sum);
                    size_of_val(&buffer[..]) as u64
                },
            ),
        }
    }
}

fn for_a_moment(work: impl Fn() -> u64) -> u64 {
    let until = Instant::now() + TRIAL;
    let mut done = work();
    while Instant::now() < until {
        done += work();
    }
    done
}

/// The best rate of `work`, which returns how much it did, on `threads` threads at once; each makes its own state beforehand.
fn best<S>(threads: usize, state: impl Fn() -> S + Sync, work: impl Fn(&S) -> u64 + Sync) -> f64 {
    let together = Barrier::new(threads.max(1));
    let one_thread = || {
        let state = state();
        let trials = (0..TRIALS).map(|_| {
            together.wait();
            let begun = Instant::now();
            let done = work(&state);
            (done as f64, begun.elapsed().as_secs_f64())
        });
        trials.collect::<Vec<_>>()
    };
    let all: Vec<Vec<(f64, f64)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1))
            .map(|_| scope.spawn(one_thread))
            .collect();
        threads.into_iter().filter_map(|t| t.join().ok()).collect()
    });
    // A trial lasts as long as its slowest thread.
    let rate = |trial: usize| {
        let done: f64 = all.iter().map(|thread| thread[trial].0).sum();
        let seconds = all.iter().map(|thread| thread[trial].1).fold(0.0, f64::max);
        done / seconds.max(1e-9)
    };
    (0..TRIALS).map(rate).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Shape = Shape {
        layers: 6,
        width: 384,
        inner: 1536,
        int8: true,
        weight: 1,
    };

    #[test]
    fn the_work_of_the_small_model_is_as_the_log_says() {
        // benches/LOG.md: 8 windows of 256 tokens are 21.7 G multiply-adds of weights in 8 bits and 2.4 G of attention in float.
        let work = Work::new(SMALL, &[256; 8], 1);
        assert!((work.int8 as f64 / 2.0 - 21.7e9).abs() < 0.1e9, "{work:?}");
        assert!((work.float as f64 / 2.0 - 2.4e9).abs() < 0.1e9, "{work:?}");
        assert_eq!(work.bytes, 10_616_832 + 2048 * 384 * 5);
        let float = Shape {
            int8: false,
            weight: 4,
            ..SMALL
        };
        let float = Work::new(float, &[256; 8], 1);
        assert_eq!((float.int8, float.float), (0, work.int8 + work.float));
    }

    #[test]
    fn the_slower_of_computing_and_moving_bounds_the_time() {
        let peaks = Peaks {
            int8: 100.0,
            float: 10.0,
            bandwidth: 5.0,
        };
        let work = |bytes| Work {
            int8: 200,
            float: 30,
            bytes,
        };
        assert_eq!(work(1).seconds_at(&peaks), 5.0);
        assert_eq!(work(500).seconds_at(&peaks), 100.0);
        let on_gpu = Work { int8: 0, ..work(1) };
        assert_eq!(on_gpu.seconds_at(&Peaks::of_gpu((10.0, 5.0))), 3.0);
    }

    #[test]
    fn trials_add_up_over_threads() {
        let rate = best(
            2,
            || (),
            |()| {
                std::thread::sleep(Duration::from_millis(5));
                1
            },
        );
        assert!(rate > 0.0 && rate <= 2.0 / 0.005, "{rate}");
    }
}
