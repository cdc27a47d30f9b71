//! `status`: what stands there now, container by container.

use lxc_layers::{
    execute::Limits,
    observe::observe,
    plan::{self, Observed, Plan, Standing},
    resolve::Container,
};
use serde::Serialize;

use super::Outcome;
use crate::{
    args::fleet::{SelectionArgs, StatusArgs},
    connect,
    exit::Code,
    fleet::{self, Fleet},
    output::Output,
    settings::Environment,
};

/// One container as it stands.
#[derive(Debug, Serialize)]
struct Line {
    container: String,
    vmid: u32,
    node: String,
    standing: Standing,
    address: Option<String>,
    /// How many changes a plan would name; `None` where it may not be touched.
    changes: Option<usize>,
}

/// Shows each container of the fleet.
pub(crate) async fn status(
    args: &StatusArgs,
    environment: &Environment,
    output: &Output,
) -> Outcome {
    let fleet = Fleet::read(&args.fleet, environment).await?;
    let desired = fleet.desired(output)?;
    let names = SelectionArgs {
        names: args.names.clone(),
        ..SelectionArgs::default()
    };
    let selected = fleet::selected(desired, &names)?;
    let is_selected = |it: &&Container| {
        selected
            .as_ref()
            .is_none_or(|names| names.contains(&it.name))
    };
    let host = connect::host(&args.connect, environment, &fleet)?;
    let observed = observe(&*host, desired, Limits::default().task).await?;
    let plan = plan::plan(desired, &observed);
    let lines: Vec<Line> = desired
        .containers
        .iter()
        .filter(is_selected)
        .filter_map(|container| line(container, &plan, &observed))
        .collect();
    if output.is_json() {
        output.json(&lines)?;
    } else {
        output.data(&table(&lines));
    }
    Ok(Code::Ok)
}

fn line(container: &Container, plan: &Plan, observed: &Observed) -> Option<Line> {
    let planned = plan.container(container.name.as_str())?;
    let stands = observed.guests.get(&container.vmid);
    Some(Line {
        container: container.name.to_string(),
        vmid: container.vmid.get(),
        node: stands.map_or_else(|| planned.node.clone(), |guest| guest.node.clone()),
        standing: planned.standing,
        address: container.address().map(|address| address.to_string()),
        changes: planned.refusals.is_empty().then_some(planned.changes.len()),
    })
}

fn table(lines: &[Line]) -> String {
    let head = format!(
        "{:16} {:>9}  {:12} {:9} {:15}  {}",
        "CONTAINER", "ID", "NODE", "STATE", "ADDRESS", "CHANGES"
    );
    let rows = lines.iter().map(|it| {
        let state = match it.standing {
            Standing::Absent => "absent",
            Standing::Running => "running",
            Standing::Stopped => "stopped",
            Standing::Foreign => "foreign",
        };
        let changes = match it.changes {
            None => "refused".to_owned(),
            Some(0) => "none".to_owned(),
            Some(count) => count.to_string(),
        };
        let address = it.address.as_deref().unwrap_or("-");
        format!(
            "{:16} {:>9}  {:12} {state:9} {address:15}  {changes}",
            it.container, it.vmid, it.node
        )
    });
    let all: Vec<String> = std::iter::once(head).chain(rows).collect();
    all.join("\n")
}
