//! Layers that read the same states: each with a matrix of its own, or all in one, whose rows are theirs one after the other (Phi-3).

use super::tensors::Linear;

/// `N` layers.
pub enum Stack<const N: usize> {
    /// Each by itself.
    Apart([Linear; N]),
    /// All in one, with how many outputs are whose.
    Together(Linear, [usize; N]),
}

impl<const N: usize> Stack<N> {
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
