//! Decoders: each family's logits and its greedy words against Hugging Face transformers', frozen by `fixtures/decoders.py`, from
//! safetensors whole and in shards, alone and together. GGUF files of them are made in `gguf.rs`; what happens to files that are not what
//! they say is in `refused.rs`.

mod adapter;
mod gguf;
mod refused;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use candle_core::quantized::gguf_file::Value as Written;
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings::decode::{Answer, Decoder, Ended, Row, Stop, greedy};
use tidings::model::decoder::Llama;
use tidings::model::manifest::Architecture;

pub use self::gguf::{GGUF, gguf, write};
use crate::path;

pub const DECODERS: [(&str, Architecture); 9] = [
    ("llama", Architecture::Llama),
    ("llama3", Architecture::Llama),
    ("qwen2", Architecture::Qwen2),
    ("qwen3", Architecture::Qwen3),
    ("mistral", Architecture::Mistral),
    ("gemma3", Architecture::Gemma3),
    ("phi3", Architecture::Phi3),
    ("phi4", Architecture::Phi3),
    ("smollm3", Architecture::Smollm3),
];

/// The fixture's family.
fn architecture(family: &str) -> Architecture {
    let found = DECODERS.into_iter().find(|(name, _)| *name == family);
    found.unwrap().1
}

#[derive(Deserialize)]
struct Golden {
    ids: Vec<u32>,
    logits: Vec<f32>,
    greedy: Vec<u32>,
}

pub fn folder(family: &str) -> PathBuf {
    path("fixtures/decoders").join(family)
}

fn file(family: &str, name: &str) -> Vec<u8> {
    fs::read(folder(family).join(name)).unwrap()
}

fn golden(family: &str) -> Vec<Golden> {
    serde_json::from_slice(&file(family, "expected.json")).unwrap()
}

fn load(family: &str, architecture: Architecture) -> Llama {
    let (config, weights) = (
        file(family, "config.json"),
        file(family, "model.safetensors"),
    );
    Llama::from_safetensors(&config, "config.json", architecture, &[&weights]).unwrap()
}

/// The logits after each text's last token, all texts in one pass.
fn logits(decoder: &Llama, texts: &[&[u32]]) -> Vec<Vec<f32>> {
    let mut caches: Vec<_> = texts.iter().map(|_| decoder.cache()).collect();
    let rows = texts.iter().zip(&mut caches);
    let mut rows: Vec<Row<'_, _>> = rows
        .map(|(ids, cache)| Row {
            ids,
            cache,
            asked: 1,
        })
        .collect();
    decoder.forward(&mut rows).unwrap()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let distances = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    distances.fold(0.0, f32::max)
}

fn stop(length: usize) -> Stop {
    Stop {
        ends: Vec::new(),
        length,
    }
}

#[test]
fn logits_are_those_of_transformers_alone_and_in_a_ragged_batch() {
    for (family, architecture) in DECODERS {
        let decoder = load(family, architecture);
        let golden = golden(family);
        let texts: Vec<&[u32]> = golden.iter().map(|g| &g.ids[..]).collect();
        let together = logits(&decoder, &texts);
        assert_eq!(together.len(), 7);
        for (golden, together) in golden.iter().zip(&together) {
            let distance = furthest(&golden.logits, together);
            assert!(distance < 1e-4, "{family}: {distance}");
            // Alone it is the same bits, however many stand beside it.
            assert_eq!(&logits(&decoder, &[&golden.ids])[0], together, "{family}");
        }
    }
}

#[test]
fn greedy_words_are_those_of_transformers_alone_and_together() {
    for (family, architecture) in DECODERS {
        let decoder = load(family, architecture);
        let golden = golden(family);
        let prompts: Vec<&[u32]> = golden.iter().map(|g| &g.ids[..]).collect();
        let expected: Vec<Answer> = golden
            .iter()
            .map(|g| Answer {
                ids: g.greedy.clone(),
                ended: Ended::Length,
            })
            .collect();
        for tokens in [1, 50, 10_000] {
            let answers = greedy(&decoder, &prompts, &stop(40), tokens).unwrap();
            assert_eq!(answers, expected, "{family}, {tokens} tokens at once");
        }
    }
}

#[test]
fn a_row_that_is_done_leaves_and_changes_no_other() {
    let decoder = load("llama", Architecture::Llama);
    let golden = golden("llama");
    let prompts: Vec<&[u32]> = golden.iter().map(|g| &g.ids[..]).collect();
    // What one says sixth ends the turn of all.
    let end = golden[3].greedy[5];
    let stop = Stop {
        ends: vec![end],
        ..stop(40)
    };
    let answers = greedy(&decoder, &prompts, &stop, 10_000).unwrap();
    let mut ended = 0;
    for (golden, answer) in golden.iter().zip(&answers) {
        let expected = golden.greedy.iter().take_while(|id| **id != end);
        assert!(answer.ids.iter().eq(expected));
        ended += usize::from(answer.ended == Ended::Turn);
    }
    assert!((1..=7).contains(&ended));
}

#[test]
fn a_prompt_read_at_once_in_parts_and_token_by_token_is_the_same_bits() {
    for (family, architecture) in DECODERS {
        let decoder = load(family, architecture);
        let ids = &golden(family)[6].ids;
        let whole = logits(&decoder, &[ids]).remove(0);
        for part in [1, 3, 10] {
            let mut cache = decoder.cache();
            let mut last = Vec::new();
            for ids in ids.chunks(part) {
                let row = Row {
                    ids,
                    cache: &mut cache,
                    asked: ids.len(),
                };
                last = decoder.forward(&mut [row]).unwrap().remove(0);
                assert_eq!(last.len(), ids.len() * decoder.words());
            }
            assert_eq!(last[last.len() - whole.len()..], whole, "{family} {part}");
            // What was forgotten was never there.
            decoder.truncate(&mut cache, 5);
            assert_eq!(decoder.length(&cache), 5);
            let row = Row {
                ids: &ids[5..],
                cache: &mut cache,
                asked: 1,
            };
            assert_eq!(decoder.forward(&mut [row]).unwrap()[0], whole);
        }
    }
}

#[test]
fn a_text_beyond_the_context_and_a_token_that_is_none_are_errors() {
    let decoder = load("mistral", Architecture::Mistral);
    let fails = |ids: &[u32]| {
        let mut cache = decoder.cache();
        let row = Row {
            ids,
            cache: &mut cache,
            asked: 1,
        };
        decoder.forward(&mut [row]).unwrap_err().to_string()
    };
    assert!(fails(&[5; 1025]).contains("1024"));
    assert!(fails(&[5, 60_000]).contains("60000"));
    // Far past the window, but within the context.
    let long: Vec<u32> = (0..1024).map(|i| 4 + i % 200).collect();
    assert!(logits(&decoder, &[&long])[0].iter().all(|v| v.is_finite()));
}

/// What a decoder with another configuration says of the family's longest text.
fn reconfigured(family: &str, config: &Value) -> Vec<f32> {
    let weights = file(family, "model.safetensors");
    let config = config.to_string().into_bytes();
    let architecture = architecture(family);
    let decoder = Llama::from_safetensors(&config, "config.json", architecture, &[&weights]);
    logits(&decoder.unwrap(), &[&golden(family)[6].ids]).remove(0)
}

fn config(family: &str) -> Value {
    serde_json::from_slice(&file(family, "config.json")).unwrap()
}

/// The configuration with some keys set anew; null stands for one that is not there.
fn with(mut config: Value, keys: Value) -> Value {
    let map = config.as_object_mut().unwrap();
    for (key, value) in keys.as_object().unwrap() {
        map.remove(key);
        if !value.is_null() {
            map.insert(key.clone(), value.clone());
        }
    }
    config
}

#[test]
fn settings_by_their_older_names_and_those_that_are_usual_are_the_same_decoder() {
    let bare = json!({"rope_parameters": null, "layer_types": null});
    let cases = [
        (
            "gemma3",
            json!({"rope_theta": 10000, "rope_local_base_freq": 100, "rope_scaling": {"rope_type": "linear", "factor": 4.0}, "sliding_window_pattern": 6}),
            json!({"rope_theta": 10000, "rope_local_base_freq": 100, "rope_scaling": {"rope_type": "linear", "factor": 4.0}, "sliding_window_pattern": 5}),
        ),
        (
            "phi4",
            json!({"rope_theta": 10000.0, "partial_rotary_factor": 0.75, "rope_scaling":
                {"type": "su", "short_factor": [1.0, 1.25, 1.5], "long_factor": [1, 1, 1]}}),
            json!({"rope_theta": 10000.0, "partial_rotary_factor": 0.75, "rope_scaling":
                {"type": "su", "short_factor": [1.0, 1.25, 1.25], "long_factor": [1, 1, 1]}}),
        ),
        (
            "smollm3",
            json!({"no_rope_layers": null, "no_rope_layer_interval": null, "tie_word_embeddings": null, "pretraining_tp": 2}),
            json!({"no_rope_layers": [1, 1, 0, 1], "pretraining_tp": 2}),
        ),
    ];
    for (family, same, other) in cases {
        let said = reconfigured(family, &config(family));
        let bare = with(config(family), bare.clone());
        assert_eq!(
            reconfigured(family, &with(bare.clone(), same)),
            said,
            "{family}"
        );
        assert_ne!(reconfigured(family, &with(bare, other)), said, "{family}");
    }
}

#[test]
fn a_text_reads_short_frequencies_up_to_the_length_that_they_are_for() {
    let decoder = load("phi4", Architecture::Phi3);
    // Beyond them transformers turns every token anew; the program says how far it reads.
    assert_eq!(decoder.context(), 1024);
    let long: Vec<u32> = (0..1025).map(|i| 5 + i % 200).collect();
    assert!(
        logits(&decoder, &[&long[..1024]])[0]
            .iter()
            .all(|v| v.is_finite())
    );
    let mut cache = decoder.cache();
    let row = Row {
        ids: &long,
        cache: &mut cache,
        asked: 1,
    };
    let error = decoder.forward(&mut [row]).unwrap_err().to_string();
    assert!(error.contains("1024 at most"), "{error}");
}

/// The Gemma fixture as the part that reads text of a model that sees pictures as well, its tensors under `prefix`.
pub fn in_parts(prefix: &str) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        fs::copy(folder("gemma3").join(name), copy.path().join(name)).unwrap();
    }
    // What such files leave out is usual.
    let usual = json!({"tie_word_embeddings": null, "architectures": null});
    let whole = json!({
        "architectures": ["Gemma3ForConditionalGeneration"],
        "model_type": "gemma3",
        "text_config": with(config("gemma3"), usual),
        "vision_config": {"model_type": "siglip_vision_model"},
    });
    fs::write(copy.path().join("config.json"), whole.to_string()).unwrap();
    let tensors = tensors("gemma3").into_iter();
    let named = tensors.map(|(name, t)| (name.replacen("model.", prefix, 1), t));
    let eye = Tensor::new(&[1f32], &Device::Cpu).unwrap();
    let more =
        ["vision_tower.x.weight", "multi_modal_projector.y"].map(|n| (n.to_owned(), eye.clone()));
    let all: std::collections::HashMap<String, Tensor> = named.chain(more).collect();
    candle_core::safetensors::save(&all, copy.path().join("model.safetensors")).unwrap();
    copy
}

#[test]
fn of_a_gemma_that_sees_pictures_the_part_that_reads_text_is_read() {
    let ids = &golden("gemma3")[6].ids;
    let said = logits(&load("gemma3", Architecture::Gemma3), &[ids]);
    for prefix in ["language_model.model.", "model.language_model."] {
        let copy = in_parts(prefix);
        let read = |name: &str| fs::read(copy.path().join(name)).unwrap();
        let (config, weights) = (read("config.json"), read("model.safetensors"));
        let open = |config: &[u8]| {
            Llama::from_safetensors(config, "config.json", Architecture::Gemma3, &[&weights])
        };
        assert_eq!(logits(&open(&config).unwrap(), &[ids]), said, "{prefix}");
        let whole: Value = serde_json::from_slice(&config).unwrap();
        for (change, says) in [
            (json!({"text_config": null}), "text_config is missing"),
            (
                json!({"quantization_config": {"bits": 4}}),
                "quantization_config",
            ),
            (json!({"tie_word_embeddings": false}), "tie_word_embeddings"),
            (
                json!({"text_config": {"model_type": "llama"}}),
                "gemma3_text",
            ),
        ] {
            let config = with(whole.clone(), change).to_string();
            let error = open(config.as_bytes()).err().unwrap().to_string();
            assert!(error.contains(says), "{error}");
        }
        // What sees pictures is none of a model that says it reads text alone.
        let text = open(whole["text_config"].to_string().as_bytes());
        assert!(text.err().unwrap().to_string().contains("lack the tensor"));
    }
}

/// The model's tensors.
fn tensors(family: &str) -> BTreeMap<String, Tensor> {
    let path = folder(family).join("model.safetensors");
    let tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let float = |t: Tensor| t.to_dtype(candle_core::DType::F32).unwrap();
    tensors
        .into_iter()
        .map(|(name, t)| (name, float(t)))
        .collect()
}

/// A copy of the fixture with its weights in `count` shards.
pub fn sharded(family: &str, count: usize) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        fs::copy(folder(family).join(name), copy.path().join(name)).unwrap();
    }
    let bytes = file(family, "model.safetensors");
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names: Vec<&str> = file.names().into_iter().collect();
    names.sort_unstable();
    let mut map = serde_json::Map::new();
    for shard in 0..count {
        let name = format!("model-{:05}-of-{count:05}.safetensors", shard + 1);
        let own = names.iter().skip(shard).step_by(count);
        let own: Vec<_> = own.map(|n| (*n, file.tensor(n).unwrap())).collect();
        map.extend(own.iter().map(|(n, _)| ((*n).to_owned(), json!(name))));
        fs::write(
            copy.path().join(&name),
            safetensors::serialize(own, None).unwrap(),
        )
        .unwrap();
    }
    let index = json!({"metadata": {"total_size": 0}, "weight_map": map});
    fs::write(
        copy.path().join("model.safetensors.index.json"),
        index.to_string(),
    )
    .unwrap();
    copy
}

#[test]
fn shards_are_the_same_as_one_file() {
    let whole = load("qwen3", Architecture::Qwen3);
    let copy = sharded("qwen3", 3);
    let index = fs::read(copy.path().join("model.safetensors.index.json")).unwrap();
    let names = tidings::model::decoder::shards(&index).unwrap();
    assert_eq!(names.len(), 3);
    let files: Vec<Vec<u8>> = names
        .iter()
        .map(|n| fs::read(copy.path().join(n)).unwrap())
        .collect();
    let files: Vec<&[u8]> = files.iter().map(|f| &f[..]).collect();
    let config = file("qwen3", "config.json");
    let open = |files: &[&[u8]]| {
        Llama::from_safetensors(&config, "config.json", Architecture::Qwen3, files)
    };
    let parts = open(&files).unwrap();
    let ids = &golden("qwen3")[2].ids;
    assert_eq!(logits(&whole, &[ids]), logits(&parts, &[ids]));
    let says = |files: &[&[u8]]| open(files).err().unwrap().to_string();
    assert!(says(&files[..2]).contains("lack the tensor"));
    assert!(
        says(&[files[0], files[1], files[2], files[0]]).contains("in two of the weights' files")
    );
    for (index, says) in [
        (json!({}), "no weight_map"),
        (
            json!({"weight_map": {"a": "../x.safetensors"}}),
            "no plain name",
        ),
        (json!({"weight_map": {"a": "x.bin"}}), "no plain name"),
        (json!({"weight_map": {"a": 1}}), "no plain name"),
        (json!({"weight_map": {}}), "0 files"),
    ] {
        let error = tidings::model::decoder::shards(index.to_string().as_bytes()).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

/// A decoder wide enough for any blocks, of random weights.
fn wide(dtype: GgmlDType) -> Llama {
    let (width, inner, words) = (256, 512, 64);
    let mut values = BTreeMap::new();
    for (key, value) in [
        ("context_length", 256),
        ("embedding_length", width),
        ("block_count", 1),
        ("feed_forward_length", inner),
        ("attention.head_count", 4),
        ("attention.head_count_kv", 2),
    ] {
        values.insert(format!("llama.{key}"), Written::U32(value as u32));
    }
    values.insert(
        "general.architecture".to_owned(),
        Written::String("llama".to_owned()),
    );
    values.insert(
        "llama.attention.layer_norm_rms_epsilon".to_owned(),
        Written::F32(1e-5),
    );
    let mut seed = 1u32;
    let mut tensor = |name: &str, shape: &[usize]| {
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| next() * 0.2).collect();
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
        let dtype = if shape.len() == 2 {
            dtype
        } else {
            GgmlDType::F32
        };
        (
            format!("{name}.weight"),
            QTensor::quantize(&tensor, dtype).unwrap(),
        )
    };
    let tensors = [
        tensor("token_embd", &[words, width]),
        tensor("output_norm", &[width]),
        tensor("blk.0.attn_norm", &[width]),
        tensor("blk.0.attn_q", &[width, width]),
        tensor("blk.0.attn_k", &[width / 2, width]),
        tensor("blk.0.attn_v", &[width / 2, width]),
        tensor("blk.0.attn_output", &[width, width]),
        tensor("blk.0.ffn_norm", &[width]),
        tensor("blk.0.ffn_gate", &[inner, width]),
        tensor("blk.0.ffn_up", &[inner, width]),
        tensor("blk.0.ffn_down", &[width, inner]),
    ];
    Llama::from_gguf(&write(&values, &tensors), Architecture::Llama).unwrap()
}

#[test]
fn a_row_is_the_same_bits_alone_and_together_whatever_blocks_weights_are_in() {
    for dtype in [
        GgmlDType::F32,
        GgmlDType::F16,
        GgmlDType::BF16,
        GgmlDType::Q4_0,
        GgmlDType::Q4_1,
        GgmlDType::Q5_0,
        GgmlDType::Q5_1,
        GgmlDType::Q8_0,
        GgmlDType::Q2K,
        GgmlDType::Q3K,
        GgmlDType::Q4K,
        GgmlDType::Q5K,
        GgmlDType::Q6K,
    ] {
        let decoder = wide(dtype);
        let texts: Vec<Vec<u32>> = (1..40)
            .map(|n| (0..n).map(|i| (i * 7 + n) % 64).collect())
            .collect();
        let texts: Vec<&[u32]> = texts.iter().map(|t| &t[..]).collect();
        let together = logits(&decoder, &texts);
        for (text, together) in texts.iter().zip(&together) {
            assert_eq!(
                &logits(&decoder, &[text])[0],
                together,
                "{dtype:?}, {} tokens",
                text.len()
            );
        }
        // Prompts at once and words one by one.
        let prompts = [texts[4], texts[0], texts[30]];
        let answers = greedy(&decoder, &prompts, &stop(12), 1000).unwrap();
        for (prompt, answer) in prompts.iter().zip(&answers) {
            let alone = greedy(&decoder, &[prompt], &stop(12), 1000).unwrap();
            assert_eq!(&alone[0], answer, "{dtype:?}");
            let whole = [prompt, &answer.ids[..]].concat();
            let mut cache = decoder.cache();
            let row = Row {
                ids: &whole,
                cache: &mut cache,
                asked: 13,
            };
            let at_once = decoder.forward(&mut [row]).unwrap().remove(0);
            let best = at_once
                .chunks(64)
                .map(|l| (0..64).max_by(|a, b| l[*a].total_cmp(&l[*b])).unwrap() as u32);
            let said: Vec<u32> = best.take(12).collect();
            assert_eq!(said, answer.ids, "{dtype:?}");
        }
    }
}
