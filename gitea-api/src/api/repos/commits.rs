//! Commits, and what lies between two of them.
//!
//! # Quirks
//! - `commit.tree.sha` is the commit's own id, and not that of the tree.
//! - With `since` or `until` the totals count every commit: the list ends at an empty page.
//! - Before 1.26 `since` and `until` are ignored.

use jiff::Timestamp;

use crate::api::repos::Repo;
use crate::api::users::User;
use crate::error::Result;
use crate::page::List;
use crate::request::{Operation, Request, operations};
use crate::wire::{model, params};

operations! {
    LIST = Operation::get("/repos/{owner}/{repo}/commits", "list commits");
    GET = Operation::get("/repos/{owner}/{repo}/git/commits/{sha}", "get commit");
    DIFF = Operation::get("/repos/{owner}/{repo}/git/commits/{sha}.{diffType}", "get commit as text");
    COMPARE = Operation::get("/repos/{owner}/{repo}/compare/{+basehead}", "compare commits");
}

model! {
    /// A commit, tag object or tree by name.
    pub struct CommitMeta {
        /// The object.
        pub sha: String,
        /// Its address.
        pub url: String,
        /// When it was made; often not told.
        pub created: Option<Timestamp>,
    }

    /// A person as git names one.
    pub struct CommitUser {
        /// The name.
        pub name: String,
        /// The mail address.
        pub email: String,
        /// When, by their clock.
        pub date: String,
    }

    /// A signature, as far as the server could check it.
    pub struct Verification {
        /// Whether it holds.
        pub verified: bool,
        /// Why, or why not.
        pub reason: String,
        /// The signature.
        pub signature: String,
        /// What was signed.
        pub payload: String,
    }

    /// What git stores of a commit.
    pub struct RepoCommit {
        /// The address.
        pub url: String,
        /// Who wrote it.
        pub author: Option<CommitUser>,
        /// Who committed it.
        pub committer: Option<CommitUser>,
        /// What was said.
        pub message: String,
        /// The commit's own id again, and not that of the tree.
        pub tree: Option<CommitMeta>,
        /// The signature, where it was asked for.
        pub verification: Option<Verification>,
    }

    /// Lines, counted.
    pub struct CommitStats {
        /// All.
        pub total: u64,
        /// Added.
        pub additions: u64,
        /// Deleted.
        pub deletions: u64,
    }

    /// A file that a commit touched.
    pub struct AffectedFile {
        /// The path.
        pub filename: String,
        /// `added`, `removed` or `modified`.
        pub status: String,
    }

    /// A commit.
    pub struct Commit {
        /// The commit.
        pub sha: String,
        /// The API's address.
        pub url: String,
        /// The page's address.
        pub html_url: String,
        /// When it was committed.
        pub created: Option<Timestamp>,
        /// What git stores.
        pub commit: RepoCommit,
        /// The account that wrote it, if there is one.
        pub author: Option<User>,
        /// The account that committed it, if there is one.
        pub committer: Option<User>,
        /// What it builds on.
        pub parents: Vec<CommitMeta>,
        /// The files it touched, in random order.
        pub files: Vec<AffectedFile>,
        /// The lines it touched.
        pub stats: Option<CommitStats>,
    }

    /// What lies between two commits.
    pub struct Compare {
        /// How many commits.
        pub total_commits: u64,
        /// The commits.
        pub commits: Vec<Commit>,
    }
}

params! {
    /// Which commits to list.
    pub struct ListCommits {
        optional {
            /// The branch, tag or commit to start from; the default branch unless told.
            sha: String,
            /// Only those that touch this path.
            path: String,
            /// Only those from then on.
            since: Timestamp,
            /// Only those until then.
            until: Timestamp,
            /// Without those that can be reached from here.
            not: String,
            /// Whether to count lines; they are counted unless told.
            stat: bool,
            /// Whether to check signatures; they are checked unless told.
            verification: bool,
            /// Whether to name files; they are named unless told.
            files: bool,
        }
    }
}

impl ListCommits {
    fn query(&self) -> Vec<(String, String)> {
        let flag = |value: Option<bool>| value.map(|value| value.to_string());
        let pairs = [
            ("sha", self.sha.clone()),
            ("path", self.path.clone()),
            ("since", self.since.map(|time| time.to_string())),
            ("until", self.until.map(|time| time.to_string())),
            ("not", self.not.clone()),
            ("stat", flag(self.stat)),
            ("verification", flag(self.verification)),
            ("files", flag(self.files)),
        ];
        pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
}

/// How a commit is written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextForm {
    /// The differences.
    Diff,
    /// As a mail.
    Patch,
}

impl Repo {
    /// Its commits, newest first.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/commits`
    pub fn commits(&self, which: &ListCommits) -> List<Commit> {
        List::paged(&self.client, self.request(&LIST).query_all(which.query()))
    }

    /// A commit by branch, tag, full or short id.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/git/commits/{sha}`
    ///
    /// # Errors
    /// `NotFound`, `Validation`.
    pub async fn get_commit(&self, reference: &str) -> Result<Commit> {
        self.client
            .send(self.request(&GET).with("sha", reference))
            .await
    }

    /// A commit as text.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/git/commits/{sha}.{diffType}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn commit_text(&self, sha: &str, form: TextForm) -> Result<String> {
        let form = match form {
            TextForm::Diff => "diff",
            TextForm::Patch => "patch",
        };
        let request: Request = self.request(&DIFF).with("sha", sha).with("diffType", form);
        let bytes = self.client.send_bytes(request).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The commits that `head` has and `base` has not.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/compare/{basehead}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn compare(&self, base: &str, head: &str) -> Result<Compare> {
        self.client
            .send(
                self.request(&COMPARE)
                    .with("basehead", format!("{base}...{head}")),
            )
            .await
    }
}
