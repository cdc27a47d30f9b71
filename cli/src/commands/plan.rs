//! `plan`: what would be done, and nothing is.

use lxc_layers::{
    diagnostic::Style,
    execute::Limits,
    host::Host,
    observe::observe,
    plan::{self, Plan},
    resolve::Desired,
};

use super::Outcome;
use crate::{
    args::fleet::PlanArgs,
    connect,
    exit::{Code, Failure},
    fleet::Fleet,
    output::Output,
    settings::Environment,
};

/// Shows the plan.
pub(crate) async fn plan(args: &PlanArgs, environment: &Environment, output: &Output) -> Outcome {
    let fleet = Fleet::read(&args.fleet, environment).await?;
    let desired = fleet.desired(output)?;
    let host = connect::host(&args.connect, environment, &fleet)?;
    let plan = made(&*host, desired).await?;
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

/// Observes and plans.
pub(crate) async fn made(host: &dyn Host, desired: &Desired) -> Result<Plan, Failure> {
    let observed = observe(host, desired, Limits::default().task).await?;
    Ok(plan::plan(desired, &observed))
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
