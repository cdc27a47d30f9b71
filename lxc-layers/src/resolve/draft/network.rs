//! The interfaces of a container, the first address derived where none is written.

use std::net::Ipv4Addr;

use super::super::fields::Fields;
use super::super::mounts::{nic, vlan_tag};
use super::super::values;
use super::super::{Address, Nic};
use crate::diagnostic::{Diagnostic, Located, Span};
use crate::spec::{Fleet, Key, Vmid};

/// The interfaces of a container, and those of its addresses that nobody else may have.
pub(super) struct Network {
    pub(super) nics: Vec<Nic>,
    pub(super) addresses: Vec<Located<Ipv4Addr>>,
}

pub(super) fn network(
    fields: &mut Fields<'_>,
    fleet: &Fleet,
    id: Option<&Located<Vmid>>,
) -> Network {
    let subnet = fleet.network.subnet.as_ref().map(|subnet| subnet.value);
    let first = first_address(fields, fleet, id);
    let written = fields.maybe(Key::Gateway, values::gateway);
    let gateway = match (written, &fleet.network.gateway) {
        (Some(written), _) => written.value,
        (None, Some(fleet)) => {
            fields.fleet_wide(Key::Gateway, fleet.value.to_string(), fleet.span.clone());
            Some(fleet.value)
        }
        (None, None) => None,
    };
    let bridge = fields.one(Key::Bridge, "vmbr0".to_owned(), |text| {
        values::name(text, "the name of a bridge")
    });
    let vlan = fields.maybe(Key::Vlan, vlan_tag).map(|tag| tag.value);
    let mut network = Network {
        nics: Vec::new(),
        addresses: Vec::new(),
    };
    let address = first
        .as_ref()
        .map_or(Address::Manual, |first| Address::Static {
            address: first.value.0,
            prefix: first.value.1,
        });
    network.nics.push(Nic {
        name: "eth0".to_owned(),
        bridge,
        address,
        gateway,
        vlan,
    });
    network
        .addresses
        .extend(first.map(|first| Located::new(first.value.0, first.span)));
    for (position, item) in fields
        .many(Key::Nic, nic)
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        if let Address::Static { address, .. } = item.value.address {
            // A further interface may lie in any network, but its address is nobody else's.
            if subnet.is_none_or(|subnet| subnet.holds(address)) {
                network.addresses.push(Located::new(address, item.span));
            }
        }
        network.nics.push(Nic {
            name: format!("eth{}", position + 1),
            ..item.value
        });
    }
    network
}

/// The first address: written, or the subnet's address plus the number, as the seed has it.
fn first_address(
    fields: &mut Fields<'_>,
    fleet: &Fleet,
    id: Option<&Located<Vmid>>,
) -> Option<Located<(Ipv4Addr, u8)>> {
    let subnet = fleet.network.subnet.as_ref().map(|subnet| subnet.value);
    if fields.cell(Key::Ip).is_some() {
        let written = fields.maybe(Key::Ip, |text| {
            let prefix = subnet.map(|subnet| subnet.prefix);
            // With a subnet that cannot be read, nobody knows the prefix, and that is told already.
            values::address(text, prefix.or(fleet.network.subnet_unread.then_some(32)))
        })?;
        return match written.value {
            Address::Static { address, prefix } => {
                Some(Located::new((address, prefix), written.span))
            }
            Address::Dhcp | Address::Manual => {
                fields.problems.push(not_static(written.span));
                None
            }
        };
    }
    fields.maybe(Key::Ip, |_| Ok(()));
    let id = id?;
    let Some(subnet) = subnet else {
        if fleet.network.subnet_unread {
            return None;
        }
        fields.problems.push(
            Diagnostic::error(
                "missing-key",
                id.span.clone(),
                "`IP` is missing, and there is no subnet to derive it from",
            )
            .expected("expected `IP=ADDRESS/PREFIX` beside this")
            .help("write `IP` here, or `subnet` in `[network]` of `fleet.toml`"),
        );
        return None;
    };
    let Some(address) = subnet.host(id.value.get()) else {
        let message = format!("no address of {subnet} follows from number {}", id.value);
        fields.problems.push(
            Diagnostic::error("no-address", id.span.clone(), message)
                .expected("expected a number that the subnet has a host for")
                .help("write `IP` beside it, or take a smaller number or a larger subnet"),
        );
        return None;
    };
    fields.derived(
        Key::Ip,
        format!("{address}/{}", subnet.prefix),
        "`subnet` of `[network]` and `ID`",
    );
    Some(Located::new((address, subnet.prefix), id.span.clone()))
}

fn not_static(span: Span) -> Diagnostic {
    Diagnostic::error("not-yet-supported", span, "an address that is not written here is not yet supported")
        .expected("expected an IPv4 address")
        .help("write the address: the layers reach a container by it. Further interfaces (`NIC`) may be `dhcp`")
}
