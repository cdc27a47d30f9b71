//! `proxmox-ci`: arguments in, one library call, words out.

mod args;
mod blame;
mod commands;
mod connect;
mod exit;
mod fleet;
mod output;
mod progress;
mod settings;

use std::process::ExitCode;

use crate::{args::Cli, output::Output, settings::Environment};

#[tokio::main]
async fn main() -> ExitCode {
    let environment = Environment::read();
    let cli = match Cli::read(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let output = Output::new(&cli.global, &environment);
    match commands::run(cli, &environment, &output).await {
        Ok(code) => code.into(),
        Err(failure) => output.failure(&failure).into(),
    }
}
