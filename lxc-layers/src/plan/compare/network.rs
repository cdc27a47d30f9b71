//! Network interfaces: compared by the parts that are ours, written with all that stands there.

use std::collections::BTreeMap;

use super::property::{parse, print};
use super::{Circumstances, Difference};
use crate::resolve::{Address, Container, Nic};
use crate::spec::Key;

/// The parts of an interface that a fleet says; all others (`hwaddr`, `firewall`, `rate`, `mtu`, …)
/// are Proxmox VE's or somebody's, and survive.
const OURS: [(&str, Key); 5] = [
    ("name", Key::Bridge),
    ("bridge", Key::Bridge),
    ("ip", Key::Ip),
    ("gw", Key::Gateway),
    ("tag", Key::Vlan),
];

fn parts(nic: &Nic) -> BTreeMap<String, String> {
    let ip = match nic.address {
        Address::Static { address, prefix } => format!("{address}/{prefix}"),
        Address::Dhcp => "dhcp".to_owned(),
        Address::Manual => "manual".to_owned(),
    };
    let mut parts = BTreeMap::from([
        ("name".to_owned(), nic.name.clone()),
        ("bridge".to_owned(), nic.bridge.clone()),
        ("ip".to_owned(), ip),
    ]);
    parts.extend(
        nic.gateway
            .map(|gateway| ("gw".to_owned(), gateway.to_string())),
    );
    parts.extend(nic.vlan.map(|tag| ("tag".to_owned(), tag.to_string())));
    parts
}

fn numbered(desired: &Container) -> impl Iterator<Item = (String, &Nic)> {
    desired
        .nics
        .iter()
        .enumerate()
        .map(|(number, nic)| (format!("net{number}"), nic))
}

/// The numbered fields of one kind, `net0`, `net1`, …, by name.
pub(super) fn series<'o>(
    observed: &'o BTreeMap<String, String>,
    kind: &str,
) -> Vec<(&'o String, &'o String)> {
    let numbered = |name: &str| {
        name.strip_prefix(kind)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    observed.iter().filter(|(name, _)| numbered(name)).collect()
}

pub(super) fn compare(
    desired: &Container,
    observed: &BTreeMap<String, String>,
    around: &Circumstances<'_>,
    difference: &mut Difference,
) {
    for (field, nic) in numbered(desired) {
        let should = parts(nic);
        match observed.get(&field) {
            Some(raw) => one(&field, &parse(raw, "name"), &should, around, difference),
            None => {
                let key = if field == "net0" {
                    Key::Bridge
                } else {
                    Key::Nic
                };
                let text = print(&should, "");
                difference.change(
                    around,
                    key,
                    key.row().class,
                    &field,
                    None,
                    Some(text.clone()),
                );
                difference.set.insert(field, text);
            }
        }
    }
    let wanted: Vec<String> = numbered(desired).map(|(field, _)| field).collect();
    for (field, raw) in series(observed, "net")
        .into_iter()
        .filter(|(field, _)| !wanted.contains(field))
    {
        difference.change(
            around,
            Key::Nic,
            Key::Nic.row().class,
            field,
            Some(raw.clone()),
            None,
        );
        difference.delete.push(field.clone());
    }
}

fn one(
    field: &str,
    observed: &BTreeMap<String, String>,
    should: &BTreeMap<String, String>,
    around: &Circumstances<'_>,
    difference: &mut Difference,
) {
    let before = difference.changes.len();
    for (part, key) in OURS {
        let assumed = (part == "ip").then(|| "manual".to_owned());
        let is = observed.get(part).cloned().or_else(|| assumed.clone());
        let wanted = should.get(part).cloned().or(assumed);
        if is != wanted {
            // A further interface is one key, whatever part of it changes.
            let key = if field == "net0" { key } else { Key::Nic };
            difference.change(
                around,
                key,
                key.row().class,
                &format!("{field}.{part}"),
                is,
                wanted,
            );
        }
    }
    if difference.changes.len() > before {
        let mut merged = observed.clone();
        merged.retain(|part, _| !OURS.iter().any(|(ours, _)| ours == part));
        merged.extend(should.clone());
        difference.set.insert(field.to_owned(), print(&merged, ""));
    }
}

pub(super) fn create(desired: &Container) -> BTreeMap<String, String> {
    numbered(desired)
        .map(|(field, nic)| {
            let mut parts = parts(nic);
            parts.insert("type".to_owned(), "veth".to_owned());
            (field, print(&parts, ""))
        })
        .collect()
}

pub(super) fn texts(desired: &Container) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for (field, nic) in numbered(desired) {
        let parts = parts(nic);
        texts.push((field.clone(), "there".to_owned()));
        texts.extend(OURS.iter().map(|(part, _)| {
            (
                format!("{field}.{part}"),
                parts.get(*part).cloned().unwrap_or_default(),
            )
        }));
    }
    texts
}
