//! What stands around issues: pins, followers, what issues may depend on, templates.

use serde_json::{Value, json};

use super::{READ, SIGNED, addresses, found, on_repo, shown};
use crate::gitea::api::repos::REPO;
use crate::gitea::api::users;
use crate::gitea::clock::rfc3339;
use crate::gitea::page::listed;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::{Issue, World};

const PIN: &str = "/repos/{owner}/{repo}/issues/{index}/pin";
const SUBSCRIPTION: &str = "/repos/{owner}/{repo}/issues/{index}/subscriptions/{user}";
const ADMIN: &[Need] = &[Need::SignedIn, Need::RepoAdmin];

pub(crate) const ROUTES: &[Route] = &[
    on_repo("POST", PIN, ADMIN, Run::Write(pin)),
    on_repo("DELETE", PIN, ADMIN, Run::Write(unpin)),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/issues/pinned",
        READ,
        Run::Read(pinned),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/new_pin_allowed",
        READ,
        Run::Read(may_pin),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/issues/{index}/dependencies",
        READ,
        Run::Read(none_of_issue),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/issues/{index}/blocks",
        READ,
        Run::Read(none_of_issue),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/issues/{index}/times",
        READ,
        Run::Read(none_of_issue),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/issues/{index}/subscriptions",
        READ,
        Run::Read(subscribers),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/issues/{index}/subscriptions/check",
        SIGNED,
        Run::Read(subscription),
    ),
    on_repo("PUT", SUBSCRIPTION, SIGNED, Run::Read(subscribed)),
    on_repo("DELETE", SUBSCRIPTION, SIGNED, Run::Read(subscribed)),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/times",
        READ,
        Run::Read(nothing),
    ),
    Route {
        method: "GET",
        path: "/repos/{owner}/{repo}/issue_templates",
        place: Place::Repo,
        scopes: REPO,
        needs: &[],
        run: Run::Read(no_templates),
    },
    Route {
        method: "GET",
        path: "/repos/{owner}/{repo}/issue_config",
        place: Place::Repo,
        scopes: REPO,
        needs: &[],
        run: Run::Read(config),
    },
    Route {
        method: "GET",
        path: "/repos/{owner}/{repo}/issue_config/validate",
        place: Place::Repo,
        scopes: REPO,
        needs: &[],
        run: Run::Read(valid_config),
    },
];

/// How many issues, and how many pull requests, may be pinned.
const PINNED_MAX: usize = 3;

fn pinned_of(world: &World, repo: i64, is_pull: bool) -> Vec<&Issue> {
    let all = world.issues.of(repo).map(|(_, issue)| issue);
    let mut found: Vec<&Issue> = all
        .filter(|issue| issue.pin > 0 && issue.pull.is_some() == is_pull)
        .collect();
    found.sort_by_key(|issue| issue.pin);
    found
}

fn pin(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let issue = found(world, scene)?;
    let (id, have) = (issue.id, pinned_of(world, scene.repo, issue.pull.is_some()));
    if issue.pin > 0 {
        return Ok(Reply::no_content());
    }
    if have.len() >= PINNED_MAX {
        return Err(Reply::error(
            400,
            "The max amount of pinned issues has been reached",
        ));
    }
    let place = have.last().map_or(1, |last| last.pin + 1);
    world.issues.update(id, |issue| issue.pin = place);
    Ok(Reply::no_content())
}

fn unpin(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let id = found(world, scene)?.id;
    world.issues.update(id, |issue| issue.pin = 0);
    Ok(Reply::no_content())
}

fn pinned(world: &World, scene: &Scene<'_>) -> Answer {
    let found = pinned_of(world, scene.repo, false);
    Ok(Reply::ok(
        found
            .into_iter()
            .map(|issue| shown(world, scene, issue))
            .collect(),
    ))
}

fn may_pin(world: &World, scene: &Scene<'_>) -> Answer {
    let may = |is_pull| pinned_of(world, scene.repo, is_pull).len() < PINNED_MAX;
    Ok(Reply::ok(
        json!({ "issues": may(false), "pull_requests": may(true) }),
    ))
}

fn none_of_issue(world: &World, scene: &Scene<'_>) -> Answer {
    found(world, scene)?;
    nothing(world, scene)
}

fn nothing(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(listed(scene.call, &world.settings, &[], |value: &Value| {
        value.clone()
    }))
}

/// Who follows an issue: whoever watches the repository, wrote it or does it.
fn followers(world: &World, issue: &Issue) -> Vec<i64> {
    let watching = world
        .owners
        .iter()
        .filter(|(_, user)| user.watching.contains(&issue.repo));
    let mut ids: Vec<i64> = watching.map(|(id, _)| id).chain([issue.poster]).collect();
    ids.extend(&issue.assignees);
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn subscribers(world: &World, scene: &Scene<'_>) -> Answer {
    let ids = followers(world, found(world, scene)?);
    let users: Vec<_> = ids
        .into_iter()
        .filter_map(|id| world.owners.get(id))
        .collect();
    Ok(users::count(world, scene, &users))
}

fn subscription(world: &World, scene: &Scene<'_>) -> Answer {
    let issue = found(world, scene)?;
    let (api, _) = addresses(world, &scene.call.base, issue);
    let subscribed = followers(world, issue).contains(&scene.doer_id());
    Ok(Reply::ok(json!({
        "subscribed": subscribed, "ignored": !subscribed, "reason": null,
        "created_at": rfc3339(issue.created), "url": format!("{api}/subscriptions"),
        "repository_url": api.rsplit_once("/issues/").map_or("", |(repo, _)| repo),
    })))
}

/// Following is not kept apart from watching; the wish is answered as one that was granted before.
fn subscribed(world: &World, scene: &Scene<'_>) -> Answer {
    found(world, scene)?;
    Ok(Reply::empty(200))
}

fn no_templates(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(Value::Null))
}

fn config(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(
        json!({ "blank_issues_enabled": true, "contact_links": [] }),
    ))
}

fn valid_config(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(json!({ "valid": true, "message": "" })))
}
