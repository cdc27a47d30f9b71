//! Forge: the Git service of a control plane, as far as one differs from another.
//!
//! What is done to a service that stands is the same for all of them: `gitea-api` does it. Here is
//! what comes before: the files that install it, its first administrator, the token by which a
//! runner registers.

mod embedded;
mod gitea;

use std::{fmt, net::Ipv4Addr, path::PathBuf};

use async_trait::async_trait;
use gitea_api::{Client, Secret};
use lxc_layers::guest::Guest;
use serde::Deserialize;

pub use embedded::Embedded;
pub use gitea::{Gitea, Source};

use crate::bootstrap::{Error, Tree};

/// The user of the Git service in the container.
pub(crate) const USER: &str = "proxmox-ci-forge";
/// Where the Git service keeps everything.
pub(crate) const DATA: &str = "/var/lib/proxmox-ci/forge";

/// Where a Git service has its seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The container's address.
    pub address: Ipv4Addr,
    /// The port.
    pub port: u16,
    /// The first administrator's name.
    pub administrator: String,
    /// SHA-256 of the certificate that it is to show.
    pub fingerprint: String,
}

impl Seat {
    /// The address of the service.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}:{}", self.address, self.port)
    }

    /// The administrator's mail address.
    #[must_use]
    pub fn email(&self) -> String {
        format!("{}@forge.internal", self.administrator)
    }
}

/// The first administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administrator {
    /// The login name.
    pub user: String,
    /// The password; `None` when it was lost with a killed installation.
    pub password: Option<Secret>,
    /// A token with all scopes.
    pub token: Secret,
}

impl Administrator {
    /// Reads the line that an installation left: `user`, `password`, `token`.
    pub(crate) fn read(line: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Line {
            user: String,
            password: String,
            token: String,
        }
        let line: Line = serde_json::from_slice(line).ok()?;
        Some(Self {
            user: line.user,
            password: Some(line.password)
                .filter(|password| !password.is_empty())
                .map(Secret::new),
            token: Secret::new(line.token),
        })
    }
}

/// A program beside our own that must be in the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// Where it comes from.
    pub source: Source,
    /// Where it goes.
    pub target: PathBuf,
}

/// A Git service, as far as one differs from another.
#[async_trait]
pub trait Forge: Send + Sync + fmt::Debug {
    /// Its name: `gitea`, `embedded`.
    fn kind(&self) -> &'static str;

    /// The program that it needs beside ours.
    fn binary(&self) -> Option<Binary>;

    /// The files that make it a service of the container.
    fn tree(&self, seat: &Seat) -> Tree;

    /// Its first administrator; `None` while there is none.
    async fn administrator<'a>(&self, guest: &'a dyn Guest)
    -> Result<Option<Administrator>, Error>;

    /// What a runner registers with, seen to be the token that counts.
    async fn runner_token<'a>(
        &self,
        guest: &'a dyn Guest,
        client: &'a Client,
    ) -> Result<Secret, Error>;
}

/// The token that the service says is the one that counts.
pub(crate) async fn token_that_counts(client: &Client) -> Result<Secret, Error> {
    let asked = client.admin().actions().registration_token().await;
    asked.map_err(Error::forge("asking for the registration token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_administrator_is_read_and_never_printed() {
        let line = br#"{"user":"operator","password":"canary-p","token":"canary-t"}"#;
        let read = Administrator::read(line).unwrap();
        assert_eq!(read.token.reveal(), "canary-t");
        assert!(!format!("{read:?}").contains("canary"));
        let lost = Administrator::read(br#"{"user":"o","password":"","token":"t"}"#).unwrap();
        assert_eq!(lost.password, None);
        assert_eq!(Administrator::read(b"{"), None);
    }
}
