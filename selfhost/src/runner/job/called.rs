//! A job that is another workflow of the same repository: its jobs one after the other.

use std::{collections::BTreeSet, mem};

use indexmap::IndexMap;

use super::{
    Frame, Ground, Running, conclusion_of,
    expression::{self, Value},
};
use crate::runner::{
    assignment::{Assignment, Need},
    folders::Folders,
    progress::Conclusion,
    workflow::{CallSecrets, Input, Job, Step, Work, Workflow},
};

impl Running<'_> {
    /// Carries out the workflow that a job calls. Its jobs share the log of the calling one.
    pub(super) async fn called(&mut self, workflow: &Workflow, job: &Job) -> Conclusion {
        self.progress.begin(0);
        let mut frame = match self.frame(workflow, job).await {
            Ok(frame) => frame,
            Err(conclusion) => return conclusion,
        };
        match self.carry_out_call(&mut frame, job).await {
            Ok(conclusion) => conclusion,
            Err(reason) => {
                self.console.fail(&reason).await;
                Conclusion::Failure
            }
        }
    }

    async fn carry_out_call(&mut self, frame: &mut Frame, job: &Job) -> Result<Conclusion, String> {
        let Work::Call {
            uses,
            with,
            secrets,
        } = &job.work
        else {
            return Ok(Conclusion::Success);
        };
        let file = self.called_file(frame, uses).await?;
        let called = Workflow::read(&file).map_err(|error| format!("{uses}: {error}"))?;
        let inputs = self.call_inputs(frame, uses, &called, with)?;
        let secrets = self.call_secrets(frame, secrets)?;
        let order = order(&called.jobs).map_err(|reason| format!("{uses}: {reason}"))?;
        let mut results: IndexMap<String, Need> = IndexMap::new();
        for id in order {
            let job = &called.jobs[&id];
            let needs = job
                .needs
                .iter()
                .filter_map(|need| Some((need.clone(), results.get(need)?.clone())));
            let assignment = Assignment {
                needs: needs.collect(),
                secrets: secrets.clone(),
                ..self.assignment.clone()
            };
            let (conclusion, outputs) = self.inner_job(&assignment, &called, job, &inputs).await?;
            results.insert(
                id,
                Need {
                    result: conclusion.word().to_owned(),
                    outputs,
                },
            );
        }
        self.call_outputs(frame, &called, &results)?;
        Ok(worst(&results))
    }

    /// The text of the file that is called, from the very commit of the run.
    async fn called_file(&mut self, frame: &Frame, uses: &str) -> Result<String, String> {
        let Some(path) = uses.strip_prefix("./") else {
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

    fn call_secrets(
        &mut self,
        frame: &Frame,
        secrets: &CallSecrets,
    ) -> Result<IndexMap<String, String>, String> {
        let all = self.assignment.secrets.clone();
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

    /// One job of the called workflow, on ground of its own.
    async fn inner_job(
        &mut self,
        assignment: &Assignment,
        called: &Workflow,
        job: &Job,
        inputs: &IndexMap<String, Value>,
    ) -> Result<(Conclusion, IndexMap<String, String>), String> {
        if let Some(reason) = job.unsupported.first() {
            return Err((*reason).to_owned());
        }
        let Work::Steps(steps) = &job.work else {
            return Err("a called workflow that calls another one is not supported".to_owned());
        };
        if !job.matrix.is_empty() {
            return Err("`strategy.matrix` in a called workflow is not supported".to_owned());
        }
        let folders = Folders::make(&self.work)
            .map_err(|error| format!("the folders of the job: {error}"))?;
        let mut ground = Ground::new(assignment, called, job, self.host, folders);
        ground
            .contexts
            .insert("inputs".to_owned(), Value::Object(inputs.clone()));
        ground
            .write_event(assignment)
            .map_err(|error| format!("the event cannot be written: {error}"))?;
        let outer = mem::replace(&mut self.ground, ground);
        let result = self.inner_steps(called, job, steps, inputs).await;
        let inner = mem::replace(&mut self.ground, outer);
        inner.leave().await;
        Ok(result)
    }

    async fn inner_steps(
        &mut self,
        called: &Workflow,
        job: &Job,
        steps: &[Step],
        inputs: &IndexMap<String, Value>,
    ) -> (Conclusion, IndexMap<String, String>) {
        let mut frame = match self.frame(called, job).await {
            Ok(frame) => frame,
            Err(conclusion) => return (conclusion, IndexMap::new()),
        };
        frame.set_inputs(inputs.clone());
        if let Some(reason) = self.quiet_steps(&mut frame, steps).await {
            self.console.fail(&reason).await;
        }
        let outputs = self.given(&frame, &job.outputs).await;
        let conclusion = conclusion_of(frame.status);
        outputs.map_or((Conclusion::Failure, IndexMap::new()), |outputs| {
            (conclusion, outputs)
        })
    }

    /// The outputs of the call, from those of its jobs.
    fn call_outputs(
        &mut self,
        frame: &Frame,
        called: &Workflow,
        results: &IndexMap<String, Need>,
    ) -> Result<(), String> {
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
        self.progress.set_outputs(outputs);
        Ok(())
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

fn worst(results: &IndexMap<String, Need>) -> Conclusion {
    let any = |word: Conclusion| results.values().any(|need| need.result == word.word());
    [Conclusion::Cancelled, Conclusion::Failure]
        .into_iter()
        .find(|word| any(*word))
        .unwrap_or(Conclusion::Success)
}

/// The jobs so that each comes after those it needs.
fn order(jobs: &IndexMap<String, Job>) -> Result<Vec<String>, String> {
    let mut order: Vec<String> = Vec::new();
    let mut waiting: BTreeSet<&String> = jobs.keys().collect();
    while !waiting.is_empty() {
        let ready = |id: &&&String| jobs[**id].needs.iter().all(|need| order.contains(need));
        // In the order of the file, not of the alphabet.
        let next = jobs
            .keys()
            .filter(|id| waiting.contains(id))
            .find(|id| ready(&id));
        let next = next.ok_or("its jobs need each other in a circle, or one that is not there")?;
        waiting.remove(next);
        order.push(next.clone());
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(needs: &[(&str, &[&str])]) -> IndexMap<String, Job> {
        let job = |needs: &[&str]| Job {
            needs: needs.iter().map(|&need| need.to_owned()).collect(),
            ..Job::default()
        };
        needs
            .iter()
            .map(|(id, needs)| ((*id).to_owned(), job(needs)))
            .collect()
    }

    #[test]
    fn jobs_come_after_those_they_need() {
        let order = order(&jobs(&[("z", &["b"]), ("b", &[]), ("a", &["z", "b"])])).unwrap();
        assert_eq!(order, ["b", "z", "a"]);
    }

    #[test]
    fn a_circle_is_refused() {
        assert!(
            order(&jobs(&[("a", &["b"]), ("b", &["a"])]))
                .unwrap_err()
                .contains("circle")
        );
    }
}
