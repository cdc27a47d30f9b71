//! One container against what stands there: each field that differs, and what would mend it.

mod fields;
mod network;
mod property;
mod volumes;

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::{Cause, Change, ChangeClass, Refusal, Reversible};
use crate::resolve::Container;
use crate::spec::Key;

/// What mends the differences: writes for one call, calls of their own, words for people.
#[derive(Debug, Default)]
pub(super) struct Difference {
    pub(super) set: BTreeMap<String, String>,
    pub(super) delete: Vec<String>,
    pub(super) resize: Vec<(String, String)>,
    pub(super) moves: Vec<(String, String)>,
    pub(super) changes: Vec<Change>,
    pub(super) refusals: Vec<Refusal>,
}

/// The circumstances under which fields are compared.
pub(super) struct Circumstances<'a> {
    /// What was applied last, field by field, from the marker.
    pub(super) applied: &'a BTreeMap<String, String>,
    /// What would be applied now.
    pub(super) stamps: BTreeMap<String, String>,
    /// Whether the guest runs, and what happens to changes that wait for a restart.
    pub(super) restart: Restart,
}

/// What a change that waits for a restart has to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restart {
    /// The guest stands still: its start will do.
    Starts,
    /// The same apply restarts it.
    Allowed,
    /// Somebody has to restart it.
    Waits,
}

/// Compares everything but node, pool, template and layers.
pub(super) fn compare(
    desired: &Container,
    observed: &BTreeMap<String, String>,
    around: &Circumstances<'_>,
) -> Difference {
    let mut difference = Difference::default();
    fields::compare(desired, observed, around, &mut difference);
    network::compare(desired, observed, around, &mut difference);
    volumes::compare(desired, observed, around, &mut difference);
    difference
}

/// The fields of a container that does not exist yet, as `POST /nodes/{node}/lxc` takes them.
pub(super) fn create(desired: &Container) -> BTreeMap<String, String> {
    let mut parameters = fields::create(desired);
    parameters.extend(network::create(desired));
    parameters.extend(volumes::create(desired));
    parameters
}

/// A short hash of every field as desired: what the marker remembers of an apply.
pub(super) fn stamps(desired: &Container) -> BTreeMap<String, String> {
    let template = serde_json::to_string(&desired.template).expect("a template is always JSON");
    let texts = fields::texts(desired)
        .into_iter()
        .chain(network::texts(desired))
        .chain(volumes::texts(desired))
        .chain([("template".to_owned(), template)])
        .chain(desired.pool.clone().map(|pool| ("pool".to_owned(), pool)))
        .chain(desired.node.clone().map(|node| ("node".to_owned(), node)))
        .chain(
            desired
                .description
                .clone()
                .map(|words| ("description".to_owned(), words)),
        );
    // What is absent is not remembered: it would only make the notes long.
    texts
        .filter(|(_, text)| !text.is_empty())
        .map(|(field, text)| (field, stamp(&text)))
        .collect()
}

/// Eight hexadecimal digits: enough to tell two values of one field apart.
fn stamp(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..4])
}

impl Circumstances<'_> {
    /// Who made a field differ: another hand, when what is desired was applied already.
    pub(super) fn cause(&self, field: &str) -> Cause {
        let same = self.applied.get(field) == self.stamps.get(field);
        if same && !self.applied.is_empty() {
            Cause::Drift
        } else {
            Cause::Edit
        }
    }

    /// Why a change has its class.
    pub(super) fn reason(&self, class: ChangeClass) -> &'static str {
        match (class, self.restart) {
            (ChangeClass::Live, _) => "written at once",
            (ChangeClass::Hotplug, Restart::Starts) => "takes effect when it starts",
            (ChangeClass::Hotplug, _) => "takes effect while it runs",
            (ChangeClass::NeedsReboot, Restart::Starts) => "takes effect when it starts",
            (ChangeClass::NeedsReboot, Restart::Allowed) => "takes effect when apply restarts it",
            (ChangeClass::NeedsReboot, Restart::Waits) => "waits until you restart it",
            (ChangeClass::Resize, _) => "the disk grows; it cannot shrink again",
            (ChangeClass::Move, Restart::Starts) => "the disk is copied, the old one removed",
            (ChangeClass::Move, _) => "stopped, the disk copied, the old one removed, started",
            _ => "",
        }
    }
}

impl Difference {
    /// Notes a change; `field` is what the marker remembers it by.
    fn change(
        &mut self,
        around: &Circumstances<'_>,
        key: Key,
        class: ChangeClass,
        field: &str,
        from: Option<String>,
        to: Option<String>,
    ) {
        let privilege = key.row().privilege;
        self.changes.push(Change {
            key: key.name().to_owned(),
            field: field.to_owned(),
            from,
            to,
            class,
            cause: around.cause(field),
            reason: around.reason(class).to_owned(),
            privilege: (!privilege.is_empty()).then(|| privilege.to_owned()),
            reversible: if class == ChangeClass::Resize {
                Reversible::No
            } else {
                Reversible::Yes
            },
        });
    }
}
