//! From a workflow and what is known of the event to the jobs of a run.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document::{Concurrency, Invalid, Job, Permissions, Workflow};
use super::expression::{Contexts, is_true};
use super::interpolate::{interpolate, interpolate_value};
use super::matrix::{self, Combination};
use super::payload::{Given, payload};
use super::yaml::{Content, Node};

/// A run before it begins: everything that is fixed when it is made.
#[derive(Debug, Clone, PartialEq)]
pub struct RunPlan {
    /// The `name:` of the workflow.
    pub name: String,
    /// The evaluated `run-name:`, empty when there is none.
    pub run_name: String,
    /// The group of the whole run.
    pub concurrency: Option<ConcurrencyGroup>,
    /// The jobs, matrices expanded, in the order of the file.
    pub jobs: Vec<PlannedJob>,
}

/// A job before it begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedJob {
    /// Its key in the file; the jobs of a matrix share it.
    pub id: String,
    /// How it is called.
    pub name: String,
    /// The ids of the jobs that must have ended before it.
    pub needs: Vec<String>,
    /// Whether it has an `if:`; then a runner decides, even after a failure.
    pub has_condition: bool,
    /// What its runner must offer, all of it.
    pub labels: Vec<String>,
    /// How its steps are called.
    pub steps: Vec<String>,
    /// The workflow that its runner gets.
    pub payload: String,
    /// What its token may do; `None` where nothing is said.
    pub permissions: Option<Permissions>,
    /// Its own group.
    pub concurrency: Option<ConcurrencyGroup>,
    /// Whether a failure stops the other jobs of its matrix; false where there is no matrix.
    pub fail_fast: bool,
    /// How many jobs of its matrix may run at a time; `None` is all.
    pub max_parallel: Option<u32>,
}

/// A concurrency group, evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConcurrencyGroup {
    /// Its name.
    pub name: String,
    /// Whether what runs in it is stopped.
    pub cancel_in_progress: bool,
}

/// Makes the run of a workflow; without jobs there is none.
///
/// # Errors
/// [`Invalid`] where the file has something of the wrong type.
pub fn plan_run(workflow: &Workflow, contexts: &Contexts) -> Result<RunPlan, Invalid> {
    let run_name = interpolate(&workflow.run_name, contexts).unwrap_or_default();
    let mut jobs = Vec::new();
    for job in &workflow.jobs {
        jobs.extend(jobs_of(workflow, job, &run_name, contexts)?);
    }
    Ok(RunPlan {
        name: workflow.name.clone(),
        concurrency: workflow
            .concurrency
            .as_ref()
            .and_then(|group| evaluated(group, contexts)),
        run_name,
        jobs,
    })
}

fn jobs_of(
    workflow: &Workflow,
    job: &Job,
    run_name: &str,
    contexts: &Contexts,
) -> Result<Vec<PlannedJob>, Invalid> {
    let combinations = job
        .matrix
        .as_ref()
        .map(|matrix| matrix::combinations(matrix, contexts))
        .unwrap_or_default();
    if combinations.is_empty() {
        return Ok(vec![planned(workflow, job, run_name, contexts, None)?]);
    }
    combinations
        .iter()
        .map(|combination| {
            let contexts = contexts.clone().with("matrix", combination.clone());
            planned(workflow, job, run_name, &contexts, Some(combination))
        })
        .collect()
}

fn planned(
    workflow: &Workflow,
    job: &Job,
    run_name: &str,
    contexts: &Contexts,
    combination: Option<&Combination>,
) -> Result<PlannedJob, Invalid> {
    let name = name_of(job, contexts, combination);
    let labels = labels_of(job.runs_on.as_ref(), contexts);
    let given = Given {
        name: &name,
        labels: &labels,
        combination,
        run_name,
    };
    let said = |text: &str| interpolate(text, contexts).unwrap_or_default();
    Ok(PlannedJob {
        id: job.id.clone(),
        needs: job.needs.clone(),
        has_condition: job.has_condition,
        steps: job.steps.iter().map(|step| step.title.clone()).collect(),
        payload: payload(workflow, job, &given)?,
        permissions: job
            .permissions
            .clone()
            .or_else(|| workflow.permissions.clone()),
        concurrency: job
            .concurrency
            .as_ref()
            .and_then(|group| evaluated(group, contexts)),
        fail_fast: combination.is_some() && said(&job.fail_fast) != "false",
        max_parallel: said(&job.max_parallel)
            .parse()
            .ok()
            .filter(|most| *most > 0),
        name,
        labels,
    })
}

/// Only a name that speaks of the matrix is evaluated; to all others the values are added.
fn name_of(job: &Job, contexts: &Contexts, combination: Option<&Combination>) -> String {
    let name = if job.name.is_empty() {
        &job.id
    } else {
        &job.name
    };
    let Some(combination) = combination else {
        return name.clone();
    };
    if name.contains("${{") && name.contains("matrix.") {
        return interpolate(name, contexts).unwrap_or_default();
    }
    format!("{name} {}", matrix::name_of(combination))
}

/// The labels; an expression without a value is one empty label, which nobody offers.
fn labels_of(runs_on: Option<&Node>, contexts: &Contexts) -> Vec<String> {
    let Some(runs_on) = runs_on else {
        return Vec::new();
    };
    let one = |text: &str| interpolate(text, contexts).unwrap_or_default();
    match &runs_on.content {
        Content::Scalar(text, _) => match interpolate_value(text, contexts) {
            Ok(Value::Array(items)) => items.iter().map(super::expression::spoken).collect(),
            Ok(other) => vec![super::expression::spoken(&other)],
            Err(_) => vec![String::new()],
        },
        Content::Sequence(items, _) => items.iter().filter_map(Node::as_text).map(one).collect(),
        Content::Mapping(..) => labels_of(runs_on.get("labels"), contexts),
    }
}

fn evaluated(concurrency: &Concurrency, contexts: &Contexts) -> Option<ConcurrencyGroup> {
    let name = interpolate(&concurrency.group, contexts).unwrap_or_default();
    let cancel = interpolate_value(&concurrency.cancel_in_progress, contexts).ok();
    let cancel_in_progress = match cancel {
        Some(Value::String(text)) => text == "true",
        Some(other) => is_true(&other),
        None => false,
    };
    (!name.is_empty()).then_some(ConcurrencyGroup {
        name,
        cancel_in_progress,
    })
}
