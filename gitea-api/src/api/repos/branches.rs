//! Branches.
//!
//! # Quirks
//! Deleting a branch that is gone is "not found" on 1.26, a success on 1.25 and a failure on 1.24.

use jiff::Timestamp;

use crate::api::repos::Repo;
use crate::client::Client;
use crate::error::Result;
use crate::ids::RepoPath;
use crate::page::List;
use crate::request::{Operation, Request, Safety, operations};
use crate::server::Capability;
use crate::wire::{model, params};

operations! {
    LIST = Operation::get("/repos/{owner}/{repo}/branches", "list branches");
    CREATE = Operation::post("/repos/{owner}/{repo}/branches", "create branch");
    GET = Operation::get("/repos/{owner}/{repo}/branches/{+branch}", "get branch");
    DELETE = Operation::delete("/repos/{owner}/{repo}/branches/{+branch}", "delete branch");
    RENAME = Operation::patch("/repos/{owner}/{repo}/branches/{+branch}", "rename branch");
    MOVE = Operation::put("/repos/{owner}/{repo}/branches/{+branch}", "move branch")
        .needs(Capability::MoveBranch)
        .safety(Safety::Once);
}

model! {
    /// A person as git names one, with the account if there is one.
    pub struct PayloadUser {
        /// The name.
        pub name: String,
        /// The mail address.
        pub email: String,
        /// The account; empty when nobody has that address.
        pub username: String,
    }

    /// A commit as branches and webhooks show it.
    pub struct PayloadCommit {
        /// The commit.
        pub id: String,
        /// What was said.
        pub message: String,
        /// The page's address.
        pub url: String,
        /// Who wrote it.
        pub author: Option<PayloadUser>,
        /// Who committed it.
        pub committer: Option<PayloadUser>,
        /// When it was committed.
        pub timestamp: Option<Timestamp>,
        /// Files that it added.
        pub added: Vec<String>,
        /// Files that it removed.
        pub removed: Vec<String>,
        /// Files that it changed.
        pub modified: Vec<String>,
    }

    /// A branch.
    pub struct Branch {
        /// The name.
        pub name: String,
        /// Where it stands.
        pub commit: PayloadCommit,
        /// Whether a rule protects it.
        pub protected: bool,
        /// How many approvals a pull request needs.
        pub required_approvals: u64,
        /// Whether checks must succeed.
        pub enable_status_check: bool,
        /// Which checks.
        pub status_check_contexts: Vec<String>,
        /// Whether who asks may push.
        pub user_can_push: bool,
        /// Whether who asks may merge.
        pub user_can_merge: bool,
        /// The name of the rule.
        pub effective_branch_protection_name: String,
    }
}

params! {
    /// A branch to make.
    pub struct CreateBranch {
        required {
            /// The name.
            new_branch_name: String,
        }
        optional {
            /// The branch to start from; the default one unless told.
            old_branch_name: String,
            /// The branch, tag or commit to start from.
            old_ref_name: String,
        }
    }
}

params! {
    /// Where to move a branch to.
    pub struct MoveBranch {
        required {
            /// The commit.
            new_commit_id: String,
        }
        optional {
            /// Where it must stand now.
            old_commit_id: String,
            /// Whether commits may be lost.
            force: bool,
        }
    }
}

/// The branches of a repository.
#[derive(Debug, Clone)]
pub struct Branches {
    client: Client,
    path: RepoPath,
}

impl Repo {
    /// Its branches.
    #[must_use]
    pub fn branches(&self) -> Branches {
        Branches {
            client: self.client.clone(),
            path: self.path.clone(),
        }
    }
}

impl Branches {
    fn request(&self, operation: &Operation) -> Request {
        Request::to(operation)
            .with("owner", self.path.owner())
            .with("repo", self.path.name())
    }

    /// All of them.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/branches`
    pub fn list(&self) -> List<Branch> {
        List::paged(&self.client, self.request(&LIST))
    }

    /// One of them.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/branches/{branch}`
    ///
    /// # Errors
    /// `NotFound`; use [`find`](Self::find) where that is an answer.
    pub async fn get(&self, name: &str) -> Result<Branch> {
        self.client
            .send(self.request(&GET).with("branch", name))
            .await
    }

    /// One of them, if it is there.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/branches/{branch}`
    ///
    /// # Errors
    /// Any kind but `NotFound`.
    pub async fn find(&self, name: &str) -> Result<Option<Branch>> {
        self.client
            .find(self.request(&GET).with("branch", name))
            .await
    }

    /// Makes one.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/branches`
    ///
    /// # Errors
    /// `AlreadyExists`, `NotFound`, `EmptyRepository`, `Protected`, `Validation`.
    pub async fn create(&self, branch: &CreateBranch) -> Result<Branch> {
        self.client.send(self.request(&CREATE).json(branch)).await
    }

    /// Removes one.
    ///
    /// Upstream: `DELETE /repos/{owner}/{repo}/branches/{branch}`
    ///
    /// # Errors
    /// `NotFound`; `Protected` also for the default branch.
    pub async fn delete(&self, name: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&DELETE).with("branch", name))
            .await
    }

    /// Gives one another name. A rule of exactly the old name follows; nothing redirects.
    ///
    /// Upstream: `PATCH /repos/{owner}/{repo}/branches/{branch}`
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, `Protected`.
    pub async fn rename(&self, name: &str, to: &str) -> Result<()> {
        let body = serde_json::json!({ "name": to });
        self.client
            .send_empty(self.request(&RENAME).with("branch", name).json(&body))
            .await
    }

    /// Moves one to another commit.
    ///
    /// Upstream: `PUT /repos/{owner}/{repo}/branches/{branch}`
    ///
    /// # Errors
    /// `Unsupported` before Gitea 1.26; `HeadMoved` when it stands elsewhere, or commits would be
    /// lost; `NotFound`, `Protected`.
    pub async fn move_to(&self, name: &str, target: &MoveBranch) -> Result<()> {
        self.client
            .send_empty(self.request(&MOVE).with("branch", name).json(target))
            .await
    }
}
