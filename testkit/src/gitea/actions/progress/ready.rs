//! Which blocked job comes next: by what it needs, by its matrix, by its group.

use super::super::row::{Job, Status};
use super::group;
use crate::gitea::world::World;

/// What becomes of a job whose needs have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A runner may have it.
    Go,
    /// Something that it needs did not succeed, and it has no condition.
    Skip,
}

/// The first blocked job of a run about which there is something to decide.
pub(super) fn next(world: &World, run: i64) -> Option<(i64, Verdict)> {
    let jobs: Vec<&Job> = world.actions.jobs.of(run).map(|(_, job)| job).collect();
    let begun = jobs.iter().any(|job| job.status != Status::Blocked);
    let blocked = jobs.iter().filter(|job| job.status == Status::Blocked);
    blocked
        .filter_map(|job| verdict(world, job, &jobs, begun).map(|verdict| (job.id, verdict)))
        .next()
}

fn verdict(world: &World, job: &Job, jobs: &[&Job], begun: bool) -> Option<Verdict> {
    let named = |id: &String| jobs.iter().any(|other| other.plan.id == *id);
    if !begun && !job.plan.needs.iter().all(named) {
        // The real server looks again when any other job of the run has ended, and not before.
        return None;
    }
    let needed: Vec<Status> = jobs
        .iter()
        .filter(|other| job.plan.needs.contains(&other.plan.id))
        .map(|other| other.status)
        .collect();
    if !needed.iter().all(|status| status.is_done()) {
        return None;
    }
    if !job.plan.has_condition && needed.iter().any(|status| *status != Status::Success) {
        return Some(Verdict::Skip);
    }
    let free = has_room(job, jobs) && group::has_room_for_job(world, job);
    free.then_some(Verdict::Go)
}

/// Whether `max-parallel` of its matrix lets one more run.
fn has_room(job: &Job, jobs: &[&Job]) -> bool {
    let Some(most) = job.plan.max_parallel else {
        return true;
    };
    let siblings = jobs.iter().filter(|other| {
        other.plan.id == job.plan.id && matches!(other.status, Status::Waiting | Status::Running)
    });
    siblings.count() < usize::try_from(most).unwrap_or(usize::MAX)
}

/// The ids of these jobs and of all that need them, directly or not.
pub(super) fn with_dependents(jobs: &[Job], first: &[&Job]) -> Vec<i64> {
    let mut names: Vec<&str> = first.iter().map(|job| job.plan.id.as_str()).collect();
    let mut at = 0;
    while let Some(name) = names.get(at).copied() {
        for job in jobs
            .iter()
            .filter(|job| job.plan.needs.iter().any(|need| need == name))
        {
            if !names.contains(&job.plan.id.as_str()) {
                names.push(&job.plan.id);
            }
        }
        at += 1;
    }
    let chosen = |job: &&Job| {
        first.iter().any(|one| one.id == job.id)
            || (names.contains(&job.plan.id.as_str())
                && !first.iter().any(|one| one.plan.id == job.plan.id))
    };
    jobs.iter().filter(chosen).map(|job| job.id).collect()
}
