//! Runs: lists, one, deleted, run again.

use serde_json::json;

use super::super::progress::{Again, rerun};
use super::super::row::Run as RunRow;
use super::super::views::{job_view, run_view, task_view};
use super::super::{Scope, forget_run};
use super::{
    ScopePlace, change_in_repo, in_repo, in_scope, page_of, scope_of, signed_in_repo,
    wanted_statuses,
};
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::World;

pub(crate) const ROUTES: &[Route] = &[
    signed_in_repo("/repos/{owner}/{repo}/actions/runs", list),
    in_repo("/repos/{owner}/{repo}/actions/runs/{run}", get),
    in_repo(
        "/repos/{owner}/{repo}/actions/runs/{run}/artifacts",
        no_artifacts,
    ),
    in_repo("/repos/{owner}/{repo}/actions/artifacts", no_artifacts),
    in_repo("/repos/{owner}/{repo}/actions/tasks", tasks),
    change_in_repo("DELETE", "/repos/{owner}/{repo}/actions/runs/{run}", delete),
    change_in_repo(
        "POST",
        "/repos/{owner}/{repo}/actions/runs/{run}/rerun",
        run_again,
    ),
    change_in_repo(
        "POST",
        "/repos/{owner}/{repo}/actions/runs/{run}/rerun-failed-jobs",
        run_failed_again,
    ),
    change_in_repo(
        "POST",
        "/repos/{owner}/{repo}/actions/runs/{run}/jobs/{job_id}/rerun",
        run_job_again,
    ),
    of_org("/orgs/{org}/actions/runs", list),
    in_scope(
        "GET",
        "/user/actions/runs",
        ScopePlace::User,
        Run::Read(list),
    ),
    in_scope(
        "GET",
        "/admin/actions/runs",
        ScopePlace::Admin,
        Run::Read(list),
    ),
];

/// Members may look, owners alone may change.
pub(super) const fn of_org(path: &'static str, run: fn(&World, &Scene<'_>) -> Answer) -> Route {
    let needs = &[Need::SignedIn, Need::OrgMember];
    let scopes = super::ORG;
    Route {
        method: "GET",
        path,
        place: Place::Org,
        scopes,
        needs,
        run: Run::Read(run),
    }
}

/// The repositories whose runs a list shows.
pub(super) fn repos_in(world: &World, scene: &Scene<'_>) -> Vec<i64> {
    match scope_of(scene) {
        Scope::Repo(repo) => vec![repo],
        Scope::Owner(owner) => world.repos.of(owner).map(|(id, _)| id).collect(),
        Scope::Instance => world.repos.iter().map(|(id, _)| id).collect(),
    }
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let statuses = wanted_statuses(scene)?;
    let actor = match scene.call.query("actor").filter(|name| !name.is_empty()) {
        Some(name) => Some(actor(world, scene, name)?),
        None => None,
    };
    let query = |name: &str| scene.call.query(name).filter(|value| !value.is_empty());
    let (event, branch, sha) = (query("event"), query("branch"), query("head_sha"));
    let fits = |run: &&RunRow| {
        (statuses.is_empty() || statuses.contains(&run.status))
            && event.is_none_or(|event| run.event == event)
            && branch.is_none_or(|branch| {
                run.reference
                    .strip_prefix("refs/heads/")
                    .unwrap_or(&run.reference)
                    == branch
            })
            && sha.is_none_or(|sha| run.head_sha == sha)
            && actor.is_none_or(|actor| run.actor == actor)
    };
    let repos = repos_in(world, scene);
    let runs = repos
        .iter()
        .flat_map(|repo| world.actions.runs.of(*repo))
        .map(|(_, run)| run);
    let mut runs: Vec<&RunRow> = runs.filter(fits).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.id));
    let view = |run: &&RunRow| run_view(world, &scene.call.base, run);
    Ok(page_of(world, scene, "workflow_runs", &runs, view))
}

/// The real server answers 500 for an actor that does not exist; the client is told the same text.
fn actor(world: &World, scene: &Scene<'_>, name: &str) -> Result<i64, Reply> {
    let unknown = format!("user does not exist [uid: 0, name: {name}]");
    world
        .owner(name)
        .map(|(id, _)| id)
        .ok_or_else(|| scene.internal(&unknown))
}

pub(super) fn found<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w RunRow, Reply> {
    let id = scene.call.id("run").unwrap_or_default();
    let run = world
        .actions
        .runs
        .get(id)
        .filter(|run| run.repo == scene.repo);
    run.ok_or_else(|| {
        Reply::not_found_because(format!("run with id {id}: resource does not exist"))
    })
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(Reply::ok(run_view(
        world,
        &scene.call.base,
        found(world, scene)?,
    )))
}

fn ended(world: &World, scene: &Scene<'_>) -> Result<i64, Reply> {
    let run = found(world, scene)?;
    if run.status.is_done() {
        Ok(run.id)
    } else {
        Err(Reply::error(400, "this workflow run is not done"))
    }
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let run = ended(world, scene)?;
    forget_run(world, run);
    Ok(Reply::no_content())
}

fn run_again(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let run = ended(world, scene)?;
    rerun(world, &mut scene.effects, run, Again::Whole);
    Ok(Reply::created(run_view(
        world,
        &scene.call.base,
        found(world, scene)?,
    )))
}

fn run_failed_again(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let run = ended(world, scene)?;
    rerun(world, &mut scene.effects, run, Again::Failed);
    Ok(Reply::empty(201))
}

fn run_job_again(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let run = found(world, scene)?.id;
    let id = scene.call.id("job_id").unwrap_or_default();
    if world.actions.jobs.get(id).is_none_or(|job| job.run != run) {
        return Err(Reply::not_found_because(format!(
            "workflow job with id {id}"
        )));
    }
    ended(world, scene)?;
    rerun(world, &mut scene.effects, run, Again::Job(id));
    let view = world
        .actions
        .jobs
        .get(id)
        .map(|job| job_view(world, &scene.call.base, job));
    Ok(Reply::created(view.unwrap_or_default()))
}

fn tasks(world: &World, scene: &Scene<'_>) -> Answer {
    let runs = world.actions.runs.of(scene.repo);
    let mut tasks: Vec<_> = runs
        .flat_map(|(run, _)| world.actions.tasks.of(run))
        .collect();
    tasks.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
    let view =
        |(_, task): &(i64, &super::super::row::Task)| task_view(world, &scene.call.base, task);
    Ok(page_of(world, scene, "workflow_runs", &tasks, view))
}

/// Artifacts are not kept here.
fn no_artifacts(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(json!({"artifacts": [], "total_count": 0})))
}
