//! The journal of a bootstrap: what is about to be done, on disk before it is done.
//!
//! One JSON object a line in `bootstrap.jsonl` of the fleet's state folder. It holds no secret. What
//! a killed bootstrap left is seen on the world itself; the journal tells a person, and remembers
//! the one thing that the world does not: that credentials were shown.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use lxc_layers::ledger::Provenance;
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
    path: PathBuf,
    run: String,
    file: Mutex<File>,
}

impl Journal {
    /// Opens the journal in `folder` and begins a run.
    ///
    /// # Errors
    /// When the file cannot be made or written.
    pub fn begin(folder: &Path, begin: Entry) -> Result<Self, Error> {
        let path = Self::path(folder);
        let file = fs::create_dir_all(folder).and_then(|()| open(&path));
        let file = file.map_err(Error::local("opening the journal", &path))?;
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let journal = Self {
            path,
            run: format!("{now}-{:04x}", rand::random::<u16>()),
            file: Mutex::new(file),
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
        self.append(&record)
            .map_err(Error::local("writing the journal", &self.path))
    }

    fn append(&self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line)?;
        file.sync_data()
    }

    /// What every run wrote, oldest first; a torn line is left out.
    ///
    /// # Errors
    /// When the file exists and cannot be read.
    pub fn read(folder: &Path) -> io::Result<Vec<Record>> {
        match fs::read_to_string(Self::path(folder)) {
            Ok(text) => Ok(text
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// Opens for appending; a line that a killed run left torn is ended first.
fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    if fs::read(path)?.last().is_some_and(|byte| *byte != b'\n') {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
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
