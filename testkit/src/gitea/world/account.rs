//! Users, organisations, teams, and what opens their doors.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::gitea::access::{Mode, Unit};
use crate::gitea::scope::Scopes;
use crate::gitea::table::Row;

/// A person, a program, or an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OwnerKind {
    /// Somebody who can sign in.
    User,
    /// A group of people with repositories of its own.
    Organization,
}

/// Who may see an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody.
    #[default]
    Public,
    /// Everybody who is signed in.
    Limited,
    /// Its members.
    Private,
}

impl Visibility {
    /// The word in answers.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Limited => "limited",
            Self::Private => "private",
        }
    }

    /// The visibility of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "public" => Some(Self::Public),
            "limited" => Some(Self::Limited),
            "private" => Some(Self::Private),
            _ => None,
        }
    }
}

/// A user or an organisation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its id.
    pub id: i64,
    /// What it is.
    pub kind: OwnerKind,
    /// The name as it was given; compared without regard to case.
    pub login: String,
    /// The name it signs in with at its source; empty until somebody sets it.
    pub login_name: String,
    /// The authentication source; 0 is our own.
    pub source_id: i64,
    /// The full name.
    pub full_name: String,
    /// The primary mail address; organisations may have none.
    pub email: String,
    /// Whether the address is hidden from others.
    pub hide_email: bool,
    /// The hashed password; empty when it cannot sign in with one.
    pub password: String,
    /// Whether every call is refused until the password was changed.
    pub must_change_password: bool,
    /// Site administrator.
    pub admin: bool,
    /// Whether it may sign in at all.
    pub active: bool,
    /// Whether signing in is forbidden.
    pub prohibit_login: bool,
    /// Whether it sees only what it was given.
    pub restricted: bool,
    /// Who may see it.
    pub visibility: Visibility,
    /// `location`.
    pub location: String,
    /// `website`.
    pub website: String,
    /// `description`.
    pub description: String,
    /// `language`.
    pub language: String,
    /// `theme`, `diff_view_style` and the other settings of an account.
    pub settings: BTreeMap<String, serde_json::Value>,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970; 0 when never signed in on the website.
    pub last_login: i64,
    /// How many repositories it may own; -1 for the default.
    pub max_repos: i64,
    /// Whether it may make organisations.
    pub may_create_organizations: bool,
    /// Whether git hooks may be edited.
    pub allow_git_hook: bool,
    /// Whether local folders may be migrated from.
    pub allow_import_local: bool,
    /// Organisations: whether an administrator of a repository may add teams to it.
    pub repo_admin_change_team_access: bool,
    /// Organisations: members that are shown to everybody.
    pub public_members: BTreeSet<i64>,
    /// Accounts that this one follows.
    pub following: BTreeSet<i64>,
    /// Repositories that this one has starred.
    pub starred: BTreeSet<i64>,
    /// Repositories that this one watches.
    pub watching: BTreeSet<i64>,
}

impl std::fmt::Debug for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owner")
            .field("id", &self.id)
            .field("login", &self.login)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Owner {
    /// A new account with everything at its default.
    #[must_use]
    pub fn new(id: i64, kind: OwnerKind, login: &str, created: i64) -> Self {
        Self {
            id,
            kind,
            login: login.to_owned(),
            login_name: String::new(),
            source_id: 0,
            full_name: String::new(),
            email: String::new(),
            hide_email: false,
            password: String::new(),
            must_change_password: false,
            admin: false,
            active: true,
            prohibit_login: false,
            restricted: false,
            visibility: Visibility::Public,
            location: String::new(),
            website: String::new(),
            description: String::new(),
            language: String::new(),
            settings: BTreeMap::new(),
            created,
            last_login: 0,
            max_repos: -1,
            may_create_organizations: true,
            allow_git_hook: false,
            allow_import_local: false,
            repo_admin_change_team_access: false,
            public_members: BTreeSet::new(),
            following: BTreeSet::new(),
            starred: BTreeSet::new(),
            watching: BTreeSet::new(),
        }
    }

    /// Whether it is an organisation.
    #[must_use]
    pub fn is_organization(&self) -> bool {
        self.kind == OwnerKind::Organization
    }
}

impl Row for Owner {
    const TABLE: &'static str = "owner";
    fn index(&self) -> Option<String> {
        Some(self.login.to_lowercase())
    }
}

/// A mail address of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailAddress {
    /// The user.
    pub user: i64,
    /// As it was given; unique without regard to case.
    pub email: String,
    /// Whether it was confirmed.
    pub verified: bool,
    /// Whether it is the one that counts.
    pub primary: bool,
}

impl Row for EmailAddress {
    const TABLE: &'static str = "email";
    fn index(&self) -> Option<String> {
        Some(self.email.to_lowercase())
    }
    fn group(&self) -> i64 {
        self.user
    }
}

/// An old name of a user or organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// The old name in lower case.
    pub name: String,
    /// Who bears another name now.
    pub owner: i64,
}

impl Row for Redirect {
    const TABLE: &'static str = "redirect";
    fn index(&self) -> Option<String> {
        Some(self.name.clone())
    }
    fn group(&self) -> i64 {
        self.owner
    }
}

/// An access token; the token itself is nowhere kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its id.
    pub id: i64,
    /// Whose it is.
    pub user: i64,
    /// Its name, unique for the user, minding case.
    pub name: String,
    /// SHA-256 of the token in hexadecimal digits.
    pub sha256: String,
    /// The end of the token, shown to tell tokens apart.
    pub last_eight: String,
    /// What it may be used for.
    pub scopes: Scopes,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970 of the last use.
    pub used: i64,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("id", &self.id)
            .field("user", &self.user)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Row for Token {
    const TABLE: &'static str = "token";
    fn index(&self) -> Option<String> {
        Some(self.sha256.clone())
    }
    fn group(&self) -> i64 {
        self.user
    }
}

/// An SSH key of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// Its id.
    pub id: i64,
    /// Whose it is.
    pub user: i64,
    /// `title`.
    pub title: String,
    /// Kind and key in base64, without the comment.
    pub content: String,
    /// The comment behind the key, if any.
    pub comment: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// Seconds since 1970.
    pub created: i64,
}

impl Row for PublicKey {
    const TABLE: &'static str = "key";
    fn index(&self) -> Option<String> {
        Some(self.fingerprint.clone())
    }
    fn group(&self) -> i64 {
        self.user
    }
}

/// A team of an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Its id.
    pub id: i64,
    /// The organisation.
    pub org: i64,
    /// Its name; compared without regard to case.
    pub name: String,
    /// `description`.
    pub description: String,
    /// The right to everything; [`Mode::None`] when `units` says more.
    pub mode: Mode,
    /// The right to each unit.
    pub units: BTreeMap<Unit, Mode>,
    /// Whether it has all repositories of the organisation, future ones too.
    pub all_repos: bool,
    /// Whether its members may create repositories.
    pub can_create_repos: bool,
    /// Its members.
    pub members: BTreeSet<i64>,
    /// Its repositories, when it does not have all.
    pub repos: BTreeSet<i64>,
}

impl Row for Team {
    const TABLE: &'static str = "team";
    fn index(&self) -> Option<String> {
        Some(format!("{}/{}", self.org, self.name.to_lowercase()))
    }
    fn group(&self) -> i64 {
        self.org
    }
}

/// A program that signs people in with our accounts, as its owner described it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Its id.
    pub id: i64,
    /// Whose it is.
    pub user: i64,
    /// Its name.
    pub name: String,
    /// What it calls itself.
    pub client: String,
    /// Whether it can keep its secret.
    pub confidential: bool,
    /// Whether nobody is asked a second time.
    pub skips_question: bool,
    /// Where people may be sent back to.
    pub redirects: Vec<String>,
    /// When it was made.
    pub created: i64,
}

impl Row for Application {
    const TABLE: &'static str = "application";
    fn group(&self) -> i64 {
        self.user
    }
}
