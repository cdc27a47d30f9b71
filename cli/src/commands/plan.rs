//! `plan`: what would be done, and nothing is.

use lxc_layers::{
    diagnostic::Style,
    event::Layer,
    execute::Limits,
    host::Host,
    observe::observe,
    plan::{self, Plan},
    resolve::Desired,
};

use super::Outcome;
use crate::{
    args::fleet::{PlanArgs, SelectionArgs},
    connect,
    exit::{Code, Failure},
    fleet::{self, Fleet},
    output::Output,
    settings::Environment,
};

/// Shows the plan.
pub(crate) async fn plan(args: &PlanArgs, environment: &Environment, output: &Output) -> Outcome {
    let fleet = Fleet::read(&args.fleet, environment).await?;
    let desired = fleet.desired(output)?;
    let host = connect::host(&args.connect, environment, &fleet)?;
    let plan = made(&*host, desired, &args.selection, Layer::Configuration).await?;
    if args.markdown {
        output.data(&plan.to_markdown());
    } else {
        show(&plan, output)?;
    }
    Ok(if plan.refusals().next().is_some() {
        Code::Refused
    } else if args.detailed_exitcode && !plan.is_empty() {
        Code::Changes
    } else {
        Code::Ok
    })
}

/// Observes and plans, as far as `layer`, for the containers that were named.
pub(crate) async fn made(
    host: &dyn Host,
    desired: &Desired,
    selection: &SelectionArgs,
    layer: Layer,
) -> Result<Plan, Failure> {
    let selected = fleet::selected(desired, selection)?;
    let observed = observe(host, desired, Limits::default().task).await?;
    let plan = plan::plan(desired, &observed);
    Ok(match selected {
        Some(names) => plan.only(&names, layer),
        None => plan,
    })
}

/// Prints a plan the way that was asked for.
pub(crate) fn show(plan: &Plan, output: &Output) -> Result<(), anyhow::Error> {
    if output.is_json() {
        return output.json(&plan.to_json());
    }
    let style = if output.colours_data() {
        Style::Coloured
    } else {
        Style::Plain
    };
    output.data(&plan.to_text(style));
    Ok(())
}
