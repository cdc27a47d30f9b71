//! The report of a task: steps, outputs, heartbeat, and how it ended.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;

use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::ids::TaskId;
use crate::runner::log::SealedLog;
use crate::runner::message::{StepState, TaskResult, TaskState, TaskUpdated, UpdateTask};
use crate::runner::{Runner, UPDATE_TASK};

/// The longest name of an output, in bytes; the server drops longer ones.
const KEY_MAX: usize = 255;

/// The longest value of an output, in bytes; the server drops longer ones.
const VALUE_MAX: usize = 1 << 20;

/// How many calls in a row may store no output.
const STANDSTILL_MAX: u32 = 5;

/// What the server thinks of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerView {
    /// Go on.
    Running,
    /// Stop: it was cancelled.
    Cancelled,
    /// It is over, by this result.
    Over(TaskResult),
}

/// An output that the server would drop silently.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputRefused {
    /// The name is empty or longer than 255 bytes.
    #[error("the name of an output has 1 to 255 bytes, not {length}")]
    Name {
        /// Its length in bytes.
        length: usize,
    },
    /// The value is longer than 1 MiB.
    #[error("the output `{name}` has {length} bytes, 1 MiB at most are stored")]
    Value {
        /// The name.
        name: String,
        /// The value's length in bytes.
        length: usize,
    },
}

/// A task whose end could not be reported now, to try again with.
#[derive(Debug, thiserror::Error)]
#[error("finishing task {}", report.task)]
pub struct Unfinished {
    /// The report.
    pub report: Box<TaskReport>,
    /// The proof that its log is sealed.
    pub log: SealedLog,
    /// Why.
    #[source]
    pub cause: Error,
}

/// The report of a task. It must be heard of at least every ten minutes, or the server gives the
/// task up; every five seconds is usual.
#[derive(Debug)]
pub struct TaskReport {
    runner: Runner,
    task: TaskId,
    state: TaskState,
    outputs: BTreeMap<String, String>,
    stored: Vec<String>,
}

impl TaskReport {
    pub(super) fn new(runner: Runner, task: TaskId) -> Self {
        let state = TaskState {
            id: task.get(),
            ..TaskState::default()
        };
        Self {
            runner,
            task,
            state,
            outputs: BTreeMap::new(),
            stored: Vec::new(),
        }
    }

    /// Says when the task was begun.
    pub fn begin(&mut self, time: Timestamp) {
        self.state.started_at.get_or_insert(time);
    }

    fn step(&mut self, index: usize) -> &mut StepState {
        while self.state.steps.len() <= index {
            let id = i64::try_from(self.state.steps.len()).unwrap_or(i64::MAX);
            self.state.steps.push(StepState {
                id,
                ..StepState::default()
            });
        }
        &mut self.state.steps[index]
    }

    /// Says that a step was begun, by its number from 0, and with which row its log begins.
    pub fn begin_step(&mut self, index: usize, time: Timestamp, first_row: i64) {
        let step = self.step(index);
        step.started_at = Some(time);
        step.log_index = first_row;
    }

    /// Says how long a step's log is by now.
    pub fn extend_step(&mut self, index: usize, rows: Range<i64>) {
        let step = self.step(index);
        step.log_index = rows.start;
        step.log_length = (rows.end - rows.start).max(0);
    }

    /// Says that a step is over; `rows` are those of its log.
    pub fn end_step(
        &mut self,
        index: usize,
        time: Timestamp,
        result: TaskResult,
        rows: Range<i64>,
    ) {
        self.extend_step(index, rows);
        let step = self.step(index);
        step.stopped_at = Some(time);
        step.result = result;
    }

    /// Gives the task an output. The first value counts, as on the server.
    ///
    /// # Errors
    /// When the server would drop it silently.
    pub fn set_output(
        &mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<(), OutputRefused> {
        let (name, value): (String, String) = (name.into(), value.into());
        if name.is_empty() || name.len() > KEY_MAX {
            return Err(OutputRefused::Name { length: name.len() });
        }
        if value.len() > VALUE_MAX {
            return Err(OutputRefused::Value {
                name,
                length: value.len(),
            });
        }
        self.outputs.entry(name).or_insert(value);
        Ok(())
    }

    /// How many outputs the server has not stored yet.
    #[must_use]
    pub fn outputs_waiting(&self) -> usize {
        self.pending().count()
    }

    fn pending(&self) -> impl Iterator<Item = (&str, &str)> {
        let waits = |(name, _): &(&String, &String)| !self.stored.contains(name);
        self.outputs
            .iter()
            .filter(waits)
            .map(|(name, value)| (&**name, &**value))
    }

    /// Tells the server how far the task is, with all outputs it has not stored, and hears whether
    /// to go on.
    ///
    /// # Errors
    /// `UnknownRunner`; `NotFound`, `Forbidden` when the task is another's.
    pub async fn heartbeat(&mut self) -> Result<ServerView> {
        let state = self.state.clone();
        self.update(&state).await
    }

    async fn update(&mut self, state: &TaskState) -> Result<ServerView> {
        let body = UpdateTask {
            state,
            outputs: self.pending().collect(),
        };
        let request = self.runner.request(&UPDATE_TASK).json(&body);
        let answer: TaskUpdated = self.runner.client.send(request).await?;
        self.stored = answer.sent_outputs;
        Ok(match answer.state.result {
            TaskResult::Cancelled => ServerView::Cancelled,
            result if result.is_unset() => ServerView::Running,
            result => ServerView::Over(result),
        })
    }

    /// Ends the task: first all outputs are stored, then the result is told, once. It is the
    /// server's result that counts, and is given: a task that was being cancelled stays cancelled.
    ///
    /// # Errors
    /// Report and log, to try again with, and why the end could not be told. After `UnknownRunner`
    /// of an ephemeral runner the end may have been told before: the answer was lost then.
    pub async fn finish(
        mut self,
        log: SealedLog,
        result: TaskResult,
        time: Timestamp,
    ) -> Result<ServerView, Unfinished> {
        match self.end(&log, result, time).await {
            Ok(view) => Ok(view),
            Err(cause) => Err(Unfinished {
                report: Box::new(self),
                log,
                cause,
            }),
        }
    }

    async fn end(
        &mut self,
        log: &SealedLog,
        result: TaskResult,
        time: Timestamp,
    ) -> Result<ServerView> {
        if log.task != self.task {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                UPDATE_TASK.title,
                Delivery::NotSent,
            )
            .saying(format!(
                "the log is of task {}, not of {}",
                log.task, self.task
            )));
        }
        self.store_outputs().await?;
        let mut state = self.state.clone();
        state.result = result;
        state.stopped_at = Some(time);
        self.update(&state).await
    }

    async fn store_outputs(&mut self) -> Result<()> {
        let mut standstill = 0;
        loop {
            let waiting = self.outputs_waiting();
            if waiting == 0 {
                return Ok(());
            }
            self.heartbeat().await?;
            standstill = if self.outputs_waiting() < waiting {
                0
            } else {
                standstill + 1
            };
            if standstill == STANDSTILL_MAX {
                return Err(Error::new(
                    ErrorKind::LimitReached,
                    UPDATE_TASK.title,
                    Delivery::Answered,
                )
                .saying(format!("the server stores {waiting} outputs not")));
            }
        }
    }
}
