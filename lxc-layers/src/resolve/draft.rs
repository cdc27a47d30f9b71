//! One container from its fields: every value decided, whatever could be read.

mod network;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use indexmap::IndexMap;

use network::network;

use super::fields::{Fields, Wrong};
use super::interpolate::Scope;
use super::mounts::{Attached, attached, device, feature};
use super::values;
use super::{
    Boot, Container, Device, Disk, Mount, Privilege, Protection, Replacement, Template, Variable,
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
    /// The names in the container's own `VARS`.
    pub(super) own: Vec<String>,
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

    let mut container = blank(spec);
    let id = identity(&mut fields, &whole);
    container.vmid = id.as_ref().map_or(container.vmid, |id| id.value);
    let net = network(&mut fields, fleet, id.as_ref());
    container.nics = net.nics;
    let hostname = hostname(&mut fields, spec, &whole);
    container.hostname.clone_from(&hostname.value);
    placement(&mut container, &mut fields, &whole);
    resources(&mut container, &mut fields);
    disks(&mut container, &mut fields);
    options(&mut container, &mut fields, &whole);
    gates(&mut container, &mut fields);

    let after = fields.many(Key::After, name).unwrap_or_default();
    let provision = fields.many(Key::Provision, |text| match text {
        "ansible" | "cinc" | "script" => Ok(text.to_owned()),
        _ => Err(Wrong::value(text, "`ansible`, `cinc` or `script`")),
    });
    let run_list = fields.many(Key::RunList, name);
    let secrets = fields.many(Key::Secrets, name).unwrap_or_default();
    fields.many(Key::Vars, name);
    let variables = variables(&scope, &mut fields);
    fields.explained.sort_by_key(|explained| explained.key);
    container.explained = fields.explained;
    problems.append(&mut fields.problems);
    Draft {
        container,
        file: whole,
        id,
        hostname,
        addresses: net.addresses,
        after,
        provision,
        run_list,
        secrets,
        own: scope.own.keys().cloned().collect(),
        variables,
        folder: spec.folder.clone(),
    }
}

fn name(text: &str) -> Result<String, Wrong> {
    Ok(text.to_owned())
}

/// A container as it is when nothing is written: what is required is a placeholder, which nobody
/// sees, since its absence is an error.
fn blank(spec: &ContainerSpec) -> Container {
    Container {
        name: spec.name.clone(),
        role: spec.role,
        vmid: Vmid::try_from(100).expect("100 is the first number there is"),
        node: None,
        pool: None,
        template: Template::Name {
            name: String::new(),
            storage: String::new(),
        },
        hostname: String::new(),
        cores: 1,
        cpulimit: "0".to_owned(),
        cpuunits: None,
        memory: Size::mib(512),
        swap: Size::mib(512),
        rootfs: Disk {
            storage: String::new(),
            size: Size::gib(8),
        },
        mounts: Vec::new(),
        devices: Vec::new(),
        features: BTreeMap::new(),
        nics: Vec::new(),
        nameservers: Vec::new(),
        searchdomains: Vec::new(),
        tags: BTreeSet::new(),
        startup: None,
        boot: Boot::WithNode,
        protection: Protection::Off,
        privilege: Privilege::Unprivileged,
        description: None,
        replacement: Replacement::Keep,
        after: Vec::new(),
        health: Vec::new(),
        health_within: Duration::ZERO,
        base: super::layers::nothing(Duration::ZERO),
        service: Vec::new(),
        explained: Vec::new(),
    }
}

fn hostname(fields: &mut Fields<'_>, spec: &ContainerSpec, whole: &Span) -> Located<String> {
    fields
        .maybe(Key::Hostname, values::hostname)
        .unwrap_or_else(|| {
            fields.derived(Key::Hostname, spec.name.as_str(), "its folder");
            Located::new(spec.name.as_str().to_owned(), whole.clone())
        })
}

/// Where it is, and what it is made from.
fn placement(container: &mut Container, fields: &mut Fields<'_>, whole: &Span) {
    let node = fields.maybe(Key::Node, |text| values::name(text, "the name of a node"));
    container.node = node.map(|node| node.value);
    let pool = fields.maybe(Key::Pool, |text| values::name(text, "the name of a pool"));
    container.pool = pool.map(|pool| pool.value);
    let storage = |text: &str| values::name(text, "the name of a storage");
    let storage = fields.one(Key::TemplateStorage, "local".to_owned(), storage);
    let absent = container.template.clone();
    container.template = required(fields, Key::Template, whole, absent, |text| {
        values::template(text, &storage)
    });
}

/// Cores, memory, swap.
fn resources(container: &mut Container, fields: &mut Fields<'_>) {
    container.cores = fields.one(Key::Cores, container.cores, |text| {
        values::number(text, 1, 8192)
    });
    container.cpulimit = fields.one(Key::Cpulimit, container.cpulimit.clone(), values::cpulimit);
    let units = fields.maybe(Key::Cpuunits, |text| values::number(text, 1, 10_000));
    container.cpuunits = units.map(|units| units.value);
    container.memory = fields.one(Key::Memory, container.memory, |text| {
        values::memory(text, 16)
    });
    container.swap = fields.one(Key::Swap, container.swap, |text| values::memory(text, 0));
}

/// Root disk, mounts, devices, features.
fn disks(container: &mut Container, fields: &mut Fields<'_>) {
    let named = |text: &str| values::name(text, "the name of a storage");
    let storage = fields.one(Key::Storage, "local-lvm".to_owned(), named);
    let absent = Disk {
        storage: storage.clone(),
        size: container.rootfs.size,
    };
    container.rootfs = fields.one(Key::Rootfs, absent, |text| values::disk(text, &storage));
    (container.mounts, container.devices) = attachments(fields, &storage);
    container.features = features(fields);
}

/// What Proxmox VE does with it.
fn options(container: &mut Container, fields: &mut Fields<'_>, whole: &Span) {
    container.privilege = privilege(fields, whole);
    container.nameservers = list(fields, Key::Nameserver, values::nameserver);
    container.searchdomains = list(fields, Key::Searchdomain, values::domain);
    container.tags = list(fields, Key::Tags, values::tag).into_iter().collect();
    container.tags.insert(OWNERSHIP_TAG.to_owned());
    container.startup = startup(fields);
    let words = fields.maybe(Key::Description, |text| Ok(text.trim().to_owned()));
    container.description = words.map(|words| words.value);
    if !fields.one(Key::Boot, true, values::yes_no) {
        container.boot = Boot::ByHand;
    }
    if fields.one(Key::Protection, false, values::yes_no) {
        container.protection = Protection::On;
    }
    if fields.one(Key::Terminate, false, values::yes_no) {
        container.replacement = Replacement::Allow;
    }
}

/// What must hold at the end, and how long things may take.
fn gates(container: &mut Container, fields: &mut Fields<'_>) {
    let mut seconds = |key, absent, most| {
        Duration::from_secs(u64::from(
            fields.one(key, absent, |text| values::number(text, 1, most)),
        ))
    };
    container.health_within = seconds(Key::HealthTimeout, 60, 3600);
    container.base = super::layers::nothing(seconds(Key::ProvisionTimeout, 900, 86_400));
    container.health = list(fields, Key::Health, values::health);
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
