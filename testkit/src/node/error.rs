//! Why a node cannot start or stop.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What the node was doing, and why it failed.
#[derive(Debug)]
pub struct Error {
    doing: Doing,
    cause: Box<dyn std::error::Error + Send + Sync>,
}

/// What a node does when it fails.
#[derive(Debug)]
pub(super) enum Doing {
    Certificate,
    Folder(PathBuf),
    Listen(SocketAddr),
    Prepare,
    Undo,
    Write(PathBuf),
}

impl Error {
    pub(super) fn new(
        doing: Doing,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            doing,
            cause: cause.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.doing {
            Doing::Certificate => f.write_str("making the node's certificate"),
            Doing::Folder(path) => write!(f, "preparing the data folder `{}`", path.display()),
            Doing::Listen(address) => write!(f, "listening on `{address}`"),
            Doing::Prepare => f.write_str("preparing this machine for containers"),
            Doing::Undo => f.write_str("putting this machine back as it was"),
            Doing::Write(path) => write!(f, "writing `{}`", path.display()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.cause.as_ref())
    }
}
