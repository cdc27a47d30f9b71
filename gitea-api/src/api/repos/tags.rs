//! Tags.

use crate::api::repos::Repo;
use crate::api::repos::commits::CommitMeta;
use crate::client::Client;
use crate::error::Result;
use crate::ids::RepoPath;
use crate::page::List;
use crate::request::{Operation, Request, operations};
use crate::wire::{model, params};

operations! {
    LIST = Operation::get("/repos/{owner}/{repo}/tags", "list tags");
    CREATE = Operation::post("/repos/{owner}/{repo}/tags", "create tag");
    GET = Operation::get("/repos/{owner}/{repo}/tags/{+tag}", "get tag");
    DELETE = Operation::delete("/repos/{owner}/{repo}/tags/{+tag}", "delete tag");
}

model! {
    /// A tag.
    pub struct Tag {
        /// The name.
        pub name: String,
        /// What was said; empty for a light one.
        pub message: String,
        /// The tag's own object, or the commit of a light one.
        pub id: String,
        /// The commit.
        pub commit: CommitMeta,
        /// Its files as a zip.
        pub zipball_url: String,
        /// Its files as a tar.
        pub tarball_url: String,
    }
}

params! {
    /// A tag to make.
    pub struct CreateTag {
        required {
            /// The name.
            tag_name: String,
        }
        optional {
            /// What to say; makes an annotated tag.
            message: String,
            /// The branch or commit; the default branch unless told.
            target: String,
        }
    }
}

/// The tags of a repository.
#[derive(Debug, Clone)]
pub struct Tags {
    client: Client,
    path: RepoPath,
}

impl Repo {
    /// Its tags.
    #[must_use]
    pub fn tags(&self) -> Tags {
        Tags {
            client: self.client.clone(),
            path: self.path.clone(),
        }
    }
}

impl Tags {
    fn request(&self, operation: &Operation) -> Request {
        Request::to(operation)
            .with("owner", self.path.owner())
            .with("repo", self.path.name())
    }

    /// All of them.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/tags`
    pub fn list(&self) -> List<Tag> {
        List::paged(&self.client, self.request(&LIST))
    }

    /// One of them.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/tags/{tag}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, name: &str) -> Result<Tag> {
        self.client.send(self.request(&GET).with("tag", name)).await
    }

    /// Makes one.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/tags`
    ///
    /// # Errors
    /// `AlreadyExists`, `NotFound`, `Protected`, `Validation`.
    pub async fn create(&self, tag: &CreateTag) -> Result<Tag> {
        self.client.send(self.request(&CREATE).json(tag)).await
    }

    /// Removes one that has no release.
    ///
    /// Upstream: `DELETE /repos/{owner}/{repo}/tags/{tag}`
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when a release has it, `Protected`.
    pub async fn delete(&self, name: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&DELETE).with("tag", name))
            .await
    }
}
