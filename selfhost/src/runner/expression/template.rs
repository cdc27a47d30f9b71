//! Texts with expressions in `${{ … }}`, and conditions, whose braces may be left out.

use indexmap::IndexMap;

use super::{
    Error, Scope, Value, evaluate,
    evaluate::{asks_for_status, parse},
};

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Expression(&'a str),
}

/// The text with every expression replaced by its value. Braces that nobody closes are text.
pub(crate) fn interpolate(text: &str, scope: &Scope<'_>) -> Result<String, Error> {
    let mut filled = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Expression(expression) => {
                filled.push_str(&evaluate(expression, scope)?.to_text())
            }
        }
    }
    Ok(filled)
}

/// The same for a value of a file: a text that is one expression alone keeps its type.
pub(crate) fn interpolate_value(value: &Value, scope: &Scope<'_>) -> Result<Value, Error> {
    match value {
        Value::String(text) => match parts(text).as_slice() {
            [Part::Expression(expression)] => evaluate(expression, scope),
            _ => interpolate(text, scope).map(Value::String),
        },
        Value::Array(items) => {
            let items = items.iter().map(|item| interpolate_value(item, scope));
            items.collect::<Result<_, _>>().map(Value::Array)
        }
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                Ok((interpolate(name, scope)?, interpolate_value(value, scope)?))
            });
            members
                .collect::<Result<IndexMap<_, _>, _>>()
                .map(Value::Object)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
    }
}

/// Whether an `if` holds. Without a status function of its own it also needs `success()`; none at
/// all is `success()`.
pub(crate) fn condition(text: &str, scope: &Scope<'_>) -> Result<bool, Error> {
    let trimmed = text.trim();
    let expression = match parts(trimmed).as_slice() {
        [] => "success()",
        [Part::Expression(expression)] => expression,
        [Part::Text(expression)] => expression,
        // Text beside the braces: the whole is a text, and one that is not empty is true.
        _ => return Ok(holds_by_default(scope) && !interpolate(trimmed, scope)?.is_empty()),
    };
    let tree = parse(expression)?;
    let implied = asks_for_status(&tree) || holds_by_default(scope);
    Ok(evaluate(expression, scope)?.is_true() && implied)
}

fn holds_by_default(scope: &Scope<'_>) -> bool {
    scope.status == super::Status::Success
}

/// Cuts a text at its expressions; `}}` inside a text literal does not end one.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find("${{") {
        let Some(length) = expression_length(&rest[begin + 3..]) else {
            break;
        };
        if begin > 0 {
            parts.push(Part::Text(&rest[..begin]));
        }
        parts.push(Part::Expression(&rest[begin + 3..begin + 3 + length]));
        rest = &rest[begin + 3 + length + 2..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    parts
}

/// How many bytes there are before the closing braces.
fn expression_length(text: &str) -> Option<usize> {
    let mut quoted = false;
    let bytes = text.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'}' if !quoted && bytes.get(index + 1) == Some(&b'}') => return Some(index),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::expression::Status;

    fn contexts() -> IndexMap<String, Value> {
        let thing =
            serde_json::json!({"name": "n", "list": [1, "two", true, null], "inner": {"a": 1}});
        let needs = serde_json::json!({"a": {"result": "success"}, "b": {"result": "failure"}});
        IndexMap::from([
            (
                "matrix".to_owned(),
                Value::from(serde_json::json!({ "thing": thing })),
            ),
            ("needs".to_owned(), Value::from(needs)),
            (
                "env".to_owned(),
                Value::texts([("WORD", "Word"), ("NO", "false"), ("EMPTY", "")]),
            ),
        ])
    }

    fn with<T>(status: Status, ask: impl Fn(&Scope<'_>) -> T) -> T {
        ask(&Scope {
            contexts: &contexts(),
            status,
            workspace: None,
        })
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(
            with(Status::Success, |scope| interpolate(text, scope)).unwrap(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn texts_are_filled() {
        check("a ${{ 'b' }} c ${{ 1 }}", "a b c 1");
        check("${{ '}}' }}|${{ '${{' }}", "}}|${{");
        check("not closed ${{ 1", "not closed ${{ 1");
        check(
            "${{ env.word }} ${{ ENV.Word }} [${{ env.nothing.at.all }}]",
            "Word Word []",
        );
        check(
            "${{ matrix.thing.list[1] }} ${{ matrix.thing['NAME'] }}",
            "two n",
        );
        check(
            "${{ join(needs.*.result, ' ') }} ${{ contains(needs.*.result, 'failure') }}",
            "success failure true",
        );
        check(
            "${{ join(matrix.thing.list.*, '-') }} ${{ matrix.thing.list[1.5] }}",
            "1-two-true- ",
        );
        check(
            "${{ '' || 'default' }} ${{ 0 && 'b' }} ${{ !'' }}",
            "default 0 true",
        );
        check(
            "${{ 1 == 1 && 2 < 10 }} ${{ '2' < '10' }} ${{ 1 < 2 == true }}",
            "true false true",
        );
    }

    #[test]
    fn a_failing_expression_is_an_error_of_the_text() {
        let error = with(Status::Success, |scope| {
            interpolate("x ${{ nothing.at.all }}", scope)
        })
        .unwrap_err();
        insta::assert_snapshot!(error, @"`nothing` is no context; there are matrix, needs, env");
        let error = with(Status::Success, |scope| {
            interpolate("${{ fromJSON('{') }}", scope)
        })
        .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Function {
                    function: "fromJSON",
                    ..
                }
            ),
            "{error}"
        );
        let error = with(Status::Success, |scope| interpolate("${{ 1 + }}", scope)).unwrap_err();
        assert!(matches!(error, Error::Syntax { .. }), "{error}");
    }

    #[test]
    fn a_condition_implies_success() {
        let cases = [
            ("", true, false),
            ("true", true, false),
            ("'false'", true, false),
            ("''", false, false),
            ("${{ false }}", false, false),
            ("${{ false }} || false", true, false),
            ("always()", true, true),
            ("failure()", false, true),
            ("FAILURE() || false", false, true),
            ("!cancelled()", true, true),
            ("env.NO", true, false),
            ("env.EMPTY", false, false),
            ("matrix.thing", true, false),
            ("  env.WORD == 'word'  ", true, false),
        ];
        for (text, fresh, failed) in cases {
            assert_eq!(
                with(Status::Success, |scope| condition(text, scope)),
                Ok(fresh),
                "{text}"
            );
            assert_eq!(
                with(Status::Failure, |scope| condition(text, scope)),
                Ok(failed),
                "{text}"
            );
        }
    }

    #[test]
    fn one_expression_alone_keeps_its_type() {
        let kept = with(Status::Success, |scope| {
            interpolate_value(&Value::text("${{ matrix.thing.list }}"), scope)
        });
        assert!(matches!(kept, Ok(Value::Array(items)) if items.len() == 4));
    }
}
