//! `UpdateTask`: a runner tells how far it is.

use super::Runner;
use super::protocol::{Done, Outcome};
use crate::gitea::Gitea;
use crate::gitea::actions::{Output, Status, Task, end_task, report_again};
use crate::gitea::connect::{
    ConnectError, StepState, TaskState, Timestamp, UpdateTaskRequest, UpdateTaskResponse,
};
use crate::gitea::events::Effects;
use crate::gitea::world::World;

pub(super) fn update_task(
    gitea: &Gitea,
    runner: &Runner,
    request: UpdateTaskRequest,
) -> Outcome<UpdateTaskResponse> {
    let Some(state) = request.state else {
        // The real server falls over a request without a state.
        return Err(ConnectError::invalid_argument("state is missing"));
    };
    gitea.read(|world, _| owned(world, state.id, runner.id).map(drop))?;
    let (answer, receipt) = gitea.write(|world, _, effects| {
        store_outputs(world, state.id, request.outputs);
        apply(world, effects, &state);
        let answer = answer(world, state.id);
        forget_ephemeral(world, state.id, runner);
        answer
    });
    Ok(Done {
        message: answer,
        receipt,
    })
}

/// The task, if it is the runner's.
pub(super) fn owned(world: &World, task: i64, runner: i64) -> Result<&Task, ConnectError> {
    let task = world.actions.tasks.get(task);
    let task =
        task.ok_or_else(|| ConnectError::internal("update task: resource does not exist"))?;
    if task.runner == runner {
        Ok(task)
    } else {
        Err(ConnectError::internal(
            "update task: invalid runner for task",
        ))
    }
}

/// The first value of a name stays; what is too long is dropped without a word.
fn store_outputs(
    world: &mut World,
    task: i64,
    outputs: std::collections::BTreeMap<String, String>,
) {
    const NAME_BYTES_MAX: usize = 255;
    const VALUE_BYTES_MAX: usize = 1 << 20;
    let kept = &mut world.actions.outputs;
    for (name, value) in outputs {
        let fits =
            !name.is_empty() && name.len() <= NAME_BYTES_MAX && value.len() <= VALUE_BYTES_MAX;
        if fits && kept.find(&format!("{task}/{name}")).is_none() {
            kept.insert(|_| Output { task, name, value });
        }
    }
}

fn apply(world: &mut World, effects: &mut Effects, state: &TaskState) {
    let result = Status::of_outcome(state.result);
    let running = world
        .actions
        .tasks
        .get(state.id)
        .is_some_and(|task| task.status == Status::Running);
    if !running {
        if result.is_some() {
            report_again(world, state.id);
        }
        return;
    }
    let now = world.now();
    world.actions.tasks.update(state.id, |task| {
        task.heard = now;
        task.confirmed = true;
        for step in &state.steps {
            apply_step(task, step);
        }
    });
    if let Some(status) = result {
        end_task(
            world,
            effects,
            state.id,
            (status, seconds(state.stopped_at)),
        );
    }
}

/// A step that the job does not have is passed over.
fn apply_step(task: &mut Task, state: &StepState) {
    let place = usize::try_from(state.id).ok();
    let Some(step) = place.and_then(|place| task.steps.get_mut(place)) else {
        return;
    };
    step.started = seconds(state.started_at);
    step.stopped = seconds(state.stopped_at);
    step.log_index = state.log_index;
    step.log_length = state.log_length;
    step.status = match Status::of_outcome(state.result) {
        Some(ended) => ended,
        None if state.started_at.is_some() => Status::Running,
        None => Status::Waiting,
    };
}

fn seconds(at: Option<Timestamp>) -> i64 {
    at.map_or(0, |at| at.seconds)
}

fn answer(world: &World, task: i64) -> UpdateTaskResponse {
    let status = world.actions.tasks.get(task).map(|task| task.status);
    let result = status.map_or(0, |status| status.outcome() as i32);
    let mut sent: Vec<String> = world
        .actions
        .outputs
        .of(task)
        .map(|(_, output)| output.name.clone())
        .collect();
    sent.sort();
    let state = TaskState {
        id: task,
        result,
        ..TaskState::default()
    };
    UpdateTaskResponse {
        state: Some(state),
        sent_outputs: sent,
    }
}

/// A runner for one task is gone with it.
fn forget_ephemeral(world: &mut World, task: i64, runner: &Runner) {
    let ended = world
        .actions
        .tasks
        .get(task)
        .is_some_and(|task| task.status.is_done());
    if runner.ephemeral && ended {
        world.actions.runners.runners.remove(runner.id);
    }
}
