//! `apply`: the plan, made under the fleet's lock, and done.

use std::{io::BufRead as _, time::Duration};

use anyhow::{Context as _, anyhow};
use lxc_layers::{
    event::{Event, Events, Layer},
    execute::{self, Inside, Layers, Limits, Outcome as Of, Report, Seams, Settings},
    guest::OperatorKey,
    ledger::Lock,
    plan::Plan,
};
use tokio::signal::unix::{SignalKind, signal};

use super::{Outcome, plan};
use crate::{
    args::fleet::{ApplyArgs, KeyArgs},
    blame, connect,
    exit::{Code, Failure},
    fleet::Fleet,
    output::Output,
    progress,
    settings::Environment,
};

/// How long another run is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes the world what the fleet says.
pub(crate) async fn apply(args: &ApplyArgs, environment: &Environment, output: &Output) -> Outcome {
    let fleet = Fleet::read(&args.fleet, environment).await?;
    let desired = fleet.desired(output)?;
    let host = connect::host(&args.connect, environment, &fleet)?;
    let events = progress::shown(output);
    let _lock = lock(&fleet, "apply", &events).await?;
    let layers = args
        .layer
        .map_or(Layers::All, |layer| Layers::Only(layer.into()));
    let until = match args.layer.map(Layer::from) {
        Some(Layer::Default) => Layer::Default,
        // Container-init decides for all that follows it.
        _ => Layer::Configuration,
    };
    let plan = plan::made(&*host, desired, &args.selection, until).await?;
    if layers == Layers::Only(Layer::Init) {
        plan::show(&plan, output)?;
        return gate_of_init(&plan).map(|()| Code::Ok);
    }
    if !output.is_json() {
        plan::show(&plan, output)?;
    }
    gate_of_init(&plan)?;
    as_expected(&plan, layers, args.expect.as_deref())?;
    if plan.is_empty() && layers == Layers::All {
        return finish(None, output);
    }
    if !args.yes {
        consent("apply this plan?")?;
    }
    let inside = if args.outside_only {
        Inside::Skip
    } else {
        Inside::Enter
    };
    let settings = Settings {
        key: Some(key(&args.key, environment, &fleet).await?),
        layers,
        parallel: args.parallel,
        inside,
        ..settings(&fleet)
    };
    let work = execute::execute(Seams::real(host), desired, &plan, settings, events);
    let done = unless_interrupted(work).await??;
    finish(Some(&done), output)
}

/// Works until somebody interrupts it; then the programs that run for it are stopped with it.
pub(crate) async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let mut terminated = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    tokio::select! {
        done = work => return Ok(done),
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
    let error = anyhow!("interrupted; what was begun may be half done");
    Err(Failure::new(Code::Failed, error)
        .hint("apply again: it looks first at what has happened already"))
}

/// Takes the fleet's lock.
pub(crate) async fn lock(fleet: &Fleet, command: &str, events: &Events) -> Result<Lock, Failure> {
    let waiting = |holder: &str| {
        events.tell(Event::Waiting {
            holder: holder.to_owned(),
        });
    };
    Ok(Lock::take(&fleet.state(), command, PATIENCE, &waiting).await?)
}

/// The settings that every run of a fleet shares.
pub(crate) fn settings(fleet: &Fleet) -> Settings {
    Settings {
        root: fleet.root.clone(),
        state: fleet.state(),
        key: None,
        layers: Layers::All,
        parallel: std::num::NonZeroUsize::MIN,
        inside: Inside::Enter,
        limits: Limits::default(),
        provenance: fleet.checkout.provenance.clone(),
        redactor: fleet.redactor(),
    }
}

/// The key by which guests are entered: the one that is named, else the fleet's own.
pub(crate) async fn key(
    args: &KeyArgs,
    environment: &Environment,
    fleet: &Fleet,
) -> Result<OperatorKey, Failure> {
    let named = args.ssh_key.clone().or_else(|| environment.ssh_key.clone());
    let read = match named {
        Some(path) => OperatorKey::read(&path).await,
        None => OperatorKey::ensure(&fleet.root.join("ssh.local.key"), "proxmox-ci").await,
    };
    read.map_err(|error| Failure::new(Code::Settings, error))
}

/// Asks on the terminal; without one there is nobody to ask.
pub(crate) fn consent(question: &str) -> Result<(), Failure> {
    if !Output::can_ask() {
        let error = anyhow!("nobody is here to ask: {question}");
        return Err(Failure::new(Code::Refused, error).hint("give --yes to go ahead unasked"));
    }
    Output::ask(&format!("{question} [y/N] "));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    match (read, answer.trim()) {
        (Ok(_), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::new(
            Code::Refused,
            anyhow!("not confirmed; nothing was changed"),
        )),
    }
}

/// The gate of container-init: nothing is refused.
fn gate_of_init(plan: &Plan) -> Result<(), Failure> {
    let refused: Vec<String> = plan
        .refusals()
        .map(|(name, refusal)| format!("`{name}`: {}", refusal.message))
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    let error = anyhow!("{}", refused.join("; ")).context("the plan holds what may not be done");
    Err(Failure::new(Code::Refused, error).hint("the plan names the ways out; nothing was changed"))
}

/// Compares the hash that container-init gave with the one of the actions as they are now.
fn as_expected(plan: &Plan, layers: Layers, expected: Option<&str>) -> Result<(), Failure> {
    let (Layers::Only(layer), Some(expected)) = (layers, expected) else {
        return Ok(());
    };
    let now = plan.hash(layer);
    if now == expected {
        return Ok(());
    }
    let error = anyhow!("the actions of {layer} hash to `{now}` now, expected was `{expected}`")
        .context("the plan changed since it was made");
    Err(Failure::new(Code::Refused, error).hint("plan again, and let the new plan be seen first"))
}

/// Says what was done, and ends with the code that it deserves.
fn finish(report: Option<&Report>, output: &Output) -> Outcome {
    let Some(report) = report else {
        if output.is_json() {
            output.json(&serde_json::json!({"containers": [], "layers": []}))?;
        } else {
            output.say("nothing to do");
        }
        return Ok(Code::Ok);
    };
    if output.is_json() {
        output.json(report)?;
    } else {
        output.data(&summary(report));
    }
    for (container, failure) in report.failures() {
        let told =
            failure
                .because
                .iter()
                .rev()
                .fold(None, |cause: Option<anyhow::Error>, words| {
                    Some(cause.map_or_else(
                        || anyhow!(words.clone()),
                        |cause| cause.context(words.clone()),
                    ))
                });
        let words = format!("{container}: {}", failure.error);
        let error = told.map_or_else(
            || anyhow!(words.clone()),
            |cause| cause.context(words.clone()),
        );
        let mut told = Failure::new(blame::code(failure.class), error);
        told.hint.clone_from(&failure.hint);
        output.failure(&told);
    }
    Ok(blame::of_report(report))
}

fn summary(report: &Report) -> String {
    let lines: Vec<String> = report
        .containers
        .iter()
        .map(|it| {
            let outcome = match &it.outcome {
                Of::Unchanged => "unchanged".to_owned(),
                Of::Done => "done".to_owned(),
                Of::Failed(failure) => format!("failed in {}", failure.layer),
                Of::Skipped { because } => format!("skipped: {because}"),
                _ => String::new(),
            };
            format!("{:16} {:>9}  {outcome}", it.container, it.vmid)
        })
        .collect();
    let seconds = report.seconds.0.as_secs_f64();
    format!(
        "{}\n\nrun {} took {seconds:.1} s",
        lines.join("\n"),
        report.run
    )
}
