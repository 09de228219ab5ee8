//! Decoders that would be computed otherwise than they say, and files that are none: each is refused with what is wrong.

use std::collections::BTreeMap;

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value as Written;
use serde_json::{Value, json};
use tidings::model::decoder::Llama;
use tidings::model::manifest::Architecture;

use super::{DECODERS, file, gguf};

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
