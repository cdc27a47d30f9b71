//! Runs, jobs, steps and workflows as the API answers them, and as webhooks tell them.

use serde_json::{Value, json};

use super::begin::WorkflowFile;
use super::faces;
use super::row::{Disabled, Job, Run, Status, StepRecord};
use crate::gitea::access::Mode;
use crate::gitea::clock::{ZERO, rfc3339};
use crate::gitea::permission::full_name;
use crate::gitea::world::World;

/// What the API calls a status, and how it ended where it did.
pub(crate) fn words(status: Status) -> (&'static str, Option<&'static str>) {
    match status {
        Status::Blocked => ("waiting", None),
        Status::Waiting => ("queued", None),
        Status::Running => ("in_progress", None),
        ended => ("completed", Some(ended.word())),
    }
}

/// The address of a repository's part of the API, and of its pages.
fn addresses(world: &World, base: &str, repo: i64) -> (String, String) {
    let name = world
        .repos
        .get(repo)
        .map(|repo| full_name(world, repo))
        .unwrap_or_default();
    (
        format!("{base}/api/v1/repos/{name}/actions"),
        format!("{base}/{name}"),
    )
}

fn with_conclusion(mut view: Value, status: Status) -> Value {
    let (word, conclusion) = words(status);
    view["status"] = json!(word);
    if let Some(conclusion) = conclusion {
        view["conclusion"] = json!(conclusion);
    }
    view
}

fn with_branch(mut view: Value, run: &Run) -> Value {
    if let Some(branch) = run.reference.strip_prefix("refs/heads/") {
        view["head_branch"] = json!(branch);
    }
    view
}

/// A run.
pub(crate) fn run_view(world: &World, base: &str, run: &Run) -> Value {
    let (api, pages) = addresses(world, base, run.repo);
    let actor = faces::user(world, base, run.actor);
    let view = json!({
        "id": run.id,
        "url": format!("{api}/runs/{}", run.id),
        "html_url": format!("{pages}/actions/runs/{}", run.id),
        "display_title": run.title,
        "path": format!("{}@{}", run.workflow, run.reference),
        "event": run.event,
        "run_attempt": 0,
        "run_number": run.number,
        "repository_id": 0,
        "head_sha": run.head_sha,
        "actor": actor,
        "trigger_actor": actor,
        "repository": faces::repository(world, base, run.repo, Mode::None),
        "started_at": rfc3339(run.started),
        "completed_at": rfc3339(run.stopped),
    });
    with_branch(with_conclusion(view, run.status), run)
}

/// A job.
pub(crate) fn job_view(world: &World, base: &str, job: &Job) -> Value {
    let Some(run) = world.actions.runs.get(job.run) else {
        return Value::Null;
    };
    let (api, pages) = addresses(world, base, job.repo);
    let mut view = json!({
        "id": job.id,
        "url": format!("{api}/jobs/{}", job.id),
        "html_url": format!("{pages}/actions/runs/{}/jobs/{}", job.run, job.id),
        "run_id": job.run,
        "run_url": format!("{api}/runs/{}", job.run),
        "name": job.plan.name,
        "labels": job.plan.labels,
        "run_attempt": job.attempt,
        "head_sha": run.head_sha,
        "runner_id": job.runner,
        "steps": steps(world, job),
        "created_at": rfc3339(job.created),
        "started_at": rfc3339(job.started),
        "completed_at": rfc3339(job.stopped),
    });
    if !job.runner_name.is_empty() {
        view["runner_name"] = json!(job.runner_name);
    }
    with_branch(with_conclusion(view, job.status), run)
}

/// Steps are known once a runner has the job.
fn steps(world: &World, job: &Job) -> Vec<Value> {
    let Some(task) = world.actions.tasks.get(job.task) else {
        return Vec::new();
    };
    let named = job.plan.steps.iter().zip(&task.steps).enumerate();
    named
        .map(|(number, (name, step))| step_view(number, name, step))
        .collect()
}

fn step_view(number: usize, name: &str, step: &StepRecord) -> Value {
    let view = json!({
        "name": name,
        "number": number,
        "started_at": rfc3339(step.started),
        "completed_at": rfc3339(step.stopped),
    });
    with_conclusion(view, step.status)
}

/// A workflow of the default branch.
pub(crate) fn workflow_view(world: &World, base: &str, repo: i64, file: &WorkflowFile) -> Value {
    let (api, pages) = addresses(world, base, repo);
    let of = world.repos.get(repo);
    let branch = of.map_or("", |repo| repo.default_branch.as_str());
    let time = |pick: fn(&crate::gitea::world::Repository) -> i64| of.map_or(0, pick);
    let off = world
        .actions
        .disabled
        .find(&Disabled::key(repo, &file.id))
        .is_some();
    json!({
        "id": file.id,
        "name": file.shown_name(),
        "path": file.path(),
        "state": if off { "disabled_manually" } else { "active" },
        "created_at": rfc3339(time(|repo| repo.created)),
        "updated_at": rfc3339(time(|repo| repo.updated)),
        "url": format!("{api}/workflows/{}", file.id),
        "html_url": format!("{pages}/src/branch/{branch}/{}", file.path()),
        "badge_url": format!("{pages}/actions/workflows/{}/badge.svg?branch={branch}", file.id),
        "deleted_at": ZERO,
    })
}

/// One attempt at a job, in the list of tasks.
pub(crate) fn task_view(world: &World, base: &str, task: &super::row::Task) -> Value {
    let (Some(job), Some(run)) = (
        world.actions.jobs.get(task.job),
        world.actions.runs.get(task.run),
    ) else {
        return Value::Null;
    };
    let (_, pages) = addresses(world, base, task.repo);
    let updated = if task.stopped > 0 {
        task.stopped
    } else {
        task.heard
    };
    json!({
        "id": task.id,
        "name": job.plan.name,
        "head_branch": run.reference.strip_prefix("refs/heads/").unwrap_or_default(),
        "head_sha": run.head_sha,
        "run_number": run.number,
        "event": run.event,
        "display_title": run.title,
        "status": task.status.word(),
        "workflow_id": run.workflow,
        "url": format!("{pages}/actions/runs/{}", run.id),
        "created_at": rfc3339(task.started),
        "updated_at": rfc3339(updated),
        "run_started_at": rfc3339(task.started),
    })
}
