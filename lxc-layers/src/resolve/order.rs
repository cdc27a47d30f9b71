//! `AFTER`: names that exist, no circle, and the order that follows.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use crate::diagnostic::{Diagnostic, Located, nearest};
use crate::spec::ContainerName;

/// Checks the names in `AFTER`, writes those that exist into the containers, and returns the
/// positions of `drafts` in dependency order, ties by name.
pub(super) fn order(drafts: &mut [Draft], problems: &mut Vec<Diagnostic>) -> Vec<usize> {
    let names: BTreeMap<String, ContainerName> = drafts
        .iter()
        .map(|draft| {
            (
                draft.container.name.as_str().to_owned(),
                draft.container.name.clone(),
            )
        })
        .collect();
    for draft in drafts.iter_mut() {
        let mut after = BTreeSet::new();
        for written in &draft.after {
            match names.get(&written.value) {
                Some(name) => {
                    after.insert(name.clone());
                }
                None => problems.push(unknown(written, &names)),
            }
        }
        draft.container.after = after.into_iter().collect();
    }
    sorted(drafts, problems)
}

fn unknown(written: &Located<String>, names: &BTreeMap<String, ContainerName>) -> Diagnostic {
    let message = format!("there is no container `{}` in this fleet", written.value);
    let problem = Diagnostic::error("unknown-container", written.span.clone(), message);
    match nearest(&written.value, names.keys().map(String::as_str)) {
        Some(name) => problem
            .expected(format!("did you mean `{name}`?"))
            .help(format!("write `{name}`")),
        None => {
            let known: Vec<&str> = names.keys().map(String::as_str).collect();
            problem
                .expected(format!("expected one of {}", known.join(", ")))
                .help(format!(
                    "make `containers/{}/`, or leave the name away",
                    written.value
                ))
        }
    }
}

/// Takes, again and again, the first by name whose dependencies were taken.
fn sorted(drafts: &[Draft], problems: &mut Vec<Diagnostic>) -> Vec<usize> {
    let mut left: BTreeMap<&ContainerName, usize> = drafts
        .iter()
        .enumerate()
        .map(|(position, draft)| (&draft.container.name, position))
        .collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        let ready = left.iter().find(|(_, position)| {
            drafts[**position]
                .container
                .after
                .iter()
                .all(|name| !left.contains_key(name))
        });
        let Some((name, position)) = ready.map(|(name, position)| (*name, *position)) else {
            problems.push(cycle(drafts, &left));
            break;
        };
        order.push(position);
        left.remove(name);
    }
    order
}

/// Follows the first of those left until one is met again.
fn cycle(drafts: &[Draft], left: &BTreeMap<&ContainerName, usize>) -> Diagnostic {
    let mut path: Vec<usize> = Vec::new();
    let mut at = *left.values().next().expect("a circle has members");
    while !path.contains(&at) {
        path.push(at);
        let next = drafts[at]
            .container
            .after
            .iter()
            .find_map(|name| left.get(name));
        at = *next.expect("each of those left waits for another of them");
    }
    let start = path
        .iter()
        .position(|seen| *seen == at)
        .expect("it was met before");
    let circle = &path[start..];
    let name = |position: &usize| drafts[*position].container.name.as_str();
    let mut words: Vec<&str> = circle.iter().map(name).collect();
    words.push(name(&circle[0]));
    let place = |from: usize, to: usize| {
        let wanted = name(&to);
        let written = drafts[from]
            .after
            .iter()
            .find(|written| written.value == wanted);
        written.map_or_else(|| drafts[from].file.clone(), |written| written.span.clone())
    };
    let next = |position: usize| circle[(position + 1) % circle.len()];
    let message = match circle {
        [alone] => format!("`{}` waits for itself", name(alone)),
        _ => format!(
            "these containers wait for each other: {}",
            words.join(" → ")
        ),
    };
    let mut problem = Diagnostic::error("cycle", place(circle[0], next(0)), message)
        .expected("expected an order with a beginning")
        .help("leave away one of these names");
    for (position, from) in circle.iter().enumerate().skip(1) {
        problem = problem.related(place(*from, next(position)), "and this one");
    }
    problem
}
