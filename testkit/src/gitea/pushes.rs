//! Moving references, in git and in the records alike, and telling who cares.

use super::access::ACTIONS_USER;
use super::events::{Effects, Event, PushEvent, PushedBy, is_zero};
use super::git::{Error, Git, Move, RefError};
use super::world::{References, World};

/// Moves a reference: the file of git first, then the record, then the event.
///
/// # Errors
/// [`RefError`]; nothing was changed then.
pub(crate) fn move_reference(
    world: &mut World,
    git: &Git,
    repo: i64,
    step: &Move,
    pusher: i64,
    by: PushedBy,
    effects: &mut Effects,
) -> Result<(), RefError> {
    let empty = References::default();
    let known = world.references.get(repo).unwrap_or(&empty);
    git.move_reference(repo, &known.ids, step)?;
    record(world, git, repo, step, pusher, by, effects);
    Ok(())
}

/// Takes a move that git has made into the records, and tells it.
pub(crate) fn record(
    world: &mut World,
    git: &Git,
    repo: i64,
    step: &Move,
    pusher: i64,
    by: PushedBy,
    effects: &mut Effects,
) {
    if world.references.get(repo).is_none() {
        world.references.put(repo, References::default());
    }
    world.references.update(repo, |references| {
        if is_zero(&step.to) {
            references.ids.remove(&step.name);
        } else {
            references.ids.insert(step.name.clone(), step.to.clone());
        }
    });
    touch(world, git, repo, step);
    if !step.name.starts_with("refs/heads/") && !step.name.starts_with("refs/tags/") {
        return;
    }
    // Without a commit to show for it there is still the move itself to tell.
    let (commits, total_commits) = new_commits(world, git, repo, step).unwrap_or_default();
    effects.events.push(Event::Push(PushEvent {
        repo,
        reference: step.name.clone(),
        before: step.from.clone(),
        after: step.to.clone(),
        pusher: if pusher == 0 { ACTIONS_USER } else { pusher },
        commits,
        total_commits,
        by,
    }));
}

/// The first branch ends a repository's emptiness and may become its default branch.
fn touch(world: &mut World, git: &Git, repo: i64, step: &Move) {
    let now = world.now();
    let branches: Vec<String> = world
        .references
        .get(repo)
        .map(|references| {
            references
                .below("refs/heads/")
                .map(|(name, _)| name.to_owned())
                .collect()
        })
        .unwrap_or_default();
    let head = world.repos.update(repo, |found| {
        found.updated = now;
        let branch = step.name.strip_prefix("refs/heads/");
        let branch = branch.filter(|_| !is_zero(&step.to) && found.empty)?;
        found.empty = false;
        if branches.contains(&found.default_branch) {
            return None;
        }
        branch.clone_into(&mut found.default_branch);
        Some(branch.to_owned())
    });
    if let Some(Some(branch)) = head {
        // The record is what counts; `HEAD` is repaired at the next start if it could not be written.
        let _ = git.set_head(repo, &branch);
    }
}

/// The commits that a move brings, newest first, and how many there are in all.
fn new_commits(
    world: &World,
    git: &Git,
    repo: i64,
    step: &Move,
) -> Result<(Vec<String>, usize), Error> {
    let Some(branch) = step
        .name
        .strip_prefix("refs/heads/")
        .filter(|_| !is_zero(&step.to))
    else {
        return Ok((Vec::new(), 0));
    };
    let default = world
        .repos
        .get(repo)
        .map(|repo| repo.default_branch.as_str());
    let base = default
        .filter(|default| *default != branch)
        .and_then(|default| world.references.get(repo)?.branch(default));
    if is_zero(&step.from) && base.is_none() {
        let listed = lines(&git.output(repo, &["rev-list", "--max-count=10", &step.to])?);
        let total = listed.len();
        return Ok((listed, total));
    }
    // A new branch brings what the default branch does not have.
    let base = if is_zero(&step.from) {
        base.unwrap_or_default()
    } else {
        &step.from
    };
    if git.commit(repo, &step.to)?.parents == [base] {
        return Ok((vec![step.to.clone()], 1));
    }
    let range = format!("{base}..{}", step.to);
    let mut listed = lines(&git.output(repo, &["rev-list", &range])?);
    let total = listed.len();
    listed.truncate(PushEvent::COMMITS_MAX);
    Ok((listed, total))
}

fn lines(output: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(output)
        .lines()
        .map(str::to_owned)
        .collect()
}
