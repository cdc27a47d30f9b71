//! What would stand in git's pre-receive and update hooks: whether references may move.

use super::receive::Command;
use super::{Guest, flow};
use crate::gitea::access::Doer;
use crate::gitea::events::is_zero;
use crate::gitea::world::{Repository, World};
use crate::gitea::{git, tags};

/// What the hooks say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All may move, but for those with a reason.
    Some(Vec<Option<String>>),
    /// None may; the text is for the person who pushed.
    None(String),
}

/// Judges the commands of a push before anything is stored.
pub(super) fn judge(
    world: &World,
    repo: &Repository,
    guest: &Guest,
    commands: &[Command],
) -> Verdict {
    let for_pulls = |command: &Command| flow::is_for(&command.name);
    // Whoever may read may ask for a pull request.
    if !guest.may_write && !commands.iter().all(for_pulls) {
        return Verdict::None("User permission denied for writing.".into());
    }
    for command in commands {
        if for_pulls(command) && flow::target(world, repo.id, &command.name).is_none() {
            let text = if world.settings.minor() < 26 {
                format!("Unexpected ref: {}", command.name)
            } else {
                "Internal Server Error (no message for end users)".into()
            };
            return Verdict::None(text);
        }
        if let Err(text) = check(world, repo, guest.doer.as_ref(), command) {
            return Verdict::None(text);
        }
    }
    Verdict::Some(commands.iter().map(update).collect())
}

fn check(
    world: &World,
    repo: &Repository,
    doer: Option<&Doer>,
    command: &Command,
) -> Result<(), String> {
    if let Some(branch) = command.name.strip_prefix("refs/heads/")
        && is_zero(&command.to)
        && branch == repo.default_branch
        && !repo.empty
    {
        return Err(format!(
            "branch {branch} is the default branch and cannot be deleted"
        ));
    }
    if let Some(tag) = command.name.strip_prefix("refs/tags/")
        && !tags::may_touch(world, repo.id, doer.map_or(0, |doer| doer.id), tag)
    {
        return Err(format!("Tag {tag} is protected"));
    }
    Ok(())
}

/// Why a single reference may not move.
fn update(command: &Command) -> Option<String> {
    if !git::is_ref_name(&command.name) || !command.name.starts_with("refs/") {
        return Some("funny refname".into());
    }
    command
        .name
        .starts_with("refs/pull/")
        .then(|| "hook declined".into())
}
