//! Runners and registration tokens through the API, in all four scopes.

use serde_json::{Value, json};

use super::{Runner, registration_token};
use crate::gitea::actions::{Scope, ScopePlace, in_scope, scope_of};
use crate::gitea::bind::{Field, Kind, Schema, bind};
use crate::gitea::reply::{Answer, Body, Problem, Reply};
use crate::gitea::router::{Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::World;

pub(crate) const ROUTES: &[Route] = &[
    in_scope(
        "GET",
        "/repos/{owner}/{repo}/actions/runners",
        ScopePlace::Repo,
        Run::Read(list),
    ),
    in_scope(
        "GET",
        "/orgs/{org}/actions/runners",
        ScopePlace::Org,
        Run::Read(list),
    ),
    in_scope(
        "GET",
        "/user/actions/runners",
        ScopePlace::User,
        Run::Read(list),
    ),
    in_scope(
        "GET",
        "/admin/actions/runners",
        ScopePlace::Admin,
        Run::Read(list),
    ),
    token(
        "/repos/{owner}/{repo}/actions/runners/registration-token",
        ScopePlace::Repo,
    ),
    token(
        "/orgs/{org}/actions/runners/registration-token",
        ScopePlace::Org,
    ),
    token("/user/actions/runners/registration-token", ScopePlace::User),
    token(
        "/admin/actions/runners/registration-token",
        ScopePlace::Admin,
    ),
    one("GET", REPO_ONE, ScopePlace::Repo, Run::Read(get)),
    one("GET", ORG_ONE, ScopePlace::Org, Run::Read(get)),
    one("GET", USER_ONE, ScopePlace::User, Run::Read(get)),
    one("GET", ADMIN_ONE, ScopePlace::Admin, Run::Read(get)),
    one("PATCH", REPO_ONE, ScopePlace::Repo, Run::Write(update)),
    one("PATCH", ORG_ONE, ScopePlace::Org, Run::Write(update)),
    one("PATCH", USER_ONE, ScopePlace::User, Run::Write(update)),
    one("PATCH", ADMIN_ONE, ScopePlace::Admin, Run::Write(update)),
    one("DELETE", REPO_ONE, ScopePlace::Repo, Run::Write(delete)),
    one("DELETE", ORG_ONE, ScopePlace::Org, Run::Write(delete)),
    one("DELETE", USER_ONE, ScopePlace::User, Run::Write(delete)),
    one("DELETE", ADMIN_ONE, ScopePlace::Admin, Run::Write(delete)),
];

const REPO_ONE: &str = "/repos/{owner}/{repo}/actions/runners/{runner_id}";
const ORG_ONE: &str = "/orgs/{org}/actions/runners/{runner_id}";
const USER_ONE: &str = "/user/actions/runners/{runner_id}";
const ADMIN_ONE: &str = "/admin/actions/runners/{runner_id}";

const fn token(path: &'static str, place: ScopePlace) -> Route {
    in_scope("POST", path, place, Run::Write(make_token))
}

const fn one(method: &'static str, path: &'static str, place: ScopePlace, run: Run) -> Route {
    in_scope(method, path, place, run)
}

fn view(world: &World, runner: &Runner) -> Value {
    const ONLINE_SECS: i64 = 60;
    const BUSY_SECS: i64 = 10;
    let heard = world.actions.runners.presence.of(runner.id);
    let now = world.now();
    let online = now - heard.any < ONLINE_SECS;
    let labels = runner.labels.iter().enumerate();
    let labels: Vec<Value> = labels
        .map(|(id, name)| json!({"id": id, "name": name, "type": "custom"}))
        .collect();
    json!({
        "id": runner.id,
        "name": runner.name,
        "status": if online { "online" } else { "offline" },
        "busy": now - heard.work < BUSY_SECS,
        "disabled": runner.disabled,
        "ephemeral": runner.ephemeral,
        "labels": labels,
    })
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let scope = scope_of(scene);
    let disabled = scene.call.flag("disabled");
    let runners = world
        .actions
        .runners
        .runners
        .iter()
        .map(|(_, runner)| runner);
    let mut runners: Vec<&Runner> = runners
        .filter(|runner| scope == Scope::Instance || runner.scope == scope)
        .filter(|runner| disabled.is_none_or(|disabled| runner.disabled == disabled))
        .collect();
    let seen = |runner: &&Runner| world.actions.runners.presence.of(runner.id).any;
    runners.sort_by_key(|runner| std::cmp::Reverse((seen(runner), runner.id)));
    let page = crate::gitea::page::Page::of(scene.call, &world.settings);
    let views: Vec<Value> = page
        .slice(&runners)
        .iter()
        .map(|runner| view(world, runner))
        .collect();
    Ok(Reply::ok(
        json!({"runners": views, "total_count": runners.len()}),
    ))
}

fn not_found(message: &str) -> Reply {
    let message = message.to_owned();
    let problem = Problem {
        message,
        errors: Some(None),
        has_url: true,
    };
    Reply {
        status: 404,
        headers: Vec::new(),
        body: Body::Problem(problem),
    }
}

fn found(world: &World, scene: &Scene<'_>) -> Result<i64, Reply> {
    let id = scene.call.id("runner_id");
    let runner = id.and_then(|id| world.actions.runners.runners.get(id));
    let runner = runner.ok_or_else(|| not_found("Runner not found"))?;
    let scope = scope_of(scene);
    if scope == Scope::Instance || runner.scope == scope {
        Ok(runner.id)
    } else {
        Err(not_found("No permission to access this runner"))
    }
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    let runner = world.actions.runners.runners.get(found(world, scene)?);
    Ok(Reply::ok(
        runner.map(|runner| view(world, runner)).unwrap_or_default(),
    ))
}

static UPDATE: Schema = Schema {
    name: "EditActionRunnerOption",
    fields: &[Field {
        json: "disabled",
        go: "Disabled",
        kind: Kind::Flag,
        rules: &[],
    }],
};

fn update(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &UPDATE)?;
    let id = found(world, scene)?;
    let disabled = body
        .flag("disabled")
        .ok_or_else(|| Reply::error(422, "[Disabled]: Required"))?;
    let runners = &mut world.actions.runners;
    let runner = runners.runners.get(id);
    let scope = runner
        .filter(|runner| runner.disabled != disabled)
        .map(|runner| runner.scope);
    if let Some(scope) = scope {
        runners
            .runners
            .update(id, |runner| runner.disabled = disabled);
        runners.raise_version(scope);
    }
    get(world, scene)
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let id = found(world, scene)?;
    world.actions.runners.runners.remove(id);
    Ok(Reply::no_content())
}

fn make_token(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let token = registration_token(world, scope_of(scene));
    Ok(Reply::ok(json!({ "token": token })))
}
