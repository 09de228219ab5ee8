//! Models of the hub without a manifest of ours, as nearly all are: what their configuration says is what they are, or they are refused.

use std::fs;

use tidings::model::store::sha256;

use super::server::{Repo, Server};
use super::{Home, ID, home_without_server};
use crate::{decoders, families};

#[test]
fn a_plain_model_of_the_hub_is_fetched_once_and_held_to_what_it_was() {
    let repo = Repo::of_family("bert");
    let server = Server::of(repo.clone());
    let home = Home::new(&server);
    let args = ["classify", "wire", "--model", ID];
    let ran = home.run(&args);
    assert!(
        ran.err.contains("fetching tidings-test/stance from"),
        "{}",
        ran.err
    );
    let folder = families::classify(&families::folder("bert"), &[]);
    let answers = families::answers(&folder);
    assert_eq!(families::answers(&ran), answers);
    let id = ran.records()[0]["model"].as_str().unwrap().to_owned();
    assert!(id.starts_with("stance@"), "{id}");
    // The list, and each file once.
    assert_eq!(server.asked().len(), 4, "{:?}", server.paths());

    let offline = |args: &[&str]| {
        home.command(args)
            .env("HF_HUB_OFFLINE", "1")
            .output()
            .unwrap()
    };
    assert_eq!(offline(&args).stdout, ran.out.as_bytes());
    home.shows_it();
    let shown = home.run(&["models", "show", ID]).out;
    assert!(shown.contains("languages  any language\n"), "{shown}");
    assert_eq!(server.asked().len(), 4);

    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let path = home.snapshot(&repo).join(name);
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.len() - 2;
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let ran = home.run(&args);
        let said = ran.refused();
        assert!(said.contains(name) && said.contains("damaged"), "{said}");
        assert!(said.contains("models pull"), "{said}");
        let ran = home.run(&["models", "pull", ID]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.err);
        assert_eq!(families::answers(&home.run(&args)), answers, "{name}");
    }
    let ran = home.run(&["models", "remove", ID, "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!home.repo().exists());
}

#[test]
fn what_another_program_fetched_is_used_as_it_is() {
    let repo = Repo::of_family("roberta");
    let home = home_without_server();
    let snapshot = home.snapshot(&repo);
    fs::create_dir_all(&snapshot).unwrap();
    for (name, bytes) in &repo.files {
        fs::write(snapshot.join(name), bytes).unwrap();
    }
    fs::create_dir_all(home.repo().join("refs")).unwrap();
    fs::write(home.repo().join("refs/main"), &repo.commit).unwrap();
    // Until it is used here it is none of ours.
    assert!(!home.run(&["models", "list"]).out.contains(ID));
    let ran = home.run(&["classify", "wire", "--model", ID]);
    let folder = families::classify(&families::folder("roberta"), &[]);
    assert_eq!(families::answers(&ran), families::answers(&folder));
    assert!(home.run(&["models", "list"]).out.contains(ID));
    fs::remove_file(snapshot.join("tokenizer.json")).unwrap();
    let ran = home.run(&["models", "verify", ID]);
    assert!(
        ran.refused().contains("tokenizer.json is missing"),
        "{}",
        ran.err
    );
}

#[test]
fn a_plain_model_that_leaves_doubt_is_refused_before_its_weights_are_fetched() {
    type Change = fn(&mut Repo);
    let cases: [(Change, &str); 4] = [
        (
            |repo| {
                let config = String::from_utf8(repo.files["config.json"].clone()).unwrap();
                let config = config.replace("NEUTRAL", "LABEL_1");
                repo.files
                    .insert("config.json".to_owned(), config.into_bytes());
            },
            "not guessed",
        ),
        (
            |repo| {
                let weights = repo.files.remove("model.safetensors").unwrap();
                repo.files.insert("pytorch_model.bin".to_owned(), weights);
            },
            "never opened",
        ),
        (
            |repo| {
                repo.files.remove("tokenizer.json");
            },
            "it has no tokenizer.json",
        ),
        (
            |repo| {
                repo.files.remove("config.json");
            },
            "neither manifest.toml nor config.json",
        ),
    ];
    for (change, says) in cases {
        let mut repo = Repo::of_family("bert");
        change(&mut repo);
        let server = Server::of(repo);
        let home = Home::new(&server);
        let ran = home.run(&["classify", "wire", "--model", ID]);
        assert!(ran.refused().contains(says), "{says}: {}", ran.err);
        assert!(server.asked().len() <= 2, "{says}: {:?}", server.paths());
        assert!(!home.repo().exists(), "{says}");
    }
}

#[test]
fn weights_that_are_not_what_the_hub_lists_are_thrown_away() {
    let repo = Repo::of_family("bert");
    let server = Server::spoiling(&repo, |_, _, reply| {
        let last = reply.body.len() - 1;
        reply.body[last] ^= 1;
    });
    let home = Home::new(&server);
    let said = home.fails();
    assert!(
        said.contains("model.safetensors") && said.contains("the hub's list says"),
        "{said}"
    );
    assert!(!home.snapshot(&repo).join("model.safetensors").exists());
    // What came is listed as incomplete, and can be removed.
    let list = home.run(&["models", "list"]).out;
    assert!(list.contains("incomplete"), "{list}");
    let ran = home.run(&["models", "remove", ID, "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn what_nobody_vouches_for_is_fetched_from_its_first_byte() {
    let repo = Repo::of_family("bert");
    let server = Server::of(repo.clone());
    let home = Home::new(&server);
    let tokenizer = &repo.files["tokenizer.json"];
    // As long as the tokenizer, of which the hub states no checksum: under the name that git has for it, and where a fetch was broken off.
    let blobs = home.repo().join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    for name in [&sha256(tokenizer)[..40], "unsaid.incomplete"] {
        fs::write(blobs.join(name), vec![b' '; tokenizer.len()]).unwrap();
    }
    home.pull(&mut |_| ()).unwrap();
    let came = fs::read(home.snapshot(&repo).join("tokenizer.json")).unwrap();
    assert!(came == *tokenizer);
    let requests = server.asked();
    let asked = requests
        .iter()
        .filter(|r| r.path.ends_with("tokenizer.json"));
    let ranges: Vec<_> = asked.map(|r| r.header("range")).collect();
    assert_eq!(ranges, [None]);
}

#[test]
fn another_configuration_of_the_same_commit_changes_nothing() {
    let repo = Repo::of_family("bert");
    let home = Home::new(&Server::of(repo.clone()));
    home.pull(&mut |_| ()).unwrap();
    // Something is missing, so that there is a reason to ask again.
    fs::remove_file(home.snapshot(&repo).join("tokenizer.json")).unwrap();
    let mut other = repo.clone();
    other.files.get_mut("config.json").unwrap().push(b'\n');
    let home = Home {
        endpoint: Server::of(other).url.clone(),
        ..home
    };
    let said = home.fails();
    assert!(said.contains("another config.json came"), "{said}");
    assert!(said.contains("tidings models remove"), "{said}");
    let kept = fs::read(home.snapshot(&repo).join("config.json")).unwrap();
    assert!(kept == repo.files["config.json"]);
    let home = Home {
        endpoint: Server::of(repo).url.clone(),
        ..home
    };
    home.pull(&mut |_| ()).unwrap();
    home.shows_it();
}

#[test]
fn a_decoder_of_the_hub_comes_with_its_template_and_its_shards() {
    let whole = decoders::folder("llama");
    let shards = decoders::sharded("llama", 2);
    for (folder, requests) in [(&*whole, 5), (shards.path(), 7)] {
        let mut repo = Repo::of_family("bert");
        repo.files.clear();
        for name in fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name())
        {
            let bytes = fs::read(folder.join(&name)).unwrap();
            repo.files.insert(name.into_string().unwrap(), bytes);
        }
        let server = Server::of(repo.clone());
        let home = Home::new(&server);
        let article = ["classify", "wire/lighthouse.txt", "--model"];
        let args = [&article[..], &[ID]].concat();
        let ran = home.run(&args);
        let answers = families::answers(&ran);
        let local = crate::program::run(&[&article[..], &[folder.to_str().unwrap()]].concat());
        assert_eq!(answers, families::answers(&local));
        assert_eq!(server.asked().len(), requests, "{:?}", server.paths());
        for args in [&["models", "list"][..], &["models", "verify", ID], &args] {
            assert_eq!(home.run(args).code, 0);
        }
        assert_eq!(server.asked().len(), requests);
        // What came is held to, whatever file it is.
        for name in home
            .snapshot(&repo)
            .read_dir()
            .unwrap()
            .map(|e| e.unwrap().path())
        {
            let bytes = fs::read(&name).unwrap();
            fs::write(&name, [&bytes[..], b" "].concat()).unwrap();
            let ran = home.run(&args);
            assert!(
                ran.refused().contains("damaged"),
                "{}: {}",
                name.display(),
                ran.err
            );
            fs::write(&name, bytes).unwrap();
        }
        fs::remove_file(home.snapshot(&repo).join("tokenizer_config.json")).unwrap();
        let ran = home.run(&["models", "pull", ID]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(families::answers(&home.run(&args)), answers);
    }
}
