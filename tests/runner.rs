//! The batch runner as a user meets it: killed, interrupted, short of disk, shared among machines, under another program.
//!
//! Most of these use the fake model (`--engine fake`): what is tested is the way of the articles, not what is said of them.

mod outputs;
mod shards;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

fn tidings() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("tidings"));
    command.args(["classify", "--engine", "fake", "--threads", "2"]);
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn records(bytes: &[u8]) -> Vec<Value> {
    let lines = bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// JSON Lines of `count` short articles; every 50th is empty.
fn write_articles(path: &Path, count: usize) {
    let mut lines = String::new();
    for id in 0..count {
        let text = match id % 50 {
            49 => String::new(),
            _ => format!(
                "Envoys of Arvenia and Tolmere meet for round {id}. Neither side said more."
            ),
        };
        lines
            .push_str(&json!({ "id": format!("a{id}"), "text": text, "desk": id % 9 }).to_string());
        lines.push('\n');
    }
    fs::write(path, lines).unwrap();
}

struct Place {
    folder: TempDir,
}

impl Place {
    fn with_articles(count: usize) -> Self {
        let folder = TempDir::new().unwrap();
        write_articles(&folder.path().join("in.jsonl"), count);
        Self { folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = tidings();
        command.current_dir(self.folder.path()).args(args);
        command.output().unwrap()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.at(name)).unwrap()
    }
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_as_if_it_had_not_been() {
    let place = Place::with_articles(6_000);
    let whole = place.run(&["in.jsonl", "-o", "whole.jsonl"]);
    assert_eq!(whole.status.code(), Some(1), "{}", said(&whole));
    let begun = Instant::now();
    place.run(&["in.jsonl", "-o", "timed.jsonl"]);
    let usual = begun.elapsed();
    let (mut kills, mut seed) = (0, 12345_u64);
    loop {
        let mut child = tidings()
            .current_dir(place.folder.path())
            .args(["in.jsonl", "-o", "out.jsonl", "--resume"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        sleep(usual.mul_f64((seed >> 33) as f64 / f64::from(1u32 << 31) * 0.5));
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(1));
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills >= 2, "{kills}");
    assert!(place.read("out.jsonl") == place.read("whole.jsonl"));
    assert!(place.read("out.jsonl.run") != b"");
    // Nothing is left to do, and that is said.
    let again = place.run(&["in.jsonl", "-o", "out.jsonl", "--resume"]);
    assert_eq!(
        again.status.code(),
        Some(1),
        "the empty articles still count"
    );
    assert!(
        said(&again).contains("answers 6000 articles already"),
        "{}",
        said(&again)
    );
    assert!(place.read("out.jsonl") == place.read("whole.jsonl"));
}

#[test]
fn an_output_is_gone_on_with_only_by_the_same_run() {
    let place = Place::with_articles(200);
    assert_eq!(
        place.run(&["in.jsonl", "-o", "out.jsonl"]).status.code(),
        Some(1)
    );
    let before = place.read("out.jsonl");
    for (args, reason) in [
        (
            &["in.jsonl", "-o", "out.jsonl"][..],
            "--resume goes on with it",
        ),
        (
            &[
                "in.jsonl",
                "-o",
                "out.jsonl",
                "--resume",
                "--claim",
                "It rains.",
            ],
            "claims was",
        ),
        (
            &["in.jsonl", "-o", "out.jsonl", "--resume", "--truncate", "9"],
            "truncate was null, is 9",
        ),
        (
            &[
                "in.jsonl",
                "-o",
                "out.jsonl",
                "--resume",
                "--labels",
                "generic",
            ],
            "labels was",
        ),
        (&["in.jsonl", "--resume"], "--output"),
        (
            &["in.jsonl", "-o", "out.jsonl", "--resume", "--force"],
            "cannot be used with",
        ),
        (
            &["in.jsonl", "-o", "in.jsonl", "--resume"],
            "both input and output",
        ),
        (
            &["in.jsonl", "out.jsonl.run", "-o", "out.jsonl", "--resume"],
            "both input and output",
        ),
        (&["in.jsonl", "-o", "-", "--resume"], "name it with -o"),
    ] {
        let ran = place.run(args);
        assert_eq!(ran.status.code(), Some(2), "{args:?}: {}", said(&ran));
        assert!(said(&ran).contains(reason), "{args:?}: {}", said(&ran));
        assert_eq!(place.read("out.jsonl"), before, "{args:?}");
    }
    // More articles after those that were answered are answered, others before them refused.
    write_articles(&place.at("in.jsonl"), 220);
    assert_eq!(
        place
            .run(&["in.jsonl", "-o", "out.jsonl", "--resume"])
            .status
            .code(),
        Some(1)
    );
    assert_eq!(records(&place.read("out.jsonl")).len(), 220);
    assert!(place.read("out.jsonl").starts_with(&before));
    let lines = fs::read_to_string(place.at("in.jsonl")).unwrap();
    fs::write(place.at("in.jsonl"), lines.replacen("meet", "met", 1)).unwrap();
    let ran = place.run(&["in.jsonl", "-o", "out.jsonl", "--resume"]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(
        said(&ran).contains("the input has changed"),
        "{}",
        said(&ran)
    );
}

#[test]
fn errors_are_tried_again_when_their_cause_is_mended() {
    let place = Place::with_articles(60);
    let whole = fs::read_to_string(place.at("in.jsonl")).unwrap();
    fs::create_dir(place.at("news")).unwrap();
    for (name, text) in [
        ("a.txt", "The talks open on Monday."),
        ("b.txt", "\0\0\0\u{1}"),
        ("c.jsonl", &whole),
    ] {
        fs::write(place.at("news").join(name), text).unwrap();
    }
    let args = ["news", "-o", "out.jsonl"];
    assert_eq!(place.run(&args).status.code(), Some(1));
    assert_eq!(
        records(&place.read("out.jsonl"))[1]["error"]["kind"],
        "binary"
    );
    fs::write(place.at("news/b.txt"), "No talks are planned.").unwrap();
    let ran = place.run(&[&args[..], &["--retry-errors"]].concat());
    assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
    assert!(
        said(&ran).contains("2 articles in"),
        "one is mended, one empty still: {}",
        said(&ran)
    );
    place.run(&["news", "-o", "anew.jsonl"]);
    assert_eq!(place.read("out.jsonl"), place.read("anew.jsonl"));
    assert!(!place.at("out.jsonl.retry").exists());
}

#[test]
fn a_file_that_comes_back_is_read_when_errors_are_tried_again() {
    let place = Place::with_articles(0);
    fs::create_dir(place.at("news")).unwrap();
    let lines = |name: &str, count: usize| {
        write_articles(&place.at(name), count);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&place.read(name)).unwrap();
        packed.finish().unwrap()
    };
    let packed = lines("long.jsonl", 700);
    fs::write(place.at("news/a.jsonl.gz"), &packed[..packed.len() / 2]).unwrap();
    fs::write(place.at("news/b.jsonl.gz"), &packed[..5]).unwrap();
    fs::write(place.at("news/c.txt"), "The talks open on Monday.").unwrap();
    // An error that has its own id once it is mended.
    fs::write(
        place.at("news/d.jsonl"),
        "{\"id\":\"own\",\"text\":\n{\"text\":\"No talks.\"}\n",
    )
    .unwrap();
    fs::write(place.at("news/e.jsonl.gz"), &packed[..packed.len() / 3]).unwrap();
    let args = ["news", "-o", "out.jsonl"];
    assert_eq!(place.run(&args).status.code(), Some(1));
    fs::write(place.at("news/a.jsonl.gz"), &packed).unwrap();
    fs::write(place.at("news/b.jsonl.gz"), lines("short.jsonl", 90)).unwrap();
    fs::write(
        place.at("news/d.jsonl"),
        "{\"id\":\"own\",\"text\":\"Talks.\"}\n{\"text\":\"No talks.\"}\n",
    )
    .unwrap();
    let ran = place.run(&[&args[..], &["--resume"]].concat());
    assert_eq!(ran.status.code(), Some(2));
    assert!(
        said(&ran).contains("is read by --retry-errors"),
        "{}",
        said(&ran)
    );
    let ran = place.run(&[&args[..], &["--retry-errors"]].concat());
    assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
    place.run(&["news", "-o", "anew.jsonl"]);
    assert!(place.read("out.jsonl") == place.read("anew.jsonl"));
    // The last file too, once all before it are whole; and the log is as good as that of one run.
    fs::write(place.at("news/e.jsonl.gz"), &packed).unwrap();
    place.run(&[&args[..], &["--retry-errors"]].concat());
    place.run(&["news", "-o", "anew.jsonl", "--force"]);
    assert!(place.read("out.jsonl") == place.read("anew.jsonl"));
    let ran = place.run(&[&args[..], &["--resume"]].concat());
    assert!(said(&ran).contains("0 articles in"), "{}", said(&ran));
}

#[test]
fn a_record_is_written_while_the_next_is_still_awaited() {
    let mut child = tidings()
        .args(["-", "--passthrough"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for round in 0..3 {
        writeln!(
            input,
            "{}",
            json!({ "id": round, "text": "The talks open on Monday.", "n": round })
        )
        .unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let record: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(record["fields"]["n"], round);
    }
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_callers_other_fields_come_back_as_they_were() {
    let place = Place::with_articles(0);
    let lines = [
        r#"{"id":"a","text":"The talks open on Monday.","n":123456789012345678901234567890,"x":1.50,"tags":["a", "b\n"],"claim":"It rains."}"#,
        r#"{"id":"b","text":"","desk":"north"}"#,
        r#"{"id":"c","#,
    ];
    fs::write(place.at("in.jsonl"), lines.join("\n")).unwrap();
    let out = String::from_utf8(place.run(&["in.jsonl", "--passthrough"]).stdout).unwrap();
    let out: Vec<&str> = out.lines().collect();
    assert!(
        out[0].ends_with(
            r#","fields":{"n":123456789012345678901234567890,"tags":["a", "b\n"],"x":1.50}}"#
        ),
        "{}",
        out[0]
    );
    assert!(out[1].ends_with(r#""error":{"kind":"empty","message":"no article text found"},"fields":{"desk":"north"}}"#), "{}", out[1]);
    assert!(!out[2].contains("fields"), "{}", out[2]);
    // Values over several lines become one line; cells are strings.
    fs::write(
        place.at("values.json"),
        "[{\"text\": \"The talks open.\",\n \"tags\": [1,\n  \"a b\"]}]",
    )
    .unwrap();
    fs::write(place.at("rows.csv"), "text,desk\nThe talks open.,7\n").unwrap();
    let out = String::from_utf8(
        place
            .run(&["values.json", "rows.csv", "--passthrough"])
            .stdout,
    )
    .unwrap();
    let out: Vec<&str> = out.lines().collect();
    assert!(
        out[0].ends_with(r#""fields":{"tags":[1,"a b"]}}"#),
        "{}",
        out[0]
    );
    assert!(out[1].ends_with(r#""fields":{"desk":"7"}}"#), "{}", out[1]);
    // A table made from a journal has them too.
    let ran = place.run(&["rows.csv", "--passthrough", "-o", "out.csv"]);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let table = String::from_utf8(place.read("out.csv")).unwrap();
    assert!(
        table.lines().next().unwrap().ends_with(",fields"),
        "{table}"
    );
    assert!(table.contains(r#""{""desk"":""7""}""#), "{table}");
}

#[test]
fn what_unpacks_without_end_is_an_error_and_the_rest_is_read() {
    let place = Place::with_articles(3);
    let pack = |name: &str, start: &str, unit: u8, bytes: u64| {
        let file = fs::File::create(place.at(name)).unwrap();
        let mut writer = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        writer.write_all(start.as_bytes()).unwrap();
        std::io::copy(&mut std::io::repeat(unit).take(bytes), &mut writer).unwrap();
        writer.finish().unwrap();
    };
    let article = "{\"id\":\"before\",\"text\":\"The talks open on Monday.\"}\n";
    pack(
        "a.jsonl.gz",
        &format!("{article}{{\"text\":\""),
        b'a',
        1 << 30,
    );
    pack("b.jsonl.gz", article, b'\n', 1 << 30);
    pack("c.csv.gz", "id,text\n", b'\n', 1 << 30);
    pack("d.txt.gz", "", b'a', 1 << 30);
    let begun = Instant::now();
    let ran = place.run(&[
        "a.jsonl.gz",
        "b.jsonl.gz",
        "c.csv.gz",
        "d.txt.gz",
        "in.jsonl",
    ]);
    assert!(
        begun.elapsed() < Duration::from_secs(60),
        "{:?}",
        begun.elapsed()
    );
    let kinds: Vec<String> = records(&ran.stdout)
        .iter()
        .map(|r| r["error"]["kind"].as_str().unwrap_or("-").to_owned())
        .collect();
    let large = "too-large";
    assert_eq!(
        kinds,
        ["-", large, "-", large, large, large, "-", "-", "-"],
        "{}",
        said(&ran)
    );
}

#[cfg(unix)]
mod unix {
    use super::*;

    fn signal(child: &Child, name: &str) {
        let status = Command::new("kill")
            .args([format!("-{name}"), child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    fn waiting(place: &Place, args: &[&str]) -> Child {
        let mut child = tidings()
            .current_dir(place.folder.path())
            .arg("-")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.as_mut().unwrap();
        input
            .write_all(b"{\"text\":\"The talks open on Monday.\"}\n")
            .unwrap();
        child
    }

    fn wait_for(what: impl Fn() -> bool) {
        let begun = Instant::now();
        while !what() {
            assert!(begun.elapsed() < Duration::from_secs(60));
            sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn an_interrupt_ends_the_run_and_says_how_to_go_on() {
        for (name, code) in [("INT", 130), ("TERM", 143)] {
            let place = Place::with_articles(0);
            let out = place.at("out.jsonl");
            let mut child = waiting(&place, &["-o", "out.jsonl"]);
            let input = child.stdin.take();
            wait_for(|| fs::metadata(&out).is_ok_and(|m| m.len() > 0));
            // The run waits for more input, and stops all the same.
            signal(&child, name);
            let ended = child.wait_with_output().unwrap();
            drop(input);
            assert_eq!(ended.status.code(), Some(code), "{}", said(&ended));
            assert!(
                said(&ended).contains(
                    "out.jsonl answers 1 article; the same command with --resume goes on"
                ),
                "{}",
                said(&ended)
            );
            assert_eq!(records(&place.read("out.jsonl")).len(), 1);
        }
    }

    #[test]
    fn an_interrupt_does_not_wait_for_a_batch_to_fill() {
        let place = Place::with_articles(0);
        let child = waiting(&place, &["--max-latency", "60000"]);
        sleep(Duration::from_millis(500));
        signal(&child, "INT");
        let begun = Instant::now();
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
        assert!(begun.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_second_interrupt_ends_the_program_at_once() {
        let place = Place::with_articles(3_000);
        // Nobody reads its output, so that it cannot end by itself.
        let mut child = tidings()
            .current_dir(place.folder.path())
            .arg("in.jsonl")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        sleep(Duration::from_millis(500));
        signal(&child, "INT");
        sleep(Duration::from_millis(300));
        assert!(
            child.try_wait().unwrap().is_none(),
            "it waits for its reader"
        );
        signal(&child, "INT");
        let begun = Instant::now();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(begun.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_full_disk_ends_the_run_with_whole_records_and_room_lets_it_go_on() {
        let place = Place::with_articles(2_000);
        place.run(&["in.jsonl", "-o", "whole.jsonl"]);
        // Files of 200 blocks of 512 or 1,024 bytes at most, whose signal is not minded: writing fails as on a full disk.
        let limited = format!(
            "trap '' XFSZ; ulimit -f 200; exec '{}' classify --engine fake in.jsonl -o out.jsonl",
            assert_cmd::cargo::cargo_bin("tidings").display()
        );
        let ran = Command::new("bash")
            .current_dir(place.folder.path())
            .args(["-c", &limited])
            .output()
            .unwrap();
        assert_eq!(ran.status.code(), Some(3), "{}", said(&ran));
        assert!(
            said(&ran).contains("cannot write the results"),
            "{}",
            said(&ran)
        );
        assert!(said(&ran).contains("--resume goes on"), "{}", said(&ran));
        let part = place.read("out.jsonl");
        assert!(!part.is_empty() && part.ends_with(b"\n"));
        assert!(place.read("whole.jsonl").starts_with(&part));
        place.run(&["in.jsonl", "-o", "out.jsonl", "--resume"]);
        assert!(place.read("out.jsonl") == place.read("whole.jsonl"));
    }

    #[test]
    fn an_input_that_vanishes_is_an_error_record() {
        let place = Place::with_articles(5);
        let mut child = waiting(&place, &["in.jsonl", "-o", "out.jsonl"]);
        let out = place.at("out.jsonl");
        wait_for(|| fs::metadata(&out).is_ok_and(|m| m.len() > 0));
        fs::remove_file(place.at("in.jsonl")).unwrap();
        drop(child.stdin.take());
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{}", said(&ended));
        let records = records(&place.read("out.jsonl"));
        assert_eq!(records.len(), 2);
        assert_eq!(records[1]["error"]["kind"], "unreadable");
    }

    #[test]
    fn a_slow_reader_slows_the_run_and_loses_nothing() {
        let place = Place::with_articles(1_500);
        let mut child = tidings()
            .current_dir(place.folder.path())
            .arg("in.jsonl")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let (mut all, mut part) = (Vec::new(), [0; 4096]);
        loop {
            let read = output.read(&mut part).unwrap();
            if read == 0 {
                break;
            }
            all.extend(&part[..read]);
            if all.len() < 400_000 {
                sleep(Duration::from_millis(2));
            }
        }
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert_eq!(records(&all).len(), 1_500);
    }
}
