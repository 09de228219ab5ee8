//! One input, several machines.

use super::*;

#[test]
fn shards_together_are_the_whole() {
    let place = Place::with_articles(500);
    for i in 0..40 {
        fs::create_dir_all(place.at("news")).unwrap();
        fs::write(
            place.at(&format!("news/{i}.txt")),
            format!("Round {i} of the talks opens on Monday."),
        )
        .unwrap();
    }
    let rows: String = (0..60)
        .map(|i| format!("r{i},\"Round {i}, the talks go on.\"\n"))
        .collect();
    fs::write(place.at("rows.csv"), format!("id,text\n{rows}")).unwrap();
    fs::write(
        place.at("values.json"),
        r#"[{"text":"One."},{"text":7},{"id":"v","text":"Three talks."}]"#,
    )
    .unwrap();
    let inputs = ["in.jsonl", "news", "rows.csv", "values.json"];
    let whole = place.run(&inputs).stdout;
    let lines = |bytes: &[u8]| -> Vec<String> {
        String::from_utf8(bytes.to_vec())
            .unwrap()
            .lines()
            .map(String::from)
            .collect()
    };
    let whole = lines(&whole);
    assert_eq!(whole.len(), 603);
    let mut parts = Vec::new();
    for n in 1..=7 {
        let part = lines(
            &place
                .run(&[&inputs[..], &["--shard", &format!("{n}/7")]].concat())
                .stdout,
        );
        // A stable split: in input order, and about even.
        let mut rest = whole.iter();
        assert!(part.iter().all(|line| rest.any(|other| other == line)));
        assert!((50..130).contains(&part.len()), "{}", part.len());
        parts.extend(part);
    }
    assert_eq!(parts.len(), whole.len());
    assert_eq!(BTreeSet::from_iter(&parts), BTreeSet::from_iter(&whole));
    // What stands beside an article does not move it.
    let part = |inputs: &[&str]| lines(&place.run(&[inputs, &["--shard", "2/7"]].concat()).stdout);
    let alone = part(&["in.jsonl"]);
    assert!(!alone.is_empty());
    let beside = part(&["news", "in.jsonl"]);
    assert_eq!(beside[beside.len() - alone.len()..], alone);
    for wrong in ["0/7", "8/7", "1", "a/b", "1/0"] {
        assert_eq!(
            place.run(&["in.jsonl", "--shard", wrong]).status.code(),
            Some(2)
        );
    }
}

#[test]
fn what_one_machine_cannot_read_is_said_in_every_part() {
    let place = Place::with_articles(200);
    let cut = place.read("in.jsonl").len() - 10;
    let text = format!(
        "[{}",
        String::from_utf8_lossy(&place.read("in.jsonl")[..cut])
    );
    fs::write(place.at("torn.json"), text).unwrap();
    let mut records_of_it = 0;
    for n in 1..=3 {
        let ran = place.run(&["in.jsonl", "torn.json", "--shard", &format!("{n}/3")]);
        assert_eq!(ran.status.code(), Some(1));
        let torn = records(&ran.stdout)
            .iter()
            .filter(|r| {
                r["id"].as_str().unwrap().starts_with("torn.json#")
                    && r["error"]["kind"] == "malformed"
            })
            .count();
        let warned =
            said(&ran).contains("warning: torn.json#200: the file ends within this record");
        assert_eq!(torn + usize::from(warned), 1, "{}", said(&ran));
        records_of_it += torn;
    }
    assert_eq!(records_of_it, 1);
    // The same part wherever the folder lies.
    fs::create_dir(place.at("news")).unwrap();
    for n in 0..30 {
        fs::write(
            place.at(&format!("news/{n}.txt")),
            "The talks open on Monday.",
        )
        .unwrap();
    }
    let ids = |folder: &str| -> Vec<String> {
        let part = place.run(&[folder, "--shard", "1/3"]).stdout;
        let ids = records(&part)
            .into_iter()
            .map(|r| r["id"].as_str().unwrap().to_owned());
        ids.map(|id| id.rsplit('/').next().unwrap().to_owned())
            .collect()
    };
    let whole = place.at("news").display().to_string();
    assert_eq!(ids("news"), ids(&whole));
    assert_eq!(ids("news"), ids("./news"));
}
