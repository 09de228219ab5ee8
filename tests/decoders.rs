//! Decoders: each family's logits and its greedy words against Hugging Face transformers', frozen by `fixtures/decoders.py`, from
//! safetensors whole and in shards and from GGUF, alone and together; and what happens to files that are not what they say.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use candle_core::quantized::gguf_file::{self, Value as Written};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings::decode::{Answer, Decoder, Ended, Row, Stop, greedy};
use tidings::model::decoder::Llama;
use tidings::model::manifest::Architecture;

use crate::path;

pub const DECODERS: [(&str, Architecture); 5] = [
    ("llama", Architecture::Llama),
    ("llama3", Architecture::Llama),
    ("qwen2", Architecture::Qwen2),
    ("qwen3", Architecture::Qwen3),
    ("mistral", Architecture::Mistral),
];

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
        repeats: None,
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

/// What GGUF files call a tensor of safetensors.
fn gguf_name(name: &str) -> String {
    [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("model.layers", "blk"),
        ("self_attn.q_norm", "attn_q_norm"),
        ("self_attn.k_norm", "attn_k_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("post_attention_layernorm", "ffn_norm"),
        ("input_layernorm", "attn_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ]
    .iter()
    .fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}

/// Rows of Llama's queries or keys in the order of GGUF files, where neighbours are turned together.
fn permuted(tensor: &Tensor, heads: usize) -> Tensor {
    let (rows, columns) = tensor.dims2().unwrap();
    let split = tensor
        .reshape((heads, 2, rows / heads / 2, columns))
        .unwrap();
    split
        .transpose(1, 2)
        .unwrap()
        .contiguous()
        .unwrap()
        .reshape((rows, columns))
        .unwrap()
}

/// The fixture as a GGUF file whose matrices are of `dtype`; `change` is done to its values.
pub fn gguf(
    family: &str,
    dtype: GgmlDType,
    change: &dyn Fn(&mut BTreeMap<String, Written>),
) -> Vec<u8> {
    gguf_with(family, dtype, change, Vec::new())
}

/// The same with further tensors.
fn gguf_with(
    family: &str,
    dtype: GgmlDType,
    change: &dyn Fn(&mut BTreeMap<String, Written>),
    more: Vec<(String, QTensor)>,
) -> Vec<u8> {
    let config: Value = serde_json::from_slice(&file(family, "config.json")).unwrap();
    let architecture = config["model_type"].as_str().unwrap();
    let tokenizer: Value = serde_json::from_slice(&file(family, "tokenizer.json")).unwrap();
    let described: Value = serde_json::from_slice(&file(family, "tokenizer_config.json")).unwrap();
    let number = |key: &str| config[key].as_u64().map(|n| n as u32);
    let count = |key: &str| Written::U32(number(key).unwrap());
    let halved = number("hidden_size").unwrap() / number("num_attention_heads").unwrap();
    let head = Written::U32(number("head_dim").unwrap_or(halved));
    let text = |text: &str| Written::String(text.to_owned());
    let mut values = BTreeMap::new();
    values.insert("general.architecture".to_owned(), text(architecture));
    for (key, value) in [
        ("context_length", count("max_position_embeddings")),
        ("embedding_length", count("hidden_size")),
        ("block_count", count("num_hidden_layers")),
        ("feed_forward_length", count("intermediate_size")),
        ("attention.head_count", count("num_attention_heads")),
        ("attention.head_count_kv", count("num_key_value_heads")),
        ("attention.key_length", head.clone()),
        ("attention.value_length", head),
        ("rope.freq_base", Written::F32(10_000.0)),
        (
            "attention.layer_norm_rms_epsilon",
            Written::F32(config["rms_norm_eps"].as_f64().unwrap() as f32),
        ),
    ] {
        values.insert(format!("{architecture}.{key}"), value);
    }
    // The tokenizer, with words in the order of their ids.
    let mut words: Vec<(u64, String, i32)> = tokenizer["model"]["vocab"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(word, id)| (id.as_u64().unwrap(), word.clone(), 1))
        .collect();
    for token in tokenizer["added_tokens"].as_array().unwrap() {
        let id = token["id"].as_u64().unwrap();
        words.retain(|(other, ..)| *other != id);
        let kind = if token["special"] == true { 3 } else { 4 };
        words.push((id, token["content"].as_str().unwrap().to_owned(), kind));
    }
    words.sort();
    let merges = tokenizer["model"]["merges"].as_array().unwrap().iter();
    let merges = merges.map(|m| {
        text(&format!(
            "{} {}",
            m[0].as_str().unwrap(),
            m[1].as_str().unwrap()
        ))
    });
    for (key, value) in [
        ("ggml.model", text("gpt2")),
        ("ggml.pre", text("gpt-2")),
        (
            "ggml.tokens",
            Written::Array(words.iter().map(|(_, word, _)| text(word)).collect()),
        ),
        (
            "ggml.token_type",
            Written::Array(words.iter().map(|(.., kind)| Written::I32(*kind)).collect()),
        ),
        ("ggml.merges", Written::Array(merges.collect())),
        ("ggml.bos_token_id", Written::U32(0)),
        ("ggml.eos_token_id", count("eos_token_id")),
        (
            "chat_template",
            text(described["chat_template"].as_str().unwrap()),
        ),
    ] {
        values.insert(format!("tokenizer.{key}"), value);
    }
    change(&mut values);
    let heads = |key: &str| config[key].as_u64().unwrap() as usize;
    let tensors: Vec<(String, QTensor)> = tensors(family)
        .into_iter()
        .map(|(name, tensor)| {
            let tensor = match architecture {
                "llama" if name.contains("q_proj") => {
                    permuted(&tensor, heads("num_attention_heads"))
                }
                "llama" if name.contains("k_proj") => {
                    permuted(&tensor, heads("num_key_value_heads"))
                }
                _ => tensor,
            };
            let dtype = if tensor.rank() == 2 {
                dtype
            } else {
                GgmlDType::F32
            };
            (gguf_name(&name), QTensor::quantize(&tensor, dtype).unwrap())
        })
        .collect();
    let tensors: Vec<(String, QTensor)> = tensors.into_iter().chain(more).collect();
    write(&values, &tensors)
}

fn write(values: &BTreeMap<String, Written>, tensors: &[(String, QTensor)]) -> Vec<u8> {
    let values: Vec<(&str, &Written)> = values.iter().map(|(n, v)| (&**n, v)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(n, t)| (&**n, t)).collect();
    let mut out = std::io::Cursor::new(Vec::new());
    gguf_file::write(&mut out, &values, &tensors).unwrap();
    out.into_inner()
}

#[test]
fn gguf_files_are_the_model_within_what_their_blocks_lose() {
    for (family, architecture) in [
        ("llama", Architecture::Llama),
        ("qwen2", Architecture::Qwen2),
        ("qwen3", Architecture::Qwen3),
    ] {
        let golden = golden(family);
        let ids: Vec<&[u32]> = golden.iter().map(|g| &g.ids[..]).collect();
        for (dtype, tolerance) in [
            (GgmlDType::F32, 1e-4),
            (GgmlDType::BF16, 0.1),
            (GgmlDType::F16, 0.02),
            (GgmlDType::Q8_0, 0.8),
        ] {
            let bytes = gguf(family, dtype, &|_| ());
            let decoder = Llama::from_gguf(&bytes, architecture).unwrap();
            for (golden, found) in golden.iter().zip(logits(&decoder, &ids)) {
                let distance = furthest(&golden.logits, &found);
                assert!(distance < tolerance, "{family} {dtype:?}: {distance}");
            }
        }
    }
}

#[test]
fn a_gguf_file_of_a_long_context_has_what_its_frequencies_are_divided_by() {
    // What the fixture's configuration says of frequencies, as llama.cpp's converter writes it.
    let factors: Vec<f32> = (0..4)
        .map(|i| {
            let turns = 64.0 * 10_000f64.powf(-f64::from(i) / 4.0) / std::f64::consts::TAU;
            let kept = ((turns - 1.0) / 3.0).clamp(0.0, 1.0);
            (1.0 / (kept + (1.0 - kept) / 8.0)) as f32
        })
        .collect();
    assert_eq!((factors[0], factors[3]), (1.0, 8.0));
    let factors = Tensor::from_vec(factors, 4, &Device::Cpu).unwrap();
    let factors = QTensor::quantize(&factors, GgmlDType::F32).unwrap();
    let more = vec![("rope_freqs.weight".to_owned(), factors)];
    let bytes = gguf_with("llama3", GgmlDType::F32, &|_| (), more);
    let decoder = Llama::from_gguf(&bytes, Architecture::Llama).unwrap();
    let golden = golden("llama3");
    for golden in &golden {
        let found = logits(&decoder, &[&golden.ids]);
        let distance = furthest(&golden.logits, &found[0]);
        assert!(distance < 1e-4, "{distance}");
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

/// The fixture's config with one key set or taken away.
fn configured(family: &str, key: &str, value: &Value) -> Vec<u8> {
    let mut config: Value = serde_json::from_slice(&file(family, "config.json")).unwrap();
    config[key] = value.clone();
    config.to_string().into_bytes()
}

#[test]
fn what_would_be_computed_otherwise_is_refused() {
    let cases = [
        (
            "llama",
            "hidden_act",
            json!("gelu"),
            "computes only \"silu\"",
        ),
        ("llama", "attention_bias", json!(true), "attention_bias"),
        ("llama", "mlp_bias", json!(true), "mlp_bias"),
        ("llama", "model_type", json!("gemma"), "model_type"),
        (
            "llama",
            "quantization_config",
            json!({"bits": 4}),
            "quantization_config",
        ),
        ("llama", "num_attention_heads", json!(0), "heads"),
        ("llama", "num_key_value_heads", json!(3), "evenly"),
        ("llama", "head_dim", json!(7), "even"),
        ("llama", "hidden_size", json!(-1), "hidden_size"),
        ("llama", "vocab_size", json!(1u64 << 60), "no size"),
        ("llama", "vocab_size", json!(64), "shape"),
        ("llama", "num_hidden_layers", json!(1), "does not know"),
        (
            "llama",
            "num_hidden_layers",
            json!(1_000_000),
            "lack the tensor",
        ),
        (
            "llama",
            "rope_parameters",
            json!({"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0}),
            "yarn",
        ),
        (
            "llama",
            "rope_parameters",
            json!({"rope_type": "default", "rope_theta": 0.5}),
            "rope_theta",
        ),
        (
            "llama",
            "rope_parameters",
            json!({"rope_type": "default", "partial_rotary_factor": 0.5}),
            "partial_rotary_factor",
        ),
        (
            "llama3",
            "rope_scaling",
            json!({"rope_type": "llama3", "factor": 8.0}),
            "low_freq_factor",
        ),
        (
            "llama3",
            "rope_scaling",
            json!({"type": "linear", "factor": 2.0}),
            "linear",
        ),
        ("llama3", "tie_word_embeddings", json!(3), "true or false"),
        (
            "qwen2",
            "use_sliding_window",
            json!(true),
            "use_sliding_window",
        ),
        (
            "qwen2",
            "layer_types",
            json!(["full_attention", "sliding_attention"]),
            "layer_types",
        ),
        ("mistral", "sliding_window", json!("wide"), "sliding_window"),
    ];
    for (family, key, value, says) in cases {
        let (_, architecture) = DECODERS
            .into_iter()
            .find(|(name, _)| *name == family)
            .unwrap();
        let config = configured(family, key, &value);
        let weights = file(family, "model.safetensors");
        let error = Llama::from_safetensors(&config, "config.json", architecture, &[&weights]);
        let error = error
            .err()
            .unwrap_or_else(|| panic!("{key} {value}: loaded all the same"));
        assert!(error.to_string().contains(says), "{key} {value}: {error}");
    }
    // Another family's weights.
    let config = file("llama", "config.json");
    let error = Llama::from_safetensors(
        &config,
        "config.json",
        Architecture::Llama,
        &[&file("qwen2", "model.safetensors")],
    );
    assert!(error.is_err());
}

#[test]
fn a_gguf_file_that_is_not_what_it_says_is_refused() {
    type Change = fn(&mut BTreeMap<String, Written>);
    let cases: [(Change, &str); 9] = [
        (
            |v| {
                drop(v.insert(
                    "general.architecture".into(),
                    Written::String("gemma".into()),
                ))
            },
            "gemma",
        ),
        (
            |v| drop(v.remove("llama.block_count")),
            "block_count is missing",
        ),
        (
            |v| drop(v.insert("llama.block_count".into(), Written::String("two".into()))),
            "block_count",
        ),
        (
            |v| drop(v.insert("llama.block_count".into(), Written::U32(1))),
            "does not know",
        ),
        (
            |v| drop(v.insert("llama.attention.scale".into(), Written::F32(0.1))),
            "attention.scale",
        ),
        (
            |v| drop(v.insert("llama.expert_count".into(), Written::U32(8))),
            "experts",
        ),
        (
            |v| {
                drop(v.insert(
                    "llama.rope.scaling.type".into(),
                    Written::String("yarn".into()),
                ))
            },
            "yarn",
        ),
        (
            |v| drop(v.insert("llama.rope.dimension_count".into(), Written::U32(4))),
            "8 wide",
        ),
        (
            |v| drop(v.insert("llama.embedding_length".into(), Written::U32(64))),
            "shape",
        ),
    ];
    for (change, says) in cases {
        let bytes = gguf("llama", GgmlDType::F32, &change);
        let error = Llama::from_gguf(&bytes, Architecture::Llama).err().unwrap();
        assert!(error.to_string().contains(says), "{says}: {error}");
    }
    let bytes = gguf("llama", GgmlDType::F32, &|_| ());
    let error = Llama::from_gguf(&bytes, Architecture::Qwen2).err().unwrap();
    assert!(error.to_string().contains("`llama`"), "{error}");
    for end in [0, 3, 4, 20, 300, bytes.len() - 1] {
        assert!(
            Llama::from_gguf(&bytes[..end], Architecture::Llama).is_err(),
            "{end}"
        );
    }
}
