//! The journal of a bootstrap: what is about to be done, on disk before it is done.
//!
//! One JSON object a line in `bootstrap.jsonl` of the fleet's state folder. It holds no secret. What
//! a killed bootstrap left is seen on the world itself; the journal tells a person, and remembers
//! the one thing that the world does not: that credentials were shown.

use std::{
    io,
    path::{Path, PathBuf},
};

use lxc_layers::ledger::{Lines, Provenance};
use serde::{Deserialize, Serialize};

use super::{Error, Stage};

/// One line.
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
        /// The fleet's id.
        fleet: String,
        /// Where the fleet comes from.
        #[serde(flatten)]
        provenance: Provenance,
    },
    /// A step is about to act.
    Intend {
        /// The stage.
        stage: Stage,
        /// The step.
        step: String,
    },
    /// A step has acted, and what it wanted was seen to hold.
    Done {
        /// The stage.
        stage: Stage,
        /// The step.
        step: String,
    },
    /// A step failed.
    Failed {
        /// The stage.
        stage: Stage,
        /// The step.
        step: String,
        /// Why.
        error: String,
    },
    /// The credentials of the Git service at this address, with this certificate, were shown.
    Shown {
        /// The address.
        url: String,
        /// SHA-256 of the certificate.
        fingerprint: String,
    },
    /// A run ended by itself.
    End {
        /// `changed`, `unchanged` or `failed`.
        outcome: String,
    },
}

/// The journal, open for appending.
#[derive(Debug)]
pub struct Journal {
    lines: Lines,
    run: String,
}

impl Journal {
    /// Opens the journal in `folder` and begins a run.
    ///
    /// # Errors
    /// When the file cannot be made or written.
    pub fn begin(folder: &Path, begin: Entry) -> Result<Self, Error> {
        let path = Self::path(folder);
        let lines = Lines::open(path.clone());
        let lines = lines.map_err(Error::local("opening the journal", &path))?;
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let journal = Self {
            lines,
            run: format!("{now}-{:04x}", rand::random::<u16>()),
        };
        journal.write(begin)?;
        Ok(journal)
    }

    /// Where the journal of a state folder is.
    #[must_use]
    pub fn path(folder: &Path) -> PathBuf {
        folder.join("bootstrap.jsonl")
    }

    /// The run's name.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Appends one entry and waits until it is on disk.
    ///
    /// # Errors
    /// When it cannot be written: then what it announces must not be done.
    pub fn write(&self, entry: Entry) -> Result<(), Error> {
        let record = Record {
            at: format!("{:.3}", jiff::Timestamp::now()),
            run: self.run.clone(),
            entry,
        };
        self.lines
            .append(&record)
            .map_err(Error::local("writing the journal", self.lines.path()))
    }

    /// What every run wrote, oldest first; a torn line is left out.
    ///
    /// # Errors
    /// When the file exists and cannot be read.
    pub fn read(folder: &Path) -> io::Result<Vec<Record>> {
        Lines::read(&Self::path(folder))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn begin() -> Entry {
        Entry::Begin {
            pid: 1,
            fleet: "fleet-1".to_owned(),
            provenance: Provenance::default(),
        }
    }

    #[test]
    fn a_torn_line_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        drop(Journal::begin(folder.path(), begin()).unwrap());
        let path = Journal::path(folder.path());
        let text = fs::read_to_string(&path).unwrap() + r#"{"at":"2026-"#;
        fs::write(&path, text).unwrap();
        drop(Journal::begin(folder.path(), begin()).unwrap());
        assert_eq!(Journal::read(folder.path()).unwrap().len(), 2);
    }

    #[test]
    fn what_cannot_be_written_is_an_error_before_the_act() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("file");
        fs::write(&blocked, "").unwrap();
        let error = Journal::begin(&blocked, begin()).unwrap_err();
        assert!(error.to_string().contains("bootstrap.jsonl"), "{error}");
    }
}
