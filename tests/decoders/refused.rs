//! Decoders that would be computed otherwise than they say, and files that are none: each is refused with what is wrong.

use std::cell::RefCell;
use std::collections::BTreeMap;

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value as Written;
use serde_json::{Value, json};
use tidings::decode::Decoder;
use tidings::model::decoder::Llama;
use tidings::model::manifest::Architecture;

use super::{DECODERS, GGUF, architecture, file, gguf, logits};

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
            json!({"type": "dynamic", "factor": 2.0}),
            "dynamic",
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
        (
            "llama",
            "rope_scaling",
            json!({"type": "linear", "factor": 2.0}),
            "say two things",
        ),
        (
            "llama",
            "rope_parameters",
            json!({"rope_type": "longrope", "rope_theta": 1e4}),
            "longrope",
        ),
        ("gemma3", "model_type", json!("gemma2"), "gemma3_text"),
        (
            "gemma3",
            "hidden_activation",
            json!("gelu"),
            "gelu_pytorch_tanh",
        ),
        (
            "gemma3",
            "final_logit_softcapping",
            json!(30.0),
            "final_logit_softcapping",
        ),
        (
            "gemma3",
            "attn_logit_softcapping",
            json!(50.0),
            "attn_logit_softcapping",
        ),
        (
            "gemma3",
            "use_bidirectional_attention",
            json!(true),
            "use_bidirectional_attention",
        ),
        (
            "gemma3",
            "query_pre_attn_scalar",
            json!(0),
            "query_pre_attn_scalar",
        ),
        ("gemma3", "tie_word_embeddings", json!(false), "lm_head"),
        ("gemma3", "sliding_window", json!(null), "sliding_window"),
        ("gemma3", "sliding_window", json!(0), "sliding_window"),
        (
            "gemma3",
            "sliding_window_pattern",
            json!(2),
            "sliding_window_pattern 2",
        ),
        (
            "gemma3",
            "sliding_window_pattern",
            json!(0),
            "sliding_window_pattern",
        ),
        (
            "gemma3",
            "layer_types",
            json!(["full_attention", "full_attention"]),
            "each of 6 layers",
        ),
        (
            "gemma3",
            "layer_types",
            json!(vec!["chunked_attention"; 6]),
            "each of 6 layers",
        ),
        (
            "gemma3",
            "rope_parameters",
            json!({"rope_type": "default", "rope_theta": 1e4}),
            "full_attention and sliding_attention",
        ),
        (
            "gemma3",
            "rope_parameters",
            json!({"full_attention": {"rope_type": "linear"}}),
            "factor",
        ),
        (
            "phi4",
            "original_max_position_embeddings",
            json!(2048),
            "among the rotary settings another",
        ),
        (
            "phi4",
            "rope_parameters",
            json!({"rope_type": "longrope", "partial_rotary_factor": 0.75, "long_factor": [1, 2, 3], "short_factor": [1, 2]}),
            "short_factor is no list of 3 numbers",
        ),
        (
            "phi4",
            "rope_parameters",
            json!({"rope_type": "longrope", "partial_rotary_factor": 0.75, "long_factor": [1, -2, 3], "short_factor": [1, 2, 3]}),
            "long_factor is no list of 3 numbers",
        ),
        (
            "phi4",
            "rope_parameters",
            json!({"rope_type": "default", "partial_rotary_factor": 0.4}),
            "turns 3 of a head's 8",
        ),
        (
            "phi4",
            "rope_parameters",
            json!({"rope_type": "default", "partial_rotary_factor": 2.0}),
            "turns 16 of a head's 8",
        ),
        (
            "phi4",
            "rope_parameters",
            json!({"rope_type": "llama3"}),
            "factor",
        ),
        ("phi3", "lm_head_bias", json!(true), "lm_head_bias"),
        ("phi3", "num_key_value_heads", json!(1), "shape"),
        ("phi3", "sliding_window", json!(-1), "sliding_window"),
        (
            "smollm3",
            "no_rope_layers",
            json!([1, 1, 1]),
            "each of 4 layers",
        ),
        (
            "smollm3",
            "no_rope_layers",
            json!([1, 1, 1, 2]),
            "each of 4 layers",
        ),
        (
            "smollm3",
            "use_sliding_window",
            json!(true),
            "use_sliding_window",
        ),
        (
            "smollm3",
            "rope_parameters",
            json!({"rope_type": "yarn", "factor": 2.0}),
            "yarn",
        ),
    ];
    for (family, key, value, says) in cases {
        let architecture = architecture(family);
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

/// What no key may hold, whatever it means.
fn hostile() -> Vec<Value> {
    let deep = json!({"full_attention": {"rope_type": []}, "rope_type": {}, "rope_theta": "x", "factor": null});
    let most = [
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1u64 << 24),
        json!(1e308),
        json!(-1e-308),
    ];
    let small = [
        json!(null),
        json!(0),
        json!(-1),
        json!(0.5),
        json!(true),
        json!("x"),
        json!([]),
        json!(vec![1; 9]),
        json!({}),
    ];
    [&most[..], &small, &[deep]].concat()
}

#[test]
fn no_value_of_any_key_makes_a_decoder_fall() {
    for (family, architecture) in DECODERS {
        let weights = file(family, "model.safetensors");
        let config: Value = serde_json::from_slice(&file(family, "config.json")).unwrap();
        // Every key, those of the rotary settings too.
        let mut places = Vec::new();
        let mut inside = vec![String::new()];
        while let Some(at) = inside.pop() {
            for (key, value) in config.pointer(&at).and_then(Value::as_object).unwrap() {
                let at = format!("{at}/{key}");
                if value.is_object() {
                    inside.push(at.clone());
                }
                places.push(at);
            }
        }
        let mut loaded = 0;
        for place in &places {
            for value in hostile() {
                let mut config = config.clone();
                *config.pointer_mut(place).unwrap() = value;
                let config = config.to_string();
                let decoder = Llama::from_safetensors(
                    config.as_bytes(),
                    "config.json",
                    architecture,
                    &[&weights],
                );
                if let Ok(decoder) = decoder
                    && decoder.context() > 9
                {
                    logits(&decoder, &[&[5, 6, 7], &[8; 9]]);
                    loaded += 1;
                }
            }
        }
        assert!(loaded > places.len(), "{family}: {loaded}");
    }
}

#[test]
fn no_value_of_a_gguf_file_makes_a_decoder_fall() {
    let hostile = [
        Written::U64(u64::MAX),
        Written::I64(-1),
        Written::U32(0),
        Written::U32(1 << 24),
        Written::F32(f32::NAN),
        Written::F32(f32::MIN_POSITIVE),
        Written::String("x".to_owned()),
        Written::Array([true; 9].map(Written::Bool).to_vec()),
    ];
    for family in GGUF {
        let names = RefCell::new(Vec::new());
        gguf(family, GgmlDType::F32, &|values| {
            let own = values.keys().filter(|key| !key.starts_with("tokenizer."));
            names.borrow_mut().extend(own.cloned());
        });
        let names = names.into_inner();
        assert!(names.len() > 8);
        for (name, value) in names
            .iter()
            .flat_map(|n| hostile.iter().map(move |v| (n, v)))
        {
            let bytes = gguf(family, GgmlDType::F32, &|values| {
                drop(values.insert(name.clone(), value.clone()));
            });
            let decoder = Llama::from_gguf(&bytes, architecture(family));
            if let Ok(decoder) = decoder
                && decoder.context() > 9
            {
                logits(&decoder, &[&[5, 6, 7], &[8; 9]]);
            }
        }
    }
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
    let set = |key: &str, value: Written| {
        let (key, value) = (key.to_owned(), value);
        move |v: &mut BTreeMap<String, Written>| drop(v.insert(key.clone(), value.clone()))
    };
    let cases = [
        (
            "gemma3",
            set("gemma3.final_logit_softcapping", Written::F32(30.0)),
            "final_logit_softcapping",
        ),
        (
            "gemma3",
            set("gemma3.vision.block_count", Written::U32(2)),
            "vision.block_count",
        ),
        (
            "gemma3",
            set("gemma3.rope.scaling.factor", Written::F32(0.0)),
            "scaling.factor",
        ),
        (
            "gemma3",
            set("gemma3.rope.freq_base_swa", Written::F32(-1.0)),
            "freq_base_swa",
        ),
        (
            "llama",
            set("llama.rope.freq_base_swa", Written::F32(100.0)),
            "freq_base_swa",
        ),
        (
            "phi4",
            set("phi3.rope.dimension_count", Written::U32(5)),
            "8 wide",
        ),
        (
            "phi4",
            set("phi3.rope.dimension_count", Written::U32(0)),
            "shape",
        ),
        (
            "phi4",
            set("phi3.rope.dimension_count", Written::U32(4)),
            "shape",
        ),
        (
            "phi3",
            set("phi3.rope.scaling.type", Written::String("longrope".into())),
            "longrope",
        ),
        (
            "phi3",
            set("phi3.rope.dimension_count", Written::U32(0)),
            "frequencies",
        ),
        (
            "smollm3",
            set("smollm3.no_rope_layer_interval", Written::U32(2)),
            "does not know",
        ),
    ];
    for (family, change, says) in &cases {
        let bytes = gguf(family, GgmlDType::F32, change);
        let error = Llama::from_gguf(&bytes, architecture(family))
            .err()
            .unwrap();
        assert!(error.to_string().contains(says), "{says}: {error}");
    }
    let gone = |v: &mut BTreeMap<String, Written>| {
        drop(v.remove("phi3.rope.scaling.original_context_length"));
    };
    let bytes = gguf("phi4", GgmlDType::F32, &gone);
    let error = Llama::from_gguf(&bytes, Architecture::Phi3).err().unwrap();
    assert!(
        error.to_string().contains("original_context_length"),
        "{error}"
    );
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
