//! The state of a container, alone and in lists.

use std::fmt;

use serde::{Deserialize, Deserializer};

use crate::ids::Vmid;
use crate::wire::{Tags, lax};

/// Whether a container runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContainerState {
    /// It runs.
    Running,
    /// It does not.
    Stopped,
    /// The node does not know, e.g. in the first seconds after its own start.
    Unknown,
}

impl fmt::Display for ContainerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Unknown => "unknown",
        })
    }
}

impl From<&str> for ContainerState {
    fn from(text: &str) -> Self {
        match text {
            "running" => Self::Running,
            "stopped" => Self::Stopped,
            _ => Self::Unknown,
        }
    }
}

impl<'de> Deserialize<'de> for ContainerState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::from(text.as_str()))
    }
}

/// The operation that holds a container.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct LockKind(String);

impl LockKind {
    /// The server's word for it, e.g. `backup`, `create`, `snapshot`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The state of a container.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct ContainerStatus {
    /// Its number.
    pub vmid: Vmid,
    /// Whether it runs.
    pub status: ContainerState,
    /// Host name.
    #[serde(default)]
    pub name: Option<String>,
    /// The operation that holds it.
    #[serde(default)]
    pub lock: Option<LockKind>,
    /// Tags.
    #[serde(default, deserialize_with = "tags")]
    pub tags: Tags,
    /// Whether it is a template.
    #[serde(default, deserialize_with = "lax")]
    pub template: bool,
    /// Seconds since its start; 0 while stopped.
    #[serde(default, deserialize_with = "lax")]
    pub uptime: u64,
    /// Number of processors it may use.
    #[serde(default, deserialize_with = "lax")]
    pub cpus: Option<f64>,
    /// Share of those in use.
    #[serde(default, deserialize_with = "lax")]
    pub cpu: Option<f64>,
    /// Bytes of memory in use.
    #[serde(default, deserialize_with = "lax")]
    pub mem: Option<u64>,
    /// Bytes of memory it may use.
    #[serde(default, deserialize_with = "lax")]
    pub maxmem: Option<u64>,
    /// Bytes of swap it may use.
    #[serde(default, deserialize_with = "lax")]
    pub maxswap: Option<u64>,
    /// Bytes in use on its root file system.
    #[serde(default, deserialize_with = "lax")]
    pub disk: Option<u64>,
    /// Bytes of its root file system.
    #[serde(default, deserialize_with = "lax")]
    pub maxdisk: Option<u64>,
    /// Process of its init on the node, while it runs.
    #[serde(default, deserialize_with = "lax")]
    pub pid: Option<u32>,
}

impl ContainerStatus {
    /// Whether it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.status == ContainerState::Running
    }
}

/// A container in the list of a node; the same fields as its status.
pub type ContainerEntry = ContainerStatus;

pub(crate) fn tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tags, D::Error> {
    let text: Option<String> = lax(deserializer)?;
    Ok(split(text.as_deref().unwrap_or_default()))
}

fn split(text: &str) -> Tags {
    crate::wire::split_list(text).collect()
}
