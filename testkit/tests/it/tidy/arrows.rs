//! Which crate may know which.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

use super::root;

fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command
        .no_deps()
        .other_options(vec!["--offline".to_owned()]);
    command.current_dir(root()).exec().unwrap()
}

/// `from → to` for every path dependency of one kind, sorted.
fn arrows(kind: DependencyKind) -> Vec<String> {
    let mut arrows: Vec<String> = (metadata().packages.iter())
        .flat_map(|package| {
            let ours = package
                .dependencies
                .iter()
                .filter(|to| to.path.is_some() && to.kind == kind);
            ours.map(|to| format!("{} → {}", package.name, to.name))
                .collect::<Vec<_>>()
        })
        .collect();
    arrows.sort();
    arrows.dedup();
    arrows
}

#[test]
fn the_arrows_between_crates_are_these() {
    insta::assert_snapshot!(arrows(DependencyKind::Normal).join("\n"), @r"
    cli → gitea-api
    cli → lxc-layers
    cli → proxmox-api
    cli → selfhost
    cli → testkit
    examples → gitea-api
    examples → lxc-layers
    examples → proxmox-api
    examples → testkit
    lxc-layers → proxmox-api
    selfhost → gitea-api
    selfhost → lxc-layers
    selfhost → proxmox-api
    ");
}

#[test]
fn only_testkit_is_known_to_tests() {
    for arrow in arrows(DependencyKind::Development) {
        assert!(arrow.ends_with("→ testkit"), "{arrow}");
    }
}

#[test]
fn the_program_links_no_wiremock() {
    let metadata = metadata();
    let cli = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == "cli")
        .unwrap();
    let testkit = cli
        .dependencies
        .iter()
        .find(|to| to.name == "testkit")
        .unwrap();
    assert!(
        !testkit.uses_default_features,
        "the default feature is wiremock"
    );
    assert_eq!(testkit.features, ["server", "sim"]);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for package in metadata().packages {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{}",
            package.name
        );
    }
}
