//! Files, one at a time.
//!
//! # Quirks
//! - Upstream's `PUT` without `sha` creates and does not overwrite; before 1.26 it is refused.
//!   [`Contents::put`] does what one expects, on every version.
//! - Writing the same content again makes an empty commit; [`Contents::ensure`] does not.
//! - In an empty repository the first write makes the branch, and the default branch with it.
//! - Short ids of commits are not understood here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::repos::Repo;
use crate::api::repos::commits::{CommitMeta, CommitUser, Verification};
use crate::client::Client;
use crate::ensure::Ensured;
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::ids::RepoPath;
use crate::page::List;
use crate::request::{Operation, Request, Safety, operations};
use crate::wire::{model, params, words};

operations! {
    LIST_ROOT = Operation::get("/repos/{owner}/{repo}/contents", "list root directory");
    GET = Operation::get("/repos/{owner}/{repo}/contents/{+filepath}", "get file");
    CREATE = Operation::post("/repos/{owner}/{repo}/contents/{+filepath}", "create file");
    UPDATE = Operation::put("/repos/{owner}/{repo}/contents/{+filepath}", "update file")
        .safety(Safety::Once);
    DELETE = Operation::delete("/repos/{owner}/{repo}/contents/{+filepath}", "delete file")
        .safety(Safety::Once);
    RAW = Operation::get("/repos/{owner}/{repo}/raw/{+filepath}", "get raw file");
    ARCHIVE = Operation::get("/repos/{owner}/{repo}/archive/{+archive}", "get archive");
}

words! {
    /// What stands at a path.
    pub enum EntryKind {
        /// A file.
        File = "file",
        /// A directory.
        Dir = "dir",
        /// A symbolic link.
        Symlink = "symlink",
        /// Another repository.
        Submodule = "submodule",
    }
}

model! {
    /// What stands at a path.
    pub struct Entry {
        /// The last part of the path.
        pub name: String,
        /// The path.
        pub path: String,
        /// The object of git; wanted back when the file is changed.
        pub sha: String,
        /// The commit that last changed it.
        pub last_commit_sha: Option<String>,
        /// When that was committed.
        pub last_committer_date: Option<Timestamp>,
        /// When that was written.
        pub last_author_date: Option<Timestamp>,
        /// What it is.
        pub r#type: EntryKind,
        /// The size in bytes.
        pub size: u64,
        /// `base64`, where there is content.
        pub encoding: Option<String>,
        /// The content of a file that is not too large.
        pub content: Option<String>,
        /// Where a symbolic link points.
        pub target: Option<String>,
        /// The address of a submodule.
        pub submodule_git_url: Option<String>,
        /// The API's address.
        pub url: Option<String>,
        /// The page's address.
        pub html_url: Option<String>,
        /// The object's address.
        pub git_url: Option<String>,
        /// The raw file's address.
        pub download_url: Option<String>,
    }

    /// The commit that a change of files made.
    pub struct FileCommit {
        /// The commit.
        pub sha: String,
        /// Its address.
        pub url: String,
        /// The page's address.
        pub html_url: String,
        /// Who wrote it.
        pub author: Option<CommitUser>,
        /// Who committed it.
        pub committer: Option<CommitUser>,
        /// What was said.
        pub message: String,
        /// What it builds on.
        pub parents: Vec<CommitMeta>,
        /// Its tree.
        pub tree: Option<CommitMeta>,
    }

    /// A changed file.
    pub struct FileChange {
        /// What stands there now; nothing after a deletion.
        pub content: Option<Entry>,
        /// The commit.
        pub commit: FileCommit,
        /// Its signature.
        pub verification: Option<Verification>,
    }
}

impl Entry {
    /// The content, decoded; `None` for directories, links and files above the server's limit.
    ///
    /// # Errors
    /// `Decode` when it is no base64.
    pub fn decoded(&self) -> Result<Option<Vec<u8>>> {
        let Some(content) = &self.content else {
            return Ok(None);
        };
        let decoded = STANDARD
            .decode(content.replace(['\n', '\r'], ""))
            .map_err(|error| {
                Error::new(ErrorKind::Decode, "decode file", Delivery::Answered).because(error)
            })?;
        Ok(Some(decoded))
    }
}

/// Name and mail address in a commit. What is left out comes from the user who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

impl Identity {
    /// A person.
    #[must_use]
    pub fn new(name: impl Into<String>, email: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            email: Some(email.into()),
        }
    }
}

/// Dates in a commit. With both persons and both dates given, its id can be foretold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitDates {
    /// When it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Timestamp>,
    /// When it was committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committer: Option<Timestamp>,
}

impl CommitDates {
    /// Both at this time.
    #[must_use]
    pub fn both(time: Timestamp) -> Self {
        Self {
            author: Some(time),
            committer: Some(time),
        }
    }
}

params! {
    /// How a commit by API is made: branch, message, persons.
    pub struct CommitOptions {
        optional {
            /// The branch to write to; the default branch unless told.
            branch: String,
            /// A branch to make from it and to write to; it must not exist.
            new_branch: String,
            /// Start `new_branch` again if it exists; what was on it is lost. Since Gitea 1.26.
            force_push: bool,
            /// What to say.
            message: String,
            /// Who wrote it.
            author: Identity,
            /// Who commits it.
            committer: Identity,
            /// When.
            dates: CommitDates,
            /// Add a line `Signed-off-by`.
            signoff: bool,
        }
    }
}

/// The files of a repository.
#[derive(Debug, Clone)]
pub struct Contents {
    client: Client,
    path: RepoPath,
}

impl Repo {
    /// Its files, one at a time; for several in one commit see [`commit`](Self::commit).
    #[must_use]
    pub fn contents(&self) -> Contents {
        Contents {
            client: self.client.clone(),
            path: self.path.clone(),
        }
    }

    /// All files at a branch, tag or commit, as `zip`, `tar.gz` or `bundle`.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/archive/{archive}`
    ///
    /// # Errors
    /// `NotFound`, `Validation` for another format.
    pub async fn archive(&self, reference: &str, format: &str) -> Result<Bytes> {
        let archive = format!("{reference}.{format}");
        self.client
            .send_bytes(self.request(&ARCHIVE).with("archive", archive))
            .await
    }
}

impl Contents {
    fn request(&self, operation: &Operation, file: &str) -> Request {
        Request::to(operation)
            .with("owner", self.path.owner())
            .with("repo", self.path.name())
            .with("filepath", file)
    }

    fn at(request: Request, reference: Option<&str>) -> Request {
        match reference {
            Some(reference) => request.query("ref", reference),
            None => request,
        }
    }

    /// The root directory, at a branch, tag or full commit id.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/contents`
    pub fn list_root(&self, reference: Option<&str>) -> List<Entry> {
        List::whole(
            &self.client,
            Self::at(self.request(&LIST_ROOT, ""), reference),
        )
    }

    /// A directory.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/contents/{filepath}`
    pub fn list(&self, directory: &str, reference: Option<&str>) -> List<Entry> {
        List::whole(
            &self.client,
            Self::at(self.request(&GET, directory), reference),
        )
    }

    /// A file, at a branch, tag or full commit id.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/contents/{filepath}`
    ///
    /// # Errors
    /// `NotFound`; use [`find`](Self::find) where that is an answer.
    pub async fn get(&self, file: &str, reference: Option<&str>) -> Result<Entry> {
        self.client
            .send(Self::at(self.request(&GET, file), reference))
            .await
    }

    /// A file, if it is there.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/contents/{filepath}`
    ///
    /// # Errors
    /// Any kind but `NotFound`.
    pub async fn find(&self, file: &str, reference: Option<&str>) -> Result<Option<Entry>> {
        match self
            .client
            .find(Self::at(self.request(&GET, file), reference))
            .await
        {
            Err(error) if *error.kind() == ErrorKind::EmptyRepository => Ok(None),
            other => other,
        }
    }

    /// A file's bytes. An unknown reference gives the default branch, and no error.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/raw/{filepath}`
    ///
    /// # Errors
    /// `NotFound`, `EmptyRepository`.
    pub async fn raw(&self, file: &str, reference: Option<&str>) -> Result<Bytes> {
        self.client
            .send_bytes(Self::at(self.request(&RAW, file), reference))
            .await
    }

    /// Makes a file that is not there.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/contents/{filepath}`
    ///
    /// # Errors
    /// `AlreadyExists`, `Protected`, `Locked`, `NotFound` for the branch.
    pub async fn create(
        &self,
        file: &str,
        content: &[u8],
        options: &CommitOptions,
    ) -> Result<FileChange> {
        self.write(&CREATE, file, Some(content), None, options)
            .await
    }

    /// Overwrites a file whose `sha` is known.
    ///
    /// Upstream: `PUT /repos/{owner}/{repo}/contents/{filepath}`
    ///
    /// # Errors
    /// `ShaMismatch` when it was changed meanwhile, `NotFound`, `Protected`, `Locked`.
    pub async fn update(
        &self,
        file: &str,
        content: &[u8],
        sha: &str,
        options: &CommitOptions,
    ) -> Result<FileChange> {
        self.write(&UPDATE, file, Some(content), Some(sha), options)
            .await
    }

    /// Makes or overwrites a file, whatever is there; nothing is written when it is the same.
    ///
    /// # Errors
    /// As [`create`](Self::create) and [`update`](Self::update). `AlreadyExists` and `ShaMismatch`
    /// mean that somebody else wrote it in between: then it is safe to try again.
    pub async fn put(&self, file: &str, content: &[u8], options: &CommitOptions) -> Result<()> {
        self.ensure(file, content, options).await.map(drop)
    }

    /// Makes sure that a file has this content on the branch of the options. The commit is given
    /// where one was made.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = testkit::forge::Forge::start().await?;
    /// # let token = gitea_api::Auth::token(&*server.ready().root_token);
    /// # let client = gitea_api::Client::builder(server.url()).auth(token).build()?;
    /// use gitea_api::Ensured;
    /// use gitea_api::api::repos::CreateRepo;
    /// use gitea_api::api::repos::contents::CommitOptions;
    ///
    /// client.me().create_repo(&CreateRepo::new("r").auto_init(true)).await?;
    /// let files = client.repo("root1", "r").contents();
    /// let options = CommitOptions::new().message("limits");
    /// let made = files.ensure("limits.toml", b"cores = 2\n", &options).await?;
    /// assert!(matches!(made, Ensured::Created(Some(_))));
    /// let same = files.ensure("limits.toml", b"cores = 2\n", &options).await?;
    /// assert!(matches!(same, Ensured::Unchanged(None)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn ensure(
        &self,
        file: &str,
        content: &[u8],
        options: &CommitOptions,
    ) -> Result<Ensured<Option<FileChange>>> {
        let Some(present) = self.find(file, options.branch.as_deref()).await? else {
            let made = self.create(file, content, options).await?;
            return Ok(Ensured::Created(Some(made)));
        };
        if present.size == content.len() as u64 && self.is_same(&present, content, options).await? {
            return Ok(Ensured::Unchanged(None));
        }
        let made = self.update(file, content, &present.sha, options).await?;
        Ok(Ensured::Updated(Some(made)))
    }

    async fn is_same(
        &self,
        present: &Entry,
        content: &[u8],
        options: &CommitOptions,
    ) -> Result<bool> {
        if present.r#type != EntryKind::File {
            return Ok(false);
        }
        match present.decoded()? {
            Some(decoded) => Ok(decoded == content),
            None => Ok(self.raw(&present.path, options.branch.as_deref()).await? == content),
        }
    }

    /// Removes a file whose `sha` is known.
    ///
    /// Upstream: `DELETE /repos/{owner}/{repo}/contents/{filepath}`
    ///
    /// # Errors
    /// `ShaMismatch`, `NotFound`, `Protected`, `Locked`.
    pub async fn delete(
        &self,
        file: &str,
        sha: &str,
        options: &CommitOptions,
    ) -> Result<FileChange> {
        self.write(&DELETE, file, None, Some(sha), options).await
    }

    async fn write(
        &self,
        operation: &Operation,
        file: &str,
        content: Option<&[u8]>,
        sha: Option<&str>,
        options: &CommitOptions,
    ) -> Result<FileChange> {
        #[derive(Serialize)]
        struct Write<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            content: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            sha: Option<&'a str>,
            #[serde(flatten)]
            options: &'a CommitOptions,
        }
        let content = content.map(|content| STANDARD.encode(content));
        let body = Write {
            content,
            sha,
            options,
        };
        self.client
            .send(self.request(operation, file).json(&body))
            .await
    }
}
