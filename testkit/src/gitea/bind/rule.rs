//! What values must satisfy.

use serde_json::{Map, Value};

use super::{Field, Kind, Rule, Schema};
use crate::gitea::git;

/// The first rule that is not satisfied, in words.
pub(super) fn check(schema: &Schema, members: &Map<String, Value>) -> Result<(), String> {
    for field in schema.fields {
        let value = members.get(field.json).unwrap_or(&Value::Null);
        for rule in field.rules {
            check_one(field, *rule, value)?;
        }
        if let (Kind::Object(inner), Value::Object(members)) = (field.kind, value) {
            check(inner, members)?;
        }
        if let (Kind::Objects(inner), Value::Array(list)) = (field.kind, value) {
            for members in list.iter().filter_map(Value::as_object) {
                check(inner, members)?;
            }
        }
    }
    Ok(())
}

fn check_one(field: &Field, rule: Rule, value: &Value) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    let fits = match rule {
        Rule::Required => !is_nothing(value),
        Rule::Max(most) => text.chars().count() <= most,
        Rule::Email => text.is_empty() || is_email(text),
        Rule::Url => text.is_empty() || is_url(text),
        Rule::AlphaDashDot => text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter)),
        Rule::Username => text.is_empty() || is_username(text),
        Rule::In(words) => text.is_empty() || words.contains(&text),
        Rule::RefName => text.is_empty() || git::is_ref_name(text),
    };
    if fits {
        Ok(())
    } else {
        Err(format!("[{}]: {}", field.go, word(rule)))
    }
}

fn word(rule: Rule) -> &'static str {
    match rule {
        Rule::Required => "Required",
        Rule::Max(_) => "MaxSize",
        Rule::Email => "Email",
        Rule::Url => "Url",
        Rule::AlphaDashDot => "AlphaDashDot",
        Rule::Username => "invalid username",
        Rule::In(_) => "In",
        Rule::RefName => "GitRefName",
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a text is a user's name: letters and digits, with single `-`, `_`, `.` in between.
#[must_use]
pub(crate) fn is_username(text: &str) -> bool {
    let is_sign = |letter: char| "-_.".contains(letter);
    let plain = text
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || is_sign(letter));
    let pairs = text
        .chars()
        .zip(text.chars().skip(1))
        .any(|(one, two)| is_sign(one) && is_sign(two));
    plain && !pairs && !text.starts_with(is_sign) && !text.ends_with(is_sign)
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let part = |text: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && !text.ends_with('-')
            && text
                .chars()
                .all(|letter| letter.is_alphanumeric() || letter == '-')
    };
    let local_fits = !local.is_empty()
        && local
            .chars()
            .all(|letter| letter.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(letter));
    local_fits && domain.contains('.') && domain.split('.').all(part)
}

fn is_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    // Go takes what follows the scheme without a slash as it is.
    let opaque = ["http:", "https:"].iter().any(|scheme| {
        text.strip_prefix(scheme)
            .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
    });
    opaque && !text.contains(char::is_control)
        || rest.is_some_and(|rest| {
            !rest.is_empty() && !rest.starts_with(['/', ':']) && !rest.contains(char::is_whitespace)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses() {
        assert!(
            is_username("a.b-c_d")
                && !is_username("a--b")
                && !is_username("-a")
                && !is_username("ä")
        );
        assert!(
            is_email("a+b@c.de")
                && is_email("-gold@forge.internal")
                && !is_email("gold@local")
                && !is_email("gold")
        );
        assert!(
            is_url("https://a/") && !is_url("gold") && !is_url("http://") && is_url("http:\\\\a.b")
        );
    }
}
