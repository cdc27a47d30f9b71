//! Pages of runs: which there are, how far they are, and what their jobs said.

use super::{LIST_MAX, badge, heading, html, link, list};
use crate::gitea::api::escape;
use crate::gitea::permission;
use crate::gitea::reply::Reply;
use crate::gitea::world::{Repository, World};

/// The longest log that a page shows, in lines; the end counts.
const LINES_MAX: usize = 5_000;

/// The newest runs of a repository.
pub(super) fn runs(world: &World, repo: &Repository) -> Reply {
    let name = permission::full_name(world, repo);
    let runs = world
        .actions
        .runs
        .iter()
        .rev()
        .map(|(_, run)| run)
        .filter(|run| run.repo == repo.id)
        .take(LIST_MAX);
    let items = runs.map(|run| {
        let shown = link(&format!("/{name}/actions/runs/{}", run.id), &run.title);
        format!(
            "{shown} <small>{}</small>{}",
            escape(&run.workflow),
            badge(run.status.word())
        )
    });
    html(
        200,
        &format!("Runs of {name}"),
        &format!("{}{}", heading(world, repo), list(items)),
        false,
    )
}

/// One run with its jobs.
pub(super) fn run(world: &World, repo: &Repository, id: i64) -> Option<Reply> {
    let run = world
        .actions
        .runs
        .get(id)
        .filter(|run| run.repo == repo.id)?;
    let name = permission::full_name(world, repo);
    let jobs = world.actions.jobs.of(id).map(|(_, job)| {
        let target = format!("/{name}/actions/runs/{id}/jobs/{}", job.id);
        format!(
            "{} {}",
            link(&target, &job.plan.name),
            badge(job.status.word())
        )
    });
    let body = format!(
        "{}<p>{}</p>{}",
        heading(world, repo),
        badge(run.status.word()),
        list(jobs)
    );
    Some(html(200, &run.title, &body, !run.status.is_done()))
}

/// One job with its log, which reloads while it is written.
pub(super) fn job(world: &World, repo: &Repository, id: i64) -> Option<Reply> {
    let job = world
        .actions
        .jobs
        .get(id)
        .filter(|job| job.repo == repo.id)?;
    let chunks = world.actions.logs.of(job.task).filter(|_| job.task != 0);
    let lines: Vec<&str> = chunks
        .flat_map(|(_, chunk)| &chunk.lines)
        .map(|line| line.text.as_str())
        .collect();
    let end = &lines[lines.len().saturating_sub(LINES_MAX)..];
    let body = format!(
        "{}<p>{}</p><pre>{}</pre>",
        heading(world, repo),
        badge(job.status.word()),
        escape(&end.join("\n"))
    );
    Some(html(200, &job.plan.name, &body, !job.status.is_done()))
}
