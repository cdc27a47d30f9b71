//! `local` without a daemon and with one that carries nothing out: what it says, and how it ends.
//! With a real one it is tried by `examples/local.sh`.

mod daemon;
mod tried;

use std::{fs, path::Path};

use insta::assert_snapshot;

use crate::support::{fits, proxmox_ci, told};

fn fleet() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/fleet")
        .display()
        .to_string()
}

#[track_caller]
fn run(args: &[&str], docker_host: &str) -> (Option<i32>, String) {
    let fleet = fleet();
    let mut all = vec!["local"];
    all.extend_from_slice(args);
    all.extend(["--fleet", &fleet]);
    let output = proxmox_ci(&all)
        .env("DOCKER_HOST", docker_host)
        .output()
        .unwrap();
    fits(&told(&output), 80);
    (output.status.code(), told(&output))
}

#[test]
fn without_a_daemon_it_says_where_it_looked_and_what_to_do() {
    let (code, told) = run(&["web"], "unix:///nowhere/docker.sock");
    assert_eq!(code, Some(69));
    assert_snapshot!("no_daemon", told);
}

#[test]
fn a_daemon_that_is_no_unix_socket_is_a_wrong_setting() {
    let (code, told) = run(&["web"], "tcp://10.0.0.1:2375");
    assert_eq!(code, Some(78));
    assert_snapshot!("no_unix_socket", told);
}

#[test]
fn a_socket_that_speaks_another_language_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let served = std::thread::spawn(move || {
        // The knock, and the question that is not answered.
        for stream in listener.incoming().take(2) {
            drop(stream);
        }
    });
    let (code, told) = run(&["web"], &format!("unix://{}", socket.display()));
    served.join().unwrap();
    assert_eq!(code, Some(69), "{told}");
    assert!(told.contains("does not answer"), "{told}");
}

#[test]
fn what_cannot_be_had_in_docker_is_said_without_asking_a_daemon() {
    let args = ["app", "--layer", "container-init"];
    let (code, told) = run(&args, "unix:///nowhere/docker.sock");
    assert_eq!(code, Some(0));
    assert_snapshot!("left_out", told);
}

#[test]
fn the_example_has_the_files_that_a_new_fleet_gets() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("fleet");
    let output = proxmox_ci(&["init", &made.display().to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    for file in ["local/Dockerfile", "local/run.sh"] {
        let ours = fs::read_to_string(made.join(file)).unwrap();
        let example = fs::read_to_string(Path::new(&fleet()).join(file)).unwrap();
        assert_eq!(ours, example, "{file}");
    }
}
