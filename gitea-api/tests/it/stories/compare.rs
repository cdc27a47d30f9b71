//! When two requests mean the same, and when a value says what an answer said.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use wiremock::Request;

use super::call::Step;

/// Whether a request means what the step asks for. What the client adds by itself are a first page
/// and its size.
pub(super) fn request(step: &Step, sent: &Request) -> Result<(), String> {
    let method = sent.method.as_str();
    if method != step.method {
        return Err(format!("the method is {method}"));
    }
    let path = decoded(sent.url.path());
    let wanted = decoded(&step.whole_path());
    if path != wanted {
        return Err(format!("the path is `{path}`, not `{wanted}`"));
    }
    let mut query: BTreeMap<String, String> = sent.url.query_pairs().into_owned().collect();
    for (name, value) in &step.query {
        match query.remove(name) {
            Some(given) if given == *value => {}
            other => return Err(format!("without query `{name}={value}`: {other:?}")),
        }
    }
    if query.get("page").is_some_and(|page| page == "1") || step.query.contains_key("page") {
        query.remove("page");
        query.remove("limit");
    }
    query.remove("name");
    if !query.is_empty() {
        return Err(format!("the query has {query:?} besides"));
    }
    if !step.has_json {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(&sent.body).unwrap_or(Value::Null);
    same_body(&without_nulls(&step.json), &body)
}

fn decoded(path: &str) -> String {
    percent_encoding::percent_decode_str(path)
        .decode_utf8_lossy()
        .into_owned()
}

/// Upstream reads `null` as "not given".
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, item)| !item.is_null());
            kept.map(|(name, item)| (name.clone(), without_nulls(item)))
                .collect()
        }
        other => other.clone(),
    }
}

fn same_body(wanted: &Value, sent: &Value) -> Result<(), String> {
    let empty = serde_json::Map::new();
    let (Some(wanted), sent) = (wanted.as_object(), sent.as_object().unwrap_or(&empty)) else {
        return Err("without a body of that form".to_owned());
    };
    for (name, value) in wanted {
        match sent.get(name) {
            None => return Err(format!("without the member `{name}`")),
            Some(given) if same(value, given) => {}
            Some(given) => return Err(format!("the member `{name}` is {given}, not {value}")),
        }
    }
    match sent.keys().find(|name| !wanted.contains_key(*name)) {
        Some(name) => Err(format!("the member `{name}` is sent besides")),
        None => Ok(()),
    }
}

fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(one), Value::String(other)) => {
            one == other || instant(one) == instant(other) && instant(one).is_some()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        (one, other) => one == other,
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Whether every member of our value says what the answer said. Members of the answer that have
/// no field are passed over: the coverage of fields is the schema's business.
pub(super) fn value(ours: &Value, theirs: &Value, place: &str) -> Result<(), String> {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (name, item) in ours {
                let given = theirs.get(name).unwrap_or(&Value::Null);
                value(item, given, &format!("{place}/{name}"))?;
            }
            Ok(())
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            let mut pairs = ours.iter().zip(theirs).enumerate();
            pairs.try_for_each(|(index, (ours, theirs))| {
                value(ours, theirs, &format!("{place}/{index}"))
            })
        }
        (ours, Value::Null) if is_empty(ours) => Ok(()),
        (Value::Null, Value::String(text)) if is_zero_time(text) => Ok(()),
        (Value::String(one), Value::String(other)) if one == other => Ok(()),
        (Value::String(one), Value::String(other))
            if instant(one).is_some() && instant(one) == instant(other) =>
        {
            Ok(())
        }
        (ours, theirs) if ours == theirs => Ok(()),
        (ours, theirs) => Err(format!("at `{place}` {theirs} became {ours}")),
    }
}

fn is_zero_time(text: &str) -> bool {
    text.is_empty()
        || text.starts_with("0001-01-01T")
        || instant(text) == Some(Timestamp::UNIX_EPOCH)
}

/// What stands for an absent member.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_empty),
        Value::Bool(true) => false,
    }
}
