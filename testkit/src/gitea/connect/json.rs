//! Protojson: names in lowerCamelCase, 64-bit integers as text, times in RFC 3339, defaults left
//! out; on reading also the original names, and numbers where text stands.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::messages::{
    DeclareRequest, DeclareResponse, FetchTaskRequest, FetchTaskResponse, LogRow, Outcome,
    PingRequest, PingResponse, RegisterRequest, RegisterResponse, Runner, StepState, Task,
    TaskNeed, TaskState, UpdateLogRequest, UpdateLogResponse, UpdateTaskRequest,
    UpdateTaskResponse,
};
use super::well_known::Timestamp;

/// A message that can be written as protojson.
pub trait ToProtoJson {
    /// The message as a JSON object.
    fn to_json(&self) -> Value;
}

/// A message that can be read from protojson.
pub trait FromProtoJson: Default {
    /// Takes one member; names that the message does not have are passed over.
    ///
    /// # Errors
    /// `Mismatch` when the value is not of the member's type.
    fn take(&mut self, name: &str, value: &Value) -> Result<(), Mismatch>;

    /// Reads a whole message.
    ///
    /// # Errors
    /// `Mismatch` when this is no object, or a member is of another type than the message's.
    fn from_json(value: &Value) -> Result<Self, Mismatch> {
        let members = value
            .as_object()
            .ok_or_else(|| Mismatch::new("message", value))?;
        let mut message = Self::default();
        for (name, item) in members.iter().filter(|(_, item)| !item.is_null()) {
            message.take(name, item)?;
        }
        Ok(message)
    }
}

/// A JSON value that is not what its place wants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid value for {wanted} field: {found}")]
pub struct Mismatch {
    wanted: &'static str,
    found: String,
}

impl Mismatch {
    fn new(wanted: &'static str, found: &Value) -> Self {
        let found = found.to_string().chars().take(80).collect();
        Self { wanted, found }
    }
}

fn text(value: &Value) -> Result<String, Mismatch> {
    value
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| Mismatch::new("string", value))
}

fn truth(value: &Value) -> Result<bool, Mismatch> {
    value.as_bool().ok_or_else(|| Mismatch::new("bool", value))
}

fn integer(value: &Value) -> Result<i64, Mismatch> {
    let read = match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    read.ok_or_else(|| Mismatch::new("int64", value))
}

/// `1.0` and `1e2` are integers to protojson.
#[expect(
    clippy::cast_possible_truncation,
    reason = "whole and in range, as looked at"
)]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

fn texts(value: &Value) -> Result<Vec<String>, Mismatch> {
    list(value, text)
}

fn list<T>(
    value: &Value,
    read: impl Fn(&Value) -> Result<T, Mismatch>,
) -> Result<Vec<T>, Mismatch> {
    value
        .as_array()
        .ok_or_else(|| Mismatch::new("list", value))?
        .iter()
        .map(read)
        .collect()
}

fn text_map(value: &Value) -> Result<BTreeMap<String, String>, Mismatch> {
    let members = value
        .as_object()
        .ok_or_else(|| Mismatch::new("map", value))?;
    members
        .iter()
        .map(|(name, item)| Ok((name.clone(), text(item)?)))
        .collect()
}

fn time(value: &Value) -> Result<Option<Timestamp>, Mismatch> {
    let wanted = || Mismatch::new("google.protobuf.Timestamp", value);
    let parsed: jiff::Timestamp = value
        .as_str()
        .ok_or_else(wanted)?
        .parse()
        .map_err(|_| wanted())?;
    Ok(Some(parsed.into()))
}

/// An enum by its name or its number; a number that nobody knows is kept.
fn outcome(value: &Value) -> Result<i32, Mismatch> {
    let read = match value {
        Value::String(name) => Outcome::from_name(name).map(|known| known as i32),
        Value::Number(number) => number.as_i64().and_then(|number| number.try_into().ok()),
        _ => None,
    };
    read.ok_or_else(|| Mismatch::new("enum", value))
}

impl Outcome {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::Unspecified, "RESULT_UNSPECIFIED"),
        (Self::Success, "RESULT_SUCCESS"),
        (Self::Failure, "RESULT_FAILURE"),
        (Self::Cancelled, "RESULT_CANCELLED"),
        (Self::Skipped, "RESULT_SKIPPED"),
    ];

    /// The outcome of that protobuf name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(outcome, _)| *outcome)
    }

    /// Its protobuf name, for example `RESULT_SUCCESS`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(outcome, _)| *outcome == self)
            .map_or("", |(_, name)| name)
    }
}

/// Writes members and leaves the defaults out.
#[derive(Default)]
struct Members(Map<String, Value>);

impl Members {
    fn put(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    fn text(self, name: &str, value: &str) -> Self {
        if value.is_empty() {
            self
        } else {
            self.put(name, value.into())
        }
    }

    fn truth(self, name: &str, value: bool) -> Self {
        if value {
            self.put(name, true.into())
        } else {
            self
        }
    }

    fn integer(self, name: &str, value: i64) -> Self {
        if value == 0 {
            self
        } else {
            self.put(name, value.to_string().into())
        }
    }

    fn texts(self, name: &str, values: &[String]) -> Self {
        if values.is_empty() {
            self
        } else {
            self.put(name, values.into())
        }
    }

    fn outcome(self, name: &str, number: i32) -> Self {
        match Outcome::try_from(number) {
            Ok(Outcome::Unspecified) => self,
            Ok(known) => self.put(name, known.name().into()),
            Err(_) => self.put(name, number.into()),
        }
    }

    fn time(self, name: &str, at: Option<Timestamp>) -> Self {
        match at.and_then(Timestamp::to_jiff) {
            Some(at) => self.put(name, rfc3339(at).into()),
            None => self,
        }
    }

    fn map<T>(self, name: &str, map: &BTreeMap<String, T>, write: impl Fn(&T) -> Value) -> Self {
        if map.is_empty() {
            return self;
        }
        let members = map
            .iter()
            .map(|(key, value)| (key.clone(), write(value)))
            .collect();
        self.put(name, Value::Object(members))
    }

    fn message<M: ToProtoJson>(self, name: &str, message: Option<&M>) -> Self {
        match message {
            Some(message) => self.put(name, message.to_json()),
            None => self,
        }
    }

    fn done(self) -> Value {
        Value::Object(self.0)
    }
}

/// RFC 3339 with no, three, six or nine decimals, whichever suffices.
fn rfc3339(at: jiff::Timestamp) -> String {
    let nanos = at.subsec_nanosecond();
    let decimals = match nanos {
        0 => 0,
        n if n % 1_000_000 == 0 => 3,
        n if n % 1_000 == 0 => 6,
        _ => 9,
    };
    format!("{at:.decimals$}")
}

impl FromProtoJson for PingRequest {
    fn take(&mut self, name: &str, value: &Value) -> Result<(), Mismatch> {
        if name == "data" {
            self.data = text(value)?;
        }
        Ok(())
    }
}

impl ToProtoJson for PingResponse {
    fn to_json(&self) -> Value {
        Members::default().text("data", &self.data).done()
    }
}

impl FromProtoJson for RegisterRequest {
    fn take(&mut self, name: &str, value: &Value) -> Result<(), Mismatch> {
        match name {
            "name" => self.name = text(value)?,
            "token" => self.token = text(value)?,
            "agentLabels" | "agent_labels" => self.agent_labels = texts(value)?,
            "customLabels" | "custom_labels" => self.custom_labels = texts(value)?,
            "version" => self.version = text(value)?,
            "labels" => self.labels = texts(value)?,
            "ephemeral" => self.ephemeral = truth(value)?,
            "capabilities" => self.capabilities = texts(value)?,
            _ => {}
        }
        Ok(())
    }
}

impl FromProtoJson for DeclareRequest {
    fn take(&mut self, name: &str, value: &Value) -> Result<(), Mismatch> {
        match name {
            "version" => self.version = text(value)?,
            "labels" => self.labels = texts(value)?,
            "capabilities" => self.capabilities = texts(value)?,
            _ => {}
        }
        Ok(())
    }
}

impl FromProtoJson for FetchTaskRequest {
    fn take(&mut self, name: &str, value: &Value) -> Result<(), Mismatch> {
        if matches!(name, "tasksVersion" | "tasks_version") {
            self.tasks_version = integer(value)?;
        }
        Ok(())
    }
}

impl FromProtoJson for UpdateTaskRequest {
    fn take(&mut self, name: &str, value: &Value) -> Result<(), Mismatch> {
        match name {
            "state" => self.state = Some(TaskState::from_json(value)?),
            "outputs" => self.outputs = text_map(value)?,
            _ => {}
        }
        Ok(())
    }
}

impl FromProtoJson for TaskState {
    fn take(&mut self, name: &str, value: &Value) -> Result<(), Mismatch> {
        match name {
            "id" => self.id = integer(value)?,
            "result" => self.result = outcome(value)?,
            "startedAt" | "started_at" => self.started_at = time(value)?,
            "stoppedAt" | "stopped_at" => self.stopped_at = time(value)?,
            "steps" => self.steps = list(value, StepState::from_json)?,
            _ => {}
        }
        Ok(())
    }
}

impl FromProtoJson for StepState {
    fn take(&mut self, name: &str, value: &Value) -> Result<(), Mismatch> {
        match name {
            "id" => self.id = integer(value)?,
            "result" => self.result = outcome(value)?,
            "startedAt" | "started_at" => self.started_at = time(value)?,
            "stoppedAt" | "stopped_at" => self.stopped_at = time(value)?,
            "logIndex" | "log_index" => self.log_index = integer(value)?,
            "logLength" | "log_length" => self.log_length = integer(value)?,
            _ => {}
        }
        Ok(())
    }
}

impl FromProtoJson for UpdateLogRequest {
    fn take(&mut self, name: &str, value: &Value) -> Result<(), Mismatch> {
        match name {
            "taskId" | "task_id" => self.task_id = integer(value)?,
            "index" => self.index = integer(value)?,
            "rows" => self.rows = list(value, LogRow::from_json)?,
            "noMore" | "no_more" => self.no_more = truth(value)?,
            _ => {}
        }
        Ok(())
    }
}

impl FromProtoJson for LogRow {
    fn take(&mut self, name: &str, value: &Value) -> Result<(), Mismatch> {
        match name {
            "time" => self.time = time(value)?,
            "content" => self.content = text(value)?,
            _ => {}
        }
        Ok(())
    }
}

impl ToProtoJson for Runner {
    fn to_json(&self) -> Value {
        Members::default()
            .integer("id", self.id)
            .text("uuid", &self.uuid)
            .text("token", &self.token)
            .text("name", &self.name)
            .text("version", &self.version)
            .texts("labels", &self.labels)
            .truth("ephemeral", self.ephemeral)
            .done()
    }
}

impl ToProtoJson for RegisterResponse {
    fn to_json(&self) -> Value {
        Members::default()
            .message("runner", self.runner.as_ref())
            .done()
    }
}

impl ToProtoJson for DeclareResponse {
    fn to_json(&self) -> Value {
        Members::default()
            .message("runner", self.runner.as_ref())
            .done()
    }
}

impl ToProtoJson for FetchTaskResponse {
    fn to_json(&self) -> Value {
        Members::default()
            .message("task", self.task.as_ref())
            .integer("tasksVersion", self.tasks_version)
            .done()
    }
}

impl ToProtoJson for Task {
    fn to_json(&self) -> Value {
        let mut members = Members::default().integer("id", self.id);
        if let Some(payload) = &self.workflow_payload {
            members = members.put("workflowPayload", STANDARD.encode(payload).into());
        }
        if let Some(context) = &self.context {
            members = members.put("context", context.into());
        }
        members
            .map("secrets", &self.secrets, |value| value.as_str().into())
            .map("needs", &self.needs, ToProtoJson::to_json)
            .map("vars", &self.vars, |value| value.as_str().into())
            .done()
    }
}

impl ToProtoJson for TaskNeed {
    fn to_json(&self) -> Value {
        Members::default()
            .map("outputs", &self.outputs, |value| value.as_str().into())
            .outcome("result", self.result)
            .done()
    }
}

impl ToProtoJson for UpdateTaskResponse {
    fn to_json(&self) -> Value {
        Members::default()
            .message("state", self.state.as_ref())
            .texts("sentOutputs", &self.sent_outputs)
            .done()
    }
}

impl ToProtoJson for TaskState {
    fn to_json(&self) -> Value {
        Members::default()
            .integer("id", self.id)
            .outcome("result", self.result)
            .time("startedAt", self.started_at)
            .time("stoppedAt", self.stopped_at)
            .done()
    }
}

impl ToProtoJson for UpdateLogResponse {
    fn to_json(&self) -> Value {
        Members::default()
            .integer("ackIndex", self.ack_index)
            .done()
    }
}
