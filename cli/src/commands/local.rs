//! `local`: one container of the fleet in Docker, tried and tried again without a node.

use std::{future::Future, io::BufRead as _, time::Duration};

use anyhow::{Context as _, anyhow};
use lxc_layers::{
    event::Layer,
    execute::Layers,
    guest::docker::{Engine, Publish},
    local::{self, Class, Error, Outcome as Of, Removed, Report, Settings},
};
use tokio::signal::unix::{SignalKind, signal};

use super::Outcome;
use crate::{
    args::local::LocalArgs,
    exit::{Code, Failure},
    fleet::{self, Fleet},
    output::Output,
    progress,
    settings::Environment,
};

/// Tries a container.
pub(crate) async fn local(args: &LocalArgs, environment: &Environment, output: &Output) -> Outcome {
    let settings = settings(args, environment, output).await?;
    if settings.layers == Layers::Only(Layer::Init) {
        return foretell(&settings, output);
    }
    let engine = Engine::connect(&environment.docker_sockets()?)
        .await
        .map_err(|error| Failure::from(Error::from(error)))?;
    if args.remove {
        return told(&removed(&engine, &settings, output).await?, output);
    }
    let tried = unless_interrupted(Box::pin(tried(&engine, &settings, output))).await;
    if args.keep {
        let what = if tried.is_ok() {
            "it stays"
        } else {
            "what was made of it stays"
        };
        let name = &args.name;
        output.say(&format!(
            "{what}; `proxmox-ci local {name} --remove` takes it away"
        ));
        return tried.map(|_| Code::Ok);
    }
    let outcome = match tried {
        Ok(_) if Output::can_ask() => again(args, environment, output, &engine).await,
        tried => tried.map(|_| Code::Ok),
    };
    removed(&engine, &settings, output).await?;
    outcome
}

/// What is tried, as the fleet says it now.
async fn settings(
    args: &LocalArgs,
    environment: &Environment,
    output: &Output,
) -> Result<Settings, Failure> {
    let fleet = Fleet::read(&args.fleet, environment).await?;
    let desired = fleet.desired(output)?;
    let container = fleet::container(desired, &args.name)?;
    let ports = args.ports.iter().map(|pair| Publish {
        guest: pair.guest,
        host: pair.host,
    });
    Ok(Settings {
        root: fleet.root.clone(),
        state: fleet.state(),
        fleet: desired.fleet.clone(),
        container: container.clone(),
        layers: args
            .layer
            .map_or(Layers::All, |layer| Layers::Only(layer.into())),
        base_template: args.base_template.clone(),
        ports: ports.collect(),
        redactor: fleet.redactor(),
    })
}

/// One run, and what came of it in words.
async fn tried(engine: &Engine, settings: &Settings, output: &Output) -> Result<Report, Failure> {
    let report = local::run(engine, settings, progress::shown(output)).await?;
    if output.is_json() {
        output.json(&report)?;
    } else {
        output.words(&summary(&report), 4);
    }
    Ok(report)
}

/// On a terminal: each Enter does what changed since, until the end of input or an interruption.
async fn again(
    args: &LocalArgs,
    environment: &Environment,
    output: &Output,
    engine: &Engine,
) -> Outcome {
    loop {
        Output::ask("\nEnter does what changed meanwhile, Ctrl-D takes it away ");
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line)
        });
        let read = unless_interrupted(async { Ok(line.await) }).await;
        if !matches!(read, Ok(Ok(Ok(1..)))) {
            output.say("");
            return Ok(Code::Ok);
        }
        // A fleet that is wrong for a moment, or a step that fails, is what one tries for.
        let once = async {
            let settings = settings(args, environment, output).await?;
            Box::pin(tried(engine, &settings, output)).await
        };
        if let Err(failure) = unless_interrupted(once).await {
            if failure.code == Code::OfCommand(INTERRUPTED) {
                return Err(failure);
            }
            output.failure(&failure);
        }
    }
}

/// What a program ends with that was interrupted, as shells say it.
const INTERRUPTED: u8 = 130;

/// Works until somebody interrupts it.
async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut terminated = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    tokio::select! {
        done = work => return done,
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
    Err(Failure::new(
        Code::OfCommand(INTERRUPTED),
        anyhow!("interrupted"),
    ))
}

async fn removed(
    engine: &Engine,
    settings: &Settings,
    output: &Output,
) -> Result<Removed, Failure> {
    let removed = local::remove(engine, settings, &progress::shown(output)).await?;
    output.say(&format!(
        "taken away: {} and {}",
        many(removed.containers.len(), "container"),
        many(removed.images.len(), "image")
    ));
    Ok(removed)
}

fn told(removed: &Removed, output: &Output) -> Outcome {
    if output.is_json() {
        output.json(removed)?;
    }
    Ok(Code::Ok)
}

/// `--layer container-init`: what would be left out, without asking any daemon.
fn foretell(settings: &Settings, output: &Output) -> Outcome {
    let left_out = local::left_out(&settings.container);
    if output.is_json() {
        output.json(&serde_json::json!({"version": 1, "left_out": left_out}))?;
    } else {
        output.words(&missing(&left_out), 4);
    }
    Ok(Code::Ok)
}

fn summary(report: &Report) -> String {
    let mut lines = vec![String::new()];
    for step in &report.steps {
        let outcome = match step.outcome {
            Of::Unchanged => "unchanged".to_owned(),
            _ => format!("done in {}", seconds(step.seconds.0)),
        };
        lines.push(format!("{:23}  {:20}  {outcome}", step.layer, step.name));
    }
    lines.push(String::new());
    lines.push(missing(&report.left_out));
    lines.push(String::new());
    lines.push(format!(
        "{} stands after {}, {}",
        report.container,
        seconds(report.seconds.0),
        if report.systemd {
            "with systemd"
        } else {
            "without systemd"
        }
    ));
    lines.extend(report.urls.iter().map(|url| format!("  {url}")));
    let others = report.ports.iter().filter(|port| {
        let end = format!(":{}", port.host);
        !report.urls.iter().any(|url| url.contains(&end))
    });
    lines.extend(others.map(|it| format!("  127.0.0.1:{} is its port {}", it.host, it.guest)));
    lines.join("\n").trim_start().to_owned()
}

fn missing(left_out: &[String]) -> String {
    let lines: Vec<String> = left_out.iter().map(|it| format!("  {it}")).collect();
    format!("not in Docker:\n{}", lines.join("\n"))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn many(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.class() {
            Class::Unreachable => Code::Unavailable,
            Class::Denied => Code::Denied,
            Class::Setting => Code::Settings,
            Class::Busy => Code::Busy,
            Class::Local => Code::CannotWrite,
            _ => Code::Failed,
        };
        let hint = error.hint();
        let failure = Self::new(code, error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
