//! Pull requests: how they follow their branches, and what git says about them.

use super::access::{Doer, Via};
use super::api::issues::{self, Told};
use super::events::{Effects, Event, PushEvent, ZERO_ID, is_zero};
use super::git::{Error, Git, Move};
use super::pushes;
use super::world::{CommentKind, Issue, Pull, World};

pub(crate) mod merging;

/// The number of the open pull request of a branch, in whatever repository it was opened.
#[must_use]
pub fn open_of_branch(world: &World, repo: i64, branch: &str) -> Option<i64> {
    let id = open_with_head(world, repo, branch).into_iter().next()?;
    world.issues.get(id).map(|issue| issue.index)
}

/// Open pull requests, by the ids of their issues.
fn open(world: &World, fits: impl Fn(&Issue, &Pull) -> bool) -> Vec<i64> {
    let all = world.issues.iter().filter(|(_, issue)| issue.closed == 0);
    all.filter(|(_, issue)| issue.pull.as_ref().is_some_and(|pull| fits(issue, pull)))
        .map(|(id, _)| id)
        .collect()
}

fn open_with_head(world: &World, repo: i64, branch: &str) -> Vec<i64> {
    open(world, |_, pull| {
        !pull.flow && pull.head_repo == repo && pull.head == branch
    })
}

/// The name under which the base repository keeps the head of a pull request.
pub(crate) fn reference(index: i64) -> String {
    format!("refs/pull/{index}/head")
}

/// A user who acts in the background.
pub(crate) fn as_doer(world: &World, id: i64) -> Option<Doer> {
    let user = world.owners.get(id)?;
    Some(Doer {
        id,
        admin: user.admin,
        via: Via::Password,
    })
}

/// Brings a pull request in line with where its branches are now.
///
/// # Errors
/// When git cannot tell.
pub(crate) fn look(world: &mut World, git: &Git, id: i64) -> Result<(), Error> {
    let Some((repo, pull)) = parts(world, id) else {
        return Ok(());
    };
    let tip = |repo: i64, branch: &str| {
        let references = world.references.get(repo);
        references
            .and_then(|references| references.branch(branch))
            .map(str::to_owned)
    };
    let base_sha = tip(repo, &pull.base).unwrap_or(pull.base_sha);
    let head_sha = if pull.flow {
        None
    } else {
        tip(pull.head_repo, &pull.head)
    };
    let head_sha = head_sha.unwrap_or(pull.head_sha);
    if pull.head_repo != repo {
        git.copy_objects(pull.head_repo, repo)?;
    }
    let merge_base = merging::merge_base(git, repo, &base_sha, &head_sha)?;
    let mergeable = merging::merged_tree(git, repo, &base_sha, &head_sha)?.is_some();
    let changes = merging::counts(git, repo, &merge_base, &head_sha)?;
    world.issues.update(id, |issue| {
        if let Some(pull) = &mut issue.pull {
            (pull.base_sha, pull.head_sha, pull.merge_base) = (base_sha, head_sha, merge_base);
            (pull.mergeable, pull.changes) = (mergeable, changes);
        }
    });
    keep_reference(world, git, id)
}

/// Moves `refs/pull/N/head` to the head.
fn keep_reference(world: &mut World, git: &Git, id: i64) -> Result<(), Error> {
    let Some(issue) = world.issues.get(id) else {
        return Ok(());
    };
    let (repo, name) = (issue.repo, reference(issue.index));
    let to = issue
        .pull
        .as_ref()
        .map(|pull| pull.head_sha.clone())
        .unwrap_or_default();
    let known = world
        .references
        .get(repo)
        .and_then(|references| references.ids.get(&name));
    let from = known.cloned().unwrap_or_else(|| ZERO_ID.to_owned());
    if from == to {
        return Ok(());
    }
    let step = Move { name, from, to };
    let mut silent = Effects::default();
    let by = super::events::PushedBy::Api;
    // It clashes with nothing, and nobody else moves it.
    let _ = pushes::move_reference(world, git, repo, &step, 0, by, &mut silent);
    Ok(())
}

fn parts(world: &World, id: i64) -> Option<(i64, Pull)> {
    let issue = world.issues.get(id)?;
    Some((issue.repo, issue.pull.clone()?))
}

/// Something happened: heads and bases have moved, or a check has ended.
pub(crate) fn on_event(world: &mut World, git: &Git, event: &Event, effects: &mut Effects) {
    match event {
        Event::Push(push) => on_push(world, git, push, effects),
        Event::Status { status, .. } => {
            let sha = world.statuses.get(*status).map(|status| status.sha.clone());
            let waits = |_: &Issue, pull: &Pull| {
                pull.scheduled.is_some() && Some(&pull.head_sha) == sha.as_ref()
            };
            for id in open(world, waits) {
                super::api::pulls::merge::merge_scheduled(world, git, id, effects);
            }
        }
        _ => {}
    }
}

fn on_push(world: &mut World, git: &Git, push: &PushEvent, effects: &mut Effects) {
    let Some(branch) = push.branch() else { return };
    for id in open_with_head(world, push.repo, branch) {
        if push.is_deletion() {
            continue;
        }
        let before = parts(world, id).map(|(repo, pull)| (repo, pull.head_sha));
        // A pull request that git cannot judge stays as it was.
        if look(world, git, id).is_err() {
            continue;
        }
        if let Some((repo, before)) = before.filter(|(_, before)| *before != push.after) {
            follow(world, git, (id, repo), &before, push, effects);
        }
    }
    let into = |issue: &Issue, pull: &Pull| issue.repo == push.repo && pull.base == branch;
    for id in open(world, into) {
        // As above.
        let _ = look(world, git, id);
    }
}

/// The head has moved: reviews grow old, and it is told.
fn follow(
    world: &mut World,
    git: &Git,
    (id, repo): (i64, i64),
    before: &str,
    push: &PushEvent,
    effects: &mut Effects,
) {
    let forced =
        merging::merge_base(git, repo, before, &push.after).is_ok_and(|base| base != before);
    let commits = merging::between(git, repo, before, &push.after).unwrap_or_default();
    let body = serde_json::json!({ "is_force_push": forced, "commit_ids": commits }).to_string();
    issues::note_by(world, push.pusher, id, CommentKind::PullPush, &body);
    let reviews: Vec<i64> = world.reviews.of(id).map(|(review, _)| review).collect();
    for review in reviews {
        world.reviews.update(review, |review| {
            review.stale |= !review.commit.is_empty() && review.commit != push.after;
        });
    }
    let now = world.now();
    world.issues.update(id, |issue| issue.updated = now);
    let event = issues::event(world, push.pusher, id, &Told::Sync, "synchronized");
    effects.events.extend(event);
}

/// Whether a branch is still there.
pub(crate) fn has_branch(world: &World, repo: i64, branch: &str) -> bool {
    let references = world.references.get(repo);
    references.is_some_and(|references| references.branch(branch).is_some_and(|id| !is_zero(id)))
}
