//! Programs that sign people in with our accounts: described, listed, changed, taken away.
//!
//! Nobody signs in that way here, so a secret is told once and kept nowhere.

use serde_json::{Value, json};

use crate::gitea::bind::{Body, Kind, Rule, Schema, bind, flag, of, ruled};
use crate::gitea::clock::rfc3339;
use crate::gitea::page::Page;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::{Application, World};

const ALL: &str = "/user/applications/oauth2";
const ONE: &str = "/user/applications/oauth2/{id}";

pub(crate) const ROUTES: &[Route] = &[
    route("GET", ALL, Run::Read(list)),
    route("POST", ALL, Run::Write(create)),
    route("GET", ONE, Run::Read(get)),
    route("PATCH", ONE, Run::Write(update)),
    route("DELETE", ONE, Run::Write(delete)),
];

const fn route(method: &'static str, path: &'static str, run: Run) -> Route {
    Route {
        method,
        path,
        place: Place::Nowhere,
        scopes: &[&[Category::User]],
        needs: &[Need::SignedIn, Need::NotPublicOnly],
        run,
    }
}

static OPTIONS: Schema = Schema {
    name: "CreateOAuth2ApplicationOptions",
    fields: &[
        ruled("name", "Name", &[Rule::Required]),
        flag("confidential_client", "ConfidentialClient"),
        flag("skip_secondary_authorization", "SkipSecondaryAuthorization"),
        of("redirect_uris", "RedirectURIs", Kind::Texts),
    ],
};

fn view(application: &Application, secret: &str) -> Value {
    json!({
        "id": application.id,
        "name": application.name,
        "client_id": application.client,
        "client_secret": secret,
        "confidential_client": application.confidential,
        "skip_secondary_authorization": application.skips_question,
        "redirect_uris": application.redirects,
        "created": rfc3339(application.created),
    })
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let own = world.applications.of(scene.doer_id());
    let all: Vec<&Application> = own.map(|(_, application)| application).collect();
    let page = Page::of(scene.call, &world.settings);
    let shown = page.slice(&all).iter().map(|one| view(one, "")).collect();
    Ok(Reply::ok(Value::Array(shown)).with_header("x-total-count", all.len().to_string()))
}

/// The application of the path, if it is the doer's own.
fn own<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Application, Reply> {
    let id = scene.call.param("id").parse().unwrap_or_default();
    let found = world.applications.get(id);
    found
        .filter(|application| application.user == scene.doer_id())
        .ok_or_else(Reply::not_found)
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    own(world, scene).map(|application| Reply::ok(view(application, "")))
}

fn asked(scene: &Scene<'_>) -> Result<Body, Reply> {
    let body = bind(scene.call, &OPTIONS)?;
    if body.texts("redirect_uris").is_none_or(|all| all.is_empty()) {
        return Err(Reply::error(422, "[RedirectURIs]: Required"));
    }
    Ok(body)
}

fn secret(world: &mut World) -> String {
    format!("gto_{}", world.random.letters(52).to_lowercase())
}

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = asked(scene)?;
    let (client, created) = (world.random.uuid(), world.now());
    let user = scene.doer_id();
    let id = world.applications.insert(|id| Application {
        id,
        user,
        name: body.text_or_empty("name").to_owned(),
        client,
        confidential: body.flag("confidential_client") == Some(true),
        skips_question: body.flag("skip_secondary_authorization") == Some(true),
        redirects: body.texts("redirect_uris").unwrap_or_default(),
        created,
    });
    let secret = secret(world);
    let made = world.applications.get(id).ok_or_else(Reply::not_found)?;
    Ok(Reply::created(view(made, &secret)))
}

fn update(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = asked(scene)?;
    let id = own(world, scene)?.id;
    world.applications.update(id, |application| {
        body.text_or_empty("name").clone_into(&mut application.name);
        application.confidential = body.flag("confidential_client") == Some(true);
        application.skips_question = body.flag("skip_secondary_authorization") == Some(true);
        application.redirects = body.texts("redirect_uris").unwrap_or_default();
    });
    let secret = secret(world);
    let changed = world.applications.get(id).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(view(changed, &secret)))
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let id = own(world, scene)?.id;
    world.applications.remove(id);
    Ok(Reply::no_content())
}
