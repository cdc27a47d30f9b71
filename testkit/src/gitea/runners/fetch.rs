//! `FetchTask`: a runner asks for work.

use super::Runner;
use super::protocol::{Done, Outcome};
use crate::gitea::Gitea;
use crate::gitea::actions::{Status, give_out, next_job, task_message};
use crate::gitea::connect::{FetchTaskRequest, FetchTaskResponse, Task};
use crate::gitea::events::Effects;
use crate::gitea::world::World;

/// Work is looked for when the runner does not know the current version; else it is told at once
/// that there is none. Looking shuts nobody out, only taking does.
pub(super) fn fetch(
    gitea: &Gitea,
    runner: &Runner,
    request: &FetchTaskRequest,
) -> Outcome<FetchTaskResponse> {
    let (version, worth_it) = gitea.read(|world, _| {
        let version = world.actions.runners.version(runner.scope);
        let knows = request.tasks_version == version;
        (version, !knows && candidate(world, runner).is_some())
    });
    let idle = FetchTaskResponse {
        task: None,
        tasks_version: version,
    };
    if !worth_it {
        return Ok(idle.into());
    }
    let (task, receipt) = gitea.write(|world, _, effects| take(world, effects, runner));
    Ok(Done {
        message: FetchTaskResponse { task, ..idle },
        receipt,
    })
}

fn candidate(world: &World, runner: &Runner) -> Option<i64> {
    let current = world.actions.runners.runners.get(runner.id)?;
    if current.disabled || (current.ephemeral && has_task(world, current.id)) {
        return None;
    }
    next_job(world, current.scope, &current.labels)
}

fn has_task(world: &World, runner: i64) -> bool {
    let mut jobs = world.actions.jobs.iter();
    jobs.any(|(_, job)| job.runner == runner && job.status == Status::Running)
}

/// The world is ours alone here: what is still waiting is taken by nobody else.
fn take(world: &mut World, effects: &mut Effects, runner: &Runner) -> Option<Task> {
    let job = candidate(world, runner)?;
    let given = give_out(world, effects, job, (runner.id, &runner.name))?;
    task_message(world, given.task, &given.token)
}
