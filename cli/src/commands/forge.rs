//! `forge`: a Gitea of our own, until a signal ends it.

use testkit::forge::{Error, Forge, ForgeOptions};
use tokio::signal::unix::{SignalKind, signal};

use super::Outcome;
use crate::{
    args::forge::ForgeArgs,
    exit::{Code, Failure},
    output::Output,
};

/// Serves until SIGINT or SIGTERM.
pub(crate) async fn forge(args: ForgeArgs, output: &Output) -> Outcome {
    let mut terminate = signal(SignalKind::terminate()).map_err(anyhow::Error::from)?;
    let tls = args.tls.and_then(|files| <[_; 2]>::try_from(files).ok());
    let options = ForgeOptions {
        listen: args.listen,
        data: args.data,
        version: args.version,
        root_user: args.root_user,
        root_email: args.root_email,
        tls: tls.map(|[certificate, key]| (certificate, key)),
        journal: args.journal,
        ready_file: args.ready_file,
        sim: args.sim,
    };
    let forge = Forge::start_with(options).await.map_err(refusal)?;
    output.say(&format!("serving a Gitea at {}", forge.url()));
    tokio::select! {
        _ = terminate.recv() => {}
        // Without a handler for it the signal ends the process anyway.
        _ = tokio::signal::ctrl_c() => {}
    }
    forge.stop().await;
    Ok(Code::Ok)
}

fn refusal(error: Error) -> Failure {
    let code = match &error {
        Error::InUse(_) => Code::Busy,
        Error::File { .. } => Code::CannotWrite,
        Error::Certificate(..) | Error::Version(_) | Error::NoSim => Code::Settings,
        Error::Listen { .. } => Code::Unavailable,
        _ => Code::Unexpected,
    };
    Failure::new(code, error)
}
