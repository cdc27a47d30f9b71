//! Keys: the pinned host key of a guest, and the key by which the operator enters.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    guest::{Error, LastWords},
    process::Program,
};

/// An ssh host key: its algorithm and its public part, as `known_hosts` writes them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostKey {
    algorithm: String,
    blob: String,
}

/// A text that is no ssh public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no ssh public key, which is an algorithm, a blank and base64")]
pub struct NotAKey;

impl HostKey {
    /// The fingerprint as `ssh` shows it: `SHA256:` and base64 without padding.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let bytes = STANDARD.decode(&self.blob).unwrap_or_default();
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(bytes)))
    }

    /// The first key of a `known_hosts` file.
    pub(crate) fn of_known_hosts(text: &str) -> Option<Self> {
        text.lines()
            .filter_map(|line| line.split_once(' '))
            .find_map(|(_host, key)| key.parse().ok())
    }
}

impl FromStr for HostKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let mut words = text.split_whitespace();
        let (Some(algorithm), Some(blob)) = (words.next(), words.next()) else {
            return Err(NotAKey);
        };
        let named = algorithm.starts_with("ssh-")
            || algorithm.starts_with("ecdsa-")
            || algorithm.starts_with("sk-");
        if !named || STANDARD.decode(blob).is_err() {
            return Err(NotAKey);
        }
        Ok(Self {
            algorithm: algorithm.to_owned(),
            blob: blob.to_owned(),
        })
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.blob)
    }
}

impl TryFrom<String> for HostKey {
    type Error = NotAKey;

    fn try_from(text: String) -> Result<Self, NotAKey> {
        text.parse()
    }
}

impl From<HostKey> for String {
    fn from(key: HostKey) -> Self {
        key.to_string()
    }
}

/// The key by which the operator enters every guest of the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorKey {
    /// The private part, a file that only its owner reads.
    pub path: PathBuf,
    /// The public part, one line as `authorized_keys` wants it.
    pub public: String,
}

impl OperatorKey {
    /// The key in `path`: the public part from the file beside it, else derived by `ssh-keygen`.
    ///
    /// # Errors
    ///
    /// When there is no key, or it cannot be read without a passphrase.
    pub async fn read(path: &Path) -> Result<Self, Error> {
        let local = |source| Error::Local {
            what: format!("the ssh key `{}`", path.display()),
            source,
        };
        fs::metadata(path).map_err(local)?;
        let beside = PathBuf::from(format!("{}.pub", path.display()));
        let public = match fs::read_to_string(&beside) {
            Ok(text) => text,
            Err(_) => derive_public(path).await?,
        };
        public.parse::<HostKey>().map_err(|error| Error::Local {
            what: format!("the public part of the ssh key `{}`", path.display()),
            source: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
        })?;
        Ok(Self {
            path: path.to_owned(),
            public: public.trim().to_owned(),
        })
    }

    /// The key in `path`, made when it is missing: ed25519, without a passphrase, mode 0600.
    ///
    /// # Errors
    ///
    /// When it cannot be made or read.
    pub async fn ensure(path: &Path, comment: &str) -> Result<Self, Error> {
        if !path.exists() {
            let made = keygen(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"], path).await?;
            drop(made);
        }
        Self::read(path).await
    }
}

async fn derive_public(path: &Path) -> Result<String, Error> {
    keygen(["-y", "-P", "", "-f"], path).await
}

async fn keygen<const N: usize>(arguments: [&str; N], path: &Path) -> Result<String, Error> {
    let guest = || format!("the ssh key {}", path.display());
    let finished = Program::new("ssh-keygen")
        .args(arguments)
        .arg(path)
        .capture()
        .await
        .map_err(|source| Error::Program {
            guest: guest(),
            source,
        })?;
    if finished.is_success() {
        return Ok(finished.text());
    }
    let said = LastWords::new(&finished.tail);
    Err(Error::Local {
        what: guest(),
        source: std::io::Error::other(said),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn a_host_key_survives_a_round_trip() {
        let key: HostKey = KEY.parse().unwrap();
        assert_eq!(key.to_string(), KEY);
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<HostKey>(&json).unwrap(), key);
    }

    #[test]
    fn the_fingerprint_is_the_one_that_ssh_shows() {
        let key: HostKey = KEY.parse().unwrap();
        assert_eq!(
            key.fingerprint(),
            "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
        );
    }

    #[test]
    fn a_recorded_line_gives_its_key() {
        let text = format!("10.0.0.5 {KEY}\n");
        assert_eq!(
            HostKey::of_known_hosts(&text).map(|key| key.to_string()),
            Some(KEY.to_owned())
        );
        assert_eq!(HostKey::of_known_hosts(""), None);
    }

    #[test]
    fn other_text_is_no_key() {
        for text in ["", "ssh-ed25519", "ssh-ed25519 ***", "rsa AAAA"] {
            assert_eq!(text.parse::<HostKey>(), Err(NotAKey), "{text}");
        }
    }

    #[tokio::test]
    async fn a_key_is_made_once_and_read_ever_after() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let made = OperatorKey::ensure(&path, "fleet").await.unwrap();
        assert!(made.public.starts_with("ssh-ed25519 "));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_file(folder.path().join("key.pub")).unwrap();
        let read = OperatorKey::ensure(&path, "fleet").await.unwrap();
        assert_eq!(read.public, made.public);
    }
}
