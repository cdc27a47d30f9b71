//! Comments, the timeline, reactions and locks.

use serde_json::{Value, json};

use super::issues::{self, ISSUE, READ, SIGNED, Told, addresses, found};
use crate::gitea::access::Mode;
use crate::gitea::api::users::{self, View};
use crate::gitea::bind::{Rule, Schema, bind, ruled, text};
use crate::gitea::clock::{parse, rfc3339};
use crate::gitea::page::counted;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::{Comment, CommentKind, Issue, Reaction, World};

const OF_ISSUE: &str = "/repos/{owner}/{repo}/issues/{index}/comments";
const ONE: &str = "/repos/{owner}/{repo}/issues/comments/{id}";
const REACTIONS: &str = "/repos/{owner}/{repo}/issues/comments/{id}/reactions";
const ISSUE_REACTIONS: &str = "/repos/{owner}/{repo}/issues/{index}/reactions";
const LOCK: &str = "/repos/{owner}/{repo}/issues/{index}/lock";

pub(crate) const ROUTES: &[Route] = &[
    on_repo("GET", OF_ISSUE, READ, Run::Read(list)),
    on_repo("POST", OF_ISSUE, SIGNED, Run::Write(create)),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/issues/comments",
        READ,
        Run::Read(all),
    ),
    on_repo("GET", ONE, READ, Run::Read(get)),
    on_repo("PATCH", ONE, SIGNED, Run::Write(edit)),
    on_repo("DELETE", ONE, SIGNED, Run::Write(delete)),
    on_repo(
        "PATCH",
        "/repos/{owner}/{repo}/issues/{index}/comments/{id}",
        SIGNED,
        Run::Write(edit),
    ),
    on_repo(
        "DELETE",
        "/repos/{owner}/{repo}/issues/{index}/comments/{id}",
        SIGNED,
        Run::Write(delete),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/issues/{index}/timeline",
        READ,
        Run::Read(timeline),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/issues/{index}/assets",
        READ,
        Run::Read(no_assets),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/issues/comments/{id}/assets",
        READ,
        Run::Read(no_assets),
    ),
    on_repo("GET", REACTIONS, READ, Run::Read(reactions)),
    on_repo("POST", REACTIONS, SIGNED, Run::Write(react)),
    on_repo("DELETE", REACTIONS, SIGNED, Run::Write(unreact)),
    on_repo("GET", ISSUE_REACTIONS, READ, Run::Read(reactions)),
    on_repo("POST", ISSUE_REACTIONS, SIGNED, Run::Write(react)),
    on_repo("DELETE", ISSUE_REACTIONS, SIGNED, Run::Write(unreact)),
    on_repo("PUT", LOCK, SIGNED, Run::Write(lock)),
    on_repo("DELETE", LOCK, SIGNED, Run::Write(unlock)),
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

/// A comment as the API answers it.
pub(crate) fn view(world: &World, base: &str, comment: &Comment) -> Value {
    let issue = world.issues.get(comment.issue);
    let (web, is_pull) = issue.map_or((String::new(), false), |issue| {
        (addresses(world, base, issue).1, issue.pull.is_some())
    });
    json!({
        "id": comment.id,
        "html_url": format!("{web}#issuecomment-{}", comment.id),
        "pull_request_url": if is_pull { web.as_str() } else { "" },
        "issue_url": if is_pull { "" } else { web.as_str() },
        "user": users::user_by_id(world, base, comment.poster, View::Anonymous),
        "original_author": "",
        "original_author_id": 0,
        "body": comment.body,
        "assets": [],
        "created_at": rfc3339(comment.created),
        "updated_at": rfc3339(comment.updated),
    })
}

/// `since` and `before`, in seconds.
fn span(scene: &Scene<'_>) -> Result<(Option<i64>, Option<i64>), Reply> {
    let time = |name: &str| {
        match scene.call.query(name).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => parse(text).map(|time| Some(time.0)).ok_or_else(|| {
            let text = text.replace('"', "\\\"");
            Reply::error(422, format!("parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{text}\" as \"2006\""))
        }),
    }
    };
    Ok((time("since")?, time("before")?))
}

fn within(comment: &Comment, (since, before): (Option<i64>, Option<i64>)) -> bool {
    since.is_none_or(|since| comment.updated >= since)
        && before.is_none_or(|before| comment.updated <= before)
}

/// All comments of an issue; the real one does not page them.
fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let issue = found(world, scene)?;
    let span = span(scene)?;
    let said = world.comments.of(issue.id).map(|(_, comment)| comment);
    let shown: Vec<Value> = said
        .filter(|comment| comment.kind == CommentKind::Comment && within(comment, span))
        .map(|comment| view(world, &scene.call.base, comment))
        .collect();
    let total = shown.len().to_string();
    Ok(Reply::ok(Value::Array(shown)).with_header("x-total-count", total))
}

fn all(world: &World, scene: &Scene<'_>) -> Answer {
    let span = span(scene)?;
    let said = world.comments.iter().map(|(_, comment)| comment);
    let found: Vec<&Comment> = said
        .filter(|comment| {
            comment.repo == scene.repo
                && comment.kind == CommentKind::Comment
                && within(comment, span)
        })
        .collect();
    Ok(counted(scene.call, &world.settings, &found, |comment| {
        view(world, &scene.call.base, comment)
    }))
}

fn timeline(world: &World, scene: &Scene<'_>) -> Answer {
    let issue = found(world, scene)?;
    let base = &scene.call.base;
    let hidden = |comment: &&Comment| {
        let review = world.reviews.get(comment.review);
        let pending =
            review.is_some_and(|review| review.state == crate::gitea::world::ReviewState::Pending);
        comment.kind != CommentKind::Code && !(pending && comment.poster != scene.doer_id())
    };
    let done: Vec<&Comment> = world
        .comments
        .of(issue.id)
        .map(|(_, comment)| comment)
        .filter(hidden)
        .collect();
    Ok(counted(scene.call, &world.settings, &done, |comment| {
        let mut shown = view(world, base, comment);
        if let Some(members) = shown.as_object_mut() {
            for name in ["original_author", "original_author_id", "assets"] {
                members.remove(name);
            }
            let nothing = json!({
                "type": comment.kind.word(), "old_project_id": 0, "project_id": 0, "old_milestone": null,
                "milestone": null, "tracked_time": null, "old_title": "", "new_title": "", "old_ref": "",
                "new_ref": "", "ref_issue": null, "ref_comment": null, "ref_action": "", "ref_commit_sha": "",
                "review_id": comment.review, "label": null, "assignee": null, "assignee_team": null,
                "removed_assignee": false, "resolve_doer": null, "dependent_issue": null,
            });
            members.extend(nothing.as_object().cloned().unwrap_or_default());
        }
        shown
    }))
}

fn no_assets(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(json!([])))
}

fn the_comment<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Comment, Reply> {
    let id = scene.call.id("id").unwrap_or_default();
    world
        .comments
        .get(id)
        .filter(|comment| comment.repo == scene.repo)
        .ok_or_else(|| {
            Reply::not_found_because(format!("comment does not exist [id: {id}, issue_id: 0]"))
        })
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    let comment = the_comment(world, scene)?;
    if comment.kind != CommentKind::Comment {
        return Ok(Reply::no_content());
    }
    Ok(Reply::ok(view(world, &scene.call.base, comment)))
}

static BODY: Schema = Schema {
    name: "CreateIssueCommentOption",
    fields: &[ruled("body", "Body", &[Rule::Required])],
};

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &BODY)?;
    let Ok(issue) = found(world, scene) else {
        // The real one takes this for its own mistake.
        return Err(scene.internal("issue does not exist"));
    };
    let (id, writes) = (
        issue.id,
        scene.is_admin() || scene.access.to(issues::unit(issue)) >= Mode::Write,
    );
    if issue.locked && !writes {
        return Err(Reply::error(403, "You cannot comment on a locked issue."));
    }
    let text = body.text_or_empty("body").to_owned();
    let comment = issues::note(world, scene, id, CommentKind::Comment, &text);
    let now = world.now();
    world.issues.update(id, |issue| issue.updated = now);
    let comment = world
        .comments
        .get(comment)
        .ok_or_else(Reply::not_found)?
        .clone();
    issues::tell(world, scene, id, Told::Comment(&comment), "created");
    Ok(Reply::created(view(world, &scene.call.base, &comment)))
}

fn may_touch(scene: &Scene<'_>, world: &World, comment: &Comment) -> Result<(), Reply> {
    let unit = world.issues.get(comment.issue).map(issues::unit);
    let writes = unit.is_some_and(|unit| scene.access.to(unit) >= Mode::Write);
    if scene.is_admin() || writes || comment.poster == scene.doer_id() {
        Ok(())
    } else {
        Err(Reply::empty(403))
    }
}

fn edit(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &BODY)?;
    let comment = the_comment(world, scene)?;
    may_touch(scene, world, comment)?;
    if comment.kind != CommentKind::Comment {
        return Ok(Reply::no_content());
    }
    let (id, issue, now) = (comment.id, comment.issue, world.now());
    world.comments.update(id, |comment| {
        body.text_or_empty("body").clone_into(&mut comment.body);
        comment.updated = now;
    });
    let comment = the_comment(world, scene)?.clone();
    issues::tell(world, scene, issue, Told::Comment(&comment), "edited");
    Ok(Reply::ok(view(world, &scene.call.base, &comment)))
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let comment = the_comment(world, scene)?.clone();
    may_touch(scene, world, &comment)?;
    if comment.kind == CommentKind::Comment {
        world.comments.remove(comment.id);
        issues::tell(
            world,
            scene,
            comment.issue,
            Told::Comment(&comment),
            "deleted",
        );
    }
    Ok(Reply::no_content())
}

/// The pictures that may be left.
const ALLOWED: [&str; 8] = [
    "+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes",
];

/// Where the reactions of the path are kept: those of an issue, or of a comment.
enum Holder {
    Issue(i64),
    Comment(i64),
}

fn holder(world: &World, scene: &Scene<'_>) -> Result<Holder, Reply> {
    if scene.call.param("index").is_empty() {
        return the_comment(world, scene).map(|comment| Holder::Comment(comment.id));
    }
    found(world, scene).map(|issue| Holder::Issue(issue.id))
}

fn kept(world: &World, holder: &Holder) -> Vec<Reaction> {
    match holder {
        Holder::Issue(id) => world.issues.get(*id).map(|issue| issue.reactions.clone()),
        Holder::Comment(id) => world
            .comments
            .get(*id)
            .map(|comment| comment.reactions.clone()),
    }
    .unwrap_or_default()
}

fn keep(world: &mut World, holder: &Holder, reactions: Vec<Reaction>) {
    match holder {
        Holder::Issue(id) => world
            .issues
            .update(*id, |issue| issue.reactions = reactions),
        Holder::Comment(id) => world
            .comments
            .update(*id, |comment| comment.reactions = reactions),
    };
}

fn reaction_view(world: &World, scene: &Scene<'_>, reaction: &Reaction) -> Value {
    json!({
        "user": users::user_by_id(world, &scene.call.base, reaction.user, View::of(scene.doer.as_ref(), reaction.user)),
        "content": reaction.content,
        "created_at": rfc3339(reaction.created),
    })
}

fn reactions(world: &World, scene: &Scene<'_>) -> Answer {
    let reactions = kept(world, &holder(world, scene)?);
    Ok(counted(
        scene.call,
        &world.settings,
        &reactions,
        |reaction| reaction_view(world, scene, reaction),
    ))
}

static REACTION: Schema = Schema {
    name: "EditReactionOption",
    fields: &[text("content", "Reaction")],
};

fn react(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &REACTION)?;
    let holder = holder(world, scene)?;
    let content = body.text_or_empty("content").to_owned();
    if !ALLOWED.contains(&content.as_str()) {
        return Err(Reply::error(
            403,
            format!("'{content}' is not an allowed reaction"),
        ));
    }
    let mut reactions = kept(world, &holder);
    let user = scene.doer_id();
    let had = reactions
        .iter()
        .find(|have| have.user == user && have.content == content);
    if let Some(had) = had {
        return Ok(Reply::ok(reaction_view(world, scene, had)));
    }
    let made = Reaction {
        user,
        content,
        created: world.now(),
    };
    reactions.push(made.clone());
    keep(world, &holder, reactions);
    Ok(Reply::created(reaction_view(world, scene, &made)))
}

fn unreact(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &REACTION)?;
    let holder = holder(world, scene)?;
    let mut reactions = kept(world, &holder);
    let (user, content) = (scene.doer_id(), body.text_or_empty("content"));
    reactions.retain(|have| have.user != user || have.content != content);
    keep(world, &holder, reactions);
    Ok(Reply::ok(Value::Null))
}

fn writer_of(world: &World, scene: &Scene<'_>) -> Result<Issue, Reply> {
    let issue = found(world, scene)?;
    if scene.is_admin() || scene.access.to(issues::unit(issue)) >= Mode::Write {
        Ok(issue.clone())
    } else {
        Err(Reply::error(403, "no permission to lock this issue"))
    }
}

static LOCKING: Schema = Schema {
    name: "LockIssueOption",
    fields: &[text("lock_reason", "Reason")],
};

fn lock(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &LOCKING)?;
    let issue = writer_of(world, scene)?;
    if !issue.locked {
        world.issues.update(issue.id, |issue| issue.locked = true);
        issues::note(
            world,
            scene,
            issue.id,
            CommentKind::Lock,
            body.text_or_empty("lock_reason"),
        );
    }
    Ok(Reply::no_content())
}

fn unlock(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let issue = writer_of(world, scene)?;
    if issue.locked {
        world.issues.update(issue.id, |issue| issue.locked = false);
        issues::note(world, scene, issue.id, CommentKind::Unlock, "");
    }
    Ok(Reply::no_content())
}
