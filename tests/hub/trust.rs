//! What is believed: no file that its manifest does not mean, no name from a server, no change after the first use; and who gets the token.

use std::fs;
use std::path::{Path, PathBuf};

use tidings::model::store::{Id, sha256};

use super::server::{Reply, Repo, Server, part};
use super::{Home, ID};
use crate::program::Ran;

/// All files below `folder`, with their bytes.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let bytes = fs::read(entry.path()).unwrap();
            found.push((entry.path().to_owned(), bytes));
        }
    }
    found
}

#[test]
fn what_is_not_the_manifests_file_is_not_kept() {
    let repo = Repo::small();
    // The list tells the truth; what comes is something else of the same length.
    let length = repo.weights().len();
    let server = Server::spoiling(&repo, move |request, _, reply| {
        *reply = part(request, &vec![0; length]);
    });
    let home = Home::new(&server);
    let error = home.fails();
    let sums = ["model.safetensors", "sha256", &sha256(repo.weights())];
    assert!(sums.iter().all(|word| error.contains(word)), "{error}");
    assert!(!home.snapshot(&repo).join("model.safetensors").exists());
    assert!(!home.cache().has(&Id::parse(ID).unwrap()));
    let blobs: Vec<_> = fs::read_dir(home.repo().join("blobs")).unwrap().collect();
    assert_eq!(blobs.len(), 3, "{blobs:?}");

    // The list itself contradicts the manifest: nothing is fetched.
    let mut odd = repo.clone();
    odd.files
        .insert("model.safetensors".to_owned(), vec![1; 500]);
    let server = Server::of(odd);
    let home = Home::new(&server);
    assert!(home.fails().contains("manifest says"));
    assert!(!server.paths().contains(&repo.path()));
}

#[test]
fn the_token_goes_to_the_endpoint_alone() {
    let repo = Repo::small();
    let store = Server::of(repo.clone());
    // By another name, and by another port of the same host.
    let port = store.url.rsplit(':').next().unwrap().to_owned();
    let elsewhere = [format!("http://localhost:{port}"), store.url.clone()];
    let served = repo.clone();
    let hub = Server::start(move |request, _| {
        let file = |name: &str| request.path.ends_with(name);
        match &request.path {
            path if path.starts_with("/api/") => served.answer(request),
            path if file("config.json") => Reply::redirect(format!("{}{path}", elsewhere[0])),
            path if file("tokenizer.json") => Reply::redirect(format!("{}{path}", elsewhere[1])),
            // Within the same origin it stays.
            path if file("model.safetensors") => Reply::redirect(format!("{path}?again")),
            _ => served.answer(request),
        }
    });
    let home = Home::new(&hub);
    let mut command = home.command(&["models", "pull", ID]);
    let ran = Ran::of(command.env("HF_TOKEN", "hf_secret"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.err.contains("hf_secret") && !ran.out.contains("hf_secret"));
    let (hub, store) = (hub.asked(), store.asked());
    assert_eq!(hub.len(), 6, "{hub:?}");
    assert!(
        hub.iter()
            .all(|r| r.header("authorization") == Some("Bearer hf_secret"))
    );
    assert_eq!(store.len(), 2, "{store:?}");
    assert!(store.iter().all(|r| r.header("authorization").is_none()));

    // The token file of the hub's tools does as well.
    let server = Server::of(repo);
    let home = Home::new(&server);
    fs::write(home.folder.path().join("token"), "hf_file\n").unwrap();
    home.run(&["models", "pull", ID]);
    let token = server.asked()[0].header("authorization").map(str::to_owned);
    assert_eq!(token.as_deref(), Some("Bearer hf_file"));
}

#[test]
fn only_what_the_manifest_names_is_fetched() {
    let mut repo = Repo::small();
    repo.files.insert("README.md".to_owned(), b"# A".to_vec());
    repo.files.insert("setup.py".to_owned(), b"pass".to_vec());
    let server = Server::of(repo.clone());
    let home = Home::new(&server);
    home.pull(&mut |_| ()).unwrap();
    assert_eq!(server.paths().len(), 5, "{:?}", server.paths());
    assert_eq!(fs::read_dir(home.snapshot(&repo)).unwrap().count(), 4);
}

#[test]
fn hostile_names_go_nowhere() {
    let repo = Repo::small();
    let mut odd = repo.clone();
    let manifest = String::from_utf8(odd.files["manifest.toml"].clone()).unwrap();
    let manifest = manifest.replace("\"tokenizer.json\"", "\"../../x\"");
    odd.files
        .insert("manifest.toml".to_owned(), manifest.into_bytes());
    odd.files.insert("../../x".to_owned(), b"{}".to_vec());
    let home = Home::new(&Server::of(odd));
    assert!(home.fails().contains("plain file name"));
    let mut odd = repo.clone();
    odd.commit = "../../../x".to_owned();
    let home = Home::new(&Server::of(odd));
    assert!(home.fails().contains("HF_ENDPOINT"));
    assert!(files(home.folder.path()).is_empty());
    let served = repo.clone();
    let server = Server::start(move |request, _| {
        let mut reply = served.answer(request);
        if request.path.starts_with("/api/") {
            let text = String::from_utf8(reply.body).unwrap();
            let sum = &sha256(&served.files["config.json"])[..40];
            reply.body = text.replace(sum, "../../../../x").into_bytes();
        }
        reply
    });
    let home = Home::new(&server);
    home.pull(&mut |_| ()).unwrap();
    for (path, _) in files(home.folder.path()) {
        let inside = path.starts_with(home.repo()) || path.ends_with("tidings.lock");
        assert!(inside, "{}", path.display());
    }
}

#[test]
fn a_checksum_of_the_list_is_one_or_nothing_is_written() {
    for repo in [Repo::small(), Repo::of_family("bert")] {
        let real = sha256(repo.weights());
        for evil in [
            "",
            "../../../../../x",
            &"/x".repeat(32),
            &"../".repeat(21),
            &real[1..],
        ] {
            let (served, real, evil) = (repo.clone(), real.clone(), evil.to_owned());
            let server = Server::start(move |request, _| {
                let mut reply = served.answer(request);
                if request.path.starts_with("/api/") {
                    let text = String::from_utf8(reply.body).unwrap();
                    reply.body = text.replace(&real, &evil).into_bytes();
                }
                reply
            });
            let home = Home::new(&server);
            let said = home.fails();
            assert!(said.contains("does not answer like a hub"), "{said}");
            assert_eq!(server.asked().len(), 1);
            assert!(files(home.folder.path()).is_empty());
        }
    }
}

#[test]
fn a_damaged_file_is_refused_by_name_and_pulled_again() {
    let repo = Repo::small();
    let server = Server::of(repo.clone());
    let home = Home::new(&server);
    home.run(&["models", "pull", ID]);
    let args = ["classify", "wire", "--model", ID, "--engine", "fake"];
    for name in ["model.safetensors", "config.json", "manifest.toml"] {
        let asked = server.asked().len();
        let path = home.snapshot(&repo).join(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[0] ^= 1;
        fs::write(&path, bytes).unwrap();
        let ran = home.run(&args);
        let said = ran.refused();
        assert!(said.contains(name) && said.contains("damaged"), "{said}");
        assert!(
            said.contains("tidings models pull tidings-test/stance"),
            "{said}"
        );
        let ran = home.run(&["models", "verify"]);
        let said = ran.refused();
        assert!(said.contains(name) && said.contains("1 of 2"), "{said}");
        assert_eq!(server.asked().len(), asked);
        let ran = home.run(&["models", "pull", ID]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(home.run(&args).code, 0, "{name}");
    }
    // Without a record too a manifest that is none is named, with what to do.
    fs::remove_dir_all(home.repo().join("checksums")).unwrap();
    let manifest = home.snapshot(&repo).join("manifest.toml");
    let good = fs::read(&manifest).unwrap();
    fs::write(&manifest, "schema = ").unwrap();
    let ran = home.run(&args);
    let said = ran.refused();
    let folder = home.snapshot(&repo).display().to_string();
    assert!(said.contains(&folder), "{said}");
    assert!(said.contains("tidings models pull"), "{said}");
    fs::write(&manifest, good).unwrap();
    // A file that is gone is fetched alone.
    fs::remove_file(home.snapshot(&repo).join("config.json")).unwrap();
    let asked = server.asked().len();
    assert_eq!(home.run(&args).code, 0);
    assert_eq!(
        server.asked().len(),
        asked + 2,
        "list and manifest; the content is here"
    );
}

#[test]
fn what_it_was_on_first_use_it_has_to_be() {
    let repo = Repo::small();
    // As another tool of the hub leaves it, without a record of ours.
    let server = Server::of(repo.clone());
    let home = Home::new(&server);
    home.pull(&mut |_| ()).unwrap();
    let record = home
        .repo()
        .join("checksums")
        .join(format!("{}.sha256", repo.commit));
    let first = fs::read(&record).unwrap();
    fs::remove_file(&record).unwrap();
    home.cache().open(&Id::parse(ID).unwrap()).unwrap();
    assert_eq!(fs::read(&record).unwrap(), first);

    // Weights and manifest changed together would deceive the manifest alone.
    let snapshot = home.snapshot(&repo);
    let mut other = repo.clone();
    other
        .files
        .insert("model.safetensors".to_owned(), vec![1; 99]);
    other.state();
    for name in ["manifest.toml", "model.safetensors"] {
        fs::write(snapshot.join(name), &other.files[name]).unwrap();
    }
    let error = home.cache().open(&Id::parse(ID).unwrap()).unwrap_err();
    assert!(error.to_string().contains("on first use"), "{error}");
    // And so would a hub that serves them as the same commit.
    let home = Home {
        endpoint: Server::of(other).url.clone(),
        ..home
    };
    let error = home.fails();
    assert!(error.contains("on first use"), "{error}");
    assert!(error.contains("tidings models remove"), "{error}");
}
