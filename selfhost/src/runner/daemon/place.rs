//! The folder in which one runner works alone.

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::MetadataExt,
    path::Path,
};

use sha2::{Digest, Sha256};

use super::Error;
use crate::{
    process,
    runner::{folders::Folders, surroundings},
};

/// A work folder that this process has for itself.
#[derive(Debug)]
pub(super) struct Place {
    name: String,
    /// Held as long as the runner works.
    _lock: File,
}

impl Place {
    /// Takes the folder for this process alone, ends what a killed runner left running, and sweeps
    /// its folders.
    pub(super) async fn take(work: &Path) -> Result<Self, Error> {
        let fail = |source| Error::Work {
            path: work.to_owned(),
            source,
        };
        fs::create_dir_all(work).map_err(fail)?;
        let lock = File::create(work.join("lock")).map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Taken(work.to_owned())),
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
        let name = name(work, &lock).map_err(fail)?;
        process::kill_marked_below(surroundings::TRACKING, work).await;
        Folders::sweep(work);
        Ok(Self { name, _lock: lock })
    }

    /// A name that is the same after a restart, and another one for a copy of the folder.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

fn name(work: &Path, lock: &File) -> std::io::Result<String> {
    let file = lock.metadata()?;
    let path = work.canonicalize()?;
    let mut digest = Sha256::new();
    digest.update(path.as_os_str().as_encoded_bytes());
    digest.update(file.dev().to_le_bytes());
    digest.update(file.ino().to_le_bytes());
    let bytes = digest.finalize();
    Ok(bytes[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_is_taken_once_and_keeps_its_name() {
        let work = tempfile::tempdir().unwrap();
        let first = Place::take(work.path()).await.unwrap();
        let taken = Place::take(work.path()).await.unwrap_err();
        assert!(matches!(taken, Error::Taken(_)));
        let name = first.name().to_owned();
        drop(first);
        assert_eq!(Place::take(work.path()).await.unwrap().name(), name);
        let copy = tempfile::tempdir().unwrap();
        assert_ne!(Place::take(copy.path()).await.unwrap().name(), name);
    }
}
