//! What site administrators do with accounts.

use serde_json::{Value, json};

use crate::gitea::api::{orgs, users};
use crate::gitea::bind::{Body, Kind, Rule, Schema, bind, flag, number, of, ruled, text};
use crate::gitea::call::Call;
use crate::gitea::owners;
use crate::gitea::page::listed;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::{EmailAddress, Owner, Visibility, World};

const ADMIN: &[&[Category]] = &[&[Category::Admin]];
const NEEDS: &[Need] = &[Need::SignedIn, Need::SiteAdmin];

pub(crate) const ROUTES: &[Route] = &[
    read("/admin/users", list),
    read("/admin/orgs", list_orgs),
    read("/admin/emails", emails),
    read("/admin/emails/search", emails),
    read("/admin/cron", cron),
    read("/admin/unadopted", nothing),
    write("POST", "/admin/users", Place::Nowhere, create),
    write("PATCH", "/admin/users/{username}", Place::AdminUser, edit),
    write(
        "DELETE",
        "/admin/users/{username}",
        Place::AdminUser,
        delete,
    ),
    write(
        "POST",
        "/admin/users/{username}/rename",
        Place::AdminUser,
        rename,
    ),
    write(
        "POST",
        "/admin/users/{username}/orgs",
        Place::AdminUser,
        create_org,
    ),
    Route {
        method: "GET",
        path: "/admin/users/{username}/badges",
        place: Place::AdminUser,
        scopes: ADMIN,
        needs: NEEDS,
        run: Run::Read(badges),
    },
    write("POST", "/admin/cron/{task}", Place::Nowhere, run_cron),
];

const fn read(path: &'static str, run: fn(&World, &Scene<'_>) -> Answer) -> Route {
    Route {
        method: "GET",
        path,
        place: Place::Nowhere,
        scopes: ADMIN,
        needs: NEEDS,
        run: Run::Read(run),
    }
}

const fn write(
    method: &'static str,
    path: &'static str,
    place: Place,
    run: fn(&mut World, &mut Scene<'_>) -> Answer,
) -> Route {
    Route {
        method,
        path,
        place,
        scopes: ADMIN,
        needs: NEEDS,
        run: Run::Write(run),
    }
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let call = scene.call;
    let login_name = call.query("login_name").unwrap_or_default();
    let word = call.query("q").unwrap_or_default().to_lowercase();
    let flags = [
        ("is_active", (|user| user.active) as fn(&Owner) -> bool),
        ("is_admin", |user| user.admin),
        ("is_restricted", |user| user.restricted),
        ("is_prohibit_login", |user| user.prohibit_login),
    ];
    let fits = |user: &Owner| {
        !user.is_organization()
            && (login_name.is_empty() || user.login_name == login_name)
            && (word.is_empty()
                || user.login.to_lowercase().contains(&word)
                || user.full_name.to_lowercase().contains(&word))
            && call
                .query("visibility")
                .and_then(Visibility::of)
                .is_none_or(|wanted| user.visibility == wanted)
            && flags
                .iter()
                .all(|(name, is)| call.flag(name).is_none_or(|wanted| is(user) == wanted))
    };
    let mut found: Vec<&Owner> = world
        .owners
        .iter()
        .map(|(_, user)| user)
        .filter(|user| fits(user))
        .collect();
    sort(call, &mut found)?;
    Ok(users::list(world, scene, &found))
}

fn sort(call: &Call, found: &mut [&Owner]) -> Result<(), Reply> {
    let by = call.query("sort").unwrap_or_default();
    let order = call.query("order").filter(|order| !order.is_empty());
    let order = order.filter(|_| !by.is_empty()).unwrap_or("asc");
    let refuse =
        |what: &str, word: &str| Reply::error(422, format!("Invalid sort {what}: \"{word}\""));
    if !matches!(order, "asc" | "desc") {
        return Err(refuse("order", order));
    }
    match by {
        "" => found.sort_by_key(|user| user.login.to_lowercase()),
        "name" => found.sort_by(|one, two| one.login.cmp(&two.login)),
        "created" | "updated" | "id" => found.sort_by_key(|user| user.id),
        other => return Err(refuse("mode", other)),
    }
    if order == "desc" {
        found.reverse();
    }
    Ok(())
}

fn list_orgs(world: &World, scene: &Scene<'_>) -> Answer {
    let mut found: Vec<&Owner> = world
        .owners
        .iter()
        .map(|(_, owner)| owner)
        .filter(|owner| owner.is_organization())
        .collect();
    found.sort_by_key(|org| org.login.to_lowercase());
    Ok(listed(scene.call, &world.settings, &found, |org| {
        orgs::view(world, &scene.call.base, org, scene.doer.as_ref())
    }))
}

fn emails(world: &World, scene: &Scene<'_>) -> Answer {
    let word = scene.call.query("q").unwrap_or_default().to_lowercase();
    let mut found: Vec<&EmailAddress> = world
        .emails
        .iter()
        .map(|(_, row)| row)
        .filter(|row| row.email.to_lowercase().contains(&word))
        .collect();
    found.sort_by_key(|row| (row.email.to_lowercase(), !row.primary));
    Ok(listed(scene.call, &world.settings, &found, |row| {
        let name = world
            .owners
            .get(row.user)
            .map_or("", |user| user.login.as_str());
        json!({ "email": row.email, "verified": row.verified, "primary": row.primary, "user_id": row.user, "username": name })
    }))
}

fn cron(world: &World, scene: &Scene<'_>) -> Answer {
    let now = crate::gitea::clock::rfc3339(world.now());
    let tasks = [
        "check_repo_stats",
        "delete_inactive_accounts",
        "sync_external_users",
        "start_schedule_tasks",
        "cleanup_actions",
    ];
    let page = crate::gitea::page::Page::of(scene.call, &world.settings);
    let view = |name: &&str| json!({ "name": name, "schedule": "@midnight", "next": now, "prev": crate::gitea::clock::ZERO, "exec_times": 0 });
    let shown: Vec<Value> = page.slice(&tasks).iter().map(view).collect();
    Ok(Reply::ok(Value::Array(shown)).with_header("x-total-count", tasks.len().to_string()))
}

fn run_cron(_: &mut World, _: &mut Scene<'_>) -> Answer {
    Ok(Reply::no_content())
}

fn nothing(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(listed(scene.call, &world.settings, &[], |value: &Value| {
        value.clone()
    }))
}

fn badges(_: &World, _: &Scene<'_>) -> Answer {
    Ok(Reply::ok(json!([])).with_header("x-total-count", "0"))
}

const VISIBILITIES: &[&str] = &["", "public", "limited", "private"];

static CREATE: Schema = Schema {
    name: "CreateUserOption",
    fields: &[
        number("source_id", "SourceID"),
        text("login_name", "LoginName"),
        ruled(
            "username",
            "Username",
            &[Rule::Required, Rule::Username, Rule::Max(40)],
        ),
        ruled("full_name", "FullName", &[Rule::Max(100)]),
        ruled(
            "email",
            "Email",
            &[Rule::Required, Rule::Email, Rule::Max(254)],
        ),
        ruled("password", "Password", &[Rule::Max(255)]),
        flag("must_change_password", "MustChangePassword"),
        flag("send_notify", "SendNotify"),
        flag("restricted", "Restricted"),
        ruled("visibility", "Visibility", &[Rule::In(VISIBILITIES)]),
        of("created_at", "Created", Kind::Time),
    ],
};

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let (login, email, given) = (
        body.text_or_empty("username"),
        body.text_or_empty("email"),
        body.text_or_empty("password"),
    );
    let refuse = |text: String| Reply::error(422, text);
    let source = body.number("source_id").unwrap_or_default();
    if source != 0 {
        return Err(refuse(format!(
            "login source does not exist [id: {source}]"
        )));
    }
    if given.len() < 8 {
        return Err(Reply::error(400, "PasswordIsRequired"));
    }
    owners::check_name(world, login).map_err(refuse)?;
    owners::check_email(world, email, 0).map_err(refuse)?;
    let hash = owners::hash(world, given);
    let id = owners::create_user(world, login, email, |user| {
        user.password = hash;
        user.must_change_password = body.flag("must_change_password").unwrap_or(true);
        user.restricted = body.flag("restricted").unwrap_or_default();
        body.text_or_empty("full_name")
            .clone_into(&mut user.full_name);
        body.text_or_empty("login_name")
            .clone_into(&mut user.login_name);
        user.visibility = Visibility::of(body.text_or_empty("visibility")).unwrap_or_default();
        user.created = body.time("created_at").map_or(user.created, |time| time.0);
    });
    let mut value = users::user_by_id(world, &scene.call.base, id, users::View::Full);
    value["email"] = json!(email.to_lowercase());
    Ok(Reply::created(value))
}

static EDIT: Schema = Schema {
    name: "EditUserOption",
    fields: &[
        number("source_id", "SourceID"),
        ruled("login_name", "LoginName", &[Rule::Required]),
        ruled("email", "Email", &[Rule::Email, Rule::Max(254)]),
        ruled("full_name", "FullName", &[Rule::Max(100)]),
        ruled("password", "Password", &[Rule::Max(255)]),
        flag("must_change_password", "MustChangePassword"),
        ruled("website", "Website", &[Rule::Url, Rule::Max(255)]),
        ruled("location", "Location", &[Rule::Max(50)]),
        ruled("description", "Description", &[Rule::Max(255)]),
        flag("active", "Active"),
        flag("admin", "Admin"),
        flag("allow_git_hook", "AllowGitHook"),
        flag("allow_import_local", "AllowImportLocal"),
        of("max_repo_creation", "MaxRepoCreation", Kind::Number("int")),
        flag("prohibit_login", "ProhibitLogin"),
        flag("allow_create_organization", "AllowCreateOrganization"),
        flag("restricted", "Restricted"),
        ruled("visibility", "Visibility", &[Rule::In(VISIBILITIES)]),
    ],
};

fn edit(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &EDIT)?;
    let (id, refuse) = (scene.owner, |text: String| Reply::error(400, text));
    if body.number("source_id").is_some_and(|source| source != 0) {
        return Err(scene.internal(&format!(
            "login source does not exist [id: {}]",
            body.number("source_id").unwrap_or_default()
        )));
    }
    let hash = match body.text_or_empty("password") {
        "" => None,
        given if given.len() < 8 => {
            return Err(refuse("password must be at least 8 characters".into()));
        }
        given => Some(owners::hash(world, given)),
    };
    if let Some(email) = body.text("email").filter(|email| !email.is_empty()) {
        owners::check_email(world, email, id).map_err(refuse)?;
        change_email(world, id, email);
    }
    let administrators = world.owners.iter().filter(|(_, user)| user.admin).count();
    if body.flag("admin") == Some(false) && administrators == 1 && scene.account(world)?.admin {
        return Err(refuse(format!(
            "can not delete the last admin user [uid: {id}]"
        )));
    }
    world.owners.update(id, |user| apply(user, &body, hash));
    Ok(Reply::ok(users::user_by_id(
        world,
        &scene.call.base,
        id,
        users::View::Full,
    )))
}

fn change_email(world: &mut World, id: i64, email: &str) {
    let old: Vec<i64> = world
        .emails
        .of(id)
        .filter(|(_, row)| row.primary || row.email.eq_ignore_ascii_case(email))
        .map(|(row, _)| row)
        .collect();
    for row in old {
        world.emails.remove(row);
    }
    world.emails.insert(|_| EmailAddress {
        user: id,
        email: email.to_owned(),
        verified: true,
        primary: true,
    });
    world
        .owners
        .update(id, |user| email.clone_into(&mut user.email));
}

fn apply(user: &mut Owner, body: &Body, hash: Option<String>) {
    if let Some(hash) = hash {
        user.password = hash;
    }
    let texts = [
        ("login_name", &mut user.login_name),
        ("full_name", &mut user.full_name),
        ("website", &mut user.website),
        ("location", &mut user.location),
        ("description", &mut user.description),
    ];
    for (name, field) in texts {
        if let Some(text) = body.text(name) {
            text.clone_into(field);
        }
    }
    let flags = [
        ("must_change_password", &mut user.must_change_password),
        ("active", &mut user.active),
        ("admin", &mut user.admin),
        ("allow_git_hook", &mut user.allow_git_hook),
        ("allow_import_local", &mut user.allow_import_local),
        ("prohibit_login", &mut user.prohibit_login),
        (
            "allow_create_organization",
            &mut user.may_create_organizations,
        ),
        ("restricted", &mut user.restricted),
    ];
    for (name, field) in flags {
        if let Some(value) = body.flag(name) {
            *field = value;
        }
    }
    if let Some(most) = body.number("max_repo_creation") {
        user.max_repos = most;
    }
    if let Some(visibility) = body.text("visibility").and_then(Visibility::of) {
        user.visibility = visibility;
    }
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let (id, refuse) = (scene.owner, |text: String| Reply::error(422, text));
    let user = scene.account(world)?;
    if user.is_organization() {
        return Err(refuse(format!(
            "{} is an organization not a user",
            user.login
        )));
    }
    if id == scene.doer_id() {
        return Err(refuse("you cannot delete yourself".into()));
    }
    let purge = scene.call.flag("purge").unwrap_or_default();
    if !purge && world.repos.of(id).next().is_some() {
        return Err(refuse(format!(
            "user still has ownership of repositories [uid: {id}]"
        )));
    }
    let orgs = owners::organizations_of(world, id);
    if !purge && !orgs.is_empty() {
        return Err(refuse(format!(
            "user still has membership of organizations [uid: {id}]"
        )));
    }
    for org in orgs {
        if owners::leave(world, org, id).is_err() {
            owners::remove(world, org, scene.doer_id(), &mut scene.effects);
        }
    }
    owners::remove(world, id, scene.doer_id(), &mut scene.effects);
    Ok(Reply::no_content())
}

static RENAME: Schema = Schema {
    name: "RenameUserOption",
    fields: &[ruled(
        "new_username",
        "NewName",
        &[Rule::Required, Rule::Username, Rule::Max(40)],
    )],
};

fn rename(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &RENAME)?;
    owners::rename(world, scene.owner, body.text_or_empty("new_username"))
        .map_err(|text| Reply::error(422, text))?;
    Ok(Reply::no_content())
}

fn create_org(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &orgs::CREATE)?;
    let owner = scene.owner;
    orgs::create_for(world, scene, owner, &body)
}
