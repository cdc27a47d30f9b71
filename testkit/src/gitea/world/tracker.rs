//! Issues, pull requests and what belongs to them.

use serde::{Deserialize, Serialize};

use crate::gitea::table::Row;

/// An issue or a pull request; both are numbered together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Issue {
    /// Its id.
    pub id: i64,
    /// The repository.
    pub repo: i64,
    /// Its number within the repository.
    pub index: i64,
    /// Who opened it.
    pub poster: i64,
    /// `title`.
    pub title: String,
    /// `body`.
    pub body: String,
    /// `ref`.
    pub reference: String,
    /// Seconds since 1970; 0 when it is open.
    pub closed: i64,
    /// Seconds since 1970; 0 when it is never due.
    pub due: i64,
    /// `content_version`: counts changes of the body.
    pub version: i64,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970.
    pub updated: i64,
    /// Its labels.
    #[serde(default)]
    pub labels: Vec<i64>,
    /// Its milestone; 0 when it has none.
    #[serde(default)]
    pub milestone: i64,
    /// Who shall do it.
    #[serde(default)]
    pub assignees: Vec<i64>,
    /// Whether only writers may comment.
    #[serde(default)]
    pub locked: bool,
    /// Its place among the pinned ones; 0 when it is not.
    #[serde(default)]
    pub pin: i64,
    /// Reactions to its first text.
    #[serde(default)]
    pub reactions: Vec<Reaction>,
    /// What makes it a pull request.
    #[serde(default)]
    pub pull: Option<Pull>,
}

impl Row for Issue {
    const TABLE: &'static str = "issue";
    fn index(&self) -> Option<String> {
        Some(format!("{}/{}", self.repo, self.index))
    }
    fn group(&self) -> i64 {
        self.repo
    }
}

/// What a pull request has beside an issue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pull {
    /// Its own id, which counts apart from those of issues.
    pub id: i64,
    /// The repository of the head; gone when no such repository is left.
    pub head_repo: i64,
    /// The branch that is to be merged.
    pub head: String,
    /// The branch it is to be merged into.
    pub base: String,
    /// The newest commit of the head, as `refs/pull/N/head` keeps it.
    pub head_sha: String,
    /// The newest commit of the base; since the merge, the one before it.
    pub base_sha: String,
    /// The last commit that both have.
    pub merge_base: String,
    /// Whether those who may write the base may push to the head.
    pub maintainer_edit: bool,
    /// Whether it can be merged without a conflict.
    pub mergeable: bool,
    /// Files changed, lines added, lines deleted.
    pub changes: (usize, usize, usize),
    /// How it was merged.
    pub merged: Option<Merged>,
    /// A merge that waits for checks.
    pub scheduled: Option<ScheduledMerge>,
    /// Made by a push to `refs/for/…`: the head is no branch.
    pub flow: bool,
}

/// A merge that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// Seconds since 1970.
    pub at: i64,
    /// Who merged.
    pub by: i64,
    /// The commit that the base then had.
    pub commit: String,
}

/// A merge that waits until the required checks have succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledMerge {
    /// Who wants it.
    pub by: i64,
    /// `Do`.
    pub style: String,
    /// First line of the message; empty for the usual one.
    pub title: String,
    /// The rest of the message.
    pub message: String,
    /// Whether the head goes afterwards.
    pub delete_branch: bool,
}

/// What was said or done on an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Its id.
    pub id: i64,
    /// The repository.
    pub repo: i64,
    /// The issue.
    pub issue: i64,
    /// Who did it.
    pub poster: i64,
    /// What it is.
    pub kind: CommentKind,
    /// Its text.
    pub body: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970.
    pub updated: i64,
    /// Reactions to it.
    #[serde(default)]
    pub reactions: Vec<Reaction>,
    /// The review it belongs to; 0 for none.
    #[serde(default)]
    pub review: i64,
    /// The file and the line (from 1; negative in the old file) it is about.
    #[serde(default)]
    pub place: Option<(String, i64)>,
    /// The commit it was written to.
    #[serde(default)]
    pub commit: String,
    /// Who marked it as resolved; 0 for nobody.
    #[serde(default)]
    pub resolver: i64,
}

impl Row for Comment {
    const TABLE: &'static str = "comment";
    fn group(&self) -> i64 {
        self.issue
    }
}

/// The kinds of comments, as the timeline names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommentKind {
    /// Somebody said something.
    Comment,
    /// It was closed.
    Close,
    /// It was opened again.
    Reopen,
    /// Labels came or went.
    Label,
    /// Its milestone changed.
    Milestone,
    /// Its assignees changed.
    Assignees,
    /// Its title changed.
    ChangeTitle,
    /// It was locked.
    Lock,
    /// It was unlocked.
    Unlock,
    /// Commits came to a pull request.
    PullPush,
    /// A pull request was merged.
    MergePull,
    /// The head of a pull request was deleted.
    DeleteBranch,
    /// A merge waits for checks.
    PullScheduledMerge,
    /// It waits no longer.
    PullCancelScheduledMerge,
    /// A review was submitted.
    Review,
    /// A line of a file was commented on.
    Code,
    /// A review was asked for, or no longer.
    ReviewRequest,
    /// A review was dismissed.
    DismissReview,
    /// The target of a pull request changed.
    ChangeTargetBranch,
}

impl CommentKind {
    /// The word in `type` of the timeline.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Comment => "comment",
            Self::Close => "close",
            Self::Reopen => "reopen",
            Self::Label => "label",
            Self::Milestone => "milestone",
            Self::Assignees => "assignees",
            Self::ChangeTitle => "change_title",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::PullPush => "pull_push",
            Self::MergePull => "merge_pull",
            Self::DeleteBranch => "delete_branch",
            Self::PullScheduledMerge => "pull_scheduled_merge",
            Self::PullCancelScheduledMerge => "pull_cancel_scheduled_merge",
            Self::Review => "review",
            Self::Code => "code",
            Self::ReviewRequest => "review_request",
            Self::DismissReview => "dismiss_review",
            Self::ChangeTargetBranch => "change_target_branch",
        }
    }
}

/// A small picture that somebody left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// Who.
    pub user: i64,
    /// `+1`, `heart`, ….
    pub content: String,
    /// Seconds since 1970.
    pub created: i64,
}

/// A review of a pull request, or the wish for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Its id.
    pub id: i64,
    /// The issue.
    pub issue: i64,
    /// Whose it is; 0 when a team was asked.
    pub user: i64,
    /// The team that was asked; 0 for none.
    #[serde(default)]
    pub team: i64,
    /// What it says.
    pub state: ReviewState,
    /// Its text.
    pub body: String,
    /// The commit that was looked at.
    pub commit: String,
    /// Whether it counts for protection rules.
    pub official: bool,
    /// Whether the head has moved since.
    pub stale: bool,
    /// Whether somebody declared it void.
    pub dismissed: bool,
    /// Seconds since 1970.
    pub submitted: i64,
    /// Seconds since 1970.
    pub updated: i64,
}

impl Row for Review {
    const TABLE: &'static str = "review";
    fn group(&self) -> i64 {
        self.issue
    }
}

/// What a review says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReviewState {
    /// Not submitted yet; others do not see it.
    Pending,
    /// Yes.
    Approved,
    /// No.
    RequestChanges,
    /// Neither.
    Comment,
    /// Somebody was asked.
    RequestReview,
}

impl ReviewState {
    /// The word in `state`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Approved => "APPROVED",
            Self::RequestChanges => "REQUEST_CHANGES",
            Self::Comment => "COMMENT",
            Self::RequestReview => "REQUEST_REVIEW",
        }
    }

    /// The state of a word in `event`; whatever is unknown stays pending.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "APPROVED" => Self::Approved,
            "REQUEST_CHANGES" => Self::RequestChanges,
            "COMMENT" => Self::Comment,
            _ => Self::Pending,
        }
    }
}

/// A label of a repository or of an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Its id.
    pub id: i64,
    /// The repository; 0 for one of an organisation.
    pub repo: i64,
    /// The organisation; 0 for one of a repository.
    pub org: i64,
    /// `name`; `scope/name` for an exclusive one.
    pub name: String,
    /// Six hexadecimal digits in lower case.
    pub color: String,
    /// `description`.
    pub description: String,
    /// Whether an issue has at most one of the scope.
    pub exclusive: bool,
    /// Whether it is not offered any more.
    pub archived: bool,
}

impl Row for Label {
    const TABLE: &'static str = "label";
    fn group(&self) -> i64 {
        // Those of organisations have a group below zero, so that ids of both kinds never meet.
        if self.repo == 0 { -self.org } else { self.repo }
    }
}

/// A milestone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestone {
    /// Its id.
    pub id: i64,
    /// The repository.
    pub repo: i64,
    /// `title`.
    pub title: String,
    /// `description`.
    pub description: String,
    /// Seconds since 1970; 0 when there is no date.
    pub due: i64,
    /// Seconds since 1970; 0 when it is open.
    pub closed: i64,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970.
    pub updated: i64,
}

impl Row for Milestone {
    const TABLE: &'static str = "milestone";
    fn group(&self) -> i64 {
        self.repo
    }
}

/// A rule that says what may be done with branches of a name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BranchProtection {
    /// Its id.
    pub id: i64,
    /// The repository.
    pub repo: i64,
    /// A branch, or a glob for several.
    pub rule: String,
    /// Which one counts where several fit: the smallest.
    pub priority: i64,
    /// The flags that are set, by their names in the API.
    pub flags: std::collections::BTreeSet<String>,
    /// Users on lists, by the list's name without `_usernames`.
    pub users: std::collections::BTreeMap<String, Vec<i64>>,
    /// Teams on lists, by the list's name without `_teams`.
    pub teams: std::collections::BTreeMap<String, Vec<i64>>,
    /// `required_approvals`.
    pub required_approvals: i64,
    /// `status_check_contexts`.
    pub contexts: Vec<String>,
    /// `protected_file_patterns`.
    pub protected_files: String,
    /// `unprotected_file_patterns`.
    pub unprotected_files: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970.
    pub updated: i64,
}

impl BranchProtection {
    /// Whether a flag is set.
    #[must_use]
    pub fn has(&self, flag: &str) -> bool {
        self.flags.contains(flag)
    }
}

impl Row for BranchProtection {
    const TABLE: &'static str = "branch_protection";
    fn group(&self) -> i64 {
        self.repo
    }
}
