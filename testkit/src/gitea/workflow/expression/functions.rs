//! The functions that need no runner.

use github_actions_expressions::call::Function;
use serde_json::Value;

use super::Evaluated;
use super::value::{is_true, spoken};

/// Calls a function; those that look at steps or files have no value on the server.
pub(super) fn call(function: Function, arguments: &[Value]) -> Evaluated {
    let text = |at: usize| arguments.get(at).map(spoken).unwrap_or_default();
    let lower = |at: usize| text(at).to_lowercase();
    Ok(match function {
        Function::Contains => contains(arguments).into(),
        Function::StartsWith => lower(0).starts_with(&lower(1)).into(),
        Function::EndsWith => lower(0).ends_with(&lower(1)).into(),
        Function::Format => format(&text(0), arguments.get(1..).unwrap_or_default())?.into(),
        Function::Join => join(arguments).into(),
        Function::ToJSON => to_json(arguments.first().unwrap_or(&Value::Null)).into(),
        Function::FromJSON => {
            serde_json::from_str(&text(0)).map_err(|error| format!("no JSON: {error}"))?
        }
        Function::Case => case(arguments)?,
        Function::Success | Function::Always => true.into(),
        Function::Failure | Function::Cancelled => false.into(),
        Function::HashFiles => return Err("the server has no files to look at".to_owned()),
    })
}

fn contains(arguments: &[Value]) -> bool {
    let (Some(place), Some(wanted)) = (arguments.first(), arguments.get(1)) else {
        return false;
    };
    match place {
        Value::Array(items) => items.iter().any(|item| {
            spoken(item).to_lowercase() == spoken(wanted).to_lowercase()
                && item.is_null() == wanted.is_null()
        }),
        Value::Object(_) => false,
        other => spoken(other)
            .to_lowercase()
            .contains(&spoken(wanted).to_lowercase()),
    }
}

/// `{0}` is the first argument, `{{` a brace.
fn format(pattern: &str, arguments: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut characters = pattern.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '{' | '}' if characters.peek() == Some(&c) => {
                characters.next();
                out.push(c);
            }
            '{' => {
                let digits: String = characters.by_ref().take_while(|c| *c != '}').collect();
                let at: usize = digits.parse().map_err(|_| "no number between braces")?;
                out.push_str(&spoken(arguments.get(at).ok_or("an argument is missing")?));
            }
            '}' => return Err("a closing brace alone".to_owned()),
            other => out.push(other),
        }
    }
    Ok(out)
}

fn join(arguments: &[Value]) -> String {
    let separator = arguments.get(1).map_or(",".to_owned(), spoken);
    match arguments.first() {
        Some(Value::Array(items)) => items
            .iter()
            .map(spoken)
            .collect::<Vec<_>>()
            .join(&separator),
        Some(other) => spoken(other),
        None => String::new(),
    }
}

/// Two blanks, sorted names, and `<`, `>`, `&` escaped.
fn to_json(value: &Value) -> String {
    let text = serde_json::to_string_pretty(&sorted(value)).unwrap_or_default();
    text.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name.as_str());
            members
                .into_iter()
                .map(|(name, item)| (name.clone(), sorted(item)))
                .collect()
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn case(arguments: &[Value]) -> Evaluated {
    let mut rest = arguments;
    while let [condition, value, others @ ..] = rest {
        if is_true(condition) {
            return Ok(value.clone());
        }
        rest = others;
    }
    rest.first()
        .cloned()
        .ok_or_else(|| "there is no default".to_owned())
}
