//! The checks that stand before a handler, each with the words of its refusal.

use super::{Scene, permission};
use crate::gitea::access::{Doer, Mode, Unit, Via};
use crate::gitea::reply::Reply;
use crate::gitea::router::Need;
use crate::gitea::world::World;

impl Scene<'_> {
    pub(super) fn check(&self, world: &World, need: Need) -> Result<(), Reply> {
        match need {
            Need::SignedIn => self.doer().map(|_| ()),
            Need::BasicAuth => self.check_basic(),
            Need::SiteAdmin => allow(self.is_admin(), 403, "user should be the site admin"),
            Need::SelfOrAdmin => {
                let itself = self.is_admin() || (self.owner != 0 && self.owner == self.doer_id());
                allow(
                    itself,
                    403,
                    "doer should be the site admin or be same as the contextUser",
                )
            }
            Need::NotPublicOnly => {
                let limited = self.doer.as_ref().is_some_and(Doer::public_only);
                allow(
                    !limited,
                    403,
                    "this endpoint is not available for public-only tokens",
                )
            }
            Need::AnyReader => allow(
                self.is_admin() || self.access.any(),
                403,
                "user should have any permission to read repository or permissions of site admin",
            ),
            Need::Reader(units) => allow(
                self.is_repo_admin()
                    || units.iter().any(|unit| self.access.to(*unit) >= Mode::Read),
                403,
                "user should have specific read permission or be a repo admin or a site admin",
            ),
            Need::Writer(units) => allow(
                self.is_repo_admin()
                    || units
                        .iter()
                        .any(|unit| self.access.to(*unit) >= Mode::Write),
                403,
                "user should have a permission to write to a repo",
            ),
            Need::RepoAdmin => allow(
                self.is_repo_admin(),
                403,
                "user should be an owner or a collaborator with admin write of a repository",
            ),
            Need::RepoOwner => allow(
                self.is_admin() || self.access.mode == Mode::Owner,
                403,
                "user should be the owner of the repo",
            ),
            Need::NotArchived => self.check_archived(world),
            Need::HasCommits => self.check_commits(world),
            Need::HasCommitsPlainly => self.check_commits(world).map_err(|_| Reply::not_found()),
            Need::UnitOn(units) => self.check_unit(world, units),
            Need::OrgOwner => {
                let owns = self.is_admin()
                    || permission::owns_organization(world, self.doer_id(), self.owner);
                if !owns && self.team != 0 {
                    return Err(Reply::not_found());
                }
                allow(owns, 403, "Must be an organization owner")
            }
            Need::OrgMember => allow(
                self.is_admin() || permission::is_member(world, self.doer_id(), self.owner),
                403,
                "Must be an organization member",
            ),
            Need::TeamMember => self.check_team(world),
        }
    }

    fn check_basic(&self) -> Result<(), Reply> {
        let with_password = match self.doer.as_ref().map(|doer| &doer.via) {
            Some(Via::Password) => true,
            Some(Via::Token { as_password, .. }) => *as_password,
            Some(Via::Job(_)) | None => false,
        };
        allow(with_password, 401, "auth required")
    }

    fn check_archived(&self, world: &World) -> Result<(), Reply> {
        let repo = self.repository(world)?;
        allow(
            !repo.archived,
            423,
            &format!("{} is archived", permission::full_name(world, repo)),
        )
    }

    fn check_commits(&self, world: &World) -> Result<(), Reply> {
        let repo = self.repository(world)?;
        if repo.empty {
            return Err(Reply::not_found_because("repository is empty"));
        }
        Ok(())
    }

    fn check_unit(&self, world: &World, units: &[Unit]) -> Result<(), Reply> {
        let repo = self.repository(world)?;
        if units.iter().any(|unit| repo.has(*unit)) {
            Ok(())
        } else {
            Err(Reply::not_found())
        }
    }

    fn check_team(&self, world: &World) -> Result<(), Reply> {
        let team = self.team(world)?;
        let doer = self.doer_id();
        if self.is_admin()
            || team.members.contains(&doer)
            || permission::owns_organization(world, doer, team.org)
        {
            return Ok(());
        }
        if permission::is_member(world, doer, team.org) {
            Err(Reply::error(403, "Must be a team member"))
        } else {
            Err(Reply::not_found())
        }
    }
}

fn allow(allowed: bool, status: u16, otherwise: &str) -> Result<(), Reply> {
    if allowed {
        Ok(())
    } else {
        Err(Reply::error(status, otherwise))
    }
}
