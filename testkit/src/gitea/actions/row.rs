//! What is kept of runs: the run, its jobs, the tasks that were given out, their steps and outputs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::gitea::connect::Outcome;
use crate::gitea::table::Row;
use crate::gitea::workflow::{ConcurrencyGroup, PlannedJob};

/// How far a run, a job, a task or a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It waits for something else: needed jobs, its concurrency group, its matrix.
    Blocked,
    /// A runner may have it.
    Waiting,
    /// A runner has it.
    Running,
    /// It did what it should.
    Success,
    /// It failed.
    Failure,
    /// It was stopped.
    Cancelled,
    /// It was never begun.
    Skipped,
}

impl Status {
    /// Whether it has ended.
    #[must_use]
    pub fn is_done(self) -> bool {
        matches!(
            self,
            Self::Success | Self::Failure | Self::Cancelled | Self::Skipped
        )
    }

    /// The word for it: `waiting`, `success`, ….
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// What the runner protocol calls an end; [`Outcome::Unspecified`] while there is none.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Blocked | Self::Waiting | Self::Running => Outcome::Unspecified,
            Self::Success => Outcome::Success,
            Self::Failure => Outcome::Failure,
            Self::Cancelled => Outcome::Cancelled,
            Self::Skipped => Outcome::Skipped,
        }
    }

    /// The end that a runner told; `None` while it told none.
    #[must_use]
    pub fn of_outcome(outcome: i32) -> Option<Self> {
        match Outcome::try_from(outcome) {
            Ok(Outcome::Success) => Some(Self::Success),
            Ok(Outcome::Failure) => Some(Self::Failure),
            Ok(Outcome::Cancelled) => Some(Self::Cancelled),
            Ok(Outcome::Skipped) => Some(Self::Skipped),
            Ok(Outcome::Unspecified) | Err(_) => None,
        }
    }
}

/// A run of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: i64,
    /// The repository.
    pub repo: i64,
    /// Counts from 1 within the repository.
    pub number: i64,
    /// The workflow's file below its folder, `ci.yml`.
    pub workflow: String,
    /// The folder of workflows that it was found in.
    pub folder: String,
    /// The workflow's `name:`, empty when it has none.
    pub name: String,
    /// What it is called: its `run-name`, else the title of the commit.
    pub title: String,
    /// The event, `push`.
    pub event: String,
    /// The event's payload.
    pub payload: Value,
    /// The full name of the branch, tag or pull request.
    pub reference: String,
    /// The commit that jobs work on.
    pub sha: String,
    /// The commit that the API names, and that gets statuses: the head of a pull request.
    pub head_sha: String,
    /// The branch that a pull request is to be merged into.
    pub base_ref: String,
    /// The branch that a pull request comes from.
    pub head_ref: String,
    /// Who made it happen.
    pub actor: i64,
    /// How far it is, from its jobs.
    pub status: Status,
    /// Its concurrency group.
    pub concurrency: Option<ConcurrencyGroup>,
    /// Whether it waits for its concurrency group.
    pub held: bool,
    /// Whether its token and secrets are those of a stranger's pull request.
    pub from_fork: bool,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970 of its first task; 0 before.
    pub started: i64,
    /// Seconds since 1970 of its end; 0 before.
    pub stopped: i64,
    /// Seconds since 1970 of the last change.
    pub updated: i64,
}

impl Row for Run {
    const TABLE: &'static str = "run";
    fn group(&self) -> i64 {
        self.repo
    }
}

/// A job of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id; the same in all attempts.
    pub id: i64,
    /// The run.
    pub run: i64,
    /// The repository.
    pub repo: i64,
    /// What it does.
    pub plan: PlannedJob,
    /// How far it is.
    pub status: Status,
    /// How often it was given out.
    pub attempt: i64,
    /// Its present task; 0 when it has none.
    pub task: i64,
    /// The runner of its present task; 0 when it has none.
    pub runner: i64,
    /// That runner's name.
    pub runner_name: String,
    /// Whether it was stopped because another job of its matrix failed.
    pub failed_fast: bool,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970; 0 before.
    pub started: i64,
    /// Seconds since 1970 by the runner's clock; 0 before, or when it tells none.
    pub stopped: i64,
}

impl Row for Job {
    const TABLE: &'static str = "run_job";
    fn group(&self) -> i64 {
        self.run
    }
}

/// A job that a runner may have now; the order of the rows is the order in which they are given out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// The job.
    pub job: i64,
    /// Its repository.
    pub repo: i64,
    /// What its runner must offer.
    pub labels: Vec<String>,
}

impl Row for Queued {
    const TABLE: &'static str = "queue";
    fn index(&self) -> Option<String> {
        Some(self.job.to_string())
    }
    fn group(&self) -> i64 {
        self.repo
    }
}

/// One attempt at a job, by one runner.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: i64,
    /// The job.
    pub job: i64,
    /// The run.
    pub run: i64,
    /// The repository.
    pub repo: i64,
    /// The runner that took it.
    pub runner: i64,
    /// Which attempt it is.
    pub attempt: i64,
    /// SHA-256 of its token in hexadecimal digits.
    pub token_sha256: String,
    /// How far it is.
    pub status: Status,
    /// Its steps, in order.
    pub steps: Vec<StepRecord>,
    /// How many lines of its log are stored.
    pub log_lines: i64,
    /// Whether its log takes no more lines.
    pub log_sealed: bool,
    /// Seconds since 1970.
    pub started: i64,
    /// Seconds since 1970; 0 before its end.
    pub stopped: i64,
    /// Seconds since 1970 of the last word of its runner.
    pub heard: i64,
    /// Which process of the runner it was given to, where that was told.
    #[serde(default)]
    pub place: String,
    /// Whether the runner has said anything of it: it has the task.
    #[serde(default = "yes")]
    pub confirmed: bool,
}

/// Tasks of older stores count as heard of.
fn yes() -> bool {
    true
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id)
            .field("job", &self.job)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Row for Task {
    const TABLE: &'static str = "task";
    fn index(&self) -> Option<String> {
        Some(self.token_sha256.clone())
    }
    fn group(&self) -> i64 {
        self.run
    }
}

/// How far a step of a task is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// How it ended; [`Status::Waiting`] before.
    pub status: Status,
    /// Seconds since 1970 by the runner's clock; 0 before.
    pub started: i64,
    /// Seconds since 1970 by the runner's clock; 0 before.
    pub stopped: i64,
    /// Its first line in the log of the task.
    pub log_index: i64,
    /// How many lines are its own.
    pub log_length: i64,
}

/// An output of a job; the first value stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The task.
    pub task: i64,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Row for Output {
    const TABLE: &'static str = "task_output";
    fn index(&self) -> Option<String> {
        Some(format!("{}/{}", self.task, self.name))
    }
    fn group(&self) -> i64 {
        self.task
    }
}

/// Some lines of a log, as they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChunk {
    /// The task.
    pub task: i64,
    /// The lines.
    pub lines: Vec<LogLine>,
}

impl Row for LogChunk {
    const TABLE: &'static str = "log";
    fn group(&self) -> i64 {
        self.task
    }
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Microseconds since 1970 by the runner's clock, times ten: the log shows seven decimals.
    pub at: i64,
    /// The line.
    pub text: String,
}

/// A workflow that was switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// The repository.
    pub repo: i64,
    /// The workflow's file below its folder.
    pub workflow: String,
}

impl Row for Disabled {
    const TABLE: &'static str = "disabled_workflow";
    fn index(&self) -> Option<String> {
        Some(Self::key(self.repo, &self.workflow))
    }
    fn group(&self) -> i64 {
        self.repo
    }
}

impl Disabled {
    /// The [`Row::index`] of such a row.
    #[must_use]
    pub fn key(repo: i64, workflow: &str) -> String {
        format!("{repo}/{workflow}")
    }
}

/// A workflow with a `schedule:`, as it stands on the default branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The repository.
    pub repo: i64,
    /// The workflow's file below its folder.
    pub workflow: String,
    /// The time as it is written.
    pub cron: String,
    /// When it comes next, in seconds since 1970.
    pub next: i64,
}

impl Row for Schedule {
    const TABLE: &'static str = "schedule";
    fn group(&self) -> i64 {
        self.repo
    }
}
