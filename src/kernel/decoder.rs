//! What a decoder does between its products and attention, over packed rows: RMS norm, rotary positions.
//!
//! Each row's sums run in an order that depends on that row's place in its own text alone, so a token's state is the same bits
//! whether its text came as one prompt, in parts, token by token, or among others.

use multiversion::multiversion;
use rayon::prelude::*;

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
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
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

/// Which numbers of a head are turned together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// One of the first half of those that are turned with one of the second: Hugging Face's order.
    Halves,
    /// Neighbours: that of GGUF files of Llama.
    Neighbours,
}

/// By how much the first numbers of a head are turned at each of some positions: `[positions][pairs]`.
#[derive(Debug, Clone)]
pub struct Angles {
    /// `[positions][pairs]`.
    pub cos: Vec<f32>,
    /// The same.
    pub sin: Vec<f32>,
    pairs: usize,
}

/// The angles of `frequencies` at each of `positions`, as cosine and sine times `scale`.
pub fn angles(positions: &[usize], frequencies: &[f32], scale: f32) -> Angles {
    let angles = positions
        .iter()
        .flat_map(|at| frequencies.iter().map(move |f| *at as f32 * f));
    let (cos, sin) = angles.map(|a| (a.cos() * scale, a.sin() * scale)).unzip();
    Angles {
        cos,
        sin,
        pairs: frequencies.len(),
    }
}

/// Turns each head of `width` of each row by its row's angles; numbers beyond their pairs stay as they are.
pub fn rotate(x: &mut [f32], width: usize, angles: &Angles, order: Pairs) {
    let pairs = angles.pairs;
    let rows = angles.cos.len() / pairs;
    let line = x.len() / rows.max(1);
    let (cos, sin) = (angles.cos.par_chunks(pairs), angles.sin.par_chunks(pairs));
    x.par_chunks_mut(line.max(1))
        .zip(cos.zip(sin))
        .for_each(|(row, (cos, sin))| {
            for head in row.chunks_exact_mut(width) {
                for (i, (cos, sin)) in cos.iter().zip(sin).enumerate() {
                    let (a, b) = match order {
                        Pairs::Halves => (i, i + pairs),
                        Pairs::Neighbours => (2 * i, 2 * i + 1),
                    };
                    (head[a], head[b]) =
                        (head[a] * cos - head[b] * sin, head[b] * cos + head[a] * sin);
                }
            }
        });
}

/// The heads of attention.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heads {
    /// Heads of queries.
    pub queries: usize,
    /// Heads of keys and values, each of which serves as many of queries.
    pub keys: usize,
    /// Width of a head.
    pub width: usize,
    /// What the products of queries and keys are multiplied by.
    pub scale: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_keeps_the_length_and_both_orders_turn_alike() {
        let angles = angles(&[3], &[1.0, 0.1], 1.0);
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
    fn numbers_beyond_the_pairs_are_not_turned_and_a_scale_is_a_factor() {
        let whole = angles(&[3], &[1.0], 1.0);
        let mut two = [1.0, 2.0];
        rotate(&mut two, 2, &whole, Pairs::Halves);
        for order in [Pairs::Halves, Pairs::Neighbours] {
            let mut head = [1.0, 2.0, 3.0, 4.0];
            rotate(&mut head, 4, &whole, order);
            assert_eq!(head, [two[0], two[1], 3.0, 4.0]);
        }
        let mut twice = [1.0, 2.0];
        rotate(&mut twice, 2, &angles(&[3], &[1.0], 2.0), Pairs::Halves);
        assert_eq!(twice, two.map(|v| 2.0 * v));
    }
}
