//! Forms, as queries write them and in several parts.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::{Kind, Schema};

/// The members of a form: keys are the fields' names in snake case.
pub(super) fn members(
    schema: &Schema,
    pairs: impl Iterator<Item = (String, String)>,
) -> Map<String, Value> {
    let pairs: Vec<(String, String)> = pairs.collect();
    let mut members = Map::new();
    for field in schema.fields {
        let key = snake(field.go);
        let values: Vec<&str> = pairs
            .iter()
            .filter(|(name, _)| *name == key || name == field.json && key != "user_name")
            .map(|(_, value)| value.as_str())
            .collect();
        let Some(first) = values.first() else {
            continue;
        };
        let value = match field.kind {
            Kind::Text
            | Kind::Time
            | Kind::Any
            | Kind::TextMap
            | Kind::Object(_)
            | Kind::Objects(_) => Value::from(*first),
            Kind::Flag => Value::from(matches!(
                *first,
                "1" | "t" | "T" | "true" | "TRUE" | "True" | "on"
            )),
            Kind::Number(_) => first.parse::<i64>().map_or(Value::Null, Value::from),
            Kind::Texts => Value::from(values.clone()),
            Kind::Numbers => values
                .iter()
                .filter_map(|value| value.parse::<i64>().ok())
                .collect(),
        };
        members.insert(field.json.to_owned(), value);
    }
    members
}

fn snake(name: &str) -> String {
    let mut text = String::new();
    let mut after_capital = true;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !after_capital {
            text.push('_');
        }
        after_capital = letter.is_ascii_uppercase();
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// One part of a form in several parts.
#[derive(Debug, Clone)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// The file's name, if it is a file.
    pub file: Option<String>,
    /// The content.
    pub data: Bytes,
}

/// Takes a form in several parts apart; what is broken ends it.
#[must_use]
pub fn multipart(kind: &str, body: &Bytes) -> Vec<Part> {
    let boundary = kind
        .split(';')
        .find_map(|part| part.trim().strip_prefix("boundary="));
    let Some(boundary) = boundary.map(|text| text.trim_matches('"')) else {
        return Vec::new();
    };
    let line = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut at = find(body, line.as_bytes(), 0).map(|at| at + line.len());
    while let Some(start) = at {
        let delimiter = format!("\r\n{line}");
        let Some(end) = find(body, delimiter.as_bytes(), start) else {
            break;
        };
        let Some(blank) = find(body, b"\r\n\r\n", start).filter(|blank| *blank <= end) else {
            break;
        };
        let head = String::from_utf8_lossy(&body[start..blank]).into_owned();
        if let Some(name) = disposition(&head, "name") {
            let from = (blank + 4).min(end);
            parts.push(Part {
                name,
                file: disposition(&head, "filename"),
                data: body.slice(from..end),
            });
        }
        at = Some(end + delimiter.len());
    }
    parts
}

fn disposition(head: &str, key: &str) -> Option<String> {
    let line = head.lines().find(|line| {
        line.to_ascii_lowercase()
            .starts_with("content-disposition:")
    })?;
    let mut parts = line.split(';').skip(1);
    parts
        .find_map(|part| {
            part.trim()
                .strip_prefix(key)
                .and_then(|rest| rest.strip_prefix('='))
        })
        .map(|value| value.trim_matches('"').to_owned())
}

fn find(body: &[u8], what: &[u8], from: usize) -> Option<usize> {
    let rest = body.get(from..)?;
    memchr::memmem::find(rest, what).map(|at| at + from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_snake_case() {
        assert_eq!(
            (
                snake("UserName"),
                snake("SHA"),
                snake("RepoAdminChangeTeamAccess")
            ),
            (
                "user_name".into(),
                "sha".into(),
                "repo_admin_change_team_access".into()
            )
        );
    }

    #[test]
    fn parts_are_taken_apart() {
        let body = Bytes::from(
            "--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f.txt\"\r\n\r\n1\r\n2\r\n--x\r\nContent-Disposition: form-data; name=b\r\n\r\n\r\n--x--\r\n",
        );
        let parts = multipart("multipart/form-data; boundary=x", &body);
        assert_eq!(
            (
                parts.len(),
                parts[0].file.as_deref(),
                &parts[0].data[..],
                parts[1].name.as_str()
            ),
            (2, Some("f.txt"), &b"1\r\n2"[..], "b")
        );
        assert!(multipart("multipart/form-data", &body).is_empty());
    }
}
