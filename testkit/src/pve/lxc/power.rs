//! Starting, stopping and the rest of a container's running life.

use serde_json::json;

use super::update::apply_pending;
use crate::pve::World;
use crate::pve::guest::Running;
use crate::pve::reply::Fail;
use crate::pve::route::{Answer, Call, Handler};
use crate::pve::work::{Action, Work};

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    let verb = path.strip_prefix("/nodes/{node}/lxc/{vmid}/status/")?;
    Some(match (method, verb) {
        ("POST", "start") => start,
        ("POST", "stop") => stop,
        ("POST", "shutdown") => shutdown,
        ("POST", "reboot") => reboot,
        ("POST", "suspend") => pause,
        ("POST", "resume") => resume,
        _ => return None,
    })
}

/// `skiplock` is for root alone, and a token is not root.
fn skiplock(call: &Call<'_>) -> Result<bool, Fail> {
    let wanted = call.flag("skiplock");
    if wanted && !call.is_root() {
        Err(Fail::param("skiplock", "Only root may use this option."))
    } else {
        Ok(wanted)
    }
}

fn need_running(world: &World, vmid: u32, name: &str) -> Result<(), Fail> {
    if world.is_running(vmid) {
        Ok(())
    } else {
        Err(Fail::die(format!("{name} {vmid} not running")))
    }
}

fn task(world: &mut World, call: &Call<'_>, kind: &str, work: Work) -> Answer {
    let id = call.vmid().to_string();
    Ok(json!(world.spawn(call, kind, &id, work)))
}

fn start(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (vmid, skiplock) = (call.vmid(), skiplock(call)?);
    if world.is_running(vmid) {
        return Err(Fail::die(format!("CT {vmid} already running")));
    }
    task(world, call, "vzstart", Work::Start { vmid, skiplock })
}

fn stop(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (vmid, skiplock) = (call.vmid(), skiplock(call)?);
    need_running(world, vmid, "CT")?;
    task(world, call, "vzstop", Work::Stop { vmid, skiplock })
}

fn shutdown(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    need_running(world, vmid, "CT")?;
    let timeout = call.number("timeout").unwrap_or(60);
    task(
        world,
        call,
        "vzshutdown",
        Work::Shutdown {
            vmid,
            timeout,
            force: call.flag("forceStop"),
        },
    )
}

fn reboot(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    need_running(world, vmid, "VM")?;
    let timeout = call.number("timeout").unwrap_or(60);
    task(world, call, "vzreboot", Work::Reboot { vmid, timeout })
}

fn pause(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    need_running(world, vmid, "CT")?;
    task(world, call, "vzsuspend", Work::Suspend { vmid })
}

fn resume(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    need_running(world, vmid, "CT")?;
    task(world, call, "vzresume", Work::Resume { vmid })
}

pub(crate) fn begin_start(world: &mut World, vmid: u32, skiplock: bool) -> Result<Action, Fail> {
    let guest = world.guest(vmid)?;
    if guest.is_template() {
        return Err(Fail::die("you can't start a CT if it's a template"));
    }
    if !skiplock {
        world.check_lock(vmid)?;
    }
    let guest = world.guest_mut(vmid)?;
    apply_pending(&mut guest.config, &mut guest.pending, &mut guest.deletions);
    let config = guest.config.clone();
    if !world.setup.real_guests {
        for (key, value) in &config {
            let net = key
                .strip_prefix("net")
                .is_some_and(|rest| rest.parse::<u8>().is_ok());
            if let Some(bridge) =
                super::network::bridge(value).filter(|bridge| net && !bridge.starts_with("vmbr"))
            {
                return Err(Fail::die(format!("bridge '{bridge}' does not exist")));
            }
        }
    }
    Ok(Action::Start { vmid, config })
}

pub(crate) fn begin_stop(
    world: &World,
    vmid: u32,
    skiplock: bool,
    action: Action,
) -> Result<Option<Action>, Fail> {
    if !skiplock {
        world.check_lock(vmid)?;
    }
    need_running(world, vmid, "CT")?;
    Ok(Some(action))
}

pub(crate) fn begin_reboot(world: &mut World, vmid: u32, timeout: u64) -> Result<Action, Fail> {
    world.check_lock(vmid)?;
    let guest = world.guest(vmid)?;
    let config = guest.merged();
    Ok(Action::Reboot {
        vmid,
        timeout,
        config,
    })
}

pub(crate) fn started(world: &mut World, vmid: u32) {
    let (now, pid) = (world.now(), 2000 + (world.chance.next() % 30_000) as u32);
    if let Some(guest) = world.guests.get_mut(&vmid) {
        guest.running = Some(Running {
            since: now,
            pid,
            ..Running::default()
        });
    }
}

pub(crate) fn stopped(world: &mut World, vmid: u32) {
    if let Some(guest) = world.guests.get_mut(&vmid) {
        guest.running = None;
        apply_pending(&mut guest.config, &mut guest.pending, &mut guest.deletions);
    }
}

pub(crate) fn rebooted(world: &mut World, vmid: u32) {
    stopped(world, vmid);
    started(world, vmid);
}

pub(crate) fn suspend(world: &mut World, vmid: u32, suspended: bool) {
    if let Some(running) = world
        .guests
        .get_mut(&vmid)
        .and_then(|guest| guest.running.as_mut())
    {
        running.suspended = suspended;
    }
}
