//! Where a step stands: in the job itself, or in an action that the job called.

use std::path::PathBuf;

use indexmap::IndexMap;

use super::{
    Running,
    expression::{self, Scope, Status, Value},
};
use crate::runner::{progress::Conclusion, workflow::RunDefaults};

/// The variables, step results and inputs that a list of steps shares.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// Below what steps write to `GITHUB_ENV`: the inherited ones, the workflow's, the job's.
    low: IndexMap<String, String>,
    /// Above it: those of the calling step, and the inputs of an action.
    high: IndexMap<String, String>,
    /// The `steps` context.
    steps: IndexMap<String, Value>,
    /// The `inputs` context.
    inputs: Value,
    /// How it goes so far.
    pub(super) status: Status,
    /// Shell and folder of steps that name none.
    pub(super) defaults: RunDefaults,
    /// The folder of the action whose steps these are.
    pub(super) action: Option<PathBuf>,
}

impl Frame {
    /// The outermost frame, with the lowest layer of variables.
    pub(super) fn new(base: IndexMap<String, String>, inputs: Option<&Value>) -> Self {
        Self {
            low: base,
            high: IndexMap::new(),
            steps: IndexMap::new(),
            inputs: inputs.cloned().unwrap_or(Value::Null),
            status: Status::Success,
            defaults: RunDefaults::default(),
            action: None,
        }
    }

    /// The frame of an action's steps, called by a step with these variables.
    pub(super) fn inner(
        &self,
        env: &IndexMap<String, String>,
        inputs: IndexMap<String, Value>,
        action: PathBuf,
    ) -> Self {
        let mut high = self.high.clone();
        high.extend(env.clone());
        for (name, value) in &inputs {
            high.insert(
                format!("INPUT_{}", name.to_uppercase().replace(' ', "_")),
                value.to_text(),
            );
        }
        Self {
            low: self.low.clone(),
            high,
            steps: IndexMap::new(),
            inputs: Value::Object(inputs),
            status: Status::Success,
            defaults: RunDefaults::default(),
            action: Some(action),
        }
    }

    /// Notes what became of a step.
    pub(super) fn note(
        &mut self,
        key: &str,
        outputs: IndexMap<String, String>,
        outcome: Conclusion,
        conclusion: Conclusion,
    ) {
        let result = Value::Object(IndexMap::from([
            ("outputs".to_owned(), Value::texts(outputs)),
            ("outcome".to_owned(), Value::text(outcome.word())),
            ("conclusion".to_owned(), Value::text(conclusion.word())),
        ]));
        self.steps.insert(key.to_owned(), result);
    }

    /// Sets the `inputs` context.
    pub(super) fn set_inputs(&mut self, inputs: IndexMap<String, Value>) {
        self.inputs = Value::Object(inputs);
    }

    /// Sets a variable of the lowest layers.
    pub(super) fn set(&mut self, name: &str, value: String) {
        self.low.insert(name.to_owned(), value);
    }
}

impl Running<'_> {
    /// The variables of a process: every layer, and the folders of `GITHUB_PATH` in front.
    pub(super) fn variables(
        &self,
        frame: &Frame,
        step: &IndexMap<String, String>,
    ) -> IndexMap<String, String> {
        let ground = &self.ground;
        let mut variables = frame.low.clone();
        for layer in [&ground.written, &frame.high, step, &ground.own] {
            variables.extend(
                layer
                    .iter()
                    .map(|(name, value)| (name.clone(), value.clone())),
            );
        }
        if !ground.path.is_empty() {
            let rest = variables.get("PATH").cloned();
            let all: Vec<String> = ground.path.iter().cloned().chain(rest).collect();
            variables.insert("PATH".to_owned(), all.join(":"));
        }
        let action = frame.action.as_ref().map(|path| path.display().to_string());
        variables.insert("GITHUB_ACTION_PATH".to_owned(), action.unwrap_or_default());
        variables
    }

    /// Asks something of an expression, where it stands.
    pub(super) fn ask<T>(
        &mut self,
        frame: &Frame,
        step: &IndexMap<String, String>,
        question: impl FnOnce(&Scope<'_>) -> T,
    ) -> T {
        self.ask_as(frame, step, frame.status, question)
    }

    /// The same, with another answer for the status functions.
    pub(super) fn ask_as<T>(
        &mut self,
        frame: &Frame,
        step: &IndexMap<String, String>,
        status: Status,
        question: impl FnOnce(&Scope<'_>) -> T,
    ) -> T {
        let env = Value::texts(self.variables(frame, step));
        let action = frame
            .action
            .as_ref()
            .map(|path| path.display().to_string())
            .unwrap_or_default();
        let ground = &mut self.ground;
        for name in ["github", "gitea"] {
            if let Some(Value::Object(members)) = ground.contexts.get_mut(name) {
                members.insert("action_path".to_owned(), Value::text(&action));
            }
        }
        let job = IndexMap::from([("status".to_owned(), Value::text(status.word()))]);
        for (name, value) in [
            ("env", env),
            ("steps", Value::Object(frame.steps.clone())),
            ("inputs", frame.inputs.clone()),
            ("job", Value::Object(job)),
        ] {
            ground.contexts.insert(name.to_owned(), value);
        }
        let workspace = ground.folders.workspace();
        question(&Scope {
            contexts: &ground.contexts,
            status,
            workspace: Some(&workspace),
        })
    }

    /// Adds the variables of the workflow or of the job. In their expressions the others can be
    /// seen as they stand in the file.
    pub(super) fn add_env(
        &mut self,
        frame: &mut Frame,
        pairs: &IndexMap<String, String>,
    ) -> Result<(), expression::Error> {
        let mut raw = frame.clone();
        for (name, text) in pairs {
            raw.set(name, text.clone());
        }
        for (name, text) in pairs {
            let value = self.ask(&raw, &IndexMap::new(), |scope| {
                expression::interpolate(text, scope)
            })?;
            frame.set(name, value);
        }
        Ok(())
    }

    /// A text of a step with its expressions filled in.
    pub(super) fn fill(
        &mut self,
        frame: &Frame,
        step: &IndexMap<String, String>,
        text: &str,
    ) -> Result<String, expression::Error> {
        self.ask(frame, step, |scope| expression::interpolate(text, scope))
    }

    /// The same for a text that may be absent.
    pub(super) fn fill_option(
        &mut self,
        frame: &Frame,
        step: &IndexMap<String, String>,
        text: Option<&String>,
    ) -> Result<Option<String>, expression::Error> {
        text.map(|text| self.fill(frame, step, text)).transpose()
    }
}
