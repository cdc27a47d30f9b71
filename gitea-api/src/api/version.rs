//! What the server is and how it is set up.

use crate::client::Client;
use crate::error::Result;
use crate::request::{Operation, Request, operations};
use crate::wire::model;

operations! {
    GET_VERSION = Operation::get("/version", "get version");
    API_SETTINGS = Operation::get("/settings/api", "get API settings");
    ATTACHMENT_SETTINGS = Operation::get("/settings/attachment", "get attachment settings");
    REPOSITORY_SETTINGS = Operation::get("/settings/repository", "get repository settings");
    UI_SETTINGS = Operation::get("/settings/ui", "get UI settings");
}

model! {
    /// The version as the server writes it.
    pub struct ServerVersion {
        /// For instance `1.26.3`.
        pub version: String,
    }

    /// Limits of the API.
    pub struct ApiSettings {
        /// The largest page.
        pub max_response_items: u32,
        /// The page size where none is asked for.
        pub default_paging_num: u32,
        /// The page size of trees.
        pub default_git_trees_per_page: u32,
        /// The largest file, in bytes, whose content is given inline.
        pub default_max_blob_size: u64,
        /// The largest answer of several files, in bytes.
        pub default_max_response_size: u64,
    }

    /// Limits of attachments.
    pub struct AttachmentSettings {
        /// Whether there are attachments.
        pub enabled: bool,
        /// File endings and media types, separated by commas.
        pub allowed_types: String,
        /// How many at once.
        pub max_files: u32,
        /// The largest one, in MiB.
        pub max_size: u64,
    }

    /// What is switched off for repositories.
    pub struct RepositorySettings {
        /// No git over HTTP.
        pub http_git_disabled: bool,
        /// No LFS.
        pub lfs_disabled: bool,
        /// No migrations.
        pub migrations_disabled: bool,
        /// No mirrors.
        pub mirrors_disabled: bool,
        /// No stars.
        pub stars_disabled: bool,
        /// No time tracking.
        pub time_tracking_disabled: bool,
    }

    /// What the website offers.
    pub struct UiSettings {
        /// The reactions, in order.
        pub allowed_reactions: Vec<String>,
        /// Emojis of this server.
        pub custom_emojis: Vec<String>,
        /// The theme of new users.
        pub default_theme: String,
    }
}

impl Client {
    /// The server's version text.
    ///
    /// Upstream: `GET /version`
    ///
    /// # Errors
    /// `Unauthorized` where the server shows nothing to strangers.
    pub async fn version(&self) -> Result<String> {
        Ok(self
            .send::<ServerVersion>(Request::to(&GET_VERSION))
            .await?
            .version)
    }

    /// Limits of the API.
    ///
    /// Upstream: `GET /settings/api`
    ///
    /// # Errors
    /// Any kind.
    pub async fn api_settings(&self) -> Result<ApiSettings> {
        self.send(Request::to(&API_SETTINGS)).await
    }

    /// Limits of attachments.
    ///
    /// Upstream: `GET /settings/attachment`
    ///
    /// # Errors
    /// Any kind.
    pub async fn attachment_settings(&self) -> Result<AttachmentSettings> {
        self.send(Request::to(&ATTACHMENT_SETTINGS)).await
    }

    /// What is switched off for repositories.
    ///
    /// Upstream: `GET /settings/repository`
    ///
    /// # Errors
    /// Any kind.
    pub async fn repository_settings(&self) -> Result<RepositorySettings> {
        self.send(Request::to(&REPOSITORY_SETTINGS)).await
    }

    /// What the website offers.
    ///
    /// Upstream: `GET /settings/ui`
    ///
    /// # Errors
    /// Any kind.
    pub async fn ui_settings(&self) -> Result<UiSettings> {
        self.send(Request::to(&UI_SETTINGS)).await
    }
}
