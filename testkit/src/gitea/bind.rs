//! Reading a request's body: JSON, form or query, checked against what an operation takes.
//!
//! The words of every refusal are those of the real server: field names in brackets are those of its
//! own structures (`[UserName]: Required`), and JSON errors are those of its decoder.

use serde_json::{Map, Value};

use super::call::Call;
use super::reply::Reply;

mod form;
mod json;
mod rule;

/// What an operation takes.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The name of the structure, as type errors show it.
    pub name: &'static str,
    /// Its fields, in the order in which they are checked.
    pub fields: &'static [Field],
}

/// One member of a body.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The member's name in JSON.
    pub json: &'static str,
    /// The field's name in the server, as rule errors show it; in forms it counts in snake case.
    pub go: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it must satisfy.
    pub rules: &'static [Rule],
}

/// What a member holds; `null` fits everywhere and counts as absent.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A string.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number; the text is the Go type that errors name.
    Number(&'static str),
    /// An RFC 3339 time.
    Time,
    /// A list of strings.
    Texts,
    /// A list of whole numbers.
    Numbers,
    /// An object with strings as values.
    TextMap,
    /// An object of another schema.
    Object(&'static Schema),
    /// A list of such objects.
    Objects(&'static Schema),
    /// Anything.
    Any,
}

/// What a value must satisfy; the word in brackets is what the refusal says.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// There must be something (`Required`).
    Required,
    /// At most so many characters (`MaxSize`).
    Max(usize),
    /// A mail address (`Email`).
    Email,
    /// A web address (`Url`).
    Url,
    /// Letters, digits, `-`, `_` and `.` (`AlphaDashDot`).
    AlphaDashDot,
    /// A user's name (`invalid username`).
    Username,
    /// One of these words (`In`).
    In(&'static [&'static str]),
    /// A name that git takes for a reference (`GitRefName`).
    RefName,
}

/// A text member without rules.
#[must_use]
pub const fn text(json: &'static str, go: &'static str) -> Field {
    Field {
        json,
        go,
        kind: Kind::Text,
        rules: &[],
    }
}

/// A text member with rules.
#[must_use]
pub const fn ruled(json: &'static str, go: &'static str, rules: &'static [Rule]) -> Field {
    Field {
        json,
        go,
        kind: Kind::Text,
        rules,
    }
}

/// A member of another kind, without rules.
#[must_use]
pub const fn of(json: &'static str, go: &'static str, kind: Kind) -> Field {
    Field {
        json,
        go,
        kind,
        rules: &[],
    }
}

/// A flag.
#[must_use]
pub const fn flag(json: &'static str, go: &'static str) -> Field {
    of(json, go, Kind::Flag)
}

/// A whole number of Go's type `int64`.
#[must_use]
pub const fn number(json: &'static str, go: &'static str) -> Field {
    of(json, go, Kind::Number("int64"))
}

/// A body that was read and checked.
#[derive(Debug, Clone, Default)]
pub struct Body {
    members: Map<String, Value>,
}

impl Body {
    /// Whether a member was given, and not as `null`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A member that was given, and not as `null`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// A text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// A text, empty when it was not given.
    #[must_use]
    pub fn text_or_empty(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    /// A flag.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(Value::as_bool)
    }

    /// A whole number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(Value::as_i64)
    }

    /// A list of texts; `None` when it was not given.
    #[must_use]
    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        let list = self.get(name)?.as_array()?;
        Some(
            list.iter()
                .map(|value| value.as_str().unwrap_or_default().to_owned())
                .collect(),
        )
    }

    /// An object within.
    #[must_use]
    pub fn object(&self, name: &str) -> Self {
        Self {
            members: self
                .get(name)
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
        }
    }

    /// Objects within.
    #[must_use]
    pub fn objects(&self, name: &str) -> Vec<Self> {
        let list = self
            .get(name)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        list.iter()
            .map(|value| Self {
                members: value.as_object().cloned().unwrap_or_default(),
            })
            .collect()
    }

    /// A time in seconds since 1970, with its zone in minutes.
    #[must_use]
    pub fn time(&self, name: &str) -> Option<(i64, i32)> {
        self.text(name).and_then(super::clock::parse)
    }
}

/// Reads and checks the body of a call.
///
/// # Errors
/// 422 with the words of the real server.
pub fn bind(call: &Call, schema: &'static Schema) -> Result<Body, Reply> {
    let refuse = |text: String| Reply::error(422, text);
    let kind = call.header("content-type").unwrap_or_default();
    let members = if kind.contains("form-urlencoded") {
        let pairs = super::call::pairs(&String::from_utf8_lossy(&call.body));
        form::members(schema, pairs.into_iter().chain(call.query.iter().cloned()))
    } else if kind.contains("multipart/form-data") {
        let parts = multipart(kind, &call.body)
            .into_iter()
            .filter(|part| part.file.is_none());
        let pairs = parts.map(|part| (part.name, String::from_utf8_lossy(&part.data).into_owned()));
        form::members(schema, pairs.chain(call.query.iter().cloned()))
    } else if kind.contains("json") {
        json::decode(&call.body, schema).map_err(|error| refuse(format!("[]: {error}")))?
    } else if kind.is_empty() && !matches!(call.method.as_str(), "POST" | "PUT") {
        form::members(schema, call.query.iter().cloned())
    } else {
        let what = if kind.is_empty() {
            "Empty"
        } else {
            "Unsupported"
        };
        return Err(refuse(format!("[]: {what} Content-Type")));
    };
    rule::check(schema, &members).map_err(refuse)?;
    Ok(Body { members })
}

pub use form::{Part, multipart};
