//! Secrets: they can be set and taken away, and their names be listed.

use serde_json::json;

use super::super::settings::{Secret, place};
use super::{ScopePlace, checked_name, checked_value, cut_description, in_scope, scope_of};
use crate::gitea::bind::{Rule, Schema, bind, ruled, text};
use crate::gitea::clock::rfc3339;
use crate::gitea::page::listed;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::World;

pub(crate) const ROUTES: &[Route] = &[
    in_scope(
        "GET",
        "/repos/{owner}/{repo}/actions/secrets",
        ScopePlace::Repo,
        Run::Read(list),
    ),
    in_scope(
        "GET",
        "/orgs/{org}/actions/secrets",
        ScopePlace::Org,
        Run::Read(list),
    ),
    put(
        "/repos/{owner}/{repo}/actions/secrets/{name}",
        ScopePlace::Repo,
    ),
    put("/orgs/{org}/actions/secrets/{name}", ScopePlace::Org),
    put("/user/actions/secrets/{name}", ScopePlace::User),
    remove(
        "/repos/{owner}/{repo}/actions/secrets/{name}",
        ScopePlace::Repo,
    ),
    remove("/orgs/{org}/actions/secrets/{name}", ScopePlace::Org),
    remove("/user/actions/secrets/{name}", ScopePlace::User),
];

const fn put(path: &'static str, place: ScopePlace) -> Route {
    in_scope("PUT", path, place, Run::Write(set))
}

const fn remove(path: &'static str, place: ScopePlace) -> Route {
    in_scope("DELETE", path, place, Run::Write(delete))
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let scope = scope_of(scene);
    let secrets = world.actions.secrets.iter().map(|(_, secret)| secret);
    let mut secrets: Vec<&Secret> = secrets.filter(|secret| secret.scope == scope).collect();
    secrets.sort_by_key(|secret| secret.name.as_str());
    Ok(listed(scene.call, &world.settings, &secrets, |secret| {
        json!({
            "name": secret.name,
            "description": secret.description,
            "created_at": rfc3339(secret.created),
        })
    }))
}

static SET: Schema = Schema {
    name: "CreateOrUpdateSecretOption",
    fields: &[
        ruled("data", "Data", &[Rule::Required]),
        text("description", "Description"),
    ],
};

fn set(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &SET)?;
    let name = checked_name(scene.call.param("name"))?;
    let data = body.text_or_empty("data");
    let value = checked_value(data, data.len())?;
    let scope = scope_of(scene);
    let place = place(scope, &name);
    let sealed = world.actions.key.seal(&mut world.random, &place, &value);
    let description = cut_description(body.text_or_empty("description"));
    let created = world.now();
    let known = world.actions.secrets.find_id(&place);
    match known {
        Some(id) => {
            world.actions.secrets.update(id, |secret| {
                secret.sealed = sealed;
                secret.description = description;
            });
            Ok(Reply::no_content())
        }
        None => {
            let secret = Secret {
                scope,
                name,
                description,
                sealed,
                created,
            };
            world.actions.secrets.insert(|_| secret);
            Ok(Reply::empty(201))
        }
    }
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let place = place(scope_of(scene), scene.call.param("name"));
    let id = world.actions.secrets.find_id(&place);
    match id.and_then(|id| world.actions.secrets.remove(id)) {
        Some(_) => Ok(Reply::no_content()),
        // The real server never fills in the name.
        None => Err(Reply::error(404, "secret was not found [name: ]")),
    }
}
