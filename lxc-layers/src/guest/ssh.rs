//! The guest over ssh: the `ssh` program of the system, strict about the pinned host key.
//!
//! Only `ssh` itself is used: files travel through its standard input as a tar archive, and the
//! first contact records the host key into a `known_hosts` file of its own. What the operator's own
//! ssh configuration says (a jump host, for instance) stays in force, except where it could weaken
//! trust.
//!
//! One connection is made for a guest, when it is first reached, and all that follows goes through
//! it. It ends with us: it lives on an open standard input. Where it broke, each command connects
//! by itself.

mod connection;
mod key;

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    net::Ipv4Addr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use async_trait::async_trait;

use connection::Master;
pub use key::{HostKey, OperatorKey};

use super::{Error, Guest, Invocation, LastWords, OnWait, Reserved, quote};
use crate::{
    process::{self, Finished, Held, OnLine, Program},
    redact::Redactor,
    wait::Patience,
};

/// The exit code by which `ssh` speaks of itself rather than of the command.
const SSH_FAILED: i32 = 255;
/// How long one attempt to connect may take.
const CONNECT_SECS: u64 = 5;
/// First pause between two attempts, and the longest: a guest boots in about a second, and half of
/// that should not be lost by looking late.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(200));
/// So many refusals of the key in a row are an answer: a guest that boots may refuse once or twice.
const REFUSALS: u32 = 4;

/// Where a guest is, and with what it is reached.
#[derive(Debug, Clone)]
pub struct SshTarget {
    /// Its name, for messages.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// The user: `root`, whose authorised keys are given at create.
    pub user: String,
    /// The private key.
    pub key: PathBuf,
    /// Where the `known_hosts` files are made: a private folder of this run.
    pub scratch: PathBuf,
}

/// A guest over ssh.
#[derive(Debug)]
pub struct Ssh {
    target: SshTarget,
    pinned: Option<HostKey>,
    redactor: Redactor,
    /// The connection that all commands share.
    shared: Mutex<Option<Held>>,
}

impl Ssh {
    /// The guest at `target`; `pinned` is `None` before the first contact only.
    #[must_use]
    pub fn new(target: SshTarget, pinned: Option<HostKey>, redactor: Redactor) -> Self {
        Self {
            target,
            pinned,
            redactor,
            shared: Mutex::default(),
        }
    }

    /// The `known_hosts` file that holds the pinned key of this guest and nothing else.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn known_hosts(&self) -> Result<PathBuf, Error> {
        let path = self.scratch_file("known_hosts");
        let line = self.pinned.as_ref().map_or_else(String::new, |key| {
            format!("{} {key}\n", self.target.address)
        });
        // Another command may be reading it: what stands already is left alone.
        if fs::read_to_string(&path).is_ok_and(|stands| stands == line) {
            return Ok(path);
        }
        write_private(&path, line.as_bytes()).map_err(|source| Error::Local {
            what: format!("`{}`", path.display()),
            source,
        })?;
        Ok(path)
    }

    fn scratch_file(&self, suffix: &str) -> PathBuf {
        self.target
            .scratch
            .join(format!("{}.{suffix}", self.target.name))
    }

    /// Options that hold for every connection.
    fn options(&self, known_hosts: &Path, trust: Trust, master: Master) -> Vec<String> {
        let strict = match trust {
            Trust::Pinned => "yes",
            Trust::FirstContact => "accept-new",
        };
        let settings = [
            "BatchMode=yes".to_owned(),
            format!("StrictHostKeyChecking={strict}"),
            format!("UserKnownHostsFile={}", known_hosts.display()),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "HashKnownHosts=no".to_owned(),
            "UpdateHostKeys=no".to_owned(),
            "CheckHostIP=no".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "PreferredAuthentications=publickey".to_owned(),
            "ForwardAgent=no".to_owned(),
            "ClearAllForwardings=yes".to_owned(),
            format!("ControlMaster={}", master.word()),
            format!("ControlPath={}", self.control_path()),
            "ControlPersist=no".to_owned(),
            "LogLevel=ERROR".to_owned(),
            format!("ConnectTimeout={CONNECT_SECS}"),
            "ServerAliveInterval=15".to_owned(),
            "ServerAliveCountMax=4".to_owned(),
        ];
        let mut options = vec!["-T".to_owned()];
        for setting in settings {
            options.extend(["-o".to_owned(), setting]);
        }
        options.extend(["-i".to_owned(), self.target.key.display().to_string()]);
        options
    }

    /// The program that runs `invocation` on the guest.
    fn program(
        &self,
        invocation: Invocation,
        known_hosts: &Path,
        trust: Trust,
        master: Master,
    ) -> Program {
        Program::new("ssh")
            .args(self.options(known_hosts, trust, master))
            .arg(format!("{}@{}", self.target.user, self.target.address))
            .arg(quote::join(&invocation.argv))
            .input(invocation.input)
            .limit(invocation.limit)
            .redactor(self.redactor.clone())
    }

    /// The program failed that should have spoken to the guest.
    fn program_failed(&self, source: process::Error) -> Error {
        Error::Program {
            guest: self.called(),
            source,
        }
    }

    /// Tries until the guest answers or says something final.
    async fn until_reachable(&self, limit: Duration, trust: Trust) -> Result<(), Error> {
        let mut patience = Patience::new(limit, PAUSES.0, PAUSES.1);
        let mut refusals = 0;
        loop {
            let Some(finished) = self.connect(trust).await? else {
                return Ok(());
            };
            refusals = match Refusal::read(&finished.tail) {
                Refusal::HostKey { shown } => return Err(self.changed(shown)),
                Refusal::Key if refusals + 1 >= REFUSALS => {
                    return Err(Error::KeyRefused {
                        guest: self.called(),
                        key: self.target.key.display().to_string(),
                        last: LastWords::new(&finished.tail),
                    });
                }
                Refusal::Key => refusals + 1,
                Refusal::Connection => 0,
            };
            if !patience.again().await {
                return Err(Error::Unreachable {
                    guest: self.called(),
                    waited: limit,
                    last: LastWords::new(&finished.tail),
                });
            }
        }
    }

    fn changed(&self, shown: String) -> Error {
        Error::HostKeyChanged {
            guest: self.called(),
            pinned: self
                .pinned
                .as_ref()
                .map_or_else(|| "none".to_owned(), HostKey::fingerprint),
            shown,
        }
    }
}

/// How far the other side is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// It must show the pinned key.
    Pinned,
    /// Whatever key it shows is recorded: right after create, once.
    FirstContact,
}

/// Why `ssh` itself failed.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// The host key is not the pinned one; the fingerprint of the key that was shown.
    HostKey { shown: String },
    /// The operator's key is not taken.
    Key,
    /// Nobody answers, or the connection ended.
    Connection,
}

impl Refusal {
    fn read(tail: &[String]) -> Self {
        let text = tail.join("\n");
        let host_key = [
            "Host key verification failed",
            "host key is known for",
            "IDENTIFICATION HAS CHANGED",
        ];
        if host_key.iter().any(|sign| text.contains(sign)) {
            let shown = text
                .split_whitespace()
                .find(|word| word.starts_with("SHA256:"))
                .unwrap_or("another key");
            let shown = shown.trim_end_matches('.').to_owned();
            return Self::HostKey { shown };
        }
        if text.contains("Permission denied (") || text.contains("Too many authentication failures")
        {
            return Self::Key;
        }
        Self::Connection
    }
}

#[async_trait]
impl Guest for Ssh {
    fn called(&self) -> String {
        format!("{} ({})", self.target.name, self.target.address)
    }

    async fn first_contact(&self, limit: Duration) -> Result<Option<HostKey>, Error> {
        let recorded = self.scratch_file("first_contact");
        let local = |source| Error::Local {
            what: format!("`{}`", recorded.display()),
            source,
        };
        write_private(&recorded, b"").map_err(local)?;
        self.until_reachable(limit, Trust::FirstContact).await?;
        let text = fs::read_to_string(&recorded).map_err(local)?;
        Ok(HostKey::of_known_hosts(&text))
    }

    async fn wait_reachable(&self, limit: Duration) -> Result<(), Error> {
        self.until_reachable(limit, Trust::Pinned).await
    }

    async fn run<'a>(
        &self,
        invocation: Invocation,
        on_line: OnLine<'a>,
    ) -> Result<Finished, Error> {
        let program = self.program(invocation, &self.known_hosts()?, Trust::Pinned, Master::No);
        let ran = program.run(on_line).await;
        let finished = ran.map_err(|source| self.program_failed(source))?;
        if finished.code != SSH_FAILED {
            return Ok(finished);
        }
        match Refusal::read(&finished.tail) {
            Refusal::HostKey { shown } => Err(self.changed(shown)),
            Refusal::Key | Refusal::Connection => Err(Error::Broken {
                guest: self.called(),
                last: LastWords::new(&finished.tail),
            }),
        }
    }

    async fn reserve<'a>(
        &self,
        holder: &str,
        limit: Duration,
        on_wait: OnWait<'a>,
    ) -> Result<Reserved, Error> {
        self.reserved(holder, limit, on_wait).await
    }

    fn inventory(&self) -> Result<BTreeMap<String, String>, Error> {
        let known_hosts = self.known_hosts()?;
        let strict = quote::join([
            "-o".to_owned(),
            format!("UserKnownHostsFile={}", known_hosts.display()),
            "-o".to_owned(),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "-o".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "-o".to_owned(),
            "UpdateHostKeys=no".to_owned(),
            "-o".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "-o".to_owned(),
            format!("ControlPath={}", self.control_path()),
        ]);
        let entries = [
            ("ansible_host", self.target.address.to_string()),
            ("ansible_user", self.target.user.clone()),
            (
                "ansible_ssh_private_key_file",
                self.target.key.display().to_string(),
            ),
            ("ansible_ssh_common_args", strict),
        ];
        Ok(entries
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect())
    }
}

/// Writes a file that only we can read, whatever stood there.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_host_key_is_read_with_its_fingerprint() {
        let tail = [
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @",
            "The fingerprint for the ED25519 key sent by the remote host is",
            "SHA256:abcDEF+/123.",
            "Host key verification failed.",
        ]
        .map(str::to_owned);
        assert_eq!(
            Refusal::read(&tail),
            Refusal::HostKey {
                shown: "SHA256:abcDEF+/123".to_owned()
            }
        );
    }

    #[test]
    fn a_refused_key_and_a_silent_address_differ() {
        let key = ["root@10.0.0.5: Permission denied (publickey,password).".to_owned()];
        assert_eq!(Refusal::read(&key), Refusal::Key);
        let silent = ["ssh: connect to host 10.0.0.5 port 22: Connection refused".to_owned()];
        assert_eq!(Refusal::read(&silent), Refusal::Connection);
    }
}
