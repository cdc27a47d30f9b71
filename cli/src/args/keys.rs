//! Arguments of the commands that tell of the written form: `explain` and `schema`.

use clap::{Args, ValueEnum};
use lxc_layers::spec::keys::File;

use super::FleetArgs;

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The key, such as `MEMORY`, `mount` or `network.subnet` [default: a list of all]
    pub(crate) key: Option<String>,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// What the schema is of
    #[arg(value_enum, required_unless_present = "write")]
    pub(crate) of: Option<Subject>,
    /// Write the schemas of all files into `.proxmox-ci/` of the fleet, where `#:schema` finds them
    #[arg(long, conflicts_with = "of")]
    pub(crate) write: bool,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

/// What a schema is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subject {
    /// A container in its rich form
    #[value(name = "container.toml")]
    Container,
    /// The fleet's own file
    #[value(name = "fleet.toml")]
    Fleet,
    /// How a machine reaches Proxmox VE
    #[value(name = "fleet.local.toml")]
    Connection,
    /// What `plan --json` answers
    #[value(name = "plan")]
    Plan,
}

impl Subject {
    /// The file it is, where it is one that people write.
    pub(crate) const fn file(self) -> Option<File> {
        match self {
            Self::Container => Some(File::Container),
            Self::Fleet => Some(File::Fleet),
            Self::Connection => Some(File::Connection),
            Self::Plan => None,
        }
    }
}
