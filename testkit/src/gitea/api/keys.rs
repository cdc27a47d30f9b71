//! SSH keys of users, and deploy keys of repositories.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::repos::{self, REPO};
use crate::gitea::api::users::{self, View};
use crate::gitea::bind::{Rule, Schema, bind, flag, ruled};
use crate::gitea::clock::rfc3339;
use crate::gitea::page::{counted, listed};
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::{DeployKey, PublicKey, World};

const USER: &[&[Category]] = &[&[Category::User]];
const ADMIN: &[&[Category]] = &[&[Category::Admin]];
const WHOLE: &[Need] = &[Need::SignedIn, Need::NotPublicOnly];
const SITE: &[Need] = &[Need::SignedIn, Need::SiteAdmin];
const REPO_ADMIN: &[Need] = &[Need::SignedIn, Need::RepoAdmin];

pub(crate) const ROUTES: &[Route] = &[
    own("GET", "/user/keys", Run::Read(list_own)),
    own("POST", "/user/keys", Run::Write(create_own)),
    own("GET", "/user/keys/{id}", Run::Read(get)),
    own("DELETE", "/user/keys/{id}", Run::Write(delete_own)),
    own("GET", "/user/gpg_keys", Run::Read(no_gpg_keys)),
    own("POST", "/user/gpg_keys", Run::Write(create_gpg_key)),
    own("GET", "/user/gpg_keys/{id}", Run::Read(no_gpg_key)),
    own("DELETE", "/user/gpg_keys/{id}", Run::Write(delete_gpg_key)),
    Route {
        method: "GET",
        path: "/users/{username}/keys",
        place: Place::User,
        scopes: USER,
        needs: &[Need::SignedIn],
        run: Run::Read(list_of_user),
    },
    Route {
        method: "POST",
        path: "/admin/users/{username}/keys",
        place: Place::AdminUser,
        scopes: ADMIN,
        needs: SITE,
        run: Run::Write(create_for_user),
    },
    Route {
        method: "DELETE",
        path: "/admin/users/{username}/keys/{id}",
        place: Place::AdminUser,
        scopes: ADMIN,
        needs: SITE,
        run: Run::Write(delete_for_user),
    },
    on_repo("GET", "/repos/{owner}/{repo}/keys", Run::Read(deploy_keys)),
    on_repo(
        "POST",
        "/repos/{owner}/{repo}/keys",
        Run::Write(add_deploy_key),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/keys/{id}",
        Run::Read(deploy_key),
    ),
    on_repo(
        "DELETE",
        "/repos/{owner}/{repo}/keys/{id}",
        Run::Write(remove_deploy_key),
    ),
];

const fn own(method: &'static str, path: &'static str, run: Run) -> Route {
    Route {
        method,
        path,
        place: Place::Nowhere,
        scopes: USER,
        needs: WHOLE,
        run,
    }
}

const fn on_repo(method: &'static str, path: &'static str, run: Run) -> Route {
    Route {
        method,
        path,
        place: Place::Repo,
        scopes: REPO,
        needs: REPO_ADMIN,
        run,
    }
}

fn view(world: &World, scene: &Scene<'_>, key: &PublicKey) -> Value {
    let base = &scene.call.base;
    let written = format!("{} {}", key.content, key.comment)
        .trim_end()
        .to_owned();
    let mut body = json!({
        "id": key.id,
        "key": written,
        "url": format!("{base}/api/v1/user/keys/{}", key.id),
        "title": key.title,
        "fingerprint": key.fingerprint,
        "created_at": rfc3339(key.created),
        "last_used_at": rfc3339(key.created),
    });
    if scene.is_admin() || scene.doer_id() == key.user {
        body["user"] = users::user_by_id(world, base, key.user, View::Full);
        body["read_only"] = json!(false);
        body["key_type"] = json!("user");
    } else {
        body["read_only"] = json!(false);
    }
    if world.settings.minor() < 26
        && let Some(members) = body.as_object_mut()
    {
        members.remove("read_only");
    }
    body
}

fn list(world: &World, scene: &Scene<'_>, user: i64) -> Answer {
    let wanted = scene.call.query("fingerprint");
    let wanted = wanted.filter(|wanted| !wanted.is_empty());
    let keys = world
        .keys
        .of(user)
        .map(|(_, key)| key)
        .filter(|key| wanted.is_none_or(|wanted| key.fingerprint == wanted));
    let keys: Vec<&PublicKey> = keys.collect();
    Ok(listed(scene.call, &world.settings, &keys, |key| {
        view(world, scene, key)
    }))
}

fn list_own(world: &World, scene: &Scene<'_>) -> Answer {
    list(world, scene, scene.doer_id())
}

fn list_of_user(world: &World, scene: &Scene<'_>) -> Answer {
    list(world, scene, scene.owner)
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    let key = scene
        .call
        .id("id")
        .and_then(|id| world.keys.get(id))
        .ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(view(world, scene, key)))
}

/// A public key taken apart: kind and key, comment, fingerprint.
#[derive(Debug, PartialEq, Eq)]
struct Parsed {
    content: String,
    comment: String,
    fingerprint: String,
}

fn parse(text: &str) -> Result<Parsed, String> {
    let refuse = |why: &str| format!("Invalid key content: {why}");
    let text = text.trim();
    if text.contains("PRIVATE KEY") {
        return Err(refuse("the provided key is a private key"));
    }
    let mut parts = text.split_whitespace();
    let first = parts.next().unwrap_or_default();
    let (kind, encoded) = match parts.next() {
        Some(encoded) => (first.to_owned(), encoded),
        None => (String::new(), first),
    };
    let padding_free = encoded.trim_end_matches('=');
    let raw = STANDARD
        .decode(encoded)
        .or_else(|_| STANDARD_NO_PAD.decode(padding_free))
        .map_err(|_| refuse("extractTypeFromBase64Key: illegal base64 data"))?;
    let found = strings(&raw).map_err(|why| {
        refuse(&format!(
            "extractTypeFromBase64Key: invalid key format: {why}"
        ))
    })?;
    let inner = String::from_utf8_lossy(found.first().copied().unwrap_or_default()).into_owned();
    let kind = if kind.is_empty() { inner.clone() } else { kind };
    if kind != inner {
        return Err(refuse(&format!(
            "key type and content does not match: {kind} - {inner}"
        )));
    }
    if kind == "ssh-rsa" {
        let modulus = found.get(2).copied().unwrap_or_default();
        let bits = modulus.iter().skip_while(|byte| **byte == 0).count() * 8;
        if bits < 3071 {
            return Err(refuse(&format!(
                "key length is not enough: got {bits}, needs 3071"
            )));
        }
    }
    let comment = parts.collect::<Vec<_>>().join(" ");
    let fingerprint = format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&raw)));
    Ok(Parsed {
        content: format!("{kind} {encoded}"),
        comment,
        fingerprint,
    })
}

/// The strings of a key's binary form.
fn strings(raw: &[u8]) -> Result<Vec<&[u8]>, String> {
    let mut found = Vec::new();
    let mut rest = raw;
    while !rest.is_empty() {
        let Some((head, tail)) = rest.split_first_chunk::<4>() else {
            return Err("%!w(<nil>)".into());
        };
        let length = u32::from_be_bytes(*head) as usize;
        if tail.len() < length {
            return Err(format!("not enough length {length}"));
        }
        let (one, more) = tail.split_at(length);
        found.push(one);
        rest = more;
    }
    if found.is_empty() {
        Err("%!w(<nil>)".into())
    } else {
        Ok(found)
    }
}

static CREATE: Schema = Schema {
    name: "CreateKeyOption",
    fields: &[
        ruled("title", "Title", &[Rule::Required]),
        ruled("key", "Key", &[Rule::Required]),
        flag("read_only", "ReadOnly"),
    ],
};

fn create(world: &mut World, scene: &Scene<'_>, user: i64) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let refuse = |text: String| Reply::error(422, text);
    let parsed = parse(body.text_or_empty("key")).map_err(refuse)?;
    let taken = world.keys.find(&parsed.fingerprint).is_some()
        || world
            .deploy_keys
            .iter()
            .any(|(_, key)| key.fingerprint == parsed.fingerprint);
    if taken {
        return Err(refuse("Key content has been used as non-deploy key".into()));
    }
    let title = body.text_or_empty("title").to_owned();
    if world.keys.of(user).any(|(_, key)| key.title == title) {
        return Err(refuse("Key title has been used".into()));
    }
    let now = world.now();
    let id = world.keys.insert(|id| PublicKey {
        id,
        user,
        title,
        content: parsed.content,
        comment: parsed.comment,
        fingerprint: parsed.fingerprint,
        created: now,
    });
    Ok(Reply::created(view(
        world,
        scene,
        world.keys.get(id).ok_or_else(Reply::not_found)?,
    )))
}

fn create_own(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    create(world, scene, scene.doer_id())
}

fn create_for_user(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    create(world, scene, scene.owner)
}

fn delete_own(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let key = scene
        .call
        .id("id")
        .and_then(|id| world.keys.get(id))
        .ok_or_else(Reply::not_found)?;
    let id = key.id;
    if key.user != scene.doer_id() && !scene.is_admin() {
        return Err(Reply::error(403, "You do not have access to this key"));
    }
    world.keys.remove(id);
    Ok(Reply::no_content())
}

fn delete_for_user(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let key = scene
        .call
        .id("id")
        .and_then(|id| world.keys.get(id))
        .ok_or_else(Reply::not_found)?;
    let id = key.id;
    if key.user != scene.owner {
        return Err(Reply::error(403, "You do not have access to this key"));
    }
    world.keys.remove(id);
    Ok(Reply::no_content())
}

fn no_gpg_keys(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(listed(scene.call, &world.settings, &[], |value: &Value| {
        value.clone()
    }))
}

static GPG: Schema = Schema {
    name: "CreateGPGKeyOption",
    fields: &[ruled("armored_public_key", "ArmoredKey", &[Rule::Required])],
};

fn create_gpg_key(_: &mut World, scene: &mut Scene<'_>) -> Answer {
    let armored = bind(scene.call, &GPG)?;
    if armored
        .text_or_empty("armored_public_key")
        .contains("BEGIN PGP PUBLIC KEY BLOCK")
    {
        return Err(Reply::error(501, "signing keys are not kept here"));
    }
    Err(Reply::error(
        422,
        "failed to parse gpg key openpgp: invalid argument: no armored data found",
    ))
}

fn no_gpg_key(_: &World, _: &Scene<'_>) -> Answer {
    Err(Reply::not_found())
}

fn delete_gpg_key(_: &mut World, _: &mut Scene<'_>) -> Answer {
    Ok(Reply::no_content())
}

fn deploy_view(world: &World, scene: &Scene<'_>, key: &DeployKey) -> Result<Value, Reply> {
    let repo = scene.repository(world)?;
    let here = repos::view(
        world,
        &scene.call.base,
        scene.doer.as_ref(),
        repo,
        &scene.access_to(world, repo),
    );
    let full_name = crate::gitea::permission::full_name(world, repo);
    Ok(json!({
        "id": key.id,
        "key_id": key.key,
        "key": format!("{} {}", key.content, key.comment).trim_end(),
        "url": format!("{}/api/v1/repos/{full_name}/keys/{}", scene.call.base, key.id),
        "title": key.title,
        "fingerprint": key.fingerprint,
        "created_at": rfc3339(key.created),
        "read_only": key.read_only,
        "repository": here,
    }))
}

fn deploy_keys(world: &World, scene: &Scene<'_>) -> Answer {
    let of_key = scene.call.query("key_id").and_then(|id| id.parse().ok());
    let of_key = of_key.filter(|id: &i64| *id != 0);
    let wanted = scene.call.query("fingerprint");
    let wanted = wanted.filter(|wanted| !wanted.is_empty());
    let keys = world
        .deploy_keys
        .of(scene.repo)
        .map(|(_, key)| key)
        .filter(|key| wanted.is_none_or(|wanted| key.fingerprint == wanted))
        .filter(|key| of_key.is_none_or(|id| key.key == id));
    let keys: Vec<&DeployKey> = keys.collect();
    Ok(counted(scene.call, &world.settings, &keys, |key| {
        deploy_view(world, scene, key).unwrap_or_default()
    }))
}

fn deploy_key(world: &World, scene: &Scene<'_>) -> Answer {
    let key = scene
        .call
        .id("id")
        .and_then(|id| world.deploy_keys.get(id))
        .ok_or_else(Reply::not_found)?;
    if key.repo != scene.repo {
        return Err(Reply::not_found());
    }
    Ok(Reply::ok(deploy_view(world, scene, key)?))
}

fn add_deploy_key(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let refuse = |text: &str| Reply::error(422, text);
    let parsed = parse(body.text_or_empty("key")).map_err(|text| refuse(&text))?;
    if world.keys.find(&parsed.fingerprint).is_some() {
        return Err(refuse("Key content has been used as non-deploy key"));
    }
    if world
        .deploy_keys
        .of(scene.repo)
        .any(|(_, key)| key.fingerprint == parsed.fingerprint)
    {
        return Err(refuse("This key has already been added to this repository"));
    }
    let title = body.text_or_empty("title").to_owned();
    if world
        .deploy_keys
        .of(scene.repo)
        .any(|(_, key)| key.title == title)
    {
        return Err(refuse("A key with the same name already exists"));
    }
    let same = world
        .deploy_keys
        .iter()
        .find(|(_, key)| key.fingerprint == parsed.fingerprint)
        .map(|(_, key)| key.key);
    let next = world
        .deploy_keys
        .iter()
        .map(|(_, key)| key.key)
        .max()
        .unwrap_or_default()
        + 1;
    let (now, repo) = (world.now(), scene.repo);
    let id = world.deploy_keys.insert(|id| DeployKey {
        id,
        repo,
        key: same.unwrap_or(next),
        title,
        content: parsed.content,
        comment: parsed.comment,
        fingerprint: parsed.fingerprint,
        read_only: body.flag("read_only").unwrap_or_default(),
        created: now,
    });
    let key = world.deploy_keys.get(id).ok_or_else(Reply::not_found)?;
    let mut view = deploy_view(world, scene, key)?;
    if let Some(members) = view.as_object_mut() {
        members.remove("repository");
    }
    Ok(Reply::created(view))
}

fn remove_deploy_key(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let Some(key) = scene.call.id("id").and_then(|id| world.deploy_keys.get(id)) else {
        return Ok(Reply::no_content());
    };
    if key.repo != scene.repo {
        return Err(scene.internal("deploy key does not belong to this repository"));
    }
    let id = key.id;
    world.deploy_keys.remove(id);
    Ok(Reply::no_content())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_key_has_its_fingerprint_and_its_limits() {
        let key = parse(" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE5k5XvAv8bfSJO6hUYdpQK98iIjn6Czi74LPRc7p73l gold comment\n").expect("a key");
        assert_eq!(
            (key.fingerprint.as_str(), key.comment.as_str()),
            (
                "SHA256:Jm7XDhRrEeDqydxUSp0290Gv4FKhvhD1BjQNmFXeQHY",
                "gold comment"
            )
        );
        let error = parse("nonsense").expect_err("no key");
        assert_eq!(
            error,
            "Invalid key content: extractTypeFromBase64Key: invalid key format: not enough length 2659839098"
        );
        assert!(parse("ssh-rsa AAAA").is_err_and(|error| error.ends_with("%!w(<nil>)")));
    }
}
