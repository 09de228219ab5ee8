//! Summarisers: each family's states, logits and words, greedily and by beams, against Hugging Face transformers', frozen by
//! `fixtures/seq2seq.py`, alone and together; and summaries as a folder's own settings give them. What happens to files that are not what
//! they say is in `refused.rs`.

mod refused;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tidings::Files;
use tidings::decode::{
    Answer, Beams, Begun, Decoder, Early, Ended, Row, Rules, Stop, beams, greedy_after,
};
use tidings::model::manifest::{Architecture, Task};
use tidings::model::seq2seq::{Seq2Seq, Summariser};

use crate::path;

pub const FAMILIES: [(&str, Architecture); 4] = [
    ("t5", Architecture::T5),
    ("flan", Architecture::T5),
    ("bart", Architecture::Bart),
    ("pegasus", Architecture::Pegasus),
];

#[derive(Deserialize)]
struct Golden {
    /// Keywords of `generate`.
    settings: Vec<Value>,
    texts: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
    /// The encoder's, of the first token and the last.
    states: [Vec<f32>; 2],
    /// What a decoder has said, and the logits after the first of it and the last.
    words: Vec<u32>,
    logits: [Vec<f32>; 2],
    greedy: Vec<u32>,
    /// Setting by setting.
    written: Vec<Vec<u32>>,
    summary: Summary,
}

#[derive(Deserialize)]
struct Summary {
    text: String,
}

pub fn folder(family: &str) -> PathBuf {
    path("fixtures/seq2seq").join(family)
}

pub fn file(family: &str, name: &str) -> Vec<u8> {
    fs::read(folder(family).join(name)).unwrap()
}

fn golden(family: &str) -> Golden {
    serde_json::from_slice(&file(family, "expected.json")).unwrap()
}

fn load(family: &str, architecture: Architecture) -> Seq2Seq {
    let (config, weights) = (
        file(family, "config.json"),
        file(family, "model.safetensors"),
    );
    Seq2Seq::from_safetensors(&config, "config.json", architecture, &[&weights]).unwrap()
}

/// A copy of the folder without what was computed from it.
pub fn copy(family: &str) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in [
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "model.safetensors",
    ] {
        fs::copy(folder(family).join(name), copy.path().join(name)).unwrap();
    }
    copy
}

pub fn summariser(folder: &Path) -> tidings::Result<Summariser> {
    Summariser::load(&Files::open(folder.to_str().unwrap())?)
}

fn ids(golden: &Golden) -> Vec<&[u32]> {
    golden.texts.iter().map(|text| &text.ids[..]).collect()
}

fn near(found: &[f32], wanted: &[f32], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let distances = found.iter().zip(wanted).map(|(a, b)| (a - b).abs());
    let furthest = distances.fold(0.0, f32::max);
    assert!(furthest < 1e-4, "{what}: {furthest}");
}

/// The logits after each of `words`, for all texts in one pass.
fn logits(model: &Seq2Seq, texts: &[&[u32]], words: &[u32]) -> Vec<Vec<f32>> {
    let mut caches = model.read(texts).unwrap();
    let rows = caches.iter_mut().map(|cache| Row {
        ids: words,
        cache,
        asked: words.len(),
    });
    model.forward(&mut rows.collect::<Vec<_>>()).unwrap()
}

#[test]
fn states_and_logits_are_those_of_transformers_alone_and_in_a_ragged_batch() {
    for (family, architecture) in FAMILIES {
        let model = load(family, architecture);
        let golden = golden(family);
        let texts = ids(&golden);
        assert_eq!(texts.len(), 7);
        let states = model.encode(&texts).unwrap();
        let width = states.len() / texts.iter().map(|text| text.len()).sum::<usize>();
        let words = &golden.texts[0].words;
        let together = logits(&model, &texts, words);
        let mut at = 0;
        for (text, logits_together) in golden.texts.iter().zip(&together) {
            let own = &states[at * width..(at + text.ids.len()) * width];
            at += text.ids.len();
            near(&own[..width], &text.states[0], family);
            near(&own[own.len() - width..], &text.states[1], family);
            let vocabulary = model.words();
            near(&logits_together[..vocabulary], &text.logits[0], family);
            let last = &logits_together[logits_together.len() - vocabulary..];
            near(last, &text.logits[1], family);
            // Alone it is the same bits.
            assert_eq!(model.encode(&[&text.ids]).unwrap(), own, "{family}");
            let alone = logits(&model, &[&text.ids], words).remove(0);
            assert_eq!(&alone, logits_together, "{family}");
        }
    }
}

#[test]
fn words_read_at_once_and_one_by_one_are_the_same_bits() {
    for (family, architecture) in FAMILIES {
        let model = load(family, architecture);
        let golden = golden(family);
        let text = &golden.texts[6];
        let said = &text.greedy;
        let at_once = logits(&model, &[&text.ids], said).remove(0);
        let mut cache = model.read(&[&text.ids]).unwrap().remove(0);
        let step = |cache: &mut _, ids: &[u32]| {
            let asked = ids.len();
            let mut rows = [Row { ids, cache, asked }];
            model.forward(&mut rows).unwrap().remove(0)
        };
        let one_by_one: Vec<f32> = said
            .iter()
            .flat_map(|id| step(&mut cache, std::slice::from_ref(id)))
            .collect();
        assert_eq!(one_by_one, at_once, "{family}");
        // What was forgotten was never there.
        model.truncate(&mut cache, 5);
        assert_eq!(model.length(&cache), 5);
        let rest = step(&mut cache, &said[5..]);
        assert_eq!(rest, at_once[5 * model.words()..], "{family}");
    }
}

/// What is written after each text, all together.
fn written(model: &Seq2Seq, texts: &[&[u32]], how: &How) -> Vec<Answer> {
    let caches = model.read(texts).unwrap().into_iter();
    let begun = caches.map(|cache| Begun {
        cache,
        prompt: &how.start,
    });
    let begun = begun.collect();
    match &how.beams {
        None => greedy_after(model, begun, &how.stop, &how.rules).unwrap(),
        Some(settings) => beams(model, begun, &how.stop, &how.rules, settings).unwrap(),
    }
}

struct How {
    start: Vec<u32>,
    stop: Stop,
    rules: Rules,
    beams: Option<Beams>,
}

/// Keywords of `generate`, as they are meant.
fn how(family: &str, settings: &Value) -> How {
    let own: Value = serde_json::from_slice(&file(family, "generation_config.json")).unwrap();
    let id = |value: &Value| value.as_u64().unwrap() as u32;
    let count = |key: &str| settings[key].as_u64().map(|n| n as usize);
    How {
        start: vec![id(&own["decoder_start_token_id"])],
        stop: Stop {
            ends: vec![id(&own["eos_token_id"])],
            length: count("max_new_tokens").unwrap_or_else(|| count("max_length").unwrap() - 1),
        },
        rules: Rules {
            no_repeat: count("no_repeat_ngram_size").unwrap_or(0),
            least: count("min_new_tokens").unwrap_or(count("min_length").map_or(0, |all| all - 1)),
            first: settings.get("forced_bos_token_id").map(id),
            last: settings
                .get("forced_eos_token_id")
                .map(id)
                .into_iter()
                .collect(),
        },
        beams: count("num_beams").filter(|n| *n > 1).map(|count| Beams {
            count,
            length_penalty: settings["length_penalty"].as_f64().unwrap(),
            early: match &settings["early_stopping"] {
                Value::Bool(true) => Early::Full,
                Value::Bool(false) => Early::Unlikely,
                _ => Early::Impossible,
            },
        }),
    }
}

#[test]
fn greedy_words_are_those_of_transformers_alone_and_together() {
    for (family, architecture) in FAMILIES {
        let model = load(family, architecture);
        let golden = golden(family);
        let mut how = how(family, &serde_json::json!({"max_new_tokens": 40}));
        how.stop.ends.clear();
        let together = written(&model, &ids(&golden), &how);
        for (text, together) in golden.texts.iter().zip(together) {
            assert_eq!(together.ids, text.greedy, "{family}");
            assert_eq!(together.ended, Ended::Length);
            assert_eq!(written(&model, &[&text.ids], &how), [together], "{family}");
        }
    }
}

#[test]
fn what_beams_find_is_what_transformers_writes_alone_and_together() {
    for (family, architecture) in FAMILIES {
        let model = load(family, architecture);
        let golden = golden(family);
        assert!(golden.settings.len() >= 7);
        for (number, settings) in golden.settings.iter().enumerate() {
            let how = how(family, settings);
            let together = written(&model, &ids(&golden), &how);
            for (text, together) in golden.texts.iter().zip(together) {
                assert_eq!(together.ids, text.written[number], "{family}: {settings}");
                assert_eq!(written(&model, &[&text.ids], &how), [together], "{family}");
            }
        }
    }
}

#[test]
fn a_folder_writes_the_summaries_that_transformers_writes_in_any_batch() {
    for (family, architecture) in FAMILIES {
        let files = Files::open(folder(family).to_str().unwrap()).unwrap();
        assert_eq!(files.manifest.task, Task::SummarySeq2seq);
        assert_eq!(files.manifest.architecture, architecture);
        let summariser = Summariser::load(&files).unwrap();
        let golden = golden(family);
        let texts: Vec<&str> = golden.texts.iter().map(|text| &text.text[..]).collect();
        for tokens in [1, 100, 10_000] {
            let written = summariser.write(&texts, tokens).unwrap();
            for (written, text) in written.iter().zip(&golden.texts) {
                assert_eq!(written.text, text.summary.text, "{family}");
                assert!(!written.cut);
            }
        }
        for text in &golden.texts {
            assert_eq!(
                summariser.tokens(&text.text).unwrap(),
                (text.ids.clone(), false)
            );
        }
    }
}

#[test]
fn threads_change_no_byte() {
    let summariser = summariser(&folder("bart")).unwrap();
    let texts = golden("bart").texts;
    let texts: Vec<&str> = texts.iter().map(|text| &text.text[..]).collect();
    let write = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        pool.install(|| summariser.write(&texts, 200).unwrap())
    };
    assert_eq!(write(1), write(3));
}

#[test]
fn a_control_token_in_a_text_is_only_text() {
    for (family, _) in FAMILIES {
        let summariser = summariser(&folder(family)).unwrap();
        let tokenizer: Value = serde_json::from_slice(&file(family, "tokenizer.json")).unwrap();
        let added = tokenizer["added_tokens"].as_array().unwrap().iter();
        let orders = added.filter(|token| token["content"] != "<unk>");
        let orders: Vec<u32> = orders.map(|t| t["id"].as_u64().unwrap() as u32).collect();
        assert!(orders.len() > 1);
        let given = |text: &str| {
            let (ids, _) = summariser.tokens(text).unwrap();
            ids.into_iter().filter(|id| orders.contains(id)).collect()
        };
        let around: Vec<u32> = given("");
        for mark in ["</s>", "<pad>", "<s>", "<mask>", "<n>"] {
            assert_eq!(
                given(&format!("Rain {mark} fell")),
                around,
                "{family} {mark}"
            );
        }
    }
}

#[test]
fn a_text_beyond_the_encoders_limit_is_cut_and_said_to_be() {
    for (family, _) in FAMILIES {
        let summariser = summariser(&folder(family)).unwrap();
        let long = "The mediator of the hill towns left. ".repeat(100);
        let (ids, cut) = summariser.tokens(&long).unwrap();
        assert!(cut && ids.len() == 320, "{family}: {}", ids.len());
        // The end is the model's, not the text's.
        let (short, _) = summariser.tokens("Rain.").unwrap();
        assert_eq!(ids.last(), short.last());
        let written = summariser.write(&["Rain.", &long], 1000).unwrap();
        assert_eq!([written[0].cut, written[1].cut], [false, true]);
    }
}

#[test]
fn a_manifest_says_how_much_is_read_and_how_it_is_written() {
    let copy = copy("flan");
    let sum = |name: &str| tidings::model::store::sha256(&file("flan", name));
    let manifest = |window: usize, more: &str| {
        let text = format!(
            "schema = 1\nname = \"own\"\nversion = \"1\"\ntask = \"summary-seq2seq\"\narchitecture = \"t5\"\nlanguages = []\nlicense = \"MIT\"\n\
             base = \"\"\nweights = \"model.safetensors\"\nweights_sha256 = \"{}\"\ntokenizer = \"tokenizer.json\"\ntokenizer_sha256 = \"{}\"\n\
             config = \"config.json\"\nconfig_sha256 = \"{}\"\nlabels = []\ntemperature = 1.0\n\
             [more]\n\"generation_config.json\" = \"{}\"\n\
             [input]\nwindow = {window}\nclaim = 8\ntitle = 8\n{more}",
            sum("model.safetensors"),
            sum("tokenizer.json"),
            sum("config.json"),
            sum("generation_config.json"),
        );
        fs::write(copy.path().join("manifest.toml"), text).unwrap();
        summariser(copy.path())
    };
    let own = manifest(
        600,
        "[generation]\nprefix = \"summarize: \"\nnum_beams = 1\nmax_new_tokens = 5\nmin_length = 0\n",
    );
    let own = own.unwrap();
    assert_eq!(own.generation().stop.length, 5);
    assert_eq!(own.generation().beams, None);
    let long = "The mediator of the hill towns left. ".repeat(100);
    assert_eq!(own.tokens(&long).unwrap().0.len(), 600);
    let usual = summariser(&folder("flan")).unwrap();
    assert_eq!(
        own.tokens("Rain.").unwrap(),
        usual.tokens("summarize: Rain.").unwrap()
    );
    for (more, says) in [
        ("[generation]\ntop_speed = 3\n", "top_speed"),
        ("[generation]\nnum_beams = \"many\"\n", "num_beams"),
        ("[prompt]\nquestion = \"{text} {claim}\"\n", "prompt"),
    ] {
        let error = manifest(64, more).err().unwrap().to_string();
        assert!(error.contains(says), "{error}");
    }
}
