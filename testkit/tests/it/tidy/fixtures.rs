//! The fixtures are copies: where the originals lie beside the clone, they must be equal.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{nothing, root};

/// Relative path → content of every file below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(
                    path.strip_prefix(folder).unwrap().to_owned(),
                    fs::read(&path).unwrap(),
                );
            }
        }
    }
    found.retain(|path, _| {
        !path
            .components()
            .any(|part| part.as_os_str() == "__pycache__")
    });
    found
}

#[test]
fn the_copies_equal_the_originals() {
    let shared = root().join("../shared");
    for name in ["golden", "schemas"] {
        let original = shared.join(name);
        // A clone elsewhere has no originals; then the copies are all there is, and must be there.
        let copies = files(&root().join("testkit/fixtures").join(name));
        assert!(!copies.is_empty(), "testkit/fixtures/{name} is empty");
        if original.is_dir() {
            nothing(
                "differs from its original",
                &differences(&files(&original), &copies),
            );
        }
    }
}

fn differences(
    originals: &BTreeMap<PathBuf, Vec<u8>>,
    copies: &BTreeMap<PathBuf, Vec<u8>>,
) -> Vec<String> {
    let both = originals.keys().chain(copies.keys());
    let mut different: Vec<String> = both
        .filter(|path| originals.get(*path) != copies.get(*path))
        .map(|path| path.display().to_string())
        .collect();
    different.sort();
    different.dedup();
    different
}

#[test]
fn a_changed_missing_or_additional_copy_is_a_difference() {
    let originals = BTreeMap::from([("a".into(), vec![1]), ("b".into(), vec![2])]);
    let copies = BTreeMap::from([("a".into(), vec![9]), ("c".into(), vec![3])]);
    assert_eq!(differences(&originals, &copies), ["a", "b", "c"]);
}
