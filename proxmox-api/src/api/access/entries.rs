//! What is said about users, tokens and rights.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Deserializer};

use crate::auth::{ApiToken, Secret};
use crate::ids::{TokenId, UserId};
use crate::wire::lax;

/// Privileges by path, e.g. `VM.Audit` on `/vms/105`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permissions(BTreeMap<String, BTreeSet<String>>);

impl Permissions {
    /// Whether a privilege is there on that very path. Paths that inherit it are not listed when
    /// all permissions are asked for; ask for the path in question.
    #[must_use]
    pub fn has(&self, path: &str, privilege: &str) -> bool {
        self.0
            .get(path)
            .is_some_and(|privileges| privileges.contains(privilege))
    }

    /// Every path with its privileges.
    pub fn iter(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
        self.0
            .iter()
            .map(|(path, privileges)| (path.as_str(), privileges.iter().map(String::as_str)))
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The value tells whether the privilege is inherited further down, not whether it is there.
        let paths =
            BTreeMap::<String, BTreeMap<String, serde::de::IgnoredAny>>::deserialize(deserializer)?;
        Ok(Self(
            paths
                .into_iter()
                .map(|(path, set)| (path, set.into_keys().collect()))
                .collect(),
        ))
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct User {
    /// Its name with realm.
    #[serde(default)]
    pub userid: Option<UserId>,
    /// Whether it may log in.
    #[serde(default = "yes", deserialize_with = "lax")]
    pub enable: bool,
    /// When it expires, in seconds since 1970; 0 is never.
    #[serde(default, deserialize_with = "lax")]
    pub expire: u64,
    /// What it is for.
    #[serde(default)]
    pub comment: Option<String>,
    /// Its mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Its first name.
    #[serde(default)]
    pub firstname: Option<String>,
    /// Its last name.
    #[serde(default)]
    pub lastname: Option<String>,
}

impl User {
    /// With the name it was asked for by, which the answer does not repeat.
    pub(super) fn named(mut self, user: &UserId) -> Self {
        self.userid.get_or_insert_with(|| user.clone());
        self
    }
}

fn yes() -> bool {
    true
}

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct TokenInfo {
    /// Its own name, without the user's.
    #[serde(default)]
    pub tokenid: String,
    /// Whether it has only those rights of its user that it was given as well.
    #[serde(default = "yes", deserialize_with = "lax")]
    pub privsep: bool,
    /// When it expires, in seconds since 1970; 0 is never.
    #[serde(default, deserialize_with = "lax")]
    pub expire: u64,
    /// What it is for.
    #[serde(default)]
    pub comment: Option<String>,
}

impl TokenInfo {
    /// With the name it was asked for by, which the answer does not repeat.
    pub(super) fn named(mut self, name: &str) -> Self {
        if self.tokenid.is_empty() {
            name.clone_into(&mut self.tokenid);
        }
        self
    }
}

/// A token that was just created.
#[derive(Deserialize)]
pub struct NewToken {
    #[serde(rename = "full-tokenid")]
    id: TokenId,
    value: String,
}

impl NewToken {
    /// The token with its secret.
    #[must_use]
    pub fn into_token(self) -> ApiToken {
        ApiToken::new(self.id, Secret::new(self.value))
    }
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// One role of somebody somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct AclEntry {
    /// Where, e.g. `/vms/105`.
    pub path: String,
    /// The role.
    pub roleid: String,
    /// `user`, `group` or `token`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name of the user, group or token.
    pub ugid: String,
    /// Whether it holds further down as well.
    #[serde(default = "yes", deserialize_with = "lax")]
    pub propagate: bool,
}
