//! What the clock brings: scheduled runs, and tasks whose runner has not been heard of.

use jiff::Timestamp;
use serde_json::json;

use super::begin::{Beginning, begin, workflow_files};
use super::progress;
use super::row::{Schedule, Status};
use crate::gitea::access::Unit;
use crate::gitea::events::Effects;
use crate::gitea::git::Git;
use crate::gitea::workflow::{Cron, Workflow};
use crate::gitea::world::World;

/// After how many seconds without a word of its runner a task is given up.
const SILENT_SECS_MAX: i64 = 10 * 60;
/// How many seconds a task may take.
const TASK_SECS_MAX: i64 = 3 * 3600;

/// When something is due by the clock, in seconds since 1970; `None` when nothing is.
#[must_use]
pub fn next_due(world: &World) -> Option<i64> {
    let schedules = world
        .actions
        .schedules
        .iter()
        .map(|(_, schedule)| schedule.next);
    schedules.chain(running(world).map(|(_, due)| due)).min()
}

/// Does what is due.
pub(crate) fn tick(world: &mut World, git: &Git, effects: &mut Effects) {
    let now = world.now();
    let silent: Vec<i64> = running(world)
        .filter(|(_, due)| *due <= now)
        .map(|(task, _)| task)
        .collect();
    for task in silent {
        progress::lose(world, effects, task);
    }
    let due: Vec<(i64, Schedule)> = world
        .actions
        .schedules
        .iter()
        .filter(|(_, schedule)| schedule.next <= now)
        .map(|(id, schedule)| (id, schedule.clone()))
        .collect();
    for (id, schedule) in due {
        match next_time(&schedule.cron, now) {
            Some(next) => {
                world
                    .actions
                    .schedules
                    .update(id, |schedule| schedule.next = next);
            }
            None => drop(world.actions.schedules.remove(id)),
        }
        run_scheduled(world, git, &schedule, effects);
    }
}

/// Running tasks, and when each is given up.
fn running(world: &World) -> impl Iterator<Item = (i64, i64)> {
    let jobs = world.actions.jobs.iter().map(|(_, job)| job);
    let running = jobs.filter(|job| job.status == Status::Running);
    running
        .filter_map(|job| world.actions.tasks.get(job.task))
        .map(|task| {
            (
                task.id,
                (task.heard + SILENT_SECS_MAX).min(task.started + TASK_SECS_MAX),
            )
        })
}

/// The default branch moved: its workflows say what runs by the clock.
pub(super) fn look_again(world: &mut World, git: &Git, repo: i64, commit: &str) {
    let now = world.now();
    let mut found = Vec::new();
    for file in workflow_files(git, repo, commit) {
        let Ok(workflow) = Workflow::parse(&file.text) else {
            continue;
        };
        for cron in &workflow.triggers.schedules {
            let Some(next) = next_time(cron.text(), now) else {
                continue;
            };
            let cron = cron.text().to_owned();
            found.push(Schedule {
                repo,
                workflow: file.id.clone(),
                cron,
                next,
            });
        }
    }
    let known: Vec<Schedule> = world
        .actions
        .schedules
        .of(repo)
        .map(|(_, schedule)| schedule.clone())
        .collect();
    if known != found {
        world.actions.schedules.remove_group(repo);
        for schedule in found {
            world.actions.schedules.insert(|_| schedule);
        }
    }
}

fn next_time(cron: &str, now: i64) -> Option<i64> {
    let after = Timestamp::from_second(now).ok()?;
    Cron::parse(cron)
        .ok()?
        .next_after(after)
        .map(|next| next.as_second())
}

fn run_scheduled(world: &mut World, git: &Git, schedule: &Schedule, effects: &mut Effects) {
    let Some(repo) = world.repos.get(schedule.repo) else {
        return;
    };
    if !repo.has(Unit::Actions) || repo.archived {
        return;
    }
    let (branch, owner) = (repo.default_branch.clone(), repo.owner);
    let tip = world
        .references
        .get(schedule.repo)
        .and_then(|refs| refs.branch(&branch));
    let Some(commit) = tip.and_then(|tip| git.commit(schedule.repo, tip).ok()) else {
        return;
    };
    let files = workflow_files(git, schedule.repo, &commit.id);
    let Some(file) = files.iter().find(|file| file.id == schedule.workflow) else {
        return;
    };
    let beginning = Beginning::at(
        (schedule.repo, "schedule"),
        json!({"schedule": schedule.cron}),
        format!("refs/heads/{branch}"),
        (owner, &commit),
    );
    begin(world, effects, file, &beginning);
}
