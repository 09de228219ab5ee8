//! The way to an address: whether it is still the endpoint's own, which proxy stands in between, where a redirect leads, and whose
//! certificates are believed.
//!
//! What the environment says of it is used as it stands or refused by the variable's name; nothing is passed by in silence.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ureq::Proxy;
use ureq::http::Uri;
use ureq::http::uri::Authority;
use ureq::tls::{PemItem, RootCerts, parse_pem};

use super::{Settings, settings};
use crate::error::{Error, Result};

/// The ways from here.
#[derive(Debug, Clone)]
pub(super) struct Ways {
    home: Origin,
    https_proxy: Option<Via>,
    http_proxy: Option<Via>,
    /// What is asked without a proxy, as `NO_PROXY` has it.
    no_proxy: Vec<String>,
}

/// A proxy, and the variable that names it.
#[derive(Debug, Clone)]
pub(super) struct Via {
    pub name: String,
    pub proxy: Proxy,
}

/// What a token may be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

impl Ways {
    /// The ways that the settings name.
    ///
    /// # Errors
    /// [`Error::Model`] that names the variable which cannot be used.
    pub fn new(settings: &Settings) -> Result<Self> {
        let proxy = |of: &Option<_>| of.as_ref().map(via).transpose();
        Ok(Self {
            home: home(&settings.endpoint)?,
            https_proxy: proxy(&settings.https_proxy)?,
            http_proxy: proxy(&settings.http_proxy)?,
            no_proxy: settings.no_proxy.clone(),
        })
    }

    /// The proxy that `to` is asked through, if any.
    pub fn via(&self, to: &Uri) -> Option<&Via> {
        let via = match to.scheme_str() {
            Some("https") => &self.https_proxy,
            _ => &self.http_proxy,
        };
        let host = bare(to.host()?).to_ascii_lowercase();
        let means = |entry: &String| means(&entry.to_ascii_lowercase(), &host);
        via.as_ref().filter(|_| !self.no_proxy.iter().any(means))
    }

    /// The host of `to`, unless that is the endpoint's own origin.
    pub fn elsewhere(&self, to: &Uri) -> Option<String> {
        match Origin::of(to) {
            Some(origin) if origin == self.home => None,
            _ => Some(to.host().unwrap_or_default().to_owned()),
        }
    }
}

impl Origin {
    fn of(uri: &Uri) -> Option<Self> {
        let secure = uri.scheme_str()? == "https";
        Some(Self {
            secure,
            host: uri.host()?.to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
        })
    }
}

/// The origin of the endpoint, if that is one that addresses can begin with.
fn home(endpoint: &str) -> Result<Origin> {
    let bad = |what: &str| Error::Model(format!("HF_ENDPOINT {what}"));
    if !(endpoint.starts_with("https://") || endpoint.starts_with("http://")) {
        return Err(bad("must begin with https:// or http://"));
    }
    let parsed: Option<Uri> = endpoint.parse().ok();
    let place = parsed
        .as_ref()
        .and_then(|uri| Some((uri, uri.authority()?)));
    let (uri, authority) =
        place.ok_or_else(|| bad("is no address: one looks like https://mirror.example"))?;
    if authority.as_str().contains('@') {
        return Err(bad(
            "must hold no password: HF_TOKEN is the place for what a mirror asks",
        ));
    }
    if uri.query().is_some() || endpoint.contains('#') {
        return Err(bad(
            "must be an address without ? and #: what is asked for is put behind it",
        ));
    }
    match (amiss(authority), Origin::of(uri)) {
        (None, Some(origin)) => Ok(origin),
        (what, _) => Err(bad(what.unwrap_or(NO_HOST))),
    }
}

fn via(of: &settings::Proxy) -> Result<Via> {
    let name = of.name.clone();
    let proxy = Proxy::new(&of.address).map_err(|_| {
        Error::Model(format!(
            "{name} is no proxy's address: one looks like http://proxy.example:3128, and begins with http, https, socks4, socks4a, socks5 or socks5h"
        ))
    })?;
    match proxy.uri().authority().map_or(Some(NO_HOST), amiss) {
        Some(what) => Err(Error::Model(format!(
            "{name} {what}: a proxy's address looks like http://proxy.example:3128"
        ))),
        None => Ok(Via { name, proxy }),
    }
}

const NO_HOST: &str = "names no host";

/// What keeps anybody from connecting to an address that can be parsed, if something does: the parser takes whatever stands for a port, and
/// then it would not count.
fn amiss(authority: &Authority) -> Option<&'static str> {
    let place = authority.as_str().rsplit('@').next().unwrap_or_default();
    let port = place.strip_prefix(authority.host()).unwrap_or_default();
    match authority.port_u16() {
        _ if bare(authority.host()).is_empty() => Some(NO_HOST),
        None if port.is_empty() => None,
        None | Some(0) => Some("names an impossible port (there are 1 to 65535)"),
        Some(_) => None,
    }
}

/// A host without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether an entry of `NO_PROXY` means `host`: a name, with or without a dot or `*.` before it, means itself and what is below it; what ends
/// in `*` means all that begins so. Ports and ranges of addresses mean nothing.
fn means(entry: &str, host: &str) -> bool {
    match entry.strip_suffix('*') {
        Some(start) => host.starts_with(start),
        None => {
            let name = bare(entry).trim_start_matches(['*', '.']);
            let above = host.strip_suffix(name);
            !name.is_empty() && above.is_some_and(|below| below.is_empty() || below.ends_with('.'))
        }
    }
}

/// Where a redirect leads.
pub(super) fn redirected(from: &Uri, location: &str) -> std::result::Result<Uri, &'static str> {
    const NOWHERE: &str = "it redirects to no address";
    let scheme = from.scheme_str().unwrap_or_default();
    let authority = from.authority().map_or("", |a| a.as_str());
    let whole = match location {
        l if l.starts_with("//") => format!("{scheme}:{l}"),
        l if l.starts_with('/') => format!("{scheme}://{authority}{l}"),
        l => l.to_owned(),
    };
    let to: Uri = whole.parse().map_err(|_| NOWHERE)?;
    if to.authority().is_none_or(|to| amiss(to).is_some()) {
        return Err(NOWHERE);
    }
    match (to.scheme_str(), scheme) {
        (Some("https"), _) | (Some("http"), "http") => Ok(to),
        (Some("http"), _) => Err("it redirects from https to http, which nobody protects"),
        _ => Err(NOWHERE),
    }
}

/// The certificates in a PEM file.
pub(super) fn certificates(path: &Path) -> Result<RootCerts> {
    let fail = |what: String| {
        let place = path.display();
        Error::Model(format!("SSL_CERT_FILE {place}: {what}"))
    };
    let mut pem = Vec::new();
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut pem))
        .map_err(|e| fail(e.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|e| fail(e.to_string()))? {
            found.push(certificate);
        }
    }
    match found.is_empty() {
        true => Err(fail("it holds no certificate".to_owned())),
        false => Ok(RootCerts::from(found)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[test]
    fn redirects_lead_to_addresses_and_never_out_of_https() {
        let follow = |from: &str, location: &str| {
            let to = redirected(&from.parse().unwrap(), location).ok()?;
            Some(to.to_string())
        };
        let from = "https://hub:8443/a/b";
        assert_eq!(follow(from, "/c?d=e").unwrap(), "https://hub:8443/c?d=e");
        assert_eq!(follow(from, "//cdn/x").unwrap(), "https://cdn/x");
        assert_eq!(follow(from, "https://cdn/x").unwrap(), "https://cdn/x");
        assert_eq!(follow("http://hub/a", "http://b/").unwrap(), "http://b/");
        for bad in [
            "http://cdn/x",
            "file:///etc/passwd",
            "c/d",
            "",
            "https://cdn:443443/x",
            "https://:443/x",
        ] {
            assert_eq!(follow(from, bad), None, "{bad}");
        }
    }

    #[test]
    fn another_scheme_host_or_port_is_another_origin() {
        let of = |uri: &str| Origin::of(&uri.parse().unwrap()).unwrap();
        assert_eq!(of("https://Hub/a"), of("https://hub:443/b?c"));
        for other in [
            "http://hub/a",
            "https://hub:444/",
            "https://hub.x/",
            "https://x/",
        ] {
            assert_ne!(of("https://hub/"), of(other), "{other}");
        }
    }

    #[test]
    fn the_endpoint_is_an_address_and_holds_no_secret() {
        assert_eq!(home("http://mirror:81/hf").unwrap().port, 81);
        assert_eq!(home("http://[::1]:81").unwrap().host, "[::1]");
        for (bad, says) in [
            ("mirror", "must begin with"),
            ("ftp://mirror", "must begin with"),
            ("https://", "is no address"),
            ("https:///x", "is no address"),
            ("https://a b", "is no address"),
            ("https://:81", "names no host"),
            ("https://[]:81", "names no host"),
            ("https://mirror:", "impossible port"),
            ("https://mirror:0", "impossible port"),
            ("https://mirror:65536/hf", "impossible port"),
            ("https://mirror:https", "impossible port"),
            ("http://host?x", "without ? and #"),
            ("http://host#x", "without ? and #"),
            ("https://ann:secret@mirror", "no password"),
        ] {
            let error = home(bad).unwrap_err().to_string();
            assert!(error.contains("HF_ENDPOINT"), "{bad}: {error}");
            assert!(error.contains(says), "{bad}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_proxy_is_used_as_it_is_written_or_refused() {
        let of = |address: &str| {
            let name = "ALL_PROXY".to_owned();
            let address = address.to_owned();
            via(&settings::Proxy { name, address }).map(|via| via.proxy)
        };
        for (address, protocol, host, port) in [
            ("proxy.site:3128", "HTTP", "proxy.site", 3128),
            ("http://proxy.site/", "HTTP", "proxy.site", 80),
            ("socks5h://proxy.site", "SOCKS5h", "proxy.site", 1080),
            ("http://[::1]:3128", "HTTP", "[::1]", 3128),
        ] {
            let proxy = of(address).unwrap();
            assert_eq!(proxy.protocol().to_string(), protocol);
            assert_eq!((proxy.host(), proxy.port()), (host, port));
        }
        let with_password = of("http://ann:a%40b@proxy.site:1").unwrap();
        assert_eq!(with_password.username(), Some("ann"));
        assert_eq!(with_password.password(), Some("a@b"));
        for (bad, says) in [
            ("ftp://ann:secret@x", "socks5"),
            ("http://", "socks5"),
            ("a b", "socks5"),
            ("http://ann:secret@", "proxy.example"),
            ("http://ann:secret@:3128", "proxy.example"),
            ("http://ann:secret@x:70000", "impossible port"),
            ("http://ann:secret@x:0", "impossible port"),
            ("x:", "impossible port"),
        ] {
            let error = of(bad).unwrap_err().to_string();
            assert!(
                error.contains("ALL_PROXY") && error.contains(says),
                "{bad}: {error}"
            );
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn what_no_proxy_means_is_asked_without_one() {
        let without = |entries: &[&str], host: &str| {
            let mut settings = Settings::at("");
            settings.https_proxy = Some(settings::Proxy {
                name: "ALL_PROXY".to_owned(),
                address: "http://proxy.site".to_owned(),
            });
            settings.no_proxy = entries.iter().map(|&entry| entry.to_owned()).collect();
            let ways = Ways::new(&settings).unwrap();
            ways.via(&format!("https://{host}:81/x").parse().unwrap())
                .is_none()
        };
        for host in ["site", "a.site", "A.Site"] {
            for entry in ["site", ".site", "*.site", "*", "SITE"] {
                assert!(without(&["other", entry], host), "{entry} {host}");
            }
            for other in ["ite", "a.site.b", "site:81", ".", "www.site"] {
                assert!(!without(&[other], host), "{other} {host}");
            }
        }
        assert!(without(&["10.*"], "10.1.2.3"));
        assert!(!without(&["10.0.0.0/8"], "10.1.2.3"));
        assert!(without(&["::1"], "[::1]") && without(&["[::1]"], "[::1]"));
        assert!(!without(&[], "site"));
    }

    #[test]
    fn certificates_are_read_or_the_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.pem");
        let block = |kind: &str| format!("-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n");
        let says = || certificates(&path).unwrap_err().to_string();
        assert!(says().contains("site.pem"), "{}", says());
        for none in ["", "hello\n", &block("PRIVATE KEY")] {
            fs::write(&path, none).unwrap();
            assert!(
                says().contains("holds no certificate"),
                "{none}: {}",
                says()
            );
        }
        let one = block("PRIVATE KEY") + &block("CERTIFICATE");
        fs::write(&path, one).unwrap();
        match certificates(&path).unwrap() {
            RootCerts::Specific(found) => assert_eq!(found.len(), 1),
            other => unreachable!("{other:?}"),
        }
    }
}
