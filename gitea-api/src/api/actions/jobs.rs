//! Jobs of runs, and their logs.
//!
//! # Quirks
//! - 1.25 shows no steps.
//! - A log is 404 until its first row is there; it comes whole each time, so following it means
//!   to fetch it again and to skip what was seen.
//! - A rerun keeps the job's number and begins its log anew.

use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use crate::api::actions::Actions;
use crate::api::actions::runs::{Conclusion, RunStatus};
use crate::client::found;
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::ids::{JobId, RunId, RunnerId, Scope};
use crate::page::List;
use crate::request::{Operation, operations};
use crate::server::Capability;
use crate::wait::{Patience, Waiting};
use crate::wire::{model, params};

operations! {
    LIST = Operation::get("/actions/jobs", "list jobs").scoped("r").needs(Capability::Jobs);
    LIST_OF_OWNER = Operation::get("/actions/jobs", "list jobs")
        .scoped("oua")
        .needs(Capability::RunsOfOwners);
    LIST_OF_RUN = Operation::get("/actions/runs/{run}/jobs", "list jobs of run")
        .scoped("r")
        .needs(Capability::Runs);
    GET = Operation::get("/actions/jobs/{job_id}", "get job").scoped("r").needs(Capability::Jobs);
    LOGS = Operation::get("/actions/jobs/{job_id}/logs", "get log of job")
        .scoped("r")
        .needs(Capability::JobLogs);
}

model! {
    /// A step of a job.
    pub struct Step {
        /// The name, or `Run` and the first line.
        pub name: String,
        /// The number, from 0.
        pub number: u64,
        /// How far it is; one that never began stays queued.
        pub status: RunStatus,
        /// How it ended. A failure that was allowed is a failure here.
        pub conclusion: Option<Conclusion>,
        /// When it was begun, by the runner's clock.
        pub started_at: Option<Timestamp>,
        /// When it was over, by the runner's clock.
        pub completed_at: Option<Timestamp>,
    }

    /// A job of a run.
    pub struct Job {
        /// The number; a rerun keeps it.
        pub id: JobId,
        /// The run.
        pub run_id: RunId,
        /// The run's address.
        pub run_url: String,
        /// Which attempt it is.
        pub run_attempt: u64,
        /// The name, with the values of its matrix.
        pub name: String,
        /// What a runner must have.
        pub labels: Vec<String>,
        /// How far it is.
        pub status: RunStatus,
        /// How it ended; nothing before.
        pub conclusion: Option<Conclusion>,
        /// The branch.
        pub head_branch: Option<String>,
        /// The commit.
        pub head_sha: String,
        /// Who has it.
        pub runner_id: RunnerId,
        /// Who has it, by name.
        pub runner_name: Option<String>,
        /// Its steps; empty on 1.25.
        pub steps: Vec<Step>,
        /// When it was made.
        pub created_at: Option<Timestamp>,
        /// When it was begun, by the server's clock.
        pub started_at: Option<Timestamp>,
        /// When it was over, by the runner's clock.
        pub completed_at: Option<Timestamp>,
        /// The API's address.
        pub url: String,
        /// The page's address; its numbers differ between versions.
        pub html_url: String,
    }
}

params! {
    /// Which jobs to list.
    pub struct ListJobs {
        optional {
            /// How far they are, or how they ended.
            status: String,
        }
    }
}

/// A row of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLine {
    /// When it was written, by the runner's clock.
    pub time: Option<Timestamp>,
    /// The text.
    pub text: String,
}

impl LogLine {
    /// Reads `2026-01-01T00:00:00.0000000Z text`. What has no time is all text.
    pub(crate) fn read(line: &str) -> Self {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        match first.parse::<Timestamp>() {
            Ok(time) => {
                let time = Some(time).filter(|time| *time != Timestamp::UNIX_EPOCH);
                Self {
                    time,
                    text: rest.to_owned(),
                }
            }
            Err(_) => Self {
                time: None,
                text: line.to_owned(),
            },
        }
    }
}

impl Job {
    /// Whether it is over.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.status == RunStatus::Completed
    }
}

impl Actions {
    /// Jobs of all runs, newest first.
    ///
    /// Upstream: `GET …/actions/jobs`
    pub fn jobs(&self, which: &ListJobs) -> List<Job> {
        let repository = matches!(self.scope, Scope::Repo(_));
        let operation = if repository { &LIST } else { &LIST_OF_OWNER };
        let query = which
            .status
            .clone()
            .map(|status| ("status".to_owned(), status));
        let request = self.request(operation).query_all(query);
        List::paged(&self.client, request)
            .member("jobs")
            .distinct(|job: &Job| job.id.get())
    }

    /// Jobs of a run. An unknown run has none.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/actions/runs/{run}/jobs`
    pub fn jobs_of(&self, run: RunId, which: &ListJobs) -> List<Job> {
        let query = which
            .status
            .clone()
            .map(|status| ("status".to_owned(), status));
        let request = self.request(&LIST_OF_RUN).with("run", run).query_all(query);
        List::paged(&self.client, request)
            .member("jobs")
            .distinct(|job: &Job| job.id.get())
    }

    /// A job.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/actions/jobs/{job_id}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn job(&self, id: JobId) -> Result<Job> {
        self.client
            .send(self.request(&GET).with("job_id", id))
            .await
    }

    /// The log of a job, as far as it is written.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/actions/jobs/{job_id}/logs`
    ///
    /// # Errors
    /// `NotFound` before the first row, and when the log was cleaned up (1.25 answers `Server`).
    pub async fn log(&self, id: JobId) -> Result<Vec<LogLine>> {
        let bytes = self
            .client
            .send_bytes(self.request(&LOGS).with("job_id", id))
            .await?;
        Ok(String::from_utf8_lossy(&bytes)
            .lines()
            .map(LogLine::read)
            .collect())
    }

    /// The rows of a job's log, each once, from the first to the last. The stream waits for a job
    /// that has not begun, and ends when the job is over and all its rows were given; it fails with
    /// `Timeout` at the bound.
    #[must_use = "a stream does nothing until it is polled"]
    pub fn follow_log(&self, id: JobId, patience: Patience) -> BoxStream<'static, Result<LogLine>> {
        let follower = Follower {
            actions: self.clone(),
            job: id,
            seen: 0,
            waiting: patience.start(),
            first: true,
        };
        let chunks = stream::try_unfold(Some(follower), |follower| async move {
            match follower {
                Some(follower) => follower.look().await,
                None => Ok(None),
            }
        });
        chunks
            .map_ok(|lines| stream::iter(lines.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }
}

/// Reads a log again and again, and remembers how much was given.
struct Follower {
    actions: Actions,
    job: JobId,
    seen: usize,
    waiting: Waiting,
    first: bool,
}

impl Follower {
    /// New rows, and the follower unless they were the last. The job is asked for **before** its
    /// log, so that a job that is over has all its rows in the log that is read.
    async fn look(mut self) -> Result<Option<(Vec<LogLine>, Option<Self>)>> {
        if !self.first && !self.waiting.again().await {
            return Err(
                Error::new(ErrorKind::Timeout, "follow log", Delivery::Answered)
                    .saying(format!("job {} is not over", self.job)),
            );
        }
        self.first = false;
        let over = self.actions.job(self.job).await?.is_completed();
        let lines = match found(self.actions.log(self.job).await) {
            // 1.25 answers a failure before the first row.
            Err(error) if *error.kind() == ErrorKind::Server && !over => Vec::new(),
            other => other?.unwrap_or_default(),
        };
        let new: Vec<_> = lines.into_iter().skip(self.seen).collect();
        self.seen += new.len();
        Ok(Some((new, (!over).then_some(self))))
    }
}

#[cfg(test)]
mod tests {
    use super::LogLine;

    #[test]
    fn rows_are_read_with_and_without_time() {
        let line = LogLine::read("2026-01-01T00:00:01.5000000Z two words");
        assert_eq!(line.time.unwrap().to_string(), "2026-01-01T00:00:01.5Z");
        assert_eq!(line.text, "two words");
        assert_eq!(LogLine::read("1970-01-01T00:00:00.0000000Z x").time, None);
        assert_eq!(LogLine::read("no time here").text, "no time here");
    }
}
