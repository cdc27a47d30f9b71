//! Arguments of `bootstrap`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{ConnectArgs, FleetArgs, fleet::KeyArgs};

/// Which Git service the control plane runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ForgeKind {
    /// Gitea, from its published program
    Gitea,
    /// This program itself: for places without a network, and for demonstrations
    Embedded,
}

/// Arguments of `bootstrap`.
#[derive(Debug, Args)]
pub(crate) struct BootstrapArgs {
    /// Print every stage and call, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Take the control plane away again, with everything in it
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) undo: bool,
    /// Do not ask before the control plane is taken away
    #[arg(long, short, requires = "undo")]
    pub(crate) yes: bool,
    /// The Git service
    #[arg(long, value_enum, value_name = "KIND", default_value_t = ForgeKind::Gitea)]
    pub(crate) forge: ForgeKind,
    /// The program of Gitea: a path, or an address together with --gitea-sha256
    /// [env: `PROXMOX_CI_GITEA`]
    #[arg(long, value_name = "PATH|URL")]
    pub(crate) gitea: Option<String>,
    /// SHA-256 of what is at the address
    #[arg(long, value_name = "HEX", requires = "gitea")]
    pub(crate) gitea_sha256: Option<String>,
    /// A clone of this project's own repository, to be imported [default: the one that this program
    /// was built in]
    #[arg(long, value_name = "DIR")]
    pub(crate) source: Option<PathBuf>,
    /// The program to install in the control plane [default: this one]
    #[arg(long, value_name = "FILE")]
    pub(crate) program: Option<PathBuf>,
    /// Address of the Proxmox VE API as the control plane reaches it [default: the one that is used
    /// here]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// The organisation that holds the repositories
    #[arg(long, value_name = "NAME", default_value = "proxmox-ci")]
    pub(crate) organisation: String,
    /// The first administrator of the Git service
    #[arg(long, value_name = "NAME", default_value = "operator")]
    pub(crate) administrator: String,
    /// The port of the Git service on the container's address
    #[arg(long, value_name = "PORT", default_value_t = 3000)]
    pub(crate) port: u16,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}
