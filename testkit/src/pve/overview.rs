//! What stands on a node, in short: for a person who looks at it.

use serde_json::{Value, json};

use super::World;
use super::guest::Guest;
use super::property::{loose, split_list};

/// How many tasks are shown.
const TASKS: usize = 30;

impl World {
    /// Guests and the last tasks, newest first; no secret is in it.
    #[must_use]
    pub fn overview(&self) -> Value {
        let (now, frozen) = self.time();
        let guests: Vec<Value> = self
            .guests
            .iter()
            .map(|(vmid, guest)| self.guest_in_short(*vmid, guest))
            .collect();
        json!({
            "node": self.node_name(),
            "version": self.version().release(),
            "real": self.setup.real_guests,
            "now": now.millis(),
            "frozen": frozen,
            "faults": self.faults().len(),
            "guests": guests,
            "tasks": self.last_tasks(TASKS),
        })
    }

    fn guest_in_short(&self, vmid: u32, guest: &Guest) -> Value {
        let text = |key: &str| guest.config.get(key).cloned().unwrap_or_default();
        let running = guest.running.as_ref();
        let net = loose(&text("net0"), "name");
        let live = running.and_then(|running| {
            let all = running.interfaces.iter().flatten();
            all.filter(|it| it.name != "lo")
                .find_map(|it| it.inet.first().cloned())
        });
        let pending: Vec<&String> = guest.pending.keys().chain(&guest.deletions).collect();
        json!({
            "vmid": vmid,
            "name": guest.name(vmid),
            "status": if running.is_some() { "running" } else { "stopped" },
            "lock": guest.lock(),
            "cores": guest.number("cores"),
            "memory": guest.number("memory").unwrap_or(512) << 20,
            "disk": guest.disk_size(),
            "address": live.or_else(|| net.get("ip").cloned()),
            "uptime": running.map(|it| self.now().millis().saturating_sub(it.since.millis()) / 1000),
            "tags": split_list(&text("tags")).collect::<Vec<_>>(),
            "pending": pending,
        })
    }
}
