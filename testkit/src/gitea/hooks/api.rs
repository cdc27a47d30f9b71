//! Hooks through the API, at repositories, organisations, accounts and the whole server.

use serde_json::{Value, json};

use super::kinds::{expanded, is_kind};
use super::{ContentType, Hook, HookScope, filter, place, remove, telling};
use crate::gitea::actions::{Sealed, test_payload};
use crate::gitea::bind::{Body, Field, Kind, Rule, Schema, bind, flag, of, ruled, text};
use crate::gitea::clock::rfc3339;
use crate::gitea::page::{counted, listed};
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::World;

const REPO_ALL: &str = "/repos/{owner}/{repo}/hooks";
const REPO_ONE: &str = "/repos/{owner}/{repo}/hooks/{id}";
const ORG_ALL: &str = "/orgs/{org}/hooks";
const ORG_ONE: &str = "/orgs/{org}/hooks/{id}";
const USER_ALL: &str = "/user/hooks";
const USER_ONE: &str = "/user/hooks/{id}";
const ADMIN_ALL: &str = "/admin/hooks";
const ADMIN_ONE: &str = "/admin/hooks/{id}";

pub(crate) const ROUTES: &[Route] = &[
    route("GET", REPO_ALL, Run::Read(list)),
    route("POST", REPO_ALL, Run::Write(create)),
    route("GET", REPO_ONE, Run::Read(get)),
    route("PATCH", REPO_ONE, Run::Write(update)),
    route("DELETE", REPO_ONE, Run::Write(delete)),
    route(
        "POST",
        "/repos/{owner}/{repo}/hooks/{id}/tests",
        Run::Write(test),
    ),
    route("GET", ORG_ALL, Run::Read(list)),
    route("POST", ORG_ALL, Run::Write(create)),
    route("GET", ORG_ONE, Run::Read(get)),
    route("PATCH", ORG_ONE, Run::Write(update)),
    route("DELETE", ORG_ONE, Run::Write(delete)),
    route("GET", USER_ALL, Run::Read(list)),
    route("POST", USER_ALL, Run::Write(create)),
    route("GET", USER_ONE, Run::Read(get)),
    route("PATCH", USER_ONE, Run::Write(update)),
    route("DELETE", USER_ONE, Run::Write(delete)),
    route("GET", ADMIN_ALL, Run::Read(list)),
    route("POST", ADMIN_ALL, Run::Write(create)),
    route("GET", ADMIN_ONE, Run::Read(get)),
    route("PATCH", ADMIN_ONE, Run::Write(update)),
    route("DELETE", ADMIN_ONE, Run::Write(delete)),
];

/// Place, scopes and needs follow from the beginning of the path.
const fn route(method: &'static str, path: &'static str, run: Run) -> Route {
    let (place, scopes, needs): (Place, &[&[Category]], &[Need]) = match path.as_bytes()[1] {
        b'r' => (
            Place::Repo,
            &[&[Category::Repository]],
            &[Need::SignedIn, Need::RepoAdmin],
        ),
        b'o' => (
            Place::Org,
            &[&[Category::Organization]],
            &[Need::SignedIn, Need::OrgOwner],
        ),
        b'u' => (Place::Nowhere, &[&[Category::User]], &[Need::SignedIn]),
        _ => (
            Place::Nowhere,
            &[&[Category::Admin]],
            &[Need::SignedIn, Need::SiteAdmin],
        ),
    };
    Route {
        method,
        path,
        place,
        scopes,
        needs,
        run,
    }
}

/// Whether a hook belongs to what the path names.
fn is_here(scene: &Scene<'_>, hook: &Hook) -> bool {
    match hook.scope {
        HookScope::Repo(repo) => scene.repo == repo,
        HookScope::Owner(owner) if scene.repo == 0 && scene.owner != 0 => scene.owner == owner,
        HookScope::Owner(owner) => {
            scene.repo == 0 && scene.call.path.contains("/user/") && scene.doer_id() == owner
        }
        HookScope::System | HookScope::Default => scene.call.path.contains("/admin/"),
    }
}

fn found<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Hook, Reply> {
    let hook = scene.call.id("id").and_then(|id| world.hooks.hooks.get(id));
    hook.filter(|hook| is_here(scene, hook))
        .ok_or_else(Reply::not_found)
}

fn view(world: &World, hook: &Hook) -> Value {
    let authorization = hook.authorization.as_ref().and_then(|sealed| {
        world
            .actions
            .key
            .open(&place(hook.scope, "authorization"), sealed)
    });
    let mut shown = json!({
        "id": hook.id,
        "name": hook.name,
        "type": hook.kind,
        "branch_filter": hook.branch_filter,
        "config": {"url": hook.url, "content_type": word(hook.content_type)},
        "events": hook.events,
        "authorization_header": authorization.unwrap_or_default(),
        "active": hook.active,
        "updated_at": rfc3339(hook.updated),
        "created_at": rfc3339(hook.created),
    });
    if world.settings.minor() < 26
        && let Some(members) = shown.as_object_mut()
    {
        members.remove("name");
    }
    shown
}

fn word(kind: ContentType) -> &'static str {
    match kind {
        ContentType::Json => "json",
        ContentType::Form => "form",
    }
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let wanted = scene.call.query("type").unwrap_or_default();
    let shown = |hook: &&Hook| match (hook.scope, wanted) {
        (HookScope::Default, "default" | "all") | (HookScope::System, "all") => true,
        (HookScope::Default, _) | (HookScope::System, "default") => false,
        _ => true,
    };
    let hooks = world.hooks.hooks.iter().map(|(_, hook)| hook);
    let hooks: Vec<&Hook> = hooks
        .filter(|hook| is_here(scene, hook))
        .filter(shown)
        .collect();
    let (call, settings) = (scene.call, &world.settings);
    let view = |hook: &&Hook| view(world, hook);
    Ok(if scene.repo == 0 {
        listed(call, settings, &hooks, view)
    } else {
        counted(call, settings, &hooks, view)
    })
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(Reply::ok(view(world, found(world, scene)?)))
}

static CREATE: Schema = Schema {
    name: "CreateHookOption",
    fields: &[
        ruled("type", "Type", &[Rule::Required]),
        Field {
            json: "config",
            go: "Config",
            kind: Kind::TextMap,
            rules: &[Rule::Required],
        },
        of("events", "Events", Kind::Texts),
        text("branch_filter", "BranchFilter"),
        text("authorization_header", "AuthorizationHeader"),
        flag("active", "Active"),
        text("name", "Name"),
    ],
};

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    check_filter(&body)?;
    let config = body.object("config");
    let kind = body.text_or_empty("type");
    if !is_kind(kind) {
        return Err(unprocessable(format!("Invalid hook type: {kind}")));
    }
    for name in ["url", "content_type"] {
        if !config.has(name) {
            return Err(unprocessable(format!("Missing config option: {name}")));
        }
    }
    let content_type = content_type(config.text_or_empty("content_type"))?;
    let url = checked_url(config.text_or_empty("url"))?;
    let scope = scope_for_new(scene, &config);
    let secret = sealed(world, scope, ("secret", config.text_or_empty("secret")));
    let header = body.text_or_empty("authorization_header");
    let authorization = sealed(world, scope, ("authorization", header));
    let events = body.texts("events").filter(|events| !events.is_empty());
    let now = world.now();
    let id = world.hooks.hooks.insert(|id| Hook {
        id,
        scope,
        kind: kind.to_owned(),
        name: body.text_or_empty("name").to_owned(),
        url,
        content_type,
        secret,
        events: expanded(&events.unwrap_or_else(|| vec!["push".to_owned()])),
        branch_filter: body.text_or_empty("branch_filter").to_owned(),
        authorization,
        active: body.flag("active").unwrap_or_default(),
        created: now,
        updated: now,
    });
    let hook = world.hooks.hooks.get(id).map(|hook| view(world, hook));
    Ok(Reply::created(hook.unwrap_or_default()))
}

fn scope_for_new(scene: &Scene<'_>, config: &Body) -> HookScope {
    if scene.repo != 0 {
        HookScope::Repo(scene.repo)
    } else if scene.owner != 0 {
        HookScope::Owner(scene.owner)
    } else if scene.call.path.contains("/user/") {
        HookScope::Owner(scene.doer_id())
    } else if config.text("is_system_webhook") == Some("true") {
        HookScope::System
    } else {
        HookScope::Default
    }
}

static UPDATE: Schema = Schema {
    name: "EditHookOption",
    fields: &[
        of("config", "Config", Kind::TextMap),
        of("events", "Events", Kind::Texts),
        text("branch_filter", "BranchFilter"),
        text("authorization_header", "AuthorizationHeader"),
        flag("active", "Active"),
        text("name", "Name"),
    ],
};

/// What is not named is reset, but for the address, the name and whether it is active.
fn update(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &UPDATE)?;
    check_filter(&body)?;
    let (id, scope) = {
        let hook = found(world, scene)?;
        (hook.id, hook.scope)
    };
    let config = body.object("config");
    let url = config.text("url").map(checked_url).transpose()?;
    let kind = config.text("content_type").map(content_type).transpose()?;
    let header = body.text_or_empty("authorization_header");
    let authorization = sealed(world, scope, ("authorization", header));
    let events = body.texts("events").filter(|events| !events.is_empty());
    let events = expanded(&events.unwrap_or_else(|| vec!["push".to_owned()]));
    let now = world.now();
    world.hooks.hooks.update(id, |hook| {
        hook.url = url.unwrap_or_else(|| std::mem::take(&mut hook.url));
        hook.content_type = kind.unwrap_or(hook.content_type);
        hook.events = events;
        body.text_or_empty("branch_filter")
            .clone_into(&mut hook.branch_filter);
        hook.authorization = authorization;
        hook.active = body.flag("active").unwrap_or(hook.active);
        if let Some(name) = body.text("name") {
            name.clone_into(&mut hook.name);
        }
        hook.updated = now;
    });
    get(world, scene)
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let id = found(world, scene)?.id;
    remove(world, id);
    Ok(Reply::no_content())
}

/// Tells the hook of the newest commit, as if it had been pushed again.
fn test(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let hook = found(world, scene)?;
    let (hook, active) = (hook.id, hook.active);
    let repo = scene.repository(world)?;
    let branch = repo.default_branch.clone();
    let tip = world
        .references
        .get(repo.id)
        .and_then(|refs| refs.branch(&branch));
    let Some(tip) = tip.map(str::to_owned) else {
        return Err(Reply::not_found_because("repository is empty"));
    };
    let asked = scene.call.query("ref").filter(|name| !name.is_empty());
    let reference = asked.map_or_else(|| format!("refs/heads/{branch}"), str::to_owned);
    let about = (scene.repo, tip.as_str(), reference.as_str());
    let payload = test_payload(world, scene.git, about, scene.doer_id());
    if active {
        telling::queue(world, hook, "push", format!("{payload:#}"));
    }
    Ok(Reply::no_content())
}

fn unprocessable(text: impl Into<String>) -> Reply {
    Reply::error(422, text)
}

fn check_filter(body: &Body) -> Result<(), Reply> {
    match filter::compile(body.text_or_empty("branch_filter")) {
        Ok(_) => Ok(()),
        Err(error) => Err(unprocessable(format!("[BranchFilter]: {error}"))),
    }
}

fn content_type(word: &str) -> Result<ContentType, Reply> {
    match word {
        "json" => Ok(ContentType::Json),
        "form" => Ok(ContentType::Form),
        _ => Err(unprocessable("Invalid content type")),
    }
}

fn checked_url(url: &str) -> Result<String, Reply> {
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    let is_clean = url.chars().all(|c| !c.is_whitespace() && !c.is_control());
    match rest {
        Some(rest) if is_clean && !rest.is_empty() && !rest.starts_with('/') => Ok(url.to_owned()),
        _ => Err(unprocessable("Invalid url")),
    }
}

fn sealed(world: &mut World, scope: HookScope, (part, value): (&str, &str)) -> Option<Sealed> {
    let place = place(scope, part);
    let key = world.actions.key.clone();
    (!value.is_empty()).then(|| key.seal(&mut world.random, &place, value))
}

/// The same value, sealed for another place.
pub(super) fn moved(
    world: &mut World,
    value: Option<&Sealed>,
    (from, to): (HookScope, HookScope),
    part: &str,
) -> Option<Sealed> {
    let open = world.actions.key.open(&place(from, part), value?)?;
    sealed(world, to, (part, &open))
}
