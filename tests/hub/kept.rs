//! What is kept in the cache: versions side by side, nothing that cannot be removed, and one writer at a time.

use std::fs;
use std::thread;
use std::time::Duration;

use tidings::model::store::Id;

use super::server::{Repo, Server};
use super::{Home, ID};
use crate::program::Ran;

#[test]
fn a_branch_that_moved_is_followed_when_asked_and_the_old_commit_stays() {
    let old = Repo::small();
    let mut new = old.clone();
    new.files
        .insert("config.json".to_owned(), b"{\"a\": 1}".to_vec());
    new.state();
    new.commit = "beef".repeat(10);
    let home = Home::new(&Server::of(old.clone()));
    home.run(&["models", "pull", ID]);
    let server = Server::of(new.clone());
    let home = Home {
        endpoint: server.url.clone(),
        ..home
    };
    let args = ["classify", "wire", "--model", ID, "--engine", "fake"];
    assert_eq!(home.run(&args).code, 0);
    assert!(server.asked().is_empty());
    let ran = home.run(&["models", "pull", ID]);
    assert!(
        ran.out.contains("it was commit c0ffee000000"),
        "{}",
        ran.out
    );
    // The weights are the same, and here.
    assert!(!server.paths().iter().any(|p| p.ends_with(".safetensors")));
    let list = home.run(&["models", "list"]).out;
    assert!(
        list.contains("beefbeefbeef") && list.contains("c0ffee000000"),
        "{list}"
    );
    let at = format!("{ID}@{}", old.commit);
    assert_eq!(home.run(&["models", "show", &at]).code, 0);
}

#[test]
fn a_branch_below_another_is_refused_in_words() {
    let repo = Repo::small();
    let home = Home::new(&Server::of(repo.clone()));
    home.run(&["models", "pull", ID]);
    let refs = home.repo().join("refs");
    fs::create_dir(refs.join("v1+cpu")).unwrap();
    fs::write(refs.join("v1+cpu/x"), &repo.commit).unwrap();
    let ran = home.run(&["models", "pull", &format!("{ID}@v1+cpu")]);
    let said = ran.refused();
    assert!(said.contains(&format!("here as {ID}@c0ffee")), "{said}");
    assert!(said.contains("models remove"), "{said}");
    // Nothing of the try is left.
    let names: Vec<_> = fs::read_dir(home.repo()).unwrap().collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[test]
fn a_first_fetch_that_fails_leaves_nothing_that_cannot_be_removed() {
    let mut repo = Repo::small();
    repo.files
        .insert("manifest.toml".to_owned(), b"schema = 9".to_vec());
    let home = Home::new(&Server::of(repo));
    assert!(home.fails().contains("manifest.toml"));
    assert!(!home.repo().exists());
    // Once the manifest is here the rest belongs to it.
    let mut repo = Repo::small();
    repo.files.remove("tokenizer.json");
    let home = Home::new(&Server::of(repo));
    assert!(home.fails().contains("lacks tokenizer.json"));
    let ran = home.run(&["models", "remove", ID, "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!home.repo().exists());
}

#[test]
fn a_model_is_removed_by_its_exact_name() {
    let home = Home::new(&Server::of(Repo::small()));
    home.run(&["models", "pull", ID]);
    // A model of another program.
    let other = home.folder.path().join("hub/models--other--llm");
    fs::create_dir_all(other.join("snapshots").join("a".repeat(40))).unwrap();
    let answer = |name: &str, text: &str| {
        let mut command = home.command(&["models", "remove", name]);
        Ran::of(command.write_stdin(text))
    };
    for text in ["", "y\n", "tidings-test\n", "tidings-test/stance2\n"] {
        let ran = answer(ID, text);
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains("nothing was removed"), "{}", ran.err);
    }
    for name in ["tidings-test/stanc", "other/llm", "..", "tidings-test"] {
        let ran = answer(name, "");
        assert!(ran.refused().contains("models list"), "{}", ran.err);
    }
    assert_eq!(answer(&format!("{ID}@main"), "").code, 2);
    assert!(home.snapshot(&Repo::small()).exists());
    // What another program fetched of the same model goes too, and is counted.
    let theirs = home.repo().join("snapshots").join("b".repeat(40));
    fs::create_dir_all(&theirs).unwrap();
    fs::write(theirs.join("config.json"), "{}").unwrap();
    let all = "tidings-test/stance, 2 revisions, 1 of them fetched by other programs, ";
    let ran = answer(ID, "tidings-test/stance\n");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err.contains(&format!("this deletes {all}")),
        "{}",
        ran.err
    );
    assert_eq!(ran.out, format!("removed {all}which freed 0.3 MB\n"));
    assert!(!home.repo().exists() && other.exists());
    home.run(&["models", "pull", ID]);
    let ran = home.run(&["models", "remove", ID, "--yes"]);
    assert!(ran.out.contains("1 revision, which freed"), "{}", ran.out);
    assert!(!home.repo().exists());
}

#[test]
fn two_that_fetch_the_same_at_once_wait_for_each_other() {
    let repo = Repo::small();
    let server = Server::spoiling(&repo, |_, _, reply| {
        reply.slow = Duration::from_micros(100);
    });
    let home = Home::new(&server);
    thread::scope(|scope| {
        let pulls: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| home.pull(&mut |_| ()).unwrap()))
            .collect();
        for pull in pulls {
            pull.join().unwrap();
        }
    });
    let weights = server.paths().into_iter().filter(|p| *p == repo.path());
    assert_eq!(weights.count(), 1);
    home.cache().open(&Id::parse(ID).unwrap()).unwrap();
}
