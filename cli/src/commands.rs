//! One file a command: arguments in, one library call, words out.

mod forge;
mod node;
mod shell;

use crate::{
    args::{Cli, Command},
    exit::{Code, Failure},
    output::Output,
    settings::Environment,
};

/// What a command ends with.
pub(crate) type Outcome = Result<Code, Failure>;

/// Runs the command that was typed.
pub(crate) async fn run(cli: Cli, environment: &Environment, output: &Output) -> Outcome {
    let _ = environment;
    match cli.command {
        Command::Forge(args) => forge::forge(args, output).await,
        Command::Node(args) => node::run(args, output).await,
        Command::Completions(args) => shell::completions(&args, output),
        Command::Man(args) => shell::man(&args, output),
    }
}
