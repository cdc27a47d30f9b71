//! Provisioner: the tools that configure a guest, and what is common to running them.

mod ansible;
mod cinc;
mod remote;
mod script;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

pub use ansible::Ansible;
pub use cinc::Cinc;
pub use script::Script;

use crate::{
    guest::{self, Guest, LastWords, Parcel},
    process::{self, Finished, OnLine},
    redact::Redactor,
    resolve::{Provisioner as Tool, Step, Variable},
};

/// Why a provisioner did not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It ran and failed.
    #[error("`{tool}` ended with {code} in `{folder}`")]
    Failed {
        /// The tool.
        tool: &'static str,
        /// Its exit code.
        code: i32,
        /// The folder of its inputs, relative to the fleet.
        folder: String,
        /// Its last lines.
        #[source]
        last: LastWords,
    },
    /// It did not end in time.
    #[error("`{tool}` did not end within {} s in `{folder}`", limit.as_secs())]
    TimedOut {
        /// The tool.
        tool: &'static str,
        /// The folder of its inputs, relative to the fleet.
        folder: String,
        /// Its limit.
        limit: Duration,
        /// Its last lines.
        #[source]
        last: LastWords,
    },
    /// The tool is not where it should be.
    #[error("`{program}` is not installed {place}")]
    Missing {
        /// The program.
        program: &'static str,
        /// `on this machine` or `in the guest`.
        place: &'static str,
    },
    /// A file that the plan was made from is not what it was.
    #[error("`{}` changed since it was read", path.display())]
    InputChanged {
        /// The file.
        path: PathBuf,
    },
    /// A file on our side cannot be read or written.
    #[error("preparing `{}`", path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A variable's name is none in a shell.
    #[error("`{name}` is no name of an environment variable")]
    VariableName {
        /// The name.
        name: String,
    },
    /// The guest cannot be reached.
    #[error("reaching the guest for `{tool}`")]
    Guest {
        /// The tool.
        tool: &'static str,
        /// Why.
        #[source]
        source: Box<guest::Error>,
    },
    /// A program on this machine could not be run.
    #[error("running `{tool}`")]
    Program {
        /// The tool.
        tool: &'static str,
        /// Why.
        #[source]
        source: process::Error,
    },
}

impl Error {
    /// Whether a file on our side is to blame.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Local { .. } => true,
            Self::Guest { source, .. } => source.is_local(),
            _ => false,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing {
                program: "ansible-playbook",
                ..
            } => Some("install `ansible-core` (Debian: apt-get install ansible-core)".to_owned()),
            Self::Missing { .. } => {
                Some("let the base layer or the template install it".to_owned())
            }
            Self::Failed { folder, .. } => Some(format!(
                "mend `{folder}` and apply again: what was done stays, this step runs again"
            )),
            Self::TimedOut { .. } => Some("it may take longer with a larger limit".to_owned()),
            Self::InputChanged { .. } => Some("plan again".to_owned()),
            Self::Guest { source, .. } => source.hint(),
            _ => None,
        }
    }

    fn guest(tool: &'static str) -> impl Fn(guest::Error) -> Self {
        move |source| Self::Guest {
            tool,
            source: Box::new(source),
        }
    }
}

/// What a provisioner brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It says how many things it changed.
    Changed(u32),
    /// It ended well and does not say what it changed.
    Ran,
    /// It cannot tell beforehand what it would do.
    CannotCheck,
}

/// One run of one provisioner.
pub struct Job<'a> {
    /// What to run.
    pub step: &'a Step,
    /// The container's name: the host in the inventory.
    pub container: &'a str,
    /// The fleet's root, which the step's folder is relative to.
    pub root: &'a Path,
    /// Where to run it.
    pub guest: &'a dyn Guest,
    /// A private folder of this run, for files that the tool reads.
    pub scratch: &'a Path,
    /// What must not be seen.
    pub redactor: &'a Redactor,
    /// Whom to tell its lines.
    pub on_line: OnLine<'a>,
}

impl std::fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("container", &self.container)
            .field("step", &self.step.id)
            .finish_non_exhaustive()
    }
}

/// Whether a run may change the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It says what it would do.
    Check,
    /// It does it.
    Apply,
}

/// A tool that configures a guest.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Provisioner: Send + Sync {
    /// Runs it to its end, within the step's limit, telling each line.
    async fn run<'a>(&self, job: &Job<'a>, mode: Mode) -> Result<Outcome, Error>;
}

/// The provisioner that a step asks for.
#[must_use]
pub fn provisioner(tool: &Tool) -> Box<dyn Provisioner> {
    match tool {
        Tool::Ansible { playbook } => Box::new(Ansible::new(playbook)),
        Tool::Script { script } => Box::new(Script::new(script)),
        Tool::Cinc { cookbook, run_list } => Box::new(Cinc::new(cookbook, run_list)),
    }
}

impl Job<'_> {
    fn folder(&self) -> PathBuf {
        self.root.join(&self.step.folder)
    }

    /// The step's files, below `prefix`, exactly those that its fingerprint covers.
    fn parcels(&self, prefix: &str) -> Result<Vec<Parcel>, Error> {
        let folder = self.folder();
        let mut parcels = Vec::new();
        for (path, input) in &self.step.inputs {
            let full = folder.join(path);
            let content = fs::read(&full).map_err(|source| Error::Local {
                path: full.clone(),
                source,
            })?;
            if hex::encode(Sha256::digest(&content)) != input.digest {
                return Err(Error::InputChanged { path: full });
            }
            parcels.push(Parcel {
                path: format!("{prefix}{path}"),
                content,
                mode: if input.executable { 0o755 } else { 0o644 },
            });
        }
        Ok(parcels)
    }

    /// The step's variables in the clear: for a file that only root reads, for nothing else.
    fn variables(&self) -> BTreeMap<&str, &str> {
        let revealed = self.step.variables.iter().map(|(name, value)| {
            let value = match value {
                Variable::Plain(text) => text.as_str(),
                Variable::Secret(secret) => secret.reveal(),
            };
            (name.as_str(), value)
        });
        revealed.collect()
    }

    fn ended(&self, tool: &'static str, finished: &Finished) -> Result<(), Error> {
        if finished.is_success() {
            return Ok(());
        }
        Err(Error::Failed {
            tool,
            code: finished.code,
            folder: self.step.folder.clone(),
            last: LastWords::new(&finished.tail),
        })
    }

    /// The same for a command that the guest itself ends, with `time_is_over`, at the limit.
    fn ended_in_guest(
        &self,
        tool: &'static str,
        finished: &Finished,
        time_is_over: i32,
    ) -> Result<(), Error> {
        if finished.code != time_is_over {
            return self.ended(tool, finished);
        }
        Err(Error::TimedOut {
            tool,
            folder: self.step.folder.clone(),
            limit: self.step.within,
            last: LastWords::new(&finished.tail),
        })
    }

    fn program_failed(&self, tool: &'static str, error: process::Error) -> Error {
        match error {
            process::Error::TimedOut { limit, tail, .. } => Error::TimedOut {
                tool,
                folder: self.step.folder.clone(),
                limit,
                last: LastWords::new(&tail),
            },
            source => Error::Program { tool, source },
        }
    }

    fn guest_failed(&self, tool: &'static str, error: guest::Error) -> Error {
        match error {
            guest::Error::Program { source, .. } => self.program_failed(tool, source),
            other => Error::guest(tool)(other),
        }
    }
}
