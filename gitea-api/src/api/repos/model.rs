//! What a repository is, and what can be wished of one.

use jiff::Timestamp;

use crate::api::users::User;
use crate::auth::Secret;
use crate::ids::RepoId;
use crate::wire::{Patch, model, params, words};

words! {
    /// Whose signatures count.
    pub enum TrustModel {
        /// As the server is set up.
        Default = "default",
        /// Those of collaborators.
        Collaborator = "collaborator",
        /// Those of the committer.
        Committer = "committer",
        /// Both.
        CollaboratorCommitter = "collaboratorcommitter",
    }
}

model! {
    /// What who asks may do in a repository.
    pub struct Permission {
        /// Administer.
        pub admin: bool,
        /// Write.
        pub push: bool,
        /// Read.
        pub pull: bool,
    }

    /// A repository.
    pub struct Repository {
        /// The number; it survives renames.
        pub id: RepoId,
        /// Whose it is.
        pub owner: User,
        /// The name below the owner.
        pub name: String,
        /// `owner/name`.
        pub full_name: String,
        /// About it.
        pub description: String,
        /// Whether it has no commit; stays true for up to a second after the first push.
        pub empty: bool,
        /// Whether only those given access see it.
        pub private: bool,
        /// Whether it belongs to a limited owner.
        pub internal: bool,
        /// Whether it is a fork.
        pub fork: bool,
        /// Whether others may generate from it.
        pub template: bool,
        /// What it was forked from.
        pub parent: Option<Box<Repository>>,
        /// Whether it follows another one.
        pub mirror: bool,
        /// How often a mirror fetches, for instance `8h0m0s`.
        pub mirror_interval: String,
        /// When a mirror last fetched.
        pub mirror_updated: Option<Timestamp>,
        /// The size in KiB.
        pub size: u64,
        /// The main language.
        pub language: String,
        /// The page's address.
        pub html_url: String,
        /// The API's address.
        pub url: String,
        /// The address for git over SSH.
        pub ssh_url: String,
        /// The address for git over HTTP.
        pub clone_url: String,
        /// Where it was migrated from.
        pub original_url: String,
        /// A website.
        pub website: String,
        /// How many starred it.
        pub stars_count: u64,
        /// How many forks it has.
        pub forks_count: u64,
        /// How many watch it.
        pub watchers_count: u64,
        /// Open issues.
        pub open_issues_count: u64,
        /// Open pull requests.
        pub open_pr_counter: u64,
        /// Releases.
        pub release_counter: u64,
        /// Branches; since 1.26.
        pub branch_count: u64,
        /// The branch that counts.
        pub default_branch: String,
        /// Whether it takes no changes.
        pub archived: bool,
        /// Since when it takes no changes.
        pub archived_at: Option<Timestamp>,
        /// When it was made.
        pub created_at: Option<Timestamp>,
        /// When it last changed.
        pub updated_at: Option<Timestamp>,
        /// What who asks may do.
        pub permissions: Option<Permission>,
        /// Whether it has code; since 1.26.
        pub has_code: bool,
        /// Whether it has issues.
        pub has_issues: bool,
        /// Whether it has a wiki.
        pub has_wiki: bool,
        /// Whether it has pull requests.
        pub has_pull_requests: bool,
        /// Whether it has projects.
        pub has_projects: bool,
        /// Which projects: `repo`, `owner` or `all`.
        pub projects_mode: String,
        /// Whether it has releases.
        pub has_releases: bool,
        /// Whether it has packages.
        pub has_packages: bool,
        /// Whether it runs workflows.
        pub has_actions: bool,
        /// Whether whitespace is ignored when conflicts are looked for.
        pub ignore_whitespace_conflicts: bool,
        /// Whether merge commits are allowed.
        pub allow_merge_commits: bool,
        /// Whether rebasing is allowed.
        pub allow_rebase: bool,
        /// Whether rebasing with a merge commit is allowed.
        pub allow_rebase_explicit: bool,
        /// Whether squashing is allowed.
        pub allow_squash_merge: bool,
        /// Whether only fast-forward is allowed as a style.
        pub allow_fast_forward_only_merge: bool,
        /// Whether a pull request may be updated by rebasing.
        pub allow_rebase_update: bool,
        /// Whether a merge by hand may be told; since 1.26.
        pub allow_manual_merge: bool,
        /// Whether a merge by hand is noticed; since 1.26.
        pub autodetect_manual_merge: bool,
        /// Whether a branch goes with its merged pull request.
        pub default_delete_branch_after_merge: bool,
        /// The style of merging unless told.
        pub default_merge_style: String,
        /// Whether maintainers may edit a pull request's branch unless told.
        pub default_allow_maintainer_edit: bool,
        /// `sha1` or `sha256`.
        pub object_format_name: String,
        /// Its topics.
        pub topics: Vec<String>,
        /// Its licences.
        pub licenses: Vec<String>,
    }
}

params! {
    /// A repository to make.
    pub struct CreateRepo {
        required {
            /// The name below the owner.
            name: String,
        }
        optional {
            /// About it.
            description: String,
            /// Whether only those given access see it.
            private: bool,
            /// Whether to begin with a commit that adds a README. Then write the first file as
            /// into any repository; without it the first write makes the branch. Never both.
            auto_init: bool,
            /// The branch that counts.
            default_branch: String,
            /// Templates of ignored files, separated by commas.
            gitignores: String,
            /// A licence template.
            license: String,
            /// A README template.
            readme: String,
            /// A set of labels.
            issue_labels: String,
            /// Whose signatures count.
            trust_model: TrustModel,
            /// `sha1` or `sha256`.
            object_format_name: String,
            /// Whether others may generate from it.
            template: bool,
        }
    }
}

params! {
    /// Changes of a repository.
    pub struct EditRepo {
        optional {
            /// A new name. The old one goes on as a redirect until it is taken.
            name: String,
            /// Whether only those given access see it.
            private: bool,
            /// Whether others may generate from it.
            template: bool,
            /// Whether it takes no changes.
            archived: bool,
            /// The branch that counts. One that does not exist is ignored without a word.
            default_branch: String,
            /// Whether it has code.
            has_code: bool,
            /// Whether it has issues.
            has_issues: bool,
            /// Whether it has a wiki.
            has_wiki: bool,
            /// Whether it has pull requests.
            has_pull_requests: bool,
            /// Whether it has projects.
            has_projects: bool,
            /// Which projects: `repo`, `owner` or `all`.
            projects_mode: String,
            /// Whether it has releases.
            has_releases: bool,
            /// Whether it has packages.
            has_packages: bool,
            /// Whether it runs workflows. Forks and generated repositories do not unless told.
            has_actions: bool,
            /// Whether whitespace is ignored when conflicts are looked for.
            ignore_whitespace_conflicts: bool,
            /// Whether merge commits are allowed.
            allow_merge_commits: bool,
            /// Whether rebasing is allowed.
            allow_rebase: bool,
            /// Whether rebasing with a merge commit is allowed.
            allow_rebase_explicit: bool,
            /// Whether squashing is allowed.
            allow_squash_merge: bool,
            /// Whether fast-forward is allowed as a style.
            allow_fast_forward_only_merge: bool,
            /// Whether a merge by hand may be told.
            allow_manual_merge: bool,
            /// Whether a merge by hand is noticed.
            autodetect_manual_merge: bool,
            /// Whether a pull request may be updated by rebasing.
            allow_rebase_update: bool,
            /// Whether a branch goes with its merged pull request.
            default_delete_branch_after_merge: bool,
            /// The style of merging unless told.
            default_merge_style: String,
            /// Whether maintainers may edit a pull request's branch unless told.
            default_allow_maintainer_edit: bool,
            /// How often a mirror fetches, for instance `8h0m0s`; `0` stops it.
            mirror_interval: String,
            /// Whether a mirror drops branches that are gone.
            enable_prune: bool,
        }
        patch {
            /// About it.
            description: String,
            /// A website.
            website: String,
        }
    }
}

params! {
    /// A fork to make.
    pub struct Fork {
        optional {
            /// The organisation to fork into; the user who asks unless told.
            organization: String,
            /// Another name.
            name: String,
        }
    }
}

params! {
    /// A repository to make from a template. At least one thing to copy must be chosen.
    pub struct Generate {
        required {
            /// Whose it will be.
            owner: String,
            /// The name below the owner.
            name: String,
        }
        optional {
            /// About it.
            description: String,
            /// Whether only those given access see it.
            private: bool,
            /// The branch that counts.
            default_branch: String,
            /// Copy the files of the default branch.
            git_content: bool,
            /// Copy the topics.
            topics: bool,
            /// Copy the hooks of git.
            git_hooks: bool,
            /// Copy the webhooks.
            webhooks: bool,
            /// Copy the picture.
            avatar: bool,
            /// Copy the labels.
            labels: bool,
            /// Copy the protection of branches.
            protected_branch: bool,
        }
    }
}

params! {
    /// A repository to copy from elsewhere.
    pub struct Migrate {
        required {
            /// Where it is.
            clone_addr: String,
            /// The name below its new owner.
            repo_name: String,
        }
        optional {
            /// Whose it will be; the user who asks unless told.
            repo_owner: String,
            /// What is there: `git`, `github`, `gitea`, `gitlab`, `gogs`, …
            service: String,
            /// A user name there.
            auth_username: String,
            /// A password there.
            auth_password: Secret,
            /// A token there.
            auth_token: Secret,
            /// Whether to go on following the source.
            mirror: bool,
            /// How often to follow it, for instance `8h0m0s`.
            mirror_interval: String,
            /// Whether only those given access see it.
            private: bool,
            /// About it.
            description: String,
            /// Copy the wiki.
            wiki: bool,
            /// Copy the milestones.
            milestones: bool,
            /// Copy the labels.
            labels: bool,
            /// Copy the issues.
            issues: bool,
            /// Copy the pull requests.
            pull_requests: bool,
            /// Copy the releases.
            releases: bool,
            /// Copy the objects of LFS.
            lfs: bool,
            /// Where they are.
            lfs_endpoint: String,
        }
    }
}

params! {
    /// What to search repositories by.
    pub struct SearchRepos {
        optional {
            /// Part of the name.
            q: String,
            /// Whether `q` is a topic.
            topic: bool,
            /// Whether `q` is looked for in descriptions too.
            include_desc: bool,
            /// Repositories that this user's number owns or works on.
            uid: i64,
            /// `fork`, `source`, `mirror` or `collaborative`.
            mode: String,
            /// Only private or only public ones.
            is_private: bool,
            /// Only archived or only other ones.
            archived: bool,
            /// Only templates or only others.
            template: bool,
            /// `alpha`, `created`, `updated`, `size`, `stars`, `forks` or `id`.
            sort: String,
            /// `asc` or `desc`.
            order: String,
        }
    }
}

impl SearchRepos {
    pub(crate) fn query(&self) -> Vec<(String, String)> {
        let text = |value: &Option<String>| value.clone();
        let flag = |value: Option<bool>| value.map(|value| value.to_string());
        let pairs = [
            ("q", text(&self.q)),
            ("topic", flag(self.topic)),
            ("includeDesc", flag(self.include_desc)),
            ("uid", self.uid.map(|uid| uid.to_string())),
            ("mode", text(&self.mode)),
            ("is_private", flag(self.is_private)),
            ("archived", flag(self.archived)),
            ("template", flag(self.template)),
            ("sort", text(&self.sort)),
            ("order", text(&self.order)),
        ];
        pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
}

impl CreateRepo {
    /// The part of the wish that can be changed later.
    pub(crate) fn edit(&self) -> EditRepo {
        EditRepo {
            private: self.private,
            template: self.template,
            default_branch: self.default_branch.clone(),
            description: self.description.clone().map_or(Patch::Keep, Patch::Set),
            ..EditRepo::new()
        }
    }
}

impl EditRepo {
    /// Whether it changes how pull requests are merged.
    pub(crate) fn names_merging(&self) -> bool {
        let flags = [
            self.allow_merge_commits,
            self.allow_rebase,
            self.allow_rebase_explicit,
            self.allow_squash_merge,
            self.allow_fast_forward_only_merge,
            self.allow_manual_merge,
            self.autodetect_manual_merge,
            self.allow_rebase_update,
            self.default_delete_branch_after_merge,
            self.default_allow_maintainer_edit,
            self.ignore_whitespace_conflicts,
        ];
        flags.iter().any(Option::is_some) || self.default_merge_style.is_some()
    }
}
