//! Files and folders of a repository as the API answers them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::commits::{self, Addresses, broken};
use super::repos::REPO;
use crate::gitea::access::Unit;
use crate::gitea::bind::{Kind, Schema, bind, of};
use crate::gitea::clock::rfc3339_in;
use crate::gitea::git::{EntryKind, TreeEntry};
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::World;

pub(crate) mod change;
pub(crate) mod raw;

pub(super) const CODE: &[Unit] = &[Unit::Code];
const READ: &[Need] = &[Need::Reader(CODE)];

pub(crate) const ROUTES: &[Route] = &[
    read("/repos/{owner}/{repo}/contents", get),
    read("/repos/{owner}/{repo}/contents/*", get),
    read("/repos/{owner}/{repo}/contents-ext", extended),
    read("/repos/{owner}/{repo}/contents-ext/*", extended),
    read("/repos/{owner}/{repo}/file-contents", several_by_query),
    Route {
        method: "POST",
        path: "/repos/{owner}/{repo}/file-contents",
        place: Place::Repo,
        scopes: REPO,
        needs: READ,
        run: Run::Read(several),
    },
];

const fn read(path: &'static str, run: fn(&World, &Scene<'_>) -> Answer) -> Route {
    Route {
        method: "GET",
        path,
        place: Place::Repo,
        scopes: REPO,
        needs: READ,
        run: Run::Read(run),
    }
}

/// Where an entry was found: the name that was asked for, and the commit it means.
pub(crate) struct Found<'s> {
    pub reference: &'s str,
    pub commit: &'s str,
}

/// The part of web addresses that names a branch, a tag or a commit.
fn reference_path(world: &World, scene: &Scene<'_>, reference: &str) -> String {
    let known = world.references.get(scene.repo);
    let kind = match known {
        Some(known) if known.branch(reference).is_some() => "branch",
        Some(known) if known.tag(reference).is_some() => "tag",
        _ => "commit",
    };
    format!("{kind}/{reference}")
}

/// What is shown of an entry besides its names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub content: bool,
    pub commit: bool,
}

/// An entry as the API answers it.
pub(crate) fn view(
    world: &World,
    scene: &Scene<'_>,
    addresses: &Addresses,
    at: &Found<'_>,
    path: &str,
    entry: &TreeEntry,
    shown: Shown,
) -> Result<Value, Reply> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let (api, web) = (&addresses.api, &addresses.web);
    let reference = reference_path(world, scene, at.reference);
    let escaped = escape_path(path);
    let own = format!(
        "{api}/contents/{escaped}?ref={}",
        escape_query(at.reference)
    );
    let html = format!("{web}/src/{reference}/{escaped}");
    let (kind, git_kind) = match entry.kind() {
        EntryKind::Tree => ("dir", "trees"),
        EntryKind::Link => ("symlink", "blobs"),
        EntryKind::Submodule => ("submodule", "trees"),
        EntryKind::Blob => ("file", "blobs"),
    };
    let git = format!("{api}/git/{git_kind}/{}", entry.id);
    let is_file = matches!(entry.kind(), EntryKind::Blob | EntryKind::Link);
    let data = if is_file {
        Some(
            scene
                .git
                .object(scene.repo, &entry.id)
                .map_err(broken(scene))?
                .data,
        )
    } else {
        None
    };
    let size = data.as_ref().map_or(0, |data| data.len());
    let with_content = shown.content
        && entry.kind() == EntryKind::Blob
        && size as u64 <= world.settings.blob_size_max;
    let content = data
        .as_ref()
        .filter(|_| with_content)
        .map(|data| STANDARD.encode(data));
    let target = data
        .as_ref()
        .filter(|_| entry.kind() == EntryKind::Link)
        .map(|data| String::from_utf8_lossy(data).into_owned());
    let mut body = json!({ "name": name, "path": path, "sha": entry.id });
    if shown.commit {
        add_last_change(scene, at, path, &mut body)?;
    }
    let rest = json!({
        "type": kind,
        "size": size,
        "encoding": content.as_ref().map(|_| "base64"),
        "content": content,
        "target": target,
        "url": own,
        "html_url": html,
        "git_url": git,
        "download_url": is_file.then(|| format!("{web}/raw/{reference}/{escaped}")),
        "submodule_git_url": null,
        "_links": { "self": own, "git": git, "html": html },
    });
    if let (Value::Object(body), Value::Object(rest)) = (&mut body, rest) {
        body.extend(rest);
    }
    Ok(body)
}

/// Who changed an entry last, and when.
fn add_last_change(
    scene: &Scene<'_>,
    at: &Found<'_>,
    path: &str,
    body: &mut Value,
) -> Result<(), Reply> {
    let last = scene
        .git
        .last_change(scene.repo, at.commit, path)
        .map_err(broken(scene))?;
    let commit = scene.git.commit(scene.repo, &last).map_err(broken(scene))?;
    body["last_commit_sha"] = json!(last);
    body["last_committer_date"] = json!(rfc3339_in(
        commit.committer.seconds,
        commit.committer.offset
    ));
    body["last_author_date"] = json!(rfc3339_in(commit.author.seconds, commit.author.offset));
    Ok(())
}

fn escape_path(path: &str) -> String {
    const KEPT: percent_encoding::AsciiSet = percent_encoding::NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~')
        .remove(b'$')
        .remove(b'&')
        .remove(b'+')
        .remove(b':')
        .remove(b'=')
        .remove(b'@');
    percent_encoding::utf8_percent_encode(path, &KEPT).to_string()
}

fn escape_query(text: &str) -> String {
    const KEPT: percent_encoding::AsciiSet = percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    percent_encoding::utf8_percent_encode(text, &KEPT).to_string()
}

/// The entry at a path, or 404 in the words of these operations.
fn entry_at(scene: &Scene<'_>, commit: &str, path: &str) -> Result<TreeEntry, Reply> {
    let tree = scene
        .git
        .commit(scene.repo, commit)
        .map_err(broken(scene))?
        .tree;
    let mut at = String::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if !at.is_empty() {
            at.push('/');
        }
        at.push_str(part);
        if scene
            .git
            .entry(scene.repo, &tree, &at)
            .map_err(broken(scene))?
            .is_none()
        {
            return Err(Reply::not_found_in(
                "GetContentsOrList",
                format!("object does not exist [id: , rel_path: {at}]"),
            ));
        }
    }
    let found = scene
        .git
        .entry(scene.repo, &tree, &at)
        .map_err(broken(scene))?;
    found.ok_or_else(|| {
        Reply::not_found_in(
            "GetContentsOrList",
            format!("object does not exist [id: , rel_path: {path}]"),
        )
    })
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    let (reference, commit) = commits::asked(world, scene)?;
    let path = tidy(scene.call.param("*"));
    let entry = entry_at(scene, &commit, &path)?;
    let addresses = Addresses::of(world, scene)?;
    let at = Found {
        reference: &reference,
        commit: &commit,
    };
    if entry.kind() != EntryKind::Tree {
        return Ok(Reply::ok(view(
            world,
            scene,
            &addresses,
            &at,
            &path,
            &entry,
            Shown {
                content: true,
                commit: true,
            },
        )?));
    }
    let mut listed = Vec::new();
    for child in scene
        .git
        .tree(scene.repo, &entry.id)
        .map_err(broken(scene))?
    {
        let path = if path.is_empty() {
            child.name.clone()
        } else {
            format!("{path}/{}", child.name)
        };
        listed.push(view(
            world,
            scene,
            &addresses,
            &at,
            &path,
            &child,
            Shown {
                content: false,
                commit: true,
            },
        )?);
    }
    Ok(Reply::ok(Value::Array(listed)))
}

/// A path without empty parts and without slashes at its ends.
pub(crate) fn tidy(path: &str) -> String {
    path.split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect::<Vec<_>>()
        .join("/")
}

fn extended(world: &World, scene: &Scene<'_>) -> Answer {
    let wanted: Vec<&str> = scene
        .call
        .query("includes")
        .unwrap_or_default()
        .split(',')
        .filter(|word| !word.is_empty())
        .collect();
    let known = [
        "file_content",
        "commit_metadata",
        "commit_message",
        "lfs_metadata",
    ];
    if let Some(word) = wanted.iter().find(|word| !known.contains(word)) {
        return Err(Reply::error(
            400,
            format!("unknown include option \"{word}\""),
        ));
    }
    let (reference, commit) = commits::asked(world, scene)?;
    let path = tidy(scene.call.param("*"));
    let entry = entry_at(scene, &commit, &path)?;
    let addresses = Addresses::of(world, scene)?;
    let at = Found {
        reference: &reference,
        commit: &commit,
    };
    let shown = Shown {
        content: wanted.contains(&"file_content"),
        commit: wanted.contains(&"commit_metadata"),
    };
    let one = |path: &str, entry: &TreeEntry| -> Result<Value, Reply> {
        let mut body = view(world, scene, &addresses, &at, path, entry, shown)?;
        if wanted.contains(&"commit_message") {
            let last = scene
                .git
                .last_change(scene.repo, &commit, path)
                .map_err(broken(scene))?;
            body["last_commit_message"] = json!(
                scene
                    .git
                    .commit(scene.repo, &last)
                    .map_err(broken(scene))?
                    .message
            );
        }
        Ok(body)
    };
    if entry.kind() != EntryKind::Tree {
        return Ok(Reply::ok(
            json!({ "file_contents": one(&path, &entry)?, "dir_contents": null }),
        ));
    }
    let mut listed = Vec::new();
    for child in scene
        .git
        .tree(scene.repo, &entry.id)
        .map_err(broken(scene))?
    {
        let path = if path.is_empty() {
            child.name.clone()
        } else {
            format!("{path}/{}", child.name)
        };
        listed.push(one(&path, &child)?);
    }
    Ok(Reply::ok(
        json!({ "file_contents": null, "dir_contents": listed }),
    ))
}

static SEVERAL: Schema = Schema {
    name: "GetFilesOptions",
    fields: &[of("files", "Files", Kind::Texts)],
};

fn several(world: &World, scene: &Scene<'_>) -> Answer {
    let files = bind(scene.call, &SEVERAL)?
        .texts("files")
        .unwrap_or_default();
    several_of(world, scene, &files)
}

fn several_by_query(world: &World, scene: &Scene<'_>) -> Answer {
    let asked = scene.call.query("body").unwrap_or_default();
    let body: Value =
        serde_json::from_str(asked).map_err(|_| Reply::error(400, "invalid body parameter"))?;
    let files: Vec<String> = body["files"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|file| file.as_str().map(str::to_owned))
        .collect();
    several_of(world, scene, &files)
}

fn several_of(world: &World, scene: &Scene<'_>, files: &[String]) -> Answer {
    let (reference, commit) = commits::asked(world, scene)?;
    let addresses = Addresses::of(world, scene)?;
    let at = Found {
        reference: &reference,
        commit: &commit,
    };
    let mut listed = Vec::new();
    for path in files.iter().take(world.settings.page_size) {
        let path = tidy(path);
        listed.push(match entry_at(scene, &commit, &path) {
            Ok(entry) if entry.kind() != EntryKind::Tree => view(
                world,
                scene,
                &addresses,
                &at,
                &path,
                &entry,
                Shown {
                    content: true,
                    commit: true,
                },
            )?,
            _ => Value::Null,
        });
    }
    Ok(Reply::ok(Value::Array(listed)))
}
