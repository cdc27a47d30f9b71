//! What was changed on the host, on disk before it is done.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::while_doing;
use crate::guests::Failure;

/// A change to the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub(super) enum Change {
    /// A container of this name, running or not.
    Container {
        /// Its name.
        name: String,
    },
    /// A bind mount of the guests' folder.
    Mount {
        /// Where it is mounted; the folder was made for it.
        at: PathBuf,
    },
    /// A line added to a file of id ranges.
    IdRange {
        /// The file.
        file: PathBuf,
        /// The line, without its end.
        line: String,
    },
    /// A bridge.
    Bridge {
        /// Its name.
        name: String,
    },
    /// A table of packet rules, in the family `ip`.
    Table {
        /// Its name.
        name: String,
    },
    /// Rules that let a bridge's traffic through somebody else's filter.
    Accept {
        /// The bridge.
        bridge: String,
    },
    /// What belongs to the whole machine, changed together with other runs.
    Shared,
}

/// The records' file and what is in it.
#[derive(Debug)]
pub(super) struct Records {
    file: PathBuf,
    content: Content,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    run: String,
    changes: Vec<Change>,
}

impl Records {
    /// Reads the records of the last run, if there are any.
    pub(super) fn open(file: PathBuf) -> Result<Self, Failure> {
        let what = format!("reading `{}`", file.display());
        let content = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(while_doing(what))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Content::default(),
            Err(error) => return Err(while_doing(what)(error)),
        };
        Ok(Self { file, content })
    }

    /// Begins the records of a new run with the changes it will make; all of the last one's have
    /// been undone. They are on the disk when this returns.
    pub(super) fn begin(&mut self, run: &str, changes: Vec<Change>) -> Result<(), Failure> {
        self.content = Content {
            run: run.to_owned(),
            changes,
        };
        self.save(Durability::Disk)
    }

    /// The id of the run.
    pub(super) fn run(&self) -> &str {
        &self.content.run
    }

    /// The folder that the file is in.
    pub(super) fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(&self.file)
    }

    /// All changes that have not been undone, in the order in which they were made.
    pub(super) fn changes(&self) -> &[Change] {
        &self.content.changes
    }

    /// Writes a change down, before it is made. It outlives this process; after a loss of power,
    /// which no container outlives, its folder is known by the run's id.
    pub(super) fn add(&mut self, change: Change) -> Result<(), Failure> {
        self.content.changes.push(change);
        self.save(Durability::System)
    }

    /// Forgets a change, after it was undone. To undo it once more would do no harm.
    pub(super) fn remove(&mut self, change: &Change) -> Result<(), Failure> {
        self.content.changes.retain(|one| one != change);
        self.save(Durability::System)
    }

    /// Puts the file in place as a whole.
    fn save(&self, durability: Durability) -> Result<(), Failure> {
        let write = || -> io::Result<()> {
            let fresh = self.file.with_extension("new");
            let mut file = File::create(&fresh)?;
            file.write_all(&serde_json::to_vec_pretty(&self.content)?)?;
            if durability == Durability::Disk {
                file.sync_all()?;
            }
            fs::rename(&fresh, &self.file)?;
            match durability {
                Durability::Disk => File::open(self.folder())?.sync_all(),
                Durability::System => Ok(()),
            }
        };
        write().map_err(while_doing(format!("writing `{}`", self.file.display())))
    }
}

/// What a saved file outlives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// The end of this process, however it comes.
    System,
    /// A loss of power as well; on a busy disk this takes seconds.
    Disk,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_down_is_read_by_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("changes.json");
        let bridge = Change::Bridge {
            name: "pci1".to_owned(),
        };
        let mut records = Records::open(file.clone()).unwrap();
        records.begin("pci1", vec![bridge.clone()]).unwrap();
        records.add(Change::Shared).unwrap();
        let mut next = Records::open(file.clone()).unwrap();
        assert_eq!(next.run(), "pci1");
        assert_eq!(next.changes(), [bridge.clone(), Change::Shared]);
        next.remove(&Change::Shared).unwrap();
        assert_eq!(Records::open(file).unwrap().changes(), [bridge]);
    }
}
