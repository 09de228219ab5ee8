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

    /// Reads one article from the states `[tokens][width]` of its windows, in order.
    pub fn read(&self, windows: &[Window], states: &[f32]) -> Reading {
        let width = self.width;
        let mut evidence = Vec::new();
        let mut pooled = Vec::new(); // for each span: [C ; h]
        let mut start = 0;
        for window in windows {
            let states = &states[start * width..][..window.ids.len() * width];
            for span in &window.spans {
                let at = pooled.len();
                pooled.extend_from_slice(&states[..width]);
                pooled.resize(at + 2 * width, 0.0);
                let mean = &mut pooled[at + width..];
                for row in states[span.start * width..span.end * width].chunks_exact(width) {
                    for (m, v) in mean.iter_mut().zip(row) {
                        *m += v;
                    }
                }
                for m in mean.iter_mut() {
                    *m /= span.len() as f32;
                }
                evidence.extend(kernel::dense(mean, &self.evidence, &self.evidence_bias));
            }
            start += window.ids.len();
        }
        let mut share = evidence.clone();
        kernel::softmax(&mut share);
        let mut x = vec![0f32; 2 * width];
        for (share, pooled) in share.iter().zip(pooled.chunks_exact(2 * width)) {
            for (x, v) in x.iter_mut().zip(pooled) {
                *x += share * v;
            }
        }
        let mut x = kernel::dense(&x, &self.dense, &self.dense_bias);
        kernel::gelu(&mut x);
        let logits = kernel::dense(&x, &self.out, &self.out_bias);
        Reading {
            stance: [logits[0], logits[1], logits[2], logits[3]],
            evidence,
        }
    }
}
