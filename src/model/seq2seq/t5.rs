//! T5 and FLAN-T5: RMS norms before each part, no biases, positions as buckets of distances that all layers of a side share, scores that are
//! not scaled. Raffel et al. 2019, arXiv 1910.10683, and Shazeer 2020, 2002.05202, for the gated parts of version 1.1 and FLAN; arithmetic
//! and tensor names as in Hugging Face transformers' `modeling_t5.py`.

use serde_json::Value;

use super::generation::MOST_WRITTEN;
use super::network::{Attention, FeedForward, Layer, Near, Norm, Positions, Seq2Seq, Stack};
use super::parts::{Parts, activation, tables};
use crate::error::Result;
use crate::kernel::Activation;
use crate::model::config::File;
use crate::model::decoder::Tensors;

/// What a T5 reads where its configuration does not say what it was trained on.
const USUAL_TEXT: usize = 512;

struct Config {
    words: usize,
    width: usize,
    inner: usize,
    heads: usize,
    /// Width of a head.
    depth: usize,
    layers: [usize; 2],
    buckets: usize,
    furthest: usize,
    eps: f32,
    gated: bool,
    activation: Activation,
    /// Whether the table of words tells the next one too, after states that are scaled.
    scaled: bool,
}

/// Tokens that an encoder of this configuration was trained to read; more can be read.
pub fn trained_on(file: &File<'_>) -> Result<usize> {
    file.count_or("n_positions", USUAL_TEXT, 1)
}

impl Config {
    fn read(file: &File<'_>) -> Result<Self> {
        let said = match file.map.get("feed_forward_proj") {
            None | Some(Value::Null) => "relu",
            Some(said) => said.as_str().unwrap_or_default(),
        };
        let (gated, name) = match said.strip_prefix("gated-") {
            // For these files GELU is the approximation.
            Some("gelu") => (true, "gelu_new"),
            Some(name) => (true, name),
            None => (false, said),
        };
        let activation = activation(file, "feed_forward_proj", name)?;
        for (key, value) in [
            ("is_gated_act", Value::from(gated)),
            ("dense_act_fn", Value::from(name)),
        ] {
            file.only(key, &value)?;
        }
        let layers = file.count("num_layers")?;
        // Version 1.1 and FLAN say by it that they have an output of their own; then states are not scaled.
        let tied = file.flag_or("tie_word_embeddings", true)?;
        let config = Self {
            words: file.count("vocab_size")?,
            width: file.count("d_model")?,
            inner: file.count("d_ff")?,
            heads: file.count("num_heads")?,
            depth: file.count("d_kv")?,
            layers: [layers, file.count_or("num_decoder_layers", layers, 1)?],
            buckets: file.count_or("relative_attention_num_buckets", 32, 1)?,
            furthest: file.count_or("relative_attention_max_distance", 128, 1)?,
            eps: file.float_or("layer_norm_epsilon", 1e-6)? as f32,
            gated,
            activation,
            scaled: file.flag_or("scale_decoder_outputs", tied)?,
        };
        // Half of them, of each direction, are for one distance each, and the rest for logarithms.
        if !config.buckets.is_multiple_of(4) || config.furthest <= config.buckets / 2 {
            return file.fail(format!(
                "{} buckets of distances up to {} (relative_attention_num_buckets, relative_attention_max_distance)",
                config.buckets, config.furthest
            ));
        }
        Ok(config)
    }
}

/// The model of a configuration, from its tensors.
pub fn load(file: &File<'_>, tensors: &Tensors<'_>) -> Result<Seq2Seq> {
    let config = Config::read(file)?;
    let tables = tables(
        tensors,
        [
            "shared.weight",
            "encoder.embed_tokens.weight",
            "decoder.embed_tokens.weight",
        ],
        "lm_head.weight",
        config.scaled,
        (config.words, config.width),
    )?;
    let [encoder, decoder] = ["encoder", "decoder"];
    let model = Seq2Seq {
        words: tables.words,
        vocabulary: config.words,
        width: config.width,
        embedding_scale: 1.0,
        norm_first: true,
        encoder: stack(&config, tensors, encoder)?,
        decoder: stack(&config, tensors, decoder)?,
        output_scale: match config.scaled {
            true => 1.0 / (config.width as f32).sqrt(),
            false => 1.0,
        },
        output: tables.output,
        output_bias: None,
        context: MOST_WRITTEN,
    };
    // Of no use, but in the first files.
    tensors.finish(&["EncDecAttention.relative_attention_bias"])?;
    Ok(model)
}

fn stack(config: &Config, tensors: &Tensors<'_>, side: &str) -> Result<Stack> {
    let decodes = side == "decoder";
    let near = format!("{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
    let layer = |i| layer(config, tensors, &format!("{side}.block.{i}.layer"), decodes);
    Ok(Stack {
        positions: Positions::Near(Near {
            added: Parts(tensors).table(&near, config.buckets, config.heads)?,
            heads: config.heads,
            buckets: config.buckets,
            furthest: config.furthest,
        }),
        first_norm: None,
        layers: (0..config.layers[usize::from(decodes)])
            .map(layer)
            .collect::<Result<_>>()?,
        last_norm: Some(norm(config, tensors, &format!("{side}.final_layer_norm"))?),
    })
}

fn norm(config: &Config, tensors: &Tensors<'_>, name: &str) -> Result<Norm> {
    let gamma = tensors.vector(&format!("{name}.weight"), config.width)?;
    Ok(Norm::Rms(gamma, config.eps))
}

fn layer(config: &Config, tensors: &Tensors<'_>, name: &str, decodes: bool) -> Result<Layer> {
    let (width, inner) = (config.width, config.inner);
    let parts = Parts(tensors);
    let own_norm = |part: usize| norm(config, tensors, &format!("{name}.{part}.layer_norm"));
    let attention = |part: &str| -> Result<Attention> {
        let line = config.heads * config.depth;
        let linear = |letter: &str, inputs, outputs| {
            parts.linear(&format!("{name}.{part}.{letter}"), inputs, outputs, false)
        };
        Ok(Attention {
            query: linear("q", width, line)?,
            key: linear("k", width, line)?,
            value: linear("v", width, line)?,
            out: linear("o", line, width)?,
            heads: config.heads,
            depth: config.depth,
            scale: 1.0,
        })
    };
    let last = if decodes { 2 } else { 1 };
    let dense = |part: &str, inputs, outputs| {
        let name = format!("{name}.{last}.DenseReluDense.{part}");
        parts.linear(&name, inputs, outputs, false)
    };
    let (up, gated) = match config.gated {
        true => (
            dense("wi_0", width, inner)?,
            Some(dense("wi_1", width, inner)?),
        ),
        false => (dense("wi", width, inner)?, None),
    };
    Ok(Layer {
        attention: attention("0.SelfAttention")?,
        attention_norm: own_norm(0)?,
        cross: match decodes {
            true => Some((attention("1.EncDecAttention")?, own_norm(1)?)),
            false => None,
        },
        feed_forward: FeedForward {
            up,
            activation: config.activation,
            gated,
            down: dense("wo", inner, width)?,
        },
        norm: own_norm(last)?,
    })
}
