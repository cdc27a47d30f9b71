//! A model of what Proxmox VE makes of the writes it is sent: a pure function of values, with its
//! normalisation, so that plans can be tried without a server.

use std::collections::BTreeMap;

use lxc_layers::plan::{
    Action, Guest, GuestConfig, GuestKind, Identity, Marker, Observed, Plan, Status,
};
use lxc_layers::resolve::Fingerprint;
use lxc_layers::spec::{Size, Vmid};

/// A world with one node and a few storages, spoken to by root.
pub(crate) fn empty() -> Observed {
    let mut observed = Observed::default();
    observed.access.identity = Identity::Root;
    for node in ["pve", "pve2"] {
        observed.nodes.insert(node.to_owned());
        let storages = ["local", "local-lvm", "fast"].map(str::to_owned);
        observed.storages.insert(node.to_owned(), storages.into());
    }
    observed
}

/// Does a plan as an executor would, refusing nothing.
pub(crate) fn apply(plan: &Plan, observed: &mut Observed) {
    for container in &plan.containers {
        for action in container.default.iter().chain(&container.configuration) {
            act(container.vmid, &container.node, action, observed);
        }
    }
}

fn act(vmid: Vmid, node: &str, action: &Action, observed: &mut Observed) {
    if let Action::Create { parameters, .. } = action {
        let mut guest = Guest {
            kind: GuestKind::Lxc,
            node: node.to_owned(),
            name: parameters.get("hostname").cloned(),
            status: Status::Stopped,
            pool: parameters.get("pool").cloned(),
            tags: parameters.get("tags").cloned(),
            memory_used: None,
            config: Some(GuestConfig {
                digest: Some("1".to_owned()),
                ..GuestConfig::default()
            }),
        };
        let fields = parameters
            .iter()
            .filter(|(field, _)| !["vmid", "pool"].contains(&field.as_str()));
        for (field, value) in fields {
            let value = normalised(vmid, field, value);
            config(&mut guest).values.insert(field.clone(), value);
        }
        for (field, value) in [("arch", "amd64"), ("ostype", "debian")] {
            config(&mut guest)
                .values
                .insert(field.to_owned(), value.to_owned());
        }
        assert!(
            observed.guests.insert(vmid, guest).is_none(),
            "number {vmid} is taken"
        );
        return;
    }
    let guest = observed
        .guests
        .get_mut(&vmid)
        .expect("the plan creates a guest before it changes it");
    match action {
        Action::Create { .. } => {}
        Action::Configure { set, delete } => configure(vmid, guest, set, delete),
        Action::Resize { disk, size } => part(guest, disk, "size", size),
        Action::Move { disk, storage } => {
            guest.status = Status::Stopped;
            let volume = format!("{storage}:{vmid}/vm-{vmid}-{disk}.raw");
            let raw = config(guest).values[disk].clone();
            let rest = raw.split_once(',').map_or("", |(_, rest)| rest);
            config(guest)
                .values
                .insert(disk.clone(), format!("{volume},{rest}"));
        }
        Action::Migrate { to } => guest.node.clone_from(to),
        Action::Pool { to, .. } => guest.pool.clone_from(to),
        Action::Start | Action::Reboot => {
            guest.status = Status::Running;
            config(guest).values = config(guest).wanted();
            config(guest).pending.clear();
        }
        Action::Provision(step) => mark(guest, None, None, Some((step.id, &step.fingerprint))),
        Action::Mark { marker, words } => mark(guest, Some(marker), words.as_deref(), None),
    }
}

fn config(guest: &mut Guest) -> &mut GuestConfig {
    guest
        .config
        .as_mut()
        .expect("every guest of the model has one")
}

/// Writes; what a running container cannot take at once waits, as `PVE::LXC::Config` has it.
fn configure(vmid: Vmid, guest: &mut Guest, set: &BTreeMap<String, String>, delete: &[String]) {
    let running = guest.status == Status::Running;
    let config = config(guest);
    for (field, value) in set {
        let there = config.values.contains_key(field);
        let value = normalised(vmid, field, value);
        if running && waits(field, there) {
            config.pending.insert(field.clone(), Some(value));
        } else {
            config.values.insert(field.clone(), value);
        }
    }
    for field in delete {
        let kind = field.trim_end_matches(|c: char| c.is_ascii_digit());
        if running && waits(field, true) {
            config.pending.insert(field.clone(), None);
        } else if let Some(value) = config.values.remove(field)
            && kind == "mp"
        {
            let volume = value.split(',').next().unwrap_or_default().to_owned();
            config
                .values
                .insert(format!("unused{}", config.values.len()), volume);
        }
    }
}

fn waits(field: &str, there: bool) -> bool {
    match field.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "mp" | "dev" => there,
        "features" | "nameserver" | "searchdomain" => true,
        _ => false,
    }
}

fn normalised(vmid: Vmid, field: &str, value: &str) -> String {
    match field.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "description" => format!("{}\n", value.trim_end_matches('\n')),
        "tags" => {
            let mut tags: Vec<String> = value.split([';', ',']).map(str::to_lowercase).collect();
            tags.sort();
            tags.dedup();
            tags.join(";")
        }
        "net" => {
            let mut parts: Vec<&str> = value
                .split(',')
                .filter(|part| !part.starts_with("type="))
                .collect();
            if !value.contains("hwaddr=") {
                parts.push("hwaddr=BC:24:11:00:00:01");
            }
            parts.push("type=veth");
            parts.sort_unstable();
            parts.join(",")
        }
        "rootfs" | "mp" => allocated(vmid, field, value),
        _ => value.to_owned(),
    }
}

/// `local:8` becomes a volume with a size; its options are sorted.
fn allocated(vmid: Vmid, field: &str, value: &str) -> String {
    let mut parts: Vec<&str> = value.split(',').collect();
    let volume = parts.remove(0);
    parts.sort_unstable();
    let rest = parts
        .iter()
        .map(|part| format!(",{part}"))
        .collect::<String>();
    match volume
        .split_once(':')
        .map(|(storage, size)| (storage, size.parse::<f64>()))
    {
        Some((storage, Ok(gib))) => {
            let size = Size::mib((gib * 1024.0).round() as u64);
            format!("{storage}:{vmid}/vm-{vmid}-{field}.raw{rest},size={size}")
        }
        _ => value.to_owned(),
    }
}

fn part(guest: &mut Guest, field: &str, name: &str, value: &str) {
    let raw = &config(guest).values[field];
    let mut parts: Vec<String> = raw
        .split(',')
        .filter(|part| !part.starts_with(&format!("{name}=")))
        .map(str::to_owned)
        .collect();
    parts.push(format!("{name}={value}"));
    let raw = parts.join(",");
    config(guest).values.insert(field.to_owned(), raw);
}

fn mark(
    guest: &mut Guest,
    new: Option<&Marker>,
    words: Option<&str>,
    step: Option<(&str, &Fingerprint)>,
) {
    let notes = config(guest)
        .values
        .get("description")
        .cloned()
        .unwrap_or_default();
    let mut marker = Marker::find(&notes)
        .expect("we wrote it")
        .expect("it was made with one");
    if let Some(new) = new {
        marker.fields.clone_from(&new.fields);
    }
    if let Some((id, fingerprint)) = step {
        marker.layers.insert(id.to_owned(), fingerprint.clone());
    }
    // The pin that is written when a guest is first reached.
    marker.host_key = Some("ssh-ed25519 AAAA".to_owned());
    let notes = match words {
        Some(words) => marker.write_into(words),
        None => marker.write_into(&notes),
    };
    config(guest).values.insert(
        "description".to_owned(),
        normalised(Vmid::try_from(100).unwrap(), "description", &notes),
    );
}
