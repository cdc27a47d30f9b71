//! Everything a Gitea knows, apart from what lies in its git repositories.

use super::actions::ActionsState;
use super::clock::Clock;
use super::hooks::HooksState;
use super::random::Random;
use super::settings::Settings;
use super::table::{AnyTable, RowChange, Table};

mod account;
mod project;
mod tracker;

pub use account::{
    Application, EmailAddress, Owner, OwnerKind, PublicKey, Redirect, Team, Token, Visibility,
};
pub use project::{
    Attachment, Collaborator, CommitStatus, DeployKey, MergeRules, References, Release,
    RepoRedirect, Repository, TagProtection, Transfer,
};
pub use tracker::{
    BranchProtection, Comment, CommentKind, Issue, Label, Merged, Milestone, Pull, Reaction,
    Review, ReviewState, ScheduledMerge,
};

/// The state of one Gitea. A clone is a fork: both go on by themselves.
#[derive(Debug, Clone)]
pub struct World {
    /// What an administrator would write into `app.ini`.
    pub settings: Settings,
    /// What time it is.
    pub clock: Clock,
    /// Where tokens come from.
    pub random: Random,
    /// Users and organisations; they share names and ids.
    pub owners: Table<Owner>,
    /// Mail addresses of users, primary ones too.
    pub emails: Table<EmailAddress>,
    /// Old names of users and organisations.
    pub redirects: Table<Redirect>,
    /// Access tokens.
    pub tokens: Table<Token>,
    /// Programs that sign people in.
    pub applications: Table<Application>,
    /// SSH keys of users.
    pub keys: Table<PublicKey>,
    /// Teams of organisations.
    pub teams: Table<Team>,
    /// Repositories.
    pub repos: Table<Repository>,
    /// Old names of repositories.
    pub repo_redirects: Table<RepoRedirect>,
    /// Branches and tags of each repository, by its id; equal to the files of git.
    pub references: Table<References>,
    /// Rights of single users in single repositories.
    pub collaborators: Table<Collaborator>,
    /// Keys that open one repository.
    pub deploy_keys: Table<DeployKey>,
    /// Statuses of commits.
    pub statuses: Table<CommitStatus>,
    /// Releases, drafts too.
    pub releases: Table<Release>,
    /// Files attached to releases.
    pub attachments: Table<Attachment>,
    /// Rules that protect tags.
    pub tag_protections: Table<TagProtection>,
    /// Rules that protect branches.
    pub branch_protections: Table<BranchProtection>,
    /// Issues and pull requests.
    pub issues: Table<Issue>,
    /// What was said and done on them.
    pub comments: Table<Comment>,
    /// Reviews of pull requests, and what was asked for.
    pub reviews: Table<Review>,
    /// Labels of repositories and organisations.
    pub labels: Table<Label>,
    /// Milestones.
    pub milestones: Table<Milestone>,
    /// Workflows, runs, jobs, runners, secrets, variables.
    pub actions: ActionsState,
    /// Webhooks and their deliveries.
    pub hooks: HooksState,
}

impl World {
    /// An empty Gitea.
    #[must_use]
    pub fn new(settings: Settings, clock: Clock, random: Random) -> Self {
        Self {
            settings,
            clock,
            random,
            owners: Table::default(),
            emails: Table::default(),
            redirects: Table::default(),
            tokens: Table::default(),
            applications: Table::default(),
            keys: Table::default(),
            teams: Table::default(),
            repos: Table::default(),
            repo_redirects: Table::default(),
            references: Table::default(),
            collaborators: Table::default(),
            deploy_keys: Table::default(),
            statuses: Table::default(),
            releases: Table::default(),
            attachments: Table::default(),
            tag_protections: Table::default(),
            branch_protections: Table::default(),
            issues: Table::default(),
            comments: Table::default(),
            reviews: Table::default(),
            labels: Table::default(),
            milestones: Table::default(),
            actions: ActionsState::default(),
            hooks: HooksState::default(),
        }
    }

    /// Every table there is: what is not named here is lost at the next start.
    pub fn tables(&mut self) -> Vec<&mut dyn AnyTable> {
        let mut tables: Vec<&mut dyn AnyTable> = vec![
            &mut self.owners,
            &mut self.emails,
            &mut self.redirects,
            &mut self.tokens,
            &mut self.applications,
            &mut self.keys,
            &mut self.teams,
            &mut self.repos,
            &mut self.repo_redirects,
            &mut self.references,
            &mut self.collaborators,
            &mut self.deploy_keys,
            &mut self.statuses,
            &mut self.releases,
            &mut self.attachments,
            &mut self.tag_protections,
            &mut self.branch_protections,
            &mut self.issues,
            &mut self.comments,
            &mut self.reviews,
            &mut self.labels,
            &mut self.milestones,
        ];
        tables.extend(self.actions.tables());
        tables.extend(self.hooks.tables());
        tables
    }

    /// What changed since the last call.
    pub fn drain(&mut self) -> Vec<RowChange> {
        self.tables()
            .into_iter()
            .flat_map(|table| table.drain())
            .collect()
    }

    /// Everything, in the form in which it is stored.
    pub fn dump(&mut self) -> Vec<RowChange> {
        self.tables()
            .into_iter()
            .flat_map(|table| table.dump())
            .collect()
    }

    /// Takes in one stored row; rows of tables that are not known are passed over.
    ///
    /// # Errors
    /// When the row cannot be read.
    pub fn load(&mut self, table: &str, key: i64, value: &[u8]) -> Result<(), serde_json::Error> {
        match self.tables().into_iter().find(|have| have.name() == table) {
            Some(have) => have.load(key, value),
            None => Ok(()),
        }
    }

    /// Now, in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.clock.seconds()
    }

    /// The user or organisation of a name, in any case.
    #[must_use]
    pub fn owner(&self, name: &str) -> Option<(i64, &Owner)> {
        let id = self.owners.find_id(&name.to_lowercase())?;
        self.owners.get(id).map(|owner| (id, owner))
    }

    /// The repository of an owner and a name, in any case.
    #[must_use]
    pub fn repo_of(&self, owner: i64, name: &str) -> Option<(i64, &Repository)> {
        let id = self.repos.find_id(&Repository::index_of(owner, name))?;
        self.repos.get(id).map(|repo| (id, repo))
    }
}
