//! `destroy`: containers of this fleet, and nothing else.

use std::{collections::BTreeSet, sync::Arc};

use lxc_layers::{
    event::Events,
    execute::{self, Destroyed, Doomed},
    host::Host,
    resolve::Desired,
};
use serde_json::{Value, json};

use super::{Outcome, apply};
use crate::{
    args::fleet::DestroyArgs,
    connect,
    exit::{Code, Failure},
    fleet::{self, Fleet},
    output::Output,
    progress,
    settings::Environment,
};

/// Destroys containers after asking, one after the other; the first failure ends it.
pub(crate) async fn destroy(
    args: &DestroyArgs,
    environment: &Environment,
    output: &Output,
) -> Outcome {
    let fleet = Fleet::read(&args.fleet, environment).await?;
    let desired = fleet.desired(output)?;
    let host = connect::host(&args.connect, environment, &fleet)?;
    let doomed = doomed(&*host, desired, &args.names).await?;
    for word in bereft(desired, &doomed) {
        output.say(&word);
    }
    if !args.yes {
        apply::consent(&question(&doomed))?;
    }
    let events = progress::shown(output);
    let _lock = apply::lock(&fleet, "destroy", &events).await?;
    let mut told = Vec::new();
    let outcome = all(&fleet, &host, &doomed, &events, |one, words| {
        told.push(json!({"container": one.name, "vmid": one.vmid, "outcome": words}));
        if !output.is_json() {
            output.data(&format!("`{}` {words}", one.name));
        }
    })
    .await;
    if output.is_json() {
        output.json(&json!({"containers": Value::Array(told)}))?;
    }
    outcome.map(|()| Code::Ok)
}

async fn all(
    fleet: &Fleet,
    host: &Arc<dyn Host>,
    doomed: &[Doomed],
    events: &Events,
    mut ended: impl FnMut(&Doomed, &'static str),
) -> Result<(), Failure> {
    let Some(desired) = &fleet.desired else {
        return Ok(());
    };
    for one in doomed {
        let settings = apply::settings(fleet);
        let host = Arc::clone(host);
        let destroyed = execute::destroy(host, desired, one, settings, events.clone()).await?;
        ended(
            one,
            match destroyed {
                Destroyed::Gone => "destroyed",
                Destroyed::WasAbsent => "was not there",
            },
        );
    }
    Ok(())
}

/// The named guests, those that come after others before these; what no file describes is looked
/// for on the node, by its marker.
async fn doomed(
    host: &dyn Host,
    desired: &Desired,
    names: &[String],
) -> Result<Vec<Doomed>, Failure> {
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let described = desired.containers.iter().rev();
    let mut doomed: Vec<Doomed> = described
        .filter(|it| names.contains(it.name.as_str()))
        .map(Doomed::from)
        .collect();
    let unknown: Vec<&str> = names
        .into_iter()
        .filter(|name| desired.container(name).is_none())
        .collect();
    if unknown.is_empty() {
        return Ok(doomed);
    }
    let left_over = execute::left_over(host, desired).await?;
    for name in unknown {
        match left_over.iter().find(|it| it.name.as_str() == name) {
            Some(found) => doomed.push(found.clone()),
            None => drop(fleet::container(desired, name)?),
        }
    }
    Ok(doomed)
}

/// A word for each container that will stand without one that it comes after.
fn bereft(desired: &Desired, doomed: &[Doomed]) -> Vec<String> {
    let goes = |name: &str| doomed.iter().any(|it| it.name.as_str() == name);
    let stay = desired
        .containers
        .iter()
        .filter(|it| !goes(it.name.as_str()));
    stay.flat_map(|it| it.after.iter().map(move |before| (&it.name, before)))
        .filter(|(_, before)| goes(before.as_str()))
        .map(|(name, before)| format!("note: `{name}` comes after `{before}` and stays without it"))
        .collect()
}

fn question(doomed: &[Doomed]) -> String {
    let guests: Vec<String> = doomed
        .iter()
        .map(|it| format!("`{}` (guest {})", it.name, it.vmid))
        .collect();
    let their = if guests.len() == 1 { "its" } else { "their" };
    format!("destroy {} with all {their} disks?", guests.join(", "))
}
