//! The messages in protobuf's JSON form: 64-bit numbers are texts, defaults are left out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::auth::Secret;
use crate::ids::RunnerId;
use crate::runner::buffer::LogRow;
use crate::runner::{Credentials, Registered};
use crate::wire::{lenient, words};

words! {
    /// How a task or a step ended. `Other` with an empty word: it has not.
    pub enum TaskResult {
        /// Well.
        Success = "RESULT_SUCCESS",
        /// Badly.
        Failure = "RESULT_FAILURE",
        /// It was stopped.
        Cancelled = "RESULT_CANCELLED",
        /// It was not carried out.
        Skipped = "RESULT_SKIPPED",
    }
}

impl TaskResult {
    pub(crate) fn is_unset(&self) -> bool {
        matches!(self.as_str(), "" | "RESULT_UNSPECIFIED")
    }
}

/// Writes a number as a text, and reads either.
pub(crate) mod int64 {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};
    use serde_json::Value;

    pub(crate) fn serialize<S: Serializer>(number: &i64, writer: S) -> Result<S::Ok, S::Error> {
        writer.collect_str(number)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(reader: D) -> Result<i64, D::Error> {
        let value = Value::deserialize(reader)?;
        let number = match &value {
            Value::Null => Some(0),
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| D::Error::custom(format_args!("`{value}` is no 64-bit number")))
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature is serde's"
    )]
    pub(crate) fn is_zero(number: &i64) -> bool {
        *number == 0
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct Ping {
    #[serde(default)]
    pub(super) data: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Register<'a> {
    pub(super) name: &'a str,
    pub(super) token: &'a Secret,
    pub(super) version: &'a str,
    pub(super) labels: &'a [String],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) ephemeral: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) capabilities: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct Declare<'a> {
    pub(super) version: &'a str,
    pub(super) labels: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) capabilities: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct RunnerAnswer {
    pub(super) runner: RunnerMessage,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub(super) struct RunnerMessage {
    #[serde(with = "int64")]
    id: i64,
    uuid: String,
    token: Secret,
    name: String,
    labels: Vec<String>,
    ephemeral: bool,
}

impl From<RunnerMessage> for Registered {
    fn from(runner: RunnerMessage) -> Self {
        Self {
            id: RunnerId::from(runner.id),
            name: runner.name,
            labels: runner.labels,
            ephemeral: runner.ephemeral,
            credentials: Credentials {
                uuid: runner.uuid,
                token: runner.token,
            },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fetch {
    #[serde(with = "int64")]
    pub(super) tasks_version: i64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Fetched {
    pub(super) task: Option<TaskMessage>,
    #[serde(with = "int64")]
    pub(super) tasks_version: i64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TaskMessage {
    #[serde(with = "int64")]
    pub(super) id: i64,
    pub(super) workflow_payload: String,
    pub(super) context: Map<String, Value>,
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) vars: BTreeMap<String, String>,
    pub(super) needs: BTreeMap<String, NeedMessage>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct NeedMessage {
    pub(super) outputs: BTreeMap<String, String>,
    pub(super) result: TaskResult,
}

#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct StepState {
    #[serde(with = "int64", skip_serializing_if = "int64::is_zero")]
    pub(super) id: i64,
    #[serde(
        deserialize_with = "lenient",
        skip_serializing_if = "TaskResult::is_unset"
    )]
    pub(super) result: TaskResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stopped_at: Option<Timestamp>,
    #[serde(with = "int64", skip_serializing_if = "int64::is_zero")]
    pub(super) log_index: i64,
    #[serde(with = "int64", skip_serializing_if = "int64::is_zero")]
    pub(super) log_length: i64,
}

#[derive(Serialize, Deserialize, Debug, Clone, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TaskState {
    #[serde(with = "int64")]
    pub(super) id: i64,
    #[serde(
        deserialize_with = "lenient",
        skip_serializing_if = "TaskResult::is_unset"
    )]
    pub(super) result: TaskResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stopped_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) steps: Vec<StepState>,
}

#[derive(Serialize)]
pub(super) struct UpdateTask<'a> {
    pub(super) state: &'a TaskState,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) outputs: BTreeMap<&'a str, &'a str>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TaskUpdated {
    pub(super) state: TaskState,
    pub(super) sent_outputs: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateLog<'a> {
    #[serde(with = "int64")]
    pub(super) task_id: i64,
    #[serde(with = "int64", skip_serializing_if = "int64::is_zero")]
    pub(super) index: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rows: Vec<&'a LogRow>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) no_more: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LogUpdated {
    #[serde(with = "int64")]
    pub(super) ack_index: i64,
}
