//! ModernBERT: candle-transformers' encoder, for one window without padding.
//!
//! Warner et al. 2024 (arXiv 2412.13663); equal to Hugging Face transformers' `ModernBertModel` where the tests compare them.

use std::collections::HashMap;

use candle_core::{DType, Device, Result as Computed, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::modernbert as candle;

use super::Window;
use super::alone::Network;
use super::config::{Config, ModernBert as Settings};
use super::weights::Weights;
use crate::error::Result;

/// What the names of the encoder's tensors begin with.
const PREFIX: &str = "model.";

/// The encoder.
pub struct ModernBert(candle::ModernBert);

impl ModernBert {
    /// Takes the encoder's tensors, for windows of at most `window` tokens.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] that names the tensor.
    pub fn load(
        weights: &Weights,
        config: &Config,
        settings: &Settings,
        window: usize,
    ) -> Result<Self> {
        let (width, inner) = (config.width, config.inner);
        let mut tensors = HashMap::new();
        let mut take = |part: String, shape: &[usize]| -> Result<()> {
            let name = format!("{PREFIX}{part}");
            let tensor = weights.tensor(&name, shape)?;
            tensors.insert(name, tensor);
            Ok(())
        };
        take(
            "embeddings.tok_embeddings.weight".into(),
            &[config.words, width],
        )?;
        take("embeddings.norm.weight".into(), &[width])?;
        take("final_norm.weight".into(), &[width])?;
        for i in 0..config.layers {
            let mut take =
                |part: &str, shape: &[usize]| take(format!("layers.{i}.{part}.weight"), shape);
            // The embeddings' own norm stands before the first layer.
            if i > 0 {
                take("attn_norm", &[width])?;
            }
            take("attn.Wqkv", &[3 * width, width])?;
            take("attn.Wo", &[width, width])?;
            take("mlp_norm", &[width])?;
            take("mlp.Wi", &[2 * inner, width])?;
            take("mlp.Wo", &[width, inner])?;
        }
        let builder = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let config = candle::Config {
            vocab_size: config.words,
            hidden_size: width,
            num_hidden_layers: config.layers,
            num_attention_heads: config.heads,
            intermediate_size: inner,
            max_position_embeddings: window,
            layer_norm_eps: f64::from(config.eps),
            pad_token_id: 0,
            global_attn_every_n_layers: settings.global_every,
            global_rope_theta: settings.global_theta,
            local_attention: settings.local,
            local_rope_theta: settings.local_theta,
            classifier_config: None,
        };
        Ok(Self(candle::ModernBert::load(builder, &config)?))
    }
}

impl Network for ModernBert {
    fn states(&self, window: &Window) -> Computed<Tensor> {
        let ids = Tensor::new(&window.ids[..], &Device::Cpu)?.unsqueeze(0)?;
        let mask = Tensor::ones_like(&ids)?;
        self.0.forward(&ids, &mask)?.squeeze(0)
    }
}
