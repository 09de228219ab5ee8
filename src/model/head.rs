//! The two heads over an encoder: how much each sentence decides, and the stance read from the sentences that do.
//!
//! With `C` the first token's state of a sentence's window and `h` the mean state of the sentence's tokens: the evidence logit is
//! `e = w·h + b`; with `a = softmax(e)` over all sentences of all windows, the stance logits are a two-layer perceptron of
//! `[Σ aC ; Σ ah]`. Windows are so merged by the very pooling that one window uses. (Attention pooling after Yang et al. 2016,
//! "Hierarchical Attention Networks", with the attention supervised by marked sentences.)

use super::weights::Weights;
use super::{Reading, Window};
use crate::error::Result;
use crate::kernel;

/// Weights of both heads over states of `width`.
pub struct Head {
    width: usize,
    evidence: Vec<f32>,
    evidence_bias: Vec<f32>,
    dense: Vec<f32>,
    dense_bias: Vec<f32>,
    out: Vec<f32>,
    out_bias: Vec<f32>,
}

impl Head {
    /// Takes the heads' tensors.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] as [`Weights::float`].
    pub fn load(weights: &Weights, width: usize) -> Result<Self> {
        Ok(Self {
            width,
            evidence: weights.float("evidence.weight", &[1, width])?,
            evidence_bias: weights.float("evidence.bias", &[1])?,
            dense: weights.float("stance.dense.weight", &[width, 2 * width])?,
            dense_bias: weights.float("stance.dense.bias", &[width])?,
            out: weights.float("stance.out.weight", &[4, width])?,
            out_bias: weights.float("stance.out.bias", &[4])?,
        })
    }

    /// Takes the [`rows`] of one window into an article's pool; windows come in order.
    pub fn pool(&self, rows: &[f32], pool: &mut Pool) {
        let (first, means) = rows.split_at(self.width);
        for mean in means.chunks_exact(self.width) {
            for logit in kernel::dense(mean, &self.evidence, &self.evidence_bias) {
                pool.add(logit, first, mean);
            }
        }
    }

    /// What the pooled article says.
    pub fn read(&self, pool: Pool) -> Reading {
        let x: Vec<f32> = pool.sum.iter().map(|v| v / pool.total).collect();
        let mut x = kernel::dense(&x, &self.dense, &self.dense_bias);
        kernel::gelu(&mut x);
        let logits = kernel::dense(&x, &self.out, &self.out_bias);
        Reading {
            stance: [logits[0], logits[1], logits[2], logits[3]],
            evidence: pool.evidence,
        }
    }
}

/// What the heads read of a window with `states` `[tokens][width]`: the first token's state, then the mean of each span's.
pub fn rows(window: &Window, states: &[f32], width: usize) -> Vec<f32> {
    let mut rows = Vec::with_capacity((1 + window.spans.len()) * width);
    rows.extend(&states[..width]);
    for span in &window.spans {
        let mut mean = vec![0f32; width];
        for row in states[span.start * width..span.end * width].chunks_exact(width) {
            for (m, v) in mean.iter_mut().zip(row) {
                *m += v;
            }
        }
        for m in &mut mean {
            *m /= span.len() as f32;
        }
        rows.extend(mean);
    }
    rows
}

/// `Σ aC` and `Σ ah` of an article so far, in one pass and in memory that does not grow with the article but for one logit a
/// sentence (the running softmax of Milakov and Gimelshein 2018, arXiv 1805.02867).
pub struct Pool {
    evidence: Vec<f32>,
    /// The largest logit so far.
    top: f32,
    /// `Σ exp(e - top)`.
    total: f32,
    /// `Σ exp(e - top) · [C ; h]`.
    sum: Vec<f32>,
}

impl Pool {
    /// Nothing yet.
    pub fn new(width: usize) -> Self {
        Self {
            evidence: Vec::new(),
            top: f32::NEG_INFINITY,
            total: 0.0,
            sum: vec![0.0; 2 * width],
        }
    }

    fn add(&mut self, logit: f32, first: &[f32], mean: &[f32]) {
        self.evidence.push(logit);
        if logit > self.top {
            let shrink = kernel::exp(self.top - logit);
            self.top = logit;
            self.total *= shrink;
            for v in &mut self.sum {
                *v *= shrink;
            }
        }
        let share = kernel::exp(logit - self.top);
        self.total += share;
        for (sum, v) in self.sum.iter_mut().zip(first.iter().chain(mean)) {
            *sum += share * v;
        }
    }
}
