//! Where it computes: what can be asked for, what is refused, and, where there is a GPU, that its answers are the CPU's.
//!
//! The code that runs on a GPU is also run on candle's CPU device, everywhere (`src/model/padded/tests.rs`).

use serde_json::Value;
use tidings::article::read::{ReadOptions, Reader, sources};
use tidings::model::store::EMBEDDED;
use tidings::output::JsonLines;
use tidings::{Device, Dtype, Engine, Files, Model, Options, Place};

use crate::path;
use crate::program::{run, run_with};

/// The model on the GPU of this machine; where there is none, that is said.
fn on_gpu(dtype: Dtype) -> Option<Model> {
    load_on_gpu(&Files::open(EMBEDDED).unwrap(), dtype)
}

fn load_on_gpu(files: &Files, dtype: Dtype) -> Option<Model> {
    let gpu = Model::load(files, Device::Auto, Engine::Native).unwrap();
    if gpu.gpu().is_none() {
        let why = gpu.note().map(|note| format!(" ({note})"));
        #[allow(clippy::print_stdout)]
        {
            println!("skipped: no GPU{}", why.unwrap_or_default());
        }
        return None;
    }
    let place = Place {
        device: Device::Auto,
        dtype,
    };
    Some(Model::load(files, place, Engine::Native).unwrap())
}

fn records(model: &Model) -> Vec<Value> {
    let folders = ["wire", "noisy", "pages", "records"];
    let folders = folders.map(|folder| path("data").join(folder).to_str().unwrap().to_owned());
    let articles = Reader::new(sources(&folders).unwrap(), ReadOptions::default());
    let options = Options {
        claims: ["Talks are imminent.", "A treaty was signed."]
            .map(String::from)
            .to_vec(),
        ..Options::default()
    };
    let mut out = Vec::new();
    tidings::run(
        articles,
        model,
        &options,
        &mut JsonLines(&mut out),
        &mut |_| (),
    )
    .unwrap();
    let lines = String::from_utf8(out).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_gpu_answers_as_the_cpu_does() {
    let files = Files::open(EMBEDDED).unwrap();
    let wanted = records(&Model::load(&files, Device::Cpu, Engine::Float).unwrap());
    for (dtype, within) in [
        (Dtype::Auto, 2e-2),
        (Dtype::F32, 1e-3),
        (Dtype::F16, 2e-2),
        (Dtype::Bf16, 1e-1),
    ] {
        let Some(model) = on_gpu(dtype) else { return };
        let found = records(&model);
        assert_eq!(found.len(), wanted.len());
        for (found, wanted) in found.iter().zip(&wanted) {
            assert_eq!(found["error"], wanted["error"]);
            let Some(scores) = wanted["scores"].as_object() else {
                continue;
            };
            let off = |(name, score): (&String, &Value)| {
                (found["scores"][name].as_f64().unwrap() - score.as_f64().unwrap()).abs()
            };
            let off = scores.iter().map(off).fold(0.0, f64::max);
            assert!(off < within, "{dtype}: {off}\n{found}\n{wanted}");
            if dtype != Dtype::Bf16 {
                assert_eq!(found["label"], wanted["label"], "{dtype}");
            }
        }
        assert!(model.warning().is_none());
    }
}

#[test]
fn a_decoder_on_a_gpu_answers_as_on_the_cpu() {
    for family in ["llama", "qwen3", "gemma3", "phi4"] {
        let folder = path("fixtures/decoders").join(family);
        let files = Files::open(folder.to_str().unwrap()).unwrap();
        let Some(gpu) = load_on_gpu(&files, Dtype::F32) else {
            return;
        };
        let cpu = Model::load(&files, Device::Cpu, Engine::Native).unwrap();
        let (found, wanted) = (records(&gpu), records(&cpu));
        for (found, wanted) in found.iter().zip(&wanted) {
            assert_eq!(found["error"], wanted["error"]);
            for (name, score) in wanted["scores"].as_object().into_iter().flatten() {
                let off = (found["scores"][name].as_f64().unwrap() - score.as_f64().unwrap()).abs();
                assert!(off < 1e-3, "{family}: {off}\n{found}\n{wanted}");
            }
        }
    }
}

#[test]
fn a_gpu_knows_its_peaks() {
    let Some(model) = on_gpu(Dtype::Auto) else {
        return;
    };
    let (operations, bytes) = model.peaks().unwrap().unwrap();
    assert!(operations > 1e11 && bytes > 1e9, "{operations} {bytes}");
}

#[test]
fn the_cpu_can_be_asked_for_by_every_command() {
    for args in [
        &["classify", "wire/ferry-strike.txt", "--device", "cpu"][..],
        &[
            "summarise",
            "wire/ferry-strike.txt",
            "--device",
            "cpu",
            "--dtype",
            "f32",
        ],
        &[
            "eval",
            "labelled/talks.jsonl",
            "--device=cpu",
            "--engine=fake",
            "--limit=3",
            "--quiet",
        ],
    ] {
        let ran = run(args);
        assert_eq!(ran.code, 0, "{args:?} {}", ran.err);
        assert!(!ran.err.contains("computing on"), "{}", ran.err);
    }
}

#[test]
fn a_gpu_that_cannot_be_had_is_told_with_what_to_do() {
    // Number 99 opens nowhere, whatever the program was built for.
    for device in ["cuda:99", "metal"] {
        if device == "metal" && cfg!(feature = "metal") {
            continue;
        }
        let built = device != "metal" && cfg!(feature = "cuda");
        for args in [
            &["classify", "wire"][..],
            &["summarise", "wire/ferry-strike.txt"],
            &["eval", "labelled/talks.jsonl", "--limit=1"],
            &["bench", "--quiet"],
        ] {
            let ran = run(&[args, &["--device", device]].concat());
            let said = ran.refused();
            let wanted = match built {
                true => "cuda:99 does not open",
                false => "error: this program was not built for",
            };
            assert!(
                said.contains(wanted) && said.contains("--device cpu"),
                "{said}"
            );
            assert!(built || said.contains("--features"), "{said}");
            assert!(ran.out.is_empty());
        }
    }
}

#[test]
fn what_is_no_device_and_what_does_not_go_with_one_is_bad_usage() {
    for (args, says) in [
        (&["--device", "gpu"][..], "cuda:N"),
        (&["--dtype", "int8"], "bf16"),
        (&["--device", "cpu", "--dtype", "f16"], "is for GPUs"),
        (
            &["--device", "cuda", "--engine", "float"],
            "the float engine",
        ),
    ] {
        let ran = run_with(
            &[&["classify", "-"], args].concat(),
            "Talks open on Monday.",
        );
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains(says), "{}", ran.err);
    }
}

#[test]
fn dtype_f32_is_the_float_engine_on_the_cpu() {
    let answer = |args: &[&str]| run(&[&["classify", "wire", "--device=cpu"], args].concat()).out;
    assert_eq!(answer(&["--dtype=f32"]), answer(&["--engine=float"]));
    assert_ne!(answer(&["--dtype=f32"]), answer(&[]));
}
