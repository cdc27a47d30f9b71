//! Our own disk is full: nothing is done that could not be written down before, and with room again
//! the next run continues.

use std::{fs, os::unix::fs::PermissionsExt as _};

use insta::assert_snapshot;

use crate::scene::{Scene, end_of};

/// Runs a program where the fleet's state folder is a file system of two pages: one for the lock, one
/// for the journal, which is full before the run ends.
const ON_A_FULL_DISK: &str = "\
#!/bin/sh
mount -t tmpfs -o size=8k tmpfs \"$PROXMOX_CI_FLEET/.proxmox-ci\" && exec \"$@\"
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_the_run_before_the_next_effect_and_the_next_run_continues() {
    let scene = Scene::new().await;
    fs::create_dir(scene.fleet().join(".proxmox-ci")).unwrap();
    let wrapper = scene.folder.path().join("full");
    fs::write(&wrapper, ON_A_FULL_DISK).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    let child = scene.within(
        &[
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            wrapper.to_str().unwrap(),
        ],
        &["apply", "--yes", "--quiet"],
    );
    let full = end_of({ child }.spawn().unwrap()).await;
    let told = scene.told(&full);
    let told = told.split("--- stderr\n").nth(1).unwrap();
    assert_eq!(full.status.code(), Some(73), "{}", scene.told(&full));
    assert_snapshot!("full_disk", told);
    let again = scene.run(&["apply", "--yes", "--quiet"]).await;
    assert_eq!(again.status.code(), Some(0), "{}", scene.told(&again));
    assert_eq!(scene.volumes().len(), 2);
    let plan = scene.run(&["plan", "--detailed-exitcode"]).await;
    assert_eq!(plan.status.code(), Some(0), "{}", scene.told(&plan));
}
