//! One file a command: arguments in, one library call, words out.

mod apply;
mod bootstrap;
mod check;
mod config;
mod destroy;
mod doctor;
mod exec;
mod explain;
mod forge;
mod init;
mod local;
mod logs;
mod node;
mod plan;
mod runner;
mod runs;
mod schema;
mod shell;
mod status;
mod upkeep;

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
    match cli.command {
        Command::Init(args) => init::init(&args, environment, output),
        Command::Bootstrap(args) => bootstrap::bootstrap(&args, environment, output).await,
        Command::Check(args) => check::check(&args, environment, output).await,
        Command::Plan(args) => plan::plan(&args, environment, output).await,
        Command::Apply(args) => apply::apply(&args, environment, output).await,
        Command::Status(args) => status::status(&args, environment, output).await,
        Command::Exec(args) => exec::exec(&args, environment, output).await,
        Command::Destroy(args) => destroy::destroy(&args, environment, output).await,
        Command::Config(args) => config::config(&args, environment, output).await,
        Command::Explain(args) => explain::explain(&args, output),
        Command::Schema(args) => schema::schema(&args, environment, output),
        Command::Local(args) => local::local(&args, environment, output).await,
        Command::Runs(args) => runs::runs(&args, environment, output).await,
        Command::Logs(args) => logs::logs(&args, environment, output).await,
        Command::Doctor(args) => doctor::doctor(&args, environment, output).await,
        Command::Upkeep(args) => upkeep::upkeep(&args, environment, output).await,
        Command::Forge(args) => forge::forge(args, output).await,
        Command::Node(args) => node::run(args, output).await,
        Command::Runner(command) => runner::runner(command, environment, output).await,
        Command::Completions(args) => shell::completions(&args, environment, output),
        Command::Man(args) => shell::man(&args, output),
    }
}
