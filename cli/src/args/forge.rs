//! Arguments of the command that serves a Gitea.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

/// Arguments of `forge`.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(crate) struct ForgeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Keep everything in this folder; without it all is gone at the end
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The release of Gitea to play: 1.24 to 1.27
    #[arg(
        id = "release",
        long = "version",
        value_name = "VERSION",
        default_value = "1.26"
    )]
    pub(crate) version: String,
    /// Login of the site administrator of a new folder
    #[arg(long, value_name = "NAME", default_value = "root1")]
    pub(crate) root_user: String,
    /// Mail address of the site administrator of a new folder
    #[arg(long, value_name = "MAIL", default_value = "root1@forge.internal")]
    pub(crate) root_email: String,
    /// Serve TLS with this certificate chain and private key, both PEM
    #[arg(long, num_args = 2, value_names = ["CERT", "KEY"])]
    pub(crate) tls: Option<Vec<PathBuf>>,
    /// Write every exchange, without secrets, as a JSON line
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Write address and credentials as one JSON line, mode 0600, once it listens
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Offer faults and inspection under `/_sim/` on a listener of their own
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) sim: Option<SocketAddr>,
}
