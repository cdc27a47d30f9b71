//! From YAML to the types; unknown keys are ignored, as everywhere in the field.

use indexmap::IndexMap;
use serde_yaml_ng::Value as Yaml;

use super::{
    Call, CallSecrets, Composite, Error, Input, Job, RunDefaults, Step, StepAction, Work, Workflow,
};
use crate::runner::expression::Value;

/// Reads a workflow.
pub(super) fn workflow(text: &str) -> Result<Workflow, Error> {
    let root = parse(text)?;
    let jobs = root.member("jobs");
    let Value::Object(jobs) = jobs else {
        return Err(shape("jobs", "is missing, or is no list of jobs by name"));
    };
    let jobs = jobs
        .iter()
        .map(|(id, value)| Ok((id.clone(), job(id, value)?)));
    Ok(Workflow {
        name: root.member("name").to_text(),
        env: texts(&root.member("env")),
        defaults: defaults(&root),
        input_types: input_types(&root),
        jobs: jobs.collect::<Result<_, _>>()?,
        call: call(&root),
    })
}

/// Reads an action.
pub(super) fn composite(text: &str) -> Result<Composite, Error> {
    let root = parse(text)?;
    let runs = root.member("runs");
    let using = runs.member("using").to_text();
    if using != "composite" {
        let problem =
            format!("is `{using}`; this runner has composite actions only, no Node and no Docker");
        return Err(shape("runs.using", problem));
    }
    Ok(Composite {
        inputs: inputs(&root.member("inputs")),
        outputs: output_values(&root.member("outputs")),
        steps: steps("runs", &runs.member("steps"))?,
    })
}

fn parse(text: &str) -> Result<Value, Error> {
    serde_yaml_ng::from_str(text)
        .map(plain)
        .map_err(Error::Yaml)
}

fn shape(place: impl Into<String>, problem: impl Into<String>) -> Error {
    Error::Shape {
        place: place.into(),
        problem: problem.into(),
    }
}

/// YAML as a value of the expression language; keys become text, tags fall off.
fn plain(yaml: Yaml) -> Value {
    match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(plain).collect()),
        Yaml::Mapping(members) => {
            let pairs = members
                .into_iter()
                .map(|(key, value)| (plain(key).to_text(), plain(value)));
            Value::Object(pairs.collect())
        }
        Yaml::Tagged(tagged) => plain(tagged.value),
    }
}

fn job(id: &str, value: &Value) -> Result<Job, Error> {
    let strategy = value.member("strategy");
    let matrix_plan = strategy.member("matrix");
    let matrix = members(&strategy.member("matrix"))
        .map(|(key, row)| (key, single(row)))
        .collect();
    let strategy = members(&strategy)
        .filter(|(key, _)| key != "matrix")
        .collect();
    Ok(Job {
        condition: value.member("if").to_text(),
        needs: list(&value.member("needs")),
        env: texts(&value.member("env")),
        defaults: defaults(value),
        outputs: texts(&value.member("outputs")),
        matrix,
        matrix_plan,
        strategy,
        timeout_minutes: text(value, "timeout-minutes"),
        work: work(id, value)?,
        unsupported: unsupported(value),
    })
}

/// Payloads hold each key of the matrix with the one value of this job.
fn single(row: Value) -> Value {
    match row {
        Value::Array(mut items) if items.len() == 1 => items.remove(0),
        other => other,
    }
}

fn unsupported(job: &Value) -> Vec<&'static str> {
    let present = |key: &str| !matches!(job.member(key), Value::Null);
    let reasons = [
        (
            "container",
            "`container:` asks for Docker; this runner works on the host",
        ),
        (
            "services",
            "`services:` asks for Docker; this runner works on the host",
        ),
    ];
    let mut found: Vec<&'static str> = reasons
        .iter()
        .filter(|(key, _)| present(key))
        .map(|(_, reason)| *reason)
        .collect();
    let nowhere = match job.member("runs-on") {
        Value::Array(labels) => labels.is_empty(),
        other => other == Value::Null,
    };
    if nowhere && !present("uses") {
        found.push("`runs-on:` is missing; the job says nowhere what it may run on");
    }
    found
}

fn work(id: &str, job: &Value) -> Result<Work, Error> {
    let Some(uses) = text(job, "uses") else {
        return steps(&format!("jobs.{id}"), &job.member("steps")).map(Work::Steps);
    };
    let secrets = match job.member("secrets") {
        Value::String(word) if word == "inherit" => CallSecrets::Inherit,
        other => CallSecrets::Named(texts(&other)),
    };
    Ok(Work::Call {
        uses,
        with: members(&job.member("with")).collect(),
        secrets,
    })
}

fn steps(place: &str, value: &Value) -> Result<Vec<Step>, Error> {
    match value {
        Value::Array(items) if !items.is_empty() => {
            let numbered = items.iter().enumerate();
            numbered
                .map(|(index, item)| step(&format!("{place}.steps[{index}]"), item))
                .collect()
        }
        _ => Err(shape(format!("{place}.steps"), "has no step")),
    }
}

fn step(place: &str, value: &Value) -> Result<Step, Error> {
    let action = match (text(value, "run"), text(value, "uses")) {
        (Some(script), None) if !script.is_empty() => StepAction::Run {
            script,
            shell: text(value, "shell"),
            working_directory: text(value, "working-directory"),
        },
        (None, Some(uses)) => StepAction::Uses {
            uses,
            with: members(&value.member("with")).collect(),
        },
        (Some(_), Some(_)) => {
            return Err(shape(place, "has `run` and `uses`; a step has one of them"));
        }
        _ => {
            return Err(shape(
                place,
                "has neither `run` nor `uses`, or an empty one",
            ));
        }
    };
    Ok(Step {
        id: text(value, "id"),
        condition: value.member("if").to_text(),
        env: texts(&value.member("env")),
        continue_on_error: value.member("continue-on-error").to_text(),
        timeout_minutes: text(value, "timeout-minutes"),
        action,
    })
}

fn defaults(value: &Value) -> RunDefaults {
    let run = value.member("defaults").member("run");
    RunDefaults {
        shell: text(&run, "shell"),
        working_directory: text(&run, "working-directory"),
    }
}

fn trigger(root: &Value, name: &str) -> Value {
    // YAML 1.1 reads the bare key `on` as true; both spellings arrive.
    let on = match root.member("on") {
        Value::Null => root.member("true"),
        on => on,
    };
    on.member(name)
}

fn input_types(root: &Value) -> IndexMap<String, String> {
    let declared = trigger(root, "workflow_dispatch").member("inputs");
    members(&declared)
        .map(|(name, input)| (name, input.member("type").to_text()))
        .collect()
}

fn call(root: &Value) -> Call {
    let call = trigger(root, "workflow_call");
    Call {
        inputs: inputs(&call.member("inputs")),
        outputs: output_values(&call.member("outputs")),
    }
}

fn inputs(value: &Value) -> IndexMap<String, Input> {
    let input = |input: Value| Input {
        default: Some(input.member("default")).filter(|default| *default != Value::Null),
        required: input.member("required").is_true(),
        kind: input.member("type").to_text(),
    };
    members(value)
        .map(|(name, value)| (name, input(value)))
        .collect()
}

fn output_values(value: &Value) -> IndexMap<String, String> {
    members(value)
        .map(|(name, output)| (name, output.member("value").to_text()))
        .collect()
}

/// A scalar as text; none where the key is absent or null.
fn text(value: &Value, key: &str) -> Option<String> {
    match value.member(key) {
        Value::Null => None,
        other => Some(other.to_text()),
    }
}

fn list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(Value::to_text).collect(),
        Value::Null => Vec::new(),
        other => vec![other.to_text()],
    }
}

fn members(value: &Value) -> impl Iterator<Item = (String, Value)> + use<> {
    let members = match value {
        Value::Object(members) => members.clone(),
        _ => IndexMap::new(),
    };
    members.into_iter()
}

fn texts(value: &Value) -> IndexMap<String, String> {
    members(value)
        .map(|(name, value)| (name, value.to_text()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: &str = r#"
name: The name
"on": {push: null, workflow_dispatch: {inputs: {deep: {type: boolean}}}}
env: {A: workflow, N: 1.50, T: true}
defaults: {run: {shell: sh}}
jobs:
    build:
        name: build
        runs-on: debian
        if: always()
        strategy: {fail-fast: "true", matrix: {thing: [{name: n}], n: ["1"]}}
        outputs: {out: "${{ steps.s.outputs.x }}"}
        steps:
            - id: s
              run: |
                echo one
                echo two
            - uses: ./action
              with: {number: 5}
              continue-on-error: true
"#;

    #[test]
    fn a_payload_is_read() {
        let workflow = workflow(PAYLOAD).unwrap();
        assert_eq!(workflow.name, "The name");
        assert_eq!(workflow.env["N"], "1.5");
        assert_eq!(workflow.input_types["deep"], "boolean");
        let job = &workflow.jobs["build"];
        assert_eq!(
            (job.condition.as_str(), &job.matrix["n"]),
            ("always()", &Value::text("1"))
        );
        assert_eq!(job.matrix["thing"].member("name"), Value::text("n"));
        let Work::Steps(steps) = &job.work else {
            panic!("{:?}", job.work)
        };
        assert!(
            matches!(&steps[0].action, StepAction::Run { script, .. } if script.starts_with("echo one"))
        );
        assert_eq!(steps[1].continue_on_error, "true");
        assert!(job.unsupported.is_empty());
    }

    #[track_caller]
    fn refused(text: &str) -> String {
        workflow(text).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_carried_out_is_named_by_its_place() {
        let steps = |steps: &str| format!("jobs: {{a: {{runs-on: x, steps: {steps}}}}}");
        insta::assert_snapshot!(refused(&steps("[]")), @"`jobs.a.steps` has no step");
        insta::assert_snapshot!(refused(&steps("[{run: a}, {run: }]")), @"`jobs.a.steps[1]` has neither `run` nor `uses`, or an empty one");
        insta::assert_snapshot!(refused(&steps("[{run: a, uses: b}]")), @"`jobs.a.steps[0]` has `run` and `uses`; a step has one of them");
        insta::assert_snapshot!(refused("name: x"), @"`jobs` is missing, or is no list of jobs by name");
    }

    #[test]
    fn what_needs_docker_is_said() {
        let workflow = workflow("jobs: {a: {container: x, steps: [{run: a}]}}").unwrap();
        assert_eq!(workflow.jobs["a"].unsupported.len(), 2);
    }

    #[test]
    fn an_action_of_another_kind_is_refused() {
        let error = composite("runs: {using: node20, main: x.js}").unwrap_err();
        insta::assert_snapshot!(error, @"`runs.using` is `node20`; this runner has composite actions only, no Node and no Docker");
    }
}
