//! Every exchange that was seen, as JSON lines in the form of the conformance checker, without secrets.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::call::Call;
use super::reply::{Body, Reply};

/// How many exchanges are kept in memory.
const KEPT: usize = 2_000;
/// What stands in place of a secret.
const REDACTED: &str = "[redacted]";
/// Members that nobody may read later.
const SECRETS: [&str; 14] = [
    "password",
    "sha1",
    "token",
    "secret",
    "data",
    "value",
    "auth_password",
    "auth_token",
    "authorization_header",
    "otp",
    "access_token",
    "private_key",
    "client_secret",
    "jwt",
];

/// The record of what was asked and answered.
#[derive(Debug, Default)]
pub struct Journal {
    seen: Mutex<VecDeque<Value>>,
    file: Option<Mutex<File>>,
}

impl Journal {
    /// A journal in a file, from its beginning; nothing is kept in memory.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn to_file(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: Some(Mutex::new(File::create(path)?)),
            ..Self::default()
        })
    }

    /// Everything seen, oldest first.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Value> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    /// Everything seen, as `METHOD path -> status`, for assertions that are easy to read.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.exchanges()
            .iter()
            .map(|e| {
                format!(
                    "{} {} -> {}",
                    text(&e["method"]),
                    text(&e["path"]),
                    e["status"]
                )
            })
            .collect()
    }

    /// Records one exchange of the REST API.
    pub(crate) fn record(&self, call: &Call, reply: &Reply) {
        // The checker knows the REST API alone; git and runners have protocols of their own.
        if !call.path.starts_with("/api/v1/") {
            return;
        }
        let entry = entry(call, reply);
        if let Some(file) = &self.file {
            // A full disk must not stop the forge.
            let _ = writeln!(
                file.lock().unwrap_or_else(PoisonError::into_inner),
                "{entry}"
            );
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= KEPT {
            seen.pop_front();
        }
        seen.push_back(entry);
    }
}

fn entry(call: &Call, reply: &Reply) -> Value {
    let mut entry = Map::new();
    entry.insert("method".into(), json!(call.method));
    entry.insert("path".into(), json!(call.path));
    if !call.query.is_empty() {
        entry.insert("query".into(), fields(call.query.iter().cloned()));
    }
    let kind = call.header("content-type").unwrap_or_default();
    if kind.contains("json") {
        let body = serde_json::from_slice(&call.body).unwrap_or_else(|_| json!("[not JSON]"));
        entry.insert("body".into(), redacted(body));
    } else if kind.contains("form-urlencoded") {
        entry.insert(
            "form".into(),
            fields(super::call::pairs(&String::from_utf8_lossy(&call.body)).into_iter()),
        );
    } else if kind.contains("multipart") {
        let parts = super::bind::multipart(kind, &call.body)
            .into_iter()
            .map(|part| (part.name, part.file.unwrap_or_default()));
        entry.insert("form".into(), fields(parts));
    }
    entry.insert("status".into(), json!(reply.status));
    if let Body::Json(value) = &reply.body {
        entry.insert("response".into(), redacted(value.clone()));
    }
    Value::Object(entry)
}

fn fields(pairs: impl Iterator<Item = (String, String)>) -> Value {
    redacted(Value::Object(
        pairs
            .map(|(name, value)| (name, Value::String(value)))
            .collect(),
    ))
}

fn redacted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let hide = |(name, value): (String, Value)| {
                let secret = value.is_string() && SECRETS.contains(&name.as_str());
                (
                    name,
                    if secret {
                        Value::from(REDACTED)
                    } else {
                        redacted(value)
                    },
                )
            };
            Value::Object(members.into_iter().map(hide).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(redacted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_reach_the_journal() {
        let call = Call::new("POST", "/api/v1/x?token=abc")
            .with_json(&json!({ "password": "hunter2", "name": "n" }));
        let text = entry(&call, &Reply::ok(json!([{ "sha1": "0123" }]))).to_string();
        assert!(
            !text.contains("hunter2")
                && !text.contains("abc")
                && !text.contains("0123")
                && text.contains("\"n\"")
        );
    }
}
