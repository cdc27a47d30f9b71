//! Making, renaming and removing users and organisations.

use super::access::{Mode, UNITS};
use super::events::Effects;
use super::world::{EmailAddress, Owner, OwnerKind, Redirect, Team, World};
use super::{actions, hooks, password, projects};

/// Names that nobody may have.
const RESERVED: [&str; 35] = [
    ".",
    "..",
    ".well-known",
    "api",
    "assets",
    "attachments",
    "avatar",
    "avatars",
    "captcha",
    "commits",
    "debug",
    "devtest",
    "explore",
    "favicon.ico",
    "ghost",
    "issues",
    "login",
    "manifest.json",
    "metrics",
    "milestones",
    "notifications",
    "org",
    "pulls",
    "repo",
    "repo-avatars",
    "robots.txt",
    "search",
    "serviceworker.js",
    "ssh_info",
    "swagger.v1.json",
    "user",
    "v2",
    "gitea-actions",
    "raw",
    "robots",
];
/// Endings that no user's name may have.
const ENDINGS: [&str; 5] = [".keys", ".gpg", ".rss", ".atom", ".png"];

/// Why a name cannot be had, in the API's words.
pub(crate) fn check_name(world: &World, name: &str) -> Result<(), String> {
    check_free(name)?;
    if world.owner(name).is_some() {
        return Err(format!("user already exists [name: {name}]"));
    }
    Ok(())
}

fn check_free(name: &str) -> Result<(), String> {
    let lower = name.to_lowercase();
    if RESERVED.contains(&lower.as_str()) {
        return Err(format!("name is reserved [name: {name}]"));
    }
    match ENDINGS.iter().find(|ending| lower.ends_with(**ending)) {
        Some(ending) => Err(format!("name pattern is not allowed [pattern: *{ending}]")),
        None => Ok(()),
    }
}

/// Why an address cannot be had.
pub(crate) fn check_email(world: &World, email: &str, except: i64) -> Result<(), String> {
    if email.starts_with('-') {
        return Err(format!("e-mail invalid [email: {email}]"));
    }
    match world.emails.find(&email.to_lowercase()) {
        Some(have) if have.user != except => Err(format!("e-mail already in use [email: {email}]")),
        _ => Ok(()),
    }
}

/// Adds a user with a mail address; names and addresses were checked.
pub(crate) fn create_user(
    world: &mut World,
    login: &str,
    email: &str,
    change: impl FnOnce(&mut Owner),
) -> i64 {
    let now = world.now();
    world
        .redirects
        .find_id(&login.to_lowercase())
        .map(|id| world.redirects.remove(id));
    let id = world.owners.insert(|id| {
        let mut user = Owner::new(id, OwnerKind::User, login, now);
        user.email = email.to_owned();
        change(&mut user);
        user
    });
    world.emails.insert(|_| EmailAddress {
        user: id,
        email: email.to_owned(),
        verified: true,
        primary: true,
    });
    id
}

/// The hashed form of a new password.
pub(crate) fn hash(world: &mut World, given: &str) -> String {
    let salt = world.random.block();
    password::hashed(given, &salt[..16])
}

/// Adds an organisation with its team of owners; the name was checked.
pub(crate) fn create_organization(
    world: &mut World,
    login: &str,
    doer: i64,
    change: impl FnOnce(&mut Owner),
) -> i64 {
    let now = world.now();
    world
        .redirects
        .find_id(&login.to_lowercase())
        .map(|id| world.redirects.remove(id));
    let id = world.owners.insert(|id| {
        let mut org = Owner::new(id, OwnerKind::Organization, login, now);
        change(&mut org);
        org
    });
    world.teams.insert(|team| Team {
        id: team,
        org: id,
        name: "Owners".into(),
        description: String::new(),
        mode: Mode::Owner,
        units: UNITS.into_iter().map(|unit| (unit, Mode::Owner)).collect(),
        all_repos: true,
        can_create_repos: true,
        members: [doer].into(),
        repos: Default::default(),
    });
    id
}

/// Gives an account another name; the old one redirects until somebody takes it.
pub(crate) fn rename(world: &mut World, id: i64, new: &str) -> Result<(), String> {
    let old = world
        .owners
        .get(id)
        .map(|owner| owner.login.clone())
        .unwrap_or_default();
    if old.eq_ignore_ascii_case(new) {
        world
            .owners
            .update(id, |owner| owner.login = new.to_owned());
        return Ok(());
    }
    check_name(world, new)?;
    world
        .redirects
        .find_id(&new.to_lowercase())
        .map(|id| world.redirects.remove(id));
    world
        .owners
        .update(id, |owner| owner.login = new.to_owned());
    world.redirects.insert(|_| Redirect {
        name: old.to_lowercase(),
        owner: id,
    });
    Ok(())
}

/// Removes an account with all that is only its own; that it may go was checked.
pub(crate) fn remove(world: &mut World, id: i64, doer: i64, effects: &mut Effects) {
    let repos: Vec<i64> = world.repos.of(id).map(|(repo, _)| repo).collect();
    for repo in repos {
        projects::remove(world, repo, doer, effects);
    }
    world.emails.remove_group(id);
    world.tokens.remove_group(id);
    world.applications.remove_group(id);
    world.keys.remove_group(id);
    world.teams.remove_group(id);
    let teams: Vec<i64> = world
        .teams
        .iter()
        .filter(|(_, team)| team.members.contains(&id))
        .map(|(team, _)| team)
        .collect();
    for team in teams {
        world.teams.update(team, |team| team.members.remove(&id));
    }
    let collaborations: Vec<i64> = world
        .collaborators
        .iter()
        .filter(|(_, row)| row.user == id)
        .map(|(row, _)| row)
        .collect();
    for row in collaborations {
        world.collaborators.remove(row);
    }
    actions::forget_owner(world, id);
    hooks::forget_owner(world, id);
    world.owners.remove(id);
}

/// The organisations a user belongs to.
pub(crate) fn organizations_of(world: &World, user: i64) -> Vec<i64> {
    let mut orgs: Vec<i64> = world
        .teams
        .iter()
        .filter(|(_, team)| team.members.contains(&user))
        .map(|(_, team)| team.org)
        .collect();
    orgs.sort_unstable();
    orgs.dedup();
    orgs
}

/// Takes a user out of all teams of an organisation.
///
/// # Errors
/// When the organisation would be left without an owner.
pub(crate) fn leave(world: &mut World, org: i64, user: i64) -> Result<(), String> {
    let teams: Vec<(i64, bool)> = world
        .teams
        .of(org)
        .filter(|(_, team)| team.members.contains(&user))
        .map(|(id, team)| (id, team.mode == Mode::Owner && team.members.len() == 1))
        .collect();
    if teams.iter().any(|(_, last)| *last) {
        return Err(format!(
            "user is the last member of owner team [uid: {user}]"
        ));
    }
    for (team, _) in teams {
        world.teams.update(team, |team| team.members.remove(&user));
    }
    world
        .owners
        .update(org, |org| org.public_members.remove(&user));
    Ok(())
}
