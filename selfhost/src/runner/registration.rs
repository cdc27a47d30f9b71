//! What a registered runner knows of itself, on disk.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use gitea_api::{
    runner::Credentials,
    tls::{InvalidFingerprint, Trust},
};
use serde::{Deserialize, Serialize};

/// The name of the file in the runner's folder.
const FILE: &str = "registration.json";

/// Where a runner belongs, and what it proves itself with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Address of the server.
    pub url: String,
    /// SHA-256 of the server's certificate, where it is pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The authority that signed it, where it is not one of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Its name.
    pub name: String,
    /// What it takes, bare words.
    pub labels: Vec<String>,
    /// What it proves itself with.
    pub credentials: Credentials,
}

/// Why a registration cannot be used or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is none.
    #[error("no runner is registered in `{}`", .0.display())]
    Missing(PathBuf),
    /// There is one already.
    #[error("a runner is registered in `{}` already", .0.display())]
    Exists(PathBuf),
    /// Others could read it.
    #[error("`{}` can be read by others (mode {mode:o}); it must be 600", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It cannot be read or written.
    #[error("the registration `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not what was written.
    #[error("the registration `{}` is broken", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl Registration {
    /// Whether a runner is registered in a folder.
    #[must_use]
    pub fn exists(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    /// Reads what stands in a folder.
    ///
    /// # Errors
    /// When there is none, when others can read it, when it is broken.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let io = |source| Error::Io {
            path: path.clone(),
            source,
        };
        let mode = match fs::metadata(&path) {
            Ok(file) => file.permissions().mode() & 0o777,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Missing(folder.to_owned()));
            }
            Err(error) => return Err(io(error)),
        };
        if mode & 0o077 != 0 {
            return Err(Error::Open { path, mode });
        }
        let text = fs::read_to_string(&path).map_err(io)?;
        serde_json::from_str(&text).map_err(|source| Error::Broken { path, source })
    }

    /// Writes it into a folder, mode 0600. It replaces none: a runner that is lost to its server
    /// is registered again with another folder, or after this one was cleared by hand.
    ///
    /// # Errors
    /// When there is one already, or the file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(FILE);
        let io = |source| Error::Io {
            path: path.clone(),
            source,
        };
        fs::create_dir_all(folder).map_err(io)?;
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        let mut file = opened.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists(folder.to_owned()),
            _ => io(error),
        })?;
        let text = serde_json::to_string_pretty(self).map_err(|source| Error::Broken {
            path: path.clone(),
            source,
        })?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(io)
    }

    /// Whom to trust at that address. An authority of one's own is trusted beside the system's.
    ///
    /// # Errors
    /// When the fingerprint is none.
    pub fn trust(&self) -> Result<Trust, InvalidFingerprint> {
        Ok(match (&self.fingerprint, &self.ca_file) {
            (Some(fingerprint), _) => Trust::Pin(fingerprint.parse()?),
            (None, Some(file)) => Trust::CaFile(file.clone()),
            (None, None) => Trust::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration() -> Registration {
        let credentials = serde_json::json!({"uuid": "u", "token": "canary"});
        Registration {
            url: "https://forge".to_owned(),
            fingerprint: None,
            ca_file: None,
            name: "r1".to_owned(),
            labels: vec!["lxc".to_owned()],
            credentials: serde_json::from_value(credentials).unwrap(),
        }
    }

    #[test]
    fn it_is_kept_for_its_owner_alone_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        registration().write(folder.path()).unwrap();
        let mode = fs::metadata(folder.path().join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(Registration::read(folder.path()).unwrap().name, "r1");
        assert!(matches!(
            registration().write(folder.path()),
            Err(Error::Exists(_))
        ));
    }

    #[test]
    fn one_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        registration().write(folder.path()).unwrap();
        let path = folder.path().join(FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            Registration::read(folder.path()),
            Err(Error::Open { mode: 0o644, .. })
        ));
    }

    #[test]
    fn its_debug_tells_no_token() {
        assert!(!format!("{:?}", registration()).contains("canary"));
    }
}
