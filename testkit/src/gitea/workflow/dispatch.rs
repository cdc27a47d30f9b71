//! The inputs of `workflow_dispatch`: what a workflow declares, and what a caller gives.

use std::collections::BTreeMap;

use super::document::{Invalid, present, text_of};
use super::yaml::{Node, Resolved};

/// An input that a workflow declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Whether it must be given when it has no default.
    pub required: bool,
    /// What it is when it is not given, as a text.
    pub default: Option<String>,
    /// What it may be.
    pub kind: InputKind,
}

/// What an input may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputKind {
    /// `string`, `environment`, no type or an unknown one: any text.
    Text,
    /// `boolean`.
    Boolean,
    /// `number`.
    Number,
    /// `choice`, with its options.
    Choice(Vec<String>),
}

/// The value of every declared input; what is not declared is dropped.
pub type InputsGiven = BTreeMap<String, String>;

/// An input that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DispatchError {
    /// A required input is missing or empty.
    #[error("input \"{0}\" is required")]
    Required(String),
}

/// Fills in the defaults.
///
/// Types and options are not looked at, as on the real server; `required` holds, which it does
/// not there.
///
/// # Errors
/// [`DispatchError::Required`] when a required input is neither given nor has a default.
pub fn fill(
    declared: &[Input],
    given: &BTreeMap<String, String>,
) -> Result<InputsGiven, DispatchError> {
    declared
        .iter()
        .map(|input| {
            let value = given.get(&input.name).or(input.default.as_ref());
            let value = value.cloned().unwrap_or_default();
            if input.required && value.is_empty() {
                return Err(DispatchError::Required(input.name.clone()));
            }
            Ok((input.name.clone(), value))
        })
        .collect()
}

pub(super) fn declared(value: &Node) -> Result<Vec<Input>, Invalid> {
    let Some(inputs) = present(value, "inputs") else {
        return Ok(Vec::new());
    };
    let wrong = || Invalid::new(inputs.place, "`inputs` is not a mapping");
    let pairs = inputs.as_pairs().ok_or_else(wrong)?;
    pairs.iter().map(|(name, node)| input(name, node)).collect()
}

fn input(name: &Node, node: &Node) -> Result<Input, Invalid> {
    let wrong = || Invalid::new(name.place, "the name of an input is a text");
    let name = name.as_text().ok_or_else(wrong)?.to_owned();
    let required = match present(node, "required").map(|value| (value, value.resolved())) {
        None => false,
        Some((_, Some(Resolved::Bool(required)))) => required,
        Some((value, _)) => return Err(Invalid::new(value.place, "`required` is a boolean")),
    };
    let default = present(node, "default")
        .map(|_| text_of(node, "default"))
        .transpose()?;
    let kind = match text_of(node, "type")?.as_str() {
        "boolean" => InputKind::Boolean,
        "number" => InputKind::Number,
        "choice" => InputKind::Choice(options(node)),
        _ => InputKind::Text,
    };
    Ok(Input {
        name,
        required,
        default,
        kind,
    })
}

fn options(node: &Node) -> Vec<String> {
    let items = present(node, "options")
        .and_then(Node::as_items)
        .unwrap_or_default();
    items
        .iter()
        .filter_map(Node::as_text)
        .map(str::to_owned)
        .collect()
}
