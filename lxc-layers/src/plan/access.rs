//! Who may do what: the effective privileges, and what Proxmox VE keeps for root.

use std::collections::{BTreeMap, BTreeSet};

use super::{Access, Action, ContainerPlan, Identity, Observed, Refusal};
use crate::resolve::{Container, MountSource, Privilege};
use crate::spec::Key;

impl Access {
    /// Whether a privilege holds on a path. Where nothing is known of privileges, all hold.
    ///
    /// A path of the table says all that holds there; one that is not in it inherits what its
    /// nearest ancestor passes on.
    #[must_use]
    pub fn may(&self, privilege: &str, path: &str) -> bool {
        if self.identity == Identity::Root || self.privileges.is_empty() {
            return true;
        }
        if let Some(here) = self.privileges.get(path) {
            return here.contains_key(privilege);
        }
        let mut at = path;
        while let Some(slash) = at.rfind('/') {
            at = if slash == 0 { "/" } else { &at[..slash] };
            if let Some(above) = self.privileges.get(at) {
                return above.get(privilege) == Some(&true);
            }
            if at == "/" {
                return false;
            }
        }
        false
    }

    const fn is_root(&self) -> bool {
        matches!(self.identity, Identity::Root | Identity::Unknown)
    }

    fn who(&self) -> String {
        match &self.identity {
            Identity::Root => "root@pam".to_owned(),
            Identity::Token(name) => format!("the token `{name}`"),
            Identity::User(name) => format!("the user `{name}`"),
            Identity::Unknown => "this access".to_owned(),
        }
    }
}

/// Everything in a plan that its executor is not allowed to do.
pub(super) fn refusals(
    desired: &Container,
    plan: &ContainerPlan,
    observed: &Observed,
) -> Vec<Refusal> {
    let mut found = root_only(desired, plan, &observed.access);
    found.extend(missing(desired, plan, observed));
    found
}

/// Values that only `root@pam` with a password may write: tokens of root are not root.
fn root_only(desired: &Container, plan: &ContainerPlan, access: &Access) -> Vec<Refusal> {
    if access.is_root() {
        return Vec::new();
    }
    let written = written(plan);
    let mut found = Vec::new();
    let mut refuse = |key: Key, what: String, instead: &str| {
        found.push(Refusal {
            code: "root-only",
            key: Some(key.name().to_owned()),
            message: format!(
                "{what} is reserved for root@pam itself, and {} speaks",
                access.who()
            ),
            privilege: Some("root@pam with its password; no token has it".to_owned()),
            ways_out: vec![
                instead.to_owned(),
                "have root@pam make this one change by hand; the plan is then without it"
                    .to_owned(),
            ],
            place: desired.place(key).cloned(),
        });
    };
    for mount in &desired.mounts {
        if let MountSource::Bind { path } = &mount.source
            && written
                .iter()
                .any(|(field, value)| field.starts_with("mp") && value.starts_with(path.as_str()))
        {
            refuse(
                Key::Mount,
                format!("mounting the node's folder `{path}`"),
                "mount a volume instead: `STORAGE:SIZE:/TARGET`",
            );
        }
    }
    for device in &desired.devices {
        if written.iter().any(|(field, value)| {
            field.starts_with("dev") && value.starts_with(device.path.as_str())
        }) {
            refuse(
                Key::Device,
                format!("passing `{}` through", device.path),
                "leave the device away",
            );
        }
    }
    if written.contains_key("features") {
        let others: Vec<&str> = desired
            .features
            .keys()
            .map(String::as_str)
            .filter(|name| *name != "nesting")
            .collect();
        if !others.is_empty() || desired.privilege == Privilege::Privileged {
            let names = if others.is_empty() {
                "any feature of a privileged container".to_owned()
            } else {
                format!("the feature `{}`", others.join("`, `"))
            };
            refuse(
                Key::Features,
                names,
                "keep to `nesting`, in an unprivileged container",
            );
        }
    }
    found
}

/// Every field that the plan writes, at create or later, with its value; removed ones are empty.
fn written(plan: &ContainerPlan) -> BTreeMap<&str, &str> {
    let mut fields = BTreeMap::new();
    for action in &plan.default {
        match action {
            Action::Create { parameters, .. } => {
                fields.extend(
                    parameters
                        .iter()
                        .map(|(field, value)| (field.as_str(), value.as_str())),
                );
            }
            Action::Configure { set, delete } => {
                fields.extend(
                    set.iter()
                        .map(|(field, value)| (field.as_str(), value.as_str())),
                );
                fields.extend(delete.iter().map(|field| (field.as_str(), "")));
            }
            _ => {}
        }
    }
    fields
}

/// A privilege that the plan needs, where, and for what.
struct Need {
    privilege: &'static str,
    paths: Vec<String>,
    what: String,
}

/// Needs that are not met, one refusal for each path.
fn missing(desired: &Container, plan: &ContainerPlan, observed: &Observed) -> Vec<Refusal> {
    let access = &observed.access;
    let guest = guest_paths(desired, observed);
    let mut unmet: BTreeMap<String, BTreeMap<&'static str, BTreeSet<String>>> = BTreeMap::new();
    for need in needs(desired, plan, &guest) {
        if !need
            .paths
            .iter()
            .any(|path| access.may(need.privilege, path))
        {
            let lacking = unmet.entry(need.paths.join(" or ")).or_default();
            lacking.entry(need.privilege).or_default().insert(need.what);
        }
    }
    unmet
        .into_iter()
        .map(|(path, lacking)| lacks(access, &path, &lacking))
        .collect()
}

fn lacks(
    access: &Access,
    path: &str,
    lacking: &BTreeMap<&'static str, BTreeSet<String>>,
) -> Refusal {
    let names: Vec<&str> = lacking.keys().copied().collect();
    let why = |(privilege, what): (&&str, &BTreeSet<String>)| {
        format!(
            "{privilege} for {}",
            what.iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        )
    };
    let whys: Vec<String> = lacking.iter().map(why).collect();
    Refusal {
        code: "missing-privilege",
        key: None,
        message: format!("{} lacks on {path}: {}", access.who(), whys.join("; ")),
        privilege: Some(format!("{} on {path}", names.join(", "))),
        ways_out: vec![
            format!(
                "grant {} a role on {path} that has {}",
                access.who(),
                names.join(", ")
            ),
            "use an access that has what is missing".to_owned(),
        ],
        place: None,
    }
}

fn needs(desired: &Container, plan: &ContainerPlan, guest: &[String]) -> Vec<Need> {
    let mut needs = Vec::new();
    let mut need = |privilege, paths: Vec<String>, what: &str| {
        needs.push(Need {
            privilege,
            paths,
            what: what.to_owned(),
        });
    };
    for action in &plan.default {
        match action {
            Action::Create { .. } => {
                need("VM.Allocate", guest.to_vec(), "creating the container");
                if desired.privilege == Privilege::Privileged {
                    need(
                        "Sys.Modify",
                        vec!["/".to_owned()],
                        "creating a privileged container",
                    );
                }
            }
            Action::Configure { .. } => {}
            Action::Resize { disk, .. } => need("VM.Config.Disk", guest.to_vec(), disk),
            Action::Move { disk, storage } => {
                need("VM.Config.Disk", guest.to_vec(), disk);
                need(
                    "Datastore.AllocateSpace",
                    vec![format!("/storage/{storage}")],
                    disk,
                );
            }
            Action::Migrate { .. } => {
                need("VM.Migrate", guest.to_vec(), "moving it to another node")
            }
            Action::Pool { from, to } => {
                for pool in from.iter().chain(to) {
                    need("Pool.Allocate", vec![format!("/pool/{pool}")], "POOL");
                }
            }
            Action::Start | Action::Reboot => {
                need("VM.PowerMgmt", guest.to_vec(), "starting and stopping it")
            }
            Action::Mark { .. } => need(
                "VM.Config.Options",
                guest.to_vec(),
                "the marker in its notes",
            ),
            Action::Provision(_) => {}
        }
    }
    for (field, value) in written(plan) {
        field_needs(field, value, guest, &mut need);
    }
    needs
}

/// A guest's own path; the pool that it is in, or will be made in, will do as well.
fn guest_paths(desired: &Container, observed: &Observed) -> Vec<String> {
    let mut paths = vec![format!("/vms/{}", desired.vmid)];
    let pool = match observed.guests.get(&desired.vmid) {
        Some(guest) => guest.pool.as_ref(),
        None => desired.pool.as_ref(),
    };
    paths.extend(pool.map(|pool| format!("/pool/{pool}")));
    paths
}

fn field_needs(
    field: &str,
    value: &str,
    guest: &[String],
    need: &mut impl FnMut(&'static str, Vec<String>, &str),
) {
    let kind = field.trim_end_matches(|c: char| c.is_ascii_digit());
    let privilege = match kind {
        "cores" | "cpulimit" | "cpuunits" => "VM.Config.CPU",
        "memory" | "swap" => "VM.Config.Memory",
        "hostname" | "nameserver" | "searchdomain" | "net" => "VM.Config.Network",
        "rootfs" | "mp" => "VM.Config.Disk",
        "features" => "VM.Allocate",
        "onboot" | "startup" | "protection" | "tags" | "description" => "VM.Config.Options",
        _ => return,
    };
    need(privilege, guest.to_vec(), field);
    match kind {
        "rootfs" | "mp" if !value.starts_with('/') => {
            if let Some((storage, _)) = value.split_once(':') {
                need(
                    "Datastore.AllocateSpace",
                    vec![format!("/storage/{storage}")],
                    field,
                );
            }
        }
        "net" => {
            if let Some(bridge) = value
                .split(',')
                .find_map(|part| part.strip_prefix("bridge="))
            {
                need(
                    "SDN.Use",
                    vec![format!("/sdn/zones/localnetwork/{bridge}")],
                    field,
                );
            }
        }
        _ => {}
    }
}
