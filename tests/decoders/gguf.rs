//! GGUF files of the fixtures, and what they answer.

use std::collections::BTreeMap;

use candle_core::quantized::gguf_file::{self, Value as Written};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use serde_json::Value;
use tidings::model::decoder::Llama;
use tidings::model::manifest::Architecture;

use super::{file, furthest, golden, logits, tensors};

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
    gguf_with(family, &|tensor| stored(tensor, dtype), change, Vec::new())
}

fn stored(matrix: &Tensor, dtype: GgmlDType) -> QTensor {
    QTensor::quantize(matrix, dtype).unwrap()
}

/// The same with matrices as `store` makes them, and further tensors.
fn gguf_with(
    family: &str,
    store: &dyn Fn(&Tensor) -> QTensor,
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
            let tensor = match tensor.rank() {
                2 => store(&tensor),
                _ => stored(&tensor, GgmlDType::F32),
            };
            (gguf_name(&name), tensor)
        })
        .collect();
    let tensors: Vec<(String, QTensor)> = tensors.into_iter().chain(more).collect();
    write(&values, &tensors)
}

pub(super) fn write(values: &BTreeMap<String, Written>, tensors: &[(String, QTensor)]) -> Vec<u8> {
    let values: Vec<(&str, &Written)> = values.iter().map(|(n, v)| (&**n, v)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(n, t)| (&**n, t)).collect();
    let mut out = std::io::Cursor::new(Vec::new());
    gguf_file::write(&mut out, &values, &tensors).unwrap();
    out.into_inner()
}

#[test]
fn gguf_files_are_the_model_and_blocks_are_what_they_spread_out_to() {
    for (family, architecture) in [
        ("llama", Architecture::Llama),
        ("qwen2", Architecture::Qwen2),
        ("qwen3", Architecture::Qwen3),
    ] {
        let golden = golden(family);
        let ids: Vec<&[u32]> = golden.iter().map(|g| &g.ids[..]).collect();
        let answers = |file: &[u8]| logits(&Llama::from_gguf(file, architecture).unwrap(), &ids);
        for (golden, found) in golden
            .iter()
            .zip(answers(&gguf(family, GgmlDType::F32, &|_| ())))
        {
            let distance = furthest(&golden.logits, &found);
            assert!(distance < 1e-4, "{family}: {distance}");
        }
        for dtype in [
            GgmlDType::BF16,
            GgmlDType::F16,
            GgmlDType::Q8_0,
            GgmlDType::Q4_0,
            GgmlDType::Q4_1,
            GgmlDType::Q5_0,
            GgmlDType::Q5_1,
        ] {
            // As candle spreads them out.
            let spread = |matrix: &Tensor| {
                let floats = stored(matrix, dtype).dequantize(&Device::Cpu).unwrap();
                stored(&floats, GgmlDType::F32)
            };
            let spread = gguf_with(family, &spread, &|_| (), Vec::new());
            let blocks = gguf(family, dtype, &|_| ());
            // Where they meet blocks, rows become bytes with a scale for each 32 numbers: each number is off by up to half a step of 127. In
            // these models of random weights, whose logits reach 5, that comes to 0.1 as a rule and to 0.51 at most; a wrong scale, sign
            // or order comes to several.
            let most = if dtype.block_size() > 1 { 0.8 } else { 1e-4 };
            for (spread, found) in answers(&spread).iter().zip(answers(&blocks)) {
                let distance = furthest(spread, &found);
                assert!(distance < most, "{family} {dtype:?}: {distance}");
                let apart = spread.iter().zip(&found).map(|(a, b)| (a - b).powi(2));
                let usual = (apart.sum::<f32>() / found.len() as f32).sqrt();
                assert!(usual < most / 4.0, "{family} {dtype:?}: {usual}");
            }
            // Blocks of few bits lose something, so that there is something to compare.
            let loses = dtype.block_size() > 1;
            let floats = gguf(family, GgmlDType::F32, &|_| ());
            assert!(
                !loses || answers(&blocks) != answers(&floats),
                "{family} {dtype:?}"
            );
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
    let bytes = gguf_with("llama3", &|t| stored(t, GgmlDType::F32), &|_| (), more);
    let decoder = Llama::from_gguf(&bytes, Architecture::Llama).unwrap();
    let golden = golden("llama3");
    for golden in &golden {
        let found = logits(&decoder, &[&golden.ids]);
        let distance = furthest(&golden.logits, &found[0]);
        assert!(distance < 1e-4, "{distance}");
    }
}
