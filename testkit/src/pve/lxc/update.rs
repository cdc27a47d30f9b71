//! Changing a container's configuration: at once, live, or pending until the next start.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::rights::{Change, new_disk};
use super::{network, volumes};
use crate::pve::World;
use crate::pve::guest::{Config, check_digest, is_volume_key};
use crate::pve::property::split_list;
use crate::pve::reply::{Effect, Fail};
use crate::pve::route::{Answer, Call, Handler};
use crate::pve::verify::text_of;
use crate::pve::work::{Action, Job};

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    matches!((method, path), ("PUT", "/nodes/{node}/lxc/{vmid}/config"))
        .then_some(update as Handler)
}

/// Keys that change at once, whether the container runs or not.
const LIVE: [&str; 13] = [
    "description",
    "onboot",
    "startup",
    "protection",
    "hostname",
    "hookscript",
    "cores",
    "tags",
    "lock",
    "memory",
    "swap",
    "cpulimit",
    "cpuunits",
];

/// Keys of the call that are no configuration.
const CONTROL: [&str; 5] = ["node", "vmid", "digest", "delete", "revert"];

fn update(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    let new = settings(call);
    if new.is_empty() && !call.has("delete") && !call.has("revert") {
        return Err(Fail::die("no options specified"));
    }
    let (delete, revert) = (words(call, "delete", &new)?, words(call, "revert", &new)?);
    let guest = world.guest(vmid)?;
    let old = guest.config.clone();
    let change = Change {
        who: &call.identity,
        vmid,
        pool: None,
        old: &old,
        unprivileged: old.get("unprivileged").is_some_and(|value| value == "1"),
    };
    delete
        .iter()
        .try_for_each(|key| world.check_change(&change, key, None))?;
    revert
        .iter()
        .try_for_each(|key| world.check_change(&change, key, None))?;
    world.check_changes(&change, &new)?;
    check_digest(world.guest(vmid)?, call.optional("digest").as_deref())?;
    if !(call.is_root() && (delete.iter().any(|key| key == "lock") || new.contains_key("lock"))) {
        world.check_lock(vmid)?;
    }
    for key in &revert {
        let guest = world.guest_mut(vmid)?;
        guest.pending.remove(key);
        guest.deletions.retain(|other| other != key);
    }
    delete.iter().try_for_each(|key| remove(world, vmid, key))?;
    for (key, value) in &new {
        let value = normal(world, call, vmid, key, value)?;
        set(world, vmid, key, value)?;
    }
    tell_guest(world, vmid, old)?;
    Ok(Value::Null)
}

/// The configuration keys of a call.
pub(super) fn settings(call: &Call<'_>) -> IndexMap<String, String> {
    let own = call
        .params
        .iter()
        .filter(|(key, _)| !CONTROL.contains(&key.as_str()));
    // A null is stored as one blank: so does the real server.
    own.map(|(key, value)| {
        (
            key.clone(),
            if value.is_null() {
                " ".to_owned()
            } else {
                text_of(value)
            },
        )
    })
    .collect()
}

/// The keys of `delete` or `revert`.
fn words(call: &Call<'_>, name: &str, new: &IndexMap<String, String>) -> Result<Vec<String>, Fail> {
    let list = call.optional(name).unwrap_or_default();
    for key in split_list(&list) {
        if new.contains_key(key) {
            let text = match name {
                "delete" => format!("you can't use '-{key}' and -delete {key}' at the same time"),
                _ => format!("you can't use '-{key}' and '-revert {key}' at the same time"),
            };
            return Err(Fail::param(name, text));
        }
        let known = call.endpoint.property(key).is_some() && !CONTROL.contains(&key);
        if !known {
            return Err(Fail::param(name, format!("unknown option '{key}'")));
        }
    }
    Ok(split_list(&list).map(str::to_owned).collect())
}

fn remove(world: &mut World, vmid: u32, key: &str) -> Result<(), Fail> {
    if matches!(key, "memory" | "rootfs" | "ostype") {
        return Err(Fail::die(format!(
            "unable to delete required option '{key}'"
        )));
    }
    if key == "unprivileged" {
        return Err(Fail::die(
            "unable to delete read-only option: 'unprivileged'",
        ));
    }
    let running = world.is_running(vmid);
    let guest = world.guest_mut(vmid)?;
    if let Some(volume) = guest
        .config
        .get(key)
        .filter(|_| key.starts_with("unused"))
        .cloned()
    {
        guest.config.remove(key);
        world.discard(&volume);
        return Ok(());
    }
    if !guest.config.contains_key(key) && !guest.pending.contains_key(key) {
        return Ok(());
    }
    let live = LIVE.contains(&key) || key.starts_with("net");
    if running && !live {
        if !guest.deletions.iter().any(|other| other == key) {
            guest.deletions.push(key.to_owned());
        }
        return Ok(());
    }
    guest.pending.remove(key);
    drop_key(&mut guest.config, key);
    Ok(())
}

/// Removes a key; the volume of a mount point becomes an unused one.
pub(super) fn drop_key(config: &mut Config, key: &str) {
    let Some(value) = config.remove(key) else {
        return;
    };
    if is_volume_key(key) && !key.starts_with("unused") {
        let volume = value.split(',').next().unwrap_or_default();
        if volume.contains(':') {
            volumes::add_unused(config, volume);
        }
    }
}

/// A value as the server writes it.
fn normal(
    world: &mut World,
    call: &Call<'_>,
    vmid: u32,
    key: &str,
    value: &str,
) -> Result<String, Fail> {
    let base = key.trim_end_matches(|c: char| c.is_ascii_digit());
    match base {
        "unprivileged" => Err(Fail::die(format!(
            "unable to modify read-only option: '{key}'"
        ))),
        "net" => {
            let known = |bridge: &String| bridge.starts_with("vmbr");
            if let Some(bridge) =
                network::bridge(value).filter(|bridge| !known(bridge) && world.is_running(vmid))
            {
                let stored = network::complete(world, call, key, value)?;
                world.guest_mut(vmid)?.config.insert(key.to_owned(), stored);
                return Err(Fail::die(format!("bridge '{bridge}' does not exist")));
            }
            network::complete(world, call, key, value)
        }
        "mp" | "rootfs" => mount(world, call, vmid, key, value),
        _ => Ok(plain(key, value)),
    }
}

fn mount(
    world: &mut World,
    call: &Call<'_>,
    vmid: u32,
    key: &str,
    value: &str,
) -> Result<String, Fail> {
    if let Some((storage, _)) = new_disk(value.split(',').next().unwrap_or_default()) {
        world.check_container_storage(&call.identity, storage)?;
        if key != "rootfs" {
            let value = volumes::materialize(world, call, vmid, key, value)?;
            return Ok(value);
        }
    }
    volumes::rewrite(call, key, value)
}

/// Values that are rewritten without looking at anything else.
pub(super) fn plain(key: &str, value: &str) -> String {
    match key {
        "tags" => {
            let mut tags: Vec<String> = split_list(value).map(str::to_lowercase).collect();
            tags.sort_unstable();
            tags.dedup();
            tags.join(";")
        }
        "nameserver" | "searchdomain" => split_list(value).collect::<Vec<_>>().join(" "),
        "memory" | "swap" | "cores" | "cpuunits" | "tty" => value
            .parse::<u64>()
            .map_or_else(|_| value.to_owned(), |number| number.to_string()),
        _ => value.to_owned(),
    }
}

fn set(world: &mut World, vmid: u32, key: &str, value: String) -> Result<(), Fail> {
    let running = world.is_running(vmid);
    let guest = world.guest_mut(vmid)?;
    guest.deletions.retain(|other| other != key);
    let live = LIVE.contains(&key)
        || key.starts_with("net")
        || (key.starts_with("mp") && !guest.config.contains_key(key));
    if running && !live {
        if guest.config.get(key) == Some(&value) {
            guest.pending.remove(key);
        } else {
            guest.pending.insert(key.to_owned(), value);
        }
        return Ok(());
    }
    if key == "description" && value.is_empty() || key == "tags" && value.is_empty() {
        guest.config.remove(key);
        return Ok(());
    }
    // The volume that a mount point had before becomes unused.
    if is_volume_key(key) {
        let old = guest
            .config
            .get(key)
            .and_then(|old| old.split(',').next())
            .map(str::to_owned);
        if let Some(old) = old
            .filter(|old| !value.starts_with(old.as_str()) && old.contains(':') && key != "rootfs")
        {
            volumes::add_unused(&mut guest.config, &old);
        }
    }
    guest.config.insert(key.to_owned(), value);
    Ok(())
}

/// What waited for a restart becomes true.
pub(super) fn apply_pending(
    config: &mut Config,
    pending: &mut Config,
    deletions: &mut Vec<String>,
) {
    for key in std::mem::take(deletions) {
        pending.remove(&key);
        drop_key(config, &key);
    }
    config.append(pending);
}

/// A real guest that runs learns of its new limits.
fn tell_guest(world: &mut World, vmid: u32, before: BTreeMap<String, String>) -> Result<(), Fail> {
    if !world.setup.real_guests || !world.is_running(vmid) {
        return Ok(());
    }
    let after = world.guest(vmid)?.config.clone();
    if before != after {
        let action = Action::Apply {
            vmid,
            before,
            after,
        };
        world.effects.push(Effect::Guest(Job {
            upid: String::new(),
            action,
        }));
    }
    Ok(())
}
