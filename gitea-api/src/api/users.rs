//! Users, and the one who asks.

pub mod keys;
pub mod settings;
pub mod tokens;

use jiff::Timestamp;

use crate::api::actions::Actions;
use crate::api::hooks::Hooks;
use crate::api::orgs::{Organization, TeamInfo};
use crate::api::repos::{CreateRepo, Repository};
use crate::client::Client;
use crate::error::Result;
use crate::ids::{Scope, UserId};
use crate::page::List;
use crate::request::{Operation, Request, operations};
use crate::wire::{model, words};

operations! {
    GET_SELF = Operation::get("/user", "get the signed-in user");
    MY_REPOS = Operation::get("/user/repos", "list own repositories");
    CREATE_MY_REPO = Operation::post("/user/repos", "create repository");
    MY_ORGS = Operation::get("/user/orgs", "list own organisations");
    MY_TEAMS = Operation::get("/user/teams", "list own teams");
    GET_USER = Operation::get("/users/{username}", "get user");
    USER_REPOS = Operation::get("/users/{username}/repos", "list repositories of user");
    USER_ORGS = Operation::get("/users/{username}/orgs", "list organisations of user");
    ORG_PERMISSIONS =
        Operation::get("/users/{username}/orgs/{org}/permissions", "get permissions in organisation");
    SEARCH_USERS = Operation::get("/users/search", "search users");
}

words! {
    /// Who sees a user or an organisation.
    pub enum Visibility {
        /// Everybody.
        Public = "public",
        /// Who is signed in.
        Limited = "limited",
        /// Members, and site administrators.
        Private = "private",
    }
}

model! {
    /// A user. Embedded in other answers it may hide the real mail and show `active: false`:
    /// believe those two only where the user was asked for.
    pub struct User {
        /// The number.
        pub id: UserId,
        /// The name to sign in with.
        pub login: String,
        /// The name at the login source; empty for local accounts.
        pub login_name: String,
        /// The number of the login source; 0 is local.
        pub source_id: i64,
        /// The full name.
        pub full_name: String,
        /// The mail, or a made-up one for those who may not see it.
        pub email: String,
        /// The picture's address.
        pub avatar_url: String,
        /// The page's address.
        pub html_url: String,
        /// The language of the website.
        pub language: String,
        /// Whether they administer the site; seen by themselves and administrators.
        pub is_admin: bool,
        /// Whether the account is activated; seen by themselves and administrators.
        pub active: bool,
        /// Whether they may not sign in.
        pub prohibit_login: bool,
        /// Whether they see only what they were given.
        pub restricted: bool,
        /// When they last used the website.
        pub last_login: Option<Timestamp>,
        /// When the account was made.
        pub created: Option<Timestamp>,
        /// Where they are.
        pub location: String,
        /// Their website.
        pub website: String,
        /// About them.
        pub description: String,
        /// Who sees them.
        pub visibility: Visibility,
        /// How many follow them.
        pub followers_count: u64,
        /// How many they follow.
        pub following_count: u64,
        /// How many repositories they starred.
        pub starred_repos_count: u64,
    }

    /// What a user may do in an organisation.
    pub struct OrganizationPermissions {
        /// Make repositories.
        pub can_create_repository: bool,
        /// Read.
        pub can_read: bool,
        /// Write.
        pub can_write: bool,
        /// Administer.
        pub is_admin: bool,
        /// Everything.
        pub is_owner: bool,
    }
}

/// The user who asks.
#[derive(Debug, Clone)]
pub struct Me {
    pub(crate) client: Client,
}

/// A user by name.
#[derive(Debug, Clone)]
pub struct Account {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl Client {
    /// The user who asks.
    #[must_use]
    pub fn me(&self) -> Me {
        Me {
            client: self.clone(),
        }
    }

    /// A user by name.
    #[must_use]
    pub fn user(&self, name: impl Into<String>) -> Account {
        Account {
            client: self.clone(),
            name: name.into(),
        }
    }

    /// Users whose names contain a text.
    ///
    /// Upstream: `GET /users/search`
    pub fn search_users(&self, text: &str) -> List<User> {
        List::paged(self, Request::to(&SEARCH_USERS).query("q", text)).member("data")
    }
}

impl Me {
    /// Who it is.
    ///
    /// Upstream: `GET /user`
    ///
    /// # Errors
    /// `Unauthorized` without valid credentials.
    pub async fn get(&self) -> Result<User> {
        self.client.send(Request::to(&GET_SELF)).await
    }

    /// Repositories they own or work on.
    ///
    /// Upstream: `GET /user/repos`
    pub fn repos(&self) -> List<Repository> {
        List::paged(&self.client, Request::to(&MY_REPOS))
    }

    /// Makes a repository of their own.
    ///
    /// Upstream: `POST /user/repos`
    ///
    /// # Errors
    /// `AlreadyExists`, `Validation`, `Quota`.
    pub async fn create_repo(&self, repo: &CreateRepo) -> Result<Repository> {
        self.client
            .send(Request::to(&CREATE_MY_REPO).json(repo))
            .await
    }

    /// Organisations they belong to.
    ///
    /// Upstream: `GET /user/orgs`
    pub fn orgs(&self) -> List<Organization> {
        List::paged(&self.client, Request::to(&MY_ORGS))
    }

    /// Teams they belong to.
    ///
    /// Upstream: `GET /user/teams`
    pub fn teams(&self) -> List<TeamInfo> {
        List::paged(&self.client, Request::to(&MY_TEAMS))
    }

    /// Webhooks on all their repositories.
    #[must_use]
    pub fn hooks(&self) -> Hooks {
        Hooks::new(&self.client, Scope::Me)
    }

    /// Secrets, variables, runners and runs of all their repositories.
    #[must_use]
    pub fn actions(&self) -> Actions {
        Actions::new(&self.client, Scope::Me)
    }
}

impl Account {
    pub(crate) fn request(&self, operation: &Operation) -> Request {
        Request::to(operation).with("username", &self.name)
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is known of the user.
    ///
    /// Upstream: `GET /users/{username}`
    ///
    /// # Errors
    /// `NotFound`; use [`find`](Self::find) where that is an answer.
    pub async fn get(&self) -> Result<User> {
        self.client.send(self.request(&GET_USER)).await
    }

    /// What is known of the user, if there is one.
    ///
    /// Upstream: `GET /users/{username}`
    ///
    /// # Errors
    /// Any kind but `NotFound`.
    pub async fn find(&self) -> Result<Option<User>> {
        self.client.find(self.request(&GET_USER)).await
    }

    /// Their repositories, as far as they may be seen.
    ///
    /// Upstream: `GET /users/{username}/repos`
    pub fn repos(&self) -> List<Repository> {
        List::paged(&self.client, self.request(&USER_REPOS))
    }

    /// Their organisations, as far as they may be seen.
    ///
    /// Upstream: `GET /users/{username}/orgs`
    pub fn orgs(&self) -> List<Organization> {
        List::paged(&self.client, self.request(&USER_ORGS))
    }

    /// What they may do in an organisation.
    ///
    /// Upstream: `GET /users/{username}/orgs/{org}/permissions`
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn permissions_in(&self, org: &str) -> Result<OrganizationPermissions> {
        self.client
            .send(self.request(&ORG_PERMISSIONS).with("org", org))
            .await
    }
}
