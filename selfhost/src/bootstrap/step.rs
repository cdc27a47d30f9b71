//! Stage and Step: the shape that everything a bootstrap does has.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Error, Site};

/// One of the six stages, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// What must be known and right before anything is touched.
    Preflight,
    /// The control plane's own container, through the three layers.
    Container,
    /// The Git service inside it.
    Forge,
    /// Organisation and repositories, filled by `git push`.
    Repository,
    /// Secrets, variables, the runner.
    Ci,
    /// The proofs that it stands.
    Handover,
}

impl Stage {
    /// The six, in their order.
    pub const ALL: [Self; 6] = [
        Self::Preflight,
        Self::Container,
        Self::Forge,
        Self::Repository,
        Self::Ci,
        Self::Handover,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Container => "container",
            Self::Forge => "forge",
            Self::Repository => "repository",
            Self::Ci => "ci",
            Self::Handover => "handover",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a step stands on: without it, it cannot even look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ground {
    /// This machine and the hypervisor.
    Outside,
    /// The container.
    Guest,
    /// The Git service.
    Service,
}

/// One call that a step would make, in words that a person could type or look up. It holds no
/// secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// Through which door: `api` (Proxmox VE), `ssh`, `forge`, `git` or `file`.
    pub through: &'static str,
    /// What: `POST /api/v1/orgs`, `systemctl enable …`.
    pub what: String,
}

impl Call {
    /// A call of the Proxmox VE API.
    pub(crate) fn api(what: impl Into<String>) -> Self {
        Self::new("api", what)
    }

    /// A command in the container.
    pub(crate) fn ssh(what: impl Into<String>) -> Self {
        Self::new("ssh", what)
    }

    /// A call of the Git service's API.
    pub(crate) fn forge(what: impl Into<String>) -> Self {
        Self::new("forge", what)
    }

    /// A command of git.
    pub(crate) fn git(what: impl Into<String>) -> Self {
        Self::new("git", what)
    }

    /// A file of this machine.
    pub(crate) fn file(what: impl Into<String>) -> Self {
        Self::new("file", what)
    }

    fn new(through: &'static str, what: impl Into<String>) -> Self {
        Self {
            through,
            what: what.into(),
        }
    }
}

/// What a step found when it looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// All is as it should be; what was seen.
    Settled(String),
    /// Something is missing; what.
    Needed(String),
}

impl Found {
    /// Settled when `holds`, else needed.
    pub(crate) fn when(holds: bool, seen: impl Into<String>, missing: impl Into<String>) -> Self {
        if holds {
            Self::Settled(seen.into())
        } else {
            Self::Needed(missing.into())
        }
    }
}

/// What taking a step back did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undone {
    /// It was taken back.
    Gone,
    /// There was nothing of its own to take back: it stands and falls with the container.
    Nothing,
}

/// One thing that must hold, how to see whether it does, and how to bring it about.
///
/// `apply` is only called after `check` found something missing; it may be killed anywhere and
/// called again.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Step: Send + Sync {
    /// What it is called in journal, report and progress.
    fn name(&self) -> String;

    /// What it stands on.
    fn ground(&self) -> Ground;

    /// What it would call when everything is missing.
    fn calls(&self, site: &Site) -> Vec<Call>;

    /// Looks, and changes nothing.
    async fn check(&self, site: &Site) -> Result<Found, Error>;

    /// Brings it about.
    async fn apply(&self, site: &Site) -> Result<(), Error>;

    /// Takes it back, where that means something by itself.
    async fn undo(&self, _site: &Site) -> Result<Undone, Error> {
        Ok(Undone::Nothing)
    }
}
