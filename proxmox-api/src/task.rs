//! Long work as a value: wait for it within bounds, follow its log, or let it be.
//!
//! # Quirks
//! A task's end says nothing until it is asked for: a call that answers with a task has only
//! started it. `WARNINGS: n` is a success. A task whose log file is not there (not yet, or no
//! longer) is "no such task" to its status, while its log answers with an object instead of a
//! list, and the list of tasks may still know it. The last lines of a log are lost to those who
//! do not ask once more after the end.

mod log;
mod status;

use std::time::{Duration, Instant};

use crate::api;
use crate::client::Client;
use crate::error::{Cause, Error, TaskFailure};
use crate::ids::Upid;
use crate::request::Request;
use crate::response::Nothing;
use crate::wire::Params;

pub use log::LogLine;
pub use status::{TaskState, TaskStatus};

/// Lines of the log that a failure carries.
const TAIL: usize = 10;

/// A task on a node. Dropping it does not stop the task.
#[derive(Debug, Clone)]
pub struct Task {
    client: Client,
    upid: Upid,
}

/// How long to wait for a task, and how often to look.
///
/// A duration alone means: that long, looking often at first and less often later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wait {
    limit: Duration,
    poll: Poll,
}

/// How often to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Poll {
    /// From a tenth of a second, a half more each time, up to two seconds.
    #[default]
    Adaptive,
    /// Always after that time.
    Every(Duration),
}

impl Wait {
    /// At most that long.
    #[must_use]
    pub const fn up_to(limit: Duration) -> Self {
        Self {
            limit,
            poll: Poll::Adaptive,
        }
    }

    /// Looking that often.
    #[must_use]
    pub const fn polling(mut self, poll: Poll) -> Self {
        self.poll = poll;
        self
    }

    pub(crate) fn clock(self) -> Clock {
        Clock {
            wait: self,
            started: Instant::now(),
            polls: 0,
        }
    }
}

impl From<Duration> for Wait {
    fn from(limit: Duration) -> Self {
        Self::up_to(limit)
    }
}

/// A wait that has begun.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    wait: Wait,
    started: Instant,
    polls: i32,
}

impl Clock {
    /// Lets time pass until the next look; false when there is none left.
    pub(crate) async fn tick(&mut self) -> bool {
        let left = self.wait.limit.saturating_sub(self.started.elapsed());
        if left.is_zero() {
            return false;
        }
        crate::wait::pause(self.pause().min(left)).await;
        self.polls += 1;
        true
    }

    /// The bound of the wait.
    pub(crate) fn limit(&self) -> Duration {
        self.wait.limit
    }

    fn pause(&self) -> Duration {
        match self.wait.poll {
            Poll::Every(time) => time,
            Poll::Adaptive => Duration::from_millis(100)
                .mul_f64(1.5_f64.powi(self.polls.min(8)))
                .min(Duration::from_secs(2)),
        }
    }
}

/// How a task ended, if it did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskOutcome {
    /// Well.
    Ok,
    /// Well, with that many warnings; they stand in the log, whose last lines are here.
    Warnings(u64, Vec<String>),
}

impl Task {
    pub(crate) fn new(client: Client, upid: Upid) -> Self {
        Self { client, upid }
    }

    /// The task's identifier, with which [`Client::task`] finds it again.
    #[must_use]
    pub fn upid(&self) -> &Upid {
        &self.upid
    }

    /// Where the task stands now.
    ///
    /// Upstream: `GET /nodes/{node}/tasks/{upid}/status`; if that does not know the task, the
    /// node's list of tasks is asked.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if neither knows it.
    pub async fn status(&self) -> Result<TaskStatus, Error> {
        let request = self.request(&api::TASK_STATUS, Params::default());
        let unknown = match self.client.get::<TaskStatus>(&request).await {
            Err(error) if error.is_not_found() => error,
            answer => return answer,
        };
        status::in_list(&self.client, &self.upid)
            .await?
            .ok_or(unknown)
    }

    /// Waits until the task ends, at most as long as `wait` says.
    ///
    /// # Errors
    /// [`ErrorKind::TaskFailed`](crate::ErrorKind::TaskFailed) with the end of the log if it
    /// failed; [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut) if it still runs, in which case
    /// it goes on running; and those of [`Task::status`].
    pub async fn wait(&self, wait: impl Into<Wait>) -> Result<TaskOutcome, Error> {
        let mut clock = wait.into().clock();
        loop {
            match self.look().await? {
                Some(exit_status) => return self.outcome(&exit_status).await,
                None if clock.tick().await => {}
                None => return Err(self.overdue(clock.limit())),
            }
        }
    }

    /// Asks the server to stop the task; what was begun may stay half done.
    ///
    /// Upstream: `DELETE /nodes/{node}/tasks/{upid}`. A task that has ended already is left alone.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied) for a task of somebody else.
    pub async fn abort(&self) -> Result<(), Error> {
        let request = self.request(&api::STOP_TASK, Params::default());
        self.client.get::<Nothing>(&request).await.map(|_| ())
    }

    /// The exit status, or nothing as long as the task runs.
    async fn look(&self) -> Result<Option<String>, Error> {
        let status = self.status().await?;
        Ok(match status.state {
            TaskState::Running => None,
            // Between the end of the worker and the last line of its log there is no exit status.
            TaskState::Stopped => status.exit_status,
        })
    }

    async fn outcome(&self, exit_status: &str) -> Result<TaskOutcome, Error> {
        match exit_status.strip_prefix("WARNINGS: ") {
            _ if exit_status == "OK" => Ok(TaskOutcome::Ok),
            Some(count) => {
                let count = count.trim().parse().unwrap_or(1);
                Ok(TaskOutcome::Warnings(count, self.log_tail().await))
            }
            None => {
                let tail = self.log_tail().await;
                let failure = TaskFailure::new(self.upid.clone(), exit_status.to_owned(), tail);
                Err(self.error(Cause::Task(failure)))
            }
        }
    }

    /// The last lines of the log; none if it cannot be read, since the outcome matters more.
    async fn log_tail(&self) -> Vec<String> {
        let lines = self.read_log(0).await.unwrap_or_default();
        let skip = lines.len().saturating_sub(TAIL);
        lines.into_iter().skip(skip).map(|line| line.text).collect()
    }

    fn overdue(&self, limit: Duration) -> Error {
        self.error(Cause::Overdue(format!(
            "it still runs after {limit:?}; it goes on"
        )))
    }

    fn error(&self, cause: Cause) -> Error {
        let about = match self.upid.id() {
            "" => String::new(),
            id => format!(" of `{id}`"),
        };
        let operation = format!(
            "task `{}`{about} on node `{}`",
            self.upid.kind(),
            self.upid.node()
        );
        Error::new(operation, self.upid.as_str(), cause)
    }

    fn request(&self, endpoint: &api::Endpoint, params: Params) -> Request {
        Request::to(endpoint, &[self.upid.node(), &self.upid], params)
    }
}
