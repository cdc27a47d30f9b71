//! Destroying a container with everything that is its own.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::pve::World;
use crate::pve::reply::Fail;
use crate::pve::route::{Answer, Call, Handler};
use crate::pve::work::{Action, Work};

/// What goes with the container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Destroy {
    vmid: u32,
    force: bool,
    purge: bool,
    unreferenced: bool,
}

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    matches!((method, path), ("DELETE", "/nodes/{node}/lxc/{vmid}")).then_some(start as Handler)
}

pub(crate) fn check_protection(world: &World, vmid: u32, doing: &str) -> Result<(), Fail> {
    if world
        .guest(vmid)?
        .config
        .get("protection")
        .is_some_and(|value| value == "1")
    {
        return Err(Fail::die(format!("{doing} - protection mode enabled")));
    }
    Ok(())
}

fn start(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    let guest = world.guest(vmid)?;
    // A create that was ended early leaves its lock behind; nothing else may be swept away.
    let orphaned = guest.lock() == Some("create") && !world.is_busy(vmid);
    check_protection(world, vmid, &format!("can't remove CT {vmid}"))?;
    if !orphaned {
        world.check_lock(vmid)?;
    }
    let force = call.flag("force");
    if world.is_running(vmid) && !force {
        return Err(running(vmid));
    }
    let destroy = Destroy {
        vmid,
        force,
        purge: call.flag("purge"),
        unreferenced: call.flag("destroy-unreferenced-disks"),
    };
    Ok(json!(world.spawn(
        call,
        "vzdestroy",
        &vmid.to_string(),
        Work::Destroy(destroy)
    )))
}

fn running(vmid: u32) -> Fail {
    Fail::die(format!(
        "unable to destroy CT {vmid} - container is running"
    ))
}

pub(crate) fn begin(
    world: &mut World,
    destroy: &Destroy,
    log: &mut Vec<String>,
) -> Result<Action, Fail> {
    let vmid = destroy.vmid;
    world.guest(vmid)?;
    if world.is_running(vmid) {
        if !destroy.force {
            return Err(running(vmid));
        }
        log.push(format!("forced to stop CT {vmid} before destroying!"));
    }
    Ok(Action::Destroy { vmid })
}

pub(crate) fn finish(
    world: &mut World,
    destroy: &Destroy,
    log: &mut Vec<String>,
) -> Result<(), Fail> {
    let vmid = destroy.vmid;
    let volumes: Vec<String> = world
        .guest(vmid)?
        .volumes()
        .into_iter()
        .map(|(_, volume)| volume)
        .collect();
    volumes.iter().for_each(|volume| world.discard(volume));
    if destroy.unreferenced {
        let own = world
            .volumes
            .iter()
            .filter(|(_, volume)| volume.vmid == Some(vmid) && volume.content != "backup");
        let own: Vec<String> = own.map(|(id, _)| id.clone()).collect();
        own.iter().for_each(|volume| world.discard(volume));
    }
    world.guests.remove(&vmid);
    world.leave_pools(vmid);
    world.access.forget_path(&format!("/vms/{vmid}"));
    if destroy.purge {
        log.push(format!("purging CT {vmid} from related configurations.."));
        crate::pve::backup::forget(world, vmid);
    }
    Ok(())
}
