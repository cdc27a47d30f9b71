//! Containers of Docker: found by labels, made, started, removed.

use std::{collections::HashMap, net::Ipv4Addr};

use bollard::{
    body_full,
    models::{
        ContainerCreateBody, ContainerInspectResponse, HostConfig, HostConfigCgroupnsModeEnum,
        PortBinding, PortMap,
    },
    query_parameters::{
        ContainerArchiveInfoOptionsBuilder, CreateContainerOptionsBuilder, InspectContainerOptions,
        ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
        UploadToContainerOptionsBuilder,
    },
};

use super::{
    engine::{Daemon, Engine},
    error::{Error, Said},
    image::Labels,
};
use crate::guest::{Parcel, pack};

/// What waits until it is told to stop.
const WAIT: &str = "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done";

/// What runs as the first process of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// systemd, with all that a container may be given.
    SystemdPrivileged,
    /// systemd, with every capability that this machine has and a group of its own.
    Systemd,
    /// Nothing that does anything: the container waits to be told.
    Nothing,
}

/// A port of the container, and the one of this machine that leads to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Publish {
    /// The port inside.
    pub guest: u16,
    /// The port of this machine; 0 is any free one.
    pub host: u16,
}

/// What a container is made of.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its image.
    pub image: &'a str,
    /// Its host name.
    pub hostname: &'a str,
    /// What runs first in it.
    pub first: First,
    /// Its ports.
    pub ports: &'a [Publish],
    /// Its labels.
    pub labels: Labels,
}

/// A container as it stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Its id.
    pub id: String,
    /// Its labels.
    pub labels: Labels,
    /// Whether it runs.
    pub running: bool,
    /// Its own address in its network.
    pub address: Option<Ipv4Addr>,
    /// Where each of its ports is reached on this machine.
    pub ports: Vec<Publish>,
}

impl Engine {
    /// The container that bears all these labels.
    ///
    /// # Errors
    ///
    /// When the daemon refuses.
    pub async fn find(&self, labels: &Labels) -> Result<Option<Standing>, Error> {
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&super::filters(labels))
            .build();
        let listed = self
            .api
            .list_containers(Some(options))
            .await
            .map_err(Error::refused("listing containers"))?;
        match listed.into_iter().find_map(|it| it.id) {
            Some(id) => self.standing(&id).await,
            None => Ok(None),
        }
    }

    /// Whether a build is at work whose steps bear these labels: its containers do, and have nothing
    /// of the label `own` that containers bear which were made to stay.
    ///
    /// # Errors
    ///
    /// When the daemon refuses.
    pub async fn builds(&self, labels: &Labels, own: &str) -> Result<bool, Error> {
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&super::filters(labels))
            .build();
        let listed = self.api.list_containers(Some(options)).await;
        let listed = listed.map_err(Error::refused("listing containers"))?;
        let mut labels = listed.into_iter().map(|it| it.labels.unwrap_or_default());
        Ok(labels.any(|labels| !labels.contains_key(own)))
    }

    /// A container as it stands; `None` when it is gone.
    ///
    /// # Errors
    ///
    /// When the daemon refuses.
    pub async fn standing(&self, id: &str) -> Result<Option<Standing>, Error> {
        let seen = self
            .api
            .inspect_container(id, None::<InspectContainerOptions>)
            .await;
        match seen.map_err(Said::from) {
            Ok(seen) => Ok(Some(standing(id, seen))),
            Err(said) if said.is_missing() => Ok(None),
            Err(said) => Err(Error::Refused {
                doing: format!("looking at the container `{id}`"),
                said,
            }),
        }
    }

    /// Makes a container, without starting it; its id.
    ///
    /// # Errors
    ///
    /// When the daemon refuses, for instance because another container has that name.
    pub async fn make(&self, wanted: &Wanted<'_>) -> Result<String, Error> {
        let options = CreateContainerOptionsBuilder::new()
            .name(wanted.name)
            .build();
        let made = self
            .api
            .create_container(Some(options), body(wanted))
            .await
            .map_err(Error::refused(format!(
                "making the container `{}`",
                wanted.name
            )))?;
        Ok(made.id)
    }

    /// Puts files into a container, whether it runs or not; their folders are made with mode 0755.
    ///
    /// # Errors
    ///
    /// When the daemon refuses.
    pub async fn place(&self, id: &str, files: &[Parcel]) -> Result<(), Error> {
        let archive = pack(files).map_err(|source| Error::File {
            path: "an archive of files".into(),
            source,
        })?;
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        self.api
            .upload_to_container(id, Some(options), body_full(archive.into()))
            .await
            .map_err(Error::refused("putting files into the container"))
    }

    /// Whether a container, running or not, has a file.
    ///
    /// # Errors
    ///
    /// When the daemon refuses.
    pub async fn has(&self, id: &str, path: &str) -> Result<bool, Error> {
        let options = ContainerArchiveInfoOptionsBuilder::new().path(path).build();
        let seen = self.api.get_container_archive_info(id, Some(options)).await;
        match seen.map_err(Said::from) {
            Ok(_) => Ok(true),
            Err(said) if said.is_missing() => Ok(false),
            Err(said) => Err(Error::Refused {
                doing: format!("looking for `{path}` in the container"),
                said,
            }),
        }
    }

    /// Starts a container.
    ///
    /// # Errors
    ///
    /// When it cannot be started; a port that is taken is named.
    pub async fn start(&self, id: &str, ports: &[Publish]) -> Result<(), Error> {
        let started = self
            .api
            .start_container(id, None::<StartContainerOptions>)
            .await;
        let Err(error) = started else { return Ok(()) };
        let said = Said::from(error);
        let named = ports.iter().find(|port| {
            let words = said.to_string();
            port.host != 0 && words.contains(&format!(":{}", port.host))
        });
        match named {
            Some(port) if said.is_port_in_use() => Err(Error::PortInUse {
                port: port.host,
                said,
            }),
            _ => Err(Error::Refused {
                doing: "starting the container".to_owned(),
                said,
            }),
        }
    }

    /// Removes a container with its volumes, running or not. That it is gone already is fine.
    ///
    /// # Errors
    ///
    /// When the daemon refuses.
    pub async fn remove(&self, id: &str) -> Result<(), Error> {
        let options = RemoveContainerOptionsBuilder::new()
            .force(true)
            .v(true)
            .build();
        let removed = self.api.remove_container(id, Some(options)).await;
        match removed.map_err(Said::from) {
            Ok(()) => Ok(()),
            Err(said) if said.is_missing() => Ok(()),
            Err(said) => Err(Error::Refused {
                doing: format!("removing the container `{id}`"),
                said,
            }),
        }
    }

    /// What may run first in a container here, the best first.
    #[must_use]
    pub fn firsts(&self) -> Vec<First> {
        // Groups of version 2 are read-only inside unless the container is privileged; Podman sees
        // to systemd by itself.
        let privileged = self.has_unified_cgroups() && self.daemon() == Daemon::Docker;
        let first = privileged.then_some(First::SystemdPrivileged);
        first
            .into_iter()
            .chain([First::Systemd, First::Nothing])
            .collect()
    }
}

fn body(wanted: &Wanted<'_>) -> ContainerCreateBody {
    let words = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect());
    let (entrypoint, command, signal) = match wanted.first {
        First::Nothing => (words(&["/bin/sh", "-c"]), words(&[WAIT]), "SIGTERM"),
        // Named as it is: Podman knows by this word what it has to prepare.
        First::Systemd | First::SystemdPrivileged => (words(&["/sbin/init"]), None, "SIGRTMIN+3"),
    };
    ContainerCreateBody {
        hostname: Some(wanted.hostname.to_owned()),
        image: Some(wanted.image.to_owned()),
        entrypoint,
        cmd: command,
        // systemd asks for this to know that it is in a container.
        env: Some(vec!["container=docker".to_owned()]),
        exposed_ports: Some(wanted.ports.iter().map(|it| inside(*it)).collect()),
        labels: Some(wanted.labels.clone()),
        stop_signal: Some(signal.to_owned()),
        host_config: Some(host_config(wanted)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(wanted: &Wanted<'_>) -> HostConfig {
    let config = HostConfig {
        port_bindings: Some(bindings(wanted.ports)),
        ..HostConfig::default()
    };
    if wanted.first == First::Nothing {
        return config;
    }
    let folders = ["/run", "/run/lock"].map(|path| (path.to_owned(), String::new()));
    let config = HostConfig {
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        tmpfs: Some(HashMap::from(folders)),
        ..config
    };
    if wanted.first == First::SystemdPrivileged {
        return HostConfig {
            privileged: Some(true),
            ..config
        };
    }
    let words = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect());
    HostConfig {
        cap_add: words(&["ALL"]),
        // Machines that are containers themselves do not have it, and could not give it.
        cap_drop: words(&["SYS_RESOURCE"]),
        security_opt: words(&["seccomp=unconfined", "apparmor=unconfined"]),
        ..config
    }
}

/// Ports of loopback alone: what is tried is not shown to the network.
fn bindings(ports: &[Publish]) -> PortMap {
    let bound = ports.iter().map(|port| {
        let binding = PortBinding {
            host_ip: Some("127.0.0.1".to_owned()),
            host_port: Some(port.host.to_string()),
        };
        (inside(*port), Some(vec![binding]))
    });
    bound.collect()
}

fn inside(port: Publish) -> String {
    format!("{}/tcp", port.guest)
}

fn standing(id: &str, seen: ContainerInspectResponse) -> Standing {
    let network = seen.network_settings.unwrap_or_default();
    let addresses = network.networks.unwrap_or_default();
    let mut ports: Vec<Publish> = network
        .ports
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(inside, bound)| {
            let host = bound?.into_iter().find_map(|it| it.host_port)?;
            Some(Publish {
                guest: inside.strip_suffix("/tcp")?.parse().ok()?,
                host: host.parse().ok()?,
            })
        })
        .collect();
    ports.sort();
    Standing {
        id: id.to_owned(),
        labels: seen.config.and_then(|it| it.labels).unwrap_or_default(),
        running: seen.state.and_then(|it| it.running).unwrap_or(false),
        address: addresses
            .into_values()
            .find_map(|it| it.ip_address?.parse().ok()),
        ports,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(first: First) -> ContainerCreateBody {
        body(&Wanted {
            name: "web",
            image: "web:1",
            hostname: "web",
            first,
            ports: &[Publish { guest: 80, host: 0 }],
            labels: Labels::new(),
        })
    }

    #[test]
    fn ports_are_shown_to_this_machine_alone() {
        let config = wanted(First::Nothing).host_config.unwrap();
        let bound = config.port_bindings.unwrap()["80/tcp"].clone().unwrap();
        assert_eq!(bound[0].host_ip.as_deref(), Some("127.0.0.1"));
        assert_eq!(bound[0].host_port.as_deref(), Some("0"));
    }

    #[test]
    fn a_container_without_systemd_gets_no_more_than_any() {
        let config = wanted(First::Nothing).host_config.unwrap();
        assert_eq!((config.privileged, config.cap_add), (None, None));
        let config = wanted(First::Systemd).host_config.unwrap();
        assert_eq!(config.privileged, None);
        assert_eq!(config.cap_drop.unwrap(), ["SYS_RESOURCE"]);
    }
}
