//! What the runner holds, on disk: one file a task, so that neither a kill nor a long absence of
//! the server loses a row or a result.
//!
//! The file is written as things happen, and taken away when the server knows the end. What a
//! killed runner left is read at the next start. Rows in it have their secrets hidden; outputs are
//! as the job gave them, so the file is its owner's alone.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::progress::{Entry, State};

/// The folder of the journals, below the work folder.
const FOLDER: &str = "held";

/// How the names of journals end.
const EXTENSION: &str = "jsonl";

/// A journal is written anew when it is longer than this, in bytes, and mostly of rows that the
/// server has.
const LONG: u64 = 4 << 20;

/// A task that the runner holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    /// The task's number.
    pub(crate) task: i64,
    /// The runner it was given to, by its uuid: another one must not report it.
    pub(crate) runner: String,
    /// The job's id in its workflow.
    pub(crate) job: String,
    /// Whose it is.
    pub(crate) repository: String,
}

/// A line of a journal.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// The first one: what it is about.
    Held(Held),
    /// Everything up to here, in the place of all that happened.
    State(State),
    /// Something that happened.
    Entry(Entry),
}

/// The same, to be written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Written<'a> {
    Held(&'a Held),
    State(&'a State),
    Entry(&'a Entry),
}

/// The journal of one task.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    held: Held,
    file: File,
    length: u64,
    /// Something could not be written: what stands there is the truth up to a moment, and nothing
    /// may follow it.
    broken: bool,
}

/// What an earlier runner left.
#[derive(Debug)]
pub(crate) struct Left {
    /// What it held.
    pub(crate) held: Held,
    /// How far the job had come.
    pub(crate) state: State,
    /// The journal, to be gone on with.
    pub(crate) journal: Journal,
}

impl Journal {
    /// Begins a journal below the work folder.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn begin(work: &Path, held: Held) -> io::Result<Self> {
        let folder = work.join(FOLDER);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)?;
        let path = folder.join(format!("{}.{EXTENSION}", held.task));
        Self::fresh(path, held, None)
    }

    /// Writes a file with these first lines in the place of what was there.
    fn fresh(path: PathBuf, held: Held, state: Option<&State>) -> io::Result<Self> {
        let new = path.with_extension("new");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        let mut journal = Self {
            path,
            held,
            file,
            length: 0,
            broken: false,
        };
        let first = line(&Written::Held(&journal.held))?;
        journal.write(&first)?;
        if let Some(state) = state {
            journal.write(&line(&Written::State(state))?)?;
        }
        fs::rename(&new, &journal.path)?;
        Ok(journal)
    }

    /// Writes down what happened.
    pub(crate) fn append(&mut self, entry: &Entry) {
        if self.broken {
            return;
        }
        let written = line(&Written::Entry(entry)).and_then(|line| self.write(&line));
        // A job is not stopped because its journal cannot be written; only a kill would then cost.
        self.broken = written.is_err();
    }

    /// Writes the journal anew where it holds much that the server has already.
    pub(crate) fn shorten(&mut self, state: &State) {
        let (_, waiting) = state.waiting();
        if self.broken || self.length < LONG.max(2 * waiting as u64) {
            return;
        }
        // Where that fails, the long one stays.
        if let Ok(journal) = Self::fresh(self.path.clone(), self.held.clone(), Some(state)) {
            *self = journal;
        }
    }

    /// The file itself, to be synced by somebody who may wait.
    pub(crate) fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Takes the journal away.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)?;
        self.length += line.len() as u64;
        Ok(())
    }
}

fn line(written: &Written<'_>) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(written)?;
    line.push(b'\n');
    Ok(line)
}

/// What earlier runners left below this work folder, oldest task first. Files that say nothing are
/// taken away.
pub(crate) fn left(work: &Path) -> Vec<Left> {
    let entries = fs::read_dir(work.join(FOLDER)).into_iter().flatten();
    let mut found: Vec<Left> = entries
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            let left = (path.extension()? == EXTENSION)
                .then(|| read(&path))
                .flatten();
            if left.is_none() {
                drop(fs::remove_file(&path));
            }
            left
        })
        .collect();
    found.sort_by_key(|left| left.held.task);
    found
}

/// Reads a journal up to the last whole line: a kill may have cut the one after it.
fn read(path: &Path) -> Option<Left> {
    let mut reader = BufReader::new(File::open(path).ok()?);
    let mut next = || {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).ok()?;
        line.ends_with(b"\n")
            .then(|| serde_json::from_slice::<Line>(&line).ok())
            .flatten()
    };
    let Some(Line::Held(held)) = next() else {
        return None;
    };
    let mut state = State::default();
    while let Some(line) = next() {
        match line {
            Line::State(whole) => state = whole,
            Line::Entry(entry) => state.apply(entry),
            Line::Held(_) => return None,
        }
    }
    let journal = Journal::fresh(path.to_owned(), held.clone(), Some(&state)).ok()?;
    Some(Left {
        held,
        state,
        journal,
    })
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, time::UNIX_EPOCH};

    use super::*;
    use crate::runner::progress::Progress;

    fn held(task: i64) -> Held {
        Held {
            task,
            runner: "uuid".to_owned(),
            job: "build".to_owned(),
            repository: "fleet/lab".to_owned(),
        }
    }

    fn path(work: &Path) -> PathBuf {
        work.join("held/7.jsonl")
    }

    async fn killed_job(work: &Path, rows: usize) {
        let journal = Journal::begin(work, held(7)).unwrap();
        let progress = Progress::kept_in(journal, State::default());
        progress.begin(2);
        progress.begin_step(0);
        for row in 0..rows {
            progress.print(vec![format!("row {row}")]).await;
        }
    }

    #[tokio::test]
    async fn what_a_killed_runner_held_is_known_again() {
        let work = tempfile::tempdir().unwrap();
        killed_job(work.path(), 3).await;
        let mode = fs::metadata(path(work.path()))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let left = left(work.path()).pop().unwrap();
        assert_eq!(left.held, held(7));
        let rows: Vec<_> = left
            .state
            .rows_from(0)
            .into_iter()
            .map(|row| row.content)
            .collect();
        assert_eq!(rows, ["row 0", "row 1", "row 2"]);
        assert!(left.state.snapshot().ended.is_none());
    }

    #[tokio::test]
    async fn a_line_that_a_kill_cut_is_dropped_and_what_follows_is_whole() {
        let work = tempfile::tempdir().unwrap();
        killed_job(work.path(), 2).await;
        let mut file = OpenOptions::new()
            .append(true)
            .open(path(work.path()))
            .unwrap();
        file.write_all(b"{\"entry\":{\"printed\":{\"at\"").unwrap();
        let mut first = left(work.path()).pop().unwrap();
        first.journal.append(&Entry::Printed {
            at: UNIX_EPOCH,
            rows: vec!["later".to_owned()],
        });
        let second = left(work.path()).pop().unwrap();
        let last = second.state.rows_from(0).pop().unwrap();
        assert_eq!(last.content, "later");
        assert_eq!(second.state.rows_from(0).len(), 3);
    }

    #[tokio::test]
    async fn a_long_journal_is_shortened_to_what_is_not_acknowledged() {
        let work = tempfile::tempdir().unwrap();
        let journal = Journal::begin(work.path(), held(7)).unwrap();
        let progress = Progress::kept_in(journal, State::default());
        for _ in 0..80 {
            progress.print(vec!["x".repeat(65_536)]).await;
        }
        progress.acknowledge(79);
        assert!(fs::metadata(path(work.path())).unwrap().len() < 100_000);
        let left = left(work.path()).pop().unwrap();
        assert_eq!(left.state.acknowledged(), 79);
        assert_eq!(left.state.rows_from(0).len(), 1);
    }

    #[tokio::test]
    async fn nothing_stays_of_a_task_whose_end_is_known() {
        let work = tempfile::tempdir().unwrap();
        let journal = Journal::begin(work.path(), held(7)).unwrap();
        let progress = Progress::kept_in(journal, State::default());
        progress.forget().unwrap();
        assert!(left(work.path()).is_empty());
        fs::write(path(work.path()), "nonsense\n").unwrap();
        assert!(left(work.path()).is_empty());
        assert!(!path(work.path()).exists());
    }
}
