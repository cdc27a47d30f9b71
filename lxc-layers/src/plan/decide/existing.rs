//! A container that stands: the differences, in the order in which they are mended.

use std::collections::BTreeMap;

use super::super::compare::{Circumstances, Difference, Restart, compare, stamps};
use super::super::{
    Action, Change, ChangeClass, ContainerPlan, Guest, GuestConfig, Marker, Refusal, Status, words,
};
use super::{Decider, change};
use crate::resolve::{Privilege, Replacement};
use crate::spec::{Key, RebootPolicy};

impl Decider<'_> {
    pub(super) fn changes(
        &self,
        guest: &Guest,
        config: &GuestConfig,
        marker: &Marker,
        plan: &mut ContainerPlan,
    ) {
        let restart = match (guest.status, self.desired.policies.reboot) {
            (Status::Stopped, _) => Restart::Starts,
            (Status::Running, RebootPolicy::Allow) => Restart::Allowed,
            (Status::Running, RebootPolicy::Never) => Restart::Waits,
        };
        let around = Circumstances {
            applied: &marker.fields,
            stamps: stamps(self.container),
            restart,
        };
        let observed = config.wanted();
        let difference = compare(self.container, &observed, &around);
        let new_words = self.new_words(&observed);
        if let Some((from, to)) = &new_words {
            let mut change = change(
                Key::Description.name(),
                "description",
                (Some(from.clone()), Some(to.clone())),
                ChangeClass::Live,
                "written at once",
            );
            change.cause = around.cause("description");
            change.privilege = Some(Key::Description.row().privilege.to_owned());
            plan.changes.push(change);
        }
        self.replaced(&observed, &around, plan);
        let words = new_words.map(|(_, to)| to);
        self.memory_in_use(guest, &difference, plan);
        let waits = !config.pending.is_empty();
        self.write(guest, difference, words, waits, &around, plan);
    }

    /// A limit below what is in use would have processes killed, or be refused by the kernel.
    fn memory_in_use(&self, guest: &Guest, difference: &Difference, plan: &mut ContainerPlan) {
        let wanted = self.container.memory.as_mib();
        let used = guest.memory_used.unwrap_or(0).div_ceil(1 << 20);
        if difference.set.contains_key("memory") && wanted < used {
            plan.refusals.push(self.refuse(
                "memory-in-use",
                Some(Key::Memory),
                format!("{wanted} MiB are less than the {used} MiB that it uses right now"),
                &["give it more", "or let it use less first, then apply again"],
            ));
        }
    }

    /// The actions in their order. `waits` tells whether something waits for a restart already.
    fn write(
        &self,
        guest: &Guest,
        difference: Difference,
        words: Option<String>,
        waits: bool,
        around: &Circumstances<'_>,
        plan: &mut ContainerPlan,
    ) {
        let before = plan.default.len();
        let told = plan.changes.len();
        let needs_reboot = |change: &Change| change.class == ChangeClass::NeedsReboot;
        let waits = waits || difference.changes.iter().any(needs_reboot);
        let moves = !difference.moves.is_empty();
        let targets = new_storages(&difference);
        plan.refusals
            .extend(self.missing_storages(&guest.node, targets));
        plan.changes.extend(difference.changes);
        plan.refusals.extend(difference.refusals);
        self.pool(guest, around, plan);
        if !difference.set.is_empty() || !difference.delete.is_empty() {
            plan.default.push(Action::Configure {
                set: difference.set,
                delete: difference.delete,
            });
        }
        plan.default.extend(
            difference
                .resize
                .into_iter()
                .map(|(disk, size)| Action::Resize { disk, size }),
        );
        plan.default.extend(
            difference
                .moves
                .into_iter()
                .map(|(disk, storage)| Action::Move { disk, storage }),
        );
        self.migrate(guest, around, plan);
        if plan.default.len() > before || plan.changes.len() > told || words.is_some() {
            plan.default.push(Action::Mark {
                marker: Box::new(self.marker()),
                words,
            });
        }
        if guest.status == Status::Stopped {
            plan.changes.push(change(
                "status",
                "status",
                (Some("stopped".to_owned()), Some("running".to_owned())),
                ChangeClass::Start,
                "its layers need it running",
            ));
            plan.default.push(Action::Start);
        } else if moves {
            plan.default.push(Action::Start);
        } else if waits && around.restart == Restart::Allowed {
            plan.default.push(Action::Reboot);
        }
    }

    fn pool(&self, guest: &Guest, around: &Circumstances<'_>, plan: &mut ContainerPlan) {
        let Some(pool) = self
            .container
            .pool
            .as_ref()
            .filter(|pool| guest.pool.as_ref() != Some(*pool))
        else {
            return;
        };
        let mut change = change(
            Key::Pool.name(),
            "pool",
            (guest.pool.clone(), Some(pool.clone())),
            ChangeClass::Live,
            "written at once",
        );
        change.cause = around.cause("pool");
        change.privilege = Some(Key::Pool.row().privilege.to_owned());
        plan.changes.push(change);
        plan.default.push(Action::Pool {
            from: guest.pool.clone(),
            to: Some(pool.clone()),
        });
    }

    fn migrate(&self, guest: &Guest, around: &Circumstances<'_>, plan: &mut ContainerPlan) {
        let Some(to) = self
            .container
            .node
            .as_ref()
            .filter(|node| **node != guest.node)
        else {
            return;
        };
        if !self.observed.nodes.contains(to) {
            plan.refusals.push(self.no_node(to));
        }
        let reason = if guest.status == Status::Running {
            "stopped, moved, started on the other node"
        } else {
            "moved while it stands still"
        };
        let mut change = change(
            Key::Node.name(),
            "node",
            (Some(guest.node.clone()), Some(to.clone())),
            ChangeClass::Migrate,
            reason,
        );
        change.cause = around.cause("node");
        change.privilege = Some(Key::Node.row().privilege.to_owned());
        plan.changes.push(change);
        plan.default.push(Action::Migrate { to: to.clone() });
    }

    /// The operator's words, when they are said and differ.
    fn new_words(&self, observed: &BTreeMap<String, String>) -> Option<(String, String)> {
        let should = self.container.description.clone()?;
        let is = words(observed.get("description").map_or("", String::as_str));
        (is != should).then_some((is, should))
    }

    /// What only a new container could change.
    fn replaced(
        &self,
        observed: &BTreeMap<String, String>,
        around: &Circumstances<'_>,
        plan: &mut ContainerPlan,
    ) {
        let is_unprivileged = observed
            .get("unprivileged")
            .is_some_and(|value| value == "1");
        let yes_no = |yes: bool| Some(if yes { "yes" } else { "no" }.to_owned());
        let should_be = self.container.privilege == Privilege::Unprivileged;
        if is_unprivileged != should_be {
            plan.changes.push(replacement(
                Key::Unprivileged,
                yes_no(is_unprivileged),
                yes_no(should_be),
            ));
            plan.refusals.push(self.no_way_back(Key::Unprivileged));
        }
        let known = around.applied.get("template");
        if known.is_some() && known != around.stamps.get("template") {
            let to = self
                .container
                .explained
                .iter()
                .find(|explained| explained.key == Key::Template);
            plan.changes.push(replacement(
                Key::Template,
                Some("another template".to_owned()),
                to.map(|to| to.value.clone()),
            ));
            plan.refusals.push(self.no_way_back(Key::Template));
        }
    }

    fn no_way_back(&self, key: Key) -> Refusal {
        let what = "it changes only with a new container";
        match self.container.replacement {
            Replacement::Keep => self.refuse("replace", Some(key), format!("{what}, and `TERMINATE=false` keeps this one"), &[
                "take the change back",
                "or back up what it holds, remove it with `proxmox-ci destroy`, and let the next apply make it anew",
            ]),
            Replacement::Allow => self.refuse("replace", Some(key), format!("{what}, and no verified way back to this one is at hand: neither a snapshot nor a backup was taken and tried"), &[
                "take the change back",
                "or back up what it holds, remove it with `proxmox-ci destroy`, and let the next apply make it anew",
            ]),
        }
    }
}

/// A change that only a new container would have.
pub(super) fn replacement(key: Key, from: Option<String>, to: Option<String>) -> Change {
    let row = key.row();
    let reason = "only a new container would have it";
    let mut change = change(
        key.name(),
        row.field,
        (from, to),
        ChangeClass::Replace,
        reason,
    );
    change.privilege = Some(row.privilege.to_owned());
    change
}

/// The storages that disks are moved to, or new volumes are made on.
fn new_storages(difference: &Difference) -> Vec<(Key, String)> {
    let moved = difference
        .moves
        .iter()
        .map(|(_, storage)| (Key::Storage, storage.clone()));
    let mounts = difference
        .set
        .iter()
        .filter(|(field, value)| field.starts_with("mp") && !value.starts_with('/'));
    let made =
        mounts.filter_map(|(_, value)| Some((Key::Mount, value.split_once(':')?.0.to_owned())));
    moved.chain(made).collect()
}
