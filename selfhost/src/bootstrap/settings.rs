//! What must be known before a bootstrap begins.

use std::{collections::BTreeMap, fmt, net::Ipv4Addr, path::PathBuf, time::Duration};

use gitea_api::Secret;
use lxc_layers::{
    execute::Seams,
    guest::OperatorKey,
    ledger::Provenance,
    redact::Redactor,
    resolve::{Container, Desired},
    spec::Role,
};

use super::Error;

/// The label that the runner of a control plane carries; the fleet's pipeline asks for it.
pub const LABEL: &str = "proxmox-ci";

/// Everything that a bootstrap must know.
#[derive(Clone)]
pub struct Settings {
    /// The fleet repository, a clone with its history.
    pub root: PathBuf,
    /// The folder of journal and lock.
    pub state: PathBuf,
    /// What the fleet should be; the control plane is one of its containers.
    pub desired: Desired,
    /// Hypervisor, way into guests, provisioners.
    pub seams: Seams,
    /// The key by which guests are entered; `None` in a dry run of a fleet that has none yet.
    pub key: Option<OperatorKey>,
    /// Where the fleet comes from.
    pub provenance: Provenance,
    /// Our own program, to be put into the container.
    pub program: PathBuf,
    /// The build that the fleet pins, by SHA-256; it is left alone where it is installed.
    pub pinned: Option<String>,
    /// Names and numbers of one's own choice.
    pub names: Names,
    /// The repositories to import, the fleet's own first.
    pub imports: Vec<Import>,
    /// How the control plane reaches the Proxmox VE API.
    pub access: Access,
    /// The operator's named secrets.
    pub secrets: BTreeMap<String, Secret>,
    /// How long things may take.
    pub limits: Limits,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("root", &self.root)
            .field("names", &self.names)
            .field("imports", &self.imports)
            .finish_non_exhaustive()
    }
}

/// Names and numbers of one's own choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The organisation that holds the repositories.
    pub organisation: String,
    /// The first administrator of the Git service.
    pub administrator: String,
    /// The port of the Git service on the container's address.
    pub port: u16,
}

impl Default for Names {
    /// `proxmox-ci`, `operator`, 3000: a port that needs no privilege.
    fn default() -> Self {
        Self {
            organisation: "proxmox-ci".to_owned(),
            administrator: "operator".to_owned(),
            port: 3000,
        }
    }
}

/// A repository to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Its name in the organisation.
    pub name: String,
    /// The clone on this machine.
    pub folder: PathBuf,
    /// Who may read it.
    pub readers: Readers,
}

/// Who may read an imported repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Those who are given access: the fleet.
    Members,
    /// Everybody who reaches the Git service, jobs of other repositories among them: the project's
    /// own code, whose builds the fleet installs.
    All,
}

/// How the control plane reaches the Proxmox VE API from inside.
#[derive(Debug, Clone)]
pub struct Access {
    /// The address, such as `https://10.0.0.1:8006`.
    pub endpoint: String,
    /// SHA-256 of the certificate, where it is pinned.
    pub fingerprint: Option<String>,
    /// The authority that signed it, PEM, where it is one of one's own.
    pub authority: Option<String>,
    /// The token, `USER@REALM!ID=SECRET`.
    pub token: Secret,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A service, until it answers after its start.
    pub answer: Duration,
    /// Packages, until they are installed.
    pub packages: Duration,
    /// A program or a repository, until it is on the other side.
    pub transfer: Duration,
}

impl Default for Limits {
    /// One minute for an answer, ten for packages and transfers.
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(60),
            packages: Duration::from_secs(600),
            transfer: Duration::from_secs(600),
        }
    }
}

impl Settings {
    /// The control plane's own container.
    ///
    /// # Errors
    /// When the fleet has none.
    pub fn control_plane(&self) -> Result<&Container, Error> {
        let mut containers = self.desired.containers.iter();
        containers
            .find(|container| container.role == Role::ControlPlane)
            .ok_or_else(|| {
                Error::refused(
                    "the fleet has no control plane",
                    "write a `config.env` at its root, with ID, HOSTNAME and what else the container should be",
                )
            })
    }

    /// The fleet with nothing but its control plane.
    ///
    /// # Errors
    /// When it has none.
    pub fn only_control_plane(&self) -> Result<Desired, Error> {
        Ok(Desired {
            containers: vec![self.control_plane()?.clone()],
            ..self.desired.clone()
        })
    }

    /// The control plane's address.
    ///
    /// # Errors
    /// When it has no fixed one: certificate and clones are bound to it.
    pub fn address(&self) -> Result<Ipv4Addr, Error> {
        self.control_plane()?.address().ok_or_else(|| {
            Error::refused(
                "the control plane has no fixed address",
                "give `IP` in its `config.env`, or `[network] subnet` in `fleet.toml`: certificate and clones are bound to the address",
            )
        })
    }

    /// The address of the Git service.
    ///
    /// # Errors
    /// When the control plane has no fixed address.
    pub fn url(&self) -> Result<String, Error> {
        Ok(format!("https://{}:{}", self.address()?, self.names.port))
    }

    /// What must not be seen.
    pub(super) fn redactor(&self) -> Redactor {
        let named = self.secrets.values().map(Secret::reveal);
        let token = self.access.token.reveal();
        let value = token.split_once('=').map_or(token, |(_, value)| value);
        Redactor::new(named.chain([token, value]))
    }
}
