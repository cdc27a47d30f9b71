//! `FetchTask`: a runner asks for work.
//!
//! # Beyond the real server
//! It answers at once. Two headers, which its own runner does not send, ask for more:
//! `Prefer: wait=SECONDS` lets the answer wait until there is work, and `x-runner-place` with
//! `x-runner-held` tell which process asks and which tasks it holds, so that a task whose answer was
//! lost is given to that process once more.

use std::collections::BTreeSet;

use super::Runner;
use super::protocol::{Done, Outcome};
use crate::gitea::Gitea;
use crate::gitea::actions::{GivenOut, Status, Task, give_again, give_out, next_job, task_message};
use crate::gitea::call::Call;
use crate::gitea::connect::{self, FetchTaskRequest, FetchTaskResponse};
use crate::gitea::events::Effects;
use crate::gitea::world::World;

/// Which process of a runner asks, and what it holds; the real runner does not say.
#[derive(Debug, Default)]
pub(super) struct Asker {
    place: String,
    held: BTreeSet<i64>,
}

impl Asker {
    /// What the headers say.
    pub(super) fn of(call: &Call) -> Self {
        let held = call.header("x-runner-held").unwrap_or_default();
        Self {
            place: call.header("x-runner-place").unwrap_or_default().to_owned(),
            held: held.split(',').filter_map(|id| id.parse().ok()).collect(),
        }
    }
}

/// Work is looked for when the runner does not know the current version; else it is told at once
/// that there is none. Looking shuts nobody out, only taking does.
pub(super) fn fetch(
    gitea: &Gitea,
    runner: &Runner,
    request: &FetchTaskRequest,
    asker: &Asker,
) -> Outcome<FetchTaskResponse> {
    let (version, worth_it) = gitea.read(|world, _| {
        let version = world.actions.runners.version(runner.scope);
        let knows = request.tasks_version == version;
        let new = !knows && candidate(world, runner).is_some();
        (version, new || lost(world, runner, asker).is_some())
    });
    let idle = FetchTaskResponse {
        task: None,
        tasks_version: version,
    };
    if !worth_it {
        return Ok(idle.into());
    }
    let (task, receipt) = gitea.write(|world, _, effects| take(world, effects, runner, asker));
    Ok(Done {
        message: FetchTaskResponse { task, ..idle },
        receipt,
    })
}

/// Whether a call of `FetchTask` would bring a task now.
#[cfg(feature = "server")]
pub(super) fn would_bring(world: &World, runner: &Runner, asker: &Asker) -> bool {
    candidate(world, runner).is_some() || lost(world, runner, asker).is_some()
}

fn candidate(world: &World, runner: &Runner) -> Option<i64> {
    let current = world.actions.runners.runners.get(runner.id)?;
    if current.disabled || (current.ephemeral && has_task(world, current.id)) {
        return None;
    }
    next_job(world, current.scope, &current.labels)
}

fn has_task(world: &World, runner: i64) -> bool {
    running(world, runner).next().is_some()
}

fn running(world: &World, runner: i64) -> impl Iterator<Item = &Task> {
    let jobs = world.actions.jobs.iter().map(|(_, job)| job);
    jobs.filter(move |job| job.runner == runner && job.status == Status::Running)
        .filter_map(|job| world.actions.tasks.get(job.task))
}

/// A task that was given to this very place, of which nothing was heard, and which is not held there.
fn lost(world: &World, runner: &Runner, asker: &Asker) -> Option<i64> {
    if asker.place.is_empty() {
        return None;
    }
    running(world, runner.id)
        .find(|task| task.place == asker.place && !task.confirmed && !asker.held.contains(&task.id))
        .map(|task| task.id)
}

/// The world is ours alone here: what is still waiting is taken by nobody else.
fn take(
    world: &mut World,
    effects: &mut Effects,
    runner: &Runner,
    asker: &Asker,
) -> Option<connect::Task> {
    let GivenOut { task, token } = match lost(world, runner, asker) {
        Some(task) => give_again(world, task)?,
        None => {
            let job = candidate(world, runner)?;
            give_out(world, effects, job, (runner.id, &runner.name))?
        }
    };
    world.actions.tasks.update(task, |task| {
        asker.place.clone_into(&mut task.place);
    });
    task_message(world, task, &token)
}
