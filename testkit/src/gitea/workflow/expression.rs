//! Expressions, as far as the server evaluates them: names of runs, labels, groups, matrices.
//!
//! The text is parsed by a crate that knows GitHub's grammar; the values follow Gitea, which
//! differs: `.*` works on arrays only, comparing objects is an error, names are told apart by case
//! in no context.

mod functions;
mod value;

use github_actions_expressions::context::Context;
use github_actions_expressions::literal::Literal;
use github_actions_expressions::op::{BinOp, UnOp};
use github_actions_expressions::{Expr, SpannedExpr};
use serde_json::{Map, Value};

pub(super) use value::{is_true, spoken};

/// The contexts that expressions can name, such as `github` and `vars`.
#[derive(Debug, Clone, Default)]
pub struct Contexts(Map<String, Value>);

/// An expression that has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expression `{expression}`: {problem}")]
pub struct EvaluationError {
    expression: String,
    problem: String,
}

impl Contexts {
    /// The same with one more context; an existing one of that name is replaced.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl EvaluationError {
    pub(super) fn unreadable(expression: &str, problem: impl Into<String>) -> Self {
        Self {
            expression: expression.trim().to_owned(),
            problem: problem.into(),
        }
    }
}

/// The names that are contexts, whether or not there is anything in them here.
const CONTEXTS: [&str; 13] = [
    "github", "gitea", "env", "vars", "secrets", "inputs", "needs", "matrix", "strategy", "job",
    "jobs", "steps", "runner",
];

/// Evaluates the inside of `${{ … }}`.
pub(super) fn evaluate(expression: &str, contexts: &Contexts) -> Result<Value, EvaluationError> {
    let failed = |problem: String| EvaluationError::unreadable(expression, problem);
    let parsed = Expr::parse(expression.trim()).map_err(|error| failed(error.to_string()))?;
    value_of(&parsed, contexts).map_err(failed)
}

type Evaluated = Result<Value, String>;

fn value_of(expression: &SpannedExpr<'_>, contexts: &Contexts) -> Evaluated {
    match &expression.inner {
        Expr::Literal(literal) => Ok(literal_value(literal)),
        Expr::Call(call) => {
            let arguments: Result<Vec<_>, _> = call
                .args
                .iter()
                .map(|argument| value_of(argument, contexts))
                .collect();
            functions::call(call.func, &arguments?)
        }
        Expr::Context(context) => context_value(context, contexts),
        Expr::Identifier(name) => named(name.as_str(), contexts),
        Expr::UnExpr {
            op: UnOp::Not,
            expr,
        } => Ok((!is_true(&value_of(expr, contexts)?)).into()),
        Expr::BinExpr(binary) => {
            let left = value_of(&binary.lhs, contexts)?;
            match binary.op {
                BinOp::And if !is_true(&left) => Ok(left),
                BinOp::Or if is_true(&left) => Ok(left),
                BinOp::And | BinOp::Or => value_of(&binary.rhs, contexts),
                _ => value::compare(&binary.op, &left, &value_of(&binary.rhs, contexts)?),
            }
        }
        Expr::Star | Expr::Index(_) => Err("an index has nothing in front".to_owned()),
    }
}

fn literal_value(literal: &Literal<'_>) -> Value {
    match literal {
        Literal::Number(number) => value::number(*number),
        Literal::String(text) => Value::String(text.clone().into_owned()),
        Literal::Boolean(truth) => Value::Bool(*truth),
        Literal::Null => Value::Null,
    }
}

fn named(name: &str, contexts: &Contexts) -> Evaluated {
    match contexts.get(name) {
        Some(value) => Ok(value.clone()),
        None if CONTEXTS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name)) =>
        {
            Ok(Value::Object(Map::new()))
        }
        None => Err(format!("unknown name {name}")),
    }
}

fn context_value(context: &Context<'_>, contexts: &Contexts) -> Evaluated {
    let mut parts = context.parts.iter();
    let head = parts.next().ok_or("nothing is named")?;
    let mut value = value_of(head, contexts)?;
    for part in parts {
        value = match &part.inner {
            Expr::Identifier(name) => value::member(&value, name.as_str()),
            Expr::Star => value::all(value),
            Expr::Index(index) if matches!(index.inner, Expr::Star) => value::all(value),
            Expr::Index(index) => value::index(&value, &value_of(index, contexts)?),
            _ => return Err("this cannot stand behind a dot".to_owned()),
        };
    }
    Ok(value)
}
