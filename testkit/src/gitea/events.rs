//! What happened in the world, for those who act upon it: Actions and webhooks.
//!
//! A handler that changes something pushes an [`Event`] to [`Effects`]. When it is done, and still
//! within the same change of the world (so that it is stored together, or not at all), each event is
//! handed to `super::actions::on_event` and `super::hooks::on_event` in the order it was pushed.
//! Those may push further events. IO (deliveries) happens later, by whoever watches
//! [`super::Gitea::changes`].

use serde::{Deserialize, Serialize};

use super::access::Mode;

/// What a handler wants to happen besides its own change.
#[derive(Debug, Default)]
pub struct Effects {
    /// Told to Actions and webhooks once the handler is done, in this order.
    pub events: Vec<Event>,
    /// Bare repositories whose folders go once the change is stored.
    pub remove_folders: Vec<i64>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A branch or tag was created, moved or deleted, by git or by the API.
    Push(PushEvent),
    /// A repository was created, renamed, deleted, ….
    Repository(RepositoryEvent),
    /// A repository was forked.
    Fork {
        /// The original.
        from: i64,
        /// The new repository.
        to: i64,
        /// Who did it.
        doer: i64,
    },
    /// A commit got a status.
    Status {
        /// The repository.
        repo: i64,
        /// The id of the row in [`super::World::statuses`].
        status: i64,
        /// Who set it; [`super::access::ACTIONS_USER`] for Actions.
        doer: i64,
    },
    /// A release was published, updated or deleted.
    Release {
        /// `published`, `updated` or `deleted`.
        action: &'static str,
        /// The repository.
        repo: i64,
        /// The release as it is (was) answered by the API.
        release: serde_json::Value,
        /// Who did it.
        doer: i64,
    },
    /// Something about a pull request or an issue.
    Issue {
        /// The event type as in a hook's `events`: `pull_request`, `pull_request_sync`, `issue_comment`, ….
        kind: &'static str,
        /// The word `action` in the payload: `opened`, `closed`, `synchronized`, ….
        action: &'static str,
        /// The repository.
        repo: i64,
        /// The number within the repository.
        index: i64,
        /// Members of the payload beside `action`, `number`, `repository` and `sender`.
        payload: serde_json::Value,
        /// Who did it.
        doer: i64,
    },
}

/// A reference of a repository moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushEvent {
    /// The repository's id.
    pub repo: i64,
    /// The full name: `refs/heads/main`, `refs/tags/v1`.
    pub reference: String,
    /// The commit (or tag object) before; 40 zeros when it was created.
    pub before: String,
    /// The commit (or tag object) after; 40 zeros when it was deleted.
    pub after: String,
    /// The account that pushed; [`super::access::ACTIONS_USER`] for a job's token.
    pub pusher: i64,
    /// The new commits, newest first, at most [`PushEvent::COMMITS_MAX`]; empty for tags and deletions.
    pub commits: Vec<String>,
    /// How many new commits there are.
    pub total_commits: usize,
    /// How it came about.
    pub by: PushedBy,
}

impl PushEvent {
    /// How many commits an event lists.
    pub const COMMITS_MAX: usize = 30;

    /// Whether the reference is new.
    #[must_use]
    pub fn is_creation(&self) -> bool {
        is_zero(&self.before)
    }

    /// Whether the reference is gone.
    #[must_use]
    pub fn is_deletion(&self) -> bool {
        is_zero(&self.after)
    }

    /// The branch's short name, if it is a branch.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.reference.strip_prefix("refs/heads/")
    }

    /// The tag's short name, if it is a tag.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.reference.strip_prefix("refs/tags/")
    }
}

/// Whether an object id is the one that stands for "none".
#[must_use]
pub fn is_zero(id: &str) -> bool {
    id.bytes().all(|byte| byte == b'0')
}

/// The object id that stands for "none".
pub const ZERO_ID: &str = "0000000000000000000000000000000000000000";

/// Who moved the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PushedBy {
    /// `git push`.
    Git,
    /// The API committed, created or deleted.
    Api,
    /// Found moved when the forge started: it was killed between the move and its record.
    Recovery,
}

/// Something happened to a repository as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct RepositoryEvent {
    /// `created` or `deleted`.
    pub action: &'static str,
    /// The repository's id; after `deleted` its row is gone.
    pub repo: i64,
    /// The repository as the API answers it to its owner.
    pub body: serde_json::Value,
    /// The owner's id.
    pub owner: i64,
    /// Who did it.
    pub doer: i64,
    /// The doer's right to it.
    pub mode: Mode,
}
