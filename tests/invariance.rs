//! Alone = together: an article's record is the same bytes alone, in any batch, in any order, with any number of threads.

use std::fs;

use tidings::article::read::{ReadOptions, Reader, sources};
use tidings::article::{Content, Raw};
use tidings::model::store::EMBEDDED;
use tidings::output::JsonLines;
use tidings::{Device, Engine, Files, Model, Options};

use crate::path;

fn articles() -> Vec<Raw> {
    let folders = ["wire", "noisy", "pages", "records"]
        .map(|f| path("data").join(f).to_str().unwrap().to_owned());
    let mut raws: Vec<Raw> =
        Reader::new(sources(&folders).unwrap(), ReadOptions::default()).collect();
    // One of a dozen windows, so that articles are cut between batches too.
    let long = fs::read_to_string(path("data/wire/grain-analysis.txt")).unwrap();
    let long: String = (1..4)
        .map(|part| long.replace('.', &format!(", in part {part}.")))
        .collect();
    raws.insert(
        3,
        Raw {
            id: "long".to_owned(),
            title: None,
            date: None,
            claim: None,
            content: Ok(Content::Text(long)),
            fields: None,
            file: 0,
            ends_file: false,
        },
    );
    raws
}

fn lines(raws: Vec<Raw>, model: &Model, options: &Options) -> Vec<String> {
    let mut out = Vec::new();
    tidings::run(
        raws.into_iter(),
        model,
        options,
        &mut JsonLines(&mut out),
        &mut |_| (),
    )
    .unwrap();
    String::from_utf8(out)
        .unwrap()
        .lines()
        .map(String::from)
        .collect()
}

#[test]
fn a_record_is_the_same_bytes_in_any_company() {
    let model = Model::load(&Files::open(EMBEDDED).unwrap(), Device::Cpu, Engine::Native).unwrap();
    let raws = articles();
    assert!(raws.len() > 15);
    let options = |batch_size: usize, threads: usize| Options {
        claims: vec![
            "Talks are imminent.".to_owned(),
            "A treaty was signed.".to_owned(),
        ],
        batch_size,
        threads,
        ..Options::default()
    };
    let alone: Vec<String> = raws
        .iter()
        .flat_map(|raw| lines(vec![raw.clone()], &model, &options(1, 1)))
        .collect();
    for batch_size in [1, 2, 7, 64] {
        for threads in [1, 2] {
            let together = lines(raws.clone(), &model, &options(batch_size, threads));
            assert_eq!(
                together, alone,
                "batches of {batch_size}, {threads} threads"
            );
        }
    }
    let small = Options {
        batch_tokens: 1,
        ..options(64, 2)
    };
    assert_eq!(lines(raws.clone(), &model, &small), alone);

    // More articles than are prepared in one go.
    let many: Vec<Raw> = std::iter::repeat_n(raws.clone(), 3).flatten().collect();
    assert_eq!(
        lines(many, &model, &options(7, 2)),
        [&alone[..], &alone, &alone].concat()
    );

    let mut backwards = raws;
    backwards.reverse();
    let mut reversed = lines(backwards, &model, &options(7, 2));
    let mut sorted = alone;
    reversed.sort();
    sorted.sort();
    assert_eq!(reversed, sorted);
}

#[test]
fn float_weights_keep_the_promise_too() {
    let folder = path("fixtures/tiny_bert");
    let files = Files::open(folder.to_str().unwrap()).unwrap();
    let model = Model::load(&files, Device::Cpu, Engine::Native).unwrap();
    let raws = articles();
    let options = |batch_size| Options {
        batch_size,
        ..Options::default()
    };
    let alone: Vec<String> = raws
        .iter()
        .flat_map(|raw| lines(vec![raw.clone()], &model, &options(1)))
        .collect();
    assert_eq!(lines(raws, &model, &options(64)), alone);
}
