//! Reports as a user makes them: with `classify -o`, with `report`, down a pipe, and from what is torn or somebody else's.

mod browser;

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Ran, run, run_with};

/// The data of a page.
pub fn data(page: &str) -> Value {
    let open = "<script type=\"application/json\" id=\"data\">";
    let (_, rest) = page.split_once(open).expect("a page with data");
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

fn ok(ran: &Ran) {
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn a_page_is_made_by_classify_in_a_file_and_down_a_pipe() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("out.html");
    let file = file.to_str().unwrap();
    let args = ["classify", "--engine", "fake", "wire", "hostile/empty.txt"];
    let ran = run(&[&args[..], &["-o", file]].concat());
    assert_eq!(ran.code, 1, "{}", ran.err);
    let page = fs::read_to_string(file).unwrap();
    let rows = data(&page)["rows"].as_array().unwrap().clone();
    assert_eq!(rows.len(), 8);
    assert_eq!(rows[7]["error"]["kind"], "empty");
    assert_eq!(rows[0]["id"], "wire/ceasefire-wrapped.txt");
    let piped = run(&[&args[..], &["--format", "html"]].concat());
    assert_eq!(piped.out, page);
    // The page's records lie beside it: the run can be gone on with, and the page made again.
    fs::remove_file(file).unwrap();
    run(&[&args[..], &["-o", file, "--resume"]].concat());
    assert_eq!(fs::read_to_string(file).unwrap(), page);
    let again = run(&["report", &format!("{file}.jsonl")]);
    ok(&again);
    assert_eq!(again.out, page);
}

#[test]
fn texts_come_with_the_articles_and_the_evidence_stands_in_them() {
    let articles = ["wire", "records/harvest.jsonl"];
    let records = run(&[
        &["classify", "--engine", "fake", "--summary"],
        &articles[..],
    ]
    .concat())
    .out;
    let mut args = vec!["report", "-"];
    args.extend(articles.iter().flat_map(|path| ["--articles", path]));
    let page = run_with(&args, &records);
    ok(&page);
    let data = data(&page.out);
    let texts = data["texts"].as_array().unwrap();
    let (mut sentences, mut answers) = (0, 0);
    for row in data["rows"].as_array().unwrap() {
        if row.get("error").is_some() {
            continue;
        }
        answers += 1;
        let text = texts.iter().find(|text| text[0] == row["article"]).unwrap();
        let text: Vec<char> = text[1].as_str().unwrap().chars().collect();
        for evidence in row["evidence"].as_array().unwrap() {
            let place = |i: usize| evidence[i].as_u64().unwrap() as usize;
            let there: String = text[place(1)..place(2)].iter().collect();
            assert_eq!(evidence[0], there.as_str());
            sentences += 1;
        }
    }
    assert!(answers >= 10 && sentences >= 5, "{answers} {sentences}");
    // Other articles than those that were read: said, and no text at all.
    let other = run_with(&["report", "-", "--articles", "noisy"], &records);
    ok(&other);
    assert!(
        other.err.contains("no text for 12 articles"),
        "{}",
        other.err
    );
}

#[test]
fn lines_that_are_no_records_are_counted_and_said() {
    let records = run(&["classify", "--engine", "fake", "wire"]).out;
    let torn = &records[..records.len() - 40];
    let mixed = format!("{{\"label\":\"somebody else's\"}}\n\n{torn}\n\u{7f}\n");
    let ran = run_with(&["report", "-"], mixed);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let data = data(&ran.out);
    assert_eq!(data["rows"].as_array().unwrap().len(), 6);
    assert_eq!(data["names"]["skipped"], 3);
    for said in [
        "standard input, line 1 is no record",
        "line 9 is no record: it is cut off",
        "3 lines are no records",
    ] {
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
    // What a newer version wrote, with whatever fields, is not left out as if it were nothing.
    let newer = format!("{records}{{\"schema\":2,\"id\":\"a\",\"verdict\":[0.5]}}\n");
    let ran = run_with(&["report", "-"], newer);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err
            .contains("line 8: a record of schema 2, which a newer version"),
        "{}",
        ran.err
    );
    for (odd, reason) in [
        ("{\"schema\":0,\"id\":\"a\"}", "there is no schema 0"),
        ("{\"schema\":\"1\"}", "it has other fields"),
        ("[{\"schema\":1}]", "`jq -c .[] FILE"),
        ("[\n{\"schema\":1},\n", "`jq -c .[] FILE"),
    ] {
        let ran = run_with(&["report", "-"], odd);
        assert_eq!(ran.code, 2, "{odd}");
        assert!(ran.err.contains(reason), "{odd}: {}", ran.err);
        assert!(
            ran.err.contains("no records in standard input"),
            "{odd}: {}",
            ran.err
        );
    }
    let ran = run_with(&["report", "-"], format!("\u{feff}{records}"));
    ok(&ran);
    assert!(ran.err.contains("7 records"), "{}", ran.err);
    let ran = run_with(&["report", "-"], [0xff_u8, 0xfe, 0, b'\n', b'{'].as_slice());
    assert_eq!(ran.code, 2, "{}", ran.err);
}

#[test]
fn nothing_is_overwritten_and_an_error_leaves_no_half_page() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (records, page) = (at("run.jsonl"), at("page.html"));
    ok(&run(&[
        "classify", "--engine", "fake", "wire", "-o", &records,
    ]));
    ok(&run(&["report", &records, "-o", &page]));
    let before = fs::read(&page).unwrap();
    for (args, reason) in [
        (
            vec!["report", &records, "-o", &page],
            "exists; --force replaces it",
        ),
        (
            vec!["report", &records, "-o", &records, "--force"],
            "both input and output",
        ),
        (
            vec!["report", "none.jsonl", "-o", &page, "--force"],
            "cannot read none.jsonl",
        ),
        (
            vec!["report", "wire/summit.txt", "-o", &page, "--force"],
            "cannot read",
        ),
        (
            vec!["report", "sentences.txt", "-o", &page, "--force"],
            "no records in sentences.txt",
        ),
        (
            vec!["report", &records, "-o", folder.path().to_str().unwrap()],
            "it is a folder; name a file in it",
        ),
        (vec!["report", "-", "-"], "`-` is given twice"),
        (vec!["report", "-", "--articles", "-"], "`-` is given twice"),
    ] {
        let ran = run(&args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert!(ran.err.contains(reason), "{args:?}: {}", ran.err);
        assert_eq!(fs::read(&page).unwrap(), before, "{args:?}");
        assert!(!folder.path().join("page.html.new").exists(), "{args:?}");
    }
    // The articles are not to be overwritten either, nor is what lies beside the page, and records are no articles.
    let article = at("page2.html.new");
    fs::write(&article, "Talks open on Monday.").unwrap();
    for (args, reason) in [
        (
            vec!["-o", &article, "--articles", &article],
            "both input and output",
        ),
        (
            vec!["-o", &at("page2.html"), "--articles", &article],
            "both input and output",
        ),
        (
            vec!["-o", &at("page3.html"), "--articles", &records],
            "these are the records",
        ),
    ] {
        let ran = run(&[&["report", &records, "--force"], &args[..]].concat());
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert!(ran.err.contains(reason), "{args:?}: {}", ran.err);
        assert_eq!(fs::read(&article).unwrap(), b"Talks open on Monday.");
    }
    // Another run over the same articles: the same texts serve both.
    let other = at("other.jsonl");
    ok(&run(&[
        "classify",
        "--engine",
        "fake",
        "wire",
        "--claim",
        "It rains.",
        "-o",
        &other,
    ]));
    let both = run(&["report", &records, &other, "--articles", "wire"]);
    assert!(!both.err.contains("no text"), "{}", both.err);
    let both = data(&both.out);
    assert_eq!(both["texts"].as_array().unwrap().len(), 7);
    assert_eq!(both["rows"][7]["article"], 0);
    ok(&run(&[
        "report", &records, &records, "-o", &page, "--force",
    ]));
    let twice = data(&fs::read_to_string(&page).unwrap());
    assert_eq!(
        twice["rows"].as_array().unwrap().len(),
        14,
        "the parts of a run, one after the other"
    );
}

#[cfg(unix)]
#[test]
fn a_page_goes_down_a_device_without_more_ado() {
    let records = run(&["classify", "--engine", "fake", "wire"]).out;
    let ran = run_with(&["report", "-", "-o", "/dev/null"], &records);
    ok(&ran);
    assert!(ran.err.contains("7 records"), "{}", ran.err);
    assert!(!std::path::Path::new("/dev/null.new").exists());
}

#[cfg(unix)]
#[test]
fn a_link_leads_to_the_page_and_stays() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("real.html"), "old").unwrap();
    std::os::unix::fs::symlink(at("real.html"), at("link.html")).unwrap();
    let records = run(&["classify", "--engine", "fake", "wire"]).out;
    let link = at("link.html");
    let args = ["report", "-", "-o", link.to_str().unwrap(), "--force"];
    ok(&run_with(&args, &records));
    assert!(link.is_symlink());
    data(&fs::read_to_string(at("real.html")).unwrap());
}
