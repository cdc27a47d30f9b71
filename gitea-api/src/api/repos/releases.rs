//! Releases and their attachments.
//!
//! # Quirks
//! - A draft makes no tag, and is not found by those who may not write.
//! - Deleting a release leaves its tag.
//! - Two attachments may have one name.
//! - `browser_download_url` follows the address that was asked; downloads here stay on the
//!   client's own origin.

use bytes::Bytes;
use jiff::Timestamp;

use crate::api::repos::Repo;
use crate::api::users::User;
use crate::client::Client;
use crate::error::Result;
use crate::ids::{AttachmentId, ReleaseId, RepoPath};
use crate::page::List;
use crate::request::{Operation, Request, Safety, Verb, multipart, operations};
use crate::wire::{model, params};

operations! {
    LIST = Operation::get("/repos/{owner}/{repo}/releases", "list releases");
    CREATE = Operation::post("/repos/{owner}/{repo}/releases", "create release");
    LATEST = Operation::get("/repos/{owner}/{repo}/releases/latest", "get latest release");
    GET = Operation::get("/repos/{owner}/{repo}/releases/{id}", "get release");
    EDIT = Operation::patch("/repos/{owner}/{repo}/releases/{id}", "edit release");
    DELETE = Operation::delete("/repos/{owner}/{repo}/releases/{id}", "delete release");
    GET_BY_TAG = Operation::get("/repos/{owner}/{repo}/releases/tags/{tag}", "get release by tag");
    DELETE_BY_TAG =
        Operation::delete("/repos/{owner}/{repo}/releases/tags/{tag}", "delete release by tag");
    LIST_ASSETS = Operation::get("/repos/{owner}/{repo}/releases/{id}/assets", "list attachments");
    ADD_ASSET = Operation::post("/repos/{owner}/{repo}/releases/{id}/assets", "add attachment");
    GET_ASSET =
        Operation::get("/repos/{owner}/{repo}/releases/{id}/assets/{attachment_id}", "get attachment");
    EDIT_ASSET = Operation::patch(
        "/repos/{owner}/{repo}/releases/{id}/assets/{attachment_id}",
        "rename attachment",
    );
    DELETE_ASSET = Operation::delete(
        "/repos/{owner}/{repo}/releases/{id}/assets/{attachment_id}",
        "delete attachment",
    );
}

model! {
    /// A file of a release.
    pub struct Attachment {
        /// The number.
        pub id: AttachmentId,
        /// The name.
        pub name: String,
        /// The size in bytes.
        pub size: u64,
        /// How often it was fetched.
        pub download_count: u64,
        /// When it was added.
        pub created_at: Option<Timestamp>,
        /// Its name in addresses.
        pub uuid: String,
        /// Where a browser fetches it.
        pub browser_download_url: String,
    }

    /// A release.
    pub struct Release {
        /// The number.
        pub id: ReleaseId,
        /// The tag.
        pub tag_name: String,
        /// The branch or commit that the tag is made from, where it is not there.
        pub target_commitish: String,
        /// The title.
        pub name: String,
        /// The text.
        pub body: String,
        /// The API's address.
        pub url: String,
        /// The page's address.
        pub html_url: String,
        /// Its files as a tar.
        pub tarball_url: String,
        /// Its files as a zip.
        pub zipball_url: String,
        /// Where attachments go.
        pub upload_url: String,
        /// Whether it is not published.
        pub draft: bool,
        /// Whether it is not meant for everybody.
        pub prerelease: bool,
        /// When it was made.
        pub created_at: Option<Timestamp>,
        /// When it was published.
        pub published_at: Option<Timestamp>,
        /// Who made it.
        pub author: Option<User>,
        /// Its files.
        pub assets: Vec<Attachment>,
    }
}

params! {
    /// A release to make.
    pub struct CreateRelease {
        required {
            /// The tag; made where it is not there.
            tag_name: String,
        }
        optional {
            /// The branch or commit to make the tag from; the default branch unless told.
            target_commitish: String,
            /// What the tag says; makes an annotated one.
            tag_message: String,
            /// The title.
            name: String,
            /// The text.
            body: String,
            /// Whether it is not published.
            draft: bool,
            /// Whether it is not meant for everybody.
            prerelease: bool,
        }
    }
}

params! {
    /// Changes of a release.
    pub struct EditRelease {
        optional {
            /// The tag.
            tag_name: String,
            /// The branch or commit.
            target_commitish: String,
            /// The title; an empty one is ignored.
            name: String,
            /// The text; an empty one is ignored, so it cannot be cleared.
            body: String,
            /// Whether it is not published.
            draft: bool,
            /// Whether it is not meant for everybody.
            prerelease: bool,
        }
    }
}

/// The releases of a repository.
#[derive(Debug, Clone)]
pub struct Releases {
    client: Client,
    path: RepoPath,
}

impl Repo {
    /// Its releases.
    #[must_use]
    pub fn releases(&self) -> Releases {
        Releases {
            client: self.client.clone(),
            path: self.path.clone(),
        }
    }
}

impl Releases {
    fn request(&self, operation: &Operation) -> Request {
        Request::to(operation)
            .with("owner", self.path.owner())
            .with("repo", self.path.name())
    }

    fn asset(&self, operation: &Operation, id: ReleaseId, asset: AttachmentId) -> Request {
        self.request(operation)
            .with("id", id)
            .with("attachment_id", asset)
    }

    /// All of them, newest first; drafts for those who may write.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/releases`
    pub fn list(&self) -> List<Release> {
        List::paged(&self.client, self.request(&LIST))
    }

    /// The newest that is published and meant for everybody, if there is one.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/releases/latest`
    ///
    /// # Errors
    /// Any kind but `NotFound`.
    pub async fn find_latest(&self) -> Result<Option<Release>> {
        self.client.find(self.request(&LATEST)).await
    }

    /// One by number.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/releases/{id}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, id: ReleaseId) -> Result<Release> {
        self.client.send(self.request(&GET).with("id", id)).await
    }

    /// The one of a tag, if there is one.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/releases/tags/{tag}`
    ///
    /// # Errors
    /// Any kind but `NotFound`.
    pub async fn find_by_tag(&self, tag: &str) -> Result<Option<Release>> {
        self.client
            .find(self.request(&GET_BY_TAG).with("tag", tag))
            .await
    }

    /// Makes one, and its tag.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/releases`
    ///
    /// # Errors
    /// `AlreadyExists`, `EmptyRepository`, `NotFound`, `Protected`, `Validation`.
    pub async fn create(&self, release: &CreateRelease) -> Result<Release> {
        self.client.send(self.request(&CREATE).json(release)).await
    }

    /// Changes one.
    ///
    /// Upstream: `PATCH /repos/{owner}/{repo}/releases/{id}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn edit(&self, id: ReleaseId, changes: &EditRelease) -> Result<Release> {
        self.client
            .send(self.request(&EDIT).with("id", id).json(changes))
            .await
    }

    /// Removes one; its tag stays.
    ///
    /// Upstream: `DELETE /repos/{owner}/{repo}/releases/{id}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete(&self, id: ReleaseId) -> Result<()> {
        self.client
            .send_empty(self.request(&DELETE).with("id", id))
            .await
    }

    /// Removes the one of a tag; the tag stays.
    ///
    /// Upstream: `DELETE /repos/{owner}/{repo}/releases/tags/{tag}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete_by_tag(&self, tag: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&DELETE_BY_TAG).with("tag", tag))
            .await
    }

    /// Its attachments.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/releases/{id}/assets`
    pub fn attachments(&self, id: ReleaseId) -> List<Attachment> {
        List::whole(&self.client, self.request(&LIST_ASSETS).with("id", id))
    }

    /// Adds an attachment. The server limits size and kinds.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/releases/{id}/assets`
    ///
    /// # Errors
    /// `NotFound`, `TooLarge`, `Validation` for a kind that is not allowed.
    pub async fn attach(&self, id: ReleaseId, name: &str, content: &[u8]) -> Result<Attachment> {
        let (kind, body) = multipart("attachment", name, content);
        let request = self.request(&ADD_ASSET).with("id", id).query("name", name);
        self.client.send(request.bytes(kind, body)).await
    }

    /// What is known of an attachment.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/releases/{id}/assets/{attachment_id}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn attachment(&self, id: ReleaseId, asset: AttachmentId) -> Result<Attachment> {
        self.client.send(self.asset(&GET_ASSET, id, asset)).await
    }

    /// Gives an attachment another name.
    ///
    /// Upstream: `PATCH /repos/{owner}/{repo}/releases/{id}/assets/{attachment_id}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn rename_attachment(
        &self,
        id: ReleaseId,
        asset: AttachmentId,
        name: &str,
    ) -> Result<Attachment> {
        let body = serde_json::json!({ "name": name });
        self.client
            .send(self.asset(&EDIT_ASSET, id, asset).json(&body))
            .await
    }

    /// Removes an attachment.
    ///
    /// Upstream: `DELETE /repos/{owner}/{repo}/releases/{id}/assets/{attachment_id}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete_attachment(&self, id: ReleaseId, asset: AttachmentId) -> Result<()> {
        self.client
            .send_empty(self.asset(&DELETE_ASSET, id, asset))
            .await
    }

    /// Fetches an attachment's bytes, from the client's own origin.
    ///
    /// Upstream: `GET /attachments/{uuid}`, beside the API
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn download(&self, attachment: &Attachment) -> Result<Bytes> {
        let request = Request::new(Verb::Get, "/attachments/{uuid}")
            .with("uuid", &attachment.uuid)
            .safety(Safety::Read)
            .at_root("");
        self.client.send_bytes(request).await
    }
}
