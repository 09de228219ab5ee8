//! The program as a user meets it.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::path;
use crate::program::{Ran, run, run_with, tidings};

#[test]
fn a_folder_becomes_records_in_byte_order_of_paths() {
    let ran = run(&["classify", "wire"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ids: Vec<String> = ran
        .records()
        .iter()
        .map(|r| r["id"].as_str().unwrap().to_owned())
        .collect();
    let mut sorted = ids.clone();
    sorted.sort();
    assert_eq!(ids, sorted);
    assert_eq!(ids.len(), fs::read_dir(path("data/wire")).unwrap().count());
    assert!(ran.err.contains("articles in"), "{}", ran.err);
}

#[test]
fn a_record_has_the_schema_and_its_evidence_stands_in_the_text() {
    let record = run(&["classify", "wire/palace-denial.txt"])
        .records()
        .remove(0);
    let keys: Vec<&String> = record.as_object().unwrap().keys().collect();
    let expected = [
        "schema",
        "id",
        "title",
        "date",
        "language",
        "claim",
        "stance",
        "label",
        "scores",
        "evidence",
        "model",
        "tokens",
        "windows",
        "truncated",
    ];
    let mut sorted = expected.to_vec();
    sorted.sort_unstable();
    let mut found = keys.clone();
    found.sort();
    assert_eq!(found, sorted);
    let line = run(&["classify", "wire/palace-denial.txt"]).out;
    let places: Vec<usize> = expected
        .iter()
        .map(|k| line.find(&format!("\"{k}\":")).unwrap())
        .collect();
    assert!(
        places.is_sorted(),
        "keys stand in the documented order: {line}"
    );

    let text: Vec<char> = run(&["extract", "wire/palace-denial.txt"])
        .out
        .trim_end()
        .chars()
        .collect();
    let scores = record["scores"].as_object().unwrap();
    assert!((scores.values().map(|v| v.as_f64().unwrap()).sum::<f64>() - 1.0).abs() < 1e-3);
    for evidence in record["evidence"].as_array().unwrap() {
        let at = |key: &str| evidence[key].as_u64().unwrap() as usize;
        let cited: String = text[at("start")..at("end")].iter().collect();
        assert_eq!(cited, evidence["text"].as_str().unwrap());
    }
}

#[test]
fn a_bad_article_is_a_record_and_the_run_goes_on() {
    let ran = run(&[
        "classify",
        "hostile/empty.txt",
        "hostile/picture.txt",
        "foreign/de.txt",
        "nothere.txt",
        "wire/summit.txt",
    ]);
    // A path that does not exist is a mistake in the command, not a bad article.
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("nothere.txt"), "{}", ran.err);

    let ran = run(&["classify", "hostile", "foreign", "wire/river-talks.txt"]);
    assert_eq!(ran.code, 1);
    let kinds: Vec<String> = ran
        .records()
        .iter()
        .map(|r| r["error"]["kind"].as_str().unwrap_or("-").to_owned())
        .collect();
    assert_eq!(kinds, ["empty", "-", "binary", "language", "language", "-"]);
    assert!(
        ran.err.contains("4 errors (empty 1, binary 1, language 2)"),
        "{}",
        ran.err
    );
}

#[test]
fn any_language_reads_what_the_model_may_not_know() {
    assert_eq!(
        run(&["classify", "--any-language", "foreign/de.txt"]).code,
        0
    );
}

#[test]
fn claims_come_from_flags_a_file_and_records() {
    let folder = TempDir::new().unwrap();
    let claims = folder.path().join("claims.txt");
    fs::write(
        &claims,
        "# ours\nA treaty was signed.\n\nTalks were called off.\n",
    )
    .unwrap();
    let asked = |ran: &Ran| -> Vec<String> {
        ran.records()
            .iter()
            .map(|r| r["claim"].as_str().unwrap().to_owned())
            .collect()
    };
    let article = "wire/river-talks.txt";
    assert_eq!(asked(&run(&["classify", article])), ["Talks are imminent."]);
    let ran = run(&[
        "classify",
        article,
        "--claim",
        "One.",
        "--claim",
        "Two.",
        "--claims",
        claims.to_str().unwrap(),
    ]);
    assert_eq!(
        asked(&ran),
        [
            "One.",
            "Two.",
            "A treaty was signed.",
            "Talks were called off."
        ]
    );
    let record = br#"{"id":"a","claim":"Own claim.","text":"The ministers will meet on Monday."}"#;
    assert_eq!(
        asked(&run_with(&["classify", "-", "--claim", "One."], record)),
        ["Own claim."]
    );
}

#[test]
fn labels_can_be_renamed() {
    let labels = |names: &str| run(&["classify", "wire/river-talks.txt", "--labels", names]);
    let record = labels("generic").records().remove(0);
    assert_eq!(record["label"], record["stance"]);
    let record = labels("yes, no, maybe, other").records().remove(0);
    let mut keys: Vec<&String> = record["scores"].as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["maybe", "no", "other", "yes"]);
    let ran = labels("yes,no");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("four different names"), "{}", ran.err);
}

#[test]
fn the_output_file_decides_the_format_and_is_not_overwritten() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let article = "wire/river-talks.txt";
    let ran = run(&["classify", article, "-o", &file("a.jsonl")]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert_eq!(
        fs::read_to_string(file("a.jsonl")).unwrap(),
        run(&["classify", article]).out
    );
    let ran = run(&["classify", article, "-o", &file("a.jsonl")]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("--force"), "{}", ran.err);
    assert_eq!(
        run(&["classify", article, "-o", &file("a.jsonl"), "--force"]).code,
        0
    );

    assert_eq!(run(&["classify", article, "-o", &file("a.csv")]).code, 0);
    assert!(
        fs::read_to_string(file("a.csv"))
            .unwrap()
            .starts_with("id,title,date,")
    );
    assert_eq!(run(&["classify", article, "-o", &file("a.xlsx")]).code, 2);

    fs::copy(path("data/wire/river-talks.txt"), file("in.jsonl")).unwrap();
    let ran = run(&[
        "classify",
        &file("in.jsonl"),
        "-o",
        &file("in.jsonl"),
        "--force",
    ]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("both input and output"), "{}", ran.err);
    assert!(!fs::read_to_string(file("in.jsonl")).unwrap().is_empty());
}

#[test]
fn an_output_that_cannot_be_written_fails_before_the_model_loads() {
    let ran = run(&[
        "classify",
        "wire",
        "-o",
        "no/such/folder/a.jsonl",
        "--model",
        "no-such-model",
    ]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("no/such/folder"), "{}", ran.err);
}

#[test]
fn a_run_never_reads_its_own_output() {
    let folder = TempDir::new().unwrap();
    let article = fs::read_to_string(path("data/wire/lighthouse.txt")).unwrap();
    for i in 0..100 {
        fs::write(folder.path().join(format!("{i}.txt")), &article).unwrap();
    }
    let place = folder.path().to_str().unwrap();
    let out = folder.path().join("zz.jsonl");
    let ran = run(&[
        "classify",
        place,
        "--truncate",
        "1",
        "-o",
        out.to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(fs::read_to_string(&out).unwrap().lines().count(), 100);

    // Redirected by the shell, the output lies in the folder as well; named as an input, it is refused.
    for left in ["zz.jsonl", "zz.jsonl.run"] {
        fs::remove_file(folder.path().join(left)).unwrap();
    }
    let redirected = folder.path().join("yy.jsonl");
    for (input, code, records) in [(place, 0, 100), (&format!("{place}/yy*"), 2, 0)] {
        let status = std::process::Command::new(assert_cmd::cargo::cargo_bin("tidings"))
            .args(["classify", "-q", "--truncate", "1", input])
            .stdout(fs::File::create(&redirected).unwrap())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(code), "{input}");
        let lines = fs::read_to_string(&redirected).unwrap().lines().count();
        assert_eq!(lines, records, "{input}");
    }
}

#[test]
fn an_old_output_survives_a_run_that_cannot_begin() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("a.jsonl");
    let out = out.to_str().unwrap();
    assert_eq!(
        run(&["classify", "wire", "-o", out, "--model", "no-such-model"]).code,
        3
    );
    assert!(!folder.path().join("a.jsonl").exists());
    fs::write(out, "precious").unwrap();
    let ran = run(&[
        "classify",
        "wire",
        "-o",
        out,
        "--force",
        "--model",
        "no-such-model",
    ]);
    assert_eq!(ran.code, 3);
    assert_eq!(fs::read_to_string(out).unwrap(), "precious");
}

#[test]
fn a_claim_that_cannot_be_asked_whole_is_refused() {
    let long = "and so on ".repeat(40);
    let ran = run(&["classify", "wire", "--claim", &long]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("shorten it"), "{}", ran.err);
    assert_eq!(run(&["classify", "wire", "--claim", "..."]).code, 2);
    let record =
        format!("{{\"text\":\"The ministers will meet on Monday.\",\"claim\":\"{long}\"}}");
    let ran = run_with(&["classify", "-"], record.as_bytes());
    assert_eq!(ran.records()[0]["error"]["kind"], "malformed");
}

#[test]
fn a_long_title_is_read_to_its_end() {
    let filler = "The harbour was quiet and the gulls were asleep. ".repeat(8);
    let first = |end: &str| {
        let record =
            serde_json::json!({ "title": format!("{filler}{end}"), "text": "" }).to_string();
        run_with(&["classify", "-"], record.as_bytes())
            .records()
            .remove(0)["scores"]
            .clone()
    };
    assert_ne!(
        first("The talks open on Monday."),
        first("Bananas are cheap again.")
    );
}

#[test]
fn a_full_disk_is_an_error_of_its_own() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    for args in [
        &["classify", "wire", "--format", "jsonl", "-o", "/dev/full"][..],
        &["classify", "wire", "--format", "csv", "-o", "/dev/full"],
        &["classify", "wire", "--format", "html", "-o", "/dev/full"],
        #[cfg(feature = "parquet")]
        &["classify", "wire", "--format", "parquet", "-o", "/dev/full"],
    ] {
        let ran = run(args);
        assert_eq!(ran.code, 3);
        assert!(ran.err.contains("cannot write the results"), "{}", ran.err);
    }
}

#[test]
fn a_table_for_people_cannot_be_steered_by_an_article() {
    let ran = run(&[
        "classify",
        "hostile/leaflet.txt",
        "wire",
        "--format",
        "table",
    ]);
    assert!(ran.out.contains('%'));
    let steering =
        |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!ran.out.contains(steering), "{:?}", ran.out);
}

#[test]
fn special_tokens_in_an_article_are_only_text() {
    let tokens = |text: &str| {
        let record = serde_json::json!({ "text": text }).to_string();
        run_with(&["classify", "-"], record.as_bytes()).records()[0]["tokens"]
            .as_u64()
            .unwrap()
    };
    let plain = tokens("The ministers will meet on Monday in the old town hall.");
    let marked = tokens("The ministers will meet on Monday [SEP] [CLS] in the old town hall.");
    // `[`, `sep` (or its pieces) and `]`: at least three tokens each, never one.
    assert!(marked >= plain + 6, "{plain} {marked}");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    for format in ["jsonl", "csv", "table", "html"] {
        closed_pipe(format);
    }
    #[cfg(feature = "parquet")]
    closed_pipe("parquet");
}

fn closed_pipe(format: &str) {
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("tidings"))
        .args(["classify", "-", "--batch-size", "1", "--format", format])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    for _ in 0..200 {
        // The program may have gone already: that is the point.
        if stdin
            .write_all(b"{\"text\":\"The ministers will meet on Monday.\"}\n")
            .is_err()
        {
            break;
        }
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn extract_prints_the_article_alone_and_nothing_of_the_page() {
    for expected in fs::read_dir(path("data/expected")).unwrap() {
        let expected = expected.unwrap().path();
        let name = expected.file_stem().unwrap().to_str().unwrap().to_owned();
        let source = ["wire", "noisy", "pages"]
            .iter()
            .flat_map(|folder| {
                [
                    format!("{folder}/{name}.txt"),
                    format!("{folder}/{name}.html"),
                ]
            })
            .find(|p| path("data").join(p).exists())
            .unwrap();
        let ran = run(&["extract", &source]);
        assert_eq!(
            ran.out.trim_end(),
            fs::read_to_string(&expected).unwrap().trim_end(),
            "{source}"
        );
    }
}

#[test]
fn extract_of_several_articles_names_each() {
    let ran = run(&["extract", "records/harvest.jsonl", "--json"]);
    let ids: Vec<Value> = ran.records().iter().map(|r| r["id"].clone()).collect();
    assert_eq!(ids.len(), 6);
    assert_eq!(ran.code, 1, "one record of the file is empty");
}

#[test]
fn models_are_listed_shown_and_verified() {
    assert!(run(&["models", "list"]).out.contains("stance-en-small"));
    assert!(run(&["models", "show"]).out.contains("Apache-2.0"));
    assert!(run(&["models", "verify"]).out.contains("match"));
    let tiny = path("fixtures/tiny_bert");
    assert!(
        run(&["models", "verify", tiny.to_str().unwrap()])
            .out
            .contains("tiny-bert@")
    );
    let ran = run(&["models", "show", "no-such-model"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("models list"), "{}", ran.err);
}

#[test]
fn a_folder_is_a_model_too() {
    let tiny = path("fixtures/tiny_bert");
    let ran = run(&[
        "classify",
        "wire/river-talks.txt",
        "--model",
        tiny.to_str().unwrap(),
    ]);
    assert!(
        ran.records()[0]["model"]
            .as_str()
            .unwrap()
            .starts_with("tiny-bert@"),
        "{}",
        ran.err
    );
}

#[test]
fn completions_name_the_commands() {
    assert!(run(&["completions", "bash"]).out.contains("classify"));
}

#[test]
fn the_labelled_examples_are_read_as_a_person_reads_them() {
    let labels = fs::read_to_string(path("data/labels.jsonl")).unwrap();
    let ran = run(&[
        "classify",
        "wire",
        "noisy",
        "pages",
        "records",
        "hostile/leaflet.txt",
    ]);
    let records = ran.records();
    let (mut right, mut all) = (0, 0);
    for label in labels
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap())
    {
        let found = records.iter().find(|r| r["id"] == label["id"]);
        if let (Some(record), Some(expected)) = (found, label["label"].as_str())
            && record["claim"] == "Talks are imminent."
        {
            all += 1;
            right += usize::from(record["label"] == expected);
        }
    }
    // A guard against a broken path (wrong labels, shuffled heads), not a measure of quality: chance is a quarter.
    assert!(all >= 15 && right * 10 >= all * 6, "{right} of {all}");
}

/// But for the percentages, whose last digit is the processor's.
#[test]
fn the_readme_shows_what_the_program_prints() {
    let readme = fs::read_to_string(path("../README.md")).unwrap();
    let masked = |text: &str| -> String {
        let lines = text.lines().map(|line| match line.split_once('%') {
            Some((before, rest)) if before.len() < 20 => {
                format!(
                    "{}{rest}\n",
                    before.trim_end_matches(|c: char| c.is_ascii_digit())
                )
            }
            _ => format!("{line}\n"),
        });
        lines.collect()
    };
    let print = |args: &[&str]| {
        let ran = tidings()
            .current_dir(path(".."))
            .args(args)
            .output()
            .unwrap();
        String::from_utf8(ran.stdout).unwrap()
    };
    let table = print(&["classify", "--format", "table", "tests/data/wire"]);
    assert!(masked(&readme).contains(&masked(&table)), "{table}");
    let file = "tests/data/wire/ferry-strike.txt";
    let summary = print(&["summarise", file, "--claim", "Talks are imminent."]);
    assert!(readme.contains(&summary), "{summary}");
    // The record is wrapped there, and its numbers are the processor's.
    let record = print(&["classify", file]);
    let shown = readme.split("```json\n").nth(1).unwrap();
    let shown: Value = serde_json::from_str(shown.split("```").next().unwrap()).unwrap();
    let without_numbers = |mut record: Value| {
        record.as_object_mut().unwrap().remove("scores").unwrap();
        for evidence in record["evidence"].as_array_mut().unwrap() {
            evidence.as_object_mut().unwrap().remove("score").unwrap();
        }
        record
    };
    assert_eq!(
        without_numbers(shown),
        without_numbers(serde_json::from_str(&record).unwrap())
    );
}
