//! Variables: listed, read, set, renamed, taken away.

use serde_json::{Value, json};

use super::super::settings::{Variable, place};
use super::{ScopePlace, checked_name, checked_value, cut_description, in_scope, scope_of};
use crate::gitea::bind::{Body, Rule, Schema, bind, ruled, text};
use crate::gitea::page::listed;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::World;

const REPO_ALL: &str = "/repos/{owner}/{repo}/actions/variables";
const REPO_ONE: &str = "/repos/{owner}/{repo}/actions/variables/{name}";
const ORG_ALL: &str = "/orgs/{org}/actions/variables";
const ORG_ONE: &str = "/orgs/{org}/actions/variables/{name}";
const USER_ALL: &str = "/user/actions/variables";
const USER_ONE: &str = "/user/actions/variables/{name}";

pub(crate) const ROUTES: &[Route] = &[
    in_scope("GET", REPO_ALL, ScopePlace::Repo, Run::Read(list)),
    in_scope("GET", ORG_ALL, ScopePlace::Org, Run::Read(list)),
    in_scope("GET", USER_ALL, ScopePlace::User, Run::Read(list)),
    in_scope("GET", REPO_ONE, ScopePlace::Repo, Run::Read(get)),
    in_scope("GET", ORG_ONE, ScopePlace::Org, Run::Read(get)),
    in_scope("GET", USER_ONE, ScopePlace::User, Run::Read(get)),
    in_scope("POST", REPO_ONE, ScopePlace::Repo, Run::Write(create)),
    in_scope("POST", ORG_ONE, ScopePlace::Org, Run::Write(create)),
    in_scope("POST", USER_ONE, ScopePlace::User, Run::Write(create)),
    in_scope("PUT", REPO_ONE, ScopePlace::Repo, Run::Write(update)),
    in_scope("PUT", ORG_ONE, ScopePlace::Org, Run::Write(update)),
    in_scope("PUT", USER_ONE, ScopePlace::User, Run::Write(update)),
    in_scope("DELETE", REPO_ONE, ScopePlace::Repo, Run::Write(delete)),
    in_scope("DELETE", ORG_ONE, ScopePlace::Org, Run::Write(delete)),
    in_scope("DELETE", USER_ONE, ScopePlace::User, Run::Write(delete)),
];

/// In requests the value is called `value`, in answers `data`.
fn view(variable: &Variable) -> Value {
    json!({
        "owner_id": variable.scope.owner_id(),
        "repo_id": variable.scope.repo_id(),
        "name": variable.name,
        "data": variable.value,
        "description": variable.description,
    })
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let scope = scope_of(scene);
    let variables = world.actions.variables.iter().map(|(_, variable)| variable);
    let mut variables: Vec<&Variable> = variables.filter(|row| row.scope == scope).collect();
    variables.sort_by_key(|variable| variable.name.as_str());
    Ok(listed(
        scene.call,
        &world.settings,
        &variables,
        |variable| view(variable),
    ))
}

fn found(world: &World, scene: &Scene<'_>) -> Result<i64, Reply> {
    let place = place(scope_of(scene), scene.call.param("name"));
    let id = world.actions.variables.find_id(&place);
    id.ok_or_else(|| Reply::error(404, "variable not found"))
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    let variable = world.actions.variables.get(found(world, scene)?);
    Ok(Reply::ok(variable.map(view).unwrap_or_default()))
}

static CREATE: Schema = Schema {
    name: "CreateVariableOption",
    fields: &[
        ruled("value", "Value", &[Rule::Required]),
        text("description", "Description"),
    ],
};

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let asked = scene.call.param("name");
    let scope = scope_of(scene);
    if world.actions.variables.find(&place(scope, asked)).is_some() {
        return Err(Reply::error(
            409,
            format!("variable name {asked} already exists"),
        ));
    }
    let name = checked_name(asked)?;
    let (value, description) = values(&body)?;
    world.actions.variables.insert(|_| Variable {
        scope,
        name,
        value,
        description,
    });
    Ok(Reply::empty(201))
}

static UPDATE: Schema = Schema {
    name: "UpdateVariableOption",
    fields: &[
        text("name", "Name"),
        ruled("value", "Value", &[Rule::Required]),
        text("description", "Description"),
    ],
};

fn update(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &UPDATE)?;
    let id = found(world, scene)?;
    let asked = body.text("name").filter(|name| !name.is_empty());
    let name = checked_name(asked.unwrap_or(scene.call.param("name")))?;
    let (value, description) = values(&body)?;
    let taken = world
        .actions
        .variables
        .find_id(&place(scope_of(scene), &name));
    if taken.is_some_and(|taken| taken != id) {
        // The real server answers 500 with the words of its database.
        return Err(Reply::error(
            409,
            format!("variable name {name} already exists"),
        ));
    }
    world.actions.variables.update(id, |variable| {
        (variable.name, variable.value, variable.description) = (name, value, description);
    });
    Ok(Reply::no_content())
}

fn values(body: &Body) -> Result<(String, String), Reply> {
    let value = body.text_or_empty("value");
    let value = checked_value(value, value.chars().count())?;
    Ok((value, cut_description(body.text_or_empty("description"))))
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let id = found(world, scene)?;
    world.actions.variables.remove(id);
    Ok(Reply::no_content())
}
