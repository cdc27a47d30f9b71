//! Arguments, environment and files joined into typed settings; the only reader of the environment.

use std::{ffi::OsString, fmt, path::PathBuf};

use lxc_layers::{guest::docker, local};

use crate::{
    args::{ConnectArgs, FleetArgs, control::ServiceArgs},
    exit::Failure,
};

/// Everything that the program reads from its environment, read once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// `PROXMOX_CI_FLEET`: the fleet repository.
    pub(crate) fleet: Option<PathBuf>,
    /// `PROXMOX_CI_URL`, `…_FINGERPRINT`, `…_CA_FILE`, `…_TOKEN_FILE`.
    pub(crate) connect: ConnectArgs,
    /// `PROXMOX_CI_STATE`: where journal and lock are kept.
    pub(crate) state: Option<PathBuf>,
    /// `PROXMOX_CI_FORGE_URL`, `…_FINGERPRINT`, `…_CA_FILE`, `…_TOKEN_FILE`.
    pub(crate) service: ServiceArgs,
    /// `NO_COLOR` is set to something, or the terminal is one that knows no colour.
    pub(crate) no_color: bool,
    /// `COLUMNS`: how wide lines may be, whatever the terminal says.
    pub(crate) columns: Option<usize>,
    /// `PROXMOX_CI_SSH_KEY`: the key by which guests are entered.
    pub(crate) ssh_key: Option<PathBuf>,
    /// `PROXMOX_CI_GITEA`: the program of Gitea.
    pub(crate) gitea: Option<String>,
    /// `HOME`: what `~/` at the begin of a path in a file stands for.
    pub(crate) home: Option<PathBuf>,
    /// `DOCKER_HOST`: the address of the Docker or Podman daemon.
    pub(crate) docker_host: Option<String>,
    /// `XDG_RUNTIME_DIR`: where daemons of this user have their sockets.
    pub(crate) runtime_dir: Option<PathBuf>,
    /// `PROXMOX_CI_RUNNER_TOKEN`: the registration token of a runner.
    pub(crate) runner_token: Option<Hidden>,
    /// `PATH` and the language: the part of the environment that the jobs of a runner inherit.
    pub(crate) for_jobs: Vec<(String, String)>,
}

/// A value that `Debug` does not tell.
#[derive(Clone, Default)]
pub(crate) struct Hidden(String);

impl Hidden {
    /// The value itself.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Environment {
    /// Reads the environment of this process.
    pub(crate) fn read() -> Self {
        let path = |name| variable(name).map(PathBuf::from);
        let text = |name| variable(name).and_then(|value| value.into_string().ok());
        Self {
            fleet: path("PROXMOX_CI_FLEET"),
            connect: ConnectArgs {
                url: text("PROXMOX_CI_URL"),
                fingerprint: text("PROXMOX_CI_FINGERPRINT"),
                ca_file: path("PROXMOX_CI_CA_FILE"),
                token_file: path("PROXMOX_CI_TOKEN_FILE"),
            },
            state: path("PROXMOX_CI_STATE"),
            service: ServiceArgs {
                forge_url: text("PROXMOX_CI_FORGE_URL"),
                forge_fingerprint: text("PROXMOX_CI_FORGE_FINGERPRINT"),
                forge_ca_file: path("PROXMOX_CI_FORGE_CA_FILE"),
                forge_token_file: path("PROXMOX_CI_FORGE_TOKEN_FILE"),
                repository: None,
            },
            no_color: variable("NO_COLOR").is_some()
                || variable("TERM").is_some_and(|it| it == "dumb"),
            columns: text("COLUMNS").and_then(|value| value.parse().ok()),
            ssh_key: path("PROXMOX_CI_SSH_KEY"),
            gitea: text("PROXMOX_CI_GITEA"),
            home: path("HOME"),
            docker_host: text("DOCKER_HOST"),
            runtime_dir: path("XDG_RUNTIME_DIR"),
            runner_token: text("PROXMOX_CI_RUNNER_TOKEN").map(Hidden),
            for_jobs: ["PATH", "LANG", "LC_ALL", "TZ"]
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), text(name)?)))
                .collect(),
        }
    }

    /// The fleet repository: the flag, else the environment, else the current directory.
    pub(crate) fn fleet_dir(&self, args: &FleetArgs) -> PathBuf {
        let chosen = args.fleet.clone().or_else(|| self.fleet.clone());
        let chosen = chosen.unwrap_or_else(|| PathBuf::from("."));
        // Provisioners run in other folders and are given paths below this one.
        std::path::absolute(&chosen).unwrap_or(chosen)
    }

    /// Where journal and lock of a fleet are: the flag, else the environment, else in the fleet.
    pub(crate) fn state_dir(&self, args: &FleetArgs) -> PathBuf {
        let chosen = args.state.clone().or_else(|| self.state.clone());
        chosen.unwrap_or_else(|| self.fleet_dir(args).join(".proxmox-ci"))
    }

    /// The Git service as flags and environment tell it; what is left `None` comes from
    /// `forge.local.toml`. A trust anchor on the command line replaces both of the environment's.
    pub(crate) fn service(&self, args: &ServiceArgs) -> ServiceArgs {
        let said = &self.service;
        let typed = args.forge_fingerprint.is_some() || args.forge_ca_file.is_some();
        let trust = if typed { args } else { said };
        ServiceArgs {
            forge_url: args.forge_url.clone().or_else(|| said.forge_url.clone()),
            forge_fingerprint: trust.forge_fingerprint.clone(),
            forge_ca_file: trust.forge_ca_file.clone(),
            forge_token_file: args
                .forge_token_file
                .clone()
                .or_else(|| said.forge_token_file.clone()),
            repository: args.repository.clone(),
        }
    }

    /// A path as a file wrote it, `~/` at its begin replaced.
    pub(crate) fn expand(&self, written: &str) -> PathBuf {
        match (written.strip_prefix("~/"), &self.home) {
            (Some(below), Some(home)) => home.join(below),
            _ => PathBuf::from(written),
        }
    }

    /// Where a Docker or Podman daemon may listen, the likeliest first: what `DOCKER_HOST` says, or
    /// the places of the system and of this user.
    pub(crate) fn docker_sockets(&self) -> Result<Vec<PathBuf>, Failure> {
        if let Some(address) = &self.docker_host {
            let path = address.strip_prefix("unix://").filter(|it| !it.is_empty());
            let path = path.ok_or_else(|| {
                Failure::from(local::Error::from(docker::Error::Address {
                    address: address.clone(),
                }))
            })?;
            return Ok(vec![PathBuf::from(path)]);
        }
        let own = self.runtime_dir.iter();
        let own = own.flat_map(|dir| [dir.join("docker.sock"), dir.join("podman/podman.sock")]);
        let home = self
            .home
            .iter()
            .map(|home| home.join(".docker/run/docker.sock"));
        let system = ["/var/run/docker.sock", "/run/podman/podman.sock"].map(PathBuf::from);
        let [docker, podman] = system;
        Ok([docker]
            .into_iter()
            .chain(own)
            .chain(home)
            .chain([podman])
            .collect())
    }

    /// The connection as flags and environment tell it; what is left `None` comes from
    /// `fleet.local.toml`. A trust anchor on the command line replaces both of the environment's.
    pub(crate) fn connection(&self, args: &ConnectArgs) -> ConnectArgs {
        let trust = if args.fingerprint.is_some() || args.ca_file.is_some() {
            args
        } else {
            &self.connect
        };
        ConnectArgs {
            url: args.url.clone().or_else(|| self.connect.url.clone()),
            fingerprint: trust.fingerprint.clone(),
            ca_file: trust.ca_file.clone(),
            token_file: args
                .token_file
                .clone()
                .or_else(|| self.connect.token_file.clone()),
        }
    }
}

/// A variable that is set to something.
#[expect(
    clippy::disallowed_methods,
    reason = "this file is the one reader of the environment"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        let connect = ConnectArgs {
            url: Some("https://from-environment:8006".to_owned()),
            fingerprint: Some("AA".to_owned()),
            ..ConnectArgs::default()
        };
        Environment {
            connect,
            ..Environment::default()
        }
    }

    #[test]
    fn a_flag_wins_over_the_environment() {
        let typed = ConnectArgs {
            url: Some("https://typed:8006".to_owned()),
            ..ConnectArgs::default()
        };
        let joined = environment().connection(&typed);
        assert_eq!(joined.url.as_deref(), Some("https://typed:8006"));
        assert_eq!(joined.fingerprint.as_deref(), Some("AA"));
    }

    #[test]
    fn the_daemon_is_where_docker_host_says_and_nowhere_else() {
        let environment = |host: &str| Environment {
            docker_host: Some(host.to_owned()),
            ..Environment::default()
        };
        let sockets = environment("unix:///x/docker.sock").docker_sockets();
        assert_eq!(sockets.unwrap(), [PathBuf::from("/x/docker.sock")]);
        let refused = environment("tcp://10.0.0.1:2375").docker_sockets();
        assert_eq!(refused.unwrap_err().code, crate::exit::Code::Settings);
        let somewhere = Environment::default().docker_sockets().unwrap();
        assert_eq!(somewhere[0], PathBuf::from("/var/run/docker.sock"));
    }

    #[test]
    fn a_typed_authority_replaces_a_fingerprint_of_the_environment() {
        let typed = ConnectArgs {
            ca_file: Some("ca.pem".into()),
            ..ConnectArgs::default()
        };
        let joined = environment().connection(&typed);
        assert_eq!(
            (joined.fingerprint, joined.ca_file),
            (None, Some("ca.pem".into()))
        );
    }
}
