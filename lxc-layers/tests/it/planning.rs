//! Plans over a model of Proxmox VE: classes, reasons, causes, refusals, hashes.

use lxc_layers::diagnostic::Style;
use lxc_layers::event::Layer;
use lxc_layers::plan::{Action, Cause, ChangeClass, Observed, Plan, Status, plan};
use lxc_layers::spec::{Tree, Vmid};

use crate::fleets::{FLEET, desired, tree};
use crate::model::{apply, empty};

const WEB: &str =
    "ID=101\nMEMORY=512\nMOUNT=local:1:/data,fast:2:/cache:ro\nDESCRIPTION=the web\nTAGS=blue\n";

fn web(text: &str) -> Tree {
    tree(&[("containers/web/config.env", text)]).with_input(
        "containers/web/apply.sh",
        "echo $CONTAINER_IP\n",
        true,
    )
}

fn planned(tree: &Tree, observed: &Observed) -> Plan {
    plan(&desired(tree), observed)
}

/// A world in which `tree` was applied.
fn applied(tree: &Tree) -> Observed {
    let mut observed = empty();
    apply(&planned(tree, &observed), &mut observed);
    assert!(
        planned(tree, &observed).is_empty(),
        "{}",
        planned(tree, &observed).to_text(Style::Plain)
    );
    observed
}

fn vmid(number: u32) -> Vmid {
    Vmid::try_from(number).unwrap()
}

/// A plan as a person reads it, without the hashes, which change with every key of the table.
fn without_hashes(plan: &Plan) -> String {
    let is_hash = |line: &&str| line.starts_with("default ") || line.starts_with("configuration ");
    plan.to_text(Style::Plain)
        .lines()
        .filter(|line| !is_hash(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The changes of a plan: key, field, class, cause.
fn changes(plan: &Plan) -> Vec<(String, String, ChangeClass, Cause)> {
    let all = plan
        .containers
        .iter()
        .flat_map(|container| &container.changes);
    all.map(|change| {
        (
            change.key.clone(),
            change.field.clone(),
            change.class,
            change.cause,
        )
    })
    .collect()
}

/// One edit of `WEB` on a running guest: exactly one change, of this key and class, and after it
/// nothing.
#[track_caller]
fn check_edit(from: &str, to: &str, key: &str, class: ChangeClass) {
    let mut observed = applied(&web(WEB));
    assert!(from.is_empty() || WEB.contains(from), "{from}");
    let edited = if from.is_empty() {
        format!("{WEB}{to}\n")
    } else {
        WEB.replace(from, to)
    };
    let plan = planned(&web(&edited), &observed);
    let found: Vec<_> = changes(&plan)
        .into_iter()
        .map(|(key, _, class, cause)| (key, class, cause))
        .collect();
    assert_eq!(
        found,
        [(key.to_owned(), class, Cause::Edit)],
        "{}",
        plan.to_text(Style::Plain)
    );
    apply(&plan, &mut observed);
    let after = planned(&web(&edited), &observed);
    assert!(after.is_empty(), "{}", after.to_text(Style::Plain));
}

#[test]
fn each_field_has_its_class() {
    check_edit("MEMORY=512", "MEMORY=1G", "MEMORY", ChangeClass::Hotplug);
    check_edit("", "SWAP=0", "SWAP", ChangeClass::Hotplug);
    check_edit("", "CORES=2", "CORES", ChangeClass::Live);
    check_edit("", "CPULIMIT=0.50", "CPULIMIT", ChangeClass::Hotplug);
    check_edit("", "CPUUNITS=200", "CPUUNITS", ChangeClass::Hotplug);
    check_edit("", "HOSTNAME=www", "HOSTNAME", ChangeClass::Live);
    check_edit("", "BOOT=no", "BOOT", ChangeClass::Live);
    check_edit("", "PROTECTION=yes", "PROTECTION", ChangeClass::Live);
    check_edit("", "STARTUP=up=5,order=2", "STARTUP", ChangeClass::Live);
    check_edit("TAGS=blue", "TAGS=Red,blue", "TAGS", ChangeClass::Live);
    check_edit("the web", "the site", "DESCRIPTION", ChangeClass::Live);
    check_edit(
        "",
        "FEATURES=nesting,keyctl,mount=nfs+cifs",
        "FEATURES",
        ChangeClass::NeedsReboot,
    );
    check_edit(
        "",
        "NAMESERVER=10.0.0.2,10.0.0.3",
        "NAMESERVER",
        ChangeClass::NeedsReboot,
    );
    check_edit(
        "",
        "SEARCHDOMAIN=lan",
        "SEARCHDOMAIN",
        ChangeClass::NeedsReboot,
    );
    check_edit("", "GATEWAY=10.0.0.2", "GATEWAY", ChangeClass::Hotplug);
    check_edit("", "GATEWAY=none", "GATEWAY", ChangeClass::Hotplug);
    check_edit("", "VLAN=7", "VLAN", ChangeClass::Hotplug);
    check_edit("", "BRIDGE=vmbr1", "BRIDGE", ChangeClass::Hotplug);
    check_edit("", "NIC=vmbr1:dhcp:vlan=3", "NIC", ChangeClass::Hotplug);
    check_edit("", "ROOTFS=local:9", "ROOTFS", ChangeClass::Resize);
    check_edit("", "ROOTFS=fast:8", "ROOTFS", ChangeClass::Move);
    check_edit(
        "local:1:/data",
        "local:2:/data",
        "MOUNT",
        ChangeClass::Resize,
    );
    check_edit(
        "local:1:/data",
        "local-lvm:1:/data",
        "MOUNT",
        ChangeClass::Move,
    );
    check_edit(
        "local:1:/data",
        "local:1:/data:nobackup",
        "MOUNT",
        ChangeClass::NeedsReboot,
    );
    check_edit(",fast:2:/cache:ro", "", "MOUNT", ChangeClass::NeedsReboot);
    check_edit(
        ",fast:2:/cache:ro",
        ",fast:2:/cache:ro,local:512M:/more",
        "MOUNT",
        ChangeClass::Hotplug,
    );
    check_edit(
        "",
        "DEVICE=/dev/ttyUSB0:mode=0660",
        "DEVICE",
        ChangeClass::Hotplug,
    );
    check_edit("", "NODE=pve2", "NODE", ChangeClass::Migrate);
    check_edit("", "POOL=lab", "POOL", ChangeClass::Live);
}

#[test]
fn keys_that_proxmox_never_sees_change_nothing() {
    for line in [
        "HEALTH=tcp:80",
        "HEALTH_TIMEOUT=5",
        "TERMINATE=true",
        "PROVISION_TIMEOUT=60",
        "TEMPLATE_STORAGE=fast",
    ] {
        let plan = planned(&web(&format!("{WEB}{line}\n")), &applied(&web(WEB)));
        assert!(plan.is_empty(), "{line}: {}", plan.to_text(Style::Plain));
    }
}

#[test]
fn a_new_address_reaches_the_layer_that_speaks_of_it() {
    let plan = planned(&web(&format!("{WEB}IP=10.0.0.9\n")), &applied(&web(WEB)));
    let keys: Vec<_> = changes(&plan).into_iter().map(|(key, ..)| key).collect();
    assert_eq!(keys, ["IP", "container-configuration"]);
}

#[test]
fn memory_and_swap_go_in_one_call() {
    let plan = planned(
        &web(&WEB.replace("MEMORY=512", "MEMORY=1G\nSWAP=1G")),
        &applied(&web(WEB)),
    );
    let set: Vec<_> = plan.containers[0]
        .default
        .iter()
        .filter_map(|action| match action {
            Action::Configure { set, delete } => Some((format!("{set:?}"), delete.len())),
            _ => None,
        })
        .collect();
    assert_eq!(
        set,
        [(r#"{"memory": "1024", "swap": "1024"}"#.to_owned(), 0)]
    );
}

#[test]
fn a_new_container_is_created_whole() {
    let tree = web(&format!(
        "{WEB}FEATURES=nesting\nSTARTUP=3\nNIC=vmbr1:10.1.0.5/24\nPOOL=lab\n"
    ));
    let plan = planned(&tree, &empty());
    let Action::Create { parameters, .. } = &plan.containers[0].default[0] else {
        panic!("{plan:?}")
    };
    let mut parameters = parameters.clone();
    let notes = parameters.remove("description").unwrap();
    assert!(notes.starts_with("the web\n\n<!-- proxmox-ci {\"version\":1,\"fleet\":\"fleet-0123456789\",\"container\":\"web\""), "{notes}");
    insta::assert_json_snapshot!("create", parameters);
    insta::assert_snapshot!("create-text", without_hashes(&plan));
}

#[test]
fn the_edit_of_a_file_is_one_step_of_one_layer() {
    let observed = applied(&web(WEB));
    let script = web(WEB).with_input("containers/web/apply.sh", "echo more\n", true);
    assert_eq!(
        changes(&planned(&script, &observed)),
        [(
            "container-configuration".to_owned(),
            "script".to_owned(),
            ChangeClass::Layer,
            Cause::Edit
        )]
    );
    let base = web(WEB).with_input("default/roles/setup/tasks/main.yml", "[]\n", false);
    assert_eq!(
        changes(&planned(&base, &observed)),
        [(
            "container-default".to_owned(),
            "default".to_owned(),
            ChangeClass::Layer,
            Cause::Edit
        )]
    );
}

#[test]
fn another_hand_is_called_drift() {
    let mut observed = applied(&web(WEB));
    let config = observed
        .guests
        .get_mut(&vmid(101))
        .unwrap()
        .config
        .as_mut()
        .unwrap();
    config.values.insert("cores".to_owned(), "4".to_owned());
    config.values.insert(
        "net1".to_owned(),
        "name=eth1,bridge=vmbr9,ip=dhcp".to_owned(),
    );
    config
        .values
        .insert("tags".to_owned(), "proxmox-ci;green".to_owned());
    let plan = planned(&web(&WEB.replace("MEMORY=512", "MEMORY=768")), &observed);
    let found: Vec<_> = changes(&plan)
        .into_iter()
        .map(|(key, _, _, cause)| (key, cause))
        .collect();
    let expected = [
        ("CORES", Cause::Drift),
        ("MEMORY", Cause::Edit),
        ("TAGS", Cause::Drift),
        ("NIC", Cause::Drift),
    ];
    assert_eq!(found, expected.map(|(key, cause)| (key.to_owned(), cause)));
    insta::assert_snapshot!("drift-text", without_hashes(&plan));
}

#[test]
fn a_stopped_container_is_started() {
    let mut observed = applied(&web(WEB));
    observed.guests.get_mut(&vmid(101)).unwrap().status = Status::Stopped;
    let plan = planned(&web(WEB), &observed);
    assert_eq!(changes(&plan)[0].2, ChangeClass::Start);
    apply(&plan, &mut observed);
    assert!(planned(&web(WEB), &observed).is_empty());
}

#[test]
fn what_waits_for_a_restart_is_said_and_is_no_change() {
    let edited = web(&format!("{WEB}NAMESERVER=10.0.0.2\n"));
    let mut observed = applied(&web(WEB));
    apply(&planned(&edited, &observed), &mut observed);
    let plan = planned(&edited, &observed);
    assert!(plan.is_empty());
    assert_eq!(plan.notices[0].code, "waiting-for-restart");

    let allowed = FLEET.to_owned() + "[policies]\nreboot = \"allow\"\n";
    let edited = tree(&[
        ("fleet.toml", &allowed),
        (
            "containers/web/config.env",
            &format!("{WEB}NAMESERVER=10.0.0.2\n"),
        ),
    ])
    .with_input("containers/web/apply.sh", "echo $CONTAINER_IP\n", true);
    let plan = planned(&edited, &observed);
    apply(&plan, &mut observed);
    assert!(
        observed.guests[&vmid(101)]
            .config
            .as_ref()
            .unwrap()
            .pending
            .is_empty(),
        "it was restarted"
    );
    assert!(planned(&edited, &observed).is_empty());
}

#[test]
fn hashes_of_a_later_layer_outlive_the_earlier_one() {
    let tree = web(WEB);
    let mut observed = empty();
    let before = planned(&tree, &observed);
    let mut only_default = before.clone();
    only_default.containers[0].configuration.clear();
    apply(&only_default, &mut observed);
    let after = planned(&tree, &observed);
    assert_eq!(
        before.hash(Layer::Configuration),
        after.hash(Layer::Configuration)
    );
    assert_ne!(before.hash(Layer::Default), after.hash(Layer::Default));
    let edited = web(WEB).with_input("containers/web/apply.sh", "echo more\n", true);
    assert_ne!(
        planned(&edited, &observed).hash(Layer::Configuration),
        after.hash(Layer::Configuration)
    );
}

#[test]
fn a_secret_enters_the_fingerprint_keyed_and_the_plan_not_at_all() {
    let with = |key: &str, secret: &str| {
        let secrets = format!("FINGERPRINT_KEY={key}\nDB_PASSWORD={secret}\n");
        let tree = tree(&[
            ("containers/web/config.env", "ID=101\nSECRETS=DB_PASSWORD\n"),
            ("secrets.local.env", &secrets),
        ])
        .with_input("containers/web/apply.sh", "", true);
        planned(&tree, &empty())
    };
    let plan = with("one", "canary");
    assert_eq!(
        plan.hash(Layer::Configuration),
        with("one", "canary").hash(Layer::Configuration)
    );
    assert_ne!(
        plan.hash(Layer::Configuration),
        with("one", "other").hash(Layer::Configuration)
    );
    assert_ne!(
        plan.hash(Layer::Configuration),
        with("two", "canary").hash(Layer::Configuration)
    );
    for text in [
        plan.to_text(Style::Plain),
        plan.to_json().to_string(),
        plan.to_markdown(),
        format!("{plan:?}"),
    ] {
        assert!(!text.contains("canary"), "{text}");
    }
}
