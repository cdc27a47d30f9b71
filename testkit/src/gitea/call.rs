//! One request, as every door hands it in.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use percent_encoding::percent_decode_str;

/// A request with its body read.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// `GET`, `POST`, … in capitals.
    pub method: String,
    /// The path as it was sent, still percent-encoded, without the query.
    pub path: String,
    /// The query's pairs in order, decoded.
    pub query: Vec<(String, String)>,
    /// Header names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, after any transfer encoding.
    pub body: Bytes,
    /// `http://HOST` by which the caller reached us; addresses in bodies start with it.
    pub base: String,
    /// What the router found in the path, by the names in the pattern, decoded; the rest of a
    /// pattern that ends in `*` has the name `*`.
    pub params: Vec<(&'static str, String)>,
    /// Whether a list comes whole, whatever `limit` says: so in older releases, where no `page` is asked for.
    pub unpaged: bool,
    /// A body that was too large for memory, in place of [`Call::body`]; only git's requests have one.
    pub upload: Option<Upload>,
}

/// A body in a file that has no name.
#[derive(Debug, Clone)]
pub struct Upload(Arc<File>);

impl Upload {
    /// The body that a file holds from its beginning.
    #[must_use]
    pub fn new(file: File) -> Self {
        Self(Arc::new(file))
    }

    /// Reads the body; one reader at a time.
    ///
    /// # Errors
    /// When the file has no further handle.
    pub fn reader(&self) -> io::Result<File> {
        let mut file = self.0.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }
}

impl Call {
    /// A call with a path and perhaps a query, as on a request line.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: pairs(query),
            base: "http://localhost".into(),
            ..Self::default()
        }
    }

    /// The same with a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// The same with a JSON body.
    #[must_use]
    pub fn with_json(self, body: &serde_json::Value) -> Self {
        let mut call = self.with_header("content-type", "application/json");
        call.body = Bytes::from(body.to_string());
        call
    }

    /// The first value of a header; the name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a query parameter.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values of a query parameter.
    pub fn query_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query
            .iter()
            .filter(move |(have, _)| have == name)
            .map(|(_, value)| value.as_str())
    }

    /// A query parameter that is true when it says `1`, `t`, `true` (as Go's `ParseBool`).
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.query(name)? {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
            _ => None,
        }
    }

    /// A part of the path by its name in the pattern; empty when the pattern has no such part.
    #[must_use]
    pub fn param(&self, name: &str) -> &str {
        self.params
            .iter()
            .find(|(have, _)| *have == name)
            .map_or("", |(_, value)| value.as_str())
    }

    /// A part of the path as an id; `None` when it is no positive number.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<i64> {
        self.param(name).parse().ok().filter(|id| *id > 0)
    }

    /// Whether the caller speaks TLS to us or to the proxy before us.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.base.starts_with("https:")
    }
}

/// The pairs of a query or form; what is not UTF-8 after decoding is replaced.
#[must_use]
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| {
        percent_decode_str(&part.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    let whole = text.split('&').filter(|part| !part.is_empty());
    whole
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_taken_apart() {
        let call = Call::new("GET", "/a?x=1&y=a+b&x=%C3%A4");
        assert_eq!(call.path, "/a");
        assert_eq!(call.query("y"), Some("a b"));
        assert_eq!(call.query_all("x").collect::<Vec<_>>(), ["1", "ä"]);
    }
}
