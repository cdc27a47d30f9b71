//! Which of upstream's endpoints have a method, checked against the schemas of two versions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use gitea_api::api;
use gitea_api::request::Verb;
use serde_json::Value;

/// The endpoints of a schema, by path and method, with the word that groups them.
fn schema(file: &str) -> BTreeMap<(String, String), String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/fixtures/schemas");
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let endpoints = schema["endpoints"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    endpoints
        .iter()
        .map(|endpoint| {
            (
                (text(&endpoint["path"]), text(&endpoint["method"])),
                text(&endpoint["tag"]),
            )
        })
        .collect()
}

fn key(path: &str, verb: Verb) -> (String, String) {
    (path.to_owned(), verb.to_string())
}

#[test]
fn every_method_is_an_endpoint_of_the_newest_schema() {
    let newest = schema("gitea-api.json");
    let unknown: Vec<_> = api::coverage()
        .into_iter()
        .filter(|endpoint| !newest.contains_key(&key(&endpoint.path, endpoint.verb)))
        .map(|endpoint| format!("{} {}", endpoint.verb, endpoint.path))
        .collect();
    assert_eq!(unknown, Vec::<String>::new());
}

#[test]
fn what_is_beside_the_schema_is_in_no_schema() {
    let newest = schema("gitea-api.json");
    for endpoint in api::beside_the_schema() {
        assert!(
            !newest.contains_key(&key(&endpoint.path, endpoint.verb)),
            "{endpoint:?}"
        );
    }
}

#[test]
fn the_coverage_is_counted() {
    let mut table = String::new();
    for file in ["gitea-api-1.26.json", "gitea-api.json"] {
        let endpoints = schema(file);
        let covered: BTreeSet<_> = api::coverage()
            .iter()
            .map(|endpoint| key(&endpoint.path, endpoint.verb))
            .collect();
        let mut areas: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (endpoint, area) in &endpoints {
            let count = areas.entry(area).or_default();
            count.0 += usize::from(covered.contains(endpoint));
            count.1 += 1;
        }
        let have: usize = areas.values().map(|count| count.0).sum();
        writeln!(
            table,
            "{file}: {have} of {} endpoints have a method",
            endpoints.len()
        )
        .unwrap();
        for (area, (have, all)) in areas {
            writeln!(table, "  {area:<14}{have:>4} of {all:>3}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn the_endpoints_without_a_method_are_listed() {
    let covered: BTreeSet<_> = api::coverage()
        .iter()
        .map(|endpoint| key(&endpoint.path, endpoint.verb))
        .collect();
    let missing: Vec<_> = schema("gitea-api.json")
        .into_keys()
        .filter(|endpoint| !covered.contains(endpoint))
        .map(|(path, method)| format!("{method} {path}"))
        .collect();
    insta::assert_snapshot!(missing.join("\n"));
}
