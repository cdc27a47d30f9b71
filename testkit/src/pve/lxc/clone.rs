//! Clones and templates.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::pve::World;
use crate::pve::guest::{Config, Guest, volumes};
use crate::pve::property::loose;
use crate::pve::reply::Fail;
use crate::pve::route::{Answer, Call, Handler};
use crate::pve::work::Work;

/// A clone on its way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Copy {
    source: u32,
    target: u32,
    full: bool,
    snapshot: Option<String>,
    hostname: Option<String>,
    description: Option<String>,
    storage: Option<String>,
    pool: Option<String>,
}

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    Some(match (method, path) {
        ("POST", "/nodes/{node}/lxc/{vmid}/clone") => clone,
        ("POST", "/nodes/{node}/lxc/{vmid}/template") => template,
        _ => return None,
    })
}

fn clone(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (source, target) = (call.vmid(), call.number("newid").unwrap_or_default() as u32);
    let pool = call.optional("pool");
    if let Some(pool) = &pool {
        world.need_pool(pool)?;
    }
    let guest = world.guest(source)?;
    let template = guest.is_template();
    let full = if call.has("full") {
        call.flag("full")
    } else {
        !template
    };
    let snapshot = call.optional("snapname").filter(|name| name != "current");
    let storage = call.optional("storage");
    world.check_lock(source)?;
    world.check_unused(target)?;
    possible(world, call, full, snapshot.as_ref())?;
    let copy = Copy {
        source,
        target,
        full: full || !template,
        snapshot,
        hostname: call.optional("hostname"),
        description: call.optional("description"),
        storage,
        pool,
    };
    world.guests.insert(
        target,
        Guest {
            config: Config::from([("lock".into(), "create".into())]),
            ..Guest::default()
        },
    );
    Ok(json!(world.spawn(
        call,
        "vzclone",
        &source.to_string(),
        Work::Clone(Box::new(copy))
    )))
}

/// Whether a container can be cloned like that.
fn possible(
    world: &World,
    call: &Call<'_>,
    full: bool,
    snapshot: Option<&String>,
) -> Result<(), Fail> {
    let source = call.vmid();
    let guest = world.guest(source)?;
    let template = guest.is_template();
    if let Some(name) = snapshot.filter(|name| !guest.snapshots.contains_key(*name)) {
        return Err(Fail::die(format!("snapshot '{name}' does not exist")));
    }
    if guest.running.is_some() && full && snapshot.is_none() && !template {
        return Err(Fail::die(
            "Full clone of a running container is only possible from a snapshot",
        ));
    }
    if let Some(storage) = call.optional("storage") {
        if !full {
            return Err(Fail::die(
                "parameter 'storage' not allowed for linked clones",
            ));
        }
        world.check_container_storage(&call.identity, &storage)?;
    }
    for (_, volume) in volumes(&guest.config)
        .into_iter()
        .filter(|_| template && !full)
    {
        let storage = volume.split(':').next().unwrap_or_default();
        if !world.storage(storage)?.has_snapshots() {
            return Err(Fail::die(format!(
                "Linked clone feature for '{volume}' is not available"
            )));
        }
    }
    Ok(())
}

/// A clone that was ended early leaves nothing.
pub(crate) fn abort(world: &mut World, copy: &Copy) {
    world.guests.remove(&copy.target);
}

pub(crate) fn finish(world: &mut World, copy: &Copy, log: &mut Vec<String>) -> Result<(), Fail> {
    if world.setup.real_guests {
        abort(world, copy);
        return Err(Fail::die(
            "clone failed: this node cannot copy real containers",
        ));
    }
    let source = world.guest(copy.source)?.clone();
    let mut config = copy
        .snapshot
        .as_ref()
        .and_then(|name| source.snapshots.get(name))
        .map_or(source.config, |snapshot| snapshot.config.clone());
    for key in ["template", "lock", "parent"] {
        config.remove(key);
    }
    config.retain(|key, _| !key.starts_with("unused"));
    for (key, volume) in volumes(&config) {
        let own = volume.split(':').next().unwrap_or("local").to_owned();
        let storage = copy.storage.clone().filter(|_| copy.full).unwrap_or(own);
        let size = world
            .volumes
            .get(&volume)
            .map_or_else(|| super::size_of(&config[&key]), |volume| volume.size);
        let fresh = world.allocate(&storage, copy.target, size);
        log.push(format!(
            "create {} clone of mountpoint {key} ({volume})",
            if copy.full { "full" } else { "linked" }
        ));
        let value = config[&key].replacen(&volume, &fresh, 1);
        config.insert(key, value);
    }
    let nets: Vec<String> = config
        .keys()
        .filter(|key| key.starts_with("net"))
        .cloned()
        .collect();
    for key in nets {
        if let Some(old) = loose(&config[&key], "name").get("hwaddr").cloned() {
            let value = config[&key].replace(&old, &world.chance.mac());
            config.insert(key, value);
        }
    }
    if let Some(hostname) = &copy.hostname {
        config.insert("hostname".into(), hostname.clone());
    }
    if let Some(description) = &copy.description {
        config.insert("description".into(), description.clone());
    }
    world.guests.insert(
        copy.target,
        Guest {
            config,
            ..Guest::default()
        },
    );
    if let Some(pool) = copy
        .pool
        .as_ref()
        .and_then(|pool| world.pools.get_mut(pool))
    {
        pool.guests.insert(copy.target);
    }
    Ok(())
}

/// Becoming a template takes no task: the answer says nothing.
fn template(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    let guest = world.guest(vmid)?;
    if !guest.snapshots.is_empty() {
        return Err(Fail::die(
            "unable to create template, because CT contains snapshots",
        ));
    }
    world.check_lock(vmid)?;
    let guest = world.guest(vmid)?;
    if guest.is_template() {
        return Err(Fail::die("you can't convert a template to a template"));
    }
    if guest.running.is_some() {
        return Err(Fail::die(
            "you can't convert a CT to template if the CT is running",
        ));
    }
    for (key, volume) in guest.volumes() {
        let storage = volume.split(':').next().unwrap_or("local").to_owned();
        let size = world.volumes.get(&volume).map_or(0, |volume| volume.size);
        let base = world.allocate_as(&storage, vmid, size, "base");
        world.volumes.remove(&volume);
        let guest = world.guest_mut(vmid)?;
        let value = guest.config[&key].replacen(&volume, &base, 1);
        guest.config.insert(key, value);
    }
    world
        .guest_mut(vmid)?
        .config
        .insert("template".into(), "1".into());
    Ok(Value::Null)
}
