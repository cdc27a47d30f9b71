//! Tags and the rules that protect them.

use serde_json::{Value, json};

use super::commits::{self, Addresses, broken};
use super::repos::REPO;
use crate::gitea::access::Unit;
use crate::gitea::bind::{Body, Kind, Rule, Schema, bind, of, ruled, text};
use crate::gitea::clock::rfc3339;
use crate::gitea::committing::{person_of, refusal};
use crate::gitea::events::{PushedBy, ZERO_ID};
use crate::gitea::git::{self, Kind as ObjectKind, Move, TagObject};
use crate::gitea::page::Page;
use crate::gitea::pushes;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::tags::may_touch;
use crate::gitea::world::{Release, TagProtection, World};

const READ: &[Need] = &[Need::Reader(&[Unit::Code, Unit::Releases])];
const WRITE: &[Need] = &[
    Need::SignedIn,
    Need::NotArchived,
    Need::Writer(&[Unit::Code]),
];
const ADMIN: &[Need] = &[Need::SignedIn, Need::RepoAdmin];

pub(crate) const ROUTES: &[Route] = &[
    on_repo("GET", "/repos/{owner}/{repo}/tags", READ, Run::Read(list)),
    on_repo("GET", "/repos/{owner}/{repo}/tags/*", READ, Run::Read(get)),
    on_repo(
        "POST",
        "/repos/{owner}/{repo}/tags",
        WRITE,
        Run::Write(create),
    ),
    on_repo(
        "DELETE",
        "/repos/{owner}/{repo}/tags/*",
        WRITE,
        Run::Write(delete),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/tag_protections",
        ADMIN,
        Run::Read(rules),
    ),
    on_repo(
        "POST",
        "/repos/{owner}/{repo}/tag_protections",
        ADMIN,
        Run::Write(add_rule),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/tag_protections/{id}",
        ADMIN,
        Run::Read(rule),
    ),
    on_repo(
        "PATCH",
        "/repos/{owner}/{repo}/tag_protections/{id}",
        ADMIN,
        Run::Write(change_rule),
    ),
    on_repo(
        "DELETE",
        "/repos/{owner}/{repo}/tag_protections/{id}",
        ADMIN,
        Run::Write(remove_rule),
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

fn view(world: &World, scene: &Scene<'_>, name: &str, id: &str) -> Result<(i64, Value), Reply> {
    let addresses = Addresses::of(world, scene)?;
    let object = scene.git.object(scene.repo, id).map_err(broken(scene))?;
    let commit = scene.git.commit(scene.repo, id).map_err(broken(scene))?;
    let tag = if object.kind == ObjectKind::Tag {
        TagObject::parse(&object.data)
    } else {
        None
    };
    let message = tag.as_ref().map_or(&commit.message, |tag| &tag.message);
    let created = tag
        .as_ref()
        .and_then(|tag| tag.tagger.as_ref())
        .map_or(commit.committer.seconds, |tagger| tagger.seconds);
    let body = json!({
        "name": name,
        "message": message.trim_end_matches('\n'),
        "id": id,
        "commit": { "url": format!("{}/git/commits/{id}", addresses.api), "sha": commit.id, "created": rfc3339(created) },
        "zipball_url": format!("{}/archive/{name}.zip", addresses.web),
        "tarball_url": format!("{}/archive/{name}.tar.gz", addresses.web),
    });
    Ok((created, body))
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let known = world
        .references
        .get(scene.repo)
        .cloned()
        .unwrap_or_default();
    let mut tags = Vec::new();
    for (name, id) in known.below("refs/tags/") {
        tags.push(view(world, scene, name, id)?);
    }
    // Newest first, as git sorts by the date of its creation; those of one second by name.
    tags.sort_by_key(|(created, _)| std::cmp::Reverse(*created));
    let page = Page::of(scene.call, &world.settings);
    let shown: Vec<Value> = page
        .slice(&tags)
        .iter()
        .map(|(_, body)| body.clone())
        .collect();
    Ok(Reply::ok(Value::Array(shown)).with_header("x-total-count", tags.len().to_string()))
}

fn find(world: &World, scene: &Scene<'_>, name: &str) -> Option<String> {
    world
        .references
        .get(scene.repo)
        .and_then(|references| references.tag(name))
        .map(str::to_owned)
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    let name = scene.call.param("*");
    let id = find(world, scene, name)
        .ok_or_else(|| Reply::not_found_in_none(&format!("tag doesn't exist: {name}")))?;
    Ok(Reply::ok(view(world, scene, name, &id)?.1))
}

static CREATE: Schema = Schema {
    name: "CreateTagOption",
    fields: &[
        ruled("tag_name", "TagName", &[Rule::Required]),
        text("message", "Message"),
        text("target", "Target"),
    ],
};

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let name = body.text_or_empty("tag_name").to_owned();
    let default = scene.repository(world)?.default_branch.clone();
    let target = body
        .text("target")
        .filter(|target| !target.is_empty())
        .unwrap_or(&default);
    let missing = || {
        Reply::error(
            404,
            format!("target not found: object does not exist [id: {target}, rel_path: ]"),
        )
    };
    let commit = commits::named_or_short(world, scene, target).ok_or_else(missing)?;
    make(world, scene, &name, &commit, body.text_or_empty("message"))?;
    let id = find(world, scene, &name).unwrap_or_default();
    Ok(Reply::created(view(world, scene, &name, &id)?.1))
}

/// Makes a tag at a commit, annotated when there is a message.
pub(crate) fn make(
    world: &mut World,
    scene: &mut Scene<'_>,
    name: &str,
    commit: &str,
    message: &str,
) -> Result<(), Reply> {
    if find(world, scene, name).is_some() {
        return Err(Reply::error(
            409,
            format!("tag already exists [name: {name}]"),
        ));
    }
    if !git::is_ref_name(name) {
        return Err(scene.internal(&format!("release tag name is not valid [tag_name: {name}]")));
    }
    if !may_touch(world, scene.repo, scene.doer_id(), name) {
        return Err(Reply::error(
            422,
            "user not allowed to create protected tag",
        ));
    }
    let mut id = commit.to_owned();
    if !message.is_empty() {
        let tagger = Some(person_of(world, scene.doer_id()));
        let tag = TagObject {
            object: id,
            kind: "commit".into(),
            tag: name.to_owned(),
            tagger,
            message: format!("{message}\n"),
        };
        id = scene
            .git
            .store(scene.repo, ObjectKind::Tag, &tag.written())
            .map_err(broken(scene))?;
    }
    let step = Move {
        name: format!("refs/tags/{name}"),
        from: ZERO_ID.into(),
        to: id,
    };
    let (git, repo, doer) = (scene.git, scene.repo, scene.doer_id());
    pushes::move_reference(
        world,
        git,
        repo,
        &step,
        doer,
        PushedBy::Api,
        &mut scene.effects,
    )
    .map_err(|error| refusal(&error))
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let name = scene.call.param("*").to_owned();
    let released = world
        .releases
        .of(scene.repo)
        .any(|(_, release): (i64, &Release)| release.tag.eq_ignore_ascii_case(&name));
    let id = find(world, scene, &name).ok_or_else(Reply::not_found)?;
    if released {
        return Err(Reply::error(
            409,
            "a tag attached to a release cannot be deleted directly",
        ));
    }
    if !may_touch(world, scene.repo, scene.doer_id(), &name) {
        return Err(Reply::error(
            422,
            "user not allowed to delete protected tag",
        ));
    }
    let step = Move {
        name: format!("refs/tags/{name}"),
        from: id,
        to: ZERO_ID.into(),
    };
    let (git, repo, doer) = (scene.git, scene.repo, scene.doer_id());
    pushes::move_reference(
        world,
        git,
        repo,
        &step,
        doer,
        PushedBy::Api,
        &mut scene.effects,
    )
    .map_err(|error| refusal(&error))?;
    Ok(Reply::no_content())
}

fn rule_view(world: &World, rule: &TagProtection) -> Value {
    let users: Vec<&str> = rule
        .users
        .iter()
        .filter_map(|id| world.owners.get(*id))
        .map(|user| user.login.as_str())
        .collect();
    let teams: Vec<&str> = rule
        .teams
        .iter()
        .filter_map(|id| world.teams.get(*id))
        .map(|team| team.name.as_str())
        .collect();
    json!({
        "id": rule.id,
        "name_pattern": rule.pattern,
        "whitelist_usernames": users,
        "whitelist_teams": teams,
        "created_at": rfc3339(rule.created),
        "updated_at": rfc3339(rule.updated),
    })
}

fn rules(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(Reply::ok(
        world
            .tag_protections
            .of(scene.repo)
            .map(|(_, rule)| rule_view(world, rule))
            .collect(),
    ))
}

fn found_rule<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w TagProtection, Reply> {
    let rule = scene
        .call
        .id("id")
        .and_then(|id| world.tag_protections.get(id));
    rule.filter(|rule| rule.repo == scene.repo)
        .ok_or_else(Reply::not_found)
}

fn rule(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(Reply::ok(rule_view(world, found_rule(world, scene)?)))
}

static RULE: Schema = Schema {
    name: "CreateTagProtectionOption",
    fields: &[
        text("name_pattern", "NamePattern"),
        of("whitelist_usernames", "WhitelistUsernames", Kind::Texts),
        of("whitelist_teams", "WhitelistTeams", Kind::Texts),
    ],
};

fn users_of(world: &World, body: &Body) -> Result<Option<Vec<i64>>, Reply> {
    let Some(names) = body.texts("whitelist_usernames") else {
        return Ok(None);
    };
    let id = |name: &String| {
        world
            .owner(name)
            .map(|(id, _)| id)
            .ok_or_else(|| Reply::error(422, format!("user does not exist [uid: 0, name: {name}]")))
    };
    names
        .iter()
        .map(id)
        .collect::<Result<Vec<_>, _>>()
        .map(Some)
}

fn teams_of(world: &World, scene: &Scene<'_>, body: &Body) -> Result<Option<Vec<i64>>, Reply> {
    let Some(names) = body.texts("whitelist_teams") else {
        return Ok(None);
    };
    if !world
        .owners
        .get(scene.owner)
        .is_some_and(crate::gitea::world::Owner::is_organization)
    {
        return Ok(Some(Vec::new()));
    }
    let id = |name: &String| {
        let found = world
            .teams
            .find_id(&format!("{}/{}", scene.owner, name.to_lowercase()));
        found.ok_or_else(|| {
            Reply::error(
                422,
                format!(
                    "team does not exist [org_id: {}, team_id: 0, name: {name}]",
                    scene.owner
                ),
            )
        })
    };
    names
        .iter()
        .map(id)
        .collect::<Result<Vec<_>, _>>()
        .map(Some)
}

fn add_rule(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &RULE)?;
    let pattern = body.text_or_empty("name_pattern").trim().to_owned();
    if pattern.is_empty() {
        return Err(Reply::error(400, "name_pattern are empty"));
    }
    if body
        .texts("whitelist_usernames")
        .unwrap_or_default()
        .is_empty()
        && body.texts("whitelist_teams").unwrap_or_default().is_empty()
    {
        return Err(Reply::error(
            400,
            "both whitelist_usernames and whitelist_teams are empty",
        ));
    }
    if world
        .tag_protections
        .of(scene.repo)
        .any(|(_, rule)| rule.pattern == pattern)
    {
        return Err(Reply::error(403, "Tag protection already exist"));
    }
    let users = users_of(world, &body)?.unwrap_or_default();
    let teams = teams_of(world, scene, &body)?.unwrap_or_default();
    let (now, repo) = (world.now(), scene.repo);
    let id = world.tag_protections.insert(|id| TagProtection {
        id,
        repo,
        pattern,
        users,
        teams,
        created: now,
        updated: now,
    });
    Ok(Reply::created(rule_view(
        world,
        world.tag_protections.get(id).ok_or_else(Reply::not_found)?,
    )))
}

fn change_rule(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &RULE)?;
    let id = found_rule(world, scene)?.id;
    let (users, teams) = (users_of(world, &body)?, teams_of(world, scene, &body)?);
    let now = world.now();
    world.tag_protections.update(id, |rule| {
        if let Some(pattern) = body
            .text("name_pattern")
            .filter(|pattern| !pattern.is_empty())
        {
            pattern.clone_into(&mut rule.pattern);
        }
        rule.users = users.unwrap_or_else(|| rule.users.clone());
        rule.teams = teams.unwrap_or_else(|| rule.teams.clone());
        rule.updated = now;
    });
    Ok(Reply::ok(rule_view(world, found_rule(world, scene)?)))
}

fn remove_rule(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let id = found_rule(world, scene)?.id;
    world.tag_protections.remove(id);
    Ok(Reply::no_content())
}
