//! Models of the hub: fetched whole or not at all, kept and held to, and asked for only by name.

pub mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use tempfile::TempDir;
use tidings::model::store::hub::Hub;
use tidings::model::store::{Cache, Event, Id, Pulled, Settings, sha256};

use self::server::{Reply, Repo, Server, part};
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

    /// Fetches, which fails, and gives what it says.
    fn fails(&self) -> String {
        self.pull(&mut |_| ()).unwrap_err().to_string()
    }
}

/// Path of the weights on the server.
fn weights(repo: &Repo) -> String {
    format!("/{ID}/resolve/{}/model.safetensors", repo.commit)
}

/// What a run says that could not have its model.
fn error_of(ran: &Ran) -> &str {
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    &ran.err
}

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
    for args in [
        &["models", "list"][..],
        &["models", "show", ID],
        &["models", "verify", ID],
        &["models", "verify"],
    ] {
        let ran = home.run(args);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.out.contains("stance"), "{}", ran.out);
    }
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
    assert!(error_of(&ran).contains("no revision `v2`"), "{}", ran.err);
    let ran = with(&["--model", "stance-en-small", "--revision", "v2"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let ran = with(&["--model", ID, "--revision", "v1 x"]);
    assert!(
        error_of(&ran).contains("`v1 x` is no revision"),
        "{}",
        ran.err
    );
    // Nothing that only looks fetches.
    let asked = server.asked().len();
    for args in [["models", "show", "a/b"], ["models", "verify", "a/b"]] {
        let ran = home.run(&args);
        assert!(error_of(&ran).contains("models pull a/b"), "{}", ran.err);
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
        error_of(&ran).contains("no stance-en-smal in it"),
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
fn a_branch_below_another_is_refused_in_words() {
    let repo = Repo::small();
    let home = Home::new(&Server::of(repo.clone()));
    home.run(&["models", "pull", ID]);
    let refs = home.repo().join("refs");
    fs::create_dir(refs.join("v1+cpu")).unwrap();
    fs::write(refs.join("v1+cpu/x"), &repo.commit).unwrap();
    let ran = home.run(&["models", "pull", &format!("{ID}@v1+cpu")]);
    let said = error_of(&ran);
    assert!(said.contains(&format!("here as {ID}@c0ffee")), "{said}");
    assert!(said.contains("models remove"), "{said}");
    // Nothing of the try is left.
    let names: Vec<_> = fs::read_dir(home.repo()).unwrap().collect();
    assert_eq!(names.len(), 4, "{names:?}");
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
        let said = error_of(&ran);
        assert!(said.contains("HF_HUB_OFFLINE is set"), "{said}");
    }
    assert!(server.asked().is_empty());
    home.run(&["models", "pull", ID]);
    let asked = server.asked().len();
    let args = ["classify", "wire", "--model", ID, "--engine", "fake"];
    assert_eq!(offline(&args).code, 0);
    assert!(error_of(&offline(&["models", "pull", ID])).contains("OFFLINE"));
    // A commit that is here cannot have changed.
    let at = format!("{ID}@{}", Repo::small().commit);
    let ran = offline(&["models", "pull", &at]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(server.asked().len(), asked);
}

#[test]
fn a_broken_fetch_goes_on_where_it_was() {
    let repo = Repo::small();
    let (whole, path) = (repo.files["model.safetensors"].clone(), weights(&repo));
    let served = repo.clone();
    // First it breaks off, again and again, with nothing new after the first.
    let server = Server::start(move |request, before| {
        let mut reply = served.answer(request);
        if request.path == weights(&served) && before < 9 {
            reply.cut = Some(if before == 4 { 100_000 } else { 0 });
        }
        reply
    });
    let home = Home::new(&server);
    let error = home.fails();
    assert!(error.contains("model.safetensors"), "{error}");
    assert!(error.contains("5 tries"), "{error}");
    assert!(error.contains("goes on from there"), "{error}");
    let partial = home
        .repo()
        .join("blobs")
        .join(sha256(&whole) + ".incomplete");
    assert_eq!(fs::read(&partial).unwrap(), &whole[..100_000]);
    // What is there is no model yet.
    assert!(!home.cache().has(&Id::parse(ID).unwrap()));
    let list = home.run(&["models", "list"]).out;
    assert!(list.contains("incomplete: `tidings models pull"), "{list}");

    let asked = server.asked().len();
    home.pull(&mut |_| ()).unwrap();
    let last = server.asked().split_off(asked);
    let last = last.iter().find(|r| r.path == path).unwrap();
    assert_eq!(last.header("range"), Some("bytes=100000-"));
    assert!(fs::read(home.snapshot(&repo).join("model.safetensors")).unwrap() == whole);
    assert!(!partial.exists());
}

#[test]
fn a_link_that_breaks_again_and_again_ends_all_the_same() {
    let repo = Repo::small();
    let served = repo.clone();
    // No connection brings more than 70,000 bytes of the weights; the server has bad moments besides.
    let server = Server::start(move |request, before| {
        let mut reply = served.answer(request);
        if before % 4 == 1 {
            return Reply::new(503, "").header("retry-after", "0");
        }
        if request.path == weights(&served) {
            reply.cut = Some(reply.body.len().min(70_000));
        }
        reply
    });
    let home = Home::new(&server);
    let mut again = 0;
    home.pull(&mut |event| again += usize::from(matches!(event, Event::Again { .. })))
        .unwrap();
    assert!(again >= 4, "{again}");
    let found = fs::read(home.snapshot(&repo).join("model.safetensors")).unwrap();
    assert!(found == repo.files["model.safetensors"]);
}

#[test]
fn a_slow_link_is_waited_for_and_a_silent_one_is_not() {
    let repo = Repo::small();
    let served = repo.clone();
    // Longer in all than the patience of 300 ms with one silence.
    let server = Server::start(move |request, _| {
        let mut reply = served.answer(request);
        if request.path == weights(&served) {
            reply.slow = Duration::from_micros(600);
        }
        reply
    });
    let home = Home::new(&server);
    let begun = Instant::now();
    let mut again = 0;
    home.pull(&mut |event| again += usize::from(matches!(event, Event::Again { .. })))
        .unwrap();
    assert!(begun.elapsed() > Duration::from_millis(600));
    assert_eq!(again, 0);

    let served = repo.clone();
    let server = Server::start(move |request, _| {
        if request.path == weights(&served) {
            std::thread::sleep(Duration::from_secs(5));
        }
        served.answer(request)
    });
    let home = Home::new(&server);
    let begun = Instant::now();
    let error = home.fails();
    assert!(error.contains("5 tries"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{error}");
}

#[test]
fn a_part_that_cannot_be_gone_on_from_is_fetched_anew() {
    for (case, ranges, asked) in [
        ("wrong bytes", true, Some("bytes=1000-")),
        ("too long", true, None),
        ("no ranges", false, Some("bytes=1000-")),
    ] {
        let repo = Repo::small();
        let whole = repo.files["model.safetensors"].clone();
        let served = repo.clone();
        let server = Server::start(move |request, _| match ranges {
            true => served.answer(request),
            false => {
                let mut reply = served.answer(request);
                if request.path == weights(&served) {
                    reply = Reply::new(200, served.files["model.safetensors"].clone());
                }
                reply
            }
        });
        let home = Home::new(&server);
        let blobs = home.repo().join("blobs");
        fs::create_dir_all(&blobs).unwrap();
        let part = match case {
            "wrong bytes" => vec![7; 1000],
            "too long" => vec![7; whole.len() + 1],
            _ => whole[..1000].to_vec(),
        };
        fs::write(blobs.join(sha256(&whole) + ".incomplete"), part).unwrap();
        home.pull(&mut |_| ()).unwrap();
        let found = fs::read(home.snapshot(&repo).join("model.safetensors")).unwrap();
        assert!(found == whole, "{case}");
        let requests = server.asked();
        let first = requests.iter().find(|r| r.path == weights(&repo)).unwrap();
        assert_eq!(first.header("range"), asked, "{case}");
    }
}

#[test]
fn what_is_not_the_manifests_file_is_not_kept() {
    let repo = Repo::small();
    // The list tells the truth; what comes is something else of the same length.
    let served = repo.clone();
    let server = Server::start(move |request, _| {
        if request.path == weights(&served) {
            let length = served.files["model.safetensors"].len();
            return part(request, &vec![0; length]);
        }
        served.answer(request)
    });
    let home = Home::new(&server);
    let error = home.fails();
    let sums = [
        "model.safetensors",
        "sha256",
        &sha256(&repo.files["model.safetensors"]),
    ];
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
    assert!(!server.paths().contains(&weights(&repo)));
}

#[test]
fn a_server_that_sends_without_end_is_left() {
    let repo = Repo::small();
    let served = repo.clone();
    let server = Server::start(move |request, _| {
        if request.path == weights(&served) {
            return Reply::new(200, vec![1; 3_000_000]);
        }
        served.answer(request)
    });
    let error = Home::new(&server).fails();
    assert!(
        error.contains("3000000") && error.contains("300000"),
        "{error}"
    );
    let server = Server::start(|_, _| Reply::new(200, vec![b' '; 20 << 20]));
    let error = Home::new(&server).fails();
    assert!(error.contains("list of files"), "{error}");
    let server = Server::start(|request, _| Reply::redirect(request.path.clone() + "x"));
    assert!(Home::new(&server).fails().contains("without end"));
}

#[test]
fn refusals_say_what_to_do() {
    for (status, code, says) in [
        (404, "RepoNotFound", "check the spelling"),
        (401, "", "set HF_TOKEN"),
        (403, "GatedRepo", "accept its terms at"),
        (418, "", "418"),
    ] {
        let server = Server::start(move |_, _| Reply::new(status, "").header("x-error-code", code));
        let home = Home::new(&server);
        let ran = home.run(&["models", "pull", ID]);
        let said = error_of(&ran);
        assert!(said.contains(says), "{status}: {said}");
        assert_eq!(
            server.asked().len(),
            1,
            "{status} is no matter of trying again"
        );
    }
    let server = Server::start(|_, _| Reply::new(401, ""));
    let mut command = Home::new(&server).command(&["models", "pull", ID]);
    let ran = Ran::of(command.env("HF_TOKEN", "hf_wrong"));
    assert!(
        error_of(&ran).contains("is wrong or may not"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("hf_wrong"));
    let server = Server::start(|_, _| Reply::new(200, "<html>hello</html>"));
    let said = Home::new(&server).fails();
    assert!(said.contains("HF_ENDPOINT"), "{said}");
    let mut repo = Repo::small();
    repo.files.remove("manifest.toml");
    assert!(
        Home::new(&Server::of(repo))
            .fails()
            .contains("manifest.toml")
    );
    let mut repo = Repo::small();
    repo.files.remove("tokenizer.json");
    assert!(
        Home::new(&Server::of(repo))
            .fails()
            .contains("lacks tokenizer.json")
    );
    let ran = home_without_server().run(&["models", "pull", "no-owner"]);
    assert!(error_of(&ran).contains("org/no-owner"), "{}", ran.err);
    assert!(!ran.err.contains("fetching"), "{}", ran.err);
    let ran = home_without_server().run(&["models", "pull", "a/../b"]);
    assert!(error_of(&ran).contains("no hub id"), "{}", ran.err);
}

#[test]
fn who_refused_is_said() {
    // The hub knows the model; the store that it sends to refuses.
    let store = Server::start(|_, _| Reply::new(403, ""));
    let elsewhere = store.url.replace("127.0.0.1", "localhost");
    let repo = Repo::small();
    let hub = Server::start(move |request, _| match request.path == weights(&repo) {
        true => Reply::redirect(format!("{elsewhere}/x")),
        false => repo.answer(request),
    });
    let said = Home::new(&hub).fails();
    assert!(said.contains("sends us to localhost for it"), "{said}");
    assert!(said.contains("answers 403"), "{said}");
    assert!(!said.contains("terms"), "{said}");
}

/// Nobody listens there.
fn home_without_server() -> Home {
    Home {
        folder: TempDir::new().unwrap(),
        endpoint: "http://127.0.0.1:9".to_owned(),
    }
}

#[test]
fn no_connection_is_said_after_a_few_tries() {
    let error = home_without_server().fails();
    assert!(
        error.contains("127.0.0.1:9") && error.contains("5 tries"),
        "{error}"
    );
}

#[test]
fn a_proxy_is_taken_for_its_own_scheme_and_never_left_out() {
    let (hub, proxy) = (Server::of(Repo::small()), Server::of(Repo::small()));
    let home = Home::new(&hub);
    let pull = |proxies: &[(&str, &str)]| {
        let mut command = home.command(&["models", "pull", ID]);
        command.env_remove("NO_PROXY").envs(proxies.to_vec());
        Ran::of(&mut command)
    };
    // One that cannot be used is not passed by, and its password is nobody's business.
    let ran = pull(&[("HTTP_PROXY", "smoke://ann:secret@proxy")]);
    let said = error_of(&ran);
    assert!(said.contains("HTTP_PROXY is no proxy's address"), "{said}");
    assert!(!said.contains("secret"), "{said}");
    assert!(hub.asked().is_empty());
    // That of the other scheme is none, and NO_PROXY asks for none.
    for without in [
        &[("HTTPS_PROXY", &*proxy.url)][..],
        &[("HTTP_PROXY", &*proxy.url), ("NO_PROXY", "127.0.0.1")],
    ] {
        let asked = hub.asked().len();
        let ran = pull(without);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(proxy.asked().is_empty() && hub.asked().len() > asked);
    }
    let asked = hub.asked().len();
    let with = [
        ("ALL_PROXY", "http://127.0.0.1:9"),
        ("http_proxy", &proxy.url),
    ];
    let ran = pull(&with);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(hub.asked().len(), asked);
    let first = &proxy.asked()[0];
    let tunnel = hub.url.replace("http://", "");
    assert_eq!((&*first.method, &first.path), ("CONNECT", &tunnel));
}

#[test]
fn what_only_a_fetch_needs_keeps_nobody_from_the_cache() {
    let home = Home::new(&Server::of(Repo::small()));
    for (name, value) in [("HF_ENDPOINT", "foo"), ("HTTPS_PROXY", "smoke://x")] {
        let run = |args: &[&str]| Ran::of(home.command(args).env(name, value));
        let ran = run(&["models", "list"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let ran = run(&["models", "pull", ID]);
        assert!(error_of(&ran).contains(name), "{}", ran.err);
    }
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
        let said = error_of(&ran);
        assert!(said.contains(name) && said.contains("damaged"), "{said}");
        assert!(
            said.contains("tidings models pull tidings-test/stance"),
            "{said}"
        );
        let ran = home.run(&["models", "verify"]);
        let said = error_of(&ran);
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
    let said = error_of(&ran);
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
        assert!(error_of(&ran).contains("models list"), "{}", ran.err);
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
    let served = repo.clone();
    let server = Server::start(move |request, _| {
        let mut reply = served.answer(request);
        reply.slow = Duration::from_micros(100);
        reply
    });
    let home = Home::new(&server);
    std::thread::scope(|scope| {
        let pulls: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| home.pull(&mut |_| ()).unwrap()))
            .collect();
        for pull in pulls {
            pull.join().unwrap();
        }
    });
    let weights = server.paths().into_iter().filter(|p| *p == weights(&repo));
    assert_eq!(weights.count(), 1);
    home.cache().open(&Id::parse(ID).unwrap()).unwrap();
}
