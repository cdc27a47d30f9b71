//! What is said about a node, in the list and by itself.

use serde::Deserialize;

use crate::ids::NodeName;
use crate::wire::lax;

/// A node in the list of the cluster. Without rights on it little is told.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct NodeEntry {
    /// Its name.
    pub node: NodeName,
    /// `online`, `offline`, or `unknown` in the first seconds after a start.
    pub status: String,
    /// Share of its processors in use.
    #[serde(default, deserialize_with = "lax")]
    pub cpu: Option<f64>,
    /// Number of its processors.
    #[serde(default, deserialize_with = "lax")]
    pub maxcpu: Option<u32>,
    /// Bytes of memory in use.
    #[serde(default, deserialize_with = "lax")]
    pub mem: Option<u64>,
    /// Bytes of memory.
    #[serde(default, deserialize_with = "lax")]
    pub maxmem: Option<u64>,
    /// Seconds since its start.
    #[serde(default, deserialize_with = "lax")]
    pub uptime: Option<u64>,
    /// SHA-256 of its certificate.
    #[serde(default)]
    pub ssl_fingerprint: Option<String>,
}

impl NodeEntry {
    /// Whether it takes part in the cluster.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.status == "online"
    }
}

/// How much of something is used, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// All of it.
    #[serde(default, deserialize_with = "lax")]
    pub total: u64,
    /// What is in use.
    #[serde(default, deserialize_with = "lax")]
    pub used: u64,
    /// What is free.
    #[serde(default, deserialize_with = "lax")]
    pub free: u64,
}

/// The state of a node.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct NodeStatus {
    /// Version of the management software, e.g. `pve-manager/8.4.21/…`.
    #[serde(default)]
    pub pveversion: String,
    /// Version of the kernel.
    #[serde(default)]
    pub kversion: Option<String>,
    /// Share of its processors in use.
    #[serde(default, deserialize_with = "lax")]
    pub cpu: Option<f64>,
    /// Load averages over one, five and fifteen minutes, as text.
    #[serde(default)]
    pub loadavg: Vec<String>,
    /// Seconds since its start.
    #[serde(default, deserialize_with = "lax")]
    pub uptime: Option<u64>,
    /// Its memory.
    #[serde(default)]
    pub memory: Usage,
    /// Its swap.
    #[serde(default)]
    pub swap: Usage,
    /// Its root file system.
    #[serde(default)]
    pub rootfs: Usage,
}
