//! Issues: opened, listed, edited, closed and pinned; a pull request is an issue, too.

use serde_json::{Value, json};

use super::{labels, milestones, pulls};
use crate::gitea::access::{Doer, Mode, Unit};
use crate::gitea::api::users::{self, View};
use crate::gitea::bind::{Body, Kind, Rule, Schema, bind, flag, number, of, ruled, text};
use crate::gitea::clock::{parse, rfc3339};
use crate::gitea::events::Event;
use crate::gitea::page::listed;
use crate::gitea::permission;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::{Comment, CommentKind, Issue, World};

pub(crate) mod around;

pub(super) const ISSUE: &[&[Category]] = &[&[Category::Issue]];
const BOTH: &[Unit] = &[Unit::Issues, Unit::Pulls];
pub(super) const READ: &[Need] = &[Need::UnitOn(BOTH), Need::Reader(BOTH)];
pub(super) const SIGNED: &[Need] = &[
    Need::SignedIn,
    Need::UnitOn(BOTH),
    Need::NotArchived,
    Need::Reader(BOTH),
];

const ALL: &str = "/repos/{owner}/{repo}/issues";
const ONE: &str = "/repos/{owner}/{repo}/issues/{index}";

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/repos/issues/search",
        place: Place::Nowhere,
        scopes: ISSUE,
        needs: &[],
        run: Run::Read(search),
    },
    on_repo("GET", ALL, READ, Run::Read(list)),
    on_repo("POST", ALL, SIGNED, Run::Write(create)),
    on_repo("GET", ONE, READ, Run::Read(get)),
    on_repo("PATCH", ONE, SIGNED, Run::Write(edit)),
    on_repo(
        "DELETE",
        ONE,
        &[Need::SignedIn, Need::RepoAdmin],
        Run::Write(delete),
    ),
    on_repo(
        "POST",
        "/repos/{owner}/{repo}/issues/{index}/deadline",
        SIGNED,
        Run::Write(set_deadline),
    ),
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

/// The unit whose rights count.
#[must_use]
pub(crate) fn unit(issue: &Issue) -> Unit {
    if issue.pull.is_some() {
        Unit::Pulls
    } else {
        Unit::Issues
    }
}

/// The addresses of an issue: that of the API and that of the website.
pub(crate) fn addresses(world: &World, base: &str, issue: &Issue) -> (String, String) {
    let repo = world.repos.get(issue.repo);
    let full_name = repo
        .map(|repo| permission::full_name(world, repo))
        .unwrap_or_default();
    let folder = if issue.pull.is_some() {
        "pulls"
    } else {
        "issues"
    };
    (
        format!("{base}/api/v1/repos/{full_name}/issues/{}", issue.index),
        format!("{base}/{full_name}/{folder}/{}", issue.index),
    )
}

/// How many comments an issue has.
pub(crate) fn comment_count(world: &World, issue: i64) -> usize {
    let said = world.comments.of(issue);
    said.filter(|(_, comment)| matches!(comment.kind, CommentKind::Comment | CommentKind::Code))
        .count()
}

/// A moment, or null for 0.
pub(crate) fn time(at: i64) -> Value {
    if at == 0 {
        Value::Null
    } else {
        json!(rfc3339(at))
    }
}

/// Several users, as somebody sees them; null for none.
fn people(world: &World, base: &str, doer: Option<&Doer>, ids: &[i64]) -> Value {
    if ids.is_empty() {
        return Value::Null;
    }
    ids.iter()
        .map(|id| users::user_by_id(world, base, *id, View::of(doer, *id)))
        .collect()
}

/// An issue as the API answers it to somebody.
pub(crate) fn view(world: &World, base: &str, doer: Option<&Doer>, issue: &Issue) -> Value {
    let repo = world.repos.get(issue.repo);
    let full_name = repo
        .map(|repo| permission::full_name(world, repo))
        .unwrap_or_default();
    let (api, web) = addresses(world, base, issue);
    let pull = issue.pull.as_ref().map(|pull| {
        json!({
            "merged": pull.merged.is_some(),
            "merged_at": time(pull.merged.as_ref().map_or(0, |merged| merged.at)),
            "draft": pulls::is_draft(&issue.title),
            "html_url": web,
        })
    });
    let milestone = world.milestones.get(issue.milestone);
    let assignees = people(world, base, doer, &issue.assignees);
    json!({
        "id": issue.id,
        "url": api,
        "html_url": web,
        "number": issue.index,
        "user": users::user_by_id(world, base, issue.poster, View::of(doer, issue.poster)),
        "original_author": "",
        "original_author_id": 0,
        "title": issue.title,
        "body": issue.body,
        "ref": issue.reference,
        "assets": [],
        "labels": labels::views(world, base, &issue.labels),
        "milestone": milestone.map(|milestone| milestones::view(world, milestone)),
        "assignee": assignees.get(0).cloned(),
        "assignees": assignees,
        "state": if issue.closed == 0 { "open" } else { "closed" },
        "is_locked": issue.locked,
        "comments": comment_count(world, issue.id),
        "created_at": rfc3339(issue.created),
        "updated_at": rfc3339(issue.updated),
        "closed_at": time(issue.closed),
        "due_date": time(issue.due),
        "time_estimate": 0,
        "pull_request": pull,
        "repository": {
            "id": issue.repo,
            "name": repo.map_or("", |repo| repo.name.as_str()),
            "owner": full_name.split('/').next().unwrap_or_default(),
            "full_name": full_name,
        },
        "pin_order": issue.pin,
        "content_version": issue.version,
    })
}

fn shown(world: &World, scene: &Scene<'_>, issue: &Issue) -> Value {
    view(world, &scene.call.base, scene.doer.as_ref(), issue)
}

/// Writes down what somebody did, and answers its id.
pub(crate) fn note(
    world: &mut World,
    scene: &Scene<'_>,
    issue: i64,
    kind: CommentKind,
    body: &str,
) -> i64 {
    note_by(world, scene.doer_id(), issue, kind, body)
}

/// The same for anybody.
pub(crate) fn note_by(
    world: &mut World,
    poster: i64,
    issue: i64,
    kind: CommentKind,
    body: &str,
) -> i64 {
    let now = world.now();
    let repo = world.issues.get(issue).map_or(0, |issue| issue.repo);
    world.comments.insert(|id| Comment {
        id,
        repo,
        issue,
        poster,
        kind,
        body: body.to_owned(),
        created: now,
        updated: now,
        reactions: Vec::new(),
        review: 0,
        place: None,
        commit: String::new(),
        resolver: 0,
    })
}

/// What an event is about.
#[derive(Clone, Copy)]
pub(crate) enum Told<'t> {
    /// The issue itself.
    Itself,
    /// Its labels.
    Labels,
    /// Its assignees.
    Assignees,
    /// Its milestone.
    Milestone,
    /// A comment on it.
    Comment(&'t Comment),
    /// The head of a pull request moved.
    Sync,
}

/// Tells Actions and webhooks what was done with an issue.
pub(crate) fn tell(
    world: &World,
    scene: &mut Scene<'_>,
    issue: i64,
    told: Told<'_>,
    action: &'static str,
) {
    let doer = scene.doer_id();
    if let Some(event) = event(world, doer, issue, &told, action) {
        scene.effects.events.push(event);
    }
}

/// The event that tells it.
pub(crate) fn event(
    world: &World,
    doer: i64,
    issue: i64,
    told: &Told<'_>,
    action: &'static str,
) -> Option<Event> {
    let issue = world.issues.get(issue)?;
    let base = &world.settings.root_url;
    let is_pull = issue.pull.is_some();
    let kind = match (told, is_pull) {
        (Told::Itself, false) => "issues",
        (Told::Itself, true) => "pull_request",
        (Told::Sync, _) => "pull_request_sync",
        (Told::Labels, false) => "issue_label",
        (Told::Labels, true) => "pull_request_label",
        (Told::Assignees, false) => "issue_assign",
        (Told::Assignees, true) => "pull_request_assign",
        (Told::Milestone, false) => "issue_milestone",
        (Told::Milestone, true) => "pull_request_milestone",
        (Told::Comment(_), false) => "issue_comment",
        (Told::Comment(_), true) => "pull_request_comment",
    };
    let mut payload = match told {
        Told::Comment(comment) => json!({
            "issue": view(world, base, None, issue),
            "comment": super::comments::view(world, base, comment),
            "is_pull": is_pull,
        }),
        _ if is_pull => json!({
            "commit_id": "", "requested_reviewer": null, "review": null,
            "pull_request": pulls::view(world, base, doer, issue)?,
        }),
        _ => json!({ "commit_id": "", "issue": view(world, base, None, issue) }),
    };
    if is_pull && matches!(told, Told::Comment(_)) {
        payload["pull_request"] = pulls::view(world, base, doer, issue)?;
    }
    Some(Event::Issue {
        kind,
        action,
        repo: issue.repo,
        index: issue.index,
        payload,
        doer,
    })
}

/// The numbers or texts of a query parameter that is a list with commas.
fn words<'c>(scene: &'c Scene<'_>, name: &str) -> Vec<&'c str> {
    let text = scene.call.query(name).unwrap_or_default();
    text.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect()
}

/// The newest first, as far as the query wants them.
fn chosen<'w>(
    world: &World,
    scene: &Scene<'_>,
    issues: impl Iterator<Item = &'w Issue>,
) -> Vec<&'w Issue> {
    let query = |name: &str| scene.call.query(name).filter(|text| !text.is_empty());
    let word = query("q").unwrap_or_default().to_lowercase();
    let (labels, milestones) = (words(scene, "labels"), words(scene, "milestones"));
    let user = |name: &str| query(name).map(|name| world.owner(name).map_or(-1, |(id, _)| id));
    let (by, to) = (user("created_by"), user("assigned_by"));
    let moment = |name: &str| query(name).and_then(parse).map(|time| time.0);
    let (since, before) = (moment("since"), moment("before"));
    let has_label = |issue: &Issue, wanted: &str| {
        issue.labels.iter().any(|id| {
            let label = world.labels.get(*id);
            label.is_some_and(|label| label.name == wanted || label.id.to_string() == wanted)
        })
    };
    let has_milestone = |issue: &Issue| {
        let milestone = world.milestones.get(issue.milestone);
        milestone.is_some_and(|found| {
            milestones
                .iter()
                .any(|name| found.title == *name || found.id.to_string() == *name)
        })
    };
    let fits = |issue: &&Issue| {
        let open = issue.closed == 0;
        let stands = match query("state") {
            Some("all") => true,
            Some("closed") => !open,
            _ => open,
        };
        let typed = match query("type") {
            Some("pulls") => issue.pull.is_some(),
            Some("issues") => issue.pull.is_none(),
            _ => true,
        };
        stands
            && typed
            && issue.title.to_lowercase().contains(&word)
            && labels.iter().all(|label| has_label(issue, label))
            && (milestones.is_empty() || has_milestone(issue))
            && by.is_none_or(|by| issue.poster == by)
            && to.is_none_or(|to| issue.assignees.contains(&to))
            && since.is_none_or(|since| issue.updated >= since)
            && before.is_none_or(|before| issue.updated <= before)
    };
    let mut found: Vec<&Issue> = issues.filter(fits).collect();
    found.sort_by_key(|issue| std::cmp::Reverse(issue.id));
    if query("sort") == Some("oldest") {
        found.reverse();
    }
    found
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let of_repo = world.issues.of(scene.repo).map(|(_, issue)| issue);
    let found = chosen(
        world,
        scene,
        of_repo.filter(|issue| scene.access.to(unit(issue)) >= Mode::Read),
    );
    Ok(listed(scene.call, &world.settings, &found, |issue| {
        shown(world, scene, issue)
    }))
}

fn search(world: &World, scene: &Scene<'_>) -> Answer {
    let owner = scene.call.query("owner").filter(|name| !name.is_empty());
    let owner = owner.map(|name| world.owner(name).map_or(-1, |(id, _)| id));
    let readable = |issue: &&Issue| {
        let repo = world.repos.get(issue.repo);
        repo.is_some_and(|repo| {
            owner.is_none_or(|owner| repo.owner == owner)
                && scene.access_to(world, repo).to(unit(issue)) >= Mode::Read
        })
    };
    let all = world.issues.iter().map(|(_, issue)| issue);
    let found = chosen(world, scene, all.filter(readable));
    Ok(listed(scene.call, &world.settings, &found, |issue| {
        shown(world, scene, issue)
    }))
}

/// The issue of the path.
pub(crate) fn found<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Issue, Reply> {
    let index = scene.call.id("index").ok_or_else(Reply::not_found)?;
    world
        .issues
        .find(&format!("{}/{index}", scene.repo))
        .ok_or_else(Reply::not_found)
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(Reply::ok(shown(world, scene, found(world, scene)?)))
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
        number("milestone", "Milestone"),
        of("labels", "Labels", Kind::Numbers),
        flag("closed", "Closed"),
    ],
};

/// The assignees that a body names; `None` when it names none.
pub(crate) fn assignees(world: &World, body: &Body) -> Result<Option<Vec<i64>>, Reply> {
    let mut names = body.texts("assignees");
    if let Some(name) = body.text("assignee") {
        let more = Some(name.to_owned()).filter(|name| !name.is_empty());
        names = Some(names.unwrap_or_default().into_iter().chain(more).collect());
    }
    let Some(names) = names else { return Ok(None) };
    let mut ids: Vec<i64> = Vec::new();
    for name in names {
        let found = world.owner(&name).map(|(id, _)| id);
        let missing = || Reply::error(422, format!("Assignee does not exist: [name: {name}]"));
        let id = found.ok_or_else(missing)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(Some(ids))
}

/// The labels that a body names by number; unknown ones are passed over.
pub(crate) fn label_ids(world: &World, scene: &Scene<'_>, body: &Body) -> Option<Vec<i64>> {
    let given = body.get("labels")?.as_array()?;
    let of_place = |id: &i64| {
        let label = world.labels.get(*id);
        label.is_some_and(|label| {
            label.repo == scene.repo || (label.repo == 0 && label.org == scene.owner)
        })
    };
    let ids: Vec<i64> = given
        .iter()
        .filter_map(Value::as_i64)
        .filter(of_place)
        .collect();
    Some(labels::joined(world, &[], &ids))
}

/// Takes the next number of a repository.
pub(crate) fn next_index(world: &mut World, repo: i64) -> Result<i64, Reply> {
    let next = world.repos.update(repo, |repo| {
        repo.last_index += 1;
        repo.last_index
    });
    next.ok_or_else(Reply::not_found)
}

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let (now, repo, poster) = (world.now(), scene.repo, scene.doer_id());
    let writes = scene.is_admin() || scene.access.to(Unit::Issues) >= Mode::Write;
    let assignees = assignees(world, &body)?
        .filter(|_| writes)
        .unwrap_or_default();
    let labels = label_ids(world, scene, &body)
        .filter(|_| writes)
        .unwrap_or_default();
    let milestone = body
        .number("milestone")
        .filter(|_| writes)
        .unwrap_or_default();
    let index = next_index(world, repo)?;
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
        due: body
            .time("due_date")
            .filter(|_| writes)
            .map_or(0, |time| end_of_day(time.0)),
        created: now,
        updated: now,
        labels,
        milestone,
        assignees,
        ..Issue::default()
    });
    tell(world, scene, id, Told::Itself, "opened");
    let made = world.issues.get(id).ok_or_else(Reply::not_found)?;
    Ok(Reply::created(shown(world, scene, made)))
}

/// Dates count to the last second of their day.
pub(crate) fn end_of_day(seconds: i64) -> i64 {
    const DAY: i64 = 86_400;
    seconds - seconds.rem_euclid(DAY) + DAY - 1
}

static EDIT: Schema = Schema {
    name: "EditIssueOption",
    fields: &[
        text("title", "Title"),
        text("body", "Body"),
        text("ref", "Ref"),
        text("assignee", "Assignee"),
        of("assignees", "Assignees", Kind::Texts),
        number("milestone", "Milestone"),
        text("state", "State"),
        of("due_date", "Deadline", Kind::Time),
        flag("unset_due_date", "RemoveDeadline"),
        number("content_version", "ContentVersion"),
    ],
};

fn edit(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &EDIT)?;
    let issue = found(world, scene)?;
    let (id, poster, unit) = (issue.id, issue.poster, unit(issue));
    let writes = scene.is_admin() || scene.access.to(unit) >= Mode::Write;
    if !writes && poster != scene.doer_id() {
        return Err(Reply::empty(403));
    }
    let state = body.text("state");
    if let Some(state) = state.filter(|state| !["open", "closed"].contains(state)) {
        return Err(Reply::error(412, format!("unknown state: {state}")));
    }
    let assigned = assignees(world, &body)?.filter(|_| writes);
    change(world, scene, id, &body, writes);
    if let Some(assigned) = assigned {
        world.issues.update(id, |issue| issue.assignees = assigned);
        note(world, scene, id, CommentKind::Assignees, "");
        tell(world, scene, id, Told::Assignees, "assigned");
    }
    set_state(world, scene, id, state);
    Ok(Reply::created(shown(world, scene, found(world, scene)?)))
}

/// Title, body, date and milestone, as far as a body names them.
pub(crate) fn change(world: &mut World, scene: &mut Scene<'_>, id: i64, body: &Body, writes: bool) {
    let now = world.now();
    let before = world.issues.get(id).cloned();
    world.issues.update(id, |issue| {
        if let Some(title) = body.text("title").filter(|title| !title.is_empty()) {
            title.clone_into(&mut issue.title);
        }
        if let Some(text) = body.text("body") {
            issue.version += i64::from(issue.body != text);
            text.clone_into(&mut issue.body);
        }
        if let Some(reference) = body.text("ref") {
            reference.clone_into(&mut issue.reference);
        }
        if writes {
            issue.due = body
                .time("due_date")
                .map_or(issue.due, |time| end_of_day(time.0));
            issue.milestone = body.number("milestone").unwrap_or(issue.milestone);
            if body.flag("unset_due_date") == Some(true) {
                issue.due = 0;
            }
        }
        issue.updated = now;
    });
    let (Some(before), Some(after)) = (before, world.issues.get(id).cloned()) else {
        return;
    };
    if before.title != after.title {
        note(world, scene, id, CommentKind::ChangeTitle, "");
    }
    if before.title != after.title || before.body != after.body {
        tell(world, scene, id, Told::Itself, "edited");
    }
    if before.milestone != after.milestone {
        note(world, scene, id, CommentKind::Milestone, "");
        let action = if after.milestone == 0 {
            "demilestoned"
        } else {
            "milestoned"
        };
        tell(world, scene, id, Told::Milestone, action);
    }
}

/// Closes or opens again, and tells it; anything else changes nothing.
pub(crate) fn set_state(world: &mut World, scene: &mut Scene<'_>, id: i64, state: Option<&str>) {
    let (now, closed) = (
        world.now(),
        world.issues.get(id).is_some_and(|issue| issue.closed != 0),
    );
    let (kind, action) = match (state, closed) {
        (Some("closed"), false) => (CommentKind::Close, "closed"),
        (Some("open"), true) => (CommentKind::Reopen, "reopened"),
        _ => return,
    };
    world.issues.update(id, |issue| {
        issue.closed = if closed { 0 } else { now };
    });
    note(world, scene, id, kind, "");
    tell(world, scene, id, Told::Itself, action);
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let id = found(world, scene)?.id;
    world.comments.remove_group(id);
    world.reviews.remove_group(id);
    world.issues.remove(id);
    Ok(Reply::no_content())
}

static DEADLINE: Schema = Schema {
    name: "EditDeadlineOption",
    fields: &[of("due_date", "Deadline", Kind::Time)],
};

fn set_deadline(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &DEADLINE)?;
    let issue = found(world, scene)?;
    if !scene.is_admin() && scene.access.to(unit(issue)) < Mode::Write {
        return Err(Reply::error(403, "Not repo writer"));
    }
    let (id, due) = (
        issue.id,
        body.time("due_date").map_or(0, |time| end_of_day(time.0)),
    );
    world.issues.update(id, |issue| issue.due = due);
    Ok(Reply::created(json!({ "due_date": time(due) })))
}
