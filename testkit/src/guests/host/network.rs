//! The guests' bridge, its subnet and the translation of their addresses.

use std::ffi::OsStr;
use std::net::Ipv4Addr;

use rand::RngExt;
use serde_json::Value;

use super::while_doing;
use crate::guests::lxc::network::mask;
use crate::guests::{Failure, HostNetwork};
use crate::process::Program;

/// The subnets to choose from are `10.83.0.0/24` to `10.98.255.0/24`.
const FIRST_SUBNET: u32 = 0x0a53_0000;
const SUBNETS: u32 = 16 * 256;
const PREFIX: u8 = 24;

/// Chooses a subnet that is free. The caller holds the machine's lock.
pub(super) async fn choose(run_id: &str) -> Result<HostNetwork, Failure> {
    let taken = taken_networks().await?;
    let start = rand::rng().random_range(0..SUBNETS);
    let base =
        free_subnet(&taken, start).ok_or_else(|| Failure::new("no private subnet is free"))?;
    Ok(HostNetwork {
        bridge: run_id.to_owned(),
        gateway: Ipv4Addr::from(base + 1),
        subnet: format!("{}/{PREFIX}", Ipv4Addr::from(base)),
        prefix: PREFIX,
    })
}

/// Makes bridge and translation.
pub(super) async fn make(table: &str, network: &HostNetwork) -> Result<(), Failure> {
    make_bridge(network).await?;
    let load = Program::new("nft")
        .args(["-f", "-"])
        .stdin(rules(table, network));
    load.checked().await.map(drop).map_err(while_doing("nft"))
}

/// Whether there is a network device of this name.
pub(super) async fn has_link(name: &str) -> bool {
    let there = Program::new("ip")
        .args(["link", "show", "dev", name])
        .output()
        .await;
    there.is_ok_and(|answer| answer.status.success())
}

async fn make_bridge(network: &HostNetwork) -> Result<(), Failure> {
    let bridge = network.bridge.as_str();
    let address = format!("{}/{PREFIX}", network.gateway);
    // With an address of its own it does not change when guests come and go.
    let mac: [u8; 4] = rand::rng().random();
    let mac = format!(
        "02:50:{:02x}:{:02x}:{:02x}:{:02x}",
        mac[0], mac[1], mac[2], mac[3]
    );
    let calls: [&[&str]; 3] = [
        &["link", "add", bridge, "address", &mac, "type", "bridge"],
        &["addr", "add", &address, "dev", bridge],
        &["link", "set", bridge, "up"],
    ];
    for call in calls {
        run("ip", call).await?;
    }
    Ok(())
}

/// The rules that let guests out under the host's address.
fn rules(table: &str, network: &HostNetwork) -> String {
    let HostNetwork { bridge, subnet, .. } = network;
    format!(
        "table ip {table} {{\n  chain postrouting {{\n    \
         type nat hook postrouting priority srcnat; policy accept;\n    \
         ip saddr {subnet} oifname != \"{bridge}\" masquerade\n  }}\n}}\n"
    )
}

/// The chain in which other software of this host, such as Docker, filters forwarded packets.
const FILTER: [&str; 3] = ["ip", "filter", "FORWARD"];

/// Whether somebody else's filter forwards nothing by itself.
pub(super) async fn is_filtered() -> bool {
    let chain = Program::new("nft")
        .args(["list", "chain"])
        .args(FILTER)
        .output()
        .await;
    chain.is_ok_and(|chain| String::from_utf8_lossy(&chain.stdout).contains("policy drop"))
}

/// Lets the bridge's traffic through that filter: a rule of our own table could not, since what
/// one table drops no other can save.
pub(super) async fn accept(bridge: &str) -> Result<(), Failure> {
    for side in ["iifname", "oifname"] {
        let rule = [side, bridge, "counter", "accept"];
        let insert = Program::new("nft")
            .args(["insert", "rule"])
            .args(FILTER)
            .args(rule);
        insert.checked().await.map_err(while_doing("nft"))?;
    }
    Ok(())
}

pub(super) async fn remove_accept(bridge: &str) -> Result<(), Failure> {
    let chain = Program::new("nft")
        .args(["-a", "list", "chain"])
        .args(FILTER)
        .output()
        .await;
    let text = chain.map(|chain| chain.stdout).unwrap_or_default();
    for handle in handles(&String::from_utf8_lossy(&text), bridge) {
        let delete = Program::new("nft").args(["delete", "rule"]).args(FILTER);
        delete
            .args(["handle", handle])
            .checked()
            .await
            .map_err(while_doing("nft"))?;
    }
    Ok(())
}

/// The handles of the rules that name a bridge.
fn handles<'a>(chain: &'a str, bridge: &str) -> Vec<&'a str> {
    let quoted = format!("\"{bridge}\"");
    let named = chain.lines().filter(|line| line.contains(&quoted));
    named
        .filter_map(|line| Some(line.rsplit_once("# handle ")?.1.trim()))
        .collect()
}

pub(super) async fn remove_bridge(name: &str) -> Result<(), Failure> {
    if has_link(name).await {
        run("ip", &["link", "del", name]).await?;
    }
    Ok(())
}

pub(super) async fn remove_table(name: &str) -> Result<(), Failure> {
    let there = Program::new("nft")
        .args(["list", "table", "ip", name])
        .output()
        .await;
    if there.is_ok_and(|answer| answer.status.success()) {
        run("nft", &["delete", "table", "ip", name]).await?;
    }
    Ok(())
}

/// Runs a program that has nothing to say.
pub(super) async fn run<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Result<(), Failure> {
    let command = Program::new(program).args(arguments);
    command
        .checked()
        .await
        .map(drop)
        .map_err(while_doing(program))
}

/// Every network that this host has an address in, a route to or a resolver in.
async fn taken_networks() -> Result<Vec<(u32, u8)>, Failure> {
    let ask = async |arguments: &[&str]| -> Result<Vec<Value>, Failure> {
        let text = Program::new("ip")
            .args(["-4", "-j"])
            .args(arguments)
            .checked()
            .await;
        serde_json::from_slice(&text.map_err(while_doing("ip"))?)
            .map_err(while_doing("reading routes"))
    };
    let mut texts = Vec::new();
    for route in ask(&["route", "show", "table", "all"]).await? {
        texts.extend(
            ["dst", "gateway"]
                .iter()
                .filter_map(|key| Some(route[key].as_str()?.to_owned())),
        );
    }
    for link in ask(&["addr"]).await? {
        for address in link["addr_info"].as_array().into_iter().flatten() {
            texts.extend(
                address["local"]
                    .as_str()
                    .map(|local| format!("{local}/{}", address["prefixlen"])),
            );
        }
    }
    let resolvers = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    texts.extend(
        resolvers
            .lines()
            .filter_map(|line| line.strip_prefix("nameserver"))
            .map(str::to_owned),
    );
    Ok(texts.iter().filter_map(|text| network(text)).collect())
}

/// A network or single address as its first address and prefix.
fn network(text: &str) -> Option<(u32, u8)> {
    let (address, prefix) = text.trim().split_once('/').unwrap_or((text.trim(), "32"));
    let prefix: u8 = prefix.parse().ok()?;
    let address: Ipv4Addr = address.parse().ok()?;
    Some((u32::from(address) & mask(prefix), prefix))
}

/// The first address of a subnet that overlaps no network, looking from number `start` on.
fn free_subnet(taken: &[(u32, u8)], start: u32) -> Option<u32> {
    let overlaps = |base: u32| {
        taken.iter().any(|(other, prefix)| {
            // A default route leads everywhere and takes nothing.
            let bits = mask((*prefix).min(PREFIX));
            *prefix > 0 && base & bits == other & bits
        })
    };
    (0..SUBNETS)
        .map(|step| FIRST_SUBNET + (((start + step) % SUBNETS) << 8))
        .find(|base| !overlaps(*base))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_overlaps_nothing_that_is_routed() {
        let taken: Vec<(u32, u8)> = [
            "10.83.0.0/24",
            "10.83.1.128/25",
            "10.83.2.7",
            "0.0.0.0/0",
            "192.0.2.0/24",
            "default",
        ]
        .iter()
        .filter_map(|text| network(text))
        .collect();
        assert_eq!(
            free_subnet(&taken, 0).map(Ipv4Addr::from),
            Some(Ipv4Addr::new(10, 83, 3, 0))
        );
        let wide: Vec<(u32, u8)> = network("10.0.0.0/8").into_iter().collect();
        assert_eq!(free_subnet(&wide, 0), None);
    }

    #[test]
    fn only_the_rules_of_this_bridge_are_found_again() {
        let chain = "chain FORWARD { # handle 1\n  iifname \"pci1\" counter packets 0 accept # handle 7\n  \
                     iifname \"pci12\" accept # handle 8\n  oifname \"pci1\" accept # handle 9\n}\n";
        assert_eq!(handles(chain, "pci1"), ["7", "9"]);
    }

    #[test]
    fn guests_go_out_under_the_hosts_address() {
        let network = HostNetwork {
            bridge: "pci1".to_owned(),
            gateway: Ipv4Addr::new(10, 83, 7, 1),
            subnet: "10.83.7.0/24".to_owned(),
            prefix: 24,
        };
        insta::assert_snapshot!(rules("pci1", &network), @r#"
        table ip pci1 {
          chain postrouting {
            type nat hook postrouting priority srcnat; policy accept;
            ip saddr 10.83.7.0/24 oifname != "pci1" masquerade
          }
        }
        "#);
    }
}
