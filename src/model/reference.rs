//! candle-transformers' BERT behind our trait: padded, masked, in float. What our own engine is compared with.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};

use super::weights::Weights;
use super::{Encoder, Window};
use crate::error::{Error, Result};

/// The reference encoder.
pub struct Reference {
    model: BertModel,
}

impl Reference {
    /// Takes the tensors of the encoder that `json` configures, 8-bit ones spread out to float.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] that names the tensor.
    pub fn load(weights: &Weights, json: &[u8]) -> Result<Self> {
        let config: Config = serde_json::from_slice(json)
            .map_err(|e| Error::Model(format!("the configuration: {e}")))?;
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let mut tensors = HashMap::new();
        let mut matrix = |name: String, rows: usize, columns: usize| -> Result<()> {
            let values = weights.matrix(&name, rows, columns)?.to_float(columns);
            tensors.insert(
                name,
                Tensor::from_vec(values, (rows, columns), &Device::Cpu)?,
            );
            Ok(())
        };
        matrix(
            "embeddings.word_embeddings.weight".into(),
            config.vocab_size,
            width,
        )?;
        matrix(
            "embeddings.position_embeddings.weight".into(),
            config.max_position_embeddings,
            width,
        )?;
        matrix(
            "embeddings.token_type_embeddings.weight".into(),
            config.type_vocab_size,
            width,
        )?;
        for i in 0..config.num_hidden_layers {
            let layer = format!("encoder.layer.{i}");
            for part in ["self.query", "self.key", "self.value", "output.dense"] {
                matrix(format!("{layer}.attention.{part}.weight"), width, width)?;
            }
            matrix(format!("{layer}.intermediate.dense.weight"), inner, width)?;
            matrix(format!("{layer}.output.dense.weight"), width, inner)?;
        }
        let mut vector = |name: String, length: usize| -> Result<()> {
            let values = weights.float(&name, &[length])?;
            tensors.insert(name, Tensor::from_vec(values, length, &Device::Cpu)?);
            Ok(())
        };
        vector("embeddings.LayerNorm.weight".into(), width)?;
        vector("embeddings.LayerNorm.bias".into(), width)?;
        for i in 0..config.num_hidden_layers {
            let layer = format!("encoder.layer.{i}");
            for part in [
                "self.query.bias",
                "self.key.bias",
                "self.value.bias",
                "output.dense.bias",
            ] {
                vector(format!("{layer}.attention.{part}"), width)?;
            }
            vector(format!("{layer}.intermediate.dense.bias"), inner)?;
            vector(format!("{layer}.output.dense.bias"), width)?;
            for part in ["attention.output.LayerNorm", "output.LayerNorm"] {
                vector(format!("{layer}.{part}.weight"), width)?;
                vector(format!("{layer}.{part}.bias"), width)?;
            }
        }
        let builder = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        Ok(Self {
            model: BertModel::load(builder, &config)?,
        })
    }
}

impl Encoder for Reference {
    fn encode(&self, windows: &[&Window]) -> Result<Vec<f32>> {
        let longest = windows.iter().map(|w| w.ids.len()).max().unwrap_or(0);
        let padded = |value: &dyn Fn(&Window, usize) -> u32| -> Result<Tensor> {
            let cells: Vec<u32> = windows
                .iter()
                .flat_map(|w| {
                    (0..longest).map(|at| if at < w.ids.len() { value(w, at) } else { 0 })
                })
                .collect();
            Ok(Tensor::from_vec(
                cells,
                (windows.len(), longest),
                &Device::Cpu,
            )?)
        };
        let ids = padded(&|w, at| w.ids[at])?;
        let types = padded(&|w, at| u32::from(at >= w.first))?;
        let mask = padded(&|_, _| 1)?;
        let states = self.model.forward(&ids, &types, Some(&mask))?;
        let mut out = Vec::new();
        for (row, window) in windows.iter().enumerate() {
            let states = states.get(row)?.narrow(0, 0, window.ids.len())?;
            out.extend(states.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(out)
    }
}
