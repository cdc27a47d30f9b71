//! Concurrency groups: what has the same name in a repository does not run at the same time.
//!
//! One runs, one waits; a newer one takes the place of the one that waits, and with
//! `cancel-in-progress` also that of the one that runs.

use super::super::row::{Job, Run, Status};
use super::{cancel_job, cancel_run, release, settle};
use crate::gitea::events::Effects;
use crate::gitea::world::World;

/// A new run takes its place in its group, or waits for it.
pub(super) fn enter_run(world: &mut World, effects: &mut Effects, run: i64) {
    let Some(entering) = world.actions.runs.get(run).cloned() else {
        return;
    };
    let Some(group) = entering.concurrency else {
        return;
    };
    for other in runs_in(world, entering.repo, &group.name) {
        if other.id != run && (group.cancel_in_progress || other.started == 0) {
            cancel_run(world, effects, other.id);
        }
    }
    for other in jobs_in(world, entering.repo, &group.name) {
        let takes_place = group.cancel_in_progress || other.status != Status::Running;
        if other.run != run && takes_place {
            cancel_and_settle(world, effects, &other);
        }
    }
    let held = !is_free(world, entering.repo, &group.name, run);
    world.actions.runs.update(run, |run| run.held = held);
}

/// Whether a job may begin as far as its group goes.
pub(super) fn has_room_for_job(world: &World, job: &Job) -> bool {
    let Some(group) = &job.plan.concurrency else {
        return true;
    };
    group.cancel_in_progress
        || jobs_in(world, job.repo, &group.name)
            .iter()
            .all(|other| other.id == job.id || other.status != Status::Running)
            && runs_in(world, job.repo, &group.name)
                .iter()
                .all(|other| other.id == job.run || other.started == 0)
}

/// A job begins: those of its group that wait, or that it may stop, make way.
pub(super) fn make_way_for_job(world: &mut World, effects: &mut Effects, job: i64) {
    let Some(entering) = world.actions.jobs.get(job).cloned() else {
        return;
    };
    let Some(group) = entering.plan.concurrency else {
        return;
    };
    for other in jobs_in(world, entering.repo, &group.name) {
        let takes_place = group.cancel_in_progress || other.status == Status::Waiting;
        if other.id != job && takes_place && other.status != Status::Blocked {
            cancel_and_settle(world, effects, &other);
        }
    }
}

/// What held a group has ended: the one that waits goes on.
pub(super) fn hand_on(world: &mut World, effects: &mut Effects, repo: i64, name: &str) {
    let held = runs_in(world, repo, name).into_iter().find(|run| run.held);
    if let Some(run) = held
        && is_free(world, repo, name, run.id)
    {
        world.actions.runs.update(run.id, |run| run.held = false);
        release(world, effects, run.id);
        settle(world, effects, run.id);
    }
    for job in jobs_in(world, repo, name).into_iter().rev() {
        if job.status == Status::Blocked {
            release(world, effects, job.run);
            settle(world, effects, job.run);
        }
    }
}

fn cancel_and_settle(world: &mut World, effects: &mut Effects, job: &Job) {
    cancel_job(world, effects, job.id);
    release(world, effects, job.run);
    settle(world, effects, job.run);
}

fn is_free(world: &World, repo: i64, name: &str, except: i64) -> bool {
    runs_in(world, repo, name)
        .iter()
        .all(|run| run.id == except || run.held)
        && jobs_in(world, repo, name)
            .iter()
            .all(|job| job.run == except || job.status != Status::Running)
}

/// The runs of a group that have not ended.
fn runs_in(world: &World, repo: i64, name: &str) -> Vec<Run> {
    let of_group = |run: &Run| {
        run.concurrency
            .as_ref()
            .is_some_and(|group| group.name == name)
    };
    let runs = world.actions.runs.of(repo).map(|(_, run)| run);
    runs.filter(|run| !run.status.is_done() && of_group(run))
        .cloned()
        .collect()
}

/// The jobs of a group that have not ended.
fn jobs_in(world: &World, repo: i64, name: &str) -> Vec<Job> {
    let of_group = |job: &Job| {
        job.plan
            .concurrency
            .as_ref()
            .is_some_and(|group| group.name == name)
    };
    let runs = world
        .actions
        .runs
        .of(repo)
        .filter(|(_, run)| !run.status.is_done());
    let jobs = runs
        .flat_map(|(run, _)| world.actions.jobs.of(run))
        .map(|(_, job)| job);
    jobs.filter(|job| !job.status.is_done() && of_group(job))
        .cloned()
        .collect()
}
