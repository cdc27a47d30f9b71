//! How to destroy, shut down and resize.

use std::time::Duration;

use crate::ids::Digest;
use crate::wire::{DiskSize, Params};

/// How a container is destroyed.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Destroy {
    force: bool,
    purge: bool,
    unreferenced: bool,
}

impl Destroy {
    /// Only if it is stopped, and leaving it in backup jobs, replication and high availability.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stopped first, if it runs.
    pub fn stopping(mut self) -> Self {
        self.force = true;
        self
    }

    /// Removed from backup jobs, replication and high availability as well.
    pub fn purging(mut self) -> Self {
        self.purge = true;
        self
    }

    /// With volumes of its number that its configuration does not mention.
    pub fn with_unreferenced_disks(mut self) -> Self {
        self.unreferenced = true;
        self
    }

    pub(super) fn params(self) -> Params {
        let mut params = Params::default();
        params.set_flag("force", self.force);
        params.set_flag("purge", self.purge);
        params.set_flag("destroy-unreferenced-disks", self.unreferenced);
        params
    }
}

/// How a container is shut down.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shutdown {
    force_stop: bool,
    timeout: Option<Duration>,
}

impl Shutdown {
    /// With the server's limit of a minute, after which the task fails.
    pub fn new() -> Self {
        Self::default()
    }

    /// Within that time, in whole seconds.
    pub fn within(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Stopped hard when the time is over.
    pub fn then_stopping(mut self) -> Self {
        self.force_stop = true;
        self
    }

    pub(super) fn params(self) -> Params {
        let mut params = Params::default();
        params.set_some("timeout", self.timeout.map(|limit| limit.as_secs()));
        params.set_flag("forceStop", self.force_stop);
        params
    }
}

/// Which volume is enlarged, and how much.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resize {
    disk: String,
    size: String,
    digest: Option<Digest>,
}

impl Resize {
    /// `rootfs` or `mpN` to that size in all.
    pub fn to(disk: impl Into<String>, size: DiskSize) -> Self {
        Self {
            disk: disk.into(),
            size: size.to_string(),
            digest: None,
        }
    }

    /// `rootfs` or `mpN` by that much.
    pub fn by(disk: impl Into<String>, more: DiskSize) -> Self {
        Self {
            disk: disk.into(),
            size: format!("+{more}"),
            digest: None,
        }
    }

    /// Only if the configuration still is the one with that digest.
    pub fn digest(mut self, digest: Digest) -> Self {
        self.digest = Some(digest);
        self
    }

    pub(super) fn params(&self) -> Params {
        let mut params = Params::default();
        params.set("disk", &self.disk);
        params.set("size", &self.size);
        params.set_some("digest", self.digest.as_ref());
        params
    }
}
