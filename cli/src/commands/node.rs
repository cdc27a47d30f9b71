//! `node`: a Proxmox VE API on this machine, until it is told to stop.

use std::path::Path;

use anyhow::Context;
use testkit::{
    node::{GuestKind, Node, NodeOptions},
    pve::Setup,
};
use tokio::signal::unix::{SignalKind, signal};

use super::Outcome;
use crate::{
    args::node::{Guests, NodeArgs},
    exit::{Code, Failure},
    output::Output,
};

/// Runs a node until SIGTERM or SIGINT.
pub(crate) async fn run(args: NodeArgs, output: &Output) -> Outcome {
    if args.sim.is_some_and(|address| !address.ip().is_loopback()) {
        let error = anyhow::anyhow!("`--sim` listens on loopback only");
        return Err(Failure::new(Code::Usage, error).hint("give it an address such as 127.0.0.1:0"));
    }
    let mut terminate = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("watching for SIGINT")?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    output.say("starting the node; SIGTERM or Ctrl-C stops it");
    let told = args.ready_file.clone();
    let failed = |error| Failure::new(Code::Unexpected, error);
    let node = Node::start(options(args)?).await.map_err(failed)?;
    output.say(&started(&node, told.as_deref()));
    shutdown.await;
    node.stop().await.map_err(failed)?;
    Ok(Code::Ok)
}

/// Where it is, what to trust, and where to look at it.
fn started(node: &Node, told: Option<&Path>) -> String {
    let mut lines = vec![
        format!(
            "serving Proxmox VE `{}` at {}",
            node.name(),
            node.urls().join(" and ")
        ),
        format!("  fingerprint {}", node.fingerprint()),
    ];
    lines.push(match told {
        Some(file) => format!("  token and password: in {}", file.display()),
        None => "  token and password: nobody was told; --ready-file FILE writes them".to_owned(),
    });
    if let Some(page) = node.page() {
        lines.push(format!("  look at it: {page}"));
    }
    lines.join("\n")
}

fn options(args: NodeArgs) -> Result<NodeOptions, Failure> {
    let version = args.version.parse().map_err(anyhow::Error::msg)?;
    let mut setup = Setup::with_fresh_secrets();
    setup.version = version;
    setup.node = args.name;
    setup.slow_refusals = args.guests == Guests::Lxc;
    setup.seed = args.seed.unwrap_or(setup.seed);
    Ok(NodeOptions {
        listen: args.listen,
        guests: match args.guests {
            Guests::Lxc => GuestKind::Lxc,
            Guests::Memory => GuestKind::Memory,
        },
        data: args.data,
        journal: args.journal,
        ready_file: args.ready_file,
        sim: args.sim,
        setup,
    })
}
