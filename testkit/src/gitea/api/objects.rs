//! Objects of git by their ids: references, trees, blobs, annotated tags, notes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::commits::{self, Addresses, Parts, broken};
use super::repos::REPO;
use crate::gitea::access::Unit;
use crate::gitea::git::{self, EntryKind, Kind, TagObject, TreeEntry};
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::World;

const CODE: &[Need] = &[Need::Reader(&[Unit::Code])];

pub(crate) const ROUTES: &[Route] = &[
    read("/repos/{owner}/{repo}/git/refs", references),
    read("/repos/{owner}/{repo}/git/refs/*", references),
    read("/repos/{owner}/{repo}/git/trees/{sha}", tree),
    read("/repos/{owner}/{repo}/git/blobs/{sha}", blob),
    read("/repos/{owner}/{repo}/git/tags/{sha}", annotated_tag),
    read("/repos/{owner}/{repo}/git/notes/{sha}", note),
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

fn references(world: &World, scene: &Scene<'_>) -> Answer {
    let addresses = Addresses::of(world, scene)?;
    let known = world
        .references
        .get(scene.repo)
        .cloned()
        .unwrap_or_default();
    let wanted = format!("refs/{}", scene.call.param("*"));
    let mut found = Vec::new();
    for (name, id) in known
        .ids
        .iter()
        .filter(|(name, _)| name.starts_with(&wanted))
    {
        let kind = scene
            .git
            .object(scene.repo, id)
            .map_err(broken(scene))?
            .kind
            .word();
        found.push(json!({
            "ref": name,
            "url": format!("{}/git/{name}", addresses.api),
            "object": { "type": kind, "sha": id, "url": format!("{}/git/{kind}s/{id}", addresses.api) },
        }));
    }
    if found.is_empty() {
        Err(Reply::not_found())
    } else {
        Ok(Reply::ok(Value::Array(found)))
    }
}

fn tree(world: &World, scene: &Scene<'_>) -> Answer {
    let (call, name) = (scene.call, scene.call.param("sha"));
    let missing = || Reply::error(400, format!("sha not found [{name}]"));
    let tag = world
        .references
        .get(scene.repo)
        .and_then(|references| references.tag(name))
        .map(str::to_owned);
    let shown = tag.or_else(|| commits::named_or_short(world, scene, name));
    let (shown, tree) = match shown {
        Some(id) => (
            id.clone(),
            scene
                .git
                .commit(scene.repo, &id)
                .map_err(|_| missing())?
                .tree,
        ),
        None if scene.git.tree(scene.repo, name).is_ok() => (name.to_owned(), name.to_owned()),
        None => return Err(missing()),
    };
    let mut entries = Vec::new();
    collect(
        scene,
        &tree,
        "",
        call.flag("recursive").unwrap_or_default(),
        &mut entries,
    )?;
    let number = |name: &str| {
        call.query(name)
            .and_then(|text| text.parse::<usize>().ok())
            .filter(|number| *number > 0)
    };
    let (page, size) = (
        number("page").unwrap_or(1),
        number("per_page").unwrap_or(1000).min(1000),
    );
    let total = entries.len();
    let from = (page - 1).saturating_mul(size);
    let addresses = Addresses::of(world, scene)?;
    let mut listed = Vec::new();
    for (path, entry) in entries.iter().skip(from).take(size) {
        listed.push(entry_view(scene, &addresses, path, entry)?);
    }
    Ok(Reply::ok(json!({
        "sha": shown,
        "url": format!("{}/git/trees/{shown}", addresses.api),
        "tree": if from >= total { Value::Null } else { Value::Array(listed) },
        "truncated": from.saturating_add(size) < total,
        "page": page,
        "total_count": total,
    }))
    .with_header("x-total-count", total.to_string()))
}

fn collect(
    scene: &Scene<'_>,
    tree: &str,
    folder: &str,
    deep: bool,
    into: &mut Vec<(String, TreeEntry)>,
) -> Result<(), Reply> {
    for entry in scene.git.tree(scene.repo, tree).map_err(broken(scene))? {
        let path = if folder.is_empty() {
            entry.name.clone()
        } else {
            format!("{folder}/{}", entry.name)
        };
        let below = (deep && entry.kind() == EntryKind::Tree).then(|| entry.id.clone());
        into.push((path.clone(), entry));
        if let Some(below) = below {
            collect(scene, &below, &path, deep, into)?;
        }
    }
    Ok(())
}

fn entry_view(
    scene: &Scene<'_>,
    addresses: &Addresses,
    path: &str,
    entry: &TreeEntry,
) -> Result<Value, Reply> {
    let (kind, size, url) = match entry.kind() {
        EntryKind::Tree => (
            "tree",
            0,
            format!("{}/git/trees/{}", addresses.api, entry.id),
        ),
        EntryKind::Submodule => ("commit", 0, String::new()),
        EntryKind::Blob | EntryKind::Link => {
            let size = scene
                .git
                .object(scene.repo, &entry.id)
                .map_err(broken(scene))?
                .data
                .len();
            (
                "blob",
                size,
                format!("{}/git/blobs/{}", addresses.api, entry.id),
            )
        }
    };
    Ok(
        json!({ "path": path, "mode": format!("{:06o}", entry.mode), "type": kind, "size": size, "sha": entry.id, "url": url }),
    )
}

fn no_object(id: &str) -> Reply {
    let full = id.len() == 40;
    let text = if full {
        format!("object does not exist [id: {id}, rel_path: ]")
    } else {
        format!("length {} has no matched object format: {id}", id.len())
    };
    Reply::error(400, text)
}

/// A blob as the API answers it, and as lists of files do.
pub(crate) fn blob_view(addresses: &Addresses, id: &str, data: &[u8], most: u64) -> Value {
    let small = data.len() as u64 <= most;
    json!({
        "content": small.then(|| STANDARD.encode(data)),
        "encoding": small.then_some("base64"),
        "url": format!("{}/git/blobs/{id}", addresses.api),
        "sha": id,
        "size": data.len(),
    })
}

fn blob(world: &World, scene: &Scene<'_>) -> Answer {
    let id = scene.call.param("sha");
    let object = scene
        .git
        .object(scene.repo, id)
        .map_err(|_| no_object(id))?;
    Ok(Reply::ok(blob_view(
        &Addresses::of(world, scene)?,
        id,
        &object.data,
        world.settings.blob_size_max,
    )))
}

fn annotated_tag(world: &World, scene: &Scene<'_>) -> Answer {
    let id = scene.call.param("sha");
    if !git::is_id(id) {
        return Err(no_object(id));
    }
    let object = scene
        .git
        .object(scene.repo, id)
        .ok()
        .filter(|object| object.kind == Kind::Tag)
        .ok_or_else(|| no_object(id))?;
    let tag = TagObject::parse(&object.data).ok_or_else(|| no_object(id))?;
    let addresses = Addresses::of(world, scene)?;
    let commit = scene
        .git
        .commit(scene.repo, id)
        .map_err(|_| no_object(id))?;
    let nobody = json!({ "name": "", "email": "", "date": crate::gitea::clock::ZERO });
    Ok(Reply::ok(json!({
        "tag": tag.tag,
        "sha": id,
        "url": format!("{}/git/tags/{id}", addresses.api),
        "message": tag.message,
        "tagger": tag.tagger.as_ref().map_or(nobody, commits::person),
        "object": { "type": tag.kind, "url": format!("{}/git/commits/{}", addresses.api, commit.id), "sha": commit.id },
        "verification": commits::verification(&commit),
    })))
}

fn note(world: &World, scene: &Scene<'_>) -> Answer {
    let name = scene.call.param("sha");
    let id = commits::named_or_short(world, scene, name).ok_or_else(Reply::not_found)?;
    let known = world
        .references
        .get(scene.repo)
        .and_then(|references| references.ids.get("refs/notes/commits"))
        .cloned();
    let Some(notes) = known else {
        return Err(Reply::not_found());
    };
    let tree = scene
        .git
        .commit(scene.repo, &notes)
        .map_err(broken(scene))?
        .tree;
    let split = format!("{}/{}", &id[..2], &id[2..]);
    let mut found = None;
    for path in [id.as_str(), &split] {
        if let Some(entry) = scene
            .git
            .entry(scene.repo, &tree, path)
            .map_err(broken(scene))?
        {
            found = Some((path.to_owned(), entry.id));
            break;
        }
    }
    let (path, blob) = found.ok_or_else(Reply::not_found)?;
    let text = scene
        .git
        .object(scene.repo, &blob)
        .map_err(broken(scene))?
        .data;
    let commit = scene
        .git
        .last_change(scene.repo, &notes, &path)
        .map_err(broken(scene))?;
    let shown = commits::views(world, scene, &[commit], Parts::asked(scene))?;
    Ok(Reply::ok(
        json!({ "message": String::from_utf8_lossy(&text), "commit": shown.into_iter().next() }),
    ))
}
