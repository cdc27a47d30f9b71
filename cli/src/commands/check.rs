//! `check`: container-init without a server: parse, resolve, lint.

use serde_json::json;

use super::Outcome;
use crate::{
    args::fleet::CheckArgs,
    exit::Code,
    fleet::{self, Fleet},
    output::Output,
    settings::Environment,
};

/// Tells everything that is wrong with a fleet.
pub(crate) async fn check(args: &CheckArgs, environment: &Environment, output: &Output) -> Outcome {
    let fleet = Fleet::read(&args.fleet, environment).await?;
    if output.is_json() {
        let containers: Vec<&str> = fleet
            .desired
            .iter()
            .flat_map(|desired| &desired.containers)
            .map(|it| it.name.as_str())
            .collect();
        let diagnostics: Vec<_> = fleet.diagnostics.iter().map(fleet::as_json).collect();
        output.json(&json!({
            "ok": fleet.desired.is_some(),
            "containers": containers,
            "diagnostics": diagnostics,
        }))?;
    }
    let desired = fleet.desired(output)?;
    if !output.is_json() {
        let count = desired.containers.len();
        let containers = if count == 1 {
            "container"
        } else {
            "containers"
        };
        output.data(&format!("ok: {count} {containers}"));
    }
    Ok(Code::Ok)
}
