//! From an event to deliveries: what is told, and to whom.

use serde_json::{Value, json};

use super::kinds::event_of_type;
use super::{Delivery, Hook, HookScope, filter};
use crate::gitea::access::Mode;
use crate::gitea::actions::WorkflowFile;
use crate::gitea::actions::{faces, job_view, push_payload, ref_payload, run_view, workflow_view};
use crate::gitea::events::{Event, PushEvent, RepositoryEvent};
use crate::gitea::git::Git;
use crate::gitea::world::World;

/// What is to be told.
struct Told<'t> {
    /// The event type, as in a hook's `events`.
    kind: &'t str,
    /// The repository that it is about.
    repo: i64,
    /// That repository's owner.
    owner: i64,
    /// The branch that filters look at.
    branch: Option<&'t str>,
}

pub(super) fn on_event(world: &mut World, git: &Git, event: &Event) {
    match event {
        Event::Push(push) => on_push(world, git, push),
        Event::Repository(event) => on_repository(world, event),
        Event::Fork { from, to, doer } => {
            let root = root(world);
            let payload = json!({
                "forkee": faces::repository(world, &root, *from, Mode::Owner),
                "repository": faces::repository(world, &root, *to, Mode::Owner),
                "sender": faces::user(world, &root, *doer),
            });
            tell_repo(world, ("fork", *from, None), &payload);
        }
        Event::Status { repo, status, doer } => on_status(world, git, (*repo, *status, *doer)),
        Event::Release {
            action,
            repo,
            release,
            doer,
        } => {
            let root = root(world);
            let payload = json!({
                "action": action,
                "release": release,
                "repository": faces::repository(world, &root, *repo, Mode::Owner),
                "sender": faces::user(world, &root, *doer),
            });
            tell_repo(world, ("release", *repo, None), &payload);
        }
        Event::Issue {
            kind,
            action,
            repo,
            index,
            payload,
            doer,
        } => {
            let root = root(world);
            let mut told = json!({
                "action": action,
                "number": index,
                "repository": faces::repository(world, &root, *repo, Mode::Owner),
                "sender": faces::user(world, &root, *doer),
            });
            if let (Some(into), Some(own)) = (told.as_object_mut(), payload.as_object()) {
                into.extend(own.clone());
            }
            tell_repo(world, (kind, *repo, None), &told);
        }
    }
}

fn root(world: &World) -> String {
    world.settings.root_url.clone()
}

/// A new branch is told as both, a deleted one as deleted only; a tag is always told as both.
fn on_push(world: &mut World, git: &Git, push: &PushEvent) {
    let created = push.is_creation();
    let is_tag = push.tag().is_some();
    if push.branch().is_none() && !is_tag {
        return;
    }
    let branch = push.branch().map(str::to_owned);
    let about = |kind| (kind, push.repo, branch.as_deref());
    let first_created = created && !is_tag;
    if first_created && wants(world, "create", push.repo) {
        let payload = ref_payload(world, push);
        tell_repo(world, about("create"), &payload);
    }
    if (!push.is_deletion() || is_tag) && wants(world, "push", push.repo) {
        let payload = push_payload(world, git, push);
        tell_repo(world, about("push"), &payload);
    }
    if created && is_tag && wants(world, "create", push.repo) {
        let payload = ref_payload(world, push);
        tell_repo(world, about("create"), &payload);
    }
    if push.is_deletion() && wants(world, "delete", push.repo) {
        let payload = ref_payload(world, push);
        tell_repo(world, about("delete"), &payload);
    }
}

fn on_repository(world: &mut World, event: &RepositoryEvent) {
    if event.action == "created" {
        copy_defaults(world, event.repo);
    }
    let root = root(world);
    let mut payload = json!({
        "action": event.action,
        "repository": event.body,
        "sender": faces::user(world, &root, event.doer),
    });
    if let Some(mut organization) = faces::organization_user(world, &root, event.owner) {
        payload["organization"] = organization.take();
    }
    let told = Told {
        kind: "repository",
        repo: event.repo,
        owner: event.owner,
        branch: None,
    };
    tell(world, &told, &payload);
}

/// A new repository gets a copy of every default hook.
fn copy_defaults(world: &mut World, repo: i64) {
    let hooks = world.hooks.hooks.iter().map(|(_, hook)| hook);
    let defaults: Vec<Hook> = hooks
        .filter(|hook| hook.scope == HookScope::Default)
        .cloned()
        .collect();
    for hook in defaults {
        let scope = HookScope::Repo(repo);
        let (secret, authorization) = (
            super::api::moved(world, hook.secret.as_ref(), (hook.scope, scope), "secret"),
            super::api::moved(
                world,
                hook.authorization.as_ref(),
                (hook.scope, scope),
                "authorization",
            ),
        );
        let now = world.now();
        world.hooks.hooks.insert(|id| Hook {
            id,
            scope,
            secret,
            authorization,
            created: now,
            updated: now,
            ..hook
        });
    }
}

fn on_status(world: &mut World, git: &Git, (repo, status, doer): (i64, i64, i64)) {
    if !wants(world, "status", repo) {
        return;
    }
    let root = root(world);
    let Some(status) = world.statuses.get(status).cloned() else {
        return;
    };
    let commit = git.commit(repo, &status.sha).ok();
    let branches: Vec<Value> = Vec::new();
    let payload = json!({
        "commit": commit.map(|commit| json!({
            "id": commit.id,
            "message": commit.message,
            "url": "",
            "author": {"name": commit.author.name, "email": commit.author.email, "username": ""},
            "committer": {
                "name": commit.committer.name, "email": commit.committer.email, "username": "",
            },
            "verification": null,
            "timestamp": crate::gitea::clock::rfc3339(commit.committer.seconds),
            "added": null, "removed": null, "modified": null,
        })),
        "branches": branches,
        "context": status.context,
        "created_at": crate::gitea::clock::rfc3339(status.created),
        "description": status.description,
        "id": status.id,
        "repository": faces::repository(world, &root, repo, Mode::Owner),
        "sender": faces::user(world, &root, doer),
        "sha": status.sha,
        "state": status.state,
        "target_url": status.target_url,
        "updated_at": crate::gitea::clock::rfc3339(status.created),
    });
    tell_repo(world, ("status", repo, None), &payload);
}

/// Tells how far a run is: `requested`, `in_progress`, `completed`.
pub(crate) fn workflow_run(world: &mut World, run: i64, action: &str) {
    let Some(run) = world.actions.runs.get(run).cloned() else {
        return;
    };
    if !wants(world, "workflow_run", run.repo) {
        return;
    }
    let root = root(world);
    let file = WorkflowFile {
        folder: if run.folder.starts_with(".github") {
            ".github/workflows"
        } else {
            ".gitea/workflows"
        },
        id: run.workflow.clone(),
        text: String::new(),
    };
    let mut workflow = workflow_view(world, &root, run.repo, &file);
    if !run.name.is_empty() {
        workflow["name"] = json!(run.name);
    }
    let payload = json!({
        "action": action,
        "workflow": workflow,
        "workflow_run": run_view(world, &root, &run),
    });
    tell_of_work(world, ("workflow_run", run.repo, run.actor), payload);
}

/// Tells how far a job is, in the words of the API.
pub(crate) fn workflow_job(world: &mut World, job: i64) {
    let Some(job) = world.actions.jobs.get(job).cloned() else {
        return;
    };
    if !wants(world, "workflow_job", job.repo) {
        return;
    }
    let Some(actor) = world.actions.runs.get(job.run).map(|run| run.actor) else {
        return;
    };
    let view = job_view(world, &root(world), &job);
    let payload = json!({"action": view["status"], "workflow_job": view});
    tell_of_work(world, ("workflow_job", job.repo, actor), payload);
}

fn tell_of_work(world: &mut World, (kind, repo, actor): (&str, i64, i64), mut payload: Value) {
    let root = root(world);
    let owner = world.repos.get(repo).map_or(0, |repo| repo.owner);
    if let Some(organization) = faces::organization(world, &root, owner) {
        payload["organization"] = organization;
    }
    payload["repository"] = faces::repository(world, &root, repo, Mode::Owner);
    payload["sender"] = faces::user(world, &root, actor);
    tell_repo(world, (kind, repo, None), &payload);
}

fn tell_repo(world: &mut World, (kind, repo, branch): (&str, i64, Option<&str>), payload: &Value) {
    let owner = world.repos.get(repo).map_or(0, |repo| repo.owner);
    tell(
        world,
        &Told {
            kind,
            repo,
            owner,
            branch,
        },
        payload,
    );
}

/// Whether anybody hears such an event: what nobody hears need not be made.
fn wants(world: &World, kind: &str, repo: i64) -> bool {
    let owner = world.repos.get(repo).map_or(0, |repo| repo.owner);
    let told = Told {
        kind,
        repo,
        owner,
        branch: None,
    };
    world.hooks.hooks.iter().any(|(_, hook)| hears(hook, &told))
}

fn hears(hook: &Hook, told: &Told<'_>) -> bool {
    let in_scope = match hook.scope {
        HookScope::Repo(repo) => repo == told.repo,
        HookScope::Owner(owner) => owner == told.owner,
        HookScope::System => true,
        HookScope::Default => false,
    };
    in_scope
        && hook.active
        && hook.events.iter().any(|event| event == told.kind)
        && told
            .branch
            .is_none_or(|branch| filter::lets_through(&hook.branch_filter, branch))
}

fn tell(world: &mut World, told: &Told<'_>, payload: &Value) {
    let hooks = world
        .hooks
        .hooks
        .iter()
        .filter(|(_, hook)| hears(hook, told));
    let hooks: Vec<i64> = hooks.map(|(id, _)| id).collect();
    if hooks.is_empty() {
        return;
    }
    let payload = format!("{payload:#}");
    for hook in hooks {
        queue(world, hook, told.kind, payload.clone());
    }
}

/// Puts a payload in line for one hook.
pub(super) fn queue(world: &mut World, hook: i64, kind: &str, payload: String) {
    let delivery = Delivery {
        hook,
        uuid: world.random.uuid(),
        event: event_of_type(kind).to_owned(),
        event_type: kind.to_owned(),
        payload,
        created: world.now(),
        verdict: None,
    };
    world.hooks.deliveries.insert(|_| delivery);
}
