//! Identifiers as types: a vmid is not a number, a node name is not a text.
//!
//! Each parses from its written form, refuses what the server would refuse, and prints as it was
//! read. The rules are those of `PVE::JSONSchema` (formats `pve-vmid`, `pve-node`,
//! `pve-storage-id`, `pve-volume-id`) and of `PVE::AccessControl` for users and tokens.

mod upid;
mod volume;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use upid::Upid;
pub use volume::VolumeId;

/// A text that is no identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not {expected}")]
pub struct InvalidId {
    expected: &'static str,
    value: String,
}

impl InvalidId {
    pub(crate) fn new(expected: &'static str, value: impl Into<String>) -> Self {
        Self {
            expected,
            value: value.into(),
        }
    }
}

/// Gives a text identifier its conversions; `valid` is the rule, `expected` its words.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $valid:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if $valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidId::new($expected, text))
                }
            }
        }

        text_conversions!($name);
    };
}

/// The conversions that follow from `FromStr` and `as_str`.
macro_rules! text_conversions {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidId;

            fn try_from(text: &str) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
use text_conversions;

text_id!(
    /// Name of a cluster node, as in `/nodes/{node}`: a DNS label.
    NodeName,
    "a node name (letters, digits and inner hyphens, at most 63 characters)",
    is_node_name
);

text_id!(
    /// Name of a storage, as in `/storage/{storage}`.
    StorageId,
    "a storage name (a letter, then letters, digits, `-`, `_`, `.`; at least two characters)",
    is_storage_id
);

text_id!(
    /// Name of a resource pool; nested pools are written `parent/child`.
    PoolId,
    "a pool name (letters, digits, `-`, `_`, `.`, at most two `/`)",
    is_pool_id
);

text_id!(
    /// A user with its realm: `root@pam`.
    UserId,
    "a user with realm (`name@realm`)",
    is_user_id
);

text_id!(
    /// An API token's full name: `root@pam!ci`.
    TokenId,
    "a token name (`user@realm!name`)",
    is_token_id
);

text_id!(
    /// SHA-1 of a configuration as the server computed it; guards a change against a concurrent one.
    Digest,
    "a digest (40 hexadecimal digits)",
    is_digest
);

impl UserId {
    /// The part after the last `@`.
    #[must_use]
    pub fn realm(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, realm)| realm)
    }
}

impl TokenId {
    /// The user that owns the token.
    #[must_use]
    pub fn user(&self) -> &str {
        self.0.rsplit_once('!').map_or("", |(user, _)| user)
    }

    /// The token's own name, after the `!`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('!').map_or("", |(_, name)| name)
    }
}

/// Number of a guest, unique in the cluster: 100 to 999,999,999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vmid(u32);

impl Vmid {
    const EXPECTED: &'static str = "a vmid (100 to 999999999)";

    /// The number itself.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Vmid {
    type Error = InvalidId;

    fn try_from(number: u32) -> Result<Self, InvalidId> {
        if (100..=999_999_999).contains(&number) {
            Ok(Self(number))
        } else {
            Err(InvalidId::new(Self::EXPECTED, number.to_string()))
        }
    }
}

impl FromStr for Vmid {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        text.parse::<u32>()
            .ok()
            .filter(|_| plain)
            .and_then(|number| Self::try_from(number).ok())
            .ok_or_else(|| InvalidId::new(Self::EXPECTED, text))
    }
}

impl fmt::Display for Vmid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Vmid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

impl<'de> Deserialize<'de> for Vmid {
    /// Accepts a number and a text, since `/cluster/nextid` answers the latter.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: String = crate::wire::lax(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn is_node_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_storage_id(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.len() >= 2
        && text.bytes().all(inner)
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.ends_with(|last: char| last.is_ascii_alphanumeric())
}

fn is_pool_id(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let parts: Vec<&str> = text.split('/').collect();
    parts.len() <= 3
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(inner))
}

fn is_user_id(text: &str) -> bool {
    let name = |byte: u8| !byte.is_ascii_whitespace() && !b":/".contains(&byte);
    text.rsplit_once('@').is_some_and(|(user, realm)| {
        !user.is_empty() && user.bytes().all(name) && is_word(realm) && !realm.contains('!')
    }) && text.len() <= 64
}

fn is_token_id(text: &str) -> bool {
    text.rsplit_once('!')
        .is_some_and(|(user, name)| is_user_id(user) && is_word(name))
}

/// A letter, then letters, digits, `.`, `-`, `_`: realms and token names.
fn is_word(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(inner)
}

fn is_digest(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
