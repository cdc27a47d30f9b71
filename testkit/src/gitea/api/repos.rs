//! Repositories: how they are shown, listed, found, changed and deleted.

use serde_json::{Value, json};

use crate::gitea::access::{Access, Doer, Mode, Unit};
use crate::gitea::api::users::{self, View};
use crate::gitea::clock::{ZERO, rfc3339};
use crate::gitea::page::listed;
use crate::gitea::permission;
use crate::gitea::projects;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::{Repository, World};

pub(crate) mod copies;
pub(crate) mod create;
pub(crate) mod edit;
mod search;

pub(super) const REPO: &[&[Category]] = &[&[Category::Repository]];
const OWN: &[&[Category]] = &[&[Category::User], &[Category::Repository]];

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/repos/search",
        place: Place::Nowhere,
        scopes: REPO,
        needs: &[],
        run: Run::Read(search::search),
    },
    Route {
        method: "GET",
        path: "/user/repos",
        place: Place::Nowhere,
        scopes: OWN,
        needs: &[Need::SignedIn],
        run: Run::Read(list_own),
    },
    Route {
        method: "GET",
        path: "/users/{username}/repos",
        place: Place::User,
        scopes: OWN,
        needs: &[],
        run: Run::Read(list_of_owner),
    },
    Route {
        method: "GET",
        path: "/users/{username}/starred",
        place: Place::User,
        scopes: OWN,
        needs: &[],
        run: Run::Read(starred),
    },
    Route {
        method: "GET",
        path: "/users/{username}/subscriptions",
        place: Place::User,
        scopes: OWN,
        needs: &[],
        run: Run::Read(watched),
    },
    Route {
        method: "GET",
        path: "/orgs/{org}/repos",
        place: Place::Org,
        scopes: &[&[Category::Organization]],
        needs: &[],
        run: Run::Read(list_of_owner),
    },
    Route {
        method: "GET",
        path: "/repositories/{id}",
        place: Place::Nowhere,
        scopes: REPO,
        needs: &[],
        run: Run::Read(by_id),
    },
    Route {
        method: "GET",
        path: "/repos/{owner}/{repo}",
        place: Place::Repo,
        scopes: REPO,
        needs: &[Need::AnyReader],
        run: Run::Read(get),
    },
    Route {
        method: "DELETE",
        path: "/repos/{owner}/{repo}",
        place: Place::Repo,
        scopes: REPO,
        needs: &[Need::SignedIn, Need::RepoOwner],
        run: Run::Write(delete),
    },
];

/// A repository as the API answers it to somebody with this right to it.
#[must_use]
pub fn view(
    world: &World,
    base: &str,
    doer: Option<&Doer>,
    repo: &Repository,
    access: &Access,
) -> Value {
    view_with_parent(world, base, doer, repo, access, true)
}

/// Takes away what came with 1.26.
fn without_news(world: &World, body: &mut Value) {
    if world.settings.minor() < 26
        && let Some(members) = body.as_object_mut()
    {
        members.remove("branch_count");
    }
}

/// How many issues, or how many pull requests, are open.
fn open_issues(world: &World, repo: i64, are_pulls: bool) -> usize {
    let all = world.issues.of(repo).map(|(_, issue)| issue);
    all.filter(|issue| issue.closed == 0 && issue.pull.is_some() == are_pulls)
        .count()
}

fn view_with_parent(
    world: &World,
    base: &str,
    doer: Option<&Doer>,
    repo: &Repository,
    access: &Access,
    with_parent: bool,
) -> Value {
    let owner = world.owners.get(repo.owner);
    let full_name = permission::full_name(world, repo);
    let owner_view = owner.map_or(Value::Null, |owner| {
        users::user(world, base, owner, View::by_mode(access.mode))
    });
    let host = base
        .split_once("://")
        .map_or(base, |(_, rest)| rest)
        .split(':')
        .next()
        .unwrap_or_default();
    let internal = !repo.private
        && owner.is_some_and(|owner| owner.visibility == crate::gitea::world::Visibility::Private);
    let branches = world
        .references
        .get(repo.id)
        .map_or(0, |references| references.below("refs/heads/").count());
    let mut body = json!({
        "id": repo.id,
        "owner": owner_view,
        "name": repo.name,
        "full_name": full_name,
        "description": repo.description,
        "empty": repo.empty,
        "private": repo.private,
        "fork": repo.fork_of.is_some(),
        "template": repo.template,
        "mirror": repo.mirror.is_some(),
        "size": repo.size,
        "language": "",
        "languages_url": format!("{base}/api/v1/repos/{full_name}/languages"),
        "html_url": format!("{base}/{full_name}"),
        "url": format!("{base}/api/v1/repos/{full_name}"),
        "link": "",
        "ssh_url": format!("git@{host}:{full_name}.git"),
        "clone_url": format!("{base}/{full_name}.git"),
        "original_url": repo.original_url,
        "website": repo.website,
        "stars_count": world.owners.iter().filter(|(_, user)| user.starred.contains(&repo.id)).count(),
        "forks_count": world.repos.iter().filter(|(_, other)| other.fork_of == Some(repo.id)).count(),
        "watchers_count": world.owners.iter().filter(|(_, user)| user.watching.contains(&repo.id)).count(),
        "branch_count": branches,
        "open_issues_count": open_issues(world, repo.id, false),
        "open_pr_counter": open_issues(world, repo.id, true),
        "release_counter": world.releases.of(repo.id).filter(|(_, release)| !release.draft).count(),
        "default_branch": repo.default_branch,
        "archived": repo.archived,
        "created_at": rfc3339(repo.created),
        "updated_at": rfc3339(repo.updated),
        "archived_at": rfc3339(repo.archived_at),
        "permissions": {
            "admin": access.mode >= Mode::Admin,
            "push": access.to(Unit::Code) >= Mode::Write,
            "pull": access.any(),
        },
    });
    if with_parent && let Some(parent) = repo.fork_of.and_then(|id| world.repos.get(id)) {
        body["parent"] = view_with_parent(world, base, doer, parent, access, false);
    }
    without_news(world, &mut body);
    add_units(&mut body, repo);
    add_rest(&mut body, repo, internal);
    if let Some(transfer) = &repo.transfer {
        let person = |id| users::user_by_id(world, base, id, View::of(doer, id));
        body["repo_transfer"] = json!({ "doer": person(transfer.doer), "recipient": person(transfer.recipient), "teams": transfer.teams });
    }
    body
}

fn add_rest(body: &mut Value, repo: &Repository, internal: bool) {
    let mirror_interval = repo
        .mirror
        .as_ref()
        .map_or_else(String::new, |(_, seconds)| go_duration(*seconds));
    let rest = json!({
        "avatar_url": "",
        "internal": internal,
        "mirror_interval": mirror_interval,
        "object_format_name": "sha1",
        "mirror_updated": repo.mirror.as_ref().map_or_else(|| ZERO.to_owned(), |_| rfc3339(repo.updated)),
        "topics": repo.topics,
        "licenses": repo.licenses,
    });
    merge(body, rest);
}

fn add_units(body: &mut Value, repo: &Repository) {
    let (rules, pulls) = (&repo.merge, repo.has(Unit::Pulls));
    let mut units = json!({ "has_code": repo.has(Unit::Code), "has_issues": repo.has(Unit::Issues) || repo.has(Unit::ExternalTracker) });
    if repo.has(Unit::Issues) {
        let usual = json!({ "enable_time_tracker": true, "allow_only_contributors_to_track_time": true, "enable_issue_dependencies": true });
        units["internal_tracker"] = repo.extra.get("internal_tracker").cloned().unwrap_or(usual);
    }
    for name in ["external_tracker", "external_wiki"] {
        if let Some(value) = repo.extra.get(name) {
            units[name] = value.clone();
        }
    }
    let more = json!({
        "has_wiki": repo.has(Unit::Wiki) || repo.has(Unit::ExternalWiki),
        "has_pull_requests": pulls,
        "has_projects": repo.has(Unit::Projects),
        "projects_mode": repo.projects_mode,
        "has_releases": repo.has(Unit::Releases),
        "has_packages": repo.has(Unit::Packages),
        "has_actions": repo.has(Unit::Actions),
        "ignore_whitespace_conflicts": pulls && rules.ignore_whitespace_conflicts,
        "allow_merge_commits": pulls && rules.allow_merge_commits,
        "allow_rebase": pulls && rules.allow_rebase,
        "allow_rebase_explicit": pulls && rules.allow_rebase_explicit,
        "allow_squash_merge": pulls && rules.allow_squash_merge,
        "allow_fast_forward_only_merge": pulls && rules.allow_fast_forward_only,
        "allow_rebase_update": pulls && rules.allow_rebase_update,
        "allow_manual_merge": pulls && rules.allow_manual_merge,
        "autodetect_manual_merge": pulls && rules.autodetect_manual_merge,
        "default_delete_branch_after_merge": pulls && rules.delete_branch_after_merge,
        "default_merge_style": if pulls { rules.default_style.as_str() } else { "merge" },
        "default_allow_maintainer_edit": pulls && rules.allow_maintainer_edit,
    });
    merge(&mut units, more);
    merge(body, units);
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// A duration as Go writes it: `8h0m0s`.
fn go_duration(seconds: i64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// The repository of the scene as the doer sees it.
pub(crate) fn view_here(world: &World, scene: &Scene<'_>) -> Result<Value, Reply> {
    let repo = scene.repository(world)?;
    Ok(view(
        world,
        &scene.call.base,
        scene.doer.as_ref(),
        repo,
        &scene.access_to(world, repo),
    ))
}

/// A page of repositories, as far as the doer may see them.
pub(crate) fn list_ids(world: &World, scene: &Scene<'_>, ids: impl Iterator<Item = i64>) -> Reply {
    let mut seen: Vec<(&Repository, Access)> = ids
        .filter_map(|id| world.repos.get(id))
        .map(|repo| (repo, scene.access_to(world, repo)))
        .filter(|(repo, access)| access.any() && !is_beyond(world, scene, repo))
        .collect();
    seen.sort_by_key(|(repo, _)| repo.id);
    page_of(world, scene, &seen)
}

/// Whether a token for public things only does not reach a repository.
fn is_beyond(world: &World, scene: &Scene<'_>, repo: &Repository) -> bool {
    let hidden = repo.private
        || world
            .owners
            .get(repo.owner)
            .is_none_or(|owner| owner.visibility != crate::gitea::world::Visibility::Public);
    hidden && scene.doer.as_ref().is_some_and(Doer::public_only)
}

fn page_of(world: &World, scene: &Scene<'_>, repos: &[(&Repository, Access)]) -> Reply {
    listed(scene.call, &world.settings, repos, |(repo, access)| {
        view(world, &scene.call.base, scene.doer.as_ref(), repo, access)
    })
}

fn visible<'w>(
    world: &'w World,
    scene: &Scene<'_>,
    fits: impl Fn(&Repository) -> bool,
) -> Vec<(&'w Repository, Access)> {
    let all = world
        .repos
        .iter()
        .map(|(_, repo)| repo)
        .filter(|repo| fits(repo) && !is_beyond(world, scene, repo));
    all.map(|repo| (repo, scene.access_to(world, repo)))
        .filter(|(_, access)| access.any())
        .collect()
}

/// Whether somebody has to do with a repository that is another's.
fn contributes(world: &World, user: i64, repo: &Repository) -> bool {
    let mut teams = permission::teams_of(world, user, repo.owner);
    repo.owner != user
        && (permission::collaboration(world, user, repo.id) > Mode::None
            || teams.any(|team| !repo.private || permission::has_repo(team, repo.id)))
}

fn list_own(world: &World, scene: &Scene<'_>) -> Answer {
    let user = scene.doer_id();
    let mine = |repo: &Repository| repo.owner == user || contributes(world, user, repo);
    let mut found = visible(world, scene, mine);
    found.sort_by(|(one, _), (two, _)| (&one.name, one.id).cmp(&(&two.name, two.id)));
    Ok(page_of(world, scene, &found))
}

fn list_of_owner(world: &World, scene: &Scene<'_>) -> Answer {
    let owner = scene.account(world)?;
    if !permission::sees_owner(world, scene.doer.as_ref(), owner) {
        return Err(Reply::not_found_in_none("HasOrgOrUserVisible"));
    }
    // In the order in which they were made.
    let found = visible(world, scene, |repo| repo.owner == scene.owner);
    Ok(page_of(world, scene, &found))
}

fn starred(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(list_ids(
        world,
        scene,
        scene.account(world)?.starred.iter().copied(),
    ))
}

fn watched(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(list_ids(
        world,
        scene,
        scene.account(world)?.watching.iter().copied(),
    ))
}

fn by_id(world: &World, scene: &Scene<'_>) -> Answer {
    let repo = scene
        .call
        .id("id")
        .and_then(|id| world.repos.get(id))
        .ok_or_else(Reply::not_found)?;
    let access = scene.access_to(world, repo);
    if !access.any() || is_beyond(world, scene, repo) {
        return Err(Reply::not_found());
    }
    Ok(Reply::ok(view(
        world,
        &scene.call.base,
        scene.doer.as_ref(),
        repo,
        &access,
    )))
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    view_here(world, scene).map(Reply::ok)
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    projects::remove(world, scene.repo, scene.doer_id(), &mut scene.effects);
    Ok(Reply::no_content())
}
