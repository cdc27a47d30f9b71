//! Every problem of the written form: its message as a person reads it.

use std::collections::BTreeSet;

use lxc_layers::resolve::resolve;
use lxc_layers::spec::Tree;

use crate::fleets::{FLEET, desired, problems, tree};

/// The problems of a tree, under a name; none of them may lack place or remedy.
#[track_caller]
fn check(name: &str, tree: &Tree) {
    let resolved = resolve(tree);
    assert!(!resolved.diagnostics.is_empty(), "{name}: nothing is wrong");
    for diagnostic in &resolved.diagnostics {
        assert!(diagnostic.span.is_some(), "{diagnostic}");
        assert!(diagnostic.help.is_some(), "{diagnostic}");
    }
    insta::assert_snapshot!(name, problems(tree).trim_end());
}

/// The problems of one container, `containers/web/config.env`.
#[track_caller]
fn check_env(name: &str, text: &str) {
    check(name, &tree(&[("containers/web/config.env", text)]));
}

/// The problems of one container in the rich form.
#[track_caller]
fn check_toml(name: &str, text: &str) {
    check(name, &tree(&[("containers/web/container.toml", text)]));
}

#[test]
fn a_right_fleet_has_no_problem() {
    let tree = tree(&[("containers/web/config.env", "ID=101\nMEMORY=1G\n")]);
    assert_eq!(problems(&tree), "");
    assert_eq!(desired(&tree).containers.len(), 1);
}

#[test]
fn keys() {
    check_env("unknown-key", "ID=101\nMEMROY=512\n");
    check_env("unknown-key-far", "ID=101\nCOLOUR=blue\n");
    check_env("duplicate-key", "ID=101\nCORES=1\nCORES=2\n");
    check_env("missing-id", "CORES=1\n");
    check_env("empty-value", "ID=101\nCORES=\n");
    check_env(
        "shared-and-mount",
        "ID=101\nSHARED=local:1:/data\nMOUNT=local:1:/other\n",
    );
    check_toml("unknown-key-toml", "id = 101\nmemroy = 512\n");
    check_toml(
        "unknown-part-toml",
        "id = 101\n[[mount]]\nstorage = \"local\"\nsise = 8\ntarget = \"/data\"\n",
    );
    check_toml(
        "not-yet-supported",
        "id = 101\nmount = [{ storage = \"local\", size = 8, target = \"/data\", idmap = \"u:0:0:1\" }]\n",
    );
}

#[test]
fn lines() {
    check_env("line-without-equals", "ID=101\nCORES 2\n");
    check_env("line-with-export", "export ID=101\n");
    check_env("line-with-blanks", "ID =101\nCORES= 2\n");
    check_env("line-with-open-quote", "ID=101\nDESCRIPTION=\"the web\n");
    check_env(
        "line-with-text-after-quote",
        "ID=101\nHOSTNAME=\"web\"server\n",
    );
    check_toml("not-toml", "id = 101\nhostname = web\n");
    check_toml("wrong-kind", "id = [101]\ntags = 7\n");
}

#[test]
fn values() {
    check_env(
        "bad-unit",
        "ID=101\nMEMORY=512MB\nSWAP=1 GB\nROOTFS=local:8X\n",
    );
    check_env(
        "bad-numbers",
        "ID=99\nCORES=0\nMEMORY=8\nVLAN=5000\nCPULIMIT=-1\n",
    );
    check_env(
        "bad-names",
        "ID=101\nHOSTNAME=Web_1\nBRIDGE=\"vm br0\"\nTAGS=a,b!\nNAMESERVER=dns\n",
    );
    check_env(
        "bad-words",
        "ID=101\nBOOT=maybe\nTERMINATE=never\nPROVISION=puppet\nHEALTH=https://web\n",
    );
    check_env("bad-address", "ID=101\nIP=10.0.0.300\nGATEWAY=router\n");
    check_env("dynamic-address", "ID=101\nIP=dhcp\n");
    check_env("privileged", "ID=101\nUNPRIVILEGED=no\n");
    check_env("bad-template", "ID=101\nTEMPLATE=local:debian-12.tar.zst\n");
    check_env(
        "template-without-checksum",
        "ID=101\nTEMPLATE=https://example.org/debian.tar.zst\n",
    );
    check_env(
        "template-with-bad-checksum",
        "ID=101\nTEMPLATE=https://example.org/debian.tar.zst#sha256=abc\n",
    );
    check_env("bad-startup", "ID=101\nSTARTUP=first,up=soon\n");
}

#[test]
fn lists() {
    check_env(
        "blank-in-list",
        "ID=101\nMOUNT=local:1:/data, /dev/ttyUSB0\n",
    );
    check_env("empty-item", "ID=101\nTAGS=a,,b\n");
}

#[test]
fn what_is_attached() {
    check_env("network-share", "ID=101\nMOUNT=media\n");
    check_env("mount-without-target", "ID=101\nMOUNT=/srv/data\n");
    check_env(
        "mount-forms",
        "ID=101\nMOUNT=local:8:data,local:8G:/a:fast,/srv/../etc:/b,/srv:/c:quota\n",
    );
    check_env(
        "duplicate-target",
        "ID=101\nMOUNT=local:1:/data,local:2:/data/\n",
    );
    check_env(
        "bad-device",
        "ID=101\nDEVICE=ttyUSB0,/dev/ttyUSB0:mode=rw\n",
    );
    check_env("bad-feature", "ID=101\nFEATURES=nesting=yes,mount,docker\n");
    check_env(
        "reserved-for-root",
        "ID=101\nMOUNT=/srv/data:/data\nDEVICE=/dev/fuse\nFEATURES=nesting,keyctl\n",
    );
    check_env(
        "bad-nic",
        "ID=101\nNIC=vmbr1,vmbr1:10.1.0.5,vmbr1:dhcp:mtu=9000\n",
    );
}

#[test]
fn names() {
    check_env("unknown-name", "ID=101\nDESCRIPTION=${GRETING}\nTAGS=${");
    check_env("bad-variable", "ID=101\nVARS=port=80,NOTHING\n");
    check_env(
        "variable-cycle",
        "ID=101\nVARS=A=${B},B=${A}\nDESCRIPTION=${A}\n",
    );
    check_env("unknown-secret", "ID=101\nSECRETS=DB_PASSWORD\n");
    check(
        "no-fingerprint-key",
        &tree(&[
            ("containers/web/config.env", "ID=101\nSECRETS=DB_PASSWORD\n"),
            ("secrets.local.env", "DB_PASSWORD=canary\n"),
        ]),
    );
    let secret = tree(&[
        (
            "containers/web/config.env",
            "ID=101\nDESCRIPTION=${DB_PASSWORD}\n",
        ),
        ("secrets.local.env", "DB_PASSWORD=canary\n"),
    ]);
    check("secret-in-field", &secret);
}

#[test]
fn several_containers() {
    let two = |one: &str, other: &str| {
        tree(&[
            ("containers/app/config.env", one),
            ("containers/db/config.env", other),
        ])
    };
    check(
        "duplicate-id",
        &two("ID=101\nIP=10.0.0.5\n", "ID=101\nIP=10.0.0.6\n"),
    );
    check(
        "duplicate-address",
        &two("ID=101\nIP=10.0.0.102\n", "ID=102\n"),
    );
    check(
        "address-of-the-gateway",
        &two("ID=101\nIP=10.0.0.1\n", "ID=102\n"),
    );
    check(
        "duplicate-hostname",
        &two("ID=101\nHOSTNAME=db\n", "ID=102\nHOSTNAME=db\n"),
    );
    check("outside-subnet", &two("ID=101\nIP=10.0.1.5\n", "ID=102\n"));
    check("outside-range", &two("ID=101\n", "ID=202\n"));
    check(
        "unknown-container",
        &two("ID=101\nAFTER=bd\n", "ID=102\nAFTER=cache\n"),
    );
    check("cycle", &two("ID=101\nAFTER=db\n", "ID=102\nAFTER=app\n"));
    check("waits-for-itself", &two("ID=101\nAFTER=app\n", "ID=102\n"));
    check(
        "duplicate-name",
        &tree(&[
            ("config.env", "ID=101\nHOSTNAME=web.lan\n"),
            ("containers/web/config.env", "ID=102\n"),
        ]),
    );
}

#[test]
fn layers() {
    check_env("missing-playbook", "ID=101\nPROVISION=ansible\n");
    check_env("missing-script", "ID=101\nPROVISION=script\n");
    check_env("missing-recipe", "ID=101\nRUN_LIST=web::nginx\n");
    let cookbook = tree(&[(
        "containers/web/config.env",
        "ID=101\nRUN_LIST=default,nginx,other::default\n",
    )])
    .with_input("containers/web/recipes/default.rb", "", false);
    check("missing-recipe-of-the-cookbook", &cookbook);
    let script = tree(&[("containers/web/config.env", "ID=101\n")]).with_input(
        "containers/web/apply.sh",
        "",
        false,
    );
    check("script-not-executable", &script);
    let mut no_base = tree(&[("containers/web/config.env", "ID=101\n")]);
    no_base.inputs.clear();
    check("missing-base-playbook", &no_base);
}

#[test]
fn the_fleet_itself() {
    check("no-fleet", &Tree::default());
    check(
        "fleet-without-id",
        &tree(&[("fleet.toml", "[defaults]\nnode = \"pve\"\n")]),
    );
    check(
        "fleet-with-bad-id",
        &tree(&[("fleet.toml", "id = \"Mine\"\n")]),
    );
    let wrong = "id = \"fleet-0123456789\"\nurl = \"https://pve:8006\"\n[default]\n[defaults]\nid = 100\nnodes = \"pve\"\n\
                 [network]\nsubnet = \"10.0.0.5/24\"\ngateway = \"router\"\nvmids = \"200-100\"\nmask = 24\n\
                 [policies]\nreboot = \"sometimes\"\n[vars]\ngreeting = \"hello\"\n";
    check(
        "fleet-with-all-that-is-wrong",
        &tree(&[("fleet.toml", wrong)]),
    );
    let outside = FLEET.replace("10.0.0.1\"", "10.0.9.1\"");
    check("gateway-outside-subnet", &tree(&[("fleet.toml", &outside)]));
    let number = "ID=100\nIP=10.0.0.5\n";
    let small = FLEET.replace("10.0.0.0/24", "10.0.0.0/28");
    check(
        "no-address-for-the-number",
        &tree(&[
            ("fleet.toml", &small),
            ("containers/web/config.env", "ID=150\n"),
        ]),
    );
    check(
        "folder-that-is-no-name",
        &tree(&[("containers/Web/config.env", number)]),
    );
    check(
        "two-forms",
        &tree(&[
            ("containers/web/config.env", number),
            ("containers/web/container.toml", "id = 100\n"),
        ]),
    );
    check(
        "no-definition",
        &tree(&[]).with_input("containers/web/apply.sh", "", true),
    );
    check(
        "control-plane-without-name",
        &tree(&[("config.env", "ID=100\n")]),
    );
    let mut unreadable = tree(&[]);
    unreadable.unreadable.insert(
        "containers/web/config.env".to_owned(),
        "is not UTF-8".to_owned(),
    );
    check("unreadable", &unreadable);
}

#[test]
fn what_the_fleet_says_for_all_is_told_once() {
    let wide = FLEET.replace("10.0.0.0/24", "10.0.0.0/33");
    check(
        "subnet-that-cannot-be-read",
        &tree(&[
            ("fleet.toml", &wide),
            ("containers/app/config.env", "ID=101\nIP=10.0.0.5\n"),
            ("containers/web/config.env", "ID=102\n"),
        ]),
    );
    check(
        "defaults-that-cannot-be-read",
        &tree(&[
            (
                "fleet.toml",
                "id = \"fleet-0123456789\"\n[defaults]\ntemplate = debian\n",
            ),
            ("containers/web/config.env", "CORES=1\n"),
        ]),
    );
    let pin = |lines: &str| tree(&[("fleet.toml", &format!("{FLEET}[program]\n{lines}"))]);
    check(
        "program-with-bad-values",
        &pin("version = \"v1\"\nsha256 = \"abc\"\nurl = \"https://x\"\n"),
    );
    check("program-without-checksum", &pin("version = \"0.3.1\"\n"));
    let sha256 = "AB".repeat(32);
    let pinned = desired(&pin(&format!(
        "version = \"0.3.1\"\nsha256 = \"{sha256}\"\n"
    )));
    let program = pinned.program.unwrap();
    assert_eq!(program.version, "0.3.1");
    assert_eq!(program.sha256, sha256.to_lowercase());
}

#[test]
fn files_that_stay_on_this_machine() {
    let secrets = [
        ("containers/web/config.env", "ID=101\n"),
        ("secrets.local.env", "db-password=canary\nEMPTY=\nno line\n"),
    ];
    check("bad-secrets", &tree(&secrets));
    let local = [(
        "fleet.local.toml",
        "url = \"https://pve:8006\"\ntoken = \"canary\"\ntoken_fil = \"t\"\nca_file = \"ca\"\nfingerprint = \"AA\"\n",
    )];
    check("bad-connection", &tree(&local));
    let mut open = tree(&[("secrets.local.env", "DB_PASSWORD=canary\n")]);
    open.texts.get_mut("secrets.local.env").unwrap().mode = 0o644;
    open.tracked = Some(BTreeSet::from([
        "fleet.toml".to_owned(),
        "secrets.local.env".to_owned(),
    ]));
    check("open-and-tracked", &open);
    for tree in [tree(&secrets), tree(&local), open] {
        assert!(!problems(&tree).contains("canary"), "a secret is shown");
        assert!(
            !format!("{tree:?}").contains("canary"),
            "a secret is in the debug form"
        );
    }
}

#[test]
fn all_problems_of_all_files_are_told_at_once() {
    let tree = tree(&[
        ("config.env", "ID=abc\nHOSTNAME=control\n"),
        ("containers/app/config.env", "ID=101\nMEMROY=1\nAFTER=bd\n"),
        (
            "containers/db/container.toml",
            "id = 102\nmemory = \"2 GB\"\n",
        ),
    ]);
    check("all-at-once", &tree);
    assert_eq!(resolve(&tree).diagnostics.len(), 4);
}
