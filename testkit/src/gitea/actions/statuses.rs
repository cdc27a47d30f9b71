//! The commit statuses that runs write: one context for each job.

use super::row::{Job, Run, Status};
use crate::gitea::access::ACTIONS_USER;
use crate::gitea::events::{Effects, Event};
use crate::gitea::permission::full_name;
use crate::gitea::world::{CommitStatus, World};

/// Writes the status of a job to its commit, unless it stands there already.
pub(super) fn record(world: &mut World, effects: &mut Effects, job: i64) {
    let Some(status) = status_for(world, job) else {
        return;
    };
    let newest = world
        .statuses
        .of(status.repo)
        .map(|(_, row)| row)
        .rfind(|row| row.sha == status.sha && row.context == status.context);
    let same = newest.is_some_and(|newest| {
        newest.state == status.state && newest.description == status.description
    });
    if same {
        return;
    }
    let repo = status.repo;
    let status = world.statuses.insert(|id| CommitStatus { id, ..status });
    effects.events.push(Event::Status {
        repo,
        status,
        doer: ACTIONS_USER,
    });
}

fn status_for(world: &World, job: i64) -> Option<CommitStatus> {
    let job = world.actions.jobs.get(job)?;
    let run = world.actions.runs.get(job.run)?;
    if !gets_statuses(&run.event) {
        return None;
    }
    let repo = world.repos.get(run.repo)?;
    let of_commit = world
        .statuses
        .of(run.repo)
        .filter(|(_, row)| row.sha == run.head_sha);
    let index = of_commit
        .map(|(_, row)| row.index)
        .max()
        .unwrap_or_default()
        + 1;
    let address = format!(
        "/{}/actions/runs/{}/jobs/{}",
        full_name(world, repo),
        run.id,
        job.id
    );
    Some(CommitStatus {
        id: 0,
        index,
        repo: run.repo,
        sha: run.head_sha.clone(),
        state: state(job.status).to_owned(),
        target_url: address,
        description: description(job, world.now()),
        context: context(run, job),
        creator: 0,
        created: world.now(),
    })
}

/// Runs by hand or by the clock leave no status.
fn gets_statuses(event: &str) -> bool {
    matches!(
        event,
        "push" | "pull_request" | "pull_request_target" | "release"
    )
}

/// `Workflow / job (event)`; a workflow without a name leaves the slash in front.
fn context(run: &Run, job: &Job) -> String {
    format!("{} / {} ({})", run.name, job.plan.name, run.event)
        .trim()
        .to_owned()
}

fn state(status: Status) -> &'static str {
    match status {
        Status::Blocked | Status::Waiting | Status::Running => "pending",
        Status::Success => "success",
        Status::Failure | Status::Cancelled => "failure",
        Status::Skipped => "skipped",
    }
}

fn description(job: &Job, now: i64) -> String {
    let stopped = if job.stopped > 0 { job.stopped } else { now };
    let seconds = (stopped - job.started).max(0);
    match job.status {
        Status::Blocked => "Blocked by required conditions".to_owned(),
        Status::Waiting => "Waiting to run".to_owned(),
        Status::Running => "Has started running".to_owned(),
        Status::Success => format!("Successful in {}", duration(seconds)),
        Status::Failure => format!("Failing after {}", duration(seconds)),
        Status::Cancelled => "Has been cancelled".to_owned(),
        Status::Skipped => "Has been skipped".to_owned(),
    }
}

/// `5s`, `2m5s`, `1h2m`: the two largest parts.
fn duration(seconds: i64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m"),
    }
}
