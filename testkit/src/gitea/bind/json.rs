//! JSON as the real server's decoder takes it, with its words for what it refuses.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Field, Kind, Schema};
use crate::gitea::clock;

/// How deep values may nest.
const DEPTH_MAX: usize = 1000;

/// Decodes an object of a schema.
pub(super) fn decode(body: &[u8], schema: &Schema) -> Result<Map<String, Value>, String> {
    let (value, numbers) = Reader {
        body,
        at: 0,
        path: Vec::new(),
        numbers: Numbers::new(),
    }
    .document()?;
    match value {
        Value::Null => Ok(Map::new()),
        Value::Object(members) => Typing { numbers }.typed(members, schema, ""),
        other => Err(mismatch(&other, &format!("structs.{}", schema.name), "")),
    }
}

/// Numbers that are no `i64` by their paths, as they were written: refusals quote them.
type Numbers = HashMap<String, String>;

struct Typing {
    numbers: Numbers,
}

impl Typing {
    fn typed(
        &self,
        mut members: Map<String, Value>,
        schema: &Schema,
        path: &str,
    ) -> Result<Map<String, Value>, String> {
        for (name, value) in &mut members {
            if let Some(field) = schema.fields.iter().find(|field| field.json == name) {
                self.fit(field, value, &format!("{path}/{name}"))?;
            }
        }
        Ok(members)
    }

    fn fit(&self, field: &Field, value: &mut Value, path: &str) -> Result<(), String> {
        if value.is_null() {
            return Ok(());
        }
        match (field.kind, &mut *value) {
            (Kind::Text, Value::String(_)) | (Kind::Flag, Value::Bool(_)) | (Kind::Any, _) => {
                Ok(())
            }
            (Kind::Number(go), Value::Number(_)) => self.whole(go, path),
            (Kind::Time, Value::String(text)) => time(text, path),
            (Kind::Texts, Value::Array(list)) => {
                each(list, path, |value| value.is_string(), "string")
            }
            (Kind::Numbers, Value::Array(list)) => each(list, path, Value::is_i64, "int64"),
            (Kind::TextMap, Value::Object(map)) => match map
                .iter()
                .find(|(_, value)| !value.is_string() && !value.is_null())
            {
                Some((name, value)) => Err(mismatch(value, "string", &format!("{path}/{name}"))),
                None => Ok(()),
            },
            (Kind::Object(inner), Value::Object(members)) => {
                *members = self.typed(std::mem::take(members), inner, path)?;
                Ok(())
            }
            (Kind::Objects(inner), Value::Array(list)) => {
                for (index, value) in list.iter_mut().enumerate() {
                    let path = format!("{path}/{index}");
                    match value {
                        Value::Null => {}
                        Value::Object(members) => {
                            *members = self.typed(std::mem::take(members), inner, &path)?
                        }
                        other => {
                            return Err(mismatch(other, &format!("structs.{}", inner.name), &path));
                        }
                    }
                }
                Ok(())
            }
            (kind, other) => Err(mismatch(other, &go_type(kind), path)),
        }
    }

    fn whole(&self, go: &str, path: &str) -> Result<(), String> {
        let Some(written) = self.numbers.get(path) else {
            return Ok(());
        };
        let why = if written.contains(['.', 'e', 'E']) {
            "invalid syntax"
        } else {
            "value out of range"
        };
        Err(format!(
            "json: cannot unmarshal JSON number {written} into Go {go}{}: {why}",
            within(path)
        ))
    }
}

fn each(list: &[Value], path: &str, fits: impl Fn(&Value) -> bool, go: &str) -> Result<(), String> {
    match list
        .iter()
        .enumerate()
        .find(|(_, value)| !fits(value) && !value.is_null())
    {
        Some((index, value)) => Err(mismatch(value, go, &format!("{path}/{index}"))),
        None => Ok(()),
    }
}

fn go_type(kind: Kind) -> String {
    match kind {
        Kind::Text => "string".into(),
        Kind::Flag => "bool".into(),
        Kind::Number(go) => go.into(),
        Kind::Time => "time.Time".into(),
        Kind::Texts => "[]string".into(),
        Kind::Numbers => "[]int64".into(),
        Kind::TextMap => "map[string]string".into(),
        Kind::Object(inner) => format!("structs.{}", inner.name),
        Kind::Objects(inner) => format!("[]*structs.{}", inner.name),
        Kind::Any => "interface {}".into(),
    }
}

fn within(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!(" within \"{path}\"")
    }
}

fn mismatch(value: &Value, go: &str, path: &str) -> String {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!(
        "json: cannot unmarshal JSON {kind} into Go {go}{}",
        within(path)
    )
}

fn time(text: &str, path: &str) -> Result<(), String> {
    if clock::parse(text).is_some() {
        return Ok(());
    }
    let month = text.get(5..7).and_then(|month| month.parse::<u32>().ok());
    let starts_with_year = text.get(..5).is_some_and(|year| {
        year.ends_with('-') && year[..4].bytes().all(|byte| byte.is_ascii_digit())
    });
    let why = match month {
        Some(month) if starts_with_year && !(1..=12).contains(&month) => {
            "month out of range".to_owned()
        }
        _ => format!(
            "parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{text}\" as \"2006\""
        ),
    };
    let why = if why.starts_with("month") {
        format!("parsing time \"{text}\": {why}")
    } else {
        why
    };
    Err(format!(
        "json: cannot unmarshal JSON string into Go time.Time{}: {why}",
        within(path)
    ))
}

struct Reader<'b> {
    body: &'b [u8],
    at: usize,
    path: Vec<String>,
    numbers: Numbers,
}

impl Reader<'_> {
    fn document(mut self) -> Result<(Value, Numbers), String> {
        self.space();
        let value = self.value(0)?;
        self.space();
        match self.peek() {
            None => Ok((value, self.numbers)),
            Some(_) => Err(self.unexpected("after top-level value")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn error(&self, what: &str, at: usize) -> String {
        let within = pointer(&self.path);
        let within = if within.is_empty() {
            within
        } else {
            format!(" within {within:?}")
        };
        let offset = if at == 0 {
            String::new()
        } else {
            format!(" after offset {at}")
        };
        format!("jsontext: {what}{within}{offset}")
    }

    fn unexpected(&self, place: &str) -> String {
        let rest = String::from_utf8_lossy(&self.body[self.at..self.body.len().min(self.at + 4)])
            .into_owned();
        match rest.chars().next() {
            None => self.error("unexpected EOF", self.at),
            Some('\'') => self.error(&format!("invalid character '\\'' {place}"), self.at),
            Some('\u{feff}') => {
                self.error(&format!("invalid character '\\ufeff' {place}"), self.at)
            }
            Some('\u{fffd}') => self.error("invalid UTF-8", self.at),
            Some(letter) => self.error(
                &format!("invalid character '{}' {place}", letter.escape_debug()),
                self.at,
            ),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > DEPTH_MAX {
            return Err(self.error("exceeded max depth", self.at));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected("at start of value")),
        }
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, String> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                return Err(self.unexpected(&format!(
                    "in literal {word} (expecting '{}')",
                    char::from(expected)
                )));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        while matches!(
            self.peek(),
            Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
        ) {
            self.at += 1;
        }
        let text = String::from_utf8_lossy(&self.body[start..self.at]).into_owned();
        if let Ok(whole) = text.parse::<i64>()
            && whole.to_string() == text
        {
            return Ok(Value::from(whole));
        }
        match serde_json::from_str::<f64>(&text) {
            Ok(near) => {
                self.numbers.insert(pointer(&self.path), text);
                Ok(Value::from(near))
            }
            Err(_) if self.peek().is_none() => Err(self.error("unexpected EOF", self.at)),
            Err(_) => Err(self.error("invalid number", start)),
        }
    }

    /// The next thing in a list: `Some(true)` for another member, `Some(false)` for the end.
    fn next_member(&mut self, close: u8, first: bool, after: &str) -> Result<bool, String> {
        self.space();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        if first {
            return Ok(true);
        }
        if self.peek() != Some(b',') {
            return Err(self.unexpected(after));
        }
        let comma = self.at;
        self.at += 1;
        self.space();
        if self.peek() == Some(close) {
            return Err(self.error("invalid character ',' at start of value", comma));
        }
        Ok(true)
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut members = Map::new();
        while self.next_member(
            b'}',
            members.is_empty(),
            "after object value (expecting ',' or '}')",
        )? {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("at start of value"));
            }
            let name = self.string()?;
            if members.contains_key(&name) {
                return Err(format!("jsontext: duplicate object member name {name:?}"));
            }
            self.path.push(name.clone());
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("after object name (expecting ':')"));
            }
            self.at += 1;
            self.space();
            let value = self.value(depth + 1)?;
            self.path.pop();
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }

    fn array(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut list = Vec::new();
        while self.next_member(
            b']',
            list.is_empty(),
            "after array element (expecting ',' or ']')",
        )? {
            self.path.push(list.len().to_string());
            list.push(self.value(depth + 1)?);
            self.path.pop();
        }
        Ok(Value::Array(list))
    }

    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match self.peek() {
                None => return Err(self.error("unexpected EOF", self.at)),
                Some(b'"') => break,
                Some(b'\\') => self.escape(&mut bytes)?,
                Some(byte) if byte < 0x20 => {
                    return Err(self.unexpected("in string (expecting non-control character)"));
                }
                Some(byte) => {
                    bytes.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        String::from_utf8(bytes).map_err(|_| self.error("invalid UTF-8", self.at))
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), String> {
        let start = self.at;
        let plain = match self.body.get(start + 1) {
            None => return Err(self.error("unexpected EOF", self.body.len())),
            Some(b'u') => return self.unicode(bytes),
            Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(_) => {
                let what =
                    String::from_utf8_lossy(&self.body[start..self.body.len().min(start + 2)])
                        .into_owned();
                return Err(self.error(
                    &format!("invalid escape sequence `{what}` in string"),
                    start,
                ));
            }
        };
        bytes.push(plain);
        self.at += 2;
        Ok(())
    }

    fn unicode(&mut self, bytes: &mut Vec<u8>) -> Result<(), String> {
        let start = self.at;
        let Some(high) = self.hex4(start) else {
            let what = String::from_utf8_lossy(&self.body[start..self.body.len().min(start + 6)])
                .into_owned();
            return Err(self.error(
                &format!("invalid escape sequence `{what}` in string"),
                start,
            ));
        };
        let low = if (0xd800..0xdc00).contains(&high) {
            self.hex4(start + 6)
                .filter(|low| (0xdc00..0xe000).contains(low))
        } else {
            None
        };
        let code = low.map_or(high, |low| {
            0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
        });
        let Some(letter) = char::from_u32(code) else {
            let what = String::from_utf8_lossy(&self.body[start..self.body.len().min(start + 12)])
                .into_owned();
            return Err(self.error(&format!("invalid surrogate pair `{what}` in string"), start));
        };
        bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        self.at = start + if low.is_some() { 12 } else { 6 };
        Ok(())
    }

    fn hex4(&self, at: usize) -> Option<u32> {
        let digits = self.body.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }
}

fn pointer(path: &[String]) -> String {
    path.iter()
        .map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Schema, number, of, text};
    use super::decode;

    const SCHEMA: Schema = Schema {
        name: "T",
        fields: &[
            text("name", "Name"),
            number("n", "N"),
            of("list", "List", Kind::Texts),
        ],
    };

    fn error(body: &str) -> String {
        decode(body.as_bytes(), &SCHEMA).expect_err("it must be refused")
    }

    #[test]
    fn broken_json_is_refused_in_the_decoders_words() {
        assert_eq!(error(""), "jsontext: unexpected EOF");
        assert_eq!(error("{"), "jsontext: unexpected EOF after offset 1");
        assert_eq!(
            error(r#"{"name""#),
            r#"jsontext: unexpected EOF within "/name" after offset 7"#
        );
        assert_eq!(
            error(r#"{"name":"gold-j",}"#),
            "jsontext: invalid character ',' at start of value after offset 16"
        );
        assert_eq!(
            error(r#"{"name":"gold-j"} x"#),
            "jsontext: invalid character 'x' after top-level value after offset 18"
        );
        assert_eq!(
            error(r#"{"name":"a","name":"b"}"#),
            r#"jsontext: duplicate object member name "name""#
        );
        assert_eq!(
            error(r#"{"name":"\ud800"}"#),
            r#"jsontext: invalid surrogate pair `\ud800"}` in string within "/name" after offset 9"#
        );
    }

    #[test]
    fn wrong_types_name_both_sides() {
        assert_eq!(
            error("[]"),
            "json: cannot unmarshal JSON array into Go structs.T"
        );
        assert_eq!(
            error(r#"{"n":"7"}"#),
            r#"json: cannot unmarshal JSON string into Go int64 within "/n""#
        );
        assert_eq!(
            error(r#"{"n":1.5}"#),
            r#"json: cannot unmarshal JSON number 1.5 into Go int64 within "/n": invalid syntax"#
        );
        assert_eq!(
            error(r#"{"list":"a"}"#),
            r#"json: cannot unmarshal JSON string into Go []string within "/list""#
        );
    }

    #[test]
    fn nothing_is_an_empty_object() {
        assert!(decode(b"null", &SCHEMA).is_ok_and(|members| members.is_empty()));
        assert!(decode(b" {\"other\":[{}],\"name\":null} ", &SCHEMA).is_ok());
    }
}
