//! Endpoints of the access control list and of effective permissions.

use serde_json::{Map, Value, json};

use super::World;
use super::access::{Grants, normalize};
use super::property::split_list;
use super::reply::Fail;
use super::route::{Answer, Call, Handler};
use super::verify::matches;

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    Some(match (method, path) {
        ("GET", "/access/acl") => list,
        ("PUT", "/access/acl") => update,
        ("GET", "/access/permissions") => permissions,
        _ => return None,
    })
}

/// The paths that the access control list knows.
fn is_acl_path(path: &str) -> bool {
    const NAME: &str = r"[A-Za-z0-9.\-_]+";
    let known = format!(
        "/|/access|/access/groups|/access/groups/{NAME}|/access/realm|/access/realm/{NAME}\
         |/nodes|/nodes/{NAME}|/pool|/pool/{NAME}(/{NAME}){{0,2}}\
         |/sdn|/sdn/(controllers|dns|fabrics|ipams|prefix-lists|route-maps)|/sdn/(controllers|dns|fabrics|ipams|prefix-lists|route-maps)/{NAME}\
         |/sdn/zones|/sdn/zones/{NAME}|/sdn/zones/{NAME}/{NAME}|/sdn/zones/{NAME}/{NAME}/[1-9][0-9]{{0,3}}\
         |/storage|/storage/{NAME}|/vms|/vms/[1-9][0-9]{{2,}}\
         |/mapping|/mapping/{NAME}|/mapping/{NAME}/{NAME}"
    );
    matches(&format!("(?:{known})"), path)
}

fn list(world: &mut World, call: &mut Call<'_>) -> Answer {
    let all = world
        .check_any(
            &call.identity,
            "/access",
            &["Sys.Audit", "Permissions.Modify"],
        )
        .is_ok();
    let mut rows = Vec::new();
    for (path, node) in &world.access.acl {
        if !all && world.check_modify(&call.identity, path).is_err() {
            continue;
        }
        for (kind, grants) in [
            ("user", &node.users),
            ("group", &node.groups),
            ("token", &node.tokens),
        ] {
            for (name, roles) in grants {
                rows.extend(roles.iter().map(|(role, propagate)| {
                    json!({"path": path, "propagate": i64::from(*propagate), "roleid": role, "type": kind, "ugid": name})
                }));
            }
        }
    }
    Ok(Value::Array(rows))
}

fn update(world: &mut World, call: &mut Call<'_>) -> Answer {
    if !["users", "groups", "tokens"]
        .iter()
        .any(|kind| call.has(kind))
    {
        let text = "either 'users', 'groups' or 'tokens' is required.";
        return Err(Fail::params(
            ["users", "groups", "tokens"]
                .map(|kind| (kind.to_owned(), text.to_owned()))
                .into(),
        ));
    }
    let written = call.text("path");
    let path = normalize(&written)
        .ok_or_else(|| Fail::param("path", format!("invalid ACL path '{written}'")))?;
    if !is_acl_path(&path) {
        return Err(Fail::param("path", format!("invalid ACL path '{written}'")));
    }
    let words = |name: &str| {
        call.optional(name)
            .map(|text| split_list(&text).map(str::to_owned).collect::<Vec<_>>())
            .unwrap_or_default()
    };
    let roles = words("roles");
    for role in &roles {
        if !world.access.role_exists(role) {
            return Err(Fail::die(format!(
                "ACL update failed: role '{role}' does not exist"
            )));
        }
    }
    need_all(world, "group", &words("groups"))?;
    need_all(world, "user", &words("users"))?;
    need_all(world, "token", &words("tokens"))?;
    held(world, call, &path, &roles)?;
    let propagate = !call.has("propagate") || call.flag("propagate");
    let node = world.access.acl.entry(path.clone()).or_default();
    for (kind, grants) in [
        ("users", &mut node.users),
        ("groups", &mut node.groups),
        ("tokens", &mut node.tokens),
    ] {
        for name in words(kind) {
            change(grants, &name, &roles, propagate, call.flag("delete"));
        }
    }
    if node.users.is_empty() && node.groups.is_empty() && node.tokens.is_empty() {
        world.access.acl.remove(&path);
    }
    Ok(Value::Null)
}

fn need_all(world: &World, kind: &str, names: &[String]) -> Result<(), Fail> {
    let access = &world.access;
    let exists = |name: &String| match kind {
        "group" => access.groups.contains_key(name),
        "user" => access.users.contains_key(name),
        _ => name.split_once('!').is_some_and(|(user, token)| {
            access
                .users
                .get(user)
                .is_some_and(|u| u.tokens.contains_key(token))
        }),
    };
    match names.iter().find(|name| !exists(name)) {
        None => Ok(()),
        Some(name) if kind == "token" => {
            let (user, token) = name.split_once('!').unwrap_or((name, ""));
            if access.users.contains_key(user) {
                Err(Fail::die(format!(
                    "ACL update failed: no such token '{token}' for user '{user}'"
                )))
            } else {
                Err(Fail::die(format!(
                    "ACL update failed: no such user ('{user}')"
                )))
            }
        }
        Some(name) => Err(Fail::die(format!(
            "ACL update failed: {kind} '{name}' does not exist"
        ))),
    }
}

/// Who may only delegate (no `Permissions.Modify`) can give no more than it has.
fn held(world: &World, call: &Call<'_>, path: &str, roles: &[String]) -> Result<(), Fail> {
    let own = world.privileges(&call.identity, path);
    if call.is_root() || own.contains_key("Permissions.Modify") {
        return Ok(());
    }
    let verb = if call.flag("delete") { "remove" } else { "add" };
    let propagate = !call.flag("delete") && (!call.has("propagate") || call.flag("propagate"));
    for role in roles {
        let privileges = world.access.role_privileges(world.version(), role);
        let lacks = role == "NoAccess" || privileges.iter().any(|name| !own.contains_key(name));
        let stays = propagate && privileges.iter().any(|name| own.get(name) == Some(&false));
        let what = match (lacks, stays) {
            (true, _) => "",
            (false, true) => " with propagation",
            (false, false) => continue,
        };
        return Err(Fail::die(format!(
            "ACL update failed: 400 Parameter verification failed.\nrole: Cannot {verb} role '{role}'{what} - \
             requires 'Permissions.Modify' or superset of privileges."
        )));
    }
    Ok(())
}

fn change(grants: &mut Grants, name: &str, roles: &[String], propagate: bool, delete: bool) {
    let own = grants.entry(name.to_owned()).or_default();
    for role in roles {
        if delete {
            own.remove(role);
        } else {
            own.insert(role.clone(), propagate);
        }
    }
    if own.is_empty() {
        grants.remove(name);
    }
}

fn permissions(world: &mut World, call: &mut Call<'_>) -> Answer {
    let who = call
        .optional("userid")
        .unwrap_or_else(|| call.identity.clone());
    if who != call.identity && !who.starts_with(&format!("{}!", call.identity)) {
        world.check(&call.identity, "/access", &["Sys.Audit"])?;
    }
    let row = |path: &str| -> Map<String, Value> {
        world
            .privileges(&who, path)
            .into_iter()
            .map(|(name, propagate)| (name, json!(i64::from(propagate))))
            .collect()
    };
    if let Some(path) = call.optional("path") {
        return Ok(json!({ path.clone(): row(&path) }));
    }
    let mut all = Map::new();
    let fixed = [
        "/",
        "/access",
        "/access/groups",
        "/nodes",
        "/pool",
        "/sdn",
        "/storage",
        "/vms",
    ];
    let pooled = world.pools.values().flat_map(|pool| {
        let own = pool.guests.iter().map(|vmid| format!("/vms/{vmid}"));
        own.chain(
            pool.storages
                .iter()
                .map(|storage| format!("/storage/{storage}")),
        )
    });
    let mut paths: Vec<String> = fixed
        .iter()
        .map(|path| (*path).to_owned())
        .chain(world.access.acl.keys().cloned())
        .chain(pooled)
        .collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        let held = row(&path);
        if !held.is_empty() {
            all.insert(path, Value::Object(held));
        }
    }
    Ok(Value::Object(all))
}
