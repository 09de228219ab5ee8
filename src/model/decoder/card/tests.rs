//! A card's decoder on candle's CPU device, beside transformers' fixtures and our own decoder on the processor.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use candle_core::{DType, Device};
use serde::Deserialize;

use super::load::in_halves;
use super::pool::SLOTS;
use super::*;
use crate::decode::{Answer, Stop, greedy};
use crate::model::decoder::architecture;
use crate::model::decoder::stack::Stack;
use crate::model::decoder::tensors::{Linear, Matrix};

const FAMILIES: [&str; 9] = [
    "llama", "llama3", "qwen2", "qwen3", "mistral", "gemma3", "phi3", "phi4", "smollm3",
];

#[derive(Deserialize)]
struct Golden {
    ids: Vec<u32>,
    logits: Vec<f32>,
    greedy: Vec<u32>,
}

fn file(family: &str, name: &str) -> Vec<u8> {
    let fixtures = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/decoders"
    ));
    fs::read(fixtures.join(family).join(name)).unwrap()
}

fn golden(family: &str) -> Vec<Golden> {
    serde_json::from_slice(&file(family, "expected.json")).unwrap()
}

fn card(dtype: DType) -> Card {
    Card {
        device: Device::Cpu,
        dtype,
        name: "a card".to_owned(),
    }
}

fn llama(family: &str) -> Llama {
    let (config, weights) = (
        file(family, "config.json"),
        file(family, "model.safetensors"),
    );
    let architecture = architecture(&config).unwrap();
    Llama::from_safetensors(&config, "config.json", architecture, &[&weights]).unwrap()
}

fn on_card(family: &str, dtype: DType) -> OnCard {
    OnCard::new(&llama(family), card(dtype)).unwrap()
}

/// The logits after each text's last token, the texts in one pass after what is in their caches.
fn read<D: Decoder>(decoder: &D, texts: &[&[u32]], caches: &mut [D::Cache]) -> Vec<Vec<f32>> {
    let rows = texts.iter().zip(caches);
    let mut rows: Vec<Row<'_, _>> = rows
        .map(|(ids, cache)| Row {
            ids,
            cache,
            asked: 1,
        })
        .collect();
    decoder.forward(&mut rows).unwrap()
}

fn logits<D: Decoder>(decoder: &D, texts: &[&[u32]]) -> Vec<Vec<f32>> {
    let mut caches: Vec<_> = texts.iter().map(|_| decoder.cache()).collect();
    read(decoder, texts, &mut caches)
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let distances = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    distances.fold(0.0, f32::max)
}

#[test]
fn logits_are_those_of_transformers_alone_together_and_token_by_token() {
    for family in FAMILIES {
        let decoder = on_card(family, DType::F32);
        let golden = golden(family);
        let texts: Vec<&[u32]> = golden.iter().map(|golden| &golden.ids[..]).collect();
        let together = logits(&decoder, &texts);
        assert_eq!(together.len(), 7);
        for (golden, together) in golden.iter().zip(&together) {
            let alone = &logits(&decoder, &[&golden.ids])[0];
            for found in [together, alone] {
                let distance = furthest(&golden.logits, found);
                assert!(distance < 1e-3, "{family}: {distance}");
            }
        }
        // In two passes, the second of one token a row beside rows of many.
        let mut caches: Vec<_> = texts.iter().map(|_| decoder.cache()).collect();
        let halves = texts.iter().enumerate().map(|(i, text)| match i % 2 {
            0 => text.split_at(text.len() - 1),
            _ => text.split_at(text.len().min(2) - 1),
        });
        let (first, rest): (Vec<&[u32]>, Vec<&[u32]>) = halves.unzip();
        read(&decoder, &first, &mut caches);
        for (golden, found) in golden.iter().zip(read(&decoder, &rest, &mut caches)) {
            let distance = furthest(&golden.logits, &found);
            assert!(distance < 1e-3, "{family}: {distance}");
        }
    }
}

#[test]
fn greedy_words_are_those_of_transformers() {
    let stop = Stop {
        ends: Vec::new(),
        length: 40,
    };
    for family in FAMILIES {
        let decoder = on_card(family, DType::F32);
        let golden = golden(family);
        let prompts: Vec<&[u32]> = golden.iter().map(|golden| &golden.ids[..]).collect();
        for tokens in [1, 10_000] {
            let answers: Vec<Answer> = greedy(&decoder, &prompts, &stop, tokens).unwrap();
            for (answer, golden) in answers.iter().zip(&golden) {
                assert_eq!(answer.ids, golden.greedy, "{family}");
            }
        }
    }
}

/// The cosine of the angle between two lists of logits about their means.
fn likeness(a: &[f32], b: &[f32]) -> f32 {
    let about_mean = |values: &[f32]| -> Vec<f32> {
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        values.iter().map(|value| value - mean).collect()
    };
    let (a, b) = (about_mean(a), about_mean(b));
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

#[test]
fn sixteen_bits_are_near() {
    // Of eight times the rounding 64 times the loss: a toy whose logits are the hardest has 0.9991 and 0.935, all others 0.9998 and 0.9968.
    for (dtype, least) in [(DType::F16, 0.998), (DType::BF16, 0.9)] {
        for family in FAMILIES {
            let decoder = on_card(family, dtype);
            let likest = golden(family)
                .iter()
                .map(|golden| likeness(&golden.logits, &logits(&decoder, &[&golden.ids])[0]))
                .fold(1.0, f32::min);
            assert!(likest > least, "{family}, {dtype:?}: {likest}");
        }
    }
}

#[test]
fn an_adapter_is_part_of_the_weights() {
    let mut decoder = llama("llama");
    let plain = OnCard::new(&decoder, card(DType::F32)).unwrap();
    let (config, weights) = (
        file("adapter", "adapter_config.json"),
        file("adapter", "adapter_model.safetensors"),
    );
    decoder.adapt(&config, &weights).unwrap();
    let adapted = OnCard::new(&decoder, card(DType::F32)).unwrap();
    let ids = &golden("llama")[3].ids;
    let [wanted, found, other] = [
        logits(&decoder, &[ids]),
        logits(&adapted, &[ids]),
        logits(&plain, &[ids]),
    ];
    assert!(furthest(&wanted[0], &found[0]) < 1e-3);
    assert!(furthest(&wanted[0], &other[0]) > 1e-1);
}

#[test]
fn heads_whose_pairs_are_neighbours_turn_by_halves() {
    let rows: Vec<f32> = (0u8..16).map(f32::from).collect();
    // Two heads of four rows of two columns.
    let turned = in_halves(&rows, 4, 2);
    assert_eq!(
        turned,
        [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15].map(|n: u8| f32::from(n))
    );
}

#[test]
fn a_decoder_whose_pairs_are_neighbours_is_the_same_decoder() {
    let mut decoder = llama("llama");
    let width = decoder.config.heads.width;
    decoder.config.pairs = Pairs::Neighbours;
    for layer in &mut decoder.layers {
        let mut parts = layer.query_key_value.spread().unwrap();
        for part in &mut parts[..2] {
            let heads = part.weight.chunks_exact(width * part.inputs);
            let rows = heads.flat_map(|head| {
                let row = |i: usize| head[i * part.inputs..][..part.inputs].to_vec();
                (0..width).flat_map(move |i| row(i / 2 + i % 2 * (width / 2)))
            });
            part.weight = rows.collect();
        }
        let layers = parts.into_iter().map(|part| {
            let outputs = part.weight.len() / part.inputs;
            Linear::new(Matrix::Float(part.weight), None, part.inputs, outputs)
        });
        let layers: Vec<Linear> = layers.collect();
        layer.query_key_value = Stack::Apart(layers.try_into().ok().unwrap());
    }
    let on_card = OnCard::new(&decoder, card(DType::F32)).unwrap();
    for golden in golden("llama") {
        for found in [
            logits(&decoder, &[&golden.ids]),
            logits(&on_card, &[&golden.ids]),
        ] {
            assert!(furthest(&golden.logits, &found[0]) < 1e-3);
        }
    }
}

#[test]
fn a_cache_is_copied_and_cut_and_slots_are_given_anew() {
    let decoder = on_card("llama", DType::F32);
    let golden = golden("llama");
    let ids = &golden[2].ids;
    let (head, tail) = ids.split_at(ids.len() / 2);
    let mut cache = decoder.cache();
    read(&decoder, &[head], std::slice::from_mut(&mut cache));
    let mut copy = [cache.clone()];
    // The copy goes on; the first is cut back and goes on as well.
    let found = read(&decoder, &[tail], &mut copy);
    assert!(furthest(&golden[2].logits, &found[0]) < 1e-3);
    read(&decoder, &[&[5, 6, 7]], std::slice::from_mut(&mut cache));
    decoder.truncate(&mut cache, head.len());
    assert_eq!(decoder.length(&cache), head.len());
    let found = read(&decoder, &[tail], std::slice::from_mut(&mut cache));
    assert!(furthest(&golden[2].logits, &found[0]) < 1e-3);
    let given = |decoder: &OnCard| decoder.pool.lock().unwrap().given;
    assert_eq!(given(&decoder), head.len() + 2 * tail.len() + 3);
    drop((cache, copy));
    logits(&decoder, &[ids]);
    assert_eq!(given(&decoder), ids.len());
}

#[test]
fn callers_take_turns_so_that_slots_do_not_run_out() {
    let decoder = on_card("llama", DType::F32);
    let ids = &golden("llama")[6].ids;
    let stop = Stop {
        ends: Vec::new(),
        length: 3,
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..SLOTS / ids.len() {
                    greedy(&decoder, &[ids], &stop, 1000).unwrap();
                }
            });
        }
    });
    assert_eq!(decoder.pool.lock().unwrap().slots, SLOTS);
}

#[test]
fn a_row_without_tokens_stays_as_it_is_beside_others() {
    let decoder = on_card("llama", DType::F32);
    let golden = golden("llama");
    let (long, short) = (&golden[6].ids, &golden[2].ids);
    let mut caches = [decoder.cache(), decoder.cache(), decoder.cache()];
    read(&decoder, &[long, &short[..1], &[]], &mut caches);
    let found = read(&decoder, &[&[], &short[1..], &[]], &mut caches);
    assert!(found[0].is_empty() && found[2].is_empty());
    assert!(furthest(&golden[2].logits, &found[1]) < 1e-3);
    assert_eq!(decoder.length(&caches[0]), long.len());
}

#[test]
fn the_pool_grows_and_keeps_what_it_has() {
    let decoder = on_card("llama", DType::F32);
    let golden = golden("llama");
    let ids = &golden[6].ids;
    let (head, tail) = ids.split_at(2);
    let mut cache = [decoder.cache()];
    read(&decoder, &[head], &mut cache);
    let long: Vec<u32> = (0..900).map(|i| i % 40).collect();
    let mut kept = Vec::new();
    while decoder.pool.lock().unwrap().slots < 2 * SLOTS {
        let mut other = [decoder.cache()];
        read(&decoder, &[&long], &mut other);
        kept.push(other);
    }
    let found = read(&decoder, &[tail], &mut cache);
    assert!(furthest(&golden[6].logits, &found[0]) < 1e-3);
}

#[test]
fn rows_that_are_too_much_together_are_halved() {
    let mut decoder = on_card("qwen2", DType::F32);
    decoder.most = AtomicUsize::new(8);
    let golden = golden("qwen2");
    let texts: Vec<&[u32]> = golden.iter().map(|golden| &golden.ids[..]).collect();
    for (golden, found) in golden.iter().zip(logits(&decoder, &texts)) {
        assert!(furthest(&golden.logits, &found) < 1e-3);
    }
    assert!(
        decoder
            .warning()
            .unwrap()
            .contains("reads 8 tokens at once")
    );
    assert!(decoder.warning().is_none());
    // A row whose tokens are too many is read in parts, with all logits that it asks for.
    let ids = &golden[6].ids;
    let all = |decoder: &OnCard| {
        let mut cache = decoder.cache();
        let row = Row {
            ids,
            cache: &mut cache,
            asked: ids.len() - 1,
        };
        let mut pool = decoder.pool.lock().unwrap();
        decoder.pass(&mut pool, &mut [row]).unwrap().remove(0)
    };
    let whole = on_card("qwen2", DType::F32);
    assert!(ids.len() > 32);
    assert!(furthest(&all(&decoder), &all(&whole)) < 1e-3);
}

#[test]
fn what_cannot_be_read_is_refused_and_leaves_the_caches() {
    let decoder = on_card("llama", DType::F32);
    let words = decoder.words() as u32;
    let mut caches = [decoder.cache(), decoder.cache()];
    let rows = |ids: [&'static [u32]; 2]| ids;
    for (texts, says) in [
        (
            rows([&[1, 2], &[3, 4_000_000]]),
            format!("model's {words} words"),
        ),
        (rows([&[1], &[0; 5000]]), "5000 tokens".to_owned()),
    ] {
        let mut rows: Vec<Row<'_, _>> = texts
            .iter()
            .zip(&mut caches)
            .map(|(ids, cache)| Row {
                ids,
                cache,
                asked: 1,
            })
            .collect();
        let error = decoder.forward(&mut rows).unwrap_err().to_string();
        assert!(error.contains(&says), "{error}");
    }
    assert!(caches.iter().all(|cache| decoder.length(cache) == 0));
}

#[test]
fn numbers_too_large_for_their_type_are_an_error_that_names_another() {
    let mut decoder = llama("llama");
    decoder.layers[0].norm.iter_mut().for_each(|v| *v *= 1e6);
    let on_card = OnCard::new(&decoder, card(DType::F16)).unwrap();
    let mut cache = on_card.cache();
    let mut row = [Row {
        ids: &[1, 2, 3],
        cache: &mut cache,
        asked: 1,
    }];
    let error = on_card.forward(&mut row).unwrap_err().to_string();
    assert!(error.contains("--dtype bf16 or f32"), "{error}");
}
