//! The log of a task, on its way to the server.

use jiff::Timestamp;

use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::ids::TaskId;
use crate::runner::buffer::{Buffer, LogRow};
use crate::runner::message::{LogUpdated, UpdateLog};
use crate::runner::{Runner, UPDATE_LOG};

/// How many calls in a row may bring nothing forward.
const STANDSTILL_MAX: u32 = 5;

/// The log of a task. Rows are kept until the server has acknowledged them.
#[derive(Debug)]
pub struct TaskLog {
    runner: Runner,
    task: TaskId,
    buffer: Buffer,
}

/// The proof that a task's log is complete and sealed.
#[derive(Debug)]
#[must_use = "a sealed log is what a task is finished with"]
pub struct SealedLog {
    pub(super) task: TaskId,
    rows: i64,
}

impl SealedLog {
    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> i64 {
        self.rows
    }
}

/// A log that could not be sealed now, to try again with.
#[derive(Debug, thiserror::Error)]
#[error("sealing the log of task {}", log.task)]
pub struct Unsealed {
    /// The log, with all rows that are not acknowledged.
    pub log: Box<TaskLog>,
    /// Why.
    #[source]
    pub cause: Error,
}

impl TaskLog {
    pub(super) fn new(runner: Runner, task: TaskId) -> Self {
        Self {
            runner,
            task,
            buffer: Buffer::default(),
        }
    }

    /// A log of which so many rows are stored already.
    pub(super) fn resumed(runner: Runner, task: TaskId, acknowledged: u64) -> Self {
        Self {
            buffer: Buffer::from_row(i64::try_from(acknowledged).unwrap_or(i64::MAX)),
            ..Self::new(runner, task)
        }
    }

    /// Adds a text, one row a line. Nothing is sent. The number of the first row is given: it is
    /// what a step's log begins with. Secrets must be masked before.
    pub fn push(&mut self, time: Timestamp, text: &str) -> i64 {
        let first = self.buffer.written();
        for row in LogRow::of(time, text) {
            self.buffer.push(row);
        }
        first
    }

    /// How many rows there are, sent or not.
    #[must_use]
    pub fn written(&self) -> i64 {
        self.buffer.written()
    }

    /// How many rows are not acknowledged.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.buffer.waiting()
    }

    /// Sends what is not acknowledged. After a failure, or when the call is dropped, everything is
    /// still there.
    ///
    /// # Errors
    /// `UnknownRunner`, `LogSealed`; `Decode` when the server acknowledges what cannot be;
    /// `LimitReached` when it takes nothing.
    pub async fn flush(&mut self) -> Result<()> {
        let mut standstill = 0;
        while let Some(batch) = self.buffer.next() {
            let body = UpdateLog {
                task_id: self.task.get(),
                index: batch.index,
                rows: batch.rows,
                no_more: batch.no_more,
            };
            let before = batch.index;
            let request = self.runner.request(&UPDATE_LOG).json(&body);
            let answer: LogUpdated = self.runner.client.send(request).await?;
            self.buffer.acknowledge(answer.ack_index).map_err(|error| {
                Error::new(ErrorKind::Decode, UPDATE_LOG.title, Delivery::Answered).because(error)
            })?;
            standstill = if answer.ack_index > before {
                0
            } else {
                standstill + 1
            };
            if standstill == STANDSTILL_MAX {
                return Err(Error::new(
                    ErrorKind::LimitReached,
                    UPDATE_LOG.title,
                    Delivery::Answered,
                )
                .saying(format!("the server stays at row {before}")));
            }
        }
        Ok(())
    }

    /// Adds a last row, sends everything and seals the log. A second try does not add it again.
    ///
    /// # Errors
    /// The log itself, to try again with, and why it could not be sealed.
    pub async fn seal(mut self, time: Timestamp, last: &str) -> Result<SealedLog, Unsealed> {
        self.buffer.close(LogRow::of(time, last));
        match self.flush().await {
            Ok(()) => Ok(SealedLog {
                task: self.task,
                rows: self.written(),
            }),
            Err(cause) => Err(Unsealed {
                log: Box::new(self),
                cause,
            }),
        }
    }
}
