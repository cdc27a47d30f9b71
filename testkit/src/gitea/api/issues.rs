//! Issues: opened, listed, edited and closed; comments, labels and milestones are not here yet.

use serde_json::{Value, json};

use super::repos::REPO;
use crate::gitea::access::{Mode, Unit};
use crate::gitea::api::users::{self, View};
use crate::gitea::bind::{Kind, Rule, Schema, bind, flag, of, ruled, text};
use crate::gitea::clock::rfc3339;
use crate::gitea::page::listed;
use crate::gitea::permission;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::{Issue, World};

const ISSUE: &[&[Category]] = &[&[Category::Issue]];
const BOTH: &[Unit] = &[Unit::Issues, Unit::Pulls];
const READ: &[Need] = &[Need::UnitOn(BOTH), Need::Reader(BOTH)];
const SIGNED: &[Need] = &[
    Need::SignedIn,
    Need::UnitOn(BOTH),
    Need::NotArchived,
    Need::Reader(BOTH),
];

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/repos/issues/search",
        place: Place::Nowhere,
        scopes: ISSUE,
        needs: &[],
        run: Run::Read(search),
    },
    on_repo("GET", "/repos/{owner}/{repo}/issues", READ, Run::Read(list)),
    on_repo(
        "POST",
        "/repos/{owner}/{repo}/issues",
        SIGNED,
        Run::Write(create),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/issues/{index}",
        READ,
        Run::Read(get),
    ),
    on_repo(
        "PATCH",
        "/repos/{owner}/{repo}/issues/{index}",
        SIGNED,
        Run::Write(edit),
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
        path: "/repos/{owner}/{repo}/branch_protections",
        place: Place::Repo,
        scopes: REPO,
        needs: &[Need::SignedIn, Need::RepoAdmin],
        run: Run::Read(no_rules),
    },
];

const fn on_repo(
    method: &'static str,
    path: &'static str,
    needs: &'static [Need],
    run: Run,
) -> Route {
    Route {
        method,
        path,
        place: Place::Repo,
        scopes: ISSUE,
        needs,
        run,
    }
}

fn view(world: &World, scene: &Scene<'_>, issue: &Issue) -> Value {
    let base = &scene.call.base;
    let repo = world.repos.get(issue.repo);
    let full_name = repo
        .map(|repo| permission::full_name(world, repo))
        .unwrap_or_default();
    let time = |at: i64| {
        if at == 0 {
            Value::Null
        } else {
            json!(rfc3339(at))
        }
    };
    json!({
        "id": issue.id,
        "url": format!("{base}/api/v1/repos/{full_name}/issues/{}", issue.index),
        "html_url": format!("{base}/{full_name}/issues/{}", issue.index),
        "number": issue.index,
        "user": users::user_by_id(world, base, issue.poster, View::of(scene.doer.as_ref(), issue.poster)),
        "original_author": "",
        "original_author_id": 0,
        "title": issue.title,
        "body": issue.body,
        "ref": issue.reference,
        "assets": [],
        "labels": [],
        "milestone": null,
        "assignee": null,
        "assignees": null,
        "state": if issue.closed == 0 { "open" } else { "closed" },
        "is_locked": false,
        "comments": 0,
        "created_at": rfc3339(issue.created),
        "updated_at": rfc3339(issue.updated),
        "closed_at": time(issue.closed),
        "due_date": time(issue.due),
        "time_estimate": 0,
        "pull_request": null,
        "repository": {
            "id": issue.repo,
            "name": repo.map_or("", |repo| repo.name.as_str()),
            "owner": full_name.split('/').next().unwrap_or_default(),
            "full_name": full_name,
        },
        "pin_order": 0,
        "content_version": issue.version,
    })
}

/// The newest first, as far as `state` and `q` want them.
fn chosen<'w>(scene: &Scene<'_>, issues: impl Iterator<Item = &'w Issue>) -> Vec<&'w Issue> {
    let state = scene.call.query("state").unwrap_or("open").to_owned();
    let word = scene.call.query("q").unwrap_or_default().to_lowercase();
    let only_pulls = scene.call.query("type") == Some("pulls");
    let fits = |issue: &&Issue| {
        let open = issue.closed == 0;
        let stands = match state.as_str() {
            "all" => true,
            "closed" => !open,
            _ => open,
        };
        stands && !only_pulls && issue.title.to_lowercase().contains(&word)
    };
    let mut found: Vec<&Issue> = issues.filter(fits).collect();
    found.sort_by_key(|issue| std::cmp::Reverse(issue.id));
    found
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let found = chosen(scene, world.issues.of(scene.repo).map(|(_, issue)| issue));
    Ok(listed(scene.call, &world.settings, &found, |issue| {
        view(world, scene, issue)
    }))
}

fn search(world: &World, scene: &Scene<'_>) -> Answer {
    let readable = |issue: &&Issue| {
        let repo = world.repos.get(issue.repo);
        repo.is_some_and(|repo| scene.access_to(world, repo).to(Unit::Issues) >= Mode::Read)
    };
    let found = chosen(
        scene,
        world.issues.iter().map(|(_, issue)| issue).filter(readable),
    );
    Ok(listed(scene.call, &world.settings, &found, |issue| {
        view(world, scene, issue)
    }))
}

fn found<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Issue, Reply> {
    let index = scene.call.id("index").ok_or_else(Reply::not_found)?;
    world
        .issues
        .find(&format!("{}/{index}", scene.repo))
        .ok_or_else(Reply::not_found)
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(Reply::ok(view(world, scene, found(world, scene)?)))
}

static CREATE: Schema = Schema {
    name: "CreateIssueOption",
    fields: &[
        ruled("title", "Title", &[Rule::Required]),
        text("body", "Body"),
        text("ref", "Ref"),
        text("assignee", "Assignee"),
        of("assignees", "Assignees", Kind::Texts),
        of("due_date", "Deadline", Kind::Time),
        of("milestone", "Milestone", Kind::Number("int64")),
        of("labels", "Labels", Kind::Numbers),
        flag("closed", "Closed"),
    ],
};

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let (now, repo, poster) = (world.now(), scene.repo, scene.doer_id());
    let index = world
        .repos
        .update(repo, |repo| {
            repo.last_index += 1;
            repo.last_index
        })
        .ok_or_else(Reply::not_found)?;
    let id = world.issues.insert(|id| Issue {
        id,
        repo,
        index,
        poster,
        title: body.text_or_empty("title").to_owned(),
        body: body.text_or_empty("body").to_owned(),
        reference: body.text_or_empty("ref").to_owned(),
        closed: if body.flag("closed") == Some(true) {
            now
        } else {
            0
        },
        due: body.time("due_date").map_or(0, |time| time.0),
        version: 0,
        created: now,
        updated: now,
    });
    Ok(Reply::created(view(
        world,
        scene,
        world.issues.get(id).ok_or_else(Reply::not_found)?,
    )))
}

static EDIT: Schema = Schema {
    name: "EditIssueOption",
    fields: &[
        text("title", "Title"),
        text("body", "Body"),
        text("ref", "Ref"),
        text("state", "State"),
        of("assignees", "Assignees", Kind::Texts),
        of("due_date", "Deadline", Kind::Time),
        flag("unset_due_date", "RemoveDeadline"),
    ],
};

fn edit(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &EDIT)?;
    let issue = found(world, scene)?;
    let (id, poster) = (issue.id, issue.poster);
    if scene.access.to(Unit::Issues) < Mode::Write && poster != scene.doer_id() {
        return Err(Reply::empty(403));
    }
    let now = world.now();
    world.issues.update(id, |issue| {
        if let Some(title) = body.text("title").filter(|title| !title.is_empty()) {
            title.clone_into(&mut issue.title);
        }
        if let Some(text) = body.text("body") {
            issue.version += i64::from(issue.body != text);
            text.clone_into(&mut issue.body);
        }
        match body.text("state") {
            Some("closed") if issue.closed == 0 => issue.closed = now,
            Some("open") => issue.closed = 0,
            _ => {}
        }
        issue.due = body.time("due_date").map_or(issue.due, |time| time.0);
        if body.flag("unset_due_date") == Some(true) {
            issue.due = 0;
        }
        issue.updated = now;
    });
    Ok(Reply::created(view(world, scene, found(world, scene)?)))
}

fn no_templates(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(Value::Null))
}

fn no_rules(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(Value::Array(Vec::new())))
}
