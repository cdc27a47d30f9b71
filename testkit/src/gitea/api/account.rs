//! The caller's own account: `/user` with settings, mail addresses, whom it follows, what it stars and watches.

use serde_json::{Value, json};

use crate::gitea::access::Doer;
use crate::gitea::api::{repos, users};
use crate::gitea::bind::{Kind, Schema, bind, flag, of, text};
use crate::gitea::owners;
use crate::gitea::page::listed;
use crate::gitea::permission;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::{EmailAddress, Owner, World};

const USER: &[&[Category]] = &[&[Category::User]];
const REPO: &[&[Category]] = &[&[Category::User], &[Category::Repository]];
const SIGNED: &[Need] = &[Need::SignedIn];
const WHOLE: &[Need] = &[Need::SignedIn, Need::NotPublicOnly];

pub(crate) const ROUTES: &[Route] = &[
    read("/user", USER, SIGNED, get),
    read("/user/settings", USER, WHOLE, settings),
    write("PATCH", "/user/settings", USER, WHOLE, change_settings),
    read("/user/emails", USER, WHOLE, emails),
    write("POST", "/user/emails", USER, WHOLE, add_emails),
    write("DELETE", "/user/emails", USER, WHOLE, remove_emails),
    read("/user/followers", USER, SIGNED, followers),
    read("/user/following", USER, SIGNED, following),
    read("/user/following/{username}", USER, SIGNED, follows),
    write("PUT", "/user/following/{username}", USER, SIGNED, follow),
    write(
        "DELETE",
        "/user/following/{username}",
        USER,
        SIGNED,
        unfollow,
    ),
    read("/user/starred", REPO, SIGNED, starred),
    read("/user/subscriptions", REPO, SIGNED, subscriptions),
    read("/user/stopwatches", REPO, SIGNED, nothing),
    read("/user/times", REPO, SIGNED, nothing),
    read("/user/blocks", USER, SIGNED, nothing),
    read(
        "/notifications",
        &[&[Category::Notification]],
        WHOLE,
        nothing,
    ),
    read(
        "/notifications/new",
        &[&[Category::Notification]],
        WHOLE,
        no_new_notification,
    ),
    read(
        "/packages/{username}",
        &[&[Category::Package]],
        &[],
        nothing,
    ),
];

const fn read(
    path: &'static str,
    scopes: &'static [&'static [Category]],
    needs: &'static [Need],
    run: fn(&World, &Scene<'_>) -> Answer,
) -> Route {
    Route {
        method: "GET",
        path,
        place: Place::Nowhere,
        scopes,
        needs,
        run: Run::Read(run),
    }
}

const fn write(
    method: &'static str,
    path: &'static str,
    scopes: &'static [&'static [Category]],
    needs: &'static [Need],
    run: fn(&mut World, &mut Scene<'_>) -> Answer,
) -> Route {
    Route {
        method,
        path,
        place: Place::Nowhere,
        scopes,
        needs,
        run: Run::Write(run),
    }
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    let doer = scene.doer()?;
    if let Some(grant) = doer.job() {
        let mut value = users::actions_user(
            world,
            &scene.call.base,
            &format!("@gitea-actions/{}", grant.task),
        );
        value["source_id"] = json!(-1);
        return Ok(Reply::ok(value));
    }
    Ok(Reply::ok(users::user_by_id(
        world,
        &scene.call.base,
        doer.id,
        users::View::Full,
    )))
}

fn own<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Owner, Reply> {
    world
        .owners
        .get(scene.doer_id())
        .ok_or_else(Reply::not_found)
}

fn settings(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(Reply::ok(settings_view(own(world, scene)?)))
}

fn settings_view(user: &Owner) -> Value {
    let kept = |name: &str, otherwise: &str| {
        user.settings
            .get(name)
            .cloned()
            .unwrap_or_else(|| json!(otherwise))
    };
    json!({
        "full_name": user.full_name,
        "website": user.website,
        "description": user.description,
        "location": user.location,
        "language": user.language,
        "theme": kept("theme", "gitea-auto"),
        "diff_view_style": kept("diff_view_style", ""),
        "hide_email": user.hide_email,
        "hide_activity": user.settings.get("hide_activity").cloned().unwrap_or(Value::Bool(false)),
    })
}

static SETTINGS: Schema = Schema {
    name: "UserSettingsOptions",
    fields: &[
        text("full_name", "FullName"),
        text("website", "Website"),
        text("description", "Description"),
        text("location", "Location"),
        text("language", "Language"),
        text("theme", "Theme"),
        text("diff_view_style", "DiffViewStyle"),
        flag("hide_email", "HideEmail"),
        flag("hide_activity", "HideActivity"),
    ],
};

fn change_settings(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &SETTINGS)?;
    world.owners.update(scene.doer_id(), |user| {
        let take = |name: &str, field: &mut String| {
            if let Some(text) = body.text(name) {
                text.clone_into(field);
            }
        };
        take("full_name", &mut user.full_name);
        take("website", &mut user.website);
        take("description", &mut user.description);
        take("location", &mut user.location);
        take("language", &mut user.language);
        user.hide_email = body.flag("hide_email").unwrap_or(user.hide_email);
        for name in ["theme", "diff_view_style", "hide_activity"] {
            if let Some(value) = body.get(name) {
                user.settings.insert(name.to_owned(), value.clone());
            }
        }
    });
    Ok(Reply::ok(settings_view(own(world, scene)?)))
}

fn email_view(email: &EmailAddress) -> Value {
    json!({ "email": email.email, "verified": email.verified, "primary": email.primary, "user_id": 0, "username": "" })
}

fn emails(world: &World, scene: &Scene<'_>) -> Answer {
    let list: Vec<Value> = world
        .emails
        .of(scene.doer_id())
        .map(|(_, email)| email_view(email))
        .collect();
    Ok(Reply::ok(Value::Array(list)))
}

static EMAILS: Schema = Schema {
    name: "CreateEmailOption",
    fields: &[of("emails", "Emails", Kind::Texts)],
};

fn add_emails(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let list = bind(scene.call, &EMAILS)?
        .texts("emails")
        .unwrap_or_default();
    if list.is_empty() {
        return Err(Reply::error(422, "Email list empty"));
    }
    let (user, mut added) = (scene.doer_id(), Vec::new());
    for email in list {
        if world.emails.find(&email.to_lowercase()).is_some() {
            return Err(Reply::error(
                422,
                format!("Email address has been used: {email}"),
            ));
        }
        if !email.contains('@') || email.starts_with('-') {
            return Err(Reply::error(
                422,
                format!("Email address {email:?} invalid: e-mail invalid [email: {email}]"),
            ));
        }
        let row = EmailAddress {
            user,
            email,
            verified: true,
            primary: false,
        };
        added.push(email_view(&row));
        world.emails.insert(|_| row);
    }
    Ok(Reply::created(Value::Array(added)))
}

fn remove_emails(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let list = bind(scene.call, &EMAILS)?
        .texts("emails")
        .unwrap_or_default();
    for email in list {
        let found = world.emails.find_id(&email.to_lowercase()).filter(|id| {
            world
                .emails
                .get(*id)
                .is_some_and(|row| row.user == scene.doer_id())
        });
        let Some(id) = found else {
            return Err(Reply::not_found_because(format!(
                "Email address does not exist [email: {email}]"
            )));
        };
        if world.emails.get(id).is_some_and(|row| row.primary) {
            return Err(scene.internal("can't delete email address, it's primary address"));
        }
        world.emails.remove(id);
    }
    Ok(Reply::no_content())
}

fn followers(world: &World, scene: &Scene<'_>) -> Answer {
    let id = scene.doer_id();
    let list: Vec<&Owner> = world
        .owners
        .iter()
        .map(|(_, user)| user)
        .filter(|user| user.following.contains(&id))
        .collect();
    Ok(users::list(world, scene, &list))
}

fn following(world: &World, scene: &Scene<'_>) -> Answer {
    let list: Vec<&Owner> = own(world, scene)?
        .following
        .iter()
        .filter_map(|id| world.owners.get(*id))
        .collect();
    Ok(users::list(world, scene, &list))
}

fn named(world: &World, scene: &Scene<'_>) -> Result<i64, Reply> {
    let name = scene.call.param("username");
    world
        .owner(name)
        .map(|(id, _)| id)
        .ok_or_else(|| Reply::error(404, format!("user redirect does not exist [name: {name}]")))
}

fn follows(world: &World, scene: &Scene<'_>) -> Answer {
    let target = named(world, scene)?;
    if own(world, scene)?.following.contains(&target) {
        Ok(Reply::no_content())
    } else {
        Err(Reply::not_found())
    }
}

fn follow(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let target = named(world, scene)?;
    world
        .owners
        .update(scene.doer_id(), |user| user.following.insert(target));
    Ok(Reply::no_content())
}

fn unfollow(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let target = named(world, scene)?;
    world
        .owners
        .update(scene.doer_id(), |user| user.following.remove(&target));
    Ok(Reply::no_content())
}

fn starred(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(repos::list_ids(
        world,
        scene,
        own(world, scene)?.starred.iter().copied(),
    ))
}

fn subscriptions(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(repos::list_ids(
        world,
        scene,
        own(world, scene)?.watching.iter().copied(),
    ))
}

fn nothing(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(listed(scene.call, &world.settings, &[], |value: &Value| {
        value.clone()
    }))
}

fn no_new_notification(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(json!({ "new": 0 })))
}

/// Whether a doer may see the members of an organisation.
pub(crate) fn is_inside(world: &World, doer: Option<&Doer>, org: i64) -> bool {
    doer.is_some_and(|doer| doer.admin || permission::is_member(world, doer.id, org))
}

/// The organisations of a user that a doer may see.
pub(crate) fn organizations<'w>(
    world: &'w World,
    doer: Option<&Doer>,
    user: i64,
) -> Vec<&'w Owner> {
    let itself = doer.is_some_and(|doer| doer.admin || doer.id == user);
    let orgs = owners::organizations_of(world, user)
        .into_iter()
        .filter_map(|org| world.owners.get(org));
    let mut orgs: Vec<&Owner> = orgs
        .filter(|org| {
            itself || org.public_members.contains(&user) && permission::sees_owner(world, doer, org)
        })
        .collect();
    orgs.sort_by_key(|org| org.login.to_lowercase());
    orgs
}
