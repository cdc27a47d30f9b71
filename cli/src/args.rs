//! What was typed, as close to the flags as possible.

pub(crate) mod bootstrap;
pub(crate) mod control;
pub(crate) mod fleet;
pub(crate) mod forge;
pub(crate) mod keys;
pub(crate) mod local;
pub(crate) mod node;
pub(crate) mod runner;
pub(crate) mod shell;

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::exit;

/// A Git repository becomes running Linux containers on Proxmox VE, and deploys itself the same way.
#[derive(Debug, Parser)]
#[command(
    name = "proxmox-ci",
    version,
    about,
    after_long_help = exit::HELP,
    max_term_width = 100,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Reads the command line; what clap itself says follows `--color` too.
    pub(crate) fn read(words: Vec<OsString>) -> Result<Self, clap::Error> {
        let command = Self::command().color(asked(&words));
        Self::from_arg_matches(&command.try_get_matches_from(words)?)
    }
}

/// What `--color` asks for, found without parsing: the line may be a wrong one, or ask for help.
fn asked(words: &[OsString]) -> clap::ColorChoice {
    let ours = words.iter().take_while(|word| *word != "--");
    let mut words = ours.filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        let chosen = match word {
            "--color" => words.next(),
            word => word.strip_prefix("--color="),
        };
        match chosen {
            Some("always") => return clap::ColorChoice::Always,
            Some("never") => return clap::ColorChoice::Never,
            _ => {}
        }
    }
    clap::ColorChoice::Auto
}

/// Where the help of each command lists what every command takes.
const GENERAL: &str = "General";

/// Flags that every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Answer in JSON on standard output
    #[arg(long, global = true, help_heading = GENERAL)]
    pub(crate) json: bool,
    /// Colour words: on a terminal, always or never (`NO_COLOR` is honoured)
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN", help_heading = GENERAL)]
    pub(crate) color: Colour,
    /// Say only what went wrong
    #[arg(long, short, global = true, help_heading = GENERAL)]
    pub(crate) quiet: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    Auto,
    Always,
    Never,
}

/// Which fleet repository a command works on.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct FleetArgs {
    /// The fleet repository [default: the current directory; env: `PROXMOX_CI_FLEET`]
    #[arg(long, value_name = "DIR")]
    pub(crate) fleet: Option<PathBuf>,
    /// Where journal and lock are kept [default: `.proxmox-ci` in the fleet; env: `PROXMOX_CI_STATE`]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

/// How to reach the Proxmox VE API. Flags win over the environment, the environment over
/// `fleet.local.toml`.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectArgs {
    /// Address of the API, such as `https://pve1:8006` [env: `PROXMOX_CI_URL`]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// SHA-256 fingerprint of the server's certificate [env: `PROXMOX_CI_FINGERPRINT`]
    #[arg(long, value_name = "SHA256", conflicts_with = "ca_file")]
    pub(crate) fingerprint: Option<String>,
    /// Certificate authority that signed the server's certificate, PEM [env: `PROXMOX_CI_CA_FILE`]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// File that holds the API token, `USER@REALM!ID=SECRET`, mode 0600 [env: `PROXMOX_CI_TOKEN_FILE`]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a fleet repository that passes `check`
    Init(fleet::InitArgs),
    /// Make the control plane of a fleet: a container with a Git service that deploys the fleet, and
    /// itself
    Bootstrap(Box<bootstrap::BootstrapArgs>),
    /// Say everything that is wrong with a fleet repository, without asking any server
    Check(fleet::CheckArgs),
    /// Show what would be done
    Plan(fleet::PlanArgs),
    /// Make the world what the fleet says, layer by layer
    Apply(fleet::ApplyArgs),
    /// Show what stands there now
    Status(fleet::StatusArgs),
    /// Run a command in a container
    Exec(fleet::ExecArgs),
    /// Destroy containers of the fleet, and no others
    Destroy(fleet::DestroyArgs),
    /// Try one container in Docker or Podman, without a node
    Local(local::LocalArgs),
    /// Show each value of a container, and where it came from
    Config(fleet::ConfigArgs),
    /// Tell what a key of `config.env`, `container.toml` or `fleet.toml` means
    Explain(keys::ExplainArgs),
    /// Write the JSON schema of a file, for editors and programs
    Schema(keys::SchemaArgs),
    /// List the runs of the fleet's workflows
    Runs(control::RunsArgs),
    /// Show what the jobs of a run printed
    Logs(control::LogsArgs),
    /// Look whether the control plane is well, and say what to do where it is not
    Doctor(control::DoctorArgs),
    /// Give the control plane the build of this program that the fleet pins
    Upkeep(control::UpkeepArgs),
    /// Serve a Gitea: to test against, or, with a folder, to keep repositories and run workflows
    Forge(forge::ForgeArgs),
    /// Run a Proxmox VE API on this machine, with real or simulated containers
    #[command(disable_version_flag = true)]
    Node(node::NodeArgs),
    /// Carry out the jobs of a Git service on this machine
    #[command(subcommand)]
    Runner(runner::RunnerCommand),
    /// Write shell completions to standard output, or install them with the man pages
    Completions(shell::CompletionsArgs),
    /// Write a man page for each command into a folder
    Man(shell::ManArgs),
}
