//! A fleet with a control plane, on a node of memory guests: what runs inside runs on this machine.
//!
//! The control plane's address is one of loopback, so that the Git service and the runner that its
//! units start, real ones, are reached there.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU8, Ordering},
};

use gitea_api::{Auth, Client, tls::Trust};
use serde_json::Value;
use tempfile::TempDir;
use testkit::node::Node;

use crate::{
    scene::end_of,
    support::{node, proxmox_ci},
};

/// A secret that must turn up nowhere.
pub(crate) const CANARY: &str = "canary-5f1d-operator-secret";

/// How many worlds this process has made: each has an address of its own, all as long as each other.
static WORLDS: AtomicU8 = AtomicU8::new(10);

/// All that a bootstrap needs.
pub(crate) struct World {
    pub(crate) node: Node,
    pub(crate) folder: TempDir,
    net: String,
}

impl World {
    /// A node and a committed fleet, and a small clone that stands for the project's own.
    pub(crate) async fn new() -> Self {
        let number = WORLDS.fetch_add(1, Ordering::SeqCst);
        let process = 100 + std::process::id() % 128;
        let world = Self {
            node: node().await,
            // A path as long as on every machine: lines are folded where they are.
            folder: tempfile::tempdir_in("/tmp").unwrap(),
            net: format!("127.{process}.{number}"),
        };
        world.write_fleet();
        world.write_source();
        fs::create_dir(world.guests()).unwrap();
        world
    }

    fn write_fleet(&self) {
        let net = &self.net;
        let fleet = format!(
            "id = \"fleet-0123456789\"\n\n[defaults]\nnode = \"pve\"\nstorage = \"local\"\ntemplate = \"local:vztmpl/debian-12.tar.zst\"\n\n[network]\nsubnet = \"{net}.0/24\"\ngateway = \"{net}.1\"\nvmids = \"100-199\"\n"
        );
        self.write("fleet.toml", &fleet, 0o644);
        let control =
            format!("ID=100\nHOSTNAME=control\nIP={net}.100\nMEMORY=512\nSECRETS=OPERATOR\n");
        self.write("config.env", &control, 0o644);
        self.write("config/apply.sh", "#!/bin/sh\necho configured\n", 0o755);
        self.write("default/default.yml", "- hosts: all\n", 0o644);
        self.write(".gitignore", "*.local.*\n.proxmox-ci/\n", 0o644);
        let pipeline =
            "on: push\njobs:\n  a:\n    runs-on: proxmox-ci\n    steps:\n      - run: echo hello\n";
        self.write(".gitea/workflows/pipeline.yml", pipeline, 0o644);
        self.write(
            "secrets.local.env",
            &format!("FINGERPRINT_KEY=0123456789abcdef\nOPERATOR={CANARY}\n"),
            0o600,
        );
        self.write("token.local.txt", &self.node.root_token(), 0o600);
        let local = format!(
            "url = \"{}\"\nfingerprint = \"{}\"\ntoken_file = \"token.local.txt\"\n",
            self.node.url(),
            self.node.fingerprint()
        );
        self.write("fleet.local.toml", &local, 0o600);
        commit(&self.fleet());
    }

    fn write_source(&self) {
        fs::create_dir(self.source()).unwrap();
        fs::write(self.source().join("README.md"), "The project's own code.\n").unwrap();
        commit(&self.source());
        let program = format!(
            "#!/bin/sh\nexec {} \"$@\"\n",
            env!("CARGO_BIN_EXE_proxmox-ci")
        );
        let path = self.folder.path().join("program");
        fs::write(&path, program).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn fleet(&self) -> PathBuf {
        self.folder.path().join("fleet")
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    /// Where the guests' state is.
    pub(crate) fn guests(&self) -> PathBuf {
        self.folder.path().join("guests")
    }

    /// The control plane's root.
    pub(crate) fn root(&self) -> PathBuf {
        self.guests().join(format!("{}.100", self.net))
    }

    /// The first three numbers of its addresses.
    pub(crate) fn net(&self) -> String {
        self.net.clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}.100:3000", self.net)
    }

    pub(crate) fn write(&self, path: &str, text: &str, mode: u32) {
        let full = self.fleet().join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(&full, text).unwrap();
        fs::set_permissions(&full, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The bootstrap of this fleet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
        let (container, tools) = (here.join("container"), here.join("stand-ins"));
        let path = format!(
            "{}:{}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            container.display(),
            tools.display()
        );
        let source = self.source().display().to_string();
        let program = self.folder.path().join("program").display().to_string();
        let all = ["bootstrap", "--source", &source, "--program", &program];
        let mut command = proxmox_ci(&[&all[..], arguments].concat());
        command
            .env("PATH", path)
            .env("GUESTS", self.guests())
            .env("BOOTSTRAP_OF", self.folder.path())
            .env("PROXMOX_CI_FLEET", self.fleet())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    pub(crate) async fn bootstrap(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["--forge", "embedded"];
        all.extend(arguments);
        end_of(self.command(&all).spawn().unwrap()).await
    }

    /// The lines of both journals.
    pub(crate) fn journal(&self) -> Vec<Value> {
        let lines = ["bootstrap.jsonl", "journal.jsonl"].map(|name| {
            let text = fs::read_to_string(self.fleet().join(".proxmox-ci").join(name));
            text.unwrap_or_default()
        });
        let lines = lines.iter().flat_map(|text| text.lines());
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// The Git service, as its administrator.
    pub(crate) fn service(&self) -> Client {
        let token = fs::read_to_string(self.fleet().join("forge.local.token")).unwrap();
        let authority = self.fleet().join("forge.local.crt");
        Client::builder(self.url())
            .auth(Auth::token(token.trim()))
            .trust(Trust::CaFile(authority))
            .build()
            .unwrap()
    }

    /// What the node was asked that was no question.
    pub(crate) fn writes(&self) -> Vec<String> {
        let exchanges = self.node.journal().exchanges();
        let writes = exchanges.iter().filter(|it| it["method"] != "GET");
        writes
            .map(|it| format!("{} {}", it["method"], it["path"]))
            .collect()
    }

    /// The processes of this world that still run.
    fn units(&self) -> Vec<i32> {
        let listed = fs::read_dir(self.root().join("units"));
        let files = listed
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        files
            .filter(|path| path.extension().is_some_and(|it| it == "pid"))
            .filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok())
            .collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let these: Vec<String> = self.units().iter().map(ToString::to_string).collect();
        if !these.is_empty() {
            drop(run(
                "kill",
                &[&["-KILL".to_owned()], &these[..]].concat(),
                Path::new("/"),
            ));
        }
    }
}

/// Makes a folder a repository of one commit, or adds a commit.
pub(crate) fn commit(folder: &Path) {
    let script = "git init -q -b main . && git add -A && git -c user.name=a -c user.email=a@b.c -c commit.gpgsign=false commit -qm change";
    let done = run("sh", &["-c".to_owned(), script.to_owned()], folder);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests of the program start programs"
)]
pub(crate) fn run(program: &str, arguments: &[String], folder: &Path) -> Output {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}
