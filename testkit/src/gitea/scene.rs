//! What a handler finds prepared: who asks, what the path names, and what may be done with it.

use super::access::{Access, Doer, Mode};
use super::call::Call;
use super::events::Effects;
use super::git::Git;
use super::permission;
use super::reply::Reply;
use super::router::{Place, Route};
use super::scope::Level;
use super::world::{Owner, Repository, Team, World};

mod needs;
mod place;

/// The circumstances of one call.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The request.
    pub call: &'a Call,
    /// The bare repositories.
    pub git: &'a Git,
    /// Who asks; `None` for the anonymous.
    pub doer: Option<Doer>,
    /// The repository of [`Place::Repo`]; else 0.
    pub repo: i64,
    /// What the doer may do with that repository.
    pub access: Access,
    /// The user or organisation of the path, or the owner of its repository or team; else 0.
    pub owner: i64,
    /// The team of [`Place::Team`]; else 0.
    pub team: i64,
    /// What shall happen besides the handler's own change.
    pub effects: Effects,
}

impl<'a> Scene<'a> {
    /// A scene in which nothing was looked up yet.
    #[must_use]
    pub fn new(call: &'a Call, git: &'a Git, doer: Option<Doer>) -> Self {
        Self {
            call,
            git,
            doer,
            repo: 0,
            access: Access::default(),
            owner: 0,
            team: 0,
            effects: Effects::default(),
        }
    }

    /// Checks scopes, looks up the place and checks the needs of a route, in the order of the real one.
    ///
    /// # Errors
    /// The answer that refuses the call.
    pub fn enter(&mut self, world: &World, route: &Route) -> Result<(), Reply> {
        let level = if route.method == "GET" {
            Level::Read
        } else {
            Level::Write
        };
        for categories in route.scopes {
            if let Some(scopes) = self.doer.as_ref().and_then(Doer::scopes)
                && !scopes.covers(categories, level)
            {
                return Err(Reply::error(403, scopes.missing(categories, level)));
            }
        }
        match route.place {
            Place::Nowhere => {}
            Place::Repo => self.find_repo(world)?,
            Place::Org => self.find_org(world)?,
            Place::User => self.find_user(world, route.scopes)?,
            Place::AdminUser => {}
            Place::Team => self.find_team(world)?,
        }
        for need in route.needs {
            self.check(world, *need)?;
        }
        if route.place == Place::AdminUser {
            self.find_user_for_admin(world)?;
        }
        Ok(())
    }

    /// The doer of a route that needs `Need::SignedIn`.
    ///
    /// # Errors
    /// 401 for the anonymous.
    pub fn doer(&self) -> Result<&Doer, Reply> {
        self.doer
            .as_ref()
            .ok_or_else(|| Reply::error(401, "token is required"))
    }

    /// The doer's id; 0 for the anonymous.
    #[must_use]
    pub fn doer_id(&self) -> i64 {
        self.doer.as_ref().map_or(0, |doer| doer.id)
    }

    /// Whether a site administrator asks.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.doer.as_ref().is_some_and(|doer| doer.admin)
    }

    /// The repository of the path.
    ///
    /// # Errors
    /// 404 when the path names none.
    pub fn repository<'w>(&self, world: &'w World) -> Result<&'w Repository, Reply> {
        world.repos.get(self.repo).ok_or_else(Reply::not_found)
    }

    /// The user or organisation of the path.
    ///
    /// # Errors
    /// 404 when the path names none.
    pub fn account<'w>(&self, world: &'w World) -> Result<&'w Owner, Reply> {
        world.owners.get(self.owner).ok_or_else(Reply::not_found)
    }

    /// The team of the path.
    ///
    /// # Errors
    /// 404 when the path names none.
    pub fn team<'w>(&self, world: &'w World) -> Result<&'w Team, Reply> {
        world.teams.get(self.team).ok_or_else(Reply::not_found)
    }

    /// What the doer may do with any repository.
    #[must_use]
    pub fn access_to(&self, world: &World, repo: &Repository) -> Access {
        permission::access(world, self.doer.as_ref(), repo)
    }

    /// 500 with a text that only administrators may read.
    #[must_use]
    pub fn internal(&self, message: &str) -> Reply {
        Reply::internal(message, self.is_admin())
    }

    /// Whether the doer administers the repository of the path.
    #[must_use]
    pub fn is_repo_admin(&self) -> bool {
        self.is_admin() || self.access.mode >= Mode::Admin
    }
}
