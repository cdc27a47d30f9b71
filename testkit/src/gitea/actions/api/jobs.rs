//! Jobs and their logs.

use super::super::row::{Job, LogLine};
use super::super::views::job_view;
use super::runs::{of_org, repos_in};
use super::{ScopePlace, in_repo, in_scope, page_of, signed_in_repo, wanted_statuses};
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::World;

pub(crate) const ROUTES: &[Route] = &[
    signed_in_repo("/repos/{owner}/{repo}/actions/jobs", list),
    in_repo("/repos/{owner}/{repo}/actions/runs/{run}/jobs", of_run),
    signed_in_repo("/repos/{owner}/{repo}/actions/jobs/{job_id}", get),
    signed_in_repo("/repos/{owner}/{repo}/actions/jobs/{job_id}/logs", log),
    of_org("/orgs/{org}/actions/jobs", list),
    in_scope(
        "GET",
        "/user/actions/jobs",
        ScopePlace::User,
        Run::Read(list),
    ),
    in_scope(
        "GET",
        "/admin/actions/jobs",
        ScopePlace::Admin,
        Run::Read(list),
    ),
];

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let repos = repos_in(world, scene);
    let runs = repos
        .iter()
        .flat_map(|repo| world.actions.runs.of(*repo))
        .map(|(id, _)| id);
    answer(
        world,
        scene,
        runs.flat_map(|run| world.actions.jobs.of(run))
            .map(|(_, job)| job),
    )
}

fn of_run(world: &World, scene: &Scene<'_>) -> Answer {
    let run = scene.call.id("run").unwrap_or_default();
    let own = world
        .actions
        .runs
        .get(run)
        .is_some_and(|run| run.repo == scene.repo);
    let jobs = world
        .actions
        .jobs
        .of(run)
        .map(|(_, job)| job)
        .filter(|_| own);
    answer(world, scene, jobs)
}

fn answer<'w>(world: &'w World, scene: &Scene<'_>, jobs: impl Iterator<Item = &'w Job>) -> Answer {
    let statuses = wanted_statuses(scene)?;
    let fits = |job: &&Job| statuses.is_empty() || statuses.contains(&job.status);
    let mut jobs: Vec<&Job> = jobs.filter(fits).collect();
    jobs.sort_by_key(|job| job.id);
    let view = |job: &&Job| job_view(world, &scene.call.base, job);
    Ok(page_of(world, scene, "jobs", &jobs, view))
}

fn found<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Job, Reply> {
    let id = scene.call.id("job_id").unwrap_or_default();
    let job = world
        .actions
        .jobs
        .get(id)
        .filter(|job| job.repo == scene.repo);
    job.ok_or_else(|| {
        Reply::not_found_because(format!("run job with id {id}: resource does not exist"))
    })
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(Reply::ok(job_view(
        world,
        &scene.call.base,
        found(world, scene)?,
    )))
}

fn log(world: &World, scene: &Scene<'_>) -> Answer {
    let job = found(world, scene)?;
    if job.task == 0 {
        return Err(Reply::not_found_because("job not started"));
    }
    let mut text = String::new();
    for line in world
        .actions
        .logs
        .of(job.task)
        .flat_map(|(_, chunk)| &chunk.lines)
    {
        text.push_str(&written(line));
    }
    if text.is_empty() {
        return Err(Reply::not_found_because("logs not found"));
    }
    let workflow = world
        .actions
        .runs
        .get(job.run)
        .map_or("", |run| run.workflow.as_str());
    let name = file_name(workflow, &job.plan.name, job.task);
    Ok(Reply::text(200, text).with_header(
        "content-disposition",
        format!("attachment; filename={name}"),
    ))
}

/// `2026-01-01T00:00:00.0000000Z line`: seven decimals.
pub(crate) fn written(line: &LogLine) -> String {
    const TICKS: i64 = 10_000_000;
    let (seconds, ticks) = (line.at.div_euclid(TICKS), line.at.rem_euclid(TICKS));
    let time = crate::gitea::clock::rfc3339(seconds);
    let time = time.trim_end_matches('Z');
    format!("{time}.{ticks:07}Z {}\n", line.text)
}

/// The file's name as the real server makes it: what stands before the last slash is lost.
fn file_name(workflow: &str, job: &str, task: i64) -> String {
    let stem = workflow.rsplit('/').next().unwrap_or(workflow);
    let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
    let name = format!("{stem}-{job}-{task}.log");
    let name = name.rsplit('/').next().unwrap_or(&name).to_owned();
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.chars().all(token) {
        return name;
    }
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}
