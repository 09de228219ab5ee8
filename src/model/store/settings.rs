//! The hub's environment variables, as its own tools read them; an empty one counts as not set.
//!
//! `HF_HUB_CACHE` (else `HF_HOME/hub`, else `XDG_CACHE_HOME/huggingface/hub`, else `~/.cache/huggingface/hub`), `HF_ENDPOINT`,
//! `HF_HUB_OFFLINE`, `HF_TOKEN` (else the file `HF_TOKEN_PATH`, else `HF_HOME/token`); and for the connection `SSL_CERT_FILE`, for
//! mirrors whose certificate a site signs itself, `https_proxy` or `http_proxy` (else `all_proxy`) and `no_proxy`, in small letters or
//! in capitals.
//!
//! What only a fetch needs is looked at by the fetch: a slip in it does not keep a model of the cache from being used.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// Where the hub is when `HF_ENDPOINT` names no other place.
const HUB: &str = "https://huggingface.co";

/// What the environment says about hub and cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Folder of the cache.
    pub cache: PathBuf,
    /// Address of the hub, without a slash at its end; not yet checked.
    pub endpoint: String,
    /// Whether nothing may be fetched.
    pub offline: bool,
    /// A file of certificates (PEM) to trust instead of the built-in ones.
    pub certificates: Option<PathBuf>,
    /// The proxy for addresses that begin with `https`.
    pub https_proxy: Option<Proxy>,
    /// The proxy for those that begin with `http`.
    pub http_proxy: Option<Proxy>,
    /// Hosts that are asked without a proxy: names, with what is below them; what begins with the part before a `*`.
    pub no_proxy: Vec<String>,
    token: Option<String>,
    token_file: PathBuf,
}

/// What the environment says of a proxy. It may hold a password: no message shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The variable.
    pub name: String,
    /// Its value; not yet checked.
    pub address: String,
}

impl Settings {
    /// Settings for the cache in a folder, with all else as usual, whatever the environment says.
    pub fn at(cache: impl Into<PathBuf>) -> Self {
        let cache = cache.into();
        Self {
            endpoint: HUB.to_owned(),
            offline: false,
            certificates: None,
            https_proxy: None,
            http_proxy: None,
            no_proxy: Vec::new(),
            token: None,
            token_file: cache.join("token"),
            cache,
        }
    }

    /// Reads the environment.
    ///
    /// # Errors
    /// [`Error::Model`] when a value cannot be used, or nothing says where the cache is.
    pub fn from_env() -> Result<Self> {
        Self::read(|name| env::var_os(name), env::home_dir())
    }

    fn read(
        variable: impl Fn(&str) -> Option<OsString>,
        user_home: Option<PathBuf>,
    ) -> Result<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let path = |name: &str| set(name).map(|value| expand(value, user_home.as_ref()));
        let text = |name: &str| match set(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Some(Err(_)) => Err(Error::Model(format!("{name} is not readable text"))),
        };
        let home = path("HF_HOME")
            .or_else(|| path("XDG_CACHE_HOME").map(|cache| cache.join("huggingface")))
            .or_else(|| Some(user_home.as_ref()?.join(".cache").join("huggingface")))
            .ok_or_else(|| {
                let what = "no home folder, and so no place for models: set HF_HOME to a folder";
                Error::Model(what.to_owned())
            })?;
        let endpoint = text("HF_ENDPOINT")?.unwrap_or_else(|| HUB.to_owned());
        // Small letters first, as curl and Python do.
        let either = |name: &str| {
            for name in [name.to_owned(), name.to_ascii_uppercase()] {
                if let Some(address) = text(&name)? {
                    return Ok::<_, Error>(Some(Proxy { name, address }));
                }
            }
            Ok(None)
        };
        let proxy = |name| Ok::<_, Error>(either(name)?.or(either("all_proxy")?));
        let no_proxy = either("no_proxy")?.map_or_else(String::new, |found| found.address);
        let hosts = no_proxy.split(',').map(str::trim);
        let no = ["0", "off", "no", "false"];
        let offline = text("HF_HUB_OFFLINE")?;
        Ok(Self {
            cache: path("HF_HUB_CACHE").unwrap_or_else(|| home.join("hub")),
            // Of an address that names no host the slashes are all there is: whoever looks at it should see them.
            endpoint: match endpoint.trim_end_matches('/') {
                scheme if scheme.ends_with(':') => endpoint,
                whole => whole.to_owned(),
            },
            // Whatever is no plain "no" keeps us off the network.
            offline: offline.is_some_and(|value| !no.contains(&&*value.to_ascii_lowercase())),
            certificates: path("SSL_CERT_FILE"),
            https_proxy: proxy("https_proxy")?,
            http_proxy: proxy("http_proxy")?,
            no_proxy: hosts.filter(|h| !h.is_empty()).map(str::to_owned).collect(),
            token: text("HF_TOKEN")?,
            token_file: path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token")),
        })
    }

    /// The token for models that not everybody may read.
    ///
    /// # Errors
    /// [`Error::Model`] when it cannot be a token; it is never shown.
    pub fn token(&self) -> Result<Option<String>> {
        let (token, place) = match &self.token {
            Some(token) => (token.clone(), "HF_TOKEN".to_owned()),
            None => match fs::read_to_string(&self.token_file) {
                Ok(text) => (
                    text.trim().to_owned(),
                    self.token_file.display().to_string(),
                ),
                Err(_) => return Ok(None),
            },
        };
        if token.is_empty() {
            return Ok(None);
        }
        if !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::Model(format!(
                "{place} holds no token: a token is one word of plain letters and signs"
            )));
        }
        Ok(Some(token))
    }
}

/// A leading `~` is the user's home, also where no shell has replaced it.
fn expand(value: OsString, home: Option<&PathBuf>) -> PathBuf {
    let path = PathBuf::from(value);
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings> {
        let find = |name: &str| pairs.iter().find(|(n, _)| *n == name);
        Settings::read(
            |name| find(name).map(|(_, value)| value.into()),
            Some("/home/ann".into()),
        )
    }

    #[test]
    fn the_cache_is_where_the_hubs_own_tools_look() {
        for (pairs, cache) in [
            (&[][..], "/home/ann/.cache/huggingface/hub"),
            (&[("HF_HOME", "")], "/home/ann/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (&[("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/x")], "/h/hub"),
            (&[("HF_HUB_CACHE", "/c"), ("HF_HOME", "/h")], "/c"),
            (&[("HF_HOME", "~/models")], "/home/ann/models/hub"),
        ] {
            assert_eq!(read(pairs).unwrap().cache, PathBuf::from(cache));
        }
        let error = Settings::read(|_| None, None).unwrap_err().to_string();
        assert!(error.contains("HF_HOME"), "{error}");
    }

    #[test]
    fn offline_is_anything_but_a_plain_no() {
        for (value, offline) in [
            ("1", true),
            ("ON", true),
            ("true", true),
            ("please", true),
            ("0", false),
            ("False", false),
            ("off", false),
            ("", false),
        ] {
            let settings = read(&[("HF_HUB_OFFLINE", value)]).unwrap();
            assert_eq!(settings.offline, offline, "{value}");
        }
    }

    #[test]
    fn the_endpoint_ends_without_a_slash() {
        let endpoint = |value| read(&[("HF_ENDPOINT", value)]).unwrap().endpoint;
        assert_eq!(endpoint("http://mirror:81/hf/"), "http://mirror:81/hf");
        assert_eq!(endpoint(""), HUB);
        assert_eq!(endpoint("https://"), "https://");
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let proxies = |pairs: &[(&str, &str)]| {
            let settings = read(pairs).unwrap();
            let text = |proxy: Option<Proxy>| proxy.map(|p| format!("{}={}", p.name, p.address));
            (text(settings.https_proxy), text(settings.http_proxy))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(proxies(&[]), (None, None));
        assert_eq!(proxies(&[("HTTPS_PROXY", "")]), (None, None));
        assert_eq!(
            proxies(&[("HTTP_PROXY", "a"), ("https_proxy", "b")]),
            (some("https_proxy=b"), some("HTTP_PROXY=a"))
        );
        assert_eq!(
            proxies(&[("ALL_PROXY", "a"), ("HTTPS_PROXY", "b")]),
            (some("HTTPS_PROXY=b"), some("ALL_PROXY=a"))
        );
        assert_eq!(
            proxies(&[("HTTPS_PROXY", "a"), ("https_proxy", "b")]).0,
            some("https_proxy=b")
        );
        let settings = read(&[("NO_PROXY", "localhost, .site.example,")]).unwrap();
        assert_eq!(settings.no_proxy, ["localhost", ".site.example"]);
    }

    #[test]
    fn a_token_is_a_word_from_the_variable_or_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        let token = |pairs: &[(&str, &str)]| {
            let mut all = vec![("HF_HOME", home)];
            all.extend(pairs);
            read(&all).unwrap().token()
        };
        assert_eq!(token(&[]).unwrap(), None);
        fs::write(folder.path().join("token"), "from-file\n").unwrap();
        assert_eq!(token(&[]).unwrap().unwrap(), "from-file");
        assert_eq!(token(&[("HF_TOKEN", " own ")]).unwrap().unwrap(), "own");
        let error = token(&[("HF_TOKEN", "sec\r\nret")])
            .unwrap_err()
            .to_string();
        assert!(error.contains("HF_TOKEN"), "{error}");
        assert!(!error.contains("sec"), "{error}");
    }
}
