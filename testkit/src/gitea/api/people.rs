//! Who has to do with a repository: collaborators, teams, watchers, stars, assignees.

use serde_json::{Value, json};

use super::repos::REPO;
use crate::gitea::access::Mode;
use crate::gitea::api::teams;
use crate::gitea::api::users::{self, View};
use crate::gitea::bind::{Schema, bind, text};
use crate::gitea::clock::rfc3339;
use crate::gitea::permission;
use crate::gitea::projects;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::{Collaborator, Owner, Repository, Team, World};

const ANY: &[Need] = &[Need::AnyReader];
const SIGNED: &[Need] = &[Need::SignedIn, Need::AnyReader];
const ADMIN: &[Need] = &[Need::SignedIn, Need::RepoAdmin];
const OWN: &[&[Category]] = &[&[Category::User], &[Category::Repository]];

pub(crate) const ROUTES: &[Route] = &[
    read("/repos/{owner}/{repo}/collaborators", SIGNED, collaborators),
    read(
        "/repos/{owner}/{repo}/collaborators/{username}",
        SIGNED,
        is_collaborator,
    ),
    read(
        "/repos/{owner}/{repo}/collaborators/{username}/permission",
        SIGNED,
        permission_of,
    ),
    write(
        "PUT",
        "/repos/{owner}/{repo}/collaborators/{username}",
        ADMIN,
        add_collaborator,
    ),
    write(
        "DELETE",
        "/repos/{owner}/{repo}/collaborators/{username}",
        ADMIN,
        remove_collaborator,
    ),
    read("/repos/{owner}/{repo}/teams", SIGNED, repo_teams),
    read("/repos/{owner}/{repo}/teams/{team}", SIGNED, repo_team),
    write("PUT", "/repos/{owner}/{repo}/teams/{team}", ADMIN, add_team),
    write(
        "DELETE",
        "/repos/{owner}/{repo}/teams/{team}",
        ADMIN,
        remove_team,
    ),
    read("/repos/{owner}/{repo}/assignees", SIGNED, assignees),
    read("/repos/{owner}/{repo}/reviewers", SIGNED, reviewers),
    read("/repos/{owner}/{repo}/subscribers", ANY, subscribers),
    read("/repos/{owner}/{repo}/stargazers", ANY, stargazers),
    read("/repos/{owner}/{repo}/subscription", SIGNED, subscription),
    write("PUT", "/repos/{owner}/{repo}/subscription", SIGNED, watch),
    write(
        "DELETE",
        "/repos/{owner}/{repo}/subscription",
        SIGNED,
        unwatch,
    ),
    star_route("GET", Run::Read(is_starred)),
    star_route("PUT", Run::Write(star)),
    star_route("DELETE", Run::Write(unstar)),
];

const fn read(
    path: &'static str,
    needs: &'static [Need],
    run: fn(&World, &Scene<'_>) -> Answer,
) -> Route {
    Route {
        method: "GET",
        path,
        place: Place::Repo,
        scopes: REPO,
        needs,
        run: Run::Read(run),
    }
}

const fn write(
    method: &'static str,
    path: &'static str,
    needs: &'static [Need],
    run: fn(&mut World, &mut Scene<'_>) -> Answer,
) -> Route {
    Route {
        method,
        path,
        place: Place::Repo,
        scopes: REPO,
        needs,
        run: Run::Write(run),
    }
}

const fn star_route(method: &'static str, run: Run) -> Route {
    Route {
        method,
        path: "/user/starred/{owner}/{repo}",
        place: Place::Repo,
        scopes: OWN,
        needs: SIGNED,
        run,
    }
}

fn page(world: &World, scene: &Scene<'_>, ids: impl Iterator<Item = i64>) -> Answer {
    let list: Vec<&Owner> = ids.filter_map(|id| world.owners.get(id)).collect();
    Ok(users::count(world, scene, &list))
}

fn collaborators(world: &World, scene: &Scene<'_>) -> Answer {
    page(
        world,
        scene,
        world.collaborators.of(scene.repo).map(|(_, row)| row.user),
    )
}

/// A user named in the path, with the words of these operations.
fn named(world: &World, scene: &Scene<'_>, status: u16) -> Result<i64, Reply> {
    let name = scene.call.param("username");
    let missing = || {
        Reply::error(
            status,
            format!("user does not exist [uid: 0, name: {name}]"),
        )
    };
    world.owner(name).map(|(id, _)| id).ok_or_else(missing)
}

fn is_collaborator(world: &World, scene: &Scene<'_>) -> Answer {
    let user = named(world, scene, 422)?;
    if permission::collaboration(world, user, scene.repo) > Mode::None {
        Ok(Reply::no_content())
    } else {
        Err(Reply::not_found())
    }
}

fn permission_of(world: &World, scene: &Scene<'_>) -> Answer {
    let name = scene.call.param("username");
    let itself = world
        .owners
        .get(scene.doer_id())
        .is_some_and(|doer| doer.login.eq_ignore_ascii_case(name));
    if !itself && !scene.is_repo_admin() {
        return Err(Reply::error(
            403,
            "Only admins can query all permissions, repo admins can query all repo permissions, collaborators can query only their own",
        ));
    }
    let user = named(world, scene, 404)?;
    let repo = scene.repository(world)?;
    let is_site_admin = world.owners.get(user).is_some_and(|user| user.admin);
    let mode = if is_site_admin {
        Mode::Owner
    } else {
        permission::of_user(world, user, repo).mode
    };
    let word = mode.word();
    let mode_view = View::by_mode(mode.max(Mode::Read));
    Ok(Reply::ok(
        json!({ "permission": word, "role_name": word, "user": users::user_by_id(world, &scene.call.base, user, mode_view) }),
    ))
}

static ADD: Schema = Schema {
    name: "AddCollaboratorOption",
    fields: &[text("permission", "Permission")],
};

fn add_collaborator(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &ADD)?;
    let user = named(world, scene, 422)?;
    let mode = match body.text_or_empty("permission") {
        "" => Mode::Write,
        word => match Mode::of(word) {
            mode @ (Mode::Read | Mode::Write | Mode::Admin) => mode,
            Mode::None | Mode::Owner => {
                return Err(scene.internal("permission is not read, write or admin"));
            }
        },
    };
    let (repo, key) = (scene.repo, format!("{}/{user}", scene.repo));
    match world.collaborators.find_id(&key) {
        Some(id) => {
            world.collaborators.update(id, |row| row.mode = mode);
        }
        None => {
            world
                .collaborators
                .insert(|_| Collaborator { repo, user, mode });
        }
    }
    Ok(Reply::no_content())
}

fn remove_collaborator(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let user = named(world, scene, 422)?;
    let id = world
        .collaborators
        .find_id(&format!("{}/{user}", scene.repo));
    id.map(|id| world.collaborators.remove(id));
    Ok(Reply::no_content())
}

fn owned_by_org<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Repository, Reply> {
    let repo = scene.repository(world)?;
    let is_org = world
        .owners
        .get(repo.owner)
        .is_some_and(Owner::is_organization);
    if is_org {
        Ok(repo)
    } else {
        Err(Reply::error(405, "repo is not owned by an organization"))
    }
}

fn repo_teams(world: &World, scene: &Scene<'_>) -> Answer {
    let repo = owned_by_org(world, scene)?;
    let mut found: Vec<&Team> = world
        .teams
        .of(repo.owner)
        .map(|(_, team)| team)
        .filter(|team| permission::has_repo(team, repo.id))
        .collect();
    found.sort_by_key(|team| (team.mode != Mode::Owner, team.name.to_lowercase()));
    Ok(Reply::ok(
        found
            .into_iter()
            .map(|team| teams::view(world, scene, team, false))
            .collect(),
    ))
}

fn named_team<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Team, Reply> {
    let repo = owned_by_org(world, scene)?;
    world
        .teams
        .find(&format!(
            "{}/{}",
            repo.owner,
            scene.call.param("team").to_lowercase()
        ))
        .ok_or_else(Reply::not_found)
}

fn repo_team(world: &World, scene: &Scene<'_>) -> Answer {
    let team = named_team(world, scene)?;
    if !permission::has_repo(team, scene.repo) {
        return Err(Reply::not_found());
    }
    Ok(Reply::ok(teams::view(world, scene, team, false)))
}

fn change_team(world: &mut World, scene: &Scene<'_>, add: bool) -> Answer {
    let team = named_team(world, scene)?;
    let (id, name, has, repo) = (
        team.id,
        team.name.clone(),
        permission::has_repo(team, scene.repo),
        scene.repo,
    );
    let owner_allows = scene.is_admin()
        || permission::owns_organization(world, scene.doer_id(), scene.owner)
        || world
            .owners
            .get(scene.owner)
            .is_some_and(|org| org.repo_admin_change_team_access);
    if !owner_allows {
        return Err(Reply::error(403, "user is nor repo admin nor owner"));
    }
    match (add, has) {
        (true, true) => {
            return Err(Reply::error(
                422,
                format!("team '{name}' is already added to repo"),
            ));
        }
        (false, false) => {
            return Err(Reply::error(
                422,
                format!("team '{name}' was not added to repo"),
            ));
        }
        (true, false) => world.teams.update(id, |team| team.repos.insert(repo)),
        (false, true) => world.teams.update(id, |team| team.repos.remove(&repo)),
    };
    Ok(Reply::no_content())
}

fn add_team(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    change_team(world, scene, true)
}

fn remove_team(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    change_team(world, scene, false)
}

fn everyone(world: &World, scene: &Scene<'_>, least: Mode) -> Answer {
    let people = projects::people(world, scene.repository(world)?, least);
    let view = |id: i64| {
        users::user_by_id(
            world,
            &scene.call.base,
            id,
            View::of(scene.doer.as_ref(), id),
        )
    };
    Ok(Reply::ok(people.into_iter().map(view).collect()))
}

fn assignees(world: &World, scene: &Scene<'_>) -> Answer {
    everyone(world, scene, Mode::Write)
}

fn reviewers(world: &World, scene: &Scene<'_>) -> Answer {
    everyone(world, scene, Mode::Write)
}

fn subscribers(world: &World, scene: &Scene<'_>) -> Answer {
    page(
        world,
        scene,
        world
            .owners
            .iter()
            .filter(|(_, user)| user.watching.contains(&scene.repo))
            .map(|(id, _)| id),
    )
}

fn stargazers(world: &World, scene: &Scene<'_>) -> Answer {
    page(
        world,
        scene,
        world
            .owners
            .iter()
            .filter(|(_, user)| user.starred.contains(&scene.repo))
            .map(|(id, _)| id),
    )
}

fn watch_view(world: &World, scene: &Scene<'_>) -> Result<Value, Reply> {
    let repo = scene.repository(world)?;
    let address = format!(
        "{}/api/v1/repos/{}",
        scene.call.base,
        permission::full_name(world, repo)
    );
    Ok(json!({
        "subscribed": true,
        "ignored": false,
        "reason": null,
        "created_at": rfc3339(repo.created),
        "url": format!("{address}/subscription"),
        "repository_url": address,
    }))
}

fn subscription(world: &World, scene: &Scene<'_>) -> Answer {
    let watches = world
        .owners
        .get(scene.doer_id())
        .is_some_and(|user| user.watching.contains(&scene.repo));
    if watches {
        Ok(Reply::ok(watch_view(world, scene)?))
    } else {
        Err(Reply::not_found())
    }
}

fn watch(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    world
        .owners
        .update(scene.doer_id(), |user| user.watching.insert(scene.repo));
    Ok(Reply::ok(watch_view(world, scene)?))
}

fn unwatch(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    world
        .owners
        .update(scene.doer_id(), |user| user.watching.remove(&scene.repo));
    Ok(Reply::no_content())
}

fn is_starred(world: &World, scene: &Scene<'_>) -> Answer {
    let starred = world
        .owners
        .get(scene.doer_id())
        .is_some_and(|user| user.starred.contains(&scene.repo));
    if starred {
        Ok(Reply::no_content())
    } else {
        Err(Reply::not_found())
    }
}

fn star(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    world
        .owners
        .update(scene.doer_id(), |user| user.starred.insert(scene.repo));
    Ok(Reply::no_content())
}

fn unstar(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    world
        .owners
        .update(scene.doer_id(), |user| user.starred.remove(&scene.repo));
    Ok(Reply::no_content())
}
