//! Storage definitions, and the status of storages on a node.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Storage;
use crate::pve::World;
use crate::pve::property::split_list;
use crate::pve::reply::Fail;
use crate::pve::route::{Answer, Call, Handler};

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    Some(match (method, path) {
        ("GET", "/storage") => list,
        ("POST", "/storage") => create,
        ("GET", "/storage/{storage}") => read,
        ("PUT", "/storage/{storage}") => update,
        ("DELETE", "/storage/{storage}") => delete,
        ("GET", "/nodes/{node}/storage") => on_node,
        ("GET", "/nodes/{node}/storage/{storage}/status") => status,
        _ => return None,
    })
}

const AUDIT: &[&str] = &["Datastore.Audit", "Datastore.AllocateSpace"];

fn row(world: &World, name: &str, storage: &Storage) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("storage".into(), json!(name));
    row.insert("type".into(), json!(storage.kind));
    row.insert("digest".into(), json!(world.storage_digest()));
    for (key, value) in &storage.options {
        let number = matches!(key.as_str(), "disable" | "shared" | "sparse" | "maxfiles")
            .then(|| value.parse::<i64>().ok());
        row.insert(
            key.clone(),
            number
                .flatten()
                .map_or_else(|| json!(value), |number| json!(number)),
        );
    }
    row
}

fn list(world: &mut World, call: &mut Call<'_>) -> Answer {
    let kind = call.optional("type");
    let rows = world.storages.iter().filter(|(name, storage)| {
        kind.as_ref().is_none_or(|kind| *kind == storage.kind)
            && world
                .check_any(&call.identity, &format!("/storage/{name}"), AUDIT)
                .is_ok()
    });
    Ok(rows
        .map(|(name, storage)| Value::Object(row(world, name, storage)))
        .collect())
}

fn read(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("storage");
    Ok(Value::Object(row(world, &name, world.storage(&name)?)))
}

/// The options of a call that stand in the definition.
fn options(call: &Call<'_>) -> BTreeMap<String, String> {
    let skipped = ["storage", "type", "delete", "digest"];
    let own = call
        .params
        .keys()
        .filter(|key| !skipped.contains(&key.as_str()));
    own.filter_map(|key| Some((key.clone(), call.optional(key)?)))
        .collect()
}

/// Options without which a storage of its kind cannot be.
fn required(kind: &str) -> &'static [&'static str] {
    match kind {
        "dir" | "btrfs" => &["path"],
        "nfs" => &["server", "export"],
        "cifs" => &["server", "share"],
        "lvm" => &["vgname"],
        "lvmthin" => &["thinpool", "vgname"],
        "zfspool" => &["pool"],
        "pbs" => &["server", "datastore"],
        "iscsi" => &["portal", "target"],
        _ => &[],
    }
}

fn create(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (name, kind) = (call.text("storage"), call.text("type"));
    let mut options = options(call);
    if let Some(missing) = required(&kind)
        .iter()
        .find(|option| !options.contains_key(**option))
    {
        return Err(Fail::die(format!(
            "missing value for required option '{missing}'"
        )));
    }
    if world.storages.contains_key(&name) {
        return Err(Fail::die(format!(
            "create storage failed: storage ID '{name}' already defined"
        )));
    }
    let default = match kind.as_str() {
        "dir" | "nfs" | "cifs" | "btrfs" => "images,rootdir,vztmpl,iso,backup,snippets",
        "pbs" => "backup",
        _ => "images,rootdir",
    };
    options
        .entry("content".to_owned())
        .or_insert_with(|| default.to_owned());
    world.storages.insert(
        name.clone(),
        Storage {
            kind: kind.clone(),
            options,
        },
    );
    Ok(json!({"storage": name, "type": kind}))
}

fn update(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("storage");
    let refuse = |text: &str| Fail::die(format!("update storage failed: {text}"));
    let stale = call
        .optional("digest")
        .is_some_and(|digest| digest != world.storage_digest());
    if stale {
        return Err(refuse(
            "detected modified configuration - file changed by other user? Try again.",
        ));
    }
    let kind = world
        .storage(&name)
        .map_err(|fail| refuse(fail.text()))?
        .kind
        .clone();
    let changes = options(call);
    let list = call.optional("delete").unwrap_or_default();
    for key in split_list(&list) {
        if required(&kind).contains(&key) {
            return Err(refuse(&format!("unable to delete required option '{key}'")));
        }
        if changes.contains_key(key) {
            return Err(refuse(&format!(
                "cannot set and delete property '{key}' at the same time!"
            )));
        }
        if call.endpoint.property(key).is_none() {
            return Err(refuse(&format!("no such option '{key}'")));
        }
    }
    let Some(storage) = world.storages.get_mut(&name) else {
        return Ok(Value::Null);
    };
    split_list(&list).for_each(|key| drop(storage.options.remove(key)));
    storage.options.extend(changes);
    Ok(json!({"storage": name, "type": kind}))
}

fn delete(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("storage");
    if world.storages.remove(&name).is_none() {
        return Err(Fail::die(format!(
            "delete storage failed: storage '{name}' does not exist"
        )));
    }
    let prefix = format!("{name}:");
    world
        .volumes
        .retain(|volume, _| !volume.starts_with(&prefix));
    world.access.forget_path(&format!("/storage/{name}"));
    Ok(Value::Null)
}

/// Sizes and state of a storage on the node.
fn numbers(world: &World, name: &str, storage: &Storage) -> Map<String, Value> {
    let enabled = storage.is_enabled(world.node_name());
    let total = if enabled { world.setup.host.disk } else { 0 };
    let used = if enabled {
        world.used(name).min(total)
    } else {
        0
    };
    let mut row = Map::new();
    row.insert("type".into(), json!(storage.kind));
    row.insert(
        "content".into(),
        json!(
            storage
                .options
                .get("content")
                .map(String::as_str)
                .unwrap_or_default()
        ),
    );
    row.insert(
        "shared".into(),
        json!(i64::from(
            storage
                .options
                .get("shared")
                .is_some_and(|value| value == "1")
        )),
    );
    row.insert("active".into(), json!(i64::from(enabled)));
    row.insert("enabled".into(), json!(i64::from(enabled)));
    row.insert("total".into(), json!(total));
    row.insert("used".into(), json!(used));
    row.insert("avail".into(), json!(total - used));
    row
}

fn on_node(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (only, content) = (call.optional("storage"), call.optional("content"));
    if only
        .as_ref()
        .is_some_and(|name| !world.storages.contains_key(name))
    {
        return Err(Fail::param("storage", "No such storage."));
    }
    let node = world.node_name().to_owned();
    let wanted = |name: &String, storage: &Storage| {
        only.as_ref().is_none_or(|only| only == name)
            && content
                .as_ref()
                .is_none_or(|list| split_list(list).any(|word| storage.offers(word)))
            && (storage.is_enabled(&node) || !call.flag("enabled"))
            && world
                .check_any(&call.identity, &format!("/storage/{name}"), AUDIT)
                .is_ok()
    };
    let rows = world
        .storages
        .iter()
        .filter(|(name, storage)| wanted(name, storage));
    Ok(rows
        .map(|(name, storage)| {
            let mut row = numbers(world, name, storage);
            row.insert("storage".into(), json!(name));
            let total = row["total"].as_f64().unwrap_or_default();
            if total > 0.0 {
                row.insert(
                    "used_fraction".into(),
                    json!(row["used"].as_f64().unwrap_or_default() / total),
                );
            }
            Value::Object(row)
        })
        .collect())
}

fn status(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = call.text("storage");
    let storage = world
        .storages
        .get(&name)
        .ok_or_else(|| Fail::param("storage", "No such storage."))?;
    Ok(Value::Object(numbers(world, &name, storage)))
}
