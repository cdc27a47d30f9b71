//! The example fleet: right, planned whole, explained.

use std::path::Path;

use lxc_layers::diagnostic::Style;
use lxc_layers::plan::{Plan, plan};
use lxc_layers::resolve::Desired;
use lxc_layers::spec::load;

use crate::fleets::{desired, problems};
use crate::model::{apply, empty};

fn fleet() -> Desired {
    let tree = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fleet")).unwrap();
    assert_eq!(problems(&tree), "");
    desired(&tree)
}

fn first_plan() -> Plan {
    let mut world = empty();
    world.nodes.remove("pve2");
    plan(&fleet(), &world)
}

/// Fingerprints and hashes change with every word of the example; their place does not.
fn redacted(text: &str) -> String {
    let is_hex = |word: &str| word.len() >= 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let word = |word: &str| {
        if is_hex(word.trim_matches('`')) {
            "[hash]".to_owned()
        } else {
            word.to_owned()
        }
    };
    let short = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(short).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_is_planned_whole_and_in_order() {
    let plan = first_plan();
    let names: Vec<_> = plan
        .containers
        .iter()
        .map(|container| container.name.to_string())
        .collect();
    assert_eq!(names, ["db", "app", "web", "metrics"]);
    insta::assert_snapshot!("example-text", redacted(&plan.to_text(Style::Plain)));
    for line in plan.to_text(Style::Plain).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn the_example_in_a_pull_request() {
    let text = redacted(&first_plan().to_markdown());
    let fingerprint = |line: &str| match line.split_once("→ ") {
        Some((before, after)) if line.starts_with("| layer") => {
            format!("{before}→ [{}", &after[8..])
        }
        _ => line.to_owned(),
    };
    insta::assert_snapshot!(
        "example-markdown",
        text.lines().map(fingerprint).collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn the_example_applied_leaves_nothing_to_do() {
    let mut world = empty();
    world.nodes.remove("pve2");
    apply(&plan(&fleet(), &world), &mut world);
    let after = plan(&fleet(), &world);
    assert!(after.is_empty(), "{}", after.to_text(Style::Plain));
}

#[test]
fn every_value_has_an_origin() {
    let fleet = fleet();
    let web = fleet.container("web").unwrap();
    let lines: Vec<String> = web
        .explained
        .iter()
        .map(|explained| {
            format!(
                "{:<18} {:<38} {}",
                explained.key.name(),
                explained.value,
                explained.origin
            )
        })
        .collect();
    insta::assert_snapshot!("explained", lines.join("\n"));
}
