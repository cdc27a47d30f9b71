//! The embedded forge: our own program, run as a Git service.

use async_trait::async_trait;
use gitea_api::{Client, Secret};
use lxc_layers::guest::Guest;

use super::{Administrator, Binary, DATA, Forge, Seat, USER, token_that_counts};
use crate::bootstrap::{Error, PROGRAM, Tree};

const SCRIPT: &str = include_str!("embedded.sh");
const UNIT: &str = include_str!("embedded.service");

/// Our own program, run as a Git service: for places without a network, and for demonstrations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Embedded;

#[async_trait]
impl Forge for Embedded {
    fn kind(&self) -> &'static str {
        "embedded"
    }

    fn binary(&self) -> Option<Binary> {
        None
    }

    fn tree(&self, seat: &Seat) -> Tree {
        let fill = |text: &str| {
            text.replace("@PROGRAM@", PROGRAM)
                .replace("@USER@", USER)
                .replace("@DATA@", DATA)
                .replace("@LISTEN@", &format!("{}:{}", seat.address, seat.port))
                .replace("@ADMINISTRATOR@", &seat.administrator)
                .replace("@EMAIL@", &seat.email())
                .replace("@FINGERPRINT@", &seat.fingerprint)
        };
        Tree::new("git-service", fill(SCRIPT)).file("proxmox-ci-forge.service", fill(UNIT))
    }

    async fn administrator<'a>(
        &self,
        guest: &'a dyn Guest,
    ) -> Result<Option<Administrator>, Error> {
        let path = format!("{DATA}/administrator.json");
        let line = guest.fetch(&path).await;
        let line = line.map_err(Error::guest("reading the administrator's credentials"))?;
        Ok(line.and_then(|line| Administrator::read(&line)))
    }

    async fn runner_token<'a>(
        &self,
        _guest: &'a dyn Guest,
        client: &'a Client,
    ) -> Result<Secret, Error> {
        token_that_counts(client).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_files_are_these() {
        let seat = Seat {
            address: [10, 0, 3, 100].into(),
            port: 3000,
            administrator: "operator".to_owned(),
            fingerprint: "AB:CD".to_owned(),
        };
        let tree = Embedded.tree(&seat);
        let files: Vec<String> = tree
            .files()
            .iter()
            .map(|file| format!("--- {}\n{}", file.path, file.content))
            .collect();
        insta::assert_snapshot!(files.join(""));
    }
}
