//! What real guests do: read outside, told to the world.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::World;
use super::clock::Moment;
use super::guest::{Running, Usage};

/// The state of a real guest, as last read.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// Whether it runs.
    pub running: bool,
    /// Process id of its init.
    pub pid: Option<u32>,
    /// How long it has been running.
    pub uptime: Duration,
    /// Processors in use, as a share of one.
    pub cpu: f64,
    /// Bytes of memory in use.
    pub mem: u64,
    /// Bytes of swap in use.
    pub swap: u64,
    /// Bytes received.
    pub netin: u64,
    /// Bytes sent.
    pub netout: u64,
    /// Bytes of its root file system.
    pub disk: u64,
    /// Bytes read from disk.
    pub diskread: u64,
    /// Bytes written to disk.
    pub diskwrite: u64,
    /// Its interfaces, when somebody looked inside.
    pub interfaces: Option<Vec<LiveInterface>>,
}

/// An interface inside a guest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LiveInterface {
    /// Its name.
    pub name: String,
    /// Its hardware address, lower case.
    pub hwaddr: String,
    /// IPv4 addresses in CIDR form.
    pub inet: Vec<String>,
    /// IPv6 addresses in CIDR form.
    pub inet6: Vec<String>,
}

impl World {
    /// The guests that run, as far as the world knows.
    #[must_use]
    pub fn running_guests(&self) -> Vec<u32> {
        self.guests
            .iter()
            .filter(|(_, guest)| guest.running.is_some())
            .map(|(vmid, _)| *vmid)
            .collect()
    }

    /// Takes over what was read of a real guest; one that ended by itself has stopped.
    pub fn set_live(&mut self, vmid: u32, live: Live) {
        if !live.running {
            if self.is_running(vmid) && !self.is_busy(vmid) {
                super::lxc::power::stopped(self, vmid);
            }
            return;
        }
        let now = self.now();
        let Some(guest) = self.guests.get_mut(&vmid) else {
            return;
        };
        let since =
            Moment::from_millis(now.millis().saturating_sub(live.uptime.as_millis() as u64));
        let running = guest.running.get_or_insert_with(|| Running {
            since,
            ..Running::default()
        });
        running.pid = live.pid.unwrap_or(running.pid);
        if live.interfaces.is_some() {
            running.interfaces = live.interfaces;
        }
        running.usage = Usage {
            cpu: live.cpu,
            mem: live.mem,
            swap: live.swap,
            netin: live.netin,
            netout: live.netout,
            disk: live.disk,
            diskread: live.diskread,
            diskwrite: live.diskwrite,
        };
    }

    /// A line of the cluster log about this machine.
    pub fn note(&mut self, text: &str) {
        self.log_event("root@pam", text);
    }

    /// A volume whose file could not be kept.
    pub fn lose_volume(&mut self, volume: &str, reason: &str) {
        self.volumes.remove(volume);
        self.log_event("root@pam", &format!("lost volume {volume}: {reason}"));
    }
}
