//! Settings become clients: the only place that names the API crates.

pub(crate) mod forge;
pub(crate) mod service;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, anyhow};
use lxc_layers::{
    host::{Host, ProxmoxHost},
    plan::Identity,
};
use proxmox_api::{ApiToken, Client, Tls};

use crate::{
    args::ConnectArgs,
    exit::{Code, Failure},
    fleet::Fleet,
    settings::Environment,
};

/// How Proxmox VE is reached, joined from flags, environment and `fleet.local.toml`.
#[derive(Debug)]
pub(crate) struct Reached {
    /// The address of its API.
    pub(crate) url: String,
    /// SHA-256 of its certificate, where it is pinned.
    pub(crate) fingerprint: Option<String>,
    /// The authority that signed it, where one is named.
    pub(crate) ca_file: Option<PathBuf>,
    /// The file that holds the token.
    pub(crate) token_file: PathBuf,
}

/// How flags, environment and `fleet.local.toml` say that Proxmox VE is reached.
pub(crate) fn reached(
    args: &ConnectArgs,
    environment: &Environment,
    fleet: &Fleet,
) -> Result<Reached, Failure> {
    let asked = environment.connection(args);
    let said = &fleet.connection;
    let written = |value: &Option<lxc_layers::diagnostic::Located<String>>| {
        value.as_ref().map(|located| located.value.clone())
    };
    let url = asked.url.or_else(|| written(&said.url)).ok_or_else(|| {
        missing(
            "the address of the Proxmox VE API",
            "url",
            "https://pve1:8006",
        )
    })?;
    let from_file = asked.fingerprint.is_none() && asked.ca_file.is_none();
    let file = |value: Option<String>| value.map(|path| fleet.path(&environment.expand(&path)));
    let (fingerprint, ca_file) = if from_file {
        (written(&said.fingerprint), file(written(&said.ca_file)))
    } else {
        (asked.fingerprint, asked.ca_file)
    };
    let token_file = asked
        .token_file
        .or_else(|| file(written(&said.token_file)))
        .ok_or_else(|| missing("the file that holds the API token", "token_file", "token"))?;
    Ok(Reached {
        url,
        fingerprint,
        ca_file,
        token_file,
    })
}

/// The Proxmox VE that flags, environment and `fleet.local.toml` describe.
pub(crate) fn host(
    args: &ConnectArgs,
    environment: &Environment,
    fleet: &Fleet,
) -> Result<Arc<dyn Host>, Failure> {
    let reached = reached(args, environment, fleet)?;
    let token = token(&reached.token_file)?;
    let identity = Identity::Token(token.id().to_string());
    let client = Client::builder(reached.url)
        .token(token)
        .tls(trust(reached.fingerprint, reached.ca_file)?)
        .build()
        .map_err(|error| Failure::new(Code::Settings, error))?;
    Ok(Arc::new(ProxmoxHost::new(client, identity)))
}

fn missing(what: &str, key: &str, example: &str) -> Failure {
    let flag = key.replace('_', "-");
    Failure::new(Code::Settings, anyhow!("{what} is not set")).hint(format!(
        "write `{key} = \"{example}\"` into fleet.local.toml, or give --{flag}"
    ))
}

fn trust(fingerprint: Option<String>, ca_file: Option<PathBuf>) -> Result<Tls, Failure> {
    match (fingerprint, ca_file) {
        (Some(written), _) => {
            let parsed = written
                .parse()
                .with_context(|| format!("reading the fingerprint `{written}`"));
            let pinned = parsed.map_err(|error| Failure::new(Code::Settings, error))?;
            Ok(Tls::Pinned(pinned))
        }
        (None, Some(file)) => Ok(Tls::CaFile(file)),
        (None, None) => Ok(Tls::System),
    }
}

/// The text of a token file that only its owner reads.
pub(crate) fn token_text(path: &Path) -> Result<String, Failure> {
    let settings = |error: anyhow::Error| Failure::new(Code::Settings, error);
    let reading = || format!("reading the API token in `{}`", path.display());
    let about = fs::metadata(path).with_context(reading).map_err(settings)?;
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let error = anyhow!(
            "the token file `{}` has mode {mode:04o}: others can read it",
            path.display()
        );
        return Err(settings(error).hint(format!("chmod 600 {}", path.display())));
    }
    let text = fs::read_to_string(path)
        .with_context(reading)
        .map_err(settings)?;
    Ok(text.trim().to_owned())
}

/// The token of a file that only its owner reads.
fn token(path: &Path) -> Result<ApiToken, Failure> {
    let text = token_text(path)?;
    text.parse().map_err(|error: proxmox_api::ids::InvalidId| {
        let reading = format!("reading the API token in `{}`", path.display());
        Failure::new(Code::Settings, anyhow::Error::new(error).context(reading))
            .hint("the file holds one line: USER@REALM!NAME=SECRET")
    })
}
