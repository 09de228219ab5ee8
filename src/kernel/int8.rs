//! The 8-bit linear layer: int8 weights with one scale an output, rows quantised at run time, exact 32-bit sums.
//!
//! A row `x` becomes the bytes `round(x / s) + z` (ties to even), of which the 256 span its range, zero included: `s = (max - min) / 255`,
//! `z = round(-min / s)`. They are unsigned because the dot-product instructions (`vpdpbusd`) multiply unsigned by signed; `z` is taken out
//! again with the weights' sums. A few inputs that are far larger than the others would make every row's `s` coarse, so the layer may be
//! told of such *wide* inputs: each has its number spread over [`SHARES`] bytes, with its weights under each (the outlier channels of
//! Dettmers et al. 2022, arXiv 2208.07339, kept in the same product).
//! All paths give the same integers and the same float tail, so they give the same bytes.

use std::collections::BTreeSet;

use multiversion::multiversion;
use rayon::prelude::*;

use super::float::{ROUND, gelu};

/// Outputs in a packed block: one 512-bit register of 32-bit sums.
const BLOCK: usize = 16;
/// Inputs that one dot-product instruction takes for each output.
const GROUP: usize = 4;
/// Bytes of a wide input.
const SHARES: usize = 4;
/// Rows that one task quantises and multiplies: small enough to share one article among threads, large enough to reuse weights.
const TASK_ROWS: usize = 24;

/// Instruction sets that the product knows, best last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Plain Rust.
    Portable,
    /// AVX2: widened 16-bit products.
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
            if is_x86_feature_detected!("avx2") {
                found.push(Self::Avx2);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxvnni") {
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
    /// `[outputs / 16][bytes of a row / 4][16][4]`, zero under a wide input's own place and where the sizes do not divide.
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
        let groups = row_bytes / GROUP;
        let blocks = outputs.div_ceil(BLOCK);
        let mut packed = vec![0i8; blocks * groups * BLOCK * GROUP];
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
            for (g, four) in line.chunks_exact(GROUP).enumerate() {
                let at = ((block * groups + g) * BLOCK + lane) * GROUP;
                packed[at..at + GROUP].copy_from_slice(four);
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

    fn multiply(&self, rows: &Rows, y: &mut [f32]) {
        match self.isa {
            Isa::Portable => self.tiles::<1>(rows, y, portable),
            // SAFETY (all three): `with_isa` refuses a set that this processor lacks.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => self.tiles::<1>(rows, y, |a, w, sums| unsafe { x86::avx2(a, w, sums) }),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => {
                self.tiles::<1>(rows, y, |a, w, sums| unsafe { x86::avx_vnni(a, w, sums) })
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => self.tiles::<4>(rows, y, |a, w, sums| unsafe {
                x86::avx512_vnni(a, w, sums)
            }),
            #[cfg(not(target_arch = "x86_64"))]
            _ => self.tiles::<1>(rows, y, portable),
        }
    }

    /// Walks `y` in tiles of up to [`TILE_ROWS`] rows by `BLOCKS` blocks of outputs; `dot` fills a tile's sums.
    fn tiles<const BLOCKS: usize>(
        &self,
        rows: &Rows,
        y: &mut [f32],
        dot: impl Fn(&[&[u8]], &[i8], &mut [Sums]),
    ) {
        let block_bytes = rows.stride * BLOCK;
        let mut sums = vec![[0i32; BLOCK]; TILE_ROWS * BLOCKS];
        let mut lines: Vec<&[u8]> = Vec::with_capacity(TILE_ROWS);
        for first_block in (0..self.weight_sums.len() / BLOCK).step_by(BLOCKS) {
            let weights = &self.packed[first_block * block_bytes..];
            let blocks = BLOCKS.min(weights.len() / block_bytes);
            let weights = &weights[..blocks * block_bytes];
            for first_row in (0..rows.steps.len()).step_by(TILE_ROWS) {
                lines.clear();
                lines.extend(
                    rows.bytes[first_row * rows.stride..]
                        .chunks_exact(rows.stride)
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
                let steps = &rows.steps[first_row..][..lines.len()];
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
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn finish(
    sums: &[Sums],
    steps: &[Step],
    columns: Columns<'_>,
    (from, outputs): (usize, usize),
    y: &mut [f32],
) {
    let blocks = columns.bias.len() / BLOCK;
    let tile = sums.chunks_exact(blocks).zip(steps);
    for ((sums, step), y) in tile.zip(y.chunks_exact_mut(outputs)) {
        let lanes = columns.weight_sums.iter();
        let lanes = lanes.zip(columns.scales).zip(columns.bias);
        let sums = sums.as_flattened().iter();
        for ((y, sum), ((weights, scale), bias)) in y[from..].iter_mut().zip(sums).zip(lanes) {
            *y = (sum - step.zero * weights) as f32 * (step.scale * scale) + bias;
        }
    }
}

/// 32-bit sums of one row with one block of outputs.
type Sums = [i32; BLOCK];
/// Rows of a tile: as many as the registers hold sums for.
const TILE_ROWS: usize = 6;

/// What a row's bytes mean: `(byte - zero) · scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    scale: f32,
    zero: i32,
}

/// Quantised rows, each zero-padded to whole groups.
struct Rows {
    bytes: Vec<u8>,
    steps: Vec<Step>,
    stride: usize,
}

/// Bytes of a quantised row: its inputs in whole groups, then the shares of the wide ones.
fn row_bytes(inputs: usize, wide: usize) -> usize {
    inputs.next_multiple_of(GROUP) + (SHARES * wide).next_multiple_of(GROUP)
}

impl Int8Linear {
    fn quantise(&self, x: &[f32]) -> Rows {
        let stride = row_bytes(self.inputs, self.wide.len());
        let rows = x.len() / self.inputs;
        let mut bytes = vec![0u8; rows * stride];
        let mut steps = vec![
            Step {
                scale: 1.0,
                zero: 0
            };
            rows
        ];
        quantise_rows(x, self.inputs, &self.wide, &mut bytes, &mut steps);
        Rows {
            bytes,
            steps,
            stride,
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn quantise_rows(x: &[f32], inputs: usize, wide: &[usize], bytes: &mut [u8], steps: &mut [Step]) {
    let stride = bytes.len() / steps.len().max(1);
    let mut narrow = vec![0f32; inputs];
    let rows = x.chunks_exact(inputs).zip(bytes.chunks_exact_mut(stride));
    for ((x, bytes), step) in rows.zip(steps) {
        narrow.copy_from_slice(x);
        for &w in wide {
            narrow[w] = 0.0;
        }
        // Bits of floats of one sign order like integers, and an integer maximum vectorises.
        let above = |top: i32, v: f32| top.max(v.to_bits().cast_signed());
        let mut ends = (
            narrow.iter().fold(0, |top, v| above(top, *v)),
            narrow.iter().fold(0, |top, v| above(top, -v)),
        );
        for &w in wide {
            let share = x[w] / SHARES as f32;
            ends = (above(ends.0, share), above(ends.1, -share));
        }
        let [high, low] = [ends.0, ends.1].map(|bits| f32::from_bits(bits.cast_unsigned()));
        let scale = (high + low) / 255.0;
        let scale = if scale > 0.0 { scale } else { 1.0 };
        let zero = nearest(low / scale).clamp(0, 255);
        *step = Step { scale, zero };
        for (b, v) in bytes.iter_mut().zip(&narrow) {
            *b = nearest(v / scale).wrapping_add(zero).clamp(0, 255) as u8;
        }
        let shares = &mut bytes[stride - SHARES * wide.len()..];
        for (shares, &w) in shares.chunks_exact_mut(SHARES).zip(wide) {
            let mut rest = nearest(x[w] / scale) + SHARES as i32 * zero;
            for share in shares {
                *share = rest.clamp(0, 255) as u8;
                rest -= i32::from(*share);
            }
        }
    }
}

/// The nearest integer, ties to even, of a number that a row's bytes can hold; what they cannot (from an infinity) ends at their edge.
///
/// Rounded by an addition, because a conversion would not vectorise.
#[inline(always)]
fn nearest(v: f32) -> i32 {
    let most = (256 * SHARES) as f32;
    (v.clamp(-most, most) + ROUND)
        .to_bits()
        .wrapping_sub(ROUND.to_bits())
        .cast_signed()
}

/// Sums of `rows` with each block of `weights`, row by row, in plain Rust.
fn portable(rows: &[&[u8]], weights: &[i8], sums: &mut [Sums]) {
    for (row, sums) in rows
        .iter()
        .zip(sums.chunks_exact_mut(sums.len() / rows.len()))
    {
        for (weights, sums) in weights.chunks_exact(row.len() * BLOCK).zip(sums) {
            *sums = [0; BLOCK];
            for (four, weights) in row
                .chunks_exact(GROUP)
                .zip(weights.chunks_exact(BLOCK * GROUP))
            {
                let a = [four[0], four[1], four[2], four[3]].map(i32::from);
                for (sum, w) in sums.iter_mut().zip(weights.chunks_exact(GROUP)) {
                    let w = [w[0], w[1], w[2], w[3]].map(i32::from);
                    *sum += a[0] * w[0] + a[1] * w[1] + a[2] * w[2] + a[3] * w[3];
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! The same sums with vector instructions. Each function takes at most [`TILE_ROWS`] rows of equal length, a multiple of 4.

    use std::arch::x86_64::*;

    use super::{BLOCK, GROUP, Sums, TILE_ROWS};

    /// Bytes of a block for one group of inputs.
    const STEP: usize = BLOCK * GROUP;

    /// Four input bytes, repeated over a register by the caller.
    #[inline(always)]
    fn four(row: &[u8], group: usize) -> i32 {
        let at = group * GROUP;
        i32::from_le_bytes([row[at], row[at + 1], row[at + 2], row[at + 3]])
    }

    #[target_feature(enable = "avx2")]
    pub fn avx2(rows: &[&[u8]], weights: &[i8], sums: &mut [Sums]) {
        let each = sums.len() / rows.len();
        for (row, sums) in rows.iter().zip(sums.chunks_exact_mut(each)) {
            for (weights, sums) in weights.chunks_exact(row.len() * BLOCK).zip(sums) {
                // Each register holds four outputs, two half sums each.
                let mut acc = [_mm256_setzero_si256(); 4];
                for (g, w) in weights.chunks_exact(STEP).enumerate() {
                    let a = _mm256_cvtepu8_epi16(_mm_set1_epi32(four(row, g)));
                    for (acc, w) in acc.iter_mut().zip(w.chunks_exact(16)) {
                        // SAFETY: `w` holds 16 bytes; the load needs no alignment.
                        let w = unsafe { _mm_loadu_si128(w.as_ptr().cast()) };
                        *acc =
                            _mm256_add_epi32(*acc, _mm256_madd_epi16(a, _mm256_cvtepi8_epi16(w)));
                    }
                }
                for (acc, sums) in acc.iter().zip(sums.chunks_exact_mut(4)) {
                    let mut halves = [0i32; 8];
                    // SAFETY: `halves` holds 32 bytes; the store needs no alignment.
                    unsafe { _mm256_storeu_si256(halves.as_mut_ptr().cast(), *acc) };
                    for (sum, pair) in sums.iter_mut().zip(halves.chunks_exact(2)) {
                        *sum = pair[0] + pair[1];
                    }
                }
            }
        }
    }

    #[target_feature(enable = "avx2,avxvnni")]
    pub fn avx_vnni(rows: &[&[u8]], weights: &[i8], sums: &mut [Sums]) {
        match rows.len() {
            1 => avx_vnni_rows::<1>(rows, weights, sums),
            2 => avx_vnni_rows::<2>(rows, weights, sums),
            3 => avx_vnni_rows::<3>(rows, weights, sums),
            4 => avx_vnni_rows::<4>(rows, weights, sums),
            5 => avx_vnni_rows::<5>(rows, weights, sums),
            _ => avx_vnni_rows::<TILE_ROWS>(rows, weights, sums),
        }
    }

    #[target_feature(enable = "avx2,avxvnni")]
    fn avx_vnni_rows<const ROWS: usize>(rows: &[&[u8]], weights: &[i8], sums: &mut [Sums]) {
        let lines = lines::<ROWS>(rows);
        assert!(sums.len() >= ROWS && weights.len() >= rows[0].len() * BLOCK);
        let mut acc = [[_mm256_setzero_si256(); 2]; ROWS];
        for g in 0..rows[0].len() / GROUP {
            // SAFETY: `g * STEP + 64 <= weights.len()`, checked above; the loads need no alignment.
            let w = unsafe {
                let w = weights.as_ptr().add(g * STEP);
                [
                    _mm256_loadu_si256(w.cast()),
                    _mm256_loadu_si256(w.add(32).cast()),
                ]
            };
            for (acc, line) in acc.iter_mut().zip(&lines) {
                // SAFETY: each line is as long as the first.
                let a = _mm256_set1_epi32(unsafe {
                    line.add(g * GROUP).cast::<i32>().read_unaligned()
                });
                acc[0] = _mm256_dpbusd_avx_epi32(acc[0], a, w[0]);
                acc[1] = _mm256_dpbusd_avx_epi32(acc[1], a, w[1]);
            }
        }
        for (acc, sums) in acc.iter().zip(sums) {
            // SAFETY: `sums` holds 64 bytes; the stores need no alignment.
            unsafe {
                _mm256_storeu_si256(sums.as_mut_ptr().cast(), acc[0]);
                _mm256_storeu_si256(sums.as_mut_ptr().add(8).cast(), acc[1]);
            }
        }
    }

    /// Starts of the first `ROWS` rows, all as long as the first: with a fixed count the sums stay in registers.
    #[inline(always)]
    fn lines<const ROWS: usize>(rows: &[&[u8]]) -> [*const u8; ROWS] {
        std::array::from_fn(|r| {
            assert_eq!(rows[r].len(), rows[0].len());
            rows[r].as_ptr()
        })
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub fn avx512_vnni(rows: &[&[u8]], weights: &[i8], sums: &mut [Sums]) {
        let blocks = sums.len() / rows.len();
        if blocks == 4 {
            match rows.len() {
                1 => avx512_vnni_tile::<1, 4>(rows, weights, sums),
                2 => avx512_vnni_tile::<2, 4>(rows, weights, sums),
                3 => avx512_vnni_tile::<3, 4>(rows, weights, sums),
                4 => avx512_vnni_tile::<4, 4>(rows, weights, sums),
                5 => avx512_vnni_tile::<5, 4>(rows, weights, sums),
                _ => avx512_vnni_tile::<TILE_ROWS, 4>(rows, weights, sums),
            }
            return;
        }
        // The last few blocks of a width that does not divide by 64.
        for (row, sums) in rows.iter().zip(sums.chunks_exact_mut(blocks)) {
            for (weights, sums) in weights.chunks_exact(row.len() * BLOCK).zip(sums) {
                avx512_vnni_tile::<1, 1>(&[row], weights, std::slice::from_mut(sums));
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn avx512_vnni_tile<const ROWS: usize, const BLOCKS: usize>(
        rows: &[&[u8]],
        weights: &[i8],
        sums: &mut [Sums],
    ) {
        let groups = rows[0].len() / GROUP;
        let block = groups * STEP;
        let lines = lines::<ROWS>(rows);
        assert!(weights.len() >= BLOCKS * block && sums.len() >= ROWS * BLOCKS);
        let mut acc = [[_mm512_setzero_si512(); BLOCKS]; ROWS];
        for g in 0..groups {
            let mut w = [_mm512_setzero_si512(); BLOCKS];
            for (b, w) in w.iter_mut().enumerate() {
                // SAFETY: `b * block + g * STEP + 64 <= BLOCKS * block`, checked above; the load needs no alignment.
                *w = unsafe {
                    _mm512_loadu_si512(weights.as_ptr().add(b * block + g * STEP).cast())
                };
            }
            for (acc, line) in acc.iter_mut().zip(&lines) {
                // SAFETY: each line is as long as the first.
                let a = unsafe { line.add(g * GROUP).cast::<i32>().read_unaligned() };
                let a = _mm512_set1_epi32(a);
                for (acc, w) in acc.iter_mut().zip(&w) {
                    *acc = _mm512_dpbusd_epi32(*acc, a, *w);
                }
            }
        }
        for (acc, sums) in acc.iter().zip(sums.chunks_exact_mut(BLOCKS)) {
            for (acc, sums) in acc.iter().zip(sums) {
                // SAFETY: `sums` holds 64 bytes; the store needs no alignment.
                unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), *acc) };
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
    fn a_row_of_infinities_and_nans_stays_in_bounds() {
        let x = [f32::INFINITY, f32::NAN, -1.0, f32::NEG_INFINITY];
        for (isa, wide) in Isa::available()
            .into_iter()
            .zip([&[][..], &[0], &[1], &[0, 1]].into_iter().cycle())
        {
            let (scales, bias) = (vec![1.0; 2], vec![0.0; 2]);
            let linear = Int8Linear::with_isa(&[127; 8], scales, bias, wide, (4, 2), isa);
            assert_eq!(linear.map(|l| forward(&l, &x).len()), Some(2));
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
