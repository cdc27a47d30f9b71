//! Reading a container's configuration: types as the API gives them, pending changes, snapshots.

use serde_json::{Map, Value, json};

use crate::pve::World;
use crate::pve::guest::Config;
use crate::pve::reply::Fail;
use crate::pve::route::{Answer, Call, Handler};

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    Some(match (method, path) {
        ("GET", "/nodes/{node}/lxc/{vmid}/config") => read,
        ("GET", "/nodes/{node}/lxc/{vmid}/pending") => pending,
        _ => return None,
    })
}

/// Keys that are numbers in JSON; `cpulimit` is not.
const NUMBERS: [&str; 12] = [
    "console",
    "cores",
    "cpuunits",
    "debug",
    "memory",
    "onboot",
    "protection",
    "swap",
    "template",
    "tty",
    "unprivileged",
    "ha-managed",
];

/// A configured value as the API gives it.
pub(crate) fn typed(key: &str, value: &str) -> Value {
    if NUMBERS.contains(&key)
        && let Ok(number) = value.parse::<i64>()
    {
        return json!(number);
    }
    if key == "description" {
        return json!(described(value));
    }
    json!(value)
}

/// Notes come back with a newline at their end.
fn described(text: &str) -> String {
    if text.ends_with('\n') {
        text.to_owned()
    } else {
        format!("{text}\n")
    }
}

pub(crate) fn typed_all(config: &Config) -> Map<String, Value> {
    config
        .iter()
        .map(|(key, value)| (key.clone(), typed(key, value)))
        .collect()
}

fn read(world: &mut World, call: &mut Call<'_>) -> Answer {
    let guest = world.guest(call.vmid())?;
    if let Some(name) = call.optional("snapshot") {
        if call.flag("current") {
            let text = "cannot use 'snapshot' parameter with 'current'";
            return Err(Fail::params(
                ["snapshot", "current"]
                    .map(|key| (key.to_owned(), text.to_owned()))
                    .into(),
            ));
        }
        let snapshot = guest
            .snapshots
            .get(&name)
            .ok_or_else(|| Fail::die(format!("snapshot '{name}' does not exist")))?;
        let mut row = typed_all(&snapshot.config);
        row.insert("digest".into(), json!(guest.digest()));
        return Ok(Value::Object(row));
    }
    let config = if call.flag("current") {
        guest.config.clone()
    } else {
        guest.merged()
    };
    let mut row = typed_all(&config);
    row.insert("digest".into(), json!(guest.digest()));
    if let Some(parent) = &guest.parent {
        row.insert("parent".into(), json!(parent));
    }
    Ok(Value::Object(row))
}

fn pending(world: &mut World, call: &mut Call<'_>) -> Answer {
    let guest = world.guest(call.vmid())?;
    let mut rows = Vec::new();
    let new = guest
        .pending
        .keys()
        .filter(|key| !guest.config.contains_key(*key));
    for key in guest.config.keys().chain(new) {
        let mut row = json!({"key": key});
        if let Some(value) = guest.config.get(key) {
            row["value"] = typed(key, value);
        }
        if let Some(value) = guest.pending.get(key) {
            row["pending"] = typed(key, value);
        }
        if guest.deletions.contains(key) {
            row["delete"] = json!(1);
        }
        rows.push(row);
    }
    rows.push(json!({"key": "digest", "value": guest.digest()}));
    Ok(Value::Array(rows))
}
