//! A layer on a card: attention over the pool by the lists of a [`Batch`], and the gated feed-forward part.

use candle_core::{Module, Result as Computed, Tensor};
use candle_nn::Linear;
use candle_nn::ops::{rms_norm, softmax_last_dim};
use candle_nn::rotary_emb::rope_thd;

use super::batch::Batch;
use crate::kernel::Activation;
use crate::model::decoder::config::Config;

/// A layer's weights.
pub(super) struct Layer {
    /// Which of the configuration's ways of attending is its own.
    pub(super) kind: usize,
    pub(super) attention_norm: Tensor,
    pub(super) query_key_value: Linear,
    pub(super) head_norms: Option<[Tensor; 2]>,
    pub(super) attention_out: Linear,
    pub(super) norm: Tensor,
    pub(super) gate_up: Linear,
    pub(super) down: Linear,
    pub(super) out_norms: Option<[Tensor; 2]>,
}

impl Layer {
    /// The states `[tokens][width]` after the layer; keys and values go into its part of the pool.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        kept: &[Tensor; 2],
        first: usize,
        batch: &Batch,
        config: &Config,
    ) -> Computed<Tensor> {
        let eps = config.eps;
        let normed = rms_norm(x, &self.attention_norm, eps)?;
        let attended = self.attend(&normed, kept, first, batch, config)?;
        let mut more = self.attention_out.forward(&attended)?;
        if let Some([after_attention, _]) = &self.out_norms {
            more = rms_norm(&more, after_attention, eps)?;
        }
        let x = (x + more)?;
        let both = self.gate_up.forward(&rms_norm(&x, &self.norm, eps)?)?;
        let gate = both.narrow(1, 0, config.inner)?.contiguous()?;
        let up = both.narrow(1, config.inner, config.inner)?.contiguous()?;
        let gate = match config.gate {
            Activation::Relu => gate.relu()?,
            Activation::Gelu => gate.gelu_erf()?,
            Activation::GeluTanh => gate.gelu()?,
            Activation::Silu => gate.silu()?,
        };
        let mut more = self.down.forward(&(gate * up)?)?;
        if let Some([_, after_all]) = &self.out_norms {
            more = rms_norm(&more, after_all, eps)?;
        }
        x + more
    }

    /// What each token takes from those before it and itself, `[tokens][heads of queries · width]`.
    fn attend(
        &self,
        normed: &Tensor,
        [kept_keys, kept_values]: &[Tensor; 2],
        first: usize,
        batch: &Batch,
        config: &Config,
    ) -> Computed<Tensor> {
        let (heads, eps) = (config.heads, config.eps);
        let tokens = normed.dim(0)?;
        let (own, shared) = (heads.queries * heads.width, heads.keys * heads.width);
        let all = self.query_key_value.forward(normed)?;
        let part = |from: usize, count: usize| {
            let part = all.narrow(1, from * heads.width, count * heads.width)?;
            part.contiguous()?.reshape((1, tokens, count, heads.width))
        };
        let mut queries = part(0, heads.queries)?;
        let mut keys = part(heads.queries, heads.keys)?;
        let values = part(heads.queries + heads.keys, heads.keys)?;
        if let Some([query_norm, key_norm]) = &self.head_norms {
            queries = rms_norm(&queries, query_norm, eps)?;
            keys = rms_norm(&keys, key_norm, eps)?;
        }
        if let Some([cos, sin]) = &batch.turns[self.kind] {
            queries = turned(&queries, cos, sin)?;
            keys = turned(&keys, cos, sin)?;
        }
        kept_keys.slice_set(&keys.reshape((tokens, shared))?, 0, first)?;
        kept_values.slice_set(&values.reshape((tokens, shared))?, 0, first)?;

        // Each head of keys serves a group of queries, which stand side by side in its product.
        let group = heads.queries / heads.keys;
        let (rows, most, longest) = (batch.rows, batch.most, batch.longest);
        let queries = (queries.reshape((tokens, own))? * f64::from(heads.scale))?;
        let queries = match &batch.padded {
            Some([padded, _]) => queries.index_select(padded, 0)?,
            None => queries,
        };
        let queries = queries.reshape((rows, most, heads.keys, group, heads.width))?;
        let queries = queries.permute((0, 2, 3, 1, 4))?.contiguous()?;
        let queries = queries.reshape((rows, heads.keys, group * most, heads.width))?;
        let of = |kept: &Tensor| {
            let kept = kept.index_select(&batch.slots, 0)?;
            let kept = kept.reshape((rows, longest, heads.keys, heads.width))?;
            kept.transpose(1, 2)?.contiguous()
        };
        // In one expression, so that of these, the largest there are, no more than two are kept at a time.
        let scores = softmax_last_dim(
            &queries
                .matmul(&of(kept_keys)?.t()?)?
                .reshape((rows, heads.queries, most, longest))?
                .broadcast_add(&batch.masks[self.kind])?,
        )?;
        let scores = scores.reshape((rows, heads.keys, group * most, longest))?;
        let attended = scores.matmul(&of(kept_values)?)?;
        let attended = attended.reshape((rows, heads.keys, group, most, heads.width))?;
        let attended = attended.permute((0, 3, 1, 2, 4))?.contiguous()?;
        let attended = attended.reshape((rows * most, own))?;
        match &batch.padded {
            Some([_, packed]) => attended.index_select(packed, 0),
            None => Ok(attended),
        }
    }
}

/// Heads `[1][tokens][heads][width]` turned by their positions; numbers beyond the pairs stay as they are.
fn turned(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Computed<Tensor> {
    let (width, turned) = (x.dim(3)?, 2 * cos.dim(1)?);
    if width == turned {
        return rope_thd(x, cos, sin);
    }
    let first = rope_thd(&x.narrow(3, 0, turned)?.contiguous()?, cos, sin)?;
    Tensor::cat(&[first, x.narrow(3, turned, width - turned)?], 3)
}
