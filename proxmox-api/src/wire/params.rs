//! Parameters of a call, in order, as the server reads them.
//!
//! # Quirks
//! The server splits a form at `&` and at `;`, keeps only `v1` of `k=v1=v2`, and stores a JSON
//! null as one blank. So everything but unreserved characters is percent-encoded, booleans are
//! 0 and 1, and what is null is left out.

use std::fmt::{self, Display};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;

const RESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Names under which the server takes secrets; their values are never shown, whoever sends them.
const SECRET_NAMES: &[&str] = &[
    "password",
    "confirmation-password",
    "new-password",
    "tfa-challenge",
    "otp",
    "key",
    "secret",
    "encryption-key",
    "token",
];

/// Shorter secrets are not searched for in texts: they would be found in every word.
const SECRET_LENGTH: usize = 4;

/// Percent-encodes one segment of a path, or one key or value of a query or form.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, &RESERVED).to_string()
}

/// Names and values of a call's parameters; a value may be marked as secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Params(Vec<Param>);

#[derive(Clone, PartialEq, Eq)]
struct Param {
    key: String,
    value: String,
    secret: bool,
    /// Named by the caller, not by this crate.
    foreign: bool,
}

impl Params {
    /// From any structure or map of scalars and lists of scalars; `None` is left out.
    pub(crate) fn from_serialize(source: &impl Serialize) -> Result<Self, String> {
        let mut params = Self::default();
        match serde_json::to_value(source).map_err(|error| error.to_string())? {
            Value::Null => {}
            Value::Object(fields) => {
                for (key, value) in &fields {
                    params.push_json(key, value)?;
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err("parameters must be a structure or a map".to_owned());
            }
        }
        Ok(params)
    }

    fn push_json(&mut self, key: &str, value: &Value) -> Result<(), String> {
        match value {
            Value::Null => {}
            Value::Bool(flag) => self.set(key, u8::from(*flag)),
            Value::Number(number) => self.set(key, number),
            Value::String(text) => self.set(key, text),
            Value::Array(items) => {
                for item in items {
                    match item {
                        Value::Array(_) | Value::Object(_) => return Err(nested(key)),
                        scalar => self.push_json(key, scalar)?,
                    }
                }
            }
            Value::Object(_) => return Err(nested(key)),
        }
        Ok(())
    }

    /// Adds a parameter.
    pub(crate) fn set(&mut self, key: impl Into<String>, value: impl Display) {
        let key = key.into();
        let secret = SECRET_NAMES.contains(&key.as_str());
        self.0.push(Param {
            key,
            value: value.to_string(),
            secret,
            foreign: false,
        });
    }

    /// Adds a parameter whose name this crate does not know.
    pub(crate) fn set_foreign(&mut self, key: &str, value: &str) {
        self.set(key, value);
        if let Some(param) = self.0.last_mut() {
            param.foreign = true;
        }
    }

    /// Adds a parameter if there is a value.
    pub(crate) fn set_some(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    /// Adds a parameter if the flag is raised.
    pub(crate) fn set_flag(&mut self, key: &str, flag: bool) {
        if flag {
            self.set(key, 1);
        }
    }

    /// Adds a parameter that must not be shown.
    pub(crate) fn set_secret(&mut self, key: &str, value: &str) {
        self.0.push(Param {
            key: key.to_owned(),
            value: value.to_owned(),
            secret: true,
            foreign: false,
        });
    }

    /// The parameters as name and value, secrets included.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|param| (param.key.as_str(), param.value.as_str()))
    }

    /// The names that this crate itself gave.
    pub(crate) fn own_names(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(|param| !param.foreign)
            .map(|param| param.key.as_str())
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The form or query, percent-encoded.
    pub(crate) fn encoded(&self) -> String {
        let pairs: Vec<String> = self
            .pairs()
            .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
            .collect();
        pairs.join("&")
    }

    /// The text with every secret value in it replaced.
    pub(crate) fn redact(&self, text: &str) -> String {
        let secrets = self
            .0
            .iter()
            .filter(|param| param.secret && param.value.len() >= SECRET_LENGTH);
        secrets.fold(text.to_owned(), |text, param| {
            text.replace(&param.value, "[redacted]")
        })
    }
}

fn nested(key: &str) -> String {
    format!("parameter `{key}` is nested; the server takes scalars and lists of scalars")
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|param| {
            (
                &param.key,
                if param.secret {
                    "[redacted]"
                } else {
                    param.value.as_str()
                },
            )
        });
        f.debug_map().entries(shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Params;

    #[test]
    fn everything_reserved_is_encoded() {
        let mut params = Params::default();
        params.set("tags", "a;b=c d+é");
        assert_eq!(params.encoded(), "tags=a%3Bb%3Dc%20d%2B%C3%A9");
    }

    #[test]
    fn json_becomes_what_the_server_reads() {
        let source = json!({"onboot": true, "template": false, "memory": 512, "gone": null, "list": ["a", 1]});
        let params = Params::from_serialize(&source).unwrap();
        assert_eq!(
            params.encoded(),
            "onboot=1&template=0&memory=512&list=a&list=1"
        );
    }

    #[test]
    fn nested_parameters_are_refused_by_name() {
        let refused = Params::from_serialize(&json!({"net": {"name": "eth0"}})).unwrap_err();
        assert!(refused.contains("`net`"), "{refused}");
        assert!(Params::from_serialize(&json!([1])).is_err());
    }

    #[test]
    fn secrets_are_sent_but_not_shown() {
        let mut params = Params::default();
        params.set_secret("password", "hunter2!");
        assert_eq!(params.encoded(), "password=hunter2%21");
        assert!(!format!("{params:?}").contains("hunter2"));
        assert_eq!(params.redact("got 'hunter2!'"), "got '[redacted]'");
        let raw = Params::from_serialize(&json!({"password": "canary", "vmid": 100})).unwrap();
        assert_eq!(
            format!("{raw:?}"),
            r#"{"password": "[redacted]", "vmid": "100"}"#
        );
    }
}
