//! Branches.

use serde_json::{Value, json};

use super::commits::{self, Addresses, broken};
use super::repos::REPO;
use crate::gitea::access::{Mode, Unit};
use crate::gitea::api::users::hidden_email;
use crate::gitea::bind::{Rule, Schema, bind, flag, ruled, text};
use crate::gitea::clock::rfc3339_in;
use crate::gitea::committing::refusal;
use crate::gitea::events::{PushedBy, ZERO_ID};
use crate::gitea::git::{Commit, Move, Person, RefError};
use crate::gitea::page::Page;
use crate::gitea::protection::{self, Wish};
use crate::gitea::pushes;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::{BranchProtection, World};

const CODE: &[Unit] = &[Unit::Code];
const WRITE: &[Need] = &[Need::SignedIn, Need::NotArchived, Need::Writer(CODE)];

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/repos/{owner}/{repo}/branches",
        place: Place::Repo,
        scopes: REPO,
        needs: &[Need::Reader(CODE)],
        run: Run::Read(list),
    },
    Route {
        method: "GET",
        path: "/repos/{owner}/{repo}/branches/*",
        place: Place::Repo,
        scopes: REPO,
        needs: &[Need::Reader(CODE)],
        run: Run::Read(get),
    },
    write("POST", "/repos/{owner}/{repo}/branches", create),
    write("PUT", "/repos/{owner}/{repo}/branches/*", shift),
    write("PATCH", "/repos/{owner}/{repo}/branches/*", rename),
    write("DELETE", "/repos/{owner}/{repo}/branches/*", delete),
];

const fn write(
    method: &'static str,
    path: &'static str,
    run: fn(&mut World, &mut Scene<'_>) -> Answer,
) -> Route {
    Route {
        method,
        path,
        place: Place::Repo,
        scopes: REPO,
        needs: WRITE,
        run: Run::Write(run),
    }
}

/// A person in a commit of a webhook or a branch, with the account's name if there is one.
pub(crate) fn signature(world: &World, person: &Person) -> Value {
    let user = world
        .emails
        .find(&person.email.to_lowercase())
        .and_then(|row| world.owners.get(row.user));
    let user = user.or_else(|| {
        world
            .owners
            .iter()
            .map(|(_, owner)| owner)
            .find(|owner| hidden_email(world, owner) == person.email)
    });
    json!({ "name": person.name, "email": person.email, "username": user.map_or("", |user| user.login.as_str()) })
}

/// A commit as branches and webhooks show it.
pub(crate) fn payload_commit(world: &World, web: &str, commit: &Commit) -> Value {
    json!({
        "id": commit.id,
        "message": commit.message,
        "url": format!("{web}/commit/{}", commit.id),
        "author": signature(world, &commit.author),
        "committer": signature(world, &commit.committer),
        "verification": commits::verification(commit),
        "timestamp": rfc3339_in(commit.author.seconds, commit.author.offset),
        "added": null,
        "removed": null,
        "modified": null,
    })
}

fn view(world: &World, scene: &Scene<'_>, web: &str, name: &str, id: &str) -> Result<Value, Reply> {
    let commit = scene.git.commit(scene.repo, id).map_err(broken(scene))?;
    let writes = scene.access.to(Unit::Code) >= Mode::Write;
    let (rule, user) = (
        protection::rule_of(world, scene.repo, name),
        scene.doer_id(),
    );
    let contexts = rule.map_or(json!([]), |rule| {
        if rule.contexts.is_empty() {
            Value::Null
        } else {
            json!(rule.contexts)
        }
    });
    let may = |allowed: fn(&World, &BranchProtection, i64) -> bool| {
        writes && rule.is_none_or(|rule| allowed(world, rule, user))
    };
    Ok(json!({
        "name": name,
        "commit": payload_commit(world, web, &commit),
        "protected": rule.is_some(),
        "required_approvals": rule.map_or(0, |rule| rule.required_approvals),
        "enable_status_check": rule.is_some_and(|rule| rule.has("enable_status_check")),
        "status_check_contexts": contexts,
        "user_can_push": may(protection::may_push),
        "user_can_merge": may(protection::may_merge),
        "effective_branch_protection_name": rule.map_or("", |rule| rule.rule.as_str()),
    }))
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let references = world
        .references
        .get(scene.repo)
        .cloned()
        .unwrap_or_default();
    let mut branches: Vec<(&str, &str)> = references.below("refs/heads/").collect();
    // Newest commit first; the order is kept where commits are of the same second.
    branches.sort_by_key(|(_, id)| {
        std::cmp::Reverse(
            scene
                .git
                .commit(scene.repo, id)
                .map_or(0, |commit| commit.committer.seconds),
        )
    });
    let page = Page::of(scene.call, &world.settings);
    let web = Addresses::of(world, scene)?.web;
    let mut shown = Vec::new();
    for (name, id) in page.slice(&branches) {
        shown.push(view(world, scene, &web, name, id)?);
    }
    let body = if branches.is_empty() {
        Value::Null
    } else {
        Value::Array(shown)
    };
    Ok(Reply::ok(body).with_paging(scene.call, &world.settings, page, branches.len()))
}

fn tip(world: &World, scene: &Scene<'_>, name: &str) -> Option<String> {
    world
        .references
        .get(scene.repo)
        .and_then(|references| references.branch(name))
        .map(str::to_owned)
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    let name = scene.call.param("*");
    let id = tip(world, scene, name).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(view(
        world,
        scene,
        &Addresses::of(world, scene)?.web,
        name,
        &id,
    )?))
}

static CREATE: Schema = Schema {
    name: "CreateBranchRepoOption",
    fields: &[
        ruled(
            "new_branch_name",
            "BranchName",
            &[Rule::Required, Rule::RefName, Rule::Max(100)],
        ),
        ruled(
            "old_branch_name",
            "OldBranchName",
            &[Rule::RefName, Rule::Max(100)],
        ),
        ruled(
            "old_ref_name",
            "OldRefName",
            &[Rule::RefName, Rule::Max(100)],
        ),
    ],
};

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let repo = scene.repository(world)?;
    if repo.empty {
        return Err(Reply::error(404, "Git Repository is empty."));
    }
    let (name, old_ref, old_branch) = (
        body.text_or_empty("new_branch_name"),
        body.text_or_empty("old_ref_name"),
        body.text_or_empty("old_branch_name"),
    );
    let from = match (old_ref, old_branch) {
        ("", "") => tip(world, scene, &repo.default_branch),
        ("", branch) => Some(
            tip(world, scene, branch)
                .ok_or_else(|| Reply::error(404, "The old branch does not exist"))?,
        ),
        (name, _) => commits::named_or_short(world, scene, name.trim_start_matches("refs/heads/")),
    };
    let Some(id) = from else {
        return Err(scene.internal(&format!(
            "object does not exist [id: {old_ref}, rel_path: ]"
        )));
    };
    if tip(world, scene, name).is_some() {
        return Err(Reply::error(409, "The branch already exists."));
    }
    if let Some(text) = hook(world, scene, name, None, Some(&id)) {
        return Err(scene.internal(&text));
    }
    let step = Move {
        name: format!("refs/heads/{name}"),
        from: ZERO_ID.into(),
        to: id.clone(),
    };
    shift_to(world, scene, &step).map_err(|error| match error {
        RefError::Clash { .. } => {
            Reply::error(409, "The branch with the same name already exists.")
        }
        other => refusal(&other),
    })?;
    Ok(Reply::created(view(
        world,
        scene,
        &Addresses::of(world, scene)?.web,
        name,
        &id,
    )?))
}

/// What the hook says against moving a branch.
fn hook(
    world: &World,
    scene: &Scene<'_>,
    branch: &str,
    from: Option<&str>,
    to: Option<&str>,
) -> Option<String> {
    let wish = Wish { branch, from, to };
    protection::refusal(world, scene.git, scene.repo, scene.doer_id(), &wish)
}

fn shift_to(world: &mut World, scene: &mut Scene<'_>, step: &Move) -> Result<(), RefError> {
    let (git, repo, doer) = (scene.git, scene.repo, scene.doer_id());
    pushes::move_reference(
        world,
        git,
        repo,
        step,
        doer,
        PushedBy::Api,
        &mut scene.effects,
    )
}

static SHIFT: Schema = Schema {
    name: "UpdateBranchRepoOption",
    fields: &[
        ruled("new_commit_id", "NewCommitID", &[Rule::Required]),
        text("old_commit_id", "OldCommitID"),
        flag("force", "Force"),
    ],
};

fn shift(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &SHIFT)?;
    let name = scene.call.param("*").to_owned();
    let have = tip(world, scene, &name)
        .ok_or_else(|| Reply::not_found_because(format!("branch does not exist [name: {name}]")))?;
    let (new, old) = (
        body.text_or_empty("new_commit_id"),
        body.text_or_empty("old_commit_id"),
    );
    let Some(id) = commits::named_or_short(world, scene, new) else {
        return Err(scene.internal(&format!("object does not exist [id: {new}, rel_path: ]")));
    };
    if !old.is_empty() && old != have {
        return Err(Reply::error(
            422,
            format!("branch commit does not match [expected: {old}, given: {have}]"),
        ));
    }
    let forward = scene
        .git
        .run(scene.repo, &["merge-base", "--is-ancestor", &have, &id])
        .map_err(broken(scene))?
        .status
        == 0;
    if !forward && body.flag("force") != Some(true) {
        return Err(Reply::error(
            422,
            format!("Force push {name} need a confirm force parameter"),
        ));
    }
    if let Some(text) = hook(world, scene, &name, Some(&have), Some(&id)) {
        return Err(Reply::error(403, text));
    }
    if have != id {
        let step = Move {
            name: format!("refs/heads/{name}"),
            from: have,
            to: id,
        };
        shift_to(world, scene, &step).map_err(|error| refusal(&error))?;
    }
    Ok(Reply::no_content())
}

static RENAME: Schema = Schema {
    name: "RenameBranchRepoOption",
    fields: &[ruled(
        "name",
        "Name",
        &[Rule::Required, Rule::RefName, Rule::Max(100)],
    )],
};

fn rename(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &RENAME)?;
    let (old, new) = (
        scene.call.param("*").to_owned(),
        body.text_or_empty("name").to_owned(),
    );
    let repo = scene.repository(world)?;
    let is_default = repo.default_branch == old;
    let rule = protection::rule_of(world, scene.repo, &old);
    let (is_protected, is_ruled) = (rule.is_some(), rule.is_some_and(|rule| rule.rule != old));
    let own_rule = rule.filter(|rule| rule.rule == old).map(|rule| rule.id);
    if (is_default || is_protected) && !scene.is_repo_admin() {
        return Err(Reply::error(
            403,
            "User must be a repo or site admin to rename default or protected branches.",
        ));
    }
    if is_ruled {
        return Err(Reply::error(
            403,
            "Branch is protected by glob-based protection rules.",
        ));
    }
    let id = tip(world, scene, &old).ok_or_else(|| Reply::error(404, "Branch doesn't exist."))?;
    if old == new || tip(world, scene, &new).is_some() {
        return Err(Reply::error(
            422,
            "Cannot rename a branch using the same name or rename to a branch that already exists.",
        ));
    }
    let gone = Move {
        name: format!("refs/heads/{old}"),
        from: id.clone(),
        to: ZERO_ID.into(),
    };
    let made = Move {
        name: format!("refs/heads/{new}"),
        from: ZERO_ID.into(),
        to: id,
    };
    shift_to(world, scene, &made).map_err(|error| refusal(&error))?;
    shift_to(world, scene, &gone).map_err(|error| refusal(&error))?;
    if let Some(rule) = own_rule {
        world
            .branch_protections
            .update(rule, |rule| new.clone_into(&mut rule.rule));
    }
    if is_default {
        scene
            .git
            .set_head(scene.repo, &new)
            .map_err(broken(scene))?;
        world
            .repos
            .update(scene.repo, |repo| repo.default_branch = new);
    }
    Ok(Reply::no_content())
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let name = scene.call.param("*").to_owned();
    let repo = scene.repository(world)?;
    if repo.empty {
        return Err(Reply::error(404, "Git Repository is empty."));
    }
    let is_default = repo.default_branch == name;
    let id = tip(world, scene, &name)
        .ok_or_else(|| Reply::not_found_because(format!("branch does not exist [name: {name}]")))?;
    if is_default {
        return Err(Reply::error(
            403,
            "can not delete default or pull request target branch",
        ));
    }
    if protection::rule_of(world, scene.repo, &name).is_some() {
        return Err(Reply::error(403, "branch protected"));
    }
    let step = Move {
        name: format!("refs/heads/{name}"),
        from: id,
        to: ZERO_ID.into(),
    };
    shift_to(world, scene, &step).map_err(|error| refusal(&error))?;
    Ok(Reply::no_content())
}
