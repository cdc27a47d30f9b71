//! How runs and jobs go on: the one place that changes their status.
//!
//! Each function leaves the world settled: jobs whose needs have ended are released or skipped, the
//! run's status follows from its jobs, groups are handed on, statuses and webhooks are told.

use crate::gitea::events::Effects;
use crate::gitea::hooks;
use crate::gitea::world::World;

use super::row::{Job, Queued, Run, Status, StepRecord, Task};
use super::{Scope, statuses, token};

mod group;
mod ready;

/// A run was made, its jobs all blocked: lets it begin, or wait for its group.
pub(super) fn start(world: &mut World, effects: &mut Effects, run: i64) {
    group::enter_run(world, effects, run);
    foresee(world, run);
    hooks::workflow_run(world, run, "requested");
    let jobs = job_ids(world, run);
    release(world, effects, run);
    for job in jobs {
        if status_of(world, job) == Some(Status::Blocked) {
            told(world, effects, job);
        }
    }
    settle(world, effects, run);
}

/// What the run will be in a moment: it is told before its jobs are.
fn foresee(world: &mut World, run: i64) {
    let free = world.actions.runs.get(run).is_some_and(|run| !run.held);
    let begins = |job: &Job| job.status == Status::Blocked && job.plan.needs.is_empty();
    if free && world.actions.jobs.of(run).any(|(_, job)| begins(job)) {
        world
            .actions
            .runs
            .update(run, |run| run.status = Status::Waiting);
    }
}

/// The oldest job that a runner of this scope with these labels may have.
pub(crate) fn next_job(world: &World, scope: Scope, labels: &[String]) -> Option<i64> {
    let fits = |queued: &Queued| {
        queued.labels.iter().all(|label| labels.contains(label))
            && scope.contains(world, queued.repo)
    };
    world
        .actions
        .queue
        .iter()
        .find(|(_, queued)| fits(queued))
        .map(|(_, queued)| queued.job)
}

/// A job that was given to a runner.
pub(crate) struct GivenOut {
    /// The new task.
    pub(crate) task: i64,
    /// The token of the job, which is nowhere kept.
    pub(crate) token: String,
}

/// Gives a waiting job to a runner; `None` when somebody else was faster.
pub(crate) fn give_out(
    world: &mut World,
    effects: &mut Effects,
    job: i64,
    runner: (i64, &str),
) -> Option<GivenOut> {
    let now = world.now();
    let waiting = world
        .actions
        .jobs
        .get(job)
        .filter(|job| job.status == Status::Waiting)?
        .clone();
    let (id, name) = runner;
    let token = world.random.hex(40);
    let step = StepRecord {
        status: Status::Waiting,
        started: 0,
        stopped: 0,
        log_index: 0,
        log_length: 0,
    };
    let steps = vec![step; waiting.plan.steps.len()];
    let task = world.actions.tasks.insert(|task| Task {
        id: task,
        job,
        run: waiting.run,
        repo: waiting.repo,
        runner: id,
        attempt: waiting.attempt + 1,
        token_sha256: token::digest(&token),
        status: Status::Running,
        steps,
        log_lines: 0,
        log_sealed: false,
        started: now,
        stopped: 0,
        heard: now,
        place: String::new(),
        confirmed: false,
    });
    world.actions.jobs.update(job, |job| {
        job.attempt += 1;
        job.task = task;
        job.runner = id;
        name.clone_into(&mut job.runner_name);
        job.started = now;
        job.stopped = 0;
    });
    set(world, effects, job, Status::Running);
    settle(world, effects, waiting.run);
    Some(GivenOut { task, token })
}

/// Gives a task once more whose answer was lost; the token in it was never seen, and is replaced.
pub(crate) fn give_again(world: &mut World, task: i64) -> Option<GivenOut> {
    let now = world.now();
    let token = world.random.hex(40);
    world.actions.tasks.update(task, |task| {
        task.token_sha256 = token::digest(&token);
        task.heard = now;
    })?;
    Some(GivenOut { task, token })
}

/// The runner told how its task ended; `stopped` is by its clock, 0 when it tells none.
pub(crate) fn end_task(
    world: &mut World,
    effects: &mut Effects,
    task: i64,
    (status, stopped): (Status, i64),
) {
    let now = world.now();
    let ended = world.actions.tasks.update(task, |task| {
        task.status = status;
        task.stopped = now;
        task.job
    });
    let Some(job) = ended else { return };
    world.actions.jobs.update(job, |job| job.stopped = stopped);
    set(world, effects, job, status);
    after_end(world, effects, job);
}

/// The runner of a task is gone: the job fails, and so do the steps that had not ended.
pub(crate) fn lose(world: &mut World, effects: &mut Effects, task: i64) {
    let now = world.now();
    let lost = world.actions.tasks.update(task, |task| {
        for step in task.steps.iter_mut().filter(|step| !step.status.is_done()) {
            step.status = Status::Failure;
            step.stopped = now;
        }
    });
    if lost.is_some() {
        end_task(world, effects, task, (Status::Failure, now));
    }
}

/// A result came again: nothing changes, but the real server tells it once more.
pub(crate) fn report_again(world: &mut World, task: i64) {
    let Some(task) = world.actions.tasks.get(task) else {
        return;
    };
    let (job, run) = (task.job, task.run);
    hooks::workflow_job(world, job);
    if world
        .actions
        .runs
        .get(run)
        .is_some_and(|run| run.status.is_done())
    {
        hooks::workflow_run(world, run, "completed");
    }
}

/// Stops a job at once, whatever it does.
fn cancel_job(world: &mut World, effects: &mut Effects, job: i64) {
    let now = world.now();
    let Some(running) = world
        .actions
        .jobs
        .get(job)
        .filter(|job| !job.status.is_done())
    else {
        return;
    };
    let task = running.task;
    if running.status == Status::Running {
        world.actions.tasks.update(task, |task| {
            task.status = Status::Cancelled;
            task.stopped = now;
            for step in task.steps.iter_mut().filter(|step| !step.status.is_done()) {
                step.status = Status::Cancelled;
            }
        });
    }
    world.actions.jobs.update(job, |job| job.stopped = now);
    set(world, effects, job, Status::Cancelled);
}

/// Stops all jobs of a run.
pub(crate) fn cancel_run(world: &mut World, effects: &mut Effects, run: i64) {
    for job in job_ids(world, run) {
        cancel_job(world, effects, job);
    }
    world.actions.runs.update(run, |run| run.held = false);
    settle(world, effects, run);
}

/// What is to be done again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Every job.
    Whole,
    /// The jobs that failed or were cancelled, and what needs them.
    Failed,
    /// This job, and what needs it.
    Job(i64),
}

/// Lets jobs of a run that has ended run once more.
pub(crate) fn rerun(world: &mut World, effects: &mut Effects, run: i64, again: Again) {
    let jobs: Vec<Job> = world
        .actions
        .jobs
        .of(run)
        .map(|(_, job)| job.clone())
        .collect();
    let chosen = |job: &Job| match again {
        Again::Whole => true,
        Again::Failed => matches!(job.status, Status::Failure | Status::Cancelled),
        Again::Job(id) => job.id == id,
    };
    let first: Vec<&Job> = jobs.iter().filter(|job| chosen(job)).collect();
    let all = ready::with_dependents(&jobs, &first);
    if all.is_empty() {
        return;
    }
    for job in &all {
        world.actions.jobs.update(*job, |job| {
            (job.task, job.runner, job.started, job.stopped) = (0, 0, 0, 0);
            job.runner_name.clear();
            job.failed_fast = false;
            job.status = Status::Blocked;
        });
    }
    world.actions.runs.update(run, |run| {
        (run.started, run.stopped) = (0, 0);
        run.status = Status::Blocked;
    });
    start(world, effects, run);
}

/// The jobs of a run, in their order.
pub(super) fn job_ids(world: &World, run: i64) -> Vec<i64> {
    world.actions.jobs.of(run).map(|(id, _)| id).collect()
}

fn status_of(world: &World, job: i64) -> Option<Status> {
    world.actions.jobs.get(job).map(|job| job.status)
}

/// Changes the status of a job, keeps the queue, and tells it.
fn set(world: &mut World, effects: &mut Effects, job: i64, status: Status) {
    let Some(row) = world.actions.jobs.get(job).cloned() else {
        return;
    };
    world.actions.jobs.update(job, |job| job.status = status);
    let queue = &mut world.actions.queue;
    match queue.find_id(&job.to_string()) {
        Some(queued) if status != Status::Waiting => drop(queue.remove(queued)),
        None if status == Status::Waiting => {
            queue.insert(|_| Queued {
                job,
                repo: row.repo,
                labels: row.plan.labels.clone(),
            });
        }
        Some(_) | None => {}
    }
    told(world, effects, job);
}

fn told(world: &mut World, effects: &mut Effects, job: i64) {
    statuses::record(world, effects, job);
    hooks::workflow_job(world, job);
}

/// A job ended: its matrix, its dependents, its run and its groups go on.
fn after_end(world: &mut World, effects: &mut Effects, job: i64) {
    let Some(ended) = world.actions.jobs.get(job).cloned() else {
        return;
    };
    if ended.status == Status::Failure && ended.plan.fail_fast {
        let siblings: Vec<i64> = world
            .actions
            .jobs
            .of(ended.run)
            .filter(|(_, other)| other.plan.id == ended.plan.id && !other.status.is_done())
            .map(|(id, _)| id)
            .collect();
        for sibling in siblings {
            world
                .actions
                .jobs
                .update(sibling, |job| job.failed_fast = true);
            cancel_job(world, effects, sibling);
        }
    }
    release(world, effects, ended.run);
    settle(world, effects, ended.run);
    if let Some(name) = ended.plan.concurrency.map(|group| group.name) {
        group::hand_on(world, effects, ended.repo, &name);
    }
}

/// Releases or skips every blocked job whose needs have ended.
pub(super) fn release(world: &mut World, effects: &mut Effects, run: i64) {
    let Some(of) = world.actions.runs.get(run).filter(|run| !run.held) else {
        return;
    };
    let repo = of.repo;
    let mut released = false;
    while let Some((job, verdict)) = ready::next(world, run) {
        match verdict {
            ready::Verdict::Skip => set(world, effects, job, Status::Skipped),
            ready::Verdict::Go => {
                group::make_way_for_job(world, effects, job);
                set(world, effects, job, Status::Waiting);
                released = true;
            }
        }
    }
    if released {
        for scope in Scope::around(world, repo) {
            world.actions.runners.raise_version(scope);
        }
    }
}

/// Lets the run's status follow from its jobs.
fn settle(world: &mut World, effects: &mut Effects, run: i64) {
    let Some(before) = world.actions.runs.get(run).cloned() else {
        return;
    };
    let status = status_of_jobs(world.actions.jobs.of(run).map(|(_, job)| job));
    let now = world.now();
    world.actions.runs.update(run, |run: &mut Run| {
        run.status = status;
        run.updated = now;
        if status == Status::Running && run.started == 0 {
            run.started = now;
        }
        if status.is_done() && run.stopped == 0 {
            run.stopped = now;
        }
    });
    if status == before.status {
        return;
    }
    if status == Status::Running {
        hooks::workflow_run(world, run, "in_progress");
    }
    if status.is_done() {
        hooks::workflow_run(world, run, "completed");
        if let Some(name) = before.concurrency.map(|group| group.name) {
            group::hand_on(world, effects, before.repo, &name);
        }
    }
}

/// A run is as far as the liveliest of its jobs; what was stopped for a failure counts as failed.
pub(super) fn status_of_jobs<'a>(jobs: impl Iterator<Item = &'a Job>) -> Status {
    let counted: Vec<Status> = jobs
        .map(|job| {
            if job.failed_fast {
                Status::Failure
            } else {
                job.status
            }
        })
        .collect();
    let has = |status: Status| counted.contains(&status);
    let all = |ends: &[Status]| counted.iter().all(|status| ends.contains(status));
    if all(&[Status::Skipped]) {
        return Status::Skipped;
    }
    if all(&[Status::Skipped, Status::Success]) {
        return Status::Success;
    }
    let order = [Status::Running, Status::Waiting];
    if let Some(alive) = order.into_iter().find(|status| has(*status)) {
        return alive;
    }
    let order = [Status::Cancelled, Status::Failure];
    let ended = order.into_iter().find(|status| has(*status));
    ended.unwrap_or(Status::Blocked)
}
