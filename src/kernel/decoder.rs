//! What a decoder does between its products and attention, over packed rows: RMS norm, rotary positions, SwiGLU.
//!
//! Each row's sums run in an order that depends on that row's place in its own text alone, so a token's state is the same bits
//! whether its text came as one prompt, in parts, token by token, or among others.

use multiversion::multiversion;
use rayon::prelude::*;

use super::float::exp;
use super::product::{LANES, fold};

/// Rows of a task.
const TASK_ROWS: usize = 16;

/// RMS norm of each row of `gamma.len()`.
pub fn rms_norm(x: &[f32], gamma: &[f32], eps: f32) -> Vec<f32> {
    let mut out = x.to_vec();
    out.par_chunks_mut(TASK_ROWS * gamma.len())
        .for_each(|rows| rms_norm_rows(rows, gamma, eps));
    out
}

/// The same in place; a row may be a head.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
pub fn rms_norm_rows(x: &mut [f32], gamma: &[f32], eps: f32) {
    for row in x.chunks_exact_mut(gamma.len()) {
        let scale = 1.0 / (dot(row, row) / row.len() as f32 + eps).sqrt();
        for (x, g) in row.iter_mut().zip(gamma) {
            *x = *x * scale * g;
        }
    }
}

/// `Σ a·b` in 16 lanes.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    let whole = a.len() / LANES * LANES;
    for (a, b) in a[..whole].chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(&a[whole..]).zip(&b[whole..]) {
        *lane += a * b;
    }
    fold(lanes)
}

/// `silu(gate) · up`, into `gate`.
pub fn swiglu(gate: &mut [f32], up: &[f32]) {
    const PART: usize = 1 << 14;
    gate.par_chunks_mut(PART)
        .zip(up.par_chunks(PART))
        .for_each(|(gate, up)| swiglu_part(gate, up));
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn swiglu_part(gate: &mut [f32], up: &[f32]) {
    for (gate, up) in gate.iter_mut().zip(up) {
        let e = exp(-gate.abs());
        let sigmoid = if *gate < 0.0 { e } else { 1.0 } / (1.0 + e);
        *gate = *gate * sigmoid * up;
    }
}

/// Which numbers of a head are turned together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// One of the first half with one of the second: Hugging Face's order.
    Halves,
    /// Neighbours: that of GGUF files of Llama.
    Neighbours,
}

/// The angles of `frequencies` at each of `positions`, as cosine and sine: `[positions][frequencies]`.
pub fn angles(positions: &[usize], frequencies: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let angles = positions
        .iter()
        .flat_map(|at| frequencies.iter().map(move |f| *at as f32 * f));
    angles.map(|a| (a.cos(), a.sin())).unzip()
}

/// Turns each head of `width` of each row by its row's angles.
pub fn rotate(x: &mut [f32], width: usize, angles: &(Vec<f32>, Vec<f32>), pairs: Pairs) {
    let half = width / 2;
    let rows = angles.0.len() / half;
    let line = x.len() / rows.max(1);
    let (cos, sin) = (angles.0.par_chunks(half), angles.1.par_chunks(half));
    x.par_chunks_mut(line.max(1))
        .zip(cos.zip(sin))
        .for_each(|(row, (cos, sin))| {
            for head in row.chunks_exact_mut(width) {
                for (i, (cos, sin)) in cos.iter().zip(sin).enumerate() {
                    let (a, b) = match pairs {
                        Pairs::Halves => (i, i + half),
                        Pairs::Neighbours => (2 * i, 2 * i + 1),
                    };
                    (head[a], head[b]) =
                        (head[a] * cos - head[b] * sin, head[b] * cos + head[a] * sin);
                }
            }
        });
}

/// The heads of attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Heads of queries.
    pub queries: usize,
    /// Heads of keys and values, each of which serves as many of queries.
    pub keys: usize,
    /// Width of a head.
    pub width: usize,
    /// Tokens that a token sees, itself the last; all before it where there is none.
    pub window: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_keeps_the_length_and_both_orders_turn_alike() {
        let angles = angles(&[3], &[1.0, 0.1]);
        let mut halves = [1.0, 2.0, 3.0, 4.0];
        let mut neighbours = [1.0, 3.0, 2.0, 4.0];
        rotate(&mut halves, 4, &angles, Pairs::Halves);
        rotate(&mut neighbours, 4, &angles, Pairs::Neighbours);
        let [a, b, c, d] = halves;
        assert_eq!(neighbours, [a, c, b, d]);
        assert!((a - (3f32.cos() - 3.0 * 3f32.sin())).abs() < 1e-6);
        assert!((halves.iter().map(|v| v * v).sum::<f32>() - 30.0).abs() < 1e-4);
    }

    #[test]
    fn the_gate_is_a_sigmoid_of_itself() {
        let mut gate = [-100.0, -1.0, 0.0, 1.0, 100.0];
        swiglu(&mut gate, &[2.0; 5]);
        let expected = [0.0, -0.537_883, 0.0, 1.462_117, 200.0];
        for (found, wanted) in gate.iter().zip(expected) {
            assert!((found - wanted).abs() < 1e-5, "{found} {wanted}");
        }
    }
}
