//! The page in a real browser: it draws itself, filters by its address, searches, and runs and loads nothing of an article's.
//!
//! Needs Debian's `chromium` (or the program that `CHROMIUM` names) and says `skipped: no chromium` without one.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::run;

const BOLD: [&str; 4] = ["imminent", "not-imminent", "uncertain", "unrelated"];

fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].map(PathBuf::from);
    let found = named.into_iter().chain(usual).find(|path| path.exists());
    if found.is_none() {
        // Past the test harness, which would keep it to itself.
        let mut terminal = io::stderr();
        terminal.write_all(b"skipped: no chromium\n").unwrap();
    }
    found
}

/// The document that the browser has made of the page, once its script has run.
fn opened(browser: &Path, page: &Path, fragment: &str) -> String {
    let profile = TempDir::new().unwrap();
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--virtual-time-budget=3000",
            "--window-size=1200,900",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}{fragment}", page.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        dom.contains("</html>"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    dom
}

/// What stands before the data: all that the reader sees.
fn seen(dom: &str) -> &str {
    dom.split_once("<script type=\"application/json\"")
        .unwrap()
        .0
}

fn titles(dom: &str) -> Vec<&str> {
    let parts = seen(dom).split("<h3 class=\"title\" dir=\"auto\">").skip(1);
    parts
        .map(|part| part.split_once("</h3>").unwrap().0)
        .collect()
}

fn record(id: &str, title: &str, stance: usize, sentence: &str) -> Value {
    let names = ["supports", "refutes", "discusses", "unrelated"];
    let scores: serde_json::Map<String, Value> = BOLD
        .iter()
        .enumerate()
        .map(|(i, label)| {
            (
                (*label).to_owned(),
                json!(if i == stance { 0.85 } else { 0.05 }),
            )
        })
        .collect();
    json!({
        "schema": 1, "id": id, "title": title, "date": format!("2031-0{}-03", stance + 1), "language": "en", "claim": "Talks are imminent.",
        "stance": names[stance], "label": BOLD[stance], "scores": scores,
        "evidence": [{"text": sentence, "start": 0, "end": sentence.chars().count(), "score": 0.9}],
        "summary": {"text": sentence, "sentences": []},
        "model": "m@1", "tokens": 9, "windows": 1, "truncated": false,
    })
}

/// Writes the records and makes the page of them.
fn page(folder: &TempDir, records: &[Value]) -> PathBuf {
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    let (run_file, page) = (
        folder.path().join("run.jsonl"),
        folder.path().join("page.html"),
    );
    fs::write(&run_file, lines.join("\n")).unwrap();
    let articles = folder.path().join("articles.jsonl");
    let texts = records.iter().filter(|r| r.get("error").is_none());
    let texts = texts.map(|r| {
        json!({"id": r["id"], "title": r["title"], "text": r["summary"]["text"]}).to_string()
    });
    fs::write(&articles, texts.collect::<Vec<_>>().join("\n")).unwrap();
    let [run_file, articles, out] =
        [&run_file, &articles, &page].map(|path| path.to_str().unwrap());
    let ran = run(&["report", run_file, "--articles", articles, "-o", out]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    page
}

#[test]
fn the_page_draws_itself_filters_and_searches() {
    let Some(browser) = chromium() else { return };
    let folder = TempDir::new().unwrap();
    let mut records = vec![
        record(
            "a",
            "Ferry crews walk out",
            1,
            "Crews will not return this year.",
        ),
        record(
            "b",
            "River talks open",
            0,
            "Talks on the Sool open on Thursday.",
        ),
        record(
            "c",
            "Ferry line silent",
            2,
            "The line did not say whether it would meet the crews.",
        ),
        record(
            "d",
            "Hospital board quits talks",
            1,
            "The board called off its talks.",
        ),
    ];
    // Left open, with a best score that is another stance's and is shown as 85%.
    records[2]["scores"][BOLD[2]] = json!(0.05);
    records[2]["scores"][BOLD[0]] = json!(0.846);
    records[2]["abstained"] = json!(true);
    records.push(json!({"schema": 1, "id": "blank.txt", "error": {"kind": "empty", "message": "no article text found"}}));
    let page = page(&folder, &records);

    let whole = opened(&browser, &page, "");
    assert!(whole.contains("<h1 id=\"headline\">Talks are imminent.</h1>"));
    assert_eq!(titles(&whole).len(), 4);
    assert!(seen(&whole).contains("4 articles: 50% not-imminent, 25% imminent, 25% uncertain."));
    assert!(seen(&whole).contains("<strong>empty</strong>"));
    assert_eq!(
        seen(&whole).matches("class=\"hit\"").count(),
        10,
        "weeks from January to March"
    );
    assert!(seen(&whole).contains("role=\"img\" aria-label=\"Articles by week"));

    let ferries = opened(&browser, &page, "#stance=refutes&q=ferry");
    assert_eq!(titles(&ferries), ["Ferry crews walk out"]);
    assert!(seen(&ferries).contains("1 of 4 answers."));
    let words = opened(&browser, &page, "#q=CREWS+whether");
    assert_eq!(titles(&words), ["Ferry line silent"]);
    let dated = opened(&browser, &page, "#from=2031-02-01&to=2031-02-28&sort=new");
    assert_eq!(
        titles(&dated),
        ["Ferry crews walk out", "Hospital board quits talks"]
    );
    let sure = opened(&browser, &page, "#min=85");
    assert_eq!(titles(&sure).len(), 4);
    assert!(seen(&sure).contains("left open, 85%"));
    let none = opened(&browser, &page, "#min=90");
    assert!(titles(&none).is_empty());
    assert!(seen(&none).contains("Nothing matches"));
}

#[test]
fn nothing_of_an_article_runs_or_is_loaded() {
    let Some(browser) = chromium() else { return };
    let folder = TempDir::new().unwrap();
    let run = "document.documentElement.setAttribute('data-ran','1')";
    let payloads = [
        format!("</script><script>{run}</script>"),
        format!("<img src=x onerror=\"{run}\">"),
        format!("<svg onload=\"{run}\"><style>*{{display:none}}</style>"),
        format!("javascript:{run}"),
        format!("\"><iframe srcdoc=\"<script>parent.{run}</script>\">"),
        format!("<!--<script>{run}//"),
        format!("]]></script>\u{2028}{run}\u{2029}"),
        format!(
            "<meta http-equiv=refresh content=\"0;url=javascript:{run}\"><base href=//x.example/>"
        ),
        format!("\u{202e}\u{2066}\u{1b}]0;x\u{7}{run}"),
        format!("{}<details open ontoggle=\"{run}\">", "W".repeat(20_000)),
    ];
    let records: Vec<Value> = (0..200)
        .map(|i| {
            let payload = &payloads[i % payloads.len()];
            let text = format!("{payload} n{i:03}");
            let mut record = record(&text, &text, i % 4, &text);
            if i % 3 == 0 {
                record["claim"] = json!(text);
                record["model"] = json!(text);
                record["date"] = json!(format!("2031-02-03 {text}"));
                record["label"] = json!(text);
            }
            if i % 20 == 19 {
                record = json!({"schema": 1, "id": text, "error": {"kind": "malformed", "message": text}});
            }
            record
        })
        .collect();
    let page = page(&folder, &records);
    // Whatever is shown in rows is shown: all, one of them whole, and by a fragment that is hostile itself.
    let fragments = [
        "",
        "#q=n001",
        "#q=n012",
        "#q=<img/src=x/onerror=alert(1)>&stance=__proto__&claim=constructor",
    ];
    for fragment in fragments {
        let dom = opened(&browser, &page, fragment);
        // The payloads' words are there as text; the attribute that they set, were they run, is not.
        let (_, root) = dom.split_once("<html").unwrap();
        let root = root.split_once('>').unwrap().0;
        assert_eq!(root, " lang=\"en\"", "{fragment}: something ran");
        assert!(
            dom.contains("<p id=\"lede\">190 answers: "),
            "{fragment}: the page drew itself"
        );
        let elements = seen(&dom);
        for foreign in [
            "<img",
            "<iframe",
            "<base",
            "http-equiv=\"refresh",
            "<script",
        ] {
            assert!(!elements.contains(foreign), "{fragment}: {foreign}");
        }
        assert!(
            !elements.contains(['\u{202e}', '\u{2066}', '\u{1b}']),
            "{fragment}"
        );
        assert_eq!(dom.matches("<script").count(), 2, "{fragment}");
        let whole = fragment.starts_with("#q=n");
        assert_eq!(elements.contains("class=\"text\""), whole, "{fragment}");
    }
}
