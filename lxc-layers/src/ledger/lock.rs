//! The lock by which two runs of one folder do not meet.
//!
//! Runs of two folders, or of two machines, meet on what they work on: every write rests on a digest,
//! every guest says by its marker whose it is, and the inside of a guest is reserved, see
//! [`crate::guest::Guest::reserve`].
//!
//! A file beside the run journal, locked by the system, so that a killed run leaves nothing to clean
//! up. The programs that a run starts inherit it: as long as a playbook of a killed run still works
//! on a guest, the next run waits.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::io::{FdFlags, fcntl_setfd};

use super::Holder;
use crate::wait::Patience;

/// Why a run may not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another run holds the lock.
    #[error("another run works on this fleet: {holder}")]
    Busy {
        /// Who holds it: command, process and since when.
        holder: String,
    },
    /// The lock file cannot be used.
    #[error("locking `{}`", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// How often a holder without a name is asked again before the wait is told.
const UNNAMED: u8 = 4;

/// The lock of a fleet, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock in `folder`, waiting for at most `limit`; `on_wait` is told once whom for.
    ///
    /// # Errors
    ///
    /// When another run still holds it after that time, or the file cannot be used.
    pub async fn take(
        folder: &Path,
        command: &str,
        limit: Duration,
        on_wait: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Self, Error> {
        let path = folder.join("lock");
        let fail = |source| Error::File {
            path: path.clone(),
            source,
        };
        let mut file = open(folder, &path).map_err(fail)?;
        let pauses = (Duration::from_millis(50), Duration::from_millis(500));
        let mut patience = Patience::new(limit, pauses.0, pauses.1);
        let mut told = false;
        let mut unnamed = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(fail(source)),
                Err(TryLockError::WouldBlock) => {}
            }
            let holder = holder(&mut file);
            unnamed += u8::from(holder.is_none());
            let named = holder.is_some() || unnamed > UNNAMED;
            let holder = holder.unwrap_or_else(|| "one that has not said its name yet".to_owned());
            if named && !told {
                on_wait(&holder);
                told = true;
            }
            if !patience.again().await {
                return Err(Error::Busy { holder });
            }
        }
        sign(&mut file, command).map_err(fail)?;
        Ok(Self { _file: file })
    }
}

fn open(folder: &Path, path: &Path) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    // Inherited on purpose: what we start keeps the lock for as long as it works.
    fcntl_setfd(&file, FdFlags::empty())?;
    Ok(file)
}

/// Writes who holds it, for the one who waits.
fn sign(file: &mut File, command: &str) -> io::Result<()> {
    let text = Holder::now(command).to_string();
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

/// Who wrote its name into the file, which happens a moment after the lock was taken.
fn holder(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.rewind()
        .and_then(|()| file.read_to_string(&mut text))
        .ok()
        .filter(|_| !text.is_empty())?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn a_holder_that_has_just_begun_is_told_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = open(folder.path(), &folder.path().join("lock")).unwrap();
        first.try_lock().unwrap();
        let waited = Mutex::new(Vec::new());
        let note = |holder: &str| waited.lock().unwrap().push(holder.to_owned());
        let late = async {
            crate::wait::pause(Duration::from_millis(70)).await;
            sign(&mut first, "destroy").unwrap();
        };
        let limit = Duration::from_secs(2);
        let (second, ()) = tokio::join!(Lock::take(folder.path(), "apply", limit, &note), late);
        assert!(second.is_err());
        let waited = waited.into_inner().unwrap();
        assert_eq!(waited.len(), 1, "{waited:?}");
        assert!(waited[0].starts_with("`destroy`, process "), "{waited:?}");
    }

    #[tokio::test]
    async fn the_second_is_refused_and_told_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let limit = Duration::from_millis(60);
        let first = Lock::take(folder.path(), "apply", limit, &|_| {}).await;
        let first = first.unwrap();
        let waited = Mutex::new(String::new());
        let note = |holder: &str| waited.lock().unwrap().push_str(holder);
        let second = Lock::take(folder.path(), "apply", limit, &note).await;
        let error = second.unwrap_err();
        let named = format!("`apply`, process {}", std::process::id());
        assert!(error.to_string().contains(&named), "{error}");
        assert!(waited.lock().unwrap().starts_with(&named));
        drop(first);
        // A program that another test started meanwhile may have inherited the lock for a moment.
        let patient = Duration::from_secs(60);
        Lock::take(folder.path(), "apply", patient, &|_| {})
            .await
            .unwrap();
    }
}
