//! Teams of organisations.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::gitea::access::{Mode, UNITS, Unit};
use crate::gitea::api::{orgs, repos, users};
use crate::gitea::bind::{Body, Kind, Rule, Schema, bind, flag, of, ruled};
use crate::gitea::page::{Page, listed};
use crate::gitea::permission;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::{Owner, Repository, Team, World};

const ORG: &[&[Category]] = &[&[Category::Organization]];
const MEMBER: &[Need] = &[Need::SignedIn, Need::OrgMember];
const TEAM: &[Need] = &[Need::SignedIn, Need::TeamMember];
const OWNER: &[Need] = &[Need::SignedIn, Need::TeamMember, Need::OrgOwner];

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/orgs/{org}/teams",
        place: Place::Org,
        scopes: ORG,
        needs: MEMBER,
        run: Run::Read(list),
    },
    Route {
        method: "GET",
        path: "/orgs/{org}/teams/search",
        place: Place::Org,
        scopes: ORG,
        needs: MEMBER,
        run: Run::Read(search),
    },
    Route {
        method: "POST",
        path: "/orgs/{org}/teams",
        place: Place::Org,
        scopes: ORG,
        needs: &[Need::SignedIn, Need::OrgOwner],
        run: Run::Write(create),
    },
    Route {
        method: "GET",
        path: "/user/teams",
        place: Place::Nowhere,
        scopes: &[&[Category::User, Category::Organization]],
        needs: &[Need::SignedIn],
        run: Run::Read(list_own),
    },
    read("/teams/{id}", get),
    write("PATCH", "/teams/{id}", OWNER, edit),
    write("DELETE", "/teams/{id}", OWNER, delete),
    read("/teams/{id}/members", members),
    read("/teams/{id}/members/{username}", member),
    write("PUT", "/teams/{id}/members/{username}", OWNER, add_member),
    write(
        "DELETE",
        "/teams/{id}/members/{username}",
        OWNER,
        remove_member,
    ),
    read("/teams/{id}/repos", team_repos),
    read("/teams/{id}/repos/{org}/{repo}", team_repo),
    write("PUT", "/teams/{id}/repos/{org}/{repo}", TEAM, add_repo),
    write(
        "DELETE",
        "/teams/{id}/repos/{org}/{repo}",
        TEAM,
        remove_repo,
    ),
    read("/teams/{id}/activities/feeds", feeds),
];

const fn read(path: &'static str, run: fn(&World, &Scene<'_>) -> Answer) -> Route {
    Route {
        method: "GET",
        path,
        place: Place::Team,
        scopes: ORG,
        needs: TEAM,
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
        place: Place::Team,
        scopes: ORG,
        needs,
        run: Run::Write(run),
    }
}

/// A team as the API answers it; lists leave the organisation out.
#[must_use]
pub fn view(world: &World, scene: &Scene<'_>, team: &Team, with_org: bool) -> Value {
    let org = world.owners.get(team.org).filter(|_| with_org);
    let units: Vec<&str> = team.units.keys().map(|unit| unit.word()).collect();
    let map: Map<String, Value> = team
        .units
        .iter()
        .map(|(unit, mode)| (unit.word().to_owned(), json!(mode.word())))
        .collect();
    json!({
        "id": team.id,
        "name": team.name,
        "description": team.description,
        "organization": org.map(|org| orgs::view(world, &scene.call.base, org, scene.doer.as_ref())),
        "includes_all_repositories": team.all_repos,
        "permission": if team.mode >= Mode::Admin { team.mode.word() } else { "none" },
        "units": if units.is_empty() { Value::Null } else { json!(units) },
        "units_map": if map.is_empty() { json!({}) } else { Value::Object(map) },
        "can_create_org_repo": team.can_create_repos,
    })
}

/// Teams in the order of lists.
fn sorted<'w>(teams: impl Iterator<Item = &'w Team>) -> Vec<&'w Team> {
    let mut teams: Vec<&Team> = teams.collect();
    teams.sort_by_key(|team| team.name.to_lowercase());
    teams
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let teams = sorted(world.teams.of(scene.owner).map(|(_, team)| team));
    Ok(listed(scene.call, &world.settings, &teams, |team| {
        view(world, scene, team, false)
    }))
}

fn search(world: &World, scene: &Scene<'_>) -> Answer {
    let word = scene.call.query("q").unwrap_or_default().to_lowercase();
    // Owners find their own teams alone, as everybody but site administrators.
    let fits = |team: &&Team| {
        team.name.to_lowercase().contains(&word)
            && (scene.is_admin() || team.members.contains(&scene.doer_id()))
    };
    let teams = sorted(
        world
            .teams
            .of(scene.owner)
            .map(|(_, team)| team)
            .filter(fits),
    );
    let page = Page::of(scene.call, &world.settings);
    let data: Vec<Value> = page
        .slice(&teams)
        .iter()
        .map(|team| view(world, scene, team, false))
        .collect();
    Ok(Reply::ok(json!({ "ok": true, "data": data })).with_paging(
        scene.call,
        &world.settings,
        page,
        teams.len(),
    ))
}

fn list_own(world: &World, scene: &Scene<'_>) -> Answer {
    let all = world.teams.iter().map(|(_, team)| team);
    let teams = sorted(all.filter(|team| team.members.contains(&scene.doer_id())));
    Ok(listed(scene.call, &world.settings, &teams, |team| {
        view(world, scene, team, true)
    }))
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(Reply::ok(view(world, scene, scene.team(world)?, true)))
}

const PERMISSIONS: &[&str] = &["", "read", "write", "admin", "owner", "none"];

static OPTIONS: Schema = Schema {
    name: "CreateTeamOption",
    fields: &[
        ruled(
            "name",
            "Name",
            &[Rule::Required, Rule::AlphaDashDot, Rule::Max(255)],
        ),
        ruled("description", "Description", &[Rule::Max(255)]),
        flag("includes_all_repositories", "IncludesAllRepositories"),
        of("permission", "Permission", Kind::Text),
        of("units", "Units", Kind::Texts),
        of("units_map", "UnitsMap", Kind::TextMap),
        flag("can_create_org_repo", "CanCreateOrgRepo"),
    ],
};

/// The rights that a body gives: from `units_map`, else from `units` with `permission`.
fn rights(body: &Body) -> (Mode, Option<BTreeMap<Unit, Mode>>) {
    let word = body.text_or_empty("permission");
    let mode = if PERMISSIONS.contains(&word) {
        Mode::of(word)
    } else {
        Mode::None
    };
    if mode >= Mode::Admin {
        return (
            Mode::Admin,
            Some(UNITS.into_iter().map(|unit| (unit, Mode::Admin)).collect()),
        );
    }
    if let Some(map) = body
        .get("units_map")
        .and_then(Value::as_object)
        .filter(|map| !map.is_empty())
    {
        let pairs = map.iter().filter_map(|(word, mode)| {
            Unit::of(word).map(|unit| (unit, Mode::of(mode.as_str().unwrap_or_default())))
        });
        return (Mode::None, Some(pairs.collect()));
    }
    let units = body.texts("units").filter(|units| !units.is_empty());
    let external = |unit: Unit| {
        if matches!(unit, Unit::ExternalTracker | Unit::ExternalWiki) {
            mode.min(Mode::Read)
        } else {
            mode
        }
    };
    (
        Mode::None,
        units.map(|words| {
            words
                .iter()
                .filter_map(|word| Unit::of(word))
                .map(|unit| (unit, external(unit)))
                .collect()
        }),
    )
}

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &OPTIONS)?;
    let name = body.text_or_empty("name");
    if name.eq_ignore_ascii_case("new") {
        return Err(scene.internal(&format!("name is reserved [name: {name}]")));
    }
    if world
        .teams
        .find(&format!("{}/{}", scene.owner, name.to_lowercase()))
        .is_some()
    {
        return Err(Reply::error(
            422,
            format!(
                "team already exists [org_id: {}, name: {}]",
                scene.owner,
                name.to_lowercase()
            ),
        ));
    }
    let (mode, units) = rights(&body);
    let Some(units) = units else {
        return Err(scene.internal("units permission should not be empty"));
    };
    let org = scene.owner;
    let id = world.teams.insert(|id| Team {
        id,
        org,
        name: name.to_owned(),
        description: body.text_or_empty("description").to_owned(),
        mode,
        units,
        all_repos: body.flag("includes_all_repositories").unwrap_or_default(),
        can_create_repos: body.flag("can_create_org_repo").unwrap_or_default(),
        members: Default::default(),
        repos: Default::default(),
    });
    Ok(Reply::created(view(
        world,
        scene,
        world.teams.get(id).ok_or_else(Reply::not_found)?,
        true,
    )))
}

fn edit(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &OPTIONS)?;
    let name = body.text_or_empty("name").to_owned();
    let taken = world
        .teams
        .find_id(&format!("{}/{}", scene.owner, name.to_lowercase()))
        .is_some_and(|id| id != scene.team);
    if taken {
        return Err(scene.internal(&format!(
            "team already exists [org_id: {}, name: {}]",
            scene.owner,
            name.to_lowercase()
        )));
    }
    let (mode, units) = rights(&body);
    let has_permission = body.has("permission");
    world.teams.update(scene.team, |team| {
        team.name = name;
        if let Some(text) = body.text("description") {
            text.clone_into(&mut team.description);
        }
        if team.mode != Mode::Owner {
            if has_permission || units.is_some() {
                team.mode = mode;
            }
            if let Some(units) = units {
                team.units = units;
            }
            team.all_repos = body
                .flag("includes_all_repositories")
                .unwrap_or(team.all_repos);
            team.can_create_repos = body
                .flag("can_create_org_repo")
                .unwrap_or(team.can_create_repos);
        }
    });
    Ok(Reply::ok(view(world, scene, scene.team(world)?, false)))
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    world.teams.remove(scene.team);
    Ok(Reply::no_content())
}

fn members(world: &World, scene: &Scene<'_>) -> Answer {
    let list: Vec<&Owner> = scene
        .team(world)?
        .members
        .iter()
        .filter_map(|id| world.owners.get(*id))
        .collect();
    Ok(users::list(world, scene, &list))
}

fn named(world: &World, scene: &Scene<'_>) -> Result<i64, Reply> {
    let name = scene.call.param("username");
    let missing = || {
        Reply::not_found_in(
            "GetUserByName",
            format!("user does not exist [uid: 0, name: {name}]"),
        )
    };
    world.owner(name).map(|(id, _)| id).ok_or_else(missing)
}

fn member(world: &World, scene: &Scene<'_>) -> Answer {
    let user = named(world, scene)?;
    if !scene.team(world)?.members.contains(&user) {
        return Err(Reply::not_found());
    }
    Ok(Reply::ok(users::user_by_id(
        world,
        &scene.call.base,
        user,
        users::View::of(scene.doer.as_ref(), user),
    )))
}

fn add_member(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let user = named(world, scene)?;
    let (all, repos) = world
        .teams
        .update(scene.team, |team| {
            team.members.insert(user);
            (team.all_repos, team.repos.clone())
        })
        .unwrap_or_default();
    let watched: Vec<i64> = if all {
        world.repos.of(scene.owner).map(|(id, _)| id).collect()
    } else {
        repos.into_iter().collect()
    };
    world
        .owners
        .update(user, |user| user.watching.extend(watched));
    Ok(Reply::no_content())
}

fn remove_member(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let user = named(world, scene)?;
    let team = scene.team(world)?;
    if team.mode == Mode::Owner && team.members.len() == 1 && team.members.contains(&user) {
        return Err(scene.internal(&format!(
            "user is the last member of owner team [uid: {user}]"
        )));
    }
    world
        .teams
        .update(scene.team, |team| team.members.remove(&user));
    Ok(Reply::no_content())
}

fn repos_of(world: &World, team: &Team) -> Vec<i64> {
    world
        .repos
        .of(team.org)
        .filter(|(id, _)| permission::has_repo(team, *id))
        .map(|(id, _)| id)
        .collect()
}

fn team_repos(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(repos::list_ids(
        world,
        scene,
        repos_of(world, scene.team(world)?).into_iter(),
    ))
}

fn named_repo<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Repository, Reply> {
    let (owner, name) = (scene.call.param("org"), scene.call.param("repo"));
    let org = world
        .owner(owner)
        .map(|(id, _)| id)
        .filter(|id| *id == scene.owner)
        .ok_or_else(Reply::not_found)?;
    world
        .repo_of(org, name)
        .map(|(_, repo)| repo)
        .ok_or_else(Reply::not_found)
}

fn team_repo(world: &World, scene: &Scene<'_>) -> Answer {
    let repo = named_repo(world, scene)?;
    if !permission::has_repo(scene.team(world)?, repo.id) {
        return Err(Reply::not_found());
    }
    Ok(Reply::ok(repos::view(
        world,
        &scene.call.base,
        scene.doer.as_ref(),
        repo,
        &scene.access_to(world, repo),
    )))
}

fn add_repo(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let repo = named_repo(world, scene)?;
    if scene.access_to(world, repo).mode < Mode::Admin {
        return Err(Reply::error(
            403,
            "Must have admin-level access to the repository",
        ));
    }
    let id = repo.id;
    let members = world.teams.update(scene.team, |team| {
        team.repos.insert(id);
        team.members.clone()
    });
    for member in members.unwrap_or_default() {
        world.owners.update(member, |user| user.watching.insert(id));
    }
    Ok(Reply::no_content())
}

fn remove_repo(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let repo = named_repo(world, scene)?;
    if scene.access_to(world, repo).mode < Mode::Admin {
        return Err(Reply::error(
            403,
            "Must have admin-level access to the repository",
        ));
    }
    let id = repo.id;
    world
        .teams
        .update(scene.team, |team| team.repos.remove(&id));
    Ok(Reply::no_content())
}

fn feeds(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(listed(scene.call, &world.settings, &[], |value: &Value| {
        value.clone()
    }))
}
