//! Flags, environment and `forge.local.toml` become a client of the control plane's Git service.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use gitea_api::{Auth, Client, RepoPath, Secret, tls::Trust};
use selfhost::upkeep::Service as Reached;
use serde::Deserialize;

use super::forge::failed;
use crate::{
    args::control::ServiceArgs,
    exit::{Code, Failure},
    settings::Environment,
};

/// The file in the fleet that tells how its Git service is reached; `bootstrap` writes it.
const FILE: &str = "forge.local.toml";

/// The fleet's repository, where nobody says another.
const REPOSITORY: &str = "proxmox-ci/fleet";

/// `forge.local.toml`: paths count from the fleet's folder.
#[derive(Debug, Default, Deserialize)]
struct Written {
    url: Option<String>,
    fingerprint: Option<String>,
    ca_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    repository: Option<String>,
}

/// The Git service of a control plane, and as whom it is asked.
#[derive(Debug)]
pub(crate) struct Service {
    /// Its client.
    pub(crate) client: Client,
    /// The token with which the client asks.
    pub(crate) token: Option<Secret>,
    /// Where it is, and how it proves itself.
    pub(crate) reached: Reached,
    /// The fleet's repository there.
    pub(crate) repository: RepoPath,
}

/// The Git service that flags, environment and `forge.local.toml` in `fleet` describe.
pub(crate) fn service(
    args: &ServiceArgs,
    environment: &Environment,
    fleet: &Path,
) -> Result<Service, Failure> {
    let asked = environment.service(args);
    let written = read(&fleet.join(FILE))?;
    let below = |path: Option<PathBuf>| {
        path.map(|path| fleet.join(environment.expand(&path.to_string_lossy())))
    };
    let url = asked.forge_url.or(written.url).ok_or_else(missing)?;
    let from_file = asked.forge_fingerprint.is_none() && asked.forge_ca_file.is_none();
    let (fingerprint, ca_file) = if from_file {
        (written.fingerprint, below(written.ca_file))
    } else {
        (asked.forge_fingerprint, asked.forge_ca_file)
    };
    let token_file = asked.forge_token_file.or_else(|| below(written.token_file));
    let token = token_file.as_deref().map(token).transpose()?;
    let repository = asked.repository.or(written.repository);
    let repository = repository.unwrap_or_else(|| REPOSITORY.to_owned());
    let repository = repository
        .parse()
        .with_context(|| format!("reading the repository `{repository}`"))
        .map_err(settings)?;
    let reached = Reached { url, fingerprint };
    let auth = token.clone().map_or(Auth::Anonymous, Auth::Token);
    Ok(Service {
        client: client(&reached, ca_file, auth)?,
        token,
        reached,
        repository,
    })
}

/// A client of a service, as `auth`.
pub(crate) fn client(
    service: &Reached,
    ca_file: Option<PathBuf>,
    auth: Auth,
) -> Result<Client, Failure> {
    let trust = match (&service.fingerprint, ca_file) {
        (Some(print), _) => Trust::Pin(
            print
                .parse()
                .with_context(|| format!("reading the fingerprint `{print}`"))
                .map_err(settings)?,
        ),
        (None, Some(file)) => Trust::CaFile(file),
        (None, None) => Trust::SystemRoots,
    };
    let built = Client::builder(&service.url)
        .trust(trust)
        .auth(auth)
        .build();
    built.map_err(failed)
}

fn read(path: &Path) -> Result<Written, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Written::default()),
        Err(error) => {
            let reading = format!("reading `{}`", path.display());
            return Err(settings(anyhow::Error::new(error).context(reading)));
        }
    };
    toml::from_str(&text)
        .with_context(|| format!("reading `{}`", path.display()))
        .map_err(settings)
}

fn token(path: &Path) -> Result<Secret, Failure> {
    let reading = || format!("reading the access token in `{}`", path.display());
    let about = fs::metadata(path).with_context(reading).map_err(settings)?;
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = path.display();
        let error = anyhow!("the token file `{path}` has mode {mode:04o}: others can read it");
        return Err(settings(error).hint(format!("chmod 600 {path}")));
    }
    let text = fs::read_to_string(path)
        .with_context(reading)
        .map_err(settings)?;
    Ok(Secret::new(text.trim()))
}

fn missing() -> Failure {
    let error = anyhow!("the address of the Git service is not set");
    settings(error).hint(format!(
        "`proxmox-ci bootstrap` writes it into {FILE}; or give --forge-url"
    ))
}

fn settings(error: anyhow::Error) -> Failure {
    Failure::new(Code::Settings, error)
}
