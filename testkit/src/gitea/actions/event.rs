//! Which workflows an event starts.

use serde_json::{Value, json};

use super::begin::{Beginning, WorkflowFile, begin, workflow_files};
use super::payload::{is_of_job, push_payload};
use super::{faces, schedule};
use crate::gitea::access::{ACTIONS_USER, Mode, Unit};
use crate::gitea::events::{Effects, Event, PushEvent, ZERO_ID};
use crate::gitea::git::{Commit, Git};
use crate::gitea::workflow::{self, PullRequestEvent, PushedRef, Workflow, asks_to_be_skipped};
use crate::gitea::world::World;

/// Something happened; runs are made.
pub(super) fn on_event(world: &mut World, git: &Git, event: &Event, effects: &mut Effects) {
    match event {
        Event::Push(push) if runs_actions(world, push.repo) => on_push(world, git, push, effects),
        Event::Release {
            action,
            repo,
            release,
            doer,
        } if runs_actions(world, *repo) => {
            on_release(world, git, (action, *repo, release, *doer), effects);
        }
        Event::Fork { from, doer, .. } if runs_actions(world, *from) => {
            let payload = json!({"forkee": faces::repository(world, &world.settings.root_url, *from, Mode::Owner)});
            on_default_branch(world, git, ("fork", None, *from, *doer), &payload, effects);
        }
        Event::Issue {
            kind,
            action,
            repo,
            index,
            payload,
            doer,
        } if runs_actions(world, *repo) => {
            let issue = Issue {
                kind,
                action,
                repo: *repo,
                index: *index,
                payload,
                doer: *doer,
            };
            on_issue(world, git, &issue, effects);
        }
        _ => {}
    }
}

fn runs_actions(world: &World, repo: i64) -> bool {
    world
        .repos
        .get(repo)
        .is_some_and(|repo| repo.has(Unit::Actions) && !repo.archived)
}

/// A push is judged by the commit that was pushed, whatever the branch has become since.
fn on_push(world: &mut World, git: &Git, push: &PushEvent, effects: &mut Effects) {
    if push.branch()
        == world
            .repos
            .get(push.repo)
            .map(|repo| repo.default_branch.as_str())
    {
        schedule::look_again(world, git, push.repo, &push.after);
    }
    if is_of_job(push) {
        return;
    }
    if push.is_deletion() {
        let payload = ref_payload(world, push);
        on_default_branch(
            world,
            git,
            ("delete", None, push.repo, push.pusher),
            &payload,
            effects,
        );
        return;
    }
    let Ok(commit) = git.commit(push.repo, &push.after) else {
        return;
    };
    let files = workflow_files(git, push.repo, &commit.id);
    let created = push.is_creation();
    if created && push.branch().is_some() {
        on_create(world, &files, (push, &commit), effects);
    }
    if !asks_to_be_skipped(&commit.message) {
        on_pushed(world, git, &files, (push, &commit), effects);
    }
    if created && push.tag().is_some() {
        on_create(world, &files, (push, &commit), effects);
    }
}

fn on_pushed(
    world: &mut World,
    git: &Git,
    files: &[WorkflowFile],
    (push, commit): (&PushEvent, &Commit),
    effects: &mut Effects,
) {
    let before = match commit.parents.first() {
        _ if !push.is_creation() => push.before.as_str(),
        Some(parent) => parent,
        None => ZERO_ID,
    };
    let changed = git
        .changed_paths(push.repo, before, &commit.id)
        .unwrap_or_default();
    let event = workflow::Event::Push(PushedRef {
        name: &push.reference,
        changed: &changed,
    });
    let started = started_by(files, &event);
    if started.is_empty() {
        return;
    }
    let payload = push_payload(world, git, push);
    for file in started {
        begin(
            world,
            effects,
            file,
            &of_push(push, commit, "push", payload.clone()),
        );
    }
}

fn on_create(
    world: &mut World,
    files: &[WorkflowFile],
    (push, commit): (&PushEvent, &Commit),
    effects: &mut Effects,
) {
    let payload = ref_payload(world, push);
    let event = workflow::Event::Other {
        name: "create",
        action: None,
    };
    for file in started_by(files, &event) {
        begin(
            world,
            effects,
            file,
            &of_push(push, commit, "create", payload.clone()),
        );
    }
}

fn of_push(push: &PushEvent, commit: &Commit, event: &str, payload: Value) -> Beginning {
    Beginning::at(
        (push.repo, event),
        payload,
        push.reference.clone(),
        (push.pusher, commit),
    )
}

/// What is told of a new or deleted branch or tag.
pub(crate) fn ref_payload(world: &World, push: &PushEvent) -> Value {
    let root = &world.settings.root_url;
    let (name, kind) = match (push.branch(), push.tag()) {
        (Some(branch), _) => (branch, "branch"),
        (_, Some(tag)) => (tag, "tag"),
        _ => (push.reference.as_str(), ""),
    };
    let repository = faces::repository(world, root, push.repo, Mode::Owner);
    let sender = faces::user(world, root, push.pusher);
    if push.is_deletion() {
        return json!({
            "ref": name, "ref_type": kind, "pusher_type": "user",
            "repository": repository, "sender": sender,
        });
    }
    json!({
        "sha": push.after, "ref": name, "ref_type": kind,
        "repository": repository, "sender": sender,
    })
}

fn started_by<'f>(files: &'f [WorkflowFile], event: &workflow::Event<'_>) -> Vec<&'f WorkflowFile> {
    let starts = |file: &&WorkflowFile| {
        Workflow::parse(&file.text).is_ok_and(|workflow| workflow.triggers.start_on(event))
    };
    files.iter().filter(starts).collect()
}

/// Events that belong to no commit take the workflows of the default branch.
fn on_default_branch(
    world: &mut World,
    git: &Git,
    (name, action, repo, doer): (&str, Option<&str>, i64, i64),
    payload: &Value,
    effects: &mut Effects,
) {
    let Some(branch) = world
        .repos
        .get(repo)
        .map(|repo| repo.default_branch.clone())
    else {
        return;
    };
    let tip = world
        .references
        .get(repo)
        .and_then(|refs| refs.branch(&branch))
        .map(str::to_owned);
    let Some(commit) = tip.and_then(|tip| git.commit(repo, &tip).ok()) else {
        return;
    };
    if doer == ACTIONS_USER {
        return;
    }
    let files = workflow_files(git, repo, &commit.id);
    for file in started_by(&files, &workflow::Event::Other { name, action }) {
        let beginning = Beginning::at(
            (repo, name),
            payload.clone(),
            format!("refs/heads/{branch}"),
            (doer, &commit),
        );
        begin(world, effects, file, &beginning);
    }
}

/// A release takes the workflows of its tag.
fn on_release(
    world: &mut World,
    git: &Git,
    (action, repo, release, doer): (&str, i64, &Value, i64),
    effects: &mut Effects,
) {
    let tag = release["tag_name"].as_str().unwrap_or_default();
    let root = &world.settings.root_url;
    let payload = json!({
        "action": action,
        "release": release,
        "repository": faces::repository(world, root, repo, Mode::Owner),
        "sender": faces::user(world, root, doer),
    });
    let id = world
        .references
        .get(repo)
        .and_then(|refs| refs.tag(tag))
        .map(str::to_owned);
    let Some(commit) = id.and_then(|id| git.commit(repo, &id).ok()) else {
        return on_default_branch(
            world,
            git,
            ("release", Some(action), repo, doer),
            &payload,
            effects,
        );
    };
    if doer == ACTIONS_USER {
        return;
    }
    let files = workflow_files(git, repo, &commit.id);
    let event = workflow::Event::Other {
        name: "release",
        action: Some(action),
    };
    for file in started_by(&files, &event) {
        let beginning = Beginning::at(
            (repo, "release"),
            payload.clone(),
            format!("refs/tags/{tag}"),
            (doer, &commit),
        );
        begin(world, effects, file, &beginning);
    }
}

/// An event about an issue or a pull request.
struct Issue<'e> {
    kind: &'e str,
    action: &'e str,
    repo: i64,
    index: i64,
    payload: &'e Value,
    doer: i64,
}

fn on_issue(world: &mut World, git: &Git, issue: &Issue<'_>, effects: &mut Effects) {
    let root = &world.settings.root_url;
    let mut payload = json!({
        "action": issue.action,
        "number": issue.index,
        "repository": faces::repository(world, root, issue.repo, Mode::Owner),
        "sender": faces::user(world, root, issue.doer),
    });
    if let (Some(into), Some(own)) = (payload.as_object_mut(), issue.payload.as_object()) {
        into.extend(own.clone());
    }
    if issue.kind.starts_with("pull_request") && issue.payload["pull_request"].is_object() {
        return on_pull_request(world, git, issue, &payload, effects);
    }
    let name = if issue.kind.starts_with("issue_comment") {
        "issue_comment"
    } else {
        "issues"
    };
    let at = (name, Some(issue.action), issue.repo, issue.doer);
    on_default_branch(world, git, at, &payload, effects);
}

/// `pull_request` takes the workflows of the head, `pull_request_target` those of the base.
fn on_pull_request(
    world: &mut World,
    git: &Git,
    issue: &Issue<'_>,
    payload: &Value,
    effects: &mut Effects,
) {
    let pull = &payload["pull_request"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (head_sha, base_sha) = (text(&pull["head"]["sha"]), text(&pull["base"]["sha"]));
    let (head_ref, base_ref) = (text(&pull["head"]["ref"]), text(&pull["base"]["ref"]));
    let Ok(head) = git.commit(issue.repo, &head_sha) else {
        return;
    };
    let of_job = issue.doer == ACTIONS_USER;
    if of_job || asks_to_be_skipped(&head.message) || asks_to_be_skipped(&text(&pull["title"])) {
        return;
    }
    let action = if issue.action == "synchronized" {
        "synchronize"
    } else {
        issue.action
    };
    let tip = world
        .references
        .get(issue.repo)
        .and_then(|refs| refs.branch(&base_ref));
    let base_tip = tip.unwrap_or(&base_sha).to_owned();
    let changed = git
        .changed_paths(issue.repo, &base_sha, &head_sha)
        .unwrap_or_default();
    let from_fork = pull["head"]["repo_id"] != pull["base"]["repo_id"];
    for target in [false, true] {
        let from = if target { &base_tip } else { &head_sha };
        let files = workflow_files(git, issue.repo, from);
        let event = PullRequestEvent {
            target,
            action,
            base: &base_ref,
            changed: &changed,
        };
        for file in started_by(&files, &workflow::Event::PullRequest(event)) {
            let name = if target {
                "pull_request_target"
            } else {
                "pull_request"
            };
            let pull_ref = format!("refs/pull/{}/head", issue.index);
            let at = (issue.repo, name);
            let beginning = Beginning {
                sha: from.clone(),
                base_ref: base_ref.clone(),
                head_ref: head_ref.clone(),
                from_fork: from_fork && !target,
                ..Beginning::at(at, payload.clone(), pull_ref, (issue.doer, &head))
            };
            begin(world, effects, file, &beginning);
        }
    }
}
