//! Fetching from a server that may be slow, break off, or mean harm: requests, and what is tried again. Their way is told by [`way`].
//!
//! - The token goes to the endpoint's own origin (scheme, host, port) and nowhere else, wherever redirects lead.
//! - A file goes on with `Range` where it broke off, in this run or an earlier one.
//! - Nothing is waited for longer than `patience` without a byte; a server that sends more than it said is left.
//! - Failures that may pass (no connection, broken off, 5xx, 429) are tried again with growing pauses, and not for ever.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use ureq::http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE, RETRY_AFTER,
};
use ureq::http::{HeaderMap, Uri};
use ureq::tls::TlsConfig;
use ureq::{Agent, Body};

use super::way::{self, Ways};
use super::{Event, Settings};
use crate::error::Result;

type Response = ureq::http::Response<Body>;

/// Redirects that are followed in a row.
const REDIRECTS: usize = 10;
/// Tries in a row that may fail without progress.
const TRIES: u32 = 5;
/// A longer pause than this a server cannot ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// New bytes that make a broken try no failure.
const PROGRESS: u64 = 64 << 10;
/// Most bytes of a file whose length nobody says.
const UNSAID: u64 = 1 << 30;

/// Why something cannot be fetched.
#[derive(Debug)]
pub(super) enum Failure {
    /// A server's answer.
    Status {
        /// The number.
        status: u16,
        /// The hub's own word for it.
        code: Option<String>,
        /// Who gave it, if a redirect led away from the endpoint.
        elsewhere: Option<String>,
    },
    /// Anything else, in words.
    Other(String),
    /// The file cannot be written.
    Disk(PathBuf, io::Error),
}

/// What goes wrong in one try.
enum Trouble {
    /// It may work in a while; perhaps the server says when.
    Passing(String, Option<Duration>),
    /// It will not.
    Lasting(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Lasting(failure)
    }
}

impl Trouble {
    /// It may be the proxy's that the variable names.
    fn through(self, name: &str) -> Self {
        let text = |why| format!("{why}, through the proxy that {name} names");
        match self {
            Self::Passing(why, after) => Self::Passing(text(why), after),
            Self::Lasting(Failure::Other(why)) => Self::Lasting(Failure::Other(text(why))),
            lasting => lasting,
        }
    }
}

/// A client of one endpoint.
#[derive(Debug, Clone)]
pub(super) struct Client {
    agent: Agent,
    ways: Ways,
    token: Option<String>,
    patience: Duration,
    pause: Duration,
}

impl Client {
    /// A client that knows the settings' token, certificates and proxies. `pause` is the first one between two tries; each further one
    /// is twice as long.
    pub fn new(settings: &Settings, patience: Duration, pause: Duration) -> Result<Self> {
        let ways = Ways::new(settings)?;
        let mut tls = TlsConfig::builder();
        if let Some(path) = &settings.certificates {
            tls = tls.root_certs(way::certificates(path)?);
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(patience))
            .timeout_recv_response(Some(patience))
            .timeout_per_read(Some(patience))
            // Each request has its own: the first that is set would be taken for all.
            .proxy(None)
            .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build());
        Ok(Self {
            agent: config.build().new_agent(),
            ways,
            token: settings.token()?,
            patience,
            pause,
        })
    }

    /// Whether there is a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// A short answer, whole.
    pub fn text(
        &self,
        url: &str,
        limit: u64,
        watch: &mut dyn FnMut(Event<'_>),
    ) -> std::result::Result<Vec<u8>, Failure> {
        let mut failed = 0;
        loop {
            let answer = self.send(url, None).and_then(|mut response| {
                let body = response.body_mut().with_config().limit(limit);
                body.read_to_vec().map_err(failure)
            });
            match answer {
                Ok(bytes) => return Ok(bytes),
                Err(Trouble::Lasting(failure)) => return Err(failure),
                Err(Trouble::Passing(why, after)) => {
                    failed += 1;
                    self.wait(failed, why, after, watch)?;
                }
            }
        }
    }

    /// Brings what is at `url` into `path`, going on from what is there; says whether it went on from an earlier run.
    pub fn file(
        &self,
        url: &str,
        path: &Path,
        bytes: Option<u64>,
        watch: &mut dyn FnMut(Event<'_>),
    ) -> std::result::Result<bool, Failure> {
        let resumed = length(path) > 0;
        let (mut most, mut failed) = (length(path), 0);
        loop {
            match self.part(url, path, bytes, watch) {
                Ok(()) => return Ok(resumed),
                Err(Trouble::Lasting(failure)) => return Err(failure),
                Err(Trouble::Passing(why, after)) => {
                    let here = length(path);
                    if here >= most.saturating_add(PROGRESS) {
                        (most, failed) = (here, 0);
                    }
                    failed += 1;
                    self.wait(failed, why, after, watch)?;
                }
            }
        }
    }

    /// One try at the rest of a file.
    fn part(
        &self,
        url: &str,
        path: &Path,
        bytes: Option<u64>,
        watch: &mut dyn FnMut(Event<'_>),
    ) -> std::result::Result<(), Trouble> {
        let disk = |e| Failure::Disk(path.to_owned(), e);
        let mut here = length(path);
        if bytes == Some(here) {
            return Ok(());
        }
        if bytes.is_some_and(|bytes| here > bytes) {
            here = 0;
        }
        let mut response = match self.send(url, Some(here)) {
            // What is here is not the beginning of that file.
            Err(Trouble::Lasting(Failure::Status { status: 416, .. })) if here > 0 => {
                fs::remove_file(path).map_err(disk)?;
                let why = "it has less than is here".to_owned();
                return Err(Trouble::Passing(why, None));
            }
            answer => answer?,
        };
        let (start, total) = match response.status().as_u16() {
            206 => content_range(response.headers())
                .ok_or_else(|| Failure::Other("its answer has no usable range".to_owned()))?,
            // The whole file, whatever was asked for.
            _ => (0, number(response.headers(), CONTENT_LENGTH.as_str())),
        };
        if start != here && start != 0 {
            let what =
                format!("it sends the file from byte {start} where byte {here} was asked for");
            return Err(Failure::Other(what).into());
        }
        if let (Some(said), Some(total)) = (bytes, total)
            && said != total
        {
            let what = format!("it sends {total} bytes, its own list says {said}");
            return Err(Failure::Other(what).into());
        }
        let total = total.or(bytes);
        let mut here = start;
        let mut open = OpenOptions::new();
        open.create(true).append(start > 0).write(true);
        let mut file = open.truncate(start == 0).open(path).map_err(disk)?;
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; 64 << 10];
        loop {
            watch(Event::Here(here));
            let n = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Trouble::Passing(format!("broken off: {e}"), None)),
            };
            here += n as u64;
            if here > total.unwrap_or(UNSAID) {
                return Err(Failure::Other("it sends more than it said".to_owned()).into());
            }
            file.write_all(&buffer[..n]).map_err(disk)?;
        }
        if let Some(total) = total.filter(|total| here < *total) {
            let why = format!("broken off at {here} of {total} bytes");
            return Err(Trouble::Passing(why, None));
        }
        Ok(file.sync_all().map_err(disk)?)
    }

    /// Sends one request, and follows where it leads: for a file from some byte on, or for a short answer, which has to be here soon.
    fn send(&self, url: &str, from: Option<u64>) -> std::result::Result<Response, Trouble> {
        let bad = |_| Failure::Other(format!("`{url}` is no address"));
        let mut at: Uri = url.parse().map_err(bad)?;
        for _ in 0..=REDIRECTS {
            // What is compressed under way has no length that could be held to.
            let request = self.agent.get(&at).header(ACCEPT_ENCODING, "identity");
            let via = self.ways.via(&at);
            let config = request.config().proxy(via.map(|via| via.proxy.clone()));
            let mut request = match from {
                None => config.timeout_recv_body(Some(self.patience)).build(),
                Some(_) => config.build(),
            };
            if let Some(from) = from.filter(|from| *from > 0) {
                request = request.header(RANGE, format!("bytes={from}-"));
            }
            let elsewhere = self.ways.elsewhere(&at);
            if let (Some(token), None) = (&self.token, &elsewhere) {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            let response = request.call().map_err(|e| {
                let trouble = failure(e);
                match via {
                    Some(via) => trouble.through(&via.name),
                    None => trouble,
                }
            })?;
            let headers = response.headers();
            match response.status().as_u16() {
                200 | 206 => return Ok(response),
                301 | 302 | 303 | 307 | 308 => {
                    let location = headers.get(LOCATION).and_then(|l| l.to_str().ok());
                    let to = way::redirected(&at, location.unwrap_or_default());
                    at = to.map_err(|why| Failure::Other(why.to_owned()))?;
                }
                status @ (408 | 429 | 500..) => {
                    let after = number(headers, RETRY_AFTER.as_str()).map(Duration::from_secs);
                    let who = elsewhere.as_deref().unwrap_or("it");
                    return Err(Trouble::Passing(format!("{who} answers {status}"), after));
                }
                status => {
                    let code = headers.get("x-error-code").and_then(|c| c.to_str().ok());
                    let code = code.map(str::to_owned);
                    let failure = Failure::Status {
                        status,
                        code,
                        elsewhere,
                    };
                    return Err(failure.into());
                }
            }
        }
        Err(Failure::Other("it redirects without end".to_owned()).into())
    }

    /// Waits before the next try, or gives up.
    fn wait(
        &self,
        failed: u32,
        why: String,
        after: Option<Duration>,
        watch: &mut dyn FnMut(Event<'_>),
    ) -> std::result::Result<(), Failure> {
        if failed >= TRIES {
            return Err(Failure::Other(format!("{why} ({TRIES} tries)")));
        }
        let pause = self.pause * 2_u32.saturating_pow(failed - 1);
        let wait = after.unwrap_or(pause).max(pause).min(LONGEST_PAUSE);
        watch(Event::Again { why: &why, wait });
        thread::sleep(wait);
        Ok(())
    }
}

/// First byte and whole length from `bytes 5-9/10`.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (part, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let start = part.split_once('-')?.0.parse().ok()?;
    Some((start, total.parse().ok()))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// Whether an error may pass.
fn failure(error: ureq::Error) -> Trouble {
    use ureq::Error as E;
    let text = error.to_string();
    // A wrong certificate comes as invalid data of the connection.
    let invalid = |e: &io::Error| e.kind() == io::ErrorKind::InvalidData;
    let lasting = match error {
        E::Io(e) if invalid(&e) => certificate_hint(text),
        E::Tls(_) | E::Rustls(_) => certificate_hint(text),
        E::Io(_) | E::Timeout(_) | E::ConnectionFailed | E::Protocol(_) => {
            return Trouble::Passing(text, None);
        }
        E::HostNotFound => "no such host, or no network".to_owned(),
        _ => text,
    };
    Trouble::Lasting(Failure::Other(lasting))
}

fn certificate_hint(text: String) -> String {
    match text.contains("certificate") {
        true => format!(
            "{text} (SSL_CERT_FILE can name a file of certificates to trust, if your site signs its own)"
        ),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ranges_are_read_or_not_believed() {
        let range = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_RANGE, text.parse().unwrap());
            content_range(&headers)
        };
        assert_eq!(range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(range("bytes 5-9/*"), Some((5, None)));
        for bad in ["5-9/10", "bytes */10", "bytes -1-2/3", "bytes 5-9", ""] {
            assert_eq!(range(bad), None, "{bad}");
        }
    }
}
