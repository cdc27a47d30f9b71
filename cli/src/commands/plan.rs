//! `plan`: what would be done, and nothing is.

use std::{fs, io::Write as _, path::Path};

use anyhow::Context as _;
use lxc_layers::{
    diagnostic::Style,
    event::Layer,
    execute::{self, Checked, Limits, Seams, Settings},
    host::Host,
    observe::observe,
    plan::{self, Plan},
    resolve::Desired,
};
use serde_json::json;

use super::{Outcome, apply};
use crate::{
    args::fleet::{PlanArgs, SelectionArgs},
    connect,
    exit::{Code, Failure},
    fleet::{self, Fleet},
    output::Output,
    progress,
    settings::Environment,
};

/// Shows the plan.
pub(crate) async fn plan(args: &PlanArgs, environment: &Environment, output: &Output) -> Outcome {
    let fleet = Fleet::read(&args.fleet, environment).await?;
    let desired = fleet.desired(output)?;
    let host = connect::host(&args.connect, environment, &fleet)?;
    let plan = made(&*host, desired, &args.selection, Layer::Configuration).await?;
    let checked = if args.check {
        let settings = Settings {
            key: Some(apply::key(&args.key, environment, &fleet).await?),
            ..apply::settings(&fleet)
        };
        let events = progress::shown(output);
        Some(execute::check(&Seams::real(host), desired, &plan, &settings, &events).await?)
    } else {
        None
    };
    tell(&plan, checked.as_deref(), args, output)?;
    if let Some(file) = &args.hashes {
        tell_hashes(&plan, file).map_err(|error| Failure::new(Code::CannotWrite, error))?;
    }
    Ok(if plan.refusals().next().is_some() {
        Code::Refused
    } else if args.detailed_exitcode && !plan.is_empty() {
        Code::Changes
    } else {
        Code::Ok
    })
}

/// Where the words begin of what a provisioner would do.
const CHECKED: usize = 42;

/// Prints the plan, and what its provisioners said they would do.
fn tell(
    plan: &Plan,
    checked: Option<&[Checked]>,
    args: &PlanArgs,
    output: &Output,
) -> Result<(), Failure> {
    let checked = checked.unwrap_or_default();
    if output.is_json() {
        let mut told = plan.to_json();
        if args.check {
            told["checks"] = json!(checked);
        }
        output.json(&told)?;
        return Ok(());
    }
    let lines = checked.iter().map(Checked::to_string);
    if args.markdown {
        output.data(&plan.to_markdown());
        let items: Vec<String> = lines.map(|line| format!("- {line}")).collect();
        if !items.is_empty() {
            output.data(&format!("\n### Checked\n\n{}", items.join("\n")));
        }
        return Ok(());
    }
    show(plan, output)?;
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        output.words(&format!("\n{}", lines.join("\n")), CHECKED);
    }
    Ok(())
}

/// Appends the hashes of the later layers to a file, in the form that a workflow's outputs have.
fn tell_hashes(plan: &Plan, file: &Path) -> Result<(), anyhow::Error> {
    let lines: String = [Layer::Default, Layer::Configuration]
        .iter()
        .map(|layer| format!("{layer}={}\n", plan.hash(*layer)))
        .collect();
    let mut options = fs::OpenOptions::new();
    let opened = options.append(true).create(true).open(file);
    opened
        .and_then(|mut file| file.write_all(lines.as_bytes()))
        .with_context(|| format!("writing the hashes to `{}`", file.display()))
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
