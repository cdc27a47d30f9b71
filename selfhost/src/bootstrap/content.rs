//! Content: the bytes of a program of this machine, and their checksum.

use std::{fs, path::PathBuf};

use sha2::{Digest as _, Sha256};
use tokio::{sync::Mutex, sync::OnceCell, task::JoinHandle};

use super::Error;

/// A program as it is on this machine.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    /// SHA-256, hexadecimal.
    pub(super) sha256: String,
}

impl Content {
    /// Reads a file, beside whatever else is to be done.
    pub(super) async fn read(path: PathBuf) -> Result<Self, Error> {
        let read = tokio::task::spawn_blocking(move || Self::of_file(path));
        ended(read.await)
    }

    fn of_file(path: PathBuf) -> Result<Self, Error> {
        let bytes = fs::read(&path).map_err(Error::local("reading", path))?;
        let digest = Sha256::digest(&bytes);
        let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { bytes, sha256 })
    }

    /// Refuses what was fetched from `url` when it is not what was named.
    pub(super) fn being(self, url: &str, sha256: &str) -> Result<Self, Error> {
        if sha256.eq_ignore_ascii_case(&self.sha256) {
            return Ok(self);
        }
        Err(Error::Checksum {
            what: url.to_owned(),
            wanted: sha256.to_owned(),
            found: self.sha256,
        })
    }
}

fn ended(read: Result<Result<Content, Error>, tokio::task::JoinError>) -> Result<Content, Error> {
    read.unwrap_or_else(|stopped| {
        Err(Error::refused(
            format!("reading the program was stopped: {stopped}"),
            "bootstrap again",
        ))
    })
}

/// A program that is read and summed while other things are done: a control plane takes seconds to
/// unpack, and a build half a second to sum.
#[derive(Debug)]
pub(super) struct Reading {
    begun: Mutex<Option<JoinHandle<Result<Content, Error>>>>,
    path: PathBuf,
    content: OnceCell<Content>,
}

impl Reading {
    /// Begins.
    pub(super) fn begin(path: PathBuf) -> Self {
        let file = path.clone();
        let begun = tokio::task::spawn_blocking(move || Content::of_file(file));
        Self {
            begun: Mutex::new(Some(begun)),
            path,
            content: OnceCell::new(),
        }
    }

    /// What was read. After a failure it is read again.
    pub(super) async fn content(&self) -> Result<&Content, Error> {
        let read = || async {
            match self.begun.lock().await.take() {
                Some(begun) => ended(begun.await),
                None => Content::read(self.path.clone()).await,
            }
        };
        self.content.get_or_try_init(read).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_read_beforehand_is_what_the_file_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs::write(&path, "abc").unwrap();
        let reading = Reading::begin(path);
        let content = reading.content().await.unwrap();
        assert_eq!(content.bytes, b"abc");
        assert!(content.sha256.starts_with("ba7816bf8f01cfea"));
        let refused = Content::of_file(folder.path().join("program"));
        let refused = refused.unwrap().being("https://x", &"0".repeat(64));
        assert!(matches!(refused, Err(Error::Checksum { .. })));
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_named_and_looked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        let reading = Reading::begin(path.clone());
        let error = reading.content().await.unwrap_err();
        assert!(error.to_string().contains("program"), "{error}");
        fs::write(&path, "abc").unwrap();
        assert_eq!(reading.content().await.unwrap().bytes, b"abc");
    }
}
