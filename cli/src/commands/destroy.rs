//! `destroy`: one container of this fleet, and nothing else.

use lxc_layers::execute::{self, Destroyed};
use serde_json::json;

use super::{Outcome, apply};
use crate::{
    args::fleet::DestroyArgs,
    connect,
    exit::Code,
    fleet::{self, Fleet},
    output::Output,
    progress,
    settings::Environment,
};

/// Destroys a container after asking.
pub(crate) async fn destroy(
    args: &DestroyArgs,
    environment: &Environment,
    output: &Output,
) -> Outcome {
    let fleet = Fleet::read(&args.fleet, environment).await?;
    let desired = fleet.desired(output)?;
    let container = fleet::container(desired, &args.name)?;
    let host = connect::host(&args.connect, environment, &fleet)?;
    if !args.yes {
        apply::consent(&format!(
            "destroy `{}` (guest {}) with all its disks?",
            container.name, container.vmid
        ))?;
    }
    let events = progress::shown(output);
    let _lock = apply::lock(&fleet, "destroy", &events).await?;
    let settings = apply::settings(&fleet);
    let destroyed = execute::destroy(host, desired, container, settings, events).await?;
    let words = match destroyed {
        Destroyed::Gone => "destroyed",
        Destroyed::WasAbsent => "was not there",
    };
    if output.is_json() {
        output.json(
            &json!({"container": container.name, "vmid": container.vmid, "outcome": words}),
        )?;
    } else {
        output.data(&format!("`{}` {words}", container.name));
    }
    Ok(Code::Ok)
}
