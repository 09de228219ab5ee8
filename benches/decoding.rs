//! A decoder's prompt and decode tokens a second, for whoever asks: the other side of `benches/peers/decoders.py`.
//!
//! `cargo bench --bench decoding -- MODEL.gguf [candle]`, with `candle` for candle-transformers' quantised Llama, one prompt at a time.
//! Reads a line `{"prompts":[[1,…],…],"length":64}` and writes a line `{"prompt":0.4,"decode":0.9,"processor":2.5,"ids":[[…],…]}`: seconds
//! until all first words are known, seconds for the others, the processor's for both, and the words.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead, Write};
use std::sync::Mutex;
use std::time::Instant;

use candle_core::quantized::gguf_file::Content;
use candle_core::{Device, Tensor};
use candle_transformers::models::quantized_llama::ModelWeights;
use serde::Deserialize;
use tidings::decode::{Decoder, Row, Stop, greedy};
use tidings::model::decoder::{Cache, Llama};
use tidings::model::manifest::Architecture;

// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Deserialize)]
struct Request {
    prompts: Vec<Vec<u32>>,
    length: usize,
}

/// Our decoder, with the time of the passes that read prompts.
struct Timed {
    decoder: Llama,
    prompt_seconds: Mutex<f64>,
}

impl Decoder for Timed {
    type Cache = Cache;

    fn context(&self) -> usize {
        self.decoder.context()
    }

    fn cache(&self) -> Cache {
        self.decoder.cache()
    }

    fn length(&self, cache: &Cache) -> usize {
        self.decoder.length(cache)
    }

    fn truncate(&self, cache: &mut Cache, length: usize) {
        self.decoder.truncate(cache, length);
    }

    fn forward(&self, rows: &mut [Row<'_, Cache>]) -> tidings::Result<Vec<Vec<f32>>> {
        let is_prompt = rows.iter().any(|row| row.ids.len() > 1);
        let begun = Instant::now();
        let logits = self.decoder.forward(rows);
        if is_prompt {
            *self.prompt_seconds.lock().unwrap() += begun.elapsed().as_secs_f64();
        }
        logits
    }
}

/// Seconds of the prompts, of the other words, and the words.
type Told = (f64, f64, Vec<Vec<u32>>);

fn ours(timed: &Timed, request: &Request) -> Told {
    *timed.prompt_seconds.lock().unwrap() = 0.0;
    let stop = Stop {
        ends: Vec::new(),
        length: request.length,
    };
    let prompts: Vec<&[u32]> = request.prompts.iter().map(|ids| &ids[..]).collect();
    let begun = Instant::now();
    let answers = greedy(timed, &prompts, &stop, usize::MAX).unwrap();
    let whole = begun.elapsed().as_secs_f64();
    let prompt = *timed.prompt_seconds.lock().unwrap();
    let ids = answers.into_iter().map(|answer| answer.ids).collect();
    (prompt, whole - prompt, ids)
}

fn candles(model: &mut ModelWeights, request: &Request) -> Told {
    let (mut prompt_seconds, mut decode_seconds) = (0.0, 0.0);
    let mut all = Vec::new();
    for prompt in &request.prompts {
        let (mut said, mut next, mut at) = (Vec::new(), prompt.clone(), 0);
        while said.len() < request.length {
            let begun = Instant::now();
            let x = Tensor::new(&next[..], &Device::Cpu).unwrap();
            let logits = model.forward(&x.unsqueeze(0).unwrap(), at).unwrap();
            let word = logits.flatten_all().unwrap().argmax(0).unwrap();
            let word = word.to_scalar::<u32>().unwrap();
            let seconds = begun.elapsed().as_secs_f64();
            match at {
                0 => prompt_seconds += seconds,
                _ => decode_seconds += seconds,
            }
            at += next.len();
            next = vec![word];
            said.push(word);
        }
        all.push(said);
    }
    (prompt_seconds, decode_seconds, all)
}

/// Processor time of this process so far, where the system tells it (Linux), in its ticks of a hundredth of a second.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields = after_name.split_whitespace().skip(11).take(2);
    fields
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|a| !a.starts_with("--"));
    let Some(path) = arguments.next() else {
        println!("cargo bench --bench decoding -- MODEL.gguf [candle]");
        return;
    };
    let file = std::fs::read(path).unwrap();
    let mut run: Box<dyn FnMut(&Request) -> Told> = match arguments.next() {
        None => {
            let timed = Timed {
                decoder: Llama::from_gguf(&file, Architecture::Llama).unwrap(),
                prompt_seconds: Mutex::default(),
            };
            Box::new(move |request| ours(&timed, request))
        }
        Some(_) => {
            let mut cursor = std::io::Cursor::new(&file);
            let content = Content::read(&mut cursor).unwrap();
            let mut model = ModelWeights::from_gguf(content, &mut cursor, &Device::Cpu).unwrap();
            Box::new(move |request| candles(&mut model, request))
        }
    };
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line.unwrap()).unwrap();
        let before = processor();
        let (prompt, decode, ids) = run(&request);
        let processor = processor() - before;
        let answer = serde_json::json!({"prompt": prompt, "decode": decode, "processor": processor, "ids": ids});
        println!("{answer}");
        std::io::stdout().flush().unwrap();
    }
}
