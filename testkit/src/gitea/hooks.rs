//! Webhooks: who wants to hear of what, and what was told.
//!
//! An event becomes deliveries within the change that it belongs to, so that none is lost; they go
//! out afterwards, by whoever calls [`pending`], [`outgoing`] and [`delivered`] in turn.

use serde::{Deserialize, Serialize};

use super::actions::Sealed;
use super::events::{Effects, Event};
use super::git::Git;
use super::router::Route;
use super::table::{AnyTable, Row, Table};
use super::world::World;

mod api;
#[cfg(feature = "server")]
mod courier;
mod delivery;
mod filter;
mod kinds;
mod telling;

#[cfg(test)]
mod tests;

#[cfg(feature = "server")]
pub use courier::deliver_forever;
pub use delivery::{Outgoing, Verdict, delivered, outgoing, pending};
pub(crate) use telling::{workflow_job, workflow_run};

/// The operations below `/api/v1`.
pub(crate) const ROUTES: &[Route] = api::ROUTES;

/// Everything that webhooks keep.
#[derive(Debug, Clone, Default)]
pub struct HooksState {
    /// Who wants to hear.
    pub hooks: Table<Hook>,
    /// What was told, or is to be told.
    pub deliveries: Table<Delivery>,
}

impl HooksState {
    /// Every table there is.
    pub fn tables(&mut self) -> Vec<&mut dyn AnyTable> {
        vec![&mut self.hooks, &mut self.deliveries]
    }
}

/// Whose events a hook hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookScope {
    /// Those of one repository.
    Repo(i64),
    /// Those of all repositories of an account.
    Owner(i64),
    /// All.
    System,
    /// None: it is copied into new repositories.
    Default,
}

/// How a payload is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContentType {
    /// As it is.
    Json,
    /// As the form field `payload`.
    Form,
}

/// An address that wants to hear of events.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Its id.
    pub id: i64,
    /// Whose events it hears.
    pub scope: HookScope,
    /// `type`; all but `gitea` are kept and answered, and told in Gitea's form.
    pub kind: String,
    /// `name`.
    pub name: String,
    /// Where it is told.
    pub url: String,
    /// How.
    pub content_type: ContentType,
    /// What signs the payload.
    pub secret: Option<Sealed>,
    /// Of what, one word for each.
    pub events: Vec<String>,
    /// A glob of branches; empty is all.
    pub branch_filter: String,
    /// What is sent as `Authorization`.
    pub authorization: Option<Sealed>,
    /// Whether it is told anything.
    pub active: bool,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970.
    pub updated: i64,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hook")
            .field("id", &self.id)
            .field("scope", &self.scope)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Row for Hook {
    const TABLE: &'static str = "hook";
}

/// One thing told to one hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The hook.
    pub hook: i64,
    /// `X-Gitea-Delivery`.
    pub uuid: String,
    /// `X-Gitea-Event`.
    pub event: String,
    /// `X-Gitea-Event-Type`.
    pub event_type: String,
    /// The payload, as JSON with two blanks.
    pub payload: String,
    /// Seconds since 1970.
    pub created: i64,
    /// How it went; `None` while it is to be sent.
    pub verdict: Option<Verdict>,
}

impl Row for Delivery {
    const TABLE: &'static str = "delivery";
    fn group(&self) -> i64 {
        self.hook
    }
}

/// Something happened; deliveries are queued here.
pub(crate) fn on_event(world: &mut World, git: &Git, event: &Event, _effects: &mut Effects) {
    telling::on_event(world, git, event);
}

/// A repository goes: its hooks go with it.
pub(crate) fn forget_repository(world: &mut World, repo: i64) {
    forget(world, HookScope::Repo(repo));
}

/// An owner goes: its hooks go with it.
pub(crate) fn forget_owner(world: &mut World, owner: i64) {
    forget(world, HookScope::Owner(owner));
}

fn forget(world: &mut World, scope: HookScope) {
    let own = world
        .hooks
        .hooks
        .iter()
        .filter(|(_, hook)| hook.scope == scope);
    let own: Vec<i64> = own.map(|(id, _)| id).collect();
    for id in own {
        remove(world, id);
    }
}

/// A hook goes with everything it was told.
fn remove(world: &mut World, hook: i64) -> Option<Hook> {
    world.hooks.deliveries.remove_group(hook);
    world.hooks.hooks.remove(hook)
}

/// Where the sealed parts of a hook belong.
fn place(scope: HookScope, part: &str) -> String {
    format!("hook/{scope:?}/{part}")
}
