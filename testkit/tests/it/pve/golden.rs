//! The golden stories, told to a node of each version by the replayer.

use std::path::Path;
use std::process::Command;

use testkit::node::NodeOptions;
use testkit::pve::{Setup, Version};

use super::client::node;

/// What the world reaches today; one step in 698 holds the fingerprint of the recorded server.
const FLOOR: &str = "99.6";

#[expect(
    clippy::disallowed_methods,
    reason = "the replayer is a program of its own"
)]
fn replay(version: Version) {
    let setup = Setup {
        version,
        ..Setup::default()
    };
    let (runtime, node) = node(NodeOptions {
        setup,
        ..NodeOptions::default()
    });
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden");
    let told = Command::new("python3")
        .arg(golden.join("replay.py"))
        .args([
            "--url",
            node.url(),
            "--version",
            version.release(),
            "--min",
            FLOOR,
            "--jobs",
            "8",
        ])
        .env("GOLDEN_ROOT_PASSWORD", node.root_password())
        .env("GOLDEN_ROOT_TOKEN", node.root_token())
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(
        told.status.success(),
        "{report}{}",
        String::from_utf8_lossy(&told.stderr)
    );
    runtime.block_on(node.stop()).unwrap();
}

#[test]
fn the_stories_of_8_4_are_told_as_they_were() {
    replay(Version::V8_4);
}

#[test]
fn the_stories_of_9_2_are_told_as_they_were() {
    replay(Version::V9_2);
}
