//! The cluster as a whole: what there is, where it is, and whether there is a quorum.
//!
//! # Quirks
//! The list of resources is gathered about every ten seconds: it says where a guest is, never
//! whether it runs now. A free vmid is not reserved by asking for it.

use serde::Deserialize;

use crate::api::{self, ContainerState, NodeEntry, Pool};
use crate::client::Client;
use crate::error::Error;
use crate::ids::{NodeName, PoolId, StorageId, Vmid};
use crate::request::Request;
use crate::response::Nothing;
use crate::wire::{Params, Tags, lax};

/// What concerns the whole cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    client: Client,
}

/// Which resources are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ListResources {
    /// All.
    #[default]
    All,
    /// Containers and virtual machines.
    Guests,
    /// Storages.
    Storages,
    /// Nodes.
    Nodes,
}

impl Cluster {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// What there is; what the asker may not see is left out.
    ///
    /// ```
    /// # use proxmox_api::{Client, Tls};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let play = testkit::node::Node::start_memory().await?;
    /// # let pve = Client::builder(play.url()).token(play.root_token().parse()?)
    /// #     .tls(Tls::Pinned(play.fingerprint().parse()?)).build()?;
    /// # let node = pve.node(play.name().parse()?);
    /// use proxmox_api::api::ListResources;
    ///
    /// let storages = pve.cluster().list_resources(ListResources::Storages).await?;
    /// assert_eq!(storages[0].status.as_deref(), Some("available"));
    /// # Ok(()) }
    /// ```
    ///
    /// Upstream: `GET /cluster/resources`.
    ///
    /// # Errors
    /// None of its own.
    pub async fn list_resources(&self, list: ListResources) -> Result<Vec<Resource>, Error> {
        let mut params = Params::default();
        let kind = match list {
            ListResources::All => None,
            ListResources::Guests => Some("vm"),
            ListResources::Storages => Some("storage"),
            ListResources::Nodes => Some("node"),
        };
        params.set_some("type", kind);
        self.client
            .get(&Request::to(&api::LIST_RESOURCES, &[], params))
            .await
    }

    /// The node on which a guest is, as of the last ten seconds; nothing if it is nowhere.
    ///
    /// # Errors
    /// Those of [`Cluster::list_resources`].
    pub async fn find_guest(&self, vmid: Vmid) -> Result<Option<Resource>, Error> {
        let guests = self.list_resources(ListResources::Guests).await?;
        Ok(guests.into_iter().find(|guest| guest.vmid == Some(vmid)))
    }

    /// The lowest free vmid in the range that the datacenter sets. It is not reserved.
    ///
    /// Upstream: `GET /cluster/nextid`.
    ///
    /// # Errors
    /// [`ErrorKind::Server`](crate::ErrorKind::Server) if there is none.
    pub async fn next_vmid(&self) -> Result<Vmid, Error> {
        self.client
            .get(&Request::to(&api::NEXT_VMID, &[], Params::default()))
            .await
    }

    /// Whether a vmid is free. It is not reserved.
    ///
    /// Upstream: `GET /cluster/nextid?vmid=`.
    ///
    /// # Errors
    /// None of its own.
    pub async fn is_free(&self, vmid: Vmid) -> Result<bool, Error> {
        let mut params = Params::default();
        params.set("vmid", vmid);
        let request = Request::to(&api::NEXT_VMID, &[], params);
        match self.client.get::<Nothing>(&request).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == crate::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The cluster and its nodes; a node that is in no cluster tells of itself alone.
    ///
    /// Upstream: `GET /cluster/status`. Privilege: `Sys.Audit` on `/`.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied).
    pub async fn status(&self) -> Result<Vec<ClusterMember>, Error> {
        self.client
            .get(&Request::to(&api::CLUSTER_STATUS, &[], Params::default()))
            .await
    }

    /// The nodes.
    ///
    /// Upstream: `GET /nodes`.
    ///
    /// # Errors
    /// None of its own.
    pub async fn list_nodes(&self) -> Result<Vec<NodeEntry>, Error> {
        self.client
            .get(&Request::to(&api::LIST_NODES, &[], Params::default()))
            .await
    }

    /// The pools; those that the asker may not see are left out.
    ///
    /// Upstream: `GET /pools`. Privilege: `Pool.Audit` on each.
    ///
    /// # Errors
    /// None of its own.
    pub async fn list_pools(&self) -> Result<Vec<Pool>, Error> {
        self.client
            .get(&Request::to(&api::LIST_POOLS, &[], Params::default()))
            .await
    }

    /// One pool with its members, or nothing if there is none of that name.
    ///
    /// Upstream: `GET /pools?poolid=`. Privilege: `Pool.Audit` on it.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied).
    pub async fn find_pool(&self, pool: &PoolId) -> Result<Option<Pool>, Error> {
        let mut params = Params::default();
        params.set("poolid", pool);
        let found: Result<Vec<Pool>, Error> = self
            .client
            .get(&Request::to(&api::LIST_POOLS, &[], params))
            .await;
        Ok(super::lxc::absent_is_none(found)?.and_then(|pools| pools.into_iter().next()))
    }

    /// Creates a pool.
    ///
    /// Upstream: `POST /pools`. Privilege: `Pool.Allocate` on it.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists).
    pub async fn create_pool(&self, pool: &PoolId, comment: Option<&str>) -> Result<(), Error> {
        let mut params = Params::default();
        params.set("poolid", pool);
        params.set_some("comment", comment);
        let request = Request::to(&api::CREATE_POOL, &[], params);
        self.client.get::<Nothing>(&request).await.map(|_| ())
    }

    /// Deletes a pool, which must be empty.
    ///
    /// Upstream: `DELETE /pools`. Privilege: `Pool.Allocate` on it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound);
    /// [`ErrorKind::Server`](crate::ErrorKind::Server) if it is not empty.
    pub async fn delete_pool(&self, pool: &PoolId) -> Result<(), Error> {
        let mut params = Params::default();
        params.set("poolid", pool);
        let request = Request::to(&api::DELETE_POOL, &[], params);
        self.client.get::<Nothing>(&request).await.map(|_| ())
    }
}

/// What a resource is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ResourceKind {
    /// A node.
    Node,
    /// A storage on a node.
    Storage,
    /// A pool.
    Pool,
    /// A virtual machine.
    Qemu,
    /// A container.
    Lxc,
    /// Anything else, e.g. a network zone.
    #[serde(other)]
    Unknown,
}

/// Something that there is in the cluster.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Resource {
    /// Its identifier, e.g. `lxc/105`, `node/pve1`, `storage/pve1/local`.
    pub id: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ResourceKind,
    /// The node it is on.
    #[serde(default)]
    pub node: Option<NodeName>,
    /// Its number, if it is a guest.
    #[serde(default)]
    pub vmid: Option<Vmid>,
    /// Its name, if it is a guest.
    #[serde(default)]
    pub name: Option<String>,
    /// Its state in the server's word, e.g. `running`, `online`, `available`, `unknown`.
    #[serde(default)]
    pub status: Option<String>,
    /// The operation that holds it, if it is a guest.
    #[serde(default)]
    pub lock: Option<String>,
    /// Its pool.
    #[serde(default)]
    pub pool: Option<String>,
    /// Its tags, if it is a guest.
    #[serde(default, deserialize_with = "super::lxc::tags")]
    pub tags: Tags,
    /// Whether it is a template.
    #[serde(default, deserialize_with = "lax")]
    pub template: bool,
    /// Its name, if it is a storage.
    #[serde(default)]
    pub storage: Option<StorageId>,
    /// Number of processors.
    #[serde(default, deserialize_with = "lax")]
    pub maxcpu: Option<f64>,
    /// Bytes of memory.
    #[serde(default, deserialize_with = "lax")]
    pub maxmem: Option<u64>,
    /// Bytes of its file system.
    #[serde(default, deserialize_with = "lax")]
    pub maxdisk: Option<u64>,
    /// Seconds since its start.
    #[serde(default, deserialize_with = "lax")]
    pub uptime: Option<u64>,
}

impl Resource {
    /// Whether a guest ran when last looked at, up to ten seconds ago.
    #[must_use]
    pub fn state(&self) -> ContainerState {
        self.status.as_deref().unwrap_or_default().into()
    }
}

/// The cluster itself, or one of its nodes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ClusterMember {
    /// `cluster` or `node`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its identifier, e.g. `node/pve1`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether the cluster has a quorum; told of the cluster.
    #[serde(default, deserialize_with = "lax")]
    pub quorate: Option<bool>,
    /// Number of nodes; told of the cluster.
    #[serde(default, deserialize_with = "lax")]
    pub nodes: Option<u32>,
    /// Whether the node takes part; told of a node.
    #[serde(default, deserialize_with = "lax")]
    pub online: Option<bool>,
    /// Whether it is the node that answers; told of a node.
    #[serde(default, deserialize_with = "lax")]
    pub local: Option<bool>,
    /// Its address; told of a node.
    #[serde(default)]
    pub ip: Option<String>,
}
