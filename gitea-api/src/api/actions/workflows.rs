//! Workflows of a repository.
//!
//! # Quirks
//! - A file that cannot be read is listed as active, and never gives a run.
//! - In an empty repository 1.26 answers a stack trace, which is a `Server` error here.

use jiff::Timestamp;

use crate::api::actions::Actions;
use crate::error::Result;
use crate::page::List;
use crate::request::{Operation, operations};
use crate::server::Capability;
use crate::wire::{model, words};

operations! {
    LIST = Operation::get("/actions/workflows", "list workflows")
        .scoped("r")
        .needs(Capability::Workflows);
    GET = Operation::get("/actions/workflows/{workflow_id}", "get workflow")
        .scoped("r")
        .needs(Capability::Workflows);
    ENABLE = Operation::put("/actions/workflows/{workflow_id}/enable", "enable workflow")
        .scoped("r")
        .needs(Capability::Workflows);
    DISABLE = Operation::put("/actions/workflows/{workflow_id}/disable", "disable workflow")
        .scoped("r")
        .needs(Capability::Workflows);
}

words! {
    /// Whether a workflow runs.
    pub enum WorkflowState {
        /// It does.
        Active = "active",
        /// Somebody switched it off.
        Disabled = "disabled_manually",
    }
}

model! {
    /// A workflow file.
    pub struct Workflow {
        /// The path below the folder of workflows, for instance `ci.yml` or `sub/c.yml`.
        pub id: String,
        /// Its own name since 1.26, the file's before.
        pub name: String,
        /// The path in the repository.
        pub path: String,
        /// Whether it runs.
        pub state: WorkflowState,
        /// When the file was made.
        pub created_at: Option<Timestamp>,
        /// When the file changed.
        pub updated_at: Option<Timestamp>,
        /// When the file was removed.
        pub deleted_at: Option<Timestamp>,
        /// The API's address.
        pub url: String,
        /// The file's page.
        pub html_url: String,
        /// A picture of how it went.
        pub badge_url: String,
    }
}

impl Actions {
    /// The workflows on the default branch.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/actions/workflows`
    pub fn workflows(&self) -> List<Workflow> {
        List::whole(&self.client, self.request(&LIST)).member("workflows")
    }

    /// A workflow by its file, for instance `ci.yml`.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn workflow(&self, file: &str) -> Result<Workflow> {
        self.client
            .send(self.request(&GET).with("workflow_id", file))
            .await
    }

    /// Lets a workflow run again; nothing happens where it does.
    ///
    /// Upstream: `PUT /repos/{owner}/{repo}/actions/workflows/{workflow_id}/enable`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn enable_workflow(&self, file: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&ENABLE).with("workflow_id", file))
            .await
    }

    /// Lets a workflow run no more. On 1.25 its queued runs are cancelled.
    ///
    /// Upstream: `PUT /repos/{owner}/{repo}/actions/workflows/{workflow_id}/disable`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn disable_workflow(&self, file: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&DISABLE).with("workflow_id", file))
            .await
    }
}
