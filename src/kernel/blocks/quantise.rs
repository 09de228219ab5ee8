//! Rows of floats as signed bytes, with a scale for each block of 32: what meets the blocks of the weights.

use multiversion::multiversion;

use super::BLOCK;
use crate::kernel::float::ROUND;

/// Rows in blocks of bytes: each stands for `byte · scale`.
#[derive(Debug)]
pub(super) struct Rows {
    /// `[rows][inputs]`, from -127 to 127.
    bytes: Vec<i8>,
    /// Of each block its scale.
    scales: Vec<f32>,
    /// The sum of its bytes, times -8: what weights of 4 bits that begin at -8 have too much.
    lows: Vec<i32>,
    /// The sum of its bytes times its scale: what a block's least value is multiplied by.
    sums: Vec<f32>,
    inputs: usize,
}

/// One of the rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub bytes: &'a [i8],
    pub scales: &'a [f32],
    pub lows: &'a [i32],
    pub sums: &'a [f32],
}

impl Rows {
    /// The rows of `x` `[rows][inputs]`, whole blocks each.
    pub fn quantise(x: &[f32], inputs: usize) -> Self {
        let blocks = x.len() / BLOCK;
        let mut rows = Self {
            bytes: vec![0; x.len()],
            scales: vec![0.0; blocks],
            lows: vec![0; blocks],
            sums: vec![0.0; blocks],
            inputs,
        };
        quantise_blocks(
            x,
            &mut rows.bytes,
            &mut rows.scales,
            &mut rows.lows,
            &mut rows.sums,
        );
        rows
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.bytes.len() / self.inputs
    }

    /// Row number `row`.
    pub fn line(&self, row: usize) -> Line<'_> {
        let blocks = self.inputs / BLOCK;
        let own = row * blocks..(row + 1) * blocks;
        Line {
            bytes: &self.bytes[row * self.inputs..][..self.inputs],
            scales: &self.scales[own.clone()],
            lows: &self.lows[own.clone()],
            sums: &self.sums[own],
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn quantise_blocks(
    x: &[f32],
    bytes: &mut [i8],
    scales: &mut [f32],
    lows: &mut [i32],
    sums: &mut [f32],
) {
    let (x, bytes) = (x.as_chunks::<BLOCK>().0, bytes.as_chunks_mut::<BLOCK>().0);
    let told = scales.iter_mut().zip(lows).zip(sums);
    for ((x, bytes), ((scale, low), sum)) in x.iter().zip(bytes).zip(told) {
        // Bits of floats without their sign order like integers, in which NaN is the largest.
        let top = x
            .iter()
            .fold(0, |top: u32, v| top.max(v.to_bits() & 0x7fff_ffff));
        let top = f32::from_bits(top);
        *scale = top / 127.0;
        // Of what is next to nothing, or no number, the scale alone is told.
        let steps = match top > 1e-30 && top < f32::INFINITY {
            true => 127.0 / top,
            false => 0.0,
        };
        let mut total = 0i32;
        for (byte, v) in bytes.iter_mut().zip(x) {
            // Rounded by an addition, because a conversion would not vectorise.
            let rounded = (v * steps + ROUND)
                .to_bits()
                .wrapping_sub(ROUND.to_bits())
                .cast_signed();
            let rounded = rounded.clamp(-127, 127);
            *byte = rounded as i8;
            total += rounded;
        }
        *low = -8 * total;
        *sum = *scale * total as f32;
    }
}
