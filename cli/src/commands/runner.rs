//! `runner`: carry out the jobs of a Git service on this machine.

use std::{fs, path::Path};

use anyhow::{Context, anyhow};
use selfhost::runner::{
    self, Error, Events, Order, Registration, Settings, registration::Error as RegistrationError,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::Outcome;
use crate::{
    args::runner::{RegisterArgs, RunArgs, RunnerCommand},
    connect::forge,
    exit::{Code, Failure},
    output::Output,
    settings::Environment,
};

/// Runs one of the verbs.
pub(crate) async fn runner(
    command: RunnerCommand,
    environment: &Environment,
    output: &Output,
) -> Outcome {
    match command {
        RunnerCommand::Register(args) => register(args, environment, output).await,
        RunnerCommand::Run(args) => run(args, environment, output).await,
    }
}

async fn register(args: RegisterArgs, environment: &Environment, output: &Output) -> Outcome {
    if Registration::exists(&args.folder.dir) {
        return Err(registered(RegistrationError::Exists(args.folder.dir)));
    }
    let token = match (&args.token_file, &environment.runner_token) {
        (Some(file), _) => fs::read_to_string(file)
            .with_context(|| format!("reading the registration token `{}`", file.display()))
            .map_err(|error| Failure::new(Code::Settings, error))?,
        (None, Some(token)) => token.reveal().to_owned(),
        (None, None) => {
            let error = anyhow!("the registration token is missing");
            let hint = "give --token-file FILE, or PROXMOX_CI_RUNNER_TOKEN in the environment";
            return Err(Failure::new(Code::Settings, error).hint(hint));
        }
    };
    let name = args.name.unwrap_or_else(host_name);
    let service = forge::Service {
        url: args.url,
        fingerprint: args.trust.fingerprint,
        ca_file: args.trust.ca_file,
    };
    let registration = forge::register_runner(service, name, args.labels, token.trim()).await?;
    registration.write(&args.folder.dir).map_err(registered)?;
    let (name, dir) = (&registration.name, args.folder.dir.display());
    output.say(&format!(
        "runner `{name}` is registered; `proxmox-ci runner run --dir {dir}` takes its jobs"
    ));
    Ok(Code::Ok)
}

async fn run(args: RunArgs, environment: &Environment, output: &Output) -> Outcome {
    let registration = Registration::read(&args.folder.dir).map_err(registered)?;
    let (runner, profile) = forge::runner(&registration)?;
    let settings = Settings {
        runner,
        profile,
        name: registration.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        server: registration.url.clone(),
        work: args.folder.dir.join("work"),
        capacity: usize::from(args.capacity),
        inherited: environment.for_jobs.clone().into_iter().collect(),
        minute: runner::MINUTE,
    };
    let teller = output.clone();
    let events = Events::to(move |event| {
        if teller.is_json() {
            drop(teller.json_line(&event));
        } else {
            teller.say(&event.to_string());
        }
    });
    let orders = orders().context("listening to signals")?;
    runner::run(settings, orders, events)
        .await
        .map_err(stopped)?;
    Ok(Code::Ok)
}

/// What signals order: `SIGTERM` and `SIGINT` to stop now, `SIGUSR1` to end after the jobs that run.
fn orders() -> std::io::Result<watch::Receiver<Order>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut drain = signal(SignalKind::user_defined1())?;
    let (give, orders) = watch::channel(Order::Work);
    tokio::spawn(async move {
        loop {
            let order = tokio::select! {
                _ = terminate.recv() => Order::Stop,
                _ = interrupt.recv() => Order::Stop,
                _ = drain.recv() => Order::Drain,
            };
            give.send_modify(|now| *now = order.max(*now));
        }
    });
    Ok(orders)
}

fn stopped(error: Error) -> Failure {
    let code = match &error {
        Error::Work { .. } => Code::CannotWrite,
        Error::Taken(_) => Code::Busy,
        Error::Unknown(_) => Code::Denied,
        _ => Code::Unexpected,
    };
    Failure::new(code, error)
}

fn registered(error: RegistrationError) -> Failure {
    let (code, hint) = match &error {
        RegistrationError::Missing(_) => (Code::Settings, "`proxmox-ci runner register` makes one"),
        RegistrationError::Exists(_) => (
            Code::Refused,
            "take another --dir, or remove registration.json if its server is gone",
        ),
        RegistrationError::Io { .. } => (Code::CannotWrite, "is the folder there, and yours?"),
        _ => (
            Code::Settings,
            "the file must be as `proxmox-ci runner register` wrote it, mode 600",
        ),
    };
    Failure::new(code, error).hint(hint)
}

/// The host's own name, or `runner` where it has none.
fn host_name() -> String {
    let name = fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "runner" } else { name }.to_owned()
}
