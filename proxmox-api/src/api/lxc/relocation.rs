//! Copies and moves: clone, migrate, move a volume, make a template.
//!
//! # Quirks
//! A running container cannot move without a restart. Making a template answers with nothing
//! though it works on; a configuration that is read at once may still be the old one.

use super::Container;
use crate::api;
use crate::error::Error;
use crate::ids::{Digest, NodeName, PoolId, StorageId, Vmid};
use crate::response::Nothing;
use crate::task::Task;
use crate::wire::Params;

/// How a container is cloned.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloneContainer {
    newid: Vmid,
    full: bool,
    hostname: Option<String>,
    description: Option<String>,
    pool: Option<PoolId>,
    storage: Option<StorageId>,
    target: Option<NodeName>,
    snapshot: Option<String>,
}

impl CloneContainer {
    /// To that number; linked to its original if that is a template.
    pub fn to(newid: Vmid) -> Self {
        Self {
            newid,
            full: false,
            hostname: None,
            description: None,
            pool: None,
            storage: None,
            target: None,
            snapshot: None,
        }
    }

    /// With volumes of its own.
    pub fn full(mut self) -> Self {
        self.full = true;
        self
    }

    /// With that host name.
    pub fn hostname(mut self, hostname: impl Into<String>) -> Self {
        self.hostname = Some(hostname.into());
        self
    }

    /// With those notes.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// In that pool.
    pub fn pool(mut self, pool: PoolId) -> Self {
        self.pool = Some(pool);
        self
    }

    /// With its volumes on that storage; for a full clone.
    pub fn storage(mut self, storage: StorageId) -> Self {
        self.storage = Some(storage);
        self
    }

    /// On that node, which needs a storage that both see.
    pub fn target(mut self, node: NodeName) -> Self {
        self.target = Some(node);
        self
    }

    /// As it was in that snapshot; a running container can be cloned in full only so.
    pub fn snapshot(mut self, name: impl Into<String>) -> Self {
        self.snapshot = Some(name.into());
        self
    }

    fn params(&self) -> Params {
        let mut params = Params::default();
        params.set("newid", self.newid);
        params.set_flag("full", self.full);
        params.set_some("hostname", self.hostname.as_ref());
        params.set_some("description", self.description.as_ref());
        params.set_some("pool", self.pool.as_ref());
        params.set_some("storage", self.storage.as_ref());
        params.set_some("target", self.target.as_ref());
        params.set_some("snapname", self.snapshot.as_ref());
        params
    }
}

/// Where a container moves.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrate {
    target: NodeName,
    target_storage: Option<StorageId>,
    restart: bool,
}

impl Migrate {
    /// To that node.
    pub fn to(target: NodeName) -> Self {
        Self {
            target,
            target_storage: None,
            restart: false,
        }
    }

    /// Onto that storage there.
    pub fn onto(mut self, storage: StorageId) -> Self {
        self.target_storage = Some(storage);
        self
    }

    /// Shut down here and started there; a running container moves only so.
    pub fn restarting(mut self) -> Self {
        self.restart = true;
        self
    }

    fn params(&self) -> Params {
        let mut params = Params::default();
        params.set("target", &self.target);
        params.set_some("target-storage", self.target_storage.as_ref());
        params.set_flag("restart", self.restart);
        params
    }
}

/// Which volume moves, and where.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveVolume {
    volume: String,
    storage: StorageId,
    delete: bool,
    digest: Option<Digest>,
}

impl MoveVolume {
    /// `rootfs` or `mpN` onto that storage; the old volume is kept as unused.
    pub fn new(volume: impl Into<String>, storage: StorageId) -> Self {
        Self {
            volume: volume.into(),
            storage,
            delete: false,
            digest: None,
        }
    }

    /// Deleting the old volume.
    pub fn deleting(mut self) -> Self {
        self.delete = true;
        self
    }

    /// Only if the configuration still is the one with that digest.
    pub fn digest(mut self, digest: Digest) -> Self {
        self.digest = Some(digest);
        self
    }

    fn params(&self) -> Params {
        let mut params = Params::default();
        params.set("volume", &self.volume);
        params.set("storage", &self.storage);
        params.set_flag("delete", self.delete);
        params.set_some("digest", self.digest.as_ref());
        params
    }
}

impl Container {
    /// Clones it.
    ///
    /// Upstream: `POST /nodes/{node}/lxc/{vmid}/clone`. Privilege: `VM.Clone`, and `VM.Allocate`
    /// on the new one or its pool.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists);
    /// [`ErrorKind::Server`](crate::ErrorKind::Server) if its storage cannot link.
    pub async fn clone_to(&self, clone: &CloneContainer) -> Result<Task, Error> {
        self.task(&api::CLONE_CONTAINER, clone.params()).await
    }

    /// Moves it to another node.
    ///
    /// Upstream: `POST /nodes/{node}/lxc/{vmid}/migrate`. Privilege: `VM.Migrate`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`](crate::ErrorKind::InvalidParameter) if it is there already.
    pub async fn migrate(&self, migrate: &Migrate) -> Result<Task, Error> {
        self.task(&api::MIGRATE_CONTAINER, migrate.params()).await
    }

    /// Moves a volume of it to another storage.
    ///
    /// Upstream: `POST /nodes/{node}/lxc/{vmid}/move_volume`. Privilege: `VM.Config.Disk`, and
    /// `Datastore.AllocateSpace` on the storage.
    ///
    /// # Errors
    /// [`ErrorKind::Modified`](crate::ErrorKind::Modified). A missing storage fails the task.
    pub async fn move_volume(&self, movement: &MoveVolume) -> Result<Task, Error> {
        self.task(&api::MOVE_VOLUME, movement.params()).await
    }

    /// Makes a template of it, which cannot be started any more, and not be undone.
    ///
    /// Upstream: `POST /nodes/{node}/lxc/{vmid}/template`. Privilege: `VM.Allocate`.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyRunning`](crate::ErrorKind::AlreadyRunning).
    pub async fn make_template(&self) -> Result<(), Error> {
        let request = self.request(&api::MAKE_TEMPLATE, Params::default());
        self.client.get::<Nothing>(&request).await.map(|_| ())
    }
}
