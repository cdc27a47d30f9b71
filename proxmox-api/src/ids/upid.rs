//! The identifier of a task: who started what, when, on which node.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{InvalidId, NodeName, text_conversions};

/// A task's unique identifier, e.g. `UPID:pve1:000063DD:0002E881:6B034DF4:vzcreate:100:root@pam:`.
///
/// The node inside it is the one that runs the task, whichever node was asked. The format is that
/// of `PVE::UPID`; the guest id may be empty and may hold `/`, `>` and `@`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Upid {
    text: String,
    node: NodeName,
    start: u64,
}

impl Upid {
    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The node that runs the task.
    #[must_use]
    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// What the task does, e.g. `vzcreate`, `vzstart`, `imgcopy`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.field(5)
    }

    /// What it is done to: a vmid, a volume, or empty.
    #[must_use]
    pub fn id(&self) -> &str {
        self.field(6)
    }

    /// The user or token that started it, e.g. `root@pam!ci`.
    #[must_use]
    pub fn user(&self) -> &str {
        self.field(7)
    }

    /// When it started, to the second.
    #[must_use]
    pub fn started(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.start)
    }

    fn field(&self, index: usize) -> &str {
        self.text.split(':').nth(index).unwrap_or("")
    }
}

impl FromStr for Upid {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        parse(text).ok_or_else(|| InvalidId::new("a task identifier (`UPID:node:…:`)", text))
    }
}

fn parse(text: &str) -> Option<Upid> {
    let fields: Vec<&str> = text.split(':').collect();
    let ["UPID", node, pid, pstart, start, kind, id, user, ""] = fields[..] else {
        return None;
    };
    let hex = |field: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&field.len()) && field.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let blank = |field: &str| field.contains(char::is_whitespace);
    if !hex(pid, 8..=8) || !hex(pstart, 8..=9) || !hex(start, 8..=8) {
        return None;
    }
    if kind.is_empty() || user.is_empty() || blank(kind) || blank(id) || blank(user) {
        return None;
    }
    Some(Upid {
        text: text.to_owned(),
        node: node.parse().ok()?,
        start: u64::from_str_radix(start, 16).ok()?,
    })
}

text_conversions!(Upid);
