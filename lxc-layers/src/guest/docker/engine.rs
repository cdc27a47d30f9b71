//! The daemon: found by its socket, asked what it is.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use bollard::{API_DEFAULT_VERSION, Docker, models::SystemInfoCgroupVersionEnum};

use super::error::{Error, Said};

/// How long the daemon may take until an answer begins: a build is one answer.
const LIMIT: Duration = Duration::from_secs(600);

/// Who listens on the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Daemon {
    /// Docker.
    Docker,
    /// Podman, by its compatible socket.
    Podman,
}

/// A daemon that answers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(super) api: Docker,
    daemon: Daemon,
    unified: bool,
}

impl Engine {
    /// The first daemon that answers on one of `sockets`, in their order.
    ///
    /// # Errors
    ///
    /// When none is there, or the first that is there may not be used or does not answer.
    pub async fn connect(sockets: &[PathBuf]) -> Result<Self, Error> {
        for socket in sockets {
            match knock(socket).await {
                Ok(()) => return Self::greet(socket).await,
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(Error::Denied {
                        socket: socket.clone(),
                    });
                }
                // Nothing there, or a file that a daemon left behind: the next may be one.
                Err(_) => {}
            }
        }
        Err(Error::NoDaemon {
            looked: sockets.to_vec(),
        })
    }

    async fn greet(socket: &Path) -> Result<Self, Error> {
        let silent = |error: bollard::errors::Error| Error::Silent {
            socket: socket.to_owned(),
            said: Said::from(error),
        };
        let path = socket.display().to_string();
        let api = Docker::connect_with_unix(&path, LIMIT.as_secs(), API_DEFAULT_VERSION);
        // Old daemons refuse a newer version than theirs, so theirs is asked for first.
        let api = api.map_err(silent)?.negotiate_version().await;
        let api = api.map_err(silent)?;
        let version = api.version().await.map_err(silent)?;
        let info = api.info().await.map_err(silent)?;
        let parts = version.components.unwrap_or_default();
        let podman = parts.iter().any(|part| part.name.contains("Podman"));
        Ok(Self {
            api,
            daemon: if podman {
                Daemon::Podman
            } else {
                Daemon::Docker
            },
            unified: info.cgroup_version == Some(SystemInfoCgroupVersionEnum::_2),
        })
    }

    /// Who it is.
    #[must_use]
    pub fn daemon(&self) -> Daemon {
        self.daemon
    }

    /// Whether control groups are of version 2, where systemd needs more to run.
    pub(super) fn has_unified_cgroups(&self) -> bool {
        self.unified
    }
}

/// Whether somebody listens.
async fn knock(socket: &Path) -> io::Result<()> {
    tokio::net::UnixStream::connect(socket).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_socket_that_was_tried_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let sockets = ["one.sock", "two.sock"].map(|name| folder.path().join(name));
        // A file that no daemon listens on any more.
        drop(std::os::unix::net::UnixListener::bind(&sockets[1]).unwrap());
        let error = Engine::connect(&sockets).await.unwrap_err();
        assert!(matches!(&error, Error::NoDaemon { looked } if looked == &sockets));
        assert!(error.hint().unwrap().contains("DOCKER_HOST"));
    }
}
