//! What a guest's network devices should be, from its `netN` entries.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::property::{Property, numbered};
use super::{Config, Failure, HostNetwork};

/// The one bridge there is over the API.
const BRIDGE: &str = "vmbr0";

/// The last part of the first address that is given to a guest that asks for one.
const FIRST_LEASE: u32 = 200;

/// A network device of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Nic {
    /// The number in `netN`.
    pub(super) number: u32,
    /// Its name in the guest.
    pub(super) name: String,
    /// Its hardware address.
    pub(super) hwaddr: Option<String>,
    /// Where its IPv4 address comes from.
    pub(super) inet: Inet,
    /// Its IPv4 gateway.
    pub(super) gateway: Option<Ipv4Addr>,
    /// Its IPv6 address with prefix.
    pub(super) inet6: Option<String>,
    /// Its IPv6 gateway.
    pub(super) gateway6: Option<Ipv6Addr>,
    /// Its MTU.
    pub(super) mtu: Option<u32>,
    /// Whether its cable is plugged in.
    pub(super) linked: bool,
    /// Whether its address was chosen here.
    pub(super) leased: bool,
}

impl Nic {
    /// Its IPv4 address, when it has one.
    pub(super) fn address(&self) -> Option<Ipv4Addr> {
        match self.inet {
            Inet::Fixed(address, _) => Some(address),
            Inet::Manual | Inet::Lease => None,
        }
    }

    /// Whether the other is this device, whatever its addresses are.
    pub(super) fn is_same_device_as(&self, other: &Self) -> bool {
        (&self.name, &self.hwaddr, self.mtu, self.linked)
            == (&other.name, &other.hwaddr, other.mtu, other.linked)
    }
}

/// Where an IPv4 address comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inet {
    /// The guest sees to it.
    Manual,
    /// The guest is given one that is free.
    Lease,
    /// This one, with its prefix.
    Fixed(Ipv4Addr, u8),
}

/// The network devices of a configuration.
///
/// # Errors
/// When an entry cannot be made true on this host.
pub(super) fn nics(config: &Config) -> Result<Vec<Nic>, Failure> {
    numbered(config, "net")
        .map(|(number, property)| nic(number, &property))
        .collect()
}

fn nic(number: u32, property: &Property) -> Result<Nic, Failure> {
    let wrong =
        |key: &str, value: &str| Failure::new(format!("net{number}: invalid {key} '{value}'"));
    match property.get("bridge") {
        Some(BRIDGE) => {}
        Some(other) => return Err(Failure::new(format!("bridge '{other}' does not exist"))),
        None => return Err(Failure::new(format!("net{number}: no bridge given"))),
    }
    if let Some(tag) = property.get("tag").or_else(|| property.get("trunks")) {
        let text =
            format!("net{number}: vlan '{tag}' refused: the bridge of this node has no vlans");
        return Err(Failure::new(text));
    }
    let parsed = |key: &str| -> Result<Option<u32>, Failure> {
        property
            .get(key)
            .map(|text| text.parse().map_err(|_| wrong(key, text)))
            .transpose()
    };
    let name = property
        .get("name")
        .map_or_else(|| format!("eth{number}"), str::to_owned);
    if name.is_empty()
        || name.len() > 15
        || !name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    {
        return Err(wrong("name", &name));
    }
    Ok(Nic {
        number,
        name,
        hwaddr: property.get("hwaddr").map(str::to_ascii_lowercase),
        inet: inet(property.get("ip"))
            .ok_or_else(|| wrong("ip", property.get("ip").unwrap_or_default()))?,
        gateway: address(property, "gw").map_err(|text| wrong("gw", text))?,
        inet6: inet6(property.get("ip6")).map_err(|text| wrong("ip6", text))?,
        gateway6: address(property, "gw6").map_err(|text| wrong("gw6", text))?,
        mtu: parsed("mtu")?,
        linked: !property.is_on("link_down"),
        leased: false,
    })
}

fn inet(text: Option<&str>) -> Option<Inet> {
    match text {
        None | Some("manual") => Some(Inet::Manual),
        Some("dhcp") => Some(Inet::Lease),
        Some(cidr) => {
            let (address, prefix) = cidr.split_once('/')?;
            let prefix = prefix.parse().ok().filter(|bits| *bits <= 32)?;
            Some(Inet::Fixed(address.parse().ok()?, prefix))
        }
    }
}

fn inet6(text: Option<&str>) -> Result<Option<String>, &str> {
    match text {
        None | Some("manual" | "auto" | "dhcp") => Ok(None),
        Some(cidr) => {
            let valid = cidr.split_once('/').is_some_and(|(address, prefix)| {
                address.parse::<Ipv6Addr>().is_ok()
                    && prefix.parse::<u8>().is_ok_and(|bits| bits <= 128)
            });
            if valid {
                Ok(Some(cidr.to_owned()))
            } else {
                Err(cidr)
            }
        }
    }
}

fn address<'a, T: std::str::FromStr>(
    property: &'a Property,
    key: &str,
) -> Result<Option<T>, &'a str> {
    property
        .get(key)
        .map(|text| text.parse().map_err(|_| text))
        .transpose()
}

/// Gives each device that asks for an address one that is free, with the bridge as its gateway. A
/// device that had one keeps it.
///
/// Nothing serves DHCP on the bridge; the guest finds its address already set, and whoever asks
/// for its interfaces sees it, as if it had been leased.
///
/// # Errors
/// When no address is left.
pub(super) fn lease(
    nics: &mut [Nic],
    network: &HostNetwork,
    taken: &BTreeSet<Ipv4Addr>,
    leases: &mut BTreeMap<u32, Ipv4Addr>,
) -> Result<(), Failure> {
    let mut taken = taken.clone();
    taken.insert(network.gateway);
    taken.extend(nics.iter().filter_map(Nic::address));
    let base = u32::from(network.gateway) & mask(network.prefix);
    for nic in nics.iter_mut().filter(|nic| nic.inet == Inet::Lease) {
        let known = leases.get(&nic.number).copied();
        let any = (FIRST_LEASE..255)
            .chain(2..FIRST_LEASE)
            .map(|last| Ipv4Addr::from(base + last));
        let free = known
            .into_iter()
            .chain(any)
            .find(|address| !taken.contains(address))
            .ok_or_else(|| Failure::new(format!("net{}: no address is left", nic.number)))?;
        taken.insert(free);
        leases.insert(nic.number, free);
        nic.inet = Inet::Fixed(free, network.prefix);
        nic.gateway = nic.gateway.or(Some(network.gateway));
        nic.leased = true;
    }
    Ok(())
}

/// The bits of an address that name its network.
pub(in crate::guests) fn mask(prefix: u8) -> u32 {
    u32::MAX
        .checked_shl(32 - u32::from(prefix.min(32)))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> Config {
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn host() -> HostNetwork {
        HostNetwork {
            bridge: "pci0".to_owned(),
            gateway: Ipv4Addr::new(10, 83, 7, 1),
            subnet: "10.83.7.0/24".to_owned(),
            prefix: 24,
        }
    }

    #[test]
    fn a_static_device_keeps_all_it_says() {
        let text = "bridge=vmbr0,gw=10.83.7.1,hwaddr=BC:24:11:AA:BB:CC,ip=10.83.7.9/24,name=eth0,type=veth";
        let found = nics(&config(&[("net0", text)])).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].inet, Inet::Fixed(Ipv4Addr::new(10, 83, 7, 9), 24));
        assert_eq!(found[0].hwaddr.as_deref(), Some("bc:24:11:aa:bb:cc"));
        assert_eq!(found[0].gateway, Some(Ipv4Addr::new(10, 83, 7, 1)));
    }

    #[test]
    fn what_cannot_be_made_true_is_refused_by_name() {
        for (text, words) in [
            ("name=eth0,bridge=vmbr7", "bridge 'vmbr7' does not exist"),
            ("name=eth0", "net0: no bridge given"),
            (
                "name=eth0,bridge=vmbr0,ip=10.0.0.300/24",
                "net0: invalid ip '10.0.0.300/24'",
            ),
            (
                "name=eth0,bridge=vmbr0,ip=10.0.0.3",
                "net0: invalid ip '10.0.0.3'",
            ),
            ("name=a/b,bridge=vmbr0", "net0: invalid name 'a/b'"),
            (
                "name=eth0,bridge=vmbr0,tag=7",
                "net0: vlan '7' refused: the bridge of this node has no vlans",
            ),
        ] {
            let refused = nics(&config(&[("net0", text)])).unwrap_err();
            assert_eq!(refused.to_string(), words);
        }
    }

    #[test]
    fn a_lease_is_an_address_that_nobody_has() {
        let mut found = nics(&config(&[
            ("net0", "name=eth0,bridge=vmbr0,ip=dhcp"),
            ("net1", "name=eth1,bridge=vmbr0,ip=dhcp"),
        ]))
        .unwrap();
        let taken = BTreeSet::from([Ipv4Addr::new(10, 83, 7, 200)]);
        lease(
            &mut found,
            &host(),
            &taken,
            &mut BTreeMap::from([(1, Ipv4Addr::new(10, 83, 7, 250))]),
        )
        .unwrap();
        assert_eq!(
            found[0].inet,
            Inet::Fixed(Ipv4Addr::new(10, 83, 7, 201), 24)
        );
        assert_eq!(
            found[1].inet,
            Inet::Fixed(Ipv4Addr::new(10, 83, 7, 250), 24)
        );
        assert_eq!(found[0].gateway, Some(Ipv4Addr::new(10, 83, 7, 1)));
    }
}
