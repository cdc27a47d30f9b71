//! Pure: a call becomes method, path and encoded parameters.

use std::fmt;

use crate::api::Endpoint;
use crate::error::{Cause, Error};
use crate::wire::{Params, encode};

/// The methods that the server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates, or starts something.
    Post,
    /// Changes.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// The method's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// Whether parameters travel in the body; the server refuses a body on GET and DELETE.
    pub(crate) const fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a request may be sent again when nobody knows whether it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Yes: carrying it out twice is the same as once.
    Safe,
    /// No: only if it was certainly not sent, or refused before any work.
    Unsafe,
}

/// A call, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Below `/api2/json`, percent-encoded, without query.
    pub(crate) path: String,
    pub(crate) params: Params,
    pub(crate) repeat: Repeat,
    operation: String,
}

impl Request {
    /// A call of a known endpoint; `arguments` fill its path's placeholders in order.
    pub(crate) fn to(endpoint: &Endpoint, arguments: &[&dyn fmt::Display], params: Params) -> Self {
        debug_assert_eq!(
            endpoint.placeholders().count(),
            arguments.len(),
            "{}",
            endpoint.path
        );
        for key in params.own_names() {
            debug_assert!(
                endpoint.takes(key),
                "{} does not take `{key}`",
                endpoint.path
            );
        }
        let filled = endpoint.placeholders().zip(arguments);
        let (mut path, mut operation) = (endpoint.path.to_owned(), endpoint.doing.to_owned());
        for (name, argument) in filled {
            let (placeholder, argument) = (format!("{{{name}}}"), argument.to_string());
            path = path.replace(&placeholder, &encode(&argument));
            operation = operation.replace(&placeholder, &argument);
        }
        for (key, value) in params.pairs() {
            operation = operation.replace(&format!("{{{key}}}"), value);
        }
        Self {
            method: endpoint.method,
            path,
            params,
            repeat: endpoint.repeat,
            operation,
        }
    }

    /// A call of any path; GET alone may be repeated.
    pub(crate) fn raw(method: Method, path: &str, params: Params) -> Result<Self, Error> {
        let refuse =
            |reason: &str| Err(Error::unusable(&format!("calling {method} {path}"), reason));
        if !path.starts_with('/') {
            return refuse("the path must begin with `/`, e.g. `/nodes`");
        }
        if path.contains(['?', '#']) || path.chars().any(|c| c.is_control() || c == ' ') {
            return refuse(
                "the path must be percent-encoded and without a query; use the parameters",
            );
        }
        if path.split('/').any(|segment| matches!(segment, "." | "..")) {
            return refuse("the path must not hold `.` or `..`");
        }
        let repeat = if method == Method::Get {
            Repeat::Safe
        } else {
            Repeat::Unsafe
        };
        let operation = format!("calling {method} {path}");
        Ok(Self {
            method,
            path: path.to_owned(),
            params,
            repeat,
            operation,
        })
    }

    /// The path with the query that a method without body carries.
    pub(crate) fn target(&self) -> String {
        if self.method.has_body() || self.params.is_empty() {
            format!("/api2/json{}", self.path)
        } else {
            format!("/api2/json{}?{}", self.path, self.params.encoded())
        }
    }

    /// The form that a method with body carries.
    pub(crate) fn form(&self) -> Option<String> {
        self.method.has_body().then(|| self.params.encoded())
    }

    /// The text without the secrets that this request carries.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.params.redact(text)
    }

    /// An error about this request.
    pub(crate) fn error(&self, cause: Cause) -> Error {
        Error::new(
            &*self.operation,
            format!("{} {}", self.method, self.path),
            cause,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Method, Request};
    use crate::api;
    use crate::wire::Params;

    #[test]
    fn arguments_are_encoded_in_the_path_and_named_in_the_operation() {
        let request = Request::to(
            &api::DELETE_VOLUME,
            &[&"pve1", &"local", &"local:iso/a b.iso"],
            Params::default(),
        );
        assert_eq!(
            request.target(),
            "/api2/json/nodes/pve1/storage/local/content/local%3Aiso%2Fa%20b.iso"
        );
        assert!(
            request.operation.contains("`local:iso/a b.iso`"),
            "{}",
            request.operation
        );
    }

    #[test]
    fn parameters_go_to_the_query_or_to_the_form() {
        let mut params = Params::default();
        params.set("force", 1);
        let delete = Request::to(&api::DESTROY_CONTAINER, &[&"pve1", &105], params);
        assert_eq!(delete.target(), "/api2/json/nodes/pve1/lxc/105?force=1");
        assert_eq!(delete.form(), None);
        let post = Request::to(&api::START_CONTAINER, &[&"pve1", &105], Params::default());
        assert_eq!(post.form().as_deref(), Some(""));
    }

    #[test]
    fn a_raw_path_must_be_a_plain_path() {
        for path in ["nodes", "/a?b=c", "/a b", "/a/../b", "/a#b", "/a\r\nb"] {
            let refused = Request::raw(Method::Get, path, Params::default()).unwrap_err();
            assert_eq!(refused.kind(), crate::ErrorKind::Unusable, "{path}");
        }
        assert!(Request::raw(Method::Get, "/nodes/pve1/lxc", Params::default()).is_ok());
    }
}
