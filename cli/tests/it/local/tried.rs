//! A container tried, tried again, interrupted, killed, taken away.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Output},
    thread,
    time::Duration,
};

use insta::assert_snapshot;
use tempfile::TempDir;

use super::daemon::{self, Daemon};
use crate::support::{
    aligned, among_stand_ins, fits, is_seconds, plain, program, proxmox_ci, told,
};

/// A daemon and a fleet.
struct Scene {
    daemon: Daemon,
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        daemon::fleet(&folder.path().join("fleet"));
        Self {
            daemon: Daemon::start(),
            folder,
        }
    }

    fn fleet(&self) -> PathBuf {
        self.folder.path().join("fleet")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = proxmox_ci(&[&["local", "web"], args].concat());
        self.prepare(&mut command);
        command
    }

    fn prepare(&self, command: &mut Command) {
        among_stand_ins(command)
            .env("GUESTS", self.folder.path().join("guests"))
            .env("PROXMOX_CI_FLEET", self.fleet())
            .env("DOCKER_HOST", self.daemon.address());
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// The words of a run, in which nothing differs from time to time.
    fn told(&self, output: &Output) -> String {
        fits(&told(output), 80);
        let text = told(output).replace(&self.fleet().display().to_string(), "FLEET");
        text.lines().map(|line| masked(line) + "\n").collect()
    }

    /// Nothing is left but what was there before.
    #[track_caller]
    fn is_as_before(&self) {
        let images = vec!["debian:12".to_owned()];
        assert_eq!(self.daemon.has(), (vec![], images));
        assert!(!self.fleet().join(".proxmox-ci").exists());
    }

    /// Sends a signal in the middle of a build.
    fn signalled(&self, signal: &str) -> Output {
        let begun = self.daemon.builds_without_end();
        drop(fs::remove_file(&begun));
        let mut child = self.command(&[]).spawn().unwrap();
        while !begun.exists() {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended before it built: {ended:?}");
            thread::park_timeout(Duration::from_millis(10));
        }
        let pid = child.id().to_string();
        let sent = program("kill").args([signal, &pid]).status();
        assert!(sent.unwrap().success());
        child.wait_with_output().unwrap()
    }
}

/// A port of loopback that nobody has.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A line without times and ports.
fn masked(line: &str) -> String {
    let words = line.trim_end().split(' ').map(|word| {
        let bare = word.trim_matches(|edge: char| !edge.is_ascii_alphanumeric());
        match word.strip_prefix("127.0.0.1:") {
            Some(_) => "127.0.0.1:PORT".to_owned(),
            None if is_seconds(bare) => word.replace(bare, "TIME"),
            None => word.to_owned(),
        }
    });
    aligned(&words.collect::<Vec<_>>().join(" "))
}

#[test]
fn a_run_a_second_one_and_the_removal_are_told() {
    let scene = Scene::new();
    let port = format!("{}:80", free_port());
    let run = ["--keep", "--port", &port];
    let first = scene.run(&run);
    assert_snapshot!("first", scene.told(&first));
    let second = scene.run(&run);
    assert_snapshot!("second", scene.told(&second));
    let coloured = scene.run(&[&run[..], &["--color=always"]].concat());
    assert_eq!(plain(&scene.told(&coloured)), scene.told(&second));
    let report = scene.run(&[&run[..], &["--json"]].concat());
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(
        (&report["version"], &report["systemd"]),
        (&1.into(), &false.into())
    );
    assert_snapshot!("removed", scene.told(&scene.run(&["--remove"])));
    scene.is_as_before();
}

#[test]
fn without_keep_nothing_is_left() {
    let scene = Scene::new();
    let output = scene.run(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    scene.is_as_before();
}

#[test]
fn an_interruption_in_the_middle_of_a_build_leaves_nothing() {
    let scene = Scene::new();
    for signal in ["-INT", "-TERM"] {
        let output = scene.signalled(signal);
        assert_eq!(output.status.code(), Some(130), "{}", told(&output));
        assert_snapshot!("interrupted", scene.told(&output));
        scene.is_as_before();
    }
}

#[test]
fn after_a_kill_the_next_run_goes_on() {
    let scene = Scene::new();
    let killed = scene.signalled("-KILL");
    assert_eq!(killed.status.code(), None);
    scene.daemon.builds();
    let output = scene.run(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    scene.is_as_before();
}

#[test]
fn a_port_that_is_taken_is_named_before_anything_is_touched() {
    let scene = Scene::new();
    let kept = scene.run(&["--keep"]);
    assert_eq!(kept.status.code(), Some(0), "{}", told(&kept));
    let before = scene.daemon.has();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = scene.run(&["--keep", "--port", &format!("{port}:80")]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    let said = scene.told(&output).replace(&port.to_string(), "PORT");
    assert_snapshot!("port_in_use", said);
    assert_eq!(scene.daemon.has(), before);
}

#[test]
fn a_port_that_was_taken_meanwhile_is_named_and_nothing_is_left() {
    let scene = Scene::new();
    let port = free_port();
    let words = format!(
        "driver failed programming external connectivity: Bind for 127.0.0.1:{port} failed: port is already allocated"
    );
    scene.daemon.refuses_to_start(&words);
    let output = scene.run(&["--port", &format!("{port}:80")]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    let said = scene.told(&output);
    assert!(
        said.contains(&format!("error: the port {port} of this machine is in use")),
        "{said}"
    );
    scene.is_as_before();
}

#[test]
fn a_socket_that_may_not_be_used_is_named_with_the_way_out() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new();
    let socket = scene.daemon.socket();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o000)).unwrap();
    // Root may use it whatever its mode says, unless that is taken from it.
    let mut command = match rustix::process::geteuid().is_root() {
        true => {
            let mut command = program("setpriv");
            command.args(["--bounding-set=-dac_override,-dac_read_search"]);
            command.args([env!("CARGO_BIN_EXE_proxmox-ci"), "local", "web"]);
            command
        }
        false => proxmox_ci(&["local", "web"]),
    };
    scene.prepare(&mut command);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(77), "{}", told(&output));
    let said = scene
        .told(&output)
        .replace(&socket.display().to_string(), "SOCKET");
    assert_snapshot!("denied", said);
}
