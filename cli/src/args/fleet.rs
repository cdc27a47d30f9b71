//! Arguments of the commands that work on a fleet.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, ValueEnum};
use lxc_layers::event::Layer as Of;

use super::{ConnectArgs, FleetArgs};

/// One of the three layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layer {
    /// Parse, resolve, lint, observe, plan
    #[value(name = "container-init")]
    Init,
    /// Create or change the container, start it, reach it, run the base role
    #[value(name = "container-default")]
    Default,
    /// Run the provisioners of the service, then its gate
    #[value(name = "container-configuration")]
    Configuration,
}

impl From<Layer> for Of {
    fn from(layer: Layer) -> Self {
        match layer {
            Layer::Init => Self::Init,
            Layer::Default => Self::Default,
            Layer::Configuration => Self::Configuration,
        }
    }
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder to fill; made when it is missing [default: the fleet repository]
    pub(crate) dir: Option<PathBuf>,
    /// With a control plane: the container that will hold this repository and run its workflows.
    /// In a folder that holds a fleet already, only its files are added
    #[arg(long)]
    pub(crate) control_plane: bool,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

/// Which containers of the fleet a command is about.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SelectionArgs {
    /// Only these containers [default: all]. One of them is refused while another that it comes
    /// AFTER is left out and not whole
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// The named ones, and all that they come AFTER
    #[arg(long, requires = "names")]
    pub(crate) with_dependencies: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Exit with 2 when there are changes
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Append the hash of each later layer to this file, as LAYER=HASH, for `apply --expect`
    #[arg(long, value_name = "FILE")]
    pub(crate) hashes: Option<PathBuf>,
    /// Answer in Markdown, for a pull request
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,
    /// Enter the running guests and let each provisioner of the plan say what it would change
    /// (Ansible: `--check --diff`, Cinc: `--why-run`; a script has no such mode and is not run)
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Do not ask before something is changed
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Only this layer; the gate of the one before is verified on the guests [default: all three]
    #[arg(long, value_enum, value_name = "LAYER")]
    pub(crate) layer: Option<Layer>,
    /// The hash that container-init gave for this layer: refuse when its actions are others now
    #[arg(long, value_name = "HASH", requires = "layer")]
    pub(crate) expect: Option<String>,
    /// How many containers of one node are worked on at the same time
    #[arg(long, value_name = "N", default_value = "4")]
    pub(crate) parallel: NonZeroUsize,
    /// Do only what goes through the API; what happens inside guests is left out, by name
    #[arg(long)]
    pub(crate) outside_only: bool,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// The key by which guests are entered.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct KeyArgs {
    /// Private ssh key by which guests are entered [default: `ssh.local.key` of the fleet, made when
    /// it is first needed; env: `PROXMOX_CI_SSH_KEY`]
    #[arg(long, value_name = "FILE")]
    pub(crate) ssh_key: Option<PathBuf>,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Only these containers [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// Arguments of `exec`.
#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// The container
    pub(crate) name: String,
    /// The command, as an argument vector; its exit code becomes ours
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
    /// Seconds that the command may take
    #[arg(long, value_name = "SECONDS", default_value = "3600")]
    pub(crate) within: u64,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// Arguments of `destroy`.
#[derive(Debug, Args)]
pub(crate) struct DestroyArgs {
    /// The containers: of the fleet, or left over from it. Those that come AFTER others go first
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// Arguments of `config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The container whose values are shown, each with the place it came from
    #[arg(long, value_name = "NAME", required_unless_present = "keys")]
    pub(crate) explain: Option<String>,
    /// Every key that a container may have; with `--json` the schema of `container.toml`
    #[arg(long, conflicts_with = "explain")]
    pub(crate) keys: bool,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}
