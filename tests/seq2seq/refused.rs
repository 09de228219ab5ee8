//! Summarisers that would be computed or would write otherwise than their files say, and files that are none: each is refused with what is
//! wrong.

use std::fs;

use assert_cmd::Command;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use tidings::model::manifest::Architecture;
use tidings::model::seq2seq::Seq2Seq;
use tidings::{Device, Engine, Files, Model};

use super::{FAMILIES, copy, file, folder, summariser};

/// The fixture's config with one key set.
fn configured(family: &str, key: &str, value: &Value) -> Vec<u8> {
    let mut config: Value = serde_json::from_slice(&file(family, "config.json")).unwrap();
    config[key] = value.clone();
    config.to_string().into_bytes()
}

fn architecture(family: &str) -> Architecture {
    let found = FAMILIES.into_iter().find(|(name, _)| *name == family);
    found.unwrap().1
}

fn error(family: &str, config: &[u8], weights: &[u8]) -> Option<String> {
    let model = Seq2Seq::from_safetensors(config, "config.json", architecture(family), &[weights]);
    model.err().map(|e| e.to_string())
}

#[test]
fn what_would_be_computed_otherwise_is_refused() {
    let huge = json!(1u64 << 60);
    let cases = [
        (
            "t5",
            "feed_forward_proj",
            json!("tanh"),
            "feed_forward_proj",
        ),
        (
            "t5",
            "feed_forward_proj",
            json!("gated-gelu"),
            "is_gated_act",
        ),
        ("t5", "feed_forward_proj", json!(7), "feed_forward_proj"),
        ("t5", "is_gated_act", json!(true), "is_gated_act"),
        ("t5", "model_type", json!("umt5"), "model_type"),
        (
            "t5",
            "is_encoder_decoder",
            json!(false),
            "is_encoder_decoder",
        ),
        (
            "t5",
            "quantization_config",
            json!({"bits": 4}),
            "quantization",
        ),
        ("t5", "num_layers", json!(1), "does not know"),
        ("t5", "num_layers", json!(1_000_000), "lack the tensor"),
        ("t5", "num_layers", json!(0), "num_layers"),
        ("t5", "num_decoder_layers", json!(3), "lack the tensor"),
        ("t5", "num_heads", json!(3), "shape"),
        ("t5", "d_kv", json!(1 << 24), "shape"),
        ("t5", "d_kv", huge.clone(), "d_kv"),
        ("t5", "d_model", json!(-24), "d_model"),
        ("t5", "vocab_size", json!(64), "shape"),
        (
            "t5",
            "tie_word_embeddings",
            json!("no"),
            "tie_word_embeddings",
        ),
        (
            "t5",
            "relative_attention_num_buckets",
            json!(2),
            "relative_attention_num_buckets",
        ),
        ("t5", "relative_attention_num_buckets", json!(16), "shape"),
        (
            "t5",
            "relative_attention_max_distance",
            json!(8),
            "relative_attention_max_distance",
        ),
        (
            "flan",
            "layer_norm_epsilon",
            json!("small"),
            "layer_norm_epsilon",
        ),
        ("flan", "d_ff", huge.clone(), "d_ff"),
        (
            "bart",
            "activation_function",
            json!("quick_gelu"),
            "quick_gelu",
        ),
        (
            "bart",
            "activation_function",
            json!(1),
            "activation_function",
        ),
        ("bart", "normalize_before", json!(true), "normalize_before"),
        ("bart", "scale_embedding", json!(1), "scale_embedding"),
        ("bart", "encoder_attention_heads", json!(7), "7 heads"),
        ("bart", "decoder_layers", json!(2), "lack the tensor"),
        ("bart", "encoder_layers", json!(1), "does not know"),
        ("bart", "max_position_embeddings", json!(100), "shape"),
        (
            "bart",
            "max_position_embeddings",
            json!(1 << 24),
            "is the most",
        ),
        ("bart", "encoder_ffn_dim", json!(1 << 24), "shape"),
        (
            "pegasus",
            "static_position_embeddings",
            json!(false),
            "static",
        ),
        ("pegasus", "d_model", json!(1 << 20), "shape"),
        ("pegasus", "max_position_embeddings", huge, "max_position"),
        ("pegasus", "max_position_embeddings", json!(128), "shape"),
        ("pegasus", "model_type", json!("bart"), "model_type"),
    ];
    for (family, key, value, says) in cases {
        let config = configured(family, key, &value);
        let error = error(family, &config, &file(family, "model.safetensors"));
        let error = error.unwrap_or_else(|| panic!("{family} {key} {value}: loaded all the same"));
        assert!(error.contains(says), "{family} {key} {value}: {error}");
    }
    // Other families' weights.
    for (family, other) in [("bart", "pegasus"), ("pegasus", "bart"), ("t5", "flan")] {
        let config = file(family, "config.json");
        assert!(error(family, &config, &file(other, "model.safetensors")).is_some());
    }
    let none = Seq2Seq::from_safetensors(b"[]", "config.json", Architecture::T5, &[&[]]);
    assert!(none.is_err());
}

/// The weights with each tensor as `change` leaves it.
fn weights(family: &str, change: impl Fn(&str, &mut Vec<usize>, &mut Vec<u8>) -> bool) -> Vec<u8> {
    let bytes = file(family, "model.safetensors");
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut kept = Vec::new();
    for (name, view) in tensors.tensors() {
        let (mut shape, mut data) = (view.shape().to_vec(), view.data().to_vec());
        if change(&name, &mut shape, &mut data) {
            kept.push((name, view.dtype(), shape, data));
        }
    }
    let views = kept.iter().map(|(name, dtype, shape, data)| {
        let view = TensorView::new(*dtype, shape.clone(), data).unwrap();
        (name, view)
    });
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn each_tensor_has_to_be_there_of_its_shape_and_of_numbers() {
    for (family, _) in FAMILIES {
        let config = file(family, "config.json");
        let bytes = file(family, "model.safetensors");
        let names: Vec<String> = SafeTensors::deserialize(&bytes)
            .unwrap()
            .names()
            .into_iter()
            .map(str::to_owned)
            .collect();
        for name in &names {
            // These a model may be without: a bias, and a table of sines.
            let sines = family == "pegasus" && name.contains("embed_positions");
            let may_lack = sines || name == "final_logits_bias";
            let without = weights(family, |n, _, _| n != name);
            let found = error(family, &config, &without);
            assert_eq!(found.is_none(), may_lack, "{family} {name}: {found:?}");
            let turned = weights(family, |n, shape, _| {
                if n == name {
                    shape.push(1);
                }
                true
            });
            let found = error(family, &config, &turned).unwrap();
            assert!(found.contains("shape") && found.contains(name), "{found}");
            let odd = weights(family, |n, _, data| {
                if n == name {
                    let end = data.len() - 2;
                    data[end..].copy_from_slice(&[0xff, 0xff]);
                }
                true
            });
            let found = error(family, &config, &odd).unwrap();
            assert!(found.contains(name), "{found}");
        }
        for end in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
            assert!(error(family, &config, &bytes[..end]).is_some());
        }
    }
}

#[test]
fn tables_that_are_there_twice_have_to_be_the_same() {
    let bytes = file("bart", "model.safetensors");
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let words = tensors.tensor("model.shared.weight").unwrap();
    let other: Vec<u8> = words.data().iter().rev().map(|b| b & 0x3f).collect();
    let other = TensorView::new(words.dtype(), words.shape().to_vec(), &other).unwrap();
    let with = |name: &str, view: &TensorView<'_>| {
        let mut all = tensors.tensors();
        all.push((name.to_owned(), view.clone()));
        safetensors::serialize(all, None).unwrap()
    };
    let config = file("bart", "config.json");
    let table = "model.encoder.embed_tokens.weight";
    assert_eq!(error("bart", &config, &with(table, &words)), None);
    let found = error("bart", &config, &with(table, &other)).unwrap();
    assert!(found.contains("differ"), "{found}");
    // An output of its own is one.
    assert_eq!(
        error("bart", &config, &with("lm_head.weight", &words)),
        None
    );
    assert_eq!(
        error("bart", &config, &with("lm_head.weight", &other)),
        None
    );
}

#[test]
fn a_folder_that_would_write_otherwise_or_lacks_something_is_refused() {
    let refused = |family: &str, name: &str, change: &dyn Fn(&mut Value)| {
        let copy = copy(family);
        let path = copy.path().join(name);
        let mut value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut value);
        fs::write(&path, value.to_string()).unwrap();
        summariser(copy.path()).err().map(|e| e.to_string())
    };
    let own = "generation_config.json";
    for (key, value) in [
        ("do_sample", json!(true)),
        ("bad_words_ids", json!([[4]])),
        ("max_length", json!(100_000)),
        ("max_length", json!(321)),
        ("eos_token_id", json!(5000)),
        ("num_beams", json!(1_000_000)),
        ("something_new", json!(1)),
    ] {
        let error = refused("bart", own, &|own| own[key] = value.clone()).unwrap();
        assert!(error.contains(key), "{error}");
    }
    let error = refused("t5", "config.json", &|config| {
        config["task_specific_params"]["summarization"]["repetition_penalty"] = json!(2.5);
    });
    assert!(error.unwrap().contains("repetition_penalty"));
    // A longer vocabulary than the model's.
    let error = refused("flan", "tokenizer.json", &|tokenizer| {
        let words = tokenizer["model"]["vocab"].as_array_mut().unwrap();
        words.push(json!(["zebra", -3.0]));
    });
    assert!(error.unwrap().contains("zebra"));
    let error = refused("bart", "config.json", &|config| {
        config["max_position_embeddings"] = json!(16);
    });
    assert!(error.is_some());
    for (name, says) in [
        ("tokenizer.json", "tokenizer.json"),
        ("model.safetensors", "model.safetensors"),
    ] {
        let copy = copy("pegasus");
        fs::remove_file(copy.path().join(name)).unwrap();
        let error = summariser(copy.path()).err().unwrap().to_string();
        assert!(error.contains(says), "{error}");
    }
    // Without its own file, what config.json and transformers say.
    let copy = copy("bart");
    fs::remove_file(copy.path().join(own)).unwrap();
    let usual = summariser(copy.path()).unwrap();
    assert_eq!(
        (usual.generation().start, usual.generation().stop.length),
        (2, 20)
    );
    for bytes in [&b"{"[..], b"[]", b"\xff\xfe", b""] {
        fs::write(copy.path().join(own), bytes).unwrap();
        assert!(summariser(copy.path()).is_err());
    }
}

#[test]
fn weights_whose_numbers_overflow_are_an_error_and_no_summary() {
    let copy = copy("t5");
    let huge = weights("t5", |name, _, data| {
        if name.ends_with("wo.weight") {
            data.chunks_exact_mut(4)
                .for_each(|number| number.copy_from_slice(&3e38f32.to_le_bytes()));
        }
        true
    });
    fs::write(copy.path().join("model.safetensors"), huge).unwrap();
    let error = summariser(copy.path()).unwrap().write(&["Rain fell."], 100);
    assert!(error.unwrap_err().to_string().contains("overflow"));
}

#[test]
fn a_summariser_is_asked_for_no_stance_and_a_model_of_stance_for_no_summary() {
    for (family, _) in FAMILIES {
        let files = Files::open(folder(family).to_str().unwrap()).unwrap();
        let error = Model::load(&files, Device::Cpu, Engine::Native)
            .err()
            .unwrap();
        assert!(error.to_string().contains("is a summariser"), "{error}");
        let output = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .args(["classify", "--model", folder(family).to_str().unwrap()])
            .write_stdin("Rain fell on the valley.")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("is a summariser"), "{said}");
    }
    let files = Files::open("stance-en-small").unwrap();
    let error = super::Summariser::load(&files).err().unwrap().to_string();
    assert!(error.contains("summary-seq2seq"), "{error}");
}
