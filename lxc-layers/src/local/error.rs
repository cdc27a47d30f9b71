//! Why a container could not be tried.

use std::{io, path::PathBuf};

use crate::{
    guest,
    guest::{LastWords, docker},
    ledger::lock,
    provision,
};

/// Why a container could not be tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The daemon did not do what it was asked.
    #[error(transparent)]
    Docker(#[from] docker::Error),
    /// Another run tries the same container.
    #[error(transparent)]
    Lock(#[from] lock::Error),
    /// A file of this machine cannot be read or written.
    #[error("using `{}`", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The Dockerfile has a base of its own, and another one was asked for.
    #[error("`{dockerfile}` takes no base, and one was given")]
    FixedBase {
        /// Its path, relative to the fleet.
        dockerfile: String,
    },
    /// The container does not stay up.
    #[error("the container of `{container}` does not stay up")]
    Down {
        /// The container.
        container: String,
    },
    /// The container did not do what it was asked.
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
    /// The base layer is not in it yet.
    #[error(
        "the gate of container-default does not hold for `{container}`: its base layer has not run here"
    )]
    NoBaseLayer {
        /// The container.
        container: String,
    },
    /// It is not healthy.
    #[error("the gate of container-configuration does not hold for `{container}`: {what}")]
    Gate {
        /// The container.
        container: String,
        /// What was asked.
        what: String,
        /// What was answered.
        #[source]
        last: LastWords,
    },
}

/// What kind of failure it is, for the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// There is no daemon, or it does not answer.
    Unreachable,
    /// The daemon may not be used.
    Denied,
    /// A setting is wrong.
    Setting,
    /// Another run is at work.
    Busy,
    /// A file of this machine cannot be used.
    Local,
    /// Something failed.
    Failed,
}

impl Error {
    /// A guest failed while `doing` something.
    pub(super) fn guest(doing: impl Into<String>) -> impl FnOnce(guest::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Guest {
            doing,
            source: Box::new(source),
        }
    }

    /// A file failed.
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Docker(docker::Error::NoDaemon { .. } | docker::Error::Silent { .. }) => {
                Class::Unreachable
            }
            Self::Docker(docker::Error::Denied { .. }) => Class::Denied,
            Self::Docker(docker::Error::Address { .. }) | Self::FixedBase { .. } => Class::Setting,
            Self::Lock(lock::Error::Busy { .. }) => Class::Busy,
            Self::Docker(docker::Error::File { .. }) | Self::Lock(_) | Self::File { .. } => {
                Class::Local
            }
            _ => Class::Failed,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Docker(error) => error.hint(),
            Self::Guest { source, .. } => source.hint(),
            Self::Provision { source, .. } => source.hint(),
            Self::FixedBase { .. } => Some(
                "write `ARG BASE=debian:12` and `FROM ${BASE}` at its head".to_owned(),
            ),
            Self::Down { .. } => {
                Some("`docker logs` tells what it said, as long as it is kept".to_owned())
            }
            Self::NoBaseLayer { .. } => {
                Some("run it once without `--layer`, or with `--layer container-default`".to_owned())
            }
            Self::Gate { .. } => Some(
                "with `--keep` it stays, and `docker exec` looks into it; the next run continues from here".to_owned(),
            ),
            Self::Lock(_) | Self::File { .. } => None,
        }
    }
}
