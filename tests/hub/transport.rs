//! The way to the hub: links that break, repeat themselves, are slow or silent, servers that refuse or do not end, proxies.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use tidings::model::store::Id;

use super::server::{Reply, Repo, Server};
use super::{Home, ID, home_without_server};
use crate::program::Ran;

#[test]
fn a_broken_fetch_goes_on_where_it_was() {
    let repo = Repo::small();
    let whole = repo.weights();
    // First it breaks off, again and again, with nothing new after the first.
    let server = Server::spoiling(&repo, |_, before, reply| {
        if before < 9 {
            reply.cut = Some(if before == 4 { 100_000 } else { 0 });
        }
    });
    let home = Home::new(&server);
    let error = home.fails();
    assert!(error.contains("model.safetensors"), "{error}");
    assert!(error.contains("5 tries"), "{error}");
    assert!(error.contains("goes on from there"), "{error}");
    let partial = home.partial(&repo);
    assert_eq!(fs::read(&partial).unwrap(), &whole[..100_000]);
    // What is there is no model yet.
    assert!(!home.cache().has(&Id::parse(ID).unwrap()));
    let list = home.run(&["models", "list"]).out;
    assert!(list.contains("incomplete: `tidings models pull"), "{list}");

    let asked = server.asked().len();
    home.pull(&mut |_| ()).unwrap();
    let last = server.asked().split_off(asked);
    let last = last.iter().find(|r| r.path == repo.path()).unwrap();
    assert_eq!(last.header("range"), Some("bytes=100000-"));
    assert!(home.weights(&repo) == whole);
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
        if request.path == served.path() {
            reply.cut = Some(reply.body.len().min(70_000));
        }
        reply
    });
    let home = Home::new(&server);
    let again = home.retries();
    assert!(again >= 4, "{again}");
    assert!(home.weights(&repo) == repo.weights());
}

#[test]
fn a_slow_link_is_waited_for_and_a_silent_one_is_not() {
    let repo = Repo::small();
    // Longer in all than the patience of 300 ms with one silence.
    let server = Server::spoiling(&repo, |_, _, reply| {
        reply.slow = Duration::from_micros(600);
    });
    let home = Home::new(&server);
    let begun = Instant::now();
    assert_eq!(home.retries(), 0);
    assert!(begun.elapsed() > Duration::from_millis(600));

    let server = Server::spoiling(&repo, |_, _, _| thread::sleep(Duration::from_secs(5)));
    let home = Home::new(&server);
    let begun = Instant::now();
    let error = home.fails();
    assert!(error.contains("5 tries"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{error}");
}

#[test]
fn a_part_that_cannot_be_gone_on_from_is_fetched_anew() {
    let repo = Repo::small();
    let whole = repo.weights();
    for (case, part, ranges, asked) in [
        ("wrong bytes", &[7; 1000][..], true, Some("bytes=1000-")),
        ("too long", &vec![7; whole.len() + 1][..], true, None),
        ("no ranges", &whole[..1000], false, Some("bytes=1000-")),
    ] {
        let all = whole.to_vec();
        let server = Server::spoiling(&repo, move |_, _, reply| {
            if !ranges {
                *reply = Reply::new(200, all.clone());
            }
        });
        let home = Home::new(&server);
        let partial = home.partial(&repo);
        fs::create_dir_all(partial.parent().unwrap()).unwrap();
        fs::write(partial, part).unwrap();
        home.pull(&mut |_| ()).unwrap();
        assert!(home.weights(&repo) == whole, "{case}");
        let requests = server.asked();
        let first = requests.iter().find(|r| r.path == repo.path()).unwrap();
        assert_eq!(first.header("range"), asked, "{case}");
    }
}

#[test]
fn a_server_that_sends_without_end_is_left() {
    let server = Server::spoiling(&Repo::small(), |_, _, reply| {
        *reply = Reply::new(200, vec![1; 3_000_000]);
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
        let said = ran.refused();
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
    assert!(ran.refused().contains("is wrong or may not"), "{}", ran.err);
    assert!(!ran.err.contains("hf_wrong"));
    let server = Server::start(|_, _| Reply::new(200, "<html>hello</html>"));
    let said = Home::new(&server).fails();
    assert!(said.contains("HF_ENDPOINT"), "{said}");
    for (name, says) in [
        ("manifest.toml", "config.json: model_type is"),
        ("tokenizer.json", "lacks tokenizer.json"),
    ] {
        let mut repo = Repo::small();
        repo.files.remove(name);
        let said = Home::new(&Server::of(repo)).fails();
        assert!(said.contains(says), "{said}");
    }
    for (id, says) in [("no-owner", "org/no-owner"), ("a/../b", "no hub id")] {
        let ran = home_without_server().run(&["models", "pull", id]);
        assert!(ran.refused().contains(says), "{}", ran.err);
        assert!(!ran.err.contains("fetching"), "{}", ran.err);
    }
}

#[test]
fn who_refused_is_said() {
    // The hub knows the model; the store that it sends to refuses.
    let store = Server::start(|_, _| Reply::new(403, ""));
    let elsewhere = store.url.replace("127.0.0.1", "localhost");
    let hub = Server::spoiling(&Repo::small(), move |_, _, reply| {
        *reply = Reply::redirect(format!("{elsewhere}/x"));
    });
    let said = Home::new(&hub).fails();
    assert!(said.contains("sends us to localhost for it"), "{said}");
    assert!(said.contains("answers 403"), "{said}");
    assert!(!said.contains("terms"), "{said}");
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
    let said = ran.refused();
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
    // What may be the proxy's fault is said to be.
    let refuses = Server::start(|_, _| Reply::new(407, ""));
    let ran = pull(&[("HTTP_PROXY", &refuses.url)]);
    let said = ran.refused();
    assert!(
        said.contains("through the proxy that HTTP_PROXY names"),
        "{said}"
    );
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
