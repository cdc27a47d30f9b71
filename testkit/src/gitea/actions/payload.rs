//! The payload of a push, for webhooks and for the `github.event` of a run.

use serde_json::{Value, json};

use super::faces;
use crate::gitea::access::{ACTIONS_USER, Mode};
use crate::gitea::clock::rfc3339_in;
use crate::gitea::events::{PushEvent, PushedBy, ZERO_ID, is_zero};
use crate::gitea::git::{Commit, Git, Person};
use crate::gitea::permission::full_name;
use crate::gitea::world::World;

/// What is told of a push.
pub(crate) fn push_payload(world: &World, git: &Git, push: &PushEvent) -> Value {
    let root = &world.settings.root_url;
    let commits: Vec<Commit> = push
        .commits
        .iter()
        .filter_map(|id| git.commit(push.repo, id).ok())
        .collect();
    let head = if push.is_deletion() {
        None
    } else {
        git.commit(push.repo, &push.after).ok()
    };
    // The real server counts none when the API makes the first branch.
    let uncounted = push.by == PushedBy::Api && push.is_creation();
    let seen = |commit: &Commit| commit_view(world, git, push.repo, commit);
    json!({
        "ref": push.reference,
        "before": push.before,
        "after": push.after,
        "compare_url": compare_url(world, push, &commits),
        "commits": commits.iter().map(seen).collect::<Vec<_>>(),
        "total_commits": if uncounted { 0 } else { push.total_commits },
        "head_commit": head.as_ref().map(seen),
        "repository": faces::repository(world, root, push.repo, Mode::Owner),
        "pusher": doer(world, push.pusher),
        "sender": doer(world, push.pusher),
    })
}

/// What the test of a webhook tells: the newest commit once more.
pub(crate) fn test_payload(
    world: &World,
    git: &Git,
    (repo, sha, reference): (i64, &str, &str),
    asker: i64,
) -> Value {
    let root = &world.settings.root_url;
    let commit = git.commit(repo, sha).ok().map(|commit| {
        let mut view = commit_view(world, git, repo, &commit);
        view["verification"] = json!({
            "verified": false, "reason": "gpg.error.not_signed_commit", "signature": "",
            "signer": null, "payload": "", "verified_at": null,
        });
        for list in ["added", "removed", "modified"] {
            view[list] = Value::Null;
        }
        view
    });
    let name = world
        .repos
        .get(repo)
        .map(|repo| full_name(world, repo))
        .unwrap_or_default();
    json!({
        "ref": reference,
        "before": sha,
        "after": sha,
        "compare_url": format!("{root}/{name}/compare/{sha}...{sha}"),
        "commits": commit.iter().collect::<Vec<_>>(),
        "total_commits": 1,
        "head_commit": commit,
        "repository": faces::repository(world, root, repo, Mode::None),
        "pusher": doer(world, asker),
        "sender": doer(world, asker),
    })
}

fn doer(world: &World, id: i64) -> Value {
    faces::user(world, &world.settings.root_url, id)
}

/// From what was there before to what is there now; the server's root where there is nothing to compare.
fn compare_url(world: &World, push: &PushEvent, commits: &[Commit]) -> String {
    let root = &world.settings.root_url;
    let Some(repo) = world.repos.get(push.repo) else {
        return format!("{root}/");
    };
    let compare = |before: &str| {
        format!(
            "{root}/{}/compare/{before}...{}",
            full_name(world, repo),
            push.after
        )
    };
    if push.is_deletion() {
        return format!("{root}/");
    }
    if push.tag().is_some() {
        return compare(if push.is_creation() {
            ZERO_ID
        } else {
            &push.before
        });
    }
    if !is_zero(&push.before) {
        return compare(&push.before);
    }
    let oldest_parent = commits.last().and_then(|commit| commit.parents.first());
    match oldest_parent {
        Some(parent) => compare(parent),
        None if push.branch() != Some(&repo.default_branch) => compare(&repo.default_branch),
        None => format!("{root}/"),
    }
}

/// A commit in a payload, with the paths that it changes.
fn commit_view(world: &World, git: &Git, repo: i64, commit: &Commit) -> Value {
    let root = &world.settings.root_url;
    let name = world
        .repos
        .get(repo)
        .map(|repo| full_name(world, repo))
        .unwrap_or_default();
    let (added, removed, modified) = changes(git, repo, commit);
    json!({
        "id": commit.id,
        "message": commit.message,
        "url": format!("{root}/{name}/commit/{}", commit.id),
        "author": person(world, &commit.author),
        "committer": person(world, &commit.committer),
        "verification": null,
        "timestamp": rfc3339_in(commit.committer.seconds, commit.committer.offset),
        "added": added,
        "removed": removed,
        "modified": modified,
    })
}

fn person(world: &World, person: &Person) -> Value {
    let account = world
        .emails
        .find(&person.email.to_lowercase())
        .map(|mail| mail.user);
    let account = account.or_else(|| hidden_account(&person.email));
    let login = account
        .and_then(|id| world.owners.get(id))
        .map_or("", |user| user.login.as_str());
    json!({"name": person.name, "email": person.email, "username": login})
}

/// `7+name@noreply.host` is user 7.
fn hidden_account(email: &str) -> Option<i64> {
    let (id, rest) = email.split_once('+')?;
    rest.contains("@noreply.")
        .then(|| id.parse().ok())
        .flatten()
}

fn changes(git: &Git, repo: i64, commit: &Commit) -> (Vec<String>, Vec<String>, Vec<String>) {
    let before = commit.parents.first().map_or(ZERO_ID, String::as_str);
    let (mut added, mut removed, mut modified) = (Vec::new(), Vec::new(), Vec::new());
    let has = |id: &str, path: &str| {
        !is_zero(id)
            && git.commit(repo, id).is_ok_and(|commit| {
                git.entry(repo, &commit.tree, path)
                    .is_ok_and(|entry| entry.is_some())
            })
    };
    for path in git
        .changed_paths(repo, before, &commit.id)
        .unwrap_or_default()
    {
        match (has(before, &path), has(&commit.id, &path)) {
            (false, _) => added.push(path),
            (true, false) => removed.push(path),
            (true, true) => modified.push(path),
        }
    }
    (added, removed, modified)
}

/// Whether a push was made by a job: such a push starts nothing.
pub(super) fn is_of_job(push: &PushEvent) -> bool {
    push.pusher == ACTIONS_USER
}
