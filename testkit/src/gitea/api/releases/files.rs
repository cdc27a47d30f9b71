//! The files of a release: attached, listed, renamed, taken away, and fetched.

use serde_json::{Value, json};

use super::{READ, WRITE, found, on_repo};
use crate::gitea::access::{Mode, Unit};
use crate::gitea::bind::{Schema, bind, multipart, text};
use crate::gitea::clock::rfc3339;
use crate::gitea::permission;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::{Attachment, Release, World};
use crate::gitea::{Call, Gitea, Handled};

/// What stands for itself in a part of a path.
const PART: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'+')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'$')
    .remove(b':');
pub(crate) const ROUTES: &[Route] = &[
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/releases/{id}/assets",
        READ,
        Run::Read(assets),
    ),
    on_repo(
        "POST",
        "/repos/{owner}/{repo}/releases/{id}/assets",
        WRITE,
        Run::Write(attach),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/releases/{id}/assets/{asset}",
        READ,
        Run::Read(asset),
    ),
    on_repo(
        "PATCH",
        "/repos/{owner}/{repo}/releases/{id}/assets/{asset}",
        WRITE,
        Run::Write(rename_asset),
    ),
    on_repo(
        "DELETE",
        "/repos/{owner}/{repo}/releases/{id}/assets/{asset}",
        WRITE,
        Run::Write(detach),
    ),
];

fn asset_view(base: &str, file: &Attachment) -> Value {
    json!({
        "id": file.id,
        "name": file.name,
        "size": file.size,
        "download_count": file.downloads,
        "created_at": rfc3339(file.created),
        "uuid": file.uuid,
        "browser_download_url": format!("{base}/attachments/{}", file.uuid),
    })
}

/// The files of a release by name; their addresses say it too, unless two have the same.
pub(super) fn assets_view(world: &World, base: &str, release: &Release) -> Value {
    let repo = world.repos.get(release.repo);
    let full_name = repo.map(|repo| permission::full_name(world, repo));
    let files = world.attachments.of(release.id).map(|(_, file)| file);
    let mut files: Vec<&Attachment> = files.collect();
    files.sort_by(|one, two| one.name.cmp(&two.name));
    let unique = files.windows(2).all(|two| two[0].name != two[1].name);
    let views = files.into_iter().map(|file| {
        let mut view = asset_view(base, file);
        if let Some(full_name) = full_name.as_ref().filter(|_| unique) {
            let (tag, name) = (escaped(&release.tag), escaped(&file.name));
            let url = format!("{base}/{full_name}/releases/download/{tag}/{name}");
            view["browser_download_url"] = url.into();
        }
        view
    });
    views.collect()
}

/// A text as one part of a path.
fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, PART).to_string()
}

fn assets(world: &World, scene: &Scene<'_>) -> Answer {
    let release = found(world, scene)?;
    Ok(Reply::ok(assets_view(world, &scene.call.base, release)))
}

fn found_asset<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Attachment, Reply> {
    let release = found(world, scene)?.id;
    let file = scene
        .call
        .id("asset")
        .and_then(|id| world.attachments.get(id));
    file.filter(|file| file.release == release)
        .ok_or_else(Reply::not_found)
}

fn asset(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(Reply::ok(asset_view(
        &scene.call.base,
        found_asset(world, scene)?,
    )))
}

fn attach(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let release = found(world, scene)?.id;
    let kind = scene.call.header("content-type").unwrap_or_default();
    let named = scene
        .call
        .query("name")
        .filter(|name| !name.is_empty())
        .map(str::to_owned);
    let (name, data) = if kind.contains("multipart/form-data") {
        let part = multipart(kind, &scene.call.body)
            .into_iter()
            .find(|part| part.name == "attachment");
        let part = part.ok_or_else(|| scene.internal("http: no such file"))?;
        let file = part.file.unwrap_or_default();
        let file = file.rsplit('/').next().unwrap_or_default().to_owned();
        (named.unwrap_or(file), part.data)
    } else {
        (named.unwrap_or_default(), scene.call.body.clone())
    };
    if name.is_empty() {
        let text = "Could not determine name of attachment.";
        return Err(Reply::error(400, text));
    }
    let uuid = world.random.uuid();
    scene
        .git
        .write_attachment(&uuid, &data)
        .map_err(|error| scene.internal(&error.to_string()))?;
    let (repo, created) = (scene.repo, world.now());
    let size = i64::try_from(data.len()).unwrap_or(i64::MAX);
    let id = world.attachments.insert(|id| Attachment {
        id,
        repo,
        release,
        uuid,
        name,
        size,
        downloads: 0,
        created,
    });
    Ok(Reply::created(asset_view(
        &scene.call.base,
        world.attachments.get(id).ok_or_else(Reply::not_found)?,
    )))
}

static RENAME: Schema = Schema {
    name: "EditAttachmentOptions",
    fields: &[text("name", "Name")],
};

fn rename_asset(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &RENAME)?;
    let id = found_asset(world, scene)?.id;
    if let Some(name) = body.text("name").filter(|name| !name.is_empty()) {
        world
            .attachments
            .update(id, |file| name.clone_into(&mut file.name));
    }
    Ok(Reply::created(asset_view(
        &scene.call.base,
        found_asset(world, scene)?,
    )))
}

fn detach(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let file = found_asset(world, scene)?;
    let (id, uuid) = (file.id, file.uuid.clone());
    scene.git.remove_attachment(&uuid);
    world.attachments.remove(id);
    Ok(Reply::no_content())
}

/// `/attachments/{uuid}` and `/{owner}/{repo}/releases/download/{tag}/{name}`: the bytes of an attached
/// file, for those who may read the repository.
pub(crate) fn door(gitea: &Gitea, call: &Call) -> Option<Handled> {
    let asked = Asked::of(&call.path)?;
    let doer = match gitea.authenticate(&crate::gitea::auth::shown(call)) {
        Ok(doer) => doer,
        Err(refusal) => return Some(refusal.into()),
    };
    let missing = || Reply::bytes(404, "text/plain;charset=utf-8", "Not found.\n");
    let served = gitea.read(|world, git| {
        let file = asked.file(world)?;
        let repo = world.repos.get(file.repo)?;
        let access = permission::access(world, doer.as_ref(), repo);
        if access.to(Unit::Releases) < Mode::Read {
            return None;
        }
        let data = git.read_attachment(&file.uuid).ok()?;
        let how = crate::gitea::api::files::raw::disposition("attachment", &file.name);
        let reply = Reply::bytes(200, "application/octet-stream", data);
        Some((file.id, reply.with_header("content-disposition", how)))
    });
    let Some((id, reply)) = served else {
        return Some(missing().into());
    };
    let _ = gitea.write(|world, _, _| {
        world.attachments.update(id, |file| file.downloads += 1);
    });
    Some(reply.into())
}

/// An attached file as an address names it.
enum Asked {
    ById(String),
    ByName {
        repo: [String; 2],
        tag: String,
        name: String,
    },
}

impl Asked {
    fn of(path: &str) -> Option<Self> {
        if let Some(uuid) = path.strip_prefix("/attachments/") {
            return Some(Self::ById(uuid.to_owned()));
        }
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let [owner, repo, "releases", "download", tag, name] = parts.as_slice() else {
            return None;
        };
        let part = |text: &str| {
            percent_encoding::percent_decode_str(text)
                .decode_utf8_lossy()
                .into_owned()
        };
        Some(Self::ByName {
            repo: [part(owner), part(repo)],
            tag: part(tag),
            name: part(name),
        })
    }

    fn file<'w>(&self, world: &'w World) -> Option<&'w Attachment> {
        match self {
            Self::ById(uuid) => world.attachments.find(uuid),
            Self::ByName { repo, tag, name } => {
                let (owner, _) = world.owner(&repo[0])?;
                let (repo, _) = world.repo_of(owner, &repo[1])?;
                let index = format!("{repo}/{}", tag.to_lowercase());
                let release = world
                    .releases
                    .find(&index)
                    .filter(|release| !release.draft)?;
                let mut files = world.attachments.of(release.id).map(|(_, file)| file);
                files.find(|file| file.name == *name)
            }
        }
    }
}
