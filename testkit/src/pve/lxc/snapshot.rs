//! Snapshots, on storages that can have them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::config::typed_all;
use crate::pve::World;
use crate::pve::guest::{Snapshot, volumes};
use crate::pve::reply::Fail;
use crate::pve::route::{Answer, Call, Handler};
use crate::pve::work::Work;

/// A snapshot to be taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Take {
    vmid: u32,
    name: String,
    description: String,
}

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    let rest = path.strip_prefix("/nodes/{node}/lxc/{vmid}/snapshot")?;
    Some(match (method, rest) {
        ("GET", "") => list,
        ("POST", "") => start,
        ("DELETE", "/{snapname}") => start_delete,
        ("POST", "/{snapname}/rollback") => start_rollback,
        ("GET", "/{snapname}/config") => read,
        ("PUT", "/{snapname}/config") => update,
        _ => return None,
    })
}

/// Whether all volumes of a container can have snapshots.
fn possible(world: &World, vmid: u32) -> Result<bool, Fail> {
    let volumes = volumes(&world.guest(vmid)?.config);
    let can = |volume: &String| {
        world
            .storages
            .get(volume.split(':').next().unwrap_or_default())
            .is_some_and(|storage| storage.has_snapshots())
    };
    Ok(volumes
        .iter()
        .filter(|(key, _)| !key.starts_with("unused"))
        .all(|(_, volume)| can(volume)))
}

pub(super) fn feature(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    let possible = possible(world, vmid)?;
    let has = match call.text("feature").as_str() {
        "copy" => true,
        "snapshot" => possible && !world.guest(vmid)?.is_template(),
        _ => possible && world.guest(vmid)?.is_template(),
    };
    Ok(json!({"hasFeature": i64::from(has)}))
}

fn list(world: &mut World, call: &mut Call<'_>) -> Answer {
    let guest = world.guest(call.vmid())?;
    let mut rows: Vec<Value> = guest
        .snapshots
        .iter()
        .map(|(name, snapshot)| {
            let mut row = json!({"name": name, "description": snapshot.description, "snaptime": snapshot.time});
            if let Some(parent) = &snapshot.parent {
                row["parent"] = json!(parent);
            }
            row
        })
        .collect();
    let mut current = json!({
        "name": "current",
        "description": "You are here!",
        "digest": guest.digest(),
        "running": i64::from(guest.running.is_some()),
    });
    if let Some(parent) = &guest.parent {
        current["parent"] = json!(parent);
    }
    rows.push(current);
    Ok(Value::Array(rows))
}

fn start(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (vmid, name) = (call.vmid(), call.text("snapname"));
    if matches!(name.as_str(), "current" | "vzdump") {
        return Err(Fail::die(format!(
            "unable to use snapshot name '{name}' (reserved name)"
        )));
    }
    let take = Take {
        vmid,
        name,
        description: call.optional("description").unwrap_or_default(),
    };
    Ok(json!(world.spawn(
        call,
        "vzsnapshot",
        &vmid.to_string(),
        Work::Snapshot(take)
    )))
}

pub(crate) fn begin(world: &World, take: &Take) -> Result<(), Fail> {
    let guest = world.guest(take.vmid)?;
    if guest.is_template() {
        return Err(Fail::die("you can't take a snapshot if it's a template"));
    }
    world.check_lock(take.vmid)?;
    if guest.snapshots.contains_key(&take.name) {
        return Err(Fail::die(format!(
            "snapshot name '{}' already used",
            take.name
        )));
    }
    if possible(world, take.vmid)? {
        Ok(())
    } else {
        Err(Fail::die("snapshot feature is not available"))
    }
}

pub(crate) fn take(world: &mut World, take: &Take) -> Result<(), Fail> {
    let time = world.now().secs();
    let guest = world.guest_mut(take.vmid)?;
    let snapshot = Snapshot {
        config: guest.config.clone(),
        description: take.description.clone(),
        time,
        parent: guest.parent.clone(),
    };
    guest.snapshots.insert(take.name.clone(), snapshot);
    guest.parent = Some(take.name.clone());
    Ok(())
}

/// Refuses a snapshot that is not there.
pub(crate) fn need(world: &World, vmid: u32, name: &str) -> Result<(), Fail> {
    let guest = world.guest(vmid)?;
    if guest.snapshots.contains_key(name) {
        Ok(())
    } else {
        Err(Fail::die(format!("snapshot '{name}' does not exist")))
    }
}

fn start_delete(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    let work = Work::DeleteSnapshot {
        vmid,
        name: call.text("snapname"),
        force: call.flag("force"),
    };
    Ok(json!(world.spawn(
        call,
        "vzdelsnapshot",
        &vmid.to_string(),
        work
    )))
}

pub(crate) fn delete(world: &mut World, vmid: u32, name: &str) -> Result<(), Fail> {
    let guest = world.guest_mut(vmid)?;
    let gone = guest
        .snapshots
        .remove(name)
        .and_then(|snapshot| snapshot.parent);
    let heirs = guest
        .snapshots
        .values_mut()
        .map(|snapshot| &mut snapshot.parent)
        .chain([&mut guest.parent]);
    heirs
        .filter(|parent| parent.as_deref() == Some(name))
        .for_each(|parent| parent.clone_from(&gone));
    Ok(())
}

fn start_rollback(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    let work = Work::Rollback {
        vmid,
        name: call.text("snapname"),
        start: call.flag("start"),
    };
    Ok(json!(world.spawn(
        call,
        "vzrollback",
        &vmid.to_string(),
        work
    )))
}

pub(crate) fn rollback(world: &mut World, vmid: u32, name: &str, start: bool) -> Result<(), Fail> {
    let guest = world.guest_mut(vmid)?;
    if let Some(snapshot) = guest.snapshots.get(name) {
        guest.config = snapshot.config.clone();
        guest.pending.clear();
        guest.deletions.clear();
        guest.parent = Some(name.to_owned());
        guest.running = None;
    }
    if start {
        super::power::started(world, vmid);
    }
    Ok(())
}

fn read(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (vmid, name) = (call.vmid(), call.text("snapname"));
    need(world, vmid, &name)?;
    let snapshot = &world.guest(vmid)?.snapshots[&name];
    let mut row = typed_all(&snapshot.config);
    row.insert("snaptime".into(), json!(snapshot.time));
    if !snapshot.description.is_empty() {
        row.insert("description".into(), json!(snapshot.description));
    }
    if let Some(parent) = &snapshot.parent {
        row.insert("parent".into(), json!(parent));
    }
    Ok(Value::Object(row))
}

fn update(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (vmid, name) = (call.vmid(), call.text("snapname"));
    need(world, vmid, &name)?;
    let description = call.optional("description");
    if let Some(snapshot) = world.guest_mut(vmid)?.snapshots.get_mut(&name) {
        snapshot.description = description.unwrap_or_default();
    }
    Ok(Value::Null)
}
