//! The cluster of one node: resources, free ids, log, options, status.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::reply::Fail;
use super::route::{Answer, Call, Handler};
use super::{Version, World, lxc, nodes};

/// How many events the cluster log remembers.
const KEPT: usize = 500;

/// A line of the cluster log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    id: u64,
    time: i64,
    user: String,
    message: String,
}

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    Some(match (method, path) {
        ("GET", "/cluster/resources") => resources,
        ("GET", "/cluster/nextid") => next_id,
        ("GET", "/cluster/status") => status,
        ("GET", "/cluster/log") => log,
        ("GET", "/cluster/options") => options,
        ("PUT", "/cluster/options") => set_options,
        ("GET", "/cluster/config/join") => join,
        ("GET", "/cluster/ha/status/current") => quorum,
        ("GET", "/cluster/ha/status/manager_status") => manager,
        (
            "GET",
            "/cluster/config/nodes"
            | "/cluster/ha/resources"
            | "/cluster/ha/groups"
            | "/cluster/ha/rules"
            | "/cluster/replication"
            | "/cluster/firewall/groups"
            | "/cluster/firewall/rules"
            | "/cluster/firewall/aliases"
            | "/cluster/firewall/ipset"
            | "/cluster/firewall/refs"
            | "/cluster/sdn/vnets"
            | "/cluster/sdn/controllers"
            | "/cluster/sdn/zones"
            | "/cluster/metrics/server"
            | "/cluster/mapping/pci"
            | "/cluster/mapping/usb"
            | "/cluster/mapping/dir"
            | "/nodes/{node}/lxc/{vmid}/firewall/rules"
            | "/nodes/{node}/lxc/{vmid}/firewall/aliases"
            | "/nodes/{node}/lxc/{vmid}/firewall/ipset"
            | "/nodes/{node}/firewall/rules",
        ) => nothing,
        (
            "GET",
            "/nodes/{node}/lxc/{vmid}/firewall/options"
            | "/cluster/firewall/options"
            | "/nodes/{node}/firewall/options",
        ) => no_options,
        _ => return None,
    })
}

fn nothing(_: &mut World, _: &mut Call<'_>) -> Answer {
    Ok(json!([]))
}

fn no_options(_: &mut World, _: &mut Call<'_>) -> Answer {
    Ok(json!({"digest": super::guest::sha1_hex("")}))
}

impl World {
    pub(crate) fn log_event(&mut self, user: &str, message: &str) {
        let id = self.events.back().map_or(1, |event| event.id + 1);
        let event = Event {
            id,
            time: self.now().secs(),
            user: user.to_owned(),
            message: message.to_owned(),
        };
        self.events.push_back(event);
        if self.events.len() > KEPT {
            self.events.pop_front();
        }
    }
}

/// A guest as resources and pools list it.
pub(crate) fn guest_row(world: &World, vmid: u32) -> Option<Map<String, Value>> {
    let guest = world.guests.get(&vmid)?;
    let mut row = lxc::status(world, vmid, guest);
    for key in ["cpus", "maxswap", "swap", "pid"] {
        row.remove(key);
    }
    let cores = guest
        .number("cores")
        .unwrap_or_else(|| u64::from(world.setup.host.cpus));
    row.insert("maxcpu".into(), json!(cores));
    row.insert("id".into(), json!(format!("lxc/{vmid}")));
    row.insert("node".into(), json!(world.node_name()));
    row.insert("template".into(), json!(i64::from(guest.is_template())));
    if let Some((pool, _)) = world
        .pools
        .iter()
        .find(|(_, pool)| pool.guests.contains(&vmid))
    {
        row.insert("pool".into(), json!(pool));
    }
    if world.version() == Version::V9_2 {
        row.insert("memhost".into(), row["mem"].clone());
    }
    Some(row)
}

/// A storage as resources and pools list it.
pub(crate) fn storage_row(world: &World, name: &str) -> Option<Map<String, Value>> {
    let storage = world.storages.get(name)?;
    let enabled = storage.is_enabled(world.node_name());
    let mut row = Map::new();
    row.insert(
        "id".into(),
        json!(format!("storage/{}/{name}", world.node_name())),
    );
    row.insert("storage".into(), json!(name));
    row.insert("node".into(), json!(world.node_name()));
    row.insert("type".into(), json!("storage"));
    row.insert("plugintype".into(), json!(storage.kind));
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
    row.insert(
        "status".into(),
        json!(if enabled { "available" } else { "unknown" }),
    );
    if enabled {
        row.insert(
            "disk".into(),
            json!(world.used(name).min(world.setup.host.disk)),
        );
        row.insert("maxdisk".into(), json!(world.setup.host.disk));
    }
    Some(row)
}

fn node_row(world: &World, audit: bool) -> Value {
    let name = world.node_name();
    let mut row = json!({
        "cgroup-mode": world.setup.host.cgroup,
        "id": format!("node/{name}"),
        "level": "",
        "node": name,
        "status": "online",
        "type": "node",
    });
    if audit {
        for (key, value) in nodes::load(world) {
            row[key.as_str()] = value;
        }
    }
    row
}

fn zone_row(world: &World) -> Value {
    let name = world.node_name();
    match world.version() {
        Version::V8_4 => {
            json!({"id": format!("sdn/{name}/localnetwork"), "node": name, "sdn": "localnetwork", "status": "ok", "type": "sdn"})
        }
        Version::V9_2 => json!({
            "id": format!("network/{name}/zone/localnetwork"), "network": "localnetwork", "network-type": "zone",
            "node": name, "status": "ok", "type": "network",
        }),
    }
}

fn resources(world: &mut World, call: &mut Call<'_>) -> Answer {
    let kind = call.optional("type");
    let wants = |wanted: &str| kind.as_deref().is_none_or(|kind| kind == wanted);
    let may = |path: String, needed: &str| world.check(&call.identity, &path, &[needed]).is_ok();
    let mut rows = Vec::new();
    if kind.is_none() {
        let seen = world
            .pools
            .keys()
            .filter(|name| may(format!("/pool/{name}"), "Pool.Audit"));
        rows.extend(seen.map(|name| pool_row(world, name)));
    }
    if wants("vm") {
        for vmid in world
            .guests
            .keys()
            .filter(|vmid| may(format!("/vms/{vmid}"), "VM.Audit"))
        {
            let mut row = guest_row(world, *vmid).unwrap_or_default();
            let pool = row.get("pool").and_then(Value::as_str).map(str::to_owned);
            if pool.is_some_and(|pool| !may(format!("/pool/{pool}"), "Pool.Audit")) {
                row.remove("pool");
            }
            rows.push(Value::Object(row));
        }
    }
    if wants("node") {
        rows.push(node_row(
            world,
            may(format!("/nodes/{}", world.node_name()), "Sys.Audit"),
        ));
    }
    if wants("storage") {
        let enabled = |name: &&String| world.usable_storage(name).is_ok();
        let seen = world.storages.keys().filter(enabled);
        let seen = seen.filter(|name| may(format!("/storage/{name}"), "Datastore.Audit"));
        rows.extend(
            seen.filter_map(|name| storage_row(world, name))
                .map(Value::Object),
        );
    }
    let zone = if world.version() == Version::V8_4 {
        "sdn"
    } else {
        "network"
    };
    if wants(zone) && may("/sdn/zones/localnetwork".to_owned(), "SDN.Audit") {
        rows.push(zone_row(world));
    }
    Ok(Value::Array(rows))
}

/// A pool with the sums of its running guests.
fn pool_row(world: &World, name: &str) -> Value {
    let mut row = json!({"id": format!("/pool/{name}"), "pool": name, "type": "pool"});
    let guests = world
        .pools
        .get(name)
        .map(|pool| pool.guests.clone())
        .unwrap_or_default();
    let running = guests
        .iter()
        .filter(|vmid| world.is_running(**vmid))
        .filter_map(|vmid| guest_row(world, *vmid));
    for guest in running.filter(|guest| guest["uptime"].as_u64() > Some(0)) {
        for key in ["mem", "maxmem", "maxcpu"] {
            let sum =
                row[key].as_u64().unwrap_or_default() + guest[key].as_u64().unwrap_or_default();
            row[key] = json!(sum);
        }
        row["uptime"] = json!(row["uptime"].as_u64().max(guest["uptime"].as_u64()));
        row["cpu"] = json!(row["cpu"].as_f64().unwrap_or_default());
    }
    row
}

fn next_id(world: &mut World, call: &mut Call<'_>) -> Answer {
    if let Some(vmid) = call.number("vmid") {
        if u32::try_from(vmid).is_ok_and(|vmid| world.guests.contains_key(&vmid)) {
            return Err(Fail::param("vmid", format!("VM {vmid} already exists")));
        }
        return Ok(json!(vmid.to_string()));
    }
    let free = (100u32..)
        .find(|vmid| !world.guests.contains_key(vmid))
        .unwrap_or(100);
    Ok(json!(free.to_string()))
}

fn status(world: &mut World, _: &mut Call<'_>) -> Answer {
    let name = world.node_name();
    Ok(json!([{
        "id": format!("node/{name}"), "ip": "127.0.0.1", "level": "", "local": 1, "name": name, "nodeid": 0, "online": 1,
        "type": "node",
    }]))
}

fn log(world: &mut World, call: &mut Call<'_>) -> Answer {
    let all = world.check(&call.identity, "/", &["Sys.Syslog"]).is_ok();
    let max = call.number("max").map_or(usize::MAX, |max| max as usize);
    let own = |event: &&Event| all || event.user == call.identity;
    Ok(world
        .events
        .iter()
        .rev()
        .filter(own)
        .take(max)
        .map(|event| {
            json!({
                "id": format!("{}", event.id), "uid": format!("{:x}", event.id), "msg": event.message,
                "node": world.node_name(), "pid": 1000 + event.id, "pri": 6, "tag": "pvedaemon", "time": event.time,
                "user": event.user,
            })
        })
        .collect())
}

fn options(world: &mut World, _: &mut Call<'_>) -> Answer {
    let own = world.options.iter().filter(|(key, _)| !key.contains(':'));
    let mut row: Map<String, Value> = own
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    row.entry("mac_prefix").or_insert(json!("BC:24:11"));
    row.entry("allowed-tags").or_insert(json!([]));
    Ok(Value::Object(row))
}

fn set_options(world: &mut World, call: &mut Call<'_>) -> Answer {
    for key in super::property::split_list(&call.text("delete")) {
        world.options.remove(key);
    }
    let own: Vec<String> = call
        .params
        .keys()
        .filter(|key| key.as_str() != "delete")
        .cloned()
        .collect();
    for key in own {
        let value = call.text(&key);
        world.options.insert(key, value);
    }
    Ok(Value::Null)
}

fn join(_: &mut World, _: &mut Call<'_>) -> Answer {
    Err(Fail::api(
        424,
        "node is not in a cluster, no join info available!",
        true,
    ))
}

fn quorum(_: &mut World, _: &mut Call<'_>) -> Answer {
    Ok(json!([{"id": "quorum", "node": "", "quorate": 1, "status": "OK", "type": "quorum"}]))
}

fn manager(world: &mut World, _: &mut Call<'_>) -> Answer {
    Ok(
        json!({"manager_status": {"node_status": {}}, "quorum": {"node": world.node_name(), "quorate": "1"}, "lrm_status": {}}),
    )
}
