//! What an encoder-decoder model does between its products that neither an encoder nor a decoder alone does: attention of a decoder's
//! tokens over keys that may be another text's, with what positions add to scores; layer norm by itself.
//!
//! As in a decoder, a token's sums run in an order that depends on its own text alone.

use multiversion::multiversion;
use rayon::prelude::*;

use super::decoder::dot;
use super::float::{layer_norm_row, softmax};
use super::product::LANES;

/// Rows of a task.
const TASK_ROWS: usize = 16;

/// Layer normalisation of each row of `gamma.len()`, in place.
pub fn layer_norm(x: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    x.par_chunks_mut(TASK_ROWS * gamma.len())
        .for_each(|rows| layer_norm_rows(rows, gamma, beta, eps));
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn layer_norm_rows(x: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    for row in x.chunks_exact_mut(gamma.len()) {
        layer_norm_row(row, gamma, beta, eps);
    }
}

/// Keys and values of a text's tokens, `[tokens][heads · width]`, and how many rows attend to them.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Keys.
    pub keys: &'a [f32],
    /// Values.
    pub values: &'a [f32],
    /// Rows whose queries are asked.
    pub rows: usize,
}

/// What a decoder's token sees.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// All keys: those of another text.
    All,
    /// Itself and what came before it in its own text.
    Before,
    /// The same, where `[heads][most]` is added to the scores: what stands last in a head's line to that of the token itself, what stands
    /// before it to that of the token before, and so on.
    Near(&'a [f32]),
}

/// `softmax(scale · q Kᵀ + B) V` of each token: `queries` are the rows of all texts, one after the other, `[rows][heads · width]`, and so is
/// what comes out. A text's rows are the last of its tokens unless all is seen, which is then its keys.
pub fn decoder_attention(
    queries: &[f32],
    texts: &[Context<'_>],
    (heads, width): (usize, usize),
    scale: f32,
    seen: Seen<'_>,
) -> Vec<f32> {
    let line = heads * width;
    // For each row its text, and how many tokens it sees.
    let rows: Vec<(Context<'_>, usize)> = texts
        .iter()
        .flat_map(|text| {
            let tokens = text.keys.len() / line;
            (0..text.rows).map(move |row| match seen {
                Seen::All => (*text, tokens),
                Seen::Before | Seen::Near(_) => (*text, tokens - text.rows + row + 1),
            })
        })
        .collect();
    let mut out = vec![0f32; queries.len()];
    out.par_chunks_mut(width)
        .zip(queries.par_chunks(width))
        .enumerate()
        .for_each_init(Vec::new, |scores, (task, (out, query))| {
            let (text, tokens) = rows[task / heads];
            let head = task % heads;
            scores.resize(tokens, 0.0);
            score(query, &text.keys[head * width..], line, scale, scores);
            if let Seen::Near(added) = seen {
                let most = added.len() / heads;
                let added = &added[(head + 1) * most - tokens..][..tokens];
                for (score, added) in scores.iter_mut().zip(added) {
                    *score += added;
                }
            }
            softmax(scores);
            weigh(scores, &text.values[head * width..], line, out);
        });
    out
}

/// `scores[t] = scale · query · keys[t]`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn score(query: &[f32], keys: &[f32], line: usize, scale: f32, scores: &mut [f32]) {
    for (score, key) in scores.iter_mut().zip(keys.chunks(line)) {
        *score = dot(query, &key[..query.len()]) * scale;
    }
}

/// `out = Σ weights[t] · values[t]`, from the first token to the last.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn weigh(weights: &[f32], values: &[f32], line: usize, out: &mut [f32]) {
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
    use super::super::testing::near;
    use super::*;

    #[test]
    fn a_token_sees_all_or_what_came_before_by_how_near_it_is() {
        // Keys that are all alike: what is added decides, and the values' mean without it.
        let keys = [0.5; 3];
        let values = [1.0, 2.0, 6.0];
        let text = |rows| Context {
            keys: &keys,
            values: &values,
            rows,
        };
        let attend = |rows: usize, seen| {
            decoder_attention(&vec![1.0; rows], &[text(rows)], (1, 1), 0.7, seen)
        };
        near(&attend(2, Seen::All), &[3.0, 3.0]);
        near(&attend(2, Seen::Before), &[1.5, 3.0]);
        near(
            &attend(3, Seen::Near(&[9.0, 9.0, 90.0, 0.0])),
            &[1.0, 1.0, 2.0],
        );
    }
}
