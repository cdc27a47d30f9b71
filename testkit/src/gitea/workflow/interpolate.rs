//! Texts with `${{ … }}` in them.

use super::expression::{Contexts, EvaluationError, evaluate, spoken};
use serde_json::Value;

/// Replaces every expression by its value.
///
/// # Errors
/// [`EvaluationError`] of the first expression that cannot be evaluated; the real server then
/// takes the whole text as empty.
pub(super) fn interpolate(text: &str, contexts: &Contexts) -> Result<String, EvaluationError> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, expression, after)) = split(rest)? {
        out.push_str(before);
        out.push_str(&spoken(&evaluate(expression, contexts)?));
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The value of a text that is nothing but one expression keeps its type; any other is a text.
///
/// # Errors
/// As [`interpolate`].
pub(super) fn interpolate_value(text: &str, contexts: &Contexts) -> Result<Value, EvaluationError> {
    if let Some((before, expression, after)) = split(text)?
        && before.trim().is_empty()
        && after.trim().is_empty()
    {
        return evaluate(expression, contexts);
    }
    interpolate(text, contexts).map(Value::String)
}

/// What stands before the first expression, the expression, and what stands behind it.
fn split(text: &str) -> Result<Option<(&str, &str, &str)>, EvaluationError> {
    let Some(open) = text.find("${{") else {
        return Ok(None);
    };
    let inner = &text[open + 3..];
    let mut quoted = false;
    for (at, c) in inner.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '}' if !quoted && inner[at..].starts_with("}}") => {
                return Ok(Some((&text[..open], &inner[..at], &inner[at + 2..])));
            }
            _ => {}
        }
    }
    Err(EvaluationError::unreadable(
        inner,
        "the expression has no end",
    ))
}
