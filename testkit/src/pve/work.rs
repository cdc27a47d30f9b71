//! What tasks do: begun when the task starts, finished when it ends.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::World;
use super::lxc::{create, destroy, power, snapshot, volumes};
use super::reply::Fail;
use super::{backup, storage};

/// A password on its way to a guest; never printed, never in a snapshot.
#[derive(Clone, Default)]
pub struct Password(String);

impl Password {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The password itself, for the one who sets it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Work on a real guest, for a task.
#[derive(Debug, Clone)]
pub struct Job {
    /// The task whose end depends on it.
    pub upid: String,
    /// What is to be done.
    pub action: Action,
}

/// What is to be done with a real guest.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Action {
    /// Create it, stopped.
    Create {
        /// Its id.
        vmid: u32,
        /// Its configuration.
        config: BTreeMap<String, String>,
        /// Volume id of the template.
        template: String,
        /// Password of root.
        password: Option<Password>,
        /// Lines for `authorized_keys`.
        ssh_public_keys: Option<String>,
    },
    /// Start it with this configuration.
    Start {
        /// Its id.
        vmid: u32,
        /// Its configuration.
        config: BTreeMap<String, String>,
    },
    /// Stop it at once.
    Stop {
        /// Its id.
        vmid: u32,
    },
    /// Ask it to shut down.
    Shutdown {
        /// Its id.
        vmid: u32,
        /// Seconds it may take.
        timeout: u64,
        /// Whether it is stopped when it took too long.
        force: bool,
    },
    /// Shut down and start again.
    Reboot {
        /// Its id.
        vmid: u32,
        /// Seconds it may take to go down.
        timeout: u64,
        /// Its configuration.
        config: BTreeMap<String, String>,
    },
    /// Remove it.
    Destroy {
        /// Its id.
        vmid: u32,
    },
    /// Change it while it runs.
    Apply {
        /// Its id.
        vmid: u32,
        /// How it was.
        before: BTreeMap<String, String>,
        /// How it shall be.
        after: BTreeMap<String, String>,
    },
}

impl Action {
    /// The guest it is about.
    #[must_use]
    pub fn vmid(&self) -> u32 {
        match self {
            Self::Create { vmid, .. }
            | Self::Start { vmid, .. }
            | Self::Stop { vmid }
            | Self::Shutdown { vmid, .. }
            | Self::Reboot { vmid, .. }
            | Self::Destroy { vmid }
            | Self::Apply { vmid, .. } => *vmid,
        }
    }
}

/// What a task is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Work {
    Create(Box<create::Create>),
    Start {
        vmid: u32,
        skiplock: bool,
    },
    Stop {
        vmid: u32,
        skiplock: bool,
    },
    Shutdown {
        vmid: u32,
        timeout: u64,
        force: bool,
    },
    Reboot {
        vmid: u32,
        timeout: u64,
    },
    Suspend {
        vmid: u32,
    },
    Resume {
        vmid: u32,
    },
    Destroy(destroy::Destroy),
    Resize(volumes::Resize),
    Move(volumes::Move),
    Clone(Box<super::lxc::clone::Copy>),
    Snapshot(snapshot::Take),
    DeleteSnapshot {
        vmid: u32,
        name: String,
        force: bool,
    },
    Rollback {
        vmid: u32,
        name: String,
        start: bool,
    },
    Backup(Box<backup::Dump>),
    Copy(storage::upload::Copy),
    Remove {
        volume: String,
    },
    Nothing {
        lines: Vec<String>,
    },
}

impl Work {
    pub(crate) fn is_create(&self) -> bool {
        matches!(self, Self::Create(_))
    }
}

impl World {
    /// The checks with which a worker begins, and what a real guest needs.
    pub(crate) fn begin(
        &mut self,
        work: &Work,
        log: &mut Vec<String>,
    ) -> Result<Option<Action>, Fail> {
        match work {
            Work::Create(create) => create::begin(self, create, log).map(Some),
            Work::Start { vmid, skiplock } => power::begin_start(self, *vmid, *skiplock).map(Some),
            Work::Stop { vmid, skiplock } => {
                power::begin_stop(self, *vmid, *skiplock, Action::Stop { vmid: *vmid })
            }
            Work::Shutdown {
                vmid,
                timeout,
                force,
            } => {
                let action = Action::Shutdown {
                    vmid: *vmid,
                    timeout: *timeout,
                    force: *force,
                };
                power::begin_stop(self, *vmid, false, action)
            }
            Work::Reboot { vmid, timeout } => power::begin_reboot(self, *vmid, *timeout).map(Some),
            Work::Destroy(destroy) => destroy::begin(self, destroy, log).map(Some),
            Work::Move(change) => volumes::begin_move(self, change).map(|()| None),
            Work::Snapshot(take) => snapshot::begin(self, take).map(|()| None),
            Work::DeleteSnapshot { vmid, name, .. } | Work::Rollback { vmid, name, .. } => {
                snapshot::need(self, *vmid, name).map(|()| None)
            }
            Work::Backup(dump) => backup::begin(self, dump, log).map(|()| None),
            _ => Ok(None),
        }
    }

    /// What is true once the task has ended well; the number of its warnings.
    pub(crate) fn finish(&mut self, work: &Work, log: &mut Vec<String>) -> Result<u32, Fail> {
        match work {
            Work::Create(create) => create::finish(self, create, log)?,
            Work::Start { vmid, .. } => power::started(self, *vmid),
            Work::Stop { vmid, .. } | Work::Shutdown { vmid, .. } => power::stopped(self, *vmid),
            Work::Reboot { vmid, .. } => power::rebooted(self, *vmid),
            Work::Suspend { vmid } => power::suspend(self, *vmid, true),
            Work::Resume { vmid } => power::suspend(self, *vmid, false),
            Work::Destroy(destroy) => destroy::finish(self, destroy, log)?,
            Work::Resize(resize) => volumes::resize(self, resize)?,
            Work::Move(change) => volumes::finish_move(self, change, log)?,
            Work::Clone(copy) => super::lxc::clone::finish(self, copy, log)?,
            Work::Snapshot(take) => snapshot::take(self, take)?,
            Work::DeleteSnapshot { vmid, name, .. } => snapshot::delete(self, *vmid, name)?,
            Work::Rollback { vmid, name, start } => snapshot::rollback(self, *vmid, name, *start)?,
            Work::Backup(dump) => backup::finish(self, dump, log)?,
            Work::Copy(copy) => storage::upload::finish(self, copy, log)?,
            Work::Remove { volume } => storage::content::remove(self, volume, log)?,
            Work::Nothing { lines } => log.extend(lines.iter().cloned()),
        }
        Ok(0)
    }

    /// Takes back what a task had begun whose work on a real guest failed; the exit status.
    pub(crate) fn fail(&mut self, work: &Work, text: &str) -> String {
        match work {
            Work::Create(create) => create::undo(self, create, text),
            Work::Shutdown { .. } | Work::Stop { .. } | Work::Start { .. } => text.to_owned(),
            _ => text.to_owned(),
        }
    }

    /// What remains when somebody ends a task early.
    pub(crate) fn abort(&mut self, work: &Work) {
        if let Work::Clone(copy) = work {
            super::lxc::clone::abort(self, copy);
        }
    }
}
