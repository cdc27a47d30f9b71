//! Network devices of a guest that runs: added, removed and given other addresses.

use std::collections::BTreeMap;

use rand::RngExt;

use super::Failure;
use super::network::{Inet, Nic};
use super::tools::while_doing;
use crate::process::Program;

/// A call of the `ip` program.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Call {
    /// Whether it is made in the guest's network.
    inside: bool,
    /// Its arguments.
    arguments: Vec<String>,
}

/// Makes the devices of a running guest what they are to be.
pub(super) async fn replug(
    pid: u32,
    bridge: &str,
    before: &[Nic],
    after: &[Nic],
) -> Result<(), Failure> {
    let name = || format!("veth{:08x}", rand::rng().random::<u32>());
    for call in calls(pid, bridge, before, after, name) {
        let target = pid.to_string();
        let program = if call.inside {
            Program::new("nsenter").args(["--net", "--target", &target, "ip"])
        } else {
            Program::new("ip")
        };
        program
            .args(&call.arguments)
            .checked()
            .await
            .map_err(while_doing("ip"))?;
    }
    Ok(())
}

/// The calls that lead from some devices to others. `name` makes a free name for the host's side
/// of a new device.
fn calls(
    pid: u32,
    bridge: &str,
    before: &[Nic],
    after: &[Nic],
    mut name: impl FnMut() -> String,
) -> Vec<Call> {
    let by_number = |nics: &[Nic]| -> BTreeMap<u32, Nic> {
        nics.iter().map(|nic| (nic.number, nic.clone())).collect()
    };
    let (old, new) = (by_number(before), by_number(after));
    let mut calls = Vec::new();
    for (number, nic) in &old {
        let kept = new
            .get(number)
            .is_some_and(|other| other.is_same_device_as(nic));
        if !kept {
            calls.push(inside(&["link", "del", &nic.name]));
        }
    }
    // As at a start, the first device with a gateway has the default route.
    let first = |gateway: &dyn Fn(&Nic) -> bool| new.values().find(|nic| gateway(nic)).cloned();
    let routes = [
        first(&|nic| nic.gateway.is_some()),
        first(&|nic| nic.gateway6.is_some()),
    ];
    for (number, nic) in &new {
        match old.get(number) {
            Some(other) if other == nic => continue,
            Some(other) if other.is_same_device_as(nic) => {
                calls.push(inside(&[
                    "addr", "flush", "dev", &nic.name, "scope", "global",
                ]));
            }
            _ => calls.extend(plug(pid, bridge, nic, &name())),
        }
        calls.extend(addresses(nic));
        calls.extend(default_routes(nic, &routes));
    }
    calls
}

fn plug(pid: u32, bridge: &str, nic: &Nic, host_side: &str) -> Vec<Call> {
    let target = pid.to_string();
    let mut add = vec![
        "link", "add", host_side, "type", "veth", "peer", "name", &nic.name,
    ];
    if let Some(hwaddr) = &nic.hwaddr {
        add.extend(["address", hwaddr]);
    }
    add.extend(["netns", &target]);
    let mut calls = vec![outside(&add)];
    if let Some(mtu) = nic.mtu.map(|mtu| mtu.to_string()) {
        calls.push(outside(&["link", "set", host_side, "mtu", &mtu]));
        calls.push(inside(&["link", "set", &nic.name, "mtu", &mtu]));
    }
    if nic.linked {
        calls.push(outside(&["link", "set", host_side, "master", bridge, "up"]));
        calls.push(inside(&["link", "set", &nic.name, "up"]));
    }
    calls
}

fn addresses(nic: &Nic) -> Vec<Call> {
    let mut calls = Vec::new();
    if !nic.linked {
        return calls;
    }
    let device = ["dev", nic.name.as_str()];
    if let Inet::Fixed(address, prefix) = nic.inet {
        let address = format!("{address}/{prefix}");
        calls.push(inside(&[&["addr", "add", &address], &device[..]].concat()));
    }
    if let Some(inet6) = &nic.inet6 {
        calls.push(inside(
            &[&["addr", "add", inet6.as_str()], &device[..]].concat(),
        ));
    }
    calls
}

fn default_routes(nic: &Nic, [inet, inet6]: &[Option<Nic>; 2]) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut route = |family: &str, gateway: String| {
        let route = [
            "route", "replace", "default", "via", &gateway, "dev", &nic.name,
        ];
        calls.push(inside(&[&[family], &route[..]].concat()));
    };
    if nic.linked && inet.as_ref() == Some(nic) {
        nic.gateway
            .iter()
            .for_each(|gateway| route("-4", gateway.to_string()));
    }
    if nic.linked && inet6.as_ref() == Some(nic) {
        nic.gateway6
            .iter()
            .for_each(|gateway| route("-6", gateway.to_string()));
    }
    calls
}

fn inside(arguments: &[&str]) -> Call {
    Call {
        inside: true,
        arguments: arguments.iter().map(|one| (*one).to_owned()).collect(),
    }
}

fn outside(arguments: &[&str]) -> Call {
    Call {
        inside: false,
        ..inside(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, network};
    use super::*;

    fn nics(entries: &[(&str, &str)]) -> Vec<Nic> {
        let config: Config = entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        network::nics(&config).unwrap()
    }

    fn said(before: &[(&str, &str)], after: &[(&str, &str)]) -> Vec<String> {
        let calls = calls(7, "pci1", &nics(before), &nics(after), || {
            "veth1".to_owned()
        });
        let place = |call: &Call| if call.inside { "guest" } else { "host" };
        calls
            .iter()
            .map(|call| format!("{}: ip {}", place(call), call.arguments.join(" ")))
            .collect()
    }

    const FIRST: &str =
        "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01,ip=10.83.0.5/24,gw=10.83.0.1";

    #[test]
    fn another_address_leaves_the_device_in_place() {
        let other = FIRST.replace(".0.5", ".0.6");
        assert_eq!(
            said(&[("net0", FIRST)], &[("net0", &other)]),
            [
                "guest: ip addr flush dev eth0 scope global",
                "guest: ip addr add 10.83.0.6/24 dev eth0",
                "guest: ip -4 route replace default via 10.83.0.1 dev eth0",
            ]
        );
        assert!(said(&[("net0", FIRST)], &[("net0", FIRST)]).is_empty());
    }

    #[test]
    fn a_device_comes_and_another_goes() {
        assert_eq!(
            said(&[("net1", "name=eth1,bridge=vmbr0")], &[("net0", FIRST)]),
            [
                "guest: ip link del eth1",
                "host: ip link add veth1 type veth peer name eth0 address bc:24:11:00:00:01 netns 7",
                "host: ip link set veth1 master pci1 up",
                "guest: ip link set eth0 up",
                "guest: ip addr add 10.83.0.5/24 dev eth0",
                "guest: ip -4 route replace default via 10.83.0.1 dev eth0",
            ]
        );
    }
}
