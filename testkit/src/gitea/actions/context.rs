//! What a runner is told beside the workflow: the `github` context, secrets, variables, needs.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::row::{Job, Run, Task};
use super::settings::{secrets_of, variables_of};
use super::token::runtime_token;
use crate::gitea::connect;
use crate::gitea::permission::full_name;
use crate::gitea::world::World;

/// The `github` context of a run, without what only a job knows.
pub(super) fn github(world: &World, run: &Run) -> Value {
    let root = &world.settings.root_url;
    let login = |id: i64| {
        world
            .owners
            .get(id)
            .map_or("", |owner| owner.login.as_str())
    };
    let repo = world.repos.get(run.repo);
    let name = repo.map(|repo| full_name(world, repo)).unwrap_or_default();
    let reference = reference_of(run);
    let (ref_name, ref_type) = short(&reference);
    let mut context = json!({
        "actor": login(run.actor),
        "api_url": format!("{root}/api/v1"),
        "base_ref": run.base_ref,
        "event": run.payload,
        "event_name": run.event,
        "gitea_default_actions_url": root,
        "head_ref": run.head_ref,
        "ref": reference,
        "ref_name": ref_name,
        "ref_protected": false,
        "ref_type": ref_type,
        "repository": name,
        "repositoryUrl": format!("{root}/{name}"),
        "repository_owner": repo.map_or("", |repo| login(repo.owner)),
        "run_id": run.id.to_string(),
        "run_number": run.number.to_string(),
        "secret_source": "Actions",
        "server_url": format!("{root}/"),
        "sha": run.sha,
        "workflow": run.workflow,
    });
    // The runner fills these in; the real server names them nevertheless.
    for empty in [
        "action",
        "action_path",
        "action_ref",
        "action_repository",
        "action_status",
        "env",
        "event_path",
        "graphql_url",
        "job",
        "path",
        "retention_days",
        "run_attempt",
        "triggering_actor",
        "workspace",
    ] {
        context[empty] = json!("");
    }
    context
}

/// `pull_request_target` works on the branch that is to be changed.
fn reference_of(run: &Run) -> String {
    if run.event == "pull_request_target" {
        format!("refs/heads/{}", run.base_ref)
    } else {
        run.reference.clone()
    }
}

/// The short name and the type of a reference.
fn short(reference: &str) -> (&str, &'static str) {
    if let Some(branch) = reference.strip_prefix("refs/heads/") {
        return (branch, "branch");
    }
    if let Some(tag) = reference.strip_prefix("refs/tags/") {
        return (tag, "tag");
    }
    let pull = reference
        .strip_prefix("refs/pull/")
        .and_then(|rest| rest.strip_suffix("/head"));
    (pull.unwrap_or(reference), "")
}

/// Everything that a runner gets of a task.
pub(crate) fn task_message(world: &World, task: i64, token: &str) -> Option<connect::Task> {
    let task = world.actions.tasks.get(task)?;
    let job = world.actions.jobs.get(task.job)?;
    let run = world.actions.runs.get(task.run)?;
    Some(connect::Task {
        id: task.id,
        workflow_payload: Some(job.plan.payload.clone().into_bytes()),
        context: Some((&context(world, (run, job, task), token)).into()),
        secrets: secrets(world, run, token),
        needs: needs(world, job),
        vars: variables_of(world, run.repo),
    })
}

fn context(
    world: &World,
    (run, job, task): (&Run, &Job, &Task),
    token: &str,
) -> Map<String, Value> {
    let mut context = match github(world, run) {
        Value::Object(context) => context,
        _ => Map::new(),
    };
    context.insert("job".to_owned(), json!(job.plan.id));
    context.insert("run_attempt".to_owned(), json!(task.attempt.to_string()));
    context.insert("token".to_owned(), json!(token));
    context.insert(
        "gitea_runtime_token".to_owned(),
        json!(runtime_token(world, task)),
    );
    context
}

/// A stranger's workflow gets no secrets but its token.
fn secrets(world: &World, run: &Run, token: &str) -> BTreeMap<String, String> {
    let mut secrets = if run.from_fork {
        BTreeMap::new()
    } else {
        secrets_of(world, run.repo)
    };
    for name in ["GITEA_TOKEN", "GITHUB_TOKEN"] {
        secrets.insert(name.to_owned(), token.to_owned());
    }
    secrets
}

/// Results and outputs of the needed jobs; of a matrix the worst result and all outputs.
fn needs(world: &World, job: &Job) -> BTreeMap<String, connect::TaskNeed> {
    let mut needs = BTreeMap::new();
    for id in &job.plan.needs {
        let jobs: Vec<&Job> = world
            .actions
            .jobs
            .of(job.run)
            .map(|(_, other)| other)
            .filter(|other| other.plan.id == *id)
            .collect();
        if jobs.is_empty() {
            continue;
        }
        let outputs = jobs
            .iter()
            .flat_map(|job| world.actions.outputs.of(job.task));
        let outputs = outputs.map(|(_, output)| (output.name.clone(), output.value.clone()));
        let result = super::progress::status_of_jobs(jobs.iter().copied()).outcome() as i32;
        needs.insert(
            id.clone(),
            connect::TaskNeed {
                outputs: outputs.collect(),
                result,
            },
        );
    }
    needs
}
