//! What a decoder does between its products, over packed rows: RMS norm, rotary positions, gates, and attention over a cache.
//!
//! Each row's sums run in an order that depends on that row's place in its own text alone, so a token's state is the same bits
//! whether its text came as one prompt, in parts, token by token, or among others.

use multiversion::multiversion;
use rayon::prelude::*;

use super::float::{exp, softmax};
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

/// What a gate makes of its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// `x · sigmoid(x)`.
    Silu,
    /// GELU by its approximation with a tanh: `x · sigmoid(√(8/π) (x + 0.044715 x³))`.
    Gelu,
}

/// `function(gate) · up`, into `gate`.
pub fn gated(gate: &mut [f32], up: &[f32], function: Gate) {
    const PART: usize = 1 << 14;
    gate.par_chunks_mut(PART)
        .zip(up.par_chunks(PART))
        .for_each(|(gate, up)| gated_part(gate, up, function));
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn gated_part(gate: &mut [f32], up: &[f32], function: Gate) {
    const ROOT: f32 = 1.595_769; // √(8/π)
    match function {
        Gate::Silu => sigmoid_of(gate, up, |x| x),
        Gate::Gelu => sigmoid_of(gate, up, |x| ROOT * (x + 0.044_715 * x * x * x)),
    }
}

/// `gate · sigmoid(of(gate)) · up`, into `gate`.
#[inline(always)]
fn sigmoid_of(gate: &mut [f32], up: &[f32], of: impl Fn(f32) -> f32) {
    for (gate, up) in gate.iter_mut().zip(up) {
        let x = of(*gate);
        let e = exp(-x.abs());
        let sigmoid = if x < 0.0 { e } else { 1.0 } / (1.0 + e);
        *gate = *gate * sigmoid * up;
    }
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
    cos: Vec<f32>,
    sin: Vec<f32>,
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

/// What the last `rows` tokens of one text attend to: the keys and values of all its tokens, their own too, `[tokens][heads.keys · width]`.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// Keys.
    pub keys: &'a [f32],
    /// Values.
    pub values: &'a [f32],
    /// Tokens at the end whose queries are asked.
    pub rows: usize,
}

/// `softmax(scale · q Kᵀ) V` of each token over itself and those before it in its own text, `window` tokens in all, if that is some:
/// `queries` are the rows of all texts, one after the other, `[rows][heads.queries · width]`, and so is what comes out.
pub fn causal_attention(
    queries: &[f32],
    texts: &[Past<'_>],
    heads: Heads,
    window: Option<usize>,
) -> Vec<f32> {
    let group = heads.queries / heads.keys * heads.width;
    let line = heads.keys * heads.width;
    // For each row its text, and how many tokens there are up to it.
    let rows: Vec<(Past<'_>, usize)> = texts
        .iter()
        .flat_map(|text| {
            let tokens = text.keys.len() / line;
            (tokens - text.rows..tokens).map(move |at| (*text, at + 1))
        })
        .collect();
    let mut out = vec![0f32; queries.len()];
    out.par_chunks_mut(group)
        .zip(queries.par_chunks(group))
        .enumerate()
        .for_each_init(Vec::new, |scores, (task, (out, queries))| {
            let (text, tokens) = rows[task / heads.keys];
            let first = window.map_or(0, |window| tokens.saturating_sub(window));
            let from = first * line + task % heads.keys * heads.width;
            let scale = heads.scale;
            let heads = out
                .chunks_exact_mut(heads.width)
                .zip(queries.chunks_exact(heads.width));
            scores.resize(tokens - first, 0.0);
            for (out, query) in heads {
                score(query, &text.keys[from..], line, scale, scores);
                softmax(scores);
                weigh(scores, &text.values[from..], line, out);
            }
        });
    out
}

/// `scores[t] = query · keys[t] · scale`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn score(query: &[f32], keys: &[f32], line: usize, scale: f32, scores: &mut [f32]) {
    for (score, key) in scores.iter_mut().zip(keys.chunks(line)) {
        *score = dot(query, &key[..query.len()]) * scale;
    }
}

/// `out = Σ weights[t] · values[t]`, from the first token to the last.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
pub(super) fn weigh(weights: &[f32], values: &[f32], line: usize, out: &mut [f32]) {
    const WIDE: usize = 4 * LANES;
    let mut at = 0;
    while at + WIDE <= out.len() {
        let mut sums = [0f32; WIDE];
        for (weight, values) in weights.iter().zip(values.chunks(line)) {
            for (sum, v) in sums.iter_mut().zip(&values[at..][..WIDE]) {
                *sum += weight * v;
            }
        }
        out[at..][..WIDE].copy_from_slice(&sums);
        at += WIDE;
    }
    let rest = &mut out[at..];
    rest.fill(0.0);
    for (weight, values) in weights.iter().zip(values.chunks(line)) {
        for (sum, v) in rest.iter_mut().zip(&values[at..]) {
            *sum += weight * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attention_weighs_what_came_before_and_no_more_than_the_window() {
        let heads = Heads {
            queries: 2,
            keys: 1,
            width: 2,
            scale: 1.0,
        };
        // Keys that are all alike: the values' mean.
        let keys = [0.5; 6];
        let values = [1.0, 10.0, 2.0, 20.0, 6.0, 60.0];
        let text = |tokens: usize, rows| Past {
            keys: &keys[..tokens * 2],
            values: &values[..tokens * 2],
            rows,
        };
        let near = |found: &[f32], wanted: &[f32]| {
            assert_eq!(found.len(), wanted.len());
            for (found, wanted) in found.iter().zip(wanted) {
                assert!((found - wanted).abs() < 1e-5, "{found} {wanted}");
            }
        };
        let out = causal_attention(&[1.0; 16], &[text(3, 3), text(2, 1)], heads, None);
        let expected = [1.0, 10.0, 1.5, 15.0, 3.0, 30.0, 1.5, 15.0];
        let twice: Vec<f32> = expected.chunks(2).flat_map(|v| [v, v].concat()).collect();
        near(&out, &twice);
        let out = causal_attention(&[1.0; 4], &[text(3, 1)], heads, Some(2));
        near(&out, &[4.0, 40.0, 4.0, 40.0]);
        // A key that stands out, the more so the larger the scale.
        let keys = [0.0, 0.0, 2.0, 0.0];
        let text = Past {
            keys: &keys,
            values: &values[..4],
            rows: 1,
        };
        let sharp = |scale| causal_attention(&[1.0; 4], &[text], Heads { scale, ..heads }, None)[0];
        let share = |logit: f32| 1.0 + logit.exp() / (1.0 + logit.exp());
        near(&[sharp(0.5), sharp(2.0)], &[share(1.0), share(4.0)]);
    }

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

    #[test]
    fn gates_are_those_of_pytorch() {
        for (function, expected) in [
            (Gate::Silu, [0.0, -0.537_883, 0.0, 1.462_117, 200.0]),
            (Gate::Gelu, [0.0, -0.317_616, 0.0, 1.682_384, 200.0]),
        ] {
            let mut gate = [-100.0, -1.0, 0.0, 1.0, 100.0];
            gated(&mut gate, &[2.0; 5], function);
            for (found, wanted) in gate.iter().zip(expected) {
                assert!((found - wanted).abs() < 1e-5, "{found} {wanted}");
            }
        }
    }
}
