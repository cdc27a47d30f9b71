//! Issues, as far as they can be asked for without there being any.

use serde_json::Value;

use super::repos::REPO;
use crate::gitea::access::Unit;
use crate::gitea::page::listed;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::World;

const ISSUE: &[&[Category]] = &[&[Category::Issue]];
const BOTH: &[Unit] = &[Unit::Issues, Unit::Pulls];

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/repos/issues/search",
        place: Place::Nowhere,
        scopes: ISSUE,
        needs: &[],
        run: Run::Read(none),
    },
    Route {
        method: "GET",
        path: "/repos/{owner}/{repo}/issues",
        place: Place::Repo,
        scopes: ISSUE,
        needs: &[Need::UnitOn(BOTH)],
        run: Run::Read(none),
    },
    Route {
        method: "GET",
        path: "/repos/{owner}/{repo}/issue_templates",
        place: Place::Repo,
        scopes: REPO,
        needs: &[],
        run: Run::Read(no_templates),
    },
    Route {
        method: "GET",
        path: "/repos/{owner}/{repo}/branch_protections",
        place: Place::Repo,
        scopes: REPO,
        needs: &[Need::SignedIn, Need::RepoAdmin],
        run: Run::Read(no_rules),
    },
];

fn none(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(listed(scene.call, &world.settings, &[], |value: &Value| {
        value.clone()
    }))
}

fn no_templates(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(Value::Null))
}

fn no_rules(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(Value::Array(Vec::new())))
}
