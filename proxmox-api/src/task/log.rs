//! The log of a task, line by line, to its very end.

use std::collections::VecDeque;

use futures_util::stream::{self, BoxStream};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Task, Wait, Watch};
use crate::api;
use crate::error::Error;
use crate::wire::{Params, lax};

/// Lines asked for at once.
const PAGE: u64 = 500;

/// One line of a task's log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct LogLine {
    /// Number of the line, from 1.
    #[serde(rename = "n", deserialize_with = "lax")]
    pub number: u64,
    /// The line, without its end.
    #[serde(rename = "t", default, deserialize_with = "lax")]
    pub text: String,
}

/// A page of the log; the log of an unknown task is an object that says so, not a list.
#[derive(Debug)]
struct Page(Vec<LogLine>);

impl<'de> Deserialize<'de> for Page {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let page = Value::deserialize(deserializer)?;
        if page.is_object() || page.is_null() {
            return Ok(Self(Vec::new()));
        }
        serde_json::from_value(page)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// How far a reader of the log has come.
struct Reader {
    task: Task,
    watch: Watch,
    next: u64,
    ready: VecDeque<LogLine>,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The task ran when last looked at.
    Running,
    /// The task has ended; what was written since is still to be read.
    Draining,
    Done,
}

impl Task {
    /// The lines of the log as they are written, until the task has ended and all were read.
    ///
    /// Whether the task ended well is for [`Task::wait`] to say.
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
    /// use futures_util::TryStreamExt;
    ///
    /// let task = container.start().await?;
    /// let mut log = task.follow(Duration::from_secs(60));
    /// let mut last = String::new();
    /// while let Some(line) = log.try_next().await? {
    ///     last = line.text;
    /// }
    /// assert_eq!(last, "TASK OK");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The stream ends with an error if the log cannot be read, or with
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut) if the task still runs when the wait is
    /// over.
    pub fn follow(&self, wait: impl Into<Wait>) -> BoxStream<'static, Result<LogLine, Error>> {
        let reader = Reader {
            task: self.clone(),
            watch: wait.into().begin(),
            next: 0,
            ready: VecDeque::new(),
            phase: Phase::Running,
        };
        // Boxed so that the stream can be used without pinning it.
        Box::pin(stream::try_unfold(reader, |mut reader| async move {
            let line = reader.line().await?;
            Ok(line.map(|line| (line, reader)))
        }))
    }

    /// The lines written so far, from the one after `skip` lines.
    ///
    /// Upstream: `GET /nodes/{node}/tasks/{upid}/log`.
    ///
    /// # Errors
    /// Those of reading anything; a log that is not there has no lines.
    pub async fn log(&self, skip: u64) -> Result<Vec<LogLine>, Error> {
        self.read_log(skip).await
    }

    pub(super) async fn read_log(&self, skip: u64) -> Result<Vec<LogLine>, Error> {
        let mut lines = Vec::new();
        loop {
            let page = self.log_page(skip + lines.len() as u64).await?;
            let last = (page.len() as u64) < PAGE;
            lines.extend(page);
            if last {
                return Ok(lines);
            }
        }
    }

    async fn log_page(&self, skip: u64) -> Result<Vec<LogLine>, Error> {
        let mut params = Params::default();
        params.set("start", skip);
        params.set("limit", PAGE);
        let Page(lines) = self
            .client
            .get(&self.request(&api::TASK_LOG, params))
            .await?;
        // An empty log is told as one line that nobody wrote.
        Ok(if is_placeholder(&lines) {
            Vec::new()
        } else {
            lines
        })
    }
}

fn is_placeholder(lines: &[LogLine]) -> bool {
    matches!(lines, [line] if line.number == 1 && line.text == "no content")
}

impl Reader {
    async fn line(&mut self) -> Result<Option<LogLine>, Error> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some(line));
            }
            if self.phase == Phase::Done {
                return Ok(None);
            }
            let page = self.task.log_page(self.next).await?;
            self.next += page.len() as u64;
            self.ready.extend(page);
            if self.ready.is_empty() {
                self.look().await?;
            }
        }
    }

    /// Nothing new was written: has the task ended?
    async fn look(&mut self) -> Result<(), Error> {
        if self.phase == Phase::Draining {
            self.phase = Phase::Done;
        } else if self.task.look(&mut self.watch).await?.is_some() {
            self.phase = Phase::Draining;
        } else if !self.watch.tick().await {
            return Err(self.task.overdue(self.watch.limit()));
        }
        Ok(())
    }
}
