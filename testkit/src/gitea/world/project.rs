//! Repositories and what belongs to them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::gitea::access::{Mode, Unit};
use crate::gitea::table::Row;

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Its id; also the name of its folder.
    pub id: i64,
    /// The owner's id.
    pub owner: i64,
    /// Its name as it was given; compared without regard to case.
    pub name: String,
    /// `description`.
    pub description: String,
    /// `website`.
    pub website: String,
    /// Whether only those with a right see it.
    pub private: bool,
    /// Whether it may be copied by "generate".
    pub template: bool,
    /// Whether it takes no changes.
    pub archived: bool,
    /// Seconds since 1970 of archiving; 0 when it is not.
    pub archived_at: i64,
    /// Whether it has no commit yet.
    pub empty: bool,
    /// The branch that is meant when none is named.
    pub default_branch: String,
    /// The repository this one was forked from.
    pub fork_of: Option<i64>,
    /// The repository this one was generated from.
    pub generated_from: Option<i64>,
    /// Where a mirror comes from, and its interval in seconds.
    pub mirror: Option<(String, i64)>,
    /// Where a migrated repository came from.
    pub original_url: String,
    /// The units that are on.
    pub units: BTreeSet<Unit>,
    /// How pull requests are merged.
    pub merge: MergeRules,
    /// `trust_model`.
    pub trust_model: String,
    /// `projects_mode`.
    pub projects_mode: String,
    /// `topics`.
    pub topics: Vec<String>,
    /// Licences found in its files.
    pub licenses: Vec<String>,
    /// Settings that are kept and answered, and mean nothing to us.
    pub extra: BTreeMap<String, serde_json::Value>,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970.
    pub updated: i64,
    /// Its size on disk in KiB.
    pub size: i64,
    /// A transfer that waits for its recipient.
    pub transfer: Option<Transfer>,
    /// The last number given to an issue or pull request.
    pub last_index: i64,
}

impl Repository {
    /// The [`Row::index`] of a repository.
    #[must_use]
    pub fn index_of(owner: i64, name: &str) -> String {
        format!("{owner}/{}", name.to_lowercase())
    }

    /// Whether a unit is on.
    #[must_use]
    pub fn has(&self, unit: Unit) -> bool {
        self.units.contains(&unit)
    }
}

impl Row for Repository {
    const TABLE: &'static str = "repo";
    fn index(&self) -> Option<String> {
        Some(Self::index_of(self.owner, &self.name))
    }
    fn group(&self) -> i64 {
        self.owner
    }
}

/// How pull requests are merged: the members of the same names in answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeRules {
    /// `ignore_whitespace_conflicts`.
    pub ignore_whitespace_conflicts: bool,
    /// `allow_merge_commits`.
    pub allow_merge_commits: bool,
    /// `allow_rebase`.
    pub allow_rebase: bool,
    /// `allow_rebase_explicit`.
    pub allow_rebase_explicit: bool,
    /// `allow_squash_merge`.
    pub allow_squash_merge: bool,
    /// `allow_fast_forward_only_merge`.
    pub allow_fast_forward_only: bool,
    /// `allow_rebase_update`.
    pub allow_rebase_update: bool,
    /// `allow_manual_merge`.
    pub allow_manual_merge: bool,
    /// `autodetect_manual_merge`.
    pub autodetect_manual_merge: bool,
    /// `default_delete_branch_after_merge`.
    pub delete_branch_after_merge: bool,
    /// `default_merge_style`.
    pub default_style: String,
    /// `default_allow_maintainer_edit`.
    pub allow_maintainer_edit: bool,
}

impl Default for MergeRules {
    fn default() -> Self {
        Self {
            ignore_whitespace_conflicts: false,
            allow_merge_commits: true,
            allow_rebase: true,
            allow_rebase_explicit: true,
            allow_squash_merge: true,
            allow_fast_forward_only: true,
            allow_rebase_update: true,
            allow_manual_merge: false,
            autodetect_manual_merge: false,
            delete_branch_after_merge: false,
            default_style: "merge".into(),
            allow_maintainer_edit: true,
        }
    }
}

/// A transfer that waits for its recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Who offered it.
    pub doer: i64,
    /// Who may take it.
    pub recipient: i64,
    /// Teams of the recipient that are to get it.
    pub teams: Vec<i64>,
}

/// An old name of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoRedirect {
    /// The owner it had.
    pub owner: i64,
    /// The old name in lower case.
    pub name: String,
    /// The repository.
    pub repo: i64,
}

impl Row for RepoRedirect {
    const TABLE: &'static str = "repo_redirect";
    fn index(&self) -> Option<String> {
        Some(Repository::index_of(self.owner, &self.name))
    }
    fn group(&self) -> i64 {
        self.repo
    }
}

/// The references of one repository; the row has the repository's id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct References {
    /// Object ids by full name (`refs/heads/main`, `refs/tags/v1`, `refs/pull/1/head`).
    pub ids: BTreeMap<String, String>,
}

impl References {
    /// The commit of a branch.
    #[must_use]
    pub fn branch(&self, name: &str) -> Option<&str> {
        self.ids
            .get(&format!("refs/heads/{name}"))
            .map(String::as_str)
    }

    /// The object of a tag.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.ids
            .get(&format!("refs/tags/{name}"))
            .map(String::as_str)
    }

    /// Names and ids below a prefix such as `refs/heads/`, without the prefix, in order.
    #[must_use]
    pub fn below<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl DoubleEndedIterator<Item = (&'a str, &'a str)> {
        self.ids
            .iter()
            .filter_map(move |(name, id)| name.strip_prefix(prefix).map(|rest| (rest, id.as_str())))
    }
}

impl Row for References {
    const TABLE: &'static str = "references";
}

/// The right of one user in one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collaborator {
    /// The repository.
    pub repo: i64,
    /// The user.
    pub user: i64,
    /// The right.
    pub mode: Mode,
}

impl Row for Collaborator {
    const TABLE: &'static str = "collaborator";
    fn index(&self) -> Option<String> {
        Some(format!("{}/{}", self.repo, self.user))
    }
    fn group(&self) -> i64 {
        self.repo
    }
}

/// A key that opens one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployKey {
    /// Its id.
    pub id: i64,
    /// The repository.
    pub repo: i64,
    /// The id that the same key has in all repositories.
    pub key: i64,
    /// `title`.
    pub title: String,
    /// Kind and key in base64.
    pub content: String,
    /// The comment behind the key, if any.
    pub comment: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// Whether it may not push.
    pub read_only: bool,
    /// Seconds since 1970.
    pub created: i64,
}

impl Row for DeployKey {
    const TABLE: &'static str = "deploy_key";
    fn group(&self) -> i64 {
        self.repo
    }
}

/// One status of one commit; a new one does not replace the old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitStatus {
    /// The row's id, which webhooks show.
    pub id: i64,
    /// Counts from 1 within the commit; what the API shows as `id`.
    pub index: i64,
    /// The repository.
    pub repo: i64,
    /// The commit.
    pub sha: String,
    /// Any text; `success`, `failure`, … have a meaning.
    pub state: String,
    /// `target_url`.
    pub target_url: String,
    /// `description`.
    pub description: String,
    /// What it is about; the newest of a context counts.
    pub context: String,
    /// Who set it; 0 for Actions, whose `creator` is null.
    pub creator: i64,
    /// Seconds since 1970.
    pub created: i64,
}

impl Row for CommitStatus {
    const TABLE: &'static str = "status";
    fn group(&self) -> i64 {
        self.repo
    }
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its id.
    pub id: i64,
    /// The repository.
    pub repo: i64,
    /// Its tag.
    pub tag: String,
    /// `target_commitish`.
    pub target: String,
    /// `name`.
    pub title: String,
    /// `body`.
    pub note: String,
    /// Not published, without tag.
    pub draft: bool,
    /// Not for everybody yet.
    pub prerelease: bool,
    /// Who made it.
    pub author: i64,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970.
    pub published: i64,
}

impl Row for Release {
    const TABLE: &'static str = "release";
    fn index(&self) -> Option<String> {
        Some(format!("{}/{}", self.repo, self.tag.to_lowercase()))
    }
    fn group(&self) -> i64 {
        self.repo
    }
}

/// A file attached to a release; its bytes lie in a file named by `uuid`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Its id.
    pub id: i64,
    /// The repository.
    pub repo: i64,
    /// The release.
    pub release: i64,
    /// `uuid`.
    pub uuid: String,
    /// `name`.
    pub name: String,
    /// `size` in bytes.
    pub size: i64,
    /// How often it was fetched.
    pub downloads: i64,
    /// Seconds since 1970.
    pub created: i64,
}

impl Row for Attachment {
    const TABLE: &'static str = "attachment";
    fn index(&self) -> Option<String> {
        Some(self.uuid.clone())
    }
    fn group(&self) -> i64 {
        self.release
    }
}

/// A rule that says who may touch tags of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagProtection {
    /// Its id.
    pub id: i64,
    /// The repository.
    pub repo: i64,
    /// A glob, or a regular expression between slashes.
    pub pattern: String,
    /// Users who may.
    pub users: Vec<i64>,
    /// Teams who may.
    pub teams: Vec<i64>,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970.
    pub updated: i64,
}

impl Row for TagProtection {
    const TABLE: &'static str = "tag_protection";
    fn group(&self) -> i64 {
        self.repo
    }
}
