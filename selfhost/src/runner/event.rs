//! What a runner tells while it works.

use std::fmt;

use serde::Serialize;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The server knows that the runner is here.
    Ready {
        /// The runner.
        name: String,
    },
    /// The server cannot be asked; it is asked again.
    ServerAway {
        /// Why.
        reason: String,
    },
    /// An earlier runner was killed while it held a task; what became of it is told now.
    Recovered {
        /// The task's number.
        task: i64,
        /// The job's id in its workflow.
        job: String,
        /// Whose it is.
        repository: String,
        /// Whether the job had ended before the kill; otherwise it is reported as failed.
        ended: bool,
    },
    /// A job began.
    Began {
        /// The task's number.
        task: i64,
        /// The job's id in its workflow.
        job: String,
        /// Whose it is.
        repository: String,
    },
    /// A job has ended, and the server knows how.
    Ended {
        /// The task's number.
        task: i64,
        /// The job's id in its workflow.
        job: String,
        /// Whose it is.
        repository: String,
        /// `success`, `failure`, `cancelled`, `skipped`.
        result: String,
    },
    /// The result of a job could not be told. It is kept on disk, and told at the next start, unless
    /// the server does not know the task.
    Unreported {
        /// The task's number.
        task: i64,
        /// The job's id in its workflow.
        job: String,
        /// Whose it is.
        repository: String,
        /// Why.
        reason: String,
    },
}

/// Where events go.
pub type Events = lxc_layers::event::Events<Event>;

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { name } => write!(f, "runner `{name}` is ready"),
            Self::ServerAway { reason } => write!(f, "the server is away, asking again: {reason}"),
            Self::Recovered {
                task,
                job,
                repository,
                ended,
            } => {
                let state = if *ended {
                    "had ended, its result is told now"
                } else {
                    "was cut short by the end of an earlier runner, and has failed"
                };
                write!(f, "task {task}: {repository} {job}: {state}")
            }
            Self::Began {
                task,
                job,
                repository,
            } => write!(f, "task {task}: {repository} {job}: begun"),
            Self::Ended {
                task,
                job,
                repository,
                result,
            } => {
                write!(f, "task {task}: {repository} {job}: {result}")
            }
            Self::Unreported {
                task,
                job,
                repository,
                reason,
            } => {
                write!(
                    f,
                    "task {task}: {repository} {job}: the server would not hear its end: {reason}"
                )
            }
        }
    }
}
