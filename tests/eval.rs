//! `tidings eval`, as a user meets it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::path;
use crate::program::{Ran, run};

const TALKS: &str = "labelled/talks.jsonl";
const BODIES: &str = "labelled/bodies.csv";
const STANCES: &str = "labelled/stances.csv";

fn eval(args: &[&str]) -> Ran {
    run(&[&["eval", "--format", "json"], args].concat())
}

fn refused(args: &[&str], expected: &str) {
    let ran = run(&[&["eval"], args].concat());
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.out.is_empty());
    assert!(ran.err.contains(expected), "{}", ran.err);
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Row sums of a confusion matrix: how many items of each gold stance.
fn golds(figures: &Value) -> Vec<u64> {
    let rows = figures["confusion"].as_array().unwrap();
    let sum = |row: &Value| -> u64 {
        let row = row.as_array().unwrap();
        row.iter().map(|n| n.as_u64().unwrap()).sum()
    };
    rows.iter().map(sum).collect()
}

#[test]
fn the_figures_are_those_of_the_records_that_classify_writes() {
    let folder = TempDir::new().unwrap();
    let [set, kept] = ["set.jsonl", "kept.jsonl"].map(|name| folder.path().join(name));
    // Two labels are made wrong, so that the model is.
    let wrong = fs::read_to_string(path("data").join(TALKS)).unwrap();
    let wrong = wrong.replace(r#""label": "discuss""#, r#""label": "imminent""#);
    let wrong = wrong.replace(r#""label": "Agree""#, r#""label": "unrelated""#);
    fs::write(&set, wrong).unwrap();
    let report = eval(&[text(&set), "--records", text(&kept)]).json();
    let classified = run(&["classify", text(&set), "--format", "jsonl"]);
    assert_eq!(fs::read_to_string(&kept).unwrap(), classified.out);

    let gold = [
        "supports",
        "refutes",
        "supports",
        "unrelated",
        "refutes",
        "unrelated",
    ];
    let (mut right, mut brier, mut log_loss) = (0.0, 0.0, 0.0);
    for (line, gold) in classified.out.lines().zip(gold) {
        let record: Value = serde_json::from_str(line).unwrap();
        right += f64::from(u8::from(record["stance"] == gold));
        for (stance, label) in [
            ("supports", "imminent"),
            ("refutes", "not-imminent"),
            ("discusses", "uncertain"),
            ("unrelated", "unrelated"),
        ] {
            let p = record["scores"][label].as_f64().unwrap();
            let truth = f64::from(u8::from(stance == gold));
            brier += (p - truth).powi(2);
            log_loss -= truth * p.ln();
        }
    }
    let all = &report["all"];
    assert_eq!(all["items"], 6);
    let near = |figure: &str, sum: f64| {
        let found = all[figure]["value"].as_f64().unwrap();
        // The records' scores have four decimals.
        assert!((found - sum / 6.0).abs() < 1e-2, "{figure}: {found}, {sum}");
    };
    near("accuracy", right);
    near("brier", brier);
    near("log_loss", log_loss);
    assert_eq!(golds(all), [2, 2, 0, 2]);
    assert!(right <= 4.0);
    for figure in ["accuracy", "macro_f1", "log_loss", "brier", "brier_skill"] {
        let [low, value, high] = ["low", "value", "high"].map(|k| all[figure][k].as_f64().unwrap());
        assert!(low <= value && value <= high, "{figure}");
    }
    // Five records have marked sentences; in four of them it is the first.
    assert_eq!(all["evidence"]["items"], 5);
    assert_eq!(all["evidence"]["lead_one"]["value"], 0.8);
    assert_eq!(all["evidence"]["lead_two"]["value"], 1.0);
    assert_eq!(all["evidence"]["lead_two_precision"]["value"], 0.5);
}

#[test]
fn another_claim_has_labels_of_its_own() {
    let args = [
        TALKS,
        "--claim",
        "Talks are imminent.",
        "--label-field",
        "default_label",
    ];
    let report = eval(&args).json();
    assert_eq!(
        (&report["all"]["items"], &report["unlabelled"]),
        (&json!(5), &json!(1))
    );
    assert_eq!(golds(&report["all"]), [2, 2, 0, 1]);
    // The sentences were marked for the records' own claims.
    assert_eq!(report["all"]["evidence"], Value::Null);
}

#[test]
fn further_claims_are_asked_and_count_with_their_article() {
    let report = eval(&[TALKS, "--all-claims"]).json();
    assert_eq!(report["all"]["items"], 11);
    assert_eq!(report["all"]["articles"], 6);
    assert_eq!(report["unlabelled"], 1);
    assert_eq!(golds(&report["all"]), [3, 4, 2, 2]);
    let default = ["--default-label-field", "default_label"];
    let report = eval(&[&[TALKS, "--all-claims"], &default[..]].concat()).json();
    assert_eq!(report["all"]["items"], 16);
    assert_eq!(report["unlabelled"], 2);
    assert_eq!(golds(&report["all"]), [5, 6, 2, 3]);
}

#[test]
fn denied_claims_have_their_answers_swapped() {
    let report = eval(&[TALKS, "--negate", "--all-claims"]).json();
    let negated = &report["negated"];
    assert_eq!(golds(&negated["figures"]), [4, 3, 2, 2]);
    let f1 = |figures: &Value| figures["macro_f1"]["value"].as_f64().unwrap();
    let share = negated["macro_f1_share"]["value"].as_f64().unwrap();
    assert!((share - f1(&negated["figures"]) / f1(&report["all"])).abs() < 1e-12);
    // The model does read the claim: the answers to the denied ones are others.
    assert_ne!(negated["figures"]["log_loss"], report["all"]["log_loss"]);

    let template = eval(&[TALKS, "--negate=It is false that {claim}."]).json();
    assert_ne!(
        template["negated"]["figures"]["log_loss"],
        negated["figures"]["log_loss"]
    );
    refused(&[TALKS, "--negate=It is false."], "{claim}");
}

#[test]
fn a_baseline_is_compared_item_by_item() {
    let folder = TempDir::new().unwrap();
    let kept = folder.path().join("kept.jsonl");
    let tiny = path("fixtures/tiny_bert");
    let report = eval(&[TALKS, "--records", text(&kept)]).json();
    let same = eval(&[TALKS, "--baseline", text(&kept)]).json();
    assert_eq!(same["baseline"]["items"], 6);
    assert_eq!(same["baseline"]["changed"], json!([]));
    assert_eq!(same["baseline"]["p"], 1.0);

    // The tiny model takes short claims only.
    let few = folder.path().join("few.jsonl");
    let record = |id: &str, label: &str| json!({"id": id, "text": "The envoys will meet on Monday.", "claim": "They meet.", "label": label});
    fs::write(
        &few,
        format!("{}\n{}\n", record("a", "agree"), record("b", "discuss")),
    )
    .unwrap();
    let was = folder.path().join("was.jsonl");
    let lines = [("a", "supports"), ("b", "supports")]
        .map(|(id, label)| format!("{}\n", json!({"id": id, "label": label})));
    fs::write(&was, lines.concat()).unwrap();
    let args = [text(&few), "--model", text(&tiny), "--baseline", text(&was)];
    let now = eval(&args).json();
    assert_eq!(now["baseline"]["items"], 2);
    assert_eq!(now["baseline"]["accuracy"][0], 0.5);
    assert_eq!(
        now["baseline"]["accuracy"][1],
        now["all"]["accuracy"]["value"]
    );
    assert_ne!(now["model"], report["model"]);
    let table = run(&[&["eval"], &args[..]].concat());
    assert!(
        table.out.contains("beside the baseline: 2 answers in both"),
        "{}",
        table.out
    );

    refused(
        &[TALKS, "--baseline", text(&was)],
        "none of these questions",
    );
    refused(&[TALKS, "--baseline", "nothere.jsonl"], "nothere.jsonl");
}

#[test]
fn the_fake_news_challenge_is_read_as_published_and_scored_officially() {
    let table = eval(&["--fnc", BODIES, STANCES]).json();
    assert_eq!(
        (&table["all"]["items"], &table["all"]["articles"]),
        (&json!(7), &json!(3))
    );
    assert_eq!(golds(&table["all"]), [1, 2, 1, 3]);
    // Four related pairs and three unrelated ones.
    assert_eq!(table["fnc"]["most"], 4.75);
    let confusion = table["all"]["confusion"].as_array().unwrap();
    let mut points = 0.0;
    for (gold, row) in confusion.iter().enumerate() {
        for (said, count) in row.as_array().unwrap().iter().enumerate() {
            let mut each = 0.0;
            if gold == said {
                each += 0.25 + if gold < 3 { 0.5 } else { 0.0 };
            }
            if gold < 3 && said < 3 {
                each += 0.25;
            }
            points += each * count.as_f64().unwrap();
        }
    }
    assert_eq!(table["fnc"]["points"], points);
    assert_eq!(table["fnc"]["share"]["value"], points / 4.75);

    // The same as JSON Lines.
    let folder = TempDir::new().unwrap();
    let (bodies, stances) = (folder.path().join("b.jsonl"), folder.path().join("s.jsonl"));
    let rows = |file: &str| -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_path(path("data").join(file)).unwrap();
        let rows = reader.records().map(|row| row.unwrap());
        rows.map(|row| row.iter().map(str::to_owned).collect())
            .collect()
    };
    let number = |text: &str| text.parse::<u32>().unwrap();
    let lines = rows(BODIES)
        .into_iter()
        .map(|row| format!("{}\n", json!({"body_id": number(&row[0]), "text": row[1]})));
    fs::write(&bodies, lines.collect::<String>()).unwrap();
    let lines = rows(STANCES).into_iter().map(|row| {
        format!(
            "{}\n",
            json!({"claim": row[0], "body_id": number(&row[1]), "stance": row[2]})
        )
    });
    fs::write(&stances, lines.collect::<String>()).unwrap();
    assert_eq!(
        eval(&["--fnc", text(&bodies), text(&stances)]).json(),
        table
    );

    let few = eval(&["--fnc", BODIES, STANCES, "--sample", "3"]).json();
    assert_eq!(few["all"]["items"], 3);
    let first = eval(&["--fnc", BODIES, STANCES, "--limit", "2"]).json();
    assert_eq!(golds(&first["all"]), [1, 0, 0, 1]);
    refused(&["--fnc", STANCES, BODIES], "bodies first");
    refused(&["--fnc", BODIES, STANCES, "--all-claims"], "--all-claims");
}

#[test]
fn figures_depend_on_the_seed_alone() {
    let once = eval(&[TALKS, "--threads", "1"]);
    assert_eq!(once.out, eval(&[TALKS, "--threads", "2"]).out);
    let other = eval(&[TALKS, "--seed", "7"]).json();
    let once = once.json();
    let value = |report: &Value| report["all"]["log_loss"]["value"].clone();
    assert_eq!(value(&once), value(&other));
    assert_ne!(once["all"], other["all"]);
}

#[test]
fn an_article_that_cannot_be_read_is_counted_and_the_others_measured() {
    let folder = TempDir::new().unwrap();
    let set = folder.path().join("set.jsonl");
    let whole = fs::read_to_string(path("data").join(TALKS)).unwrap();
    fs::write(
        &set,
        format!(
            "{whole}{}\n{{\"id\": \"torn\n",
            json!({"id": "blank", "text": "", "label": "agree"})
        ),
    )
    .unwrap();
    let ran = eval(&[text(&set)]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["all"]["items"], 6);
    assert_eq!(report["unanswered"], json!({"empty": 1}));
    assert_eq!(report["broken"], 1);
    assert!(
        ran.err.contains("blank: no article text found"),
        "{}",
        ran.err
    );
    let table = run(&["eval", text(&set)]).out;
    assert!(
        table.contains("1 question without an answer, in no figure: empty 1"),
        "{table}"
    );
    assert!(table.contains("1 record too broken"), "{table}");

    fs::write(
        &set,
        format!("{}\n", json!({"id": "blank", "text": "", "label": "agree"})),
    )
    .unwrap();
    refused(&[text(&set)], "blank: no article text found");
}

#[test]
fn mistakes_are_told_before_the_model_reads() {
    refused(&["wire"], "--label-field");
    refused(&[TALKS, "--label-field", "claims"], "is no label");
    refused(&[TALKS, "--claim", "A.", "--all-claims"], "--all-claims");
    refused(&[TALKS, "--claim", "…"], "has no words");
    refused(&[TALKS, "--records", "labels.txt"], ".jsonl");
    refused(
        &[TALKS, "--records", TALKS, "--force"],
        "is read by this run",
    );
    refused(&[TALKS, "--records", "labels.jsonl"], "--force replaces it");
    refused(&[TALKS, "--limit", "0"], "--limit");
    refused(&[TALKS, "--abstain-below", "2"], "from 0 to 1");
}

#[test]
fn the_table_has_every_part() {
    let table = run(&["eval", TALKS, "--negate", "--all-claims"]);
    assert_eq!(table.code, 0, "{}", table.err);
    for part in [
        "11 answers about 6 articles",
        "1 question without a label left out",
        "macro F1",
        "calibration error",
        "refutes",
        "best score",
        "Lead-2",
        "share of macro F1",
    ] {
        assert!(table.out.contains(part), "{part}: {}", table.out);
    }
    assert!(!table.out.contains("NaN"), "{}", table.out);
    assert!(table.err.contains("22 questions in"), "{}", table.err);
}

#[test]
fn a_low_score_leaves_the_answer_open() {
    let none = run(&["classify", TALKS, "--abstain-below", "0"]);
    assert_eq!(none.out, run(&["classify", TALKS]).out);
    assert!(!none.out.contains("abstained"));

    let all = run(&["classify", TALKS, "--abstain-below", "1"]);
    for (line, before) in all.out.lines().zip(none.out.lines()) {
        assert!(
            line.ends_with("\"truncated\":false,\"abstained\":true}"),
            "{line}"
        );
        let [record, before]: [Value; 2] =
            [line, before].map(|line| serde_json::from_str(line).unwrap());
        assert_eq!(
            (&record["stance"], &record["label"]),
            (&json!("discusses"), &json!("uncertain"))
        );
        assert_eq!(record["scores"], before["scores"]);
        // Open, and so with the sentences that come closest to deciding.
        assert_ne!(record["evidence"], json!([]));
    }

    // In the widest gap between their best scores some are open and some are not.
    let tops: Vec<f64> = none
        .out
        .lines()
        .map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            let scores = record["scores"].as_object().unwrap();
            scores
                .values()
                .map(|p| p.as_f64().unwrap())
                .fold(0.0, f64::max)
        })
        .collect();
    let mut sorted = tops.clone();
    sorted.sort_by(f64::total_cmp);
    let gaps = sorted.windows(2).map(|pair| (pair[1] - pair[0], pair[0]));
    let (gap, below) = gaps.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
    assert!(gap > 3e-4, "wide enough for scores of four decimals");
    let least = below + gap / 2.0;
    let some = run(&["classify", TALKS, "--abstain-below", &least.to_string()]);
    let open: Vec<bool> = some.out.lines().map(|l| l.contains("abstained")).collect();
    assert_eq!(
        open,
        tops.iter().map(|top| *top < least).collect::<Vec<_>>()
    );

    let report = eval(&[TALKS, "--abstain-below", "1"]).json();
    assert_eq!(report["abstained"], 6);
    assert_eq!(report["all"]["classes"][2]["said"], 6);
    let plain = eval(&[TALKS]).json();
    assert_eq!(
        report["all"]["calibration_error"],
        plain["all"]["calibration_error"]
    );
}

#[test]
fn summaries_are_set_beside_the_readers_and_the_first_sentences() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("set.jsonl");
    let file = file.to_str().unwrap();
    let record = |label: &str, summary: &str| {
        format!(
            "{{\"title\":\"River talks\",\"text\":\"Arvenia has a river. Fish live there. The minister of Arvenia said on Monday that no talks with Tolmere are planned.\",\"claim\":\"Talks are imminent.\",\"label\":\"{label}\",\"evidence\":[\"The minister of Arvenia said on Monday that no talks with Tolmere are planned.\"],\"summary\":{summary}}}\n"
        )
    };
    let said = "\"The minister of Arvenia said on Monday that no talks with Tolmere are planned.\"";
    let lines = [
        record("refutes", said),
        record("unrelated", said),
        record("refutes", "null"),
    ];
    fs::write(file, lines.concat()).unwrap();
    let ran = run(&[
        "eval",
        file,
        "--summaries",
        "--sentences",
        "1",
        "--format",
        "json",
    ]);
    let figures = &ran.json()["summaries"];
    assert_eq!(figures["items"], 1);
    assert_eq!(figures["rouge"][0]["value"], 1.0);
    assert_eq!(figures["marked"]["value"], 1.0);
    let value = |name: &str, i: usize| figures[name][i]["value"].as_f64().unwrap();
    for i in 0..3 {
        assert!(value("lead", i) < 0.5 && value("cut", i) < 1.0);
        assert!((value("over_lead", i) - (1.0 - value("lead", i))).abs() < 1e-9);
    }
    let table = run(&["eval", file, "--summaries", "--sentences", "1"]).out;
    assert!(
        table.contains("ROUGE-Lsum") && table.contains("ours over Lead-2"),
        "{table}"
    );

    fs::write(file, record("refutes", "null")).unwrap();
    let ran = run(&["eval", file, "--summaries"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("`summary`"), "{}", ran.err);
}
