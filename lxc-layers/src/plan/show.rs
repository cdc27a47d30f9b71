//! A plan in words: for a terminal, for a program, for a pull request.

mod json;
mod markdown;
mod text;

use std::collections::BTreeMap;

pub use json::{VERSION, schema};

use super::{Change, ChangeClass, ContainerPlan, Plan};

/// How many changes of each class a plan has, in the order of the classes.
fn counts(plan: &Plan) -> BTreeMap<ChangeClass, usize> {
    let mut counts = BTreeMap::new();
    for change in plan
        .containers
        .iter()
        .flat_map(|container| &container.changes)
    {
        *counts.entry(change.class).or_default() += 1;
    }
    counts
}

/// `1 create, 2 hotplug`, or `no changes`.
fn summary(plan: &Plan) -> String {
    let refused = plan.refusals().count();
    let part = |(class, count): (&ChangeClass, &usize)| match (class, count) {
        (ChangeClass::Layer, 1) => "1 layer run".to_owned(),
        (ChangeClass::Layer, _) => format!("{count} layer runs"),
        _ => format!("{count} {}", class.words()),
    };
    let mut parts: Vec<String> = counts(plan).iter().map(part).collect();
    if refused > 0 {
        parts.push(format!("{refused} refused"));
    }
    if parts.is_empty() {
        "no changes".to_owned()
    } else {
        parts.join(", ")
    }
}

/// `512 → 1024`, `→ 1024`, `512 → (none)`.
fn values(change: &Change) -> String {
    match (&change.from, &change.to) {
        (None, None) => String::new(),
        (None, Some(to)) => format!("→ {to}"),
        (Some(from), None) => format!("{from} → (none)"),
        (Some(from), Some(to)) => format!("{from} → {to}"),
    }
}

/// `101 on pve`, or only the number where no node is known.
fn place(container: &ContainerPlan) -> String {
    match container.node.as_str() {
        "" => container.vmid.to_string(),
        node => format!("{} on {node}", container.vmid),
    }
}
