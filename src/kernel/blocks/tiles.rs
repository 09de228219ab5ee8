//! A tile: 16 outputs of some rows, in plain Rust and with each instruction set. The integer sum of a block is exact; then
//! `y += sum · (scale of the weights · scale of the row)` (and `y += least value · sum of the row`), each addition fused with its
//! multiplication, block after block. So all paths give the same bits.

#[cfg(target_arch = "x86_64")]
use super::TILE_ROWS;
use super::quantise::Line;
use super::{BLOCK, Format, GROUP, OUTPUTS, half};

/// Outputs of a tile, of one row.
pub(super) type Tile = [f32; OUTPUTS];

/// One row with one tile of weights.
pub(super) fn portable<F: Format>(line: Line<'_>, weights: &[u8]) -> Tile {
    let mut y = [0f32; OUTPUTS];
    let blocks = weights
        .chunks_exact(F::BYTES)
        .zip(line.bytes.as_chunks::<BLOCK>().0);
    for (block, (weights, bytes)) in blocks.enumerate() {
        let weight = weights[F::HEAD..].as_chunks::<{ GROUP * OUTPUTS }>().0;
        for (output, y) in y.iter_mut().enumerate() {
            let mut sum = 0;
            for (i, byte) in bytes.iter().enumerate() {
                sum += (F::weight(weight, output, i) - F::OFFSET) * i32::from(*byte);
            }
            let scale = half(weights, 2 * output) * line.scales[block];
            *y = (sum as f32).mul_add(scale, *y);
            if F::LEAST {
                *y = half(weights, 2 * (OUTPUTS + output)).mul_add(line.sums[block], *y);
            }
        }
    }
    y
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    //! The same with vector instructions. Rows and weights have as many blocks.

    use std::arch::x86_64::*;

    use super::{BLOCK, Format, GROUP, Line, OUTPUTS, TILE_ROWS, Tile};

    /// Bytes of one group of inputs for all outputs of a tile.
    const STEP: usize = OUTPUTS * GROUP;

    /// How many blocks there are; all that is read of the rows and the weights has as many.
    #[inline(always)]
    fn blocks<F: Format>(lines: &[Line<'_>], weights: &[u8]) -> usize {
        let blocks = weights.len() / F::BYTES;
        for line in lines {
            assert!(line.bytes.len() >= blocks * BLOCK && line.scales.len() >= blocks);
            assert!(line.lows.len() >= blocks && line.sums.len() >= blocks);
        }
        blocks
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub fn avx512<F: Format>(lines: &[Line<'_>], weights: &[u8], y: &mut [Tile]) {
        for (lines, y) in lines.chunks(TILE_ROWS).zip(y.chunks_mut(TILE_ROWS)) {
            match lines.len() {
                1 => avx512_rows::<F, 1>(lines, weights, y),
                2 => avx512_rows::<F, 2>(lines, weights, y),
                3 => avx512_rows::<F, 3>(lines, weights, y),
                4 => avx512_rows::<F, 4>(lines, weights, y),
                5 => avx512_rows::<F, 5>(lines, weights, y),
                6 => avx512_rows::<F, 6>(lines, weights, y),
                7 => avx512_rows::<F, 7>(lines, weights, y),
                _ => avx512_rows::<F, TILE_ROWS>(lines, weights, y),
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn avx512_rows<F: Format, const R: usize>(
        lines: &[Line<'_>],
        weights: &[u8],
        tiles: &mut [Tile],
    ) {
        let (Some(lines), Some(tiles)) = (lines.first_chunk::<R>(), tiles.first_chunk_mut::<R>())
        else {
            return;
        };
        let mut y = [_mm512_setzero_ps(); R];
        let low_bits = _mm512_set1_epi8(15);
        for block in 0..blocks::<F>(lines, weights) {
            // SAFETY: the weights hold this block; no load needs alignment.
            let weights = unsafe { weights.as_ptr().add(block * F::BYTES) };
            // SAFETY: a block begins with 16 halves, and has 16 more where it has least values.
            let head =
                |at: usize| unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(weights.add(at).cast())) };
            // SAFETY: `F::HEAD + 64 (at + 1) <= F::BYTES` for each `at` below.
            let register =
                |at: usize| unsafe { _mm512_loadu_si512(weights.add(F::HEAD + at * STEP).cast()) };
            // SAFETY: `blocks` has seen that each row has this block, of 8 groups.
            let four = |line: &Line<'_>, group: usize| unsafe {
                let at = line.bytes.as_ptr().add(block * BLOCK + group * GROUP);
                _mm512_set1_epi32(at.cast::<i32>().read_unaligned())
            };
            let mut sums = [_mm512_setzero_si512(); R];
            if F::OFFSET != 0 {
                for (sum, line) in sums.iter_mut().zip(lines) {
                    let low = _mm512_set1_epi32(line.lows[block]);
                    // Bytes begin at -128, nibbles at -8.
                    *sum = match F::NIBBLES {
                        true => low,
                        false => _mm512_slli_epi32::<4>(low),
                    };
                }
            }
            if F::NIBBLES {
                for at in 0..BLOCK / GROUP / 2 {
                    let both = register(at);
                    let low = _mm512_and_si512(both, low_bits);
                    let high = _mm512_and_si512(_mm512_srli_epi16::<4>(both), low_bits);
                    for (sum, line) in sums.iter_mut().zip(lines) {
                        *sum = _mm512_dpbusd_epi32(*sum, low, four(line, at));
                        *sum = _mm512_dpbusd_epi32(*sum, high, four(line, at + BLOCK / GROUP / 2));
                    }
                }
            } else {
                for at in 0..BLOCK / GROUP {
                    let weight = register(at);
                    for (sum, line) in sums.iter_mut().zip(lines) {
                        *sum = _mm512_dpbusd_epi32(*sum, weight, four(line, at));
                    }
                }
            }
            let scale = head(0);
            for ((y, sum), line) in y.iter_mut().zip(&sums).zip(lines) {
                let scale = _mm512_mul_ps(scale, _mm512_set1_ps(line.scales[block]));
                *y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(*sum), scale, *y);
            }
            if F::LEAST {
                let least = head(2 * OUTPUTS);
                for (y, line) in y.iter_mut().zip(lines) {
                    *y = _mm512_fmadd_ps(least, _mm512_set1_ps(line.sums[block]), *y);
                }
            }
        }
        for (tile, y) in tiles.iter_mut().zip(&y) {
            // SAFETY: a tile holds 64 bytes; the store needs no alignment.
            unsafe { _mm512_storeu_ps(tile.as_mut_ptr(), *y) };
        }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub fn avx2<F: Format>(lines: &[Line<'_>], weights: &[u8], y: &mut [Tile]) {
        const ROWS: usize = TILE_ROWS / 2;
        for (lines, y) in lines.chunks(ROWS).zip(y.chunks_mut(ROWS)) {
            match lines.len() {
                1 => avx2_rows::<F, 1>(lines, weights, y),
                2 => avx2_rows::<F, 2>(lines, weights, y),
                3 => avx2_rows::<F, 3>(lines, weights, y),
                _ => avx2_rows::<F, ROWS>(lines, weights, y),
            }
        }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    fn avx2_rows<F: Format, const R: usize>(
        lines: &[Line<'_>],
        weights: &[u8],
        tiles: &mut [Tile],
    ) {
        let (Some(lines), Some(tiles)) = (lines.first_chunk::<R>(), tiles.first_chunk_mut::<R>())
        else {
            return;
        };
        let low_bits = _mm256_set1_epi8(15);
        let (sign, ones) = (_mm256_set1_epi8(i8::MIN), _mm256_set1_epi16(1));
        let blocks = blocks::<F>(lines, weights);
        // Eight outputs, then the others.
        for side in 0..2 {
            let mut y = [_mm256_setzero_ps(); R];
            for block in 0..blocks {
                // SAFETY: the weights hold this block; no load needs alignment.
                let weights = unsafe { weights.as_ptr().add(block * F::BYTES) };
                // SAFETY: as in `avx512`, of which this is half.
                let head = |at: usize| unsafe {
                    _mm256_cvtph_ps(_mm_loadu_si128(weights.add(at + side * 16).cast()))
                };
                // SAFETY: as in `avx512`, of which this is half.
                let register = |at: usize| unsafe {
                    let at = F::HEAD + at * STEP + side * STEP / 2;
                    _mm256_loadu_si256(weights.add(at).cast())
                };
                // SAFETY: `blocks` has seen that each row has this block, of 8 groups.
                let four = |line: &Line<'_>, group: usize| unsafe {
                    let at = line.bytes.as_ptr().add(block * BLOCK + group * GROUP);
                    _mm256_set1_epi32(at.cast::<i32>().read_unaligned())
                };
                let mut sums = [_mm256_setzero_si256(); R];
                if F::NIBBLES && F::OFFSET != 0 {
                    for (sum, line) in sums.iter_mut().zip(lines) {
                        *sum = _mm256_set1_epi32(line.lows[block]);
                    }
                }
                if F::NIBBLES {
                    // All sixteen products of at most 15 · 127 that meet in a place fit into 16 bits.
                    let mut pairs = [_mm256_setzero_si256(); R];
                    for at in 0..BLOCK / GROUP / 2 {
                        let both = register(at);
                        let low = _mm256_and_si256(both, low_bits);
                        let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(both), low_bits);
                        for (pairs, line) in pairs.iter_mut().zip(lines) {
                            let low = _mm256_maddubs_epi16(low, four(line, at));
                            let high = four(line, at + BLOCK / GROUP / 2);
                            let high = _mm256_maddubs_epi16(upper, high);
                            *pairs = _mm256_add_epi16(*pairs, _mm256_add_epi16(low, high));
                        }
                    }
                    for (sum, pairs) in sums.iter_mut().zip(&pairs) {
                        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(*pairs, ones));
                    }
                } else {
                    for at in 0..BLOCK / GROUP {
                        // Two products of at most 128 · 127 do, if the weights' signs are given to the row.
                        let weight = _mm256_xor_si256(register(at), sign);
                        let size = _mm256_abs_epi8(weight);
                        for (sum, line) in sums.iter_mut().zip(lines) {
                            let signed = _mm256_sign_epi8(four(line, at), weight);
                            let pairs = _mm256_maddubs_epi16(size, signed);
                            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
                        }
                    }
                }
                let scale = head(0);
                for ((y, sum), line) in y.iter_mut().zip(&sums).zip(lines) {
                    let scale = _mm256_mul_ps(scale, _mm256_set1_ps(line.scales[block]));
                    *y = _mm256_fmadd_ps(_mm256_cvtepi32_ps(*sum), scale, *y);
                }
                if F::LEAST {
                    let least = head(2 * OUTPUTS);
                    for (y, line) in y.iter_mut().zip(lines) {
                        *y = _mm256_fmadd_ps(least, _mm256_set1_ps(line.sums[block]), *y);
                    }
                }
            }
            for (tile, y) in tiles.iter_mut().zip(&y) {
                let half = &mut tile[side * OUTPUTS / 2..][..OUTPUTS / 2];
                // SAFETY: half a tile holds 32 bytes; the store needs no alignment.
                unsafe { _mm256_storeu_ps(half.as_mut_ptr(), *y) };
            }
        }
    }
}
