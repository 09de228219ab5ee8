//! BART and DistilBART: layer norms after each part and after the words, learned positions. Lewis et al. 2019, arXiv 1910.13461. PEGASUS
//! has the same parts with the norms before them and after each side, and positions that are sines: Zhang et al. 2019, arXiv 1912.08777.
//! Arithmetic and tensor names as in Hugging Face transformers' `modeling_bart.py` and `modeling_pegasus.py`.

use serde_json::Value;

use super::network::{Attention, Layer, Norm, Positions, Seq2Seq, Stack};
use super::parts::{Parts, activation, tables};
use crate::error::Result;
use crate::kernel::Activation;
use crate::model::config::File;
use crate::model::decoder::Tensors;

/// Rows of a table of learned positions before that of the first token.
const OFFSET: usize = 2;
/// What is added to the variance in norms, of which the configuration does not speak.
const EPS: f32 = 1e-5;
/// A table of sines is made for all of them.
const MOST_POSITIONS: usize = 1 << 14;

struct Config {
    pegasus: bool,
    words: usize,
    width: usize,
    /// Positions of text and answer.
    positions: usize,
    scaled: bool,
    /// Whether the table of words tells the next one too.
    tied: bool,
    activation: Activation,
    encoder: Side,
    decoder: Side,
}

struct Side {
    name: &'static str,
    layers: usize,
    heads: usize,
    inner: usize,
}

/// Tokens that an encoder of this configuration can read.
pub fn positions(file: &File<'_>) -> Result<usize> {
    let positions = file.count("max_position_embeddings")?;
    match positions <= MOST_POSITIONS {
        true => Ok(positions),
        false => file.fail(format!(
            "max_position_embeddings is {positions}; {MOST_POSITIONS} is the most"
        )),
    }
}

impl Config {
    fn read(file: &File<'_>, pegasus: bool) -> Result<Self> {
        // What first files said, and later ones take for granted.
        for (key, value) in [
            ("normalize_before", pegasus),
            ("add_final_layer_norm", pegasus),
            ("static_position_embeddings", pegasus),
            ("normalize_embedding", !pegasus),
        ] {
            file.only(key, &Value::from(value))?;
        }
        let width = file.count("d_model")?;
        let side = |name: &'static str| -> Result<Side> {
            let heads = file.count(&format!("{name}_attention_heads"))?;
            if !width.is_multiple_of(heads) {
                return file.fail(format!(
                    "the width of {width} does not divide by {heads} heads ({name}_attention_heads)"
                ));
            }
            Ok(Side {
                name,
                layers: file.count(&format!("{name}_layers"))?,
                heads,
                inner: file.count(&format!("{name}_ffn_dim"))?,
            })
        };
        let said = file.map.get("activation_function").filter(|v| !v.is_null());
        let said = said.map_or(Some("gelu"), Value::as_str).unwrap_or_default();
        Ok(Self {
            pegasus,
            words: file.count("vocab_size")?,
            width,
            positions: positions(file)?,
            scaled: file.flag_or("scale_embedding", false)?,
            tied: file.flag_or("tie_word_embeddings", true)?,
            activation: activation(file, "activation_function", said)?,
            encoder: side("encoder")?,
            decoder: side("decoder")?,
        })
    }
}

/// The model of a configuration, from its tensors.
pub fn load(file: &File<'_>, tensors: &Tensors<'_>, pegasus: bool) -> Result<Seq2Seq> {
    let config = Config::read(file, pegasus)?;
    let tables = tables(
        tensors,
        [
            "model.shared.weight",
            "model.encoder.embed_tokens.weight",
            "model.decoder.embed_tokens.weight",
        ],
        "lm_head.weight",
        config.tied,
        (config.words, config.width),
    )?;
    let bias = "final_logits_bias";
    let model = Seq2Seq {
        words: tables.words,
        vocabulary: config.words,
        width: config.width,
        embedding_scale: match config.scaled {
            true => (config.width as f32).sqrt(),
            false => 1.0,
        },
        norm_first: pegasus,
        encoder: stack(&config, tensors, &config.encoder)?,
        decoder: stack(&config, tensors, &config.decoder)?,
        output_scale: 1.0,
        output: tables.output,
        output_bias: match tensors.has(bias) {
            true => Some(Parts(tensors).table(bias, 1, config.words)?),
            false => None,
        },
        context: config.positions,
    };
    tensors.finish(&["encoder.version", "decoder.version"])?;
    Ok(model)
}

fn stack(config: &Config, tensors: &Tensors<'_>, side: &Side) -> Result<Stack> {
    let name = format!("model.{}", side.name);
    let table = format!("{name}.embed_positions.weight");
    let (positions, width) = (config.positions, config.width);
    // First, because they prove the width: sines are made for any.
    let layer = |i| layer(config, tensors, side, &format!("{name}.layers.{i}"));
    let layers = (0..side.layers).map(layer).collect::<Result<_>>()?;
    let positions = match config.pegasus {
        true if tensors.has(&table) => Parts(tensors).table(&table, positions, width)?,
        true => sines(positions, width),
        false => Parts(tensors)
            .table(&table, positions + OFFSET, width)?
            .split_off(OFFSET * width),
    };
    let norm = |part: &str| norm(tensors, &format!("{name}.{part}"), width).map(Some);
    Ok(Stack {
        positions: Positions::Table(positions),
        first_norm: match config.pegasus {
            true => None,
            false => norm("layernorm_embedding")?,
        },
        layers,
        last_norm: match config.pegasus {
            true => norm("layer_norm")?,
            false => None,
        },
    })
}

fn norm(tensors: &Tensors<'_>, name: &str, width: usize) -> Result<Norm> {
    let vector = |kind: &str| tensors.vector(&format!("{name}.{kind}"), width);
    Ok(Norm::Layer(vector("weight")?, vector("bias")?, EPS))
}

/// Sines of each position, then cosines, `[positions][width]`: Vaswani et al. 2017, arXiv 1706.03762.
fn sines(positions: usize, width: usize) -> Vec<f32> {
    let sines = width.div_ceil(2);
    let angle =
        |at: usize, pair: usize| at as f64 / 10_000f64.powf(2.0 * pair as f64 / width as f64);
    let row = |at| {
        (0..width).map(move |i| match i < sines {
            true => angle(at, i).sin() as f32,
            false => angle(at, i - sines).cos() as f32,
        })
    };
    (0..positions).flat_map(row).collect()
}

fn layer(config: &Config, tensors: &Tensors<'_>, side: &Side, name: &str) -> Result<Layer> {
    let width = config.width;
    let parts = Parts(tensors);
    let attention = |part: &str| -> Result<Attention> {
        let linear =
            |kind: &str| parts.linear(&format!("{name}.{part}.{kind}_proj"), width, width, true);
        let depth = width / side.heads;
        Ok(Attention {
            query: linear("q")?,
            key: linear("k")?,
            value: linear("v")?,
            out: linear("out")?,
            heads: side.heads,
            depth,
            scale: 1.0 / (depth as f32).sqrt(),
        })
    };
    let own_norm = |part: &str| norm(tensors, &format!("{name}.{part}"), width);
    let [up, down] = ["fc1", "fc2"].map(|part| format!("{name}.{part}"));
    Ok(Layer {
        attention: attention("self_attn")?,
        attention_norm: own_norm("self_attn_layer_norm")?,
        cross: match side.name {
            "decoder" => Some((
                attention("encoder_attn")?,
                own_norm("encoder_attn_layer_norm")?,
            )),
            _ => None,
        },
        feed_forward: parts.feed_forward([&up, &down], width, side.inner, config.activation)?,
        norm: own_norm("final_layer_norm")?,
    })
}
