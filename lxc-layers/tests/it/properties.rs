//! Properties over generated fleets: applied once, nothing is left to do; one edit is one change.

use lxc_layers::diagnostic::Style;
use lxc_layers::plan::{Observed, Plan, plan};
use lxc_layers::spec::Tree;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::fleets::{desired, tree};
use crate::model::{apply, empty};

/// A container as lines of `config.env`, by key, and whether it has a script.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) lines: Vec<(&'static str, String)>,
    script: bool,
    waits: bool,
}

/// A key with a value that differs from every default.
fn line() -> impl Strategy<Value = (&'static str, String)> {
    let number = |key, least: u32, most: u32| {
        (least..most).prop_map(move |number| (key, number.to_string()))
    };
    let one = |key, values: Vec<&'static str>| {
        select(values).prop_map(move |value| (key, value.to_owned()))
    };
    prop_oneof![
        number("CORES", 2, 64),
        number("MEMORY", 513, 4096),
        (1u32..8).prop_map(|gib| ("MEMORY", format!("{gib}G"))),
        number("SWAP", 0, 512),
        number("CPUUNITS", 1, 10_000),
        (1u32..40).prop_map(|tenths| ("CPULIMIT", format!("{}.{}0", tenths / 10, tenths % 10))),
        (9u32..64).prop_map(|gib| ("ROOTFS", format!("local:{gib}"))),
        (9000u32..64_000).prop_map(|mib| ("ROOTFS", format!("{mib}M"))),
        one("BOOT", vec!["no", "false", "0"]),
        one("PROTECTION", vec!["yes", "on", "1"]),
        one(
            "STARTUP",
            vec!["1", "order=2,up=5", "down=3,up=4,order=9", "up=60"]
        ),
        one(
            "FEATURES",
            vec![
                "nesting=0",
                "keyctl,nesting",
                "nesting,fuse=1,mknod=0",
                "mount=nfs+cifs,nesting"
            ]
        ),
        one(
            "NAMESERVER",
            vec!["10.0.0.2", "10.0.0.3,10.0.0.2", "fd00::1"]
        ),
        one("SEARCHDOMAIN", vec!["lan", "b.lan,a.lan"]),
        one("GATEWAY", vec!["10.0.0.2", "none"]),
        one("BRIDGE", vec!["vmbr1", "lan"]),
        one(
            "NIC",
            vec!["vmbr1:dhcp", "vmbr1:10.9.0.4/16:vlan=7,vmbr2:manual"]
        ),
        one("POOL", vec!["lab", "staging"]),
        one(
            "DESCRIPTION",
            vec![
                "a word",
                "\"more = 'words' # here\"",
                "with <!-- a comment -->"
            ]
        ),
        one(
            "DEVICE",
            vec!["/dev/ttyUSB0", "/dev/fuse:mode=0660:gid=20,/dev/net/tun"]
        ),
        number("VLAN", 1, 4094),
        subsequence(vec!["Zeta", "alpha", "x.y", "a-b", "alpha2"], 1..5)
            .prop_shuffle()
            .prop_map(|tags| ("TAGS", tags.join(","))),
        subsequence(
            vec![
                "local:1:/a",
                "fast:512M:/b:ro",
                "/srv/x:/c:noacl",
                "local-lvm:3G:/d/:nobackup:quota"
            ],
            1..4
        )
        .prop_shuffle()
        .prop_map(|mounts| ("MOUNT", mounts.join(","))),
    ]
}

pub(crate) fn written() -> impl Strategy<Value = Written> {
    (vec(line(), 0..8), any::<bool>(), any::<bool>()).prop_map(|(mut lines, script, waits)| {
        // The first of each key: a key is written once.
        let mut seen = Vec::new();
        lines.retain(|(key, _)| {
            !seen.contains(key) && {
                seen.push(*key);
                true
            }
        });
        Written {
            lines,
            script,
            waits,
        }
    })
}

pub(crate) fn fleet_of(containers: &[Written]) -> Tree {
    let text = |number: usize, container: &Written| {
        let mut text = format!("ID={}\n", 110 + number);
        if container.waits && number > 0 {
            text += &format!("AFTER=c{}\n", number - 1);
        }
        container
            .lines
            .iter()
            .fold(text, |text, (key, value)| text + key + "=" + value + "\n")
    };
    let texts: Vec<(String, String)> = containers
        .iter()
        .enumerate()
        .map(|(number, container)| {
            (
                format!("containers/c{number}/config.env"),
                text(number, container),
            )
        })
        .collect();
    let texts: Vec<(&str, &str)> = texts
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let scripts = containers
        .iter()
        .enumerate()
        .filter(|(_, container)| container.script);
    scripts.fold(tree(&texts), |tree, (number, _)| {
        tree.with_input(
            &format!("containers/c{number}/apply.sh"),
            "echo done\n",
            true,
        )
    })
}

fn planned(containers: &[Written], observed: &Observed) -> Plan {
    plan(&desired(&fleet_of(containers)), observed)
}

/// What `after` says and `before` does not: the keys of one container.
fn edited(before: &Written, key: &'static str, value: &str) -> Written {
    let mut after = before.clone();
    after.lines.retain(|(known, _)| *known != key);
    after.lines.push((key, value.to_owned()));
    after
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn applied_once_nothing_is_left(containers in vec(written(), 1..6)) {
        let mut observed = empty();
        apply(&planned(&containers, &observed), &mut observed);
        let again = planned(&containers, &observed);
        prop_assert!(again.is_empty(), "{}", again.to_text(Style::Plain));
        prop_assert!(again.notices.is_empty());
    }

    #[test]
    fn one_edit_is_one_change(
        containers in vec(written(), 1..6),
        which in any::<prop::sample::Index>(),
        (key, value) in select(vec![
            ("CORES", "70"), ("MEMORY", "8191"), ("SWAP", "8191"), ("CPULIMIT", "7.5"), ("CPUUNITS", "10000"),
            ("ROOTFS", "local:100"), ("STARTUP", "order=77"), ("FEATURES", "nesting,keyctl,force_rw_sys"),
            ("NAMESERVER", "10.0.0.77"), ("SEARCHDOMAIN", "edited.lan"), ("GATEWAY", "10.0.0.77"),
            ("BRIDGE", "vmbr77"), ("VLAN", "4094"), ("POOL", "edited"), ("TAGS", "edited"), ("HOSTNAME", "edited"),
            ("DESCRIPTION", "edited"), ("IP", "10.0.0.77"),
        ]),
    ) {
        let mut observed = empty();
        apply(&planned(&containers, &observed), &mut observed);
        let which = which.index(containers.len());
        let mut after = containers.clone();
        after[which] = edited(&containers[which], key, value);
        let plan = planned(&after, &observed);
        let found: Vec<_> = plan.containers.iter().flat_map(|container| {
            container.changes.iter().map(|change| (container.name.to_string(), change.key.clone()))
        }).collect();
        prop_assert_eq!(found, [(format!("c{which}"), key.to_owned())], "{}", plan.to_text(Style::Plain));
        apply(&plan, &mut observed);
        let again = planned(&after, &observed);
        prop_assert!(again.is_empty(), "{}", again.to_text(Style::Plain));
    }
}
