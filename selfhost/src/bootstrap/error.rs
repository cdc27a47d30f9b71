//! Why a bootstrap stops.

use std::{io, path::PathBuf};

use lxc_layers::{
    execute::{self, Class},
    guest::{self, LastWords},
    host, process, provision,
};

/// Why a bootstrap stops. What was done until then stands; the next run continues there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something that must be mended first; nothing was changed by this step.
    #[error("{message}")]
    Refused {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The hypervisor did not do it.
    #[error("{doing}")]
    Host {
        /// What was being done.
        doing: String,
        /// Why not.
        #[source]
        source: host::Error,
    },
    /// The engine did not begin.
    #[error("{doing}")]
    Engine {
        /// What was being done.
        doing: String,
        /// Why not.
        #[source]
        source: Box<execute::Error>,
    },
    /// The control plane's container could not be made or changed.
    #[error("the container `{container}` failed in {layer}")]
    Container {
        /// Its name.
        container: String,
        /// The layer.
        layer: String,
        /// What kind of failure it is.
        class: Class,
        /// What to do.
        hint: Option<String>,
        /// What the engine said.
        #[source]
        because: LastWords,
    },
    /// The container could not be entered.
    #[error("{doing}")]
    Guest {
        /// What was being done.
        doing: String,
        /// Why not.
        #[source]
        source: Box<guest::Error>,
    },
    /// A command in the container failed.
    #[error("{doing}: the command in the container ended with {code}")]
    Inside {
        /// What was being done.
        doing: String,
        /// Its exit code.
        code: i32,
        /// Its last lines.
        #[source]
        last: LastWords,
    },
    /// The files of a service could not be put to work.
    #[error("{doing}")]
    Provision {
        /// What was being done.
        doing: String,
        /// Why not.
        #[source]
        source: Box<provision::Error>,
    },
    /// The program was built for a newer system than the container's.
    #[error("this program needs {needed}: it was built for {here}, and the container has {there}")]
    Libc {
        /// The symbol version that is missing.
        needed: String,
        /// The C library of this machine.
        here: String,
        /// The C library of the container.
        there: String,
    },
    /// The Git service did not do it.
    #[error("{doing}")]
    Forge {
        /// What was being done.
        doing: String,
        /// Why not.
        #[source]
        source: Box<gitea_api::Error>,
    },
    /// The Git service does not answer.
    #[error("the Git service at {url} does not answer after {seconds} s")]
    Silent {
        /// Its address.
        url: String,
        /// How long was waited.
        seconds: u64,
        /// The last attempt.
        #[source]
        last: LastWords,
    },
    /// `git` failed.
    #[error("{doing}: git ended with {code}")]
    Git {
        /// What was being done.
        doing: String,
        /// Its exit code.
        code: i32,
        /// What it said.
        #[source]
        last: LastWords,
    },
    /// What stands in the Git service is no ancestor of what is to be imported.
    #[error(
        "`{repository}` holds {theirs}, which is not in the history of {ours}: an import goes only forward"
    )]
    Diverged {
        /// The repository.
        repository: String,
        /// The commit there.
        theirs: String,
        /// The commit here.
        ours: String,
    },
    /// A program of this machine could not be run.
    #[error("{doing}")]
    Program {
        /// What was being done.
        doing: String,
        /// Why not.
        #[source]
        source: process::Error,
    },
    /// A file of this machine.
    #[error("{doing} `{}`", path.display())]
    Local {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file with a wrong checksum.
    #[error("`{what}` has SHA-256 {found}, and {wanted} was expected")]
    Checksum {
        /// The file.
        what: String,
        /// What it should be.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// A certificate could not be made.
    #[error("making the certificate of the Git service")]
    Certificate(#[source] rcgen::Error),
    /// At the end something does not hold.
    #[error("the control plane stands, and this does not hold: {}", .0.join(", "))]
    Unproven(Vec<String>),
}

impl Error {
    /// A refusal with a way out.
    pub(crate) fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused {
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub(crate) fn host(doing: impl Into<String>) -> impl FnOnce(host::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Host { doing, source }
    }

    pub(crate) fn engine(doing: impl Into<String>) -> impl FnOnce(execute::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Engine {
            doing,
            source: Box::new(source),
        }
    }

    pub(crate) fn guest(doing: impl Into<String>) -> impl FnOnce(guest::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Guest {
            doing,
            source: Box::new(source),
        }
    }

    pub(crate) fn forge(doing: impl Into<String>) -> impl FnOnce(gitea_api::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Forge {
            doing,
            source: Box::new(source),
        }
    }

    pub(crate) fn program(doing: impl Into<String>) -> impl FnOnce(process::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Program { doing, source }
    }

    pub(crate) fn local(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Local {
            doing,
            path,
            source,
        }
    }

    /// What kind of failure it is: by it the program chooses its exit code.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Refused { .. } | Self::Diverged { .. } | Self::Checksum { .. } => Class::Refused,
            Self::Host { source, .. } => match source.kind() {
                host::Kind::Untrusted => Class::Untrusted,
                host::Kind::Denied | host::Kind::Unauthorized => Class::Denied,
                host::Kind::Unreachable => Class::Unreachable,
                _ => Class::Failed,
            },
            Self::Engine { source, .. } => source.class(),
            Self::Container { class, .. } => *class,
            Self::Guest { source, .. } if source.is_untrusted() => Class::Untrusted,
            Self::Guest { .. } | Self::Silent { .. } => Class::Unreachable,
            Self::Forge { source, .. } => match source.kind() {
                gitea_api::ErrorKind::CertificateRefused => Class::Untrusted,
                gitea_api::ErrorKind::Connect | gitea_api::ErrorKind::Timeout => Class::Unreachable,
                gitea_api::ErrorKind::Unauthorized | gitea_api::ErrorKind::Forbidden => {
                    Class::Denied
                }
                _ => Class::Failed,
            },
            Self::Local { .. } => Class::Local,
            _ => Class::Failed,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { hint, .. } => Some(hint.clone()),
            Self::Host { source, .. } => source.hint().map(str::to_owned),
            Self::Engine { source, .. } => source.hint(),
            Self::Container { hint, .. } => hint.clone(),
            Self::Guest { source, .. } => source.hint(),
            Self::Provision { source, .. } => source.hint(),
            Self::Libc { .. } => Some(
                "take a template that is at least as new as this machine, or give --program a build for an older one"
                    .to_owned(),
            ),
            Self::Diverged { .. } => Some(
                "fetch what is there and merge it into your clone; nothing is ever forced or deleted"
                    .to_owned(),
            ),
            Self::Silent { .. } | Self::Inside { .. } => {
                Some("look into the container, mend it, and bootstrap again: it continues".to_owned())
            }
            Self::Program { source, .. } if source.is_missing_program() => {
                Some("install it on this machine".to_owned())
            }
            _ => None,
        }
    }
}
