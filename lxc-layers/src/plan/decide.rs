//! One container: what stands at its number, whose it is, and the actions that follow.

mod existing;

use std::collections::BTreeMap;

use existing::replacement;

use super::compare::{create, stamps};
use super::ownership::{Owner, owner};
use super::{
    Action, Cause, Change, ChangeClass, ContainerPlan, Guest, GuestConfig, Marker, Observed,
    Refusal, Reversible, Standing, Status, access, elsewhere,
};
use crate::resolve::{Container, Desired, Fingerprint, MountSource, Step};
use crate::spec::Key;

/// Decides about one container.
pub(super) fn decide(
    container: &Container,
    desired: &Desired,
    observed: &Observed,
) -> ContainerPlan {
    let mut plan = ContainerPlan {
        name: container.name.clone(),
        vmid: container.vmid,
        node: container.node.clone().unwrap_or_default(),
        standing: Standing::Absent,
        changes: Vec::new(),
        refusals: Vec::new(),
        default: Vec::new(),
        configuration: Vec::new(),
        after: container.after.clone(),
        digest: None,
    };
    let decider = Decider {
        container,
        desired,
        observed,
    };
    match observed.guests.get(&container.vmid) {
        None => decider.absent(&mut plan),
        Some(guest) => decider.present(guest, &mut plan),
    }
    let refusals = access::refusals(container, &plan, observed);
    plan.refusals.extend(refusals);
    plan
}

struct Decider<'a> {
    container: &'a Container,
    desired: &'a Desired,
    observed: &'a Observed,
}

impl Decider<'_> {
    fn refuse(
        &self,
        code: &'static str,
        key: Option<Key>,
        message: String,
        ways_out: &[&str],
    ) -> Refusal {
        Refusal {
            code,
            key: key.map(|key| key.name().to_owned()),
            message,
            privilege: None,
            ways_out: ways_out.iter().map(|way| (*way).to_owned()).collect(),
            place: key.and_then(|key| self.container.place(key).cloned()),
        }
    }

    fn marker(&self) -> Marker {
        let mut marker = Marker::new(self.desired.fleet.clone(), self.container.name.clone());
        marker.fields = stamps(self.container);
        marker
    }

    fn absent(&self, plan: &mut ContainerPlan) {
        if let Some((vmid, guest)) = elsewhere(self.container, self.desired, self.observed) {
            let message = format!(
                "`{}` stands already, as number {vmid} on node `{}`; a number never changes",
                self.container.name, guest.node
            );
            plan.changes.push(replacement(
                Key::Id,
                Some(vmid.to_string()),
                Some(self.container.vmid.to_string()),
            ));
            plan.refusals.push(self.refuse("replace", Some(Key::Id), message, &[
                "write its present number",
                "or remove it first, with `proxmox-ci destroy`, and let the next apply make it anew",
            ]));
            return;
        }
        let (node, refusal) = self.node();
        plan.node = node;
        plan.refusals.extend(refusal);
        plan.refusals
            .extend(self.missing_storages(&plan.node, self.storages()));
        let mut parameters = create(self.container);
        parameters.insert("vmid".to_owned(), self.container.vmid.to_string());
        parameters.extend(
            self.container
                .pool
                .clone()
                .map(|pool| ("pool".to_owned(), pool)),
        );
        let notes = self
            .marker()
            .write_into(self.container.description.as_deref().unwrap_or_default());
        parameters.insert("description".to_owned(), notes);
        let template = self.container.template.clone();
        plan.default.push(Action::Create {
            template,
            parameters,
        });
        plan.default.push(Action::Start);
        let cores = if self.container.cores == 1 {
            "core"
        } else {
            "cores"
        };
        let to = format!(
            "{} {cores}, {} memory, {} disk on {}",
            self.container.cores,
            self.container.memory,
            self.container.rootfs.size,
            self.container.rootfs.storage
        );
        plan.changes.push(change(
            "container",
            "container",
            (None, Some(to)),
            ChangeClass::Create,
            "nothing has this number",
        ));
        self.layers(&BTreeMap::new(), plan);
    }

    /// The node of a container that does not exist yet; empty with the reason why it is not known.
    fn node(&self) -> (String, Option<Refusal>) {
        let known: Vec<&str> = self.observed.nodes.iter().map(String::as_str).collect();
        match (&self.container.node, known.as_slice()) {
            (Some(node), known) if known.contains(&node.as_str()) => (node.clone(), None),
            (Some(node), _) => (node.clone(), Some(self.no_node(node))),
            (None, [only]) => ((*only).to_owned(), None),
            (None, known) => {
                let message = format!(
                    "`NODE` is not written, and these nodes are online: {}",
                    list(known)
                );
                let ways_out = ["write `NODE`, or `node` in `[defaults]` of `fleet.toml`"];
                (
                    String::new(),
                    Some(self.refuse("no-node", Some(Key::Node), message, &ways_out)),
                )
            }
        }
    }

    fn no_node(&self, node: &str) -> Refusal {
        let known: Vec<&str> = self.observed.nodes.iter().map(String::as_str).collect();
        let message = format!(
            "there is no node `{node}` online; there is {}",
            list(&known)
        );
        let ways_out = ["write the name of one of these", "or bring the node up"];
        self.refuse("no-node", Some(Key::Node), message, &ways_out)
    }

    /// The storages that a new container's disks need.
    fn storages(&self) -> Vec<(Key, String)> {
        let mounts = self
            .container
            .mounts
            .iter()
            .filter_map(|mount| match &mount.source {
                MountSource::Volume(disk) => Some((Key::Mount, disk.storage.clone())),
                _ => None,
            });
        [(Key::Rootfs, self.container.rootfs.storage.clone())]
            .into_iter()
            .chain(mounts)
            .collect()
    }

    fn missing_storages(&self, node: &str, wanted: Vec<(Key, String)>) -> Vec<Refusal> {
        let Some(there) = self.observed.storages.get(node) else {
            return Vec::new();
        };
        let known: Vec<&str> = there.iter().map(String::as_str).collect();
        let absent = wanted
            .into_iter()
            .filter(|(_, storage)| !there.contains(storage));
        absent
            .map(|(key, storage)| {
                let message = format!(
                    "node `{node}` has no storage `{storage}`; it has {}",
                    list(&known)
                );
                self.refuse(
                    "no-storage",
                    Some(key),
                    message,
                    &[
                        "write the name of one of these",
                        "or add the storage to the node",
                    ],
                )
            })
            .collect()
    }

    fn present(&self, guest: &Guest, plan: &mut ContainerPlan) {
        plan.node.clone_from(&guest.node);
        let nothing = GuestConfig::default();
        let config = guest.config.as_ref().unwrap_or(&nothing);
        let marker = match owner(guest) {
            Owner::Fleet(marker)
                if marker.fleet == self.desired.fleet
                    && marker.container == self.container.name =>
            {
                marker
            }
            other => {
                plan.standing = Standing::Foreign;
                plan.refusals.push(self.foreign(guest, &other));
                return;
            }
        };
        plan.standing = if guest.status == Status::Running {
            Standing::Running
        } else {
            Standing::Stopped
        };
        plan.digest.clone_from(&config.digest);
        self.changes(guest, config, &marker, plan);
        self.layers(&marker.layers, plan);
        let busy = !plan.default.is_empty() || !plan.configuration.is_empty();
        if let (Some(lock), true) = (&config.lock, busy) {
            let message = format!("the guest is locked: `{lock}` is under way, or was cut off");
            plan.refusals.push(self.refuse(
                "locked",
                None,
                message,
                &[
                    "wait until it ends, then run this again",
                    "or, when nothing works on it any more, `pct unlock` it on its node",
                ],
            ));
        }
        if !self.observed.nodes.is_empty() && !self.observed.nodes.contains(&guest.node) {
            let message = format!("its node `{}` is not online", guest.node);
            plan.refusals.push(self.refuse(
                "node-gone",
                None,
                message,
                &["bring the node up, then run this again"],
            ));
        }
    }

    fn foreign(&self, guest: &Guest, owner: &Owner) -> Refusal {
        let name = guest.name.as_deref().unwrap_or("without a name");
        let place = format!(
            "number {} is `{name}` on node `{}`",
            self.container.vmid, guest.node
        );
        let whose = match owner {
            Owner::Machine => "a virtual machine".to_owned(),
            Owner::Nobody => "a container that bears no marker of ours".to_owned(),
            Owner::Damaged(why) => format!("a container whose marker cannot be trusted: {why}"),
            Owner::Fleet(marker) if marker.fleet == self.desired.fleet => {
                format!("container `{}` of this same fleet", marker.container)
            }
            Owner::Fleet(marker) => format!(
                "container `{}` of the fleet `{}`",
                marker.container, marker.fleet
            ),
        };
        let message = format!("{place}: {whose}; it is not touched");
        self.refuse(
            "foreign-guest",
            Some(Key::Id),
            message,
            &[
                "write another `ID`",
                "or remove that guest by hand, if it is yours to remove",
            ],
        )
    }

    /// Every step whose fingerprint is not the one that stands on the guest.
    fn layers(&self, done: &BTreeMap<String, Fingerprint>, plan: &mut ContainerPlan) {
        plan.default.extend(run(
            "container-default",
            &self.container.base,
            done,
            &mut plan.changes,
        ));
        for step in &self.container.service {
            plan.configuration.extend(run(
                "container-configuration",
                step,
                done,
                &mut plan.changes,
            ));
        }
    }
}

/// A step, when what stands on the guest is another fingerprint or none.
fn run(
    layer: &str,
    step: &Step,
    done: &BTreeMap<String, Fingerprint>,
    changes: &mut Vec<Change>,
) -> Option<Action> {
    let known = done.get(step.id);
    if known == Some(&step.fingerprint) {
        return None;
    }
    let reason = match known {
        Some(_) => format!("`{}/` or a variable of it changed", step.folder),
        None => "it never ran here".to_owned(),
    };
    let short =
        |fingerprint: &Fingerprint| fingerprint.as_str().chars().take(8).collect::<String>();
    let values = (known.map(short), Some(short(&step.fingerprint)));
    changes.push(change(layer, step.id, values, ChangeClass::Layer, &reason));
    Some(Action::Provision(Box::new(step.clone())))
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        format!("`{}`", names.join("`, `"))
    }
}

/// One change, as an edit without a privilege of its own.
fn change(
    key: &str,
    field: &str,
    (from, to): (Option<String>, Option<String>),
    class: ChangeClass,
    reason: &str,
) -> Change {
    let lasting = matches!(
        class,
        ChangeClass::Create | ChangeClass::Replace | ChangeClass::Layer
    );
    Change {
        key: key.to_owned(),
        field: field.to_owned(),
        from,
        to,
        class,
        cause: Cause::Edit,
        reason: reason.to_owned(),
        privilege: None,
        reversible: if lasting {
            Reversible::No
        } else {
            Reversible::Yes
        },
    }
}
