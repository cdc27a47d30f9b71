//! Statuses of commits, and what they come to together.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::commits::{self, Addresses};
use super::repos::{self, REPO};
use crate::gitea::access::Unit;
use crate::gitea::api::users::{self, View};
use crate::gitea::bind::{Schema, bind, text};
use crate::gitea::clock::rfc3339;
use crate::gitea::events::Event;
use crate::gitea::page::Page;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Found, Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::{CommitStatus, World};

const READ: &[Need] = &[Need::Reader(&[Unit::Code])];

pub(crate) const ROUTES: &[Route] = &[
    read("/repos/{owner}/{repo}/statuses/{sha}", of_id),
    read("/repos/{owner}/{repo}/commits/{sha}/statuses", of_name),
    read("/repos/{owner}/{repo}/commits/{sha}/status", combined),
    read("/repos/{owner}/{repo}/commits/*", slashed),
    Route {
        method: "POST",
        path: "/repos/{owner}/{repo}/statuses/{sha}",
        place: Place::Repo,
        scopes: REPO,
        needs: &[Need::SignedIn, Need::Writer(&[Unit::Code])],
        run: Run::Write(create),
    },
];

const fn read(path: &'static str, run: fn(&World, &Scene<'_>) -> Answer) -> Route {
    Route {
        method: "GET",
        path,
        place: Place::Repo,
        scopes: REPO,
        needs: READ,
        run: Run::Read(run),
    }
}

/// A status as the API answers it.
pub(crate) fn view(world: &World, base: &str, api: &str, status: &CommitStatus) -> Value {
    let creator = world
        .owners
        .get(status.creator)
        .map_or(Value::Null, |user| {
            users::user(world, base, user, View::Anonymous)
        });
    json!({
        "id": status.index,
        "status": status.state,
        "target_url": status.target_url,
        "description": status.description,
        "url": format!("{api}/statuses/{}", status.sha),
        "context": status.context,
        "creator": creator,
        "created_at": rfc3339(status.created),
        "updated_at": rfc3339(status.created),
    })
}

/// Adds a status to a commit and answers the row's id.
pub(crate) fn add(world: &mut World, mut status: CommitStatus) -> i64 {
    status.created = world.now();
    status.index = world
        .statuses
        .of(status.repo)
        .filter(|(_, row)| row.sha == status.sha)
        .count() as i64
        + 1;
    world.statuses.insert(|id| CommitStatus { id, ..status })
}

fn of<'w>(world: &'w World, repo: i64, sha: &str) -> Vec<&'w CommitStatus> {
    world
        .statuses
        .of(repo)
        .map(|(_, row)| row)
        .filter(|row| row.sha == sha)
        .collect()
}

static CREATE: Schema = Schema {
    name: "CreateStatusOption",
    fields: &[
        text("state", "State"),
        text("target_url", "TargetURL"),
        text("description", "Description"),
        text("context", "Context"),
    ],
};

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let name = scene.call.param("sha");
    let Some(sha) = commits::named_or_short(world, scene, name) else {
        return Err(scene.internal(&format!(
            "GetCommit[{name}]: object does not exist [id: {name}, rel_path: ]"
        )));
    };
    let context = body
        .text("context")
        .filter(|context| !context.is_empty())
        .unwrap_or("default");
    let row = CommitStatus {
        id: 0,
        index: 0,
        repo: scene.repo,
        sha,
        state: body.text_or_empty("state").to_owned(),
        target_url: body.text_or_empty("target_url").to_owned(),
        description: body.text_or_empty("description").to_owned(),
        context: context.to_owned(),
        creator: scene.doer_id(),
        created: 0,
    };
    let id = add(world, row);
    scene.effects.events.push(Event::Status {
        repo: scene.repo,
        status: id,
        doer: scene.doer_id(),
    });
    let status = world.statuses.get(id).ok_or_else(Reply::not_found)?;
    Ok(Reply::created(view(
        world,
        &scene.call.base,
        &Addresses::of(world, scene)?.api,
        status,
    )))
}

/// By the whole id of a commit: other names of it have none.
fn of_id(world: &World, scene: &Scene<'_>) -> Answer {
    list(world, scene, scene.call.param("sha"))
}

fn of_name(world: &World, scene: &Scene<'_>) -> Answer {
    let name = scene.call.param("sha");
    list(world, scene, &commit_of(world, scene, name)?)
}

/// The same two for names whose slashes are not encoded.
fn slashed(world: &World, scene: &Scene<'_>) -> Answer {
    let path = scene.call.param("*");
    if let Some(name) = path.strip_suffix("/statuses") {
        list(world, scene, &commit_of(world, scene, name)?)
    } else if let Some(name) = path.strip_suffix("/status") {
        combination(world, scene, name)
    } else {
        Err(Found::Nothing.refusal())
    }
}

fn commit_of(world: &World, scene: &Scene<'_>, name: &str) -> Result<String, Reply> {
    let missing =
        || Reply::not_found_because(format!("object does not exist [id: {name}, rel_path: ]"));
    commits::named_or_short(world, scene, name).ok_or_else(missing)
}

fn list(world: &World, scene: &Scene<'_>, sha: &str) -> Answer {
    const STATES: [&str; 5] = ["pending", "success", "error", "failure", "warning"];
    let call = scene.call;
    let mut rows = of(world, scene.repo, sha);
    if let Some(state) = call.query("state").filter(|state| STATES.contains(state)) {
        rows.retain(|row| row.state == state);
    }
    // Those of one second stay in the order in which they came.
    match call.query("sort").unwrap_or_default() {
        "oldest" | "leastupdate" | "highestindex" => {}
        "leastindex" => rows.reverse(),
        _ => rows.sort_by_key(|row| std::cmp::Reverse(row.created)),
    }
    let api = Addresses::of(world, scene)?.api;
    Ok(crate::gitea::page::listed(
        call,
        &world.settings,
        &rows,
        |row| view(world, &call.base, &api, row),
    ))
}

/// The newest status of each context, newest first.
pub(crate) fn newest<'w>(world: &'w World, repo: i64, sha: &str) -> Vec<&'w CommitStatus> {
    let mut by_context: BTreeMap<&str, &CommitStatus> = BTreeMap::new();
    for row in of(world, repo, sha) {
        by_context.insert(&row.context, row);
    }
    let mut rows: Vec<&CommitStatus> = by_context.into_values().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.index));
    rows
}

/// What statuses come to: the worst of them.
#[must_use]
pub(crate) fn worst(rows: &[&CommitStatus]) -> &'static str {
    let any = |words: &[&str]| rows.iter().any(|row| words.contains(&row.state.as_str()));
    if any(&["failure", "error", "warning"]) {
        return "failure";
    }
    let done = rows
        .iter()
        .all(|row| matches!(row.state.as_str(), "success" | "skipped"));
    if done && !rows.is_empty() {
        "success"
    } else {
        "pending"
    }
}

fn combined(world: &World, scene: &Scene<'_>) -> Answer {
    combination(world, scene, scene.call.param("sha"))
}

fn combination(world: &World, scene: &Scene<'_>, name: &str) -> Answer {
    let call = scene.call;
    let sha = commit_of(world, scene, name)?;
    let rows = newest(world, scene.repo, &sha);
    let page = Page::of(call, &world.settings);
    // The newest are chosen, and then shown in the order in which they came.
    let mut shown = page.slice(&rows).to_vec();
    shown.reverse();
    let api = Addresses::of(world, scene)?.api;
    let statuses: Vec<Value> = shown
        .iter()
        .map(|row| view(world, &call.base, &api, row))
        .collect();
    let repo = scene.repository(world)?;
    Ok(Reply::ok(json!({
        "state": worst(&shown),
        "sha": sha,
        "total_count": shown.len(),
        "statuses": if statuses.is_empty() { Value::Null } else { Value::Array(statuses) },
        "repository": repos::view(world, &call.base, scene.doer.as_ref(), repo, &scene.access_to(world, repo)),
        "commit_url": format!("{api}/commits/{sha}"),
        "url": format!("{api}/commits/{sha}/status"),
    }))
    .with_paging(call, &world.settings, page, rows.len()))
}
