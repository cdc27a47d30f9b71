//! Users as others see them, and what each may know.

use serde_json::{Value, json};
use sha2::Digest;

use crate::gitea::access::{ACTIONS_USER, Doer, Mode};
use crate::gitea::clock::{ZERO, rfc3339};
use crate::gitea::page::{Page, counted, listed};
use crate::gitea::permission::sees_owner;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::{Owner, World};

const USER: &[&[Category]] = &[&[Category::User]];

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/users/search",
        place: Place::Nowhere,
        scopes: USER,
        needs: &[],
        run: Run::Read(search),
    },
    on_user("/users/{username}", get),
    on_user("/users/{username}/heatmap", heatmap),
    on_user("/users/{username}/followers", followers),
    on_user("/users/{username}/following", following),
    on_user("/users/{username}/following/{target}", follows),
    on_user("/users/{username}/activities/feeds", nothing),
    on_user("/users/{username}/gpg_keys", nothing),
];

const fn on_user(path: &'static str, run: fn(&World, &Scene<'_>) -> Answer) -> Route {
    Route {
        method: "GET",
        path,
        place: Place::User,
        scopes: USER,
        needs: &[],
        run: Run::Read(run),
    }
}

/// How much of a user somebody may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// What everybody sees.
    Anonymous,
    /// With the mail address, unless it is hidden.
    SignedIn,
    /// Everything: the user itself, or a site administrator.
    Full,
}

impl View {
    /// What a doer sees of a user.
    #[must_use]
    pub fn of(doer: Option<&Doer>, user: i64) -> Self {
        match doer {
            None => Self::Anonymous,
            Some(doer) if doer.admin || doer.id == user => Self::Full,
            Some(_) => Self::SignedIn,
        }
    }

    /// What those see who have this right to something of the user's.
    #[must_use]
    pub fn by_mode(mode: Mode) -> Self {
        if mode == Mode::None {
            Self::Anonymous
        } else {
            Self::SignedIn
        }
    }
}

/// A user (or organisation) as the API answers it.
#[must_use]
pub fn user(world: &World, base: &str, user: &Owner, view: View) -> Value {
    let full = view == View::Full;
    let shows_email = full || (view == View::SignedIn && !user.hide_email);
    let email = if shows_email {
        user.email.clone()
    } else {
        hidden_email(world, user)
    };
    let last_login = if full {
        rfc3339(user.last_login)
    } else {
        ZERO.to_owned()
    };
    json!({
        "id": user.id,
        "login": user.login,
        "login_name": if full { user.login_name.as_str() } else { "" },
        "source_id": if full { user.source_id } else { 0 },
        "full_name": user.full_name,
        "email": email,
        "avatar_url": avatar(base, user),
        "html_url": format!("{base}/{}", user.login),
        "language": if full { user.language.as_str() } else { "" },
        "is_admin": full && user.admin,
        "last_login": last_login,
        "created": rfc3339(user.created),
        "restricted": user.restricted,
        "active": full && user.active,
        "prohibit_login": full && user.prohibit_login,
        "location": user.location,
        "website": user.website,
        "description": user.description,
        "visibility": user.visibility.word(),
        "followers_count": world.owners.iter().filter(|(_, other)| other.following.contains(&user.id)).count(),
        "following_count": user.following.len(),
        "starred_repos_count": user.starred.len(),
        "username": user.login,
    })
}

/// A user by id as somebody sees it; `null` for one that is gone.
#[must_use]
pub fn user_by_id(world: &World, base: &str, id: i64, view: View) -> Value {
    if id == ACTIONS_USER {
        return actions_user(world, base, "");
    }
    world
        .owners
        .get(id)
        .map_or(Value::Null, |found| user(world, base, found, view))
}

/// The account that acts with the tokens of jobs.
#[must_use]
pub fn actions_user(world: &World, base: &str, login_name: &str) -> Value {
    let mut account = Owner::new(
        ACTIONS_USER,
        crate::gitea::world::OwnerKind::User,
        "gitea-actions",
        0,
    );
    account.full_name = "Gitea Actions".into();
    account.email = format!("teabot@{}", "gitea.io");
    let mut value = user(world, base, &account, View::SignedIn);
    value["login_name"] = json!(login_name);
    value["created"] = json!(ZERO);
    value
}

/// The address that stands for one that is hidden.
#[must_use]
pub fn hidden_email(world: &World, user: &Owner) -> String {
    let (login, domain) = (user.login.to_lowercase(), &world.settings.domain);
    if world.settings.minor() < 26 {
        return format!("{login}@noreply.{domain}");
    }
    format!("{}+{login}@noreply.{domain}", user.id)
}

/// `${base}/avatars/` and the MD5 of the address, or of the name where there is none.
#[must_use]
pub fn avatar(base: &str, user: &Owner) -> String {
    let of = if user.email.is_empty() {
        user.login.to_lowercase()
    } else {
        user.email.to_lowercase()
    };
    format!("{base}/avatars/{}", md5_hex(of.as_bytes()))
}

/// MD5 in hexadecimal digits; avatars are its only use.
#[must_use]
pub fn md5_hex(data: &[u8]) -> String {
    hex::encode(md5::Md5::digest(data))
}

/// A list of users with paging headers.
pub(crate) fn list(world: &World, scene: &Scene<'_>, users: &[&Owner]) -> Reply {
    listed(scene.call, &world.settings, users, seen(world, scene))
}

/// The same without addresses of other pages.
pub(crate) fn count(world: &World, scene: &Scene<'_>, users: &[&Owner]) -> Reply {
    counted(scene.call, &world.settings, users, seen(world, scene))
}

/// A user as the doer sees one.
fn seen<'a>(world: &'a World, scene: &'a Scene<'_>) -> impl Fn(&&Owner) -> Value + 'a {
    move |found| {
        user(
            world,
            &scene.call.base,
            found,
            View::of(scene.doer.as_ref(), found.id),
        )
    }
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    let found = scene.account(world)?;
    if !sees_owner(world, scene.doer.as_ref(), found) {
        return Err(Reply::not_found_in(
            "GetUserByName",
            format!(
                "user does not exist [uid: 0, name: {}]",
                scene.call.param("username")
            ),
        ));
    }
    Ok(Reply::ok(user(
        world,
        &scene.call.base,
        found,
        View::of(scene.doer.as_ref(), found.id),
    )))
}

fn search(world: &World, scene: &Scene<'_>) -> Answer {
    let call = scene.call;
    let word = call.query("q").unwrap_or_default().to_lowercase();
    let uid = call
        .query("uid")
        .and_then(|uid| uid.parse::<i64>().ok())
        .unwrap_or_default();
    let fits = |user: &Owner| {
        !user.is_organization()
            && (uid == 0 || user.id == uid)
            && (word.is_empty()
                || user.login.to_lowercase().contains(&word)
                || user.full_name.to_lowercase().contains(&word))
            && sees_owner(world, scene.doer.as_ref(), user)
            && (user.active || scene.is_admin())
    };
    let mut users: Vec<&Owner> = world
        .owners
        .iter()
        .map(|(_, user)| user)
        .filter(|user| fits(user))
        .collect();
    users.sort_by_key(|user| user.login.to_lowercase());
    let page = Page::of(call, &world.settings);
    let data: Vec<Value> = page
        .slice(&users)
        .iter()
        .map(|found| {
            user(
                world,
                &call.base,
                found,
                View::of(scene.doer.as_ref(), found.id),
            )
        })
        .collect();
    Ok(Reply::ok(json!({ "ok": true, "data": data })).with_paging(
        call,
        &world.settings,
        page,
        users.len(),
    ))
}

fn heatmap(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(json!([])))
}

fn nothing(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(listed(scene.call, &world.settings, &[], |value: &Value| {
        value.clone()
    }))
}

fn followers(world: &World, scene: &Scene<'_>) -> Answer {
    let users: Vec<&Owner> = world
        .owners
        .iter()
        .map(|(_, user)| user)
        .filter(|user| user.following.contains(&scene.owner))
        .collect();
    Ok(list(world, scene, &users))
}

fn following(world: &World, scene: &Scene<'_>) -> Answer {
    let users: Vec<&Owner> = scene
        .account(world)?
        .following
        .iter()
        .filter_map(|id| world.owners.get(*id))
        .collect();
    Ok(list(world, scene, &users))
}

fn follows(world: &World, scene: &Scene<'_>) -> Answer {
    let target = world
        .owner(scene.call.param("target"))
        .map(|(id, _)| id)
        .ok_or_else(Reply::not_found)?;
    if scene.account(world)?.following.contains(&target) {
        Ok(Reply::no_content())
    } else {
        Err(Reply::not_found())
    }
}
