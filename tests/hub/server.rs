//! A stand-in for the hub on the loopback: it serves one model, notes what it is asked, and misbehaves as told.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;
use tidings::model::store::sha256;

/// What the server is asked.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| &**value)
    }

    /// First byte that is asked for.
    fn from(&self) -> usize {
        let range = self
            .header("range")
            .map(|r| &r["bytes=".len()..r.len() - 1]);
        range.map_or(0, |from| from.parse().unwrap())
    }
}

/// What it answers.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Bytes of the body after which the connection ends.
    pub cut: Option<usize>,
    /// Time before each thousandth of the body.
    pub slow: Duration,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            cut: None,
            slow: Duration::ZERO,
        }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn redirect(to: String) -> Self {
        Self::new(302, "").header("location", to)
    }

    fn write(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        write!(
            stream,
            "HTTP/1.1 {} X\r\nconnection: close\r\n",
            self.status
        )?;
        write!(stream, "content-length: {}\r\n", self.body.len())?;
        for (name, value) in &self.headers {
            write!(stream, "{name}: {value}\r\n")?;
        }
        stream.write_all(b"\r\n")?;
        let body = &self.body[..self.cut.unwrap_or(self.body.len())];
        if self.slow.is_zero() {
            return stream.write_all(body);
        }
        for part in body.chunks(body.len() / 1000 + 1) {
            thread::sleep(self.slow);
            stream.write_all(part)?;
        }
        Ok(())
    }
}

/// A running server.
pub struct Server {
    /// Its address, without a slash at the end.
    pub url: String,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers with `answer`, which is given the request and how many came before.
    pub fn start(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (notes, answer) = (asked.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (notes, answer) = (notes.clone(), answer.clone());
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    while let Some(request) = read(&stream) {
                        let before = {
                            let mut notes = notes.lock().unwrap();
                            notes.push(request.clone());
                            notes.len() - 1
                        };
                        let reply = answer(&request, before);
                        // The other side may have left.
                        reply.write(&mut stream).ok();
                        // As a proxy, it is itself what lies behind the tunnel.
                        if request.method != "CONNECT" || reply.status != 200 {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, asked }
    }

    /// Serves `repo` and nothing else.
    pub fn of(repo: Repo) -> Self {
        Self::start(move |request, _| repo.answer(request))
    }

    /// Serves `repo`, and lets `spoil` change the answer when the weights are asked for; it is given how many requests came before.
    pub fn spoiling(
        repo: &Repo,
        spoil: impl Fn(&Request, usize, &mut Reply) + Send + Sync + 'static,
    ) -> Self {
        let repo = repo.clone();
        Self::start(move |request, before| {
            let mut reply = repo.answer(request);
            if request.path == repo.path() {
                spoil(request, before, &mut reply);
            }
            reply
        })
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    /// Paths that it was asked for, without their queries, in order.
    pub fn paths(&self) -> Vec<String> {
        let path = |r: &Request| r.path.split('?').next().unwrap().to_owned();
        self.asked().iter().map(path).collect()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Some(Request {
        method,
        path,
        headers,
    })
}

/// One model as the hub has it.
#[derive(Debug, Clone)]
pub struct Repo {
    pub id: String,
    pub commit: String,
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Repo {
    /// A model that can be fetched though not loaded: its files are a few bytes each, its weights a few thousand.
    pub fn small() -> Self {
        let weights: Vec<u8> = (0..300_000_u32)
            .map(|n| (n.wrapping_mul(n) >> 3) as u8)
            .collect();
        Self::new([
            ("config.json", b"{}".to_vec()),
            ("tokenizer.json", b"{\"version\": \"1.0\"}".to_vec()),
            ("model.safetensors", weights),
        ])
    }

    /// A model without a manifest: one of the tiny classifiers.
    pub fn of_family(family: &str) -> Self {
        let folder = crate::families::folder(family);
        let read = |name| (name, std::fs::read(folder.join(name)).unwrap());
        let mut repo = Self::new([
            read("config.json"),
            read("tokenizer.json"),
            read("model.safetensors"),
        ]);
        repo.files.remove("manifest.toml");
        repo
    }

    /// The embedded model.
    pub fn embedded() -> Self {
        let folder = crate::path("../models/stance-en-small");
        let read = |name| (name, std::fs::read(folder.join(name)).unwrap());
        let mut repo = Self::new([
            read("config.json"),
            read("tokenizer.json"),
            read("model.safetensors"),
        ]);
        let (name, manifest) = read("manifest.toml");
        repo.files.insert(name.to_owned(), manifest);
        repo
    }

    fn new(files: [(&str, Vec<u8>); 3]) -> Self {
        let mut repo = Self {
            id: "tidings-test/stance".to_owned(),
            commit: "c0ffee".to_owned() + &"0".repeat(34),
            files: BTreeMap::new(),
        };
        for (name, bytes) in files {
            repo.files.insert(name.to_owned(), bytes);
        }
        repo.state();
        repo
    }

    /// Writes the manifest for the files as they are.
    pub fn state(&mut self) {
        let sum = |name: &str| sha256(&self.files[name]);
        let manifest = manifest("small-test", &sum);
        self.files
            .insert("manifest.toml".to_owned(), manifest.into_bytes());
    }

    /// Its weights.
    pub fn weights(&self) -> &[u8] {
        &self.files["model.safetensors"]
    }

    /// Where they are on the server.
    pub fn path(&self) -> String {
        format!("/{}/resolve/{}/model.safetensors", self.id, self.commit)
    }

    /// Answers as the hub does.
    pub fn answer(&self, request: &Request) -> Reply {
        if request.method == "CONNECT" {
            return Reply::new(200, "");
        }
        let path = request.path.split('?').next().unwrap();
        let list = format!("/api/models/{}/revision/", self.id);
        if let Some(revision) = path.strip_prefix(&list) {
            return match ["main", "v1%2Bcpu", &self.commit].contains(&revision) {
                true => Reply::new(200, self.list()),
                false => Reply::new(404, "").header("x-error-code", "RevisionNotFound"),
            };
        }
        let file = format!("/{}/resolve/{}/", self.id, self.commit);
        let file = path
            .strip_prefix(&file)
            .and_then(|name| self.files.get(name));
        match file {
            Some(bytes) => part(request, bytes),
            None => Reply::new(404, "").header("x-error-code", "RepoNotFound"),
        }
    }

    fn list(&self) -> Vec<u8> {
        let siblings: Vec<_> = self
            .files
            .iter()
            .map(|(name, bytes)| {
                let large = name.ends_with(".safetensors");
                let lfs = large.then(|| json!({"sha256": sha256(bytes), "size": bytes.len()}));
                json!({
                    "rfilename": name,
                    "size": bytes.len(),
                    "blobId": &sha256(bytes)[..40],
                    "lfs": lfs,
                })
            })
            .collect();
        json!({"id": self.id, "sha": self.commit, "siblings": siblings})
            .to_string()
            .into_bytes()
    }
}

/// The bytes that are asked for.
pub fn part(request: &Request, bytes: &[u8]) -> Reply {
    match request.from() {
        0 => Reply::new(200, bytes),
        from if from >= bytes.len() => Reply::new(416, ""),
        from => Reply::new(206, &bytes[from..]).header(
            "content-range",
            format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len()),
        ),
    }
}

/// A manifest for files of these checksums.
pub fn manifest(name: &str, sum: &dyn Fn(&str) -> String) -> String {
    format!(
        "schema = 1\nname = \"{name}\"\nversion = \"1\"\ntask = \"stance\"\narchitecture = \"bert\"\nlanguages = [\"en\"]\n\
         license = \"Apache-2.0\"\nbase = \"none\"\nweights = \"model.safetensors\"\nweights_sha256 = \"{}\"\n\
         tokenizer = \"tokenizer.json\"\ntokenizer_sha256 = \"{}\"\nconfig = \"config.json\"\nconfig_sha256 = \"{}\"\n\
         labels = [\"supports\", \"refutes\", \"discusses\", \"unrelated\"]\ntemperature = 1.0\n\n\
         [input]\nwindow = 48\nclaim = 12\ntitle = 10\n",
        sum("model.safetensors"),
        sum("tokenizer.json"),
        sum("config.json"),
    )
}
