//! `tidings bench`, as a user meets it. No time is judged here: what takes how long is foretold by a subject that tells tales.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ran, run};

/// As little measuring as there can be.
const QUICK: [&str; 11] = [
    "bench",
    "--engine=fake",
    "--articles=5",
    "--runs=4",
    "--min-time=0",
    "--processes=2",
    "--warmup=0",
    "--threads=1",
    "--quiet",
    "--format",
    "json",
];

/// Quickly, but for what `args` set otherwise.
fn bench(args: &[&str]) -> Ran {
    let name = |arg: &str| arg.split('=').next().map(str::to_owned);
    let set = |quick: &&&str| args.iter().any(|arg| name(arg) == name(quick));
    let quick = QUICK.iter().filter(|quick| !set(quick));
    run(&[&quick.copied().collect::<Vec<_>>(), args].concat())
}

fn refused(args: &[&str], expected: &str) {
    let ran = bench(args);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(ran.out.is_empty(), "{}", ran.out);
    assert!(ran.err.contains(expected), "{}", ran.err);
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A program that speaks the lines of a subject; each whole pass of its 40 articles takes `seconds`, and encoding half of that.
#[cfg(unix)]
fn tale(folder: &TempDir, name: &str, seconds: f64) -> String {
    let script = folder.path().join(name);
    let size = json!({ "articles": 40, "failed": 0, "windows": 50, "tokens": 8000 });
    let ready = json!({ "ready": { "name": name, "load": 0.25, "size": size } });
    let whole = json!({ "whole": { "seconds": seconds } });
    let stages = json!({ "stages": { "encode": seconds / 2.0 } });
    fs::write(
        &script,
        format!(
            r#"while read -r line; do
                case "$line" in
                    *setup*) echo '{ready}';;
                    '"whole"') echo '{whole}';;
                    '"stages"') echo '{stages}';;
                    *) echo '"none"';;
                esac
            done"#
        ),
    )
    .unwrap();
    format!("sh '{}'", text(&script))
}

fn near(value: &Value, expected: f64) {
    let value = value.as_f64().unwrap();
    assert!(
        (value / expected - 1.0).abs() < 1e-9,
        "{value}, not {expected}"
    );
}

#[test]
fn a_result_says_what_was_measured_on_what_and_keeps_every_sample() {
    let report = bench(&[]).json();
    assert_eq!(report["schema"], 1);
    assert_eq!(report["program"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(!report["program"]["commit"].as_str().unwrap().is_empty());
    assert!(report["machine"]["cores"].as_u64().unwrap() > 0);
    assert!(report["machine"]["features"].is_array());
    let [subject] = &report["subjects"].as_array().unwrap()[..] else {
        panic!("{report}");
    };
    let settings = &subject["settings"];
    assert_eq!(settings["engine"], "fake");
    assert_eq!(settings["threads"], 1);
    assert_eq!(settings["articles"], 5);
    assert_eq!(settings["claims"], json!(["Talks are imminent."]));
    assert_eq!(settings["weights"].as_str().unwrap().len(), 64);
    assert_eq!(settings["texts_sha256"].as_str().unwrap().len(), 64);
    let samples = subject["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 2, "by process");
    for process in samples {
        assert_eq!(process["rounds"].as_array().unwrap().len(), 2);
        assert_eq!(process["rounds"][0]["alone"].as_array().unwrap().len(), 5);
        assert_eq!(process["first_record"].as_array().unwrap().len(), 2);
        let stages = process["rounds"][0]["stages"].as_object().unwrap();
        let named: Vec<&String> = stages.keys().collect();
        for stage in ["read", "clean", "tokenise", "encode", "write"] {
            assert!(stages[stage].is_f64(), "{named:?}");
        }
    }
    let figures = &subject["figures"];
    assert_eq!(figures["articles"]["n"], 4);
    assert_eq!(figures["latency"]["n"], 20);
    assert_eq!(
        figures["latency"]["p99"],
        Value::Null,
        "of 20 there is none"
    );
    assert_eq!(
        figures["roofline"],
        Value::Null,
        "the fake computes nothing"
    );
}

#[test]
fn a_hundred_articles_have_a_99th_percentile() {
    let report = bench(&["--runs=20"]).json();
    let latency = &report["subjects"][0]["figures"]["latency"];
    assert_eq!(latency["n"], 100);
    assert!(latency["p99"].is_f64());
}

#[test]
fn the_model_is_measured_beside_its_roofline() {
    let once = ["--articles=1", "--runs=1", "--processes=1"];
    let report = bench(&[&["--engine=native"], &once[..]].concat()).json();
    let subject = &report["subjects"][0];
    assert!(subject["work"]["int8"].as_u64().unwrap() > 1_000_000_000);
    let roofline = &subject["figures"]["roofline"];
    assert!(roofline["share"].as_f64().unwrap() > 0.0);
    assert!(roofline["peaks"]["bandwidth"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_grid_measures_every_combination() {
    let report = bench(&["--batch-tokens=512,1024", "--length=64,200"]).json();
    let cells: Vec<(u64, u64)> = report["subjects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["settings"])
        .map(|s| {
            (
                s["length"].as_u64().unwrap(),
                s["batch_tokens"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(cells, [(64, 512), (64, 1024), (200, 512), (200, 1024)]);
    let tokens = |cell: usize| {
        report["subjects"][cell]["settings"]["tokens"]
            .as_u64()
            .unwrap()
    };
    assert!(tokens(2) > 2 * tokens(0));
}

#[test]
fn the_users_articles_are_read() {
    let report = bench(&[
        "records/harvest.jsonl",
        "wire",
        "--claim",
        "The ferries run.",
    ])
    .json();
    let settings = &report["subjects"][0]["settings"];
    assert_eq!(settings["texts"], json!(["records/harvest.jsonl", "wire"]));
    assert_eq!(settings["claims"], json!(["The ferries run."]));
    assert_eq!(settings["failed"], 1, "the empty record");
}

#[test]
fn people_get_a_table_and_markdown() {
    let quick: Vec<&str> = QUICK[..9].to_vec();
    let table = run(&quick);
    assert_eq!(table.code, 0, "{}", table.err);
    for words in [
        "articles/s",
        "95% interval",
        "first record, ms",
        "stages apart",
        "1 thread",
    ] {
        assert!(table.out.contains(words), "{words}: {}", table.out);
    }
    assert!(!table.out.contains("p99"), "{}", table.out);
    let md = run(&[&quick[..], &["--format=md", "--batch-tokens=256,512"]].concat());
    assert!(md.out.contains("|---|---:|"), "{}", md.out);
    assert!(md.out.starts_with("- tidings "), "{}", md.out);
}

#[test]
#[cfg(unix)]
fn figures_are_made_of_what_a_subject_tells() {
    let folder = TempDir::new().unwrap();
    let slow = tale(&folder, "slow", 2.0);
    let fast = tale(&folder, "fast <&>", 0.5);
    let plot = folder.path().join("speed.svg");
    let args = [
        "--against",
        &slow,
        "--against",
        &fast,
        "--interleave",
        "--plot",
        text(&plot),
    ];
    let report = bench(&args).json();
    let subjects = report["subjects"].as_array().unwrap();
    let figures = &subjects[1]["figures"];
    near(&figures["articles"]["median"], 20.0);
    near(&figures["articles"]["mean"], 20.0);
    near(&figures["tokens"]["median"], 4000.0);
    near(&figures["encode_articles"]["median"], 40.0);
    near(&figures["load"]["median"], 0.25);
    assert_eq!(figures["articles"]["sd"], 0.0);
    assert_eq!(figures["articles"]["low"], figures["articles"]["high"]);
    near(&subjects[2]["figures"]["articles"]["median"], 80.0);
    // Each beside the first, which is ours.
    let ratios = report["ratios"].as_array().unwrap();
    assert_eq!(ratios.len(), 2);
    assert!(ratios.iter().all(|r| r["whole"]["value"].is_f64()));
    let svg = fs::read_to_string(&plot).unwrap();
    assert!(
        svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"),
        "{svg}"
    );
    assert!(
        svg.contains("fast &lt;&amp;&gt;") && !svg.contains("fast <"),
        "{svg}"
    );
}

#[test]
fn a_subject_that_breaks_off_is_an_error_that_names_it() {
    let ran = bench(&["--against", "echo no"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("broke off"), "{}", ran.err);
}

/// An exported run, and the same with every time multiplied.
fn exported(folder: &TempDir, args: &[&str], times: f64) -> PathBuf {
    fn multiply(value: &mut Value, times: f64) {
        match value {
            Value::Array(all) => all.iter_mut().for_each(|v| multiply(v, times)),
            Value::Object(all) => {
                for (name, value) in all {
                    if let ("alone", Value::Array(times_alone)) = (&name[..], &mut *value) {
                        for seconds in times_alone {
                            *seconds = json!(seconds.as_f64().unwrap() * times);
                        }
                        continue;
                    }
                    let seconds = ["seconds", "read", "clean", "tokenise", "encode", "write"];
                    match (seconds.contains(&name.as_str()), value.as_f64()) {
                        (true, Some(seconds)) => *value = json!(seconds * times),
                        _ => multiply(value, times),
                    }
                }
            }
            _ => {}
        }
    }
    let file = folder.path().join("then.json");
    let export = [&["--export", text(&file), "--force"], args].concat();
    let mut report = bench(&export).json();
    multiply(&mut report["subjects"], times);
    fs::write(&file, report.to_string()).unwrap();
    file
}

#[test]
fn a_regression_exits_with_4_and_only_that() {
    let folder = TempDir::new().unwrap();
    // The earlier run is made a thousand times as fast, then as slow: no noise reaches that far.
    let then = exported(&folder, &[], 1e-3);
    let against = ["--baseline", text(&then), "--fail-on-regression=5"];
    let ran = bench(&against);
    assert_eq!(ran.code, 4, "{}", ran.err);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    for ratio in ["alone", "whole"] {
        let ratio = &report["baseline"]["subjects"][0][ratio];
        assert!(ratio["high"].as_f64().unwrap() < 1.0, "{ratio}");
    }
    // Not asked to fail, it only tells.
    let table = run(&[&QUICK[..9], &against[..2]].concat());
    assert_eq!(table.code, 0, "{}", table.err);
    assert!(table.out.contains("slower"), "{}", table.out);
    // Slower by less than is allowed.
    let allowed = ["--baseline", text(&then), "--fail-on-regression=100"];
    assert_eq!(bench(&allowed).code, 0);
    let then = exported(&folder, &[], 1e3);
    let ran = bench(&["--baseline", text(&then), "--fail-on-regression=5"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn unlike_settings_are_named() {
    let folder = TempDir::new().unwrap();
    let then = exported(&folder, &["--batch-tokens=512"], 1.0);
    let base = ["--baseline", text(&then)];
    let unlike = |args: &[&str], named: &[&str]| {
        let ran = bench(&[&base, args].concat());
        assert_eq!(ran.code, 2, "{}", ran.err);
        for name in named {
            assert!(ran.err.contains(name), "{name}: {}", ran.err);
        }
    };
    unlike(&[], &["batch tokens: 2048, the baseline 512"]);
    unlike(
        &["--batch-tokens=512", "--claim=Rain falls."],
        &["claims: [\"Rain falls.\"], the baseline [\"Talks are imminent.\"]"],
    );
    unlike(&["--batch-tokens=512", "wire"], &["texts sha256: "]);
    // Another machine.
    let mut report: Value = serde_json::from_str(&fs::read_to_string(&then).unwrap()).unwrap();
    report["machine"]["processor"] = json!("Babbage");
    fs::write(&then, report.to_string()).unwrap();
    unlike(
        &["--batch-tokens=512"],
        &["processor: ", "the baseline Babbage"],
    );
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_measured() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("there.json");
    fs::write(&file, "{}").unwrap();
    refused(&["-"], "standard input can be read only once");
    refused(&["nothere.txt"], "nothere.txt");
    refused(&["foreign/de.txt"], "none of the articles can be read");
    refused(&["--export", text(&file)], "exists; --force replaces it");
    refused(
        &["--baseline", text(&file)],
        "not a file of `tidings bench --export`",
    );
    refused(&["--baseline", "nothere.json"], "nothere.json");
    refused(&["--fail-on-regression", "5"], "--baseline");
    refused(&["--interleave"], "--interleave compares subjects");
    refused(&["--batch-tokens=512,512"], "the same subject twice");
    refused(
        &["--plot", text(&folder.path().join("speed.png"))],
        "name the file .svg",
    );
    refused(&["--task=sing"], "classify");
    let nowhere = folder.path().join("no/such/folder.json");
    refused(&["--export", text(&nowhere)], "cannot write");
    let ran = run(&["bench", "--quiet", "--model", "nothere"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("no model `nothere`"), "{}", ran.err);
}
