//! Gitea, from its published program.
//!
//! # Quirks
//! - Whatever the server finds missing it writes into `app.ini`, and it stops where it may not: every
//!   secret is made before the first start and named by a `*_URI` key.
//! - `admin user create` prints a password before it fails: exit code and its line of success count.
//! - A registration token of the environment that was replaced once never counts again, without a
//!   word: what the API answers does.

use std::path::PathBuf;

use async_trait::async_trait;
use gitea_api::{Client, Secret};
use lxc_layers::guest::{Guest, Invocation, LastWords};

use super::{Administrator, Binary, DATA, Forge, Seat, USER, token_that_counts};
use crate::bootstrap::{Error, Tree};

/// Its program in the container.
const GITEA: &str = "/usr/local/bin/gitea";
/// Where its configuration and its keys are.
const PLACE: &str = "/etc/proxmox-ci/gitea";

const SCRIPT: &str = include_str!("gitea.sh");
const UNIT: &str = include_str!("gitea.service");
const INI: &str = include_str!("gitea.ini");
const BACKUP: &str = include_str!("gitea-backup.sh");

/// Where a program comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file of this machine.
    Path(PathBuf),
    /// An address, with the SHA-256 of what is there.
    Url {
        /// The address.
        url: String,
        /// Hexadecimal.
        sha256: String,
    },
}

/// Gitea.
#[derive(Debug, Clone)]
pub struct Gitea {
    source: Source,
}

impl Gitea {
    /// Gitea from this program.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self { source }
    }
}

#[async_trait]
impl Forge for Gitea {
    fn kind(&self) -> &'static str {
        "gitea"
    }

    fn binary(&self) -> Option<Binary> {
        Some(Binary {
            source: self.source.clone(),
            target: GITEA.into(),
        })
    }

    fn tree(&self, seat: &Seat) -> Tree {
        let fill = |text: &str| {
            text.replace("@GITEA@", GITEA)
                .replace("@PLACE@", PLACE)
                .replace("@USER@", USER)
                .replace("@DATA@", DATA)
                .replace("@ADDRESS@", &seat.address.to_string())
                .replace("@PORT@", &seat.port.to_string())
                .replace("@URL@", &seat.url())
                .replace("@ADMINISTRATOR@", &seat.administrator)
                .replace("@EMAIL@", &seat.email())
                .replace("@FINGERPRINT@", &seat.fingerprint)
        };
        Tree::new("git-service", fill(SCRIPT))
            .file("proxmox-ci-forge.service", fill(UNIT))
            .file("app.ini", fill(INI))
            .file("backup", fill(BACKUP))
    }

    async fn administrator<'a>(
        &self,
        guest: &'a dyn Guest,
    ) -> Result<Option<Administrator>, Error> {
        let line = guest.fetch(&format!("{PLACE}/administrator.json")).await;
        let line = line.map_err(Error::guest("reading the administrator's credentials"))?;
        Ok(line.and_then(|line| Administrator::read(&line)))
    }

    async fn runner_token<'a>(
        &self,
        guest: &'a dyn Guest,
        client: &'a Client,
    ) -> Result<Secret, Error> {
        let counts = token_that_counts(client).await?;
        let given = guest.fetch(&format!("{PLACE}/runner_token")).await;
        let given = given.map_err(Error::guest("reading the registration token"))?;
        let given = given.unwrap_or_default();
        if given.trim_ascii() != counts.reveal().as_bytes() {
            // Replaced in the web interface: the given one never counts again, and says so nowhere.
            keep(guest, &counts).await?;
        }
        Ok(counts)
    }
}

/// Writes the token that counts where the service finds it at its next start.
async fn keep(guest: &dyn Guest, token: &Secret) -> Result<(), Error> {
    let write = Invocation::shell(KEEP, [PLACE, USER]).input(token.reveal().as_bytes().to_vec());
    let kept = guest.run(write, &|_, _| {}).await;
    let kept = kept.map_err(Error::guest("keeping the registration token"))?;
    if kept.is_success() {
        return Ok(());
    }
    Err(Error::Inside {
        doing: "keeping the registration token".to_owned(),
        code: kept.code,
        last: LastWords::new(&kept.tail),
    })
}

/// Replaces the registration token's file.
const KEEP: &str = r#"
set -eu
umask 077
cat >"$1/runner_token.new"
chown "root:$2" "$1/runner_token.new"
chmod 0640 "$1/runner_token.new"
mv "$1/runner_token.new" "$1/runner_token"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn seat() -> Seat {
        Seat {
            address: [10, 0, 3, 100].into(),
            port: 3000,
            administrator: "operator".to_owned(),
            fingerprint: "AB:CD".to_owned(),
        }
    }

    #[test]
    fn its_files_are_these() {
        let tree = Gitea::new(Source::Path("/tmp/gitea".into())).tree(&seat());
        let files: Vec<String> = tree
            .files()
            .iter()
            .map(|file| format!("--- {}\n{}", file.path, file.content))
            .collect();
        insta::assert_snapshot!(files.join(""));
    }

    #[test]
    fn nothing_is_left_to_be_filled_in() {
        let tree = Gitea::new(Source::Path("/tmp/gitea".into())).tree(&seat());
        for file in tree.files() {
            let left = file.content.split('@').nth(1).filter(|word| {
                !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase())
            });
            assert_eq!(left, None, "{}", file.path);
        }
    }
}
