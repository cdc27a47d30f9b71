//! Commits made by the API: real ones, by the people who asked.

use super::events::{Effects, PushedBy, ZERO_ID};
use super::git::{Commit, Error, Git, Kind, Move, Person, RefError};
use super::pushes;
use super::reply::Reply;
use super::world::World;

/// A commit that is to be made.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// Its tree.
    pub tree: String,
    /// Its parents.
    pub parents: Vec<String>,
    /// Who wrote it.
    pub author: Person,
    /// Who commits it.
    pub committer: Person,
    /// The whole message, with a newline at its end.
    pub message: String,
}

/// A user as the author of a commit made now.
pub(crate) fn person_of(world: &World, user: i64) -> Person {
    let (name, email) = match world.owners.get(user) {
        Some(owner) => {
            let name = if owner.full_name.is_empty() {
                owner.login.clone()
            } else {
                owner.full_name.clone()
            };
            let email = if owner.hide_email {
                super::api::users::hidden_email(world, owner)
            } else {
                owner.email.clone()
            };
            (name, email)
        }
        None => ("Gitea Actions".to_owned(), "teabot@gitea.io".to_owned()),
    };
    Person {
        name: clean(&name),
        email: clean(&email),
        seconds: world.now(),
        offset: 0,
    }
}

/// A name or address without what git cannot keep in one.
pub(crate) fn clean(text: &str) -> String {
    let text: String = text
        .chars()
        .filter(|letter| !"<>\n\0".contains(*letter))
        .collect();
    text.trim_matches(|letter: char| letter.is_whitespace() || ".,:;\"'\\".contains(letter))
        .to_owned()
}

/// Stores a commit and answers its id.
pub(crate) fn store(git: &Git, repo: i64, draft: &Draft) -> Result<String, Error> {
    let commit = Commit {
        id: String::new(),
        tree: draft.tree.clone(),
        parents: draft.parents.clone(),
        author: draft.author.clone(),
        committer: draft.committer.clone(),
        signature: None,
        message: draft.message.clone(),
    };
    git.store(repo, Kind::Commit, &commit.written())
}

/// Moves a branch to a commit; `from` is where it is now, `None` for a new one.
#[expect(
    clippy::too_many_arguments,
    reason = "the place, the move and who does it, each once"
)]
pub(crate) fn move_branch(
    world: &mut World,
    git: &Git,
    repo: i64,
    branch: &str,
    from: Option<&str>,
    to: &str,
    doer: i64,
    effects: &mut Effects,
) -> Result<(), Reply> {
    let step = Move {
        name: format!("refs/heads/{branch}"),
        from: from.unwrap_or(ZERO_ID).to_owned(),
        to: to.to_owned(),
    };
    pushes::move_reference(world, git, repo, &step, doer, PushedBy::Api, effects)
        .map_err(|error| refusal(&error))
}

/// The answer for a reference that did not move.
pub(crate) fn refusal(error: &RefError) -> Reply {
    match error {
        RefError::Stale(_) => Reply::error(409, "branch has moved meanwhile"),
        RefError::Clash { name, other } => {
            let short = |name: &str| name.trim_start_matches("refs/heads/").to_owned();
            Reply::error(
                409,
                format!(
                    "branch already exists [name: {}] clashes with {}",
                    short(name),
                    short(other)
                ),
            )
        }
        RefError::Write(_) => Reply::error(500, ""),
    }
}
