//! Property strings, `local:8,size=8G,ro=1`, as far as comparing needs them.

use std::collections::BTreeMap;

/// The parts of a property string by name; the one without a name is `default`.
pub(super) fn parse(text: &str, default: &str) -> BTreeMap<String, String> {
    let named = |part: &str| match part.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (default.to_owned(), part.to_owned()),
    };
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(named)
        .collect()
}

/// A property string of parts, the one called `default` first and without its name.
pub(super) fn print(parts: &BTreeMap<String, String>, default: &str) -> String {
    let first = parts.get(default).cloned();
    let others = parts.iter().filter(|(name, _)| *name != default);
    first
        .into_iter()
        .chain(others.map(|(name, value)| format!("{name}={value}")))
        .collect::<Vec<_>>()
        .join(",")
}
