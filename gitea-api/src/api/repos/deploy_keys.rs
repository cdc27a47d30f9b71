//! Deploy keys of a repository.
//!
//! # Quirks
//! Deleting a deploy key that is not there succeeds.

use jiff::Timestamp;

use crate::api::repos::Repo;
use crate::api::users::keys::{AddKey, same_key};
use crate::client::Client;
use crate::ensure::Ensured;
use crate::error::Result;
use crate::ids::{KeyId, RepoPath};
use crate::page::List;
use crate::request::{Operation, Request, operations};
use crate::wire::model;

operations! {
    LIST = Operation::get("/repos/{owner}/{repo}/keys", "list deploy keys");
    ADD = Operation::post("/repos/{owner}/{repo}/keys", "add deploy key");
    GET = Operation::get("/repos/{owner}/{repo}/keys/{id}", "get deploy key");
    DELETE = Operation::delete("/repos/{owner}/{repo}/keys/{id}", "delete deploy key");
}

model! {
    /// A deploy key.
    pub struct DeployKey {
        /// The number within the repository.
        pub id: KeyId,
        /// The number of the key itself, shared by repositories that have the same one.
        pub key_id: KeyId,
        /// Type, content and sometimes a comment.
        pub key: String,
        /// Its address.
        pub url: String,
        /// What it is called.
        pub title: String,
        /// SHA-256 of the content.
        pub fingerprint: String,
        /// When it was added.
        pub created_at: Option<Timestamp>,
        /// Whether it may only read.
        pub read_only: bool,
    }
}

/// The deploy keys of a repository.
#[derive(Debug, Clone)]
pub struct DeployKeys {
    client: Client,
    path: RepoPath,
}

impl Repo {
    /// Its deploy keys.
    #[must_use]
    pub fn deploy_keys(&self) -> DeployKeys {
        DeployKeys {
            client: self.client.clone(),
            path: self.path.clone(),
        }
    }
}

impl DeployKeys {
    fn request(&self, operation: &Operation) -> Request {
        Request::to(operation)
            .with("owner", self.path.owner())
            .with("repo", self.path.name())
    }

    /// All of them.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/keys`
    pub fn list(&self) -> List<DeployKey> {
        List::paged(&self.client, self.request(&LIST))
    }

    /// One of them.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/keys/{id}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, id: KeyId) -> Result<DeployKey> {
        self.client.send(self.request(&GET).with("id", id)).await
    }

    /// Adds one.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/keys`
    ///
    /// # Errors
    /// `AlreadyExists` for its content or title, `Validation`.
    pub async fn add(&self, key: &AddKey) -> Result<DeployKey> {
        self.client.send(self.request(&ADD).json(key)).await
    }

    /// Removes one; nothing happens where it is not there.
    ///
    /// Upstream: `DELETE /repos/{owner}/{repo}/keys/{id}`
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn delete(&self, id: KeyId) -> Result<()> {
        self.client
            .send_empty(self.request(&DELETE).with("id", id))
            .await
    }

    /// Makes sure that a key is there under its title with this right. One that differs is
    /// replaced, since upstream cannot change it.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub async fn ensure(&self, key: &AddKey) -> Result<Ensured<DeployKey>> {
        let all = self.list().collect(10_000).await?;
        let read_only = key.read_only.unwrap_or_default();
        let as_wished = |present: &&DeployKey| {
            same_key(&present.key, &key.key) && present.read_only == read_only
        };
        if let Some(present) = all.iter().find(as_wished) {
            return Ok(Ensured::Unchanged(present.clone()));
        }
        let rival =
            |present: &&DeployKey| present.title == key.title || same_key(&present.key, &key.key);
        let rivals: Vec<_> = all.iter().filter(rival).map(|present| present.id).collect();
        for id in &rivals {
            self.delete(*id).await?;
        }
        let made = self.add(key).await?;
        Ok(if rivals.is_empty() {
            Ensured::Created(made)
        } else {
            Ensured::Updated(made)
        })
    }
}
