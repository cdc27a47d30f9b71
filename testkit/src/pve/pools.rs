//! Resource pools: nested names, members, and what their endpoints say.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::World;
use super::property::split_list;
use super::reply::Fail;
use super::route::{Answer, Call, Handler};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Pool {
    pub(crate) comment: Option<String>,
    pub(crate) guests: BTreeSet<u32>,
    pub(crate) storages: BTreeSet<String>,
}

pub(crate) type Pools = BTreeMap<String, Pool>;

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    Some(match (method, path) {
        ("GET", "/pools") => list,
        ("POST", "/pools") => create,
        ("GET", "/pools/{poolid}") => read,
        ("PUT", "/pools" | "/pools/{poolid}") => update,
        ("DELETE", "/pools" | "/pools/{poolid}") => delete,
        _ => return None,
    })
}

impl World {
    /// Whether a pool exists, in the words of a permission check.
    pub(crate) fn need_pool(&self, pool: &str) -> Result<(), Fail> {
        if self.pools.contains_key(pool) {
            Ok(())
        } else {
            Err(Fail::denied(format!("pool '{pool}' does not exist")))
        }
    }

    pub(crate) fn leave_pools(&mut self, vmid: u32) {
        self.pools.values_mut().for_each(|pool| {
            pool.guests.remove(&vmid);
        });
    }
}

fn known<'a>(world: &'a World, pool: &str) -> Result<&'a Pool, Fail> {
    world
        .pools
        .get(pool)
        .ok_or_else(|| Fail::die(format!("pool '{pool}' does not exist")))
}

fn list(world: &mut World, call: &mut Call<'_>) -> Answer {
    if let Some(pool) = call.optional("poolid") {
        world.check(&call.identity, &format!("/pool/{pool}"), &["Pool.Audit"])?;
        return Ok(json!([described(world, call, &pool)?]));
    }
    let visible = |name: &str| {
        world
            .check_any(&call.identity, &format!("/pool/{name}"), &["Pool.Audit"])
            .is_ok()
    };
    Ok(world
        .pools
        .iter()
        .filter(|(name, _)| visible(name))
        .map(|(name, pool)| {
            let mut row = json!({"poolid": name});
            if let Some(comment) = &pool.comment {
                row["comment"] = json!(comment);
            }
            row
        })
        .collect())
}

fn read(world: &mut World, call: &mut Call<'_>) -> Answer {
    let pool = call.text("poolid");
    described(world, call, &pool)
}

fn described(world: &mut World, call: &Call<'_>, name: &str) -> Answer {
    let pool = known(world, name)?.clone();
    let kind = call.optional("type");
    let wants = |wanted: &str| kind.as_deref().is_none_or(|kind| kind == wanted);
    let mut members = Vec::new();
    if wants("lxc") || wants("qemu") {
        members.extend(
            pool.guests
                .iter()
                .filter(|_| wants("lxc"))
                .filter_map(|vmid| {
                    let mut row = super::cluster::guest_row(world, *vmid)?;
                    row.remove("pool");
                    Some(Value::Object(row))
                }),
        );
    }
    if wants("storage") {
        members.extend(
            pool.storages
                .iter()
                .filter_map(|name| super::cluster::storage_row(world, name))
                .map(Value::Object),
        );
    }
    let mut row = Map::new();
    row.insert("poolid".into(), json!(name));
    if let Some(comment) = &pool.comment {
        row.insert("comment".into(), json!(comment));
    }
    row.insert("members".into(), Value::Array(members));
    Ok(Value::Object(row))
}

fn create(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("poolid");
    let refuse = |text: String| Err(Fail::die(format!("create pool failed: {text}")));
    if world.pools.contains_key(&name) {
        return refuse(format!("pool '{name}' already exists"));
    }
    if let Some((parent, _)) = name.rsplit_once('/')
        && !world.pools.contains_key(parent)
    {
        return refuse(format!("parent '{parent}' of pool '{name}' does not exist"));
    }
    if !name
        .rsplit('/')
        .next()
        .is_some_and(|leaf| leaf.starts_with(|c: char| c.is_ascii_alphabetic()))
    {
        return refuse("pool name must start with a letter".to_owned());
    }
    world.pools.insert(
        name,
        Pool {
            comment: call.optional("comment").filter(|c| !c.is_empty()),
            ..Pool::default()
        },
    );
    Ok(Value::Null)
}

fn update(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("poolid");
    let refuse = |text: String| Fail::die(format!("update pools failed: {text}"));
    if !world.pools.contains_key(&name) {
        return Err(refuse(format!("pool '{name}' does not exist")));
    }
    let comment = call.optional("comment");
    let words = |key: &str| {
        call.optional(key)
            .map(|text| split_list(&text).map(str::to_owned).collect::<Vec<_>>())
            .unwrap_or_default()
    };
    let (guests, storages) = (words("vms"), words("storage"));
    for vmid in &guests {
        let vmid: u32 = vmid.parse().unwrap_or_default();
        world.check_any(
            &call.identity,
            &format!("/vms/{vmid}"),
            &["VM.Allocate", "Permissions.Modify"],
        )?;
        member(
            world,
            &name,
            vmid,
            call.flag("delete"),
            call.flag("allow-move"),
        )
        .map_err(&refuse)?;
    }
    for storage in storages {
        world.check_any(
            &call.identity,
            &format!("/storage/{storage}"),
            &["Datastore.Allocate", "Permissions.Modify"],
        )?;
        let pool = world.pools.entry(name.clone()).or_default();
        let done = if call.flag("delete") {
            pool.storages.remove(&storage)
        } else {
            pool.storages.insert(storage.clone())
        };
        if !done {
            let text = if call.flag("delete") {
                "is not"
            } else {
                "is already"
            };
            return Err(refuse(format!("Storage '{storage}' {text} a pool member")));
        }
    }
    if let Some(comment) = comment {
        world.pools.entry(name).or_default().comment = Some(comment).filter(|c| !c.is_empty());
    }
    Ok(Value::Null)
}

/// Puts a guest into a pool or takes it out.
fn member(
    world: &mut World,
    pool: &str,
    vmid: u32,
    remove: bool,
    moves: bool,
) -> Result<(), String> {
    if remove {
        let gone = world
            .pools
            .get_mut(pool)
            .is_some_and(|pool| pool.guests.remove(&vmid));
        return if gone {
            Ok(())
        } else {
            Err(format!("VM {vmid} is not a pool member"))
        };
    }
    let present = world
        .pools
        .iter()
        .find(|(_, pool)| pool.guests.contains(&vmid))
        .map(|(name, _)| name.clone());
    match present {
        Some(present) if present == pool => {
            return Err(format!("VM {vmid} is already a pool member"));
        }
        Some(present) if !moves => {
            return Err(format!(
                "VM {vmid} belongs already to pool '{present}' and 'allow-move' is not set"
            ));
        }
        _ => {}
    }
    world.leave_pools(vmid);
    world
        .pools
        .entry(pool.to_owned())
        .or_default()
        .guests
        .insert(vmid);
    Ok(())
}

fn delete(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("poolid");
    let refuse = |text: String| Err(Fail::die(format!("delete pool failed: {text}")));
    let Some(pool) = world.pools.get(&name) else {
        return refuse(format!("pool '{name}' does not exist"));
    };
    let inside = format!("{name}/");
    if let Some(child) = world.pools.keys().find(|other| other.starts_with(&inside)) {
        return refuse(format!(
            "pool '{name}' is not empty (contains pool '{child}')"
        ));
    }
    if let Some(vmid) = pool.guests.iter().next() {
        return refuse(format!("pool '{name}' is not empty (contains VM {vmid})"));
    }
    if let Some(storage) = pool.storages.iter().next() {
        return refuse(format!(
            "pool '{name}' is not empty (contains storage '{storage}')"
        ));
    }
    world.pools.remove(&name);
    world.access.forget_path(&format!("/pool/{name}"));
    Ok(Value::Null)
}
