//! Licences and sources of everything that we build on.

use cargo_metadata::{MetadataCommand, Package};

use super::{nothing, root, run};

/// What `deny.toml` allows too; a choice of several is fine when one of them is here.
const LICENCES: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "CDLA-Permissive-2.0",
    "MPL-2.0",
    "0BSD",
    "BSL-1.0",
    "CC0-1.0",
];

/// What this machine builds: crates for other platforms are not there to be asked.
fn foreign() -> Vec<Package> {
    let version = run("rustc", &["-vV"]);
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let options = ["--offline", "--filter-platform", host].map(str::to_owned);
    let metadata = MetadataCommand::new()
        .other_options(options)
        .current_dir(root())
        .exec()
        .unwrap();
    metadata
        .packages
        .into_iter()
        .filter(|package| package.source.is_some())
        .collect()
}

/// Whether an SPDX expression can be satisfied: every `AND` part has an allowed `OR` part.
fn allowed(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], "").replace('/', " OR ");
    flat.split(" AND ")
        .all(|part| part.split(" OR ").any(|one| LICENCES.contains(&one.trim())))
}

#[test]
fn every_dependency_has_a_licence_that_we_allow() {
    let refused: Vec<String> = (foreign().iter())
        .filter(|package| !package.license.as_deref().is_some_and(allowed))
        .map(|package| format!("{} {:?}", package.name, package.license))
        .collect();
    nothing("a licence that nobody allowed", &refused);
}

#[test]
fn every_dependency_comes_from_the_registry() {
    let strange: Vec<String> = (foreign().iter())
        .filter(|package| {
            !package
                .source
                .as_ref()
                .is_some_and(|source| source.is_crates_io())
        })
        .map(|package| format!("{} from {:?}", package.name, package.source))
        .collect();
    nothing("a source that is not the registry", &strange);
}

#[test]
fn tls_is_rustls_with_ring() {
    let banned = ["openssl", "openssl-sys", "native-tls", "aws-lc-sys"];
    let found: Vec<String> = (foreign().iter())
        .filter(|package| banned.contains(&package.name.as_str()))
        .map(|package| package.name.to_string())
        .collect();
    nothing("a second TLS library", &found);
}

#[test]
fn an_expression_is_allowed_by_its_parts() {
    assert!(allowed("MIT OR Apache-2.0") && allowed("Unlicense/MIT"));
    assert!(allowed("(MIT OR GPL-3.0) AND Unicode-3.0"));
    assert!(!allowed("AGPL-3.0") && !allowed("MIT AND GPL-3.0"));
}
