//! The operations of Actions below `/api/v1`.

use serde_json::{Value, json};

use super::scope::Scope;
use crate::gitea::access::Unit;
use crate::gitea::page::Page;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::runners;
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::World;

mod jobs;
mod runs;
mod secrets;
mod variables;
mod workflows;

/// Every table of routes.
pub(crate) const TABLES: [&[Route]; 6] = [
    runs::ROUTES,
    jobs::ROUTES,
    workflows::ROUTES,
    secrets::ROUTES,
    variables::ROUTES,
    runners::ROUTES,
];

const REPO: &[&[Category]] = &[&[Category::Repository]];
const ORG: &[&[Category]] = &[&[Category::Organization]];
const USER: &[&[Category]] = &[&[Category::User]];
const ADMIN: &[&[Category]] = &[&[Category::Admin]];

/// An operation on a repository's runs, for those who may read them.
const fn in_repo(path: &'static str, run: fn(&World, &Scene<'_>) -> Answer) -> Route {
    let needs = &[Need::Reader(&[Unit::Actions])];
    Route {
        method: "GET",
        path,
        place: Place::Repo,
        scopes: REPO,
        needs,
        run: Run::Read(run),
    }
}

/// The same for those who are signed in.
const fn signed_in_repo(path: &'static str, run: fn(&World, &Scene<'_>) -> Answer) -> Route {
    let needs = &[Need::SignedIn, Need::Reader(&[Unit::Actions])];
    Route {
        needs,
        ..in_repo(path, run)
    }
}

/// An operation on a repository's runs, for those who may write them.
const fn change_in_repo(
    method: &'static str,
    path: &'static str,
    run: fn(&mut World, &mut Scene<'_>) -> Answer,
) -> Route {
    let needs = &[Need::SignedIn, Need::Writer(&[Unit::Actions])];
    Route {
        method,
        path,
        place: Place::Repo,
        scopes: REPO,
        needs,
        run: Run::Write(run),
    }
}

/// The same operation in all four scopes; each handler finds out in which by [`scope_of`].
pub(crate) const fn in_scope(
    method: &'static str,
    path: &'static str,
    place: ScopePlace,
    run: Run,
) -> Route {
    let (place, scopes, needs) = match place {
        ScopePlace::Repo => (Place::Repo, REPO, OWNER_OF_REPO),
        ScopePlace::Org => (Place::Org, ORG, OWNER_OF_ORG),
        ScopePlace::User => (Place::Nowhere, USER, SIGNED_IN),
        ScopePlace::Admin => (Place::Nowhere, ADMIN, SITE_ADMIN),
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

/// Which of the scopes a route belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScopePlace {
    /// `/repos/{owner}/{repo}`
    Repo,
    /// `/orgs/{org}`
    Org,
    /// `/user`
    User,
    /// `/admin`
    Admin,
}

const OWNER_OF_REPO: &[Need] = &[Need::SignedIn, Need::RepoOwner];
const OWNER_OF_ORG: &[Need] = &[Need::SignedIn, Need::OrgOwner];
const SIGNED_IN: &[Need] = &[Need::SignedIn, Need::NotPublicOnly];
const SITE_ADMIN: &[Need] = &[Need::SignedIn, Need::SiteAdmin];

/// The scope that the path of a call names.
pub(crate) fn scope_of(scene: &Scene<'_>) -> Scope {
    let path = &scene.call.path;
    if scene.repo != 0 {
        Scope::Repo(scene.repo)
    } else if scene.owner != 0 {
        Scope::Owner(scene.owner)
    } else if path.contains("/user/actions/") {
        Scope::Owner(scene.doer_id())
    } else {
        Scope::Instance
    }
}

/// One page of rows under a name of their own, with their number.
fn page_of<T>(
    world: &World,
    scene: &Scene<'_>,
    name: &str,
    rows: &[T],
    view: impl Fn(&T) -> Value,
) -> Reply {
    let page = Page::of(scene.call, &world.settings);
    let views: Vec<Value> = page.slice(rows).iter().map(view).collect();
    Reply::ok(json!({name: views, "total_count": rows.len()})).with_paging(
        scene.call,
        &world.settings,
        page,
        rows.len(),
    )
}

/// What the words of `?status=` stand for; several words stand for the same.
///
/// # Errors
/// 400 for a word that is none.
fn wanted_statuses(scene: &Scene<'_>) -> Result<Vec<super::row::Status>, Reply> {
    use super::row::Status;

    let mut wanted = Vec::new();
    for word in scene.call.query_all("status") {
        wanted.extend_from_slice(match word {
            "pending" | "waiting" | "requested" | "action_required" => &[Status::Blocked],
            "queued" => &[Status::Waiting],
            "in_progress" => &[Status::Running],
            "completed" => &[
                Status::Success,
                Status::Failure,
                Status::Cancelled,
                Status::Skipped,
            ],
            "success" => &[Status::Success],
            "failure" => &[Status::Failure],
            "skipped" | "neutral" => &[Status::Skipped],
            "cancelled" | "timed_out" => &[Status::Cancelled],
            other => return Err(Reply::error(400, format!("Invalid status {other}"))),
        });
    }
    Ok(wanted)
}

/// A name that a secret or a variable may have, in capitals.
///
/// # Errors
/// 400 for a name with other than letters, digits and `_`, or one that is reserved.
fn checked_name(name: &str) -> Result<String, Reply> {
    let upper = name.to_uppercase();
    let begins = upper.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let letters = upper.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let reserved = upper.starts_with("GITEA_") || upper.starts_with("GITHUB_") || upper == "CI";
    if begins && letters && !reserved {
        Ok(upper)
    } else {
        Err(Reply::error(400, "invalid variable or secret name"))
    }
}

/// A value that fits, with its line ends made one character.
///
/// # Errors
/// 400 for one that is too long; counted before the line ends are changed.
fn checked_value(value: &str, length: usize) -> Result<String, Reply> {
    const LENGTH_MAX: usize = 65_536;
    if length > LENGTH_MAX {
        return Err(Reply::error(400, "data too long"));
    }
    Ok(value.replace("\r\n", "\n"))
}

/// A description, cut silently.
fn cut_description(text: &str) -> String {
    const LETTERS_MAX: usize = 4096;
    text.chars().take(LETTERS_MAX).collect()
}
