//! The only user of candle: a model is loaded here, and tensors stop here. Plain token ids go in, plain floats come out.
//!
//! [`Model::load`] takes a model's [`Files`], a [`Device`] and an [`Engine`]: a device enters by that seam, an architecture by a
//! file of its own that implements [`Encoder`].

pub mod manifest;
pub mod store;

mod bert;
mod fake;
mod head;
mod ops;
mod reference;
mod tokenizer;
mod weights;

use std::ops::Range;

use candle_transformers::models::bert::Config;

pub use self::manifest::Manifest;
pub use self::store::Files;
pub use self::tokenizer::Tokenizer;

use self::head::{Head, Pool};
use self::weights::{Matrix, Weights};
use crate::batch;
use crate::error::{Error, Result};

/// One input of the encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Token ids, special ones included.
    pub ids: Vec<u32>,
    /// How many of the first ids are the claim's segment (token type 0); the rest is the article's (type 1).
    pub claim: usize,
    /// Token ranges of the sentences that are judged here.
    pub spans: Vec<Range<usize>>,
}

/// What the model says of one article and claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Stance logits in the manifest's order of labels.
    pub stance: [f32; 4],
    /// Evidence logit of each span, over all windows in order.
    pub evidence: Vec<f32>,
}

/// Turns windows into hidden states. A window's states depend on that window alone.
pub trait Encoder: Send + Sync {
    /// Hidden states `[tokens][width]` of all windows, one after the other, without padding.
    ///
    /// # Errors
    /// [`Error::Model`] when the device fails.
    fn encode(&self, windows: &[&Window]) -> Result<Vec<f32>>;
}

/// Where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// The best there is; today the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
}

/// How to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// Our own, in 8 bits where the weights are.
    #[default]
    Native,
    /// Our own, in float whatever the weights are.
    Float,
    /// candle-transformers' BERT, in float and padded: slow, for comparison.
    Reference,
    /// No model at all: instant, deterministic, meaningless answers, for tests of the runner.
    Fake,
}

/// The size of an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Layers.
    pub layers: usize,
    /// Width of a token's state.
    pub width: usize,
    /// Width between the two products of the feed-forward part.
    pub inner: usize,
    /// Whether the layers' products are computed in 8 bits; else in float.
    pub int8: bool,
}

/// A loaded model.
pub struct Model {
    manifest: Manifest,
    tokenizer: Tokenizer,
    network: Network,
}

enum Network {
    Real {
        encoder: Box<dyn Encoder>,
        head: Head,
        shape: Shape,
    },
    Fake,
}

impl Model {
    /// Loads a model; whatever does not match is refused.
    ///
    /// # Errors
    /// [`Error::Model`] that says what does not match and what to do.
    pub fn load(files: &Files, device: Device, engine: Engine) -> Result<Self> {
        let mut manifest = files.manifest.clone();
        if engine == Engine::Fake {
            "fake".clone_into(&mut manifest.name);
            "0".repeat(64).clone_into(&mut manifest.weights_sha256);
            return Ok(Self {
                manifest,
                tokenizer: Tokenizer::fake(),
                network: Network::Fake,
            });
        }
        let config = read_config(&files.config, &manifest)?;
        let tokenizer = Tokenizer::new(&files.tokenizer, config.vocab_size)?;
        let weights = Weights::new(&files.weights)?;
        let (Device::Auto | Device::Cpu) = device;
        let bert = |arithmetic| bert::Bert::load(&weights, &config, arithmetic);
        let encoder: Box<dyn Encoder> = match engine {
            Engine::Native | Engine::Fake => Box::new(bert(bert::Arithmetic::AsStored)?),
            Engine::Float => Box::new(bert(bert::Arithmetic::Float)?),
            Engine::Reference => Box::new(reference::Reference::load(&weights, &config)?),
        };
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let head = Head::load(&weights, width)?;
        let up = "encoder.layer.0.intermediate.dense.weight";
        let int8 = matches!(weights.matrix(up, inner, width)?, Matrix::Int8 { .. });
        weights.finish()?;
        Ok(Self {
            manifest,
            tokenizer,
            network: Network::Real {
                encoder,
                head,
                shape: Shape {
                    layers: config.num_hidden_layers,
                    width,
                    inner,
                    int8: int8 && engine == Engine::Native,
                },
            },
        })
    }

    /// What the model is.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The size of the encoder; the fake model has none.
    pub fn shape(&self) -> Option<Shape> {
        match self.network {
            Network::Real { shape, .. } => Some(shape),
            Network::Fake => None,
        }
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Hidden states `[tokens][width]` of the encoder for all windows, one after the other; the fake model has none.
    ///
    /// # Errors
    /// [`Error::Model`] when the device fails.
    pub fn encode(&self, windows: &[&Window]) -> Result<Vec<f32>> {
        match &self.network {
            Network::Real { encoder, .. } if !windows.is_empty() => encoder.encode(windows),
            _ => Ok(Vec::new()),
        }
    }

    /// Reads a batch: each item is the windows of one article and claim.
    ///
    /// At most about `tokens` tokens are in the encoder at once, however long an article is; that never changes a result.
    ///
    /// # Errors
    /// [`Error::Model`] when the device fails.
    pub fn read(&self, articles: &[&[Window]], tokens: usize) -> Result<Vec<Reading>> {
        let Network::Real {
            encoder,
            head,
            shape: Shape { width, .. },
        } = &self.network
        else {
            return Ok(articles.iter().map(|windows| fake::read(windows)).collect());
        };
        let windows: Vec<(usize, &Window)> = articles
            .iter()
            .enumerate()
            .flat_map(|(article, windows)| windows.iter().map(move |w| (article, w)))
            .collect();
        let mut pools: Vec<Pool> = articles.iter().map(|_| Pool::new(*width)).collect();
        let costs = windows.iter().map(|(_, w)| w.ids.len());
        for range in batch::by_budget(costs, tokens) {
            let group = &windows[range];
            let states = encoder.encode(&group.iter().map(|(_, w)| *w).collect::<Vec<_>>())?;
            let mut rest = &states[..];
            for (article, window) in group {
                let (states, after) = rest.split_at(window.ids.len() * width);
                head.pool(window, states, &mut pools[*article]);
                rest = after;
            }
        }
        Ok(pools.into_iter().map(|pool| head.read(pool)).collect())
    }
}

fn read_config(json: &[u8], manifest: &Manifest) -> Result<Config> {
    let fail = |what: String| Err(Error::Model(format!("{}: {what}", manifest.config)));
    let config: Config = match serde_json::from_slice(json) {
        Ok(config) => config,
        Err(e) => return fail(e.to_string()),
    };
    if config.model_type.as_deref() != Some("bert") {
        return fail(format!(
            "model_type is {:?}; the manifest says bert",
            config.model_type
        ));
    }
    if config.num_attention_heads == 0
        || !config
            .hidden_size
            .is_multiple_of(config.num_attention_heads)
    {
        return fail(format!(
            "hidden_size {} does not divide by num_attention_heads {}",
            config.hidden_size, config.num_attention_heads
        ));
    }
    if config.type_vocab_size < 2 {
        return fail("type_vocab_size must be 2: claim and article".to_owned());
    }
    if config.max_position_embeddings < manifest.input.window {
        return fail(format!(
            "max_position_embeddings {} is below the manifest's window of {}",
            config.max_position_embeddings, manifest.input.window
        ));
    }
    if !matches!(
        config.hidden_act,
        candle_transformers::models::bert::HiddenAct::Gelu
    ) {
        return fail("hidden_act must be gelu (by the error function)".to_owned());
    }
    Ok(config)
}

impl From<candle_core::Error> for Error {
    fn from(e: candle_core::Error) -> Self {
        Self::Model(format!("the model's computation failed: {e}"))
    }
}
