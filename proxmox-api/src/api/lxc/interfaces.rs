//! Network interfaces of a running container, with their addresses.

use std::net::IpAddr;

use serde::Deserialize;

use crate::property::MacAddr;

/// A network interface as it is inside the container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuestInterface {
    /// Its name, e.g. `eth0`.
    pub name: String,
    /// Its hardware address.
    pub hwaddr: Option<MacAddr>,
    /// Its addresses.
    pub addresses: Vec<GuestAddress>,
}

/// An address with the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct GuestAddress {
    /// The address.
    pub address: IpAddr,
    /// Length of the prefix in bits.
    pub prefix: u8,
}

#[derive(Deserialize)]
struct Wire {
    name: String,
    hwaddr: Option<String>,
    #[serde(rename = "hardware-address")]
    hardware_address: Option<String>,
    inet: Option<String>,
    inet6: Option<String>,
    #[serde(rename = "ip-addresses", default)]
    addresses: Vec<WireAddress>,
}

#[derive(Deserialize)]
struct WireAddress {
    #[serde(rename = "ip-address")]
    address: Option<IpAddr>,
    #[serde(default, deserialize_with = "crate::wire::lax")]
    prefix: Option<u16>,
}

impl<'de> Deserialize<'de> for GuestInterface {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let listed = wire.addresses.iter().filter_map(WireAddress::read);
        // Before 8.4 there is no list, but one address of each family.
        let short = [&wire.inet, &wire.inet6].into_iter().flatten();
        let short = short.filter_map(|text| GuestAddress::parse(text));
        let mut addresses: Vec<GuestAddress> = Vec::new();
        for address in listed.chain(short) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let hwaddr = wire
            .hwaddr
            .or(wire.hardware_address)
            .and_then(|text| text.parse().ok());
        Ok(Self {
            name: wire.name,
            hwaddr,
            addresses,
        })
    }
}

impl WireAddress {
    fn read(&self) -> Option<GuestAddress> {
        let prefix = u8::try_from(self.prefix?).ok()?;
        Some(GuestAddress {
            address: self.address?,
            prefix,
        })
    }
}

impl GuestAddress {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        Some(Self {
            address: address.parse().ok()?,
            prefix: prefix.parse().ok()?,
        })
    }

    /// Whether others on the network can reach it: neither loopback nor link-local.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        match self.address {
            IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
            IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
        }
    }
}
