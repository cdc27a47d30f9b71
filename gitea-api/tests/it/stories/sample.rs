//! Recorded placeholders become values that look like what they stand for.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

const SHA: &str = "5626abf0f72e58d7a153368ba57db4c673c0e171";
const TIME: &str = "2026-01-02T03:04:05Z";

/// The variables of a story.
pub(super) struct Samples {
    variables: BTreeMap<String, String>,
    base: String,
}

impl Samples {
    /// What the steps of a story save, by the look of where they save it from.
    pub(super) fn of(story: &Value, base: &str) -> Self {
        let mut variables = BTreeMap::new();
        for step in story["steps"].as_array().into_iter().flatten() {
            for (name, pointer) in step["save"].as_object().into_iter().flatten() {
                let pointer = pointer.as_str().unwrap_or_default();
                let last = pointer.rsplit('/').next().unwrap_or_default();
                let value = match last {
                    "id" | "run_id" | "workflow_run_id" if pointer != "/commit/id" => "41",
                    "sha" | "id" | "merge_commit_sha" | "stdout" => SHA,
                    _ => name,
                };
                variables.insert(name.clone(), value.to_owned());
            }
        }
        Self {
            variables,
            base: base.to_owned(),
        }
    }

    /// A text with its variables filled in.
    pub(super) fn text(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            filled.push_str(before);
            let Some((name, after)) = after.split_once('}').filter(|_| !after.starts_with('{'))
            else {
                filled.push_str("${");
                rest = after;
                continue;
            };
            match (name, self.variables.get(name)) {
                ("base", _) => filled.push_str(&self.base),
                ("dollar", _) => filled.push('$'),
                (_, Some(value)) => filled.push_str(value),
                (name, None) => filled.push_str(name.rsplit(':').next().unwrap_or(name)),
            }
            rest = after;
        }
        filled + rest
    }

    /// A request's value: only variables.
    pub(super) fn request(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.request(item)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, item)| (name.clone(), self.request(item)))
                .collect(),
            other => other.clone(),
        }
    }

    /// An answer's value: variables and placeholders.
    pub(super) fn answer(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Self::placeholder(&self.text(text)),
            Value::Array(items) => self.list(items),
            Value::Object(members) => self.object(members),
            other => other.clone(),
        }
    }

    fn list(&self, items: &[Value]) -> Value {
        let special = ["<unordered>", "<contains>", "<each>", "<some>"];
        let rest = match items.first().and_then(Value::as_str) {
            Some(first) if special.contains(&first) => &items[1..],
            _ => items,
        };
        rest.iter().map(|item| self.answer(item)).collect()
    }

    fn object(&self, members: &Map<String, Value>) -> Value {
        if let Some(Value::String(text)) = members.get("<base64>") {
            return STANDARD.encode(self.text(text)).into();
        }
        if let Some(inner) = members.get("<json>") {
            return self.answer(inner).to_string().into();
        }
        let named = |(name, item): (&String, &Value)| {
            // Times of scheduled tasks were recorded as texts.
            if matches!(name.as_str(), "next" | "prev") && item == "<string>" {
                return (name.clone(), TIME.into());
            }
            (name.trim_end_matches('?').to_owned(), self.answer(item))
        };
        members
            .iter()
            .filter(|(name, _)| !name.contains('*'))
            .map(named)
            .collect()
    }

    /// A whole placeholder has a type of its own; inside a longer text it is text.
    fn placeholder(text: &str) -> Value {
        let whole = text
            .strip_prefix('<')
            .and_then(|rest| rest.strip_suffix('>'));
        if let Some(name) = whole.filter(|name| !name.contains('<')) {
            let (kind, number) = name.split_once('#').unwrap_or((name, "7"));
            let number = 1000 + number.parse::<i64>().unwrap_or(7);
            return match kind {
                "id" | "int" | "number" => number.into(),
                "any" => Value::Null,
                kind => word(kind, number).into(),
            };
        }
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            filled.push_str(before);
            match after.split_once('>') {
                Some((name, after))
                    if name
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"#-".contains(&byte)) =>
                {
                    let (kind, number) = name.split_once('#').unwrap_or((name, "7"));
                    let number = 1000 + number.parse::<i64>().unwrap_or(7);
                    filled.push_str(&if kind == "id" || kind == "int" {
                        number.to_string()
                    } else {
                        word(kind, number)
                    });
                    rest = after;
                }
                _ => {
                    filled.push('<');
                    rest = after;
                }
            }
        }
        (filled + rest).into()
    }
}

fn word(kind: &str, number: i64) -> String {
    match kind {
        "id-text" | "digits" => number.to_string(),
        "sha" | "hex40" | "token" | "registration" | "hex" => format!("{number:040x}"),
        "hex64" => format!("{number:064x}"),
        "uuid" => format!("00000000-0000-4000-8000-{number:012}"),
        "rfc3339" => TIME.to_owned(),
        "base64" => "Z29sZA==".to_owned(),
        "lt" => "<".to_owned(),
        "cannot" => "cannot".to_owned(),
        _ => format!("some-{kind}"),
    }
}
