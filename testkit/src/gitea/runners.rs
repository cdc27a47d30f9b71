//! Runners: who they are, what they offer, and the protocol by which they work.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::actions::Scope;
use super::random::Random;
use super::router::Route;
use super::table::{AnyTable, Row, Table};
use super::world::World;

mod api;
mod fetch;
mod log;
#[cfg(feature = "server")]
mod patience;
mod protocol;
mod report;

#[cfg(test)]
mod tests;

#[cfg(feature = "server")]
pub(crate) use patience::await_work;
pub(crate) use protocol::door;

/// The routes of runners below `/api/v1`.
pub(crate) const ROUTES: &[Route] = api::ROUTES;

/// Everything that is known of runners.
#[derive(Debug, Clone, Default)]
pub struct RunnersState {
    /// The runners.
    pub runners: Table<Runner>,
    /// What opens the door to new ones, one for each scope.
    pub tokens: Table<RegistrationToken>,
    /// How often work was made ready, for each scope.
    pub versions: Table<TasksVersion>,
    /// When each was last heard of; not stored, since a runner that lives says so again.
    pub presence: Presence,
}

/// A program that takes jobs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runner {
    /// Its id.
    pub id: i64,
    /// What it calls itself.
    pub uuid: String,
    /// SHA-256 of its token in hexadecimal digits.
    pub token_sha256: String,
    /// Its name, not unique.
    pub name: String,
    /// The version it declared.
    pub version: String,
    /// What it offers, as it was sent.
    pub labels: Vec<String>,
    /// Whether it takes one task and is gone.
    pub ephemeral: bool,
    /// Whether it gets nothing for now.
    pub disabled: bool,
    /// Whose jobs it takes.
    pub scope: Scope,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl Row for Runner {
    const TABLE: &'static str = "runner";
    fn index(&self) -> Option<String> {
        Some(self.uuid.clone())
    }
}

/// A token by which programs become runners of a scope, as often as they like.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationToken {
    /// The scope.
    pub scope: Scope,
    /// The token; it can be asked for again, so it is kept as it is.
    pub token: String,
}

impl std::fmt::Debug for RegistrationToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistrationToken")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl Row for RegistrationToken {
    const TABLE: &'static str = "runner_token";
    fn index(&self) -> Option<String> {
        Some(self.scope.key())
    }
}

/// Goes up whenever work becomes ready in a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TasksVersion {
    /// The scope.
    pub scope: Scope,
    /// From 1.
    pub version: i64,
}

impl Row for TasksVersion {
    const TABLE: &'static str = "tasks_version";
    fn index(&self) -> Option<String> {
        Some(self.scope.key())
    }
}

impl RunnersState {
    /// Every table there is.
    pub fn tables(&mut self) -> Vec<&mut dyn AnyTable> {
        vec![&mut self.runners, &mut self.tokens, &mut self.versions]
    }

    /// The version of a scope, from 1.
    #[must_use]
    pub fn version(&self, scope: Scope) -> i64 {
        self.versions
            .find(&scope.key())
            .map_or(1, |row| row.version)
    }

    /// Tells the runners of a scope that there may be something for them.
    pub(crate) fn raise_version(&mut self, scope: Scope) {
        let version = self.version(scope) + 1;
        match self.versions.find_id(&scope.key()) {
            Some(id) => {
                self.versions.update(id, |row| row.version = version);
            }
            None => {
                self.versions.insert(|_| TasksVersion { scope, version });
            }
        }
    }

    /// A scope goes: its runners and tokens go with it.
    pub(crate) fn forget_scope(&mut self, scope: Scope) {
        let own = self
            .runners
            .iter()
            .filter(|(_, runner)| runner.scope == scope);
        let own: Vec<i64> = own.map(|(id, _)| id).collect();
        for id in own {
            self.runners.remove(id);
        }
        if let Some(id) = self.tokens.find_id(&scope.key()) {
            self.tokens.remove(id);
        }
        if let Some(id) = self.versions.find_id(&scope.key()) {
            self.versions.remove(id);
        }
    }
}

/// The registration token of a scope; made when it is asked for first.
pub fn registration_token(world: &mut World, scope: Scope) -> String {
    if let Some(known) = world.actions.runners.tokens.find(&scope.key()) {
        return known.token.clone();
    }
    let token = new_token(&mut world.random);
    set_registration_token(world, scope, &token);
    token
}

/// Replaces the registration token of a scope.
pub fn set_registration_token(world: &mut World, scope: Scope, token: &str) {
    let tokens = &mut world.actions.runners.tokens;
    if let Some(id) = tokens.find_id(&scope.key()) {
        tokens.remove(id);
    }
    let token = token.to_owned();
    tokens.insert(|_| RegistrationToken { scope, token });
}

fn new_token(random: &mut Random) -> String {
    const LETTERS: usize = 40;
    random.letters(LETTERS)
}

/// When each runner was last heard of, in seconds since 1970.
#[derive(Debug, Default)]
pub struct Presence(Mutex<HashMap<i64, Heard>>);

/// The last signs of life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// Any call.
    pub any: i64,
    /// A word about a task.
    pub work: i64,
}

impl Clone for Presence {
    fn clone(&self) -> Self {
        Self(Mutex::new(
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        ))
    }
}

impl Presence {
    /// The last signs of life of a runner.
    #[must_use]
    pub fn of(&self, runner: i64) -> Heard {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.get(&runner).copied().unwrap_or_default()
    }

    fn note(&self, runner: i64, now: i64, about_work: bool) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = heard.entry(runner).or_default();
        entry.any = now;
        if about_work {
            entry.work = now;
        }
    }
}
