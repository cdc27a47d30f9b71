//! Why a run, or one container of it, came to a halt.

use std::{io, net::Ipv4Addr, time::Duration};

use crate::{guest, guest::LastWords, host, ledger::journal, plan::MarkerError, provision};

/// Why a run, or one container of it, came to a halt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The plan holds a container that may not be touched: nothing was.
    #[error("`{container}` may not be touched: {}", refusals.join("; "))]
    Refused {
        /// The container.
        container: String,
        /// The reasons.
        refusals: Vec<String>,
    },
    /// The run's private folder cannot be made.
    #[error("making a private folder for this run")]
    Scratch {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The run journal cannot be written.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The hypervisor did not do what it was asked.
    #[error("{doing}")]
    Host {
        /// What was being done.
        doing: String,
        /// Why not.
        #[source]
        source: host::Error,
    },
    /// The guest did not do what it was asked.
    #[error("{doing}")]
    Guest {
        /// What was being done.
        doing: String,
        /// Why not.
        #[source]
        source: Box<guest::Error>,
    },
    /// A provisioner did not do its work.
    #[error("configuring `{container}` with `{step}`")]
    Provision {
        /// The container.
        container: String,
        /// The step's id.
        step: String,
        /// Why not.
        #[source]
        source: Box<provision::Error>,
    },
    /// The template is nowhere to be had.
    #[error(
        "there is no template `{wanted}` on `{storage}` of node `{node}`{}{}",
        exist(existing),
        offer(offered)
    )]
    NoTemplate {
        /// What was asked for.
        wanted: String,
        /// The storage.
        storage: String,
        /// The node.
        node: String,
        /// What is there.
        existing: Vec<String>,
        /// What of the appliance catalogue comes nearest; empty where it was not asked.
        offered: Vec<String>,
    },
    /// Another machine answers at the address that a new container is to have.
    #[error("the address {address} of `{container}` is taken: something answers there already")]
    AddressTaken {
        /// The container.
        container: String,
        /// The address.
        address: Ipv4Addr,
    },
    /// The guest of that number is not this container.
    #[error("guest {vmid} on node `{node}` is not `{container}` of this fleet")]
    NotOurs {
        /// The number.
        vmid: u32,
        /// Its node.
        node: String,
        /// The container that was expected.
        container: String,
        /// What is wrong with its marker, when it has one.
        #[source]
        marker: Option<MarkerError>,
    },
    /// The guest is not there.
    #[error("there is no guest {vmid} on node `{node}`")]
    Gone {
        /// The number.
        vmid: u32,
        /// The node.
        node: String,
    },
    /// The guest stands still where it should run.
    #[error("the gate of container-default does not hold for `{container}`: it does not run")]
    NotRunning {
        /// The container.
        container: String,
    },
    /// The guest has no address to reach it at.
    #[error("`{container}` has no address after {} s", waited.as_secs())]
    NoAddress {
        /// The container.
        container: String,
        /// How long was waited.
        waited: Duration,
    },
    /// A gate does not hold.
    #[error("the gate of {layer} does not hold for `{container}`: {what}")]
    Gate {
        /// The layer.
        layer: &'static str,
        /// The container.
        container: String,
        /// What was asked.
        what: String,
        /// What was answered.
        #[source]
        last: LastWords,
    },
    /// No ssh key is known by which guests could be entered.
    #[error("no ssh key is known by which `{container}` could be entered")]
    NoKey {
        /// The container.
        container: String,
    },
}

/// Whether a file was fetched that is not the expected one, as `PVE::Tools` says it.
fn is_mismatch(error: &host::Error) -> bool {
    error.to_string().contains("checksum mismatch")
}

fn exist(existing: &[String]) -> String {
    if existing.is_empty() {
        "; there is none at all".to_owned()
    } else {
        format!("; there are: {}", existing.join(", "))
    }
}

fn offer(offered: &[String]) -> String {
    if offered.is_empty() {
        String::new()
    } else {
        format!("; the catalogue has: {}", offered.join(", "))
    }
}

/// What kind of failure it is, for the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Class {
    /// Something that was asked for may not be done.
    Refused,
    /// Server or guest show another key than the one that was pinned.
    Untrusted,
    /// The server cannot be reached.
    Unreachable,
    /// The server denies it.
    Denied,
    /// Another run works on it.
    Busy,
    /// A file of our own cannot be written.
    Local,
    /// Something failed.
    Failed,
}

impl Error {
    /// A failure of the hypervisor while `doing` something.
    pub(super) fn host(doing: impl Into<String>) -> impl FnOnce(host::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Host { doing, source }
    }

    /// A failure of a guest while `doing` something.
    pub(super) fn guest(doing: impl Into<String>) -> impl FnOnce(guest::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Guest {
            doing,
            source: Box::new(source),
        }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Refused { .. } | Self::NotOurs { .. } | Self::AddressTaken { .. } => {
                Class::Refused
            }
            Self::Scratch { .. } | Self::Journal(_) => Class::Local,
            Self::Guest { source, .. } if source.is_untrusted() => Class::Untrusted,
            Self::Guest { source, .. } if source.is_taken() => Class::Busy,
            Self::Guest { source, .. } if source.is_local() => Class::Local,
            Self::Provision { source, .. } if source.is_local() => Class::Local,
            Self::Host { source, .. } => match source.kind() {
                host::Kind::Untrusted => Class::Untrusted,
                host::Kind::Unreachable => Class::Unreachable,
                host::Kind::Denied | host::Kind::Unauthorized => Class::Denied,
                host::Kind::Changed => Class::Refused,
                _ => Class::Failed,
            },
            _ => Class::Failed,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Journal(_) | Self::Scratch { .. } => Some(
                "make room there, or mend its permissions; the next apply looks first at what has happened already".to_owned(),
            ),
            Self::Refused { .. } => Some("`proxmox-ci plan` names the ways out".to_owned()),
            Self::Host { source, .. } if is_mismatch(source) => Some(
                "compare the checksum in TEMPLATE with what the publisher gives; nothing was created".to_owned(),
            ),
            Self::Host { source, .. } => source.hint().map(str::to_owned),
            Self::Guest { source, .. } => source.hint(),
            Self::Provision { source, .. } => source.hint(),
            Self::NoTemplate { .. } => Some(
                "upload the template, or set TEMPLATE to one that is there or that the catalogue has".to_owned(),
            ),
            Self::AddressTaken { .. } => Some(
                "give the container another IP, or free the address; nothing was created".to_owned(),
            ),
            Self::NotOurs { .. } => Some(
                "give the container another ID; a guest that does not bear this fleet's marker is never touched".to_owned(),
            ),
            Self::Gone { .. } | Self::NotRunning { .. } => {
                Some("apply container-default first; it makes and starts what is missing".to_owned())
            }
            Self::Gate { .. } => Some(
                "look into the guest with `proxmox-ci exec`; apply again continues from here".to_owned(),
            ),
            _ => None,
        }
    }
}
