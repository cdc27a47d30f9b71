//! The events that webhooks deliver, typed where the project needs them; others keep their JSON.

use serde_json::Value;

use crate::api::actions::jobs::Job;
use crate::api::actions::runs::Run;
use crate::api::actions::workflows::Workflow;
use crate::api::orgs::Organization;
use crate::api::repos::Repository;
use crate::api::repos::branches::PayloadCommit;
use crate::api::repos::releases::Release;
use crate::api::users::User;
use crate::wire::{model, words};

words! {
    /// What a reference is.
    pub enum ReferenceKind {
        /// A branch.
        Branch = "branch",
        /// A tag.
        Tag = "tag",
    }
}

model! {
    /// Commits came to a branch, or a tag was made or removed. A new branch is also a
    /// [`Created`](Event::Created); a removed branch is only a [`Deleted`](Event::Deleted).
    pub struct Push {
        /// The whole reference.
        pub r#ref: String,
        /// Where it stood; zeros when it is new.
        pub before: String,
        /// Where it stands; zeros when it is gone.
        pub after: String,
        /// A page that shows the differences.
        pub compare_url: String,
        /// The commits, newest first, as many as the server names.
        pub commits: Vec<PayloadCommit>,
        /// How many there are.
        pub total_commits: u64,
        /// The newest; nothing when a tag was removed.
        pub head_commit: Option<PayloadCommit>,
        /// Where.
        pub repository: Repository,
        /// Who pushed.
        pub pusher: User,
        /// Who did it.
        pub sender: User,
    }

    /// A branch or tag was made or removed.
    pub struct ReferenceChange {
        /// The short name when it was made; the same when it was removed.
        pub r#ref: String,
        /// What it is.
        pub ref_type: ReferenceKind,
        /// The commit; nothing when it was removed.
        pub sha: String,
        /// Where.
        pub repository: Repository,
        /// Who did it.
        pub sender: User,
    }

    /// A run was requested, begun or completed.
    pub struct WorkflowRunEvent {
        /// `requested`, `in_progress` (not on 1.25) or `completed`. Completion may be told twice.
        pub action: String,
        /// The workflow.
        pub workflow: Option<Workflow>,
        /// The run.
        pub workflow_run: Run,
        /// Whose it is.
        pub organization: Option<Organization>,
        /// Where.
        pub repository: Repository,
        /// Who did it.
        pub sender: User,
    }

    /// A job was queued, begun or completed.
    pub struct WorkflowJobEvent {
        /// `queued`, `waiting`, `in_progress` or `completed`. Completion may be told twice.
        pub action: String,
        /// The job.
        pub workflow_job: Job,
        /// Whose it is.
        pub organization: Option<Organization>,
        /// Where.
        pub repository: Repository,
        /// Who did it.
        pub sender: User,
    }

    /// A release was published, changed or removed.
    pub struct ReleaseEvent {
        /// `published`, `updated` or `deleted`.
        pub action: String,
        /// The release.
        pub release: Release,
        /// Where.
        pub repository: Repository,
        /// Who did it.
        pub sender: User,
    }
}

impl Push {
    /// The branch, when it is one.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.r#ref.strip_prefix("refs/heads/")
    }

    /// The tag, when it is one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.r#ref.strip_prefix("refs/tags/")
    }

    /// Whether the reference is gone.
    #[must_use]
    pub fn is_removal(&self) -> bool {
        !self.after.is_empty() && self.after.bytes().all(|byte| byte == b'0')
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Commits came, or a tag changed.
    Push(Box<Push>),
    /// A branch or tag was made.
    Created(Box<ReferenceChange>),
    /// A branch or tag was removed.
    Deleted(Box<ReferenceChange>),
    /// A run changed.
    WorkflowRun(Box<WorkflowRunEvent>),
    /// A job changed.
    WorkflowJob(Box<WorkflowJobEvent>),
    /// A release changed.
    Release(Box<ReleaseEvent>),
    /// Anything else, by name.
    Other {
        /// The event.
        name: String,
        /// Its payload.
        payload: Value,
    },
}

/// A payload that is not as documented.
#[derive(Debug, thiserror::Error)]
#[error("the payload of `{event}` cannot be read at `{member}`")]
pub struct Unreadable {
    event: String,
    member: String,
    source: serde_json::Error,
}

impl Event {
    /// Reads the payload of an event.
    ///
    /// # Errors
    /// When it is not as documented.
    pub fn read(name: &str, payload: &[u8]) -> Result<Self, Unreadable> {
        match name {
            "push" => parse(name, payload).map(Self::Push),
            "create" => parse(name, payload).map(Self::Created),
            "delete" => parse(name, payload).map(Self::Deleted),
            "workflow_run" => parse(name, payload).map(Self::WorkflowRun),
            "workflow_job" => parse(name, payload).map(Self::WorkflowJob),
            "release" => parse(name, payload).map(Self::Release),
            name => Ok(Self::Other {
                name: name.to_owned(),
                payload: parse(name, payload)?,
            }),
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(name: &str, payload: &[u8]) -> Result<T, Unreadable> {
    let mut reader = serde_json::Deserializer::from_slice(payload);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| Unreadable {
        event: name.to_owned(),
        member: error.path().to_string(),
        source: error.into_inner(),
    })
}
