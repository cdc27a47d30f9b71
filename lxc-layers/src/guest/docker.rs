//! The guest in Docker: commands by the API's exec, files as archives; for `proxmox-ci local`.
//!
//! This folder is the only one that names the Docker library. Nothing here needs a `docker`
//! program, and Podman's compatible socket is as good.
//!
//! Ansible has no connection of its own to a container without that program. It comes in as it does
//! on a node: over ssh, by a key of its own, against a pinned host key. Both keys are put into the
//! container over the API before it starts, so that nothing is trusted on first sight.

mod archive;
mod container;
mod engine;
mod error;
mod image;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bollard::{
    container::LogOutput,
    exec::{CreateExecOptions, StartExecResults},
};
use futures_util::{TryStreamExt as _, future::try_join};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

pub(crate) use archive::digest;
pub use container::{First, Publish, Standing, Wanted};
pub use engine::{Daemon, Engine};
pub use error::{Error, Said};
pub use image::{Labels, Recipe};

use super::{Error as GuestError, Guest, HostKey, Invocation, LastWords, quote, write_private};
use crate::{
    process::{self, Finished, OnLine, Stream, Told},
    redact::Redactor,
    wait::Patience,
};

/// How long a command may take to end after its time is over and it was told to.
const GRACE: Duration = Duration::from_secs(15);
/// First pause between two knocks at the ssh port, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// What `timeout` ends with when the time is over.
const TIME_IS_OVER: i32 = 124;

/// Ends a command inside at its limit, where there is a program for it: the API cannot.
const BOUNDED: &str = r#"
limit=$1
shift
if command -v timeout >/dev/null 2>&1; then exec timeout -k 5 "$limit" "$@"; fi
exec "$@"
"#;

/// How Ansible comes into a container.
#[derive(Debug, Clone)]
pub struct Entrance {
    /// The port of loopback that leads to its ssh.
    pub port: u16,
    /// The private key that root takes there.
    pub key: PathBuf,
    /// The key that its ssh shows.
    pub host_key: HostKey,
    /// A private folder of this run.
    pub scratch: PathBuf,
}

/// A container of Docker as a guest.
#[derive(Debug, Clone)]
pub struct Docker {
    engine: Engine,
    id: String,
    name: String,
    entrance: Entrance,
    redactor: Redactor,
}

impl Docker {
    /// The running container `id`, called `name` in messages.
    #[must_use]
    pub fn new(
        engine: Engine,
        (id, name): (&str, &str),
        entrance: Entrance,
        redactor: Redactor,
    ) -> Self {
        Self {
            engine,
            id: id.to_owned(),
            name: name.to_owned(),
            entrance,
            redactor,
        }
    }

    fn broken(&self, said: &Said) -> GuestError {
        GuestError::Broken {
            guest: self.name.clone(),
            last: LastWords::new(&[said.to_string()]),
        }
    }

    /// Runs it, and tells what it says; its exit code.
    async fn exec(
        &self,
        invocation: &Invocation,
        told: &mut Told<'_>,
    ) -> Result<i32, bollard::errors::Error> {
        let limit = invocation.limit.as_secs().max(1).to_string();
        let head = ["sh", "-c", BOUNDED, "proxmox-ci", &limit];
        let argv = head
            .into_iter()
            .chain(invocation.argv.iter().map(String::as_str));
        let feeds = !invocation.input.is_empty();
        let options = CreateExecOptions {
            attach_stdin: Some(feeds),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(argv.collect()),
            user: Some("root"),
            // As over ssh: the surroundings of a login, not those of the image.
            env: Some(vec!["HOME=/root", "LC_ALL=C.UTF-8"]),
            working_dir: Some("/root"),
            ..CreateExecOptions::default()
        };
        let api = &self.engine.api;
        let exec = api.create_exec(&self.id, options).await?.id;
        if let StartExecResults::Attached {
            mut output,
            mut input,
        } = api.start_exec(&exec, None).await?
        {
            let feed = async {
                // A command that does not want its input is no error.
                if feeds && input.write_all(&invocation.input).await.is_ok() {
                    drop(input.shutdown().await);
                }
                Ok(())
            };
            let listen = async {
                while let Some(piece) = output.try_next().await? {
                    match piece {
                        LogOutput::StdErr { message } => told.take(Stream::Stderr, &message),
                        LogOutput::StdOut { message } | LogOutput::Console { message } => {
                            told.take(Stream::Stdout, &message);
                        }
                        LogOutput::StdIn { .. } => {}
                    }
                }
                Ok::<_, bollard::errors::Error>(())
            };
            try_join(feed, listen).await?;
        }
        let seen = api.inspect_exec(&exec).await?;
        let code = seen.exit_code.and_then(|code| i32::try_from(code).ok());
        Ok(code.unwrap_or(-1))
    }

    fn overdue(&self, limit: Duration, tail: Vec<String>) -> GuestError {
        GuestError::Program {
            guest: self.name.clone(),
            source: process::Error::TimedOut {
                program: "a command in the container".to_owned(),
                limit,
                tail,
            },
        }
    }
}

#[async_trait]
impl Guest for Docker {
    fn called(&self) -> String {
        self.name.clone()
    }

    /// The API knows the host key already: it was put there.
    async fn first_contact(&self, limit: Duration) -> Result<Option<HostKey>, GuestError> {
        self.wait_reachable(limit).await?;
        Ok(Some(self.entrance.host_key.clone()))
    }

    async fn wait_reachable(&self, limit: Duration) -> Result<(), GuestError> {
        let mut patience = Patience::new(limit, PAUSES.0, PAUSES.1);
        while !greets(self.entrance.port).await {
            if !patience.again().await {
                let words = "there is no ssh server in it; the Dockerfile installs `openssh-server` for that";
                return Err(GuestError::Unreachable {
                    guest: self.name.clone(),
                    waited: limit,
                    last: LastWords::new(&[words.to_owned()]),
                });
            }
        }
        Ok(())
    }

    async fn run<'a>(
        &self,
        invocation: Invocation,
        on_line: OnLine<'a>,
    ) -> Result<Finished, GuestError> {
        let mut told = Told::new(&self.redactor, on_line);
        let began = Instant::now();
        let limit = invocation.limit;
        let ran = tokio::time::timeout(limit + GRACE, self.exec(&invocation, &mut told)).await;
        match ran {
            Ok(Ok(TIME_IS_OVER)) if began.elapsed() >= limit => {
                Err(self.overdue(limit, told.into_tail()))
            }
            Ok(Ok(code)) => Ok(told.finished(code)),
            Ok(Err(error)) => Err(self.broken(&Said::from(error))),
            Err(_) => Err(self.overdue(limit, told.into_tail())),
        }
    }

    fn inventory(&self) -> Result<BTreeMap<String, String>, GuestError> {
        let Entrance {
            port,
            key,
            host_key,
            scratch,
        } = &self.entrance;
        let known_hosts = scratch.join("known_hosts");
        let line = format!("[127.0.0.1]:{port} {host_key}\n");
        write_private(&known_hosts, line.as_bytes()).map_err(|source| GuestError::Local {
            what: format!("`{}`", known_hosts.display()),
            source,
        })?;
        let settings = [
            format!("UserKnownHostsFile={}", known_hosts.display()),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "UpdateHostKeys=no".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
        ];
        let strict = settings.map(|setting| ["-o".to_owned(), setting]).concat();
        let entries = [
            ("ansible_host", "127.0.0.1".to_owned()),
            ("ansible_port", port.to_string()),
            ("ansible_user", "root".to_owned()),
            ("ansible_ssh_private_key_file", key.display().to_string()),
            ("ansible_ssh_common_args", quote::join(strict)),
        ];
        let entries = entries.map(|(name, value)| (name.to_owned(), value));
        Ok(entries.into_iter().collect())
    }
}

/// Whether an ssh server greets behind a port of loopback. That the port is open says nothing: the
/// daemon itself holds it.
async fn greets(port: u16) -> bool {
    let greeting = async {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        let mut first = [0_u8; 4];
        stream.read_exact(&mut first).await?;
        Ok::<_, std::io::Error>(&first == b"SSH-")
    };
    let limit = Duration::from_secs(2);
    matches!(tokio::time::timeout(limit, greeting).await, Ok(Ok(true)))
}

/// A filter of the API for everything that bears all these labels.
fn filters(labels: &Labels) -> HashMap<String, Vec<String>> {
    let pairs = labels.iter().map(|(key, value)| format!("{key}={value}"));
    HashMap::from([("label".to_owned(), pairs.collect())])
}
