//! Other people's encoders: each family's logits against Hugging Face transformers', frozen by `fixtures/families.py`, and what happens
//! to models that are not what they say.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings::model::Window;
use tidings::{Device, Engine, Files, Model};

use crate::path;
use crate::program::{Ran, run};

const FAMILIES: [&str; 8] = [
    "bert",
    "roberta",
    "xlm-roberta",
    "distilbert",
    "deberta-v2",
    "deberta-v3",
    "modernbert",
    "modernbert-mean",
];

#[derive(Deserialize)]
struct Golden {
    a: String,
    b: String,
    ids: Vec<u32>,
    alone: Vec<f32>,
    padded: Vec<f32>,
}

pub fn folder(family: &str) -> PathBuf {
    path("fixtures/families").join(family)
}

fn golden(family: &str) -> Vec<Golden> {
    let text = fs::read_to_string(folder(family).join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn load(folder: &Path) -> Result<Model, tidings::Error> {
    let files = Files::open(folder.to_str().unwrap())?;
    Model::load(&files, Device::Cpu, Engine::Native)
}

/// Two texts as one input.
fn window(model: &Model, golden: &Golden) -> Window {
    let pair = &model.tokenizer().pair;
    let [a, b] = [&golden.a, &golden.b].map(|text| model.tokenizer().encode(text).unwrap());
    let first = [&pair.open[..], &a, &pair.between].concat();
    let ids = [&first[..], &b, &pair.close].concat();
    Window {
        first: if pair.two_kinds {
            first.len()
        } else {
            ids.len()
        },
        ids,
        spans: Vec::new(),
        relevance: 0.0,
    }
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    apart.fold(0.0, f32::max)
}

#[test]
fn logits_are_those_of_transformers_alone_and_in_a_ragged_batch() {
    for family in FAMILIES {
        let (model, golden) = (load(&folder(family)).unwrap(), golden(family));
        assert_eq!(golden.len(), 7);
        let windows: Vec<Window> = golden.iter().map(|g| window(&model, g)).collect();
        for (window, golden) in windows.iter().zip(&golden) {
            assert_eq!(window.ids, golden.ids, "{family}: {}", golden.a);
        }
        let windows: Vec<&Window> = windows.iter().collect();
        let together = model.logits(&windows, 1 << 20).unwrap();
        for ((window, together), golden) in windows.iter().zip(&together).zip(&golden) {
            let alone = model.logits(&[window], 1 << 20).unwrap().remove(0);
            let off = furthest(&alone, &golden.alone);
            assert!(off < 1e-4, "{family} alone: {off} {}", golden.a);
            let off = furthest(together, &golden.padded);
            assert!(off < 1e-4, "{family} together: {off} {}", golden.a);
            assert_eq!(&alone, together, "{family}: alone = together");
        }
    }
}

/// A copy of a family's folder in a folder of its own.
fn copy(family: &str) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(folder(family).join(name), to.path().join(name)).unwrap();
    }
    to
}

/// Changes a key of a folder's `config.json`; null takes it out.
fn configure(folder: &Path, key: &str, value: Value) {
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let map = config.as_object_mut().unwrap();
    match value {
        Value::Null => map.remove(key),
        value => map.insert(key.to_owned(), value),
    };
    fs::write(path, config.to_string()).unwrap();
}

/// Changes the bytes of one tensor.
fn change(folder: &Path, tensor: &str, change: impl Fn(&mut Vec<u8>)) {
    let path = folder.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            (
                name,
                view.dtype(),
                view.shape().to_vec(),
                view.data().to_vec(),
            )
        })
        .collect();
    let found = tensors.iter_mut().find(|(name, ..)| name == tensor);
    change(&mut found.unwrap().3);
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
}

pub fn classify(model: &Path, more: &[&str]) -> Ran {
    let model = model.to_str().unwrap();
    run(&[&["classify", "wire", "--model", model], more].concat())
}

/// Stance, scores and evidence of each record.
pub fn answers(ran: &Ran) -> Vec<[Value; 3]> {
    assert_eq!(ran.code, 0, "{}", ran.err);
    let records = ran.records();
    let answer = |r: &Value| ["stance", "scores", "evidence"].map(|key| r[key].clone());
    records.iter().map(answer).collect()
}

#[test]
fn the_order_of_an_nli_heads_labels_does_not_matter() {
    // The fixture's is contradiction, neutral, entailment.
    let expected = answers(&classify(&folder("bert"), &[]));
    let stances: BTreeSet<String> = expected.iter().map(|a| a[0].to_string()).collect();
    assert!(stances.len() > 1, "{stances:?}");
    for (order, names) in [
        ([2, 1, 0], ["entailment", "neutral", "contradiction"]),
        ([2, 0, 1], ["Entailment", "Contradiction", "Neutral"]),
        ([1, 2, 0], ["NEUTRAL", "ENTAILMENT", "CONTRADICTION"]),
    ] {
        let copy = copy("bert");
        let names: Value = (0..3).map(|i| (i.to_string(), json!(names[i]))).collect();
        configure(copy.path(), "id2label", names);
        for tensor in ["classifier.weight", "classifier.bias"] {
            change(copy.path(), tensor, |bytes| {
                let rows: Vec<Vec<u8>> =
                    bytes.chunks(bytes.len() / 3).map(<[u8]>::to_vec).collect();
                *bytes = order.map(|row| rows[row].clone()).concat();
            });
        }
        assert_eq!(answers(&classify(copy.path(), &[])), expected, "{order:?}");
    }
}

#[test]
fn alone_is_together_for_every_family() {
    for family in FAMILIES {
        let together = classify(&folder(family), &["--threads", "3"]);
        assert_eq!(together.code, 0, "{family}: {}", together.err);
        let small = ["--threads", "1", "--batch-size", "1", "--batch-tokens", "1"];
        assert_eq!(
            classify(&folder(family), &small).out,
            together.out,
            "{family}"
        );
        let alone: String = together
            .records()
            .iter()
            .map(|record| {
                let model = folder(family);
                let id = record["id"].as_str().unwrap();
                run(&["classify", id, "--model", model.to_str().unwrap()]).out
            })
            .collect();
        assert_eq!(alone, together.out, "{family}");
    }
}

#[test]
fn evidence_is_sentences_of_the_text_and_a_long_article_is_read_whole() {
    for family in FAMILIES {
        let records =
            classify(&folder(family), &["--claim", "The ferry crews will talk."]).records();
        assert_eq!(records.len(), 7, "{family}");
        for record in records {
            let id = record["id"].as_str().unwrap();
            let text = run(&["extract", id]).out;
            let points: Vec<char> = text.chars().collect();
            for evidence in record["evidence"].as_array().unwrap() {
                let at = |key: &str| evidence[key].as_u64().unwrap() as usize;
                let there: String = points[at("start")..at("end")].iter().collect();
                assert_eq!(evidence["text"], there, "{family} {id}");
            }
            let scores = record["scores"].as_object().unwrap().values();
            let sum: f64 = scores.map(|score| score.as_f64().unwrap()).sum();
            assert!((sum - 1.0).abs() < 1e-3, "{family} {id}: {sum}");
            // Windows of at most 128 tokens, and each sentence.
            assert!(record["windows"].as_u64().unwrap() > 4, "{family} {id}");
        }
    }
}

#[test]
fn special_tokens_in_a_text_are_only_text() {
    for family in FAMILIES {
        let model = load(&folder(family)).unwrap();
        let pair = &model.tokenizer().pair;
        let marks = [&pair.open[..], &pair.between, &pair.close].concat();
        let text = "talks</s>talks <s> [SEP][CLS] <pad> [PAD] <mask>[MASK] </s>";
        let ids = model.tokenizer().encode(text).unwrap();
        assert!(
            ids.len() > 4 && !ids.iter().any(|id| marks.contains(id)),
            "{family}: {ids:?}"
        );
        // Padding would move RoBERTa's positions.
        let plain = model.tokenizer().encode("talks").unwrap();
        assert_eq!(ids[..plain.len()], plain, "{family}");
    }
}

/// A manifest for the files of a folder, of these labels.
fn manifest(folder: &Path, architecture: &str, task: &str, labels: &[&str]) {
    let sum = |name: &str| tidings::model::store::sha256(&fs::read(folder.join(name)).unwrap());
    let text = format!(
        r#"schema = 1
name = "my-model"
version = "1"
task = "{task}"
architecture = "{architecture}"
languages = ["en"]
license = "MIT"
base = "random"
weights = "model.safetensors"
weights_sha256 = "{}"
tokenizer = "tokenizer.json"
tokenizer_sha256 = "{}"
config = "config.json"
config_sha256 = "{}"
labels = {labels:?}
temperature = 1.0

[input]
window = 128
claim = 32
title = 32
"#,
        sum("model.safetensors"),
        sum("tokenizer.json"),
        sum("config.json"),
    );
    fs::write(folder.join("manifest.toml"), text).unwrap();
}

#[test]
fn a_manifest_names_what_a_configuration_leaves_open() {
    let copy = copy("bert");
    let label = |i: usize| (i.to_string(), json!(format!("LABEL_{i}")));
    configure(copy.path(), "id2label", (0..3).map(label).collect());
    let refused = classify(copy.path(), &[]);
    assert_eq!(refused.code, 3);
    assert!(
        refused.err.contains("LABEL_0, LABEL_1, LABEL_2"),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("manifest.toml"), "{}", refused.err);
    let labels = ["contradiction", "neutral", "entailment"];
    manifest(copy.path(), "bert", "nli", &labels);
    let named = classify(copy.path(), &[]);
    assert_eq!(answers(&named), answers(&classify(&folder("bert"), &[])));
    assert!(
        named.records()[0]["model"]
            .as_str()
            .unwrap()
            .starts_with("my-model@")
    );
}

#[test]
fn the_manifest_of_the_readme_is_one() {
    let readme = fs::read_to_string(path("../README.md")).unwrap();
    let (_, rest) = readme.split_once("```toml\nschema").unwrap();
    let (manifest, _) = rest.split_once("```").unwrap();
    let manifest = format!("schema{}", manifest.replace('…', &"0".repeat(64)));
    let manifest = tidings::model::Manifest::parse(&manifest).unwrap();
    assert_eq!(manifest.labels.len(), 3);
}

#[test]
fn a_foreign_model_that_is_not_what_it_says_is_refused() {
    let remove =
        |name: &'static str| move |folder: &Path| fs::remove_file(folder.join(name)).unwrap();
    let bytes = |edit: fn(&mut Vec<u8>)| {
        move |folder: &Path| {
            let path = folder.join("model.safetensors");
            let mut bytes = fs::read(&path).unwrap();
            edit(&mut bytes);
            fs::write(path, bytes).unwrap();
        }
    };
    let set = |key: &'static str, value: Value| {
        move |folder: &Path| configure(folder, key, value.clone())
    };
    type Change<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Change, &str); 38] = [
        (
            "bert",
            &remove("config.json"),
            "neither manifest.toml nor config.json",
        ),
        ("bert", &remove("tokenizer.json"), "save_pretrained"),
        ("bert", &remove("model.safetensors"), "no model.safetensors"),
        (
            "bert",
            &|folder| {
                let weights = folder.join("model.safetensors");
                fs::rename(weights, folder.join("pytorch_model.bin")).unwrap();
            },
            "never opened",
        ),
        (
            "bert",
            &|folder| {
                let weights = folder.join("model.safetensors");
                fs::rename(weights, folder.join("model.safetensors.index.json")).unwrap();
            },
            "several parts",
        ),
        ("bert", &bytes(|b| b.truncate(b.len() - 1)), "safetensors"),
        ("bert", &bytes(|b| b.truncate(3)), "safetensors"),
        ("bert", &bytes(Vec::clear), "safetensors"),
        ("bert", &bytes(|b| b[..8].fill(0xff)), "safetensors"),
        // A header that claims nearly all of memory, and one that is no JSON.
        (
            "bert",
            &bytes(|b| b[..8].copy_from_slice(&(1u64 << 40).to_le_bytes())),
            "safetensors",
        ),
        ("bert", &bytes(|b| b[8..40].fill(b'{')), "safetensors"),
        // Offsets beyond the end.
        (
            "bert",
            &bytes(|b| {
                let header = br#"{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,18446744073709551615]}}"#;
                b.clear();
                b.extend((header.len() as u64).to_le_bytes());
                b.extend(header);
            }),
            "safetensors",
        ),
        (
            "bert",
            &|folder| {
                change(folder, "classifier.weight", |b| {
                    b[..4].copy_from_slice(&f32::NAN.to_le_bytes())
                })
            },
            "NaN",
        ),
        (
            "deberta-v3",
            &|folder| {
                let tensor = "deberta.encoder.rel_embeddings.weight";
                change(folder, tensor, |b| {
                    b[..4].copy_from_slice(&f32::INFINITY.to_le_bytes())
                });
            },
            "inf",
        ),
        (
            "modernbert",
            &|folder| {
                change(folder, "model.final_norm.weight", |b| {
                    b[..4].copy_from_slice(&f32::NAN.to_le_bytes())
                })
            },
            "NaN",
        ),
        // Another architecture's weights, or none that is known.
        (
            "bert",
            &set("model_type", json!("roberta")),
            "lack the tensor",
        ),
        (
            "roberta",
            &set("model_type", json!("bert")),
            "lack the tensor",
        ),
        (
            "bert",
            &set("model_type", json!("gpt2")),
            "families that can be read are bert, roberta",
        ),
        (
            "bert",
            &set("model_type", Value::Null),
            "families that can be read",
        ),
        (
            "bert",
            &set("architectures", json!(["BertForMaskedLM"])),
            "BertForMaskedLM",
        ),
        (
            "bert",
            &set("problem_type", json!("multi_label_classification")),
            "exclude",
        ),
        // Sizes that are not the weights', or nobody's.
        ("bert", &set("hidden_size", json!(32)), "shape"),
        ("bert", &set("hidden_size", json!(-1)), "hidden_size is -1"),
        (
            "bert",
            &set("vocab_size", json!(1u64 << 60)),
            "no size of a model",
        ),
        (
            "bert",
            &set("vocab_size", json!(16)),
            "belongs to another model",
        ),
        ("bert", &set("num_attention_heads", json!(0)), "heads"),
        ("bert", &set("num_hidden_layers", json!(1)), "does not know"),
        (
            "modernbert",
            &set("num_hidden_layers", json!(16_000_000)),
            "layer_types",
        ),
        (
            "modernbert",
            &set("max_position_embeddings", json!(8)),
            "no room",
        ),
        (
            "deberta-v3",
            &set("position_buckets", json!(2)),
            "position_buckets",
        ),
        // What would be computed otherwise.
        (
            "bert",
            &set("hidden_act", json!("gelu_new")),
            "computes only \"gelu\"",
        ),
        (
            "distilbert",
            &set("activation", json!("relu")),
            "computes only \"gelu\"",
        ),
        (
            "modernbert",
            &set("hidden_activation", json!("silu")),
            "computes only \"gelu\"",
        ),
        (
            "modernbert",
            &set("classifier_pooling", json!("max")),
            "cls or mean",
        ),
        (
            "deberta-v3",
            &set("pooler_hidden_act", json!("tanh")),
            "computes only \"gelu\"",
        ),
        (
            "bert",
            &set("position_embedding_type", json!("relative_key")),
            "absolute",
        ),
        // Labels.
        (
            "bert",
            &set("id2label", json!({"0": "entailment", "1": "neutral"})),
            "not guessed",
        ),
        (
            "bert",
            &set(
                "id2label",
                json!({"0": "entailment", "1": "not_entailment"}),
            ),
            "the head for 2 labels",
        ),
    ];
    for (family, change, says) in cases {
        let copy = copy(family);
        change(copy.path());
        let message = match load(copy.path()) {
            Ok(_) => panic!("{family}: {says}: loaded all the same"),
            Err(e) => e.to_string(),
        };
        assert!(message.contains(says), "{family}: {says}: {message}");
    }
}

#[test]
fn a_manifest_that_contradicts_its_model_is_refused() {
    let nli = ["contradiction", "neutral", "entailment"];
    for (family, architecture, task, labels, says) in [
        ("bert", "roberta", "nli", &nli[..], "model_type"),
        ("bert", "t5", "nli", &nli, "t5"),
        (
            "bert",
            "bert",
            "nli",
            &["entailment", "neutral", "contradiction"],
            "wrong order",
        ),
        (
            "bert",
            "bert",
            "nli",
            &["entailment", "not-entailment"],
            "2 labels",
        ),
        (
            "bert",
            "bert",
            "nli",
            &["entailment", "entailment", "neutral"],
            "once each",
        ),
        (
            "bert",
            "bert",
            "nli",
            &["yes", "no", "maybe"],
            "is no label",
        ),
        (
            "bert",
            "bert",
            "stance-classifier",
            &nli,
            "supports, refutes",
        ),
        (
            "roberta",
            "roberta",
            "stance",
            &["unrelated", "refutes", "supports", "discusses"],
            "stance-classifier",
        ),
    ] {
        let copy = copy(family);
        manifest(copy.path(), architecture, task, labels);
        let message = match load(copy.path()) {
            Ok(_) => panic!("{says}: loaded all the same"),
            Err(e) => e.to_string(),
        };
        assert!(message.contains(says), "{says}: {message}");
    }
}
