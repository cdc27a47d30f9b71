//! The server's version, and what it can do.

use std::fmt;

use serde::Deserialize;

use crate::api;
use crate::client::Client;
use crate::error::Error;
use crate::request::Request;
use crate::wire::Params;

/// The server's version.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Version {
    /// Version of the management software, e.g. `8.4.21`.
    pub version: String,
    /// Release it belongs to, e.g. `8.4`.
    pub release: String,
    /// Short hash of its source.
    #[serde(default)]
    pub repoid: String,
}

/// What a server of some version can do.
///
/// ```
/// use proxmox_api::api::Capabilities;
///
/// assert!(!Capabilities::of_release("8.4").takes("/nodes/{node}/lxc", "entrypoint"));
/// assert!(Capabilities::of_release("9.2").takes("/nodes/{node}/lxc", "entrypoint"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capabilities {
    major: u32,
    minor: u32,
}

impl Version {
    /// What it can do.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        Capabilities::of_release(&self.release)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.version)
    }
}

impl Capabilities {
    /// What a release can do, e.g. `8.4`; one that cannot be read can do nothing special.
    #[must_use]
    pub fn of_release(release: &str) -> Self {
        let mut numbers = release
            .split(['.', '-'])
            .map(|part| part.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        Self {
            major: next(),
            minor: next(),
        }
    }

    /// Whether it is that release or a later one.
    #[must_use]
    pub fn at_least(self, major: u32, minor: u32) -> bool {
        (self.major, self.minor) >= (major, minor)
    }

    /// Whether a call takes a parameter that this crate knows; see [`api::SINCE`].
    #[must_use]
    pub fn takes(self, path: &str, parameter: &str) -> bool {
        let since = api::SINCE
            .iter()
            .find(|since| since.path == path && since.parameter == parameter);
        since.is_none_or(|since| self.at_least(since.major, since.minor))
    }

    /// Whether a container is unprivileged when nothing is said (9.0 and later).
    #[must_use]
    pub fn creates_unprivileged(self) -> bool {
        self.at_least(9, 0)
    }

    /// Whether high availability has rules instead of groups (9.0 and later).
    #[must_use]
    pub fn has_ha_rules(self) -> bool {
        self.at_least(9, 0)
    }

    /// Whether the host can configure a container's network, `host-managed` (9.1 and later).
    #[must_use]
    pub fn has_host_managed_networks(self) -> bool {
        self.at_least(9, 1)
    }

    /// Whether mount points take `idmap` (9.2 and later).
    #[must_use]
    pub fn has_idmapped_mounts(self) -> bool {
        self.at_least(9, 2)
    }

    /// Whether containers can be made of OCI images (9.1 and later).
    #[must_use]
    pub fn has_oci_images(self) -> bool {
        self.at_least(9, 1)
    }
}

impl Client {
    /// The server's version.
    ///
    /// Upstream: `GET /version`. It needs valid credentials and no privilege.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorized`](crate::ErrorKind::Unauthorized): a cheap way to try credentials.
    pub async fn version(&self) -> Result<Version, Error> {
        self.get(&Request::to(&api::GET_VERSION, &[], Params::default()))
            .await
    }
}
