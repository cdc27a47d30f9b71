//! The `git` program: how it is called, and with which environment.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use super::{Error, Git};

/// What a finished `git` said.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Its exit status; -1 when it was killed.
    pub status: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error, lossily decoded.
    pub stderr: String,
}

/// A `git` in a repository, without any configuration of the machine or the user.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = crate::blocking::program("git");
    command
        .arg("--git-dir")
        .arg(folder)
        .args(arguments)
        .current_dir(folder);
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0");
    command
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .env("GIT_NO_REPLACE_OBJECTS", "1");
    for name in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_PROTOCOL",
    ] {
        command.env_remove(name);
    }
    command
}

/// A running `git` with pipes.
pub(super) fn piped(folder: &Path, arguments: &[&str]) -> io::Result<Child> {
    command(folder, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

/// Runs a service of git to its end.
pub(crate) fn output(
    folder: &Path,
    arguments: &[&str],
    protocol: Option<&str>,
) -> io::Result<Output> {
    service(folder, arguments, protocol)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
}

/// Runs git with something to read, and answers what it writes.
pub(crate) fn filter(folder: &Path, arguments: &[&str], input: &[u8]) -> io::Result<Vec<u8>> {
    let mut child = command(folder, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let stdin = child.stdin.take();
    let input = input.to_vec();
    let feeding = std::thread::spawn(move || {
        if let Some(mut stdin) = stdin {
            // Git may have read enough before the end.
            let _ = io::Write::write_all(&mut stdin, &input);
        }
    });
    let done = child.wait_with_output()?;
    // It has nothing to say, and cannot outlive git.
    let _ = feeding.join();
    if done.status.success() {
        Ok(done.stdout)
    } else {
        Err(io::Error::other("git ended with an error"))
    }
}

/// A service of git to talk with.
pub(crate) fn conversation(
    folder: &Path,
    arguments: &[&str],
    protocol: Option<&str>,
) -> io::Result<Child> {
    service(folder, arguments, protocol)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

fn service(folder: &Path, arguments: &[&str], protocol: Option<&str>) -> Command {
    let mut command = command(folder, arguments);
    if let Some(protocol) = protocol {
        command.env("GIT_PROTOCOL", protocol);
    }
    command
}

impl Git {
    /// Runs git in a repository to its end and answers what it said, whatever its status.
    ///
    /// What comes from outside must stand behind `--end-of-options` or be checked before.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn run(&self, repo: i64, arguments: &[&str]) -> Result<Finished, Error> {
        let name = arguments.first().copied().unwrap_or_default().to_owned();
        let output = command(&self.folder(repo), arguments)
            .stdin(Stdio::null())
            .output();
        let output = output.map_err(|source| Error::Program {
            command: name,
            source,
        })?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(Finished {
            status: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr,
        })
    }

    /// Runs git in a repository and answers its output.
    ///
    /// # Errors
    /// [`Error::Failed`] when its status is not 0.
    pub fn output(&self, repo: i64, arguments: &[&str]) -> Result<Vec<u8>, Error> {
        let done = self.run(repo, arguments)?;
        if done.status != 0 {
            let text: String = done.stderr.trim().chars().take(300).collect();
            return Err(Error::Failed {
                command: arguments.first().copied().unwrap_or_default().to_owned(),
                status: done.status,
                text,
            });
        }
        Ok(done.stdout)
    }
}
