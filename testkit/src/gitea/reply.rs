//! One answer, and the three shapes in which the API says no.

use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

/// What a handler answers: `Ok` or `Err` are sent alike; `Err` lets handlers use `?`.
pub type Answer = Result<Reply, Reply>;

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Header names in lower case, and values; `content-type` comes from the body unless it is here.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
}

/// The body of an answer.
pub enum Body {
    /// None, and no content type.
    Empty,
    /// JSON, `application/json;charset=utf-8`.
    Json(Value),
    /// JSON that was written before, with its text.
    Written(Arc<Value>, Bytes),
    /// An error; [`Reply::finish`] writes it with the address of the API's documentation.
    Problem(Problem),
    /// Bytes with this content type.
    Bytes(&'static str, Bytes),
    /// Bytes with this content type that come while they are sent.
    Stream(&'static str, Box<dyn Read + Send>),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Json(value) => f.debug_tuple("Json").field(value).finish(),
            Self::Written(value, _) => f.debug_tuple("Written").field(value).finish(),
            Self::Problem(problem) => f.debug_tuple("Problem").field(problem).finish(),
            Self::Bytes(kind, bytes) => f
                .debug_tuple("Bytes")
                .field(kind)
                .field(&bytes.len())
                .finish(),
            Self::Stream(kind, _) => f.debug_tuple("Stream").field(kind).finish(),
        }
    }
}

/// An error in the API's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The member `message`.
    pub message: String,
    /// The member `errors`, which only the "not found" helper writes; `Some(None)` is `null`.
    pub errors: Option<Option<Vec<String>>>,
    /// Whether the member `url` is there.
    pub has_url: bool,
}

/// The content type of every JSON answer.
pub const JSON: &str = "application/json;charset=utf-8";
/// The content type of plain text.
pub const TEXT: &str = "text/plain; charset=utf-8";

impl Reply {
    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Empty,
        }
    }

    /// 204.
    #[must_use]
    pub fn no_content() -> Self {
        Self::empty(204)
    }

    /// 200 with JSON.
    #[must_use]
    pub fn ok(value: Value) -> Self {
        Self::json(200, value)
    }

    /// 201 with JSON.
    #[must_use]
    pub fn created(value: Value) -> Self {
        Self::json(201, value)
    }

    /// JSON with any status.
    #[must_use]
    pub fn json(status: u16, value: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Json(value),
        }
    }

    /// Plain text with any status.
    #[must_use]
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::bytes(status, TEXT, text.into())
    }

    /// Bytes with a content type.
    #[must_use]
    pub fn bytes(status: u16, kind: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Bytes(kind, bytes.into()),
        }
    }

    /// The usual error: `{"message", "url"}`.
    #[must_use]
    pub fn error(status: u16, message: impl Into<String>) -> Self {
        Self::problem(
            status,
            Problem {
                message: message.into(),
                errors: None,
                has_url: true,
            },
        )
    }

    /// The error of a check before everything else: `{"message"}` alone.
    #[must_use]
    pub fn bare(status: u16, message: impl Into<String>) -> Self {
        Self::problem(
            status,
            Problem {
                message: message.into(),
                errors: None,
                has_url: false,
            },
        )
    }

    /// 404 `{"message": "not found", "errors": null, "url"}`.
    #[must_use]
    pub fn not_found() -> Self {
        Self::problem(
            404,
            Problem {
                message: "not found".into(),
                errors: Some(None),
                has_url: true,
            },
        )
    }

    /// 404 with `not found` and the reason in `errors`.
    #[must_use]
    pub fn not_found_because(reason: impl Into<String>) -> Self {
        Self::not_found_in("not found", reason)
    }

    /// 404 with the name of an inner function as `message`, and the reason in `errors`.
    #[must_use]
    pub fn not_found_in(function: &str, reason: impl Into<String>) -> Self {
        Self::problem(
            404,
            Problem {
                message: function.into(),
                errors: Some(Some(vec![reason.into()])),
                has_url: true,
            },
        )
    }

    /// 404 with the name of an inner function as `message`, and `errors` null.
    #[must_use]
    pub fn not_found_in_none(function: &str) -> Self {
        Self::problem(
            404,
            Problem {
                message: function.into(),
                errors: Some(None),
                has_url: true,
            },
        )
    }

    /// 500, whose message only site administrators may read.
    #[must_use]
    pub fn internal(message: &str, for_administrator: bool) -> Self {
        Self::error(500, if for_administrator { message } else { "" })
    }

    fn problem(status: u16, problem: Problem) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Problem(problem),
        }
    }

    /// The same with a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Writes errors out, now that the address is known by which the caller reached us.
    #[must_use]
    pub fn finish(mut self, base: &str) -> Self {
        if let Body::Problem(problem) = self.body {
            self.body = Body::Json(problem.written(base));
        }
        self
    }

    /// The content type, where there is one.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        let explicit = self
            .headers
            .iter()
            .find(|(name, _)| *name == "content-type")
            .map(|(_, value)| value.as_str());
        explicit.or(match &self.body {
            Body::Empty => None,
            Body::Json(_) | Body::Written(..) | Body::Problem(_) => Some(JSON),
            Body::Bytes(kind, _) | Body::Stream(kind, _) => Some(kind),
        })
    }
}

impl Problem {
    fn written(self, base: &str) -> Value {
        let mut body = json!({ "message": self.message });
        if let Some(errors) = self.errors {
            body["errors"] = json!(errors);
        }
        if self.has_url {
            body["url"] = json!(format!("{base}/api/swagger"));
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_documentation() {
        let Body::Json(body) = Reply::not_found_because("gone").finish("http://h").body else {
            panic!("an error becomes JSON")
        };
        assert_eq!(
            body,
            json!({"message": "not found", "errors": ["gone"], "url": "http://h/api/swagger"})
        );
    }
}
