//! The float parts of an encoder, written so that the compiler vectorises them and, but for the attention products, which are the
//! `gemm` crate's, every processor computes the same bytes.
//!
//! Each loop is compiled for several instruction sets by [`multiversion`], which picks one at run time; what it calls is
//! `inline(always)`, so that it is compiled along.
//!
//! Sums that run along a vector use 16 lanes in a fixed order ([`sum`]); everything else is element-wise. There is no
//! fused multiply-add: it would round differently where a processor lacks it.

use multiversion::multiversion;
use rayon::prelude::*;

/// Lanes of a sum: one 512-bit register.
const LANES: usize = 16;
/// Rows of a task.
const TASK_ROWS: usize = 64;

/// `Σ f(x)` in 16 lanes, folded in a fixed order.
#[inline(always)]
fn sum(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane += f(*v);
        }
    }
    for (lane, v) in lanes.iter_mut().zip(rest) {
        *lane += f(*v);
    }
    lanes.iter().sum()
}

/// `eˣ` for `x ≤ 0`, to 2 units in the last place; 0 below -87.
///
/// Cephes' `expf`: `x = n ln 2 + r`, a polynomial in `r`, and `n` added to the exponent.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let clamped = x.max(-87.0);
    let n = (clamped * std::f32::consts::LOG2_E).round_ties_even();
    let r = clamped - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 5e-1;
    let p = p * r * r + r + 1.0;
    let scaled = p * f32::from_bits(((n as i32 + 127) << 23) as u32);
    if x < -87.0 { 0.0 } else { scaled }
}

/// The error function, to 4 units in the last place: the rational approximation of Eigen and XLA on [-4, 4].
#[inline(always)]
fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let z = x * x;
    let p = -2.726_142_3e-10;
    let p = p * z + 2.770_681_4e-8;
    let p = p * z + -2.101_024_e-6;
    let p = p * z + -5.692_506_4e-5;
    let p = p * z + -7.349_906_3e-4;
    let p = p * z + -2.954_6e-3;
    let p = p * z + -1.609_603_3e-2;
    let q = -1.456_607_2e-5;
    let q = q * z + -2.133_740_6e-4;
    let q = q * z + -1.682_827e-3;
    let q = q * z + -7.373_329_2e-3;
    let q = q * z + -1.426_473_9e-2;
    x * p / q
}

/// GELU in place, by the error function (not the tanh approximation).
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub fn gelu(x: &mut [f32]) {
    for x in x {
        *x = 0.5 * *x * (1.0 + erf(*x * std::f32::consts::FRAC_1_SQRT_2));
    }
}

/// `1 / (1 + e⁻ˣ)`.
pub fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    if x < 0.0 {
        e / (1.0 + e)
    } else {
        1.0 / (1.0 + e)
    }
}

/// Softmax in place: the maximum is taken out first, so nothing overflows.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub fn softmax(x: &mut [f32]) {
    softmax_row(x);
}

#[inline(always)]
fn softmax_row(x: &mut [f32]) {
    let mut top = [f32::NEG_INFINITY; LANES];
    for chunk in x.chunks(LANES) {
        for (top, v) in top.iter_mut().zip(chunk) {
            *top = if *v > *top { *v } else { *top };
        }
    }
    let top = top.iter().fold(f32::NEG_INFINITY, |m, v| m.max(*v));
    for x in x.iter_mut() {
        *x = exp(*x - top);
    }
    let scale = 1.0 / sum(x, |v| v);
    for x in x {
        *x *= scale;
    }
}

/// Layer normalisation of `x + residual` in place, row by row of `gamma.len()`, with `gamma`, `beta` and `eps`.
pub fn add_layer_norm(x: &mut [f32], residual: &[f32], gamma: &[f32], beta: &[f32], eps: f32) {
    let width = gamma.len();
    x.par_chunks_mut(TASK_ROWS * width)
        .zip(residual.par_chunks(TASK_ROWS * width))
        .for_each(|(x, residual)| add_layer_norm_rows(x, residual, gamma, beta, eps));
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn add_layer_norm_rows(x: &mut [f32], residual: &[f32], gamma: &[f32], beta: &[f32], eps: f32) {
    let width = gamma.len();
    for (x, residual) in x.chunks_exact_mut(width).zip(residual.chunks_exact(width)) {
        for (x, r) in x.iter_mut().zip(residual) {
            *x += r;
        }
        layer_norm_row(x, gamma, beta, eps);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn layer_norm(x: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    layer_norm_row(x, gamma, beta, eps);
}

#[inline(always)]
fn layer_norm_row(x: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    let width = x.len() as f32;
    let mean = sum(x, |v| v) / width;
    let variance = sum(x, |v| (v - mean) * (v - mean)) / width;
    let scale = 1.0 / (variance + eps).sqrt();
    for ((x, g), b) in x.iter_mut().zip(gamma).zip(beta) {
        *x = (*x - mean) * scale * g + b;
    }
}

/// Sum of three embedding rows for each token, layer-normalised: `word(token, out)` writes the token's own row.
///
/// A token is its id, its row in `positions` and its row in `types`; both are tables `[n][width]`.
pub fn embed(
    tokens: &[(u32, usize, usize)],
    word: impl Fn(u32, &mut [f32]) + Sync,
    (positions, types): (&[f32], &[f32]),
    (gamma, beta, eps): (&[f32], &[f32], f32),
) -> Vec<f32> {
    let width = gamma.len();
    let mut out = vec![0f32; tokens.len() * width];
    out.par_chunks_mut(TASK_ROWS * width)
        .zip(tokens.par_chunks(TASK_ROWS))
        .for_each(|(out, tokens)| {
            for (out, &(token, position, kind)) in out.chunks_exact_mut(width).zip(tokens) {
                word(token, out);
                let position = &positions[position * width..][..width];
                let kind = &types[kind * width..][..width];
                for ((out, p), k) in out.iter_mut().zip(position).zip(kind) {
                    *out = *out + k + p;
                }
                layer_norm(out, gamma, beta, eps);
            }
        });
    out
}

/// `y = x · Wᵀ + b` in float for one row: `weight` is `[outputs][inputs]`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub fn dense(x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let mut y = Vec::with_capacity(bias.len());
    for (row, b) in weight.chunks_exact(x.len()).zip(bias) {
        y.push(dot(x, row) + b);
    }
    y
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (a_rest, b_rest) = (a_chunks.remainder(), b_chunks.remainder());
    for (a, b) in a_chunks.zip(b_chunks) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane += a * b;
    }
    lanes.iter().sum()
}

/// Self-attention of packed windows, each attending to itself alone: no padding, no mask.
///
/// `qkv` is `[tokens][3 · width]` (query, key, value side by side), `lengths` the windows' token counts in order, and the
/// result `[tokens][width]`: `softmax(Q Kᵀ / √d) V` for each of `heads` heads of `d = width / heads`.
pub fn attention(qkv: &[f32], lengths: &[usize], heads: usize, width: usize) -> Vec<f32> {
    let mut out = vec![0f32; lengths.iter().sum::<usize>() * width];
    // One task is a few query rows of one window: disjoint pieces of `out`, small enough that one article feeds every thread.
    let mut tasks = Vec::new();
    let (mut rest, mut start) = (&mut out[..], 0);
    for &length in lengths {
        for first in (0..length).step_by(TASK_ROWS) {
            let rows = TASK_ROWS.min(length - first);
            let (piece, tail) = rest.split_at_mut(rows * width);
            rest = tail;
            tasks.push((
                &qkv[start * 3 * width..][..length * 3 * width],
                first,
                piece,
            ));
        }
        start += length;
    }
    tasks
        .into_par_iter()
        .for_each(|(window, first, out)| attend(window, first, heads, width, out));
    out
}

/// Rows `first..` of one window's attention, as many as fit `out`.
///
/// The products' shapes depend on the window alone, so that the matrix library takes the same path in any batch.
fn attend(window: &[f32], first: usize, heads: usize, width: usize, out: &mut [f32]) {
    let line = 3 * width;
    let tokens = window.len() / line;
    let rows = out.len() / width;
    let depth = width / heads;
    let mut scores = vec![0f32; rows * tokens];
    for head in 0..heads {
        let at = head * depth;
        let queries = (&window[first * line + at..], line, 1);
        let keys = (&window[width + at..], 1, line);
        let values = (&window[2 * width + at..], line, 1);
        product((rows, tokens, depth), queries, keys, (&mut scores, tokens));
        attention_softmax(&mut scores, tokens, 1.0 / (depth as f32).sqrt());
        product(
            (rows, depth, tokens),
            (&scores, tokens, 1),
            values,
            (&mut out[at..], width),
        );
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn attention_softmax(scores: &mut [f32], tokens: usize, scale: f32) {
    for row in scores.chunks_exact_mut(tokens) {
        for s in row.iter_mut() {
            *s *= scale;
        }
        softmax_row(row);
    }
}

/// `c = a · b` of `[m][k]` and `[k][n]` on this thread; each matrix with the strides of its rows and columns, `c`'s columns adjacent.
fn product(
    (m, n, k): (usize, usize, usize),
    (a, a_row, a_column): (&[f32], usize, usize),
    (b, b_row, b_column): (&[f32], usize, usize),
    (c, c_row): (&mut [f32], usize),
) {
    let last = |rows: usize, row: usize, columns: usize, column: usize| {
        (rows - 1) * row + (columns - 1) * column
    };
    assert!(m > 0 && n > 0 && k > 0);
    assert!(last(m, a_row, k, a_column) < a.len() && last(k, b_row, n, b_column) < b.len());
    assert!(last(m, c_row, n, 1) < c.len() && c_row >= n);
    // SAFETY: every index `row * stride + column * stride` of the three matrices is in bounds, checked above, and rows of `c` do
    // not overlap.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            c_row as isize,
            false,
            a.as_ptr(),
            a_column as isize,
            a_row as isize,
            b.as_ptr(),
            b_column as isize,
            b_row as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn exp_and_erf_hold_their_precision() {
        for i in -9000..=0 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!(
                (f64::from(exp(x)) - exact).abs() <= 3e-7 * exact + 1e-37,
                "exp({x})"
            );
        }
        // erf at a few points, from tables.
        for (x, exact) in [
            (0.0, 0.0),
            (0.1, 0.112_462_916),
            (0.5, 0.520_499_878),
            (1.0, 0.842_700_793),
            (2.0, 0.995_322_265),
            (3.5, 0.999_999_257),
            (9.0, 1.0),
        ] {
            assert!(
                (erf(x) - exact as f32).abs() < 5e-7,
                "erf({x}) = {}",
                erf(x)
            );
            assert!((erf(-x) + exact as f32).abs() < 5e-7);
        }
    }

    #[test]
    fn sigmoid_is_even_handed_and_never_overflows() {
        assert!((sigmoid(2.0) + sigmoid(-2.0) - 1.0).abs() < 1e-6);
        assert_eq!(sigmoid(1e9), 1.0);
        assert_eq!(sigmoid(-1e9), 0.0);
    }

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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn a_packed_window_equals_the_window_alone_and_the_definition(
            lengths in prop::collection::vec(1usize..70, 1..4), heads in 1usize..4, depth in 1usize..20, seed in any::<u32>(),
        ) {
            let width = heads * depth;
            let tokens: usize = lengths.iter().sum();
            let qkv: Vec<f32> = (0..tokens * 3 * width)
                .map(|i| ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 8) as f32 / 8e6 - 1.0)
                .collect();
            let together = attention(&qkv, &lengths, heads, width);
            let mut start = 0;
            for length in lengths {
                let alone_qkv = &qkv[start * 3 * width..][..length * 3 * width];
                let alone = attention(alone_qkv, &[length], heads, width);
                prop_assert_eq!(&alone[..], &together[start * width..][..length * width]);
                for (a, b) in alone.iter().zip(naive_attention(alone_qkv, length, heads, width)) {
                    prop_assert!((a - b).abs() < 1e-5);
                }
                start += length;
            }
        }
    }

    #[test]
    fn layer_norm_has_no_mean_and_unit_variance() {
        let mut x: Vec<f32> = (0..40).map(|i| i as f32 * 0.3).collect();
        let residual = vec![1.0; 40];
        add_layer_norm(&mut x, &residual, &[1.0; 40], &[0.0; 40], 1e-12);
        let mean: f32 = x.iter().sum::<f32>() / 40.0;
        let variance: f32 = x.iter().map(|v| v * v).sum::<f32>() / 40.0;
        assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-5);
    }
}
