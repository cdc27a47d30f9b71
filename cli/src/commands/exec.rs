//! `exec`: an argument vector into a guest, over its pinned ssh.

use std::time::Duration;

use anyhow::Context as _;
use lxc_layers::{
    execute::{open, ssh_door},
    guest::Invocation,
    process::Stream,
};

use super::{Outcome, apply};
use crate::{
    args::fleet::ExecArgs,
    connect,
    exit::Code,
    fleet::{self, Fleet},
    output::Output,
    settings::Environment,
};

/// How long a guest may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Runs a command in a container; its lines are ours, and so is its exit code.
pub(crate) async fn exec(args: &ExecArgs, environment: &Environment, output: &Output) -> Outcome {
    let fleet = Fleet::read(&args.fleet, environment).await?;
    let desired = fleet.desired(output)?;
    let container = fleet::container(desired, &args.name)?;
    let host = connect::host(&args.connect, environment, &fleet)?;
    let key = apply::key(&args.key, environment, &fleet).await?;
    let scratch = lxc_layers::execute::scratch().context("making a private folder")?;
    let guest = open(
        &*host,
        &ssh_door(),
        (desired, container),
        &key,
        scratch.path(),
        fleet.redactor(),
    )
    .await?;
    // Who answers is settled first, so that what is printed below is the command's own.
    guest.wait_reachable(PATIENCE).await?;
    let invocation =
        Invocation::new(args.command.clone()).limit(Duration::from_secs(args.within.max(1)));
    let finished = guest
        .run(invocation, &|stream, line| match stream {
            Stream::Stdout => output.data(line),
            Stream::Stderr => output.complain(line),
        })
        .await?;
    Ok(Code::of_command(finished.code))
}
