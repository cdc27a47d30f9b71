//! Secrets and variables as they are kept, and what a job sees of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::scope::Scope;
use super::vault::Sealed;
use crate::gitea::table::Row;
use crate::gitea::world::World;

/// A secret: its value goes to jobs, and to nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Whose it is.
    pub scope: Scope,
    /// Its name, in capitals.
    pub name: String,
    /// `description`.
    pub description: String,
    /// The sealed value.
    pub sealed: Sealed,
    /// Seconds since 1970.
    pub created: i64,
}

impl Row for Secret {
    const TABLE: &'static str = "secret";
    fn index(&self) -> Option<String> {
        Some(place(self.scope, &self.name))
    }
}

/// A variable: everybody who may see the repository's settings may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Whose it is.
    pub scope: Scope,
    /// Its name, in capitals.
    pub name: String,
    /// Its value.
    pub value: String,
    /// `description`.
    pub description: String,
}

impl Row for Variable {
    const TABLE: &'static str = "variable";
    fn index(&self) -> Option<String> {
        Some(place(self.scope, &self.name))
    }
}

/// Where a secret or variable of a name lies.
#[must_use]
pub(super) fn place(scope: Scope, name: &str) -> String {
    format!("{}/{}", scope.key(), name.to_uppercase())
}

/// The variables of a repository: its own before its owner's before everybody's.
#[must_use]
pub(super) fn variables_of(world: &World, repo: i64) -> BTreeMap<String, String> {
    let scopes = Scope::around(world, repo);
    let mut found = BTreeMap::new();
    for scope in scopes {
        let own = world
            .actions
            .variables
            .iter()
            .filter(|(_, row)| row.scope == scope);
        found.extend(own.map(|(_, row)| (row.name.clone(), row.value.clone())));
    }
    found
}

/// The secrets of a repository, opened, with the same precedence; what does not open is left out.
#[must_use]
pub(super) fn secrets_of(world: &World, repo: i64) -> BTreeMap<String, String> {
    let scopes = Scope::around(world, repo);
    let mut found = BTreeMap::new();
    for scope in scopes {
        let own = world
            .actions
            .secrets
            .iter()
            .filter(|(_, row)| row.scope == scope);
        found.extend(own.filter_map(|(_, row)| {
            let value = world
                .actions
                .key
                .open(&place(scope, &row.name), &row.sealed)?;
            Some((row.name.clone(), value))
        }));
    }
    found
}
