//! What comes before the model, on our own example articles, one thread: readers, cleaning, the sentence splitter, tokenising.
//!
//! `cargo bench --bench reading`

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidings::article::read::{ReadOptions, Reader, Source};
use tidings::article::{Article, CleanOptions, Content, Raw, sentences};
use tidings::stance::{Claim, DEFAULT_CLAIM, Tokens};
use tidings::{Device, Engine, Files, Model};

fn data(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(below)
}

fn read(below: &str) -> Vec<Raw> {
    let sources = vec![Source::Path(data(below))];
    Reader::new(sources, ReadOptions::default()).collect()
}

fn bytes(raws: &[Raw]) -> u64 {
    let of = |raw: &Raw| match &raw.content {
        Ok(Content::Text(text) | Content::Html(text)) => text.len() as u64,
        Err(_) => 0,
    };
    raws.iter().map(of).sum()
}

fn cleaned(raws: Vec<Raw>) -> Vec<Article> {
    let options = CleanOptions::default();
    raws.into_iter()
        .filter_map(|raw| raw.clean(&options).ok())
        .collect()
}

fn readers(c: &mut Criterion) {
    let mut group = c.benchmark_group("read");
    for below in ["wire", "pages", "records/harvest.jsonl", "records/desk.csv"] {
        group.throughput(Throughput::Bytes(bytes(&read(below))));
        group.bench_function(below, |b| b.iter(|| read(black_box(below))));
    }
    group.finish();
    let mut group = c.benchmark_group("clean");
    for below in ["wire", "noisy", "pages"] {
        let raws = read(below);
        group.throughput(Throughput::Bytes(bytes(&raws)));
        group.bench_function(below, |b| b.iter(|| cleaned(raws.clone())));
    }
    group.finish();
}

fn text(c: &mut Criterion) {
    let articles = cleaned(read("wire"));
    let texts: Vec<String> = articles.iter().map(Article::text).collect();
    let bytes = texts.iter().map(|text| text.len() as u64).sum();
    let mut group = c.benchmark_group("text");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("split into sentences", |b| {
        b.iter(|| {
            texts
                .iter()
                .map(|text| sentences::split(text).len())
                .sum::<usize>()
        });
    });
    let loaded = Files::open("stance-en-small")
        .and_then(|files| Model::load(&files, Device::Auto, Engine::Native));
    let Ok(model) = loaded else {
        return;
    };
    group.bench_function("tokenise", |b| {
        b.iter(|| {
            texts
                .iter()
                .map(|text| model.tokenizer().encode(text).map_or(0, |ids| ids.len()))
                .sum::<usize>()
        });
    });
    let Ok(claim) = Claim::new(DEFAULT_CLAIM, &model) else {
        return;
    };
    group.bench_function("split, tokenise and lay out windows", |b| {
        b.iter(|| {
            articles
                .iter()
                .filter_map(|article| Tokens::new(article, &model, None).ok())
                .map(|tokens| tokens.pair(&claim, &model).cost())
                .sum::<usize>()
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = readers, text
}
criterion_main!(benches);
