//! Endpoints of users, tokens, groups, roles and realms.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::access::{Group, Token, User, hash};
use super::property::split_list;
use super::reply::Fail;
use super::route::{Answer, Call, Handler};
use super::{World, roles};

const ABOUT: [&str; 5] = ["comment", "email", "firstname", "lastname", "keys"];

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    Some(match (method, path) {
        ("GET", "/access/users") => list_users,
        ("POST", "/access/users") => create_user,
        ("GET", "/access/users/{userid}") => read_user,
        ("PUT", "/access/users/{userid}") => update_user,
        ("DELETE", "/access/users/{userid}") => delete_user,
        ("GET", "/access/users/{userid}/token") => list_tokens,
        ("GET", "/access/users/{userid}/token/{tokenid}") => read_token,
        ("POST", "/access/users/{userid}/token/{tokenid}") => create_token,
        ("PUT", "/access/users/{userid}/token/{tokenid}") => update_token,
        ("DELETE", "/access/users/{userid}/token/{tokenid}") => delete_token,
        ("GET", "/access/groups") => list_groups,
        ("POST", "/access/groups") => create_group,
        ("GET", "/access/groups/{groupid}") => read_group,
        ("PUT", "/access/groups/{groupid}") => update_group,
        ("DELETE", "/access/groups/{groupid}") => delete_group,
        ("GET", "/access/roles") => list_roles,
        ("POST", "/access/roles") => create_role,
        ("GET", "/access/roles/{roleid}") => read_role,
        ("PUT", "/access/roles/{roleid}") => update_role,
        ("DELETE", "/access/roles/{roleid}") => delete_role,
        ("GET", "/access/domains") => list_realms,
        ("GET", "/access/domains/{realm}") => read_realm,
        _ => return None,
    })
}

fn known<'a>(world: &'a World, user: &str) -> Result<&'a User, Fail> {
    world
        .access
        .users
        .get(user)
        .ok_or_else(|| Fail::die(format!("no such user ('{user}')")))
}

fn describe(user: &User) -> Map<String, Value> {
    let mut row = Map::new();
    for key in ABOUT {
        if let Some(value) = user.about.get(key).filter(|value| !value.is_empty()) {
            row.insert(key.to_owned(), json!(value));
        }
    }
    row.insert("enable".into(), json!(i64::from(user.enable)));
    row.insert("expire".into(), json!(user.expire));
    row
}

fn token_row(token: &Token) -> Map<String, Value> {
    let mut row = Map::new();
    if let Some(comment) = &token.comment {
        row.insert("comment".into(), json!(comment));
    }
    row.insert("expire".into(), json!(token.expire));
    row.insert("privsep".into(), json!(i64::from(token.privsep)));
    row
}

fn list_users(world: &mut World, call: &mut Call<'_>) -> Answer {
    let all = world
        .check_any(
            &call.identity,
            "/access/groups",
            &["User.Modify", "Sys.Audit"],
        )
        .is_ok();
    let visible = |name: &str, user: &User| {
        let group = |group: &String| {
            world
                .check_any(
                    &call.identity,
                    &format!("/access/groups/{group}"),
                    &["User.Modify", "Sys.Audit"],
                )
                .is_ok()
        };
        all || name == call.identity || user.groups.iter().any(group)
    };
    let enabled = call.has("enabled").then(|| call.flag("enabled"));
    let mut rows = Vec::new();
    for (name, user) in &world.access.users {
        if !visible(name, user) || enabled.is_some_and(|enabled| enabled != user.enable) {
            continue;
        }
        let mut row = describe(user);
        row.insert("userid".into(), json!(name));
        let realm = name.rsplit('@').next().unwrap_or_default();
        if let Some(kind) = world
            .access
            .realms
            .get(realm)
            .and_then(|realm| realm.get("type"))
        {
            row.insert("realm-type".into(), json!(kind));
        }
        if call.flag("full") {
            row.insert(
                "groups".into(),
                json!(user.groups.iter().cloned().collect::<Vec<_>>().join(",")),
            );
            let tokens: Vec<Value> = user
                .tokens
                .iter()
                .map(|(name, token)| named_token(name, token))
                .collect();
            row.insert(
                "tokens".into(),
                if tokens.is_empty() {
                    Value::Null
                } else {
                    json!(tokens)
                },
            );
        }
        if user.factors.is_empty().eq(&false) {
            row.insert("totp-locked".into(), json!(0));
        }
        rows.push(Value::Object(row));
    }
    Ok(Value::Array(rows))
}

fn named_token(name: &str, token: &Token) -> Value {
    let mut row = token_row(token);
    row.insert("tokenid".into(), json!(name));
    Value::Object(row)
}

fn create_user(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("userid");
    if world.access.users.contains_key(&name) {
        return Err(Fail::die(format!(
            "create user failed: user '{name}' already exists"
        )));
    }
    let mut user = User {
        enable: !call.has("enable") || call.flag("enable"),
        ..User::default()
    };
    change_user(world, call, &mut user, "create")?;
    if let Some(password) = call.optional("password") {
        let realm = name.rsplit('@').next().unwrap_or_default();
        if !world.access.realms.contains_key(realm) {
            return Err(Fail::die(format!(
                "create user failed: auth domain '{realm}' does not exist"
            )));
        }
        user.password = Some(hash(&password));
    }
    world.access.users.insert(name, user);
    Ok(Value::Null)
}

fn change_user(world: &World, call: &Call<'_>, user: &mut User, verb: &str) -> Result<(), Fail> {
    for key in ABOUT {
        if let Some(value) = call.optional(key) {
            user.about.insert(key.to_owned(), value);
        }
    }
    user.expire = call.integer("expire").unwrap_or(user.expire);
    if let Some(groups) = call.optional("groups") {
        let groups: BTreeSet<String> = split_list(&groups).map(str::to_owned).collect();
        if let Some(missing) = groups
            .iter()
            .find(|group| !world.access.groups.contains_key(*group))
        {
            return Err(Fail::die(format!(
                "{verb} user failed: no such group '{missing}'"
            )));
        }
        if !call.flag("append") {
            user.groups.clear();
        }
        user.groups.extend(groups);
    }
    Ok(())
}

fn read_user(world: &mut World, call: &mut Call<'_>) -> Answer {
    let user = known(world, &call.text("userid"))?;
    let mut row = describe(user);
    row.insert("groups".into(), json!(user.groups));
    let tokens: Map<String, Value> = user
        .tokens
        .iter()
        .map(|(name, token)| (name.clone(), Value::Object(token_row(token))))
        .collect();
    row.insert(
        "tokens".into(),
        if tokens.is_empty() {
            Value::Null
        } else {
            Value::Object(tokens)
        },
    );
    Ok(Value::Object(row))
}

fn update_user(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("userid");
    let mut user = known(world, &name)?.clone();
    change_user(world, call, &mut user, "update")?;
    if call.has("enable") {
        user.enable = call.flag("enable");
    }
    world.access.users.insert(name, user);
    Ok(Value::Null)
}

fn delete_user(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("userid");
    known(world, &name)?;
    // Root is made anew whenever the file is read.
    if name == "root@pam" {
        return Ok(Value::Null);
    }
    world.access.users.remove(&name);
    let token = format!("{name}!");
    for node in world.access.acl.values_mut() {
        node.users.remove(&name);
        node.tokens.retain(|id, _| !id.starts_with(&token));
    }
    Ok(Value::Null)
}

fn token<'a>(world: &'a World, call: &Call<'_>) -> Result<&'a Token, Fail> {
    let (user, name) = (call.text("userid"), call.text("tokenid"));
    known(world, &user)?
        .tokens
        .get(&name)
        .ok_or_else(|| Fail::die(format!("no such token '{name}' for user '{user}'")))
}

fn list_tokens(world: &mut World, call: &mut Call<'_>) -> Answer {
    let user = known(world, &call.text("userid"))?;
    Ok(user
        .tokens
        .iter()
        .map(|(name, token)| named_token(name, token))
        .collect())
}

fn read_token(world: &mut World, call: &mut Call<'_>) -> Answer {
    Ok(Value::Object(token_row(token(world, call)?)))
}

/// What was set is echoed as it was written; text stays text.
fn echo(call: &Call<'_>, token: &Token) -> Map<String, Value> {
    let mut row = Map::new();
    for key in ["comment", "expire", "privsep"] {
        if let Some(value) = call.params.get(key).filter(|value| !value.is_null()) {
            row.insert(key.to_owned(), value.clone());
        }
    }
    row.entry("privsep")
        .or_insert(json!(i64::from(token.privsep)));
    row
}

fn change_token(call: &Call<'_>, token: &mut Token) {
    token.expire = call.integer("expire").unwrap_or(token.expire);
    if call.has("privsep") {
        token.privsep = call.flag("privsep");
    }
    if let Some(comment) = call.optional("comment") {
        token.comment = Some(comment).filter(|comment| !comment.is_empty());
    }
}

fn create_token(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (user, name) = (call.text("userid"), call.text("tokenid"));
    if known(world, &user)?.tokens.contains_key(&name) {
        return Err(Fail::param("tokenid", "Token already exists."));
    }
    let secret = world.chance.uuid();
    let mut token = Token {
        secret: hash(&secret),
        privsep: true,
        ..Token::default()
    };
    change_token(call, &mut token);
    let info = echo(call, &token);
    world
        .access
        .users
        .entry(user.clone())
        .or_default()
        .tokens
        .insert(name.clone(), token);
    Ok(json!({"full-tokenid": format!("{user}!{name}"), "info": info, "value": secret}))
}

fn update_token(world: &mut World, call: &mut Call<'_>) -> Answer {
    let mut token = token(world, call)?.clone();
    change_token(call, &mut token);
    for key in call
        .optional("delete")
        .iter()
        .flat_map(|text| split_list(text))
    {
        match key {
            "comment" => token.comment = None,
            "expire" => token.expire = 0,
            "privsep" => token.privsep = true,
            _ => return Err(Fail::param("delete", format!("unknown option '{key}'"))),
        }
    }
    let mut row = token_row(&token);
    row.extend(echo(call, &token));
    if !call.has("expire") && token.expire == 0 {
        row.remove("expire");
    }
    if call.flag("regenerate") {
        let secret = world.chance.uuid();
        token.secret = hash(&secret);
        row = Map::from_iter([
            ("info".to_owned(), Value::Object(row)),
            ("value".to_owned(), json!(secret)),
            (
                "full-tokenid".to_owned(),
                json!(format!("{}!{}", call.text("userid"), call.text("tokenid"))),
            ),
        ]);
    }
    world
        .access
        .users
        .entry(call.text("userid"))
        .or_default()
        .tokens
        .insert(call.text("tokenid"), token);
    Ok(Value::Object(row))
}

fn delete_token(world: &mut World, call: &mut Call<'_>) -> Answer {
    token(world, call)?;
    let (user, name) = (call.text("userid"), call.text("tokenid"));
    let full = format!("{user}!{name}");
    world
        .access
        .users
        .entry(user)
        .or_default()
        .tokens
        .remove(&name);
    world
        .access
        .acl
        .values_mut()
        .for_each(|node| drop(node.tokens.remove(&full)));
    Ok(Value::Null)
}

fn members(world: &World, group: &str) -> Vec<String> {
    world
        .access
        .users
        .iter()
        .filter(|(_, user)| user.groups.contains(group))
        .map(|(name, _)| name.clone())
        .collect()
}

fn list_groups(world: &mut World, call: &mut Call<'_>) -> Answer {
    let needed = ["Sys.Audit", "User.Modify", "Group.Allocate"];
    let visible = |name: &str| {
        world
            .check_any(&call.identity, &format!("/access/groups/{name}"), &needed)
            .is_ok()
    };
    Ok(world
        .access
        .groups
        .iter()
        .filter(|(name, _)| visible(name))
        .map(|(name, group)| {
            let mut row = json!({"groupid": name, "users": members(world, name).join(",")});
            if let Some(comment) = &group.comment {
                row["comment"] = json!(comment);
            }
            row
        })
        .collect())
}

fn create_group(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("groupid");
    if world.access.groups.contains_key(&name) {
        return Err(Fail::die(format!(
            "create group failed: group '{name}' already exists"
        )));
    }
    world.access.groups.insert(
        name,
        Group {
            comment: call.optional("comment").filter(|c| !c.is_empty()),
        },
    );
    Ok(Value::Null)
}

fn read_group(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("groupid");
    let group = world
        .access
        .groups
        .get(&name)
        .ok_or_else(|| Fail::die(format!("group '{name}' does not exist")))?;
    let mut row = json!({"members": members(world, &name)});
    if let Some(comment) = &group.comment {
        row["comment"] = json!(comment);
    }
    Ok(row)
}

fn update_group(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("groupid");
    let comment = call.optional("comment");
    match world.access.groups.get_mut(&name) {
        None => Err(Fail::die(format!(
            "update group failed: group '{name}' does not exist"
        ))),
        Some(group) => {
            if let Some(comment) = comment {
                group.comment = Some(comment).filter(|comment| !comment.is_empty());
            }
            Ok(Value::Null)
        }
    }
}

fn delete_group(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("groupid");
    if world.access.groups.remove(&name).is_none() {
        return Err(Fail::die(format!(
            "delete group failed: group '{name}' does not exist"
        )));
    }
    world.access.users.values_mut().for_each(|user| {
        user.groups.remove(&name);
    });
    world
        .access
        .acl
        .values_mut()
        .for_each(|node| drop(node.groups.remove(&name)));
    Ok(Value::Null)
}

fn list_roles(world: &mut World, _: &mut Call<'_>) -> Answer {
    let names = roles::BUILT_IN
        .iter()
        .map(|name| (*name).to_owned())
        .chain(world.access.roles.keys().cloned());
    Ok(names
        .map(|name| {
            let privileges: Vec<String> = world
                .access
                .role_privileges(world.version(), &name)
                .into_iter()
                .collect();
            let special = i64::from(roles::BUILT_IN.contains(&name.as_str()));
            json!({"privs": privileges.join(","), "roleid": name, "special": special})
        })
        .collect())
}

fn privileges(call: &Call<'_>) -> BTreeSet<String> {
    call.optional("privs")
        .map(|text| split_list(&text).map(str::to_owned).collect())
        .unwrap_or_default()
}

fn create_role(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("roleid");
    if name.to_lowercase().starts_with("pve") {
        return Err(Fail::param(
            "roleid",
            "cannot use role ID starting with the (case-insensitive) 'PVE' namespace",
        ));
    }
    if world.access.role_exists(&name) {
        return Err(Fail::die(format!(
            "create role failed: role '{name}' already exists"
        )));
    }
    world.access.roles.insert(name, privileges(call));
    Ok(Value::Null)
}

fn read_role(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("roleid");
    if !world.access.role_exists(&name) {
        return Err(Fail::die(format!("role '{name}' does not exist")));
    }
    let row: Map<String, Value> = world
        .access
        .role_privileges(world.version(), &name)
        .into_iter()
        .map(|privilege| (privilege, json!(1)))
        .collect();
    Ok(Value::Object(row))
}

fn update_role(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("roleid");
    if roles::BUILT_IN.contains(&name.as_str()) {
        return Err(Fail::die(format!(
            "auto-generated role '{name}' cannot be modified"
        )));
    }
    let Some(role) = world.access.roles.get_mut(&name) else {
        return Err(Fail::die(format!(
            "update role failed: role '{name}' does not exist"
        )));
    };
    if !call.flag("append") {
        role.clear();
    }
    role.extend(privileges(call));
    Ok(Value::Null)
}

fn delete_role(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("roleid");
    if roles::BUILT_IN.contains(&name.as_str()) {
        return Err(Fail::die(format!(
            "auto-generated role '{name}' cannot be deleted"
        )));
    }
    if world.access.roles.remove(&name).is_none() {
        return Err(Fail::die(format!(
            "delete role failed: role '{name}' does not exist"
        )));
    }
    Ok(Value::Null)
}

fn list_realms(world: &mut World, _: &mut Call<'_>) -> Answer {
    Ok(world
        .access
        .realms
        .iter()
        .map(|(name, realm)| {
            let mut row = json!({"realm": name});
            for (key, value) in realm {
                row[key] = json!(value);
            }
            row
        })
        .collect())
}

fn read_realm(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("realm");
    let realm = world
        .access
        .realms
        .get(&name)
        .ok_or_else(|| Fail::die(format!("domain '{name}' does not exist")))?;
    let mut row = json!(realm);
    row["digest"] = json!(super::guest::sha1_hex(&format!(
        "{:?}",
        world.access.realms
    )));
    Ok(row)
}
