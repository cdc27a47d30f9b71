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
    world.check_lock(vmid)?;
    check_digest(world.guest(vmid)?, call.optional("digest").as_deref())?;
    let old = world.guest(vmid)?.config.clone();
    let list = |name: &str| {
        call.optional(name)
            .map(|text| split_list(&text).map(str::to_owned).collect::<Vec<_>>())
    };
    let (delete, revert) = (
        list("delete").unwrap_or_default(),
        list("revert").unwrap_or_default(),
    );
    let unprivileged = old.get("unprivileged").is_some_and(|value| value == "1");
    let change = Change {
        who: &call.identity,
        vmid,
        pool: None,
        old: &old,
        unprivileged,
    };
    delete
        .iter()
        .chain(&revert)
        .try_for_each(|key| world.check_change(&change, key, None))?;
    revert
        .iter()
        .try_for_each(|key| may_name(call, "revert", key, &new, &[]))?;
    delete
        .iter()
        .try_for_each(|key| may_name(call, "delete", key, &new, &revert))?;
    world.check_changes(&change, &new)?;
    // Everything is looked at before anything is changed.
    delete
        .iter()
        .try_for_each(|key| may_delete(world, vmid, key))?;
    let values: Vec<(String, String)> = new
        .iter()
        .map(|(key, value)| Ok((key.clone(), normal(world, call, vmid, key, value)?)))
        .collect::<Result<_, Fail>>()?;
    for key in &revert {
        let guest = world.guest_mut(vmid)?;
        guest.pending.remove(key);
        guest.deletions.retain(|other| other != key);
    }
    delete.iter().try_for_each(|key| remove(world, vmid, key))?;
    for (key, value) in values {
        let value = materialized(world, call, vmid, &key, value)?;
        set(world, vmid, &key, value)?;
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

/// Whether `delete` or `revert` may name a key.
fn may_name(
    call: &Call<'_>,
    list: &str,
    key: &str,
    new: &IndexMap<String, String>,
    reverted: &[String],
) -> Result<(), Fail> {
    let known = call.endpoint.property(key).is_some() && !CONTROL.contains(&key);
    if !known {
        return Err(Fail::param(list, format!("unknown option '{key}'")));
    }
    if new.contains_key(key) {
        return Err(Fail::param(
            list,
            match list {
                "delete" => format!("you can't use '-{key}' and -delete {key}' at the same time"),
                _ => format!("you can't use '-{key}' and '-revert {key}' at the same time"),
            },
        ));
    }
    if reverted.iter().any(|other| other == key) {
        let text = format!("you can't use '-delete {key}' and '-revert {key}' at the same time");
        return Err(Fail::param(list, text));
    }
    Ok(())
}

/// Some keys cannot go; one that is not set needs not to.
fn may_delete(world: &World, vmid: u32, key: &str) -> Result<(), Fail> {
    let guest = world.guest(vmid)?;
    if !guest.config.contains_key(key) && !guest.pending.contains_key(key) {
        return Ok(());
    }
    match key {
        "memory" | "rootfs" | "ostype" => Err(Fail::die(format!(
            "unable to delete required option '{key}'"
        ))),
        "unprivileged" => Err(Fail::die(format!(
            "unable to delete read-only option: '{key}'"
        ))),
        _ if is_volume_key(key) => super::destroy::check_protection(
            world,
            vmid,
            &format!("can't remove CT {vmid} drive '{key}'"),
        ),
        _ => Ok(()),
    }
}

fn remove(world: &mut World, vmid: u32, key: &str) -> Result<(), Fail> {
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

/// A value as the server writes it; nothing is made yet.
fn normal(
    world: &mut World,
    call: &Call<'_>,
    vmid: u32,
    key: &str,
    value: &str,
) -> Result<String, Fail> {
    match key.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "unprivileged" => Err(Fail::die(format!(
            "unable to modify read-only option: '{key}'"
        ))),
        "net" => {
            network::check_mtu(key, value)?;
            let stored = network::complete(world, call, key, value)?;
            let missing = network::bridge(value).filter(|bridge| !bridge.starts_with("vmbr"));
            match missing.filter(|_| world.is_running(vmid)) {
                None => Ok(stored),
                Some(bridge) => {
                    // A running container keeps the new value although plugging it in has failed.
                    world.guest_mut(vmid)?.config.insert(key.to_owned(), stored);
                    Err(Fail::die(format!("bridge '{bridge}' does not exist")))
                }
            }
        }
        "mp" | "rootfs" => {
            let doing = format!("can't update CT {vmid} drive '{key}'");
            super::destroy::check_protection(world, vmid, &doing)?;
            let volume = value.split(',').next().unwrap_or_default();
            let named = volume.split_once(':').filter(|_| !volume.starts_with('/'));
            if let Some((storage, _)) = named
                && !world.storage(storage)?.offers("rootdir")
            {
                return Err(Fail::die(format!(
                    "storage '{storage}' does not allow content type 'rootdir' (Container)"
                )));
            }
            volumes::rewrite(call, key, value)
        }
        _ => Ok(plain(key, value)),
    }
}

/// A mount point whose volume has been made, where it asked for a new one.
fn materialized(
    world: &mut World,
    call: &Call<'_>,
    vmid: u32,
    key: &str,
    value: String,
) -> Result<String, Fail> {
    let asks =
        key.starts_with("mp") && new_disk(value.split(',').next().unwrap_or_default()).is_some();
    let replaces = world.is_running(vmid) && world.guest(vmid)?.config.contains_key(key);
    if asks && !replaces {
        volumes::materialize(world, call, vmid, key, &value)
    } else {
        Ok(value)
    }
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
