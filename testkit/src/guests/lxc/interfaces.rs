//! The network interfaces inside a guest, seen from the host.

use serde_json::Value;

use super::Failure;
use super::tools::while_doing;
use crate::guests::Interface;
use crate::process::Program;

/// Asks with the host's own program in the guest's network: the guest need not have one.
pub(super) async fn of(pid: u32) -> Result<Vec<Interface>, Failure> {
    let answer = Program::new("nsenter")
        .args(["--net", "--target", &pid.to_string(), "ip", "-j", "addr"])
        .checked()
        .await
        .map_err(while_doing("asking for the guest's interfaces"))?;
    let links: Vec<Value> =
        serde_json::from_slice(&answer).map_err(while_doing("reading the guest's interfaces"))?;
    Ok(links.iter().filter_map(interface).collect())
}

fn interface(link: &Value) -> Option<Interface> {
    let of_family = |family: &str| {
        let addresses = link["addr_info"].as_array().into_iter().flatten();
        addresses
            .filter(|address| address["family"] == family)
            .filter_map(|address| {
                Some(format!(
                    "{}/{}",
                    address["local"].as_str()?,
                    address["prefixlen"]
                ))
            })
            .collect()
    };
    Some(Interface {
        name: link["ifname"].as_str()?.to_owned(),
        hwaddr: link["address"].as_str().unwrap_or_default().to_owned(),
        inet: of_family("inet"),
        inet6: of_family("inet6"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_sorted_by_family() {
        let link = serde_json::json!({
            "ifname": "eth0", "address": "bc:24:11:00:00:01",
            "addr_info": [
                {"family": "inet", "local": "10.83.0.5", "prefixlen": 24},
                {"family": "inet6", "local": "fe80::1", "prefixlen": 64},
            ]
        });
        let found = interface(&link).unwrap();
        assert_eq!(found.inet, ["10.83.0.5/24"]);
        assert_eq!(found.inet6, ["fe80::1/64"]);
    }
}
