//! `y = x · Wᵀ` in float for any number of rows. A matrix library cuts its sums by the number of rows, so that a text alone and the same
//! text among others would differ in their last bits; here an element is one sum in 16 lanes, folded in a fixed order, whatever stands
//! beside it.
//!
//! A task is some columns of `y`, so that each weight is read once however many rows there are: decoding is bound by that. Weights
//! in bfloat16 stay so, at half the bytes.

use multiversion::multiversion;
use rayon::prelude::*;

/// Lanes of a sum: one 512-bit register.
pub(super) const LANES: usize = 16;
/// Columns of a task.
const COLUMNS: usize = 32;
/// Rows that stay in the processor's second cache while the columns of a task go by.
const ROWS: usize = 32;
/// Rows that are multiplied at once, and columns.
const TILE: (usize, usize) = (4, 2);

/// A float of 16 bits: the upper half of one of 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bf16(pub u16);

/// What a matrix is made of.
pub trait Weight: Copy + Send + Sync {
    /// As a float of 32 bits.
    fn value(self) -> f32;
    /// One task: `y` is `[columns][rows]`.
    fn task(x: &[f32], weight: &[Self], inputs: usize, y: &mut [f32]);
}

impl Weight for f32 {
    #[inline(always)]
    fn value(self) -> f32 {
        self
    }

    fn task(x: &[f32], weight: &[Self], inputs: usize, y: &mut [f32]) {
        columns_f32(x, weight, inputs, y);
    }
}

impl Weight for Bf16 {
    #[inline(always)]
    fn value(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    fn task(x: &[f32], weight: &[Self], inputs: usize, y: &mut [f32]) {
        columns_bf16(x, weight, inputs, y);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn columns_f32(x: &[f32], weight: &[f32], inputs: usize, y: &mut [f32]) {
    columns(x, weight, inputs, y);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn columns_bf16(x: &[f32], weight: &[Bf16], inputs: usize, y: &mut [f32]) {
    columns(x, weight, inputs, y);
}

/// `y = x · Wᵀ` of rows `[inputs]`: `weight` is `[outputs][inputs]`.
pub fn product<W: Weight>(x: &[f32], weight: &[W], inputs: usize) -> Vec<f32> {
    let (rows, outputs) = (x.len() / inputs, weight.len() / inputs);
    // Columns first, so that a task's part is in one piece.
    let mut turned = vec![0f32; rows * outputs];
    turned
        .par_chunks_mut((COLUMNS * rows).max(1))
        .zip(weight.par_chunks(COLUMNS * inputs))
        .for_each(|(y, weight)| W::task(x, weight, inputs, y));
    if rows < 2 {
        return turned;
    }
    let mut y = vec![0f32; rows * outputs];
    y.par_chunks_mut(LANES * outputs)
        .enumerate()
        .for_each(|(block, y)| {
            let rows_here = y.len() / outputs;
            for (column, turned) in turned.chunks_exact(rows).enumerate() {
                let values = &turned[block * LANES..][..rows_here];
                for (row, v) in values.iter().enumerate() {
                    y[row * outputs + column] = *v;
                }
            }
        });
    y
}

#[inline(always)]
fn columns<W: Weight>(x: &[f32], weight: &[W], inputs: usize, y: &mut [f32]) {
    let rows = x.len() / inputs;
    for (block, x) in x.chunks(ROWS * inputs).enumerate() {
        let first = block * ROWS;
        let pairs = weight.chunks(TILE.1 * inputs);
        for (weight, y) in pairs.zip(y.chunks_mut(TILE.1 * rows)) {
            for (quad, x) in x.chunks(TILE.0 * inputs).enumerate() {
                let at = first + quad * TILE.0;
                match (x.len() == TILE.0 * inputs, weight.len() == TILE.1 * inputs) {
                    (true, true) => tile::<W, { TILE.0 }, { TILE.1 }>(x, weight, inputs, y, at),
                    (true, false) => tile::<W, { TILE.0 }, 1>(x, weight, inputs, y, at),
                    (false, pair) => {
                        for (row, x) in x.chunks_exact(inputs).enumerate() {
                            match pair {
                                true => tile::<W, 1, { TILE.1 }>(x, weight, inputs, y, at + row),
                                false => tile::<W, 1, 1>(x, weight, inputs, y, at + row),
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Elements of `R` rows and `C` columns; `y` is `[C][rows]`, and the first row is number `at`.
#[inline(always)]
fn tile<W: Weight, const R: usize, const C: usize>(
    x: &[f32],
    weight: &[W],
    inputs: usize,
    y: &mut [f32],
    at: usize,
) {
    let rows = y.len() / C;
    let x: [&[f32]; R] = std::array::from_fn(|r| &x[r * inputs..][..inputs]);
    let weight: [&[W]; C] = std::array::from_fn(|c| &weight[c * inputs..][..inputs]);
    let mut lanes = [[[0f32; LANES]; C]; R];
    let whole = inputs / LANES * LANES;
    for from in (0..whole).step_by(LANES) {
        let w: [[f32; LANES]; C] =
            std::array::from_fn(|c| lane_values(&weight[c][from..][..LANES]));
        for (lanes, x) in lanes.iter_mut().zip(&x) {
            let x = &x[from..][..LANES];
            for (lanes, w) in lanes.iter_mut().zip(&w) {
                for ((lane, x), w) in lanes.iter_mut().zip(x).zip(w) {
                    *lane += x * w;
                }
            }
        }
    }
    for (lanes, x) in lanes.iter_mut().zip(&x) {
        for (lanes, w) in lanes.iter_mut().zip(&weight) {
            for ((lane, x), w) in lanes.iter_mut().zip(&x[whole..]).zip(&w[whole..]) {
                *lane += x * w.value();
            }
        }
    }
    for (row, lanes) in lanes.iter().enumerate() {
        for (column, lanes) in lanes.iter().enumerate() {
            y[column * rows + at + row] = fold(*lanes);
        }
    }
}

#[inline(always)]
fn lane_values<W: Weight>(weight: &[W]) -> [f32; LANES] {
    let mut values = [0f32; LANES];
    for (v, w) in values.iter_mut().zip(weight) {
        *v = w.value();
    }
    values
}

/// The sum of the lanes, in halves: always in the same order, and in few steps.
#[inline(always)]
pub(super) fn fold(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn a_product_is_what_it_is_in_double_precision() {
        for (rows, inputs, outputs) in [
            (1, 5, 3),
            (4, 16, 2),
            (7, 40, 67),
            (70, 33, 5),
            (37, 96, 64),
        ] {
            let (x, w) = (values(rows * inputs, 1), values(outputs * inputs, 2));
            let y = product(&x, &w, inputs);
            for (row, y) in y.chunks_exact(outputs).enumerate() {
                for (column, y) in y.iter().enumerate() {
                    let x = &x[row * inputs..][..inputs];
                    let w = &w[column * inputs..][..inputs];
                    let exact: f64 = x
                        .iter()
                        .zip(w)
                        .map(|(x, w)| f64::from(*x) * f64::from(*w))
                        .sum();
                    assert!(
                        (f64::from(*y) - exact).abs() < 1e-5,
                        "{rows} {inputs} {outputs}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_row_is_the_same_bits_alone_and_among_others() {
        let (inputs, outputs, rows) = (77, 45, 39);
        let (x, w) = (values(rows * inputs, 3), values(outputs * inputs, 4));
        let halves: Vec<Bf16> = w.iter().map(|w| Bf16((w.to_bits() >> 16) as u16)).collect();
        let (together, short) = (product(&x, &w, inputs), product(&x, &halves, inputs));
        for row in 0..rows {
            let x = &x[row * inputs..][..inputs];
            assert_eq!(product(x, &w, inputs), together[row * outputs..][..outputs]);
            assert_eq!(
                product(x, &halves, inputs),
                short[row * outputs..][..outputs]
            );
        }
        // Half a weight is the weight, where it has no more bits.
        let wide: Vec<f32> = halves.iter().map(|w| w.value()).collect();
        assert_eq!(product(&x, &wide, inputs), short);
    }
}
