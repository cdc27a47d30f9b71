//! A container: its configuration as the file on the node holds it, and whether it runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use super::World;
use super::clock::Moment;
use super::property::{loose, parse_size};
use super::reply::Fail;

/// Keys and values of a configuration file, without sections.
pub(crate) type Config = BTreeMap<String, String>;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Guest {
    pub(crate) config: Config,
    /// Values that wait for a restart.
    pub(crate) pending: Config,
    /// Keys whose removal waits for a restart.
    pub(crate) deletions: Vec<String>,
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
    /// The snapshot that the present state descends from.
    pub(crate) parent: Option<String>,
    pub(crate) running: Option<Running>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) config: Config,
    pub(crate) description: String,
    pub(crate) time: i64,
    pub(crate) parent: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) since: Moment,
    pub(crate) pid: u32,
    /// What a real guest uses, as last read.
    pub(crate) usage: Usage,
    pub(crate) suspended: bool,
    /// Of a real guest, as last read.
    pub(crate) interfaces: Option<Vec<super::live::LiveInterface>>,
}

/// Numbers of a running guest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) cpu: f64,
    pub(crate) mem: u64,
    pub(crate) swap: u64,
    pub(crate) netin: u64,
    pub(crate) netout: u64,
    pub(crate) disk: u64,
    pub(crate) diskread: u64,
    pub(crate) diskwrite: u64,
}

impl Guest {
    pub(crate) fn lock(&self) -> Option<&str> {
        self.config.get("lock").map(String::as_str)
    }

    pub(crate) fn is_template(&self) -> bool {
        self.config
            .get("template")
            .is_some_and(|value| value == "1")
    }

    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        self.config.get(key)?.parse().ok()
    }

    /// The name in lists: the host name, or `CT` and the id.
    pub(crate) fn name(&self, vmid: u32) -> String {
        self.config
            .get("hostname")
            .cloned()
            .unwrap_or_else(|| format!("CT{vmid}"))
    }

    /// The file as the node stores it.
    pub(crate) fn file(&self) -> String {
        let mut text = section(&self.config);
        if !self.pending.is_empty() || !self.deletions.is_empty() {
            text.push_str("\n[pve:pending]\n");
            if !self.deletions.is_empty() {
                text.push_str(&format!("delete: {}\n", self.deletions.join(",")));
            }
            text.push_str(&section(&self.pending));
        }
        for (name, snapshot) in &self.snapshots {
            text.push_str(&format!(
                "\n[{name}]\n{}snaptime: {}\n",
                section(&snapshot.config),
                snapshot.time
            ));
        }
        text
    }

    /// What optimistic locking compares.
    pub(crate) fn digest(&self) -> String {
        sha1_hex(&self.file())
    }

    /// The configuration with what waits for a restart.
    pub(crate) fn merged(&self) -> Config {
        let mut config = self.config.clone();
        config.extend(self.pending.clone());
        self.deletions
            .iter()
            .for_each(|key| drop(config.remove(key)));
        config
    }

    /// The volume ids in use, with their keys.
    pub(crate) fn volumes(&self) -> Vec<(String, String)> {
        volumes(&self.config)
    }

    /// Bytes of the root file system by its configuration.
    pub(crate) fn disk_size(&self) -> u64 {
        let rootfs = self.config.get("rootfs").map(|text| loose(text, "volume"));
        rootfs
            .and_then(|rootfs| parse_size(rootfs.get("size")?))
            .unwrap_or(4 << 30)
    }
}

/// Key and volume id of every mount point and unused volume.
pub(crate) fn volumes(config: &Config) -> Vec<(String, String)> {
    config
        .iter()
        .filter(|(key, _)| is_volume_key(key))
        .filter_map(|(key, value)| {
            Some((key.clone(), loose(value, "volume").get("volume")?.clone()))
        })
        .filter(|(_, volume)| volume.contains(':'))
        .collect()
}

/// `rootfs`, `mp0`, `unused0`.
pub(crate) fn is_volume_key(key: &str) -> bool {
    let numbered = |prefix: &str| {
        key.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    key == "rootfs" || numbered("mp") || numbered("unused")
}

/// A section of the file: the description as comment lines, then sorted keys.
pub(crate) fn section(config: &Config) -> String {
    let mut text = String::new();
    for line in config
        .get("description")
        .map(String::as_str)
        .unwrap_or_default()
        .lines()
    {
        text.push_str(&format!("#{line}\n"));
    }
    for (key, value) in config.iter().filter(|(key, _)| *key != "description") {
        text.push_str(&format!("{key}: {value}\n"));
    }
    text
}

/// Reads what [`section`] wrote.
pub(crate) fn parse_section(text: &str) -> Config {
    let mut config = Config::new();
    let mut description = String::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix('#') {
            description.push_str(comment);
            description.push('\n');
        } else if let Some((key, value)) = line.split_once(": ") {
            config.insert(key.to_owned(), value.to_owned());
        }
    }
    if !description.is_empty() {
        config.insert("description".to_owned(), description);
    }
    config
}

pub(crate) fn sha1_hex(text: &str) -> String {
    hex::encode(Sha1::digest(text.as_bytes()))
}

/// Bytes that a container sees of a raw image with ext4 of this size: without inode tables,
/// journal, bitmaps and the copies of the group descriptors.
pub(crate) fn ext4_capacity(size: u64) -> u64 {
    let blocks = size / 4096;
    let groups = blocks.div_ceil(32768);
    let journal = match blocks {
        ..32_768 => 1024,
        32_768..262_144 => 4096,
        262_144..524_288 => 8192,
        524_288..1_048_576 => 16_384,
        _ => 32_768,
    };
    let descriptors = groups.div_ceil(64);
    let reserved = (groups * 1024)
        .div_ceil(64)
        .min(1024 + descriptors)
        .saturating_sub(descriptors);
    let sparse = |group: u64| group <= 1 || [3, 5, 7].iter().any(|base| is_power(group, *base));
    let copies = (0..groups).filter(|group| sparse(*group)).count() as u64;
    let overhead = blocks / 256 * 4 + journal + 2 * groups + copies * (1 + descriptors + reserved);
    blocks.saturating_sub(overhead) * 4096
}

fn is_power(mut number: u64, base: u64) -> bool {
    while number > 1 && number.is_multiple_of(base) {
        number /= base;
    }
    number == 1
}

impl World {
    pub(crate) fn guest(&self, vmid: u32) -> Result<&Guest, Fail> {
        self.guests.get(&vmid).ok_or_else(|| self.no_guest(vmid))
    }

    pub(crate) fn guest_mut(&mut self, vmid: u32) -> Result<&mut Guest, Fail> {
        let missing = self.no_guest(vmid);
        self.guests.get_mut(&vmid).ok_or(missing)
    }

    fn no_guest(&self, vmid: u32) -> Fail {
        Fail::die(format!(
            "Configuration file 'nodes/{}/lxc/{vmid}.conf' does not exist",
            self.node_name()
        ))
    }

    pub(crate) fn is_running(&self, vmid: u32) -> bool {
        self.guests
            .get(&vmid)
            .is_some_and(|guest| guest.running.is_some())
    }

    /// Refuses a locked guest.
    pub(crate) fn check_lock(&self, vmid: u32) -> Result<(), Fail> {
        match self.guest(vmid)?.lock() {
            Some(lock) => Err(Fail::die(format!("CT is locked ({lock})"))),
            None => Ok(()),
        }
    }

    /// Refuses a vmid that is taken.
    pub(crate) fn check_unused(&self, vmid: u32) -> Result<(), Fail> {
        if self.guests.contains_key(&vmid) {
            return Err(Fail::die(format!(
                "CT {vmid} already exists on node '{}'",
                self.node_name()
            )));
        }
        Ok(())
    }
}

/// Refuses a configuration that somebody else has changed.
pub(crate) fn check_digest(guest: &Guest, digest: Option<&str>) -> Result<(), Fail> {
    match digest.filter(|digest| !digest.is_empty()) {
        Some(digest) if digest != guest.digest() => Err(Fail::die(
            "detected modified configuration - file changed by other user? Try again.",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_sees_of_a_gibibyte_what_the_recorded_one_saw() {
        assert_eq!(ext4_capacity(1 << 30), 1_020_702_720);
    }

    #[test]
    fn a_section_survives_a_round_trip() {
        let config = Config::from([
            ("arch".into(), "amd64".into()),
            ("description".into(), "a\nb\n".into()),
        ]);
        assert_eq!(section(&config), "#a\n#b\narch: amd64\n");
        assert_eq!(parse_section(&section(&config)), config);
    }
}
