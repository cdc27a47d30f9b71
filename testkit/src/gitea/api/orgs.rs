//! Organisations and their members.

use serde_json::{Value, json};

use crate::gitea::access::{Doer, Mode};
use crate::gitea::api::account::{is_inside, organizations};
use crate::gitea::api::users::{self, avatar};
use crate::gitea::bind::{Body, Rule, Schema, bind, flag, ruled};
use crate::gitea::owners;
use crate::gitea::page::listed;
use crate::gitea::permission::{self, sees_owner};
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::{Owner, Visibility, World};

const ORG: &[&[Category]] = &[&[Category::Organization]];
const USER_ORG: &[&[Category]] = &[&[Category::User, Category::Organization]];
const SIGNED: &[Need] = &[Need::SignedIn];
const OWNER: &[Need] = &[Need::SignedIn, Need::OrgOwner];

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/orgs",
        place: Place::Nowhere,
        scopes: &[],
        needs: &[],
        run: Run::Read(list),
    },
    Route {
        method: "POST",
        path: "/orgs",
        place: Place::Nowhere,
        scopes: ORG,
        needs: SIGNED,
        run: Run::Write(create),
    },
    Route {
        method: "GET",
        path: "/user/orgs",
        place: Place::Nowhere,
        scopes: USER_ORG,
        needs: SIGNED,
        run: Run::Read(list_own),
    },
    Route {
        method: "GET",
        path: "/users/{username}/orgs",
        place: Place::User,
        scopes: USER_ORG,
        needs: &[],
        run: Run::Read(list_of_user),
    },
    Route {
        method: "GET",
        path: "/users/{username}/orgs/{org}/permissions",
        place: Place::User,
        scopes: USER_ORG,
        needs: SIGNED,
        run: Run::Read(permissions),
    },
    read("/orgs/{org}", &[], get),
    write("PATCH", "/orgs/{org}", OWNER, edit),
    write("DELETE", "/orgs/{org}", OWNER, delete),
    write("POST", "/orgs/{org}/rename", OWNER, rename),
    read("/orgs/{org}/members", SIGNED, members),
    read("/orgs/{org}/members/{username}", SIGNED, is_member),
    write(
        "DELETE",
        "/orgs/{org}/members/{username}",
        OWNER,
        remove_member,
    ),
    read("/orgs/{org}/public_members", &[], public_members),
    read(
        "/orgs/{org}/public_members/{username}",
        &[],
        is_public_member,
    ),
    write(
        "PUT",
        "/orgs/{org}/public_members/{username}",
        &[Need::SignedIn, Need::OrgMember],
        publicize,
    ),
    write(
        "DELETE",
        "/orgs/{org}/public_members/{username}",
        &[Need::SignedIn, Need::OrgMember],
        conceal,
    ),
    read("/orgs/{org}/activities/feeds", &[], feeds),
    read("/orgs/{org}/blocks", OWNER, feeds),
];

const fn read(
    path: &'static str,
    needs: &'static [Need],
    run: fn(&World, &Scene<'_>) -> Answer,
) -> Route {
    Route {
        method: "GET",
        path,
        place: Place::Org,
        scopes: ORG,
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
        place: Place::Org,
        scopes: ORG,
        needs,
        run: Run::Write(run),
    }
}

/// An organisation as the API answers it; its address only to those who are signed in.
#[must_use]
pub fn view(_: &World, base: &str, org: &Owner, doer: Option<&Doer>) -> Value {
    json!({
        "id": org.id,
        "name": org.login,
        "full_name": org.full_name,
        "email": if doer.is_some() { org.email.as_str() } else { "" },
        "avatar_url": avatar(base, org),
        "description": org.description,
        "website": org.website,
        "location": org.location,
        "visibility": org.visibility.word(),
        "repo_admin_change_team_access": org.repo_admin_change_team_access,
        "username": org.login,
    })
}

fn view_of(world: &World, scene: &Scene<'_>, org: &Owner) -> Value {
    view(world, &scene.call.base, org, scene.doer.as_ref())
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let shows = |org: &Owner| match org.visibility {
        Visibility::Public => true,
        Visibility::Limited => scene
            .doer
            .as_ref()
            .is_some_and(|doer| doer.admin || !doer.public_only()),
        Visibility::Private => scene.is_admin(),
    };
    let mut orgs: Vec<&Owner> = world
        .owners
        .iter()
        .map(|(_, owner)| owner)
        .filter(|owner| owner.is_organization() && shows(owner))
        .collect();
    orgs.sort_by_key(|org| org.login.to_lowercase());
    Ok(listed(scene.call, &world.settings, &orgs, |org| {
        view_of(world, scene, org)
    }))
}

fn list_own(world: &World, scene: &Scene<'_>) -> Answer {
    let mut orgs = organizations(world, scene.doer.as_ref(), scene.doer_id());
    if scene.doer.as_ref().is_some_and(Doer::public_only) {
        orgs.retain(|org| org.visibility == Visibility::Public);
    }
    Ok(listed(scene.call, &world.settings, &orgs, |org| {
        view_of(world, scene, org)
    }))
}

fn list_of_user(world: &World, scene: &Scene<'_>) -> Answer {
    let orgs = organizations(world, scene.doer.as_ref(), scene.owner);
    Ok(listed(scene.call, &world.settings, &orgs, |org| {
        view_of(world, scene, org)
    }))
}

fn permissions(world: &World, scene: &Scene<'_>) -> Answer {
    let name = scene.call.param("org");
    let (org, found) = world
        .owner(name)
        .filter(|(_, owner)| owner.is_organization())
        .ok_or_else(|| {
            Reply::not_found_in(
                "GetOrgByName",
                format!("user redirect does not exist [name: {name}]"),
            )
        })?;
    if !sees_owner(world, scene.doer.as_ref(), found) {
        return Err(Reply::not_found_in_none("HasOrgOrUserVisible"));
    }
    let teams: Vec<_> = permission::teams_of(world, scene.owner, org).collect();
    let most = teams.iter().map(|team| team.mode).max().unwrap_or_default();
    Ok(Reply::ok(json!({
        "is_owner": most == Mode::Owner,
        "is_admin": most >= Mode::Admin,
        "can_write": most >= Mode::Write,
        "can_read": most >= Mode::Read,
        "can_create_repository": teams.iter().any(|team| team.can_create_repos || team.mode == Mode::Owner),
    })))
}

const VISIBILITIES: &[&str] = &["", "public", "limited", "private"];

pub(crate) static CREATE: Schema = Schema {
    name: "CreateOrgOption",
    fields: &[
        ruled(
            "username",
            "UserName",
            &[Rule::Required, Rule::Username, Rule::Max(40)],
        ),
        ruled("full_name", "FullName", &[Rule::Max(100)]),
        ruled("email", "Email", &[Rule::Max(255)]),
        ruled("description", "Description", &[Rule::Max(255)]),
        ruled("website", "Website", &[Rule::Url, Rule::Max(255)]),
        ruled("location", "Location", &[Rule::Max(50)]),
        ruled("visibility", "Visibility", &[Rule::In(VISIBILITIES)]),
        flag("repo_admin_change_team_access", "RepoAdminChangeTeamAccess"),
    ],
};

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let doer = scene.doer_id();
    if !world
        .owners
        .get(doer)
        .is_some_and(|user| user.may_create_organizations)
    {
        return Err(Reply::error(403, "%!s(<nil>)"));
    }
    create_for(world, scene, doer, &body)
}

pub(crate) fn create_for(world: &mut World, scene: &Scene<'_>, owner: i64, body: &Body) -> Answer {
    let login = body.text_or_empty("username");
    owners::check_name(world, login).map_err(|text| Reply::error(422, text))?;
    let id = owners::create_organization(world, login, owner, |org| {
        fill(org, body);
        org.visibility = Visibility::of(body.text_or_empty("visibility")).unwrap_or_default();
    });
    let org = world.owners.get(id).ok_or_else(Reply::not_found)?;
    Ok(Reply::created(view_of(world, scene, org)))
}

fn fill(org: &mut Owner, body: &Body) {
    let texts = [
        ("full_name", &mut org.full_name),
        ("email", &mut org.email),
        ("description", &mut org.description),
        ("website", &mut org.website),
        ("location", &mut org.location),
    ];
    for (name, field) in texts {
        if let Some(text) = body.text(name) {
            text.clone_into(field);
        }
    }
    if let Some(value) = body.flag("repo_admin_change_team_access") {
        org.repo_admin_change_team_access = value;
    }
    if let Some(visibility) = body.text("visibility").and_then(Visibility::of) {
        org.visibility = visibility;
    }
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    let org = scene.account(world)?;
    if !sees_owner(world, scene.doer.as_ref(), org) {
        return Err(Reply::not_found_in_none("HasOrgOrUserVisible"));
    }
    Ok(Reply::ok(view_of(world, scene, org)))
}

static EDIT: Schema = Schema {
    name: "EditOrgOption",
    fields: &[
        ruled("full_name", "FullName", &[Rule::Max(100)]),
        ruled("email", "Email", &[Rule::Max(255)]),
        ruled("description", "Description", &[Rule::Max(255)]),
        ruled("website", "Website", &[Rule::Url, Rule::Max(255)]),
        ruled("location", "Location", &[Rule::Max(50)]),
        ruled("visibility", "Visibility", &[Rule::In(VISIBILITIES)]),
        flag("repo_admin_change_team_access", "RepoAdminChangeTeamAccess"),
    ],
};

fn edit(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &EDIT)?;
    world.owners.update(scene.owner, |org| fill(org, &body));
    Ok(Reply::ok(view_of(world, scene, scene.account(world)?)))
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    if world.repos.of(scene.owner).next().is_some() {
        return Err(scene.internal(&format!(
            "user still has ownership of repositories [uid: {}]",
            scene.owner
        )));
    }
    owners::remove(world, scene.owner, scene.doer_id(), &mut scene.effects);
    Ok(Reply::no_content())
}

static RENAME: Schema = Schema {
    name: "RenameOrgOption",
    fields: &[ruled(
        "new_name",
        "NewName",
        &[Rule::Required, Rule::Username, Rule::Max(40)],
    )],
};

fn rename(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &RENAME)?;
    owners::rename(world, scene.owner, body.text_or_empty("new_name"))
        .map_err(|text| Reply::error(422, text))?;
    Ok(Reply::no_content())
}

/// Users of an organisation: all of them to members, else those who are shown to everybody.
fn member_list<'w>(
    world: &'w World,
    scene: &Scene<'_>,
    only_public: bool,
) -> Result<Vec<&'w Owner>, Reply> {
    let org = scene.account(world)?;
    if !sees_owner(world, scene.doer.as_ref(), org) {
        return Err(Reply::not_found_in_none("HasOrgOrUserVisible"));
    }
    // Site administrators see everybody in either list.
    let only_public =
        only_public && !scene.is_admin() || !is_inside(world, scene.doer.as_ref(), org.id);
    let ids = world
        .teams
        .of(org.id)
        .flat_map(|(_, team)| team.members.iter().copied());
    let mut ids: Vec<i64> = ids
        .filter(|id| !only_public || org.public_members.contains(id))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids
        .into_iter()
        .filter_map(|id| world.owners.get(id))
        .collect())
}

fn members(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(users::list(
        world,
        scene,
        &member_list(world, scene, false)?,
    ))
}

fn public_members(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(users::list(world, scene, &member_list(world, scene, true)?))
}

/// The user of `{username}` in a path that names something else first.
pub(crate) fn named_user(world: &World, scene: &Scene<'_>) -> Result<i64, Reply> {
    let name = scene.call.param("username");
    let reason = || format!("user does not exist [uid: 0, name: {name}]");
    let missing = || Reply::not_found_in("GetUserByName", reason());
    world.owner(name).map(|(id, _)| id).ok_or_else(missing)
}

fn is_member(world: &World, scene: &Scene<'_>) -> Answer {
    let user = named_user(world, scene)?;
    let org = scene.account(world)?;
    let inside = is_inside(world, scene.doer.as_ref(), org.id);
    if inside && permission::is_member(world, user, org.id) {
        return Ok(Reply::no_content());
    }
    if !inside && scene.doer_id() != user {
        return Ok(Reply::empty(303).with_header(
            "location",
            format!(
                "/api/v1/orgs/{}/public_members/{}",
                org.login,
                scene.call.param("username")
            ),
        ));
    }
    Err(Reply::not_found())
}

fn remove_member(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let user = named_user(world, scene)?;
    owners::leave(world, scene.owner, user).map_err(|text| scene.internal(&text))?;
    Ok(Reply::no_content())
}

fn is_public_member(world: &World, scene: &Scene<'_>) -> Answer {
    let user = named_user(world, scene)?;
    if scene.account(world)?.public_members.contains(&user) {
        Ok(Reply::no_content())
    } else {
        Err(Reply::not_found())
    }
}

fn change_publicity(world: &mut World, scene: &Scene<'_>, public: bool) -> Answer {
    let user = named_user(world, scene)?;
    if user != scene.doer_id() && !scene.is_admin() {
        let verb = if public { "publicize" } else { "conceal" };
        return Err(Reply::error(403, format!("Cannot {verb} another member")));
    }
    if !permission::is_member(world, user, scene.owner) {
        return Err(Reply::not_found());
    }
    world.owners.update(scene.owner, |org| {
        if public {
            org.public_members.insert(user)
        } else {
            org.public_members.remove(&user)
        }
    });
    Ok(Reply::no_content())
}

fn publicize(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    change_publicity(world, scene, true)
}

fn conceal(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    change_publicity(world, scene, false)
}

fn feeds(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(listed(scene.call, &world.settings, &[], |value: &Value| {
        value.clone()
    }))
}

/// Whether a user may create repositories in an organisation.
pub(crate) fn may_create_in(world: &World, doer: &Doer, org: i64) -> bool {
    doer.admin
        || permission::teams_of(world, doer.id, org)
            .any(|team| team.can_create_repos || team.mode == Mode::Owner)
}
