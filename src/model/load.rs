//! From a model's files to a network: which engine, which device and which architecture, and what has to fit what. Whatever does not is
//! refused here, so that nothing is wrong later but the answers.

use super::alone::Alone;
use super::classifier::Classifier;
use super::config::{Config, Family};
use super::decoder::Answers;
use super::device::Card;
use super::head::Head;
use super::manifest::Task;
use super::weights::{Matrix, Weights};
use super::{
    Dtype, Encoder, Engine, Files, Manifest, Model, Network, Place, Shape, Tokenizer, bert,
    deberta, modernbert, padded, reference,
};
use crate::error::{Error, Result};

impl Model {
    /// Loads a model; whatever does not match is refused, and so is a place that cannot be had.
    ///
    /// # Errors
    /// [`Error::Model`] that says what does not match and what to do; [`Error::Device`] when the place cannot be had, [`Error::Usage`] when engine and
    /// place do not go together.
    pub fn load(files: &Files, place: impl Into<Place>, engine: Engine) -> Result<Self> {
        let place: Place = place.into();
        let manifest = &files.manifest;
        let architecture = manifest.architecture;
        if manifest.task.writes() {
            let what = match manifest.task {
                Task::SummarySeq2seq => "summariser",
                _ => "rewriter",
            };
            return Err(Error::Model(format!(
                "`{}` is a {what} ({}): it writes, but says nothing of where a text stands on a claim. Name a model of stance; this one is for --rewriter",
                manifest.name,
                architecture.name()
            )));
        }
        let place = match engine {
            Engine::Native if padded::computes(architecture) || manifest.is_decoder() => place,
            Engine::Native => place.on_cpu(&format!("`{}`", architecture.name()))?,
            other => place.on_cpu(&format!("the {other:?} engine").to_lowercase())?,
        };
        let (card, note) = match engine {
            Engine::Fake => (None, None),
            _ => place.open()?,
        };
        let engine = match (engine, place.dtype) {
            (Engine::Native, Dtype::F32) if card.is_none() => Engine::Float,
            (engine, _) => engine,
        };
        let model = Self::load_on(files, card, engine)?;
        Ok(Self { note, ..model })
    }

    /// The same on a card that has been opened; `None` is the CPU.
    pub(super) fn load_on(files: &Files, card: Option<Card>, engine: Engine) -> Result<Self> {
        let mut manifest = files.manifest.clone();
        let (network, tokenizer) = match (engine, manifest.task) {
            (Engine::Fake, _) => {
                "fake".clone_into(&mut manifest.name);
                "0".repeat(64).clone_into(&mut manifest.weights_sha256);
                (Network::Fake, Tokenizer::fake())
            }
            (Engine::Reference, Task::StanceClassifier | Task::Nli | Task::StanceDecoder) => {
                return Err(Error::Usage(format!(
                    "there is no reference engine for `{}`, of the task {}",
                    manifest.name,
                    manifest.task.name()
                )));
            }
            (_, Task::StanceDecoder) => {
                let (answers, tokenizer) = Answers::load(files, card.clone())?;
                (Network::Decoder(Box::new(answers)), tokenizer)
            }
            _ => over_encoder(files, engine, card.as_ref())?,
        };
        Ok(Self {
            manifest,
            tokenizer,
            network,
            engine,
            card,
            note: None,
        })
    }
}

/// A network of an encoder and a head, with its tokenizer.
fn over_encoder(
    files: &Files,
    engine: Engine,
    card: Option<&Card>,
) -> Result<(Network, Tokenizer)> {
    let manifest = &files.manifest;
    let config = Config::read(&files.config, &manifest.config, manifest.architecture)?;
    let fail = |what: String| Err(Error::Model(format!("{}: {what}", manifest.config)));
    if config.longest() < manifest.input.window {
        return fail(format!(
            "max_position_embeddings is {}: the encoder reads at most {} tokens, but the manifest's window has {}. Lower it there",
            config.positions,
            config.longest(),
            manifest.input.window
        ));
    }
    let tokenizer = Tokenizer::new(&files.tokenizer, config.words)?;
    let weights = Weights::new(&files.weights)?;
    let network = match manifest.task {
        Task::Stance => {
            if config.types < 2 {
                return fail("type_vocab_size must be 2: claim and article".to_owned());
            }
            if tokenizer.words() != config.words {
                return Err(Error::Model(format!(
                    "tokenizer: {} words, but the encoder has {}",
                    tokenizer.words(),
                    config.words
                )));
            }
            stance_network(&weights, &config, files, engine, card)?
        }
        Task::StanceClassifier | Task::Nli => {
            Config::expect_classifier(&files.config, &manifest.config)?;
            Network::Classifier {
                head: Classifier::load(&weights, &config, manifest)?,
                width: config.width,
                encoder: encoder(&weights, &config, manifest, engine, card)?,
            }
        }
        Task::StanceDecoder | Task::RewriteDecoder | Task::SummarySeq2seq => {
            return fail(format!(
                "a model of the task {} is no encoder",
                manifest.task.name()
            ));
        }
    };
    weights.finish(idle(manifest.task))?;
    Ok((network, tokenizer))
}

/// BERT under heads of our own.
fn stance_network(
    weights: &Weights,
    config: &Config,
    files: &Files,
    engine: Engine,
    card: Option<&Card>,
) -> Result<Network> {
    let encoder: Box<dyn Encoder> = match (card, engine) {
        (Some(card), _) => Box::new(padded::Padded::load(weights, "", config, card.clone())?),
        (_, Engine::Reference) => Box::new(reference::Reference::load(weights, &files.config)?),
        _ => Box::new(bert::Bert::load(weights, "", config, arithmetic(engine))?),
    };
    let up = "encoder.layer.0.intermediate.dense.weight";
    let up = weights.matrix(up, config.inner, config.width)?;
    let int8 = matches!(up, Matrix::Int8 { .. }) && engine == Engine::Native && card.is_none();
    Ok(Network::Stance {
        encoder,
        head: Head::load(weights, config.width)?,
        shape: Shape {
            layers: config.layers,
            width: config.width,
            inner: config.inner,
            int8,
            weight: match card {
                Some(card) => card.dtype.size_in_bytes(),
                None if int8 => 1,
                None => 4,
            },
        },
    })
}

/// How our own engine computes.
fn arithmetic(engine: Engine) -> bert::Arithmetic {
    match engine {
        Engine::Float => bert::Arithmetic::Float,
        _ => bert::Arithmetic::AsStored,
    }
}

/// The encoder under a classifier's head. Those of other networks than BERT's are float, whatever is asked for; a card is only for BERT and its kin.
fn encoder(
    weights: &Weights,
    config: &Config,
    manifest: &Manifest,
    engine: Engine,
    card: Option<&Card>,
) -> Result<Box<dyn Encoder>> {
    let bert = |prefix| -> Result<Box<dyn Encoder>> {
        Ok(match card {
            Some(card) => Box::new(padded::Padded::load(weights, prefix, config, card.clone())?),
            None => Box::new(bert::Bert::load(
                weights,
                prefix,
                config,
                arithmetic(engine),
            )?),
        })
    };
    Ok(match &config.family {
        Family::Bert => bert("bert.")?,
        Family::Roberta { .. } => bert("roberta.")?,
        Family::DistilBert => bert("distilbert.")?,
        Family::Deberta(settings) => Box::new(Alone(deberta::Deberta::load(
            weights, "deberta.", config, settings,
        )?)),
        Family::ModernBert(settings) => Box::new(Alone(modernbert::ModernBert::load(
            weights,
            config,
            settings,
            manifest.input.window,
        )?)),
    })
}

/// Parts of the names of tensors that a file may hold though nothing here asks for them: constants, poolers that a head passes by,
/// and the heads that the encoder was trained under at first.
fn idle(task: Task) -> &'static [&'static str] {
    match task {
        Task::Stance => &["pooler.", "position_ids"],
        _ => &[
            "pooler.",
            "position_ids",
            "lm_head.",
            "lm_predictions.",
            "mask_predictions.",
            "vocab_",
            "cls.",
            "deberta.embeddings.position_embeddings.",
        ],
    }
}
