//! The 8-bit linear layer: int8 weights with one scale an output, rows quantised at run time, exact 32-bit sums.
//!
//! A row `x` becomes the bytes `round(x / s) + z` (ties to even), of which the 256 span its range, zero included: `s = (max - min) / 255`,
//! `z = round(-min / s)`. They are unsigned because the dot-product instructions (`vpdpbusd`) multiply unsigned by signed; `z` is taken out
//! again with the weights' sums. A few inputs that are far larger than the others would make every row's `s` coarse, so the layer may be
//! told of such *wide* inputs: each has its number spread over [`SHARES`] bytes, with its weights under each (the outlier channels of
//! Dettmers et al. 2022, arXiv 2208.07339, kept in the same product).
//! All paths give the same integers and the same float tail, so they give the same bytes.

mod rows;
mod sums;

use std::collections::BTreeSet;

use multiversion::multiversion;
use rayon::prelude::*;

use self::rows::{Rows, Step, row_bytes};
#[cfg(target_arch = "x86_64")]
use self::sums::x86;
use self::sums::{Sums, TILE_ROWS, portable};
use super::float::gelu;

/// Outputs in a packed block: one 512-bit register of 32-bit sums.
const BLOCK: usize = 16;
/// Inputs that one dot-product instruction takes for each output.
const GROUP: usize = 4;
/// Those that one takes of 16-bit numbers.
const PAIR: usize = 2;
/// Bytes of a wide input.
const SHARES: usize = 4;
/// Rows that one task quantises and multiplies: small enough to share one article among threads, large enough to reuse weights.
const TASK_ROWS: usize = 24;

/// Instruction sets that the product knows, best last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Plain Rust.
    Portable,
    /// AVX2, with FMA and F16C: 16-bit products of widened bytes.
    Avx2,
    /// AVX-VNNI: 256-bit byte dot products.
    AvxVnni,
    /// AVX-512 VNNI: 512-bit byte dot products.
    Avx512Vnni,
}

impl Isa {
    /// Every set that this processor can run, worst first.
    pub fn available() -> Vec<Self> {
        let mut found = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c");
            if avx2 {
                found.push(Self::Avx2);
            }
            if avx2 && is_x86_feature_detected!("avxvnni") {
                found.push(Self::AvxVnni);
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vnni")
            {
                found.push(Self::Avx512Vnni);
            }
        }
        found
    }

    /// Inputs that stand together in packed weights.
    fn group(self) -> usize {
        match self {
            Self::Avx2 => PAIR,
            _ => GROUP,
        }
    }

    /// The best set of this processor.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self::Portable)
    }
}

/// `y = x · Wᵀ + b` with 8-bit weights, packed once for the dot-product instructions.
#[derive(Debug, Clone)]
pub struct Int8Linear {
    inputs: usize,
    outputs: usize,
    /// Inputs far larger than the others.
    wide: Vec<usize>,
    /// `[outputs / 16][bytes of a row / group][16][group]`, zero under a wide input's own place and where the sizes do not divide.
    packed: Vec<i8>,
    /// Sum of the weights under all bytes of a row, for each output: what a step of `z` adds.
    weight_sums: Vec<i32>,
    scales: Vec<f32>,
    bias: Vec<f32>,
    isa: Isa,
}

impl Int8Linear {
    /// Packs `weight` `[outputs][inputs]` with `scales` and `bias` `[outputs]` for the best instruction set; `wide` are the inputs far larger
    /// than the others.
    ///
    /// Returns `None` when the lengths disagree, a wide input is none or named twice, or a sum could leave 32 bits.
    pub fn new(
        weight: &[i8],
        scales: Vec<f32>,
        bias: Vec<f32>,
        wide: &[usize],
        (inputs, outputs): (usize, usize),
    ) -> Option<Self> {
        Self::with_isa(weight, scales, bias, wide, (inputs, outputs), Isa::best())
    }

    /// As [`Int8Linear::new`], for one instruction set, which must be [`Isa::available`].
    pub fn with_isa(
        weight: &[i8],
        scales: Vec<f32>,
        bias: Vec<f32>,
        wide: &[usize],
        (inputs, outputs): (usize, usize),
        isa: Isa,
    ) -> Option<Self> {
        let row_bytes = row_bytes(inputs, wide.len());
        let fits = weight.len() == inputs * outputs
            && scales.len() == outputs
            && bias.len() == outputs
            && inputs > 0
            && outputs > 0
            && row_bytes <= 60_000 // 60,000 · 255 · 128 < 2³¹
            && wide.iter().all(|&w| w < inputs)
            && wide.iter().collect::<BTreeSet<_>>().len() == wide.len()
            && Isa::available().contains(&isa);
        if !fits {
            return None;
        }
        let group = isa.group();
        let groups = row_bytes / group;
        let blocks = outputs.div_ceil(BLOCK);
        let mut packed = vec![0i8; blocks * BLOCK * row_bytes];
        let mut weight_sums = vec![0i32; blocks * BLOCK];
        let mut line = vec![0i8; row_bytes];
        for (o, row) in weight.chunks_exact(inputs).enumerate() {
            let (own, shares) = line.split_at_mut(row_bytes - SHARES * wide.len());
            own[..inputs].copy_from_slice(row);
            for (shares, &wide) in shares.chunks_exact_mut(SHARES).zip(wide) {
                shares.fill(row[wide]);
                own[wide] = 0;
            }
            let (block, lane) = (o / BLOCK, o % BLOCK);
            for (g, inputs) in line.chunks_exact(group).enumerate() {
                let at = ((block * groups + g) * BLOCK + lane) * group;
                packed[at..at + group].copy_from_slice(inputs);
            }
            weight_sums[o] = line.iter().map(|&w| i32::from(w)).sum();
        }
        let pad = |mut v: Vec<f32>| {
            v.resize(blocks * BLOCK, 0.0);
            v
        };
        Some(Self {
            inputs,
            outputs,
            wide: wide.to_vec(),
            packed,
            weight_sums,
            scales: pad(scales),
            bias: pad(bias),
            isa,
        })
    }

    /// Width of an input row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Width of an output row.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Multiplies the rows of `x` `[rows][inputs]` into `y` `[rows][outputs]`, then applies `tail` to each finished piece of rows, told its
    /// first.
    pub fn forward(&self, x: &[f32], y: &mut [f32], tail: impl Fn(usize, &mut [f32]) + Sync) {
        x.par_chunks(TASK_ROWS * self.inputs)
            .zip(y.par_chunks_mut(TASK_ROWS * self.outputs))
            .enumerate()
            .for_each(|(task, (x, y))| {
                self.multiply(&self.quantise(x), y);
                tail(task * TASK_ROWS, y);
            });
    }

    /// `down(gelu(up(x)))`: the rows between the two, several times as wide, never leave the cache. Otherwise as [`Int8Linear::forward`].
    pub fn feed_forward(
        up: &Self,
        down: &Self,
        x: &[f32],
        y: &mut [f32],
        tail: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        x.par_chunks(TASK_ROWS * up.inputs)
            .zip(y.par_chunks_mut(TASK_ROWS * down.outputs))
            .enumerate()
            .for_each_init(Vec::new, |inner, (task, (x, y))| {
                inner.resize(x.len() / up.inputs * up.outputs, 0.0);
                up.multiply(&up.quantise(x), inner);
                gelu(inner);
                down.multiply(&down.quantise(inner), y);
                tail(task * TASK_ROWS, y);
            });
    }

    fn quantise(&self, x: &[f32]) -> Rows {
        Rows::quantise(x, self.inputs, &self.wide)
    }

    fn multiply(&self, rows: &Rows, y: &mut [f32]) {
        let Rows { bytes, steps } = rows;
        match self.isa {
            Isa::Portable => self.tiles::<_, 1>(bytes, steps, y, portable),
            // SAFETY (all three): `with_isa` refuses a set that this processor lacks.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                let spread: Vec<i16> = bytes.iter().map(|byte| i16::from(*byte)).collect();
                self.tiles::<_, 1>(&spread, steps, y, |a, w, sums| unsafe {
                    x86::avx2(a, w, sums)
                });
            }
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => self.tiles::<_, 1>(bytes, steps, y, |a, w, sums| unsafe {
                x86::avx_vnni(a, w, sums)
            }),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => self.tiles::<_, 4>(bytes, steps, y, |a, w, sums| unsafe {
                x86::avx512_vnni(a, w, sums)
            }),
            #[cfg(not(target_arch = "x86_64"))]
            _ => self.tiles::<_, 1>(bytes, steps, y, portable),
        }
    }

    /// Walks `y` in tiles of up to [`TILE_ROWS`] rows by `BLOCKS` blocks of outputs; `dot` fills a tile's sums.
    fn tiles<T, const BLOCKS: usize>(
        &self,
        rows: &[T],
        steps: &[Step],
        y: &mut [f32],
        dot: impl Fn(&[&[T]], &[i8], &mut [Sums]),
    ) {
        let stride = row_bytes(self.inputs, self.wide.len());
        let block_bytes = stride * BLOCK;
        let mut sums = vec![[0i32; BLOCK]; TILE_ROWS * BLOCKS];
        let mut lines: Vec<&[T]> = Vec::with_capacity(TILE_ROWS);
        for first_block in (0..self.weight_sums.len() / BLOCK).step_by(BLOCKS) {
            let weights = &self.packed[first_block * block_bytes..];
            let blocks = BLOCKS.min(weights.len() / block_bytes);
            let weights = &weights[..blocks * block_bytes];
            for first_row in (0..steps.len()).step_by(TILE_ROWS) {
                lines.clear();
                lines.extend(
                    rows[first_row * stride..]
                        .chunks_exact(stride)
                        .take(TILE_ROWS),
                );
                let sums = &mut sums[..lines.len() * blocks];
                dot(&lines, weights, sums);
                let (from, to) = (first_block * BLOCK, (first_block + blocks) * BLOCK);
                let columns = Columns {
                    weight_sums: &self.weight_sums[from..to],
                    scales: &self.scales[from..to],
                    bias: &self.bias[from..to],
                };
                let steps = &steps[first_row..][..lines.len()];
                let y = &mut y[first_row * self.outputs..];
                finish(sums, steps, columns, (from, self.outputs), y);
            }
        }
    }
}

/// What turns the sums of some outputs back to floats.
#[derive(Clone, Copy)]
struct Columns<'a> {
    weight_sums: &'a [i32],
    scales: &'a [f32],
    bias: &'a [f32],
}

/// Integers back to floats: `(sum - z · weight sum) · (row scale · weight scale) + bias`, for a tile of rows that begins at output `from` of
/// `outputs`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn finish(
    sums: &[Sums],
    steps: &[Step],
    columns: Columns<'_>,
    (from, outputs): (usize, usize),
    y: &mut [f32],
) {
    let blocks = columns.bias.len() / BLOCK;
    let weight_sums = columns.weight_sums.as_chunks::<BLOCK>().0;
    let scales = columns.scales.as_chunks::<BLOCK>().0;
    let bias = columns.bias.as_chunks::<BLOCK>().0;
    for block in 0..blocks {
        let (weight_sums, scales, bias) = (&weight_sums[block], &scales[block], &bias[block]);
        let at = from + block * BLOCK;
        let tile = sums[block..].iter().step_by(blocks).zip(steps);
        for ((sums, step), y) in tile.zip(y.chunks_mut(outputs)) {
            let value = |lane: usize| {
                let sum = sums[lane] - step.zero * weight_sums[lane];
                sum as f32 * (step.scale * scales[lane]) + bias[lane]
            };
            match y[at..].first_chunk_mut::<BLOCK>() {
                // Of a fixed length, so that it stays in one register.
                Some(y) => *y = std::array::from_fn(value),
                None => y[at..]
                    .iter_mut()
                    .enumerate()
                    .for_each(|(lane, y)| *y = value(lane)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn forward(linear: &Int8Linear, x: &[f32]) -> Vec<f32> {
        let mut y = vec![f32::NAN; x.len() / linear.inputs() * linear.outputs()];
        linear.forward(x, &mut y, |_, _| ());
        y
    }

    /// The definition, written out: quantise, multiply integers, scale, add.
    fn naive(
        x: &[f32],
        weight: &[i8],
        (scales, bias): (&[f32], &[f32]),
        wide: &[usize],
        inputs: usize,
    ) -> Vec<f32> {
        let mut y = Vec::new();
        for x in x.chunks_exact(inputs) {
            let share = |i: usize, v: f32| if wide.contains(&i) { v / 4.0 } else { v };
            let shares: Vec<f32> = x.iter().enumerate().map(|(i, v)| share(i, *v)).collect();
            let high = shares.iter().fold(0f32, |m, v| m.max(*v));
            let low = shares.iter().fold(0f32, |m, v| m.min(*v));
            let s = if high > low {
                (high - low) / 255.0
            } else {
                1.0
            };
            let z = (-low / s).round_ties_even() as i32;
            let q = |(i, v): (usize, &f32)| {
                let bytes = if wide.contains(&i) { 4 } else { 1 };
                ((v / s).round_ties_even() as i32).clamp(-bytes * z, bytes * (255 - z))
            };
            let q: Vec<i32> = x.iter().enumerate().map(q).collect();
            for (o, w) in weight.chunks_exact(inputs).enumerate() {
                let sum: i32 = q.iter().zip(w).map(|(a, b)| a * i32::from(*b)).sum();
                y.push(sum as f32 * (s * scales[o]) + bias[o]);
            }
        }
        y
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn every_instruction_set_gives_the_bytes_of_the_definition(
            rows in 1usize..60, inputs in 1usize..70, outputs in 1usize..150, wide in prop::collection::btree_set(0usize..70, 0..4),
            seed in any::<u64>(),
        ) {
            let mut state = seed | 1;
            let mut next = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 40) as f32 / (1u64 << 24) as f32 * 2.0 - 1.0
            };
            let mut x: Vec<f32> = (0..rows * inputs).map(|_| next() * 9.0).collect();
            x[..inputs].fill(0.0);
            let wide: Vec<usize> = wide.into_iter().filter(|w| *w < inputs).collect();
            for row in x.chunks_exact_mut(inputs) {
                wide.iter().for_each(|w| row[*w] *= 5.0);
            }
            let weight: Vec<i8> = (0..inputs * outputs).map(|_| (next() * 127.5) as i8).collect();
            let scales: Vec<f32> = (0..outputs).map(|_| next().abs() * 0.01).collect();
            let bias: Vec<f32> = (0..outputs).map(|_| next()).collect();
            let expected = naive(&x, &weight, (&scales, &bias), &wide, inputs);
            for isa in Isa::available() {
                let size = (inputs, outputs);
                let linear = Int8Linear::with_isa(&weight, scales.clone(), bias.clone(), &wide, size, isa);
                let y = linear.map(|l| forward(&l, &x));
                prop_assert_eq!(y.as_deref(), Some(&expected[..]), "{:?}", isa);
            }
        }
    }

    #[test]
    fn a_row_of_infinities_and_nans_stays_in_bounds_and_is_no_number() {
        for x in [
            [f32::INFINITY, f32::NAN, -1.0, f32::NEG_INFINITY],
            [f32::NAN, 2.0, -1.0, 3.0],
            [-f32::NAN, 2.0, -1.0, 3.0],
            [2.0, f32::INFINITY, -1.0, 3.0],
            [f32::NEG_INFINITY, 0.0, -1.0, -3.0],
        ] {
            for isa in Isa::available() {
                for wide in [&[][..], &[0], &[1], &[0, 1]] {
                    let (scales, bias) = (vec![1.0; 2], vec![0.0; 2]);
                    let linear = Int8Linear::with_isa(&[127; 8], scales, bias, wide, (4, 2), isa);
                    let y = linear.map(|l| forward(&l, &x)).unwrap_or_default();
                    assert_eq!(y.len(), 2);
                    assert!(y.iter().all(|y| !y.is_finite()), "{x:?} {wide:?}: {y:?}");
                }
            }
        }
    }

    #[test]
    fn lengths_that_disagree_are_refused() {
        let new = |weights, scales, wide: &[usize]| {
            Int8Linear::new(
                &vec![0; weights],
                vec![1.0; scales],
                vec![0.0; 2],
                wide,
                (4, 2),
            )
        };
        assert!(new(8, 2, &[3, 0]).is_some());
        assert!(new(7, 2, &[]).is_none());
        assert!(new(8, 3, &[]).is_none());
        assert!(new(8, 2, &[4]).is_none());
        assert!(new(8, 2, &[1, 1]).is_none());
    }
}
