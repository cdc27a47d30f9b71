//! What no single value shows: two of the same, and what lies outside of the fleet's ranges.

use std::collections::BTreeMap;

use super::MountSource;
use super::draft::Draft;
use crate::diagnostic::{Diagnostic, Located, Span};
use crate::spec::{Fleet, Key};

/// Compares the containers with each other and with the fleet.
pub(super) fn lint(drafts: &[Draft], fleet: &Fleet, problems: &mut Vec<Diagnostic>) {
    names(drafts, problems);
    ids(drafts, fleet, problems);
    hostnames(drafts, problems);
    addresses(drafts, fleet, problems);
    reserved_for_root(drafts, problems);
    if let (Some(subnet), Some(gateway)) = (&fleet.network.subnet, &fleet.network.gateway)
        && !subnet.value.holds(gateway.value)
    {
        let message = format!(
            "the gateway {} lies outside of the subnet {}",
            gateway.value, subnet.value
        );
        problems.push(
            Diagnostic::error("outside-subnet", gateway.span.clone(), message)
                .related(subnet.span.clone(), "the subnet")
                .help("write a gateway of this subnet"),
        );
    }
}

/// Warns of what no token may write: tokens are the only access that this program has, and a guest
/// that root gave it by hand is all the same one that a fleet may describe.
fn reserved_for_root(drafts: &[Draft], problems: &mut Vec<Diagnostic>) {
    for draft in drafts {
        let container = &draft.container;
        let mut warn = |keys: &[Key], what: String, instead: &str| {
            let mut places = keys.iter().filter_map(|key| container.place(*key));
            let place = places.next().unwrap_or(&draft.file).clone();
            let message = format!("{what} is reserved for root@pam itself");
            problems.push(
                Diagnostic::warning("root-only", place, message)
                    .expected("no token may write this")
                    .help(format!(
                        "{instead}; or have root@pam make this one change by hand, which the plan then accepts"
                    )),
            );
        };
        for mount in &container.mounts {
            if let MountSource::Bind { path } = &mount.source {
                let what = format!("mounting the node's folder `{path}`");
                let instead = "mount a volume instead: `STORAGE:SIZE:/TARGET`";
                warn(&[Key::Mount], what, instead);
            }
        }
        for device in &container.devices {
            let what = format!("passing `{}` through", device.path);
            warn(&[Key::Device, Key::Mount], what, "leave the device away");
        }
        let features = container.features.keys().map(String::as_str);
        let others: Vec<&str> = features.filter(|name| *name != "nesting").collect();
        if !others.is_empty() {
            let what = format!("the feature `{}`", others.join("`, `"));
            warn(&[Key::Features], what, "keep to `nesting`");
        }
    }
}

/// Pushes a problem for each value that was seen before.
fn twice<T: Ord + Clone>(
    values: impl Iterator<Item = Located<T>>,
    problems: &mut Vec<Diagnostic>,
    problem: impl Fn(&T, Span) -> Diagnostic,
) {
    let mut seen: BTreeMap<T, Span> = BTreeMap::new();
    for Located { value, span } in values {
        match seen.get(&value) {
            Some(first) => {
                problems.push(problem(&value, span).related(first.clone(), "first used here"))
            }
            None => {
                seen.insert(value, span);
            }
        }
    }
}

fn names(drafts: &[Draft], problems: &mut Vec<Diagnostic>) {
    let names = drafts
        .iter()
        .map(|draft| Located::new(draft.container.name.clone(), draft.file.clone()));
    twice(names, problems, |name, span| {
        Diagnostic::error(
            "duplicate-name",
            span,
            format!("two containers are called `{name}`"),
        )
        .help("the control plane is called by its `HOSTNAME`: rename it, or the folder")
    });
}

fn ids(drafts: &[Draft], fleet: &Fleet, problems: &mut Vec<Diagnostic>) {
    let ids = || drafts.iter().filter_map(|draft| draft.id.clone());
    twice(ids(), problems, |id, span| {
        Diagnostic::error(
            "duplicate-id",
            span,
            format!("two containers have the number {id}"),
        )
        .help("give one of them another `ID`")
    });
    let Some(range) = &fleet.network.vmids else {
        return;
    };
    let (first, last) = range.value;
    for id in ids().filter(|id| !(first..=last).contains(&id.value)) {
        let message = format!(
            "number {} lies outside of the fleet's range {first}-{last}",
            id.value
        );
        problems.push(
            Diagnostic::error("outside-range", id.span, message)
                .expected(format!("expected a number from {first} to {last}"))
                .related(range.span.clone(), "the range")
                .help("take a number of the range, or widen `vmids` in `[network]`"),
        );
    }
}

fn hostnames(drafts: &[Draft], problems: &mut Vec<Diagnostic>) {
    let names = drafts.iter().map(|draft| draft.hostname.clone());
    twice(names, problems, |name, span| {
        Diagnostic::error(
            "duplicate-hostname",
            span,
            format!("two containers have the host name `{name}`"),
        )
        .help("give one of them another `HOSTNAME`")
    });
}

fn addresses(drafts: &[Draft], fleet: &Fleet, problems: &mut Vec<Diagnostic>) {
    let all = drafts
        .iter()
        .flat_map(|draft| draft.addresses.iter().cloned());
    let gateway = fleet.network.gateway.iter().cloned();
    twice(gateway.chain(all), problems, |address, span| {
        Diagnostic::error(
            "duplicate-address",
            span,
            format!("the address {address} is used twice"),
        )
        .help("give one of the two another `IP`; without `IP` it follows from `ID`")
    });
    let Some(subnet) = &fleet.network.subnet else {
        return;
    };
    for draft in drafts {
        for address in draft
            .addresses
            .iter()
            .filter(|address| !subnet.value.holds(address.value))
        {
            let message = format!(
                "the address {} lies outside of the subnet {}",
                address.value, subnet.value
            );
            problems.push(
                Diagnostic::error("outside-subnet", address.span.clone(), message)
                    .expected(format!("expected a host's address in {}", subnet.value))
                    .related(subnet.span.clone(), "the subnet")
                    .help("write an address of the subnet, or leave `IP` away: it then follows from `ID`"),
            );
        }
    }
}
