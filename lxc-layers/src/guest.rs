//! Guest: argument vectors and files into a container, and what answers back.

pub mod docker;
pub mod quote;
mod ssh;

use std::{collections::BTreeMap, fmt, time::Duration};

use async_trait::async_trait;

pub(crate) use ssh::write_private;
pub use ssh::{HostKey, OperatorKey, Ssh, SshTarget};

use crate::process::{self, Finished, OnLine};

/// Why a guest did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It did not answer within the limit.
    #[error("`{guest}` does not answer ssh after {} s", waited.as_secs())]
    Unreachable {
        /// The guest, by name and address.
        guest: String,
        /// How long was waited.
        waited: Duration,
        /// What the last attempt said.
        #[source]
        last: LastWords,
    },
    /// It shows another host key than the one that was pinned.
    #[error("the ssh host key of `{guest}` changed: pinned `{pinned}`, now `{shown}`")]
    HostKeyChanged {
        /// The guest, by name and address.
        guest: String,
        /// Fingerprint of the pinned key.
        pinned: String,
        /// Fingerprint of the key that it shows now.
        shown: String,
    },
    /// It does not take the operator's key.
    #[error("`{guest}` does not take the ssh key `{key}`")]
    KeyRefused {
        /// The guest, by name and address.
        guest: String,
        /// Path of the private key that was offered.
        key: String,
        /// What ssh said.
        #[source]
        last: LastWords,
    },
    /// The connection broke while a command ran.
    #[error("the connection to `{guest}` broke")]
    Broken {
        /// The guest, by name and address.
        guest: String,
        /// What ssh said.
        #[source]
        last: LastWords,
    },
    /// The ssh program itself could not be run or did not end.
    #[error("reaching `{guest}`")]
    Program {
        /// The guest, by name and address.
        guest: String,
        /// What went wrong.
        #[source]
        source: process::Error,
    },
    /// Another run works inside it.
    #[error("another run works on `{guest}`: {holder}")]
    Taken {
        /// The guest, by name and address.
        guest: String,
        /// Who: command, process, user, machine, and since when.
        holder: String,
    },
    /// A file of our own could not be written.
    #[error("preparing {what}")]
    Local {
        /// What was prepared.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Whether another server stands where the pinned one stood.
    #[must_use]
    pub fn is_untrusted(&self) -> bool {
        matches!(self, Self::HostKeyChanged { .. })
    }

    /// Whether a file on our side is to blame.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local { .. })
    }

    /// Whether another run works inside it.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Taken { .. })
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Taken { .. } => {
                Some("wait for it to end, then apply again: what it did is not done twice".to_owned())
            }
            Self::HostKeyChanged { .. } => Some(
                "if the guest was rebuilt on purpose, remove `host_key` from its notes in Proxmox VE; otherwise find out who answers there".to_owned(),
            ),
            Self::KeyRefused { .. } => Some(
                "the key that was given at create must be the one that is used now; see `ssh_key` in fleet.local.toml".to_owned(),
            ),
            Self::Unreachable { .. } => Some(
                "is the address reachable from here, and does the template start an ssh server?".to_owned(),
            ),
            Self::Program { source, .. } if source.is_missing_program() => {
                Some("install the OpenSSH client".to_owned())
            }
            _ => None,
        }
    }
}

/// The last lines of a program, as the cause of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWords(Vec<String>);

impl LastWords {
    /// These lines, blank ones left out.
    #[must_use]
    pub fn new(lines: &[String]) -> Self {
        let told = lines.iter().filter(|line| !line.trim().is_empty());
        Self(told.cloned().collect())
    }
}

impl fmt::Display for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("it said nothing");
        }
        f.write_str(&self.0.join("\n    "))
    }
}

impl std::error::Error for LastWords {}

/// A command for a guest: an argument vector, what it reads, and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// What it reads on standard input.
    pub input: Vec<u8>,
    /// How long it may take.
    pub limit: Duration,
}

impl Invocation {
    /// This argument vector, without input, for at most a minute.
    pub fn new<I, S>(argv: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            input: Vec::new(),
            limit: Duration::from_secs(60),
        }
    }

    /// A POSIX shell script, with its positional parameters from `$1`.
    pub fn shell<I, S>(script: &str, parameters: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let head = ["sh", "-c", script, "proxmox-ci"].map(str::to_owned);
        Self::new(
            head.into_iter()
                .chain(parameters.into_iter().map(Into::into)),
        )
    }

    /// Gives it something to read.
    #[must_use]
    pub fn input(mut self, input: Vec<u8>) -> Self {
        self.input = input;
        self
    }

    /// Bounds its running time.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

/// One file for a guest.
#[derive(Clone, PartialEq, Eq)]
pub struct Parcel {
    /// Where it belongs, relative to the destination, with `/`.
    pub path: String,
    /// Its content.
    pub content: Vec<u8>,
    /// Its permission bits, such as `0o600`.
    pub mode: u32,
}

impl fmt::Debug for Parcel {
    /// Without the content, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parcel({}, {} bytes)", self.path, self.content.len())
    }
}

/// Whom to tell who is waited for.
pub type OnWait<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// The inside of a guest, reserved until this is dropped.
#[derive(Debug, Default)]
pub struct Reserved {
    _session: Option<process::Held>,
}

impl Reserved {
    /// Reserved by a program that runs for as long.
    pub(crate) const fn by(session: process::Held) -> Self {
        Self {
            _session: Some(session),
        }
    }
}

/// Unpacks an archive from standard input, also below what is mounted, such as `/run`.
const UNPACK: &str = r#"umask 077; mkdir -p "$1" && tar -C "$1" --no-same-owner -xf -"#;

/// Reads a file.
const READ: &str = r#"[ -e "$1" ] || exit 44; cat -- "$1""#;

/// What `READ` exits with when there is none.
const NO_SUCH_FILE: i32 = 44;

/// A container from the inside. Every verb is bounded in time.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Guest: Send + Sync {
    /// How messages call this guest.
    fn called(&self) -> String;

    /// Meets a guest whose host key nobody knows yet, and learns the key, within `limit`.
    ///
    /// `None` when the transport has no keys, or the guest showed none.
    async fn first_contact(&self, limit: Duration) -> Result<Option<HostKey>, Error>;

    /// Waits, within `limit`, until the pinned guest answers.
    async fn wait_reachable(&self, limit: Duration) -> Result<(), Error>;

    /// Runs a command to its end, whatever its exit code, telling each line.
    async fn run<'a>(&self, invocation: Invocation, on_line: OnLine<'a>)
    -> Result<Finished, Error>;

    /// Reserves the inside of the guest for `holder`, for as long as the answer lives and we do.
    ///
    /// Another who holds it is waited for within `limit`; `on_wait` is told who that is. Where the
    /// transport, or the guest, has no means to reserve anything, nothing is reserved.
    async fn reserve<'a>(
        &self,
        _holder: &str,
        _limit: Duration,
        _on_wait: OnWait<'a>,
    ) -> Result<Reserved, Error> {
        Ok(Reserved::default())
    }

    /// Sends files into `directory`, which is made when it is missing.
    async fn send(&self, files: Vec<Parcel>, directory: &str) -> Result<(), Error> {
        let archive = pack(&files).map_err(|source| Error::Local {
            what: "an archive of files".to_owned(),
            source,
        })?;
        let unpack = Invocation::shell(UNPACK, [directory]).input(archive);
        let finished = self.run(unpack, &|_, _| {}).await?;
        if finished.is_success() {
            return Ok(());
        }
        Err(Error::Broken {
            guest: self.called(),
            last: LastWords::new(&finished.tail),
        })
    }

    /// Reads a file; `None` when there is none.
    async fn fetch(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let finished = self
            .run(Invocation::shell(READ, [path]), &|_, _| {})
            .await?;
        match finished.code {
            0 => Ok(Some(finished.stdout)),
            NO_SUCH_FILE => Ok(None),
            _ => Err(Error::Broken {
                guest: self.called(),
                last: LastWords::new(&finished.tail),
            }),
        }
    }

    /// What Ansible's inventory says of this guest: address, user, key, strictness.
    ///
    /// # Errors
    ///
    /// When the file that holds the pinned host key cannot be written.
    fn inventory(&self) -> Result<BTreeMap<String, String>, Error>;
}

/// Packs files as an uncompressed tar archive: order as given, no times, owned by root.
///
/// # Errors
///
/// When a path does not fit into an archive.
pub fn pack(files: &[Parcel]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.content.len() as u64);
        header.set_mode(file.mode);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        archive.append_data(&mut header, &file.path, file.content.as_slice())?;
    }
    archive.into_inner()
}
