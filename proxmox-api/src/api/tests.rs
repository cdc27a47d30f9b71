//! The list of calls against the schemas of the supported versions.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{COVERED, SINCE, SINCE_KEYS};
use crate::golden::fixtures;

/// Method and path → parameters, as the schema of a version has them.
fn schema(file: &str) -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(fixtures("schemas").join(file)).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let endpoints = schema["endpoints"].as_array().unwrap();
    endpoints
        .iter()
        .map(|endpoint| {
            let text = |key: &str| endpoint[key].as_str().unwrap().to_owned();
            let parameters = endpoint["parameters"]
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect();
            (format!("{} {}", text("method"), text("path")), parameters)
        })
        .collect()
}

#[track_caller]
fn check(file: &str, release: (u32, u32)) {
    let schema = schema(file);
    let mut invented = Vec::new();
    for endpoint in COVERED {
        let call = format!("{} {}", endpoint.method, endpoint.path);
        let Some(known) = schema.get(&call) else {
            invented.push(call);
            continue;
        };
        for parameter in endpoint.all_parameters().chain(endpoint.placeholders()) {
            let later = SINCE.iter().any(|since| {
                (since.path, since.parameter) == (endpoint.path, parameter)
                    && (since.major, since.minor) > release
            });
            if later == known.iter().any(|name| name == parameter) {
                invented.push(format!("{call}: {parameter}"));
            }
        }
    }
    assert!(invented.is_empty(), "not in {file}: {invented:#?}");
}

#[test]
fn no_call_and_no_parameter_is_invented() {
    check("pve-api-8.4.json", (8, 4));
    check("pve-api-9.1.json", (9, 1));
    check("pve-api.json", (9, 2));
}

#[test]
fn no_call_is_listed_twice() {
    let mut calls: Vec<String> = COVERED
        .iter()
        .map(|endpoint| format!("{} {}", endpoint.method, endpoint.path))
        .collect();
    let all = calls.len();
    calls.sort();
    calls.dedup();
    assert_eq!(calls.len(), all);
}

#[test]
fn parameters_of_a_family_are_known_by_its_name() {
    assert!(super::SET_CONFIG.takes("net0") && super::SET_CONFIG.takes("mp255"));
    assert!(super::SET_CONFIG.takes("memory"));
    assert!(!super::SET_CONFIG.takes("net") && !super::SET_CONFIG.takes("memory0"));
}

/// The keys that a version knows in a property string of a container.
fn keys(file: &str, setting: &str) -> Vec<String> {
    let text = std::fs::read_to_string(fixtures("schemas").join(file)).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let create = schema["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .find(|endpoint| {
            (&endpoint["method"], &endpoint["path"])
                == (&"POST".into(), &"/nodes/{node}/lxc".into())
        });
    let parameters = &create.unwrap()["parameters"];
    let family = &parameters[format!("{setting}[n]")];
    let format = if family.is_null() {
        &parameters[setting]["format"]
    } else {
        &family["format"]
    };
    format.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn keys_of_property_strings_came_with_the_version_that_is_said() {
    for (file, release) in [
        ("pve-api-8.4.json", (8, 4)),
        ("pve-api-9.1.json", (9, 1)),
        ("pve-api.json", (9, 2)),
    ] {
        for since in SINCE_KEYS {
            let known = keys(file, since.setting).iter().any(|key| key == since.key);
            assert_eq!(
                known,
                (since.major, since.minor) <= release,
                "{since:?} in {file}"
            );
        }
    }
}
