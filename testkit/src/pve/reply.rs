//! What the server says: a reply with its reason phrase, and the failures it is made of.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::work::Job;

/// The content type of every JSON answer, to the letter: clients compare it as text.
pub const JSON: &str = "application/json;charset=UTF-8";

/// One answer, with what the door must do beside sending it.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// HTTP status; 595 and 596 exist.
    pub status: u16,
    /// The reason phrase: first line of an error's text.
    pub reason: String,
    /// Header fields beyond those every answer has.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the connection is closed afterwards.
    pub close: bool,
    /// How long the answer is held back: a 401 takes 3 s on a real server.
    pub delay: Duration,
    /// What a fault rule does to this answer.
    pub fault: Option<Damage>,
    /// Work outside the world.
    pub effects: Vec<Effect>,
    /// Template of the endpoint that answered, for journals; empty where there was none.
    pub endpoint: &'static str,
}

/// Work that the world asks its server for.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Do something with a real guest; the outcome comes back by [`World::complete`](super::World::complete).
    Guest(Job),
    /// Keep an uploaded file as this volume.
    Store {
        /// Volume id, for example `local:vztmpl/debian.tar.zst`.
        volume: String,
        /// Where the upload was spooled.
        spool: PathBuf,
    },
    /// An upload that came to nothing.
    Unspool {
        /// Where it was spooled.
        spool: PathBuf,
    },
    /// A volume is gone.
    Discard {
        /// Volume id.
        volume: String,
    },
}

/// What a fault does to an answer on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// The connection is reset instead of answered.
    Reset,
    /// The answer never comes.
    Hang,
    /// Only this many bytes of the body are sent, then the connection ends.
    Truncate(usize),
}

impl Reply {
    /// A text without content type, as the HTTP layer below the API answers.
    #[must_use]
    pub fn text(status: u16, message: &str) -> Self {
        Self {
            status,
            reason: first_line(message),
            body: message.as_bytes().to_vec(),
            close: status >= 400,
            ..Self::default()
        }
    }

    /// Status and reason without a body.
    #[must_use]
    pub fn empty(status: u16, reason: &str) -> Self {
        Self {
            status,
            reason: reason.to_owned(),
            close: status >= 400,
            ..Self::default()
        }
    }

    pub(crate) fn json(status: u16, reason: &str, body: &Value) -> Self {
        Self {
            status,
            reason: reason.to_owned(),
            headers: vec![("Content-Type".to_owned(), JSON.to_owned())],
            body: body.to_string().into_bytes(),
            close: status >= 400,
            ..Self::default()
        }
    }
}

/// How the answer is wrapped: `/api2/json` or `/api2/extjs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Extjs,
}

/// A request that was refused, with the text the real server has for it.
#[derive(Debug, Clone)]
pub(crate) struct Fail {
    status: u16,
    message: String,
    errors: BTreeMap<String, String>,
    layer: Layer,
}

/// Which part of the server refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    /// The API: wrapped in JSON; `true`: an exception object, whose status is text in `extjs`.
    Api { exception: bool },
    /// Authentication: an empty body.
    Auth,
    /// The HTTP layer: a bare text.
    Http,
}

impl Fail {
    /// A plain `die`: status 500, and a newline at the end of the message.
    pub(crate) fn die(message: impl AsRef<str>) -> Self {
        Self::api(500, &format!("{}\n", message.as_ref()), false)
    }

    /// One wrong parameter.
    pub(crate) fn param(name: &str, text: impl Into<String>) -> Self {
        Self::params(BTreeMap::from([(name.to_owned(), text.into())]))
    }

    /// All wrong parameters at once.
    pub(crate) fn params(errors: BTreeMap<String, String>) -> Self {
        Self {
            errors,
            ..Self::api(400, "Parameter verification failed.\n", true)
        }
    }

    /// A property string that cannot be read outside of the parameter check.
    pub(crate) fn format_error(errors: BTreeMap<String, String>) -> Self {
        Self {
            errors,
            ..Self::api(500, "format error\n", false)
        }
    }

    /// A missing right, with what was checked.
    pub(crate) fn denied(what: impl AsRef<str>) -> Self {
        Self::api(
            403,
            &format!("Permission check failed ({})\n", what.as_ref()),
            true,
        )
    }

    /// A missing right of a nested check, which names nothing.
    pub(crate) fn denied_bare() -> Self {
        Self::api(403, "Permission check failed\n", true)
    }

    /// An error of the API layer whose message is used as it stands.
    pub(crate) fn api(status: u16, message: &str, exception: bool) -> Self {
        Self {
            status,
            message: message.to_owned(),
            errors: BTreeMap::new(),
            layer: Layer::Api { exception },
        }
    }

    /// An endpoint or verb that does not exist.
    pub(crate) fn unknown(method: &str, path: &str) -> Self {
        Self::api(
            501,
            &format!("Method '{method} {path}' not implemented"),
            false,
        )
    }

    /// Who are you: a 401 with an empty body.
    pub(crate) fn auth(reason: &str) -> Self {
        Self {
            layer: Layer::Auth,
            ..Self::api(401, reason, false)
        }
    }

    /// An error below the API: its text is the body.
    pub(crate) fn plain(status: u16, message: &str) -> Self {
        Self {
            layer: Layer::Http,
            ..Self::api(status, message, false)
        }
    }

    /// The message without its final newline: what becomes a task's exit status.
    pub(crate) fn text(&self) -> &str {
        self.message.trim_end_matches('\n')
    }

    pub(crate) fn reply(&self, format: Format) -> Reply {
        match self.layer {
            Layer::Auth => Reply::empty(self.status, &self.message),
            Layer::Http => Reply::text(self.status, &self.message),
            Layer::Api { exception } => self.wrapped(format, exception),
        }
    }

    fn wrapped(&self, format: Format, exception: bool) -> Reply {
        let mut body = Map::new();
        body.insert("data".to_owned(), Value::Null);
        if !self.errors.is_empty() {
            body.insert("errors".to_owned(), json!(self.errors));
        }
        body.insert("message".to_owned(), json!(self.message));
        if format == Format::Json {
            return Reply::json(
                self.status,
                &first_line(&self.message),
                &Value::Object(body),
            );
        }
        body.insert("success".to_owned(), json!(0));
        let text = exception || self.status == 401;
        body.insert(
            "status".to_owned(),
            if text {
                json!(self.status.to_string())
            } else {
                json!(self.status)
            },
        );
        Reply::json(200, "OK", &Value::Object(body))
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
