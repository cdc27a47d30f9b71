//! A container's volumes: made, resized, moved.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::network::keys;
use super::rights::new_disk;
use crate::pve::World;
use crate::pve::guest::{Config, check_digest};
use crate::pve::property::{self, loose, parse_size, print_size};
use crate::pve::reply::Fail;
use crate::pve::route::{Answer, Call, Handler};
use crate::pve::work::Work;

/// A new size for a volume.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Resize {
    vmid: u32,
    disk: String,
    bytes: u64,
}

/// A volume that goes to another storage or guest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Move {
    vmid: u32,
    disk: String,
    storage: Option<String>,
    target: Option<(u32, String)>,
    delete: bool,
}

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    Some(match (method, path) {
        ("PUT", "/nodes/{node}/lxc/{vmid}/resize") => start_resize,
        ("POST", "/nodes/{node}/lxc/{vmid}/move_volume") => start_move,
        ("POST", "/nodes/{node}/lxc/{vmid}/migrate") => migrate,
        ("GET", "/nodes/{node}/lxc/{vmid}/migrate") => migrate_check,
        _ => return None,
    })
}

/// A mount point with its volume made: `local:8,mp=/data` becomes a volume id and a size.
pub(crate) fn materialize(
    world: &mut World,
    call: &Call<'_>,
    vmid: u32,
    key: &str,
    value: &str,
) -> Result<String, Fail> {
    let Some(keys) = keys(call, key) else {
        return Ok(value.to_owned());
    };
    let mut mount = property::parse(keys, value).map_err(|error| Fail::die(error.trim_end()))?;
    let volume = mount.get("volume").cloned().unwrap_or_default();
    if let Some((storage, bytes)) = new_disk(&volume) {
        let id = world.allocate(storage, vmid, bytes);
        mount.insert("volume".to_owned(), id);
        mount.insert("size".to_owned(), print_size(bytes));
    }
    Ok(property::print(keys, &mount))
}

/// A mount point in the server's own spelling.
pub(crate) fn rewrite(call: &Call<'_>, key: &str, value: &str) -> Result<String, Fail> {
    let Some(keys) = keys(call, key) else {
        return Ok(value.to_owned());
    };
    let mut mount = property::parse(keys, value).map_err(|error| Fail::die(error.trim_end()))?;
    if let Some(bytes) = mount.get("size").and_then(|size| parse_size(size)) {
        mount.insert("size".to_owned(), print_size(bytes));
    }
    Ok(property::print(keys, &mount))
}

/// Keeps a volume under the first free `unusedN`.
pub(crate) fn add_unused(config: &mut Config, volume: &str) {
    if config
        .iter()
        .any(|(key, value)| key.starts_with("unused") && value == volume)
    {
        return;
    }
    if let Some(key) = (0..256)
        .map(|n| format!("unused{n}"))
        .find(|key| !config.contains_key(key))
    {
        config.insert(key, volume.to_owned());
    }
}

/// A mount point that is not there, in the words of the parser that meets it.
fn absent() -> Fail {
    let missing = "property is missing and it is not optional".to_owned();
    Fail::format_error(
        [
            ("mp".to_owned(), missing.clone()),
            ("volume".to_owned(), missing),
        ]
        .into(),
    )
}

fn start_resize(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (vmid, disk, size) = (call.vmid(), call.text("disk"), call.text("size"));
    world.check_lock(vmid)?;
    world.check_guest(&call.identity, vmid, None, &["VM.Config.Options"])?;
    check_digest(world.guest(vmid)?, call.optional("digest").as_deref())?;
    let Some(mount) = world
        .guest(vmid)?
        .config
        .get(&disk)
        .map(|value| loose(value, "volume"))
    else {
        return Err(if disk == "rootfs" {
            Fail::die(format!("volume '{disk}' does not exist"))
        } else {
            absent()
        });
    };
    let volume = mount.get("volume").cloned().unwrap_or_default();
    let storage = volume.split(':').next().unwrap_or_default().to_owned();
    world.check(
        &call.identity,
        &format!("/storage/{storage}"),
        &["Datastore.AllocateSpace"],
    )?;
    let now = world
        .volumes
        .get(&volume)
        .map(|volume| volume.size)
        .or_else(|| mount.get("size").and_then(|size| parse_size(size)))
        .unwrap_or_default();
    let wanted = parse_size(size.trim_start_matches('+')).unwrap_or_default();
    let bytes = if size.starts_with('+') {
        now + wanted
    } else {
        wanted
    };
    if bytes < now {
        return Err(Fail::die("unable to shrink disk size"));
    }
    if bytes == now {
        return Err(Fail::die("disk is already at specified size"));
    }
    Ok(json!(world.spawn(
        call,
        "resize",
        &vmid.to_string(),
        Work::Resize(Resize { vmid, disk, bytes })
    )))
}

pub(crate) fn resize(world: &mut World, resize: &Resize) -> Result<(), Fail> {
    let guest = world.guest_mut(resize.vmid)?;
    let Some(value) = guest.config.get(&resize.disk) else {
        return Err(absent());
    };
    let volume = value.split(',').next().unwrap_or_default().to_owned();
    let changed = with_size(value, resize.bytes);
    guest.config.insert(resize.disk.clone(), changed);
    if let Some(volume) = world.volumes.get_mut(&volume) {
        volume.size = resize.bytes;
    }
    Ok(())
}

fn with_size(value: &str, bytes: u64) -> String {
    let mut parts: Vec<String> = value
        .split(',')
        .filter(|part| !part.starts_with("size="))
        .map(str::to_owned)
        .collect();
    let size = format!("size={}", print_size(bytes));
    let at = parts
        .iter()
        .skip(1)
        .position(|part| part.as_str() > size.as_str() && !part.starts_with("mp="))
        .map_or(parts.len(), |at| at + 1);
    parts.insert(at, size);
    parts.join(",")
}

fn start_move(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (vmid, disk) = (call.vmid(), call.text("volume"));
    let (storage, target) = (call.optional("storage"), call.number("target-vmid"));
    let both = |text: &str| {
        let keys = ["storage", "target-vmid"];
        Err(Fail::params(
            keys.map(|key| (key.to_owned(), text.to_owned())).into(),
        ))
    };
    match (&storage, target) {
        (None, None) => {
            return both("both 'storage' and 'target-vmid' missing, either needs to be set");
        }
        (Some(_), Some(_)) => {
            return Err(Fail::die("either set storage or target-vmid, but not both"));
        }
        _ => {}
    }
    let target = target.map(|target| {
        (
            target as u32,
            call.optional("target-volume")
                .unwrap_or_else(|| disk.clone()),
        )
    });
    may_move(world, call, &disk, storage.as_deref(), target.as_ref())?;
    check_digest(world.guest(vmid)?, call.optional("digest").as_deref())?;
    let id = match &target {
        None => vmid.to_string(),
        Some((other, key)) => format!("{vmid}-{disk}>{other}-{key}"),
    };
    let change = Move {
        vmid,
        disk,
        storage,
        target,
        delete: call.flag("delete"),
    };
    Ok(json!(world.spawn(
        call,
        "move_volume",
        &id,
        Work::Move(change)
    )))
}

/// Whether the caller may move a volume there, and whether there is room for it.
fn may_move(
    world: &World,
    call: &Call<'_>,
    disk: &str,
    storage: Option<&str>,
    target: Option<&(u32, String)>,
) -> Result<(), Fail> {
    let vmid = call.vmid();
    if let Some(storage) = storage {
        world.check(
            &call.identity,
            &format!("/storage/{storage}"),
            &["Datastore.AllocateSpace"],
        )?;
        world.check_lock(vmid)?;
        if world.is_running(vmid) {
            return Err(Fail::die("cannot move volumes of a running container"));
        }
        if disk.starts_with("unused") {
            return Err(Fail::die(format!(
                "cannot move volume '{disk}', only configured volumes can be moved to another storage"
            )));
        }
        return if world.guest(vmid)?.config.contains_key(disk) {
            Ok(())
        } else {
            Err(absent())
        };
    }
    let Some((other, key)) = target else {
        return Ok(());
    };
    world.check(
        &call.identity,
        &format!("/vms/{other}"),
        &["VM.Config.Disk"],
    )?;
    if disk == "rootfs" || key == "rootfs" {
        return Err(Fail::die("Cannot move to/from 'rootfs'"));
    }
    if disk.starts_with("unused") && !key.starts_with("unused") {
        return Err(Fail::die(
            "Moving an unused volume to a used one is not possible",
        ));
    }
    for vmid in [vmid, *other] {
        if !world.guests.contains_key(&vmid) {
            return Err(Fail::die(format!("could not find CT {vmid}")));
        }
    }
    if !world.guest(vmid)?.config.contains_key(disk) {
        return Err(Fail::die(format!(
            "volume '{disk}' for container '{vmid}' does not exist"
        )));
    }
    if world.guest(*other)?.config.contains_key(key) {
        return Err(Fail::die(format!("target volume '{key}' already exists")));
    }
    Ok(())
}

pub(crate) fn begin_move(world: &World, change: &Move) -> Result<(), Fail> {
    match &change.storage {
        Some(storage) => world.usable_storage(storage).map(drop),
        None => Ok(()),
    }
}

pub(crate) fn finish_move(
    world: &mut World,
    change: &Move,
    log: &mut Vec<String>,
) -> Result<(), Fail> {
    let value = world
        .guest(change.vmid)?
        .config
        .get(&change.disk)
        .cloned()
        .ok_or_else(absent)?;
    let (old, rest) = value
        .split_once(',')
        .map_or((value.as_str(), ""), |(old, rest)| (old, rest));
    let size = world.volumes.get(old).map_or(0, |volume| volume.size);
    if let Some(storage) = &change.storage {
        let fresh = world.allocate(storage, change.vmid, size);
        log.push(format!("moving volume '{old}' to '{fresh}'"));
        let guest = world.guest_mut(change.vmid)?;
        guest.config.insert(
            change.disk.clone(),
            [fresh.as_str(), rest]
                .join(",")
                .trim_end_matches(',')
                .to_owned(),
        );
        if change.delete {
            world.discard(old);
        } else {
            add_unused(&mut world.guest_mut(change.vmid)?.config, old);
        }
    } else if let Some((other, key)) = &change.target {
        let storage = old.split(':').next().unwrap_or("local").to_owned();
        let fresh = world.allocate(&storage, *other, size);
        world.discard(old);
        world.guest_mut(change.vmid)?.config.remove(&change.disk);
        let value = if key.starts_with("unused") {
            fresh
        } else {
            [fresh.as_str(), rest]
                .join(",")
                .trim_end_matches(',')
                .to_owned()
        };
        world.guest_mut(*other)?.config.insert(key.clone(), value);
        log.push(format!(
            "removing volume '{}' from container '{}' config",
            change.disk, change.vmid
        ));
    }
    Ok(())
}

fn migrate(world: &mut World, call: &mut Call<'_>) -> Answer {
    let target = call.text("target");
    if target == world.node_name() || target == "localhost" {
        return Err(Fail::param("target", "target is local node."));
    }
    Err(Fail::die(format!("no such cluster node '{target}'")))
}

fn migrate_check(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    let running = world.guest(vmid).map(|guest| guest.running.is_some())?;
    Ok::<Value, Fail>(json!({"allowed-nodes": [], "running": i64::from(running)}))
}
