//! What bytes from outside are given to, one function each: none may panic, hang or take more memory than it should, and what each
//! promises of its answer is checked.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Map, Value};
use tidings::article::read::{ReadOptions, Reader, Source};
use tidings::article::{CleanOptions, Content, Raw, sentences as split};
use tidings::model::{Manifest, Window};
use tidings::output::{Csv, Journal, JsonLines, Labels, Page, Parquet, Sink, Table};
use tidings::{Device, Engine, Files, Model, Record};

/// The names under which bytes are read; the first byte says which (`a` the first, `b` the second …; a capital keeps other fields).
const NAMES: [&str; 12] = [
    "a.json",
    "a.jsonl",
    "a.csv",
    "a.tsv",
    "a.parquet",
    "a.html",
    "a.txt",
    "a.md",
    "a",
    "a.jsonl.gz",
    "a.csv.zst",
    "a.txt.gz",
];
/// Records of a file that are looked at.
const RECORDS: usize = 500;

fn clean_options() -> CleanOptions {
    CleanOptions {
        max_chars: 100_000,
        languages: Vec::new(),
    }
}

/// A file of any format, to clean articles.
pub fn reading(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let name = NAMES[usize::from((first & 0x1f).wrapping_sub(1)) % NAMES.len()];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let options = ReadOptions {
        max_bytes: 1_000_000,
        passthrough: first & 0x20 == 0,
        ..ReadOptions::default()
    };
    let raws = Reader::new(vec![Source::Path(path)], options);
    for (at, raw) in raws.take(RECORDS).enumerate() {
        if let Some(fields) = raw.fields.clone() {
            serde_json::to_string(&fields).expect("fields are JSON");
        }
        if at < 10 {
            cleaned(raw);
        }
    }
}

/// A text (`t`), a text with a title of its own (`i`: its first line) or a page (`h`).
pub fn cleaning(data: &[u8]) {
    let text = String::from_utf8_lossy(data.get(1..).unwrap_or_default());
    let (title, content) = match data.first() {
        Some(b'h') => (None, Content::Html(text.into_owned())),
        Some(b'i') => {
            let (title, text) = text.split_once('\n').unwrap_or((&text, ""));
            (Some(title.to_owned()), Content::Text(text.to_owned()))
        }
        _ => (None, Content::Text(text.into_owned())),
    };
    cleaned(Raw {
        id: "a".to_owned(),
        title,
        date: None,
        claim: None,
        content: Ok(content),
        fields: None,
        file: 0,
        ends_file: false,
    });
}

fn cleaned(raw: Raw) {
    if let Ok(article) = raw.clean(&clean_options()) {
        let text = article.text();
        assert!(!text.trim().is_empty(), "an article without a text");
        assert!(text.chars().count() <= 100_000, "an article over the limit");
        assert!(
            !article.title.is_some_and(|title| title.contains('\n')),
            "a title of two lines"
        );
        whole(&text);
    }
}

/// The splitter.
pub fn sentences(data: &[u8]) {
    whole(&String::from_utf8_lossy(data));
}

/// Sentences are in order, do not overlap, and between them is nothing to read.
fn whole(text: &str) {
    let mut end = 0;
    for sentence in split::split(text) {
        let between = text.get(end..sentence.start).expect("sentences in order");
        assert!(between.trim().is_empty(), "{between:?} is in no sentence");
        let inside = text.get(sentence.clone()).expect("whole characters");
        assert!(!inside.trim().is_empty(), "an empty sentence");
        end = sentence.end;
    }
    let rest = text.get(end..).expect("whole characters");
    assert!(rest.trim().is_empty(), "{rest:?} is in no sentence");
}

/// A model's manifest.
pub fn manifest(data: &[u8]) {
    if let Ok(manifest) = Manifest::parse(&String::from_utf8_lossy(data)) {
        for (name, sum) in manifest.files() {
            assert!(
                Path::new(name).components().count() == 1,
                "{name:?} leads elsewhere"
            );
            assert_eq!(sum.len(), 64);
        }
    }
}

/// A model of which one file is the data: its weights (`w`), the description before them (`h`), its tokenizer (`t`) or its configuration (`c`).
pub fn model(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let files = tiny();
    let weights = match first {
        b'h' => {
            let length = files
                .weights
                .first_chunk::<8>()
                .map_or(0, |n| u64::from_le_bytes(*n));
            let tensors = files.weights.get(8 + length as usize..).unwrap_or_default();
            [&(bytes.len() as u64).to_le_bytes()[..], bytes, tensors]
                .concat()
                .into()
        }
        b'w' => bytes.to_vec().into(),
        _ => files.weights.clone(),
    };
    let files = Files {
        weights,
        tokenizer: if *first == b't' {
            bytes.to_vec().into()
        } else {
            files.tokenizer.clone()
        },
        config: if *first == b'c' {
            bytes.to_vec().into()
        } else {
            files.config.clone()
        },
        ..files.clone()
    };
    for engine in [Engine::Native, Engine::Reference] {
        if let Ok(model) = Model::load(&files, Device::Cpu, engine) {
            model
                .tokenizer()
                .encode("The talks open [SEP] on Monday.")
                .ok();
        }
    }
}

/// A decoder of which one file is the data: a GGUF file (`g`), the description before its safetensors (`h`), its configuration (`c`), its
/// chat template (`j`), or the index of its shards (`i`).
pub fn decoder(data: &[u8]) {
    macro_rules! file {
        ($name:literal) => {
            &include_bytes!(concat!("../../tests/fixtures/decoders/llama/", $name))[..]
        };
    }
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let weights = file!("model.safetensors");
    let whole = [
        ("config.json", file!("config.json")),
        ("tokenizer.json", file!("tokenizer.json")),
        ("tokenizer_config.json", file!("tokenizer_config.json")),
        ("model.safetensors", weights),
    ];
    let mut files: BTreeMap<&str, Vec<u8>> = whole.map(|(name, b)| (name, b.to_vec())).into();
    match first {
        b'g' => files = BTreeMap::from([("m.gguf", bytes.to_vec())]),
        b'h' => {
            let length = weights
                .first_chunk::<8>()
                .map_or(0, |n| u64::from_le_bytes(*n));
            let tensors = weights.get(8 + length as usize..).unwrap_or_default();
            let file = [&(bytes.len() as u64).to_le_bytes()[..], bytes, tensors].concat();
            files.insert("model.safetensors", file);
        }
        b'c' => drop(files.insert("config.json", bytes.to_vec())),
        b'j' => drop(files.insert("chat_template.jinja", bytes.to_vec())),
        b'i' => {
            files.remove("model.safetensors");
            files.insert("model.safetensors.index.json", bytes.to_vec());
            files.insert("a.safetensors", weights.to_vec());
        }
        _ => return,
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let opened = Files::open(&folder.path().to_string_lossy());
    let loaded = opened.and_then(|files| Model::load(&files, Device::Cpu, Engine::Native));
    if let Ok(model) = loaded {
        let ids = model
            .tokenizer()
            .encode("The talks open <|open|> on Monday.");
        let window = Window {
            ids: ids.unwrap_or_default(),
            first: 0,
            spans: Vec::new(),
            article: true,
            relevance: 0.0,
        };
        if !window.ids.is_empty() {
            model.read(&[&[window]], 100).ok();
        }
    }
}

/// The random model of the tests.
fn tiny() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        macro_rules! file {
            ($name:literal) => {
                &include_bytes!(concat!("../../tests/fixtures/tiny_bert/", $name))[..]
            };
        }
        let manifest = String::from_utf8_lossy(file!("manifest.toml"));
        Files {
            manifest: Manifest::parse(&manifest).unwrap(),
            folder: None,
            config: file!("config.json").into(),
            tokenizer: file!("tokenizer.json").into(),
            weights: file!("model.safetensors").into(),
            more: BTreeMap::new(),
        }
    })
}

/// Records that others may have changed, into every format.
pub fn records(data: &[u8]) {
    let labels = Labels::default();
    let (mut page, mut csv) = (Page::new(Vec::new()), Csv::new(Vec::new()));
    let mut table = Table::new(Vec::new(), 60, &labels, None, true);
    let mut parquet = Parquet::new(std::io::sink());
    for line in data.split(|byte| *byte == b'\n') {
        let Ok(record) = serde_json::from_slice::<Record>(line) else {
            continue;
        };
        let mut json = Vec::new();
        JsonLines(&mut json).write(&record).unwrap();
        let again: Record = serde_json::from_slice(&json).expect("a record is one again");
        assert_eq!(again, record);
        for sink in [
            &mut page as &mut dyn Sink,
            &mut csv,
            &mut table,
            &mut parquet,
        ] {
            sink.write(&record).unwrap();
        }
    }
    csv.flush().unwrap();
    parquet.finish().unwrap();
    page.finish().unwrap();
}

/// What an earlier run has left: its output, a NUL, its log, a NUL, the log of a second try.
pub fn journal(data: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a.jsonl");
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let mut write = |path: &Path| {
        if let Some(part) = parts.next() {
            fs::write(path, part).unwrap();
        }
    };
    write(&place);
    write(&Journal::log_of(&place));
    write(&Journal::log_of(&folder.path().join("a.jsonl.retry")));
    let before = fs::read(&place).unwrap();
    let settings: Map<String, Value> = Map::new();
    if let Ok(journal) = Journal::retry(&place, settings.clone(), 2) {
        journal.finish(false).unwrap();
    }
    if let Ok(journal) = Journal::resume(&place, settings) {
        let answered = journal.earlier().articles;
        // Without an input nothing is gone on with, and nothing lost.
        assert!(journal.finish(true).is_err() || answered == 0);
    }
    let after = fs::read(&place).unwrap();
    assert!(before.starts_with(&after), "records were changed");
}
