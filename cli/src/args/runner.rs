//! Arguments of `runner`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The verbs of `runner`.
#[derive(Debug, Subcommand)]
pub(crate) enum RunnerCommand {
    /// Make this machine known to a Git service as a runner
    Register(RegisterArgs),
    /// Take jobs and carry them out, until a signal says to stop
    ///
    /// SIGTERM and SIGINT stop running jobs and report them as cancelled; SIGUSR1 lets them end
    /// first and takes no more. After a kill, the next start reports what was held: results as they
    /// were, a job that was cut short as failed.
    Run(RunArgs),
}

/// Arguments of `runner register`.
#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    /// Address of the Git service, such as `https://10.0.0.2:3000`
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,
    /// File with the registration token [env: `PROXMOX_CI_RUNNER_TOKEN` holds the token itself]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Name of the runner [default: the host's name]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Labels of the jobs that it takes, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "lxc")]
    pub(crate) labels: Vec<String>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
}

/// Whom to trust as the Git service.
#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// SHA-256 fingerprint of the service's certificate
    #[arg(long, value_name = "SHA256", conflicts_with = "ca_file")]
    pub(crate) fingerprint: Option<String>,
    /// Certificate authority that signed the service's certificate, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// Arguments of `runner run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// How many jobs to carry out at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) capacity: u16,
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
}

/// Where a runner keeps what it knows of itself, and its jobs.
#[derive(Debug, Args)]
pub(crate) struct FolderArgs {
    /// The runner's own folder
    #[arg(long, value_name = "DIR", default_value = "/var/lib/proxmox-ci/runner")]
    pub(crate) dir: PathBuf,
}
