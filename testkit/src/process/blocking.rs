//! Programs for those who wait on a thread of their own: git, for the Gitea side.

use std::process::Command;

/// A program to start; the caller says what of the environment it gets, and bounds it.
#[expect(
    clippy::disallowed_methods,
    reason = "this folder is where programs are started"
)]
pub(crate) fn program(name: &str) -> Command {
    Command::new(name)
}
