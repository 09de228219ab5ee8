//! Encoders that are not what they say: each is refused with what is wrong.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{configure, copy, filled, load, manifest, reweigh};

#[test]
fn a_foreign_model_that_is_not_what_it_says_is_refused() {
    let refused = |family: &str, change: &dyn Fn(&Path), says: &str| {
        let copy = copy(family);
        change(copy.path());
        let message = match load(copy.path()) {
            Ok(_) => panic!("{family}: {says}: loaded all the same"),
            Err(e) => e.to_string(),
        };
        assert!(message.contains(says), "{family}: {says}: {message}");
        message
    };

    // Files that are not there, or by another name.
    for (name, instead, says) in [
        ("config.json", None, "neither manifest.toml nor config.json"),
        ("tokenizer.json", None, "save_pretrained"),
        ("model.safetensors", None, "no model.safetensors"),
        (
            "model.safetensors",
            Some("pytorch_model.bin"),
            "never opened",
        ),
        (
            "model.safetensors",
            Some("model.safetensors.index.json"),
            "several parts",
        ),
    ] {
        let change = |folder: &Path| match instead {
            Some(instead) => fs::rename(folder.join(name), folder.join(instead)).unwrap(),
            None => fs::remove_file(folder.join(name)).unwrap(),
        };
        refused("bert", &change, says);
    }

    // Bytes that are no weights: cut short, a header that claims nearly all of memory or is no JSON, offsets beyond the end.
    const BEYOND: &[u8] = br#"{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,18446744073709551615]}}"#;
    let edits: [fn(&mut Vec<u8>); 7] = [
        |b| b.truncate(b.len() - 1),
        |b| b.truncate(3),
        Vec::clear,
        |b| b[..8].fill(0xff),
        |b| b[..8].copy_from_slice(&(1u64 << 40).to_le_bytes()),
        |b| b[8..40].fill(b'{'),
        |b| *b = [&(BEYOND.len() as u64).to_le_bytes()[..], BEYOND].concat(),
    ];
    for edit in edits {
        let change = |folder: &Path| {
            reweigh(folder, |weights| {
                let mut bytes = weights.to_vec();
                edit(&mut bytes);
                bytes
            });
        };
        refused("bert", &change, "no valid safetensors");
    }

    for (family, tensor, value) in [
        ("bert", "classifier.weight", f32::NAN),
        (
            "deberta-v3",
            "deberta.encoder.rel_embeddings.weight",
            f32::INFINITY,
        ),
        ("modernbert", "model.final_norm.weight", f32::NAN),
    ] {
        let change = |folder: &Path| reweigh(folder, |weights| filled(weights, tensor, value));
        refused(family, &change, &format!("`{tensor}`: it holds {value}"));
    }

    let labels = |names: &[&str]| -> Value {
        let names = names.iter().enumerate();
        names
            .map(|(i, name)| (i.to_string(), json!(name)))
            .collect()
    };
    let gelu = "computes only \"gelu\"";
    for (family, key, value, says) in [
        // Another architecture's weights, or none that is known.
        ("bert", "model_type", json!("roberta"), "lack the tensor"),
        ("roberta", "model_type", json!("bert"), "lack the tensor"),
        (
            "bert",
            "model_type",
            json!("gpt2"),
            "that can be read are bert, roberta",
        ),
        (
            "bert",
            "model_type",
            Value::Null,
            "that can be read are bert, roberta",
        ),
        (
            "bert",
            "architectures",
            json!(["BertForMaskedLM"]),
            "BertForMaskedLM",
        ),
        (
            "bert",
            "problem_type",
            json!("multi_label_classification"),
            "exclude",
        ),
        // Sizes that are not the weights', or nobody's.
        ("bert", "hidden_size", json!(32), "its shape is"),
        ("bert", "hidden_size", json!(-1), "hidden_size is -1"),
        ("bert", "hidden_size", json!(0), "hidden_size is 0"),
        (
            "bert",
            "intermediate_size",
            json!(0),
            "intermediate_size is 0",
        ),
        (
            "bert",
            "num_attention_heads",
            json!(0),
            "num_attention_heads is 0",
        ),
        (
            "bert",
            "num_attention_heads",
            json!(5),
            "divide by 5 attention heads",
        ),
        (
            "bert",
            "num_hidden_layers",
            json!(0),
            "num_hidden_layers is 0",
        ),
        ("bert", "num_hidden_layers", json!(1), "does not know"),
        ("bert", "vocab_size", json!(0), "vocab_size is 0"),
        ("bert", "vocab_size", json!(16), "belongs to another model"),
        (
            "bert",
            "vocab_size",
            json!(1u64 << 60),
            "no size of a model",
        ),
        ("distilbert", "hidden_dim", json!(0), "hidden_dim is 0"),
        (
            "deberta-v3",
            "intermediate_size",
            json!(0),
            "intermediate_size is 0",
        ),
        (
            "modernbert",
            "intermediate_size",
            json!(0),
            "intermediate_size is 0",
        ),
        (
            "modernbert",
            "local_attention",
            json!(0),
            "local_attention is 0",
        ),
        (
            "modernbert",
            "num_hidden_layers",
            json!(16_000_000),
            "layer_types",
        ),
        (
            "modernbert",
            "max_position_embeddings",
            json!(8),
            "at most 8 tokens",
        ),
        (
            "roberta",
            "max_position_embeddings",
            json!(10),
            "at most 8 tokens",
        ),
        (
            "deberta-v3",
            "position_buckets",
            json!(2),
            "position_buckets",
        ),
        // What would be computed otherwise.
        ("bert", "hidden_act", json!("gelu_new"), gelu),
        ("distilbert", "activation", json!("relu"), gelu),
        ("modernbert", "hidden_activation", json!("silu"), gelu),
        ("deberta-v3", "pooler_hidden_act", json!("tanh"), gelu),
        (
            "modernbert",
            "classifier_pooling",
            json!("max"),
            "cls or mean",
        ),
        (
            "bert",
            "position_embedding_type",
            json!("relative_key"),
            "only \"absolute\"",
        ),
        (
            "deberta-v3",
            "relative_attention",
            json!(false),
            "relative_attention",
        ),
        (
            "deberta-v3",
            "relative_attention",
            Value::Null,
            "relative_attention",
        ),
        ("deberta-v3", "pos_att_type", json!([]), "pos_att_type"),
        ("deberta-v3", "pos_att_type", json!("p2p"), "pos_att_type"),
        // Labels.
        (
            "bert",
            "id2label",
            labels(&["entailment", "neutral"]),
            "not guessed",
        ),
        (
            "bert",
            "id2label",
            labels(&["entailment", "not_entailment"]),
            "the head for 2 labels",
        ),
    ] {
        let change = |folder: &Path| configure(&folder.join("config.json"), key, value.clone());
        let message = refused(family, &change, says);
        // Labels are all that a manifest could mend.
        let mends = says == "not guessed";
        assert_eq!(message.contains("manifest"), mends, "{message}");
    }
}

#[test]
fn a_manifest_that_contradicts_its_model_is_refused() {
    let nli = ["contradiction", "neutral", "entailment"];
    let turned = ["entailment", "neutral", "contradiction"];
    let stance = ["unrelated", "refutes", "supports", "discusses"];
    let refused = |copy: &TempDir, says: &str| {
        let message = match load(copy.path()) {
            Ok(_) => panic!("{says}: loaded all the same"),
            Err(e) => e.to_string(),
        };
        assert!(message.contains(says), "{says}: {message}");
    };
    for (family, architecture, task, labels, says) in [
        ("bert", "roberta", "nli", &nli[..], "model_type"),
        ("bert", "t5", "nli", &nli, "t5"),
        ("bert", "bert", "nli", &turned, "wrong order"),
        (
            "bert",
            "bert",
            "nli",
            &["entailment", "not-entailment"],
            "2 labels",
        ),
        (
            "bert",
            "bert",
            "nli",
            &["entailment", "entailment", "neutral"],
            "once each",
        ),
        (
            "bert",
            "bert",
            "nli",
            &["yes", "no", "maybe"],
            "is no label",
        ),
        (
            "bert",
            "bert",
            "stance-classifier",
            &nli,
            "supports, refutes",
        ),
        ("roberta", "roberta", "stance", &stance, "stance-classifier"),
    ] {
        let copy = copy(family);
        manifest(copy.path(), architecture, task, labels);
        refused(&copy, says);
    }
    // Two of RoBERTa's positions are never used.
    let copy = copy("roberta");
    let config = copy.path().join("config.json");
    configure(&config, "max_position_embeddings", json!(129));
    manifest(copy.path(), "roberta", "stance-classifier", &stance);
    refused(
        &copy,
        "at most 127 tokens, but the manifest's window has 128",
    );
}
