//! The address of a server.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use url::{Host, Url};

use crate::ids::InvalidId;

const DEFAULT_PORT: u16 = 8006;

/// Where a node listens: `https://pve1:8006`, or a bare host for that scheme and port.
///
/// Plain HTTP is accepted on loopback only, for tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl(Url);

impl ServerUrl {
    /// Whether the conversation is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The address of something on that server; `target` is percent-encoded and begins with `/`.
    pub(super) fn join(&self, target: &str) -> Url {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        url.set_query(query);
        url
    }
}

impl FromStr for ServerUrl {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        // The text is not repeated when it may hold a password.
        let shown = if text.contains('@') { "…" } else { text };
        let refuse = |expected| InvalidId::new(expected, shown);
        let full = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let mut url: Url = full
            .trim()
            .parse()
            .map_err(|_| refuse("a server's address"))?;
        // The parser drops a port that is the scheme's own.
        let named = url.port().is_some() || url.path() == "/" && text.ends_with(":443");
        if !text.contains("://") && !named {
            url.set_port(Some(DEFAULT_PORT))
                .map_err(|()| refuse("a server's address"))?;
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("a server's address without user and password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("a server's address without query"));
        }
        let usable = match url.scheme() {
            "https" => url.host().is_some(),
            "http" => is_loopback(&url),
            _ => false,
        };
        if !usable {
            return Err(refuse("a server's address (`https://host:8006`)"));
        }
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/api2/json").unwrap_or(path).to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::ServerUrl;

    #[test]
    fn addresses_are_completed_and_trimmed() {
        for (text, printed) in [
            ("pve1", "https://pve1:8006"),
            ("pve1:443", "https://pve1"),
            ("192.0.2.1", "https://192.0.2.1:8006"),
            ("[2001:db8::1]", "https://[2001:db8::1]:8006"),
            ("https://pve1:8006/", "https://pve1:8006"),
            ("https://pve1:8006/api2/json/", "https://pve1:8006"),
            ("https://proxy/pve", "https://proxy/pve"),
            ("http://127.0.0.1:1234", "http://127.0.0.1:1234"),
        ] {
            assert_eq!(
                text.parse::<ServerUrl>().unwrap().to_string(),
                printed,
                "{text}"
            );
        }
    }

    #[test]
    fn plain_http_is_for_loopback_and_passwords_are_for_nobody() {
        for bad in [
            "http://pve1:8006",
            "ftp://pve1",
            "https://root:canary@pve1",
            "",
            "https://pve1?x=1",
        ] {
            let refused = bad.parse::<ServerUrl>().unwrap_err().to_string();
            assert!(!refused.contains("canary"), "{refused}");
        }
    }

    #[test]
    fn targets_keep_their_encoding() {
        let url: ServerUrl = "https://proxy/pve".parse().unwrap();
        let joined = url.join("/api2/json/a%2Fb?c=%3B");
        assert_eq!(joined.as_str(), "https://proxy/pve/api2/json/a%2Fb?c=%3B");
    }
}
