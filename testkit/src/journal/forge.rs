//! A line of a Gitea's journal, for calls of the REST API alone: git and runners have protocols of their own.

use serde_json::{Map, Value, json};

use super::{Journal, redact};
use crate::gitea::call::{self, Call};
use crate::gitea::reply::{Body, Reply};

/// Names of values that nobody may read later.
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

impl Journal {
    /// Records one exchange of the REST API.
    pub(crate) fn record_call(&self, call: &Call, reply: &Reply) {
        if call.path.starts_with("/api/v1/") {
            self.add(entry(call, reply));
        }
    }
}

fn entry(call: &Call, reply: &Reply) -> Map<String, Value> {
    let mut entry = Map::new();
    entry.insert("method".into(), json!(call.method));
    entry.insert("path".into(), json!(call.path));
    if !call.query.is_empty() {
        entry.insert("query".into(), fields(call.query.iter().cloned()));
    }
    let kind = call.header("content-type").unwrap_or_default();
    if call.body.is_empty() {
        // Some clients name a kind of body and send none.
    } else if kind.contains("json") {
        let body = serde_json::from_slice(&call.body).unwrap_or_else(|_| json!("[not JSON]"));
        entry.insert("body".into(), redact(None, body, &SECRETS));
    } else if kind.contains("form-urlencoded") {
        let pairs = call::pairs(&String::from_utf8_lossy(&call.body));
        entry.insert("form".into(), fields(pairs.into_iter()));
    } else if kind.contains("multipart") {
        let parts = crate::gitea::bind::multipart(kind, &call.body)
            .into_iter()
            .map(|part| (part.name, part.file.unwrap_or_default()));
        entry.insert("form".into(), fields(parts));
    }
    entry.insert("status".into(), json!(reply.status));
    if let Body::Json(value) = &reply.body {
        entry.insert("response".into(), redact(None, value.clone(), &SECRETS));
    }
    entry
}

fn fields(pairs: impl Iterator<Item = (String, String)>) -> Value {
    let named = pairs.map(|(name, value)| (name, Value::String(value)));
    redact(None, Value::Object(named.collect()), &SECRETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_reach_the_journal() {
        let call = Call::new("POST", "/api/v1/x?token=abc")
            .with_json(&json!({ "password": "hunter2", "name": "n" }));
        let journal = Journal::default();
        journal.record_call(&call, &Reply::ok(json!([{ "sha1": "0123" }])));
        let text = journal.exchanges()[0].to_string();
        assert!(
            !text.contains("hunter2")
                && !text.contains("abc")
                && !text.contains("0123")
                && text.contains("\"n\"")
        );
    }
}
