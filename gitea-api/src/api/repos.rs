//! Repositories.
//!
//! # Quirks
//! - A renamed repository or owner answers with a redirect. Reads follow it; writes fail with
//!   `Moved`, because most HTTP libraries would turn them into reads.
//! - Directly after its first `git push` a repository counts as empty for up to a second.
//! - 1.25 ignores settings of merging where an edit does not name `has_pull_requests`;
//!   [`Repo::edit`] names it to such a server.

pub mod access;
pub mod branches;
pub mod commit;
pub mod commits;
pub mod contents;
pub mod deploy_keys;
pub mod model;
pub mod objects;
pub mod releases;
pub mod statuses;
pub mod tags;

use std::time::Duration;

use crate::api::actions::Actions;
use crate::api::hooks::Hooks;
use crate::api::orgs::Org;
use crate::api::users::Me;
use crate::client::Client;
use crate::ensure::{Ensured, differences};
use crate::error::Result;
use crate::ids::{RepoId, RepoPath, Scope};
use crate::page::List;
use crate::request::{Operation, Request, Safety, operations};
use crate::server::Release;

pub use model::{
    CreateRepo, EditRepo, Fork, Generate, Migrate, Permission, Repository, SearchRepos, TrustModel,
};

operations! {
    SEARCH = Operation::get("/repos/search", "search repositories");
    GET = Operation::get("/repos/{owner}/{repo}", "get repository");
    GET_BY_ID = Operation::get("/repositories/{id}", "get repository by number");
    EDIT = Operation::patch("/repos/{owner}/{repo}", "edit repository").safety(Safety::Once);
    DELETE = Operation::delete("/repos/{owner}/{repo}", "delete repository");
    LIST_FORKS = Operation::get("/repos/{owner}/{repo}/forks", "list forks");
    FORK = Operation::post("/repos/{owner}/{repo}/forks", "fork repository");
    GENERATE =
        Operation::post("/repos/{template_owner}/{template_repo}/generate", "generate repository");
    MIGRATE = Operation::post("/repos/migrate", "migrate repository");
    TRANSFER = Operation::post("/repos/{owner}/{repo}/transfer", "transfer repository");
    ACCEPT = Operation::post("/repos/{owner}/{repo}/transfer/accept", "accept transfer");
    REJECT = Operation::post("/repos/{owner}/{repo}/transfer/reject", "reject transfer");
    LIST_TOPICS = Operation::get("/repos/{owner}/{repo}/topics", "list topics");
    SET_TOPICS = Operation::put("/repos/{owner}/{repo}/topics", "set topics");
    ADD_TOPIC = Operation::put("/repos/{owner}/{repo}/topics/{topic}", "add topic");
    DELETE_TOPIC = Operation::delete("/repos/{owner}/{repo}/topics/{topic}", "delete topic");
    MIRROR_SYNC = Operation::post("/repos/{owner}/{repo}/mirror-sync", "synchronise mirror");
}

/// How long a migration may take: the server answers when the clone is done.
const MIGRATION_MAX: Duration = Duration::from_secs(1800);

/// A repository by owner and name.
#[derive(Debug, Clone)]
pub struct Repo {
    pub(crate) client: Client,
    pub(crate) path: RepoPath,
}

impl Client {
    /// A repository by owner and name.
    #[must_use]
    pub fn repo(&self, owner: impl Into<String>, name: impl Into<String>) -> Repo {
        self.repo_at(RepoPath::new(owner, name))
    }

    /// A repository by its path.
    #[must_use]
    pub fn repo_at(&self, path: RepoPath) -> Repo {
        Repo {
            client: self.clone(),
            path,
        }
    }

    /// A repository by its number, which survives renames.
    ///
    /// Upstream: `GET /repositories/{id}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn repo_by_id(&self, id: RepoId) -> Result<Repository> {
        self.send(Request::to(&GET_BY_ID).with("id", id)).await
    }

    /// Repositories that match.
    ///
    /// Upstream: `GET /repos/search`
    pub fn search_repos(&self, search: &SearchRepos) -> List<Repository> {
        let request = Request::to(&SEARCH).query_all(search.query());
        List::paged(self, request).member("data")
    }

    /// Copies a repository from elsewhere. The answer comes when the copy is done.
    ///
    /// Upstream: `POST /repos/migrate`
    ///
    /// # Errors
    /// `AlreadyExists`; `Validation`, also for private addresses that the server may not reach.
    pub async fn migrate(&self, migration: &Migrate) -> Result<Repository> {
        self.send(Request::to(&MIGRATE).json(migration).timeout(MIGRATION_MAX))
            .await
    }
}

impl Me {
    /// Makes sure that an own repository is there and as wished; see [`Repo::ensure`].
    ///
    /// # Errors
    /// As [`create_repo`](Self::create_repo) and [`Repo::edit`].
    pub async fn ensure_repo(&self, repo: &CreateRepo) -> Result<Ensured<Repository>> {
        let login = self.get().await?.login;
        let handle = self.client.repo(login, &repo.name);
        match handle.find().await? {
            None => self.create_repo(repo).await.map(Ensured::Created),
            Some(present) => handle.ensure(repo, present).await,
        }
    }
}

impl Org {
    /// Makes sure that a repository of this organisation is there and as wished; see
    /// [`Repo::ensure`].
    ///
    /// # Errors
    /// As [`create_repo`](Self::create_repo) and [`Repo::edit`].
    pub async fn ensure_repo(&self, repo: &CreateRepo) -> Result<Ensured<Repository>> {
        let handle = self.client.repo(&self.name, &repo.name);
        match handle.find().await? {
            None => self.create_repo(repo).await.map(Ensured::Created),
            Some(present) => handle.ensure(repo, present).await,
        }
    }
}

impl Repo {
    pub(crate) fn request(&self, operation: &Operation) -> Request {
        Request::to(operation)
            .with("owner", self.path.owner())
            .with("repo", self.path.name())
    }

    pub(crate) fn scope(&self) -> Scope {
        Scope::Repo(self.path.clone())
    }

    /// Owner and name.
    #[must_use]
    pub fn path(&self) -> &RepoPath {
        &self.path
    }

    /// What is known of it.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}`
    ///
    /// # Errors
    /// `NotFound`; use [`find`](Self::find) where that is an answer.
    pub async fn get(&self) -> Result<Repository> {
        self.client.send(self.request(&GET)).await
    }

    /// What is known of it, if it is there. A renamed one is found under its old name.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}`
    ///
    /// # Errors
    /// Any kind but `NotFound`.
    pub async fn find(&self) -> Result<Option<Repository>> {
        self.client.find(self.request(&GET)).await
    }

    /// Changes it.
    ///
    /// Upstream: `PATCH /repos/{owner}/{repo}`
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = testkit::forge::Forge::start().await?;
    /// # let token = gitea_api::Auth::token(&*server.ready().root_token);
    /// # let client = gitea_api::Client::builder(server.url()).auth(token).build()?;
    /// use gitea_api::Patch;
    /// use gitea_api::api::repos::{CreateRepo, EditRepo};
    ///
    /// client.me().create_repo(&CreateRepo::new("r").description("old")).await?;
    /// let repo = client.repo("root1", "r");
    /// let changes = EditRepo::new().description(Patch::Clear).has_wiki(false);
    /// let repo = repo.edit(&changes).await?;
    /// assert_eq!(repo.description, "");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotFound`, `Moved`, `Forbidden`, `AlreadyExists` for a name that is taken, `Validation`.
    pub async fn edit(&self, changes: &EditRepo) -> Result<Repository> {
        let mut changes = changes.clone();
        if changes.names_merging() && changes.has_pull_requests.is_none() {
            let release = self.client.probe().await?.release();
            if release
                == (Release {
                    major: 1,
                    minor: 25,
                })
            {
                changes.has_pull_requests = Some(self.get().await?.has_pull_requests);
            }
        }
        self.client.send(self.request(&EDIT).json(&changes)).await
    }

    /// Makes it as wished, as far as the wish names things that can be changed later: visibility,
    /// description, being a template, and the default branch.
    ///
    /// # Errors
    /// As [`edit`](Self::edit).
    pub async fn ensure(
        &self,
        wish: &CreateRepo,
        present: Repository,
    ) -> Result<Ensured<Repository>> {
        let edit = wish.edit();
        let changes = differences(&edit, &present);
        if changes.is_empty() {
            return Ok(Ensured::Unchanged(present));
        }
        self.client
            .send(self.request(&EDIT).json(&changes))
            .await
            .map(Ensured::Updated)
    }

    /// Removes it, with everything in it.
    ///
    /// Upstream: `DELETE /repos/{owner}/{repo}`
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn delete(&self) -> Result<()> {
        self.client.send_empty(self.request(&DELETE)).await
    }

    /// Its forks.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/forks`
    pub fn forks(&self) -> List<Repository> {
        List::paged(&self.client, self.request(&LIST_FORKS))
    }

    /// Forks it. Of the units a fork has only code and pull requests.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/forks`
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken, or the owner has a fork under any name.
    pub async fn fork(&self, fork: &Fork) -> Result<Repository> {
        self.client.send(self.request(&FORK).json(fork)).await
    }

    /// Makes a repository from this template.
    ///
    /// Upstream: `POST /repos/{template_owner}/{template_repo}/generate`
    ///
    /// # Errors
    /// `AlreadyExists`, `NotFound`, `Validation` when it is no template or nothing was chosen.
    pub async fn generate(&self, target: &Generate) -> Result<Repository> {
        let request = Request::to(&GENERATE)
            .with("template_owner", self.path.owner())
            .with("template_repo", self.path.name());
        self.client.send(request.json(target)).await
    }

    /// Gives it to another owner, who may have to accept.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/transfer`
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `AlreadyExists`, `Conflict` while another transfer waits.
    pub async fn transfer(&self, new_owner: &str) -> Result<Repository> {
        let body = serde_json::json!({ "new_owner": new_owner });
        self.client.send(self.request(&TRANSFER).json(&body)).await
    }

    /// Takes it over from its present owner.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/transfer/accept`
    ///
    /// # Errors
    /// `NotFound` when no transfer waits, `Forbidden`.
    pub async fn accept_transfer(&self) -> Result<Repository> {
        self.client.send(self.request(&ACCEPT)).await
    }

    /// Refuses to take it over.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/transfer/reject`
    ///
    /// # Errors
    /// `NotFound` when no transfer waits, `Forbidden`.
    pub async fn reject_transfer(&self) -> Result<Repository> {
        self.client.send(self.request(&REJECT)).await
    }

    /// Its topics.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/topics`
    pub fn topics(&self) -> List<String> {
        List::paged(&self.client, self.request(&LIST_TOPICS)).member("topics")
    }

    /// Replaces its topics.
    ///
    /// Upstream: `PUT /repos/{owner}/{repo}/topics`
    ///
    /// # Errors
    /// `Validation`.
    pub async fn set_topics(&self, topics: &[&str]) -> Result<()> {
        let body = serde_json::json!({ "topics": topics });
        self.client
            .send_empty(self.request(&SET_TOPICS).json(&body))
            .await
    }

    /// Adds a topic.
    ///
    /// Upstream: `PUT /repos/{owner}/{repo}/topics/{topic}`
    ///
    /// # Errors
    /// `Validation`.
    pub async fn add_topic(&self, topic: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&ADD_TOPIC).with("topic", topic))
            .await
    }

    /// Removes a topic.
    ///
    /// Upstream: `DELETE /repos/{owner}/{repo}/topics/{topic}`
    ///
    /// # Errors
    /// `NotFound`, `Validation`.
    pub async fn delete_topic(&self, topic: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&DELETE_TOPIC).with("topic", topic))
            .await
    }

    /// Fetches a mirror's source now.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/mirror-sync`
    ///
    /// # Errors
    /// `Validation` when it is no mirror.
    pub async fn sync_mirror(&self) -> Result<()> {
        self.client.send_empty(self.request(&MIRROR_SYNC)).await
    }

    /// Its webhooks.
    #[must_use]
    pub fn hooks(&self) -> Hooks {
        Hooks::new(&self.client, self.scope())
    }

    /// Its secrets, variables, runners, workflows, runs and jobs.
    #[must_use]
    pub fn actions(&self) -> Actions {
        Actions::new(&self.client, self.scope())
    }
}
