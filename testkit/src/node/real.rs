//! Real containers on this machine.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::error::{Doing, Error};
use super::files::Files;
use crate::guests::{Guests, LxcGuests};
use crate::pve::Host;

/// The LXC guests of the data folder.
pub(super) fn guests(files: &Files) -> Result<Arc<dyn Guests>, Error> {
    let Some(data) = files.data() else {
        let needs = "real containers need a data folder (`--data`)";
        return Err(Error::new(Doing::Prepare, needs));
    };
    Ok(Arc::new(LxcGuests::new(data)))
}

/// The numbers of this machine, as far as they can be read.
pub(super) fn host(files: &Files) -> Host {
    let fallback = Host::default();
    let cpus = std::thread::available_parallelism();
    let disk = files.data().and_then(|data| rustix::fs::statvfs(data).ok());
    Host {
        cpus: cpus.map_or(fallback.cpus, |cpus| cpus.get() as u32),
        memory: memory().unwrap_or(fallback.memory),
        disk: disk.map_or(fallback.disk, |disk| disk.f_blocks * disk.f_frsize),
        cgroup: if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
            2
        } else {
            1
        },
    }
}

/// Bytes of memory.
fn memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes << 10)
}
