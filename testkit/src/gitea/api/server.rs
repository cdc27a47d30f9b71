//! The server about itself: version, health, settings.

use serde_json::json;

use crate::gitea::call::Call;
use crate::gitea::clock::rfc3339;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::World;
use crate::gitea::{Gitea, Handled};

pub(crate) const ROUTES: &[Route] = &[
    get("/version", version),
    get("/swagger", swagger),
    get("/settings/api", settings_api),
    get("/settings/ui", settings_ui),
    get("/settings/repository", settings_repository),
    get("/settings/attachment", settings_attachment),
    get("/signing-key.gpg", no_signing_key),
    get("/signing-key.pub", no_signing_key),
];

const fn get(path: &'static str, run: fn(&World, &Scene<'_>) -> Answer) -> Route {
    Route {
        method: "GET",
        path,
        place: Place::Nowhere,
        scopes: &[],
        needs: &[],
        run: Run::Read(run),
    }
}

fn version(world: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(json!({ "version": world.settings.version })))
}

fn swagger(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::bytes(
        303,
        "text/html; charset=utf-8",
        "<a href=\"/api/swagger\">See Other</a>.\n\n",
    )
    .with_header("location", "/api/swagger"))
}

fn settings_api(world: &World, _: &Scene<'_>) -> Answer {
    let settings = &world.settings;
    Ok(Reply::ok(json!({
        "max_response_items": settings.page_size_max,
        "default_paging_num": settings.page_size,
        "default_git_trees_per_page": 1000,
        "default_max_blob_size": settings.blob_size_max,
        "default_max_response_size": 104_857_600,
    })))
}

fn settings_ui(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(json!({
        "default_theme": "gitea-auto",
        "allowed_reactions": ["+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes"],
        "custom_emojis": ["git", "gitea", "codeberg", "gitlab", "github", "gogs"],
    })))
}

fn settings_repository(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(json!({
        "mirrors_disabled": false,
        "http_git_disabled": false,
        "migrations_disabled": false,
        "stars_disabled": false,
        "time_tracking_disabled": false,
        "lfs_disabled": true,
    })))
}

fn settings_attachment(_: &World, _: &Scene<'_>) -> Answer {
    let types = ".cpuprofile,.csv,.dmp,.docx,.gif,.gz,.jpeg,.jpg,.json,.log,.md,.patch,.pdf,.png,.pptx,.svg,.tgz,.txt,.xls,.xlsx,.zip";
    Ok(Reply::ok(
        json!({ "enabled": true, "allowed_types": types, "max_size": 100, "max_files": 5 }),
    ))
}

fn no_signing_key(_: &World, _: &Scene<'_>) -> Answer {
    Err(Reply::not_found_in_none("no signing key"))
}

/// `/api/swagger`, which every error names: a page for people.
pub(crate) fn description(_: &Gitea, call: &Call) -> Option<Handled> {
    if call.path.trim_end_matches('/') != "/api/swagger" || call.method != "GET" {
        return None;
    }
    let page = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Gitea API</title></head><body><h1>Gitea API</h1><p>This server speaks the API of Gitea below <code>/api/v1</code>, as Gitea describes it.</p></body></html>\n";
    Some(Reply::bytes(200, "text/html; charset=utf-8", page).into())
}

/// `/api/healthz`, which looks at no credentials.
pub(crate) fn health(gitea: &Gitea, call: &Call) -> Option<Handled> {
    if call.path != "/api/healthz" {
        return None;
    }
    Some(match call.method.as_str() {
        "GET" | "HEAD" => {
            let now = gitea.read(|world, _| rfc3339(world.now()));
            let check = json!([{ "status": "pass", "time": now }]);
            let body = json!({ "status": "pass", "description": "Gitea: Git with a cup of tea", "checks": { "cache:ping": check, "database:ping": check } });
            Reply::bytes(200, "application/json", format!("{body:#}")).into()
        }
        _ => Reply::empty(405)
            .with_header("allow", "GET")
            .with_header("allow", "HEAD")
            .into(),
    })
}
