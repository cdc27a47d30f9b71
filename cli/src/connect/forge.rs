//! Settings become clients of a Git service.

use std::path::PathBuf;

use anyhow::Context;
use gitea_api::{
    Client, ErrorKind, Secret,
    runner::{Profile, Runner},
};
use selfhost::runner::Registration;

use crate::exit::{Code, Failure};

/// Where a Git service is, and how it proves itself.
#[derive(Debug)]
pub(crate) struct Service {
    /// Its address.
    pub(crate) url: String,
    /// SHA-256 of its certificate, where it is pinned.
    pub(crate) fingerprint: Option<String>,
    /// The authority that signed it, where it is not one of the system's.
    pub(crate) ca_file: Option<PathBuf>,
}

/// Makes this machine known to a Git service.
pub(crate) async fn register_runner(
    service: Service,
    name: String,
    labels: Vec<String>,
    token: &str,
) -> Result<Registration, Failure> {
    let profile = profile(&name, &labels);
    let mut registration = Registration {
        url: service.url,
        fingerprint: service.fingerprint,
        ca_file: service.ca_file,
        name,
        labels,
        credentials: gitea_api::runner::Credentials {
            uuid: String::new(),
            token: Secret::default(),
        },
    };
    let registered = client(&registration)?
        .register_runner(&profile, &Secret::new(token))
        .await;
    registration.credentials = registered.map_err(failed)?.credentials;
    Ok(registration)
}

/// The runner of a registration, and how it presents itself.
pub(crate) fn runner(registration: &Registration) -> Result<(Runner, Profile), Failure> {
    let client = client(registration)?;
    let profile = profile(&registration.name, &registration.labels);
    Ok((client.runner(registration.credentials.clone()), profile))
}

fn profile(name: &str, labels: &[String]) -> Profile {
    Profile::new(name, labels.iter().cloned())
        .version(concat!("proxmox-ci/", env!("CARGO_PKG_VERSION")))
}

fn client(registration: &Registration) -> Result<Client, Failure> {
    let settings = |error: anyhow::Error| Failure::new(Code::Settings, error);
    let trust = registration
        .trust()
        .context("reading the fingerprint")
        .map_err(settings)?;
    Client::builder(&registration.url)
        .trust(trust)
        .build()
        .map_err(failed)
}

/// A failure with the exit code that its kind has.
pub(crate) fn failed(error: gitea_api::Error) -> Failure {
    let code = match error.kind() {
        ErrorKind::Connect | ErrorKind::Timeout => Code::Unavailable,
        ErrorKind::CertificateRefused => Code::Untrusted,
        ErrorKind::Unauthorized | ErrorKind::Forbidden | ErrorKind::UnknownRunner => Code::Denied,
        ErrorKind::InvalidRequest => Code::Settings,
        _ => Code::Unexpected,
    };
    Failure::new(code, error)
}
