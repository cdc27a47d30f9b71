//! Every exchange that was seen, as JSON lines with secrets taken out.
//!
//! One line holds `method`, `path`, `query`, `form` or `body`, `status`, `reason`, `response` and
//! `millis`: the form that the conformance checker in `fixtures/schemas` reads.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::pve::{Moment, Reply, Request};

/// How many exchanges are kept in memory.
const KEPT: usize = 10_000;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Names of values that nobody may read later.
const SECRETS: [&str; 12] = [
    "password",
    "confirmation-password",
    "new-password",
    "ticket",
    "tfa-challenge",
    "CSRFPreventionToken",
    "otp",
    "totp",
    "value",
    "recovery",
    "secret",
    "token",
];

/// The record of what was asked and answered.
#[derive(Debug, Default)]
pub struct Journal {
    seen: Mutex<VecDeque<Value>>,
    file: Option<Mutex<File>>,
}

impl Journal {
    /// A journal that is also written to a file, from its beginning.
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

    /// Forgets what was seen; the file stays.
    pub fn clear(&self) {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Records one exchange that ended now.
    pub(crate) fn record(&self, request: &Request, reply: &Reply, began: Moment) {
        let entry = entry(request, reply, began);
        if let Some(file) = &self.file {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            // A full disk must not stop the node; the journal in memory goes on.
            let _ = writeln!(file, "{entry}");
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= KEPT {
            seen.pop_front();
        }
        seen.push_back(entry);
    }
}

fn entry(request: &Request, reply: &Reply, began: Moment) -> Value {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let mut entry = Map::new();
    entry.insert("time".into(), json!(began.millis()));
    entry.insert("method".into(), json!(request.method));
    entry.insert("path".into(), json!(path));
    if !query.is_empty() {
        entry.insert("query".into(), fields(query));
    }
    if let Some(upload) = &request.upload {
        let own = upload
            .fields
            .iter()
            .map(|(key, value)| (key.clone(), json!(value)));
        let mut form: Map<String, Value> = own.collect();
        form.insert("filename".into(), json!(upload.filename));
        entry.insert("form".into(), Value::Object(form));
    } else if !request.body.is_empty() {
        let text = String::from_utf8_lossy(&request.body);
        let json = request
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/json"));
        match serde_json::from_slice::<Value>(&request.body)
            .ok()
            .filter(|_| json)
        {
            Some(body) => drop(entry.insert("body".into(), redact(None, body))),
            None => drop(entry.insert("form".into(), fields(&text))),
        }
    }
    entry.insert("status".into(), json!(reply.status));
    entry.insert("reason".into(), json!(reply.reason));
    let response = serde_json::from_slice(&reply.body)
        .unwrap_or_else(|_| json!(String::from_utf8_lossy(&reply.body)));
    entry.insert("response".into(), redact(None, response));
    entry.insert(
        "millis".into(),
        json!(Moment::now().millis().saturating_sub(began.millis())),
    );
    Value::Object(entry)
}

fn fields(text: &str) -> Value {
    let params = crate::pve::decode_form(text);
    redact(None, Value::Object(params.into_iter().collect()))
}

fn redact(key: Option<&str>, value: Value) -> Value {
    let secret = key.is_some_and(|key| SECRETS.contains(&key));
    match value {
        Value::Object(map) => {
            // In a list of pending changes `value` is a configured value, not a secret.
            let pending = map.contains_key("key");
            let each = |(name, value): (String, Value)| {
                let kept = pending && name == "value";
                let value = if kept {
                    value
                } else {
                    redact(Some(&name), value)
                };
                (name, value)
            };
            Value::Object(map.into_iter().map(each).collect())
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| redact(key, item)).collect())
        }
        Value::String(_) if secret => Value::from(REDACTED),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_reach_the_journal() {
        let mut request = Request::new("POST", "/api2/json/access/ticket");
        request.body = b"username=root@pam&password=open+sesame".to_vec();
        let reply = Reply {
            status: 200,
            body: br#"{"data":{"ticket":"PVE:x","username":"root@pam"}}"#.to_vec(),
            ..Reply::default()
        };
        let journal = Journal::default();
        journal.record(&request, &reply, Moment::now());
        let text = journal.exchanges()[0].to_string();
        assert!(
            !text.contains("sesame") && !text.contains("PVE:x"),
            "{text}"
        );
        assert_eq!(journal.lines(), ["POST /api2/json/access/ticket -> 200"]);
    }
}
