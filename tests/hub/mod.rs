//! Models of the hub, as they are used from day to day: fetched when asked for by name, and from then on here.

mod kept;
mod plain;
pub mod server;
mod transport;
mod trust;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use assert_cmd::Command;
use tempfile::TempDir;
use tidings::model::store::hub::Hub;
use tidings::model::store::{Cache, Event, Id, Pulled, Settings, sha256};

use self::server::{Repo, Server};
use crate::path;
use crate::program::{Ran, tidings};

const ID: &str = "tidings-test/stance";

/// A cache of a test's own, and the program that uses it with a server.
pub struct Home {
    pub folder: TempDir,
    endpoint: String,
}

impl Home {
    pub fn new(server: &Server) -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            endpoint: server.url.clone(),
        }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = tidings();
        command
            .args(args)
            .env("HF_HOME", self.folder.path())
            .env("HF_ENDPOINT", &self.endpoint)
            .env_remove("HF_HUB_OFFLINE");
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.command(args))
    }

    /// That every command which only looks finds the model.
    fn shows_it(&self) {
        for args in [
            &["models", "list"][..],
            &["models", "show", ID],
            &["models", "verify", ID],
            &["models", "verify"],
        ] {
            let ran = self.run(args);
            assert_eq!(ran.code, 0, "{}", ran.err);
            assert!(ran.out.contains("stance"), "{}", ran.out);
        }
    }

    /// The folder of the test's model.
    fn repo(&self) -> PathBuf {
        self.folder
            .path()
            .join("hub")
            .join("models--tidings-test--stance")
    }

    fn snapshot(&self, repo: &Repo) -> PathBuf {
        self.repo().join("snapshots").join(&repo.commit)
    }

    fn cache(&self) -> Cache {
        Cache::new(self.folder.path().join("hub"))
    }

    /// Fetches by the library, with little patience.
    fn pull(&self, watch: &mut dyn FnMut(Event<'_>)) -> tidings::Result<Pulled> {
        let mut settings = Settings::at(self.folder.path().join("hub"));
        settings.endpoint.clone_from(&self.endpoint);
        let mut hub = Hub::new(&settings);
        hub.patience = Duration::from_millis(300);
        hub.pause = Duration::from_millis(1);
        hub.pull(&Id::parse(ID)?, &self.cache(), watch)
    }

    /// Where the weights grow.
    fn partial(&self, repo: &Repo) -> PathBuf {
        let name = sha256(repo.weights()) + ".incomplete";
        self.repo().join("blobs").join(name)
    }

    /// The weights, fetched.
    fn weights(&self, repo: &Repo) -> Vec<u8> {
        fs::read(self.snapshot(repo).join("model.safetensors")).unwrap()
    }

    /// Fetches, and says how many tries it took after the first.
    fn retries(&self) -> usize {
        let mut again = 0;
        let mut watch =
            |event: Event<'_>| again += usize::from(matches!(event, Event::Again { .. }));
        self.pull(&mut watch).unwrap();
        again
    }

    /// Fetches, which fails, and gives what it says.
    fn fails(&self) -> String {
        self.pull(&mut |_| ()).unwrap_err().to_string()
    }
}

/// Nobody listens there.
fn home_without_server() -> Home {
    Home {
        folder: TempDir::new().unwrap(),
        endpoint: "http://127.0.0.1:9".to_owned(),
    }
}

#[test]
fn a_model_of_the_hub_answers_as_the_embedded_one_and_is_fetched_once() {
    let repo = Repo::embedded();
    let server = Server::of(repo.clone());
    let home = Home::new(&server);
    let ran = home.run(&["models", "pull", ID]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("is here now"), "{}", ran.out);
    assert!(ran.err.contains("fetching tidings-test/stance from"));
    assert!(
        ran.err.contains("model.safetensors (24.7 MB)"),
        "{}",
        ran.err
    );
    let mut paths = server.paths();
    assert_eq!(paths.remove(0), format!("/api/models/{ID}/revision/main"));
    assert_eq!(paths.len(), 4, "{paths:?}");

    // The layout of the hub's own tools.
    let snapshot = home.snapshot(&repo);
    for (name, bytes) in &repo.files {
        assert!(fs::read(snapshot.join(name)).unwrap() == *bytes, "{name}");
    }
    let main = fs::read_to_string(home.repo().join("refs/main")).unwrap();
    assert_eq!(main, repo.commit);
    let blob = sha256(&repo.files["model.safetensors"]);
    assert!(home.repo().join("blobs").join(blob).is_file());

    // From now on nobody is asked.
    let asked = server.asked().len();
    let ran = home.run(&["classify", "wire", "--model", ID]);
    let embedded = crate::program::run(&["classify", "wire"]);
    assert_eq!(ran.out, embedded.out);
    let at = ["summarise", "wire/palace-denial.txt", "--model", ID];
    let ran = home.run(&[&at[..], &["--revision", &repo.commit]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    home.shows_it();
    assert_eq!(server.asked().len(), asked);
    // A pull asks whether there is a newer one, and that alone.
    let ran = home.run(&["models", "pull", ID]);
    assert!(ran.out.contains("is here already"), "{}", ran.out);
    assert_eq!(server.asked().len(), asked + 1);
    // A commit cannot have changed.
    let commit = repo.commit.to_uppercase();
    let ran = home.run(&["models", "pull", &format!("{ID}@{commit}")]);
    assert!(ran.out.contains("is here already"), "{}", ran.out);
    assert_eq!(server.asked().len(), asked + 1);
}

#[test]
fn an_explicit_id_is_fetched_where_it_is_missing_and_said() {
    let server = Server::of(Repo::small());
    let home = Home::new(&server);
    let args = ["classify", "wire/palace-denial.txt", "--engine", "fake"];
    let with = |more: &[&str]| home.run(&[&args[..], more].concat());
    let ran = with(&["--model", ID]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("fetching tidings-test/stance from"));
    let asked = server.asked().len();
    assert!(with(&["--model", ID]).err.contains("1 article"));
    assert_eq!(server.asked().len(), asked);
    // Another revision is another model.
    let ran = with(&["--model", ID, "--revision", "v2"]);
    assert!(ran.refused().contains("no revision `v2`"), "{}", ran.err);
    let ran = with(&["--model", "stance-en-small", "--revision", "v2"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let ran = with(&["--model", ID, "--revision", "v1 x"]);
    assert!(
        ran.refused().contains("`v1 x` is no revision"),
        "{}",
        ran.err
    );
    // Nothing that only looks fetches.
    let asked = server.asked().len();
    for args in [["models", "show", "a/b"], ["models", "verify", "a/b"]] {
        let ran = home.run(&args);
        assert!(ran.refused().contains("models pull a/b"), "{}", ran.err);
    }
    assert_eq!(server.asked().len(), asked);
}

#[test]
fn a_slip_in_a_folders_name_does_not_go_out_into_the_world() {
    let server = Server::of(Repo::small());
    let home = Home::new(&server);
    let mut command = home.command(&["classify", "-", "--model", "models/stance-en-smal"]);
    let ran = Ran::of(command.current_dir(path("..")));
    assert!(
        ran.refused().contains("no stance-en-smal in it"),
        "{}",
        ran.err
    );
    let ran = home.run(&[
        "models",
        "pull",
        path("fixtures/tiny_bert").to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(server.asked().is_empty());
}

#[test]
fn a_folder_here_of_a_models_name_does_not_stand_in_its_way() {
    let repo = Repo::embedded();
    let home = Home::new(&Server::of(repo.clone()));
    let here = TempDir::new().unwrap();
    fs::create_dir_all(here.path().join(ID)).unwrap();
    let run = |args: &[&str]| Ran::of(home.command(args).current_dir(here.path()));
    let ran = run(&["models", "pull", ID]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let advice = format!("--model {ID}@{}", repo.commit);
    assert!(ran.out.contains(&advice), "{}", ran.out);
    let ran = run(&["models", "verify"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn tags_are_what_git_allows_or_the_commit_names_the_model() {
    let repo = Repo::embedded();
    let home = Home::new(&Server::of(repo.clone()));
    let ran = home.run(&["models", "pull", &format!("{ID}@v1+cpu")]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(home.run(&["models", "list"]).out.contains("stance@v1+cpu"));
    // Another tool fetched it by a tag that is none for us.
    let refs = home.repo().join("refs");
    fs::rename(refs.join("v1+cpu"), refs.join("v1=cpu")).unwrap();
    let list = home.run(&["models", "list"]).out;
    assert!(list.contains(&format!("{ID}@{}", repo.commit)), "{list}");
    let ran = home.run(&["models", "verify"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn offline_is_offline() {
    let server = Server::of(Repo::small());
    let home = Home::new(&server);
    let offline = |args: &[&str]| Ran::of(home.command(args).env("HF_HUB_OFFLINE", "1"));
    for args in [
        &["models", "pull", ID][..],
        &["classify", "wire", "--model", ID],
        &["bench", "--model", ID],
        &["summarise", "wire/palace-denial.txt", "--model", ID],
    ] {
        let ran = offline(args);
        let said = ran.refused();
        assert!(said.contains("HF_HUB_OFFLINE is set"), "{said}");
    }
    assert!(server.asked().is_empty());
    home.run(&["models", "pull", ID]);
    let asked = server.asked().len();
    let args = ["classify", "wire", "--model", ID, "--engine", "fake"];
    assert_eq!(offline(&args).code, 0);
    assert!(
        offline(&["models", "pull", ID])
            .refused()
            .contains("OFFLINE")
    );
    // A commit that is here cannot have changed.
    let at = format!("{ID}@{}", Repo::small().commit);
    let ran = offline(&["models", "pull", &at]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(server.asked().len(), asked);
}

#[test]
fn what_only_a_fetch_needs_keeps_nobody_from_the_cache() {
    let home = Home::new(&Server::of(Repo::small()));
    for (name, value) in [
        ("HF_ENDPOINT", "foo"),
        ("HF_ENDPOINT", "https://"),
        ("HF_ENDPOINT", "http://mirror.example:99999"),
        ("HTTPS_PROXY", "smoke://x"),
        ("http_proxy", "http://proxy.example:0"),
    ] {
        let run = |args: &[&str]| Ran::of(home.command(args).env(name, value));
        let ran = run(&["models", "list"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let ran = run(&["models", "pull", ID]);
        assert!(ran.refused().contains(name), "{}", ran.err);
    }
}

#[test]
fn what_is_said_of_a_model_names_it_as_it_was_asked_for() {
    let home = Home::new(&Server::of(Repo::embedded()));
    home.run(&["models", "pull", ID]);
    let ran = home.run(&["models", "verify", ID]);
    let says = format!("{ID}: files match their checksums, and the model loads (stance-en-small@");
    assert!(ran.out.starts_with(&says), "{}", ran.out);
    // Its files are those of its manifest, but make no model.
    let home = Home::new(&Server::of(Repo::small()));
    home.run(&["models", "pull", ID]);
    for args in [
        &["models", "verify", ID][..],
        &["models", "verify"],
        &["classify", "wire", "--model", ID],
    ] {
        let ran = home.run(args);
        let said = ran.refused();
        assert!(said.contains(&format!("`{ID}`: config.json: ")), "{said}");
    }
}
