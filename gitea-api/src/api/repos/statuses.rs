//! Statuses of commits.
//!
//! # Quirks
//! - A request says `state` where an answer says `status`, and the server takes any word for it.
//! - A status's number counts within its commit.
//! - With a limit the combined state counts that page only, so none is sent for it.

use jiff::Timestamp;

use crate::api::repos::Repo;
use crate::api::users::User;
use crate::error::Result;
use crate::page::List;
use crate::request::{Operation, operations};
use crate::wire::{model, params, words};

operations! {
    CREATE = Operation::post("/repos/{owner}/{repo}/statuses/{sha}", "create status");
    LIST = Operation::get("/repos/{owner}/{repo}/statuses/{sha}", "list statuses");
    LIST_BY_REF = Operation::get("/repos/{owner}/{repo}/commits/{ref}/statuses", "list statuses of reference");
    COMBINED = Operation::get("/repos/{owner}/{repo}/commits/{ref}/status", "get combined status");
}

words! {
    /// How a check went.
    pub enum StatusState {
        /// Not yet known.
        Pending = "pending",
        /// Well.
        Success = "success",
        /// It could not be carried out.
        Failed = "error",
        /// Badly.
        Failure = "failure",
        /// Well, with a remark. The combined state counts it as a failure on 1.26.
        Warning = "warning",
        /// Not carried out.
        Skipped = "skipped",
    }
}

model! {
    /// A status of a commit.
    pub struct CommitStatus {
        /// The number within the commit.
        pub id: i64,
        /// How it went.
        pub status: StatusState,
        /// What was checked; the newest of each context counts.
        pub context: String,
        /// A sentence.
        pub description: String,
        /// Where to read more; relative for workflow runs.
        pub target_url: String,
        /// The API's address.
        pub url: String,
        /// Who said so; nobody for workflow runs.
        pub creator: Option<User>,
        /// When it was made.
        pub created_at: Option<Timestamp>,
        /// When it changed.
        pub updated_at: Option<Timestamp>,
    }

    /// All newest statuses of a commit, and what they come to.
    pub struct CombinedStatus {
        /// What they come to; empty on 1.25 where there is none.
        pub state: StatusState,
        /// The commit.
        pub sha: String,
        /// How many there are.
        pub total_count: u64,
        /// The newest of each context.
        pub statuses: Vec<CommitStatus>,
        /// The commit's address.
        pub commit_url: String,
        /// The API's address.
        pub url: String,
    }
}

params! {
    /// A status to make.
    pub struct CreateStatus {
        required {
            /// How it went.
            state: StatusState,
        }
        optional {
            /// What was checked; `default` unless told.
            context: String,
            /// A sentence.
            description: String,
            /// Where to read more.
            target_url: String,
        }
    }
}

impl Repo {
    /// Gives a commit a status; it may be named by a branch, too.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/statuses/{sha}`
    ///
    /// # Errors
    /// `NotFound`, which anybody but an administrator sees as `Server`.
    pub async fn create_status(&self, commit: &str, status: &CreateStatus) -> Result<CommitStatus> {
        self.client
            .send(self.request(&CREATE).with("sha", commit).json(status))
            .await
    }

    /// All statuses that a commit ever had. An unknown commit has none.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/statuses/{sha}`
    pub fn statuses(&self, commit: &str) -> List<CommitStatus> {
        List::paged(&self.client, self.request(&LIST).with("sha", commit))
    }

    /// All statuses that the commit of a branch or tag ever had.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/commits/{ref}/statuses`
    pub fn statuses_of(&self, reference: &str) -> List<CommitStatus> {
        List::paged(
            &self.client,
            self.request(&LIST_BY_REF).with("ref", reference),
        )
    }

    /// What the newest statuses of a commit come to.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/commits/{ref}/status`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn combined_status(&self, reference: &str) -> Result<CombinedStatus> {
        self.client
            .send(self.request(&COMBINED).with("ref", reference))
            .await
    }
}
