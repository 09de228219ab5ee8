//! Rows of floats as bytes: 256 steps over a row's range, and several bytes for its wide inputs.

use multiversion::multiversion;

use super::{GROUP, SHARES};
use crate::kernel::float::ROUND;

/// What a row's bytes mean: `(byte - zero) · scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    pub scale: f32,
    pub zero: i32,
}

/// Quantised rows, each zero-padded to whole groups.
pub(super) struct Rows {
    pub bytes: Vec<u8>,
    pub steps: Vec<Step>,
}

/// Bytes of a quantised row: its inputs in whole groups, then the shares of the wide ones.
pub(super) fn row_bytes(inputs: usize, wide: usize) -> usize {
    inputs.next_multiple_of(GROUP) + (SHARES * wide).next_multiple_of(GROUP)
}

impl Rows {
    /// The rows of `x` `[rows][inputs]`.
    pub fn quantise(x: &[f32], inputs: usize, wide: &[usize]) -> Self {
        let stride = row_bytes(inputs, wide.len());
        let rows = x.len() / inputs;
        let mut bytes = vec![0u8; rows * stride];
        let mut steps = vec![
            Step {
                scale: 1.0,
                zero: 0
            };
            rows
        ];
        quantise_rows(x, inputs, wide, &mut bytes, &mut steps);
        Self { bytes, steps }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
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
        // A row that holds NaN has the scale NaN, and so have its products.
        let scale = if scale == 0.0 { 1.0 } else { scale };
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
