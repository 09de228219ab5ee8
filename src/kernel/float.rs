//! The float parts of an encoder but for attention, written so that the compiler vectorises them and every processor computes the same bytes.
//!
//! Each loop is compiled for several instruction sets by [`multiversion`], which picks one at run time; what it calls is
//! `inline(always)`, so that it is compiled along.
//!
//! Sums that run along a vector use 16 lanes in a fixed order ([`sum`]); everything else is element-wise. Where a multiply-add is fused it
//! is written so (`mul_add`), which rounds once everywhere: a processor that lacks it computes the same, slowly.

use multiversion::multiversion;
use rayon::prelude::*;

/// Lanes of a sum: one 512-bit register.
const LANES: usize = 16;
/// Added to a float of less than 2²² it rounds it to a whole number, ties to even, which then stands in the last bits.
pub(super) const ROUND: f32 = 12_582_912.0; // 1.5 · 2²³
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

/// `eˣ` for `x ≤ 0`, to 2 units in the last place; `e⁻⁸⁷`, next to nothing, below; NaN of NaN.
///
/// Cephes' `expf`: `x = n ln 2 + r`, a polynomial in `r`, and `n` added to the exponent.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Not `max`, which would make a number of NaN.
    let x = if x < -87.0 { -87.0 } else { x };
    // The last bits of `shifted` are the nearest whole number: a conversion would not vectorise.
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-0.693_359_4, x);
    let r = n.mul_add(2.121_944_4e-4, r);
    let p = [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        5e-1,
    ];
    let p = p
        .iter()
        .fold(1.987_569_1e-4f32, |sum, p| sum.mul_add(r, *p));
    let p = p.mul_add(r * r, r) + 1.0;
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// The error function, to 4 units in the last place: the rational approximation of Eigen and XLA on [-4, 4].
#[inline(always)]
fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let z = x * x;
    let p = [
        2.770_681_4e-8,
        -2.101_024_e-6,
        -5.692_506_4e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ];
    let p = p
        .iter()
        .fold(-2.726_142_3e-10f32, |sum, p| sum.mul_add(z, *p));
    let q = [
        -2.133_740_6e-4,
        -1.682_827e-3,
        -7.373_329_2e-3,
        -1.426_473_9e-2,
    ];
    let q = q
        .iter()
        .fold(-1.456_607_2e-5f32, |sum, q| sum.mul_add(z, *q));
    x * p / q
}

/// GELU in place, by the error function (not the tanh approximation).
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
pub fn gelu(x: &mut [f32]) {
    for x in x {
        *x = 0.5 * *x * (1.0 + erf(*x * std::f32::consts::FRAC_1_SQRT_2));
    }
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let above = if x < 0.0 { e } else { 1.0 };
    above / (1.0 + e)
}

/// Softmax in place: the maximum is taken out first, so nothing overflows.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
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
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
pub fn add_layer_norm(x: &mut [f32], residual: &[f32], gamma: &[f32], beta: &[f32], eps: f32) {
    let width = gamma.len();
    for (x, residual) in x.chunks_exact_mut(width).zip(residual.chunks_exact(width)) {
        for (x, r) in x.iter_mut().zip(residual) {
            *x += r;
        }
        layer_norm_row(x, gamma, beta, eps);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn layer_norm(x: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    layer_norm_row(x, gamma, beta, eps);
}

#[inline(always)]
pub(super) fn layer_norm_row(x: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
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
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
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

#[cfg(test)]
mod tests {
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
    fn what_is_no_number_stays_none() {
        for odd in [f32::NAN, f32::INFINITY] {
            let mut x = [1.0, odd, 2.0];
            softmax(&mut x);
            assert!(x.iter().any(|x| x.is_nan()), "{x:?}");
            let mut x = [1.0, odd, 2.0];
            gelu(&mut x);
            assert!(!x[1].is_finite() && x[0].is_finite());
        }
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn sigmoid_is_even_handed_and_never_overflows() {
        assert!((sigmoid(2.0) + sigmoid(-2.0) - 1.0).abs() < 1e-6);
        assert_eq!(sigmoid(1e9), 1.0);
        assert!(sigmoid(-1e9) < 1e-37);
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
