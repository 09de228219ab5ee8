//! Fetching a model from the hub: one list of its files, its manifest, then the files that the manifest names and nothing else. Of a
//! model without one, its configuration, which has to say what it is, then tokenizer and weights.
//!
//! A name from the server never becomes a path: files are called what the manifest calls them (plain names, see
//! [`Manifest`]), contents by the SHA-256 of what came, commits by checksums that were looked at. The crate `hf-hub` gives the cache's layout; its own
//! downloads are not used, because they send the token wherever a redirect leads, wait for ever, and append to a broken file without
//! looking whether the server goes on from there.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Display;
use std::fs;
use std::time::Duration;

use serde::Deserialize;

use super::cache::{Cache, unwritable};
use super::checksums::UNKNOWN;
use super::fetch::{Client, Failure};
use super::fill::{Fill, sha256_of, stand_for};
use super::name::{Id, is_commit};
use super::{Event, MANIFEST, Pulled, Settings, is_sha256, plain, sha256};
use crate::error::{Error, Result};
use crate::model::Manifest;
use crate::model::decoder;
use crate::model::manifest::{PLAIN, SHARDED};

/// Most bytes of the list of a model's files.
const LIST: u64 = 16 << 20;
const LIST_NAME: &str = "the list of files";
/// Most bytes of a manifest, or of the configuration that stands for one.
const SHORT: u64 = 256 << 10;

/// The hub of the settings.
#[derive(Debug, Clone)]
pub struct Hub {
    settings: Settings,
    /// How long no byte may come before a try is given up.
    pub patience: Duration,
    /// The pause before the second try; each further one is twice as long.
    pub pause: Duration,
}

/// The fetch of one model.
struct Fetch<'a> {
    id: &'a Id,
    endpoint: &'a str,
    client: Client,
}

/// What the hub says of one version of a model.
#[derive(Deserialize)]
struct Listing {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Large>,
}

/// A file that the hub keeps by its checksum.
#[derive(Deserialize)]
struct Large {
    sha256: Option<Sum>,
}

/// A SHA-256 in small letters; a list with anything else in its place is not believed at all.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Sum(String);

impl TryFrom<String> for Sum {
    type Error = &'static str;

    fn try_from(text: String) -> std::result::Result<Self, Self::Error> {
        match is_sha256(&text) {
            true => Ok(Self(text.to_ascii_lowercase())),
            false => Err("no sha256"),
        }
    }
}

impl Sibling {
    /// The checksum that the list states, if it does: of what is small it gives none of the content alone.
    fn sum(&self) -> Option<&str> {
        Some(&self.lfs.as_ref()?.sha256.as_ref()?.0)
    }
}

/// The files of a version by name.
type Listed<'a> = HashMap<&'a str, &'a Sibling>;

impl Hub {
    /// The hub, with the usual patience. Nothing is asked, and no setting checked, before a pull needs it.
    pub fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            patience: Duration::from_secs(30),
            pause: Duration::from_millis(500),
        }
    }

    /// Brings a model into the cache, or what is missing of it, and says what happens.
    ///
    /// # Errors
    /// [`Error::Model`] that says what could not be fetched, why, and what to do. What has come so far is kept.
    pub fn pull(&self, id: &Id, cache: &Cache, watch: &mut dyn FnMut(Event<'_>)) -> Result<Pulled> {
        if !id.on_hub() {
            return Err(Error::Model(format!(
                "`{id}` is no model of the hub: those have an owner, as in org/{id}"
            )));
        }
        let before = cache.commit(id);
        let pulled = |commit: &str, already, files| Pulled {
            id: id.clone(),
            commit: commit.to_owned(),
            before,
            already,
            files,
        };
        // A commit never changes: nothing to ask if it is here.
        if is_commit(&id.revision)
            && let Ok(files) = cache.open(id)
        {
            return Ok(pulled(&id.revision, true, files));
        }
        if self.settings.offline {
            return Err(Error::Model(format!(
                "`{id}` is not fetched: HF_HUB_OFFLINE is set. Unset it, or copy the model's folder here and name that with --model"
            )));
        }
        let endpoint = &*self.settings.endpoint;
        let fetch = Fetch {
            id,
            endpoint,
            client: Client::new(&self.settings, self.patience, self.pause)?,
        };
        watch(Event::Asking { id, endpoint });
        let listing = fetch.list(watch)?;
        let commit = listing.sha.to_ascii_lowercase();
        if let Ok(files) = cache.open(&id.at(&commit)) {
            stand_for(cache, id, &commit)?;
            return Ok(pulled(&commit, true, files));
        }
        let files = listing.siblings.iter();
        let files: Listed<'_> = files.map(|file| (&*file.rfilename, file)).collect();
        let fill = Fill::begin(cache, id, &commit, watch)?;
        match files.contains_key(MANIFEST) {
            true => fetch.stated(fill, &files, watch)?,
            false => fetch.plain(fill, &files, watch)?,
        }
        let files = cache.open(&id.at(&commit))?;
        Ok(pulled(&commit, false, files))
    }
}

impl Fetch<'_> {
    /// Brings the manifest, and the files that it names.
    fn stated(
        &self,
        fill: Fill<'_>,
        files: &Listed<'_>,
        watch: &mut dyn FnMut(Event<'_>),
    ) -> Result<()> {
        let bytes = self.short(&fill, MANIFEST, watch)?;
        let manifest = Manifest::parse(&String::from_utf8_lossy(&bytes))
            .map_err(|e| Error::Model(format!("`{}`: {e}", self.id)))?;
        fill.manifest(&manifest, &bytes)?;
        watch(Event::Checked);
        for (name, sum) in manifest.files() {
            let Some(file) = files.get(name) else {
                return Err(Error::Model(format!(
                    "`{}` lacks {name}, which its manifest names: its owner has to add it",
                    self.id
                )));
            };
            let sum = Some((sum, "the manifest says"));
            self.file(&fill, file, sum, watch)?;
        }
        fill.finish(&manifest, Some(sha256(&bytes)))
    }

    /// Brings the files of a model without a manifest, if its configuration says what it is: that is asked first.
    fn plain(
        &self,
        fill: Fill<'_>,
        files: &Listed<'_>,
        watch: &mut dyn FnMut(Event<'_>),
    ) -> Result<()> {
        let fail = |what: &dyn Display| Error::Model(format!("`{}`: {what}", self.id));
        let has = |name: &str| files.contains_key(name);
        let [config, ..] = PLAIN;
        let json = match has(config) {
            // Its weights may have another name, if it is a decoder.
            true if has(PLAIN[2]) || !has(SHARDED) => None,
            true => Some(self.short(&fill, config, watch)?),
            false => None,
        };
        if let Some(what) = plain::lacking(json.as_deref().unwrap_or_default(), has) {
            return Err(fail(&what));
        }
        let json = match json {
            Some(json) => json,
            None => self.short(&fill, config, watch)?,
        };
        let names = plain::names(&json, has);
        let manifest = |sums: &BTreeMap<String, String>| {
            Manifest::plain(self.id.name(), &json, sums).map_err(|e| fail(&e))
        };
        let unknown = names.iter().map(|name| (name.clone(), UNKNOWN.to_owned()));
        manifest(&unknown.collect())?;
        let sum = sha256(&json);
        fill.plain(config, &json)?;
        watch(Event::Checked);
        let recorded = fill.recorded()?.unwrap_or_default();
        let mut sums = BTreeMap::from([(config.to_owned(), sum)]);
        let mut rest: VecDeque<String> = names.into_iter().filter(|name| name != config).collect();
        while let Some(name) = rest.pop_front() {
            let Some(file) = files.get(&*name) else {
                return Err(fail(&format!("it lacks {name}, which {SHARDED} names")));
            };
            let known = recorded
                .of_file(&name)
                .map(|sum| (sum, "on first use it was"));
            let found = self.file(&fill, file, known, watch)?;
            if name == SHARDED {
                let index = super::read(&fill.place(&name))?;
                rest.extend(decoder::shards(&index).map_err(|e| fail(&e))?);
            }
            sums.insert(name, found);
        }
        fill.finish(&manifest(&sums)?, None)
    }

    /// A short file.
    fn short(
        &self,
        fill: &Fill<'_>,
        name: &str,
        watch: &mut dyn FnMut(Event<'_>),
    ) -> Result<Vec<u8>> {
        watch(Event::File { name, bytes: None });
        self.text(&self.address(fill.commit(), name), SHORT, name, watch)
    }

    /// Brings one file, unless its content is here, and gives its checksum. It has to be the `expected` one, which somebody stated;
    /// else the one that the hub lists. Where nobody states any, what is here is no proof: the file is fetched anew, from its first byte.
    fn file(
        &self,
        fill: &Fill<'_>,
        listed: &Sibling,
        expected: Option<(&str, &str)>,
        watch: &mut dyn FnMut(Event<'_>),
    ) -> Result<String> {
        let (id, name) = (self.id, &*listed.rfilename);
        let expected = expected.or(listed.sum().map(|sum| (sum, "the hub's list says")));
        let sum = expected.map(|(sum, _)| sum);
        let is = |found: &str| sum.is_none_or(|sum| found.eq_ignore_ascii_case(sum));
        let wrong = |found: &str| {
            let (sum, who) = expected.unwrap_or_default();
            Error::Model(format!(
                "{name} of `{id}` is not the file that it should be: its sha256 is {found}, {who} {sum}. It was thrown away; if it comes so again, tell \
                 the model's owner"
            ))
        };
        if let Some(found) = listed.sum().filter(|found| !is(found)) {
            return Err(wrong(found));
        }
        if let Some(sum) = sum
            && fill.holds(name, sum, watch)?
        {
            fill.link(name, sum)?;
            return Ok(sum.to_ascii_lowercase());
        }
        watch(Event::File {
            name,
            bytes: listed.size,
        });
        let path = sum.map_or_else(|| fill.unsaid(), |sum| fill.partial(sum))?;
        let address = self.address(fill.commit(), name);
        let found = loop {
            let resumed = self.client.file(&address, &path, listed.size, watch);
            let resumed = resumed.map_err(|f| self.explain(f, name))?;
            let found = sha256_of(&path).map_err(|e| unwritable(&path, &e))?;
            if is(&found) {
                break found;
            }
            fs::remove_file(&path).map_err(|e| unwritable(&path, &e))?;
            if !resumed {
                return Err(wrong(&found));
            }
            // The part from an earlier run may be what was wrong.
            watch(Event::Damaged { name });
        };
        fill.settle(&path, &found)?;
        fill.link(name, &found)?;
        watch(Event::Checked);
        Ok(found)
    }

    /// The commit that a revision is now, and its files.
    fn list(&self, watch: &mut dyn FnMut(Event<'_>)) -> Result<Listing> {
        let revision = escaped(&self.id.revision);
        let address = format!(
            "{}/api/models/{}/revision/{revision}?blobs=true",
            self.endpoint, self.id.repo
        );
        let answer = self.text(&address, LIST, LIST_NAME, watch)?;
        let listing: Option<Listing> = serde_json::from_slice(&answer).ok();
        listing
            .filter(|listing| is_commit(&listing.sha))
            .ok_or_else(|| {
                Error::Model(format!(
                    "{} does not answer like a hub: HF_ENDPOINT should name one",
                    self.endpoint
                ))
            })
    }

    /// A short answer; `what` it is for.
    fn text(
        &self,
        address: &str,
        limit: u64,
        what: &str,
        watch: &mut dyn FnMut(Event<'_>),
    ) -> Result<Vec<u8>> {
        let answer = self.client.text(address, limit, watch);
        answer.map_err(|f| self.explain(f, what))
    }

    fn address(&self, commit: &str, name: &str) -> String {
        let name = escaped(name);
        format!("{}/{}/resolve/{commit}/{name}", self.endpoint, self.id.repo)
    }

    /// What a failure means, and what to do.
    fn explain(&self, failure: Failure, what: &str) -> Error {
        let (hub, id) = (self.endpoint, self.id);
        let (status, code) = match failure {
            Failure::Disk(path, e) => return unwritable(&path, &e),
            Failure::Other(why) => {
                let kept = match what {
                    LIST_NAME => "",
                    _ => ". What has come is kept; the same command goes on from there",
                };
                return Error::Model(format!(
                    "cannot fetch {what} of `{id}` from {hub}: {why}{kept}"
                ));
            }
            Failure::Status {
                status,
                elsewhere: Some(host),
                ..
            } => {
                return Error::Model(format!(
                    "cannot fetch {what} of `{id}`: {hub} sends us to {host} for it, and that answers {status}. Try again later, or ask whoever runs \
                     the hub or the proxy"
                ));
            }
            Failure::Status { status, code, .. } => (status, code),
        };
        let token = self.client.has_token();
        Error::Model(match status {
            404 if code.as_deref() == Some("RevisionNotFound") => {
                format!("{hub} has no revision `{}` of `{}`", id.revision, id.repo)
            }
            404 => {
                format!("{hub} has no model `{id}`, or it lacks {what} (404): check the spelling")
            }
            401 if token => format!(
                "{hub} does not let you read `{id}` (401): there is no such model, or the token (HF_TOKEN, or the token file) is wrong or may not \
                 read it"
            ),
            401 => format!(
                "{hub} does not let you read `{id}` (401): there is no such model, or it is not public. Check the spelling; for one that is not public, \
                 set HF_TOKEN to a token that may read it"
            ),
            403 => format!(
                "{hub} does not let you read `{id}` (403): accept its terms at {hub}/{}, and set HF_TOKEN to your token",
                id.repo
            ),
            status => format!("cannot fetch {what} of `{id}` from {hub}: it answers {status}"),
        })
    }
}

/// A name as one part of an address.
fn escaped(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
