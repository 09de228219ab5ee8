//! A language model of real size, SmolLM2-135M: its words against Hugging Face transformers' (frozen by `fixtures/smollm2.py`), and summaries
//! said shorter through the program. They need what `tidings models pull rewriter-en-small` fetches, in the folder that `REAL_MODELS` names (as
//! `HF_HOME`); without it they say so and are skipped.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use candle_core::Device;
use candle_core::quantized::gguf_file::Content;
use candle_core::quantized::{GgmlDType, QTensor};
use serde::Deserialize;
use tidings::decode::{Decoder, Row, Stop, greedy};
use tidings::model::decoder::Llama;
use tidings::model::manifest::Architecture;

use crate::decoders::write;
use crate::path;
use crate::program::{Ran, tidings};

#[derive(Deserialize)]
struct Golden {
    ids: Vec<u32>,
    /// The likeliest next tokens, and their logits.
    best: Vec<usize>,
    logits: Vec<f32>,
    greedy: Vec<u32>,
}

/// The folder with pulled models; where there is none, that is said.
fn models() -> Option<PathBuf> {
    let folder = std::env::var_os("REAL_MODELS").map(PathBuf::from);
    if folder.is_none() {
        #[allow(clippy::print_stdout)]
        {
            println!("skipped: REAL_MODELS names no folder with pulled models");
        }
    }
    folder
}

/// The GGUF file of SmolLM2, which the rewriter's adapter stands beside.
fn file(models: &std::path::Path) -> Vec<u8> {
    let snapshots = models.join("hub/models--rewriter-en-small/snapshots");
    let commit = fs::read_dir(snapshots).unwrap().next().unwrap().unwrap();
    fs::read(commit.path().join("SmolLM2-135M-Instruct.Q4_1.gguf")).unwrap()
}

/// The same file with all weights as floats.
fn spread_out(file: &[u8]) -> Vec<u8> {
    let mut read = Cursor::new(file);
    let content = Content::read(&mut read).unwrap();
    let values: BTreeMap<_, _> = content.metadata.clone().into_iter().collect();
    let names = content.tensor_infos.keys();
    let tensors = names.map(|name| {
        let tensor = content.tensor(&mut read, name, &Device::Cpu).unwrap();
        let floats = tensor.dequantize(&Device::Cpu).unwrap();
        let floats = QTensor::quantize(&floats, GgmlDType::F32).unwrap();
        (name.clone(), floats)
    });
    write(&values, &tensors.collect::<Vec<_>>())
}

fn logits(decoder: &Llama, ids: &[u32]) -> Vec<f32> {
    let mut cache = decoder.cache();
    let row = Row {
        ids,
        cache: &mut cache,
        asked: 1,
    };
    decoder.forward(&mut [row]).unwrap().remove(0)
}

#[test]
fn a_decoder_of_real_size_goes_on_as_in_transformers() {
    let Some(models) = models() else { return };
    let file = file(&models);
    let golden = fs::read(path("fixtures/smollm2.json")).unwrap();
    let golden: Vec<Golden> = serde_json::from_slice(&golden).unwrap();
    let load = |file: &[u8]| Llama::from_gguf(file, Architecture::Llama).unwrap();
    let furthest = |decoder: &Llama, golden: &Golden| {
        let logits = logits(decoder, &golden.ids);
        let pairs = golden.best.iter().zip(&golden.logits);
        let distances = pairs.map(|(word, wanted)| (logits[*word] - wanted).abs());
        distances.fold(0.0, f32::max)
    };
    // In floats: the same words, token for token, alone and together.
    let floats = load(&spread_out(&file));
    for golden in &golden {
        let distance = furthest(&floats, golden);
        assert!(distance < 1e-3, "{distance}");
    }
    let prompts: Vec<&[u32]> = golden.iter().map(|golden| &golden.ids[..]).collect();
    let stop = Stop {
        ends: Vec::new(),
        length: 40,
    };
    let answers = greedy(&floats, &prompts, &stop, 1024).unwrap();
    for (answer, golden) in answers.iter().zip(&golden) {
        assert_eq!(answer.ids, golden.greedy);
    }
    drop(floats);
    // As the file has them, with rows in 8 bits: near.
    let packed = load(&file);
    for golden in &golden {
        let distance = furthest(&packed, golden);
        assert!(distance < 0.4, "{distance}");
        let logits = logits(&packed, &golden.ids);
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
        assert_eq!(best, Some(golden.best[0]));
    }
}

#[test]
fn a_summary_is_said_shorter() {
    let Some(models) = models() else { return };
    let article = "The harbour office of Lorne, which has 400 employees, said on Monday that the quays were clear.";
    let mut summarise = tidings();
    summarise
        .env("HF_HOME", &models)
        .args(["summarise", "--style", "rewritten", "--json"])
        .write_stdin(article);
    let record = Ran::of(&mut summarise).json();
    let sentences = record["summary"]["sentences"].as_array().unwrap();
    let shorter = "The harbour office of Lorne said the quays were clear.";
    assert_eq!(sentences[0]["text"], shorter, "{record}");
    assert_eq!(sentences[0]["check"], "passed");
    assert_eq!(sentences[0]["sources"][0][1], article.chars().count());
}
