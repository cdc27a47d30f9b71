//! The container tools, each call with a limit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Failure;
use crate::process::{Error, Program};

/// How long a call may take that does not wait for a guest.
const LIMIT: Duration = Duration::from_secs(30);

/// The container tools for the containers in one folder.
#[derive(Debug, Clone)]
pub(in crate::guests) struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// The tools for the containers in a folder.
    pub(in crate::guests) fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    fn tool(&self, tool: &str, container: &str) -> Program {
        Program::new(tool)
            .arg("-P")
            .arg(&self.folder)
            .args(["-n", container])
            .limit(LIMIT)
    }

    /// Starts a container, with its console and the tool's own log in these files.
    pub(super) async fn start(&self, name: &str, log: &Path, console: &Path) -> Result<(), Error> {
        let start = self
            .tool("lxc-start", name)
            .args(["-d", "-l", "INFO", "-o"])
            .arg(log);
        start.arg("-L").arg(console).checked().await.map(drop)
    }

    /// The process id of a container's init, when it runs.
    pub(in crate::guests) async fn init(&self, name: &str) -> Result<Option<u32>, Error> {
        let output = self
            .tool("lxc-info", name)
            .args(["-p", "-H"])
            .output()
            .await?;
        Ok(String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .ok()
            .filter(|pid| *pid > 0))
    }

    /// Asks a container to shut down and waits; whether it did is for the caller to see.
    pub(super) async fn ask_to_stop(&self, name: &str, wait: Duration) -> Result<(), Error> {
        let seconds = wait.as_secs().max(1).to_string();
        let stop = self
            .tool("lxc-stop", name)
            .args(["--nokill", "-t", &seconds]);
        stop.limit(wait + LIMIT).output().await.map(drop)
    }

    /// Stops a container at once; whether it did is for the caller to see.
    pub(in crate::guests) async fn kill(&self, name: &str) -> Result<(), Error> {
        self.tool("lxc-stop", name)
            .arg("-k")
            .output()
            .await
            .map(drop)
    }
}

/// A failure with the causes of an error in its line.
pub(in crate::guests) fn because(error: &(dyn std::error::Error + 'static)) -> Failure {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    Failure::new(text)
}

/// Turns an error into a failure that begins with what was being done.
pub(in crate::guests) fn while_doing<E: std::error::Error + 'static>(
    what: impl std::fmt::Display,
) -> impl FnOnce(E) -> Failure {
    move |error| Failure::new(format!("{what}: {}", because(&error)))
}
