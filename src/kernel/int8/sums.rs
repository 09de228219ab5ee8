//! Integer sums of a tile: bytes of rows with bytes of weights, in plain Rust and with each instruction set.
//!
//! Weights come packed `[blocks][bytes of a row / 4][16][4]` (for AVX2 `[blocks][bytes of a row / 2][16][2]`), sums go out row by row, a block
//! of 16 outputs at a time.

use super::{BLOCK, GROUP, PAIR};

/// 32-bit sums of one row with one block of outputs.
pub(super) type Sums = [i32; BLOCK];
/// Rows of a tile: as many as the registers hold sums for.
pub(super) const TILE_ROWS: usize = 6;

/// Sums of `rows` with each block of `weights`, row by row, in plain Rust.
pub(super) fn portable(rows: &[&[u8]], weights: &[i8], sums: &mut [Sums]) {
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
pub(super) mod x86 {
    //! The same sums with vector instructions. Each function takes at most [`TILE_ROWS`] rows of equal length, a multiple of 4.

    use std::arch::x86_64::*;

    use super::{BLOCK, GROUP, PAIR, Sums, TILE_ROWS};

    /// Bytes of a block for one group of inputs.
    const STEP: usize = BLOCK * GROUP;

    /// With rows of 16-bit numbers, and weights packed in [`PAIR`]s: a product of two bytes with two bytes would not fit 16 bits.
    #[target_feature(enable = "avx2")]
    pub fn avx2(rows: &[&[i16]], weights: &[i8], sums: &mut [Sums]) {
        match rows.len() {
            1 => avx2_rows::<1>(rows, weights, sums),
            2 => avx2_rows::<2>(rows, weights, sums),
            3 => avx2_rows::<3>(rows, weights, sums),
            4 => avx2_rows::<4>(rows, weights, sums),
            5 => avx2_rows::<5>(rows, weights, sums),
            _ => avx2_rows::<TILE_ROWS>(rows, weights, sums),
        }
    }

    #[target_feature(enable = "avx2")]
    fn avx2_rows<const ROWS: usize>(rows: &[&[i16]], weights: &[i8], sums: &mut [Sums]) {
        let lines = lines::<_, ROWS>(rows);
        assert!(sums.len() >= ROWS && weights.len() >= rows[0].len() * BLOCK);
        let mut acc = [[_mm256_setzero_si256(); 2]; ROWS];
        for g in 0..rows[0].len() / PAIR {
            // SAFETY: `(g + 1) * PAIR * BLOCK <= weights.len()`, checked above; the loads need no alignment.
            let w = unsafe {
                let w = weights.as_ptr().add(g * PAIR * BLOCK);
                [
                    _mm256_cvtepi8_epi16(_mm_loadu_si128(w.cast())),
                    _mm256_cvtepi8_epi16(_mm_loadu_si128(w.add(16).cast())),
                ]
            };
            for (acc, line) in acc.iter_mut().zip(&lines) {
                // SAFETY: each line is as long as the first.
                let a =
                    _mm256_set1_epi32(unsafe { line.add(g * PAIR).cast::<i32>().read_unaligned() });
                acc[0] = _mm256_add_epi32(acc[0], _mm256_madd_epi16(a, w[0]));
                acc[1] = _mm256_add_epi32(acc[1], _mm256_madd_epi16(a, w[1]));
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
        let lines = lines::<_, ROWS>(rows);
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
    fn lines<T, const ROWS: usize>(rows: &[&[T]]) -> [*const T; ROWS] {
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
        let lines = lines::<_, ROWS>(rows);
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
