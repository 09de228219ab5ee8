//! Where the results go: never over an input, never over what is somebody else's.

use std::fs;
use std::process::{Command, Stdio};

use super::*;

#[test]
fn an_output_is_never_input() {
    let place = Place::with_articles(20);
    let input = place.read("in.jsonl");
    fs::create_dir(place.at("news")).unwrap();
    fs::copy(place.at("in.jsonl"), place.at("news/in.jsonl")).unwrap();
    let shell = |command: &str| {
        let program = assert_cmd::cargo::cargo_bin("tidings");
        let command = command.replace("tidings", &format!("'{}'", program.display()));
        let mut bash = Command::new("bash");
        bash.current_dir(place.folder.path()).args(["-c", &command]);
        bash.output().unwrap()
    };
    for command in [
        "tidings classify --engine fake in.jsonl -o in.jsonl --force",
        "tidings classify --engine fake - -o in.jsonl --force < in.jsonl",
        "tidings classify --engine fake news -o news/in.jsonl --force",
        "tidings classify --engine fake news --format table -o news/in.jsonl --force",
        "tidings classify --engine fake in.jsonl >> in.jsonl",
        "tidings classify --engine fake < in.jsonl >> in.jsonl",
    ] {
        let ran = shell(command);
        assert_eq!(ran.status.code(), Some(2), "{command}: {}", said(&ran));
        assert!(
            said(&ran).contains("both input and output"),
            "{}",
            said(&ran)
        );
        assert!(place.read("in.jsonl") == input, "{command}");
        assert!(place.read("news/in.jsonl") == input, "{command}");
    }
}

#[test]
fn nothing_that_a_run_leaves_in_a_folder_is_read_from_it() {
    for (output, leftovers) in [
        (
            "out.csv",
            &[".new", ".jsonl.run.new", ".jsonl.retry", ".jsonl.retry.run"][..],
        ),
        ("out.jsonl", &[".run.new", ".retry", ".retry.run"]),
    ] {
        let place = Place::with_articles(0);
        fs::create_dir(place.at("news")).unwrap();
        write_articles(&place.at("news/in.jsonl"), 60);
        fs::write(place.at("news/b.txt"), "\0\0\0\u{1}").unwrap();
        let output = format!("news/{output}");
        for left in leftovers {
            fs::write(place.at(&format!("{output}{left}")), "Stale talks.").unwrap();
        }
        for flag in ["--no-progress", "--force", "--retry-errors", "--force"] {
            let ran = place.run(&["news", "-o", &output, flag]);
            let articles = if flag == "--retry-errors" { 2 } else { 61 };
            let expected = format!("{articles} articles in");
            assert!(
                said(&ran).contains(&expected),
                "{output} {flag}: {}",
                said(&ran)
            );
        }
    }
}

#[test]
fn what_is_not_a_runs_own_is_replaced_only_by_force() {
    let place = Place::with_articles(10);
    fs::write(place.at("out.csv"), "mine").unwrap();
    fs::write(place.at("b.jsonl.run"), "mine too").unwrap();
    for output in ["out.csv", "b.jsonl"] {
        for flag in ["--resume", "--quiet"] {
            let ran = place.run(&["in.jsonl", "-o", output, flag]);
            assert_eq!(
                ran.status.code(),
                Some(2),
                "{output} {flag}: {}",
                said(&ran)
            );
            assert!(said(&ran).contains("exists"), "{}", said(&ran));
        }
    }
    assert_eq!(place.read("out.csv"), b"mine");
    assert_eq!(place.read("b.jsonl.run"), b"mine too");
    assert_eq!(
        place
            .run(&["in.jsonl", "-o", "out.csv", "--force"])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(records(&place.read("out.csv.jsonl")).len(), 10);
}

/// Makes a file of this format, as its stream is, also after a kill; gives its records.
fn made_whole(place: &Place, format: &str) -> Vec<Value> {
    let output = format!("out.{format}");
    let run = |more: &[&str]| place.run(&[&["in.jsonl"], more].concat());
    let ran = run(&["-o", &output]);
    assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
    let streamed = run(&["--format", format]).stdout;
    assert_eq!(place.read(&output), streamed);
    let journal = place.at(&format!("{output}.jsonl"));
    let whole = fs::read(&journal).unwrap();
    // Cut down and without its file, as after a kill.
    fs::write(&journal, &whole[..whole.len() / 3]).unwrap();
    fs::remove_file(place.at(&output)).unwrap();
    let ran = run(&["-o", &output, "--resume"]);
    assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
    assert_eq!(place.read(&output), streamed);
    assert_eq!(run(&["-o", &output]).status.code(), Some(2));
    records(&whole)
}

#[test]
fn a_table_is_made_whole_from_its_journal() {
    let place = Place::with_articles(400);
    assert_eq!(made_whole(&place, "csv").len(), 400);
}

/// Of each row what `extract` finds in a column: the way in reads what the way out wrote.
#[cfg(feature = "parquet")]
fn column(place: &Place, file: &str, name: &str) -> Vec<Value> {
    let mut extract = Command::new(assert_cmd::cargo::cargo_bin("tidings"));
    let extract = extract.current_dir(place.folder.path());
    let ran = extract
        .args(["extract", "--json", "--text-field", name, file])
        .output()
        .unwrap();
    let rows = records(&ran.stdout);
    rows.into_iter().map(|row| row["text"].clone()).collect()
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_is_made_whole_from_its_journal() {
    let place = Place::with_articles(400);
    let records = made_whole(&place, "parquet");
    for name in ["claim", "stance", "label"] {
        let expected: Vec<Value> = records.iter().map(|record| record[name].clone()).collect();
        assert_eq!(column(&place, "out.parquet", name), expected);
    }
}

#[cfg(feature = "parquet")]
#[test]
fn articles_come_out_of_parquet() {
    let place = Place::with_articles(0);
    let folder = crate::path("data/parquet");
    let folder = folder.to_str().unwrap();
    let ran = place.run(&[folder, "-o", "out.jsonl", "--passthrough"]);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let found = records(&place.read("out.jsonl"));
    // Six files of forty rows, and the script that made them.
    assert_eq!(found.len(), 241);
    let first = found.iter().find(|record| record["id"] == "1").unwrap();
    assert_eq!(first["title"], "Report 1");
    assert_eq!(first["date"], "2026-11-02T08:30:00");
}

#[cfg(unix)]
#[test]
fn an_output_may_be_a_link_or_a_named_pipe() {
    let place = Place::with_articles(30);
    fs::create_dir(place.at("far")).unwrap();
    std::os::unix::fs::symlink("far/real.jsonl", place.at("out.jsonl")).unwrap();
    let ran = place.run(&["in.jsonl", "-o", "out.jsonl"]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(said(&ran).contains("leads nowhere"), "{}", said(&ran));
    assert!(place.at("out.jsonl").is_symlink());
    fs::write(place.at("far/real.jsonl"), "").unwrap();
    for flag in ["--force", "--retry-errors"] {
        place.run(&["in.jsonl", "-o", "out.jsonl", flag]);
        assert!(place.at("out.jsonl").is_symlink());
        assert_eq!(records(&place.read("far/real.jsonl")).len(), 30, "{flag}");
    }
    let made = Command::new("mkfifo").arg(place.at("pipe.jsonl")).status();
    assert!(made.unwrap().success());
    let child = tidings()
        .current_dir(place.folder.path())
        .args(["in.jsonl", "-o", "pipe.jsonl"])
        .stderr(Stdio::null())
        .spawn();
    let written = place.read("pipe.jsonl");
    assert_eq!(child.unwrap().wait().unwrap().code(), Some(0));
    assert_eq!(records(&written).len(), 30);
}
