//! Arguments of `node`.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum};

/// Arguments of `node`.
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    /// Where to listen; may be repeated; port 0 is any free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    pub(crate) listen: Vec<SocketAddr>,
    /// What stands behind the containers: real LXC, or state only
    #[arg(long, value_enum, default_value_t = Guests::Memory)]
    pub(crate) guests: Guests,
    /// Which Proxmox VE it behaves like
    #[arg(long, value_name = "VERSION", value_parser = ["8.4", "9.2"], default_value = "8.4")]
    pub(crate) version: String,
    /// Folder for uploads, containers and records; needed with `--guests lxc`
    #[arg(long, value_name = "DIR", required_if_eq("guests", "lxc"))]
    pub(crate) data: Option<PathBuf>,
    /// Where every exchange is written, as JSON lines without secrets
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Written, mode 0600, when the node accepts connections: how to reach it
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Serve faults and inspection under `/_sim/` at this address of loopback, and a page to look at
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) sim: Option<SocketAddr>,
    /// Name of the node
    #[arg(long, value_name = "NAME", default_value = "pve1")]
    pub(crate) name: String,
    /// Number from which identifiers and MAC addresses are made
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

/// What stands behind the containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Guests {
    Lxc,
    Memory,
}
