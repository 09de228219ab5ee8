//! Blocks of the kinds that our products do not take, as those that they do.
//!
//! Q4_K is Q4_1 but for how its scales are written. All others become 8 bits, rounded to half a step of 127 at most (where half precision has a
//! normal number for the scale): as exactly as the rows are that they are multiplied with.

use candle_core::quantized::{GgmlDType, QTensor, ggml_file};
use candle_core::{Device, Tensor};
use half::f16;

use crate::error::Result;

/// Rows of a matrix that are floats at one time.
const ROWS: usize = 256;

/// Blocks of Q4_K as blocks of Q4_1.
pub fn of_q4_k(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() / 144 * 8 * 20);
    for block in data.chunks_exact(144) {
        let half = |at: usize| f16::from_le_bytes([block[at], block[at + 1]]).to_f32();
        let (scale, least) = (half(0), half(2));
        let (written, weights) = block[4..].split_at(12);
        for part in 0..8 {
            // Six bits each: those of the second half have their upper two where the first half has room.
            let (own_scale, own_least) = match part {
                0..4 => (written[part] & 63, written[part + 4] & 63),
                _ => {
                    let [low, above, above_least] =
                        [written[part + 4], written[part - 4], written[part]];
                    (low & 15 | above >> 6 << 4, low >> 4 | above_least >> 6 << 4)
                }
            };
            out.extend(f16::from_f32(scale * f32::from(own_scale)).to_le_bytes());
            out.extend(f16::from_f32(-least * f32::from(own_least)).to_le_bytes());
            // Two parts share 32 bytes; in Q4_1 it is the halves of one that share 16.
            let bytes = &weights[part / 2 * 32..][..32];
            let nibble = |i: usize| bytes[i] >> (part % 2 * 4) & 15;
            out.extend((0..16).map(|i| nibble(i) | nibble(i + 16) << 4));
        }
    }
    out
}

/// A matrix `[…][columns]` of any kind of blocks in blocks of Q8_0.
///
/// # Errors
/// [`Error::Model`](crate::Error::Model) when the library refuses them.
pub fn as_q8_0(kind: GgmlDType, data: &[u8], columns: usize) -> Result<Vec<u8>> {
    let row = columns / kind.block_size() * kind.type_size();
    let mut out = Vec::new();
    for data in data.chunks(ROWS * row) {
        let floats = floats(kind, data, vec![data.len() / row, columns])?;
        out.extend_from_slice(&QTensor::quantize(&floats, GgmlDType::Q8_0)?.data()?);
    }
    Ok(out)
}

/// Blocks as floats.
///
/// # Errors
/// As [`as_q8_0`].
pub fn floats(kind: GgmlDType, data: &[u8], shape: Vec<usize>) -> Result<Tensor> {
    // The library reads them where they lie, as words of up to 4 bytes.
    let mut room = Vec::new();
    let data = match data.as_ptr().align_offset(4) {
        0 => data,
        _ => {
            room.resize(data.len() + 4, 0);
            let at = room.as_ptr().align_offset(4).min(4);
            let place = &mut room[at..][..data.len()];
            place.copy_from_slice(data);
            place
        }
    };
    let tensor = ggml_file::qtensor_from_ggml(kind, data, shape, &Device::Cpu)?;
    Ok(tensor.dequantize(&Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::kernel::{Blocks, Packed};

    #[test]
    fn scales_that_are_no_numbers_in_half_precision_are_refused() {
        // 2,000 times 63 is past the largest half.
        let mut block = vec![0u8; 144];
        block[..2].copy_from_slice(&f16::from_f32(2000.0).to_le_bytes());
        block[4..16].fill(63);
        let packed = |block: &[u8]| Packed::new(Blocks::Q4_1, &of_q4_k(block), (256, 1));
        assert!(packed(&block).is_none());
        block[..2].copy_from_slice(&f16::from_f32(1000.0).to_le_bytes());
        assert!(packed(&block).is_some());
        let mut block = vec![0u8; 34];
        block[1] = 0x7e;
        assert!(Packed::new(Blocks::Q8_0, &block, (32, 1)).is_none());
    }

    #[test]
    fn every_kind_is_what_it_spreads_out_to_or_next_to_it() {
        let (rows, columns) = (3, 512);
        let values: Vec<f32> = (0..rows * columns)
            .map(|i| ((i * 7919 % 1009) as f32 / 504.0 - 1.0) * (1.0 + (i / 32 % 5) as f32))
            .collect();
        let values = Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap();
        for kind in [
            GgmlDType::Q2K,
            GgmlDType::Q3K,
            GgmlDType::Q4K,
            GgmlDType::Q5K,
            GgmlDType::Q6K,
            GgmlDType::Q5_0,
            GgmlDType::Q5_1,
            GgmlDType::Q4_0,
            GgmlDType::Q4_1,
            GgmlDType::Q8_0,
        ] {
            let quantised = QTensor::quantize(&values, kind).unwrap();
            let data = quantised.data().unwrap();
            let as_they_are = |kind| (Packed::new(kind, &data, (columns, rows)), 1e-6);
            let (packed, most) = match kind {
                GgmlDType::Q4_0 => as_they_are(Blocks::Q4_0),
                GgmlDType::Q4_1 => as_they_are(Blocks::Q4_1),
                GgmlDType::Q8_0 => as_they_are(Blocks::Q8_0),
                // Scale and least value become halves, each off by 2⁻¹² of itself: together they are up to three times the top, and rounding twice
                // comes to as much again.
                GgmlDType::Q4K => (
                    Packed::new(Blocks::Q4_1, &of_q4_k(&data), (columns, rows)),
                    1.5e-3,
                ),
                _ => {
                    let bytes = as_q8_0(kind, &data, columns).unwrap();
                    (
                        Packed::new(Blocks::Q8_0, &bytes, (columns, rows)),
                        0.5 / 127.0 + 1e-3,
                    )
                }
            };
            let packed = packed.unwrap();
            let spread = quantised.dequantize(&Device::Cpu).unwrap();
            let spread: Vec<Vec<f32>> = spread.to_vec2().unwrap();
            for (row, spread) in spread.iter().enumerate() {
                let found = packed.row(row);
                for (found, wanted) in found.chunks(32).zip(spread.chunks(32)) {
                    let top = wanted.iter().fold(0f32, |top, v| top.max(v.abs()));
                    for (found, wanted) in found.iter().zip(wanted) {
                        assert!(
                            (found - wanted).abs() <= top * most,
                            "{kind:?}: {found} {wanted}"
                        );
                    }
                }
            }
        }
    }
}
