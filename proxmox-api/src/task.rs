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
mod watch;

use std::time::Duration;

use crate::api;
use crate::client::Client;
use crate::error::{Cause, Error, TaskFailure};
use crate::ids::Upid;
use crate::request::Request;
use crate::response::Nothing;
use crate::wire::Params;

pub use log::LogLine;
pub use status::{TaskState, TaskStatus};
pub(crate) use watch::Watch;
pub use watch::{Poll, Wait};

/// Lines of the log that a failure carries.
const TAIL: usize = 10;

/// A task on a node. Dropping it does not stop the task.
#[derive(Debug, Clone)]
pub struct Task {
    client: Client,
    upid: Upid,
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
    /// ```
    /// # use proxmox_api::{Client, Tls};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let play = testkit::node::Node::start_memory().await?;
    /// # let pve = Client::builder(play.url()).token(play.root_token().parse()?)
    /// #     .tls(Tls::Pinned(play.fingerprint().parse()?)).build()?;
    /// # let node = pve.node(play.name().parse()?);
    /// # let template = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst".parse()?;
    /// # let create = proxmox_api::api::CreateContainer::new(105.try_into()?, template);
    /// # node.create_container(&create.rootfs("local:1".parse()?)).await?
    /// #     .wait(std::time::Duration::from_secs(60)).await?;
    /// # let container = node.container(105.try_into()?);
    /// use std::time::Duration;
    ///
    /// use proxmox_api::{ErrorKind, TaskOutcome};
    ///
    /// let task = container.start().await?;
    /// match task.wait(Duration::from_secs(60)).await {
    ///     Ok(TaskOutcome::Warnings(count, log)) => println!("{count} warnings: {log:?}"),
    ///     Ok(_) => {}
    ///     Err(error) if error.kind() == ErrorKind::TimedOut => println!("it goes on: {}", task.upid()),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::TaskFailed`](crate::ErrorKind::TaskFailed) with the end of the log if it
    /// failed; [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut) if it still runs, in which case
    /// it goes on running; and those of [`Task::status`].
    pub async fn wait(&self, wait: impl Into<Wait>) -> Result<TaskOutcome, Error> {
        let mut watch = wait.into().begin();
        loop {
            match self.look(&mut watch).await? {
                Some(exit_status) => return self.outcome(&exit_status).await,
                None if watch.tick().await => {}
                None => return Err(self.overdue(watch.limit())),
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
    async fn look(&self, watch: &mut Watch) -> Result<Option<String>, Error> {
        let status = match self.status().await {
            Err(error) if error.is_not_found() && watch.may_appear() => return Ok(None),
            status => status?,
        };
        Ok(match (status.state, status.exit_status) {
            (TaskState::Running, _) => None,
            (TaskState::Stopped, Some(exit_status)) => Some(exit_status),
            (TaskState::Stopped, None) if watch.may_speak() => None,
            (TaskState::Stopped, None) => Some("it ended without an exit status".to_owned()),
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
