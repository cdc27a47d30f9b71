//! Pull requests: opened, listed, found and edited.

use serde_json::{Value, json};

use super::issues::{self, Told, comment_count, label_ids, time};
use super::{labels, milestones, repos};
use crate::gitea::access::{Doer, Mode, Unit};
use crate::gitea::api::users::{self, View};
use crate::gitea::bind::{Body, Kind, Rule, Schema, bind, flag, number, of, ruled, text};
use crate::gitea::clock::rfc3339;
use crate::gitea::page::listed;
use crate::gitea::permission;
use crate::gitea::pulls;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::{CommentKind, Issue, Pull, ReviewState, World};

pub(crate) mod content;
pub(crate) mod merge;

const PULLS: &[Unit] = &[Unit::Pulls];
pub(super) const READ: &[Need] = &[
    Need::UnitOn(PULLS),
    Need::HasCommitsPlainly,
    Need::Reader(PULLS),
];
pub(super) const SIGNED: &[Need] = &[
    Need::SignedIn,
    Need::UnitOn(PULLS),
    Need::HasCommitsPlainly,
    Need::NotArchived,
    Need::Reader(PULLS),
];
const ALL: &str = "/repos/{owner}/{repo}/pulls";
const ONE: &str = "/repos/{owner}/{repo}/pulls/{index}";

pub(crate) const ROUTES: &[Route] = &[
    on_repo("GET", ALL, READ, Run::Read(list)),
    on_repo("POST", ALL, SIGNED, Run::Write(create)),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/pulls/pinned",
        READ,
        Run::Read(pinned),
    ),
    on_repo("GET", ONE, READ, Run::Read(get)),
    on_repo("PATCH", ONE, SIGNED, Run::Write(edit)),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/pulls/{base}/*",
        READ,
        Run::Read(by_branches),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/commits/{sha}/pull",
        READ,
        Run::Read(of_commit),
    ),
];

pub(super) const fn on_repo(
    method: &'static str,
    path: &'static str,
    needs: &'static [Need],
    run: Run,
) -> Route {
    Route {
        method,
        path,
        place: Place::Repo,
        scopes: repos::REPO,
        needs,
        run,
    }
}

/// Whether a title says that nobody should merge yet.
#[must_use]
pub(crate) fn is_draft(title: &str) -> bool {
    let lower = title.to_lowercase();
    lower.starts_with("wip:") || lower.starts_with("[wip]")
}

/// A pull request as the API answers it to somebody who has it alone.
pub(crate) fn view_to(
    world: &World,
    base: &str,
    doer: Option<&Doer>,
    issue: &Issue,
) -> Option<Value> {
    let pull = issue.pull.as_ref()?;
    let web = issues::addresses(world, base, issue).1;
    let user = |id: i64| users::user_by_id(world, base, id, View::of(doer, id));
    let assignees: Vec<Value> = issue.assignees.iter().map(|id| user(*id)).collect();
    let asked = world.reviews.of(issue.id).map(|(_, review)| review);
    let asked: Vec<Value> = asked
        .filter(|review| review.state == ReviewState::RequestReview && review.user != 0)
        .map(|review| user(review.user))
        .collect();
    let reviewed = world.comments.of(issue.id);
    let reviewed = reviewed
        .filter(|(_, comment)| comment.kind == CommentKind::Code)
        .count();
    let merged = pull.merged.as_ref();
    let milestone = world.milestones.get(issue.milestone);
    Some(json!({
        "id": pull.id,
        "url": web,
        "number": issue.index,
        "user": user(issue.poster),
        "title": issue.title,
        "body": issue.body,
        "labels": labels::views(world, base, &issue.labels),
        "milestone": milestone.map(|milestone| milestones::view(world, milestone)),
        "assignee": assignees.first(),
        "assignees": assignees,
        "requested_reviewers": asked,
        "requested_reviewers_teams": [],
        "state": if issue.closed == 0 { "open" } else { "closed" },
        "draft": is_draft(&issue.title),
        "is_locked": issue.locked,
        "comments": comment_count(world, issue.id) - reviewed,
        "review_comments": reviewed,
        "additions": pull.changes.1,
        "deletions": pull.changes.2,
        "changed_files": pull.changes.0,
        "html_url": web,
        "diff_url": format!("{web}.diff"),
        "patch_url": format!("{web}.patch"),
        "mergeable": pull.mergeable && !is_draft(&issue.title),
        "merged": merged.is_some(),
        "merged_at": time(merged.map_or(0, |merged| merged.at)),
        "merge_commit_sha": merged.map(|merged| merged.commit.as_str()),
        "merged_by": merged.map(|merged| user(merged.by)),
        "allow_maintainer_edit": pull.maintainer_edit,
        "base": end(world, base, doer, issue.repo, &pull.base, &base_sha(world, issue.repo, pull)),
        "head": head(world, base, doer, issue, pull),
        "merge_base": pull.merge_base,
        "due_date": time(issue.due),
        "created_at": rfc3339(issue.created),
        "updated_at": rfc3339(issue.updated),
        "closed_at": time(issue.closed),
        "pin_order": issue.pin,
        "content_version": issue.version,
    }))
}

/// The same for a user who does not ask, for webhooks and runs.
pub(crate) fn view(world: &World, base: &str, doer: i64, issue: &Issue) -> Option<Value> {
    view_to(world, base, pulls::as_doer(world, doer).as_ref(), issue)
}

/// Where the base is now, as long as there is one.
fn base_sha(world: &World, repo: i64, pull: &Pull) -> String {
    let references = world.references.get(repo);
    let tip = references.and_then(|references| references.branch(&pull.base));
    tip.unwrap_or(&pull.base_sha).to_owned()
}

fn end(world: &World, base: &str, doer: Option<&Doer>, repo: i64, name: &str, sha: &str) -> Value {
    let found = world.repos.get(repo);
    let shown = found.map(|repo| {
        let access = permission::access(world, doer, repo);
        repos::view(world, base, doer, repo, &access)
    });
    json!({ "label": name, "ref": name, "sha": sha, "repo_id": if found.is_some() { repo } else { -1 }, "repo": shown })
}

fn head(world: &World, base: &str, doer: Option<&Doer>, issue: &Issue, pull: &Pull) -> Value {
    let mut shown = end(
        world,
        base,
        doer,
        pull.head_repo,
        &pull.head,
        &pull.head_sha,
    );
    if pull.flow || !pulls::has_branch(world, pull.head_repo, &pull.head) {
        shown["ref"] = json!(pulls::reference(issue.index));
    }
    if pull.flow {
        shown["label"] = json!("");
    }
    shown
}

pub(super) fn shown(world: &World, scene: &Scene<'_>, issue: &Issue) -> Value {
    let view = view_to(world, &scene.call.base, scene.doer.as_ref(), issue);
    view.unwrap_or_default()
}

/// The pull request of the path.
pub(super) fn found<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Issue, Reply> {
    let text = scene.call.param("index");
    let index: i64 = text.parse().map_err(|_| Reply::not_found())?;
    by_index(world, scene.repo, index)
}

fn by_index(world: &World, repo: i64, index: i64) -> Result<&Issue, Reply> {
    let issue = world.issues.find(&format!("{repo}/{index}"));
    issue
        .filter(|issue| issue.pull.is_some())
        .ok_or_else(Reply::not_found)
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    if let Some((index, kind)) = scene.call.param("index").split_once('.') {
        let issue = by_index(world, scene.repo, index.parse().unwrap_or_default())?;
        return content::text(scene.git, issue, kind);
    }
    Ok(Reply::ok(shown(world, scene, found(world, scene)?)))
}

fn by_branches(world: &World, scene: &Scene<'_>) -> Answer {
    let (base, head) = (scene.call.param("base"), scene.call.param("*"));
    let (owner, head) = head
        .split_once(':')
        .map_or((None, head), |(owner, head)| (Some(owner), head));
    let owner = owner.map(|name| world.owner(name).map_or(-1, |(id, _)| id));
    let fits = |issue: &&Issue| {
        issue.pull.as_ref().is_some_and(|pull| {
            let of_owner = world.repos.get(pull.head_repo).map(|repo| repo.owner);
            pull.base == base
                && pull.head == head
                && owner.map_or(pull.head_repo == scene.repo, |owner| {
                    of_owner == Some(owner)
                })
        })
    };
    let mut all = world
        .issues
        .of(scene.repo)
        .map(|(_, issue)| issue)
        .filter(fits);
    let issue = all.next_back().ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(shown(world, scene, issue)))
}

fn of_commit(world: &World, scene: &Scene<'_>) -> Answer {
    let sha = scene.call.param("sha");
    let fits = |issue: &&Issue| {
        let pull = issue.pull.as_ref();
        let merged = pull.and_then(|pull| pull.merged.as_ref());
        merged.is_some_and(|merged| merged.commit == sha)
    };
    let mut all = world.issues.of(scene.repo).map(|(_, issue)| issue);
    let issue = all.find(fits).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(shown(world, scene, issue)))
}

fn pinned(world: &World, scene: &Scene<'_>) -> Answer {
    let all = world.issues.of(scene.repo).map(|(_, issue)| issue);
    let pinned = all.filter(|issue| issue.pin > 0 && issue.pull.is_some());
    Ok(Reply::ok(
        pinned.map(|issue| in_list(world, scene, issue)).collect(),
    ))
}

/// In lists some members are null that are empty elsewhere.
fn in_list(world: &World, scene: &Scene<'_>, issue: &Issue) -> Value {
    let mut view = shown(world, scene, issue);
    for name in [
        "assignees",
        "requested_reviewers",
        "requested_reviewers_teams",
    ] {
        if view[name].as_array().is_some_and(Vec::is_empty) {
            view[name] = Value::Null;
        }
    }
    view
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let call = scene.call;
    let query = |name: &str| call.query(name).filter(|text| !text.is_empty());
    let poster = match query("poster") {
        None => None,
        Some(name) => {
            let found = world.owner(name).map(|(id, _)| id);
            let missing =
                || Reply::error(400, format!("user does not exist [uid: 0, name: {name}]"));
            Some(found.ok_or_else(missing)?)
        }
    };
    let labels = call.query_all("labels").flat_map(|text| text.split(','));
    let labels = labels
        .filter(|text| !text.is_empty())
        .map(str::parse::<i64>);
    let labels: Vec<i64> = labels
        .collect::<Result<_, _>>()
        .map_err(|_| scene.internal("labels are numbers"))?;
    let milestone: i64 = query("milestone")
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    let fits = |issue: &&Issue| {
        let stands = match query("state") {
            Some("open") => issue.closed == 0,
            Some("closed") => issue.closed != 0,
            _ => true,
        };
        stands
            && labels.iter().all(|label| issue.labels.contains(label))
            && poster.is_none_or(|poster| issue.poster == poster)
            && (milestone == 0 || issue.milestone == milestone)
            && issue
                .pull
                .as_ref()
                .is_some_and(|pull| query("base_branch").is_none_or(|base| pull.base == base))
    };
    let all = world.issues.of(scene.repo).map(|(_, issue)| issue);
    let mut found: Vec<&Issue> = all.filter(fits).collect();
    match query("sort") {
        Some("oldest") => found.sort_by_key(|issue| issue.id),
        Some("recentupdate") => {
            found.sort_by_key(|issue| std::cmp::Reverse((issue.updated, issue.id)))
        }
        Some("leastupdate") => found.sort_by_key(|issue| (issue.updated, issue.id)),
        Some("mostcomment") => {
            found.sort_by_key(|issue| std::cmp::Reverse(comment_count(world, issue.id)))
        }
        Some("leastcomment") => found.sort_by_key(|issue| comment_count(world, issue.id)),
        _ => found.sort_by_key(|issue| std::cmp::Reverse(issue.id)),
    }
    Ok(listed(call, &world.settings, &found, |issue| {
        in_list(world, scene, issue)
    }))
}

static CREATE: Schema = Schema {
    name: "CreatePullRequestOption",
    fields: &[
        ruled("head", "Head", &[Rule::Required]),
        ruled("base", "Base", &[Rule::Required]),
        ruled("title", "Title", &[Rule::Required]),
        text("body", "Body"),
        text("assignee", "Assignee"),
        of("assignees", "Assignees", Kind::Texts),
        number("milestone", "Milestone"),
        of("labels", "Labels", Kind::Numbers),
        of("due_date", "Deadline", Kind::Time),
        of("reviewers", "Reviewers", Kind::Texts),
        of("team_reviewers", "TeamReviewers", Kind::Texts),
        flag("allow_maintainer_edit", "AllowMaintainerEdit"),
    ],
};

/// The repository and the branch that a `head` names: `branch`, `owner:branch` or `owner/repo:branch`.
fn head_of(world: &World, scene: &Scene<'_>, head: &str) -> Result<(i64, String), Reply> {
    let Some((whose, branch)) = head.split_once(':') else {
        return Ok((scene.repo, head.to_owned()));
    };
    let (name, repo_name) = whose
        .split_once('/')
        .map_or((whose, None), |(name, repo)| (name, Some(repo)));
    let (owner, _) = world.owner(name).ok_or_else(Reply::not_found)?;
    if let Some(repo_name) = repo_name {
        let repo = world
            .repo_of(owner, repo_name)
            .ok_or_else(Reply::not_found)?
            .0;
        return Ok((repo, branch.to_owned()));
    }
    if owner == scene.owner {
        return Ok((scene.repo, branch.to_owned()));
    }
    let fork = world
        .repos
        .of(owner)
        .find(|(_, repo)| repo.fork_of == Some(scene.repo));
    let missing = || {
        Reply::error(
            400,
            format!("the user {name} does not have a fork of the base repository"),
        )
    };
    Ok((fork.ok_or_else(missing)?.0, branch.to_owned()))
}

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let base = body
        .text_or_empty("base")
        .trim_start_matches("refs/heads/")
        .to_owned();
    let (head_repo, head) = head_of(world, scene, body.text_or_empty("head"))?;
    if head_repo == scene.repo && head == base {
        return Err(Reply::error(
            422,
            "Invalid PullRequest: There are no changes between the head and the base",
        ));
    }
    if !pulls::has_branch(world, head_repo, &head) || !pulls::has_branch(world, scene.repo, &base) {
        return Err(Reply::not_found());
    }
    let writes = world
        .repos
        .get(head_repo)
        .is_some_and(|repo| scene.access_to(world, repo).to(Unit::Code) >= Mode::Write);
    if !scene.is_admin() && !writes {
        return Err(Reply::error(403, "user must be a collaborator"));
    }
    if let Some(twin) = twin(world, scene, head_repo, &head, &base) {
        return Err(Reply::error(409, twin));
    }
    let id = insert(world, scene, &body, (head_repo, head, base))?;
    if pulls::look(world, scene.git, id).is_err() {
        world.issues.remove(id);
        return Err(scene.internal("git cannot compare both branches"));
    }
    let (pusher, git) = (scene.doer_id(), scene.git);
    note_commits(world, git, pusher, id);
    issues::tell(world, scene, id, Told::Itself, "opened");
    let made = world.issues.get(id).ok_or_else(Reply::not_found)?;
    let mut body = shown(world, scene, made);
    for end in ["base", "head"] {
        // It is counted a moment later there.
        let counter = &mut body[end]["repo"]["open_pr_counter"];
        *counter = json!(counter.as_i64().unwrap_or(1) - 1);
    }
    Ok(Reply::created(body))
}

/// The timeline begins with the commits that are there already.
pub(crate) fn note_commits(world: &mut World, git: &crate::gitea::Git, pusher: i64, id: i64) {
    let Some((repo, pull)) = world
        .issues
        .get(id)
        .and_then(|issue| Some((issue.repo, issue.pull.clone()?)))
    else {
        return;
    };
    let commits =
        pulls::merging::between(git, repo, &pull.merge_base, &pull.head_sha).unwrap_or_default();
    let body = json!({ "is_force_push": false, "commit_ids": commits }).to_string();
    issues::note_by(world, pusher, id, CommentKind::PullPush, &body);
}

/// The words for an open pull request between the same branches.
fn twin(
    world: &World,
    scene: &Scene<'_>,
    head_repo: i64,
    head: &str,
    base: &str,
) -> Option<String> {
    let open = world
        .issues
        .of(scene.repo)
        .map(|(_, issue)| issue)
        .filter(|issue| issue.closed == 0);
    let mut pulls = open.filter_map(|issue| Some((issue, issue.pull.as_ref()?)));
    let (issue, pull) = pulls
        .find(|(_, pull)| pull.head_repo == head_repo && pull.head == head && pull.base == base)?;
    Some(format!(
        "pull request already exists for these targets [id: {}, issue_id: {}, head_repo_id: {head_repo}, base_repo_id: {}, head_branch: {head}, base_branch: {base}]",
        pull.id, issue.index, scene.repo
    ))
}

/// The next id of a pull request, which counts apart from that of issues.
pub(crate) fn next_id(world: &World) -> i64 {
    let all = world
        .issues
        .iter()
        .filter_map(|(_, issue)| issue.pull.as_ref());
    all.map(|pull| pull.id).max().unwrap_or_default() + 1
}

fn insert(
    world: &mut World,
    scene: &Scene<'_>,
    body: &Body,
    (head_repo, head, base): (i64, String, String),
) -> Result<i64, Reply> {
    let (now, repo, poster) = (world.now(), scene.repo, scene.doer_id());
    let assignees = issues::assignees(world, body)?.unwrap_or_default();
    let labels = label_ids(world, scene, body).unwrap_or_default();
    let tip = |repo: i64, branch: &str| {
        let references = world.references.get(repo);
        references
            .and_then(|references| references.branch(branch))
            .unwrap_or_default()
            .to_owned()
    };
    let pull = Pull {
        id: next_id(world),
        head_sha: tip(head_repo, &head),
        base_sha: tip(repo, &base),
        head_repo,
        head,
        base,
        maintainer_edit: body.flag("allow_maintainer_edit").unwrap_or_else(|| {
            world
                .repos
                .get(repo)
                .is_some_and(|repo| repo.merge.allow_maintainer_edit)
        }),
        ..Pull::default()
    };
    let index = issues::next_index(world, repo)?;
    Ok(world.issues.insert(|id| Issue {
        id,
        repo,
        index,
        poster,
        title: body.text_or_empty("title").to_owned(),
        body: body.text_or_empty("body").to_owned(),
        due: body
            .time("due_date")
            .map_or(0, |time| issues::end_of_day(time.0)),
        created: now,
        updated: now,
        labels,
        milestone: body.number("milestone").unwrap_or_default(),
        assignees,
        pull: Some(pull),
        ..Issue::default()
    }))
}

static EDIT: Schema = Schema {
    name: "EditPullRequestOption",
    fields: &[
        text("title", "Title"),
        text("body", "Body"),
        text("base", "Base"),
        text("assignee", "Assignee"),
        of("assignees", "Assignees", Kind::Texts),
        number("milestone", "Milestone"),
        of("labels", "Labels", Kind::Numbers),
        text("state", "State"),
        of("due_date", "Deadline", Kind::Time),
        flag("unset_due_date", "RemoveDeadline"),
        flag("allow_maintainer_edit", "AllowMaintainerEdit"),
        number("content_version", "ContentVersion"),
    ],
};

fn edit(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &EDIT)?;
    let issue = found(world, scene)?;
    let (id, poster, labels) = (issue.id, issue.poster, issue.labels.clone());
    let merged = issue
        .pull
        .as_ref()
        .is_some_and(|pull| pull.merged.is_some());
    let writes = scene.is_admin() || scene.access.to(Unit::Pulls) >= Mode::Write;
    if !writes && poster != scene.doer_id() {
        return Err(Reply::empty(403));
    }
    if body
        .number("milestone")
        .is_some_and(|milestone| milestone != 0 && world.milestones.get(milestone).is_none())
    {
        return Err(scene.internal("milestone does not exist"));
    }
    match body.text("state") {
        Some(_) if merged => {
            return Err(Reply::error(
                412,
                "cannot change state of this pull request, it was already merged",
            ));
        }
        Some(state) if !["open", "closed"].contains(&state) => {
            return Err(Reply::error(412, format!("unknown state: {state}")));
        }
        _ => {}
    }
    let assigned = issues::assignees(world, &body)?.filter(|_| writes);
    retarget(world, scene, id, &body)?;
    issues::change(world, scene, id, &body, writes);
    if let Some(wanted) =
        label_ids(world, scene, &body).filter(|wanted| writes && *wanted != labels)
    {
        world.issues.update(id, |issue| issue.labels = wanted);
        issues::tell(world, scene, id, Told::Labels, "label_updated");
    }
    if let Some(assigned) = assigned {
        world.issues.update(id, |issue| issue.assignees = assigned);
        issues::tell(world, scene, id, Told::Assignees, "assigned");
    }
    if let Some(may) = body.flag("allow_maintainer_edit") {
        world.issues.update(id, |issue| {
            issue.pull.as_mut().map(|pull| pull.maintainer_edit = may)
        });
    }
    issues::set_state(world, scene, id, body.text("state"));
    Ok(Reply::created(shown(world, scene, found(world, scene)?)))
}

/// Another branch to merge into.
fn retarget(world: &mut World, scene: &Scene<'_>, id: i64, body: &Body) -> Result<(), Reply> {
    let Some(base) = body.text("base").filter(|base| !base.is_empty()) else {
        return Ok(());
    };
    if !pulls::has_branch(world, scene.repo, base) {
        return Err(Reply::error(404, format!("new base '{base}' not exist")));
    }
    let changed = world.issues.update(id, |issue| {
        let pull = issue.pull.as_mut()?;
        let changed = pull.base != base;
        base.clone_into(&mut pull.base);
        Some(changed)
    });
    if changed.flatten() == Some(true) {
        issues::note(world, scene, id, CommentKind::ChangeTargetBranch, "");
        pulls::look(world, scene.git, id).map_err(|error| scene.internal(&error.to_string()))?;
    }
    Ok(())
}
