//! Merging a pull request, now or when its checks have succeeded, and bringing its head up to date.

use super::{READ, SIGNED, found, is_draft, on_repo};
use crate::gitea::access::{Mode, Unit};
use crate::gitea::api::commits::broken;
use crate::gitea::api::issues::{self, Told};
use crate::gitea::bind::{Body, Schema, bind, flag, text};
use crate::gitea::committing::{move_branch, person_of};
use crate::gitea::events::{Effects, ZERO_ID};
use crate::gitea::git::{Git, Move};
use crate::gitea::pulls::merging::{self, Ends, Style};
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::{CommentKind, Issue, MergeRules, Merged, Pull, ScheduledMerge, World};
use crate::gitea::{protection, pulls, pushes};

const MERGE: &str = "/repos/{owner}/{repo}/pulls/{index}/merge";

pub(crate) const ROUTES: &[Route] = &[
    on_repo("GET", MERGE, READ, Run::Read(is_merged)),
    on_repo("POST", MERGE, SIGNED, Run::Write(merge)),
    on_repo("DELETE", MERGE, SIGNED, Run::Write(unschedule)),
    on_repo(
        "POST",
        "/repos/{owner}/{repo}/pulls/{index}/update",
        SIGNED,
        Run::Write(update),
    ),
];

fn is_merged(world: &World, scene: &Scene<'_>) -> Answer {
    let issue = found(world, scene)?;
    match issue.pull.as_ref().and_then(|pull| pull.merged.as_ref()) {
        Some(_) => Ok(Reply::no_content()),
        None => Err(Reply::not_found()),
    }
}

static FORM: Schema = Schema {
    name: "MergePullRequestForm",
    fields: &[
        text("Do", "Do"),
        text("do", "do"),
        text("MergeTitleField", "MergeTitleField"),
        text("merge_title_field", "merge_title_field"),
        text("MergeMessageField", "MergeMessageField"),
        text("merge_message_field", "merge_message_field"),
        text("MergeCommitID", "MergeCommitID"),
        text("merge_commit_id", "merge_commit_id"),
        text("head_commit_id", "HeadCommitID"),
        flag("force_merge", "ForceMerge"),
        flag("merge_when_checks_succeed", "MergeWhenChecksSucceed"),
        flag("delete_branch_after_merge", "DeleteBranchAfterMerge"),
    ],
};

/// A member in its new or its old spelling.
fn either<'b>(body: &'b Body, new: &str, old: &str) -> &'b str {
    let given = body.text(new).filter(|text| !text.is_empty());
    given.unwrap_or_else(|| body.text_or_empty(old))
}

const STYLES: [&str; 6] = [
    "merge",
    "rebase",
    "rebase-merge",
    "squash",
    "fast-forward-only",
    "manually-merged",
];

fn merge(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &FORM)?;
    let word = either(&body, "do", "Do").to_owned();
    if !STYLES.contains(&word.as_str()) {
        let rule = if word.is_empty() { "Required" } else { "In" };
        return Err(Reply::error(422, format!("[Do]: {rule}")));
    }
    let issue = found(world, scene)?.clone();
    let pull = issue.pull.clone().ok_or_else(Reply::not_found)?;
    if pull.merged.is_some() {
        return Err(Reply::error(405, "The PR is already merged"));
    }
    if issue.closed != 0 {
        return Err(Reply::not_found());
    }
    let doer = scene.doer_id();
    let rule = protection::rule_of(world, scene.repo, &pull.base);
    let allowed = rule.is_none_or(|rule| protection::may_merge(world, rule, doer));
    if !(scene.is_admin() || scene.access.to(Unit::Code) >= Mode::Write) || !allowed {
        return Err(Reply::error(405, "User not allowed to merge PR"));
    }
    let wish = ScheduledMerge {
        by: doer,
        style: word,
        title: either(&body, "merge_title_field", "MergeTitleField")
            .trim()
            .to_owned(),
        message: either(&body, "merge_message_field", "MergeMessageField")
            .trim()
            .to_owned(),
        delete_branch: body.flag("delete_branch_after_merge").unwrap_or_else(|| {
            world
                .repos
                .get(scene.repo)
                .is_some_and(|repo| repo.merge.delete_branch_after_merge)
        }),
    };
    let hindrance = protection::hinders_merge(world, &issue);
    if body.flag("merge_when_checks_succeed") == Some(true) && hindrance.is_some() {
        return schedule(world, scene, &issue, wish);
    }
    check(world, scene, &issue, &pull, &body, hindrance)?;
    let git = scene.git;
    carry_out(world, git, issue.id, &wish, &mut scene.effects).map_err(|reply| *reply)?;
    Ok(Reply::empty(200))
}

/// What stands in the way of a merge now.
fn check(
    world: &World,
    scene: &Scene<'_>,
    issue: &Issue,
    pull: &Pull,
    body: &Body,
    hindrance: Option<&str>,
) -> Result<(), Reply> {
    if is_draft(&issue.title) {
        return Err(Reply::error(405, "Work in progress PRs cannot be merged"));
    }
    if !pull.mergeable {
        return Err(Reply::error(405, "Please try again later"));
    }
    if let Some(text) = hindrance {
        let rule = protection::rule_of(world, issue.repo, &pull.base);
        let strict = rule.is_some_and(|rule| rule.has("block_admin_merge_override"));
        let forces = body.flag("force_merge") == Some(true) && scene.is_repo_admin() && !strict;
        if !forces {
            return Err(Reply::error(405, text));
        }
    }
    let word = either(body, "do", "Do");
    let rules = &scene.repository(world)?.merge;
    if !allows(rules, word) {
        return Err(Reply::error(
            405,
            "merge is not allowed an allowed merge style for this repository",
        ));
    }
    if word == "manually-merged" {
        return Err(Reply::error(409, "Wrong commit ID"));
    }
    let expected = body.text_or_empty("head_commit_id");
    if !expected.is_empty() && expected != pull.head_sha {
        return Err(Reply::error(409, "head out of date"));
    }
    Ok(())
}

fn allows(rules: &MergeRules, word: &str) -> bool {
    match word {
        "merge" => rules.allow_merge_commits,
        "rebase" => rules.allow_rebase,
        "rebase-merge" => rules.allow_rebase_explicit,
        "squash" => rules.allow_squash_merge,
        "fast-forward-only" => rules.allow_fast_forward_only,
        _ => rules.allow_manual_merge,
    }
}

fn schedule(world: &mut World, scene: &Scene<'_>, issue: &Issue, wish: ScheduledMerge) -> Answer {
    let pull = issue.pull.as_ref().ok_or_else(Reply::not_found)?;
    if pull.scheduled.is_some() {
        let text = format!(
            "pull request is already scheduled to auto merge when checks succeed [pull_id: {}]",
            pull.id
        );
        return Err(Reply::error(409, text));
    }
    world.issues.update(issue.id, |issue| {
        issue.pull.as_mut().map(|pull| pull.scheduled = Some(wish))
    });
    issues::note(world, scene, issue.id, CommentKind::PullScheduledMerge, "");
    Ok(Reply::empty(201))
}

fn unschedule(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let issue = found(world, scene)?;
    let id = issue.id;
    let scheduled = issue.pull.as_ref().and_then(|pull| pull.scheduled.clone());
    let scheduled = scheduled.ok_or_else(Reply::not_found)?;
    if scheduled.by != scene.doer_id() && !scene.is_repo_admin() {
        return Err(Reply::error(
            403,
            "user has no permission to cancel the scheduled auto merge",
        ));
    }
    world.issues.update(id, |issue| {
        issue.pull.as_mut().map(|pull| pull.scheduled = None)
    });
    issues::note(world, scene, id, CommentKind::PullCancelScheduledMerge, "");
    Ok(Reply::no_content())
}

/// Merges what waits, as soon as nothing hinders it any more.
pub(crate) fn merge_scheduled(world: &mut World, git: &Git, id: i64, effects: &mut Effects) {
    let Some(issue) = world.issues.get(id).cloned() else {
        return;
    };
    let Some(pull) = &issue.pull else { return };
    let Some(wish) = pull.scheduled.clone() else {
        return;
    };
    if !pull.mergeable
        || is_draft(&issue.title)
        || protection::hinders_merge(world, &issue).is_some()
    {
        return;
    }
    // What cannot be merged now waits for the next check.
    let _ = carry_out(world, git, id, &wish, effects);
}

/// Merges, moves the base, closes the pull request and tells it.
fn carry_out(
    world: &mut World,
    git: &Git,
    id: i64,
    wish: &ScheduledMerge,
    effects: &mut Effects,
) -> Result<(), Box<Reply>> {
    let gone = || Box::new(Reply::not_found());
    let issue = world.issues.get(id).cloned().ok_or_else(gone)?;
    let pull = issue.pull.clone().ok_or_else(gone)?;
    let style = Style::of(&wish.style).ok_or_else(gone)?;
    let mut person = person_of(world, wish.by);
    if let Some(user) = world.owners.get(wish.by) {
        // The merger shows the real address here.
        person.email = crate::gitea::committing::clean(&user.email);
    }
    let ends = Ends {
        repo: issue.repo,
        base: &pull.base_sha,
        head: &pull.head_sha,
        person: &person,
    };
    let made = merging::bring(
        git,
        &ends,
        style,
        &message(world, &issue, &pull, style, wish),
    );
    let impossible = || Box::new(Reply::error(500, ""));
    let commit = made.map_err(|_| impossible())?.ok_or_else(impossible)?;
    let (doer, base) = (wish.by, pull.base.clone());
    // It is closed before its base moves: a push must not look at it as an open one any more.
    let now = world.now();
    let merged = Merged {
        at: now,
        by: doer,
        commit: commit.clone(),
    };
    world.issues.update(id, |issue| {
        issue.closed = now;
        issue.updated = now;
        if let Some(pull) = &mut issue.pull {
            pull.merged = Some(merged);
            pull.scheduled = None;
        }
    });
    if let Err(refusal) = move_branch(
        world,
        git,
        issue.repo,
        &base,
        Some(&pull.base_sha),
        &commit,
        doer,
        effects,
    ) {
        world.issues.put(id, issue);
        return Err(Box::new(refusal));
    }
    issues::note_by(world, doer, id, CommentKind::MergePull, "");
    effects
        .events
        .extend(issues::event(world, doer, id, &Told::Itself, "closed"));
    if wish.delete_branch {
        delete_head(world, git, id, &pull, doer, effects);
    }
    Ok(())
}

/// The message of a merge, unless somebody gave another.
fn message(
    world: &World,
    issue: &Issue,
    pull: &Pull,
    style: Style,
    wish: &ScheduledMerge,
) -> String {
    let usual = || {
        if style == Style::Squash {
            return format!("{} (#{})", issue.title, issue.index);
        }
        let whose = match world.repos.get(pull.head_repo) {
            Some(repo) if repo.id != issue.repo => {
                format!("{}:", crate::gitea::permission::full_name(world, repo))
            }
            _ => String::new(),
        };
        format!(
            "Merge pull request '{}' (#{}) from {whose}{} into {}",
            issue.title, issue.index, pull.head, pull.base
        )
    };
    let title = if wish.title.is_empty() {
        usual()
    } else {
        wish.title.clone()
    };
    if wish.message.is_empty() {
        title
    } else {
        format!("{title}\n\n{}", wish.message)
    }
}

fn delete_head(
    world: &mut World,
    git: &Git,
    id: i64,
    pull: &Pull,
    doer: i64,
    effects: &mut Effects,
) {
    let is_default = world
        .repos
        .get(pull.head_repo)
        .is_none_or(|repo| repo.default_branch == pull.head);
    let is_protected = protection::rule_of(world, pull.head_repo, &pull.head).is_some();
    if pull.flow
        || is_default
        || is_protected
        || !pulls::has_branch(world, pull.head_repo, &pull.head)
    {
        return;
    }
    let step = Move {
        name: format!("refs/heads/{}", pull.head),
        from: pull.head_sha.clone(),
        to: ZERO_ID.into(),
    };
    let by = crate::gitea::events::PushedBy::Api;
    if pushes::move_reference(world, git, pull.head_repo, &step, doer, by, effects).is_ok() {
        issues::note_by(world, doer, id, CommentKind::DeleteBranch, "");
    }
}

fn update(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let issue = found(world, scene)?.clone();
    let pull = issue.pull.clone().ok_or_else(Reply::not_found)?;
    if pull.merged.is_some() || issue.closed != 0 {
        return Err(Reply::error(422, "pull request is closed or merged"));
    }
    let head_repo = world
        .repos
        .get(pull.head_repo)
        .ok_or_else(Reply::not_found)?;
    if !scene.is_admin() && scene.access_to(world, head_repo).to(Unit::Code) < Mode::Write {
        return Err(Reply::empty(403));
    }
    if pull.merge_base == pull.base_sha {
        return Err(scene.internal("HeadBranchIsUpToDate"));
    }
    let rebase = scene.call.query("style") == Some("rebase");
    let person = person_of(world, scene.doer_id());
    // The head is brought on top of the base, or the base into the head.
    let (ends, style) = if rebase {
        (
            Ends {
                repo: issue.repo,
                base: &pull.base_sha,
                head: &pull.head_sha,
                person: &person,
            },
            Style::Rebase,
        )
    } else {
        (
            Ends {
                repo: issue.repo,
                base: &pull.head_sha,
                head: &pull.base_sha,
                person: &person,
            },
            Style::Merge,
        )
    };
    let text = format!("Merge branch '{}' into {}", pull.base, pull.head);
    let made = merging::bring(scene.git, &ends, style, &text).map_err(broken(scene))?;
    let word = if rebase { "rebase" } else { "merge" };
    let commit =
        made.ok_or_else(|| Reply::error(409, format!("{word} failed because of conflict")))?;
    if pull.head_repo != issue.repo {
        scene
            .git
            .copy_objects(issue.repo, pull.head_repo)
            .map_err(broken(scene))?;
    }
    let (git, doer) = (scene.git, scene.doer_id());
    move_branch(
        world,
        git,
        pull.head_repo,
        &pull.head,
        Some(&pull.head_sha),
        &commit,
        doer,
        &mut scene.effects,
    )?;
    Ok(Reply::empty(200))
}
