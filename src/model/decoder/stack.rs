//! Layers that read the same states: each with a matrix of its own, or all in one, whose rows are theirs one after the other (Phi-3).

use super::tensors::{Linear, Spread};
use crate::error::Result;

/// `N` layers.
pub enum Stack<const N: usize> {
    /// Each by itself.
    Apart([Linear; N]),
    /// All in one, with how many outputs are whose.
    Together(Linear, [usize; N]),
}

impl<const N: usize> Stack<N> {
    /// Each layer's weights `[outputs][inputs]` as floats, and its bias.
    ///
    /// # Errors
    /// As [`Linear::spread`].
    pub fn spread(&self) -> Result<Vec<Spread>> {
        let (layer, widths) = match self {
            Self::Apart(layers) => return layers.iter().map(Linear::spread).collect(),
            Self::Together(layer, widths) => (layer, widths),
        };
        let mut all = layer.spread()?;
        let mut parts = Vec::with_capacity(N);
        for width in widths {
            let rest = all.weight.split_off(width * all.inputs);
            let more = all.bias.as_mut().map(|bias| bias.split_off(*width));
            let inputs = all.inputs;
            parts.push(all);
            all = Spread {
                weight: rest,
                bias: more,
                inputs,
            };
        }
        Ok(parts)
    }

    /// Each layer's outputs for each row of `x`.
    pub fn forward(&self, x: &[f32]) -> [Vec<f32>; N] {
        let (layer, widths) = match self {
            Self::Apart(layers) => return Linear::together(layers.each_ref(), x),
            Self::Together(layer, widths) => (layer, widths),
        };
        let all = layer.forward(x);
        let mut out = std::array::from_fn(|_| Vec::new());
        let mut rest = &all[..];
        while !rest.is_empty() {
            for (out, width) in out.iter_mut().zip(widths) {
                let (own, after) = rest.split_at(*width);
                out.extend(own);
                rest = after;
            }
        }
        out
    }
}
