//! What a running guest uses, as the kernel counts it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::cgroups::Hierarchies;
use super::limits::Version;
use crate::guests::Usage;

/// Clock ticks a second in `/proc`, the same on every Linux that programs are built for.
const TICKS: u64 = 100;

/// A memory limit from here on is none: version one writes a number where two writes `max`.
const UNLIMITED: u64 = 1 << 60;

/// Reads what a guest uses, through its init. Numbers that cannot be had are 0.
pub(super) fn read(hierarchies: &Hierarchies, pid: u32, payload: &str) -> Usage {
    let file = |controller: &str, name: &str| {
        let folder = hierarchies.folder(controller, pid, payload);
        folder
            .and_then(|folder| fs::read_to_string(folder.join(name)).ok())
            .unwrap_or_default()
    };
    let (network_in, network_out) =
        network(&fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap_or_default());
    let usage = Usage {
        uptime: uptime(pid),
        network_in,
        network_out,
        ..Usage::default()
    };
    let stat = file("memory", "memory.stat");
    match hierarchies.version() {
        Version::One { .. } => {
            let (disk_read, disk_written) =
                blocks_one(&file("blkio", "blkio.throttle.io_service_bytes"));
            Usage {
                cpu_time: Duration::from_nanos(number(&file("cpuacct", "cpuacct.usage"))),
                memory: number(&file("memory", "memory.usage_in_bytes"))
                    .saturating_sub(named(&stat, "total_cache")),
                memory_limit: limit(&file("memory", "memory.limit_in_bytes")),
                swap: named(&stat, "total_swap"),
                disk_read,
                disk_written,
                ..usage
            }
        }
        Version::Two => {
            let (disk_read, disk_written) = blocks_two(&file("io", "io.stat"));
            Usage {
                cpu_time: Duration::from_micros(named(&file("cpu", "cpu.stat"), "usage_usec")),
                memory: number(&file("memory", "memory.current"))
                    .saturating_sub(named(&stat, "file")),
                memory_limit: limit(&file("memory", "memory.max")),
                swap: number(&file("memory", "memory.swap.current")),
                disk_read,
                disk_written,
                ..usage
            }
        }
    }
}

/// When a process was started, in ticks since boot: with its id, this names a process for ever.
pub(super) fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    started_in(&stat)
}

fn started_in(stat: &str) -> Option<u64> {
    // The name in parentheses may hold spaces; the start is the 20th field after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let alive = !matches!(*fields.first()?, "Z" | "X");
    alive.then(|| fields.get(19)?.parse().ok()).flatten()
}

fn uptime(pid: u32) -> Duration {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let now: f64 = text
        .split(' ')
        .next()
        .and_then(|first| first.parse().ok())
        .unwrap_or_default();
    let begun = Duration::from_millis(started(pid).unwrap_or_default() * 1000 / TICKS);
    Duration::try_from_secs_f64(now)
        .unwrap_or_default()
        .saturating_sub(begun)
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or_default()
}

fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| *bytes < UNLIMITED)
}

/// The number after a name at the beginning of a line.
fn named(text: &str, name: &str) -> u64 {
    let value = |line: &str| {
        line.strip_prefix(name)?
            .strip_prefix(' ')?
            .trim()
            .parse()
            .ok()
    };
    text.lines().find_map(value).unwrap_or_default()
}

/// Bytes received and sent by all interfaces but loopback.
fn network(dev: &str) -> (u64, u64) {
    let counts = dev.lines().filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        let fields: Vec<u64> = rest
            .split_whitespace()
            .filter_map(|one| one.parse().ok())
            .collect();
        (name.trim() != "lo").then_some((*fields.first()?, *fields.get(8)?))
    });
    counts.fold((0, 0), |(in_, out), (more_in, more_out)| {
        (in_ + more_in, out + more_out)
    })
}

/// Bytes read and written, from lines such as `8:0 Read 4096`.
fn blocks_one(text: &str) -> (u64, u64) {
    let sum = |word: &str| {
        text.lines()
            .filter_map(|line| {
                let mut fields = line.split_whitespace().skip(1);
                (fields.next()? == word)
                    .then(|| fields.next()?.parse::<u64>().ok())
                    .flatten()
            })
            .sum()
    };
    (sum("Read"), sum("Write"))
}

/// Bytes read and written, from lines such as `8:0 rbytes=4096 wbytes=0 rios=1`.
fn blocks_two(text: &str) -> (u64, u64) {
    let sum = |key: &str| {
        text.split_whitespace()
            .filter_map(|field| field.strip_prefix(key)?.parse::<u64>().ok())
            .sum()
    };
    (sum("rbytes="), sum("wbytes="))
}

/// The bytes that the files below a folder take on the disk.
pub(super) fn disk(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        bytes += meta.blocks() * 512;
        if meta.is_dir() {
            bytes += disk(&entry.path());
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_past_odd_names() {
        let stat = "12 (a) b) S 1 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 999";
        assert_eq!(started_in(stat), Some(4711));
        assert_eq!(started_in(&stat.replace(") S", ") Z")), None);
        let dev = "Inter-|   Receive\n face |bytes\n    lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n  eth0: 100 1 0 0 0 0 0 0 50 1 0 0 0 0 0 0\n";
        assert_eq!(network(dev), (100, 50));
        assert_eq!(
            blocks_one("8:0 Read 4096\n8:0 Write 12\n8:16 Read 4\nTotal 5"),
            (4100, 12)
        );
        assert_eq!(blocks_two("8:0 rbytes=4096 wbytes=7 rios=1"), (4096, 7));
        assert_eq!(limit("9223372036854771712\n"), None);
        assert_eq!(limit("max\n"), None);
    }
}
