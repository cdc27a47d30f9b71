//! Runs of workflows.
//!
//! # Quirks
//! - `run_attempt` is always 0 on 1.26, and times that are not set are 1970.
//! - After the last report of a runner, wait some seconds before deleting a run or its
//!   repository: earlier, the server keeps a piece of work for ever that slows all others down.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::actions::Actions;
use crate::api::actions::jobs::{Job, ListJobs};
use crate::api::repos::Repository;
use crate::api::users::User;
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::ids::{JobId, RunId, Scope};
use crate::page::List;
use crate::request::{Operation, Safety, operations};
use crate::server::Capability;
use crate::wait::Patience;
use crate::wire::{model, params, words};

operations! {
    LIST = Operation::get("/actions/runs", "list runs").scoped("r").needs(Capability::Runs);
    LIST_OF_OWNER = Operation::get("/actions/runs", "list runs")
        .scoped("oua")
        .needs(Capability::RunsOfOwners);
    LIST_OF_WORKFLOW = Operation::get("/actions/workflows/{workflow_id}/runs", "list runs of workflow")
        .scoped("r")
        .needs(Capability::RunsOfWorkflow);
    GET = Operation::get("/actions/runs/{run}", "get run").scoped("r").needs(Capability::Runs);
    DELETE = Operation::delete("/actions/runs/{run}", "delete run").scoped("r").needs(Capability::Runs);
    RERUN = Operation::post("/actions/runs/{run}/rerun", "rerun run")
        .scoped("r")
        .needs(Capability::Rerun);
    RERUN_FAILED = Operation::post("/actions/runs/{run}/rerun-failed-jobs", "rerun failed jobs")
        .scoped("r")
        .needs(Capability::Rerun);
    RERUN_JOB = Operation::post("/actions/runs/{run}/jobs/{job_id}/rerun", "rerun job")
        .scoped("r")
        .needs(Capability::Rerun);
    TASKS = Operation::get("/actions/tasks", "list tasks").scoped("r").needs(Capability::Tasks);
}

/// Calls that no schema has yet: Forgejo has them, and Gitea will.
pub(crate) mod later {
    use crate::request::{Operation, Safety, operations};
    use crate::server::Capability;

    operations! {
        CANCEL = Operation::post("/actions/runs/{run}/cancel", "cancel run")
            .scoped("r")
            .safety(Safety::Idempotent)
            .needs(Capability::CancelRun);
    }
}

words! {
    /// How far a run, job or step is.
    pub enum RunStatus {
        /// Waiting for a runner.
        Queued = "queued",
        /// Waiting for something else: another job, an approval.
        Waiting = "waiting",
        /// Being carried out.
        InProgress = "in_progress",
        /// Over; see the conclusion.
        Completed = "completed",
    }

    /// How a run, job or step ended.
    pub enum Conclusion {
        /// Well.
        Success = "success",
        /// Badly.
        Failure = "failure",
        /// It was stopped.
        Cancelled = "cancelled",
        /// It was not carried out.
        Skipped = "skipped",
    }
}

model! {
    /// A run of a workflow.
    pub struct Run {
        /// The number; later ones are larger.
        pub id: RunId,
        /// The number within the repository.
        pub run_number: u64,
        /// What it is called: the message of the commit, or what the workflow says.
        pub display_title: String,
        /// The file and the reference: `ci.yml@refs/heads/main`.
        pub path: String,
        /// What started it.
        pub event: String,
        /// How far it is.
        pub status: RunStatus,
        /// How it ended; nothing before.
        pub conclusion: Option<Conclusion>,
        /// The branch; nothing for tags and pull requests.
        pub head_branch: Option<String>,
        /// The commit.
        pub head_sha: String,
        /// Who started it.
        pub actor: Option<User>,
        /// Who started it this time.
        pub trigger_actor: Option<User>,
        /// Whose it is.
        pub repository: Option<Repository>,
        /// Where the commit is from.
        pub head_repository: Option<Repository>,
        /// When it was begun.
        pub started_at: Option<Timestamp>,
        /// When it was over.
        pub completed_at: Option<Timestamp>,
        /// The API's address.
        pub url: String,
        /// The page's address; its numbers differ between versions.
        pub html_url: String,
    }

    /// A task: one attempt of a job.
    pub struct TaskInfo {
        /// The number.
        pub id: i64,
        /// The job.
        pub name: String,
        /// The branch.
        pub head_branch: String,
        /// The commit.
        pub head_sha: String,
        /// The run's number within the repository.
        pub run_number: u64,
        /// What started it.
        pub event: String,
        /// What the run is called.
        pub display_title: String,
        /// How it is, or went: `success`, `failure`, `running`, …
        pub status: String,
        /// The workflow's file.
        pub workflow_id: String,
        /// When it was made.
        pub created_at: Option<Timestamp>,
        /// When it changed.
        pub updated_at: Option<Timestamp>,
        /// When it was begun.
        pub run_started_at: Option<Timestamp>,
    }
}

impl Run {
    /// The workflow's file, for instance `ci.yml`.
    #[must_use]
    pub fn workflow(&self) -> &str {
        let file = self
            .path
            .split_once('@')
            .map_or(&*self.path, |(file, _)| file);
        [".gitea/workflows/", ".github/workflows/"]
            .into_iter()
            .find_map(|folder| file.strip_prefix(folder))
            .unwrap_or(file)
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.status == RunStatus::Completed
    }

    /// Whether it is over and went well.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.is_completed() && self.conclusion == Some(Conclusion::Success)
    }

    pub(crate) fn is_of(&self, file: &str) -> bool {
        self.workflow() == file
    }
}

params! {
    /// Which runs to list.
    pub struct ListRuns {
        optional {
            /// What started them.
            event: String,
            /// The branch.
            branch: String,
            /// How far they are, or how they ended.
            status: String,
            /// Who started them. An unknown name is a failure of the server.
            actor: String,
            /// The commit.
            head_sha: String,
        }
    }
}

impl ListRuns {
    fn query(&self) -> Vec<(String, String)> {
        let pairs = [
            ("event", &self.event),
            ("branch", &self.branch),
            ("status", &self.status),
            ("actor", &self.actor),
            ("head_sha", &self.head_sha),
        ];
        let given = pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.clone()?)));
        given
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

/// A run that is over, with its jobs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunOutcome {
    /// The run.
    pub run: Run,
    /// All its jobs.
    pub jobs: Vec<Job>,
}

impl RunOutcome {
    /// The jobs that did not go well; a skipped one did.
    pub fn failed_jobs(&self) -> impl Iterator<Item = &Job> {
        let fine = |job: &Job| {
            matches!(
                job.conclusion,
                Some(Conclusion::Success | Conclusion::Skipped)
            )
        };
        self.jobs.iter().filter(move |job| !fine(job))
    }

    /// Turns a run that did not go well into an error that names its failed jobs.
    ///
    /// # Errors
    /// `RunFailed`.
    pub fn success(self) -> Result<Self> {
        if self.run.is_success() {
            return Ok(self);
        }
        let names: Vec<_> = self
            .failed_jobs()
            .map(|job| format!("`{}`", job.name))
            .collect();
        let how = self
            .run
            .conclusion
            .as_ref()
            .map_or("without a conclusion", Conclusion::as_str);
        let title = format!("run {} of `{}`", self.run.id, self.run.workflow());
        Err(Error::new(ErrorKind::RunFailed, title, Delivery::Answered)
            .at(self.run.url.clone())
            .saying(format!("{how}, jobs {}", names.join(", "))))
    }
}

impl Actions {
    /// Runs, newest first.
    ///
    /// Upstream: `GET …/actions/runs`
    pub fn runs(&self, which: &ListRuns) -> List<Run> {
        let repository = matches!(self.scope, Scope::Repo(_));
        let operation = if repository { &LIST } else { &LIST_OF_OWNER };
        let request = self.request(operation).query_all(which.query());
        List::paged(&self.client, request)
            .member("workflow_runs")
            .distinct(|run: &Run| run.id.get())
    }

    /// Runs of one workflow. Since Gitea 1.27; never tried.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs`
    pub fn runs_of(&self, file: &str, which: &ListRuns) -> List<Run> {
        let request = self.request(&LIST_OF_WORKFLOW).with("workflow_id", file);
        List::paged(&self.client, request.query_all(which.query()))
            .member("workflow_runs")
            .distinct(|run: &Run| run.id.get())
    }

    /// A run.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/actions/runs/{run}`
    ///
    /// # Errors
    /// `NotFound`, `Unsupported` before Gitea 1.25.
    pub async fn run(&self, id: RunId) -> Result<Run> {
        self.client.send(self.request(&GET).with("run", id)).await
    }

    /// Removes a run that is over.
    ///
    /// Upstream: `DELETE /repos/{owner}/{repo}/actions/runs/{run}`
    ///
    /// # Errors
    /// `NotFound`; `Conflict` while it is not over.
    pub async fn delete_run(&self, id: RunId) -> Result<()> {
        self.client
            .send_empty(self.request(&DELETE).with("run", id))
            .await
    }

    /// Runs everything again.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/actions/runs/{run}/rerun`
    ///
    /// # Errors
    /// `Unsupported` before Gitea 1.26; `Conflict` while it is not over; `NotFound`.
    pub async fn rerun(&self, id: RunId) -> Result<Run> {
        self.client.send(self.request(&RERUN).with("run", id)).await
    }

    /// Runs again what failed, and what depends on it. Nothing happens where nothing failed.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/actions/runs/{run}/rerun-failed-jobs`
    ///
    /// # Errors
    /// As [`rerun`](Self::rerun).
    pub async fn rerun_failed(&self, id: RunId) -> Result<()> {
        self.client
            .send_empty(self.request(&RERUN_FAILED).with("run", id))
            .await
    }

    /// Runs a job again, and what depends on it.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/actions/runs/{run}/jobs/{job_id}/rerun`
    ///
    /// # Errors
    /// As [`rerun`](Self::rerun).
    pub async fn rerun_job(&self, run: RunId, job: JobId) -> Result<Job> {
        self.client
            .send(
                self.request(&RERUN_JOB)
                    .with("run", run)
                    .with("job_id", job),
            )
            .await
    }

    /// Stops a run. No Gitea before 1.28 can; never tried.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/actions/runs/{run}/cancel`
    ///
    /// # Errors
    /// `Unsupported`.
    pub async fn cancel_run(&self, id: RunId) -> Result<()> {
        let request = self
            .request(&later::CANCEL)
            .with("run", id)
            .safety(Safety::Idempotent);
        self.client.send_empty(request).await
    }

    /// Tasks, newest first.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/actions/tasks`
    pub fn tasks(&self) -> List<TaskInfo> {
        List::paged(&self.client, self.request(&TASKS))
            .member("workflow_runs")
            .distinct(|task: &TaskInfo| task.id)
    }

    /// Waits until a run is over, and gives it with its jobs, however it went.
    ///
    /// # Errors
    /// `Timeout` when it is not over in time; the run goes on then.
    pub async fn wait_for_run(&self, id: RunId, limit: Duration) -> Result<RunOutcome> {
        self.wait_for_run_with(id, Patience::for_at_most(limit), |_| {})
            .await
    }

    /// Waits as patiently as told; each change of status is told to `on_change`.
    ///
    /// # Errors
    /// As [`wait_for_run`](Self::wait_for_run).
    pub async fn wait_for_run_with(
        &self,
        id: RunId,
        patience: Patience,
        mut on_change: impl FnMut(&Run) + Send,
    ) -> Result<RunOutcome> {
        let mut waiting = patience.start();
        let mut last = None;
        loop {
            let run = self.run(id).await?;
            if last.as_ref() != Some(&run.status) {
                on_change(&run);
                last = Some(run.status.clone());
            }
            if run.is_completed() {
                let jobs = self.jobs_of(id, &ListJobs::new()).collect(10_000).await?;
                return Ok(RunOutcome { run, jobs });
            }
            if !waiting.again().await {
                return Err(
                    Error::new(ErrorKind::Timeout, "wait for run", Delivery::Answered)
                        .at(run.url)
                        .saying(format!("it is still `{}`", run.status)),
                );
            }
        }
    }
}
