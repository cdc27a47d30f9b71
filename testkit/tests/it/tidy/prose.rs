//! What the texts must and must not hold.

use super::{nothing, rust_files, tracked};

#[test]
fn every_file_opens_by_saying_what_it_is() {
    let silent: Vec<String> = rust_files()
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| file.path)
        .collect();
    nothing("does not start with `//!`", &silent);
}

#[test]
fn nothing_is_left_open() {
    // In two halves, so that this file does not find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("#[ign", "ore"),
        concat!("```ign", "ore"),
    ];
    let mut found = Vec::new();
    for file in rust_files() {
        for (number, line) in file.text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    nothing("left open or switched off", &found);
}

#[test]
fn no_snapshot_waits_for_review() {
    let waiting: Vec<String> = tracked()
        .into_iter()
        .map(|file| file.path)
        .filter(|path| path.ends_with(".snap.new") || path.ends_with(".pending-snap"))
        .collect();
    nothing("a snapshot that nobody accepted", &waiting);
}

#[test]
fn no_registry_is_named_by_its_host() {
    let hosts = [
        concat!("deb.", "debian.org"),
        concat!("pypi", ".org"),
        concat!("pythonhosted", ".org"),
        concat!("registry.", "npmjs.org"),
        concat!("static.", "crates.io"),
        concat!("proxy.", "golang.org"),
    ];
    let found: Vec<String> = tracked()
        .into_iter()
        .filter(|file| file.path != "Cargo.lock")
        .filter(|file| hosts.iter().any(|host| file.text.contains(host)))
        .map(|file| file.path)
        .collect();
    nothing("names a registry's host", &found);
}

#[test]
fn the_changelog_has_a_place_for_what_comes() {
    let files = tracked();
    let changelog = files
        .iter()
        .find(|file| file.path == "CHANGELOG.md")
        .unwrap();
    assert!(changelog.text.contains("## Unreleased"));
}
