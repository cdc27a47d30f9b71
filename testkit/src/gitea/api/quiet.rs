//! What this forge never has any of: wikis, packages, notifications, mirrors that push, blocked users.
//!
//! Lists of them are empty and single ones are missing, in the words for a server where nobody ever
//! made one: a client that only looks finds everything in order.

use serde_json::Value;

use super::repos::REPO;
use crate::gitea::bind::{Schema, bind, text};
use crate::gitea::page::listed;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::World;

const SIGNED: &[Need] = &[Need::SignedIn];
const ADMIN: &[Need] = &[Need::SignedIn, Need::RepoAdmin];
const OWNER: &[Need] = &[Need::SignedIn, Need::OrgOwner];
const USER: &[&[Category]] = &[&[Category::User]];
const ORG: &[&[Category]] = &[&[Category::Organization]];
const NEWS: &[&[Category]] = &[&[Category::Notification]];
const PACKAGE: &[&[Category]] = &[&[Category::Package]];

pub(crate) const ROUTES: &[Route] = &[
    of_repo(
        "/repos/{owner}/{repo}/activities/feeds",
        &[Need::AnyReader],
        none,
    ),
    of_repo("/repos/{owner}/{repo}/notifications", SIGNED, none),
    of_repo("/repos/{owner}/{repo}/push_mirrors", ADMIN, none),
    of_repo("/repos/{owner}/{repo}/push_mirrors/{name}", ADMIN, missing),
    of_repo("/repos/{owner}/{repo}/times/{user}", SIGNED, none),
    of_repo(
        "/repos/{owner}/{repo}/wiki/pages",
        &[Need::AnyReader],
        missing,
    ),
    of_repo(
        "/repos/{owner}/{repo}/wiki/page/{page}",
        &[Need::AnyReader],
        missing,
    ),
    of_repo(
        "/repos/{owner}/{repo}/wiki/revisions/{page}",
        &[Need::AnyReader],
        missing,
    ),
    of_repo(
        "/repos/{owner}/{repo}/signing-key.gpg",
        &[Need::AnyReader],
        no_key,
    ),
    of_repo(
        "/repos/{owner}/{repo}/signing-key.pub",
        &[Need::AnyReader],
        no_key,
    ),
    of_repo(
        "/repos/{owner}/{repo}/actions/artifacts/{id}",
        &[Need::AnyReader],
        missing,
    ),
    route(
        "GET",
        "/notifications/threads/{id}",
        (Place::Nowhere, NEWS),
        SIGNED,
        Run::Read(missing),
    ),
    route(
        "PUT",
        "/notifications",
        (Place::Nowhere, NEWS),
        SIGNED,
        Run::Read(read_all),
    ),
    route(
        "PUT",
        "/repos/{owner}/{repo}/notifications",
        (Place::Repo, NEWS),
        SIGNED,
        Run::Read(read_all),
    ),
    route(
        "GET",
        "/packages/{username}/{kind}/{name}",
        (Place::User, PACKAGE),
        &[],
        Run::Read(missing),
    ),
    route(
        "GET",
        "/packages/{username}/{kind}/{name}/{version}",
        (Place::User, PACKAGE),
        &[],
        Run::Read(missing),
    ),
    route(
        "GET",
        "/packages/{username}/{kind}/{name}/{version}/files",
        (Place::User, PACKAGE),
        &[],
        Run::Read(missing),
    ),
    route(
        "GET",
        "/user/applications/oauth2/{id}",
        (Place::Nowhere, USER),
        SIGNED,
        Run::Read(missing),
    ),
    route(
        "GET",
        "/user/blocks/{username}",
        (Place::Nowhere, USER),
        SIGNED,
        Run::Read(missing),
    ),
    route(
        "GET",
        "/orgs/{org}/blocks/{username}",
        (Place::Org, ORG),
        OWNER,
        Run::Read(missing),
    ),
    route(
        "POST",
        "/user/avatar",
        (Place::Nowhere, USER),
        SIGNED,
        Run::Read(picture),
    ),
    route(
        "DELETE",
        "/user/avatar",
        (Place::Nowhere, USER),
        SIGNED,
        Run::Read(no_picture),
    ),
    route(
        "POST",
        "/orgs/{org}/avatar",
        (Place::Org, ORG),
        OWNER,
        Run::Read(picture),
    ),
    route(
        "DELETE",
        "/orgs/{org}/avatar",
        (Place::Org, ORG),
        OWNER,
        Run::Read(no_picture),
    ),
    route(
        "POST",
        "/repos/{owner}/{repo}/avatar",
        (Place::Repo, REPO),
        ADMIN,
        Run::Read(picture),
    ),
    route(
        "DELETE",
        "/repos/{owner}/{repo}/avatar",
        (Place::Repo, REPO),
        ADMIN,
        Run::Read(no_picture),
    ),
];

const fn route(
    method: &'static str,
    path: &'static str,
    (place, scopes): (Place, &'static [&'static [Category]]),
    needs: &'static [Need],
    run: Run,
) -> Route {
    Route {
        method,
        path,
        place,
        scopes,
        needs,
        run,
    }
}

const fn of_repo(
    path: &'static str,
    needs: &'static [Need],
    run: fn(&World, &Scene<'_>) -> Answer,
) -> Route {
    route("GET", path, (Place::Repo, REPO), needs, Run::Read(run))
}

fn none(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(listed(scene.call, &world.settings, &[], |value: &Value| {
        value.clone()
    }))
}

fn missing(_: &World, _: &Scene<'_>) -> Answer {
    Err(Reply::not_found())
}

fn no_key(_: &World, _: &Scene<'_>) -> Answer {
    Err(Reply::not_found_in_none("no signing key"))
}

fn read_all(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::json(205, Value::Array(Vec::new())))
}

static PICTURE: Schema = Schema {
    name: "UpdateUserAvatarOption",
    fields: &[text("image", "Image")],
};

/// A picture is checked and not kept: everybody keeps the one that is made from their address.
fn picture(_: &World, scene: &Scene<'_>) -> Answer {
    use base64::Engine;
    let body = bind(scene.call, &PICTURE)?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(body.text_or_empty("image"));
    match decoded {
        Ok(bytes) if !bytes.is_empty() => Ok(Reply::no_content()),
        Ok(_) => Err(scene.internal("image: unknown format")),
        Err(_) => Err(Reply::error(400, "illegal base64 data")),
    }
}

fn no_picture(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::no_content())
}
