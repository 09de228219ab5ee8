//! Self-attention of packed windows, each attending to itself alone: no padding, no mask.
//!
//! A task is one head of one window, whose keys and values so come from far memory once. It takes 64 query rows at a time, and a query row
//! is a lane: the scores are laid out `[keys][rows]`, so that each step (product, maximum, exponential, sum) goes straight down the lanes,
//! nothing is ever summed across them, and a row's result does not depend on which rows stand beside it. Scores stay in the processor's
//! second cache.

use multiversion::multiversion;
use rayon::prelude::*;

use super::float::exp;

/// Lanes of one 512-bit register.
const LANES: usize = 16;
/// Query rows that are computed together.
const ROWS: usize = 4 * LANES;
/// Rows of the left matrix that are multiplied in one go.
const TILE: usize = 4;

/// What attention's scores know of where tokens stand: something is added to each, by how far the query is behind the key.
#[derive(Debug, Clone, Copy)]
pub struct Distances<'a> {
    /// `[heads][2 · most - 1]`: what is added where the query stands `i + 1 - most` tokens after the key.
    pub added: &'a [f32],
    /// Tokens of the longest window.
    pub most: usize,
}

/// `softmax(Q Kᵀ / √d) V` for each of `heads` heads of `d = width / heads`: `qkv` is `[tokens][3 · width]` (query, key, value side by
/// side), `lengths` the windows' token counts in order, and the result `out` `[tokens][width]`.
///
/// # Panics
/// When the sizes disagree.
pub fn attention(qkv: &[f32], lengths: &[usize], heads: usize, out: &mut [f32]) {
    windows(qkv, lengths, heads, None, out);
}

/// `softmax(Q Kᵀ + B) V`, where `B` is what `distances` add: T5's attention, which scales no scores. Otherwise as [`attention`].
///
/// # Panics
/// When the sizes disagree.
pub fn relative_attention(
    qkv: &[f32],
    lengths: &[usize],
    heads: usize,
    distances: Distances<'_>,
    out: &mut [f32],
) {
    assert!(lengths.iter().all(|length| *length <= distances.most));
    assert!(distances.added.len() == heads * (2 * distances.most).saturating_sub(1));
    windows(qkv, lengths, heads, Some(distances), out);
}

fn windows(
    qkv: &[f32],
    lengths: &[usize],
    heads: usize,
    distances: Option<Distances<'_>>,
    out: &mut [f32],
) {
    let tokens = lengths.iter().sum::<usize>();
    let width = out.len() / tokens.max(1);
    assert!(
        width.is_multiple_of(heads) && out.len() == tokens * width && qkv.len() == 3 * out.len()
    );
    let product = best_product();
    // What a head writes of each row.
    let mut pieces = out.chunks_exact_mut((width / heads).max(1));
    let mut tasks = Vec::with_capacity(lengths.len() * heads);
    let mut start = 0;
    for &length in lengths {
        let window = &qkv[start * 3 * width..][..length * 3 * width];
        let first = tasks.len();
        tasks.extend((0..heads).map(|head| (window, head, Vec::with_capacity(length))));
        for _ in 0..length {
            for ((_, _, rows), piece) in tasks[first..].iter_mut().zip(&mut pieces) {
                rows.push(piece);
            }
        }
        start += length;
    }
    tasks
        .into_par_iter()
        .for_each_init(Scratch::default, |scratch, (window, head, mut rows)| {
            attend(
                product,
                window,
                (head, heads),
                distances,
                &mut rows,
                scratch,
            );
        });
}

/// Memory of a thread, kept from task to task.
#[derive(Default)]
struct Scratch {
    /// `[d][rows]`
    queries: Vec<f32>,
    /// `[tokens][rows]`
    scores: Vec<f32>,
    /// `[d / 64][tokens][lanes]`
    values: Vec<f32>,
    /// `[rows][lanes]`
    weighed: Vec<f32>,
}

/// One head of one window `[tokens][3 · width]` into its `out` `[tokens][d]`.
fn attend(
    product: Product,
    window: &[f32],
    (head, heads): (usize, usize),
    distances: Option<Distances<'_>>,
    out: &mut [&mut [f32]],
    scratch: &mut Scratch,
) {
    let (tokens, depth) = (out.len(), out.first().map_or(0, |row| row.len()));
    let width = heads * depth;
    let (line, at) = (3 * width, head * depth);
    let scale = match distances {
        None => 1.0 / (depth as f32).sqrt(),
        Some(_) => 1.0,
    };
    let mut sums = [0f32; ROWS];
    // In the second product the values' dimensions are the lanes, in parts of up to 64.
    let parts = (0..depth).step_by(ROWS).map(|from| {
        let length = ROWS.min(depth - from);
        (from, length, length.next_multiple_of(LANES))
    });
    let values = sized(&mut scratch.values, tokens * depth.next_multiple_of(LANES));
    for (from, length, lanes) in parts.clone() {
        let values = values[from * tokens..].chunks_exact_mut(lanes);
        for (values, line) in values.zip(window.chunks_exact(line)) {
            values[..length].copy_from_slice(&line[2 * width + at + from..][..length]);
        }
    }
    for (first, out) in (0..).step_by(ROWS).zip(out.chunks_mut(ROWS)) {
        let rows = out.len();
        let lanes = rows.next_multiple_of(LANES);
        let queries = sized(&mut scratch.queries, depth * lanes);
        for (row, line) in window[first * line..]
            .chunks_exact(line)
            .take(rows)
            .enumerate()
        {
            for (queries, q) in queries.chunks_exact_mut(lanes).zip(&line[at..]) {
                queries[row] = q * scale;
            }
        }
        let keys = Strided::new(&window[width + at..], (tokens, line), (depth, 1));
        let scores = sized(&mut scratch.scores, tokens * lanes);
        scores.fill(0.0);
        product(keys, queries, lanes, scores, lanes);
        if let Some(Distances { added, most }) = distances {
            let added = &added[head * (2 * most - 1)..];
            for (key, scores) in scores.chunks_exact_mut(lanes).enumerate() {
                let added = &added[most - 1 + first - key..][..rows];
                for (score, added) in scores.iter_mut().zip(added) {
                    *score += added;
                }
            }
        }
        exp_down(scores, lanes / LANES, &mut sums);
        let weights = Strided::new(scores, (rows, 1), (tokens, lanes));
        for (from, length, lanes) in parts.clone() {
            let weighed = sized(&mut scratch.weighed, rows * lanes);
            weighed.fill(0.0);
            product(weights, &values[from * tokens..], lanes, weighed, lanes);
            for ((out, weighed), sum) in out.iter_mut().zip(weighed.chunks_exact(lanes)).zip(&sums)
            {
                let scale = 1.0 / sum;
                for (out, weighed) in out[from..].iter_mut().zip(&weighed[..length]) {
                    *out = weighed * scale;
                }
            }
        }
    }
}

/// The first `length` elements of a buffer that grows to it.
fn sized(buffer: &mut Vec<f32>, length: usize) -> &mut [f32] {
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    &mut buffer[..length]
}

/// `e^(s - max)` down each lane of `scores` `[keys][blocks][16]`, and its sum.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn exp_down(scores: &mut [f32], blocks: usize, sums: &mut [f32; ROWS]) {
    let scores = scores.as_chunks_mut::<LANES>().0;
    for (block, sums) in sums
        .as_chunks_mut::<LANES>()
        .0
        .iter_mut()
        .enumerate()
        .take(blocks)
    {
        let mut tops = [f32::NEG_INFINITY; LANES];
        for scores in scores[block..].iter().step_by(blocks) {
            for (top, s) in tops.iter_mut().zip(scores) {
                *top = if *s > *top { *s } else { *top };
            }
        }
        let mut totals = [0f32; LANES];
        for scores in scores[block..].iter_mut().step_by(blocks) {
            for ((s, top), total) in scores.iter_mut().zip(&tops).zip(&mut totals) {
                *s = exp(*s - *top);
                *total += *s;
            }
        }
        *sums = totals;
    }
}

/// A matrix that lies in a larger one.
#[derive(Clone, Copy)]
pub(super) struct Strided<'a> {
    values: &'a [f32],
    rows: usize,
    row: usize,
    columns: usize,
    column: usize,
}

impl<'a> Strided<'a> {
    /// Its rows and columns, each with the distance from one to the next. Every element is inside `values`.
    pub(super) fn new(
        values: &'a [f32],
        (rows, row): (usize, usize),
        (columns, column): (usize, usize),
    ) -> Self {
        assert!(rows > 0 && columns > 0);
        assert!((rows - 1) * row + (columns - 1) * column < values.len());
        Self {
            values,
            rows,
            row,
            columns,
            column,
        }
    }
}

/// `c += a · b`, where `b` is `[a.columns][lanes]`, and `c` has `a.rows` rows of `lanes`, each `line` after the one before; `lanes` is 16, 32,
/// 48 or 64. Each element is one sum, from the first column to the last, by fused multiply-add: rounded once a step, on a processor that
/// lacks it too.
pub(super) type Product = fn(a: Strided<'_>, b: &[f32], lanes: usize, c: &mut [f32], line: usize);

pub(super) fn best_product() -> Product {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            return x86::product_avx512;
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return x86::product_avx2;
        }
    }
    product_portable
}

fn product_portable(a: Strided<'_>, b: &[f32], lanes: usize, c: &mut [f32], line: usize) {
    for (i, c) in c.chunks_mut(line).enumerate().take(a.rows) {
        for (k, b) in b.chunks_exact(lanes).enumerate().take(a.columns) {
            let a = a.values[i * a.row + k * a.column];
            for (c, b) in c.iter_mut().zip(b) {
                *c = a.mul_add(*b, *c);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    #![allow(clippy::needless_range_loop)]

    use std::arch::x86_64::*;

    use super::*;

    fn check(a: Strided<'_>, b: &[f32], lanes: usize, c: &[f32], line: usize) {
        assert!(lanes.is_multiple_of(LANES) && (LANES..=ROWS).contains(&lanes));
        assert!(b.len() >= a.columns * lanes && c.len() >= (a.rows - 1) * line + lanes);
    }

    pub(super) fn product_avx512(
        a: Strided<'_>,
        b: &[f32],
        lanes: usize,
        c: &mut [f32],
        line: usize,
    ) {
        check(a, b, lanes, c, line);
        // SAFETY: the feature was detected, and the sizes are checked.
        unsafe {
            match lanes / LANES {
                1 => rows_avx512::<1>(a, b, c, line),
                2 => rows_avx512::<2>(a, b, c, line),
                3 => rows_avx512::<3>(a, b, c, line),
                _ => rows_avx512::<4>(a, b, c, line),
            }
        }
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn rows_avx512<const N: usize>(a: Strided<'_>, b: &[f32], c: &mut [f32], line: usize) {
        let mut row = 0;
        while row + TILE <= a.rows {
            // SAFETY: as the caller's, for rows that are there.
            unsafe { tile_avx512::<TILE, N>(a, row, b, c, line) };
            row += TILE;
        }
        while row < a.rows {
            // SAFETY: as above.
            unsafe { tile_avx512::<1, N>(a, row, b, c, line) };
            row += 1;
        }
    }

    /// `M` rows of `16 N` lanes.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn tile_avx512<const M: usize, const N: usize>(
        a: Strided<'_>,
        row: usize,
        b: &[f32],
        c: &mut [f32],
        line: usize,
    ) {
        // Indexed, not iterated: so the compiler keeps them in registers.
        let mut sums = [[_mm512_setzero_ps(); N]; M];
        // SAFETY: rows `row..row + M` and all columns of `a` are inside its values, `b` has `a.columns` rows and `c` `a.rows`, each of
        // `16 N` lanes.
        unsafe {
            let (a_start, mut b) = (a.values.as_ptr().add(row * a.row), b.as_ptr());
            let c = c.as_mut_ptr().add(row * line);
            for m in 0..M {
                for n in 0..N {
                    sums[m][n] = _mm512_loadu_ps(c.add(m * line + n * LANES));
                }
            }
            for k in 0..a.columns {
                let mut right = [_mm512_setzero_ps(); N];
                for n in 0..N {
                    right[n] = _mm512_loadu_ps(b.add(n * LANES));
                }
                b = b.add(N * LANES);
                for m in 0..M {
                    let left = _mm512_set1_ps(*a_start.add(m * a.row + k * a.column));
                    for n in 0..N {
                        sums[m][n] = _mm512_fmadd_ps(left, right[n], sums[m][n]);
                    }
                }
            }
            for m in 0..M {
                for n in 0..N {
                    _mm512_storeu_ps(c.add(m * line + n * LANES), sums[m][n]);
                }
            }
        }
    }

    pub(super) fn product_avx2(
        a: Strided<'_>,
        b: &[f32],
        lanes: usize,
        c: &mut [f32],
        line: usize,
    ) {
        check(a, b, lanes, c, line);
        for column in (0..lanes).step_by(LANES) {
            let mut row = 0;
            while row + TILE <= a.rows {
                // SAFETY: the features were detected, and the sizes are checked.
                unsafe { tile_avx2::<TILE>(a, row, &b[column..], lanes, &mut c[column..], line) };
                row += TILE;
            }
            while row < a.rows {
                // SAFETY: as above.
                unsafe { tile_avx2::<1>(a, row, &b[column..], lanes, &mut c[column..], line) };
                row += 1;
            }
        }
    }

    /// `M` rows of 16 lanes, in two registers.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn tile_avx2<const M: usize>(
        a: Strided<'_>,
        row: usize,
        b: &[f32],
        lanes: usize,
        c: &mut [f32],
        line: usize,
    ) {
        let mut sums = [[_mm256_setzero_ps(); 2]; M];
        // SAFETY: rows `row..row + M` and all columns of `a` are inside its values; 16 lanes from the start of `b` and `c` are inside each
        // of their rows.
        unsafe {
            let a_start = a.values.as_ptr().add(row * a.row);
            for m in 0..M {
                let c = c.as_ptr().add((row + m) * line);
                sums[m] = [_mm256_loadu_ps(c), _mm256_loadu_ps(c.add(LANES / 2))];
            }
            for k in 0..a.columns {
                let right = b.as_ptr().add(k * lanes);
                let right = [
                    _mm256_loadu_ps(right),
                    _mm256_loadu_ps(right.add(LANES / 2)),
                ];
                for m in 0..M {
                    let left = _mm256_set1_ps(*a_start.add(m * a.row + k * a.column));
                    for n in 0..2 {
                        sums[m][n] = _mm256_fmadd_ps(left, right[n], sums[m][n]);
                    }
                }
            }
            for m in 0..M {
                let c = c.as_mut_ptr().add((row + m) * line);
                _mm256_storeu_ps(c, sums[m][0]);
                _mm256_storeu_ps(c.add(LANES / 2), sums[m][1]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive_attention(qkv: &[f32], tokens: usize, heads: usize, width: usize) -> Vec<f32> {
        let depth = width / heads;
        let cell = |t: usize, part: usize, h: usize, d: usize| {
            f64::from(qkv[t * 3 * width + part * width + h * depth + d])
        };
        let mut out = vec![0f32; tokens * width];
        for h in 0..heads {
            for i in 0..tokens {
                let scores: Vec<f64> = (0..tokens)
                    .map(|j| {
                        let dot: f64 = (0..depth)
                            .map(|d| cell(i, 0, h, d) * cell(j, 1, h, d))
                            .sum();
                        (dot / (depth as f64).sqrt()).exp()
                    })
                    .collect();
                let total: f64 = scores.iter().sum();
                for d in 0..depth {
                    let v: f64 = (0..tokens)
                        .map(|j| scores[j] / total * cell(j, 2, h, d))
                        .sum();
                    out[i * width + h * depth + d] = v as f32;
                }
            }
        }
        out
    }

    /// Numbers in [-1, 1) without a pattern.
    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let number = |i: u32| i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 8;
        (0..n as u32)
            .map(|i| number(i) as f32 / 8e6 - 1.0)
            .collect()
    }

    #[test]
    fn what_distances_add_decides_where_all_else_is_alike() {
        // Keys of nothing, in two windows; values tell who was seen.
        let (tokens, most) = (5, 4);
        let mut qkv = vec![0.0; tokens * 3 * 2];
        for (token, row) in qkv.chunks_exact_mut(6).enumerate() {
            row[4..].fill(token as f32);
        }
        // One head looks at the token before, the other at the one after, if there is one.
        let mut added = vec![0.0; 2 * (2 * most - 1)];
        added[most] = 99.0;
        added[2 * most - 1 + most - 2] = 99.0;
        let mut out = vec![f32::NAN; tokens * 2];
        let distances = Distances {
            added: &added,
            most,
        };
        relative_attention(&qkv, &[2, 3], 2, distances, &mut out);
        let expected = [0.5, 1.0, 0.0, 0.5, 3.0, 3.0, 2.0, 4.0, 3.0, 3.0];
        for (found, wanted) in out.iter().zip(expected) {
            assert!((found - wanted).abs() < 1e-6, "{out:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn a_packed_window_equals_the_window_alone_and_the_definition(
            lengths in prop::collection::vec(0usize..150, 1..4), heads in 1usize..4, depth in 1usize..90, seed in any::<u32>(),
        ) {
            let width = heads * depth;
            let tokens: usize = lengths.iter().sum();
            let qkv = numbers(tokens * 3 * width, seed);
            let attention = |qkv: &[f32], lengths: &[usize]| {
                let mut out = vec![f32::NAN; qkv.len() / 3];
                super::attention(qkv, lengths, heads, &mut out);
                out
            };
            let together = attention(&qkv, &lengths);
            let mut start = 0;
            for length in lengths {
                let alone_qkv = &qkv[start * 3 * width..][..length * 3 * width];
                let alone = attention(alone_qkv, &[length]);
                prop_assert_eq!(&alone[..], &together[start * width..][..length * width]);
                for (a, b) in alone.iter().zip(naive_attention(alone_qkv, length, heads, width)) {
                    prop_assert!((a - b).abs() < 1e-5);
                }
                start += length;
            }
        }

        #[test]
        fn what_is_no_number_stays_none(tokens in 1usize..80, at in any::<prop::sample::Index>(), seed in any::<u32>()) {
            let width = 8;
            for odd in [f32::NAN, 3e38] {
                let mut qkv = numbers(tokens * 3 * width, seed);
                // A key, whose products overflow with any query.
                let row = at.index(tokens) * 3 * width;
                qkv[row + width..][..width].fill(odd);
                qkv.chunks_exact_mut(3 * width).for_each(|row| row[..width].fill(9.0));
                let mut out = vec![0.0; tokens * width];
                attention(&qkv, &[tokens], 2, &mut out);
                prop_assert!(out.iter().all(|v| v.is_nan()));
            }
        }

        #[test]
        fn every_path_gives_the_same_bytes(rows in 1usize..70, columns in 1usize..40, blocks in 1usize..=4, beyond in 0usize..3, seed in any::<u32>()) {
            let lanes = blocks * LANES;
            let left = numbers(rows * (columns + 3), seed);
            let mut paths: Vec<Product> = vec![product_portable];
            #[cfg(target_arch = "x86_64")]
            {
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    paths.push(x86::product_avx2);
                }
                if is_x86_feature_detected!("avx512f") {
                    paths.push(x86::product_avx512);
                }
            }
            for (a_rows, a_columns) in [((rows, columns + 3), (columns, 1)), ((columns, 1), (rows, columns + 3))] {
                let a = Strided::new(&left, a_rows, a_columns);
                let b = numbers(a.columns * lanes, !seed);
                let products: Vec<Vec<f32>> = paths.iter().map(|product| {
                    let line = lanes + beyond;
                    let mut c = numbers(a.rows * line, seed ^ 7);
                    product(a, &b, lanes, &mut c, line);
                    c
                }).collect();
                for product in &products {
                    prop_assert_eq!(product, &products[0]);
                }
            }
        }
    }
}
