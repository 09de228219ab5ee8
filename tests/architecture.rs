//! The house rules that no lint can say: which part of the tree may know what.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push((
                path.to_str().unwrap().replace('\\', "/"),
                fs::read_to_string(&path).unwrap(),
            ));
        }
    }
}

/// Files of `src/` that mention `word` in code, other than those below `allowed`.
fn strangers(word: &str, allowed: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    assert!(found.len() > 20);
    found
        .into_iter()
        .filter(|(path, text)| {
            let code = text
                .lines()
                .filter(|l| !l.trim_start().starts_with("//"))
                .any(|l| l.contains(word));
            code && !allowed.iter().any(|a| path.contains(&format!("/src/{a}")))
        })
        .map(|(path, _)| path)
        .collect()
}

#[test]
fn only_the_model_knows_candle() {
    assert_eq!(strangers("candle", &["model/"]), Vec::<String>::new());
}

#[test]
fn only_the_model_knows_what_it_was_built_for() {
    for feature in ["cuda", "metal"] {
        let cfg = format!("feature = \"{feature}\"");
        assert_eq!(strangers(&cfg, &["model/"]), Vec::<String>::new());
    }
}

#[test]
fn only_a_pull_reaches_out() {
    assert_eq!(strangers("std::net", &[]), Vec::<String>::new());
    let client = ["model/store/fetch.rs", "model/store/way.rs"];
    assert_eq!(strangers("ureq::", &client), Vec::<String>::new());
    assert_eq!(strangers("Agent", &client[..1]), Vec::<String>::new());
    let hub = ["model/store/hub.rs", "model/store/no_hub.rs", "cli/pull.rs"];
    assert_eq!(strangers("hub::Hub", &hub), Vec::<String>::new());
    assert_eq!(strangers("Client::new", &hub), Vec::<String>::new());
    assert_eq!(strangers("package::pull", &hub), Vec::<String>::new());
}

#[test]
fn only_the_kernels_are_unsafe() {
    assert_eq!(strangers("unsafe", &["kernel/"]), Vec::<String>::new());
}

/// SECURITY.md has a row for each function with `unsafe` in it, and how many lines of it.
#[test]
fn every_unsafe_is_in_the_inventory() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    sources(&root.join("src/kernel"), &mut found);
    let mut uses = BTreeMap::new();
    for (path, text) in found {
        let file = path.rsplit('/').next().unwrap().to_owned();
        let mut function = "";
        for line in text
            .lines()
            .map(str::trim_start)
            .filter(|l| !l.starts_with("//"))
        {
            if let Some((before, name)) = line.split_once("fn ")
                && (before.is_empty() || before.ends_with(' '))
            {
                function = name.split(['(', '<']).next().unwrap();
            }
            if line.contains("unsafe ") {
                *uses.entry((file.clone(), function.to_owned())).or_insert(0) += 1;
            }
        }
    }
    assert!(uses.len() > 5);
    let inventory = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let rows = inventory.lines().filter(|line| line.starts_with("| `"));
    let stated: BTreeMap<(String, String), usize> = rows
        .map(|row| {
            let cells: Vec<&str> = row
                .split('|')
                .map(|cell| cell.trim().trim_matches('`'))
                .collect();
            assert!(cells[4].len() > 10, "no reason: {row}");
            (
                (cells[1].to_owned(), cells[2].to_owned()),
                cells[3].parse().unwrap(),
            )
        })
        .collect();
    assert_eq!(uses, stated);
}

#[test]
fn articles_know_neither_model_nor_output() {
    for word in [
        "crate::model",
        "crate::stance",
        "crate::output",
        "crate::kernel",
    ] {
        let allowed = [
            "model/", "stance", "summary", "output/", "pipeline", "kernel/", "eval/", "bench/",
        ];
        assert_eq!(strangers(word, &allowed), Vec::<String>::new());
    }
}
