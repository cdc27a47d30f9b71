//! Reviews of pull requests, and the wish for one.

use serde_json::{Value, json};

use super::issues;
use super::pulls::{READ, SIGNED, on_repo};
use crate::gitea::access::{Mode, Unit};
use crate::gitea::api::users::{self, View};
use crate::gitea::bind::{Body, Kind, Schema, bind, flag, number, of, text};
use crate::gitea::clock::rfc3339;
use crate::gitea::page::Page;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::{Comment, CommentKind, Issue, Pull, Review, ReviewState, World};
use crate::gitea::{permission, protection};

const ALL: &str = "/repos/{owner}/{repo}/pulls/{index}/reviews";
const ONE: &str = "/repos/{owner}/{repo}/pulls/{index}/reviews/{id}";
const ASKED: &str = "/repos/{owner}/{repo}/pulls/{index}/requested_reviewers";

pub(crate) const ROUTES: &[Route] = &[
    on_repo("GET", ALL, READ, Run::Read(list)),
    on_repo("POST", ALL, SIGNED, Run::Write(create)),
    on_repo("GET", ONE, READ, Run::Read(get)),
    on_repo("POST", ONE, SIGNED, Run::Write(submit)),
    on_repo("DELETE", ONE, SIGNED, Run::Write(delete)),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/pulls/{index}/reviews/{id}/comments",
        READ,
        Run::Read(comments),
    ),
    on_repo(
        "POST",
        "/repos/{owner}/{repo}/pulls/{index}/reviews/{id}/dismissals",
        SIGNED,
        Run::Write(dismiss),
    ),
    on_repo(
        "POST",
        "/repos/{owner}/{repo}/pulls/{index}/reviews/{id}/undismissals",
        SIGNED,
        Run::Write(undismiss),
    ),
    on_repo("POST", ASKED, SIGNED, Run::Write(ask)),
    on_repo("DELETE", ASKED, SIGNED, Run::Write(unask)),
];

fn the_pull<'w>(world: &'w World, scene: &Scene<'_>) -> Result<(&'w Issue, &'w Pull), Reply> {
    let index = scene.call.id("index").unwrap_or_default();
    let issue = world.issues.find(&format!("{}/{index}", scene.repo));
    let found = issue.and_then(|issue| Some((issue, issue.pull.as_ref()?)));
    found.ok_or_else(|| {
        let text = format!(
            "pull request does not exist [id: 0, issue_id: 0, head_repo_id: 0, base_repo_id: {}, head_branch: , base_branch: ]",
            scene.repo
        );
        Reply::not_found_in("GetPullRequestByIndex", text)
    })
}

/// A review of the path that the caller may see.
fn the_review<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Review, Reply> {
    let (issue, _) = the_pull(world, scene)?;
    let id = scene.call.id("id").unwrap_or_default();
    let missing =
        || Reply::not_found_in("GetReviewByID", format!("review does not exist [id: {id}]"));
    let review = world
        .reviews
        .get(id)
        .filter(|review| review.issue == issue.id)
        .ok_or_else(missing)?;
    if review.state == ReviewState::Pending && review.user != scene.doer_id() && !scene.is_admin() {
        return Err(Reply::not_found_in_none("GetReviewByID"));
    }
    Ok(review)
}

fn code_comments<'w>(
    world: &'w World,
    review: &Review,
) -> impl Iterator<Item = &'w Comment> + use<'w> {
    let of_issue = world.comments.of(review.issue).map(|(_, comment)| comment);
    let id = review.id;
    of_issue.filter(move |comment| comment.review == id && comment.kind == CommentKind::Code)
}

fn view(world: &World, scene: &Scene<'_>, review: &Review) -> Value {
    let base = &scene.call.base;
    let issue = world.issues.get(review.issue);
    let web = issue
        .map(|issue| issues::addresses(world, base, issue).1)
        .unwrap_or_default();
    let of_issue = world.comments.of(review.issue);
    let mut note = of_issue
        .filter(|(_, comment)| comment.review == review.id && comment.kind == CommentKind::Review);
    let place = note
        .next()
        .map(|(id, _)| format!("{web}#issuecomment-{id}"));
    let user = users::user_by_id(
        world,
        base,
        review.user,
        View::of(scene.doer.as_ref(), review.user),
    );
    json!({
        "id": review.id,
        "user": if review.user == 0 { Value::Null } else { user },
        "team": null,
        "state": review.state.word(),
        "body": review.body,
        "commit_id": review.commit,
        "stale": review.stale,
        "official": review.official,
        "dismissed": review.dismissed,
        "comments_count": code_comments(world, review).count(),
        "submitted_at": rfc3339(review.submitted),
        "updated_at": rfc3339(review.updated),
        "html_url": place.unwrap_or_default(),
        "pull_request_url": web,
    })
}

/// Those of others that are not submitted are counted, and not shown.
fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let (issue, _) = the_pull(world, scene)?;
    let reviews: Vec<&Review> = world
        .reviews
        .of(issue.id)
        .map(|(_, review)| review)
        .collect();
    let page = Page::of(scene.call, &world.settings);
    let own =
        |review: &&&Review| review.state != ReviewState::Pending || review.user == scene.doer_id();
    let shown = page
        .slice(&reviews)
        .iter()
        .filter(own)
        .map(|review| view(world, scene, review));
    let shown = Reply::ok(shown.collect());
    Ok(shown.with_header("x-total-count", reviews.len().to_string()))
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(Reply::ok(view(world, scene, the_review(world, scene)?)))
}

static LINE: Schema = Schema {
    name: "CreatePullReviewComment",
    fields: &[
        text("path", "Path"),
        text("body", "Body"),
        number("old_position", "OldLineNum"),
        number("new_position", "NewLineNum"),
    ],
};
static CREATE: Schema = Schema {
    name: "CreatePullReviewOptions",
    fields: &[
        text("event", "Event"),
        text("body", "Body"),
        text("commit_id", "CommitID"),
        of("comments", "Comments", Kind::Objects(&LINE)),
    ],
};

/// What is wrong with a review of this kind by the caller.
fn objection(
    scene: &Scene<'_>,
    issue: &Issue,
    state: ReviewState,
    body: &Body,
    lines: usize,
) -> Option<&'static str> {
    let (own, empty) = (
        issue.poster == scene.doer_id(),
        body.text_or_empty("body").trim().is_empty(),
    );
    match state {
        ReviewState::Approved if own => Some("approve your own pull is not allowed"),
        ReviewState::RequestChanges if own => Some("reject your own pull is not allowed"),
        ReviewState::RequestChanges if empty => {
            Some("review event REQUEST_CHANGES requires a body")
        }
        ReviewState::Comment if empty && lines == 0 => {
            Some("review event COMMENT requires a body or a comment")
        }
        _ => None,
    }
}

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let (issue, pull) = the_pull(world, scene)?;
    let (issue, pull) = (issue.clone(), pull.clone());
    let (state, lines) = (
        ReviewState::of(body.text_or_empty("event")),
        body.objects("comments"),
    );
    if let Some(text) = objection(scene, &issue, state, &body, lines.len()) {
        return Err(Reply::error(422, text));
    }
    if issue.closed != 0 && matches!(state, ReviewState::Approved | ReviewState::RequestChanges) {
        return Err(Reply::error(
            422,
            "can't submit review for a closed or merged PR",
        ));
    }
    let commit = body.text("commit_id").filter(|commit| !commit.is_empty());
    let commit = commit.unwrap_or(&pull.head_sha).to_owned();
    if scene.git.commit(scene.repo, &commit).is_err() {
        return Err(scene.internal("object does not exist"));
    }
    let (doer, now) = (scene.doer_id(), world.now());
    let is_open = |review: &Review| review.user == doer && review.state == ReviewState::Pending;
    let id = match review_with(world, issue.id, is_open) {
        Some(id) => id,
        None => world.reviews.insert(|id| Review {
            id,
            issue: issue.id,
            user: doer,
            team: 0,
            state: ReviewState::Pending,
            body: String::new(),
            commit: commit.clone(),
            official: false,
            stale: false,
            dismissed: false,
            submitted: now,
            updated: now,
        }),
    };
    for line in lines {
        comment(world, scene, &issue, (id, &commit), &line);
    }
    finish(world, scene, (&issue, &pull), id, state, &body);
    let made = world.reviews.get(id).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(view(world, scene, made)))
}

/// The first review of an issue that fits.
fn review_with(world: &World, issue: i64, fits: impl Fn(&Review) -> bool) -> Option<i64> {
    let mut all = world.reviews.of(issue);
    all.find(|(_, review)| fits(review)).map(|(id, _)| id)
}

/// A remark on one line.
fn comment(
    world: &mut World,
    scene: &Scene<'_>,
    issue: &Issue,
    (review, commit): (i64, &str),
    line: &Body,
) {
    let new = line.number("new_position").unwrap_or_default();
    let place = if new > 0 {
        new
    } else {
        -line.number("old_position").unwrap_or_default()
    };
    let text = line.text_or_empty("body").to_owned();
    let id = issues::note(world, scene, issue.id, CommentKind::Code, &text);
    world.comments.update(id, |comment| {
        comment.review = review;
        comment.place = Some((line.text_or_empty("path").to_owned(), place));
        commit.clone_into(&mut comment.commit);
    });
}

/// Gives a review its state and text; a submitted one takes the place of what was asked and said before.
fn finish(
    world: &mut World,
    scene: &mut Scene<'_>,
    (issue, pull): (&Issue, &Pull),
    id: i64,
    state: ReviewState,
    body: &Body,
) {
    let (doer, now) = (scene.doer_id(), world.now());
    let official = scene
        .doer
        .as_ref()
        .zip(world.repos.get(scene.repo))
        .is_some_and(|(doer, repo)| {
            matches!(state, ReviewState::Approved | ReviewState::RequestChanges)
                && protection::is_official(world, repo, &pull.base, doer)
        });
    world.reviews.update(id, |review| {
        review.state = state;
        body.text_or_empty("body").clone_into(&mut review.body);
        review.official = official;
        review.submitted = now;
        review.updated = now;
    });
    if official {
        let others: Vec<i64> = world
            .reviews
            .of(issue.id)
            .filter(|(other, review)| {
                *other != id && review.user == doer && review.state != ReviewState::RequestReview
            })
            .map(|(other, _)| other)
            .collect();
        for other in others {
            world
                .reviews
                .update(other, |review| review.official = false);
        }
    }
    if state != ReviewState::Pending {
        let asked: Vec<i64> = world
            .reviews
            .of(issue.id)
            .filter(|(_, review)| review.user == doer && review.state == ReviewState::RequestReview)
            .map(|(other, _)| other)
            .collect();
        for other in asked {
            world.reviews.remove(other);
        }
    }
    let noted = world
        .comments
        .of(issue.id)
        .any(|(_, comment)| comment.review == id && comment.kind == CommentKind::Review);
    if !noted {
        let note = issues::note(
            world,
            scene,
            issue.id,
            CommentKind::Review,
            body.text_or_empty("body"),
        );
        world.comments.update(note, |comment| comment.review = id);
    }
}

fn submit(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let (issue, pull) = the_pull(world, scene)?;
    let (issue, pull) = (issue.clone(), pull.clone());
    let review = the_review(world, scene)?;
    if review.state != ReviewState::Pending {
        return Err(Reply::error(422, "only a pending review can be submitted"));
    }
    let (id, lines) = (review.id, code_comments(world, review).count());
    let state = ReviewState::of(body.text_or_empty("event"));
    if let Some(text) = objection(scene, &issue, state, &body, lines) {
        return Err(Reply::error(422, text));
    }
    if state == ReviewState::Pending {
        return Err(Reply::error(422, "review stay pending"));
    }
    finish(world, scene, (&issue, &pull), id, state, &body);
    let made = world.reviews.get(id).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(view(world, scene, made)))
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let review = the_review(world, scene)?;
    if !scene.is_admin() && review.user != scene.doer_id() {
        return Err(Reply::error(403, "%!s(<nil>)"));
    }
    let id = review.id;
    let notes = world
        .comments
        .of(review.issue)
        .filter(|(_, comment)| comment.review == id);
    for note in notes.map(|(note, _)| note).collect::<Vec<_>>() {
        world.comments.remove(note);
    }
    world.reviews.remove(id);
    Ok(Reply::no_content())
}

fn comments(world: &World, scene: &Scene<'_>) -> Answer {
    let review = the_review(world, scene)?;
    let base = &scene.call.base;
    let (issue, pull) = the_pull(world, scene)?;
    let web = issues::addresses(world, base, issue).1;
    let one = |comment: &Comment| {
        let (path, line) = comment.place.clone().unwrap_or_default();
        let user = |id: i64| users::user_by_id(world, base, id, View::of(scene.doer.as_ref(), id));
        json!({
            "id": comment.id,
            "body": comment.body,
            "user": user(comment.poster),
            "resolver": if comment.resolver == 0 { Value::Null } else { user(comment.resolver) },
            "pull_request_review_id": review.id,
            "created_at": rfc3339(comment.created),
            "updated_at": rfc3339(comment.updated),
            "path": path,
            "commit_id": comment.commit,
            "original_commit_id": "",
            "diff_hunk": hunk(scene, pull, &path, line),
            "position": line.max(0),
            "original_position": (-line).max(0),
            "html_url": format!("{web}#issuecomment-{}", comment.id),
            "pull_request_url": web,
        })
    };
    Ok(Reply::ok(code_comments(world, review).map(one).collect()))
}

/// The lines of the difference up to the one that was remarked on.
fn hunk(scene: &Scene<'_>, pull: &Pull, path: &str, line: i64) -> String {
    let arguments = [
        "--literal-pathspecs",
        "diff",
        &pull.merge_base,
        &pull.head_sha,
        "--",
        path,
    ];
    let text = scene.git.output(scene.repo, &arguments).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let (mut shown, mut at) = (Vec::new(), (0_i64, 0_i64));
    for row in text.lines() {
        if row.starts_with("@@") {
            let start = |sign: char| {
                let numbers = row.split(sign).nth(1).unwrap_or_default();
                numbers
                    .split([',', ' '])
                    .next()
                    .unwrap_or_default()
                    .parse::<i64>()
                    .unwrap_or(1)
            };
            (at, shown) = ((start('-'), start('+')), vec![row]);
        } else if !shown.is_empty() {
            shown.push(row);
            let (old, new) = (!row.starts_with('+'), !row.starts_with('-'));
            if (line > 0 && new && at.1 == line) || (line < 0 && old && at.0 == -line) {
                return shown.join("\n");
            }
            at = (at.0 + i64::from(old), at.1 + i64::from(new));
        }
    }
    String::new()
}

static DISMISS: Schema = Schema {
    name: "DismissPullReviewOptions",
    fields: &[text("message", "Message"), flag("priors", "Priors")],
};

fn set_dismissed(world: &mut World, scene: &Scene<'_>, dismissed: bool) -> Answer {
    if !scene.is_repo_admin() {
        return Err(Reply::error(403, "Must be repo admin"));
    }
    let id = the_review(world, scene)?.id;
    let now = world.now();
    world.reviews.update(id, |review| {
        review.dismissed = dismissed;
        review.updated = now;
    });
    Ok(Reply::ok(view(world, scene, the_review(world, scene)?)))
}

fn dismiss(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    bind(scene.call, &DISMISS)?;
    set_dismissed(world, scene, true)
}

fn undismiss(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    set_dismissed(world, scene, false)
}

static ASK: Schema = Schema {
    name: "PullReviewRequestOptions",
    fields: &[
        of("reviewers", "Reviewers", Kind::Texts),
        of("team_reviewers", "TeamReviewers", Kind::Texts),
    ],
};

fn reviewers(world: &World, scene: &Scene<'_>, issue: &Issue) -> Result<Vec<i64>, Reply> {
    let body = bind(scene.call, &ASK)?;
    let repo = scene.repository(world)?;
    let mut ids = Vec::new();
    for name in body.texts("reviewers").unwrap_or_default() {
        let missing = || Reply::not_found_in("UserNotExist", format!("User '{name}' not exist"));
        let id = world.owner(&name).map(|(id, _)| id).ok_or_else(missing)?;
        let place = format!("[user_id: {}, repo_id: {}]", scene.doer_id(), repo.id);
        if id == issue.poster {
            return Err(Reply::error(
                422,
                format!("poster of pr can't be reviewer {place}"),
            ));
        }
        if permission::collaboration(world, id, repo.id) == Mode::None
            && permission::of_user(world, id, repo).to(Unit::Pulls) < Mode::Write
        {
            return Err(Reply::error(422, format!("Reviewer can't read {place}")));
        }
        ids.push(id);
    }
    Ok(ids)
}

fn ask(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let (issue, pull) = the_pull(world, scene)?;
    let (issue, base) = (issue.clone(), pull.base.clone());
    let ids = reviewers(world, scene, &issue)?;
    let now = world.now();
    let mut made = Vec::new();
    for user in ids {
        let asked = world
            .reviews
            .of(issue.id)
            .any(|(_, review)| review.user == user && review.state == ReviewState::RequestReview);
        if asked {
            continue;
        }
        let doer = crate::gitea::pulls::as_doer(world, user);
        let official = doer
            .zip(world.repos.get(scene.repo))
            .is_some_and(|(doer, repo)| protection::is_official(world, repo, &base, &doer));
        made.push(world.reviews.insert(|id| Review {
            id,
            issue: issue.id,
            user,
            team: 0,
            state: ReviewState::RequestReview,
            body: String::new(),
            commit: String::new(),
            official,
            stale: false,
            dismissed: false,
            submitted: now,
            updated: now,
        }));
        issues::note(world, scene, issue.id, CommentKind::ReviewRequest, "");
    }
    let shown = made.iter().filter_map(|id| world.reviews.get(*id));
    let shown: Vec<Value> = shown.map(|review| view(world, scene, review)).collect();
    Ok(Reply::created(Value::Array(shown)))
}

fn unask(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let issue = the_pull(world, scene)?.0.clone();
    let body = bind(scene.call, &ASK)?;
    for name in body.texts("reviewers").unwrap_or_default() {
        let user = world.owner(&name).map_or(0, |(id, _)| id);
        let asked =
            |review: &Review| review.user == user && review.state == ReviewState::RequestReview;
        if let Some(id) = review_with(world, issue.id, asked) {
            world.reviews.remove(id);
        }
    }
    Ok(Reply::no_content())
}
