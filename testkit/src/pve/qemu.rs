//! Virtual machines: there are none, and their endpoints say so.

use serde_json::json;

use super::World;
use super::reply::Fail;
use super::route::{Answer, Call, Handler};

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    let rest = path.strip_prefix("/nodes/{node}/qemu")?;
    match (method, rest) {
        ("GET", "") => Some(list),
        ("POST", "") => Some(create),
        (_, rest) if rest.starts_with("/{vmid}") && !rest.contains("/firewall") => Some(missing),
        _ => None,
    }
}

fn list(_: &mut World, _: &mut Call<'_>) -> Answer {
    Ok(json!([]))
}

fn create(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    world
        .check(&call.identity, &format!("/vms/{vmid}"), &["VM.Allocate"])
        .map_err(|_| Fail::denied_bare())?;
    match world.check_unused(vmid) {
        Err(taken) => Err(Fail::die(format!(
            "unable to create VM {vmid} - {}",
            taken.text()
        ))),
        Ok(()) => Err(Fail::unknown(
            "POST",
            &format!("/nodes/{}/qemu", world.node_name()),
        )),
    }
}

fn missing(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    Err(Fail::die(format!(
        "Configuration file 'nodes/{}/qemu-server/{vmid}.conf' does not exist",
        world.node_name()
    )))
}
