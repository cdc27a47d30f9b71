//! Containers: lists and status; the work itself is in the modules below.

use serde_json::{Map, Value, json};

use super::World;
use super::guest::{Guest, ext4_capacity};
use super::property::{loose, parse_size};
use super::route::{Answer, Call, Handler};

pub(crate) mod clone;
pub(crate) mod config;
pub(crate) mod create;
pub(crate) mod destroy;
mod network;
pub(crate) mod power;
mod rights;
pub(crate) mod snapshot;
mod update;
pub(crate) mod volumes;

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    let own: Option<Handler> = match (method, path) {
        ("GET", "/nodes/{node}/lxc") => Some(list),
        ("GET", "/nodes/{node}/lxc/{vmid}") => Some(index),
        ("GET", "/nodes/{node}/lxc/{vmid}/status") => Some(actions),
        ("GET", "/nodes/{node}/lxc/{vmid}/status/current") => Some(current),
        ("GET", "/nodes/{node}/lxc/{vmid}/interfaces") => Some(interfaces),
        ("GET", "/nodes/{node}/lxc/{vmid}/rrddata") => Some(rrddata),
        ("GET", "/nodes/{node}/lxc/{vmid}/feature") => Some(snapshot::feature),
        _ => None,
    };
    own.or_else(|| create::handler(method, path))
        .or_else(|| config::handler(method, path))
        .or_else(|| update::handler(method, path))
        .or_else(|| power::handler(method, path))
        .or_else(|| destroy::handler(method, path))
        .or_else(|| volumes::handler(method, path))
        .or_else(|| clone::handler(method, path))
        .or_else(|| snapshot::handler(method, path))
}

/// Status of a container, as lists and `status/current` show it.
pub(crate) fn status(world: &World, vmid: u32, guest: &Guest) -> Map<String, Value> {
    let mut row = Map::new();
    let running = guest.running.as_ref();
    let word = running.map_or("stopped", |running| match running.suspended {
        true => "suspended",
        false => "running",
    });
    row.insert("status".into(), json!(word));
    row.insert("vmid".into(), json!(vmid));
    row.insert("type".into(), json!("lxc"));
    row.insert("name".into(), json!(guest.name(vmid)));
    if let Some(tags) = guest.config.get("tags").filter(|tags| !tags.is_empty()) {
        row.insert("tags".into(), json!(tags));
    }
    if guest.is_template() {
        row.insert("template".into(), json!(1));
    }
    if let Some(lock) = guest.lock() {
        row.insert("lock".into(), json!(lock));
    }
    let cores = guest
        .number("cores")
        .unwrap_or_else(|| u64::from(world.setup.host.cpus));
    let limit = guest
        .config
        .get("cpulimit")
        .and_then(|text| text.parse::<f64>().ok())
        .filter(|limit| *limit > 0.0);
    row.insert(
        "cpus".into(),
        limit
            .filter(|limit| *limit < cores as f64)
            .map_or_else(|| json!(cores), |limit| json!(limit)),
    );
    row.insert(
        "maxmem".into(),
        json!(guest.number("memory").unwrap_or(512) << 20),
    );
    row.insert(
        "maxswap".into(),
        json!(guest.number("swap").unwrap_or(0) << 20),
    );
    let raw = guest
        .config
        .get("rootfs")
        .is_some_and(|rootfs| rootfs.contains(".raw"));
    let size = guest.disk_size();
    row.insert(
        "maxdisk".into(),
        json!(if running.is_some() && raw {
            ext4_capacity(size)
        } else {
            size
        }),
    );
    usage(guest, &mut row);
    let uptime = running.map_or(0, |running| {
        (world.now().millis().saturating_sub(running.since.millis())) / 1000
    });
    row.insert("uptime".into(), json!(uptime));
    if let Some(running) = running {
        row.insert("pid".into(), json!(running.pid));
    }
    row
}

/// What a container uses right now.
fn usage(guest: &Guest, row: &mut Map<String, Value>) {
    let running = guest.running.as_ref();
    let usage = running
        .map(|running| running.usage.clone())
        .unwrap_or_default();
    row.insert(
        "cpu".into(),
        if usage.cpu == 0.0 {
            json!(0)
        } else {
            json!(usage.cpu)
        },
    );
    for (name, value) in [
        ("mem", usage.mem),
        ("swap", usage.swap),
        ("disk", usage.disk),
        ("netin", usage.netin),
        ("netout", usage.netout),
        ("diskread", usage.diskread),
        ("diskwrite", usage.diskwrite),
    ] {
        row.insert(name.into(), json!(value));
    }
}

fn list(world: &mut World, call: &mut Call<'_>) -> Answer {
    let visible = |vmid: u32| {
        world
            .check(&call.identity, &format!("/vms/{vmid}"), &["VM.Audit"])
            .is_ok()
    };
    Ok(world
        .guests
        .iter()
        .filter(|(vmid, _)| visible(**vmid))
        .map(|(vmid, guest)| Value::Object(status(world, *vmid, guest)))
        .collect())
}

fn current(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    let mut row = status(world, vmid, world.guest(vmid)?);
    row.insert("ha".into(), json!({"managed": 0}));
    Ok(Value::Object(row))
}

fn index(world: &mut World, call: &mut Call<'_>) -> Answer {
    world.guest(call.vmid())?;
    let names = [
        "config",
        "pending",
        "status",
        "vncproxy",
        "termproxy",
        "vncwebsocket",
        "spiceproxy",
        "migrate",
        "clone",
        "rrd",
        "rrddata",
        "firewall",
        "snapshot",
        "resize",
        "interfaces",
    ];
    Ok(names.iter().map(|name| json!({"subdir": name})).collect())
}

fn actions(world: &mut World, call: &mut Call<'_>) -> Answer {
    world.guest(call.vmid())?;
    Ok(
        ["current", "start", "stop", "shutdown", "reboot", "migrate"]
            .iter()
            .map(|name| json!({"subdir": name}))
            .collect(),
    )
}

/// The interfaces of a running container: what its configuration gives it. A real guest's come
/// from the guest itself.
fn interfaces(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    let Some(guest) = world
        .guests
        .get(&vmid)
        .filter(|guest| guest.running.is_some())
    else {
        return Ok(Value::Null);
    };
    if let Some(list) = guest
        .running
        .as_ref()
        .and_then(|running| running.interfaces.as_ref())
    {
        let one = |list: &[String]| list.first().cloned();
        return Ok(list
            .iter()
            .map(|i| {
                interface(
                    &i.name,
                    &i.hwaddr,
                    one(&i.inet).as_deref(),
                    one(&i.inet6).as_deref(),
                )
            })
            .collect());
    }
    let mut rows = vec![interface(
        "lo",
        "00:00:00:00:00:00",
        Some("127.0.0.1/8"),
        Some("::1/128"),
    )];
    for (key, value) in &guest.config {
        if key.starts_with("net") && key[3..].parse::<u8>().is_ok() {
            let net = loose(value, "name");
            let address = |name: &str| {
                net.get(name)
                    .map(String::as_str)
                    .filter(|text| text.contains('/'))
            };
            let name = net.get("name").map_or("eth0", String::as_str);
            let mac = net
                .get("hwaddr")
                .map(|mac| mac.to_lowercase())
                .unwrap_or_default();
            rows.push(interface(name, &mac, address("ip"), address("ip6")));
        }
    }
    Ok(Value::Array(rows))
}

fn interface(name: &str, mac: &str, four: Option<&str>, six: Option<&str>) -> Value {
    let mut row = json!({"name": name, "hwaddr": mac, "hardware-address": mac});
    let mut addresses = Vec::new();
    for (key, kind, address) in [("inet", "inet", four), ("inet6", "inet6", six)] {
        if let Some(address) = address {
            row[key] = json!(address);
            let (ip, prefix) = address.split_once('/').unwrap_or((address, "32"));
            addresses.push(json!({"ip-address": ip, "ip-address-type": kind, "prefix": prefix}));
        }
    }
    row["ip-addresses"] = json!(addresses);
    row
}

/// One point: the present.
fn rrddata(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    let row = status(world, vmid, world.guest(vmid)?);
    let mut point = json!({"time": world.now().secs()});
    for key in [
        "cpu",
        "mem",
        "maxmem",
        "disk",
        "maxdisk",
        "netin",
        "netout",
        "diskread",
        "diskwrite",
    ] {
        point[key] = row[key].clone();
    }
    point["maxcpu"] = row["cpus"].clone();
    Ok(json!([point]))
}

/// Bytes of a mount point by its configuration.
pub(crate) fn size_of(value: &str) -> u64 {
    loose(value, "volume")
        .get("size")
        .and_then(|size| parse_size(size))
        .unwrap_or_default()
}
