//! Pull requests made by pushing to `refs/for/BRANCH/TOPIC`: no branch of their own, only a head.

use super::Guest;
use super::receive::Push;
use crate::gitea::api::issues::{self, Told};
use crate::gitea::api::pulls as pulls_api;
use crate::gitea::events::{Effects, ZERO_ID};
use crate::gitea::git::{Git, Move};
use crate::gitea::pulls::{self, merging};
use crate::gitea::world::{Issue, Pull, World};

/// Where a command landed.
pub(super) struct Landed {
    /// The name that was pushed to.
    pub(super) asked: String,
    /// The name that moved.
    pub(super) name: String,
    /// Where it was.
    pub(super) from: String,
    /// Where it is.
    pub(super) to: String,
    /// Whether history was lost.
    pub(super) forced: bool,
    /// The number of the pull request.
    pub(super) index: i64,
}

/// Whether a name is one for a pull request.
pub(super) fn is_for(name: &str) -> bool {
    name.starts_with("refs/for/")
}

/// The branch that a name is for, and the topic behind it; `None` when there is no such branch.
pub(super) fn target(world: &World, repo: i64, name: &str) -> Option<(String, String)> {
    let rest = name.strip_prefix("refs/for/")?;
    if pulls::has_branch(world, repo, rest) {
        return Some((rest.to_owned(), String::new()));
    }
    let mut cuts: Vec<usize> = rest.match_indices('/').map(|(at, _)| at).collect();
    cuts.reverse();
    let cut = cuts
        .into_iter()
        .find(|at| pulls::has_branch(world, repo, &rest[..*at]))?;
    Some((rest[..cut].to_owned(), rest[cut + 1..].to_owned()))
}

/// Makes or moves the pull requests of a push; commands that cannot be done get their reason.
pub(super) fn carry_out(
    world: &mut World,
    git: &Git,
    guest: &Guest,
    push: &Push,
    outcome: &mut [Option<String>],
    effects: &mut Effects,
) -> Vec<Landed> {
    let mut landed = Vec::new();
    for (command, result) in push.commands.iter().zip(outcome) {
        if result.is_some() || !is_for(&command.name) {
            continue;
        }
        match one(world, git, guest, push, command, effects) {
            Ok(done) => landed.push(done),
            Err(reason) => *result = Some(reason),
        }
    }
    landed
}

fn option<'p>(push: &'p Push, name: &str) -> Option<&'p str> {
    let found = push.options.iter().rfind(|(have, _)| have == name)?;
    Some(&found.1)
}

fn one(
    world: &mut World,
    git: &Git,
    guest: &Guest,
    push: &Push,
    command: &Move,
    effects: &mut Effects,
) -> Result<Landed, String> {
    let (base, topic) = target(world, guest.repo, &command.name).ok_or("base branch is not set")?;
    let topic = option(push, "topic").map_or(topic, str::to_owned);
    if topic.is_empty() {
        return Err("topic-branch is not set".into());
    }
    let doer = guest.doer.as_ref().map_or(0, |doer| doer.id);
    let login = world
        .owners
        .get(doer)
        .map_or("", |user| user.login.as_str());
    let head = format!("{login}/{topic}");
    let fits = |issue: &Issue| {
        let pull = issue.pull.as_ref();
        issue.closed == 0
            && pull.is_some_and(|pull| pull.flow && pull.head == head && pull.base == base)
    };
    let have = world
        .issues
        .of(guest.repo)
        .find(|(_, issue)| fits(issue))
        .map(|(id, _)| id);
    let asked = command.name.clone();
    let to = command.to.clone();
    if let Some(id) = have {
        let (index, from) = moved(world, git, push, id, &to)?;
        let forced = !merging::contains(git, guest.repo, &to, &from).unwrap_or(true);
        issues::event(world, doer, id, &Told::Sync, "synchronized")
            .into_iter()
            .for_each(|event| effects.events.push(event));
        return Ok(Landed {
            asked,
            name: pulls::reference(index),
            from,
            to,
            forced,
            index,
        });
    }
    let id = made(world, git, guest, push, (base, head), &to)?;
    pulls_api::note_commits(world, git, doer, id);
    effects
        .events
        .extend(issues::event(world, doer, id, &Told::Itself, "opened"));
    let index = world.issues.get(id).map_or(0, |issue| issue.index);
    Ok(Landed {
        asked,
        name: pulls::reference(index),
        from: ZERO_ID.into(),
        to,
        forced: false,
        index,
    })
}

/// Moves the head of one that is there; answers its number and where the head was.
fn moved(
    world: &mut World,
    git: &Git,
    push: &Push,
    id: i64,
    to: &str,
) -> Result<(i64, String), String> {
    let issue = world.issues.get(id).cloned().unwrap_or_default();
    let from = issue
        .pull
        .as_ref()
        .map(|pull| pull.head_sha.clone())
        .unwrap_or_default();
    let forward = merging::contains(git, issue.repo, to, &from).unwrap_or(false);
    let forces = option(push, "force-push").is_some_and(|word| word != "false");
    if !forward && !forces {
        return Err("request `force-push` push option".into());
    }
    world.issues.update(id, |issue| {
        if let Some(pull) = &mut issue.pull {
            to.clone_into(&mut pull.head_sha);
        }
    });
    pulls::look(world, git, id).map_err(|error| error.to_string())?;
    Ok((issue.index, from))
}

fn made(
    world: &mut World,
    git: &Git,
    guest: &Guest,
    push: &Push,
    (base, head): (String, String),
    to: &str,
) -> Result<i64, String> {
    let commit = git
        .commit(guest.repo, to)
        .map_err(|error| error.to_string())?;
    let text = commit
        .message
        .split_once('\n')
        .map_or("", |(_, rest)| rest.trim_start_matches('\n'));
    let (title, body) = (
        option(push, "title")
            .unwrap_or_else(|| commit.title())
            .to_owned(),
        option(push, "description").unwrap_or(text).to_owned(),
    );
    let references = world.references.get(guest.repo);
    let base_sha = references
        .and_then(|references| references.branch(&base))
        .unwrap_or_default()
        .to_owned();
    let pull = Pull {
        id: pulls_api::next_id(world),
        head_repo: guest.repo,
        head,
        base,
        head_sha: to.to_owned(),
        base_sha,
        flow: true,
        ..Pull::default()
    };
    let index = issues::next_index(world, guest.repo).map_err(|_| "no such repository")?;
    let (now, repo) = (world.now(), guest.repo);
    let poster = guest.doer.as_ref().map_or(0, |doer| doer.id);
    let id = world.issues.insert(|id| Issue {
        id,
        repo,
        index,
        poster,
        title,
        body,
        created: now,
        updated: now,
        pull: Some(pull),
        ..Issue::default()
    });
    pulls::look(world, git, id).map_err(|error| error.to_string())?;
    Ok(id)
}
