//! Backups: make one, and read the configuration inside one.
//!
//! A backup is listed as a volume of its storage, and restored by creating a container from it;
//! see [`CreateContainer::restored`](crate::api::CreateContainer::restored).

use serde_json::Value;

use super::Node;
use crate::api;
use crate::error::{Cause, Error};
use crate::ids::{StorageId, Vmid, VolumeId};
use crate::request::Request;
use crate::task::Task;
use crate::wire::Params;

/// What a running guest goes through for its backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BackupMode {
    /// Nothing: its storage makes a snapshot.
    #[default]
    Snapshot,
    /// It is halted for a moment at the end of a copy.
    Suspend,
    /// It is stopped, and started again.
    Stop,
}

/// How a backup is made.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    vmid: Vmid,
    storage: StorageId,
    mode: BackupMode,
    notes: Option<String>,
    protected: bool,
}

impl Backup {
    /// Of that guest on that storage, compressed with Zstandard, kept until it is deleted.
    pub fn new(vmid: Vmid, storage: StorageId) -> Self {
        Self {
            vmid,
            storage,
            mode: BackupMode::default(),
            notes: None,
            protected: false,
        }
    }

    /// With the guest going through that.
    pub fn mode(mut self, mode: BackupMode) -> Self {
        self.mode = mode;
        self
    }

    /// With notes; `{{guestname}}`, `{{node}}` and `{{vmid}}` in them are filled in.
    pub fn notes(mut self, template: impl Into<String>) -> Self {
        self.notes = Some(template.into());
        self
    }

    /// Kept when backups are pruned, and not deleted by itself.
    pub fn protected(mut self) -> Self {
        self.protected = true;
        self
    }

    fn params(&self) -> Params {
        let mut params = Params::default();
        params.set("vmid", self.vmid);
        params.set("storage", &self.storage);
        let mode = match self.mode {
            BackupMode::Snapshot => "snapshot",
            BackupMode::Suspend => "suspend",
            BackupMode::Stop => "stop",
        };
        params.set("mode", mode);
        params.set("compress", "zstd");
        // Without this the storage's own rule may delete an older backup on the way.
        params.set("remove", 0);
        params.set_some("notes-template", self.notes.as_ref());
        params.set_flag("protected", self.protected);
        params
    }
}

impl Node {
    /// Begins to make a backup of a guest on this node.
    ///
    /// Upstream: `POST /nodes/{node}/vzdump`. Privilege: `VM.Backup` on the guest and
    /// `Datastore.AllocateSpace` on the storage.
    ///
    /// # Errors
    /// [`ErrorKind::Unexpected`](crate::ErrorKind::Unexpected) if the guest is not on this node:
    /// the server then answers that all is well without having started anything.
    pub async fn back_up(&self, backup: &Backup) -> Result<Task, Error> {
        let request = self.request(&api::BACK_UP, backup.params());
        let answer: Value = self.client.get(&request).await?;
        let upid = answer.as_str().and_then(|text| text.parse().ok());
        let nothing = || Cause::Undecodable {
            status: 200,
            source: "no task was started; the guest is not on this node".into(),
        };
        upid.map(|upid| self.client.task(upid))
            .ok_or_else(|| request.error(nothing()))
    }

    /// The configuration inside a backup, as the text of its file.
    ///
    /// Upstream: `GET /nodes/{node}/vzdump/extractconfig`. Privilege: `VM.Backup` on its guest.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound).
    pub async fn backed_up_config(&self, volume: &VolumeId) -> Result<String, Error> {
        let mut params = Params::default();
        params.set("volume", volume);
        self.client
            .get(&Request::to(&api::EXTRACT_CONFIG, &[&self.name], params))
            .await
    }
}
