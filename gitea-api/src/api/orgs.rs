//! Organisations and their members.
//!
//! # Quirks
//! - Before 1.26 an edit empties description, website and location where it does not name them;
//!   [`Org::edit`] sends all three to such a server.
//! - An organisation that has repositories cannot be deleted; the server says so with a 500.

pub mod teams;

use crate::api::actions::Actions;
use crate::api::hooks::Hooks;
use crate::api::repos::{CreateRepo, Repository};
use crate::api::users::{User, Visibility};
use crate::client::Client;
use crate::ensure::{Ensured, differences};
use crate::error::Result;
use crate::ids::{Scope, UserId};
use crate::page::List;
use crate::request::{Operation, Request, operations};
use crate::server::{Capability, Flavor};
use crate::wire::{Patch, model, params};

pub use teams::{Access, CreateTeam, EditTeam, Team, TeamInfo};

operations! {
    LIST_ORGS = Operation::get("/orgs", "list organisations");
    CREATE_ORG = Operation::post("/orgs", "create organisation");
    GET_ORG = Operation::get("/orgs/{org}", "get organisation");
    EDIT_ORG = Operation::patch("/orgs/{org}", "edit organisation");
    DELETE_ORG = Operation::delete("/orgs/{org}", "delete organisation");
    RENAME_ORG = Operation::post("/orgs/{org}/rename", "rename organisation");
    ORG_REPOS = Operation::get("/orgs/{org}/repos", "list repositories of organisation");
    CREATE_ORG_REPO = Operation::post("/orgs/{org}/repos", "create repository in organisation");
    DELETE_ORG_REPOS = Operation::delete("/orgs/{org}/repos", "delete repositories of organisation")
        .needs(Capability::DeleteOrgRepos);
    LIST_MEMBERS = Operation::get("/orgs/{org}/members", "list members");
    IS_MEMBER = Operation::get("/orgs/{org}/members/{username}", "check membership");
    DELETE_MEMBER = Operation::delete("/orgs/{org}/members/{username}", "remove member");
    LIST_PUBLIC_MEMBERS = Operation::get("/orgs/{org}/public_members", "list public members");
    IS_PUBLIC_MEMBER =
        Operation::get("/orgs/{org}/public_members/{username}", "check public membership");
    PUBLICIZE = Operation::put("/orgs/{org}/public_members/{username}", "publicise membership");
    CONCEAL = Operation::delete("/orgs/{org}/public_members/{username}", "conceal membership");
}

model! {
    /// An organisation.
    pub struct Organization {
        /// The number.
        pub id: UserId,
        /// The name in addresses.
        pub name: String,
        /// The same, in upstream's older spelling.
        pub username: String,
        /// The full name.
        pub full_name: String,
        /// A mail address.
        pub email: String,
        /// The picture's address.
        pub avatar_url: String,
        /// About it.
        pub description: String,
        /// A website.
        pub website: String,
        /// Where it is.
        pub location: String,
        /// Who sees it.
        pub visibility: Visibility,
        /// Whether administrators of a repository may give teams access to it.
        pub repo_admin_change_team_access: bool,
    }
}

params! {
    /// An organisation to make.
    pub struct CreateOrg {
        required {
            /// The name in addresses.
            username: String,
        }
        optional {
            /// The full name.
            full_name: String,
            /// A mail address.
            email: String,
            /// About it.
            description: String,
            /// A website.
            website: String,
            /// Where it is.
            location: String,
            /// Who sees it.
            visibility: Visibility,
            /// Whether administrators of a repository may give teams access to it.
            repo_admin_change_team_access: bool,
        }
    }
}

params! {
    /// Changes of an organisation.
    pub struct EditOrg {
        optional {
            /// Who sees it.
            visibility: Visibility,
            /// Whether administrators of a repository may give teams access to it.
            repo_admin_change_team_access: bool,
        }
        patch {
            /// The full name.
            full_name: String,
            /// A mail address.
            email: String,
            /// About it.
            description: String,
            /// A website.
            website: String,
            /// Where it is.
            location: String,
        }
    }
}

impl CreateOrg {
    /// The edit that makes an organisation as wished.
    pub(crate) fn edit(&self) -> EditOrg {
        let patch = |wish: &Option<String>| wish.clone().map_or(Patch::Keep, Patch::Set);
        EditOrg {
            visibility: self.visibility.clone(),
            repo_admin_change_team_access: self.repo_admin_change_team_access,
            full_name: patch(&self.full_name),
            email: patch(&self.email),
            description: patch(&self.description),
            website: patch(&self.website),
            location: patch(&self.location),
        }
    }

    pub(crate) fn edit_over(&self, present: &Organization) -> EditOrg {
        self.edit().over(present)
    }
}

impl EditOrg {
    /// Names what older servers would empty.
    fn over(mut self, present: &Organization) -> Self {
        for (field, shown) in [
            (&mut self.description, &present.description),
            (&mut self.website, &present.website),
            (&mut self.location, &present.location),
        ] {
            if field.is_keep() {
                *field = Patch::Set(shown.clone());
            }
        }
        self
    }
}

/// An organisation by name.
#[derive(Debug, Clone)]
pub struct Org {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl Client {
    /// An organisation by name.
    #[must_use]
    pub fn org(&self, name: impl Into<String>) -> Org {
        Org {
            client: self.clone(),
            name: name.into(),
        }
    }

    /// Organisations that may be seen. Private ones are shown to administrators only.
    ///
    /// Upstream: `GET /orgs`
    pub fn orgs(&self) -> List<Organization> {
        List::paged(self, Request::to(&LIST_ORGS))
    }

    /// Makes an organisation whose owner is who asks.
    ///
    /// Upstream: `POST /orgs`
    ///
    /// # Errors
    /// `AlreadyExists` when a user or an organisation has the name, `Validation`.
    pub async fn create_org(&self, org: &CreateOrg) -> Result<Organization> {
        self.send(Request::to(&CREATE_ORG).json(org)).await
    }

    /// Makes sure that an organisation is there and as wished.
    ///
    /// # Errors
    /// As [`create_org`](Self::create_org).
    pub async fn ensure_org(&self, org: &CreateOrg) -> Result<Ensured<Organization>> {
        let handle = self.org(&org.username);
        let Some(present) = handle.find().await? else {
            return self.create_org(org).await.map(Ensured::Created);
        };
        if differences(&org.edit(), &present).is_empty() {
            return Ok(Ensured::Unchanged(present));
        }
        handle
            .edit(&org.edit_over(&present))
            .await
            .map(Ensured::Updated)
    }
}

impl Org {
    pub(crate) fn request(&self, operation: &Operation) -> Request {
        Request::to(operation).with("org", &self.name)
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is known of it.
    ///
    /// Upstream: `GET /orgs/{org}`
    ///
    /// # Errors
    /// `NotFound`; use [`find`](Self::find) where that is an answer.
    pub async fn get(&self) -> Result<Organization> {
        self.client.send(self.request(&GET_ORG)).await
    }

    /// What is known of it, if there is one.
    ///
    /// Upstream: `GET /orgs/{org}`
    ///
    /// # Errors
    /// Any kind but `NotFound`.
    pub async fn find(&self) -> Result<Option<Organization>> {
        self.client.find(self.request(&GET_ORG)).await
    }

    /// Changes it.
    ///
    /// Upstream: `PATCH /orgs/{org}`
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Validation`.
    pub async fn edit(&self, changes: &EditOrg) -> Result<Organization> {
        let mut changes = changes.clone();
        let partial = changes.description.is_keep()
            || changes.website.is_keep()
            || changes.location.is_keep();
        if partial && self.empties_what_is_not_named().await? {
            changes = changes.over(&self.get().await?);
        }
        self.client
            .send(self.request(&EDIT_ORG).json(&changes))
            .await
    }

    async fn empties_what_is_not_named(&self) -> Result<bool> {
        let server = self.client.probe().await?;
        Ok(server.flavor() == Flavor::Forgejo || server.release().minor < 26)
    }

    /// Removes it.
    ///
    /// Upstream: `DELETE /orgs/{org}`
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when it has repositories (seen by administrators; a bare `Server`
    /// for anybody else).
    pub async fn delete(&self) -> Result<()> {
        self.client.send_empty(self.request(&DELETE_ORG)).await
    }

    /// Removes all its repositories. Never tried.
    ///
    /// Upstream: `DELETE /orgs/{org}/repos`
    ///
    /// # Errors
    /// `Unsupported` before Gitea 1.27.
    pub async fn delete_repos(&self) -> Result<()> {
        self.client
            .send_empty(self.request(&DELETE_ORG_REPOS))
            .await
    }

    /// Gives it another name. The old one goes on as a redirect until it is taken.
    ///
    /// Upstream: `POST /orgs/{org}/rename`
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, `Validation`.
    pub async fn rename(&self, to: &str) -> Result<()> {
        let body = serde_json::json!({ "new_name": to });
        self.client
            .send_empty(self.request(&RENAME_ORG).json(&body))
            .await
    }

    /// Its repositories, as far as they may be seen.
    ///
    /// Upstream: `GET /orgs/{org}/repos`
    pub fn repos(&self) -> List<Repository> {
        List::paged(&self.client, self.request(&ORG_REPOS))
    }

    /// Makes a repository in it.
    ///
    /// Upstream: `POST /orgs/{org}/repos`
    ///
    /// # Errors
    /// `AlreadyExists`, `Validation`, `Forbidden`, `NotFound` when it is a user's name.
    pub async fn create_repo(&self, repo: &CreateRepo) -> Result<Repository> {
        self.client
            .send(self.request(&CREATE_ORG_REPO).json(repo))
            .await
    }

    /// Its members; strangers are shown the public ones.
    ///
    /// Upstream: `GET /orgs/{org}/members`
    pub fn members(&self) -> List<User> {
        List::paged(&self.client, self.request(&LIST_MEMBERS))
    }

    /// Whether a user is a member.
    ///
    /// Upstream: `GET /orgs/{org}/members/{username}`
    ///
    /// # Errors
    /// Any kind but `NotFound`.
    pub async fn is_member(&self, user: &str) -> Result<bool> {
        self.client
            .ask(self.request(&IS_MEMBER).with("username", user))
            .await
    }

    /// Removes a member from all teams.
    ///
    /// Upstream: `DELETE /orgs/{org}/members/{username}`
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for the last owner.
    pub async fn remove_member(&self, user: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&DELETE_MEMBER).with("username", user))
            .await
    }

    /// Members who show it.
    ///
    /// Upstream: `GET /orgs/{org}/public_members`
    pub fn public_members(&self) -> List<User> {
        List::paged(&self.client, self.request(&LIST_PUBLIC_MEMBERS))
    }

    /// Whether a user is a member and shows it.
    ///
    /// Upstream: `GET /orgs/{org}/public_members/{username}`
    ///
    /// # Errors
    /// Any kind but `NotFound`.
    pub async fn is_public_member(&self, user: &str) -> Result<bool> {
        self.client
            .ask(self.request(&IS_PUBLIC_MEMBER).with("username", user))
            .await
    }

    /// Shows a membership.
    ///
    /// Upstream: `PUT /orgs/{org}/public_members/{username}`
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn publicize(&self, user: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&PUBLICIZE).with("username", user))
            .await
    }

    /// Hides a membership.
    ///
    /// Upstream: `DELETE /orgs/{org}/public_members/{username}`
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn conceal(&self, user: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&CONCEAL).with("username", user))
            .await
    }

    /// Webhooks on all its repositories.
    #[must_use]
    pub fn hooks(&self) -> Hooks {
        Hooks::new(&self.client, Scope::Org(self.name.clone()))
    }

    /// Secrets, variables, runners and runs of all its repositories.
    #[must_use]
    pub fn actions(&self) -> Actions {
        Actions::new(&self.client, Scope::Org(self.name.clone()))
    }
}
