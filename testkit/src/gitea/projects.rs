//! Making and removing repositories, records and folders alike.

use std::collections::{BTreeMap, BTreeSet};

use super::access::{Mode, Unit};
use super::events::{Effects, Event, RepositoryEvent};
use super::git::Git;
use super::world::{MergeRules, References, Repository, World};
use super::{actions, api, hooks, permission};

/// Names that no repository may have.
const RESERVED: [&str; 3] = [".", "-", ".."];
/// Endings that no repository's name may have.
const ENDINGS: [&str; 4] = [".git", ".wiki", ".rss", ".atom"];

/// Why a name cannot be had by any repository, in the API's words.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let lower = name.to_lowercase();
    if RESERVED.contains(&lower.as_str()) || lower.contains("..") {
        return Err(format!("name is reserved [name: {name}]"));
    }
    match ENDINGS.iter().find(|ending| lower.ends_with(**ending)) {
        Some(ending) => Err(format!("name pattern is not allowed [pattern: *{ending}]")),
        None => Ok(()),
    }
}

/// The units that are on in a new repository.
#[must_use]
pub fn usual_units() -> BTreeSet<Unit> {
    [
        Unit::Code,
        Unit::Issues,
        Unit::Pulls,
        Unit::Releases,
        Unit::Wiki,
        Unit::Projects,
        Unit::Packages,
        Unit::Actions,
    ]
    .into()
}

/// A new record with everything at its default.
#[must_use]
pub fn blank(id: i64, owner: i64, name: &str, branch: &str, now: i64) -> Repository {
    Repository {
        id,
        owner,
        name: name.to_owned(),
        description: String::new(),
        website: String::new(),
        private: false,
        template: false,
        archived: false,
        archived_at: 0,
        empty: true,
        default_branch: branch.to_owned(),
        fork_of: None,
        generated_from: None,
        mirror: None,
        original_url: String::new(),
        units: usual_units(),
        merge: MergeRules::default(),
        trust_model: String::new(),
        projects_mode: "all".into(),
        topics: Vec::new(),
        licenses: Vec::new(),
        extra: BTreeMap::new(),
        created: now,
        updated: now,
        size: 0,
        transfer: None,
        last_index: 0,
    }
}

/// Adds a repository: its record, its folder and its watchers. The name was checked and is free.
pub(crate) fn create(
    world: &mut World,
    git: &Git,
    doer: i64,
    owner: i64,
    name: &str,
    change: impl FnOnce(&mut Repository),
) -> Result<i64, super::git::Error> {
    let (now, branch) = (world.now(), world.settings.default_branch.clone());
    let edits_by_default = world.settings.minor() >= 26;
    let id = world.repos.insert(|id| {
        let mut repo = blank(id, owner, name, &branch, now);
        repo.merge.allow_maintainer_edit = edits_by_default;
        change(&mut repo);
        repo
    });
    let old = Repository::index_of(owner, name);
    world
        .repo_redirects
        .find_id(&old)
        .map(|id| world.repo_redirects.remove(id));
    world.references.put(id, References::default());
    let branch = world
        .repos
        .get(id)
        .map(|repo| repo.default_branch.clone())
        .unwrap_or(branch);
    if let Err(error) = git.init(id, &branch) {
        world.repos.remove(id);
        world.references.remove(id);
        return Err(error);
    }
    for watcher in watchers(world, doer, owner) {
        world
            .owners
            .update(watcher, |user| user.watching.insert(id));
    }
    Ok(id)
}

/// Who watches a new repository: its maker, and the members of its organisation who may see it.
fn watchers(world: &World, doer: i64, owner: i64) -> BTreeSet<i64> {
    let mut watchers = BTreeSet::from([doer]);
    match world.owners.get(owner) {
        Some(org) if org.is_organization() => {
            watchers.extend(
                world
                    .teams
                    .of(owner)
                    .filter(|(_, team)| team.all_repos)
                    .flat_map(|(_, team)| team.members.iter().copied()),
            );
        }
        _ => {
            watchers.insert(owner);
        }
    }
    watchers.retain(|id| *id > 0);
    watchers
}

/// Tells that a repository came or goes.
pub(crate) fn announce(
    world: &World,
    repo: i64,
    action: &'static str,
    doer: i64,
    effects: &mut Effects,
) {
    let Some(found) = world.repos.get(repo) else {
        return;
    };
    let base = world.settings.root_url.clone();
    let body = api::repos::view(
        world,
        &base,
        None,
        found,
        &super::access::Access::whole(Mode::Owner),
    );
    let event = RepositoryEvent {
        action,
        repo,
        body,
        owner: found.owner,
        doer,
        mode: Mode::Owner,
    };
    effects.events.push(Event::Repository(event));
}

/// Removes a repository with all that belongs to it; its folder goes when that is stored.
pub(crate) fn remove(world: &mut World, id: i64, doer: i64, effects: &mut Effects) {
    announce(world, id, "deleted", doer, effects);
    let releases: Vec<i64> = world.releases.of(id).map(|(release, _)| release).collect();
    for release in releases {
        world.attachments.remove_group(release);
    }
    world.releases.remove_group(id);
    world.statuses.remove_group(id);
    world.collaborators.remove_group(id);
    world.deploy_keys.remove_group(id);
    world.tag_protections.remove_group(id);
    world.branch_protections.remove_group(id);
    let issues: Vec<i64> = world.issues.of(id).map(|(issue, _)| issue).collect();
    for issue in issues {
        world.comments.remove_group(issue);
        world.reviews.remove_group(issue);
    }
    world.issues.remove_group(id);
    world.labels.remove_group(id);
    world.milestones.remove_group(id);
    world.repo_redirects.remove_group(id);
    world.references.remove(id);
    let forks: Vec<i64> = world
        .repos
        .iter()
        .filter(|(_, repo)| repo.fork_of == Some(id))
        .map(|(fork, _)| fork)
        .collect();
    for fork in forks {
        world.repos.update(fork, |repo| repo.fork_of = None);
    }
    let touched: Vec<i64> = world
        .owners
        .iter()
        .filter(|(_, user)| user.watching.contains(&id) || user.starred.contains(&id))
        .map(|(user, _)| user)
        .collect();
    for user in touched {
        world.owners.update(user, |user| {
            (user.watching.remove(&id), user.starred.remove(&id))
        });
    }
    let teams: Vec<i64> = world
        .teams
        .iter()
        .filter(|(_, team)| team.repos.contains(&id))
        .map(|(team, _)| team)
        .collect();
    for team in teams {
        world.teams.update(team, |team| team.repos.remove(&id));
    }
    actions::forget_repository(world, id);
    hooks::forget_repository(world, id);
    world.repos.remove(id);
    effects.remove_folders.push(id);
}

/// Everybody who may see and be assigned in a repository: owner, collaborators, members with a right to write.
#[must_use]
pub fn people(world: &World, repo: &Repository, least: Mode) -> BTreeSet<i64> {
    let users = world
        .owners
        .iter()
        .filter(|(_, owner)| !owner.is_organization())
        .map(|(id, _)| id);
    users
        .filter(|id| {
            let access = permission::of_user(world, *id, repo);
            access
                .to(Unit::Code)
                .max(access.to(Unit::Pulls))
                .max(access.to(Unit::Issues))
                >= least
                && (least > Mode::Read || access.mode > Mode::None)
        })
        .collect()
}
