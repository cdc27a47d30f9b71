//! The messages of `ping.v1` and `runner.v1`, with the field numbers of the published protocol.

use std::collections::BTreeMap;

use super::well_known::{Struct, Timestamp};

/// What a caller says to see whether anybody is there.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PingRequest {
    /// Any text; it comes back in the answer.
    #[prost(string, tag = "1")]
    pub data: String,
}

/// The answer to [`PingRequest`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct PingResponse {
    /// `Hello, ` and the text of the request.
    #[prost(string, tag = "1")]
    pub data: String,
}

/// A program that wants to become a runner.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RegisterRequest {
    /// The name by which people will know it.
    #[prost(string, tag = "1")]
    pub name: String,
    /// A registration token of the instance, an owner or a repository.
    #[prost(string, tag = "2")]
    pub token: String,
    /// Labels as programs before 2023 sent them.
    #[prost(string, repeated, tag = "3")]
    pub agent_labels: Vec<String>,
    /// Labels as programs before 2023 sent them.
    #[prost(string, repeated, tag = "4")]
    pub custom_labels: Vec<String>,
    /// The version of the program.
    #[prost(string, tag = "5")]
    pub version: String,
    /// What jobs may ask for with `runs-on`.
    #[prost(string, repeated, tag = "6")]
    pub labels: Vec<String>,
    /// Whether it takes one task and is gone.
    #[prost(bool, tag = "7")]
    pub ephemeral: bool,
    /// What else it can do, for example `cancelling`.
    #[prost(string, repeated, tag = "8")]
    pub capabilities: Vec<String>,
}

/// The answer to [`RegisterRequest`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct RegisterResponse {
    /// The runner, with its token: this is the only time it is told.
    #[prost(message, optional, tag = "1")]
    pub runner: Option<Runner>,
}

/// What a runner says at each of its starts.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DeclareRequest {
    /// The version of the program; replaces the one before.
    #[prost(string, tag = "1")]
    pub version: String,
    /// All labels; they replace the ones before.
    #[prost(string, repeated, tag = "2")]
    pub labels: Vec<String>,
    /// What else it can do.
    #[prost(string, repeated, tag = "3")]
    pub capabilities: Vec<String>,
}

/// The answer to [`DeclareRequest`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct DeclareResponse {
    /// The runner as it is known now, without its token.
    #[prost(message, optional, tag = "1")]
    pub runner: Option<Runner>,
}

/// A runner as the server knows it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Runner {
    /// The number of the runner on this server.
    #[prost(int64, tag = "1")]
    pub id: i64,
    /// What the runner calls itself in the header `x-runner-uuid`.
    #[prost(string, tag = "2")]
    pub uuid: String,
    /// Its secret, sent in `x-runner-token`; empty but in the answer to a registration.
    #[prost(string, tag = "3")]
    pub token: String,
    /// The name given at registration.
    #[prost(string, tag = "4")]
    pub name: String,
    /// The version it declared.
    #[prost(string, tag = "8")]
    pub version: String,
    /// The labels it declared, as they were sent.
    #[prost(string, repeated, tag = "9")]
    pub labels: Vec<String>,
    /// Whether it takes one task and is gone.
    #[prost(bool, tag = "10")]
    pub ephemeral: bool,
}

/// A runner asks for work.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FetchTaskRequest {
    /// The version it was told last; work is looked for only when it is not the current one.
    #[prost(int64, tag = "1")]
    pub tasks_version: i64,
}

/// The answer to [`FetchTaskRequest`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct FetchTaskResponse {
    /// The work, absent when there is none.
    #[prost(message, optional, tag = "1")]
    pub task: Option<Task>,
    /// The current version of the runner's scope, never 0.
    #[prost(int64, tag = "2")]
    pub tasks_version: i64,
}

/// One job, given to one runner, once.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Task {
    /// The number of the task.
    #[prost(int64, tag = "1")]
    pub id: i64,
    /// A workflow of exactly this job, as YAML.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub workflow_payload: Option<Vec<u8>>,
    /// The `github` context, with the job's token.
    #[prost(message, optional, tag = "3")]
    pub context: Option<Struct>,
    /// Secrets by name, the job's token under two names among them.
    #[prost(btree_map = "string, string", tag = "4")]
    pub secrets: BTreeMap<String, String>,
    /// What the jobs that this one needs left behind, by job id.
    #[prost(btree_map = "string, message", tag = "6")]
    pub needs: BTreeMap<String, TaskNeed>,
    /// Variables by name.
    #[prost(btree_map = "string, string", tag = "7")]
    pub vars: BTreeMap<String, String>,
}

/// Result and outputs of a needed job.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TaskNeed {
    /// Its outputs by name.
    #[prost(btree_map = "string, string", tag = "1")]
    pub outputs: BTreeMap<String, String>,
    /// How it ended.
    #[prost(enumeration = "Outcome", tag = "2")]
    pub result: i32,
}

/// How a task or a step ended; the protocol calls it `Result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Outcome {
    /// It has not ended.
    Unspecified = 0,
    /// It did what it should.
    Success = 1,
    /// It failed.
    Failure = 2,
    /// It was stopped.
    Cancelled = 3,
    /// It was never begun.
    Skipped = 4,
}

/// A runner tells how far it is, or that it still lives.
#[derive(Clone, PartialEq, prost::Message)]
pub struct UpdateTaskRequest {
    /// The state of the task; a request without it makes the real server fall over.
    #[prost(message, optional, tag = "1")]
    pub state: Option<TaskState>,
    /// Outputs of the job that have not been acknowledged yet.
    #[prost(btree_map = "string, string", tag = "2")]
    pub outputs: BTreeMap<String, String>,
}

/// The answer to [`UpdateTaskRequest`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct UpdateTaskResponse {
    /// Id and result as the server sees them; a result that the runner did not send means: stop.
    #[prost(message, optional, tag = "1")]
    pub state: Option<TaskState>,
    /// The names of all outputs that are stored, sorted.
    #[prost(string, repeated, tag = "2")]
    pub sent_outputs: Vec<String>,
}

/// The state of a task.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TaskState {
    /// The number of the task.
    #[prost(int64, tag = "1")]
    pub id: i64,
    /// How it ended.
    #[prost(enumeration = "Outcome", tag = "2")]
    pub result: i32,
    /// When the runner began it.
    #[prost(message, optional, tag = "3")]
    pub started_at: Option<Timestamp>,
    /// When the runner was done with it.
    #[prost(message, optional, tag = "4")]
    pub stopped_at: Option<Timestamp>,
    /// Its steps, as far as they changed.
    #[prost(message, repeated, tag = "5")]
    pub steps: Vec<StepState>,
}

/// The state of one step.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StepState {
    /// Its place in the job, counted from 0.
    #[prost(int64, tag = "1")]
    pub id: i64,
    /// How it ended.
    #[prost(enumeration = "Outcome", tag = "2")]
    pub result: i32,
    /// When it began.
    #[prost(message, optional, tag = "3")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[prost(message, optional, tag = "4")]
    pub stopped_at: Option<Timestamp>,
    /// The first line of the task's log that is its own.
    #[prost(int64, tag = "5")]
    pub log_index: i64,
    /// How many lines are its own.
    #[prost(int64, tag = "6")]
    pub log_length: i64,
}

/// Lines of a log.
#[derive(Clone, PartialEq, prost::Message)]
pub struct UpdateLogRequest {
    /// The number of the task.
    #[prost(int64, tag = "1")]
    pub task_id: i64,
    /// The place of the first of these lines in the log, counted from 0.
    #[prost(int64, tag = "2")]
    pub index: i64,
    /// The lines.
    #[prost(message, repeated, tag = "3")]
    pub rows: Vec<LogRow>,
    /// Whether no more lines will come.
    #[prost(bool, tag = "4")]
    pub no_more: bool,
}

/// The answer to [`UpdateLogRequest`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct UpdateLogResponse {
    /// How many lines of the log are stored.
    #[prost(int64, tag = "1")]
    pub ack_index: i64,
}

/// One line of a log.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LogRow {
    /// When it was printed.
    #[prost(message, optional, tag = "1")]
    pub time: Option<Timestamp>,
    /// The line, without its end.
    #[prost(string, tag = "2")]
    pub content: String,
}
