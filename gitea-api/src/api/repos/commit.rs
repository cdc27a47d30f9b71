//! Several files in one commit.
//!
//! # Quirks
//! - All or nothing: one entry that fails and nothing is written.
//! - `upload` and `rename` are there since 1.25; the builder looks what is there instead, so that
//!   it works before and can tell when nothing would change.
//! - The answer names thirty files at most, and nothing for deleted ones.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::api::repos::Repo;
use crate::api::repos::commits::Verification;
use crate::api::repos::contents::{CommitOptions, Entry, EntryKind, FileCommit};
use crate::ensure::Ensured;
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::request::{Operation, operations};
use crate::server::Capability;
use crate::wire::{model, words};

operations! {
    CHANGE_FILES = Operation::post("/repos/{owner}/{repo}/contents", "commit files");
}

words! {
    /// What is done to a file.
    pub enum FileOperation {
        /// Make it; it must not be there.
        Create = "create",
        /// Overwrite it; it must be there.
        Update = "update",
        /// Make or overwrite it; since 1.25.
        Upload = "upload",
        /// Move it; since 1.25.
        Rename = "rename",
        /// Remove it; it must be there.
        Delete = "delete",
    }
}

model! {
    /// A commit of several files.
    pub struct FilesChange {
        /// What stands at the first thirty paths now; nothing where a file was deleted.
        pub files: Vec<Option<Entry>>,
        /// The commit.
        pub commit: FileCommit,
        /// Its signature.
        pub verification: Option<Verification>,
    }
}

/// One change, as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEdit {
    pub(crate) operation: FileOperation,
    pub(crate) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from_path: Option<String>,
}

/// What was wished for a path.
#[derive(Debug, Clone)]
enum Wish {
    Exactly(FileEdit),
    Put { path: String, content: Vec<u8> },
    Gone { path: String },
}

/// A commit of several files, being put together.
#[derive(Debug, Clone)]
#[must_use = "a commit is made by `send`"]
pub struct CommitBuilder {
    repo: Repo,
    options: CommitOptions,
    wishes: Vec<Wish>,
    head: Option<String>,
}

impl Repo {
    /// Begins a commit of several files.
    pub fn commit(&self, options: &CommitOptions) -> CommitBuilder {
        CommitBuilder {
            repo: self.clone(),
            options: options.clone(),
            wishes: Vec::new(),
            head: None,
        }
    }
}

impl CommitBuilder {
    fn exactly(mut self, operation: FileOperation, path: &str) -> Self {
        let path = path.to_owned();
        let edit = FileEdit {
            operation,
            path,
            content: None,
            sha: None,
            from_path: None,
        };
        self.wishes.push(Wish::Exactly(edit));
        self
    }

    fn holding(mut self, content: &[u8]) -> Self {
        if let Some(Wish::Exactly(edit)) = self.wishes.last_mut() {
            edit.content = Some(STANDARD.encode(content));
        }
        self
    }

    /// Makes a file that is not there.
    pub fn create(self, path: &str, content: &[u8]) -> Self {
        self.exactly(FileOperation::Create, path).holding(content)
    }

    /// Overwrites a file that is there.
    pub fn update(self, path: &str, content: &[u8]) -> Self {
        self.exactly(FileOperation::Update, path).holding(content)
    }

    /// Removes a file that is there.
    pub fn delete(self, path: &str) -> Self {
        self.exactly(FileOperation::Delete, path)
    }

    /// Moves a file; the content stays. Needs Gitea 1.25.
    pub fn rename(mut self, from: &str, to: &str) -> Self {
        self = self.exactly(FileOperation::Rename, to);
        if let Some(Wish::Exactly(edit)) = self.wishes.last_mut() {
            edit.from_path = Some(from.to_owned());
        }
        self
    }

    /// Makes or overwrites a file. What is there is looked up when the commit is sent, and nothing
    /// is written where it is the same.
    pub fn put(mut self, path: &str, content: &[u8]) -> Self {
        self.wishes.push(Wish::Put {
            path: path.to_owned(),
            content: content.to_vec(),
        });
        self
    }

    /// Removes a file where it is there.
    pub fn delete_if_exists(mut self, path: &str) -> Self {
        self.wishes.push(Wish::Gone {
            path: path.to_owned(),
        });
        self
    }

    /// The last change applies only while the file is this object of git.
    pub fn expecting(mut self, sha: &str) -> Self {
        if let Some(Wish::Exactly(edit)) = self.wishes.last_mut() {
            edit.sha = Some(sha.to_owned());
        }
        self
    }

    /// Refuses to write when the branch does not stand at this commit. It is looked up before the
    /// write; each file's object, sent along, guards what comes between.
    pub fn expect_head(mut self, sha: &str) -> Self {
        self.head = Some(sha.to_owned());
        self
    }

    /// Adds changes as they travel.
    pub fn edits(mut self, edits: impl IntoIterator<Item = FileEdit>) -> Self {
        self.wishes.extend(edits.into_iter().map(Wish::Exactly));
        self
    }

    /// Makes the commit. Without a change there is none, and nothing is written.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/contents`
    ///
    /// # Errors
    /// `AlreadyExists`, `NotFound`, `ShaMismatch`, `HeadMoved`, `Protected`, `Locked`,
    /// `Unsupported` for a rename before 1.25.
    pub async fn send(self) -> Result<Ensured<Option<FilesChange>>> {
        self.check_head().await?;
        let mut edits = Vec::new();
        for wish in &self.wishes {
            edits.extend(self.resolve(wish).await?);
        }
        if edits.is_empty() {
            return Ok(Ensured::Unchanged(None));
        }
        let made = self.write(&edits).await?;
        Ok(Ensured::Updated(Some(made)))
    }

    async fn check_head(&self) -> Result<()> {
        let Some(expected) = &self.head else {
            return Ok(());
        };
        let branch = match &self.options.branch {
            Some(branch) => branch.clone(),
            None => self.repo.get().await?.default_branch,
        };
        let stands = self.repo.branches().get(&branch).await?.commit.id;
        if stands == *expected {
            return Ok(());
        }
        Err(
            Error::new(ErrorKind::HeadMoved, CHANGE_FILES.title, Delivery::NotSent).saying(
                format!("branch `{branch}` stands at {stands}, expected was {expected}"),
            ),
        )
    }

    async fn resolve(&self, wish: &Wish) -> Result<Option<FileEdit>> {
        match wish {
            Wish::Exactly(edit) => Ok(Some(edit.clone())),
            Wish::Put { path, content } => {
                let present = self.present(path).await?;
                let same = match &present {
                    Some(entry) if entry.r#type == EntryKind::File => {
                        entry.decoded()?.is_some_and(|decoded| decoded == *content)
                    }
                    _ => false,
                };
                let operation = if present.is_some() {
                    FileOperation::Update
                } else {
                    FileOperation::Create
                };
                let edit = FileEdit {
                    operation,
                    path: path.clone(),
                    content: Some(STANDARD.encode(content)),
                    sha: present.map(|entry| entry.sha),
                    from_path: None,
                };
                Ok((!same).then_some(edit))
            }
            Wish::Gone { path } => Ok(self.present(path).await?.map(|entry| FileEdit {
                operation: FileOperation::Delete,
                path: path.clone(),
                content: None,
                sha: Some(entry.sha),
                from_path: None,
            })),
        }
    }

    async fn present(&self, path: &str) -> Result<Option<Entry>> {
        self.repo
            .contents()
            .find(path, self.options.branch.as_deref())
            .await
    }

    async fn write(&self, edits: &[FileEdit]) -> Result<FilesChange> {
        #[derive(Serialize)]
        struct Change<'a> {
            files: &'a [FileEdit],
            #[serde(flatten)]
            options: &'a CommitOptions,
        }
        let body = Change {
            files: edits,
            options: &self.options,
        };
        let mut request = self.repo.request(&CHANGE_FILES).json(&body);
        let newer = [FileOperation::Upload, FileOperation::Rename];
        if edits.iter().any(|edit| newer.contains(&edit.operation)) {
            request = request.needs(Capability::UploadAndRename);
        }
        if self.options.force_push == Some(true) {
            request = request.needs(Capability::ForceNewBranch);
        }
        self.repo.client.send(request).await
    }
}
