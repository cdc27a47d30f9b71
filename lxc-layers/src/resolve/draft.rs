//! One container from its fields: every value decided, whatever could be read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use indexmap::IndexMap;

use super::fields::{Fields, Wrong};
use super::interpolate::Scope;
use super::mounts::{Attached, attached, device, feature, nic, vlan_tag};
use super::values;
use super::{
    Address, Boot, Container, Device, Disk, Mount, Nic, Privilege, Protection, Replacement,
    Variable,
};
use crate::diagnostic::{Diagnostic, Located, Span};
use crate::plan::OWNERSHIP_TAG;
use crate::spec::{ContainerSpec, Fleet, Key, Size, Vmid, bad_variable, is_variable_name};

/// A container with the places that lint compares, and with the names that are checked last.
pub(super) struct Draft {
    pub(super) container: Container,
    pub(super) file: Span,
    pub(super) id: Option<Located<Vmid>>,
    pub(super) hostname: Located<String>,
    pub(super) addresses: Vec<Located<Ipv4Addr>>,
    pub(super) after: Vec<Located<String>>,
    pub(super) provision: Option<Vec<Located<String>>>,
    pub(super) run_list: Option<Vec<Located<String>>>,
    pub(super) secrets: Vec<Located<String>>,
    /// Variables of fleet and container, before the facts of others are added.
    pub(super) variables: BTreeMap<String, Variable>,
    pub(super) folder: String,
}

/// Reads one container.
pub(super) fn draft(spec: &ContainerSpec, fleet: &Fleet, problems: &mut Vec<Diagnostic>) -> Draft {
    let own = own_variables(spec, problems);
    let scope = Scope {
        own,
        fleet: &fleet.vars,
        secrets: &fleet.secrets,
    };
    let mut fields = Fields::new(spec, fleet, &scope);
    let whole = Span::whole(&spec.file);

    let id = identity(&mut fields, &whole);
    let net = network(&mut fields, fleet, id.as_ref());
    let hostname = fields.maybe(Key::Hostname, values::hostname);
    let hostname = hostname.unwrap_or_else(|| {
        fields.derived(Key::Hostname, spec.name.as_str(), "its folder");
        Located::new(spec.name.as_str().to_owned(), whole.clone())
    });
    let storage = fields.one(Key::Storage, "local-lvm".to_owned(), |text| {
        values::name(text, "the name of a storage")
    });
    let (mounts, devices) = attachments(&mut fields, &storage);
    let template_storage = fields.one(Key::TemplateStorage, "local".to_owned(), |text| {
        values::name(text, "the name of a storage")
    });
    let no_template = super::Template::Name {
        name: String::new(),
        storage: String::new(),
    };
    let template = required(&mut fields, Key::Template, &whole, no_template, |text| {
        values::template(text, &template_storage)
    });
    let privilege = privilege(&mut fields, &whole);
    let mut tags: BTreeSet<String> = list(&mut fields, Key::Tags, values::tag)
        .into_iter()
        .collect();
    tags.insert(OWNERSHIP_TAG.to_owned());
    let seconds = |fields: &mut Fields<'_>, key, absent, most| {
        Duration::from_secs(u64::from(
            fields.one(key, absent, |text| values::number(text, 1, most)),
        ))
    };
    let within = seconds(&mut fields, Key::ProvisionTimeout, 900, 86_400);
    let default_disk = Disk {
        storage: storage.clone(),
        size: Size::gib(8),
    };

    let container = Container {
        name: spec.name.clone(),
        role: spec.role,
        vmid: id.as_ref().map_or_else(placeholder, |id| id.value),
        node: fields
            .maybe(Key::Node, |text| values::name(text, "the name of a node"))
            .map(|node| node.value),
        pool: fields
            .maybe(Key::Pool, |text| values::name(text, "the name of a pool"))
            .map(|pool| pool.value),
        template,
        hostname: hostname.value.clone(),
        cores: fields.one(Key::Cores, 1, |text| values::number(text, 1, 8192)),
        cpulimit: fields.one(Key::Cpulimit, "0".to_owned(), values::cpulimit),
        cpuunits: fields
            .maybe(Key::Cpuunits, |text| values::number(text, 1, 10_000))
            .map(|units| units.value),
        memory: fields.one(Key::Memory, Size::mib(512), |text| values::memory(text, 16)),
        swap: fields.one(Key::Swap, Size::mib(512), |text| values::memory(text, 0)),
        rootfs: fields.one(Key::Rootfs, default_disk, |text| {
            values::disk(text, &storage)
        }),
        mounts,
        devices,
        features: features(&mut fields),
        nics: net.nics,
        nameservers: list(&mut fields, Key::Nameserver, values::nameserver),
        searchdomains: list(&mut fields, Key::Searchdomain, values::domain),
        tags,
        startup: startup(&mut fields),
        boot: if fields.one(Key::Boot, true, values::yes_no) {
            Boot::WithNode
        } else {
            Boot::ByHand
        },
        protection: if fields.one(Key::Protection, false, values::yes_no) {
            Protection::On
        } else {
            Protection::Off
        },
        privilege,
        description: fields
            .maybe(Key::Description, |text| Ok(text.trim().to_owned()))
            .map(|text| text.value),
        replacement: if fields.one(Key::Terminate, false, values::yes_no) {
            Replacement::Allow
        } else {
            Replacement::Keep
        },
        after: Vec::new(),
        health: list(&mut fields, Key::Health, values::health),
        health_within: seconds(&mut fields, Key::HealthTimeout, 60, 3600),
        base: super::layers::nothing(within),
        service: Vec::new(),
        explained: Vec::new(),
    };
    let names = |text: &str| Ok(text.to_owned());
    let after = fields.many(Key::After, names).unwrap_or_default();
    let provision = fields.many(Key::Provision, |text| match text {
        "ansible" | "cinc" | "script" => Ok(text.to_owned()),
        _ => Err(Wrong::value(text, "`ansible`, `cinc` or `script`")),
    });
    let run_list = fields.many(Key::RunList, names);
    let secrets = fields.many(Key::Secrets, names).unwrap_or_default();
    fields.many(Key::Vars, names);
    let variables = variables(&scope, &mut fields);
    let mut draft = Draft {
        container,
        file: whole,
        id,
        hostname,
        addresses: net.addresses,
        after,
        provision,
        run_list,
        secrets,
        variables,
        folder: spec.folder.clone(),
    };
    fields.explained.sort_by_key(|explained| explained.key);
    draft.container.explained = fields.explained;
    problems.append(&mut fields.problems);
    draft
}

/// Any number: nobody sees it, since a missing `ID` is an error.
fn placeholder() -> Vmid {
    Vmid::try_from(100).expect("100 is the first number there is")
}

fn list<T>(fields: &mut Fields<'_>, key: Key, parse: impl Fn(&str) -> Result<T, Wrong>) -> Vec<T> {
    let items = fields.many(key, parse).unwrap_or_default();
    items.into_iter().map(|item| item.value).collect()
}

fn required<T>(
    fields: &mut Fields<'_>,
    key: Key,
    whole: &Span,
    absent: T,
    parse: impl Fn(&str) -> Result<T, Wrong>,
) -> T {
    if fields.cell(key).is_none() {
        let message = format!(
            "`{}` is missing, and there is no default for it",
            key.name()
        );
        fields.problems.push(
            Diagnostic::error("missing-key", whole.clone(), message)
                .expected(format!(
                    "expected `{}=` with {}",
                    key.name(),
                    key.row().grammar
                ))
                .help(format!(
                    "write it here, or `{}` in `[defaults]` of `fleet.toml`",
                    key.name().to_ascii_lowercase()
                )),
        );
    }
    fields.one(key, absent, parse)
}

fn identity(fields: &mut Fields<'_>, whole: &Span) -> Option<Located<Vmid>> {
    if fields.cell(Key::Id).is_none() {
        fields.problems.push(
            Diagnostic::error("missing-key", whole.clone(), "`ID` is missing")
                .expected("expected `ID=NUMBER`")
                .help("write a number that no other guest has, such as `ID=101`"),
        );
    }
    fields.maybe(Key::Id, |text| {
        let vmid: Result<Vmid, _> = text.parse();
        vmid.map_err(|error| Wrong::value(text, error.wanted()))
    })
}

struct Network {
    nics: Vec<Nic>,
    addresses: Vec<Located<Ipv4Addr>>,
}

fn network(fields: &mut Fields<'_>, fleet: &Fleet, id: Option<&Located<Vmid>>) -> Network {
    let subnet = fleet.network.subnet.as_ref().map(|subnet| subnet.value);
    let first = first_address(fields, fleet, id);
    let written = fields.maybe(Key::Gateway, values::gateway);
    let gateway = match (written, &fleet.network.gateway) {
        (Some(written), _) => written.value,
        (None, Some(fleet)) => {
            fields.from_fleet(Key::Gateway, fleet.value.to_string(), fleet.span.clone());
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
            values::address(text, subnet.map(|subnet| subnet.prefix))
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

fn attachments(fields: &mut Fields<'_>, storage: &str) -> (Vec<Mount>, Vec<Device>) {
    let mut mounts: Vec<Located<Mount>> = Vec::new();
    let mut devices: Vec<Device> = Vec::new();
    for item in fields
        .many(Key::Mount, |text| attached(text, storage))
        .unwrap_or_default()
    {
        match item.value {
            Attached::Device(device) => devices.push(device),
            Attached::Mount(mount) => {
                if let Some(earlier) = mounts
                    .iter()
                    .find(|earlier| earlier.value.target == mount.target)
                {
                    let message = format!("two mounts go to `{}`", mount.target);
                    fields.problems.push(
                        Diagnostic::error("duplicate-target", item.span.clone(), message)
                            .related(earlier.span.clone(), "the other one")
                            .help("give one of the two another place"),
                    );
                }
                mounts.push(Located::new(mount, item.span));
            }
        }
    }
    devices.extend(list(fields, Key::Device, device));
    (
        mounts.into_iter().map(|mount| mount.value).collect(),
        devices,
    )
}

fn features(fields: &mut Fields<'_>) -> BTreeMap<String, String> {
    let written = fields.many(Key::Features, feature);
    let nesting = || BTreeMap::from([("nesting".to_owned(), "1".to_owned())]);
    let mut features = written.map_or_else(nesting, |items| {
        items.into_iter().map(|item| item.value).collect()
    });
    features.retain(|_, value| value != "0");
    features
}

fn startup(fields: &mut Fields<'_>) -> Option<String> {
    let items: BTreeMap<&str, u32> = fields
        .many(Key::Startup, values::startup)?
        .into_iter()
        .map(|item| item.value)
        .collect();
    let part = |name: &str| items.get(name).map(|value| format!("{name}={value}"));
    let parts: Vec<String> = ["order", "up", "down"]
        .into_iter()
        .filter_map(part)
        .collect();
    (!parts.is_empty()).then(|| parts.join(","))
}

/// A container is privileged only when its own file says so twice: the key, and the consent.
fn privilege(fields: &mut Fields<'_>, whole: &Span) -> Privilege {
    let consents = fields
        .many(Key::Consent, |text| match text {
            "privileged" => Ok(()),
            _ => Err(Wrong::value(text, "`privileged`")),
        })
        .unwrap_or_default();
    let place = fields
        .cell(Key::Unprivileged)
        .and_then(|cell| cell.origin.span().cloned());
    if fields.one(Key::Unprivileged, true, values::yes_no) {
        return Privilege::Unprivileged;
    }
    if consents.is_empty() {
        fields.problems.push(
            Diagnostic::error("privileged", place.unwrap_or_else(|| whole.clone()), "root in this container would be root on the node")
                .expected("expected `yes`, or a consent")
                .help("leave `UNPRIVILEGED` away; or, if it must be, add `CONSENT=privileged` to the container's own file"),
        );
    }
    Privilege::Privileged
}

/// `VARS` as written, for interpolation: read before all other fields.
fn own_variables(
    spec: &ContainerSpec,
    problems: &mut Vec<Diagnostic>,
) -> IndexMap<String, Located<String>> {
    let mut found = IndexMap::new();
    for item in spec
        .entries
        .get(&Key::Vars)
        .into_iter()
        .flat_map(|entry| &entry.items)
    {
        match item.value.split_once('=') {
            Some((name, value)) if is_variable_name(name) => {
                found.insert(
                    name.to_owned(),
                    Located::new(value.to_owned(), item.span.clone()),
                );
            }
            Some((name, _)) => problems.push(bad_variable(&Located::new(
                name.to_owned(),
                item.span.clone(),
            ))),
            None if item.value.trim().is_empty() => {}
            None => problems.push(
                Diagnostic::error(
                    "bad-value",
                    item.span.clone(),
                    format!("`{}` gives no value", item.value),
                )
                .expected("expected `NAME=VALUE`")
                .help("write `NAME=VALUE`"),
            ),
        }
    }
    found
}

fn variables(scope: &Scope<'_>, fields: &mut Fields<'_>) -> BTreeMap<String, Variable> {
    let mut found = BTreeMap::new();
    for (name, value) in scope.fleet.iter().chain(&scope.own) {
        match scope.variable(value) {
            Ok(variable) => {
                found.insert(name.clone(), variable);
            }
            Err(problem) => fields.problems.push(*problem),
        }
    }
    found
}
