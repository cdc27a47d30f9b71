//! Releases and the files attached to them.

use serde_json::{Value, json};

use super::commits;
use super::repos::REPO;
use super::tags;
use crate::gitea::access::{Mode, Unit};
use crate::gitea::api::users::{self, View};
use crate::gitea::bind::{Body, Rule, Schema, bind, flag, multipart, ruled, text};
use crate::gitea::clock::rfc3339;
use crate::gitea::events::Event;
use crate::gitea::git;
use crate::gitea::page::listed;
use crate::gitea::permission;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::tags::may_touch;
use crate::gitea::world::{Attachment, Release, World};
use crate::gitea::{Call, Gitea, Handled};

const READ: &[Need] = &[Need::Reader(&[Unit::Releases])];
const WRITE: &[Need] = &[Need::SignedIn, Need::Writer(&[Unit::Releases])];

pub(crate) const ROUTES: &[Route] = &[
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/releases",
        READ,
        Run::Read(list),
    ),
    on_repo(
        "POST",
        "/repos/{owner}/{repo}/releases",
        WRITE,
        Run::Write(create),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/releases/latest",
        READ,
        Run::Read(latest),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/releases/tags/{tag}",
        READ,
        Run::Read(by_tag),
    ),
    on_repo(
        "DELETE",
        "/repos/{owner}/{repo}/releases/tags/{tag}",
        WRITE,
        Run::Write(delete_by_tag),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/releases/{id}",
        READ,
        Run::Read(get),
    ),
    on_repo(
        "PATCH",
        "/repos/{owner}/{repo}/releases/{id}",
        WRITE,
        Run::Write(edit),
    ),
    on_repo(
        "DELETE",
        "/repos/{owner}/{repo}/releases/{id}",
        WRITE,
        Run::Write(delete),
    ),
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

const fn on_repo(
    method: &'static str,
    path: &'static str,
    needs: &'static [Need],
    run: Run,
) -> Route {
    Route {
        method,
        path,
        place: Place::Repo,
        scopes: REPO,
        needs,
        run,
    }
}

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

/// A release as the API answers it.
pub(crate) fn view(world: &World, base: &str, release: &Release) -> Value {
    let full_name = world
        .repos
        .get(release.repo)
        .map(|repo| permission::full_name(world, repo))
        .unwrap_or_default();
    let (api, web) = (
        format!("{base}/api/v1/repos/{full_name}"),
        format!("{base}/{full_name}"),
    );
    let assets: Vec<Value> = world
        .attachments
        .of(release.id)
        .map(|(_, file)| asset_view(base, file))
        .collect();
    json!({
        "id": release.id,
        "tag_name": release.tag,
        "target_commitish": release.target,
        "name": release.title,
        "body": release.note,
        "url": format!("{api}/releases/{}", release.id),
        "html_url": format!("{web}/releases/tag/{}", release.tag),
        "tarball_url": format!("{web}/archive/{}.tar.gz", release.tag),
        "zipball_url": format!("{web}/archive/{}.zip", release.tag),
        "upload_url": format!("{api}/releases/{}/assets", release.id),
        "draft": release.draft,
        "prerelease": release.prerelease,
        "created_at": rfc3339(release.created),
        "published_at": rfc3339(release.published),
        "author": users::user_by_id(world, base, release.author, View::Anonymous),
        "assets": assets,
    })
}

fn writes(scene: &Scene<'_>) -> bool {
    scene.access.to(Unit::Releases) >= Mode::Write
}

fn visible<'w>(world: &'w World, scene: &Scene<'_>) -> Vec<&'w Release> {
    let mut found: Vec<&Release> = world
        .releases
        .of(scene.repo)
        .map(|(_, release)| release)
        .filter(|release| !release.draft || writes(scene))
        .collect();
    found.sort_by_key(|release| std::cmp::Reverse((release.created, release.id)));
    found
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let call = scene.call;
    let word = call.query("q").unwrap_or_default().to_lowercase();
    let mut found = visible(world, scene);
    found.retain(|release| {
        call.flag("draft")
            .is_none_or(|wanted| release.draft == wanted)
            && call
                .flag("pre-release")
                .is_none_or(|wanted| release.prerelease == wanted)
            && (word.is_empty()
                || release.title.to_lowercase().contains(&word)
                || release.tag.to_lowercase().contains(&word))
    });
    Ok(listed(call, &world.settings, &found, |release| {
        view(world, &call.base, release)
    }))
}

fn latest(world: &World, scene: &Scene<'_>) -> Answer {
    let found = visible(world, scene)
        .into_iter()
        .find(|release| !release.draft && !release.prerelease);
    Ok(Reply::ok(view(
        world,
        &scene.call.base,
        found.ok_or_else(Reply::not_found)?,
    )))
}

fn tagged<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Release, Reply> {
    let tag = scene.call.param("tag").to_lowercase();
    visible(world, scene)
        .into_iter()
        .find(|release| release.tag.to_lowercase() == tag)
        .ok_or_else(Reply::not_found)
}

fn found<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Release, Reply> {
    let release = scene
        .call
        .id("id")
        .and_then(|id| world.releases.get(id))
        .filter(|release| release.repo == scene.repo);
    release
        .filter(|release| !release.draft || writes(scene))
        .ok_or_else(Reply::not_found)
}

fn by_tag(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(Reply::ok(view(
        world,
        &scene.call.base,
        tagged(world, scene)?,
    )))
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(Reply::ok(view(
        world,
        &scene.call.base,
        found(world, scene)?,
    )))
}

static CREATE: Schema = Schema {
    name: "CreateReleaseOption",
    fields: &[
        ruled("tag_name", "TagName", &[Rule::Required]),
        text("tag_message", "TagMessage"),
        text("target_commitish", "Target"),
        text("name", "Title"),
        text("body", "Note"),
        flag("draft", "IsDraft"),
        flag("prerelease", "IsPrerelease"),
    ],
};

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let repo = scene.repository(world)?;
    if repo.empty {
        return Err(Reply::error(422, "repo is empty"));
    }
    let default = repo.default_branch.clone();
    let given = body.text_or_empty("tag_name");
    if world
        .releases
        .find(&format!("{}/{}", scene.repo, given.to_lowercase()))
        .is_some()
    {
        return Err(Reply::error(409, "Release is has no Tag"));
    }
    let tag = existing_tag(world, scene, given).unwrap_or_else(|| given.to_owned());
    let target = body
        .text("target_commitish")
        .filter(|target| !target.is_empty())
        .unwrap_or(&default)
        .to_owned();
    let draft = body.flag("draft").unwrap_or_default();
    ensure_tag(
        world,
        scene,
        &tag,
        &target,
        body.text_or_empty("tag_message"),
        draft,
    )?;
    let (now, repo, author) = (world.now(), scene.repo, scene.doer_id());
    let title = body
        .text("name")
        .filter(|title| !title.is_empty())
        .unwrap_or(&tag)
        .to_owned();
    let id = world.releases.insert(|id| Release {
        id,
        repo,
        tag: tag.clone(),
        target,
        title,
        note: body.text_or_empty("body").to_owned(),
        draft,
        prerelease: body.flag("prerelease").unwrap_or_default(),
        author,
        created: now,
        published: now,
    });
    if !draft {
        announce(world, scene, id, "published");
    }
    Ok(Reply::created(view(
        world,
        &scene.call.base,
        world.releases.get(id).ok_or_else(Reply::not_found)?,
    )))
}

fn existing_tag(world: &World, scene: &Scene<'_>, name: &str) -> Option<String> {
    let known = world.references.get(scene.repo)?;
    known
        .below("refs/tags/")
        .map(|(tag, _)| tag)
        .find(|tag| tag.eq_ignore_ascii_case(name))
        .map(str::to_owned)
}

/// The tag of a release that is published; drafts make none.
fn ensure_tag(
    world: &mut World,
    scene: &mut Scene<'_>,
    tag: &str,
    target: &str,
    message: &str,
    draft: bool,
) -> Result<(), Reply> {
    if draft || existing_tag(world, scene, tag).is_some() {
        return Ok(());
    }
    if !git::is_ref_name(tag) {
        return Err(scene.internal(&format!("release tag name is not valid [tag_name: {tag}]")));
    }
    if !may_touch(world, scene.repo, scene.doer_id(), tag) {
        return Err(Reply::error(
            422,
            format!("release tag name is protected [tag_name: {tag}]"),
        ));
    }
    let missing =
        || Reply::not_found_because(format!("object does not exist [id: {target}, rel_path: ]"));
    let commit = commits::named_or_short(world, scene, target).ok_or_else(missing)?;
    tags::make(world, scene, tag, &commit, message)
}

fn announce(world: &World, scene: &mut Scene<'_>, id: i64, action: &'static str) {
    let Some(release) = world.releases.get(id) else {
        return;
    };
    let body = view(world, &world.settings.root_url, release);
    scene.effects.events.push(Event::Release {
        action,
        repo: scene.repo,
        release: body,
        doer: scene.doer_id(),
    });
}

static EDIT: Schema = Schema {
    name: "EditReleaseOption",
    fields: &[
        text("tag_name", "TagName"),
        text("target_commitish", "Target"),
        text("name", "Title"),
        text("body", "Note"),
        flag("draft", "IsDraft"),
        flag("prerelease", "IsPrerelease"),
    ],
};

fn edit(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &EDIT)?;
    let mut release = found(world, scene)?.clone();
    let was_draft = release.draft;
    take(&mut release, &body);
    if body.text("tag_name").is_some_and(|tag| !tag.is_empty())
        && !release.draft
        && existing_tag(world, scene, &release.tag).is_none()
        && !was_draft
    {
        return Err(scene.internal(&format!(
            "release tag does not exist [tag_name: {}]",
            release.tag
        )));
    }
    let (tag, target) = (release.tag.clone(), release.target.clone());
    ensure_tag(world, scene, &tag, &target, "", release.draft)?;
    let id = release.id;
    let publishes = was_draft && !release.draft;
    if publishes {
        release.published = world.now();
        release.created = world.now();
    }
    world.releases.update(id, |row| *row = release);
    announce(
        world,
        scene,
        id,
        if publishes { "published" } else { "updated" },
    );
    Ok(Reply::ok(view(
        world,
        &scene.call.base,
        world.releases.get(id).ok_or_else(Reply::not_found)?,
    )))
}

fn take(release: &mut Release, body: &Body) {
    let texts = [
        ("tag_name", &mut release.tag),
        ("target_commitish", &mut release.target),
        ("name", &mut release.title),
        ("body", &mut release.note),
    ];
    for (name, field) in texts {
        if let Some(text) = body.text(name).filter(|text| !text.is_empty()) {
            text.clone_into(field);
        }
    }
    release.draft = body.flag("draft").unwrap_or(release.draft);
    release.prerelease = body.flag("prerelease").unwrap_or(release.prerelease);
}

fn remove(world: &mut World, scene: &mut Scene<'_>, id: i64) -> Answer {
    let is_draft = world.releases.get(id).is_some_and(|release| release.draft);
    if !is_draft {
        announce(world, scene, id, "deleted");
    }
    let files: Vec<String> = world
        .attachments
        .of(id)
        .map(|(_, file)| file.uuid.clone())
        .collect();
    for uuid in files {
        scene.git.remove_attachment(&uuid);
    }
    world.attachments.remove_group(id);
    world.releases.remove(id);
    Ok(Reply::no_content())
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let id = found(world, scene)?.id;
    remove(world, scene, id)
}

fn delete_by_tag(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let id = tagged(world, scene)?.id;
    remove(world, scene, id)
}

fn assets(world: &World, scene: &Scene<'_>) -> Answer {
    let files = world
        .attachments
        .of(found(world, scene)?.id)
        .map(|(_, file)| asset_view(&scene.call.base, file));
    Ok(Reply::ok(files.collect()))
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
        (named.or(part.file).unwrap_or_default(), part.data)
    } else {
        let name = named.ok_or_else(|| Reply::error(400, "File name is missing"))?;
        (name, scene.call.body.clone())
    };
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

/// `/attachments/{uuid}`: the bytes of an attached file, for those who may read the repository.
pub(crate) fn door(gitea: &Gitea, call: &Call) -> Option<Handled> {
    let uuid = call.path.strip_prefix("/attachments/")?;
    let doer = match gitea.authenticate(&crate::gitea::auth::shown(call)) {
        Ok(doer) => doer,
        Err(refusal) => return Some(refusal.into()),
    };
    let missing = || Reply::bytes(404, "text/plain;charset=utf-8", "Not found.\n");
    let reply = gitea.read(|world, git| {
        let Some(file) = world.attachments.find(uuid) else {
            return missing();
        };
        let Some(repo) = world.repos.get(file.repo) else {
            return missing();
        };
        if permission::access(world, doer.as_ref(), repo).to(Unit::Releases) < Mode::Read {
            return missing();
        }
        match git.read_attachment(uuid) {
            Ok(data) => Reply::bytes(200, "application/octet-stream", data).with_header(
                "content-disposition",
                super::files::raw::disposition("attachment", &file.name),
            ),
            Err(_) => missing(),
        }
    });
    let _ = gitea.write(|world, _, _| {
        let id = world.attachments.find_id(uuid);
        id.map(|id| world.attachments.update(id, |file| file.downloads += 1));
    });
    Some(reply.into())
}
