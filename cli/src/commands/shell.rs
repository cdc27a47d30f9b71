//! `completions` and `man`: what a shell and a reader need, made from the arguments themselves.

use std::{fs, path::Path};

use anyhow::Context;
use clap::CommandFactory;

use super::Outcome;
use crate::{
    args::{
        Cli,
        shell::{CompletionsArgs, ManArgs},
    },
    exit::Code,
    output::Output,
};

/// Prints the completion script of a shell.
pub(crate) fn completions(args: &CompletionsArgs, output: &Output) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "proxmox-ci", &mut script);
    output.raw(&script);
    Ok(Code::Ok)
}

/// Writes `proxmox-ci.1` and a page for each command.
pub(crate) fn man(args: &ManArgs, output: &Output) -> Outcome {
    fs::create_dir_all(&args.dir)
        .with_context(|| format!("making the folder `{}`", args.dir.display()))?;
    let mut root = Cli::command();
    root.build();
    write_page(&args.dir, &root)?;
    for command in root
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
    {
        write_page(&args.dir, command)?;
    }
    output.say(&format!("man pages written to {}", args.dir.display()));
    Ok(Code::Ok)
}

fn write_page(dir: &Path, command: &clap::Command) -> Result<(), anyhow::Error> {
    let page = clap_mangen::Man::new(command.clone());
    let path = dir.join(page.get_filename());
    let mut text = Vec::new();
    page.render(&mut text).context("rendering a man page")?;
    fs::write(&path, text).with_context(|| format!("writing `{}`", path.display()))
}
