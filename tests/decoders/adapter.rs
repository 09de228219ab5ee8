//! Adapters: low-rank matrices beside a decoder's products, against transformers with the weights that they make together.

use serde_json::{Value, json};
use tidings::model::decoder::Llama;
use tidings::model::manifest::Architecture;

use super::{file, furthest, golden, load, logits, stop};
use crate::decoders::gguf;
use candle_core::quantized::GgmlDType;
use tidings::decode::greedy;

const CONFIG: &str = "adapter_config.json";

fn adapted(mut decoder: Llama) -> Llama {
    let weights = file("adapter", "adapter_model.safetensors");
    decoder.adapt(&file("adapter", CONFIG), &weights).unwrap();
    decoder
}

fn refused(config: &Value) -> String {
    let mut decoder = load("llama", Architecture::Llama);
    let weights = file("adapter", "adapter_model.safetensors");
    let config = config.to_string();
    decoder
        .adapt(config.as_bytes(), &weights)
        .unwrap_err()
        .to_string()
}

#[test]
fn an_adapter_makes_the_weights_that_it_was_trained_for() {
    let decoder = adapted(load("llama", Architecture::Llama));
    let golden = golden("adapter");
    let texts: Vec<&[u32]> = golden.iter().map(|g| &g.ids[..]).collect();
    let together = logits(&decoder, &texts);
    for (golden, together) in golden.iter().zip(&together) {
        let distance = furthest(&golden.logits, together);
        assert!(distance < 1e-4, "{distance}");
        assert_eq!(&logits(&decoder, &[&golden.ids])[0], together);
    }
    let answers = greedy(&decoder, &texts, &stop(40), 64).unwrap();
    for (golden, answer) in golden.iter().zip(answers) {
        assert_eq!(golden.greedy, answer.ids);
    }
}

#[test]
fn the_rows_of_a_gguf_files_queries_and_keys_stand_in_another_order() {
    let bytes = gguf("llama", GgmlDType::F32, &|_| ());
    let decoder = adapted(Llama::from_gguf(&bytes, Architecture::Llama).unwrap());
    for golden in golden("adapter") {
        let distance = furthest(&golden.logits, &logits(&decoder, &[&golden.ids])[0]);
        assert!(distance < 1e-4, "{distance}");
    }
}

#[test]
fn an_adapter_that_would_compute_something_else_is_refused() {
    let config: Value = serde_json::from_slice(&file("adapter", CONFIG)).unwrap();
    for (key, value, says) in [
        ("peft_type", json!("IA3"), "LORA"),
        ("r", json!(4), "shape"),
        ("r", json!(0), "rank"),
        ("r", json!(u64::MAX), "rank"),
        ("lora_alpha", json!("x"), "lora_alpha"),
        ("use_dora", json!(true), "use_dora"),
        ("bias", json!("all"), "bias"),
        ("rank_pattern", json!({"q_proj": 8}), "rank_pattern"),
        ("modules_to_save", json!(["lm_head"]), "modules_to_save"),
    ] {
        let mut changed = config.clone();
        changed[key] = value;
        let said = refused(&changed);
        assert!(said.contains(says), "{key}: {said}");
    }
    let mut decoder = load("qwen3", Architecture::Qwen3);
    let weights = file("adapter", "adapter_model.safetensors");
    let error = decoder
        .adapt(&file("adapter", CONFIG), &weights)
        .unwrap_err();
    assert!(
        error.to_string().contains("shape"),
        "another model's: {error}"
    );
    let error = decoder.adapt(b"{", &weights).unwrap_err();
    assert!(error.to_string().contains(CONFIG), "{error}");
}
