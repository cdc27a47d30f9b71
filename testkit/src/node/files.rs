//! The data folder: `storage` stands for `/var/lib/vz`, `tmp` for uploads on their way.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{Doing, Error};
use crate::pve::volume_path;

/// The node's folder, if it has one.
#[derive(Debug, Clone)]
pub(super) struct Files {
    data: Option<PathBuf>,
}

impl Files {
    pub(super) fn new(data: Option<PathBuf>) -> Result<Self, Error> {
        let data = match data {
            None => None,
            Some(path) => {
                let failed = |error| Error::new(Doing::Folder(path.clone()), error);
                fs::create_dir_all(path.join("storage")).map_err(failed)?;
                Some(path.canonicalize().map_err(failed)?)
            }
        };
        let files = Self { data };
        files.clean();
        Ok(files)
    }

    /// The folder itself.
    pub(super) fn data(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    /// Where uploads are spooled.
    pub(super) fn spool(&self) -> Option<PathBuf> {
        self.data.as_ref().map(|data| data.join("tmp"))
    }

    /// The file of a volume.
    pub(super) fn volume(&self, volume: &str) -> Option<PathBuf> {
        Some(
            self.data
                .as_ref()?
                .join("storage")
                .join(volume_path(volume)?),
        )
    }

    /// Templates that an earlier node of this folder was given; none without a folder.
    pub(super) fn templates(&self) -> Result<Vec<(String, u64)>, Error> {
        let Some(data) = &self.data else {
            return Ok(Vec::new());
        };
        let folder = data.join("storage/template/cache");
        let failed = |error| Error::new(Doing::Folder(folder.clone()), error);
        let mut found = Vec::new();
        match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
            Ok(entries) => {
                for entry in entries {
                    let entry = entry.map_err(failed)?;
                    if let (Ok(name), Ok(about)) =
                        (entry.file_name().into_string(), entry.metadata())
                    {
                        found.push((name, about.len()));
                    }
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Puts a spooled upload in its place.
    pub(super) fn store(&self, volume: &str, spool: &Path) -> io::Result<()> {
        let Some(path) = self.volume(volume) else {
            return fs::remove_file(spool);
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::rename(spool, path)
    }

    /// Removes the file of a volume, if it has one.
    pub(super) fn discard(&self, volume: &str) {
        if let Some(path) = self.volume(volume) {
            drop(fs::remove_file(path));
        }
    }

    /// Writes the CA's certificate into the data folder, or beside the ready file.
    pub(super) fn write_ca(&self, ready: &Path, pem: &str) -> Result<PathBuf, Error> {
        let path = match &self.data {
            Some(data) => data.join("ca.pem"),
            None => ready.with_extension("ca.pem"),
        };
        fs::write(&path, pem).map_err(|error| Error::new(Doing::Write(path.clone()), error))?;
        Ok(path)
    }

    /// Removes what is only there while the node runs.
    pub(super) fn clean(&self) {
        if let Some(spool) = self.spool() {
            drop(fs::remove_dir_all(spool));
        }
    }
}
