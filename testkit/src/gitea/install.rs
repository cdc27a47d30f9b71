//! The first and every later start: the administrator, the key for secrets, and records that agree with git.

use super::access::ACTIONS_USER;
use super::api::add_token;
use super::events::{Effects, PushedBy, ZERO_ID};
use super::git::Move;
use super::scope::Scopes;
use super::world::World;
use super::{Gitea, owners, pushes};

/// Hands in the key with which secrets are encrypted at rest.
#[cfg(feature = "server")]
pub(crate) fn set_key(world: &mut World, key: [u8; 32]) {
    world.actions.key = super::actions::VaultKey::from(key);
}

impl Gitea {
    /// Makes the administrator of an empty Gitea, and answers the password and an access token.
    #[must_use]
    pub fn install(&self, user: &str, email: &str) -> (String, String) {
        let (made, receipt) = self.write(|world, _, _| {
            let password = world.random.letters(24);
            let hash = owners::hash(world, &password);
            let id = owners::create_user(world, user, email, |root| {
                root.admin = true;
                root.password = hash;
            });
            let token = add_token(world, id, "root", Scopes::all());
            (password, token)
        });
        // The caller keeps the credentials in a file; without the rows they open nothing, and the
        // next start finds neither and makes both anew.
        let _ = receipt.stored_blocking_anywhere();
        made
    }

    /// The instance's registration token for runners.
    #[must_use]
    pub fn runner_token(&self) -> String {
        let (token, _) = self.write(|world, _, _| {
            super::runners::registration_token(world, super::actions::Scope::Instance)
        });
        token
    }

    /// Makes records and repositories agree after a crash.
    ///
    /// What git says about references counts: a reference that moved without its record gets the record
    /// and its event now. A record without a folder is taken away, and so is a folder without a record.
    pub fn recover(&self) {
        let (_, receipt) = self.write(|world, git, effects| {
            let repos: Vec<i64> = world.repos.iter().map(|(id, _)| id).collect();
            for repo in &repos {
                recover_repository(world, git, *repo, effects);
            }
            remove_strangers(git, &repos);
        });
        let _ = receipt.stored_blocking_anywhere();
    }
}

fn recover_repository(world: &mut World, git: &super::Git, repo: i64, effects: &mut Effects) {
    let Ok(found) = git.references(repo) else {
        // The record was stored and its folder was not made, or is already gone: nobody was told of it.
        super::projects::remove(world, repo, ACTIONS_USER, effects);
        return;
    };
    let known = world.references.get(repo).cloned().unwrap_or_default();
    let mut moves: Vec<Move> = Vec::new();
    for (name, id) in &found {
        let from = known.ids.get(name).map_or(ZERO_ID, String::as_str);
        if from != id && git.object(repo, id).is_ok() {
            moves.push(Move {
                name: name.clone(),
                from: from.to_owned(),
                to: id.clone(),
            });
        }
    }
    let gone = known
        .ids
        .iter()
        .filter(|(name, _)| !found.contains_key(*name));
    moves.extend(gone.map(|(name, id)| Move {
        name: name.clone(),
        from: id.clone(),
        to: ZERO_ID.into(),
    }));
    for step in moves {
        let owner = world
            .repos
            .get(repo)
            .map_or(ACTIONS_USER, |repo| repo.owner);
        pushes::record(world, git, repo, &step, owner, PushedBy::Recovery, effects);
    }
    git.remove_leftovers(repo);
}

/// Folders whose records are gone: a deletion was stored, and then came the crash.
fn remove_strangers(git: &super::Git, repos: &[i64]) {
    let Ok(entries) = std::fs::read_dir(git.root()) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let id = entry
            .file_name()
            .to_string_lossy()
            .strip_suffix(".git")
            .and_then(|id| id.parse::<i64>().ok());
        if let Some(id) = id.filter(|id| !repos.contains(id)) {
            git.remove(id);
        }
    }
}
