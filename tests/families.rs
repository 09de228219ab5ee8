//! Other people's encoders: what is asked of each family, and its logits, against Hugging Face transformers', frozen by
//! `fixtures/families.py`. What happens to models that are not what they say is in `refused.rs`.

mod refused;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings::article::Article;
use tidings::model::Window;
use tidings::stance::{Claim, Pair, Tokens};
use tidings::{Device, Engine, Files, Model, stance};

use crate::path;
use crate::program::{Ran, run};

/// The fixtures, and what the head of each is asked.
const FAMILIES: [(&str, Head); 10] = [
    ("bert", Head::Nli),
    ("roberta", Head::Stance),
    ("xlm-roberta", Head::Nli),
    ("distilbert", Head::TwoClasses),
    ("deberta-v2", Head::Nli),
    ("deberta-v3", Head::TwoClasses),
    ("modernbert", Head::Nli),
    ("modernbert-mean", Head::Stance),
    ("deberta-c2p", Head::Nli),
    ("deberta-p2c", Head::Stance),
];
const CLAIM: &str = "Talks are imminent.";
const DENIAL: &str = "Talks are not imminent.";

#[derive(Clone, Copy)]
enum Head {
    Nli,
    TwoClasses,
    Stance,
}

impl Head {
    /// The inputs that are made of a text, each of two parts.
    fn asks(self, text: &str) -> Vec<[&str; 2]> {
        match self {
            Self::Nli => vec![[text, CLAIM]],
            Self::TwoClasses => vec![[text, CLAIM], [text, DENIAL]],
            Self::Stance => vec![[CLAIM, text]],
        }
    }
}

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

/// The texts of the fixtures.
fn texts() -> Vec<String> {
    let texts: Vec<String> = golden("bert").into_iter().map(|golden| golden.a).collect();
    assert_eq!(texts.len(), 7);
    texts
}

fn load(folder: &Path) -> Result<Model, tidings::Error> {
    load_with(folder, Engine::Native)
}

fn load_with(folder: &Path, engine: Engine) -> Result<Model, tidings::Error> {
    let files = Files::open(folder.to_str().unwrap())?;
    Model::load(&files, Device::Cpu, engine)
}

/// An article laid out for [`CLAIM`], as the program does it.
fn lay_out(model: &Model, body: &str) -> (Tokens, Pair) {
    let article = Article {
        id: String::new(),
        title: None,
        body: body.to_owned(),
        date: None,
        claim: None,
        language: None,
    };
    let tokens = Tokens::new(&article, model, None).unwrap();
    let pair = tokens.pair(&Claim::new(CLAIM, model).unwrap(), model);
    (tokens, pair)
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    apart.fold(0.0, f32::max)
}

#[test]
fn what_is_asked_and_its_logits_are_those_of_transformers_alone_and_in_a_ragged_batch() {
    let texts = texts();
    for (family, head) in FAMILIES {
        let (model, golden) = (load(&folder(family)).unwrap(), golden(family));
        let asked: Vec<_> = texts.iter().flat_map(|text| head.asks(text)).collect();
        let fixture: Vec<_> = golden.iter().map(|g| [&*g.a, &*g.b]).collect();
        assert_eq!(fixture, asked, "{family}");
        // A text's first window, as often as it is asked about.
        let windows: Vec<Window> = texts
            .iter()
            .flat_map(|text| {
                let (_, pair) = lay_out(&model, text);
                pair.windows()[..head.asks(text).len()].to_vec()
            })
            .collect();
        let windows: Vec<&Window> = windows.iter().collect();
        let together = model.logits(&windows, 1 << 20).unwrap();
        for ((window, together), golden) in windows.iter().zip(&together).zip(&golden) {
            assert_eq!(window.ids, golden.ids, "{family}: {}", golden.a);
            let alone = model.logits(&[window], 1 << 20).unwrap().remove(0);
            let off = furthest(&alone, &golden.alone);
            assert!(off < 1e-4, "{family} alone: {off} {}", golden.a);
            let off = furthest(together, &golden.padded);
            assert!(off < 1e-4, "{family} together: {off} {}", golden.a);
            assert_eq!(&alone, together, "{family}: alone = together");
        }
    }
}

#[test]
fn an_article_is_read_whole_and_each_sentence_is_asked_about_once_alone() {
    let article = texts().join("\n\n");
    for (family, head) in FAMILIES {
        let model = load(&folder(family)).unwrap();
        let tokenizer = model.tokenizer();
        let encode = |text: &str| tokenizer.encode(text).unwrap();
        let marks = &tokenizer.pair;
        // What stands before and after the text in what is asked first.
        let (before, after) = match head {
            Head::Stance => (
                [&marks.open[..], &encode(CLAIM), &marks.between].concat(),
                marks.close.clone(),
            ),
            _ => (
                marks.open.clone(),
                [&marks.between[..], &encode(CLAIM), &marks.close].concat(),
            ),
        };
        let (tokens, pair) = lay_out(&model, &article);
        let sentences: Vec<&str> = tokens.sentences().map(|at| &tokens.text()[at]).collect();
        let mut unread = sentences.iter();
        let mut alone = 0;
        for window in pair.windows().iter().filter(|window| window.article) {
            let text = window.ids.strip_prefix(&before[..]).unwrap();
            let mut text = text.strip_suffix(&after[..]).unwrap();
            let mut read = 0;
            while !text.is_empty() {
                let sentence = unread.next().unwrap();
                let ids = match read {
                    0 => None,
                    _ => tokenizer.encode_within(sentence).unwrap(),
                };
                let ids = ids.unwrap_or_else(|| encode(sentence));
                text = text.strip_prefix(&ids[..]).unwrap();
                read += 1;
            }
            // A window of one sentence is that sentence alone.
            assert_eq!(window.spans.len(), usize::from(read == 1), "{family}");
            alone += usize::from(read == 1);
        }
        assert_eq!(unread.next(), None, "{family}");
        let judged: Vec<Vec<u32>> = pair
            .windows()
            .iter()
            .flat_map(|w| w.spans.iter().map(|span| w.ids[span.clone()].to_vec()))
            .collect();
        let wanted: Vec<Vec<u32>> = sentences.iter().map(|sentence| encode(sentence)).collect();
        assert_eq!(judged, wanted, "{family}");
        // A record counts the windows, and nothing else that is asked.
        let windows = pair.windows().iter().filter(|w| w.article).count();
        let questions = head.asks("").len();
        let asked = (windows + sentences.len() - alone) * questions;
        assert!(windows > 1, "{family}");
        assert_eq!(pair.windows().len(), asked, "{family}");
        let verdicts = stance::read(&[(&tokens, pair)], 1 << 20, &model, None).unwrap();
        assert_eq!(verdicts[0].windows, windows, "{family}");
    }
}

#[test]
fn a_sentence_longer_than_a_window_is_read_in_parts_and_judged_as_one() {
    let sentence = format!("The talks {}end.", "on the river and the lake ".repeat(40));
    for (family, _) in FAMILIES {
        let model = load(&folder(family)).unwrap();
        let (tokens, pair) = lay_out(&model, &format!("Rain fell.\n\n{sentence}\n\nNo."));
        assert_eq!(tokens.sentences().count(), 3, "{family}");
        let longest = pair.windows().iter().map(|w| w.ids.len()).max();
        assert_eq!(longest, Some(128), "{family}");
        let verdict = stance::read(&[(&tokens, pair)], 1 << 20, &model, None).unwrap();
        assert_eq!(verdict[0].salience.len(), 3, "{family}");
    }
}

#[test]
fn an_article_of_one_window_is_a_short_one_to_eval() {
    let set = tempfile::NamedTempFile::with_suffix(".jsonl").unwrap();
    let texts = texts();
    let short = json!({"text": texts[2], "label": "not-imminent"});
    let long = json!({"text": texts.join("\n\n"), "label": "uncertain"});
    fs::write(set.path(), format!("{short}\n{long}\n{long}\n")).unwrap();
    for family in ["bert", "distilbert", "roberta"] {
        let model = folder(family);
        let (set, model) = (set.path().to_str().unwrap(), model.to_str().unwrap());
        let report = run(&["eval", set, "--model", model, "--format", "json"]).json();
        assert_eq!(report["short"]["items"], 1, "{family}");
        assert_eq!(report["long"]["items"], 2, "{family}");
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

/// Changes a key of a JSON file; null takes it out.
fn configure(file: &Path, key: &str, value: Value) {
    let mut config: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let map = config.as_object_mut().unwrap();
    match value {
        Value::Null => map.remove(key),
        value => map.insert(key.to_owned(), value),
    };
    fs::write(file, config.to_string()).unwrap();
}

/// A tensor of a file: name, type, shape and bytes.
type Tensor = (String, Dtype, Vec<usize>, Vec<u8>);

/// Changes the tensors of a file of weights.
fn rewrite(weights: &[u8], change: impl FnOnce(&mut Vec<Tensor>)) -> Vec<u8> {
    let file = SafeTensors::deserialize(weights).unwrap();
    let tensors = file.tensors().into_iter();
    let mut tensors: Vec<Tensor> = tensors
        .map(|(name, view)| {
            let (shape, data) = (view.shape().to_vec(), view.data().to_vec());
            (name, view.dtype(), shape, data)
        })
        .collect();
    change(&mut tensors);
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

/// Weights all of whose numbers in one tensor are `value`.
pub fn filled(weights: &[u8], tensor: &str, value: f32) -> Vec<u8> {
    rewrite(weights, |tensors| {
        let (_, dtype, _, data) = tensors
            .iter_mut()
            .find(|(name, ..)| name == tensor)
            .unwrap();
        assert_eq!(*dtype, Dtype::F32, "{tensor}");
        for number in data.chunks_exact_mut(4) {
            number.copy_from_slice(&value.to_le_bytes());
        }
    })
}

/// Changes a folder's weights.
fn reweigh(folder: &Path, change: impl FnOnce(&[u8]) -> Vec<u8>) {
    let path = folder.join("model.safetensors");
    let weights = change(&fs::read(&path).unwrap());
    fs::write(path, weights).unwrap();
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
        configure(&copy.path().join("config.json"), "id2label", names);
        reweigh(copy.path(), |weights| {
            rewrite(weights, |tensors| {
                for (name, _, _, data) in tensors {
                    if name.starts_with("classifier.") {
                        let rows: Vec<_> = data.chunks(data.len() / 3).collect();
                        *data = order.map(|row| rows[row]).concat();
                    }
                }
            })
        });
        assert_eq!(answers(&classify(copy.path(), &[])), expected, "{order:?}");
    }
}

#[test]
fn alone_is_together_for_every_family() {
    for (family, _) in FAMILIES {
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
fn evidence_is_sentences_of_the_text() {
    for (family, _) in FAMILIES {
        let records =
            classify(&folder(family), &["--claim", "The ferry crews will talk."]).records();
        assert_eq!(records.len(), 7, "{family}");
        let mut shown = 0;
        for record in records {
            let id = record["id"].as_str().unwrap();
            let text = run(&["extract", id]).out;
            let points: Vec<char> = text.chars().collect();
            for evidence in record["evidence"].as_array().unwrap() {
                let at = |key: &str| evidence[key].as_u64().unwrap() as usize;
                let there: String = points[at("start")..at("end")].iter().collect();
                assert_eq!(evidence["text"], there, "{family} {id}");
                shown += 1;
            }
            let scores = record["scores"].as_object().unwrap().values();
            let sum: f64 = scores.map(|score| score.as_f64().unwrap()).sum();
            assert!((sum - 1.0).abs() < 1e-3, "{family} {id}: {sum}");
        }
        assert!(shown > 0, "{family}");
    }
}

#[test]
fn special_tokens_in_a_text_are_only_text() {
    for (family, _) in FAMILIES {
        let tokenizer = load(&folder(family)).unwrap();
        let tokenizer = tokenizer.tokenizer();
        let json = fs::read_to_string(folder(family).join("tokenizer.json")).unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        let special = json["added_tokens"].as_array().unwrap();
        assert_eq!(special.len(), 5, "{family}");
        let name = |token: &Value| token["content"].as_str().unwrap().to_owned();
        let known: Vec<u32> = special
            .iter()
            .filter(|token| !name(token).to_lowercase().contains("unk"))
            .map(|token| token["id"].as_u64().unwrap() as u32)
            .collect();
        for name in special.iter().map(name) {
            // Spelled, not taken for one token, known or unknown.
            for text in [name.clone(), format!("talks{name}talks {name}")] {
                let ids = tokenizer.encode(&text).unwrap();
                let words = text.matches(&name).count();
                assert!(ids.len() > 2 * words - 1, "{family}: {text}: {ids:?}");
                assert!(
                    !ids.iter().any(|id| known.contains(id)),
                    "{family}: {text}: {ids:?}"
                );
            }
        }
    }
}

#[test]
fn what_a_tokenizer_is_told_of_padding_and_cutting_is_not_done() {
    for (family, _) in FAMILIES {
        let copy = copy(family);
        let file = copy.path().join("tokenizer.json");
        // Padding would move RoBERTa's positions, and cutting lose text.
        let padding = json!({"strategy": {"Fixed": 64}, "direction": "Left", "pad_to_multiple_of": null,
            "pad_id": 1, "pad_type_id": 0, "pad_token": "<pad>"});
        let cutting =
            json!({"max_length": 8, "strategy": "LongestFirst", "stride": 0, "direction": "Right"});
        configure(&file, "padding", padding);
        configure(&file, "truncation", cutting);
        let (told, model) = (load(copy.path()).unwrap(), load(&folder(family)).unwrap());
        assert_eq!(told.tokenizer().pair, model.tokenizer().pair, "{family}");
        for text in texts() {
            let [told, ids] = [&told, &model].map(|model| model.tokenizer().encode(&text).unwrap());
            assert_eq!(told, ids, "{family}: {text}");
        }
    }
}

#[test]
fn weights_that_overflow_are_an_error_and_no_answer() {
    for (family, tensor) in [
        ("bert", "classifier.weight"),
        ("bert", "bert.encoder.layer.0.attention.self.query.bias"),
        ("bert", "bert.encoder.layer.1.intermediate.dense.bias"),
        ("roberta", "roberta.encoder.layer.1.output.dense.weight"),
        (
            "deberta-v3",
            "deberta.encoder.layer.0.attention.self.query_proj.bias",
        ),
        ("deberta-c2p", "deberta.encoder.rel_embeddings.weight"),
        ("modernbert", "model.layers.1.mlp.Wo.weight"),
    ] {
        let copy = copy(family);
        reweigh(copy.path(), |weights| filled(weights, tensor, 3e38));
        let ran = classify(copy.path(), &[]);
        assert!(
            ran.refused().contains("overflow"),
            "{family} {tensor}: {}",
            ran.err
        );
        assert_eq!(ran.out, "", "{family} {tensor}");
    }
}

#[test]
fn the_float_engine_is_float_for_a_classifier_in_8_bits_too() {
    // The same numbers twice, as bytes with a scale a row, and as floats.
    let [bytes, floats] = [true, false].map(|bytes| {
        let copy = copy("bert");
        reweigh(copy.path(), |weights| {
            rewrite(weights, |tensors| in_8_bits(tensors, bytes))
        });
        copy
    });
    let text = &texts()[0];
    let logits = |folder: &TempDir, engine| {
        let model = load_with(folder.path(), engine).unwrap();
        let (_, pair) = lay_out(&model, text);
        model
            .logits(&[&pair.windows()[0]], 1 << 20)
            .unwrap()
            .concat()
    };
    let expected = logits(&floats, Engine::Native);
    assert_eq!(logits(&bytes, Engine::Float), expected);
    let off = furthest(&logits(&bytes, Engine::Native), &expected);
    assert!((1e-4..1.0).contains(&off), "{off}");
}

/// Rounds the encoder's matrices to 8 bits, each row by its largest number.
fn in_8_bits(tensors: &mut Vec<Tensor>, bytes: bool) {
    let mut scales = Vec::new();
    for (name, dtype, shape, data) in tensors.iter_mut() {
        if !name.starts_with("bert.encoder.") || shape.len() != 2 {
            continue;
        }
        let numbers = data.chunks_exact(4);
        let numbers: Vec<f32> = numbers
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect();
        let rows: Vec<(f32, Vec<i8>)> = numbers
            .chunks(shape[1])
            .map(|row| {
                let scale = furthest(row, &vec![0.0; row.len()]) / 127.0;
                (
                    scale,
                    row.iter().map(|v| (v / scale).round() as i8).collect(),
                )
            })
            .collect();
        let rounded = rows.iter();
        if bytes {
            *dtype = Dtype::I8;
            let row_scales = rows.iter().flat_map(|(scale, _)| scale.to_le_bytes());
            let row_scales = row_scales.collect();
            scales.push((
                format!("{name}_scale"),
                Dtype::F32,
                vec![shape[0]],
                row_scales,
            ));
            *data = rounded
                .flat_map(|(_, row)| row.iter().map(|v| *v as u8))
                .collect();
        } else {
            let number = |(scale, row): &(f32, Vec<i8>)| -> Vec<u8> {
                let numbers = row.iter().map(|v| f32::from(*v) * scale);
                numbers.flat_map(f32::to_le_bytes).collect()
            };
            *data = rounded.flat_map(number).collect();
        }
    }
    assert_eq!(scales.is_empty(), !bytes);
    tensors.extend(scales);
}

/// A manifest for the files of a folder, of these labels.
pub fn manifest(folder: &Path, architecture: &str, task: &str, labels: &[&str]) {
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
    let config = copy.path().join("config.json");
    configure(&config, "id2label", (0..3).map(label).collect());
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
