//! What the world looks like: plain values, filled by `observe`, read by the planner.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::spec::Vmid;

/// The world, as far as a plan needs it.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// As whom we speak, and what that one may do.
    pub access: Access,
    /// The names of the nodes that are online: `GET /cluster/resources`, type `node`.
    pub nodes: BTreeSet<String>,
    /// The storages of each node that are there and enabled, by node: type `storage`.
    pub storages: BTreeMap<String, BTreeSet<String>>,
    /// Every guest of the cluster, containers and virtual machines: type `lxc` and `qemu`.
    pub guests: BTreeMap<Vmid, Guest>,
}

/// As whom we speak to Proxmox VE, and what that one may do.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Who.
    pub identity: Identity,
    /// `GET /access/permissions`: privileges by path, `true` where they hold below it too. Empty
    /// when it was not asked: the planner then asks for nothing but what identity alone decides.
    pub privileges: BTreeMap<String, BTreeMap<String, bool>>,
}

/// Who speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// `root@pam` with a ticket: the only one whom Proxmox VE lets do what it reserves for root.
    Root,
    /// An API token, `user@realm!name`; one of root's is not root.
    Token(String),
    /// Another user with a ticket.
    User(String),
    /// It is not known; nothing is refused on its account.
    #[default]
    Unknown,
}

/// A guest of the cluster.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Container or virtual machine.
    pub kind: GuestKind,
    /// The node it is on.
    pub node: String,
    /// Its name as the cluster shows it; for messages.
    pub name: Option<String>,
    /// Whether it runs.
    pub status: Status,
    /// Its pool.
    pub pool: Option<String>,
    /// Its tags as Proxmox VE wrote them: `a;b`. Known without a call for its configuration.
    pub tags: Option<String>,
    /// The memory that it uses right now, in bytes: `mem` of the cluster's resources. `None` while it
    /// does not run, or where that was not said.
    pub memory_used: Option<u64>,
    /// Its configuration: needed for every container whose number a file of the fleet names, or
    /// that bears the ownership tag; `None` for the rest.
    pub config: Option<GuestConfig>,
}

/// Container or virtual machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GuestKind {
    /// A container.
    Lxc,
    /// A virtual machine: never ours.
    Qemu,
}

/// Whether a guest runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It does.
    Running,
    /// It does not.
    Stopped,
}

/// A container's configuration, field by field, as Proxmox VE wrote it.
///
/// One `GET …/pending` gives all of it, digest included. Numbers and booleans as text: `"512"`,
/// `"1"`. The planner does the normalising.
#[derive(Clone, Debug, Default)]
pub struct GuestConfig {
    /// What the container has now: `value` of each line, without `digest`.
    pub values: BTreeMap<String, String>,
    /// What waits for a restart: `pending` of a line, `None` where the line says `delete`.
    pub pending: BTreeMap<String, Option<String>>,
    /// The digest of the file.
    pub digest: Option<String>,
    /// The lock that is held, from the line `lock`: `create`, `backup`, ….
    pub lock: Option<String>,
}

impl GuestConfig {
    /// What it will be after the next restart: values with what is pending over them.
    #[must_use]
    pub fn wanted(&self) -> BTreeMap<String, String> {
        let mut wanted = self.values.clone();
        for (field, value) in &self.pending {
            match value {
                Some(value) => wanted.insert(field.clone(), value.clone()),
                None => wanted.remove(field),
            };
        }
        wanted
    }
}
