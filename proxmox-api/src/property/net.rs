//! Network interfaces: `netN`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::{InvalidProperty, Items, MacAddr, Property, property_text};
use crate::wire::Decimal;

/// One network interface of a container.
///
/// ```
/// use proxmox_api::property::{Ipv4Config, Net};
///
/// let wanted = Net::new("eth0").bridge("vmbr0").ip("10.0.0.5/24".parse()?);
/// let found: Net = "bridge=vmbr0,hwaddr=BC:24:11:00:00:01,ip=10.0.0.5/24,name=eth0,type=veth".parse()?;
/// assert_ne!(wanted, found);
/// assert_eq!(wanted.with_hwaddr_of(&found), found);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Quirks
/// Written without `hwaddr`, an interface gets a new random address on every change: take the
/// present one over with [`Net::with_hwaddr_of`]. `type=veth` is the only type there is and is
/// not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Net {
    /// Name within the container, e.g. `eth0`.
    pub name: String,
    /// Bridge on the node, e.g. `vmbr0`.
    pub bridge: Option<String>,
    /// Whether the node's firewall filters it.
    pub firewall: bool,
    /// Default gateway for IPv4.
    pub gw: Option<Ipv4Addr>,
    /// Default gateway for IPv6.
    pub gw6: Option<Ipv6Addr>,
    /// Hardware address; the server makes one up when it is not given.
    pub hwaddr: Option<MacAddr>,
    /// Where the IPv4 address comes from.
    pub ip: Option<Ipv4Config>,
    /// Where the IPv6 address comes from.
    pub ip6: Option<Ipv6Config>,
    /// Whether the cable is pulled.
    pub link_down: bool,
    /// Largest packet in bytes, 64 to 65,535.
    pub mtu: Option<u16>,
    /// Rate limit in megabytes a second.
    pub rate: Option<Decimal>,
    /// VLAN tag, 1 to 4,094.
    pub tag: Option<u16>,
    /// VLANs passed through.
    pub trunks: BTreeSet<u16>,
    /// Whether the host configures the interface (9.1 and later).
    pub host_managed: bool,
    /// What this crate does not know, by key.
    pub other: BTreeMap<String, String>,
}

impl Net {
    /// An interface of that name, connected to nothing.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            bridge: None,
            firewall: false,
            gw: None,
            gw6: None,
            hwaddr: None,
            ip: None,
            ip6: None,
            link_down: false,
            mtu: None,
            rate: None,
            tag: None,
            trunks: BTreeSet::new(),
            host_managed: false,
            other: BTreeMap::new(),
        }
    }

    /// Connected to that bridge of the node.
    #[must_use]
    pub fn bridge(mut self, bridge: impl Into<String>) -> Self {
        self.bridge = Some(bridge.into());
        self
    }

    /// With that source of the IPv4 address.
    #[must_use]
    pub fn ip(mut self, ip: Ipv4Config) -> Self {
        self.ip = Some(ip);
        self
    }

    /// With that source of the IPv6 address.
    #[must_use]
    pub fn ip6(mut self, ip6: Ipv6Config) -> Self {
        self.ip6 = Some(ip6);
        self
    }

    /// With that default gateway for IPv4.
    #[must_use]
    pub fn gateway(mut self, gw: Ipv4Addr) -> Self {
        self.gw = Some(gw);
        self
    }

    /// With that default gateway for IPv6.
    #[must_use]
    pub fn gateway6(mut self, gw6: Ipv6Addr) -> Self {
        self.gw6 = Some(gw6);
        self
    }

    /// With that hardware address.
    #[must_use]
    pub fn hwaddr(mut self, hwaddr: MacAddr) -> Self {
        self.hwaddr = Some(hwaddr);
        self
    }

    /// With that VLAN tag.
    #[must_use]
    pub fn tag(mut self, tag: u16) -> Self {
        self.tag = Some(tag);
        self
    }

    /// With that largest packet size in bytes.
    #[must_use]
    pub fn mtu(mut self, mtu: u16) -> Self {
        self.mtu = Some(mtu);
        self
    }

    /// Filtered by the node's firewall.
    #[must_use]
    pub fn firewalled(mut self) -> Self {
        self.firewall = true;
        self
    }

    /// With the hardware address of `present`, unless it has one of its own.
    #[must_use]
    pub fn with_hwaddr_of(mut self, present: &Self) -> Self {
        self.hwaddr = self.hwaddr.or(present.hwaddr);
        self
    }
}

impl Property for Net {
    const DEFAULT_KEY: Option<&'static str> = None;
    const FIRST: &'static [&'static str] = &["name"];

    fn from_items(mut items: Items) -> Result<Self, String> {
        items.take_by("type", |kind| (kind == "veth").then_some(()));
        Ok(Self {
            name: items.require("name")?,
            bridge: items.take("bridge"),
            firewall: items.take_flag("firewall").unwrap_or_default(),
            gw: items.take("gw"),
            gw6: items.take("gw6"),
            hwaddr: items.take("hwaddr"),
            ip: items.take("ip"),
            ip6: items.take("ip6"),
            link_down: items.take_flag("link_down").unwrap_or_default(),
            mtu: items.take("mtu"),
            rate: items.take("rate"),
            tag: items.take("tag"),
            trunks: items.take_by("trunks", vlans).unwrap_or_default(),
            host_managed: items.take_flag("host-managed").unwrap_or_default(),
            other: items.rest(),
        })
    }

    fn to_items(&self) -> Items {
        let mut items = Items::from_rest(&self.other);
        items.put("name", &self.name);
        items.put_some("bridge", self.bridge.as_ref());
        items.put_flag("firewall", self.firewall);
        items.put_some("gw", self.gw);
        items.put_some("gw6", self.gw6);
        items.put_some("hwaddr", self.hwaddr);
        items.put_some("ip", self.ip);
        items.put_some("ip6", self.ip6);
        items.put_flag("link_down", self.link_down);
        items.put_some("mtu", self.mtu);
        items.put_some("rate", self.rate.as_ref());
        items.put_some("tag", self.tag);
        items.put_set("trunks", &self.trunks);
        items.put_flag("host-managed", self.host_managed);
        items
    }
}

property_text!(Net);

fn vlans(text: &str) -> Option<BTreeSet<u16>> {
    text.split(';').map(|vlan| vlan.parse().ok()).collect()
}

/// Where an interface's IPv4 address comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ipv4Config {
    /// From a DHCP server.
    Dhcp,
    /// From the container itself.
    Manual,
    /// This address, with the length of its network's prefix.
    Static(Ipv4Addr, u8),
}

impl FromStr for Ipv4Config {
    type Err = InvalidProperty;

    fn from_str(text: &str) -> Result<Self, InvalidProperty> {
        match text {
            "dhcp" => Ok(Self::Dhcp),
            "manual" => Ok(Self::Manual),
            _ => with_prefix(text, 32).map(|(address, prefix)| Self::Static(address, prefix)),
        }
    }
}

impl fmt::Display for Ipv4Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dhcp => f.write_str("dhcp"),
            Self::Manual => f.write_str("manual"),
            Self::Static(address, prefix) => write!(f, "{address}/{prefix}"),
        }
    }
}

/// Where an interface's IPv6 address comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ipv6Config {
    /// From router advertisements.
    Auto,
    /// From a DHCP server.
    Dhcp,
    /// From the container itself.
    Manual,
    /// This address, with the length of its network's prefix.
    Static(Ipv6Addr, u8),
}

impl FromStr for Ipv6Config {
    type Err = InvalidProperty;

    fn from_str(text: &str) -> Result<Self, InvalidProperty> {
        match text {
            "auto" => Ok(Self::Auto),
            "dhcp" => Ok(Self::Dhcp),
            "manual" => Ok(Self::Manual),
            _ => with_prefix(text, 128).map(|(address, prefix)| Self::Static(address, prefix)),
        }
    }
}

impl fmt::Display for Ipv6Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Dhcp => f.write_str("dhcp"),
            Self::Manual => f.write_str("manual"),
            Self::Static(address, prefix) => write!(f, "{address}/{prefix}"),
        }
    }
}

fn with_prefix<A: FromStr>(text: &str, longest: u8) -> Result<(A, u8), InvalidProperty> {
    let parts = text.split_once('/').and_then(|(address, prefix)| {
        let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= longest)?;
        Some((address.parse().ok()?, prefix))
    });
    parts.ok_or_else(|| InvalidProperty::new(text, "expected an address with its prefix length"))
}
