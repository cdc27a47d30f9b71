//! From the tree of an expression to its value.

use github_actions_expressions::{
    Expr, SpannedExpr,
    call::Function,
    context::Context,
    literal::Literal,
    op::{BinExpr, BinOp, UnOp},
};

use super::{Error, Scope, Value, functions};

/// The value of an expression without braces.
pub(crate) fn evaluate(expression: &str, scope: &Scope<'_>) -> Result<Value, Error> {
    Ok(value(&parse(expression)?, scope)?.into_value())
}

/// The tree of an expression.
pub(super) fn parse(expression: &str) -> Result<SpannedExpr<'_>, Error> {
    Expr::parse(expression.trim()).map_err(|error| Error::Syntax {
        expression: expression.trim().to_owned(),
        reason: error.to_string(),
    })
}

/// Whether somewhere in the tree one of the status functions is asked.
pub(super) fn asks_for_status(expr: &SpannedExpr<'_>) -> bool {
    match &expr.inner {
        Expr::Call(call) => {
            let status = [
                Function::Success,
                Function::Failure,
                Function::Always,
                Function::Cancelled,
            ];
            status.contains(&call.func) || call.args.iter().any(asks_for_status)
        }
        Expr::Index(inner) | Expr::UnExpr { expr: inner, .. } => asks_for_status(inner),
        Expr::Context(context) => context.parts.iter().any(asks_for_status),
        Expr::BinExpr(binary) => asks_for_status(&binary.lhs) || asks_for_status(&binary.rhs),
        Expr::Literal(_) | Expr::Star | Expr::Identifier(_) => false,
    }
}

/// A value on its way through member accesses.
enum Reached {
    /// One value.
    One(Value),
    /// What `.*` spread out: each further member is looked up in all of them.
    Many(Vec<Value>),
}

impl Reached {
    fn into_value(self) -> Value {
        match self {
            Self::One(value) => value,
            Self::Many(values) => Value::Array(values),
        }
    }

    /// The next member of one value, or of each of many that has it.
    fn step(self, member: impl Fn(&Value) -> Value) -> Self {
        match self {
            Self::One(value) => Self::One(member(&value)),
            Self::Many(values) => {
                let found = values
                    .iter()
                    .map(member)
                    .filter(|value| *value != Value::Null);
                Self::Many(found.collect())
            }
        }
    }

    /// All members: the elements of a list, the values of an object.
    fn spread(self) -> Self {
        let elements = |value: Value| match value {
            Value::Array(items) => items,
            Value::Object(members) => members.into_values().collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        match self {
            Self::One(value) => Self::Many(elements(value)),
            Self::Many(values) => Self::Many(values.into_iter().flat_map(elements).collect()),
        }
    }
}

fn value(expr: &SpannedExpr<'_>, scope: &Scope<'_>) -> Result<Reached, Error> {
    let one = match &expr.inner {
        Expr::Literal(literal) => literal_value(literal),
        Expr::Call(call) => {
            let arguments = call.args.iter().map(|argument| single(argument, scope));
            functions::call(call.func, &arguments.collect::<Result<Vec<_>, _>>()?, scope)?
        }
        Expr::Identifier(name) => context(name.as_str(), scope)?,
        Expr::Context(context) => return follow(context, scope),
        Expr::BinExpr(binary) => operate(binary, scope)?,
        Expr::UnExpr {
            op: UnOp::Not,
            expr,
        } => Value::Bool(!single(expr, scope)?.is_true()),
        Expr::Index(inner) => single(inner, scope)?,
        Expr::Star => Value::Null,
    };
    Ok(Reached::One(one))
}

fn single(expr: &SpannedExpr<'_>, scope: &Scope<'_>) -> Result<Value, Error> {
    Ok(value(expr, scope)?.into_value())
}

fn literal_value(literal: &Literal<'_>) -> Value {
    match literal {
        Literal::Number(number) => Value::Number(*number),
        Literal::String(text) => Value::text(text.as_ref()),
        Literal::Boolean(value) => Value::Bool(*value),
        Literal::Null => Value::Null,
    }
}

fn context(name: &str, scope: &Scope<'_>) -> Result<Value, Error> {
    let known = || {
        scope
            .contexts
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let found = scope.contexts.get(&name.to_ascii_lowercase()).cloned();
    found.ok_or_else(|| Error::UnknownContext {
        name: name.to_owned(),
        known: known(),
    })
}

/// `head.member[index].*`, from left to right.
fn follow(path: &Context<'_>, scope: &Scope<'_>) -> Result<Reached, Error> {
    let Some((head, members)) = path.parts.split_first() else {
        return Ok(Reached::One(Value::Null));
    };
    let mut reached = value(head, scope)?;
    for part in members {
        reached = match &part.inner {
            Expr::Star => reached.spread(),
            Expr::Identifier(name) => reached.step(|value| value.member(name.as_str())),
            Expr::Index(inner) if matches!(inner.inner, Expr::Star) => reached.spread(),
            Expr::Index(inner) => {
                let index = single(inner, scope)?;
                reached.step(|value| element(value, &index))
            }
            _ => return Ok(Reached::One(Value::Null)),
        };
    }
    Ok(reached)
}

/// `value[index]`: a member of an object by text, an element of a list by whole number.
fn element(value: &Value, index: &Value) -> Value {
    match (value, index) {
        (Value::Object(_), index) => value.member(&index.to_text()),
        (Value::Array(items), index) => {
            let number = index.to_number();
            let whole = number >= 0.0 && number.fract() == 0.0;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked to be whole and not negative; beyond the end there is nothing"
            )]
            let found = whole.then(|| items.get(number as usize)).flatten();
            found.cloned().unwrap_or(Value::Null)
        }
        _ => Value::Null,
    }
}

fn operate(binary: &BinExpr<'_>, scope: &Scope<'_>) -> Result<Value, Error> {
    let left = single(&binary.lhs, scope)?;
    match binary.op {
        BinOp::And if !left.is_true() => return Ok(left),
        BinOp::Or if left.is_true() => return Ok(left),
        _ => {}
    }
    let right = single(&binary.rhs, scope)?;
    let order = || left.loosely_compares(&right);
    Ok(Value::Bool(match binary.op {
        BinOp::And | BinOp::Or => return Ok(right),
        BinOp::Eq => left.loosely_equals(&right),
        BinOp::Neq => !left.loosely_equals(&right),
        BinOp::Gt => order().is_some_and(std::cmp::Ordering::is_gt),
        BinOp::Ge => order().is_some_and(std::cmp::Ordering::is_ge),
        BinOp::Lt => order().is_some_and(std::cmp::Ordering::is_lt),
        BinOp::Le => order().is_some_and(std::cmp::Ordering::is_le),
    }))
}
