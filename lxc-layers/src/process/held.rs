//! Holding: a program that lives for as long as we keep its standard input open.
//!
//! When we end, however we end, its input ends too: nothing has to be cleaned up after a kill.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout},
};

use super::{Error, Finished, Group, Program, Told, exit_code, follow};

/// What became of a program that was to be held.
#[derive(Debug)]
pub enum Hold {
    /// It runs, and said that it is ready.
    Held(Box<Held>),
    /// It ended before it said so.
    Ended(Finished),
}

/// A program that is held; it is stopped when this is dropped.
pub struct Held {
    _group: Group,
    _child: Child,
    _stdin: Option<ChildStdin>,
    _stdout: BufReader<ChildStdout>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

impl Program {
    /// Starts it with an open standard input and waits, within its limit, until `is_ready` says so
    /// of a line of its standard output.
    ///
    /// # Errors
    ///
    /// When it cannot be started or followed, or is not ready within its limit.
    pub async fn hold(
        self,
        is_ready: &(dyn Fn(&str) -> bool + Send + Sync),
    ) -> Result<Hold, Error> {
        let mut child = self.spawn(true).map_err(|source| Error::Start {
            program: self.name.clone(),
            source,
        })?;
        let group = Group::of(&child);
        let stdin = child.stdin.take();
        let limit = self.limit;
        match tokio::time::timeout(limit, self.until_ready(&mut child, is_ready)).await {
            Ok(Ok(Ready::Said(stdout))) => Ok(Hold::Held(Box::new(Held {
                _group: group,
                _child: child,
                _stdin: stdin,
                _stdout: stdout,
            }))),
            Ok(Ok(Ready::Never(finished))) => {
                group.left_alone();
                Ok(Hold::Ended(finished))
            }
            Ok(Err(source)) => Err(Error::Follow {
                program: self.name.clone(),
                source,
            }),
            Err(_) => Err(self.not_ready(limit)),
        }
    }

    async fn until_ready(
        &self,
        child: &mut Child,
        is_ready: &(dyn Fn(&str) -> bool + Send + Sync),
    ) -> io::Result<Ready> {
        let mut told = Told::new(&self.redactor, &|_, _| {});
        if let Some(stdout) = child.stdout.take() {
            let mut stdout = BufReader::new(stdout);
            let mut line = Vec::new();
            while stdout.read_until(b'\n', &mut line).await? > 0 {
                if is_ready(String::from_utf8_lossy(&line).trim()) {
                    return Ok(Ready::Said(stdout));
                }
                told.keep(&line);
                line.clear();
            }
        }
        // It closed its output: what is left is how it ended, and its last words.
        let status = follow(child, &mut told).await?;
        Ok(Ready::Never(told.finished(exit_code(status))))
    }

    fn not_ready(&self, limit: Duration) -> Error {
        Error::TimedOut {
            program: self.name.clone(),
            limit,
            tail: Vec::new(),
        }
    }
}

/// What a program said while it was waited for.
enum Ready {
    Said(BufReader<ChildStdout>),
    Never(Finished),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        Program::new("sh").args(["-c", script])
    }

    #[tokio::test]
    async fn what_is_held_ends_when_it_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let over = folder.path().join("over");
        let script = format!("echo noise; echo ready; cat; touch {}", over.display());
        let held = shell(&script).hold(&|line| line == "ready").await.unwrap();
        let Hold::Held(mut held) = held else {
            panic!("{held:?}")
        };
        assert!(!over.exists());
        // As when we are killed: the input ends, and nobody stops it.
        drop(held._stdin.take());
        held._child.wait().await.unwrap();
        assert!(over.exists());
    }

    #[tokio::test]
    async fn what_ends_before_it_is_ready_tells_how() {
        let ended = shell("echo 'not that'; echo why >&2; exit 5")
            .hold(&|line| line == "ready")
            .await
            .unwrap();
        let Hold::Ended(finished) = ended else {
            panic!("{ended:?}")
        };
        assert_eq!(finished.code, 5);
        assert_eq!(finished.tail, ["why"]);
        assert_eq!(finished.text(), "not that");
    }

    #[tokio::test]
    async fn what_is_never_ready_is_stopped() {
        let error = shell("sleep 60")
            .limit(Duration::from_millis(200))
            .hold(&|_| true)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    }
}
