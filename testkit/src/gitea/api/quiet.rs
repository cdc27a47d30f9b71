//! What this forge never has any of: wikis, packages, notifications, mirrors that push, blocked users.
//!
//! Lists of them are empty and single ones are missing, in the words for a server where nobody ever
//! made one: a client that only looks finds everything in order.

use serde_json::Value;

use super::repos::REPO;
use crate::gitea::access::Unit;
use crate::gitea::bind::{Rule, Schema, bind, ruled, text};
use crate::gitea::page::listed;
use crate::gitea::password::token_digest;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::World;

const SIGNED: &[Need] = &[Need::SignedIn];
const ADMIN: &[Need] = &[Need::SignedIn, Need::RepoAdmin];
const OWNER: &[Need] = &[Need::SignedIn, Need::OrgOwner];
const WRITER: &[Need] = &[Need::SignedIn, Need::Writer(&[Unit::Actions])];
const WHOLE: &[Need] = &[Need::SignedIn, Need::NotPublicOnly];
const SITE_ADMIN: &[Need] = &[Need::SignedIn, Need::SiteAdmin];
const SITE: &[&[Category]] = &[&[Category::Admin]];
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
        "GET",
        "/repos/{owner}/{repo}/hooks/git",
        (Place::Repo, REPO),
        ADMIN,
        Run::Read(no_git_hooks),
    ),
    route(
        "GET",
        "/repos/{owner}/{repo}/hooks/git/{id}",
        (Place::Repo, REPO),
        ADMIN,
        Run::Read(no_git_hooks),
    ),
    route(
        "PATCH",
        "/repos/{owner}/{repo}/hooks/git/{id}",
        (Place::Repo, REPO),
        ADMIN,
        Run::Read(no_git_hooks),
    ),
    route(
        "DELETE",
        "/repos/{owner}/{repo}/hooks/git/{id}",
        (Place::Repo, REPO),
        ADMIN,
        Run::Read(no_git_hooks),
    ),
    route(
        "DELETE",
        "/repos/{owner}/{repo}/actions/artifacts/{id}",
        (Place::Repo, REPO),
        WRITER,
        Run::Read(missing),
    ),
    route(
        "GET",
        "/repos/{owner}/{repo}/actions/artifacts/{id}/zip",
        (Place::Repo, REPO),
        &[Need::AnyReader],
        Run::Read(missing),
    ),
    route(
        "DELETE",
        "/repos/{owner}/{repo}/push_mirrors/{name}",
        (Place::Repo, REPO),
        ADMIN,
        Run::Read(missing),
    ),
    route(
        "PATCH",
        "/notifications/threads/{id}",
        (Place::Nowhere, NEWS),
        SIGNED,
        Run::Read(missing),
    ),
    route(
        "DELETE",
        "/packages/{username}/{kind}/{name}",
        (Place::User, PACKAGE),
        SIGNED,
        Run::Read(missing),
    ),
    route(
        "DELETE",
        "/packages/{username}/{kind}/{name}/{version}",
        (Place::User, PACKAGE),
        SIGNED,
        Run::Read(missing),
    ),
    route(
        "GET",
        "/packages/{username}/{kind}/{name}/-/latest",
        (Place::User, PACKAGE),
        &[],
        Run::Read(missing),
    ),
    route(
        "POST",
        "/packages/{username}/{kind}/{name}/-/link/{repo}",
        (Place::User, PACKAGE),
        SIGNED,
        Run::Read(missing),
    ),
    route(
        "POST",
        "/packages/{username}/{kind}/{name}/-/unlink",
        (Place::User, PACKAGE),
        SIGNED,
        Run::Read(missing),
    ),
    route(
        "POST",
        "/admin/unadopted/{owner}/{repo}",
        (Place::Nowhere, SITE),
        SITE_ADMIN,
        Run::Read(missing),
    ),
    route(
        "DELETE",
        "/admin/unadopted/{owner}/{repo}",
        (Place::Nowhere, SITE),
        SITE_ADMIN,
        Run::Read(missing),
    ),
    route(
        "GET",
        "/user/gpg_key_token",
        (Place::Nowhere, USER),
        WHOLE,
        Run::Read(gpg_token),
    ),
    route(
        "POST",
        "/user/gpg_key_verify",
        (Place::Nowhere, USER),
        WHOLE,
        Run::Read(no_gpg_key),
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

/// Nobody edits hooks of git: they are programs that would run with the server's rights.
fn no_git_hooks(_: &World, _: &Scene<'_>) -> Answer {
    Err(Reply::error(403, "must be allowed to edit Git hooks"))
}

/// What the owner of a key signs; it is another one every minute.
fn gpg_token(world: &World, scene: &Scene<'_>) -> Answer {
    let minute = world.now() / 60 + 1;
    let name = scene.doer()?.id;
    let token = token_digest(&format!("gpg:{minute}:{name}"));
    Ok(Reply::text(200, token))
}

static VERIFY: Schema = Schema {
    name: "VerifyGPGKeyOption",
    fields: &[
        ruled("key_id", "KeyID", &[Rule::Required]),
        ruled("armored_signature", "Signature", &[Rule::Required]),
    ],
};

fn no_gpg_key(_: &World, scene: &Scene<'_>) -> Answer {
    bind(scene.call, &VERIFY)?;
    Err(Reply::not_found())
}
