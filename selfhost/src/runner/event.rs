//! What a runner tells while it works.

use std::{fmt, sync::Arc};

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
    /// A job has ended, and the server would not hear of it.
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

/// Where events go. Cheap to clone.
#[derive(Clone)]
pub struct Events(Arc<dyn Fn(Event) + Send + Sync>);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Events that are told to `listener`.
    pub fn to(listener: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    pub(crate) fn tell(&self, event: Event) {
        (self.0)(event);
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { name } => write!(f, "runner `{name}` is ready"),
            Self::ServerAway { reason } => write!(f, "the server is away, asking again: {reason}"),
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
