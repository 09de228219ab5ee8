//! Weights on their way to a card: spread out to floats, with what an adapter adds, several layers in one, and all heads' pairs in halves.

use candle_core::Tensor;
use candle_nn::Linear;

use crate::error::Result;
use crate::model::decoder::adapter::LowRank;
use crate::model::decoder::tensors::{Linear as Product, Spread};
use crate::model::device::Card;

/// Brings weights onto the card.
pub(super) struct Loader<'a> {
    pub(super) card: &'a Card,
    /// The width of heads whose pairs are neighbours, and are to be halves.
    pub(super) halves: Option<usize>,
}

/// What an adapter adds to a layer, if it does.
pub(super) type Beside<'a> = Option<&'a LowRank>;

impl Loader<'_> {
    fn tensor(&self, values: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
        let tensor = Tensor::from_vec(values, shape, &self.card.device)?;
        Ok(tensor.to_dtype(self.card.dtype)?)
    }

    pub(super) fn vector(&self, values: &[f32]) -> Result<Tensor> {
        self.tensor(values.to_vec(), &[values.len()])
    }

    pub(super) fn linear(&self, layer: &Product, beside: Beside<'_>) -> Result<Linear> {
        self.stack(vec![layer.spread()?], [(beside, false)])
    }

    /// Layers side by side as one, each with what an adapter adds to it, and whether its heads are to be turned by halves.
    pub(super) fn stack<const N: usize>(
        &self,
        layers: Vec<Spread>,
        more: [(Beside<'_>, bool); N],
    ) -> Result<Linear> {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        let mut inputs = 0;
        for (layer, (beside, turned)) in layers.into_iter().zip(more) {
            let (mut weight, mut bias) = (layer.weight, layer.bias);
            inputs = layer.inputs;
            if let Some(beside) = beside {
                beside.add_to(&mut weight);
            }
            if let Some(width) = self.halves.filter(|_| turned) {
                weight = in_halves(&weight, width, inputs);
                bias = bias.map(|bias| in_halves(&bias, width, 1));
            }
            weights.extend(weight);
            biases.extend(bias.unwrap_or_default());
        }
        let bias = match biases.len() {
            0 => None,
            count => Some(self.tensor(biases, &[count])?),
        };
        let outputs = weights.len() / inputs.max(1);
        Ok(Linear::new(self.tensor(weights, &[outputs, inputs])?, bias))
    }
}

/// Rows of `columns` whose pairs within a head of `width` are neighbours, with those pairs in the two halves of it. What queries and keys
/// are products of stays the same.
pub(super) fn in_halves(rows: &[f32], width: usize, columns: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(rows.len());
    for head in rows.chunks_exact(width * columns) {
        for half in 0..2 {
            let row = |i: usize| &head[(2 * i + half) * columns..][..columns];
            (0..width / 2).for_each(|i| out.extend_from_slice(row(i)));
        }
    }
    out
}
