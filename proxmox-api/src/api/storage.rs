//! Storages: what is on them, and how to put something there.
//!
//! # Quirks
//! `delete` answers with a task, or with nothing when it was done at once. A volume that is not
//! there is deleted without complaint. Blanks in an uploaded file's name become underscores.

mod download;
mod entries;
mod upload;

use crate::api;
use crate::client::Client;
use crate::error::Error;
use crate::ids::{NodeName, StorageId, Upid, VolumeId};
use crate::request::Request;
use crate::task::Task;
use crate::wire::Params;

pub use download::{Checksum, DownloadUrl};
pub use entries::{ContentType, ListContent, ListStorages, StorageStatus, Template, VolumeEntry};
pub use upload::Upload;

/// One storage, as it is seen from a node; the handle exists whether the storage does or not.
#[derive(Debug, Clone)]
pub struct Storage {
    client: Client,
    node: NodeName,
    id: StorageId,
}

impl Storage {
    pub(super) fn new(client: Client, node: NodeName, id: StorageId) -> Self {
        Self { client, node, id }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &StorageId {
        &self.id
    }

    /// How much space it has, and for what.
    ///
    /// Upstream: `GET /nodes/{node}/storage/{storage}/status`. Privilege: `Datastore.Audit` or
    /// `Datastore.AllocateSpace`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound).
    pub async fn status(&self) -> Result<StorageStatus, Error> {
        let found: StorageStatus = self
            .client
            .get(&self.request(&api::STORAGE_STATUS, Params::default()))
            .await?;
        Ok(found.named(&self.id))
    }

    /// What is on it.
    ///
    /// Upstream: `GET /nodes/{node}/storage/{storage}/content`. Privilege: `Datastore.Audit` or
    /// `Datastore.AllocateSpace`; of volumes of guests only those one may see.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for a missing storage.
    pub async fn list_content(&self, list: &ListContent) -> Result<Vec<VolumeEntry>, Error> {
        self.client
            .get(&self.request(&api::LIST_CONTENT, list.params()))
            .await
    }

    /// One volume of it, or nothing if it is not there.
    ///
    /// # Errors
    /// Those of [`Storage::list_content`].
    pub async fn find_volume(&self, volume: &VolumeId) -> Result<Option<VolumeEntry>, Error> {
        let volumes = self.list_content(&ListContent::all()).await?;
        Ok(volumes.into_iter().find(|entry| entry.volid == *volume))
    }

    /// Deletes a volume; the task is absent if it was done at once.
    ///
    /// Upstream: `DELETE /nodes/{node}/storage/{storage}/content/{volume}`. Privilege by content,
    /// e.g. `Datastore.AllocateTemplate`.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied). A volume that is not there is no error.
    pub async fn delete_volume(&self, volume: &VolumeId) -> Result<Option<Task>, Error> {
        let arguments: [&dyn std::fmt::Display; 3] = [&self.node, &self.id, volume];
        let request = Request::to(&api::DELETE_VOLUME, &arguments, Params::default());
        let upid: Option<Upid> = self.client.get(&request).await?;
        Ok(upid.map(|upid| self.client.task(upid)))
    }

    /// Sends a file. The task that follows checks it and puts it in its place; an existing file
    /// of that name is replaced.
    ///
    /// Upstream: `POST /nodes/{node}/storage/{storage}/upload`. Privilege:
    /// `Datastore.AllocateTemplate`.
    ///
    /// A file that was not certainly received is not sent again.
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
    /// use proxmox_api::api::{ContentType, ListContent, Upload};
    ///
    /// let storage = node.storage("local".parse()?);
    /// let upload = Upload::bytes(ContentType::Template, "mine.tar.zst", vec![0; 512])
    ///     .on_progress(|bytes| assert_eq!(bytes, 512));
    /// storage.upload(upload).await?.wait(Duration::from_secs(60)).await?;
    /// let templates = storage.list_content(&ListContent::of(ContentType::Template)).await?;
    /// assert!(templates.iter().any(|entry| entry.volid.file_name() == "mine.tar.zst"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Unusable`](crate::ErrorKind::Unusable) if the file cannot be read or its name
    /// cannot be sent; [`ErrorKind::InvalidParameter`](crate::ErrorKind::InvalidParameter);
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound). A wrong checksum fails the task.
    pub async fn upload(&self, upload: Upload) -> Result<Task, Error> {
        let request = self.request(&api::UPLOAD, upload.params());
        let content = upload
            .open()
            .await
            .map_err(|reason| request.error(crate::error::Cause::Unsendable(reason)))?;
        let upid: Upid = self.client.upload(&request, content).await?;
        Ok(self.client.task(upid))
    }

    /// Lets the node download a file. One of the same name with the right checksum is left as it
    /// is.
    ///
    /// Upstream: `POST /nodes/{node}/storage/{storage}/download-url`. Privilege:
    /// `Datastore.AllocateTemplate`, and `Sys.AccessNetwork` on the node.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists) without a checksum;
    /// [`ErrorKind::InvalidParameter`](crate::ErrorKind::InvalidParameter) for a wrong ending.
    pub async fn download_url(&self, download: &DownloadUrl) -> Result<Task, Error> {
        let request = self.request(&api::DOWNLOAD_URL, download.params());
        let upid: Upid = self.client.get(&request).await?;
        Ok(self.client.task(upid))
    }

    fn request(&self, endpoint: &api::Endpoint, params: Params) -> Request {
        Request::to(endpoint, &[&self.node, &self.id], params)
    }
}
