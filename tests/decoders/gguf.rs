//! GGUF files of the fixtures, and what they answer.

use std::collections::BTreeMap;

use candle_core::quantized::gguf_file::{self, Value as Written};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use serde_json::Value;
use tidings::model::decoder::Llama;
use tidings::model::manifest::Architecture;

use super::{architecture, file, furthest, golden, logits, tensors};

/// Families whose GGUF files are made; Mistral's are Llama's, and Llama 3's have a test of their own.
pub const GGUF: [&str; 7] = [
    "llama", "qwen2", "qwen3", "gemma3", "phi3", "phi4", "smollm3",
];

/// What GGUF files call a tensor of safetensors.
fn gguf_name(name: &str, architecture: &str) -> String {
    let (second, third) = match architecture {
        "gemma3" => ("post_attention_norm", "ffn_norm"),
        _ => ("ffn_norm", ""),
    };
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
        ("self_attn.qkv_proj", "attn_qkv"),
        ("self_attn.o_proj", "attn_output"),
        ("post_attention_layernorm", second),
        ("pre_feedforward_layernorm", third),
        ("post_feedforward_layernorm", "post_ffw_norm"),
        ("input_layernorm", "attn_norm"),
        ("mlp.gate_up_proj", "ffn_up"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ]
    .iter()
    .fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}

type Named<T> = Vec<(String, T)>;

/// Values that llama.cpp's converters write for some architectures alone, and tensors that they add.
fn apart(config: &Value, architecture: &str) -> (Named<Written>, Named<QTensor>) {
    let rope = &config["rope_parameters"];
    let float = |value: &Value| Written::F32(value.as_f64().unwrap() as f32);
    let count = |value: &Value| Written::U32(value.as_u64().unwrap_or(0) as u32);
    let text = |text: &str| Written::String(text.to_owned());
    let (mut values, mut tensors) = (Vec::new(), Vec::new());
    match architecture {
        "gemma3" => {
            let global = &rope["full_attention"];
            values.extend([
                ("rope.scaling.type", text("linear")),
                ("rope.scaling.factor", float(&global["factor"])),
                (
                    "rope.freq_base_swa",
                    float(&rope["sliding_attention"]["rope_theta"]),
                ),
                ("attention.sliding_window", count(&config["sliding_window"])),
            ]);
        }
        "phi3" => {
            let heads = config["num_attention_heads"].as_f64().unwrap();
            let head = config["hidden_size"].as_f64().unwrap() / heads;
            let turned = head * rope["partial_rotary_factor"].as_f64().unwrap();
            let original = &config["original_max_position_embeddings"];
            values.extend([
                ("rope.dimension_count", Written::U32(turned as u32)),
                ("rope.scaling.original_context_length", count(original)),
                ("attention.sliding_window", count(&config["sliding_window"])),
            ]);
            if rope["rope_type"] == "longrope" {
                let context = config["max_position_embeddings"].as_f64().unwrap();
                let original = original.as_f64().unwrap();
                let scale = (1.0 + (context / original).ln() / original.ln()).sqrt();
                values.push(("rope.scaling.attn_factor", Written::F32(scale as f32)));
                for kind in ["long", "short"] {
                    let list = rope[format!("{kind}_factor")].as_array().unwrap();
                    let list: Vec<f32> = list.iter().map(|v| v.as_f64().unwrap() as f32).collect();
                    let tensor = Tensor::new(list, &Device::Cpu).unwrap();
                    let name = format!("rope_factors_{kind}.weight");
                    tensors.push((name, stored(&tensor, GgmlDType::F32)));
                }
            }
        }
        // Nothing: that one layer in four is not turned is the architecture's own.
        _ => {}
    }
    if let Some(theta) = rope["rope_theta"].as_f64() {
        values.push(("rope.freq_base", Written::F32(theta as f32)));
    }
    let named = values.into_iter();
    let values = named.map(|(key, value)| (format!("{architecture}.{key}"), value));
    (values.collect(), tensors)
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

/// As `dtype`, if its rows are whole blocks.
fn stored(tensor: &Tensor, dtype: GgmlDType) -> QTensor {
    let columns = *tensor.dims().last().unwrap();
    let dtype = match columns.is_multiple_of(dtype.block_size()) {
        true => dtype,
        false => GgmlDType::F32,
    };
    QTensor::quantize(tensor, dtype).unwrap()
}

/// The same with matrices as `store` makes them, and further tensors.
fn gguf_with(
    family: &str,
    store: &dyn Fn(&Tensor) -> QTensor,
    change: &dyn Fn(&mut BTreeMap<String, Written>),
    more: Vec<(String, QTensor)>,
) -> Vec<u8> {
    let config: Value = serde_json::from_slice(&file(family, "config.json")).unwrap();
    let architecture = match config["model_type"].as_str().unwrap() {
        "gemma3_text" => "gemma3",
        other => other,
    };
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
    let (own, added) = apart(&config, architecture);
    values.extend(own);
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
    let (model, pre) = match architecture {
        "gemma3" => ("llama", "default"),
        _ => ("gpt2", "gpt-2"),
    };
    for (key, value) in [
        ("ggml.model", text(model)),
        ("ggml.pre", text(pre)),
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
                "llama" | "smollm3" if name.contains("q_proj") => {
                    permuted(&tensor, heads("num_attention_heads"))
                }
                "llama" | "smollm3" if name.contains("k_proj") => {
                    permuted(&tensor, heads("num_key_value_heads"))
                }
                // The 1 that Gemma adds; and queries as a file has them whose query_pre_attn_scalar is a head's width.
                "gemma3" if name.contains("norm") => {
                    let scale = match name.contains("q_norm") {
                        true => (8.0 / config["query_pre_attn_scalar"].as_f64().unwrap()).sqrt(),
                        false => 1.0,
                    };
                    tensor.affine(scale, scale).unwrap()
                }
                _ => tensor,
            };
            let tensor = match tensor.rank() {
                2 => store(&tensor),
                _ => stored(&tensor, GgmlDType::F32),
            };
            (gguf_name(&name, architecture), tensor)
        })
        .collect();
    let tensors: Vec<(String, QTensor)> = tensors.into_iter().chain(added).chain(more).collect();
    write(&values, &tensors)
}

pub fn write(values: &BTreeMap<String, Written>, tensors: &[(String, QTensor)]) -> Vec<u8> {
    let values: Vec<(&str, &Written)> = values.iter().map(|(n, v)| (&**n, v)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(n, t)| (&**n, t)).collect();
    let mut out = std::io::Cursor::new(Vec::new());
    gguf_file::write(&mut out, &values, &tensors).unwrap();
    out.into_inner()
}

#[test]
fn gguf_files_are_the_model_and_blocks_are_what_they_spread_out_to() {
    for family in GGUF {
        let architecture = architecture(family);
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

#[test]
fn a_gemma_without_what_is_usual_is_the_same_gemma() {
    let key = "gemma3.attention.sliding_window_pattern";
    let load = |change: &dyn Fn(&mut BTreeMap<String, Written>)| {
        let file = gguf("gemma3", GgmlDType::F32, change);
        Llama::from_gguf(&file, Architecture::Gemma3)
    };
    let ids = &golden("gemma3")[6].ids;
    let said = logits(&load(&|_| ()).unwrap(), &[ids]);
    let flags = |last| {
        let flags = [true, true, true, true, true, last];
        Written::Array(flags.map(Written::Bool).to_vec())
    };
    for (pattern, same) in [
        (Written::U32(6), true),
        (Written::U32(3), false),
        (flags(false), true),
        (flags(true), false),
    ] {
        let other = load(&|v| drop(v.insert(key.to_owned(), pattern.clone()))).unwrap();
        assert_eq!(logits(&other, &[ids]) == said, same, "{pattern:?}");
    }
    // Without a window all layers see everything, and by the frequencies of those that always did.
    let wide = load(&|v| drop(v.remove("gemma3.attention.sliding_window"))).unwrap();
    assert_ne!(logits(&wide, &[ids]), said);
    for (pattern, says) in [
        (Written::U32(0), "sliding_window_pattern"),
        (
            Written::Array(vec![Written::Bool(true)]),
            "each of 6 layers",
        ),
        (Written::String("x".to_owned()), "sliding_window_pattern"),
    ] {
        let error = load(&|v| drop(v.insert(key.to_owned(), pattern.clone())));
        let error = error.err().unwrap().to_string();
        assert!(error.contains(says), "{error}");
    }
}
