//! The run journal: what was done when, on disk before it is done.
//!
//! One JSON object a line, appended and synced. A run begins with who runs it and on what; each
//! effect stands there twice, intended before and ended after, with the task that Proxmox VE made of
//! it. A run that was killed leaves an intention without an end, which the next run looks into.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::Lines;

/// Past this size a journal is set aside under the name `….1` when a run begins.
const TURN_OVER: u64 = 8 * 1024 * 1024;

/// Why the journal cannot be kept. Nothing is done without it.
#[derive(Debug, thiserror::Error)]
#[error("writing the run journal `{}`", path.display())]
pub struct Error {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Where a fleet comes from: what a later reader needs to find the reason of a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The repository's address, without user and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The commit that is checked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When, RFC 3339 with milliseconds, UTC.
    pub at: String,
    /// Which run.
    pub run: String,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Entry {
    /// A run began.
    Begin {
        /// The process.
        pid: u32,
        /// The command: `apply`, `destroy`.
        command: String,
        /// The fleet's id.
        fleet: String,
        /// The layers that may run.
        layers: Vec<String>,
        /// Where the fleet comes from.
        #[serde(flatten)]
        provenance: Provenance,
    },
    /// An effect is about to be caused.
    Intend(Effect),
    /// Proxmox VE made a task of an effect.
    Task {
        /// Which effect.
        #[serde(flatten)]
        effect: Effect,
        /// The task.
        upid: String,
    },
    /// An effect was caused.
    Done(Effect),
    /// An effect failed, or nobody knows.
    Failed {
        /// Which effect.
        #[serde(flatten)]
        effect: Effect,
        /// Why.
        error: String,
    },
    /// A layer's gate holds for a container, seen on the guest itself.
    Gate {
        /// The container.
        container: String,
        /// The layer whose gate it is.
        layer: String,
    },
    /// A run ended by itself.
    End {
        /// `done`, `failed` or `refused`.
        outcome: String,
    },
}

/// Something that changes the world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// The container.
    pub container: String,
    /// Its number.
    pub vmid: u32,
    /// Its node.
    pub node: String,
    /// The layer that wants it.
    pub layer: String,
    /// What: `create`, `configure`, `start`, …
    pub action: String,
}

/// The journal of one run, open for appending.
#[derive(Debug)]
pub struct Journal {
    lines: Lines,
    run: String,
}

impl Journal {
    /// Opens the journal in `folder` and begins a run.
    ///
    /// # Errors
    ///
    /// When the file cannot be made or written.
    pub fn begin(folder: &Path, run: &str, begin: Entry) -> Result<Self, Error> {
        let path = Self::path(folder);
        let fail = |source| Error {
            path: path.clone(),
            source,
        };
        if fs::metadata(&path).is_ok_and(|file| file.len() > TURN_OVER) {
            fs::rename(&path, path.with_extension("jsonl.1")).map_err(fail)?;
        }
        let journal = Self {
            lines: Lines::open(path.clone()).map_err(fail)?,
            run: run.to_owned(),
        };
        journal.write(begin)?;
        Ok(journal)
    }

    /// The run's name.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Where the journal of a state folder is.
    #[must_use]
    pub fn path(folder: &Path) -> PathBuf {
        folder.join("journal.jsonl")
    }

    /// Appends one entry and waits until it is on disk.
    ///
    /// # Errors
    ///
    /// When it cannot be written: then what it announces must not be done.
    pub fn write(&self, entry: Entry) -> Result<(), Error> {
        let record = Record {
            at: now(),
            run: self.run.clone(),
            entry,
        };
        self.lines.append(&record).map_err(|source| Error {
            path: self.lines.path().to_owned(),
            source,
        })
    }

    /// What every run wrote into a state folder, oldest first; a torn line is left out.
    ///
    /// # Errors
    ///
    /// When the file exists and cannot be read.
    pub fn read(folder: &Path) -> io::Result<Vec<Record>> {
        Lines::read(&Self::path(folder))
    }
}

/// Now, RFC 3339 with milliseconds, UTC.
pub(crate) fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

/// The effects on a guest that were intended and have no certain end: where a run was killed, or an
/// answer was lost.
#[must_use]
pub fn unfinished(records: &[Record], vmid: u32) -> Vec<Unfinished> {
    let mut open: Vec<Unfinished> = Vec::new();
    for record in records {
        match &record.entry {
            Entry::Intend(effect) if effect.vmid == vmid => open.push(Unfinished {
                at: record.at.clone(),
                effect: effect.clone(),
                upid: None,
            }),
            Entry::Task { effect, upid } => {
                if let Some(found) = open.iter_mut().rev().find(|it| it.effect == *effect) {
                    found.upid = Some(upid.clone());
                }
            }
            Entry::Done(effect) => open.retain(|it| it.effect != *effect),
            _ => {}
        }
    }
    open
}

/// An effect of which nobody knows whether it was caused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// When it was intended.
    pub at: String,
    /// What it was.
    pub effect: Effect,
    /// The task that Proxmox VE made of it, when its answer arrived.
    pub upid: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(action: &str) -> Effect {
        Effect {
            container: "web".to_owned(),
            vmid: 101,
            node: "pve1".to_owned(),
            layer: "container-default".to_owned(),
            action: action.to_owned(),
        }
    }

    fn begin() -> Entry {
        Entry::Begin {
            pid: 1,
            command: "apply".to_owned(),
            fleet: "fleet-0001".to_owned(),
            layers: vec!["container-default".to_owned()],
            provenance: Provenance::default(),
        }
    }

    #[test]
    fn what_is_written_is_read_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::begin(folder.path(), "r1", begin()).unwrap();
        journal.write(Entry::Intend(effect("create"))).unwrap();
        journal.write(Entry::Done(effect("create"))).unwrap();
        let read: Vec<Entry> = Journal::read(folder.path())
            .unwrap()
            .into_iter()
            .map(|record| record.entry)
            .collect();
        let expected = [
            begin(),
            Entry::Intend(effect("create")),
            Entry::Done(effect("create")),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn a_torn_line_is_left_out_and_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        drop(Journal::begin(folder.path(), "r1", begin()).unwrap());
        let path = Journal::path(folder.path());
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str(r#"{"at":"2026-"#);
        fs::write(&path, text).unwrap();
        assert_eq!(Journal::read(folder.path()).unwrap().len(), 1);
        drop(Journal::begin(folder.path(), "r2", begin()).unwrap());
        assert_eq!(Journal::read(folder.path()).unwrap().len(), 2);
    }

    #[test]
    fn an_intention_without_an_end_is_unfinished_with_its_task() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::begin(folder.path(), "r1", begin()).unwrap();
        for action in ["create", "start"] {
            journal.write(Entry::Intend(effect(action))).unwrap();
        }
        let task = Entry::Task {
            effect: effect("create"),
            upid: "UPID:pve1:…".to_owned(),
        };
        journal.write(task).unwrap();
        journal.write(Entry::Done(effect("start"))).unwrap();
        let records = Journal::read(folder.path()).unwrap();
        let open = unfinished(&records, 101);
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].effect, effect("create"));
        assert_eq!(open[0].upid.as_deref(), Some("UPID:pve1:…"));
        assert_eq!(unfinished(&records, 102), []);
    }

    #[test]
    fn a_journal_that_cannot_be_written_names_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("file");
        fs::write(&blocked, "").unwrap();
        let error = Journal::begin(&blocked, "r1", begin()).unwrap_err();
        assert!(error.to_string().contains("journal.jsonl"), "{error}");
    }

    #[test]
    fn a_full_disk_is_an_error_before_the_effect() {
        let journal = Journal {
            lines: Lines::open(PathBuf::from("/dev/full")).unwrap(),
            run: "r1".to_owned(),
        };
        let error = journal.write(begin()).unwrap_err();
        assert_eq!(error.to_string(), "writing the run journal `/dev/full`");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("No space left on device"), "{cause}");
    }
}
