//! What values are worth: truth, numbers, texts, and how they compare.

use std::cmp::Ordering;

use github_actions_expressions::op::BinOp;
use serde_json::{Number, Value};

/// Whether a value counts as true; as a condition an object does not, a list does.
pub(in crate::gitea::workflow) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null | Value::Object(_) => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) => true,
    }
}

/// A value inside a text.
pub(in crate::gitea::workflow) fn spoken(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => spoken_number(number),
        Value::String(text) => text.clone(),
        Value::Array(_) => "Array".to_owned(),
        Value::Object(_) => "Object".to_owned(),
    }
}

/// Fifteen digits at most, and an exponent where there would be more places than that.
fn spoken_number(number: &Number) -> String {
    if let Some(integer) = number.as_i64() {
        return integer.to_string();
    }
    let number = number.as_f64().unwrap_or_default();
    let scientific = format!("{number:.14e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-5..15).contains(&exponent) {
        let rounded: f64 = scientific.parse().unwrap_or(number);
        return rounded.to_string();
    }
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}E{sign}{:02}", exponent.abs())
}

/// A number as JSON has it: whole ones without a fraction; what is none is null.
#[expect(
    clippy::cast_possible_truncation,
    reason = "whole and in range, as looked at"
)]
pub(super) fn number(number: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// The member of an object, whatever the case of its name; null where there is none.
pub(super) fn member(value: &Value, name: &str) -> Value {
    match value {
        Value::Object(members) => members
            .get(name)
            .or_else(|| {
                let same = |(known, _): &(&String, &Value)| known.eq_ignore_ascii_case(name);
                members.iter().find(same).map(|(_, value)| value)
            })
            .cloned()
            .unwrap_or(Value::Null),
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| member(item, name))
                .filter(|item| !item.is_null())
                .collect(),
        ),
        _ => Value::Null,
    }
}

/// `.*`: a list as it is, and an object too.
pub(super) fn all(value: Value) -> Value {
    match value {
        Value::Array(_) | Value::Object(_) => value,
        _ => Value::Null,
    }
}

/// `[…]`: a number picks from a list, a text from an object.
pub(super) fn index(value: &Value, index: &Value) -> Value {
    match (value, index) {
        (Value::Object(_), Value::String(name)) => member(value, name),
        (Value::Array(items), Value::Number(at)) => {
            let at = at.as_u64().and_then(|at| usize::try_from(at).ok());
            at.and_then(|at| items.get(at))
                .cloned()
                .unwrap_or(Value::Null)
        }
        (Value::Array(_), Value::String(_)) => value.clone(),
        _ => Value::Null,
    }
}

/// Compares two values; of different kinds both are taken as numbers.
pub(super) fn compare(operator: &BinOp, left: &Value, right: &Value) -> Result<Value, String> {
    let both_collections = collection(left) && collection(right);
    if both_collections {
        return Err("objects and lists cannot be compared".to_owned());
    }
    let order = order(left, right);
    let equal = order == Some(Ordering::Equal);
    Ok(Value::Bool(match operator {
        BinOp::Eq => equal,
        BinOp::Neq => !equal,
        BinOp::Lt => order == Some(Ordering::Less),
        BinOp::Le => equal || order == Some(Ordering::Less),
        BinOp::Gt => order == Some(Ordering::Greater),
        BinOp::Ge => equal || order == Some(Ordering::Greater),
        BinOp::And | BinOp::Or => return Err("no comparison".to_owned()),
    }))
}

fn collection(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::String(left), Value::String(right)) => {
            Some(left.to_lowercase().cmp(&right.to_lowercase()))
        }
        _ => as_number(left)?.partial_cmp(&as_number(right)?),
    }
}

/// What a value is as a number; `None` where it is none.
fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Null => Some(0.0),
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => number_in(text.trim()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn number_in(text: &str) -> Option<f64> {
    if text.is_empty() {
        return Some(0.0);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return u32::from_str_radix(digits, 16).ok().map(f64::from);
    }
    text.parse().ok().filter(|number: &f64| !number.is_nan())
}
