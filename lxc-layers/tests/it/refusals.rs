//! What a plan refuses, each with the ways out, as a person reads it.

use std::collections::BTreeMap;

use lxc_layers::diagnostic::Style;
use lxc_layers::plan::{
    Access, Guest, GuestConfig, GuestKind, Identity, Marker, Observed, Plan, Status, plan,
};
use lxc_layers::spec::{Tree, Vmid};

use crate::fleets::{FLEET, desired, tree};
use crate::model::{apply, empty};

fn web(text: &str) -> Tree {
    tree(&[("containers/web/config.env", text)])
}

fn planned(text: &str, observed: &Observed) -> Plan {
    plan(&desired(&web(text)), observed)
}

fn applied(text: &str) -> Observed {
    let mut observed = empty();
    apply(&planned(text, &observed), &mut observed);
    observed
}

/// A plan that refuses with these codes; its words are kept.
#[track_caller]
fn check(name: &str, plan: &Plan, codes: &[&str]) {
    let found: Vec<_> = plan.refusals().map(|(_, refusal)| refusal.code).collect();
    assert_eq!(found, codes, "{}", plan.to_text(Style::Plain));
    for (_, refusal) in plan.refusals() {
        assert!(!refusal.ways_out.is_empty(), "{refusal:?}");
    }
    let is_hash = |line: &&str| line.starts_with("default ") || line.starts_with("configuration ");
    let text = plan.to_text(Style::Plain);
    let refused: Vec<&str> = text.lines().filter(|line| !is_hash(line)).collect();
    assert!(
        refused.iter().all(|line| line.chars().count() <= 80),
        "{refused:#?}"
    );
    insta::assert_snapshot!(format!("refused-{name}"), refused.join("\n"));
}

fn vmid() -> Vmid {
    Vmid::try_from(101).unwrap()
}

fn guest(kind: GuestKind, notes: &str) -> Observed {
    let mut observed = empty();
    let values = BTreeMap::from([("description".to_owned(), notes.to_owned())]);
    let guest = Guest {
        kind,
        node: "pve".to_owned(),
        name: Some("precious".to_owned()),
        status: Status::Running,
        pool: None,
        tags: None,
        memory_used: None,
        config: Some(GuestConfig {
            values,
            ..GuestConfig::default()
        }),
    };
    observed.guests.insert(vmid(), guest);
    observed
}

#[test]
fn guests_of_others() {
    let marker = |fleet: &str, name: &str| {
        Marker::new(fleet.parse().unwrap(), name.parse().unwrap()).write_into("")
    };
    let text = "ID=101\n";
    check(
        "virtual-machine",
        &planned(text, &guest(GuestKind::Qemu, "")),
        &["foreign-guest"],
    );
    check(
        "unmarked",
        &planned(text, &guest(GuestKind::Lxc, "by hand")),
        &["foreign-guest"],
    );
    check(
        "other-fleet",
        &planned(
            text,
            &guest(GuestKind::Lxc, &marker("another-fleet", "web")),
        ),
        &["foreign-guest"],
    );
    check(
        "other-container",
        &planned(
            text,
            &guest(GuestKind::Lxc, &marker("fleet-0123456789", "db")),
        ),
        &["foreign-guest"],
    );
    let damaged = marker("fleet-0123456789", "web").replace("version", "vision");
    check(
        "damaged-marker",
        &planned(text, &guest(GuestKind::Lxc, &damaged)),
        &["foreign-guest"],
    );
    for plan in [
        planned(text, &guest(GuestKind::Qemu, "")),
        planned(text, &guest(GuestKind::Lxc, "")),
    ] {
        assert!(
            plan.containers[0].default.is_empty() && plan.containers[0].configuration.is_empty()
        );
    }
}

#[test]
fn memory_below_what_is_in_use() {
    let mut observed = applied("ID=101\nMEMORY=512\n");
    let used = |observed: &mut Observed, mib: u64| {
        let guest = observed.guests.get_mut(&vmid()).unwrap();
        (guest.status, guest.memory_used) = (Status::Running, Some(mib << 20));
    };
    used(&mut observed, 300);
    let text = "ID=101\nMEMORY=256\n";
    check(
        "memory-in-use",
        &planned(text, &observed),
        &["memory-in-use"],
    );
    // What stays as it is or grows is not asked about.
    for text in ["ID=101\nMEMORY=512\n", "ID=101\nMEMORY=320\n"] {
        assert_eq!(planned(text, &observed).refusals().count(), 0, "{text}");
    }
    used(&mut observed, 600);
    assert_eq!(
        planned("ID=101\nMEMORY=512\n", &observed)
            .refusals()
            .count(),
        0
    );
}

#[test]
fn what_only_a_new_container_would_have() {
    let text = "ID=101\n";
    check(
        "shrink",
        &planned("ID=101\nROOTFS=local:4\n", &applied(text)),
        &["shrink"],
    );
    check(
        "privileged",
        &planned(
            "ID=101\nUNPRIVILEGED=no\nCONSENT=privileged\n",
            &applied(text),
        ),
        &["replace"],
    );
    check(
        "template",
        &planned(
            "ID=101\nTEMPLATE=debian-13\nTERMINATE=true\n",
            &applied(text),
        ),
        &["replace"],
    );
    check("number", &planned("ID=102\n", &applied(text)), &["replace"]);
}

#[test]
fn what_is_not_there() {
    check(
        "no-node",
        &planned("ID=101\nNODE=pve9\n", &empty()),
        &["no-node"],
    );
    check(
        "no-storage",
        &planned("ID=101\nROOTFS=ceph:8\nMOUNT=tank:1:/data\n", &empty()),
        &["no-storage", "no-storage"],
    );
    let fleet = FLEET.replace("node = \"pve\"\n", "");
    let tree = tree(&[
        ("fleet.toml", &fleet),
        ("containers/web/config.env", "ID=101\n"),
    ]);
    check("which-node", &plan(&desired(&tree), &empty()), &["no-node"]);
    let mut gone = applied("ID=101\n");
    gone.nodes.remove("pve");
    check(
        "node-gone",
        &planned("ID=101\nCORES=2\n", &gone),
        &["node-gone"],
    );
    let mut locked = applied("ID=101\n");
    locked
        .guests
        .get_mut(&vmid())
        .unwrap()
        .config
        .as_mut()
        .unwrap()
        .lock = Some("backup".to_owned());
    check(
        "locked",
        &planned("ID=101\nCORES=2\n", &locked),
        &["locked"],
    );
    assert!(
        planned("ID=101\n", &locked).is_empty(),
        "a lock is nothing to one who wants nothing"
    );
}

fn token(privileges: &[(&str, &[&str])]) -> Access {
    let held = |names: &&[&str]| {
        names
            .iter()
            .map(|name| ((*name).to_owned(), true))
            .collect()
    };
    Access {
        identity: Identity::Token("ci@pve!apply".to_owned()),
        privileges: privileges
            .iter()
            .map(|(path, names)| ((*path).to_owned(), held(names)))
            .collect(),
    }
}

const GUEST: [&str; 8] = [
    "VM.Allocate",
    "VM.Config.CPU",
    "VM.Config.Disk",
    "VM.Config.Memory",
    "VM.Config.Network",
    "VM.Config.Options",
    "VM.PowerMgmt",
    "VM.Audit",
];

#[test]
fn what_is_reserved_for_root() {
    let mut world = empty();
    world.access = token(&[]);
    let text = "ID=101\nMOUNT=/srv/media:/media\nDEVICE=/dev/ttyUSB0\nFEATURES=nesting,keyctl\n";
    check(
        "root-only",
        &planned(text, &world),
        &["root-only", "root-only", "root-only"],
    );
    world.access.identity = Identity::Token("root@pam!ci".to_owned());
    assert_eq!(
        planned(text, &world).refusals().count(),
        3,
        "a token of root is not root"
    );
    world.access.identity = Identity::Root;
    assert_eq!(planned(text, &world).refusals().count(), 0);
    // What stands already asks for nothing.
    let mut there = applied(text);
    there.access = token(&[]);
    assert_eq!(
        planned(&format!("{text}CORES=2\n"), &there)
            .refusals()
            .count(),
        0
    );
}

#[test]
fn privileges_that_are_missing() {
    let mut world = empty();
    world.access = token(&[("/vms/101", &["VM.Audit"])]);
    check(
        "no-privileges",
        &planned("ID=101\n", &world),
        &["missing-privilege"; 3],
    );
    world.access = token(&[
        ("/pool/lab", &GUEST),
        ("/storage/local", &["Datastore.AllocateSpace"]),
        ("/sdn/zones", &["SDN.Use"]),
    ]);
    assert_eq!(planned("ID=101\nPOOL=lab\n", &world).refusals().count(), 0);
    check(
        "no-space",
        &planned("ID=101\nPOOL=lab\nMOUNT=fast:1:/data\n", &world),
        &["missing-privilege"],
    );
    world.access = token(&[
        ("/", &["SDN.Use", "Datastore.AllocateSpace"]),
        ("/vms", &GUEST),
    ]);
    assert_eq!(
        planned("ID=101\n", &world).refusals().count(),
        0,
        "privileges are passed on"
    );
    check(
        "privileged-create",
        &planned(
            "ID=101\nUNPRIVILEGED=no\nCONSENT=privileged\nFEATURES=nesting=0\n",
            &world,
        ),
        &["missing-privilege"],
    );
}

#[test]
fn a_guest_without_a_file_is_named_and_left() {
    let observed = applied("ID=101\n");
    let other = tree(&[("containers/db/config.env", "ID=102\n")]);
    let plan = plan(&desired(&other), &observed);
    assert_eq!(plan.notices[0].code, "no-definition");
    assert!(plan.container("web").is_none());
    insta::assert_snapshot!("left-over", plan.notices[0].message);
}
