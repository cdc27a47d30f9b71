//! Arguments of the commands that serve the shell: completions and man pages.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell that shall complete
    #[arg(required_unless_present = "install")]
    pub(crate) shell: Option<Shell>,
    /// Install the completions of bash, fish and zsh, and the man pages, where these look for them
    #[arg(long, conflicts_with = "shell")]
    pub(crate) install: bool,
    /// Below which folder to install; `/usr/local` is for everybody [default: `~/.local`]
    #[arg(long, value_name = "DIR", requires = "install")]
    pub(crate) prefix: Option<PathBuf>,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The folder, made when it is missing
    pub(crate) dir: PathBuf,
}
