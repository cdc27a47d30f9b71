//! The functions of the language.

use github_actions_expressions::call::Function;

use super::{Error, Scope, Status, Value, format::json_text, hash_files::hash_files};

/// Calls a function; the parser has already counted the arguments.
pub(super) fn call(
    function: Function,
    arguments: &[Value],
    scope: &Scope<'_>,
) -> Result<Value, Error> {
    let text = |index: usize| arguments.get(index).map(Value::to_text).unwrap_or_default();
    let lower = |index: usize| text(index).to_lowercase();
    Ok(match function {
        Function::Contains => Value::Bool(contains(&arguments[0], &arguments[1])),
        Function::StartsWith => Value::Bool(lower(0).starts_with(&lower(1))),
        Function::EndsWith => Value::Bool(lower(0).ends_with(&lower(1))),
        Function::Format => Value::String(fill(&text(0), arguments.get(1..).unwrap_or_default())?),
        Function::Join => Value::String(join(&arguments[0], arguments.get(1))),
        Function::ToJSON => Value::String(json_text(&arguments[0])),
        Function::FromJSON => from_json(&text(0))?,
        Function::HashFiles => {
            let patterns: Vec<String> = arguments.iter().map(Value::to_text).collect();
            Value::String(hash_files(scope.workspace, &patterns)?)
        }
        Function::Case => case(arguments),
        Function::Success => Value::Bool(scope.status == Status::Success),
        Function::Failure => Value::Bool(scope.status == Status::Failure),
        Function::Cancelled => Value::Bool(scope.status == Status::Cancelled),
        Function::Always => Value::Bool(true),
    })
}

/// An element of a list, or a part of a text without case. An object contains nothing.
fn contains(place: &Value, item: &Value) -> bool {
    match place {
        Value::Array(items) => items.iter().any(|element| element.loosely_equals(item)),
        Value::Object(_) => false,
        other => other
            .to_text()
            .to_lowercase()
            .contains(&item.to_text().to_lowercase()),
    }
}

fn join(items: &Value, separator: Option<&Value>) -> String {
    let separator = separator.map_or_else(|| ",".to_owned(), Value::to_text);
    match items {
        Value::Array(items) => items
            .iter()
            .map(Value::to_text)
            .collect::<Vec<_>>()
            .join(&separator),
        other => other.to_text(),
    }
}

fn from_json(text: &str) -> Result<Value, Error> {
    let parsed: Result<serde_json::Value, _> = serde_json::from_str(text);
    let reason = |error: serde_json::Error| Error::Function {
        function: "fromJSON",
        reason: format!("the text is no JSON ({error})"),
    };
    parsed.map(Value::from).map_err(reason)
}

/// `case(test, value, …, otherwise)`: the value after the first test that holds.
fn case(arguments: &[Value]) -> Value {
    let (pairs, otherwise) = arguments.as_chunks::<2>();
    let chosen = pairs
        .iter()
        .find(|[test, _]| test.is_true())
        .map(|[_, value]| value);
    chosen.or(otherwise.first()).cloned().unwrap_or(Value::Null)
}

/// `{0}` becomes the first argument, `{{` and `}}` the braces themselves.
fn fill(template: &str, arguments: &[Value]) -> Result<String, Error> {
    let wrong = |reason: String| Error::Function {
        function: "format",
        reason,
    };
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
            continue;
        }
        let Some((index, after)) = rest.split_once('}').filter(|_| brace == "{") else {
            return Err(wrong(format!(
                "a single `{brace}` in `{template}`; write it twice"
            )));
        };
        let index: usize = index
            .parse()
            .map_err(|_| wrong(format!("`{{{index}}}` is no number")))?;
        let argument = arguments.get(index);
        let argument = argument
            .ok_or_else(|| wrong(format!("`{template}` asks for more than it is given")))?;
        text.push_str(&argument.to_text());
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_fills_and_escapes() {
        let arguments = [Value::text("a"), Value::text("{0}")];
        assert_eq!(fill("{0} {1} {0}", &arguments).unwrap(), "a {0} a");
        assert_eq!(fill("{{0}} }}{{", &arguments).unwrap(), "{0} }{");
    }

    #[test]
    fn format_names_what_is_missing() {
        let error = fill("{0} {1}", &[Value::text("a")]).unwrap_err();
        insta::assert_snapshot!(error, @"`format` cannot do that: `{0} {1}` asks for more than it is given");
    }

    #[test]
    fn the_first_case_that_holds_is_taken() {
        let of = |first: bool| {
            case(&[
                Value::Bool(first),
                Value::text("a"),
                Value::Bool(false),
                Value::text("b"),
                Value::text("c"),
            ])
        };
        assert_eq!((of(true), of(false)), (Value::text("a"), Value::text("c")));
    }
}
