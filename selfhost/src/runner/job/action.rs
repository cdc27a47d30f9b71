//! A step that calls an action: one of the repository's own, or the checkout that is built in.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use tokio::time::Instant;

use super::{
    Frame, Running, conclusion_of,
    expression::{self, Value},
    steps::Outcome,
};
use crate::runner::{
    console::{named, shown},
    progress::Conclusion,
    workflow::Composite,
};

/// Actions may call actions, but not without end.
const DEPTH_MAX: usize = 10;

/// Why an action could not be called.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum Error {
    /// A text of the step or of the action has no value.
    #[error(transparent)]
    Expression(#[from] expression::Error),
    /// Something of a script.
    #[error(transparent)]
    Script(#[from] super::script::Error),
    /// Not one that this runner has.
    #[error(
        "the action `{0}` is not to be had here: there are actions of the repository itself (`./path`), \
         composite, and `actions/checkout`"
    )]
    Elsewhere(String),
    /// The repository holds no such action.
    #[error("there is no `action.yml` in `{0}`; is the repository checked out?")]
    Missing(String),
    /// The path leads out of the workspace.
    #[error("the action `{0}` is outside of the workspace")]
    Outside(String),
    /// It is there and of no use.
    #[error("the action `{name}`: {reason}")]
    Unusable {
        /// As the step names it.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Calls without end.
    #[error("actions call each other more than {DEPTH_MAX} deep; the last one is `{0}`")]
    Depth(String),
}

impl Running<'_> {
    /// Calls an action.
    pub(super) async fn action(
        &mut self,
        frame: &Frame,
        uses: &str,
        with: &IndexMap<String, Value>,
        env: &IndexMap<String, String>,
        limit: Instant,
    ) -> Result<Outcome, Error> {
        let uses = self.fill(frame, env, uses)?;
        let mut given = IndexMap::new();
        for (name, value) in with {
            let value = self.ask(frame, env, |scope| {
                expression::interpolate_value(value, scope)
            })?;
            given.insert(name.clone(), value);
        }
        self.console
            .header(&uses, named("with", shown(&given)))
            .await;
        if is_checkout(&uses) {
            return Ok(self.checkout(frame, &given, env, limit).await);
        }
        let folder = self.action_folder(&uses)?;
        let action = read(&uses, &folder)?;
        let inputs = self.inputs(frame, &uses, &action, given)?;
        Box::pin(self.composite(frame, &uses, action, inputs, env, folder)).await
    }

    fn action_folder(&self, uses: &str) -> Result<PathBuf, Error> {
        if !uses.starts_with("./") {
            return Err(Error::Elsewhere(uses.to_owned()));
        }
        let workspace = self.ground.folders.workspace();
        let folder = workspace.join(uses.trim_start_matches("./"));
        let real = folder
            .canonicalize()
            .map_err(|_| Error::Missing(uses.to_owned()))?;
        let inside = workspace
            .canonicalize()
            .is_ok_and(|workspace| real.starts_with(workspace));
        if inside {
            Ok(folder)
        } else {
            Err(Error::Outside(uses.to_owned()))
        }
    }

    /// What is handed in, with defaults filled in; what nobody declared does not arrive.
    fn inputs(
        &mut self,
        frame: &Frame,
        uses: &str,
        action: &Composite,
        mut given: IndexMap<String, Value>,
    ) -> Result<IndexMap<String, Value>, Error> {
        let mut inputs = IndexMap::new();
        for (name, input) in &action.inputs {
            let value = match (given.shift_remove(name), &input.default) {
                (Some(value), _) => Value::String(value.to_text()),
                (None, Some(default)) => {
                    let default = Value::String(default.to_text());
                    let none = IndexMap::new();
                    self.ask(frame, &none, |scope| {
                        expression::interpolate_value(&default, scope)
                    })?
                }
                (None, None) if input.required => {
                    let reason = format!("the input `{name}` is required and not given");
                    return Err(Error::Unusable {
                        name: uses.to_owned(),
                        reason,
                    });
                }
                (None, None) => Value::text(""),
            };
            inputs.insert(name.clone(), value);
        }
        Ok(inputs)
    }

    async fn composite(
        &mut self,
        frame: &Frame,
        uses: &str,
        action: Composite,
        inputs: IndexMap<String, Value>,
        env: &IndexMap<String, String>,
        folder: PathBuf,
    ) -> Result<Outcome, Error> {
        if self.depth >= DEPTH_MAX {
            return Err(Error::Depth(uses.to_owned()));
        }
        self.depth += 1;
        let mut inner = frame.inner(env, inputs, folder);
        let reason = self.quiet_steps(&mut inner, &action.steps).await;
        self.depth -= 1;
        let mut outputs = IndexMap::new();
        for (name, text) in &action.outputs {
            outputs.insert(name.clone(), self.fill(&inner, &IndexMap::new(), text)?);
        }
        let conclusion = conclusion_of(inner.status);
        let reason = reason.filter(|_| conclusion != Conclusion::Success);
        Ok(Outcome {
            conclusion,
            outputs,
            reason,
        })
    }
}

fn is_checkout(uses: &str) -> bool {
    let name = uses.split('@').next().unwrap_or_default();
    name == "actions/checkout" || name.ends_with("/actions/checkout")
}

fn read(uses: &str, folder: &Path) -> Result<Composite, Error> {
    let text = ["action.yml", "action.yaml"]
        .iter()
        .find_map(|name| std::fs::read_to_string(folder.join(name)).ok());
    let text = text.ok_or_else(|| Error::Missing(uses.to_owned()))?;
    Composite::read(&text).map_err(|error| Error::Unusable {
        name: uses.to_owned(),
        reason: error.to_string(),
    })
}
