//! The node itself: version, status, time, names, network.

use serde_json::{Map, Value, json};

use super::reply::Fail;
use super::route::{Answer, Call, Handler};
use super::{Version, World};

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    Some(match (method, path) {
        ("GET", "/version" | "/nodes/{node}/version") => version,
        ("GET", "/nodes") => list,
        ("GET", "/nodes/{node}/status") => status,
        ("GET", "/nodes/{node}/time") => time,
        ("GET", "/nodes/{node}/dns") => dns,
        ("GET", "/nodes/{node}/network") => network,
        ("GET", "/nodes/{node}/network/{iface}") => interface,
        ("GET", "/nodes/{node}/config") => config,
        ("PUT", "/nodes/{node}/config") => set_config,
        ("GET", "/nodes/{node}/subscription") => subscription,
        ("GET", "/nodes/{node}/rrddata") => rrddata,
        ("GET", "/nodes/{node}/report") => report,
        ("GET", "/nodes/{node}/netstat") => netstat,
        (
            "GET",
            "/nodes/{node}/services" | "/nodes/{node}/replication" | "/nodes/{node}/apt/update",
        ) => empty,
        _ => return None,
    })
}

fn empty(_: &mut World, _: &mut Call<'_>) -> Answer {
    Ok(json!([]))
}

fn full_version(version: Version) -> &'static str {
    match version {
        Version::V8_4 => "8.4.21",
        Version::V9_2 => "9.2.11",
    }
}

fn version(world: &mut World, _: &mut Call<'_>) -> Answer {
    let version = world.version();
    Ok(
        json!({"release": version.release(), "repoid": "4d7be9e6c8a1f20b", "version": full_version(version)}),
    )
}

fn list(world: &mut World, call: &mut Call<'_>) -> Answer {
    let name = world.node_name().to_owned();
    let mut row = json!({
        "id": format!("node/{name}"),
        "level": "",
        "node": name,
        "ssl_fingerprint": world.setup.fingerprint,
        "status": "online",
        "type": "node",
    });
    if world
        .check(&call.identity, &format!("/nodes/{name}"), &["Sys.Audit"])
        .is_ok()
    {
        for (key, value) in load(world) {
            row[key.as_str()] = value;
        }
    }
    Ok(json!([row]))
}

/// Processor, memory, disk and uptime of the node.
pub(crate) fn load(world: &World) -> Map<String, Value> {
    let host = &world.setup.host;
    let used: u64 = world
        .guests
        .values()
        .filter_map(|guest| guest.running.as_ref())
        .map(|running| running.usage.mem)
        .sum();
    let mut row = Map::new();
    row.insert("cpu".into(), json!(0.02));
    row.insert("maxcpu".into(), json!(host.cpus));
    row.insert(
        "mem".into(),
        json!((2u64 << 30).min(host.memory / 2) + used),
    );
    row.insert("maxmem".into(), json!(host.memory));
    row.insert("disk".into(), json!(world.used("local").min(host.disk)));
    row.insert("maxdisk".into(), json!(host.disk));
    row.insert("uptime".into(), json!(world.uptime()));
    row
}

fn status(world: &mut World, _: &mut Call<'_>) -> Answer {
    let host = world.setup.host.clone();
    let load = load(world);
    let used = load["mem"].as_u64().unwrap_or_default();
    let disk = load["disk"].as_u64().unwrap_or_default();
    let version = world.version();
    let kernel = if version == Version::V8_4 {
        "6.8.12-11-pve"
    } else {
        "6.17.2-1-pve"
    };
    let mut row = json!({
        "boot-info": {"mode": "efi", "secureboot": 0},
        "cpu": 0.02,
        "cpuinfo": {
            "cores": host.cpus, "cpus": host.cpus, "flags": "fpu sse sse2 avx avx2", "hvm": "1", "mhz": "2400.000",
            "model": "Simulated processor", "sockets": 1, "user_hz": 100,
        },
        "current-kernel": {
            "machine": "x86_64", "release": kernel, "sysname": "Linux", "version": "#1 SMP PREEMPT_DYNAMIC",
        },
        "idle": 0,
        "ksm": {"shared": 0},
        "kversion": format!("Linux {kernel} #1 SMP PREEMPT_DYNAMIC"),
        "loadavg": ["0.10", "0.12", "0.09"],
        "memory": {"free": host.memory - used, "total": host.memory, "used": used},
        "pveversion": format!("pve-manager/{}/4d7be9e6c8a1f20b", full_version(version)),
        "rootfs": {"avail": host.disk - disk, "free": host.disk - disk, "total": host.disk, "used": disk},
        "swap": {"free": 8u64 << 30, "total": 8u64 << 30, "used": 0},
        "uptime": world.uptime(),
        "wait": 0,
    });
    row["boot-info"] = json!({"mode": "legacy-bios"});
    if version == Version::V9_2 {
        row["memory"]["available"] = json!(host.memory - used);
        row["cpuinfo"]["family"] = json!("6");
        row["cpuinfo"]["vendor"] = json!("GenuineIntel");
    }
    Ok(row)
}

fn time(world: &mut World, _: &mut Call<'_>) -> Answer {
    let now = world.now().secs();
    Ok(json!({"localtime": now, "time": now, "timezone": "UTC"}))
}

fn dns(_: &mut World, _: &mut Call<'_>) -> Answer {
    Ok(json!({"dns1": "192.0.2.53", "search": "example.org"}))
}

fn bridge() -> Value {
    json!({
        "active": 1, "address": "192.0.2.10", "autostart": 1, "bridge_fd": "0", "bridge_ports": "eno1", "bridge_stp": "off",
        "cidr": "192.0.2.10/24", "families": ["inet"], "gateway": "192.0.2.1", "iface": "vmbr0", "method": "static",
        "method6": "manual", "netmask": "24", "priority": 3, "type": "bridge",
    })
}

fn card() -> Value {
    json!({
        "active": 1, "exists": 1, "families": ["inet"], "iface": "eno1", "method": "manual", "method6": "manual",
        "priority": 2, "type": "eth",
    })
}

fn network(_: &mut World, call: &mut Call<'_>) -> Answer {
    let kind = call.optional("type");
    let wanted = |row: &Value| match kind.as_deref() {
        None => true,
        Some("any_bridge" | "any_local_bridge") => row["type"] == "bridge",
        Some(kind) => row["type"] == *kind,
    };
    Ok([card(), bridge()].into_iter().filter(wanted).collect())
}

fn interface(_: &mut World, call: &mut Call<'_>) -> Answer {
    let mut row = match call.text("iface").as_str() {
        "vmbr0" => bridge(),
        "eno1" => card(),
        _ => return Err(Fail::param("iface", "interface does not exist")),
    };
    if let Some(row) = row.as_object_mut() {
        row.remove("iface");
    }
    Ok(row)
}

fn config(world: &mut World, call: &mut Call<'_>) -> Answer {
    let own = world
        .options
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix("node:")?.to_owned(), json!(value))));
    let mut row: Map<String, Value> = own.collect();
    if let Some(key) = call.optional("property") {
        row.retain(|name, _| *name == key);
    }
    row.insert(
        "digest".into(),
        json!(super::guest::sha1_hex(&format!("{:?}", world.options))),
    );
    Ok(Value::Object(row))
}

fn set_config(world: &mut World, call: &mut Call<'_>) -> Answer {
    let own = call
        .params
        .keys()
        .filter(|key| !matches!(key.as_str(), "node" | "digest" | "delete"));
    let own: Vec<(String, String)> = own
        .map(|key| (format!("node:{key}"), call.text(key)))
        .collect();
    for key in super::property::split_list(&call.text("delete")) {
        world.options.remove(&format!("node:{key}"));
    }
    world.options.extend(own);
    Ok(Value::Null)
}

fn subscription(_: &mut World, _: &mut Call<'_>) -> Answer {
    Ok(json!({
        "message": "There is no subscription key", "serverid": "0".repeat(32), "status": "notfound",
        "url": "https://www.proxmox.com/en/proxmox-virtual-environment/pricing",
    }))
}

fn rrddata(world: &mut World, _: &mut Call<'_>) -> Answer {
    let load = load(world);
    Ok(json!([{
        "time": world.now().secs(), "cpu": load["cpu"], "maxcpu": load["maxcpu"], "loadavg": 0.1, "iowait": 0,
        "memused": load["mem"], "memtotal": load["maxmem"], "rootused": load["disk"], "roottotal": load["maxdisk"],
        "netin": 0, "netout": 0, "swapused": 0, "swaptotal": 8u64 << 30,
    }]))
}

fn report(world: &mut World, _: &mut Call<'_>) -> Answer {
    Ok(json!(format!(
        "==== general system info ====\n\n# hostname\n{}\n",
        world.node_name()
    )))
}

fn netstat(world: &mut World, _: &mut Call<'_>) -> Answer {
    let running = world
        .guests
        .iter()
        .filter(|(_, guest)| guest.running.is_some());
    Ok(running
        .flat_map(|(vmid, guest)| {
            let nets = guest
                .config
                .keys()
                .filter(|key| key.starts_with("net") && key.as_str() != "nameserver");
            nets.map(|net| json!({"dev": net, "in": "0", "out": "0", "vmid": vmid.to_string()}))
                .collect::<Vec<_>>()
        })
        .collect())
}
