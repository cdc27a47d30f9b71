//! The written form of a fleet: what the files say, with a place for every value.
//!
//! Nothing here knows defaults or Proxmox VE: [`crate::resolve`] does. The files are parsed, never
//! sourced by a shell.

pub mod keys;
mod load;
mod names;
mod read;
mod secret;
mod size;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use keys::Key;
pub use load::{Error, load};
pub use names::{ContainerName, FleetId, NotAName, Vmid, is_dns_label};
pub use read::{Connection, connection, read};
pub(crate) use read::{bad_variable, is_local, is_variable_name};
pub use secret::Secret;
pub use size::Size;

use crate::diagnostic::{Located, Span};

/// Everything that was read from a fleet's folder: plain values, so that all that follows is pure.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// The files that are parsed, by path relative to the fleet's root, with `/`.
    pub texts: BTreeMap<String, Text>,
    /// Every file below `default/`, `config/` and `containers/NAME/`: what a layer may use.
    pub inputs: BTreeMap<String, Input>,
    /// What git tracks, when the caller asked git; decides whether a `.local` file is in danger.
    pub tracked: Option<BTreeSet<String>>,
    /// Files that are there and cannot be read, with the reason.
    pub unreadable: BTreeMap<String, String>,
}

/// One parsed file.
#[derive(Clone)]
pub struct Text {
    /// Its content.
    pub content: Arc<str>,
    /// The permission bits, such as `0o600`.
    pub mode: u32,
}

impl std::fmt::Debug for Text {
    /// Without the content: one of the files holds secrets.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "Text({} bytes, mode {:o})",
            self.content.len(),
            self.mode
        )
    }
}

/// One file that a layer uses, by what counts of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Input {
    /// SHA-256 of the content, hexadecimal.
    pub digest: String,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// The words in it that may be names of variables: a variable of the fleet counts for a layer
    /// when a file of that layer names it.
    #[serde(skip)]
    pub mentions: BTreeSet<String>,
}

impl Input {
    /// What counts of a file with this content.
    #[must_use]
    pub fn of(content: &[u8], executable: bool) -> Self {
        let is_inner =
            |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
        let words = content
            .split(|byte| !is_inner(byte))
            .filter(|word| !word.is_empty());
        let mentions = words
            .filter_map(|word| std::str::from_utf8(word).ok())
            .filter(|word| is_variable_name(word));
        Self {
            digest: hex::encode(Sha256::digest(content)),
            executable,
            mentions: mentions.map(str::to_owned).collect(),
        }
    }
}

/// A fleet as written.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// The random identity, the same on every machine that holds the repository.
    pub id: Option<Located<FleetId>>,
    /// `[defaults]`: values for every container that does not say otherwise.
    pub defaults: Entries,
    /// `[network]`: where addresses and numbers come from.
    pub network: Network,
    /// `[program]`: the build of this program that the control plane runs; `None` leaves it the one
    /// that stands there.
    pub program: Option<Program>,
    /// `[vars]`: names for `${NAME}` and for the provisioners.
    pub vars: IndexMap<String, Located<String>>,
    /// `[policies]`: what the engine may do unasked.
    pub policies: Policies,
    /// The containers; the control plane's, if there is one, first, then by name.
    pub containers: Vec<ContainerSpec>,
    /// The names and values of `secrets.local.env`.
    pub secrets: BTreeMap<String, Located<Secret>>,
}

/// `[network]` of `fleet.toml`.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// `subnet = "10.0.0.0/24"`: every address must lie in it.
    pub subnet: Option<Located<Subnet>>,
    /// `gateway = "10.0.0.1"`; default of `GATEWAY`.
    pub gateway: Option<Located<std::net::Ipv4Addr>>,
    /// Whether a subnet is written that cannot be read: what would follow from it is unknown.
    pub subnet_unread: bool,
    /// `vmids = "100-199"`: every `ID` must lie in it.
    pub vmids: Option<Located<(Vmid, Vmid)>>,
}

/// An IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The network's address, host bits zero.
    pub address: std::net::Ipv4Addr,
    /// Length of the prefix, 0 to 32.
    pub prefix: u8,
}

impl Subnet {
    /// The network that `address` lies in; `None` when the prefix is none.
    #[must_use]
    pub fn new(address: std::net::Ipv4Addr, prefix: u8) -> Option<Self> {
        let mask = Self::mask(prefix)?;
        Some(Self {
            address: std::net::Ipv4Addr::from(u32::from(address) & mask),
            prefix,
        })
    }

    fn mask(prefix: u8) -> Option<u32> {
        (prefix <= 32).then(|| u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0))
    }

    /// Whether `address` may be a host's: inside, and neither the network's own nor its broadcast
    /// address.
    #[must_use]
    pub fn holds(self, address: std::net::Ipv4Addr) -> bool {
        let mask = Self::mask(self.prefix).unwrap_or(0);
        let (host, network) = (u32::from(address) & !mask, u32::from(address) & mask);
        network == u32::from(self.address) && (self.prefix >= 31 || (host != 0 && host != !mask))
    }

    /// The network's address plus `offset`, when that may be a host's.
    #[must_use]
    pub fn host(self, offset: u32) -> Option<std::net::Ipv4Addr> {
        let address = u32::from(self.address)
            .checked_add(offset)
            .map(std::net::Ipv4Addr::from)?;
        self.holds(address).then_some(address)
    }
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.address, self.prefix)
    }
}

/// `[program]` of `fleet.toml`: the build of this program that the control plane runs.
///
/// No part of any container's layers: changing it configures nothing anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Program {
    /// `version = "0.3.1"`: the release; its tag is this with a `v` before it.
    pub version: String,
    /// `sha256 = "…"`: the checksum of the executable, 64 hexadecimal digits in lower case.
    pub sha256: String,
}

/// `[policies]` of `fleet.toml`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    /// `reboot = "never"` or `"allow"`: what happens to a change that waits for a restart.
    pub reboot: RebootPolicy,
}

/// What happens to a change that takes effect only when the container restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RebootPolicy {
    /// It is written and waits; the plan says so.
    #[default]
    Never,
    /// The container is restarted in the same apply.
    Allow,
}

/// One container as written, whichever form it was written in.
#[derive(Clone, Debug)]
pub struct ContainerSpec {
    /// Its name: the folder, or for the control plane its `HOSTNAME`.
    pub name: ContainerName,
    /// The control plane or one of the others.
    pub role: Role,
    /// The file that says all this: `config.env`, `containers/web/config.env`, `…/container.toml`.
    pub file: Arc<str>,
    /// The folder of its service layer: `config`, `containers/web`.
    pub folder: String,
    /// What it says.
    pub entries: Entries,
}

/// What a container is to its fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Described by the `config.env` at the root: it will hold the fleet's own repository.
    ControlPlane,
    /// Described in `containers/NAME/`.
    Member,
}

/// Keys with what was written for each, in the order of the file.
pub type Entries = IndexMap<Key, Entry>;

/// What was written for one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key as written, `SHARED` for instance where the key is [`Key::Mount`].
    pub written: Located<String>,
    /// The whole value.
    pub value: Span,
    /// The items: one for a scalar, one each for a list; blank ones are kept, lint refuses them.
    pub items: Vec<Located<String>>,
}
