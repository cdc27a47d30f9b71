//! Accounts and repositories as they stand in payloads and runs.

use serde_json::{Value, json};

use crate::gitea::access::{Access, Mode};
use crate::gitea::api::{orgs, repos, users};
use crate::gitea::world::World;

/// A user as one who may know nothing sees it.
pub(crate) fn user(world: &World, base: &str, id: i64) -> Value {
    users::user_by_id(world, base, id, users::View::Anonymous)
}

/// An organisation in a webhook; `None` for a user.
pub(crate) fn organization(world: &World, base: &str, id: i64) -> Option<Value> {
    let org = world
        .owners
        .get(id)
        .filter(|owner| owner.is_organization())?;
    Some(orgs::view(world, base, org, None))
}

/// An organisation as a user, which is how the creation of a repository tells it.
pub(crate) fn organization_user(world: &World, base: &str, id: i64) -> Option<Value> {
    let org = world
        .owners
        .get(id)
        .filter(|owner| owner.is_organization())?;
    Some(users::user(world, base, org, users::View::Anonymous))
}

/// A repository as one sees it who has this right to it.
pub(crate) fn repository(world: &World, base: &str, repo: i64, mode: Mode) -> Value {
    let Some(repo) = world.repos.get(repo) else {
        return Value::Null;
    };
    let mut view = repos::view(world, base, None, repo, &Access::whole(mode));
    let right = |least: Mode| json!(mode >= least);
    view["permissions"] = json!({
        "admin": right(Mode::Admin), "push": right(Mode::Write), "pull": right(Mode::Read),
    });
    view
}
