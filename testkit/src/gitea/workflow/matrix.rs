//! The combinations of a matrix.

use serde_json::{Map, Value};

use super::expression::{Contexts, spoken};
use super::interpolate::interpolate_value;
use super::yaml::{Content, Node, Resolved, natural_order};

/// One combination: a value for each key.
pub(super) type Combination = Map<String, Value>;

/// All combinations, in the order in which their jobs are made: by name.
///
/// What cannot be evaluated stays as it is written, as one value; a matrix that is nothing but
/// such an expression is no matrix.
pub(super) fn combinations(matrix: &Node, contexts: &Contexts) -> Vec<Combination> {
    let Value::Object(mut matrix) = value_of(matrix, contexts) else {
        return Vec::new();
    };
    let include = rows(matrix.shift_remove("include"));
    let exclude = rows(matrix.shift_remove("exclude"));
    let keys: Vec<String> = matrix.keys().cloned().collect();
    let mut combinations = product(&matrix);
    combinations.retain(|combination| !exclude.iter().any(|row| contains(combination, row)));
    for row in include {
        add(&mut combinations, &keys, &row);
    }
    combinations.sort_by_cached_key(name_of);
    combinations
}

/// How a combination shows in the name of its job: `(1, x)`.
pub(super) fn name_of(combination: &Combination) -> String {
    let mut keys: Vec<&String> = combination.keys().collect();
    keys.sort();
    let values: Vec<String> = keys.iter().map(|key| shown(&combination[*key])).collect();
    format!("({})", values.join(", "))
}

/// The value of a node, with the expressions in it evaluated.
pub(super) fn value_of(node: &Node, contexts: &Contexts) -> Value {
    match &node.content {
        Content::Scalar(text, _) if text.contains("${{") => {
            interpolate_value(text, contexts).unwrap_or_else(|_| Value::String(text.clone()))
        }
        Content::Scalar(..) => match node.resolved() {
            None | Some(Resolved::Null) => Value::Null,
            Some(Resolved::Bool(truth)) => truth.into(),
            Some(Resolved::Integer(number)) => number.into(),
            Some(Resolved::Float(number)) => number.into(),
            Some(Resolved::Text(text)) => text.into(),
        },
        Content::Sequence(items, _) => {
            Value::Array(items.iter().map(|item| value_of(item, contexts)).collect())
        }
        Content::Mapping(pairs, _) => pairs
            .iter()
            .map(|(key, value)| {
                (
                    key.as_text().unwrap_or_default().to_owned(),
                    value_of(value, contexts),
                )
            })
            .collect(),
    }
}

/// A value as a node, with the keys of objects in the order of the real server.
pub(super) fn node_of(value: &Value) -> Node {
    match value {
        Value::Null => Node::plain("null"),
        Value::Bool(truth) => Node::plain(truth.to_string()),
        Value::Number(_) => Node::plain(spoken(value)),
        Value::String(text) => Node::text(text),
        Value::Array(items) => Node::new(Content::Sequence(
            items.iter().map(node_of).collect(),
            super::yaml::Layout::Block,
        )),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(left, _), (right, _)| natural_order(left, right));
            Node::mapping(
                members
                    .into_iter()
                    .map(|(key, value)| (key.as_str(), node_of(value)))
                    .collect(),
            )
        }
    }
}

/// Objects and lists show as Go prints them.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Array(items) => {
            format!(
                "[{}]",
                items.iter().map(shown).collect::<Vec<_>>().join(" ")
            )
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| key.as_str());
            let members: Vec<_> = members
                .into_iter()
                .map(|(key, value)| format!("{key}:{}", shown(value)))
                .collect();
            format!("map[{}]", members.join(" "))
        }
        other => spoken(other),
    }
}

fn rows(value: Option<Value>) -> Vec<Combination> {
    let rows = match value {
        Some(Value::Array(rows)) => rows,
        Some(row) => vec![row],
        None => Vec::new(),
    };
    rows.into_iter()
        .filter_map(|row| match row {
            Value::Object(row) => Some(row),
            _ => None,
        })
        .collect()
}

fn product(matrix: &Combination) -> Vec<Combination> {
    const COMBINATIONS_MAX: usize = 256;
    if matrix.is_empty() {
        return Vec::new();
    }
    let mut combinations = vec![Combination::new()];
    for (key, values) in matrix {
        let values = values
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![values.clone()]);
        combinations = combinations
            .iter()
            .flat_map(|combination| {
                values.iter().map(move |value| {
                    let mut longer = combination.clone();
                    longer.insert(key.clone(), value.clone());
                    longer
                })
            })
            .take(COMBINATIONS_MAX)
            .collect();
    }
    combinations
}

fn contains(combination: &Combination, row: &Combination) -> bool {
    row.iter()
        .all(|(key, value)| combination.get(key) == Some(value))
}

/// An included row goes to every combination whose own values it does not change; else it is a
/// combination of its own.
fn add(combinations: &mut Vec<Combination>, keys: &[String], row: &Combination) {
    let mut taken = false;
    for combination in combinations.iter_mut() {
        let own = |key: &String| keys.contains(key) && combination.contains_key(key);
        let of_product = keys.iter().any(|key| combination.contains_key(key));
        let changes = row
            .iter()
            .any(|(key, value)| own(key) && combination.get(key) != Some(value));
        if of_product && !changes {
            combination.extend(row.clone());
            taken = true;
        }
    }
    if !taken {
        combinations.push(row.clone());
    }
}
