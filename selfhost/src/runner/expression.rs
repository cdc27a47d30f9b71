//! Expressions as workflows hold them: parsed by the crate that exists for it, evaluated here.
//!
//! # Quirks
//! Where GitHub, its documentation and Gitea's own runner 1.0.8 disagree, the choice is the one that
//! helps the author of a workflow, and the table in `selfhost/tests/golden-runs.md` names it:
//! an expression that fails is an error (Gitea's runner runs an empty text instead), `.*` works on
//! objects (there it gives the object itself), an object is true (there it is false).

mod evaluate;
mod format;
mod functions;
mod hash_files;
mod template;
mod value;

use std::path::Path;

use indexmap::IndexMap;

pub(crate) use self::{
    evaluate::evaluate,
    template::{condition, interpolate, interpolate_value},
    value::Value,
};

/// How the job stands when an expression asks `success()`, `failure()` or `cancelled()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Status {
    /// Nothing failed so far.
    #[default]
    Success,
    /// A step failed.
    Failure,
    /// Somebody stopped the job.
    Cancelled,
    /// Nothing failed, but something that a job needs was skipped.
    Unmet,
}

impl Status {
    /// The word of `job.status`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::Unmet => "skipped",
        }
    }
}

/// What an expression can see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    /// The contexts by their lower-case names.
    pub(crate) contexts: &'a IndexMap<String, Value>,
    /// What the status functions answer from.
    pub(crate) status: Status,
    /// Where `hashFiles` looks; nowhere for texts that no job evaluates.
    pub(crate) workspace: Option<&'a Path>,
}

/// Why an expression has no value. The text around it has none either.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// The crate that parses could not make sense of it.
    #[error("the expression `{expression}` cannot be read: {reason}")]
    Syntax {
        /// The text between the braces.
        expression: String,
        /// What was expected where.
        reason: String,
    },
    /// The first name is no context.
    #[error("`{name}` is no context; there are {known}")]
    UnknownContext {
        /// The name that was used.
        name: String,
        /// Those that exist here.
        known: String,
    },
    /// A function cannot work with what it was given.
    #[error("`{function}` cannot do that: {reason}")]
    Function {
        /// Its name.
        function: &'static str,
        /// What is wrong.
        reason: String,
    },
}
