//! Where a task stands, as its status and as the list of tasks tell it.

use serde::Deserialize;

use crate::api::{self, ListTasks, TaskEntry};
use crate::client::Client;
use crate::error::Error;
use crate::ids::Upid;
use crate::request::Request;

/// Whether a task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskState {
    /// It runs.
    Running,
    /// It has ended.
    Stopped,
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskStatus {
    /// Whether it runs.
    pub state: TaskState,
    /// `OK`, `WARNINGS: n` or the text of the error; absent while it runs, and for a moment after.
    pub exit_status: Option<String>,
}

#[derive(Deserialize)]
struct Wire {
    status: String,
    exitstatus: Option<String>,
}

impl<'de> Deserialize<'de> for TaskStatus {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let state = if wire.status == "running" {
            TaskState::Running
        } else {
            TaskState::Stopped
        };
        Ok(Self {
            state,
            exit_status: wire.exitstatus,
        })
    }
}

impl TaskStatus {
    /// Reads an entry of the list: its `status` is the exit status, or `RUNNING`.
    fn of_entry(entry: &TaskEntry) -> Self {
        match entry.status.as_deref() {
            None | Some("RUNNING" | "running") => Self {
                state: TaskState::Running,
                exit_status: None,
            },
            Some(exit) => Self {
                state: TaskState::Stopped,
                exit_status: Some(exit.to_owned()),
            },
        }
    }
}

/// The task as the list of its node's tasks knows it.
pub(super) async fn in_list(client: &Client, upid: &Upid) -> Result<Option<TaskStatus>, Error> {
    let list = ListTasks::new()
        .running_too()
        .limit(500)
        .since(upid.started());
    let request = Request::to(&api::LIST_TASKS, &[upid.node()], list.params());
    let entries: Vec<TaskEntry> = client.get(&request).await?;
    Ok(entries
        .iter()
        .find(|entry| entry.upid == *upid)
        .map(TaskStatus::of_entry))
}
