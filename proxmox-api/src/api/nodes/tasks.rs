//! The list of a node's tasks.
//!
//! # Quirks
//! An entry of a finished task has its exit status in `status`; one that runs says `RUNNING`.
//! The default list leaves out what runs.

use std::time::SystemTime;

use serde::Deserialize;

use crate::ids::{NodeName, Upid, UserId, Vmid};
use crate::wire::{Params, lax};

/// Which tasks are listed; the last fifty that ended if nothing is said.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListTasks {
    all: bool,
    failed_only: bool,
    vmid: Option<Vmid>,
    kind: Option<String>,
    user: Option<UserId>,
    since: Option<SystemTime>,
    until: Option<SystemTime>,
    skip: Option<u64>,
    limit: Option<u64>,
}

impl ListTasks {
    /// The last fifty that ended.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those that run as well.
    pub fn running_too(mut self) -> Self {
        self.all = true;
        self
    }

    /// Only those that failed.
    pub fn failed_only(mut self) -> Self {
        self.failed_only = true;
        self
    }

    /// Only those about that guest.
    pub fn about(mut self, vmid: Vmid) -> Self {
        self.vmid = Some(vmid);
        self
    }

    /// Only those of that kind, e.g. `vzcreate`.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Only those of that user.
    pub fn user(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }

    /// Only those that started then or later.
    pub fn since(mut self, time: SystemTime) -> Self {
        self.since = Some(time);
        self
    }

    /// Only those that started then or earlier.
    pub fn until(mut self, time: SystemTime) -> Self {
        self.until = Some(time);
        self
    }

    /// Without the first so many.
    pub fn skip(mut self, entries: u64) -> Self {
        self.skip = Some(entries);
        self
    }

    /// At most so many; 0 is all.
    pub fn limit(mut self, entries: u64) -> Self {
        self.limit = Some(entries);
        self
    }

    pub(crate) fn params(&self) -> Params {
        let mut params = Params::default();
        params.set_some("source", self.all.then_some("all"));
        params.set_flag("errors", self.failed_only);
        params.set_some("vmid", self.vmid);
        params.set_some("typefilter", self.kind.as_ref());
        params.set_some("userfilter", self.user.as_ref());
        params.set_some("since", self.since.map(seconds));
        params.set_some("until", self.until.map(seconds));
        params.set_some("start", self.skip);
        params.set_some("limit", self.limit);
        params
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// A task in the list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct TaskEntry {
    /// Its identifier.
    pub upid: Upid,
    /// The node that runs it.
    pub node: NodeName,
    /// What it does, e.g. `vzcreate`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it does it to; may be empty.
    #[serde(default)]
    pub id: String,
    /// Who started it.
    pub user: String,
    /// Exit status; `RUNNING` or nothing while it runs.
    #[serde(default)]
    pub status: Option<String>,
    /// When it started, in seconds since 1970.
    #[serde(deserialize_with = "lax")]
    pub starttime: u64,
    /// When it ended, in seconds since 1970.
    #[serde(default, deserialize_with = "lax")]
    pub endtime: Option<u64>,
}

impl TaskEntry {
    /// Whether it ended well, warnings included; nothing while it runs.
    #[must_use]
    pub fn succeeded(&self) -> Option<bool> {
        let status = self
            .status
            .as_deref()
            .filter(|status| *status != "RUNNING")?;
        Some(status == "OK" || status.starts_with("WARNINGS: "))
    }
}
