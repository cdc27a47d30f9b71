//! Desired × observed → a plan: everything decided, a value that prints, serialises and hashes.

mod access;
mod compare;
mod decide;
mod hash;
mod marker;
mod observed;
mod ownership;
mod selection;
mod show;

use std::collections::BTreeMap;

use serde::Serialize;

pub use marker::{Error as MarkerError, Marker, OWNERSHIP_TAG, words};
pub use observed::{Access, Guest, GuestConfig, GuestKind, Identity, Observed, Status};
pub use ownership::{Owner, bears_tag, owner};
pub use show::{VERSION, schema};

use ownership::{elsewhere, left_over};

use crate::diagnostic::Span;
use crate::resolve::{Desired, Step, Template};
pub use crate::spec::keys::ChangeClass;
use crate::spec::{ContainerName, FleetId, Vmid};

/// What must be done to a fleet.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The fleet.
    pub fleet: FleetId,
    /// Its containers in dependency order, those without a change among them.
    pub containers: Vec<ContainerPlan>,
    /// What is worth saying and no part of any container's plan: marked guests that no file
    /// describes any more are named here, and never removed unasked.
    pub notices: Vec<Notice>,
}

/// Compares what should be with what is.
///
/// Pure: the same two values give the same plan, and after that plan was done an empty one.
#[must_use]
pub fn plan(desired: &Desired, observed: &Observed) -> Plan {
    let decided = |container| decide::decide(container, desired, observed);
    let containers: Vec<ContainerPlan> = desired.containers.iter().map(decided).collect();
    let mut notices = left_over(desired, observed);
    notices.extend(waiting(&containers, observed));
    Plan {
        fleet: desired.fleet.clone(),
        containers,
        notices,
    }
}

/// Changes that were written before and wait for a restart: no difference any more, and worth a word.
fn waiting(containers: &[ContainerPlan], observed: &Observed) -> Vec<Notice> {
    let mut notices = Vec::new();
    for container in containers {
        let restarts = container
            .default
            .iter()
            .any(|action| matches!(action, Action::Reboot | Action::Start));
        let config = observed
            .guests
            .get(&container.vmid)
            .and_then(|guest| guest.config.as_ref());
        let fields: Vec<&str> = config
            .into_iter()
            .flat_map(|config| config.pending.keys())
            .map(String::as_str)
            .collect();
        if !fields.is_empty() && !restarts && container.standing == Standing::Running {
            notices.push(Notice {
                code: "waiting-for-restart",
                message: format!(
                    "`{}` must be restarted before these take effect: {}",
                    container.name,
                    fields.join(", ")
                ),
            });
        }
    }
    notices
}

impl Plan {
    /// Whether there is nothing to do: no change in any container.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.containers.iter().all(ContainerPlan::is_empty)
    }

    /// All refusals, with the container each is about.
    pub fn refusals(&self) -> impl Iterator<Item = (&ContainerName, &Refusal)> {
        self.containers.iter().flat_map(|container| {
            container
                .refusals
                .iter()
                .map(|refusal| (&container.name, refusal))
        })
    }

    /// The plan of one container.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&ContainerPlan> {
        self.containers
            .iter()
            .find(|container| container.name.as_str() == name)
    }
}

impl ContainerPlan {
    /// Whether there is nothing to do and nothing refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.default.is_empty()
            && self.configuration.is_empty()
            && self.refusals.is_empty()
    }
}

/// What must be done to one container.
#[derive(Clone, Debug)]
pub struct ContainerPlan {
    /// Its name.
    pub name: ContainerName,
    /// Its number.
    pub vmid: Vmid,
    /// The node it is on, or will be made on.
    pub node: String,
    /// What stands there now.
    pub standing: Standing,
    /// What differs, for people: each with class and reason.
    pub changes: Vec<Change>,
    /// Why nothing of this container will be touched; empty when it may be.
    pub refusals: Vec<Refusal>,
    /// What container-default does, in this order; it ends with its gate, always: guest running,
    /// pinned ssh answers, systemd running or degraded.
    pub default: Vec<Action>,
    /// What container-configuration does, in this order; it ends with the gate `HEALTH`, which
    /// is verified also when there is no action, provided an earlier layer did something.
    pub configuration: Vec<Action>,
    /// Containers whose plan must have succeeded before this one starts.
    pub after: Vec<ContainerName>,
    /// The `digest` of the configuration the plan was made from: sent with every write, so that a
    /// change by another hand in between is noticed. No part of any hash.
    pub digest: Option<String>,
}

/// What stands at a container's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Nothing.
    Absent,
    /// Ours, and it runs.
    Running,
    /// Ours, and it does not run.
    Stopped,
    /// Someone else's.
    Foreign,
}

/// One difference, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The key of the written form, or the layer: `MEMORY`, `container-default`.
    pub key: String,
    /// The Proxmox VE field, or the provisioner: `memory`, `mp0`, `script`.
    pub field: String,
    /// What is, in the written form where there is one.
    pub from: Option<String>,
    /// What will be.
    pub to: Option<String>,
    /// What it costs.
    pub class: ChangeClass,
    /// Who made the difference.
    pub cause: Cause,
    /// Why it has this class, or what happens.
    pub reason: String,
    /// The privilege it takes, and on which path.
    pub privilege: Option<String>,
    /// Whether the way back is as easy.
    pub reversible: Reversible,
}

/// Who made a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The repository says something new.
    Edit,
    /// The guest was changed by another hand since the last apply.
    Drift,
}

/// Whether a change can be taken back the way it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reversible {
    /// It can.
    Yes,
    /// It cannot.
    No,
}

/// Why a container, or one of its fields, is not touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Stable name: `foreign-guest`, `root-only`, `shrink`, `replace`, `missing-privilege`, ….
    pub code: &'static str,
    /// The key of the written form it is about, when it is about one.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// The privilege that is missing, when one is.
    pub privilege: Option<String>,
    /// The ways out, each a sentence.
    pub ways_out: Vec<String>,
    /// Where the value was written.
    pub place: Option<Span>,
}

/// Something worth saying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Stable name: `no-definition`, `waiting-for-restart`.
    pub code: &'static str,
    /// The words.
    pub message: String,
}

/// One thing to do. The executor has no choice left: it does them in order and stops at a failure.
#[derive(Clone, Debug)]
pub enum Action {
    /// `POST /nodes/{node}/lxc`, then await the task. The parameters are complete and literal but
    /// for `ostemplate`, which the executor resolves from `template` first (and refuses with what
    /// exists when it is missing), and `ssh-public-keys`, which it adds. `description` holds a
    /// marker already, so that a create whose answer was lost is recognised as ours.
    Create {
        /// What to unpack.
        template: Template,
        /// Parameters by name: `vmid`, `hostname`, `rootfs`, `net0`, `tags`, `description`, ….
        parameters: BTreeMap<String, String>,
    },
    /// One `PUT …/config` with these values, these names in `delete`, and the plan's digest.
    Configure {
        /// Fields to write.
        set: BTreeMap<String, String>,
        /// Fields to remove.
        delete: Vec<String>,
    },
    /// `PUT …/resize`: the disk grows to the size; await the task.
    Resize {
        /// `rootfs` or `mpN`.
        disk: String,
        /// The absolute size: `16G`.
        size: String,
    },
    /// `POST …/move_volume` with `delete=1` once the copy is whole; the guest must stand still:
    /// the executor shuts it down for this and a later [`Action::Start`] is in the plan.
    Move {
        /// `rootfs` or `mpN`.
        disk: String,
        /// The storage it goes to.
        storage: String,
    },
    /// `POST …/migrate`; with `restart=1` when it runs.
    Migrate {
        /// The node it goes to.
        to: String,
    },
    /// `PUT /pools`: the guest leaves one pool and joins another.
    Pool {
        /// The pool to leave.
        from: Option<String>,
        /// The pool to join.
        to: Option<String>,
    },
    /// `POST …/status/start`; await the task.
    Start,
    /// `POST …/status/reboot`: what waits for a restart takes effect; await the task.
    Reboot,
    /// Run a provisioner, then write its fingerprint into the guest's marker under the step's id.
    Provision(Box<Step>),
    /// Write the marker and, where given, the operator's words into the notes, through
    /// [`Marker::write_into`]: owner, name and fields from `marker`; the host key and the layers
    /// that stand in the guest's marker stay. `description` is written by this action and by
    /// [`Action::Create`] only, never by [`Action::Configure`].
    Mark {
        /// Owner, name and fields.
        marker: Box<Marker>,
        /// The operator's part of the notes, when it changes.
        words: Option<String>,
    },
}
