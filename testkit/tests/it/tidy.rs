//! The rules of this repository that a machine can hold, each a test.

mod arrows;
mod dependencies;
mod fixtures;
mod prose;
mod sources;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// A file that git tracks, with its text; files that are no UTF-8 are left out.
struct Tracked {
    path: String,
    text: String,
}

/// Every tracked text file outside of the fixtures, which are not ours to edit.
fn tracked() -> Vec<Tracked> {
    let listed = run(
        "git",
        &["ls-files", "--cached", "--others", "--exclude-standard"],
    );
    let ours = listed
        .lines()
        .filter(|path| !path.starts_with("testkit/fixtures/"));
    ours.filter_map(|path| {
        let text = fs::read_to_string(root().join(path)).ok()?;
        Some(Tracked {
            path: path.to_owned(),
            text,
        })
    })
    .collect()
}

/// The tracked Rust files.
fn rust_files() -> impl Iterator<Item = Tracked> {
    tracked()
        .into_iter()
        .filter(|file| file.path.ends_with(".rs"))
}

/// The Rust files of libraries and programs, without tests and examples.
fn product_files() -> impl Iterator<Item = Tracked> {
    rust_files().filter(|file| file.path.contains("/src/"))
}

/// Standard output of a program that must succeed at the root of the workspace.
#[expect(
    clippy::disallowed_methods,
    reason = "the rules are checked over what git and cargo say"
)]
fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Fails with everything that was found, a line each.
#[track_caller]
fn nothing(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}
