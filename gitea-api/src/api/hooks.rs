//! Webhooks of a repository, an organisation, a user or the instance. (What they deliver is read
//! in [`webhook`](crate::webhook).)
//!
//! # Quirks
//! - A hook is not active unless told; [`CreateHook::to`] tells it.
//! - An edit **resets what it does not name**: events, branch filter, authorisation header.
//!   [`Hooks::edit`] therefore takes a whole description.
//! - The secret is never shown, and can be given only when the hook is made.
//! - Receivers on private addresses are refused silently unless the server is set up for them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::auth::Secret;
use crate::client::Client;
use crate::ensure::Ensured;
use crate::error::Result;
use crate::ids::{HookId, Scope};
use crate::page::List;
use crate::request::{Operation, Request, operations};
use crate::wire::{model, params, words};

operations! {
    LIST = Operation::get("/hooks", "list webhooks").scoped("roua");
    CREATE = Operation::post("/hooks", "create webhook").scoped("roua");
    GET = Operation::get("/hooks/{id}", "get webhook").scoped("roua");
    EDIT = Operation::patch("/hooks/{id}", "edit webhook").scoped("roua");
    DELETE = Operation::delete("/hooks/{id}", "delete webhook").scoped("roua");
    TEST = Operation::post("/hooks/{id}/tests", "test webhook").scoped("r");
}

words! {
    /// Whose form a delivery has.
    pub enum HookKind {
        /// Gitea's own.
        Gitea = "gitea",
        /// Gogs'.
        Gogs = "gogs",
        /// A chat's.
        Slack = "slack",
        /// A chat's.
        Discord = "discord",
        /// A chat's.
        Dingtalk = "dingtalk",
        /// A chat's.
        Telegram = "telegram",
        /// A chat's.
        Msteams = "msteams",
        /// A chat's.
        Feishu = "feishu",
        /// A chat's.
        Wechatwork = "wechatwork",
        /// A package index's.
        Packagist = "packagist",
    }
}

model! {
    /// A webhook. Its secret is never shown.
    pub struct Hook {
        /// The number.
        pub id: HookId,
        /// Whose form a delivery has.
        pub r#type: HookKind,
        /// Its name; since 1.26.
        pub name: String,
        /// The events, in random order. A few words are given back as several.
        pub events: Vec<String>,
        /// Whether it delivers.
        pub active: bool,
        /// `url`, `content_type` and the like.
        pub config: BTreeMap<String, String>,
        /// The branches it is for.
        pub branch_filter: String,
        /// A header it sends along, in clear.
        pub authorization_header: Secret,
        /// When it was made.
        pub created_at: Option<Timestamp>,
        /// When it changed.
        pub updated_at: Option<Timestamp>,
    }
}

/// Where a webhook delivers, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookConfig {
    /// The receiver.
    pub url: String,
    /// `json` or `form`.
    pub content_type: String,
    /// The key of the signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// What else the kind of hook wants, for instance `is_system_webhook`.
    #[serde(flatten)]
    pub others: BTreeMap<String, String>,
}

impl HookConfig {
    /// JSON to this address.
    #[must_use]
    pub fn json(url: impl Into<String>) -> Self {
        let (url, content_type) = (url.into(), "json".to_owned());
        Self {
            url,
            content_type,
            secret: None,
            others: BTreeMap::new(),
        }
    }
}

params! {
    /// A webhook to make, or to bring into this form.
    pub struct CreateHook {
        required {
            /// Whose form a delivery has.
            r#type: HookKind,
            /// Where it delivers.
            config: HookConfig,
        }
        optional {
            /// Whether it delivers; the server says no where it is not told.
            active: bool,
            /// The branches it is for, as a glob.
            branch_filter: String,
            /// A header to send along.
            authorization_header: Secret,
            /// Its name; since 1.26.
            name: String,
        }
        lists {
            /// The events, for instance `push`; `push` alone unless told.
            events: String,
        }
    }
}

impl CreateHook {
    /// An active hook that delivers JSON, signed with this key.
    #[must_use]
    pub fn to(
        url: impl Into<String>,
        secret: impl Into<Secret>,
        events: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let config = HookConfig {
            secret: Some(secret.into()),
            ..HookConfig::json(url)
        };
        Self::new(HookKind::Gitea, config)
            .active(true)
            .events(events)
    }
}

/// What an edit sends: all that it would reset otherwise.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct EditHook {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    events: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    branch_filter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authorization_header: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    active: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl From<&Hook> for EditHook {
    /// An edit that changes nothing: the beginning of one that changes something.
    fn from(present: &Hook) -> Self {
        Self {
            config: None,
            events: Some(present.events.clone()),
            branch_filter: Some(present.branch_filter.clone()),
            authorization_header: Some(present.authorization_header.clone()),
            active: Some(present.active),
            name: None,
        }
    }
}

impl EditHook {
    /// Switches it on or off.
    #[must_use]
    pub fn active(mut self, active: bool) -> Self {
        self.active = Some(active);
        self
    }

    /// Sets the events.
    #[must_use]
    pub fn events(mut self, events: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.events = Some(events.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the branches it is for.
    #[must_use]
    pub fn branch_filter(mut self, filter: impl Into<String>) -> Self {
        self.branch_filter = Some(filter.into());
        self
    }

    /// Sets the receiver. The secret stays as it was.
    #[must_use]
    pub fn target(mut self, config: &HookConfig) -> Self {
        let mut members = config.others.clone();
        members.insert("url".to_owned(), config.url.clone());
        members.insert("content_type".to_owned(), config.content_type.clone());
        self.config = Some(members);
        self
    }
}

/// The webhooks of a scope.
#[derive(Debug, Clone)]
pub struct Hooks {
    client: Client,
    scope: Scope,
}

impl Hooks {
    pub(crate) fn new(client: &Client, scope: Scope) -> Self {
        Self {
            client: client.clone(),
            scope,
        }
    }

    fn request(&self, operation: &Operation) -> Request {
        Request::scoped(operation, &self.scope)
    }

    /// All of them; of the instance, system hooks only.
    ///
    /// Upstream: `GET …/hooks`
    pub fn list(&self) -> List<Hook> {
        List::paged(&self.client, self.request(&LIST))
    }

    /// One of them.
    ///
    /// Upstream: `GET …/hooks/{id}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, id: HookId) -> Result<Hook> {
        self.client.send(self.request(&GET).with("id", id)).await
    }

    /// Makes one.
    ///
    /// Upstream: `POST …/hooks`
    ///
    /// # Errors
    /// `Validation`, `Forbidden`.
    pub async fn create(&self, hook: &CreateHook) -> Result<Hook> {
        self.client.send(self.request(&CREATE).json(hook)).await
    }

    /// Changes one. Begin with `EditHook::from(&hook)`: what is not named is reset.
    ///
    /// Upstream: `PATCH …/hooks/{id}`
    ///
    /// # Errors
    /// `NotFound`, `Validation`.
    pub async fn edit(&self, id: HookId, changes: &EditHook) -> Result<Hook> {
        self.client
            .send(self.request(&EDIT).with("id", id).json(changes))
            .await
    }

    /// Removes one.
    ///
    /// Upstream: `DELETE …/hooks/{id}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete(&self, id: HookId) -> Result<()> {
        self.client
            .send_empty(self.request(&DELETE).with("id", id))
            .await
    }

    /// Has one deliver a push of the present head. Only hooks of a repository can.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/hooks/{id}/tests`
    ///
    /// # Errors
    /// `NotFound`, also for an empty repository and other scopes.
    pub async fn test(&self, id: HookId) -> Result<()> {
        self.client
            .send_empty(self.request(&TEST).with("id", id))
            .await
    }

    /// Makes sure that a hook to this address is there and as wished. The secret cannot be
    /// compared, nor changed: a hook whose key is lost must be deleted first.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = testkit::forge::Forge::start().await?;
    /// # let token = gitea_api::Auth::token(&*server.ready().root_token);
    /// # let client = gitea_api::Client::builder(server.url()).auth(token).build()?;
    /// use gitea_api::api::hooks::CreateHook;
    /// use gitea_api::api::repos::CreateRepo;
    ///
    /// client.me().create_repo(&CreateRepo::new("r")).await?;
    /// let wish = CreateHook::to("http://127.0.0.1:8000/hook", "shared key", ["push"]);
    /// let hook = client.repo("root1", "r").hooks().ensure(&wish).await?.into_inner();
    /// assert!(hook.active);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`create`](Self::create) and [`edit`](Self::edit).
    pub async fn ensure(&self, hook: &CreateHook) -> Result<Ensured<Hook>> {
        let all = self.list().collect(10_000).await?;
        let same = |present: &&Hook| present.config.get("url") == Some(&hook.config.url);
        let Some(present) = all.iter().find(same) else {
            return self.create(hook).await.map(Ensured::Created);
        };
        if is_as_wished(hook, present) {
            return Ok(Ensured::Unchanged(present.clone()));
        }
        let mut changes = EditHook::from(present).target(&hook.config);
        changes.active = hook.active.or(changes.active);
        changes.events = hook.events.clone().or(changes.events);
        changes.branch_filter = hook.branch_filter.clone().or(changes.branch_filter);
        changes.authorization_header = hook
            .authorization_header
            .clone()
            .or(changes.authorization_header);
        self.edit(present.id, &changes).await.map(Ensured::Updated)
    }
}

fn is_as_wished(wish: &CreateHook, present: &Hook) -> bool {
    // One word may be given back as several that begin with it.
    let covered = |event: &String, by: &[String]| {
        by.iter()
            .any(|other| event == other || event.starts_with(&format!("{other}_")))
    };
    let events = wish.events.as_ref().is_none_or(|wished| {
        wished.iter().all(|event| present.events.contains(event))
            && present.events.iter().all(|event| covered(event, wished))
    });
    let header = wish.authorization_header.as_ref();
    events
        && present.config.get("content_type") == Some(&wish.config.content_type)
        && wish.active.is_none_or(|active| active == present.active)
        && wish
            .branch_filter
            .as_ref()
            .is_none_or(|filter| *filter == present.branch_filter)
        && header.is_none_or(|header| *header == present.authorization_header)
}
