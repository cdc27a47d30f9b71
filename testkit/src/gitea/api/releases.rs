//! Releases: made of tags, drafted, published, found and taken away.

use serde_json::{Value, json};

use super::commits;
use super::repos::REPO;
use super::tags;
use crate::gitea::access::{Doer, Mode, Unit};
use crate::gitea::api::users::{self, View};
use crate::gitea::bind::{Body, Rule, Schema, bind, flag, ruled, text};
use crate::gitea::clock::rfc3339;
use crate::gitea::events::Event;
use crate::gitea::git;
use crate::gitea::page::listed;
use crate::gitea::permission;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::{Category, Level, Scopes};
use crate::gitea::tags::may_touch;
use crate::gitea::world::{Release, World};

pub(crate) mod files;

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
        "assets": files::assets_view(world, base, release),
    })
}

fn writes(scene: &Scene<'_>) -> bool {
    scene.access.to(Unit::Releases) >= Mode::Write
}

/// Whether drafts are shown: a token that only reads sees none, whoever it belongs to.
fn sees_drafts(scene: &Scene<'_>) -> bool {
    let scopes = scene.doer.as_ref().and_then(Doer::scopes);
    let write = |scopes: &Scopes| scopes.covers(&[Category::Repository], Level::Write);
    writes(scene) && scopes.is_none_or(write)
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
    let mut found = visible(world, scene);
    let drafts = sees_drafts(scene);
    found.retain(|release| {
        (drafts || !release.draft)
            && call
                .flag("draft")
                .is_none_or(|wanted| release.draft == wanted)
            && call
                .flag("pre-release")
                .is_none_or(|wanted| release.prerelease == wanted)
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
        .filter(|release| !release.draft || sees_drafts(scene))
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
    let index = format!("{}/{}", scene.repo, given.to_lowercase());
    if world.releases.find(&index).is_some() {
        return Err(Reply::error(409, "Release is has no Tag"));
    }
    check_not_archived(world, scene)?;
    let existing = existing_tag(world, scene, given);
    let target = match body.text_or_empty("target_commitish") {
        // A tag that is there needs no target, and keeps none.
        "" if existing.is_some() => String::new(),
        "" => default,
        target => target.to_owned(),
    };
    let tag = existing.clone().unwrap_or_else(|| given.to_owned());
    let draft = body.flag("draft").unwrap_or_default();
    let message = body.text_or_empty("tag_message");
    ensure_tag(world, scene, &tag, &target, message, draft)?;
    let tagged = existing.filter(|_| !draft);
    let created = tagged.and_then(|tag| tagged_at(world, scene, &tag));
    let created = created.unwrap_or_else(|| world.now());
    let (repo, author) = (scene.repo, scene.doer_id());
    let id = world.releases.insert(|id| Release {
        id,
        repo,
        tag,
        target,
        title: body.text_or_empty("name").to_owned(),
        note: body.text_or_empty("body").to_owned(),
        draft,
        prerelease: body.flag("prerelease").unwrap_or_default(),
        author,
        created,
        published: created,
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

fn check_not_archived(world: &World, scene: &Scene<'_>) -> Result<(), Reply> {
    let repo = scene.repository(world)?;
    if repo.archived {
        let text = format!("{} is archived", permission::full_name(world, repo));
        return Err(Reply::error(423, text));
    }
    Ok(())
}

/// When a tag was made: what its tagger says, else the author of its commit.
fn tagged_at(world: &World, scene: &Scene<'_>, tag: &str) -> Option<i64> {
    let known = world.references.get(scene.repo)?;
    let id = known.ids.get(&format!("refs/tags/{tag}"))?;
    let object = scene.git.object(scene.repo, id).ok()?;
    if object.kind != git::Kind::Tag {
        let commit = scene.git.commit(scene.repo, id).ok()?;
        return Some(commit.author.seconds);
    }
    let tag = git::TagObject::parse(&object.data)?;
    match tag.tagger {
        Some(tagger) => Some(tagger.seconds),
        None => Some(
            scene
                .git
                .commit(scene.repo, &tag.object)
                .ok()?
                .author
                .seconds,
        ),
    }
}

fn existing_tag(world: &World, scene: &Scene<'_>, name: &str) -> Option<String> {
    let known = world.references.get(scene.repo)?;
    known
        .below("refs/tags/")
        .map(|(tag, _)| tag)
        .find(|tag| tag.eq_ignore_ascii_case(name))
        .map(str::to_owned)
}

/// The tag of a release that is published; drafts make none. Whether it was made now.
fn ensure_tag(
    world: &mut World,
    scene: &mut Scene<'_>,
    tag: &str,
    target: &str,
    message: &str,
    draft: bool,
) -> Result<bool, Reply> {
    if draft || existing_tag(world, scene, tag).is_some() {
        return Ok(false);
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
    let missing = || {
        let text = format!(
            "target \"{target}\" not found: object does not exist [id: {target}, rel_path: ]"
        );
        Reply::error(404, text)
    };
    let commit = commits::named_or_short(world, scene, target).ok_or_else(missing)?;
    tags::make(world, scene, tag, &commit, message).map(|()| true)
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
    check_not_archived(world, scene)?;
    take(&mut release, &body);
    let (id, tag, target) = (release.id, release.tag.clone(), release.target.clone());
    let made = ensure_tag(world, scene, &tag, &target, "", release.draft).map_err(|refusal| {
        // The real server takes a target that is not there for its own fault.
        if refusal.status == 404 {
            scene.internal(&format!("object does not exist [id: {target}, rel_path: ]"))
        } else {
            refusal
        }
    })?;
    if made || release.draft {
        release.created = world.now();
        release.published = release.created;
    }
    let draft = release.draft;
    let index = format!("{}/{}", scene.repo, tag.to_lowercase());
    if world
        .releases
        .find_id(&index)
        .is_some_and(|other| other != id)
    {
        let text = format!("release tag already exist [tag_name: {tag}]");
        return Err(Reply::error(409, text));
    }
    world.releases.update(id, |row| *row = release);
    if !draft {
        announce(world, scene, id, if made { "published" } else { "updated" });
    }
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
