//! The fields that hold one value each.

use std::collections::BTreeMap;

use super::property::parse;
use super::{Circumstances, Difference};
use crate::resolve::{Boot, Container, Privilege, Protection};
use crate::spec::Key;

/// One field: its key, its name in Proxmox VE, its canonical value, `None` where it is absent.
struct Field {
    key: Key,
    name: &'static str,
    value: Option<String>,
}

fn fields(desired: &Container) -> Vec<Field> {
    let field = |key, name, value| Field { key, name, value };
    let joined = |items: &[String]| (!items.is_empty()).then(|| items.join(" "));
    let features: Vec<String> = desired
        .features
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let tags: Vec<&str> = desired.tags.iter().map(String::as_str).collect();
    vec![
        field(Key::Hostname, "hostname", Some(desired.hostname.clone())),
        field(Key::Cores, "cores", Some(desired.cores.to_string())),
        field(Key::Cpulimit, "cpulimit", Some(desired.cpulimit.clone())),
        field(
            Key::Cpuunits,
            "cpuunits",
            desired.cpuunits.map(|units| units.to_string()),
        ),
        field(
            Key::Memory,
            "memory",
            Some(desired.memory.as_mib().to_string()),
        ),
        field(Key::Swap, "swap", Some(desired.swap.as_mib().to_string())),
        field(
            Key::Boot,
            "onboot",
            (desired.boot == Boot::WithNode).then(|| "1".to_owned()),
        ),
        field(Key::Startup, "startup", desired.startup.clone()),
        field(
            Key::Protection,
            "protection",
            (desired.protection == Protection::On).then(|| "1".to_owned()),
        ),
        field(Key::Nameserver, "nameserver", joined(&desired.nameservers)),
        field(
            Key::Searchdomain,
            "searchdomain",
            joined(&desired.searchdomains),
        ),
        field(Key::Tags, "tags", Some(tags.join(";"))),
        field(
            Key::Features,
            "features",
            (!features.is_empty()).then(|| features.join(",")),
        ),
    ]
}

/// The canonical form of what Proxmox VE holds, however it was written there.
///
/// # Quirks
///
/// Tags come back sorted, in lower case, joined by `;`; `cpulimit` is text and may be `0` or `0.50`;
/// a switch that is off may be written or absent; features keep the order in which they were sent.
fn canonical(name: &str, raw: Option<&String>) -> Option<String> {
    let raw = raw?.trim();
    let words = |separators: &[char]| -> Vec<String> {
        raw.split(separators)
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    match name {
        "onboot" | "protection" => (raw == "1").then(|| "1".to_owned()),
        "cpulimit" => raw
            .parse::<f64>()
            .ok()
            .filter(|cores| *cores > 0.0)
            .map(|cores| cores.to_string()),
        "tags" => {
            let mut tags: Vec<String> = words(&[';', ',', ' '])
                .iter()
                .map(|tag| tag.to_lowercase())
                .collect();
            tags.sort();
            tags.dedup();
            (!tags.is_empty()).then(|| tags.join(";"))
        }
        "nameserver" | "searchdomain" => {
            let words = words(&[' ', ',', ';']);
            (!words.is_empty()).then(|| words.join(" "))
        }
        "features" => {
            let on = parse(raw, "");
            let on: Vec<String> = on
                .iter()
                .filter(|(_, value)| *value != "0")
                .map(|(name, value)| format!("{name}={}", sorted(value)))
                .collect();
            (!on.is_empty()).then(|| on.join(","))
        }
        "startup" => {
            let parts = parse(raw, "order");
            let known = ["order", "up", "down"];
            let parts: Vec<String> = known
                .iter()
                .filter_map(|name| Some(format!("{name}={}", parts.get(*name)?)))
                .collect();
            (!parts.is_empty()).then(|| parts.join(","))
        }
        _ => (!raw.is_empty()).then(|| raw.to_owned()),
    }
}

/// Kinds of file systems have no order.
fn sorted(value: &str) -> String {
    let mut kinds: Vec<&str> = value.split(';').collect();
    kinds.sort_unstable();
    kinds.join(";")
}

/// What Proxmox VE takes for granted when a field is absent.
fn assumed(name: &str) -> Option<String> {
    matches!(name, "memory" | "swap").then(|| "512".to_owned())
}

pub(super) fn compare(
    desired: &Container,
    observed: &BTreeMap<String, String>,
    around: &Circumstances<'_>,
    difference: &mut Difference,
) {
    for Field { key, name, value } in fields(desired) {
        let is = canonical(name, observed.get(name)).or_else(|| assumed(name));
        let should = canonical(name, value.as_ref());
        if is == should {
            continue;
        }
        match &should {
            Some(_) => {
                difference
                    .set
                    .insert(name.to_owned(), value.expect("it has a canonical form"));
            }
            None => difference.delete.push(name.to_owned()),
        }
        difference.change(around, key, key.row().class, name, is, should);
    }
}

/// What goes into a create call; what Proxmox VE takes for granted stays away, switches excepted.
pub(super) fn create(desired: &Container) -> BTreeMap<String, String> {
    let mut parameters: BTreeMap<String, String> = fields(desired)
        .into_iter()
        .filter(|field| canonical(field.name, field.value.as_ref()).is_some())
        .filter_map(|field| Some((field.name.to_owned(), field.value?)))
        .collect();
    let unprivileged = match desired.privilege {
        Privilege::Unprivileged => "1",
        Privilege::Privileged => "0",
    };
    // Its default changed between versions, so it is always said.
    parameters.insert("unprivileged".to_owned(), unprivileged.to_owned());
    parameters
}

pub(super) fn texts(desired: &Container) -> Vec<(String, String)> {
    fields(desired)
        .into_iter()
        .map(|field| {
            (
                field.name.to_owned(),
                canonical(field.name, field.value.as_ref()).unwrap_or_default(),
            )
        })
        .collect()
}
