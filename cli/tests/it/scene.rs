//! A node, a fleet and stand-ins for what runs inside guests, with the program in front of them.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;
use testkit::node::Node;

use crate::support::{aligned, among_stand_ins, is_seconds, node, proxmox_ci};

const FLEET: &str = "\
id = \"fleet-0123456789\"

[defaults]
node = \"pve\"
storage = \"local\"
template = \"local:vztmpl/debian-12.tar.zst\"

[network]
subnet = \"10.77.0.0/24\"
gateway = \"10.77.0.1\"
vmids = \"100-199\"
";

/// A secret that must turn up nowhere.
pub(crate) const CANARY: &str = "canary-81c2-secret";

/// All that a command needs.
pub(crate) struct Scene {
    pub(crate) node: Node,
    pub(crate) folder: TempDir,
}

impl Scene {
    /// A node and a fleet of two containers, `app` after `db`.
    pub(crate) async fn new() -> Self {
        let scene = Self {
            node: node().await,
            // A path as long as on every machine: lines are folded where they are.
            folder: tempfile::tempdir_in("/tmp").unwrap(),
        };
        scene.write("fleet.toml", FLEET, 0o644);
        scene.write("default/default.yml", "- hosts: all\n", 0o644);
        scene.write("containers/db/config.env", "ID=111\n", 0o644);
        let app = "ID=112\nAFTER=db\nHEALTH=tcp:80\nSECRETS=TOKEN\n";
        scene.write("containers/app/config.env", app, 0o644);
        scene.write("containers/app/apply.sh", "#!/bin/sh\necho app\n", 0o755);
        let secrets = format!("FINGERPRINT_KEY=0123456789abcdef\nTOKEN={CANARY}\n");
        scene.write("secrets.local.env", &secrets, 0o600);
        scene.write("token.local.txt", &scene.node.root_token(), 0o600);
        let local = format!(
            "url = \"{}\"\nfingerprint = \"{}\"\ntoken_file = \"token.local.txt\"\n",
            scene.node.url(),
            scene.node.fingerprint()
        );
        scene.write("fleet.local.toml", &local, 0o600);
        fs::create_dir(scene.guests()).unwrap();
        scene
    }

    pub(crate) fn fleet(&self) -> PathBuf {
        self.folder.path().join("fleet")
    }

    /// Where the guests' state is.
    pub(crate) fn guests(&self) -> PathBuf {
        self.folder.path().join("guests")
    }

    pub(crate) fn write(&self, path: &str, text: &str, mode: u32) {
        let full = self.fleet().join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(&full, text).unwrap();
        fs::set_permissions(&full, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The program on this fleet.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = proxmox_ci(args);
        self.prepare(&mut command);
        command
    }

    /// Gives a program the fleet, its guests and the stand-ins.
    fn prepare(&self, command: &mut Command) {
        among_stand_ins(command)
            .env("GUESTS", self.guests())
            .env("PROXMOX_CI_FLEET", self.fleet());
    }

    /// The program on this fleet, started by another program.
    pub(crate) fn within(&self, outer: &[&str], args: &[&str]) -> Command {
        let mut command = crate::support::program(outer[0]);
        command
            .args(&outer[1..])
            .arg(env!("CARGO_BIN_EXE_proxmox-ci"));
        command.args(args);
        self.prepare(&mut command);
        command
    }

    /// What the node itself says, asked past every network.
    pub(crate) fn ask(&self, method: &str, path: &str, form: &str) -> Value {
        let reply = self.node.ask(method, path, form);
        assert_eq!(reply.status, 200, "{method} {path}: {}", reply.reason);
        let answer: Value = serde_json::from_slice(&reply.body).unwrap();
        answer["data"].clone()
    }

    /// The volumes of all guests, by name.
    pub(crate) fn volumes(&self) -> Vec<String> {
        let rows = self.ask(
            "GET",
            "/nodes/pve/storage/local/content?content=rootdir",
            "",
        );
        let name = |row: &Value| row["volid"].as_str().unwrap().to_owned();
        let mut names: Vec<String> = rows.as_array().unwrap().iter().map(name).collect();
        names.sort();
        names
    }

    /// A token whose time is over, as its file holds it.
    pub(crate) fn expired_token(&self) -> String {
        let made = self.ask(
            "POST",
            "/access/users/root@pam/token/old",
            "expire=1&privsep=0",
        );
        format!("root@pam!old={}\n", made["value"].as_str().unwrap())
    }

    /// The program on another checkout of this fleet, as on another machine.
    pub(crate) fn elsewhere(&self, args: &[&str]) -> Command {
        let copy = self.folder.path().join("elsewhere");
        if !copy.exists() {
            copy_tree(&self.fleet(), &copy);
        }
        let mut command = self.command(args);
        command.env("PROXMOX_CI_FLEET", copy);
        command
    }

    /// Runs it to its end, without holding up the node that runs beside.
    pub(crate) async fn run(&self, args: &[&str]) -> Output {
        let child = self.command(args).spawn().unwrap();
        end_of(child).await
    }

    /// The run journal, line by line.
    pub(crate) fn journal(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.fleet().join(".proxmox-ci/journal.jsonl"));
        text.unwrap_or_default()
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// What ran in a guest, step by step.
    pub(crate) fn ran(&self, address: &str) -> Vec<String> {
        let text = fs::read_to_string(self.guests().join(address).join("ran"));
        text.unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// What is said, with what differs from run to run made the same.
    pub(crate) fn told(&self, output: &Output) -> String {
        let text = crate::support::told(output);
        let text = text
            .replace(&self.fleet().display().to_string(), "FLEET")
            .replace(self.node.url(), "URL")
            .replace(self.node.fingerprint(), "FINGERPRINT");
        text.lines()
            .map(|line| masked(line).trim_end().to_owned() + "\n")
            .collect()
    }
}

/// Copies a fleet, without what only one machine has.
fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true if entry.file_name() == ".proxmox-ci" => {}
            true => copy_tree(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// The line without times, run names and hashes.
fn masked(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let bare = word.trim_matches(|edge: char| !edge.is_ascii_alphanumeric());
        let is_hash = bare.len() == 64 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_run = bare.len() == 21 && bare.contains("Z-");
        match (is_hash, is_run, is_seconds(bare)) {
            (true, _, _) => word.replace(bare, "HASH"),
            (_, true, _) => word.replace(bare, "RUN"),
            (_, _, true) => word.replace(bare, "TIME"),
            _ => word.to_owned(),
        }
    });
    aligned(&words.collect::<Vec<_>>().join(" "))
}

/// Waits for a program in a thread of its own.
pub(crate) async fn end_of(child: Child) -> Output {
    tokio::task::spawn_blocking(move || child.wait_with_output())
        .await
        .unwrap()
        .unwrap()
}
