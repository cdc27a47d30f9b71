//! Named formats of parameters, each with the text of its refusal.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::property::parse_size;
use super::verify::matches;

/// Checks a value by the name of its format; an unknown format accepts everything.
pub(crate) fn check(format: &str, text: &str) -> Result<(), String> {
    let valid = match format {
        "pve-vmid" => vmid(text),
        "pve-node" => dns_label(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "ip" | "lxc-ip-with-ll-iface" => ip(text),
        "CIDR" | "IPorCIDR" | "CIDRv4" | "CIDRv6" | "FullRangeCIDR" => cidr(format, text),
        "mac-addr" => mac(text),
        "dns-name" => dns_name(text),
        "address" => ip(text) || dns_name(text),
        "email" | "email-opt" => matches(
            r"[\w\+\-\~]+(\.[\w\+\-\~]+)*@[a-zA-Z0-9\-]+(\.[a-zA-Z0-9\-]+)*",
            text,
        ),
        "pve-storage-path" => text.starts_with('/'),
        "pve-ipv4-config" => matches!(text, "dhcp" | "manual") || network(text, false),
        "pve-ipv6-config" => matches!(text, "auto" | "dhcp" | "manual") || network(text, true),
        "pve-volume-id" => matches(r"[a-zA-Z][a-zA-Z0-9\-_.]*[a-zA-Z0-9]:.+", text),
        "disk-size" => parse_size(text).is_some(),
        _ => return named(format, text),
    };
    if valid {
        Ok(())
    } else {
        Err(refusal(format, text))
    }
}

/// Formats whose refusals name the value.
fn named(format: &str, text: &str) -> Result<(), String> {
    let (valid, refusal) = match format {
        "pve-configid" => (
            matches("(?i:[a-z][a-z0-9_-]+)", text),
            format!("invalid configuration ID '{text}'\n"),
        ),
        "pve-storage-id" => (
            matches(r"(?i:[a-z][a-z0-9\-_.]*[a-z0-9])", text),
            format!("storage ID '{text}' contains illegal characters\n"),
        ),
        "pve-poolid" => (
            pool(text),
            format!("pool name '{text}' contains invalid characters\n"),
        ),
        "pve-groupid" => (
            matches(r"[A-Za-z0-9.\-_]+", text),
            format!("group name '{text}' contains invalid characters\n"),
        ),
        "pve-roleid" => (
            matches(r"[A-Za-z0-9.\-_]+", text),
            format!("role name '{text}' contains invalid characters\n"),
        ),
        "pve-realm" => (
            matches(r"[A-Za-z][A-Za-z0-9.\-_]+", text),
            format!("value '{text}' does not look like a valid realm\n"),
        ),
        "pve-userid" => (
            user(text),
            format!("value '{text}' does not look like a valid user name\n"),
        ),
        "pve-tokenid" => (
            matches(
                r"[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+![A-Za-z][A-Za-z0-9.\-_]+",
                text,
            ),
            format!("value '{text}' does not look like a valid token ID\n"),
        ),
        "pve-priv" => (
            super::roles::is_privilege(text),
            format!("invalid privilege '{text}'\n"),
        ),
        "pve-tag" => (
            matches(r"(?i:[a-z0-9_][a-z0-9_\-\+\.]*)", text),
            "invalid characters in tag\n".to_owned(),
        ),
        "pve-storage-content" => (content(text), format!("invalid content type '{text}'\n")),
        "pve-task-status-type" => (
            matches("ok|error|warning|unknown", text),
            format!("invalid status '{text}'\n"),
        ),
        "pve-ct-timezone" => (timezone(text), format!("invalid time zone '{text}'\n")),
        "pve-lxc-mp-string" => {
            let bad = text.split('/').any(|part| part == "." || part == "..");
            (
                !bad,
                format!("{text} contains illegal character sequences\n"),
            )
        }
        _ => (true, String::new()),
    };
    if valid { Ok(()) } else { Err(refusal) }
}

fn refusal(format: &str, text: &str) -> String {
    let what = match format {
        "pve-vmid" => "VM ID",
        "pve-node" => "node name",
        "ipv4" => "IPv4 address",
        "ipv6" => "IPv6 address",
        "ip" | "lxc-ip-with-ll-iface" => "IP address",
        "mac-addr" => "unicast MAC address",
        "dns-name" => "DNS name",
        "address" => "domain/IP-address",
        "email" | "email-opt" => "email address",
        "pve-storage-path" => "absolute path",
        "pve-ipv4-config" => "ipv4 network configuration",
        "pve-ipv6-config" => "ipv6 network configuration",
        "disk-size" => return format!("value does not look like a valid disk size: {text}\n"),
        "pve-volume-id" => return "unable to parse volume ID\n".to_owned(),
        _ => "CIDR network",
    };
    format!("value does not look like a valid {what}\n")
}

/// Start-up order and delays.
pub(crate) fn startup(text: &str) -> Result<(), String> {
    let number = |value: &str| !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    let valid = text.split(',').all(|part| {
        let (key, value) = part.split_once('=').unwrap_or(("order", part));
        part.trim().is_empty()
            || (matches!(key.trim(), "order" | "up" | "down") && number(value.trim()))
    });
    if valid {
        Ok(())
    } else {
        Err("unable to parse startup options\n".to_owned())
    }
}

fn vmid(text: &str) -> bool {
    matches("[1-9][0-9]{2,8}", text)
}

fn dns_label(text: &str) -> bool {
    matches(r"(?i:[a-z0-9]([a-z0-9\-]*[a-z0-9])?)", text)
}

fn dns_name(text: &str) -> bool {
    matches(
        r"(?i:([a-z0-9]([a-z0-9\-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9\-]*[a-z0-9])?)",
        text,
    )
}

/// An address, link-local ones with an interface.
fn ip(text: &str) -> bool {
    let address = text.split('%').next().unwrap_or_default();
    address.parse::<IpAddr>().is_ok()
}

fn cidr(format: &str, text: &str) -> bool {
    if format == "IPorCIDR" && ip(text) {
        return true;
    }
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let (Ok(address), Ok(bits)) = (address.parse::<IpAddr>(), bits.parse::<u8>()) else {
        return false;
    };
    let family = match format {
        "CIDRv4" => address.is_ipv4(),
        "CIDRv6" => address.is_ipv6(),
        _ => true,
    };
    family && bits <= if address.is_ipv4() { 32 } else { 128 }
}

fn network(text: &str, six: bool) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let Ok(bits) = bits.parse::<u8>() else {
        return false;
    };
    if six {
        address.parse::<Ipv6Addr>().is_ok() && (8..=128).contains(&bits)
    } else {
        address.parse::<Ipv4Addr>().is_ok() && (8..=32).contains(&bits)
    }
}

/// A unicast address: the lowest bit of the first byte is clear.
fn mac(text: &str) -> bool {
    matches("(?i:[a-f0-9][02468ace](:[a-f0-9]{2}){5})", text)
}

fn pool(text: &str) -> bool {
    matches(r"[A-Za-z0-9.\-_]+(/[A-Za-z0-9.\-_]+){0,2}", text)
}

/// `name@realm`.
pub(crate) fn user(text: &str) -> bool {
    (3..=64).contains(&text.len()) && matches(r"[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+", text)
}

fn content(text: &str) -> bool {
    matches(
        "images|rootdir|vztmpl|iso|backup|snippets|import|none",
        text,
    )
}

/// `host`, or the name of a zone.
fn timezone(text: &str) -> bool {
    text == "host" || jiff::tz::db().get(text).is_ok()
}
