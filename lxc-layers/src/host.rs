//! Host: the few things that the engine asks of a hypervisor.

mod proxmox;

use std::{collections::BTreeMap, error::Error as StdError, fmt, net::Ipv4Addr, time::Duration};

use async_trait::async_trait;

pub use proxmox::{ProxmoxHost, next_look};

use crate::{
    plan::{GuestConfig, Observed, Status},
    spec::Vmid,
};

/// What kind of failure it is: what the engine decides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The guest, storage or task is not there.
    NotFound,
    /// There is a guest of that number already.
    AlreadyExists,
    /// A lock is held, or there is no quorum; nothing was done, and later it may work.
    Busy,
    /// The configuration changed since its digest was read; nothing was done.
    Changed,
    /// The credentials are not accepted.
    Unauthorized,
    /// A privilege is missing.
    Denied,
    /// The server cannot be reached; the request was never sent.
    Unreachable,
    /// The server's certificate is not the trusted one.
    Untrusted,
    /// Nobody knows whether it was done: the answer was lost on its way.
    Lost,
    /// The state that was asked for is there already.
    AlreadySo,
    /// A storage has no room left; nothing was made.
    Full,
    /// A task ended with an error.
    TaskFailed,
    /// A task did not end within its limit; it may still.
    Overdue,
    /// The server refused it for a reason of its own.
    Refused,
}

/// A call to the hypervisor that did not do what it should.
///
/// Text and causes are those of the client; [`Error::kind`] is what the engine decides by.
pub struct Error {
    kind: Kind,
    inner: Box<dyn StdError + Send + Sync>,
}

impl Error {
    /// An error of this kind, told by `inner`.
    pub fn new(kind: Kind, inner: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            kind,
            inner: inner.into(),
        }
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What a person can do about it.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Unauthorized => Some("is the token right, and has it expired? see `token_file`"),
            Kind::Unreachable => Some("is `url` right, and the server up?"),
            Kind::Untrusted => Some(
                "if the server got a new certificate, put its fingerprint into `fingerprint`; otherwise find out who answers there",
            ),
            Kind::Denied => Some(
                "let an administrator grant what is named, or take out of the fleet what needs it",
            ),
            Kind::Full => Some(
                "free some space on the storage, or name another one in ROOTFS, MOUNT or `storage`; then apply again",
            ),
            Kind::Changed => Some("another hand changed the guest since the plan; plan again"),
            Kind::Busy => Some("something else works on the guest; apply again when it is done"),
            Kind::Lost | Kind::Overdue => {
                Some("apply again: it looks first at what has happened already")
            }
            _ => None,
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {:?}", self.kind, self.inner)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source()
    }
}

/// A task of the hypervisor, by the name it gave.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TaskId(pub String);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a task ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskEnd {
    /// Well.
    Ok,
    /// Well, with warnings: the last lines of its log.
    Warnings(Vec<String>),
}

/// Where a guest is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The node.
    pub node: String,
    /// The number.
    pub vmid: Vmid,
}

impl Place {
    /// The guest `vmid` on `node`.
    pub fn new(node: impl Into<String>, vmid: Vmid) -> Self {
        Self {
            node: node.into(),
            vmid,
        }
    }
}

/// Something to do to a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Make it, with these parameters.
    Create(BTreeMap<String, String>),
    /// Write its configuration, all or nothing as far as the server can.
    Configure {
        /// Fields to write.
        set: BTreeMap<String, String>,
        /// Fields to remove.
        delete: Vec<String>,
        /// The digest of the configuration that this was decided on.
        digest: Option<String>,
    },
    /// Grow a disk to an absolute size.
    Resize {
        /// `rootfs` or `mpN`.
        disk: String,
        /// Such as `16G`.
        size: String,
        /// The digest of the configuration that this was decided on.
        digest: Option<String>,
    },
    /// Move a disk to another storage.
    Move {
        /// `rootfs` or `mpN`.
        disk: String,
        /// The storage.
        storage: String,
        /// The digest of the configuration that this was decided on.
        digest: Option<String>,
    },
    /// Take it to another node, restarting it when it runs.
    Migrate {
        /// The node.
        to: String,
    },
    /// Take it from one pool into another.
    Pool {
        /// The pool to leave.
        from: Option<String>,
        /// The pool to join.
        to: Option<String>,
    },
    /// Start it.
    Start,
    /// Ask it to shut down, and stop it when it does not within `limit`.
    Shutdown {
        /// How long it may take.
        limit: Duration,
    },
    /// Restart it, so that what is pending takes effect.
    Reboot,
    /// Remove it with its disks.
    Destroy,
}

impl Act {
    /// Its name in the run journal.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Configure { .. } => "configure",
            Self::Resize { .. } => "resize",
            Self::Move { .. } => "move",
            Self::Migrate { .. } => "migrate",
            Self::Pool { .. } => "pool",
            Self::Start => "start",
            Self::Shutdown { .. } => "shutdown",
            Self::Reboot => "reboot",
            Self::Destroy => "destroy",
        }
    }
}

/// A template that a node could fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetch {
    /// From the appliance catalogue, which knows the checksum.
    Appliance {
        /// The file's name in the catalogue.
        template: String,
    },
    /// From an address, compared with a checksum.
    Url {
        /// Where from.
        url: String,
        /// The name it gets.
        file: String,
        /// Such as `sha256`.
        algorithm: String,
        /// Hexadecimal.
        checksum: String,
    },
}

/// A hypervisor. Every verb is bounded in time and safe to ask again unless its error is
/// [`Kind::Lost`].
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Host: Send + Sync {
    /// Everything that a plan needs but the configurations of guests, in a few calls.
    async fn survey(&self) -> Result<Observed, Error>;

    /// The configuration of a container; `None` when there is none of that number on the node.
    async fn config(&self, place: &Place) -> Result<Option<GuestConfig>, Error>;

    /// Whether a container runs; `None` when there is none of that number on the node.
    async fn status(&self, place: &Place) -> Result<Option<Status>, Error>;

    /// The first IPv4 address that a running container has on an interface other than loopback.
    async fn address(&self, place: &Place) -> Result<Option<Ipv4Addr>, Error>;

    /// The templates on a storage, as volume ids.
    async fn templates(&self, node: &str, storage: &str) -> Result<Vec<String>, Error>;

    /// The templates that the appliance catalogue offers, as file names.
    async fn catalogue(&self, node: &str) -> Result<Vec<String>, Error>;

    /// Lets a node fetch a template onto a storage.
    async fn fetch(&self, node: &str, storage: &str, what: &Fetch) -> Result<TaskId, Error>;

    /// Does something to a guest; what takes longer becomes a task.
    async fn act(&self, place: &Place, act: &Act) -> Result<Option<TaskId>, Error>;

    /// Waits, within `limit`, until a task has ended.
    async fn finish(&self, task: &TaskId, limit: Duration) -> Result<TaskEnd, Error>;

    /// The tasks that work on a guest now.
    async fn running_tasks(&self, place: &Place) -> Result<Vec<TaskId>, Error>;
}
