//! Copies of repositories: forks, from templates, from elsewhere; and giving one away.

use std::collections::BTreeMap;

use serde_json::json;

use super::{REPO, create, view};
use crate::gitea::access::Unit;
use crate::gitea::bind::{Kind, Rule, Schema, bind, flag, of, ruled, text};
use crate::gitea::events::{Event, PushedBy, ZERO_ID};
use crate::gitea::git::{Edit, EntryKind, Move};
use crate::gitea::permission;
use crate::gitea::projects;
use crate::gitea::pushes;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::{RepoRedirect, Repository, Transfer, World};

const CODE: &[Unit] = &[Unit::Code];

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/repos/{owner}/{repo}/forks",
        place: Place::Repo,
        scopes: REPO,
        needs: &[Need::Reader(CODE)],
        run: Run::Read(forks),
    },
    write(
        "POST",
        "/repos/{owner}/{repo}/forks",
        &[Need::SignedIn, Need::Reader(CODE)],
        fork,
    ),
    write(
        "POST",
        "/repos/{owner}/{repo}/generate",
        &[Need::SignedIn, Need::Reader(CODE)],
        generate,
    ),
    write(
        "POST",
        "/repos/{owner}/{repo}/transfer",
        &[Need::SignedIn, Need::RepoOwner],
        transfer,
    ),
    write(
        "POST",
        "/repos/{owner}/{repo}/transfer/accept",
        &[Need::SignedIn],
        accept,
    ),
    write(
        "POST",
        "/repos/{owner}/{repo}/transfer/reject",
        &[Need::SignedIn],
        reject,
    ),
    write(
        "POST",
        "/repos/{owner}/{repo}/merge-upstream",
        &[Need::SignedIn, Need::NotArchived, Need::Writer(CODE)],
        merge_upstream,
    ),
    write(
        "POST",
        "/repos/{owner}/{repo}/mirror-sync",
        &[Need::SignedIn, Need::Writer(CODE)],
        mirror_sync,
    ),
    Route {
        method: "POST",
        path: "/repos/migrate",
        place: Place::Nowhere,
        scopes: REPO,
        needs: &[Need::SignedIn],
        run: Run::Write(migrate),
    },
];

const fn write(
    method: &'static str,
    path: &'static str,
    needs: &'static [Need],
    run: fn(&mut World, &mut Scene<'_>) -> Answer,
) -> Route {
    Route {
        method,
        path,
        place: Place::Repo,
        scopes: REPO,
        needs,
        run: Run::Write(run),
    }
}

fn forks(world: &World, scene: &Scene<'_>) -> Answer {
    let ids: Vec<i64> = world
        .repos
        .iter()
        .filter(|(_, repo)| repo.fork_of == Some(scene.repo))
        .map(|(id, _)| id)
        .collect();
    let seen: Vec<&Repository> = ids
        .iter()
        .filter_map(|id| world.repos.get(*id))
        .filter(|repo| scene.access_to(world, repo).any())
        .collect();
    Ok(crate::gitea::page::listed(
        scene.call,
        &world.settings,
        &seen,
        |repo| {
            view(
                world,
                &scene.call.base,
                scene.doer.as_ref(),
                repo,
                &scene.access_to(world, repo),
            )
        },
    ))
}

static FORK: Schema = Schema {
    name: "CreateForkOption",
    fields: &[text("organization", "Organization"), text("name", "Name")],
};

fn fork(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &FORK)?;
    let source = scene.repository(world)?.clone();
    let owner = fork_owner(world, scene, body.text_or_empty("organization"))?;
    let name = body
        .text("name")
        .filter(|name| !name.is_empty())
        .unwrap_or(&source.name)
        .to_owned();
    let login = world
        .owners
        .get(owner)
        .map(|owner| owner.login.clone())
        .unwrap_or_default();
    if owner == source.owner {
        return Err(Reply::error(
            403,
            "The repository can not be forked by its own owner.",
        ));
    }
    if let Some(have) = world
        .repos
        .of(owner)
        .map(|(_, repo)| repo)
        .find(|repo| repo.fork_of == Some(source.id))
    {
        let paths = format!(
            "{}, fork path: {login}/{}",
            permission::full_name(world, &source),
            have.name
        );
        return Err(Reply::error(
            409,
            format!("repository is already forked by user [uname: {login}, repo path: {paths}]"),
        ));
    }
    create::check_name(world, scene, owner, &name)?;
    let id = copy(world, scene, &source, owner, &name, |repo| {
        repo.description.clone_from(&source.description);
        repo.private = source.private;
        repo.fork_of = Some(source.id);
        repo.units = [Unit::Code, Unit::Pulls].into();
        repo.default_branch.clone_from(&source.default_branch);
    })?;
    unwatch(world, id);
    scene.effects.events.push(Event::Fork {
        from: source.id,
        to: id,
        doer: scene.doer_id(),
    });
    let mut reply = create::answer(world, scene, id)?;
    reply.status = 202;
    Ok(reply)
}

/// Who shall have a fork: the caller, or an organisation where it may make repositories.
fn fork_owner(world: &World, scene: &Scene<'_>, organization: &str) -> Result<i64, Reply> {
    if organization.is_empty() {
        return Ok(scene.doer_id());
    }
    let found = world
        .owner(organization)
        .filter(|(_, owner)| owner.is_organization());
    let org = found.map(|(id, _)| id).ok_or_else(Reply::not_found)?;
    if create::may_create_for(world, scene.doer()?, org) {
        return Ok(org);
    }
    Err(Reply::error(
        403,
        "User is not allowed to create repositories in this organization.",
    ))
}

/// Nobody watches a fork by itself.
fn unwatch(world: &mut World, repo: i64) {
    let watching = world
        .owners
        .iter()
        .filter(|(_, user)| user.watching.contains(&repo));
    for id in watching.map(|(id, _)| id).collect::<Vec<_>>() {
        world.owners.update(id, |user| user.watching.remove(&repo));
    }
}

/// A new repository with all objects, branches and tags of another.
fn copy(
    world: &mut World,
    scene: &Scene<'_>,
    source: &Repository,
    owner: i64,
    name: &str,
    change: impl FnOnce(&mut Repository),
) -> Result<i64, Reply> {
    let git = scene.git.clone();
    let id = projects::create(world, &git, scene.doer_id(), owner, name, change)
        .map_err(|error| scene.internal(&error.to_string()))?;
    git.copy_objects(source.id, id)
        .map_err(|error| scene.internal(&error.to_string()))?;
    let references = world.references.get(source.id).cloned().unwrap_or_default();
    let wanted = references
        .ids
        .iter()
        .filter(|(name, _)| name.starts_with("refs/heads/") || name.starts_with("refs/tags/"));
    for (name, target) in wanted {
        let step = Move {
            name: name.clone(),
            from: ZERO_ID.into(),
            to: target.clone(),
        };
        git.move_reference(id, &BTreeMap::new(), &step)
            .map_err(|error| scene.internal(&error.to_string()))?;
        world
            .references
            .update(id, |have| have.ids.insert(name.clone(), target.clone()));
    }
    let empty = source.empty;
    world.repos.update(id, |repo| repo.empty = empty);
    Ok(id)
}

static GENERATE: Schema = Schema {
    name: "GenerateRepoOption",
    fields: &[
        ruled("owner", "Owner", &[Rule::Required]),
        ruled(
            "name",
            "Name",
            &[Rule::Required, Rule::AlphaDashDot, Rule::Max(100)],
        ),
        text("default_branch", "DefaultBranch"),
        ruled("description", "Description", &[Rule::Max(2048)]),
        flag("private", "Private"),
        flag("git_content", "GitContent"),
        flag("topics", "Topics"),
        flag("git_hooks", "GitHooks"),
        flag("webhooks", "Webhooks"),
        flag("avatar", "Avatar"),
        flag("labels", "Labels"),
        flag("protected_branch", "ProtectedBranch"),
    ],
};

fn generate(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &GENERATE)?;
    let source = scene.repository(world)?.clone();
    if !source.template {
        return Err(Reply::error(422, "this is not a template repo"));
    }
    let items = [
        "git_content",
        "topics",
        "git_hooks",
        "webhooks",
        "avatar",
        "labels",
        "protected_branch",
    ];
    if !items.iter().any(|name| body.flag(name) == Some(true)) {
        return Err(Reply::error(422, "must select at least one template item"));
    }
    let (owner_name, name) = (body.text_or_empty("owner"), body.text_or_empty("name"));
    let Some((owner, found)) = world.owner(owner_name) else {
        return Err(Reply::json(
            404,
            json!({ "error": format!("request owner `{owner_name}` does not exist") }),
        ));
    };
    if !scene.is_admin() && owner != scene.doer_id() {
        if !found.is_organization() {
            return Err(Reply::error(
                403,
                "Only admin can generate repository for other user.",
            ));
        }
        if !create::may_create_for(world, scene.doer()?, owner) {
            return Err(Reply::error(
                403,
                "Given user is not allowed to create repository in organization.",
            ));
        }
    }
    create::check_name(world, scene, owner, name)?;
    let git = scene.git.clone();
    let made = projects::create(world, &git, scene.doer_id(), owner, name, |repo| {
        body.text_or_empty("description")
            .clone_into(&mut repo.description);
        repo.private = body.flag("private").unwrap_or_default();
        repo.generated_from = Some(source.id);
        body.text("default_branch")
            .filter(|branch| !branch.is_empty())
            .unwrap_or(&source.default_branch)
            .clone_into(&mut repo.default_branch);
        if body.flag("topics") == Some(true) {
            repo.topics.clone_from(&source.topics);
        }
    });
    let id = made.map_err(|error| scene.internal(&error.to_string()))?;
    if body.flag("git_content") == Some(true) && !source.empty {
        let files = expanded(world, scene, &source, id)?;
        create::first_commit_of(world, scene, id, &files)?;
    }
    create::answer(world, scene, id)
}

/// The template's files with its variables filled in, as edits of an empty tree.
fn expanded(
    world: &World,
    scene: &Scene<'_>,
    source: &Repository,
    id: i64,
) -> Result<BTreeMap<String, Edit>, Reply> {
    let git = scene.git;
    let broken = |error: crate::gitea::git::Error| Reply::internal(&error.to_string(), true);
    let head = world
        .references
        .get(source.id)
        .and_then(|references| references.branch(&source.default_branch))
        .unwrap_or_default()
        .to_owned();
    let tree = git.commit(source.id, &head).map_err(broken)?.tree;
    let globs = git
        .file(source.id, &head, ".gitea/template")
        .map_err(broken)?
        .unwrap_or_default();
    let globs: Vec<String> = String::from_utf8_lossy(&globs)
        .lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let target = world.repos.get(id).ok_or_else(Reply::not_found)?;
    let names = variables(world, source, target);
    let mut edits = BTreeMap::new();
    for path in git.files_below(source.id, &head, "").map_err(broken)? {
        if path == ".gitea/template" {
            continue;
        }
        let Some(entry) = git.entry(source.id, &tree, &path).map_err(broken)? else {
            continue;
        };
        let object = git.object(source.id, &entry.id).map_err(broken)?;
        let fits = entry.kind() == EntryKind::Blob
            && globs
                .iter()
                .any(|glob| crate::gitea::glob::fits(glob, &path));
        let data = match std::str::from_utf8(&object.data) {
            Ok(text) if fits => fill(text, &names).into_bytes(),
            _ => object.data.to_vec(),
        };
        let blob = git
            .store(id, crate::gitea::git::Kind::Blob, &data)
            .map_err(broken)?;
        edits.insert(
            path,
            Edit::Put {
                id: blob,
                mode: entry.mode,
            },
        );
    }
    Ok(edits)
}

fn variables(world: &World, source: &Repository, target: &Repository) -> Vec<(String, String)> {
    let mut names = Vec::new();
    for (prefix, repo) in [("REPO", target), ("TEMPLATE", source)] {
        let owner = world
            .owners
            .get(repo.owner)
            .map(|owner| owner.login.clone())
            .unwrap_or_default();
        let link = format!("/{owner}/{}", repo.name);
        names.push((format!("{prefix}_NAME"), repo.name.clone()));
        names.push((format!("{prefix}_DESCRIPTION"), repo.description.clone()));
        names.push((format!("{prefix}_OWNER"), owner));
        names.push((format!("{prefix}_LINK"), link.clone()));
        names.push((
            format!("{prefix}_HTTPS_URL"),
            format!("{}{link}.git", world.settings.root_url),
        ));
    }
    names
}

fn fill(text: &str, names: &[(String, String)]) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("${{{name}}}"), value)
            .replace(&format!("${name}"), value)
    })
}

static TRANSFER: Schema = Schema {
    name: "TransferRepoOption",
    fields: &[
        of("new_owner", "NewOwner", Kind::Text),
        of("team_ids", "TeamIDs", Kind::Numbers),
    ],
};

fn transfer(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &TRANSFER)?;
    let name = body.text_or_empty("new_owner");
    let (recipient, is_org) = world
        .owner(name)
        .map(|(id, owner)| (id, owner.is_organization()))
        .ok_or_else(|| Reply::error(404, "The new owner does not exist or cannot be found"))?;
    let repo = scene.repository(world)?.clone();
    if repo.transfer.is_some() {
        return Err(Reply::error(
            409,
            "repository is already being transferred [uname: , name: ]",
        ));
    }
    if world.repo_of(recipient, &repo.name).is_some() {
        let login = world
            .owners
            .get(recipient)
            .map(|owner| owner.login.clone())
            .unwrap_or_default();
        return Err(Reply::error(
            422,
            format!(
                "repository already exists [uname: {login}, name: {}]",
                repo.name
            ),
        ));
    }
    let at_once = scene.is_admin()
        || recipient == scene.doer_id()
        || is_org && create::may_create_for(world, scene.doer()?, recipient);
    if at_once {
        give(world, &repo, recipient);
        return shown(world, scene, 202);
    }
    let doer = scene.doer_id();
    world.repos.update(scene.repo, |repo| {
        repo.transfer = Some(Transfer {
            doer,
            recipient,
            teams: Vec::new(),
        })
    });
    shown(world, scene, 201)
}

fn give(world: &mut World, repo: &Repository, recipient: i64) {
    let (old, name, id) = (repo.owner, repo.name.to_lowercase(), repo.id);
    let taken = world
        .repo_redirects
        .find_id(&Repository::index_of(recipient, &name));
    taken.map(|row| world.repo_redirects.remove(row));
    world.repo_redirects.insert(|_| RepoRedirect {
        owner: old,
        name,
        repo: id,
    });
    let teams: Vec<i64> = world
        .teams
        .of(old)
        .filter(|(_, team)| team.repos.contains(&id))
        .map(|(team, _)| team)
        .collect();
    for team in teams {
        world.teams.update(team, |team| team.repos.remove(&id));
    }
    world.repos.update(id, |repo| {
        repo.owner = recipient;
        repo.transfer = None;
    });
}

fn shown(world: &World, scene: &Scene<'_>, status: u16) -> Answer {
    super::view_here(world, scene).map(|body| Reply::json(status, body))
}

fn pending(world: &World, scene: &Scene<'_>) -> Result<(Repository, Transfer), Reply> {
    let repo = scene.repository(world)?.clone();
    let transfer = repo
        .transfer
        .clone()
        .ok_or_else(|| Reply::not_found_because("repository transfer does not exist"))?;
    let doer = scene.doer_id();
    let may = scene.is_admin()
        || transfer.recipient == doer
        || permission::owns_organization(world, doer, transfer.recipient);
    if may {
        Ok((repo, transfer))
    } else {
        Err(Reply::error(403, "permission denied"))
    }
}

fn accept(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let (repo, transfer) = pending(world, scene)?;
    give(world, &repo, transfer.recipient);
    shown(world, scene, 202)
}

fn reject(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    pending(world, scene)?;
    world.repos.update(scene.repo, |repo| repo.transfer = None);
    shown(world, scene, 200)
}

static UPSTREAM: Schema = Schema {
    name: "MergeUpstreamRequest",
    fields: &[text("branch", "Branch"), flag("ff_only", "FfOnly")],
};

fn merge_upstream(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &UPSTREAM)?;
    let repo = scene.repository(world)?.clone();
    let Some(source) = repo.fork_of.and_then(|id| world.repos.get(id)).cloned() else {
        return Err(Reply::error(400, "repository is not a fork"));
    };
    let branch = body.text_or_empty("branch").to_owned();
    let tip = |id: i64| {
        world
            .references
            .get(id)
            .and_then(|references| references.branch(&branch))
            .map(str::to_owned)
    };
    let (Some(have), Some(want)) = (tip(repo.id), tip(source.id)) else {
        return Err(Reply::not_found());
    };
    let git = scene.git.clone();
    git.copy_objects(source.id, repo.id)
        .map_err(|error| scene.internal(&error.to_string()))?;
    let is_ancestor = |old: &str, new: &str| {
        git.run(repo.id, &["merge-base", "--is-ancestor", old, new])
            .is_ok_and(|done| done.status == 0)
    };
    if have == want || is_ancestor(&want, &have) {
        return Ok(Reply::ok(json!({ "merge_type": "up-to-date" })));
    }
    if !is_ancestor(&have, &want) {
        return Err(Reply::error(
            400,
            "the branch has diverged from its upstream",
        ));
    }
    let step = Move {
        name: format!("refs/heads/{branch}"),
        from: have,
        to: want,
    };
    let doer = scene.doer_id();
    pushes::move_reference(
        world,
        &git,
        repo.id,
        &step,
        doer,
        PushedBy::Api,
        &mut scene.effects,
    )
    .map_err(|error| crate::gitea::committing::refusal(&error))?;
    Ok(Reply::ok(json!({ "merge_type": "fast-forward" })))
}

fn mirror_sync(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let repo = scene.repository(world)?;
    let Some((address, _)) = repo.mirror.clone() else {
        return Err(Reply::error(400, "Repository is not a mirror"));
    };
    fetch(world, scene, scene.repo, &address)?;
    Ok(Reply::empty(200))
}

static MIGRATE: Schema = Schema {
    name: "MigrateRepoOptions",
    fields: &[
        ruled("clone_addr", "CloneAddr", &[Rule::Required]),
        of("uid", "RepoOwnerID", Kind::Number("int64")),
        text("repo_owner", "RepoOwner"),
        ruled(
            "repo_name",
            "RepoName",
            &[Rule::Required, Rule::AlphaDashDot, Rule::Max(100)],
        ),
        text("service", "Service"),
        text("auth_username", "AuthUsername"),
        text("auth_password", "AuthPassword"),
        text("auth_token", "AuthToken"),
        flag("mirror", "Mirror"),
        flag("private", "Private"),
        ruled("description", "Description", &[Rule::Max(2048)]),
        text("mirror_interval", "MirrorInterval"),
    ],
};

fn migrate(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &MIGRATE)?;
    let owner_name = body.text_or_empty("repo_owner");
    let owner = match (owner_name, body.number("uid").unwrap_or_default()) {
        ("", 0) => scene.doer_id(),
        ("", uid) => world.owners.get(uid).map(|owner| owner.id).ok_or_else(|| {
            Reply::error(422, format!("user does not exist [uid: {uid}, name: ]"))
        })?,
        (name, _) => world.owner(name).map(|(id, _)| id).ok_or_else(|| {
            Reply::error(422, format!("user does not exist [uid: 0, name: {name}]"))
        })?,
    };
    if !scene.is_admin()
        && owner != scene.doer_id()
        && !permission::owns_organization(world, scene.doer_id(), owner)
    {
        return Err(Reply::error(
            403,
            "Given user is not owner of organization.",
        ));
    }
    let address = body.text_or_empty("clone_addr");
    if address.starts_with('/') || address.starts_with("file:") {
        return Err(Reply::error(
            422,
            "You are not allowed to import local repositories.",
        ));
    }
    if !address.starts_with("http://")
        && !address.starts_with("https://")
        && !address.starts_with("git://")
    {
        return Err(Reply::error(422, "Provided URL is invalid."));
    }
    if !world.settings.migrate_from_local_networks && is_local(address) {
        return Err(Reply::error(
            422,
            "You can not import from disallowed hosts.",
        ));
    }
    let name = body.text_or_empty("repo_name");
    create::check_name(world, scene, owner, name)?;
    let git = scene.git.clone();
    let made = projects::create(world, &git, scene.doer_id(), owner, name, |repo| {
        body.text_or_empty("description")
            .clone_into(&mut repo.description);
        repo.private = body.flag("private").unwrap_or_default();
        address.clone_into(&mut repo.original_url);
        repo.mirror = (body.flag("mirror") == Some(true)).then(|| (address.to_owned(), 8 * 3600));
    });
    let id = made.map_err(|error| scene.internal(&error.to_string()))?;
    if let Err(refusal) = fetch(world, scene, id, address) {
        projects::remove(world, id, scene.doer_id(), &mut scene.effects);
        scene.effects.events.clear();
        return Err(refusal);
    }
    create::answer(world, scene, id)
}

fn is_local(address: &str) -> bool {
    let host = address
        .split("://")
        .nth(1)
        .unwrap_or_default()
        .split(['/', ':'])
        .next()
        .unwrap_or_default();
    host == "localhost"
        || host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|ip| ip.is_loopback() || ip.is_private() || ip.is_link_local())
}

/// Fetches branches and tags from elsewhere into the files and the records.
fn fetch(world: &mut World, scene: &Scene<'_>, id: i64, address: &str) -> Result<(), Reply> {
    let git = scene.git;
    let done = git.run(
        id,
        &[
            "fetch",
            "--quiet",
            "--prune",
            "--no-write-fetch-head",
            "--end-of-options",
            address,
            "+refs/heads/*:refs/heads/*",
            "+refs/tags/*:refs/tags/*",
        ],
    );
    let done = done.map_err(|error| scene.internal(&error.to_string()))?;
    if done.status != 0 {
        return Err(Reply::error(
            422,
            format!("Authentication failed: clone error: {}", done.stderr.trim()),
        ));
    }
    git.forget(id);
    let ids = git
        .references(id)
        .map_err(|error| scene.internal(&error.to_string()))?;
    let branch = world
        .repos
        .get(id)
        .map(|repo| repo.default_branch.clone())
        .unwrap_or_default();
    let head = if ids.contains_key(&format!("refs/heads/{branch}")) {
        branch
    } else {
        ids.keys()
            .find_map(|name| name.strip_prefix("refs/heads/"))
            .unwrap_or(&branch)
            .to_owned()
    };
    let empty = !ids.keys().any(|name| name.starts_with("refs/heads/"));
    git.set_head(id, &head)
        .map_err(|error| scene.internal(&error.to_string()))?;
    let now = world.now();
    world
        .references
        .update(id, |references| references.ids = ids);
    world.repos.update(id, |repo| {
        repo.default_branch = head;
        repo.empty = empty;
        repo.updated = now;
    });
    Ok(())
}
