//! `completions` and `man`: what a shell and a reader need, made from the arguments themselves.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;

use super::Outcome;
use crate::{
    args::{
        Cli,
        shell::{CompletionsArgs, ManArgs},
    },
    exit::{Code, Failure},
    output::Output,
    settings::Environment,
};

/// Where each shell looks for what it completes, below a prefix.
const PLACES: [(Shell, &str); 3] = [
    (Shell::Bash, "share/bash-completion/completions/proxmox-ci"),
    (
        Shell::Fish,
        "share/fish/vendor_completions.d/proxmox-ci.fish",
    ),
    (Shell::Zsh, "share/zsh/site-functions/_proxmox-ci"),
];

/// Prints the completion script of a shell, or installs all there is.
pub(crate) fn completions(
    args: &CompletionsArgs,
    environment: &Environment,
    output: &Output,
) -> Outcome {
    if let Some(shell) = args.shell {
        output.raw(&script(shell));
        return Ok(Code::Ok);
    }
    let home = environment.home.as_ref().map(|home| home.join(".local"));
    let Some(prefix) = args.prefix.clone().or(home) else {
        let error = anyhow!("HOME is not set, so there is no `~/.local` to install below");
        return Err(Failure::new(Code::Settings, error).hint("give --prefix DIR"));
    };
    let installed = install(&prefix).map_err(|error| Failure::new(Code::CannotWrite, error))?;
    if output.is_json() {
        output.json(&json!({ "files": installed }))?;
        return Ok(Code::Ok);
    }
    let lines: Vec<String> = installed
        .iter()
        .map(|it| it.display().to_string())
        .collect();
    output.data(&lines.join("\n"));
    if args.prefix.is_none() {
        output.say(&format!(
            "bash and fish find theirs; for zsh write `fpath+={}/share/zsh/site-functions` before \
             `compinit` in ~/.zshrc",
            prefix.display()
        ));
    }
    Ok(Code::Ok)
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "proxmox-ci", &mut script);
    script
}

fn install(prefix: &Path) -> Result<Vec<PathBuf>, anyhow::Error> {
    let mut installed = Vec::new();
    for (shell, place) in PLACES {
        let path = prefix.join(place);
        if let Some(folder) = path.parent() {
            make(folder)?;
        }
        fs::write(&path, script(shell)).with_context(|| format!("writing `{}`", path.display()))?;
        installed.push(path);
    }
    let pages = prefix.join("share/man/man1");
    write_pages(&pages)?;
    installed.push(pages);
    Ok(installed)
}

/// Writes `proxmox-ci.1` and a page for each command, those of commands below others too.
pub(crate) fn man(args: &ManArgs, output: &Output) -> Outcome {
    write_pages(&args.dir).map_err(|error| Failure::new(Code::CannotWrite, error))?;
    output.say(&format!("man pages written to {}", args.dir.display()));
    Ok(Code::Ok)
}

fn write_pages(folder: &Path) -> Result<(), anyhow::Error> {
    make(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("writing man pages into `{}`", folder.display()))
}

fn make(folder: &Path) -> Result<(), anyhow::Error> {
    fs::create_dir_all(folder).with_context(|| format!("making the folder `{}`", folder.display()))
}
