//! Who may see and do what: owners, members, teams, collaborators, visibility.

use super::access::{ACTIONS_USER, Access, Doer, Mode, Unit};
use super::world::{Owner, Repository, Team, Visibility, World};

/// What somebody (or `None`, anybody) may do with a repository.
#[must_use]
pub fn access(world: &World, doer: Option<&Doer>, repo: &Repository) -> Access {
    let Some(doer) = doer else {
        return of_anonymous(world, repo);
    };
    if let Some(grant) = doer.job() {
        return of_job(world, grant.repo, &grant.access, repo);
    }
    if doer.admin {
        return Access::whole(Mode::Owner);
    }
    of_user(world, doer.id, repo)
}

/// What a user may do with a repository, not counting that of site administrators.
#[must_use]
pub fn of_user(world: &World, user: i64, repo: &Repository) -> Access {
    if repo.owner == user {
        return Access::whole(Mode::Owner);
    }
    let Some(owner) = world.owners.get(repo.owner) else {
        return Access::default();
    };
    let restricted = world.owners.get(user).is_some_and(|user| user.restricted);
    let is_member = owner.is_organization() && is_member(world, user, owner.id);
    if !is_member && hides_from(owner, restricted) {
        return Access::default();
    }
    let mut access = Access::whole(collaboration(world, user, repo.id));
    if !repo.private && (is_member || !restricted || owner.visibility == Visibility::Public) {
        access.mode = access.mode.max(Mode::Read);
    }
    for team in teams_of(world, user, owner.id).filter(|team| has_repo(team, repo.id)) {
        if team.mode >= Mode::Admin {
            access.mode = access.mode.max(team.mode);
        }
        for (unit, mode) in &team.units {
            let have = access.units.entry(*unit).or_default();
            *have = (*have).max(*mode);
        }
    }
    access
}

fn of_anonymous(world: &World, repo: &Repository) -> Access {
    let visible = world
        .owners
        .get(repo.owner)
        .is_some_and(|owner| owner.visibility == Visibility::Public);
    if repo.private || !visible {
        Access::default()
    } else {
        Access::whole(Mode::Read)
    }
}

fn of_job(world: &World, own: i64, granted: &Access, repo: &Repository) -> Access {
    if repo.id == own {
        granted.clone()
    } else {
        of_anonymous(world, repo)
    }
}

/// Whether an account stays invisible to a signed-in stranger.
fn hides_from(owner: &Owner, restricted: bool) -> bool {
    match owner.visibility {
        Visibility::Public => false,
        Visibility::Limited => restricted,
        Visibility::Private => owner.is_organization(),
    }
}

/// The right of a user as a collaborator.
#[must_use]
pub fn collaboration(world: &World, user: i64, repo: i64) -> Mode {
    world
        .collaborators
        .find(&format!("{repo}/{user}"))
        .map_or(Mode::None, |found| found.mode)
}

/// Whether a team has a repository.
#[must_use]
pub fn has_repo(team: &Team, repo: i64) -> bool {
    team.all_repos || team.repos.contains(&repo)
}

/// The teams of an organisation that a user is in.
pub fn teams_of(world: &World, user: i64, org: i64) -> impl Iterator<Item = &Team> {
    world
        .teams
        .of(org)
        .map(|(_, team)| team)
        .filter(move |team| team.members.contains(&user))
}

/// Whether a user is in some team of an organisation.
#[must_use]
pub fn is_member(world: &World, user: i64, org: i64) -> bool {
    teams_of(world, user, org).next().is_some()
}

/// Whether a user is in a team of owners of an organisation.
#[must_use]
pub fn owns_organization(world: &World, user: i64, org: i64) -> bool {
    teams_of(world, user, org).any(|team| team.mode == Mode::Owner)
}

/// Whether somebody may see an account.
#[must_use]
pub fn sees_owner(world: &World, doer: Option<&Doer>, owner: &Owner) -> bool {
    let Some(doer) = doer else {
        return owner.visibility == Visibility::Public;
    };
    if doer.admin || doer.id == owner.id {
        return true;
    }
    if owner.is_organization() && is_member(world, doer.id, owner.id) {
        return true;
    }
    let restricted = world
        .owners
        .get(doer.id)
        .is_some_and(|user| user.restricted);
    match owner.visibility {
        Visibility::Public => true,
        Visibility::Limited => !restricted && doer.id != ACTIONS_USER,
        Visibility::Private => false,
    }
}

/// `owner/name`.
#[must_use]
pub fn full_name(world: &World, repo: &Repository) -> String {
    format!(
        "{}/{}",
        world
            .owners
            .get(repo.owner)
            .map_or("", |owner| owner.login.as_str()),
        repo.name
    )
}

/// Whether a doer may write one unit of a repository.
#[must_use]
pub fn can_write(world: &World, doer: Option<&Doer>, repo: &Repository, unit: Unit) -> bool {
    access(world, doer, repo).to(unit) >= Mode::Write
}
