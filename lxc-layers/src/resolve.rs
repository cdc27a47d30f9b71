//! Container-init: from the written form to what every container should be, with no choice left.

mod draft;
mod fields;
mod interpolate;
mod layers;
mod lint;
mod mounts;
mod order;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Diagnostic, Span};
use crate::spec::{
    self, ContainerName, FleetId, Input, Key, Policies, Program, Role, Secret, Size, Tree, Vmid,
    keys::Scope,
};

pub use layers::FINGERPRINT_KEY;

/// What container-init makes of a tree of files.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What the fleet should be; `None` while there is an error among the diagnostics.
    pub desired: Option<Desired>,
    /// Everything that is wrong or worth reading, in the order of files and lines.
    pub diagnostics: Vec<Diagnostic>,
}

/// Container-init, all of it but the plan: reads, cascades, interpolates, allocates, lints.
#[must_use]
pub fn resolve(tree: &Tree) -> Resolved {
    let (fleet, mut diagnostics) = spec::read(tree);
    let mut drafts: Vec<draft::Draft> = fleet
        .containers
        .iter()
        .map(|spec| draft::draft(spec, &fleet, &mut diagnostics))
        .collect();
    let order = order::order(&mut drafts, &mut diagnostics);
    lint::lint(&drafts, &fleet, &mut diagnostics);
    layers::fill(&mut drafts, &fleet, tree, &mut diagnostics);
    quieten(&mut diagnostics);
    diagnostics.sort_by(|one, other| (&one.span, one.code).cmp(&(&other.span, other.code)));
    diagnostics.dedup();
    let whole = !diagnostics.iter().any(Diagnostic::is_error);
    let desired = fleet.id.filter(|_| whole).map(|id| {
        let mut containers: Vec<Option<Container>> = drafts
            .into_iter()
            .map(|draft| Some(draft.container))
            .collect();
        let containers = order
            .into_iter()
            .filter_map(|position| containers[position].take())
            .collect();
        Desired {
            fleet: id.value,
            policies: fleet.policies,
            program: fleet.program,
            containers,
        }
    });
    Resolved {
        desired,
        diagnostics,
    }
}

/// Drops what only follows from a mistake of grammar: a key may be missing because its line, or the
/// fleet's defaults, could not be read.
fn quieten(diagnostics: &mut Vec<Diagnostic>) {
    let file = |diagnostic: &Diagnostic| diagnostic.span.as_ref().map(|span| span.file.to_string());
    let grammar = ["bad-line", "bad-toml", "bad-kind", "open-quote"];
    let unread: BTreeSet<_> = diagnostics
        .iter()
        .filter(|diagnostic| grammar.contains(&diagnostic.code))
        .filter_map(file)
        .collect();
    let could_be_fleet_wide = |diagnostic: &Diagnostic| {
        let name = diagnostic.message.split('`').nth(1);
        let key = name.and_then(Key::find);
        key.is_some_and(|key| key.row().scope == Scope::Fleet)
    };
    diagnostics.retain(|diagnostic| {
        let follows = |file: String| {
            unread.contains(&file)
                || (unread.contains("fleet.toml") && could_be_fleet_wide(diagnostic))
        };
        diagnostic.code != "missing-key" || !file(diagnostic).is_some_and(follows)
    });
}

/// What the fleet should be.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The identity that stands in every guest's marker.
    pub fleet: FleetId,
    /// What the engine may do unasked.
    pub policies: Policies,
    /// The build of this program that the control plane is to run, where the fleet pins one.
    pub program: Option<Program>,
    /// The containers in dependency order: each after those it names in `AFTER`, ties by name.
    pub containers: Vec<Container>,
}

impl Desired {
    /// The container of that name.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers
            .iter()
            .find(|container| container.name.as_str() == name)
    }
}

/// What one container should be: every field has its value.
#[derive(Clone, Debug)]
pub struct Container {
    /// Its name within the fleet.
    pub name: ContainerName,
    /// The control plane or one of the others.
    pub role: Role,
    /// Its number.
    pub vmid: Vmid,
    /// The node it belongs on; `None` leaves it where it is, and takes the only node at create.
    pub node: Option<String>,
    /// The pool it belongs to.
    pub pool: Option<String>,
    /// What its root file system is unpacked from, at create only.
    pub template: Template,
    /// Host name, as Proxmox VE sets it in the guest.
    pub hostname: String,
    /// Cores it may use.
    pub cores: u32,
    /// Limit of CPU time in cores, canonical (`0.5`, `2`); `0` is none.
    pub cpulimit: String,
    /// Weight of CPU time against others; `None` leaves Proxmox VE's default.
    pub cpuunits: Option<u32>,
    /// Memory, whole mebibytes.
    pub memory: Size,
    /// Swap, whole mebibytes.
    pub swap: Size,
    /// The root disk.
    pub rootfs: Disk,
    /// Mount points in the order written; slots `mpN` are chosen by the planner.
    pub mounts: Vec<Mount>,
    /// Devices passed through, in the order written.
    pub devices: Vec<Device>,
    /// Features: `nesting` → `1`, `mount` → `nfs;cifs`.
    pub features: BTreeMap<String, String>,
    /// Network interfaces: `net0` first.
    pub nics: Vec<Nic>,
    /// Name servers in order; empty lets the node decide.
    pub nameservers: Vec<String>,
    /// Search domains in order.
    pub searchdomains: Vec<String>,
    /// Tags, lower case, the ownership tag among them.
    pub tags: BTreeSet<String>,
    /// Start order at the node's boot, canonical: `order=2,up=30`.
    pub startup: Option<String>,
    /// Whether it starts with the node.
    pub boot: Boot,
    /// Whether Proxmox VE refuses to destroy it.
    pub protection: Protection,
    /// Whether root inside is root outside.
    pub privilege: Privilege,
    /// The operator's part of the notes; `None` leaves what stands there.
    pub description: Option<String>,
    /// What to do when only a new container would do.
    pub replacement: Replacement,
    /// Those that must be whole before this one is touched.
    pub after: Vec<ContainerName>,
    /// What must hold at the end of container-configuration.
    pub health: Vec<Health>,
    /// How long the gates may take.
    pub health_within: Duration,
    /// The base layer, run by container-default.
    pub base: Step,
    /// The service layer, run by container-configuration, in this order.
    pub service: Vec<Step>,
    /// Each key's value with the place it came from, for `config --explain`, in the table's order.
    pub explained: Vec<Explained>,
}

impl Container {
    /// The address of the first interface, where ssh and health gates go; `None` with DHCP.
    #[must_use]
    pub fn address(&self) -> Option<Ipv4Addr> {
        match self.nics.first()?.address {
            Address::Static { address, .. } => Some(address),
            Address::Dhcp | Address::Manual => None,
        }
    }

    /// Where `key` was written for this container; `None` for a default of the program.
    #[must_use]
    pub fn place(&self, key: Key) -> Option<&Span> {
        self.explained
            .iter()
            .find(|explained| explained.key == key)?
            .origin
            .span()
    }
}

/// Where a root file system comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum Template {
    /// A volume that must be there: `local:vztmpl/debian-12.tar.zst`.
    Volume {
        /// The volume id.
        volume: String,
    },
    /// A name: `debian-12-standard`, with or without version; looked up on the storage, then in the
    /// node's appliance catalogue, from which it is fetched when missing.
    Name {
        /// The name or its beginning.
        name: String,
        /// The storage it belongs on.
        storage: String,
    },
    /// An address with a checksum, fetched by the node.
    Url {
        /// Where from.
        url: String,
        /// `sha256`, `sha512`, as Proxmox VE names them.
        algorithm: String,
        /// The checksum, hexadecimal.
        checksum: String,
        /// The storage it belongs on.
        storage: String,
        /// The file it becomes there.
        file: String,
    },
}

/// A disk of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// The storage.
    pub storage: String,
    /// Its size.
    pub size: Size,
}

/// Something mounted in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// Where in the container, absolute; no two mounts share it.
    pub target: String,
    /// Options as Proxmox VE names them, only those that differ from its default: `ro` → `1`.
    pub options: BTreeMap<String, String>,
}

/// What a mount point mounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum MountSource {
    /// A volume of the container's own, allocated when it is first seen, grown later.
    Volume(Disk),
    /// A volume that exists already: `local-lvm:vm-105-disk-1`.
    Existing {
        /// The volume id.
        volume: String,
    },
    /// A folder of the node; reserved for `root@pam` itself.
    Bind {
        /// Absolute path on the node.
        path: String,
    },
}

/// A device of the node, passed through; reserved for `root@pam` itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its path, below `/dev/`.
    pub path: String,
    /// Options as Proxmox VE names them: `mode`, `uid`, `gid`, `deny-write`.
    pub options: BTreeMap<String, String>,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Nic {
    /// Its name inside: `eth0`.
    pub name: String,
    /// The bridge on the node.
    pub bridge: String,
    /// Its address.
    pub address: Address,
    /// The gateway, with a static address only.
    pub gateway: Option<Ipv4Addr>,
    /// VLAN tag, 1 to 4094.
    pub vlan: Option<u16>,
}

/// How an interface gets its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum Address {
    /// This one.
    Static {
        /// The address.
        address: Ipv4Addr,
        /// Length of the network's prefix.
        prefix: u8,
    },
    /// From a DHCP server.
    Dhcp,
    /// The guest sees to it.
    Manual,
}

/// Whether a container starts with its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Boot {
    /// It does; and `apply` starts it when it stands still.
    WithNode,
    /// It does not; `apply` starts it all the same, since its layers need it running.
    ByHand,
}

/// Whether Proxmox VE refuses to destroy a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// It refuses.
    On,
    /// It does not.
    Off,
}

/// Whether root inside is root outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Privilege {
    /// Root inside is nobody outside: the rule.
    Unprivileged,
    /// Root inside is root outside: written with consent only.
    Privileged,
}

/// The seed's `TERMINATE`: what to do when only a new container would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Replacement {
    /// `TERMINATE=false`: the container stays, the change is refused.
    Keep,
    /// `TERMINATE=true`: consent to a replacement.
    Allow,
}

/// One thing that must hold when the service layer is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Health {
    /// A GET to the container's own address answers with a status from 200 to 399.
    Http {
        /// The port.
        port: u16,
        /// The path, with its slash.
        path: String,
    },
    /// Something listens on the container's own address.
    Tcp {
        /// The port.
        port: u16,
    },
    /// A systemd unit is active in the guest.
    Unit {
        /// Its name.
        unit: String,
    },
}

/// One run of one provisioner.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name in the marker: `default`, `ansible`, `cinc`, `script`.
    pub id: &'static str,
    /// Which tool, with what it needs.
    pub provisioner: Provisioner,
    /// The folder it runs from, relative to the fleet's root.
    pub folder: String,
    /// The files it uses, relative to `folder`, in order.
    pub inputs: BTreeMap<String, Input>,
    /// Variables for it: environment of a script, extra variables of Ansible, attributes of Cinc.
    pub variables: BTreeMap<String, Variable>,
    /// All of the above in one value.
    pub fingerprint: Fingerprint,
    /// How long it may take.
    pub within: Duration,
}

/// Which tool configures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "tool", rename_all = "lowercase")]
pub enum Provisioner {
    /// `ansible-playbook` over ssh.
    Ansible {
        /// The playbook, relative to the step's folder.
        playbook: String,
    },
    /// An executable sent to the guest and run there, with the step's folder beside it.
    Script {
        /// The file, relative to the step's folder.
        script: String,
    },
    /// `cinc-client --local-mode` in the guest, the step's folder being the cookbook.
    Cinc {
        /// The cookbook's name.
        cookbook: String,
        /// What it runs: `web::default`.
        run_list: Vec<String>,
    },
}

/// A variable for a provisioner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// Anyone may see it.
    Plain(String),
    /// Nobody may: never in an argument, a log, an error or the guest's notes.
    Secret(Secret),
}

/// What a step's inputs come to: equal on every machine that holds the same repository.
///
/// Covers relative paths, executable bits, contents, variables and the tool; a secret enters keyed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint as text: 64 hexadecimal digits when we made it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Fingerprint {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// One key of one container: its value and where that came from.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The key.
    pub key: Key,
    /// Its value in the written form; secrets cannot be in it.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The container's own file.
    Container(Span),
    /// `[defaults]` or `[network]` of the fleet.
    Fleet(Span),
    /// It follows from other values: the words say from which.
    Derived(String),
    /// The program's own default.
    BuiltIn,
}

impl Origin {
    /// The place, where there is one.
    #[must_use]
    pub const fn span(&self) -> Option<&Span> {
        match self {
            Self::Container(span) | Self::Fleet(span) => Some(span),
            Self::Derived(_) | Self::BuiltIn => None,
        }
    }
}

impl std::fmt::Display for Origin {
    /// `containers/web/config.env:3:8`, `follows from …`, `default`.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Container(span) | Self::Fleet(span) => write!(out, "{span}"),
            Self::Derived(from) => write!(out, "follows from {from}"),
            Self::BuiltIn => out.write_str("default"),
        }
    }
}
