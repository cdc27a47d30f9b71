//! A patch applied to a tree, without a work tree and without touching any branch.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use super::{Error, Finished, Git, program};

/// What became of a patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patched {
    /// The tree that it makes.
    Tree(String),
    /// What git has against it.
    Refused(String),
}

impl Git {
    /// Applies a patch to a tree; lines may have moved, and blanks need not be as they were.
    ///
    /// # Errors
    /// When git cannot be started, or fails at something that is not the patch's fault.
    pub fn apply(&self, repo: i64, tree: &str, patch: &[u8]) -> Result<Patched, Error> {
        let folder = self.folder(repo);
        // What is left in it after a crash is thrown away at the next start.
        let scratch = self.quarantine(repo)?;
        let index = scratch.path().join("index");
        let with_index = |arguments: &[&str], input: &[u8]| run(&folder, &index, arguments, input);
        done(with_index(&["read-tree", tree], b"")?, "read-tree")?;
        let applied = with_index(
            &[
                "apply",
                "--cached",
                "--recount",
                "--ignore-whitespace",
                "--whitespace=fix",
                "--binary",
                "-3",
                "-",
            ],
            patch,
        )?;
        if applied.status != 0 {
            return Ok(Patched::Refused(
                applied.stderr.trim().chars().take(300).collect(),
            ));
        }
        let written = done(with_index(&["write-tree"], b"")?, "write-tree")?;
        let id = String::from_utf8_lossy(&written.stdout).trim().to_owned();
        Ok(Patched::Tree(id))
    }
}

fn done(finished: Finished, command: &str) -> Result<Finished, Error> {
    if finished.status == 0 {
        return Ok(finished);
    }
    Err(Error::Failed {
        command: command.to_owned(),
        status: finished.status,
        text: finished.stderr.trim().chars().take(300).collect(),
    })
}

/// Runs git with an index of its own and something to read.
fn run(folder: &Path, index: &Path, arguments: &[&str], input: &[u8]) -> Result<Finished, Error> {
    let failed = |source| Error::Program {
        command: arguments.first().copied().unwrap_or_default().to_owned(),
        source,
    };
    let mut child = program::command(folder, arguments)
        .env("GIT_INDEX_FILE", index)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            if let Some(mut stdin) = stdin {
                // Git may have read enough before the end.
                let _ = stdin.write_all(input);
            }
        });
        child.wait_with_output()
    });
    let output = output.map_err(failed)?;
    Ok(Finished {
        status: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
