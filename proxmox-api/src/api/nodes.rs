//! One node: its containers, storages, templates and tasks.

mod backup;
mod entries;
mod numbered;
mod tasks;

use crate::api::{
    self, Container, ContainerEntry, CreateContainer, ListStorages, Storage, StorageStatus,
    Template,
};
use crate::client::Client;
use crate::error::Error;
use crate::ids::{NodeName, StorageId, Upid, Vmid};
use crate::request::Request;
use crate::task::Task;
use crate::wire::Params;

pub use backup::{Backup, BackupMode};
pub use entries::{NodeEntry, NodeStatus, Usage};
pub use tasks::{ListTasks, TaskEntry};

/// One node; the handle exists whether the node does or not.
#[derive(Debug, Clone)]
pub struct Node {
    client: Client,
    name: NodeName,
}

impl Node {
    pub(crate) fn new(client: Client, name: NodeName) -> Self {
        Self { client, name }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &NodeName {
        &self.name
    }

    /// One container on it; nothing is asked yet.
    #[must_use]
    pub fn container(&self, vmid: Vmid) -> Container {
        Container::new(self.client.clone(), self.name.clone(), vmid)
    }

    /// One storage as it is seen from it; nothing is asked yet.
    #[must_use]
    pub fn storage(&self, id: StorageId) -> Storage {
        Storage::new(self.client.clone(), self.name.clone(), id)
    }

    /// Its load, memory and versions.
    ///
    /// Upstream: `GET /nodes/{node}/status`. Privilege: `Sys.Audit` on `/nodes/{node}`.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownNode`](crate::ErrorKind::UnknownNode).
    pub async fn status(&self) -> Result<NodeStatus, Error> {
        self.client
            .get(&self.request(&api::NODE_STATUS, Params::default()))
            .await
    }

    /// Its containers; those that the asker may not see are left out.
    ///
    /// Upstream: `GET /nodes/{node}/lxc`. Privilege: `VM.Audit` on each.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownNode`](crate::ErrorKind::UnknownNode).
    pub async fn list_containers(&self) -> Result<Vec<ContainerEntry>, Error> {
        self.client
            .get(&self.request(&api::LIST_CONTAINERS, Params::default()))
            .await
    }

    /// Begins to create a container. A missing template shows in the task only.
    ///
    /// Upstream: `POST /nodes/{node}/lxc`. Privilege: `VM.Allocate` on the container or its pool,
    /// `Datastore.AllocateSpace` on the storage, `SDN.Use` on the bridge.
    ///
    /// ```
    /// # use proxmox_api::{Client, Tls};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let play = testkit::node::Node::start_memory().await?;
    /// # let pve = Client::builder(play.url()).token(play.root_token().parse()?)
    /// #     .tls(Tls::Pinned(play.fingerprint().parse()?)).build()?;
    /// # let node = pve.node(play.name().parse()?);
    /// use std::time::Duration;
    ///
    /// use proxmox_api::api::CreateContainer;
    /// use proxmox_api::property::Net;
    ///
    /// let template = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst".parse()?;
    /// let create = CreateContainer::new(105.try_into()?, template)
    ///     .rootfs("local:8".parse()?)
    ///     .net(0, Net::new("eth0").bridge("vmbr0").ip("dhcp".parse()?));
    /// node.create_container(&create).await?.wait(Duration::from_secs(300)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists) if the number is taken,
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for a missing storage or pool,
    /// [`ErrorKind::RootOnly`](crate::ErrorKind::RootOnly),
    /// [`ErrorKind::InvalidParameter`](crate::ErrorKind::InvalidParameter).
    pub async fn create_container(&self, create: &CreateContainer) -> Result<Task, Error> {
        let request = self.request(&api::CREATE_CONTAINER, create.params()?);
        let upid: Upid = self.client.get(&request).await?;
        Ok(self.client.task(upid))
    }

    /// Its storages; those that the asker may not see are left out.
    ///
    /// Upstream: `GET /nodes/{node}/storage`. Privilege: `Datastore.Audit` or
    /// `Datastore.AllocateSpace` on each.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if one is asked for that is missing.
    pub async fn list_storages(&self, list: &ListStorages) -> Result<Vec<StorageStatus>, Error> {
        self.client
            .get(&self.request(&api::LIST_STORAGES, list.params()))
            .await
    }

    /// The templates that can be downloaded, as the node's last `pveam update` found them.
    ///
    /// Upstream: `GET /nodes/{node}/aplinfo`.
    ///
    /// # Errors
    /// None of its own.
    pub async fn list_templates(&self) -> Result<Vec<Template>, Error> {
        self.client
            .get(&self.request(&api::LIST_TEMPLATES, Params::default()))
            .await
    }

    /// Begins to download a template of the list; one that is there already is left as it is.
    ///
    /// Upstream: `POST /nodes/{node}/aplinfo`. Privilege: `Datastore.AllocateTemplate`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the list does not have it.
    pub async fn download_template(
        &self,
        storage: &StorageId,
        template: &str,
    ) -> Result<Task, Error> {
        let mut params = Params::default();
        params.set("storage", storage);
        params.set("template", template);
        let upid: Upid = self
            .client
            .get(&self.request(&api::DOWNLOAD_TEMPLATE, params))
            .await?;
        Ok(self.client.task(upid))
    }

    /// Its tasks, newest first. Without [`ListTasks::running_too`] those that run are not in it.
    ///
    /// Upstream: `GET /nodes/{node}/tasks`. One sees one's own; `Sys.Audit` shows all.
    ///
    /// ```
    /// # use proxmox_api::{Client, Tls};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let play = testkit::node::Node::start_memory().await?;
    /// # let pve = Client::builder(play.url()).token(play.root_token().parse()?)
    /// #     .tls(Tls::Pinned(play.fingerprint().parse()?)).build()?;
    /// # let node = pve.node(play.name().parse()?);
    /// use proxmox_api::api::ListTasks;
    ///
    /// for task in node.list_tasks(&ListTasks::new().failed_only().limit(10)).await? {
    ///     assert_eq!(task.succeeded(), Some(false));
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`](crate::ErrorKind::InvalidParameter).
    pub async fn list_tasks(&self, list: &ListTasks) -> Result<Vec<TaskEntry>, Error> {
        self.client
            .get(&self.request(&api::LIST_TASKS, list.params()))
            .await
    }

    fn request(&self, endpoint: &api::Endpoint, params: Params) -> Request {
        Request::to(endpoint, &[&self.name], params)
    }
}
