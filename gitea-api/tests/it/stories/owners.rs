//! Users, tokens, keys, administration, organisations and teams, as typed calls.

use gitea_api::{Client, RepoPath};

use super::call::{NONSENSE, Places, Step, Typed, called, done, page};

pub(super) async fn call(client: &Client, step: &Step, name: &str, at: &Places) -> Typed {
    let area = name.split(['/', ' ']).nth(2).unwrap_or_default();
    match area {
        "admin" => admin(client, step, name, at).await,
        "orgs" => orgs(client, step, name, at).await,
        "teams" => teams(client, step, name, at).await,
        "user" => me(client, step, name, at).await,
        "users" => users(client, step, name, at).await,
        _ => server(client, step, name).await,
    }
}

async fn server(client: &Client, step: &Step, name: &str) -> Typed {
    match name {
        "GET /version" => called(
            client
                .version()
                .await
                .map(|version| serde_json::json!({ "version": version })),
        ),
        "GET /token" => Typed::Raw("endpoints that the recorded version lacks, not sent"),
        "GET /settings/api" => called(client.api_settings().await),
        "GET /settings/attachment" => called(client.attachment_settings().await),
        "GET /settings/repository" => called(client.repository_settings().await),
        "GET /settings/ui" => called(client.ui_settings().await),
        _ => unmatched(step),
    }
}

/// An endpoint with a method must be said by it.
pub(super) fn unmatched(step: &Step) -> Typed {
    panic!(
        "{} {} has a method, but the test does not call it",
        step.method, step.path
    )
}

async fn admin(client: &Client, step: &Step, name: &str, at: &Places) -> Typed {
    let admin = client.admin();
    match name {
        "GET /admin/users" => page(admin.users(), step).await,
        "GET /admin/cron" => page(admin.cron(), step).await,
        "POST /admin/users" => match step.body() {
            Some(user) => called(admin.create_user(&user).await),
            None => NONSENSE,
        },
        "PATCH /admin/users/{username}" => match step.body() {
            Some(changes) => called(admin.edit_user(at.get("username"), &changes).await),
            None => Typed::Raw("edits of a user that leave required members out"),
        },
        "DELETE /admin/users/{username}" if step.query.contains_key("purge") => {
            done(admin.purge_user(at.get("username")).await)
        }
        "DELETE /admin/users/{username}" => done(admin.delete_user(at.get("username")).await),
        "POST /admin/users/{username}/rename" => match step.member("new_username") {
            Some(to) => done(admin.rename_user(at.get("username"), to).await),
            None => NONSENSE,
        },
        "POST /admin/users/{username}/keys" => match step.body() {
            Some(key) => called(admin.add_key(at.get("username"), &key).await),
            None => NONSENSE,
        },
        "DELETE /admin/users/{username}/keys/{id}" => match at.id::<gitea_api::ids::KeyId>("id") {
            Some(id) => done(admin.delete_key(at.get("username"), id).await),
            None => NONSENSE,
        },
        "POST /admin/users/{username}/orgs" => match step.body() {
            Some(org) => called(admin.create_org(at.get("username"), &org).await),
            None => NONSENSE,
        },
        "POST /admin/users/{username}/repos" => match step.body() {
            Some(repo) => called(admin.create_repo(at.get("username"), &repo).await),
            None => NONSENSE,
        },
        _ => super::repos::hooks(client, step, name, at).await,
    }
}

async fn users(client: &Client, step: &Step, name: &str, at: &Places) -> Typed {
    if name == "GET /users/search" {
        let text = step.query.get("q").map_or("", String::as_str);
        return page(client.search_users(text), step).await;
    }
    let user = client.user(at.get("username"));
    match name {
        "GET /users/{username}" => called(user.get().await),
        "GET /users/{username}/repos" => page(user.repos(), step).await,
        "GET /users/{username}/orgs" => page(user.orgs(), step).await,
        "GET /users/{username}/keys" => page(user.keys(), step).await,
        "GET /users/{username}/orgs/{org}/permissions" => {
            called(user.permissions_in(at.get("org")).await)
        }
        "GET /users/{username}/tokens" => page(user.tokens().list(), step).await,
        "POST /users/{username}/tokens" => match step.body() {
            Some(token) => called(user.tokens().create(&token).await),
            None => NONSENSE,
        },
        "DELETE /users/{username}/tokens/{token}" => {
            match at.id::<gitea_api::ids::TokenId>("token") {
                Some(id) => done(user.tokens().delete(id).await),
                None => Typed::Raw("tokens by name"),
            }
        }
        _ => unmatched(step),
    }
}

async fn me(client: &Client, step: &Step, name: &str, at: &Places) -> Typed {
    let me = client.me();
    match name {
        "GET /user" => called(me.get().await),
        "GET /user/repos" => page(me.repos(), step).await,
        "GET /user/orgs" => page(me.orgs(), step).await,
        "GET /user/teams" => page(me.teams(), step).await,
        "GET /user/emails" => page(me.emails(), step).await,
        "GET /user/keys" => page(me.keys().list(), step).await,
        "GET /user/settings" => called(me.settings().await),
        "PATCH /user/settings" => match step.body() {
            Some(changes) => called(me.edit_settings(&changes).await),
            None => NONSENSE,
        },
        "POST /user/repos" => match step.body() {
            Some(repo) => called(me.create_repo(&repo).await),
            None => NONSENSE,
        },
        "POST /user/keys" => match step.body() {
            Some(key) => called(me.keys().add(&key).await),
            None => NONSENSE,
        },
        "GET /user/keys/{id}" => match at.id("id") {
            Some(id) => called(me.keys().get(id).await),
            None => NONSENSE,
        },
        "DELETE /user/keys/{id}" => match at.id("id") {
            Some(id) => done(me.keys().delete(id).await),
            None => NONSENSE,
        },
        _ => unmatched(step),
    }
}

async fn orgs(client: &Client, step: &Step, name: &str, at: &Places) -> Typed {
    match name {
        "GET /orgs" => return page(client.orgs(), step).await,
        "POST /orgs" => {
            return match step.body() {
                Some(org) => called(client.create_org(&org).await),
                None => NONSENSE,
            };
        }
        _ => {}
    }
    let org = client.org(at.get("org"));
    match name {
        "GET /orgs/{org}" => called(org.get().await),
        "PATCH /orgs/{org}" => match step.body() {
            Some(changes) => called(org.edit(&changes).await),
            None => NONSENSE,
        },
        "DELETE /orgs/{org}" => done(org.delete().await),
        "POST /orgs/{org}/rename" => match step.member("new_name") {
            Some(to) => done(org.rename(to).await),
            None => NONSENSE,
        },
        "GET /orgs/{org}/repos" => page(org.repos(), step).await,
        "POST /orgs/{org}/repos" => match step.body() {
            Some(repo) => called(org.create_repo(&repo).await),
            None => NONSENSE,
        },
        "POST /orgs/{org}/teams" => match step.body() {
            Some(team) => called(org.create_team(&team).await),
            None => NONSENSE,
        },
        "GET /orgs/{org}/members/{username}" => asked(org.is_member(at.get("username")).await),
        "DELETE /orgs/{org}/members/{username}" => {
            done(org.remove_member(at.get("username")).await)
        }
        "GET /orgs/{org}/public_members/{username}" => {
            asked(org.is_public_member(at.get("username")).await)
        }
        "PUT /orgs/{org}/public_members/{username}" => {
            done(org.publicize(at.get("username")).await)
        }
        _ => unmatched(step),
    }
}

/// A question: yes has no body to compare.
fn asked(result: Result<bool, gitea_api::Error>) -> Typed {
    Typed::Called(result.map(|yes| {
        if yes {
            serde_json::Value::Null
        } else {
            false.into()
        }
    }))
}

async fn teams(client: &Client, step: &Step, name: &str, at: &Places) -> Typed {
    let Some(id) = at.id("id") else {
        return NONSENSE;
    };
    let team = client.team(id);
    match name {
        "GET /teams/{id}" => called(team.get().await),
        "GET /teams/{id}/members/{username}" => called(team.find_member(at.get("username")).await),
        "PUT /teams/{id}/members/{username}" => done(team.add_member(at.get("username")).await),
        "DELETE /teams/{id}/members/{username}" => {
            done(team.remove_member(at.get("username")).await)
        }
        "PUT /teams/{id}/repos/{org}/{repo}" => done(
            team.add_repo(&RepoPath::new(at.get("org"), at.get("repo")))
                .await,
        ),
        _ => unmatched(step),
    }
}
