//! Who may change which key of a container's configuration.

use indexmap::IndexMap;

use super::network;
use crate::pve::World;
use crate::pve::guest::Config;
use crate::pve::property::{self, loose};
use crate::pve::reply::Fail;

/// What a change is judged by.
pub(crate) struct Change<'a> {
    pub(crate) who: &'a str,
    pub(crate) vmid: u32,
    pub(crate) pool: Option<&'a str>,
    /// The present configuration; empty for a new guest.
    pub(crate) old: &'a Config,
    pub(crate) unprivileged: bool,
}

impl World {
    /// Checks every key that is set.
    pub(crate) fn check_changes(
        &self,
        change: &Change<'_>,
        new: &IndexMap<String, String>,
    ) -> Result<(), Fail> {
        let mut keys: Vec<&String> = new.keys().collect();
        keys.sort_unstable();
        keys.into_iter()
            .try_for_each(|key| self.check_change(change, key, Some(&new[key])))
    }

    /// Checks one key; `None` deletes it.
    pub(crate) fn check_change(
        &self,
        change: &Change<'_>,
        key: &str,
        value: Option<&String>,
    ) -> Result<(), Fail> {
        if change.who == "root@pam" {
            return Ok(());
        }
        let need =
            |privilege: &str| self.check_guest(change.who, change.vmid, change.pool, &[privilege]);
        match key.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "cores" | "cpuunits" | "cpulimit" => need("VM.Config.CPU"),
            "memory" | "swap" => need("VM.Config.Memory"),
            "hostname" | "nameserver" | "searchdomain" => need("VM.Config.Network"),
            "rootfs" | "mp" => {
                need("VM.Config.Disk")?;
                value.map_or(Ok(()), |value| self.check_mount(change, value))
            }
            "unused" => need("VM.Config.Disk"),
            "net" => {
                need("VM.Config.Network")?;
                let bridges = [change.old.get(key), value];
                let bridges = bridges
                    .into_iter()
                    .flatten()
                    .filter_map(|net| network::bridge(net));
                let mut bridges = bridges;
                bridges.try_for_each(|bridge| {
                    self.check(
                        change.who,
                        &format!("/sdn/zones/localnetwork/{bridge}"),
                        &["SDN.Use"],
                    )
                })
            }
            "features" => self.check_features(change, value),
            "hookscript" => Err(Fail::denied(
                "changing the hookscript is only allowed for root@pam",
            )),
            "dev" => Err(Fail::denied(
                "configuring device passthrough is only allowed for root@pam",
            )),
            _ => need("VM.Config.Options"),
        }
    }

    fn check_mount(&self, change: &Change<'_>, value: &str) -> Result<(), Fail> {
        let volume = loose(value, "volume")
            .get("volume")
            .cloned()
            .unwrap_or_default();
        let kind = match volume.as_str() {
            path if path.starts_with("/dev/") => "device",
            path if path.starts_with('/') => "bind",
            _ => "volume",
        };
        if kind != "volume" {
            return Err(Fail::denied(format!(
                "mount point type {kind} is only allowed for root@pam"
            )));
        }
        match new_disk(&volume) {
            Some((storage, _)) => self.check(
                change.who,
                &format!("/storage/{storage}"),
                &["Datastore.AllocateSpace"],
            ),
            None if volume.contains(':') => {
                self.check_volume(change.who, &volume, Some(change.vmid), Some("rootdir"))
            }
            None => Ok(()),
        }
    }

    /// Only nesting may be switched by anybody but root, and only for an unprivileged container.
    fn check_features(&self, change: &Change<'_>, value: Option<&String>) -> Result<(), Fail> {
        if !change.unprivileged {
            return Err(Fail::denied(
                "changing feature flags for privileged container is only allowed for root@pam",
            ));
        }
        let read =
            |text: Option<&String>| text.map(|text| loose(text, "nesting")).unwrap_or_default();
        let (old, new) = (read(change.old.get("features")), read(value));
        let differs = |key: &&String| {
            old.get(*key).map_or("", String::as_str) != new.get(*key).map_or("", String::as_str)
        };
        // Of a container without features, and of deleted ones, every key counts.
        let all = old.is_empty() || value.is_none();
        let changed: Vec<&String> = old
            .keys()
            .chain(new.keys())
            .filter(|key| all || differs(key))
            .collect();
        if changed.iter().any(|key| *key != "nesting") {
            return Err(Fail::denied(
                "changing feature flags (except nesting) is only allowed for root@pam",
            ));
        }
        if changed.is_empty() {
            return Ok(());
        }
        self.check_guest(change.who, change.vmid, change.pool, &["VM.Allocate"])
    }

    /// The storage of a new volume: it must exist, hold containers, and be open to the caller.
    pub(crate) fn check_container_storage(&self, who: &str, storage: &str) -> Result<(), Fail> {
        let known = self.usable_storage(storage)?;
        if !known.offers("rootdir") {
            return Err(Fail::param(
                "storage",
                format!("storage '{storage}' does not support container directories"),
            ));
        }
        self.check(
            who,
            &format!("/storage/{storage}"),
            &["Datastore.AllocateSpace"],
        )
    }
}

/// Storage and bytes of a volume that is to be made: `local:8`.
pub(crate) fn new_disk(volume: &str) -> Option<(&str, u64)> {
    let (storage, size) = volume.split_once(':')?;
    let number = size.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !size.is_empty();
    number.then(|| property::parse_size(&format!("{size}G")).map(|bytes| (storage, bytes)))?
}
