//! The grammar of single values: numbers, words, sizes, names, templates, gates.

use std::net::{IpAddr, Ipv4Addr};

use super::fields::Wrong;
use crate::resolve::{Address, Disk, Health, Template};
use crate::spec::{Size, is_dns_label};

/// A number within bounds.
pub(super) fn number(text: &str, least: u32, most: u32) -> Result<u32, Wrong> {
    let wanted = || format!("a whole number from {least} to {most}");
    let number: u32 = digits(text).ok_or_else(|| Wrong::value(text, wanted()))?;
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(Wrong::value(text, wanted()))
    }
}

fn digits(text: &str) -> Option<u32> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

/// `yes` or `no`, with the spellings that people use.
pub(super) fn yes_no(text: &str) -> Result<bool, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" | "on" => Ok(true),
        "no" | "false" | "0" | "off" => Ok(false),
        _ => Err(Wrong::value(text, "`yes` or `no`")),
    }
}

/// Cores as a decimal, canonical: `0.5`, `2`, `0` for none.
pub(super) fn cpulimit(text: &str) -> Result<String, Wrong> {
    let wrong = || Wrong::value(text, "a number of cores from 0 to 8192, such as `0.5`");
    let plain = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let cores: f64 = if plain {
        text.parse().map_err(|_| wrong())?
    } else {
        return Err(wrong());
    };
    if (0.0..=8192.0).contains(&cores) {
        Ok(cores.to_string())
    } else {
        Err(wrong())
    }
}

/// Memory in MiB, or with a unit.
pub(super) fn memory(text: &str, least: u64) -> Result<Size, Wrong> {
    let size = with_unit(text, Size::mib(1), "`M` or `G`, or MiB without one")?;
    if size.as_bytes() % Size::mib(1).as_bytes() == 0 && (least..=1 << 30).contains(&size.as_mib())
    {
        Ok(size)
    } else {
        Err(Wrong::value(text, format!("whole MiB, at least {least}")))
    }
}

fn with_unit(text: &str, bare: Size, units: &str) -> Result<Size, Wrong> {
    if let Some(size) = Size::parse(text, Some(bare)) {
        return Ok(size);
    }
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if unit.len() == text.len() || unit.is_empty() {
        return Err(Wrong::value(text, format!("a whole number with {units}")));
    }
    let message = format!("`{}` is no unit", unit.trim());
    let number = &text[..text.len() - unit.len()];
    let hint = match unit
        .trim()
        .chars()
        .next()
        .map(|first| first.to_ascii_uppercase())
    {
        Some(letter @ ('K' | 'M' | 'G' | 'T')) => {
            format!("write `{number}{letter}`: units are powers of 1024")
        }
        _ => format!("write the number with {units}"),
    };
    Err(Wrong::other("bad-unit", message, units, hint))
}

/// `STORAGE:SIZE` or `SIZE`, in GiB without a unit.
pub(super) fn disk(text: &str, storage: &str) -> Result<Disk, Wrong> {
    let (storage, size) = text.rsplit_once(':').unwrap_or((storage, text));
    Ok(Disk {
        storage: name(storage, "the name of a storage")?,
        size: disk_size(size)?,
    })
}

/// The size of a disk, in GiB without a unit.
pub(super) fn disk_size(text: &str) -> Result<Size, Wrong> {
    let size = with_unit(text, Size::gib(1), "`M`, `G` or `T`, or GiB without one")?;
    let whole = size.as_bytes() % Size::mib(1).as_bytes() == 0;
    if whole && size.as_bytes() > 0 && size.as_bytes() < 1 << 57 {
        Ok(size)
    } else {
        Err(Wrong::value(text, "whole MiB, more than none"))
    }
}

/// A name as Proxmox VE has them for nodes, storages, bridges and pools.
pub(super) fn name(text: &str, wanted: &str) -> Result<String, Wrong> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let fits =
        text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.bytes().all(inner);
    if fits && text.len() <= 100 {
        Ok(text.to_owned())
    } else {
        Err(Wrong::value(text, wanted))
    }
}

/// A host name: labels separated by dots.
pub(super) fn hostname(text: &str) -> Result<String, Wrong> {
    if text.len() <= 253 && text.split('.').all(is_dns_label) {
        return Ok(text.to_owned());
    }
    Err(Wrong::value(
        text,
        "a host name of lower-case letters, digits and inner hyphens",
    ))
}

/// A domain for `/etc/resolv.conf`.
pub(super) fn domain(text: &str) -> Result<String, Wrong> {
    hostname(text).map_err(|_| Wrong::value(text, "a domain such as `example.lan`"))
}

/// A name server.
pub(super) fn nameserver(text: &str) -> Result<String, Wrong> {
    let address: Result<IpAddr, _> = text.parse();
    address
        .map(|address| address.to_string())
        .map_err(|_| Wrong::value(text, "the IP address of a name server"))
}

/// A tag, lower case as Proxmox VE keeps it.
pub(super) fn tag(text: &str) -> Result<String, Wrong> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+.".contains(&byte);
    let first = text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
    if first && text.bytes().all(inner) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(Wrong::value(text, "a tag of letters, digits and `-_+.`"))
}

/// `order=N,up=S,down=S` from its items.
pub(super) fn startup(text: &str) -> Result<(&'static str, u32), Wrong> {
    let (name, value) = text.split_once('=').unwrap_or(("order", text));
    let name = ["order", "up", "down"]
        .into_iter()
        .find(|known| *known == name);
    let wrong = || Wrong::value(text, "`order=NUMBER`, `up=SECONDS` or `down=SECONDS`");
    Ok((name.ok_or_else(wrong)?, digits(value).ok_or_else(wrong)?))
}

/// An address of the first interface: `10.0.0.5`, with its prefix where it differs from the subnet's.
pub(super) fn address(text: &str, prefix: Option<u8>) -> Result<Address, Wrong> {
    let wrong = || Wrong::value(text, "an IPv4 address such as `10.0.0.5` or `10.0.0.5/24`");
    match text {
        "dhcp" => return Ok(Address::Dhcp),
        "manual" => return Ok(Address::Manual),
        _ => {}
    }
    let (address, written) = match text.split_once('/') {
        Some((address, prefix)) => {
            let prefix = digits(prefix).and_then(|prefix| u8::try_from(prefix).ok());
            (address, Some(prefix.ok_or_else(wrong)?))
        }
        None => (text, prefix),
    };
    let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
    match written {
        Some(prefix) if prefix <= 32 => Ok(Address::Static { address, prefix }),
        Some(_) => Err(wrong()),
        None => Err(Wrong::other(
            "no-prefix",
            format!("`{text}` does not say how large its network is"),
            "an address with its prefix",
            format!("write `{text}/24`, or `subnet` in `[network]` of `fleet.toml`"),
        )),
    }
}

/// The gateway; `None` for the word `none`.
pub(super) fn gateway(text: &str) -> Result<Option<Ipv4Addr>, Wrong> {
    if text == "none" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| Wrong::value(text, "an IPv4 address, or `none`"))
}

/// A template: volume, name or address with checksum.
pub(super) fn template(text: &str, storage: &str) -> Result<Template, Wrong> {
    if text.contains("://") {
        return template_url(text, storage);
    }
    let fits = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
    };
    match text.split_once(':') {
        Some((on, path)) => match path.strip_prefix("vztmpl/") {
            Some(file) if fits(file) && name(on, "").is_ok() => Ok(Template::Volume {
                volume: text.to_owned(),
            }),
            _ => Err(Wrong::value(
                text,
                "a volume such as `local:vztmpl/debian-12.tar.zst`",
            )),
        },
        None if fits(text) => Ok(Template::Name {
            name: text.to_owned(),
            storage: storage.to_owned(),
        }),
        None => Err(Wrong::value(text, "a name such as `debian-12-standard`")),
    }
}

fn template_url(text: &str, storage: &str) -> Result<Template, Wrong> {
    let no_checksum = || {
        let help = "append `#sha256=` or `#sha512=` and the checksum that its publisher gives";
        Wrong::other(
            "no-checksum",
            "a template from an address needs a checksum",
            "`URL#sha256=HEX`",
            help,
        )
    };
    let (url, checksum) = text.split_once('#').ok_or_else(no_checksum)?;
    let (algorithm, checksum) = checksum.split_once('=').ok_or_else(no_checksum)?;
    let digits = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return Err(no_checksum()),
    };
    if checksum.len() != digits || !checksum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let wanted = format!("{digits} hexadecimal digits after `{algorithm}=`");
        return Err(Wrong::other(
            "bad-checksum",
            format!("this is no {algorithm} checksum"),
            &wanted,
            "copy it again, whole",
        ));
    }
    let file = url.rsplit('/').next().unwrap_or_default();
    let known = [".tar.gz", ".tar.xz", ".tar.zst"]
        .iter()
        .any(|ending| file.ends_with(ending));
    if !(url.starts_with("https://") || url.starts_with("http://")) || !known {
        return Err(Wrong::value(
            url,
            "an `https://` address of a `.tar.zst`, `.tar.xz` or `.tar.gz`",
        ));
    }
    Ok(Template::Url {
        url: url.to_owned(),
        algorithm: algorithm.to_owned(),
        checksum: checksum.to_ascii_lowercase(),
        storage: storage.to_owned(),
        file: file.to_owned(),
    })
}

/// One gate: `http:PORT/PATH`, `tcp:PORT`, `unit:NAME`.
pub(super) fn health(text: &str) -> Result<Health, Wrong> {
    let wrong = || Wrong::value(text, "`http:PORT/PATH`, `tcp:PORT` or `unit:NAME`");
    let port = |text: &str| {
        digits(text)
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port > 0)
    };
    match text.split_once(':') {
        Some(("tcp", rest)) => Ok(Health::Tcp {
            port: port(rest).ok_or_else(wrong)?,
        }),
        Some(("http", rest)) => {
            let (number, path) = rest.split_once('/').unwrap_or((rest, ""));
            let sane = path.bytes().all(|byte| byte.is_ascii_graphic());
            let port = port(number).filter(|_| sane).ok_or_else(wrong)?;
            Ok(Health::Http {
                port,
                path: format!("/{path}"),
            })
        }
        Some(("unit", rest)) => {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@:".contains(&byte);
            let sane = rest.starts_with(|first: char| first.is_ascii_alphanumeric())
                && rest.bytes().all(fits);
            if sane {
                Ok(Health::Unit {
                    unit: rest.to_owned(),
                })
            } else {
                Err(wrong())
            }
        }
        _ => Err(wrong()),
    }
}
