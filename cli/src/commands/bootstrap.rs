//! `bootstrap`: from an empty node to a control plane that deploys itself.

mod told;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, anyhow};
use gitea_api::Secret;
use lxc_layers::{
    event, execute::Seams, guest::OperatorKey, ledger::Provenance, resolve::Desired, spec,
};
use selfhost::{
    bootstrap::{self, Access, Error, Finished, Import, Limits, Names, Readers, Settings, Undone},
    forge::{Embedded, Forge, Gitea, Source},
};

use super::{Outcome, apply};
use crate::{
    args::bootstrap::{BootstrapArgs, ForgeKind},
    blame, connect,
    exit::{Code, Failure},
    fleet::Fleet,
    output::Output,
    settings::Environment,
};

/// Bootstraps.
pub(crate) async fn bootstrap(
    args: &BootstrapArgs,
    environment: &Environment,
    output: &Output,
) -> Outcome {
    let fleet = Fleet::read(&args.fleet, environment).await?;
    let desired = fleet.desired(output)?;
    let forge = forge(args, environment)?;
    let settings = settings(args, environment, &fleet, desired).await?;
    let events = told::events(output);
    if args.dry_run {
        let told = bootstrap::run(settings, forge, events, true).await;
        return finish(told.map_err(failed)?, output);
    }
    let waiting = event::Events::to(told::engine(output));
    let _lock = apply::lock(&fleet, "bootstrap", &waiting).await?;
    if args.undo {
        return undo(args, settings, forge, output).await;
    }
    let work = bootstrap::run(settings, forge, events, false);
    let done = apply::unless_interrupted(work).await?;
    finish(done.map_err(failed)?, output)
}

async fn undo(
    args: &BootstrapArgs,
    settings: Settings,
    forge: Arc<dyn Forge>,
    output: &Output,
) -> Outcome {
    if !args.yes {
        apply::consent("take the control plane away, with every repository in it?")?;
    }
    let events = told::events(output);
    let undone = bootstrap::undo(settings, forge, events).await;
    output.say(match undone.map_err(failed)? {
        Undone::Gone => "the control plane is gone",
        Undone::Nothing => "there is no control plane",
    });
    Ok(Code::Ok)
}

/// Says what was done and, once, how to sign in.
fn finish(done: Finished, output: &Output) -> Outcome {
    if output.is_json() {
        output.json(&done.report)?;
    } else {
        told::show(&done.report, output);
    }
    if let Some(administrator) = &done.credentials {
        // Never part of the report: a report is kept.
        output.complain(&told::credentials(&done.report, administrator));
        done.shown().map_err(failed)?;
    }
    match done.failure {
        None => Ok(Code::Ok),
        Some(error) => Err(failed(error)),
    }
}

fn failed(error: Error) -> Failure {
    let hint = error.hint();
    let failure = Failure::new(blame::code(error.class()), error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn forge(args: &BootstrapArgs, environment: &Environment) -> Result<Arc<dyn Forge>, Failure> {
    if args.forge == ForgeKind::Embedded {
        return Ok(Arc::new(Embedded));
    }
    let named = args.gitea.clone().or_else(|| environment.gitea.clone());
    let named = named.ok_or_else(|| {
        Failure::new(Code::Settings, anyhow!("the program of Gitea is not named")).hint(
            "give --gitea PATH, or --gitea URL --gitea-sha256 HEX; --forge embedded needs none",
        )
    })?;
    let is_address = named.starts_with("https://") || named.starts_with("http://");
    let source = match (is_address, args.gitea_sha256.clone()) {
        (false, None) => Source::Path(named.into()),
        (true, Some(sha256)) if is_sha256(&sha256) => Source::Url { url: named, sha256 },
        (true, _) => {
            let error = anyhow!("an address needs the SHA-256 of what is there");
            return Err(Failure::new(Code::Settings, error).hint("give --gitea-sha256 HEX"));
        }
        (false, Some(_)) => {
            let error = anyhow!("--gitea-sha256 belongs to an address");
            return Err(Failure::new(Code::Settings, error));
        }
    };
    Ok(Arc::new(Gitea::new(source)))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

async fn settings(
    args: &BootstrapArgs,
    environment: &Environment,
    fleet: &Fleet,
    desired: &Desired,
) -> Result<Settings, Failure> {
    let host = connect::host(&args.connect, environment, fleet)?;
    Ok(Settings {
        root: fleet.root.clone(),
        state: fleet.state(),
        desired: desired.clone(),
        seams: Seams::real(host),
        key: key(args, environment, fleet).await?,
        provenance: provenance(fleet),
        program: program(args)?,
        pinned: desired.program.clone().map(|program| program.sha256),
        names: Names {
            organisation: args.organisation.clone(),
            administrator: args.administrator.clone(),
            port: args.port,
        },
        imports: imports(args, fleet)?,
        access: access(args, environment, fleet)?,
        secrets: secrets(fleet),
        limits: Limits::default(),
    })
}

/// The fleet's key. A dry run makes none.
async fn key(
    args: &BootstrapArgs,
    environment: &Environment,
    fleet: &Fleet,
) -> Result<Option<OperatorKey>, Failure> {
    let named = args.key.ssh_key.is_some() || environment.ssh_key.is_some();
    let own = fleet.root.join("ssh.local.key");
    if args.dry_run && !named && !own.exists() {
        return Ok(None);
    }
    apply::key(&args.key, environment, fleet).await.map(Some)
}

/// Where the fleet comes from: its origin, else its folder.
fn provenance(fleet: &Fleet) -> Provenance {
    let known = fleet.checkout.provenance.clone();
    let folder = || Some(format!("file://{}", fleet.root.display()));
    Provenance {
        repository: known.repository.or_else(folder),
        commit: known.commit,
    }
}

fn program(args: &BootstrapArgs) -> Result<PathBuf, Failure> {
    match &args.program {
        Some(program) => Ok(program.clone()),
        None => Ok(std::env::current_exe().context("looking for this program's own file")?),
    }
}

/// The fleet's repository, and the project's own.
fn imports(args: &BootstrapArgs, fleet: &Fleet) -> Result<Vec<Import>, Failure> {
    let source = match &args.source {
        Some(source) => std::path::absolute(source).context("naming the project's clone")?,
        None => own_source()?,
    };
    let import = |name: &str, folder: &Path, readers| Import {
        name: name.to_owned(),
        folder: folder.to_owned(),
        readers,
    };
    Ok(vec![
        import("fleet", &fleet.root, Readers::Members),
        import("proxmox-ci", &source, Readers::All),
    ])
}

/// The clone that this program was built in, found above its own file.
fn own_source() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().context("looking for this program's own file")?;
    let is_source = |folder: &&Path| {
        folder.join(".git").exists() && folder.join("selfhost/Cargo.toml").is_file()
    };
    let found = own.ancestors().find(is_source).map(Path::to_owned);
    found.ok_or_else(|| {
        let error = anyhow!("this program does not lie in a clone of its own repository");
        Failure::new(Code::Settings, error)
            .hint("give --source DIR: a clone of it, which the control plane will hold")
    })
}

fn access(
    args: &BootstrapArgs,
    environment: &Environment,
    fleet: &Fleet,
) -> Result<Access, Failure> {
    let reached = connect::reached(&args.connect, environment, fleet)?;
    let authority = match &reached.ca_file {
        Some(file) if reached.fingerprint.is_none() => {
            let read = fs::read_to_string(file);
            let read = read.with_context(|| format!("reading `{}`", file.display()));
            Some(read.map_err(|error| Failure::new(Code::Settings, error))?)
        }
        _ => None,
    };
    let token = connect::token_text(&reached.token_file)?;
    Ok(Access {
        endpoint: args.endpoint.clone().unwrap_or(reached.url),
        fingerprint: reached.fingerprint,
        authority,
        token: Secret::new(token),
    })
}

fn secrets(fleet: &Fleet) -> std::collections::BTreeMap<String, Secret> {
    let (read, _) = spec::read(&fleet.tree);
    let named = read.secrets.into_iter();
    named
        .map(|(name, secret)| (name, Secret::new(secret.value.reveal())))
        .collect()
}
