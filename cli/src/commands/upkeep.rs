//! `upkeep`: the control plane's own program becomes the build that the fleet pins.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use gitea_api::{Auth, RepoPath};
use lxc_layers::{
    execute::{open, scratch, ssh_door},
    resolve::{Container, Desired},
    spec::Role,
};
use selfhost::upkeep::{
    self, Error, Layout, Limits, Order, PROGRAM_REPOSITORY, Pin, Retry, Upkeep, Verdict,
};
use serde_json::json;

use super::{Outcome, apply};
use crate::{
    args::control::UpkeepArgs,
    connect::{self, forge::failed, service},
    exit::{Code, Failure},
    fleet::Fleet,
    output::Output,
    settings::Environment,
};

/// Compares the pin with what is installed, and hands over what is to be done.
pub(crate) async fn upkeep(
    args: &UpkeepArgs,
    environment: &Environment,
    output: &Output,
) -> Outcome {
    if let Some(order) = &args.settle {
        return settle(order, output).await;
    }
    let fleet = Fleet::read(&args.fleet, environment).await?;
    let desired = fleet.desired(output)?;
    let Some(program) = &desired.program else {
        return told(
            output,
            "unpinned",
            "the fleet pins no build: the program stays as it is",
        );
    };
    let container = control_plane(desired)?;
    let host = connect::host(&args.connect, environment, &fleet)?;
    let service = service::service(&args.service, environment, &fleet.root)?;
    let key = apply::key(&args.key, environment, &fleet).await?;
    let scratch = scratch().context("making a private folder")?;
    let found = (desired, container);
    let guest = open(
        &*host,
        &ssh_door(),
        found,
        &key,
        scratch.path(),
        fleet.redactor(),
    )
    .await?;
    let upkeep = Upkeep {
        guest: &*guest,
        forge: &service.client,
        token: service.token.clone(),
        service: service.reached.clone(),
        repository: RepoPath::new(service.repository.owner(), PROGRAM_REPOSITORY),
        pin: Pin {
            version: program.version.clone(),
            sha256: program.sha256.clone(),
        },
        layout: Layout::default(),
        retry: if args.again {
            Retry::Again
        } else {
            Retry::Never
        },
    };
    match upkeep.keep().await.map_err(blamed)? {
        upkeep::Outcome::Current => told(output, "current", "the pinned build is installed"),
        upkeep::Outcome::HandedOver => told(
            output,
            "handed-over",
            "the pinned build lies beside the one that serves, and is installed once this job is over",
        ),
    }
}

/// The control plane of a fleet.
pub(super) fn control_plane(desired: &Desired) -> Result<&Container, Failure> {
    let mut containers = desired.containers.iter();
    containers
        .find(|container| container.role == Role::ControlPlane)
        .ok_or_else(|| {
            let error = anyhow!("the fleet has no control plane");
            Failure::new(Code::Fleet, error)
                .hint("`config.env` at its root describes one; `proxmox-ci init --control-plane` writes it")
        })
}

fn told(output: &Output, word: &str, words: &str) -> Outcome {
    if output.is_json() {
        output.json(&json!({"outcome": word}))?;
    } else {
        output.data(words);
    }
    Ok(Code::Ok)
}

/// The half that runs on the control plane, in a unit of its own.
async fn settle(order: &Path, output: &Output) -> Outcome {
    let order = Order::read(order).map_err(|error| Failure::new(Code::Settings, error))?;
    let forge = service::client(&order.service, None, Auth::Anonymous)?;
    let verdict = upkeep::settle(&order, forge, Limits::default()).await;
    let verdict = verdict.map_err(|error| Failure::new(Code::CannotWrite, error))?;
    output.data(&serde_json::to_string(&verdict).context("telling how it ended")?);
    Ok(if verdict == Verdict::Installed {
        Code::Ok
    } else {
        Code::Failed
    })
}

fn blamed(error: Error) -> Failure {
    let hint = error.hint();
    let failure = match error {
        Error::Guest(error) => return Failure::from(error),
        Error::Forge(error) => return failed(error),
        Error::Busy => Failure::new(Code::Busy, error),
        error => Failure::new(Code::Refused, error),
    };
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
