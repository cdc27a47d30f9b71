//! A container's configuration file, from what Proxmox VE says about it.

use std::path::{Path, PathBuf};

use super::limits::{Setting, Version};
use super::network::{Inet, Nic};
use super::property::Property;
use super::volumes::{self, Mount};
use super::{Config, Failure};

/// The number of user and group ids that a guest has.
pub(in crate::guests) const IDS: u32 = 65_536;

/// Everything that a configuration file depends on.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// The guest's configuration.
    pub(super) config: &'a Config,
    /// The guest's root filesystem.
    pub(super) rootfs: &'a Path,
    /// The host's id that is 0 in the guest.
    pub(super) first_id: u32,
    /// The bridge's name on this host.
    pub(super) bridge: &'a str,
    /// The network devices, addresses leased.
    pub(super) nics: &'a [Nic],
    /// What is mounted, each with its place on the host.
    pub(super) mounts: &'a [(Mount, PathBuf)],
    /// The limits.
    pub(super) limits: &'a [Setting],
    /// The cgroups that enforce them.
    pub(super) version: Version,
    /// The guest's host name.
    pub(super) hostname: &'a str,
    /// The signal that its init shuts down on, when it is not the usual one.
    pub(super) halt_signal: Option<&'a str>,
}

/// The lines of a file, none of which can bring in another.
#[derive(Debug, Default)]
struct Lines(String);

impl Lines {
    fn push(&mut self, key: &str, value: impl AsRef<str>) -> Result<(), Failure> {
        let value = value.as_ref();
        if value.chars().any(char::is_control) {
            return Err(Failure::new(format!(
                "control character in the value of {key}"
            )));
        }
        self.0.push_str(&format!("{key} = {value}\n"));
        Ok(())
    }
}

/// The configuration file.
///
/// # Errors
/// When a value would break out of its line.
pub(super) fn render(plan: &Plan<'_>) -> Result<String, Failure> {
    let mut lines = Lines::default();
    foundation(plan, &mut lines)?;
    features(plan.config, &mut lines)?;
    let mut defaults = Defaults::default();
    for (place, nic) in plan.nics.iter().enumerate() {
        device(place, nic, plan.bridge, &mut defaults, &mut lines)?;
    }
    for (mount, source) in plan.mounts {
        lines.push("lxc.mount.entry", volumes::entry(mount, source))?;
    }
    for limit in plan.limits {
        let (key, value) = limit.line(plan.version);
        lines.push(&key, value)?;
    }
    Ok(lines.0)
}

fn foundation(plan: &Plan<'_>, lines: &mut Lines) -> Result<(), Failure> {
    lines.push("lxc.include", "/usr/share/lxc/config/debian.common.conf")?;
    lines.push("lxc.include", "/usr/share/lxc/config/debian.userns.conf")?;
    lines.push("lxc.arch", "linux64")?;
    lines.push("lxc.uts.name", plan.hostname)?;
    lines.push("lxc.rootfs.path", format!("dir:{}", plan.rootfs.display()))?;
    lines.push("lxc.idmap", format!("u 0 {} {IDS}", plan.first_id))?;
    lines.push("lxc.idmap", format!("g 0 {} {IDS}", plan.first_id))?;
    // Whoever made this host decides about its confinement; a test host often has none.
    lines.push("lxc.apparmor.profile", "unconfined")?;
    lines.push("lxc.environment", "TERM=linux")?;
    if let Some(signal) = plan.halt_signal {
        lines.push("lxc.signal.halt", signal)?;
    }
    Ok(())
}

fn features(config: &Config, lines: &mut Lines) -> Result<(), Failure> {
    let features = Property::parse(config.get("features").map_or("", String::as_str));
    if features.is_on("nesting") {
        lines.push("lxc.include", "/usr/share/lxc/config/nesting.conf")?;
    }
    if features.is_on("fuse") {
        lines.push(
            "lxc.mount.entry",
            "/dev/fuse dev/fuse none bind,create=file,optional 0 0",
        )?;
    }
    Ok(())
}

/// Whether a default route is there already: a second one would not be accepted.
#[derive(Debug, Default)]
struct Defaults {
    inet: bool,
    inet6: bool,
}

fn device(
    place: usize,
    nic: &Nic,
    bridge: &str,
    defaults: &mut Defaults,
    lines: &mut Lines,
) -> Result<(), Failure> {
    let key = |name: &str| format!("lxc.net.{place}.{name}");
    lines.push(&key("type"), "veth")?;
    lines.push(&key("name"), &nic.name)?;
    if nic.linked {
        lines.push(&key("link"), bridge)?;
        lines.push(&key("flags"), "up")?;
    }
    if let Some(hwaddr) = &nic.hwaddr {
        lines.push(&key("hwaddr"), hwaddr)?;
    }
    if let Some(mtu) = nic.mtu {
        lines.push(&key("mtu"), mtu.to_string())?;
    }
    if !nic.linked {
        return Ok(());
    }
    if let Inet::Fixed(address, prefix) = nic.inet {
        lines.push(&key("ipv4.address"), format!("{address}/{prefix}"))?;
    }
    if let Some(gateway) = nic
        .gateway
        .filter(|_| !std::mem::replace(&mut defaults.inet, true))
    {
        lines.push(&key("ipv4.gateway"), gateway.to_string())?;
    }
    if let Some(inet6) = &nic.inet6 {
        lines.push(&key("ipv6.address"), inet6)?;
    }
    if let Some(gateway) = nic
        .gateway6
        .filter(|_| !std::mem::replace(&mut defaults.inet6, true))
    {
        lines.push(&key("ipv6.gateway"), gateway.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::limits::Limits;
    use super::super::network;
    use super::*;

    fn rendered(entries: &[(&str, &str)]) -> Result<String, Failure> {
        let config: Config = entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let version = Version::One { swap: false };
        render(&Plan {
            config: &config,
            rootfs: Path::new("/run/pci1/pci1-100/rootfs"),
            first_id: 100_000,
            bridge: "pci1",
            nics: &network::nics(&config)?,
            mounts: &[],
            limits: &Limits::of(&config)?.settings(version, &[0, 1], 100),
            version,
            hostname: config.get("hostname").map_or("CT100", String::as_str),
            halt_signal: None,
        })
    }

    #[test]
    fn a_usual_container_is_unprivileged_with_an_address_and_limits() {
        let text = rendered(&[
            ("hostname", "web"),
            ("memory", "256"),
            ("cores", "1"),
            ("features", "nesting=1"),
            (
                "net0",
                "name=eth0,bridge=vmbr0,gw=10.83.7.1,hwaddr=BC:24:11:00:00:01,ip=10.83.7.5/24",
            ),
            (
                "net1",
                "name=eth1,bridge=vmbr0,gw=10.83.7.1,ip=10.83.7.6/24,link_down=0",
            ),
        ]);
        insta::assert_snapshot!(text.unwrap(), @r"
        lxc.include = /usr/share/lxc/config/debian.common.conf
        lxc.include = /usr/share/lxc/config/debian.userns.conf
        lxc.arch = linux64
        lxc.uts.name = web
        lxc.rootfs.path = dir:/run/pci1/pci1-100/rootfs
        lxc.idmap = u 0 100000 65536
        lxc.idmap = g 0 100000 65536
        lxc.apparmor.profile = unconfined
        lxc.environment = TERM=linux
        lxc.include = /usr/share/lxc/config/nesting.conf
        lxc.net.0.type = veth
        lxc.net.0.name = eth0
        lxc.net.0.link = pci1
        lxc.net.0.flags = up
        lxc.net.0.hwaddr = bc:24:11:00:00:01
        lxc.net.0.ipv4.address = 10.83.7.5/24
        lxc.net.0.ipv4.gateway = 10.83.7.1
        lxc.net.1.type = veth
        lxc.net.1.name = eth1
        lxc.net.1.link = pci1
        lxc.net.1.flags = up
        lxc.net.1.ipv4.address = 10.83.7.6/24
        lxc.cgroup.memory.limit_in_bytes = 268435456
        lxc.cgroup.cpu.cfs_period_us = 100000
        lxc.cgroup.cpu.cfs_quota_us = -1
        lxc.cgroup.cpu.shares = 1024
        lxc.cgroup.cpuset.cpus = 0
        ");
    }

    #[test]
    fn a_value_cannot_bring_in_a_line_of_its_own() {
        let refused = rendered(&[("hostname", "web\nlxc.hook.pre-start = /bin/sh")]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "control character in the value of lxc.uts.name"
        );
    }
}
