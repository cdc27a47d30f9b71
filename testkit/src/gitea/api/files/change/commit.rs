//! What every change of files shares: its branch, its people, its commit and the answer.

use serde_json::{Value, json};

use crate::gitea::access::{Mode, Unit};
use crate::gitea::api::commits::{self, Addresses, broken};
use crate::gitea::bind::Body;
use crate::gitea::clock::{ZERO, rfc3339};
use crate::gitea::committing::{self, Draft, clean};
use crate::gitea::git::{Commit, Person};
use crate::gitea::permission;
use crate::gitea::protection;
use crate::gitea::reply::Reply;
use crate::gitea::scene::Scene;
use crate::gitea::world::World;

/// The branch a change goes to, and the commit it starts from.
pub(super) struct Target {
    pub(super) branch: String,
    pub(super) from: Option<String>,
    pub(super) base: Option<String>,
}

/// What a body says about branches, checked against what is there.
pub(super) fn target(world: &World, scene: &Scene<'_>, body: &Body) -> Result<Target, Reply> {
    let repo = scene.repository(world)?;
    let references = world
        .references
        .get(scene.repo)
        .cloned()
        .unwrap_or_default();
    let old = body
        .text("branch")
        .filter(|name| !name.is_empty())
        .unwrap_or(&repo.default_branch)
        .to_owned();
    let new = body
        .text("new_branch")
        .filter(|name| !name.is_empty())
        .unwrap_or(&old)
        .to_owned();
    let base = references.branch(&old).map(str::to_owned);
    if base.is_none() && !repo.empty {
        return Err(Reply::error(
            404,
            format!(
                "branch does not exist [repo_id: {} name: {old}]",
                scene.repo
            ),
        ));
    }
    let from = references.branch(&new).map(str::to_owned);
    if new != old && from.is_some() && body.flag("force_push") != Some(true) {
        return Err(Reply::error(
            422,
            format!("branch already exists [name: {new}]"),
        ));
    }
    Ok(Target {
        branch: new,
        from,
        base,
    })
}

/// Whether the repository and the doer's rights allow a commit.
pub(super) fn allow(world: &World, scene: &Scene<'_>) -> Result<(), Reply> {
    let repo = scene.repository(world)?;
    if repo.archived || repo.mirror.is_some() {
        return Err(Reply::error(
            423,
            format!(
                "{} is not allowed to edit",
                permission::full_name(world, repo)
            ),
        ));
    }
    if scene.access.to(Unit::Code) < Mode::Write {
        return Err(Reply::error(
            403,
            "user should have a permission to write to the target branch",
        ));
    }
    Ok(())
}

/// What the rule of the branch has against it.
pub(super) fn protected(
    world: &World,
    scene: &Scene<'_>,
    target: &Target,
    paths: &[String],
) -> Result<(), Reply> {
    let Some(rule) = protection::rule_of(world, scene.repo, &target.branch) else {
        return Ok(());
    };
    let user = scene.doer_id();
    let allowed = protection::may_push(world, rule, user);
    if target.from.is_none() {
        let text = format!("Not allowed to push to protected branch {}", target.branch);
        return if allowed {
            Ok(())
        } else {
            Err(Reply::error(403, text))
        };
    }
    if !allowed && !protection::are_free(rule, paths) {
        let name = world
            .owners
            .get(user)
            .map_or("", |user| user.login.as_str());
        return Err(Reply::error(
            403,
            format!("user cannot commit to repo [user: {name}]"),
        ));
    }
    match protection::guarded(rule, paths).filter(|_| allowed) {
        Some(path) => Err(Reply::error(
            403,
            format!("path is protected and can not be changed [path: {path}]"),
        )),
        None => Ok(()),
    }
}

/// Makes the commit of a tree, and moves the branch there.
pub(super) fn finish(
    world: &mut World,
    scene: &mut Scene<'_>,
    body: &Body,
    target: &Target,
    tree: String,
    message: &str,
) -> Result<Commit, Reply> {
    let (author, committer) = people(world, scene, body);
    let draft = Draft {
        tree,
        parents: target.base.iter().cloned().collect(),
        message: ended(message, body, &committer),
        author,
        committer,
    };
    let id = committing::store(scene.git, scene.repo, &draft).map_err(broken(scene))?;
    let (git, repo, doer) = (scene.git, scene.repo, scene.doer_id());
    if target.from.as_deref() != Some(&id) {
        committing::move_branch(
            world,
            git,
            repo,
            &target.branch,
            target.from.as_deref(),
            &id,
            doer,
            &mut scene.effects,
        )?;
    }
    git.commit(repo, &id).map_err(broken(scene))
}

/// A message with what comes at its end.
fn ended(message: &str, body: &Body, committer: &Person) -> String {
    if body.flag("signoff") == Some(true) {
        return format!(
            "{message}\n\nSigned-off-by: {} <{}>",
            committer.name, committer.email
        );
    }
    format!("{message}\n")
}

/// Author and committer: as given, else each other, else the doer.
fn people(world: &World, scene: &Scene<'_>, body: &Body) -> (Person, Person) {
    let own = committing::person_of(world, scene.doer_id());
    let dates = body.object("dates");
    let given = |name: &str| {
        let who = body.object(name);
        let (name, email) = (
            clean(who.text_or_empty("name")),
            clean(who.text_or_empty("email")),
        );
        (!name.is_empty() || !email.is_empty()).then_some((name, email))
    };
    let (author, committer) = (given("author"), given("committer"));
    let make = |who: Option<(String, String)>, date: &str| {
        let (name, email) = who.unwrap_or_default();
        let (seconds, offset) = dates.time(date).unwrap_or((own.seconds, own.offset));
        Person {
            name: if name.is_empty() {
                own.name.clone()
            } else {
                name
            },
            email: if email.is_empty() {
                own.email.clone()
            } else {
                email
            },
            seconds,
            offset,
        }
    };
    (
        make(author.clone().or_else(|| committer.clone()), "author"),
        make(committer.or(author), "committer"),
    )
}

/// The members `commit` and `verification`.
pub(super) fn answer(world: &World, scene: &Scene<'_>, commit: &Commit) -> Result<Value, Reply> {
    let addresses = Addresses::of(world, scene)?;
    let api = &addresses.api;
    let parents: Vec<Value> = commit
        .parents
        .iter()
        .map(|id| json!({ "url": format!("{api}/git/commits/{id}"), "sha": id, "created": ZERO }))
        .collect();
    let person = |person: &Person| json!({ "name": person.name, "email": person.email, "date": rfc3339(person.seconds) });
    Ok(json!({
        "commit": {
            "url": format!("{api}/git/commits/{}", commit.id),
            "sha": commit.id,
            "created": ZERO,
            "html_url": format!("{}/commit/{}", addresses.web, commit.id),
            "author": person(&commit.author),
            "committer": person(&commit.committer),
            "parents": parents,
            "message": commit.message,
            "tree": { "url": format!("{api}/git/trees/{}", commit.tree), "sha": commit.tree, "created": ZERO },
        },
        "verification": commits::verification(commit),
    }))
}
