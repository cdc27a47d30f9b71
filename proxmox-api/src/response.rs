//! Pure: status, reason phrase and bytes become a value or an error.
//!
//! # Quirks
//! The reason phrase carries the message, and for a 401 it is the only place that does; the JSON
//! `message` exists since pve-http-server 5.2.0 and holds all lines. Status codes say little: a
//! missing container is a 500, a missing task a 400.

mod classify;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Cause, Error, Refusal};
use crate::request::Request;

pub(crate) use classify::classify;

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) body: Bytes,
}

/// What the server wraps every answer in.
#[derive(Debug, Default, Deserialize)]
struct Envelope {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    errors: Option<serde_json::Map<String, Value>>,
}

/// An answer without content, or whose content does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nothing;

impl<'de> Deserialize<'de> for Nothing {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// Whether the server did what it was asked for.
pub(crate) fn check(request: &Request, answer: &Answer) -> Result<(), Error> {
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    let error = request.error(Cause::Refused(refusal(answer)));
    Err(error.redacted(|text| request.redact(text)))
}

/// The value in the answer, or why there is none.
pub(crate) fn decode<T: DeserializeOwned>(request: &Request, answer: &Answer) -> Result<T, Error> {
    check(request, answer)?;
    let undecodable = |source: crate::error::BoxedError| {
        request.error(Cause::Undecodable {
            status: answer.status,
            source,
        })
    };
    let envelope: Envelope = serde_json::from_slice(&answer.body)
        .map_err(|error| undecodable(Box::new(Shape::of(&answer.body, &error))))?;
    serde_path_to_error::deserialize(envelope.data).map_err(|error| undecodable(Box::new(error)))
}

/// A body that is no JSON envelope, described without its content, which may be secret.
#[derive(Debug, thiserror::Error)]
#[error(
    "a body of {length} bytes is not the JSON that was expected (line {line}, column {column})"
)]
struct Shape {
    length: usize,
    line: usize,
    column: usize,
}

impl Shape {
    fn of(body: &Bytes, error: &serde_json::Error) -> Self {
        Self {
            length: body.len(),
            line: error.line(),
            column: error.column(),
        }
    }
}

fn refusal(answer: &Answer) -> Refusal {
    let envelope: Option<Envelope> = serde_json::from_slice(&answer.body).ok();
    let envelope = envelope.unwrap_or_default();
    let params: BTreeMap<String, String> = envelope
        .errors
        .unwrap_or_default()
        .iter()
        .map(|(name, reason)| (name.clone(), words(reason)))
        .collect();
    let message = envelope
        .message
        .map(|message| message.trim().to_owned())
        .filter(|message| !message.is_empty())
        .unwrap_or_else(|| said_elsewhere(answer));
    let kind = classify(answer.status, &message, &params);
    Refusal {
        status: answer.status,
        message,
        params,
        kind,
    }
}

/// The message of an answer whose body holds none: the reason phrase, or the first line of text.
fn said_elsewhere(answer: &Answer) -> String {
    let standard = http::StatusCode::from_u16(answer.status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    let reason = answer.reason.trim();
    if !reason.is_empty() && reason != standard {
        return reason.to_owned();
    }
    let text = std::str::from_utf8(&answer.body).unwrap_or_default().trim();
    let line = text.lines().next().unwrap_or_default();
    if !line.is_empty() && !text.starts_with(['<', '{', '[']) {
        return line.chars().take(200).collect();
    }
    if reason.is_empty() {
        "no reason was given".to_owned()
    } else {
        reason.to_owned()
    }
}

fn words(reason: &Value) -> String {
    reason
        .as_str()
        .map_or_else(|| reason.to_string(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests;
