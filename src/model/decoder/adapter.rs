//! Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685): beside each of a layer's products `x · Wᵀ` stands a small one, `scale · (x · Aᵀ) · Bᵀ`,
//! that was trained while `W` stayed as it was. So a few megabytes make another model of weights that are fetched elsewhere, in whatever
//! blocks these are. Files as PEFT writes them: `adapter_config.json` and a safetensors file.

use rayon::prelude::*;
use serde_json::Value;

use super::config::Config;
use crate::error::{Error, Result};
use crate::kernel::{self, Pairs, Weights as Spread};
use crate::model::weights::Weights;

/// What an adapter adds to one layer.
#[derive(Debug, Default)]
pub struct LayerAdapter {
    pub query: Option<LowRank>,
    pub key: Option<LowRank>,
    pub value: Option<LowRank>,
    pub attention_out: Option<LowRank>,
    pub gate: Option<LowRank>,
    pub up: Option<LowRank>,
    pub down: Option<LowRank>,
}

/// The two matrices beside one product.
#[derive(Debug)]
pub struct LowRank {
    inputs: usize,
    outputs: usize,
    rank: usize,
    /// `A`, `[rank][inputs]`.
    a: Vec<f32>,
    /// `B` with the scale, `[outputs][rank]`.
    b: Vec<f32>,
}

/// Name of the configuration.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";

/// Ranks beyond this are no low ones.
const MOST_RANK: u64 = 1024;

/// What the adapter in `weights`, described by `json`, adds to each layer of the decoder of `config`.
///
/// # Errors
/// [`Error::Model`] that names what does not fit, or is not computed here.
pub fn read(json: &[u8], weights: &[u8], config: &Config) -> Result<Vec<LayerAdapter>> {
    let (rank, scale) = rank_and_scale(json)?;
    let weights = Weights::new(weights)?;
    let heads = config.heads;
    let (queries, keys) = (heads.queries * heads.width, heads.keys * heads.width);
    let (width, inner) = (config.width, config.inner);
    let mut layers = Vec::with_capacity(config.layers.len());
    for i in 0..config.layers.len() {
        let low = |part: &str, inputs: usize, outputs: usize| -> Result<Option<LowRank>> {
            let name = format!("base_model.model.model.layers.{i}.{part}");
            let [a, b] = ["A", "B"].map(|kind| format!("{name}.lora_{kind}.weight"));
            if !weights.has(&a) && !weights.has(&b) {
                return Ok(None);
            }
            let mut b = weights.float(&b, &[outputs, rank])?;
            b.iter_mut().for_each(|b| *b *= scale);
            Ok(Some(LowRank {
                inputs,
                outputs,
                rank,
                a: weights.float(&a, &[rank, inputs])?,
                b,
            }))
        };
        let turned = |low: Option<LowRank>| match config.pairs {
            Pairs::Halves => low,
            Pairs::Neighbours => low.map(|low| low.into_neighbours(heads.width)),
        };
        layers.push(LayerAdapter {
            query: turned(low("self_attn.q_proj", width, queries)?),
            key: turned(low("self_attn.k_proj", width, keys)?),
            value: low("self_attn.v_proj", width, keys)?,
            attention_out: low("self_attn.o_proj", queries, width)?,
            gate: low("mlp.gate_proj", width, inner)?,
            up: low("mlp.up_proj", width, inner)?,
            down: low("mlp.down_proj", inner, width)?,
        });
    }
    weights.finish(&[])?;
    Ok(layers)
}

/// Rank, and what the products are multiplied by. Whatever else would change them is refused.
fn rank_and_scale(json: &[u8]) -> Result<(usize, f32)> {
    let fail = |what: String| Err(Error::Model(format!("{ADAPTER_CONFIG}: {what}")));
    let config: Value = match serde_json::from_slice(json) {
        Ok(config) => config,
        Err(e) => return fail(e.to_string()),
    };
    let kind = &config["peft_type"];
    if kind != "LORA" {
        return fail(format!("peft_type is {kind}; LORA can be read"));
    }
    for key in ["use_dora", "fan_in_fan_out", "lora_bias", "use_qalora"] {
        if config[key] == true {
            return fail(format!("{key} is not computed here"));
        }
    }
    let bias = &config["bias"];
    if !(bias.is_null() || bias == "none") {
        return fail(format!("bias is {bias}; none can be read"));
    }
    for key in ["rank_pattern", "alpha_pattern", "modules_to_save"] {
        let empty = match &config[key] {
            Value::Null => true,
            Value::Object(map) => map.is_empty(),
            Value::Array(list) => list.is_empty(),
            _ => false,
        };
        if !empty {
            return fail(format!("{key} is not computed here"));
        }
    }
    let rank = config["r"].as_u64().filter(|r| (1..=MOST_RANK).contains(r));
    let alpha = config["lora_alpha"]
        .as_f64()
        .filter(|alpha| alpha.is_finite());
    let (Some(rank), Some(alpha)) = (rank, alpha) else {
        return fail(format!(
            "r is {} and lora_alpha {}: a rank from 1 to {MOST_RANK} and a number",
            config["r"], config["lora_alpha"]
        ));
    };
    let below = match config["use_rslora"] == true {
        true => (rank as f64).sqrt(),
        false => rank as f64,
    };
    Ok((rank as usize, (alpha / below) as f32))
}

impl LowRank {
    /// Adds what stands beside the product of `x`, `[rows][inputs]`, to its result `y`, `[rows][outputs]`.
    pub fn add(&self, x: &[f32], y: &mut [f32]) {
        debug_assert_eq!(x.len() / self.inputs, y.len() / self.outputs);
        let low = kernel::product(x, Spread::Float(&self.a), self.inputs);
        let more = kernel::product(&low, Spread::Float(&self.b), self.rank);
        for (y, more) in y.iter_mut().zip(more) {
            *y += more;
        }
    }

    /// Adds it to the weights `[outputs][inputs]` that it stands beside.
    pub fn add_to(&self, weight: &mut [f32]) {
        debug_assert_eq!(weight.len(), self.outputs * self.inputs);
        let rows = weight.par_chunks_mut(self.inputs);
        rows.zip(self.b.par_chunks(self.rank)).for_each(|(row, b)| {
            for (b, a) in b.iter().zip(self.a.chunks_exact(self.inputs)) {
                for (w, a) in row.iter_mut().zip(a) {
                    *w += b * a;
                }
            }
        });
    }

    /// The same for a file in which the pairs of a head of `width` are neighbours: its rows stand in another order.
    fn into_neighbours(self, width: usize) -> Self {
        let mut b = Vec::with_capacity(self.b.len());
        for head in self.b.chunks_exact(width * self.rank) {
            let row = |i: usize| &head[i * self.rank..(i + 1) * self.rank];
            for i in 0..width / 2 {
                b.extend_from_slice(row(i));
                b.extend_from_slice(row(i + width / 2));
            }
        }
        Self { b, ..self }
    }
}

/// Adds what `low`, if there is one, has beside the product of `x`.
pub fn add(low: Option<&LowRank>, x: &[f32], y: &mut [f32]) {
    if let Some(low) = low {
        low.add(x, y);
    }
}
