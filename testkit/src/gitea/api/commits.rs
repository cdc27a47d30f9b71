//! Commits: how they are shown, listed and compared.

use serde_json::{Value, json};

use super::repos::REPO;
use crate::gitea::access::Unit;
use crate::gitea::api::users::{self, View};
use crate::gitea::clock::{ZERO, parse, rfc3339};
use crate::gitea::git::{self, Changes, Commit, Person};
use crate::gitea::page::Page;
use crate::gitea::permission;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::World;

const CODE: &[Need] = &[Need::Reader(&[Unit::Code])];

pub(crate) const ROUTES: &[Route] = &[
    read("/repos/{owner}/{repo}/commits", list),
    read("/repos/{owner}/{repo}/git/commits/*", single),
    read("/repos/{owner}/{repo}/compare/*", compare),
];

const fn read(path: &'static str, run: fn(&World, &Scene<'_>) -> Answer) -> Route {
    Route {
        method: "GET",
        path,
        place: Place::Repo,
        scopes: REPO,
        needs: CODE,
        run: Run::Read(run),
    }
}

/// The addresses of a repository: that of the API and that of the website.
pub(crate) struct Addresses {
    /// `…/api/v1/repos/o/r`.
    pub api: String,
    /// `…/o/r`.
    pub web: String,
}

impl Addresses {
    pub(crate) fn of(world: &World, scene: &Scene<'_>) -> Result<Self, Reply> {
        let full_name = permission::full_name(world, scene.repository(world)?);
        let base = &scene.call.base;
        Ok(Self {
            api: format!("{base}/api/v1/repos/{full_name}"),
            web: format!("{base}/{full_name}"),
        })
    }
}

/// 500 for whatever git could not do.
pub(crate) fn broken(scene: &Scene<'_>) -> impl Fn(git::Error) -> Reply {
    let admin = scene.is_admin();
    move |error| Reply::internal(&error.to_string(), admin)
}

/// The commit that a name means: a branch, a tag or a full id.
pub(crate) fn named(world: &World, scene: &Scene<'_>, name: &str) -> Option<String> {
    let references = world.references.get(scene.repo)?;
    if let Some(id) = references.branch(name) {
        return Some(id.to_owned());
    }
    if let Some(id) = references.tag(name) {
        return scene
            .git
            .commit(scene.repo, id)
            .ok()
            .map(|commit| commit.id);
    }
    let full = references
        .ids
        .get(name)
        .filter(|_| name.starts_with("refs/"));
    let id = full.map_or(name, String::as_str);
    if git::is_id(id) {
        scene
            .git
            .commit(scene.repo, id)
            .ok()
            .map(|commit| commit.id)
    } else {
        None
    }
}

/// The same, with short ids.
pub(crate) fn named_or_short(world: &World, scene: &Scene<'_>, name: &str) -> Option<String> {
    named(world, scene, name).or_else(|| scene.git.resolve(scene.repo, name))
}

/// The branch, tag or commit a call asks for by `?ref=`, else the default branch: its name and its commit.
pub(crate) fn asked(world: &World, scene: &Scene<'_>) -> Result<(String, String), Reply> {
    let default = scene.repository(world)?.default_branch.clone();
    let name = scene
        .call
        .query("ref")
        .filter(|name| !name.is_empty())
        .unwrap_or(&default)
        .to_owned();
    let missing =
        || Reply::not_found_because(format!("object does not exist [id: {name}, rel_path: ]"));
    let id = named(world, scene, &name).ok_or_else(missing)?;
    Ok((name, id))
}

pub(crate) fn person(person: &Person) -> Value {
    json!({ "name": person.name, "email": person.email, "date": rfc3339(person.seconds) })
}

pub(crate) fn verification(commit: &Commit) -> Value {
    let (reason, signature) = match &commit.signature {
        Some(signature) => ("gpg.error.no_gpg_keys_found", signature.as_str()),
        None => ("gpg.error.not_signed_commit", ""),
    };
    json!({ "verified": false, "reason": reason, "signature": signature, "signer": null, "payload": "" })
}

/// The account that has a mail address.
fn account_of(world: &World, scene: &Scene<'_>, email: &str) -> Value {
    let found = world.emails.find(&email.to_lowercase()).map(|row| row.user);
    let by_hidden = || {
        email
            .split('+')
            .next()
            .and_then(|id| id.parse::<i64>().ok())
            .filter(|_| email.contains("@noreply."))
    };
    match found.or_else(by_hidden).and_then(|id| world.owners.get(id)) {
        Some(user) => users::user(world, &scene.call.base, user, View::Anonymous),
        None => Value::Null,
    }
}

/// What is shown of a commit besides the commit itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    pub stat: bool,
    pub verification: bool,
    pub files: bool,
}

impl Parts {
    pub(crate) fn asked(scene: &Scene<'_>) -> Self {
        // What is given and no flag is no.
        let wants = |name| {
            let given = scene.call.query(name).unwrap_or_default();
            given.is_empty() || scene.call.flag(name) == Some(true)
        };
        Self {
            stat: wants("stat"),
            verification: wants("verification"),
            files: wants("files"),
        }
    }
}

/// A commit as lists and single answers show it.
pub(crate) fn view(
    world: &World,
    scene: &Scene<'_>,
    addresses: &Addresses,
    commit: &Commit,
    changes: &Changes,
    parts: Parts,
) -> Value {
    let (api, id) = (&addresses.api, &commit.id);
    let created = rfc3339(commit.committer.seconds);
    let parent = |id: &String| json!({ "url": format!("{api}/git/commits/{id}"), "sha": id, "created": ZERO });
    let parents: Vec<Value> = commit.parents.iter().map(parent).collect();
    let files: Vec<Value> = changes
        .files
        .iter()
        .map(|(name, status)| json!({ "filename": name, "status": status }))
        .collect();
    let stats = json!({ "total": changes.additions + changes.deletions, "additions": changes.additions, "deletions": changes.deletions });
    json!({
        "url": format!("{api}/git/commits/{id}"),
        "sha": id,
        "created": created,
        "html_url": format!("{}/commit/{id}", addresses.web),
        "commit": {
            "url": format!("{api}/git/commits/{id}"),
            "author": person(&commit.author),
            "committer": person(&commit.committer),
            "message": commit.message,
            "tree": { "url": format!("{api}/git/trees/{id}"), "sha": id, "created": created },
            "verification": if parts.verification { verification(commit) } else { Value::Null },
        },
        "author": account_of(world, scene, &commit.author.email),
        "committer": account_of(world, scene, &commit.committer.email),
        "parents": parents,
        "files": if parts.files { Value::Array(files) } else { Value::Null },
        "stats": if parts.stat { stats } else { Value::Null },
    })
}

/// Several commits by their ids.
pub(crate) fn views(
    world: &World,
    scene: &Scene<'_>,
    ids: &[String],
    parts: Parts,
) -> Result<Vec<Value>, Reply> {
    let addresses = Addresses::of(world, scene)?;
    let changes = if parts.stat || parts.files {
        scene.git.changes(scene.repo, ids).map_err(broken(scene))?
    } else {
        Vec::new()
    };
    let nothing = Changes::default();
    let mut shown = Vec::new();
    for (at, id) in ids.iter().enumerate() {
        let commit = scene.git.commit(scene.repo, id).map_err(broken(scene))?;
        let changes = changes.get(at).map_or(&nothing, |changes| &**changes);
        shown.push(view(world, scene, &addresses, &commit, changes, parts));
    }
    Ok(shown)
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let (call, repo) = (scene.call, scene.repository(world)?);
    if repo.empty {
        return Err(Reply::error(409, "Git Repository is empty."));
    }
    let time = |name: &str| match call.query(name).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => parse(text).map(|time| Some(time.0)).ok_or_else(|| {
            Reply::error(
                422,
                format!("invalid '{name}' format, expected ISO 8601 (RFC3339)"),
            )
        }),
    };
    let (since, until) = (time("since")?, time("until")?);
    let name = call
        .query("sha")
        .filter(|name| !name.is_empty())
        .unwrap_or(&repo.default_branch);
    let Some(head) = named_or_short(world, scene, name) else {
        return Err(Reply::json(404, Value::Null));
    };
    let path = call.query("path").unwrap_or_default();
    let all = if path.is_empty() {
        scene
            .git
            .history(scene.repo, &head)
            .map_err(broken(scene))?
            .to_vec()
    } else {
        touching(scene, &head, path)?
    };
    let total = all.len();
    let within = |id: &String| {
        let Ok(commit) = scene.git.commit(scene.repo, id) else {
            return false;
        };
        since.is_none_or(|since| commit.committer.seconds >= since)
            && until.is_none_or(|until| commit.committer.seconds <= until)
    };
    let chosen: Vec<String> = if since.is_some() || until.is_some() {
        all.into_iter().filter(within).collect()
    } else {
        all
    };
    let page = Page::of(call, &world.settings);
    let shown = views(world, scene, page.slice(&chosen), Parts::asked(scene))?;
    Ok(
        with_counts(Reply::ok(Value::Array(shown)), scene, world, page, total)
            .with_header("x-total", total.to_string()),
    )
}

/// The headers of lists of commits.
pub(crate) fn with_counts(
    reply: Reply,
    scene: &Scene<'_>,
    world: &World,
    page: Page,
    total: usize,
) -> Reply {
    let pages = total.div_ceil(page.size);
    reply
        .with_paging(scene.call, &world.settings, page, total)
        .with_header("x-page", page.number.to_string())
        .with_header("x-perpage", page.size.to_string())
        .with_header("x-pagecount", pages.to_string())
        .with_header("x-hasmore", (page.number < pages).to_string())
}

fn touching(scene: &Scene<'_>, head: &str, path: &str) -> Result<Vec<String>, Reply> {
    let listed = scene
        .git
        .output(
            scene.repo,
            &[
                "--literal-pathspecs",
                "rev-list",
                "--end-of-options",
                head,
                "--",
                path,
            ],
        )
        .map_err(broken(scene))?;
    let ids: Vec<String> = String::from_utf8_lossy(&listed)
        .lines()
        .map(str::to_owned)
        .collect();
    if ids.is_empty() {
        Err(Reply::not_found_in_none("FileCommitsCount"))
    } else {
        Ok(ids)
    }
}

fn single(world: &World, scene: &Scene<'_>) -> Answer {
    let name = scene.call.param("*");
    for (ending, kind) in [(".diff", "diff"), (".patch", "patch")] {
        if let Some(name) = name.strip_suffix(ending) {
            return text_of(world, scene, name, kind);
        }
    }
    if !git::is_ref_name(name) {
        return Err(Reply::error(422, "no valid ref or sha"));
    }
    let id = named_or_short(world, scene, name)
        .ok_or_else(|| Reply::not_found_in_none(&format!("commit doesn't exist: {name}")))?;
    let shown = views(world, scene, &[id], Parts::asked(scene))?;
    Ok(Reply::ok(shown.into_iter().next().unwrap_or_default()))
}

fn text_of(world: &World, scene: &Scene<'_>, name: &str, kind: &str) -> Answer {
    let id = named_or_short(world, scene, name)
        .ok_or_else(|| Reply::not_found_because(format!("commit doesn't exist: {name}")))?;
    let arguments: &[&str] = if kind == "diff" {
        &[
            "diff-tree",
            "-p",
            "--root",
            "--no-commit-id",
            "--full-index",
            "--abbrev=7",
        ]
    } else {
        &["format-patch", "--no-signature", "--stdout", "-1"]
    };
    let arguments: Vec<&str> = arguments
        .iter()
        .copied()
        .filter(|argument| *argument != "--full-index")
        .chain([id.as_str()])
        .collect();
    let text = scene
        .git
        .output(scene.repo, &arguments)
        .map_err(broken(scene))?;
    Ok(Reply::bytes(200, crate::gitea::reply::TEXT, text))
}

/// The two ends of a comparison.
fn ends<'a>(asked: &'a str, default: &'a str) -> (&'a str, &'a str) {
    asked
        .split_once("...")
        .or_else(|| asked.split_once(".."))
        .unwrap_or((default, asked))
}

fn compare(world: &World, scene: &Scene<'_>) -> Answer {
    let repo = scene.repository(world)?;
    let (base, head) = ends(scene.call.param("*"), &repo.default_branch);
    let base = if base.is_empty() {
        &repo.default_branch
    } else {
        base
    };
    let (head_repo, head_name) = match head.split_once(':') {
        Some((owner, name)) => {
            let owner = owner.split('/').next().unwrap_or_default();
            let owner = world
                .owner(owner)
                .map(|(id, _)| id)
                .ok_or_else(Reply::not_found)?;
            let fork = world
                .repos
                .of(owner)
                .find(|(id, other)| *id == repo.id || other.fork_of == Some(repo.id))
                .map(|(id, _)| id);
            (
                fork.ok_or_else(|| {
                    Reply::error(
                        400,
                        "the head user does not have a fork of the base repository",
                    )
                })?,
                name,
            )
        }
        None => (repo.id, head),
    };
    let base = named_or_short(world, scene, base).ok_or_else(Reply::not_found)?;
    let head = if head_repo == repo.id {
        named_or_short(world, scene, head_name)
    } else {
        world
            .references
            .get(head_repo)
            .and_then(|references| references.branch(head_name))
            .map(str::to_owned)
    };
    let head = head.ok_or_else(Reply::not_found)?;
    if head_repo != repo.id {
        scene
            .git
            .copy_objects(head_repo, repo.id)
            .map_err(broken(scene))?;
    }
    let listed = scene
        .git
        .output(
            scene.repo,
            &["rev-list", "--end-of-options", &format!("{base}..{head}")],
        )
        .map_err(broken(scene))?;
    let ids: Vec<String> = String::from_utf8_lossy(&listed)
        .lines()
        .map(str::to_owned)
        .collect();
    let parts = Parts {
        stat: true,
        verification: true,
        files: true,
    };
    let shown = views(world, scene, &ids, parts)?;
    Ok(Reply::ok(
        json!({ "total_commits": ids.len(), "commits": shown }),
    ))
}
