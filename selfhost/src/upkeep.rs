//! Upkeep: the control plane changes its own program, and takes the old one back if the new one does
//! not serve.
//!
//! ```text
//! in the job                                          in a unit of its own, after the job
//! pin ≠ installed → fetch → verify → put beside  ──►  the job's end is acknowledged → rename →
//!                   → `--version` there               restart → healthy, or the old one back
//! ```
//!
//! The job that orders the change runs in the runner that is to be restarted. So the second half is
//! handed to a unit of its own, which waits until the Git service takes the job's token no longer:
//! then the end of that job, its log included, is kept there.
//!
//! That unit may be killed, and the machine may lose its power, at any moment: the order stays until
//! there is a verdict, the unit is started again, also at boot, and goes on where the files say that
//! it was. It runs from a name of its own, which is the build that served when the order was given:
//! the new one need not even start for the old one to be taken back.
//!
//! # Quirks
//! A token of a job is one of `gitea-actions`, and is refused (401) from the moment on at which the
//! job's result is kept.

mod build;
mod hand_over;
mod machine;
mod order;
mod settle;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use gitea_api::{Client, RepoPath, Secret};
use lxc_layers::guest::{self, Guest};
use serde::{Deserialize, Serialize};

pub use build::asset_name;
pub use order::{Order, OrderError, Record, Service, Verdict};
pub use settle::{Limits, settle};

/// The repository of our own code, beside the fleet's.
pub const PROGRAM_REPOSITORY: &str = "proxmox-ci";

/// Where things are on a control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The program; `….next` and `….previous` lie beside it.
    pub program: PathBuf,
    /// Orders, and the record of how the last one ended.
    pub state: PathBuf,
    /// Where the runner keeps the folders of running jobs, `job-…`.
    pub jobs: PathBuf,
    /// The unit of the Git service.
    pub forge_unit: String,
    /// The unit of the runner.
    pub runner_unit: String,
    /// Where units are.
    #[serde(default = "units")]
    pub units: PathBuf,
}

fn units() -> PathBuf {
    "/etc/systemd/system".into()
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            program: "/usr/local/bin/proxmox-ci".into(),
            state: "/var/lib/proxmox-ci/upkeep".into(),
            jobs: "/var/lib/proxmox-ci/runner/work".into(),
            forge_unit: "proxmox-ci-forge.service".to_owned(),
            runner_unit: "proxmox-ci-runner.service".to_owned(),
            units: units(),
        }
    }
}

impl Layout {
    /// The build that is tried out and not yet installed.
    #[must_use]
    pub fn next(&self) -> PathBuf {
        self.beside("next")
    }

    /// The build that was installed before.
    #[must_use]
    pub fn previous(&self) -> PathBuf {
        self.beside("previous")
    }

    /// The build that carries out an order: the one that served when the order was given.
    #[must_use]
    pub fn keeper(&self) -> PathBuf {
        self.beside("upkeep")
    }

    /// What is to be done after the job.
    #[must_use]
    pub fn order(&self) -> PathBuf {
        self.state.join("order.json")
    }

    /// How the last order ended.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.state.join("last.json")
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.program.clone().into_os_string();
        name.push(".");
        name.push(ending);
        name.into()
    }
}

/// Which build a control plane is to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The version, without the `v` of its tag.
    pub version: String,
    /// The checksum of the executable, 64 hexadecimal digits in lower case.
    pub sha256: String,
}

/// What to do with a build that was put back once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It is refused: it would not serve now either.
    Never,
    /// It is tried again.
    Again,
}

/// One control plane, and the build that it is to run.
pub struct Upkeep<'a> {
    /// The control plane, as root.
    pub guest: &'a dyn Guest,
    /// Its Git service, asked as the job or as an operator.
    pub forge: &'a Client,
    /// The token that `forge` asks with.
    pub token: Option<Secret>,
    /// How the control plane itself reaches that service.
    pub service: Service,
    /// The repository whose releases are builds.
    pub repository: RepoPath,
    /// The build.
    pub pin: Pin,
    /// Where things are.
    pub layout: Layout,
    /// What to do with a build that was put back.
    pub retry: Retry,
}

impl std::fmt::Debug for Upkeep<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upkeep")
            .field("repository", &self.repository)
            .field("pin", &self.pin)
            .finish_non_exhaustive()
    }
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The build that is pinned is installed.
    Current,
    /// The build is there and runs; a unit installs it once the job is over.
    HandedOver,
}

/// Why the program was not changed. What is installed stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The control plane could not be asked.
    #[error("asking the control plane")]
    Guest(#[source] guest::Error),
    /// The Git service could not be asked.
    #[error("asking the Git service for the build")]
    Forge(#[source] gitea_api::Error),
    /// There is no such release.
    #[error("`{repository}` has no release `{tag}`")]
    NoRelease {
        /// Where it was looked for.
        repository: String,
        /// The tag.
        tag: String,
    },
    /// The release has no such build.
    #[error("the release `{tag}` of `{repository}` has no file `{name}`")]
    NoBuild {
        /// Where it was looked for.
        repository: String,
        /// The tag.
        tag: String,
        /// The file.
        name: String,
    },
    /// The build is another one than the one that is pinned.
    #[error("the file `{name}` has the checksum `{found}`, pinned is `{pinned}`")]
    Checksum {
        /// The file.
        name: String,
        /// What it has.
        found: String,
        /// What it should have.
        pinned: String,
    },
    /// The build does not run there, or is not what it should be.
    #[error("the build says `{said}` on the control plane, expected was `{expected}`")]
    Stranger {
        /// What it said.
        said: String,
        /// What it should say.
        expected: String,
    },
    /// This very build was tried and put back.
    #[error("this build was installed {at} and put back")]
    PutBack {
        /// When.
        at: String,
        /// Why.
        #[source]
        because: Because,
    },
    /// Another change of the program is under way.
    #[error("an earlier change of the program is not over")]
    Busy,
    /// The control plane did not do something.
    #[error("the control plane could not {what}")]
    Refused {
        /// What it was asked to do.
        what: &'static str,
        /// What it said.
        #[source]
        said: Because,
    },
}

/// The words of another program, as the cause of an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Because(pub String);

impl Error {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoRelease { .. } | Self::NoBuild { .. } => Some(
                "make a release with the tag `v<version>` and attach the build as `proxmox-ci-<first 12 digits of its SHA-256>`",
            ),
            Self::Checksum { .. } => {
                Some("pin what `sha256sum` says of the build, or attach the right one")
            }
            Self::Stranger { .. } => {
                Some("is it built for the control plane's system and its libc?")
            }
            Self::PutBack { .. } => {
                Some("pin another build; `proxmox-ci upkeep --again` tries this one once more")
            }
            Self::Busy => Some(
                "`systemctl status proxmox-ci-upkeep` on the control plane tells how far it is",
            ),
            _ => None,
        }
    }
}

impl Upkeep<'_> {
    /// Compares, and where the pin differs prepares everything and hands the rest over.
    ///
    /// # Errors
    /// When the build cannot be had, is another one, does not run there, or was put back before.
    /// Nothing that serves was touched then.
    pub async fn keep(&self) -> Result<Outcome, Error> {
        if self.installed().await?.as_deref() == Some(&*self.pin.sha256) {
            return Ok(Outcome::Current);
        }
        self.not_busy().await?;
        self.not_put_back().await?;
        let build = self.fetch().await?;
        self.put_beside(build).await?;
        self.runs_there().await?;
        self.hand_over().await?;
        Ok(Outcome::HandedOver)
    }
}
