//! Containers: list, create, configure, start, stop, destroy.
//!
//! # Quirks
//! A start answers with a task whatever the state; only the task fails. A stop of a container
//! that does not run, or does not exist, is refused at once with the same words. A missing
//! container is a 500 about a missing file. The addresses of a stopped container are null.

mod arrival;
mod change;
mod config;
mod create;
mod destroy;
mod interfaces;
mod pending;
mod relocation;
mod settings;
mod snapshots;
mod status;
mod update;

use crate::api;
use crate::client::Client;
use crate::error::Error;
use crate::ids::{NodeName, Upid, Vmid};
use crate::request::Request;
use crate::response::Nothing;
use crate::task::Task;
use crate::wire::Params;

pub use change::Changed;
pub use config::ContainerConfig;
pub use create::{CreateContainer, Privilege};
pub use destroy::{Destroy, Resize, Shutdown};
pub use interfaces::{GuestAddress, GuestInterface};
pub use pending::PendingSetting;
pub use relocation::{CloneContainer, Migrate, MoveVolume};
pub use snapshots::Snapshot;
pub(super) use status::tags;
pub use status::{ContainerEntry, ContainerState, ContainerStatus, LockKind};
pub use update::UpdateContainer;

/// One container; the handle exists whether the container does or not.
#[derive(Debug, Clone)]
pub struct Container {
    client: Client,
    node: NodeName,
    vmid: Vmid,
}

impl Container {
    pub(super) fn new(client: Client, node: NodeName, vmid: Vmid) -> Self {
        Self { client, node, vmid }
    }

    /// Its number.
    #[must_use]
    pub fn vmid(&self) -> Vmid {
        self.vmid
    }

    /// The node on which it is looked for.
    #[must_use]
    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// Its present state.
    ///
    /// Upstream: `GET /nodes/{node}/lxc/{vmid}/status/current`. Privilege: `VM.Audit` on `/vms/{vmid}`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if it is not on this node; use
    /// [`Container::find_status`] where that is an answer.
    pub async fn status(&self) -> Result<ContainerStatus, Error> {
        self.client
            .get(&self.request(&api::CONTAINER_STATUS, Params::default()))
            .await
    }

    /// Its present state, or nothing if it is not on this node.
    ///
    /// # Errors
    /// As [`Container::status`], without the one about a missing container.
    pub async fn find_status(&self) -> Result<Option<ContainerStatus>, Error> {
        absent_is_none(self.status().await)
    }

    /// Its configuration, with changes that wait for a restart.
    ///
    /// Upstream: `GET /nodes/{node}/lxc/{vmid}/config`. Privilege: `VM.Audit` on `/vms/{vmid}`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if it is not on this node; use
    /// [`Container::find_config`] where that is an answer.
    pub async fn config(&self) -> Result<ContainerConfig, Error> {
        self.client
            .get(&self.request(&api::GET_CONFIG, Params::default()))
            .await
    }

    /// Its configuration, or nothing if it is not on this node.
    ///
    /// # Errors
    /// As [`Container::config`], without the one about a missing container.
    pub async fn find_config(&self) -> Result<Option<ContainerConfig>, Error> {
        absent_is_none(self.config().await)
    }

    /// The configuration in force now, without changes that wait for a restart.
    ///
    /// Upstream: `GET /nodes/{node}/lxc/{vmid}/config?current=1`.
    ///
    /// # Errors
    /// As [`Container::config`].
    pub async fn current_config(&self) -> Result<ContainerConfig, Error> {
        let mut params = Params::default();
        params.set("current", 1);
        self.client
            .get(&self.request(&api::GET_CONFIG, params))
            .await
    }

    /// Changes the configuration. What a running container cannot take over waits for a restart;
    /// see [`Container::pending`].
    ///
    /// Upstream: `PUT /nodes/{node}/lxc/{vmid}/config`. Privilege: `VM.Config.*` on `/vms/{vmid}`,
    /// by setting; some settings are for `root@pam` only.
    ///
    /// The change is not atomic: if one of several settings cannot be applied, the ones before it
    /// may be stored.
    ///
    /// ```
    /// # use proxmox_api::{Client, Tls};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let play = testkit::node::Node::start_memory().await?;
    /// # let pve = Client::builder(play.url()).token(play.root_token().parse()?)
    /// #     .tls(Tls::Pinned(play.fingerprint().parse()?)).build()?;
    /// # let node = pve.node(play.name().parse()?);
    /// # let template = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst".parse()?;
    /// # let create = proxmox_api::api::CreateContainer::new(105.try_into()?, template);
    /// # node.create_container(&create.rootfs("local:1".parse()?)).await?
    /// #     .wait(std::time::Duration::from_secs(60)).await?;
    /// # let container = node.container(105.try_into()?);
    /// use proxmox_api::api::UpdateContainer;
    /// use proxmox_api::wire::{Mib, Patch};
    ///
    /// let present = container.config().await?;
    /// let update = UpdateContainer::new().memory(Mib(1024)).searchdomain(Patch::Delete);
    /// let guarded = match present.digest {
    ///     Some(digest) => update.digest(digest),
    ///     None => update,
    /// };
    /// container.update(&guarded).await?;
    /// assert_eq!(container.config().await?.memory, Some(Mib(1024)));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Modified`](crate::ErrorKind::Modified) if a digest was given and the
    /// configuration is another one by now; [`ErrorKind::Locked`](crate::ErrorKind::Locked);
    /// [`ErrorKind::RootOnly`](crate::ErrorKind::RootOnly);
    /// [`ErrorKind::InvalidParameter`](crate::ErrorKind::InvalidParameter).
    pub async fn update(&self, update: &UpdateContainer) -> Result<(), Error> {
        let request = self.request(&api::SET_CONFIG, update.params()?);
        self.client.get::<Nothing>(&request).await.map(|_| ())
    }

    /// The configuration with what waits for a restart, setting by setting.
    ///
    /// Upstream: `GET /nodes/{node}/lxc/{vmid}/pending`. Privilege: `VM.Audit` on `/vms/{vmid}`.
    ///
    /// # Errors
    /// As [`Container::config`].
    pub async fn pending(&self) -> Result<Vec<PendingSetting>, Error> {
        self.client
            .get(&self.request(&api::GET_PENDING, Params::default()))
            .await
    }

    /// Starts it.
    ///
    /// Upstream: `POST /nodes/{node}/lxc/{vmid}/status/start`. Privilege: `VM.PowerMgmt`.
    ///
    /// ```
    /// # use proxmox_api::{Client, ErrorKind, Tls};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let play = testkit::node::Node::start_memory().await?;
    /// # let pve = Client::builder(play.url()).token(play.root_token().parse()?)
    /// #     .tls(Tls::Pinned(play.fingerprint().parse()?)).build()?;
    /// # let node = pve.node(play.name().parse()?);
    /// # let template = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst".parse()?;
    /// # let create = proxmox_api::api::CreateContainer::new(105.try_into()?, template);
    /// # node.create_container(&create.rootfs("local:1".parse()?)).await?
    /// #     .wait(std::time::Duration::from_secs(60)).await?;
    /// # let container = node.container(105.try_into()?);
    /// use std::time::Duration;
    ///
    /// container.start().await?.wait(Duration::from_secs(60)).await?;
    /// assert!(container.status().await?.is_running());
    /// let again = container.start().await.unwrap_err();
    /// assert_eq!(again.kind(), ErrorKind::AlreadyRunning);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyRunning`](crate::ErrorKind::AlreadyRunning). That the container is
    /// missing or locked shows in the task only.
    pub async fn start(&self) -> Result<Task, Error> {
        self.task(&api::START_CONTAINER, Params::default()).await
    }

    /// Asks it to shut down.
    ///
    /// Upstream: `POST /nodes/{node}/lxc/{vmid}/status/shutdown`. Privilege: `VM.PowerMgmt`.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`](crate::ErrorKind::NotRunning), also for one that does not exist.
    pub async fn shutdown(&self, shutdown: &Shutdown) -> Result<Task, Error> {
        self.task(&api::SHUTDOWN_CONTAINER, shutdown.params()).await
    }

    /// Stops it as if the power were cut.
    ///
    /// Upstream: `POST /nodes/{node}/lxc/{vmid}/status/stop`. Privilege: `VM.PowerMgmt`.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`](crate::ErrorKind::NotRunning), also for one that does not exist.
    pub async fn stop(&self) -> Result<Task, Error> {
        self.task(&api::STOP_CONTAINER, Params::default()).await
    }

    /// Shuts it down and starts it again, which applies pending changes.
    ///
    /// Upstream: `POST /nodes/{node}/lxc/{vmid}/status/reboot`. Privilege: `VM.PowerMgmt`.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`](crate::ErrorKind::NotRunning), also for one that does not exist.
    pub async fn reboot(&self) -> Result<Task, Error> {
        self.task(&api::REBOOT_CONTAINER, Params::default()).await
    }

    /// Destroys it with its volumes.
    ///
    /// Upstream: `DELETE /nodes/{node}/lxc/{vmid}`. Privilege: `VM.Allocate` on `/vms/{vmid}`.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyRunning`](crate::ErrorKind::AlreadyRunning) if it runs and the
    /// parameters do not say to stop it; [`ErrorKind::NotFound`](crate::ErrorKind::NotFound);
    /// [`ErrorKind::Protected`](crate::ErrorKind::Protected).
    pub async fn destroy(&self, destroy: &Destroy) -> Result<Task, Error> {
        self.task(&api::DESTROY_CONTAINER, destroy.params()).await
    }

    /// Enlarges a volume.
    ///
    /// Upstream: `PUT /nodes/{node}/lxc/{vmid}/resize`. Privilege: `VM.Config.Disk`.
    ///
    /// # Errors
    /// [`ErrorKind::Server`](crate::ErrorKind::Server) if it would not become larger.
    pub async fn resize(&self, resize: &Resize) -> Result<Task, Error> {
        self.task(&api::RESIZE_DISK, resize.params()).await
    }

    /// Its network interfaces with their addresses; none while it is stopped.
    ///
    /// Upstream: `GET /nodes/{node}/lxc/{vmid}/interfaces` (8.2 and later). Privilege: `VM.Audit`.
    ///
    /// # Errors
    /// A container that does not exist is no error here: it has no interfaces.
    pub async fn interfaces(&self) -> Result<Vec<GuestInterface>, Error> {
        let request = self.request(&api::LIST_INTERFACES, Params::default());
        let found: Option<Vec<GuestInterface>> = self.client.get(&request).await?;
        Ok(found.unwrap_or_default())
    }

    async fn task(&self, endpoint: &api::Endpoint, params: Params) -> Result<Task, Error> {
        let upid: Upid = self.client.get(&self.request(endpoint, params)).await?;
        Ok(self.client.task(upid))
    }

    fn request(&self, endpoint: &api::Endpoint, params: Params) -> Request {
        Request::to(endpoint, &[&self.node, &self.vmid], params)
    }
}

/// Makes an answer of a missing thing.
pub(super) fn absent_is_none<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
