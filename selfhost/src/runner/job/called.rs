//! A job that is another workflow of the same repository: its jobs one after the other.

mod matrix;
mod order;

use std::{mem, path::Component, path::Path};

use indexmap::IndexMap;

use self::order::order;
use super::{
    Frame, Ground, Running, conclusion_of,
    expression::{self, Value},
};
use crate::runner::{
    assignment::{Assignment, Need},
    folders::Folders,
    progress::Conclusion,
    workflow::{CallSecrets, Input, Job, Work, Workflow},
};

/// Workflows may call workflows, but not without end.
const DEPTH_MAX: usize = 10;

/// What a job, or all jobs of a called workflow, came to.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) conclusion: Conclusion,
    pub(super) outputs: IndexMap<String, String>,
}

impl Came {
    fn without_outputs(conclusion: Conclusion) -> Self {
        Self {
            conclusion,
            outputs: IndexMap::new(),
        }
    }
}

/// A workflow that is called, with what is handed in.
struct Called {
    workflow: Workflow,
    inputs: IndexMap<String, Value>,
    secrets: IndexMap<String, String>,
}

impl Running<'_> {
    /// Carries out the workflow that a job calls. Its jobs share the log of the calling one.
    pub(super) async fn called(&mut self, workflow: &Workflow, job: &Job) -> Conclusion {
        self.progress.begin(0);
        let mut frame = match self.frame(workflow, job).await {
            Ok(frame) => frame,
            Err(conclusion) => return conclusion,
        };
        match self.carry_out_call(&mut frame, job).await {
            Ok(came) => {
                self.progress.set_outputs(came.outputs);
                came.conclusion
            }
            Err(reason) => {
                self.console.fail(&reason).await;
                Conclusion::Failure
            }
        }
    }

    async fn carry_out_call(&mut self, frame: &mut Frame, job: &Job) -> Result<Came, String> {
        let Work::Call {
            uses,
            with,
            secrets,
        } = &job.work
        else {
            return Ok(Came::without_outputs(Conclusion::Success));
        };
        let file = self.called_file(frame, uses).await?;
        let workflow = Workflow::read(&file).map_err(|error| format!("{uses}: {error}"))?;
        let called = Called {
            inputs: self.call_inputs(frame, uses, &workflow, with)?,
            secrets: self.call_secrets(frame, secrets)?,
            workflow,
        };
        let order = order(&called.workflow.jobs).map_err(|reason| format!("{uses}: {reason}"))?;
        let mut results: IndexMap<String, Need> = IndexMap::new();
        for id in order {
            let job = &called.workflow.jobs[&id];
            let needs = (job.needs.iter())
                .filter_map(|need| Some((need.clone(), results.get(need)?.clone())))
                .collect();
            let came = self.inner_job(&called, job, needs).await?;
            let result = came.conclusion.word().to_owned();
            let outputs = came.outputs;
            results.insert(id, Need { result, outputs });
        }
        let words: Vec<&str> = results.values().map(|need| need.result.as_str()).collect();
        Ok(Came {
            outputs: self.call_outputs(frame, &called.workflow, &results)?,
            conclusion: worst(&words),
        })
    }

    /// The text of the file that is called, from the very commit of the run.
    async fn called_file(&mut self, frame: &Frame, uses: &str) -> Result<String, String> {
        let inside = |path: &&str| {
            let mut parts = Path::new(path).components();
            parts.all(|part| matches!(part, Component::Normal(_)))
        };
        let Some(path) = uses.strip_prefix("./").filter(inside) else {
            return Err(format!(
                "the workflow `{uses}` is not one of this repository; write `./path`"
            ));
        };
        let folder = ".called-workflows";
        let with = [("path", folder), ("persist-credentials", "false")];
        let with = with.map(|(name, value)| (name.to_owned(), Value::text(value)));
        let limit = self.deadline;
        let outcome = self
            .checkout(frame, &IndexMap::from(with), &IndexMap::new(), limit)
            .await;
        if let Some(reason) = outcome.reason {
            return Err(reason);
        }
        let folder = self.ground.folders.workspace().join(folder);
        let text = std::fs::read_to_string(folder.join(path));
        drop(std::fs::remove_dir_all(&folder));
        text.map_err(|error| format!("the workflow `{uses}` cannot be read: {error}"))
    }

    fn call_inputs(
        &mut self,
        frame: &Frame,
        uses: &str,
        called: &Workflow,
        with: &IndexMap<String, Value>,
    ) -> Result<IndexMap<String, Value>, String> {
        let none = IndexMap::new();
        let mut inputs = IndexMap::new();
        for (name, declared) in &called.call.inputs {
            let value = match with.get(name).or(declared.default.as_ref()) {
                Some(value) => {
                    let value = self.ask(frame, &none, |scope| {
                        expression::interpolate_value(value, scope)
                    });
                    value.map_err(|error| error.to_string())?
                }
                None if declared.required => {
                    return Err(format!(
                        "{uses}: the input `{name}` is required and not given"
                    ));
                }
                None => Value::text(""),
            };
            inputs.insert(name.clone(), typed(declared, &value));
        }
        match with
            .keys()
            .find(|name| !called.call.inputs.contains_key(*name))
        {
            Some(unknown) => Err(format!("{uses}: there is no input `{unknown}`")),
            None => Ok(inputs),
        }
    }

    /// What the called workflow knows as its secrets: those of the caller, or those that are named.
    fn call_secrets(
        &mut self,
        frame: &Frame,
        secrets: &CallSecrets,
    ) -> Result<IndexMap<String, String>, String> {
        let all: IndexMap<String, String> = match self.ground.contexts.get("secrets") {
            Some(Value::Object(members)) => members
                .iter()
                .map(|(name, value)| (name.clone(), value.to_text()))
                .collect(),
            _ => IndexMap::new(),
        };
        let CallSecrets::Named(named) = secrets else {
            return Ok(all);
        };
        let tokens = ["GITHUB_TOKEN", "GITEA_TOKEN"].into_iter();
        let mut handed: IndexMap<String, String> = tokens
            .filter_map(|name| Some((name.to_owned(), all.get(name)?.clone())))
            .collect();
        for (name, text) in named {
            let value = self
                .fill(frame, &IndexMap::new(), text)
                .map_err(|error| error.to_string())?;
            handed.insert(name.clone(), value);
        }
        Ok(handed)
    }

    /// One job of the called workflow: once, or once for each combination of its matrix.
    async fn inner_job(
        &mut self,
        called: &Called,
        job: &Job,
        needs: IndexMap<String, Need>,
    ) -> Result<Came, String> {
        if let Some(reason) = job.unsupported.first() {
            return Err((*reason).to_owned());
        }
        let assignment = Assignment {
            needs,
            secrets: called.secrets.clone(),
            ..self.assignment.clone()
        };
        let rows = self.matrix_rows(called, job, &assignment).await?;
        let (mut results, mut outputs) = (Vec::new(), IndexMap::new());
        for row in rows {
            let came = self.on_own_ground(called, job, &assignment, row).await?;
            results.push(came.conclusion.word());
            let given = came.outputs.into_iter();
            outputs.extend(given.filter(|(_, value)| !value.is_empty()));
            if came.conclusion == Conclusion::Failure && job.fails_fast() {
                break;
            }
        }
        let skipped = results
            .iter()
            .all(|result| *result == Conclusion::Skipped.word());
        let conclusion = if skipped {
            Conclusion::Skipped
        } else {
            worst(&results)
        };
        Ok(Came {
            conclusion,
            outputs,
        })
    }

    /// The combinations of a job's matrix; one without members where it has none.
    async fn matrix_rows(
        &mut self,
        called: &Called,
        job: &Job,
        assignment: &Assignment,
    ) -> Result<Vec<IndexMap<String, Value>>, String> {
        if job.matrix_plan == Value::Null {
            return Ok(vec![IndexMap::new()]);
        }
        let outer = self.enter(called, job, assignment, IndexMap::new())?;
        let mut frame = Frame::new(IndexMap::new(), None);
        frame.set_inputs(called.inputs.clone());
        let filled = self.ask(&frame, &IndexMap::new(), |scope| {
            expression::interpolate_value(&job.matrix_plan, scope)
        });
        self.leave(outer).await;
        let filled = filled.map_err(|error| format!("the matrix: {error}"))?;
        matrix::rows(&filled).map_err(|reason| format!("the matrix {reason}"))
    }

    async fn on_own_ground(
        &mut self,
        called: &Called,
        job: &Job,
        assignment: &Assignment,
        row: IndexMap<String, Value>,
    ) -> Result<Came, String> {
        let outer = self.enter(called, job, assignment, row)?;
        let came = match &job.work {
            Work::Steps(_) => Ok(self.inner_steps(called, job).await),
            Work::Call { .. } => Box::pin(self.inner_call(called, job)).await,
        };
        self.leave(outer).await;
        came
    }

    /// Steps on fresh ground, and gives the one that was left back.
    fn enter(
        &mut self,
        called: &Called,
        job: &Job,
        assignment: &Assignment,
        row: IndexMap<String, Value>,
    ) -> Result<Ground, String> {
        let folders = Folders::make(&self.work)
            .map_err(|error| format!("the folders of the job: {error}"))?;
        let mut ground = Ground::new(assignment, &called.workflow, job, self.host, folders);
        for (name, members) in [("inputs", called.inputs.clone()), ("matrix", row)] {
            ground
                .contexts
                .insert(name.to_owned(), Value::Object(members));
        }
        ground
            .write_event(assignment)
            .map_err(|error| format!("the event cannot be written: {error}"))?;
        Ok(mem::replace(&mut self.ground, ground))
    }

    async fn leave(&mut self, outer: Ground) {
        mem::replace(&mut self.ground, outer).leave().await;
    }

    /// A job of the called workflow that calls another one.
    async fn inner_call(&mut self, called: &Called, job: &Job) -> Result<Came, String> {
        if self.depth >= DEPTH_MAX {
            return Err(format!(
                "workflows call each other more than {DEPTH_MAX} deep"
            ));
        }
        let mut frame = match self.frame(&called.workflow, job).await {
            Ok(frame) => frame,
            Err(conclusion) => return Ok(Came::without_outputs(conclusion)),
        };
        frame.set_inputs(called.inputs.clone());
        self.depth += 1;
        let came = self.carry_out_call(&mut frame, job).await;
        self.depth -= 1;
        came
    }

    async fn inner_steps(&mut self, called: &Called, job: &Job) -> Came {
        let Work::Steps(steps) = &job.work else {
            return Came::without_outputs(Conclusion::Success);
        };
        let mut frame = match self.frame(&called.workflow, job).await {
            Ok(frame) => frame,
            Err(conclusion) => return Came::without_outputs(conclusion),
        };
        frame.set_inputs(called.inputs.clone());
        if let Some(reason) = self.quiet_steps(&mut frame, steps).await {
            self.console.fail(&reason).await;
        }
        match self.given(&frame, &job.outputs).await {
            Some(outputs) => Came {
                conclusion: conclusion_of(frame.status),
                outputs,
            },
            None => Came::without_outputs(Conclusion::Failure),
        }
    }

    /// The outputs of the call, from those of its jobs.
    fn call_outputs(
        &mut self,
        frame: &Frame,
        called: &Workflow,
        results: &IndexMap<String, Need>,
    ) -> Result<IndexMap<String, String>, String> {
        let jobs = Assignment {
            needs: results.clone(),
            ..self.assignment.clone()
        }
        .needs();
        self.ground.contexts.insert("jobs".to_owned(), jobs);
        let mut outputs = IndexMap::new();
        for (name, text) in &called.call.outputs {
            let value = self.fill(frame, &IndexMap::new(), text);
            outputs.insert(name.clone(), value.map_err(|error| error.to_string())?);
        }
        Ok(outputs)
    }
}

/// What the declaration makes of a value that was handed in.
fn typed(declared: &Input, value: &Value) -> Value {
    match declared.kind.as_str() {
        "boolean" => Value::Bool(value.to_text() == "true"),
        "number" => Value::Number(value.to_number()),
        _ => Value::String(value.to_text()),
    }
}

fn worst(results: &[&str]) -> Conclusion {
    [Conclusion::Cancelled, Conclusion::Failure]
        .into_iter()
        .find(|word| results.contains(&word.word()))
        .unwrap_or(Conclusion::Success)
}
