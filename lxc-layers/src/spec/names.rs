//! The names a fleet gives: container, fleet, guest number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a name cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{written}` is not {wanted}")]
pub struct NotAName {
    written: String,
    wanted: &'static str,
}

impl NotAName {
    fn new(written: &str, wanted: &'static str) -> Self {
        Self {
            written: written.to_owned(),
            wanted,
        }
    }

    /// What would have been one.
    #[must_use]
    pub const fn wanted(&self) -> &'static str {
        self.wanted
    }
}

/// The name of a container within its fleet: its folder, and by default its hostname.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerName(String);

impl ContainerName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContainerName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        if is_dns_label(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAName::new(
                text,
                "a name of lower-case letters, digits and inner hyphens",
            ))
        }
    }
}

/// Whether `text` may be one label of a host name: at most 63 of `a-z`, `0-9`, inner `-`.
#[must_use]
pub fn is_dns_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// The random identity of a fleet, written once by `init`; it stands in every guest's marker.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FleetId(String);

impl FleetId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FleetId {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let fits = (8..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAName::new(
                text,
                "8 to 64 lower-case letters, digits or hyphens",
            ))
        }
    }
}

/// The number of a guest, unique in its cluster: 100 to 999999999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Vmid(u32);

impl Vmid {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Vmid {
    type Error = NotAName;

    fn try_from(number: u32) -> Result<Self, NotAName> {
        if (100..=999_999_999).contains(&number) {
            Ok(Self(number))
        } else {
            Err(NotAName::new(
                &number.to_string(),
                "a number from 100 to 999999999",
            ))
        }
    }
}

impl From<Vmid> for u32 {
    fn from(vmid: Vmid) -> Self {
        vmid.0
    }
}

impl FromStr for Vmid {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        // `parse` alone would take a sign.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<u32>().ok().filter(|_| digits);
        number
            .ok_or_else(|| NotAName::new(text, "a number from 100 to 999999999"))
            .and_then(Self::try_from)
    }
}

impl fmt::Display for Vmid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl fmt::Display for ContainerName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Display for FleetId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl TryFrom<String> for ContainerName {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

impl TryFrom<String> for FleetId {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

impl From<ContainerName> for String {
    fn from(name: ContainerName) -> Self {
        name.0
    }
}

impl From<FleetId> for String {
    fn from(id: FleetId) -> Self {
        id.0
    }
}
