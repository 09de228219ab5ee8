//! Summaries that a language model says shorter. The models here are tiny and random, so that their choices are as bad as can be: even so a
//! summary says nothing that the article does not.

use std::path::Path;

use tempfile::TempDir;
use tidings::model::store::sha256;
use tidings::summary::check::{check, shortenings};

use crate::path;
use crate::program::run;

#[test]
fn whatever_the_model_is_the_summary_says_what_the_article_says() {
    let article = ["summarise", "wire/ferry-strike.txt", "--json"];
    let claim = ["--claim", "Talks are imminent."];
    let mut rewritten = 0;
    for about in [&[][..], &claim] {
        let extracted = run(&[&article[..], about].concat()).json();
        let copies = extracted["summary"]["sentences"].as_array().unwrap();
        for rewriter in [
            "decoders/llama",
            "decoders/gemma3",
            "seq2seq/t5",
            "seq2seq/bart",
        ] {
            let folder = path("fixtures").join(rewriter);
            let asked = [
                "--style",
                "rewritten",
                "--rewriter",
                folder.to_str().unwrap(),
            ];
            let record = run(&[&article[..], about, &asked].concat()).json();
            let sentences = record["summary"]["sentences"].as_array().unwrap();
            assert_eq!(sentences.len(), copies.len());
            for (sentence, copy) in sentences.iter().zip(copies) {
                assert_eq!(sentence["sources"], copy["sources"]);
                let [text, source] = [sentence, copy].map(|s| s["text"].as_str().unwrap());
                assert_eq!(check(text, source), Ok(()), "{rewriter}");
                match sentence["mode"].as_str() {
                    Some("rewritten") => assert!(shortenings(source).iter().any(|s| s == text)),
                    _ => assert_eq!(sentence, copy),
                }
                rewritten += u32::from(sentence != copy);
            }
        }
    }
    assert!(rewritten > 0);
}

#[test]
fn a_batch_is_rewritten_as_each_article_alone() {
    let folder = path("fixtures/decoders/qwen2");
    let asked = [
        "--style",
        "rewritten",
        "--rewriter",
        folder.to_str().unwrap(),
    ];
    let claim = ["--claim", "Talks are imminent."];
    let batch = run(&[
        &["classify", "wire", "--summary", "--batch-size", "3"],
        &claim[..],
        &asked,
    ]
    .concat());
    assert_eq!(batch.code, 0, "{}", batch.err);
    for record in batch.records() {
        let id = record["id"].as_str().unwrap();
        let alone = run(&[&["summarise", id, "--json"], &claim[..], &asked].concat());
        assert_eq!(alone.json()["summary"], record["summary"]);
    }
}

#[test]
fn a_rewriter_that_is_not_here_is_named_with_what_fetches_it() {
    let ran = run(&["summarise", "wire/ferry-strike.txt", "--style", "rewritten"]);
    let said = ran.refused();
    assert!(
        said.contains("tidings models pull rewriter-en-small"),
        "{said}"
    );
    let listed = run(&["models", "list"]).out;
    assert!(
        listed.contains("tidings models pull rewriter-en-small"),
        "{listed}"
    );
    // No package is fetched where nothing may be.
    let home = TempDir::new().unwrap();
    let mut pull = crate::program::tidings();
    pull.args(["models", "pull", "rewriter-en-small"])
        .env("HF_HOME", home.path());
    let ran = crate::program::Ran::of(&mut pull);
    assert!(ran.refused().contains("HF_HUB_OFFLINE"), "{}", ran.err);
}

#[test]
fn what_cannot_rewrite_is_refused() {
    let says = |args: &[&str]| {
        let ran = run(&[&["summarise", "wire/ferry-strike.txt"], args].concat());
        (ran.code, ran.err)
    };
    let encoder = path("fixtures/families/bert");
    assert!(Path::new(&encoder).is_dir());
    let (code, said) = says(&[
        "--style",
        "rewritten",
        "--rewriter",
        encoder.to_str().unwrap(),
    ]);
    assert!(code == 3 && said.contains("instruct decoder"), "{said}");
    let (code, said) = says(&["--rewriter", "x"]);
    assert!(code == 2 && said.contains("--style rewritten"), "{said}");
    let ran = run(&["classify", "wire/ferry-strike.txt", "--style", "rewritten"]);
    assert!(
        ran.code == 2 && ran.err.contains("--summary"),
        "{}",
        ran.err
    );
}

#[test]
fn a_rewriter_is_a_decoder_with_an_adapter_and_tells_no_stance() {
    let folder = TempDir::new().unwrap();
    let mut files = Vec::new();
    for (from, names) in [
        (
            "decoders/llama",
            &[
                "config.json",
                "tokenizer.json",
                "tokenizer_config.json",
                "model.safetensors",
            ][..],
        ),
        (
            "decoders/adapter",
            &["adapter_config.json", "adapter_model.safetensors"],
        ),
    ] {
        for name in names {
            let bytes = std::fs::read(path("fixtures").join(from).join(name)).unwrap();
            std::fs::write(folder.path().join(name), &bytes).unwrap();
            files.push(format!("\"{name}\" = \"{}\"", sha256(&bytes)));
        }
    }
    let sum = |name: &str| {
        let line = files
            .iter()
            .find(|line| line.starts_with(&format!("\"{name}\"")))
            .unwrap();
        line.rsplit(" = ").next().unwrap().to_owned()
    };
    let manifest = format!(
        "schema = 1\nname = \"short\"\nversion = \"1\"\ntask = \"rewrite-decoder\"\narchitecture = \"llama\"\nlanguages = []\nlicense = \"MIT\"\nbase = \"\"\n\
         weights = \"model.safetensors\"\nweights_sha256 = {}\ntokenizer = \"tokenizer.json\"\ntokenizer_sha256 = {}\n\
         config = \"config.json\"\nconfig_sha256 = {}\nadapter = \"adapter_model.safetensors\"\nlabels = []\ntemperature = 1.0\n\
         [input]\nwindow = 512\nclaim = 1\ntitle = 0\n[more]\n{}\n{}\n{}\n",
        sum("model.safetensors"),
        sum("tokenizer.json"),
        sum("config.json"),
        files[2],
        files[4],
        files[5],
    );
    std::fs::write(folder.path().join("manifest.toml"), manifest).unwrap();
    let name = folder.path().to_str().unwrap();
    let verified = run(&["models", "verify", name]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    let shown = run(&["models", "show", name]).out;
    assert!(
        shown.contains("rewrite-decoder") && shown.contains("adapter_model.safetensors"),
        "{shown}"
    );
    // Its name is the adapter's.
    assert!(
        shown.contains(&format!(
            "short@{}",
            &sum("adapter_model.safetensors")[1..13]
        )),
        "{shown}"
    );
    let ran = run(&["classify", "wire", "--model", name]);
    assert!(ran.refused().contains("is a rewriter"), "{}", ran.err);
    let ran = run(&[
        "summarise",
        "wire/ferry-strike.txt",
        "--style",
        "rewritten",
        "--rewriter",
        name,
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    // Without the adapter's configuration it cannot be computed.
    let manifest = std::fs::read_to_string(folder.path().join("manifest.toml")).unwrap();
    std::fs::write(
        folder.path().join("manifest.toml"),
        manifest.replace(&files[4], ""),
    )
    .unwrap();
    let ran = run(&["models", "verify", name]);
    assert!(ran.refused().contains("adapter_config.json"), "{}", ran.err);
    // A summariser is verified as what it is, too.
    let ran = run(&[
        "models",
        "verify",
        path("fixtures/seq2seq/t5").to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn the_check_is_measured_on_judged_sentences() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("judged.jsonl");
    let source = "Dock workers at the port of Lorne, which lies in the south, voted to end their six-week strike, the union said.";
    let lines = [
        serde_json::json!({"sources": [source], "summary": [
            {"text": "Dock workers at the port of Lorne voted to end their six-week strike, the union said.", "supported": true},
            {"text": "Dock workers voted to end their ten-week strike, the union said.", "supported": false},
        ]}),
        serde_json::json!({"article": format!("It rained in Lorne. {source}"), "set": "", "summary": [
            {"text": source, "votes": [true, true, false]},
            {"text": "Dock workers voted against the strike, the union said.", "votes": [false, true, false]},
            {"text": "Nobody has judged this."},
        ]}),
    ];
    std::fs::write(&file, lines.map(|line| line.to_string()).join("\n")).unwrap();
    let name = file.to_str().unwrap();
    let report = run(&["eval", "--check", name, "--format", "json"]).json();
    let set = &report["sets"][0];
    assert_eq!(
        (&set["sentences"], &set["supported"]),
        (&4.into(), &2.into())
    );
    for figure in ["auc", "kept", "rejected"] {
        assert_eq!(set[figure]["value"], 1.0, "{figure}: {report}");
    }
    assert_eq!(report["sentences"][1]["flaw"], "word: ten-week");
    let table = run(&["eval", "--check", name]).out;
    assert!(
        table.contains("4 sentences, 2 supported") && table.contains("kept"),
        "{table}"
    );
    let piped = crate::program::run_with(&["eval", "--check", "-"], std::fs::read(&file).unwrap());
    assert_eq!(piped.out, table);
    for unused in [&["--style", "rewritten"][..], &["--sample", "2"]] {
        let ran = run(&[&["eval", "--check", name], unused].concat());
        assert_eq!(ran.code, 2, "{unused:?}: {}", ran.err);
    }
    std::fs::write(&file, "{\"summary\": []}\n").unwrap();
    let ran = run(&["eval", "--check", name]);
    assert!(
        ran.code == 2 && ran.err.contains("line 1: neither sources nor article"),
        "{}",
        ran.err
    );
}
