//! What a job has come to so far: written by the job, read by whoever reports it.

mod state;

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use tokio::{sync::Notify, time::timeout};

pub(crate) use self::state::{Entry, State};
use super::journal::Journal;

/// So many rows, or bytes of them, may wait to be acknowledged before the job is held back.
const ROWS_WAITING_MAX: usize = 20_000;
const BYTES_WAITING_MAX: usize = 16 << 20;

/// How a step or a job ended, in the words of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Conclusion {
    /// It did what it should.
    Success,
    /// It did not.
    Failure,
    /// It was stopped, or could not be decided.
    Cancelled,
    /// Its condition did not hold.
    Skipped,
}

impl Conclusion {
    /// The word of `steps.*.outcome` and `needs.*.result`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

/// A row of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// When it was printed.
    pub(crate) time: SystemTime,
    /// What it says; secrets are hidden already.
    pub(crate) content: String,
}

/// How far a step is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StepProgress {
    /// When it began.
    pub(crate) started: Option<SystemTime>,
    /// When it ended, and how.
    pub(crate) ended: Option<(SystemTime, Conclusion)>,
    /// The first of its rows.
    pub(crate) log_index: u64,
    /// How many rows it has.
    pub(crate) log_length: u64,
}

/// How far the job is. Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    shared: Arc<Mutex<Shared>>,
    /// Something happened that is worth a report.
    changed: Arc<Notify>,
    /// Rows were acknowledged.
    room: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Shared {
    state: State,
    /// Where everything is written down before it is reported; nowhere in tests.
    journal: Option<Journal>,
}

impl Shared {
    fn record(&mut self, entry: Entry) {
        if let Some(journal) = &mut self.journal {
            journal.append(&entry);
        }
        self.state.apply(entry);
    }
}

/// What a report of the state says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// When the job began.
    pub(crate) started: Option<SystemTime>,
    /// When it ended, and how.
    pub(crate) ended: Option<(SystemTime, Conclusion)>,
    /// Its steps.
    pub(crate) steps: Vec<StepProgress>,
    /// Its outputs so far.
    pub(crate) outputs: IndexMap<String, String>,
    /// Grows with each beginning and end.
    pub(crate) milestones: u64,
}

impl Progress {
    /// A job that is written down in this journal, as far as it has come.
    pub(crate) fn kept_in(journal: Journal, state: State) -> Self {
        let shared = Shared {
            state,
            journal: Some(journal),
        };
        Self {
            shared: Arc::new(Mutex::new(shared)),
            ..Self::default()
        }
    }

    /// The job begins, with so many steps.
    pub(crate) fn begin(&self, steps: usize) {
        let at = SystemTime::now();
        self.record(Entry::Began { at, steps });
    }

    /// A step begins.
    pub(crate) fn begin_step(&self, index: usize) {
        let at = SystemTime::now();
        self.record(Entry::StepBegan { at, index });
    }

    /// A step ends. One that never began is marked as it is, without rows.
    pub(crate) fn end_step(&self, index: usize, conclusion: Conclusion) {
        self.record(Entry::StepEnded {
            at: SystemTime::now(),
            index,
            conclusion,
        });
    }

    /// Appends rows; waits while too many are not acknowledged yet.
    pub(crate) async fn print(&self, contents: Vec<String>) {
        loop {
            // Registered before the look, so that no acknowledgement is missed.
            let room = self.room.notified();
            let (rows, bytes) = self.lock().state.waiting();
            if rows < ROWS_WAITING_MAX && bytes < BYTES_WAITING_MAX {
                break;
            }
            room.await;
        }
        self.record(Entry::Printed {
            at: SystemTime::now(),
            rows: contents,
        });
    }

    /// The job's outputs are known.
    pub(crate) fn set_outputs(&self, outputs: IndexMap<String, String>) {
        self.record(Entry::Given { outputs });
    }

    /// The job has ended. Only the first end counts.
    pub(crate) fn end(&self, conclusion: Conclusion) {
        let at = SystemTime::now();
        self.record(Entry::Ended { at, conclusion });
    }

    /// Nobody carries the job out any more: unless it has ended, it is a failure for this reason.
    pub(crate) fn cut_short(&self, reason: &str) {
        let mut shared = self.lock();
        for entry in shared.state.cut_short(SystemTime::now(), reason) {
            shared.record(entry);
        }
        drop(shared);
        self.changed.notify_one();
    }

    /// How the job stands.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.lock().state.snapshot()
    }

    /// Waits until something changes, or for so long.
    pub(crate) async fn changed_within(&self, longest: Duration) {
        drop(timeout(longest, self.changed.notified()).await);
    }

    /// The rows of the whole log from this one on, as far as they are not acknowledged.
    pub(crate) fn rows_from(&self, index: u64) -> Vec<Row> {
        self.lock().state.rows_from(index)
    }

    /// How many rows of the whole log are known to be stored on the server.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.lock().state.acknowledged()
    }

    /// So many rows of the whole log are stored on the server.
    pub(crate) fn acknowledge(&self, stored: u64) {
        let mut shared = self.lock();
        let Shared { state, journal } = &mut *shared;
        state.acknowledge(stored);
        if let Some(journal) = journal {
            journal.shorten(state);
        }
        drop(shared);
        self.room.notify_waiters();
    }

    /// Waits until what is written down also outlasts a loss of power.
    pub(crate) async fn sync(&self) {
        let file = self.lock().journal.as_ref().map(Journal::handle);
        if let Some(Ok(file)) = file {
            let synced = tokio::task::spawn_blocking(move || file.sync_all());
            // A disk that cannot sync has kept what it could; the report goes on.
            drop(synced.await);
        }
    }

    /// The server knows the end: nothing needs to be written down any more.
    ///
    /// # Errors
    /// When the journal cannot be taken away.
    pub(crate) fn forget(&self) -> io::Result<()> {
        let journal = self.lock().journal.take();
        journal.map_or(Ok(()), Journal::remove)
    }

    fn record(&self, entry: Entry) {
        self.lock().record(entry);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A job that panicked has still printed what it printed.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn steps_own_the_rows_between_their_beginning_and_their_end() {
        let progress = Progress::default();
        progress.begin(2);
        progress.print(vec!["before".to_owned()]).await;
        progress.begin_step(0);
        progress.print(vec!["a".to_owned(), "b".to_owned()]).await;
        progress.end_step(0, Conclusion::Success);
        progress.end_step(1, Conclusion::Skipped);
        let steps = progress.snapshot().steps;
        assert_eq!((steps[0].log_index, steps[0].log_length), (1, 2));
        assert_eq!((steps[1].log_index, steps[1].log_length), (3, 0));
        assert_eq!(steps[1].started, None);
    }

    #[tokio::test]
    async fn acknowledged_rows_are_gone_and_keep_their_count() {
        let progress = Progress::default();
        progress
            .print(["a", "b", "c"].map(str::to_owned).to_vec())
            .await;
        progress.acknowledge(2);
        progress.acknowledge(1);
        let rows = progress.rows_from(0);
        assert_eq!((rows.len(), rows[0].content.as_str()), (1, "c"));
        assert!(progress.rows_from(3).is_empty());
    }

    #[tokio::test]
    async fn a_job_is_held_back_while_nobody_acknowledges() {
        let progress = Progress::default();
        progress.print(vec![String::new(); ROWS_WAITING_MAX]).await;
        let waiting = tokio::spawn({
            let progress = progress.clone();
            async move { progress.print(vec!["late".to_owned()]).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        progress.acknowledge(1);
        waiting.await.unwrap();
        assert_eq!(progress.rows_from(0).len(), ROWS_WAITING_MAX);
    }

    #[test]
    fn only_the_first_end_counts() {
        let progress = Progress::default();
        progress.end(Conclusion::Failure);
        progress.end(Conclusion::Success);
        assert_eq!(progress.snapshot().ended.unwrap().1, Conclusion::Failure);
    }
}
