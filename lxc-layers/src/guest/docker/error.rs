//! Why the Docker API did not do what it was asked.

use std::{fmt, io, path::PathBuf};

use bollard::errors::Error as Api;

use crate::guest::LastWords;

/// Why the Docker API did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No daemon listens where one was looked for.
    #[error("no Docker or Podman daemon listens on {}", listed(looked))]
    NoDaemon {
        /// The sockets that were tried, in their order.
        looked: Vec<PathBuf>,
    },
    /// The address of the daemon is none that is spoken here.
    #[error("`{address}` is no unix socket, and only these are spoken")]
    Address {
        /// What `DOCKER_HOST` says.
        address: String,
    },
    /// The socket is there and this user may not use it.
    #[error("this user may not use the socket `{}`", socket.display())]
    Denied {
        /// The socket.
        socket: PathBuf,
    },
    /// Somebody listens and does not speak as a daemon does.
    #[error("the daemon on `{}` does not answer", socket.display())]
    Silent {
        /// The socket.
        socket: PathBuf,
        /// What it said.
        #[source]
        said: Said,
    },
    /// The daemon refused.
    #[error("{doing}")]
    Refused {
        /// What was being done.
        doing: String,
        /// What it said.
        #[source]
        said: Said,
    },
    /// An image is not here and cannot be fetched.
    #[error("the image `{image}` is not on this machine and cannot be fetched")]
    NoImage {
        /// The image.
        image: String,
        /// What the daemon said.
        #[source]
        said: Said,
    },
    /// A port of this machine is in use.
    #[error("the port {port} of this machine is in use")]
    PortInUse {
        /// The port.
        port: u16,
        /// What the daemon said.
        #[source]
        said: Said,
    },
    /// The Dockerfile cannot be built.
    #[error("building `{dockerfile}`")]
    Build {
        /// Its path, relative to the fleet.
        dockerfile: String,
        /// The last lines of the build.
        #[source]
        last: LastWords,
    },
    /// A file of this machine cannot be read.
    #[error("reading `{}`", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// What the daemon said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    status: Option<u16>,
    text: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.trim())
    }
}

impl std::error::Error for Said {}

impl Said {
    /// These words, without a status.
    pub(super) fn words(text: impl Into<String>) -> Self {
        Self {
            status: None,
            text: text.into(),
        }
    }

    /// Whether the thing that was asked for is not there.
    pub(super) fn is_missing(&self) -> bool {
        self.status == Some(404)
    }

    /// Whether something else stands in the way, such as a container that uses an image.
    pub(super) fn is_conflict(&self) -> bool {
        self.status == Some(409)
    }

    /// Whether the port of a binding is taken, in the words of Docker and of Podman.
    pub(super) fn is_port_in_use(&self) -> bool {
        let signs = ["port is already allocated", "address already in use"];
        signs.iter().any(|sign| self.text.contains(sign))
    }
}

impl From<Api> for Said {
    fn from(error: Api) -> Self {
        match error {
            Api::DockerResponseServerError {
                status_code,
                message,
            } => Self {
                status: Some(status_code),
                text: message,
            },
            Api::DockerStreamError { error } => Self::words(error),
            other => Self::words(chain(&other)),
        }
    }
}

/// An error with its causes in one line, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text
}

fn listed(paths: &[PathBuf]) -> String {
    let listed: Vec<String> = paths
        .iter()
        .map(|path| format!("`{}`", path.display()))
        .collect();
    listed.join(", ")
}

impl Error {
    /// The daemon refused while `doing` something.
    pub(super) fn refused(doing: impl Into<String>) -> impl FnOnce(Api) -> Self {
        let doing = doing.into();
        move |error| Self::Refused {
            doing,
            said: error.into(),
        }
    }

    /// A port that was asked for is in use by somebody else.
    pub(crate) fn in_use(port: u16, said: &io::Error) -> Self {
        Self::PortInUse {
            port,
            said: Said::words(said.to_string()),
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoDaemon { .. } => {
                "start one (`systemctl start docker`, or `podman system service --time 0`), or name its socket: DOCKER_HOST=unix:///run/docker.sock"
            }
            Self::Address { .. } => "set DOCKER_HOST to `unix://` and the path of the socket",
            Self::Denied { .. } => {
                "become root, or a member of the socket's group (`usermod -aG docker USER`, then log in again)"
            }
            Self::NoImage { .. } => {
                "`--base-template FILE` takes a container template of Proxmox VE in its place, and fetches nothing"
            }
            Self::PortInUse { .. } => {
                "choose another with `--port HOST:GUEST`, or leave it away: then any free one is taken"
            }
            Self::Build { .. } => "mend the Dockerfile and try again: what was built stays built",
            Self::Silent { .. } | Self::Refused { .. } | Self::File { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_known_by_the_words_of_either_daemon() {
        let docker = "driver failed programming external connectivity on endpoint web: Bind for 127.0.0.1:80 failed: port is already allocated";
        let podman = "rootlessport listen tcp 127.0.0.1:80: bind: address already in use";
        assert!(Said::words(docker).is_port_in_use() && Said::words(podman).is_port_in_use());
        assert!(!Said::words("no such image").is_port_in_use());
    }

    #[test]
    fn an_error_does_not_repeat_what_its_cause_says() {
        let error = Error::refused("removing `web`")(Api::DockerResponseServerError {
            status_code: 409,
            message: "it is being removed".to_owned(),
        });
        assert_eq!(error.to_string(), "removing `web`");
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), "it is being removed");
    }
}
