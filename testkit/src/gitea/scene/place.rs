//! Finding what a path names, with the redirections of what was renamed.

use super::{Scene, permission};
use crate::gitea::access::Doer;
use crate::gitea::reply::Reply;
use crate::gitea::scope::Category;
use crate::gitea::world::{Owner, World};

impl Scene<'_> {
    pub(super) fn find_repo(&mut self, world: &World) -> Result<(), Reply> {
        let (name, repo_name) = (self.call.param("owner"), self.call.param("repo"));
        let Some((owner, _)) = world.owner(name) else {
            return Err(self
                .moved_owner(world, name)
                .unwrap_or_else(|| Reply::not_found_in("GetUserByName", no_redirect(name))));
        };
        let Some((id, repo)) = world.repo_of(owner, repo_name) else {
            return Err(self
                .moved_repo(world, owner, repo_name)
                .unwrap_or_else(Reply::not_found));
        };
        let access = permission::access(world, self.doer.as_ref(), repo);
        if !access.any() || (repo.private && self.doer.as_ref().is_some_and(Doer::public_only)) {
            return Err(Reply::not_found());
        }
        (self.repo, self.owner, self.access) = (id, owner, access);
        Ok(())
    }

    pub(super) fn find_org(&mut self, world: &World) -> Result<(), Reply> {
        let name = self.call.param("org");
        match world.owner(name) {
            Some((id, owner)) if owner.is_organization() => self.owner = id,
            Some(_) => return Err(Reply::not_found_in("GetOrgByName", no_redirect(name))),
            None => {
                return Err(self
                    .moved_owner(world, name)
                    .unwrap_or_else(|| Reply::not_found_in("GetOrgByName", no_redirect(name))));
            }
        }
        self.check_public_only(world, Category::Organization)
    }

    pub(super) fn find_user(&mut self, world: &World, scopes: &[&[Category]]) -> Result<(), Reply> {
        let name = self.call.param("username");
        match world.owner(name) {
            Some((id, _)) => self.owner = id,
            None => {
                return Err(self
                    .moved_owner(world, name)
                    .unwrap_or_else(|| Reply::error(404, no_redirect(name))));
            }
        }
        self.check_individual(world)?;
        let category = if scopes
            .iter()
            .any(|group| group.contains(&Category::Package))
        {
            Category::Package
        } else {
            Category::User
        };
        self.check_public_only(world, category)
    }

    /// A user who hides answers as if there were none.
    fn check_individual(&self, world: &World) -> Result<(), Reply> {
        let limited = self.doer.as_ref().is_some_and(Doer::public_only);
        match world.owners.get(self.owner) {
            Some(user)
                if !user.is_organization()
                    && !limited
                    && !permission::sees_owner(world, self.doer.as_ref(), user) =>
            {
                Err(Reply::not_found_in_none("Visit Project"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn find_user_for_admin(&mut self, world: &World) -> Result<(), Reply> {
        let name = self.call.param("username");
        match world.owner(name) {
            Some((id, _)) => self.owner = id,
            None => {
                return Err(self
                    .moved_owner(world, name)
                    .unwrap_or_else(|| Reply::error(404, no_redirect(name))));
            }
        }
        Ok(())
    }

    pub(super) fn find_team(&mut self, world: &World) -> Result<(), Reply> {
        let team = self
            .call
            .id("id")
            .and_then(|id| world.teams.get(id))
            .ok_or_else(Reply::not_found)?;
        (self.team, self.owner) = (team.id, team.org);
        self.check_public_only(world, Category::Organization)
    }

    fn check_public_only(&self, world: &World, category: Category) -> Result<(), Reply> {
        let is_limited = self.doer.as_ref().is_some_and(Doer::public_only);
        let is_public = world
            .owners
            .get(self.owner)
            .is_some_and(|owner| owner.visibility == crate::gitea::world::Visibility::Public);
        if is_limited && !is_public {
            let what = match category {
                Category::Organization => "orgs",
                Category::Package => "packages",
                _ => "users",
            };
            return Err(Reply::error(
                403,
                format!("token scope is limited to public {what}"),
            ));
        }
        Ok(())
    }

    /// 307 to the same path with the new name, if somebody once had the old one.
    fn moved_owner(&self, world: &World, name: &str) -> Option<Reply> {
        let redirect = world.redirects.find(&name.to_lowercase())?;
        let Some(owner) = world.owners.get(redirect.owner) else {
            return Some(Reply::text(404, "user does not exist\n"));
        };
        if !permission::sees_owner(world, self.doer.as_ref(), owner) {
            return Some(Reply::text(404, "user does not exist\n"));
        }
        Some(self.moved(307, name, owner))
    }

    fn moved_repo(&self, world: &World, owner: i64, name: &str) -> Option<Reply> {
        let old = crate::gitea::world::Repository::index_of(owner, name);
        let repo = world
            .repo_redirects
            .find(&old)
            .and_then(|redirect| world.repos.get(redirect.repo))?;
        let owner = world.owners.get(repo.owner)?;
        let prefix = self.call.path.find("/repos/")? + "/repos/".len();
        let rest = self.call.path[prefix..]
            .splitn(3, '/')
            .nth(2)
            .map(|rest| format!("/{rest}"))
            .unwrap_or_default();
        let target = format!(
            "{}{}/{}{rest}",
            &self.call.path[..prefix],
            owner.login,
            repo.name
        );
        Some(self.moved_to(301, &target))
    }

    fn moved(&self, status: u16, old: &str, owner: &Owner) -> Reply {
        let parts = self.call.path.split('/').map(|part| {
            if part.eq_ignore_ascii_case(old) {
                owner.login.as_str()
            } else {
                part
            }
        });
        let target = parts.collect::<Vec<_>>().join("/");
        self.moved_to(status, &target)
    }

    fn moved_to(&self, status: u16, target: &str) -> Reply {
        let query: Vec<String> = self
            .call
            .query
            .iter()
            .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
            .collect();
        let target = if query.is_empty() {
            target.to_owned()
        } else {
            format!("{target}?{}", query.join("&"))
        };
        let word = if status == 301 {
            "Moved Permanently"
        } else {
            "Temporary Redirect"
        };
        let reply = match self.call.method.as_str() {
            "GET" | "HEAD" => Reply::bytes(
                status,
                "text/html; charset=utf-8",
                format!(
                    "<a href=\"{}\">{word}</a>.\n\n",
                    target.replace('&', "&amp;")
                ),
            ),
            _ => Reply::empty(status),
        };
        reply.with_header("location", target)
    }
}

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The text for a name that nobody has and nobody had.
fn no_redirect(name: &str) -> String {
    format!("user redirect does not exist [name: {name}]")
}
