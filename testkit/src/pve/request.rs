//! What a client asked: the request as it came over the wire, and its decoded parameters.

use std::path::PathBuf;

use indexmap::IndexMap;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::reply::Fail;

/// Parameters by name, in the order in which they came; `null` stands for Perl's `undef`.
pub(crate) type Params = IndexMap<String, Value>;

/// One HTTP request, independent of the door it came through.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The method as written, for example `GET`.
    pub method: String,
    /// Path and query as written in the request line.
    pub target: String,
    /// Header fields in order, names in any case.
    pub headers: Vec<(String, String)>,
    /// The whole body; empty for an upload, whose file was spooled by the door.
    pub body: Vec<u8>,
    /// A multipart upload that the door has already taken apart.
    pub upload: Option<Upload>,
}

/// A file that came as `multipart/form-data`.
#[derive(Debug, Clone, Default)]
pub struct Upload {
    /// The form fields before the file.
    pub fields: Vec<(String, String)>,
    /// The name the client gave the file.
    pub filename: String,
    /// Bytes.
    pub size: u64,
    /// The digest by the algorithm of the field `checksum-algorithm`, in hex.
    pub digest: Option<String>,
    /// Where the door put the content; `None` when nobody will read it.
    pub spool: Option<PathBuf>,
}

impl Request {
    /// A request without headers and body.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            ..Self::default()
        }
    }

    /// The first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The path without the query, still encoded.
    #[must_use]
    pub fn raw_path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// Query and body merged: the query wins where both name a parameter.
    pub(crate) fn params(&self) -> Result<Params, Fail> {
        let mut params = self.body_params()?;
        for (key, value) in form(self.query()) {
            params.insert(key, value);
        }
        params.shift_remove("_dc");
        Ok(params)
    }

    fn body_params(&self) -> Result<Params, Fail> {
        if let Some(upload) = &self.upload {
            return Ok(upload
                .fields
                .iter()
                .map(|(k, v)| (k.clone(), Value::from(v.as_str())))
                .collect());
        }
        if matches!(self.method.as_str(), "GET" | "DELETE") {
            if self.body.is_empty() {
                return Ok(Params::new());
            }
            return Err(Fail::plain(
                501,
                &format!("Unexpected content for method '{}'", self.method),
            ));
        }
        let kind = self.header("content-type").unwrap_or_default();
        let media = kind.split(';').next().unwrap_or_default().trim();
        match media {
            "" | "application/x-www-form-urlencoded" => {
                Ok(form(&String::from_utf8_lossy(&self.body)))
            }
            "application/json" => json(&self.body),
            _ => Err(Fail::plain(
                506,
                &format!("upload 'Content-Type '{kind}' not implemented"),
            )),
        }
    }
}

/// Percent-decoding with `+` as a blank, as in forms.
fn unescape(text: &str) -> String {
    let blanks = text.replace('+', " ");
    percent_decode_str(&blanks).decode_utf8_lossy().into_owned()
}

/// Pairs split at `&` and `;`; a value ends at the next bare `=`; repeated keys become an array.
pub(crate) fn form(text: &str) -> Params {
    let mut params = Params::new();
    for pair in text.split(['&', ';']).filter(|pair| !pair.is_empty()) {
        let mut parts = pair.split('=');
        let key = unescape(parts.next().unwrap_or_default());
        let value = parts
            .next()
            .map_or(Value::Null, |value| Value::from(unescape(value)));
        match params.get_mut(&key) {
            Some(Value::Array(list)) => list.push(value),
            Some(old) => *old = Value::Array(vec![old.take(), value]),
            None => drop(params.insert(key, value)),
        }
    }
    params
}

/// Where the real server's JSON decoder dies, for its raw error texts.
const PLACE: &str = " at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 936.\n";

fn json(body: &[u8]) -> Result<Params, Fail> {
    if body.is_empty() {
        return Ok(Params::new());
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(map)) => Ok(map
            .into_iter()
            .map(|(key, value)| (key, perl_scalar(value)))
            .collect()),
        Ok(_) => Err(Fail::plain(500, &format!("Not a HASH reference{PLACE}"))),
        Err(error) => {
            let offset = error.column().min(body.len());
            let rest = String::from_utf8_lossy(&body[offset..]).into_owned();
            let before = if rest.is_empty() {
                "(end of string)".to_owned()
            } else {
                rest
            };
            Err(Fail::plain(
                500,
                &format!(
                    "malformed JSON string, neither tag, array, object, number, string or atom, \
                     at character offset {offset} (before \"{before}\"){PLACE}"
                ),
            ))
        }
    }
}

/// Booleans are 1 and 0 in Perl.
fn perl_scalar(value: Value) -> Value {
    match value {
        Value::Bool(flag) => Value::from(i64::from(flag)),
        Value::Array(list) => Value::Array(list.into_iter().map(perl_scalar).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::form;

    #[test]
    fn a_form_splits_at_semicolons_and_ends_a_value_at_the_next_equals_sign() {
        let params = form("a=1;b=2=3&c=x+y%2B&a=2&d&e=");
        assert_eq!(params["a"], serde_json::json!(["1", "2"]));
        assert_eq!(params["b"], "2");
        assert_eq!(params["c"], "x y+");
        assert!(params["d"].is_null());
        assert_eq!(params["e"], "");
    }
}
