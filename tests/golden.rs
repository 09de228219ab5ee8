//! Our numbers against Hugging Face transformers', frozen by `models/stance-en-small/training/fixtures.py`.
//!
//! `tiny_bert` is a random model in float; `stance_en_small` holds outputs of the shipped weights on articles of our own.

use std::fs;

use serde::Deserialize;
use tidings::article::Article;
use tidings::model::store::EMBEDDED;
use tidings::model::{Reading, Window};
use tidings::stance::{Claim, Pair, Tokens};
use tidings::{Device, Engine, Files, Model};

use crate::{families, path};

const ENGINES: [Engine; 3] = [Engine::Native, Engine::Float, Engine::Reference];

#[derive(Deserialize)]
struct Hidden {
    ids: Vec<u32>,
    types: Vec<u32>,
    alone: Vec<Vec<f32>>,
    padded: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct GoldenWindow {
    ids: Vec<u32>,
    types: Vec<u32>,
    spans: Vec<(usize, usize)>,
}

#[derive(Deserialize)]
struct GoldenArticle {
    claim: String,
    title: Option<String>,
    sentences: Vec<String>,
    windows: Vec<GoldenWindow>,
    #[serde(alias = "evidence_f32")]
    evidence: Vec<f32>,
    #[serde(alias = "stance_f32")]
    stance: [f32; 4],
    #[serde(default)]
    evidence_int8: Vec<f32>,
    #[serde(default)]
    stance_int8: [f32; 4],
}

#[derive(Deserialize)]
struct Golden {
    #[serde(default)]
    hidden: Vec<Hidden>,
    articles: Vec<GoldenArticle>,
}

fn golden(folder: &str) -> Golden {
    let text = fs::read_to_string(path("fixtures").join(folder).join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The articles whose claim and title fit: the training code cuts longer ones, the program refuses such a claim and reads such a
/// title with the body.
fn that_fit<'a>(golden: &'a Golden, model: &Model) -> Vec<&'a GoldenArticle> {
    let tokens = |text: &str| model.tokenizer().encode(text).unwrap().len();
    let input = model.manifest().input;
    let fits = |a: &&GoldenArticle| {
        let title = a.title.as_deref().map_or(0, tokens);
        tokens(&a.claim) <= input.claim && title <= input.title
    };
    let articles: Vec<_> = golden.articles.iter().filter(fits).collect();
    assert!(articles.len() >= 4);
    articles
}

fn tiny(engine: Engine) -> Model {
    let folder = path("fixtures/tiny_bert");
    Model::load(
        &Files::open(folder.to_str().unwrap()).unwrap(),
        Device::Cpu,
        engine,
    )
    .unwrap()
}

fn shipped(engine: Engine) -> Model {
    Model::load(&Files::open(EMBEDDED).unwrap(), Device::Cpu, engine).unwrap()
}

fn lay_out(article: &GoldenArticle, model: &Model) -> Pair {
    let article_in = Article {
        id: String::new(),
        title: article.title.clone(),
        // A line break always ends a sentence.
        body: article.sentences.join("\n"),
        date: None,
        claim: None,
        language: None,
    };
    let tokens = Tokens::new(&article_in, model, None).unwrap();
    tokens.pair(&Claim::new(&article.claim, model).unwrap(), model)
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

#[test]
fn hidden_states_are_those_of_transformers_alone_and_padded() {
    let golden = golden("tiny_bert");
    let windows: Vec<Window> = golden
        .hidden
        .iter()
        .map(|h| Window {
            ids: h.ids.clone(),
            first: h.types.iter().filter(|t| **t == 0).count(),
            spans: Vec::new(),
            article: true,
            relevance: 0.0,
        })
        .collect();
    for engine in ENGINES {
        let model = tiny(engine);
        let together = model.encode(&windows.iter().collect::<Vec<_>>()).unwrap();
        let padded: Vec<f32> = golden
            .hidden
            .iter()
            .flat_map(|h| h.padded.concat())
            .collect();
        assert!(furthest(&together, &padded) < 1e-4, "{engine:?}");
        for (window, hidden) in windows.iter().zip(&golden.hidden) {
            let alone = model.encode(&[window]).unwrap();
            assert!(
                furthest(&alone, &hidden.alone.concat()) < 1e-4,
                "{engine:?}"
            );
        }
    }
}

#[test]
fn windows_are_laid_out_as_in_training() {
    for (golden, model) in [
        (golden("tiny_bert"), tiny(Engine::Native)),
        (golden("stance_en_small"), shipped(Engine::Native)),
    ] {
        for article in that_fit(&golden, &model) {
            let pair = lay_out(article, &model);
            assert_eq!(
                pair.windows().len(),
                article.windows.len(),
                "{:?}",
                article.title
            );
            for (window, expected) in pair.windows().iter().zip(&article.windows) {
                assert_eq!(window.ids, expected.ids, "{:?}", article.title);
                let types: Vec<u32> = (0..window.ids.len())
                    .map(|at| u32::from(at >= window.first))
                    .collect();
                assert_eq!(types, expected.types);
                let spans: Vec<_> = window.spans.iter().map(|s| (s.start, s.end)).collect();
                assert_eq!(spans, expected.spans);
            }
        }
    }
}

/// What the heads say, before it is tempered.
fn read(article: &GoldenArticle, model: &Model) -> Reading {
    let pair = lay_out(article, model);
    let mut reading = model.read(&[pair.windows()], 4096).unwrap().remove(0);
    reading.stance = reading
        .stance
        .map(|logit| logit * model.manifest().temperature);
    reading
}

/// Stance and evidence logits in a row.
fn row(stance: &[f32], evidence: &[f32]) -> Vec<f32> {
    [stance, evidence].concat()
}

#[test]
fn heads_are_those_of_the_training_code() {
    for (folder, engines, tolerance) in [
        ("tiny_bert", &ENGINES[..], 1e-4),
        ("stance_en_small", &[Engine::Float, Engine::Reference], 1e-3),
    ] {
        let golden = golden(folder);
        for engine in engines {
            let model = match folder {
                "tiny_bert" => tiny(*engine),
                _ => shipped(*engine),
            };
            for article in that_fit(&golden, &model) {
                let found = read(article, &model);
                let off = furthest(
                    &row(&found.stance, &found.evidence),
                    &row(&article.stance, &article.evidence),
                );
                assert!(off < tolerance, "{off} {engine:?} {:?}", article.title);
            }
        }
    }
}

#[test]
fn in_8_bits_the_shipped_weights_say_what_the_training_code_says() {
    // In 8 bits the last bit of a float decides which integer an input becomes, and from layer to layer that grows to the size of
    // the rounding itself (up to 0.15 between the 8-bit and the float column of the fixture). The kernels' own test is exact.
    let (golden, model) = (golden("stance_en_small"), shipped(Engine::Native));
    for article in that_fit(&golden, &model) {
        let found = read(article, &model);
        let off = furthest(
            &row(&found.stance, &found.evidence),
            &row(&article.stance_int8, &article.evidence_int8),
        );
        assert!(off < 0.3, "{off} {:?}", article.title);
        let best = |logits: &[f32; 4]| (0..4).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
        assert_eq!(best(&found.stance), best(&article.stance_int8));
    }
}

#[test]
fn our_engine_agrees_with_candle_transformers_on_the_shipped_weights() {
    let (ours, reference) = (shipped(Engine::Float), shipped(Engine::Reference));
    for article in golden("stance_en_small").articles {
        let pair = lay_out(&article, &ours);
        let windows: Vec<&Window> = pair.windows().iter().collect();
        let off = furthest(
            &ours.encode(&windows).unwrap(),
            &reference.encode(&windows).unwrap(),
        );
        assert!(off < 1e-4, "{off}");
    }
}

#[test]
fn weights_that_overflow_are_an_error_and_no_answer() {
    let tiny = path("fixtures/tiny_bert").to_str().unwrap().to_owned();
    for (folder, engines) in [
        (&*tiny, &ENGINES[..]),
        (EMBEDDED, &[Engine::Native, Engine::Float]),
    ] {
        for tensor in [
            "evidence.weight",
            "stance.dense.weight",
            "stance.out.weight",
            "encoder.layer.0.attention.self.query.bias",
            "encoder.layer.1.intermediate.dense.bias",
        ] {
            let mut files = Files::open(folder).unwrap();
            files.weights = families::filled(&files.weights, tensor, 3e38).into();
            for engine in engines {
                let model = Model::load(&files, Device::Cpu, *engine).unwrap();
                let name = if folder == EMBEDDED {
                    "stance_en_small"
                } else {
                    "tiny_bert"
                };
                let golden = golden(name);
                let pair = lay_out(that_fit(&golden, &model)[0], &model);
                let error = match model.read(&[pair.windows()], 4096) {
                    Ok(reading) => panic!("{tensor} {engine:?}: {reading:?}"),
                    Err(e) => e.to_string(),
                };
                assert!(error.contains("overflow"), "{tensor} {engine:?}: {error}");
            }
        }
    }
}

#[test]
fn a_model_that_does_not_match_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let names = [
        "manifest.toml",
        "config.json",
        "tokenizer.json",
        "model.safetensors",
    ];
    // Each case changes one file; the checksums are refreshed so that only the change itself can be noticed.
    let load = |file: &str, change: &dyn Fn(&mut Vec<u8>)| {
        for name in names {
            let mut bytes = fs::read(path("fixtures/tiny_bert").join(name)).unwrap();
            if name == file {
                change(&mut bytes);
            }
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let manifest = folder.path().join("manifest.toml");
        let mut text = fs::read_to_string(&manifest).unwrap();
        for (key, name) in [
            ("weights_sha256", names[3]),
            ("tokenizer_sha256", names[2]),
            ("config_sha256", names[1]),
        ] {
            let sum = tidings::model::store::sha256(&fs::read(folder.path().join(name)).unwrap());
            let line = text
                .lines()
                .find(|l| l.starts_with(key))
                .unwrap()
                .to_owned();
            if file != "manifest.toml" {
                text = text.replace(&line, &format!("{key} = \"{sum}\""));
            }
        }
        fs::write(manifest, text).unwrap();
        Files::open(folder.path().to_str().unwrap())
            .and_then(|files| Model::load(&files, Device::Cpu, Engine::Native))
            .err()
            .map(|e| e.to_string())
    };
    let edit = |from: &'static str, to: &'static str| {
        move |bytes: &mut Vec<u8>| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert!(text.contains(from), "{from}");
            *bytes = text.replace(from, to).into_bytes();
        }
    };
    assert_eq!(load("config.json", &|_| ()), None);
    for (file, change, says) in [
        (
            "manifest.toml",
            &edit("schema = 1", "schema = 9") as &dyn Fn(&mut Vec<u8>),
            "schema",
        ),
        (
            "manifest.toml",
            &edit("\"supports\", \"refutes\"", "\"refutes\", \"refutes\""),
            "labels",
        ),
        (
            "manifest.toml",
            &edit("weights_sha256 = \"", "weights_sha256 = \"00"),
            "sha256",
        ),
        (
            "manifest.toml",
            &edit("weights = \"", "weights = \"../"),
            "file name",
        ),
        (
            "manifest.toml",
            &edit("window = 48", "window = 20"),
            "no room",
        ),
        (
            "manifest.toml",
            &edit("window = 48", "window = 480"),
            "max_position_embeddings",
        ),
        (
            "manifest.toml",
            &edit("window = 48", "window = 4800"),
            "4096 is the most",
        ),
        ("manifest.toml", &edit("window = 48", "windw = 48"), "windw"),
        (
            "config.json",
            &edit("\"hidden_act\": \"gelu\"", "\"hidden_act\": \"swish\""),
            "config.json",
        ),
        (
            "config.json",
            &edit("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"),
            "lack",
        ),
        (
            "config.json",
            &edit("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1"),
            "does not know",
        ),
        (
            "config.json",
            &edit("\"intermediate_size\": 64", "\"intermediate_size\": 60"),
            "shape",
        ),
        (
            "tokenizer.json",
            &|b: &mut Vec<u8>| b.truncate(100),
            "tokenizer",
        ),
        (
            "model.safetensors",
            &|b: &mut Vec<u8>| b.truncate(5000),
            "safetensors",
        ),
        (
            "model.safetensors",
            &|b: &mut Vec<u8>| b[..8].fill(0xff),
            "safetensors",
        ),
        (
            "model.safetensors",
            &|b: &mut Vec<u8>| {
                let end = b.len();
                b[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
            },
            "NaN",
        ),
    ] {
        let message =
            load(file, change).unwrap_or_else(|| panic!("{file}: {says}: loaded all the same"));
        assert!(message.contains(says), "{file}: {message}");
    }
}
