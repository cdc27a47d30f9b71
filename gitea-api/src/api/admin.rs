//! What site administrators do: users, and things for others.
//!
//! # Quirks
//! - The server makes a new user change the password at once, unless told otherwise; then every
//!   call of that user fails with `MustChangePassword`. [`CreateUser::new`] tells it otherwise.
//! - An edit must name `login_name`, and sets it.

use jiff::Timestamp;

use crate::api::actions::Actions;
use crate::api::hooks::Hooks;
use crate::api::orgs::{CreateOrg, Organization};
use crate::api::repos::{CreateRepo, Repository};
use crate::api::users::keys::{AddKey, PublicKey};
use crate::api::users::settings::Email;
use crate::api::users::{User, Visibility};
use crate::auth::Secret;
use crate::client::Client;
use crate::ensure::{Ensured, differences};
use crate::error::Result;
use crate::ids::{KeyId, Scope};
use crate::page::List;
use crate::request::{Operation, Request, operations};
use crate::wire::{model, params};

operations! {
    LIST_USERS = Operation::get("/admin/users", "list users");
    CREATE_USER = Operation::post("/admin/users", "create user");
    EDIT_USER = Operation::patch("/admin/users/{username}", "edit user");
    DELETE_USER = Operation::delete("/admin/users/{username}", "delete user");
    RENAME_USER = Operation::post("/admin/users/{username}/rename", "rename user");
    ADD_KEY_FOR = Operation::post("/admin/users/{username}/keys", "add key for user");
    DELETE_KEY_FOR = Operation::delete("/admin/users/{username}/keys/{id}", "delete key of user");
    CREATE_ORG_FOR = Operation::post("/admin/users/{username}/orgs", "create organisation for user");
    CREATE_REPO_FOR = Operation::post("/admin/users/{username}/repos", "create repository for user");
    LIST_ORGS = Operation::get("/admin/orgs", "list all organisations");
    LIST_ALL_EMAILS = Operation::get("/admin/emails", "list all mail addresses");
    LIST_CRON = Operation::get("/admin/cron", "list scheduled tasks");
    RUN_CRON = Operation::post("/admin/cron/{task}", "run scheduled task");
}

model! {
    /// A task that the server runs by the clock.
    pub struct CronTask {
        /// The name.
        pub name: String,
        /// When it runs.
        pub schedule: String,
        /// The next time.
        pub next: Option<Timestamp>,
        /// The last time.
        pub prev: Option<Timestamp>,
        /// How often it ran since the server started.
        pub exec_times: u64,
    }
}

params! {
    /// A user to make.
    pub struct CreateUser {
        required {
            /// The name to sign in with, 40 characters at most.
            username: String,
            /// The mail address; unique on the server.
            email: String,
        }
        optional {
            /// The password, 8 characters at least.
            password: Secret,
            /// Whether the password must be changed before anything else; the server says yes
            /// where it is not told.
            must_change_password: bool,
            /// The full name.
            full_name: String,
            /// Whether a mail is sent.
            send_notify: bool,
            /// Whether they see only what they are given.
            restricted: bool,
            /// Who sees them.
            visibility: Visibility,
            /// The login source; 0 is local.
            source_id: i64,
            /// The name at the login source.
            login_name: String,
            /// When the account was made, for imports.
            created_at: Timestamp,
        }
    }
}

params! {
    /// Changes of a user.
    pub struct EditUser {
        required {
            /// The name at the login source. It is required and set: give the present one.
            login_name: String,
            /// The login source; 0 is local.
            source_id: i64,
        }
        optional {
            /// The mail address.
            email: String,
            /// A new password, 8 characters at least.
            password: Secret,
            /// Whether the password must be changed before anything else.
            must_change_password: bool,
            /// Whether they administer the site.
            admin: bool,
            /// Whether the account is activated.
            active: bool,
            /// Whether they may not sign in.
            prohibit_login: bool,
            /// Whether they see only what they are given.
            restricted: bool,
            /// Who sees them.
            visibility: Visibility,
            /// How many repositories they may have; -1 for the server's limit.
            max_repo_creation: i64,
            /// Whether they may make organisations.
            allow_create_organization: bool,
            /// Whether they may edit hooks of git.
            allow_git_hook: bool,
            /// Whether they may import from the server's disk.
            allow_import_local: bool,
        }
        patch {
            /// The full name.
            full_name: String,
            /// Where they are.
            location: String,
            /// Their website.
            website: String,
            /// About them.
            description: String,
        }
    }
}

impl CreateUser {
    /// A user who can start at once: no forced change of the password.
    #[must_use]
    pub fn ready(
        username: impl Into<String>,
        email: impl Into<String>,
        password: impl Into<Secret>,
    ) -> Self {
        Self::new(username, email)
            .password(password)
            .must_change_password(false)
    }
}

/// What site administrators do.
#[derive(Debug, Clone)]
pub struct Admin {
    pub(crate) client: Client,
}

impl Client {
    /// What site administrators do.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin {
            client: self.clone(),
        }
    }
}

impl Admin {
    fn for_user(operation: &Operation, user: &str) -> Request {
        Request::to(operation).with("username", user)
    }

    /// All users, and no organisations.
    ///
    /// Upstream: `GET /admin/users`
    pub fn users(&self) -> List<User> {
        List::paged(&self.client, Request::to(&LIST_USERS))
    }

    /// All organisations.
    ///
    /// Upstream: `GET /admin/orgs`
    pub fn orgs(&self) -> List<Organization> {
        List::paged(&self.client, Request::to(&LIST_ORGS))
    }

    /// All mail addresses.
    ///
    /// Upstream: `GET /admin/emails`
    pub fn emails(&self) -> List<Email> {
        List::paged(&self.client, Request::to(&LIST_ALL_EMAILS))
    }

    /// Tasks that the server runs by the clock.
    ///
    /// Upstream: `GET /admin/cron`
    pub fn cron(&self) -> List<CronTask> {
        List::paged(&self.client, Request::to(&LIST_CRON))
    }

    /// Runs such a task now.
    ///
    /// Upstream: `POST /admin/cron/{task}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn run_cron(&self, task: &str) -> Result<()> {
        self.client
            .send_empty(Request::to(&RUN_CRON).with("task", task))
            .await
    }

    /// Makes a user.
    ///
    /// Upstream: `POST /admin/users`
    ///
    /// # Errors
    /// `AlreadyExists` for the name or the mail address, `Validation`.
    pub async fn create_user(&self, user: &CreateUser) -> Result<User> {
        self.client.send(Request::to(&CREATE_USER).json(user)).await
    }

    /// Changes a user.
    ///
    /// Upstream: `PATCH /admin/users/{username}`
    ///
    /// # Errors
    /// `NotFound`, `Validation`.
    pub async fn edit_user(&self, name: &str, changes: &EditUser) -> Result<User> {
        self.client
            .send(Self::for_user(&EDIT_USER, name).json(changes))
            .await
    }

    /// Removes a user who owns nothing.
    ///
    /// Upstream: `DELETE /admin/users/{username}`
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when they own repositories or belong to organisations: see
    /// [`purge_user`](Self::purge_user).
    pub async fn delete_user(&self, name: &str) -> Result<()> {
        self.client
            .send_empty(Self::for_user(&DELETE_USER, name))
            .await
    }

    /// Removes a user, their repositories, and organisations that are left without an owner.
    ///
    /// Upstream: `DELETE /admin/users/{username}?purge=true`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn purge_user(&self, name: &str) -> Result<()> {
        self.client
            .send_empty(Self::for_user(&DELETE_USER, name).query("purge", true))
            .await
    }

    /// Gives a user another name. The old one goes on as a redirect until it is taken.
    ///
    /// Upstream: `POST /admin/users/{username}/rename`
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, `Validation`.
    pub async fn rename_user(&self, name: &str, to: &str) -> Result<()> {
        let body = serde_json::json!({ "new_username": to });
        self.client
            .send_empty(Self::for_user(&RENAME_USER, name).json(&body))
            .await
    }

    /// Adds a public key to a user.
    ///
    /// Upstream: `POST /admin/users/{username}/keys`
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, `Validation`.
    pub async fn add_key(&self, user: &str, key: &AddKey) -> Result<PublicKey> {
        self.client
            .send(Self::for_user(&ADD_KEY_FOR, user).json(key))
            .await
    }

    /// Removes a public key of a user.
    ///
    /// Upstream: `DELETE /admin/users/{username}/keys/{id}`
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` when it is another user's.
    pub async fn delete_key(&self, user: &str, id: KeyId) -> Result<()> {
        self.client
            .send_empty(Self::for_user(&DELETE_KEY_FOR, user).with("id", id))
            .await
    }

    /// Makes an organisation whose owner is a user.
    ///
    /// Upstream: `POST /admin/users/{username}/orgs`
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, `Validation`.
    pub async fn create_org(&self, owner: &str, org: &CreateOrg) -> Result<Organization> {
        self.client
            .send(Self::for_user(&CREATE_ORG_FOR, owner).json(org))
            .await
    }

    /// Makes a repository for a user or an organisation, whatever their limits.
    ///
    /// Upstream: `POST /admin/users/{username}/repos`
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, `Validation`.
    pub async fn create_repo(&self, owner: &str, repo: &CreateRepo) -> Result<Repository> {
        self.client
            .send(Self::for_user(&CREATE_REPO_FOR, owner).json(repo))
            .await
    }

    /// Makes sure that a user is there with this mail address, full name, visibility and
    /// restriction. The password of one who is there is left alone: it cannot be compared.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = testkit::forge::Forge::start().await?;
    /// # let token = gitea_api::Auth::token(&*server.ready().root_token);
    /// # let client = gitea_api::Client::builder(server.url()).auth(token).build()?;
    /// use gitea_api::api::admin::CreateUser;
    ///
    /// let wish = CreateUser::ready("dev", "dev@forge.internal", "correct horse");
    /// assert!(client.admin().ensure_user(&wish).await?.is_change());
    /// assert!(!client.admin().ensure_user(&wish).await?.is_change());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`create_user`](Self::create_user) and [`edit_user`](Self::edit_user).
    pub async fn ensure_user(&self, user: &CreateUser) -> Result<Ensured<User>> {
        let Some(present) = self.client.user(&user.username).find().await? else {
            return self.create_user(user).await.map(Ensured::Created);
        };
        let login = [present.login_name.as_str(), present.login.as_str()];
        let login = login
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or_default();
        let mut changes = EditUser::new(login, present.source_id);
        changes.email =
            Some(user.email.clone()).filter(|wish| !wish.eq_ignore_ascii_case(&present.email));
        changes.restricted = user.restricted.filter(|wish| *wish != present.restricted);
        changes.visibility = user
            .visibility
            .clone()
            .filter(|wish| *wish != present.visibility);
        if let Some(wish) = user
            .full_name
            .clone()
            .filter(|wish| *wish != present.full_name)
        {
            changes = changes.full_name(wish);
        }
        let nothing = EditUser::new(login, present.source_id);
        if serde_json::to_value(&changes).ok() == serde_json::to_value(&nothing).ok() {
            return Ok(Ensured::Unchanged(present));
        }
        self.edit_user(&present.login, &changes)
            .await
            .map(Ensured::Updated)
    }

    /// Makes sure that an organisation of this owner is there and as wished.
    ///
    /// # Errors
    /// As [`create_org`](Self::create_org).
    pub async fn ensure_org(&self, owner: &str, org: &CreateOrg) -> Result<Ensured<Organization>> {
        let handle = self.client.org(&org.username);
        let Some(present) = handle.find().await? else {
            return self.create_org(owner, org).await.map(Ensured::Created);
        };
        if differences(&org.edit(), &present).is_empty() {
            return Ok(Ensured::Unchanged(present));
        }
        handle
            .edit(&org.edit_over(&present))
            .await
            .map(Ensured::Updated)
    }

    /// System webhooks, and default ones.
    #[must_use]
    pub fn hooks(&self) -> Hooks {
        Hooks::new(&self.client, Scope::Admin)
    }

    /// Runners and runs of the whole instance.
    #[must_use]
    pub fn actions(&self) -> Actions {
        Actions::new(&self.client, Scope::Admin)
    }
}
