//! The card's code on candle's CPU device, beside our own float engine: run on every machine.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::time::Duration;

use candle_core::Device;
use serde_json::Value;

use super::*;
use crate::article::read::{ReadOptions, Reader, sources};
use crate::model::bert::{Arithmetic, Bert};
use crate::model::store::EMBEDDED;
use crate::model::{Engine, Files, Model, Reading};
use crate::output::JsonLines;
use crate::pipeline::Options;
use crate::stance::Stance;

fn card(dtype: DType) -> Card {
    Card {
        device: Device::Cpu,
        dtype,
        name: "the test's card".to_owned(),
    }
}

fn tests(below: &str) -> Files {
    let root = env!("CARGO_MANIFEST_DIR");
    Files::open(&format!("{root}/tests/fixtures/{below}")).unwrap()
}

/// Windows of these lengths below `words`, each with sentences of up to `sentence` tokens.
fn windows(lengths: &[usize], words: u32, sentence: usize) -> Vec<Window> {
    let window = |(seed, &length): (usize, &usize)| {
        let id = |at: usize| {
            ((at * 31 + seed * 17 + 7) as u32)
                .wrapping_mul(2_654_435_761)
                .rotate_left(9)
                % words
        };
        let first = (length / 3).max(1);
        Window {
            ids: (0..length).map(id).collect(),
            first,
            spans: (first..length)
                .step_by(sentence)
                .map(|start| start..(start + sentence).min(length))
                .collect(),
            article: true,
            relevance: 0.0,
        }
    };
    lengths.iter().enumerate().map(window).collect()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    apart.fold(0.0, f32::max)
}

/// Both encoders of a model's files, the padded one first.
fn both(files: &Files, prefix: &str, dtype: DType) -> (Padded, Bert, usize) {
    let manifest = &files.manifest;
    let config = Config::read(&files.config, &manifest.config, manifest.architecture).unwrap();
    let weights = Weights::new(&files.weights).unwrap();
    let padded = Padded::load(&weights, prefix, &config, card(dtype)).unwrap();
    let ours = Bert::load(&weights, prefix, &config, Arithmetic::Float).unwrap();
    (padded, ours, config.words)
}

#[test]
fn states_are_those_of_our_own_engine_in_a_ragged_batch() {
    for (files, prefix, lengths) in [
        (tests("tiny_bert"), "", &[9, 40, 8, 33, 1, 16, 40][..]),
        (tests("families/roberta"), "roberta.", &[9, 30, 8, 17]),
        (tests("families/distilbert"), "distilbert.", &[9, 30, 8, 17]),
        (Files::open(EMBEDDED).unwrap(), "", &[70, 256, 255, 31, 120]),
    ] {
        let (padded, ours, words) = both(&files, prefix, DType::F32);
        let windows = windows(lengths, words as u32, 6);
        let windows: Vec<&Window> = windows.iter().collect();
        let name = &files.manifest.name;
        let off = furthest(
            &padded.encode(&windows).unwrap(),
            &ours.encode(&windows).unwrap(),
        );
        assert!(off < 1e-4, "{name}: {off}");
        let off = furthest(
            &padded.pooled(&windows).unwrap(),
            &ours.pooled(&windows).unwrap(),
        );
        assert!(off < 1e-4, "{name}, pooled: {off}");
        // Without padding, and so without a mask.
        let aligned: Vec<&Window> = windows
            .iter()
            .copied()
            .filter(|w| w.ids.len() % ALIGNED == 0)
            .collect();
        assert!(!aligned.is_empty());
        let off = furthest(
            &padded.encode(&aligned).unwrap(),
            &ours.encode(&aligned).unwrap(),
        );
        assert!(off < 1e-4, "{name}, aligned: {off}");
    }
}

#[test]
fn classifiers_of_berts_kin_say_the_same() {
    for family in ["bert", "roberta", "xlm-roberta", "distilbert"] {
        let files = tests(&format!("families/{family}"));
        let ours = Model::load_on(&files, None, Engine::Native).unwrap();
        let padded = Model::load_on(&files, Some(card(DType::F32)), Engine::Native).unwrap();
        let words = ours.tokenizer().words() as u32;
        let windows = windows(&[9, 30, 16, 17], words, 5);
        let windows: Vec<&Window> = windows.iter().collect();
        let logits = |model: &Model| model.logits(&windows, 40).unwrap().concat();
        let off = furthest(&logits(&padded), &logits(&ours));
        assert!(off < 1e-4, "{family}: {off}");
    }
}

fn answers(model: &Model, windows: &[Window]) -> Vec<Reading> {
    let articles: Vec<&[Window]> = windows.chunks(2).collect();
    model.read(&articles, 4096).unwrap()
}

/// Scores, and the likeliest stance.
fn scores(reading: &Reading) -> ([f32; 4], Stance) {
    let mut scores = reading.stance;
    crate::kernel::softmax(&mut scores);
    (scores, Stance::likeliest(&scores))
}

#[test]
fn the_answers_stay_within_the_promise_in_16_bits_too() {
    let files = Files::open(EMBEDDED).unwrap();
    let text = |text: &str, model: &Model| model.tokenizer().encode(text).unwrap();
    let float = Model::load_on(&files, None, Engine::Float).unwrap();
    let claims = ["Talks are imminent.", "No talks are planned."];
    let sentences = [
        "Arvenia and Tolmere will open river talks on Thursday, both governments said.",
        "The palace denied that anybody had asked for a meeting.",
        "Ferry crews walked out of pay negotiations and said they would not return this year.",
        "The lighthouse shines again after forty years.",
        "Neither side has said whether it would come.",
    ];
    let windows: Vec<Window> = claims
        .iter()
        .flat_map(|claim| sentences.iter().map(move |sentence| (claim, sentence)))
        .map(|(claim, sentence)| {
            let marks = &float.tokenizer().pair;
            let mut ids = [&marks.open[..], &text(claim, &float), &marks.between].concat();
            let first = ids.len();
            ids.extend(text(sentence, &float));
            let end = ids.len();
            ids.extend(&marks.close);
            Window {
                ids,
                first,
                spans: std::iter::once(first..end).collect(),
                article: true,
                relevance: 0.0,
            }
        })
        .collect();
    let wanted = answers(&float, &windows);
    for (dtype, within) in [(DType::F32, 1e-4), (DType::F16, 5e-3), (DType::BF16, 5e-2)] {
        let model = Model::load_on(&files, Some(card(dtype)), Engine::Native).unwrap();
        let mut worst = 0f32;
        for (found, wanted) in answers(&model, &windows).iter().zip(&wanted) {
            let ((found, label), (wanted, right)) = (scores(found), scores(wanted));
            worst = worst.max(furthest(&found, &wanted));
            assert_eq!(label, right, "{dtype:?}");
        }
        #[allow(clippy::print_stdout)]
        {
            println!("{dtype:?}: scores off by up to {worst}");
        }
        assert!(worst < within, "{dtype:?}: {worst}");
    }
}

#[test]
fn numbers_that_are_too_large_are_no_answer() {
    let (mut padded, ..) = both(&tests("tiny_bert"), "", DType::F32);
    let windows = windows(&[9, 12], 50, 4);
    let windows: Vec<&Window> = windows.iter().collect();
    padded.words = (padded.words * f64::INFINITY).unwrap();
    let error = padded.pooled(&windows).unwrap_err().to_string();
    assert!(error.contains("--dtype bf16 or f32"), "{error}");
}

#[test]
fn groups_hold_every_window_once_and_little_padding() {
    let lengths: Vec<usize> = (0..500).map(|i| 20 + (i * 7919) % 237).collect();
    for most in [usize::MAX, 20_000, 3_000, 1] {
        let groups = groups(&lengths, most);
        let mut all = groups.concat();
        all.sort_unstable();
        assert_eq!(all, (0..500).collect::<Vec<_>>());
        for group in &groups {
            let padded = group.len() * lengths[group[0]].next_multiple_of(ALIGNED);
            assert!(group.len() == 1 || padded <= most);
            assert!(group.iter().all(|at| lengths[*at] <= lengths[group[0]]));
        }
    }
    let large: Vec<usize> = (0..5000).map(|i| 100 + i % 150).collect();
    let padded: usize = groups(&large, usize::MAX)
        .iter()
        .map(|group| group.len() * large[group[0]].next_multiple_of(ALIGNED))
        .sum();
    let own: usize = large.iter().sum();
    assert!((padded as f64) < 1.1 * own as f64, "{padded} {own}");
    assert!(groups(&[], 10).is_empty());
}

#[test]
fn a_group_that_does_not_fit_is_halved_until_it_does() {
    let full = || {
        candle_core::Error::Msg(
            "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")".to_owned(),
        )
    };
    let heard = RefCell::new(Vec::new());
    let compute = |items: &[usize]| match items.len() {
        0..=3 => Ok(items.iter().sum::<usize>()),
        _ => Err(full()),
    };
    let items: Vec<usize> = (0..10).collect();
    let found = halved(&items, &compute, &|items| {
        heard.borrow_mut().push(items.len())
    })
    .unwrap();
    let parts: [(&[usize], usize); 4] = [
        (&[0, 1], 1),
        (&[2, 3, 4], 9),
        (&[5, 6], 11),
        (&[7, 8, 9], 24),
    ];
    assert_eq!(found, parts);
    assert_eq!(*heard.borrow(), [10, 5, 5]);
    // One alone that does not fit, and any other error, are errors.
    let never = |_: &[usize]| -> Computed<()> { Err(full()) };
    assert!(halved(&items, &never, &|_| ()).is_err());
    let broken = |_: &[usize]| -> Computed<()> { candle_core::bail!("broken") };
    let calls = RefCell::new(0);
    assert!(halved(&items, &broken, &|_| *calls.borrow_mut() += 1).is_err());
    assert_eq!(*calls.borrow(), 0);
}

#[test]
fn a_full_memory_is_told_once_with_what_to_do() {
    let (padded, ..) = both(&tests("tiny_bert"), "", DType::F32);
    assert_eq!(padded.warning(), None);
    // 4 heads over 64 positions are 256 scores a token, more than the widest layer has cells.
    assert_eq!(padded.limit, i32::MAX as usize / 256);
    padded.most.store(4096, Ordering::Relaxed);
    let told = padded.warning().unwrap();
    assert!(told.contains("--batch-tokens 4096"), "{told}");
    assert_eq!(padded.warning(), None);
}

/// The records of our example articles, as `classify` makes them.
fn records(model: &Model) -> Vec<Value> {
    let root = env!("CARGO_MANIFEST_DIR");
    let folders =
        ["wire", "noisy", "pages", "records"].map(|folder| format!("{root}/tests/data/{folder}"));
    let articles = Reader::new(sources(&folders).unwrap(), ReadOptions::default());
    let options = Options {
        // All in one chunk: with two at once candle's CPU operations, unlike a card's, could wait for each other in the pool.
        max_latency: Duration::from_secs(600),
        ..Options::default()
    };
    let mut out = Vec::new();
    let mut sink = JsonLines(&mut out);
    crate::run(articles, model, &options, &mut sink, &mut |_| ()).unwrap();
    let lines = String::from_utf8(out).unwrap();
    let lines = lines.lines().map(serde_json::from_str);
    lines.collect::<std::result::Result<_, _>>().unwrap()
}

#[test]
fn a_run_beside_a_card_gives_the_records_of_one_without() {
    let files = Files::open(EMBEDDED).unwrap();
    let wanted = records(&Model::load_on(&files, None, Engine::Float).unwrap());
    for (dtype, within) in [(DType::F32, 1e-3), (DType::F16, 2e-2)] {
        let model = Model::load_on(&files, Some(card(dtype)), Engine::Native).unwrap();
        assert_eq!(Options::default().batch(&model).0, 65_536);
        let found = records(&model);
        assert_eq!(found.len(), wanted.len());
        let mut worst = 0f64;
        for (found, wanted) in found.iter().zip(&wanted) {
            for same in ["id", "label", "error", "tokens", "windows"] {
                assert_eq!(found[same], wanted[same]);
            }
            for (name, score) in wanted["scores"].as_object().into_iter().flatten() {
                let found = found["scores"][name].as_f64().unwrap();
                worst = worst.max((found - score.as_f64().unwrap()).abs());
            }
        }
        #[allow(clippy::print_stdout)]
        {
            println!(
                "{dtype:?}, {} records: scores off by up to {worst}",
                found.len()
            );
        }
        assert!(worst < within, "{dtype:?}: {worst}");
    }
}
