//! Errors of the runner protocol, with the wrapping of the real server.

use http::StatusCode;
use serde_json::json;

/// An error that a caller of the runner protocol is told, as JSON in either codec.
///
/// The real server hands errors of another protocol to Connect, which does not know their codes.
/// So nearly everything is 500 and `unknown`, and the code stands in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ConnectError {
    code: &'static str,
    message: String,
}

impl ConnectError {
    /// Code `unknown`, with a plain text.
    #[must_use]
    pub fn unknown(message: impl Into<String>) -> Self {
        Self {
            code: "unknown",
            message: message.into(),
        }
    }

    /// Code `invalid_argument`: the request could not be read.
    #[must_use]
    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Self {
            code: "invalid_argument",
            message: message.into(),
        }
    }

    /// The caller has not said who it is, or nobody knows it.
    #[must_use]
    pub fn unregistered() -> Self {
        Self::unknown("rpc error: code = Unauthenticated desc = unregistered runner")
    }

    /// Something that was asked for cannot be done; the text is the server's own.
    #[must_use]
    pub fn internal(text: &str) -> Self {
        Self::unknown(format!("rpc error: code = Internal desc = {text}"))
    }

    /// New lines came after the log was sealed.
    #[must_use]
    pub fn archived() -> Self {
        Self::unknown("rpc error: code = AlreadyExists desc = log file has been archived")
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.code {
            "invalid_argument" => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The body of the answer.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        json!({"code": self.code, "message": self.message})
            .to_string()
            .into_bytes()
    }
}
