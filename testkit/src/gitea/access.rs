//! Who asks, and what they may do with a repository.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::scope::Scopes;

/// How far somebody may go, with a repository as a whole or with one of its units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Not at all.
    #[default]
    None,
    /// See it.
    Read,
    /// Change what is in it.
    Write,
    /// Change its settings.
    Admin,
    /// Delete it, give it away.
    Owner,
}

impl Mode {
    /// The word in answers.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The mode of a word; anything unknown is [`Mode::None`].
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "read" => Self::Read,
            "write" => Self::Write,
            "admin" => Self::Admin,
            "owner" => Self::Owner,
            _ => Self::None,
        }
    }
}

/// A part of a repository that can be on or off, and open to a team or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Unit {
    /// Files and history.
    #[serde(rename = "repo.code")]
    Code,
    /// Issues.
    #[serde(rename = "repo.issues")]
    Issues,
    /// An issue tracker elsewhere.
    #[serde(rename = "repo.ext_issues")]
    ExternalTracker,
    /// A wiki elsewhere.
    #[serde(rename = "repo.ext_wiki")]
    ExternalWiki,
    /// Pull requests.
    #[serde(rename = "repo.pulls")]
    Pulls,
    /// Releases.
    #[serde(rename = "repo.releases")]
    Releases,
    /// Wiki.
    #[serde(rename = "repo.wiki")]
    Wiki,
    /// Projects.
    #[serde(rename = "repo.projects")]
    Projects,
    /// Packages.
    #[serde(rename = "repo.packages")]
    Packages,
    /// Actions.
    #[serde(rename = "repo.actions")]
    Actions,
}

/// All units in the order of the documentation.
pub const UNITS: [Unit; 10] = [
    Unit::Code,
    Unit::Issues,
    Unit::ExternalTracker,
    Unit::ExternalWiki,
    Unit::Pulls,
    Unit::Releases,
    Unit::Wiki,
    Unit::Projects,
    Unit::Packages,
    Unit::Actions,
];

impl Unit {
    /// The word in `units` and `units_map`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Code => "repo.code",
            Self::Issues => "repo.issues",
            Self::ExternalTracker => "repo.ext_issues",
            Self::ExternalWiki => "repo.ext_wiki",
            Self::Pulls => "repo.pulls",
            Self::Releases => "repo.releases",
            Self::Wiki => "repo.wiki",
            Self::Projects => "repo.projects",
            Self::Packages => "repo.packages",
            Self::Actions => "repo.actions",
        }
    }

    /// The unit of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        UNITS.into_iter().find(|unit| unit.word() == word)
    }
}

/// What one account may do with one repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The right to the repository as a whole: as owner, administrator or collaborator.
    pub mode: Mode,
    /// Rights to single units that are higher than `mode`, through teams.
    pub units: BTreeMap<Unit, Mode>,
}

impl Access {
    /// The same right to everything.
    #[must_use]
    pub fn whole(mode: Mode) -> Self {
        Self {
            mode,
            units: BTreeMap::new(),
        }
    }

    /// The right to one unit.
    #[must_use]
    pub fn to(&self, unit: Unit) -> Mode {
        self.mode
            .max(self.units.get(&unit).copied().unwrap_or_default())
    }

    /// Whether anything at all may be seen.
    #[must_use]
    pub fn any(&self) -> bool {
        self.mode > Mode::None || self.units.values().any(|mode| *mode > Mode::None)
    }
}

/// What a running job's own token may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobGrant {
    /// The task the token belongs to.
    pub task: i64,
    /// The task's repository.
    pub repo: i64,
    /// Its rights in that repository, by unit, after `permissions:` of the workflow.
    pub access: Access,
}

/// How somebody proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// With the account's password.
    Password,
    /// With an access token.
    Token {
        /// The token's id.
        id: i64,
        /// What it may be used for.
        scopes: Scopes,
        /// Whether it came as the password (or user name) of basic authentication.
        as_password: bool,
    },
    /// With the token of a running job.
    Job(JobGrant),
}

/// The account on whose behalf a call is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doer {
    /// Its id; -2 is the account of running jobs.
    pub id: i64,
    /// Whether it is a site administrator.
    pub admin: bool,
    /// How it proved itself; after sudo, how the administrator did.
    pub via: Via,
}

/// The id of `gitea-actions`, the account that acts with the tokens of jobs.
pub const ACTIONS_USER: i64 = -2;

impl Doer {
    /// The scopes that limit the call; `None` means unlimited.
    #[must_use]
    pub fn scopes(&self) -> Option<&Scopes> {
        match &self.via {
            Via::Token { scopes, .. } => Some(scopes),
            Via::Password | Via::Job(_) => None,
        }
    }

    /// Whether only public things may be seen.
    #[must_use]
    pub fn public_only(&self) -> bool {
        self.scopes().is_some_and(|scopes| scopes.public_only)
    }

    /// What a job's token grants, if it is one.
    #[must_use]
    pub fn job(&self) -> Option<&JobGrant> {
        match &self.via {
            Via::Job(grant) => Some(grant),
            Via::Password | Via::Token { .. } => None,
        }
    }
}
