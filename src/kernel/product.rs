//! `y = x · Wᵀ` in float for any number of rows. A matrix library cuts its sums by the number of rows, so that a text alone and the same
//! text among others would differ in their last bits; here an element is one sum in 16 lanes, folded in a fixed order, whatever stands
//! beside it.
//!
//! Weights in bfloat16 stay as they are stored, and are spread out a few rows at a time, into the processor's first cache, as they are
//! multiplied: decoding is bound by the bytes that are read. A task is some columns of `y`, so that each weight is read once for many rows.

use multiversion::multiversion;
use rayon::prelude::*;

/// Lanes of a sum: one 512-bit register.
pub(super) const LANES: usize = 16;
/// Columns of a task.
const COLUMNS: usize = 32;
/// Rows that stay in the processor's second cache while the columns of a task go by.
const ROWS: usize = 64;
/// Rows that are multiplied at once, and columns.
const TILE: (usize, usize) = (4, 2);

/// A float of 16 bits: the upper half of one of 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bf16(pub u16);

/// A matrix `[outputs][inputs]`.
#[derive(Debug, Clone, Copy)]
pub enum Weights<'a> {
    /// Floats of 32 bits.
    Float(&'a [f32]),
    /// Floats of 16 bits.
    Bf16(&'a [Bf16]),
}

impl<'a> Weights<'a> {
    /// Rows from number `first` on, as floats, perhaps in `room`.
    pub fn rows<'r>(
        self,
        first: usize,
        count: usize,
        inputs: usize,
        room: &'r mut Vec<f32>,
    ) -> &'r [f32]
    where
        'a: 'r,
    {
        let at = first * inputs..(first + count) * inputs;
        room.resize(count * inputs, 0.0);
        match self {
            Self::Float(weights) => return &weights[at],
            Self::Bf16(weights) => spread_bf16(&weights[at], room),
        }
        room
    }

    /// How many there are.
    fn count(self) -> usize {
        match self {
            Self::Float(weights) => weights.len(),
            Self::Bf16(weights) => weights.len(),
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn spread_bf16(weights: &[Bf16], out: &mut [f32]) {
    for (out, weight) in out.iter_mut().zip(weights) {
        *out = f32::from_bits(u32::from(weight.0) << 16);
    }
}

/// `y = x · Wᵀ` of rows `[inputs]`.
pub fn product(x: &[f32], weight: Weights<'_>, inputs: usize) -> Vec<f32> {
    let (rows, outputs) = (x.len() / inputs, weight.count() / inputs);
    // Columns first, so that a task's part is in one piece.
    let mut turned = vec![0f32; rows * outputs];
    turned
        .par_chunks_mut((COLUMNS * rows).max(1))
        .enumerate()
        .for_each_init(Vec::new, |room, (task, y)| {
            let first = task * COLUMNS;
            for x in x.chunks(ROWS * inputs).enumerate() {
                columns(x, (weight, first), inputs, y, rows, room);
            }
        });
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

/// Some rows of a task, whose block of rows has this number: `y` is `[columns][rows]`.
fn columns(
    (block, x): (usize, &[f32]),
    (weight, first): (Weights<'_>, usize),
    inputs: usize,
    y: &mut [f32],
    rows: usize,
    room: &mut Vec<f32>,
) {
    for (pair, y) in y.chunks_mut(TILE.1 * rows).enumerate() {
        let weight = weight.rows(first + pair * TILE.1, y.len() / rows, inputs, room);
        tiles(x, weight, inputs, y, block * ROWS);
    }
}

/// One or two columns of some rows, of which the first is number `first`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn tiles(x: &[f32], weight: &[f32], inputs: usize, y: &mut [f32], first: usize) {
    for (quad, x) in x.chunks(TILE.0 * inputs).enumerate() {
        let at = first + quad * TILE.0;
        let two = weight.len() == TILE.1 * inputs;
        match (x.len() == TILE.0 * inputs, two) {
            (true, true) => tile::<{ TILE.0 }, { TILE.1 }>(x, weight, inputs, y, at),
            (true, false) => tile::<{ TILE.0 }, 1>(x, weight, inputs, y, at),
            (false, _) => {
                for (row, x) in x.chunks_exact(inputs).enumerate() {
                    match two {
                        true => tile::<1, { TILE.1 }>(x, weight, inputs, y, at + row),
                        false => tile::<1, 1>(x, weight, inputs, y, at + row),
                    }
                }
            }
        }
    }
}

/// Elements of `R` rows and `C` columns; `y` is `[C][rows]`, and the first row is number `at`.
#[inline(always)]
fn tile<const R: usize, const C: usize>(
    x: &[f32],
    weight: &[f32],
    inputs: usize,
    y: &mut [f32],
    at: usize,
) {
    let rows = y.len() / C;
    let x: [&[f32]; R] = std::array::from_fn(|r| &x[r * inputs..][..inputs]);
    let weight: [&[f32]; C] = std::array::from_fn(|c| &weight[c * inputs..][..inputs]);
    let mut lanes = [[[0f32; LANES]; C]; R];
    let whole = inputs / LANES * LANES;
    for from in (0..whole).step_by(LANES) {
        let w: [[f32; LANES]; C] = std::array::from_fn(|c| in_lanes(&weight[c][from..]));
        for (lanes, x) in lanes.iter_mut().zip(&x) {
            let x = in_lanes(&x[from..]);
            for (lanes, w) in lanes.iter_mut().zip(&w) {
                for ((lane, x), w) in lanes.iter_mut().zip(&x).zip(w) {
                    *lane += x * w;
                }
            }
        }
    }
    for (lanes, x) in lanes.iter_mut().zip(&x) {
        for (lanes, w) in lanes.iter_mut().zip(&weight) {
            for ((lane, x), w) in lanes.iter_mut().zip(&x[whole..]).zip(&w[whole..]) {
                *lane += x * w;
            }
        }
    }
    for (row, lanes) in lanes.iter().enumerate() {
        for (column, lanes) in lanes.iter().enumerate() {
            y[column * rows + at + row] = fold(*lanes);
        }
    }
}

/// The first numbers, one a lane.
#[inline(always)]
fn in_lanes(values: &[f32]) -> [f32; LANES] {
    let mut lanes = [0f32; LANES];
    lanes.copy_from_slice(&values[..LANES]);
    lanes
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
    use super::super::testing::values;
    use super::*;

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
            let y = product(&x, Weights::Float(&w), inputs);
            for (row, y) in y.chunks_exact(outputs).enumerate() {
                for (column, y) in y.iter().enumerate() {
                    let x = x[row * inputs..][..inputs].iter();
                    let w = &w[column * inputs..][..inputs];
                    let exact: f64 = x.zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
                    let off = (f64::from(*y) - exact).abs();
                    assert!(off < 1e-5, "{rows} {inputs} {outputs}: {off}");
                }
            }
        }
    }

    #[test]
    fn a_row_is_the_same_bits_alone_and_among_others() {
        let (inputs, outputs, rows) = (96, 45, 71);
        let x = values(rows * inputs, 3);
        let w = values(outputs * inputs, 4);
        let halves: Vec<Bf16> = w.iter().map(|w| Bf16((w.to_bits() >> 16) as u16)).collect();
        for weight in [Weights::Float(&w), Weights::Bf16(&halves)] {
            let together = product(&x, weight, inputs);
            assert_eq!(together.len(), rows * outputs);
            for (x, together) in x.chunks(inputs).zip(together.chunks(outputs)) {
                assert_eq!(product(x, weight, inputs), together);
            }
            // What is spread out is what is multiplied.
            let spread = weight.rows(0, outputs, inputs, &mut Vec::new()).to_vec();
            assert!(spread.iter().all(|v| v.is_finite()));
            assert_eq!(product(&x, Weights::Float(&spread), inputs), together);
        }
    }
}
