//! Snapshots of a container.
//!
//! # Quirks
//! The list ends with an entry `current`, which is no snapshot. A snapshot on a storage that has
//! none (a folder, for instance) fails in the task.

use serde::Deserialize;

use super::Container;
use crate::api;
use crate::error::Error;
use crate::ids::Upid;
use crate::request::Request;
use crate::task::Task;
use crate::wire::{Params, lax};

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The snapshot it was made after.
    #[serde(default)]
    pub parent: Option<String>,
    /// When it was made, in seconds since 1970.
    #[serde(default, deserialize_with = "lax")]
    pub snaptime: Option<u64>,
}

impl Container {
    /// Its snapshots.
    ///
    /// Upstream: `GET /nodes/{node}/lxc/{vmid}/snapshot`. Privilege: `VM.Audit`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if it is not on this node.
    pub async fn list_snapshots(&self) -> Result<Vec<Snapshot>, Error> {
        let request = self.request(&api::LIST_SNAPSHOTS, Params::default());
        let mut list: Vec<Snapshot> = self.client.get(&request).await?;
        list.retain(|entry| entry.name != "current");
        Ok(list)
    }

    /// Makes a snapshot.
    ///
    /// Upstream: `POST /nodes/{node}/lxc/{vmid}/snapshot`. Privilege: `VM.Snapshot`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`](crate::ErrorKind::InvalidParameter) for a name that there
    /// cannot be: it begins with a letter and has two characters at least.
    pub async fn create_snapshot(&self, name: &str, description: &str) -> Result<Task, Error> {
        let mut params = Params::default();
        params.set("snapname", name);
        if !description.is_empty() {
            params.set("description", description);
        }
        self.task(&api::CREATE_SNAPSHOT, params).await
    }

    /// Puts the container back to a snapshot.
    ///
    /// Upstream: `POST /nodes/{node}/lxc/{vmid}/snapshot/{snapname}/rollback`. Privilege:
    /// `VM.Snapshot` or `VM.Snapshot.Rollback`.
    ///
    /// # Errors
    /// A snapshot that is not there fails the task.
    pub async fn roll_back(&self, name: &str) -> Result<Task, Error> {
        self.of_snapshot(&api::ROLL_BACK, name).await
    }

    /// Deletes a snapshot.
    ///
    /// Upstream: `DELETE /nodes/{node}/lxc/{vmid}/snapshot/{snapname}`. Privilege: `VM.Snapshot`.
    ///
    /// # Errors
    /// A snapshot that is not there fails the task.
    pub async fn delete_snapshot(&self, name: &str) -> Result<Task, Error> {
        self.of_snapshot(&api::DELETE_SNAPSHOT, name).await
    }

    async fn of_snapshot(&self, endpoint: &api::Endpoint, name: &str) -> Result<Task, Error> {
        let arguments: [&dyn std::fmt::Display; 3] = [&self.node, &self.vmid, &name];
        let upid: Upid = self
            .client
            .get(&Request::to(endpoint, &arguments, Params::default()))
            .await?;
        Ok(self.client.task(upid))
    }
}
