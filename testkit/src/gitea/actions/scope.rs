//! What a runner, a secret or a variable belongs to.

use serde::{Deserialize, Serialize};

use crate::gitea::world::World;

/// The whole Gitea, an account, or a repository.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub enum Scope {
    /// Everything.
    #[default]
    Instance,
    /// A user or an organisation with all its repositories.
    Owner(i64),
    /// One repository.
    Repo(i64),
}

impl Scope {
    /// A text that no two scopes share.
    #[must_use]
    pub fn key(self) -> String {
        match self {
            Self::Instance => "i".to_owned(),
            Self::Owner(id) => format!("o{id}"),
            Self::Repo(id) => format!("r{id}"),
        }
    }

    /// All scopes that a repository lies in, the widest first.
    #[must_use]
    pub fn around(world: &World, repo: i64) -> [Self; 3] {
        let owner = world.repos.get(repo).map_or(0, |repo| repo.owner);
        [Self::Instance, Self::Owner(owner), Self::Repo(repo)]
    }

    /// Whether a repository lies in it.
    #[must_use]
    pub fn contains(self, world: &World, repo: i64) -> bool {
        match self {
            Self::Instance => true,
            Self::Owner(owner) => world
                .repos
                .get(repo)
                .is_some_and(|repo| repo.owner == owner),
            Self::Repo(own) => own == repo,
        }
    }

    /// The account's id, 0 where it is none.
    #[must_use]
    pub fn owner_id(self) -> i64 {
        match self {
            Self::Owner(id) => id,
            Self::Instance | Self::Repo(_) => 0,
        }
    }

    /// The repository's id, 0 where it is none.
    #[must_use]
    pub fn repo_id(self) -> i64 {
        match self {
            Self::Repo(id) => id,
            Self::Instance | Self::Owner(_) => 0,
        }
    }
}
