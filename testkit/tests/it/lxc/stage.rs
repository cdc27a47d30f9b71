//! A machine with guests on it for one test, which is put back even when the test fails.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use testkit::guests::{GuestSpec, Guests, HostNetwork, LxcGuests, Secret, TaskLog};
use testkit::process::Program;

use super::template;

pub(crate) const PASSWORD: &str = "not for the log";

/// Guests, where they are, and what they said.
pub(crate) struct Stage {
    pub(crate) guests: LxcGuests,
    pub(crate) network: HostNetwork,
    pub(crate) log: TaskLog,
    template: PathBuf,
    folder: TempDir,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Stage {
    /// Makes this machine ready; `None`, said aloud, where it cannot hold containers.
    pub(crate) async fn set() -> Option<Self> {
        if let Some(missing) = LxcGuests::missing() {
            let _ = writeln!(std::io::stderr(), "NOT TESTED on this machine: {missing}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let template = template::make(&folder.path().join("polite"), Some(template::POLITE)).await;
        let guests = LxcGuests::new(folder.path().join("data"));
        let network = guests.prepare().await.unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let log = TaskLog::new(move |line| sink.lock().unwrap().push(line.to_owned()));
        Some(Self {
            guests,
            network,
            log,
            template,
            folder,
            lines,
        })
    }

    /// A guest with an address and these keys.
    pub(crate) fn guest(&self, vmid: u32, more: &[(&str, &str)]) -> GuestSpec {
        let net0 = format!(
            "name=eth0,bridge=vmbr0,gw={},ip={}/24",
            self.network.gateway,
            self.address(vmid)
        );
        let mut config = BTreeMap::from([("net0".to_owned(), net0)]);
        config.extend(
            more.iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        GuestSpec {
            vmid,
            node: "pve1".to_owned(),
            config,
            template: Some(self.template.clone()),
            password: Some(Secret::new(PASSWORD)),
            ssh_public_keys: Some("ssh-ed25519 AAAA test".to_owned()),
        }
    }

    /// A guest whose init ignores a shutdown.
    pub(crate) async fn deaf_guest(&self, vmid: u32) -> GuestSpec {
        let template = template::make(&self.folder("deaf"), Some(template::DEAF)).await;
        GuestSpec {
            template: Some(template),
            ..self.guest(vmid, &[])
        }
    }

    /// A guest without an init.
    pub(crate) async fn lifeless_guest(&self, vmid: u32) -> GuestSpec {
        let template = template::make(&self.folder("lifeless"), None).await;
        GuestSpec {
            template: Some(template),
            ..self.guest(vmid, &[])
        }
    }

    /// The address of a guest.
    pub(crate) fn address(&self, vmid: u32) -> String {
        let [a, b, c, _] = self.network.gateway.octets();
        format!("{a}.{b}.{c}.{}", vmid % 200)
    }

    /// A folder of this test.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the guests wrote to the task log.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// A file in a guest.
    pub(crate) fn read(&self, vmid: u32, path: &str) -> String {
        let name = format!("{}-{vmid}", self.network.bridge);
        fs::read_to_string(
            self.data()
                .join("guests")
                .join(name)
                .join("rootfs")
                .join(path),
        )
        .unwrap()
    }

    /// What a script says when it runs in a guest.
    pub(crate) async fn inside(&self, vmid: u32, script: &str) -> String {
        let (folder, name) = (
            format!("/run/{}", self.network.bridge),
            format!("{}-{vmid}", self.network.bridge),
        );
        let attach =
            Program::new("lxc-attach").args(["-P", &folder, "-n", &name, "--", "/bin/sh", "-c"]);
        let said = attach.arg(script).checked().await.unwrap();
        String::from_utf8(said).unwrap().trim().to_owned()
    }

    /// Sees that an address answers on the network.
    pub(crate) async fn answers(&self, address: &str) {
        // A refused connection is an answer: nothing listens there, and the guest says so.
        let connecting = tokio::net::TcpStream::connect((address, 9));
        let answer = tokio::time::timeout(Duration::from_secs(60), connecting)
            .await
            .unwrap();
        assert_eq!(
            answer.unwrap_err().kind(),
            std::io::ErrorKind::ConnectionRefused
        );
    }

    /// Ends the run as a kill would, without any cleaning, and begins another in its folder.
    pub(crate) async fn kill_and_restart(&mut self) {
        let nowhere = LxcGuests::new(self.folder.path().join("nowhere"));
        drop(std::mem::replace(&mut self.guests, nowhere));
        self.guests = LxcGuests::new(self.data());
        self.network = self.guests.prepare().await.unwrap();
    }

    /// Puts the machine back and sees that nothing is left on it.
    pub(crate) async fn clear(self) {
        self.guests.undo().await.unwrap();
        assert_eq!(traces(&self.network.bridge), Vec::<String>::new());
        assert!(!self.data().join("guests").exists());
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let data = self.data();
        if !data.join("guests").exists() {
            return;
        }
        // The test failed. What it left is cleaned up as after a kill.
        let nowhere = LxcGuests::new(self.folder.path().join("nowhere"));
        drop(std::mem::replace(&mut self.guests, nowhere));
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let guests = LxcGuests::new(data);
                guests.prepare().await.and(guests.undo().await)
            })
        });
        let _ = writeln!(std::io::stderr(), "cleaned up: {:?}", cleaning.join());
    }
}

/// Everything on this machine that bears the id of a run.
pub(crate) fn traces(run: &str) -> Vec<String> {
    let mut found = Vec::new();
    for folder in [
        "/run",
        "/run/lock/lxc/run",
        "/run/lxc/lock/run",
        "/sys/class/net",
        "/run/proxmox-ci-nodes",
    ] {
        look(Path::new(folder), run, 0, &mut found);
    }
    look(Path::new("/sys/fs/cgroup"), run, 2, &mut found);
    for file in ["/proc/self/mounts", "/etc/subuid", "/etc/subgid"] {
        let text = fs::read_to_string(file).unwrap_or_default();
        found.extend(
            text.lines()
                .filter(|line| line.contains(run))
                .map(str::to_owned),
        );
    }
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(run) {
            found.push(line);
        }
    }
    found
}

fn look(folder: &Path, run: &str, depth: u32, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().contains(run) {
            found.push(entry.path().display().to_string());
        } else if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            look(&entry.path(), run, depth - 1, found);
        }
    }
}
