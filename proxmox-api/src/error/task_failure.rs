//! A task that ended badly.

use std::collections::BTreeMap;
use std::fmt;

use super::ErrorKind;
use crate::ids::Upid;
use crate::response::classify;

/// How a task failed: its exit status, and the end of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskFailure {
    upid: Upid,
    exit_status: String,
    log_tail: Vec<String>,
}

impl TaskFailure {
    pub(crate) fn new(upid: Upid, exit_status: String, log_tail: Vec<String>) -> Self {
        Self {
            upid,
            exit_status,
            log_tail,
        }
    }

    /// The task.
    #[must_use]
    pub fn upid(&self) -> &Upid {
        &self.upid
    }

    /// The exit status as the server reports it.
    #[must_use]
    pub fn exit_status(&self) -> &str {
        &self.exit_status
    }

    /// The last lines of the log, oldest first.
    #[must_use]
    pub fn log_tail(&self) -> &[String] {
        &self.log_tail
    }

    /// What the exit status amounts to, e.g. [`ErrorKind::NotFound`] for a missing template.
    ///
    /// Unlike the same words in an answer, here they do not mean that nothing was done.
    #[must_use]
    pub fn reason(&self) -> ErrorKind {
        classify(500, &self.exit_status, &BTreeMap::new())
    }
}

impl fmt::Display for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "task `{}` failed: {}",
            self.upid.kind(),
            self.exit_status
        )?;
        // The last line of the log repeats the exit status.
        let said = |line: &&String| !line.starts_with("TASK ERROR:");
        let tail: Vec<&str> = self
            .log_tail
            .iter()
            .filter(said)
            .map(String::as_str)
            .collect();
        if tail.is_empty() {
            Ok(())
        } else {
            write!(f, " (log: {})", tail.join(" | "))
        }
    }
}
