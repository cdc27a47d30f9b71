//! A line of a Proxmox VE's journal: also `time`, `reason` and `millis`.

use serde_json::{Map, Value, json};

use super::{Journal, redact};
use crate::pve::{Moment, Reply, Request};

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

impl Journal {
    /// Records one exchange that ended now.
    pub(crate) fn record(&self, request: &Request, reply: &Reply, began: Moment) {
        self.add(entry(request, reply, began));
    }
}

fn entry(request: &Request, reply: &Reply, began: Moment) -> Map<String, Value> {
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
            Some(body) => drop(entry.insert("body".into(), redact(None, body, &SECRETS))),
            None => drop(entry.insert("form".into(), fields(&text))),
        }
    }
    entry.insert("status".into(), json!(reply.status));
    entry.insert("reason".into(), json!(reply.reason));
    let response = serde_json::from_slice(&reply.body)
        .unwrap_or_else(|_| json!(String::from_utf8_lossy(&reply.body)));
    entry.insert("response".into(), redact(None, response, &SECRETS));
    let millis = Moment::now().millis().saturating_sub(began.millis());
    entry.insert("millis".into(), json!(millis));
    entry
}

fn fields(text: &str) -> Value {
    let params = crate::pve::decode_form(text);
    redact(None, Value::Object(params.into_iter().collect()), &SECRETS)
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
