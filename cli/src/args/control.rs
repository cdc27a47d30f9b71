//! Arguments of the commands that speak with a control plane: its runs, their logs, its health, its
//! own program.

use std::path::PathBuf;

use clap::Args;

use super::{ConnectArgs, FleetArgs, fleet::KeyArgs};

/// How to reach the Git service of the control plane. Flags win over the environment, the environment
/// over `forge.local.toml` of the fleet.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Git service")]
pub(crate) struct ServiceArgs {
    /// Its address, such as `https://10.0.0.100` [env: `PROXMOX_CI_FORGE_URL`]
    #[arg(long, value_name = "URL")]
    pub(crate) forge_url: Option<String>,
    /// SHA-256 fingerprint of its certificate [env: `PROXMOX_CI_FORGE_FINGERPRINT`]
    #[arg(long, value_name = "SHA256", conflicts_with = "forge_ca_file")]
    pub(crate) forge_fingerprint: Option<String>,
    /// Certificate authority that signed its certificate, PEM [env: `PROXMOX_CI_FORGE_CA_FILE`]
    #[arg(long, value_name = "FILE")]
    pub(crate) forge_ca_file: Option<PathBuf>,
    /// File that holds an access token, mode 0600 [env: `PROXMOX_CI_FORGE_TOKEN_FILE`]
    #[arg(long, value_name = "FILE")]
    pub(crate) forge_token_file: Option<PathBuf>,
    /// The fleet's repository there, `OWNER/NAME` [default: `proxmox-ci/fleet`]
    #[arg(long, value_name = "OWNER/NAME")]
    pub(crate) repository: Option<String>,
}

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// How many, the newest first
    #[arg(long, short = 'n', value_name = "N", default_value = "20")]
    pub(crate) limit: usize,
    /// Only runs of this branch
    #[arg(long)]
    pub(crate) branch: Option<String>,
    /// Only runs of this workflow file, such as `pipeline.yml`
    #[arg(long, value_name = "FILE")]
    pub(crate) workflow: Option<String>,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The run, as `runs` numbers it [default: the newest]
    pub(crate) run: Option<i64>,
    /// Only the job of this name
    #[arg(long, value_name = "NAME")]
    pub(crate) job: Option<String>,
    /// Go on until the run is over; end with 3 when it did not go well
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Seconds after which `--follow` gives up
    #[arg(long, value_name = "SECONDS", default_value = "7200")]
    pub(crate) within: u64,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// Arguments of `upkeep`.
#[derive(Debug, Args)]
pub(crate) struct UpkeepArgs {
    /// Try a build again that was put back
    #[arg(long)]
    pub(crate) again: bool,
    /// Carry out an order that was left, on the control plane itself
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) settle: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}
