//! Decoders that would be computed otherwise than they say, and files that are none: each is refused with what is wrong.

use std::cell::RefCell;

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
    let text = |text: &str| Some(Written::String(text.to_owned()));
    let (whole, float) = (|n| Some(Written::U32(n)), |x| Some(Written::F32(x)));
    // A value, or that it is gone.
    for (family, key, value, says) in [
        ("llama", "general.architecture", text("gemma"), "gemma"),
        ("llama", "llama.block_count", None, "block_count is missing"),
        ("llama", "llama.block_count", text("two"), "block_count"),
        ("llama", "llama.block_count", whole(1), "does not know"),
        (
            "llama",
            "llama.attention.scale",
            float(0.1),
            "attention.scale",
        ),
        ("llama", "llama.expert_count", whole(8), "experts"),
        ("llama", "llama.rope.scaling.type", text("yarn"), "yarn"),
        ("llama", "llama.rope.dimension_count", whole(4), "8 wide"),
        ("llama", "llama.embedding_length", whole(64), "shape"),
        (
            "llama",
            "llama.rope.freq_base_swa",
            float(100.0),
            "freq_base_swa",
        ),
        (
            "gemma3",
            "gemma3.final_logit_softcapping",
            float(30.0),
            "final_logit_softcapping",
        ),
        (
            "gemma3",
            "gemma3.vision.block_count",
            whole(2),
            "vision.block_count",
        ),
        (
            "gemma3",
            "gemma3.rope.scaling.factor",
            float(0.0),
            "scaling.factor",
        ),
        (
            "gemma3",
            "gemma3.rope.freq_base_swa",
            float(-1.0),
            "freq_base_swa",
        ),
        ("phi4", "phi3.rope.dimension_count", whole(5), "8 wide"),
        ("phi4", "phi3.rope.dimension_count", whole(0), "shape"),
        ("phi4", "phi3.rope.dimension_count", whole(4), "shape"),
        (
            "phi4",
            "phi3.rope.scaling.original_context_length",
            None,
            "original_context_length",
        ),
        (
            "phi3",
            "phi3.rope.scaling.type",
            text("longrope"),
            "longrope",
        ),
        ("phi3", "phi3.rope.dimension_count", whole(0), "frequencies"),
        (
            "smollm3",
            "smollm3.no_rope_layer_interval",
            whole(2),
            "does not know",
        ),
    ] {
        let bytes = gguf(family, GgmlDType::F32, &|values| {
            match &value {
                Some(value) => values.insert(key.to_owned(), value.clone()),
                None => values.remove(key),
            };
        });
        let error = Llama::from_gguf(&bytes, architecture(family))
            .err()
            .unwrap();
        assert!(error.to_string().contains(says), "{key}, {says}: {error}");
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

#[test]
fn tensors_that_lie_one_over_the_other_are_refused() {
    let mut bytes = gguf("llama", GgmlDType::F32, &|_| ());
    // Each tensor's offset stands after its name, its dimensions and its type.
    let offsets = bytes
        .windows(7)
        .enumerate()
        .filter(|(_, name)| name == b".weight");
    let offsets = offsets.map(|(at, _)| {
        let at = at + 7;
        at + 4 + 8 * usize::from(bytes[at]) + 4
    });
    let at = |place: usize| u64::from_le_bytes(bytes[place..place + 8].try_into().unwrap());
    let last = offsets.max_by_key(|place| at(*place)).unwrap();
    // The last one lies over the first, and its own bytes are gone: all sizes together are more than the file has.
    bytes[last..last + 8].fill(0);
    bytes.truncate(bytes.len() - 32);
    let error = Llama::from_gguf(&bytes, Architecture::Llama).err().unwrap();
    assert!(error.to_string().contains("one over the other"), "{error}");
}
