//! What a job has come to so far: written by the job, read by whoever reports it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use indexmap::IndexMap;
use tokio::{sync::Notify, time::timeout};

/// So many rows may wait to be acknowledged before the job is held back.
const ROWS_WAITING_MAX: usize = 20_000;

/// How a step or a job ended, in the words of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// When it was printed.
    pub(crate) time: SystemTime,
    /// What it says; secrets are hidden already.
    pub(crate) content: String,
}

/// How far a step is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    state: Arc<Mutex<State>>,
    /// Something happened that is worth a report.
    changed: Arc<Notify>,
    /// Rows were acknowledged.
    room: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    rows: VecDeque<Row>,
    /// Index of the first row in `rows`: so many are acknowledged.
    acknowledged: u64,
    steps: Vec<StepProgress>,
    current: Option<usize>,
    started: Option<SystemTime>,
    outputs: IndexMap<String, String>,
    ended: Option<(SystemTime, Conclusion)>,
    /// Counts what is reported at once: beginnings and ends, not rows.
    milestones: u64,
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
    /// The job begins, with so many steps.
    pub(crate) fn begin(&self, steps: usize) {
        let mut state = self.lock();
        state.started = Some(SystemTime::now());
        state.steps = vec![StepProgress::default(); steps];
        state.milestones += 1;
        drop(state);
        self.changed.notify_one();
    }

    /// A step begins.
    pub(crate) fn begin_step(&self, index: usize) {
        let mut state = self.lock();
        let log_index = state.next_row();
        if let Some(step) = state.steps.get_mut(index) {
            *step = StepProgress {
                started: Some(SystemTime::now()),
                log_index,
                ..StepProgress::default()
            };
        }
        state.current = Some(index);
        state.milestones += 1;
        drop(state);
        self.changed.notify_one();
    }

    /// A step ends. One that never began is marked as it is, without rows.
    pub(crate) fn end_step(&self, index: usize, conclusion: Conclusion) {
        let mut state = self.lock();
        let next = state.next_row();
        let began = state.current == Some(index);
        if let Some(step) = state.steps.get_mut(index) {
            step.ended = Some((SystemTime::now(), conclusion));
            if !began {
                step.log_index = next;
            }
        }
        state.current = None;
        state.milestones += 1;
        drop(state);
        self.changed.notify_one();
    }

    /// Appends rows; waits while too many are not acknowledged yet.
    pub(crate) async fn print(&self, contents: Vec<String>) {
        loop {
            // Registered before the look, so that no acknowledgement is missed.
            let room = self.room.notified();
            if self.lock().rows.len() < ROWS_WAITING_MAX {
                break;
            }
            room.await;
        }
        let mut state = self.lock();
        let (time, count) = (SystemTime::now(), contents.len() as u64);
        state
            .rows
            .extend(contents.into_iter().map(|content| Row { time, content }));
        if let Some(index) = state.current
            && let Some(step) = state.steps.get_mut(index)
        {
            step.log_length += count;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The job's outputs are known.
    pub(crate) fn set_outputs(&self, outputs: IndexMap<String, String>) {
        self.lock().outputs = outputs;
    }

    /// The job has ended. Only the first end counts.
    pub(crate) fn end(&self, conclusion: Conclusion) {
        let mut state = self.lock();
        if state.ended.is_none() {
            state.ended = Some((SystemTime::now(), conclusion));
        }
        state.milestones += 1;
        drop(state);
        self.changed.notify_one();
    }

    /// How the job stands.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        Snapshot {
            started: state.started,
            ended: state.ended,
            steps: state.steps.clone(),
            outputs: state.outputs.clone(),
            milestones: state.milestones,
        }
    }

    /// Waits until something changes, or for so long.
    pub(crate) async fn changed_within(&self, longest: Duration) {
        drop(timeout(longest, self.changed.notified()).await);
    }

    /// The rows of the whole log from this one on, as far as they are not acknowledged.
    pub(crate) fn rows_from(&self, index: u64) -> Vec<Row> {
        let state = self.lock();
        let known = usize::try_from(index.saturating_sub(state.acknowledged)).unwrap_or(usize::MAX);
        state.rows.iter().skip(known).cloned().collect()
    }

    /// So many rows of the whole log are stored on the server.
    pub(crate) fn acknowledge(&self, stored: u64) {
        let mut state = self.lock();
        let fresh =
            usize::try_from(stored.saturating_sub(state.acknowledged)).unwrap_or(usize::MAX);
        let gone = fresh.min(state.rows.len());
        drop(state.rows.drain(..gone));
        state.acknowledged += gone as u64;
        drop(state);
        self.room.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A job that panicked has still printed what it printed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next_row(&self) -> u64 {
        self.acknowledged + self.rows.len() as u64
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
